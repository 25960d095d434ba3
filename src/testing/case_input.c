/* case_input.c: a column of typed rows has the type that `fields` gives it, else the one that its values look like: whole numbers
 * are bigint, numbers with a point decimal, true and false boolean, maps and lists json, all else string. */
#include "testing/case_input.h"

#include <stdlib.h>

#include "batch/convert.h"
#include "batch/decimal.h"
#include "batch/headers.h"
#include "job/options.h"
#include "job/start.h"
#include "sample/sample.h"
#include "testing/cell.h"

struct typed_field {
    struct str name;
    struct type type;
    struct location at; /* where it was first seen */
    bool declared;      /* its type is known */
    bool seen;          /* in a row */
    bool numbers;       /* so far */
};

struct case_input {
    const struct test_case *test;
    struct sample *sample;    /* may be NULL; its texts are in messages */
    struct message *messages; /* of records */
    int32_t *partitions;
    size_t count, next;
    struct typed_field *fields; /* of rows */
    size_t field_count, field_capacity;
    struct zone *zone;
    char **pieces;
    size_t piece_count, piece_capacity;
};

static void *keep(struct case_input *input, void *piece)
{
    XGROW(input->pieces, input->piece_count, input->piece_capacity);
    input->pieces[input->piece_count++] = piece;
    return piece;
}

/* --- records --- */

/* A text as it is, null, a list or map as JSON, {base64: ...} as bytes. */
static struct str bytes_of(struct case_input *input, const struct tree_node *node, struct report *report)
{
    const struct tree_node *base64 = node && node->kind == TREE_MAP && node->count == 1 ? tree_get(node, "base64") : NULL;
    struct buffer json;
    struct str bytes;

    if (!node || tree_is_null(node))
        return STR_NONE;
    if (node->kind == TREE_SCALAR)
        return node->text;
    if (base64 && base64->kind == TREE_SCALAR) {
        char *room = keep(input, xmalloc(base64->text.size + 1));

        bytes.data = room;
        if (!str_decode_base64(base64->text, room, &bytes.size))
            report_mistake(report, base64->at, base64->width, "this is not base64");
        return bytes;
    }
    buffer_init(&json, 0);
    cell_tree_json(node, &json);
    bytes.size = json.size;
    bytes.data = keep(input, buffer_take(&json, NULL));
    return bytes;
}

static void headers_read(struct case_input *input, const struct tree_node *node, struct message *message, struct report *report)
{
    struct buffer text;

    if (!node || tree_is_null(node))
        return;
    buffer_init(&text, 0);
    for (size_t i = 0; i < node->count || node->kind != TREE_LIST; i++) {
        const struct tree_node *pair = node->kind == TREE_LIST ? node->items[i] : node;

        if (node->kind != TREE_LIST || pair->kind != TREE_LIST || pair->count != 2 || tree_is_null(pair->items[0])) {
            report_mistake(report, pair->at, pair->width, "headers: must be a list of [name, value], such as [[trace, abc]]");
            break;
        }
        headers_append(&text, bytes_of(input, pair->items[0], report), bytes_of(input, pair->items[1], report));
    }
    headers_end(&text);
    if (text.size) {
        message->headers.size = text.size;
        message->headers.data = keep(input, buffer_take(&text, NULL));
    }
    buffer_release(&text);
}

static int64_t timestamp_read(const struct tree_node *node, const char *zone, struct report *report)
{
    struct error error = {0};
    char excerpt[OPTION_EXCERPT_MAX];
    int128 number;
    int64_t ms = 0;

    if (!node)
        return 0;
    if (node->kind == TREE_SCALAR && decimal_parse(node->text, type_decimal(18, 0), &number) == DECIMAL_OK && number >= -1)
        return (int64_t)number;
    if (node->kind != TREE_SCALAR)
        report_mistake(report, node->at, node->width, "timestamp: must be milliseconds since 1970, or a time");
    else if (!start_time_parse(node->text, zone, &ms, &error))
        report_mistake(report, node->at, node->width, "timestamp: %s %s", option_excerpt(node, excerpt), error.text);
    return ms;
}

static void sample_use(struct case_input *input, struct report *report)
{
    if (!sample_read(&input->sample, input->test->sample, report))
        return;
    input->count = input->sample->count;
    input->messages = xcalloc(input->count + 1, sizeof(*input->messages));
    input->partitions = xcalloc(input->count + 1, sizeof(*input->partitions));
    memcpy(input->messages, input->sample->messages, input->count * sizeof(*input->messages));
    memcpy(input->partitions, input->sample->partition_of, input->count * sizeof(*input->partitions));
}

static void records_read(struct case_input *input, const char *zone, struct report *report)
{
    const struct test_case *test = input->test;

    input->count = test->input_count;
    input->messages = xcalloc(input->count + 1, sizeof(*input->messages));
    input->partitions = xcalloc(input->count + 1, sizeof(*input->partitions));
    for (size_t i = 0; i < input->count; i++) {
        const struct case_record *record = &test->input[i];
        struct message *message = &input->messages[i];

        if (!record->value)
            report_mistake(report, record->at, record->width,
                           "\"value\" is missing; a record without a value (a tombstone) has value: null");
        message->value = bytes_of(input, record->value, report);
        message->key = bytes_of(input, record->key, report);
        message->timestamp_ms = timestamp_read(record->timestamp, zone, report);
        headers_read(input, record->headers, message, report);
        input->partitions[i] = record->partition;
        message->offset = record->offset;
        for (size_t j = i; j-- > 0 && message->offset < 0;)
            if (input->partitions[j] == record->partition)
                message->offset = input->messages[j].offset + 1;
        message->offset = int64_max(message->offset, 0);
    }
}

/* --- rows --- */

static struct typed_field *field_of(struct case_input *input, struct str name)
{
    struct typed_field *field;

    for (size_t i = 0; i < input->field_count; i++)
        if (str_equal(input->fields[i].name, name))
            return &input->fields[i];
    XGROW(input->fields, input->field_count, input->field_capacity);
    field = &input->fields[input->field_count++];
    *field = (struct typed_field){.name = name, .type = TYPE_OF(TYPE_NULL)};
    return field;
}

/* The digits of a plain number before and behind its point. */
static struct type number_type(struct str text)
{
    const char *point = memchr(text.data, '.', text.size);
    size_t scale = point ? text.size - (size_t)(point - text.data) - 1 : 0;

    if (memchr(text.data, 'e', text.size) || memchr(text.data, 'E', text.size))
        return TYPE_OF(TYPE_DOUBLE);
    return point ? type_decimal(38, (uint8_t)size_min(scale, 38)) : TYPE_OF(TYPE_BIGINT);
}

static struct type type_join(struct type a, struct type b)
{
    if (a.kind == TYPE_NULL)
        return b;
    if (a.kind == TYPE_DOUBLE || b.kind == TYPE_DOUBLE)
        return TYPE_OF(TYPE_DOUBLE);
    if (a.kind == TYPE_DECIMAL && b.kind == TYPE_DECIMAL)
        return a.scale >= b.scale ? a : b;
    return a.kind == TYPE_DECIMAL ? a : b;
}

static void type_guess(struct typed_field *field, const struct tree_node *value, struct report *report)
{
    bool number = cell_is_number(value);
    struct type type = TYPE_OF(TYPE_STRING);

    if (value->kind != TREE_SCALAR)
        type = TYPE_OF(TYPE_JSON);
    else if (number)
        type = number_type(value->text);
    else if (!value->quoted && (str_is(value->text, "true") || str_is(value->text, "false")))
        type = TYPE_OF(TYPE_BOOLEAN);
    if (number && (field->numbers || field->type.kind == TYPE_NULL)) {
        field->type = type_join(field->type, type);
        field->numbers = true;
        return;
    }
    if (field->type.kind != TYPE_NULL && (field->type.kind != type.kind || number != field->numbers)) {
        char before[TYPE_NAME_MAX], now[TYPE_NAME_MAX];

        report_mistake(report, value->at, value->width,
                       "%.*s: this looks like %s, and on line %u like %s; name its type under "
                       "fields:",
                       STR_ARG(field->name), type_print(type, now), field->at.line, type_print(field->type, before));
        field->declared = true;
    }
    field->type = type;
}

/* The fields that there are, and their types: what goes into the stage of a job, or what the file says. */
static void fields_declare(struct case_input *input, const struct case_file *file, const struct batch *probe,
                           struct report *report)
{
    const struct tree_node *types = file->fields;
    struct error error = {0};

    for (uint32_t i = 0; probe && i < probe->field_count; i++) {
        const struct field *from = &probe->fields[i];
        struct typed_field *field = field_of(input, str_make(keep(input, str_dup(from->name)), from->name.size));
        bool number = from->builtin == BUILTIN_PARTITION || from->builtin == BUILTIN_OFFSET || from->builtin == BUILTIN_TIMESTAMP;

        field->type = from->column ? from->column->type : TYPE_OF(number ? TYPE_BIGINT : TYPE_STRING);
        field->declared = field->type.kind != TYPE_NULL;
    }
    for (size_t i = 0; types && i < types->count; i++) {
        const struct tree_node *value = types->entries[i].value;
        struct typed_field *field = field_of(input, types->entries[i].key);

        field->declared = true;
        if (value->kind == TREE_SCALAR && !type_parse(value->text, &field->type, &error))
            report_mistake(report, value->at, value->width, "fields.%.*s: %s%s", STR_ARG(field->name), error.text,
                           memchr(value->text.data, '(', value->text.size) ? "; inside { } a type with a comma needs quotes"
                                                                           : "");
    }
}

static void field_unknown(const struct case_input *input, size_t known, const struct tree_entry *entry, struct report *report)
{
    char **names = xcalloc(known + 1, sizeof(*names));
    const char *nearest;

    for (size_t i = 0; i < known; i++)
        names[i] = str_dup(input->fields[i].name);
    nearest = str_nearest(entry->key, (const char *const *)names, known);
    report_mistake(report, entry->at, (unsigned)size_max(entry->key.size, 1), "%s \"%.*s\"%s%s%s",
                   input->test->from ? "no such field goes into the stage:" : "fields does not name", STR_ARG(entry->key),
                   nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    for (size_t i = 0; i < known; i++)
        free(names[i]);
    free(names);
}

static void fields_read(struct case_input *input, struct report *report)
{
    const struct tree_node *rows = input->test->rows;
    size_t known = input->field_count, kept = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct tree_node *row = rows->items[i];

        for (size_t j = 0; row->kind == TREE_MAP && j < row->count; j++) {
            size_t before = input->field_count;
            struct typed_field *field = field_of(input, row->entries[j].key);

            if (!field->seen)
                field->at = row->entries[j].at;
            field->seen = true;
            if (known && input->field_count > before) {
                field_unknown(input, known, &row->entries[j], report);
                field->declared = true;
            }
            if (!field->declared && !tree_is_null(row->entries[j].value))
                type_guess(field, row->entries[j].value, report);
        }
    }
    /* Source fields that no row names stay those of a record without key and value. */
    for (size_t i = 0; i < input->field_count; i++) {
        struct typed_field *field = &input->fields[i];
        bool builtin = false;

        for (int b = 0; b < BUILTIN_COUNT; b++)
            builtin |= str_is(field->name, batch_builtin_names[b]);
        if (field->type.kind == TYPE_NULL)
            field->type = TYPE_OF(TYPE_STRING);
        if (!builtin || field->seen)
            input->fields[kept++] = *field;
    }
    input->field_count = kept;
    input->count = rows->count;
}

/* The values of a field in rows [first, first + count). */
static struct column *column_make(struct case_input *input, struct batch *batch, const struct typed_field *field, size_t first,
                                  struct convert *convert, struct report *report)
{
    struct column *column = column_try_new(&batch->arena, field->type, batch->row_count, true);
    size_t size = type_size(field->type.kind);

    for (uint32_t row = 0; column && row < batch->row_count; row++) {
        struct tree_node *map = input->test->rows->items[first + row], *value = NULL;
        struct str text;
        const char *reason = "";

        for (size_t i = 0; i < map->count && !value; i++)
            if (str_equal(map->entries[i].key, field->name))
                value = map->entries[i].value;
        memset((char *)column->data + row * size, 0, size);
        column->null[row] = !value || tree_is_null(value);
        if (column->null[row])
            continue;
        text = value->kind == TREE_SCALAR ? value->text : bytes_of(input, value, report);
        if (field->type.kind == TYPE_JSON && value->kind == TREE_SCALAR && !value->quoted) { /* a word or a number */
            struct buffer json;

            buffer_init(&json, 0);
            cell_tree_json(value, &json);
            text.size = json.size;
            text.data = keep(input, buffer_take(&json, NULL));
        }
        if (convert_text(convert, &batch->arena, text, field->type, (char *)column->data + row * size, &reason) != CONVERT_OK) {
            char type[TYPE_NAME_MAX];

            column->null[row] = true;
            if (report)
                report_mistake(report, value->at, value->width, "%.*s: \"%.*s\" %s (%s)", STR_ARG(field->name),
                               STR_ARG(str_head(text, 60)), reason, type_print(field->type, type));
        }
    }
    return column;
}

static bool rows_fill(struct case_input *input, struct batch *batch, size_t first, size_t count, unsigned builtins,
                      struct report *report, struct error *error)
{
    struct convert convert = {.zone = input->zone};
    bool ok;

    for (size_t i = 0; i < count; i++)
        batch_add_message(batch, &(struct message){.offset = (int64_t)(first + i)}, NULL);
    batch->partition = 0;
    ok = batch_begin(batch, builtins);
    for (size_t i = 0; ok && i < input->field_count; i++) {
        struct column *column = column_make(input, batch, &input->fields[i], first, &convert, report);

        ok = column && batch_set(batch, input->fields[i].name, column);
    }
    return ok || error_set(error, ERROR_DATA, "the rows of the case need more memory than a batch may use");
}

/* --- both --- */

bool case_input_new(struct case_input **input_out, const struct case_file *file, const struct test_case *test,
                    const struct batch *probe, const char *zone_name, struct report *report)
{
    struct case_input *input = xcalloc(1, sizeof(*input));
    unsigned mistakes = report_mistakes(report);
    struct error error = {0};

    input->test = test;
    if (zone_name && !zone_open(&input->zone, str_of(zone_name), &error))
        input->zone = NULL;
    if (test->rows) {
        struct batch *batch = batch_new((size_t)256 << 20);

        fields_declare(input, file, probe, report);
        fields_read(input, report);
        /* All values once, so that every mistake is told before anything runs. */
        for (size_t first = 0; report_mistakes(report) == mistakes && first < input->count; first += BATCH_ROWS_MAX) {
            batch_clear(batch);
            if (!rows_fill(input, batch, first, size_min(input->count - first, BATCH_ROWS_MAX), 0, report, &error))
                report_mistake(report, test->at, test->width, "%s", error.text);
        }
        batch_free(batch);
    } else if (test->sample) {
        sample_use(input, report);
    } else {
        records_read(input, zone_name, report);
    }
    *input_out = input;
    return report_mistakes(report) == mistakes;
}

void case_input_free(struct case_input *input)
{
    if (!input)
        return;
    for (size_t i = 0; i < input->piece_count; i++)
        free(input->pieces[i]);
    free(input->pieces);
    free(input->messages);
    free(input->partitions);
    free(input->fields);
    zone_free(input->zone);
    sample_free(input->sample);
    free(input);
}

bool case_input_empty(struct case_input *input, struct batch *batch, unsigned builtins, struct error *error)
{
    batch_clear(batch);
    if (input->test->rows)
        return rows_fill(input, batch, 0, 0, builtins, NULL, error);
    return batch_begin(batch, builtins) || error_set(error, ERROR_FATAL, "no memory for an empty batch");
}

bool case_input_next(struct case_input *input, struct batch *batch, unsigned builtins, size_t *first_out, struct error *error)
{
    size_t first = input->next, count = 0;

    error->kind = ERROR_NONE;
    if (first == input->count)
        return false;
    *first_out = first + 1;
    batch_clear(batch);
    if (input->test->rows) {
        count = size_min(input->count - first, BATCH_ROWS_MAX);
        input->next += count;
        return rows_fill(input, batch, first, count, builtins, NULL, error);
    }
    while (first + count < input->count && count < BATCH_ROWS_MAX && input->partitions[first + count] == input->partitions[first])
        count++;
    for (size_t i = 0; i < count; i++)
        batch_add_message(batch, &input->messages[first + i], NULL);
    batch->partition = input->partitions[first];
    input->next += count;
    return batch_begin(batch, builtins) || error_set(error, ERROR_DATA, "the records of the case need more memory than a batch");
}
