/* replay.c: a job over order records in memory, through the real hub, into a sink that forgets: what one core of luaduct can do.
 * usage: replay JOB.yaml RECORDS ROUNDS [workers=N] [compression=none|deflate] [delivery=exactly_once] [shuffle=1] [hours=N] [spread=1]
 * hours spreads the records over so much time, a table partition a day; spread deals them out so that neighbours lie far apart: every batch
 * then has rows for most table partitions. All that the records need stays open at once.
 * Prints one line of key=value pairs; CPU is that of all threads. The records are made before the clock starts; instructions are counted from
 * outside, as a difference of two numbers of rounds (bench.py). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "cli/engine.h"
#include "local/orders.h"
#include "pipeline/work.h"
#include "sink/null.h"
#include "source/replay.h"
#include "util/clock.h"

enum { PARTITIONS = 4 }; /* of Kafka */

static int64_t cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static int64_t wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The documents of one Kafka partition lie one behind the other, as in the record batches that a consumer unpacks; where they are
 * spread, neighbours lie far apart. */
static struct message *make_records(size_t count, bool shuffle, int64_t hours, size_t stride, struct buffer *texts)
{
    struct message *messages = xcalloc(count, sizeof(*messages));
    size_t *ends = xcalloc(count, sizeof(*ends));
    struct orders orders;
    struct buffer made;
    char key[64];

    buffer_init(&made, 0);
    orders_init(&orders, 1, 0, shuffle, hours, (int64_t)count, 0);
    for (size_t i = 0; i < count; i++) {
        orders_next(&orders, &made, key);
        ends[i] = made.size;
    }
    if (!buffer_reserve(texts, made.size))
        exit(1);
    for (size_t partition = 0; partition < PARTITIONS; partition++) {
        for (size_t i = partition; i < count; i += PARTITIONS) {
            size_t from = i * stride % count;
            size_t start = from ? ends[from - 1] : 0;
            size_t size = ends[from] - start;
            char *at = stride > 1 ? texts->data + start : texts->data + texts->size;

            memcpy(at, made.data + start, size);
            texts->size += size;
            messages[i].value = str_make(at, size);
            messages[i].timestamp_ms = 1700000000000;
        }
    }
    buffer_release(&made);
    free(ends);
    return messages;
}

int main(int argc, char **argv)
{
    struct engine engine;
    struct error error = {0};
    struct buffer texts;
    struct message *messages;
    struct replay_options replay = {.partitions = PARTITIONS};
    struct hub_options hub;
    struct rusage usage;
    const struct counts *counts;
    int64_t started_us, took_us, began_us, hours = 0;
    size_t stride = 1;
    bool shuffle = false;

    if (argc < 4 || !engine_load(&engine, argv[1], NULL)) {
        if (argc >= 4)
            (void)engine_report(&engine);
        fprintf(stderr, "usage: replay JOB.yaml RECORDS ROUNDS [workers=N] [compression=none|deflate] [delivery=exactly_once] [shuffle=1] "
                        "[hours=N] [spread=1]\n");
        return 2;
    }
    replay.count = strtoul(argv[2], NULL, 10);
    replay.rounds = (unsigned)strtoul(argv[3], NULL, 10);
    for (int i = 4; i < argc; i++) {
        struct str key, value;

        (void)str_cut(str_of(argv[i]), '=', &key, &value);
        if (str_is(key, "workers"))
            engine.job->runtime.workers = (unsigned)strtoul(value.data, NULL, 10);
        else if (str_is(key, "compression"))
            engine.job->runtime.compression = str_is(value, "none") ? JOB_COMPRESSION_NONE : JOB_COMPRESSION_DEFLATE;
        else if (str_is(key, "delivery"))
            engine.job->delivery = str_is(value, "exactly_once") ? DELIVERY_EXACTLY_ONCE : DELIVERY_AT_LEAST_ONCE;
        else if (str_is(key, "shuffle"))
            shuffle = true;
        else if (str_is(key, "hours"))
            hours = strtoll(value.data, NULL, 10);
        else if (str_is(key, "spread"))
            stride = 7919; /* a prime: no record is left out while the count is no multiple of it */
    }
    engine.job->target.partitions_open_max = 512;
    buffer_init(&texts, 0);
    messages = make_records(replay.count, shuffle, hours, stride, &texts);
    replay.records = messages;

    engine_connect(&engine);
    engine.metrics = metrics_new(engine.job->name);
    stats_init(&engine.stats, engine.metrics);
    engine.source = replay_source_new(&replay);
    engine.sink = null_sink_new(&engine.create_schema);
    if (!dirty_store_open(&engine.dirty, &(struct dirty_options){.directory = "/tmp"}, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    hub = (struct hub_options){
        .job = engine.job, .probe = engine.probe, .http = engine.http, .source = engine.source, .sink = engine.sink,
        .dirty = engine.dirty, .stats = &engine.stats, .table = engine.table, .records_max = -1,
        .monotonic_ms = clock_monotonic_ms, .wall_ms = clock_wall_ms, .log = engine.log,
    };
    engine.hub = hub_new(&hub);
    began_us = wall_us();
    started_us = cpu_us();
    if (!hub_run(engine.hub, engine.report, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    took_us = cpu_us() - started_us;
    began_us = wall_us() - began_us;
    getrusage(RUSAGE_SELF, &usage);
    counts = hub_counts(engine.hub);
    printf("records=%" PRId64 " written=%" PRId64 " filtered=%" PRId64 " dirty=%" PRId64 " cpu_ns_per_record=%" PRId64
           " wall_ns_per_record=%" PRId64 " row_bytes=%" PRId64 " peak_kib=%ld input_kib=%zu\n", counts->read, counts->written,
           counts->filtered, counts->dirty, took_us * 1000 / int64_max(1, counts->read), began_us * 1000 / int64_max(1, counts->read),
           metric_get(engine.stats.raw_bytes), usage.ru_maxrss, texts.size / 1024);
    engine_free(&engine);
    free(messages);
    buffer_release(&texts);
    return 0;
}
