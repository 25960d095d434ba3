/* The queue of the local endpoint's late calls: order, and what becomes of items that never come due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <time.h>

#include "local/late.h"
#include "util/clock.h"

static atomic_int ran, dropped;
static int order[8];

static void run(void *item)
{
    int at = atomic_load(&ran);

    if (at < (int)COUNT_OF(order))
        order[at] = *(int *)item;
    atomic_store(&ran, at + 1);
}

static void drop(void *item)
{
    (void)item;
    atomic_fetch_add(&dropped, 1);
}

static void reset(void)
{
    atomic_store(&ran, 0);
    atomic_store(&dropped, 0);
}

static void wait_for_runs(int count)
{
    const int64_t deadline_ms = clock_monotonic_ms() + 20000;

    while (atomic_load(&ran) < count) {
        assert_true(clock_monotonic_ms() < deadline_ms);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void items_come_in_the_order_of_their_time(void **state)
{
    static int items[] = {0, 1, 2, 3};
    struct late *late = late_new(run, drop);

    (void)state;
    reset();
    assert_non_null(late);
    late_push(late, &items[3], 1500);
    late_push(late, &items[1], 500);
    late_push(late, &items[2], 500);
    late_push(late, &items[0], 0);
    wait_for_runs(4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i);
    late_free(late);
    assert_int_equal(atomic_load(&dropped), 4);
}

static void what_is_not_due_is_dropped_unseen(void **state)
{
    static int item;
    struct late *late = late_new(run, drop);

    (void)state;
    reset();
    for (int i = 0; i < 3; i++)
        late_push(late, &item, 86400000);
    late_free(late);
    assert_int_equal(atomic_load(&ran), 0);
    assert_int_equal(atomic_load(&dropped), 3);
    late_free(NULL);
}

static void what_is_too_much_is_dropped(void **state)
{
    static int item;
    struct late *late = late_new(run, drop);

    (void)state;
    reset();
    for (int i = 0; i < LATE_ITEMS_MAX + 2; i++)
        late_push(late, &item, 86400000);
    assert_int_equal(atomic_load(&dropped), 2);
    late_free(late);
    assert_int_equal(atomic_load(&ran), 0);
    assert_int_equal(atomic_load(&dropped), LATE_ITEMS_MAX + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_the_order_of_their_time),
        cmocka_unit_test(what_is_not_due_is_dropped_unseen),
        cmocka_unit_test(what_is_too_much_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
