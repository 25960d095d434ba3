/* engine.h: from a job file to a job that runs: everything that the commands set up alike.
 * Ownership: engine_free frees all. Threads: the command's main thread; the hub runs in it.
 * Mistakes in files are printed as a report on standard error, run-time failures as one log line. */
#ifndef LUADUCT_CLI_ENGINE_H
#define LUADUCT_CLI_ENGINE_H

#include "dirty/dirty.h"
#include "job/job.h"
#include "pipeline/automatic.h"
#include "pipeline/budget.h"
#include "pipeline/hub.h"
#include "source/kafka.h"
#include "stages/chain.h"

struct engine {
    struct report *report;
    struct job *job;
    struct machine machine;
    unsigned kafka_partitions; /* 0: not asked, or not known */
    struct budget budget;
    struct log *log;
    struct chain *chain; /* of the main thread: for probing only */
    struct batch *probe;
    struct mc_schema create_schema; /* of the table that the job makes; for commands that ask, of the one that is there */
    bool has_create_schema;
    char *table; /* project.schema.table */
    const char *datasources_path; /* as the command line has it; may be NULL */

    struct metrics *metrics;
    struct stats stats;
    struct admin *admin;
    struct http *http;
    struct client *client;
    struct sink *sink;
    struct source *source;
    bool bounded; /* the run has an end */
    struct dirty_store *dirty;
    struct hub *hub;
};

enum { ENGINE_ASK_MS = 15 * 1000 };

/* Loads and checks the files, and no more: enough for commands that run no stage. False: the report says why. */
bool engine_load_job(struct engine *engine, const char *job_path, const char *datasources_path) MUST_USE;
/* As far as what comes out of the stages, for commands that try a job out: its log file stays closed, and lines go to standard
 * error. Without its ends: data sources and their secrets need not be there (job_load_offline). False: the report says why. */
bool engine_load_stages(struct engine *engine, const char *job_path, const char *datasources_path, bool with_ends) MUST_USE;
/* The schema of the table as the job has it: of target.columns, else of what the stages yield, held against the mapping. False:
 * the report says why. */
bool engine_create_schema(struct engine *engine) MUST_USE;
/* Loads and checks the files, opens the stages, probes what comes out of them, and with `create: if_missing` makes the table's
 * schema. False: the report says why. */
bool engine_load(struct engine *engine, const char *job_path, const char *datasources_path) MUST_USE;
/* Derives the parameters of runtime.auto; kafka_partitions 0: not known. */
void engine_parameters(struct engine *engine, unsigned kafka_partitions);
/* What the job may take: derives the parameters of runtime.auto, computes the budget, and tells what does not go together.
 * kafka_partitions 0: not known. Call it once, after engine_load. False: the report says why. */
bool engine_budget(struct engine *engine, unsigned kafka_partitions) MUST_USE;
/* The client of the job's target, without sending anything. */
void engine_connect(struct engine *engine);
/* Sends one question to the service and waits for its answer, at most ENGINE_ASK_MS; the caller frees it. NULL: none came, and
 * the call is gone. */
struct client_call *engine_ask(struct engine *engine, struct client_call *call) MUST_USE;
/* Why engine_ask gave NULL. */
void engine_no_answer(const struct engine *engine, struct error *error);
/* Makes the ends and the hub. */
bool engine_open(struct engine *engine, int64_t records_max, const struct kafka_run *run, struct error *error) MUST_USE;
/* Prints the report, if there is something in it; the exit status that fits it. */
int engine_report(struct engine *engine);
/* What engine_budget found: the parameters that were derived, memory, and the service's limits. */
void engine_print_budget(const struct engine *engine, struct buffer *text);
/* "2024-01-31 08:00:00 Asia/Shanghai" in the job's zone, else UTC. */
void engine_print_time(const struct engine *engine, int64_t ms, struct buffer *text);
void engine_free(struct engine *engine);

#endif
