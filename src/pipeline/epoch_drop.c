/* epoch_drop.c: epochs that are not finished here: given up whole and read again, or left to the next owner of their partitions
 * (rule 8). */
#include "pipeline/epoch_internal.h"

#include <stdlib.h>

/* With exactly-once delivery what is prepared, or may be, is rolled forward; otherwise what may be in the table already is. */
bool epochs_can_drop(const struct epochs *epochs, const struct epoch *epoch)
{
    return epoch->state < (epochs_exactly_once(epochs) ? EPOCH_PREPARING : EPOCH_COMMITTING);
}

/* Its sessions are left to expire at the service. */
static void sessions_drop(struct epochs *epochs, struct epoch *epoch)
{
    struct sink *sink = epochs->options.sink;

    for (struct target *target = epoch->gather.first; target; target = target->next) {
        if (target->session)
            sink->ops->session_drop(sink, target->session);
        target->session = NULL;
    }
}

void epochs_list_remove(struct epochs *epochs, size_t index)
{
    memmove(&epochs->list[index], &epochs->list[index + 1], (epochs->count - index - 1) * sizeof(epochs->list[0]));
    epochs->count--;
}

/* The epoch, whose place in the list is the last, is read again. */
static void drop_last(struct epochs *epochs)
{
    struct epoch *epoch = epochs->list[--epochs->count];

    for (size_t i = 0; i < epoch->cover_count; i++) {
        struct held *held = held_of_cover(epochs, &epoch->covers[i]);

        if (held)
            held_rewind(epochs, held, epoch->covers[i].base);
    }
    sessions_drop(epochs, epoch);
    gather_forget(&epoch->gather);
    if (epoch->packs_out) {
        epoch->dropped = true;
        XGROW(epochs->dropped, epochs->dropped_count, epochs->dropped_capacity);
        epochs->dropped[epochs->dropped_count++] = epoch;
    } else {
        epoch_free(epoch);
    }
}

/* Newest first, so that the oldest base is the one that partitions are rewound to. */
void epochs_drop_from(struct epochs *epochs, size_t index)
{
    size_t count = epochs->count - index;

    metric_add(epochs->options.stats->dropped, (int64_t)count);
    log_info(epochs->options.log, "what was not committed is given up and read again epochs=%zu", count);
    while (epochs->count > index)
        drop_last(epochs);
    step_reached(STEP_dropped);
}

void epochs_drop_covering(struct epochs *epochs, int32_t partition)
{
    for (size_t i = 0; i < epochs->count; i++) {
        struct epoch *epoch = epochs->list[i];
        struct cover *cover = epoch_cover(epoch, partition);

        if (!cover || held_of_cover(epochs, cover))
            continue;
        if (epochs_can_drop(epochs, epoch)) {
            epochs_drop_from(epochs, i);
            return;
        }
        epoch->doomed = epoch->state == EPOCH_PREPARING;
    }
}

void epochs_abandon(struct epochs *epochs)
{
    for (size_t i = 0; i < epochs->count; i++) {
        struct epoch *epoch = epochs->list[i];
        bool held = false;

        for (size_t j = 0; j < epoch->cover_count; j++)
            held |= held_of_cover(epochs, &epoch->covers[j]) != NULL;
        if (held)
            continue;
        if (epochs->commit_finish == epoch)
            epochs->commit_finish = NULL;
        if (epochs->commit_prepare == epoch)
            epochs->commit_prepare = NULL;
        sessions_drop(epochs, epoch);
        assert(!epoch->packs_out); /* it was at least sealed */
        epoch_free(epoch);
        epochs_list_remove(epochs, i--);
    }
}
