/* epoch.h: the epochs of a job, and the single place in which offsets move (design.md, "Epochs").
 *
 * An epoch covers the batches taken between two flushes. Its life:
 *   filling     batches come back and are taken in the order of offsets; chunks gather per table partition; full blocks go to
 *               the sink
 *   settling    the rest is packed, and all blocks are acknowledged
 *   sealing     the service's block lists equal ours
 *   syncing     dirty rows become durable
 *   preparing   exactly once: one OffsetCommit stores the epoch's record beside the offsets, which stay
 *   committing  the sessions are committed until each is known to be closed
 *   finishing   one OffsetCommit with the next offsets and the idle record; when the next epoch is sealed, its record is in the
 *               same request
 * Epochs go this way one behind the other: only the oldest is prepared, committed and finished, while the next one is sealed and
 * a third one fills. At least once is the same without preparing.
 *
 * An epoch that is not prepared may be given up whole, with those behind it; what is kept of it is read again (rewinds, which the
 * hub carries out). A prepared one is finished, or its record is left to the next owner of its partitions. A partition that comes
 * with a record is rolled forward before it is read (rule 9).
 *
 * Ownership: borrows source, sink, dirty store and stats; owns epochs, chunks, targets. Threads: the hub's.
 * Errors: false ends the job; nothing is lost, since the offsets of what is under way have not moved. */
#ifndef LUADUCT_PIPELINE_EPOCH_H
#define LUADUCT_PIPELINE_EPOCH_H

#include "dirty/dirty.h"
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
    int64_t (*wall_ms)(void);    /* for the times in records */
    int64_t revoke_ms_max;       /* how long a revoked partition may wait for its epoch: a third of max.poll.interval.ms */
    struct log *log;
};

struct epochs *epochs_new(const struct epochs_options *options) MUST_USE;
void epochs_free(struct epochs *epochs);

/* --- partitions --- */
/* SOURCE_ASSIGN: reads what was stored, rolls forward what is prepared (rule 9), anchors what has no committed offset (rule 1),
 * and then lets the source start. partitions[count..stored_count) are what is stored for those of others. */
bool epochs_offer(struct epochs *epochs, const struct source_partition *partitions, size_t count, size_t stored_count,
                  int64_t now_ms, struct error *error) MUST_USE;
void epochs_revoke(struct epochs *epochs, const struct source_partition *partitions, size_t count, int64_t now_ms);
void epochs_lose(struct epochs *epochs, const struct source_partition *partitions, size_t count);
/* Whether messages of the partition are to be taken today. */
bool epochs_accepts(const struct epochs *epochs, int32_t partition);
/* SOURCE_COMMITTED. */
bool epochs_source_committed(struct epochs *epochs, enum commit_result result, const struct error *why, int64_t now_ms,
                             struct error *error) MUST_USE;
/* A partition whose records from `offset` on are to be read again: whatever of it waits in the hub is to be thrown away before
 * the source is sent there. False: there is none. Asked for after every call below and above that may give up an epoch. */
struct rewind {
    int32_t partition;
    int64_t offset;
};
bool epochs_next_rewind(struct epochs *epochs, struct rewind *rewind_out);
/* The next offset that is committed, or -1 when the partition is not held. */
int64_t epochs_committed(const struct epochs *epochs, int32_t partition);

/* --- work --- */
/* Marks a batch as out: what comes of it is taken in the order in which the batches of a Kafka partition are given. */
void epochs_give(struct epochs *epochs, struct work *work);
/* A batch or a block that came back; takes what hangs on it, and leaves the struct and its batch to the caller. */
bool epochs_take(struct epochs *epochs, struct work *work, int64_t now_ms, int64_t wall_ms, struct error *error) MUST_USE;
/* A block's worth of chunks that wants packing, or NULL. */
struct work *epochs_next_pack(struct epochs *epochs);
/* The largest target is packed before it is full, because memory is short. */
bool epochs_pack_early(struct epochs *epochs);
/* How many dirty rows this run may have from now on; -1: unlimited. What the job says until then. */
void epochs_set_dirty_max(struct epochs *epochs, int64_t dirty_max);
bool epochs_sink_event(struct epochs *epochs, const struct sink_event *event, struct error *error) MUST_USE;

/* --- time --- */
/* All transitions that can be made now. */
bool epochs_step(struct epochs *epochs, int64_t now_ms, int64_t wall_ms, struct error *error) MUST_USE;
int64_t epochs_deadline(const struct epochs *epochs);
/* Closes the filling epoch as soon as the other one is finished. */
void epochs_flush(struct epochs *epochs);
/* Nothing under way: every batch given is in the target and its offset is committed. */
bool epochs_idle(const struct epochs *epochs);
/* The answer to an OffsetCommit is awaited. */
bool epochs_commit_out(const struct epochs *epochs);
/* New batches should wait: no epoch can take more before the oldest is finished. */
bool epochs_full(const struct epochs *epochs);

size_t epochs_bytes(const struct epochs *epochs); /* gathered, being packed, or waiting for an epoch */
size_t epochs_targets(const struct epochs *epochs);
const struct counts *epochs_counts(const struct epochs *epochs); /* finished, in this run */
const struct dirty_reasons *epochs_dirty_reasons(const struct epochs *epochs); /* of the same rows */
/* The same per Kafka partition, with the offsets where this run began and is now; in no order. Borrowed until the next call. */
struct tally {
    int32_t partition;
    int64_t from, to;
    struct counts counts;
};
const struct tally *epochs_tallies(const struct epochs *epochs, size_t *count_out);
/* The room for table partitions in one record, for workers; 0 when there is no bound. */
size_t epochs_record_room(const struct epochs *epochs);
int64_t epochs_last_timestamp(const struct epochs *epochs); /* of the last committed record; 0 before the first */

#endif
