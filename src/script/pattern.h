/* pattern.h: Lua's patterns (reference manual of Lua 5.4, section 6.4.1), with a bound: what a search does is charged to the
 * script's budget while it does it, so that a pattern which tries every way to divide a text ends like an endless loop.
 *
 * A pattern is first read into items. A malformed part becomes an item that throws when a match comes to it, for Lua's library
 * finds it no earlier.
 * Ownership: a pattern borrows its text, and a search both; its items lie in a userdata of Lua's or in the state's cache. Nothing
 * is released, for any call that ends in _throws may leave by an error. Threads: those of the state. */
#ifndef LUADUCT_SCRIPT_PATTERN_H
#define LUADUCT_SCRIPT_PATTERN_H

#include "script/internal.h"

enum { PATTERN_CAPTURES_MAX = 32 }; /* as in Lua's library */

typedef uint64_t byte_set[4]; /* a bit for each byte */

struct pattern_item {
    uint8_t kind, what;
    uint8_t byte;
    union {
        uint8_t least; /* how often, if it repeats */
        uint8_t other;
    };
    uint32_t size; /* of the text */
    union {
        const char *text;
        const uint64_t *set;
        const char *wrong;
    };
};

struct pattern {
    const struct pattern_item *items;
    const struct pattern_item *lead; /* each match begins with a byte of this item; NULL: nothing is known */
    struct str text;
    unsigned captures;
    uint32_t positions, open; /* a bit for each capture of a position, and for each that is never closed */
    bool anchored;
};

struct pattern_search {
    lua_State *L;
    const struct pattern *pattern;
    const char *text, *end;
    int64_t steps;            /* until the next payment: whoever works for the search takes of them */
    const char *start, *stop; /* of the match */
    struct {
        const char *start, *stop;
    } captures[PATTERN_CAPTURES_MAX];
};

/* Pushes what holds the items, which has to be kept like the text. anchor: whether a ^ at the beginning is no character. */
void pattern_read_throws(lua_State *L, struct pattern *pattern, struct str text, bool anchor);
/* The same, with an anchor, for a search during which no Lua runs: most patterns are then read once. May push a value. */
const struct pattern *pattern_get_throws(lua_State *L, struct str text);
void pattern_free(struct script_state *state);

void pattern_search_init(struct pattern_search *search, lua_State *L, const struct pattern *pattern, struct str text);
/* The next match from `from` on that does not end at `last` (NULL: any); it is then between start and stop. */
bool pattern_search_throws(struct pattern_search *search, const char *from, const char *last);
/* The next place where that text stands; the search needs no pattern. */
bool pattern_search_plain_throws(struct pattern_search *search, const char *from, struct str text);

/* Captures are counted from 0; without any the whole match is number 0. */
void pattern_push_capture_throws(const struct pattern_search *search, unsigned index);
int pattern_push_captures_throws(const struct pattern_search *search);
/* False: it is a position. */
bool pattern_capture_text_throws(const struct pattern_search *search, unsigned index, struct str *text_out);

/* pattern_functions.c: puts find, match, gmatch and gsub into the table at the top. */
void pattern_install_throws(lua_State *L);

#endif
