/* cases_test.c: cases of `luaduct test`: what equals what, which dirty row answers which expectation, and whole files run through
 * the C interface that a reload uses. What a person sees of mistakes is in tests/integration/test_cases.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the first four. */
#include <cmocka.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "job/yaml.h"
#include "script/script.h"
#include "testing/cases.h"
#include "testing/cell.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/cases_test.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"a.test.yaml", "a.lua", "b.lua", "b.test.yaml", "job.yaml", "job.test.yaml", "v.yaml"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static const char *file_write(const char *name, const char *text)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

/* The value of "v" in a YAML file of that one line. */
static struct tree_node *yaml_of(const char *value)
{
    struct report *report = report_new();
    struct tree_node *root;
    char text[400];

    snprintf(text, sizeof(text), "v: %s\n", value);
    assert_true(yaml_read(&root, file_write("v.yaml", text), report));
    report_free(report);
    return root;
}

#define INT(n) {.integer = (n)}
#define REAL(x) {.real = (x)}
#define TEXT(t) {.bytes = {(t), sizeof(t) - 1}}
#define NULL_VALUE {.null = true}

static void test_what_equals(void **state)
{
    static struct record_value list[] = {INT(1), NULL_VALUE}, pairs[] = {TEXT("a"), TEXT("b"), TEXT("1.50"), TEXT("2.00")};
    static const struct {
        const char *type, *expected;
        struct record_value value;
        bool equal;
    } cases[] = {
        {"bigint", "5", INT(5), true},
        {"bigint", "\"5\"", INT(5), true},
        {"bigint", "6", INT(5), false},
        {"bigint", "5.5", INT(5), false},
        {"bigint", "five", INT(5), false},
        {"bigint", "9007199254740993", INT(9007199254740992), false},
        {"bigint", "null", INT(0), false},
        {"bigint", "0", NULL_VALUE, false},
        {"bigint", "null", NULL_VALUE, true},
        {"bigint", "~", NULL_VALUE, true},
        {"bigint", "", NULL_VALUE, true},
        {"string", "\"\"", TEXT(""), true},
        {"string", "null", TEXT(""), false},
        {"string", "\"\"", NULL_VALUE, false},
        {"string", "\"null\"", TEXT("null"), true},
        {"string", "\"null\"", NULL_VALUE, false},
        {"string", "5", TEXT("5"), true},
        {"string", "5.0", TEXT("5"), false},
        {"string", "true", TEXT("true"), true},
        {"string", "a", TEXT("A"), false},
        {"string", "{b: 1.0, a: [x]}", TEXT("{\"a\":[\"x\"],\"b\":1}"), true},
        {"string", "{b: 1}", TEXT("no JSON"), false},
        {"varchar(9)", "\"a \"", TEXT("a"), false},
        {"decimal(10,2)", "900", TEXT("900.00"), true},
        {"decimal(10,2)", "\"900.0\"", TEXT("900.00"), true},
        {"decimal(10,2)", "900.001", TEXT("900.00"), false},
        {"decimal(10,2)", "9e2", TEXT("900.00"), true},
        {"decimal(38,0)", "12345678901234567890123456789012345678", TEXT("12345678901234567890123456789012345678"), true},
        {"decimal(38,0)", "12345678901234567890123456789012345679", TEXT("12345678901234567890123456789012345678"), false},
        {"double", "0.1", REAL(0.1), true},
        {"double", "0.10000000000000002", REAL(0.1), false},
        {"double", "NaN", REAL(NAN), true},
        {"float", "0.1", REAL(0.1f), true},
        {"boolean", "true", INT(1), true},
        {"boolean", "1", INT(1), true},
        {"boolean", "false", INT(1), false},
        {"boolean", "yes", INT(1), false},
        {"date", "2024-01-31", INT(19753), true},
        {"date", "2024-02-01", INT(19753), false},
        {"date", "2024-1-31", INT(19753), false},
        {"datetime", "2024-01-31 08:00:00", INT(1706659200000), true}, /* in the zone, +08:00 */
        {"datetime", "2024-01-31T00:00:00Z", INT(1706659200000), true},
        {"datetime", "2024-01-31T00:00:00.001Z", INT(1706659200000), false},
        {"datetime", "1969-12-31T23:59:59.999Z", INT(-1), true},
        {"timestamp", "2024-01-31T01:00:00.5+01:00", {.integer = 1706659200, .nanos = 500000000}, true},
        {"timestamp_ntz", "2024-01-31 00:00:00", INT(1706659200), true},
        {"binary", "abc", TEXT("abc"), true},
        {"json", "{b: [1, null], a: x}", TEXT("{\"a\":\"x\",\"b\":[1.0,null]}"), true},
        {"json", "'{\"a\": 1}'", TEXT("{\"a\":1}"), true},
        {"json", "{a: 1}", TEXT("{\"a\":\"1\"}"), false},
        {"json", "{a: 1}", TEXT("{\"a\":1,\"b\":2}"), false},
        {"json", "[1, 2]", TEXT("[2,1]"), false},
        {"json", "5", TEXT("5"), true},
        {"json", "\"a\"", TEXT("\"a\""), true},
        {"json", "\"1\"", TEXT("\"1\""), true},
        {"array<bigint>", "[1, null]", {.count = 2, .items = list}, true},
        {"array<bigint>", "[1]", {.count = 2, .items = list}, false},
        {"struct<x:bigint,y:bigint>", "{y: null, x: 1}", {.count = 2, .items = list}, true},
        {"map<string,decimal(10,2)>", "{b: 2, a: 1.5}", {.count = 4, .items = pairs}, true},
        {"map<string,decimal(10,2)>", "{b: 2, a: 1.51}", {.count = 4, .items = pairs}, false},
    };
    struct zone *zone;
    struct cells cells;
    struct error error = {0};

    (void)state;
    assert_true(zone_open(&zone, STR("Asia/Shanghai"), &error));
    cells_init(&cells, zone);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tree_node *root = yaml_of(cases[i].expected);
        struct mc_type type;
        struct buffer text;

        assert_true(mc_type_parse(&type, str_of(cases[i].type), &error));
        if (cell_matches(&cells, root->entries[0].value, &type, &cases[i].value) != cases[i].equal)
            fail_msg("case %zu: %s %s: %s", i, cases[i].type, cases[i].expected, cases[i].equal ? "not equal" : "equal");
        buffer_init(&text, 0);
        cell_print(&cells, &type, &cases[i].value, &text);
        cell_print_expected(&type, root->entries[0].value, &text);
        assert_true(text.size > 0 && str_is_utf8(buffer_str(&text)));
        buffer_release(&text);
        mc_type_release(&type);
        tree_free(root);
    }
    cells_release(&cells);
    zone_free(zone);
}

static void test_yaml_as_json(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"{a: 1, b: [true, no, null, ~, 1.50, -0.0, 1e5, 01, +1, .5, 0x1F, '2', \"x\\ty\"]}",
         "{\"a\":1,\"b\":[true,\"no\",null,null,1.50,-0.0,1e5,\"01\",\"+1\",\".5\",\"0x1F\",\"2\",\"x\\ty\"]}"},
        {"[]", "[]"},
        {"{k: {}}", "{\"k\":{}}"},
        {"12345678901234567890.5", "12345678901234567890.5"},
        {"1.", "\"1.\""},
        {"-", "\"-\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tree_node *root = yaml_of(strcmp(cases[i].yaml, "-") == 0 ? "'-'" : cases[i].yaml);
        struct buffer json;

        buffer_init(&json, 0);
        cell_tree_json(root->entries[0].value, &json);
        assert_string_equal(buffer_text(&json), cases[i].json);
        buffer_release(&json);
        tree_free(root);
    }
}

static const char script[] = "local stage = {}\n"
                             "function stage.process(batch)\n"
                             "  for row in batch:rows() do\n"
                             "    if row.id > 100 then row:dirty('reason ' .. row.id)\n"
                             "    elseif row.id < 0 then row:drop()\n"
                             "    else row.id = row.id * 2 end\n"
                             "  end\n"
                             "end\n"
                             "return stage\n";

/* Runs a file beside a.lua; the number of differences of each case. */
static void check(const char *cases_text, size_t count, const size_t *differences)
{
    struct cases_options options = {.log = log_new(NULL, "test")};
    struct report *report = report_new();
    struct cases cases = {0};
    struct buffer text;
    char path[128];

    snprintf(path, sizeof(path), "%s", file_write("a.lua", script));
    file_write("a.test.yaml", cases_text);
    cases_run(&cases, path, &options, report);
    buffer_init(&text, 0);
    report_print(report, &text);
    if (text.size)
        fail_msg("%s", buffer_text(&text));
    assert_int_equal(cases.count, count);
    for (size_t i = 0; i < count; i++)
        if (cases.results[i].count != differences[i])
            fail_msg("%s: %zu differences: %s, got %s", cases.results[i].name, cases.results[i].count,
                     cases.results[i].count ? cases.results[i].differences[0].expected : "",
                     cases.results[i].count ? cases.results[i].differences[0].got : "");
    buffer_release(&text);
    cases_free(&cases);
    report_free(report);
    log_free((struct log *)(uintptr_t)options.log);
}

static void test_counts_and_dirty_rows(void **state)
{
    static const size_t differences[] = {0, 1, 1, 2, 0, 1, 0, 1, 0, 2, 1};

    (void)state;
    check("cases:\n"
          "- {name: as expected, rows: [{id: 1}, {id: -1}, {id: 101}], expect: [{id: 2}], expect_filtered: 1, expect_dirty: [{input: 3}]}\n"
          "- {name: a dirty row that nobody expects, rows: [{id: 1}, {id: 101}], expect: [{id: 2}]}\n"
          "- {name: filtered, rows: [{id: -1}], expect: [], expect_filtered: 0}\n"
          "- {name: too many rows, rows: [{id: 1}, {id: 2}], expect: []}\n"
          "- {name: rows are not compared, rows: [{id: 1}, {id: 2}], expect_filtered: 0}\n"
          "- {name: too few rows, rows: [{id: 1}], expect: [{id: 2}, {id: 4}]}\n"
          /* The first expectation takes any row; the second one only the first: they must not get in each other's way. */
          "- {name: any order, rows: [{id: 101}, {id: 102}], expect_dirty: [{stage: stage}, {reason: reason 101}]}\n"
          "- {name: the same row twice, rows: [{id: 101}, {id: 102}], expect_dirty: [{reason: '101'}, {reason: 'reason 101'}, {}]}\n"
          "- {name: no input, rows: [], expect: []}\n"
          "- {name: not that column, rows: [{id: 101}], expect_dirty: [{column: id}]}\n"
          "- {name: null is not zero, rows: [{id: 0}], expect: [{id: null}]}\n",
          COUNT_OF(differences), differences);
}

/* More rows than a batch has, records of several partitions, and how many differences are kept. */
static void test_many(void **state)
{
    static const size_t differences[] = {CASE_DIFFERENCES_MAX, 0};
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    buffer_append_str(&text, STR("fields: {id: bigint}\ncases:\n- name: all differ\n  rows:\n"));
    for (int i = 0; i < 5000; i++)
        buffer_append_str(&text, STR("  - {id: 1}\n"));
    buffer_append_str(&text, STR("  expect:\n"));
    for (int i = 0; i < 5000; i++)
        buffer_append_str(&text, STR("  - {id: 1}\n"));
    buffer_append_str(&text, STR("- {name: equal, rows: [{id: 7}], expect: [{id: 14}]}\n"));
    check(buffer_text(&text), 2, differences);
    buffer_release(&text);

    file_write("b.lua", "local s = {}\nfunction s.process(b) b:set('n', b.__offset__ + b.__partition__ * 100) end\nreturn s\n");
    {
        struct cases_options options = {0};
        struct report *report = report_new();
        struct cases cases = {0};

        cases_run(&cases,
                  file_write("b.test.yaml",
                             "cases:\n"
                             "- name: records\n"
                             "  input: [{value: a}, {value: b, partition: 1}, {value: c, offset: 7}, {value: d}, {value: e, partition: 1}]\n"
                             "  expect: [{n: 0}, {n: 100}, {n: 7}, {n: 8}, {n: 101}]\n"
                             "- name: bytes and headers\n"
                             "  input: [{value: {base64: /w==}, key: null, headers: [[a, null]], timestamp: 2024-01-31T00:00:00Z}]\n"
                             "  expect: [{__key__: null, __timestamp__: 1706659200000, __headers__: [[a, null]]}]\n"),
                  &options, report);
        assert_int_equal(cases.tried, 0); /* the file beside b.test.yaml would be b.test.test.yaml */
        {
            char path[128];

            snprintf(path, sizeof(path), "%s/b.lua", folder);
            cases_run(&cases, path, &options, report);
        }
        assert_int_equal(report_mistakes(report), 0);
        assert_int_equal(cases.count, 2);
        assert_int_equal(cases.failed, 0);
        cases_free(&cases);
        report_free(report);
    }
}

/* A field that goes when rows come. */
static void test_a_field_that_goes(void **state)
{
    struct cases_options options = {0};
    struct report *report = report_new();
    struct cases cases = {0};
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s",
             file_write("b.lua", "local s = {}\nfunction s.process(b) if b:count() > 0 then b:remove('id') end end\nreturn s\n"));
    file_write("b.test.yaml", "cases: [{name: a, rows: [{id: 1}], expect: [{id: 1}]}]\n");
    cases_run(&cases, path, &options, report);
    assert_int_equal(report_mistakes(report), 0);
    assert_int_equal(cases.failed, 1);
    assert_string_equal(cases.results[0].differences[0].got, "no such field");
    cases_free(&cases);

    /* A row that nobody expects is shown without the source's fields. */
    file_write("b.lua", "return {process = function(b) end}\n");
    file_write("b.test.yaml", "cases: [{name: a, rows: [{id: 1, x: null}], expect: []}]\n");
    cases_run(&cases, path, &options, report);
    assert_string_equal(cases.results[0].differences[0].got, "{id: 1, x: NULL}");
    cases_free(&cases);
    report_free(report);
}

/* What a reload asks: the job's own file and those beside its Lua files; a mistake in one leaves no case of it. */
static void test_of_a_job(void **state)
{
    struct cases_options options = {0};
    struct report *report = report_new();
    struct cases cases = {0};
    struct error error = {0};
    struct job *job;
    struct str read;
    char path[128], lua[128];

    (void)state;
    file_write("a.lua", script);
    file_write("a.test.yaml", "cases: [{name: beside the script, rows: [{id: 1}], expect: [{id: 2}]}]\n");
    file_write("job.test.yaml", "cases: [{name: of the job, input: [{value: {id: 4}}], expect: [{id: 8}]},\n"
                                "        {name: typed, from: twice, rows: [{id: 4}], expect: [{id: 9}]}]\n");
    snprintf(path, sizeof(path), "%s/job.yaml", folder);
    file_write("job.yaml", "name: j\nsource: {kafka: k, topic: t, properties: {sasl.password: \"${env:NOT_SET_ANYWHERE}\"}}\n"
                           "stages:\n- {name: parse, kind: json, columns: [{name: id, path: $.id, type: bigint}]}\n"
                           "- {name: twice, kind: lua, file: a.lua}\n"
                           "target: {maxcompute: m, table: t, create: if_missing, columns: [{name: id, type: BIGINT}]}\n");
    assert_true(job_load_offline(&job, path, NULL, report));
    assert_false(cases_pass(job, NULL, &error));
    assert_non_null(strstr(error.text, "a test case fails: "));
    assert_non_null(strstr(error.text, "job.test.yaml:2:67: case \"typed\": column id: expected 9, got 8"));
    cases_run(&cases, path, &options, report);
    assert_int_equal(report_mistakes(report), 0);
    assert_int_equal(cases.tried, 2);
    assert_int_equal(cases.count, 3);
    assert_int_equal(cases.failed, 1);
    assert_string_equal(cases.results[1].name, "typed");
    assert_string_equal(cases.results[1].differences[0].got, "8");
    assert_string_equal(cases.results[1].differences[0].expected, "9");
    assert_int_equal(cases.results[1].differences[0].at.line, 2);
    cases_free(&cases);

    file_write("a.test.yaml", "cases: [{name: x, rows: [{id: 1}], expct: []}]\n");
    cases_run(&cases, path, &options, report);
    assert_int_equal(report_mistakes(report), 2); /* the key, and that nothing is expected */
    assert_int_equal(cases.count, 2);
    cases_free(&cases);
    assert_false(cases_pass(job, NULL, &error));
    assert_non_null(strstr(error.text, "a.test.yaml:1:9: cases[1]: nothing is expected"));
    file_write("a.test.yaml", "cases: [{name: x, rows: [{id: 1}], expect: [{id: 2}]}]\n");
    file_write("job.test.yaml", "cases: [{name: of the job, input: [{value: {id: 4}}], expect: [{id: 8}]}]\n");
    assert_true(cases_pass(job, NULL, &error));

    /* What the job has read counts, also for the cases of the script alone, and not what took its place. */
    snprintf(lua, sizeof(lua), "%s/a.lua", folder);
    file_write("a.lua", "return {process = function(batch) batch:set('id', batch.id * 3) end}");
    assert_false(cases_pass(job, NULL, &error));
    file_write("a.lua", script);
    assert_true(script_file_read(job->files, lua, &read, &error));
    file_write("a.lua", "this is no Lua");
    file_write("job.yaml", "name: [");
    if (!cases_pass(job, NULL, &error))
        fail_msg("%s", error.text);
    job_free(job);
    file_write("a.lua", script);

    /* What stages need must be there all the same. */
    report_free(report);
    report = report_new();
    unlink(path);
    file_write("a.test.yaml", "stage: {options: {key: \"${env:NOT_SET_ANYWHERE}\"}}\ncases: [{name: x, rows: [{id: 1}], expect: []}]\n");
    snprintf(path, sizeof(path), "%s/a.lua", folder);
    cases_run(&cases, path, &options, report);
    assert_int_equal(report_mistakes(report), 1);
    cases_free(&cases);
    report_free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_equals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_yaml_as_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts_and_dirty_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_field_that_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_a_job, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
