/* kafka_sweep.c: the Kafka source and the topic of dirty rows, from their opening to their closing, against librdkafka's mock
 * cluster. Nothing that was not read is committed, and nothing is told durable that is not there. librdkafka itself asserts that
 * it has memory. */
#include "sweep/sweep.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "dirty/dirty.h"
#include "dirty/read.h"
#include "local/mock_kafka.h"
#include "source/kafka.h"
#include "util/clock.h"

enum { RECORDS = 40, ROOM = 64, WAIT_MS = 20000, POLL_MS = 20 };

static char topic[] = "orders", group[] = "g", name[] = "sweep", cluster[] = "k";

static struct mock_kafka *start(void)
{
    struct mock_kafka_options options = {.topic = topic, .partitions = 1, .group = group, .records = RECORDS, .seed = 1};
    struct mock_kafka *kafka;
    struct error error;

    SWEEP_CHECK(mock_kafka_start(&kafka, &options, &error));
    return kafka;
}

static void job_make(struct job *job, const struct mock_kafka *kafka)
{
    *job = (struct job){.name = name};
    job->source.kafka.name = cluster;
    job->source.kafka.brokers = (char *)(uintptr_t)mock_kafka_brokers(kafka);
    job->source.topic = topic;
    job->source.group = group;
    job->source.otherwise = START_EARLIEST;
    job->source.fields = (1u << BUILTIN_COUNT) - 1;
    job->runtime.memory_max = 64 << 20;
    job->dirty.kafka = job->source.kafka;
    job->dirty.topic = topic;
}

/* Joins, reads all, commits what was read, and leaves. */
static bool read_all(struct source *source, struct error *error)
{
    struct message messages[ROOM];
    int32_t partitions[ROOM];
    void *handles[ROOM];
    struct source_event event;
    int64_t until_ms = clock_monotonic_ms() + WAIT_MS;
    uint32_t seen = 0;
    bool asked = false;

    if (!source->ops->start(source, error))
        return false;
    while (clock_monotonic_ms() < until_ms) {
        struct pollfd descriptor = {.fd = source->ops->descriptor(source), .events = POLLIN};
        uint32_t got;

        source->ops->step(source, clock_monotonic_ms());
        if (source->ops->deadline(source) > clock_monotonic_ms())
            poll(&descriptor, 1, POLL_MS);
        got = source->ops->fetch(source, messages, partitions, handles, ROOM);
        for (uint32_t i = 0; i < got; i++)
            SWEEP_CHECK(messages[i].offset == seen + i && messages[i].value.size > 0);
        seen += got;
        source->ops->release_handles(handles, got);
        while (source->ops->next(source, &event)) {
            if (event.kind == SOURCE_ASSIGN)
                source->ops->assign(source, event.partitions, event.count);
            if (event.kind == SOURCE_ERROR && event.error.kind != ERROR_RETRY) {
                *error = event.error;
                return false;
            }
            if (event.kind == SOURCE_COMMITTED) {
                if (event.result == COMMIT_STORED)
                    return true;
                *error = event.error;
                return false;
            }
        }
        if (seen == RECORDS && !asked) {
            source->ops->commit(source, &(struct source_partition){.offset = RECORDS, .metadata = STR("note")}, 1);
            asked = true;
        }
    }
    return error_set(error, ERROR_RETRY, "%u of %d records came in time", seen, RECORDS);
}

static bool source(struct error *error)
{
    struct mock_kafka *kafka = start();
    struct kafka_run run = {0};
    struct source *source;
    struct job job;
    bool ok;

    job_make(&job, kafka);
    fault_on();
    source = kafka_source_new(&job, &run, NULL);
    ok = read_all(source, error);
    source->ops->stop(source, clock_monotonic_ms() + 2000);
    source->ops->free(source);
    fault_off();
    mock_kafka_stop(kafka);
    return ok;
}

static bool dirty(struct error *error)
{
    struct mock_kafka *kafka = start();
    struct dirty_store *store = NULL;
    struct dirty_options options;
    struct job job;
    int64_t until_ms = clock_monotonic_ms() + WAIT_MS;
    bool ok, durable = false;

    job_make(&job, kafka);
    options = dirty_options_of(&job);
    fault_on();
    ok = dirty_store_open(&store, &options, error) &&
         dirty_append(store, STR("{\"topic_id\":\"i\",\"partition\":0,\"offset\":1,\"index\":0}\n"), 1700000000000, error) &&
         dirty_sync(store, error);
    while (ok && !durable && clock_monotonic_ms() < until_ms) {
        ok = dirty_durable(store, &durable, error);
        poll(NULL, 0, durable ? 0 : POLL_MS);
    }
    fault_off();
    if (ok && !durable)
        ok = error_set(error, ERROR_RETRY, "the row was not acknowledged in time");
    SWEEP_CHECK(!ok || dirty_backlog(store) == 0);
    dirty_store_close(store);
    mock_kafka_stop(kafka);
    return ok;
}

static bool count_line(void *arg, struct dirty_position position, struct str line, struct error *error)
{
    (void)position, (void)error;
    *(uint32_t *)arg += line.size > 0;
    return true;
}

/* All that the topic held when it was opened, or an error. */
static bool dirty_read(struct error *error)
{
    struct mock_kafka *kafka = start();
    struct dirty_reader *reader = NULL;
    struct dirty_options options;
    int64_t until_ms = clock_monotonic_ms() + WAIT_MS;
    uint32_t lines = 0;
    struct job job;
    bool ok = true;

    job_make(&job, kafka);
    options = dirty_options_of(&job);
    while (ok && lines < RECORDS && clock_monotonic_ms() < until_ms) { /* they are still being made */
        lines = 0;
        fault_on();
        ok = dirty_reader_open(&reader, &options, error) && dirty_reader_walk(reader, count_line, &lines, error);
        dirty_reader_close(reader);
        reader = NULL;
        fault_off();
    }
    SWEEP_CHECK(!ok || lines == RECORDS);
    mock_kafka_stop(kafka);
    return ok;
}

static const struct sweep_case cases[] = {
    {.name = "source", .run = source, .flags = SWEEP_STOPS | SWEEP_ASSERTS},
    {.name = "dirty_topic", .run = dirty, .flags = SWEEP_STOPS | SWEEP_ASSERTS},
    {.name = "dirty_topic_read", .run = dirty_read, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 15},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
