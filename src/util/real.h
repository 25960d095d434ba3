/* real.h: floating-point numbers as text: the shortest that reads back as the same number; NaN, Infinity and -Infinity by name.
 * Ownership: the text is the caller's. Threads: any, no state. */
#ifndef LUADUCT_UTIL_REAL_H
#define LUADUCT_UTIL_REAL_H

#include "util/base.h"

enum { REAL_TEXT_MAX = 32 };

/* Zero-terminated; returns the size. */
size_t real_print(double value, char text[REAL_TEXT_MAX]);
/* As a float: 0.1f is 0.1. */
size_t real_print_float(float value, char text[REAL_TEXT_MAX]);

#endif
