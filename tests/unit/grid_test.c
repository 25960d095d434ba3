/* grid_test.c: tables for the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/grid.h"

static void check(struct grid *grid, unsigned indent, const char *expected)
{
    struct buffer text;

    buffer_init(&text, 0);
    grid_print(grid, indent, &text);
    assert_string_equal(buffer_text(&text), expected);
    buffer_release(&text);
    grid_release(grid);
}

static void numbers_stand_to_the_right(void **state UNUSED)
{
    struct grid grid;

    grid_init(&grid, 3);
    grid_add(&grid, "partition");
    grid_add(&grid, "lag");
    grid_add(&grid, "what");
    grid_add(&grid, "%d", 0);
    grid_add(&grid, "%d", 12345);
    grid_add(&grid, "idle");
    grid_add(&grid, "%d", 17);
    grid_add(&grid, "-");
    grid_add(&grid, "nothing");
    grid_add(&grid, "total");
    grid_add(&grid, "%d", 12345);
    grid_add(&grid, "%s", "");
    check(&grid, 2, "  partition    lag  what\n          0  12345  idle\n         17      -  nothing\n      total  12345\n");
}

static void words_stand_to_the_left(void **state UNUSED)
{
    struct grid grid;

    grid_init(&grid, 2);
    grid_add(&grid, "id");
    grid_add(&grid, "rows");
    grid_add(&grid, "12ab");
    grid_add(&grid, "5");
    grid_add(&grid, "7");
    grid_add(&grid, "100");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stand_to_the_right),
        cmocka_unit_test(words_stand_to_the_left),
        cmocka_unit_test(a_row_may_end_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
