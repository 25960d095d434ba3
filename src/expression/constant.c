/* constant.c: the values that an expression's text holds, as columns of one row. */
#include "expression/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch/decimal.h"

struct column *constant_new(struct arena *arena, struct type type)
{
    struct column *column = column_try_new(arena, type, 1, type.kind == TYPE_NULL);

    if (column && column->data && type_size(type.kind))
        memset(column->data, 0, type_size(type.kind));
    return column;
}

struct column *constant_text(struct arena *arena, struct str text)
{
    struct column *column = constant_new(arena, TYPE_OF(TYPE_STRING));
    struct str copy = arena_try_copy(arena, text);

    if (!column || (text.data && !copy.data))
        return NULL;
    column->text[0] = copy;
    column->utf8 = str_is_utf8(copy);
    return column;
}

/* Digits and a point: exact, at the scale that is written. */
static const char *number_exact(struct arena *arena, struct str digits, const char *text, struct column **column_out)
{
    const char *point = memchr(digits.data, '.', digits.size);
    size_t scale = point ? digits.size - (size_t)(point - digits.data) - 1 : 0, zeros = 0, count;
    struct type type;
    int128 value;

    while (zeros < digits.size && digits.data[zeros] == '0')
        zeros++;
    count = size_max(size_max(digits.size - zeros - (point != NULL), scale), 1);
    if (count > DECIMAL_DIGITS_MAX)
        return "a number has at most 38 digits; 1e40 is a double";
    type = type_decimal((uint8_t)count, (uint8_t)scale);
    if (decimal_parse(str_of(text), type, &value) != DECIMAL_OK)
        return "this is no number";
    if (!point && value >= INT64_MIN && value <= INT64_MAX)
        type = TYPE_OF(TYPE_BIGINT);
    *column_out = constant_new(arena, type);
    if (*column_out && type.kind == TYPE_BIGINT)
        (*column_out)->bigint[0] = (int64_t)value;
    else if (*column_out)
        (*column_out)->decimal[0] = value;
    return NULL;
}

const char *constant_number(struct arena *arena, struct str digits, bool negative, struct column **column_out)
{
    char *text = xasprintf("%s%s%.*s", negative ? "-" : "", digits.data[0] == '.' ? "0" : "", STR_ARG(digits));
    const char *why = NULL;

    *column_out = NULL;
    if (memchr(digits.data, 'e', digits.size) || memchr(digits.data, 'E', digits.size)) {
        double value = strtod(text, NULL);

        *column_out = constant_new(arena, TYPE_OF(TYPE_DOUBLE));
        if (*column_out)
            (*column_out)->real[0] = value;
        if (!isfinite(value))
            why = "the number is beyond the range of a double";
    } else {
        why = number_exact(arena, digits, text, column_out);
    }
    free(text);
    return why;
}
