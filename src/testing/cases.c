/* cases.c: each case has a bench of its own: chain, schema, route. All benches of a file are set up once before the first case
 * runs, so that every mistake in names and values is told at once. */
#include "testing/cases.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job/start.h"
#include "route/route.h"
#include "stages/chain.h"
#include "testing/case_input.h"
#include "testing/case_subject.h"
#include "testing/cell.h"
#include "util/clock.h"

enum { BATCH_BYTES_MAX = 256 << 20, SHOWN_BYTES_MAX = 300 };

static const char partition_key[] = "partition";

struct dirty {
    char *stage, *column, *reason; /* column may be NULL */
    size_t input;
};

struct bench {
    const struct case_file *file;
    const struct test_case *test;
    struct job *job;
    struct case_subject subject;
    struct chain *chain;
    size_t first, end; /* the stages that run */
    struct case_input *input;
    struct batch *batch;
    struct mc_schema schema;
    bool has_schema; /* of columns: rows are compared as they are written */
    struct route *route;
    struct zone *zone;
    struct cells cells;

    struct case_result *result;
    uint64_t rows; /* that came out so far */
    uint64_t filtered;
    struct dirty *dirty;
    size_t dirty_count, dirty_capacity;
};

/* --- setting up --- */

static bool stage_find(const struct bench *bench, const char *name, struct location at, const char *key, size_t *index_out,
                       struct report *report)
{
    const struct job *job = bench->job;
    const char **names, *nearest;

    for (size_t i = 0; i < job->stage_count; i++) {
        if (strcmp(job->stages[i].name, name) == 0) {
            *index_out = i;
            return true;
        }
    }
    names = xcalloc(job->stage_count + 1, sizeof(*names));
    for (size_t i = 0; i < job->stage_count; i++)
        names[i] = job->stages[i].name;
    nearest = str_nearest(str_of(name), names, job->stage_count);
    report_mistake(report, at, (unsigned)strlen(name), "%s: the job has no stage \"%s\"%s%s%s", key, name,
                   nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    free(names);
    return false;
}

/* Stages ask the clock, and the job for when its run began. */
static bool now_set(const struct bench *bench, struct report *report)
{
    const char *now = bench->test->now ? bench->test->now : bench->file->now;
    struct location at = bench->test->now ? bench->test->now_at : bench->file->now_at;
    struct error error = {0};
    int64_t ms;

    bench->job->execute_time_ms = clock_wall_ms();
    if (!now)
        return true;
    if (!start_time_parse(str_of(now), bench->job->time_zone, &ms, &error)) {
        report_mistake(report, at, (unsigned)strlen(now), "now: \"%s\" %s", now, error.text);
        return false;
    }
    clock_wall_fix(ms);
    bench->job->execute_time_ms = ms;
    return true;
}

/* What comes out of the last stage, of no rows. */
static bool probe(struct bench *bench, struct report *report)
{
    unsigned mistakes = report_mistakes(report);
    struct error error = {0};
    bool ok;

    if (!bench->test->rows) {
        ok = chain_probe_some(bench->chain, bench->job, bench->batch, bench->end, report, &error);
    } else {
        /* When a field is missing, the rows are as likely to be wrong as the stage. */
        ok = case_input_empty(bench->input, bench->batch, bench->job->source.fields, &error);
        for (size_t i = bench->first; ok && i < bench->end; i++)
            ok = chain_process_one(bench->chain, bench->batch, i, &error);
    }
    if (!ok && report_mistakes(report) == mistakes)
        report_mistake(report, bench->test->at, bench->test->width, "%s", error.text);
    return ok;
}

static bool types_are_listed(const struct job *job)
{
    for (size_t i = 0; i < job->target.column_count; i++)
        if (!job->target.columns[i].type)
            return false;
    return job->target.column_count > 0;
}

static bool table_read(const struct bench *bench, struct mc_schema *schema, struct report *report)
{
    const struct tree_node *table = bench->file->table;
    struct error error = {0};
    bool ok = true;

    schema->columns = xcalloc(table->count + 1, sizeof(*schema->columns));
    for (size_t i = 0; i < table->count; i++) {
        const struct tree_node *type = table->entries[i].value;
        struct mc_column *column = &schema->columns[schema->column_count];

        if (type->kind != TREE_SCALAR)
            continue; /* told */
        if (!mc_type_parse(&column->type, type->text, &error)) {
            report_mistake(report, type->at, type->width, "table.%.*s: %s", STR_ARG(table->entries[i].key), error.text);
            ok = false;
            continue;
        }
        column->name = str_dup(table->entries[i].key);
        schema->column_count++;
    }
    return ok;
}

static void partitions_add(const struct job *job, struct mc_schema *schema)
{
    if (!schema->columns)
        schema->columns = xcalloc(1, sizeof(*schema->columns));
    schema->partitions = xcalloc(job->target.partition_count + 1, sizeof(*schema->partitions));
    for (size_t i = 0; i < job->target.partition_count; i++) {
        schema->partitions[i].name = xstrdup(job->target.partitions[i].name);
        schema->partitions[i].type.kind = MC_STRING;
        schema->partition_count++;
    }
}

/* The table as far as it is known. Without its columns, partition values can still be made, but for a job that maps columns. */
static bool route_set(struct bench *bench, struct report *report)
{
    const struct job *job = bench->job;
    unsigned mistakes = report_mistakes(report);
    struct error error = {0};

    if (bench->test->until)
        return true;
    if (bench->file->table) {
        if (!table_read(bench, &bench->schema, report))
            return false;
        partitions_add(job, &bench->schema);
        bench->has_schema = true;
    } else if (bench->file->job && (job->target.create == CREATE_IF_MISSING || types_are_listed(job))) {
        if (!route_create_schema(job, bench->batch, &bench->schema, report))
            return false;
        bench->has_schema = true;
    } else if (job->target.partition_count && !job->target.column_count && !job->target.mapping_count) {
        partitions_add(job, &bench->schema);
    } else {
        return true;
    }
    /* Without columns there is no mapping to check; a partition rule that names no field ends the case. */
    if (bench->has_schema && (!route_check(job, &bench->schema, bench->batch, report) || report_mistakes(report) > mistakes))
        return false;
    if (!route_open(&bench->route, job, &bench->schema, chain_state(bench->chain), NULL, &error)) {
        report_mistake(report, bench->test->at, bench->test->width, "%s", error.text);
        return false;
    }
    return true;
}

static size_t column_count(const struct bench *bench)
{
    return bench->has_schema ? bench->schema.column_count : bench->batch->field_count;
}

static struct str column_name(const struct bench *bench, size_t index)
{
    return bench->has_schema ? str_of(bench->schema.columns[index].name) : bench->batch->fields[index].name;
}

/* -1: there is none. */
static int column_find(const struct bench *bench, struct str name)
{
    if (bench->has_schema)
        return mc_schema_column(&bench->schema, name);
    for (uint32_t i = 0; i < bench->batch->field_count; i++)
        if (str_equal(bench->batch->fields[i].name, name))
            return (int)i;
    return -1;
}

static void column_unknown(const struct bench *bench, const struct tree_entry *entry, struct report *report)
{
    size_t count = column_count(bench);
    char **names = xcalloc(count + 2, sizeof(*names));
    const char *nearest;

    for (size_t i = 0; i < count; i++)
        names[i] = str_dup(column_name(bench, i));
    names[count] = xstrdup(partition_key);
    nearest = str_nearest(entry->key, (const char *const *)names, count + (bench->route != NULL));
    report_mistake(report, entry->at, (unsigned)size_max(entry->key.size, 1), "%s has no %s \"%.*s\"%s%s%s",
                   bench->has_schema    ? "the table"
                   : bench->test->until ? "the stage"
                                        : "the last stage",
                   bench->has_schema ? "column" : "field", STR_ARG(entry->key), nearest ? "; did you mean \"" : "",
                   nearest ? nearest : "", nearest ? "\"?" : "");
    for (size_t i = 0; i <= count; i++)
        free(names[i]);
    free(names);
}

static void partition_check(const struct bench *bench, const struct tree_entry *entry, struct report *report)
{
    const struct job *job = bench->job;

    if (!bench->route || !job->target.partition_count) {
        report_mistake(report, entry->at, entry->key.size, "partition: %s",
                       bench->test->until            ? "rows have no partition before the last stage; leave until: out"
                       : job->target.partition_count ? "which columns the table has is not known; list them under table:"
                                                     : "the table has no partitions");
        return;
    }
    for (size_t i = 0; entry->value->kind == TREE_MAP && i < entry->value->count; i++) {
        const struct tree_entry *level = &entry->value->entries[i];
        bool known = false;

        for (size_t j = 0; j < job->target.partition_count; j++)
            known |= str_equal_ignore_case(level->key, str_of(job->target.partitions[j].name));
        if (!known)
            report_mistake(report, level->at, (unsigned)size_max(level->key.size, 1),
                           "the table has no partition column \"%.*s\"", STR_ARG(level->key));
    }
}

static void expect_check(const struct bench *bench, struct report *report)
{
    const struct tree_node *expect = bench->test->expect;

    for (size_t i = 0; expect && i < expect->count; i++) {
        for (size_t j = 0; j < expect->items[i]->count && expect->items[i]->kind == TREE_MAP; j++) {
            const struct tree_entry *entry = &expect->items[i]->entries[j];

            if (column_find(bench, entry->key) >= 0)
                continue;
            if (str_is(entry->key, partition_key))
                partition_check(bench, entry, report);
            else
                column_unknown(bench, entry, report);
        }
    }
    for (size_t i = 0; i < bench->test->dirty_count; i++) {
        const struct case_dirty *dirty = &bench->test->dirty[i];
        size_t index;

        if (dirty->stage && strcmp(dirty->stage, "mapping") != 0 && strcmp(dirty->stage, "partition") != 0 &&
            strcmp(dirty->stage, "decode") != 0)
            (void)stage_find(bench, dirty->stage, dirty->at, "expect_dirty", &index, report);
    }
}

static void bench_release(struct bench *bench)
{
    cells_release(&bench->cells);
    route_free(bench->route);
    mc_schema_release(&bench->schema);
    chain_free(bench->chain);
    case_input_free(bench->input);
    batch_free(bench->batch);
    zone_free(bench->zone);
    for (size_t i = 0; i < bench->dirty_count; i++) {
        free(bench->dirty[i].stage);
        free(bench->dirty[i].column);
        free(bench->dirty[i].reason);
    }
    free(bench->dirty);
    clock_wall_fix(CLOCK_RUNS);
}

/* False with *subject_out true: what is tested is wrong, and other cases would say the same. */
static bool bench_open(struct bench *bench, const struct case_file *file, const struct test_case *test, struct job *job,
                       const struct cases_options *options, bool *subject_out, struct report *report)
{
    struct error error = {0};
    unsigned mistakes = report_mistakes(report);

    *bench = (struct bench){.file = file, .test = test, .end = job->stage_count};
    bench->job = job = case_subject_of(&bench->subject, job, test);
    *subject_out = false;
    if (job->time_zone && !zone_open(&bench->zone, str_of(job->time_zone), NULL))
        bench->zone = NULL;
    cells_init(&bench->cells, bench->zone);
    if (!now_set(bench, report)) {
        *subject_out = !test->now;
        return false;
    }
    if (!chain_open_covered(&bench->chain, job, options->coverage, report, options->log, &error) ||
        report_mistakes(report) > mistakes) {
        *subject_out = true;
        return false;
    }
    if (test->mistake && !test->rows && job->stage_count)
        return true; /* what comes of the options shows without fields; partition rules open with the route */
    if (test->from)
        (void)stage_find(bench, test->from, test->from_at, "from", &bench->first, report);
    if (test->until && stage_find(bench, test->until, test->until_at, "until", &bench->end, report))
        bench->end++;
    if (bench->first >= bench->end && test->until && test->from) {
        report_mistake(report, test->until_at, (unsigned)strlen(test->until), "until: stage %s comes before %s", test->until,
                       test->from);
    }
    bench->batch = batch_new(BATCH_BYTES_MAX);
    if (test->from && report_mistakes(report) == mistakes &&
        !chain_probe_some(bench->chain, job, bench->batch, bench->first, report, &error)) {
        *subject_out = true;
        return false;
    }
    if (!case_input_new(&bench->input, file, test, test->from ? bench->batch : NULL, job->time_zone, report) ||
        report_mistakes(report) > mistakes)
        return false;
    if (!probe(bench, report) || !route_set(bench, report)) {
        *subject_out = !test->rows;
        return false;
    }
    expect_check(bench, report);
    return report_mistakes(report) == mistakes;
}

/* --- differences --- */

static char *cut(struct buffer *text)
{
    struct str head = str_head(buffer_str(text), SHOWN_BYTES_MAX);

    return head.size < text->size ? xasprintf("%.*s ...", STR_ARG(head)) : str_dup(head);
}

static void difference_add(struct bench *bench, uint64_t row, struct str column, struct location at, char *expected, char *got)
{
    struct case_result *result = bench->result;

    if (result->count == CASE_DIFFERENCES_MAX) {
        result->more++;
        free(expected);
        free(got);
        return;
    }
    XGROW(result->differences, result->count, result->capacity);
    result->differences[result->count++] = (struct case_difference){row, column.data ? str_dup(column) : NULL, expected, got, at};
}

static void column_differs(struct bench *bench, const struct tree_entry *entry, const struct mc_type *type,
                           const struct record_value *value)
{
    struct buffer expected, got;

    buffer_init(&expected, 0);
    buffer_init(&got, 0);
    cell_print_expected(type, entry->value, &expected);
    cell_print(&bench->cells, type, value, &got);
    difference_add(bench, bench->rows, entry->key, entry->value->at, cut(&expected), cut(&got));
    buffer_release(&expected);
    buffer_release(&got);
}

/* "year=2024,month=01": the value of a level. */
static struct str level_of(struct str spec, struct str name)
{
    while (spec.data) {
        struct str level, key, value;

        str_cut(spec, ',', &level, &spec);
        if (str_cut(level, '=', &key, &value) && str_equal_ignore_case(key, name))
            return value;
    }
    return STR("");
}

static void partition_compare(struct bench *bench, const struct tree_entry *entry, struct str spec)
{
    const struct tree_node *expected = entry->value;
    bool equal = true;
    struct buffer text;

    if (expected->kind == TREE_MAP) {
        for (size_t i = 0; i < expected->count; i++)
            equal &= expected->entries[i].value->kind == TREE_SCALAR &&
                     str_equal(expected->entries[i].value->text, level_of(spec, expected->entries[i].key));
    } else {
        equal = expected->kind == TREE_SCALAR && str_equal(expected->text, spec);
    }
    if (equal)
        return;
    buffer_init(&text, 0);
    for (size_t i = 0; i < expected->count && expected->kind == TREE_MAP; i++)
        buffer_print(&text, "%s%.*s=%.*s", i ? "," : "", STR_ARG(expected->entries[i].key),
                     STR_ARG(expected->entries[i].value->text));
    if (expected->kind != TREE_MAP)
        buffer_append_str(&text, expected->text);
    difference_add(bench, bench->rows, entry->key, expected->at, cut(&text), str_dup(spec));
    buffer_release(&text);
}

/* --- rows --- */

/* One row that came out; values and types by column. */
struct out_row {
    const struct mc_type *types; /* stride: either of the schema's columns, or of an array */
    size_t stride;
    const struct record_value *values;
    struct str spec;
};

static const struct mc_type *type_of(const struct out_row *row, size_t index)
{
    return (const struct mc_type *)(const void *)((const char *)row->types + index * row->stride);
}

/* Source fields that no stage touched are left out, where there are others. */
static char *row_text(struct bench *bench, const struct out_row *row)
{
    const struct field *fields = bench->has_schema ? NULL : bench->batch->fields;
    struct buffer text;
    bool made = false;
    char *shown;

    for (size_t i = 0; fields && i < column_count(bench); i++)
        made |= fields[i].builtin < 0;
    buffer_init(&text, 0);
    for (size_t i = 0; i < column_count(bench); i++) {
        if (made && fields[i].builtin >= 0)
            continue;
        buffer_print(&text, "%s%.*s: ", text.size ? ", " : "{", STR_ARG(column_name(bench, i)));
        cell_print(&bench->cells, type_of(row, i), &row->values[i], &text);
    }
    buffer_append_str(&text, text.size ? STR("}") : STR("{}"));
    shown = cut(&text);
    buffer_release(&text);
    return shown;
}

static void row_compare(struct bench *bench, const struct out_row *row)
{
    const struct tree_node *expect = bench->test->expect, *wanted;

    bench->rows++;
    if (!expect)
        return;
    if (bench->rows > expect->count) {
        difference_add(bench, bench->rows, STR_NONE, expect->at, xstrdup("no row"), row_text(bench, row));
        return;
    }
    wanted = expect->items[bench->rows - 1];
    for (size_t i = 0; i < wanted->count; i++) {
        const struct tree_entry *entry = &wanted->entries[i];
        int column = column_find(bench, entry->key);

        if (column < 0 && str_is(entry->key, partition_key))
            partition_compare(bench, entry, row->spec);
        else if (column < 0) /* a field that is there only when there are no rows */
            difference_add(bench, bench->rows, entry->key, entry->at, xstrdup("a field"), xstrdup("no such field"));
        else if (!cell_matches(&bench->cells, entry->value, type_of(row, (size_t)column), &row->values[column]))
            column_differs(bench, entry, type_of(row, (size_t)column), &row->values[column]);
    }
}

static void rows_missing(struct bench *bench)
{
    const struct tree_node *expect = bench->test->expect;
    struct buffer text;

    for (uint64_t i = bench->rows; expect && i < expect->count; i++) {
        buffer_init(&text, 0);
        cell_tree_json(expect->items[i], &text);
        difference_add(bench, i + 1, STR_NONE, expect->items[i]->at, cut(&text), xstrdup("no row"));
        buffer_release(&text);
    }
}

/* As they are written: encoded and read back. */
static bool rows_written(struct bench *bench, const struct routed *routed, const struct str *specs, struct error *error)
{
    struct batch *batch = bench->batch;
    struct buffer records, crcs;
    struct record_decoder *decoder;
    const struct record_value *values;
    int more = 0;

    buffer_init(&records, 0);
    buffer_init(&crcs, 0);
    record_encode(routed->columns, routed->column_count, batch->selection, batch->selected, &records, &crcs);
    record_trailer(&records, batch->selected, buffer_str(&crcs));
    decoder = record_decoder_new(&bench->schema, buffer_str(&records));
    for (uint32_t i = 0; i < batch->selected && (more = record_decoder_next(decoder, &values, error)) == 1; i++) {
        struct out_row row = {&bench->schema.columns[0].type, sizeof(bench->schema.columns[0]), values,
                              specs ? specs[batch->selection[i]] : STR("")};

        row_compare(bench, &row);
    }
    record_decoder_free(decoder);
    buffer_release(&records);
    buffer_release(&crcs);
    return more >= 0;
}

/* The fields of the last stage. */
static bool rows_of_fields(struct bench *bench, const struct str *specs, struct error *error)
{
    struct batch *batch = bench->batch;
    struct mc_type *types = xcalloc(batch->field_count + 1, sizeof(*types));
    struct record_value *values = xcalloc(batch->field_count + 1, sizeof(*values));
    char(*digits)[48] = xcalloc(batch->field_count + 1, sizeof(*digits));
    bool ok = true;

    for (uint32_t i = 0; ok && i < batch->field_count; i++) {
        struct column *column = batch_column(batch, &batch->fields[i]);

        ok = column || error_set(error, ERROR_DATA, "the batch needs more memory than a batch may use");
        types[i] = column ? record_type_of(column->type) : types[i];
    }
    for (uint32_t i = 0; ok && i < batch->selected; i++) {
        struct out_row row = {types, sizeof(*types), values, specs ? specs[batch->selection[i]] : STR("")};

        for (uint32_t j = 0; j < batch->field_count; j++)
            record_value_of_column(batch->fields[j].column, batch->selection[i], digits[j], &values[j]);
        row_compare(bench, &row);
    }
    free(types);
    free(values);
    free(digits);
    return ok;
}

static bool batch_run(struct bench *bench, struct error *error)
{
    struct batch *batch = bench->batch;
    struct routed routed = {0};
    struct str *specs = NULL;
    bool ok = true;

    if (!bench->test->rows)
        ok = chain_process_some(bench->chain, batch, bench->end, error);
    for (size_t i = bench->first; ok && bench->test->rows && i < bench->end; i++)
        ok = chain_process_one(bench->chain, batch, i, error);
    if (ok && bench->route)
        ok = route_batch(bench->route, batch, &routed, error);
    if (!ok)
        return false;
    if (routed.group_count) {
        specs = xcalloc(batch->row_count, sizeof(*specs));
        for (size_t i = 0; i < routed.group_count; i++)
            for (uint32_t j = 0; j < routed.groups[i].count; j++)
                specs[routed.groups[i].rows[j]] = routed.groups[i].spec;
    }
    if (batch->selected)
        ok = bench->has_schema ? rows_written(bench, &routed, specs, error) : rows_of_fields(bench, specs, error);
    free(specs);
    return ok;
}

static void dirty_keep(struct bench *bench, size_t first)
{
    for (const struct dirty_row *row = bench->batch->dirty; row; row = row->next) {
        XGROW(bench->dirty, bench->dirty_count, bench->dirty_capacity);
        bench->dirty[bench->dirty_count++] = (struct dirty){
            .stage = xstrdup(row->stage ? row->stage : ""),
            .column = row->column.size ? str_dup(row->column) : NULL,
            .reason = str_dup(row->reason),
            .input = first + row->message,
        };
    }
    bench->filtered += bench->batch->filtered_count;
}

/* --- dirty rows --- */

static bool dirty_matches(const struct case_dirty *wanted, const struct dirty *dirty)
{
    return (!wanted->stage || strcmp(wanted->stage, dirty->stage) == 0) &&
           (!wanted->column || (dirty->column && strcmp(wanted->column, dirty->column) == 0)) &&
           (!wanted->reason || strstr(dirty->reason, wanted->reason)) &&
           (!wanted->input || (size_t)wanted->input == dirty->input);
}

/* Finds a dirty row for the expectation, moving others to another one when that helps (an augmenting path), for an expectation
 * that says little must not take the row that another one needs. of: by dirty row, the expectation that has it, plus one. */
static bool dirty_assign(const struct bench *bench, size_t wanted, size_t *of, bool *tried)
{
    for (size_t i = 0; i < bench->dirty_count; i++) {
        if (tried[i] || !dirty_matches(&bench->test->dirty[wanted], &bench->dirty[i]))
            continue;
        tried[i] = true;
        if (of[i] == 0 || dirty_assign(bench, of[i] - 1, of, tried)) {
            of[i] = wanted + 1;
            return true;
        }
    }
    return false;
}

static void expectation_print(const struct case_dirty *wanted, struct buffer *text)
{
    buffer_append_str(text, STR("a dirty row"));
    if (wanted->input)
        buffer_print(text, " of input %lld", (long long)wanted->input);
    if (wanted->stage)
        buffer_print(text, ", stage %s", wanted->stage);
    if (wanted->column)
        buffer_print(text, ", column %s", wanted->column);
    if (wanted->reason)
        buffer_print(text, ": ... %s ...", wanted->reason);
}

static void dirty_print(const struct dirty *dirty, struct buffer *text)
{
    buffer_print(text, "dirty row of input %zu, stage %s%s%s: %s", dirty->input, dirty->stage, dirty->column ? ", column " : "",
                 dirty->column ? dirty->column : "", dirty->reason);
}

static void dirty_compare(struct bench *bench)
{
    const struct test_case *test = bench->test;
    size_t *of = xcalloc(bench->dirty_count + 1, sizeof(*of));
    bool *tried = xcalloc(bench->dirty_count + 1, sizeof(*tried));
    struct buffer text;

    buffer_init(&text, 0);
    for (size_t i = 0; i < test->dirty_count; i++) {
        memset(tried, 0, bench->dirty_count * sizeof(*tried));
        if (dirty_assign(bench, i, of, tried))
            continue;
        buffer_clear(&text);
        expectation_print(&test->dirty[i], &text);
        difference_add(bench, 0, STR_NONE, test->dirty[i].at, cut(&text), xstrdup("no such dirty row"));
    }
    for (size_t i = 0; i < bench->dirty_count; i++) {
        if (of[i])
            continue;
        buffer_clear(&text);
        dirty_print(&bench->dirty[i], &text);
        difference_add(bench, 0, STR_NONE, test->at, xstrdup(test->dirty_count ? "no other dirty row" : "no dirty row"),
                       cut(&text));
    }
    buffer_release(&text);
    free(of);
    free(tried);
}

/* --- a case --- */

static void stop_compare(struct bench *bench, const struct error *error)
{
    const char *stop = bench->test->stop;

    if (error->kind == ERROR_NONE)
        difference_add(bench, 0, STR_NONE, bench->test->at, xasprintf("stops: ... %s ...", stop), xstrdup("goes on"));
    else if (!stop || !strstr(error->text, stop))
        difference_add(bench, 0, STR_NONE, bench->test->at, stop ? xasprintf("stops: ... %s ...", stop) : xstrdup("goes on"),
                       xasprintf("stops: %s", error->text));
}

static void bench_run(struct bench *bench)
{
    struct error error = {0};
    size_t first = 0;
    bool ok = true;

    while (ok && case_input_next(bench->input, bench->batch, bench->job->source.fields, &first, &error)) {
        ok = batch_run(bench, &error);
        dirty_keep(bench, first);
    }
    if (error.kind != ERROR_NONE || bench->test->stop) {
        stop_compare(bench, &error);
        return; /* how far it came before is not what a case can count on */
    }
    rows_missing(bench);
    if (bench->test->filtered >= 0 && (uint64_t)bench->test->filtered != bench->filtered)
        difference_add(bench, 0, STR_NONE, bench->test->at, xasprintf("%lld filtered", (long long)bench->test->filtered),
                       xasprintf("%llu filtered", (unsigned long long)bench->filtered));
    dirty_compare(bench);
}

/* Of a case that expects one: what its options and the rest of it make the report say. */
static void mistake_compare(struct bench *bench, struct report *report)
{
    const char *wanted = bench->test->mistake;
    struct buffer text;
    struct str line, rest, first = STR_NONE;
    bool found = false;

    buffer_init(&text, 0);
    report_print(report, &text);
    for (rest = buffer_str(&text); !found && rest.size;) {
        str_cut(rest, '\n', &line, &rest);
        if (str_starts_with(line, STR(" ")))
            continue; /* the line of the file, and the caret */
        found = memmem(line.data, line.size, wanted, strlen(wanted)) != NULL;
        first = first.data ? first : line;
    }
    if (!found)
        difference_add(bench, 0, STR_NONE, bench->test->at, xasprintf("mistake: ... %s ...", wanted),
                       report_mistakes(report) ? xasprintf("mistake: %.*s", STR_ARG(first)) : xstrdup("no mistake"));
    buffer_release(&text);
}

static bool is_chosen(const struct test_case *test, const struct cases_options *options)
{
    return !options->name || strcmp(options->name, test->name) == 0;
}

static void case_run(struct cases *cases, const struct case_file *file, const struct test_case *test, struct job *job,
                     const struct cases_options *options, struct report *report)
{
    struct report *aside = test->mistake ? report_new() : NULL;
    int64_t begun = clock_monotonic_ms();
    struct case_result *result;
    struct bench bench;
    bool subject, opened;

    XGROW(cases->results, cases->count, cases->capacity);
    result = &cases->results[cases->count++];
    *result = (struct case_result){.file = file->path, .name = test->name, .at = test->at};
    opened = bench_open(&bench, file, test, job, options, &subject, aside ? aside : report);
    bench.result = result;
    if (aside)
        mistake_compare(&bench, aside);
    else if (opened)
        bench_run(&bench);
    bench_release(&bench);
    report_free(aside);
    result->microseconds = (clock_monotonic_ms() - begun) * 1000;
    cases->failed += result->count > 0;
}

/* --- a file --- */

void cases_run_file(struct cases *cases, const char *path, const struct cases_options *options, struct report *report)
{
    struct cases_options uncovered = *options;
    unsigned mistakes = report_mistakes(report);
    struct case_file *file = NULL;
    struct job *job = NULL;
    bool subject = false;

    uncovered.coverage = NULL;
    uncovered.log = log_new(options->log, "check"); /* what scripts print shows when the cases run */
    log_quiet(uncovered.log, (enum log_level)(LOG_ERROR + 1));
    cases->tried++;
    if (case_file_read(&file, path, report) && case_subject_load(&job, file, options->datasources_path, options->job, report)) {
        for (size_t i = 0; i < file->count && !subject; i++) {
            struct bench bench;

            if (!is_chosen(&file->cases[i], options) || file->cases[i].mistake)
                continue;
            (void)bench_open(&bench, file, &file->cases[i], job, &uncovered, &subject, report);
            bench_release(&bench);
        }
        for (size_t i = 0; i < file->count && report_mistakes(report) == mistakes; i++)
            if (is_chosen(&file->cases[i], options))
                case_run(cases, file, &file->cases[i], job, options, report);
    }
    case_subject_free(job, options->job);
    log_free(uncovered.log);
    if (!file)
        return;
    XGROW(cases->files, cases->file_count, cases->file_capacity);
    cases->files[cases->file_count++] = file; /* results name it and its cases */
}

static void run_beside(struct cases *cases, const char *path, const struct cases_options *options, struct report *report)
{
    char *beside = case_file_beside(path);
    bool before = false; /* a job and its Lua file may have the same name */

    for (size_t i = 0; i < cases->file_count; i++)
        before |= strcmp(cases->files[i]->path, beside) == 0;
    cases->tried += before;
    if (!before && access(beside, F_OK) == 0)
        cases_run_file(cases, beside, options, report);
    free(beside);
}

void cases_run(struct cases *cases, const char *path, const struct cases_options *options, struct report *report)
{
    struct report *aside = report_new();
    const struct job *job = options->job;
    struct job *loaded = NULL;
    size_t size = strlen(path);

    run_beside(cases, path, options, report);
    if (size > 4 && strcmp(path + size - 4, ".lua") == 0) {
        report_free(aside);
        return;
    }
    if (!job && !job_load_offline(&loaded, path, options->datasources_path, aside))
        log_debug(options->log, "the mistakes of %s are told by whoever runs it", path);
    job = job ? job : loaded;
    for (size_t i = 0; job && i < job->stage_count; i++) {
        bool before = false;

        for (size_t j = 0; j < i; j++)
            before |= job->stages[i].file && job->stages[j].file && strcmp(job->stages[i].file, job->stages[j].file) == 0;
        if (job->stages[i].file && !before)
            run_beside(cases, job->stages[i].file, options, report);
    }
    for (size_t i = 0; job && i < job->target.partition_count; i++)
        if (job->target.partitions[i].file)
            run_beside(cases, job->target.partitions[i].file, options, report);
    job_free(loaded);
    report_free(aside);
}

void cases_free(struct cases *cases)
{
    for (size_t i = 0; i < cases->count; i++) {
        for (size_t j = 0; j < cases->results[i].count; j++) {
            free(cases->results[i].differences[j].column);
            free(cases->results[i].differences[j].expected);
            free(cases->results[i].differences[j].got);
        }
        free(cases->results[i].differences);
    }
    free(cases->results);
    for (size_t i = 0; i < cases->file_count; i++)
        case_file_free(cases->files[i]);
    free(cases->files);
    memset(cases, 0, sizeof(*cases));
}

static void failure_tell(const struct cases *cases, struct error *error)
{
    size_t first = 0;
    const struct case_difference *difference;
    struct location at;

    while (!cases->results[first].count)
        first++;
    difference = &cases->results[first].differences[0];
    at = difference->at;
    error_set(error, ERROR_CONFIG, "%s:%u:%u: case \"%s\": %s%s%sexpected %s, got %s", at.file, at.line, at.column,
              cases->results[first].name, difference->column ? "column " : "", difference->column ? difference->column : "",
              difference->column ? ": " : "", difference->expected, difference->got);
    if (cases->failed > 1)
        error_wrap(error, "%zu of %zu test cases fail, the first one is", cases->failed, cases->count);
    else
        error_wrap(error, "a test case fails");
}

bool cases_pass(const struct job *job, struct log *log, struct error *error)
{
    struct cases_options options = {
        .datasources_path = job->datasources_tree ? job->datasources_tree->at.file : NULL,
        .job = job,
        .log = log,
    };
    struct report *report = report_new();
    struct cases cases = {0};
    bool ok = true;

    cases_run(&cases, job->path, &options, report);
    if (report_mistakes(report)) {
        struct buffer text;
        struct str line, rest;

        buffer_init(&text, 0);
        report_print(report, &text);
        str_cut(buffer_str(&text), '\n', &line, &rest);
        ok = error_set(error, ERROR_CONFIG, "the job's tests: %.*s", STR_ARG(line));
        buffer_release(&text);
    } else if (cases.failed) {
        failure_tell(&cases, error);
        ok = false;
    }
    cases_free(&cases);
    report_free(report);
    return ok;
}
