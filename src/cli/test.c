/* test.c: `luaduct test [JOB | FILE | FOLDER ...]`: the cases that stand beside jobs and Lua files, and which lines they ran. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "cli/word.h"
#include "testing/cases.h"
#include "util/xml.h"

enum { DEPTH_MAX = 16 };

static const char usage[] =
    "usage: luaduct test [JOB.yaml | FILE.lua | FILE.test.yaml | FOLDER ...] [--case NAME] [--coverage] [--coverage-min "
    "PERCENT]\n"
    "                    [--json] [--junit FILE] [--log] [--datasources FILE]\n"
    "Runs the cases of NAME.test.yaml beside a job or a Lua file; without a name, all below the working directory.\n"
    "  --case NAME             only cases of this name\n"
    "  --coverage              which lines of the Lua files ran, and the numbers of those that did not\n"
    "  --coverage-min PERCENT  the same; fewer of all lines are a failure\n"
    "  --json                  for programs; --junit FILE writes a report for a CI system as well\n"
    "  --log                   shows what scripts print\n"
    "`luaduct help test` tells what goes into a file. Exit status: 0 all passed, 1 a case failed, 2 a mistake in a file.\n";

struct command {
    struct cases cases;
    struct cases_options options;
    struct report *report;
    const char **paths;
    size_t path_count;
    const char *junit;
    bool json, log, covered;
    double coverage_min; /* percent; below 0: none */
};

/* --- finding files --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All test files below a folder, in the order of their names; hidden folders are left out, and so are links to folders. */
static void folder_run(struct command *command, const char *path, unsigned depth)
{
    char **names = NULL;
    size_t count = 0, capacity = 0;
    DIR *folder = opendir(path);
    struct dirent *entry;

    if (!folder) {
        report_mistake(command->report, (struct location){path, 0, 0}, 1, "the folder cannot be read: %s", strerror(errno));
        return;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        XGROW(names, count, capacity);
        names[count++] = strcmp(path, ".") == 0 ? xstrdup(entry->d_name) : xasprintf("%s/%s", path, entry->d_name);
    }
    closedir(folder);
    if (count)
        qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; i < count; i++) {
        struct stat status;

        if (lstat(names[i], &status) == 0 && S_ISDIR(status.st_mode) && depth < DEPTH_MAX)
            folder_run(command, names[i], depth + 1);
        else if (case_file_is(names[i]) && stat(names[i], &status) == 0 && S_ISREG(status.st_mode))
            cases_run_file(&command->cases, names[i], &command->options, command->report);
        free(names[i]);
    }
    free(names);
}

/* False: nothing there is a test, which was told. */
static bool path_run(struct command *command, const char *path)
{
    size_t before = command->cases.tried;
    struct stat status;
    char *beside;

    if (stat(path, &status) != 0) {
        fprintf(stderr, "luaduct test: %s: %s\n", path, strerror(errno));
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        size_t size = strlen(path);
        char *trimmed;

        while (size > 1 && path[size - 1] == '/')
            size--;
        trimmed = xstrndup(path, size);
        folder_run(command, trimmed, 0);
        free(trimmed);
    } else if (case_file_is(path)) {
        cases_run_file(&command->cases, path, &command->options, command->report);
    } else {
        cases_run(&command->cases, path, &command->options, command->report);
    }
    if (command->cases.tried > before)
        return true;
    beside = case_file_beside(path);
    if (S_ISDIR(status.st_mode))
        fprintf(stderr, "luaduct test: there is no file *.test.yaml in %s; `luaduct help test` tells how to write one\n", path);
    else
        fprintf(stderr, "luaduct test: there is no %s; `luaduct help test` tells how to write one\n", beside);
    free(beside);
    return false;
}

/* --- for people --- */

static void place_print(struct location at, struct buffer *text)
{
    buffer_print(text, "%s:%u:%u", at.file ? at.file : "?", at.line, at.column);
}

static void result_print(const struct case_result *result, struct buffer *text)
{
    buffer_print(text, "%s  %s\n", result->count ? "FAIL" : "ok  ", result->name);
    for (size_t i = 0; i < result->count; i++) {
        const struct case_difference *difference = &result->differences[i];

        buffer_append_str(text, STR("      "));
        if (difference->row)
            buffer_print(text, "row %llu%s%s", (unsigned long long)difference->row, difference->column ? ", " : "",
                         difference->column ? difference->column : "");
        buffer_print(text, "%s", difference->row ? "  (" : "");
        place_print(difference->at, text);
        buffer_print(text, "%s\n        expected  %s\n        got       %s\n", difference->row ? ")" : "", difference->expected,
                     difference->got);
    }
    if (result->more)
        buffer_print(text, "      and %zu more\n", result->more);
}

struct totals {
    unsigned active, hit;
};

static double percent_of(struct totals totals)
{
    return totals.active ? 100.0 * totals.hit / totals.active : 100.0;
}

static struct totals coverage_sum(const struct coverage *coverage)
{
    struct totals totals = {0};

    for (size_t i = 0; i < coverage_count(coverage); i++) {
        struct coverage_file file = coverage_file(coverage, i);

        totals.active += file.active;
        totals.hit += file.hit;
    }
    return totals;
}

/* "7, 12-15": lines without an instruction do not part a range. */
static void missed_print(const struct coverage_file *file, const char *join, struct buffer *text)
{
    unsigned first = 0, last = 0;
    bool any = false;

    for (unsigned line = 1; line <= file->line_count + 1; line++) {
        uint8_t mark = line <= file->line_count ? file->lines[line] : COVERAGE_ACTIVE | COVERAGE_HIT;

        if (mark == COVERAGE_ACTIVE) {
            first = first ? first : line;
            last = line;
        } else if (mark && first) {
            buffer_print(text, first == last ? "%s%u" : "%s%u-%u", any ? join : "", first, last);
            any = true;
            first = 0;
        }
    }
}

static void coverage_print(const struct coverage *coverage, struct buffer *text)
{
    size_t width = 4;

    for (size_t i = 0; i < coverage_count(coverage); i++)
        width = size_max(width, strlen(coverage_file(coverage, i).path));
    if (!coverage_count(coverage)) {
        buffer_append_str(text, STR("\nno Lua file was loaded\n"));
        return;
    }
    buffer_print(text, "\n%-*s  lines   hit        not hit\n", (int)width, "file");
    for (size_t i = 0; i < coverage_count(coverage); i++) {
        struct coverage_file file = coverage_file(coverage, i);

        buffer_print(text, "%-*s  %5u  %4u  %5.1f%%  ", (int)width, file.path, file.active, file.hit,
                     percent_of((struct totals){file.active, file.hit}));
        missed_print(&file, ", ", text);
        while (text->size && text->data[text->size - 1] == ' ')
            text->size--;
        buffer_append_char(text, '\n');
    }
    if (coverage_count(coverage) > 1) {
        struct totals totals = coverage_sum(coverage);

        buffer_print(text, "%-*s  %5u  %4u  %5.1f%%\n", (int)width, "all", totals.active, totals.hit, percent_of(totals));
    }
}

static void summary_print(const struct command *command, struct buffer *text)
{
    const struct cases *cases = &command->cases;

    buffer_print(text, "%zu case%s: %zu passed, %zu failed%s\n", cases->count, cases->count == 1 ? "" : "s",
                 cases->count - cases->failed, cases->failed,
                 report_mistakes(command->report) ? "; files with mistakes did not run" : "");
}

static void text_print(const struct command *command, struct buffer *clean)
{
    const struct cases *cases = &command->cases;
    struct buffer whole, *text = &whole;

    buffer_init(text, 0);
    for (size_t i = 0; i < cases->count; i++) {
        if (i == 0 || strcmp(cases->results[i].file, cases->results[i - 1].file) != 0)
            buffer_print(text, "%s%s\n", i ? "\n" : "", cases->results[i].file);
        buffer_append_str(text, STR("  "));
        result_print(&cases->results[i], text);
    }
    if (command->covered)
        coverage_print(command->options.coverage, text);
    buffer_append_str(text, cases->count || command->covered ? STR("\n") : STR(""));
    summary_print(command, text);
    terminal_clean(buffer_str(text), true, clean); /* an error of Lua may quote a record of a sample */
    buffer_release(text);
}

/* --- for programs --- */

static void member(struct buffer *json, const char *name, const char *value)
{
    buffer_print(json, "\"%s\":", name);
    if (value)
        buffer_append_json(json, str_of(value));
    else
        buffer_append_str(json, STR("null"));
}

static void json_print(const struct command *command, struct buffer *json)
{
    const struct cases *cases = &command->cases;
    const struct coverage *coverage = command->options.coverage;

    buffer_print(json, "{\"passed\":%zu,\"failed\":%zu,\"cases\":[", cases->count - cases->failed, cases->failed);
    for (size_t i = 0; i < cases->count; i++) {
        const struct case_result *result = &cases->results[i];

        buffer_append_str(json, i ? STR(",{") : STR("{"));
        member(json, "file", result->file);
        buffer_print(json, ",\"line\":%u,", result->at.line);
        member(json, "name", result->name);
        buffer_print(json, ",\"passed\":%s,\"seconds\":%.6f,\"differences\":[", result->count ? "false" : "true",
                     (double)result->microseconds / 1e6);
        for (size_t j = 0; j < result->count; j++) {
            const struct case_difference *difference = &result->differences[j];

            buffer_print(json, "%s{\"row\":", j ? "," : "");
            if (difference->row)
                buffer_print(json, "%llu,", (unsigned long long)difference->row);
            else
                buffer_append_str(json, STR("null,"));
            member(json, "column", difference->column);
            buffer_append_char(json, ',');
            member(json, "expected", difference->expected);
            buffer_append_char(json, ',');
            member(json, "got", difference->got);
            buffer_print(json, ",\"line\":%u,\"at\":%u}", difference->at.line, difference->at.column);
        }
        buffer_print(json, "],\"more_differences\":%zu}", result->more);
    }
    buffer_append_char(json, ']');
    if (command->covered) {
        struct totals totals = coverage_sum(coverage);

        buffer_print(json, ",\"coverage\":{\"lines\":%u,\"hit\":%u,\"percent\":%.2f,\"files\":[", totals.active, totals.hit,
                     percent_of(totals));
        for (size_t i = 0; i < coverage_count(coverage); i++) {
            struct coverage_file file = coverage_file(coverage, i);
            bool any = false;

            buffer_append_str(json, i ? STR(",{") : STR("{"));
            member(json, "file", file.path);
            buffer_print(json, ",\"lines\":%u,\"hit\":%u,\"not_hit\":[", file.active, file.hit);
            for (unsigned line = 1; line <= file.line_count; line++) {
                if (file.lines[line] == COVERAGE_ACTIVE) {
                    buffer_print(json, "%s%u", any ? "," : "", line);
                    any = true;
                }
            }
            buffer_append_str(json, STR("]}"));
        }
        buffer_append_str(json, STR("]}"));
    }
    buffer_append_str(json, STR("}\n"));
}

static void junit_print(const struct command *command, struct buffer *xml)
{
    const struct cases *cases = &command->cases;
    struct buffer text;

    buffer_print(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%zu\" failures=\"%zu\">\n", cases->count,
                 cases->failed);
    for (size_t i = 0, next; i < cases->count; i = next) {
        size_t failed = 0;

        for (next = i; next < cases->count && strcmp(cases->results[next].file, cases->results[i].file) == 0; next++)
            failed += cases->results[next].count > 0;
        buffer_append_str(xml, STR("  <testsuite name=\""));
        xml_escape(xml, str_of(cases->results[i].file));
        buffer_print(xml, "\" tests=\"%zu\" failures=\"%zu\">\n", next - i, failed);
        for (size_t j = i; j < next; j++) {
            const struct case_result *result = &cases->results[j];

            buffer_append_str(xml, STR("    <testcase classname=\""));
            xml_escape(xml, str_of(result->file));
            buffer_append_str(xml, STR("\" name=\""));
            xml_escape(xml, str_of(result->name));
            buffer_print(xml, "\" file=\"");
            xml_escape(xml, str_of(result->file));
            buffer_print(xml, "\" line=\"%u\" time=\"%.3f\"", result->at.line, (double)result->microseconds / 1e6);
            if (!result->count) {
                buffer_append_str(xml, STR("/>\n"));
                continue;
            }
            buffer_init(&text, 0);
            result_print(result, &text);
            buffer_print(xml, ">\n      <failure message=\"%zu difference%s\">", result->count + result->more,
                         result->count + result->more == 1 ? "" : "s");
            xml_escape(xml, buffer_str(&text));
            buffer_append_str(xml, STR("</failure>\n    </testcase>\n"));
            buffer_release(&text);
        }
        buffer_append_str(xml, STR("  </testsuite>\n"));
    }
    buffer_append_str(xml, STR("</testsuites>\n"));
}

static bool junit_write(const struct command *command)
{
    FILE *file = fopen(command->junit, "we");
    struct buffer xml;
    bool ok = false;

    buffer_init(&xml, 0);
    if (file) {
        junit_print(command, &xml);
        ok = fwrite(xml.data, 1, xml.size, file) == xml.size;
        ok &= fclose(file) == 0;
    }
    buffer_release(&xml);
    if (!ok)
        fprintf(stderr, "luaduct test: %s cannot be written: %s\n", command->junit, strerror(errno));
    return ok;
}

/* --- the command --- */

static bool percent_parse(const char *text, double *percent_out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    *percent_out = strtod(text, &end);
    return (*end == '\0' || strcmp(end, "%") == 0) && *percent_out <= 100;
}

/* Exit status, or -1 to go on. */
static int arguments_read(struct command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_OK;
        }
        if (strcmp(word, "--json") == 0) {
            command->json = true;
        } else if (strcmp(word, "--log") == 0) {
            command->log = true;
        } else if (strcmp(word, "--coverage") == 0) {
            command->covered = true;
        } else if (strcmp(word, "--coverage-min") == 0 && value) {
            if (!percent_parse(value, &command->coverage_min)) {
                fprintf(stderr, "luaduct test: --coverage-min takes a percentage from 0 to 100, not \"%s\"\n", value);
                return EXIT_CONFIG;
            }
            command->covered = true;
            i++;
        } else if (strcmp(word, "--case") == 0 && value) {
            command->options.name = argv[++i];
        } else if (strcmp(word, "--junit") == 0 && value) {
            command->junit = argv[++i];
        } else if (strcmp(word, "--datasources") == 0 && value) {
            command->options.datasources_path = argv[++i];
        } else if (word[0] != '-') {
            command->paths[command->path_count++] = word;
        } else {
            return word_refuse("test", argv + i, usage);
        }
    }
    if (!command->path_count)
        command->paths[command->path_count++] = ".";
    return -1;
}

/* Mistakes first, then failures. */
static int finish(struct command *command, bool found)
{
    unsigned mistakes = report_mistakes(command->report);
    int status = command->cases.failed ? EXIT_FAILED : EXIT_OK;
    struct buffer text;

    buffer_init(&text, 0);
    if (command->json)
        json_print(command, &text);
    else if (found && (command->cases.count || !mistakes))
        text_print(command, &text);
    fputs(buffer_text(&text), stdout);
    fflush(stdout);
    buffer_clear(&text);
    report_print(command->report, &text);
    fputs(buffer_text(&text), stderr);
    buffer_release(&text);
    if (command->coverage_min >= 0 && percent_of(coverage_sum(command->options.coverage)) < command->coverage_min) {
        fprintf(stderr, "luaduct test: %.1f%% of the lines were hit, fewer than %g%%\n",
                percent_of(coverage_sum(command->options.coverage)), command->coverage_min);
        status = EXIT_FAILED;
    }
    if (found && !mistakes && !command->cases.count) {
        fprintf(stderr, "luaduct test: no case is called \"%s\"\n", command->options.name ? command->options.name : "");
        status = EXIT_CONFIG;
    }
    if (command->junit && !junit_write(command))
        status = EXIT_CONFIG;
    return mistakes || !found ? EXIT_CONFIG : status;
}

int cli_test(int argc, char **argv)
{
    struct command command = {.coverage_min = -1, .report = report_new()};
    struct error error = {0};
    bool found = true;
    int status;

    command.paths = xcalloc((size_t)argc + 1, sizeof(*command.paths));
    status = arguments_read(&command, argc, argv);
    if (status < 0) {
        /* What scripts print belongs to the log; that a row failed is in the results. */
        if (!log_start(command.log ? LOG_INFO : (enum log_level)(LOG_ERROR + 1), NULL, &error))
            fprintf(stderr, "luaduct test: %s\n", error.text);
        log_set_repeats(true);
        command.options.log = log_new(NULL, "test");
        command.options.coverage = command.covered ? coverage_new() : NULL;
        for (size_t i = 0; i < command.path_count; i++)
            found &= path_run(&command, command.paths[i]);
        status = finish(&command, found);
        cases_free(&command.cases);
        coverage_free(command.options.coverage);
        log_free(command.options.log);
        log_stop();
    }
    report_free(command.report);
    free(command.paths);
    return status;
}
