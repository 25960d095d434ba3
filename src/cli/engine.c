/* engine.c */
#include "cli/engine.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/admin.h"
#include "batch/time.h"
#include "cli/cli.h"
#include "kafka/login.h"
#include "maxcompute/trust.h"
#include "pipeline/worker.h"
#include "route/route.h"
#include "sink/upload.h"
#include "source/kafka.h"
#include "testing/cases.h"
#include "util/clock.h"

static char *table_name(const struct job *job)
{
    const struct job_maxcompute *maxcompute = &job->target.maxcompute;

    if (!maxcompute->project) /* tried out without its ends */
        return xstrdup(job->target.table);
    return maxcompute->schema ? xasprintf("%s.%s.%s", maxcompute->project, maxcompute->schema, job->target.table)
                              : xasprintf("%s.%s", maxcompute->project, job->target.table);
}

/* librdkafka itself is the judge of names and values. */
static void properties_check(const struct job_property *properties, size_t count, struct report *report)
{
    struct error error = {0};

    for (size_t i = 0; i < count; i++)
        if (!kafka_property_check(properties[i].name, properties[i].value, &error))
            report_mistake(report, properties[i].at, (unsigned)strlen(properties[i].name), "%s", error.text);
    if (!report_mistakes(report))
        kafka_login_check(properties, count, report);
}

/* Files that are read again while the job runs are tried once here, where a mistake in them has a place. */
static void files_check(const struct job_maxcompute *maxcompute, struct report *report)
{
    struct error error = {0};

    if (maxcompute->ca_file && !trust_check(maxcompute->ca_file, &error))
        report_mistake(report, maxcompute->ca_file_at, (unsigned)strlen(maxcompute->ca_file), "ca_file: %s", error.text);
    if (maxcompute->credentials.file && !credentials_file_check(maxcompute->credentials.file, &error))
        report_mistake(report, maxcompute->credentials.file_at, (unsigned)strlen(maxcompute->credentials.file),
                       "credentials.file: %s", error.text);
}

static void ends_check(const struct job *job, struct report *report)
{
    properties_check(job->source.properties, job->source.property_count, report);
    if (job->dirty.kafka.properties != job->source.properties)
        properties_check(job->dirty.kafka.properties, job->dirty.kafka.property_count, report);
    files_check(&job->target.maxcompute, report);
}

enum ends { ENDS_WANTED, ENDS_ASIDE };

static bool load_job(struct engine *engine, const char *job_path, const char *datasources_path, bool log_file, enum ends ends)
{
    struct error error = {0};
    struct job *job;

    memset(engine, 0, sizeof(*engine));
    engine->report = report_new();
    engine->datasources_path = datasources_path;
    if (!(ends == ENDS_ASIDE ? job_load_offline : job_load)(&engine->job, job_path, datasources_path, engine->report))
        return false;
    job = engine->job;
    if (ends == ENDS_WANTED)
        ends_check(job, engine->report);
    if (report_mistakes(engine->report))
        return false;
    if (!log_start((enum log_level)job->log.level, log_file ? job->log.file : NULL, &error)) {
        report_mistake(engine->report, (struct location){job->path, 0, 0}, 1, "%s", error.text);
        return false;
    }
    log_set_repeats(!log_file);
    engine->log = log_new(NULL, job->name);
    engine->table = table_name(job);
    return true;
}

bool engine_load_job(struct engine *engine, const char *job_path, const char *datasources_path)
{
    return load_job(engine, job_path, datasources_path, true, ENDS_WANTED);
}

static bool open_stages(struct engine *engine)
{
    struct job *job = engine->job;
    struct error error = {0};

    if (!chain_open(&engine->chain, job, engine->report, engine->log, &error))
        return false;
    engine->probe = batch_new(4 * 1024 * 1024);
    return chain_probe(engine->chain, job, engine->probe, engine->report, &error);
}

bool engine_load_stages(struct engine *engine, const char *job_path, const char *datasources_path, bool with_ends)
{
    return load_job(engine, job_path, datasources_path, false, with_ends ? ENDS_WANTED : ENDS_ASIDE) &&
           open_stages(engine) && report_mistakes(engine->report) == 0;
}

/* The line behind the last one of an entry of the job's file. */
static unsigned entry_end(const struct tree_node *map, size_t entry)
{
    return entry + 1 < map->count ? map->entries[entry + 1].at.line : UINT_MAX;
}

/* How many of the first stages can be looked at although something is wrong with the job: none when it is the source that their
 * fields come from, else those before the first one that is itself wrong. */
static size_t stages_right(const struct job *job, const struct report *report)
{
    for (size_t i = 0; i < job->tree->count; i++) {
        const struct tree_entry *entry = &job->tree->entries[i];
        const struct tree_node *list = entry->value;
        unsigned end = entry_end(job->tree, i);

        if (str_is(entry->key, "source") && report_mistakes_between(report, job->path, entry->at.line, end))
            return 0;
        if (!str_is(entry->key, "stages"))
            continue;
        for (size_t k = 0; k < job->stage_count; k++) {
            unsigned last = k + 1 < list->count ? list->items[k + 1]->at.line : end;

            if (k >= list->count || report_mistakes_between(report, job->path, list->items[k]->at.line, last))
                return k;
        }
    }
    return job->stage_count;
}

/* The job cannot be used, which is told; what is wrong with its stages is told as well, as far as that can be known. */
static void look_at_stages(struct engine *engine)
{
    struct job *job = engine->job;

    if (!job || !job->tree || job->tree->kind != TREE_MAP || !job->source.fields || job->runtime.lua_memory_max <= 0 ||
        job->runtime.lua_instructions_max <= 0)
        return;
    job->stage_count = stages_right(job, engine->report);
    if (!engine->log)
        engine->log = log_new(NULL, job->name ? job->name : "job");
    (void)open_stages(engine);
}

bool engine_create_schema(struct engine *engine)
{
    if (!route_create_schema(engine->job, engine->probe, &engine->create_schema, engine->report))
        return false;
    engine->has_create_schema = true;
    return route_check(engine->job, &engine->create_schema, engine->probe, engine->report);
}

/* Over a probe of its own: what these functions make is no field for the table. */
static bool check_partition_scripts(struct engine *engine)
{
    struct batch *probe = batch_new(4 * 1024 * 1024);
    struct error error;
    bool ok = chain_probe(engine->chain, engine->job, probe, NULL, &error) &&
              route_check_scripts(engine->job, chain_state(engine->chain), probe, engine->report);

    batch_free(probe);
    return ok;
}

bool engine_load(struct engine *engine, const char *job_path, const char *datasources_path)
{
    if (!load_job(engine, job_path, datasources_path, true, ENDS_WANTED)) {
        look_at_stages(engine);
        return false;
    }
    if (!open_stages(engine))
        return false;
    if (!check_partition_scripts(engine))
        return false;
    if (engine->job->target.create == CREATE_IF_MISSING && !engine_create_schema(engine))
        return false;
    return report_mistakes(engine->report) == 0;
}

void engine_parameters(struct engine *engine, unsigned kafka_partitions)
{
    engine->kafka_partitions = kafka_partitions;
    if (engine->job->runtime.automatic)
        machine_read(&engine->machine, "");
    automatic_set(engine->job, &engine->machine, kafka_partitions);
}

bool engine_budget(struct engine *engine, unsigned kafka_partitions)
{
    engine_parameters(engine, kafka_partitions);
    budget(&engine->budget, engine->job);
    budget_check(&engine->budget, engine->job, engine->report);
    return report_mistakes(engine->report) == 0;
}

void engine_connect(struct engine *engine)
{
    const struct job_maxcompute *maxcompute = &engine->job->target.maxcompute;
    struct http_options http = {.ca_file = maxcompute->ca_file, .proxy = maxcompute->proxy, .log = engine->log};
    struct credentials_options credentials = {
        .file = maxcompute->credentials.file,
        .command = maxcompute->credentials.command,
        .command_limit_ms = maxcompute->credentials.timeout_ms,
        .interval_ms = maxcompute->credentials.interval_ms,
        .log = engine->log,
    };
    struct client_options client = {
        .endpoint = maxcompute->endpoint,
        .tunnel_endpoint = maxcompute->tunnel_endpoint,
        .project = maxcompute->project,
        .schema_name = maxcompute->schema,
        .access_id = maxcompute->access_id,
        .access_key = maxcompute->access_key,
        .security_token = maxcompute->security_token,
        .credentials = credentials.file || credentials.command ? credentials_new(&credentials) : NULL,
        .region = maxcompute->region,
        .quota = engine->job->target.quota ? engine->job->target.quota : maxcompute->quota,
        .jitter_seed = (uint64_t)clock_wall_ms() ^ (uint64_t)getpid() << 32,
        .log = engine->log,
    };

    engine->http = http_new(&http);
    engine->client = client_new(engine->http, &client);
}

/* The hub waits in the HTTP client's loop. */
static void wake_http(void *arg)
{
    http_wake(arg);
}

struct client_call *engine_ask(struct engine *engine, struct client_call *call)
{
    int64_t until_ms = clock_monotonic_ms() + ENGINE_ASK_MS;

    call->repeat_safe = true;
    client_send(engine->client, call, clock_monotonic_ms());
    while (clock_monotonic_ms() < until_ms) {
        struct client_call *answer;

        client_step(engine->client, clock_monotonic_ms(), clock_wall_ms());
        answer = client_next(engine->client);
        if (answer)
            return answer;
        http_wait(engine->http, NULL, 0,
                  (int)int64_max(1, int64_min(200, client_deadline(engine->client) - clock_monotonic_ms())));
    }
    client_call_free(call); /* so that the next question does not get its answer */
    return NULL;
}

void engine_no_answer(const struct engine *engine, struct error *error)
{
    if (client_is_unsigned(engine->client, error))
        return;
    error_set(error, ERROR_RETRY, "%s did not answer within %d s; check the endpoint of the data source %s and the network",
              engine->job->target.maxcompute.endpoint, ENGINE_ASK_MS / 1000, engine->job->target.maxcompute.name);
}

bool engine_open(struct engine *engine, int64_t records_max, const struct kafka_run *run, struct error *error)
{
    struct job *job = engine->job;
    struct dirty_options dirty = dirty_options_of(job);
    struct upload_options upload;
    struct hub_options hub;

    engine_connect(engine);
    engine->metrics = metrics_new(job->name);
    stats_init(&engine->stats, engine->metrics);
    if (job->metrics.listen) {
        if (!admin_start(&engine->admin, job->metrics.listen, engine->metrics, error))
            return error_wrap(error, "metrics.listen");
        log_info(engine->log, "metrics are served url=http://%s/metrics", job->metrics.listen);
    }
    dirty.wake = wake_http;
    dirty.wake_arg = engine->http;
    dirty.log = engine->log;
    if (!dirty_store_open(&engine->dirty, &dirty, error))
        return error_wrap(error, "dirty store");
    upload = (struct upload_options){
        .client = engine->client,
        .table = job->target.table,
        .create_if_missing = job->target.create == CREATE_IF_MISSING,
        .create_schema = engine->has_create_schema ? &engine->create_schema : NULL,
        .create_comment = job->target.comment,
        .lifecycle_days = job->target.lifecycle_days,
        .uploads_max = job->runtime.uploads_in_flight,
        .quota_share = job->target.quota_share > 0 ? (unsigned)job->target.quota_share : 0,
        .demand = budget_demand(job),
        .content_encoding = compression_name(worker_compression(job)),
        .log = engine->log,
    };
    engine->sink = upload_new(&upload);
    engine->bounded = run->until.kind != KAFKA_UNTIL_NEVER;
    engine->source = kafka_source_new(job, run, engine->log);
    hub = (struct hub_options){
        .job = job,
        .probe = engine->probe,
        .http = engine->http,
        .client = engine->client,
        .source = engine->source,
        .sink = engine->sink,
        .dirty = engine->dirty,
        .stats = &engine->stats,
        .table = engine->table,
        .reloads = true,
        .datasources_path = engine->datasources_path,
        .records_max = records_max,
        .monotonic_ms = clock_monotonic_ms,
        .wall_ms = clock_wall_ms,
        .log = engine->log,
        .reload_test = cases_pass,
    };
    engine->hub = hub_new(&hub);
    return true;
}

int engine_report(struct engine *engine)
{
    unsigned mistakes = report_mistakes(engine->report);

    if (mistakes || report_warnings(engine->report)) {
        struct buffer text;

        buffer_init(&text, 0);
        report_print(engine->report, &text);
        fwrite(text.data, 1, text.size, stderr);
        buffer_release(&text);
    }
    return mistakes ? EXIT_CONFIG : EXIT_OK;
}

void engine_print_budget(const struct engine *engine, struct buffer *text)
{
    if (engine->job->runtime.automatic) {
        automatic_print(engine->job, &engine->machine, engine->kafka_partitions, text);
        buffer_append_str(text, STR("\n"));
    }
    budget_print(&engine->budget, engine->job, engine->kafka_partitions, text);
}

void engine_print_time(const struct engine *engine, int64_t ms, struct buffer *text)
{
    struct instant instant = {.seconds = ms / 1000};
    struct zone_cache cache = {0};
    struct zone *zone = NULL;
    char shown[TIME_TEXT_MAX];
    size_t size;

    if (instant.seconds < 0 || instant.seconds > time_seconds_max - 86400) {
        buffer_print(text, "%" PRId64 " ms since 1970", ms);
        return;
    }
    if (engine->job->time_zone && zone_open(&zone, str_of(engine->job->time_zone), NULL))
        instant.seconds = zone_to_local(zone, &cache, instant.seconds);
    size = time_print(instant, shown);
    buffer_print(text, "%.*s %s", (int)size, shown, zone ? zone_name(zone) : "UTC");
    zone_free(zone);
}

void engine_free(struct engine *engine)
{
    hub_free(engine->hub);
    dirty_store_close(engine->dirty); /* before the HTTP client, which it wakes */
    if (engine->source)
        engine->source->ops->free(engine->source);
    if (engine->sink)
        engine->sink->ops->free(engine->sink);
    client_free(engine->client);
    http_free(engine->http);
    admin_stop(engine->admin);
    metrics_free(engine->metrics);
    mc_schema_release(&engine->create_schema);
    chain_free(engine->chain);
    batch_free(engine->probe);
    free(engine->table);
    log_free(engine->log);
    job_free(engine->job);
    report_free(engine->report);
    log_stop();
    memset(engine, 0, sizeof(*engine));
}
