/* owner.c: what an owner does: epochs from filling to finish, what it gives back, records that it rolls forward. */
#include "inner.h"

#include <assert.h>

/* Epochs */

static uint8_t slot_take(struct state *state)
{
    for (uint8_t slot = 1; slot <= SLOTS; slot++)
        if (state->slot[slot].cover[0] == 0 && state->slot[slot].cover[1] == 0)
            return slot;
    assert(!"more epochs at once than SLOTS");
    return 0;
}

/* An epoch of `take` records of each partition: its blocks are acknowledged and its sessions sealed. */
static void owner_seals(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];
    int most[PARTITIONS];

    if (owner->fill != 0)
        return;
    for (int p = 0; p < PARTITIONS; p++) {
        bool reads = owner->phase[p] == PHASE_READ && !from->asked[p] && owner->at[p] < from->end[p];
        most[p] = reads ? from->end[p] - owner->at[p] : 0;
        if (most[p] > 1 && !to->config->wide)
            most[p] = 1;
    }
    for (int first = 0; first <= most[0]; first++) {
        for (int second = 0; second <= most[1]; second++) {
            int take[PARTITIONS] = {first, second};
            struct state next = *from;
            struct owner *me = &next.owner[i];

            if (first + second == 0)
                continue;
            me->fill = slot_take(&next);
            for (int p = 0; p < PARTITIONS; p++) {
                if (take[p] == 0)
                    continue;
                next.slot[me->fill].cover[p] = take[p] == 2 ? 3 : (uint8_t)(1 + me->at[p]);
                if (next.due[p] == NO_OFFSET)
                    next.due[p] = me->at[p]; /* only without rule 1 */
                for (int record = me->at[p]; record < me->at[p] + take[p]; record++)
                    next.slot[me->fill].session[(p + record) % TARGETS] = SESSION_NORMAL;
                me->at[p] = (uint8_t)(me->at[p] + take[p]);
            }
            emit(to, &next, STEP_sealed, i, first, second);
        }
    }
}

static void epoch_rewind(const struct config *config, struct state *state, struct owner *owner, uint8_t slot)
{
    for (int p = 0; p < PARTITIONS; p++) {
        uint8_t to = rule_on(config, R8_REWIND) || state->offset[p] == NO_OFFSET ? base_of(state, slot, p) : state->offset[p];
        if (covers(state, slot, p) && owner->phase[p] == PHASE_READ && to < owner->at[p])
            owner->at[p] = to;
    }
}

static void owner_drops(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];
    bool touched_fill = false, touched_commit = false;
    bool preparing = owner->sent && (owner->purpose == PURPOSE_PREPARE || owner->with);

    for (int p = 0; p < PARTITIONS; p++) {
        if (covers(from, owner->fill, p) && (from->asked[p] || owner->phase[p] != PHASE_READ))
            touched_fill = true;
        if (owner->commit != 0 && (owner->held & 1u << p) && from->asked[p] && from->assigned[p] == i)
            touched_commit = true;
    }
    if (touched_fill && !preparing) {
        struct state next = *from;

        epoch_rewind(to->config, &next, &next.owner[i], owner->fill);
        next.owner[i].fill = 0;
        emit(to, &next, STEP_dropped, i, 0, 0);
    }
    if (touched_commit && !owner->sent && !rule_on(to->config, R8_DROP)) {
        struct state next = *from;

        if (owner->fill != 0)
            epoch_rewind(to->config, &next, &next.owner[i], owner->fill);
        epoch_rewind(to->config, &next, &next.owner[i], owner->commit);
        next.owner[i].fill = next.owner[i].commit = next.owner[i].held = 0;
        emit(to, &next, STEP_dropped, i, 1, 0);
    }
}

static void owner_releases(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];

    for (int p = 0; p < PARTITIONS; p++) {
        struct state next = *from;
        struct owner *me = &next.owner[i];

        if (!from->asked[p] || from->assigned[p] != i)
            continue;
        if (owner->sent && rule_on(to->config, R7_RELEASE))
            continue;
        if (covers(from, owner->fill, p) && !owner->sent)
            continue; /* to be dropped or prepared first */
        next.assigned[p] = NOBODY;
        next.asked[p] = 0;
        me->phase[p] = PHASE_NONE;
        me->at[p] = me->roll[p] = me->seen[p] = 0;
        me->held &= (uint8_t)~(1u << p);
        if (me->held == 0 && !me->sent)
            me->commit = 0;
        emit(to, &next, STEP_released, i, p, 0);
    }
}

/* OffsetCommits: what is asked */

static void content_prepare(const struct state *state, uint8_t slot, struct content *content)
{
    for (int p = 0; p < PARTITIONS; p++) {
        if (!covers(state, slot, p))
            continue;
        content->offset[p] = base_of(state, slot, p);
        content->meta[p] = slot;
    }
}

static void content_finish(const struct state *state, uint8_t slot, uint8_t held, struct content *content)
{
    for (int p = 0; p < PARTITIONS; p++) {
        if (!covers(state, slot, p) || !(held & 1u << p))
            continue;
        content->offset[p] = next_of(state, slot, p);
        content->meta[p] = IDLE;
    }
}

/* All partitions of the sealed epoch are ours today. */
static bool fill_is_ours(const struct owner *owner, const struct state *state)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (covers(state, owner->fill, p) && owner->phase[p] != PHASE_READ)
            return false;
    return owner->fill != 0;
}

static void owner_prepares(const struct step_to *to, int i)
{
    const struct owner *owner = &to->from->owner[i];
    struct state next = *to->from;
    struct owner *me = &next.owner[i];

    if (owner->commit != 0 || owner->sent || !fill_is_ours(owner, to->from))
        return;
    if (to->config->at_least_once) {
        me->commit = owner->fill;
        me->held = (uint8_t)((covers(&next, me->fill, 0) ? 1 : 0) | (covers(&next, me->fill, 1) ? 2 : 0));
        me->fill = 0;
        emit(to, &next, STEP_dirty_durable, i, 0, 0);
        return;
    }
    me->sent = 1;
    me->purpose = PURPOSE_PREPARE;
    content_prepare(&next, owner->fill, &me->content);
    emit(to, &next, STEP_prepare_sent, i, 0, 0);
}

/* No session of the epoch is in a state below closed. */
static bool none_open(const struct state *state, uint8_t slot)
{
    for (int t = 0; t < TARGETS; t++)
        if (state->slot[slot].session[t] == SESSION_NORMAL || state->slot[slot].session[t] == SESSION_POSTED)
            return false;
    return true;
}

static bool any_is(const struct state *state, uint8_t slot, uint8_t session)
{
    return state->slot[slot].session[0] == session || state->slot[slot].session[1] == session;
}

static void owner_finishes(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];

    if (owner->commit == 0 || owner->sent)
        return;
    if (any_is(from, owner->commit, SESSION_OLD) && rule_on(to->config, R10_OWN)) {
        emit_stopped(to, i, 0);
        return;
    }
    if (!none_open(from, owner->commit))
        return;
    for (int with = 0; with < 2; with++) {
        struct state next = *from;
        struct owner *me = &next.owner[i];
        uint8_t held = rule_on(to->config, R7_TODAY) ? owner->held : 3;

        if (with && (to->config->at_least_once || !fill_is_ours(owner, from)))
            continue;
        me->sent = 1;
        me->purpose = PURPOSE_FINISH;
        me->with = (uint8_t)with;
        content_finish(&next, owner->commit, held, &me->content);
        if (with)
            content_prepare(&next, owner->fill, &me->content);
        if (!rule_on(to->config, R4_ONE_COMMIT) && !with && !next.late) {
            struct state hasty = next;

            hasty.late = LATE_SENT;
            hasty.late_owner = (uint8_t)i;
            hasty.late_content = me->content;
            request_stored(&hasty, i);
            emit(to, &hasty, STEP_finish_sent, i, with, 1);
        }
        emit(to, &next, STEP_finish_sent, i, with, 0);
    }
}

/* What an owner makes of a record that came with a partition. */
enum verdict { VERDICT_COMMIT, VERDICT_FINISH, VERDICT_DROP, VERDICT_STOP };

/* A record was prepared when every Kafka partition that it names carries it. One that does not has been finished already, if its
 * offset is at the epoch's end or behind, and then all sessions were closed before; or it never had the record, because the
 * OffsetCommit was stored in part: then nobody has committed a session, nobody may, and what is there is dropped. */
static enum seen others_seen(const struct config *config, const struct state *state, int p, uint8_t slot)
{
    enum seen seen = SEEN_ALL;

    for (int q = 0; q < PARTITIONS && rule_on(config, R6_ALL_STORED); q++) {
        if (q == p || !covers(state, slot, q) || state->meta[q] == slot)
            continue;
        if (state->offset[q] == NO_OFFSET || state->offset[q] < next_of(state, slot, q))
            return SEEN_NEVER;
        seen = SEEN_PASSED;
    }
    return seen;
}

static enum verdict roll_verdict(const struct config *config, const struct state *state, uint8_t slot, enum seen seen)
{
    bool gone = any_is(state, slot, SESSION_GONE) || any_is(state, slot, SESSION_OLD);

    if (seen == SEEN_NEVER)
        return VERDICT_DROP;
    if (gone && rule_on(config, R10_STOP))
        return VERDICT_STOP;
    if (gone && config->gone_as == GONE_LOST)
        return VERDICT_DROP;
    if (gone && config->gone_as == GONE_WAITS)
        return VERDICT_COMMIT;
    if (!rule_on(config, R3_ALL_SESSIONS) && state->slot[slot].session[0] != SESSION_NONE)
        return state->slot[slot].session[0] == SESSION_CLOSED ? VERDICT_FINISH : VERDICT_COMMIT;
    if (none_open(state, slot))
        return VERDICT_FINISH;
    return seen == SEEN_PASSED ? VERDICT_DROP : VERDICT_COMMIT;
}

static void owner_begins(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];

    for (int p = 0; p < PARTITIONS; p++) {
        struct state next = *from;

        if (owner->phase[p] != PHASE_ROLL || owner->seen[p] != SEEN_NOT_YET)
            continue;
        next.owner[i].seen[p] = (uint8_t)others_seen(to->config, from, p, owner->roll[p]);
        emit(to, &next, STEP_roll_begun, i, p, next.owner[i].seen[p]);
    }
}

static void owner_rolls(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];

    for (int p = 0; p < PARTITIONS; p++) {
        struct state next = *from;
        struct owner *me = &next.owner[i];
        enum verdict verdict;

        if (owner->phase[p] != PHASE_ROLL || owner->seen[p] == SEEN_NOT_YET || owner->sent)
            continue;
        verdict = roll_verdict(to->config, from, owner->roll[p], owner->seen[p]);
        if (verdict == VERDICT_COMMIT)
            continue; /* owner_posts */
        if (verdict == VERDICT_STOP) {
            emit_stopped(to, i, 1);
            continue;
        }
        me->sent = 1;
        me->purpose = PURPOSE_ROLL;
        me->content.offset[p] = verdict == VERDICT_FINISH ? next_of(from, owner->roll[p], p) : base_of(from, owner->roll[p], p);
        emit(to, &next, STEP_roll_sent, i, p, verdict == VERDICT_DROP);
    }
}

static void owner_anchors(const struct step_to *to, int i)
{
    for (int p = 0; p < PARTITIONS; p++) {
        struct state next = *to->from;
        struct owner *me = &next.owner[i];

        if (me->phase[p] != PHASE_ANCHOR || me->sent)
            continue;
        me->sent = 1;
        me->purpose = PURPOSE_ANCHOR;
        me->content.offset[p] = me->at[p];
        emit(to, &next, STEP_anchor_sent, i, p, 0);
    }
}

/* commit_sent: the POST of a session's commit is on its way, now or later, once or many times. */
static void owner_posts(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];

    for (uint8_t slot = 1; slot <= SLOTS; slot++) {
        bool mine = owner->commit == slot, rolls = false;

        for (int p = 0; p < PARTITIONS; p++)
            if (owner->phase[p] == PHASE_ROLL && owner->roll[p] == slot && owner->seen[p] != SEEN_NOT_YET)
                rolls = rolls || roll_verdict(to->config, from, slot, owner->seen[p]) == VERDICT_COMMIT;
        for (int t = 0; t < TARGETS && (mine || rolls); t++) {
            struct state next = *from;

            if (from->slot[slot].session[t] != SESSION_NORMAL)
                continue;
            if (!mine && !rule_on(to->config, R3_ALL_SESSIONS) && t == 1 && from->slot[slot].session[0] != SESSION_NONE)
                continue;
            next.slot[slot].session[t] = SESSION_POSTED;
            emit(to, &next, STEP_commit_sent, i, slot, t);
        }
    }
}

void owner_moves(const struct step_to *to, int i)
{
    owner_posts(to, i);
    /* Whatever a fenced one commits to the group is refused, and that is how it learns. */
    if (to->from->owner[i].fenced)
        return;
    owner_seals(to, i);
    owner_drops(to, i);
    owner_releases(to, i);
    owner_prepares(to, i);
    owner_finishes(to, i);
    owner_begins(to, i);
    owner_rolls(to, i);
    owner_anchors(to, i);
}
