/* hub_bed.h: a hub with all that it needs, against a scripted source and a sink that decodes what it gets, in a folder of its own. */
#ifndef TEST_SUPPORT_HUB_BED_H
#define TEST_SUPPORT_HUB_BED_H

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirty/dirty.h"
#include "pipeline/hub.h"
#include "route/route.h"
#include "stages/chain.h"
#include "support/scripted.h"
#include "util/clock.h"

static const char datasources[] = "kafka:\n  k: {brokers: \"127.0.0.1:9\"}\n"
                                  "maxcompute:\n  m: {endpoint: \"http://127.0.0.1:9/api\", project: p, access_id: i, access_key: kkkkkkkk}\n";
static const char job_text[] = "name: j\n"
                               "source: {kafka: k, topic: t}\n"
                               "stages:\n"
                               "  - name: parse\n"
                               "    kind: json\n"
                               "    columns:\n"
                               "      - {name: n, path: $.n, type: bigint, required: true}\n"
                               "      - {name: part, path: $.part, type: string, required: true}\n"
                               "%s"
                               "target:\n"
                               "  maxcompute: m\n"
                               "  table: t\n"
                               "  create: if_missing\n"
                               "  columns: [{name: n, type: bigint}]\n"
                               "  partition: [{name: part, %s}]\n"
                               "  partitions_open_max: %d\n"
                               "dirty: {directory: dirty, max: %s}\n"
                               "runtime: {workers: %d, batch_rows: %d, flush_interval: %dms, flush_bytes: 64KiB}\n"
                               "%s";

/* Where the job's files lie: beside each other; in a folder "12" that the link "current" points to; or each of them a link through
 * the link "..data" to the folder "..12", as Kubernetes lays them. */
enum layout { LAYOUT_PLAIN, LAYOUT_FOLDER_LINK, LAYOUT_FILE_LINKS };

struct setup {
    enum layout layout;
    const char *stages;
    int open_max;
    const char *dirty_max;
    int workers, batch_rows, flush_ms;
    const char *table;
    int64_t memory_max;
    int64_t (*monotonic_ms)(void);
    int64_t records_max; /* 0: no bound */
    const char *lua;     /* stage.lua beside the job */
    const char *late;    /* late.lua beside it */
    const char *partition; /* the rule, by default that of a field */
    const char *tail;    /* more of the job file */
    bool reloads;
    bool (*reload_test)(const struct job *job, struct log *log, struct error *error);
    enum delivery delivery;
    struct checked_service *service; /* NULL: one of its own */
};

struct run {
    char folder[64];
    struct job *job;
    struct report *report;
    struct log *log;
    struct chain *chain;
    struct batch *probe;
    struct metrics *metrics;
    struct stats stats;
    struct http *http;
    struct dirty_store *dirty;
    struct scripted_source *source;
    struct checked_sink *sink;
    struct hub *hub;
    int64_t now_ms;
    struct error error;
    bool ok;
};

static inline void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A rename, so that the link is never missing. */
static inline void switch_link(const char *folder, const char *name, const char *to)
{
    char link[256], next[256];

    snprintf(link, sizeof(link), "%s/%s", folder, name);
    snprintf(next, sizeof(next), "%s/next", folder);
    assert_int_equal(symlink(to, next), 0);
    assert_int_equal(rename(next, link), 0);
}

/* Makes the folder and the links to it; gives the prefix of the files' names. */
static inline const char *lay_out(const char *folder, enum layout layout)
{
    static const char *const files[] = {"job.yaml", "datasources.yaml", "stage.lua"};
    char path[128];

    if (layout == LAYOUT_PLAIN)
        return "";
    snprintf(path, sizeof(path), "%s/%s", folder, layout == LAYOUT_FOLDER_LINK ? "12" : "..12");
    assert_int_equal(mkdir(path, 0700), 0);
    switch_link(folder, layout == LAYOUT_FOLDER_LINK ? "current" : "..data", layout == LAYOUT_FOLDER_LINK ? "12" : "..12");
    if (layout == LAYOUT_FOLDER_LINK)
        return "current/";
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof(path), "..data/%s", files[i]);
        switch_link(folder, files[i], path);
    }
    return "";
}

static inline struct run *open_run(const struct setup *setup, int64_t records)
{
    struct run *run = xcalloc(1, sizeof(*run));
    struct http_options http = {0};
    struct dirty_options dirty = {.file_bytes_max = 1 << 20, .bytes_max = 1 << 24};
    struct mc_schema schema;
    struct hub_options options;
    char text[2048], path[128];
    const char *prefix;

    strcpy(run->folder, "/tmp/luaduct-hub-XXXXXX");
    assert_non_null(mkdtemp(run->folder));
    prefix = lay_out(run->folder, setup->layout);
    snprintf(path, sizeof(path), "%sdatasources.yaml", prefix);
    write_file(run->folder, path, datasources);
    snprintf(text, sizeof(text), job_text, setup->stages ? setup->stages : "",
             setup->partition ? setup->partition : "kind: field, from: part", setup->open_max ? setup->open_max : 32,
             setup->dirty_max ? setup->dirty_max : "unlimited", setup->workers, setup->batch_rows ? setup->batch_rows : 100,
             setup->flush_ms ? setup->flush_ms : 60000, setup->tail ? setup->tail : "");
    snprintf(path, sizeof(path), "%sjob.yaml", prefix);
    write_file(run->folder, path, text);
    snprintf(path, sizeof(path), "%sstage.lua", prefix);
    if (setup->lua)
        write_file(run->folder, path, setup->lua);
    if (setup->late)
        write_file(run->folder, "late.lua", setup->late);
    snprintf(path, sizeof(path), "%s/%sjob.yaml", run->folder, prefix);
    run->report = report_new();
    if (!job_load(&run->job, path, NULL, run->report)) {
        struct buffer mistakes;

        buffer_init(&mistakes, 0);
        report_print(run->report, &mistakes);
        fail_msg("%s", buffer_text(&mistakes));
    }
    if (setup->memory_max) /* below what a file may say, so that a test is quick */
        run->job->runtime.memory_max = setup->memory_max;
    run->log = log_new(NULL, "j");
    if (!chain_open(&run->chain, run->job, run->report, run->log, &run->error))
        fail_msg("%s", run->error.text);
    run->probe = batch_new(1 << 20);
    assert_true(chain_probe(run->chain, run->job, run->probe, run->report, &run->error));
    assert_true(route_create_schema(run->job, run->probe, &schema, run->report));
    run->metrics = metrics_new("j");
    stats_init(&run->stats, run->metrics);
    run->http = http_new(&http);
    dirty.directory = run->job->dirty.directory;
    assert_true(dirty_store_open(&run->dirty, &dirty, &run->error));
    run->source = scripted_source_new(records);
    run->job->delivery = setup->delivery;
    run->sink = setup->service ? checked_sink_new_on(&schema, setup->service) : checked_sink_new(&schema);
    options = (struct hub_options){
        .job = run->job,
        .probe = run->probe,
        .http = run->http,
        .source = &run->source->base,
        .sink = &run->sink->base,
        .dirty = run->dirty,
        .stats = &run->stats,
        .table = setup->table ? setup->table : "p.t",
        .reloads = setup->reloads,
        .reload_test = setup->reload_test,
        .records_max = setup->records_max ? setup->records_max : -1,
        .monotonic_ms = setup->monotonic_ms ? setup->monotonic_ms : clock_monotonic_ms,
        .wall_ms = clock_wall_ms,
        .log = run->log,
    };
    run->hub = hub_new(&options);
    return run;
}

static inline void go(struct run *run)
{
    run->ok = hub_run(run->hub, run->report, &run->error);
}

static inline void expect_ok(const struct run *run)
{
    if (!run->ok)
        fail_msg("%s", run->error.text);
}

static inline unsigned dirty_files(const struct run *run)
{
    DIR *folder = opendir(run->job->dirty.directory);
    unsigned count = 0;
    struct dirent *entry;

    while (folder && (entry = readdir(folder)))
        count += strstr(entry->d_name, ".ndjson") != NULL;
    if (folder)
        closedir(folder);
    return count;
}

static inline void close_run(struct run *run)
{
    char command[256];

    hub_free(run->hub);
    run->source->base.ops->free(&run->source->base);
    run->sink->base.ops->free(&run->sink->base);
    http_free(run->http);
    dirty_store_close(run->dirty);
    metrics_free(run->metrics);
    chain_free(run->chain);
    batch_free(run->probe);
    snprintf(command, sizeof(command), "rm -r %s", run->folder);
    assert_int_equal(system(command), 0);
    log_free(run->log);
    job_free(run->job);
    report_free(run->report);
    free(run);
}

static inline void expect_each_once(const struct run *run, int64_t count)
{
    assert_int_equal(run->sink->rows, count);
    for (int64_t n = 0; n < count; n++)
        assert_int_equal(run->sink->seen[n], 1);
    assert_false(run->sink->wrong_partition);
}

#endif
