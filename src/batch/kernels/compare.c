/* compare.c: comparisons, three-valued logic, NULL tests.
 * Method: numbers of one type and scale, and whole or decimal columns against any constant, compare in a loop per operator, some
 * 10 instructions a row: such a constant becomes the greatest value of the column's scale that is not above it, once per call.
 * Texts compare in a loop for = and !=. All else goes through a function that orders two values, whose answer picks a bit of the
 * operator's truth table. No number goes through a type that would round it. */
#include "batch/kernels/operand.h"

#include "batch/convert.h"
#include "batch/decimal.h"
#include "batch/time.h"

#include <math.h>

enum { ORDER_NONE = 2 }; /* NaN is neither below, equal nor above */

/* Bit order + 1 is the answer: below, equal, above, none. */
static const uint8_t truth[] = {
    [COMPARE_EQ] = 2, [COMPARE_NE] = 1 | 4 | 8, [COMPARE_LT] = 1, [COMPARE_LE] = 1 | 2, [COMPARE_GT] = 4, [COMPARE_GE] = 2 | 4,
};

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int order_doubles(double a, double b)
{
    return isnan(a) || isnan(b) ? ORDER_NONE : ORDER(a, b);
}

/* Exact: the double's whole part fits an int128 where it matters, and the fractions are compared bit by bit, which doubling keeps
 * exact on both sides. */
static int order_decimal_double(int128 a, unsigned scale, double b)
{
    int128 power = decimal_powers[scale], whole, a_whole = a / power;
    uint128 a_rest;
    double b_rest;
    int sign;

    if (isnan(b))
        return ORDER_NONE;
    if (b >= 1e38 || b <= -1e38)
        return b > 0 ? -1 : 1;
    whole = (int128)b;
    if (a_whole != whole)
        return ORDER(a_whole, whole);
    /* The whole parts are equal; they may both be 0 with different signs behind them. */
    if (a % power == 0 || b == trunc(b) || (a < 0) != (b < 0)) {
        int a_sign = ORDER(a % power, 0), b_sign = ORDER(b - trunc(b), 0);

        return ORDER(a_sign, b_sign);
    }
    sign = a < 0 ? -1 : 1;
    a_rest = (uint128)(a < 0 ? -(a % power) : a % power);
    b_rest = fabs(b - trunc(b));
    while (a_rest || b_rest > 0) {
        bool a_bit, b_bit;

        a_rest *= 2;
        b_rest *= 2;
        a_bit = a_rest >= (uint128)power;
        b_bit = b_rest >= 1;
        if (a_bit != b_bit)
            return a_bit ? sign : -sign;
        a_rest -= a_bit ? (uint128)power : 0;
        b_rest -= b_bit;
    }
    return 0;
}

static int order_texts(struct str a, struct str b)
{
    size_t shorter = size_min(a.size, b.size);
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

    return order ? ORDER(order, 0) : ORDER(a.size, b.size);
}

static int order_instants(struct instant a, struct instant b)
{
    return a.seconds != b.seconds ? ORDER(a.seconds, b.seconds) : ORDER(a.nanos, b.nanos);
}

static inline int128 exact_value(const struct column *column, uint32_t row)
{
    return column->type.kind == TYPE_BIGINT ? column->bigint[row] : column->decimal[row];
}

static inline unsigned exact_scale(const struct column *column)
{
    return column->type.kind == TYPE_DECIMAL ? column->type.scale : 0;
}

static int order_numbers(const struct column *a, uint32_t a_row, const struct column *b, uint32_t b_row)
{
    bool a_real = a->type.kind == TYPE_DOUBLE, b_real = b->type.kind == TYPE_DOUBLE;
    int order;

    if (a_real && b_real)
        return order_doubles(a->real[a_row], b->real[b_row]);
    if (b_real)
        return order_decimal_double(exact_value(a, a_row), exact_scale(a), b->real[b_row]);
    if (a_real) {
        order = order_decimal_double(exact_value(b, b_row), exact_scale(b), a->real[a_row]);
        return order == ORDER_NONE ? order : -order;
    }
    if (exact_scale(a) == exact_scale(b))
        return ORDER(exact_value(a, a_row), exact_value(b, b_row));
    return decimal_compare(exact_value(a, a_row), exact_scale(a), exact_value(b, b_row), exact_scale(b));
}

static int order_values(const struct column *a, uint32_t a_row, const struct column *b, uint32_t b_row)
{
    switch (a->type.kind) {
    case TYPE_BOOLEAN: return ORDER(a->boolean[a_row], b->boolean[b_row]);
    case TYPE_BIGINT:
    case TYPE_DOUBLE:
    case TYPE_DECIMAL: return order_numbers(a, a_row, b, b_row);
    case TYPE_DATE: return ORDER(a->date[a_row], b->date[b_row]);
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return order_instants(a->instant[a_row], b->instant[b_row]);
    default: return order_texts(a->text[a_row], b->text[b_row]);
    }
}

/* ---- constants ---- */

static const char *text_to_instant(struct str text, enum type_kind kind, struct instant *instant_out)
{
    bool has_offset;
    int32_t offset;

    if (!time_parse(text, instant_out, &has_offset, &offset))
        return "write it as 2024-01-31 23:59:59";
    if (kind == TYPE_TIMESTAMP_NTZ)
        return has_offset ? "a timestamp_ntz has no offset; leave it out" : NULL;
    if (!has_offset)
        return "write it with its offset, such as 2024-01-31 23:59:59+08:00";
    instant_out->seconds -= offset;
    if (instant_out->seconds < time_seconds_min || instant_out->seconds > time_seconds_max)
        return "it is outside of the years 1 to 9999";
    return NULL;
}

static const char *text_to(struct str text, struct column *column)
{
    switch (column->type.kind) {
    case TYPE_DATE: return time_parse_date(text, &column->date[0]) ? NULL : "write it as 2024-01-31";
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return text_to_instant(text, column->type.kind, &column->instant[0]);
    case TYPE_DECIMAL:
        return decimal_parse(text, column->type, &column->decimal[0]) == DECIMAL_OK ? NULL : "it is no number of that type";
    case TYPE_BINARY:
    case TYPE_STRING: column->text[0] = text; return NULL;
    default: return "write a constant of that type";
    }
}

static const char *number_to(const struct column *from, struct column *column)
{
    const char *loses = "it would lose digits";
    bool ok = false;

    if (from->type.kind == TYPE_DOUBLE && column->type.kind == TYPE_DECIMAL)
        ok = decimal_from_double(from->real[0], column->type, &column->decimal[0]) == DECIMAL_OK;
    else if (from->type.kind == TYPE_DOUBLE && column->type.kind == TYPE_BIGINT) {
        ok = from->real[0] >= -0x1p63 && from->real[0] < 0x1p63 && from->real[0] == trunc(from->real[0]);
        column->bigint[0] = ok ? (int64_t)from->real[0] : 0;
    } else if (column->type.kind == TYPE_DECIMAL) {
        ok = decimal_rescale(exact_value(from, 0), exact_scale(from), column->type.scale, &column->decimal[0]) == DECIMAL_OK &&
             decimal_fits(column->decimal[0], column->type.precision);
    } else if (column->type.kind == TYPE_BIGINT) {
        int128 value;

        ok = decimal_rescale(exact_value(from, 0), exact_scale(from), 0, &value) == DECIMAL_OK &&
             value >= INT64_MIN && value <= INT64_MAX;
        column->bigint[0] = ok ? (int64_t)value : 0;
    } else {
        column->real[0] = decimal_to_double(exact_value(from, 0), exact_scale(from));
        ok = from->type.kind == TYPE_DECIMAL || order_numbers(from, 0, column, 0) == 0;
    }
    return ok ? NULL : loses;
}

bool operand_convert(struct batch *batch, struct operand *constant, struct type type, struct error *error)
{
    const struct column *from = constant->column;
    struct operand target = {.column = &(struct column){.type = type}, .constant = true};
    const char *why = "cast one of them first";
    struct column *column;

    assert(constant->constant);
    if (type_equal(from->type, type))
        return true;
    column = column_try_new(&batch->arena, type, 1, false);
    if (!column)
        return operand_out_of_memory(batch, error);
    if (column_is_null(from, 0)) {
        if (!column_try_nullable(&batch->arena, column))
            return operand_out_of_memory(batch, error);
        memset(column->data, 0, type_size(type.kind));
        column->null[0] = 1;
        why = NULL;
    } else if (operand_is_number(*constant) && operand_is_number(target)) {
        why = number_to(from, column);
    } else if (from->type.kind == TYPE_STRING) {
        why = text_to(from->text[0], column);
    } else if (type_is_instant(from->type.kind) && type_is_instant(type.kind) &&
               (from->type.kind == TYPE_TIMESTAMP_NTZ) == (type.kind == TYPE_TIMESTAMP_NTZ)) {
        column->instant[0] = from->instant[0];
        why = type.kind == TYPE_DATETIME && from->instant[0].nanos % 1000000 ? "it would lose digits" : NULL;
    }
    if (why) {
        char excerpt[128], name[TYPE_NAME_MAX], from_name[TYPE_NAME_MAX];

        return error_set(error, ERROR_SCRIPT, "the %s constant %.*s cannot stand for %s: %s", type_print(from->type, from_name),
                         STR_ARG(convert_excerpt(from, 0, excerpt)), type_print(type, name), why);
    }
    constant->column = column;
    return true;
}

/* ---- comparison ---- */

/* Whether values of these types have an order between them. */
static bool comparable(struct operand a, struct operand b)
{
    enum type_kind x = operand_kind(a), y = operand_kind(b);
    bool x_text = type_is_text(x) || x == TYPE_BINARY, y_text = type_is_text(y) || y == TYPE_BINARY;

    if (x == TYPE_NULL || y == TYPE_NULL || x == y)
        return true;
    if (operand_is_number(a) && operand_is_number(b))
        return true;
    if (x_text && y_text)
        return true;
    return type_is_instant(x) && type_is_instant(y) && x != TYPE_TIMESTAMP_NTZ && y != TYPE_TIMESTAMP_NTZ;
}

/* A text constant against dates and points in time becomes one of them. A datetime column takes it as a timestamp: more digits
 * than the column holds are no reason to refuse a comparison. */
static bool settle_constant(struct batch *batch, struct operand *constant, struct operand other, struct error *error)
{
    enum type_kind kind = operand_kind(other);

    if (!constant->constant || operand_kind(*constant) != TYPE_STRING || (kind != TYPE_DATE && !type_is_instant(kind)))
        return true;
    return operand_convert(batch, constant, TYPE_OF(kind == TYPE_DATETIME ? TYPE_TIMESTAMP : kind), error);
}

/* The loops read through pointers of their own: bytes are written, which the compiler must take for a change of anything else. */
#define COMPARE_LOOP(operator, x, y)                                   \
    for (; selection < end; selection++) {                             \
        uint32_t row = *selection;                                     \
                                                                       \
        out[row] = (x) operator (y);                                   \
    }                                                                  \
    return

#define COMPARE_ALL(x, y)                          \
    switch (comparison) {                          \
    case COMPARE_EQ: COMPARE_LOOP(==, x, y);       \
    case COMPARE_NE: COMPARE_LOOP(!=, x, y);       \
    case COMPARE_LT: COMPARE_LOOP(<, x, y);        \
    case COMPARE_LE: COMPARE_LOOP(<=, x, y);       \
    case COMPARE_GT: COMPARE_LOOP(>, x, y);        \
    case COMPARE_GE: COMPARE_LOOP(>=, x, y);       \
    }

/* A loop for values of one type on both sides. Values under NULL are compared as well; what they give is not looked at. */
#define COMPARE_TYPE(name, value_type)                                                                                     \
    static void name(const struct batch *batch, enum comparison comparison, struct operand a, struct operand b,            \
                     struct column *column)                                                                                \
    {                                                                                                                      \
        const uint32_t *selection = batch->selection, *end = selection + batch->selected;                                  \
        const value_type *a_values = a.column->data, *b_values = b.column->data;                                           \
        uint32_t a_mask = operand_mask(a), b_mask = operand_mask(b);                                                       \
        uint8_t *out = column->boolean;                                                                                    \
                                                                                                                           \
        COMPARE_ALL(a_values[row & a_mask], b_values[row & b_mask])                                                        \
    }

COMPARE_TYPE(compare_bigints, int64_t)
COMPARE_TYPE(compare_doubles, double)
COMPARE_TYPE(compare_decimals, int128)

/* ---- whole numbers and decimals against a constant ---- */

/* Whole quotient toward minus infinity. */
static int128 floor_divide(int128 value, int128 divisor)
{
    return value / divisor - (value % divisor < 0);
}

/* The greatest value of that scale that is not above a double. Bisection asks the exact comparison, some 130 times a call, so
 * that no rounding of its own can creep in. */
static int128 double_floor(double value, unsigned scale, bool *exact_out)
{
    /* One sign only: the difference of both ends must fit. */
    int128 low = value < 0 ? -decimal_powers[DECIMAL_DIGITS_MAX] : 0, high = value < 0 ? 0 : decimal_powers[DECIMAL_DIGITS_MAX];

    while (high - low > 1) {
        int128 middle = low + (high - low) / 2;

        if (order_decimal_double(middle, scale, value) <= 0)
            low = middle;
        else
            high = middle;
    }
    *exact_out = order_decimal_double(low, scale, value) == 0;
    return low;
}

/* The constant's floor at that scale; false when it is beyond the numbers that a column can hold, or no number. */
static bool constant_floor(const struct column *constant, unsigned scale, int128 *floor_out, bool *exact_out)
{
    unsigned from = exact_scale(constant);
    int128 value;

    if (constant->type.kind == TYPE_DOUBLE) {
        /* Also false for NaN. */
        if (!(fabs(constant->real[0]) < (double)decimal_powers[DECIMAL_DIGITS_MAX - scale]))
            return false;
        *floor_out = double_floor(constant->real[0], scale, exact_out);
        return true;
    }
    value = exact_value(constant, 0);
    *exact_out = true;
    if (from <= scale)
        return decimal_rescale(value, from, scale, floor_out) == DECIMAL_OK;
    *exact_out = value % decimal_powers[from - scale] == 0;
    *floor_out = floor_divide(value, decimal_powers[from - scale]);
    return true;
}

/* The operator for constant and column in the other order. */
static enum comparison mirrored(enum comparison comparison)
{
    switch (comparison) {
    case COMPARE_LT: return COMPARE_GT;
    case COMPARE_LE: return COMPARE_GE;
    case COMPARE_GT: return COMPARE_LT;
    case COMPARE_GE: return COMPARE_LE;
    default: return comparison;
    }
}

static void bigints_with(const struct batch *batch, enum comparison comparison, const int64_t *values, int64_t bound,
                         uint8_t *out)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;

    COMPARE_ALL(values[row], bound)
}

static void decimals_with(const struct batch *batch, enum comparison comparison, const int128 *values, int128 bound, uint8_t *out)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;

    COMPARE_ALL(values[row], bound)
}

/* False: not that case, or a constant that the general way must look at. */
static bool compare_with_constant(const struct batch *batch, enum comparison comparison, struct operand a, struct operand b,
                                  struct column *column)
{
    struct operand swap = a;
    int128 bound;
    bool exact;

    if (a.constant) {
        a = b;
        b = swap;
        comparison = mirrored(comparison);
    }
    if (a.constant || !b.constant || column_is_null(b.column, 0))
        return false;
    if (operand_kind(a) != TYPE_BIGINT && operand_kind(a) != TYPE_DECIMAL)
        return false;
    if (!constant_floor(b.column, exact_scale(a.column), &bound, &exact))
        return false;
    if (!exact) {
        /* Nothing lies between the floor and the constant: above the one is above the other. */
        if (comparison == COMPARE_EQ || comparison == COMPARE_NE)
            return false;
        comparison = comparison == COMPARE_GT || comparison == COMPARE_GE ? COMPARE_GT : COMPARE_LE;
    }
    if (operand_kind(a) == TYPE_DECIMAL)
        decimals_with(batch, comparison, a.column->decimal, bound, column->boolean);
    else if (bound == (int64_t)bound)
        bigints_with(batch, comparison, a.column->bigint, (int64_t)bound, column->boolean);
    else
        return false;
    return true;
}

/* = and != of texts, by size first. Texts under NULL are not read: they may be anything. */
static void compare_texts(const struct batch *batch, bool equal, struct operand a, struct operand b, struct column *column)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    const struct str *a_texts = a.column->text, *b_texts = b.column->text;
    uint32_t a_mask = operand_mask(a), b_mask = operand_mask(b);
    const uint8_t *null = column->null;
    uint8_t *out = column->boolean;

    for (; selection < end; selection++) {
        uint32_t row = *selection;

        if (!null || !null[row])
            out[row] = str_equal(a_texts[row & a_mask], b_texts[row & b_mask]) == equal;
    }
}

static bool is_texts(struct operand operand)
{
    return type_is_text(operand_kind(operand)) || operand_kind(operand) == TYPE_BINARY;
}

static void compare_rows(struct batch *batch, enum comparison comparison, struct operand a, struct operand b,
                         struct column *column)
{
    uint32_t a_mask = operand_mask(a), b_mask = operand_mask(b);
    enum type_kind kind = operand_kind(a);

    if (operand_is_number(a) && operand_is_number(b) && compare_with_constant(batch, comparison, a, b, column))
        return;
    if (kind == operand_kind(b) && kind == TYPE_BIGINT) {
        compare_bigints(batch, comparison, a, b, column);
        return;
    }
    if (kind == operand_kind(b) && kind == TYPE_DOUBLE) {
        compare_doubles(batch, comparison, a, b, column);
        return;
    }
    if (kind == operand_kind(b) && kind == TYPE_DECIMAL && a.column->type.scale == b.column->type.scale) {
        compare_decimals(batch, comparison, a, b, column);
        return;
    }
    if (is_texts(a) && is_texts(b) && (comparison == COMPARE_EQ || comparison == COMPARE_NE)) {
        compare_texts(batch, comparison == COMPARE_EQ, a, b, column);
        return;
    }
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (column->null && column->null[row])
            continue;
        column->boolean[row] = truth[comparison] >> (order_values(a.column, row & a_mask, b.column, row & b_mask) + 1) & 1;
    }
}

bool kernel_compare(struct batch *batch, enum comparison comparison, struct operand a, struct operand b,
                    struct column **column_out, struct error *error)
{
    struct column *column;

    if (!settle_constant(batch, &a, b, error) || !settle_constant(batch, &b, a, error))
        return false;
    if (!comparable(a, b)) {
        char a_name[TYPE_NAME_MAX], b_name[TYPE_NAME_MAX];

        return error_set(error, ERROR_SCRIPT, "%s and %s cannot be compared; cast one of them first",
                         type_print(a.column->type, a_name), type_print(b.column->type, b_name));
    }
    column = operand_result(batch, TYPE_OF(TYPE_BOOLEAN), a, b);
    if (!column)
        return operand_out_of_memory(batch, error);
    if (operand_kind(a) != TYPE_NULL && operand_kind(b) != TYPE_NULL)
        compare_rows(batch, comparison, a, b, column);
    batch_sweep(batch);
    *column_out = column;
    return true;
}

/* ---- logic and NULL ---- */

static bool check_boolean(struct operand operand, struct error *error)
{
    char name[TYPE_NAME_MAX];

    if (operand_kind(operand) == TYPE_BOOLEAN || operand_kind(operand) == TYPE_NULL)
        return true;
    return error_set(error, ERROR_SCRIPT, "and, or and not take booleans, this one is %s; compare it with something",
                     type_print(operand.column->type, name));
}

/* The operand's booleans as bytes[row & *mask_out]; NULL's bytes may be anything. */
static const uint8_t *boolean_values(struct operand operand, uint32_t *mask_out)
{
    static const uint8_t none = 0;

    *mask_out = operand_kind(operand) == TYPE_NULL ? 0 : operand_mask(operand);
    return operand_kind(operand) == TYPE_NULL ? &none : operand.column->boolean;
}

bool kernel_logic(struct batch *batch, enum logic logic, struct operand a, struct operand b, struct column **column_out,
                  struct error *error)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    uint32_t a_mask, b_mask, a_null_mask, b_null_mask;
    const uint8_t *a_values = boolean_values(a, &a_mask), *b_values = boolean_values(b, &b_mask);
    const uint8_t *a_null = operand_nulls(a, &a_null_mask), *b_null = operand_nulls(b, &b_null_mask);
    bool nullable = operand_may_be_null(a) || operand_may_be_null(b);
    /* `or` is `and` of the opposites, turned back. */
    uint8_t flip = logic == LOGIC_OR;
    struct column *column;
    uint8_t *out, *null;

    if (!check_boolean(a, error) || !check_boolean(b, error))
        return false;
    column = column_try_new(&batch->arena, TYPE_OF(TYPE_BOOLEAN), batch->row_count, nullable);
    if (!column)
        return operand_out_of_memory(batch, error);
    out = column->boolean;
    null = column->null;
    for (; !nullable && logic == LOGIC_AND && selection < end; selection++)
        out[*selection] = a_values[*selection & a_mask] & b_values[*selection & b_mask];
    for (; !nullable && selection < end; selection++)
        out[*selection] = a_values[*selection & a_mask] | b_values[*selection & b_mask];
    for (; selection < end; selection++) {
        uint32_t row = *selection;
        uint8_t x = a_values[row & a_mask] ^ flip, y = b_values[row & b_mask] ^ flip;
        /* All bits set where the value is known. */
        uint8_t x_known = (uint8_t)(a_null[row & a_null_mask] - 1), y_known = (uint8_t)(b_null[row & b_null_mask] - 1);
        uint8_t both = x & y & x_known & y_known;

        out[row] = both ^ flip;
        null[row] = !(both | ((x ^ 1) & x_known) | ((y ^ 1) & y_known));
    }
    batch_sweep(batch);
    *column_out = column;
    return true;
}

bool kernel_not(struct batch *batch, struct operand a, struct column **column_out, struct error *error)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    const uint8_t *values;
    struct column *column;
    uint32_t mask;
    uint8_t *out;

    if (!check_boolean(a, error))
        return false;
    column = operand_result(batch, TYPE_OF(TYPE_BOOLEAN), a, a);
    if (!column)
        return operand_out_of_memory(batch, error);
    values = boolean_values(a, &mask);
    out = column->boolean;
    for (; selection < end; selection++)
        out[*selection] = values[*selection & mask] ^ 1;
    batch_sweep(batch);
    *column_out = column;
    return true;
}

bool kernel_is_null(struct batch *batch, struct operand a, bool negated, struct column **column_out, struct error *error)
{
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_BOOLEAN), batch->row_count, false);
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    const uint8_t *null;
    uint32_t mask;
    uint8_t *out;

    if (!column)
        return operand_out_of_memory(batch, error);
    null = operand_nulls(a, &mask);
    out = column->boolean;
    for (; selection < end; selection++)
        out[*selection] = null[*selection & mask] ^ (uint8_t)negated;
    batch_sweep(batch);
    *column_out = column;
    return true;
}
