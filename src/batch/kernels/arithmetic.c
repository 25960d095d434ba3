/* arithmetic.c: arithmetic and concatenation, a column at a time.
 * Method: types are settled once per call, then one loop over the selected rows for each kind of number; constants are read
 * through a mask of 0. Cost: bigint some 2 ns a row, decimals some 10, texts a copy. */
#include "batch/kernels/operand.h"

#include "batch/decimal.h"
#include "batch/time.h"
#include "util/real.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool operand_fail(struct batch *batch, struct column *column, uint32_t row, struct str what, const char *why)
{
    if (batch->when_error != WHEN_ERROR_NULL) {
        batch_fail(batch, row, STR_NONE, "%.*s: %s", STR_ARG(what), why);
        return true;
    }
    if (!column_try_nullable(&batch->arena, column))
        return false;
    column->null[row] = 1;
    return true;
}

static const char *const symbols[] = {"+", "-", "*", "/", "//", "%"};

static const char division_by_zero[] = "division by zero";
static const char beyond_bigint[] = "the result is beyond 64 bits";
static const char beyond_decimal[] = "the result has more than 38 digits";
static const char beyond_double[] = "the result is beyond the range of a double";

/* Each returns NULL, or why there is no result. */
static inline const char *bigint_operate(enum arithmetic operation, int64_t a, int64_t b, int64_t *result)
{
    int64_t quotient;

    switch (operation) {
    case ARITHMETIC_ADD: return __builtin_add_overflow(a, b, result) ? beyond_bigint : NULL;
    case ARITHMETIC_SUBTRACT: return __builtin_sub_overflow(a, b, result) ? beyond_bigint : NULL;
    case ARITHMETIC_MULTIPLY: return __builtin_mul_overflow(a, b, result) ? beyond_bigint : NULL;
    case ARITHMETIC_FLOOR_DIVIDE:
        if (b == 0)
            return division_by_zero;
        if (b == -1)
            return __builtin_sub_overflow(0, a, result) ? beyond_bigint : NULL;
        quotient = a / b;
        *result = quotient - (a % b != 0 && (a < 0) != (b < 0));
        return NULL;
    default:
        if (b == 0)
            return division_by_zero;
        if (b == -1) {
            *result = 0;
            return NULL;
        }
        *result = a % b;
        if (*result != 0 && (*result < 0) != (b < 0))
            *result += b;
        return NULL;
    }
}

static inline const char *double_operate(enum arithmetic operation, double a, double b, double *result)
{
    switch (operation) {
    case ARITHMETIC_ADD: *result = a + b; break;
    case ARITHMETIC_SUBTRACT: *result = a - b; break;
    case ARITHMETIC_MULTIPLY: *result = a * b; break;
    case ARITHMETIC_DIVIDE:
    case ARITHMETIC_FLOOR_DIVIDE:
        if (b == 0)
            return division_by_zero;
        *result = operation == ARITHMETIC_DIVIDE ? a / b : floor(a / b);
        break;
    default:
        if (b == 0)
            return division_by_zero;
        *result = fmod(a, b);
        if (*result != 0 && (*result < 0) != (b < 0)) /* a product of both could underflow */
            *result += b;
        break;
    }
    return isfinite(*result) || !isfinite(a) || !isfinite(b) ? NULL : beyond_double;
}

/* Floor division and its remainder, at the larger of both scales. */
static const char *decimal_floor(enum arithmetic operation, int128 a, unsigned a_scale, int128 b, unsigned b_scale,
                                 int128 *result)
{
    unsigned scale = decimal_add_scale(a_scale, b_scale);
    int128 remainder;

    if (b == 0)
        return division_by_zero;
    if (decimal_rescale(a, a_scale, scale, &a) != DECIMAL_OK || decimal_rescale(b, b_scale, scale, &b) != DECIMAL_OK)
        return beyond_decimal;
    remainder = a % b;
    if (operation == ARITHMETIC_FLOOR_DIVIDE)
        *result = a / b - (remainder != 0 && (remainder < 0) != (b < 0));
    else
        *result = remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
    return NULL;
}

static const char *decimal_operate(enum arithmetic operation, int128 a, unsigned a_scale, int128 b, unsigned b_scale,
                                   int128 *result)
{
    enum decimal_status status;

    switch (operation) {
    case ARITHMETIC_ADD: status = decimal_add(a, a_scale, b, b_scale, result); break;
    case ARITHMETIC_SUBTRACT: status = decimal_subtract(a, a_scale, b, b_scale, result); break;
    case ARITHMETIC_MULTIPLY: status = decimal_multiply(a, a_scale, b, b_scale, result); break;
    case ARITHMETIC_DIVIDE:
        if (b == 0)
            return division_by_zero;
        status = decimal_divide(a, a_scale, b, b_scale, result);
        break;
    default: return decimal_floor(operation, a, a_scale, b, b_scale, result);
    }
    return status == DECIMAL_OK ? NULL : beyond_decimal;
}

static unsigned decimal_scale(enum arithmetic operation, unsigned a_scale, unsigned b_scale)
{
    switch (operation) {
    case ARITHMETIC_MULTIPLY: return decimal_multiply_scale(a_scale, b_scale);
    case ARITHMETIC_DIVIDE: return decimal_divide_scale(a_scale, b_scale);
    case ARITHMETIC_FLOOR_DIVIDE: return 0;
    default: return decimal_add_scale(a_scale, b_scale);
    }
}

static inline double number_double(const struct column *column, uint32_t row)
{
    switch (column->type.kind) {
    case TYPE_BIGINT: return (double)column->bigint[row];
    case TYPE_DECIMAL: return decimal_to_double(column->decimal[row], column->type.scale);
    default: return column->real[row];
    }
}

static inline int128 number_decimal(const struct column *column, uint32_t row)
{
    return column->type.kind == TYPE_BIGINT ? column->bigint[row] : column->decimal[row];
}

/* The loop of every kind; the operation is known at each place of use, so that its switch is gone from the loop. */
#define OPERATE(expression)                                              \
    for (uint32_t i = 0; i < batch->selected; i++) {                     \
        uint32_t row = batch->selection[i];                              \
        uint32_t a_row = row & a_mask, b_row = row & b_mask;             \
        const char *why;                                                 \
                                                                         \
        if (column->null && column->null[row])                           \
            continue;                                                    \
        why = (expression);                                              \
        if (UNLIKELY(why) && !operand_fail(batch, column, row, what, why)) \
            return false;                                                \
    }                                                                    \
    return true

#define BIGINT_LOOP(operation) \
    OPERATE(bigint_operate(operation, a.column->bigint[a_row], b.column->bigint[b_row], &column->bigint[row]))

static bool bigint_loop(struct batch *batch, enum arithmetic operation, struct operand a, struct operand b, struct str what,
                        struct column *column)
{
    uint32_t a_mask = operand_mask(a), b_mask = operand_mask(b);

    switch (operation) {
    case ARITHMETIC_ADD: BIGINT_LOOP(ARITHMETIC_ADD);
    case ARITHMETIC_SUBTRACT: BIGINT_LOOP(ARITHMETIC_SUBTRACT);
    case ARITHMETIC_MULTIPLY: BIGINT_LOOP(ARITHMETIC_MULTIPLY);
    default: BIGINT_LOOP(operation);
    }
}

static bool double_loop(struct batch *batch, enum arithmetic operation, struct operand a, struct operand b, struct str what,
                        struct column *column)
{
    uint32_t a_mask = operand_mask(a), b_mask = operand_mask(b);

    OPERATE(double_operate(operation, number_double(a.column, a_row), number_double(b.column, b_row), &column->real[row]));
}

static bool decimal_loop(struct batch *batch, enum arithmetic operation, struct operand a, struct operand b, struct str what,
                         struct column *column)
{
    uint32_t a_mask = operand_mask(a), b_mask = operand_mask(b);
    unsigned a_scale = operand_kind(a) == TYPE_DECIMAL ? a.column->type.scale : 0;
    unsigned b_scale = operand_kind(b) == TYPE_DECIMAL ? b.column->type.scale : 0;

    OPERATE(decimal_operate(operation, number_decimal(a.column, a_row), a_scale, number_decimal(b.column, b_row), b_scale,
                            &column->decimal[row]));
}

static bool is_number_or_null(struct operand operand)
{
    return operand_is_number(operand) || operand_kind(operand) == TYPE_NULL;
}

bool kernel_arithmetic(struct batch *batch, enum arithmetic operation, struct operand a, struct operand b, struct str what,
                       struct column **column_out, struct error *error)
{
    struct type type = TYPE_OF(TYPE_BIGINT);
    struct column *column;
    bool done;

    if (!is_number_or_null(a) || !is_number_or_null(b)) {
        char a_name[TYPE_NAME_MAX], b_name[TYPE_NAME_MAX];

        return error_set(error, ERROR_SCRIPT, "%.*s: there is no %s between %s and %s; cast both to numbers first", STR_ARG(what),
                         symbols[operation], type_print(a.column->type, a_name), type_print(b.column->type, b_name));
    }
    if (operand_kind(a) == TYPE_DOUBLE || operand_kind(b) == TYPE_DOUBLE) {
        type = TYPE_OF(TYPE_DOUBLE);
    } else if (operand_kind(a) == TYPE_DECIMAL || operand_kind(b) == TYPE_DECIMAL) {
        unsigned a_scale = operand_kind(a) == TYPE_DECIMAL ? a.column->type.scale : 0;
        unsigned b_scale = operand_kind(b) == TYPE_DECIMAL ? b.column->type.scale : 0;

        type = type_decimal(38, (uint8_t)decimal_scale(operation, a_scale, b_scale));
    } else if (operation == ARITHMETIC_DIVIDE) {
        type = TYPE_OF(TYPE_DOUBLE);
    }
    column = operand_result(batch, type, a, b);
    if (!column)
        return operand_out_of_memory(batch, error);
    if (operand_kind(a) == TYPE_NULL || operand_kind(b) == TYPE_NULL)
        done = true; /* all NULL */
    else if (type.kind == TYPE_DOUBLE)
        done = double_loop(batch, operation, a, b, what, column);
    else if (type.kind == TYPE_DECIMAL)
        done = decimal_loop(batch, operation, a, b, what, column);
    else
        done = bigint_loop(batch, operation, a, b, what, column);
    if (!done)
        return operand_out_of_memory(batch, error);
    batch_sweep(batch);
    *column_out = column;
    return true;
}

bool kernel_negate(struct batch *batch, struct operand a, struct column **column_out, struct error *error)
{
    uint32_t mask = operand_mask(a);
    struct type type = a.column->type;
    struct column *column;

    if (!is_number_or_null(a)) {
        char name[TYPE_NAME_MAX];

        return error_set(error, ERROR_SCRIPT, "the negative of %s does not exist; cast it to a number first",
                         type_print(type, name));
    }
    column = operand_result(batch, type, a, a);
    if (!column)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (column_is_null(column, row))
            continue;
        if (type.kind == TYPE_DOUBLE)
            column->real[row] = -a.column->real[row & mask];
        else if (type.kind == TYPE_DECIMAL)
            column->decimal[row] = -a.column->decimal[row & mask];
        else if (__builtin_sub_overflow(0, a.column->bigint[row & mask], &column->bigint[row]) &&
                 !operand_fail(batch, column, row, STR("-"), beyond_bigint))
            return operand_out_of_memory(batch, error);
    }
    batch_sweep(batch);
    *column_out = column;
    return true;
}

enum { PRINT_MAX = 64 };

/* The value as text: borrowed, or in text. Points in time are printed in UTC and say so, for no zone is known here. */
static struct str print_value(const struct column *column, uint32_t row, char text[PRINT_MAX])
{
    size_t size = 0;

    switch (column->type.kind) {
    case TYPE_BOOLEAN: return column->boolean[row] ? STR("true") : STR("false");
    case TYPE_BIGINT: size = (size_t)snprintf(text, PRINT_MAX, "%lld", (long long)column->bigint[row]); break;
    case TYPE_DOUBLE: size = real_print(column->real[row], text); break;
    case TYPE_DECIMAL: size = decimal_print(column->decimal[row], column->type.scale, text); break;
    case TYPE_STRING:
    case TYPE_BINARY:
    case TYPE_JSON: return column->text[row];
    case TYPE_DATE: size = time_print_date(column->date[row], text); break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
        size = time_print(column->instant[row], text);
        text[size++] = 'Z';
        break;
    case TYPE_TIMESTAMP_NTZ: size = time_print(column->instant[row], text); break;
    case TYPE_NULL:
    case TYPE_KINDS: break;
    }
    return str_make(text, size);
}

bool kernel_concat(struct batch *batch, struct operand a, struct operand b, struct column **column_out, struct error *error)
{
    uint32_t a_mask = operand_mask(a), b_mask = operand_mask(b);
    struct column *column = operand_result(batch, TYPE_OF(TYPE_STRING), a, b);
    bool binary = operand_kind(a) == TYPE_BINARY || operand_kind(b) == TYPE_BINARY;

    if (!column)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        char a_text[PRINT_MAX], b_text[PRINT_MAX];
        struct str head, tail;
        size_t size;
        char *joined;

        if (column->null && column->null[row])
            continue;
        head = print_value(a.column, row & a_mask, a_text);
        tail = print_value(b.column, row & b_mask, b_text);
        joined = __builtin_add_overflow(head.size, tail.size, &size) ? NULL : arena_try_alloc(&batch->arena, size);
        if (!joined)
            return operand_out_of_memory(batch, error);
        if (head.size)
            memcpy(joined, head.data, head.size);
        if (tail.size)
            memcpy(joined + head.size, tail.data, tail.size);
        column->text[row] = str_make(joined, size);
        if (binary && !str_is_utf8(column->text[row]) &&
            !operand_fail(batch, column, row, STR(".."), "the binary value is not UTF-8 text"))
            return operand_out_of_memory(batch, error);
    }
    batch_sweep(batch);
    *column_out = column;
    return true;
}
