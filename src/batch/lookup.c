/* lookup.c: columns of values and a hash table of keys, in one arena. Texts of CSV are slices of the file's text, which the table
 * keeps. */
#include "batch/lookup.h"

#include <stdlib.h>
#include <yyjson.h>

#include "util/csv.h"

struct lookup_table {
    struct arena arena;
    struct buffer content;
    struct str *keys;
    uint32_t *places; /* line of CSV, element of JSON */
    uint32_t count, count_max;
    uint32_t *slots; /* row + 1; 0: free */
    uint32_t slot_mask;
    struct column **columns;
};

struct loading {
    struct lookup_table *table;
    const struct lookup_options *options;
    struct convert convert;
    bool seen[LOOKUP_FIELDS_MAX]; /* of JSON: values that some element had */
    struct error *error;
};

static bool too_large(const struct lookup_options *options, struct error *error)
{
    return error_set(error, ERROR_CONFIG, "%s takes more than the %zu KiB of memory that are left", options->name,
                     options->bytes_max >> 10);
}

/* FNV-1a; keys come from the operator's file, not from strangers. */
static uint32_t hash_of(struct str key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * UINT64_C(1099511628211);
    return (uint32_t)(hash >> 32 ^ hash);
}

bool lookup_table_find(const struct lookup_table *table, struct str key, uint32_t *row_out)
{
    for (uint32_t slot = hash_of(key) & table->slot_mask;; slot = (slot + 1) & table->slot_mask) {
        if (!table->slots[slot])
            return false;
        if (str_equal(table->keys[table->slots[slot] - 1], key)) {
            *row_out = table->slots[slot] - 1;
            return true;
        }
    }
}

/* Room for so many rows; at most half of the slots are ever used. */
static bool make_room(struct loading *loading, size_t rows)
{
    struct lookup_table *table = loading->table;
    size_t slots = 4;

    if (rows > UINT32_MAX / 4)
        return too_large(loading->options, loading->error);
    while (slots < rows * 2)
        slots *= 2;
    table->count_max = (uint32_t)rows;
    table->slot_mask = (uint32_t)slots - 1;
    table->slots = arena_try_array(&table->arena, slots, sizeof(*table->slots));
    table->keys = arena_try_array(&table->arena, rows + 1, sizeof(*table->keys));
    table->places = arena_try_array(&table->arena, rows + 1, sizeof(*table->places));
    table->columns = arena_try_array(&table->arena, loading->options->value_count, sizeof(*table->columns));
    if (!table->slots || !table->keys || !table->places || !table->columns)
        return too_large(loading->options, loading->error);
    memset(table->slots, 0, slots * sizeof(*table->slots));
    for (size_t i = 0; i < loading->options->value_count; i++) {
        table->columns[i] = column_try_new(&table->arena, loading->options->values[i].type, table->count_max, true);
        if (!table->columns[i])
            return too_large(loading->options, loading->error);
    }
    return true;
}

static const char *place_word(const struct loading *loading)
{
    return loading->options->json ? "element" : "line";
}

static bool add_key(struct loading *loading, struct str key, uint32_t place)
{
    struct lookup_table *table = loading->table;
    uint32_t old, slot;

    if (lookup_table_find(table, key, &old))
        return error_set(loading->error, ERROR_CONFIG, "%s: %s %u: the key \"%.*s\" is there already, in %s %u",
                         loading->options->name, place_word(loading), place, STR_ARG(str_head(key, 40)), place_word(loading),
                         table->places[old]);
    assert(table->count < table->count_max);
    for (slot = hash_of(key) & table->slot_mask; table->slots[slot]; slot = (slot + 1) & table->slot_mask)
        ;
    table->keys[table->count] = key;
    table->places[table->count] = place;
    table->slots[slot] = ++table->count;
    return true;
}

/* The value of the row that was added last. */
static bool set_value(struct loading *loading, size_t value, struct str text)
{
    struct lookup_table *table = loading->table;
    struct column *column = table->columns[value];
    uint32_t row = table->count - 1;
    const char *reason = "";

    if (!text.data || (text.size == 0 && column->type.kind != TYPE_STRING)) {
        column->null[row] = 1;
        memset((char *)column->data + row * type_size(column->type.kind), 0, type_size(column->type.kind));
        return true;
    }
    switch (convert_text(&loading->convert, &table->arena, text, column->type,
                         (char *)column->data + row * type_size(column->type.kind), &reason)) {
    case CONVERT_OK:
        return true;
    case CONVERT_NULL:
        column->null[row] = 1;
        return true;
    case CONVERT_FULL:
        return too_large(loading->options, loading->error);
    case CONVERT_FAILED:
        break;
    }
    return error_set(loading->error, ERROR_CONFIG, "%s: %s %u: %.*s: \"%.*s\" %s", loading->options->name, place_word(loading),
                     table->places[row], STR_ARG(loading->options->values[value].name), STR_ARG(str_head(text, 40)), reason);
}

static bool unknown_name(struct loading *loading, struct str wanted, const struct str *names, size_t count)
{
    const char **list = xcalloc(count + 1, sizeof(*list));
    const char *near;

    for (size_t i = 0; i < count; i++)
        list[i] = str_dup(names[i]);
    near = str_nearest(wanted, list, count);
    error_set(loading->error, ERROR_CONFIG, "%s has no column \"%.*s\"%s%s%s", loading->options->name, STR_ARG(wanted),
              near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    for (size_t i = 0; i < count; i++)
        free((char *)list[i]);
    free(list);
    return false;
}

/* --- CSV --- */

static bool find_column(struct loading *loading, struct str wanted, const struct str *names, size_t count, size_t *index_out)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(names[i], wanted)) {
            *index_out = i;
            return true;
        }
    }
    return unknown_name(loading, wanted, names, count);
}

static bool load_csv(struct loading *loading)
{
    const struct lookup_options *options = loading->options;
    struct buffer *content = &loading->table->content;
    struct str fields[LOOKUP_FIELDS_MAX];
    size_t indexes[LOOKUP_FIELDS_MAX], key_index = 0, count, columns, lines = 1;
    struct csv_reader reader;

    for (size_t i = 0; i < content->size; i++)
        lines += content->data[i] == '\n';
    csv_reader_init(&reader, content->data, content->size, options->separator);
    if (!csv_reader_next(&reader, fields, LOOKUP_FIELDS_MAX, &columns, loading->error))
        return error_wrap(loading->error, "%s", options->name);
    if (columns == 0)
        return error_set(loading->error, ERROR_CONFIG, "%s is empty: its first line names the columns", options->name);
    if (!find_column(loading, options->key, fields, columns, &key_index))
        return false;
    for (size_t i = 0; i < options->value_count; i++)
        if (!find_column(loading, options->values[i].name, fields, columns, &indexes[i]))
            return false;
    if (!make_room(loading, lines))
        return false;
    for (;;) {
        if (!csv_reader_next(&reader, fields, LOOKUP_FIELDS_MAX, &count, loading->error))
            return error_wrap(loading->error, "%s", options->name);
        if (count == 0)
            return true;
        if (count != columns)
            return error_set(loading->error, ERROR_CONFIG, "%s: line %u: %zu fields, where the first line has %zu", options->name,
                             reader.line, count, columns);
        if (!add_key(loading, fields[key_index], reader.line))
            return false;
        for (size_t i = 0; i < options->value_count; i++)
            if (!set_value(loading, i, fields[indexes[i]]))
                return false;
    }
}

/* --- JSON --- */

/* The text of a scalar, absent for null; false when it is none. */
static bool scalar_text(yyjson_val *value, struct str *text_out)
{
    *text_out = STR_NONE;
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return true;
    case YYJSON_TYPE_BOOL:
        *text_out = yyjson_get_bool(value) ? STR("true") : STR("false");
        return true;
    case YYJSON_TYPE_RAW:
        *text_out = str_make(yyjson_get_raw(value), yyjson_get_len(value));
        return true;
    case YYJSON_TYPE_STR:
        *text_out = str_make(yyjson_get_str(value), yyjson_get_len(value));
        return true;
    default:
        return false;
    }
}

/* The names of an object's members, for a message about one that is not there. */
static bool unknown_member(struct loading *loading, yyjson_val *object, struct str name, uint32_t element)
{
    struct str names[LOOKUP_FIELDS_MAX];
    size_t index, count, members = 0;
    yyjson_val *key, *item;

    yyjson_obj_foreach(object, index, count, key, item)
    {
        if (members < LOOKUP_FIELDS_MAX)
            names[members++] = str_make(yyjson_get_str(key), yyjson_get_len(key));
    }
    unknown_name(loading, name, names, members);
    return error_wrap(loading->error, "element %u", element);
}

/* The member's text; absent for null. */
static bool take_text(struct loading *loading, yyjson_val *value, struct str name, uint32_t element, struct str *text_out)
{
    if (!scalar_text(value, text_out))
        return error_set(loading->error, ERROR_CONFIG,
                         "%s: element %u: %.*s is an object or an array; values are texts, numbers, booleans",
                         loading->options->name, element, STR_ARG(name));
    if (!text_out->data)
        return true;
    *text_out = arena_try_copy(&loading->table->arena, *text_out);
    return text_out->data || too_large(loading->options, loading->error);
}

static bool add_element(struct loading *loading, yyjson_val *element, uint32_t number)
{
    const struct lookup_options *options = loading->options;
    yyjson_val *value;
    struct str text;

    if (!yyjson_is_obj(element))
        return error_set(loading->error, ERROR_CONFIG, "%s: element %u is no object", options->name, number);
    value = yyjson_obj_getn(element, options->key.data, options->key.size);
    if (!value)
        return unknown_member(loading, element, options->key, number);
    if (!take_text(loading, value, options->key, number, &text))
        return false;
    if (!text.data)
        return error_set(loading->error, ERROR_CONFIG, "%s: element %u has no key", options->name, number);
    if (!add_key(loading, text, number))
        return false;
    for (size_t i = 0; i < options->value_count; i++) {
        text = STR_NONE;
        value = yyjson_obj_getn(element, options->values[i].name.data, options->values[i].name.size);
        loading->seen[i] |= value != NULL;
        if ((value && !take_text(loading, value, options->values[i].name, number, &text)) || !set_value(loading, i, text))
            return false;
    }
    return true;
}

/* A member may be missing here and there; one that is missing everywhere is a slip of the pen. */
static bool all_seen(struct loading *loading, yyjson_val *root)
{
    for (size_t i = 0; i < loading->options->value_count && loading->table->count; i++)
        if (!loading->seen[i])
            return unknown_member(loading, yyjson_arr_get_first(root), loading->options->values[i].name, 1);
    return true;
}

static bool load_json(struct loading *loading)
{
    const struct lookup_options *options = loading->options;
    struct buffer *content = &loading->table->content;
    size_t needed = yyjson_read_max_memory_usage(content->size, YYJSON_READ_NUMBER_AS_RAW) + 1024, index, count;
    void *pool = needed <= options->bytes_max ? malloc(needed) : NULL;
    yyjson_val *root, *element;
    yyjson_read_err fault;
    yyjson_doc *document;
    yyjson_alc allocator;
    bool ok = false;

    if (!pool || !yyjson_alc_pool_init(&allocator, pool, needed)) {
        error_set(loading->error, ERROR_CONFIG, "%s needs %zu KiB of memory while it is read, more than is left; CSV needs less",
                  options->name, needed >> 10);
        goto out;
    }
    document = yyjson_read_opts(content->data, content->size, YYJSON_READ_NUMBER_AS_RAW, &allocator, &fault);
    if (!document) {
        unsigned line = 1;

        for (size_t i = 0; i < fault.pos && i < content->size; i++)
            line += content->data[i] == '\n';
        error_set(loading->error, ERROR_CONFIG, "%s: line %u: %s", options->name, line, fault.msg);
        goto out;
    }
    root = yyjson_doc_get_root(document);
    if (!yyjson_is_arr(root)) {
        error_set(loading->error, ERROR_CONFIG, "%s must hold an array of objects, [{\"key\": ..., \"value\": ...}, ...]",
                  options->name);
        goto out;
    }
    ok = make_room(loading, yyjson_arr_size(root));
    yyjson_arr_foreach(root, index, count, element)
    {
        if (ok)
            ok = add_element(loading, element, (uint32_t)index + 1);
    }
    ok = ok && all_seen(loading, root);
out:
    free(pool);
    return ok;
}

/* --- the table --- */

bool lookup_table_new(struct lookup_table **table_out, struct buffer *content, const struct lookup_options *options,
                      struct error *error)
{
    struct lookup_table *table = xcalloc(1, sizeof(*table));
    struct loading loading = {.table = table, .options = options, .convert = {.zone = options->zone}, .error = error};
    bool ok = false;

    assert(options->value_count >= 1 && options->value_count <= LOOKUP_FIELDS_MAX);
    table->content = *content;
    buffer_init(content, content->bytes_max);
    arena_init(&table->arena, options->bytes_max - size_min(table->content.capacity, options->bytes_max));
    if (table->content.failed) {
        too_large(options, error);
        goto out;
    }
    if (!str_is_utf8(buffer_str(&table->content))) {
        error_set(error, ERROR_CONFIG, "%s is not UTF-8", options->name);
        goto out;
    }
    ok = options->json ? load_json(&loading) : load_csv(&loading);
    if (ok && options->json)
        buffer_release(&table->content);
    if (ok) {
        for (size_t i = 0; i < options->value_count; i++)
            table->columns[i]->utf8 = true;
        *table_out = table;
        table = NULL;
    }
out:
    lookup_table_free(table);
    return ok;
}

void lookup_table_free(struct lookup_table *table)
{
    if (!table)
        return;
    arena_release(&table->arena);
    buffer_release(&table->content);
    free(table);
}

uint32_t lookup_table_count(const struct lookup_table *table)
{
    return table->count;
}

size_t lookup_table_bytes(const struct lookup_table *table)
{
    return table->arena.bytes + table->content.capacity;
}

const struct column *lookup_table_column(const struct lookup_table *table, size_t value)
{
    return table->columns[value];
}
