/* str_test.c: comparisons, cutting, UTF-8, the nearest word. */
#include "util/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void utf8_is_judged_by_rfc_3629(void **state)
{
    static const struct {
        struct str text;
        bool valid;
        const char *why;
    } cases[] = {
        {{"", 0}, true, "empty text"},
        {{"plain ascii of more than eight bytes", 36}, true, "ASCII"},
        {{"a\0b", 3}, true, "a zero byte is a character"},
        {{"\xC3\xBC", 2}, true, "two bytes"},
        {{"12345678\xE4\xB8\x8A", 11}, true, "three bytes behind a word of ASCII"},
        {{"\xF0\x9F\x98\x80", 4}, true, "four bytes"},
        {{"\xF4\x8F\xBF\xBF", 4}, true, "U+10FFFF"},
        {{"\xF4\x90\x80\x80", 4}, false, "beyond U+10FFFF"},
        {{"\xC0\x80", 2}, false, "overlong two bytes"},
        {{"\xE0\x80\x80", 3}, false, "overlong three bytes"},
        {{"\xF0\x80\x80\x80", 4}, false, "overlong four bytes"},
        {{"\xED\xA0\x80", 3}, false, "a surrogate"},
        {{"\xE4\xB8", 2}, false, "cut in the middle"},
        {{"1234567\xE4", 8}, false, "cut at the end of a word"},
        {{"\x80", 1}, false, "a continuation alone"},
        {{"\xFF", 1}, false, "no byte of UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (str_is_utf8(cases[i].text) != cases[i].valid)
            fail_msg("%s", cases[i].why);
}

static void texts_are_compared_and_cut(void **state)
{
    struct str head, rest;
    char *copy;

    (void)state;
    assert_true(str_equal(STR("a"), STR("a")));
    assert_false(str_equal(STR("a"), STR("ab")));
    assert_true(str_equal(STR_NONE, STR("")));
    assert_true(str_equal_ignore_case(STR("DS_1[Z"), STR("ds_1[z")));
    assert_false(str_equal_ignore_case(STR("@"), STR("`")));
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_false(str_starts_with(STR("ab"), STR("abc")));
    assert_true(str_is(str_trim(STR(" \t x y\r\n")), "x y"));
    assert_true(str_is(str_trim(STR("  ")), ""));
    assert_int_equal(str_trim(str_make("\0 ", 2)).size, 1);
    assert_true(str_cut(STR("a=b=c"), '=', &head, &rest));
    assert_true(str_is(head, "a") && str_is(rest, "b=c"));
    assert_true(str_cut(STR("a="), '=', &head, &rest));
    assert_true(rest.data && rest.size == 0);
    assert_false(str_cut(STR("a"), '=', &head, &rest));
    assert_true(str_is(head, "a") && !rest.data);
    assert_false(str_cut(STR_NONE, '=', &head, &rest));
    assert_true(str_is(str_head(STR("a\xE4\xB8\x8A"), 3), "a"));
    assert_true(str_is(str_head(STR("a\xE4\xB8\x8A"), 4), "a\xE4\xB8\x8A"));
    assert_int_equal(str_head(STR_NONE, 3).size, 0);
    copy = str_dup(STR("x"));
    assert_string_equal(copy, "x");
    free(copy);
}

static void the_nearest_word_is_near(void **state)
{
    static const char *const words[] = {"partition", "parallel", "topic", "a"};
    char longest[66];

    (void)state;
    assert_string_equal(str_nearest(STR("partion"), words, 4), "partition");
    assert_string_equal(str_nearest(STR("PARTITOIN"), words, 4), "partition");
    assert_string_equal(str_nearest(STR("tpoic"), words, 4), "topic");
    assert_null(str_nearest(STR("completely"), words, 4));
    assert_null(str_nearest(STR("x"), NULL, 0));
    memset(longest, 'p', sizeof(longest));
    assert_null(str_nearest(str_make(longest, 65), words, 4));
    assert_null(str_nearest(str_make(longest, 64), words, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_judged_by_rfc_3629),
        cmocka_unit_test(texts_are_compared_and_cut),
        cmocka_unit_test(the_nearest_word_is_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
