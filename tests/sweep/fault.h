/* fault.h: makes allocation or I/O call number N fail, once or from then on. Linked into the sweep programs only.
 * Method: the program defines malloc, calloc, realloc, strdup, write, open, socket, fork and their like itself, so that the calls of
 * the shared libraries come here as well. Under a sanitizer they go on to its interceptors, so that leaks and overruns are still found. What
 * counts: calls made while fault_on is in force, by the threads and modules that the plan names. Those of librdkafka's own
 * threads never do: it asserts that it has memory. Threads: the plan is set before others start; counting is atomic. */
#ifndef LUADUCT_TESTS_SWEEP_FAULT_H
#define LUADUCT_TESTS_SWEEP_FAULT_H

#include "util/base.h"

enum fault_kind {
    FAULT_MEMORY, /* malloc and its like answer NULL */
    FAULT_NO_SPACE,
    FAULT_IO_ERROR,
    FAULT_NO_DESCRIPTOR,
    FAULT_SHORT,       /* a write that takes half */
    FAULT_INTERRUPTED, /* EINTR */
    FAULT_NO_PROCESS,  /* no child and no thread can be made: EAGAIN */
    FAULT_KINDS,
};
extern const char *const fault_names[FAULT_KINDS];

struct fault_plan {
    enum fault_kind kind;
    uint64_t at; /* the first call that fails, from 1; 0: count only */
    bool for_ever;
    bool libraries;     /* calls of shared libraries count too, not the program's alone */
    bool other_threads; /* those of the others than the main thread, instead of it */
};

/* Sets the plan and the count back; the calling thread is the main one from now on. */
void fault_plan(const struct fault_plan *plan);
void fault_on(void);
void fault_off(void);
uint64_t fault_count(void); /* calls that counted */
bool fault_struck(void);

#endif
