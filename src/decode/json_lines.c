/* json_lines.c: kind json_lines: a row for each line of a value that is not blank; a json stage parses them.
 * Cost: one memchr a line; rows and texts gather in arrays of the arena that double when they are full. */
#include "decode/internal.h"

#include <stdlib.h>

struct json_lines {
    struct charset *charset; /* NULL: none */
    uint32_t rows_max;
};

struct lines {
    struct arena *arena;
    uint32_t *source;
    struct str *texts;
    uint32_t count, capacity;
};

static void json_lines_close(void *state)
{
    struct json_lines *json_lines = state;

    if (!json_lines)
        return;
    charset_free(json_lines->charset);
    free(json_lines);
}

static void *json_lines_open(struct decode_source *source)
{
    struct json_lines *json_lines = xcalloc(1, sizeof(*json_lines));

    decode_need_field(source, BUILTIN_VALUE);
    json_lines->charset = charset_open(source, source->options->charset);
    json_lines->rows_max = source->options->rows_max;
    return json_lines;
}

static bool add(struct lines *lines, uint32_t row, struct str text)
{
    if (UNLIKELY(lines->count == lines->capacity)) {
        uint32_t capacity = lines->capacity < 8 ? 16 : lines->capacity * 2;

        lines->source = decode_grow(lines->arena, lines->source, lines->count, capacity, sizeof(*lines->source));
        lines->texts = decode_grow(lines->arena, lines->texts, lines->count, capacity, sizeof(*lines->texts));
        if (!lines->source || !lines->texts)
            return false;
        lines->capacity = capacity;
    }
    lines->source[lines->count] = row;
    lines->texts[lines->count++] = text;
    return true;
}

/* False: the arena is full. */
static bool split(struct json_lines *json_lines, struct batch *batch, struct lines *lines, uint32_t row, struct str value)
{
    const char *p = value.data, *end = p + value.size;
    uint32_t first = lines->count;

    if (!value.data)
        return add(lines, row, STR_NONE);
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        struct str line = str_trim(str_make(p, (size_t)((stop ? stop : end) - p)));

        p = stop ? stop + 1 : end;
        if (!line.size)
            continue;
        if (lines->count - first == json_lines->rows_max) {
            lines->count = first;
            batch_fail(batch, row, str_of(batch_builtin_names[BUILTIN_VALUE]), "has more lines than decode.rows_max allows, %u",
                       json_lines->rows_max);
            return true;
        }
        if (!add(lines, row, line))
            return false;
    }
    return true;
}

static bool json_lines_run(void *state, struct batch *batch, struct error *error)
{
    struct lines lines = {.arena = &batch->arena, .capacity = batch->selected};
    struct json_lines *json_lines = state;
    struct column *column = NULL;

    if (json_lines->charset && !(column = charset_run(json_lines->charset, batch, BUILTIN_VALUE)))
        return decode_full(error);
    batch_sweep(batch);
    lines.source = arena_try_array(lines.arena, lines.capacity, sizeof(*lines.source));
    lines.texts = arena_try_array(lines.arena, lines.capacity, sizeof(*lines.texts));
    if (!lines.source || !lines.texts)
        return decode_full(error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        if (!split(json_lines, batch, &lines, batch->selection[i], decode_value(batch, column, batch->selection[i])))
            return decode_full(error);
        if (lines.count > BATCH_EXPANDED_ROWS_MAX)
            return decode_too_many(error);
    }
    if (!batch_expand(batch, lines.source, lines.count))
        return decode_full(error);
    column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), lines.count, true);
    if (!column)
        return decode_full(error);
    for (uint32_t i = 0; i < lines.count; i++) {
        column->text[i] = lines.texts[i];
        column->null[i] = !lines.texts[i].data;
    }
    decode_replace(batch, BUILTIN_VALUE, column);
    return true;
}

const struct decode_kind decode_json_lines = {"json_lines", json_lines_open, json_lines_close, json_lines_run};
