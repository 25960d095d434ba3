/* kafka.h: the Kafka source: librdkafka >= 2.13.2, one consumer of one topic in the job's group (design.md "The hub's loop").
 * cooperative-sticky, no auto commit, no offset store, batch consumption from the consumer queue, no fetch stall
 * (fetch.queue.backoff.ms, queued.min.messages, queued.max.messages.kbytes). Everything asynchronous: committed offsets and
 * offsets for times by admin calls on the source's own queue, commits by rd_kafka_commit_queue.
 * The start position of a partition is resolved here: the committed offset; for a group that has none, `otherwise` (or `start`,
 * whose offsets are refused when one of them is not in the log: kafka_start_check);
 * a partition that appears later in a group that already has committed offsets starts at its earliest offset (rule 1).
 * max.poll.interval: the hub calls fetch at least every third of it.
 * Ownership: `free` of its functions frees the source; job and log are borrowed until then. Threads: the hub's; librdkafka's own
 * wake it.
 * Errors: what may heal is ERROR_RETRY, what a person has to correct ERROR_CONFIG or ERROR_FATAL. */
#ifndef LUADUCT_SOURCE_KAFKA_H
#define LUADUCT_SOURCE_KAFKA_H

#include "job/job.h"
#include "job/kafka_properties.h"
#include "source/source.h"
#include "util/log.h"

/* Rule 2: a group without any committed offset may be that of a job that never ran, or one whose positions are lost. With
 * exactly-once delivery a person has to say which: the first run is allowed only with `first`, and later ones only without.
 * Otherwise a lost position is a warning. */
enum kafka_first {
    KAFKA_FIRST_NO,
    KAFKA_FIRST_YES,
    KAFKA_FIRST_ALLOWED, /* either: a restart of a process that was started with KAFKA_FIRST_YES */
};

/* Where a bounded run ends: SOURCE_END is told when every assigned partition has got there; with several processes of a group
 * each one ends when its own partitions have. What is below the limit and committed (transactions) is read, nothing else. */
enum kafka_until_kind {
    KAFKA_UNTIL_NEVER,
    KAFKA_UNTIL_END,     /* the end that each partition has when the process starts */
    KAFKA_UNTIL_TIME,    /* the first record at or after time_ms, or the end when there is none */
    KAFKA_UNTIL_OFFSETS, /* limits; a partition that is not named has nothing to read */
};

struct kafka_until {
    enum kafka_until_kind kind;
    int64_t time_ms;
    struct start_offset limits[START_OFFSETS_MAX]; /* the first offsets that are not read; START_AT_LATEST: as KAFKA_UNTIL_END */
    size_t count;
};

/* "end", a time as source.start takes it (not in the future), "30m ago", or "PARTITION:OFFSET,..." with `latest` for an end; the
 * error is the end of a sentence. */
bool kafka_until_parse(struct str text, const char *zone, int64_t now_ms, struct kafka_until *until_out,
                       struct error *error) MUST_USE;

/* How this run differs from what the job says. */
struct kafka_run {
    enum kafka_first first;
    struct kafka_until until;
};

struct source *kafka_source_new(const struct job *job, const struct kafka_run *run, struct log *log) MUST_USE;

/* For the report of a bounded run: the partitions that this process has read from, where it began and where its limit is. */
struct kafka_reached {
    int32_t partition;
    int64_t from, to;
};
size_t kafka_source_reached(const struct source *source, struct kafka_reached *list_out, size_t max); /* count of entries */

/* Whether source.start.offsets fit to a topic with so many partitions, whose logs begin and end there (by partition number).
 * The error (CONFIG) tells all that is wrong. */
bool kafka_start_check(const struct job *job, int32_t partitions, const int64_t *begins, const int64_t *ends,
                       struct error *error) MUST_USE;

/* For `check --connect`: reaches the brokers, checks that the topic exists and says how many partitions it has. Blocks up to
 * timeout_ms. */
bool kafka_source_probe(const struct job *job, int timeout_ms, unsigned *partitions_out, struct error *error) MUST_USE;
/* What librdkafka may hold of fetched records: source.prefetch, or its part of the job's memory. */
int64_t kafka_prefetch_bytes(const struct job *job);
/* Whether librdkafka takes this property and value; the error says what is wrong. */
bool kafka_property_check(const char *name, const char *value, struct error *error) MUST_USE;

#endif
