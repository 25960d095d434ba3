/* chain.h: the decoder and the stages of a job, in order, as one worker runs them, and what each did with how many rows.
 * A stage kind is a Lua module: built-in ones are embedded (lua/json.lua), `lua` ones are a person's file. A new kind is a new
 * module in lua/ and a row in the option table; the chain needs no change.
 * Ownership: the chain owns its script state. Threads: the worker's; counts are read while it does not run.
 * Units: nanoseconds of the wall. */
#ifndef LUADUCT_STAGES_CHAIN_H
#define LUADUCT_STAGES_CHAIN_H

#include "job/job.h"
#include "script/coverage.h"
#include "script/script.h"

struct chain;

/* Opens every stage. Wrong options are told to `report` (job/report.h) with their places, all of them, and the chain opens all
 * the same, so that chain_probe, which fails then, can tell what else is wrong: it ends before the first stage that did not open.
 * Who gives a report calls chain_probe before anything else. report NULL: the first mistake is the error. */
bool chain_open(struct chain **chain_out, const struct job *job, struct report *report, struct log *log,
                struct error *error) MUST_USE;
/* The same, and each stage gets what the one of its name in `saved` has left (chain_save). */
bool chain_open_saved(struct chain **chain_out, const struct job *job, struct str saved, struct report *report, struct log *log,
                      struct error *error) MUST_USE;
/* What all stages' save() give, appended, for the chain of another version. */
bool chain_save(struct chain *chain, struct buffer *saved, struct error *error) MUST_USE;
/* The same for tests of scripts: the lines that run are noted (script/coverage.h). coverage may be NULL. */
bool chain_open_covered(struct chain **chain_out, const struct job *job, struct coverage *coverage, struct report *report,
                        struct log *log, struct error *error) MUST_USE;
void chain_free(struct chain *chain);
/* Decoder and all stages over one batch that has just begun. False: the batch cannot go on (a stage stopped it); error names
 * stage and row. */
bool chain_process(struct chain *chain, struct batch *batch, struct error *error) MUST_USE;
/* Only the decoder and the first `stages` stages (preview). */
bool chain_process_some(struct chain *chain, struct batch *batch, size_t stages, struct error *error) MUST_USE;
/* One stage alone (preview). */
bool chain_process_one(struct chain *chain, struct batch *batch, size_t stage, struct error *error) MUST_USE;

/* What a stage has done with all batches of its chain so far: rows_in + expanded = rows_out + filtered + dirty, but for a batch
 * that could not go on. */
struct chain_counts {
    uint64_t rows_in, rows_out, filtered, dirty, expanded;
    uint64_t nanoseconds;
};
/* The decoder's; false: the job has none. */
bool chain_decoder_counts(const struct chain *chain, struct chain_counts *counts_out);
const struct chain_counts *chain_counts(const struct chain *chain, size_t stage);
/* Whether all batches of a Kafka partition must come to the same worker. */
bool chain_keeps_state(const struct chain *chain);
/* The stage that is running, or NULL; any thread. The name lives as long as the job. */
const char *chain_stage_now(const struct chain *chain);
struct script_state *chain_state(struct chain *chain);
/* Runs the chain over a batch of no rows with the job's source fields; afterwards the batch has the fields and types that come
 * out. An unknown field in any stage is an error here, with the stage's place in the file. */
bool chain_probe(struct chain *chain, const struct job *job, struct batch *batch, struct report *report,
                 struct error *error) MUST_USE;
/* The same with the decoder and the first `stages` stages only: what comes out of the last of them. */
bool chain_probe_some(struct chain *chain, const struct job *job, struct batch *batch, size_t stages, struct report *report,
                      struct error *error) MUST_USE;

#endif
