/* epoch.c: method: two epochs at most, `filling` and `closing`, and a list of held partitions. epochs_step makes every transition
 * that is possible; events only change counters. One OffsetCommit is outstanding at a time (rule 4), built from today's
 * assignment at every try (rule 7), repeated after a refusal as long as the partition is held: at least once, a repeated commit
 * of the same offsets is harmless. */
#include "pipeline/epoch.h"

#include <inttypes.h>
#include <stdlib.h>

enum { COMMIT_RETRY_MS = 500 };

enum held_state { HELD_ANCHORING, HELD_ACTIVE, HELD_LEAVING };

struct held {
    int32_t partition;
    enum held_state state;
    int64_t next; /* the committed (or to be anchored) offset */
    struct counts ledger;
};

enum epoch_state { EPOCH_FILLING, EPOCH_SETTLING, EPOCH_SEALING, EPOCH_COMMITTING, EPOCH_FINISHING };

struct epoch_partition {
    int32_t partition;
    int64_t next;
    struct counts counts;
    int64_t timestamp_ms;
};

struct epoch {
    enum epoch_state state;
    uint64_t number;
    int64_t opened_ms, closed_ms;
    struct epoch_partition *partitions;
    size_t partition_count, partition_capacity;
    struct gather gather;
    size_t batches_out, packs_out, blocks_out;
    size_t sealed, committed;
    size_t bytes_packing;
    bool partitions_said; /* the log line about too many table partitions */
};

struct epochs {
    struct epochs_options options;
    struct held *held;
    size_t held_count, held_capacity;

    struct epoch *filling; /* made with its first batch */
    struct epoch *closing;
    uint64_t number_next;
    bool flush_wanted;
    int64_t leaving_until_ms; /* when revoked partitions are given back even if their epoch is not finished */

    /* the outstanding OffsetCommit */
    bool commit_out;
    bool commit_is_anchor;
    int32_t *commit_partitions;
    size_t commit_count;
    int64_t commit_not_before_ms;
    bool commit_failed_said;

    struct counts counts;
    int64_t dirty_rows; /* seen in this run, finished or not: what dirty.max is about */
    struct dirty_reasons *dirty_reasons;
    int64_t last_timestamp_ms;
};

struct epochs *epochs_new(const struct epochs_options *options)
{
    struct epochs *epochs = xcalloc(1, sizeof(*epochs));

    epochs->options = *options;
    epochs->number_next = 1;
    epochs->dirty_reasons = dirty_reasons_new();
    return epochs;
}

static void epoch_free(struct epoch *epoch)
{
    if (!epoch)
        return;
    gather_release(&epoch->gather);
    free(epoch->partitions);
    free(epoch);
}

void epochs_free(struct epochs *epochs)
{
    if (!epochs)
        return;
    epoch_free(epochs->filling);
    epoch_free(epochs->closing);
    free(epochs->held);
    free(epochs->commit_partitions);
    dirty_reasons_free(epochs->dirty_reasons);
    free(epochs);
}

/* --- partitions --- */

static struct held *held_of(const struct epochs *epochs, int32_t partition)
{
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].partition == partition)
            return &epochs->held[i];
    return NULL;
}

static void held_remove(struct epochs *epochs, int32_t partition)
{
    struct held *held = held_of(epochs, partition);

    if (held)
        *held = epochs->held[--epochs->held_count];
}

bool epochs_offer(struct epochs *epochs, const struct source_partition *partitions, size_t count, struct error *error)
{
    struct source *source = epochs->options.source;

    for (size_t i = 0; i < count; i++) {
        const struct source_partition *offered = &partitions[i];
        struct held *held = held_of(epochs, offered->partition);
        enum position_status status;
        struct position position;

        if (!held) {
            XGROW(epochs->held, epochs->held_count, epochs->held_capacity);
            held = &epochs->held[epochs->held_count++];
        }
        *held = (struct held){.partition = offered->partition, .next = offered->offset};
        status = position_parse(offered->metadata, &epochs->options.owner, &position, error);
        held->ledger = position.ledger;
        position_release(&position);
        if (status == POSITION_FOREIGN || status == POSITION_UNKNOWN)
            return error_wrap(error, "partition %d", offered->partition);
        if (status == POSITION_NONE && offered->committed)
            log_warn(epochs->options.log,
                     "the committed position was not stored by luaduct; the job goes on from it, its counts start anew "
                     "partition=%d offset=%" PRId64,
                     offered->partition, offered->offset);
        if (offered->committed) {
            held->state = HELD_ACTIVE;
            source->ops->assign(source, offered, 1);
        } else {
            held->state = HELD_ANCHORING;
        }
        log_debug(epochs->options.log, "partition assigned partition=%d offset=%" PRId64 " position=%s", offered->partition,
                  offered->offset, offered->committed ? "committed" : "resolved from start");
    }
    log_info(epochs->options.log, "partitions assigned count=%zu held=%zu position=%s", count, epochs->held_count,
             count && partitions[0].committed ? "committed" : "resolved from start");
    metric_set(epochs->options.stats->assigned, (int64_t)epochs->held_count);
    return true;
}

static bool epoch_covers(const struct epoch *epoch, int32_t partition)
{
    for (size_t i = 0; epoch && i < epoch->partition_count; i++)
        if (epoch->partitions[i].partition == partition)
            return true;
    return false;
}

void epochs_revoke(struct epochs *epochs, const struct source_partition *partitions, size_t count, int64_t now_ms)
{
    bool under_way = false;

    for (size_t i = 0; i < count; i++) {
        struct held *held = held_of(epochs, partitions[i].partition);

        if (!held) {
            /* Asked back before it was offered here: still has to be answered. */
            XGROW(epochs->held, epochs->held_count, epochs->held_capacity);
            held = &epochs->held[epochs->held_count++];
            *held = (struct held){.partition = partitions[i].partition};
        }
        held->state = HELD_LEAVING;
        under_way |= epoch_covers(epochs->filling, held->partition) || epoch_covers(epochs->closing, held->partition);
    }
    epochs->leaving_until_ms = now_ms + epochs->options.revoke_ms_max;
    log_info(epochs->options.log, "partitions are asked back count=%zu%s", count,
             under_way ? "; their rows are flushed first" : "");
}

static void epoch_forget(struct epoch *epoch, int32_t partition)
{
    for (size_t i = 0; epoch && i < epoch->partition_count; i++) {
        if (epoch->partitions[i].partition == partition) {
            epoch->partitions[i] = epoch->partitions[--epoch->partition_count];
            return;
        }
    }
}

/* The partition is somebody else's from here on; rows of it that are under way will be read again there. */
static void forget_partition(struct epochs *epochs, int32_t partition)
{
    held_remove(epochs, partition);
    epoch_forget(epochs->filling, partition);
    epoch_forget(epochs->closing, partition);
    metric_set(epochs->options.stats->assigned, (int64_t)epochs->held_count);
}

void epochs_lose(struct epochs *epochs, const struct source_partition *partitions, size_t count)
{
    struct source *source = epochs->options.source;
    int32_t *numbers = xcalloc(count, sizeof(*numbers));

    for (size_t i = 0; i < count; i++) {
        numbers[i] = partitions[i].partition;
        forget_partition(epochs, numbers[i]);
    }
    log_warn(epochs->options.log,
             "partitions were lost to the group; what was not committed is read again by their next owner count=%zu", count);
    source->ops->release(source, numbers, count);
    free(numbers);
}

bool epochs_accepts(const struct epochs *epochs, int32_t partition)
{
    const struct held *held = held_of(epochs, partition);

    return held && held->state == HELD_ACTIVE;
}

int64_t epochs_committed(const struct epochs *epochs, int32_t partition)
{
    const struct held *held = held_of(epochs, partition);

    return held ? held->next : -1;
}

/* --- the OffsetCommit --- */

/* Adds one partition's offset and idle record. The texts stay in `texts` until the commit is sent; data is set afterwards, since
 * the buffer moves. */
static void commit_add(struct epochs *epochs, struct source_partition *partition, int32_t number, int64_t offset,
                       const struct counts *ledger, struct buffer *texts)
{
    size_t start = texts->size;

    position_print(&epochs->options.owner, &(struct position){.ledger = *ledger}, texts);
    *partition = (struct source_partition){.partition = number, .offset = offset, .metadata = {NULL, texts->size - start}};
}

static void commit_send(struct epochs *epochs, struct source_partition *partitions, size_t count, const struct buffer *texts)
{
    struct source *source = epochs->options.source;
    const char *text = texts->data;

    epochs->commit_partitions = xrealloc(epochs->commit_partitions, count * sizeof(*epochs->commit_partitions));
    for (size_t i = 0; i < count; i++) {
        partitions[i].metadata.data = text;
        text += partitions[i].metadata.size;
        epochs->commit_partitions[i] = partitions[i].partition;
    }
    epochs->commit_count = count;
    epochs->commit_out = true;
    source->ops->commit(source, partitions, count);
}

static void send_anchors(struct epochs *epochs)
{
    struct source_partition *partitions = xcalloc(epochs->held_count, sizeof(*partitions));
    struct buffer texts;
    size_t count = 0;

    buffer_init(&texts, 0);
    for (size_t i = 0; i < epochs->held_count; i++) {
        const struct held *held = &epochs->held[i];

        if (held->state == HELD_ANCHORING)
            commit_add(epochs, &partitions[count++], held->partition, held->next, &held->ledger, &texts);
    }
    if (count) {
        epochs->commit_is_anchor = true;
        commit_send(epochs, partitions, count, &texts);
    }
    buffer_release(&texts);
    free(partitions);
}

/* False when none of the epoch's partitions is held any more, so that there is nothing to commit. */
static bool send_finish(struct epochs *epochs, const struct epoch *epoch)
{
    struct source_partition *partitions = xcalloc(epoch->partition_count, sizeof(*partitions));
    struct buffer texts;
    size_t count = 0;

    buffer_init(&texts, 0);
    for (size_t i = 0; i < epoch->partition_count; i++) {
        const struct epoch_partition *covered = &epoch->partitions[i];
        const struct held *held = held_of(epochs, covered->partition);
        struct counts ledger;

        if (!held)
            continue;
        ledger = held->ledger;
        counts_add(&ledger, &covered->counts);
        commit_add(epochs, &partitions[count++], covered->partition, covered->next, &ledger, &texts);
    }
    if (count) {
        epochs->commit_is_anchor = false;
        commit_send(epochs, partitions, count, &texts);
    }
    buffer_release(&texts);
    free(partitions);
    return count > 0;
}

static void anchored(struct epochs *epochs)
{
    struct source *source = epochs->options.source;

    for (size_t i = 0; i < epochs->commit_count; i++) {
        struct held *held = held_of(epochs, epochs->commit_partitions[i]);
        struct source_partition start;

        if (!held || held->state != HELD_ANCHORING)
            continue;
        held->state = HELD_ACTIVE;
        start = (struct source_partition){.partition = held->partition, .offset = held->next};
        source->ops->assign(source, &start, 1);
    }
}

static void finish_epoch(struct epochs *epochs, int64_t now_ms)
{
    struct epoch *epoch = epochs->closing;
    struct stats *stats = epochs->options.stats;
    struct counts total = {0};

    for (size_t i = 0; i < epoch->partition_count; i++) {
        const struct epoch_partition *covered = &epoch->partitions[i];
        struct held *held = held_of(epochs, covered->partition);

        if (!held)
            continue;
        counts_add(&held->ledger, &covered->counts);
        held->next = covered->next;
        counts_add(&total, &covered->counts);
        epochs->last_timestamp_ms = int64_max(epochs->last_timestamp_ms, covered->timestamp_ms);
    }
    counts_add(&epochs->counts, &total);
    metric_add(stats->read, total.read);
    metric_add(stats->written, total.written);
    metric_add(stats->filtered, total.filtered);
    metric_add(stats->dirty, total.dirty);
    metric_add(stats->expanded, total.expanded);
    metric_add(stats->epochs, 1);
    metric_set(stats->flush_seconds_milli, now_ms - epoch->closed_ms);
    log_debug(epochs->options.log,
              "epoch finished number=%" PRIu64 " read=%" PRId64 " written=%" PRId64 " filtered=%" PRId64 " dirty=%" PRId64
              " partitions=%zu flush_ms=%" PRId64,
              epoch->number, total.read, total.written, total.filtered, total.dirty, epoch->gather.count,
              now_ms - epoch->closed_ms);
    epoch_free(epoch);
    epochs->closing = NULL;
}

bool epochs_source_committed(struct epochs *epochs, const struct error *result, int64_t now_ms, struct error *error)
{
    assert(epochs->commit_out);
    epochs->commit_out = false;
    if (result->kind == ERROR_NONE) {
        epochs->commit_failed_said = false;
        if (epochs->commit_is_anchor)
            anchored(epochs);
        else
            finish_epoch(epochs, now_ms);
        return true;
    }
    if (result->kind != ERROR_RETRY) {
        *error = *result;
        return error_wrap(error, "committing offsets");
    }
    if (!epochs->commit_failed_said)
        log_warn(epochs->options.log, "offsets could not be committed, trying again: %s", result->text);
    epochs->commit_failed_said = true;
    epochs->commit_not_before_ms = now_ms + COMMIT_RETRY_MS;
    return true;
}

/* --- work --- */

static struct epoch *epoch_new(struct epochs *epochs, int64_t now_ms)
{
    struct epoch *epoch = xcalloc(1, sizeof(*epoch));

    epoch->number = epochs->number_next++;
    epoch->opened_ms = now_ms;
    gather_init(&epoch->gather, epoch);
    return epoch;
}

static struct epoch_partition *epoch_partition_of(struct epoch *epoch, int32_t partition, bool make)
{
    for (size_t i = 0; i < epoch->partition_count; i++)
        if (epoch->partitions[i].partition == partition)
            return &epoch->partitions[i];
    if (!make)
        return NULL;
    XGROW(epoch->partitions, epoch->partition_count, epoch->partition_capacity);
    epoch->partitions[epoch->partition_count] = (struct epoch_partition){.partition = partition};
    return &epoch->partitions[epoch->partition_count++];
}

void epochs_give(struct epochs *epochs, struct work *work, int64_t now_ms)
{
    struct epoch_partition *covered;

    if (!epochs->filling)
        epochs->filling = epoch_new(epochs, now_ms);
    covered = epoch_partition_of(epochs->filling, work->partition, true);
    covered->next = work->offset_next; /* the last one counts: after a gap in a log that was made anew offsets begin again */
    covered->timestamp_ms = int64_max(covered->timestamp_ms, work->timestamp_ms);
    epochs->filling->batches_out++;
    work->epoch = epochs->filling;
}

/* Dirty rows: written now, durable before offsets move; the limit stops the job. */
static bool take_dirty(struct epochs *epochs, struct work *work, int64_t wall_ms, struct error *error)
{
    int64_t max = epochs->options.job->dirty.max;
    struct buffer text;

    if (!work->counts.dirty)
        return true;
    if (!epochs->dirty_rows && work->dirty_reasons) {
        struct buffer first;

        buffer_init(&first, 0);
        dirty_reasons_print(work->dirty_reasons, 3, &first);
        log_warn(epochs->options.log, "the first dirty rows: %s; they are kept in %s", buffer_text(&first),
                 epochs->options.job->dirty.directory);
        buffer_release(&first);
    }
    epochs->dirty_rows += work->counts.dirty;
    if (work->dirty_reasons)
        dirty_reasons_merge(epochs->dirty_reasons, work->dirty_reasons);
    if (!dirty_append(epochs->options.dirty, buffer_str(&work->dirty_lines), wall_ms, error))
        return error_wrap(error, "dirty store");
    if (max < 0 || epochs->dirty_rows <= max)
        return true;
    if (!dirty_sync(epochs->options.dirty, error))
        return error_wrap(error, "dirty store");
    buffer_init(&text, 0);
    dirty_reasons_print(epochs->dirty_reasons, 5, &text);
    error_set(error, ERROR_FATAL, "%" PRId64 " dirty rows are more than dirty.max (%" PRId64 "): %s; they are in %s",
              epochs->dirty_rows, max, buffer_text(&text), epochs->options.job->dirty.directory);
    buffer_release(&text);
    return false;
}

static bool take_batch(struct epochs *epochs, struct epoch *epoch, struct work *work, int64_t wall_ms, struct error *error)
{
    struct epoch_partition *covered = epoch_partition_of(epoch, work->partition, false);
    struct stats *stats = epochs->options.stats;

    epoch->batches_out--;
    if (!work->ok) {
        *error = work->error;
        return error_wrap(error, "partition %d offsets %" PRId64 "..%" PRId64, work->partition, work->offset_first,
                          work->offset_next - 1);
    }
    if (!counts_balance(&work->counts))
        return error_set(error, ERROR_FATAL,
                         "the count of rows does not add up in partition %d offsets %" PRId64 "..%" PRId64 ": read %" PRId64
                         " + expanded %" PRId64 " is not written %" PRId64 " + filtered %" PRId64 " + dirty %" PRId64
                         "; the job stops rather than lose or double a row",
                         work->partition, work->offset_first, work->offset_next - 1, work->counts.read, work->counts.expanded,
                         work->counts.written, work->counts.filtered, work->counts.dirty);
    metric_add(stats->processed, work->counts.read);
    if (!covered) /* the partition went away meanwhile: its next owner reads these rows again, so they are not written here */
        return true;
    for (struct chunk *chunk = work->chunks; chunk; chunk = chunk->next)
        metric_add(stats->raw_bytes, (int64_t)chunk->records_size);
    counts_add(&covered->counts, &work->counts);
    if (!take_dirty(epochs, work, wall_ms, error))
        return false;
    gather_add(&epoch->gather, work->chunks, (size_t)epochs->options.job->runtime.flush_bytes);
    work->chunks = NULL;
    return true;
}

static bool take_block(struct epochs *epochs, struct epoch *epoch, struct work *work, int64_t now_ms, struct error *error)
{
    struct sink *sink = epochs->options.sink;
    struct target *target = work->target;

    epoch->packs_out--;
    epoch->bytes_packing -= (size_t)work->bytes;
    target->packs_out--;
    if (!work->ok) {
        *error = work->error;
        return error_wrap(error, "table partition %.*s", (int)target->spec_size, target->spec);
    }
    if (!target->session)
        target->session = sink->ops->session_open(sink, str_make(target->spec, target->spec_size), target, now_ms);
    target->blocks_out++;
    epoch->blocks_out++;
    sink->ops->block_put(sink, target->session, work->block, now_ms);
    work->block = NULL;
    return true;
}

bool epochs_take(struct epochs *epochs, struct work *work, int64_t now_ms, int64_t wall_ms, struct error *error)
{
    struct epoch *epoch = work->epoch;

    assert(epoch == epochs->filling || epoch == epochs->closing);
    if (work->kind == WORK_PACK)
        return take_block(epochs, epoch, work, now_ms, error);
    return take_batch(epochs, epoch, work, wall_ms, error);
}

static struct work *next_pack_of(struct epoch *epoch)
{
    struct target *target;
    struct chunk *chunks;
    struct work *work;
    size_t bytes;

    if (!epoch || !(chunks = gather_take_due(&epoch->gather, &target, &bytes)))
        return NULL;
    work = work_new(WORK_PACK);
    work->epoch = epoch;
    work->target = target;
    work->chunks = chunks;
    work->bytes = (int64_t)bytes;
    target->packs_out++;
    epoch->packs_out++;
    epoch->bytes_packing += bytes;
    return work;
}

struct work *epochs_next_pack(struct epochs *epochs)
{
    struct work *work = next_pack_of(epochs->closing);

    return work ? work : next_pack_of(epochs->filling);
}

bool epochs_pack_early(struct epochs *epochs)
{
    enum { EARLY_BYTES_MIN = 256 * 1024 };

    if (!epochs->filling || !gather_push_largest(&epochs->filling->gather, EARLY_BYTES_MIN))
        return false;
    metric_add(epochs->options.stats->early_memory, 1);
    return true;
}

bool epochs_sink_event(struct epochs *epochs, const struct sink_event *event, struct error *error)
{
    struct stats *stats = epochs->options.stats;
    struct target *target;
    struct epoch *epoch;

    switch (event->kind) {
    case SINK_BLOCK_ACKED:
        target = sink_session_user(event->session);
        epoch = target->epoch;
        target->blocks_out--;
        epoch->blocks_out--;
        metric_add(stats->blocks, 1);
        metric_add(stats->sent_bytes, (int64_t)event->block->size);
        break;
    case SINK_SESSION_SEALED:
        target = sink_session_user(event->session);
        epoch = target->epoch;
        target->sealed = true;
        epoch->sealed++;
        break;
    case SINK_SESSION_COMMITTED:
        target = sink_session_user(event->session);
        epoch = target->epoch;
        target->committed = true;
        target->session = NULL;
        epoch->committed++;
        break;
    case SINK_SESSION_UNKNOWN:
    case SINK_FAILED:
        *error = event->error;
        return false;
    case SINK_READY:
        break;
    }
    return true;
}

/* --- transitions --- */

static void close_filling(struct epochs *epochs, int64_t now_ms)
{
    epochs->closing = epochs->filling;
    epochs->filling = NULL;
    epochs->closing->state = EPOCH_SETTLING;
    epochs->closing->closed_ms = now_ms;
    epochs->flush_wanted = false;
}

static bool leaving_covered(const struct epochs *epochs, const struct epoch *epoch)
{
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_LEAVING && epoch_covers(epoch, epochs->held[i].partition))
            return true;
    return false;
}

/* Whether the filling epoch has to be closed now, if the other one lets it. */
static bool filling_due(struct epochs *epochs, int64_t now_ms)
{
    const struct job *job = epochs->options.job;
    struct epoch *epoch = epochs->filling;

    if (epochs->flush_wanted || now_ms - epoch->opened_ms >= job->runtime.flush_interval_ms || leaving_covered(epochs, epoch))
        return true;
    if (epoch->gather.count < job->target.partitions_open_max)
        return false;
    if (!epoch->partitions_said) {
        epoch->partitions_said = true;
        metric_add(epochs->options.stats->early_partitions, 1);
        log_info(epochs->options.log,
                 "early flush: %zu table partitions are open; raise target.partitions_open_max (%u) for larger blocks",
                 epoch->gather.count, job->target.partitions_open_max);
    }
    return true;
}

static bool settled(const struct epoch *epoch)
{
    return !epoch->batches_out && !epoch->packs_out && !epoch->blocks_out && !epoch->gather.bytes && !epoch->gather.due_first;
}

/* One transition of the closing epoch; false when there is none to make. */
static bool closing_step(struct epochs *epochs, int64_t now_ms, struct error *error)
{
    struct sink *sink = epochs->options.sink;
    struct epoch *epoch = epochs->closing;

    switch (epoch->state) {
    case EPOCH_FILLING:
        break;
    case EPOCH_SETTLING:
        if (!epoch->batches_out && epoch->gather.bytes && !epoch->gather.due_first)
            gather_push_all(&epoch->gather);
        if (!settled(epoch))
            return false;
        epoch->state = EPOCH_SEALING;
        for (struct target *target = epoch->gather.first; target; target = target->next)
            sink->ops->session_seal(sink, target->session, now_ms);
        return true;
    case EPOCH_SEALING:
        if (epoch->sealed < epoch->gather.count)
            return false;
        if (!dirty_sync(epochs->options.dirty, error)) {
            error_wrap(error, "dirty store");
            return false;
        }
        epoch->state = EPOCH_COMMITTING;
        for (struct target *target = epoch->gather.first; target; target = target->next)
            sink->ops->session_commit(sink, target->session, now_ms);
        return true;
    case EPOCH_COMMITTING:
        if (epoch->committed < epoch->gather.count)
            return false;
        epoch->state = EPOCH_FINISHING;
        epochs->commit_not_before_ms = now_ms;
        return true;
    case EPOCH_FINISHING:
        if (epochs->commit_out || now_ms < epochs->commit_not_before_ms)
            return false;
        if (send_finish(epochs, epoch))
            return false;
        finish_epoch(epochs, now_ms); /* every partition of it is gone */
        return true;
    }
    return false;
}

/* Gives revoked partitions back once no epoch needs them, or when their time is over. */
static bool release_leaving(struct epochs *epochs, int64_t now_ms)
{
    struct source *source = epochs->options.source;
    int32_t *numbers;
    size_t count = 0;
    bool covered = leaving_covered(epochs, epochs->filling) || leaving_covered(epochs, epochs->closing);

    /* A commit under way may name them: a revoke is answered only when none is outstanding (rule 7). */
    if (epochs->commit_out || (covered && now_ms < epochs->leaving_until_ms))
        return false;
    numbers = xcalloc(epochs->held_count, sizeof(*numbers));
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_LEAVING)
            numbers[count++] = epochs->held[i].partition;
    if (count && covered)
        log_warn(epochs->options.log,
                 "partitions are given back before their rows were flushed, since the group would not wait; their next owner "
                 "reads those rows again count=%zu",
                 count);
    for (size_t i = 0; i < count; i++)
        forget_partition(epochs, numbers[i]);
    if (count)
        source->ops->release(source, numbers, count);
    free(numbers);
    return count > 0;
}

static bool anchors_wanted(const struct epochs *epochs)
{
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_ANCHORING)
            return true;
    return false;
}

bool epochs_step(struct epochs *epochs, int64_t now_ms, struct error *error)
{
    bool moved;

    error->kind = ERROR_NONE;
    do {
        moved = false;
        if (!epochs->commit_out && now_ms >= epochs->commit_not_before_ms && anchors_wanted(epochs))
            send_anchors(epochs);
        if (epochs->filling && !epochs->closing && filling_due(epochs, now_ms)) {
            close_filling(epochs, now_ms);
            moved = true;
        }
        if (epochs->closing)
            moved |= closing_step(epochs, now_ms, error);
        if (error->kind != ERROR_NONE)
            return false;
        moved |= release_leaving(epochs, now_ms);
    } while (moved);
    metric_set(epochs->options.stats->partitions_open, (int64_t)epochs_targets(epochs));
    return true;
}

int64_t epochs_deadline(const struct epochs *epochs)
{
    int64_t deadline = INT64_MAX;

    if (epochs->filling && !epochs->closing)
        deadline = epochs->filling->opened_ms + epochs->options.job->runtime.flush_interval_ms;
    if (!epochs->commit_out && (anchors_wanted(epochs) || (epochs->closing && epochs->closing->state == EPOCH_FINISHING)))
        deadline = int64_min(deadline, epochs->commit_not_before_ms);
    /* With a commit under way nothing is given back, however late it is: its answer is what is waited for. */
    for (size_t i = 0; i < epochs->held_count && !epochs->commit_out; i++)
        if (epochs->held[i].state == HELD_LEAVING)
            deadline = int64_min(deadline, epochs->leaving_until_ms);
    return deadline;
}

void epochs_flush(struct epochs *epochs)
{
    epochs->flush_wanted = epochs->filling != NULL;
}

bool epochs_idle(const struct epochs *epochs)
{
    return !epochs->filling && !epochs->closing && !epochs->commit_out;
}

bool epochs_full(const struct epochs *epochs)
{
    return epochs->closing && epochs->filling && epochs->filling->gather.count >= epochs->options.job->target.partitions_open_max;
}

size_t epochs_bytes(const struct epochs *epochs)
{
    size_t bytes = 0;

    if (epochs->filling)
        bytes += epochs->filling->gather.bytes + epochs->filling->bytes_packing;
    if (epochs->closing)
        bytes += epochs->closing->gather.bytes + epochs->closing->bytes_packing;
    return bytes;
}

size_t epochs_targets(const struct epochs *epochs)
{
    return (epochs->filling ? epochs->filling->gather.count : 0) + (epochs->closing ? epochs->closing->gather.count : 0);
}

const struct counts *epochs_counts(const struct epochs *epochs)
{
    return &epochs->counts;
}

int64_t epochs_last_timestamp(const struct epochs *epochs)
{
    return epochs->last_timestamp_ms;
}
