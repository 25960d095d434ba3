/* json_stage.c: any paths over any documents, three times: with the short way, without it, and as jansson sees the documents.
 * Input: words of options with ";" between them, and documents, all with the separator between them. Words: "E" and a path to
 * expand, "R" for the rest, "N" where errors become NULL, else a column: PATH, ":", a letter for its type, "!" where it is
 * required, "=" and its default. The two ways must give the same to the last byte. jansson tells for each record whether it is
 * JSON, what every column must hold, which column fails first, which rows an array makes, and what is left over. Where it cannot
 * know (it reads numbers of 64 bits, 2,048 levels, names without zero bytes, and forgets digits) it is not asked. */
#include "fuzz.h"
#include "../support/cell_text.h"

#include "batch/decimal.h"
#include "batch/kernels/json_scan.h"

#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>

enum { COLUMNS_MAX = 12, DOCUMENTS_MAX = 16, ARENA_BYTES_MAX = 64 << 20 };

struct spec {
    struct json_options options;
    struct json_column columns[COLUMNS_MAX];
    char names[COLUMNS_MAX][8];
    struct json_path *paths[COLUMNS_MAX], *expand;
    bool null_on_error;
    bool accept_object, accept_array; /* what a document may be */
};

/* --- the options --- */

static bool read_type(char letter, struct type *type)
{
    static const struct {
        char letter;
        struct type type;
    } types[] = {{'s', {TYPE_STRING, 0, 0}},        {'i', {TYPE_BIGINT, 0, 0}},   {'f', {TYPE_DOUBLE, 0, 0}},
                 {'b', {TYPE_BOOLEAN, 0, 0}},       {'d', {TYPE_DECIMAL, 10, 2}}, {'e', {TYPE_DECIMAL, 38, 18}},
                 {'D', {TYPE_DATE, 0, 0}},          {'t', {TYPE_DATETIME, 0, 0}}, {'z', {TYPE_TIMESTAMP, 0, 0}},
                 {'n', {TYPE_TIMESTAMP_NTZ, 0, 0}}, {'j', {TYPE_JSON, 0, 0}},     {'y', {TYPE_BINARY, 0, 0}}};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (types[i].letter == letter) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

static bool read_column(struct spec *spec, struct str word)
{
    struct json_column *column = &spec->columns[spec->options.column_count];
    const char *colon = NULL;
    struct str rest, fallback;

    /* The last colon before the default: names in brackets may have one. */
    str_cut(word, '=', &rest, &fallback);
    for (size_t i = 0; i < rest.size; i++)
        if (rest.data[i] == ':')
            colon = rest.data + i;
    if (!colon || colon + 1 == rest.data + rest.size || !read_type(colon[1], &column->type))
        return false;
    snprintf(spec->names[spec->options.column_count], sizeof(spec->names[0]), "c%zu", spec->options.column_count);
    column->name = str_of(spec->names[spec->options.column_count]);
    column->path = str_make(rest.data, (size_t)(colon - rest.data));
    column->required = colon + 2 < rest.data + rest.size && colon[2] == '!';
    column->has_default = fallback.data != NULL;
    column->default_text = fallback.data ? fallback : STR("");
    spec->options.column_count++;
    return true;
}

/* The path written out in brackets is the same path. */
static void check_path(const struct json_path *path)
{
    struct json_path *again;
    struct buffer text;
    struct error error;
    size_t wrong_at;

    buffer_init(&text, 0);
    buffer_append_char(&text, path->element ? '@' : '$');
    for (size_t i = 0; i < path->step_count; i++) {
        const struct json_step *step = &path->steps[i];

        if (step->kind == JSON_STEP_KEY) {
            buffer_append_str(&text, STR("['"));
            for (size_t k = 0; k < step->key.size; k++) {
                if (step->key.data[k] == '\'' || step->key.data[k] == '\\')
                    buffer_append_char(&text, '\\');
                buffer_append_char(&text, step->key.data[k]);
            }
            buffer_append_str(&text, STR("']"));
        } else if (step->kind == JSON_STEP_INDEX) {
            buffer_print(&text, "[%u]", step->index);
        } else {
            buffer_append_str(&text, STR("[*]"));
        }
    }
    FUZZ_CLAIM(json_path_parse(&again, buffer_str(&text), &wrong_at, &error), "%s", error.text);
    FUZZ_CLAIM(again->element == path->element && again->step_count == path->step_count, "%s", buffer_text(&text));
    for (size_t i = 0; i < path->step_count; i++)
        FUZZ_CLAIM(again->steps[i].kind == path->steps[i].kind && again->steps[i].index == path->steps[i].index &&
                       str_equal(again->steps[i].key, path->steps[i].key),
                   "%s", buffer_text(&text));
    json_path_free(again);
    buffer_release(&text);
}

static void note_root(struct spec *spec, const struct json_path *path, bool expand)
{
    bool array = path->step_count && path->steps[0].kind != JSON_STEP_KEY;

    if (path->element)
        return;
    array |= expand && !path->step_count;
    spec->accept_array |= array;
    spec->accept_object |= !array;
}

static bool read_paths(struct spec *spec)
{
    struct error error;
    size_t wrong_at;

    if (spec->options.expand.data) {
        if (!json_path_parse(&spec->expand, spec->options.expand, &wrong_at, &error))
            return false;
        check_path(spec->expand);
        note_root(spec, spec->expand, true);
    }
    for (size_t i = 0; i < spec->options.column_count; i++) {
        if (!json_path_parse(&spec->paths[i], spec->columns[i].path, &wrong_at, &error))
            return false;
        check_path(spec->paths[i]);
        note_root(spec, spec->paths[i], false);
    }
    if (!spec->accept_array)
        spec->accept_object = true;
    return true;
}

static bool read_spec(struct str words, struct spec *spec)
{
    struct str word;

    spec->options = (struct json_options){.from = STR("__value__"), .columns = spec->columns};
    while (words.data) {
        str_cut(words, ';', &word, &words);
        if (word.size && word.data[0] == 'E')
            spec->options.expand = str_make(word.data + 1, word.size - 1);
        else if (str_is(word, "R"))
            spec->options.rest = STR("rest");
        else if (str_is(word, "N"))
            spec->null_on_error = true;
        else if (spec->options.column_count == COLUMNS_MAX || !read_column(spec, word))
            return false;
    }
    return true;
}

static void release_spec(struct spec *spec)
{
    json_path_free(spec->expand);
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        json_path_free(spec->paths[i]);
}

/* --- the batch, both ways --- */

static void fill_batch(struct batch *batch, const struct spec *spec, const struct str *documents, size_t count)
{
    bool ok;

    batch_clear(batch);
    for (size_t i = 0; i < count; i++)
        batch_add_message(batch, &(struct message){.value = documents[i], .offset = (int64_t)i}, NULL);
    ok = batch_begin(batch, 1u << BUILTIN_VALUE);
    assert(ok);
    batch->stage = "parse";
    batch->when_error = spec->null_on_error ? WHEN_ERROR_NULL : WHEN_ERROR_DIRTY;
}

static void print_batch(const struct batch *batch, struct buffer *text)
{
    buffer_clear(text);
    buffer_print(text, "%u filtered, %u more\n", batch->filtered_count, batch->expanded_count);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        buffer_print(text, "%u/%u", batch->row_message ? batch->row_message[row] : row,
                     batch->row_index ? batch->row_index[row] : 0);
        for (uint32_t k = 1; k < batch->field_count; k++) {
            buffer_append_char(text, '|');
            cell_print(text, batch->fields[k].column, row);
        }
        buffer_append_char(text, '\n');
    }
    for (const struct dirty_row *row = batch->dirty; row; row = row->next)
        buffer_print(text, "!%u/%u:%.*s:%.*s\n", row->message, row->index, STR_ARG(row->column), STR_ARG(row->reason));
}

/* --- what jansson says --- */

static const json_t *step_into(const json_t *value, const struct json_step *step)
{
    if (step->kind == JSON_STEP_KEY)
        return json_is_object(value) ? json_object_getn(value, step->key.data, step->key.size) : NULL;
    return json_is_array(value) ? json_array_get(value, step->index) : NULL;
}

static void collect(const json_t *value, const struct json_step *steps, size_t count, json_t *list)
{
    if (!value)
        return;
    if (!count) {
        json_array_append(list, (json_t *)(uintptr_t)value);
    } else if (steps[0].kind == JSON_STEP_EACH) {
        for (size_t i = 0; i < json_array_size(value); i++)
            collect(json_array_get(value, i), steps + 1, count - 1, list);
    } else {
        collect(step_into(value, steps), steps + 1, count - 1, list);
    }
}

/* Whether the text is JSON that means the value. The text of a document that jansson has read is never too much for it. */
static void claim_json(struct str text, const json_t *value)
{
    json_error_t problem;
    json_t *read = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);

    FUZZ_CLAIM(read, "%s: %.*s", problem.text, STR_ARG(text));
    FUZZ_CLAIM(json_equal(read, value), "another value: %.*s", STR_ARG(text));
    json_decref(read);
}

static bool base64_strict(struct str text, const struct str *bytes)
{
    unsigned char *decoded = xmalloc(text.size + 4);
    int size = text.size % 4 ? -1 : EVP_DecodeBlock(decoded, (const unsigned char *)text.data, (int)text.size);
    bool ok = size >= 0 && !(text.size && (text.data[0] <= ' ' || text.data[text.size - 1] <= ' '));
    struct buffer again;

    buffer_init(&again, 0);
    for (size_t i = text.size; ok && i > 0 && text.data[i - 1] == '='; i--)
        size--;
    if (ok && size >= 0)
        buffer_append_base64(&again, str_make((const char *)decoded, (size_t)size));
    ok = ok && size >= 0 && str_equal(buffer_str(&again), text);
    FUZZ_CLAIM(!ok || !bytes || str_equal(*bytes, str_make((const char *)decoded, (size_t)size)), "other bytes");
    buffer_release(&again);
    free(decoded);
    return ok;
}

/* Whether the text suits the type; where it does and the cell is there, it must hold that. */
static bool suits_text(struct type type, struct str text, const struct column *column, uint32_t row)
{
    struct json_extractor no_zone = {.zone = NULL};
    struct instant instant;
    int128 decimal;
    int32_t days;

    switch (type.kind) {
    case TYPE_STRING:
        FUZZ_CLAIM(!column || str_equal(column->text[row], text), "another text");
        return true;
    case TYPE_DECIMAL:
        if (decimal_parse(text, type, &decimal) != DECIMAL_OK)
            return false;
        FUZZ_CLAIM(!column || column->decimal[row] == decimal, "another decimal");
        return true;
    case TYPE_DATE:
        if (!time_parse_date(text, &days))
            return false;
        FUZZ_CLAIM(!column || column->date[row] == days, "another day");
        return true;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        if (json_parse_instant(&no_zone, text, type.kind, &instant))
            return false;
        FUZZ_CLAIM(!column || (column->instant[row].seconds == instant.seconds && column->instant[row].nanos == instant.nanos),
                   "another time");
        return true;
    case TYPE_BINARY:
        return base64_strict(text, column ? &column->text[row] : NULL);
    default:
        return false;
    }
}

enum suit { SUITS, SUITS_NOT, SUITS_PERHAPS };

/* The same for any value but null. */
static enum suit suits(struct type type, const json_t *value, const struct column *column, uint32_t row)
{
    double real;

    switch (type.kind) {
    case TYPE_JSON:
        if (column)
            claim_json(column->text[row], value);
        return SUITS;
    case TYPE_BOOLEAN:
        FUZZ_CLAIM(!column || !json_is_boolean(value) || column->boolean[row] == json_is_true(value), "another boolean");
        return json_is_boolean(value) ? SUITS : SUITS_NOT;
    case TYPE_BIGINT:
        FUZZ_CLAIM(!column || !json_is_integer(value) || column->bigint[row] == json_integer_value(value), "another integer");
        return json_is_integer(value) ? SUITS : SUITS_NOT;
    case TYPE_DOUBLE:
        FUZZ_CLAIM(!column || !json_is_number(value) || column->real[row] == json_number_value(value),
                   "another double: %a, not %a", column->real[row], json_number_value(value));
        return json_is_number(value) ? SUITS : SUITS_NOT;
    case TYPE_DECIMAL:
        if (json_is_string(value))
            break;
        if (!json_is_number(value))
            return SUITS_NOT;
        real = json_number_value(value);
        if (column) {
            double difference = fabs(decimal_to_double(column->decimal[row], type.scale) - real);

            FUZZ_CLAIM(difference <= fabs(real) * 1e-15 || difference < 1e-300, "another decimal: %g", real);
        }
        if (json_is_integer(value))
            return fabs(real) < pow(10, type.precision - type.scale) * 0.999   ? SUITS
                   : fabs(real) > pow(10, type.precision - type.scale) * 1.001 ? SUITS_NOT
                                                                               : SUITS_PERHAPS;
        return SUITS_PERHAPS;
    default:
        break;
    }
    if (!json_is_string(value))
        return SUITS_NOT;
    return suits_text(type, str_make(json_string_value(value), json_string_length(value)), column, row) ? SUITS : SUITS_NOT;
}

/* Of one column over the document or the element. The cell must hold it, or be NULL, or the row must fail here (true). column
 * NULL: the row failed, at this column or a later one; *perhaps is set where jansson cannot tell. */
static bool check_value(const struct spec *spec, size_t index, const json_t *value, const struct column *column, uint32_t row,
                        bool *perhaps)
{
    const struct json_column *asked = &spec->columns[index];
    const struct json_path *path = spec->paths[index];
    bool null = column && column_is_null(column, row);
    enum suit suit = SUITS_NOT;
    size_t at = 0;

    for (; value && at < path->step_count && path->steps[at].kind != JSON_STEP_EACH; at++)
        value = step_into(value, &path->steps[at]);
    if (!value && asked->has_default) {
        FUZZ_CLAIM(!null, "column %zu has a default", index);
        return false;
    }
    if (!value || json_is_null(value)) {
        FUZZ_CLAIM(!column || (null && !asked->required), "column %zu has no value", index);
        return asked->required;
    }
    if (at < path->step_count) {
        if (json_is_array(value)) {
            json_t *list = json_array();

            suit = SUITS;
            collect(value, path->steps + at, path->step_count - at, list);
            if (column && !null)
                claim_json(column->text[row], list);
            json_decref(list);
        }
    } else {
        suit = suits(asked->type, value, null ? NULL : column, row);
    }
    if (suit == SUITS_PERHAPS) {
        *perhaps = true;
        return false;
    }
    FUZZ_CLAIM(!column || (suit == SUITS) == !null, "column %zu is %s", index, null ? "NULL" : "not NULL");
    return suit == SUITS_NOT && (!spec->null_on_error || asked->required);
}

/* What is left of the value when the paths have taken theirs; NULL: nothing. `depth` steps of the paths in the set lead here. */
static json_t *left_over(const struct spec *spec, unsigned set, size_t depth, const json_t *value)
{
    const struct json_path *path;
    bool names = false, any = false;
    const char *name;
    size_t name_size;
    json_t *member, *left;

    for (size_t i = 0; i <= COLUMNS_MAX; i++) {
        if (!(set & 1u << i))
            continue;
        path = i < COLUMNS_MAX ? spec->paths[i] : spec->expand;
        if (depth == path->step_count || (path->steps[depth].kind == JSON_STEP_EACH && depth + 1 == path->step_count))
            return NULL;
        names |= path->steps[depth].kind == JSON_STEP_KEY;
    }
    if (!names || !json_is_object(value))
        return json_deep_copy(value);
    left = json_object();
    json_object_keylen_foreach((json_t *)(uintptr_t)value, name, name_size, member)
    {
        unsigned below = 0;
        json_t *rest;

        for (size_t i = 0; i <= COLUMNS_MAX; i++) {
            path = i < COLUMNS_MAX ? spec->paths[i] : spec->expand;
            if (set & 1u << i && path->steps[depth].kind == JSON_STEP_KEY &&
                str_equal(path->steps[depth].key, str_make(name, name_size)))
                below |= 1u << i;
        }
        rest = below ? left_over(spec, below, depth + 1, member) : json_deep_copy(member);
        if (rest)
            json_object_setn_new_nocheck(left, name, name_size, rest);
        any |= rest != NULL;
    }
    if (any || !json_object_size(value) || !depth)
        return left;
    json_decref(left);
    return NULL;
}

static void check_rest(const struct spec *spec, const json_t *document, struct str text)
{
    unsigned set = spec->expand ? 1u << COLUMNS_MAX : 0;
    json_t *left;

    for (size_t i = 0; i < spec->options.column_count; i++)
        if (!spec->paths[i]->element)
            set |= 1u << i;
    left = left_over(spec, set, 0, document);
    if (!left)
        left = json_object();
    claim_json(text, left);
    json_decref(left);
}

/* The columns of the record, or of an element, in their order, as far as the row got. dirty: where it failed, else absent. */
static void check_columns(const struct spec *spec, const struct batch *batch, const json_t *value, bool element, uint32_t row,
                          struct str dirty)
{
    bool perhaps = false;

    for (size_t i = 0; i < spec->options.column_count; i++) {
        const struct field *field = dirty.data ? NULL : batch_field(batch, spec->columns[i].name);

        if (spec->paths[i]->element != element)
            continue;
        FUZZ_CLAIM(dirty.data || field, "column %zu is missing", i);
        if (check_value(spec, i, value, field ? field->column : NULL, row, &perhaps)) {
            FUZZ_CLAIM(dirty.data && (perhaps || str_equal(dirty, spec->columns[i].name)), "column %zu does not fail", i);
            return;
        }
        if (dirty.data && perhaps && str_equal(dirty, spec->columns[i].name))
            return;
    }
    FUZZ_CLAIM(!dirty.data || perhaps, "%.*s fails for nothing", STR_ARG(dirty));
}

/* Where the row is: its place in the batch, or -1 with the column at which it failed, or with nothing when it was left out. */
static int64_t find_row(const struct batch *batch, uint32_t message, uint32_t index, struct str *dirty)
{
    *dirty = STR_NONE;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if ((batch->row_message ? batch->row_message[row] : row) == message &&
            (batch->row_index ? batch->row_index[row] : 0) == index)
            return row;
    }
    for (const struct dirty_row *row = batch->dirty; row; row = row->next)
        if (row->message == message && row->index == index)
            *dirty = row->column;
    return -1;
}

static void check_elements(const struct spec *spec, const struct batch *batch, const json_t *document, uint32_t message)
{
    const json_t *array = document;
    struct str dirty;
    int64_t row;

    for (size_t i = 0; array && i < spec->expand->step_count; i++)
        array = step_into(array, &spec->expand->steps[i]);
    if (!json_is_array(array)) {
        row = find_row(batch, message, 0, &dirty);
        FUZZ_CLAIM(row < 0 && (!array || json_is_null(array) ? !dirty.data : str_is(dirty, "__value__")),
                   "record %u has no array", message);
        return;
    }
    for (uint32_t i = 0; i < json_array_size(array); i++) {
        row = find_row(batch, message, i, &dirty);
        FUZZ_CLAIM(row >= 0 || dirty.data, "element %u of record %u is lost", i, message);
        check_columns(spec, batch, json_array_get(array, i), true, row < 0 ? 0 : (uint32_t)row, dirty);
        if (row < 0)
            continue;
        check_columns(spec, batch, document, false, (uint32_t)row, STR_NONE);
        if (spec->options.rest.data)
            check_rest(spec, document, batch_field(batch, STR("rest"))->column->text[row]);
    }
}

/* The record could not be read: NULL everywhere where that is wanted and allowed, else the record is dirty. */
static void check_unread(const struct spec *spec, const struct batch *batch, uint32_t message)
{
    struct str dirty;
    int64_t row = find_row(batch, message, 0, &dirty);
    const struct json_column *required = NULL;

    for (size_t i = 0; i < spec->options.column_count && !required; i++)
        required = spec->columns[i].required && !spec->paths[i]->element ? &spec->columns[i] : NULL;
    if (spec->null_on_error && !spec->expand && !required) {
        FUZZ_CLAIM(row >= 0, "record %u has no row", message);
        for (uint32_t k = 1; k < batch->field_count; k++)
            FUZZ_CLAIM(column_is_null(batch->fields[k].column, (uint32_t)row), "field %u is not NULL", k);
        return;
    }
    FUZZ_CLAIM(row < 0 && str_equal(dirty, spec->null_on_error && !spec->expand ? required->name : STR("__value__")),
               "record %u is not dirty", message);
}

static void check_record(const struct spec *spec, const struct batch *batch, struct str text, uint32_t message)
{
    json_error_t problem;
    json_t *document;
    struct str dirty;
    int64_t row;

    /* jansson reads over a zero byte behind a number. */
    if (text.size && memchr(text.data, 0, text.size)) {
        check_unread(spec, batch, message);
        return;
    }
    document = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (!document) {
        enum json_error_code code = json_error_code(&problem);

        if (code != json_error_numeric_overflow && code != json_error_null_byte_in_key && code != json_error_stack_overflow)
            check_unread(spec, batch, message);
        return;
    }
    row = find_row(batch, message, 0, &dirty);
    if ((json_is_object(document) && spec->accept_object) || (json_is_array(document) && spec->accept_array)) {
        bool failed = dirty.data && !str_is(dirty, "__value__");

        for (size_t i = 0; i < spec->options.column_count; i++)
            failed &= !spec->paths[i]->element || !str_equal(dirty, spec->columns[i].name);
        if (!spec->expand) {
            check_columns(spec, batch, document, false, row < 0 ? 0 : (uint32_t)row, dirty);
            FUZZ_CLAIM(row >= 0 || dirty.data, "record %u is lost", message);
            if (row >= 0 && spec->options.rest.data)
                check_rest(spec, document, batch_field(batch, STR("rest"))->column->text[row]);
        } else if (failed) {
            check_columns(spec, batch, document, false, 0, dirty);
        } else {
            check_elements(spec, batch, document, message);
        }
    } else {
        check_unread(spec, batch, message);
    }
    json_decref(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct batch *batch;
    struct str rest = str_make((const char *)data, size), words, documents[DOCUMENTS_MAX];
    struct json_extractor *extractors[2] = {NULL, NULL};
    struct spec spec = {.null_on_error = false};
    struct buffer texts[2];
    size_t count = 0;
    struct json_mistakes mistakes;
    struct error error;
    bool ok = fuzz_part(&rest, &words) && read_spec(words, &spec) && read_paths(&spec);

    for (int way = 0; way < 2 && ok; way++)
        ok = json_extractor_new(&extractors[way], &spec.options, &mistakes);
    if (!ok)
        goto out;
    if (!batch) {
        batch = batch_new(ARENA_BYTES_MAX);
        json_object_seed(1); /* else every process hashes in another way */
    }
    while (count < DOCUMENTS_MAX && fuzz_part(&rest, &documents[count])) {
        documents[count] = fuzz_copy(documents[count]);
        count++;
    }
    if (extractors[1]->scan)
        extractors[1]->scan->off = true;
    for (int way = 1; way >= 0; way--) {
        fill_batch(batch, &spec, documents, count);
        buffer_init(&texts[way], 0);
        if (json_extract(extractors[way], batch, &error))
            print_batch(batch, &texts[way]);
        else
            buffer_print(&texts[way], "%s", error.text);
    }
    FUZZ_CLAIM(str_equal(buffer_str(&texts[0]), buffer_str(&texts[1])), "the short way gives\n%s\nthe long way\n%s",
               buffer_text(&texts[0]), buffer_text(&texts[1]));
    FUZZ_CLAIM(str_starts_with(buffer_str(&texts[0]), STR("the documents")) || texts[0].size, "nothing");
    for (uint32_t i = 0; i < count && batch->field_count > spec.options.column_count; i++)
        check_record(&spec, batch, documents[i], i);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)documents[i].data);
    buffer_release(&texts[0]);
    buffer_release(&texts[1]);
    batch_clear(batch);
out:
    json_extractor_free(extractors[0]);
    json_extractor_free(extractors[1]);
    release_spec(&spec);
    return 0;
}
