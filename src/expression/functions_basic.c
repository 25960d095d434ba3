/* functions_basic.c: choosing between values, and numbers. */
#include "batch/decimal.h"
#include "expression/function.h"

#include <math.h>

static bool result_new(struct batch *batch, struct type type, const struct operand *arguments, size_t count,
                       struct column **column_out, struct error *error)
{
    *column_out = function_result(batch, type, arguments, count);
    return *column_out || operand_out_of_memory(batch, error);
}

/* ---- nullif, greatest, least ---- */

static bool nullif_prepare(struct function_call *call, struct error *error)
{
    if (!function_unify(call, 0, error))
        return false;
    /* The comparison takes them as they are, but for a text beside a time, and the result keeps the first one's type. */
    for (size_t i = 0; i < 2; i++)
        if (call->arguments[i].type.kind != TYPE_STRING || !kind_is_time(call->type.kind))
            call->arguments[i].as = call->arguments[i].type;
    call->type = call->arguments[0].as;
    return true;
}

static bool nullif_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                       struct column **column_out, struct error *error)
{
    struct column nothing = {.type = TYPE_OF(TYPE_NULL), .rows = 1}, *equal;
    struct operand null = {&nothing, true};

    if (call->type.kind == TYPE_NULL)
        return result_new(batch, call->type, arguments, 1, column_out, error);
    if (operand_kind(arguments[1]) == TYPE_NULL) /* equal to nothing */
        return kernel_coalesce(batch, arguments[0], null, column_out, error);
    return kernel_compare(batch, COMPARE_EQ, arguments[0], arguments[1], &equal, error) &&
           kernel_select(batch, equal, null, arguments[0], column_out, error);
}

static bool extreme_prepare(struct function_call *call, struct error *error)
{
    if (!function_unify(call, 0, error))
        return false;
    if (call->type.kind != TYPE_JSON)
        return true;
    call->blamed = 0;
    return error_set(error, ERROR_CONFIG, "json values have no order; cast them first");
}

static bool extreme_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                        enum comparison comparison, struct column **column_out, struct error *error)
{
    struct operand best = arguments[0];
    struct column *nulls, *mask, *column;

    nulls = function_result(batch, TYPE_OF(TYPE_BOOLEAN), arguments, call->count);
    if (!nulls)
        return operand_out_of_memory(batch, error);
    for (size_t i = 1; i < call->count; i++) {
        if (!kernel_compare(batch, comparison, arguments[i], best, &mask, error) ||
            !kernel_select(batch, mask, arguments[i], best, &column, error))
            return false;
        best = (struct operand){column, false};
    }
    /* A column of its own: NULL where any argument is. */
    column = function_result(batch, call->type, arguments, call->count);
    if (!column)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        size_t size = type_size(call->type.kind);

        memcpy((char *)column->data + row * size, (const char *)best.column->data + (row & operand_mask(best)) * size, size);
    }
    column->utf8 = best.column->utf8;
    *column_out = column;
    return true;
}

static bool greatest_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                         struct column **column_out, struct error *error)
{
    return extreme_run(call, batch, arguments, COMPARE_GT, column_out, error);
}

static bool least_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                      struct column **column_out, struct error *error)
{
    return extreme_run(call, batch, arguments, COMPARE_LT, column_out, error);
}

/* ---- numbers ---- */

static bool number_prepare(struct function_call *call, struct error *error)
{
    call->type = call->arguments[0].type;
    return function_want_number(call, 0, error);
}

static bool abs_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                    struct column **column_out, struct error *error)
{
    uint32_t mask = operand_mask(arguments[0]);
    const struct column *from = arguments[0].column;
    struct column *column;

    if (!result_new(batch, call->type, arguments, 1, column_out, error))
        return false;
    column = *column_out;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (column_is_null(column, row))
            continue;
        if (call->type.kind == TYPE_DOUBLE)
            column->real[row] = fabs(from->real[row & mask]);
        else if (call->type.kind == TYPE_DECIMAL)
            column->decimal[row] = from->decimal[row & mask] < 0 ? -from->decimal[row & mask] : from->decimal[row & mask];
        else if (from->bigint[row & mask] >= 0)
            column->bigint[row] = from->bigint[row & mask];
        else if (__builtin_sub_overflow(0, from->bigint[row & mask], &column->bigint[row]) &&
                 !function_fail(batch, column, row, call->name, "the result is beyond 64 bits"))
            return operand_out_of_memory(batch, error);
    }
    return true;
}

enum rounding { ROUND_HALF_UP, ROUND_DOWN, ROUND_UP, ROUND_TO_ZERO };

enum { ROUND_DIGITS_MAX = 38 };

static bool round_prepare(struct function_call *call, struct error *error)
{
    struct type type = call->arguments[0].type;
    int64_t digits = 0;

    if (!function_want_number(call, 0, error) ||
        !function_constant_integer(call, 1, "the number of digits", 0, -ROUND_DIGITS_MAX, ROUND_DIGITS_MAX, &digits, error))
        return false;
    call->type = type;
    if (type.kind == TYPE_DECIMAL && digits < type.scale) {
        uint8_t scale = (uint8_t)int64_max(digits, 0), whole = (uint8_t)(type.precision - type.scale + 1); /* 9.9 becomes 10 */

        call->type = type_decimal((uint8_t)size_max(size_min((size_t)whole + scale, 38), 1), scale);
    }
    return true;
}

/* value / unit, rounded, times unit. */
static bool round_exact(int128 value, int128 unit, enum rounding rounding, int128 *result)
{
    int128 rest = value % unit, whole = value - rest;

    if (rest != 0 && rounding == ROUND_HALF_UP && (rest < 0 ? -rest : rest) >= unit - (rest < 0 ? -rest : rest))
        return !__builtin_add_overflow(whole, rest < 0 ? -unit : unit, result);
    if (rest < 0 && rounding == ROUND_DOWN)
        return !__builtin_sub_overflow(whole, unit, result);
    if (rest > 0 && rounding == ROUND_UP)
        return !__builtin_add_overflow(whole, unit, result);
    *result = whole;
    return true;
}

static double round_whole(double value, enum rounding rounding)
{
    switch (rounding) {
    case ROUND_HALF_UP:
        return round(value);
    case ROUND_DOWN:
        return floor(value);
    case ROUND_UP:
        return ceil(value);
    default:
        return trunc(value);
    }
}

static double round_double(double value, int64_t digits, enum rounding rounding)
{
    double power, scaled;

    if (digits == 0 || !isfinite(value))
        return round_whole(value, rounding);
    power = pow(10, (double)(digits < 0 ? -digits : digits));
    scaled = digits < 0 ? value / power : value * power;
    if (!isfinite(scaled))
        return value; /* it has no such digits */
    scaled = round_whole(scaled, rounding);
    return digits < 0 ? scaled * power : scaled / power;
}

/* One row; why there is no result, or NULL. */
static const char *round_row(const struct function_call *call, const struct column *from, uint32_t from_row,
                             struct column *column, uint32_t row, int64_t digits, enum rounding rounding)
{
    unsigned scale = from->type.kind == TYPE_DECIMAL ? from->type.scale : 0;
    int64_t cut = (int64_t)scale - digits; /* digits that go */
    int128 value;

    if (from->type.kind == TYPE_DOUBLE) {
        column->real[row] = round_double(from->real[from_row], digits, rounding);
        return isfinite(column->real[row]) || !isfinite(from->real[from_row]) ? NULL
                                                                              : "the result is beyond the range of a double";
    }
    value = from->type.kind == TYPE_DECIMAL ? from->decimal[from_row] : from->bigint[from_row];
    if (cut > DECIMAL_DIGITS_MAX) {
        if (value != 0 && ((rounding == ROUND_UP && value > 0) || (rounding == ROUND_DOWN && value < 0)))
            return "the result has more than 38 digits";
        value = 0;
    } else if (cut > 0 && !round_exact(value, decimal_powers[cut], rounding, &value)) {
        return "the result has more than 38 digits";
    }
    if (from->type.kind == TYPE_BIGINT) {
        if (value < INT64_MIN || value > INT64_MAX)
            return "the result is beyond 64 bits";
        column->bigint[row] = (int64_t)value;
        return NULL;
    }
    if (decimal_rescale(value, scale, call->type.scale, &column->decimal[row]) != DECIMAL_OK ||
        !decimal_fits(column->decimal[row], DECIMAL_DIGITS_MAX))
        return "the result has more than 38 digits";
    return NULL;
}

static bool round_rows(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                       enum rounding rounding, struct column **column_out, struct error *error)
{
    int64_t digits = call->count > 1 ? call->arguments[1].constant->bigint[0] : 0;
    struct column *column;

    if (!result_new(batch, call->type, arguments, 1, column_out, error))
        return false;
    column = *column_out;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *why;

        if (column_is_null(column, row))
            continue;
        why = round_row(call, arguments[0].column, row & operand_mask(arguments[0]), column, row, digits, rounding);
        if (why && !function_fail(batch, column, row, call->name, why))
            return operand_out_of_memory(batch, error);
    }
    return true;
}

static bool round_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                      struct column **column_out, struct error *error)
{
    return round_rows(call, batch, arguments, ROUND_HALF_UP, column_out, error);
}

static bool floor_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                      struct column **column_out, struct error *error)
{
    return round_rows(call, batch, arguments, ROUND_DOWN, column_out, error);
}

static bool ceil_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                     struct column **column_out, struct error *error)
{
    return round_rows(call, batch, arguments, ROUND_UP, column_out, error);
}

static bool trunc_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                      struct column **column_out, struct error *error)
{
    return round_rows(call, batch, arguments, ROUND_TO_ZERO, column_out, error);
}

static bool sign_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                     struct column **column_out, struct error *error)
{
    uint32_t mask = operand_mask(arguments[0]);
    const struct column *from = arguments[0].column;
    struct column *column;

    if (!result_new(batch, call->type, arguments, 1, column_out, error))
        return false;
    column = *column_out;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i], at = row & mask;

        if (column_is_null(column, row))
            continue;
        if (from->type.kind == TYPE_BIGINT)
            column->bigint[row] = (from->bigint[at] > 0) - (from->bigint[at] < 0);
        else if (from->type.kind == TYPE_DECIMAL)
            column->bigint[row] = (from->decimal[at] > 0) - (from->decimal[at] < 0);
        else if (!isnan(from->real[at]))
            column->bigint[row] = (from->real[at] > 0) - (from->real[at] < 0);
        else if (!function_fail(batch, column, row, call->name, "NaN has no sign"))
            return operand_out_of_memory(batch, error);
    }
    return true;
}

static bool mod_prepare(struct function_call *call, struct error *error)
{
    return function_unify(call, 0, error);
}

static bool mod_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                    struct column **column_out, struct error *error)
{
    uint32_t a_mask = operand_mask(arguments[0]), b_mask = operand_mask(arguments[1]);
    const struct column *a = arguments[0].column, *b = arguments[1].column;
    struct column *column;

    if (!result_new(batch, call->type, arguments, 2, column_out, error))
        return false;
    column = *column_out;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i], x = row & a_mask, y = row & b_mask;
        bool zero;

        if (column_is_null(column, row))
            continue;
        if (call->type.kind == TYPE_BIGINT) {
            zero = b->bigint[y] == 0;
            if (!zero)
                column->bigint[row] = b->bigint[y] == -1 ? 0 : a->bigint[x] % b->bigint[y]; /* the least by -1 traps */
        } else if (call->type.kind == TYPE_DECIMAL) {
            zero = b->decimal[y] == 0;
            if (!zero)
                column->decimal[row] = a->decimal[x] % b->decimal[y];
        } else {
            zero = b->real[y] == 0;
            column->real[row] = fmod(a->real[x], b->real[y]);
        }
        if (zero && !function_fail(batch, column, row, call->name, "division by zero"))
            return operand_out_of_memory(batch, error);
    }
    return true;
}

/* A function of one double or two; what comes of numbers and is none fails. */
static bool real_rows(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                      double (*function)(double, double), struct column **column_out, struct error *error)
{
    const struct operand *last = &arguments[call->count - 1];
    uint32_t a_mask = operand_mask(arguments[0]), b_mask = operand_mask(*last);
    struct column *column;

    if (!result_new(batch, call->type, arguments, call->count, column_out, error))
        return false;
    column = *column_out;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        double a, b;

        if (column_is_null(column, row))
            continue;
        a = arguments[0].column->real[row & a_mask];
        b = last->column->real[row & b_mask];
        column->real[row] = function(a, b);
        if (!isfinite(column->real[row]) && isfinite(a) && isfinite(b) &&
            !function_fail(batch, column, row, call->name,
                           isnan(column->real[row]) ? "the result is no number" : "the result is beyond the range of a double"))
            return operand_out_of_memory(batch, error);
    }
    return true;
}

static bool power_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                      struct column **column_out, struct error *error)
{
    return real_rows(call, batch, arguments, pow, column_out, error);
}

static double square_root(double a, double b UNUSED)
{
    return sqrt(a);
}

static bool sqrt_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                     struct column **column_out, struct error *error)
{
    return real_rows(call, batch, arguments, square_root, column_out, error);
}

/* ---- conversion ---- */

static bool is_number_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                          struct column **column_out, struct error *error)
{
    uint32_t mask = operand_mask(arguments[0]);
    struct column *column;

    if (!result_new(batch, call->type, arguments, 1, column_out, error))
        return false;
    column = *column_out;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        int128 value;

        if (!column_is_null(column, row))
            column->boolean[row] = decimal_parse(arguments[0].column->text[row & mask], type_decimal(DECIMAL_DIGITS_MAX, 0),
                                                 &value) != DECIMAL_SYNTAX;
    }
    return true;
}

#define ARGUMENTS(minimum, maximum) .arguments_min = (minimum), .arguments_max = (maximum)

extern const struct expression_function functions_basic[];
const struct expression_function functions_basic[] = {
    {.name = "coalesce",
     .parameters = "a, b, …",
     ARGUMENTS(1, FUNCTION_ARGUMENTS_MAX),
     .is_form = true,
     .takes_null = true,
     .sentence = "The first of them that is not NULL; the others are not computed.",
     .example = "coalesce(null, 'b', 'c')",
     .result = "b"},
    {.name = "if",
     .parameters = "condition, yes [, no]",
     ARGUMENTS(2, 3),
     .is_form = true,
     .takes_null = true,
     .sentence = "`yes` where the condition is true, else `no`, or NULL without one; the other is not computed.",
     .example = "if(2 > 1, 'more', 'less')",
     .result = "more"},
    {.name = "nullif",
     .parameters = "a, b",
     ARGUMENTS(2, 2),
     .takes_null = true,
     .compares = true,
     .prepare = nullif_prepare,
     .run = nullif_run,
     .sentence = "NULL where both are equal, else a.",
     .example = "coalesce(nullif('-', '-'), 'none')",
     .result = "none"},
    {.name = "greatest",
     .parameters = "a, b, …",
     ARGUMENTS(1, FUNCTION_ARGUMENTS_MAX),
     .prepare = extreme_prepare,
     .run = greatest_run,
     .sentence = "The greatest of them.",
     .example = "greatest(1, 2.5, 2)",
     .result = "2.5"},
    {.name = "least",
     .parameters = "a, b, …",
     ARGUMENTS(1, FUNCTION_ARGUMENTS_MAX),
     .prepare = extreme_prepare,
     .run = least_run,
     .sentence = "The least of them.",
     .example = "least('b', 'a', 'c')",
     .result = "a"},
    {.name = "abs",
     .parameters = "number",
     ARGUMENTS(1, 1),
     .fails = true,
     .prepare = number_prepare,
     .run = abs_run,
     .sentence = "The number without its sign.",
     .example = "abs(-1.50)",
     .result = "1.50"},
    {.name = "round",
     .parameters = "number [, digits]",
     ARGUMENTS(1, 2),
     .fails = true,
     .prepare = round_prepare,
     .run = round_run,
     .sentence = "Rounded, half away from zero, to so many digits behind the point (0); fewer than 0 rounds before it.",
     .example = "round(2.345, 2)",
     .result = "2.35"},
    {.name = "floor",
     .parameters = "number",
     ARGUMENTS(1, 1),
     .fails = true,
     .prepare = round_prepare,
     .run = floor_run,
     .sentence = "The greatest whole number that is not above it.",
     .example = "floor(-1.5)",
     .result = "-2"},
    {.name = "ceil",
     .parameters = "number",
     ARGUMENTS(1, 1),
     .fails = true,
     .prepare = round_prepare,
     .run = ceil_run,
     .sentence = "The least whole number that is not below it.",
     .example = "ceil(1.2)",
     .result = "2"},
    {.name = "trunc",
     .parameters = "number [, digits]",
     ARGUMENTS(1, 2),
     .fails = true,
     .prepare = round_prepare,
     .run = trunc_run,
     .sentence = "Cut, towards zero, to so many digits behind the point (0); fewer than 0 cuts before it.",
     .example = "trunc(-2.345, 2)",
     .result = "-2.34"},
    {.name = "sign",
     .parameters = "number",
     ARGUMENTS(1, 1),
     .fails = true,
     .takes = "n",
     .gives = TYPE_BIGINT,
     .run = sign_run,
     .sentence = "1 above zero, -1 below it, else 0.",
     .example = "sign(-0.5)",
     .result = "-1"},
    {.name = "mod",
     .parameters = "a, b",
     ARGUMENTS(2, 2),
     .fails = true,
     .takes = "n",
     .prepare = mod_prepare,
     .run = mod_run,
     .sentence = "What a / b leaves over, with the sign of a (a % b has that of b).",
     .example = "mod(-7, 3)",
     .result = "-1"},
    {.name = "power",
     .parameters = "a, b",
     ARGUMENTS(2, 2),
     .fails = true,
     .takes = "r",
     .gives = TYPE_DOUBLE,
     .run = power_run,
     .sentence = "a to the power of b, as a double.",
     .example = "power(2, 10)",
     .result = "1024"},
    {.name = "sqrt",
     .parameters = "number",
     ARGUMENTS(1, 1),
     .fails = true,
     .takes = "r",
     .gives = TYPE_DOUBLE,
     .run = sqrt_run,
     .sentence = "The square root, as a double.",
     .example = "sqrt(2.25)",
     .result = "1.5"},
    {.name = "try_cast",
     .parameters = "value as type",
     ARGUMENTS(1, 1),
     .is_form = true,
     .takes_null = true,
     .sentence = "As cast(value as type), but NULL where the value does not convert.",
     .example = "coalesce(try_cast('12x' as bigint), -1)",
     .result = "-1"},
    {.name = "is_number",
     .parameters = "text",
     ARGUMENTS(1, 1),
     .takes = "t",
     .gives = TYPE_BOOLEAN,
     .run = is_number_run,
     .sentence = "Whether it is a number from its beginning to its end: sign, digits, point, exponent; no blanks.",
     .example = "is_number('-1.5e3')",
     .result = "true"},
    {0},
};
