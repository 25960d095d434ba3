/* coverage.h: which lines of people's Lua files ran, over any number of script states made for tests.
 * A line can be hit when it has an instruction, in any function of the file. The `end` of a function counts as Lua has it: not as
 * its return, but as the place where the function around it makes it. Files that a stage requires are counted as well, modules
 * inside the binary are not. A line hook counts, so a state with a coverage is several times slower: none that serves a job has
 * one.
 * Ownership: coverage_free frees; texts and lines that are given live as long as the coverage, and until the next file is loaded.
 * Threads: one owner, which is that of all states that write into it. Bounds: as many files as the states load. */
#ifndef LUADUCT_SCRIPT_COVERAGE_H
#define LUADUCT_SCRIPT_COVERAGE_H

#include "util/str.h"

struct coverage;
struct script_state;

enum { COVERAGE_ACTIVE = 1, COVERAGE_HIT = 2 };

struct coverage_file {
    const char *path;
    const uint8_t *lines; /* by line, from 1; COVERAGE_ACTIVE, or both */
    unsigned line_count;
    unsigned active, hit; /* lines */
};

struct coverage *coverage_new(void) MUST_USE;
void coverage_free(struct coverage *coverage);
/* From now on the state's modules are counted; call it before the first one is opened. The coverage outlives the state. */
void script_state_cover(struct script_state *state, struct coverage *coverage);
/* Files in the order in which they were first loaded. */
size_t coverage_count(const struct coverage *coverage);
struct coverage_file coverage_file(const struct coverage *coverage, size_t index);

#endif
