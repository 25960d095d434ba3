/* demo.c: `luaduct demo`: a job against an embedded Kafka and an embedded MaxCompute endpoint, both in this process, on loopback.
 * The job's data sources name them by ${env:…}, which this command sets; everything else of the job is as it stands in its
 * file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "cli/signals.h"
#include "cli/word.h"
#include "local/local.h"
#include "local/mock_kafka.h"
#include "pipeline/work.h"
#include "util/clock.h"

static const char usage[] =
    "usage: luaduct demo [JOB.yaml] [--rows N] [--rate N] [--partitions N] [--keep] [--data FILE]\n"
    "  JOB.yaml        default config/orders.yaml; its data sources must use the ${env:LUADUCT_DEMO_...} variables\n"
    "  --rows N        end after N records (default 200000)\n"
    "  --rate N        records per second at most (default 0: as fast as they are committed)\n"
    "  --partitions N  partitions of the topic (default 8)\n"
    "  --keep          keep running until Ctrl-C\n"
    "  --data FILE     keep the rows in this SQLite file (default: in memory)\n";

struct demo {
    const char *job_path;
    const char *data_path;
    int64_t rows;
    unsigned rate;
    unsigned partitions;
    bool keep;
    struct local *local;
    struct mock_kafka *kafka;
    struct engine engine;
};

static bool take_number(const char *text, int64_t min, int64_t max, int64_t *number_out)
{
    char *end;

    *number_out = strtoll(text, &end, 10);
    return *text && !*end && *number_out >= min && *number_out <= max;
}

static bool parse_arguments(struct demo *demo, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        int64_t number;

        if (strcmp(argv[i], "--keep") == 0) {
            demo->keep = true;
        } else if (strcmp(argv[i], "--rows") == 0 && take_number(value, 1, INT64_MAX, &demo->rows)) {
            i++;
        } else if (strcmp(argv[i], "--rate") == 0 && take_number(value, 0, 100 * 1000 * 1000, &number)) {
            demo->rate = (unsigned)number;
            i++;
        } else if (strcmp(argv[i], "--partitions") == 0 && take_number(value, 1, 64, &number)) {
            demo->partitions = (unsigned)number;
            i++;
        } else if (strcmp(argv[i], "--data") == 0 && *value) {
            demo->data_path = argv[++i];
        } else if (argv[i][0] != '-') {
            demo->job_path = argv[i];
        } else if (*value && (strcmp(argv[i], "--rows") == 0 || strcmp(argv[i], "--rate") == 0 ||
                              strcmp(argv[i], "--partitions") == 0)) {
            fprintf(stderr, "luaduct demo: %s does not take \"%s\"; `luaduct demo --help` tells what it takes\n", argv[i], value);
            return false;
        } else {
            (void)word_refuse("demo", argv + i, usage);
            return false;
        }
    }
    return true;
}

static void set_environment(const char *brokers, const char *endpoint)
{
    setenv("LUADUCT_DEMO_BROKERS", brokers, 1);
    setenv("LUADUCT_DEMO_ENDPOINT", endpoint, 1);
    setenv("LUADUCT_DEMO_ACCESS_ID", "demo-id", 1);
    setenv("LUADUCT_DEMO_ACCESS_KEY", "demo-key-of-the-embedded-endpoint", 1);
}

/* Both ends have to be there before the job file, which names them, is read for good. */
static bool start_ends(struct demo *demo, struct error *error)
{
    struct local_options local = {
        .address = "127.0.0.1",
        .database = demo->data_path,
        .project = "demo",
        .access_id = "demo-id",
        .access_key = "demo-key-of-the-embedded-endpoint",
    };
    struct mock_kafka_options kafka = {
        .partitions = demo->partitions,
        .records = demo->keep ? -1 : demo->rows,
        .rate = demo->rate,
        .broken_permille = 2,
        .hours = demo->keep ? 0 : 60, /* so that the table gets partitions to look at */
        .seed = (uint64_t)clock_wall_ms(),
    };
    struct report *report = report_new();
    struct job *job = NULL;
    char *endpoint;
    bool ok;

    /* A first look, for the topic and the group that throttles the generator; mistakes are told by the second one. */
    set_environment("127.0.0.1:9", "http://127.0.0.1:9/api");
    if (!job_load(&job, demo->job_path, NULL, report)) {
        job_free(job); /* engine_load says what is wrong */
        job = NULL;
    }
    report_free(report);
    kafka.topic = job && job->source.topic ? job->source.topic : "orders";
    kafka.group = job && job->source.group ? job->source.group : "luaduct-orders";
    ok = local_start(&demo->local, &local, error) && mock_kafka_start(&demo->kafka, &kafka, error);
    if (ok) {
        endpoint = xasprintf("http://127.0.0.1:%u/api", local_port(demo->local));
        set_environment(mock_kafka_brokers(demo->kafka), endpoint);
        printf("embedded Kafka on %s (topic %s, %u partitions), embedded MaxCompute endpoint on %s\n",
               mock_kafka_brokers(demo->kafka), kafka.topic, kafka.partitions, endpoint);
        fflush(stdout);
        free(endpoint);
    }
    job_free(job);
    return ok;
}

/* A job of real ends would read its real topic and write its real table. */
static bool is_embedded(const struct demo *demo, struct error *error)
{
    const struct job *job = demo->engine.job;
    const struct job_maxcompute *maxcompute = &job->target.maxcompute;
    const char *brokers = mock_kafka_brokers(demo->kafka);
    char *endpoint = xasprintf("http://127.0.0.1:%u/api", local_port(demo->local));
    bool ok = strcmp(job->source.kafka.brokers, brokers) == 0 &&
              (!job->dirty.topic || strcmp(job->dirty.kafka.brokers, brokers) == 0) &&
              strcmp(maxcompute->endpoint, endpoint) == 0 &&
              (!maxcompute->tunnel_endpoint || strcmp(maxcompute->tunnel_endpoint, endpoint) == 0);

    free(endpoint);
    return ok ||
           error_set(error, ERROR_CONFIG,
                     "the data sources of %s name other ends than the embedded ones, and the demo would write to them; write "
                     "brokers: ${env:LUADUCT_DEMO_BROKERS} and endpoint: ${env:LUADUCT_DEMO_ENDPOINT}, as "
                     "config/datasources.yaml does",
                     demo->job_path);
}

static void print_result(struct demo *demo, const struct counts *counts, int64_t took_ms)
{
    const struct job *job = demo->engine.job;
    struct buffer text;

    buffer_init(&text, 0);
    local_print_table(demo->local, job->target.maxcompute.project, job->target.table, 3, 6, &text);
    fwrite(text.data, 1, text.size, stdout);
    buffer_release(&text);
    printf("\nread %" PRId64 " = written %" PRId64 " + filtered %" PRId64 " + dirty %" PRId64 "\n", counts->read, counts->written,
           counts->filtered, counts->dirty);
    printf("%" PRId64 " records/s over %.1f s, lag %" PRId64 " records\n", took_ms ? counts->read * 1000 / took_ms : 0,
           (double)took_ms / 1000, metric_get(demo->engine.stats.lag_records));
    if (counts->dirty)
        printf("dirty rows with their reasons are in %s; `luaduct dirty list %s` shows them\n", dirty_place(demo->engine.dirty),
               demo->job_path);
}

int cli_demo(int argc, char **argv)
{
    struct demo demo = {.job_path = "config/orders.yaml", .rows = 200 * 1000, .partitions = 8};
    struct error error = {0};
    struct counts counts;
    int64_t started_ms;
    int status = EXIT_CONFIG;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    if (!parse_arguments(&demo, argc, argv))
        return EXIT_CONFIG;
    signals_block();
    if (!start_ends(&demo, &error)) {
        fprintf(stderr, "luaduct demo: %s\n", error.text);
        status = EXIT_FAILED;
        goto out;
    }
    if (!engine_load(&demo.engine, demo.job_path, NULL)) {
        status = engine_report(&demo.engine);
        status = status ? status : EXIT_CONFIG;
        goto out;
    }
    if (!is_embedded(&demo, &error)) {
        fprintf(stderr, "luaduct demo: %s\n", error.text);
        goto out;
    }
    if (!engine_budget(&demo.engine, (unsigned)demo.partitions)) {
        status = engine_report(&demo.engine);
        goto out;
    }
    (void)engine_report(&demo.engine);
    if (!engine_open(&demo.engine, demo.keep ? -1 : demo.rows, &(struct kafka_run){.first = KAFKA_FIRST_ALLOWED}, &error)) {
        fprintf(stderr, "luaduct demo: %s\n", error.text);
        status = EXIT_FAILED;
        goto out;
    }
    started_ms = clock_monotonic_ms();
    status = run_engine(&demo.engine, &counts, NULL);
    if (status == EXIT_OK)
        print_result(&demo, &counts, clock_monotonic_ms() - started_ms);
out:
    if (demo.engine.report)
        engine_free(&demo.engine);
    mock_kafka_stop(demo.kafka);
    local_stop(demo.local);
    return status;
}
