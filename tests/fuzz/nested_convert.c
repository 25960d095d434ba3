/* nested_convert.c: any JSON into an ARRAY, MAP or STRUCT of any type.
 * Input: a type, the separator, a text. What is taken is decoded from a record again: it must have the shape of the document
 * (counts, NULLs, names, texts, whole numbers, booleans), and printed as JSON it must be taken once more, to the same bytes. What
 * is refused has a reason of one line. A reader that has refused something is as good as a new one. */
#include "fuzz.h"

#include "maxcompute/record.h"
#include "route/nested.h"
#include "route/target_type.h"
#include "batch/time.h"

#include <math.h>
#include <openssl/evp.h>
#include <yyjson.h>

enum { ARENA_BYTES_MAX = 64 << 20 };

/* --- decoded values as JSON --- */

static void print_string(struct buffer *json, struct str text)
{
    buffer_append_char(json, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '"' || c == '\\' || c < 0x20)
            buffer_print(json, "\\u%04x", c);
        else
            buffer_append_char(json, (char)c);
    }
    buffer_append_char(json, '"');
}

static void print_base64(struct buffer *json, struct str bytes)
{
    unsigned char *text = xmalloc(bytes.size * 4 / 3 + 8);
    int size = EVP_EncodeBlock(text, (const unsigned char *)(bytes.size ? bytes.data : ""), (int)bytes.size);

    print_string(json, str_make((char *)text, (size_t)size));
    free(text);
}

/* key: a map's key, which is text whatever its type, and binary as it is. */
static void print_scalar(struct buffer *json, const struct mc_type *type, const struct record_value *value, bool key)
{
    struct instant instant = {value->integer, value->nanos};
    char text[64];
    size_t size = 0;

    switch (type->kind) {
    case MC_BOOLEAN:
        buffer_print(json, key ? "\"%s\"" : "%s", value->integer ? "true" : "false");
        return;
    case MC_TINYINT:
    case MC_SMALLINT:
    case MC_INT:
    case MC_BIGINT:
        buffer_print(json, key ? "\"%lld\"" : "%lld", (long long)value->integer);
        return;
    case MC_FLOAT:
    case MC_DOUBLE:
        buffer_print(json, key ? "\"%.17g\"" : "%.17g", value->real);
        return;
    case MC_DATE:
        size = time_print_date((int32_t)value->integer, text);
        break;
    case MC_DATETIME:
        instant.seconds = value->integer / 1000 - (value->integer % 1000 < 0);
        instant.nanos = (int32_t)(value->integer - instant.seconds * 1000) * 1000000;
        size = time_print(instant, text);
        text[size++] = 'Z';
        break;
    case MC_TIMESTAMP:
        size = time_print(instant, text);
        text[size++] = 'Z';
        break;
    case MC_TIMESTAMP_NTZ:
        size = time_print(instant, text);
        break;
    case MC_BINARY:
        if (!key) {
            print_base64(json, value->bytes);
            return;
        }
        print_string(json, value->bytes);
        return;
    case MC_JSON:
        if (!key) {
            buffer_append_str(json, value->bytes);
            return;
        }
        print_string(json, value->bytes);
        return;
    default: /* texts and decimals */
        print_string(json, value->bytes);
        return;
    }
    print_string(json, str_make(text, size));
}

static void print_value(struct buffer *json, const struct mc_type *type, const struct record_value *value)
{
    size_t pairs = value->count / 2;

    if (value->null) {
        buffer_append_str(json, STR("null"));
        return;
    }
    switch (type->kind) {
    case MC_ARRAY:
        buffer_append_char(json, '[');
        for (size_t i = 0; i < value->count; i++) {
            buffer_append_str(json, i ? STR(",") : STR(""));
            print_value(json, type->children, &value->items[i]);
        }
        buffer_append_char(json, ']');
        break;
    case MC_MAP:
        buffer_append_char(json, '{');
        for (size_t i = 0; i < pairs; i++) {
            buffer_append_str(json, i ? STR(",") : STR(""));
            print_scalar(json, &type->children[0], &value->items[i], true);
            buffer_append_char(json, ':');
            print_value(json, &type->children[1], &value->items[pairs + i]);
        }
        buffer_append_char(json, '}');
        break;
    case MC_STRUCT:
        buffer_append_char(json, '{');
        for (size_t i = 0; i < value->count; i++) {
            buffer_append_str(json, i ? STR(",") : STR(""));
            print_string(json, str_of(type->child_names[i]));
            buffer_append_char(json, ':');
            print_value(json, &type->children[i], &value->items[i]);
        }
        buffer_append_char(json, '}');
        break;
    default:
        print_scalar(json, type, value, false);
    }
}

/* --- against the document --- */

static bool is_plain_text(enum mc_kind kind)
{
    return kind == MC_STRING || kind == MC_VARCHAR;
}

static void check_scalar(const struct mc_type *type, yyjson_val *json, const struct record_value *value)
{
    const char *text = unsafe_yyjson_get_str(json);
    char *end;

    if (is_plain_text(type->kind) && yyjson_is_str(json))
        FUZZ_CLAIM(str_equal(value->bytes, str_make(text, unsafe_yyjson_get_len(json))), "another text: %.*s",
                   STR_ARG(value->bytes));
    if (type->kind == MC_BOOLEAN && yyjson_is_bool(json))
        FUZZ_CLAIM(value->integer == yyjson_get_bool(json), "another boolean");
    if (type->kind <= MC_BIGINT) {
        FUZZ_CLAIM(yyjson_is_raw(json), "something else than a number became %lld", (long long)value->integer);
        if (!memchr(text, '.', unsafe_yyjson_get_len(json)) && !memchr(text, 'e', unsafe_yyjson_get_len(json)) &&
            !memchr(text, 'E', unsafe_yyjson_get_len(json)))
            FUZZ_CLAIM(strtoll(text, &end, 10) == value->integer, "%s became %lld", text, (long long)value->integer);
    }
}

/* The member of a struct: names compare without case. */
static yyjson_val *find_member(yyjson_val *object, const char *name)
{
    size_t i, count;
    yyjson_val *key, *value;

    yyjson_obj_foreach(object, i, count, key, value)
    {
        if (str_equal_ignore_case(str_make(unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key)), str_of(name)))
            return value;
    }
    return NULL;
}

static void check_value(const struct mc_type *type, yyjson_val *json, const struct record_value *value, bool empty_as_null)
{
    size_t pairs = value->count / 2, i, count;
    yyjson_val *key, *item;

    if (!json || yyjson_is_null(json)) {
        FUZZ_CLAIM(value->null, "nothing became a value");
        return;
    }
    if (value->null) {
        FUZZ_CLAIM(empty_as_null && yyjson_equals_str(json, ""), "a value became NULL");
        return;
    }
    switch (type->kind) {
    case MC_ARRAY:
        FUZZ_CLAIM(yyjson_is_arr(json) && yyjson_arr_size(json) == value->count, "%zu items", value->count);
        yyjson_arr_foreach(json, i, count, item) check_value(type->children, item, &value->items[i], empty_as_null);
        break;
    case MC_MAP:
        FUZZ_CLAIM(yyjson_is_obj(json) && yyjson_obj_size(json) == pairs, "%zu pairs", pairs);
        yyjson_obj_foreach(json, i, count, key, item)
        {
            FUZZ_CLAIM(!value->items[i].null, "a key became NULL");
            if (is_plain_text(type->children[0].kind))
                check_scalar(&type->children[0], key, &value->items[i]);
            check_value(&type->children[1], item, &value->items[pairs + i], empty_as_null);
        }
        break;
    case MC_STRUCT:
        FUZZ_CLAIM(yyjson_is_obj(json) && yyjson_obj_size(json) <= value->count && value->count == type->child_count,
                   "%zu fields", value->count);
        for (i = 0; i < value->count; i++)
            check_value(&type->children[i], find_member(json, type->child_names[i]), &value->items[i], empty_as_null);
        break;
    default:
        check_scalar(type, json, value);
    }
}

/* --- one text --- */

/* A record with the one value in it, as it is written. */
static void print_record(struct buffer *body, const struct wire_nested *value)
{
    struct wire_column column = {.kind = WIRE_NESTED, .number = 1, .data = value};
    uint32_t row = 0;
    struct buffer crcs;

    buffer_init(&crcs, 0);
    record_encode(&column, 1, &row, 1, body, &crcs);
    record_trailer(body, 1, buffer_str(&crcs));
    buffer_release(&crcs);
}

static void check_taken(struct nested *nested, struct arena *arena, struct mc_type *type, struct str text, bool empty_as_null,
                        const struct wire_nested *wire)
{
    struct mc_column column = {.name = (char[]){"c"}, .type = *type};
    struct mc_schema schema = {.columns = &column, .column_count = 1};
    yyjson_doc *document = yyjson_read(text.data, text.size, YYJSON_READ_NUMBER_AS_RAW);
    const struct record_value *values;
    struct record_decoder *decoder;
    struct buffer body, again;
    struct wire_nested second;
    const char *reason = "";
    struct error error;
    enum convert_status status;

    buffer_init(&body, 0);
    buffer_init(&again, 0);
    print_record(&body, wire);
    decoder = record_decoder_new(&schema, buffer_str(&body));
    FUZZ_CLAIM(record_decoder_next(decoder, &values, &error) == 1, "%s", error.text);
    FUZZ_CLAIM(document && !values[0].null, "taken, but as NULL, or it is no JSON");
    check_value(type, yyjson_doc_get_root(document), &values[0], empty_as_null);
    print_value(&again, type, &values[0]);
    status = nested_convert(nested, arena, type, buffer_str(&again), &second, &reason);
    FUZZ_CLAIM(status == CONVERT_OK, "printed again it is refused (%d): %s %s", status, buffer_text(&again), reason);
    FUZZ_CLAIM(str_equal(wire->wire, second.wire) && str_equal(wire->summed, second.summed),
               "printed again it has other bytes: %s", buffer_text(&again));
    FUZZ_CLAIM(record_decoder_next(decoder, &values, &error) == 0, "%s", error.text);
    record_decoder_free(decoder);
    yyjson_doc_free(document);
    buffer_release(&body);
    buffer_release(&again);
}

static bool is_writable(const struct mc_type *type)
{
    enum wire_kind wire;
    struct type to;

    if (!type->child_count)
        return target_type(type, &to, &wire);
    for (size_t i = 0; i < type->child_count; i++)
        if (!is_writable(&type->children[i]))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nested *kept;
    static struct convert convert;
    static struct arena arena;
    struct str rest = str_make((const char *)data, size), type_text, text;
    struct nested *fresh;
    struct wire_nested value, other;
    struct mc_type type = {0};
    const char *reason = NULL, *other_reason = NULL;
    enum convert_status status;
    struct error error;

    if (!kept) {
        kept = nested_new(&convert);
        arena_init(&arena, ARENA_BYTES_MAX);
    }
    if (!fuzz_part(&rest, &type_text) || !rest.data || !mc_type_parse(&type, type_text, &error))
        return 0;
    if (!type.child_count || !is_writable(&type)) {
        mc_type_release(&type);
        return 0;
    }
    convert.empty_as_null = type_text.size % 2;
    text = fuzz_copy(rest);
    status = nested_convert(kept, &arena, &type, text, &value, &reason);
    fresh = nested_new(&convert);
    FUZZ_CLAIM(nested_convert(fresh, &arena, &type, text, &other, &other_reason) == status, "%d, and another time not", status);
    FUZZ_CLAIM(status != CONVERT_FULL, "no room");
    if (status == CONVERT_FAILED) {
        FUZZ_CLAIM(strcmp(reason, other_reason) == 0, "%s, and another time %s", reason, other_reason);
        fuzz_claim_line("the reason", reason);
    } else if (status == CONVERT_OK) {
        FUZZ_CLAIM(str_equal(value.wire, other.wire) && str_equal(value.summed, other.summed), "other bytes");
        check_taken(kept, &arena, &type, text, convert.empty_as_null, &value);
    }
    nested_free(fresh);
    arena_clear(&arena);
    free((char *)text.data);
    mc_type_release(&type);
    return 0;
}
