/* model.c: the transitions. Each function below emits the successors of one kind; nothing here is clever, the search is. */
#include "model.h"

#include <assert.h>
#include <string.h>

/* What a cover means: the first record and the one behind the last. */
static const uint8_t cover_base[4] = {0, 0, 1, 0};
static const uint8_t cover_next[4] = {0, 1, 2, 2};

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

/* One expansion: where successors go. */
struct step_to {
    const struct config *config;
    const struct state *from;
    successor_fn *emit;
    void *user;
};

static bool rule_on(const struct config *config, enum rule rule)
{
    return (config->rules & rule) != 0;
}

static bool covers(const struct state *state, uint8_t slot, int p)
{
    return slot != 0 && state->slot[slot].cover[p] != 0;
}

static uint8_t base_of(const struct state *state, uint8_t slot, int p)
{
    return cover_base[state->slot[slot].cover[p]];
}

static uint8_t next_of(const struct state *state, uint8_t slot, int p)
{
    return cover_next[state->slot[slot].cover[p]];
}

static uint8_t row_bit(int p, int record)
{
    return (uint8_t)(1u << (p * RECORDS + record));
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

static void emit(const struct step_to *to, const struct state *next, unsigned action, int owner, int a, int b)
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

static const struct content content_none = {{NO_OFFSET, NO_OFFSET}, {IDLE, IDLE}};

static void request_forget(struct owner *owner)
{
    owner->sent = owner->purpose = owner->with = 0;
    owner->content = content_none;
}

/* What a process has in memory is gone. `orphan`: its request is still on its way. */
static void owner_forget(struct owner *owner, bool orphan)
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

static void late_forget(struct state *state)
{
    state->late = 0;
    state->late_owner = 0;
    state->late_content = content_none;
}

/* The group knows the member no more. */
static void member_remove(struct state *state, int i)
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

/* Epochs */

static uint8_t slot_take(struct state *state)
{
    for (uint8_t slot = 1; slot <= SLOTS; slot++)
        if (state->slot[slot].cover[0] == 0 && state->slot[slot].cover[1] == 0)
            return slot;
    assert(!"more epochs at once than SLOTS");
    return 0;
}

/* block_acked, sealed, dirty_durable: an epoch of `take` records of each partition. */
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
        me->at[p] = me->roll[p] = 0;
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

static void emit_stopped(const struct step_to *to, int i, int why)
{
    struct state next = *to->from;

    next.owner[i].status = OWNER_STOPPED;
    owner_forget(&next.owner[i], false);
    member_remove(&next, i);
    emit(to, &next, EVENT_stopped, i, why, 0);
}

static void request_stored(struct state *state, int i);

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
static enum verdict roll_verdict(const struct config *config, const struct state *state, int p, uint8_t slot)
{
    bool passed = false, gone = any_is(state, slot, SESSION_GONE) || any_is(state, slot, SESSION_OLD);

    for (int q = 0; q < PARTITIONS && rule_on(config, R6_ALL_STORED); q++) {
        if (q == p || !covers(state, slot, q) || state->meta[q] == slot)
            continue;
        if (state->offset[q] == NO_OFFSET || state->offset[q] < next_of(state, slot, q))
            return VERDICT_DROP;
        passed = true;
    }
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
    return passed ? VERDICT_DROP : VERDICT_COMMIT;
}

static void owner_rolls(const struct step_to *to, int i)
{
    const struct state *from = to->from;
    const struct owner *owner = &from->owner[i];

    for (int p = 0; p < PARTITIONS; p++) {
        struct state next = *from;
        struct owner *me = &next.owner[i];
        enum verdict verdict;

        if (owner->phase[p] != PHASE_ROLL || owner->sent)
            continue;
        verdict = roll_verdict(to->config, from, p, owner->roll[p]);
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
            if (owner->phase[p] == PHASE_ROLL && owner->roll[p] == slot)
                rolls = rolls || roll_verdict(to->config, from, p, slot) == VERDICT_COMMIT;
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
static void request_stored(struct state *state, int i)
{
    struct owner *owner = &state->owner[i];
    bool prepared = owner->purpose == PURPOSE_PREPARE || owner->with;

    for (int p = 0; p < PARTITIONS; p++) {
        bool mine = owner->content.offset[p] != NO_OFFSET && owner->phase[p] != PHASE_NONE;
        if (mine && (owner->purpose == PURPOSE_ANCHOR || owner->purpose == PURPOSE_ROLL)) {
            owner->phase[p] = PHASE_READ;
            owner->at[p] = owner->content.offset[p];
            owner->roll[p] = 0;
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

static void late_moves(const struct step_to *to)
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

static bool group_settled(const struct state *state)
{
    return state->owner[0].status != OWNER_DEAD && state->owner[1].status != OWNER_DEAD;
}

static bool is_member(const struct state *state, int i)
{
    return state->owner[i].status == OWNER_UP && !state->owner[i].fenced;
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
        bool empty = from->offset[0] == NO_OFFSET && from->offset[1] == NO_OFFSET;
        unsigned action = EVENT_assigned;

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
            action = STEP_roll_begun;
        } else {
            me->phase[p] = PHASE_READ;
            me->at[p] = from->offset[p];
        }
        emit_generation(to, &next, action, i, p, 0);
    }
}

static void group_asks_back(const struct step_to *to)
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
        if (state->owner[i].status == OWNER_UP) {
            owner_posts(&to, i);
            /* A fenced one can only POST: whatever it commits to the group is refused, and that is how it learns. */
            if (!state->owner[i].fenced) {
                owner_seals(&to, i);
                owner_drops(&to, i);
                owner_releases(&to, i);
                owner_prepares(&to, i);
                owner_finishes(&to, i);
                owner_rolls(&to, i);
                owner_anchors(&to, i);
            }
        }
        request_moves(&to, i);
        group_assigns(&to, i);
        owner_fails(&to, i);
    }
    late_moves(&to);
    group_asks_back(&to);
    service_closes(&to);
    session_expires(&to);
    outside_moves(&to);
}
