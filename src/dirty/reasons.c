/* reasons.c: a table of at most 256 kinds, searched in order: dirty rows are rare, and where they are not, the first kinds are
 * the frequent ones. What comes beyond is counted as others. Beside it a count per stage and column, which no number of different
 * reasons can fill up. */
#include "dirty/dirty.h"

#include <stdlib.h>

enum { KINDS_MAX = 256, COLUMNS_MAX = 1024, TEXT_MAX = 200 };

struct kind {
    char *stage, *column, *reason;
    uint64_t count;
};

struct dirty_reasons {
    struct kind kinds[KINDS_MAX];
    unsigned count;
    uint64_t others;
    struct dirty_column *columns;
    size_t column_count, column_capacity;
    uint64_t other_columns;
};

struct dirty_reasons *dirty_reasons_new(void)
{
    return xcalloc(1, sizeof(struct dirty_reasons));
}

void dirty_reasons_clear(struct dirty_reasons *reasons)
{
    for (unsigned i = 0; i < reasons->count; i++) {
        free(reasons->kinds[i].stage);
        free(reasons->kinds[i].column);
        free(reasons->kinds[i].reason);
    }
    for (size_t i = 0; i < reasons->column_count; i++) {
        free(reasons->columns[i].stage);
        free(reasons->columns[i].column);
    }
    reasons->count = 0;
    reasons->others = 0;
    reasons->column_count = 0;
    reasons->other_columns = 0;
}

void dirty_reasons_free(struct dirty_reasons *reasons)
{
    if (!reasons)
        return;
    dirty_reasons_clear(reasons);
    free(reasons->columns);
    free(reasons);
}

/* At most TEXT_MAX bytes, whole characters. */
static struct str shorten(struct str text)
{
    if (text.size > TEXT_MAX) {
        text.size = TEXT_MAX;
        while (text.size && ((unsigned char)text.data[text.size] & 0xC0) == 0x80)
            text.size--;
    }
    return text;
}

static bool is_number_word(struct str text)
{
    return text.size && ((text.data[0] >= '0' && text.data[0] <= '9') ||
                         (text.data[0] == '-' && text.size > 1 && text.data[1] >= '0' && text.data[1] <= '9'));
}

/* What stands behind the excerpt of a value that the reason begins with (convert_excerpt): a text in quotes, maybe with quotes
 * of its own, and "..." behind it when it was cut; a number, a date, a time, bytes in hexadecimal. The last quote that a word
 * follows ends it, but for the one of a part of the value: "..." at $.a. */
static struct str behind_excerpt(struct str reason)
{
    struct str rest = reason, word, more;

    for (size_t i = 1; i + 2 < reason.size && reason.data[0] == '"'; i++) {
        struct str after = str_make(reason.data + i + 1, reason.size - i - 1);

        if (reason.data[i] != '"')
            continue;
        if (str_starts_with(after, STR("...")))
            after = str_make(after.data + 3, after.size - 3);
        if (after.size > 1 && after.data[0] == ' ' && ((after.data[1] >= 'a' && after.data[1] <= 'z') || after.data[1] == '(') &&
            !str_starts_with(after, STR(" at $")))
            rest = str_trim(after);
    }
    while (is_number_word(rest) && str_cut(rest, ' ', &word, &more))
        rest = str_trim(more);
    /* Behind a number that begins a computation, "10 // id: division by zero", comes no word. */
    return rest.size && strchr("+-*/%|<=>!~", rest.data[0]) ? reason : rest;
}

/* An expression, which is the same for every value, and why there is no result of it: "1 // id: division by zero". */
static bool is_of_expression(struct str reason)
{
    static const char *const whys[] = {"division by zero", "the result ", "the pattern ", "the text "};
    size_t at = reason.size;
    struct str why;

    while (at > 1 && !(reason.data[at - 2] == ':' && reason.data[at - 1] == ' '))
        at--;
    why = str_make(reason.data + at, reason.size - at);
    for (size_t i = 0; at > 1 && i < COUNT_OF(whys); i++)
        if (str_starts_with(why, str_of(whys[i])) && !memchr(why.data, '"', why.size))
            return true;
    return false;
}

/* The size of the place that an error of Lua begins with, "stage.lua:13: ", or 0. */
static size_t place_size(struct str reason)
{
    static const char ending[] = ".lua:";

    for (size_t at = 1; at + sizeof(ending) < reason.size && reason.data[at] != ' '; at++) {
        size_t digits = at + sizeof(ending) - 1, end = digits;

        if (memcmp(reason.data + at, ending, sizeof(ending) - 1) != 0)
            continue;
        while (end < reason.size && reason.data[end] >= '0' && reason.data[end] <= '9')
            end++;
        if (end > digits && end + 2 < reason.size && reason.data[end] == ':' && reason.data[end + 1] == ' ')
            return end + 2;
    }
    return 0;
}

/* What is said about every value alike. The colons of a time, as in "such as 2024-01-31 23:59:59", end nothing. */
static struct str without_value(struct str whole)
{
    struct str reason = behind_excerpt(whole);
    size_t size = place_size(reason);

    while (size < reason.size && reason.data[size] != '"' &&
           !(reason.data[size] == ':' && (size + 1 == reason.size || reason.data[size + 1] == ' ')))
        size++;
    if (is_of_expression(reason))
        size = reason.size;
    /* A reason that begins with the value is kept: better too many kinds than one without a text. */
    return shorten(size ? str_trim(str_make(reason.data, size)) : whole);
}

static void add_column(struct dirty_reasons *reasons, struct str stage, struct str column, uint64_t count)
{
    for (size_t i = 0; i < reasons->column_count; i++) {
        struct dirty_column *known = &reasons->columns[i];

        if (str_is(column, known->column) && str_is(stage, known->stage)) {
            known->count += count;
            return;
        }
    }
    if (reasons->column_count == COLUMNS_MAX) {
        reasons->other_columns += count;
        return;
    }
    XGROW(reasons->columns, reasons->column_count, reasons->column_capacity);
    reasons->columns[reasons->column_count++] =
        (struct dirty_column){.stage = str_dup(stage), .column = str_dup(column), .count = count};
}

static void add(struct dirty_reasons *reasons, struct str stage, struct str column, struct str reason, uint64_t count)
{
    struct kind *kind;

    for (unsigned i = 0; i < reasons->count; i++) {
        kind = &reasons->kinds[i];
        if (str_is(reason, kind->reason) && str_is(stage, kind->stage) && str_is(column, kind->column)) {
            kind->count += count;
            return;
        }
    }
    if (reasons->count == KINDS_MAX) {
        reasons->others += count;
        return;
    }
    kind = &reasons->kinds[reasons->count++];
    *kind = (struct kind){.stage = str_dup(stage), .column = str_dup(column), .reason = str_dup(reason), .count = count};
}

void dirty_reasons_add_row(struct dirty_reasons *reasons, struct str stage, struct str column, struct str reason)
{
    stage = stage.data ? stage : STR("");
    column = column.data ? shorten(column) : STR("");
    add(reasons, stage, column, reason.data ? without_value(reason) : STR(""), 1);
    add_column(reasons, stage, column, 1);
}

void dirty_reasons_add(struct dirty_reasons *reasons, const struct batch *batch)
{
    for (const struct dirty_row *row = batch->dirty; row; row = row->next)
        dirty_reasons_add_row(reasons, str_of(row->stage), row->column, row->reason);
}

void dirty_reasons_merge(struct dirty_reasons *into, const struct dirty_reasons *from)
{
    for (unsigned i = 0; i < from->count; i++) {
        const struct kind *kind = &from->kinds[i];

        add(into, str_of(kind->stage), str_of(kind->column), str_of(kind->reason), kind->count);
    }
    into->others += from->others;
    for (size_t i = 0; i < from->column_count; i++)
        add_column(into, str_of(from->columns[i].stage), str_of(from->columns[i].column), from->columns[i].count);
    into->other_columns += from->other_columns;
}

static int by_count(const void *a, const void *b)
{
    const struct kind *x = *(const struct kind *const *)a, *y = *(const struct kind *const *)b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return x < y ? -1 : x > y; /* first seen first */
}

static unsigned sort(const struct dirty_reasons *reasons, const struct kind *sorted[KINDS_MAX])
{
    for (unsigned i = 0; i < reasons->count; i++)
        sorted[i] = &reasons->kinds[i];
    if (reasons->count)
        qsort(sorted, reasons->count, sizeof(sorted[0]), by_count);
    return reasons->count;
}

static void print_kind(const struct kind *kind, struct buffer *text)
{
    buffer_print(text, "%s%s%s%s: %s", kind->stage[0] ? kind->stage : "no stage", kind->column[0] ? " (" : "", kind->column,
                 kind->column[0] ? ")" : "", kind->reason);
}

static void print_times(uint64_t count, bool more, struct buffer *text)
{
    buffer_print(text, "%s%llu time%s ", more ? "; " : "", (unsigned long long)count, count == 1 ? "" : "s");
}

void dirty_reasons_print(const struct dirty_reasons *reasons, unsigned most, struct buffer *text)
{
    const struct kind *sorted[KINDS_MAX];
    uint64_t others = reasons->others;
    unsigned count = sort(reasons, sorted);

    for (unsigned i = 0; i < count; i++) {
        if (i >= most) {
            others += sorted[i]->count;
            continue;
        }
        print_times(sorted[i]->count, i, text);
        print_kind(sorted[i], text);
    }
    if (others) {
        print_times(others, count && most, text);
        buffer_append_str(text, STR("other reasons"));
    }
}

const struct dirty_column *dirty_reasons_columns(const struct dirty_reasons *reasons, size_t *count_out, uint64_t *others_out)
{
    *count_out = reasons->column_count;
    *others_out = reasons->other_columns;
    return reasons->columns;
}

static int by_column_count(const void *a, const void *b)
{
    const struct dirty_column *x = *(const struct dirty_column *const *)a, *y = *(const struct dirty_column *const *)b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return x < y ? -1 : x > y;
}

void dirty_reasons_print_columns(const struct dirty_reasons *reasons, unsigned most, struct buffer *text)
{
    const struct dirty_column **sorted = xcalloc(reasons->column_count + 1, sizeof(*sorted));
    uint64_t others = reasons->other_columns;

    for (size_t i = 0; i < reasons->column_count; i++)
        sorted[i] = &reasons->columns[i];
    qsort(sorted, reasons->column_count, sizeof(*sorted), by_column_count);
    for (size_t i = 0; i < reasons->column_count; i++) {
        const struct dirty_column *column = sorted[i];

        if (i >= most) {
            others += column->count;
            continue;
        }
        buffer_print(text, "%s%s%s%s%s %llu", i ? ", " : "", column->stage[0] ? column->stage : "no stage",
                     column->column[0] ? " (" : "", column->column, column->column[0] ? ")" : "",
                     (unsigned long long)column->count);
    }
    if (others)
        buffer_print(text, "%sothers %llu", reasons->column_count && most ? ", " : "", (unsigned long long)others);
    free(sorted);
}

void dirty_reasons_print_lines(const struct dirty_reasons *reasons, struct buffer *text)
{
    const struct kind *sorted[KINDS_MAX];
    unsigned count = sort(reasons, sorted);

    for (unsigned i = 0; i < count; i++) {
        buffer_print(text, "%10llu  ", (unsigned long long)sorted[i]->count);
        print_kind(sorted[i], text);
        buffer_append_char(text, '\n');
    }
    if (reasons->others)
        buffer_print(text, "%10llu  other reasons\n", (unsigned long long)reasons->others);
}
