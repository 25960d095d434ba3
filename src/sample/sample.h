/* sample.h: a sample file: records of a topic, one a line of JSON, written by `luaduct sample` or by hand and read by the
 * commands that try a job out. `luaduct help sample` tells the format to people:
 *
 *     {"luaduct_sample":1,"job":"orders","topic":"orders","cluster_id":"...","topic_id":"...","taken":"2024-01-31T00:00:00Z"}
 *     {"partition":0,"offset":12,"timestamp":1700000000000,"key":"k","value":"...","headers":[["n","v"]]}
 *
 * The first line may be left out, and of a record everything but the value: partition 0, the offset behind the one before (0 at
 * first), timestamp 0, no key, no headers. Text is a JSON string when it is UTF-8, else {"base64":"..."}; null differs from "".
 * Other keys are mistakes: a misspelt one would silently be a default. What is written is read back byte for byte.
 * Ownership: a sample owns its messages and texts; sample_free. Threads: one owner; read-only after reading.
 * Bounds: SAMPLE_BYTES_MAX a file, which is held in memory while it is used.
 * Errors: CONFIG, with line and column. */
#ifndef LUADUCT_SAMPLE_SAMPLE_H
#define LUADUCT_SAMPLE_SAMPLE_H

#include "batch/batch.h"
#include "job/report.h"
#include "job/start.h"

enum { SAMPLE_VERSION = 1, SAMPLE_BYTES_MAX = 1 << 30 };

/* Where it was taken; texts are absent when the file does not say. */
struct sample_origin {
    struct str job, topic, cluster_id, topic_id;
    struct str taken; /* UTC, ISO 8601 */
};

struct sample_header {
    struct str name, value; /* value.data NULL: null */
};

/* One record: what a struct message has, its partition, and its headers as they are (message.headers shows bytes that are no text
 * as base64, and could not be told from text). */
struct sample_record {
    int32_t partition;
    struct message message; /* headers: as the Kafka source gives them */
    const struct sample_header *headers;
    size_t header_count;
};

struct sample {
    struct sample_origin origin;
    /* Records in the order of the file: what replay_source_new takes. Offsets of a partition count up. */
    struct message *messages;
    int32_t *partition_of;
    size_t count;
    int32_t partitions; /* one more than the largest partition that occurs; at least 1 */
};

/* Mistakes go to report with line and column; false when there was one. path is borrowed by the report's places. */
bool sample_read(struct sample **sample_out, const char *path, struct report *report) MUST_USE;
void sample_free(struct sample *sample);
struct sample_record sample_record(const struct sample *sample, size_t index); /* texts are the sample's */
/* False (CONFIG) when the file says that it is of another topic than this one. */
bool sample_is_of(const struct sample *sample, const char *path, const char *topic, struct error *error) MUST_USE;

/* The two kinds of line, with their ends. Of a record message.headers is not read. */
void sample_print_origin(const struct sample_origin *origin, struct buffer *text);
void sample_print_record(const struct sample_record *record, struct buffer *text);

#endif
