/* tryout_test.c: what the commands that try a job out stand on: a stage with the rows before and behind it, rows typed by hand, a
 * whole job on a sample, and how values are printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "route/route.h"
#include "tryout/preview.h"
#include "tryout/rows.h"
#include "tryout/simulate.h"
#include "tryout/value.h"

static const char datasources[] = "kafka:\n  k: {brokers: \"127.0.0.1:9\"}\n"
                                  "maxcompute:\n  m: {endpoint: \"http://127.0.0.1:9/api\", project: p, access_id: i, access_key: kkkkkkkk}\n";

/* Two expansions, one behind the other, and a stage that changes, leaves out and refuses. */
static const char nested_job[] =
    "name: j\nsource: {kafka: k, topic: t}\nstages:\n"
    "  - {name: outer, kind: json, expand: $.groups, columns: [{name: g, path: $.id, type: string},\n"
    "     {name: group, path: '@.name', type: string}, {name: items, path: '@.items', type: json}]}\n"
    "  - {name: inner, kind: json, from: items, expand: $, columns: [{name: n, path: '@', type: bigint}]}\n"
    "  - {name: own, kind: lua, file: own.lua}\n"
    "target: {maxcompute: m, table: t, create: if_missing, columns: [{name: n, type: bigint}, {name: group, type: string}],\n"
    "  partition: [{name: part, kind: field, from: group}]}\n"
    "dirty: {directory: dirty, max: 0}\nruntime: {batch_rows: 16}\ndelivery: %s\n";
static const char own_lua[] = "local stage = {}\n"
                              "function stage.process(batch)\n"
                              "  batch:keep(batch.n:ne(4))\n"
                              "  for row in batch:rows() do\n"
                              "    if row.n == 5 then row:dirty('five') end\n"
                              "    if row.n == 6 then local x = row.n + {} end\n"
                              "    if row.n == 99 then row.group = 'late' end\n"
                              "  end\n"
                              "  batch:map({'n'}, {'double bigint'}, function(n) return n * 2 end)\n"
                              "end\nreturn stage\n";

struct bed {
    char folder[64], path[128];
    struct report *report;
    struct job *job;
    struct log *log;
    struct chain *chain;
    struct batch *probe;
    struct error error;
};

static void write_file(const struct bed *bed, const char *name, const char *text, size_t size)
{
    char path[160];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", bed->folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static void bed_open(struct bed *bed, const char *delivery)
{
    char *text = xasprintf(nested_job, delivery);

    memset(bed, 0, sizeof(*bed));
    strcpy(bed->folder, "/tmp/luaduct-tryout-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    write_file(bed, "datasources.yaml", datasources, strlen(datasources));
    write_file(bed, "own.lua", own_lua, strlen(own_lua));
    write_file(bed, "job.yaml", text, strlen(text));
    free(text);
    snprintf(bed->path, sizeof(bed->path), "%s/job.yaml", bed->folder);
    bed->report = report_new();
    bed->log = log_new(NULL, "test");
    bed->probe = batch_new(4 << 20);
    if (!job_load(&bed->job, bed->path, NULL, bed->report) ||
        !chain_open(&bed->chain, bed->job, bed->report, bed->log, &bed->error) ||
        !chain_probe(bed->chain, bed->job, bed->probe, bed->report, &bed->error)) {
        struct buffer said;

        buffer_init(&said, 0);
        report_print(bed->report, &said);
        fail_msg("%s", buffer_text(&said));
    }
}

static void bed_close(struct bed *bed)
{
    char command[128];

    chain_free(bed->chain);
    batch_free(bed->probe);
    job_free(bed->job);
    report_free(bed->report);
    log_free(bed->log);
    snprintf(command, sizeof(command), "rm -r %s", bed->folder);
    assert_int_equal(system(command), 0);
}

static struct batch *batch_of(const struct bed *bed, const char *const *values, size_t count)
{
    struct batch *batch = batch_new(16 << 20);

    batch->partition = 3;
    for (size_t i = 0; i < count; i++)
        batch_add_message(batch, &(struct message){.value = str_of(values[i]), .offset = 10 + (int64_t)i}, NULL);
    assert_true(batch_begin(batch, bed->job->source.fields));
    return batch;
}

static void print_value(const struct value *value, struct buffer *text)
{
    if (value->value.null)
        buffer_append_str(text, STR("NULL"));
    else
        value_print(&(struct value_printer){0}, &value->type, &value->value, text);
}

/* "a -> b c!reason; d -" : field `name` of each row that goes in, and of what comes of it. */
static const char *story(const struct preview *preview, const char *before_name, const char *name, struct buffer *text)
{
    struct buffer headers;
    struct value value;

    buffer_init(&headers, 0);
    buffer_clear(text);
    for (size_t i = 0; i < preview->in_count; i++) {
        const struct preview_in *in = &preview->ins[i];

        buffer_append_str(text, i ? STR("; ") : STR(""));
        preview_value_in(preview, preview_field_in(preview, str_of(before_name)), in, &headers, &value);
        print_value(&value, text);
        buffer_append_str(text, in->count ? STR(" ->") : STR(" -"));
        for (size_t j = in->first; j < in->first + in->count; j++) {
            const struct preview_out *out = &preview->outs[j];

            assert_int_equal(out->in, i);
            buffer_append_char(text, ' ');
            if (out->dirty) {
                buffer_print(text, "!%u", out->index);
                continue;
            }
            preview_value_out(preview, batch_field(preview->batch, str_of(name)), out, &headers, &value);
            print_value(&value, text);
        }
    }
    buffer_release(&headers);
    return buffer_text(text);
}

static const char *const nested[] = {
    "{\"id\":\"x\",\"groups\":[{\"name\":\"a\",\"items\":[1,2]},{\"name\":\"b\",\"items\":[]},{\"name\":\"c\",\"items\":[4,5,6]}]}",
    "{\"id\":\"y\",\"groups\":[{\"name\":\"d\",\"items\":[7,\"no\",99]}]}",
    "no json",
};

static void a_row_knows_what_became_of_it(void **state UNUSED)
{
    static const struct {
        size_t stage;
        const char *before, *after, *story;
        uint32_t earlier_filtered, earlier_dirty, filtered, dirty, expanded;
    } cases[] = {
        {0, "__offset__", "group", "10 -> a b c; 11 -> d; 12 -> !0", 0, 0, 0, 1, 2},
        {1, "group", "n", "a -> 1 2; b -; c -> 4 5 6; d -> 7 99 !2", 0, 1, 1, 1, 5},
        {2, "n", "double", "1 -> 2; 2 -> 4; 4 -; 5 -> !6; 6 -> !7; 7 -> 14; 99 -> 198", 1, 2, 1, 2, 0},
    };
    struct buffer text;
    struct bed bed;

    buffer_init(&text, 0);
    bed_open(&bed, "at_least_once");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct preview preview;

        if (!preview_run(&preview, bed.chain, batch_of(&bed, nested, COUNT_OF(nested)), cases[i].stage, false, &bed.error))
            fail_msg("%s", bed.error.text);
        (void)story(&preview, cases[i].before, cases[i].after, &text);
        assert_string_equal(buffer_text(&text), cases[i].story);
        assert_int_equal(preview.earlier_filtered, cases[i].earlier_filtered);
        assert_int_equal(preview.earlier_dirty, cases[i].earlier_dirty);
        assert_int_equal(preview.filtered, cases[i].filtered);
        assert_int_equal(preview.dirty, cases[i].dirty);
        assert_int_equal(preview.expanded, cases[i].expanded);
        preview_release(&preview);
    }
    bed_close(&bed);
    buffer_release(&text);
}

static void changed_new_and_idle_fields(void **state UNUSED)
{
    struct buffer headers;
    struct preview preview;
    struct value before, after;
    struct bed bed;

    buffer_init(&headers, 0);
    bed_open(&bed, "at_least_once");
    assert_true(preview_run(&preview, bed.chain, batch_of(&bed, nested, COUNT_OF(nested)), 2, false, &bed.error));
    assert_null(preview_field_in(&preview, STR("double")));
    assert_true(preview_field_is_idle(&preview, STR("__key__")));
    assert_true(preview_field_is_idle(&preview, STR("__value__"))); /* read by an earlier stage, not by this one */
    assert_false(preview_field_is_idle(&preview, STR("group")));
    for (size_t i = 0; i < preview.out_count; i++) {
        const struct preview_out *out = &preview.outs[i];

        if (out->dirty)
            continue;
        preview_value_in(&preview, preview_field_in(&preview, STR("group")), &preview.ins[out->in], &headers, &before);
        preview_value_out(&preview, batch_field(preview.batch, STR("group")), out, &headers, &after);
        assert_int_equal(preview_value_equal(&before, &after), !str_is(after.value.bytes, "late"));
    }
    preview_release(&preview);
    assert_true(preview_run(&preview, bed.chain, batch_of(&bed, nested, COUNT_OF(nested)), 0, false, &bed.error));
    assert_false(preview_field_is_idle(&preview, STR("__value__")));
    preview_release(&preview);
    bed_close(&bed);
    buffer_release(&headers);
}

/* --- rows by hand --- */

static void rows_by_hand_have_the_types_of_the_stage(void **state UNUSED)
{
    static const char rows[] = "{\"n\": 1, \"group\": \"a\", \"items\": [1, 2]}\n"
                               "\n"
                               "{\"n\": \"2\", \"group\": null, \"__value__\": {\"a\": 1e0}}\n"
                               "{\"n\": null, \"group\": \"\"}";
    struct buffer text;
    struct preview preview;
    struct batch *batch = NULL;
    struct value value;
    struct bed bed;
    char path[160];

    buffer_init(&text, 0);
    bed_open(&bed, "at_least_once");
    write_file(&bed, "rows", rows, strlen(rows));
    snprintf(path, sizeof(path), "%s/rows", bed.folder);
    assert_true(chain_probe_some(bed.chain, bed.job, bed.probe, 2, bed.report, &bed.error));
    assert_null(batch_field(bed.probe, STR("double")));
    assert_true(rows_read(&batch, path, bed.job, bed.probe, bed.report));
    assert_int_equal(batch->row_count, 3);
    value_of_column(batch_field(batch, STR("__value__"))->column, 1, &value);
    assert_true(str_is(value.value.bytes, "{\"a\":1e0}"));
    value_of_column(batch_field(batch, STR("group"))->column, 1, &value);
    assert_true(value.value.null);
    value_of_column(batch_field(batch, STR("group"))->column, 2, &value);
    assert_true(!value.value.null && value.value.bytes.size == 0);
    assert_true(preview_run(&preview, bed.chain, batch, 2, true, &bed.error));
    assert_string_equal(story(&preview, "n", "double", &text), "1 -> 2; 2 -> 4; NULL -");
    preview_release(&preview);
    bed_close(&bed);
    buffer_release(&text);
}

static void mistakes_in_rows_come_all_at_once(void **state UNUSED)
{
    static const char rows[] = "{\"n\": \"\u4e2d\", \"grop\": 1}\n[1]\n{\"n\": 1.5\n{\"n\": 9223372036854775808}\n{\"n\": true}\n";
    static const char *const said[] = {
        "rows:1:2: field n (bigint): \"\u4e2d\" is not a bigint",
        "rows:1:12: no field \"grop\" comes into the stage; did you mean \"group\"?",
        "rows:2:1: a row is an object of fields",
        "rows:3:10: this is no JSON",
        "rows:4:2: field n (bigint): 9223372036854775808",
        "rows:5:2: field n (bigint): true",
        "6 mistakes",
    };
    struct batch *batch = NULL;
    struct buffer text;
    struct bed bed;
    char path[160];

    buffer_init(&text, 0);
    bed_open(&bed, "at_least_once");
    write_file(&bed, "rows", rows, strlen(rows));
    snprintf(path, sizeof(path), "%s/rows", bed.folder);
    assert_false(rows_read(&batch, path, bed.job, bed.probe, bed.report));
    report_print(bed.report, &text);
    for (size_t i = 0; i < COUNT_OF(said); i++)
        if (!strstr(buffer_text(&text), said[i]))
            fail_msg("\"%s\" is not in:\n%s", said[i], buffer_text(&text));
    buffer_clear(&text);
    assert_false(rows_read(&batch, "/no/such/file", bed.job, bed.probe, bed.report));
    write_file(&bed, "rows", "\n\n", 2);
    assert_false(rows_read(&batch, path, bed.job, bed.probe, bed.report));
    report_print(bed.report, &text);
    assert_non_null(strstr(buffer_text(&text), "/no/such/file"));
    assert_non_null(strstr(buffer_text(&text), "there is no row in it"));
    bed_close(&bed);
    buffer_release(&text);
}

/* --- a whole job --- */

enum { RECORDS = 100 };

static struct sample *sample_make(const struct bed *bed)
{
    struct report *report = report_new();
    struct sample *sample;
    struct buffer text;
    char path[160];

    buffer_init(&text, 0);
    for (int i = 0; i < RECORDS; i++)
        buffer_print(&text, "{\"partition\":%d,\"offset\":%d,\"value\":\"{\\\"groups\\\":[{\\\"name\\\":\\\"g%d\\\",\\\"items\\\":[%d,%d]}]}\"}\n",
                     i % 3, 5 + i * 2, i % 4, 100 + i, i % 10);
    write_file(bed, "sample", buffer_text(&text), text.size);
    snprintf(path, sizeof(path), "%s/sample", bed->folder);
    assert_true(sample_read(&sample, path, report));
    report_free(report);
    buffer_release(&text);
    return sample;
}

struct seen {
    int64_t sum;
    size_t rows, most;
};

static bool row_see(void *arg, const struct record_value *values)
{
    struct seen *seen = arg;

    assert_false(values[0].null);
    seen->sum += values[0].integer;
    return ++seen->rows < seen->most;
}

/* Small batches, table partitions that change, dirty rows beyond dirty.max, both deliveries: what is kept is what was computed. */
static void a_simulated_job_keeps_what_it_would_write(void **state UNUSED)
{
    static const char *const deliveries[] = {"at_least_once", "exactly_once"};

    for (size_t d = 0; d < COUNT_OF(deliveries); d++) {
        struct seen seen = {.most = SIZE_MAX}, some = {.most = 3};
        struct simulation *simulation;
        struct simulation_options options;
        struct mc_schema schema;
        const struct memory_partition *partitions;
        const struct counts *counts;
        struct simulation_dirty dirty;
        struct sample *sample;
        struct chain_counts stage;
        size_t count;
        struct bed bed;
        char path[160];

        bed_open(&bed, deliveries[d]);
        sample = sample_make(&bed);
        assert_true(route_create_schema(bed.job, bed.probe, &schema, bed.report));
        options = (struct simulation_options){
            .job = bed.job, .probe = bed.probe, .schema = &schema, .sample = sample, .table = "p.t", .script_log = bed.log};
        simulation = simulation_new(&options);
        if (!simulation_run(simulation, bed.report, &bed.error))
            fail_msg("%s", bed.error.text);
        partitions = simulation_partitions(simulation, &count);
        assert_int_equal(count, 4);
        for (size_t i = 0; i < count; i++)
            assert_true(simulation_walk(simulation, &partitions[i], row_see, &seen, &bed.error));
        assert_true(simulation_walk(simulation, &partitions[0], row_see, &some, &bed.error));
        assert_int_equal(some.rows, 3);
        counts = simulation_counts(simulation);
        assert_int_equal(counts->read, RECORDS);
        assert_int_equal(counts->expanded, RECORDS);
        assert_int_equal(counts->filtered, RECORDS / 10); /* the fours */
        assert_int_equal(counts->dirty, RECORDS / 5);     /* fives and sixes */
        assert_int_equal(counts->written, seen.rows);
        assert_true(counts_balance(counts));
        /* 100..199, and of each ten all digits but 4, 5 and 6. */
        assert_int_equal(seen.sum, (100 + 199) * RECORDS / 2 + (45 - 15) * RECORDS / 10);
        dirty = simulation_dirty(simulation);
        assert_int_equal(dirty.count, RECORDS / 5);
        for (size_t i = 0; i < dirty.count; i++) {
            assert_true(str_is(dirty.rows[i].stage, "own"));
            assert_true(str_is(dirty.rows[i].reason, "five") || memmem(dirty.rows[i].reason.data, dirty.rows[i].reason.size, "own.lua:6:", 10));
            if (i)
                assert_true(dirty.rows[i - 1].partition < dirty.rows[i].partition || dirty.rows[i - 1].offset < dirty.rows[i].offset);
        }
        assert_false(simulation_decoder_counts(simulation, &stage));
        stage = simulation_stage_counts(simulation, 1);
        assert_int_equal(stage.rows_in, RECORDS);
        assert_int_equal(stage.rows_out, 2 * RECORDS);
        assert_int_equal(stage.expanded, RECORDS);
        stage = simulation_stage_counts(simulation, 2);
        assert_int_equal(stage.rows_in, stage.rows_out + stage.filtered + stage.dirty);
        assert_int_equal(stage.dirty, RECORDS / 5);
        snprintf(path, sizeof(path), "%s/dirty", bed.folder);
        assert_int_equal(access(path, F_OK), -1); /* the job's own store is not touched */
        simulation_free(simulation);
        sample_free(sample);
        bed_close(&bed);
    }
}

/* --- values --- */

static void values_are_printed_for_people_and_for_programs(void **state UNUSED)
{
    const struct {
        const char *type;
        struct record_value value;
        const char *text, *json;
    } cases[] = {
        {"bigint", {.integer = INT64_MIN + 1}, "-9223372036854775807", "-9223372036854775807"},
        {"boolean", {.integer = 1}, "true", "true"},
        {"float", {.real = (double)0.1f}, "0.1", "0.1"},
        {"double", {.real = 0.1}, "0.1", "0.1"},
        {"double", {.real = 1.0 / 3}, "0.3333333333333333", "0.3333333333333333"},
        {"double", {.real = -INFINITY}, "-Infinity", "\"-Infinity\""},
        {"decimal(10,2)", {.bytes = {"1.50", 4}}, "1.50", "\"1.50\""},
        {"string", {.bytes = {"a\"\n", 3}}, "a\"\n", "\"a\\\"\\n\""},
        {"string", {.bytes = {"\xff", 1}}, "\xff", "{\"base64\":\"/w==\"}"},
        {"string", {.bytes = {NULL, 0}}, "", "\"\""},
        {"binary", {.bytes = {"\x01\xfe", 2}}, "0x01fe", "{\"base64\":\"Af4=\"}"},
        {"date", {.integer = 19753}, "2024-01-31", "\"2024-01-31\""},
        {"datetime", {.integer = -1}, "1970-01-01 07:59:59.999", "\"1969-12-31T23:59:59.999Z\""},
        {"timestamp", {.integer = 1706659200, .nanos = 1}, "2024-01-31 08:00:00.000000001", "\"2024-01-31T00:00:00.000000001Z\""},
        {"timestamp_ntz", {.integer = 1706659200}, "2024-01-31 00:00:00", "\"2024-01-31T00:00:00\""},
        {"json", {.bytes = {"{}", 2}}, "{}", "\"{}\""},
        {"bigint", {.null = true}, NULL, "null"},
        {"array<bigint>", {.count = 2, .items = (struct record_value[]){{.integer = 1}, {.null = true}}}, "[1,null]", "[1,null]"},
        {"map<string,date>", {.count = 2, .items = (struct record_value[]){{.bytes = {"k", 1}}, {.integer = 0}}},
         "{\"k\":\"1970-01-01\"}", "{\"k\":\"1970-01-01\"}"},
        {"struct<a:bigint,b:array<string>>",
         {.count = 2, .items = (struct record_value[]){{.integer = 7}, {.count = 1, .items = (struct record_value[]){{.bytes = {"x", 1}}}}}},
         "{\"a\":7,\"b\":[\"x\"]}", "{\"a\":7,\"b\":[\"x\"]}"},
    };
    struct value_printer printer;

    value_printer_init(&printer, "Asia/Shanghai");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer text;
        struct mc_type type;
        struct error error;

        buffer_init(&text, 0);
        assert_true(mc_type_parse(&type, str_of(cases[i].type), &error));
        value_print_json(&type, &cases[i].value, &text);
        assert_string_equal(buffer_text(&text), cases[i].json);
        buffer_clear(&text);
        if (cases[i].text) {
            value_print(&printer, &type, &cases[i].value, &text);
            assert_string_equal(buffer_text(&text), cases[i].text);
        }
        mc_type_release(&type);
        buffer_release(&text);
    }
    value_printer_release(&printer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_knows_what_became_of_it),
        cmocka_unit_test(changed_new_and_idle_fields),
        cmocka_unit_test(rows_by_hand_have_the_types_of_the_stage),
        cmocka_unit_test(mistakes_in_rows_come_all_at_once),
        cmocka_unit_test(a_simulated_job_keeps_what_it_would_write),
        cmocka_unit_test(values_are_printed_for_people_and_for_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
