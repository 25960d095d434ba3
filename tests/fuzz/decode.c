/* decode.c: any bytes as records that source.decode takes apart.
 * Input: words of options with ";" between them, and records, all with the separator between them. Words: a kind (text,
 * json_lines, csv), "charset=NAME", "d=DELIMITER", "q=QUOTE", "e=ESCAPE", "n=TEXT FOR NULL", "r=ROWS", "c=LETTERS" for the
 * columns, "header", "trim". Rows are claimed to be those of a reader that goes byte by byte, where all columns are strings, and
 * of another UTF-8 check. */
#include "fuzz.h"

#include "decode/decode.h"

#include <ctype.h>
#include <glib.h>

enum { RECORDS_MAX = 12, COLUMNS_MAX = 8, ARENA_BYTES_MAX = 32 << 20 };

struct spec {
    struct job job;
    struct job_decode_column columns[COLUMNS_MAX];
    char names[COLUMNS_MAX][8];
    char *charset;
    bool strings; /* all columns are */
};

static bool read_columns(struct spec *spec, struct str letters)
{
    static const struct {
        char letter;
        const char *type;
    } types[] = {{'s', "string"},  {'i', "bigint"},    {'f', "double"}, {'d', "decimal(10,2)"},
                 {'b', "boolean"}, {'t', "timestamp"}, {'y', "binary"}, {'j', "json"}};
    struct job_decode *decode = &spec->job.source.decode;

    for (size_t i = 0; i < letters.size; i++) {
        struct job_decode_column *column = &spec->columns[decode->column_count];
        const char *type = NULL;

        for (size_t k = 0; k < COUNT_OF(types); k++)
            if (types[k].letter == letters.data[i])
                type = types[k].type;
        if (!type || decode->column_count == COLUMNS_MAX)
            return false;
        spec->strings &= letters.data[i] == 's';
        snprintf(spec->names[decode->column_count], sizeof(spec->names[0]), "c%zu", decode->column_count);
        column->name = spec->names[decode->column_count++];
        column->type = (char *)(uintptr_t)type;
    }
    return true;
}

static bool read_word(struct spec *spec, struct str name, struct str value)
{
    static const char *const kinds[] = {"text", "json_lines", "csv"};
    struct job_decode *decode = &spec->job.source.decode;
    size_t size = value.size;

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (str_is(name, kinds[i]) && !value.data)
            decode->kind = (char *)(uintptr_t)kinds[i];
    if (str_is(name, "header"))
        decode->header = true;
    else if (str_is(name, "trim"))
        decode->trim = true;
    else if (str_is(name, "charset") && value.data && !spec->charset)
        decode->charset = spec->charset = str_dup(value);
    else if (str_is(name, "d") && size >= 1 && size <= 8)
        decode->delimiter = value;
    else if (str_is(name, "q") && size <= 1 && value.data)
        decode->quote = value;
    else if (str_is(name, "e") && size <= 1 && value.data)
        decode->escape = value;
    else if (str_is(name, "n") && value.data)
        decode->null = value;
    else if (str_is(name, "r") && size == 1 && isdigit((unsigned char)value.data[0]))
        decode->rows_max = (unsigned)(value.data[0] - '0');
    else if (str_is(name, "c") && value.data)
        return read_columns(spec, value);
    return true;
}

static bool read_spec(struct spec *spec, struct str words)
{
    struct str word, name, value;

    spec->job.source.fields = (1u << BUILTIN_COUNT) - 1;
    spec->job.source.decode = (struct job_decode){
        .kind = (char *)(uintptr_t) "text", .rows_max = 100, .delimiter = STR(","), .quote = STR("\""), .columns = spec->columns};
    spec->strings = true;
    while (words.data) {
        str_cut(words, ';', &word, &words);
        str_cut(word, '=', &name, &value);
        if (!read_word(spec, name, value))
            return false;
    }
    return true;
}

/* --- the readers that go byte by byte --- */

static void print_text(struct buffer *text, struct str cell)
{
    if (!cell.data)
        buffer_append_str(text, STR("|NULL"));
    else
        buffer_print(text, "|%zu:", cell.size);
    buffer_append_str(text, cell);
}

struct reader {
    const struct job_decode *decode;
    const char *p, *end;
};

static bool at_delimiter(const struct reader *reader, const char *p)
{
    struct str delimiter = reader->decode->delimiter;

    return (size_t)(reader->end - p) >= delimiter.size && memcmp(p, delimiter.data, delimiter.size) == 0;
}

static bool at_end(const struct reader *reader, const char *p)
{
    return p == reader->end || *p == '\n' || (*p == '\r' && (p + 1 == reader->end || p[1] == '\n'));
}

static bool is_blank(const struct reader *reader, char c)
{
    return (c == ' ' || c == '\t') && c != reader->decode->delimiter.data[0];
}

static bool is_escape(const struct reader *reader, char c)
{
    return reader->decode->escape.size && c == reader->decode->escape.data[0];
}

static bool is_quote(const struct reader *reader, char c)
{
    return reader->decode->quote.size && c == reader->decode->quote.data[0];
}

/* What stands up to the delimiter or the line's end, where the reader goes. */
static struct str skip_plain(struct reader *reader)
{
    const char *start = reader->p;

    while (reader->p < reader->end && *reader->p != '\n' && !at_delimiter(reader, reader->p))
        reader->p += is_escape(reader, *reader->p) && reader->end - reader->p > 1 ? 2 : 1;
    return str_make(start, (size_t)(reader->p - start));
}

/* One field, into the cell; false where it is none. */
static bool read_field(struct reader *reader, struct buffer *cell, bool *null)
{
    const struct job_decode *decode = reader->decode;
    const char *p = reader->p;
    struct str text;

    buffer_clear(cell);
    *null = false;
    while (decode->trim && p < reader->end && is_blank(reader, *p))
        p++;
    if (p < reader->end && is_quote(reader, *p)) {
        for (p++; p < reader->end; p++) {
            if (is_escape(reader, *p) && reader->end - p > 1)
                p++;
            else if (is_quote(reader, *p) && reader->end - p > 1 && is_quote(reader, p[1]))
                p++;
            else if (is_quote(reader, *p))
                break;
            buffer_append_char(cell, *p);
        }
        if (p == reader->end) {
            reader->p = p;
            return false;
        }
        for (p++; decode->trim && p < reader->end && is_blank(reader, *p);)
            p++;
        reader->p = p;
        if (at_end(reader, p) || at_delimiter(reader, p))
            return true;
        (void)skip_plain(reader);
        return false;
    }
    text = skip_plain(reader);
    if (text.size && text.data[text.size - 1] == '\r' && at_end(reader, reader->p))
        text.size--;
    while (decode->trim && text.size && is_blank(reader, text.data[0]))
        text = str_make(text.data + 1, text.size - 1);
    while (decode->trim && text.size && is_blank(reader, text.data[text.size - 1]))
        text.size--;
    *null = decode->null.data && str_equal(text, decode->null);
    for (size_t i = 0; i < text.size; i++)
        buffer_append_char(cell, text.data[is_escape(reader, text.data[i]) && i + 1 < text.size ? ++i : i]);
    return true;
}

static void expect_csv(const struct job_decode *decode, uint32_t record, struct str value, struct buffer *rows,
                       struct buffer *dirty)
{
    struct reader reader = {decode, value.data, value.data + value.size};
    struct buffer row, cell;
    uint32_t index = 0;

    buffer_init(&row, 0);
    buffer_init(&cell, 0);
    while (reader.p < reader.end) {
        size_t fields = 0;
        bool ok = true, null;

        if (at_end(&reader, reader.p)) {
            reader.p += *reader.p == '\r';
            reader.p += reader.p < reader.end;
            continue;
        }
        buffer_clear(&row);
        for (;;) {
            ok &= read_field(&reader, &cell, &null);
            if (fields++ < decode->column_count)
                print_text(&row, null ? STR_NONE : buffer_str(&cell));
            if (at_end(&reader, reader.p))
                break;
            reader.p += decode->delimiter.size;
        }
        reader.p += reader.p < reader.end && *reader.p == '\r';
        reader.p += reader.p < reader.end;
        if (ok && fields == decode->column_count) {
            buffer_print(rows, "%u/%u", record, index);
            buffer_append_str(rows, buffer_str(&row));
            buffer_append_char(rows, '\n');
        } else {
            buffer_print(dirty, "!%u/%u\n", record, index);
        }
        index++;
    }
    buffer_release(&row);
    buffer_release(&cell);
}

static void expect_lines(uint32_t record, struct str value, struct buffer *rows)
{
    struct str line;
    uint32_t index = 0;

    while (value.data) {
        str_cut(value, '\n', &line, &value);
        while (line.size && strchr(" \t\r\n", line.data[0]) && line.data[0])
            line = str_make(line.data + 1, line.size - 1);
        while (line.size && strchr(" \t\r\n", line.data[line.size - 1]) && line.data[line.size - 1])
            line.size--;
        if (!line.size)
            continue;
        buffer_print(rows, "%u/%u", record, index++);
        print_text(rows, line);
        buffer_append_char(rows, '\n');
    }
}

/* GLib takes no zero bytes. */
static bool is_utf8(struct str text)
{
    while (text.size) {
        size_t size = strnlen(text.data, text.size);

        if (!g_utf8_validate_len(text.data, size, NULL))
            return false;
        size += size < text.size;
        text = str_make(text.data + size, text.size - size);
    }
    return true;
}

static void expect(const struct job_decode *decode, uint32_t record, struct str value, struct buffer *rows, struct buffer *dirty)
{
    if (value.size >= 3 && memcmp(value.data, "\xEF\xBB\xBF", 3) == 0)
        value = str_make(value.data + 3, value.size - 3);
    if (strcmp(decode->kind, "csv") == 0) {
        expect_csv(decode, record, value, rows, dirty);
    } else if (strcmp(decode->kind, "json_lines") == 0) {
        expect_lines(record, value, rows);
    } else {
        buffer_print(rows, "%u/0", record);
        print_text(rows, value);
        buffer_append_char(rows, '\n');
    }
}

/* --- what came out --- */

static void print_batch(struct batch *batch, const struct spec *spec, struct buffer *rows, struct buffer *dirty)
{
    const struct job_decode *decode = &spec->job.source.decode;
    bool csv = strcmp(decode->kind, "csv") == 0;

    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        buffer_print(rows, "%u/%u", batch->row_message ? batch->row_message[row] : row,
                     batch->row_index ? batch->row_index[row] : 0);
        for (size_t k = 0; k < (csv ? decode->column_count : 1); k++) {
            struct field *field = batch_field(batch, csv ? str_of(spec->columns[k].name) : STR("__value__"));
            struct column *column = field ? batch_column(batch, field) : NULL;

            FUZZ_CLAIM(column, "no column %zu", k);
            if (type_is_text(column->type.kind) || column->type.kind == TYPE_BINARY)
                print_text(rows, column_is_null(column, row) ? STR_NONE : column->text[row]);
        }
        buffer_append_char(rows, '\n');
    }
    for (const struct dirty_row *row = batch->dirty; row; row = row->next) {
        FUZZ_CLAIM(row->reason.size, "no reason");
        buffer_print(dirty, "!%u/%u\n", row->message, row->index);
    }
    FUZZ_CLAIM(batch->selected + batch->filtered_count + batch->dirty_count == batch->message_count + batch->expanded_count,
               "%u written, %u filtered, %u dirty", batch->selected, batch->filtered_count, batch->dirty_count);
}

static void run(const struct spec *spec, struct decoder *decoder, const struct str *records, size_t count)
{
    const struct job_decode *decode = &spec->job.source.decode;
    static struct batch *batch;
    struct buffer texts[4];
    struct error error;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        buffer_init(&texts[i], 0);
    if (!batch)
        batch = batch_new(ARENA_BYTES_MAX);
    batch_clear(batch);
    for (size_t i = 0; i < count; i++)
        batch_add_message(batch, &(struct message){.value = records[i], .offset = (int64_t)i}, NULL);
    FUZZ_CLAIM(batch_begin(batch, spec->job.source.fields), "no room");
    if (decoder_run(decoder, batch, &error)) {
        print_batch(batch, spec, &texts[0], &texts[1]);
        if (spec->strings && decode->rows_max == 100 && !decode->header &&
            (!decode->charset || strcasecmp(decode->charset, "utf-8") == 0)) {
            for (uint32_t i = 0; i < count; i++)
                if (decode->charset && !is_utf8(records[i]))
                    buffer_print(&texts[3], "!%u/0\n", i);
            for (uint32_t i = 0; i < count; i++)
                if (!decode->charset || is_utf8(records[i]))
                    expect(decode, i, records[i], &texts[2], &texts[3]);
            FUZZ_CLAIM(str_equal(buffer_str(&texts[0]), buffer_str(&texts[2])), "\n%s\ninstead of\n%s", buffer_text(&texts[0]),
                       buffer_text(&texts[2]));
            FUZZ_CLAIM(str_equal(buffer_str(&texts[1]), buffer_str(&texts[3])), "\n%s\ninstead of\n%s", buffer_text(&texts[1]),
                       buffer_text(&texts[3]));
        } else if (decode->charset) {
            FUZZ_CLAIM(memchr(buffer_str(&texts[0]).data, 0, texts[0].size) || is_utf8(buffer_str(&texts[0])), "no UTF-8");
        }
    } else {
        FUZZ_CLAIM(error.text[0], "no reason");
    }
    batch_clear(batch);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        buffer_release(&texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), words, records[RECORDS_MAX];
    struct spec spec = {.strings = true};
    struct decoder *decoder;
    struct error error;
    size_t count = 0;

    if (fuzz_part(&rest, &words) && read_spec(&spec, words) && decoder_open(&decoder, &spec.job, NULL, NULL, &error)) {
        if (!spec.job.source.decode.charset && strcmp(spec.job.source.decode.kind, "text") == 0)
            spec.job.source.decode.charset = spec.charset = xstrdup("utf-8"); /* the kind's own default */
        while (count < RECORDS_MAX && fuzz_part(&rest, &records[count])) {
            records[count] = fuzz_copy(records[count]);
            count++;
        }
        run(&spec, decoder, records, count);
        decoder_free(decoder);
    }
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)records[i].data);
    free(spec.charset);
    return 0;
}
