/* mock_kafka_test.c: the demo's Kafka gives every record, in order, and never runs ahead of a group that stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the first four. */
#include <cmocka.h>

#include "local/mock_kafka.h"
#include "local/orders.h"
#include "source/kafka.h"
#include "util/clock.h"
#include <poll.h>

enum { PARTITIONS = 2, ROOM = 512, WAIT_MS = 30000, RECORDS = 40000 };

/* 3 MiB of at least 200 bytes each; all of RECORDS would not fit. */
static void test_throttle_and_content(void **state)
{
    struct mock_kafka_options options = {.topic = "orders", .partitions = PARTITIONS, .group = "demo", .records = RECORDS, .seed = 7,
                                         .start_ms = INT64_C(1700000000000)};
    struct job job = {.name = (char *)"demo"};
    struct source_partition list[PARTITIONS] = {{.partition = 0}, {.partition = 1}};
    struct mock_kafka *kafka;
    struct source *source;
    struct error error;
    struct orders *orders = calloc(1, sizeof(*orders));
    struct buffer *expected = calloc(RECORDS, sizeof(*expected));
    int64_t end = clock_monotonic_ms() + WAIT_MS, produced, previous = -1;
    bool committing = false;
    unsigned total = 0;

    (void)state;
    orders_init(orders, 7, 0, false, 0, 0, INT64_C(1700000000000));
    for (int i = 0; i < RECORDS; i++) {
        char key[64];

        buffer_init(&expected[i], 0);
        orders_next(orders, &expected[i], key);
    }
    if (!mock_kafka_start(&kafka, &options, &error))
        fail_msg("%s", error.text);
    /* With nobody reading it comes to a stand, well below what the mock throws away. */
    while ((produced = mock_kafka_produced(kafka)) != previous || produced == 0) {
        assert_true(clock_monotonic_ms() < end);
        previous = produced;
        poll(NULL, 0, 300);
    }
    assert_in_range(produced, 1000, RECORDS - 1);

    job.source.kafka.name = (char *)"embedded";
    job.source.kafka.brokers = (char *)mock_kafka_brokers(kafka);
    job.source.topic = (char *)"orders";
    job.source.group = (char *)"demo";
    job.source.otherwise = START_EARLIEST;
    job.runtime.memory_max = 256 << 20;
    source = kafka_source_new(&job, &(struct kafka_run){0}, NULL);
    if (!source->ops->start(source, &error))
        fail_msg("%s", error.text);
    while (total < RECORDS) {
        static struct message messages[ROOM];
        static int32_t partitions[ROOM];
        static void *handles[ROOM];
        struct pollfd descriptor = {.fd = source->ops->descriptor(source), .events = POLLIN};
        struct source_event event;
        uint32_t got;

        assert_true(clock_monotonic_ms() < end);
        source->ops->step(source, clock_monotonic_ms());
        got = source->ops->fetch(source, messages, partitions, handles, ROOM);
        for (uint32_t i = 0; i < got; i++) {
            size_t index = (size_t)messages[i].offset * PARTITIONS + (size_t)partitions[i];

            assert_in_range(index, 0, RECORDS - 1);
            assert_int_equal(messages[i].offset, list[partitions[i]].offset);
            assert_true(str_equal(messages[i].value, buffer_str(&expected[index])));
            assert_true(messages[i].key.size > 0);
            list[partitions[i]].offset++;
        }
        source->ops->release_handles(handles, got);
        total += got;
        while (source->ops->next(source, &event)) {
            if (event.kind == SOURCE_ASSIGN)
                source->ops->assign(source, event.partitions, event.count);
            assert_int_not_equal(event.kind, SOURCE_GAP);
            assert_int_not_equal(event.kind, SOURCE_ERROR);
            committing = committing && event.kind != SOURCE_COMMITTED;
        }
        if (got == 0) {
            if (!committing && total > 0) {
                source->ops->commit(source, list, PARTITIONS);
                committing = true;
            }
            poll(&descriptor, 1, 20);
        }
    }
    assert_int_equal(mock_kafka_produced(kafka), RECORDS);
    source->ops->stop(source, clock_monotonic_ms() + 5000);
    source->ops->free(source);
    mock_kafka_stop(kafka);
    for (int i = 0; i < RECORDS; i++)
        buffer_release(&expected[i]);
    free(expected);
    free(orders);
}

/* Stopping in the middle of an endless run leaves nothing behind, and the rate holds. */
static void test_rate_and_stop(void **state)
{
    struct mock_kafka_options options = {.topic = "t", .partitions = 1, .group = "g", .records = -1, .rate = 1000, .seed = 1};
    struct mock_kafka *kafka;
    struct error error;
    int64_t start = clock_monotonic_ms();

    (void)state;
    if (!mock_kafka_start(&kafka, &options, &error))
        fail_msg("%s", error.text);
    while (mock_kafka_produced(kafka) < 500)
        assert_true(clock_monotonic_ms() < start + WAIT_MS);
    /* 500 records at 1,000 a second: the elapsed time tells, however slow the machine is. */
    assert_true(clock_monotonic_ms() - start >= 450);
    mock_kafka_stop(kafka);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_throttle_and_content), cmocka_unit_test(test_rate_and_stop)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
