/* mapping.c: one pass a column: convert to the pipeline's type that is nearest to the target's, check the target's width, and
 * hand the values on as they lie wherever the wire form is the same.
 * A column without an entry in the job takes the field of equal name. It is looked for in every batch at the place where it was
 * last time, so that a lookup costs one comparison; a field that fed a column once must be there ever after, since a missing one
 * would silently become NULL. */
#include "route/mapping.h"

#include "batch/decimal.h"
#include "route/nested.h"
#include "route/target_type.h"
#include "util/real.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct target {
    const struct mc_column *column;
    unsigned number;
    struct str field;   /* as the job names it, or the column's own name */
    bool listed;        /* the job names the field: it must be there */
    bool by_name;       /* target.columns lists the column without a field; target.mapping may still name another one */
    bool none;          /* the job says that nothing feeds this column */
    bool seen;          /* the field was there before */
    bool supported;
    uint32_t guess;
    struct type type;
    enum wire_kind wire;
    struct location at; /* of the job's entry */
    unsigned width;
};

struct mapping {
    const struct job *job;
    const struct mc_schema *schema;
    struct convert convert;
    struct nested *nested;
    struct target *targets; /* one a column of the schema */
};

void complain(struct complaints *complaints, struct location at, unsigned width, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (complaints->report)
        report_mistake(complaints->report, at, width ? width : 1, "%s", text);
    else if (complaints->count == 0)
        error_set(complaints->error, ERROR_CONFIG, "%s", text);
    complaints->count++;
}

int field_find(const struct batch *batch, struct str name, uint32_t *guess)
{
    int found = -1;

    if (*guess < batch->field_count && str_equal(batch->fields[*guess].name, name))
        return (int)*guess;
    for (uint32_t i = 0; i < batch->field_count; i++) {
        if (str_equal(batch->fields[i].name, name)) {
            *guess = i;
            return (int)i;
        }
        if (str_equal_ignore_case(batch->fields[i].name, name))
            found = found == -1 ? (int)i : -2;
    }
    return found;
}

/* --- set-up --- */

static const char *suggest_column(const struct mc_schema *schema, struct str name, char text[128])
{
    const char **names = xcalloc(schema->column_count + 1, sizeof(*names));
    const char *nearest;

    for (size_t i = 0; i < schema->column_count; i++)
        names[i] = schema->columns[i].name;
    nearest = str_nearest(name, names, schema->column_count);
    text[0] = '\0';
    if (nearest)
        snprintf(text, 128, "; did you mean \"%s\"?", nearest);
    free(names);
    return text;
}

static struct target *find_target(struct mapping *mapping, const char *name, struct location at, unsigned width,
                                  struct complaints *complaints)
{
    const struct mc_schema *schema = mapping->schema;
    char suggestion[FIELD_SUGGESTION_MAX];

    for (size_t i = 0; i < schema->column_count; i++)
        if (str_equal_ignore_case(str_of(schema->columns[i].name), str_of(name)))
            return &mapping->targets[i];
    for (size_t i = 0; i < schema->partition_count; i++) {
        if (str_equal_ignore_case(str_of(schema->partitions[i].name), str_of(name))) {
            complain(complaints, at, width, "\"%s\" is a partition column of table %s; its values come from target.partition",
                     name,
                     mapping->job->target.table);
            return NULL;
        }
    }
    complain(complaints, at, width, "table %s has no column \"%s\"%s", mapping->job->target.table, name,
             suggest_column(schema, str_of(name), suggestion));
    return NULL;
}

static void set_target(struct target *target, const char *field, struct location at, unsigned width,
                       struct complaints *complaints)
{
    if (target->listed && !target->by_name && (target->none || !field || !str_is(target->field, field))) {
        complain(complaints, at, width, "column \"%s\" already takes its values from %s%.*s%s; a column takes one field",
                 target->column->name, target->none ? "nothing" : "field \"", target->none ? 0 : (int)target->field.size,
                 target->field.data, target->none ? "" : "\"");
        return;
    }
    target->listed = true;
    target->by_name = false;
    target->none = !field;
    if (field)
        target->field = str_of(field);
    target->at = at;
    target->width = width;
}

struct mapping *mapping_new(const struct job *job, const struct mc_schema *schema, const struct zone *zone,
                            struct complaints *complaints)
{
    struct mapping *mapping = xcalloc(1, sizeof(*mapping));
    unsigned before = complaints->count;

    mapping->job = job;
    mapping->schema = schema;
    mapping->convert.zone = zone;
    mapping->convert.empty_as_null = job->target.empty_as_null;
    mapping->nested = nested_new(&mapping->convert);
    mapping->targets = xcalloc(schema->column_count + 1, sizeof(*mapping->targets));
    for (size_t i = 0; i < schema->column_count; i++) {
        struct target *target = &mapping->targets[i];

        target->column = &schema->columns[i];
        target->number = (unsigned)i + 1;
        target->field = str_of(schema->columns[i].name);
        target->guess = (uint32_t)i;
        target->at = job->target.table_at;
        target->width = (unsigned)strlen(job->target.table);
        target->supported = target_type(&schema->columns[i].type, &target->type, &target->wire);
    }
    for (size_t i = 0; i < job->target.column_count; i++) {
        const struct job_column *column = &job->target.columns[i];
        struct target *target = find_target(mapping, column->name, column->at, (unsigned)strlen(column->name), complaints);

        if (!target)
            continue;
        set_target(target, column->from ? column->from : column->name, column->from ? column->from_at : column->at,
                   (unsigned)strlen(column->from ? column->from : column->name), complaints);
        target->by_name = !column->from;
    }
    for (size_t i = 0; i < job->target.mapping_count; i++) {
        const struct job_mapping *entry = &job->target.mapping[i];
        struct target *target = find_target(mapping, entry->column, entry->at, entry->width, complaints);

        if (target)
            set_target(target, entry->field, entry->field ? entry->field_at : entry->at,
                       entry->field ? entry->field_width : entry->width,
                       complaints);
    }
    if (complaints->count != before) {
        mapping_free(mapping);
        return NULL;
    }
    return mapping;
}

void mapping_free(struct mapping *mapping)
{
    if (!mapping)
        return;
    nested_free(mapping->nested);
    free(mapping->targets);
    free(mapping);
}

/* --- check --- */

static void check_target(struct mapping *mapping, struct target *target, const struct batch *probe, struct complaints *complaints)
{
    int found = target->none ? -1 : field_find(probe, target->field, &target->guess);
    struct error error;
    struct type from;
    char suggestion[FIELD_SUGGESTION_MAX], name[TYPE_NAME_MAX];
    struct buffer type = {0};

    if (found == -2) {
        complain(complaints, target->at, target->width, "several fields are called \"%.*s\" but for case, and column \"%s\" "
                 "takes one; "
                 "name it under target.mapping", STR_ARG(target->field), target->column->name);
        return;
    }
    if (found < 0) {
        if (target->listed && !target->none)
            complain(complaints, target->at, target->width, "there is no field \"%.*s\" for column \"%s\" after the last stage%s",
                     STR_ARG(target->field), target->column->name, batch_field_suggest(probe, target->field, suggestion));
        else if (target->column->not_null && !target->column->has_default)
            complain(complaints, target->at, target->width, "column \"%s\" is NOT NULL and no field feeds it; map one under "
                     "target.mapping", target->column->name);
        return;
    }
    from = batch_field_type(&probe->fields[found]);
    mc_type_print(&target->column->type, &type);
    if (!target->supported)
        complain(complaints, target->at, target->width, "column \"%s\" is %s, a type that this release does not write; leave "
                 "it out, or make it a STRING", target->column->name, buffer_text(&type));
    else if (target->wire == WIRE_NESTED && from.kind != TYPE_JSON && from.kind != TYPE_STRING && from.kind != TYPE_NULL)
        complain(complaints, target->at, target->width, "field \"%.*s\" (%s) into column \"%s\" (%s): only json, and string "
                 "with JSON in it, becomes an ARRAY, MAP or STRUCT", STR_ARG(probe->fields[found].name), type_print(from, name),
                 target->column->name, buffer_text(&type));
    else if (!convert_possible(from, target->type, &error))
        complain(complaints, target->at, target->width, "field \"%.*s\" into column \"%s\" (%s): %s",
                 STR_ARG(probe->fields[found].name), target->column->name, buffer_text(&type), error.text);
    else if (!mapping->convert.zone && convert_needs_zone(from, target->type))
        complain(complaints, target->at, target->width, "field \"%.*s\" (%s) into column \"%s\" (%s) needs a time zone; set "
                 "time_zone",
                 STR_ARG(probe->fields[found].name), type_print(from, name), target->column->name, buffer_text(&type));
    buffer_release(&type);
}

void mapping_check(struct mapping *mapping, const struct batch *probe, struct complaints *complaints)
{
    bool any = false;

    for (size_t i = 0; i < mapping->schema->column_count; i++) {
        struct target *target = &mapping->targets[i];

        check_target(mapping, target, probe, complaints);
        any |= (target->listed && !target->none) || field_find(probe, target->field, &target->guess) != -1;
    }
    if (!any)
        complain(complaints, mapping->job->target.table_at, (unsigned)strlen(mapping->job->target.table),
                 "no field of the last stage has the name of a column of table %s; say which feeds which under target.mapping",
                 mapping->job->target.table);
}

const struct field *mapping_field(struct mapping *mapping, size_t index, const struct batch *probe)
{
    struct target *target = &mapping->targets[index];
    int found = target->none ? -1 : field_find(probe, target->field, &target->guess);

    return found >= 0 ? &probe->fields[found] : NULL;
}

void mapping_describe(struct mapping *mapping, const struct batch *probe, struct buffer *text)
{
    for (size_t i = 0; i < mapping->schema->column_count; i++) {
        struct target *target = &mapping->targets[i];
        const struct field *field = mapping_field(mapping, i, probe);
        char name[TYPE_NAME_MAX];

        buffer_print(text, "  %s ", target->column->name);
        mc_type_print(&target->column->type, text);
        if (field)
            buffer_print(text, " <- %.*s (%s)\n", STR_ARG(field->name), type_print(batch_field_type(field), name));
        else
            buffer_append_str(text, target->column->has_default ? STR(": no field, the column's default\n") : STR(": no field, "
                                                                                                                  "NULL\n"));
    }
}

/* --- values --- */

static bool arena_full(struct batch *batch, struct error *error)
{
    return error_set(error, ERROR_DATA, "mapping: a batch of %u rows needs more memory than a batch may use; lower "
                     "runtime.batch_rows",
                     batch->row_count);
}

static void fail_row(struct batch *batch, const struct target *target, const struct column *column, uint32_t row,
                     const char *reason)
{
    char excerpt[128];
    struct str text = convert_excerpt(column, row, excerpt);

    batch_fail(batch, row, str_of(target->column->name), "%.*s %s", STR_ARG(text), reason);
}

static void check_not_null(struct batch *batch, const struct target *target, const struct column *column)
{
    for (uint32_t i = 0; i < batch->selected; i++)
        if (column->null[batch->selection[i]])
            batch_fail(batch, batch->selection[i], str_of(target->column->name), "is NULL, but the column is NOT NULL");
}

static void check_integers(struct batch *batch, const struct target *target, const struct column *column)
{
    int64_t least, most;
    const char *reason = target_integer_range(target->column->type.kind, &least, &most);

    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (UNLIKELY(column->bigint[row] < least || column->bigint[row] > most) && !column_is_null(column, row))
            fail_row(batch, target, column, row, reason);
    }
}

/* Of the selected rows, without a branch for each. */
static size_t longest_text(const struct batch *batch, const struct column *column)
{
    size_t longest = 0;

    for (uint32_t i = 0; i < batch->selected; i++)
        longest = size_max(longest, column->text[batch->selection[i]].size);
    return longest;
}

static void check_texts(struct batch *batch, const struct target *target, const struct column *column)
{
    bool utf8 = target->column->type.kind != MC_BINARY && !column->utf8;
    unsigned characters_max = target_characters_max(&target->column->type);

    if (!utf8 && !column->null && longest_text(batch, column) <= size_min(characters_max, TEXT_BYTES_MAX))
        return;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        struct str text = column->text[row];

        if (column->null && (column->null[row] || batch_row_gone(batch, row)))
            continue;
        if (UNLIKELY(!target_text_fits(text, utf8, characters_max)))
            fail_row(batch, target, column, row, target_text(text, utf8, characters_max));
    }
}

/* Decimal text, plain notation with all digits of the scale. */
static const void *make_decimals(struct batch *batch, const struct column *column)
{
    struct str *texts = arena_try_array(&batch->arena, column->rows, sizeof(*texts));
    char *at = arena_try_array(&batch->arena, batch->selected, DECIMAL_TEXT_MAX);

    if (!texts || !at)
        return NULL;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (column->null && column->null[row])
            continue;
        texts[row] = str_make(at, decimal_print(column->decimal[row], column->type.scale, at));
        at += texts[row].size;
    }
    return texts;
}

/* Whether the float is the same number: as it is, or by its shortest text, so that decimal 0.1 passes and 16777217 does not. */
static bool float_is_same(float value, double wanted)
{
    char text[REAL_TEXT_MAX];

    if ((double)value == wanted)
        return true;
    (void)real_print_float(value, text);
    return strtod(text, NULL) == wanted;
}

/* A double is rounded, for that is what a FLOAT column means. Whole numbers and decimals are exact, so they stay that or fail, as
 * they do toward DOUBLE. */
static const void *make_floats(struct batch *batch, const struct target *target, const struct column *column, bool exact)
{
    float *floats = arena_try_array(&batch->arena, column->rows, sizeof(*floats));

    if (!floats)
        return NULL;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *reason;

        if (column->null && column->null[row])
            continue;
        reason = target_float(column->real[row], &floats[row]);
        if (!reason && exact && !batch_row_gone(batch, row) && !float_is_same(floats[row], column->real[row]))
            reason = "has more digits than a FLOAT can hold";
        if (reason)
            fail_row(batch, target, column, row, reason);
    }
    return floats;
}

static const void *make_milliseconds(struct batch *batch, const struct column *column)
{
    int64_t *milliseconds = arena_try_array(&batch->arena, column->rows, sizeof(*milliseconds));

    if (!milliseconds)
        return NULL;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (!(column->null && column->null[row]))
            milliseconds[row] = target_milliseconds(column->instant[row]);
    }
    return milliseconds;
}

/* Arrays, maps and structs from JSON text. The column of the field stays as it is: rows that become NULL are marked in a copy of
 * its null bytes; *column has them afterwards. NULL: the arena is full. */
static const void *make_nested(struct mapping *mapping, const struct target *target, struct batch *batch, struct column **column)
{
    struct column *from = *column;
    struct wire_nested *values = arena_try_array(&batch->arena, from->rows, sizeof(*values));
    struct column *to = arena_try_alloc(&batch->arena, sizeof(*to));

    if (!values || !to)
        return NULL;
    *to = *from;
    to->null = NULL;
    if (from->null) {
        if (!column_try_nullable(&batch->arena, to))
            return NULL;
        memcpy(to->null, from->null, from->rows);
    }
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *reason = NULL;

        if (from->null && from->null[row])
            continue;
        switch (nested_convert(mapping->nested, &batch->arena, &target->column->type, from->text[row], &values[row], &reason)) {
        case CONVERT_OK: break;
        case CONVERT_FULL: return NULL;
        case CONVERT_FAILED: fail_row(batch, target, from, row, reason); break;
        case CONVERT_NULL:
            if (!column_try_nullable(&batch->arena, to))
                return NULL;
            to->null[row] = 1;
        }
    }
    *column = to;
    return values;
}

/* Text goes into a nested type as it is: it is read once, there. */
static struct type nearest_type(const struct target *target, struct type from)
{
    return target->wire == WIRE_NESTED && from.kind == TYPE_STRING ? from : target->type;
}

static bool fill(struct mapping *mapping, const struct target *target, struct batch *batch, struct field *field,
                 struct wire_column *wire_out, struct error *error)
{
    struct str name = str_of(target->column->name);
    struct column *column = batch_column(batch, field);
    const void *nested = NULL;
    struct error inner;
    bool exact;

    if (!column)
        return arena_full(batch, error);
    if (!target->supported || !convert_possible(column->type, target->type, &inner))
        return error_set(error, ERROR_SCRIPT, "mapping: field \"%.*s\" into column \"%s\": %s", STR_ARG(field->name),
                         target->column->name,
                         target->supported ? inner.text : "the column's type is not written by this release");
    exact = column->type.kind == TYPE_BIGINT || column->type.kind == TYPE_DECIMAL;
    column = convert_column(&mapping->convert, batch, column, nearest_type(target, column->type), name, false);
    if (!column)
        return arena_full(batch, error);
    if (target->wire == WIRE_NESTED) {
        nested = make_nested(mapping, target, batch, &column);
        if (!nested)
            return arena_full(batch, error);
    }
    if (column->null && target->column->not_null)
        check_not_null(batch, target, column);
    *wire_out = (struct wire_column){target->wire, target->number, column->null, nested ? nested : column->data};
    switch (target->column->type.kind) {
    case MC_TINYINT: case MC_SMALLINT: case MC_INT: case MC_BIGINT: check_integers(batch, target, column); break;
    case MC_STRING: case MC_VARCHAR: case MC_CHAR: case MC_BINARY: case MC_JSON: check_texts(batch, target, column); break;
    case MC_DECIMAL: wire_out->data = make_decimals(batch, column); break;
    case MC_FLOAT: wire_out->data = make_floats(batch, target, column, exact); break;
    case MC_DATETIME: wire_out->data = make_milliseconds(batch, column); break;
    default: break;
    }
    return wire_out->data || arena_full(batch, error);
}

bool mapping_batch(struct mapping *mapping, struct batch *batch, struct wire_column *columns_out, size_t *count_out,
                   struct error *error)
{
    size_t count = 0;

    batch->stage = "mapping";
    batch->when_error = WHEN_ERROR_DIRTY;
    for (size_t i = 0; i < mapping->schema->column_count; i++) {
        struct target *target = &mapping->targets[i];
        int found = target->none ? -1 : field_find(batch, target->field, &target->guess);

        if (found == -2)
            return error_set(error, ERROR_SCRIPT, "mapping: several fields are called \"%.*s\" but for case, and column \"%s\" "
                             "takes one; "
                             "name it under target.mapping", STR_ARG(target->field), target->column->name);
        if (found == -1) {
            if (target->seen || (target->listed && !target->none) || (target->column->not_null && !target->column->has_default))
                return error_set(error, ERROR_SCRIPT, "mapping: field \"%.*s\" for column \"%s\" is missing in a batch; the "
                                 "stages must "
                                 "leave it in every batch", STR_ARG(target->field), target->column->name);
            continue;
        }
        target->seen = true;
        if (!fill(mapping, target, batch, &batch->fields[found], &columns_out[count++], error))
            return false;
        /* Rows that do not fit leave at once, so that later columns need not look at them. */
        batch_sweep(batch);
    }
    *count_out = count;
    return true;
}
