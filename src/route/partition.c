/* partition.c: the job's rules against the table's partition columns, once, before any row. Levels that look at the same thing
 * share a source, and patterns are cut into tokens here, so that a batch costs no parsing (partition_group.c). */
#include "route/partition_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { SAVED_NAME_MAX = 160 }; /* column names have 128 bytes at most */

const char *partition_value_reason(struct str value)
{
    if (value.size == 0)
        return "is empty, which no partition value may be";
    if (value.size > PARTITION_VALUE_BYTES_MAX)
        return "has more than 255 bytes, the most that a partition value may have";
    if (!str_is_utf8(value))
        return "is not valid UTF-8";
    if (value.data[0] == ' ' || value.data[value.size - 1] == ' ')
        return "begins or ends with a blank, which a partition value may not";
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (c < 0x20 || c == 0x7F || strchr("/'\"\\,=?#%&+:", c))
            return "has a character that a partition value may not have (control characters and / ' \" \\ , = ? # % & + :)";
    }
    return NULL;
}

/* --- set-up --- */

static bool parse_format(struct level *level, struct complaints *complaints)
{
    static const struct {
        const char *text;
        int kind;
    } words[] = {{"yyyy", TOKEN_YEAR}, {"MM", TOKEN_MONTH}, {"dd", TOKEN_DAY}, {"HH", TOKEN_HOUR}, {"mm", TOKEN_MINUTE}};
    const struct job_partition *rule = level->rule;
    struct str rest = str_of(rule->format);
    size_t size = 0;
    bool any = false;

    level->tokens = xcalloc(rest.size + 1, sizeof(*level->tokens));
    while (rest.size) {
        struct token token = {TOKEN_TEXT, rest.data[0]};
        size_t used = 1;

        for (size_t i = 0; i < COUNT_OF(words); i++) {
            if (str_starts_with(rest, str_of(words[i].text))) {
                token.kind = (unsigned)words[i].kind;
                used = strlen(words[i].text);
            }
        }
        if (token.kind == TOKEN_TEXT && ((token.text >= 'a' && token.text <= 'z') || (token.text >= 'A' && token.text <= 'Z'))) {
            complain(complaints, rule->at, rule->width,
                     "partition \"%s\": format \"%s\" has a letter '%c' that stands for nothing; use yyyy, MM, dd, HH and mm",
                     rule->name, rule->format, token.text);
            return false;
        }
        any |= token.kind != TOKEN_TEXT;
        size += used;
        level->tokens[level->token_count++] = token;
        rest = str_make(rest.data + used, rest.size - used);
    }
    if (!any) {
        complain(complaints, rule->at, rule->width,
                 "partition \"%s\": format \"%s\" shows no part of the time; use yyyy, MM, dd, HH and mm", rule->name,
                 rule->format);
        return false;
    }
    for (size_t i = 0; i < level->token_count; i++) {
        const struct token *token = &level->tokens[i];

        if (level->integer && token->kind == TOKEN_TEXT && (token->text < '0' || token->text > '9')) {
            complain(complaints, rule->at, rule->width, "partition \"%s\": format \"%s\" gives no whole number, and the "
                     "partition column is of an integer type; leave '%c' out", rule->name, rule->format, token->text);
            return false;
        }
        if (token->kind == TOKEN_TEXT && (size > PARTITION_VALUE_BYTES_MAX || strchr("/'\"\\,=?#%&+:", token->text) ||
                                          (unsigned char)token->text < 0x20 || (unsigned char)token->text >= 0x7F ||
                                          (token->text == ' ' && (i == 0 || i + 1 == level->token_count)))) {
            complain(complaints, rule->at, rule->width, "partition \"%s\": format \"%s\" gives values that no partition may "
                     "have; use letters of the pattern, digits, - _ and .", rule->name, rule->format);
            return false;
        }
    }
    return true;
}

static int64_t format_unit(const struct level *level)
{
    int64_t unit = 86400;

    for (size_t i = 0; i < level->token_count; i++) {
        if (level->tokens[i].kind == TOKEN_MINUTE)
            unit = 60;
        else if (level->tokens[i].kind == TOKEN_HOUR)
            unit = int64_min(unit, 3600);
    }
    return unit;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_source(const struct source *source, const struct job_partition *rule)
{
    const struct job_partition *other = source->rule;

    if (other->kind != rule->kind || rule->kind == PARTITION_FIELD)
        return false;
    if (rule->kind == PARTITION_LUA)
        return same_text(other->file, rule->file) && (!rule->options || rule->options == other->options);
    return same_text(other->from, rule->from) && same_text(other->zone, rule->zone);
}

/* By which what a function saves is found again: of its first column, in a form that no stage's name has. */
static void saved_name(const struct job_partition *rule, char name[SAVED_NAME_MAX])
{
    snprintf(name, SAVED_NAME_MAX, "partition %s", rule->name);
}

static bool open_source(struct partitions *partitions, struct source *source, const struct job_partition *rule,
                        struct script_state *state, struct str saved, struct complaints *complaints)
{
    struct error error;

    *source = (struct source){.rule = rule, .unit_seconds = 86400, .field = str_of(rule->from)};
    switch (rule->kind) {
    case PARTITION_TIME:
        source->kind = SOURCE_CLOCK;
        if (!rule->zone) {
            complain(complaints, rule->at, rule->width,
                     "partition \"%s\" needs a time zone; set zone, or time_zone of the data source", rule->name);
            return false;
        }
        if (zone_open(&source->zone, str_of(rule->zone), &error))
            return true;
        break;
    case PARTITION_FIELD:
        source->kind = SOURCE_FIELD;
        if (rule->from)
            return true;
        complain(complaints, rule->at, rule->width, "partition \"%s\" needs the field that it takes its values from; set from",
                 rule->name);
        return false;
    case PARTITION_LUA: {
        struct script_source script = {.stage = "partition", .path = rule->file, .options = rule->options,
                                       .zone = partitions->zone, .files = partitions->job->files};
        char name[SAVED_NAME_MAX];
        struct str text;

        source->kind = SOURCE_LUA;
        if (!state) { /* its text is of the version (job/version.h) all the same */
            if (!script.files || script_file_read(script.files, rule->file, &text, &error))
                return true;
            break;
        }
        saved_name(rule, name);
        script.saved = script_saved_find(saved, name);
        if (script_module_open(state, &script, &source->module, &error)) {
            if (script_module_has(source->module, "partition"))
                return true;
            complain(complaints, rule->at, rule->width, "partition \"%s\": %s has no function partition(batch)", rule->name,
                     rule->file);
            return false;
        }
        break;
    }
    }
    complain(complaints, rule->at, rule->width, "partition \"%s\": %s", rule->name, error.text);
    return false;
}

/* Rules are walked in the job's order, which is the order of a Lua function's columns. */
static void add_rule(struct partitions *partitions, const struct job_partition *rule, struct level *level,
                     struct script_state *state, struct str saved, struct complaints *complaints)
{
    struct source *source = NULL;

    level->rule = rule;
    if (rule->kind == PARTITION_TIME && (!rule->format || !parse_format(level, complaints))) {
        if (!rule->format)
            complain(complaints, rule->at, rule->width, "partition \"%s\" needs a pattern; set format, such as yyyyMMdd, or unit",
                     rule->name);
        return;
    }
    for (size_t i = 0; i < partitions->source_count && !source; i++)
        if (same_source(&partitions->sources[i], rule))
            source = &partitions->sources[i];
    if (!source) {
        source = &partitions->sources[partitions->source_count];
        if (!open_source(partitions, source, rule, state, saved, complaints))
            return;
        partitions->source_count++;
    }
    level->source = (size_t)(source - partitions->sources);
    if (source->kind == SOURCE_CLOCK)
        source->unit_seconds = int64_min(source->unit_seconds, format_unit(level));
    level->index = source->columns++;
}

static bool type_fits(struct level *level)
{
    switch (level->column->type.kind) {
    case MC_TINYINT: case MC_SMALLINT: case MC_INT: case MC_BIGINT: level->integer = true; return true;
    case MC_STRING: case MC_VARCHAR: case MC_CHAR: return true;
    default: return false;
    }
}

struct partitions *partitions_new(const struct job *job, const struct mc_schema *schema, struct script_state *state,
                                  struct str saved, const struct zone *zone, struct complaints *complaints)
{
    struct partitions *partitions = xcalloc(1, sizeof(*partitions));
    unsigned before = complaints->count;
    unsigned width = (unsigned)strlen(job->target.table);

    partitions->job = job;
    partitions->zone = zone;
    partitions->level_count = schema->partition_count;
    partitions->levels = xcalloc(schema->partition_count + 1, sizeof(*partitions->levels));
    partitions->sources = xcalloc(job->target.partition_count + 1, sizeof(*partitions->sources));
    if (schema->partition_count > PARTITION_LEVELS_MAX)
        complain(complaints, job->target.table_at, width, "table %s has %zu partition columns, more than %d", job->target.table,
                 schema->partition_count, PARTITION_LEVELS_MAX);
    for (size_t i = 0; i < schema->partition_count; i++)
        partitions->levels[i].column = &schema->partitions[i];
    for (size_t i = 0; i < job->target.partition_count; i++) {
        const struct job_partition *rule = &job->target.partitions[i];
        struct level *level = NULL;

        for (size_t j = 0; j < schema->partition_count && !level; j++)
            if (str_equal_ignore_case(str_of(schema->partitions[j].name), str_of(rule->name)))
                level = &partitions->levels[j];
        if (!level)
            complain(complaints, rule->at, rule->width, "table %s has no partition column \"%s\"%s", job->target.table,
                     rule->name, schema->partition_count ? "" : "; it is not partitioned");
        else if (level->rule)
            complain(complaints, rule->at, rule->width, "partition column \"%s\" has a rule already; it takes one", rule->name);
        else if (!type_fits(level))
            complain(complaints, rule->at, rule->width, "partition column \"%s\" has a type that this release does not write; "
                     "STRING, VARCHAR, CHAR and the integers are possible", rule->name);
        else
            add_rule(partitions, rule, level, state, saved, complaints);
    }
    for (size_t i = 0; i < schema->partition_count; i++)
        if (!partitions->levels[i].rule && complaints->count == before)
            complain(complaints, job->target.table_at, width, "partition column \"%s\" of table %s has no rule; add one under "
                     "target.partition", schema->partitions[i].name, job->target.table);
    if (complaints->count != before) {
        partitions_free(partitions);
        return NULL;
    }
    if (partitions->source_count == 1 && partitions->sources[0].kind == SOURCE_CLOCK)
        partitions->specs = xcalloc(SPECS_KEPT, sizeof(*partitions->specs));
    return partitions;
}

void partitions_free(struct partitions *partitions)
{
    if (!partitions)
        return;
    for (size_t i = 0; i < partitions->level_count; i++)
        free(partitions->levels[i].tokens);
    for (size_t i = 0; i < partitions->source_count; i++)
        zone_free(partitions->sources[i].zone);
    free(partitions->levels);
    free(partitions->sources);
    free(partitions->specs);
    free(partitions);
}

bool partitions_keep_state(const struct partitions *partitions)
{
    for (size_t i = 0; i < partitions->source_count; i++)
        if (partitions->sources[i].module && script_module_keeps_state(partitions->sources[i].module))
            return true;
    return false;
}

bool partitions_save(struct partitions *partitions, struct buffer *saved, struct error *error)
{
    bool ok = true;

    for (size_t i = 0; ok && i < partitions->source_count; i++) {
        const struct source *source = &partitions->sources[i];
        char name[SAVED_NAME_MAX];

        if (!source->module)
            continue;
        saved_name(source->rule, name);
        ok = script_module_save_as(source->module, name, saved, error) ||
             error_wrap(error, "partition \"%s\"", source->rule->name);
    }
    return ok;
}

/* --- check --- */

void partitions_check(struct partitions *partitions, const struct batch *probe, struct complaints *complaints)
{
    for (size_t i = 0; i < partitions->source_count; i++) {
        struct source *source = &partitions->sources[i];
        const struct job_partition *rule = source->rule;
        char suggestion[FIELD_SUGGESTION_MAX], name[TYPE_NAME_MAX];
        struct type type;
        int found;

        if (source->kind == SOURCE_LUA || !source->field.data)
            continue;
        found = field_find(probe, source->field, &source->guess);
        if (found < 0) {
            if (source->kind == SOURCE_CLOCK && str_is(source->field, batch_builtin_names[BUILTIN_TIMESTAMP]))
                continue;
            complain(complaints, rule->at, rule->width,
                     found == -2 ? "partition \"%s\": several fields are called \"%s\" but for case%s" :
                     "partition \"%s\": there is no field \"%s\" after the last stage%s", rule->name, rule->from,
                     found == -2 ? "" : batch_field_suggest(probe, source->field, suggestion));
            continue;
        }
        type = batch_field_type(&probe->fields[found]);
        if (source->kind == SOURCE_CLOCK && type.kind != TYPE_NULL && type.kind != TYPE_BIGINT && type.kind != TYPE_STRING &&
            type.kind != TYPE_DATE && !type_is_instant(type.kind))
            complain(complaints, rule->at, rule->width, "partition \"%s\": field \"%s\" is %s; a time comes from bigint (epoch "
                     "milliseconds), "
                     "datetime, timestamp, timestamp_ntz, date or string", rule->name, rule->from, type_print(type, name));
        if (source->kind == SOURCE_FIELD && (type_is_instant(type.kind) || type.kind == TYPE_JSON || type.kind == TYPE_DOUBLE))
            complain(complaints, rule->at, rule->width,
                     "partition \"%s\": field \"%s\" is %s, whose text is no partition value; %s", rule->name, rule->from,
                     type_print(type, name),
                     type_is_instant(type.kind) ? "use time instead of field" : "make a string or bigint of it in a stage");
    }
}

/* One file may give the columns of several rules. */
void partitions_check_scripts(const struct job *job, struct script_state *state, const struct zone *zone, struct batch *probe,
                              struct complaints *complaints)
{
    struct partitions partitions = {.job = job, .zone = zone};

    partitions.sources = xcalloc(job->target.partition_count + 1, sizeof(*partitions.sources));
    for (size_t i = 0; i < job->target.partition_count; i++) {
        const struct job_partition *rule = &job->target.partitions[i];
        struct source *source = NULL;

        if (rule->kind != PARTITION_LUA)
            continue;
        for (size_t j = 0; j < partitions.source_count && !source; j++)
            if (same_source(&partitions.sources[j], rule))
                source = &partitions.sources[j];
        if (!source) {
            source = &partitions.sources[partitions.source_count];
            if (!open_source(&partitions, source, rule, state, STR_NONE, complaints))
                continue;
            partitions.source_count++;
        }
        source->columns++;
    }
    for (size_t i = 0; i < partitions.source_count; i++) {
        const struct source *source = &partitions.sources[i];
        const struct job_partition *rule = source->rule;
        struct column *columns[PARTITION_LEVELS_MAX];
        struct error error;
        size_t count;

        if (!script_partition(source->module, probe, columns, size_min(source->columns, PARTITION_LEVELS_MAX), &count, &error))
            complain(complaints, rule->at, rule->width, "partition \"%s\": %s", rule->name, error.text);
        else if (count != source->columns)
            complain(complaints, rule->at, rule->width,
                     "partition \"%s\": %s returned %zu columns, but %zu partition columns take one each", rule->name, rule->file,
                     count, source->columns);
    }
    free(partitions.sources);
}

void partitions_describe(const struct partitions *partitions, struct buffer *text)
{
    for (size_t i = 0; i < partitions->level_count; i++) {
        const struct job_partition *rule = partitions->levels[i].rule;

        buffer_print(text, "  %s <- ", partitions->levels[i].column->name);
        if (rule->kind == PARTITION_TIME)
            buffer_print(text, "%s as %s in %s\n", rule->from ? rule->from : batch_builtin_names[BUILTIN_TIMESTAMP], rule->format,
                         rule->zone);
        else
            buffer_print(text, "%s\n", rule->kind == PARTITION_FIELD ? rule->from : rule->file);
    }
}
