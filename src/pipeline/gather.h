/* gather.h: the chunks of one epoch, gathered per table partition until a block's worth is there.
 * A target is one table partition of one epoch with its sink session.
 * Ownership: gather_add takes chunks; gather_take_due gives them away. Threads: the hub's.
 * Cost: one hash look-up per chunk. */
#ifndef LUADUCT_PIPELINE_GATHER_H
#define LUADUCT_PIPELINE_GATHER_H

#include "pipeline/work.h"

struct target {
    char *spec;
    size_t spec_size;
    uint64_t hash;
    struct target *next;        /* in order of first appearance */
    struct target *next_bucket;
    struct target *next_due;
    bool due;

    struct chunk *chunks, **tail; /* waiting */
    size_t bytes;

    void *epoch; /* NULL: a session of an earlier owner's epoch, which `roll` rolls forward */
    void *roll;
    struct sink_session *session; /* NULL until the first block */
    unsigned blocks; /* all that it has */
    uint64_t rows;
    unsigned packs_out;           /* at workers */
    unsigned blocks_out;          /* at the sink */
    bool sealed, committed;
};

enum { GATHER_BUCKETS = 256 };

struct gather {
    struct target *buckets[GATHER_BUCKETS];
    struct target *first, **tail;
    struct target *due_first, **due_tail;
    size_t count;
    size_t bytes; /* of waiting chunks */
    void *epoch;
};

void gather_init(struct gather *gather, void *epoch);
void gather_release(struct gather *gather);
/* Takes the list; each chunk goes to its target, which becomes due at block_bytes. */
void gather_add(struct gather *gather, struct chunk *chunks, size_t block_bytes);
/* Whether chunks for that table partition came already. */
bool gather_has(const struct gather *gather, struct str spec);
/* The target with most bytes becomes due, if it has at least bytes_min. */
bool gather_push_largest(struct gather *gather, size_t bytes_min);
void gather_push_all(struct gather *gather);
/* Frees the waiting chunks; targets stay, for packs that are out. */
void gather_forget(struct gather *gather);
/* The next due target's chunks, or NULL. */
struct chunk *gather_take_due(struct gather *gather, struct target **target_out, size_t *bytes_out);

#endif
