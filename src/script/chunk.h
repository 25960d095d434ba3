/* chunk.h: what stands in a compiled chunk: lines that have instructions, globals, local variables.
 * Ownership: texts last as long as the call that gives them. Threads: the state's. Does not throw. */
#ifndef LUADUCT_SCRIPT_CHUNK_H
#define LUADUCT_SCRIPT_CHUNK_H

#include "script/internal.h"

struct chunk_visitor { /* each may be NULL */
    void *arg;
    /* A line that a person could hit, of any function; the same one several times. */
    void (*line)(void *arg, long line);
    /* A global that is read, or set. */
    void (*global)(void *arg, struct str name, long line, bool set);
    /* A local variable or parameter. */
    void (*local)(void *arg, struct str name);
};

/* The chunk's function is on top of the stack, and stays there. */
void chunk_visit(lua_State *L, const struct chunk_visitor *visitor);

#endif
