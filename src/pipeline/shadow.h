/* shadow.h: whether a new version of the code may take over: it is loaded and checked as `check` does, and runs beside the old
 * one on samples, without writing anything.
 * Refused is: a mistake in a file; a changed key that cannot be taken live; a table that the fields do not fit any more; a stage
 * that stops, raises a Lua error, or runs out of memory or budget where the old code does not; and, unless forced, more rows that
 * become dirty: over SHADOW_DIRTY_PERMILLE more of the rows than before.
 * Ownership: the caller's; a new version comes as a reference. Threads: one at a time, which shares nothing with a worker.
 * Time: SHADOW_MS_MAX, but for C functions that do not come back (Lua's patterns). Errors: kind CONFIG or SCRIPT with the reason;
 * the text of a report may have several lines. */
#ifndef LUADUCT_PIPELINE_SHADOW_H
#define LUADUCT_PIPELINE_SHADOW_H

#include "pipeline/code.h"
#include "pipeline/samples.h"

enum {
    SHADOW_DIRTY_PERMILLE = 10,
    SHADOW_MS_MAX = 10 * 1000,
};

struct shadow_options {
    const struct job *job;        /* that the process began with: it has the keys that stay */
    const char *datasources_path; /* as for job_load */
    const struct mc_schema *schema;
    struct samples *samples;
    /* The job's own tests (`luaduct test`), run on the loaded job; NULL: there are none. */
    bool (*test)(const struct job *job, struct log *log, struct error *error);
    int64_t (*monotonic_ms)(void);
    const atomic_bool *given_up;  /* once true, what is left is not run */
    struct log *log;
};

/* What the batch of a trial may take. */
static inline size_t shadow_batch_bytes(const struct job *job)
{
    return (size_t)job->runtime.memory_max / 4;
}

enum shadow_result { SHADOW_PASSED, SHADOW_UNCHANGED, SHADOW_REFUSED };

/* PASSED: *code_out is the new version. `said` gets what a person wants to know: how many rows it was tried on, or why it was
 * refused. `seen` gets all files that were looked at, and what was read of them, so that they can be watched. */
enum shadow_result shadow_run(const struct shadow_options *options, struct code *running, bool force, struct code **code_out,
                              struct file_set *seen, struct buffer *said);

#endif
