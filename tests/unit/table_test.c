/* table_test.c: tables on a terminal: widths, and what never reaches it. */
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *const names[TABLE_COLUMNS] = {"a", "b", "c", "d", "e", "f"};

static void controls_never_reach_the_terminal(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        bool lines;
        const char *clean;
    } cases[] = {
        {"plain \xE4\xB8\xAD", 9, false, "plain \xE4\xB8\xAD"},
        {"\x1B[31m", 5, false, "?[31m"},
        {"a\tb\nc", 5, false, "a b c"},
        {"a\tb\nc\r", 6, true, "a\tb\nc?"},
        {"\xC2\x9Bx", 3, false, "??x"},        /* a control of two bytes */
        {"\xE2\x80\xAEx", 4, false, "???x"},   /* turns the line around */
        {"\xFF\xE4\xB8", 3, false, "???"},     /* no UTF-8 */
        {"a\0b", 3, false, "a?b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer clean;

        buffer_init(&clean, 0);
        table_clean(str_make(cases[i].text, cases[i].size), cases[i].lines, &clean);
        assert_string_equal(buffer_text(&clean), cases[i].clean);
        buffer_release(&clean);
    }
}

static void the_last_columns_give_way(void **state)
{
    static const char *const wide[TABLE_COLUMNS] = {"2024-01-01 00:00:00", "0/1", "parse", "", "\xE4\xB8\xAD\xE6\x96\x87", "0123456789abcdef"};
    static const char *const narrow[TABLE_COLUMNS] = {"x", "0/12", "s", "c", "r", "v"};
    static const struct {
        unsigned width;
        const char *printed;
    } cases[] = {
        {0, "a                    b     c      d  e     f\n"
            "2024-01-01 00:00:00  0/1   parse     \xE4\xB8\xAD\xE6\x96\x87  0123456789abcdef\n"
            "x                    0/12  s      c  r     v\n"},
        {55, "a                    b     c      d  e     f\n"
             "2024-01-01 00:00:00  0/1   parse     \xE4\xB8\xAD\xE6\x96\x87  0123456789a\xE2\x80\xA6\n"
             "x                    0/12  s      c  r     v\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct table *table = table_new(names, cases[i].width);
        struct buffer text;

        buffer_init(&text, 0);
        table_add(table, wide);
        table_add(table, narrow);
        table_print(table, &text);
        assert_string_equal(buffer_text(&text), cases[i].printed);
        table_free(table);
        buffer_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_never_reach_the_terminal),
        cmocka_unit_test(the_last_columns_give_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
