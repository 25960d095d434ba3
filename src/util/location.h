/* location.h: a place in a person's file. line and column count from 1; line 0 means "no place". Ownership: file is borrowed for
 * life (file names are interned by whoever read the file and live as long as what was read). Threads: any, plain values. */
#ifndef LUADUCT_UTIL_LOCATION_H
#define LUADUCT_UTIL_LOCATION_H

struct location {
    const char *file;
    unsigned line;
    unsigned column;
};

#endif
