/* kafka_source_test.c: the Kafka source against librdkafka's mock cluster. Waits are for something to happen, with an end far away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the first four. */
#include <cmocka.h>

#include "source/kafka_internal.h"
#include "util/clock.h"
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

enum { PARTITIONS = 4, RECORDS_MAX = 20000, ROOM = 64, WAIT_MS = 20000, OFFSET_COMMIT_KEY = 8, OFFSET_FETCH_KEY = 9 };

/* A mock cluster and a producer. */
struct cluster {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *mock;
};

static void cluster_start(struct cluster *cluster)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[512];

    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof(text));
    rd_kafka_conf_set(conf, "linger.ms", "0", text, sizeof(text));
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text));
    cluster->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(cluster->rk);
    cluster->mock = rd_kafka_handle_mock_cluster(cluster->rk);
    assert_non_null(cluster->mock);
    rd_kafka_mock_group_initial_rebalance_delay_ms(cluster->mock, 0);
    rd_kafka_mock_set_controller_id(cluster->mock, 1);
    assert_int_equal(rd_kafka_mock_topic_create(cluster->mock, "orders", PARTITIONS, 1), 0);
}

static void cluster_stop(struct cluster *cluster)
{
    rd_kafka_destroy(cluster->rk);
}

/* Record i goes to partition i % PARTITIONS; its value says i. */
static void produce(struct cluster *cluster, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char value[32];

        snprintf(value, sizeof(value), "%d", i);
        assert_int_equal(rd_kafka_producev(cluster->rk, RD_KAFKA_V_TOPIC("orders"), RD_KAFKA_V_PARTITION(i % PARTITIONS),
                                           RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                           RD_KAFKA_V_END),
                         0);
    }
    assert_int_equal(rd_kafka_flush(cluster->rk, WAIT_MS), 0);
}

/* A source and what it has told. */
struct client {
    struct job job;
    struct kafka_run run;
    struct source *source;
    bool assign_at_once;
    bool ready;
    struct source_partition offered[PARTITIONS];
    char notes[PARTITIONS][64];
    bool is_offered[PARTITIONS];
    int32_t revoked[PARTITIONS];
    size_t revoked_count;
    bool lost;
    unsigned lost_told[PARTITIONS];
    unsigned committed; /* answers */
    enum commit_result commit_result;
    struct error commit_error;
    unsigned ends;
    int64_t ahead_ms; /* of the clock */
    unsigned gaps;
    int64_t gap_first, gap_end;
    unsigned errors;
    struct error error;
    unsigned seen[RECORDS_MAX];
    unsigned total;
    int64_t next[PARTITIONS]; /* what a commit would store */
    char headers[512];
};

/* The mock deals out anew only when a session time-out has passed. */
static struct job_property quick[] = {
    {.name = (char *)"session.timeout.ms", .value = (char *)"2000"},
    {.name = (char *)"heartbeat.interval.ms", .value = (char *)"200"},
};

static struct client *client_make(struct cluster *cluster, enum start_kind otherwise)
{
    struct client *client = calloc(1, sizeof(*client));

    client->job.name = (char *)"test";
    client->job.source.kafka.name = (char *)"mock";
    client->job.source.kafka.brokers = (char *)rd_kafka_mock_cluster_bootstraps(cluster->mock);
    client->job.source.topic = (char *)"orders";
    client->job.source.group = (char *)"luaduct-test";
    client->job.source.otherwise = otherwise;
    client->job.runtime.memory_max = 256 << 20;
    client->job.source.properties = quick;
    client->job.source.property_count = COUNT_OF(quick);
    client->assign_at_once = true;
    return client;
}

static void client_start(struct client *client)
{
    struct error error;

    client->source = kafka_source_new(&client->job, &client->run, NULL);
    if (!client->source->ops->start(client->source, &error))
        fail_msg("%s", error.text);
}

static struct client *client_open(struct cluster *cluster, enum start_kind otherwise)
{
    struct client *client = client_make(cluster, otherwise);

    client_start(client);
    return client;
}

static struct client *client_open_exact(struct cluster *cluster, enum kafka_first first)
{
    struct client *client = client_make(cluster, START_EARLIEST);

    client->job.delivery = DELIVERY_EXACTLY_ONCE;
    client->run.first = first;
    client_start(client);
    return client;
}

static void client_close(struct client *client, bool leave)
{
    if (leave)
        client->source->ops->stop(client->source, clock_monotonic_ms() + WAIT_MS);
    client->source->ops->free(client->source);
    free(client);
}

static void client_event(struct client *client, const struct source_event *event)
{
    switch (event->kind) {
    case SOURCE_READY:
        client->ready = true;
        break;
    case SOURCE_ASSIGN:
        for (size_t i = 0; i < event->count; i++) {
            int32_t p = event->partitions[i].partition;

            client->offered[p] = event->partitions[i];
            client->is_offered[p] = true;
            snprintf(client->notes[p], sizeof(client->notes[p]), "%.*s", STR_ARG(event->partitions[i].metadata));
        }
        if (client->assign_at_once)
            client->source->ops->assign(client->source, event->partitions, event->count);
        break;
    case SOURCE_LOST:
        client->lost = true;
        for (size_t i = 0; i < event->count; i++) {
            client->lost_told[event->partitions[i].partition]++;
            client->is_offered[event->partitions[i].partition] = false;
            client->source->ops->release(client->source, &event->partitions[i].partition, 1);
        }
        break;
    case SOURCE_REVOKE:
        for (size_t i = 0; i < event->count; i++)
            client->revoked[client->revoked_count++] = event->partitions[i].partition;
        break;
    case SOURCE_COMMITTED:
        client->committed++;
        client->commit_error = event->error;
        client->commit_result = event->result;
        break;
    case SOURCE_GAP:
        client->gaps++;
        client->gap_first = event->gap_first;
        client->gap_end = event->gap_end;
        break;
    case SOURCE_ERROR:
        client->errors++;
        client->error = event->error;
        break;
    case SOURCE_END:
        assert_int_not_equal(client->run.until.kind, KAFKA_UNTIL_NEVER);
        client->ends++;
        break;
    }
}

static unsigned client_turn(struct client *client, int wait_ms)
{
    struct message messages[ROOM];
    int32_t partitions[ROOM];
    void *handles[ROOM];
    struct source_event event;
    struct pollfd descriptor = {.fd = client->source->ops->descriptor(client->source), .events = POLLIN};
    unsigned sum = 0;
    uint32_t got;

    client->source->ops->step(client->source, clock_monotonic_ms() + client->ahead_ms);
    if (client->source->ops->deadline(client->source) != 0)
        poll(&descriptor, 1, wait_ms);
    got = client->source->ops->fetch(client->source, messages, partitions, handles, ROOM);
    for (uint32_t i = 0; i < got; i++) {
        char value[32];
        int number;

        snprintf(value, sizeof(value), "%.*s", STR_ARG(messages[i].value));
        number = atoi(value);
        assert_in_range(number, 0, RECORDS_MAX - 1);
        assert_int_equal(number % PARTITIONS, partitions[i]);
        client->seen[number]++;
        client->next[partitions[i]] = messages[i].offset + 1;
        snprintf(client->headers, sizeof(client->headers), "%.*s", STR_ARG(messages[i].headers));
    }
    client->source->ops->release_handles(handles, got);
    sum += got;
    client->total += got;
    while (client->source->ops->next(client->source, &event))
        client_event(client, &event);
    return sum;
}

/* Turns until the condition holds. */
#define WAIT_FOR(client, condition)                                              \
    do {                                                                         \
        int64_t wait_end = clock_monotonic_ms() + WAIT_MS;                       \
        while (!(condition)) {                                                   \
            if (clock_monotonic_ms() > wait_end)                                 \
                fail_msg("waited too long for %s", #condition);                  \
            client_turn((client), 50);                                           \
        }                                                                        \
    } while (0)

static unsigned offered_count(const struct client *client)
{
    unsigned count = 0;

    for (int i = 0; i < PARTITIONS; i++)
        count += client->is_offered[i];
    return count;
}

static void commit_all(struct client *client, const char *note)
{
    struct source_partition list[PARTITIONS];
    unsigned before = client->committed;
    size_t count = 0;

    for (int i = 0; i < PARTITIONS; i++) {
        if (client->is_offered[i])
            list[count++] = (struct source_partition){.partition = i, .offset = client->next[i], .metadata = str_of(note)};
    }
    client->source->ops->commit(client->source, list, count);
    WAIT_FOR(client, client->committed > before);
}

static void all_seen_once(const struct client *client, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        if (client->seen[i] != 1)
            fail_msg("record %d was seen %u times", i, client->seen[i]);
    }
}

static void test_properties(void **state)
{
    static const struct {
        const char *name, *value;
        bool ok;
    } cases[] = {
        {"fetch.min.bytes", "1000", true},
        {"fetch.min.bytes", "1000xyz", false},
        {"fetch.min.bytes", "-1", false},
        {"no.such.property", "1", false},
        {"security.protocol", "ssl", true},
        {"security.protocol", "bogus", false},
        {"group.id", "mine", false},
        {"queued.max.messages.kbytes", "1", false},
        {"auto.offset.reset", "latest", false},
        {"auto.commit.interval.ms", "5", false},
        {"rebalance_cb", "x", false},
        {"session.timeout.ms", "6000", true},
        {"sasl.password", "anything", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {.kind = ERROR_NONE};

        if (kafka_property_check(cases[i].name, cases[i].value, &error) != cases[i].ok)
            fail_msg("%s=%s: %s", cases[i].name, cases[i].value, error.text);
        assert_int_equal(error.kind, cases[i].ok ? ERROR_NONE : ERROR_CONFIG);
    }
    assert_non_null(kafka_property_refusal("Isolation.Level"));
    assert_null(kafka_property_refusal("fetch.wait.max.ms"));
}

/* The whole life: offered at the beginning, anchored, read, committed with a note; the next life goes on behind it. */
static void test_life(void **state)
{
    struct cluster cluster;
    struct client *client;
    struct source_lag lags[PARTITIONS];
    char note[4001];

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 2000);
    client = client_open(&cluster, START_EARLIEST);
    client->assign_at_once = false;
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    assert_true(client->ready);
    assert_string_not_equal(client->source->cluster_id, "");
    assert_string_not_equal(client->source->topic_id, "");
    for (int i = 0; i < PARTITIONS; i++) {
        assert_int_equal(client->offered[i].offset, 0);
        assert_false(client->offered[i].committed);
    }
    /* Anchors before anything is read: nothing comes until assign. */
    commit_all(client, "anchor");
    assert_int_equal(client->commit_error.kind, ERROR_NONE);
    assert_int_equal(client->total, 0);
    /* One by one, as the hub does it. */
    for (int i = 0; i < PARTITIONS; i++)
        client->source->ops->assign(client->source, &client->offered[i], 1);
    WAIT_FOR(client, client->total >= 2000);
    all_seen_once(client, 0, 2000);
    assert_int_equal(client->source->ops->lag(client->source, lags, PARTITIONS), PARTITIONS);
    assert_int_equal(lags[0].end_offset, 500);
    memset(note, 'n', sizeof(note) - 1);
    note[sizeof(note) - 1] = '\0';
    commit_all(client, note);
    assert_int_equal(client->commit_error.kind, ERROR_NONE);
    commit_all(client, "second note");
    assert_int_equal(client->errors, 0);
    client_close(client, true);

    produce(&cluster, 2000, 400);
    client = client_open(&cluster, START_LATEST); /* which a job that ran before does not use */
    WAIT_FOR(client, client->total >= 400);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_true(client->offered[i].committed);
        assert_int_equal(client->offered[i].offset, 500);
        assert_string_equal(client->notes[i], "second note");
    }
    assert_int_equal(client->total, 400);
    all_seen_once(client, 2000, 400);
    client_close(client, true);
    cluster_stop(&cluster);
}

static void test_latest(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 100);
    client = client_open(&cluster, START_LATEST);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(client->offered[i].offset, 25);
    produce(&cluster, 100, 8);
    WAIT_FOR(client, client->total >= 8);
    all_seen_once(client, 100, 8);
    assert_int_equal(client->total, 8);
    client_close(client, true);
    cluster_stop(&cluster);
}

static void test_pause_and_seek(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, RECORDS_MAX);
    client = client_open(&cluster, START_EARLIEST);
    for (unsigned stop = 4000; stop <= RECORDS_MAX; stop += 4000) {
        WAIT_FOR(client, client->total >= stop);
        client->source->ops->pause(client->source);
        for (int i = 0; i < 3; i++)
            assert_int_equal(client_turn(client, 1), 0);
        client->source->ops->resume(client->source);
    }
    WAIT_FOR(client, client->total >= RECORDS_MAX);
    all_seen_once(client, 0, RECORDS_MAX);

    /* A rewind, also of a paused source, gives exactly the tail again. */
    client->source->ops->pause(client->source);
    client->source->ops->seek(client->source, 1, RECORDS_MAX / PARTITIONS - 10);
    assert_int_equal(client_turn(client, 1), 0);
    client->source->ops->resume(client->source);
    WAIT_FOR(client, client->total >= RECORDS_MAX + 10);
    client_turn(client, 20);
    assert_int_equal(client->total, RECORDS_MAX + 10);
    assert_int_equal(client->seen[RECORDS_MAX - PARTITIONS + 1], 2);
    client_close(client, true);
    cluster_stop(&cluster);
}

/* The second member gets its share only after the first one has released it, and goes on where that committed. */
static void test_rebalance(void **state)
{
    struct cluster cluster;
    struct client *first, *second;
    int64_t end;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 400);
    first = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(first, first->total >= 400);
    second = client_open(&cluster, START_EARLIEST);
    end = clock_monotonic_ms() + WAIT_MS;
    while (first->revoked_count == 0) {
        assert_true(clock_monotonic_ms() < end);
        client_turn(first, 20);
        client_turn(second, 20);
    }
    assert_false(first->lost);
    assert_int_equal(first->revoked_count, 2);
    for (int i = 0; i < 10; i++) {
        client_turn(first, 5);
        client_turn(second, 5);
        assert_int_equal(offered_count(second), 0);
    }
    /* A commit in the middle of a rebalance may be refused; then it is sent again, as the epochs do. */
    end = clock_monotonic_ms() + WAIT_MS;
    do {
        assert_true(clock_monotonic_ms() < end);
        commit_all(first, "settled");
        assert_true(first->commit_error.kind == ERROR_NONE || first->commit_error.kind == ERROR_RETRY);
    } while (first->commit_error.kind != ERROR_NONE);
    first->source->ops->release(first->source, first->revoked, 1);
    client_turn(first, 5);
    assert_int_equal(offered_count(second), 0);
    first->source->ops->release(first->source, first->revoked + 1, 1);
    end = clock_monotonic_ms() + WAIT_MS;
    while (offered_count(second) < 2) {
        assert_true(clock_monotonic_ms() < end);
        client_turn(first, 20);
        client_turn(second, 20);
    }
    for (int i = 0; i < PARTITIONS; i++) {
        if (second->is_offered[i]) {
            assert_true(second->offered[i].committed);
            assert_string_equal(second->notes[i], "settled");
        }
    }
    produce(&cluster, 400, 400);
    end = clock_monotonic_ms() + WAIT_MS;
    while (first->total + second->total < 800) {
        assert_true(clock_monotonic_ms() < end);
        client_turn(first, 20);
        client_turn(second, 20);
    }
    assert_int_equal(first->total, 600);
    assert_int_equal(second->total, 200);
    client_close(second, true);
    client_close(first, true);
    cluster_stop(&cluster);
}

static void test_missing_topic(void **state)
{
    struct cluster cluster;
    struct client *client;
    struct error error;
    unsigned partitions = 0;

    (void)state;
    cluster_start(&cluster);
    client = client_open(&cluster, START_EARLIEST);
    assert_true(kafka_source_probe(&client->job, WAIT_MS, &partitions, &error));
    assert_int_equal(partitions, PARTITIONS);
    client_close(client, false);

    assert_int_equal(rd_kafka_mock_topic_delete(cluster.mock, "orders"), 0);
    /* The mock creates what it is asked for, unless the topic has an error. */
    rd_kafka_mock_topic_set_error(cluster.mock, "orders", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->errors > 0);
    assert_int_equal(client->error.kind, ERROR_FATAL);
    assert_non_null(strstr(client->error.text, "orders"));
    assert_false(client->ready);
    assert_false(kafka_source_probe(&client->job, 2000, &partitions, &error));
    assert_int_equal(error.kind, ERROR_FATAL);
    client_close(client, true);
    cluster_stop(&cluster);
}

static void test_gap(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 400);
    client = client_open(&cluster, START_EARLIEST);
    client->assign_at_once = false;
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    /* The log moves on after the offer. */
    assert_int_equal(rd_kafka_mock_partition_delete_records(cluster.mock, "orders", 2, 60), 0);
    client->source->ops->assign(client->source, client->offered, PARTITIONS);
    WAIT_FOR(client, client->gaps > 0 && client->total >= 300);
    assert_int_equal(client->gap_first, 0);
    assert_int_equal(client->gap_end, 60);
    assert_int_equal(client->total, 300);
    client->source->ops->seek(client->source, 2, client->gap_end);
    WAIT_FOR(client, client->total >= 340);
    assert_int_equal(client->total, 340);
    assert_int_equal(client->gaps, 1);
    client_close(client, true);
    cluster_stop(&cluster);
}

static void test_headers(void **state)
{
    struct cluster cluster;
    struct client *client;
    char value[] = "0";
    rd_kafka_resp_err_t code;

    (void)state;
    cluster_start(&cluster);
    code = rd_kafka_producev(cluster.rk, RD_KAFKA_V_TOPIC("orders"), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(value, 1),
                             RD_KAFKA_V_HEADER("a\"b", "x", 1), RD_KAFKA_V_HEADER("n", NULL, 0),
                             RD_KAFKA_V_HEADER("a\"b", "\xff\xfe", 2), RD_KAFKA_V_HEADER("e", "", 0), RD_KAFKA_V_END);
    assert_int_equal(code, 0);
    assert_int_equal(rd_kafka_flush(cluster.rk, WAIT_MS), 0);
    client = client_open(&cluster, START_EARLIEST);
    client->source->ops->free(client->source);
    client->job.source.fields = 1u << BUILTIN_HEADERS;
    client->source = kafka_source_new(&client->job, &client->run, NULL);
    assert_true(client->source->ops->start(client->source, NULL));
    WAIT_FOR(client, client->total >= 1);
    assert_string_equal(client->headers, "[[\"a\\\"b\",\"x\"],[\"n\",null],[\"a\\\"b\",\"//4=\"],[\"e\",\"\"]]");
    client_close(client, true);
    cluster_stop(&cluster);
}

/* A refused commit is read back: the answer tells what the broker has, not what became of the request. */
static void test_commit_refused(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 40);
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->total >= 40);
    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_COMMIT_KEY, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    commit_all(client, "one");
    assert_int_equal(client->commit_error.kind, ERROR_RETRY);
    client_close(client, true);

    /* Refused, but what it would have stored is there: committed before, by the first try. The reading is disturbed as well. */
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->total >= 40);
    commit_all(client, "two");
    assert_int_equal(client->commit_error.kind, ERROR_NONE);
    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_COMMIT_KEY, 1, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_FETCH_KEY, 1, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    commit_all(client, "two");
    assert_int_equal(client->commit_error.kind, ERROR_NONE);

    WAIT_FOR(client, client->lost && offered_count(client) == PARTITIONS); /* the refusal had put it out of the group */
    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_COMMIT_KEY, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    commit_all(client, "three");
    assert_int_equal(client->commit_error.kind, ERROR_RETRY);
    assert_int_equal(client->error.kind, ERROR_FATAL);
    client_close(client, true);
    cluster_stop(&cluster);
}

/* Each code that a broker or librdkafka can give, for a request that left so many times. */
static void test_commit_results(void **state)
{
    static const struct {
        const char *sentence;
        rd_kafka_resp_err_t code;
        unsigned copies;
        enum commit_result result;
    } cases[] = {
        {"answered well", RD_KAFKA_RESP_ERR_NO_ERROR, 1, COMMIT_STORED},
        {"answered well at the second try: the first may land later", RD_KAFKA_RESP_ERR_NO_ERROR, 2, COMMIT_UNKNOWN},
        {"put out of the group", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 1, COMMIT_REFUSED},
        {"put out, but an earlier copy may be stored", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 2, COMMIT_UNKNOWN},
        {"an old generation", RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, 1, COMMIT_REFUSED},
        {"in a rebalance", RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, 1, COMMIT_REFUSED},
        {"the group is gone", RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, 1, COMMIT_REFUSED},
        {"a coordinator that loads", RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 1, COMMIT_REFUSED},
        {"a coordinator that loads, three times", RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, COMMIT_UNKNOWN},
        {"a coordinator that was one until now", RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 1, COMMIT_UNKNOWN},
        {"replicas are late", RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, 1, COMMIT_UNKNOWN},
        {"replicas are missing", RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, 1, COMMIT_UNKNOWN},
        {"one partition's error", RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, 1, COMMIT_UNKNOWN},
        {"a code that we have not heard of", (rd_kafka_resp_err_t)999, 1, COMMIT_UNKNOWN},
        {"no answer", RD_KAFKA_RESP_ERR__TIMED_OUT, 1, COMMIT_UNKNOWN},
        {"no answer, no connection", RD_KAFKA_RESP_ERR__TRANSPORT, 2, COMMIT_UNKNOWN},
        {"the coordinator stays away", RD_KAFKA_RESP_ERR__WAIT_COORD, 1, COMMIT_UNKNOWN},
        {"the coordinator was never there", RD_KAFKA_RESP_ERR__WAIT_COORD, 0, COMMIT_REFUSED},
        {"never sent", RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, 0, COMMIT_REFUSED},
        {"the client is dead", RD_KAFKA_RESP_ERR__FATAL, 0, COMMIT_REFUSED},
        {"an answer to what nobody saw leave", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 0, COMMIT_UNKNOWN},
        {"stored, what nobody saw leave", RD_KAFKA_RESP_ERR_NO_ERROR, 0, COMMIT_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum commit_result result = kafka_commit_result(cases[i].code, cases[i].copies);

        if (result != cases[i].result)
            fail_msg("%s: %d", cases[i].sentence, (int)result);
    }
}

/* With exactly-once delivery the answer is told as it is: nothing is read back, and a repeated request is not certain. */
static void test_commit_exact(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 40);
    client = client_open_exact(&cluster, KAFKA_FIRST_YES);
    WAIT_FOR(client, client->total >= 40);
    commit_all(client, "one");
    assert_int_equal(client->commit_result, COMMIT_STORED);
    assert_int_equal(client->commit_error.kind, ERROR_NONE);

    /* What is stored is the same, and yet it is told as refused. */
    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_COMMIT_KEY, 1, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
    commit_all(client, "one");
    assert_int_equal(client->commit_result, COMMIT_REFUSED);
    assert_int_equal(client->commit_error.kind, ERROR_RETRY);

    /* Not in time, and then stored at librdkafka's second try. */
    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_COMMIT_KEY, 1, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    commit_all(client, "two");
    assert_int_equal(client->commit_result, COMMIT_UNKNOWN);
    assert_non_null(strstr(client->commit_error.text, "2 times"));

    /* The first copy gets no answer; the second is stored, or refused when the group was quicker. */
    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_COMMIT_KEY, 1, RD_KAFKA_RESP_ERR__TRANSPORT);
    commit_all(client, "three");
    assert_int_equal(client->commit_result, COMMIT_UNKNOWN);
    client->source->ops->rejoin(client->source);
    client_turn(client, 1);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    commit_all(client, "four");
    assert_int_equal(client->commit_result, COMMIT_STORED);

    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_COMMIT_KEY, 1, RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE);
    commit_all(client, "five");
    assert_int_equal(client->commit_result, COMMIT_UNKNOWN);
    assert_int_equal(client->error.kind, ERROR_FATAL);
    client_close(client, true);
    cluster_stop(&cluster);
}

static void told_lost_once(const struct client *client, unsigned times)
{
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(client->lost_told[i], times);
}

/* Out of the group and back as another member; everything is lost and offered again with what is stored. */
static void test_rejoin(void **state)
{
    struct cluster cluster;
    struct client *client;
    unsigned committed;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 40);
    client = client_open_exact(&cluster, KAFKA_FIRST_YES);
    WAIT_FOR(client, client->total >= 40);
    commit_all(client, "kept");
    produce(&cluster, 40, 40);
    WAIT_FOR(client, client->total >= 80);
    client->source->ops->rejoin(client->source);
    client_turn(client, 1);
    told_lost_once(client, 1);
    assert_int_equal(offered_count(client), 0);
    WAIT_FOR(client, offered_count(client) == PARTITIONS && client->total >= 120);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_true(client->offered[i].committed);
        assert_int_equal(client->offered[i].offset, 10);
        assert_string_equal(client->notes[i], "kept");
    }
    assert_int_equal(client->total, 120);
    told_lost_once(client, 1);
    assert_int_equal(client->revoked_count, 0);

    /* Paused in the old life, not in the new one. */
    client->source->ops->pause(client->source);
    client->source->ops->rejoin(client->source);
    client_turn(client, 1);
    client->source->ops->resume(client->source);
    WAIT_FOR(client, offered_count(client) == PARTITIONS && client->total >= 160);
    told_lost_once(client, 2);

    /* With a commit under way, whose answer does not come any more; twice, and before anything is offered again. */
    committed = client->committed;
    rd_kafka_mock_broker_set_rtt(cluster.mock, 1, 300);
    for (int i = 0; i < PARTITIONS; i++)
        client->offered[i].metadata = str_of("abandoned");
    client->source->ops->commit(client->source, client->offered, PARTITIONS);
    client->source->ops->rejoin(client->source);
    client->source->ops->rejoin(client->source);
    client_turn(client, 1);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    rd_kafka_mock_broker_set_rtt(cluster.mock, 1, 0);
    assert_int_equal(client->committed, committed);
    told_lost_once(client, 3);
    for (int i = 0; i < PARTITIONS; i++)
        assert_string_equal(client->notes[i], "abandoned"); /* it was answered before the question was asked */
    commit_all(client, "again");
    assert_int_equal(client->commit_result, COMMIT_STORED);
    assert_int_equal(client->errors, 0);
    client_close(client, true);
    cluster_stop(&cluster);
}

/* The brokers go away in the middle: it goes on when they are back. */
static void test_rejoin_without_brokers(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 40);
    client = client_open_exact(&cluster, KAFKA_FIRST_YES);
    WAIT_FOR(client, client->total >= 40);
    commit_all(client, "kept");
    rd_kafka_mock_broker_set_down(cluster.mock, -1);
    WAIT_FOR(client, client->errors > 0);
    client->source->ops->rejoin(client->source);
    for (int i = 0; i < 20; i++)
        client_turn(client, 20);
    told_lost_once(client, 1);
    assert_int_equal(offered_count(client), 0);
    rd_kafka_mock_broker_set_up(cluster.mock, -1);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    assert_string_equal(client->notes[1], "kept");
    told_lost_once(client, 1);
    produce(&cluster, 40, 40);
    WAIT_FOR(client, client->total >= 80);
    all_seen_once(client, 0, 80);
    client_close(client, true);
    cluster_stop(&cluster);
}

/* Rule 2: who may start without a committed position, and who with one. */
static void test_first(void **state)
{
    static const struct {
        const char *sentence;
        enum delivery delivery;
        enum kafka_first first;
        bool positions;
        enum error_kind kind;
        const char *text;
    } cases[] = {
        {"a first run without saying so", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_NO, false, ERROR_FATAL, "run --first"},
        {"a first run", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_YES, false, ERROR_NONE, NULL},
        {"a restart of a first run", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_ALLOWED, false, ERROR_NONE, NULL},
        {"at least once does not ask", DELIVERY_AT_LEAST_ONCE, KAFKA_FIRST_NO, false, ERROR_NONE, NULL},
        {"a later run", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_NO, true, ERROR_NONE, NULL},
        {"a later run that claims to be the first", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_YES, true, ERROR_CONFIG, "leave --first"},
        {"a restart of a first run that stored positions", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_ALLOWED, true, ERROR_NONE, NULL},
        {"at least once only warns", DELIVERY_AT_LEAST_ONCE, KAFKA_FIRST_YES, true, ERROR_NONE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cluster cluster;
        struct client *client;

        cluster_start(&cluster);
        if (cases[i].positions) {
            client = client_open(&cluster, START_EARLIEST);
            WAIT_FOR(client, offered_count(client) == PARTITIONS);
            commit_all(client, "kept");
            client_close(client, true);
        }
        client = client_make(&cluster, START_EARLIEST);
        client->job.delivery = cases[i].delivery;
        client->run.first = cases[i].first;
        client_start(client);
        WAIT_FOR(client, client->errors || offered_count(client) == PARTITIONS);
        if (client->error.kind != cases[i].kind || (cases[i].text && !strstr(client->error.text, cases[i].text)))
            fail_msg("%s: %s", cases[i].sentence, client->error.text);
        if (cases[i].kind)
            assert_int_equal(offered_count(client), 0);
        client_close(client, true);
        cluster_stop(&cluster);
    }
}

static void test_until_parse(void **state)
{
    static const struct {
        const char *text;
        enum kafka_until_kind kind; /* NEVER: refused */
        const char *reason;
        size_t count;
        int64_t last; /* offset, or time */
    } cases[] = {
        {"end", KAFKA_UNTIL_END, NULL, 0, 0},
        {"0:10", KAFKA_UNTIL_OFFSETS, NULL, 1, 10},
        {"3:0,11:123456789012", KAFKA_UNTIL_OFFSETS, NULL, 2, 123456789012},
        {"2024-01-31 00:00:00 +08:00", KAFKA_UNTIL_TIME, NULL, 0, 1706630400000},
        {"1706630400000", KAFKA_UNTIL_TIME, NULL, 0, 1706630400000},
        {"2024-01-31 00:00:00", KAFKA_UNTIL_NEVER, "zone", 0, 0},
        {"2030-01-31 00:00:00 +08:00", KAFKA_UNTIL_NEVER, "future", 0, 0},
        {"0:", KAFKA_UNTIL_NEVER, "list", 0, 0},
        {"0:1,", KAFKA_UNTIL_NEVER, "list", 0, 0},
        {"0:1,0:2", KAFKA_UNTIL_NEVER, "twice", 0, 0},
        {"0:1:2", KAFKA_UNTIL_NEVER, "list", 0, 0},
        {"999999999:1", KAFKA_UNTIL_NEVER, "no topic has", 0, 0},
        {"0:1234567890123456789", KAFKA_UNTIL_NEVER, "list", 0, 0},
        {"", KAFKA_UNTIL_NEVER, "no time", 0, 0},
        {"soon", KAFKA_UNTIL_NEVER, "no time", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static struct kafka_until until;
        struct error error = {0};
        bool ok = kafka_until_parse(str_of(cases[i].text), NULL, 1800000000000, &until, &error);

        if (ok != (cases[i].kind != KAFKA_UNTIL_NEVER) || (ok && until.kind != cases[i].kind))
            fail_msg("%s: %s", cases[i].text, error.text);
        if (!ok && !strstr(error.text, cases[i].reason))
            fail_msg("%s: %s", cases[i].text, error.text);
        if (!ok)
            assert_int_equal(error.kind, ERROR_CONFIG);
        if (ok && until.kind == KAFKA_UNTIL_TIME)
            assert_int_equal(until.time_ms, cases[i].last);
        if (!ok || until.kind != KAFKA_UNTIL_OFFSETS)
            continue;
        assert_int_equal(until.count, cases[i].count);
        assert_int_equal(until.limits[until.count - 1].offset, cases[i].last);
    }
}

/* Ends at the end that was there at the start, once; a rewind takes the end back. */
static void test_until_end(void **state)
{
    struct cluster cluster;
    struct client *client;
    struct kafka_reached reached[PARTITIONS + 1];

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 403); /* the last partition has one less */
    client = client_make(&cluster, START_EARLIEST);
    client->run.until.kind = KAFKA_UNTIL_END;
    client->assign_at_once = false;
    client_start(client);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    produce(&cluster, 404, 400); /* after the question */
    for (int i = 0; i < PARTITIONS; i++) {
        assert_int_equal(client->ends, 0);
        client->source->ops->assign(client->source, &client->offered[i], 1);
    }
    WAIT_FOR(client, client->ends);
    assert_int_equal(client->total, 403);
    all_seen_once(client, 0, 403);
    for (int i = 0; i < 10; i++)
        client_turn(client, 20);
    assert_int_equal(client->total, 403);
    assert_int_equal(client->ends, 1);
    client->source->ops->seek(client->source, 2, 50);
    client_turn(client, 1);
    WAIT_FOR(client, client->ends == 2);
    assert_int_equal(client->total, 403 + 51);
    assert_int_equal(kafka_source_reached(client->source, reached, PARTITIONS + 1), PARTITIONS);
    assert_int_equal(reached[2].from, 0);
    assert_int_equal(reached[2].to, 101);
    assert_int_equal(reached[3].to, 100);
    commit_all(client, "done");
    client_close(client, true);

    /* Nothing is left to read: it ends without fetching. */
    client = client_make(&cluster, START_EARLIEST);
    assert_true(kafka_until_parse(STR("0:101,1:100"), NULL, 0, &client->run.until, NULL));
    client_start(client);
    WAIT_FOR(client, client->ends);
    assert_int_equal(client->total, 0);
    client_close(client, true);

    /* Given offsets, also some that are not there yet. */
    client = client_make(&cluster, START_EARLIEST);
    assert_true(kafka_until_parse(STR("0:150,3:210"), NULL, 0, &client->run.until, NULL));
    client_start(client);
    WAIT_FOR(client, client->total >= 49 + 100);
    assert_int_equal(client->ends, 0);
    produce(&cluster, 804, 100);
    WAIT_FOR(client, client->ends);
    assert_int_equal(client->total, 49 + 110);
    client_close(client, true);

    client = client_make(&cluster, START_EARLIEST);
    assert_true(kafka_until_parse(STR("7:150"), NULL, 0, &client->run.until, NULL));
    client_start(client);
    WAIT_FOR(client, client->errors);
    assert_int_equal(client->error.kind, ERROR_CONFIG);
    client_close(client, true);
    cluster_stop(&cluster);
}

static void test_topic_made_anew(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 40);
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->total >= 40);
    client->ahead_ms = 20000; /* the question is asked again, and the answer is the same */
    for (int i = 0; i < 5; i++)
        client_turn(client, 20);
    assert_int_equal(client->errors, 0);
    assert_int_equal(rd_kafka_mock_topic_delete(cluster.mock, "orders"), 0);
    assert_int_equal(rd_kafka_mock_topic_create(cluster.mock, "orders", PARTITIONS, 1), 0);
    client->ahead_ms = 40000;
    WAIT_FOR(client, client->errors > 0);
    assert_int_equal(client->error.kind, ERROR_FATAL);
    assert_non_null(strstr(client->error.text, "made anew while the job ran"));
    client_close(client, true);
    cluster_stop(&cluster);
}

/* A hub that has enough for now does not fetch: its descriptor must not keep waking it, and the news must not be forgotten. */
static void test_step_empties_the_descriptor(void **state)
{
    struct cluster cluster;
    struct client *client;
    struct pollfd descriptor = {.events = POLLIN};

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 40);
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->total >= 40);
    assert_true(client->source->ops->deadline(client->source) > 0);
    produce(&cluster, 40, 40);
    descriptor.fd = client->source->ops->descriptor(client->source);
    assert_int_equal(poll(&descriptor, 1, WAIT_MS), 1);
    client->source->ops->step(client->source, clock_monotonic_ms());
    assert_int_equal(poll(&descriptor, 1, 0), 0);
    assert_int_equal(client->source->ops->deadline(client->source), 0);
    WAIT_FOR(client, client->total >= 80);
    client_close(client, true);
    cluster_stop(&cluster);
}

/* Down at the start and later: told once, and once more when it is over; nothing is lost or repeated. */
static void test_broker_down(void **state)
{
    struct cluster cluster;
    struct client *client;
    unsigned errors;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 40);
    rd_kafka_mock_broker_set_down(cluster.mock, -1);
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->errors > 0);
    assert_int_equal(client->error.kind, ERROR_RETRY);
    for (int i = 0; i < 20; i++)
        client_turn(client, 50);
    assert_int_equal(client->errors, 1);
    rd_kafka_mock_broker_set_up(cluster.mock, -1);
    WAIT_FOR(client, client->total >= 40);
    errors = client->errors;
    assert_int_equal(errors, 2);
    rd_kafka_mock_broker_set_down(cluster.mock, -1);
    WAIT_FOR(client, client->errors > errors);
    assert_int_equal(client->error.kind, ERROR_RETRY);
    rd_kafka_mock_broker_set_up(cluster.mock, -1);
    WAIT_FOR(client, client->errors > errors + 1); /* with nothing to read */
    produce(&cluster, 40, 40);
    WAIT_FOR(client, client->total >= 80);
    all_seen_once(client, 0, 80);
    client_close(client, true);
    cluster_stop(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties),     cmocka_unit_test(test_life),          cmocka_unit_test(test_latest),
        cmocka_unit_test(test_pause_and_seek), cmocka_unit_test(test_rebalance),     cmocka_unit_test(test_missing_topic),
        cmocka_unit_test(test_gap),            cmocka_unit_test(test_headers),       cmocka_unit_test(test_commit_refused),
        cmocka_unit_test(test_broker_down),    cmocka_unit_test(test_step_empties_the_descriptor),
        cmocka_unit_test(test_commit_results), cmocka_unit_test(test_commit_exact),  cmocka_unit_test(test_rejoin),
        cmocka_unit_test(test_rejoin_without_brokers),                               cmocka_unit_test(test_first),
        cmocka_unit_test(test_until_parse),    cmocka_unit_test(test_until_end),     cmocka_unit_test(test_topic_made_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
