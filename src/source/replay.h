/* replay.h: a source over records in memory, for benches, simulate and tests. It hands them out as fast as asked, `rounds` times
 * over, and then says SOURCE_END. Record i belongs to partition i % partitions; offsets count up per partition and go on in the
 * next round. Records of a sample have partitions and offsets of their own, and keep them.
 * Ownership: the records are the caller's and must outlive the source and all batches; nothing is copied, so handles are NULL.
 * Threads: the hub's. */
#ifndef LUADUCT_SOURCE_REPLAY_H
#define LUADUCT_SOURCE_REPLAY_H

#include "source/source.h"

struct replay_options {
    const struct message *records; /* .offset is not read, unless partition_of is given */
    size_t count;
    unsigned partitions; /* 0: 1 */
    /* The partition of each record, below `partitions`; offsets of a partition ascend and may have holes. NULL: i % partitions.
     * Borrowed like the records; one round only. */
    const int32_t *partition_of;
    unsigned rounds;     /* 0: 1 */
    /* What was committed in an earlier life, for tests of resuming; partitions that are not listed start at 0. May be NULL. */
    const struct source_partition *committed;
    size_t committed_count;
};

struct source *replay_source_new(const struct replay_options *options) MUST_USE;
/* What has been committed for a partition: .committed is false when nothing was. The text lives until the next commit. */
struct source_partition replay_committed(const struct source *source, int32_t partition);

#endif
