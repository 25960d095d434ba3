/* hub_sweep.c: a whole job from a scripted source into a sink that decodes what it gets, with memory failing in the hub's thread
 * or in the worker's. Whatever ends it: no offset has moved past a row that is not in the target, and a second run delivers the
 * rest, once. The same with new code that comes in the middle: it takes over, or the old code goes on, and a row is made by one
 * of the two. */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job/job.h"
#include "job/report.h"
#include "pipeline/hub.h"
#include "pipeline/work.h"
#include "route/route.h"
#include "stages/chain.h"
#include "support/scripted.h"
#include "testing/cases.h"
#include "util/clock.h"

enum {
    RECORDS = 250,
    HOLD = 100,    /* records of each partition before new code comes */
    SHIFT = 48000, /* what it adds to each number: the row's table partition stays right */
    ANSWER_MS = 20000,
};

static const char datasources[] =
    "kafka:\n  k: {brokers: \"127.0.0.1:9\"}\n"
    "maxcompute:\n  m: {endpoint: \"http://127.0.0.1:9/api\", project: p, access_id: i, access_key: kkkkkkkk}\n";
static const char job_text[] = "name: j\n"
                               "source: {kafka: k, topic: t}\n"
                               "stages:\n"
                               "  - name: parse\n"
                               "    kind: json\n"
                               "    columns:\n"
                               "      - {name: n, path: $.n, type: bigint, required: true}\n"
                               "      - {name: part, path: $.part, type: string, required: true}\n"
                               "  - {name: look, kind: lua, file: stage.lua}\n"
                               "target:\n"
                               "  maxcompute: m\n"
                               "  table: t\n"
                               "  create: if_missing\n"
                               "  columns: [{name: n, type: bigint}]\n"
                               "  partition: [{name: part, kind: field, from: part}]\n"
                               "dirty: {directory: dirty}\n"
                               "runtime: {workers: 1, batch_rows: 100, flush_interval: 60s, flush_bytes: 64KiB}\n";
/* Number 0 of every hundred is a dirty row. */
static const char stage_text[] = "local stage = {}\n"
                                 "function stage.process(batch)\n"
                                 "  for row in batch:rows() do\n"
                                 "    local t = {}\n"
                                 "    for i = 1, 20 do t[i] = row.part .. i end\n"
                                 "    if row.n % 100 == 0 then row:dirty(table.concat(t)) end\n"
                                 "  end\n"
                                 "end\n"
                                 "return stage\n";
static const char new_stage_text[] = "local stage = {}\n"
                                     "function stage.process(batch)\n"
                                     "  batch:dirty((batch.n % 100):eq(0), 'a hundred')\n"
                                     "  batch:set('n', batch.n + 48000)\n"
                                     "end\n"
                                     "return stage\n";
static const char cases_text[] = "cases:\n"
                                 "  - name: shifted\n"
                                 "    input: [{value: {n: 1, part: p1}}]\n"
                                 "    expect: [{n: 48001}]\n";

struct bed {
    struct job *job;
    struct report *report;
    struct chain *chain;
    struct batch *probe;
    struct log *log;
    struct checked_service *service;
    int64_t committed[SCRIPT_PARTITIONS];
    char metadata[SCRIPT_PARTITIONS][4200];
    int64_t dirty; /* of the run */
    bool reloads;
    bool accepted, tried; /* the new code */
};

static void bed_open(struct bed *bed, unsigned workers, enum delivery delivery)
{
    struct error error = {0};
    const char *path;

    memset(bed, 0, sizeof(*bed));
    (void)sweep_file("datasources.yaml", datasources);
    (void)sweep_file("stage.lua", stage_text);
    path = sweep_file("job.yaml", job_text);
    bed->report = report_new();
    SWEEP_CHECK(job_load(&bed->job, path, NULL, bed->report));
    bed->job->runtime.workers = workers;
    bed->job->delivery = delivery;
    bed->log = log_new(NULL, "j");
    SWEEP_CHECK(chain_open(&bed->chain, bed->job, bed->report, bed->log, &error));
    bed->probe = batch_new(1 << 20);
    SWEEP_CHECK(chain_probe(bed->chain, bed->job, bed->probe, bed->report, &error));
    http_free(http_new(&(struct http_options){0})); /* what curl sets up once, net_sweep.c looks at */
    bed->service = checked_service_new();
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        bed->committed[p] = -1;
}

static void bed_close(struct bed *bed)
{
    checked_service_free(bed->service);
    chain_free(bed->chain);
    batch_free(bed->probe);
    log_free(bed->log);
    job_free(bed->job);
    report_free(bed->report);
}

/* What the test itself does with a block is not swept. */
static bool swept;

static void put(struct sink *sink, struct sink_session *session, struct block *block, int64_t now_ms)
{
    fault_off();
    checked_put(sink, session, block, now_ms);
    if (swept)
        fault_on();
}

/* --- new code while the records flow --- */

static struct drive {
    struct hub *hub;
    const struct stats *stats;
    struct scripted_source *source;
    int phase;
    int64_t end_ms;
} drive;

static void bring_new_code(void *arg UNUSED)
{
    const struct stats *stats = drive.stats;

    fault_off();
    if (drive.phase == 0 && metric_get(stats->processed) >= HOLD * SCRIPT_PARTITIONS) {
        char path[160];

        (void)sweep_file("job.test.yaml", cases_text);
        snprintf(path, sizeof(path), "%s/stage.lua", sweep_folder());
        SWEEP_CHECK(rename(sweep_file("stage.new", new_stage_text), path) == 0);
        drive.end_ms = clock_monotonic_ms() + ANSWER_MS;
        hub_reload(drive.hub);
        drive.phase = 1;
    } else if (drive.phase == 1 && (metric_get(stats->reloads_accepted) || metric_get(stats->reloads_refused) ||
                                    metric_get(stats->reloads_reverted))) {
        drive.source->hold_at = -1;
        drive.phase = 2;
    }
    SWEEP_CHECK(drive.phase != 1 || clock_monotonic_ms() < drive.end_ms);
    if (swept)
        fault_on();
    if (drive.phase == 1)
        usleep(2000); /* the fewer turns, the more of the calls are the reload's */
}

static bool run(struct bed *bed, bool sweep, struct error *error)
{
    struct dirty_options dirty_options = dirty_options_of(bed->job);
    struct sink_ops sink_ops = checked_sink_ops;
    struct http_options http_options = {0};
    struct dirty_store *dirty = NULL;
    struct scripted_source *source;
    struct hub_options options;
    struct mc_schema schema;
    struct checked_sink *sink;
    struct metrics *metrics;
    struct stats stats;
    struct http *http;
    struct hub *hub;
    bool ok;

    SWEEP_CHECK(route_create_schema(bed->job, bed->probe, &schema, bed->report));
    sink_ops.block_put = put;
    sink = checked_sink_new_on(&schema, bed->service);
    sink->base.ops = &sink_ops;
    source = scripted_source_new(RECORDS);
    memcpy(source->committed, bed->committed, sizeof(source->committed));
    memcpy(source->metadata, bed->metadata, sizeof(source->metadata));
    swept = sweep;
    if (sweep)
        fault_on();
    metrics = metrics_new("j");
    stats_init(&stats, metrics);
    http = http_new(&http_options);
    ok = dirty_store_open(&dirty, &dirty_options, error);
    options = (struct hub_options){
        .job = bed->job,
        .probe = bed->probe,
        .http = http,
        .source = &source->base,
        .sink = &sink->base,
        .dirty = dirty,
        .stats = &stats,
        .table = "p.t",
        .records_max = -1,
        .monotonic_ms = clock_monotonic_ms,
        .wall_ms = clock_wall_ms,
        .log = bed->log,
        .reloads = bed->reloads,
        .reload_test = cases_pass,
    };
    hub = hub_new(&options);
    if (bed->reloads) {
        drive = (struct drive){.hub = hub, .stats = &stats, .source = source};
        source->hold_at = HOLD;
        source->says_more = true;
        source->on_fetch = bring_new_code;
    }
    ok = ok && hub_run(hub, bed->report, error);
    fault_off();
    bed->dirty += hub_counts(hub)->dirty;
    if (bed->reloads) {
        bed->tried = drive.phase > 0;
        bed->accepted = metric_get(stats.reloads_accepted) > 0;
        bed->reloads = false; /* a second run has the old code, which the bed has loaded */
    }
    hub_free(hub);
    memcpy(bed->committed, source->committed, sizeof(source->committed));
    memcpy(bed->metadata, source->metadata, sizeof(source->metadata));
    sink->base.ops->free(&sink->base);
    source->base.ops->free(&source->base);
    dirty_store_close(dirty);
    http_free(http);
    metrics_free(metrics);
    SWEEP_CHECK(atomic_load(&scripted_outstanding) == 0);
    return ok;
}

static bool is_dirty(int64_t number)
{
    return number % 100 == 0;
}

/* How often the number is in the target, as old or as new code makes it. */
static int seen(const struct bed *bed, int64_t number)
{
    return bed->service->seen[number] + bed->service->seen[number + SHIFT];
}

static bool deliver(unsigned workers, enum delivery delivery, bool reloads, struct error *error)
{
    struct error later = {0};
    struct bed bed;
    bool ok;

    bed_open(&bed, workers, delivery);
    bed.reloads = reloads;
    ok = run(&bed, true, error);
    SWEEP_CHECK(!reloads || fault_struck() || (bed.tried && bed.accepted));
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        for (int64_t at = 0; at < bed.committed[p]; at++)
            SWEEP_CHECK(is_dirty(at * SCRIPT_PARTITIONS + p) || seen(&bed, at * SCRIPT_PARTITIONS + p));
    if (!ok)
        SWEEP_CHECK(run(&bed, false, &later));
    for (int64_t n = 0; n < RECORDS * SCRIPT_PARTITIONS; n++)
        SWEEP_CHECK(seen(&bed, n) == !is_dirty(n));
    if (ok)
        SWEEP_CHECK(bed.dirty == RECORDS * SCRIPT_PARTITIONS / 100);
    bed_close(&bed);
    return ok;
}

static bool inline_once(struct error *error)
{
    return deliver(0, DELIVERY_EXACTLY_ONCE, false, error);
}

static bool inline_at_least_once(struct error *error)
{
    return deliver(0, DELIVERY_AT_LEAST_ONCE, false, error);
}

static bool worker_once(struct error *error)
{
    return deliver(1, DELIVERY_EXACTLY_ONCE, false, error);
}

static bool reload_inline(struct error *error)
{
    return deliver(0, DELIVERY_EXACTLY_ONCE, true, error);
}

static bool reload_worker(struct error *error)
{
    return deliver(1, DELIVERY_EXACTLY_ONCE, true, error);
}

static const struct sweep_case cases[] = {
    {.name = "hub_inline", .run = inline_once, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 40},
    {.name = "hub_at_least_once", .run = inline_at_least_once, .flags = SWEEP_STOPS, .points = 15},
    {.name = "hub_with_a_worker", .run = worker_once, .flags = SWEEP_STOPS, .points = 15},
    {.name = "worker", .run = worker_once, .flags = SWEEP_STOPS | SWEEP_OTHERS},
    {.name = "reload", .run = reload_inline, .flags = SWEEP_STOPS, .points = 15},
    {.name = "reload_with_a_worker", .run = reload_worker, .flags = SWEEP_STOPS, .points = 10},
    {.name = "reloader", .run = reload_worker, .flags = SWEEP_STOPS | SWEEP_OTHERS},
    {.name = "reloader_files", .run = reload_inline, .flags = SWEEP_IO | SWEEP_OTHERS, .points = 4},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
