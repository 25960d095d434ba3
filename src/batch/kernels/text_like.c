/* text_like.c: SQL's LIKE.
 * Method: the pattern is cut at its % into segments, each a list of literals and single characters. The first segment is tied to
 * the text's start and the last to its end, unless a % stands there; those between are found one after another, the earliest
 * place each, which is enough. Time: linear for segments without _, else text times segment. */
#include "batch/kernels/text_internal.h"

#include <stdlib.h>

struct item {
    struct str literal; /* data NULL: any one character */
};

struct segment {
    size_t first, count; /* items */
    size_t characters;
};

struct text_pattern {
    char *bytes; /* of the literals */
    struct item *items;
    struct segment *segments;
    size_t segment_count;
    bool open_start, open_end; /* a % stands there */
    bool characters;           /* there is a _ */
};

/* Puts one literal character, or with width 0 any one, at the end of the segment in hand. */
static void pattern_add(struct text_pattern *pattern, size_t *item_count, char **free_bytes, const char *character, size_t width)
{
    struct segment *segment = &pattern->segments[pattern->segment_count - 1];
    struct item *item;

    segment->characters++;
    pattern->characters |= width == 0;
    if (width && segment->count && pattern->items[*item_count - 1].literal.data) {
        item = &pattern->items[*item_count - 1];
    } else {
        item = &pattern->items[(*item_count)++];
        *item = (struct item){str_make(width ? *free_bytes : NULL, 0)};
        segment->count++;
    }
    if (!width)
        return;
    memcpy(*free_bytes, character, width);
    *free_bytes += width;
    item->literal.size += width;
}

bool text_pattern_new(struct text_pattern **pattern_out, struct str text, uint32_t escape, size_t *wrong_at, struct error *error)
{
    struct text_pattern *pattern = NULL;
    size_t item_count = 0, number = 0, width;
    char *free_bytes;
    bool open = false; /* a segment is in hand */

    *wrong_at = 0;
    if (!str_is_utf8(text))
        return error_set(error, ERROR_CONFIG, "the pattern is not valid UTF-8");
    pattern = xcalloc(1, sizeof(*pattern));
    pattern->bytes = free_bytes = xmalloc(text.size + 1);
    pattern->items = xcalloc(text.size + 1, sizeof(*pattern->items));
    pattern->segments = xcalloc(text.size + 1, sizeof(*pattern->segments));
    for (size_t at = 0; at < text.size; at += width) {
        uint32_t c = text_decode(text.data + at, &width);
        bool literal = c != '%' && c != '_';

        number++;
        if (escape && c == escape) {
            uint32_t next = 0;

            at += width;
            number++;
            if (at < text.size)
                next = text_decode(text.data + at, &width);
            if (next != '%' && next != '_' && next != escape) {
                text_pattern_free(pattern);
                *wrong_at = at;
                return error_set(error, ERROR_CONFIG,
                                 "character %zu of the pattern: behind the escape character only %%, _ and itself can stand",
                                 number);
            }
            literal = true;
        }
        if (!literal && c == '%') {
            pattern->open_start |= pattern->segment_count == 0;
            open = false;
            continue;
        }
        if (!open)
            pattern->segments[pattern->segment_count++].first = item_count;
        open = true;
        pattern_add(pattern, &item_count, &free_bytes, text.data + at, literal ? width : 0);
    }
    pattern->open_end = !open && text.size;
    *pattern_out = pattern;
    return true;
}

void text_pattern_free(struct text_pattern *pattern)
{
    if (!pattern)
        return;
    free(pattern->bytes);
    free(pattern->items);
    free(pattern->segments);
    free(pattern);
}

/* Where the segment ends when it begins at `at`, or NULL. */
static const char *match_segment(const struct text_pattern *pattern, const struct segment *segment, const char *at,
                                 const char *end)
{
    for (size_t i = segment->first; i < segment->first + segment->count; i++) {
        struct str literal = pattern->items[i].literal;

        if (!literal.data) {
            if (at == end)
                return NULL;
            at += text_width((unsigned char)*at);
        } else {
            if ((size_t)(end - at) < literal.size || memcmp(at, literal.data, literal.size) != 0)
                return NULL;
            at += literal.size;
        }
    }
    return at;
}

/* Where the earliest match of the segment ends, or NULL. */
static const char *find_segment(const struct text_pattern *pattern, const struct segment *segment, const char *at,
                                const char *end)
{
    struct str first = pattern->items[segment->first].literal;
    struct text_finder finder;
    const char *behind;

    if (first.data)
        text_finder_init(&finder, first, true);
    for (;;) {
        const char *found = NULL;

        if (first.data && !(at = text_finder_next(&finder, at, end, &found)))
            return NULL;
        if ((behind = match_segment(pattern, segment, at, end)))
            return behind;
        if (at == end)
            return NULL;
        at += text_width((unsigned char)*at);
    }
}

static bool match(const struct text_pattern *pattern, struct str text)
{
    const char *at = text.data, *end = at + text.size;
    const struct segment *segment = pattern->segments, *behind = segment + pattern->segment_count;

    if (segment == behind)
        return pattern->open_end || text.size == 0;
    if (!pattern->open_start) {
        at = match_segment(pattern, segment++, at, end);
        if (!at || (segment == behind && !pattern->open_end))
            return at && at == end;
    }
    if (!pattern->open_end) {
        const struct segment *last = --behind;
        const char *tail;

        if (pattern->characters)
            tail = text_skip_back(at, end, last->characters);
        else if ((size_t)(end - at) < pattern->items[last->first].literal.size)
            return false;
        else
            tail = end - pattern->items[last->first].literal.size;
        if (match_segment(pattern, last, tail, end) != end)
            return false;
        end = tail;
    }
    for (; segment < behind; segment++)
        if (!(at = find_segment(pattern, segment, at, end)))
            return false;
    return true;
}

static const char *like(struct text_row *row)
{
    row->result_truth = match(row->with, row->text[0]);
    return NULL;
}

bool text_like(struct batch *batch, const struct text_pattern *pattern, struct operand a, struct str what,
               struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = like,
        .type = TYPE_BOOLEAN,
        .characters = pattern->characters,
        .texts = {a},
        .with = pattern,
        .what = what,
    };

    return text_run(batch, &call, column_out, error);
}
