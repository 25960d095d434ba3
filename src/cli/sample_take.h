/* sample_take.h: takes records out of a topic for a sample: what is there first, in equal shares of the partitions, then what
 * comes. Ownership: the caller's struct and arrays. Threads: the command's main thread; `stop` may be set by another.
 * Times are milliseconds. Errors: RETRY when brokers do not answer, else as kafka_reader.h. */
#ifndef LUADUCT_CLI_SAMPLE_TAKE_H
#define LUADUCT_CLI_SAMPLE_TAKE_H

#include <stdatomic.h>

#include "sample/writer.h"
#include "source/kafka_reader.h"

struct take_partition {
    int32_t partition;
    int64_t next; /* to read; set by the caller to where it begins */
    int64_t end;  /* of the log when the sample began */
    /* What was taken of it. */
    int64_t count, first, last, time_first_ms, time_last_ms;
    int64_t share; /* that may still be taken in this round */
    bool reading, at_end;
};

enum take_end { TAKE_FULL, TAKE_IDLE, TAKE_STOPPED, TAKE_FAILED };

struct take {
    struct kafka_reader *reader;
    struct sample_writer *writer;
    struct take_partition *partitions;
    size_t partition_count;
    int64_t records_max;
    int64_t timeout_ms; /* ends when nothing has come for so long; 0: takes what is there */
    atomic_bool stop;
    bool progress; /* a line on the terminal */
    int64_t count;
    enum take_end end;
};

/* False: reading or writing has failed; what was taken until then is in the writer. */
bool sample_take(struct take *take, struct error *error) MUST_USE;

#endif
