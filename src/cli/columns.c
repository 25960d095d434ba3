/* columns.c: `luaduct columns JOB`: the columns that the stages yield, ready to paste into the job.
 * The rules are those of `create: if_missing` (route.h): fields that the stages made, or the source's when they made none. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "cli/tryout.h"
#include "cli/word.h"
#include "route/route.h"

static const char usage[] =
    "usage: luaduct columns JOB.yaml [--stage NAME] [--json]\n"
    "Prints the fields that come out of the last stage as a list for target.columns, with the column type that fits each, and\n"
    "says which of them the job does not write. It asks nobody.\n"
    "  --stage NAME  the fields that come out of this stage\n"
    "  --json        lines of JSON, one a field: name, type (in the pipeline; null: not known), column_type, source (a field of\n"
    "                the record itself), mapped (column names)\n"
    "Exit status: 0 done, 2 a mistake in a file or on the command line.\n";

struct columns {
    struct tryout tryout;
    struct mc_schema schema; /* of target.columns, where the job lists them with types */
    bool has_schema;
    const struct field **fields; /* that feed its columns */
};

static bool is_partition_column(const struct job *job, struct str name)
{
    for (size_t i = 0; i < job->target.partition_count; i++)
        if (str_equal_ignore_case(str_of(job->target.partitions[i].name), name))
            return true;
    return false;
}

static bool feeds_partition(const struct job *job, struct str name)
{
    for (size_t i = 0; i < job->target.partition_count; i++)
        if (job->target.partitions[i].from && str_is(name, job->target.partitions[i].from))
            return true;
    return false;
}

static bool stages_made_any(const struct batch *probe)
{
    for (uint32_t i = 0; i < probe->field_count; i++)
        if (probe->fields[i].builtin < 0)
            return true;
    return false;
}

/* A name that YAML would take for something else, or that has odd characters. */
static void print_yaml_name(struct str name, struct buffer *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    bool plain = name.size && !(name.data[0] >= '0' && name.data[0] <= '9');

    for (size_t i = 0; plain && i < name.size; i++)
        plain = (name.data[i] >= 'a' && name.data[i] <= 'z') || (name.data[i] >= 'A' && name.data[i] <= 'Z') ||
                (name.data[i] >= '0' && name.data[i] <= '9') || name.data[i] == '_';
    for (size_t i = 0; plain && i < COUNT_OF(words); i++)
        plain = !str_equal_ignore_case(name, str_of(words[i]));
    if (plain)
        buffer_append_str(text, name);
    else
        buffer_append_json(text, name);
}

static void print_type(struct type type, struct buffer *text)
{
    struct mc_type column;

    if (!route_column_type(type, &column))
        column = (struct mc_type){.kind = MC_STRING};
    if (column.kind == MC_DECIMAL && column.scale > 18)
        column.scale = 18;
    mc_type_print(&column, text);
}

/* One line; comments stand in a column of their own. */
static void print_column(const struct field *field, size_t width, struct buffer *text)
{
    struct type type = batch_field_type(field);
    char name[TYPE_NAME_MAX];
    size_t begin = text->size;

    buffer_append_str(text, STR("  - {name: "));
    print_yaml_name(field->name, text);
    buffer_append_str(text, STR(", type: "));
    if (type.kind == TYPE_DECIMAL)
        buffer_append_char(text, '"'); /* a comma would end the value */
    print_type(type, text);
    if (type.kind == TYPE_DECIMAL)
        buffer_append_char(text, '"');
    buffer_append_char(text, '}');
    while (text->size - begin < width)
        buffer_append_char(text, ' ');
    if (type.kind == TYPE_NULL)
        buffer_append_str(text, STR("  # the stage does not name its type; put the one you want\n"));
    else if (type.kind == TYPE_DECIMAL && type.scale > 18)
        buffer_print(text, "  # %s; a column has 18 digits behind the point at most\n", type_print(type, name));
    else
        buffer_print(text, "  # %s\n", type_print(type, name));
}

static size_t width_of(const struct field *field)
{
    struct buffer line;
    size_t width;

    buffer_init(&line, 0);
    print_column(field, 0, &line);
    width = (size_t)((char *)memchr(line.data, '}', line.size) + 1 - line.data);
    buffer_release(&line);
    return width;
}

static bool is_mapped(const struct columns *columns, const struct field *field)
{
    for (size_t i = 0; i < columns->schema.column_count; i++)
        if (columns->fields[i] == field)
            return true;
    return false;
}

static bool is_listed(const struct columns *columns, const struct field *field)
{
    const struct batch *probe = columns->tryout.engine.probe;

    return (field->builtin < 0 || !stages_made_any(probe)) && !is_partition_column(columns->tryout.engine.job, field->name);
}

static void print_yaml(const struct columns *columns, struct buffer *text)
{
    const struct tryout *tryout = &columns->tryout;
    const struct job *job = tryout->engine.job;
    const struct batch *probe = tryout->engine.probe;
    size_t width = 0, listed = 0;

    buffer_print(text, "# What comes out of %s%s of job %s, for target.columns. The comments tell the types in the pipeline.\n",
                 tryout->stage_name ? "stage " : "the last stage", tryout->stage_name ? tryout->stage_name : "", job->name);
    buffer_append_str(text, STR("columns:\n"));
    for (uint32_t i = 0; i < probe->field_count; i++) {
        if (is_listed(columns, &probe->fields[i])) {
            width = size_max(width, width_of(&probe->fields[i]));
            listed++;
        }
    }
    for (uint32_t i = 0; i < probe->field_count; i++)
        if (is_listed(columns, &probe->fields[i]))
            print_column(&probe->fields[i], size_min(width, 60), text);
    if (!listed)
        buffer_append_str(text, STR("  []  # the stages yield no field\n"));
    for (uint32_t i = 0, count = 0; i < probe->field_count; i++) {
        const struct field *field = &probe->fields[i];

        if (is_listed(columns, field) || is_partition_column(job, field->name))
            continue;
        buffer_print(text, "%s%.*s",
                     count++ ? ", " : "# Fields of the record itself, which can be columns as well: ", STR_ARG(field->name));
        if (i + 1 == probe->field_count || count == 6)
            buffer_append_char(text, '\n');
    }
    if (text->data[text->size - 1] != '\n')
        buffer_append_char(text, '\n');
    for (uint32_t i = 0; columns->has_schema && i < probe->field_count; i++) {
        const struct field *field = &probe->fields[i];

        if (is_listed(columns, field) && !is_mapped(columns, field))
            buffer_print(text, "# Not written as the job is now: %.*s%s\n", STR_ARG(field->name),
                         feeds_partition(job, field->name) ? ", but for a partition" : "");
    }
}

static void print_json(const struct columns *columns, struct buffer *text)
{
    const struct batch *probe = columns->tryout.engine.probe;

    for (uint32_t i = 0; i < probe->field_count; i++) {
        const struct field *field = &probe->fields[i];
        struct type type = batch_field_type(field);
        char name[TYPE_NAME_MAX];
        bool first = true;

        buffer_append_str(text, STR("{\"name\":"));
        buffer_append_json(text, field->name);
        buffer_append_str(text, STR(",\"type\":"));
        if (type.kind == TYPE_NULL)
            buffer_append_str(text, STR("null"));
        else
            buffer_print(text, "\"%s\"", type_print(type, name));
        buffer_append_str(text, STR(",\"column_type\":\""));
        print_type(type, text);
        buffer_print(text, "\",\"source\":%s,\"mapped\":", field->builtin >= 0 ? "true" : "false");
        if (columns->has_schema) {
            buffer_append_char(text, '[');
            for (size_t j = 0; j < columns->schema.column_count; j++) {
                if (columns->fields[j] != field)
                    continue;
                buffer_append_str(text, first ? STR("") : STR(","));
                buffer_append_json(text, str_of(columns->schema.columns[j].name));
                first = false;
            }
            buffer_append_str(text, STR("]}\n"));
        } else {
            buffer_append_str(text, STR("null}\n"));
        }
    }
}

/* What the job writes is known when it lists typed columns; mistakes in them are for `check` to tell. */
static void mapping_find(struct columns *columns)
{
    struct engine *engine = &columns->tryout.engine;
    struct report *quiet;

    if (columns->tryout.stage_name || !engine->job->target.column_count)
        return;
    quiet = report_new();
    columns->has_schema = route_create_schema(engine->job, engine->probe, &columns->schema, quiet);
    report_free(quiet);
    if (!columns->has_schema)
        return;
    columns->fields = xcalloc(columns->schema.column_count + 1, sizeof(*columns->fields));
    route_fields(engine->job, &columns->schema, engine->probe, columns->fields);
}

static int run(struct columns *columns)
{
    struct tryout *tryout = &columns->tryout;
    struct engine *engine = &tryout->engine;
    struct error error = {0};
    struct buffer text;

    if (tryout->stage_name &&
        !chain_probe_some(engine->chain, engine->job, engine->probe, tryout->stage + 1, engine->report, &error))
        return tryout_report(tryout, EXIT_CONFIG);
    mapping_find(columns);
    buffer_init(&text, 0);
    if (tryout->json)
        print_json(columns, &text);
    else
        print_yaml(columns, &text);
    tryout_print(&text);
    buffer_release(&text);
    return tryout_report(tryout, EXIT_OK);
}

int cli_columns(int argc, char **argv)
{
    struct columns columns = {.tryout = {.name = "columns", .usage = usage, .takes = TRYOUT_STAGE}};
    int status;

    if (tryout_help(&columns.tryout, argc, argv))
        return EXIT_OK;
    for (int i = 1; i < argc; i++)
        if (!tryout_argument(&columns.tryout, argc, argv, &i))
            return word_refuse("columns", argv + i, usage);
    status = tryout_open(&columns.tryout);
    if (status == EXIT_OK)
        status = run(&columns);
    mc_schema_release(&columns.schema);
    free(columns.fields);
    tryout_close(&columns.tryout);
    return status;
}
