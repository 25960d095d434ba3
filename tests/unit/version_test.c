/* version_test.c: which changes of a job can be taken live, what they are called, and when the hash changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job/version.h"

static const char base[] = "name: j\n"
                           "time_zone: UTC\n"
                           "source: {kafka: k, topic: t}\n"
                           "stages:\n"
                           "  - {name: parse, kind: json, columns: [{name: n, path: $.n, type: bigint}]}\n"
                           "  - {name: s, kind: lua, file: s.lua, options: {limit: 5}}\n"
                           "target:\n"
                           "  maxcompute: m\n"
                           "  table: t\n"
                           "  partition: [{name: part, kind: field, from: part}]\n"
                           "dirty: {directory: dirty, max: 5}\n"
                           "runtime: {workers: 1, lua: {memory_max: 8MiB}}\n"
                           "log: {level: info}\n";
static const char sources[] = "kafka:\n"
                              "  k: {brokers: \"127.0.0.1:9\"}\n"
                              "  other: {brokers: \"127.0.0.1:9\"}\n"
                              "maxcompute:\n"
                              "  m: {endpoint: \"http://127.0.0.1:9/api\", project: p, access_id: i, access_key: \"${file:key}\"}\n";

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* `old` in `text` becomes `new`. */
static void write_changed(const char *name, const char *text, const char *old, const char *new)
{
    const char *at = old ? strstr(text, old) : NULL;
    char changed[4096];

    assert_true(!old || at);
    if (at)
        snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    write_file(name, at ? changed : text);
}

static struct job *load(void)
{
    struct report *report = report_new();
    struct job *job;
    char path[128];

    snprintf(path, sizeof(path), "%s/job.yaml", folder);
    if (!job_load(&job, path, NULL, report)) {
        struct buffer text;

        buffer_init(&text, 0);
        report_print(report, &text);
        fail_msg("%s", buffer_text(&text));
    }
    report_free(report);
    return job;
}

static int set_up(void **state UNUSED)
{
    strcpy(folder, "/tmp/luaduct-version-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file("key", "kkkkkkkk");
    write_file("s.lua", "return {process = function(batch) end}\n");
    return 0;
}

static int tear_down(void **state UNUSED)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static void changes_are_called_by_their_keys(void **state UNUSED)
{
    static const struct {
        const char *old, *new;
        bool datasources, live;
        const char *fixed;
    } cases[] = {
        {NULL, NULL, false, false, ""},
        {"name: j\n", "# a comment\nname:   'j'\n", false, false, ""}, /* quoted or not, a name is a text */
        {"name: j\n", "# a comment\nname:   j\n", false, false, ""},
        {"time_zone: UTC\n", "time_zone: Asia/Shanghai\n", false, true, ""},
        {"time_zone: UTC\n", "", false, true, ""},
        {"limit: 5", "limit: 6", false, true, ""},
        {"name: parse", "name: parsed", false, true, ""},
        {"max: 5", "max: 6", false, true, ""},
        {"dirty: {directory: dirty, max: 5}", "dirty: {directory: dirty, bytes_max: 1MiB, file_bytes_max: 1MiB}", false, true, ""},
        {"level: info", "level: debug", false, true, ""},
        {"log: {level: info}", "log: {level: info, file: x.log}", false, false, "log.file"},
        {"log: {level: info}\n", "", false, true, ""},
        {"log: {level: info}\n", "log: {level: info}\nreload: {watch: false}\n", false, true, ""},
        {"topic: t}", "topic: u}", false, false, "source.topic"},
        {"topic: t}", "topic: u, group: g}", false, false, "source.topic, source.group"},
        {"memory_max: 8MiB", "memory_max: 9MiB", false, false, "runtime.lua.memory_max"},
        {"runtime: {workers: 1, lua: {memory_max: 8MiB}}\n", "", false, false, "runtime.workers, runtime.lua.memory_max"},
        {"from: part}]", "from: part2}]", false, false, "target.partition"},
        {"directory: dirty, max: 5", "directory: dirty2, max: 6", false, true, "dirty.directory"},
        {"name: j\n", "name: j\ndelivery: exactly_once\n", false, false, "delivery"},
        {"project: p,", "project: q,", true, false, "(data source) maxcompute.m.project"},
        {"  other: {brokers: \"127.0.0.1:9\"}\n", "", true, false, ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct job_changes changes;
        struct job *running, *wanted;

        write_file("job.yaml", base);
        write_file("datasources.yaml", sources);
        running = load();
        write_changed("job.yaml", base, cases[i].datasources ? NULL : cases[i].old, cases[i].new);
        write_changed("datasources.yaml", sources, cases[i].datasources ? cases[i].old : NULL, cases[i].new);
        wanted = load();
        job_compare(running, wanted, &changes);
        if (strcmp(buffer_text(&changes.fixed), cases[i].fixed) != 0 || changes.live != cases[i].live)
            fail_msg("case %zu: live %d, fixed \"%s\"", i, changes.live, buffer_text(&changes.fixed));
        job_changes_release(&changes);
        job_free(running);
        job_free(wanted);
    }
}

static void a_renewed_secret_is_no_change(void **state UNUSED)
{
    struct job_changes changes;
    struct job *running, *wanted;

    write_file("job.yaml", base);
    write_file("datasources.yaml", sources);
    running = load();
    write_file("key", "another-key");
    wanted = load();
    write_file("key", "kkkkkkkk");
    job_compare(running, wanted, &changes);
    assert_false(changes.live);
    assert_string_equal(buffer_text(&changes.fixed), "");
    job_changes_release(&changes);
    job_free(running);
    job_free(wanted);
}

static void version_of(const char *old, const char *new, const char *lua, const char *helper, char version[JOB_VERSION_MAX])
{
    char path[128];
    struct job *job;

    write_changed("job.yaml", base, old, new);
    write_file("datasources.yaml", sources);
    job = load();
    snprintf(path, sizeof(path), "%s/s.lua", folder);
    (void)file_set_put(job->files, path, str_of(lua));
    snprintf(path, sizeof(path), "%s/helper.lua", folder);
    (void)file_set_put(job->files, path, helper ? str_of(helper) : STR_NONE);
    job_version(job, version);
    job_free(job);
}

static void the_hash_is_over_stages_zone_and_files(void **state UNUSED)
{
    static const struct {
        const char *old, *new, *lua, *helper;
        bool same;
    } cases[] = {
        {NULL, NULL, "a", NULL, true},
        {"name: j\n", "name: other\n", "a", NULL, true},
        {"topic: t}", "topic: u}", "a", NULL, true},
        {"stages:\n", "stages: # a comment\n", "a", NULL, true},
        {"limit: 5", "limit: 6", "a", NULL, false},
        {"limit: 5", "limit: '5'", "a", NULL, false},
        {"time_zone: UTC", "time_zone: Asia/Shanghai", "a", NULL, false},
        {NULL, NULL, "b", NULL, false},
        {NULL, NULL, "a", "", false},
        {NULL, NULL, "a", "x", false},
    };
    char first[JOB_VERSION_MAX], version[JOB_VERSION_MAX];

    version_of(NULL, NULL, "a", NULL, first);
    assert_int_equal(strlen(first), JOB_VERSION_MAX - 1);
    assert_int_equal(strspn(first, "0123456789abcdef"), JOB_VERSION_MAX - 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        version_of(cases[i].old, cases[i].new, cases[i].lua, cases[i].helper, version);
        if ((strcmp(version, first) == 0) != cases[i].same)
            fail_msg("case %zu: %s and %s", i, first, version);
    }
}

static void files_that_changed_are_seen(void **state UNUSED)
{
    char path[128], missing[128];
    struct job *job;

    write_file("job.yaml", base);
    job = load();
    snprintf(path, sizeof(path), "%s/s.lua", folder);
    snprintf(missing, sizeof(missing), "%s/helper.lua", folder);
    (void)file_set_put(job->files, path, STR("return {process = function(batch) end}\n"));
    (void)file_set_put(job->files, missing, STR_NONE);
    assert_false(job_files_changed(job));
    write_file("helper.lua", "now it is there");
    assert_true(job_files_changed(job));
    assert_int_equal(unlink(missing), 0);
    assert_false(job_files_changed(job));
    write_file("s.lua", "other");
    assert_true(job_files_changed(job));
    assert_int_equal(unlink(path), 0);
    assert_true(job_files_changed(job));
    write_file("s.lua", "return {process = function(batch) end}\n");
    job_free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_called_by_their_keys),
        cmocka_unit_test(a_renewed_secret_is_no_change),
        cmocka_unit_test(the_hash_is_over_stages_zone_and_files),
        cmocka_unit_test(files_that_changed_are_seen),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
