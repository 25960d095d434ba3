/* convert_test.c: every pair of types, and each rule's edges. Values are given and compared as text. */
#include "batch/convert.h"
#include "batch/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ARENA_BYTES = 1 << 20 };

static struct batch *batch_of(uint32_t rows)
{
    struct batch *batch = batch_new(ARENA_BYTES);

    for (uint32_t i = 0; i < rows; i++)
        batch_add_message(batch, &(struct message){.offset = i}, NULL);
    assert_true(batch_begin(batch, 0));
    batch->stage = "test";
    return batch;
}

/* A column of one row whose value is made from text by the plain parsers; text NULL is NULL. */
static struct column *column_of(struct batch *batch, struct type type, const char *text)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, !text);
    struct str value = str_of(text);
    bool has_offset;
    int32_t offset;

    assert_non_null(column);
    if (!text) {
        if (column->null)
            memset(column->null, 1, column->rows);
        return column;
    }
    switch (type.kind) {
    case TYPE_BOOLEAN: column->boolean[0] = *text == 't'; break;
    case TYPE_BIGINT: column->bigint[0] = strtoll(text, NULL, 10); break;
    case TYPE_DOUBLE: column->real[0] = strtod(text, NULL); break;
    case TYPE_DECIMAL: assert_int_equal(decimal_parse(value, type, &column->decimal[0]), DECIMAL_OK); break;
    case TYPE_STRING: case TYPE_BINARY: case TYPE_JSON: column->text[0] = value; break;
    case TYPE_DATE: assert_true(time_parse_date(value, &column->date[0])); break;
    default: assert_true(time_parse(value, &column->instant[0], &has_offset, &offset)); break;
    }
    return column;
}

#define BOOLEAN {TYPE_BOOLEAN, 0, 0}
#define BIGINT {TYPE_BIGINT, 0, 0}
#define DOUBLE {TYPE_DOUBLE, 0, 0}
#define DECIMAL(p, s) {TYPE_DECIMAL, p, s}
#define STRING {TYPE_STRING, 0, 0}
#define BINARY {TYPE_BINARY, 0, 0}
#define DATE {TYPE_DATE, 0, 0}
#define DATETIME {TYPE_DATETIME, 0, 0}
#define TIMESTAMP {TYPE_TIMESTAMP, 0, 0}
#define NTZ {TYPE_TIMESTAMP_NTZ, 0, 0}
#define JSON {TYPE_JSON, 0, 0}

/* Instants are written in UTC, in and out; the zone, where there is one, is Asia/Shanghai. */
static const struct {
    struct type from;
    const char *value;
    struct type to;
    const char *zone;
    const char *result; /* as convert_excerpt shows it; NULL: the row fails and */
    const char *reason; /* this is in the reason */
} cases[] = {
    {STRING, "true", BOOLEAN, NULL, "true", NULL},
    {STRING, "FALSE", BOOLEAN, NULL, "false", NULL},
    {STRING, "1", BOOLEAN, NULL, "true", NULL},
    {STRING, "yes", BOOLEAN, NULL, NULL, "\"yes\" is not a boolean"},
    {STRING, "9223372036854775807", BIGINT, NULL, "9223372036854775807", NULL},
    {STRING, "-9223372036854775808", BIGINT, NULL, "-9223372036854775808", NULL},
    {STRING, "9223372036854775808", BIGINT, NULL, NULL, "out of the range of bigint"},
    {STRING, "-9223372036854775809", BIGINT, NULL, NULL, "out of the range of bigint"},
    {STRING, "99999999999999999999999999", BIGINT, NULL, NULL, "out of the range of bigint"},
    {STRING, "+7", BIGINT, NULL, "7", NULL},
    {STRING, "12x", BIGINT, NULL, NULL, "\"12x\" is not a bigint"},
    {STRING, "1.0", BIGINT, NULL, NULL, "is not a bigint"},
    {STRING, " 1", BIGINT, NULL, NULL, "is not a bigint"},
    {STRING, "-", BIGINT, NULL, NULL, "is not a bigint"},
    {STRING, "", BIGINT, NULL, NULL, "empty_as_null"},
    {STRING, "1.5e3", DOUBLE, NULL, "1500", NULL},
    {STRING, "-0.1", DOUBLE, NULL, "-0.1", NULL},
    {STRING, "NaN", DOUBLE, NULL, "NaN", NULL},
    {STRING, "-Infinity", DOUBLE, NULL, "-Infinity", NULL},
    {STRING, "nan", DOUBLE, NULL, NULL, "is not a double"},
    {STRING, "0x10", DOUBLE, NULL, NULL, "is not a double"},
    {STRING, "1e", DOUBLE, NULL, NULL, "is not a double"},
    {STRING, ".5", DOUBLE, NULL, NULL, "is not a double"},
    {STRING, "1e999", DOUBLE, NULL, NULL, "out of the range of double"},
    {STRING, "1e-999", DOUBLE, NULL, NULL, "out of the range of double"},
    {STRING, "0e-999", DOUBLE, NULL, "0", NULL},
    {STRING, "5e-324", DOUBLE, NULL, "4.94065645841247e-324", NULL},
    {STRING, "12.5", DECIMAL(10, 2), NULL, "12.50", NULL},
    {STRING, "12.555", DECIMAL(10, 2), NULL, NULL, "more digits after the point"},
    {STRING, "123456789", DECIMAL(10, 2), NULL, NULL, "more digits before the point"},
    {STRING, "1e999999999", DECIMAL(38, 18), NULL, NULL, "more digits before the point"},
    {STRING, "x", DECIMAL(10, 2), NULL, NULL, "is not a decimal"},
    {STRING, "2024-02-29", DATE, NULL, "2024-02-29", NULL},
    {STRING, "2023-02-29", DATE, NULL, NULL, "is not a date"},
    {STRING, "2024-01-01 08:00:00.250", DATETIME, "Asia/Shanghai", "2024-01-01 00:00:00.250Z", NULL},
    {STRING, "2024-01-01 08:00:00", DATETIME, NULL, NULL, "names no time zone"},
    {STRING, "2024-01-01 08:00:00+08:00", DATETIME, NULL, "2024-01-01 00:00:00Z", NULL},
    {STRING, "2024-01-01 08:00:00.0001Z", DATETIME, NULL, NULL, "more digits of a second"},
    {STRING, "2024-01-01 08:00:00.0001Z", TIMESTAMP, NULL, "2024-01-01 08:00:00.000100Z", NULL},
    {STRING, "0001-01-01 00:00:00+08:00", TIMESTAMP, NULL, NULL, "years 1 to 9999"},
    {STRING, "9999-12-31 23:59:59.999999999Z", TIMESTAMP, NULL, "9999-12-31 23:59:59.999999999Z", NULL},
    {STRING, "2024-01-01 08:00:00", NTZ, NULL, "2024-01-01 08:00:00", NULL},
    {STRING, "2024-01-01 08:00:00Z", NTZ, NULL, NULL, "has an offset"},
    {STRING, "yesterday", TIMESTAMP, "Asia/Shanghai", NULL, "is not a date-time"},
    {STRING, "{\"a\":[1e999,null]}", JSON, NULL, "\"{\"a\":[1e999,null]}\"", NULL},
    {STRING, "{a:1}", JSON, NULL, NULL, "is not valid JSON"},
    {STRING, "\xff", JSON, NULL, NULL, "\"\\xff\" is not valid JSON"},
    {STRING, "\xff", BINARY, NULL, "0xff", NULL},
    {BINARY, "\xff", STRING, NULL, NULL, "0xff is not valid UTF-8"},
    {BINARY, "\xe5\x8c\xba", STRING, NULL, "\"\xe5\x8c\xba\"", NULL},
    {BOOLEAN, "true", STRING, NULL, "\"true\"", NULL},
    {BIGINT, "-5", STRING, NULL, "\"-5\"", NULL},
    {DOUBLE, "0.1", STRING, NULL, "\"0.1\"", NULL},
    {DOUBLE, "0.30000000000000004", STRING, NULL, "\"0.30000000000000004\"", NULL},
    {DECIMAL(10, 2), "1.5", STRING, NULL, "\"1.50\"", NULL},
    {DATE, "0001-01-01", STRING, NULL, "\"0001-01-01\"", NULL},
    {DATETIME, "2024-01-01 00:00:00.5", STRING, "Asia/Shanghai", "\"2024-01-01 08:00:00.500\"", NULL},
    {TIMESTAMP, "2024-01-01 00:00:00", STRING, NULL, NULL, "names none"},
    {TIMESTAMP, "9999-12-31 23:59:59", STRING, "Asia/Shanghai", NULL, "years 1 to 9999"},
    {NTZ, "2024-01-01 00:00:00", STRING, NULL, "\"2024-01-01 00:00:00\"", NULL},
    {JSON, "{\"a\":1}", STRING, NULL, "\"{\"a\":1}\"", NULL},
    {BIGINT, "9007199254740992", DOUBLE, NULL, "9007199254740992", NULL},
    {BIGINT, "9007199254740993", DOUBLE, NULL, NULL, "more digits than a double"},
    {BIGINT, "9223372036854775807", DOUBLE, NULL, NULL, "more digits than a double"},
    {BIGINT, "-9223372036854775808", DOUBLE, NULL, "-9.223372036854776e+18", NULL},
    {BIGINT, "12345678", DECIMAL(10, 2), NULL, "12345678.00", NULL},
    {BIGINT, "123456789", DECIMAL(10, 2), NULL, NULL, "more digits before the point"},
    {BIGINT, "-9223372036854775808", DECIMAL(38, 18), NULL, "-9223372036854775808.000000000000000000", NULL},
    {BIGINT, "1704067200123", DATETIME, NULL, "2024-01-01 00:00:00.123Z", NULL},
    {BIGINT, "-1", TIMESTAMP, NULL, "1969-12-31 23:59:59.999Z", NULL},
    {BIGINT, "9223372036854775807", TIMESTAMP, NULL, NULL, "years 1 to 9999"},
    {BIGINT, "-9223372036854775808", TIMESTAMP, NULL, NULL, "years 1 to 9999"},
    {BIGINT, "1704067200000", NTZ, "Asia/Shanghai", "2024-01-01 08:00:00", NULL},
    {BIGINT, "1704067200000", NTZ, NULL, NULL, "time zone"},
    {DOUBLE, "1e15", BIGINT, NULL, "1000000000000000", NULL},
    {DOUBLE, "1.5", BIGINT, NULL, NULL, "is not a whole number"},
    {DOUBLE, "9223372036854775808", BIGINT, NULL, NULL, "out of the range of bigint"},
    {DOUBLE, "-9223372036854775808", BIGINT, NULL, "-9223372036854775808", NULL},
    {DOUBLE, "NaN", BIGINT, NULL, NULL, "out of the range of bigint"},
    {DOUBLE, "0.25", DECIMAL(10, 2), NULL, "0.25", NULL},
    {DOUBLE, "0.125", DECIMAL(10, 2), NULL, NULL, "more digits after the point"},
    {DOUBLE, "inf", DECIMAL(10, 2), NULL, NULL, "is not a decimal"},
    {DECIMAL(10, 2), "7.00", BIGINT, NULL, "7", NULL},
    {DECIMAL(10, 2), "7.50", BIGINT, NULL, NULL, "is not a whole number"},
    {DECIMAL(38, 0), "9223372036854775808", BIGINT, NULL, NULL, "out of the range of bigint"},
    {DECIMAL(10, 2), "0.1", DOUBLE, NULL, "0.1", NULL},
    {DECIMAL(38, 18), "0.123456789012345678", DOUBLE, NULL, NULL, "more digits than a double"},
    {DECIMAL(10, 2), "1.50", DECIMAL(10, 1), NULL, "1.5", NULL},
    {DECIMAL(10, 2), "1.55", DECIMAL(10, 1), NULL, NULL, "more digits after the point"},
    {DECIMAL(10, 2), "12.00", DECIMAL(3, 2), NULL, NULL, "more digits before the point"},
    {DECIMAL(10, 2), "1.5", DECIMAL(38, 2), NULL, "1.50", NULL},
    {DATE, "2024-01-01", DATETIME, "Asia/Shanghai", "2023-12-31 16:00:00Z", NULL},
    {DATE, "2024-01-01", TIMESTAMP, NULL, NULL, "time zone"},
    {DATE, "2024-01-01", NTZ, NULL, "2024-01-01 00:00:00", NULL},
    {DATETIME, "2023-12-31 16:00:00", DATE, "Asia/Shanghai", "2024-01-01", NULL},
    {TIMESTAMP, "2023-12-31 17:00:00", DATE, "Asia/Shanghai", NULL, "time of day"},
    {NTZ, "1960-01-01 00:00:00", DATE, NULL, "1960-01-01", NULL},
    {DATETIME, "2024-01-01 00:00:00.250", TIMESTAMP, NULL, "2024-01-01 00:00:00.250Z", NULL},
    {TIMESTAMP, "2024-01-01 00:00:00.250", DATETIME, NULL, "2024-01-01 00:00:00.250Z", NULL},
    {TIMESTAMP, "2024-01-01 00:00:00.000001", DATETIME, NULL, NULL, "more digits of a second"},
    {DATETIME, "2024-01-01 00:00:00", NTZ, "Asia/Shanghai", "2024-01-01 08:00:00", NULL},
    {TIMESTAMP, "2024-01-01 00:00:00", NTZ, NULL, NULL, "time zone"},
    {NTZ, "2024-01-01 08:00:00", TIMESTAMP, "Asia/Shanghai", "2024-01-01 00:00:00Z", NULL},
    {NTZ, "2024-01-01 08:00:00", DATETIME, NULL, NULL, "names no time zone"},
    {JSON, "true", BOOLEAN, NULL, "true", NULL},
    {JSON, "\"true\"", BOOLEAN, NULL, NULL, "matching kind"},
    {JSON, "12", BIGINT, NULL, "12", NULL},
    {JSON, "12.0", BIGINT, NULL, NULL, "is not a bigint"},
    {JSON, "\"12\"", BIGINT, NULL, NULL, "matching kind"},
    {JSON, "1e2", DOUBLE, NULL, "100", NULL},
    {JSON, "12.345678901234567890", DECIMAL(38, 18), NULL, "12.345678901234567890", NULL},
    {JSON, "\"1.5\"", DECIMAL(10, 2), NULL, "1.50", NULL},
    {JSON, "\"2024-01-01\"", DATE, NULL, "2024-01-01", NULL},
    {JSON, "\"2024-01-01 00:00:00Z\"", DATETIME, NULL, "2024-01-01 00:00:00Z", NULL},
    {JSON, "\"2024-01-01 00:00:00Z\"", TIMESTAMP, NULL, "2024-01-01 00:00:00Z", NULL},
    {JSON, "\"2024-01-01 00:00:00\"", NTZ, NULL, "2024-01-01 00:00:00", NULL},
    {JSON, "null", BIGINT, NULL, "NULL", NULL},
    {JSON, "[1]", BIGINT, NULL, NULL, "matching kind"},
    {JSON, "[1", BIGINT, NULL, NULL, "not valid JSON"},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct batch *batch = batch_of(1);
        struct column *column = column_of(batch, cases[i].from, cases[i].value);
        struct convert convert = {0};
        struct zone *zone = NULL;
        struct error error;
        char what[100], text[128];

        snprintf(what, sizeof(what), "case %zu (%.60s)", i, cases[i].value);
        if (cases[i].zone)
            assert_true(zone_open(&zone, str_of(cases[i].zone), &error));
        convert.zone = zone;
        assert_true(convert_possible(cases[i].from, cases[i].to, &error));
        column = convert_column(&convert, batch, column, cases[i].to, STR("c"), false);
        assert_non_null(column);
        assert_true(type_equal(column->type, cases[i].to));
        if (cases[i].result) {
            struct str shown = convert_excerpt(column, 0, text);

            if (batch->dirty)
                fail_msg("%s: %.*s", what, STR_ARG(batch->dirty->reason));
            if (!str_is(shown, cases[i].result))
                fail_msg("%s: %.*s instead of %s", what, STR_ARG(shown), cases[i].result);
        } else {
            char reason[512] = "";

            if (!batch->dirty)
                fail_msg("%s: no failure", what);
            snprintf(reason, sizeof(reason), "%.*s", STR_ARG(batch->dirty->reason));
            if (!strstr(reason, cases[i].reason))
                fail_msg("%s: %s", what, reason);
            assert_true(str_is(batch->dirty->column, "c"));
            batch_sweep(batch);
            assert_int_equal(batch->selected, 0);
        }
        batch_free(batch);
        zone_free(zone);
    }
}

/* A letter a pair: y = offered. Rows are from, columns to, both in the order of enum type_kind. */
static void test_pairs(void **state)
{
    static const char *const offered[TYPE_KINDS] = {
        /*                 n b i d D s B d t t n j */
        [TYPE_NULL] =     "-yyyyyyyyyyy",
        [TYPE_BOOLEAN] =  "-y---y------",
        [TYPE_BIGINT] =   "--yyyy--yyy-",
        [TYPE_DOUBLE] =   "--yyyy------",
        [TYPE_DECIMAL] =  "--yyyy------",
        [TYPE_STRING] =   "-yyyyyyyyyyy",
        [TYPE_BINARY] =   "-----yy-----",
        [TYPE_DATE] =     "-----y-yyyy-",
        [TYPE_DATETIME] = "-----y-yyyy-",
        [TYPE_TIMESTAMP] = "-----y-yyyy-",
        [TYPE_TIMESTAMP_NTZ] = "-----y-yyyy-",
        [TYPE_JSON] =     "-yyyyyyyyyyy",
    };

    (void)state;
    for (int from = 0; from < TYPE_KINDS; from++) {
        for (int to = 0; to < TYPE_KINDS; to++) {
            struct type from_type = from == TYPE_DECIMAL ? type_decimal(10, 2) : TYPE_OF((enum type_kind)from);
            struct type to_type = to == TYPE_DECIMAL ? type_decimal(10, 2) : TYPE_OF((enum type_kind)to);
            struct error error = {0};
            struct convert convert = {0};
            struct batch *batch;
            struct column *column;

            if (convert_possible(from_type, to_type, &error) != (offered[from][to] == 'y'))
                fail_msg("%d to %d: %s", from, to, error.text);
            if (offered[from][to] != 'y') {
                assert_int_equal(error.kind, ERROR_CONFIG);
                continue;
            }
            /* NULL stays NULL whatever the pair. */
            batch = batch_of(1);
            column = convert_column(&convert, batch, column_of(batch, from_type, NULL), to_type, STR("c"), false);
            assert_non_null(column);
            assert_true(type_equal(column->type, to_type) && column_is_null(column, 0));
            assert_int_equal(batch->dirty_count, 0);
            batch_free(batch);
        }
    }
}

static void test_columns(void **state)
{
    struct batch *batch = batch_of(5);
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), 5, true);
    struct convert convert = {.empty_as_null = true};
    struct column *numbers;

    (void)state;
    column->text[0] = STR("1");
    column->null[1] = 1;
    column->text[2] = STR("");
    column->text[3] = STR("x");
    column->text[4] = STR("not selected");
    batch->selected = 4;
    assert_ptr_equal(convert_column(&convert, batch, column, TYPE_OF(TYPE_STRING), STR("c"), false), column);
    numbers = convert_column(&convert, batch, column, TYPE_OF(TYPE_BIGINT), STR("c"), true);
    assert_int_equal(batch->dirty_count, 0);
    assert_true(numbers->bigint[0] == 1 && !numbers->null[0] && numbers->null[1] && numbers->null[2] && numbers->null[3]);
    numbers = convert_column(&convert, batch, column, TYPE_OF(TYPE_BIGINT), STR("c"), false);
    assert_true(!numbers->null[0] && numbers->null[1] && numbers->null[2]);
    assert_int_equal(batch->dirty_count, 1);
    assert_int_equal(batch->dirty->message, 3);
    batch_sweep(batch);
    assert_int_equal(batch->selected, 3);
    /* Empty text stays empty where the target can hold it. */
    assert_int_equal(convert_column(&convert, batch, column, TYPE_OF(TYPE_BINARY), STR("c"), false)->null[2], 0);
    batch_free(batch);
}

/* A small arena never makes a wrong column, only none. */
static void test_arena_full(void **state)
{
    struct batch *batch = batch_of(100);
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_BIGINT), 100, false);
    struct convert convert = {0};
    int made = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        column->bigint[i] = i;
    while (convert_column(&convert, batch, column, TYPE_OF(TYPE_STRING), STR("c"), false))
        assert_true(++made < 10000);
    assert_true(made > 10);
    batch_free(batch);
}

static void test_excerpt(void **state)
{
    struct batch *batch = batch_of(1);
    char text[128];
    char value[4096];
    struct column *column = column_of(batch, TYPE_OF(TYPE_STRING), "");
    struct str shown;

    (void)state;
    /* Nothing but control characters, or broken UTF-8: still short, and valid. */
    for (int fill = 0; fill < 256; fill++) {
        memset(value, fill, sizeof(value));
        column->text[0] = str_make(value, sizeof(value));
        shown = convert_excerpt(column, 0, text);
        assert_true(shown.size <= sizeof(text) && shown.size > 10 && str_is_utf8(shown));
    }
    /* A character is never cut. */
    for (size_t start = 0; start < 3; start++) {
        memset(value, 'a', start);
        for (size_t i = start; i + 3 <= sizeof(value); i += 3)
            memcpy(value + i, "\xe5\x8c\xba", 3);
        column->text[0] = str_make(value, 300);
        shown = convert_excerpt(column, 0, text);
        assert_true(str_is_utf8(shown) && shown.size <= 66 && memcmp(shown.data + shown.size - 4, "\"...", 4) == 0);
    }
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),     cmocka_unit_test(test_pairs),   cmocka_unit_test(test_columns),
        cmocka_unit_test(test_arena_full), cmocka_unit_test(test_excerpt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
