/* reasons.c: a table of at most 256 kinds, searched in order: dirty rows are rare, and where they are not, the first kinds are
 * the frequent ones. What comes beyond is counted as others. */
#include "dirty/dirty.h"

#include <stdlib.h>

enum { KINDS_MAX = 256, TEXT_MAX = 200 };

struct kind {
    char *stage, *column, *reason;
    uint64_t count;
};

struct dirty_reasons {
    struct kind kinds[KINDS_MAX];
    unsigned count;
    uint64_t others;
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
    reasons->count = 0;
    reasons->others = 0;
}

void dirty_reasons_free(struct dirty_reasons *reasons)
{
    if (!reasons)
        return;
    dirty_reasons_clear(reasons);
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

/* What is said about every value alike. */
static struct str without_value(struct str reason)
{
    size_t size = 0;

    while (size < reason.size && reason.data[size] != ':' && reason.data[size] != '"')
        size++;
    /* A reason that begins with the value is kept: better too many kinds than one without a text. */
    return shorten(size ? str_trim(str_make(reason.data, size)) : reason);
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
    add(reasons, stage.data ? stage : STR(""), column.data ? shorten(column) : STR(""),
        reason.data ? without_value(reason) : STR(""), 1);
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
        buffer_print(text, "%s%llu times ", i ? "; " : "", (unsigned long long)sorted[i]->count);
        print_kind(sorted[i], text);
    }
    if (others)
        buffer_print(text, "%s%llu times other reasons", count && most ? "; " : "", (unsigned long long)others);
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
