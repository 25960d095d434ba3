/* samples_test.c: the newest records, copied within their bounds, and whole again in another batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "pipeline/samples.h"

static void fill(struct batch *batch, int32_t partition, uint32_t count, size_t value_size, int64_t first)
{
    static char value[300000];

    batch_clear(batch);
    batch->partition = partition;
    for (uint32_t i = 0; i < count; i++) {
        struct message message = {.offset = first + i, .timestamp_ms = 7, .value = str_make(value, value_size)};

        if (i % 2)
            message.key = STR("k");
        batch_add_message(batch, &message, NULL);
    }
}

static void the_newest_are_kept(void **state UNUSED)
{
    struct samples *samples = samples_new();
    struct batch *batch = batch_new(1 << 20), *copy = batch_new(1 << 20);
    struct sample_batch *taken[SAMPLES_MAX];
    size_t count;

    assert_int_equal(samples_take(samples, taken), 0);
    for (int i = 0; i < SAMPLES_MAX + 3; i++) {
        fill(batch, i, 10, 100, i * 1000);
        samples_offer(samples, batch, i * SAMPLES_EVERY_MS);
        fill(batch, 99, 10, 100, 0); /* too soon after it */
        samples_offer(samples, batch, i * SAMPLES_EVERY_MS + SAMPLES_EVERY_MS - 1);
    }
    count = samples_take(samples, taken);
    assert_int_equal(count, SAMPLES_MAX);
    samples_free(samples); /* what was taken lives on */
    for (size_t i = 0; i < count; i++) {
        batch_clear(copy);
        sample_load(taken[i], copy);
        assert_int_equal(copy->partition, i + 3);
        assert_int_equal(copy->message_count, 10);
        assert_int_equal(copy->offset_first, (i + 3) * 1000);
        assert_int_equal(copy->messages[9].offset, (i + 3) * 1000 + 9);
        assert_int_equal(copy->messages[9].value.size, 100);
        assert_true(str_is(copy->messages[9].key, "k"));
        assert_null(copy->messages[8].key.data);
        batch_clear(copy);
        sample_drop(taken[i]);
    }
    batch_free(batch);
    batch_free(copy);
}

static void a_sample_is_bounded_in_rows_and_bytes(void **state UNUSED)
{
    static const struct {
        uint32_t rows;
        size_t size;
        uint32_t least, most;
    } cases[] = {
        {BATCH_ROWS_MAX, 10, SAMPLE_ROWS_MAX, SAMPLE_ROWS_MAX},
        {20, 100000, 3, SAMPLE_BYTES_MAX / 100000},
        {3, 300000, 1, 1},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct samples *samples = samples_new();
        struct batch *batch = batch_new(1 << 20);
        struct sample_batch *taken[SAMPLES_MAX];

        fill(batch, 0, cases[i].rows, cases[i].size, 0);
        samples_offer(samples, batch, 0);
        batch_clear(batch);
        assert_int_equal(samples_take(samples, taken), 1);
        sample_load(taken[0], batch);
        assert_in_range(batch->message_count, cases[i].least, cases[i].most);
        batch_clear(batch);
        sample_drop(taken[0]);
        samples_free(samples);
        batch_free(batch);
    }
}

static void print_headers(void *handle, struct buffer *text)
{
    (void)handle;
    buffer_print(text, "[[\"a\",\"b\"]]");
}

static void headers_are_kept_where_the_job_reads_them(void **state UNUSED)
{
    struct samples *samples = samples_new();
    struct batch *batch = batch_new(1 << 20);
    struct sample_batch *taken[SAMPLES_MAX];

    fill(batch, 0, 2, 10, 0);
    batch->print_headers = print_headers;
    samples_offer(samples, batch, 0);
    batch_clear(batch);
    batch->print_headers = NULL;
    assert_int_equal(samples_take(samples, taken), 1);
    sample_load(taken[0], batch);
    assert_true(str_is(batch->messages[1].headers, "[[\"a\",\"b\"]]"));
    batch_clear(batch);
    sample_drop(taken[0]);
    samples_free(samples);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_are_kept),
        cmocka_unit_test(a_sample_is_bounded_in_rows_and_bytes),
        cmocka_unit_test(headers_are_kept_where_the_job_reads_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
