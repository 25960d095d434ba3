/* hub.h: one job at run time: the thread that waits, remembers and decides (design.md, "The hub's loop").
 * It owns the flow: records from the source into batches, batches to workers, chunks and blocks back, blocks to the sink, offsets
 * by the epochs. It never runs Lua (except inline with W = 0) and never waits anywhere but in http_wait. Ownership: borrows all
 * that is in the options. Threads: hub_run is the hub's thread; hub_stop and hub_reload may be called from any thread (signals
 * arrive on a thread of their own, cli/signals.h). */
#ifndef LUADUCT_PIPELINE_HUB_H
#define LUADUCT_PIPELINE_HUB_H

#include "job/job.h"
#include "maxcompute/client.h"
#include "pipeline/stats.h"
#include "sink/sink.h"
#include "source/source.h"
#include "stages/chain.h"
#include "util/log.h"

struct hub;

struct hub_options {
    const struct job *job;
    const struct batch *probe; /* the fields and types that come out of the stages (chain_probe) */
    struct http *http;         /* where the hub waits */
    struct client *client;     /* for its counters; may be NULL */
    struct source *source;
    struct sink *sink;
    struct dirty_store *dirty;
    struct stats *stats;
    const char *table;         /* project.schema.table, for the positions */
    bool reloads;              /* takes new code while it runs (reloader.h); the next two are for that */
    const char *datasources_path; /* as for job_load */
    bool (*reload_test)(const struct job *job, struct log *log, struct error *error); /* shadow.h; may be NULL */
    int64_t records_max;       /* stop fetching after so many records and drain; -1: never */
    int64_t (*monotonic_ms)(void);
    int64_t (*wall_ms)(void);
    struct log *log;
    struct log *worker_log; /* what scripts print; NULL: log */
};

struct hub *hub_new(const struct hub_options *options) MUST_USE;
/* Must not be called when hub_stuck says so: then a thread cannot be joined, and the process has to end. */
void hub_free(struct hub *hub);

/* Runs until stopped (drains: what was read is flushed and committed), or until the source ends or records_max is reached, or an
 * error ends it; then nothing that is not in the target has had its offset moved. `report` gets what route_check finds. */
bool hub_run(struct hub *hub, struct report *report, struct error *error) MUST_USE;
void hub_stop(struct hub *hub);
/* Looks whether there is new code, now; any thread. */
void hub_reload(struct hub *hub);
bool hub_stuck(const struct hub *hub);
/* It is a worker's thread, which is why the run failed; else new code is still being tried, which is no fault of the run. */
bool hub_worker_stuck(const struct hub *hub);
/* The source had an end, and everything before it is done. */
bool hub_finished(const struct hub *hub);

/* What became of everything in this run, after hub_run: all together, and per Kafka partition (epoch.h). */
struct counts;
struct tally;
const struct counts *hub_counts(const struct hub *hub);
const struct dirty_reasons *hub_dirty_reasons(const struct hub *hub); /* NULL when nothing ran */
const struct tally *hub_tallies(const struct hub *hub, size_t *count_out);
/* What a stage (or the decoder: false when there is none) did in all workers. */
struct chain_counts hub_stage_counts(const struct hub *hub, size_t stage);
bool hub_decoder_counts(const struct hub *hub, struct chain_counts *counts_out);
/* Whether a job that was asked to stop had to give up some of what it had read: the next run reads it again. */
bool hub_undone(const struct hub *hub);

#endif
