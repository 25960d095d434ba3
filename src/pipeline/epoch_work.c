/* epoch_work.c: what workers bring back. Batches of one Kafka partition come back in any order and are taken in the order in
 * which they were given, so that an epoch can be closed behind any of them: what it covers of a partition is always one run of
 * offsets. A batch that comes early waits in its ticket. */
#include "pipeline/epoch_internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- tickets --- */

static void ticket_free(struct epochs *epochs, struct ticket *ticket)
{
    epochs->waiting_bytes -= ticket->bytes;
    segments_free(ticket->segments);
    free(ticket);
}

/* Those that are back are thrown away, the others when they come. */
void tickets_orphan(struct epochs *epochs, struct held *held)
{
    while (held->tickets) {
        struct ticket *ticket = held->tickets;

        held->tickets = ticket->next;
        if (ticket->back) {
            ticket_free(epochs, ticket);
        } else {
            ticket->orphaned = true;
            ticket->next = epochs->orphans;
            epochs->orphans = ticket;
        }
    }
    held->tickets_tail = NULL;
}

static void orphan_free(struct epochs *epochs, struct ticket *ticket)
{
    struct ticket **link = &epochs->orphans;

    while (*link != ticket)
        link = &(*link)->next;
    *link = ticket->next;
    ticket_free(epochs, ticket);
}

void tickets_free(struct epochs *epochs)
{
    while (epochs->orphans)
        orphan_free(epochs, epochs->orphans);
}

void epochs_give(struct epochs *epochs, struct work *work)
{
    struct held *held = held_of(epochs, work->partition);
    struct ticket *ticket = xcalloc(1, sizeof(*ticket));

    ticket->partition = work->partition;
    work->id_bytes = epochs->id_bytes;
    if (!held || held->state != HELD_ACTIVE) {
        ticket->orphaned = true;
        ticket->next = epochs->orphans;
        epochs->orphans = ticket;
    } else if (held->tickets) {
        *held->tickets_tail = ticket;
        held->tickets_tail = &ticket->next;
    } else {
        held->tickets = ticket;
        held->tickets_tail = &ticket->next;
    }
    work->epoch = ticket;
}

/* --- into the filling epoch --- */

static struct epoch *epoch_open(struct epochs *epochs, int64_t now_ms)
{
    struct epoch *epoch = xcalloc(1, sizeof(*epoch));

    epoch->number = epochs->number_next++;
    epoch->opened_ms = now_ms;
    epoch->record_bytes = epochs->record_bytes_fixed;
    gather_init(&epoch->gather, epoch);
    epochs->list[epochs->count++] = epoch;
    return epoch;
}

/* What the segment would add to an epoch's record at most. */
static size_t record_growth(const struct epochs *epochs, const struct epoch *epoch, int32_t partition,
                            const struct segment *segment)
{
    size_t bytes = epoch && epoch_cover(epoch, partition) ? 0 : POSITION_BYTES_COVER;

    for (const struct chunk *chunk = segment->chunks; chunk; chunk = chunk->next)
        if (!epoch || !gather_has(&epoch->gather, chunk_spec(chunk)))
            bytes += position_bytes_session(position_bytes_spec(chunk_spec(chunk)), epochs->id_bytes);
    return bytes;
}

/* The bound is generous; near it the record is printed, which tells the truth for a few microseconds. */
static bool record_fits(const struct epochs *epochs, const struct epoch *epoch, const struct held *held,
                        const struct segment *segment)
{
    struct cover cover = {.partition = held->partition, .base = held->taken, .next = segment->offset_next};
    struct buffer text;
    bool fits;

    if (epoch->record_bytes + record_growth(epochs, epoch, held->partition, segment) <= POSITION_BYTES_MAX)
        return true;
    buffer_init(&text, 0);
    epoch_record_print(epochs, epoch, &cover, &held->ledger, segment->chunks, &text);
    fits = text.size + 2 * RECORD_BYTES_SPARE <= POSITION_BYTES_MAX;
    buffer_release(&text);
    return fits;
}

/* The epoch that takes the segment; NULL while there is room in none. */
static struct epoch *epoch_for(struct epochs *epochs, const struct held *held, const struct segment *segment, int64_t now_ms)
{
    struct epoch *epoch = epochs_filling(epochs);
    size_t open_max = epochs->options.job->target.partitions_open_max;

    if (epoch && epochs_exactly_once(epochs) && !record_fits(epochs, epoch, held, segment)) {
        if (epochs->count == EPOCHS_MAX)
            return NULL;
        metric_add(epochs->options.stats->early_record, 1);
        if (!epoch->early_said)
            log_info(epochs->options.log,
                     "early flush: the epoch's record is full with %zu table partitions and %zu Kafka partitions; a longer "
                     "runtime.flush_interval does not help, fewer table partitions at once do",
                     epoch->gather.count, epoch->cover_count);
        epochs_close_filling(epochs, now_ms);
        epoch = NULL;
    }
    if (epoch && epoch->gather.count > open_max && epochs->count < EPOCHS_MAX) {
        epochs_close_early(epochs, now_ms);
        epoch = NULL;
    }
    if (epoch)
        return epoch;
    /* What is open is bounded over all epochs together, at twice the bound: one closes while the next one fills. */
    if (epochs->count == EPOCHS_MAX || (epochs->count > 1 && epochs_targets(epochs) >= 2 * open_max))
        return NULL;
    return epoch_open(epochs, now_ms);
}

static struct cover *cover_for(struct epochs *epochs, struct epoch *epoch, const struct held *held)
{
    struct cover *cover = epoch_cover(epoch, held->partition);

    if (cover)
        return cover;
    XGROW(epoch->covers, epoch->cover_count, epoch->cover_capacity);
    cover = &epoch->covers[epoch->cover_count++];
    *cover =
        (struct cover){.partition = held->partition, .incarnation = held->incarnation, .base = held->taken, .next = held->taken};
    (void)epochs_tally(epochs, held->partition, held->taken);
    return cover;
}

void epochs_set_dirty_max(struct epochs *epochs, int64_t dirty_max)
{
    epochs->dirty_max = dirty_max;
}

/* Dirty rows: written now, durable before the epoch is prepared; the limit stops the job. */
static bool take_dirty(struct epochs *epochs, struct epoch *epoch, struct segment *segment, int64_t wall_ms, struct error *error)
{
    int64_t rows = epochs->dirty_finished;
    struct dirty_reasons *reasons;
    struct buffer text;

    epoch->dirty_rows += segment->counts.dirty;
    if (segment->dirty_reasons) {
        if (!epochs->dirty_said) {
            buffer_init(&text, 0);
            dirty_reasons_print(segment->dirty_reasons, 3, &text);
            log_warn(epochs->options.log, "the first dirty rows: %s; they are kept in %s", buffer_text(&text),
                     dirty_place(epochs->options.dirty));
            buffer_release(&text);
        }
        epochs->dirty_said = true;
        if (!epoch->dirty_reasons)
            epoch->dirty_reasons = dirty_reasons_new();
        dirty_reasons_merge(epoch->dirty_reasons, segment->dirty_reasons);
    }
    if (!dirty_append(epochs->options.dirty, buffer_str(&segment->dirty_lines), wall_ms, error))
        return error_wrap(error, "dirty store");
    for (size_t i = 0; i < epochs->count; i++)
        rows += epochs->list[i]->dirty_rows;
    if (epochs->dirty_max < 0 || rows <= epochs->dirty_max)
        return true;
    if (!dirty_sync(epochs->options.dirty, error))
        return error_wrap(error, "dirty store");
    reasons = dirty_reasons_new();
    dirty_reasons_merge(reasons, epochs->dirty_reasons);
    for (size_t i = 0; i < epochs->count; i++)
        if (epochs->list[i]->dirty_reasons)
            dirty_reasons_merge(reasons, epochs->list[i]->dirty_reasons);
    buffer_init(&text, 0);
    dirty_reasons_print(reasons, 5, &text);
    dirty_reasons_free(reasons);
    error_set(error, ERROR_FATAL, "%" PRId64 " dirty rows are more than dirty.max (%" PRId64 "): %s; they are in %s", rows,
              epochs->dirty_max, buffer_text(&text), dirty_place(epochs->options.dirty));
    buffer_release(&text);
    return false;
}

static bool take_segment(struct epochs *epochs, struct epoch *epoch, struct held *held, struct segment *segment, int64_t wall_ms,
                         struct error *error)
{
    struct cover *cover = cover_for(epochs, epoch, held);

    if (epochs_exactly_once(epochs))
        epoch->record_bytes += record_growth(epochs, epoch, held->partition, segment);
    for (const struct chunk *chunk = segment->chunks; chunk; chunk = chunk->next)
        metric_add(epochs->options.stats->raw_bytes, (int64_t)chunk->records_size);
    counts_add(&cover->counts, &segment->counts);
    cover->next = held->taken = segment->offset_next; /* the last one counts: in a log that was made anew offsets begin again */
    cover->timestamp_ms = int64_max(cover->timestamp_ms, segment->timestamp_ms);
    if (!take_dirty(epochs, epoch, segment, wall_ms, error))
        return false;
    gather_add(&epoch->gather, segment->chunks, (size_t)epochs->options.job->runtime.flush_bytes);
    segment->chunks = NULL;
    return true;
}

/* The segments of one partition whose turn it is. False with an error; a segment that no epoch has room for sets `blocked`. */
static bool intake_held(struct epochs *epochs, struct held *held, int64_t now_ms, int64_t wall_ms, struct error *error)
{
    while (held->tickets && held->tickets->back) {
        struct ticket *ticket = held->tickets;

        while (ticket->segments) {
            struct segment *segment = ticket->segments;
            struct epoch *epoch = epoch_for(epochs, held, segment, now_ms);
            size_t bytes = segment_bytes(segment);

            if (!epoch) {
                epochs->blocked = true;
                return true;
            }
            ticket->segments = segment->next;
            segment->next = NULL;
            ticket->bytes -= bytes;
            epochs->waiting_bytes -= bytes;
            if (!take_segment(epochs, epoch, held, segment, wall_ms, error)) {
                segments_free(segment);
                return false;
            }
            segments_free(segment);
        }
        held->tickets = ticket->next;
        if (!held->tickets)
            held->tickets_tail = NULL;
        ticket_free(epochs, ticket);
    }
    return true;
}

bool epochs_intake(struct epochs *epochs, int64_t now_ms, int64_t wall_ms, struct error *error)
{
    epochs->blocked = false;
    for (size_t i = 0; i < epochs->held_count; i++)
        if (!intake_held(epochs, &epochs->held[i], now_ms, wall_ms, error))
            return false;
    return true;
}

/* --- back from workers --- */

static bool counts_check(const struct work *work, struct error *error)
{
    for (const struct segment *segment = work->segments; segment; segment = segment->next) {
        const struct counts *counts = &segment->counts;

        if (!counts_balance(counts))
            return error_set(error, ERROR_FATAL,
                             "the count of rows does not add up in partition %d offsets %" PRId64 "..%" PRId64 ": read %" PRId64
                             " + expanded %" PRId64 " is not written %" PRId64 " + filtered %" PRId64 " + dirty %" PRId64
                             "; the job stops rather than lose or double a row",
                             work->partition, work->offset_first, work->offset_next - 1, counts->read, counts->expanded,
                             counts->written, counts->filtered, counts->dirty);
    }
    return true;
}

static bool take_batch(struct epochs *epochs, struct work *work, int64_t now_ms, int64_t wall_ms, struct error *error)
{
    struct ticket *ticket = work->epoch;
    bool orphaned = ticket->orphaned;
    struct held *held = orphaned ? NULL : held_of(epochs, ticket->partition);

    work->epoch = NULL;
    ticket->back = true;
    if (orphaned) /* its next owner, or this process once more, reads these records again */
        orphan_free(epochs, ticket);
    if (!work->ok) {
        *error = work->error;
        return error_wrap(error, "partition %d offsets %" PRId64 "..%" PRId64, work->partition, work->offset_first,
                          work->offset_next - 1);
    }
    if (!counts_check(work, error))
        return false;
    for (const struct segment *segment = work->segments; segment; segment = segment->next)
        metric_add(epochs->options.stats->processed, segment->counts.read);
    if (orphaned)
        return true;
    ticket->segments = work->segments;
    work->segments = NULL;
    for (const struct segment *segment = ticket->segments; segment; segment = segment->next)
        ticket->bytes += segment_bytes(segment);
    epochs->waiting_bytes += ticket->bytes;
    return intake_held(epochs, held, now_ms, wall_ms, error);
}

void epochs_dropped_sweep(struct epochs *epochs)
{
    for (size_t i = 0; i < epochs->dropped_count; i++) {
        if (epochs->dropped[i]->packs_out)
            continue;
        epoch_free(epochs->dropped[i]);
        epochs->dropped[i--] = epochs->dropped[--epochs->dropped_count];
    }
}

static bool take_block(struct epochs *epochs, struct work *work, int64_t now_ms, struct error *error)
{
    struct sink *sink = epochs->options.sink;
    struct epoch *epoch = work->epoch;
    struct target *target = work->target;

    epoch->packs_out--;
    epoch->bytes_packing -= (size_t)work->bytes;
    target->packs_out--;
    if (!work->ok) {
        *error = work->error;
        return error_wrap(error, "table partition %.*s", (int)target->spec_size, target->spec);
    }
    if (epoch->dropped) {
        epochs_dropped_sweep(epochs);
        return true;
    }
    if (!target->session)
        target->session = sink->ops->session_open(sink, str_make(target->spec, target->spec_size), target, now_ms);
    target->blocks++;
    target->rows += work->block->rows;
    target->blocks_out++;
    epoch->blocks_out++;
    sink->ops->block_put(sink, target->session, work->block, now_ms);
    work->block = NULL;
    return true;
}

bool epochs_take(struct epochs *epochs, struct work *work, int64_t now_ms, int64_t wall_ms, struct error *error)
{
    return work->kind == WORK_PACK ? take_block(epochs, work, now_ms, error) : take_batch(epochs, work, now_ms, wall_ms, error);
}

/* --- to workers: blocks to pack --- */

static struct work *next_pack_of(struct epoch *epoch)
{
    struct target *target;
    struct chunk *chunks;
    struct work *work;
    size_t bytes;

    if (!(chunks = gather_take_due(&epoch->gather, &target, &bytes)))
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
    struct work *work = NULL;

    for (size_t i = 0; i < epochs->count && !work; i++)
        work = next_pack_of(epochs->list[i]);
    return work;
}

bool epochs_pack_early(struct epochs *epochs)
{
    enum { EARLY_BYTES_MIN = 256 * 1024 };
    struct epoch *filling = epochs_filling(epochs);

    if (!filling || !gather_push_largest(&filling->gather, EARLY_BYTES_MIN))
        return false;
    metric_add(epochs->options.stats->early_memory, 1);
    return true;
}
