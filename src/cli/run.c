/* run.c: `luaduct run JOB`: one job in the foreground. */
#include "cli/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "pipeline/work.h"
#include "util/clock.h"

static void stop_hub(void *arg)
{
    hub_stop(arg);
}

int run_engine(struct engine *engine, struct counts *counts_out)
{
    enum { LEAVE_MS = 5000 };
    struct progress *progress;
    struct error error = {0};
    int status = EXIT_OK;
    bool ok;

    signals_start(stop_hub, engine->hub);
    progress = progress_start(&engine->stats, engine->log);
    ok = hub_run(engine->hub, engine->report, &error);
    progress_stop(progress);
    signals_end();
    *counts_out = *hub_counts(engine->hub);
    if (!ok) {
        status = error.kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
        (void)engine_report(engine);
        log_error(engine->log, "the job failed: %s", error.text);
    }
    if (hub_stuck(engine->hub)) {
        /* A thread that cannot be joined: nothing may be freed under it. */
        log_stop();
        _exit(EXIT_FAILED);
    }
    log_info(engine->log, "%s read=%" PRId64 " written=%" PRId64 " filtered=%" PRId64 " dirty=%" PRId64 " expanded=%" PRId64,
             !ok                ? "stopped"
             : counts_out->read ? "stopped; everything read is committed"
                                : "stopped; nothing was read",
             counts_out->read, counts_out->written, counts_out->filtered, counts_out->dirty, counts_out->expanded);
    if (counts_out->dirty)
        log_info(engine->log, "dirty rows are kept with their reasons directory=%s", engine->job->dirty.directory);
    engine->source->ops->stop(engine->source, clock_monotonic_ms() + LEAVE_MS);
    return status;
}

static const char usage[] = "usage: luaduct run JOB.yaml [--datasources FILE] [--records N]\n";

int cli_run(int argc, char **argv)
{
    const char *job_path = NULL, *datasources_path = NULL;
    int64_t records_max = -1;
    struct engine engine;
    struct counts counts;
    struct error error = {0};
    int status;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_OK;
        }
        if (strcmp(argv[i], "--datasources") == 0 && i + 1 < argc) {
            datasources_path = argv[++i];
        } else if (strcmp(argv[i], "--records") == 0 && i + 1 < argc) {
            char *end;

            records_max = strtoll(argv[++i], &end, 10);
            if (*end || records_max < 1) {
                fprintf(stderr, "luaduct run: --records takes a number of records from 1, not \"%s\"\n", argv[i]);
                return EXIT_CONFIG;
            }
        } else if (argv[i][0] != '-' && !job_path) {
            job_path = argv[i];
        } else {
            fprintf(stderr, "luaduct run: \"%s\" is not understood\n%s", argv[i], usage);
            return EXIT_CONFIG;
        }
    }
    if (!job_path) {
        fprintf(stderr, "luaduct run: which job?\n%s", usage);
        return EXIT_CONFIG;
    }
    signals_block();
    if (!engine_load(&engine, job_path, datasources_path)) {
        status = engine_report(&engine);
        engine_free(&engine);
        return status ? status : EXIT_CONFIG;
    }
    (void)engine_report(&engine); /* warnings */
    if (engine_open(&engine, records_max, &error)) {
        status = run_engine(&engine, &counts);
    } else {
        log_error(engine.log, "%s", error.text);
        status = error.kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
    }
    engine_free(&engine);
    return status;
}
