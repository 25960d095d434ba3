/* nested.c: yyjson reads the text, one walk over type and document makes a tree of record_value in memory of its own, and
 * record_append_value, with which the local endpoint writes its downloads, makes the bytes. The depth is that of the type, which
 * mc_type_parse bounds. Nothing is allocated once the memory has its size, but for texts above some 80 KiB and JSON inside. */
#include "route/nested.h"

#include "batch/decimal.h"
#include "route/target_type.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

enum {
    POOL_BYTES_MAX = 1 << 20, /* for yyjson, kept; larger documents are read into memory that is given back */
    PATH_MAX_BYTES = 160,
    EXCERPT_MAX_BYTES = 128, /* convert_excerpt's */
    NAME_MAX_BYTES = 40,
    /* A tree of NESTED_VALUES_MAX values, with the decimals and base64 that were made for it. */
    TREE_BYTES_MAX = 128 * 1024 * 1024,
};

struct nested {
    struct convert *convert;
    struct arena tree;
    struct buffer wire, summed;
    void *pool;
    size_t pool_size;
    /* Why the value in hand is refused: what is wrong, the beginning of the part that is, and where it stands. */
    char what[200];
    char excerpt[EXCERPT_MAX_BYTES];
    char path[PATH_MAX_BYTES];
    char reason[NESTED_REASON_MAX];
};

struct nested *nested_new(struct convert *convert)
{
    struct nested *nested = xcalloc(1, sizeof(*nested));

    nested->convert = convert;
    arena_init(&nested->tree, TREE_BYTES_MAX);
    /* Bounded by the tree and its texts; a limit of their own could not be told from a machine without memory. */
    buffer_init(&nested->wire, 0);
    buffer_init(&nested->summed, 0);
    return nested;
}

void nested_free(struct nested *nested)
{
    if (!nested)
        return;
    arena_release(&nested->tree);
    buffer_release(&nested->wire);
    buffer_release(&nested->summed);
    free(nested->pool);
    free(nested);
}

/* --- why not --- */

static struct str excerpt_of(struct str text, char excerpt[EXCERPT_MAX_BYTES])
{
    return convert_excerpt(&(struct column){.type = TYPE_OF(TYPE_STRING), .rows = 1, .text = &text}, 0, excerpt);
}

static enum convert_status refuse(struct nested *nested, yyjson_val *value, const char *format, ...) PRINTF_LIKE(3, 4);
static enum convert_status refuse(struct nested *nested, yyjson_val *value, const char *format, ...)
{
    struct str text = str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value));
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(nested->what, sizeof(nested->what), format, arguments);
    va_end(arguments);
    nested->path[0] = '\0';
    switch (unsafe_yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL: text = STR("null"); break;
    case YYJSON_TYPE_BOOL: text = unsafe_yyjson_get_bool(value) ? STR("true") : STR("false"); break;
    case YYJSON_TYPE_ARR: text = STR("an array"); break;
    case YYJSON_TYPE_OBJ: text = STR("an object"); break;
    case YYJSON_TYPE_STR:
        text = excerpt_of(text, nested->excerpt);
        nested->excerpt[size_min(text.size, sizeof(nested->excerpt) - 1)] = '\0'; /* it is written there */
        return CONVERT_FAILED;
    default: break;
    }
    snprintf(nested->excerpt, sizeof(nested->excerpt), "%.*s%s", (int)size_min(text.size, 60), text.data,
             text.size > 60 ? "..." : "");
    return CONVERT_FAILED;
}

/* The way to the value, from the inside out; what is too long loses its end. */
static enum convert_status inside(struct nested *nested, enum convert_status status, const char *format, ...) PRINTF_LIKE(3, 4);
static enum convert_status inside(struct nested *nested, enum convert_status status, const char *format, ...)
{
    char step[EXCERPT_MAX_BYTES + 3];
    size_t size, rest;
    va_list arguments;

    if (status != CONVERT_FAILED)
        return status;
    va_start(arguments, format);
    vsnprintf(step, sizeof(step), format, arguments);
    va_end(arguments);
    size = strlen(step);
    rest = size_min(strlen(nested->path), sizeof(nested->path) - 1 - size);
    while (rest && ((unsigned char)nested->path[rest] & 0xC0) == 0x80) /* not in the middle of a character */
        rest--;
    memmove(nested->path + size, nested->path, rest);
    memcpy(nested->path, step, size);
    nested->path[size + rest] = '\0';
    return status;
}

static enum convert_status inside_member(struct nested *nested, enum convert_status status, yyjson_val *name)
{
    size_t size = unsafe_yyjson_get_len(name);
    const char *text = unsafe_yyjson_get_str(name);
    char excerpt[EXCERPT_MAX_BYTES];

    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) { /* a reason has one line */
            struct str quoted = excerpt_of(str_make(text, size), excerpt);

            return inside(nested, status, "[%.*s]", STR_ARG(quoted));
        }
    }
    if (size <= NAME_MAX_BYTES)
        return inside(nested, status, ".%.*s", (int)size, text);
    for (size = NAME_MAX_BYTES; size && ((unsigned char)text[size] & 0xC0) == 0x80;)
        size--;
    return inside(nested, status, ".%.*s...", (int)size, text);
}

static enum convert_status wrong_kind(struct nested *nested, yyjson_val *value, enum mc_kind kind)
{
    return refuse(nested, value, "%s", kind == MC_ARRAY ? "has something else than an array where the type has an ARRAY"
                                       : kind == MC_MAP ? "has something else than an object where the type has a MAP"
                                                        : "has something else than an object where the type has a STRUCT");
}

/* --- scalars --- */

/* What the target's type asks beyond the pipeline's, and the value as it is encoded. */
static const char *fit(struct nested *nested, const struct mc_type *type, struct type from, const union type_value *cell,
                       struct record_value *value_out, bool *full_out)
{
    const char *reason = NULL;
    int64_t least, most;
    float narrow;
    char *digits;

    switch (type->kind) {
    case MC_TINYINT:
    case MC_SMALLINT:
    case MC_INT:
    case MC_BIGINT:
        reason = target_integer_range(type->kind, &least, &most);
        value_out->integer = cell->bigint;
        return cell->bigint < least || cell->bigint > most ? reason : NULL;
    case MC_BOOLEAN: value_out->integer = cell->boolean; return NULL;
    case MC_DATE: value_out->integer = cell->date; return NULL;
    case MC_DATETIME: value_out->integer = target_milliseconds(cell->instant); return NULL;
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
        value_out->integer = cell->instant.seconds;
        value_out->nanos = cell->instant.nanos;
        return NULL;
    case MC_DOUBLE: value_out->real = cell->real; return NULL;
    case MC_FLOAT:
        reason = target_float(cell->real, &narrow);
        value_out->real = reason ? 0 : (double)narrow;
        return reason;
    case MC_DECIMAL:
        digits = arena_try_alloc(&nested->tree, DECIMAL_TEXT_MAX);
        if (!digits) {
            *full_out = true;
            return NULL;
        }
        value_out->bytes = str_make(digits, decimal_print(cell->decimal, from.scale, digits));
        return NULL;
    default: value_out->bytes = cell->text; return target_text(cell->text, type->kind != MC_BINARY, target_characters_max(type));
    }
}

/* A value of a scalar type, or with `key` a map's key: then value is a name, which is a text whatever the type. */
static enum convert_status take_scalar(struct nested *nested, const struct mc_type *type, yyjson_val *value, bool key,
                                       struct record_value *value_out)
{
    struct str text = str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value)); /* looked at for keys only */
    struct buffer name;
    enum convert_status status;
    const char *reason = NULL;
    enum wire_kind wire;
    union type_value cell;
    struct type to;
    bool full = false;

    if (!target_type(type, &to, &wire))
        return refuse(nested, value, "holds a type that this release does not write"); /* check said so */
    if (key)
        status = convert_text(nested->convert, &nested->tree, text, to, &cell, &reason);
    else
        status = convert_json(nested->convert, &nested->tree, value, to, &cell, &reason);
    if (status == CONVERT_OK) {
        *value_out = (struct record_value){0};
        reason = fit(nested, type, to, &cell, value_out, &full);
        if (!reason)
            return full ? CONVERT_FULL : CONVERT_OK;
    } else if (status != CONVERT_FAILED) {
        return status;
    }
    buffer_init(&name, 0);
    mc_type_print(type, &name);
    refuse(nested, value, "holds a %s that %s, for type %s", key ? "map key" : "value", reason, buffer_text(&name));
    buffer_release(&name);
    return CONVERT_FAILED;
}

/* --- arrays, maps, structs --- */

static enum convert_status take(struct nested *nested, const struct mc_type *type, yyjson_val *value,
                                struct record_value *value_out);

static struct record_value *new_items(struct nested *nested, size_t count)
{
    return arena_try_array(&nested->tree, count, sizeof(struct record_value));
}

static enum convert_status take_array(struct nested *nested, const struct mc_type *type, yyjson_val *array,
                                      struct record_value *value_out)
{
    size_t i, count;
    yyjson_val *item;

    if (!yyjson_is_arr(array))
        return wrong_kind(nested, array, MC_ARRAY);
    *value_out = (struct record_value){.count = yyjson_arr_size(array), .items = new_items(nested, yyjson_arr_size(array))};
    if (!value_out->items)
        return CONVERT_FULL;
    yyjson_arr_foreach(array, i, count, item) {
        enum convert_status status = take(nested, type->children, item, &value_out->items[i]);

        if (status != CONVERT_OK && status != CONVERT_NULL)
            return inside(nested, status, "[%zu]", i);
    }
    return CONVERT_OK;
}

/* Keys of one type: those that are equal for the service stand together. */
static int by_key(const void *a, const void *b)
{
    const struct record_value *x = *(const struct record_value *const *)a, *y = *(const struct record_value *const *)b;
    int order = memcmp(x->bytes.data ? x->bytes.data : "", y->bytes.data ? y->bytes.data : "",
                       size_min(x->bytes.size, y->bytes.size));

    if (order || x->bytes.size != y->bytes.size)
        return order ? order : x->bytes.size < y->bytes.size ? -1 : 1;
    if (x->integer != y->integer)
        return x->integer < y->integer ? -1 : 1;
    if (x->nanos != y->nanos)
        return x->nanos < y->nanos ? -1 : 1;
    if (isnan(x->real) || isnan(y->real))
        return isnan(x->real) - isnan(y->real);
    return x->real == y->real ? 0 : x->real < y->real ? -1 : 1;
}

/* The later one of two equal keys, or -1. */
static ptrdiff_t find_doubled(struct nested *nested, const struct record_value *keys, size_t count, bool *full_out)
{
    const struct record_value **sorted = arena_try_array(&nested->tree, count, sizeof(const struct record_value *));

    *full_out = !sorted;
    if (!sorted)
        return -1;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &keys[i];
    if (count > 1)
        qsort(sorted, count, sizeof(const struct record_value *), by_key);
    for (size_t i = 1; i < count; i++)
        if (by_key(&sorted[i - 1], &sorted[i]) == 0)
            return (sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1]) - keys;
    return -1;
}

static enum convert_status take_map(struct nested *nested, const struct mc_type *type, yyjson_val *object,
                                    struct record_value *value_out)
{
    size_t pairs = yyjson_obj_size(object), i, count;
    yyjson_val *name, *value;
    struct record_value *items;
    ptrdiff_t doubled;
    bool full;

    if (!yyjson_is_obj(object))
        return wrong_kind(nested, object, MC_MAP);
    items = new_items(nested, pairs * 2);
    *value_out = (struct record_value){.count = pairs * 2, .items = items};
    if (!items)
        return CONVERT_FULL;
    yyjson_obj_foreach(object, i, count, name, value) {
        enum convert_status status = take_scalar(nested, &type->children[0], name, true, &items[i]);

        if (status == CONVERT_NULL)
            return refuse(nested, name, "holds a map key that is NULL");
        if (status != CONVERT_OK)
            return status;
        status = take(nested, &type->children[1], value, &items[pairs + i]);
        if (status != CONVERT_OK && status != CONVERT_NULL)
            return inside_member(nested, status, name);
    }
    doubled = find_doubled(nested, items, pairs, &full);
    if (full)
        return CONVERT_FULL;
    if (doubled < 0)
        return CONVERT_OK;
    yyjson_obj_foreach(object, i, count, name, value) {
        if (i == (size_t)doubled)
            return refuse(nested, name, "holds a map key twice");
    }
    return CONVERT_FAILED;
}

/* The field of that name; mostly they come in the type's order. */
static size_t find_field(const struct mc_type *type, struct str name, size_t guess)
{
    if (guess < type->child_count && str_is(name, type->child_names[guess]))
        return guess;
    for (size_t i = 0; i < type->child_count; i++)
        if (str_equal_ignore_case(name, str_of(type->child_names[i])))
            return i;
    return type->child_count;
}

static enum convert_status take_struct(struct nested *nested, const struct mc_type *type, yyjson_val *object,
                                       struct record_value *value_out)
{
    size_t i, count;
    yyjson_val *name, *value;
    struct record_value *items;
    uint8_t *seen;

    if (!yyjson_is_obj(object))
        return wrong_kind(nested, object, MC_STRUCT);
    items = new_items(nested, type->child_count);
    seen = arena_try_alloc(&nested->tree, type->child_count);
    *value_out = (struct record_value){.count = type->child_count, .items = items};
    if (!items || !seen)
        return CONVERT_FULL;
    memset(seen, 0, type->child_count);
    for (size_t k = 0; k < type->child_count; k++)
        items[k] = (struct record_value){.null = true};
    yyjson_obj_foreach(object, i, count, name, value) {
        size_t field = find_field(type, str_make(unsafe_yyjson_get_str(name), unsafe_yyjson_get_len(name)), i);
        enum convert_status status;

        if (field == type->child_count)
            return refuse(nested, name, "holds a member that the STRUCT does not have");
        if (seen[field]++)
            return refuse(nested, name, "holds a member of the STRUCT twice (case does not count)");
        status = take(nested, &type->children[field], value, &items[field]);
        if (status != CONVERT_OK && status != CONVERT_NULL)
            return inside_member(nested, status, name);
    }
    return CONVERT_OK;
}

/* CONVERT_OK and CONVERT_NULL: *value_out is set. */
static enum convert_status take(struct nested *nested, const struct mc_type *type, yyjson_val *value,
                                struct record_value *value_out)
{
    if (yyjson_is_null(value)) {
        *value_out = (struct record_value){.null = true};
        return CONVERT_NULL;
    }
    switch (type->kind) {
    case MC_ARRAY: return take_array(nested, type, value, value_out);
    case MC_MAP: return take_map(nested, type, value, value_out);
    case MC_STRUCT: return take_struct(nested, type, value, value_out);
    default: break;
    }
    return take_scalar(nested, type, value, false, value_out);
}

/* --- the whole value --- */

static yyjson_doc *read_document(struct nested *nested, struct str text, yyjson_read_err *problem)
{
    size_t size = yyjson_read_max_memory_usage(text.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_alc allocator;

    if (size > nested->pool_size && size <= POOL_BYTES_MAX) {
        free(nested->pool);
        nested->pool_size = size_min(size_max(size, nested->pool_size * 2), POOL_BYTES_MAX);
        nested->pool = xmalloc(nested->pool_size);
    }
    if (size > nested->pool_size || !yyjson_alc_pool_init(&allocator, nested->pool, nested->pool_size))
        return yyjson_read_opts((char *)(uintptr_t)text.data, text.size, YYJSON_READ_NUMBER_AS_RAW, NULL, problem);
    /* Without YYJSON_READ_INSITU the text is only read. */
    return yyjson_read_opts((char *)(uintptr_t)text.data, text.size, YYJSON_READ_NUMBER_AS_RAW, &allocator, problem);
}

static enum convert_status plain_reason(struct nested *nested, const char *reason, const char **reason_out)
{
    snprintf(nested->reason, sizeof(nested->reason), "%s", reason);
    *reason_out = nested->reason;
    return CONVERT_FAILED;
}

static enum convert_status encode(struct nested *nested, struct arena *arena, const struct mc_type *type,
                                  const struct record_value *value, struct wire_nested *value_out, const char **reason_out)
{
    buffer_clear(&nested->wire);
    buffer_clear(&nested->summed);
    record_append_value(&nested->wire, &nested->summed, type, value);
    if (nested->wire.size > TEXT_BYTES_MAX)
        return plain_reason(nested, "and what follows has more than 8 MiB, the most that one value may have", reason_out);
    value_out->wire = arena_try_copy(arena, buffer_str(&nested->wire));
    value_out->summed = arena_try_copy(arena, buffer_str(&nested->summed));
    return value_out->wire.data && value_out->summed.data ? CONVERT_OK : CONVERT_FULL;
}

enum convert_status nested_convert(struct nested *nested, struct arena *arena, const struct mc_type *type, struct str text,
                                   struct wire_nested *value_out, const char **reason_out)
{
    yyjson_read_err problem = {0};
    enum convert_status status;
    struct record_value value;
    yyjson_doc *document;

    *value_out = (struct wire_nested){STR_NONE, STR_NONE};
    if (!text.size) {
        if (nested->convert->empty_as_null)
            return CONVERT_NULL;
        return plain_reason(nested, "is no value of this type (empty_as_null makes it NULL)", reason_out);
    }
    document = read_document(nested, text, &problem);
    if (!document)
        return problem.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? CONVERT_FULL
                                                                   : plain_reason(nested, "is not valid JSON", reason_out);
    arena_clear(&nested->tree);
    if (yyjson_doc_get_val_count(document) > NESTED_VALUES_MAX) {
        snprintf(nested->reason, sizeof(nested->reason), "holds more than %d values", NESTED_VALUES_MAX);
        *reason_out = nested->reason;
        status = CONVERT_FAILED;
        goto out;
    }
    status = take(nested, type, yyjson_doc_get_root(document), &value);
    /* A tree that is large is the value's fault; else the machine has no memory, and no row is to blame. */
    if (status == CONVERT_FULL && nested->tree.bytes > TREE_BYTES_MAX / 2)
        status = plain_reason(nested, "holds more than fits into the memory for one value", reason_out);
    else if (status == CONVERT_FAILED) {
        snprintf(nested->reason, sizeof(nested->reason), "%s: %s at $%s", nested->what, nested->excerpt, nested->path);
        *reason_out = nested->reason;
    } else if (status == CONVERT_OK)
        status = encode(nested, arena, type, &value, value_out, reason_out);
out:
    yyjson_doc_free(document);
    return status;
}
