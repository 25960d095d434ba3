/* page_test.c: a part of a page of help, and its lines. */
#include "cli/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char page[] = "Time\n"
                           "  now()\n"
                           "      The machine's clock.\n"
                           "        now()\n"
                           "  day(time)\n"
                           "      One day.\n"
                           "\n"
                           "dirty.max  (number; default all)\n"
                           "    How many.\n"
                           "wrong: use \"dirty\"\n";

static void entries_are_found_by_their_names_before_their_texts(void **state)
{
    static const struct {
        const char *word, *found; /* NULL: nothing */
    } cases[] = {
        {"NOW", "  now()\n      The machine's clock.\n        now()\n"},
        {"time", "Time\n  now()\n      The machine's clock.\n        now()\n  day(time)\n      One day.\n"},
        {"dirty", "dirty.max  (number; default all)\n    How many.\n"},
        {"number", "dirty.max  (number; default all)\n    How many.\n"},
        {"wrong", "wrong: use \"dirty\"\n"},
        {"clock", "  now()\n      The machine's clock.\n        now()\n"},
        {"one day", "  day(time)\n      One day.\n"},
        {"xyzzy", NULL},
        {"", NULL}, /* every line */
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool found = page_find(STR(page), str_of(cases[i].word), &out);

        assert_int_equal(found, cases[i].found || !cases[i].word[0]);
        if (cases[i].word[0])
            assert_string_equal(buffer_text(&out), cases[i].found ? cases[i].found : "");
        buffer_clear(&out);
    }
    assert_false(page_find(STR(""), STR("x"), &out));
    buffer_release(&out);
}

static void long_lines_are_broken_at_blanks(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 0);
    page_wrap(STR("name  (one of a, b)\n    上海 上海 上海 xyz\n    short\n\nabcdefghijklmnop q\n"), 13, &out);
    assert_string_equal(buffer_text(&out), "name  (one of\n        a, b)\n    上海 上海 上海\n    xyz\n    short\n\nabcdefghijklmnop\n        q\n");
    buffer_clear(&out);
    page_wrap(STR(page), 40, &out);
    assert_string_equal(buffer_text(&out), page);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_found_by_their_names_before_their_texts),
        cmocka_unit_test(long_lines_are_broken_at_blanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
