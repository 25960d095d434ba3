/* text_cut.c: text kernels whose results are pieces of their operand, and lengths. Nothing is copied. */
#include "batch/kernels/text_internal.h"

/* Whether to take the character off. Valid UTF-8 is found in valid UTF-8 only where a character begins. */
static bool is_among(const char *character, size_t width, struct str set)
{
    if (width == 1)
        return set.data ? set.size && memchr(set.data, *character, set.size) : text_is_blank((unsigned char)*character);
    if (set.data)
        return memmem(set.data, set.size, character, width) != NULL;
    return text_is_blank(text_decode(character, &width));
}

static const char *trim(struct text_row *row, enum text_sides sides)
{
    const char *from = row->text[0].data, *end = from + row->text[0].size;
    struct str set = row->text[1];

    while (sides & TEXT_LEFT && from < end) {
        size_t width = text_width((unsigned char)*from);

        if (!is_among(from, width, set))
            break;
        from += width;
    }
    while (sides & TEXT_RIGHT && from < end) {
        const char *last = text_skip_back(from, end, 1);

        if (!is_among(last, (size_t)(end - last), set))
            break;
        end = last;
    }
    row->result = str_make(from, (size_t)(end - from));
    return NULL;
}

static const char *trim_left(struct text_row *row)
{
    return trim(row, TEXT_LEFT);
}

static const char *trim_right(struct text_row *row)
{
    return trim(row, TEXT_RIGHT);
}

static const char *trim_both(struct text_row *row)
{
    return trim(row, TEXT_BOTH);
}

bool text_trim(struct batch *batch, struct operand a, struct operand characters, enum text_sides sides, struct str what,
               struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = sides == TEXT_LEFT    ? trim_left
                     : sides == TEXT_RIGHT ? trim_right
                                           : trim_both,
        .type = TYPE_STRING,
        .characters = true,
        .texts = {a, characters},
        .what = what,
    };

    return text_run(batch, &call, column_out, error);
}

static const char *length(struct text_row *row)
{
    row->result_number = (int64_t)text_count(row->text[0]);
    return NULL;
}

bool text_length(struct batch *batch, struct operand a, struct str what, struct column **column_out, struct error *error)
{
    struct text_call call = {.operation = length, .type = TYPE_BIGINT, .characters = true, .texts = {a}, .what = what};

    return text_run(batch, &call, column_out, error);
}

/* The number's size, also of the least one. */
static uint64_t size_of(int64_t number)
{
    return number < 0 ? -(uint64_t)number : (uint64_t)number;
}

static const char *substr(struct text_row *row)
{
    const char *start = row->text[0].data, *end = start + row->text[0].size, *from, *to;
    int64_t first = row->number[0], count = row->number[1];

    if (first >= 0)
        from = text_skip(start, end, first ? (uint64_t)first - 1 : 0);
    else if (size_of(first) > text_count(row->text[0]))
        from = end;
    else
        from = text_skip_back(start, end, size_of(first));
    to = count > 0 ? text_skip(from, end, (uint64_t)count) : from;
    row->result = str_make(from, (size_t)(to - from));
    return NULL;
}

bool text_substr(struct batch *batch, struct operand a, struct operand start, struct operand length_, struct str what,
                 struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = substr,
        .type = TYPE_STRING,
        .characters = true,
        .texts = {a},
        .numbers = {start, length_},
        .number_defaults = {1, INT64_MAX},
        .what = what,
    };

    return text_run(batch, &call, column_out, error);
}

static const char *left(struct text_row *row)
{
    const char *from = row->text[0].data, *end = from + row->text[0].size;
    uint64_t count = row->number[0] > 0 ? (uint64_t)row->number[0] : 0;

    row->result = str_make(from, (size_t)(text_skip(from, end, count) - from));
    return NULL;
}

static const char *right(struct text_row *row)
{
    const char *start = row->text[0].data, *end = start + row->text[0].size;
    const char *from = text_skip_back(start, end, row->number[0] > 0 ? (uint64_t)row->number[0] : 0);

    row->result = str_make(from, (size_t)(end - from));
    return NULL;
}

bool text_part(struct batch *batch, struct operand a, struct operand count, enum text_sides side, struct str what,
               struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = side == TEXT_LEFT ? left : right,
        .type = TYPE_STRING,
        .characters = true,
        .texts = {a},
        .numbers = {count},
        .what = what,
    };

    return text_run(batch, &call, column_out, error);
}

static const char *split_part(struct text_row *row)
{
    const char *from = row->text[0].data, *end = from + row->text[0].size, *to;
    struct text_finder finder;
    uint64_t index = size_of(row->number[0]);

    if (index == 0)
        return "parts are counted from 1, or from the end by negative numbers; there is no part 0";
    row->result = STR("");
    if (row->text[1].size == 0) {
        if (index == 1)
            row->result = row->text[0];
        return NULL;
    }
    text_finder_init(&finder, row->text[1], true);
    if (row->number[0] < 0) {
        const char *behind = from;
        uint64_t parts = 1;

        while (text_finder_next(&finder, behind, end, &behind))
            parts++;
        if (index > parts)
            return NULL;
        index = parts + 1 - index;
    }
    for (;;) {
        const char *behind = end;

        to = text_finder_next(&finder, from, end, &behind);
        if (--index == 0 || !to)
            break;
        from = behind;
    }
    if (index == 0)
        row->result = str_make(from, (size_t)((to ? to : end) - from));
    return NULL;
}

bool text_split_part(struct batch *batch, struct operand a, struct operand separator, struct operand index, struct str what,
                     struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = split_part,
        .type = TYPE_STRING,
        .texts = {a, separator},
        .numbers = {index},
        .what = what,
    };

    return text_run(batch, &call, column_out, error);
}
