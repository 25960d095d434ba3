/* machine.h: what this process may use of the machine: cores by its affinity, cores and memory by the limits of its control
 * groups (cgroup v2, its own and those above it), whichever is less.
 * Ownership: plain values, nothing to release. Threads: any, no state. Cheap enough for the start of a job, not for a loop: it
 * reads some files. */
#ifndef LUADUCT_UTIL_MACHINE_H
#define LUADUCT_UTIL_MACHINE_H

#include "util/base.h"

struct machine {
    unsigned cores;       /* at least 1; a part of a core counts as one */
    int64_t memory_bytes; /* 0: not known */
};

/* root is "" for this machine; tests give a folder with proc/ and sys/ in it. What cannot be read does not limit. */
void machine_read(struct machine *machine_out, const char *root);

#endif
