/* budget.h: what a job may take of memory, of the service's limits and of the record beside an offset, computed from its settings
 * alone. `check` prints it, the hub and the source go by the same numbers.
 * Ownership: plain values, nothing to release. Threads: any, no state. Units: bytes, and bytes a second. */
#ifndef LUADUCT_PIPELINE_BUDGET_H
#define LUADUCT_PIPELINE_BUDGET_H

#include "job/job.h"
#include "sink/quota.h"

enum {
    BUDGET_BATCH_BYTES = 512 * 1024, /* of messages in one batch, the L2 cache: performance.md 9 */
    BUDGET_WORKER_DEPTH = 3,         /* batches at a worker: one at work, one to follow, one block to pack */
    BUDGET_BATCH_COPIES = 2,         /* a batch at work holds columns beside its messages: about as much again */
};

/* What batches, gathered chunks and blocks may hold together before the source is held back. */
int64_t budget_data_bytes(const struct job *job);
/* Table partitions that are open at once at most. */
unsigned budget_partitions_open(const struct job *job);
struct quota_demand budget_demand(const struct job *job);

struct budget {
    /* Bytes. */
    int64_t prefetch; /* librdkafka's queue */
    int64_t batches, chunks, blocks; /* together the data; chunks have what the others leave, negative: they leave nothing */
    int64_t lua;
    int64_t fixed; /* the program, its libraries and threads */
    int64_t sum, memory_max;
    int64_t reload; /* beside the sum, while new code is tried and on probation */

    /* Bytes a second: what the limit of blocks lets through, before compression (0: the limits are not looked at), and what the
     * service takes of the blocks in flight, as they are sent. */
    int64_t quota_rate, wire_rate;
    unsigned blocks_at_once; /* of runtime.uploads_in_flight those that memory has room for */
    int64_t sessions_asked;  /* in 5 minutes */
    unsigned sessions_limit; /* 0: not looked at */

    /* Of a record beside an offset (exactly_once): how many table partitions fit beside one Kafka partition, and how many Kafka
     * partitions beside target.partitions_open_max (or as many as fit) table partitions. */
    unsigned record_partitions, record_covers;
};

void budget(struct budget *budget_out, const struct job *job);
/* The lines of `check`. kafka_partitions 0: not known. */
void budget_print(const struct budget *budget, const struct job *job, unsigned kafka_partitions, struct buffer *text);
/* Warnings about what does not go together; a mistake when an epoch of exactly_once cannot name as many table
 * partitions as target.partitions_open_max says. */
void budget_check(const struct budget *budget, const struct job *job, struct report *report);

#endif
