/* epoch_partition.c: the Kafka partitions that this process holds: how they come, go, and are rewound. A list that is walked: a
 * process has some hundreds at most. */
#include "pipeline/epoch_internal.h"

#include <inttypes.h>
#include <stdlib.h>

struct held *held_of(const struct epochs *epochs, int32_t partition)
{
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].partition == partition)
            return &epochs->held[i];
    return NULL;
}

struct held *held_of_cover(const struct epochs *epochs, const struct cover *cover)
{
    struct held *held = held_of(epochs, cover->partition);

    return held && held->incarnation == cover->incarnation ? held : NULL;
}

static struct held *held_add(struct epochs *epochs, int32_t partition, enum held_state state)
{
    struct held *held;

    XGROW(epochs->held, epochs->held_count, epochs->held_capacity);
    held = &epochs->held[epochs->held_count++];
    *held = (struct held){.partition = partition, .incarnation = ++epochs->incarnations, .state = state};
    metric_set(epochs->options.stats->assigned, (int64_t)epochs->held_count);
    return held;
}

void held_forget(struct epochs *epochs, int32_t partition)
{
    struct held *held = held_of(epochs, partition);

    if (!held)
        return;
    tickets_orphan(epochs, held);
    if (held->roll)
        roll_leave(epochs, held);
    for (size_t i = 0; i < epochs->rewind_count; i++)
        if (epochs->rewinds[i].partition == partition)
            epochs->rewinds[i--] = epochs->rewinds[--epochs->rewind_count];
    *held = epochs->held[--epochs->held_count];
    metric_set(epochs->options.stats->assigned, (int64_t)epochs->held_count);
}

void held_rewind(struct epochs *epochs, struct held *held, int64_t offset)
{
    tickets_orphan(epochs, held);
    held->taken = offset;
    if (held->state != HELD_ACTIVE)
        return;
    for (size_t i = 0; i < epochs->rewind_count; i++) {
        if (epochs->rewinds[i].partition == held->partition) {
            epochs->rewinds[i].offset = offset;
            return;
        }
    }
    XGROW(epochs->rewinds, epochs->rewind_count, epochs->rewind_capacity);
    epochs->rewinds[epochs->rewind_count++] = (struct rewind){held->partition, offset};
}

bool epochs_next_rewind(struct epochs *epochs, struct rewind *rewind_out)
{
    if (!epochs->rewind_count)
        return false;
    *rewind_out = epochs->rewinds[--epochs->rewind_count];
    return true;
}

/* --- coming --- */

/* The text beside a committed offset; false ends the job. */
static bool offer_parse(struct epochs *epochs, const struct source_partition *offered, struct position *position,
                        struct error *error)
{
    const struct counts *wrong;

    switch (position_parse(offered->metadata, &epochs->options.owner, position, error)) {
    case POSITION_FOREIGN:
    case POSITION_UNKNOWN:
        return false;
    case POSITION_NONE:
        if (!offered->committed)
            return true;
        /* Whoever wrote it may have written over a record of ours. */
        if (epochs_exactly_once(epochs))
            return error_set(error, ERROR_FATAL,
                             "the committed position (offset %" PRId64
                             ") was not stored by luaduct, so what was written before is "
                             "not known; see that nothing else commits in this group, and set the position with `luaduct reset "
                             "JOB --to ...`",
                             offered->offset);
        log_warn(epochs->options.log,
                 "the committed position was not stored by luaduct; the job goes on from it, its counts start anew partition=%d "
                 "offset=%" PRId64,
                 offered->partition, offered->offset);
        return true;
    case POSITION_OURS:
        break;
    }
    wrong = !counts_balance(&position->ledger)   ? &position->ledger
            : !counts_balance(&position->counts) ? &position->counts
                                                 : NULL;
    if (!wrong)
        return true;
    error_set(error, ERROR_FATAL,
              "the stored counts%s do not add up: read %" PRId64 " + expanded %" PRId64 " is not written %" PRId64
              " + filtered %" PRId64 " + dirty %" PRId64 "; look at `luaduct epoch show JOB` before the job goes on",
              wrong == &position->counts ? " of the prepared epoch" : "", wrong->read, wrong->expanded, wrong->written,
              wrong->filtered, wrong->dirty);
    position_release(position);
    return false;
}

bool epochs_offer(struct epochs *epochs, const struct source_partition *partitions, size_t count, size_t stored_count,
                  int64_t now_ms, struct error *error)
{
    struct source *source = epochs->options.source;
    size_t rolling = 0;

    epochs->rejoining = false;
    for (size_t i = 0; i < count; i++) {
        const struct source_partition *offered = &partitions[i];
        struct position position;
        struct held *held;

        held_forget(epochs, offered->partition);
        if (!offer_parse(epochs, offered, &position, error))
            return error_wrap(error, "partition %d", offered->partition);
        held = held_add(epochs, offered->partition, offered->committed ? HELD_ACTIVE : HELD_ANCHORING);
        held->committed = held->taken = offered->offset;
        held->ledger = position.ledger;
        epochs_unsure_settle(epochs, held);
        if (position.prepared) {
            rolling++;
            roll_begin(epochs, held, &position, partitions, stored_count, now_ms);
        } else if (offered->committed) {
            source->ops->assign(source, offered, 1);
        }
        position_release(&position);
        log_debug(epochs->options.log, "partition assigned partition=%d offset=%" PRId64 " position=%s", offered->partition,
                  offered->offset, offered->committed ? "committed" : "resolved from start");
    }
    log_info(epochs->options.log, "partitions assigned count=%zu held=%zu position=%s", count, epochs->held_count,
             rolling                            ? "committed, with an epoch to roll forward"
             : count && partitions[0].committed ? "committed"
                                                : "resolved from start");
    return true;
}

/* --- going --- */

void epochs_revoke(struct epochs *epochs, const struct source_partition *partitions, size_t count, int64_t now_ms)
{
    bool under_way = false;

    for (size_t i = 0; i < count; i++) {
        struct held *held = held_of(epochs, partitions[i].partition);

        if (!held) /* asked back before it was offered here: still has to be answered */
            held = held_add(epochs, partitions[i].partition, HELD_LEAVING);
        held->state = HELD_LEAVING;
        /* What no epoch has is left to the next owner; so is a record, which he rolls forward. */
        tickets_orphan(epochs, held);
        if (held->roll)
            roll_leave(epochs, held);
        under_way |= epochs_covered(epochs, held->partition);
    }
    epochs->leaving_until_ms = now_ms + epochs->options.revoke_ms_max;
    log_info(epochs->options.log, "partitions are asked back count=%zu%s", count,
             under_way ? "; their rows are flushed first" : "");
}

void epochs_lose(struct epochs *epochs, const struct source_partition *partitions, size_t count)
{
    struct source *source = epochs->options.source;
    int32_t *numbers = xcalloc(count, sizeof(*numbers));

    for (size_t i = 0; i < count; i++) {
        numbers[i] = partitions[i].partition;
        held_forget(epochs, numbers[i]);
    }
    for (size_t i = 0; i < count; i++)
        epochs_drop_covering(epochs, numbers[i]);
    epochs_abandon(epochs);
    log_warn(epochs->options.log, "partitions were lost to the group; %s count=%zu",
             epochs_exactly_once(epochs) ? "their next owner finishes or reads again what was under way"
                                         : "what was not committed is read again by their next owner",
             count);
    source->ops->release(source, numbers, count);
    free(numbers);
}

bool held_leaving_covered(const struct epochs *epochs, const struct epoch *epoch)
{
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_LEAVING && epoch_cover(epoch, epochs->held[i].partition))
            return true;
    return false;
}

/* Gives revoked partitions back once no epoch needs them, or when their time is over. */
bool held_release_leaving(struct epochs *epochs, int64_t now_ms)
{
    struct source *source = epochs->options.source;
    int32_t *numbers;
    size_t count = 0;
    bool covered = false;

    for (size_t i = 0; i < epochs->count; i++)
        covered |= held_leaving_covered(epochs, epochs->list[i]);
    /* A commit under way may name them: a revoke is answered only when none is outstanding (rule 7). */
    if (epochs->commit_out || (covered && now_ms < epochs->leaving_until_ms))
        return false;
    numbers = xcalloc(epochs->held_count, sizeof(*numbers));
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_LEAVING)
            numbers[count++] = epochs->held[i].partition;
    if (count && covered)
        log_warn(epochs->options.log,
                 "partitions are given back before their rows were flushed, since the group would not wait; their next owner %s "
                 "count=%zu",
                 epochs_exactly_once(epochs) ? "finishes what is prepared and reads the rest again" : "reads those rows again",
                 count);
    for (size_t i = 0; i < count; i++)
        held_forget(epochs, numbers[i]);
    for (size_t i = 0; i < count; i++)
        epochs_drop_covering(epochs, numbers[i]);
    epochs_abandon(epochs);
    if (count) {
        source->ops->release(source, numbers, count);
        step_reached(STEP_released);
    }
    free(numbers);
    return count > 0;
}

bool epochs_accepts(const struct epochs *epochs, int32_t partition)
{
    const struct held *held = held_of(epochs, partition);

    return held && held->state == HELD_ACTIVE;
}

int64_t epochs_committed(const struct epochs *epochs, int32_t partition)
{
    const struct held *held = held_of(epochs, partition);

    return held ? held->committed : -1;
}
