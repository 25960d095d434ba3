/* grid_test.c: tables for the terminal: what never reaches it, widths, cutting, groups, and colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cli/grid.h"
#include "cli/terminal.h"

static void check(struct grid *grid, unsigned indent, const char *expected)
{
    struct buffer text;

    buffer_init(&text, 0);
    grid_print(grid, indent, &text);
    assert_string_equal(buffer_text(&text), expected);
    buffer_release(&text);
    grid_release(grid);
}

static void add_all(struct grid *grid, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        grid_add(grid, "%s", cells[i]);
}

static void controls_never_reach_the_terminal(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t size;
        bool lines;
        const char *clean;
    } cases[] = {
        {"plain \xE4\xB8\xAD", 9, false, "plain \xE4\xB8\xAD"},
        {"\x1B[31m", 5, false, "\\x1b[31m"},
        {"a\tb\nc\r", 6, false, "a\\tb\\nc\\r"},
        {"a\tb\nc\r", 6, true, "a\tb\nc\\r"},
        {"\xC2\x9Bx", 3, false, "\\u009bx"},          /* a control of two bytes */
        {"\xE2\x80\xAEx", 4, false, "\\u202ex"},      /* turns the line around */
        {"\xE2\x80\xA8x", 4, false, "\\u2028x"},      /* a line end to some */
        {"\xFF\xE4\xB8", 3, false, "\\xff\\xe4\\xb8"}, /* no UTF-8 */
        {"\xED\xA0\x80", 3, false, "\\xed\\xa0\\x80"}, /* a surrogate */
        {"a\0b\x7F", 4, false, "a\\x00b\\x7f"},
        {"", 0, false, ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer clean;

        buffer_init(&clean, 0);
        terminal_clean(str_make(cases[i].text, cases[i].size), cases[i].lines, &clean);
        assert_string_equal(buffer_text(&clean), cases[i].clean);
        buffer_release(&clean);
    }
}

static void texts_are_as_wide_as_they_look(void **state UNUSED)
{
    static const struct {
        const char *text;
        unsigned cells, width;
        const char *cut;
    } cases[] = {
        {"", 0, 0, ""},
        {"abc", 3, 3, "abc"},
        {"abcd", 4, 3, "ab\u2026"},
        {"\u4e2d\u6587\u5b57", 6, 6, "\u4e2d\u6587\u5b57"},
        {"\u4e2d\u6587\u5b57", 6, 5, "\u4e2d\u6587\u2026"},
        {"\u4e2d\u6587\u5b57", 6, 4, "\u4e2d\u2026"}, /* a half character is none */
        {"e\u0301e\u0301e\u0301", 3, 2, "e\u0301\u2026"}, /* combining marks stay with their letters */
        {"\uac00\uff21", 4, 4, "\uac00\uff21"},
        {"\U0001f600x", 3, 3, "\U0001f600x"},
        {"a\u200bb", 2, 2, "a\u200bb"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer text;

        buffer_init(&text, 0);
        assert_int_equal(terminal_cells(str_of(cases[i].text)), cases[i].cells);
        assert_true(terminal_cut(str_of(cases[i].text), cases[i].width, &text) <= cases[i].width);
        assert_string_equal(buffer_text(&text), cases[i].cut);
        buffer_release(&text);
    }
}

static void lines_end_where_they_may(void **state UNUSED)
{
    static const struct {
        const char *text;
        unsigned width;
        const char *lines; /* each in brackets */
    } cases[] = {
        {"", 5, "[]"},
        {"abc de", 6, "[abc de]"},
        {"abc de f", 6, "[abc de][f]"},
        {"abc de f", 5, "[abc][de f]"},
        {"abc  de", 4, "[abc ][de]"},
        {"a /a/long/path b", 4, "[a][/a/long/path][b]"}, /* a word is never broken */
        {"\u4e2d\u6587\u5b57\u7b26", 5, "[\u4e2d\u6587][\u5b57\u7b26]"},
        {"in \u4e2d\u6587\u5b57 x", 6, "[in \u4e2d][\u6587\u5b57 x]"},
        {"\u4e2d\u6587", 1, "[\u4e2d][\u6587]"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str rest = str_of(cases[i].text);
        struct buffer lines;

        buffer_init(&lines, 0);
        do {
            struct str line = terminal_wrap(&rest, cases[i].width);

            buffer_print(&lines, "[%.*s]", STR_ARG(line));
        } while (rest.size);
        assert_string_equal(buffer_text(&lines), cases[i].lines);
        buffer_release(&lines);
    }
}

static void numbers_stand_to_the_right(void **state UNUSED)
{
    static const char *const cells[] = {"partition", "lag", "what", "0", "12345", "idle", "17", "-", "nothing", "total", "-1.50", ""};
    struct grid grid;

    grid_init(&grid, 3);
    add_all(&grid, cells, COUNT_OF(cells));
    check(&grid, 2, "  partition    lag  what\n          0  12345  idle\n         17      -  nothing\n      total  -1.50\n");
}

static void words_stand_to_the_left(void **state UNUSED)
{
    static const char *const cells[] = {"id", "rows", "12ab", "5", "7", "100"};
    struct grid grid;

    grid_init(&grid, 2);
    add_all(&grid, cells, COUNT_OF(cells));
    check(&grid, 0, "id    rows\n12ab     5\n7      100\n");
}

static void a_row_may_end_early(void **state UNUSED)
{
    struct grid grid;

    grid_init(&grid, 2);
    check(&grid, 0, "");
    grid_init(&grid, 2);
    grid_add(&grid, "a");
    check(&grid, 1, " a\n");
}

static void null_is_not_its_text(void **state UNUSED)
{
    static const struct {
        const char *value;
        bool text;
        const char *mark, *shown;
    } cases[] = {
        {NULL, true, "", "NULL"},      {"NULL", true, "", "\"NULL\""}, {"", true, "", "\"\""},
        {"null", true, "", "null"},    {" x", true, "", "\" x\""},     {"x ", true, "*", "*\"x \""},
        {"\"", true, "", "\"\\\"\""}, {"12", false, "*", "*12"},       {NULL, false, "*", "*NULL"},
        {"a\nb", true, "", "a\\nb"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct grid grid;

        grid_init(&grid, 1);
        grid_add_value(&grid, cases[i].value ? str_of(cases[i].value) : STR_NONE, cases[i].text, cases[i].mark, GRID_PLAIN);
        assert_string_equal(grid.cells[0].text, cases[i].shown);
        grid_release(&grid);
    }
}

/* Text that looks like a number is not one; NULL among numbers does not move them. */
static void values_say_what_they_are(void **state UNUSED)
{
    struct grid grid;

    grid_init(&grid, 2);
    grid_add(&grid, "phone");
    grid_add(&grid, "amount");
    grid_add_value(&grid, STR("1"), true, "", GRID_PLAIN);
    grid_add_value(&grid, STR("1"), false, "", GRID_PLAIN);
    grid_add_value(&grid, STR("12345678"), true, "", GRID_PLAIN);
    grid_add_value(&grid, STR_NONE, false, "", GRID_PLAIN);
    check(&grid, 0, "phone     amount\n1              1\n12345678    NULL\n");
}

static void the_last_columns_give_way(void **state UNUSED)
{
    static const char *const cells[] = {
        "a", "b", "c", "d", "2024-01-01 00:00:00", "0/1", "\u4e2d\u6587", "0123456789abcdef", "x", "0/12", "r", "v",
    };
    static const unsigned most[] = {19, 30, 60, 60}, few[] = {4, 30, 60, 60};
    static const struct {
        unsigned width;
        const unsigned *most;
        const char *printed;
    } cases[] = {
        {0, most, "a                    b     c     d\n"
                  "2024-01-01 00:00:00  0/1   \u4e2d\u6587  0123456789abcdef\n"
                  "x                    0/12  r     v\n"},
        {45, most, "a                    b     c     d\n"
                   "2024-01-01 00:00:00  0/1   \u4e2d\u6587  0123456789a\u2026\n"
                   "x                    0/12  r     v\n"},
        {0, few, "a     b     c     d\n"
                 "202\u2026  0/1   \u4e2d\u6587  0123456789abcdef\n"
                 "x     0/12  r     v\n"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct grid grid;

        grid_init(&grid, 4);
        grid.width = cases[i].width;
        grid.most = cases[i].most;
        grid.fit = GRID_CUT;
        add_all(&grid, cells, COUNT_OF(cells));
        check(&grid, 0, cases[i].printed);
    }
}

static void wide_grids_cut_their_widest_columns_first(void **state UNUSED)
{
    static const char *const cells[] = {"#", "long", "short", "1", "abcdefghijklmnopqrstuvwxyz", "ok"};
    struct grid grid;

    grid_init(&grid, 3);
    grid.width = 27;
    grid.keys = 1;
    add_all(&grid, cells, COUNT_OF(cells));
    check(&grid, 2, "  #  long             short\n  1  abcdefghijklmn\u2026  ok\n");
}

static void what_does_not_fit_goes_into_groups(void **state UNUSED)
{
    static const char *const cells[] = {"#", "", "first", "second", "third", "1", "in", "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbb", "cccc",
                                        "2", "out", "a", "b", "c"};
    struct grid grid;

    grid_init(&grid, 5);
    grid.width = 30;
    grid.keys = 2;
    add_all(&grid, cells, COUNT_OF(cells));
    check(&grid, 0, "#       first\n1  in   aaaaaaaaaaaaaaaa\n2  out  a\n"
                    "\n"
                    "#       second        third\n1  in   bbbbbbbbbbbb  cccc\n2  out  b             c\n");
}

/* Cells that leave their column make it no wider, and know where the line ends. */
static void cells_may_leave_their_columns(void **state UNUSED)
{
    static const struct {
        unsigned width;
        const char *printed;
    } cases[] = {
        {0, "a    b  c\nrow  one long line that is cut\n     one long text that goes on below\n1    2  3\n"},
        {21, "a    b  c\nrow  one long line t\u2026\n     one long text\n     that goes on\n     below\n1    2  3\n"},
        {5, "a    b  c\nrow  one lon\u2026\n     one long\n     text\n     that\n     goes on\n     below\n1    2  3\n"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static const char *const heads[] = {"a", "b", "c"}, *const numbers[] = {"1", "2", "3"};
        struct grid grid;

        grid_init(&grid, 3);
        grid.width = cases[i].width;
        grid.fit = GRID_EVEN;
        grid.words = true;
        add_all(&grid, heads, COUNT_OF(heads));
        grid_add(&grid, "row");
        grid_add_reaching(&grid, STR("one long line that is cut"), GRID_PLAIN, GRID_LINE);
        grid_add(&grid, "%s", "");
        grid_add_reaching(&grid, STR("one long text that goes on below"), GRID_PLAIN, GRID_WRAPPED);
        add_all(&grid, numbers, COUNT_OF(numbers));
        check(&grid, 0, cases[i].printed);
    }
}

/* What is compared gets the same room; of numbers, words make no column. */
static void sides_are_cut_alike(void **state UNUSED)
{
    static const char *const cells[] = {"n", "before", "after", "x", "0123456789012345", "0123456789012345", "y", "1", "2"};
    static const struct {
        unsigned width;
        const char *printed;
    } cases[] = {
        {40, "n  before            after\nx  0123456789012345  0123456789012345\ny  1                 2\n"},
        {25, "n  before      after\nx  012345678\u2026  012345678\u2026\ny  1           2\n"},
        {9, "n  before    after\nx  0123456\u2026  0123456\u2026\ny  1         2\n"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct grid grid;

        grid_init(&grid, 3);
        grid.width = cases[i].width;
        grid.fit = GRID_EVEN;
        grid.words = true;
        add_all(&grid, cells, COUNT_OF(cells));
        check(&grid, 0, cases[i].printed);
    }
}

/* However narrow the terminal: it ends, and each group has a column. */
static void the_narrowest_terminal(void **state UNUSED)
{
    static const char *const cells[] = {"#", "one", "two", "1", "aaaaaaaaaaaaaaaa", "bbbb"};
    struct grid grid;

    grid_init(&grid, 3);
    grid.width = 1;
    grid.keys = 1;
    add_all(&grid, cells, COUNT_OF(cells));
    check(&grid, 0, "#  one\n1  aaaaaaa\u2026\n\n#  two\n1  bbbb\n");
}

static void colours_take_no_room(void **state UNUSED)
{
    for (int colours = 0; colours < 2; colours++) {
        struct grid grid;

        grid_init(&grid, 2);
        grid.colours = colours;
        grid_add(&grid, "a");
        grid_add(&grid, "b");
        grid_add_value(&grid, STR("old"), true, "*", GRID_CHANGED);
        grid_add_value(&grid, STR_NONE, true, "", GRID_PLAIN);
        check(&grid, 0, colours ? "\033[1ma\033[0m     \033[1mb\033[0m\n\033[33m*old\033[0m  \033[2mNULL\033[0m\n"
                                : "a     b\n*old  NULL\n");
    }
}

/* Standard output of a test is no terminal, or one that nobody asked for colours. */
static void colours_are_for_terminals(void **state UNUSED)
{
    assert_false(terminal_colours(true));
    setenv("NO_COLOR", "1", 1);
    assert_false(terminal_colours(false));
    unsetenv("NO_COLOR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_never_reach_the_terminal),
        cmocka_unit_test(texts_are_as_wide_as_they_look),
        cmocka_unit_test(lines_end_where_they_may),
        cmocka_unit_test(numbers_stand_to_the_right),
        cmocka_unit_test(words_stand_to_the_left),
        cmocka_unit_test(a_row_may_end_early),
        cmocka_unit_test(null_is_not_its_text),
        cmocka_unit_test(values_say_what_they_are),
        cmocka_unit_test(the_last_columns_give_way),
        cmocka_unit_test(wide_grids_cut_their_widest_columns_first),
        cmocka_unit_test(what_does_not_fit_goes_into_groups),
        cmocka_unit_test(cells_may_leave_their_columns),
        cmocka_unit_test(sides_are_cut_alike),
        cmocka_unit_test(the_narrowest_terminal),
        cmocka_unit_test(colours_take_no_room),
        cmocka_unit_test(colours_are_for_terminals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
