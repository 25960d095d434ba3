/* real_test.c: the shortest text of a floating-point number. */
#include "util/real.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void doubles(void **state UNUSED)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"}, {-0.0, "-0"}, {0.1, "0.1"}, {0.1 + 0.2, "0.30000000000000004"}, {5e-324, "4.94065645841247e-324"},
        {123456789012345678, "1.2345678901234568e+17"}, {1e300, "1e+300"}, {-DBL_MAX, "-1.7976931348623157e+308"},
        {9007199254740993, "9007199254740992"}, {NAN, "NaN"}, {INFINITY, "Infinity"}, {-INFINITY, "-Infinity"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[REAL_TEXT_MAX];

        assert_int_equal(real_print(cases[i].value, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
        assert_true(isnan(cases[i].value) || strtod(text, NULL) == cases[i].value);
    }
}

static void floats(void **state UNUSED)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        {0.1F, "0.1"}, {16777216, "16777216"}, {3.14159274F, "3.1415927"}, {-FLT_MAX, "-3.4028235e+38"}, {1e-45F, "1.4013e-45"},
        {NAN, "NaN"}, {-INFINITY, "-Infinity"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[REAL_TEXT_MAX];

        assert_int_equal(real_print_float(cases[i].value, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(doubles), cmocka_unit_test(floats)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
