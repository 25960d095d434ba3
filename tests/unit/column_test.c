/* column_test.c: making, gathering and copying columns. */
#include "batch/column.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void columns_are_gathered_with_their_nulls(void **state)
{
    static const uint32_t source[] = {0, 2, 2, 3};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (int kind = TYPE_NULL; kind < TYPE_KINDS; kind++) {
        struct column *column = column_try_new(&arena, TYPE_OF((enum type_kind)kind), 4, true), *gathered, *copy;
        size_t size = type_size((enum type_kind)kind);

        for (size_t i = 0; i < 4 * size; i++)
            ((unsigned char *)column->data)[i] = (unsigned char)(i / (size ? size : 1));
        column->null[2] = 1;
        gathered = column_try_gather(&arena, column, source, 4);
        assert_int_equal(gathered->rows, 4);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(column_is_null(gathered, i), kind == TYPE_NULL || source[i] == 2);
            if (size)
                assert_int_equal(((unsigned char *)gathered->data)[i * size], source[i]);
        }
        copy = column_try_copy(&arena, column);
        assert_memory_equal(copy->null, column->null, 4);
        if (size) {
            assert_memory_equal(copy->data, column->data, 4 * size);
            ((unsigned char *)copy->data)[0] = 99;
            assert_int_equal(((unsigned char *)column->data)[0], 0);
        }
    }
    arena_release(&arena);
}

static void null_bytes_appear_when_asked_for(void **state)
{
    struct arena arena;
    struct column *column;

    (void)state;
    arena_init(&arena, 70000);
    column = column_try_new(&arena, TYPE_OF(TYPE_BIGINT), 3, false);
    assert_null(column->null);
    assert_false(column_is_null(column, 0));
    assert_true(column_try_nullable(&arena, column));
    column->null[1] = 1;
    assert_true(column_try_nullable(&arena, column));
    assert_true(column_is_null(column, 1));
    assert_false(column_is_null(column, 2));
    assert_null(column_try_new(&arena, TYPE_OF(TYPE_DECIMAL), UINT32_MAX, false));
    assert_null(column_try_new(&arena, TYPE_OF(TYPE_BIGINT), 100000, true));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_gathered_with_their_nulls),
        cmocka_unit_test(null_bytes_appear_when_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
