/* stats.h: the job's numbers, in the metrics registry: written by the hub, read by the progress display and /metrics.
 * Ownership: the metrics belong to the registry. Threads: values are atomics. */
#ifndef LUADUCT_PIPELINE_STATS_H
#define LUADUCT_PIPELINE_STATS_H

#include "dirty/dirty.h"
#include "util/metrics.h"

struct stats {
    struct metrics *registry;
    /* As the ledger counts them: when an epoch finishes. */
    struct metric *read, *written, *filtered, *dirty, *expanded;
    /* As they pass by. */
    struct metric *fetched, *fetched_bytes, *processed, *sent_bytes, *raw_bytes;
    struct metric *epochs, *blocks, *early_partitions, *early_memory, *early_record, *late_quota;
    struct metric *quota_waits[3]; /* by enum quota_kind */
    struct metric *rolled, *dropped, *rejoins;
    /* The ledger of the partitions of this process: what all runs together did, on whatever machine. */
    struct metric *ledger_read, *ledger_written, *ledger_filtered, *ledger_dirty, *ledger_expanded;
    struct metric *partitions_open, *uploads, *blocks_waiting, *memory, *lua_memory, *paused, *assigned;
    struct metric *lag_records, *lag_seconds_milli, *flush_seconds_milli;
    struct metric *requests, *retries, *throttled;
    struct metric *reloads_accepted, *reloads_refused, *reloads_reverted, *swap_seconds_milli, *batch_wait_milli;
    struct metric *version; /* 1; its label is the hash */
};

void stats_init(struct stats *stats, struct metrics *registry);
/* The code that runs now. */
void stats_set_version(struct stats *stats, const char *version);
/* Dirty rows by stage and column. A column gets its metric with its first dirty row. */
void stats_add_dirty(struct stats *stats, const struct dirty_reasons *reasons);

#endif
