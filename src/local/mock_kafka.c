/* mock_kafka.c: the producer's own librdkafka handle carries the mock cluster (test.mock.num.brokers), so one handle is all there
 * is. The generator's thread makes a chunk of records at a time and between chunks looks at the group's committed offsets, at
 * most every PROGRESS_MS. How far a partition is ahead is counted in bytes before compression, which is on the safe side. */
#include "local/mock_kafka.h"
#include "local/orders.h"
#include "util/clock.h"
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    AHEAD_BYTES_MAX = 3 << 20, /* of the 5 MiB that the mock keeps of a partition */
    CHUNK_RECORDS = 200,
    PROGRESS_MS = 50,
    PROGRESS_TIMEOUT_MS = 2000,
    RECORD_OVERHEAD = 16, /* lengths, time and offset of a record in its batch */
    START_DAYS_BEFORE = 3,
};

struct mock_partition {
    int64_t produced; /* offsets count from 0, so this is the next one */
    int64_t committed;
};

struct mock_kafka {
    struct log *log;
    char *topic;
    char *group;
    unsigned partition_count;
    int64_t records; /* -1: for ever */
    unsigned rate;
    struct orders orders;

    rd_kafka_t *rk;
    rd_kafka_queue_t *answers;
    const char *brokers; /* of the mock cluster */

    struct mock_partition *partitions; /* the thread's */
    int64_t bytes;                     /* of all records so far, for their mean */
    int64_t count;
    int64_t asked_ms;

    pthread_t thread;
    bool thread_runs;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
    _Atomic int64_t produced;
};

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct mock_kafka *kafka = rk ? rd_kafka_opaque(rk) : NULL;

    (void)level;
    if (kafka && kafka->log)
        log_debug(kafka->log, "librdkafka: %s: %s", facility, text);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct mock_kafka *kafka = opaque;

    (void)rk;
    if (message->err && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE && message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        log_warn(kafka->log, "the embedded Kafka did not take a record: %s", rd_kafka_err2str(message->err));
}

/* Waits up to wait_ms; false when it is time to stop. */
static bool pause_ms(struct mock_kafka *kafka, int64_t wait_ms)
{
    struct timespec end;
    bool go;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += wait_ms / 1000;
    end.tv_nsec += wait_ms % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&kafka->lock);
    while (!kafka->stopping && wait_ms > 0) {
        if (pthread_cond_timedwait(&kafka->wake, &kafka->lock, &end))
            break;
    }
    go = !kafka->stopping;
    pthread_mutex_unlock(&kafka->lock);
    return go;
}

/* Reads the group's committed offsets; what cannot be read stays as it was. */
static void progress_read(struct mock_kafka *kafka)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)kafka->partition_count);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets_t *ask;
    const rd_kafka_group_result_t **groups;
    rd_kafka_event_t *event;
    char text[256];
    size_t count;

    for (unsigned i = 0; i < kafka->partition_count; i++)
        rd_kafka_topic_partition_list_add(list, kafka->topic, (int32_t)i);
    rd_kafka_AdminOptions_set_request_timeout(options, PROGRESS_TIMEOUT_MS, text, sizeof(text));
    ask = rd_kafka_ListConsumerGroupOffsets_new(kafka->group, list);
    rd_kafka_ListConsumerGroupOffsets(kafka->rk, &ask, 1, options, kafka->answers);
    rd_kafka_ListConsumerGroupOffsets_destroy(ask);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_topic_partition_list_destroy(list);

    /* The request's own time-out answers before this one. */
    event = rd_kafka_queue_poll(kafka->answers, 2 * PROGRESS_TIMEOUT_MS);
    if (event && !rd_kafka_event_error(event) && rd_kafka_event_ListConsumerGroupOffsets_result(event)) {
        groups = rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
        if (count == 1 && rd_kafka_group_result_partitions(groups[0])) {
            const rd_kafka_topic_partition_list_t *stored = rd_kafka_group_result_partitions(groups[0]);

            for (int i = 0; i < stored->cnt; i++) {
                const rd_kafka_topic_partition_t *entry = &stored->elems[i];

                if (!entry->err && entry->offset > 0 && entry->partition >= 0 &&
                    (unsigned)entry->partition < kafka->partition_count)
                    kafka->partitions[entry->partition].committed = entry->offset;
            }
        }
    }
    if (event)
        rd_kafka_event_destroy(event);
}

/* Whether the next chunk fits in front of what the group has committed. */
static bool room(const struct mock_kafka *kafka)
{
    int64_t mean = kafka->count ? kafka->bytes / kafka->count + 1 : 1024;
    int64_t chunk = CHUNK_RECORDS / kafka->partition_count + 1;

    for (unsigned i = 0; i < kafka->partition_count; i++) {
        if ((kafka->partitions[i].produced - kafka->partitions[i].committed + chunk) * mean > AHEAD_BYTES_MAX)
            return false;
    }
    return true;
}

/* False when it is time to stop. */
static bool record_produce(struct mock_kafka *kafka, struct buffer *record)
{
    int32_t partition = (int32_t)(kafka->count % kafka->partition_count);
    char key[64];
    rd_kafka_resp_err_t code;

    buffer_clear(record);
    orders_next(&kafka->orders, record, key);
    for (;;) {
        code = rd_kafka_producev(kafka->rk, RD_KAFKA_V_TOPIC(kafka->topic), RD_KAFKA_V_PARTITION(partition),
                                 RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(record->data, record->size),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        rd_kafka_poll(kafka->rk, 0);
        if (!pause_ms(kafka, 5))
            return false;
    }
    if (code) {
        log_warn(kafka->log, "the embedded Kafka did not take a record: %s", rd_kafka_err2str(code));
        return pause_ms(kafka, 100);
    }
    kafka->partitions[partition].produced++;
    kafka->bytes += (int64_t)(record->size + strlen(key) + RECORD_OVERHEAD);
    kafka->count++;
    atomic_store_explicit(&kafka->produced, kafka->count, memory_order_relaxed);
    return true;
}

static void *generator_run(void *opaque)
{
    struct mock_kafka *kafka = opaque;
    int64_t start_ms = clock_monotonic_ms();
    struct buffer record;
    bool go = true;

    buffer_init(&record, 0);
    while (go && (kafka->records < 0 || kafka->count < kafka->records)) {
        int64_t now_ms = clock_monotonic_ms();
        int64_t chunk = CHUNK_RECORDS;

        rd_kafka_poll(kafka->rk, 0);
        if (kafka->rate) {
            /* Per second of run time; what the group's slowness held back is not made good in a burst of more than a second. */
            int64_t due = (int64_t)((double)(now_ms - start_ms) * kafka->rate / 1000.0) - kafka->count;

            if (due > kafka->rate) {
                start_ms = now_ms - (int64_t)((double)(kafka->count + kafka->rate) * 1000.0 / kafka->rate);
                due = kafka->rate;
            }
            chunk = int64_min(chunk, due);
        }
        if (kafka->records >= 0)
            chunk = int64_min(chunk, kafka->records - kafka->count);
        if (chunk <= 0) {
            go = pause_ms(kafka, 5);
            continue;
        }
        if (!room(kafka)) {
            int64_t wait_ms = kafka->asked_ms + PROGRESS_MS - now_ms;

            go = pause_ms(kafka, int64_max(wait_ms, 0));
            if (go) {
                progress_read(kafka);
                kafka->asked_ms = clock_monotonic_ms();
            }
            continue;
        }
        for (int64_t i = 0; i < chunk && go; i++)
            go = record_produce(kafka, &record);
        go = go && pause_ms(kafka, 0);
    }
    while (go && rd_kafka_outq_len(kafka->rk) > 0) {
        rd_kafka_poll(kafka->rk, 0);
        go = pause_ms(kafka, 5);
    }
    buffer_release(&record);
    return NULL;
}

static bool conf_fill(rd_kafka_conf_t *conf, struct error *error)
{
    static const struct {
        const char *name, *value;
    } settings[] = {
        {"test.mock.num.brokers", "1"}, {"linger.ms", "5"},          {"compression.codec", "lz4"},
        {"batch.size", "200000"},       {"client.id", "luaduct-demo"},
    };
    char text[512];

    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (rd_kafka_conf_set(conf, settings[i].name, settings[i].value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
            return error_set(error, ERROR_FATAL, "embedded Kafka: librdkafka does not take %s: %s", settings[i].name, text);
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return true;
}

bool mock_kafka_start(struct mock_kafka **kafka_out, const struct mock_kafka_options *options, struct error *error)
{
    bool ok = false;
    struct mock_kafka *kafka = xcalloc(1, sizeof(*kafka));
    rd_kafka_mock_cluster_t *cluster;
    pthread_condattr_t monotonic;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_resp_err_t code;
    char text[512];

    pthread_mutex_init(&kafka->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&kafka->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    kafka->log = log_new(options->log, "embedded-kafka");
    kafka->topic = xstrdup(options->topic);
    kafka->group = xstrdup(options->group);
    kafka->partition_count = options->partitions ? options->partitions : 1;
    kafka->partitions = xcalloc(kafka->partition_count, sizeof(*kafka->partitions));
    kafka->records = options->records;
    kafka->rate = options->rate;
    orders_init(&kafka->orders, options->seed, options->broken_permille, false, options->hours, options->records,
                options->start_ms ? options->start_ms : clock_wall_ms() - START_DAYS_BEFORE * INT64_C(86400000));

    if (!conf_fill(conf, error))
        goto out;
    rd_kafka_conf_set_opaque(conf, kafka);
    kafka->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!kafka->rk) {
        error_set(error, ERROR_FATAL, "embedded Kafka: it does not start: %s", text);
        goto out;
    }
    conf = NULL; /* the handle owns it from here */
    cluster = rd_kafka_handle_mock_cluster(kafka->rk);
    if (!cluster) {
        error_set(error, ERROR_FATAL,
                  "embedded Kafka: this librdkafka has no mock cluster; use the one that scripts/vendor builds");
        goto out;
    }
    /* The demo has one consumer, and three seconds of waiting for more of them only look like a fault. */
    rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
    /* Without a controller, which the mock does not name by itself, questions about topics would never be answered. */
    rd_kafka_mock_set_controller_id(cluster, 1);
    code = rd_kafka_mock_topic_create(cluster, kafka->topic, (int)kafka->partition_count, 1);
    if (code) {
        error_set(error, ERROR_FATAL, "embedded Kafka: topic %s cannot be made: %s", kafka->topic, rd_kafka_err2str(code));
        goto out;
    }
    kafka->brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    kafka->answers = rd_kafka_queue_new(kafka->rk);
    if (pthread_create(&kafka->thread, NULL, generator_run, kafka)) {
        error_set(error, ERROR_FATAL, "embedded Kafka: no thread left for the generator; raise the limit of processes");
        goto out;
    }
    kafka->thread_runs = true;
    *kafka_out = kafka;
    kafka = NULL; /* the caller owns it from here */
    ok = true;
out:
    if (conf)
        rd_kafka_conf_destroy(conf);
    mock_kafka_stop(kafka);
    return ok;
}

const char *mock_kafka_brokers(const struct mock_kafka *kafka)
{
    return kafka->brokers;
}

int64_t mock_kafka_produced(const struct mock_kafka *kafka)
{
    return atomic_load_explicit(&kafka->produced, memory_order_relaxed);
}

void mock_kafka_stop(struct mock_kafka *kafka)
{
    if (!kafka)
        return;
    if (kafka->thread_runs) {
        pthread_mutex_lock(&kafka->lock);
        kafka->stopping = true;
        pthread_cond_signal(&kafka->wake);
        pthread_mutex_unlock(&kafka->lock);
        pthread_join(kafka->thread, NULL);
    }
    if (kafka->answers)
        rd_kafka_queue_destroy(kafka->answers);
    if (kafka->rk) {
        rd_kafka_purge(kafka->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_poll(kafka->rk, 0);
        rd_kafka_destroy(kafka->rk);
    }
    pthread_cond_destroy(&kafka->wake);
    pthread_mutex_destroy(&kafka->lock);
    log_free(kafka->log);
    free(kafka->partitions);
    free(kafka->topic);
    free(kafka->group);
    free(kafka);
}
