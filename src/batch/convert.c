/* convert.c: a table of conversions, from type by to type, each for one row; an empty place is a conversion that is not offered.
 * Cost: columns that need no change of values are passed on or get a new head over the same values; the others cost one indirect
 * call a row. Text is made in the batch's arena. */
#include "batch/convert.h"

#include "batch/decimal.h"
#include "util/real.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

/* One conversion of a column. A function for a row returns NULL or, as the end of a sentence that begins with the value, why
 * not. */
struct work {
    struct convert *convert;
    struct arena *arena;
    const struct column *from;
    struct column *to;
    bool null; /* set by a row function: the result is NULL */
    bool full; /* the arena is, or the machine's memory */
};

typedef const char *row_function(struct work *work, uint32_t row);
typedef const char *text_function(struct work *work, uint32_t row, struct str text);

static const char no_zone[] = "has no offset from UTC, and the job names no time zone (set time_zone)";
static const char no_zone_instant[] = "needs a time zone to be shown as a local time, and the job names none (set time_zone)";
static const char out_of_years[] = "is outside of the years 1 to 9999";

/* --- text to values --- */

static const char *text_to_boolean(struct work *work, uint32_t row, struct str text)
{
    bool yes = str_is(text, "1") || str_equal_ignore_case(text, STR("true"));

    if (!yes && !str_is(text, "0") && !str_equal_ignore_case(text, STR("false")))
        return "is not a boolean (true, false, 1, 0)";
    work->to->boolean[row] = yes;
    return NULL;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *text_to_bigint(struct work *work, uint32_t row, struct str text)
{
    const char *p = text.data;
    const char *end = p + text.size;
    bool negative = text.size && *p == '-';
    int64_t value = 0;
    bool overflow = false;

    if (text.size && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return "is not a bigint";
    /* Downwards, for there is one negative number more than positive ones. */
    for (; p < end; p++) {
        if (!is_digit(*p))
            return "is not a bigint";
        overflow |= __builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, *p - '0', &value);
    }
    if (overflow || (!negative && value == INT64_MIN))
        return "is out of the range of bigint";
    work->to->bigint[row] = negative ? value : -value;
    return NULL;
}

/* Sign, digits, optional point and digits, optional exponent: what strtod takes beyond that (hexadecimal, blanks) is refused. */
static bool is_number(struct str text, bool *zero_out)
{
    const char *p = text.data;
    const char *end = p + text.size;
    const char *start;

    *zero_out = true;
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (start = p; p < end && is_digit(*p); p++)
        *zero_out &= *p == '0';
    if (p == start)
        return false;
    if (p < end && *p == '.') {
        for (start = ++p; p < end && is_digit(*p); p++)
            *zero_out &= *p == '0';
        if (p == start)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        for (start = p; p < end && is_digit(*p);)
            p++;
        if (p == start)
            return false;
    }
    return p == end;
}

static const char *text_to_double(struct work *work, uint32_t row, struct str text)
{
    char copy[512];
    bool zero;
    double value;

    if (str_is(text, "NaN")) {
        work->to->real[row] = (double)NAN;
        return NULL;
    }
    if (str_is(text, "Infinity") || str_is(text, "-Infinity")) {
        work->to->real[row] = text.data[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return NULL;
    }
    if (!is_number(text, &zero))
        return "is not a double";
    if (text.size >= sizeof(copy))
        return "has too many characters for a double (511 at most)";
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    value = strtod(copy, NULL); /* the process stays in the C locale */
    if (!isfinite(value) || (value == 0 && !zero))
        return "is out of the range of double";
    work->to->real[row] = value;
    return NULL;
}

static const char *decimal_reason(enum decimal_status status)
{
    switch (status) {
    case DECIMAL_OK: return NULL;
    case DECIMAL_SYNTAX: return "is not a decimal";
    case DECIMAL_SCALE: return "has more digits after the point than the decimal's scale";
    case DECIMAL_PRECISION: break;
    }
    return "has more digits before the point than the decimal holds";
}

static const char *text_to_decimal(struct work *work, uint32_t row, struct str text)
{
    return decimal_reason(decimal_parse(text, work->to->type, &work->to->decimal[row]));
}

static const char *text_to_string(struct work *work, uint32_t row, struct str text)
{
    if (!str_is_utf8(text))
        return "is not valid UTF-8";
    work->to->text[row] = text;
    return NULL;
}

static const char *text_to_date(struct work *work, uint32_t row, struct str text)
{
    return time_parse_date(text, &work->to->date[row]) ? NULL : "is not a date (YYYY-MM-DD)";
}

/* The range of years, and whole milliseconds where the type has no more. */
static const char *put_instant(struct work *work, uint32_t row, struct instant instant)
{
    if (instant.seconds < time_seconds_min || instant.seconds > time_seconds_max)
        return out_of_years;
    if (work->to->type.kind == TYPE_DATETIME && instant.nanos % 1000000 != 0)
        return "has more digits of a second than the three of a datetime";
    work->to->instant[row] = instant;
    return NULL;
}

static const char *text_to_instant(struct work *work, uint32_t row, struct str text)
{
    struct convert *convert = work->convert;
    struct instant instant;
    int32_t offset_seconds;
    bool has_offset;

    if (!time_parse(text, &instant, &has_offset, &offset_seconds))
        return "is not a date-time (YYYY-MM-DD HH:MM:SS)";
    if (work->to->type.kind == TYPE_TIMESTAMP_NTZ)
        return has_offset ? "has an offset from UTC, which a timestamp_ntz cannot keep" : put_instant(work, row, instant);
    if (has_offset)
        instant.seconds -= offset_seconds;
    else if (!convert->zone)
        return no_zone;
    else
        instant.seconds = zone_from_local(convert->zone, &convert->zone_cache, instant.seconds);
    return put_instant(work, row, instant);
}

/* Numbers stay text, so that those beyond a double are as valid as JSON says. NULL without memory is no judgement on the row. */
static yyjson_doc *read_json(struct work *work, struct str text)
{
    yyjson_read_err fault;
    yyjson_doc *document;

    if (!text.size)
        return NULL;
    document = yyjson_read_opts((char *)(uintptr_t)text.data, text.size, YYJSON_READ_NUMBER_AS_RAW, NULL, &fault);
    work->full |= !document && fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION;
    return document;
}

static const char *text_to_json(struct work *work, uint32_t row, struct str text)
{
    yyjson_doc *document = read_json(work, text);

    if (!document)
        return "is not valid JSON";
    yyjson_doc_free(document);
    work->to->text[row] = text;
    return NULL;
}

static text_function *const from_text[TYPE_KINDS] = {
    [TYPE_BOOLEAN] = text_to_boolean,   [TYPE_BIGINT] = text_to_bigint,       [TYPE_DOUBLE] = text_to_double,
    [TYPE_DECIMAL] = text_to_decimal,   [TYPE_DATE] = text_to_date,           [TYPE_DATETIME] = text_to_instant,
    [TYPE_TIMESTAMP] = text_to_instant, [TYPE_TIMESTAMP_NTZ] = text_to_instant, [TYPE_JSON] = text_to_json,
};

static const char *string_to_any(struct work *work, uint32_t row)
{
    struct str text = work->from->text[row];
    enum type_kind kind = work->to->type.kind;

    if (text.size == 0) {
        if (work->convert->empty_as_null) {
            work->null = true;
            return NULL;
        }
        return "is no value of this type (empty_as_null makes it NULL)";
    }
    return from_text[kind](work, row, text);
}

static const char *binary_to_string(struct work *work, uint32_t row)
{
    return text_to_string(work, row, work->from->text[row]);
}

static const char *base64_to_binary(struct work *work, uint32_t row, struct str text)
{
    struct str *bytes = &work->to->text[row];
    char *room = arena_try_alloc(work->arena, text.size / 4 * 3);

    *bytes = str_make(room, 0);
    work->full |= !room;
    return !room || str_decode_base64(text, room, &bytes->size) ? NULL : "is not base64";
}

/* A part of a document as JSON text, its numbers with the digits that they came with. */
static const char *value_to_json(struct work *work, uint32_t row, yyjson_val *value)
{
    size_t size = 0;
    char *written = yyjson_val_write(value, YYJSON_WRITE_NOFLAG, &size);

    work->to->text[row] = written ? arena_try_copy(work->arena, str_make(written, size)) : STR_NONE;
    work->full |= !work->to->text[row].data;
    free(written);
    return NULL;
}

/* Only scalars of the matching kind: numbers for numbers, true and false for boolean, strings for texts, times, base64 and (as in
 * the json stage) for decimals. A JSON null is NULL. Numbers come as their text. */
static const char *value_to_any(struct work *work, uint32_t row, yyjson_val *value)
{
    enum type_kind kind = work->to->type.kind;
    bool number = kind == TYPE_BIGINT || kind == TYPE_DOUBLE || kind == TYPE_DECIMAL;
    struct str text = str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value));

    if (yyjson_is_null(value)) {
        work->null = true;
        return NULL;
    }
    if (kind == TYPE_JSON)
        return value_to_json(work, row, value);
    if (yyjson_is_bool(value) && kind == TYPE_BOOLEAN) {
        work->to->boolean[row] = yyjson_get_bool(value);
        return NULL;
    }
    if (yyjson_is_raw(value) && number)
        return from_text[kind](work, row, text);
    if (yyjson_is_str(value) && (kind == TYPE_DATE || type_is_instant(kind) || kind == TYPE_DECIMAL))
        return from_text[kind](work, row, text);
    if (yyjson_is_str(value) && kind == TYPE_BINARY)
        return base64_to_binary(work, row, text);
    if (yyjson_is_str(value) && kind == TYPE_STRING) {
        work->to->text[row] = text; /* the reader of the document has looked at the UTF-8 */
        return NULL;
    }
    return "is not a JSON value of the matching kind";
}

static const char *json_to_any(struct work *work, uint32_t row)
{
    struct str json = work->from->text[row];
    yyjson_doc *document = read_json(work, json);
    const char *reason = document ? value_to_any(work, row, yyjson_doc_get_root(document)) : "is not valid JSON";

    yyjson_doc_free(document);
    return reason;
}

static enum convert_status status_of(const struct work *work, const char *reason, const char **reason_out)
{
    *reason_out = reason;
    if (work->full)
        return CONVERT_FULL;
    return reason ? CONVERT_FAILED : work->null ? CONVERT_NULL : CONVERT_OK;
}

enum convert_status convert_json(struct convert *convert, struct arena *arena, struct yyjson_val *value, struct type to,
                                 void *cell, const char **reason_out)
{
    struct column column = {.type = to, .rows = 1, .data = cell};
    struct work work = {.convert = convert, .arena = arena, .to = &column};

    return status_of(&work, value_to_any(&work, 0, value), reason_out);
}

enum convert_status convert_text(struct convert *convert, struct arena *arena, struct str text, struct type to, void *cell,
                                 const char **reason_out)
{
    struct column from = {.type = TYPE_OF(TYPE_STRING), .rows = 1, .text = &text};
    struct column column = {.type = to, .rows = 1, .data = cell};
    struct work work = {.convert = convert, .arena = arena, .from = &from, .to = &column};

    if (to.kind == TYPE_STRING || to.kind == TYPE_BINARY) {
        column.text[0] = text;
        return CONVERT_OK;
    }
    return status_of(&work, string_to_any(&work, 0), reason_out);
}

/* --- values to text --- */

static const char *any_to_string(struct work *work, uint32_t row)
{
    const struct column *from = work->from;
    struct convert *convert = work->convert;
    char text[64];
    size_t size = 0;

    switch (from->type.kind) {
    case TYPE_BOOLEAN:
        work->to->text[row] = from->boolean[row] ? STR("true") : STR("false");
        return NULL;
    case TYPE_BIGINT:
        size = (size_t)snprintf(text, sizeof(text), "%lld", (long long)from->bigint[row]);
        break;
    case TYPE_DOUBLE: size = real_print(from->real[row], text); break;
    case TYPE_DECIMAL: size = decimal_print(from->decimal[row], from->type.scale, text); break;
    case TYPE_DATE: size = time_print_date(from->date[row], text); break;
    default: {
        struct instant local = from->instant[row];

        if (from->type.kind != TYPE_TIMESTAMP_NTZ) {
            if (!convert->zone)
                return no_zone_instant;
            local.seconds = zone_to_local(convert->zone, &convert->zone_cache, local.seconds);
        }
        if (local.seconds < time_seconds_min || local.seconds > time_seconds_max)
            return out_of_years;
        size = time_print(local, text);
    }
    }
    work->to->text[row] = arena_try_copy(work->arena, str_make(text, size));
    work->full |= !work->to->text[row].data;
    return NULL;
}

/* --- numbers --- */

static const char *bigint_to_double(struct work *work, uint32_t row)
{
    int64_t value = work->from->bigint[row];
    double real = (double)value;

    /* 2^63 itself is what the largest values round to; it has no bigint to compare with. */
    if (real >= 0x1p63 || (int64_t)real != value)
        return "has more digits than a double can hold exactly";
    work->to->real[row] = real;
    return NULL;
}

static const char *double_to_bigint(struct work *work, uint32_t row)
{
    double real = work->from->real[row];

    if (!(real >= -0x1p63 && real < 0x1p63))
        return "is out of the range of bigint";
    if (real != trunc(real))
        return "is not a whole number";
    work->to->bigint[row] = (int64_t)real;
    return NULL;
}

/* Value at a scale to the target's decimal. */
static const char *put_decimal(struct work *work, uint32_t row, int128 value, unsigned scale)
{
    struct type type = work->to->type;
    enum decimal_status status = decimal_rescale(value, scale, type.scale, &work->to->decimal[row]);

    if (status == DECIMAL_OK && !decimal_fits(work->to->decimal[row], type.precision))
        status = DECIMAL_PRECISION;
    return decimal_reason(status);
}

static const char *bigint_to_decimal(struct work *work, uint32_t row)
{
    return put_decimal(work, row, work->from->bigint[row], 0);
}

static const char *decimal_to_decimal(struct work *work, uint32_t row)
{
    return put_decimal(work, row, work->from->decimal[row], work->from->type.scale);
}

static const char *double_to_decimal(struct work *work, uint32_t row)
{
    return decimal_reason(decimal_from_double(work->from->real[row], work->to->type, &work->to->decimal[row]));
}

static const char *decimal_to_bigint(struct work *work, uint32_t row)
{
    int128 value;

    if (decimal_rescale(work->from->decimal[row], work->from->type.scale, 0, &value) != DECIMAL_OK)
        return "is not a whole number";
    if (value < INT64_MIN || value > INT64_MAX)
        return "is out of the range of bigint";
    work->to->bigint[row] = (int64_t)value;
    return NULL;
}

/* The nearest double, provided that its shortest text is the same number again: 0.1 passes, twenty digits do not. */
static const char *decimal_to_double_exact(struct work *work, uint32_t row)
{
    int128 value = work->from->decimal[row], back;
    struct type type = type_decimal(DECIMAL_DIGITS_MAX, work->from->type.scale);
    double real = decimal_to_double(value, type.scale);

    if (decimal_from_double(real, type, &back) != DECIMAL_OK || back != value)
        return "has more digits than a double can hold";
    work->to->real[row] = real;
    return NULL;
}

/* --- times --- */

/* An instant to the target's kind; local: the source is a timestamp_ntz. */
static const char *put_time(struct work *work, uint32_t row, struct instant instant, bool local)
{
    struct convert *convert = work->convert;
    enum type_kind kind = work->to->type.kind;
    bool to_local = kind == TYPE_TIMESTAMP_NTZ || kind == TYPE_DATE;

    if (local != to_local) {
        if (!convert->zone)
            return local ? no_zone : no_zone_instant;
        instant.seconds = local ? zone_from_local(convert->zone, &convert->zone_cache, instant.seconds)
                                : zone_to_local(convert->zone, &convert->zone_cache, instant.seconds);
    }
    if (kind != TYPE_DATE)
        return put_instant(work, row, instant);
    if (instant.seconds < time_seconds_min || instant.seconds > time_seconds_max)
        return out_of_years;
    if (instant.nanos || instant.seconds % 86400 != 0)
        return "has a time of day, which a date cannot keep";
    work->to->date[row] = (int32_t)(instant.seconds / 86400);
    return NULL;
}

static const char *bigint_to_instant(struct work *work, uint32_t row)
{
    int64_t ms = work->from->bigint[row];
    int64_t seconds = ms / 1000;
    int32_t rest = (int32_t)(ms % 1000);

    if (rest < 0) {
        rest += 1000;
        seconds--;
    }
    if (seconds < time_seconds_min || seconds > time_seconds_max)
        return "(epoch milliseconds) is outside of the years 1 to 9999";
    return put_time(work, row, (struct instant){seconds, rest * 1000000}, false);
}

static const char *instant_to_time(struct work *work, uint32_t row)
{
    return put_time(work, row, work->from->instant[row], work->from->type.kind == TYPE_TIMESTAMP_NTZ);
}

static const char *date_to_instant(struct work *work, uint32_t row)
{
    return put_time(work, row, (struct instant){(int64_t)work->from->date[row] * 86400, 0}, true);
}

/* --- columns --- */

static row_function *const functions[TYPE_KINDS][TYPE_KINDS] = {
    [TYPE_BOOLEAN] = {[TYPE_STRING] = any_to_string},
    [TYPE_BIGINT] = {[TYPE_STRING] = any_to_string, [TYPE_DOUBLE] = bigint_to_double, [TYPE_DECIMAL] = bigint_to_decimal,
                     [TYPE_DATETIME] = bigint_to_instant, [TYPE_TIMESTAMP] = bigint_to_instant,
                     [TYPE_TIMESTAMP_NTZ] = bigint_to_instant},
    [TYPE_DOUBLE] = {[TYPE_STRING] = any_to_string, [TYPE_BIGINT] = double_to_bigint, [TYPE_DECIMAL] = double_to_decimal},
    [TYPE_DECIMAL] = {[TYPE_STRING] = any_to_string, [TYPE_BIGINT] = decimal_to_bigint, [TYPE_DOUBLE] = decimal_to_double_exact,
                      [TYPE_DECIMAL] = decimal_to_decimal},
    [TYPE_STRING] = {[TYPE_BOOLEAN] = string_to_any, [TYPE_BIGINT] = string_to_any, [TYPE_DOUBLE] = string_to_any,
                     [TYPE_DECIMAL] = string_to_any, [TYPE_DATE] = string_to_any, [TYPE_DATETIME] = string_to_any,
                     [TYPE_TIMESTAMP] = string_to_any, [TYPE_TIMESTAMP_NTZ] = string_to_any, [TYPE_JSON] = string_to_any},
    [TYPE_BINARY] = {[TYPE_STRING] = binary_to_string},
    [TYPE_DATE] = {[TYPE_STRING] = any_to_string, [TYPE_DATETIME] = date_to_instant, [TYPE_TIMESTAMP] = date_to_instant,
                   [TYPE_TIMESTAMP_NTZ] = date_to_instant},
    [TYPE_DATETIME] = {[TYPE_STRING] = any_to_string, [TYPE_DATE] = instant_to_time, [TYPE_TIMESTAMP_NTZ] = instant_to_time},
    [TYPE_TIMESTAMP] = {[TYPE_STRING] = any_to_string, [TYPE_DATE] = instant_to_time, [TYPE_DATETIME] = instant_to_time,
                        [TYPE_TIMESTAMP_NTZ] = instant_to_time},
    [TYPE_TIMESTAMP_NTZ] = {[TYPE_STRING] = any_to_string, [TYPE_DATE] = instant_to_time, [TYPE_DATETIME] = instant_to_time,
                            [TYPE_TIMESTAMP] = instant_to_time},
    [TYPE_JSON] = {[TYPE_BOOLEAN] = json_to_any, [TYPE_BIGINT] = json_to_any, [TYPE_DOUBLE] = json_to_any,
                   [TYPE_DECIMAL] = json_to_any, [TYPE_BINARY] = json_to_any, [TYPE_DATE] = json_to_any,
                   [TYPE_DATETIME] = json_to_any,
                   [TYPE_TIMESTAMP] = json_to_any, [TYPE_TIMESTAMP_NTZ] = json_to_any},
};

/* Whether every value of one type is a value of the other as it stands in memory. JSON becomes a string as its text. */
static bool same_values(struct type from, struct type to)
{
    if (from.kind == TYPE_DECIMAL && to.kind == TYPE_DECIMAL)
        return from.scale == to.scale && from.precision <= to.precision;
    return from.kind == to.kind || (from.kind == TYPE_DATETIME && to.kind == TYPE_TIMESTAMP) ||
           (from.kind == TYPE_STRING && to.kind == TYPE_BINARY) || (from.kind == TYPE_JSON && to.kind == TYPE_STRING);
}

bool convert_possible(struct type from, struct type to, struct error *error)
{
    char from_name[TYPE_NAME_MAX], to_name[TYPE_NAME_MAX];
    const char *advice = "make a column of the right type in a stage before it";

    if (to.kind != TYPE_NULL && (from.kind == TYPE_NULL || same_values(from, to) || functions[from.kind][to.kind]))
        return true;
    if (to.kind == TYPE_JSON)
        advice = "only string converts to json";
    else if (from.kind == TYPE_BINARY)
        advice = "binary converts to string only";
    else if (to.kind == TYPE_DATE && from.kind == TYPE_BIGINT)
        advice = "epoch milliseconds convert to datetime and timestamp; a date needs a stage that says in which time zone";
    else if (to.kind == TYPE_BOOLEAN)
        advice = "compare it in a stage: amount != 0 in an expression, column:ne(0) in Lua";
    else if (to.kind == TYPE_BIGINT && (type_is_instant(from.kind) || from.kind == TYPE_DATE))
        advice = "epoch_ms and unix_timestamp give its milliseconds and seconds since 1970, in a stage before it";
    return error_set(error, ERROR_CONFIG, "%s does not convert to %s: %s", type_print(from, from_name), type_print(to, to_name),
                     advice);
}

bool convert_needs_zone(struct type from, struct type to)
{
    bool from_point = from.kind == TYPE_DATETIME || from.kind == TYPE_TIMESTAMP;
    bool to_point = to.kind == TYPE_DATETIME || to.kind == TYPE_TIMESTAMP;

    if (from_point)
        return to.kind == TYPE_STRING || to.kind == TYPE_TIMESTAMP_NTZ || to.kind == TYPE_DATE;
    if (from.kind == TYPE_BIGINT)
        return to.kind == TYPE_TIMESTAMP_NTZ;
    return to_point && (from.kind == TYPE_DATE || from.kind == TYPE_TIMESTAMP_NTZ);
}

/* Another type over the same values. */
static struct column *column_with_type(struct arena *arena, const struct column *column, struct type type)
{
    struct column *head = arena_try_alloc(arena, sizeof(*head));

    if (head) {
        *head = *column;
        head->type = type;
    }
    return head;
}

struct column *convert_column(struct convert *convert, struct batch *batch, struct column *column, struct type to,
                              struct str name, bool null_on_error)
{
    struct work work = {.convert = convert, .arena = &batch->arena, .from = column};
    size_t size = type_size(to.kind);
    row_function *function;

    if (type_equal(column->type, to))
        return column;
    if (same_values(column->type, to))
        return column_with_type(&batch->arena, column, to);
    assert(to.kind != TYPE_NULL);
    work.to = column_try_new(&batch->arena, to, column->rows, column->type.kind == TYPE_NULL || column->null != NULL);
    if (!work.to)
        return NULL;
    if (column->type.kind == TYPE_NULL) {
        memset(work.to->null, 1, column->rows);
        memset(work.to->data, 0, column->rows * size);
        return work.to;
    }
    if (column->null)
        memcpy(work.to->null, column->null, column->rows);
    function = functions[column->type.kind][to.kind];
    assert(function); /* convert_possible said so */
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *reason;

        if ((column->null && column->null[row]) || batch_row_gone(batch, row)) {
            memset((char *)work.to->data + row * size, 0, size);
            continue;
        }
        reason = function(&work, row);
        if (UNLIKELY(work.full))
            return NULL;
        if (LIKELY(!reason && !work.null))
            continue;
        memset((char *)work.to->data + row * size, 0, size);
        if (reason && !null_on_error) {
            char excerpt[128], type_name[TYPE_NAME_MAX];
            struct str text = convert_excerpt(column, row, excerpt);

            batch_fail(batch, row, name, "%.*s %s, for type %s", STR_ARG(text), reason, type_print(to, type_name));
        } else {
            if (!column_try_nullable(&batch->arena, work.to))
                return NULL;
            work.to->null[row] = 1;
        }
        work.null = false;
    }
    return work.to;
}

/* --- excerpts --- */

/* At most 60 bytes of the text in quotes; what is not printable UTF-8 is written as \xNN. */
static size_t excerpt_text(struct str value, char text[128])
{
    size_t size = 0;

    text[size++] = '"';
    for (size_t i = 0; i < value.size;) {
        unsigned char c = (unsigned char)value.data[i];
        size_t width = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

        if (i + width > 60 || size > 110) {
            memcpy(text + size, "\"...", 4);
            return size + 4;
        }
        if (c >= 0x20 && c != 0x7F && i + width <= value.size && str_is_utf8(str_make(value.data + i, width))) {
            memcpy(text + size, value.data + i, width);
            size += width;
            i += width;
        } else {
            size += (size_t)snprintf(text + size, 5, "\\x%02x", c);
            i++;
        }
    }
    text[size++] = '"';
    return size;
}

struct str convert_excerpt(const struct column *column, uint32_t row, char text[128])
{
    size_t size = 0;

    if (column_is_null(column, row))
        return STR("NULL");
    switch (column->type.kind) {
    case TYPE_BOOLEAN: return column->boolean[row] ? STR("true") : STR("false");
    case TYPE_BIGINT: size = (size_t)snprintf(text, 128, "%lld", (long long)column->bigint[row]); break;
    case TYPE_DOUBLE: size = real_print(column->real[row], text); break;
    case TYPE_DECIMAL: size = decimal_print(column->decimal[row], column->type.scale, text); break;
    case TYPE_STRING:
    case TYPE_JSON: size = excerpt_text(column->text[row], text); break;
    case TYPE_BINARY: {
        struct str bytes = column->text[row];

        size = (size_t)snprintf(text, 128, "0x");
        for (size_t i = 0; i < bytes.size && i < 30; i++)
            size += (size_t)snprintf(text + size, 3, "%02x", (unsigned char)bytes.data[i]);
        if (bytes.size > 30)
            size += (size_t)snprintf(text + size, 4, "...");
        break;
    }
    case TYPE_DATE: size = time_print_date(column->date[row], text); break;
    default:
        size = time_print(column->instant[row], text);
        if (column->type.kind != TYPE_TIMESTAMP_NTZ)
            text[size++] = 'Z';
    }
    return str_make(text, size);
}
