/* group.c: the group's coordinator: what becomes of OffsetCommits, who owns what, who is put out. */
#include "inner.h"

/* OffsetCommits: what becomes of them */

static void content_store(struct state *state, const struct content *content, int only)
{
    for (int p = 0; p < PARTITIONS; p++) {
        if (content->offset[p] == NO_OFFSET || (only >= 0 && only != p))
            continue;
        state->offset[p] = content->offset[p];
        state->meta[p] = content->meta[p];
        if (state->due[p] == NO_OFFSET)
            state->due[p] = content->offset[p];
        state->ran = 1;
    }
}

/* The owner learns that its request is stored. */
void request_stored(struct state *state, int i)
{
    struct owner *owner = &state->owner[i];
    bool prepared = owner->purpose == PURPOSE_PREPARE || owner->with;

    for (int p = 0; p < PARTITIONS; p++) {
        bool mine = owner->content.offset[p] != NO_OFFSET && owner->phase[p] != PHASE_NONE;
        if (mine && (owner->purpose == PURPOSE_ANCHOR || owner->purpose == PURPOSE_ROLL)) {
            owner->phase[p] = PHASE_READ;
            owner->at[p] = owner->content.offset[p];
            owner->roll[p] = owner->seen[p] = 0;
        }
    }
    if (owner->purpose == PURPOSE_FINISH)
        owner->commit = owner->held = 0;
    if (prepared) {
        owner->commit = owner->fill;
        owner->held = 0;
        for (int p = 0; p < PARTITIONS; p++)
            if (covers(state, owner->fill, p) && owner->phase[p] == PHASE_READ)
                owner->held |= (uint8_t)(1u << p);
        owner->fill = 0;
    }
    request_forget(owner);
}

static unsigned stored_step(const struct owner *owner)
{
    static const uint8_t steps[] = {STEP_anchor_stored, STEP_prepare_stored, STEP_finish_stored, STEP_roll_stored};

    return steps[owner->purpose];
}

/* Without rule 5: whatever is stored now is taken for what became of the request. */
static void request_judged(struct state *state, int i)
{
    const struct content *content = &state->owner[i].content;

    for (int p = 0; p < PARTITIONS; p++) {
        if (content->offset[p] == NO_OFFSET)
            continue;
        if (state->offset[p] != content->offset[p] || state->meta[p] != content->meta[p]) {
            request_forget(&state->owner[i]);
            return;
        }
    }
    request_stored(state, i);
}

static void copy_is_late(struct state *state, int i)
{
    state->late = LATE_SENT;
    state->late_owner = (uint8_t)i;
    state->late_content = state->owner[i].content;
}

/* The owner gives the membership up, with all that it has; its request may still be on its way. */
static void owner_rejoins(struct state *state, int i)
{
    state->owner[i].status = OWNER_DEAD;
    owner_forget(&state->owner[i], true);
}

static void request_fails(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];

    if (owner->status == OWNER_UP) {
        struct state next = *from;

        request_forget(&next.owner[i]);
        emit(to, &next, EVENT_refused, i, 0, 0);
    }
    if (from->time_outs > 0 && owner->status == OWNER_UP) {
        struct state next = *from;

        next.time_outs--;
        if (rule_on(to->config, R5_REJOIN) && !to->config->at_least_once) {
            owner_rejoins(&next, i);
            emit(to, &next, EVENT_time_out, i, 0, 0);
        } else {
            struct state stored = next;

            content_store(&stored, &owner->content, -1);
            request_judged(&stored, i);
            emit(to, &stored, EVENT_time_out, i, 1, 0);
            if (!next.late)
                copy_is_late(&next, i);
            request_judged(&next, i);
            emit(to, &next, EVENT_time_out, i, 0, 0);
        }
    }
    if (from->time_outs > 0 && owner->status == OWNER_UP) {
        struct state next = *from;

        next.time_outs--;
        content_store(&next, &owner->content, -1);
        if (rule_on(to->config, R5_COPIES) && !to->config->at_least_once) {
            owner_rejoins(&next, i);
        } else {
            if (!next.late)
                copy_is_late(&next, i);
            request_stored(&next, i);
        }
        emit(to, &next, EVENT_sent_twice, i, 0, 0);
    }
    for (int p = 0; p < PARTITIONS && from->parts > 0; p++) {
        struct state next = *from;

        if (owner->content.offset[0] == NO_OFFSET || owner->content.offset[1] == NO_OFFSET)
            break;
        next.parts--;
        content_store(&next, &owner->content, p);
        request_forget(&next.owner[i]);
        if (owner->status == OWNER_UP && !to->config->at_least_once && !to->config->part_known)
            owner_rejoins(&next, i);
        emit(to, &next, EVENT_stored_in_part, i, p, 0);
    }
}

static void request_moves(const struct step_to *to, int i)
{
    const struct owner *owner = &to->from->owner[i];
    struct state next = *to->from;

    if (!owner->sent || owner->fenced)
        return;
    content_store(&next, &owner->content, -1);
    if (owner->status == OWNER_UP) {
        request_stored(&next, i);
        emit(to, &next, stored_step(owner), i, owner->with, 0);
    } else {
        request_forget(&next.owner[i]);
        emit(to, &next, EVENT_late_stored, i, 0, 0);
    }
    request_fails(to, i);
}

void late_moves(const struct step_to *to)
{
    struct state next = *to->from;

    if (!next.late)
        return;
    content_store(&next, &next.late_content, -1);
    late_forget(&next);
    emit(to, &next, EVENT_late_stored, to->from->late_owner, 1, 0);
    next = *to->from;
    late_forget(&next);
    emit(to, &next, EVENT_late_refused, to->from->late_owner, 0, 0);
}

/* The group */

/* A rebalance has completed: requests of the old generation are refused, or are stamped anew if they had not left the client. */
static void emit_generation(const struct step_to *to, const struct state *made, unsigned action, int owner, int a, int b)
{
    struct state next = *made;

    if (next.late == LATE_SENT)
        late_forget(&next);
    emit(to, &next, action, owner, a, b);
    for (int mask = 1; mask < 1 << OWNERS; mask++) {
        struct state refused = next;
        bool new = true;

        for (int i = 0; i < OWNERS; i++) {
            if (!(mask & 1 << i))
                continue;
            new = new && refused.owner[i].sent;
            request_forget(&refused.owner[i]);
            if (refused.owner[i].held == 0)
                refused.owner[i].commit = 0;
        }
        if (new)
            emit(to, &refused, action, owner, a, b);
    }
}

bool group_settled(const struct state *state)
{
    return state->owner[0].status != OWNER_DEAD && state->owner[1].status != OWNER_DEAD;
}

static bool owner_has_any(const struct owner *owner)
{
    return owner->phase[0] != PHASE_NONE || owner->phase[1] != PHASE_NONE;
}

static void group_assigns(const struct step_to *to, int i)
{
    const struct state *from = to->from;

    if (!is_member(from, i) || !group_settled(from))
        return;
    for (int p = 0; p < PARTITIONS; p++) {
        struct state next = *from;
        struct owner *me = &next.owner[i];
        unsigned action = EVENT_assigned;
        bool empty = from->offset[0] == NO_OFFSET && from->offset[1] == NO_OFFSET;

        if (from->assigned[p] != NOBODY)
            continue;
        next.assigned[p] = (uint8_t)i;
        if (from->offset[p] == NO_OFFSET && empty && from->ran && rule_on(to->config, R2_LOST_GROUP)) {
            emit_stopped(to, i, 2);
            continue;
        }
        if (from->offset[p] == NO_OFFSET) {
            bool anchored = rule_on(to->config, R1_ANCHOR);

            me->phase[p] = anchored ? PHASE_ANCHOR : PHASE_READ;
            me->at[p] = to->config->latest ? from->end[p] : 0;
        } else if (from->meta[p] != IDLE && rule_on(to->config, R9_ROLL)) {
            me->phase[p] = PHASE_ROLL;
            me->roll[p] = from->meta[p];
            if (!covers(from, from->meta[p], 1 - p)) {
                me->seen[p] = SEEN_ALL; /* there are no others */
                action = STEP_roll_begun;
            }
        } else {
            me->phase[p] = PHASE_READ;
            me->at[p] = from->offset[p];
        }
        emit_generation(to, &next, action, i, p, 0);
    }
}

void group_asks_back(const struct step_to *to)
{
    const struct state *from = to->from;

    if (from->moves == 0 || !group_settled(from) || !is_member(from, 0) || !is_member(from, 1))
        return;
    for (int p = 0; p < PARTITIONS; p++) {
        struct state next = *from;

        if (from->assigned[p] == NOBODY || from->asked[p])
            continue;
        next.moves--;
        next.asked[p] = 1;
        emit_generation(to, &next, EVENT_asked_back, from->assigned[p], p, 0);
    }
}

static void owner_fails(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];

    if (owner->status == OWNER_DEAD) {
        struct state next = *from;

        next.owner[i].status = OWNER_UP;
        member_remove(&next, i);
        emit(to, &next, EVENT_put_out, i, 0, 0);
        return;
    }
    if (owner->status != OWNER_UP || !owner_has_any(owner))
        return; /* one that has nothing loses nothing */
    if (from->crashes > 0) {
        struct state next = *from;

        next.crashes--;
        next.owner[i].status = owner->fenced ? OWNER_UP : OWNER_DEAD;
        owner_forget(&next.owner[i], !owner->fenced);
        emit(to, &next, EVENT_crash, i, 0, 0);
    }
    if (owner->fenced) {
        struct state next = *from;

        if (owner->sent && !next.late) {
            copy_is_late(&next, i);
            next.late = LATE_KEPT;
        }
        owner_forget(&next.owner[i], false);
        emit(to, &next, EVENT_learnt, i, 0, 0);
    } else if (from->fences > 0) {
        struct state next = *from;

        next.fences--;
        next.owner[i].fenced = 1;
        member_remove(&next, i);
        emit(to, &next, EVENT_fenced, i, 0, 0);
        if (owner->sent && !rule_on(to->config, R7_LOST)) {
            next.owner[i].sent = 1;
            next.owner[i].purpose = owner->purpose;
            next.owner[i].with = owner->with;
            next.owner[i].content = owner->content;
            emit(to, &next, EVENT_fenced, i, 0, 1);
        }
    }
}

void group_moves(const struct step_to *to, int i)
{
    request_moves(to, i);
    group_assigns(to, i);
    owner_fails(to, i);
}
