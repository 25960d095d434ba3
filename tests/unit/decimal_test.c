/* decimal_test.c: exact decimals against cases worked out by hand and by another implementation. */
#include "batch/decimal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_parse(void **state)
{
    static const struct {
        const char *why;
        const char *text;
        unsigned precision, scale;
        enum decimal_status status;
        const char *printed;
    } cases[] = {
        {"plain", "12.5", 10, 2, DECIMAL_OK, "12.50"},
        {"zeros beyond the scale lose nothing", "1.50", 3, 1, DECIMAL_OK, "1.5"},
        {"a digit beyond the scale does", "1.55", 3, 1, DECIMAL_SCALE, NULL},
        {"signs", "-0.01", 10, 2, DECIMAL_OK, "-0.01"},
        {"plus", "+7", 10, 2, DECIMAL_OK, "7.00"},
        {"minus nought is nought", "-0.00", 10, 2, DECIMAL_OK, "0.00"},
        {"leading zeros", "0000000000000000000000000000000000000000000012", 4, 2, DECIMAL_OK, "12.00"},
        {"trailing zeros", "1.2000000000000000000000000000000000000000000000", 4, 2, DECIMAL_OK, "1.20"},
        {"just fits", "99999999.99", 10, 2, DECIMAL_OK, "99999999.99"},
        {"just does not", "100000000.00", 10, 2, DECIMAL_PRECISION, NULL},
        {"exponent up", "1.5e3", 10, 2, DECIMAL_OK, "1500.00"},
        {"exponent down", "150E-2", 10, 2, DECIMAL_OK, "1.50"},
        {"exponent with sign", "1e+2", 10, 2, DECIMAL_OK, "100.00"},
        {"exponent below the scale", "1e-3", 10, 2, DECIMAL_SCALE, NULL},
        {"huge exponent", "1e999999999", 38, 0, DECIMAL_PRECISION, NULL},
        {"exponent beyond 64 bits", "1e99999999999999999999999999", 38, 0, DECIMAL_PRECISION, NULL},
        {"huge negative exponent", "1e-999999999", 38, 18, DECIMAL_SCALE, NULL},
        {"nought with a huge exponent", "0e999999999", 38, 18, DECIMAL_OK, "0.000000000000000000"},
        {"38 digits", "99999999999999999999999999999999999999", 38, 0, DECIMAL_OK, "99999999999999999999999999999999999999"},
        {"38 digits, negative", "-99999999999999999999999999999999999999", 38, 0, DECIMAL_OK,
         "-99999999999999999999999999999999999999"},
        {"38 digits, 18 behind the point", "12345678901234567890.123456789012345678", 38, 18, DECIMAL_OK,
         "12345678901234567890.123456789012345678"},
        {"39 digits", "100000000000000000000000000000000000000", 38, 0, DECIMAL_PRECISION, NULL},
        {"39 digits behind the point", "0.123456789012345678901234567890123456789", 38, 38, DECIMAL_SCALE, NULL},
        {"all behind the point", "0.12345678901234567890123456789012345678", 38, 38, DECIMAL_OK,
         "0.12345678901234567890123456789012345678"},
        {"zeros inside", "1000000000000000000000000000000000000e-36", 5, 0, DECIMAL_OK, "1"},
        {"no digits", "", 10, 2, DECIMAL_SYNTAX, NULL},
        {"only a sign", "-", 10, 2, DECIMAL_SYNTAX, NULL},
        {"two signs", "--1", 10, 2, DECIMAL_SYNTAX, NULL},
        {"no digit before the point", ".5", 10, 2, DECIMAL_SYNTAX, NULL},
        {"no digit behind the point", "5.", 10, 2, DECIMAL_SYNTAX, NULL},
        {"no digit before the exponent's point", "5.e1", 10, 2, DECIMAL_SYNTAX, NULL},
        {"two points", "1.2.3", 10, 2, DECIMAL_SYNTAX, NULL},
        {"no exponent", "1e", 10, 2, DECIMAL_SYNTAX, NULL},
        {"no exponent digits", "1e+", 10, 2, DECIMAL_SYNTAX, NULL},
        {"blanks", " 1", 10, 2, DECIMAL_SYNTAX, NULL},
        {"blank behind", "1 ", 10, 2, DECIMAL_SYNTAX, NULL},
        {"words", "NaN", 10, 2, DECIMAL_SYNTAX, NULL},
        {"hexadecimal", "0x10", 10, 2, DECIMAL_SYNTAX, NULL},
        {"thousands", "1,000", 10, 2, DECIMAL_SYNTAX, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct type type = type_decimal((uint8_t)cases[i].precision, (uint8_t)cases[i].scale);
        char text[DECIMAL_TEXT_MAX + 1];
        int128 value = 0;
        enum decimal_status status = decimal_parse(str_of(cases[i].text), type, &value);

        if (status != cases[i].status)
            fail_msg("%s: status %d instead of %d", cases[i].why, (int)status, (int)cases[i].status);
        if (status != DECIMAL_OK)
            continue;
        text[decimal_print(value, type.scale, text)] = '\0';
        if (strcmp(text, cases[i].printed) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", cases[i].why, text, cases[i].printed);
    }
}

/* Value and scale as the text has them. */
static int128 value_of(const char *text, unsigned *scale_out)
{
    const char *point = strchr(text, '.');
    int128 value = 0;

    *scale_out = point ? (unsigned)strlen(point + 1) : 0;
    assert_int_equal(decimal_parse(str_of(text), type_decimal(38, (uint8_t)*scale_out), &value), DECIMAL_OK);
    return value;
}

static void assert_printed(const char *what, enum decimal_status status, int128 value, unsigned scale, const char *expected)
{
    char text[DECIMAL_TEXT_MAX + 1];

    if ((status == DECIMAL_OK) != (expected != NULL))
        fail_msg("%s: status %d, expected %s", what, (int)status, expected ? expected : "none");
    if (!expected)
        return;
    text[decimal_print(value, scale, text)] = '\0';
    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s instead of %s", what, text, expected);
}

static void test_powers(void **state)
{
    int128 power = 1;

    (void)state;
    for (int i = 0; i <= DECIMAL_DIGITS_MAX; i++, power *= i <= DECIMAL_DIGITS_MAX ? 10 : 1)
        assert_true(decimal_powers[i] == power);
}

static void test_rescale(void **state)
{
    static const struct {
        const char *text;
        unsigned scale;
        const char *exact, *rounded;
    } cases[] = {
        {"1.5", 3, "1.500", "1.500"},
        {"1.50", 1, "1.5", "1.5"},
        {"1.55", 1, NULL, "1.6"},
        {"-1.55", 1, NULL, "-1.6"},
        {"1.549999999999999999", 1, NULL, "1.5"},
        {"0.5", 0, NULL, "1"},
        {"-0.5", 0, NULL, "-1"},
        {"0.4", 0, NULL, "0"},
        {"99999999999999999999.999999999999999999", 0, NULL, "100000000000000000000"},
        {"99999999999999999999.999999999999999999", 18, "99999999999999999999.999999999999999999",
         "99999999999999999999.999999999999999999"},
        {"10000000000000000000000000000000000000", 1, NULL, NULL},
        {"9999999999999999999999999999999999999", 1, "9999999999999999999999999999999999999.0",
         "9999999999999999999999999999999999999.0"},
        {"0", 38, "0.00000000000000000000000000000000000000", "0.00000000000000000000000000000000000000"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned scale;
        int128 value = value_of(cases[i].text, &scale), changed = 0;
        enum decimal_status status = decimal_rescale(value, scale, cases[i].scale, &changed);

        assert_printed(cases[i].text, status, changed, cases[i].scale, cases[i].exact);
        status = decimal_rescale_rounded(value, scale, cases[i].scale, &changed);
        assert_printed(cases[i].text, status, changed, cases[i].scale, cases[i].rounded);
    }
    assert_true(decimal_fits(999, 3) && !decimal_fits(1000, 3) && !decimal_fits(-1000, 3) && decimal_fits(0, 1));
}

static void test_compare(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        {"1.0", "1", 0}, {"1.01", "1.1", -1}, {"-1.01", "-1.1", 1}, {"-1", "1.000", -1}, {"0", "0.00", 0}, {"2", "-3.5", 1},
        {"99999999999999999999999999999999999999", "0.00000000000000000000000000000000000001", 1},
        {"-99999999999999999999999999999999999999", "0.00000000000000000000000000000000000001", -1},
        {"12345678901234567890", "12345678901234567890.000000000000000001", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned a_scale, b_scale;
        int128 a = value_of(cases[i].a, &a_scale), b = value_of(cases[i].b, &b_scale);

        assert_int_equal(decimal_compare(a, a_scale, b, b_scale), cases[i].order);
        assert_int_equal(decimal_compare(b, b_scale, a, a_scale), -cases[i].order);
    }
}

/* NULL: does not fit 38 digits. */
static const struct {
    char operation;
    const char *a, *b;
    const char *result;
} operations[] = {
    {'+', "0.1", "0.2", "0.3"},
    {'+', "1", "-1.00", "0.00"},
    {'+', "99999999999999999999999999999999999999", "99999999999999999999999999999999999999", NULL},
    {'+', "99999999999999999999999999999999999999", "-99999999999999999999999999999999999999", "0"},
    {'+', "-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999", NULL},
    {'+', "34028236692093846346", "1000000000000000000.0000000000000000000", NULL}, /* the sum leaves 128 bits */
    {'-', "100000000000000000000", "0.000000000000000001", "99999999999999999999.999999999999999999"},
    {'-', "0.5", "0.50", "0.00"},
    {'*', "1.5", "-1.5", "-2.25"},
    {'*', "0.000000000000000001", "0.5", "0.000000000000000001"},
    {'*', "-0.000000000000000001", "0.4", "0.000000000000000000"},
    {'*', "0.12345678901234567890123456789012345678", "0.12345678901234567890123456789012345678", "0.015241578753238837"},
    {'/', "1", "3", "0.333333"},
    {'/', "2", "3", "0.666667"},
    {'/', "-2", "3", "-0.666667"},
    {'/', "1", "0.000000000003000000000000000000000000", "333333333333.333333"},
    {'/', "2", "0.000000000003000000000000000000000000", "666666666666.666667"},
    {'/', "1", "0.000000000000000000000000000000000003", NULL},
    {'/', "1", "0.00000000000000000000000000000000000003", NULL},
    {'/', "0.00000000000000000000000000000000000009", "1", "0.000000000000000000"},
    {'/', "0.00000000000000000050000000000000000000", "1", "0.000000000000000001"},
    {'/', "99999999999999999999999999999999999999", "1", NULL},
    {'/', "1", "0.00", NULL},
    {'+', "83420902042000791695046403709451470.33", "7276490.818546217823228788", NULL},
    {'+', "5.80", "39034090268.425125511", "39034090274.225125511"},
    {'+', "-36239867672.078365", "0.000000000955930069", "-36239867672.078364999044069931"},
    {'+', "-0.762984594", "10190574.0", "10190573.237015406"},
    {'+', "0.033902433524577079", "3293037811674265.46", "3293037811674265.493902433524577079"},
    {'+', "-0.0311397262", "578354874656289162", "578354874656289161.9688602738"},
    {'+', "-1699432.32", "0.775774864227134127", "-1699431.544225135772865873"},
    {'+', "-429603805869672269444905843.4182169515", "464084668435.829137", "-429603805869671805360237407.5890799515"},
    {'+', "-1551265748740868160.172626", "-0.0000000006", "-1551265748740868160.1726260006"},
    {'+', "-0.000000007", "65507698930.962603556", "65507698930.962603549"},
    {'+', "0.311013536", "-0.076610815048468678", "0.234402720951531322"},
    {'+', "-5126585688867961726154092437.94", "3960052.48", "-5126585688867961726150132385.46"},
    {'-', "45299121.2956405196", "-0.0000000252", "45299121.2956405448"},
    {'-', "-178297294783805364177224.2", "-0.6", "-178297294783805364177223.6"},
    {'-', "153875829379811.8042913044", "22628125786347720830682.22", "-22628125632471891450870.4157086956"},
    {'-', "-83935733948192848924.388273073721197598", "-551665013", "-83935733947641183911.388273073721197598"},
    {'-', "766.151555", "-438623981455349274619971.694431", "438623981455349274620737.845986"},
    {'-', "6290155307395944258.4", "-0.000378", "6290155307395944258.400378"},
    {'-', "-0.000000000000000914", "-486466937508083916439360871.6346792301", NULL},
    {'-', "-0.896533815611750682", "635565079.6689815394", "-635565080.565515355011750682"},
    {'-', "-4151962890843156.619874704", "-72616273784244020079439.91", "72616269632281129236283.290125296"},
    {'-', "-41874298073381154.16", "-9.023515074543431941", "-41874298073381145.136484925456568059"},
    {'-', "23084110095534513.27", "-0.078777380857395781", "23084110095534513.348777380857395781"},
    {'-', "-0.0000000786", "-0.937917652", "0.9379175734"},
    {'*', "-993173756.210382609", "-0.3", "297952126.8631147827"},
    {'*', "0.000000309", "-4738931283653014582", "-1464329766648.781505838"},
    {'*', "-93.931448302343249365", "-6.58", "618.068929829418580822"},
    {'*', "-0.510970782", "-2309015669406813.1", "1179839542247052.7658348442"},
    {'*', "-0.737749492", "579029334372.647632", "-427178597286.518929203002944"},
    {'*', "-95735351548454919.96", "125.528128", "-12017479463299447394.96863488"},
    {'*', "59868908770833499217078247966.629233684", "0.000000000521324325", "31211118453441353666.731346093385607776"},
    {'*', "-3354713484755079.802180709", "-0.8", "2683770787804063.8417445672"},
    {'*', "-0.0406798768", "6011915333255059.444294318", "-244563975088846.761170569319180022"},
    {'*', "-0.000000000000000003", "-487521875.523225324", "0.000000001462565627"},
    {'*', "920886111661886107933019653582", "-5", "-4604430558309430539665098267910"},
    {'*', "42527474491096199336203592995938767559", "-91.677230399613983536", NULL},
    {'/', "48111974577323.716161", "63692488219.278603822", "755.379102"},
    {'/', "-846.500497", "4925105139.992336421", "0.000000"},
    {'/', "-0.0000000335", "0.000000000000000164", "-204268292.6829268293"},
    {'/', "-746787257.7992721064", "2", "-373393628.8996360532"},
    {'/', "857599727644363321687122595.1831756820", "60494549.6318666717", "14176479250828344237.1329564593"},
    {'/', "-0.298949399", "768302333", "0.000000000"},
    {'/', "-0.000000002", "1.58", "-0.000000001"},
    {'/', "65524125893.638464438", "-551432201.5802875089", "-118.825352792"},
    {'/', "943749318.1931287566", "0.0416457745", "22661346307.6098814443"},
    {'/', "760230553624474487640026637.9169956313", "-371665540063991733", "-2045469573.2447547998"},
    {'/', "254238821.022587213", "4587002817285.183093", "0.000055426"},
    {'/', "-0.0120069604", "0.000000783", "-15334.5598978289"},
};

static void test_operations(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        unsigned a_scale, b_scale, scale;
        int128 a = value_of(operations[i].a, &a_scale), b = value_of(operations[i].b, &b_scale), value = 0;
        enum decimal_status status;
        char what[160];

        snprintf(what, sizeof(what), "%s %c %s", operations[i].a, operations[i].operation, operations[i].b);
        switch (operations[i].operation) {
        case '+':
            scale = decimal_add_scale(a_scale, b_scale);
            status = decimal_add(a, a_scale, b, b_scale, &value);
            break;
        case '-':
            scale = decimal_add_scale(a_scale, b_scale);
            status = decimal_subtract(a, a_scale, b, b_scale, &value);
            break;
        case '*':
            scale = decimal_multiply_scale(a_scale, b_scale);
            status = decimal_multiply(a, a_scale, b, b_scale, &value);
            break;
        default:
            scale = decimal_divide_scale(a_scale, b_scale);
            status = decimal_divide(a, a_scale, b, b_scale, &value);
            if (b == 0)
                assert_int_equal(status, DECIMAL_SYNTAX);
        }
        assert_printed(what, status, value, scale, operations[i].result);
    }
}

static void test_double(void **state)
{
    static const struct {
        double value;
        unsigned precision, scale;
        enum decimal_status status;
        const char *printed;
    } cases[] = {
        {0.1, 10, 2, DECIMAL_OK, "0.10"},
        {0.1 + 0.2, 38, 18, DECIMAL_OK, "0.300000000000000040"},
        {0.1 + 0.2, 38, 2, DECIMAL_SCALE, NULL},
        {-1234.5, 10, 2, DECIMAL_OK, "-1234.50"},
        {1e22, 38, 0, DECIMAL_OK, "10000000000000000000000"},
        {1e38, 38, 0, DECIMAL_PRECISION, NULL},
        {5e-324, 38, 18, DECIMAL_SCALE, NULL},
        {(double)NAN, 38, 18, DECIMAL_SYNTAX, NULL},
        {(double)INFINITY, 38, 18, DECIMAL_SYNTAX, NULL},
        {-0.0, 10, 2, DECIMAL_OK, "0.00"},
    };
    unsigned scale;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int128 value = 0;
        enum decimal_status status = decimal_from_double(cases[i].value, type_decimal((uint8_t)cases[i].precision,
                                                                                      (uint8_t)cases[i].scale), &value);

        assert_int_equal(status, cases[i].status);
        assert_printed("from double", status, value, cases[i].scale, cases[i].printed);
    }
    assert_true(decimal_to_double(value_of("0.1", &scale), 1) == 0.1);
    assert_true(decimal_to_double(value_of("-12345678901234567890.123456789012345678", &scale),
                                  18) == -12345678901234567890.123456789012345678);
    assert_true(decimal_to_double(value_of("99999999999999999999999999999999999999", &scale), 0) == 1e38);
    assert_true(decimal_to_double(value_of("0.00000000000000000000000000000000000001", &scale), 38) == 1e-38);
}

/* Every pair of digits at every place, every number of digits and every scale, beside printf's own. */
static void test_print(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < UINT64_C(1000000000000); value += value < 20000 ? 1 : value / 2003 + 1) {
        uint64_t whole = 1;

        for (unsigned scale = 0; scale <= 9; scale++, whole *= 10) {
            char what[64], expected[64];

            snprintf(what, sizeof(what), "%llu at scale %u", (unsigned long long)value, scale);
            snprintf(expected, sizeof(expected), scale ? "-%llu.%0*llu" : "-%llu", (unsigned long long)(value / whole), (int)scale,
                     (unsigned long long)(value % whole));
            assert_printed(what, DECIMAL_OK, (int128)value, scale, expected + 1);
            if (value)
                assert_printed(what, DECIMAL_OK, -(int128)value, scale, expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_powers),  cmocka_unit_test(test_parse),      cmocka_unit_test(test_rescale),
        cmocka_unit_test(test_compare), cmocka_unit_test(test_operations), cmocka_unit_test(test_double),
        cmocka_unit_test(test_print),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
