/* plan.c: `luaduct plan JOB [--connect]`: what a start of the job would do. It writes nothing, to any end. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/starts.h"
#include "cli/target.h"
#include "cli/tryout.h"
#include "cli/word.h"
#include "route/route.h"
#include "source/kafka.h"

static const char usage[] =
    "usage: luaduct plan JOB.yaml [--connect] [--json] [--no-color]\n"
    "Prints what a start of the job would do: the statement that makes the table, which field goes into which column and how,\n"
    "where rows go by partition, where the job begins to read, and within which limits. It writes nothing, to any end.\n"
    "  --connect   asks both ends: whether the table is there and with which columns, and the offsets of each Kafka partition\n"
    "  --json      lines of JSON, each with a \"kind\": table (name, exists: null when not asked, statement: null when none is\n"
    "              run), column (name, type, field, field_type, conversion; field null: nothing is written), partition (rule),\n"
    "              start (text), limits (text)\n"
    "  --no-color  no colours, as with NO_COLOR in the environment\n"
    "Exit status: 0 done, 1 an end does not answer, 2 a mistake in a file or on the command line.\n";

enum existence { TABLE_NOT_ASKED, TABLE_IS_THERE, TABLE_IS_NOT };

struct plan {
    struct tryout tryout;
    enum existence table;
    bool has_schema; /* engine.create_schema: the table's, or the job's */
    struct buffer text;
};

/* How a value gets from the field's type to the column's (config/conversion.md has every case). */
static const char *conversion(struct type from, const struct mc_type *to)
{
    struct mc_type nearest;
    bool number = to->kind <= MC_DECIMAL;

    if (!route_column_type(from, &nearest))
        return "as the value turns out to be";
    if (mc_type_equal(&nearest, to))
        return "as it is";
    switch (to->kind) {
    case MC_ARRAY: case MC_MAP: case MC_STRUCT: return "read as JSON";
    case MC_JSON: return "checked to be JSON";
    case MC_BINARY: return "its bytes";
    case MC_STRING:
        return from.kind == TYPE_JSON ? "as it is" : from.kind == TYPE_BINARY ? "checked to be UTF-8" : "printed as text";
    case MC_VARCHAR: case MC_CHAR: return "its length is checked";
    case MC_DATETIME: case MC_TIMESTAMP: case MC_TIMESTAMP_NTZ:
        if (from.kind == TYPE_BIGINT)
            return "as milliseconds since 1970";
        break;
    default: break;
    }
    if (type_is_text(from.kind))
        return "parsed strictly";
    return number ? "its range and digits are checked" : "converted strictly";
}

static void heading(struct plan *plan, const char *text)
{
    buffer_print(&plan->text, "%s%s\n", plan->text.size ? "\n" : "", text);
}

static void statement_print(const struct plan *plan, struct buffer *sql)
{
    const struct engine *engine = &plan->tryout.engine;
    const struct job *job = engine->job;

    mc_ddl_create_table(sql, str_of(job->target.maxcompute.project), str_of(job->target.maxcompute.schema),
                        str_of(job->target.table), &engine->create_schema, str_of(job->target.comment),
                        job->target.lifecycle_days);
}

static void statement_show(struct plan *plan, struct str sql)
{
    struct str line;

    buffer_print(&plan->text, "%s\n", plan->table == TABLE_IS_NOT ? "it does not exist and is made by"
                                     : "an existing one is not altered; when there is none, it is made by");
    while (sql.size) {
        str_cut(sql, '\n', &line, &sql);
        buffer_print(&plan->text, "    %.*s\n", STR_ARG(line));
    }
}

static bool makes_table(const struct plan *plan)
{
    return plan->tryout.engine.job->target.create == CREATE_IF_MISSING && plan->table != TABLE_IS_THERE;
}

static void table_plan(struct plan *plan)
{
    const struct engine *engine = &plan->tryout.engine;
    struct buffer sql;

    buffer_init(&sql, 0);
    if (makes_table(plan))
        statement_print(plan, &sql);
    if (plan->tryout.json) {
        buffer_append_str(&plan->text, STR("{\"kind\":\"table\",\"name\":"));
        buffer_append_json(&plan->text, str_of(engine->table));
        buffer_print(&plan->text, ",\"exists\":%s,\"statement\":", plan->table == TABLE_NOT_ASKED ? "null"
                                                                 : plan->table == TABLE_IS_THERE ? "true" : "false");
        if (sql.size)
            buffer_append_json(&plan->text, buffer_str(&sql));
        else
            buffer_append_str(&plan->text, STR("null"));
        buffer_append_str(&plan->text, STR("}\n"));
    } else {
        buffer_print(&plan->text, "table %s: ", engine->table);
        if (plan->table == TABLE_IS_THERE)
            buffer_append_str(&plan->text, STR("it exists and is not altered\n"));
        else if (!sql.size)
            buffer_append_str(&plan->text, STR("it has to exist (create: never); nothing is made or altered\n"));
        else
            statement_show(plan, buffer_str(&sql));
    }
    buffer_release(&sql);
}

static void column_json(struct plan *plan, const struct mc_column *column, const struct field *field)
{
    char name[TYPE_NAME_MAX];

    buffer_append_str(&plan->text, STR("{\"kind\":\"column\",\"name\":"));
    buffer_append_json(&plan->text, str_of(column->name));
    buffer_append_str(&plan->text, STR(",\"type\":\""));
    mc_type_print(&column->type, &plan->text);
    if (field) {
        buffer_append_str(&plan->text, STR("\",\"field\":"));
        buffer_append_json(&plan->text, field->name);
        buffer_print(&plan->text, ",\"field_type\":\"%s\",\"conversion\":\"%s\"}\n", type_print(batch_field_type(field), name),
                     conversion(batch_field_type(field), &column->type));
    } else {
        buffer_append_str(&plan->text, STR("\",\"field\":null,\"field_type\":null,\"conversion\":null}\n"));
    }
}

static void column_row(struct grid *grid, const struct mc_column *column, const struct field *field)
{
    struct buffer type;
    char name[TYPE_NAME_MAX];

    buffer_init(&type, 0);
    mc_type_print(&column->type, &type);
    grid_add(grid, "%s", column->name);
    grid_add_text(grid, buffer_str(&type), GRID_PLAIN);
    buffer_release(&type);
    if (!field) {
        grid_add(grid, "-");
        grid_add(grid, "%s", "");
        grid_add_text(grid, column->has_default ? STR("the column's default") : STR("NULL"), GRID_DIM);
        return;
    }
    grid_add_text(grid, field->name, GRID_PLAIN);
    grid_add(grid, "%s", type_print(batch_field_type(field), name));
    grid_add_text(grid, str_of(conversion(batch_field_type(field), &column->type)), GRID_DIM);
}

static bool is_fed(const struct field *const *fields, size_t count, const struct field *field)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i] == field)
            return true;
    return false;
}

/* Whether a rule of the table's partitions is made from the field. What a rule in Lua reads is not known. */
static bool is_partition(const struct job *job, const struct field *field)
{
    for (size_t i = 0; i < job->target.partition_count; i++)
        if (job->target.partitions[i].from && str_is(field->name, job->target.partitions[i].from))
            return true;
    return false;
}

/* Only those that stages made: that a record's own fields are not written is the rule. */
static void unwritten_print(struct plan *plan, const struct field *const *fields)
{
    const struct batch *probe = plan->tryout.engine.probe;
    bool any = false;

    for (uint32_t i = 0; i < probe->field_count; i++) {
        const struct field *field = &probe->fields[i];

        if (field->builtin >= 0 || is_fed(fields, plan->tryout.engine.create_schema.column_count, field) ||
            is_partition(plan->tryout.engine.job, field))
            continue;
        buffer_print(&plan->text, "%s%.*s", any ? ", " : "  fields that no column takes: ", STR_ARG(field->name));
        any = true;
    }
    buffer_append_str(&plan->text, any ? STR("\n") : STR(""));
}

static void columns_plan(struct plan *plan)
{
    struct engine *engine = &plan->tryout.engine;
    const struct mc_schema *schema = &engine->create_schema;
    const struct field **fields = xcalloc(schema->column_count + 1, sizeof(*fields));
    struct grid grid;

    route_fields(engine->job, schema, engine->probe, fields);
    tryout_grid(&plan->tryout, &grid, 5);
    grid.fit = GRID_CUT;
    grid_add(&grid, "column");
    grid_add(&grid, "type");
    grid_add(&grid, "from field");
    grid_add(&grid, "its type");
    grid_add(&grid, "how");
    for (size_t i = 0; i < schema->column_count; i++) {
        if (plan->tryout.json)
            column_json(plan, &schema->columns[i], fields[i]);
        else
            column_row(&grid, &schema->columns[i], fields[i]);
    }
    if (!plan->tryout.json) {
        heading(plan, "columns");
        grid_print(&grid, 2, &plan->text);
        unwritten_print(plan, fields);
    }
    grid_release(&grid);
    free(fields);
}

/* Lines as they are, or one JSON object of that kind. */
static void lines_print(struct plan *plan, const char *kind, const char *member, struct buffer *lines)
{
    if (plan->tryout.json) {
        while (lines->size && lines->data[lines->size - 1] == '\n')
            lines->size--;
        buffer_print(&plan->text, "{\"kind\":\"%s\",\"%s\":", kind, member);
        buffer_append_json(&plan->text, buffer_str(lines));
        buffer_append_str(&plan->text, STR("}\n"));
    } else {
        buffer_append_str(&plan->text, buffer_str(lines));
    }
    buffer_clear(lines);
}

static void partitions_plan(struct plan *plan)
{
    const struct engine *engine = &plan->tryout.engine;
    struct buffer lines;

    if (!engine->job->target.partition_count)
        return;
    buffer_init(&lines, 0);
    route_describe_partitions(engine->job, &engine->create_schema, &lines);
    if (!plan->tryout.json) {
        heading(plan, "partitions (missing ones are created)");
        lines_print(plan, "", "", &lines);
    } else {
        struct str line, rest = buffer_str(&lines);
        struct buffer one;

        buffer_init(&one, 0);
        while (rest.size) {
            str_cut(rest, '\n', &line, &rest);
            buffer_append_str(&one, str_trim(line));
            lines_print(plan, "partition", "rule", &one);
        }
        buffer_release(&one);
    }
    buffer_release(&lines);
}

/* False: the brokers do not answer, error. */
static bool start_plan(struct plan *plan, unsigned *partitions_out, struct error *error)
{
    struct engine *engine = &plan->tryout.engine;
    struct buffer lines;
    bool ok = true;

    buffer_init(&lines, 0);
    if (!plan->tryout.connect)
        starts_print(engine, &lines);
    else
        ok = kafka_source_probe(engine->job, ENGINE_ASK_MS, partitions_out, error) && starts_ask(engine, &lines, error);
    if (ok) {
        if (!plan->tryout.json)
            heading(plan, "reading");
        lines_print(plan, "start", "text", &lines);
    }
    buffer_release(&lines);
    return ok;
}

static bool limits_plan(struct plan *plan, unsigned partitions)
{
    struct engine *engine = &plan->tryout.engine;
    struct buffer lines;
    bool ok = engine_budget(engine, partitions);

    buffer_init(&lines, 0);
    buffer_print(&lines, "delivery: %s\n", engine->job->delivery == DELIVERY_EXACTLY_ONCE ? "exactly_once" : "at_least_once");
    engine_print_budget(engine, &lines);
    if (!plan->tryout.json)
        heading(plan, "limits");
    lines_print(plan, "limits", "text", &lines);
    buffer_release(&lines);
    return ok;
}

/* The table's columns, from the service or from the job; without either the plan goes on without them. */
static int schema_find(struct plan *plan, struct error *error)
{
    struct engine *engine = &plan->tryout.engine;
    struct mc_schema schema;
    bool there;

    if (plan->tryout.connect) {
        engine_connect(engine);
        if (!target_ask(engine, &schema, &there, error))
            return tryout_failed(&plan->tryout, error);
        plan->table = there ? TABLE_IS_THERE : TABLE_IS_NOT;
        if (there) {
            engine->create_schema = schema;
            engine->has_create_schema = plan->has_schema = true;
            return route_check(engine->job, &engine->create_schema, engine->probe, engine->report) ? EXIT_OK : EXIT_CONFIG;
        }
    }
    if (engine->job->target.create == CREATE_NEVER && !tryout_has_columns(engine->job))
        return EXIT_OK;
    plan->has_schema = engine_create_schema(engine);
    return plan->has_schema ? EXIT_OK : EXIT_CONFIG;
}

static int run(struct plan *plan)
{
    struct error error = {0};
    unsigned partitions = 0;
    int status = schema_find(plan, &error);

    if (status == EXIT_CONFIG)
        return tryout_report(&plan->tryout, status);
    if (status == EXIT_OK)
        table_plan(plan);
    if (plan->has_schema) {
        columns_plan(plan);
        partitions_plan(plan);
    } else if (status == EXIT_OK && !plan->tryout.json) {
        buffer_append_str(&plan->text, STR("  its columns are not known here; --connect reads them\n"));
    }
    if (!start_plan(plan, &partitions, &error))
        status = tryout_failed(&plan->tryout, &error);
    if (!limits_plan(plan, partitions))
        status = EXIT_CONFIG;
    tryout_print(&plan->text);
    return tryout_report(&plan->tryout, status);
}

int cli_plan(int argc, char **argv)
{
    struct plan plan = {.tryout = {.name = "plan", .usage = usage, .takes = TRYOUT_CONNECT | TRYOUT_ENDS}};
    int status;

    if (tryout_help(&plan.tryout, argc, argv))
        return EXIT_OK;
    for (int i = 1; i < argc; i++)
        if (!tryout_argument(&plan.tryout, argc, argv, &i))
            return word_refuse("plan", argv + i, usage);
    buffer_init(&plan.text, 0);
    status = tryout_open(&plan.tryout);
    if (status == EXIT_OK)
        status = run(&plan);
    buffer_release(&plan.text);
    tryout_close(&plan.tryout);
    return status;
}
