/* regex_test.c: patterns, templates, limits. */
#include "batch/kernels/regex.h"
#include "batch/kernels/text_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ROWS = 3 };

static struct batch *make_batch(void)
{
    struct batch *batch = batch_new(64 << 20);

    for (int i = 0; i < ROWS; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = i}, NULL);
    assert_true(batch_begin(batch, 0));
    batch->stage = "s";
    return batch;
}

static struct regex *make(const char *pattern, bool case_sensitive)
{
    struct regex *regex = NULL;
    struct error error;
    size_t wrong_at;

    if (!regex_new(&regex, str_of(pattern), case_sensitive, &wrong_at, &error))
        fail_msg("%s: %s", pattern, error.text);
    return regex;
}

static struct operand column_of(struct batch *batch, struct str text)
{
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), ROWS, false);

    for (int i = 0; i < ROWS; i++)
        column->text[i] = text;
    return (struct operand){column, false};
}

static void test_match(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool case_sensitive, result;
        const char *group; /* number 1, NULL: took no part */
    } matches[] = {
        {"(b+)", "abbc", true, true, "bb"},
        {"B", "abc", true, false, NULL},
        {"B", "abc", false, true, NULL},
        {"^(.)$", "\u4e0a", true, true, "\u4e0a"}, /* a character, not a byte */
        {"^(.)$", "\U0001f600", true, true, "\U0001f600"},
        {"^.$", "e\u0301", true, false, NULL},
        {"^(\\X)$", "e\u0301", true, true, "e\u0301"},
        {"^([\\u4e00-\\u9fa5]+)", "\u4e0a\u6d77ab", true, true, "\u4e0a\u6d77"}, /* as it is written elsewhere */
        {"\\ud83d\\ude00(.)", "\U0001f600x", true, true, "x"},
        {"\\\\u4e0a", "\\u4e0a", true, true, NULL}, /* a backslash, and then letters */
        {"\\Q\\u4e0a\\E(.)", "\\u4e0ax", true, true, "x"},
        {"\\x{4e0a}", "\u4e0a", true, true, NULL},
        {"\u00c9", "\u00e9", false, true, NULL},
        {"stra\u00dfe", "STRA\u1e9eE", false, true, NULL},
        {"\u03c3", "\u03c2", false, true, NULL},
        {"\uff21", "\uff41", false, true, NULL},
        {"i", "\u0130", false, false, NULL},
        {"\\d", "\uff11", true, false, NULL},
        {"(*UCP)\\d", "\uff11", true, true, NULL},
        {"(a)|b", "b", true, true, NULL},
        {"", "", true, true, NULL},
        {"(?<=a)(b)", "ab", true, true, "b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(matches); i++) {
        struct regex *regex = make(matches[i].pattern, matches[i].case_sensitive);
        const char *why = "?";
        enum regex_answer answer = regex_match(regex, str_of(matches[i].text), &why);
        struct str group = answer == REGEX_YES ? regex_group(regex, 1) : STR_NONE;

        if (answer != (matches[i].result ? REGEX_YES : REGEX_NO))
            fail_msg("/%s/ in \"%s\": %d %s", matches[i].pattern, matches[i].text, (int)answer, why);
        if (!str_is(group, matches[i].group ? matches[i].group : ""))
            fail_msg("/%s/ in \"%s\": group \"%.*s\"", matches[i].pattern, matches[i].text, STR_ARG(group));
        regex_free(regex);
    }
}

static void test_wrong_patterns(void **state)
{
    static const struct {
        const char *pattern, *said;
    } patterns[] = {
        {"(a", "character 2 of the pattern: missing closing parenthesis"},
        {"a)b", "character 2 of the pattern: unmatched closing parenthesis"},
        {"\u4e0a\u6d77)", "character 3 of the pattern: unmatched closing parenthesis"},
        {"\\u4e0a\\u6d77)x",
         "character 13 of the pattern: unmatched closing parenthesis"}, /* in the person's text, not PCRE2's */
        {"*a", "character 1 of the pattern: quantifier does not follow a repeatable item"},
        {"a\\C", "\\C is disabled"}, /* would match half a character */
        {"[z-a]", "range out of order"},
        {"\\u4e0", "does not support"},
        {"a\xff", "the pattern is not valid UTF-8"},
        {"(?<n>a)(?<n>b)", "two named subpatterns have the same name"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        struct regex *regex = NULL;
        struct error error;
        size_t wrong_at;

        if (regex_new(&regex, str_of(patterns[i].pattern), true, &wrong_at, &error))
            fail_msg("/%s/ is taken", patterns[i].pattern);
        assert_int_equal(error.kind, ERROR_CONFIG);
        if (!strstr(error.text, patterns[i].said))
            fail_msg("/%s/: %s", patterns[i].pattern, error.text);
    }
}

static void test_groups(void **state)
{
    struct regex *regex = make("(a)(?<name>b)?(c)", true);
    const char *why;

    (void)state;
    assert_int_equal(regex_group_count(regex), 3);
    assert_int_equal(regex_group_number(regex, STR("name")), 2);
    assert_int_equal(regex_group_number(regex, STR("nam")), 0);
    assert_int_equal(regex_match(regex, STR("xac"), &why), REGEX_YES);
    assert_true(str_is(regex_group(regex, 0), "ac"));
    assert_null(regex_group(regex, 2).data);
    assert_true(str_is(regex_group(regex, 3), "c"));
    assert_null(regex_group(regex, 4).data);
    regex_free(regex);
}

static void test_replace(void **state)
{
    static const struct {
        const char *pattern, *plan, *text, *result;
    } replaces[] = {
        {"(\\d+)-(?<b>\\d+)", "$2/$1 ${b}", "on 12-34!", "on 34/12 34!"},
        {"(\\d+)-(\\d+)", "${1}0", "1-2", "10"},
        {"b", "[$0]", "abcb", "a[b]c[b]"},
        {"b", "$$1", "abc", "a$1c"},
        {"b", "", "abcb", "ac"},
        {"x", "y", "abc", "abc"},
        {"(a)|(b)", "<$1$2>", "abx", "<a><b>x"}, /* a group that took no part is empty */
        /* empty matches, as s///g of Perl */
        {"x*", "-", "abc", "-a-b-c-"},
        {"a*", "-", "aab", "--b-"},
        {"a*", "-", "baac", "-b--c-"},
        {"", "-", "", "-"},
        {"^", ">", "ab", ">ab"},
        {"$", "<", "ab", "ab<"},
        {"$", "<", "ab\n", "ab<\n<"},
        {"\\b", "|", "ab cd", "|ab| |cd|"},
        {"(?=b)", "_", "abab", "a_ba_b"},
        {"", "-", "\u4e0a\U0001f600", "-\u4e0a-\U0001f600-"}, /* never between the bytes of a character */
        {"(?m)^", "> ", "a\r\nb", "> a\r\n> b"},
        {"a\\Kb", "X", "abab", "aXaX"},
        {"\\u533a", "D", "\u6d66\u4e1c\u533a", "\u6d66\u4e1cD"},
        {"(.)(.)", "$2$1", "\u4e0a\u6d77ab", "\u6d77\u4e0aba"},
        {".", "\\t\\u4e0a\\\\", "a", "\t\u4e0a\\"}, /* escapes */
        {"a", "\\u0024$$\\ud83d\\ude00", "a", "$$\U0001f600"},
        {"\\s+$", "", "a b \t ", "a b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(replaces); i++) {
        struct regex *regex = make(replaces[i].pattern, true);
        struct batch *batch = make_batch();
        struct regex_template *plan = NULL;
        struct column *out;
        struct error error;
        size_t wrong_at;

        if (!regex_template_new(&plan, regex, str_of(replaces[i].plan), true, &wrong_at, &error))
            fail_msg("%s: %s", replaces[i].plan, error.text);
        assert_true(regex_replace(batch, regex, plan, column_of(batch, str_of(replaces[i].text)), STR("replace"), &out, &error));
        assert_int_equal(batch->selected, ROWS);
        assert_true(out->utf8);
        if (!str_is(out->text[2], replaces[i].result))
            fail_msg("s/%s/%s/g of \"%s\": \"%.*s\"", replaces[i].pattern, replaces[i].plan, replaces[i].text,
                     STR_ARG(out->text[2]));
        regex_template_free(plan);
        regex_free(regex);
        batch_free(batch);
    }
}

static void test_wrong_templates(void **state)
{
    static const struct {
        const char *plan, *said;
    } plans[] = {
        {"a$2", "character 2: there is no group 2; the pattern has 1"},
        {"\u4e0a$99999999999999999999", "character 2: there is no group 99999999999999999999; the pattern has 1"},
        {"${nam}", "character 1: the pattern has no group, or more than one, with the name \"nam\""},
        {"${}", "character 1: the pattern has no group"},
        {"ab$", "character 3: behind a dollar sign there must be a group, $1 or ${name}; write $$ for a dollar sign"},
        {"$name", "character 1: behind a dollar sign"},
        {"${name", "character 1: \"${\" has no \"}\" behind it"},
        {"\\1", "character 1: \\1 is no escape"},
        {"a\\", "character 2: a backslash stands at the end"},
        {"\\u12", "character 1: \\u wants four hexadecimal digits"},
        {"\\udc00", "character 1: \\udc00 is half of a pair"},
        {"\\ud83d\\u0041", "character 1: \\ud83d is half of a pair"},
        {"\\\u4e0a", "character 1: \\\u4e0a is no escape"},
    };
    struct regex *regex = make("(?<name>a)", true), *none = make("a", true);
    struct regex_template *plan = NULL;
    struct error error;
    size_t wrong_at;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        if (regex_template_new(&plan, regex, str_of(plans[i].plan), true, &wrong_at, &error))
            fail_msg("%s is taken", plans[i].plan);
        assert_int_equal(error.kind, ERROR_CONFIG);
        if (strncmp(error.text, plans[i].said, strlen(plans[i].said)) != 0)
            fail_msg("%s: %s", plans[i].plan, error.text);
        assert_int_equal(wrong_at, *plans[i].plan == '\xE4' ? 3 : atoi(plans[i].said + strlen("character ")) - 1);
    }
    assert_false(regex_template_new(&plan, none, STR("$1"), true, &wrong_at, &error));
    assert_string_equal(error.text, "character 1: there is no group 1; the pattern has no groups (in parentheses)");
    assert_true(regex_template_new(&plan, none, STR("\\1"), false, &wrong_at, &error)); /* without escapes a backslash is one */
    regex_template_free(plan);
    regex_free(regex);
    regex_free(none);
}

/* Columns: NULL, invalid bytes, groups. */
static void test_columns(void **state)
{
    struct regex *regex = make("(b)(c)?", true);
    struct batch *batch = make_batch();
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), ROWS, true), *out;
    struct operand operand = {column, false};
    struct error error;

    (void)state;
    column->text[0] = STR("abc");
    column->null[1] = 1;
    column->text[2] = STR("b");
    assert_true(regex_test(batch, regex, operand, STR("~"), &out, &error));
    assert_int_equal(out->type.kind, TYPE_BOOLEAN);
    assert_true(out->boolean[0] && out->null[1] && out->boolean[2]);
    assert_true(regex_extract(batch, regex, 2, operand, STR("extract"), &out, &error));
    assert_true(str_is(out->text[0], "c") && out->null[1] && out->null[2]);
    column->null[1] = 0;
    column->text[1] = STR("b\xff");
    assert_true(regex_test(batch, regex, operand, STR("~"), &out, &error));
    assert_int_equal(batch->dirty_count, 1);
    assert_true(str_is(batch->dirty->reason, "~: the text is not valid UTF-8"));
    batch->when_error = WHEN_ERROR_NULL;
    batch->selection[batch->selected++] = 1;
    assert_true(regex_extract(batch, regex, 1, operand, STR("extract"), &out, &error));
    assert_int_equal(batch->dirty_count, 1);
    assert_true(out->null[1] && str_is(out->text[0], "b"));
    regex_free(regex);
    batch_free(batch);
}

static struct str letters(struct batch *batch, size_t size, char letter, char last)
{
    char *text = arena_try_alloc(&batch->arena, size);

    assert_non_null(text);
    memset(text, letter, size);
    text[size - 1] = last;
    return str_make(text, size);
}

/* Patterns that would take for ever become dirty rows. */
static void test_limits(void **state)
{
    static const struct {
        const char *pattern;
        size_t size;
        const char *said;
    } limits[] = {
        {"(a+)+$", 40, "match limit"},
        {"(a|aa)+$", 1000, "the pattern takes too"},
        {"(a+)+$", 1 << 20, "match limit"},
        {"(?:a|b)+?(?:a|b)+?(?:a|b)+?\\d$", 100000, "the pattern takes too"},
        {"\\s?a*b?a*c?a*d?a*[@#]", 1000, "match limit"},
        {"a\\w*b?\\w*[@#]", 1 << 20, "match limit"}, /* steps are few in a large text, for each may go through all of it */
        {"a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaaaaaaaaaaaaaaaaaa$", 28, "match limit"},
        {"a+#|a+@", 1 << 17, "the pattern takes too long on this value"}, /* no attempt is dear, but there are many */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct batch *batch = make_batch();
        struct regex *regex = make(limits[i].pattern, true);
        const char *why = "";
        enum regex_answer answer = regex_match(regex, letters(batch, limits[i].size, 'a', '!'), &why);

        if (answer != REGEX_FAILED || !strstr(why, limits[i].said))
            fail_msg("/%s/: %d %s", limits[i].pattern, (int)answer, why);
        assert_int_equal(regex_match(regex, STR("b!"), &why), REGEX_NO); /* and the next value fares well */
        regex_free(regex);
        batch_free(batch);
    }
}

/* Large values, and matches at all places of them: they are searched in pieces. */
static void test_large(void **state)
{
    struct batch *batch = make_batch();
    struct regex *regex = make("(?<=a)x|^z|\u4e0a", true);
    struct regex_template *plan = NULL;
    struct str text = letters(batch, 1 << 20, 'a', 'a');
    struct column *out;
    const char *why;
    struct error error;
    size_t wrong_at;

    (void)state;
    for (size_t at = 1; at < text.size; at = at < 9000 ? at + 1 : at * 2 + 7) {
        ((char *)text.data)[at] = 'x';
        assert_int_equal(regex_match(regex, text, &why), REGEX_YES);
        assert_ptr_equal(regex_group(regex, 0).data, text.data + at);
        ((char *)text.data)[at] = 'a';
        ((char *)text.data)[at - 1] = 'z';
        assert_int_equal(regex_match(regex, text, &why), at == 1 ? REGEX_YES : REGEX_NO);
        ((char *)text.data)[at - 1] = 'a';
        at += at >= 1100 && at < 8000 ? 37 : 0;
    }
    for (size_t i = 0; i + 3 <= text.size; i += 3)
        memcpy((char *)text.data + i, "\u4e0a", 3);
    ((char *)text.data)[text.size - 1] = 'x';
    assert_true(regex_template_new(&plan, regex, STR("b"), false, &wrong_at, &error));
    assert_true(regex_replace(batch, regex, plan, column_of(batch, text), STR("replace"), &out, &error));
    assert_int_equal(batch->dirty_count, 0);
    assert_int_equal(out->text[2].size, text.size / 3 + text.size % 3);
    regex_template_free(plan);
    regex_free(regex);

    /* Empty matches of a large value, each at its place. */
    regex = make("x*", true);
    assert_true(regex_template_new(&plan, regex, STR("-"), false, &wrong_at, &error));
    assert_true(
        regex_replace(batch, regex, plan, column_of(batch, letters(batch, 5000, 'a', 'x')), STR("replace"), &out, &error));
    assert_int_equal(batch->dirty_count, 0);
    assert_int_equal(out->text[2].size, 4999 * 2 + 2);
    regex_template_free(plan);
    regex_free(regex);

    /* A pattern that goes through a large value step by step is not taken for a catastrophe. */
    regex = make("(?:.|\n)*?END", true);
    text = letters(batch, 16 << 10, 'a', 'D');
    memcpy((char *)text.data + text.size - 3, "END", 3);
    assert_int_equal(regex_match(regex, text, &why), REGEX_YES);
    regex_free(regex);
    batch_free(batch);
}

/* A result may grow to 8 MiB and no further. */
static void test_growth(void **state)
{
    struct batch *batch = make_batch();
    struct regex *regex = make("a", true);
    struct regex_template *plan = NULL;
    struct str text = letters(batch, 1 << 20, 'a', 'a');
    struct column *out;
    struct error error;
    size_t wrong_at;

    (void)state;
    assert_true(regex_template_new(&plan, regex, STR("12345678"), false, &wrong_at, &error));
    batch->selected = 1;
    assert_true(regex_replace(batch, regex, plan, column_of(batch, text), STR("replace"), &out, &error));
    assert_int_equal(batch->dirty_count, 0);
    assert_int_equal(out->text[0].size, TEXT_RESULT_MAX);
    regex_template_free(plan);
    assert_true(regex_template_new(&plan, regex, STR("123456789"), false, &wrong_at, &error));
    assert_true(regex_replace(batch, regex, plan, column_of(batch, text), STR("replace"), &out, &error));
    assert_int_equal(batch->dirty_count, 1);
    assert_true(str_is(batch->dirty->reason, "replace: the result would be larger than 8 MiB"));
    regex_template_free(plan);
    regex_free(regex);
    batch_free(batch);
}

/* PCRE2 as a second opinion on case folding. It may know another version of Unicode, so a few may differ. */
static void test_folding(void **state)
{
    unsigned compared = 0, different = 0;

    (void)state;
    for (uint32_t c = 0x80; c < 0x1F000; c++) {
        uint32_t folded = c >= 0xD800 && c < 0xE000 ? c : text_fold(c);
        char pattern[16], text[4];
        struct regex *regex;
        const char *why;

        if (folded == c)
            continue;
        snprintf(pattern, sizeof(pattern), "\\x{%x}", c);
        regex = make(pattern, false);
        compared++;
        different += regex_match(regex, str_make(text, text_encode(folded, text)), &why) != REGEX_YES;
        regex_free(regex);
    }
    assert_true(compared > 1300);
    if (different > 12)
        fail_msg("%u of %u characters fold to others than PCRE2 takes for equal", different, compared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),   cmocka_unit_test(test_wrong_patterns),  cmocka_unit_test(test_groups),
        cmocka_unit_test(test_replace), cmocka_unit_test(test_wrong_templates), cmocka_unit_test(test_columns),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_large),           cmocka_unit_test(test_growth),
        cmocka_unit_test(test_folding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
