/* cell.c: an expectation is a node of YAML, of which only the column's type says what it means. */
#include "testing/cell.h"

#include <inttypes.h>
#include <math.h>
#include <yyjson.h>

#include "batch/decimal.h"
#include "util/real.h"

enum { SCRATCH_BYTES_MAX = 64 << 20 };

void cells_init(struct cells *cells, const struct zone *zone)
{
    memset(cells, 0, sizeof(*cells));
    cells->convert.zone = zone;
    arena_init(&cells->arena, SCRATCH_BYTES_MAX);
}

void cells_release(struct cells *cells)
{
    arena_release(&cells->arena);
}

/* --- YAML and JSON --- */

bool cell_is_number(const struct tree_node *node)
{
    struct str text = node->text;
    size_t at = 0, digits;

    if (node->kind != TREE_SCALAR || node->quoted)
        return false;
#define DIGIT (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
    at += text.size && text.data[0] == '-';
    for (digits = at; DIGIT;)
        at++;
    if (at == digits || (text.data[digits] == '0' && at > digits + 1))
        return false;
    if (at < text.size && text.data[at] == '.') {
        for (digits = ++at; DIGIT;)
            at++;
        if (at == digits)
            return false;
    }
    if (at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        at += at < text.size && (text.data[at] == '-' || text.data[at] == '+');
        for (digits = at; DIGIT;)
            at++;
        if (at == digits)
            return false;
    }
#undef DIGIT
    return at == text.size;
}

static bool is_plain_word(const struct tree_node *node, const char *word)
{
    return node->kind == TREE_SCALAR && !node->quoted && str_is(node->text, word);
}

void cell_tree_json(const struct tree_node *node, struct buffer *json)
{
    if (node->kind == TREE_SCALAR) {
        if (tree_is_null(node))
            buffer_append_str(json, STR("null"));
        else if (is_plain_word(node, "true") || is_plain_word(node, "false") || cell_is_number(node))
            buffer_append_str(json, node->text);
        else
            buffer_append_json(json, node->text);
        return;
    }
    buffer_append_char(json, node->kind == TREE_LIST ? '[' : '{');
    for (size_t i = 0; i < node->count; i++) {
        if (i)
            buffer_append_char(json, ',');
        if (node->kind == TREE_MAP) {
            buffer_append_json(json, node->entries[i].key);
            buffer_append_char(json, ':');
        }
        cell_tree_json(node->kind == TREE_LIST ? node->items[i] : node->entries[i].value, json);
    }
    buffer_append_char(json, node->kind == TREE_LIST ? ']' : '}');
}

static bool numbers_equal(struct str a, struct str b)
{
    static const uint8_t scales[] = {18, 0, 37}; /* 38 digits do not hold all at one */
    int128 x, y;

    if (str_equal(a, b))
        return true;
    for (size_t i = 0; i < COUNT_OF(scales); i++)
        if (decimal_parse(a, type_decimal(38, scales[i]), &x) == DECIMAL_OK &&
            decimal_parse(b, type_decimal(38, scales[i]), &y) == DECIMAL_OK)
            return x == y;
    return false;
}

/* nested: b is of an ARRAY, MAP or STRUCT, where decimals and times are printed as texts. */
static bool json_equal(yyjson_val *a, yyjson_val *b, bool nested)
{
    size_t index, count;
    yyjson_val *key, *value;

    if (yyjson_is_raw(a) && yyjson_is_raw(b))
        return numbers_equal(str_make(yyjson_get_raw(a), yyjson_get_len(a)), str_make(yyjson_get_raw(b), yyjson_get_len(b)));
    if (nested && yyjson_is_raw(a) && yyjson_is_str(b))
        return numbers_equal(str_make(yyjson_get_raw(a), yyjson_get_len(a)), str_make(yyjson_get_str(b), yyjson_get_len(b)));
    if (yyjson_get_type(a) != yyjson_get_type(b) || (yyjson_is_ctn(a) && yyjson_get_len(a) != yyjson_get_len(b)))
        return false;
    if (yyjson_is_obj(a)) {
        yyjson_obj_foreach(a, index, count, key, value)
        {
            yyjson_val *other = yyjson_obj_getn(b, yyjson_get_str(key), yyjson_get_len(key));

            if (!other || !json_equal(value, other, nested))
                return false;
        }
        return true;
    }
    if (yyjson_is_arr(a)) {
        yyjson_arr_foreach(a, index, count, value)
        {
            if (!json_equal(value, yyjson_arr_get(b, index), nested))
                return false;
        }
        return true;
    }
    return yyjson_equals(a, b);
}

static bool documents_equal(struct str expected, struct str got, bool nested)
{
    yyjson_doc *a = yyjson_read(expected.data, expected.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_doc *b = yyjson_read(got.data, got.size, YYJSON_READ_NUMBER_AS_RAW);
    bool equal = a && b && json_equal(yyjson_doc_get_root(a), yyjson_doc_get_root(b), nested);

    yyjson_doc_free(a);
    yyjson_doc_free(b);
    return equal;
}

/* --- printing --- */

static bool is_text(enum mc_kind kind)
{
    return kind == MC_STRING || kind == MC_VARCHAR || kind == MC_CHAR;
}

static bool is_document(enum mc_kind kind)
{
    return kind == MC_JSON || kind == MC_ARRAY || kind == MC_MAP || kind == MC_STRUCT;
}

static void value_json(struct cells *cells, const struct mc_type *type, const struct record_value *value, struct buffer *json)
{
    size_t pairs = value->count / 2, count = type->kind == MC_MAP ? pairs : value->count;
    struct buffer key;

    if (value->null) {
        buffer_append_str(json, STR("null"));
    } else if (type->kind == MC_JSON) {
        buffer_append_str(json, value->bytes);
    } else if (type->kind == MC_ARRAY || type->kind == MC_MAP || type->kind == MC_STRUCT) {
        buffer_append_char(json, type->kind == MC_ARRAY ? '[' : '{');
        for (size_t i = 0; i < count; i++) {
            if (i)
                buffer_append_char(json, ',');
            if (type->kind != MC_ARRAY) {
                buffer_init(&key, 0);
                if (type->kind == MC_STRUCT)
                    buffer_append_str(&key, str_of(type->child_names[i]));
                else if (is_text(type->children[0].kind))
                    buffer_append_str(&key, value->items[i].bytes);
                else
                    cell_print(cells, &type->children[0], &value->items[i], &key);
                buffer_append_json(json, buffer_str(&key));
                buffer_append_char(json, ':');
                buffer_release(&key);
            }
            value_json(cells,
                       &type->children[type->kind == MC_ARRAY ? 0
                                       : type->kind == MC_MAP ? 1
                                                              : i],
                       &value->items[type->kind == MC_MAP ? pairs + i : i], json);
        }
        buffer_append_char(json, type->kind == MC_ARRAY ? ']' : '}');
    } else if (type->kind <= MC_BIGINT || type->kind == MC_BOOLEAN ||
               ((type->kind == MC_DOUBLE || type->kind == MC_FLOAT) && isfinite(value->real)) || is_text(type->kind)) {
        cell_print(cells, type, value, json);
    } else {
        buffer_init(&key, 0);
        cell_print(cells, type, value, &key);
        buffer_append_json(json, buffer_str(&key));
        buffer_release(&key);
    }
}

void cell_print(struct cells *cells, const struct mc_type *type, const struct record_value *value, struct buffer *text)
{
    struct instant instant;
    char shown[TIME_TEXT_MAX];

    if (value->null) {
        buffer_append_str(text, STR("NULL"));
        return;
    }
    switch (type->kind) {
    case MC_STRING:
    case MC_VARCHAR:
    case MC_CHAR:
        buffer_append_json_bytes(text, value->bytes.data ? value->bytes : STR(""));
        break;
    case MC_BINARY:
        buffer_append_str(text, STR("0x"));
        for (size_t i = 0; i < value->bytes.size; i++)
            buffer_print(text, "%02x", (unsigned char)value->bytes.data[i]);
        break;
    case MC_DECIMAL:
        buffer_append_str(text, value->bytes);
        break;
    case MC_BOOLEAN:
        buffer_append_str(text, value->integer ? STR("true") : STR("false"));
        break;
    case MC_FLOAT:
    case MC_DOUBLE:
        buffer_append(text, shown,
                      type->kind == MC_FLOAT ? real_print_float((float)value->real, shown) : real_print(value->real, shown));
        break;
    case MC_DATE:
        buffer_append(text, shown, time_print_date((int32_t)value->integer, shown));
        break;
    case MC_DATETIME:
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
        instant = record_instant(type->kind, value);
        if (type->kind != MC_TIMESTAMP_NTZ && cells->convert.zone)
            instant.seconds = zone_to_local(cells->convert.zone, &cells->convert.zone_cache, instant.seconds);
        buffer_append(text, shown, time_print(instant, shown));
        if (type->kind != MC_TIMESTAMP_NTZ && !cells->convert.zone)
            buffer_append_char(text, 'Z');
        break;
    case MC_JSON:
    case MC_ARRAY:
    case MC_MAP:
    case MC_STRUCT:
        value_json(cells, type, value, text);
        break;
    default:
        buffer_print(text, "%" PRId64, value->integer);
    }
}

void cell_print_expected(const struct mc_type *type, const struct tree_node *expected, struct buffer *text)
{
    if (tree_is_null(expected))
        buffer_append_str(text, STR("NULL"));
    else if (expected->kind != TREE_SCALAR)
        cell_tree_json(expected, text);
    else if (!type || is_text(type->kind))
        buffer_append_json_bytes(text, expected->text);
    else
        buffer_append_str(text, expected->text);
}

/* --- comparing --- */

static enum type_kind kind_for_text(enum mc_kind kind)
{
    switch (kind) {
    case MC_FLOAT:
    case MC_DOUBLE:
        return TYPE_DOUBLE;
    case MC_BOOLEAN:
        return TYPE_BOOLEAN;
    case MC_DATE:
        return TYPE_DATE;
    case MC_DATETIME:
        return TYPE_DATETIME;
    case MC_TIMESTAMP:
        return TYPE_TIMESTAMP;
    case MC_TIMESTAMP_NTZ:
        return TYPE_TIMESTAMP_NTZ;
    default:
        return TYPE_BIGINT;
    }
}

static bool document_matches(struct cells *cells, const struct tree_node *expected, const struct mc_type *type,
                             const struct record_value *value)
{
    struct buffer wanted, got;
    bool nested = type->kind != MC_JSON;
    bool equal;

    buffer_init(&wanted, 0);
    buffer_init(&got, 0);
    value_json(cells, type, value, &got);
    if (expected->kind == TREE_SCALAR && expected->quoted)
        buffer_append_str(&wanted, expected->text);
    else
        cell_tree_json(expected, &wanted);
    equal = documents_equal(buffer_str(&wanted), buffer_str(&got), nested);
    if (!equal && expected->kind == TREE_SCALAR && expected->quoted) { /* a text in quotes may be meant as that text */
        buffer_clear(&wanted);
        buffer_append_json(&wanted, expected->text);
        equal = documents_equal(buffer_str(&wanted), buffer_str(&got), nested);
    }
    buffer_release(&wanted);
    buffer_release(&got);
    return equal;
}

static bool scalar_matches(struct cells *cells, struct str text, const struct mc_type *type, const struct record_value *value)
{
    union type_value wanted;
    const char *reason;
    struct instant instant;

    arena_clear(&cells->arena);
    if (convert_text(&cells->convert, &cells->arena, text, TYPE_OF(kind_for_text(type->kind)), &wanted, &reason) != CONVERT_OK)
        return false;
    switch (type->kind) {
    case MC_FLOAT:
        return (float)wanted.real == (float)value->real || (isnan(wanted.real) && isnan(value->real));
    case MC_DOUBLE:
        return wanted.real == value->real || (isnan(wanted.real) && isnan(value->real));
    case MC_BOOLEAN:
        return wanted.boolean == (value->integer != 0);
    case MC_DATE:
        return wanted.date == value->integer;
    case MC_DATETIME:
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
        instant = record_instant(type->kind, value);
        return wanted.instant.seconds == instant.seconds && wanted.instant.nanos == instant.nanos;
    default:
        return wanted.bigint == value->integer;
    }
}

bool cell_matches(struct cells *cells, const struct tree_node *expected, const struct mc_type *type,
                  const struct record_value *value)
{
    if (value->null || tree_is_null(expected))
        return value->null && tree_is_null(expected);
    if (is_document(type->kind))
        return document_matches(cells, expected, type, value);
    if (expected->kind != TREE_SCALAR) { /* a text may hold a document too */
        struct mc_type json = {.kind = MC_JSON};

        return is_text(type->kind) && document_matches(cells, expected, &json, value);
    }
    if (is_text(type->kind) || type->kind == MC_BINARY)
        return str_equal(expected->text, value->bytes);
    if (type->kind == MC_DECIMAL)
        return numbers_equal(expected->text, value->bytes);
    return scalar_matches(cells, expected->text, type, value);
}
