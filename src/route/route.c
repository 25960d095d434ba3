/* route.c: mapping first, then partitions, so that a row which does not fit is never counted to a partition.
 * Cost: a pass over each column that needs a check or another form, and for partitions what partition.c says. */
#include "route/route.h"

#include "route/mapping.h"
#include "route/partition.h"

#include <stdio.h>
#include <stdlib.h>

struct route {
    const struct mc_schema *schema;
    struct zone *zone;
    struct mapping *mapping;
    struct partitions *partitions;
};

static bool open_zone(const struct job *job, struct zone **zone_out, struct error *error)
{
    *zone_out = NULL;
    return !job->time_zone || zone_open(zone_out, str_of(job->time_zone), error);
}

bool route_open(struct route **route_out, const struct job *job, const struct mc_schema *schema, struct script_state *state,
                struct log *log, struct error *error)
{
    return route_open_saved(route_out, job, schema, state, STR_NONE, log, error);
}

bool route_open_saved(struct route **route_out, const struct job *job, const struct mc_schema *schema, struct script_state *state,
                      struct str saved, struct log *log, struct error *error)
{
    struct route *route = xcalloc(1, sizeof(*route));
    struct complaints complaints = {.error = error};
    bool ok = false;

    route->schema = schema;
    (void)log;
    if (!open_zone(job, &route->zone, error))
        goto out;
    route->mapping = mapping_new(job, schema, route->zone, &complaints);
    if (!route->mapping)
        goto out;
    route->partitions = partitions_new(job, schema, state, saved, route->zone, &complaints);
    if (!route->partitions)
        goto out;
    *route_out = route;
    route = NULL;
    ok = true;
out:
    route_free(route);
    return ok;
}

bool route_save(struct route *route, struct buffer *saved, struct error *error)
{
    return partitions_save(route->partitions, saved, error);
}

bool route_keeps_state(const struct route *route)
{
    return partitions_keep_state(route->partitions);
}

void route_free(struct route *route)
{
    if (!route)
        return;
    mapping_free(route->mapping);
    partitions_free(route->partitions);
    zone_free(route->zone);
    free(route);
}

/* Legacy DECIMAL: a statement with today's types makes it DECIMAL(38,18). */
static bool type_as_declared(const struct mc_type *declared, const struct mc_type *type)
{
    if (declared->kind == MC_DECIMAL && type->kind == MC_DECIMAL && declared->precision == 0)
        return type->precision == 0 || (type->precision == 38 && type->scale == 18);
    return mc_type_equal(declared, type);
}

/* Types under target.columns serve the making of a table; where there is one already, they only say what a person believes. */
static void warn_of_other_types(const struct job *job, const struct mc_schema *schema, struct report *report)
{
    for (size_t i = 0; i < job->target.column_count; i++) {
        const struct job_column *listed = &job->target.columns[i];
        unsigned width = (unsigned)size_max(strlen(listed->name), 1);
        int index = mc_schema_column(schema, str_of(listed->name));
        struct buffer declared, actual;
        struct mc_type type;
        struct error error;

        if (!listed->type || index < 0)
            continue;
        if (!mc_type_parse(&type, str_of(listed->type), &error)) {
            report_warning(report, listed->at, width, "target.columns: %s: %s; the table's type counts", listed->name,
                           error.text);
            continue;
        }
        if (!type_as_declared(&type, &schema->columns[index].type)) {
            buffer_init(&declared, 0);
            buffer_init(&actual, 0);
            mc_type_print(&type, &declared);
            mc_type_print(&schema->columns[index].type, &actual);
            report_warning(report, listed->at, width, "target.columns: %s is %s in the job and %s in the table; the table's type "
                           "counts", listed->name, buffer_text(&declared), buffer_text(&actual));
            buffer_release(&declared);
            buffer_release(&actual);
        }
        mc_type_release(&type);
    }
}

bool route_check(const struct job *job, const struct mc_schema *schema, const struct batch *probe, struct report *report)
{
    struct complaints complaints = {.report = report};
    struct mapping *mapping;
    struct partitions *partitions;
    struct zone *zone;
    struct error error;

    if (!open_zone(job, &zone, &error))
        complain(&complaints, job->target.table_at, (unsigned)strlen(job->target.table), "time_zone: %s", error.text);
    warn_of_other_types(job, schema, report);
    mapping = mapping_new(job, schema, zone, &complaints);
    if (mapping)
        mapping_check(mapping, probe, &complaints);
    partitions = partitions_new(job, schema, NULL, STR_NONE, zone, &complaints);
    if (partitions)
        partitions_check(partitions, probe, &complaints);
    mapping_free(mapping);
    partitions_free(partitions);
    zone_free(zone);
    return complaints.count == 0;
}

bool route_check_scripts(const struct job *job, struct script_state *state, struct batch *probe, struct report *report)
{
    struct complaints complaints = {.report = report};
    struct zone *zone = NULL;
    struct error error;

    if (!open_zone(job, &zone, &error)) /* route_check tells of it */
        return true;
    partitions_check_scripts(job, state, zone, probe, &complaints);
    zone_free(zone);
    return complaints.count == 0;
}

bool route_batch(struct route *route, struct batch *batch, struct routed *routed_out, struct error *error)
{
    size_t columns = route->schema->column_count;

    memset(routed_out, 0, sizeof(*routed_out));
    batch_sweep(batch);
    /* Without rows there is nothing to look at; fields may be missing then, for stages may have stopped at the empty batch. */
    if (batch->selected == 0)
        return true;
    routed_out->columns = arena_try_array(&batch->arena, columns, sizeof(*routed_out->columns));
    if (!routed_out->columns)
        return error_set(error, ERROR_DATA, "mapping: a batch of %u rows needs more memory than a batch may use; lower "
                         "runtime.batch_rows",
                         batch->row_count);
    if (!mapping_batch(route->mapping, batch, routed_out->columns, &routed_out->column_count, error) ||
        !partitions_batch(route->partitions, batch, &routed_out->groups, &routed_out->group_count, error))
        return false;
    if (batch->stopped) {
        if (error)
            *error = batch->stop_error;
        return false;
    }
    return true;
}

/* --- the table that a job creates --- */

static bool is_column_name(struct str name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9')))
            return false;
    }
    return name.size > 0 && name.size <= 128;
}

static bool is_partition_name(const struct job *job, struct str name)
{
    for (size_t i = 0; i < job->target.partition_count; i++)
        if (str_equal_ignore_case(str_of(job->target.partitions[i].name), name))
            return true;
    return false;
}

bool route_column_type(struct type type, struct mc_type *type_out)
{
    static const enum mc_kind kinds[TYPE_KINDS] = {
        [TYPE_BOOLEAN] = MC_BOOLEAN, [TYPE_BIGINT] = MC_BIGINT,       [TYPE_DOUBLE] = MC_DOUBLE,
        [TYPE_DECIMAL] = MC_DECIMAL, [TYPE_STRING] = MC_STRING,       [TYPE_BINARY] = MC_BINARY,
        [TYPE_DATE] = MC_DATE,       [TYPE_DATETIME] = MC_DATETIME,   [TYPE_TIMESTAMP] = MC_TIMESTAMP,
        [TYPE_JSON] = MC_JSON,       [TYPE_TIMESTAMP_NTZ] = MC_TIMESTAMP_NTZ,
    };

    if (type.kind == TYPE_NULL)
        return false;
    *type_out = (struct mc_type){.kind = kinds[type.kind]};
    if (type.kind == TYPE_DECIMAL) {
        type_out->precision = type.precision;
        type_out->scale = type.scale;
    }
    return true;
}

static void columns_from_job(const struct job *job, struct mc_schema *schema, struct complaints *complaints)
{
    for (size_t i = 0; i < job->target.column_count; i++) {
        const struct job_column *from = &job->target.columns[i];
        struct mc_column *column = &schema->columns[schema->column_count];
        unsigned width = (unsigned)strlen(from->name);
        struct error error;

        if (!is_column_name(str_of(from->name)))
            complain(complaints, from->at, width, "\"%s\" is no column name; use letters, digits and _", from->name);
        if (is_partition_name(job, str_of(from->name)))
            complain(complaints, from->at, width, "\"%s\" is a partition column, so it cannot be among target.columns",
                     from->name);
        if (mc_schema_column(schema, str_of(from->name)) >= 0)
            complain(complaints, from->at, width, "column \"%s\" is listed twice (case does not count)", from->name);
        if (!from->type) {
            complain(complaints, from->at, width, "column \"%s\" needs a type so that the table can be created", from->name);
        } else if (mc_type_parse(&column->type, str_of(from->type), &error)) {
            column->name = xstrdup(from->name);
            column->comment = from->comment ? xstrdup(from->comment) : NULL;
            column->not_null = from->not_null;
            schema->column_count++;
        } else {
            complain(complaints, from->at, width, "column \"%s\": %s", from->name, error.text);
        }
    }
}

/* Source fields become columns only when the stages made no field of their own: the raw record beside its parsed form is hardly
 * ever what a table is for, and a person who wants it lists the columns. */
static void columns_from_fields(const struct job *job, const struct batch *probe, struct mc_schema *schema,
                                struct complaints *complaints)
{
    struct location at = job->target.table_at;
    unsigned width = (unsigned)strlen(job->target.table);
    bool made = false;

    for (uint32_t i = 0; i < probe->field_count; i++)
        made |= probe->fields[i].builtin < 0;
    for (uint32_t i = 0; i < probe->field_count; i++) {
        const struct field *field = &probe->fields[i];
        struct mc_column *column = &schema->columns[schema->column_count];
        int twin = mc_schema_column(schema, field->name);

        if ((made && field->builtin >= 0) || is_partition_name(job, field->name))
            continue;
        if (!is_column_name(field->name))
            complain(complaints, at, width, "field \"%.*s\" cannot be a column of the new table by its name (letters, digits and "
                     "_); list the "
                     "columns under target.columns", STR_ARG(field->name));
        else if (twin >= 0)
            complain(complaints, at, width, "fields \"%s\" and \"%.*s\" differ only by case, which column names do not; list the "
                     "columns under "
                     "target.columns", schema->columns[twin].name, STR_ARG(field->name));
        else if (!route_column_type(batch_field_type(field), &column->type))
            complain(complaints, at, width, "the type of field \"%.*s\" is not known, so the table cannot be created; name its "
                     "type where the "
                     "stage makes it, or under target.columns", STR_ARG(field->name));
        else if (column->type.kind == MC_DECIMAL && column->type.scale > 18)
            complain(complaints, at, width, "field \"%.*s\" has a scale of %u digits, more than the 18 of a column; cast it in a "
                     "stage",
                     STR_ARG(field->name), column->type.scale);
        else {
            column->name = str_dup(field->name);
            schema->column_count++;
        }
    }
}

bool route_create_schema(const struct job *job, const struct batch *probe, struct mc_schema *schema_out, struct report *report)
{
    struct complaints complaints = {.report = report};
    size_t columns = job->target.column_count ? job->target.column_count : probe->field_count;

    memset(schema_out, 0, sizeof(*schema_out));
    schema_out->columns = xcalloc(columns + 1, sizeof(*schema_out->columns));
    schema_out->partitions = xcalloc(job->target.partition_count + 1, sizeof(*schema_out->partitions));
    if (job->target.column_count)
        columns_from_job(job, schema_out, &complaints);
    else
        columns_from_fields(job, probe, schema_out, &complaints);
    if (schema_out->column_count == 0 && complaints.count == 0)
        complain(&complaints, job->target.table_at, (unsigned)strlen(job->target.table),
                 "the stages yield no field, so table %s cannot be created", job->target.table);
    for (size_t i = 0; i < job->target.partition_count; i++) {
        schema_out->partitions[i].name = xstrdup(job->target.partitions[i].name);
        schema_out->partitions[i].type.kind = MC_STRING;
        schema_out->partition_count++;
    }
    if (complaints.count)
        mc_schema_release(schema_out);
    return complaints.count == 0;
}

static void describe(const struct job *job, const struct mc_schema *schema, const struct batch *probe,
                     const struct field **fields, struct buffer *text)
{
    struct error error;
    struct complaints complaints = {.error = &error};
    struct zone *zone;
    struct mapping *mapping;
    struct partitions *partitions;

    if (!open_zone(job, &zone, &error))
        zone = NULL;
    mapping = mapping_new(job, schema, zone, &complaints);
    partitions = partitions_new(job, schema, NULL, STR_NONE, zone, &complaints);
    for (size_t i = 0; fields && i < schema->column_count; i++)
        fields[i] = mapping ? mapping_field(mapping, i, probe) : NULL;
    if (mapping && probe && text)
        mapping_describe(mapping, probe, text);
    if (partitions && text)
        partitions_describe(partitions, text);
    mapping_free(mapping);
    partitions_free(partitions);
    zone_free(zone);
}

void route_fields(const struct job *job, const struct mc_schema *schema, const struct batch *probe,
                  const struct field **fields_out)
{
    describe(job, schema, probe, fields_out, NULL);
}

void route_describe_partitions(const struct job *job, const struct mc_schema *schema, struct buffer *text)
{
    describe(job, schema, NULL, NULL, text);
}

void route_describe(const struct job *job, const struct mc_schema *schema, const struct batch *probe, struct buffer *text)
{
    describe(job, schema, probe, NULL, text);
}
