/* arithmetic_test.c: arithmetic, comparison and logic over columns. Each case is two literals and an operator; it runs as column
 * with column, column with constant and constant with column, which must agree. */
#include "batch/decimal.h"
#include "batch/kernels/arithmetic.h"
#include "batch/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>

enum { ROWS = 3 };

static struct batch *make_batch(enum when_error when_error)
{
    struct batch *batch = batch_new(8 << 20);

    for (int i = 0; i < ROWS; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = i}, NULL);
    assert_true(batch_begin(batch, 0));
    batch->stage = "s";
    batch->when_error = when_error;
    return batch;
}

/* A literal: null, true, false, 5 (bigint), 5.0r (double), 5.00d (decimal at its own scale), 'text', @date, #timestamp, ~ntz,
 * x'bytes. */
static struct column *literal(struct batch *batch, const char *text, uint32_t rows)
{
    size_t size = strlen(text);
    struct column one = {.type = TYPE_OF(TYPE_BIGINT)};
    struct column *column;
    union type_value value = {0};

    if (strcmp(text, "null") == 0) {
        one.type = TYPE_OF(TYPE_NULL);
    } else if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        one.type = TYPE_OF(TYPE_BOOLEAN);
        value.boolean = text[0] == 't';
    } else if (text[0] == '\'' || strncmp(text, "x'", 2) == 0) {
        one.type = TYPE_OF(text[0] == 'x' ? TYPE_BINARY : TYPE_STRING);
        value.text = str_of(strchr(text, '\'') + 1);
    } else if (text[0] == '@') {
        one.type = TYPE_OF(TYPE_DATE);
        assert_true(time_parse_date(str_of(text + 1), &value.date));
    } else if (text[0] == '#' || text[0] == '~') {
        bool has_offset;
        int32_t offset;

        one.type = TYPE_OF(text[0] == '#' ? TYPE_TIMESTAMP : TYPE_TIMESTAMP_NTZ);
        assert_true(time_parse(str_of(text + 1), &value.instant, &has_offset, &offset));
    } else if (text[size - 1] == 'r') {
        one.type = TYPE_OF(TYPE_DOUBLE);
        value.real = strtod(text, NULL);
    } else if (text[size - 1] == 'd') {
        const char *point = strchr(text, '.');

        one.type = type_decimal(38, point ? (uint8_t)(text + size - 2 - point) : 0);
        assert_int_equal(decimal_parse(str_make(text, size - 1), one.type, &value.decimal), DECIMAL_OK);
    } else {
        value.bigint = strtoll(text, NULL, 10);
    }
    column = column_try_new(&batch->arena, one.type, rows, false);
    for (uint32_t i = 0; i < rows; i++)
        memcpy((char *)column->data + i * type_size(one.type.kind), &value, type_size(one.type.kind));
    return column;
}

static void print_result(const struct batch *batch, const struct column *column, char result[1300])
{
    char digits[DECIMAL_TEXT_MAX], name[TYPE_NAME_MAX];

    if (batch->dirty) {
        snprintf(result, 200, "!%.*s", STR_ARG(batch->dirty->reason));
        assert_int_equal(batch->dirty_count, ROWS);
        assert_int_equal(batch->selected, 0);
        return;
    }
    assert_int_equal(column->rows, ROWS);
    if (column_is_null(column, ROWS - 1)) {
        snprintf(result, 200, "NULL");
        return;
    }
    switch (column->type.kind) {
    case TYPE_BOOLEAN: snprintf(result, 200, "%s", column->boolean[ROWS - 1] ? "true" : "false"); break;
    case TYPE_BIGINT: snprintf(result, 200, "%lld", (long long)column->bigint[ROWS - 1]); break;
    case TYPE_DOUBLE: snprintf(result, 200, "%.17gr", column->real[ROWS - 1]); break;
    case TYPE_DECIMAL:
        snprintf(result, 200, "%.*sd", (int)decimal_print(column->decimal[ROWS - 1], column->type.scale, digits), digits);
        break;
    case TYPE_STRING: snprintf(result, 200, "'%.*s", STR_ARG(column->text[ROWS - 1])); break;
    case TYPE_DATE: snprintf(result, 200, "@%.*s", (int)time_print_date(column->date[ROWS - 1], digits), digits); break;
    default: snprintf(result, 200, "%s", type_print(column->type, name)); break;
    }
}

static bool operate(struct batch *batch, const char *operator, struct operand a, struct operand b, struct column **column_out,
                    struct error *error)
{
    static const char *const arithmetics[] = {"+", "-", "*", "/", "//", "%"};
    static const char *const comparisons[] = {"==", "!=", "<", "<=", ">", ">="};

    for (unsigned i = 0; i < 6; i++) {
        if (strcmp(operator, arithmetics[i]) == 0)
            return kernel_arithmetic(batch, (enum arithmetic)i, a, b, STR("a op b"), column_out, error);
        if (strcmp(operator, comparisons[i]) == 0)
            return kernel_compare(batch, (enum comparison)i, a, b, column_out, error);
    }
    if (strcmp(operator, "and") == 0 || strcmp(operator, "or") == 0)
        return kernel_logic(batch, operator[0] == 'a' ? LOGIC_AND : LOGIC_OR, a, b, column_out, error);
    if (strcmp(operator, "??") == 0)
        return kernel_coalesce(batch, a, b, column_out, error);
    if (strcmp(operator, "neg") == 0)
        return kernel_negate(batch, a, column_out, error);
    if (strcmp(operator, "not") == 0)
        return kernel_not(batch, a, column_out, error);
    if (strcmp(operator, "is null") == 0)
        return kernel_is_null(batch, a, false, column_out, error);
    if (strcmp(operator, "is not null") == 0)
        return kernel_is_null(batch, a, true, column_out, error);
    assert_string_equal(operator, "..");
    return kernel_concat(batch, a, b, column_out, error);
}

struct test {
    const char *a, *operator, *b, *result; /* the result, "!reason" of the dirty rows, or "?beginning" of the call's error */
};

static void run(const struct test *tests, size_t count, bool constants)
{
    for (size_t i = 0; i < count; i++) {
        for (unsigned way = 0; way < (constants ? 3 : 1); way++) {
            struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
            struct operand a = {literal(batch, tests[i].a, way == 2 ? 1 : ROWS), way == 2};
            struct operand b = {literal(batch, tests[i].b, way == 1 ? 1 : ROWS), way == 1};
            struct column *column = NULL;
            struct error error;
            char result[1300];

            if (operate(batch, tests[i].operator, a, b, &column, &error)) {
                print_result(batch, column, result);
            } else {
                snprintf(result, sizeof(result), "?%s", error.text);
                if (tests[i].result[0] == '?')
                    result[size_min(strlen(result), strlen(tests[i].result))] = '\0';
            }
            if (strcmp(result, tests[i].result) != 0)
                fail_msg("%s %s %s (way %u): %s, not %s", tests[i].a, tests[i].operator, tests[i].b, way, result,
                         tests[i].result);
            batch_free(batch);
        }
    }
}

static void numbers_are_computed_exactly(void **state)
{
    static const struct test tests[] = {
        {"2", "+", "3", "5"},
        {"9223372036854775807", "+", "1", "!a op b: the result is beyond 64 bits"},
        {"-9223372036854775808", "-", "1", "!a op b: the result is beyond 64 bits"},
        {"4611686018427387904", "*", "2", "!a op b: the result is beyond 64 bits"},
        {"7", "/", "2", "3.5r"},
        {"7", "/", "0", "!a op b: division by zero"},
        {"7", "//", "2", "3"},
        {"-7", "//", "2", "-4"},
        {"7", "//", "-2", "-4"},
        {"-6", "//", "2", "-3"},
        {"-7", "%", "3", "2"},
        {"7", "%", "-3", "-2"},
        {"-9", "%", "3", "0"},
        {"7", "%", "0", "!a op b: division by zero"},
        {"-9223372036854775808", "//", "-1", "!a op b: the result is beyond 64 bits"},
        {"-9223372036854775808", "%", "-1", "0"},
        {"1.5r", "+", "1", "2.5r"},
        {"1e308r", "*", "10", "!a op b: the result is beyond the range of a double"},
        {"-7.5r", "//", "2.0r", "-4r"},
        {"-7.5r", "%", "2.0r", "0.5r"},
        {"-1e-200r", "%", "1e-199r", "9.0000000000000004e-200r"},
        {"1.0r", "/", "0.0r", "!a op b: division by zero"},
        {"12.50d", "*", "3", "37.50d"},
        {"0.10d", "+", "0.2d", "0.30d"},
        {"1.0d", "/", "3", "0.333333d"},
        {"1.0d", "/", "0", "!a op b: division by zero"},
        {"7.50d", "//", "2", "3d"},
        {"-7.50d", "//", "2", "-4d"},
        {"-7.50d", "%", "2", "0.50d"},
        {"99999999999999999999999999999999999999d", "+", "1", "!a op b: the result has more than 38 digits"},
        {"1.5d", "*", "2.0r", "3r"},
        {"null", "+", "1", "NULL"},
        {"1", "+", "'1", "?a op b: there is no + between bigint and string"},
        {"true", "*", "1", "?a op b: there is no * between boolean and bigint"},
        {"@2024-01-31", "+", "1", "?a op b: there is no + between date and bigint"},
    };
    static const struct test single[] = {
        {"5", "neg", "null", "-5"},          {"-9223372036854775808", "neg", "null", "!-: the result is beyond 64 bits"},
        {"1.5r", "neg", "null", "-1.5r"},    {"1.50d", "neg", "null", "-1.50d"},
        {"null", "neg", "null", "NULL"},     {"'x", "neg", "null", "?the negative of string"},
    };

    (void)state;
    run(tests, COUNT_OF(tests), true);
    run(single, COUNT_OF(single), false);
}

static void comparisons_lose_nothing(void **state)
{
    static const struct test tests[] = {
        {"9007199254740993", "==", "9007199254740992.0r", "false"},
        {"9007199254740993", ">", "9007199254740992.0r", "true"},
        {"9223372036854775807", "<", "9223372036854775808.0r", "true"},
        {"-9223372036854775808", "==", "-9223372036854775808.0r", "true"},
        {"0.1d", "<", "0.1r", "true"}, /* the double is 0.1000000000000000055... */
        {"0.5d", "==", "0.5r", "true"},
        {"-0.1d", ">", "-0.1r", "true"},
        {"-0.5d", "<", "0.25r", "true"},
        {"0.25d", ">", "-0.25r", "true"},
        {"0.0d", "==", "-0.0r", "true"},
        {"0.0d", "<", "5e-324r", "true"},
        {"99999999999999999999999999999999999999d", "<", "1e300r", "true"},
        {"99999999999999999999999999999999999999d", ">", "-infr", "true"},
        {"1", "==", "nanr", "false"},
        {"1", "!=", "nanr", "true"},
        {"1.5d", ">=", "nanr", "false"},
        {"nanr", "!=", "nanr", "true"},
        {"1.50d", "==", "1.5d", "true"},
        {"2", ">", "1.99d", "true"},
        {"2", "<=", "2", "true"},
        {"2", "<", "2", "false"},
        {"3", "!=", "2", "true"},
        {"1.5r", "<", "2.5r", "true"},
        {"'a", "<", "'ab", "true"},
        {"'", "<", "'a", "true"},
        {"'\xC3\xBC", ">", "'z", "true"},
        {"'a", "==", "x'a", "true"},
        {"false", "<", "true", "true"},
        {"null", "==", "null", "NULL"},
        {"1", "==", "null", "NULL"},
        {"@2024-01-31", "<", "@2024-02-01", "true"},
        {"#2024-01-31 00:00:00.5", ">", "#2024-01-31 00:00:00", "true"},
        {"1", "==", "'1", "?"},
        {"@2024-01-31", "==", "1", "?"},
        {"~2024-01-31 00:00:00", "==", "#2024-01-31 00:00:00", "?"},
    };

    (void)state;
    run(tests, COUNT_OF(tests), true);
}

/* Constants are settled once a call and then compared in a short loop; two columns of different types are ordered value by value. */
static void constants_compare_as_columns_do(void **state)
{
    static const char *const numbers[] = {
        "0", "1", "-1", "100", "9223372036854775807", "-9223372036854775808", "0.00d", "-0.01d", "0.01d", "1.00d", "99.99d", "100.00d",
        "100.01d", "-100.005d", "100.005d", "0.1d", "0.10d", "99999999999999999999999999999999999.99d",
        "-99999999999999999999999999999999999.99d", "99999999999999999999999999999999999999d", "0.1r", "-0.1r", "100.0r", "99.995r",
        "-99.995r", "-0.0r", "1e300r", "-1e300r", "9223372036854775808.0r", "-9223372036854775808.0r", "9007199254740993.0r", "1e-300r",
        "-1e-300r", "nan.r", "inf.r", "-inf.r", "1e36r", "-1e36r", "0.30000000000000004r",
    };
    static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">="};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers) * COUNT_OF(numbers) * COUNT_OF(operators); i++) {
        const char *x = numbers[i % COUNT_OF(numbers)], *y = numbers[i / COUNT_OF(numbers) % COUNT_OF(numbers)];
        const char *operator = operators[i / COUNT_OF(numbers) / COUNT_OF(numbers)];
        char results[3][1300];

        for (unsigned way = 0; way < 3; way++) {
            struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
            struct operand a = {literal(batch, x, way == 2 ? 1 : ROWS), way == 2};
            struct operand b = {literal(batch, y, way == 1 ? 1 : ROWS), way == 1};
            struct column *column;
            struct error error;

            assert_true(operate(batch, operator, a, b, &column, &error));
            print_result(batch, column, results[way]);
            batch_free(batch);
        }
        if (strcmp(results[0], results[1]) != 0 || strcmp(results[0], results[2]) != 0)
            fail_msg("%s %s %s: %s, with a constant %s or %s", x, operator, y, results[0], results[1], results[2]);
    }
}

static void text_constants_stand_for_times(void **state)
{
    static const struct test tests[] = {
        {"@2024-01-31", "==", "'2024-01-31", "true"},
        {"@2024-01-31", "<", "'2024-02-30", "?the string constant"},
        {"#2024-01-31 00:00:00", "==", "'2024-01-31 08:00:00+08:00", "true"},
        {"#2024-01-31 00:00:00", "==", "'2024-01-31 00:00:00", "?the string constant"},
        {"~2024-01-31 00:00:00", "<", "'2024-01-31 00:00:01", "true"},
        {"~2024-01-31 00:00:00", "<", "'2024-01-31 00:00:01Z", "?the string constant"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tests); i++) {
        struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
        struct operand a = {literal(batch, tests[i].a, ROWS), false}, b = {literal(batch, tests[i].b, 1), true};
        struct column *column;
        struct error error;
        char result[1300];

        if (operate(batch, tests[i].operator, a, b, &column, &error))
            print_result(batch, column, result);
        else
            snprintf(result, strlen(tests[i].result) + 1, "?%s", error.text);
        assert_string_equal(result, tests[i].result);
        batch_free(batch);
    }
}

static void logic_has_three_values(void **state)
{
    static const struct test tests[] = {
        {"true", "and", "true", "true"},    {"true", "and", "false", "false"}, {"false", "and", "null", "false"},
        {"null", "and", "false", "false"},  {"true", "and", "null", "NULL"},   {"null", "and", "null", "NULL"},
        {"true", "or", "null", "true"},     {"null", "or", "true", "true"},    {"false", "or", "null", "NULL"},
        {"false", "or", "false", "false"},  {"false", "or", "true", "true"},   {"1", "and", "true",
                                                                                "?and, or and not take booleans"},
        {"null", "??", "5", "5"},           {"3", "??", "5", "3"},             {"null", "??", "null", "NULL"},
        {"'a", "..", "5", "'a5"},           {"1.50d", "..", "0.1r", "'1.500.1"}, {"null", "..", "'x", "NULL"},
        {"true", "..", "@2024-01-31", "'true2024-01-31"}, {"#2024-01-31 00:00:00", "..", "'", "'2024-01-31 00:00:00Z"},
        {"x'\xFF", "..", "'a", "!..: the binary value is not UTF-8 text"},
    };
    static const struct test single[] = {
        {"true", "not", "null", "false"},     {"false", "not", "null", "true"},        {"null", "not", "null", "NULL"},
        {"null", "is null", "null", "true"},  {"0", "is null", "null", "false"},       {"null", "is not null", "null", "false"},
        {"5", "??", "'x", "?coalesce needs"}, {"1", "not", "null", "?and, or and not"},
    };

    (void)state;
    run(tests, COUNT_OF(tests), true);
    run(single, COUNT_OF(single), false);
}

static void coalesce_converts_constants(void **state)
{
    static const struct test tests[] = {
        {"@2024-01-31", "??", "'2000-01-01", "@2000-01-01"}, {"1.50d", "??", "7", "7.00d"}, {"1.5r", "??", "7", "7r"},
        {"1.50d", "??", "'0.255", "?the string constant"},   {"5", "??", "2.0r", "2"},      {"5", "??", "2.5r",
                                                                                             "?the double constant"},
        {"5", "??", "'x", "?the string constant"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tests); i++) {
        struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
        struct column *a = literal(batch, tests[i].a, ROWS), *column;
        struct operand b = {literal(batch, tests[i].b, 1), true};
        struct error error;
        char result[1300];

        assert_true(column_try_nullable(&batch->arena, a));
        memset(a->null, 1, ROWS);
        if (kernel_coalesce(batch, (struct operand){a, false}, b, &column, &error))
            print_result(batch, column, result);
        else
            snprintf(result, strlen(tests[i].result) + 1, "?%s", error.text);
        assert_string_equal(result, tests[i].result);
        batch_free(batch);
    }
}

static void choose_takes_a_side_per_row(void **state)
{
    static const struct {
        const char *mask, *a, *b, *result;
    } tests[] = {
        {"true", "1", "2", "1"},
        {"false", "1", "2", "2"},
        {"null", "1", "2", "2"},
        {"true", "'gold", "'silver", "'gold"},
        {"false", "'gold", "'silver", "'silver"},
        {"true", "true", "false", "true"},
        {"false", "1.50d", "2.25d", "2.25d"},
        {"false", "@2024-01-31", "@2000-01-01", "@2000-01-01"},
        {"true", "null", "2", "NULL"},
        {"false", "null", "2", "2"},
        {"false", "1.5r", "null", "NULL"},
        {"true", "null", "null", "NULL"},
        {"true", "1", "'x", "?choose needs two values of one type|?the string constant|?the bigint constant"},
        {"5", "1", "2", "?choose takes a boolean column"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tests); i++) {
        for (unsigned way = 0; way < 4; way++) {
            struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
            bool a_constant = way & 1, b_constant = way & 2;
            struct operand a = {literal(batch, tests[i].a, a_constant ? 1 : ROWS), a_constant};
            struct operand b = {literal(batch, tests[i].b, b_constant ? 1 : ROWS), b_constant};
            struct column *column;
            struct error error;
            char result[1300];

            if (kernel_select(batch, literal(batch, tests[i].mask, ROWS), a, b, &column, &error)) {
                print_result(batch, column, result);
                if (strcmp(result, tests[i].result) != 0)
                    fail_msg("choose(%s, %s, %s) (way %u): %s", tests[i].mask, tests[i].a, tests[i].b, way, result);
            } else {
                /* Constants are converted first, so what cannot be said depends on which side is one. */
                snprintf(result, sizeof(result), "?%.13s", error.text);
                if (!strstr(tests[i].result, result))
                    fail_msg("choose(%s, %s, %s) (way %u): %s", tests[i].mask, tests[i].a, tests[i].b, way, error.text);
            }
            batch_free(batch);
        }
    }
}

/* Every row by itself: sides, a NULL in the mask, NULLs of the values, and constants of two scales. */
static void choose_mixes_rows(void **state)
{
    struct batch *batch = make_batch(WHEN_ERROR_DIRTY);
    struct column *mask = literal(batch, "true", ROWS), *a = literal(batch, "1", ROWS), *b = literal(batch, "2", ROWS), *column;
    struct operand wide = {literal(batch, "2.25d", 1), true}, whole = {literal(batch, "7", 1), true};
    struct error error;

    (void)state;
    assert_true(column_try_nullable(&batch->arena, mask) && column_try_nullable(&batch->arena, a));
    mask->boolean[1] = 0;
    mask->null[2] = 1;
    a->null[0] = 1;
    assert_true(kernel_select(batch, mask, (struct operand){a, false}, (struct operand){b, false}, &column, &error));
    assert_true(column_is_null(column, 0));
    assert_int_equal(column->bigint[1], 2);
    assert_int_equal(column->bigint[2], 2);
    assert_false(column_is_null(column, 1) || column_is_null(column, 2));
    assert_true(kernel_select(batch, mask, whole, wide, &column, &error));
    assert_int_equal(column->type.scale, 2);
    assert_true(column->decimal[0] == 700 && column->decimal[1] == 225 && column->decimal[2] == 225);
    batch_drop(batch, 1);
    batch_sweep(batch);
    assert_true(kernel_coalesce(batch, (struct operand){a, false}, whole, &column, &error));
    assert_null(column->null); /* a constant leaves no NULL behind */
    assert_true(column->bigint[0] == 7 && column->bigint[2] == 1);
    batch_free(batch);
}

static void only_selected_rows_count_and_errors_may_be_null(void **state)
{
    struct batch *batch = make_batch(WHEN_ERROR_NULL);
    struct column *a = literal(batch, "10", ROWS), *b = literal(batch, "2", ROWS), *column;
    struct error error;

    (void)state;
    b->bigint[0] = b->bigint[1] = 0;
    batch_drop(batch, 0);
    batch_sweep(batch);
    assert_true(kernel_arithmetic(batch, ARITHMETIC_FLOOR_DIVIDE, (struct operand){a, false}, (struct operand){b, false},
                                  STR("x"), &column,
                                  &error));
    assert_int_equal(batch->dirty_count, 0);
    assert_false(column_is_null(column, 0)); /* not selected: not touched */
    assert_true(column_is_null(column, 1));
    assert_int_equal(column->bigint[2], 5);
    assert_int_equal(a->bigint[2], 10);
    batch->when_error = WHEN_ERROR_DIRTY;
    assert_true(kernel_arithmetic(batch, ARITHMETIC_MODULO, (struct operand){a, false}, (struct operand){b, false}, STR("x"),
                                  &column, &error));
    assert_int_equal(batch->dirty_count, 1);
    assert_int_equal(batch->selected, 1);
    while (arena_try_alloc(&batch->arena, 64))
        ;
    while (arena_try_alloc(&batch->arena, 1))
        ;
    assert_false(kernel_is_null(batch, (struct operand){a, false}, false, &column, &error));
    assert_int_equal(error.kind, ERROR_DATA);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_computed_exactly),
        cmocka_unit_test(comparisons_lose_nothing),
        cmocka_unit_test(constants_compare_as_columns_do),
        cmocka_unit_test(text_constants_stand_for_times),
        cmocka_unit_test(logic_has_three_values),
        cmocka_unit_test(coalesce_converts_constants),
        cmocka_unit_test(choose_takes_a_side_per_row),
        cmocka_unit_test(choose_mixes_rows),
        cmocka_unit_test(only_selected_rows_count_and_errors_may_be_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
