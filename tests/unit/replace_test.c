/* replace_test.c: the rules of kind replace, as kernels and as a stage. */
#include "support/script_support.h"

#include "batch/kernels/replace.h"
#include "batch/kernels/text.h"

static struct batch *make_batch(const char *text, size_t rows, struct column **column_out)
{
    struct batch *batch = batch_new(64 << 20);

    for (size_t i = 0; i < rows; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = (int64_t)i}, NULL);
    assert_true(batch_begin(batch, 0));
    batch->stage = "s";
    *column_out = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), (uint32_t)rows, false);
    for (size_t i = 0; i < rows; i++)
        (*column_out)->text[i] = str_of(text);
    return batch;
}

enum { REGEX = 1, CASE = 2 };

static void test_rules(void **state)
{
    static const struct {
        unsigned flags;
        const char *find, *with, *text, *result; /* result: !reason for a dirty row */
    } rules[] = {
        {0, "\u533a", "District", "\u6d66\u4e1c\u65b0\u533a\u533a", "\u6d66\u4e1c\u65b0DistrictDistrict"},
        {0, "abc", "x", "ABCabcaBc", "xxx"}, /* by default case does not matter */
        {CASE, "abc", "x", "ABCabcaBc", "ABCxaBc"},
        {0, "\u00e9", "e", "\u00c9t\u00e9", "ete"},
        {0, "stra\u00dfe", "St.", "STRA\u1e9eE", "St."},
        {0, "\u03c3", "s", "\u03a3\u03c3\u03c2", "sss"},
        {0, "k", "x", "\u212aKk", "xxx"}, /* matches of other sizes than what is sought */
        {0, "\u212a", "\u4e0a", "kkk", "\u4e0a\u4e0a\u4e0a"},
        {0, "i", "x", "I\u0130\u0131", "x\u0130\u0131"},
        {0, "\uff21", "A", "\uff21\uff41a", "AAa"},
        {0, "e\u0301", "E", "e\u0301\u00e9", "E\u00e9"},
        {0, "\U0001f600", "", "a\U0001f600b\U0001f600", "ab"},
        {0, "aa", "a", "aaaaa", "aaa"},
        {0, "a", "aa", "aaa", "aaaaaa"},
        {0, "x", "y", "", ""},
        {0, "\\t", "\\n", "a\tb", "a\nb"},
        {0, "\\\\", "/", "a\\b", "a/b"},
        {0, "\\u533a", "\\ud83d\\ude00", "\u533a", "\U0001f600"},
        {0, ".", "$1", "a.b", "a$1b"}, /* nothing else means anything */
        {CASE, "\\r", "\\\\n", "a\rb", "a\\nb"},
        {0, "a", "b", "a\xff", "!the text is not valid UTF-8"},
        {0, "\u533a", "b", "a\xff", "!the text is not valid UTF-8"}, /* whichever way it is searched */
        {REGEX, "(\\d+)-(?<b>\\d+)", "$2/$1 ${b}", "on 12-34", "on 34/12 34"},
        {REGEX, "abc", "x", "ABCabc", "xx"},
        {REGEX | CASE, "abc", "x", "ABCabc", "ABCx"},
        {REGEX, "\u00c9", "e", "\u00e9", "e"},
        {REGEX, "x*", "-", "abc", "-a-b-c-"},
        {REGEX, "[\\u4e00-\\u9fa5]", "", "a\u4e0ab\u6d77", "ab"},
        {REGEX, "a", "\\t$$", "a", "\t$"},
        {REGEX, "a", "b", "a\xff", "!the text is not valid UTF-8"},
        {REGEX, "(a+)+$", "b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
         "!the pattern takes too many steps on this value (match limit)"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct replace_options options = {str_of(rules[i].find), str_of(rules[i].with), rules[i].flags & REGEX,
                                          rules[i].flags & CASE};
        struct replace_mistakes mistakes;
        struct replacer *replacer = NULL;
        struct column *column, *out;
        struct batch *batch = make_batch(rules[i].text, 3, &column);
        struct error error;

        if (!replacer_new(&replacer, &options, &mistakes))
            fail_msg("%s: %s%s", rules[i].find, mistakes.find.kind ? mistakes.find.text : "",
                     mistakes.with.kind ? mistakes.with.text : "");
        for (int round = 0; round < 2; round++) { /* the second time with when_error: null */
            bool fails = rules[i].result[0] == '!';

            assert_true(replacer_run(replacer, batch, column, STR("f"), &out, &error));
            if (fails && round == 0) {
                assert_int_equal(batch->dirty_count, 3);
                assert_true(str_is(batch->dirty->column, "f"));
                if (!str_is(batch->dirty->reason, rules[i].result + 1))
                    fail_msg("%s: %.*s", rules[i].find, STR_ARG(batch->dirty->reason));
            } else if (fails) {
                assert_int_equal(batch->selected, 3);
                assert_int_equal(batch->dirty_count, 0);
                assert_true(out->null && out->null[0] && out->null[2]);
            } else if (!str_is(out->text[2], rules[i].result)) {
                fail_msg("\"%s\" by \"%s\" in \"%s\": \"%.*s\"", rules[i].find, rules[i].with, rules[i].text,
                         STR_ARG(out->text[2]));
            }
            assert_true(out->utf8);
            batch_free(batch);
            batch = make_batch(rules[i].text, 3, &column);
            batch->when_error = WHEN_ERROR_NULL;
        }
        replacer_free(replacer);
        batch_free(batch);
    }
}

static void test_mistakes(void **state)
{
    static const struct {
        bool regex;
        const char *find, *with, *find_said, *with_said;
        ptrdiff_t find_at, with_at;
    } rules[] = {
        {false, "", "x", "there is nothing to find; an empty text is everywhere", NULL, -1, -1},
        {true, "", "x", "there is nothing to find; an empty text is everywhere", NULL, -1, -1},
        {false, "\\d", "\\1", "character 1: \\d is no escape; there are \\t, \\n, \\r, \\uXXXX, and \\\\ for a backslash",
         "character 1: \\1 is no escape; there are \\t, \\n, \\r, \\uXXXX, and \\\\ for a backslash", 0, 0},
        {false, "\u4e0a\\ud800", "x", "character 2: \\ud800 is half of a pair; both halves are wanted, such as \\ud83d\\ude00",
         NULL, 3, -1},
        {true, "(a", "x", "character 2 of the pattern: missing closing parenthesis", NULL, 1, -1},
        {true, "a", "$1", NULL, "character 1: there is no group 1; the pattern has no groups (in parentheses)", -1, 0},
        {true, "(a)", "\u4e0a $1$2", NULL, "character 5: there is no group 2; the pattern has 1", -1, 6},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct replace_options options = {str_of(rules[i].find), str_of(rules[i].with), rules[i].regex, false};
        struct replace_mistakes mistakes;
        struct replacer *replacer = NULL;

        assert_false(replacer_new(&replacer, &options, &mistakes));
        assert_null(replacer);
        assert_int_equal(mistakes.find.kind, rules[i].find_said ? ERROR_CONFIG : ERROR_NONE);
        assert_int_equal(mistakes.with.kind, rules[i].with_said ? ERROR_CONFIG : ERROR_NONE);
        assert_int_equal(mistakes.find_at, rules[i].find_at);
        assert_int_equal(mistakes.with_at, rules[i].with_at);
        if (rules[i].find_said)
            assert_string_equal(mistakes.find.text, rules[i].find_said);
        if (rules[i].with_said)
            assert_string_equal(mistakes.with.text, rules[i].with_said);
    }
}

static void test_types(void **state)
{
    struct replace_options options = {STR("a"), STR("b"), false, false};
    struct replace_mistakes mistakes;
    struct replacer *replacer = NULL;
    struct column *column, *number, *nothing, *out;
    struct batch *batch = make_batch("a", 2, &column);
    struct error error;

    (void)state;
    assert_true(replacer_new(&replacer, &options, &mistakes));
    number = column_try_new(&batch->arena, TYPE_OF(TYPE_BIGINT), 2, false);
    nothing = column_try_new(&batch->arena, TYPE_OF(TYPE_NULL), 2, false);
    assert_false(replacer_run(replacer, batch, number, STR("n"), &out, &error));
    assert_string_equal(error.text, "field \"n\": replace: a text is wanted, this one is bigint; cast it first");
    assert_true(replacer_run(replacer, batch, nothing, STR("n"), &out, &error));
    assert_int_equal(out->type.kind, TYPE_STRING);
    assert_true(out->null[0] && out->null[1]);
    replacer_free(replacer);
    batch_free(batch);
}

/* A value of 1 MB grows up to 8 MiB and no further. */
static void test_growth(void **state)
{
    char *text = xmalloc((1 << 20) + 1);

    (void)state;
    memset(text, 'a', 1 << 20);
    text[1 << 20] = '\0';
    for (int i = 0; i < 4; i++) {
        struct replace_options options = {STR("a"), i % 2 ? STR("123456789") : STR("12345678"), i >= 2, false};
        struct replace_mistakes mistakes;
        struct replacer *replacer = NULL;
        struct column *column, *out;
        struct batch *batch = make_batch(text, 1, &column);
        struct error error;

        assert_true(replacer_new(&replacer, &options, &mistakes));
        assert_true(replacer_run(replacer, batch, column, STR("f"), &out, &error));
        if (i % 2 == 0 && batch->dirty)
            fail_msg("%d: %.*s", i, STR_ARG(batch->dirty->reason));
        if (i % 2 == 0)
            assert_int_equal(out->text[0].size, TEXT_RESULT_MAX);
        else
            assert_true(str_is(batch->dirty->reason, "the result would be larger than 8 MiB"));
        replacer_free(replacer);
        batch_free(batch);
    }
    free(text);
}

/* The stage: rules in order, the same field again, NULL, and what does not change is shared. */
static void test_stage(void **state)
{
    struct stage_bed bed;
    struct script_module *module;
    char text[400];

    (void)state;
    bed_init(&bed, 32 << 20, 10000000);
    module = bed_open(&bed, "local luaduct = require 'luaduct'\n"
                            "local stage, first, second = {}, nil, nil\n"
                            "function stage.open(ctx)\n"
                            "  first = luaduct.replacer({find = 'S', with = 'z'}, 'rules[1]')\n"
                            "  second = luaduct.replacer({find = '^(.)', with = '<$1>', regex = true}, 'rules[2]')\n"
                            "end\n"
                            "function stage.process(batch)\n"
                            "  batch:set('city', second(first(batch.city)))\n"
                            "end\n"
                            "return stage\n");
    bed_fill(&bed);
    if (!script_process(module, bed.batch, &bed.error))
        fail_msg("%s", bed.error.text);
    assert_string_equal(bed_show(&bed, "city", text), "<z>hanghai|<B>eijing||NULL|<W>uhan");
    bed_check_counts(&bed);
    assert_null(bed_try_open(&bed, "local stage = {}\n"
                                   "function stage.open(ctx) luaduct.replacer({find = 'a', wth = 'b'}, 'rules[1]') end\n"
                                   "function stage.process(batch) end\n"
                                   "return stage\n"));
    assert_non_null(strstr(bed.error.text, "rules[1].wth: unknown key \"wth\"; did you mean \"with\"?"));
    bed_release(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),  cmocka_unit_test(test_mistakes), cmocka_unit_test(test_types),
        cmocka_unit_test(test_growth), cmocka_unit_test(test_stage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
