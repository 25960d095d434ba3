/* queue_test.c: the hand-over between two threads; also run under the thread sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>

#include "pipeline/queue.h"

enum { MANY = 20000 };

/* The queue never looks inside, so numbers do for pointers. */
static struct work *number(uintptr_t n)
{
    return (struct work *)(n + 1);
}

static void a_full_queue_says_no(void **state UNUSED)
{
    struct queue queue;

    queue_init(&queue, 2);
    assert_true(queue_try_push(&queue, number(1)));
    assert_true(queue_try_push(&queue, number(2)));
    assert_false(queue_try_push(&queue, number(3)));
    assert_ptr_equal(queue_try_pop(&queue), number(1));
    assert_true(queue_try_push(&queue, number(3)));
    assert_ptr_equal(queue_pop(&queue), number(2));
    assert_ptr_equal(queue_pop(&queue), number(3));
    assert_null(queue_try_pop(&queue));
    queue_release(&queue);
}

static void a_closed_queue_is_emptied_and_takes_nothing(void **state UNUSED)
{
    struct queue queue;

    queue_init(&queue, 4);
    assert_true(queue_try_push(&queue, number(1)));
    queue_close(&queue);
    assert_false(queue_try_push(&queue, number(2)));
    assert_ptr_equal(queue_pop(&queue), number(1));
    assert_null(queue_pop(&queue));
    queue_release(&queue);
}

static void *pop_all(void *arg)
{
    uintptr_t expected = 0;
    struct work *work;

    while ((work = queue_pop(arg)))
        if (work != number(expected++))
            return (void *)"out of order";
    return expected == MANY ? NULL : (void *)"not all";
}

static void order_is_kept_between_threads(void **state UNUSED)
{
    struct queue queue;
    pthread_t thread;
    void *wrong;

    queue_init(&queue, 8);
    assert_int_equal(pthread_create(&thread, NULL, pop_all, &queue), 0);
    for (uintptr_t i = 0; i < MANY; i++)
        while (!queue_try_push(&queue, number(i)))
            sched_yield();
    queue_close(&queue);
    pthread_join(thread, &wrong);
    if (wrong)
        fail_msg("%s", (const char *)wrong);
    queue_release(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_says_no),
        cmocka_unit_test(a_closed_queue_is_emptied_and_takes_nothing),
        cmocka_unit_test(order_is_kept_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
