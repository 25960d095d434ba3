/* real.c: the digits that always survive (15 of a double, 6 of a float) are tried first: if they read back, they are the
 * shortest. 17 and 9 always do. */
#include "util/real.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static size_t print(double value, int digits, int digits_max, bool single, char text[REAL_TEXT_MAX])
{
    if (!isfinite(value))
        return (size_t)snprintf(text, REAL_TEXT_MAX, "%s", isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
    for (;; digits++) {
        int size = snprintf(text, REAL_TEXT_MAX, "%.*g", digits, value);

        if (digits == digits_max || (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value))
            return (size_t)size;
    }
}

size_t real_print(double value, char text[REAL_TEXT_MAX])
{
    return print(value, 15, 17, false, text);
}

size_t real_print_float(float value, char text[REAL_TEXT_MAX])
{
    return print((double)value, 6, 9, true, text);
}
