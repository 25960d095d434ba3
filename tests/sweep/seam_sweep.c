/* seam_sweep.c: what stands at the two ends of the stages: decoding of records before them, nested values behind them, and sample
 * files. Memory that is not there is an error of the batch and never a dirty row, and a sample is there whole or not at all. */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "decode/decode.h"
#include "route/nested.h"
#include "sample/sample.h"
#include "sample/writer.h"

enum { ROWS = 300, ARENA_MAX = 64 << 20 };

static unsigned turn; /* each run of a process has places of its own */

/* --- decode --- */

static bool decode(const struct job_decode *options, const char *value, uint32_t rows_wanted, struct error *error)
{
    struct job job = {.source = {.fields = (1u << BUILTIN_COUNT) - 1, .decode = *options}};
    struct decoder *decoder = NULL;
    struct batch *batch = NULL;
    bool ok;

    fault_on();
    ok = decoder_open(&decoder, &job, NULL, NULL, error);
    batch = batch_new(ARENA_MAX);
    for (int64_t i = 0; ok && i < ROWS; i++)
        batch_add_message(batch, &(struct message){.value = str_of(value), .offset = i}, NULL);
    ok = ok && (batch_begin(batch, job.source.fields) || error_set(error, ERROR_DATA, "no room for a batch")) &&
         decoder_run(decoder, batch, error);
    fault_off();
    if (ok)
        SWEEP_CHECK(batch->dirty_count == 0 && batch->selected == rows_wanted);
    batch_free(batch);
    decoder_free(decoder);
    return ok;
}

static bool decode_gbk(struct error *error)
{
    static char kind[] = "text", charset[] = "gbk";

    return decode(&(struct job_decode){.kind = kind, .charset = charset, .rows_max = 100}, "\xC4\xE3\xBA\xC3 world", ROWS, error);
}

static bool decode_lines(struct error *error)
{
    static char kind[] = "json_lines";

    return decode(&(struct job_decode){.kind = kind, .rows_max = 100}, "{\"a\":1}\n\n{\"a\":2}\r\n[3]", 3 * ROWS, error);
}

static bool decode_table(struct error *error)
{
    static char kind[] = "csv", n[] = "n", t[] = "t", d[] = "d", bigint[] = "bigint", string[] = "string",
                decimal[] = "decimal(10,2)";
    static struct job_decode_column columns[] = {{n, bigint}, {t, string}, {d, decimal}};

    return decode(&(struct job_decode){.kind = kind,
                                       .rows_max = 100,
                                       .delimiter = STR(","),
                                       .quote = STR("\""),
                                       .columns = columns,
                                       .column_count = COUNT_OF(columns)},
                  "7,\"a \"\"word\"\"\",1.25\n8,plain,-3\n", 2 * ROWS, error);
}

/* --- nested values --- */

static bool nested(struct error *error)
{
    static const char type_text[] = "array<struct<name:string,tags:map<string,decimal(10,2)>,days:array<date>>>";
    static const char value_text[] = "[{\"name\":\"\\u4f60\",\"tags\":{\"a\":\"1.50\",\"b\":2},\"days\":[\"2024-01-31\",null]},"
                                     "{\"days\":[]},null]";
    struct convert convert = {0};
    struct mc_type type = {0};
    struct nested *reader = NULL;
    struct wire_nested value = {0};
    struct batch *batch = NULL;
    const char *reason = NULL;
    enum convert_status status = CONVERT_OK;
    bool ok;

    fault_on();
    batch = batch_new(ARENA_MAX);
    reader = nested_new(&convert);
    ok = mc_type_parse(&type, STR(type_text), error);
    for (int i = 0; ok && i < 50; i++) {
        status = nested_convert(reader, &batch->arena, &type, STR(value_text), &value, &reason);
        if (status == CONVERT_FULL)
            ok = error_set(error, ERROR_DATA, "no room for a nested value");
    }
    fault_off();
    SWEEP_CHECK(!ok || (status == CONVERT_OK && value.wire.size > 0));
    mc_type_release(&type);
    nested_free(reader);
    batch_free(batch);
    return ok;
}

/* --- samples --- */

static bool sample_write(const char *path, struct error *error)
{
    struct sample_writer *writer = NULL;
    bool ok;

    ok = sample_writer_open(&writer, path, false,
                            &(struct sample_origin){.job = STR("j"), .topic = STR("t"), .taken = STR("2024-01-31T00:00:00Z")},
                            error);
    for (int64_t i = 0; ok && i < ROWS; i++)
        ok = sample_writer_add(
            writer,
            &(struct sample_record){.partition = 1, .message = {.value = STR("\xFF not text"), .key = STR("k"), .offset = i}},
            error);
    if (writer)
        ok = sample_writer_close(writer, ok, ok ? error : &(struct error){0}) && ok;
    return ok;
}

static bool sample_is_whole(const char *path)
{
    struct report *report = report_new();
    struct sample *sample = NULL;
    bool whole = sample_read(&sample, path, report) && sample->count == ROWS && sample->messages[ROWS - 1].value.size == 10;

    sample_free(sample);
    report_free(report);
    return whole;
}

/* Whole or not at all, whatever fails; and nothing is left in the way of a second try. */
static bool sample_out(struct error *error)
{
    char path[160];
    bool ok;

    snprintf(path, sizeof(path), "%s/sample%u", sweep_folder(), turn++);
    fault_on();
    ok = sample_write(path, error);
    fault_off();
    SWEEP_CHECK(ok ? sample_is_whole(path) : access(path, F_OK) != 0 || sample_is_whole(path));
    return ok;
}

static bool sample_in(struct error *error)
{
    struct report *report;
    struct sample *sample = NULL;
    struct buffer text;
    char path[160];
    bool ok;

    snprintf(path, sizeof(path), "%s/sample%u", sweep_folder(), turn++);
    SWEEP_CHECK(sample_write(path, error));
    fault_on();
    report = report_new();
    ok = sample_read(&sample, path, report);
    fault_off();
    if (ok) {
        SWEEP_CHECK(sample->count == ROWS);
    } else {
        buffer_init(&text, 0);
        report_print(report, &text);
        SWEEP_CHECK(report_mistakes(report) > 0);
        error_set(error, ERROR_CONFIG, "%.200s", buffer_text(&text));
        buffer_release(&text);
    }
    sample_free(sample);
    report_free(report);
    return ok;
}

static const struct sweep_case cases[] = {
    {.name = "decode_text", .run = decode_gbk, .flags = SWEEP_STOPS},
    {.name = "decode_json_lines", .run = decode_lines, .flags = SWEEP_STOPS},
    {.name = "decode_csv", .run = decode_table, .flags = SWEEP_STOPS},
    {.name = "nested", .run = nested, .flags = SWEEP_STOPS},
    {.name = "sample_memory", .run = sample_out, .flags = SWEEP_STOPS},
    {.name = "sample_files", .run = sample_out, .flags = SWEEP_IO},
    {.name = "sample_read", .run = sample_in, .flags = SWEEP_STOPS},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
