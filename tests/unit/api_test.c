/* api_test.c: the luaduct table: values that its functions give, and what wrong use says. */
#include "support/script_support.h"

struct value_case {
    const char *expression, *want;
};

/* Of each expression its tostring; several values are joined by a comma. */
static void check_values(const struct value_case *cases, size_t count)
{
    int failures = 0;
    struct stage_bed bed;

    bed_init(&bed, 16 << 20, 10000000);
    for (size_t i = 0; i < count; i++) {
        char text[2000], shown[400];
        struct script_module *module;

        snprintf(text, sizeof(text),
                 "local function show(...) local t = table.pack(...) for i = 1, t.n do t[i] = tostring(t[i]) end return table.concat(t, ',') end\n"
                 "return {process = function(batch) batch:set('x', show(%s)) end}", cases[i].expression);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        bed.batch->selected = 1;
        assert_true(script_process(module, bed.batch, &bed.error));
        if (bed.batch->dirty)
            snprintf(shown, sizeof(shown), "%.*s", STR_ARG(bed.batch->dirty->reason));
        else
            bed_show(&bed, "x", shown);
        if (strcmp(shown, cases[i].want) != 0) {
            print_error("%s\n  gives %s\n  want  %s\n", cases[i].expression, shown, cases[i].want);
            failures++;
        }
    }
    bed_release(&bed);
    assert_int_equal(failures, 0);
}

/* Of each expression what its error says, behind "file:line: ". */
static void check_errors(const struct value_case *cases, size_t count)
{
    int failures = 0;
    struct stage_bed bed;

    bed_init(&bed, 16 << 20, 10000000);
    for (size_t i = 0; i < count; i++) {
        char text[2000], shown[1000] = "no error";
        struct script_module *module;

        snprintf(text, sizeof(text), "return {process = function(batch)\nlocal _ = %s\nend}", cases[i].expression);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
        if (bed.batch->dirty)
            snprintf(shown, sizeof(shown), "%.*s", STR_ARG(bed.batch->dirty->reason));
        if (!strstr(shown, ".lua:2: ") || !strstr(shown, cases[i].want)) {
            print_error("%s\n  says %s\n  want %s\n", cases[i].expression, shown, cases[i].want);
            failures++;
        }
    }
    bed_release(&bed);
    assert_int_equal(failures, 0);
}

static void test_wrong_names(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.decimla('1')", "luaduct has no function \"decimla\"; did you mean \"decimal\"?"},
        {"luaduct.x()", "luaduct has no function \"x\""},
        {"luaduct[1]", "luaduct has no elements, so 1 cannot be read"},
        {"luaduct.counter('x')", "luaduct.counter is called in open(ctx) or at the top of the file"},
    };

    (void)state;
    check_errors(cases, COUNT_OF(cases));
}

/* --- counters --- */

static void check_page(struct metrics *metrics, const char *const *lines, size_t count)
{
    struct buffer page;

    buffer_init(&page, 0);
    metrics_print(metrics, &page);
    for (size_t i = 0; i < count; i++)
        if (!strstr(buffer_text(&page), lines[i]))
            fail_msg("no %s in\n%s", lines[i], buffer_text(&page));
    buffer_release(&page);
}

static void test_counters(void **state)
{
    static const char text[] =
        "local luaduct = require 'luaduct'\n"
        "local rows, big, last = luaduct.counter('rows', 'Rows seen.'), luaduct.counter('big_total', {city = 'Wuhan'})\n"
        "local stage = {}\n"
        "function stage.open() last = luaduct.gauge('last') last:set(2) end\n"
        "function stage.process(batch)\n"
        "  rows:add(batch:count())\n"
        "  for row in batch:rows() do big:add(0.5) last:add(0.5) if row.id == 3 then error('three') end end\n"
        "  big:add()\n"
        "  last:add(-2)\n"
        "end\n"
        "return stage";
    struct metrics *metrics = metrics_new("j");
    struct stage_bed beds[2];

    (void)state;
    /* Two states; in each the run over five rows fails, and the one over four is what counts. */
    for (int i = 0; i < 2; i++) {
        struct script_module *module;

        bed_init(&beds[i], 16 << 20, 10000000);
        if (i == 0)
            script_state_count(beds[i].state, metrics);
        module = bed_open(&beds[i], text);
        if (i == 1)
            script_state_count(beds[i].state, metrics);
        bed_fill(&beds[i]);
        assert_true(script_process(module, beds[i].batch, &beds[i].error));
        assert_int_equal(beds[i].batch->dirty_count, 1);
    }
    {
        static const char *const both[] = {
            "# HELP luaduct_script_rows_total Rows seen.\n# TYPE luaduct_script_rows_total counter\n"
            "luaduct_script_rows_total{job=\"j\",stage=\"s\"} 8\n", "luaduct_script_big_total{job=\"j\",stage=\"s\",city=\"Wuhan\"} 6\n",
            "# TYPE luaduct_script_last gauge\nluaduct_script_last{job=\"j\",stage=\"s\"} 4\n"};

        check_page(metrics, both, COUNT_OF(both));
    }
    bed_release(&beds[1]);
    {
        static const char *const one[] = {"rows_total{job=\"j\",stage=\"s\"} 8\n", "last{job=\"j\",stage=\"s\"} 2\n"};

        check_page(metrics, one, COUNT_OF(one));
    }
    bed_release(&beds[0]);
    metrics_free(metrics);
}

static void test_counters_without_a_page(void **state)
{
    struct stage_bed bed;
    struct script_module *module;
    char shown[400];

    (void)state;
    bed_init(&bed, 16 << 20, 10000000);
    module = bed_open(&bed, "local c = luaduct.counter('c') return {process = function(batch) c:add(3) batch:set('x', 1) end}");
    bed_fill(&bed);
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_string_equal(bed_show(&bed, "x", shown), "1|1|1|1|1");
    bed_release(&bed);
}

static void test_wrong_counters(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.counter('Rows')", "bad argument #1 to 'counter' (a name has 1 to 48 lower-case letters"},
        {"luaduct.counter('')", "a name has 1 to 48"},
        {"luaduct.counter(('x'):rep(49))", "a name has 1 to 48"},
        {"luaduct.counter()", "bad argument #1 to 'counter' (string expected"},
        {"luaduct.gauge('x_total')", "_total is how counters end"},
        {"luaduct.counter('x', {'a'})", "a label is a name and its value"},
        {"luaduct.counter('x', {a = 'b', c = 'd'})", "one label at most"},
        {"luaduct.counter('x', {stage = 'b'})", "the label \"stage\" is there already"},
        {"luaduct.counter('x', {a = 'b\\n'})", "no control characters"},
        {"luaduct.counter('x', {a = '\\xFF'})", "UTF-8"},
        {"luaduct.counter('x', 5)", "table expected"},
        {"luaduct.counter('x'):ad(1)", "a counter has no function \"ad\"; did you mean \"add\"?"},
        {"luaduct.counter('x'):add(-1)", "a counter only grows"},
        {"luaduct.counter('x'):add('a')", "number expected"},
        {"luaduct.counter('x'):add(0/0)", "beyond 9e15"},
        {"luaduct.counter('x').add(5)", "called with a colon"},
        {"luaduct.gauge('x'):set()", "bad argument #1 to 'set' (number expected, got no value)"},
        {"(function() for i = 1, 33 do luaduct.counter('x' .. i) end end)()", "at most 32 metrics"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stage_bed bed;
        char text[1000];

        bed_init(&bed, 16 << 20, 10000000);
        snprintf(text, sizeof(text), "local stage = {}\nlocal _ = %s\nfunction stage.process() end return stage", cases[i].expression);
        assert_null(bed_try_open(&bed, text));
        if (!strstr(bed.error.text, ".lua:2: ") || !strstr(bed.error.text, cases[i].want))
            fail_msg("%s: %s", cases[i].expression, bed.error.text);
        bed_release(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_counters_without_a_page),
        cmocka_unit_test(test_wrong_counters),
    };

    (void)check_values;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
