/* mask_number.c: interval and round over columns of numbers.
 * Bounds are exact: each is brought to the column's scale once a batch, upwards, for a number at that scale is below a bound
 * exactly when it is below the next number of the scale. Doubles are compared as doubles. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch/decimal.h"
#include "batch/kernels/mask_internal.h"
#include "batch/kernels/operand.h"

static const int128 int128_max = (int128)(~(uint128)0 >> 1);

enum { BOUND_SCALE_MAX = 18 };

static bool bound_parse(struct str text, struct mask_bound *bound)
{
    bound->open = !text.data;
    for (bound->scale = 0; !bound->open && bound->scale <= BOUND_SCALE_MAX; bound->scale++)
        if (decimal_parse(text, type_decimal(DECIMAL_DIGITS_MAX, (uint8_t)bound->scale), &bound->value) == DECIMAL_OK)
            return true;
    return bound->open;
}

/* Whether a is below b; an open low is below all, an open high above all. */
static bool low_below_high(const struct mask_bound *low, const struct mask_bound *high)
{
    return low->open || high->open || decimal_compare(low->value, low->scale, high->value, high->scale) < 0;
}

static void value_set(struct mask *mask, struct str text, union type_value *value)
{
    char copy[64] = "";

    if (mask->value_kind == TYPE_STRING) {
        value->text = str_make(xstrndup(text.data, text.size), text.size);
        return;
    }
    memcpy(copy, text.data, size_min(text.size, sizeof(copy) - 1));
    if (mask->value_kind == TYPE_BIGINT)
        value->bigint = strtoll(copy, NULL, 10);
    else
        value->real = strtod(copy, NULL);
}

bool mask_intervals_set(struct mask *mask, const struct mask_options *options, char option[MASK_OPTION_MAX], struct error *error)
{
    mask->ranges = xcalloc(options->interval_count + 1, sizeof(*mask->ranges));
    for (size_t i = 0; i < options->interval_count; i++) {
        const struct mask_interval *interval = &options->intervals[i];
        struct mask_range *range = &mask->ranges[i];
        bool low_ok = bound_parse(interval->low, &range->low);

        snprintf(option, MASK_OPTION_MAX, "intervals[%zu]%s", i + 1, low_ok ? ".to" : ".from");
        if (!low_ok || !bound_parse(interval->high, &range->high))
            return error_set(error, ERROR_CONFIG, "a bound is a number with at most %d decimal places", BOUND_SCALE_MAX);
        snprintf(option, MASK_OPTION_MAX, "intervals[%zu]", i + 1);
        if (!low_below_high(&range->low, &range->high))
            return error_set(error, ERROR_CONFIG, "no number is in it: \"from\" belongs to the interval, \"to\" does not");
        for (size_t j = 0; j < i; j++)
            if (low_below_high(&mask->ranges[j].low, &range->high) && low_below_high(&range->low, &mask->ranges[j].high))
                return error_set(error, ERROR_CONFIG, "overlaps intervals[%zu]", j + 1);
        value_set(mask, interval->value, &range->value);
        mask->range_count++;
    }
    mask->otherwise_given = options->otherwise.data != NULL;
    if (mask->otherwise_given)
        value_set(mask, options->otherwise, &mask->otherwise);
    option[0] = '\0';
    return true;
}

static bool type_refuse(const char *rule, const struct column *column, struct str name, struct error *error)
{
    char type[TYPE_NAME_MAX];

    return error_set(error, ERROR_CONFIG, "%s takes bigint, double or decimal, and field %.*s is %s; cast it first", rule,
                     STR_ARG(name), type_print(column->type, type));
}

static bool is_number(enum type_kind kind)
{
    return kind == TYPE_BIGINT || kind == TYPE_DOUBLE || kind == TYPE_DECIMAL;
}

/* The bound as a number of that scale, rounded up, or beyond all of them. */
static int128 bound_at(const struct mask_bound *bound, unsigned scale)
{
    int128 value = bound->value;

    if (bound->scale <= scale) {
        int128 factor = decimal_powers[scale - bound->scale];

        return __builtin_mul_overflow(value, factor, &value) ? (bound->value < 0 ? -int128_max : int128_max) : value;
    }
    return value / decimal_powers[bound->scale - scale] + (value > 0 && value % decimal_powers[bound->scale - scale] != 0);
}

struct exact_range {
    int128 low, high;
};

struct real_range {
    double low, high;
};

/* The index of the range, or their count, where the value of otherwise stands. */
static size_t find_exact(const struct mask *mask, const struct exact_range *ranges, int128 number)
{
    size_t i = 0;

    while (i < mask->range_count && !(number >= ranges[i].low && number < ranges[i].high))
        i++;
    return i;
}

static size_t find_real(const struct mask *mask, const struct real_range *ranges, double number)
{
    size_t i = 0;

    while (i < mask->range_count && !(number >= ranges[i].low && (number < ranges[i].high || mask->ranges[i].high.open)))
        i++;
    return i;
}

/* The values of all ranges and of otherwise, in the arena, for a column's texts may not hang on the mask. */
static union type_value *copy_values(const struct mask *mask, struct arena *arena)
{
    union type_value *values = arena_try_array(arena, mask->range_count + 1, sizeof(*values));

    for (size_t i = 0; values && i <= mask->range_count; i++) {
        values[i] = i < mask->range_count ? mask->ranges[i].value : mask->otherwise;
        if (mask->value_kind != TYPE_STRING || !values[i].text.data)
            continue;
        values[i].text = arena_try_copy(arena, values[i].text);
        if (!values[i].text.data)
            return NULL;
    }
    return values;
}

static void value_write(struct column *out, uint32_t row, const union type_value *value)
{
    if (out->type.kind == TYPE_STRING)
        out->text[row] = value->text;
    else if (out->type.kind == TYPE_BIGINT)
        out->bigint[row] = value->bigint;
    else
        out->real[row] = value->real;
}

bool mask_interval_run(struct mask *mask, struct batch *batch, const struct column *column, struct str name,
                       struct column **column_out, struct error *error)
{
    enum type_kind kind = column->type.kind;
    bool with_null = column->null || kind == TYPE_NULL || batch->when_error == WHEN_ERROR_NULL;
    struct column *out = column_try_new(&batch->arena, TYPE_OF(mask->value_kind), batch->row_count, with_null);
    struct exact_range *exact = arena_try_array(&batch->arena, mask->range_count, sizeof(*exact));
    struct real_range *real = arena_try_array(&batch->arena, mask->range_count, sizeof(*real));
    const union type_value *values = copy_values(mask, &batch->arena);

    if (kind != TYPE_NULL && !is_number(kind))
        return type_refuse("interval", column, name, error);
    if (!out || !exact || !real || !values)
        return operand_out_of_memory(batch, error);
    for (size_t i = 0; i < mask->range_count; i++) {
        const struct mask_bound *low = &mask->ranges[i].low, *high = &mask->ranges[i].high;

        exact[i].low = low->open ? -int128_max : bound_at(low, kind == TYPE_DECIMAL ? column->type.scale : 0);
        exact[i].high = high->open ? int128_max : bound_at(high, kind == TYPE_DECIMAL ? column->type.scale : 0);
        real[i].low = low->open ? -INFINITY : decimal_to_double(low->value, low->scale);
        real[i].high = high->open ? INFINITY : decimal_to_double(high->value, high->scale);
    }
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        size_t found;

        if (column_is_null(column, row)) {
            memset((char *)out->data + row * type_size(mask->value_kind), 0, type_size(mask->value_kind));
            out->null[row] = 1;
            continue;
        }
        if (kind == TYPE_DOUBLE)
            found = find_real(mask, real, column->real[row]);
        else
            found = find_exact(mask, exact, kind == TYPE_BIGINT ? column->bigint[row] : column->decimal[row]);
        if (found < mask->range_count || mask->otherwise_given)
            value_write(out, row, &values[found]);
        else
            mask_fail(batch, out, row, name, "the number is in no interval; add one for it, or set \"otherwise\"");
    }
    *column_out = out;
    return true;
}

/* Half away from zero, to a multiple of factor; the result may have one digit more. */
static int128 round_to(int128 value, int128 factor)
{
    int128 rest = value % factor, magnitude = rest < 0 ? -rest : rest;

    value -= rest;
    if (magnitude < factor - magnitude)
        return value;
    return rest < 0 ? value - factor : value + factor;
}

static bool round_exact(int128 value, int drop, unsigned precision, int128 *value_out)
{
    *value_out = drop > DECIMAL_DIGITS_MAX ? 0 : round_to(value, decimal_powers[drop]);
    return decimal_fits(*value_out, precision);
}

/* Rounds what the shortest text of the double says, so that 2.675 gives 2.68 although the double is a little below it. */
static bool round_real(double value, int digits, double *value_out)
{
    char text[48];
    uint64_t mantissa = 0, factor = 1;
    int precision = 14, exponent, kept;

    if (!isfinite(value))
        return false;
    do
        snprintf(text, sizeof(text), "%.*e", precision, fabs(value));
    while (strtod(text, NULL) != fabs(value) && ++precision < 17);
    exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    for (const char *p = text; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
    kept = exponent + digits + 1; /* of precision + 1 digits */
    *value_out = value;
    if (kept > precision)
        return true;
    *value_out = 0;
    if (kept < 0)
        return true;
    for (int i = kept; i <= precision; i++)
        factor *= 10;
    mantissa = (mantissa + factor / 2) / factor;
    snprintf(text, sizeof(text), "%s%llue%d", value < 0 && mantissa ? "-" : "", (unsigned long long)mantissa, -digits);
    *value_out = strtod(text, NULL);
    return isfinite(*value_out);
}

/* A rounding that can change no value of the type is a mistake, for all of it would stay to see. */
static bool round_refuse(const char *rule, const struct column *column, struct str name, int digits, struct error *error)
{
    char type[TYPE_NAME_MAX];

    return error_set(
        error, ERROR_CONFIG, "%s: field %.*s is %s, so rounding it to %d digits hides nothing; %sdigits must be below %d", rule,
        STR_ARG(name), type_print(column->type, type), digits, strcmp(rule, "round") == 0 ? "" : "use rule round, whose ",
        column->type.kind == TYPE_DECIMAL ? column->type.scale : 0);
}

bool mask_round_run(struct mask *mask UNUSED, struct batch *batch, const struct column *column, struct str name, const char *rule,
                    int digits, struct column **column_out, struct error *error)
{
    enum type_kind kind = column->type.kind;
    int drop = kind == TYPE_DECIMAL ? column->type.scale - digits : -digits;
    struct type type = column->type;
    struct column *out;

    if (kind != TYPE_NULL && !is_number(kind))
        return type_refuse(rule, column, name, error);
    if ((kind == TYPE_BIGINT || kind == TYPE_DECIMAL) && drop <= 0)
        return round_refuse(rule, column, name, digits, error);
    if (kind == TYPE_DECIMAL && type.precision < DECIMAL_DIGITS_MAX)
        type.precision++;
    out = column_try_new(&batch->arena, type, batch->row_count,
                         column->null || kind == TYPE_NULL || batch->when_error == WHEN_ERROR_NULL);
    if (!out)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        int128 value;
        bool ok = true;

        if (column_is_null(column, row)) {
            memset((char *)out->data + row * type_size(kind), 0, type_size(kind));
            out->null[row] = 1;
            continue;
        }
        if (kind == TYPE_DOUBLE) {
            ok = round_real(column->real[row], digits, &out->real[row]);
        } else if (kind == TYPE_DECIMAL) {
            ok = round_exact(column->decimal[row], drop, type.precision, &out->decimal[row]);
        } else {
            ok = round_exact(column->bigint[row], drop, DECIMAL_DIGITS_MAX, &value) && value >= INT64_MIN && value <= INT64_MAX;
            out->bigint[row] = ok ? (int64_t)value : 0;
        }
        if (!ok)
            mask_fail(batch, out, row, name, "the rounded number is beyond the range of its type");
    }
    *column_out = out;
    return true;
}
