/* tryout.c */
#include "cli/tryout.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/terminal.h"

enum { CELL_MAX = 80 };

bool tryout_help(const struct tryout *tryout, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(tryout->usage, stdout);
            return true;
        }
    }
    return false;
}

bool tryout_argument(struct tryout *tryout, int argc, char **argv, int *index)
{
    const char *word = argv[*index], *value = *index + 1 < argc ? argv[*index + 1] : NULL;
    const struct {
        const char *word;
        bool *flag;
        unsigned takes;
    } flags[] = {
        {"--json", &tryout->json, 0},
        {"--no-color", &tryout->no_color, 0},
        {"--connect", &tryout->connect, TRYOUT_CONNECT},
        {"--any-topic", &tryout->any_topic, TRYOUT_SAMPLE},
    };
    const struct {
        const char *word;
        const char **value;
        unsigned takes;
    } values[] = {
        {"--datasources", &tryout->datasources_path, 0},
        {"--sample", &tryout->sample_path, TRYOUT_SAMPLE},
        {"--stage", &tryout->stage_name, TRYOUT_STAGE},
    };

    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if (strcmp(word, flags[i].word) == 0 && (flags[i].takes & ~tryout->takes) == 0) {
            *flags[i].flag = true;
            return true;
        }
    }
    for (size_t i = 0; value && i < COUNT_OF(values); i++) {
        if (strcmp(word, values[i].word) == 0 && (values[i].takes & ~tryout->takes) == 0) {
            *values[i].value = value;
            ++*index;
            return true;
        }
    }
    if (word[0] == '-' || tryout->job_path)
        return false;
    tryout->job_path = word;
    return true;
}

int tryout_refuse(const struct tryout *tryout, bool usage, const char *format, ...)
{
    struct buffer clean;
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        stop_out_of_memory("a message");
    va_end(arguments);
    buffer_init(&clean, 0);
    terminal_clean(str_of(text), true, &clean); /* an error of Lua may quote a record */
    fflush(stdout);
    fprintf(stderr, "luaduct %s: %s\n%s", tryout->name, buffer_text(&clean), usage ? tryout->usage : "");
    buffer_release(&clean);
    free(text);
    return EXIT_CONFIG;
}

bool tryout_number(const struct tryout *tryout, const char *option, const char *text, size_t least, size_t *number_out)
{
    char *end;

    *number_out = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && *number_out >= least && *number_out <= 1000000)
        return true;
    (void)tryout_refuse(tryout, false, "%s takes a number from %zu to 1000000, not \"%s\"", option, least, text);
    return false;
}

static bool stage_find(struct tryout *tryout)
{
    const struct job *job = tryout->engine.job;
    const char **names = xcalloc(job->stage_count + 1, sizeof(*names)), *nearest;
    struct buffer all;

    buffer_init(&all, 0);
    for (tryout->stage = 0; tryout->stage < job->stage_count; tryout->stage++) {
        names[tryout->stage] = job->stages[tryout->stage].name;
        if (strcmp(names[tryout->stage], tryout->stage_name) == 0)
            break;
        buffer_print(&all, "%s%s", all.size ? ", " : "", names[tryout->stage]);
    }
    if (tryout->stage == job->stage_count && !*tryout->stage_name) {
        (void)tryout_refuse(tryout, false, "--stage NAME is wanted; the job's stages are: %s",
                            all.size ? buffer_text(&all) : "none");
    } else if (tryout->stage == job->stage_count) {
        nearest = str_nearest(str_of(tryout->stage_name), names, job->stage_count);
        (void)tryout_refuse(tryout, false, "the job has no stage \"%s\"%s%s%s its stages are: %s", tryout->stage_name,
                            nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : ";",
                            all.size ? buffer_text(&all) : "none");
    }
    free(names);
    buffer_release(&all);
    return tryout->stage < job->stage_count;
}

int tryout_open(struct tryout *tryout)
{
    struct engine *engine = &tryout->engine;
    struct error error = {0};
    bool ok;

    if (!tryout->job_path)
        return tryout_refuse(tryout, true, "which job?");
    ok = engine_load_stages(engine, tryout->job_path, tryout->datasources_path, tryout->connect || tryout->takes & TRYOUT_ENDS);
    /* Mistakes of the sample come with those of the job. */
    if (tryout->sample_path)
        ok = sample_read(&tryout->sample, tryout->sample_path, engine->report) && ok;
    if (!ok)
        return tryout_report(tryout, EXIT_CONFIG);
    if (tryout->sample && !tryout->any_topic &&
        !sample_is_of(tryout->sample, tryout->sample_path, engine->job->source.topic, &error))
        return tryout_failed(tryout, &error);
    if (tryout->stage_name && !stage_find(tryout))
        return EXIT_CONFIG;
    return EXIT_OK;
}

void tryout_close(struct tryout *tryout)
{
    sample_free(tryout->sample);
    engine_free(&tryout->engine);
}

bool tryout_has_columns(const struct job *job)
{
    for (size_t i = 0; i < job->target.column_count; i++)
        if (!job->target.columns[i].type)
            return false;
    return job->target.column_count > 0;
}

int tryout_report(struct tryout *tryout, int status)
{
    int of_report;

    fflush(stdout);
    of_report = engine_report(&tryout->engine);
    return of_report > status ? of_report : status;
}

int tryout_failed(const struct tryout *tryout, struct error *error)
{
    log_redact(error->text);
    (void)tryout_refuse(tryout, false, "%s", error->text);
    return error->kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

void tryout_grid(const struct tryout *tryout, struct grid *grid, size_t columns)
{
    grid_init(grid, columns);
    grid->width = terminal_width();
    grid->cell_max = CELL_MAX;
    grid->colours = terminal_colours(tryout->no_color);
}

void tryout_print(struct buffer *text)
{
    if (text->size)
        fwrite(text->data, 1, text->size, stdout);
    buffer_clear(text);
}
