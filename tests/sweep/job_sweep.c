/* job_sweep.c: job files: reading, resolving and checking them, the report of their mistakes, and the reference that is made from
 * the same tables. A job is there as it is written or not at all, and a mistake is never passed over. What becomes of a job once
 * it is loaded, script_sweep.c looks at. */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job/job.h"
#include "job/start.h"
#include "util/machine.h"

static const char datasources[] =
    "kafka:\n"
    "  k:\n"
    "    brokers: 'a:9092, b:9093'\n"
    "    properties: {security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: u,\n"
    "                 sasl.password: '${file:password.txt}'}\n"
    "maxcompute:\n"
    "  m: {endpoint: 'https://service.example/api', project: p, access_id: '${env:JOB_SWEEP_ID}', access_key: "
    "'${file:key.txt}',\n"
    "      time_zone: '${env:JOB_SWEEP_ZONE}'}\n"
    "  c: {endpoint: 'https://service.example/api', project: p, credentials: {command: [cat, key.txt]}}\n";
static const char job_text[] = "name: j\n"
                               "time_zone: '${env:JOB_SWEEP_ZONE}'\n"
                               "source: {kafka: k, topic: t, start: {at: committed, otherwise: \"2024-01-31 00:00:00\"}}\n"
                               "stages:\n"
                               "  - name: parse\n"
                               "    kind: json\n"
                               "    columns:\n"
                               "      - {name: n, path: $.n, type: bigint, required: true}\n"
                               "      - {name: part, path: $.part, type: \"decimal(10,2)\", default: \"1.50\"}\n"
                               "  - {name: look, kind: lua, file: stage.lua, options: {list: [a, b], limit: 12.50}}\n"
                               "target:\n"
                               "  maxcompute: m\n"
                               "  table: t\n"
                               "  create: if_missing\n"
                               "  columns: [{name: n, type: bigint, comment: \"the \\u4f60 number\"}]\n"
                               "  partition: [{name: part, kind: field, from: part}]\n"
                               "dirty: {directory: dirty}\n"
                               "runtime: {workers: 1, flush_interval: 60s, flush_bytes: 64KiB}\n"
                               "failover: {max: 3, window: 10m}\n";
static const char wrong_text[] = "name: a b\n"
                                 "source: {kafka: kk, topik: t}\n"
                                 "stages:\n"
                                 "  - {name: look, kind: lua, file: missing.lua}\n"
                                 "target: {maxcompute: m, table: t, create: perhaps}\n"
                                 "runtime: {workers: 65, flush_interval: 60}\n"
                                 "sink: {}\n";
static const char *const wrongs[] = {
    "\"a b\" is no name", "did you mean \"topic\"", "missing.lua", "\"perhaps\" is not known", "above the maximum 64",
    "has no unit",        "use \"target\""};

static const char *files_make(const char *text, const char *zone)
{
    setenv("JOB_SWEEP_ID", "id", 1);
    setenv("JOB_SWEEP_ZONE", zone, 1);
    (void)sweep_file("datasources.yaml", datasources);
    (void)sweep_file("password.txt", "kafka-secret\n");
    (void)sweep_file("key.txt", "service-secret\n");
    (void)sweep_file("stage.lua", "return {}\n");
    return sweep_file("job.yaml", text);
}

static bool load_in(const char *zone, struct error *error)
{
    const char *path = files_make(job_text, zone);
    struct job *job = NULL;
    struct report *report;
    struct buffer text;
    bool ok;

    buffer_init(&text, 0);
    fault_on();
    report = report_new();
    ok = job_load(&job, path, NULL, report);
    report_print(report, &text);
    fault_off();
    if (ok) {
        SWEEP_CHECK(report_mistakes(report) == 0 && strcmp(job->target.maxcompute.access_key, "service-secret") == 0 &&
                    strcmp(job->target.maxcompute.access_id, "id") == 0 && job->stage_count == 2 &&
                    job->target.column_count == 1 && job->source.property_count == 4 &&
                    strcmp(job->source.properties[3].value, "kafka-secret") == 0 && job->source.otherwise == START_TIME &&
                    job->runtime.flush_interval_ms == 60000);
    } else {
        SWEEP_CHECK(report_mistakes(report) > 0 && text.size > 0);
        error_set(error, ERROR_CONFIG, "%.400s", buffer_text(&text));
    }
    SWEEP_CHECK(!strstr(buffer_text(&text), "-secret"));
    job_free(job);
    report_free(report);
    buffer_release(&text);
    return ok;
}

static bool load(struct error *error)
{
    return load_in("+08:00", error);
}

/* GLib, which knows the names of zones, has ends of its own without memory, so its calls are left alone. */
static bool load_zone(struct error *error)
{
    return load_in("Asia/Shanghai", error);
}

/* All mistakes at once, or a reason why not. */
static bool mistakes(struct error *error)
{
    const char *path = files_make(wrong_text, "+08:00");
    struct job *job = NULL;
    struct report *report;
    struct buffer text;
    bool ok = true;

    buffer_init(&text, 0);
    fault_on();
    report = report_new();
    SWEEP_CHECK(!job_load(&job, path, NULL, report));
    report_print(report, &text);
    fault_off();
    SWEEP_CHECK(report_mistakes(report) > 0 && text.size > 0);
    for (size_t i = 0; i < COUNT_OF(wrongs); i++)
        ok = ok && strstr(buffer_text(&text), wrongs[i]);
    if (!ok)
        error_set(error, ERROR_CONFIG, "%.400s", buffer_text(&text));
    job_free(job);
    report_free(report);
    buffer_release(&text);
    return ok;
}

static bool small_things(struct error *error)
{
    struct start start = {0};
    struct machine machine;
    struct buffer text;
    bool ok;

    buffer_init(&text, 0);
    fault_on();
    job_print_reference(&text, true);
    job_print_reference(&text, false);
    machine_read(&machine, "");
    ok = start_read(STR("0:5,1:earliest,2:latest"), "UTC", 1700000000000, &start, error);
    fault_off();
    SWEEP_CHECK(machine.cores >= 1 && (!ok || (start.count == 3 && start.offsets[0].offset == 5)));
    SWEEP_CHECK(strstr(buffer_text(&text), "flush_interval"));
    start_release(&start);
    buffer_release(&text);
    return ok;
}

static const struct sweep_case cases[] = {
    {.name = "load_memory", .run = load, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 40},
    {.name = "load_zone", .run = load_zone, .flags = SWEEP_STOPS},
    {.name = "load_files", .run = load_zone, .flags = SWEEP_IO},
    {.name = "mistakes_memory", .run = mistakes, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 40},
    {.name = "mistakes_files", .run = mistakes, .flags = SWEEP_IO},
    {.name = "small_memory", .run = small_things, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "small_files", .run = small_things, .flags = SWEEP_IO},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
