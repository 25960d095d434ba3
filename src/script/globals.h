/* globals.h: names in a person's file that are nobody's. To Lua a misspelt variable is a global, nil when it is read, and shows
 * only when its line runs, if then. Names behind a function's first 256 constants are not looked at: no instruction has them.
 * Ownership: globals_release frees. Threads: the state's. */
#ifndef LUADUCT_SCRIPT_GLOBALS_H
#define LUADUCT_SCRIPT_GLOBALS_H

#include "script/internal.h"
#include "script/script.h"

struct global_use {
    char *name;
    long line;
    bool set;
};

struct globals {
    struct global_use *uses;
    size_t count, capacity;
    char **locals;
    size_t local_count, local_capacity;
};

/* Notes what the compiled chunk on top of the stack uses. Does not throw. */
void globals_note(struct globals *globals, lua_State *L);
/* After the chunk has run and been opened: tells what is read and neither in the environment nor set, and what is set and never
 * read, each name once. environment: its index on the stack; text: the file's. May throw. */
void globals_tell_throws(const struct globals *globals, lua_State *L, int environment, struct str text, script_warn *warn,
                         void *arg);
void globals_release(struct globals *globals);

#endif
