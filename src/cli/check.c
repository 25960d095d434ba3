/* check.c: `luaduct check JOB [--connect]`: everything about a job that can be found without running it; with --connect both ends
 * are asked as well. It writes nothing, to any end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/engine.h"
#include "cli/starts.h"
#include "cli/target.h"
#include "cli/word.h"
#include "dirty/read.h"
#include "route/route.h"
#include "source/kafka.h"

static bool check_source(struct engine *engine, unsigned *partitions_out, struct error *error)
{
    struct buffer text;
    bool ok;

    if (!kafka_source_probe(engine->job, ENGINE_ASK_MS, partitions_out, error))
        return false;
    printf("source: topic %s is there, %u partitions\n", engine->job->source.topic, *partitions_out);
    buffer_init(&text, 0);
    ok = starts_ask(engine, &text, error);
    fputs(buffer_text(&text), stdout);
    buffer_release(&text);
    return ok;
}

static void print_start(const struct engine *engine)
{
    struct buffer text;

    buffer_init(&text, 0);
    starts_print(engine, &text);
    fputs(buffer_text(&text), stdout);
    buffer_release(&text);
}

static void print_budget(const struct engine *engine)
{
    struct buffer text;

    buffer_init(&text, 0);
    engine_print_budget(engine, &text);
    fwrite(text.data, 1, text.size, stdout);
    buffer_release(&text);
}

/* A topic of dirty rows has to be there. Reading it is another right than writing; what both need is to describe it. */
static bool check_dirty(struct engine *engine, struct error *error)
{
    struct dirty_options options = dirty_options_of(engine->job);
    struct dirty_reader *reader = NULL;

    if (!options.topic)
        return true;
    if (!dirty_reader_open(&reader, &options, error))
        return error_wrap(error, "dirty rows");
    printf("dirty rows: topic %s is there\n", options.topic);
    dirty_reader_close(reader);
    return true;
}

static void print_mapping(const struct engine *engine, const struct mc_schema *schema)
{
    struct buffer text;

    buffer_init(&text, 0);
    route_describe(engine->job, schema, engine->probe, &text);
    fputs(buffer_text(&text), stdout);
    buffer_release(&text);
}

static bool check_target(struct engine *engine, struct error *error)
{
    struct mc_schema schema;
    bool there, ok;

    engine_connect(engine);
    ok = target_ask(engine, &schema, &there, error);
    if (ok && !there) {
        printf("target: table %s does not exist, it will be created\n", engine->table);
        print_mapping(engine, &engine->create_schema);
    } else if (ok) {
        ok = route_check(engine->job, &schema, engine->probe, engine->report);
        if (ok) {
            printf("target: table %s is there\n", engine->table);
            print_mapping(engine, &schema);
        } else {
            error_set(error, ERROR_CONFIG, "target: the job does not fit the table %s", engine->table);
        }
        mc_schema_release(&schema);
    }
    if (skew_is_large(client_skew(engine->client))) {
        char text[SKEW_TEXT_MAX];

        printf("target: warning: %s; from %d minutes on requests are refused\n", skew_text(client_skew(engine->client), text),
               SKEW_REFUSED_MS / 60000);
    }
    return ok;
}

/* What one end has against the job, to be told at the end, where it is looked for. Returns the exit status. */
static int refusal_add(struct error *error, struct buffer *refusals)
{
    log_redact(error->text);
    buffer_print(refusals, "luaduct check: %s\n", error->text);
    return error->kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

static const char usage[] =
    "usage: luaduct check JOB.yaml [--connect] [--datasources FILE]\n"
    "Reads the job, its data sources and its Lua files, tells all mistakes at once, each with file, line and caret, and what\n"
    "the job takes of memory and of the service's limits. It writes nothing.\n"
    "  --connect           asks both ends as well: whether topic and table are there and may be used, where the job would\n"
    "                      begin, and which field goes into which column\n"
    "  --datasources FILE  instead of the one that the job names, or datasources.yaml beside it\n"
    "Exit status: 0 right, also with warnings, 1 an end does not answer or refuses, 2 a mistake in a file.\n";

int cli_check(int argc, char **argv)
{
    const char *job_path = NULL, *datasources_path = NULL;
    bool connect = false;
    unsigned partitions = 0;
    struct engine engine;
    struct error error = {0};
    struct buffer refusals;
    int status;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_OK;
        }
        if (strcmp(argv[i], "--connect") == 0) {
            connect = true;
        } else if (strcmp(argv[i], "--datasources") == 0 && i + 1 < argc) {
            datasources_path = argv[++i];
        } else if (argv[i][0] != '-' && !job_path) {
            job_path = argv[i];
        } else {
            return word_refuse("check", argv + i, usage);
        }
    }
    if (!job_path) {
        fprintf(stderr, "luaduct check: which job?\n%s", usage);
        return EXIT_CONFIG;
    }
    if (!engine_load(&engine, job_path, datasources_path)) {
        status = engine_report(&engine);
        engine_free(&engine);
        return status ? status : EXIT_CONFIG;
    }
    status = EXIT_OK;
    buffer_init(&refusals, 0);
    /* Both ends, whatever the first one says: all mistakes at once. */
    if (!connect)
        print_start(&engine);
    else if (!check_source(&engine, &partitions, &error))
        status = refusal_add(&error, &refusals);
    if (connect && !check_dirty(&engine, &error))
        status = (int)int64_max(status, refusal_add(&error, &refusals));
    if (connect && !check_target(&engine, &error))
        status = (int)int64_max(status, refusal_add(&error, &refusals));
    if (!engine_budget(&engine, partitions))
        status = EXIT_CONFIG;
    print_budget(&engine);
    fflush(stdout);
    if (engine_report(&engine) == EXIT_CONFIG)
        status = EXIT_CONFIG;
    fputs(buffer_text(&refusals), stderr);
    buffer_release(&refusals);
    if (status == EXIT_OK) {
        printf("%s: right%s\n", job_path, connect ? ", and both ends answer" : "; with --connect both ends are asked as well");
    }
    engine_free(&engine);
    return status;
}
