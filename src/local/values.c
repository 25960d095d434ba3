/* values.c: times are printed and parsed by batch/time.h, decimals by batch/decimal.h. Binding costs a copy only where a text has
 * to be made (dates, times, decimals), and none for strings. */
#include "local/values.h"
#include "batch/decimal.h"
#include "batch/time.h"
#include "yyjson.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Legacy DECIMAL has 36 digits, 18 of them behind the point. */
static struct type decimal_type(const struct mc_type *type)
{
    return type->precision ? type_decimal((uint8_t)type->precision, (uint8_t)type->scale) : type_decimal(36, 18);
}

static size_t utf8_length(struct str text)
{
    size_t length = 0;

    for (size_t i = 0; i < text.size; i++)
        length += (text.data[i] & 0xC0) != 0x80;
    return length;
}

static bool range_check(const struct mc_column *column, int64_t value, int64_t min, int64_t max, struct error *error)
{
    if (value >= min && value <= max)
        return true;
    return error_set(error, ERROR_DATA, "column %s: a value is outside of the type's range", column->name);
}

static struct instant instant_of_ms(int64_t ms)
{
    int64_t rest = ms % 1000;
    struct instant instant = {ms / 1000, 0};

    if (rest < 0) {
        rest += 1000;
        instant.seconds--;
    }
    instant.nanos = (int32_t)rest * 1000000;
    return instant;
}

static bool text_check(const struct mc_column *column, struct str text, size_t length_max, struct error *error)
{
    if (!str_is_utf8(text))
        return error_set(error, ERROR_DATA, "column %s: a text is not UTF-8", column->name);
    if (length_max && utf8_length(text) > length_max)
        return error_set(error, ERROR_DATA, "column %s: a text is longer than the %zu characters of the type", column->name,
                         length_max);
    return true;
}

static bool bytes_check(const struct mc_column *column, struct str bytes, struct error *error)
{
    int128 decimal;
    yyjson_doc *document;

    if (bytes.size > FIELD_BYTES_MAX)
        return error_set(error, ERROR_DATA, "column %s: a value is larger than 8 MiB", column->name);
    switch (column->type.kind) {
    case MC_STRING:
        return text_check(column, bytes, 0, error);
    case MC_VARCHAR:
    case MC_CHAR:
        return text_check(column, bytes, column->type.precision, error);
    case MC_JSON:
        if (!text_check(column, bytes, 0, error))
            return false;
        document = yyjson_read(bytes.data, bytes.size, YYJSON_READ_ALLOW_INF_AND_NAN);
        yyjson_doc_free(document);
        return document || error_set(error, ERROR_DATA, "column %s: a text is not JSON", column->name);
    case MC_DECIMAL:
        if (decimal_parse(bytes, decimal_type(&column->type), &decimal) != DECIMAL_OK)
            return error_set(error, ERROR_DATA, "column %s: a value is no decimal or has more digits than the type",
                             column->name);
        return true;
    default:
        return true;
    }
}

/* What stands inside of an array, a map or a struct is held to its own type; an error names the column. */
static bool nested_check(const struct mc_column *column, const struct record_value *value, struct error *error)
{
    size_t keys = column->type.kind == MC_MAP ? value->count / 2 : 0;

    for (size_t i = 0; i < value->count; i++) {
        size_t child = column->type.kind == MC_STRUCT ? i : column->type.kind == MC_MAP && i >= keys;
        struct mc_column item = {.name = column->name, .type = column->type.children[child]};

        if (i < keys && value->items[i].null)
            return error_set(error, ERROR_DATA, "column %s: a map has a key that is NULL", column->name);
        if (!value_check(&item, &value->items[i], error))
            return false;
    }
    return true;
}

bool value_check(const struct mc_column *column, const struct record_value *value, struct error *error)
{
    if (value->null) {
        if (column->not_null)
            return error_set(error, ERROR_DATA, "column %s is not nullable", column->name);
        return true;
    }
    switch (column->type.kind) {
    case MC_TINYINT:
        return range_check(column, value->integer, INT8_MIN, INT8_MAX, error);
    case MC_SMALLINT:
        return range_check(column, value->integer, INT16_MIN, INT16_MAX, error);
    case MC_INT:
        return range_check(column, value->integer, INT32_MIN, INT32_MAX, error);
    case MC_BIGINT:
        return range_check(column, value->integer, -INT64_MAX, INT64_MAX, error);
    case MC_BOOLEAN:
        return range_check(column, value->integer, 0, 1, error);
    case MC_DATE:
        return range_check(column, value->integer, time_days_min, time_days_max, error);
    case MC_DATETIME:
        return range_check(column, instant_of_ms(value->integer).seconds, time_seconds_min, time_seconds_max, error);
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
        return range_check(column, value->integer, time_seconds_min, time_seconds_max, error) &&
               range_check(column, value->nanos, 0, 999999999, error);
    case MC_INTERVAL_DAY_TIME:
        return range_check(column, value->nanos, -999999999, 999999999, error);
    case MC_STRING:
    case MC_VARCHAR:
    case MC_CHAR:
    case MC_BINARY:
    case MC_JSON:
    case MC_DECIMAL:
        return bytes_check(column, value->bytes, error);
    case MC_ARRAY:
    case MC_MAP:
    case MC_STRUCT:
        return nested_check(column, value, error);
    default:
        return true;
    }
}

const char *value_affinity(enum mc_kind kind)
{
    switch (kind) {
    case MC_TINYINT:
    case MC_SMALLINT:
    case MC_INT:
    case MC_BIGINT:
    case MC_BOOLEAN:
    case MC_INTERVAL_YEAR_MONTH:
        return "INTEGER";
    case MC_FLOAT:
    case MC_DOUBLE:
        return "REAL";
    case MC_BINARY:
    case MC_ARRAY:
    case MC_MAP:
    case MC_STRUCT:
        return "BLOB";
    default:
        return "TEXT";
    }
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text, size_t size)
{
    sqlite3_bind_text64(statement, index, text, size, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void bind_decimal(sqlite3_stmt *statement, int index, const struct mc_type *type, struct str bytes)
{
    struct type decimal = decimal_type(type);
    char text[DECIMAL_TEXT_MAX];
    int128 value = 0;
    size_t size;

    if (decimal_parse(bytes, decimal, &value) != DECIMAL_OK) {
        sqlite3_bind_null(statement, index);
        return;
    }
    size = decimal_print(value, decimal.scale, text);
    /* Legacy decimals have no scale of their own: the digits that say nothing are left away. */
    if (!type->precision && memchr(text, '.', size)) {
        while (size && text[size - 1] == '0')
            size--;
        if (size && text[size - 1] == '.')
            size--;
    }
    bind_text(statement, index, text, size);
}

static void bind_nested(sqlite3_stmt *statement, int index, const struct mc_column *column, const struct record_value *value)
{
    struct mc_schema schema = {.columns = (struct mc_column *)(uintptr_t)column, .column_count = 1};
    struct buffer records, crcs;

    buffer_init(&records, 0);
    buffer_init(&crcs, 0);
    record_encode_values(&schema, value, &records, &crcs);
    record_trailer(&records, 1, buffer_str(&crcs));
    sqlite3_bind_blob64(statement, index, records.data, records.size, SQLITE_TRANSIENT);
    buffer_release(&records);
    buffer_release(&crcs);
}

void value_bind(sqlite3_stmt *statement, int index, const struct mc_column *column, const struct record_value *value)
{
    char text[TIME_TEXT_MAX];
    struct str bytes = value->bytes.data ? value->bytes : STR("");

    if (value->null) {
        sqlite3_bind_null(statement, index);
        return;
    }
    switch (column->type.kind) {
    case MC_TINYINT:
    case MC_SMALLINT:
    case MC_INT:
    case MC_BIGINT:
    case MC_BOOLEAN:
    case MC_INTERVAL_YEAR_MONTH:
        sqlite3_bind_int64(statement, index, value->integer);
        break;
    case MC_FLOAT:
    case MC_DOUBLE:
        /* SQLite turns a NaN into NULL. */
        if (isnan(value->real))
            sqlite3_bind_text(statement, index, "NaN", 3, SQLITE_STATIC);
        else
            sqlite3_bind_double(statement, index, value->real);
        break;
    case MC_DECIMAL:
        bind_decimal(statement, index, &column->type, bytes);
        break;
    case MC_STRING:
    case MC_VARCHAR:
    case MC_CHAR:
    case MC_JSON:
        sqlite3_bind_text64(statement, index, bytes.data, bytes.size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case MC_BINARY:
        sqlite3_bind_blob64(statement, index, bytes.data, bytes.size, SQLITE_STATIC);
        break;
    case MC_DATE:
        bind_text(statement, index, text, time_print_date((int32_t)value->integer, text));
        break;
    case MC_DATETIME:
        bind_text(statement, index, text, time_print(instant_of_ms(value->integer), text));
        break;
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
        bind_text(statement, index, text, time_print((struct instant){value->integer, value->nanos}, text));
        break;
    case MC_INTERVAL_DAY_TIME:
        snprintf(text, sizeof(text), "%lld %d", (long long)value->integer, value->nanos);
        bind_text(statement, index, text, strlen(text));
        break;
    case MC_ARRAY:
    case MC_MAP:
    case MC_STRUCT:
        bind_nested(statement, index, column, value);
        break;
    }
}

static bool read_nested(struct str bytes, const struct mc_column *column, struct record_value *value_out,
                        struct record_decoder **nested_out, struct error *error)
{
    struct mc_schema schema = {.columns = (struct mc_column *)(uintptr_t)column, .column_count = 1};
    struct record_decoder *decoder = record_decoder_new(&schema, bytes);
    const struct record_value *values;

    /* The decoder's schema is read in this call only. */
    if (record_decoder_next(decoder, &values, error) != 1) {
        record_decoder_free(decoder);
        return error_set(error, ERROR_FATAL, "column %s: a stored value cannot be read", column->name);
    }
    *value_out = values[0];
    *nested_out = decoder;
    return true;
}

bool value_read(sqlite3_stmt *statement, int index, const struct mc_column *column, struct record_value *value_out,
                struct record_decoder **nested_out, struct error *error)
{
    struct str bytes;
    struct instant instant;
    bool has_offset;
    int32_t offset, days;
    long long seconds;

    *nested_out = NULL;
    *value_out = (struct record_value){0};
    if (sqlite3_column_type(statement, index) == SQLITE_NULL) {
        value_out->null = true;
        return true;
    }
    switch (column->type.kind) {
    case MC_TINYINT:
    case MC_SMALLINT:
    case MC_INT:
    case MC_BIGINT:
    case MC_BOOLEAN:
    case MC_INTERVAL_YEAR_MONTH:
        value_out->integer = sqlite3_column_int64(statement, index);
        return true;
    case MC_FLOAT:
    case MC_DOUBLE:
        value_out->real =
            sqlite3_column_type(statement, index) == SQLITE_TEXT ? (double)NAN : sqlite3_column_double(statement, index);
        return true;
    default:
        break;
    }
    bytes.data = sqlite3_column_blob(statement, index);
    bytes.size = (size_t)sqlite3_column_bytes(statement, index);
    if (!bytes.data)
        bytes = STR("");
    switch (column->type.kind) {
    case MC_DATE:
        if (!time_parse_date(bytes, &days))
            break;
        value_out->integer = days;
        return true;
    case MC_DATETIME:
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
        if (!time_parse(bytes, &instant, &has_offset, &offset))
            break;
        value_out->integer =
            column->type.kind == MC_DATETIME ? instant.seconds * 1000 + instant.nanos / 1000000 : instant.seconds;
        value_out->nanos = instant.nanos;
        return true;
    case MC_INTERVAL_DAY_TIME:
        if (sscanf((const char *)sqlite3_column_text(statement, index), "%lld %d", &seconds, &value_out->nanos) != 2)
            break;
        value_out->integer = seconds;
        return true;
    case MC_ARRAY:
    case MC_MAP:
    case MC_STRUCT:
        return read_nested(bytes, column, value_out, nested_out, error);
    default:
        value_out->bytes = bytes;
        return true;
    }
    return error_set(error, ERROR_FATAL, "column %s: a stored value cannot be read", column->name);
}
