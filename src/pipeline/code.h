/* code.h: one version of a job's processing logic, and what runs batches by it.
 * A version is a loaded job of which only the live part (job/version.h) differs from that of the other versions of the process.
 * A runner is its chain and route, opened for one thread.
 * Ownership: versions are counted: code_new gives one reference, and each runner holds one; the last one frees the job, unless it
 * is borrowed. Threads: references from any; a runner belongs to one thread at a time. */
#ifndef LUADUCT_PIPELINE_CODE_H
#define LUADUCT_PIPELINE_CODE_H

#include <stdatomic.h>

#include "job/version.h"
#include "route/route.h"
#include "stages/chain.h"

struct code {
    const struct job *job;
    bool borrowed;
    char version[JOB_VERSION_MAX];
    bool keeps_state; /* all batches of a Kafka partition must come to one worker */
    _Atomic unsigned references;
};

struct code *code_new(const struct job *job, bool borrowed) MUST_USE;
struct code *code_keep(struct code *code); /* takes one reference more, and returns it */
void code_drop(struct code *code);         /* takes NULL */

struct runner {
    struct runner *next; /* in lists of whoever owns it */
    struct code *code;
    struct chain *chain;
    struct route *route;
};

/* saved: what runner_save gave of the version before, or absent. Reads the version's Lua files from what its job keeps of them.
 */
bool runner_open(struct runner **runner_out, struct code *code, const struct mc_schema *schema, struct str saved, struct log *log,
                 struct error *error) MUST_USE;
void runner_free(struct runner *runner); /* takes NULL; runs the stages' close() */
bool runner_keeps_state(const struct runner *runner);
bool runner_save(struct runner *runner, struct buffer *saved, struct error *error) MUST_USE;
/* Rows, stages and route over a batch that has messages only. False: the batch cannot go on. */
bool runner_run(struct runner *runner, struct batch *batch, struct routed *routed, struct error *error) MUST_USE;

#endif
