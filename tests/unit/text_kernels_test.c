/* text_kernels_test.c: the text kernels. Each case is a name, operands and a result as literals ('text, 12, null, true; - is an
 * operand left out; !reason is a dirty row). It runs with columns, with constants behind the first operand, and once more with a
 * column that nobody vouches for. */
#include "batch/kernels/text.h"
#include "batch/kernels/text_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ROWS = 3, OPERANDS = 5 };

static struct batch *make_batch(enum when_error when_error)
{
    struct batch *batch = batch_new(64 << 20);

    for (int i = 0; i < ROWS; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = i}, NULL);
    assert_true(batch_begin(batch, 0));
    batch->stage = "s";
    batch->when_error = when_error;
    return batch;
}

static struct operand literal(struct batch *batch, const char *text, uint32_t rows, bool vouched)
{
    struct column *column;
    struct type type = TYPE_OF(text[0] == '\'' ? TYPE_STRING : strcmp(text, "null") == 0 ? TYPE_NULL : TYPE_BIGINT);

    if (strcmp(text, "-") == 0)
        return TEXT_NONE;
    column = column_try_new(&batch->arena, type, rows, false);
    assert_non_null(column);
    for (uint32_t i = 0; i < rows; i++) {
        if (type.kind == TYPE_STRING)
            column->text[i] = arena_try_copy(&batch->arena, str_of(text + 1));
        else if (type.kind == TYPE_BIGINT)
            column->bigint[i] = strtoll(text, NULL, 10);
    }
    column->utf8 = type.kind == TYPE_STRING && vouched && str_is_utf8(str_of(text + 1));
    return (struct operand){column, rows == 1};
}

static bool run(struct batch *batch, const char *name, const struct operand *o, struct column **out, struct error *error)
{
    static const char *const tests[] = {"starts_with", "ends_with", "contains"};
    struct str what = str_of(name);

    if (strcmp(name, "upper") == 0)
        return text_upper(batch, o[0], what, out, error);
    if (strcmp(name, "lower") == 0)
        return text_lower(batch, o[0], what, out, error);
    if (strcmp(name, "trim") == 0)
        return text_trim(batch, o[0], o[1], TEXT_BOTH, what, out, error);
    if (strcmp(name, "ltrim") == 0)
        return text_trim(batch, o[0], o[1], TEXT_LEFT, what, out, error);
    if (strcmp(name, "rtrim") == 0)
        return text_trim(batch, o[0], o[1], TEXT_RIGHT, what, out, error);
    if (strcmp(name, "length") == 0)
        return text_length(batch, o[0], what, out, error);
    if (strcmp(name, "substr") == 0)
        return text_substr(batch, o[0], o[1], o[2], what, out, error);
    if (strcmp(name, "left") == 0)
        return text_part(batch, o[0], o[1], TEXT_LEFT, what, out, error);
    if (strcmp(name, "right") == 0)
        return text_part(batch, o[0], o[1], TEXT_RIGHT, what, out, error);
    if (strcmp(name, "lpad") == 0)
        return text_pad(batch, o[0], o[1], o[2], TEXT_LEFT, what, out, error);
    if (strcmp(name, "rpad") == 0)
        return text_pad(batch, o[0], o[1], o[2], TEXT_RIGHT, what, out, error);
    if (strcmp(name, "reverse") == 0)
        return text_reverse(batch, o[0], what, out, error);
    if (strcmp(name, "repeat") == 0)
        return text_repeat(batch, o[0], o[1], what, out, error);
    if (strcmp(name, "position") == 0)
        return text_position(batch, o[0], o[1], o[2], o[3], what, out, error);
    if (strcmp(name, "replace") == 0)
        return text_replace(batch, o[0], o[1], o[2], what, out, error);
    if (strcmp(name, "split_part") == 0)
        return text_split_part(batch, o[0], o[1], o[2], what, out, error);
    if (strcmp(name, "concat_ws") == 0) {
        size_t count = 0;

        while (count + 1 < OPERANDS && o[count + 1].column)
            count++;
        return text_concat_ws(batch, o[0], o + 1, count, what, out, error);
    }
    for (unsigned i = 0; i < COUNT_OF(tests); i++)
        if (strcmp(name, tests[i]) == 0)
            return text_tests(batch, (enum text_test)i, o[0], o[1], what, out, error);
    fail_msg("no operation %s", name);
    return false;
}

static void print_result(const struct batch *batch, const struct column *column, char result[1300])
{
    if (batch->dirty) {
        snprintf(result, 1300, "!%.*s", STR_ARG(batch->dirty->reason));
        assert_int_equal(batch->dirty_count, ROWS);
        assert_int_equal(batch->selected, 0);
        return;
    }
    assert_int_equal(column->rows, ROWS);
    if (column_is_null(column, ROWS - 1))
        snprintf(result, 1300, "null");
    else if (column->type.kind == TYPE_BIGINT)
        snprintf(result, 1300, "%lld", (long long)column->bigint[ROWS - 1]);
    else if (column->type.kind == TYPE_BOOLEAN)
        snprintf(result, 1300, "%s", column->boolean[ROWS - 1] ? "true" : "false");
    else
        snprintf(result, 1300, "'%.*s", STR_ARG(column->text[ROWS - 1]));
}

struct text_case {
    const char *name;
    const char *operands[OPERANDS];
    const char *result;
};

static const struct text_case cases[] = {
    /* upper and lower: a character for a character */
    {"upper", {"'"}, "'"},
    {"upper", {"'abc XYZ 123 {|}`@["}, "'ABC XYZ 123 {|}`@["},
    {"lower", {"'ABC xyz 123 {|}`@["}, "'abc xyz 123 {|}`@["},
    {"upper", {"'abcdefgh"}, "'ABCDEFGH"},
    {"upper", {"'azazazazaz\x7f"}, "'AZAZAZAZAZ\x7f"},
    {"upper", {"'stra\u00dfe"}, "'STRA\u00dfE"},
    {"upper", {"'ab\u00e9\u4e0a\u6d77\uff41z"}, "'AB\u00c9\u4e0a\u6d77\uff21Z"},
    {"lower", {"'\u0130I\u0131"}, "'ii\u0131"},
    {"upper", {"'i\u0131"}, "'II"},
    {"lower", {"'\u039f\u0394\u039f\u03a3"}, "'\u03bf\u03b4\u03bf\u03c3"},
    {"upper", {"'\u03c3\u03c2"}, "'\u03a3\u03a3"},
    {"upper", {"'\u0250\u0250"}, "'\u2c6f\u2c6f"}, /* two bytes become three */
    {"upper", {"'12345678\u0250\U00010428\U0001f600"}, "'12345678\u2c6f\U00010400\U0001f600"},
    {"upper", {"'e\u0301"}, "'E\u0301"},
    {"upper", {"null"}, "null"},
    {"upper", {"'a\xff"}, "!upper: the text is not valid UTF-8"},
    {"lower", {"'\xed\xa0\x80"}, "!lower: the text is not valid UTF-8"},

    {"trim", {"'", "-"}, "'"},
    {"trim", {"' \t\r\n a b \v\f", "-"}, "'a b"},
    {"trim", {"'\u3000\u00a0\u2003x\u2028\u3000", "-"}, "'x"},
    {"trim", {"'\u200bx", "-"}, "'\u200bx"}, /* a zero-width space is no blank to Unicode */
    {"trim", {"' \u3000 ", "-"}, "'"},
    {"ltrim", {"'  x  ", "-"}, "'x  "},
    {"rtrim", {"'  x  ", "-"}, "'  x"},
    {"trim", {"'xxabcxx", "'x"}, "'abc"},
    {"trim", {"'\u533a\u5e02\u4e0a\u6d77\u5e02\u533a", "'\u5e02\u533a"}, "'\u4e0a\u6d77"},
    {"trim", {"'\U0001f600a\U0001f600", "'\U0001f600"}, "'a"},
    {"trim", {"' a ", "'"}, "' a "},
    {"trim", {"' a ", "null"}, "null"},
    {"trim", {"'\xff", "-"}, "!trim: the text is not valid UTF-8"},
    {"trim", {"'a", "'\xff"}, "!trim: the text is not valid UTF-8"},

    {"length", {"'"}, "0"},
    {"length", {"'abcdefghi"}, "9"},
    {"length", {"'\u4e0a\u6d77\u5e02"}, "3"},
    {"length", {"'e\u0301\U0001f600"}, "3"},
    {"length", {"'\U0001f468\u200d\U0001f469"}, "3"},
    {"length", {"null"}, "null"},
    {"length", {"'\x80"}, "!length: the text is not valid UTF-8"},

    {"substr", {"'abcdef", "1", "-"}, "'abcdef"},
    {"substr", {"'abcdef", "0", "2"}, "'ab"},
    {"substr", {"'abcdef", "3", "2"}, "'cd"},
    {"substr", {"'abcdef", "7", "1"}, "'"},
    {"substr", {"'abcdef", "100", "-"}, "'"},
    {"substr", {"'abcdef", "-1", "-"}, "'f"},
    {"substr", {"'abcdef", "-3", "2"}, "'de"},
    {"substr", {"'abcdef", "-6", "-"}, "'abcdef"},
    {"substr", {"'abcdef", "-7", "-"}, "'"},
    {"substr", {"'abcdef", "-9223372036854775808", "-"}, "'"},
    {"substr", {"'abcdef", "9223372036854775807", "9223372036854775807"}, "'"},
    {"substr", {"'abcdef", "2", "0"}, "'"},
    {"substr", {"'abcdef", "2", "-1"}, "'"},
    {"substr", {"'\u4e0a\u6d77\u5e02\u5317\u4eac\u5e02", "4", "2"}, "'\u5317\u4eac"},
    {"substr", {"'\u4e0a\u6d77\u5e02\u5317\u4eac\u5e02", "-3", "-"}, "'\u5317\u4eac\u5e02"},
    {"substr", {"'a\U0001f600b\u0301c", "2", "2"}, "'\U0001f600b"},
    {"substr", {"'abc", "null", "-"}, "null"},
    {"substr", {"'abc", "1", "null"}, "null"},
    {"substr", {"'\xff", "1", "-"}, "!substr: the text is not valid UTF-8"},
    {"left", {"'abc", "2"}, "'ab"},
    {"left", {"'abc", "0"}, "'"},
    {"left", {"'abc", "-1"}, "'"},
    {"left", {"'abc", "9223372036854775807"}, "'abc"},
    {"left", {"'\u4e0a\u6d77\u5e02", "2"}, "'\u4e0a\u6d77"},
    {"right", {"'abc", "2"}, "'bc"},
    {"right", {"'abc", "0"}, "'"},
    {"right", {"'abc", "-9223372036854775808"}, "'"},
    {"right", {"'\u4e0a\u6d77\u5e02\U0001f600", "2"}, "'\u5e02\U0001f600"},
    {"right", {"'abcdefghijklmnop\u4e0a", "9"}, "'ijklmnop\u4e0a"},

    {"lpad", {"'7", "3", "'0"}, "'007"},
    {"rpad", {"'7", "6", "'ab"}, "'7ababa"},
    {"lpad", {"'\u4e0a", "4", "'\u6d77\U0001f600"}, "'\u6d77\U0001f600\u6d77\u4e0a"},
    {"lpad", {"'abcdef", "3", "'0"}, "'abc"},
    {"rpad", {"'abcdef", "3", "'0"}, "'abc"},
    {"rpad", {"'abc", "3", "'0"}, "'abc"},
    {"rpad", {"'", "3", "'xy"}, "'xyx"},
    {"lpad", {"'abc", "0", "'0"}, "'"},
    {"lpad", {"'abc", "-5", "'0"}, "'"},
    {"lpad", {"'abc", "9", "'"}, "'abc"},
    {"lpad", {"'abc", "9", "null"}, "null"},
    {"lpad", {"'abc", "8388609", "'0"}, "!lpad: the result would be larger than 8 MiB"},
    {"rpad", {"'abc", "4194304", "'\u4e0a"}, "!rpad: the result would be larger than 8 MiB"},
    {"rpad", {"'abc", "9223372036854775807", "'0"}, "!rpad: the result would be larger than 8 MiB"},

    {"reverse", {"'"}, "'"},
    {"reverse", {"'abc"}, "'cba"},
    {"reverse", {"'\u4e0a\u6d77\U0001f600x"}, "'x\U0001f600\u6d77\u4e0a"},
    {"reverse", {"'\xe4\xb8"}, "!reverse: the text is not valid UTF-8"},

    {"repeat", {"'ab", "3"}, "'ababab"},
    {"repeat", {"'\u4e0a", "5"}, "'\u4e0a\u4e0a\u4e0a\u4e0a\u4e0a"},
    {"repeat", {"'ab", "0"}, "'"},
    {"repeat", {"'ab", "-1"}, "'"},
    {"repeat", {"'", "9223372036854775807"}, "'"},
    {"repeat", {"'ab", "9223372036854775807"}, "!repeat: the result would be larger than 8 MiB"},
    {"repeat", {"'ab", "4194305"}, "!repeat: the result would be larger than 8 MiB"},
    {"repeat", {"'\xff", "2"}, "'\xff\xff"},

    {"position", {"'hello", "'l", "-", "-"}, "3"},
    {"position", {"'hello", "'l", "4", "-"}, "4"},
    {"position", {"'hello", "'l", "1", "2"}, "4"},
    {"position", {"'hello", "'l", "1", "3"}, "0"},
    {"position", {"'hello", "'hello!", "-", "-"}, "0"},
    {"position", {"'\u4e0a\u6d77\u5e02", "'\u5e02", "-", "-"}, "3"},
    {"position", {"'\u4e0a\u6d77\u5e02\u6d77", "'\u6d77", "3", "-"}, "4"},
    {"position", {"'abcabc", "'b", "-2", "-"}, "5"},
    {"position", {"'abcabc", "'b", "-100", "-"}, "2"},
    {"position", {"'abc", "'b", "100", "-"}, "0"},
    {"position", {"'abc", "'", "-", "-"}, "1"},
    {"position", {"'abc", "'", "4", "-"}, "4"},
    {"position", {"'", "'", "-", "-"}, "1"},
    {"position", {"'aaa", "'aa", "1", "2"}, "2"},
    {"position", {"'aaa", "'a", "1", "0"}, "!position: matches are counted from 1"},
    {"position", {"'aaa", "null", "-", "-"}, "null"},
    {"position", {"'\xff", "'a", "-", "-"}, "!position: the text is not valid UTF-8"},

    {"starts_with", {"'abc", "'ab"}, "true"},
    {"starts_with", {"'abc", "'"}, "true"},
    {"starts_with", {"'abc", "'abcd"}, "false"},
    {"starts_with", {"'ABC", "'ab"}, "false"},
    {"ends_with", {"'\u4e0a\u6d77\u5e02", "'\u5e02"}, "true"},
    {"ends_with", {"'abc", "'"}, "true"},
    {"ends_with", {"'c", "'bc"}, "false"},
    {"contains", {"'abc", "'"}, "true"},
    {"contains", {"'", "'a"}, "false"},
    {"contains", {"'\xff\xfe\u4e0a", "'\u4e0a"}, "true"},
    {"contains", {"null", "'a"}, "null"},
    {"contains", {"'0123456789abcdefghijklmnopqrstuvwxyz", "'xyz"}, "true"},
    {"contains", {"'0123456789abcdefghijklmnopqrstuvwxyz", "'ghi"}, "true"},
    {"contains", {"'0123456789abcdefghijklmnopqrstuvwxyz", "'gxi"}, "false"},

    {"replace", {"'a-b-c", "'-", "'+"}, "'a+b+c"},
    {"replace", {"'a-b-c", "'-", "'"}, "'abc"},
    {"replace", {"'--", "'-", "'->"}, "'->->"},
    {"replace", {"'aaa", "'aa", "'b"}, "'ba"},
    {"replace", {"'\u6d66\u4e1c\u65b0\u533a", "'\u533a", "' District"}, "'\u6d66\u4e1c\u65b0 District"},
    {"replace", {"'abc", "'ABC", "'x"}, "'abc"},
    {"replace", {"'abc", "'", "'x"}, "'abc"},
    {"replace", {"'abc", "'a", "null"}, "null"},
    {"replace", {"'", "'a", "'b"}, "'"},
    {"replace", {"'\xff" "a", "'a", "'b"}, "'\xff" "b"},

    {"split_part", {"'a,b,c", "',", "1"}, "'a"},
    {"split_part", {"'a,b,c", "',", "3"}, "'c"},
    {"split_part", {"'a,b,c", "',", "4"}, "'"},
    {"split_part", {"'a,b,c", "',", "-1"}, "'c"},
    {"split_part", {"'a,b,c", "',", "-3"}, "'a"},
    {"split_part", {"'a,b,c", "',", "-4"}, "'"},
    {"split_part", {"'a,b,c", "',", "-9223372036854775808"}, "'"},
    {"split_part", {"',a,", "',", "1"}, "'"},
    {"split_part", {"',a,", "',", "3"}, "'"},
    {"split_part", {"'a::b", "'::", "2"}, "'b"},
    {"split_part", {"'\u4e0a\u3001\u6d77", "'\u3001", "2"}, "'\u6d77"},
    {"split_part", {"'abc", "'", "1"}, "'abc"},
    {"split_part", {"'abc", "'", "-1"}, "'abc"},
    {"split_part", {"'abc", "'", "2"}, "'"},
    {"split_part", {"'a,b", "',", "0"},
     "!split_part: parts are counted from 1, or from the end by negative numbers; there is no part 0"},

    {"concat_ws", {"'-", "'a", "'b", "'c"}, "'a-b-c"},
    {"concat_ws", {"'-", "'a", "null", "'c"}, "'a-c"},
    {"concat_ws", {"'-", "null", "null", "-"}, "'"},
    {"concat_ws", {"null", "'a", "'b", "-"}, "null"},
    {"concat_ws", {"'", "'\u4e0a", "'", "'\u6d77"}, "'\u4e0a\u6d77"},
    {"concat_ws", {"', ", "'", "'a", "'"}, "', a, "},
};

static void run_case(const struct text_case *text_case, enum when_error when_error, unsigned way)
{
    struct batch *batch = make_batch(when_error);
    struct operand operands[OPERANDS];
    struct column *column = NULL;
    const char *wanted = text_case->result;
    struct error error;
    char result[1300];

    for (unsigned i = 0; i < OPERANDS; i++)
        operands[i] = text_case->operands[i] ? literal(batch, text_case->operands[i], i && way == 1 ? 1 : ROWS, way != 2)
                                             : TEXT_NONE;
    if (!run(batch, text_case->name, operands, &column, &error))
        fail_msg("%s: %s", text_case->name, error.text);
    print_result(batch, column, result);
    if (when_error == WHEN_ERROR_NULL && wanted[0] == '!')
        wanted = "null";
    if (strcmp(result, wanted) != 0)
        fail_msg("%s(%s, %s, ...) way %u: %s instead of %s", text_case->name, text_case->operands[0],
                 text_case->operands[1] ? text_case->operands[1] : "", way, result, wanted);
    if (column->utf8)
        for (uint32_t i = 0; i < batch->selected; i++)
            assert_true(column_is_null(column, batch->selection[i]) || str_is_utf8(column->text[batch->selection[i]]));
    batch_free(batch);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (unsigned way = 0; way < 3; way++) {
            run_case(&cases[i], WHEN_ERROR_DIRTY, way);
            run_case(&cases[i], WHEN_ERROR_NULL, way);
        }
}

/* Rows of different fates beside one another, and rows that are not selected stay out of it. */
static void test_rows_apart(void **state)
{
    struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
    struct column *column, *out;
    struct error error;

    (void)state;
    column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), ROWS, true);
    column->text[0] = STR("\xff");
    column->text[1] = STR("ok");
    column->null[2] = 1;
    assert_true(text_upper(batch, (struct operand){column, false}, STR("upper"), &out, &error));
    assert_int_equal(batch->dirty_count, 1);
    assert_int_equal(batch->selected, 2);
    assert_true(str_is(out->text[1], "OK"));
    assert_true(out->null[2] && !out->null[1]);
    assert_true(out->utf8);
    column->text[1] = STR("\xfe");
    batch->selection[0] = 2;
    batch->selected = 1;
    assert_true(text_upper(batch, (struct operand){column, false}, STR("upper"), &out, &error));
    assert_int_equal(batch->dirty_count, 1);
    batch_free(batch);
}

static void test_wrong_types(void **state)
{
    struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
    struct operand number = literal(batch, "5", ROWS, true), text = literal(batch, "'a", ROWS, true);
    struct column *out;
    struct error error;

    (void)state;
    assert_false(text_upper(batch, number, STR("upper(n)"), &out, &error));
    assert_string_equal(error.text, "upper(n): a text is wanted, this one is bigint; cast it first");
    assert_int_equal(error.kind, ERROR_SCRIPT);
    assert_false(text_substr(batch, text, text, TEXT_NONE, STR("substr"), &out, &error));
    assert_string_equal(error.text, "substr: a bigint is wanted, this one is string; cast it first");
    assert_false(text_concat_ws(batch, text, &number, 1, STR("concat_ws"), &out, &error));
    batch_free(batch);
}

/* One value of 1 MB, and one that is as large as a result may be. */
static void test_huge(void **state)
{
    struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
    struct operand text = literal(batch, "'\u4e0a", ROWS, true), times = literal(batch, "349525", ROWS, true);
    struct operand find = literal(batch, "'\u4e0a", 1, true), with = literal(batch, "'\u4e0a\u6d77", 1, true);
    struct column *large, *out;
    struct error error;

    (void)state;
    assert_true(text_repeat(batch, text, times, STR("repeat"), &large, &error));
    assert_int_equal(large->text[2].size, 1048575);
    assert_true(text_length(batch, (struct operand){large, false}, STR("length"), &out, &error));
    assert_int_equal(out->bigint[2], 349525);
    assert_true(text_replace(batch, (struct operand){large, false}, find, with, STR("replace"), &out, &error));
    assert_int_equal(out->text[2].size, 2097150);
    assert_true(text_reverse(batch, (struct operand){large, false}, STR("reverse"), &out, &error));
    assert_true(str_equal(out->text[0], large->text[0]));
    assert_true(text_repeat(batch, find, literal(batch, "2796202", 1, true), STR("repeat"), &out, &error));
    assert_int_equal(out->text[0].size, 8388606);
    batch_free(batch);
}

/* A full arena is an error of the call and leaves no row unsaid. */
static void test_full_arena(void **state)
{
    struct batch *batch = batch_new(1 << 20);
    struct column *out;
    struct error error;

    (void)state;
    batch_add_message(batch, &(struct message){.value = STR("v")}, NULL);
    assert_true(batch_begin(batch, 0));
    assert_false(text_repeat(batch, literal(batch, "'abc", 1, true), literal(batch, "1000000", 1, true), STR("repeat"), &out,
                             &error));
    assert_int_equal(error.kind, ERROR_DATA);
    batch_free(batch);
}

static void test_like(void **state)
{
    static const struct {
        const char *text, *pattern;
        bool result;
    } likes[] = {
        {"", "", true},           {"a", "", false},          {"", "%", true},         {"", "_", false},
        {"abc", "abc", true},     {"abc", "ab", false},      {"abc", "a%", true},     {"abc", "%c", true},
        {"abc", "%b%", true},     {"abc", "a%c", true},      {"abc", "a%b", false},   {"abc", "_b_", true},
        {"abc", "__", false},     {"abc", "%_", true},       {"abc", "_%", true},     {"abc", "____", false},
        {"aXbXc", "a%X%c", true}, {"aba", "ab%ba", false},   {"abba", "ab%ba", true}, {"ABC", "abc", false},
        {"aab", "%ab", true},     {"aaab", "a%aab", true},   {"mississippi", "m%iss%ip%i", true},
        {"mississippi", "m%iss%ixp%i", false},               {"\u4e0a\u6d77\u5e02", "\u4e0a_\u5e02", true},
        {"\u4e0a\u6d77\u5e02", "__", false},                 {"\u4e0a\u6d77\u5e02", "%\u6d77_", true},
        {"\U0001f600", "_", true},                           {"e\u0301", "_", false},
        {"100%", "100\\%", true}, {"1000", "100\\%", false}, {"a_b", "a\\_b", true},  {"axb", "a\\_b", false},
        {"a\\b", "a\\\\b", true}, {"abc", "%%", true},       {"abc", "a%%c", true},   {"abcbc", "%_bc", true},
        {"bc", "%_bc", false},    {"xayazc", "%a_b", false}, {"xayazab", "%a%b", true},
        {"axbxcx", "%_x_x", true}, {"xabcabd", "%a_c", false}, {"xabcabd", "%ab_", true},
        {"xabcabdx", "%b_d%", false}, {"xabcabdx", "%ab%d_", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(likes); i++) {
        struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
        struct text_pattern *pattern = NULL;
        struct column *column, *out;
        struct error error;
        size_t wrong_at;

        assert_true(text_pattern_new(&pattern, str_of(likes[i].pattern), '\\', &wrong_at, &error));
        column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), ROWS, false);
        for (int row = 0; row < ROWS; row++)
            column->text[row] = arena_try_copy(&batch->arena, str_of(likes[i].text));
        assert_true(text_like(batch, pattern, (struct operand){column, false}, STR("like"), &out, &error));
        if (out->boolean[2] != likes[i].result)
            fail_msg("\"%s\" like \"%s\" is %d", likes[i].text, likes[i].pattern, out->boolean[2]);
        text_pattern_free(pattern);
        batch_free(batch);
    }
}

static void test_like_mistakes(void **state)
{
    struct text_pattern *pattern = NULL;
    struct error error;
    size_t wrong_at;

    (void)state;
    assert_false(text_pattern_new(&pattern, STR("\u4e0a\\d"), '\\', &wrong_at, &error));
    assert_string_equal(error.text,
                        "character 3 of the pattern: behind the escape character only %, _ and itself can stand");
    assert_int_equal(wrong_at, 4);
    assert_false(text_pattern_new(&pattern, STR("a\\"), '\\', &wrong_at, &error));
    assert_int_equal(wrong_at, 2);
    assert_false(text_pattern_new(&pattern, STR("a\xff"), '\\', &wrong_at, &error));
    assert_true(text_pattern_new(&pattern, STR("a\\d"), 0, &wrong_at, &error));
    text_pattern_free(pattern);
    assert_true(text_pattern_new(&pattern, STR("a!%\u4e0a"), '!', &wrong_at, &error));
    text_pattern_free(pattern);
}

static void test_finder(void **state)
{
    static const struct {
        const char *text, *needle;
        long at, size; /* -1: not there */
    } finds[] = {
        {"abc", "B", 1, 1},
        {"abc", "BC", 1, 2},
        {"abc", "bd", -1, 0},
        {"xxHELLO", "hello", 2, 5},
        {"\u4e0a\u6d77\u5e02", "\u6d77", 3, 3},
        {"Stra\u00dfe", "STRA\u00dfE", 0, 7},
        {"Stra\u00dfe", "STRA\u1e9eE", 0, 7},
        {"STRA\u1e9eE", "stra\u00dfe", 0, 8},
        {"strasse", "stra\u00dfe", -1, 0}, /* simple folding: one character is one character */
        {"\u03bf\u03b4\u03cc\u03c2", "\u039f\u0394\u038c\u03a3", 0, 8},
        {"\u039f\u0394\u038c\u03a3", "\u03bf\u03b4\u03cc\u03c2", 0, 8},
        {"\u03c2", "\u03c3", 0, 2},
        {"\u212a", "k", 0, 3},
        {"K", "\u212a", 0, 1},
        {"a\u017fb", "S", 1, 2},
        {"\u0130", "i", -1, 0},
        {"\u0130", "\u0131", -1, 0},
        {"\u0130", "\u0130", 0, 2},
        {"I", "\u0131", -1, 0},
        {"\uff21\uff22", "\uff41\uff42", 0, 6},
        {"AB", "\uff41\uff42", -1, 0},
        {"\u00b5", "\u03bc", 0, 2},
        {"\u01c5", "\u01c6", 0, 2},
        {"\u01c4", "\u01c5", 0, 2},
        {"e\u0301", "\u00c9", -1, 0}, /* forms are not made equal */
        {"\U00010400", "\U00010428", 0, 4},
        {"\u13a0", "\uab70", 0, 3},
        {"a1", "1", 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(finds); i++) {
        /* On the heap, so that a step beyond the end is seen. */
        char *text = str_dup(str_of(finds[i].text));
        const char *behind = NULL, *at;
        struct text_finder finder;

        text = xrealloc(text, strlen(text));
        text_finder_init(&finder, str_of(finds[i].needle), false);
        at = text_finder_next(&finder, text, text + strlen(finds[i].text), &behind);
        if ((at ? at - text : -1) != finds[i].at || (at && behind - at != finds[i].size))
            fail_msg("\"%s\" in \"%s\": at %ld", finds[i].needle, finds[i].text, at ? (long)(at - text) : -1);
        text_finder_release(&finder);
        free(text);
    }
}

/* Needles of all sizes at all places of texts of all sizes. */
static void test_finder_places(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 90};

    (void)state;
    for (size_t k = 0; k < COUNT_OF(sizes); k++)
        for (size_t size = sizes[k]; size < sizes[k] + 70; size++)
            for (size_t place = 0; place + sizes[k] <= size; place++) {
                char *text = xmalloc(size), needle[100];
                struct text_finder finder;
                const char *behind;

                memset(text, 'a', size);
                memset(needle, 'b', sizes[k]);
                memset(text + place, 'b', sizes[k]);
                text_finder_init(&finder, str_make(needle, sizes[k]), true);
                assert_ptr_equal(text_finder_next(&finder, text, text + size, &behind), text + place);
                text_finder_release(&finder);
                needle[sizes[k] / 2] = 'c';
                text_finder_init(&finder, str_make(needle, sizes[k]), true);
                assert_null(text_finder_next(&finder, text, text + size, &behind));
                text_finder_release(&finder);
                free(text);
            }
}

/* All of Unicode: what folds alike is found by any of its kin, and no mapping makes three bytes of one. */
static void test_all_characters(void **state)
{
    (void)state;
    for (uint32_t c = 1; c < 0x20000; c++) {
        uint32_t folded = text_fold(c);
        char text[4], needle[4];
        struct text_finder finder;
        const char *behind;
        size_t size, needle_size;

        if (c >= 0xD800 && c < 0xE000)
            continue;
        assert_int_equal(text_fold(folded), folded);
        if (folded == c)
            continue;
        size = text_encode(c, text);
        needle_size = text_encode(folded, needle);
        text_finder_init(&finder, str_make(needle, needle_size), false);
        if (text_finder_next(&finder, text, text + size, &behind) != text)
            fail_msg("U+%04X does not find U+%04X", folded, c);
        text_finder_release(&finder);
        text_finder_init(&finder, str_make(text, size), false);
        if (text_finder_next(&finder, needle, needle + needle_size, &behind) != needle)
            fail_msg("U+%04X does not find U+%04X", c, folded);
        text_finder_release(&finder);
    }
}

static void test_case_growth(void **state)
{
    struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
    struct column *column, *out;
    struct error error;
    char text[4];

    (void)state;
    for (uint32_t c = 0x80; c < 0x20000; c++) {
        if (c >= 0xD800 && c < 0xE000)
            continue;
        if (c % 0x1000 == 0) {
            batch_free(batch);
            batch = make_batch(WHEN_ERROR_DIRTY);
        }
        column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), ROWS, false);
        column->utf8 = true;
        for (int row = 0; row < ROWS; row++)
            column->text[row] = arena_try_copy(&batch->arena, str_make(text, text_encode(c, text)));
        assert_true(text_upper(batch, (struct operand){column, false}, STR("upper"), &out, &error));
        assert_true(out->text[2].size <= column->text[2].size * 3 / 2 && str_is_utf8(out->text[2]));
        assert_true(text_lower(batch, (struct operand){column, false}, STR("lower"), &out, &error));
        assert_true(out->text[2].size <= column->text[2].size * 3 / 2 && str_is_utf8(out->text[2]));
    }
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),        cmocka_unit_test(test_rows_apart), cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_huge),         cmocka_unit_test(test_full_arena), cmocka_unit_test(test_like),
        cmocka_unit_test(test_like_mistakes), cmocka_unit_test(test_finder),    cmocka_unit_test(test_finder_places),
        cmocka_unit_test(test_all_characters), cmocka_unit_test(test_case_growth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
