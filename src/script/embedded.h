/* embedded.h: the Lua modules that ship inside the binary (lua/ of the source tree), put there by the build.
 * The table ends with a row whose name is NULL. Ownership: constant. Threads: any. */
#ifndef LUADUCT_SCRIPT_EMBEDDED_H
#define LUADUCT_SCRIPT_EMBEDDED_H

#include <stddef.h>

struct embedded_module {
    const char *name; /* "json" for lua/json.lua */
    const char *text;
    size_t size;
};

extern const struct embedded_module embedded_modules[];

#endif
