/* decimal.c: arithmetic on 128-bit magnitudes, widened to two 128-bit halves where a product or a quotient needs it.
 * Cost: parsing and printing up to 18 digits stay in 64 bits; a wide division by less than 2^64 takes four steps of limbs, any
 * other one 128 steps of shift and subtract, which only quotients of very long decimals need. */
#include "batch/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/real.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digits are written as they lie in memory");

enum { SCALE_MAX = 18 }; /* of results; what the target allows */

#define E18 ((int128)1000000000000000000)
#define E19 ((int128)10000000000000000000U)
#define POWERS_10(unit)                                                                                             \
    (unit), (unit) * 10, (unit) * 100, (unit) * 1000, (unit) * 10000, (unit) * 100000, (unit) * 1000000,           \
        (unit) * 10000000, (unit) * 100000000, (unit) * 1000000000

const int128 decimal_powers[DECIMAL_DIGITS_MAX + 1] = {
    POWERS_10((int128)1), POWERS_10((int128)10000000000), POWERS_10(E18 * 100), E18 * 1000000000000, E18 * 10000000000000,
    E18 * 100000000000000, E18 * 1000000000000000, E18 * 10000000000000000, E18 * 100000000000000000, E18 * E18, E18 * E19,
    E19 * E19,
};

static inline uint128 magnitude_of(int128 value)
{
    return value < 0 ? -(uint128)value : (uint128)value;
}

static inline int128 signed_of(uint128 magnitude, bool negative)
{
    return negative ? (int128)-magnitude : (int128)magnitude;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- text --- */

/* Plain numbers of at most 18 digits, which nearly all are. False: the general way decides. */
static bool parse_short(const char *p, const char *end, struct type type, uint128 *magnitude_out)
{
    uint64_t value = 0;
    unsigned fraction = 0;
    bool point = false;

    if (end - p > SCALE_MAX || p == end || !is_digit(p[0]) || !is_digit(end[-1]))
        return false;
    for (; p < end; p++) {
        if (is_digit(*p)) {
            value = value * 10 + (uint64_t)(*p - '0');
            fraction += point;
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            return false;
        }
    }
    if (fraction > type.scale)
        return false;
    if (value >= (uint128)decimal_powers[type.precision - (type.scale - fraction)])
        return false;
    *magnitude_out = (uint128)value * (uint128)decimal_powers[type.scale - fraction];
    return true;
}

/* The exponent's digits, saturated: beyond any number of digits that a text in memory can have, more makes no difference. */
static bool parse_exponent(const char *p, const char *end, int64_t *exponent_out)
{
    const int64_t limit = INT64_C(1) << 60;
    bool negative = p < end && *p == '-';
    int64_t exponent = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        if (exponent < limit / 10)
            exponent = exponent * 10 + (*p - '0');
    }
    *exponent_out = negative ? -exponent : exponent;
    return true;
}

/* Digits are gathered without leading and trailing zeros: place counts where the first and the last one stand relative to the
 * point. */
static enum decimal_status parse_long(const char *p, const char *end, struct type type, uint128 *magnitude_out)
{
    uint128 value = 0;
    unsigned digits = 0;  /* in value; 39 once there are too many for any precision */
    int64_t read = 0;     /* digits of the mantissa so far */
    int64_t before = -1;  /* digits before the point */
    int64_t first = 0;    /* digits before the first that is not 0 */
    int64_t last = 0;     /* digits up to the last that is not 0 */
    int64_t exponent = 0;

    for (; p < end; p++) {
        if (*p == '.') {
            if (before >= 0 || read == 0)
                return DECIMAL_SYNTAX;
            before = read;
        } else if (is_digit(*p)) {
            read++;
            if (*p == '0')
                continue;
            if (digits == 0)
                first = read - 1;
            if (read - first > DECIMAL_DIGITS_MAX) {
                digits = DECIMAL_DIGITS_MAX + 1;
            } else {
                value = value * (uint128)decimal_powers[digits ? read - last : 1] + (uint128)(*p - '0');
                digits = (unsigned)(read - first);
            }
            last = read;
        } else {
            break;
        }
    }
    if (read == 0 || !is_digit(p[-1]))
        return DECIMAL_SYNTAX;
    if (p < end && ((*p != 'e' && *p != 'E') || !parse_exponent(p + 1, end, &exponent)))
        return DECIMAL_SYNTAX;
    *magnitude_out = 0;
    if (digits == 0)
        return DECIMAL_OK;
    if (before < 0)
        before = read;
    /* The first digit counts 10^(before - first - 1 + exponent), the last one 10^(before - last + exponent). */
    if (before - first + exponent > type.precision - type.scale)
        return DECIMAL_PRECISION;
    if (before - last + exponent < -(int64_t)type.scale)
        return DECIMAL_SCALE;
    /* The two bounds leave at most `precision` digits, so neither the power nor the product can be too large. */
    *magnitude_out = value * (uint128)decimal_powers[before - last + exponent + type.scale];
    return DECIMAL_OK;
}

enum decimal_status decimal_parse(struct str text, struct type type, int128 *value_out)
{
    const char *p = text.data;
    const char *end = p + text.size;
    bool negative = text.size && *p == '-';
    uint128 magnitude;
    enum decimal_status status;

    if (text.size && (*p == '-' || *p == '+'))
        p++;
    if (!parse_short(p, end, type, &magnitude)) {
        if (p == end)
            return DECIMAL_SYNTAX;
        status = parse_long(p, end, type, &magnitude);
        if (status != DECIMAL_OK)
            return status;
    }
    *value_out = signed_of(magnitude, negative);
    return DECIMAL_OK;
}

/* Up to eight digits, of which some stand behind a point: as the bytes of a word, the first one lowest. Halves of four digits,
 * pairs, single ones; each quotient comes from a multiplication that is exact for so few. */
static size_t print_word(uint32_t magnitude, bool negative, unsigned scale, char text[DECIMAL_TEXT_MAX])
{
    uint64_t word = magnitude / 10000 | (uint64_t)(magnitude % 10000) << 32;
    uint64_t quotients = word * 10486 >> 20 & UINT64_C(0x0000007F0000007F);
    unsigned skip, whole;

    word = quotients | (word - quotients * 100) << 16;
    quotients = word * 103 >> 10 & UINT64_C(0x000F000F000F000F);
    word = quotients | (word - quotients * 10) << 8;
    /* Zeros in front are left out, but for the last one before the point. */
    skip = (unsigned)__builtin_ctzll(word | UINT64_C(1) << 8 * (7 - scale)) / 8;
    whole = 8 - scale - skip;
    word |= UINT64_C(0x3030303030303030);
    *text = '-';
    text += negative;
    memcpy(text, &(uint64_t){word >> 8 * skip}, 8);
    text[whole] = '.';
    memcpy(text + whole + 1, &(uint64_t){word >> 8 * (8 - scale)}, 8);
    return negative + whole + 1 + scale;
}

/* Up to 18 digits and a scale up to 18: nearly all values. Copies of a constant size are a few moves instead of a call. */
static size_t print_short(uint64_t magnitude, bool negative, unsigned scale, char text[DECIMAL_TEXT_MAX])
{
    char digits[48];
    char *at = digits + 24;

    if (scale) {
        for (unsigned i = 0; i < scale; i++, magnitude /= 10)
            *--at = (char)('0' + magnitude % 10);
        *--at = '.';
    }
    do
        *--at = (char)('0' + magnitude % 10);
    while ((magnitude /= 10) != 0);
    if (negative)
        *--at = '-';
    memset(digits + 24, 0, 24);
    memcpy(text, at, 24);
    return (size_t)(digits + 24 - at);
}

size_t decimal_print(int128 value, unsigned scale, char text[DECIMAL_TEXT_MAX])
{
    char digits[DECIMAL_TEXT_MAX]; /* from the back */
    char *at = digits + sizeof(digits);
    uint128 rest = magnitude_of(value);
    unsigned written = 0;
    size_t size = 0;

    assert(scale <= DECIMAL_DIGITS_MAX);
    if (LIKELY(rest < 100000000 && scale - 1 < 7))
        return print_word((uint32_t)rest, value < 0, scale, text);
    if (LIKELY(rest < (uint128)E18 && scale <= SCALE_MAX))
        return print_short((uint64_t)rest, value < 0, scale, text);
    do {
        /* 19 digits at a time fit 64 bits, and only the last time may be shorter. */
        uint64_t part = rest >> 64 ? (uint64_t)(rest % (uint128)E19) : (uint64_t)rest;
        unsigned wanted = rest >> 64 ? written + 19 : written;

        rest = rest >> 64 ? rest / (uint128)E19 : 0;
        do {
            if (written == scale && written)
                *--at = '.';
            *--at = (char)('0' + part % 10);
            part /= 10;
            written++;
        } while (part || written < wanted);
    } while (rest);
    while (written <= scale) {
        if (written == scale && written)
            *--at = '.';
        *--at = '0';
        written++;
    }
    if (value < 0)
        *--at = '-';
    size = (size_t)(digits + sizeof(digits) - at);
    memcpy(text, at, size);
    return size;
}

/* --- scales --- */

bool decimal_fits(int128 value, unsigned precision)
{
    return precision >= DECIMAL_DIGITS_MAX + 1 || magnitude_of(value) < (uint128)decimal_powers[precision];
}

static enum decimal_status scale_up(int128 value, unsigned by, int128 *value_out)
{
    if (value == 0) {
        *value_out = 0;
        return DECIMAL_OK;
    }
    if (by > DECIMAL_DIGITS_MAX || !decimal_fits(value, DECIMAL_DIGITS_MAX - by))
        return DECIMAL_PRECISION;
    *value_out = value * decimal_powers[by];
    return DECIMAL_OK;
}

enum decimal_status decimal_rescale(int128 value, unsigned scale, unsigned new_scale, int128 *value_out)
{
    unsigned by = scale - new_scale;

    if (new_scale >= scale)
        return scale_up(value, new_scale - scale, value_out);
    if (by > DECIMAL_DIGITS_MAX ? value != 0 : value % decimal_powers[by] != 0)
        return DECIMAL_SCALE;
    *value_out = by > DECIMAL_DIGITS_MAX ? 0 : value / decimal_powers[by];
    return DECIMAL_OK;
}

enum decimal_status decimal_rescale_rounded(int128 value, unsigned scale, unsigned new_scale, int128 *value_out)
{
    uint128 magnitude = magnitude_of(value), power;
    unsigned by = scale - new_scale;

    if (new_scale >= scale)
        return scale_up(value, new_scale - scale, value_out);
    if (by > DECIMAL_DIGITS_MAX) {
        *value_out = 0;
        return DECIMAL_OK;
    }
    power = (uint128)decimal_powers[by];
    *value_out = signed_of(magnitude / power + (magnitude % power * 2 >= power), value < 0);
    return DECIMAL_OK;
}

/* --- 256 bits --- */

struct wide {
    uint128 high, low;
};

static struct wide wide_multiply(uint128 a, uint128 b)
{
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    uint128 low = (uint128)a0 * b0;
    uint128 cross = (uint128)a1 * b0 + (low >> 64); /* cannot overflow: (2^64-1)^2 + 2^64-1 < 2^128 */
    uint128 other = (uint128)a0 * b1 + (uint64_t)cross;

    return (struct wide){(uint128)a1 * b1 + (cross >> 64) + (other >> 64), other << 64 | (uint64_t)low};
}

static int wide_compare(struct wide a, struct wide b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}

static struct wide wide_add(struct wide a, struct wide b)
{
    uint128 low = a.low + b.low;

    return (struct wide){a.high + b.high + (low < a.low), low};
}

static struct wide wide_subtract(struct wide a, struct wide b)
{
    return (struct wide){a.high - b.high - (a.low < b.low), a.low - b.low};
}

/* divisor: 1 .. 2^127. */
static struct wide wide_divide(struct wide value, uint128 divisor, uint128 *rest_out)
{
    struct wide quotient = {value.high / divisor, 0};
    uint128 rest = value.high % divisor;

    if (value.high == 0) {
        quotient.low = value.low / divisor;
        rest = value.low % divisor;
    } else if (divisor >> 64 == 0) {
        uint128 part = rest << 64 | (uint64_t)(value.low >> 64);

        quotient.low = part / divisor << 64;
        part = part % divisor << 64 | (uint64_t)value.low;
        quotient.low |= part / divisor;
        rest = part % divisor;
    } else {
        for (int bit = 127; bit >= 0; bit--) {
            rest = rest << 1 | (value.low >> bit & 1);
            if (rest >= divisor) {
                rest -= divisor;
                quotient.low |= (uint128)1 << bit;
            }
        }
    }
    *rest_out = rest;
    return quotient;
}

/* Divides by 10^by and rounds half away from zero. Cutting some digits off first does not move a value across the half, for the
 * half is a whole number at that step, so steps of 38 digits round once. */
static struct wide wide_shorten(struct wide value, unsigned by)
{
    struct wide quotient;
    uint128 rest;

    for (; by > DECIMAL_DIGITS_MAX; by -= DECIMAL_DIGITS_MAX)
        value = wide_divide(value, (uint128)decimal_powers[DECIMAL_DIGITS_MAX], &rest);
    if (by == 0)
        return value;
    quotient = wide_divide(value, (uint128)decimal_powers[by], &rest);
    return rest * 2 >= (uint128)decimal_powers[by] ? wide_add(quotient, (struct wide){0, 1}) : quotient;
}

static enum decimal_status narrow(struct wide value, bool negative, int128 *value_out)
{
    if (value.high || value.low >= (uint128)decimal_powers[DECIMAL_DIGITS_MAX])
        return DECIMAL_PRECISION;
    *value_out = signed_of(value.low, negative);
    return DECIMAL_OK;
}

/* Magnitude at a scale that is not below its own. */
static struct wide wide_scaled(int128 value, unsigned scale, unsigned new_scale)
{
    return wide_multiply(magnitude_of(value), (uint128)decimal_powers[new_scale - scale]);
}

/* --- arithmetic --- */

int decimal_compare(int128 a, unsigned a_scale, int128 b, unsigned b_scale)
{
    unsigned scale = a_scale > b_scale ? a_scale : b_scale;
    int order;

    if (a_scale == b_scale)
        return a < b ? -1 : a > b;
    if ((a < 0) != (b < 0))
        return a < 0 ? -1 : 1;
    order = wide_compare(wide_scaled(a, a_scale, scale), wide_scaled(b, b_scale, scale));
    return a < 0 ? -order : order;
}

unsigned decimal_add_scale(unsigned a_scale, unsigned b_scale)
{
    return a_scale > b_scale ? a_scale : b_scale;
}

unsigned decimal_multiply_scale(unsigned a_scale, unsigned b_scale)
{
    return a_scale + b_scale > SCALE_MAX ? SCALE_MAX : a_scale + b_scale;
}

unsigned decimal_divide_scale(unsigned a_scale, unsigned b_scale)
{
    (void)b_scale;
    return a_scale < 6 ? 6 : a_scale > SCALE_MAX ? SCALE_MAX : a_scale;
}

enum decimal_status decimal_add(int128 a, unsigned a_scale, int128 b, unsigned b_scale, int128 *value_out)
{
    unsigned scale = decimal_add_scale(a_scale, b_scale);
    struct wide x, y;

    if (a_scale == b_scale) {
        int128 sum;

        if (__builtin_add_overflow(a, b, &sum) || !decimal_fits(sum, DECIMAL_DIGITS_MAX))
            return DECIMAL_PRECISION;
        *value_out = sum;
        return DECIMAL_OK;
    }
    x = wide_scaled(a, a_scale, scale);
    y = wide_scaled(b, b_scale, scale);
    if ((a < 0) == (b < 0))
        return narrow(wide_add(x, y), a < 0, value_out);
    if (wide_compare(x, y) >= 0)
        return narrow(wide_subtract(x, y), a < 0, value_out);
    return narrow(wide_subtract(y, x), b < 0, value_out);
}

enum decimal_status decimal_subtract(int128 a, unsigned a_scale, int128 b, unsigned b_scale, int128 *value_out)
{
    return decimal_add(a, a_scale, -b, b_scale, value_out);
}

enum decimal_status decimal_multiply(int128 a, unsigned a_scale, int128 b, unsigned b_scale, int128 *value_out)
{
    unsigned scale = a_scale + b_scale;
    struct wide product = wide_multiply(magnitude_of(a), magnitude_of(b));

    return narrow(wide_shorten(product, scale - decimal_multiply_scale(a_scale, b_scale)), (a < 0) != (b < 0), value_out);
}

enum decimal_status decimal_divide(int128 a, unsigned a_scale, int128 b, unsigned b_scale, int128 *value_out)
{
    /* a / 10^a_scale / (b / 10^b_scale) * 10^scale = a * 10^by / b */
    int by = (int)decimal_divide_scale(a_scale, b_scale) + (int)b_scale - (int)a_scale;
    bool negative = (a < 0) != (b < 0);
    uint128 divisor = magnitude_of(b);
    struct wide quotient;
    uint128 rest;
    unsigned more;

    if (b == 0)
        return DECIMAL_SYNTAX;
    if (by < 0)
        return narrow(wide_shorten((struct wide){0, magnitude_of(a) / divisor}, (unsigned)-by), negative, value_out);
    /* Above 38 digits the dividend would leave 256 bits: the rest goes on in a second step, as in a division by hand. */
    more = by > DECIMAL_DIGITS_MAX ? (unsigned)by - DECIMAL_DIGITS_MAX : 0;
    quotient = wide_divide(wide_multiply(magnitude_of(a), (uint128)decimal_powers[(unsigned)by - more]), divisor, &rest);
    if (quotient.high || quotient.low >= (uint128)decimal_powers[DECIMAL_DIGITS_MAX - more])
        return DECIMAL_PRECISION;
    if (more) {
        struct wide tail = wide_divide(wide_multiply(rest, (uint128)decimal_powers[more]), divisor, &rest);

        quotient = wide_add(wide_multiply(quotient.low, (uint128)decimal_powers[more]), tail);
    }
    if (rest >= divisor - rest)
        quotient = wide_add(quotient, (struct wide){0, 1});
    return narrow(quotient, negative, value_out);
}

/* --- double --- */

double decimal_to_double(int128 value, unsigned scale)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    char text[DECIMAL_TEXT_MAX + 8];
    size_t size;

    /* Both exact, so the quotient is rounded once. */
    if (magnitude_of(value) <= (uint128)1 << 53 && scale < COUNT_OF(powers))
        return (double)(int64_t)value / powers[scale];
    size = decimal_print(value, 0, text);
    snprintf(text + size, sizeof(text) - size, "e-%u", scale);
    return strtod(text, NULL);
}

enum decimal_status decimal_from_double(double value, struct type type, int128 *value_out)
{
    char text[REAL_TEXT_MAX];

    if (!isfinite(value))
        return DECIMAL_SYNTAX;
    return decimal_parse(str_make(text, real_print(value, text)), type, value_out);
}
