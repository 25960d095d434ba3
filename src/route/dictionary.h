/* dictionary.h: numbers distinct keys in order of appearance. Private to route/.
 * Ownership: keys and slots lie in the arena; texts are borrowed and must live as long. Zeroed but for its arena, it is empty.
 * Threads: one owner. */
#ifndef LUADUCT_ROUTE_DICTIONARY_H
#define LUADUCT_ROUTE_DICTIONARY_H

#include "util/arena.h"
#include "util/str.h"

/* A text or, with data NULL, a number. */
struct key {
    struct str text;
    int64_t number;
};

struct dictionary {
    struct arena *arena;
    struct key *keys;    /* by code */
    uint32_t count, capacity;
    uint32_t *slots;     /* code + 1; 0 = free */
    uint32_t slot_count; /* a power of two, at least twice the capacity */
};

/* The key's code; -1 when the arena is full. */
int64_t dictionary_code(struct dictionary *dictionary, struct key key) MUST_USE;

#endif
