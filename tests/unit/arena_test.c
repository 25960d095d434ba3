/* arena_test.c: pieces do not overlap, pages come back, the limit holds. */
#include "util/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void pieces_are_aligned_and_apart(void **state)
{
    struct arena arena;
    unsigned char *pieces[300];
    size_t sizes[300];

    (void)state;
    arena_init(&arena, 64 << 20);
    for (unsigned i = 0; i < 300; i++) {
        sizes[i] = i % 7 == 0 ? 20000 + i : i % 11 == 0 ? 70000 : i;
        pieces[i] = arena_try_alloc(&arena, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)(i & 255), sizes[i]);
    }
    for (unsigned i = 0; i < 300; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (pieces[i][k] != (i & 255))
                fail_msg("piece %u was overwritten", i);
    arena_release(&arena);
}

static void the_limit_holds_and_clear_gives_it_back(void **state)
{
    struct arena arena;
    size_t given = 0;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (int round = 0; round < 3; round++) {
        given = 0;
        while (arena_try_alloc(&arena, 1000))
            given += 1008;
        assert_true(given > (1 << 20) * 9 / 10 && given <= 1 << 20);
        assert_true(arena.bytes <= 1 << 20);
        arena_clear(&arena);
        assert_int_equal(arena.bytes, 0);
    }
    assert_null(arena_try_alloc(&arena, SIZE_MAX));
    assert_null(arena_try_alloc(&arena, SIZE_MAX - 8));
    assert_null(arena_try_alloc(&arena, 2 << 20));
    assert_null(arena_try_array(&arena, SIZE_MAX / 4, 8));
    assert_non_null(arena_try_alloc(&arena, 0));
    arena_release(&arena);
}

static void copies_keep_absent_and_empty_apart(void **state)
{
    struct arena arena;
    struct str copy;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_null(arena_try_copy(&arena, STR_NONE).data);
    copy = arena_try_copy(&arena, STR(""));
    assert_true(copy.data && copy.size == 0);
    assert_true(str_is(arena_try_copy(&arena, STR("abc")), "abc"));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(the_limit_holds_and_clear_gives_it_back),
        cmocka_unit_test(copies_keep_absent_and_empty_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
