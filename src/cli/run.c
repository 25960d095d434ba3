/* run.c: `luaduct run JOB`: one job in the foreground, under the small parent that restarts it (supervisor.h). */
#include "cli/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/grid.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/word.h"
#include "pipeline/epoch.h"
#include "supervisor/supervisor.h"
#include "util/clock.h"

struct run {
    const char *job_path, *datasources_path;
    int64_t records_max;
    const char *until; /* NULL: not bounded */
    struct kafka_run kafka;
};

static void stop_hub(void *arg)
{
    hub_stop(arg);
}

static void reload_hub(void *arg)
{
    hub_reload(arg);
}

/* The other side may come back, another owner may go, and a stuck script may have met a rare record beside other work; all else
 * needs a person. */
static int failure_status(const struct error *error, bool stuck, char *reason)
{
    if (error->kind == ERROR_CONFIG)
        return EXIT_CONFIG;
    if (!reason)
        return EXIT_FAILED;
    snprintf(reason, SUPERVISOR_REASON_MAX, "%s", error->text);
    return stuck || error->kind == ERROR_RETRY || error->kind == ERROR_FENCED ? EXIT_RECOVERABLE : EXIT_FAILED;
}

static void counts_row(struct grid *grid, const struct counts *counts)
{
    grid_add(grid, "%" PRId64, counts->read);
    grid_add(grid, "%" PRId64, counts->written);
    grid_add(grid, "%" PRId64, counts->filtered);
    grid_add(grid, "%" PRId64, counts->dirty);
    grid_add(grid, "%" PRId64, counts->expanded);
}

/* What a bounded run has done, on standard output: this process since its start, and the job as a whole as its positions have it.
 */
static void bounded_report(const struct engine *engine, const struct counts *counts)
{
    enum { LIST_MAX = 100000 };
    static const char *const names[] = {"partition", "from", "to", "read", "written", "filtered", "dirty", "expanded"};
    const struct stats *stats = &engine->stats;
    struct kafka_reached *list = xcalloc(LIST_MAX, sizeof(*list));
    size_t count = kafka_source_reached(engine->source, list, LIST_MAX), tally_count;
    const struct tally *tallies = hub_tallies(engine->hub, &tally_count);
    struct buffer text;
    struct grid grid;

    grid_init(&grid, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        grid_add(&grid, "%s", names[i]);
    for (size_t i = 0; i < count; i++) {
        struct counts none = {0};
        const struct counts *own = &none;

        for (size_t j = 0; j < tally_count; j++)
            if (tallies[j].partition == list[i].partition)
                own = &tallies[j].counts;
        grid_add(&grid, "%d", (int)list[i].partition);
        grid_add(&grid, "%" PRId64, list[i].from);
        grid_add(&grid, "%" PRId64, int64_max(list[i].from, list[i].to));
        counts_row(&grid, own);
    }
    grid_add(&grid, "total");
    grid_add(&grid, "%s", "");
    grid_add(&grid, "%s", "");
    counts_row(&grid, counts);
    buffer_init(&text, 0);
    grid_print(&grid, 0, &text);
    buffer_print(&text,
                 "all runs, of these partitions: read %" PRId64 " + expanded %" PRId64 " = written %" PRId64
                 " + filtered %" PRId64 " + dirty %" PRId64 "\n",
                 metric_get(stats->ledger_read), metric_get(stats->ledger_expanded), metric_get(stats->ledger_written),
                 metric_get(stats->ledger_filtered), metric_get(stats->ledger_dirty));
    fwrite(text.data, 1, text.size, stdout);
    buffer_release(&text);
    grid_release(&grid);
    free(list);
}

static void report_dirty(struct engine *engine)
{
    enum { COLUMNS_SHOWN = 10 };
    struct buffer columns;

    buffer_init(&columns, 0);
    dirty_reasons_print_columns(hub_dirty_reasons(engine->hub), COLUMNS_SHOWN, &columns);
    log_info(engine->log, "dirty rows by stage and column: %s", buffer_text(&columns));
    log_info(engine->log, "dirty rows are kept with their reasons in %s; `luaduct dirty list %s` shows them",
             dirty_place(engine->dirty), engine->job->path);
    buffer_release(&columns);
}

/* A thread that cannot be joined: nothing may be freed under it. */
_Noreturn static void end_stuck(int status)
{
    log_stop();
    _exit(status);
}

int run_engine(struct engine *engine, struct counts *counts_out, char *reason)
{
    enum { LEAVE_MS = 5000 };
    struct progress *progress;
    struct error error = {0};
    int status = EXIT_OK;
    bool ok, finished;

    signals_start(stop_hub, reload_hub, engine->hub);
    progress = progress_start(&engine->stats, engine->log);
    ok = hub_run(engine->hub, engine->report, &error);
    progress_stop(progress);
    signals_end();
    *counts_out = *hub_counts(engine->hub);
    if (!ok) {
        status = failure_status(&error, hub_worker_stuck(engine->hub), reason);
        if (report_mistakes(engine->report)) /* warnings were told at the start */
            (void)engine_report(engine);
        log_error(engine->log, "the job failed: %s", error.text);
    }
    if (!ok && hub_worker_stuck(engine->hub))
        end_stuck(status);
    finished = ok && hub_finished(engine->hub);
    log_info(engine->log, "%s read=%" PRId64 " written=%" PRId64 " filtered=%" PRId64 " dirty=%" PRId64 " expanded=%" PRId64,
             !ok                       ? "stopped"
             : finished                ? "finished"
             : hub_undone(engine->hub) ? "stopped; the next run reads again what was not committed"
             : counts_out->read        ? "stopped; everything read is committed"
                                       : "stopped; nothing was read",
             counts_out->read, counts_out->written, counts_out->filtered, counts_out->dirty, counts_out->expanded);
    if (counts_out->dirty)
        report_dirty(engine);
    engine->source->ops->stop(engine->source, clock_monotonic_ms() + LEAVE_MS);
    if (finished && engine->bounded)
        bounded_report(engine, counts_out);
    if (hub_stuck(engine->hub)) {
        fflush(NULL);
        end_stuck(status);
    }
    return status;
}

/* Where a bounded run ends; asked before anything is opened. */
static bool until_read(struct run *run, const struct job *job)
{
    struct error error = {0};

    if (!run->until || run->kafka.until.kind != KAFKA_UNTIL_NEVER)
        return true;
    if (kafka_until_parse(str_of(run->until), job->time_zone, clock_wall_ms(), &run->kafka.until, &error))
        return true;
    fprintf(stderr, "luaduct run: --until \"%s\" %s\n", run->until, error.text);
    return false;
}

/* How many partitions the topic has, where the job's parameters depend on it. A broker that does not answer is the source's
 * business, which waits for it. */
static unsigned partitions_ask(const struct engine *engine)
{
    enum { ASK_MS = 5000 };
    struct error error;
    unsigned partitions = 0;

    if (engine->job->runtime.automatic && !kafka_source_probe(engine->job, ASK_MS, &partitions, &error))
        log_info(engine->log, "runtime.auto: the number of Kafka partitions is not known: %s", error.text);
    return partitions;
}

static void automatic_say(const struct engine *engine)
{
    struct buffer text;

    if (!engine->job->runtime.automatic)
        return;
    buffer_init(&text, 0);
    automatic_print(engine->job, &engine->machine, engine->kafka_partitions, &text);
    log_info(engine->log, "%s", buffer_text(&text));
    buffer_release(&text);
}

/* The job itself: in the supervisor's child, or in the only process there is. */
static int job_run(void *arg, unsigned attempt, char *reason)
{
    struct run *run = arg;
    struct engine engine;
    struct counts counts;
    struct error error = {0};
    int status;
    bool ready;

    /* The first start may have stored positions already. */
    if (attempt && run->kafka.first == KAFKA_FIRST_YES)
        run->kafka.first = KAFKA_FIRST_ALLOWED;
    signals_block();
    if (!engine_load(&engine, run->job_path, run->datasources_path)) {
        status = engine_report(&engine);
        engine_free(&engine);
        return status ? status : EXIT_CONFIG;
    }
    ready = engine_budget(&engine, partitions_ask(&engine));
    (void)engine_report(&engine); /* warnings */
    automatic_say(&engine);
    if (!ready || !until_read(run, engine.job)) {
        status = EXIT_CONFIG;
    } else if (engine_open(&engine, run->records_max, &run->kafka, &error)) {
        status = run_engine(&engine, &counts, reason);
    } else {
        log_error(engine.log, "%s", error.text);
        status = failure_status(&error, false, reason);
    }
    engine_free(&engine);
    return status;
}

/* Reads from the job what the parent has to know, and lets go of the rest. Mistakes that are seen here end it without a fork; the
 * job's process reads the files again, at every start. */
static int job_supervise(struct run *run)
{
    struct engine engine = {.report = report_new()}; /* for its report and its log only */
    struct supervisor_options options = {.monotonic_ms = clock_monotonic_ms};
    struct error error = {0};
    int status = EXIT_CONFIG;

    if (!job_load(&engine.job, run->job_path, run->datasources_path, engine.report)) {
        (void)engine_report(&engine);
        goto out;
    }
    if (!log_start((enum log_level)engine.job->log.level, engine.job->log.file, &error)) {
        report_mistake(engine.report, (struct location){engine.job->path, 0, 0}, 1, "%s", error.text);
        (void)engine_report(&engine);
        goto out;
    }
    if (!until_read(run, engine.job))
        goto out;
    engine.log = log_new(NULL, engine.job->name);
    options.failover_max = engine.job->failover.max;
    options.failover_window_ms = engine.job->failover.window_ms;
    options.log = engine.log;
    job_free(engine.job);
    report_free(engine.report);
    engine.job = NULL;
    engine.report = NULL;
    status = supervisor_run(&options, job_run, run);
out:
    engine_free(&engine);
    return status;
}

static const char usage[] =
    "usage: luaduct run JOB.yaml [--datasources FILE] [--first] [--until WHERE] [--no-restart] [--records N]\n"
    "  --first       the job never ran: with exactly-once delivery a group without a committed position is taken for lost\n"
    "                positions otherwise, and the job does not start\n"
    "  --until WHERE ends when everything before WHERE is written: `end` (of the topic, now), a time as source.start takes\n"
    "                it (not in the future), \"30m ago\", or PARTITION:OFFSET,... with a number or `latest` as OFFSET (a\n"
    "                partition that is not named has nothing to read). A restart after a failure looks for `end` anew\n"
    "  --no-restart  without the parent that restarts a job after a failure that may heal; exit status 75 tells such a one\n"
    "  --records N   ends after N records; never restarted, since a new start would count from 0\n";

int cli_run(int argc, char **argv)
{
    struct run run = {.records_max = -1};
    bool restart = true;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_OK;
        }
        if (strcmp(argv[i], "--datasources") == 0 && i + 1 < argc) {
            run.datasources_path = argv[++i];
        } else if (strcmp(argv[i], "--no-restart") == 0) {
            restart = false;
        } else if (strcmp(argv[i], "--until") == 0 && i + 1 < argc) {
            run.until = argv[++i];
        } else if (strcmp(argv[i], "--first") == 0) {
            run.kafka.first = KAFKA_FIRST_YES;
        } else if (strcmp(argv[i], "--records") == 0 && i + 1 < argc) {
            char *end;

            run.records_max = strtoll(argv[++i], &end, 10);
            if (*end || run.records_max < 1) {
                fprintf(stderr, "luaduct run: --records takes a number of records from 1, not \"%s\"\n", argv[i]);
                return EXIT_CONFIG;
            }
            restart = false;
        } else if (argv[i][0] != '-' && !run.job_path) {
            run.job_path = argv[i];
        } else {
            return word_refuse("run", argv + i, usage);
        }
    }
    if (!run.job_path) {
        fprintf(stderr, "luaduct run: which job?\n%s", usage);
        return EXIT_CONFIG;
    }
    if (!restart) {
        char reason[SUPERVISOR_REASON_MAX];

        return job_run(&run, 0, reason);
    }
    return job_supervise(&run);
}
