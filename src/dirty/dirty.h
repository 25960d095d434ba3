/* dirty.h: rows that cannot be handled, kept as JSON lines; luaduct never removes one.
 * A worker formats lines (dirty_format) while the batch is alive; the hub appends them (dirty_append) and makes them durable
 * (dirty_sync, and dirty_durable until it says so) before offsets move.
 * Line:
 * {"time","job","version","code","topic","topic_id","partition","offset","index","timestamp","stage","column","reason","key",
 * "value"}
 * ("version" is luaduct's own, "code" the hash of the stages that the row went through, job/version.h)
 * with key and value as text when UTF-8, else as {"base64": ...}; NULL is null; headers too when the source read them. Of a
 * record that became several rows only the first dirty one has these; the others have "record_at" instead, its index, and are
 * appended behind it. Read again, a record is kept again with a line that has them, so the newest lines of its rows always lead
 * to one. A row's identity is (topic id, partition, offset, index): what is read again after a crash is kept again, and whoever
 * reads the store takes the newest of each (read.h). Two kinds:
 * - files, DIR/dirty-YYYYMMDDTHHMMSSmmm-PID.ndjson, a new one when file_bytes_max is reached; the folder is made when missing;
 * - a Kafka topic, which several processes of one job share. One message a row, its key the identity as text,
 *   "TOPIC_ID/PARTITION/OFFSET/INDEX" (the topic's name where brokers tell no id), so that one key stays in one partition of the
 *   topic and compaction keeps the newest; a compacted topic is for one job. Acknowledged by all in-sync replicas. While brokers
 *   are down it is tried for ever and nothing becomes durable; what cannot heal (topic missing, no right, row larger than the
 *   topic takes) is ERROR_FATAL from whichever call comes next.
 * Memory: dirty_append never blocks and never says "full", for a batch that has been run must go somewhere. dirty_backlog tells
 * the bytes that wait for an acknowledgement; the hub counts them with its own against runtime.memory_max and pauses the source,
 * which bounds them like all else. Files have none.
 * Ownership: dirty_store_close and dirty_reasons_free free; lines, batches and what options name are borrowed.
 * Threads: dirty_format any, reasons one owner; the store the hub's. `wake` is called from a thread of librdkafka when
 * dirty_durable may answer something new; it may wake a waiter and do nothing else. It is not called once dirty_store_close has
 * returned.
 * Errors: disk full and the like are ERROR_FATAL with path and reason. */
#ifndef LUADUCT_DIRTY_DIRTY_H
#define LUADUCT_DIRTY_DIRTY_H

#include "batch/batch.h"
#include "job/job.h"
#include "util/buffer.h"
#include "util/log.h"

struct dirty_store;

/* Borrowed while the store is open. A topic makes it a Kafka store, else it is one of files. */
struct dirty_options {
    const char *directory;
    int64_t file_bytes_max;
    int64_t bytes_max;      /* of all dirty files in the folder; 0: none */
    const char *topic;
    const struct job_kafka *cluster;
    const char *job;        /* the name, for client.id and for reading */
    void (*wake)(void *arg); /* NULL: nobody waits */
    void *wake_arg;
    struct log *log;        /* NULL: silent */
};

/* What the job says; wake and log are the caller's to fill. */
struct dirty_options dirty_options_of(const struct job *job);
/* Files: makes the folder and counts what is there, so that a missing right is found at start. Kafka: starts the client and asks
 * for the topic; the answer comes later, as the error of another call. Never waits for the network. */
bool dirty_store_open(struct dirty_store **store_out, const struct dirty_options *options, struct error *error) MUST_USE;
/* Kafka: gives what was appended some seconds to arrive (DIRTY_CLOSE_MS), since a job that stops at dirty.max is about to be
 * looked at. */
void dirty_store_close(struct dirty_store *store);
/* For trying a job out: the lines are appended to `lines`, which outlives the store, and are durable at once. */
struct dirty_store *dirty_memory_open(struct buffer *lines) MUST_USE;
/* Other limits of files from now on; as in the options. */
void dirty_set_limits(struct dirty_store *store, int64_t file_bytes_max, int64_t bytes_max);
/* Whole lines, each with its newline. */
bool dirty_append(struct dirty_store *store, struct str lines, int64_t wall_ms, struct error *error) MUST_USE;
/* Begins to make durable what was appended; done when dirty_durable says so. Files: fsync, done at once. */
bool dirty_sync(struct dirty_store *store, struct error *error) MUST_USE;
/* Whether all that was appended before the last dirty_sync is durable. Asked again in every turn of the loop; never blocks. */
bool dirty_durable(struct dirty_store *store, bool *durable_out, struct error *error) MUST_USE;
/* Bytes that wait for an acknowledgement, with what the client needs to hold them. */
int64_t dirty_backlog(struct dirty_store *store);
/* Files: of all files in the folder. Kafka: what this process has appended. */
int64_t dirty_bytes(const struct dirty_store *store);
/* Whether other processes of the job write to the same place: with files the rows of each stay on its machine. */
bool dirty_is_shared(const struct dirty_store *store);
/* "the folder /x/dirty", "the topic x-dirty of cluster k": after "they are in". The second gives a text to free. */
const char *dirty_place(const struct dirty_store *store);
char *dirty_options_place(const struct dirty_options *options) MUST_USE;

struct dirty_origin {
    const char *job;
    const char *topic;
    const char *topic_id;
    const char *code; /* NULL: not known */
};
/* One line per dirty row of the batch, appended; wall_ms is the time said in them. */
void dirty_format(const struct batch *batch, const struct dirty_origin *origin, int64_t wall_ms, struct buffer *lines);

/* The reasons most frequent first, for the message when the limit strikes. */
struct dirty_reasons;
struct dirty_reasons *dirty_reasons_new(void) MUST_USE;
void dirty_reasons_free(struct dirty_reasons *reasons);
/* key: stage, column and reason without its value part (behind the value that it begins with, or with the place in a Lua file; up
 * to the first quote, or colon with a blank behind it);
 * count adds up. Bounded: at most 256 kinds. Per stage and column all rows are counted, whatever the reasons, for at most 1,024
 * columns. */
void dirty_reasons_add(struct dirty_reasons *reasons, const struct batch *batch);
void dirty_reasons_add_row(struct dirty_reasons *reasons, struct str stage, struct str column, struct str reason);
void dirty_reasons_merge(struct dirty_reasons *into, const struct dirty_reasons *from);
void dirty_reasons_clear(struct dirty_reasons *reasons);
void dirty_reasons_print(const struct dirty_reasons *reasons, unsigned most, struct buffer *text);
/* "mapping (price) 12, parse 3". */
void dirty_reasons_print_columns(const struct dirty_reasons *reasons, unsigned most, struct buffer *text);
struct dirty_column {
    char *stage, *column; /* "" where a reason names none */
    uint64_t count;
};
/* In the order in which they came; valid until the reasons change. Others: rows of columns beyond the bound. */
const struct dirty_column *dirty_reasons_columns(const struct dirty_reasons *reasons, size_t *count_out, uint64_t *others_out);
/* All of them, one a line. */
void dirty_reasons_print_lines(const struct dirty_reasons *reasons, struct buffer *text);

#endif
