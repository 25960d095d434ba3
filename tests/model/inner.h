/* inner.h: what the parts of the model share. model.c: states, the service, what comes next; owner.c: what an owner does; group.c: the
 * coordinator, and what becomes of OffsetCommits. Functions that take a step_to emit the successors of one kind. */
#ifndef MODEL_INNER_H
#define MODEL_INNER_H

#include "model.h"

/* What a cover means: the first record and the one behind the last. */
static const uint8_t cover_base[4] = {0, 0, 1, 0};
static const uint8_t cover_next[4] = {0, 1, 2, 2};
static const struct content content_none = {{NO_OFFSET, NO_OFFSET}, {IDLE, IDLE}};

/* One expansion: where successors go. */
struct step_to {
    const struct config *config;
    const struct state *from;
    successor_fn *emit;
    void *user;
};

static inline bool rule_on(const struct config *config, enum rule rule)
{
    return (config->rules & rule) != 0;
}

static inline bool covers(const struct state *state, uint8_t slot, int p)
{
    return slot != 0 && state->slot[slot].cover[p] != 0;
}

static inline uint8_t base_of(const struct state *state, uint8_t slot, int p)
{
    return cover_base[state->slot[slot].cover[p]];
}

static inline uint8_t next_of(const struct state *state, uint8_t slot, int p)
{
    return cover_next[state->slot[slot].cover[p]];
}

static inline uint8_t row_bit(int p, int record)
{
    return (uint8_t)(1u << (p * RECORDS + record));
}

/* The group knows the member, and would take its commits. */
static inline bool is_member(const struct state *state, int i)
{
    return state->owner[i].status == OWNER_UP && !state->owner[i].fenced;
}

/* model.c */
void emit(const struct step_to *to, const struct state *next, unsigned action, int owner, int a, int b);
void request_forget(struct owner *owner);
/* What a process has in memory is gone. `orphan`: its request is still on its way. */
void owner_forget(struct owner *owner, bool orphan);
void late_forget(struct state *state);
/* The group knows the member no more. */
void member_remove(struct state *state, int i);
void emit_stopped(const struct step_to *to, int i, int why);

/* owner.c: all that owner i, alive and a member, may do; a fenced one only posts. */
void owner_moves(const struct step_to *to, int i);

/* group.c */
/* The owner learns that its request is stored. */
void request_stored(struct state *state, int i);
void group_moves(const struct step_to *to, int i);
void late_moves(const struct step_to *to);
void group_asks_back(const struct step_to *to);
bool group_settled(const struct state *state);

#endif
