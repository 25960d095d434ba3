/* gather_test.c: chunks gather per table partition and become due at a block's worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "pipeline/gather.h"

static struct chunk *chunk(const char *spec, size_t records, uint32_t rows, struct chunk *next)
{
    struct chunk *made = xcalloc(1, sizeof(*made) + strlen(spec) + records + rows * 4);

    made->next = next;
    made->rows = rows;
    made->spec_size = strlen(spec);
    made->records_size = records;
    memcpy(made->text, spec, made->spec_size);
    return made;
}

static void chunks_of_one_partition_join_in_order(void **state UNUSED)
{
    struct gather gather;
    struct target *target;
    struct chunk *chunks;
    size_t bytes;

    gather_init(&gather, NULL);
    gather_add(&gather, chunk("ds=1", 100, 1, chunk("ds=2", 100, 2, chunk("ds=1", 100, 3, NULL))), 1 << 20);
    assert_int_equal(gather.count, 2);
    assert_null(gather_take_due(&gather, &target, &bytes));
    gather_push_all(&gather);
    chunks = gather_take_due(&gather, &target, &bytes);
    assert_memory_equal(target->spec, "ds=1", 4);
    assert_int_equal(chunks->rows, 1);
    assert_int_equal(chunks->next->rows, 3);
    assert_null(chunks->next->next);
    chunks_free(chunks);
    chunks = gather_take_due(&gather, &target, &bytes);
    assert_memory_equal(target->spec, "ds=2", 4);
    chunks_free(chunks);
    assert_int_equal(gather.bytes, 0);
    gather_release(&gather);
}

static void a_block_is_due_once_when_it_is_full(void **state UNUSED)
{
    struct gather gather;
    struct target *target;
    size_t bytes;

    gather_init(&gather, NULL);
    for (int i = 0; i < 10; i++)
        gather_add(&gather, chunk("", 100, 1, NULL), 500);
    chunks_free(gather_take_due(&gather, &target, &bytes));
    assert_true(bytes >= 500);
    assert_null(gather_take_due(&gather, &target, &bytes));
    gather_release(&gather);
}

static void the_largest_goes_early(void **state UNUSED)
{
    struct gather gather;
    struct target *target;
    size_t bytes;

    gather_init(&gather, NULL);
    gather_add(&gather, chunk("a", 100, 1, chunk("b", 5000, 1, chunk("c", 300, 1, NULL))), 1 << 20);
    assert_false(gather_push_largest(&gather, 10000));
    assert_true(gather_push_largest(&gather, 200));
    chunks_free(gather_take_due(&gather, &target, &bytes));
    assert_memory_equal(target->spec, "b", 1);
    gather_release(&gather);
}

static void many_partitions_are_kept_apart(void **state UNUSED)
{
    enum { MANY = 1000 };
    struct gather gather;
    struct target *target;
    struct chunk *chunks;
    size_t bytes, seen = 0;

    gather_init(&gather, NULL);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            char spec[16];

            snprintf(spec, sizeof(spec), "ds=%u", i);
            gather_add(&gather, chunk(spec, 10, i, NULL), 1 << 20);
        }
    }
    assert_int_equal(gather.count, MANY);
    gather_push_all(&gather);
    while ((chunks = gather_take_due(&gather, &target, &bytes))) {
        assert_int_equal(chunks->rows, seen);
        assert_int_equal(chunks->next->rows, seen);
        seen++;
        chunks_free(chunks);
    }
    assert_int_equal(seen, MANY);
    gather_release(&gather);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_of_one_partition_join_in_order),
        cmocka_unit_test(a_block_is_due_once_when_it_is_full),
        cmocka_unit_test(the_largest_goes_early),
        cmocka_unit_test(many_partitions_are_kept_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
