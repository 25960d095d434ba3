/* decode_test.c: source.decode from the job file to rows. A case is what the job says, some records, and all that comes out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "batch/convert.h"
#include "decode/decode.h"
#include "util/buffer.h"

#define V(text) {(text), sizeof(text) - 1}
#define TOMBSTONE V("NULL")
#define KEY_SEPARATOR '\t' /* for kind text with key: the key stands before it */

static char folder[] = "/tmp/decode_XXXXXX";

static int write_sources(void **state)
{
    char path[64];
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/datasources.yaml", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("kafka: {k: {brokers: \"b:9092\"}}\n"
          "maxcompute: {m: {endpoint: \"http://h/api\", project: p, access_id: i, access_key: key-of-the-test}}\n", file);
    fclose(file);
    return 0;
}

static int remove_sources(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/datasources.yaml", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/job.yaml", folder);
    unlink(path);
    return rmdir(folder);
}

/* The job with that source; NULL with the report's text when it has mistakes. */
static struct job *load(const char *source, struct report *report)
{
    struct job *job = NULL;
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/job.yaml", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "name: j\ntime_zone: Asia/Shanghai\nsource: {kafka: k, topic: t, %s}\ntarget: {maxcompute: m, table: t}\n", source);
    fclose(file);
    if (job_load(&job, path, NULL, report))
        return job;
    job_free(job);
    return NULL;
}

static void print_cell(struct buffer *text, const struct column *column, uint32_t row)
{
    char excerpt[128];

    if (column_is_null(column, row))
        buffer_append_str(text, STR("NULL"));
    else if (type_is_text(column->type.kind))
        buffer_append_str(text, column->text[row]);
    else
        buffer_append_str(text, convert_excerpt(column, row, excerpt));
}

/* Rows as [index cell|cell] over all fields, dirty rows as !index:column:reason, and counts that
 * are not nothing. */
static void print_batch(struct buffer *text, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        buffer_print(text, "[%u ", batch->row_index ? batch->row_index[row] : 0);
        for (uint32_t k = 0, shown = 0; k < batch->field_count; k++) {
            struct column *column = batch_column(batch, &batch->fields[k]);

            assert_non_null(column);
            assert_int_equal(column->rows, batch->row_count);
            buffer_append_str(text, shown++ ? STR("|") : STR(""));
            print_cell(text, column, row);
        }
        buffer_append_char(text, ']');
    }
    for (const struct dirty_row *dirty = batch->dirty; dirty; dirty = dirty->next) {
        assert_string_equal(dirty->stage, "decode");
        buffer_print(text, "!%u:%.*s:%.*s", dirty->index, STR_ARG(dirty->column), STR_ARG(dirty->reason));
    }
    if (batch->filtered_count)
        buffer_print(text, "-%u", batch->filtered_count);
    assert_int_equal(batch->selected + batch->dirty_count + batch->filtered_count, batch->message_count + batch->expanded_count);
}

static void add_record(struct batch *batch, struct str record, bool keyed)
{
    struct message message = {.value = record, .offset = 100 + batch->message_count};

    if (str_is(record, "NULL"))
        message.value = STR_NONE;
    else if (keyed && str_cut(record, KEY_SEPARATOR, &message.key, &message.value) == false)
        message.value = message.key, message.key = STR_NONE;
    batch_add_message(batch, &message, NULL);
}

/* What becomes of the records, or the mistakes of the job; belongs to the caller. Each record is a heap block of its own, so that a
 * byte read behind it is found. */
static char *decode(const char *source, const struct str *records, size_t arena_bytes)
{
    struct report *report = report_new();
    struct batch *batch = batch_new(arena_bytes);
    char *copies[BATCH_ROWS_MAX];
    struct decoder *decoder = NULL;
    struct zone *zone = NULL;
    struct error error = {0};
    struct buffer text;
    size_t count = 0;
    struct job *job;

    buffer_init(&text, 0);
    job = load(source, report);
    if (!job || !zone_open(&zone, str_of(job->time_zone), &error) || !decoder_open(&decoder, job, zone, report, &error)) {
        report_print(report, &text);
    } else {
        /* Twice: what one batch leaves behind must not show in the next one. */
        for (int round = 0; round < 2; round++) {
            batch_clear(batch);
            buffer_clear(&text);
            for (count = 0; records[count].data; count++) {
                copies[count] = xmalloc(records[count].size + 1);
                memcpy(copies[count] + 1, records[count].data, records[count].size);
                add_record(batch, str_make(copies[count] + 1, records[count].size), strstr(source, "key: true"));
            }
            assert_true(batch_begin(batch, job->source.fields));
            if (decoder && !decoder_run(decoder, batch, &error))
                buffer_print(&text, "error %s", error.text);
            else
                print_batch(&text, batch);
            batch_clear(batch);
            while (count)
                free(copies[--count]);
        }
    }
    decoder_free(decoder);
    zone_free(zone);
    job_free(job);
    batch_free(batch);
    report_free(report);
    return buffer_take(&text, NULL);
}

struct decode_case {
    const char *about, *options; /* of decode */
    struct str records[5];
    const char *want;
};

static void run_cases(const struct decode_case *cases, size_t count, const char *kind)
{
    int failures = 0;

    for (size_t i = 0; i < count; i++) {
        const struct decode_case *c = &cases[i];
        bool keyed = strstr(c->options, "key: true");
        char *source = xasprintf("fields: [%s], decode: {kind: %s%s}", keyed ? "__key__, __value__" : "__value__", kind, c->options);
        char *got = decode(source, c->records, 16 << 20);

        if (strcmp(got, c->want) != 0)
            failures++, print_error("%s: got %s\n  instead of %s\n", c->about, got, c->want);
        free(got);
        free(source);
    }
    assert_int_equal(failures, 0);
}

static void text_becomes_utf8_or_dirty(void **state)
{
    static const struct decode_case cases[] = {
        {"gbk", ", charset: gbk", {V("\xc9\xcf\xba\xa3"), V("plain ascii, not copied"), V("")}, "[0 上海][0 plain ascii, not copied][0 ]"},
        {"names have no case", ", charset: GBK", {V("\xc9\xcf")}, "[0 上]"},
        {"four bytes of gb18030", ", charset: gb18030", {V("\x95\x32\x82\x36")}, "[0 \xf0\xa0\x80\x80]"},
        {"big5", ", charset: big5", {V("\xa4\xa4\xa4\xe5")}, "[0 中文]"},
        {"big5-hkscs holds a character back", ", charset: big5-hkscs", {V("\x88\x66"), V("\x88\x62")}, "[0 Ê][0 Ê̄]"},
        {"shift_jis keeps the backslash", ", charset: shift_jis", {V("\x93\xfa\x96\x7b\\~")}, "[0 日本\\~]"},
        {"a backslash alone is no other sign", ", charset: shift_jis", {V("{\"a\":\"\\n\"}")}, "[0 {\"a\":\"\\n\"}]"},
        {"utf-16le", ", charset: utf-16le", {V("\x2d\x4e\x41\x00"), V("\xff\xfe\x41\x00")}, "[0 中A][0 A]"},
        {"utf-16be", ", charset: utf-16be", {V("\x4e\x2d\x00\x41")}, "[0 中A]"},
        {"a pair of surrogates", ", charset: utf-16le", {V("\x3d\xd8\x00\xde")}, "[0 😀]"},
        {"half a pair", ", charset: utf-16le", {V("A\0\x3d\xd8"), V("B\0")}, "[0 B]!0:__value__:is no utf-16le text: byte 3 of 4 (3d d8)"},
        {"an odd byte", ", charset: utf-16le", {V("A\0B")}, "!0:__value__:is no utf-16le text: byte 3 of 3 (42)"},
        {"latin1 takes every byte", ", charset: latin1", {V("caf\xe9 \x00!")}, "[0 café \x00!]"},
        {"windows-1252 does not", ", charset: windows-1252", {V("\x80"), V("\x81")}, "[0 €]!0:__value__:is no windows-1252 text: byte 1 of 1 (81)"},
        {"the place of an invalid byte", ", charset: gbk", {V("ab\xc9\xcf\x81\x20 and more")},
         "!0:__value__:is no gbk text: byte 5 of 15 (81 20 20 61)"},
        {"cut in the middle", ", charset: gbk", {V("\xc9\xcf\xba")}, "!0:__value__:is no gbk text: byte 3 of 3 (ba)"},
        {"a bad row does not harm the one behind it", ", charset: euc-jp", {V("\x8f"), V("\xc6\xfc")},
         "[0 日]!0:__value__:is no euc-jp text: byte 1 of 1 (8f)"},
        {"utf-8 is checked, and the default", "", {V("日本 \xf0\x9f\x98\x80"), V("a\xc3"), V("ab\xed\xa0\x80"), V("\xc0\x80")},
         "[0 日本 😀]!0:__value__:is no utf-8 text: byte 2 of 2 (c3)!0:__value__:is no utf-8 text: byte 3 of 5 (ed a0 80)"
         "!0:__value__:is no utf-8 text: byte 1 of 2 (c0 80)"},
        {"a byte order mark goes", ", charset: utf-8", {V("\xef\xbb\xbfx"), V("\xef\xbb\xbf"), V("x\xef\xbb\xbf")}, "[0 x][0 ][0 x\xef\xbb\xbf]"},
        {"a tombstone stays", ", charset: gbk", {TOMBSTONE, V("\xc9\xcf")}, "[0 NULL][0 上]"},
        {"the key as well", ", charset: gbk, key: true", {V("\xba\xa3\t\xc9\xcf"), V("x"), V("\x81\ty")},
         "[0 海|上][0 NULL|x]!0:__key__:is no gbk text: byte 1 of 1 (81)"},
        {"drop", ", charset: gbk, when_error: drop", {V("\x81"), V("x")}, "[0 x]-1"},
        {"stop", ", charset: gbk, when_error: stop", {V("x"), V("\x81")},
         "error decode: partition -1 offset 101: column __value__: is no gbk text: byte 1 of 1 (81)"},
    };

    (void)state;
    run_cases(cases, COUNT_OF(cases), "text");
}

static void lines_become_rows(void **state)
{
    static const struct decode_case cases[] = {
        {"one line", "", {V("{\"a\":1}")}, "[0 {\"a\":1}]"},
        {"several, with and without a last line break", "", {V("1\n2\n3"), V("4\n5\n")}, "[0 1][1 2][2 3][0 4][1 5]"},
        {"carriage returns", "", {V("1\r\n2\r\n"), V("3\r")}, "[0 1][1 2][0 3]"},
        {"blank lines", "", {V("\n\n1\n \t\n\r\n2\n\n")}, "[0 1][1 2]"},
        {"nothing", "", {V(""), V("\n"), V("1"), V(" ")}, "[0 1]-3"},
        {"nothing at all", "", {V("")}, "-1"},
        {"a tombstone stays", "", {TOMBSTONE, V("1\n2")}, "[0 NULL][0 1][1 2]"},
        {"a byte order mark", "", {V("\xef\xbb\xbf" "1\n2")}, "[0 1][1 2]"},
        {"bytes that are no text pass as they are", "", {V("\xff\n1")}, "[0 \xff][1 1]"},
        {"too many lines", ", rows_max: 2", {V("1\n2"), V("1\n2\n3"), V("4\n\n5\n")},
         "[0 1][1 2][0 4][1 5]!0:__value__:has more lines than decode.rows_max allows, 2"},
        {"too many lines, dropped", ", rows_max: 1, when_error: drop", {V("1\n2"), V("3")}, "[0 3]-1"},
        {"of another character set", ", charset: gbk", {V("\xc9\xcf\n\xba\xa3"), V("\x81\n1"), V("x")},
         "[0 上][1 海][0 x]!0:__value__:is no gbk text: byte 1 of 3 (81 0a 31)"},
        {"utf-16 has line breaks of two bytes", ", charset: utf-16le", {V("1\0\n\0" "2\0")}, "[0 1][1 2]"},
    };

    (void)state;
    run_cases(cases, COUNT_OF(cases), "json_lines");
}

#define FIELDS(count) ":__value__:the number of fields is not that of the columns: " count " instead of 2"
#define AB ", columns: [{name: a}, {name: b}]"

static void fields_become_columns(void **state)
{
    static const struct decode_case cases[] = {
        {"a row", AB, {V("x,y")}, "[0 x,y|x|y]"},
        {"the value stays what it was", AB, {V("\"x\",y\n")}, "[0 \"x\",y\n|x|y]"},
        {"several rows", AB, {V("1,2\n3,4\r\n5,6"), V("7,8\r")}, "[0 1,2\n3,4\r\n5,6|1|2][1 1,2\n3,4\r\n5,6|3|4][2 1,2\n3,4\r\n5,6|5|6][0 7,8\r|7|8]"},
        {"empty fields", AB, {V(","), V("x,"), V(",y"), V("\"\",y")}, "[0 ,||][0 x,|x|][0 ,y||y][0 \"\",y||y]"},
        {"nothing", AB, {V(""), V("\n\r\n"), V("1,2")}, "[0 1,2|1|2]-2"},
        {"a tombstone", AB, {TOMBSTONE}, "[0 NULL|NULL|NULL]"},
        {"quotes", AB, {V("\"a,b\",\"c\nd\"")}, "[0 \"a,b\",\"c\nd\"|a,b|c\nd]"},
        {"doubled quotes", AB, {V("\"a\"\"b\",\"\"\"\"")}, "[0 \"a\"\"b\",\"\"\"\"|a\"b|\"]"},
        {"a quote within a field is a character", AB, {V("5\" pipe,a\"b\"")}, "[0 5\" pipe,a\"b\"|5\" pipe|a\"b\"]"},
        {"a quote that is not closed takes the rest", AB, {V("1,2\n3,\"4\n5,6"), V("7,8")},
         "[0 1,2\n3,\"4\n5,6|1|2][0 7,8|7|8]!1:b:begins with a quote that is not closed"},
        {"something behind a quote", AB, {V("\"1\"x,2\n3,4")}, "[1 \"1\"x,2\n3,4|3|4]!0:a:has something behind its closing quote"},
        {"too few and too many", AB, {V("1\n1,2\n1,2,3\n")},
         "[1 1\n1,2\n1,2,3\n|1|2]!0" FIELDS("1") "!2" FIELDS("3")},
        {"no quote at all", AB ", quote: \"\"", {V("\"x,y\"")}, "[0 \"x,y\"|\"x|y\"]"},
        {"another quote", AB ", quote: \"'\"", {V("'x,y',\"z\"")}, "[0 'x,y',\"z\"|x,y|\"z\"]"},
        {"a tab", AB ", delimiter: \"\\t\"", {V("x\ty z")}, "[0 x\ty z|x|y z]"},
        {"a control character", AB ", delimiter: \"\\u0001\", quote: \"\"", {V("x\001y,z")}, "[0 x\001y,z|x|y,z]"},
        {"three bytes", AB ", delimiter: \"|@|\"", {V("x|@y|@|\"a|@|b\"")}, "[0 x|@y|@|\"a|@|b\"|x|@y|a|@|b]"},
        {"three bytes at the end", AB ", delimiter: \"|@|\"", {V("x|@|"), V("x|@"), V("|@||@|")},
         "[0 x|@||x|]!0" FIELDS("1") "!0" FIELDS("3")},
        {"eight bytes", AB ", delimiter: \"12345678\"", {V("x12345678y"), V("1234567812345678")},
         "[0 x12345678y|x|y]!0" FIELDS("3")},
        {"NULL", AB, {V("\\N,\"\\N\""), V("\\n,N")}, "[0 \\N,\"\\N\"|NULL|\\N][0 \\n,N|\\n|N]"},
        {"another NULL", AB ", null: NIL", {V("NIL,\\N")}, "[0 NIL,\\N|NULL|\\N]"},
        {"empty is NULL, in quotes it is not", AB ", null: \"\"", {V(",\"\"")}, "[0 ,\"\"|NULL|]"},
        {"escapes", AB ", escape: '\\'", {V("a\\,b,\"c\\\"d\\\\\""), V("\\N,x\\")}, "[0 a\\,b,\"c\\\"d\\\\\"|a,b|c\"d\\][0 \\N,x\\|NULL|x\\]"},
        {"an escaped line break", AB ", escape: '\\'", {V("a\\\nb,c")}, "[0 a\\\nb,c|a\nb|c]"},
        {"trim", AB ", trim: true", {V(" x\t, \" y \" \n z ,"), V("  \\N , \t")},
         "[0  x\t, \" y \" \n z ,|x| y ][1  x\t, \" y \" \n z ,|z|][0   \\N , \t|NULL|]"},
        {"trim leaves the delimiter", AB ", trim: true, delimiter: \"\\t\"", {V(" x \t\ty"), V("\t")},
         "[0 \t||]!0" FIELDS("3")},
        {"trim leaves the delimiter behind quotes", AB ", trim: true, delimiter: \"\\t\"", {V("\"x\" \t\ty\n\t \"y\"")},
         "[1 \"x\" \t\ty\n\t \"y\"||y]!0" FIELDS("3")},
        {"no trim", AB, {V(" x , \"y\"")}, "[0  x , \"y\"| x | \"y\"]"},
        {"a header", AB ", header: true", {V("a,b\n1,2\n3,4"), V("\"A\",B\r\n5,6")}, "[0 a,b\n1,2\n3,4|1|2][1 a,b\n1,2\n3,4|3|4][0 \"A\",B\r\n5,6|5|6]"},
        {"a header alone", AB ", header: true", {V("a,b\n")}, "-1"},
        {"a header of others", AB ", header: true", {V("b,a\n1,2"), V("a\n1,2"), V("a,b\n1,2")},
         "[0 a,b\n1,2|1|2]!0:__value__:has a header that does not name the columns in the order in which they are declared"
         "!0:__value__:has a header that does not name the columns in the order in which they are declared"},
        {"a header that cannot be read", AB ", header: true", {V("a,\"b\"x\n1,2")},
         "!0:__value__:has a header that does not name the columns in the order in which they are declared"},
        {"too many rows", AB ", rows_max: 2", {V("1,2\n3\n5,6"), V("7,8\n9,0\n")},
         "[0 7,8\n9,0\n|7|8][1 7,8\n9,0\n|9|0]!0:__value__:has more rows than decode.rows_max allows"},
        {"of another character set", AB ", charset: gbk", {V("\xc9\xcf,\xba\xa3")}, "[0 上,海|上|海]"},
        {"a byte order mark", AB, {V("\xef\xbb\xbf\"x\",y")}, "[0 \xef\xbb\xbf\"x\",y|x|y]"},
        {"a zero byte is a character", AB, {V("x\0y,z")}, "[0 x\0y,z|x\0y|z]"},
        {"types", ", columns: [{name: i, type: bigint}, {name: d, type: \"decimal(10,2)\"}, {name: f, type: boolean}, {name: t, type: datetime}]",
         {V("1,2.50,true,2024-01-31 08:00:00"), V("\\N,\\N,\\N,\\N")},
         "[0 1,2.50,true,2024-01-31 08:00:00|1|2.50|true|2024-01-31 00:00:00Z][0 \\N,\\N,\\N,\\N|NULL|NULL|NULL|NULL]"},
        {"a text that is no value of its type", ", columns: [{name: i, type: bigint}, {name: s}]", {V("1,x\n1x,y\n,z\n 2,w")},
         "[0 1,x\n1x,y\n,z\n 2,w|1|x]!1:i:\"1x\" is not a bigint, for type bigint!2:i:\"\" is no value of this type (empty_as_null makes it NULL), for "
         "type bigint!3:i:\" 2\" is not a bigint, for type bigint"},
        {"a bad row counts once", ", columns: [{name: i, type: bigint}, {name: k, type: bigint}]", {V("x,y"), V("z")},
         "!0" FIELDS("1") "!0:i:\"x\" is not a bigint, for type bigint"},
        {"drop", AB ", when_error: drop", {V("1\n2,3"), V("4,\"")}, "[1 1\n2,3|2|3]-2"},
        {"stop", AB ", when_error: stop", {V("1,2"), V("1")},
         "error decode: partition -1 offset 101: column __value__: the number of fields is not that of the columns: 1 instead of 2"},
        {"one column", ", columns: [{name: a}]", {V("x\n\n\"\"\ny")}, "[0 x\n\n\"\"\ny|x][1 x\n\n\"\"\ny|][2 x\n\n\"\"\ny|y]"},
    };

    (void)state;
    run_cases(cases, COUNT_OF(cases), "csv");
}

/* Delimiters, quotes and line ends at every place of the eight bytes that are looked at together. */
static void every_alignment(void **state)
{
    (void)state;
    for (size_t width = 0; width < 20; width++) {
        for (int quoted = 0; quoted < 2; quoted++) {
            char value[200], want[200], filler[21] = "";
            struct str records[2] = {{value, 0}, {NULL, 0}};
            char *got;

            memset(filler, 'x', width);
            snprintf(value, sizeof(value), "%s%s%s|@|y\nz|@|%s", quoted ? "'" : "", filler, quoted ? "'" : "", filler);
            records[0].size = strlen(value);
            snprintf(want, sizeof(want), "[0 %s|y][1 z|%s]", filler, filler);
            got = decode("fields: [__offset__], decode: {kind: csv, columns: [{name: a}, {name: b}], delimiter: \"|@|\", quote: \"'\"}", records, 16 << 20);
            /* The offset stands first in each row. */
            for (char *p; (p = strstr(got, "100|"));)
                memmove(p, p + 4, strlen(p + 4) + 1);
            if (strcmp(got, want) != 0)
                fail_msg("%s: %s instead of %s", value, got, want);
            free(got);
        }
    }
}

static void raw_is_no_decoder(void **state)
{
    static const char *const sources[] = {"start: earliest", "decode: {kind: raw}", "decode: "};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        struct report *report = report_new();
        struct decoder *decoder = (struct decoder *)1;
        struct job *job = load(sources[i], report);
        struct error error;

        assert_non_null(job);
        assert_true(decoder_open(&decoder, job, NULL, report, &error));
        assert_null(decoder);
        job_free(job);
        report_free(report);
    }
}

static void a_batch_of_no_rows_has_the_types(void **state)
{
    struct report *report = report_new();
    struct job *job = load("decode: {kind: csv, columns: [{name: a, type: \"decimal(10,2)\"}, {name: b}, {name: c, type: date}]}", report);
    static const enum type_kind want[] = {TYPE_DECIMAL, TYPE_STRING, TYPE_DATE};
    struct batch *batch = batch_new(1 << 20);
    struct decoder *decoder;
    struct error error;

    (void)state;
    assert_non_null(job);
    assert_true(decoder_open(&decoder, job, NULL, report, &error));
    assert_true(batch_begin(batch, job->source.fields));
    assert_true(decoder_run(decoder, batch, &error));
    assert_int_equal(batch->field_count, BUILTIN_COUNT + 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(batch->fields[BUILTIN_COUNT + i].column->type.kind, want[i]);
    decoder_free(decoder);
    batch_free(batch);
    job_free(job);
    report_free(report);
}

/* However little memory is left to a batch: all of its rows, or an error that says so. The arena has one page, of which the test
 * takes some before. */
static void memory_ends_anywhere(void **state)
{
    static const struct {
        const char *source;
        struct str records[3];
    } cases[] = {
        {"decode: {kind: csv, columns: [{name: a, type: bigint}, {name: b}], escape: '\\'}", {V("1,\"x\"\"y\"\n2,z\n3,\n4,\n5\n6,\n7"), V("x,y")}},
        {"decode: {kind: json_lines, charset: gbk}", {V("1\n\xc9\xcf\n3\n4\n5\n6\n7\n8\n9"), V("\x81")}},
        {"decode: {kind: text, charset: gbk, key: true}", {V("1\n\xc9\xcf"), V("\x81")}},
    };
    enum { PAGE = 64 * 1024, STEP = 16 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct report *report = report_new();
        struct batch *batch = batch_new(PAGE);
        struct job *job = load(cases[i].source, report);
        unsigned whole = 0, refused = 0;
        struct decoder *decoder;
        struct error error = {0};

        assert_non_null(job);
        assert_true(decoder_open(&decoder, job, NULL, report, &error));
        for (size_t taken = 0;; taken += STEP) {
            batch_clear(batch);
            for (size_t k = 0; cases[i].records[k].data; k++)
                add_record(batch, cases[i].records[k], false);
            assert_true(batch_begin(batch, job->source.fields));
            if (!arena_try_alloc(&batch->arena, taken))
                break;
            if (decoder_run(decoder, batch, &error)) {
                whole++;
                assert_int_equal(batch->selected + batch->dirty_count + batch->filtered_count, batch->message_count + batch->expanded_count);
            } else {
                refused++;
                if (!strstr(error.text, "more memory than a batch may use"))
                    fail_msg("%s", error.text);
            }
        }
        assert_true(whole > 100);
        assert_true(refused > 5);
        decoder_free(decoder);
        batch_free(batch);
        job_free(job);
        report_free(report);
    }
}

static void mistakes_have_their_place(void **state)
{
    static const struct {
        const char *source, *want;
    } cases[] = {
        {"decode: {kind: avro}", "\"avro\" comes with a later release; until then let the producer write JSON"},
        {"decode: {kind: jsonlines}", "did you mean \"json_lines\"?"},
        {"decode: {charset: gbk}", "source.decode: \"kind\" is missing"},
        {"decode: csv", "source.decode: must be a map"},
        {"decode: {kind: text, charset: gkb}", "job.yaml:3:60: source.decode.charset: \"gkb\" is not known; did you mean \"gbk\"?"},
        {"decode: {kind: text, charset: utf8}", "did you mean \"utf-8\"?"},
        {"decode: {kind: text, charset: \"gbk//TRANSLIT\"}", "\"gbk//TRANSLIT\" is not known"},
        {"decode: {kind: raw, charset: gbk}", "\"charset\" does not belong to kind raw"},
        {"decode: {kind: text, delimiter: \";\"}", "\"delimiter\" does not belong to kind text"},
        {"decode: {kind: text, encoding: gbk}", "unknown key \"encoding\"; use \"charset\""},
        {"decode: {kind: text, when_error: skip}", "it must be dirty, drop or stop"},
        {"fields: [__key__], decode: {kind: text}", "source.decode: needs the field __value__, which source.fields leaves out"},
        {"fields: [__value__], decode: {kind: text, key: true}", "needs the field __key__"},
        {"fields: [__key__], decode: {kind: json_lines}", "needs the field __value__"},
        {"fields: [__key__], decode: {kind: csv, charset: gbk, columns: [{name: a}]}", "needs the field __value__"},
        {"decode: {kind: json_lines, rows_max: 0}", "0 is below the minimum 1"},
        {"decode: {kind: csv}", "source.decode: \"columns\" is missing"},
        {"decode: {kind: csv, columns: []}", "source.decode.columns: a list of 1 to 1018 columns is wanted"},
        {"decode: {kind: csv, columns: [{name: a, type: int}]}", "source.decode.columns[1].type: \"int\" is not a type"},
        {"decode: {kind: csv, columns: [{name: a}, {name: A}]}", "\"A\" is taken already"},
        {"decode: {kind: csv, columns: [{name: __value__}]}", "source.decode.columns[1].name: __value__ is a field of the record"},
        {"decode: {kind: csv, columns: [{name: a}], delimiter: \"\"}", "source.decode.delimiter: \"\" has 0 bytes; 1 to 8 are possible"},
        {"decode: {kind: csv, columns: [{name: a}], delimiter: \"123456789\"}", "has 9 bytes; 1 to 8 are possible"},
        {"decode: {kind: csv, columns: [{name: a}], delimiter: \\t}", "in double quotes YAML makes the character of it"},
        {"decode: {kind: csv, columns: [{name: a}], delimiter: \\u0001}", "in double quotes YAML makes the character of it"},
        {"decode: {kind: csv, columns: [{name: a}], delimiter: \"\\n\"}", "source.decode.delimiter: has a line break in it"},
        {"decode: {kind: csv, columns: [{name: a}], delimiter: '\"'}", "source.decode.delimiter: has the quote or the escape in it"},
        {"decode: {kind: csv, columns: [{name: a}], quote: \"ab\"}", "has 2 bytes; 0 to 1 are possible"},
        {"decode: {kind: csv, columns: [{name: a}], quote: \"\\n\"}", "source.decode.quote: is a line break"},
        {"decode: {kind: csv, columns: [{name: a}], escape: '\"'}", "source.decode.escape: is the quote itself"},
        {"decode: {kind: csv, columns: [{name: a}], separator: \";\"}", "unknown key \"separator\"; use \"delimiter\""},
        {"format: json", "else use \"decode\" with kind json_lines, csv or text"},
        {"encoding: gbk", "use decode: {kind: text, charset: gbk}"},
    };
    static const struct str none[] = {{NULL, 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *got = decode(cases[i].source, none, 1 << 20);

        if (!strstr(got, cases[i].want))
            fail_msg("%s:\n%s\ninstead of %s", cases[i].source, got, cases[i].want);
        free(got);
    }
}

/* Without a report, as in a worker, the first mistake is the error. */
static void the_first_mistake_is_the_error(void **state)
{
    struct report *report = report_new();
    struct job *job = load("decode: {kind: csv, charset: x, columns: [{name: __key__}]}", report);
    struct decoder *decoder;
    struct error error = {0};

    (void)state;
    assert_non_null(job);
    assert_false(decoder_open(&decoder, job, NULL, NULL, &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
    assert_non_null(strstr(error.text, "source.decode.charset: \"x\" is not known"));
    job_free(job);
    report_free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_utf8_or_dirty),
        cmocka_unit_test(lines_become_rows),
        cmocka_unit_test(fields_become_columns),
        cmocka_unit_test(every_alignment),
        cmocka_unit_test(raw_is_no_decoder),
        cmocka_unit_test(a_batch_of_no_rows_has_the_types),
        cmocka_unit_test(memory_ends_anywhere),
        cmocka_unit_test(mistakes_have_their_place),
        cmocka_unit_test(the_first_mistake_is_the_error),
    };

    return cmocka_run_group_tests(tests, write_sources, remove_sources);
}
