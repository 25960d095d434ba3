/* assign_test.c: the stage kind assign as a person meets it: YAML in, rows or mistakes out. */
#include "support/stage_bed.h"

#define PARSE                                                                                                                          \
    "  - {name: parse, kind: json, columns: [{name: id, path: $.id, type: bigint}, {name: name, path: $.name, type: string}, "           \
    "{name: amount, path: $.amount, type: string}]}\n"

static const char *const records[] = {
    "{\"id\": 1, \"name\": \"\\u4e2d\\u6587\", \"amount\": \"12.50\"}",
    "{\"id\": 2, \"name\": null, \"amount\": \"1e400\"}",
    "{\"id\": 9223372036854775807, \"amount\": \"-0.01\"}",
};

struct rows_case {
    const char *about, *stage, *rows;
};

static const struct rows_case rows_cases[] = {
    {"nothing to do", "{name: a, kind: assign}",
     "id=1 name=6:中文 amount=5:12.50\nid=2 name=NULL amount=5:1e400\nid=9223372036854775807 name=NULL amount=5:-0.01\n"},
    {"rename keeps the place", "{name: a, kind: assign, rename: {name: user}, drop: [amount]}",
     "id=1 user=6:中文\nid=2 user=NULL\nid=9223372036854775807 user=NULL\n"},
    {"two names are swapped", "{name: a, kind: assign, rename: {name: amount, amount: name}, drop: [id]}",
     "amount=6:中文 name=5:12.50\namount=NULL name=5:1e400\namount=NULL name=5:-0.01\n"},
    {"a cast fails the row that would lose something", "{name: a, kind: assign, cast: {amount: \"decimal(10,2)\"}, drop: [name]}",
     "id=1 amount=12.50\nid=9223372036854775807 amount=-0.01\n"
     "dirty 1 a amount: \"1e400\" has more digits before the point than the decimal holds, for type decimal(10,2)\n"},
    {"or makes NULL of it", "{name: a, kind: assign, when_error: 'null', cast: {amount: \"decimal(10,2)\"}, drop: [name]}",
     "id=1 amount=12.50\nid=2 amount=NULL\nid=9223372036854775807 amount=-0.01\n"},
    {"or the row goes", "{name: a, kind: assign, when_error: drop, cast: {amount: \"decimal(10,2)\"}, drop: [name]}",
     "id=1 amount=12.50\nid=9223372036854775807 amount=-0.01\n"},
    {"constants of every kind",
     "{name: a, kind: assign, set: [{field: t, value: bench}, {field: n, value: -5}, {field: b, value: true}, {field: q, value: \"007\"}, "
     "{field: d, value: \"12.50\", type: \"decimal(10,2)\"}, {field: day, value: \"1970-01-03\", type: date}], select: [t, n, b, q, d, day]}",
     "t=5:bench n=-5 b=1 q=3:007 d=12.50 day=day 2\nt=5:bench n=-5 b=1 q=3:007 d=12.50 day=day 2\nt=5:bench n=-5 b=1 q=3:007 d=12.50 day=day 2\n"},
    {"each sees those before it",
     "{name: a, kind: assign, set: [{field: x, expression: \"coalesce(name, 'none')\"}, {field: x, expression: \"x || '!'\"}], select: [x]}",
     "x=7:中文!\nx=5:none!\nx=5:none!\n"},
    {"select orders", "{name: a, kind: assign, select: [amount, id]}", "amount=5:12.50 id=1\namount=5:1e400 id=2\namount=5:-0.01 id=9223372036854775807\n"},
    {"variables", "{name: a, kind: assign, set: [{field: j, expression: \"${job}\"}, {field: t, expression: \"${topic}\"}], select: [j, t]}",
     "j=1:j t=6:orders\nj=1:j t=6:orders\nj=1:j t=6:orders\n"},
    {"rename comes before cast, and cast before set",
     "{name: a, kind: assign, set: [{field: x, expression: n + 1}], cast: {n: \"decimal(20,1)\"}, rename: {id: n}, select: [x]}",
     "x=2.0\nx=3.0\nx=9223372036854775808.0\n"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows_cases); i++) {
        const struct rows_case *one = &rows_cases[i];
        struct stage_bed bed;
        char stages[2048];
        struct buffer text;
        char *rows;

        snprintf(stages, sizeof(stages), PARSE "  - %s\n", one->stage);
        buffer_init(&text, 0);
        if (!stage_bed_open(&bed, stages)) {
            report_print(bed.report, &text);
            fail_msg("%s: %.*s", one->about, (int)text.size, text.data);
        }
        assert_true(stage_bed_run(&bed, records, COUNT_OF(records)));
        rows = stage_bed_rows(&bed);
        if (strcmp(rows, one->rows) != 0)
            fail_msg("%s:\n%swanted:\n%s", one->about, rows, one->rows);
        free(rows);
        buffer_release(&text);
        stage_bed_close(&bed);
    }
}

struct mistake_case {
    const char *stage;
    const char *place;   /* "line:column: " */
    const char *mistake; /* a part of it */
};

static const struct mistake_case mistake_cases[] = {
    {"{name: a, kind: assign, rename: {nmae: user}}", "5:38: ", "there is no field \"nmae\"; did you mean \"name\"?"},
    {"{name: a, kind: assign, rename: {name: id}}", "5:44: ", "rename.name: there would be two fields \"id\"; remove or rename the other one"},
    {"{name: a, kind: assign, rename: [name]}", "5:37: ", "must be a map of fields, {field: a new name}"},
    {"{name: a, kind: assign, cast: {amuont: date}}",
     "5:36: ", "cast.amuont: there is no field \"amuont\"; did you mean \"amount\"?"},
    {"{name: a, kind: assign, cast: {amount: dat}}", "5:44: ", "did you mean \"date\"?"},
    {"{name: a, kind: assign, cast: {id: date}}", "5:40: ", "cast.id: bigint does not convert to date"},
    {"{name: a, kind: assign, set: [{field: x}]}", "5:35: ", "set[1]: either a value or an expression is wanted"},
    {"{name: a, kind: assign, set: [{field: x, value: 1, expression: id}]}",
     "5:35: ", "set[1]: either a value or an expression is wanted"},
    {"{name: a, kind: assign, set: [{field: x, expression: id + naem}]}", "5:63: ", "there is no field \"naem\" here"},
    {"{name: a, kind: assign, set: [{field: x, value: \"2024-02-30\", type: date}]}", "5:53: ", "set[1].value"},
    {"{name: a, kind: assign, set: [{field: x, value: [1]}]}", "5:53: ", "must be a text, a number, true or false, not a list"},
    {"{name: a, kind: assign, set: [{name: x, value: 1}]}", "5:36: ", "use \"field\""},
    {"{name: a, kind: assign, drop: [id, nam]}", "5:40: ", "drop[2]: there is no field \"nam\"; did you mean \"name\"?"},
    {"{name: a, kind: assign, drop: [id], select: [name]}", "5:49: ", "drop and select exclude each other"},
    {"{name: a, kind: assign, select: [name, name]}", "5:44: ", "field \"name\" is selected twice"},
    {"{name: a, kind: assign, select: [nme]}", "5:38: ", "select[1]: there is no field \"nme\""},
    {"{name: a, kind: assign, select: [nme, id, amuont]}", "5:47: ", "select[3]: there is no field \"amuont\""},
    {"{name: a, kind: assign, rename: {nmae: user, amuont: price}}", "5:50: ", "rename.amuont: there is no field"},
    {"{name: a, kind: assign, rename: {nmae: user, amuont: price}}", "5:38: ", "rename.nmae: there is no field"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistake_cases); i++) {
        const struct mistake_case *one = &mistake_cases[i];
        struct stage_bed bed;
        char stages[2048], place[64];
        struct buffer text;

        snprintf(stages, sizeof(stages), PARSE "  - %s\n", one->stage);
        buffer_init(&text, 0);
        if (stage_bed_open(&bed, stages))
            fail_msg("%s: no mistake was found", one->stage);
        report_print(bed.report, &text);
        buffer_append_char(&text, '\0');
        snprintf(place, sizeof(place), "job.yaml:%s", one->place);
        if (!strstr(text.data, one->mistake) || !strstr(text.data, place))
            fail_msg("%s\n%swanted at %s: %s", one->stage, text.data, one->place, one->mistake);
        buffer_release(&text);
        stage_bed_close(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
