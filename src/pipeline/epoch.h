/* epoch.h: the epochs of a job, and the single place in which offsets move (design.md, "Epochs").
 *
 * An epoch covers the batches given out between two flushes. Its life, here without the prepare step, which makes it
 * at-least-once: filling    batches go out and come back; chunks gather per table partition; full blocks go to the sink settling
 * no new batches; what is out comes back, the rest is packed and acknowledged sealing    the server's block lists equal ours;
 * dirty rows are made durable committing the sessions are committed until each is known to be closed finishing  one OffsetCommit
 * with the next offsets and the idle record The next epoch fills while one is on its way from settling to finishing; there are
 * never more than these two.
 *
 * Ownership: borrows source, sink, dirty store and stats; owns epochs, chunks, targets. Threads: the hub's.
 * Errors: false ends the job; nothing is lost, since the offsets of what is under way have not moved. */
#ifndef LUADUCT_PIPELINE_EPOCH_H
#define LUADUCT_PIPELINE_EPOCH_H

#include "job/job.h"
#include "pipeline/gather.h"
#include "pipeline/position.h"
#include "pipeline/stats.h"
#include "source/source.h"
#include "util/log.h"

struct epochs;

struct epochs_options {
    const struct job *job;
    struct source *source;
    struct sink *sink;
    struct dirty_store *dirty;
    struct stats *stats;
    struct position_owner owner; /* texts are borrowed */
    int64_t revoke_ms_max;       /* how long a revoked partition may wait for its epoch: a third of max.poll.interval.ms */
    struct log *log;
};

struct epochs *epochs_new(const struct epochs_options *options) MUST_USE;
void epochs_free(struct epochs *epochs);

/* --- partitions --- */
/* SOURCE_ASSIGN: reads what was stored, anchors what has no committed offset (rule 1), and then lets the source start. */
bool epochs_offer(struct epochs *epochs, const struct source_partition *partitions, size_t count, struct error *error) MUST_USE;
void epochs_revoke(struct epochs *epochs, const struct source_partition *partitions, size_t count, int64_t now_ms);
void epochs_lose(struct epochs *epochs, const struct source_partition *partitions, size_t count);
/* Whether messages of the partition are to be taken today. */
bool epochs_accepts(const struct epochs *epochs, int32_t partition);
bool epochs_source_committed(struct epochs *epochs, const struct error *result, int64_t now_ms, struct error *error) MUST_USE;
/* The next offset that is committed, or -1 when the partition is not held. */
int64_t epochs_committed(const struct epochs *epochs, int32_t partition);

/* --- work --- */
/* Marks a batch as out: it belongs to the epoch that fills now. */
void epochs_give(struct epochs *epochs, struct work *work, int64_t now_ms);
/* A batch or a block that came back; takes what hangs on it, and leaves the struct and its batch to the caller. */
bool epochs_take(struct epochs *epochs, struct work *work, int64_t now_ms, int64_t wall_ms, struct error *error) MUST_USE;
/* A block's worth of chunks that wants packing, or NULL. */
struct work *epochs_next_pack(struct epochs *epochs);
/* The largest target is packed before it is full, because memory is short. */
bool epochs_pack_early(struct epochs *epochs);
bool epochs_sink_event(struct epochs *epochs, const struct sink_event *event, struct error *error) MUST_USE;

/* --- time --- */
/* All transitions that can be made now. */
bool epochs_step(struct epochs *epochs, int64_t now_ms, struct error *error) MUST_USE;
int64_t epochs_deadline(const struct epochs *epochs);
/* Closes the filling epoch as soon as the other one is finished. */
void epochs_flush(struct epochs *epochs);
/* Nothing under way: every batch given is in the target and its offset is committed. */
bool epochs_idle(const struct epochs *epochs);
/* New batches should wait: open table partitions are at their bound and the other epoch is not finished. */
bool epochs_full(const struct epochs *epochs);

size_t epochs_bytes(const struct epochs *epochs); /* gathered or being packed */
size_t epochs_targets(const struct epochs *epochs);
const struct counts *epochs_counts(const struct epochs *epochs); /* finished, in this run */
int64_t epochs_last_timestamp(const struct epochs *epochs); /* of the last committed record; 0 before the first */

#endif
