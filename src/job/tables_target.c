/* tables_target.c: options of the target: the table, its columns and its partitions. */
#include "job/tables_internal.h"

static void mapping_read(struct option_reader *reader, const struct option *row UNUSED, void *base, struct tree_node *node)
{
    struct job *job = base;
    struct job_mapping *mapping;
    struct error error;

    if (!node || tree_is_null(node))
        return;
    if (node->kind != TREE_MAP) {
        option_mistake(reader, node, "must be a map of \"column: field\" lines");
        return;
    }
    mapping = owned_keep(reader->owned, xcalloc(node->count + 1, sizeof(*mapping)));
    for (size_t i = 0; i < node->count; i++) {
        const struct tree_entry *entry = &node->entries[i];
        size_t mark = options_path_enter(reader, entry->key, 0);
        unsigned width = (unsigned)size_max(entry->key.size, 1);
        bool ok = option_scalar(reader, entry->value, "a field's name");

        if (!entry->key.size || !column_check(entry->key, &error)) {
            report_mistake(reader->report, entry->at, width, "target.mapping: \"%.*s\" %s", STR_ARG(entry->key),
                           entry->key.size ? error.text : "is no name");
            ok = false;
        }
        for (size_t j = 0; j < i; j++) {
            if (str_equal_ignore_case(entry->key, node->entries[j].key)) {
                report_mistake(reader->report, entry->at, width, "target.mapping: the column \"%.*s\" has a field already, on "
                               "line %u; column names are compared without case", STR_ARG(entry->key), node->entries[j].at.line);
                ok = false;
            }
        }
        if (ok)
            mapping[job->target.mapping_count++] = (struct job_mapping){
                .column = owned_keep(reader->owned, str_dup(entry->key)),
                .field = owned_keep(reader->owned, str_dup(entry->value->text)),
                .at = entry->at, .field_at = entry->value->at, .width = width, .field_width = entry->value->width};
        options_path_leave(reader, mark);
    }
    job->target.mapping = mapping;
}

static const struct option column_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, OPTION_FIELD(struct job_column, name),
     .check = column_check, .sentence = "The column's name."},
    {.name = "type", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_column, type),
     .form = "type of MaxCompute",
     .sentence = "Its type, such as BIGINT, STRING, DECIMAL(10,2) or, in quotes, an ARRAY, MAP or STRUCT."},
    {.name = "from", .type = OPTION_TEXT, OPTION_FIELD(struct job_column, from),
     .at_offset = offsetof(struct job_column, from_at), .form = "field, by default the one of the same name",
     .sentence = "The field that it is written from."},
    {.name = "comment", .type = OPTION_TEXT, OPTION_FIELD(struct job_column, comment),
     .sentence = "Its comment in the table that is created."},
    {.name = "not_null", .type = OPTION_BOOLEAN, .fallback = "false", OPTION_FIELD(struct job_column, not_null),
     .sentence = "Whether the table that is created refuses NULL in it."},
    END,
};

static const struct option partition_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, OPTION_FIELD(struct job_partition, name),
     .check = column_check, .sentence = "The partition column."},
    {.name = "kind", .type = OPTION_CHOICE, .flags = OPTION_REQUIRED, .choices = "time|field|lua",
     OPTION_FIELD(struct job_partition, kind),
     .sentence = "Where its value comes from: a time, a field as it is, or a Lua file."},
    {.name = "from", .type = OPTION_TEXT, .only = "time|field", OPTION_FIELD(struct job_partition, from),
     .form = "field, for time by default __timestamp__",
     .sentence = "The field that the value is made from; a bigint is epoch milliseconds for kind time."},
    {.name = "unit", .type = OPTION_CHOICE, .only = "time", .choices = "year|month|day|hour|minute",
     .sentence = "One level of a calendar: year is yyyy, month MM, day dd, hour HH, minute mm. Either this or format."},
    {.name = "format", .type = OPTION_TEXT, .only = "time", OPTION_FIELD(struct job_partition, format), .check = format_check,
     .form = "pattern", .sentence = "A pattern of yyyy, MM, dd, HH and mm, such as yyyyMMdd."},
    {.name = "zone", .type = OPTION_TEXT, .only = "time", OPTION_FIELD(struct job_partition, zone), .check = zone_check,
     .form = "time zone, by default the job's, then the data source's", .sentence = "The time zone of the calendar."},
    {.name = "file", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_PATH | OPTION_READABLE, LUA_ONLY,
     OPTION_FIELD(struct job_partition, file), .form = "path",
     .sentence = "A Lua file, relative to the job file, that returns a table with partition(batch)."},
    {.name = "options", .type = OPTION_FREE, LUA_ONLY, OPTION_FIELD(struct job_partition, options),
     .sentence = "Anything the Lua file wants; it is ctx.options there."},
    FOREIGN("time_zone", "use \"zone\""),
    FOREIGN("type", "use \"kind\""),
    FOREIGN("field", "use \"from\""),
    END,
};

const struct option target_rows[] = {
    {.name = "maxcompute", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, target.maxcompute.name),
     .check = name_check, .sentence = "The name of a MaxCompute project in the file of data sources."},
    {.name = "table", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, target.table),
     .at_offset = offsetof(struct job, target.table_at), .check = table_check, .sentence = "The table to write."},
    {.name = "create", .type = OPTION_CHOICE, .choices = "never|if_missing", .fallback = "never",
     OPTION_FIELD(struct job, target.create),
     .sentence = "Whether a missing table is created at the start. A table that is there is not altered."},
    {.name = "columns", .type = OPTION_LIST, OPTION_FIELD(struct job, target.columns),
     .count_offset = offsetof(struct job, target.column_count), .element_size = sizeof(struct job_column),
     .item_at_offset = offsetof(struct job_column, at), .rows = column_rows,
     .sentence = "The columns of the table that is created; without them those that come out of the last stage."},
    {.name = "mapping", .type = OPTION_CUSTOM, .read = mapping_read, .form = "map of COLUMN: FIELD, by default by equal name",
     .sentence = "Which field a column is written from, where the names differ."},
    {.name = "partition", .type = OPTION_LIST, OPTION_FIELD(struct job, target.partitions),
     .count_offset = offsetof(struct job, target.partition_count), .element_size = sizeof(struct job_partition),
     .item_at_offset = offsetof(struct job_partition, at), .item_width_offset = offsetof(struct job_partition, width),
     .rows = partition_rows,
     .sentence = "The partition columns, outermost first, and how their values are computed for each row."},
    {.name = "partitions_open_max", .type = OPTION_INTEGER, .fallback = "32", .minimum = 1, .maximum = 512,
     OPTION_FIELD(struct job, target.partitions_open_max), .at_offset = offsetof(struct job, target.partitions_open_max_at),
     .sentence = "Partitions that are written at once; beyond it those that waited longest are flushed early."},
    {.name = "comment", .type = OPTION_TEXT, OPTION_FIELD(struct job, target.comment),
     .sentence = "The comment of the table that is created."},
    {.name = "lifecycle", .type = OPTION_INTEGER, .minimum = 1, .maximum = 37231, OPTION_FIELD(struct job, target.lifecycle_days),
     .form = "days", .sentence = "After how many days the service removes the data of the table that is created."},
    {.name = "quota", .type = OPTION_TEXT, OPTION_FIELD(struct job, target.quota), .form = "text, by default the data source's",
     .check = project_check, .sentence = "The Tunnel resource group to use."},
    {.name = "quota_share", .type = OPTION_INTEGER, .flags = OPTION_UNLIMITED, .fallback = "100", .minimum = 1, .maximum = 100,
     OPTION_FIELD(struct job, target.quota_share), .form = "percent",
     .sentence = "How much of the service's limits for one table (500 upload sessions and 500 blocks in 5 minutes, 75 commits in "
                 "15 s) each process may use. Processes of one job, and other jobs on the table, share them: with three "
                 "processes write 33. \"unlimited\" does not look at them, for an endpoint that has none."},
    {.name = "empty_as_null", .type = OPTION_BOOLEAN, .fallback = "false", OPTION_FIELD(struct job, target.empty_as_null),
     .sentence = "Whether an empty text becomes NULL in a column that is no text, instead of a dirty row."},
    FOREIGN("partitions", "list the partition columns under \"partition\"; the bound is \"partitions_open_max\""),
    FOREIGN("project", "it belongs to the data source that \"maxcompute\" names"),
    FOREIGN("endpoint", "it belongs to the data source that \"maxcompute\" names"),
    LATER("evolve", "until then alter the table yourself and restart the job"),
    LATER("primary_key", "until then write to a table without a primary key"),
    END,
};
