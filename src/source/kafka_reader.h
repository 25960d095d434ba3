/* kafka_reader.h: reads records of a job's topic for commands, outside of any group: librdkafka's simple consumer, without a
 * group id, so that it cannot join one or store an offset whatever goes wrong. Partitions are begun and ended one by one, as
 * often as one likes; all of them come out of one queue. Ownership: kafka_reader_free; what a record points to lives until the
 * next take. Threads: one owner. Blocks as long as it is told to.
 * Errors: CONFIG for the log-in and the topic, RETRY when brokers do not answer. */
#ifndef LUADUCT_SOURCE_KAFKA_READER_H
#define LUADUCT_SOURCE_KAFKA_READER_H

#include "job/job.h"

struct kafka_reader;

bool kafka_reader_open(struct kafka_reader **reader_out, const struct job *job, struct error *error) MUST_USE;
void kafka_reader_free(struct kafka_reader *reader);
/* Reads from that offset on. */
bool kafka_reader_begin(struct kafka_reader *reader, int32_t partition, int64_t offset, struct error *error) MUST_USE;
void kafka_reader_end(struct kafka_reader *reader, int32_t partition); /* nothing of it comes any more */

enum kafka_reader_answer {
    KAFKA_READER_NOTHING, /* within the time; `reason` tells when the brokers cannot be reached */
    KAFKA_READER_RECORD,
    KAFKA_READER_AT_END, /* partition: all that is there has been given; message.offset is the end */
    KAFKA_READER_FAILED, /* error */
};

struct kafka_reader_record {
    int32_t partition;
    struct message message; /* without headers */
};

enum kafka_reader_answer kafka_reader_take(struct kafka_reader *reader, int wait_ms, struct kafka_reader_record *record_out,
                                           struct error *error) MUST_USE;
/* Header `index` of the record that was taken last; false: it has no more. value.data NULL: null. */
bool kafka_reader_header(const struct kafka_reader *reader, size_t index, struct str *name_out, struct str *value_out);
/* Why the brokers do not answer, as last heard and not followed by a record; "" when they do. */
const char *kafka_reader_reason(const struct kafka_reader *reader);

#endif
