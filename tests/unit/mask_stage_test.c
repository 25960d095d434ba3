/* mask_stage_test.c: stages of kind mask from the job file on: what check says of them, and what comes out behind them. */
#include "support/script_support.h"

#include "job/job.h"
#include "stages/chain.h"

static char directory[64];

static int set_up(void **state)
{
    static const char sources[] = "kafka:\n  main: {brokers: 'a:9092'}\nmaxcompute:\n  main: {endpoint: 'https://s.example/api', project: p, "
                                  "access_id: id, access_key: a-service-secret}\n";
    char path[128];
    FILE *file;

    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/mask_test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/datasources.yaml", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(sources, file);
    fclose(file);
    setenv("MASK_TEST_KEY", "a key nobody may see", 1);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"job.yaml", "datasources.yaml"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
    return 0;
}

struct bed {
    struct job *job;
    struct report *report;
    struct log *log;
    struct chain *chain;
    struct batch *batch;
    struct buffer said;
};

/* A job of two stages: six fields out of JSON, and a mask with these lines. Whether it is all right; what is not, is in said. */
static bool bed_open_job(struct bed *bed, const char *mask)
{
    char path[128];
    struct error error;
    FILE *file;
    bool ok;

    memset(bed, 0, sizeof(*bed));
    buffer_init(&bed->said, 0);
    bed->report = report_new();
    bed->log = log_new(NULL, "test");
    bed->batch = batch_new(16 << 20);
    snprintf(path, sizeof(path), "%s/job.yaml", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "name: j\nsource: {kafka: main, topic: t}\ntarget: {maxcompute: main, table: t}\ntime_zone: UTC\nstages:\n"
            "  - name: parse\n    kind: json\n    columns:\n"
            "      - {name: phone, path: $.phone, type: string}\n      - {name: email, path: $.email, type: string}\n"
            "      - {name: user, path: $.user, type: string}\n      - {name: age, path: $.age, type: bigint}\n"
            "      - {name: pay, path: $.pay, type: 'decimal(10,2)'}\n      - {name: count, path: $.count, type: string}\n"
            "  - name: hide\n    kind: mask\n%s",
            mask);
    fclose(file);
    ok = job_load(&bed->job, path, NULL, bed->report) && report_mistakes(bed->report) == 0;
    ok = ok && chain_open(&bed->chain, bed->job, bed->report, bed->log, &error);
    ok = ok && chain_probe(bed->chain, bed->job, bed->batch, bed->report, &error);
    report_print(bed->report, &bed->said);
    return ok && report_mistakes(bed->report) == 0;
}

static void bed_close(struct bed *bed)
{
    chain_free(bed->chain);
    batch_free(bed->batch);
    job_free(bed->job);
    report_free(bed->report);
    log_free(bed->log);
    buffer_release(&bed->said);
}

#define RULE(text) "    rules: [" text "]\n"

static void mistakes_are_found_by_check(void **state)
{
    static const struct {
        const char *mask, *said;
    } cases[] = {
        {"", "stages[2]: \"rules\" is missing"},
        {"    rules: []\n", "stage hide: rules: a list of rules is wanted"},
        {"    rules: phone\n", "rules: must be a list"},
        {RULE("{rule: phone}"), "stage hide: rules[1]: a rule needs either field, or fields for a list of them"},
        {RULE("{field: phone, fields: [email], rule: phone}"), "rules[1]: a rule needs either field, or fields"},
        {RULE("{fields: [], rule: phone}"), "rules[1].fields: must be a list of field names"},
        {RULE("{fields: [{}], rule: phone}"), "rules[1].fields[1]: must be a field's name, not a map"},
        {RULE("{field: phone}"), "rules[1]: \"rule\" is missing"},
        {RULE("{field: phone, rule: fone}"), "\"fone\" is not known; it must be cover, segments,"},
        {RULE("{field: phone, rule: fone}"), "did you mean \"phone\"?"},
        {RULE("{field: phone, rule: cover, befor: 3}"), "unknown key \"befor\" in stages[2].rules[1]; did you mean \"before\"?"},
        {RULE("{field: phone, rule: hash, before: 3}"), "\"before\" does not belong to rule hash"},
        {RULE("{field: phone, rule: cover, salt: x}"), "\"salt\" does not belong to rule cover"},
        {RULE("{field: phone, rule: cover, before: -1}"), "rules[1].before: -1 is below the minimum 0"},
        {RULE("{field: phone, rule: cover, before: many}"), "rules[1].before: \"many\" is not a whole number"},
        {RULE("{field: phone, rule: cover, with: ''}"), "rules[1].with: one or some characters are wanted"},
        {RULE("{column: phone, rule: cover}"), "unknown key \"column\"; use \"field\""},
        {RULE("{field: phone, rule: phone}, {field: phone, rule: hash}"),
         "stage hide: rules[2].field: field phone is masked by rules[1] already"},
        {RULE("{field: phone, rule: phone}, {fields: [email, phone], rule: hash}"),
         "stage hide: rules[2].fields[2]: field phone is masked by rules[1] already"},
        {RULE("{field: phone, rule: segments, segments: [{show: 3, cover: 2}]}"),
         "rules[1].segments[1]: either show or cover is wanted"},
        {RULE("{field: phone, rule: segments, segments: [{shwo: 3}]}"), "did you mean \"show\"?"},
        {RULE("{field: phone, rule: segments, segments: [{show: 0}]}"),
         "rules[1].segments[1].show: a number of characters from 1"},
        {RULE("{field: phone, rule: segments, segments: [{show: rest}, {cover: 1}]}"),
         "rules[1].segments[1]: only the last segment can be the rest"},
        {RULE("{field: phone, rule: segments, segments: [{show: rest}]}"), "rules[1].segments: these segments hide nothing"},
        {RULE("{field: phone, rule: segments}"), "rules[1]: \"segments\" is missing"},
        {RULE("{field: phone, rule: replace_chars, length: 1, with: x}"), "rules[1]: \"position\" is missing"},
        {RULE("{field: phone, rule: replace_chars, position: 1, length: 1}"),
         "rules[1].with: a text is wanted, or the word random"},
        {RULE("{field: phone, rule: hash, algo: sha265}"), "did you mean \"sha256\"?"},
        {RULE("{field: phone, rule: pseudonym}"), "rules[1]: \"domain\" is missing"},
        {RULE("{field: age, rule: interval, intervals: [{from: a, value: 1}]}"),
         "rules[1].intervals[1].from: a bound is a number"},
        {RULE("{field: age, rule: interval, intervals: [{value: 1}]}"), "an interval needs \"from\", \"to\" or both"},
        {RULE("{field: age, rule: interval, intervals: [{to: 5, value: 1}, {from: 4, value: 2}]}"),
         "rules[1].intervals[2]: overlaps intervals[1]"},
        {RULE("{field: age, rule: interval, intervals: [{to: 5}]}"), "rules[1].intervals[1]: \"value\" is missing"},
        {RULE("{field: phone, rule: interval, intervals: [{to: 5, value: 1}]}"),
         "job.yaml:17:21: stage hide: rules[1].field: interval takes bigint, double or decimal, and field phone is string; cast "
         "it first"},
        {RULE("{field: age, rule: round}"), "field age is bigint, so rounding it to 0 digits hides nothing"},
        {RULE("{field: pay, rule: round, digits: 2}"), "field pay is decimal(10,2), so rounding it to 2 digits hides nothing"},
        {RULE("{field: fone, rule: phone}"),
         "job.yaml:17:21: stage hide: rules[1].field: there is no field \"fone\"; did you mean \"phone\"?"},
        {RULE("{fields: [phone, emial], rule: phone}"),
         "job.yaml:17:30: stage hide: rules[1].fields[2]: there is no field \"emial\""},
        {RULE("{field: phone, rule: email, keep_empty: maybe}"), "rules[1].keep_empty: \"maybe\" is neither true nor false"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bed bed;

        if (bed_open_job(&bed, cases[i].mask))
            fail_msg("no mistake: %s", cases[i].said);
        if (!strstr(buffer_text(&bed.said), cases[i].said))
            fail_msg("%s\nis not said of %s, but\n%s", cases[i].said, cases[i].mask, buffer_text(&bed.said));
        bed_close(&bed);
    }
}

static void all_mistakes_come_at_once_with_their_places(void **state)
{
    struct bed bed;

    (void)state;
    assert_false(bed_open_job(&bed, "    rules:\n"
                                    "      - {field: phone, rule: replace_chars, position: 1, length: 1}\n"
                                    "      - {field: email, rule: segments, segments: [{show: 1}, {show: rest}]}\n"
                                    "      - {field: phone, rule: round}\n"));
    assert_int_equal(report_mistakes(bed.report), 4);
    assert_non_null(strstr(buffer_text(&bed.said), "job.yaml:18:9: stage hide: rules[1].with:"));
    assert_non_null(strstr(buffer_text(&bed.said), "job.yaml:19:50: stage hide: rules[2].segments:"));
    assert_non_null(
        strstr(buffer_text(&bed.said), "job.yaml:20:17: stage hide: rules[3].field: field phone is masked by rules[1]"));
    assert_non_null(strstr(buffer_text(&bed.said), "job.yaml:20:17: stage hide: rules[3].field: round takes bigint"));
    bed_close(&bed);
}

static void wrong_fields_come_at_once_with_their_places(void **state)
{
    static const char *const said[] = {
        "job.yaml:18:17: stage hide: rules[1].field: there is no field \"fone\"; did you mean \"phone\"?",
        "job.yaml:19:24: stage hide: rules[2].fields[2]: round takes bigint, double or decimal, and field user is string; cast it first",
        "job.yaml:21:17: stage hide: rules[4].field: round: field pay is decimal(10,2), so rounding it to 2 digits hides nothing",
    };
    struct bed bed;

    (void)state;
    assert_false(bed_open_job(&bed, "    rules:\n"
                                    "      - {field: fone, rule: phone}\n"
                                    "      - {fields: [age, user], rule: round, digits: -1}\n"
                                    "      - {field: phone, rule: phone}\n"
                                    "      - {field: pay, rule: round, digits: 2}\n"));
    for (size_t i = 0; i < COUNT_OF(said); i++)
        if (!strstr(buffer_text(&bed.said), said[i]))
            fail_msg("%s\nis not said, but\n%s", said[i], buffer_text(&bed.said));
    assert_int_equal(report_mistakes(bed.report), COUNT_OF(said));
    bed_close(&bed);
}

static void secrets_are_never_said(void **state)
{
    static const char *const cases[] = {
        RULE("{field: phone, rule: cover, domain: '${env:MASK_TEST_KEY}'}"),
        RULE("{field: phone, rule: pseudonym, domain: '${env:MASK_TEST_KEY}', salt: 'a key nobody may see'}"),
        RULE("{field: fone, rule: pseudonym, domain: a key nobody may see}"),
        RULE("{field: phone, rule: hash, salt: [a key nobody may see]}"),
        RULE("{field: phone, rule: cover, domain: unread by nobody}"),
        RULE("{field: phone, rule: fone, salt: 'nobody'}"),
        RULE("{field: phone, rule: hash, algo: a key, salt: a key nobody may see}"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bed bed;

        assert_false(bed_open_job(&bed, cases[i]));
        assert_null(strstr(buffer_text(&bed.said), "nobody"));
        bed_close(&bed);
    }
}

static const char *show(struct bed *bed, const char *name, char text[600])
{
    struct field *field = batch_field(bed->batch, str_of(name));
    size_t size = 0;

    assert_non_null(field);
    text[0] = '\0';
    for (uint32_t i = 0; i < bed->batch->selected; i++) {
        uint32_t row = bed->batch->selection[i];
        const struct column *column = field->column;

        size += (size_t)snprintf(text + size, 600 - size, "%s", i ? "|" : "");
        if (column_is_null(column, row))
            size += (size_t)snprintf(text + size, 600 - size, "NULL");
        else if (column->type.kind == TYPE_BIGINT)
            size += (size_t)snprintf(text + size, 600 - size, "%lld", (long long)column->bigint[row]);
        else if (column->type.kind == TYPE_DECIMAL)
            size += (size_t)snprintf(text + size, 600 - size, "%lld", (long long)column->decimal[row]);
        else
            size += (size_t)snprintf(text + size, 600 - size, "%.*s", STR_ARG(column->text[row]));
    }
    return text;
}

static void run_records(struct bed *bed, const char *const *records, size_t count)
{
    struct error error;

    batch_clear(bed->batch);
    for (size_t i = 0; i < count; i++)
        batch_add_message(bed->batch, &(struct message){.value = str_of(records[i]), .offset = (int64_t)i}, NULL);
    assert_true(batch_begin(bed->batch, bed->job->source.fields));
    if (!chain_process(bed->chain, bed->batch, &error))
        fail_msg("%s", error.text);
    assert_int_equal(bed->batch->selected + bed->batch->dirty_count + bed->batch->filtered_count, count);
}

static const char *const records[] = {
    "{\"phone\": \"13812345678\", \"email\": \"a@b.c\", \"user\": \"u1\", \"age\": 17, \"pay\": 1234.56, \"count\": \"x\"}",
    "{\"phone\": \"\", \"email\": \"\", \"user\": \"\", \"age\": 18, \"pay\": 1500, \"count\": \"\"}",
    "{\"age\": 1}",
    "{\"phone\": \"138\", \"email\": \"d@e.f\", \"user\": \"шалом שלום\", \"age\": 40, \"pay\": 1, \"count\": \"y\"}",
};

static void a_stage_hides_its_fields(void **state)
{
    struct bed bed;
    char text[600];

    (void)state;
    if (!bed_open_job(&bed, "    rules:\n"
                            "      - {field: phone, rule: cover, before: 3, after: 4, with: 0}\n"
                            "      - {field: email, rule: hash, algo: md5, salt: 007, keep_empty: true}\n"
                            "      - {fields: [user], rule: pseudonym, domain: \"${env:MASK_TEST_KEY}\"}\n"
                            "      - {field: age, rule: interval, intervals: [{to: 18, value: minor}, {from: 18, value: 99}]}\n"
                            "      - {field: pay, rule: round, digits: -3}\n"
                            "      - {field: count, rule: empty}\n"))
        fail_msg("%s", buffer_text(&bed.said));
    for (int round = 0; round < 2; round++) {
        run_records(&bed, records, COUNT_OF(records));
        assert_string_equal(show(&bed, "phone", text), "13800005678||NULL");
        assert_string_equal(show(&bed, "email", text), "dfcb3e114c230310cacd507e8bc85ca7||NULL");
        assert_string_equal(show(&bed, "age", text), "minor|99|minor");
        assert_string_equal(show(&bed, "pay", text), "100000|200000|NULL");
        assert_string_equal(show(&bed, "count", text), "NULL|NULL|NULL");
        show(&bed, "user", text);
        assert_int_equal(strlen(text), strlen("u1||NULL"));
        assert_string_not_equal(text, "u1||NULL");
        assert_int_equal(bed.batch->dirty_count, 1);
        assert_true(str_is(bed.batch->dirty->column, "user"));
        assert_true(str_starts_with(bed.batch->dirty->reason, STR("the text has a letter or number of a script that pseudonym")));
    }
    bed_close(&bed);
}

static void what_cannot_be_hidden_goes_by_when_error(void **state)
{
    static const struct {
        const char *when_error, *phone;
        uint32_t dirty, filtered;
    } cases[] = {
        {"dirty", "***********||NULL", 1, 0}, {"'null'", "***********||NULL|***", 0, 0}, {"drop", "***********||NULL", 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bed bed;
        char mask[300], text[600];

        snprintf(mask, sizeof(mask), "    when_error: %s\n    rules:\n      - {field: phone, rule: cover}\n"
                                     "      - {field: user, rule: pseudonym, domain: k}\n", cases[i].when_error);
        if (!bed_open_job(&bed, mask))
            fail_msg("%s", buffer_text(&bed.said));
        run_records(&bed, records, COUNT_OF(records));
        assert_string_equal(show(&bed, "phone", text), cases[i].phone);
        show(&bed, "user", text);
        assert_string_equal(strrchr(text, '|'), "|NULL");
        assert_null(strstr(text, "шалом"));
        assert_int_equal(bed.batch->dirty_count, cases[i].dirty);
        assert_int_equal(bed.batch->filtered_count, cases[i].filtered);
        bed_close(&bed);
    }
}

/* A field that comes with another type than check saw: all rows fail, and none passes with the fields that went well. */
static void a_call_that_fails_lets_no_row_pass(void **state)
{
    static const char *const late =
        "    rules:\n      - {field: phone, rule: cover}\n      - {field: age, rule: interval, intervals: [{to: 9, value: 1}]}\n";
    struct bed bed;
    struct script_limits limits = {16 << 20, 1000000};
    struct script_source source = {.stage = "hide", .builtin = "mask"};
    struct script_module *module;
    struct script_state *script;
    struct column *phone, *age;
    struct error error;

    (void)state;
    assert_true(bed_open_job(&bed, late));
    script = script_state_new(&limits, bed.log);
    source.options = bed.job->stages[1].options;
    if (!script_module_open(script, &source, &module, &error))
        fail_msg("%s", error.text);
    for (int when = WHEN_ERROR_DIRTY; when <= WHEN_ERROR_STOP; when++) {
        batch_clear(bed.batch);
        batch_add_message(bed.batch, &(struct message){.offset = 1}, NULL);
        assert_true(batch_begin(bed.batch, 0));
        phone = column_try_new(&bed.batch->arena, TYPE_OF(TYPE_STRING), 1, false);
        age = column_try_new(&bed.batch->arena, TYPE_OF(TYPE_STRING), 1, false);
        phone->text[0] = STR("13812345678");
        age->text[0] = STR("17");
        assert_true(batch_set(bed.batch, STR("phone"), phone));
        assert_true(batch_set(bed.batch, STR("age"), age));
        bed.batch->stage = "hide";
        bed.batch->when_error = (enum when_error)when;
        assert_int_equal(script_process(module, bed.batch, &error), when != WHEN_ERROR_STOP);
        assert_int_equal(bed.batch->selected, 0);
    }
    script_state_free(script);
    bed_close(&bed);
}

/* The kernels in stages of one's own. */
static void scripts_can_use_the_kernels(void **state)
{
    static const struct {
        const char *code, *said;
    } mistakes[] = {
        {"luaduct.mask.cover({before = 'x'}, 'options')", "options.before: a whole number from 0 to 16777216 is wanted"},
        {"luaduct.mask.cover{befor = 1}", "unknown key \"befor\"; did you mean \"before\"?"},
        {"luaduct.mask.cover{seed = 1}", "unknown key \"seed\""},
        {"luaduct.mask.cover()('x')", "column expected"},
        {"luaduct.mask.hash{algo = 'sha1'}", "algo: \"sha1\" is not known"},
        {"luaduct.mask.interval{intervals = 5}", "intervals: a list is wanted"},
        {"luaduct.mask.interval{intervals = {5}}", "intervals[1]: a map is wanted"},
    };
    struct stage_bed bed;
    char text[400];

    (void)state;
    bed_init(&bed, 16 << 20, 1000000);
    bed_fill(&bed);
    if (!script_process(bed_open(&bed, "local luaduct = require 'luaduct' local stage = {}\n"
                                       "local initials = luaduct.mask.cover{before = 1}\n"
                                       "local digits = luaduct.mask.replace_chars{position = 1, length = 9, with = 'random', seed = 5}\n"
                                       "function stage.process(batch)\n"
                                       "  batch:set('digits', digits(batch.city)) batch:set('city', initials(batch.city))\n"
                                       "  batch:set('id', luaduct.mask.empty()(batch.id)) end return stage"),
                        bed.batch, &bed.error))
        fail_msg("%s", bed.error.text);
    assert_string_equal(bed_show(&bed, "city", text), "S*******|B******||NULL|W****");
    assert_string_equal(bed_show(&bed, "id", text), "NULL|NULL|NULL|NULL|NULL");
    bed_show(&bed, "digits", text);
    assert_int_equal(strspn(text, "0123456789|NUL"), strlen(text));
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        char code[400];
        struct script_module *module;

        snprintf(code, sizeof(code), "local luaduct = require 'luaduct' return {process = function(batch) %s end}", mistakes[i].code);
        bed_fill(&bed);
        module = bed_open(&bed, code);
        assert_true(script_process(module, bed.batch, &bed.error));
        assert_int_equal(bed.batch->dirty_count, 5);
        if (!memmem(bed.batch->dirty->reason.data, bed.batch->dirty->reason.size, mistakes[i].said, strlen(mistakes[i].said)))
            fail_msg("%s: %.*s", mistakes[i].code, STR_ARG(bed.batch->dirty->reason));
    }
    bed_release(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_found_by_check),
        cmocka_unit_test(all_mistakes_come_at_once_with_their_places),
        cmocka_unit_test(wrong_fields_come_at_once_with_their_places),
        cmocka_unit_test(secrets_are_never_said),
        cmocka_unit_test(a_stage_hides_its_fields),
        cmocka_unit_test(what_cannot_be_hidden_goes_by_when_error),
        cmocka_unit_test(a_call_that_fails_lets_no_row_pass),
        cmocka_unit_test(scripts_can_use_the_kernels),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
