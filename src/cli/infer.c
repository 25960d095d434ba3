/* infer.c: `luaduct infer SAMPLE`: the columns of a json stage, as a sample has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "cli/word.h"
#include "job/job.h"
#include "sample/infer.h"
#include "sample/sample.h"
#include "stages/chain.h"

static const char usage[] =
    "usage: luaduct infer SAMPLE_FILE [--field NAME] [--job JOB.yaml [--stage NAME]] [--json] [--datasources FILE]\n"
    "Proposes the columns of a stage of kind json, ready to paste below its kind.\n"
    "  --field NAME     the field that holds the documents; the default is __value__\n"
    "  --job JOB.yaml   the job whose records these are: its decoding and its time zone are used\n"
    "  --stage NAME     the field as it comes into that stage of the job, and not as it is decoded\n"
    "  --json           for programs\n"
    "`luaduct help sample` tells what a sample file is. Exit status: 0, 1 there is no document in it, 2 a mistake in a file.\n";

struct command {
    const char *sample, *field, *job_path, *stage, *datasources;
    bool json;
    struct report *report;
    struct infer *infer;
};

/* The field that holds the documents, or NULL with the mistake told. */
static struct field *field_of(struct command *command, const struct batch *batch, struct error *error)
{
    struct field *field = batch_field(batch, str_of(command->field));
    const char *names[BATCH_FIELDS_MAX], *nearest;
    char *copies[BATCH_FIELDS_MAX];
    struct buffer all;

    if (field)
        return field;
    for (uint32_t i = 0; i < batch->field_count; i++)
        names[i] = copies[i] = str_dup(batch->fields[i].name);
    nearest = str_nearest(str_of(command->field), names, batch->field_count);
    buffer_init(&all, 0);
    for (uint32_t i = 0; i < batch->field_count; i++)
        buffer_print(&all, "%s%s", i ? ", " : "", names[i]);
    error_set(error, ERROR_CONFIG, "there is no field \"%s\"%s%s%s the fields are: %s", command->field,
              nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : ";", buffer_text(&all));
    buffer_release(&all);
    for (uint32_t i = 0; i < batch->field_count; i++)
        free(copies[i]);
    return NULL;
}

static bool batch_look(struct command *command, struct batch *batch, struct error *error)
{
    struct field *field = field_of(command, batch, error);
    struct column *column = field ? batch_column(batch, field) : NULL;
    char name[TYPE_NAME_MAX];

    if (!field)
        return false;
    if (!column)
        return error_set(error, ERROR_DATA, "the records of a batch need more memory than a batch may use");
    if (!type_is_text(column->type.kind) && column->type.kind != TYPE_BINARY)
        return error_set(error, ERROR_CONFIG, "field %s is %s; documents are in a field of texts", command->field,
                         type_print(column->type, name));
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        infer_add(command->infer, column_is_null(column, row) ? STR_NONE : column->text[row]);
    }
    return true;
}

/* Records in runs of one Kafka partition, as a job would get them. chain NULL: the source's fields. */
static bool sample_look(struct command *command, const struct sample *sample, struct chain *chain, size_t stages,
                        struct error *error)
{
    struct batch *batch = batch_new((size_t)1 << 30);
    bool ok = true;

    for (size_t at = 0; ok && at < sample->count;) {
        size_t first = at;

        batch_clear(batch);
        while (at < sample->count && at - first < BATCH_ROWS_MAX && sample->partition_of[at] == sample->partition_of[first])
            batch_add_message(batch, &sample->messages[at++], NULL);
        batch->partition = sample->partition_of[first];
        ok = batch_begin(batch, (1u << BUILTIN_COUNT) - 1) ||
             error_set(error, ERROR_DATA, "the records of a batch need more memory than a batch may use");
        if (ok && chain)
            ok = chain_process_some(chain, batch, stages, error);
        if (ok)
            ok = batch_look(command, batch, error);
    }
    batch_free(batch);
    return ok;
}

static bool stages_before(const struct job *job, const char *name, size_t *stages_out, struct error *error)
{
    const char **names = xcalloc(job->stage_count + 1, sizeof(*names)), *nearest;

    *stages_out = 0;
    for (size_t i = 0; i < job->stage_count; i++) {
        names[i] = job->stages[i].name;
        if (name && strcmp(name, names[i]) == 0) {
            *stages_out = i;
            name = NULL;
        }
    }
    nearest = name ? str_nearest(str_of(name), names, job->stage_count) : NULL;
    if (name)
        error_set(error, ERROR_CONFIG, "the job has no stage \"%s\"%s%s%s", name, nearest ? "; did you mean \"" : "",
                  nearest ? nearest : "", nearest ? "\"?" : "");
    free(names);
    return !name;
}

/* False: it was told, or error is set. */
static bool look(struct command *command, bool *zone_out, struct error *error)
{
    struct log *log = log_new(NULL, "infer");
    struct sample *sample = NULL;
    struct chain *chain = NULL;
    struct job *job = NULL;
    size_t stages = 0;
    bool ok = false;

    if (!sample_read(&sample, command->sample, command->report))
        goto out;
    if (command->job_path) {
        if (!job_load_offline(&job, command->job_path, command->datasources, command->report) ||
            !sample_is_of(sample, command->sample, job->source.topic, error) ||
            !stages_before(job, command->stage, &stages, error))
            goto out;
        job->stage_count = stages; /* what comes behind may not be written yet */
        if (!chain_open(&chain, job, command->report, log, error) || report_mistakes(command->report))
            goto out;
        *zone_out = job->time_zone != NULL;
    }
    ok = sample_look(command, sample, chain, stages, error);
out:
    chain_free(chain);
    job_free(job);
    sample_free(sample);
    log_free(log);
    return ok;
}

static int arguments_read(struct command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        bool value = i + 1 < argc;

        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_OK;
        }
        if (strcmp(word, "--json") == 0) {
            command->json = true;
        } else if (strcmp(word, "--field") == 0 && value) {
            command->field = argv[++i];
        } else if (strcmp(word, "--job") == 0 && value) {
            command->job_path = argv[++i];
        } else if (strcmp(word, "--stage") == 0 && value) {
            command->stage = argv[++i];
        } else if (strcmp(word, "--datasources") == 0 && value) {
            command->datasources = argv[++i];
        } else if (word[0] != '-' && !command->sample) {
            command->sample = word;
        } else {
            return word_refuse("infer", argv + i, usage);
        }
    }
    if (!command->sample || (command->stage && !command->job_path)) {
        fprintf(stderr, "luaduct infer: %s\n%s",
                command->sample ? "--stage wants --job JOB.yaml, whose stage it is" : "which sample?", usage);
        return EXIT_CONFIG;
    }
    return -1;
}

static int finish(struct command *command, bool zone)
{
    struct infer_options options = {.field = command->field, .source = command->sample, .has_zone = zone};
    struct buffer text;

    if (!infer_documents(command->infer)) {
        fprintf(stderr, "luaduct infer: no record of %s has a JSON object or array with something in it in %s\n", command->sample,
                command->field);
        return EXIT_FAILED;
    }
    buffer_init(&text, 0);
    if (command->json)
        infer_print_json(command->infer, &options, &text);
    else
        infer_print(command->infer, &options, &text);
    fputs(buffer_text(&text), stdout);
    buffer_release(&text);
    return EXIT_OK;
}

int cli_infer(int argc, char **argv)
{
    struct command command = {.field = "__value__", .report = report_new(), .infer = infer_new()};
    struct error error = {0};
    bool zone = false;
    int status = arguments_read(&command, argc, argv);

    if (status < 0) {
        struct buffer text;
        bool ok = look(&command, &zone, &error);

        buffer_init(&text, 0);
        report_print(command.report, &text);
        fputs(buffer_text(&text), stderr);
        if (!ok && !report_mistakes(command.report)) {
            buffer_clear(&text);
            log_redact(error.text);
            terminal_clean(str_of(error.text), true, &text); /* an error of Lua may quote a record */
            fprintf(stderr, "luaduct infer: %s\n", buffer_text(&text));
        }
        buffer_release(&text);
        status = ok                                                              ? finish(&command, zone)
                 : error.kind == ERROR_CONFIG || report_mistakes(command.report) ? EXIT_CONFIG
                                                                                 : EXIT_FAILED;
    }
    infer_free(command.infer);
    report_free(command.report);
    return status;
}
