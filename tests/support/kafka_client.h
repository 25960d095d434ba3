/* kafka_client.h: what tests of the Kafka source share: librdkafka's mock cluster, and a client that notes what its source tells.
 * Waits are for something to happen, with an end far away. For one test program each; cmocka.h comes before. */
#ifndef LUADUCT_TESTS_KAFKA_CLIENT_H
#define LUADUCT_TESTS_KAFKA_CLIENT_H

#include "source/kafka_internal.h"
#include "util/clock.h"
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

enum {
    PARTITIONS = 4,
    RECORDS_MAX = 20000,
    ROOM = 64,
    WAIT_MS = 20000,
    OFFSET_COMMIT_KEY = 8,
    OFFSET_FETCH_KEY = 9,
    JOIN_GROUP_KEY = 11,
    HEARTBEAT_KEY = 12,
};

/* A mock cluster and a producer. */
struct cluster {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *mock;
};

static inline void cluster_start(struct cluster *cluster)
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

static inline void cluster_stop(struct cluster *cluster)
{
    rd_kafka_destroy(cluster->rk);
}

/* Record i goes to partition i % PARTITIONS; its value says i. */
static inline void produce(struct cluster *cluster, int first, int count)
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

static inline struct client *client_make(struct cluster *cluster, enum start_kind otherwise)
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

static inline void client_start(struct client *client)
{
    struct error error;

    client->source = kafka_source_new(&client->job, &client->run, NULL);
    if (!client->source->ops->start(client->source, &error))
        fail_msg("%s", error.text);
}

static inline struct client *client_open(struct cluster *cluster, enum start_kind otherwise)
{
    struct client *client = client_make(cluster, otherwise);

    client_start(client);
    return client;
}

static inline void client_close(struct client *client, bool leave)
{
    if (leave)
        client->source->ops->stop(client->source, clock_monotonic_ms() + WAIT_MS);
    client->source->ops->free(client->source);
    free(client);
}

static inline void client_event(struct client *client, const struct source_event *event)
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

static inline unsigned client_turn(struct client *client, int wait_ms)
{
    struct message messages[ROOM];
    int32_t partitions[ROOM];
    void *handles[ROOM];
    struct source_event event;
    struct pollfd descriptor = {.fd = client->source->ops->descriptor(client->source), .events = POLLIN};
    struct buffer text = {0};
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
        buffer_clear(&text);
        client->source->ops->print_headers(handles[i], &text);
        snprintf(client->headers, sizeof(client->headers), "%s", buffer_text(&text));
    }
    buffer_release(&text);
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

static inline unsigned offered_count(const struct client *client)
{
    unsigned count = 0;

    for (int i = 0; i < PARTITIONS; i++)
        count += client->is_offered[i];
    return count;
}

static inline void commit_all(struct client *client, const char *note)
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

static inline void all_seen_once(const struct client *client, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        if (client->seen[i] != 1)
            fail_msg("record %d was seen %u times", i, client->seen[i]);
    }
}

/* A request to commit that meets this error at the broker, once. */
static inline void commit_against(struct cluster *cluster, struct client *client, rd_kafka_resp_err_t code, const char *note)
{
    rd_kafka_mock_push_request_errors(cluster->mock, OFFSET_COMMIT_KEY, 1, code);
    commit_all(client, note);
}

/* A cluster with so many records, and a client that has read them all from the start; with exactly-once delivery it is the job's
 * first run. */
static inline struct client *cluster_read(struct cluster *cluster, enum delivery delivery, unsigned count)
{
    struct client *client;

    cluster_start(cluster);
    produce(cluster, 0, (int)count);
    client = client_make(cluster, START_EARLIEST);
    client->job.delivery = delivery;
    client->run.first = delivery == DELIVERY_EXACTLY_ONCE ? KAFKA_FIRST_YES : KAFKA_FIRST_NO;
    client_start(client);
    WAIT_FOR(client, client->total >= count);
    return client;
}

/* The client leaves, and the cluster ends. */
static inline void cluster_leave(struct cluster *cluster, struct client *client)
{
    client_close(client, true);
    cluster_stop(cluster);
}

#endif
