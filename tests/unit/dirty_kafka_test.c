/* dirty_kafka_test.c: the topic of dirty rows against librdkafka's mock cluster. Waits end when the store wakes, with an end far away:
 * what is not woken for fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the first four. */
#include <cmocka.h>

#include "dirty/client.h"
#include "dirty/read.h"
#include "util/clock.h"
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PARTITIONS = 3, WAIT_MS = 30000, PRODUCE_KEY = 0 };

struct bed {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *mock;
    struct job_kafka cluster;
    struct dirty_options options;
    struct dirty_store *store;
    int wake;
    struct error error;
};

/* What a data source has for its consumers. */
static struct job_property consumer_properties[] = {
    {.name = (char *)"session.timeout.ms", .value = (char *)"6000"},
    {.name = (char *)"max.poll.interval.ms", .value = (char *)"10000"},
    {.name = (char *)"socket.keepalive.enable", .value = (char *)"true"},
    {.name = (char *)"reconnect.backoff.ms", .value = (char *)"20"},
    {.name = (char *)"reconnect.backoff.max.ms", .value = (char *)"100"},
    {.name = (char *)"max.in.flight", .value = (char *)"1000"}, /* more than idempotence allows */
};

static void on_wake(void *arg)
{
    struct bed *bed = arg;

    (void)eventfd_write(bed->wake, 1);
}

static struct bed *bed_open(void)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[512];

    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof(text));
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text));
    bed->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(bed->rk);
    bed->mock = rd_kafka_handle_mock_cluster(bed->rk);
    rd_kafka_mock_set_controller_id(bed->mock, 1);
    assert_int_equal(rd_kafka_mock_topic_create(bed->mock, "dead", PARTITIONS, 1), 0);
    bed->cluster = (struct job_kafka){.name = (char *)"mock", .brokers = (char *)rd_kafka_mock_cluster_bootstraps(bed->mock),
                                      .properties = consumer_properties, .property_count = COUNT_OF(consumer_properties)};
    bed->wake = eventfd(0, EFD_NONBLOCK);
    bed->options = (struct dirty_options){.topic = "dead", .cluster = &bed->cluster, .job = "j", .wake = on_wake, .wake_arg = bed};
    if (!dirty_store_open(&bed->store, &bed->options, &bed->error))
        fail_msg("%s", bed->error.text);
    assert_true(dirty_is_shared(bed->store));
    return bed;
}

static void bed_close(struct bed *bed)
{
    dirty_store_close(bed->store);
    close(bed->wake);
    rd_kafka_destroy(bed->rk);
    free(bed);
}

static void line_print(int partition, int64_t offset, const char *time, const char *reason, struct buffer *lines)
{
    buffer_print(lines, "{\"time\":\"2024-01-01T00:00:%sZ\",\"job\":\"j\",\"topic\":\"t\",\"topic_id\":\"id\",\"partition\":%d,\"offset\":%lld,"
                 "\"index\":0,\"timestamp\":5,\"stage\":\"s\",\"column\":null,\"reason\":\"%s\",\"key\":null,\"value\":\"v\"}\n", time, partition,
                 (long long)offset, reason);
}

static void append(struct bed *bed, int partition, int64_t first, int64_t count, const char *time, const char *reason)
{
    struct buffer lines;

    buffer_init(&lines, 0);
    for (int64_t i = first; i < first + count; i++)
        line_print(partition, i, time, reason, &lines);
    if (!dirty_append(bed->store, buffer_str(&lines), 0, &bed->error))
        fail_msg("%s", bed->error.text);
    buffer_release(&lines);
}

/* Waits for the store to wake us until it is durable or fails; false: it failed. */
static bool durable_wait(struct bed *bed)
{
    bool durable = false;

    while (dirty_durable(bed->store, &durable, &bed->error)) {
        struct pollfd item = {.fd = bed->wake, .events = POLLIN};
        eventfd_t count;

        if (durable)
            return true;
        if (poll(&item, 1, WAIT_MS) != 1)
            fail_msg("the store is not durable and does not wake");
        (void)eventfd_read(bed->wake, &count);
    }
    return false;
}

struct seen {
    unsigned count;
    int64_t next[PARTITIONS]; /* by the topic's partition: the order within it */
    char reasons[256];
    struct dirty_newest *newest; /* NULL: every line */
    bool ordered;
};

static bool see(void *arg, struct dirty_position position, struct str line, struct error *error)
{
    struct seen *seen = arg;
    struct dirty_record record;

    (void)error;
    assert_true(dirty_record_read(&record, line));
    if (!seen->newest || dirty_newest_is(seen->newest, &record, position)) {
        seen->count++;
        assert_true(position.unit < PARTITIONS);
        if (seen->ordered)
            assert_true(record.offset >= seen->next[position.unit]);
        seen->next[position.unit] = record.offset;
        snprintf(seen->reasons + strlen(seen->reasons), 24, seen->count < 8 ? "%.*s " : "", STR_ARG(record.reason));
    }
    dirty_record_release(&record);
    return true;
}

static bool note(void *arg, struct dirty_position position, struct str line, struct error *error)
{
    struct dirty_record record;

    (void)error;
    assert_true(dirty_record_read(&record, line));
    assert_true(dirty_newest_add(arg, &record, position));
    dirty_record_release(&record);
    return true;
}

static struct dirty_reader *reader_open(struct bed *bed)
{
    struct dirty_reader *reader = NULL;

    if (!dirty_reader_open(&reader, &bed->options, &bed->error))
        fail_msg("%s", bed->error.text);
    return reader;
}

static void rows_arrive_in_order_and_then_are_durable(void **state)
{
    struct bed *bed = bed_open();
    struct seen seen = {.ordered = true};
    struct dirty_reader *reader;

    (void)state;
    append(bed, 0, 0, 5000, "01.000", "r");
    assert_true(dirty_sync(bed->store, &bed->error));
    assert_true(durable_wait(bed));
    assert_int_equal(dirty_backlog(bed->store), 0);
    assert_true(dirty_bytes(bed->store) > 5000 * 100);
    reader = reader_open(bed);
    assert_true(dirty_reader_walk(reader, see, &seen, &bed->error));
    assert_int_equal(seen.count, 5000);
    for (size_t i = 0; i < PARTITIONS; i++)
        assert_true(seen.next[i] > 0); /* spread by their keys */
    dirty_reader_close(reader);
    bed_close(bed);
}

static void a_row_read_twice_is_found_once_as_it_was_last(void **state)
{
    struct bed *bed = bed_open();
    struct seen seen = {.newest = dirty_newest_new(10)};
    struct dirty_reader *reader;

    (void)state;
    append(bed, 1, 7, 1, "01.000", "first");
    append(bed, 1, 7, 1, "02.000", "second");
    append(bed, 1, 7, 1, "01.500", "late");
    append(bed, 1, 8, 1, "02.000", "other");
    assert_true(dirty_sync(bed->store, &bed->error));
    assert_true(durable_wait(bed));
    reader = reader_open(bed);
    append(bed, 1, 9, 1, "03.000", "unseen"); /* the reader saw the end before */
    assert_true(dirty_sync(bed->store, &bed->error));
    assert_true(durable_wait(bed));
    assert_true(dirty_reader_walk(reader, note, seen.newest, &bed->error));
    assert_int_equal(dirty_newest_count(seen.newest), 2);
    assert_true(dirty_reader_walk(reader, see, &seen, &bed->error));
    assert_int_equal(seen.count, 2);
    assert_non_null(strstr(seen.reasons, "second "));
    assert_non_null(strstr(seen.reasons, "other "));
    dirty_reader_close(reader);
    dirty_newest_free(seen.newest);
    bed_close(bed);
}

static void keys_are_identities(void **state)
{
    struct bed *bed = bed_open();
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_message_t *message = NULL;
    rd_kafka_t *consumer;
    rd_kafka_topic_t *topic;
    char text[512];
    int64_t end = clock_monotonic_ms() + WAIT_MS;

    (void)state;
    append(bed, 2, 40, 1, "01.000", "r");
    assert_true(dirty_sync(bed->store, &bed->error));
    assert_true(durable_wait(bed));
    rd_kafka_conf_set(conf, "bootstrap.servers", bed->cluster.brokers, text, sizeof(text));
    consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    topic = rd_kafka_topic_new(consumer, "dead", NULL);
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(rd_kafka_consume_start(topic, i, RD_KAFKA_OFFSET_BEGINNING), 0);
    for (int32_t i = 0; !message && clock_monotonic_ms() < end; i = (i + 1) % PARTITIONS)
        message = rd_kafka_consume(topic, i, 50);
    assert_non_null(message);
    assert_int_equal(message->err, 0);
    assert_true(str_is(str_make(message->key, message->key_len), "id/2/40/0"));
    rd_kafka_message_destroy(message);
    for (int32_t i = 0; i < PARTITIONS; i++)
        rd_kafka_consume_stop(topic, i);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(consumer);
    bed_close(bed);
}

static void rows_wait_for_brokers_that_are_down(void **state)
{
    struct bed *bed = bed_open();
    struct seen seen = {.ordered = true};
    struct dirty_reader *reader;
    bool durable = false;

    (void)state;
    append(bed, 0, 0, 10, "01.000", "r");
    assert_true(dirty_sync(bed->store, &bed->error));
    assert_true(durable_wait(bed));
    rd_kafka_mock_broker_set_down(bed->mock, 1);
    append(bed, 0, 10, 1000, "02.000", "r");
    /* What came after the sync does not hold up what was before it. */
    assert_true(dirty_durable(bed->store, &durable, &bed->error));
    assert_true(durable);
    assert_true(dirty_sync(bed->store, &bed->error));
    append(bed, 0, 1010, 1000, "03.000", "r");
    /* The client notices: its error is served, and changes nothing. */
    for (int i = 0; i < 2; i++) {
        struct pollfd item = {.fd = bed->wake, .events = POLLIN};
        eventfd_t count;

        assert_int_equal(poll(&item, 1, WAIT_MS), 1);
        (void)eventfd_read(bed->wake, &count);
        assert_true(dirty_durable(bed->store, &durable, &bed->error));
        assert_false(durable);
    }
    assert_true(dirty_backlog(bed->store) > 2000 * 100);
    rd_kafka_mock_broker_set_up(bed->mock, 1);
    assert_true(durable_wait(bed));
    assert_true(dirty_sync(bed->store, &bed->error));
    assert_true(durable_wait(bed));
    reader = reader_open(bed);
    assert_true(dirty_reader_walk(reader, see, &seen, &bed->error));
    assert_int_equal(seen.count, 2010);
    dirty_reader_close(reader);
    bed_close(bed);
}

static void an_answer_that_may_heal_is_tried_again(void **state)
{
    struct bed *bed = bed_open();

    (void)state;
    rd_kafka_mock_push_request_errors(bed->mock, PRODUCE_KEY, 2, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    append(bed, 0, 0, 1, "01.000", "r");
    assert_true(dirty_sync(bed->store, &bed->error));
    assert_true(durable_wait(bed));
    bed_close(bed);
}

static void what_cannot_heal_is_told(void **state)
{
    static const struct {
        rd_kafka_resp_err_t code;
        const char *said;
    } cases[] = {
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "more than the topic dead takes in one message; raise max.message.bytes"},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "no right to WRITE the topic dead"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bed *bed = bed_open();
        struct buffer line;

        rd_kafka_mock_push_request_errors(bed->mock, PRODUCE_KEY, 1, cases[i].code);
        append(bed, 0, 0, 1, "01.000", "r");
        assert_true(dirty_sync(bed->store, &bed->error));
        assert_false(durable_wait(bed));
        assert_int_equal(bed->error.kind, ERROR_FATAL);
        if (!strstr(bed->error.text, cases[i].said))
            fail_msg("%s", bed->error.text);
        /* It stays. */
        buffer_init(&line, 0);
        line_print(0, 1, "02.000", "r", &line);
        assert_false(dirty_append(bed->store, buffer_str(&line), 0, &bed->error));
        assert_false(dirty_sync(bed->store, &bed->error));
        buffer_release(&line);
        bed_close(bed);
    }
}

static void a_missing_topic_is_told_without_a_row(void **state)
{
    struct bed *bed = bed_open();
    bool durable = true;

    (void)state;
    dirty_store_close(bed->store);
    rd_kafka_mock_topic_set_error(bed->mock, "dead", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_true(dirty_store_open(&bed->store, &bed->options, &bed->error));
    while (dirty_durable(bed->store, &durable, &bed->error)) {
        struct pollfd item = {.fd = bed->wake, .events = POLLIN};
        eventfd_t count;

        assert_int_equal(poll(&item, 1, WAIT_MS), 1);
        (void)eventfd_read(bed->wake, &count);
    }
    assert_int_equal(bed->error.kind, ERROR_FATAL);
    assert_non_null(strstr(bed->error.text, "the topic dead of dirty rows does not exist on cluster mock"));
    bed_close(bed);
}

static void only_properties_of_every_client_are_shared(void **state)
{
    static const char *const shared[] = {"sasl.password", "sasl.mechanism", "sasl.mechanisms", "security.protocol", "ssl.ca.location",
                                         "socket.timeout.ms", "broker.address.family", "client.id"};
    static const char *const others[] = {"session.timeout.ms", "max.poll.interval.ms", "fetch.min.bytes", "linger.ms", "acks",
                                         "auto.offset.reset", "check.crcs", "no.such.thing", ""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(shared); i++)
        if (!dirty_property_is_shared(shared[i]))
            fail_msg("%s", shared[i]);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (dirty_property_is_shared(others[i]))
            fail_msg("%s", others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_arrive_in_order_and_then_are_durable),
        cmocka_unit_test(a_row_read_twice_is_found_once_as_it_was_last),
        cmocka_unit_test(keys_are_identities),
        cmocka_unit_test(rows_wait_for_brokers_that_are_down),
        cmocka_unit_test(an_answer_that_may_heal_is_tried_again),
        cmocka_unit_test(what_cannot_heal_is_told),
        cmocka_unit_test(a_missing_topic_is_told_without_a_row),
        cmocka_unit_test(only_properties_of_every_client_are_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
