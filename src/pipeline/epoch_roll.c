/* epoch_roll.c: rule 9: a partition that is assigned with a prepared record is not read before all sessions of the record are
 * known to be closed. The sink asks and commits; several owners of one record may do so at the same time, and none waits for
 * another.
 *
 * A record counts only when all Kafka partitions of its epoch carried it: a broker may store some partitions of a request and
 * refuse others, and whoever has one of the others reads its rows again. So the other partitions are looked at first. Each either
 * carries the record; or stands before the end of the epoch, and then the epoch was never prepared; or it has passed that end,
 * with this epoch or with a later one. The last is decided by the sessions: only with this epoch are all of them closed. (Found
 * by the model in tests/model, r6.) */
#include "pipeline/epoch_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum record_state {
    RECORD_COMPLETE, /* all its Kafka partitions carry it */
    RECORD_PARTIAL,  /* one never did */
    RECORD_PASSED,   /* one does not and stands behind the epoch: the sessions have to tell */
};

static bool carries(const struct epochs *epochs, const struct source_partition *stored, const struct position *record)
{
    struct position position;
    struct error error;
    bool same;

    if (position_parse(stored->metadata, &epochs->options.owner, &position, &error) != POSITION_OURS)
        return false;
    same = position.prepared && strcmp(position.epoch, record->epoch) == 0 && strcmp(position.by, record->by) == 0;
    position_release(&position);
    return same;
}

static enum record_state record_look(const struct epochs *epochs, const struct position *record,
                                     const struct source_partition *stored, size_t count)
{
    enum record_state state = RECORD_COMPLETE;

    for (size_t i = 0; i < record->cover_count; i++) {
        const struct position_cover *cover = &record->covers[i];
        const struct source_partition *found = NULL;

        for (size_t j = 0; j < count && !found; j++)
            if (stored[j].partition == cover->partition && stored[j].committed)
                found = &stored[j];
        if (!found)
            return RECORD_PARTIAL;
        if (carries(epochs, found, record))
            continue;
        if (found->offset < cover->next)
            return RECORD_PARTIAL;
        state = RECORD_PASSED;
    }
    return state;
}

static struct roll *roll_new(struct epochs *epochs, struct position *position, bool ask, int64_t now_ms)
{
    struct sink *sink = epochs->options.sink;
    struct roll *roll = xcalloc(1, sizeof(*roll));

    roll->record = *position;
    memset(position, 0, sizeof(*position));
    snprintf(roll->epoch, sizeof(roll->epoch), "%s", roll->record.epoch);
    roll->target_count = roll->record.session_count;
    roll->targets = xcalloc(roll->target_count + 1, sizeof(*roll->targets));
    roll->next = epochs->rolls;
    epochs->rolls = roll;
    for (size_t i = 0; i < roll->target_count; i++) {
        const struct position_session *session = &roll->record.sessions[i];
        struct target *target = &roll->targets[i];

        target->roll = roll;
        target->spec = session->spec;
        target->spec_size = strlen(session->spec);
        target->blocks = session->blocks;
        target->rows = session->rows;
        target->session = (ask ? sink->ops->session_ask : sink->ops->session_adopt)(
            sink, str_of(session->spec), str_of(session->id), session->blocks, session->rows, target, now_ms);
    }
    roll->done = roll->target_count == 0;
    log_info(epochs->options.log,
             "an epoch that was prepared and not finished is rolled forward epoch=%s by=%s sessions=%zu kafka_partitions=%zu%s",
             roll->epoch, roll->record.by, roll->target_count, roll->record.cover_count,
             ask ? "; one of them has passed it, so its sessions are asked first" : "");
    metric_add(epochs->options.stats->rolled, 1);
    return roll;
}

/* The epoch never was: its partition is read again from where it stands, without the record. */
static void never_prepared(struct epochs *epochs, struct held *held, const char *epoch)
{
    held->state = HELD_ANCHORING;
    log_warn(
        epochs->options.log,
        "the record of an epoch stands beside the offset of this partition, but not of all that it covers, so nothing of it was "
        "committed; its records are read again epoch=%s partition=%d offset=%" PRId64,
        epoch, held->partition, held->committed);
}

void roll_begin(struct epochs *epochs, struct held *held, struct position *position, const struct source_partition *stored,
                size_t stored_count, int64_t now_ms)
{
    struct roll *roll = epochs->rolls;
    enum record_state state = record_look(epochs, position, stored, stored_count);

    step_reached(STEP_roll_begun);
    if (state == RECORD_PARTIAL) {
        never_prepared(epochs, held, position->epoch);
        return;
    }
    held->state = HELD_ROLLING;
    held->roll_next = held->committed;
    held->roll_counts = position->counts;
    for (size_t i = 0; i < position->cover_count; i++)
        if (position->covers[i].partition == held->partition)
            held->roll_next = position->covers[i].next;
    while (roll && (strcmp(roll->epoch, position->epoch) != 0 || strcmp(roll->record.by, position->by) != 0))
        roll = roll->next;
    held->roll = roll ? roll : roll_new(epochs, position, state == RECORD_PASSED, now_ms);
}

/* One session that was asked is not committed, so the epoch was not what carried another partition past its end. */
void roll_session_open(struct epochs *epochs, struct target *target)
{
    struct roll *roll = target->roll;

    target->session = NULL;
    for (size_t i = 0; i < epochs->held_count; i++) {
        if (epochs->held[i].roll != roll)
            continue;
        epochs->held[i].roll = NULL;
        never_prepared(epochs, &epochs->held[i], roll->epoch);
    }
    roll_free(epochs, roll);
}

void roll_free(struct epochs *epochs, struct roll *roll)
{
    struct sink *sink = epochs->options.sink;
    struct roll **link = &epochs->rolls;

    while (*link != roll)
        link = &(*link)->next;
    *link = roll->next;
    for (size_t i = 0; i < roll->target_count; i++)
        if (roll->targets[i].session)
            sink->ops->session_drop(sink, roll->targets[i].session);
    free(roll->targets);
    position_release(&roll->record);
    free(roll);
}

void roll_leave(struct epochs *epochs, struct held *held)
{
    struct roll *roll = held->roll;

    held->roll = NULL;
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].roll == roll)
            return;
    roll_free(epochs, roll);
}

void roll_session_committed(struct epochs *epochs UNUSED, struct target *target)
{
    struct roll *roll = target->roll;

    target->session = NULL;
    target->committed = true;
    roll->committed++;
    step_reached(STEP_committed_one);
    if (roll->committed < roll->target_count)
        return;
    roll->done = true;
    step_reached(STEP_roll_committed);
}

void roll_session_unknown(const struct epochs *epochs, const struct target *target, struct error *error)
{
    const struct roll *roll = target->roll;
    struct buffer offsets;

    buffer_init(&offsets, 0);
    for (size_t i = 0; i < roll->record.cover_count && i < 4; i++)
        buffer_print(&offsets, "%s%d: %" PRId64 "..%" PRId64, i ? ", " : "", roll->record.covers[i].partition,
                     roll->record.covers[i].base, roll->record.covers[i].next - 1);
    error->kind = ERROR_FATAL;
    error_wrap(
        error,
        "the epoch %s, prepared by %s %" PRId64 " s ago, cannot be finished by itself: whether %" PRIu64
        " rows (Kafka partitions and offsets %s%s) are in the table is not known; `luaduct epoch show` has the evidence and "
        "`luaduct epoch resolve` takes your decision",
        roll->epoch, roll->record.by, (epochs->options.wall_ms() - roll->record.at_ms) / 1000, target->rows,
        buffer_text(&offsets), roll->record.cover_count > 4 ? ", ..." : "");
    buffer_release(&offsets);
}
