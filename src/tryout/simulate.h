/* simulate.h: a whole job on a sample: the hub, its worker (inline), route and encoding as in a real run, with a sample for a
 * source and memory for the target. Nothing leaves the process, and nothing of the job's own is touched: its dirty store, its
 * metrics page and its log are not opened.
 * Ownership: options are borrowed for the simulation's life, the schema is moved in; simulation_free frees.
 * Threads: one; it blocks until the sample is through. Errors: as of hub_run, whose counts are of what was done before. */
#ifndef LUADUCT_TRYOUT_SIMULATE_H
#define LUADUCT_TRYOUT_SIMULATE_H

#include "dirty/read.h"
#include "maxcompute/record.h"
#include "pipeline/hub.h"
#include "pipeline/work.h"
#include "sample/sample.h"
#include "sink/memory.h"

struct simulation_options {
    struct job *job;           /* runtime.workers and dirty limits are set aside in it: the job is not run afterwards */
    const struct batch *probe; /* chain_probe */
    struct mc_schema *schema;  /* the table's; moved */
    const struct sample *sample;
    const char *table;      /* project.schema.table */
    struct log *script_log; /* what the job's Lua prints */
};

struct simulation;

/* The dirty rows' texts live as long as the simulation. */
struct simulation_dirty {
    const struct dirty_record *rows; /* in the order of partition, offset, index */
    size_t count;
};

struct simulation *simulation_new(const struct simulation_options *options) MUST_USE;
void simulation_free(struct simulation *simulation);
/* Once. report gets what route_check finds. False: the job cannot go on, as it could not in a real run. */
bool simulation_run(struct simulation *simulation, struct report *report, struct error *error) MUST_USE;

const struct mc_schema *simulation_schema(const struct simulation *simulation);
const struct memory_partition *simulation_partitions(const struct simulation *simulation, size_t *count_out);
struct simulation_dirty simulation_dirty(const struct simulation *simulation);
const struct counts *simulation_counts(const struct simulation *simulation);
struct chain_counts simulation_stage_counts(const struct simulation *simulation, size_t stage);
bool simulation_decoder_counts(const struct simulation *simulation, struct chain_counts *counts_out);

/* The rows of a partition, as its blocks decode. row is called for each, with values in the order of the schema's columns, which
 * live as long as the call; false ends the walk. The error is of blocks that cannot be read. */
typedef bool (*simulation_row)(void *arg, const struct record_value *values);
bool simulation_walk(const struct simulation *simulation, const struct memory_partition *partition, simulation_row row, void *arg,
                     struct error *error) MUST_USE;

#endif
