/* cli_sweep.c: the commands as a whole, against the embedded Kafka and the embedded MaxCompute endpoint. A command that says that
 * it is done has done it; else it tells why in a line of its own, ends with a status that says so, and done again it succeeds.
 * Failures are those of the command's thread: librdkafka itself asserts that it has memory. The embedded Kafka cannot tell who is
 * in a group: kafka_admin_group asks it all the same, and its refusal stands for an empty group (--wrap in CMakeLists.txt). */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "dirty/dirty.h"
#include "job/job.h"
#include "local/local.h"
#include "local/mock_kafka.h"
#include "pipeline/position.h"
#include "maxcompute/client.h"
#include "maxcompute/record.h"
#include "sink/upload.h"
#include "source/kafka_admin.h"
#include "sweep/sink_run.h"
#include "util/clock.h"

enum { RECORDS = 40, PREPARED = 5, DIRTY_ROWS = 12, WORDS_MAX = 12, TEXT_MAX = 64 << 10, WAIT_MS = 20000 };

static const char datasources[] = "kafka:\n"
                                  "  k: {brokers: \"${env:LUADUCT_DEMO_BROKERS}\"}\n"
                                  "maxcompute:\n"
                                  "  m: {endpoint: \"${env:LUADUCT_DEMO_ENDPOINT}\", project: demo,\n"
                                  "      access_id: \"${env:LUADUCT_DEMO_ACCESS_ID}\", "
                                  "access_key: \"${env:LUADUCT_DEMO_ACCESS_KEY}\"}\n";
static const char job_text[] = "name: j\n"
                               "source: {kafka: k, topic: orders, group: g}\n"
                               "delivery: exactly_once\n"
                               "stages:\n"
                               "  - name: parse\n"
                               "    kind: json\n"
                               "    columns:\n"
                               "      - {name: id, path: $.id, type: bigint, required: true}\n"
                               "      - {name: city, path: $.city, type: string, required: true}\n"
                               "  - {name: look, kind: lua, file: stage.lua}\n"
                               "target:\n"
                               "  maxcompute: m\n"
                               "  table: t\n"
                               "  create: if_missing\n"
                               "  columns: [{name: id, type: bigint}]\n"
                               "  partition: [{name: city, kind: field, from: city}]\n"
                               "dirty: {directory: dirty}\n"
                               "runtime: {auto: true, workers: 0, flush_interval: 200ms}\n"
                               "metrics: {listen: \"127.0.0.1:0\"}\n";
static const char stage_text[] = "return { process = function(batch) end }\n";

/* --- who is in the group --- */

bool __real_kafka_admin_group(struct kafka_admin *admin, struct kafka_group *group_out, struct error *error);
bool __wrap_kafka_admin_group(struct kafka_admin *admin, struct kafka_group *group_out, struct error *error);
bool __wrap_kafka_admin_group(struct kafka_admin *admin, struct kafka_group *group_out, struct error *error)
{
    if (__real_kafka_admin_group(admin, group_out, error))
        return true;
    if (!strstr(error->text, "not supported"))
        return false;
    *error = (struct error){0};
    snprintf(group_out->state, sizeof(group_out->state), "Empty");
    return true;
}

/* --- both ends and a job --- */

static struct bed {
    struct mock_kafka *kafka;
    struct local *local;
    char path[128];
} bed;

static void files_make(void)
{
    (void)sweep_file("datasources.yaml", datasources);
    (void)sweep_file("stage.lua", stage_text);
    snprintf(bed.path, sizeof(bed.path), "%s", sweep_file("job.yaml", job_text));
    setenv("LUADUCT_DEMO_BROKERS", "127.0.0.1:9", 1);
    setenv("LUADUCT_DEMO_ENDPOINT", "http://127.0.0.1:9/api", 1);
    setenv("LUADUCT_DEMO_ACCESS_ID", "demo-id", 1);
    setenv("LUADUCT_DEMO_ACCESS_KEY", "demo-key-of-the-embedded-endpoint", 1);
}

static void bed_open(void)
{
    struct mock_kafka_options kafka = {.topic = "orders", .partitions = 2, .group = "g", .records = RECORDS, .seed = 1};
    struct local_options local = {
        .address = "127.0.0.1", .project = "demo", .access_id = "demo-id", .access_key = "demo-key-of-the-embedded-endpoint"};
    int64_t end_ms = clock_monotonic_ms() + WAIT_MS;
    struct error error;
    char endpoint[80];

    files_make();
    SWEEP_CHECK(local_start(&bed.local, &local, &error) && mock_kafka_start(&bed.kafka, &kafka, &error));
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u/api", local_port(bed.local));
    setenv("LUADUCT_DEMO_ENDPOINT", endpoint, 1);
    setenv("LUADUCT_DEMO_BROKERS", mock_kafka_brokers(bed.kafka), 1);
    while (mock_kafka_produced(bed.kafka) < RECORDS && clock_monotonic_ms() < end_ms)
        usleep(2000);
}

static void bed_close(void)
{
    mock_kafka_stop(bed.kafka);
    local_stop(bed.local);
    bed = (struct bed){0};
}

/* An upload session whose block is there and which nobody has committed. */
static void session_make(char id[64])
{
    static const char schema_json[] = "{\"columns\":[{\"name\":\"id\",\"type\":\"bigint\"}],"
                                      "\"partitionKeys\":[{\"name\":\"city\",\"type\":\"string\"}]}";
    static const int64_t ids[PREPARED] = {0};
    static const uint32_t rows[PREPARED] = {0, 1, 2, 3, 4};
    struct wire_column column = {.kind = WIRE_INTEGER, .number = 1, .data = ids};
    struct http_options http_options = {0};
    struct client_options options = {.endpoint = getenv("LUADUCT_DEMO_ENDPOINT"),
                                     .project = "demo",
                                     .access_id = "demo-id",
                                     .access_key = "demo-key-of-the-embedded-endpoint"};
    struct upload_options upload = {.table = "t", .create_if_missing = true};
    struct mc_schema schema = {0};
    struct sink_session *session;
    struct buffer body, crcs;
    struct block *block;
    struct error error = {0};
    struct sink *sink;
    struct http *http;
    int64_t now_ms = 0, wall_ms = clock_wall_ms();

    SWEEP_CHECK(mc_schema_parse(&schema, STR(schema_json), &error));
    buffer_init(&body, 0);
    buffer_init(&crcs, 0);
    record_encode(&column, 1, rows, PREPARED, &body, &crcs);
    record_trailer(&body, PREPARED, buffer_str(&crcs));
    http = http_new(&http_options);
    upload.client = client_new(http, &options);
    upload.create_schema = &schema;
    sink = upload_new(&upload);
    sink->ops->start(sink, 0);
    SWEEP_CHECK(sink_run(http, sink, &now_ms, wall_ms, SINK_READY, &error));
    session = sink->ops->session_open(sink, STR("city=x"), NULL, now_ms);
    block = xcalloc(1, sizeof(*block));
    block->data = buffer_take(&body, &block->size);
    block->rows = PREPARED;
    sink->ops->block_put(sink, session, block, now_ms);
    SWEEP_CHECK(sink_run(http, sink, &now_ms, wall_ms, SINK_BLOCK_ACKED, &error));
    sink->ops->session_seal(sink, session, now_ms);
    SWEEP_CHECK(sink_run(http, sink, &now_ms, wall_ms, SINK_SESSION_SEALED, &error));
    snprintf(id, 64, "%s", sink->ops->session_id(session));
    sink->ops->free(sink);
    client_free(upload.client);
    http_free(http);
    buffer_release(&crcs);
    mc_schema_release(&schema);
}

/* Where the job stands: at the beginning, with an epoch prepared on the first partition. */
static void position_store(char *session)
{
    struct report *report = report_new();
    struct position_cover covers[] = {{0, 0, PREPARED}};
    struct position_session sessions[] = {{(char *)"city=x", session, 1, PREPARED}};
    struct position position = {.prepared = true,
                                .epoch = "epoch-of-before",
                                .by = "host:1",
                                .at_ms = 1700000000000,
                                .counts = {.read = PREPARED, .written = PREPARED},
                                .covers = covers,
                                .cover_count = 1,
                                .sessions = sessions,
                                .session_count = 1};
    int64_t begins[2], ends[2], end_ms = clock_monotonic_ms() + WAIT_MS;
    struct kafka_admin *admin;
    struct job *job;
    struct error error = {0};
    struct buffer text;

    buffer_init(&text, 0);
    SWEEP_CHECK(job_load(&job, bed.path, NULL, report) && kafka_admin_open(&admin, job, WAIT_MS, &error));
    position_print(&(struct position_owner){.job = "j",
                                            .cluster = kafka_admin_cluster_id(admin),
                                            .topic = kafka_admin_topic_id(admin)[0] ? kafka_admin_topic_id(admin) : "orders",
                                            .table = "demo.t",
                                            .table_id = ""},
                   &position, &text);
    /* All records are there, so that "end" is behind the last one. */
    do
        SWEEP_CHECK(kafka_admin_bounds(admin, begins, ends, &error) && clock_monotonic_ms() < end_ms);
    while (ends[0] + ends[1] < RECORDS);
    SWEEP_CHECK(kafka_admin_store(admin, &(struct kafka_position){.partition = 0, .offset = 0, .metadata = buffer_str(&text)}, 1,
                                  &error));
    kafka_admin_free(admin);
    buffer_release(&text);
    job_free(job);
    report_free(report);
}

/* --- commands --- */

static size_t text_since(int fd, off_t begin, char text[TEXT_MAX])
{
    ssize_t size = pread(fd, text, TEXT_MAX - 1, begin);

    text[size > 0 ? size : 0] = '\0';
    return strlen(text);
}

static bool calm; /* nothing fails */

/* Runs it; wanted: what its output has when it says that it is done. Its errors stay on standard error, where the sweep finds the
 * reason of a stop. */
static bool command(int (*run)(int argc, char **argv), const char *const *words, const char *wanted, struct error *error)
{
    static char said[TEXT_MAX], printed[TEXT_MAX];
    char *arguments[WORDS_MAX] = {0};
    off_t before = lseek(STDERR_FILENO, 0, SEEK_CUR);
    int output = memfd_create("output", MFD_CLOEXEC), count = 0, status;

    SWEEP_CHECK(output >= 0 && dup2(output, STDOUT_FILENO) >= 0);
    for (; words[count]; count++)
        arguments[count] = (char *)(uintptr_t)words[count];
    if (!calm)
        fault_on();
    status = run(count, arguments);
    fault_off();
    fflush(stdout);
    (void)text_since(STDERR_FILENO, before, said);
    (void)text_since(output, 0, printed);
    close(output);
    SWEEP_CHECK(!strstr(said, "demo-key") && !strstr(printed, "demo-key"));
    if (status == EXIT_OK) {
        if (!strstr(printed, wanted))
            fprintf(stderr, "printed: %s\n", printed);
        SWEEP_CHECK(strstr(printed, wanted));
        return true;
    }
    SWEEP_CHECK(said[0] && (status == EXIT_FAILED || status == EXIT_CONFIG || status == 75));
    return error_set(error, ERROR_FATAL, "status %d: %.1000s", status, said);
}

static bool alone(int (*run)(int argc, char **argv), const char *const *words, const char *wanted, struct error *error)
{
    bool ok;

    bed_open();
    ok = command(run, words, wanted, error);
    bed_close();
    return ok;
}

static bool check(struct error *error)
{
    files_make();
    return command(cli_check, (const char *const[]){"check", bed.path, NULL}, "right", error);
}

static bool check_connect(struct error *error)
{
    return alone(cli_check, (const char *const[]){"check", bed.path, "--connect", NULL}, "right, and both ends answer", error);
}

/* Its session is one that nobody knows any more. */
static bool moved(int (*run)(int argc, char **argv), const char *const *words, const char *wanted, struct error *error)
{
    char gone[] = "gone";
    bool ok;

    bed_open();
    position_store(gone);
    ok = command(run, words, wanted, error);
    bed_close();
    return ok;
}

static bool epoch_show(struct error *error)
{
    return moved(cli_epoch, (const char *const[]){"epoch", "show", bed.path, NULL}, "epoch-of-before", error);
}

static bool epoch_resolve(struct error *error)
{
    return moved(cli_epoch, (const char *const[]){"epoch", "resolve", bed.path, "--as", "lost", "--yes", NULL},
                 "done: 1 position stored", error);
}

static bool reset(struct error *error)
{
    return moved(cli_reset, (const char *const[]){"reset", bed.path, "--to", "latest", "--force", "--yes", NULL},
                 "done: 2 positions stored", error);
}

static bool sample(struct error *error)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/taken", sweep_folder());
    return alone(
        cli_sample,
        (const char *const[]){"sample", bed.path, "--output", path, "--force", "--records", "40", "--timeout", "2s", NULL},
        "40 records of topic orders", error);
}

/* The job in this process, up to what the topic holds. */
static bool run(struct error *error)
{
    return alone(cli_run, (const char *const[]){"run", bed.path, "--no-restart", "--first", "--until", "end", NULL}, "all runs",
                 error);
}

/* It finishes what was prepared before it, and reads the rest: whatever fails, and when it is started again, all rows are there
 * once. */
static bool run_again(struct error *error)
{
    const char *const words[] = {"run", bed.path, "--no-restart", "--until", "end", NULL};
    struct error later = {0};
    char session[64];
    bool ok;

    bed_open();
    session_make(session);
    position_store(session);
    ok = command(cli_run, words, "all runs", error);
    if (!ok) {
        calm = true;
        SWEEP_CHECK(command(cli_run, words, "all runs", &later));
        calm = false;
    }
    SWEEP_CHECK(local_row_count(bed.local, "demo", "t") == RECORDS);
    bed_close();
    return ok;
}

static bool demo(struct error *error)
{
    files_make();
    return command(cli_demo, (const char *const[]){"demo", bed.path, "--rows", "40", "--partitions", "1", NULL},
                   "read 40 = written", error);
}

static bool help(struct error *error)
{
    return command(cli_help, (const char *const[]){"help", "config", "markdown", NULL}, "flush_interval", error) &&
           command(cli_version, (const char *const[]){"version", NULL}, "luaduct", error);
}

static bool dirty(const char *const *words, const char *wanted, struct error *error)
{
    struct dirty_options options = {.file_bytes_max = 1000, .bytes_max = 1 << 20};
    char folder[128], line[300];
    struct dirty_store *store;

    files_make();
    snprintf(folder, sizeof(folder), "%s/dirty", sweep_folder());
    options.directory = folder;
    SWEEP_CHECK(dirty_store_open(&store, &options, error));
    for (int i = 0; i < DIRTY_ROWS; i++) {
        snprintf(
            line, sizeof(line),
            "{\"job\":\"j\",\"topic\":\"orders\",\"topic_id\":\"i\",\"partition\":0,\"offset\":%d,\"index\":0,\"timestamp\":1,"
            "\"time\":\"2024-01-31T00:00:00Z\",\"stage\":\"parse\",\"column\":\"id\",\"reason\":\"no number\",\"key\":\"k\","
            "\"value\":\"v\"}\n",
            i);
        SWEEP_CHECK(dirty_append(store, str_of(line), 1700000000000, error));
    }
    dirty_store_close(store);
    return command(cli_dirty, words, wanted, error);
}

static bool dirty_list(struct error *error)
{
    return dirty((const char *const[]){"dirty", "list", bed.path, NULL}, "12 dirty rows in ", error);
}

static bool dirty_export(struct error *error)
{
    return dirty((const char *const[]){"dirty", "export", bed.path, NULL}, "\"offset\":11,", error);
}

/* Over the network an error that lasts is waited for, as is a descriptor; `check` looks at what becomes of that. */
static const struct sweep_case cases[] = {
    {.name = "check", .run = check, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 15},
    {.name = "check_files", .run = check, .flags = SWEEP_IO | SWEEP_ASSERTS, .points = 8},
    {.name = "check_connect", .run = check_connect, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 8},
    {.name = "check_connect_io", .run = check_connect, .flags = SWEEP_IO | SWEEP_ASSERTS, .points = 2},
    {.name = "epoch_show", .run = epoch_show, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 6},
    {.name = "epoch_resolve", .run = epoch_resolve, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 8},
    {.name = "epoch_resolve_io", .run = epoch_resolve, .flags = SWEEP_IO | SWEEP_ASSERTS | SWEEP_ONCE, .points = 2},
    {.name = "reset", .run = reset, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 8},
    {.name = "reset_io", .run = reset, .flags = SWEEP_IO | SWEEP_ASSERTS | SWEEP_ONCE, .points = 2},
    {.name = "sample", .run = sample, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 8},
    {.name = "sample_io", .run = sample, .flags = SWEEP_IO | SWEEP_ASSERTS | SWEEP_ONCE, .points = 2},
    {.name = "run", .run = run, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 10},
    {.name = "run_io", .run = run, .flags = SWEEP_IO | SWEEP_ASSERTS | SWEEP_ONCE, .points = 2},
    {.name = "run_again", .run = run_again, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 10},
    {.name = "run_again_io", .run = run_again, .flags = SWEEP_IO | SWEEP_ASSERTS | SWEEP_ONCE, .points = 2},
    {.name = "demo", .run = demo, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 8},
    {.name = "help", .run = help, .flags = SWEEP_STOPS, .points = 3},
    {.name = "dirty_list", .run = dirty_list, .flags = SWEEP_STOPS, .points = 12},
    {.name = "dirty_export", .run = dirty_export, .flags = SWEEP_STOPS, .points = 10},
    {.name = "dirty_list_files", .run = dirty_list, .flags = SWEEP_IO, .points = 8},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
