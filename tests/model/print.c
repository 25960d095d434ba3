/* print.c: a transition and what it led to, one line: what the group has stored, what the service holds. */
#include "model.h"

static void print_epoch(FILE *file, const struct state *state, uint8_t slot)
{
    static const char *const covers[] = {"-", "0", "1", "01"};
    static const char *const sessions[] = {"-", "normal", "posted", "closed", "forgotten", "expired"};
    const struct epoch_slot *epoch = &state->slot[slot];

    fprintf(file, "e%u{k0:%s k1:%s; %s %s}", slot, covers[epoch->cover[0]], covers[epoch->cover[1]], sessions[epoch->session[0]],
            sessions[epoch->session[1]]);
}

void model_print_move(FILE *file, struct move move, const struct state *after)
{
    fprintf(file, "%c %-14s %u %u |", 'A' + move.owner, action_name(move.action), move.a, move.b);
    for (int p = 0; p < PARTITIONS; p++) {
        char owner = after->assigned[p] == NOBODY ? '-' : (char)('A' + after->assigned[p]);

        if (after->offset[p] == NO_OFFSET)
            fprintf(file, " k%d:%c nothing", p, owner);
        else
            fprintf(file, " k%d:%c %u", p, owner, after->offset[p]);
        if (after->meta[p] != IDLE)
            fprintf(file, " e%u", after->meta[p]);
        fprintf(file, "%s,", after->asked[p] ? " asked" : "");
    }
    for (int i = 0; i < OWNERS; i++) {
        const struct owner *owner = &after->owner[i];

        fprintf(file, " %c", 'A' + i);
        if (owner->status != OWNER_UP || owner->fenced)
            fprintf(file, " %s", owner->fenced ? "fenced" : owner->status == OWNER_DEAD ? "dead" : "stopped");
        if (owner->fill != 0)
            fprintf(file, " sealed e%u", owner->fill);
        if (owner->commit != 0)
            fprintf(file, " commits e%u", owner->commit);
        if (owner->sent)
            fprintf(file, " request");
        fprintf(file, ",");
    }
    if (after->late)
        fprintf(file, " late copy,");
    for (uint8_t slot = 1; slot <= SLOTS; slot++) {
        if (after->slot[slot].cover[0] == 0 && after->slot[slot].cover[1] == 0)
            continue;
        fprintf(file, " ");
        print_epoch(file, after, slot);
    }
    fprintf(file, " table:");
    for (int bit = 0; bit < PARTITIONS * RECORDS; bit++)
        fprintf(file, "%s", after->visible & 1 << bit ? (const char *[]){" k0.0", " k0.1", " k1.0", " k1.1"}[bit] : "");
    fprintf(file, "\n");
}
