/* automatic.h: `runtime: {auto: true}`: the parameters of a run that the job does not write, from the machine and the number of
 * Kafka partitions. What is written stays as it is.
 *
 *     workers            a core is left for the hub and librdkafka; at most 8, two a Kafka partition, and what memory has room
 *                        for
 *     memory_max         what the workers' Lua, the prefetch and the blocks need together (budget.h), at least the default and at
 *                        most a quarter of the machine's
 *     uploads_in_flight  two, and two more a worker, at most 16
 *     flush_bytes        what half of the ceiling has room for, beside the batches, 1 to 64 MiB; fuller blocks last longer within
 *                        the service's 500 blocks in 5 minutes
 *     flush_interval     the default, or as long as 500 sessions in 5 minutes ask for with target.partitions_open_max
 *
 * Ownership: the job is borrowed. Threads: the command's main thread, before the job's structures are handed to anyone. */
#ifndef LUADUCT_PIPELINE_AUTOMATIC_H
#define LUADUCT_PIPELINE_AUTOMATIC_H

#include "job/job.h"
#include "util/machine.h"

/* Sets the values; kafka_partitions 0: not known. May be called again when more is known. Without runtime.auto it does
 * nothing. */
void automatic_set(struct job *job, const struct machine *machine, unsigned kafka_partitions);
/* One line: from what, and all values, with a star at those that the job writes. */
void automatic_print(const struct job *job, const struct machine *machine, unsigned kafka_partitions, struct buffer *text);

#endif
