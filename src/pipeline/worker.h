/* worker.h: the part of a job that computes: stages, route, encoding, packing. A pure function of its work: its own Lua state,
 * arena (the batch's) and compressor, nothing shared.
 * Versions: a new one is swapped in between two batches (WORK_SWAP) and is on probation then: the one that ran before, or the
 * last one that was proven, is kept. When the new one raises Lua errors in a batch, or stops at it, and the kept one does better
 * on the same batch, the kept one's result counts and the worker goes back to it.
 * Ownership: worker_run works in place; the caller keeps the work. Threads: a worker belongs to one thread at a time; W = 0 calls
 * worker_run from the hub, W = n through worker_start, which gives each a thread and two bounded queues. */
#ifndef LUADUCT_PIPELINE_WORKER_H
#define LUADUCT_PIPELINE_WORKER_H

#include "job/job.h"
#include "maxcompute/compress.h"
#include "pipeline/queue.h"
#include "pipeline/work.h"
#include "stages/chain.h"

struct worker;

struct worker_options {
    const struct job *job;
    struct code *code;              /* the first version; the worker takes a reference */
    const struct mc_schema *schema; /* outlives the worker */
    const char *topic_id;           /* for dirty rows; borrowed */
    size_t record_bytes_max;        /* room for table partitions in one record beside an offset (position.h); 0: unbounded */
    int64_t (*monotonic_ms)(void);
    int64_t (*wall_ms)(void);
    struct metrics *metrics; /* for what scripts count; may be NULL */
    struct log *log;
};

bool worker_new(struct worker **worker_out, const struct worker_options *options, struct error *error) MUST_USE;
void worker_free(struct worker *worker); /* stops its thread first */
/* Does the work; work->ok and work->error say how it went. */
void worker_run(struct worker *worker, struct work *work);
bool worker_keeps_state(const struct worker *worker);
const char *worker_stage_now(const struct worker *worker); /* that runs in it, or NULL; any thread */
size_t worker_lua_memory(const struct worker *worker);
const struct chain *worker_chain(const struct worker *worker); /* for its counts, while no work is out */
/* How this job's blocks are compressed. */
enum compression worker_compression(const struct job *job);

/* The thread, called "worker NUMBER": takes from the first queue, puts into the second, and calls wake after each (any thread may
 * be woken; no locks held). */
void worker_start(struct worker *worker, size_t number, size_t depth, void (*wake)(void *arg), void *arg);
bool worker_try_give(struct worker *worker, struct work *work) MUST_USE;
struct work *worker_try_take(struct worker *worker);
/* Work given and not yet taken back. */
size_t worker_load(const struct worker *worker);

#endif
