/* value.c */
#include "tryout/value.h"

#include <inttypes.h>
#include <math.h>

#include "util/real.h"

void value_printer_init(struct value_printer *printer, const char *zone)
{
    memset(printer, 0, sizeof(*printer));
    if (zone && !zone_open(&printer->zone, str_of(zone), NULL))
        printer->zone = NULL;
}

void value_printer_release(struct value_printer *printer)
{
    zone_free(printer->zone);
    printer->zone = NULL;
}

static void print_real(double value, bool single, bool json, struct buffer *text)
{
    const char *quote = json && !isfinite(value) ? "\"" : "";
    char digits[REAL_TEXT_MAX];

    (void)(single ? real_print_float((float)value, digits) : real_print(value, digits));
    buffer_print(text, "%s%s%s", quote, digits, quote);
}

static void print_instant(struct value_printer *printer, const struct mc_type *type, const struct record_value *value, bool json,
                          struct buffer *text)
{
    struct instant instant = record_instant(type->kind, value);
    bool local = printer && printer->zone && !json;
    char shown[TIME_TEXT_MAX];
    size_t size;

    if (local && type->kind != MC_TIMESTAMP_NTZ)
        instant.seconds = zone_to_local(printer->zone, &printer->cache, instant.seconds);
    size = time_print(instant, shown);
    if (json)
        shown[10] = 'T';
    buffer_print(text, "%s%.*s%s%s", json ? "\"" : "", (int)size, shown, !local && type->kind != MC_TIMESTAMP_NTZ ? "Z" : "",
                 json ? "\"" : "");
}

static void print_plain(struct value_printer *printer, const struct mc_type *type, const struct record_value *value, bool json,
                        struct buffer *text)
{
    char day[TIME_TEXT_MAX];

    switch (type->kind) {
    case MC_FLOAT: print_real(value->real, true, json, text); break;
    case MC_DOUBLE: print_real(value->real, false, json, text); break;
    case MC_BOOLEAN: buffer_append_str(text, value->integer ? STR("true") : STR("false")); break;
    case MC_DATE: {
        size_t size = time_print_date((int32_t)value->integer, day);

        buffer_print(text, json ? "\"%.*s\"" : "%.*s", (int)size, day);
        break;
    }
    case MC_DATETIME: case MC_TIMESTAMP: case MC_TIMESTAMP_NTZ: print_instant(printer, type, value, json, text); break;
    case MC_INTERVAL_DAY_TIME: buffer_print(text, json ? "\"%" PRId64 " s %" PRId32 " ns\"" : "%" PRId64 " s %" PRId32 " ns",
                                            value->integer, value->nanos); break;
    default: buffer_print(text, "%" PRId64, value->integer);
    }
}

static void print_key(const struct mc_type *type, const struct record_value *value, struct buffer *text)
{
    struct buffer plain;

    buffer_init(&plain, 0);
    if (value_is_text(type->kind) || type->kind == MC_DECIMAL || type->kind == MC_BINARY)
        buffer_append_str(&plain, value->bytes);
    else
        print_plain(NULL, type, value, false, &plain);
    buffer_append_json(text, buffer_str(&plain));
    buffer_release(&plain);
}

static void print_nested(const struct mc_type *type, const struct record_value *value, struct buffer *text)
{
    bool list = type->kind == MC_ARRAY;
    size_t count = type->kind == MC_MAP ? value->count / 2 : value->count;

    buffer_append_char(text, list ? '[' : '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_char(text, ',');
        if (type->kind == MC_MAP)
            print_key(&type->children[0], &value->items[i], text);
        else if (!list)
            buffer_append_json(text, str_of(type->child_names[i]));
        if (!list)
            buffer_append_char(text, ':');
        value_print_json(&type->children[list ? 0 : type->kind == MC_MAP ? 1 : i],
                         &value->items[type->kind == MC_MAP ? count + i : i], text);
    }
    buffer_append_char(text, list ? ']' : '}');
}

void value_print_json(const struct mc_type *type, const struct record_value *value, struct buffer *text)
{
    struct str bytes = value->bytes.data ? value->bytes : STR("");

    if (value->null) {
        buffer_append_str(text, STR("null"));
        return;
    }
    switch (type->kind) {
    case MC_STRING: case MC_VARCHAR: case MC_CHAR: case MC_JSON: buffer_append_json_bytes(text, bytes); break;
    case MC_DECIMAL: buffer_append_json(text, bytes); break;
    case MC_BINARY:
        buffer_append_str(text, STR("{\"base64\":\""));
        buffer_append_base64(text, bytes);
        buffer_append_str(text, STR("\"}"));
        break;
    case MC_ARRAY: case MC_MAP: case MC_STRUCT: print_nested(type, value, text); break;
    default: print_plain(NULL, type, value, true, text);
    }
}

void value_print(struct value_printer *printer, const struct mc_type *type, const struct record_value *value, struct buffer *text)
{
    assert(!value->null);
    switch (type->kind) {
    case MC_STRING: case MC_VARCHAR: case MC_CHAR: case MC_JSON: case MC_DECIMAL: buffer_append_str(text, value->bytes); break;
    case MC_BINARY:
        buffer_append_str(text, STR("0x"));
        for (size_t i = 0; i < value->bytes.size; i++)
            buffer_print(text, "%02x", (unsigned char)value->bytes.data[i]);
        break;
    case MC_ARRAY: case MC_MAP: case MC_STRUCT: print_nested(type, value, text); break;
    default: print_plain(printer, type, value, false, text);
    }
}

/* --- of the pipeline --- */

void value_of_column(const struct column *column, uint32_t row, struct value *value_out)
{
    value_out->type = record_type_of(column->type);
    record_value_of_column(column, row, value_out->digits, &value_out->value);
}

void value_of_builtin(const struct batch *batch, enum batch_builtin builtin, uint32_t message, struct buffer *headers,
                      struct value *value_out)
{
    const struct message *from = &batch->messages[message];
    struct record_value *value = &value_out->value;

    *value = (struct record_value){0};
    value_out->type = (struct mc_type){.kind = MC_BIGINT};
    switch (builtin) {
    case BUILTIN_PARTITION: value->integer = batch->partition; return;
    case BUILTIN_OFFSET: value->integer = from->offset; return;
    case BUILTIN_TIMESTAMP: value->integer = from->timestamp_ms; return;
    case BUILTIN_KEY: value->bytes = from->key; break;
    case BUILTIN_VALUE: value->bytes = from->value; break;
    default:
        batch_headers(batch, message, headers);
        value->bytes = headers->size ? buffer_str(headers) : STR_NONE;
    }
    value_out->type.kind = MC_STRING;
    value->null = !value->bytes.data;
}
