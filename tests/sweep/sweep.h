/* sweep.h: runs a case again and again, each time in a process of its own in which allocation (or I/O call) number 1, 2, 3 …
 * fails, once and for ever. A case opens something, does one piece of work and closes it. Accepted ends of a process:
 * - the case answers true and its checks hold: the failure was got over;
 * - it answers false with an error text, and done again without failures it answers true, unless SWEEP_DIES;
 * - SWEEP_STOPS: the process stops with the message of the x-functions (util/base.h); that of xthread_create is always one.
 * All else fails the sweep: another signal or exit status, a sanitizer's report, a leak, a wrong result, 60 s without an end.
 * Tried are at most `points` of each case and kind, spread evenly over all; LUADUCT_SWEEP=all tries every one, a number in its place
 * so many. */
#ifndef LUADUCT_TESTS_SWEEP_SWEEP_H
#define LUADUCT_TESTS_SWEEP_SWEEP_H

#include "sweep/fault.h"
#include "util/error.h"

enum {
    SWEEP_STOPS = 1,
    SWEEP_LIBRARIES = 2, /* allocations of shared libraries fail too */
    SWEEP_OTHERS = 4,    /* those of the other threads fail, not the main one's */
    SWEEP_DIES = 8,
    SWEEP_IO = 16,      /* I/O fails, not memory */
    SWEEP_ASSERTS = 32, /* a library that the case uses asserts that it has memory: its abort is an end too */
    SWEEP_ONCE = 64,    /* fails once, not for ever: the case waits for as long as it is to last */
};

struct sweep_case {
    const char *name;
    bool (*run)(struct error *error); /* calls fault_on and fault_off around what is swept */
    unsigned flags;
    unsigned points; /* 0: 25 */
};

/* Ends the process with a line about the place; for results and for what the case itself needs. */
#define SWEEP_CHECK(condition) ((condition) ? (void)0 : sweep_wrong(__FILE__, __LINE__, #condition))
_Noreturn void sweep_wrong(const char *file, int line, const char *text);
/* A fresh folder for this process, removed at its end. */
const char *sweep_folder(void);
/* Writes a file into it and answers its path, which lives until the next but one call. */
const char *sweep_file(const char *name, const char *text);

/* Arguments: names of cases; none: all. */
int sweep_main(int argc, char **argv, const struct sweep_case *cases, size_t count);

#endif
