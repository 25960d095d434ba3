/* rows.c: the file is small and read whole. */
#include "tryout/rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "batch/convert.h"
#include "util/file.h"

enum { FILE_BYTES_MAX = 64 << 20 };

struct hand_row {
    unsigned line;
    struct str text; /* of the line */
    yyjson_doc *document;
};

struct hand {
    const char *path;
    const struct batch *probe;
    struct report *report;
    struct buffer text; /* the file */
    struct hand_row *rows;
    size_t count, capacity;
    bool ok;
};

static void wrong(struct hand *hand, unsigned line, unsigned column, const char *format, ...) PRINTF_LIKE(4, 5);
static void wrong(struct hand *hand, unsigned line, unsigned column, const char *format, ...)
{
    char text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    hand->ok = false;
    report_mistake(hand->report, (struct location){hand->path, line, column}, 1, "%s", text);
}

/* Columns count characters. */
static unsigned column_at(struct str line, size_t byte)
{
    unsigned column = 1;

    for (size_t i = 0; i < size_min(byte, line.size); i++)
        column += ((unsigned char)line.data[i] & 0xC0) != 0x80;
    return column;
}

static void line_read(struct hand *hand, struct str line, unsigned number)
{
    yyjson_read_err fault;
    yyjson_doc *document;

    if (!str_trim(line).size)
        return;
    document = yyjson_read_opts((char *)(uintptr_t)line.data, line.size, YYJSON_READ_NUMBER_AS_RAW, NULL, &fault);
    if (!document) {
        wrong(hand, number, column_at(line, fault.pos), "this is no JSON: %s", fault.msg);
        return;
    }
    if (!yyjson_is_obj(yyjson_doc_get_root(document))) {
        wrong(hand, number, 1, "a row is an object of fields, as in {\"id\": 1, \"city\": null}");
        yyjson_doc_free(document);
        return;
    }
    XGROW(hand->rows, hand->count, hand->capacity);
    hand->rows[hand->count++] = (struct hand_row){number, line, document};
}

/* Whether there are rows to look at; their mistakes come with those of other lines. */
static bool lines_read(struct hand *hand)
{
    struct error error = {0};
    struct str line, rest;
    unsigned number = 0;

    if (!file_read(&hand->text, hand->path, FILE_BYTES_MAX, NULL, &error)) {
        wrong(hand, 0, 0, "%s", error.text);
        return false;
    }
    for (rest = buffer_str(&hand->text); rest.size;) {
        str_cut(rest, '\n', &line, &rest);
        line_read(hand, line, ++number);
    }
    if (hand->ok && !hand->count)
        wrong(hand, 0, 0, "there is no row in it");
    if (hand->count > BATCH_ROWS_MAX)
        wrong(hand, hand->rows[BATCH_ROWS_MAX].line, 1, "rows by hand are at most %d", BATCH_ROWS_MAX);
    return hand->count && hand->count <= BATCH_ROWS_MAX;
}

/* Where the field's name stands in the line, as far as it is written without escapes. */
static unsigned column_of(const struct hand_row *row, struct str name)
{
    char *quoted = xasprintf("\"%.*s\"", STR_ARG(name));
    const char *at = memmem(row->text.data, row->text.size, quoted, strlen(quoted));

    free(quoted);
    return at ? column_at(row->text, (size_t)(at - row->text.data)) : 1;
}

static void names_check(struct hand *hand)
{
    for (size_t i = 0; i < hand->count; i++) {
        size_t at, count;
        yyjson_val *key, *value;

        yyjson_obj_foreach(yyjson_doc_get_root(hand->rows[i].document), at, count, key, value)
        {
            struct str name = str_make(yyjson_get_str(key), yyjson_get_len(key));
            char suggestion[FIELD_SUGGESTION_MAX];

            if (!batch_field(hand->probe, name))
                wrong(hand, hand->rows[i].line, column_of(&hand->rows[i], name), "no field \"%.*s\" comes into the stage%s",
                      STR_ARG(str_head(name, 80)), batch_field_suggest(hand->probe, name, suggestion));
        }
    }
}

static enum convert_status json_text(struct arena *arena, yyjson_val *value, struct str *text_out)
{
    size_t size;
    char *written = yyjson_val_write(value, 0, &size);

    *text_out = written ? arena_try_copy(arena, str_make(written, size)) : STR_NONE;
    free(written);
    return text_out->data ? CONVERT_OK : CONVERT_FULL;
}

static enum convert_status base64_text(struct arena *arena, yyjson_val *value, struct str *text_out, const char **reason_out)
{
    yyjson_val *inner = yyjson_obj_get(value, "base64");
    struct str text = str_make(yyjson_get_str(inner), yyjson_get_len(inner));
    char *bytes = inner ? arena_try_alloc(arena, text.size / 4 * 3 + 1) : NULL;
    size_t size;

    if (inner && !bytes)
        return CONVERT_FULL;
    *reason_out = "is neither a text nor {\"base64\": \"...\"}";
    if (!bytes || !yyjson_is_str(inner) || !str_decode_base64(text, bytes, &size))
        return CONVERT_FAILED;
    *text_out = str_make(bytes, size);
    return CONVERT_OK;
}

static enum convert_status value_read(struct convert *convert, struct arena *arena, yyjson_val *value, struct type type,
                                      void *cell, const char **reason_out)
{
    struct str text = yyjson_is_str(value) ? str_make(yyjson_get_str(value), yyjson_get_len(value)) : STR_NONE;

    if (yyjson_is_null(value))
        return CONVERT_NULL;
    if (type.kind == TYPE_JSON)
        return json_text(arena, value, cell);
    if (type.kind == TYPE_BINARY && !text.data)
        return base64_text(arena, value, cell, reason_out);
    if ((type.kind == TYPE_STRING || type.kind == TYPE_BINARY) && text.data) {
        *(struct str *)cell = arena_try_copy(arena, text);
        return ((struct str *)cell)->data ? CONVERT_OK : CONVERT_FULL;
    }
    if (type.kind == TYPE_STRING)
        return json_text(arena, value, cell);
    if (!text.data)
        return convert_json(convert, arena, value, type, cell, reason_out);
    return convert_text(convert, arena, text, type, cell, reason_out);
}

/* The column of one field, over all rows; NULL: no memory. */
static struct column *column_read(struct hand *hand, struct batch *batch, struct convert *convert, struct str name,
                                  struct type type)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, true);
    size_t size = type_size(type.kind);

    for (uint32_t row = 0; column && row < batch->row_count; row++) {
        yyjson_val *value = yyjson_obj_getn(yyjson_doc_get_root(hand->rows[row].document), name.data, name.size);
        void *cell = (char *)column->data + row * size;
        const char *reason = "";
        struct str shown;

        memset(cell, 0, size);
        switch (value ? value_read(convert, &batch->arena, value, type, cell, &reason) : CONVERT_NULL) {
        case CONVERT_OK:
            break;
        case CONVERT_NULL:
            column->null[row] = 1;
            break;
        case CONVERT_FULL:
            return NULL;
        case CONVERT_FAILED: {
            char type_name[TYPE_NAME_MAX];

            if (json_text(&batch->arena, value, &shown) != CONVERT_OK)
                return NULL;
            wrong(hand, hand->rows[row].line, column_of(&hand->rows[row], name), "field %.*s (%s): %.*s %s", STR_ARG(name),
                  type_print(type, type_name), STR_ARG(str_head(shown, 60)), reason);
        }
        }
    }
    return column;
}

static bool is_named(const struct hand *hand, struct str name)
{
    for (size_t i = 0; i < hand->count; i++)
        if (yyjson_obj_getn(yyjson_doc_get_root(hand->rows[i].document), name.data, name.size))
            return true;
    return false;
}

static bool columns_read(struct hand *hand, struct batch *batch, struct convert *convert)
{
    for (uint32_t i = 0; i < hand->probe->field_count; i++) {
        const struct field *field = &hand->probe->fields[i];
        struct type type = batch_field_type(field);
        struct column *column;

        if (field->builtin >= 0 && !is_named(hand, field->name))
            continue;
        column = column_read(hand, batch, convert, field->name, type.kind == TYPE_NULL ? TYPE_OF(TYPE_STRING) : type);
        if (!column || !batch_set(batch, field->name, column))
            return false;
    }
    /* Source fields that a stage has removed do not come back. */
    for (uint32_t i = 0; i < batch->field_count;) {
        if (batch_field(hand->probe, batch->fields[i].name))
            i++;
        else
            (void)batch_remove(batch, batch->fields[i].name);
    }
    return true;
}

static bool batch_make(struct hand *hand, struct batch **batch_out, const struct job *job)
{
    struct batch *batch = batch_new((size_t)64 << 20);
    struct zone *zone = NULL;
    struct convert convert = {0};

    batch->partition = 0;
    if (job->time_zone && zone_open(&zone, str_of(job->time_zone), NULL))
        convert.zone = zone;
    for (size_t i = 0; i < hand->count; i++)
        batch_add_message(batch, &(struct message){.offset = (int64_t)i}, NULL);
    if (!batch_begin(batch, job->source.fields) || !columns_read(hand, batch, &convert))
        wrong(hand, 0, 0, "the rows need more than 64 MiB");
    zone_free(zone);
    if (!hand->ok) {
        batch_free(batch);
        return false;
    }
    *batch_out = batch;
    return true;
}

bool rows_read(struct batch **batch_out, const char *path, const struct job *job, const struct batch *probe,
               struct report *report)
{
    struct hand hand = {.path = path, .probe = probe, .report = report, .ok = true};

    buffer_init(&hand.text, FILE_BYTES_MAX);
    if (lines_read(&hand)) {
        names_check(&hand);
        (void)batch_make(&hand, batch_out, job);
    }
    for (size_t i = 0; i < hand.count; i++)
        yyjson_doc_free(hand.rows[i].document);
    free(hand.rows);
    buffer_release(&hand.text);
    return hand.ok;
}
