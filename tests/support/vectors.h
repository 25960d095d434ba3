/* vectors.h: the protocol's test vectors (tests/vectors/vectors.json) as the project's own structures.
 * Header only, for every unit test is a program of one file. What is made here lives until vectors_release. */
#ifndef LUADUCT_TESTS_VECTORS_H
#define LUADUCT_TESTS_VECTORS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "maxcompute/record.h"
#include "util/arena.h"

struct vectors {
    yyjson_doc *document;
    yyjson_val *root;
    struct arena arena;
};

static inline void vectors_init(struct vectors *vectors)
{
    yyjson_read_err problem;

    vectors->document = yyjson_read_file(TEST_SOURCE_DIR "/tests/vectors/vectors.json", 0, NULL, &problem);
    if (!vectors->document) {
        fprintf(stderr, "tests/vectors/vectors.json: %s at byte %zu\n", problem.msg, problem.pos);
        abort();
    }
    vectors->root = yyjson_doc_get_root(vectors->document);
    arena_init(&vectors->arena, (size_t)1 << 28);
}

static inline void vectors_release(struct vectors *vectors)
{
    yyjson_doc_free(vectors->document);
    arena_release(&vectors->arena);
}

static inline yyjson_val *vectors_list(const struct vectors *vectors, const char *name)
{
    yyjson_val *list = yyjson_obj_get(vectors->root, name);

    assert(yyjson_arr_size(list) > 0);
    return list;
}

static inline struct str vectors_text(yyjson_val *object, const char *name)
{
    yyjson_val *member = yyjson_obj_get(object, name);

    return member ? str_make(yyjson_get_str(member), yyjson_get_len(member)) : STR("");
}

static inline void *vectors_alloc(struct vectors *vectors, size_t size)
{
    void *memory = arena_try_alloc(&vectors->arena, size);

    assert(memory);
    memset(memory, 0, size);
    return memory;
}

static inline struct str vectors_unhex(struct vectors *vectors, struct str hex)
{
    char *bytes = vectors_alloc(vectors, hex.size / 2);

    for (size_t i = 0; i < hex.size / 2; i++) {
        char digits[3] = {hex.data[2 * i], hex.data[2 * i + 1], 0};

        bytes[i] = (char)strtoul(digits, NULL, 16);
    }
    return str_make(bytes, hex.size / 2);
}

static inline struct str vectors_bytes(struct vectors *vectors, yyjson_val *object, const char *name)
{
    return vectors_unhex(vectors, vectors_text(object, name));
}

/* Release it with mc_schema_release. */
static inline void vectors_schema(yyjson_val *vector, struct mc_schema *schema)
{
    struct error error;
    yyjson_val *list = yyjson_obj_get(vector, "columns");
    size_t i, max;
    yyjson_val *item;

    memset(schema, 0, sizeof(*schema));
    schema->column_count = yyjson_arr_size(list);
    schema->columns = xcalloc(schema->column_count, sizeof(*schema->columns));
    yyjson_arr_foreach(list, i, max, item) {
        schema->columns[i].name = str_dup(vectors_text(item, "name"));
        if (!mc_type_parse(&schema->columns[i].type, vectors_text(item, "type"), &error)) {
            fprintf(stderr, "%s\n", error.text);
            abort();
        }
    }
}

static inline double vectors_real(yyjson_val *json)
{
    const char *text = yyjson_get_str(json);

    if (!text)
        return yyjson_get_num(json);
    return strcmp(text, "NaN") == 0 ? (double)NAN : strcmp(text, "Infinity") == 0 ? (double)INFINITY : (double)-INFINITY;
}

static inline void vectors_value(struct vectors *vectors, const struct mc_type *type, yyjson_val *json,
                                 struct record_value *value)
{
    size_t i, max;
    yyjson_val *item, *key;

    memset(value, 0, sizeof(*value));
    if (yyjson_is_null(json)) {
        value->null = true;
        return;
    }
    switch (type->kind) {
    case MC_FLOAT:
    case MC_DOUBLE: value->real = vectors_real(json); break;
    case MC_BOOLEAN: value->integer = yyjson_get_bool(json); break;
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
    case MC_INTERVAL_DAY_TIME:
        value->integer = yyjson_get_sint(yyjson_obj_get(json, "sec"));
        value->nanos = (int32_t)yyjson_get_sint(yyjson_obj_get(json, "nano"));
        break;
    case MC_BINARY: value->bytes = vectors_bytes(vectors, json, "hex"); break;
    case MC_STRING:
    case MC_VARCHAR:
    case MC_CHAR:
    case MC_DECIMAL:
    case MC_JSON: value->bytes = str_make(yyjson_get_str(json), yyjson_get_len(json)); break;
    case MC_ARRAY:
        value->count = yyjson_arr_size(json);
        value->items = vectors_alloc(vectors, value->count * sizeof(*value->items));
        yyjson_arr_foreach(json, i, max, item) {
            vectors_value(vectors, type->children, item, &value->items[i]);
        }
        break;
    case MC_MAP:
        value->count = yyjson_arr_size(json) * 2;
        value->items = vectors_alloc(vectors, value->count * sizeof(*value->items));
        yyjson_arr_foreach(json, i, max, item) {
            vectors_value(vectors, &type->children[0], yyjson_arr_get(item, 0), &value->items[i]);
            vectors_value(vectors, &type->children[1], yyjson_arr_get(item, 1), &value->items[value->count / 2 + i]);
        }
        break;
    case MC_STRUCT:
        value->count = yyjson_obj_size(json);
        assert(value->count == type->child_count);
        value->items = vectors_alloc(vectors, value->count * sizeof(*value->items));
        yyjson_obj_foreach(json, i, max, key, item) {
            vectors_value(vectors, &type->children[i], item, &value->items[i]);
        }
        break;
    default: value->integer = yyjson_get_sint(json);
    }
}

/* A row's values, one per column of the schema; a short row's missing ones are NULL. */
static inline struct record_value *vectors_row(struct vectors *vectors, const struct mc_schema *schema, yyjson_val *row)
{
    struct record_value *values = vectors_alloc(vectors, schema->column_count * sizeof(*values));

    for (size_t i = 0; i < schema->column_count; i++) {
        yyjson_val *json = yyjson_arr_get(row, i);

        if (json)
            vectors_value(vectors, &schema->columns[i].type, json, &values[i]);
        else
            values[i].null = true;
    }
    return values;
}

/* Doubles by their bits, so that -0.0 differs from 0.0; any NaN equals any other. */
static inline bool vectors_equal(const struct mc_type *type, const struct record_value *a, const struct record_value *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    if (a->integer != b->integer || a->nanos != b->nanos || a->count != b->count || !str_equal(a->bytes, b->bytes))
        return false;
    if (!(isnan(a->real) && isnan(b->real)) && memcmp(&a->real, &b->real, sizeof(a->real)) != 0)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        size_t child = type->kind == MC_ARRAY ? 0 : type->kind == MC_MAP ? i >= a->count / 2 : i;

        if (!vectors_equal(&type->children[child], &a->items[i], &b->items[i]))
            return false;
    }
    return true;
}

#endif
