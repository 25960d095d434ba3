/* epoch_roll.c: rule 9: a partition that is assigned with a prepared record is not read before all sessions of the record are
 * known to be closed. The sink asks and commits; several owners of one record may do so at the same time, and none waits for
 * another. */
#include "pipeline/epoch_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct roll *roll_new(struct epochs *epochs, struct position *position, int64_t now_ms)
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
        target->session = sink->ops->session_adopt(sink, str_of(session->spec), str_of(session->id), session->blocks,
                                                   session->rows, target, now_ms);
    }
    roll->done = roll->target_count == 0;
    log_info(epochs->options.log,
             "an epoch that was prepared and not finished is rolled forward epoch=%s by=%s sessions=%zu kafka_partitions=%zu",
             roll->epoch, roll->record.by, roll->target_count, roll->record.cover_count);
    metric_add(epochs->options.stats->rolled, 1);
    return roll;
}

void roll_begin(struct epochs *epochs, struct held *held, struct position *position, int64_t now_ms)
{
    struct roll *roll = epochs->rolls;
    char epoch[sizeof(position->epoch)];

    held->roll_next = held->committed;
    held->roll_counts = position->counts;
    for (size_t i = 0; i < position->cover_count; i++)
        if (position->covers[i].partition == held->partition)
            held->roll_next = position->covers[i].next;
    memcpy(epoch, position->epoch, sizeof(epoch));
    while (roll && strcmp(roll->epoch, epoch) != 0)
        roll = roll->next;
    held->roll = roll ? roll : roll_new(epochs, position, now_ms);
    step_reached(STEP_roll_begun);
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
