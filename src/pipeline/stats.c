/* stats.c: the one list of names and sentences. */
#include "pipeline/stats.h"

#include "sink/quota.h"

void stats_init(struct stats *stats, struct metrics *registry)
{
    const struct {
        struct metric **metric;
        enum metric_kind kind;
        const char *name, *help;
        bool milli;
    } rows[] = {
        {&stats->read, METRIC_COUNTER, "luaduct_read_records_total", "Records read, counted when their epoch is committed.",
         false},
        {&stats->written, METRIC_COUNTER, "luaduct_written_rows_total", "Rows committed to the target.", false},
        {&stats->filtered, METRIC_COUNTER, "luaduct_filtered_rows_total", "Rows that stages left out.", false},
        {&stats->dirty, METRIC_COUNTER, "luaduct_dirty_rows_total", "Rows that could not be handled and went to the dirty store.",
         false},
        {&stats->expanded, METRIC_COUNTER, "luaduct_expanded_rows_total", "Rows that stages added by expansion.", false},
        {&stats->fetched, METRIC_COUNTER, "luaduct_fetched_records_total", "Records taken from the source.", false},
        {&stats->fetched_bytes, METRIC_COUNTER, "luaduct_fetched_bytes_total", "Bytes of keys and values taken from the source.",
         false},
        {&stats->processed, METRIC_COUNTER, "luaduct_processed_records_total", "Records that went through the stages.", false},
        {&stats->raw_bytes, METRIC_COUNTER, "luaduct_encoded_bytes_total", "Bytes of encoded rows before compression.", false},
        {&stats->sent_bytes, METRIC_COUNTER, "luaduct_acknowledged_bytes_total", "Bytes of blocks that the target acknowledged.",
         false},
        {&stats->epochs, METRIC_COUNTER, "luaduct_epochs_total", "Epochs finished (offsets moved).", false},
        {&stats->blocks, METRIC_COUNTER, "luaduct_blocks_total", "Blocks acknowledged by the target.", false},
        {&stats->early_partitions, METRIC_COUNTER, "luaduct_early_flushes_partitions_total",
         "Epochs closed early because target.partitions_open_max was reached.", false},
        {&stats->early_memory, METRIC_COUNTER, "luaduct_early_flushes_memory_total",
         "Blocks packed early because runtime.memory_max was near.", false},
        {&stats->early_record, METRIC_COUNTER, "luaduct_early_flushes_record_total",
         "Epochs closed early because the record beside the offsets was full (exactly once).", false},
        {&stats->late_quota, METRIC_COUNTER, "luaduct_late_flushes_quota_total",
         "Epochs closed later than runtime.flush_interval, so that the service's limits last.", false},
        {&stats->rolled, METRIC_COUNTER, "luaduct_epochs_rolled_forward_total",
         "Epochs of an earlier owner, prepared and not finished, that this process finished.", false},
        {&stats->dropped, METRIC_COUNTER, "luaduct_epochs_dropped_total",
         "Epochs given up before they were committed; their records are read again.", false},
        {&stats->rejoins, METRIC_COUNTER, "luaduct_group_rejoins_total",
         "Times the group was joined anew because the result of a commit was not known (exactly once).", false},
        {&stats->ledger_read, METRIC_GAUGE, "luaduct_ledger_read_records",
         "Records read by all runs of the job, of the Kafka partitions that this process holds.", false},
        {&stats->ledger_written, METRIC_GAUGE, "luaduct_ledger_written_rows", "The same for rows written.", false},
        {&stats->ledger_filtered, METRIC_GAUGE, "luaduct_ledger_filtered_rows", "The same for rows that stages left out.", false},
        {&stats->ledger_dirty, METRIC_GAUGE, "luaduct_ledger_dirty_rows", "The same for dirty rows.", false},
        {&stats->ledger_expanded, METRIC_GAUGE, "luaduct_ledger_expanded_rows", "The same for rows added by expansion.", false},
        {&stats->partitions_open, METRIC_GAUGE, "luaduct_open_partitions",
         "Table partitions with rows that are not committed yet.", false},
        {&stats->uploads, METRIC_GAUGE, "luaduct_uploads_in_flight", "Blocks that are being sent.", false},
        {&stats->blocks_waiting, METRIC_GAUGE, "luaduct_blocks_waiting", "Blocks that wait to be sent.", false},
        {&stats->memory, METRIC_GAUGE, "luaduct_data_bytes", "Bytes of records, encoded rows and blocks in memory.", false},
        {&stats->lua_memory, METRIC_GAUGE, "luaduct_lua_bytes", "Memory of the Lua states.", false},
        {&stats->paused, METRIC_GAUGE, "luaduct_source_paused", "1 while the source is held back.", false},
        {&stats->assigned, METRIC_GAUGE, "luaduct_assigned_partitions", "Kafka partitions of this process.", false},
        {&stats->lag_records, METRIC_GAUGE, "luaduct_lag_records",
         "Records between the committed position and the end of the topic.", false},
        {&stats->lag_seconds_milli, METRIC_GAUGE, "luaduct_lag_seconds",
         "Now minus the time of the last committed record; 0 when caught up.", true},
        {&stats->flush_seconds_milli, METRIC_GAUGE, "luaduct_flush_seconds",
         "How long the last epoch took from closing to finished.", true},
        {&stats->requests, METRIC_COUNTER, "luaduct_requests_total", "Requests sent to the service.", false},
        {&stats->retries, METRIC_COUNTER, "luaduct_request_retries_total", "Requests sent again.", false},
        {&stats->batch_wait_milli, METRIC_GAUGE, "luaduct_batch_wait_seconds",
         "The longest time that a batch of the last half second waited for its worker.", true},
        {&stats->swap_seconds_milli, METRIC_GAUGE, "luaduct_swap_seconds",
         "How long a worker stood still at most when new code was swapped in last.", true},
        {&stats->throttled, METRIC_COUNTER, "luaduct_throttled_total", "Answers 429 of the service.", false},
    };

    const struct {
        struct metric **metric;
        const char *result;
    } reloads[] = {
        {&stats->reloads_accepted, "accepted"},
        {&stats->reloads_refused, "refused"},
        {&stats->reloads_reverted, "reverted"},
    };

    stats->registry = registry;
    stats->version = NULL;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        *rows[i].metric = metrics_add(registry, rows[i].kind, rows[i].name, rows[i].help, NULL, NULL, rows[i].milli);
    for (size_t i = 0; i < COUNT_OF(reloads); i++)
        *reloads[i].metric = metrics_add(registry, METRIC_COUNTER, "luaduct_reloads_total",
                                         "New code: taken, refused, or taken back while it was on probation.", "result",
                                         reloads[i].result, false);
    for (size_t i = 0; i < QUOTA_KINDS; i++)
        stats->quota_waits[i] =
            metrics_add(registry, METRIC_COUNTER, "luaduct_quota_waits_total",
                        "Calls that waited for the service's limits of the table.", "kind", quota_names[i], false);
}

void stats_set_version(struct stats *stats, const char *version)
{
    static const char help[] = "1; the label is the hash of the stages and Lua files that run now.";

    if (!stats->version)
        stats->version = metrics_add(stats->registry, METRIC_GAUGE, "luaduct_code_version", help, "version", version, false);
    else
        metrics_relabel(stats->registry, stats->version, version);
    metric_set(stats->version, 1);
}

static void add_dirty(struct stats *stats, const char *stage, const char *column, uint64_t count)
{
    const struct metric_label labels[] = {{"stage", stage}, {"column", column}};

    metric_add(metrics_add_labels(stats->registry, METRIC_COUNTER, "luaduct_dirty_column_rows_total",
                                  "Dirty rows by the stage and the column that could not be handled.", labels, COUNT_OF(labels),
                                  false),
               (int64_t)count);
}

void stats_add_dirty(struct stats *stats, const struct dirty_reasons *reasons)
{
    uint64_t others;
    size_t count;
    const struct dirty_column *columns = dirty_reasons_columns(reasons, &count, &others);

    for (size_t i = 0; i < count; i++)
        add_dirty(stats, columns[i].stage, columns[i].column, columns[i].count);
    if (others)
        add_dirty(stats, "", "others", others);
}
