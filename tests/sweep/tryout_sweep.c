/* tryout_sweep.c: the commands that try a job out: simulate, preview, plan, columns, test, infer. They touch neither end, so what
 * they print is all that there is: whole, with a status that says so, or a line on standard error that tells why not. */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "util/buffer.h"

enum { WORDS_MAX = 10, TEXT_MAX = 64 << 10, RECORDS = 30 };

static const char datasources[] =
    "kafka:\n  k: {brokers: \"127.0.0.1:9\"}\n"
    "maxcompute:\n"
    "  m: {endpoint: \"http://127.0.0.1:9/api\", project: p, access_id: i, access_key: secret-of-m, time_zone: Asia/Shanghai}\n";
static const char job_text[] =
    "name: j\n"
    "source: {kafka: k, topic: orders}\n"
    "stages:\n"
    "  - name: parse\n"
    "    kind: json\n"
    "    columns:\n"
    "      - {name: id, path: $.id, type: bigint, required: true}\n"
    "      - {name: city, path: $.city, type: string, required: true}\n"
    "      - {name: tags, path: $.tags, type: json}\n"
    "      - {name: phone, path: $.phone, type: string}\n"
    "  - name: hide\n"
    "    kind: mask\n"
    "    rules: [{field: phone, rule: phone}]\n"
    "  - {name: some, kind: filter, condition: \"id % 5 <> 4\"}\n"
    "  - {name: look, kind: lua, file: stage.lua}\n"
    "target:\n"
    "  maxcompute: m\n"
    "  table: t\n"
    "  create: if_missing\n"
    "  columns: [{name: id, type: bigint}, {name: phone, type: string}, {name: tags, type: \"array<int>\"}]\n"
    "  partition: [{name: city, kind: field, from: city}, {name: d, kind: time, format: yyyyMMdd}]\n"
    "dirty: {directory: dirty}\n";
static const char stage_text[] = "local stage = {}\n"
                                 "function stage.process(batch)\n"
                                 "  for row in batch:rows() do if row.id == 7 then row:dirty('seven') end end\n"
                                 "end\n"
                                 "return stage\n";
static const char cases_text[] =
    "cases:\n"
    "  - name: masked\n"
    "    input:\n"
    "      - {value: {id: 1, city: x, tags: [1], phone: \"13800138000\"}, timestamp: 1700000000000}\n"
    "      - {value: {id: 7, city: x}}\n"
    "      - {value: {id: 4, city: x}}\n"
    "    expect: [{id: 1, phone: \"138****8000\", tags: [1], partition: {city: x}}]\n"
    "    expect_filtered: 1\n"
    "    expect_dirty: [{input: 2, stage: look, reason: seven}]\n"
    "  - name: a stage alone\n"
    "    rows: [{id: 4}, {id: 6}]\n"
    "    from: some\n"
    "    until: some\n"
    "    expect: [{id: 6}]\n";
static const char rows_text[] = "{\"id\":7,\"city\":\"x\"}\n{\"id\":8,\"city\":null}\n";

static char job_path[160], sample_path[160], rows_path[160];

static void files_make(void)
{
    struct buffer text;

    (void)sweep_file("datasources.yaml", datasources);
    (void)sweep_file("stage.lua", stage_text);
    (void)sweep_file("job.test.yaml", cases_text);
    snprintf(rows_path, sizeof(rows_path), "%s", sweep_file("rows", rows_text));
    snprintf(job_path, sizeof(job_path), "%s", sweep_file("job.yaml", job_text));
    buffer_init(&text, 0);
    buffer_print(&text, "{\"luaduct_sample\":1,\"job\":\"j\",\"topic\":\"orders\",\"taken\":\"2024-01-31T00:00:00Z\"}\n");
    for (int i = 0; i < RECORDS; i++)
        buffer_print(
            &text,
            "{\"partition\":0,\"offset\":%d,\"timestamp\":1700000000000,\"value\":\"{\\\"id\\\":%d,\\\"city\\\":\\\"c%d\\\","
            "\\\"phone\\\":\\\"1380013%04d\\\",\\\"tags\\\":[%d]}\"}\n",
            i, i, i % 3, i, i);
    snprintf(sample_path, sizeof(sample_path), "%s", sweep_file("sample", buffer_text(&text)));
    buffer_release(&text);
}

static size_t text_since(int fd, off_t begin, char text[TEXT_MAX])
{
    ssize_t size = pread(fd, text, TEXT_MAX - 1, begin);

    text[size > 0 ? size : 0] = '\0';
    return strlen(text);
}

/* wanted: a part of what it prints at the end, when it says that it is done with this status. */
static bool command(int (*run)(int argc, char **argv), const char *const *words, int status_wanted, const char *const *wanted,
                    struct error *error)
{
    static char said[TEXT_MAX], printed[TEXT_MAX];
    char *arguments[WORDS_MAX] = {0};
    off_t before = lseek(STDERR_FILENO, 0, SEEK_CUR);
    int output = memfd_create("output", MFD_CLOEXEC), count = 0, status;

    SWEEP_CHECK(output >= 0 && dup2(output, STDOUT_FILENO) >= 0);
    for (; words[count]; count++)
        arguments[count] = (char *)(uintptr_t)words[count];
    fault_on();
    status = run(count, arguments);
    fault_off();
    fflush(stdout);
    (void)text_since(STDERR_FILENO, before, said);
    (void)text_since(output, 0, printed);
    close(output);
    /* Whatever fails, it shows neither a secret nor what a mask hides. */
    SWEEP_CHECK(!strstr(said, "secret-of-m") && !strstr(printed, "secret-of-m"));
    if (status == status_wanted && !said[0]) {
        for (; *wanted; wanted++) {
            if (!strstr(printed, *wanted))
                fprintf(stderr, "printed: %s\n", printed);
            SWEEP_CHECK(strstr(printed, *wanted));
        }
        return true;
    }
    SWEEP_CHECK(said[0] || fault_struck());
    SWEEP_CHECK(status == EXIT_OK || status == EXIT_FAILED || status == EXIT_CONFIG);
    return error_set(error, ERROR_FATAL, "status %d: %.1000s", status, said[0] ? said : printed);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool simulate(struct error *error)
{
    files_make();
    return command(cli_simulate, WORDS("simulate", job_path, "--sample", sample_path, "--no-color"), EXIT_FAILED,
                   WORDS("city=c1,d=20231115", "138****0000", "seven"), error);
}

static bool simulate_json(struct error *error)
{
    files_make();
    return command(cli_simulate, WORDS("simulate", job_path, "--sample", sample_path, "--json"), EXIT_FAILED,
                   WORDS("\"phone\":\"138****0006\"", "\"reason\":\"seven\""), error);
}

static bool preview(struct error *error)
{
    files_make();
    return command(cli_preview, WORDS("preview", job_path, "--stage", "hide", "--sample", sample_path, "--no-color"), EXIT_OK,
                   WORDS("138****0003"), error);
}

static bool preview_layout(struct error *error)
{
    files_make();
    return command(cli_preview, WORDS("preview", job_path, "--stage", "hide", "--sample", sample_path, "--layout", "rows"), EXIT_OK,
                   WORDS("~138****0003"), error);
}

static bool preview_rows(struct error *error)
{
    files_make();
    return command(cli_preview, WORDS("preview", job_path, "--stage", "look", "--rows", rows_path, "--json"), EXIT_OK,
                   WORDS("seven"), error);
}

static bool plan(struct error *error)
{
    files_make();
    return command(cli_plan, WORDS("plan", job_path, "--no-color"), EXIT_OK, WORDS("CREATE TABLE", "ARRAY<INT>", "yyyyMMdd"),
                   error);
}

static bool columns(struct error *error)
{
    files_make();
    return command(cli_columns, WORDS("columns", job_path), EXIT_OK, WORDS("name: phone", "name: tags"), error);
}

static bool test(struct error *error)
{
    files_make();
    return command(cli_test, WORDS("test", job_path), EXIT_OK, WORDS("2 passed"), error);
}

static bool infer(struct error *error)
{
    files_make();
    return command(cli_infer, WORDS("infer", sample_path, "--job", job_path), EXIT_OK, WORDS("name: tags", "path: $.phone"),
                   error);
}

static const struct sweep_case cases[] = {
    {.name = "simulate", .run = simulate, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 40},
    {.name = "simulate_files", .run = simulate, .flags = SWEEP_IO | SWEEP_ASSERTS, .points = 6},
    {.name = "simulate_json", .run = simulate_json, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 10},
    {.name = "preview", .run = preview, .flags = SWEEP_STOPS | SWEEP_ASSERTS},
    {.name = "preview_files", .run = preview, .flags = SWEEP_IO | SWEEP_ASSERTS, .points = 6},
    {.name = "preview_layout", .run = preview_layout, .flags = SWEEP_STOPS | SWEEP_ASSERTS},
    {.name = "preview_rows", .run = preview_rows, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 10},
    {.name = "plan", .run = plan, .flags = SWEEP_STOPS | SWEEP_ASSERTS},
    {.name = "columns", .run = columns, .flags = SWEEP_STOPS | SWEEP_ASSERTS},
    {.name = "test", .run = test, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 40},
    {.name = "test_files", .run = test, .flags = SWEEP_IO | SWEEP_ASSERTS, .points = 6},
    {.name = "infer", .run = infer, .flags = SWEEP_STOPS | SWEEP_ASSERTS},
    {.name = "infer_files", .run = infer, .flags = SWEEP_IO | SWEEP_ASSERTS, .points = 6},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
