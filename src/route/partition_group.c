/* partition_group.c: rows are numbered by their partition in small steps.
 * Levels are fed by sources: a clock (a field's local time, cut to the finest unit that its levels show), a field's text, or a
 * Lua function's columns. Levels that look at the same thing share a source. Each source gives every row a code, counted from 0
 * in order of appearance; codes of several sources are paired into one. A row equal to the one before it costs a comparison, any
 * other a look into a small table. Texts are made, and checked, once for each code and not for each row. At the end rows are
 * sorted by counting, which keeps their order within a group. */
#include "route/dictionary.h"
#include "route/partition_internal.h"

enum { CODE_FAILED = -1 };

/* What a source says of a batch: a code a row, and a dictionary for each of its columns (a Lua function has several). */
struct coded {
    int32_t *codes;
    struct dictionary dictionary;
};

static bool arena_full(struct batch *batch, struct error *error)
{
    return error_set(error, ERROR_DATA,
                     "partition: a batch of %u rows needs more memory than a batch may use; lower runtime.batch_rows",
                     batch->row_count);
}

static struct str rule_column(const struct source *source)
{
    return str_of(source->rule->name);
}

/* --- clocks --- */

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* A date-time in text to local seconds of the source's zone. One without an offset is local in the job's zone, or if that has
 * none in the source's own. */
static bool text_to_local(const struct partitions *partitions, struct source *source, struct zone_cache *text_cache,
                          struct str text, int64_t *local_out)
{
    struct instant instant;
    int32_t offset_seconds, days;
    bool has_offset;

    if (time_parse_date(text, &days)) {
        *local_out = (int64_t)days * 86400;
        return true;
    }
    if (!time_parse(text, &instant, &has_offset, &offset_seconds))
        return false;
    *local_out = instant.seconds;
    if (!has_offset && !partitions->zone)
        return true;
    instant.seconds = has_offset ? instant.seconds - offset_seconds : zone_from_local(partitions->zone, text_cache,
                                                                                      instant.seconds);
    *local_out = zone_to_local(source->zone, &source->zone_cache, instant.seconds);
    return true;
}

enum clock_from { FROM_MESSAGE, FROM_BIGINT, FROM_INSTANT, FROM_LOCAL, FROM_DATE, FROM_TEXT };

/* Turns times into codes. Times that follow each other mostly lie in one unit, which is remembered as a range of local
 * seconds; of milliseconds since 1970 also as a range of those, as far as the zone's offset is the same. */
static bool code_clock(struct partitions *partitions, struct source *source, struct batch *batch, const struct column *column,
                       enum clock_from from, struct coded *coded, struct error *error)
{
    int64_t unit_from = 0, unit_until = 0, ms_from = 0, ms_until = 0;
    int32_t code = CODE_FAILED;
    struct zone_cache text_cache = {0};

    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        int64_t local, offset = 0;
        char excerpt[128];

        if (column && column->null && column->null[row]) {
            batch_fail(batch, row, rule_column(source), "the time is NULL, so there is no partition value");
            continue;
        }
        switch (from) {
        case FROM_MESSAGE:
        case FROM_BIGINT: {
            int64_t ms = column ? column->bigint[row] : batch_message(batch, row)->timestamp_ms;

            if (LIKELY(ms >= ms_from && ms < ms_until)) {
                coded->codes[row] = code;
                continue;
            }
            if (from == FROM_MESSAGE && UNLIKELY(ms < 0)) {
                batch_fail(batch, row, rule_column(source), "the record has no timestamp, so there is no partition value");
                continue;
            }
            local = floor_divide(ms, 1000);
            offset = zone_offset(source->zone, &source->zone_cache, local);
            local += offset;
            break;
        }
        case FROM_INSTANT: local = zone_to_local(source->zone, &source->zone_cache, column->instant[row].seconds); break;
        case FROM_LOCAL: local = column->instant[row].seconds; break;
        case FROM_DATE: local = (int64_t)column->date[row] * 86400; break;
        default:
            if (!text_to_local(partitions, source, &text_cache, column->text[row], &local)) {
                batch_fail(batch, row, rule_column(source), "%.*s is no date or date-time, so there is no partition value",
                           STR_ARG(convert_excerpt(column, row, excerpt)));
                continue;
            }
        }
        if (UNLIKELY(local < unit_from || local >= unit_until)) {
            int64_t found;

            if (local < time_seconds_min || local > time_seconds_max) {
                batch_fail(batch, row, rule_column(source),
                           "%.*s is outside of the years 1 to 9999, so there is no partition value",
                           STR_ARG(column ? convert_excerpt(column, row, excerpt) : STR("the record's timestamp")));
                continue;
            }
            unit_from = floor_divide(local, source->unit_seconds) * source->unit_seconds;
            unit_until = unit_from + source->unit_seconds;
            found = dictionary_code(&coded->dictionary, (struct key){STR_NONE, unit_from});
            if (found < 0)
                return arena_full(batch, error);
            code = (int32_t)found;
        }
        if (from == FROM_MESSAGE || from == FROM_BIGINT) {
            ms_from = int64_max(unit_from - offset, source->zone_cache.from) * 1000;
            if (from == FROM_MESSAGE)
                ms_from = int64_max(ms_from, 0);
            ms_until = int64_min(unit_until - offset, source->zone_cache.until) * 1000;
        }
        coded->codes[row] = code;
    }
    return true;
}

static bool run_clock(struct partitions *partitions, struct source *source, struct batch *batch, struct coded *coded,
                      struct error *error)
{
    const struct column *column = NULL;
    enum clock_from from = FROM_MESSAGE;
    char name[TYPE_NAME_MAX];

    if (source->field.data) {
        int found = field_find(batch, source->field, &source->guess);

        if (found < 0 && !str_is(source->field, batch_builtin_names[BUILTIN_TIMESTAMP]))
            return error_set(error, ERROR_SCRIPT,
                             "partition \"%s\": field \"%.*s\" is missing in a batch; the stages must leave it in every batch",
                             source->rule->name, STR_ARG(source->field));
        if (found >= 0 && batch->fields[found].builtin != BUILTIN_TIMESTAMP) {
            column = batch_column(batch, &batch->fields[found]);
            if (!column)
                return arena_full(batch, error);
        }
    }
    if (column) {
        switch (column->type.kind) {
        case TYPE_BIGINT: from = FROM_BIGINT; break;
        case TYPE_DATETIME: case TYPE_TIMESTAMP: from = FROM_INSTANT; break;
        case TYPE_TIMESTAMP_NTZ: from = FROM_LOCAL; break;
        case TYPE_DATE: from = FROM_DATE; break;
        case TYPE_STRING: from = FROM_TEXT; break;
        case TYPE_NULL:
            for (uint32_t i = 0; i < batch->selected; i++)
                batch_fail(batch, batch->selection[i], rule_column(source), "the time is NULL, so there is no partition value");
            return true;
        default:
            return error_set(error, ERROR_SCRIPT, "partition \"%s\": field \"%.*s\" is %s in a batch; a time comes from bigint "
                             "(epoch milliseconds), datetime, timestamp, timestamp_ntz, date or string", source->rule->name,
                             STR_ARG(source->field), type_print(column->type, name));
        }
    }
    return code_clock(partitions, source, batch, column, from, coded, error);
}

/* --- texts --- */

/* Whole numbers in their shortest text, so that "01" and "1" are one partition of an integer column. */
static bool shorten_integer(struct str *value)
{
    bool negative = value->size && value->data[0] == '-';
    size_t at = negative;

    while (value->size - at > 1 && value->data[at] == '0')
        at++;
    if (at == value->size || value->size - at > 18)
        return false;
    for (size_t i = at; i < value->size; i++)
        if (value->data[i] < '0' || value->data[i] > '9')
            return false;
    if (at > negative) {
        if (negative)
            return false; /* "-01" is nobody's partition */
        *value = str_make(value->data + at, value->size - at);
    }
    return true;
}

/* Codes of a text column; each distinct value is checked once. */
static bool code_texts(struct source *source, struct batch *batch, const struct column *column, bool integer, struct coded *coded,
                       struct error *error)
{
    struct str last = STR_NONE;
    int32_t last_code = CODE_FAILED;

    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        struct str value;

        if (column_is_null(column, row)) {
            batch_fail(batch, row, rule_column(source), "the partition value is NULL");
            continue;
        }
        value = column->text[row];
        if (!(last.data && str_equal(value, last))) {
            struct str shown = value;
            const char *reason = partition_value_reason(value);
            int64_t found;

            if (!reason && integer && !shorten_integer(&shown))
                reason = "is no whole number of at most 18 digits, which the partition column takes";
            if (reason) {
                char excerpt[128];

                batch_fail(batch, row, rule_column(source), "%.*s %s", STR_ARG(convert_excerpt(column, row, excerpt)), reason);
                continue;
            }
            found = dictionary_code(&coded->dictionary, (struct key){shown, 0});
            if (found < 0)
                return arena_full(batch, error);
            last = value;
            last_code = (int32_t)found;
        }
        coded->codes[row] = last_code;
    }
    return true;
}

static bool run_field(struct partitions *partitions, struct source *source, struct batch *batch, bool integer,
                      struct coded *coded, struct error *error)
{
    struct convert convert = {.zone = partitions->zone};
    int found = field_find(batch, source->field, &source->guess);
    struct column *column;

    if (found < 0)
        return error_set(error, ERROR_SCRIPT,
                         "partition \"%s\": field \"%.*s\" is missing in a batch; the stages must leave it in every batch",
                         source->rule->name, STR_ARG(source->field));
    column = batch_column(batch, &batch->fields[found]);
    if (column)
        column = convert_column(&convert, batch, column, TYPE_OF(TYPE_STRING), rule_column(source), false);
    if (!column)
        return arena_full(batch, error);
    batch_sweep(batch);
    return code_texts(source, batch, column, integer, coded, error);
}

static bool run_lua(struct partitions *partitions, struct source *source, struct batch *batch, struct column **columns,
                    struct error *error)
{
    struct convert convert = {.zone = partitions->zone};
    size_t count = 0;
    uint32_t rows = batch->row_count;

    assert(source->module);
    if (!script_partition(source->module, batch, columns, source->columns, &count, error))
        return error_wrap(error, "partition \"%s\"", source->rule->name);
    if (batch->selected == 0) /* each of them failed, so that there is no column either */
        return true;
    if (rows != batch->row_count)
        return error_set(error, ERROR_SCRIPT,
                         "partition \"%s\": %s made rows; only stages may, since the values of these are converted already",
                         source->rule->name, source->rule->file);
    if (count != source->columns)
        return error_set(error, ERROR_SCRIPT,
                         "partition \"%s\": %s returned %zu columns, but %zu partition columns take one each", source->rule->name,
                         source->rule->file, count, source->columns);
    for (size_t i = 0; i < count; i++) {
        if (columns[i]->rows != batch->row_count)
            return error_set(error, ERROR_SCRIPT, "partition \"%s\": %s returned a column of %u rows for a batch of %u",
                             source->rule->name, source->rule->file, columns[i]->rows, batch->row_count);
        columns[i] = convert_column(&convert, batch, columns[i], TYPE_OF(TYPE_STRING), rule_column(source), false);
        if (!columns[i])
            return arena_full(batch, error);
    }
    batch_sweep(batch);
    return true;
}

/* --- groups --- */

/* By hand: where every batch goes to hundreds of table partitions, printf would be most of the work. Years have four digits. */
static void print_number(struct buffer *buffer, int value, int digits)
{
    char text[4];

    assert(digits <= 4);
    for (int i = digits; i-- > 0; value /= 10)
        text[i] = (char)('0' + value % 10);
    buffer_append(buffer, text, (size_t)digits);
}

static void print_time(const struct level *level, int64_t local_seconds, struct buffer *buffer)
{
    struct civil civil;

    time_civil_from_seconds(local_seconds, &civil);
    for (size_t i = 0; i < level->token_count; i++) {
        switch (level->tokens[i].kind) {
        case TOKEN_TEXT: buffer_append_char(buffer, level->tokens[i].text); break;
        case TOKEN_YEAR: print_number(buffer, civil.year, 4); break;
        case TOKEN_MONTH: print_number(buffer, civil.month, 2); break;
        case TOKEN_DAY: print_number(buffer, civil.day, 2); break;
        case TOKEN_HOUR: print_number(buffer, civil.hour, 2); break;
        case TOKEN_MINUTE: print_number(buffer, civil.minute, 2); break;
        }
    }
}

/* Which of the coded columns a level reads. */
static size_t coded_of(const struct partitions *partitions, const struct level *level)
{
    size_t at = 0;

    for (size_t i = 0; i < level->source; i++)
        at += partitions->sources[i].kind == SOURCE_LUA ? partitions->sources[i].columns : 1;
    return at + (partitions->sources[level->source].kind == SOURCE_LUA ? level->index : 0);
}

/* The spec of the group that this row stands for. */
static bool print_spec(const struct partitions *partitions, const struct coded *coded, uint32_t row, struct buffer *buffer)
{
    buffer_clear(buffer);
    for (size_t i = 0; i < partitions->level_count; i++) {
        const struct level *level = &partitions->levels[i];
        const struct coded *column = &coded[coded_of(partitions, level)];
        struct key key = column->dictionary.keys[column->codes[row]];
        size_t start;

        if (i)
            buffer_append_char(buffer, ',');
        buffer_append_str(buffer, str_of(level->column->name));
        buffer_append_char(buffer, '=');
        start = buffer->size;
        if (key.text.data) {
            buffer_append_str(buffer, key.text);
        } else {
            print_time(level, key.number, buffer);
            if (level->integer) {
                struct str value = str_make(buffer->data + start, buffer->size - start);

                if (!shorten_integer(&value))
                    return false;
                memmove(buffer->data + start, value.data, value.size);
                buffer->size = start + value.size;
            }
        }
    }
    return true;
}

/* The spec as a text in the arena; absent when the arena is full. False: a pattern gives no whole number. */
static bool make_spec(struct partitions *partitions, const struct coded *coded, uint32_t row, struct arena *arena,
                      struct buffer *buffer, struct str *spec_out)
{
    struct spec_kept *kept = NULL;
    int64_t unit = 0;

    if (partitions->specs) {
        unit = coded[0].dictionary.keys[coded[0].codes[row]].number;
        kept = &partitions->specs[(uint64_t)floor_divide(unit, partitions->sources[0].unit_seconds) % SPECS_KEPT];
        if (kept->size && kept->unit == unit) {
            *spec_out = arena_try_copy(arena, str_make(kept->text, kept->size));
            return true;
        }
    }
    if (!print_spec(partitions, coded, row, buffer))
        return false;
    if (kept && buffer->size <= SPEC_KEPT_BYTES) {
        kept->unit = unit;
        kept->size = (uint32_t)buffer->size;
        memcpy(kept->text, buffer->data, buffer->size);
    }
    *spec_out = arena_try_copy(arena, buffer_str(buffer));
    return true;
}

/* Pairs the codes of the coded columns into one code a row; count_out of them, each with its first row. */
static bool combine(struct batch *batch, const struct coded *coded, size_t coded_count, int32_t **codes_out, uint32_t *count_out)
{
    int32_t *codes = coded[0].codes;
    uint32_t count = coded[0].dictionary.count;

    for (size_t i = 1; i < coded_count; i++) {
        struct dictionary pairs = {.arena = &batch->arena};
        int32_t *paired = arena_try_array(&batch->arena, batch->row_count, sizeof(*paired));
        int64_t last = -1, code = -1;

        if (!paired)
            return false;
        for (uint32_t j = 0; j < batch->selected; j++) {
            uint32_t row = batch->selection[j];
            int64_t pair = (int64_t)codes[row] << 32 | coded[i].codes[row];

            if (pair != last) {
                code = dictionary_code(&pairs, (struct key){STR_NONE, pair});
                if (code < 0)
                    return false;
                last = pair;
            }
            paired[row] = (int32_t)code;
        }
        codes = paired;
        count = pairs.count;
    }
    *codes_out = codes;
    *count_out = count;
    return true;
}

/* One group a spec (two codes may print alike: a pattern need not show all of the time), rows sorted by counting. */
static bool group_rows(struct partitions *partitions, struct batch *batch, const struct coded *coded, int32_t *codes,
                       uint32_t code_count, struct routed_group **groups_out, size_t *count_out, struct error *error)
{
    struct arena *arena = &batch->arena;
    struct dictionary specs = {.arena = arena};
    int32_t *group_of = arena_try_array(arena, code_count, sizeof(*group_of));
    uint32_t *at = arena_try_array(arena, (size_t)code_count + 1, sizeof(*at));
    struct routed_group *groups = arena_try_array(arena, code_count, sizeof(*groups));
    struct buffer spec = {0};
    uint32_t *rows;
    bool ok = false;

    if (!group_of || !at || !groups)
        goto full;
    memset(group_of, 0xFF, code_count * sizeof(*group_of));
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        int32_t group = group_of[codes[row]];

        if (UNLIKELY(group < 0)) {
            uint32_t known = specs.count;
            struct str text;
            int64_t found;

            if (!make_spec(partitions, coded, row, arena, &spec, &text)) {
                error_set(error, ERROR_CONFIG,
                          "partition: a pattern gives no whole number for a partition column of an integer type");
                goto out;
            }
            found = text.data ? dictionary_code(&specs, (struct key){text, 0}) : -1;
            if (found < 0)
                goto full;
            group = (int32_t)found;
            group_of[codes[row]] = group;
            if ((uint32_t)group == known)
                groups[group] = (struct routed_group){.spec = text};
        }
        groups[group].count++;
    }
    if (specs.count == 1) {
        groups[0].rows = batch->selection;
    } else {
        uint32_t sum = 0;

        rows = arena_try_array(arena, batch->selected, sizeof(*rows));
        if (!rows)
            goto full;
        for (uint32_t i = 0; i < specs.count; i++) {
            at[i] = sum;
            groups[i].rows = rows + sum;
            sum += groups[i].count;
        }
        for (uint32_t i = 0; i < batch->selected; i++) {
            uint32_t row = batch->selection[i];

            rows[at[group_of[codes[row]]]++] = row;
        }
    }
    *groups_out = groups;
    *count_out = specs.count;
    ok = true;
    goto out;
full:
    arena_full(batch, error);
out:
    buffer_release(&spec);
    return ok;
}

static bool coded_new(struct batch *batch, struct coded *coded)
{
    coded->dictionary = (struct dictionary){.arena = &batch->arena};
    coded->codes = arena_try_array(&batch->arena, batch->row_count, sizeof(*coded->codes));
    return coded->codes != NULL;
}

static bool level_integer(const struct partitions *partitions, size_t source, size_t index)
{
    for (size_t i = 0; i < partitions->level_count; i++)
        if (partitions->levels[i].source == source && (partitions->sources[source].kind != SOURCE_LUA ||
                                                       partitions->levels[i].index == index) && partitions->levels[i].integer)
            return true;
    return false;
}

bool partitions_batch(struct partitions *partitions, struct batch *batch, struct routed_group **groups_out, size_t *count_out,
                      struct error *error)
{
    struct coded coded[PARTITION_LEVELS_MAX];
    size_t coded_count = 0;
    int32_t *codes;
    uint32_t code_count;

    *groups_out = NULL;
    *count_out = 0;
    batch->stage = "partition";
    batch->when_error = WHEN_ERROR_DIRTY;
    if (partitions->level_count == 0) {
        if (batch->selected == 0)
            return true;
        *groups_out = arena_try_alloc(&batch->arena, sizeof(**groups_out));
        if (!*groups_out)
            return arena_full(batch, error);
        **groups_out = (struct routed_group){STR(""), batch->selection, batch->selected};
        *count_out = 1;
        return true;
    }
    for (size_t i = 0; i < partitions->source_count && batch->selected; i++) {
        struct source *source = &partitions->sources[i];
        size_t first = coded_count;

        for (size_t j = 0; j < (source->kind == SOURCE_LUA ? source->columns : 1); j++)
            if (!coded_new(batch, &coded[coded_count++]))
                return arena_full(batch, error);
        if (source->kind == SOURCE_CLOCK) {
            if (!run_clock(partitions, source, batch, &coded[first], error))
                return false;
        } else if (source->kind == SOURCE_FIELD) {
            if (!run_field(partitions, source, batch, level_integer(partitions, i, 0), &coded[first], error))
                return false;
        } else {
            struct column *columns[PARTITION_LEVELS_MAX];

            if (!run_lua(partitions, source, batch, columns, error))
                return false;
            for (size_t j = 0; j < source->columns && batch->selected; j++) {
                if (!code_texts(source, batch, columns[j], level_integer(partitions, i, j), &coded[first + j], error))
                    return false;
                batch_sweep(batch);
            }
        }
        batch_sweep(batch);
    }
    if (batch->selected == 0)
        return true;
    assert(coded_count > 0);
    if (!combine(batch, coded, coded_count, &codes, &code_count))
        return arena_full(batch, error);
    return group_rows(partitions, batch, coded, codes, code_count, groups_out, count_out, error);
}
