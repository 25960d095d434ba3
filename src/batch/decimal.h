/* decimal.h: exact decimals as 128-bit unscaled integers with a scale that the caller knows (a column's type).
 * Precision up to 38 fits; products and quotients that do not fit in between are done in 256 bits. Rounding is half away from
 * zero, and only where the name says so.
 * Ownership: plain values, nothing to release. Threads: any, no state. */
#ifndef LUADUCT_BATCH_DECIMAL_H
#define LUADUCT_BATCH_DECIMAL_H

#include "batch/type.h"

enum { DECIMAL_DIGITS_MAX = 38, DECIMAL_TEXT_MAX = 48 };

/* 10^n, n 0..38. */
extern const int128 decimal_powers[DECIMAL_DIGITS_MAX + 1];

enum decimal_status {
    DECIMAL_OK,
    DECIMAL_SYNTAX,    /* no number */
    DECIMAL_SCALE,     /* digits other than 0 beyond the scale: would lose something */
    DECIMAL_PRECISION, /* too many digits before the point */
};

/* Strict: optional sign, digits, optional point and digits, optional exponent (e or E); no blanks, no "NaN", nothing else.
 * "1.50" parses at scale 1 (the zero loses nothing), "1.55" does not. */
enum decimal_status decimal_parse(struct str text, struct type type, int128 *value_out) MUST_USE;
/* Plain notation with all digits of the scale ("12.50", "-0.01"); returns the size; text is not zero-terminated. */
size_t decimal_print(int128 value, unsigned scale, char text[DECIMAL_TEXT_MAX]);
/* From one scale to another: exact, or DECIMAL_SCALE / DECIMAL_PRECISION (38 digits). */
enum decimal_status decimal_rescale(int128 value, unsigned scale, unsigned new_scale, int128 *value_out) MUST_USE;
enum decimal_status decimal_rescale_rounded(int128 value, unsigned scale, unsigned new_scale, int128 *value_out) MUST_USE;
/* Whether the value has at most `precision` digits. */
bool decimal_fits(int128 value, unsigned precision);
/* -1, 0, 1, whatever the scales. */
int decimal_compare(int128 a, unsigned a_scale, int128 b, unsigned b_scale);

/* Results at the scale of the rules: + - max(scales); * sum of scales, rounded to 18 when above; / max(6, dividend's scale),
 * rounded, never above 18. DECIMAL_PRECISION when the result does not fit 38 digits. Division by zero is DECIMAL_SYNTAX. */
unsigned decimal_add_scale(unsigned a_scale, unsigned b_scale);
unsigned decimal_multiply_scale(unsigned a_scale, unsigned b_scale);
unsigned decimal_divide_scale(unsigned a_scale, unsigned b_scale);
enum decimal_status decimal_add(int128 a, unsigned a_scale, int128 b, unsigned b_scale, int128 *value_out) MUST_USE;
enum decimal_status decimal_subtract(int128 a, unsigned a_scale, int128 b, unsigned b_scale, int128 *value_out) MUST_USE;
enum decimal_status decimal_multiply(int128 a, unsigned a_scale, int128 b, unsigned b_scale, int128 *value_out) MUST_USE;
enum decimal_status decimal_divide(int128 a, unsigned a_scale, int128 b, unsigned b_scale, int128 *value_out) MUST_USE;

double decimal_to_double(int128 value, unsigned scale); /* nearest */
/* The shortest decimal text that reads back as the same double, taken exactly at the type's scale; fails as decimal_parse
 * does. */
enum decimal_status decimal_from_double(double value, struct type type, int128 *value_out) MUST_USE;

#endif
