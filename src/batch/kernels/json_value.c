/* json_value.c: one value of a document into one cell of a column, and what is said when it does not suit. A text without escapes
 * stays where it is, in the message; numbers are taken as yyjson read them, or from their text. */
#include "batch/kernels/json_extractor.h"

#include "batch/decimal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { EXCERPT_BYTES = 60 };

const char *json_value_name(yyjson_val *value)
{
    switch (unsafe_yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL: return "null";
    case YYJSON_TYPE_BOOL: return "a boolean";
    case YYJSON_TYPE_RAW:
    case YYJSON_TYPE_NUM: return "a number";
    case YYJSON_TYPE_STR: return "a string";
    case YYJSON_TYPE_ARR: return "an array";
    default: return "an object";
    }
}

/* The beginning of a scalar as JSON shows it, for reasons; nothing for arrays and objects. */
static const char *value_excerpt(yyjson_val *value, char text[128])
{
    struct str whole;
    size_t size;

    text[0] = '\0';
    switch (unsafe_yyjson_get_type(value)) {
    case YYJSON_TYPE_BOOL: return unsafe_yyjson_get_bool(value) ? ": true" : ": false";
    case YYJSON_TYPE_NUM:
        if (unsafe_yyjson_is_real(value))
            snprintf(text, 128, ": %.17g", unsafe_yyjson_get_real(value));
        else if (unsafe_yyjson_is_uint(value))
            snprintf(text, 128, ": %llu", (unsigned long long)unsafe_yyjson_get_uint(value));
        else
            snprintf(text, 128, ": %lld", (long long)unsafe_yyjson_get_sint(value));
        return text;
    case YYJSON_TYPE_RAW:
    case YYJSON_TYPE_STR: break;
    default: return text;
    }
    whole = str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value));
    size = size_min(whole.size, EXCERPT_BYTES);
    while (size < whole.size && size && ((unsigned char)whole.data[size] & 0xC0) == 0x80)
        size--;
    if (unsafe_yyjson_get_type(value) == YYJSON_TYPE_RAW)
        snprintf(text, 128, ": %.*s%s", (int)size, whole.data, size < whole.size ? "..." : "");
    else
        snprintf(text, 128, ": \"%.*s%s\"", (int)size, whole.data, size < whole.size ? "..." : "");
    return text;
}

/* The row cannot be handled. Rows of elements do not exist yet: what is said of them waits. */
void json_row_fail(struct json_extractor *x, struct str column, const char *format, ...)
{
    struct arena *arena = &x->batch->arena;
    struct json_pending *pending;
    char reason[400];
    va_list arguments;

    x->row_failed = true;
    if (x->quiet)
        return;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (!x->in_element) {
        batch_fail(x->batch, x->row, column, "%s", reason);
        return;
    }
    pending = arena_try_alloc(arena, sizeof(*pending));
    if (!pending) {
        x->full = true;
        return;
    }
    *pending = (struct json_pending){.row = x->row, .column = column, .reason = arena_try_copy(arena, str_of(reason))};
    x->full |= !pending->reason.data;
    *x->pending_tail = pending;
    x->pending_tail = &pending->next;
}

void json_cell_null(struct json_extractor *x, struct json_spec *spec)
{
    if (!column_try_nullable(&x->batch->arena, spec->column))
        x->full = true;
    else
        spec->column->null[x->row] = 1;
}

/* The value does not suit the column: NULL where the stage says so and the column may be NULL, else the row fails. */
static void PRINTF_LIKE(3, 4) cell_fail(struct json_extractor *x, struct json_spec *spec, const char *format, ...)
{
    char reason[400];
    va_list arguments;

    if (x->batch->when_error == WHEN_ERROR_NULL && !spec->required) {
        json_cell_null(x, spec);
        return;
    }
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    json_row_fail(x, spec->name, "%s", reason);
}

static void cell_wrong_type(struct json_extractor *x, struct json_spec *spec, yyjson_val *value)
{
    char name[TYPE_NAME_MAX], excerpt[128];

    cell_fail(x, spec, "%s cannot be %s %s%s", json_value_name(value),
              strchr("aeiou", type_print(spec->type, name)[0]) ? "an" : "a", name, value_excerpt(value, excerpt));
}

static void cell_bad_value(struct json_extractor *x, struct json_spec *spec, yyjson_val *value, const char *why)
{
    char excerpt[128];

    cell_fail(x, spec, "%s%s", why, value_excerpt(value, excerpt));
}

enum number_status { NUMBER_OK, NUMBER_FRACTION, NUMBER_RANGE, NUMBER_SYNTAX };

/* Of a number's text: sign and digits only. */
static enum number_status parse_bigint(struct str text, int64_t *value_out)
{
    bool negative = text.size && text.data[0] == '-';
    uint64_t value = 0;
    size_t i = negative;

    if (i == text.size)
        return NUMBER_SYNTAX;
    /* Eighteen digits fit whatever they are. */
    for (size_t end = size_min(text.size, 18); i < end && (unsigned)(unsigned char)text.data[i] - '0' <= 9; i++)
        value = value * 10 + ((unsigned char)text.data[i] - '0');
    for (; i < text.size; i++) {
        unsigned digit = (unsigned char)text.data[i] - '0';

        if (digit > 9)
            return strchr(".eE", text.data[i]) && text.data[i] ? NUMBER_FRACTION : NUMBER_SYNTAX;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value)) {
            while (i < text.size && (unsigned)(unsigned char)text.data[i] - '0' <= 9)
                i++;
            return i == text.size ? NUMBER_RANGE : NUMBER_FRACTION;
        }
    }
    if (value > (uint64_t)INT64_MAX + negative)
        return NUMBER_RANGE;
    *value_out = negative ? (int64_t)-value : (int64_t)value;
    return NUMBER_OK;
}

static enum number_status value_bigint(yyjson_val *value, int64_t *value_out)
{
    if (unsafe_yyjson_is_raw(value))
        return parse_bigint(str_make(unsafe_yyjson_get_raw(value), unsafe_yyjson_get_len(value)), value_out);
    if (unsafe_yyjson_is_real(value))
        return NUMBER_FRACTION;
    if (unsafe_yyjson_is_uint(value) && unsafe_yyjson_get_uint(value) > INT64_MAX)
        return NUMBER_RANGE;
    *value_out = unsafe_yyjson_get_sint(value);
    return NUMBER_OK;
}

/* text is followed by a zero byte. */
static bool parse_double(const char *text, size_t size, double *value_out)
{
    yyjson_val value;
    const char *end = yyjson_read_number(text, &value, YYJSON_READ_NOFLAG, NULL, NULL);

    if (!end || end != text + size)
        return false;
    *value_out = unsafe_yyjson_get_num(&value);
    return isfinite(*value_out);
}

static bool value_double(yyjson_val *value, double *value_out)
{
    if (unsafe_yyjson_is_raw(value))
        return parse_double(unsafe_yyjson_get_raw(value), unsafe_yyjson_get_len(value), value_out);
    *value_out = unsafe_yyjson_get_num(value);
    return true;
}

/* NULL, or why not. */
const char *json_parse_instant(struct json_extractor *x, struct str text, enum type_kind kind, struct instant *instant_out)
{
    struct instant instant;
    bool has_offset;
    int32_t offset;

    if (!time_parse(text, &instant, &has_offset, &offset))
        return "not a date-time such as 2024-01-31 23:59:59";
    if (kind == TYPE_TIMESTAMP_NTZ) {
        if (has_offset)
            return "a timestamp_ntz takes no offset; use timestamp";
    } else if (has_offset) {
        instant.seconds -= offset;
    } else if (x->zone) {
        instant.seconds = zone_from_local(x->zone, &x->zone_cache, instant.seconds);
    } else {
        return "a date-time without an offset needs a time zone; name one in the job";
    }
    if (kind == TYPE_DATETIME && instant.nanos % 1000000)
        return "a datetime holds milliseconds; use timestamp";
    if (instant.seconds < time_seconds_min || instant.seconds > time_seconds_max)
        return "outside of the years 1 to 9999";
    *instant_out = instant;
    return NULL;
}

static const char *decimal_fault(enum decimal_status status)
{
    switch (status) {
    case DECIMAL_SCALE: return "more decimal places than the column has";
    case DECIMAL_PRECISION: return "more digits than the column has";
    default: return "not a number";
    }
}

static void store_text(struct json_extractor *x, struct json_spec *spec, yyjson_val *value)
{
    const char *data = unsafe_yyjson_get_str(value);
    size_t size = unsafe_yyjson_get_len(value);
    size_t offset = (size_t)(data - x->copy);
    struct str *cell = &spec->column->text[x->row];

    /* In situ reading writes a text over its own beginning, so a text without escapes has equal bytes at the same place. */
    if (LIKELY(memcmp(x->source.data + offset, data, size) == 0)) {
        *cell = str_make(x->source.data + offset, size);
        return;
    }
    *cell = arena_try_copy(&x->batch->arena, str_make(data, size));
    x->full |= !cell->data;
}

static void store_bigint(struct json_extractor *x, struct json_spec *spec, yyjson_val *value)
{
    switch (value_bigint(value, &spec->column->bigint[x->row])) {
    case NUMBER_OK: break;
    case NUMBER_RANGE: cell_bad_value(x, spec, value, "an integer beyond 64 bits"); break;
    default: cell_bad_value(x, spec, value, "a number with a fraction or an exponent cannot be a bigint"); break;
    }
}

static void store_binary(struct json_extractor *x, struct json_spec *spec, yyjson_val *value)
{
    struct str text = str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value));
    struct str *cell = &spec->column->text[x->row];
    char *bytes = arena_try_alloc(&x->batch->arena, text.size / 4 * 3);

    *cell = str_make(bytes, 0);
    if (!bytes)
        x->full = true;
    else if (!str_decode_base64(text, bytes, &cell->size))
        cell_bad_value(x, spec, value, "not base64");
}

static void store_collected(struct json_extractor *x, struct json_spec *spec, yyjson_val *value)
{
    if (!unsafe_yyjson_is_arr(value)) {
        char excerpt[128];

        cell_fail(x, spec, "%s stands where the path needs an array%s", json_value_name(value), value_excerpt(value, excerpt));
        return;
    }
    buffer_append_char(&x->text, '[');
    x->full |= !json_append_reached(&x->text, &x->written_alc, value,
                                    spec->path->steps + (spec->path->step_count - spec->tail_count - 1), spec->tail_count + 1);
    buffer_append_char(&x->text, ']');
    spec->column->text[x->row] = json_take_text(x);
}

void json_store(struct json_extractor *x, struct json_spec *spec)
{
    yyjson_val *value = spec->node->value;
    struct column *column = spec->column;
    uint32_t row = x->row;
    yyjson_type type;
    struct str text;

    if (UNLIKELY(!value)) {
        if (spec->has_default)
            memcpy((char *)column->data + row * type_size(spec->type.kind), &spec->default_value, type_size(spec->type.kind));
        else if (spec->required)
            json_row_fail(x, spec->name, "a required value is missing");
        else
            json_cell_null(x, spec);
        return;
    }
    type = unsafe_yyjson_get_type(value);
    if (UNLIKELY(type == YYJSON_TYPE_NULL)) {
        if (spec->required)
            json_row_fail(x, spec->name, "a required value is null");
        else
            json_cell_null(x, spec);
        return;
    }
    if (UNLIKELY(spec->collect)) {
        store_collected(x, spec, value);
        return;
    }
    switch (spec->type.kind) {
    case TYPE_STRING:
        if (type != YYJSON_TYPE_STR)
            break;
        store_text(x, spec, value);
        return;
    case TYPE_BIGINT:
        if (type != YYJSON_TYPE_NUM && type != YYJSON_TYPE_RAW)
            break;
        store_bigint(x, spec, value);
        return;
    case TYPE_DOUBLE:
        if (type != YYJSON_TYPE_NUM && type != YYJSON_TYPE_RAW)
            break;
        if (!value_double(value, &column->real[row]))
            cell_bad_value(x, spec, value, "a number beyond the range of a double");
        return;
    case TYPE_BOOLEAN:
        if (type != YYJSON_TYPE_BOOL)
            break;
        column->boolean[row] = unsafe_yyjson_get_bool(value);
        return;
    case TYPE_DECIMAL: {
        enum decimal_status status;

        if (type != YYJSON_TYPE_STR && type != YYJSON_TYPE_RAW)
            break;
        text = str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value));
        status = decimal_parse(text, spec->type, &column->decimal[row]);
        if (status != DECIMAL_OK)
            cell_bad_value(x, spec, value, decimal_fault(status));
        return;
    }
    case TYPE_DATE:
        if (type != YYJSON_TYPE_STR)
            break;
        if (!time_parse_date(str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value)), &column->date[row]))
            cell_bad_value(x, spec, value, "not a date such as 2024-01-31");
        return;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: {
        const char *why;

        if (type != YYJSON_TYPE_STR)
            break;
        text = str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value));
        why = json_parse_instant(x, text, spec->type.kind, &column->instant[row]);
        if (why)
            cell_bad_value(x, spec, value, why);
        return;
    }
    case TYPE_JSON:
        x->full |= !json_append_value(&x->text, &x->written_alc, value);
        column->text[row] = json_take_text(x);
        return;
    case TYPE_BINARY:
        if (type != YYJSON_TYPE_STR)
            break;
        store_binary(x, spec, value);
        return;
    case TYPE_NULL:
    case TYPE_KINDS: break;
    }
    cell_wrong_type(x, spec, value);
}

/* The default's text by the type's rules; NULL, or why not. */
const char *json_parse_default(struct json_extractor *x, struct json_spec *spec, struct str text)
{
    union type_value *cell = &spec->default_value;

    spec->default_memory = xmalloc(text.size + 1);
    if (text.size)
        memcpy(spec->default_memory, text.data, text.size);
    spec->default_memory[text.size] = '\0';
    text.data = spec->default_memory;
    switch (spec->type.kind) {
    case TYPE_BOOLEAN:
        if (!str_is(text, "true") && !str_is(text, "false"))
            return "a boolean is true or false";
        cell->boolean = text.data[0] == 't';
        return NULL;
    case TYPE_BIGINT: return parse_bigint(text, &cell->bigint) == NUMBER_OK ? NULL : "not an integer of 64 bits";
    case TYPE_DOUBLE: return parse_double(text.data, text.size, &cell->real) ? NULL : "not a number";
    case TYPE_DECIMAL: {
        enum decimal_status status = decimal_parse(text, spec->type, &cell->decimal);

        return status == DECIMAL_OK ? NULL : decimal_fault(status);
    }
    case TYPE_DATE: return time_parse_date(text, &cell->date) ? NULL : "not a date such as 2024-01-31";
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return json_parse_instant(x, text, spec->type.kind, &cell->instant);
    case TYPE_BINARY: {
        size_t size;

        if (!str_decode_base64(text, spec->default_memory, &size))
            return "not base64";
        cell->text = str_make(spec->default_memory, size);
        return NULL;
    }
    case TYPE_JSON: {
        yyjson_doc *doc = yyjson_read(text.data, text.size, YYJSON_READ_NUMBER_AS_RAW);

        if (!doc)
            return "not JSON text";
        yyjson_doc_free(doc);
        cell->text = text;
        return NULL;
    }
    case TYPE_STRING:
        cell->text = text;
        return str_is_utf8(text) ? NULL : "not UTF-8 text";
    case TYPE_NULL:
    case TYPE_KINDS: break;
    }
    return "the column has no type";
}
