/* model.c: how a state begins, when it is a good end, what is wrong with one; the service; which functions tell the successors. */
#include "inner.h"

#include <assert.h>
#include <string.h>

const char *action_name(unsigned action)
{
    static const char *const names[ACTION_COUNT] = {
#define X(name, sentence) #name,
        STEP_LIST(X)
#undef X
#define X(name, fault, sentence) #name,
        EVENT_LIST(X)
#undef X
    };

    return names[action];
}

bool action_fault(unsigned action)
{
    static const bool faults[ACTION_COUNT] = {
#define X(name, fault, sentence) [EVENT_##name] = fault,
        EVENT_LIST(X)
#undef X
    };

    return faults[action];
}

/* Loss: a committed offset has passed a row that is not visible. */
static const char *state_violation(const struct state *state)
{
    for (int p = 0; p < PARTITIONS; p++) {
        if (state->offset[p] == NO_OFFSET || state->due[p] == NO_OFFSET)
            continue;
        for (int record = state->due[p]; record < state->offset[p]; record++)
            if (!(state->visible & row_bit(p, record)))
                return "loss: a committed offset has passed a row that is not in the table";
    }
    return NULL;
}

void emit(const struct step_to *to, const struct state *next, unsigned action, int owner, int a, int b)
{
    struct move move = {(uint8_t)action, (uint8_t)owner, (uint8_t)a, (uint8_t)b};

    to->emit(to->user, next, move, state_violation(next));
}

bool model_good_end(const struct config *config, const struct state *state)
{
    for (int i = 0; i < OWNERS; i++)
        if (state->owner[i].status == OWNER_STOPPED)
            return true;
    for (int p = 0; p < PARTITIONS; p++) {
        /* At least once, an old commit may have come last: the next one, or another reading, mends that. */
        bool done = config->at_least_once || (state->offset[p] == RECORDS && state->meta[p] == IDLE);

        if (!done || state->due[p] == NO_OFFSET)
            return false;
        for (int record = state->due[p]; record < RECORDS; record++)
            if (!(state->visible & row_bit(p, record)))
                return false;
    }
    return true;
}

void model_begin(const struct config *config, struct state *state)
{
    memset(state, 0, sizeof(*state));
    for (int p = 0; p < PARTITIONS; p++) {
        state->assigned[p] = NOBODY;
        state->offset[p] = config->latest || config->deletions > 0 ? NO_OFFSET : 0;
        state->due[p] = state->offset[p];
        state->end[p] = config->latest ? 0 : RECORDS;
        state->late_content.offset[p] = NO_OFFSET;
        for (int i = 0; i < OWNERS; i++)
            state->owner[i].content.offset[p] = NO_OFFSET;
    }
    state->ran = state->offset[0] != NO_OFFSET;
    state->crashes = config->crashes;
    state->time_outs = config->time_outs;
    state->parts = config->parts;
    state->fences = config->fences;
    state->moves = config->moves;
    state->expiries = config->expiries;
    state->deletions = config->deletions;
}

void request_forget(struct owner *owner)
{
    owner->sent = owner->purpose = owner->with = 0;
    owner->content = content_none;
}

/* What a process has in memory is gone. `orphan`: its request is still on its way. */
void owner_forget(struct owner *owner, bool orphan)
{
    struct owner blank = {.status = owner->status, .content = content_none};

    if (orphan && owner->sent) {
        blank.sent = owner->sent;
        blank.purpose = owner->purpose;
        blank.with = owner->with;
        blank.content = owner->content;
    }
    *owner = blank;
}

void late_forget(struct state *state)
{
    state->late = 0;
    state->late_owner = 0;
    state->late_content = content_none;
}

/* The group knows the member no more. */
void member_remove(struct state *state, int i)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (state->assigned[p] == i) {
            state->assigned[p] = NOBODY;
            state->asked[p] = 0;
        }
    request_forget(&state->owner[i]);
    if (state->late && state->late_owner == i)
        late_forget(state);
}

void emit_stopped(const struct step_to *to, int i, int why)
{
    struct state next = *to->from;

    next.owner[i].status = OWNER_STOPPED;
    owner_forget(&next.owner[i], false);
    member_remove(&next, i);
    emit(to, &next, EVENT_stopped, i, why, 0);
}

/* The service, and time */

static void service_closes(const struct step_to *to)
{
    for (uint8_t slot = 1; slot <= SLOTS; slot++) {
        for (int t = 0; t < TARGETS; t++) {
            struct state next = *to->from;
            struct move move = {EVENT_closed, 0, slot, (uint8_t)t};
            const char *violation = NULL;

            if (next.slot[slot].session[t] != SESSION_POSTED)
                continue;
            next.slot[slot].session[t] = SESSION_CLOSED;
            for (int p = 0; p < PARTITIONS; p++) {
                for (int record = base_of(&next, slot, p); record < next_of(&next, slot, p); record++) {
                    if ((p + record) % TARGETS != t)
                        continue;
                    if (next.visible & row_bit(p, record))
                        violation = "twice: a row is in the table that was there before";
                    next.visible |= row_bit(p, record);
                }
            }
            to->emit(to->user, &next, move, violation != NULL ? violation : state_violation(&next));
        }
    }
}

/* A session of a stored record. A closed one may be forgotten early. */
static void session_expires(const struct step_to *to)
{
    const struct state *from = to->from;

    if (from->expiries == 0)
        return;
    for (uint8_t slot = 1; slot <= SLOTS; slot++) {
        if (from->meta[0] != slot && from->meta[1] != slot)
            continue;
        for (int t = 0; t < TARGETS; t++) {
            uint8_t session = from->slot[slot].session[t];
            struct state next = *from;

            if (session == SESSION_NONE || session == SESSION_GONE || session == SESSION_OLD)
                continue;
            next.expiries--;
            next.slot[slot].session[t] = SESSION_OLD;
            emit(to, &next, EVENT_expired, 0, slot, t);
            next.slot[slot].session[t] = SESSION_GONE;
            if (session == SESSION_CLOSED)
                emit(to, &next, EVENT_forgotten, 0, slot, t);
        }
    }
}

static void outside_moves(const struct step_to *to)
{
    const struct state *from = to->from;

    for (int p = 0; p < PARTITIONS; p++) {
        struct state next = *from;

        if (from->end[p] == RECORDS)
            continue;
        next.end[p]++;
        emit(to, &next, EVENT_arrived, 0, p, 0);
    }
    if (from->deletions > 0 && from->ran && group_settled(from) && from->assigned[0] == NOBODY && from->assigned[1] == NOBODY) {
        struct state next = *from;

        next.deletions--;
        for (int p = 0; p < PARTITIONS; p++) {
            next.offset[p] = NO_OFFSET;
            next.meta[p] = IDLE;
        }
        emit(to, &next, EVENT_deleted, 0, 0, 0);
    }
}

void model_successors(const struct config *config, const struct state *state, successor_fn *emit_to, void *user)
{
    struct step_to to = {config, state, emit_to, user};

    for (int i = 0; i < OWNERS; i++) {
        if (state->owner[i].status == OWNER_UP)
            owner_moves(&to, i);
        group_moves(&to, i);
    }
    late_moves(&to);
    group_asks_back(&to);
    service_closes(&to);
    session_expires(&to);
    outside_moves(&to);
}
