/* text_build.c: text kernels that make longer or other texts: pad, reverse, repeat, concat_ws. */
#include "batch/kernels/text_internal.h"

/* size bytes of the text, again and again. */
static void fill(char *to, size_t size, struct str text)
{
    size_t done = size_min(size, text.size);

    if (!done)
        return;
    memcpy(to, text.data, done);
    while (done < size) {
        size_t more = size_min(done, size - done);

        memcpy(to + done, to, more);
        done += more;
    }
}

static const char *pad(struct text_row *row, enum text_sides side)
{
    struct str text = row->text[0], filler = row->text[1];
    uint64_t wanted = row->number[0] > 0 ? (uint64_t)row->number[0] : 0, count = text_count(text), fillers, missing;
    size_t size;
    const char *why;
    char *to;

    if (count >= wanted || filler.size == 0) {
        row->result = str_make(text.data, (size_t)(text_skip(text.data, text.data + text.size, wanted) - text.data));
        return NULL;
    }
    missing = wanted - count;
    fillers = text_count(filler);
    if (missing > TEXT_RESULT_MAX) /* a character is a byte at least; now nothing overflows */
        return text_too_long;
    size = missing / fillers * filler.size;
    size += (size_t)(text_skip(filler.data, filler.data + filler.size, missing % fillers) - filler.data);
    why = text_room(row, size + text.size, &to);
    if (why)
        return why;
    fill(side == TEXT_LEFT ? to : to + text.size, size, filler);
    if (text.size)
        memcpy(side == TEXT_LEFT ? to + size : to, text.data, text.size);
    return NULL;
}

static const char *pad_left(struct text_row *row)
{
    return pad(row, TEXT_LEFT);
}

static const char *pad_right(struct text_row *row)
{
    return pad(row, TEXT_RIGHT);
}

bool text_pad(struct batch *batch, struct operand a, struct operand length, struct operand filler, enum text_sides side,
              struct str what, struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = side == TEXT_LEFT ? pad_left : pad_right,
        .type = TYPE_STRING,
        .characters = true,
        .texts = {a, filler},
        .numbers = {length},
        .what = what,
    };

    return text_run(batch, &call, column_out, error);
}

static const char *reverse(struct text_row *row)
{
    const char *from = row->text[0].data, *end = from + row->text[0].size;
    char *to;
    const char *why = text_room(row, row->text[0].size, &to);

    if (why)
        return why;
    to += row->text[0].size;
    while (from < end) {
        size_t width = text_width((unsigned char)*from);

        to -= width;
        memcpy(to, from, width);
        from += width;
    }
    return NULL;
}

bool text_reverse(struct batch *batch, struct operand a, struct str what, struct column **column_out, struct error *error)
{
    struct text_call call = {.operation = reverse, .type = TYPE_STRING, .characters = true, .texts = {a}, .what = what};

    return text_run(batch, &call, column_out, error);
}

static const char *repeat(struct text_row *row)
{
    uint64_t times = row->number[0] > 0 ? (uint64_t)row->number[0] : 0;
    size_t size;
    const char *why;
    char *to;

    if (__builtin_mul_overflow(row->text[0].size, times, &size))
        return text_too_long;
    why = text_room(row, size, &to);
    if (!why)
        fill(to, size, row->text[0]);
    return why;
}

bool text_repeat(struct batch *batch, struct operand a, struct operand times, struct str what, struct column **column_out,
                 struct error *error)
{
    struct text_call call = {.operation = repeat, .type = TYPE_STRING, .texts = {a}, .numbers = {times}, .what = what};

    return text_run(batch, &call, column_out, error);
}

/* The parts of one row, joined. */
static const char *join(struct text_row *row, struct str separator, const struct operand *parts, size_t count, uint32_t at)
{
    size_t size = 0, joined = 0;
    const char *why;
    char *to;

    for (size_t k = 0; k < count; k++) {
        uint32_t mask = operand_mask(parts[k]);

        if (column_is_null(parts[k].column, at & mask))
            continue;
        size += parts[k].column->text[at & mask].size + (joined++ ? separator.size : 0);
        if (size > TEXT_RESULT_MAX) /* at each step, so that nothing overflows */
            return text_too_long;
    }
    why = text_room(row, size, &to);
    if (why)
        return why;
    joined = 0;
    for (size_t k = 0; k < count; k++) {
        uint32_t mask = operand_mask(parts[k]);
        struct str part;

        if (column_is_null(parts[k].column, at & mask))
            continue;
        if (joined++ && separator.size)
            to = (char *)memcpy(to, separator.data, separator.size) + separator.size;
        part = parts[k].column->text[at & mask];
        if (part.size)
            to = (char *)memcpy(to, part.data, part.size) + part.size;
    }
    return NULL;
}

bool text_concat_ws(struct batch *batch, struct operand separator, const struct operand *parts, size_t count, struct str what,
                    struct column **column_out, struct error *error)
{
    struct column *column = operand_result(batch, TYPE_OF(TYPE_STRING), separator, separator);
    struct text_row row = {.arena = &batch->arena};
    bool utf8 = text_is_known_utf8(separator);

    if (!type_is_text(operand_kind(separator)) && operand_kind(separator) != TYPE_NULL)
        return text_refuse(what, separator, "a text", error);
    for (size_t k = 0; k < count; k++) {
        if (!type_is_text(operand_kind(parts[k])) && operand_kind(parts[k]) != TYPE_NULL)
            return text_refuse(what, parts[k], "a text", error);
        utf8 &= text_is_known_utf8(parts[k]);
    }
    if (!column)
        return operand_out_of_memory(batch, error);
    column->utf8 = utf8;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t at = batch->selection[i];
        const char *why;

        if (column_is_null(column, at))
            continue;
        why = join(&row, separator.column->text[at & operand_mask(separator)], parts, count, at);
        if (why == text_no_room || (why && !operand_fail(batch, column, at, what, why)))
            return operand_out_of_memory(batch, error);
        column->text[at] = row.result;
    }
    batch_sweep(batch);
    *column_out = column;
    return true;
}
