/* expression_test.c: expressions over a batch with every type: values, NULL, rows that fail, and mistakes with their places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "expression/expression.h"
#include "expression/function.h"
#include "support/expression_bed.h"

static struct zone *zone;
static struct expression_environment environment_of(void)
{
    return (struct expression_environment){
        .zone = zone, .job = STR("orders"), .topic = STR("t1"), .execute_time_ms = 1706630400123};
}

/* "a|b|!|d": one value a row, ! where the row failed; then the first reason. Mistakes give "AT+WIDTH: text". */
static void evaluate(const char *text, enum when_error when_error, struct buffer *result)
{
    struct expression_environment environment = environment_of();
    struct batch *batch = batch_new(16 << 20);
    struct expression *expression = NULL;
    struct column *column;
    uint32_t before[EXPRESSION_ROWS];

    buffer_clear(result);
    bed_fill(batch);
    batch->when_error = when_error;
    memcpy(before, batch->selection, sizeof(before));
    if (bed_run(&expression, text, &environment, batch, &column, result)) {
        uint32_t next = 0;

        assert_int_equal(column->rows, EXPRESSION_ROWS);
        assert_true(type_equal(column->type, expression_type(expression)));
        for (uint32_t i = 0; i < EXPRESSION_ROWS; i++) {
            buffer_print(result, "%s", i ? "|" : "");
            if (next < batch->selected && batch->selection[next] == i) {
                bed_print_value(result, batch, column, zone, i);
                next++;
            } else {
                buffer_print(result, "!");
            }
        }
        assert_int_equal(batch->selected + batch->dirty_count + batch->filtered_count, EXPRESSION_ROWS);
        if (batch->dirty)
            buffer_print(result, " %.*s", STR_ARG(batch->dirty->reason));
    }
    expression_free(expression);
    batch_free(batch);
}

struct row {
    const char *text, *result;
};

static void check_rows(const struct row *rows, size_t count, enum when_error when_error)
{
    struct buffer result;
    unsigned wrong = 0;

    buffer_init(&result, 0);
    for (size_t i = 0; i < count; i++) {
        evaluate(rows[i].text, when_error, &result);
        if (strcmp(buffer_text(&result), rows[i].result) == 0)
            continue;
        print_error("%s\n  gives  %s\n  wanted %s\n", rows[i].text, buffer_text(&result), rows[i].result);
        wrong++;
    }
    buffer_release(&result);
    assert_int_equal(wrong, 0);
}

#define CHECK(rows, when_error) check_rows(rows, COUNT_OF(rows), when_error)

/* The fields, row by row:
 *   id 1 2 3 NULL max min · zero 0 1 2 0 -1 NULL · amount 50.00 150.00 NULL -0.01 99999999.99 100.00 · flag t f NULL t t f
 *   city Shanghai 上海 "" NULL a%b x\ny · ratio 0.5 -1.5 NULL 1e300 -0 2^53 · day 2024-01-31 1970-01-01 NULL 0001-01-01
 * 9999-12-31 2024-01-31 at 2024-01-31 00:00:00+08:00 and an hour and a nanosecond more each row, NULL in the third · local the
 * same without nanoseconds */
static void test_values(void **state)
{
    static const struct row rows[] = {
        /* literals */
        {"id", "1|2|3|NULL|9223372036854775807|-9223372036854775808"},
        {"9223372036854775807", "9223372036854775807|9223372036854775807|9223372036854775807|9223372036854775807|"
                                "9223372036854775807|9223372036854775807"},
        {"-9223372036854775808 = id", "false|false|false|NULL|false|true"},
        {"9223372036854775808 > id", "true|true|true|NULL|true|true"},
        {"id=-1 or id>=+1", "true|true|true|NULL|true|false"},
        {"0.30 = 0.1 + 0.2 and id = 1", "true|false|false|NULL|false|false"},
        {"if(id = 1, .5, 0)", "0.5|0.0|0.0|0.0|0.0|0.0"},
        {"if(id = 1, 1e3, 0e0)", "1000|0|0|0|0|0"},
        {"if(id = 1, 'it''s', '')", "it's|||||"},
        {"NULL", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"day = date '2024-01-31'", "true|false|NULL|false|false|true"},
        {"at > timestamp '2024-01-31 02:00:00'", "false|false|NULL|true|true|true"},
        {"at > timestamp '2024-01-30 18:00:00Z'", "false|false|NULL|true|true|true"},
        {"local >= timestamp_ntz '2024-01-30 19:00:00'", "false|false|false|true|true|true"},
        /* names */
        {"\"odd name\" = '1' or `odd name` = 'abc'", "true|false|true|NULL|false|false"},
        {"价格 >= 4", "false|false|false|false|true|true"},
        {"__offset__ - 10", "0|1|2|3|4|5"},
        {"${job} || '/' || ${topic}", "orders/t1|orders/t1|orders/t1|orders/t1|orders/t1|orders/t1"},
        {"cast(${execute_time} as string)", "2024-01-31 00:00:00.123|2024-01-31 00:00:00.123|2024-01-31 00:00:00.123|"
                                            "2024-01-31 00:00:00.123|2024-01-31 00:00:00.123|2024-01-31 00:00:00.123"},
        {"if(id = 1, ${now}, null)", "2024-01-31 00:00:00.456|NULL|NULL|NULL|NULL|NULL"},
        /* arithmetic */
        {"zero + 1", "1|2|3|1|0|NULL"},
        {"-zero", "0|-1|-2|0|1|NULL"},
        {"- -zero", "0|1|2|0|-1|NULL"},
        {"2 + 3 * zero", "2|5|8|2|-1|NULL"},
        {"(2 + 3) * zero", "0|5|10|0|-5|NULL"},
        {"10 - 2 - zero", "8|7|6|8|9|NULL"},
        {"7 // 2 + 7 % 4 - -7 // 2 + zero", "10|11|12|10|9|NULL"},
        {"7 / 2 + zero", "3.5|4.5|5.5|3.5|2.5|NULL"},
        {"amount * 2", "100.00|300.00|NULL|-0.02|199999999.98|200.00"},
        {"nothing + 1", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"zero || '-' || 1.50", "0-1.50|1-1.50|2-1.50|0-1.50|-1-1.50|NULL"},
        {"'a' || 1 + 2", "a3|a3|a3|a3|a3|a3"},
        {"if(id = 1, at || '/' || local || '/' || day, '')", "2024-01-31 00:00:00/2024-01-30 16:00:00/2024-01-31|||||"},
        {"(at || '') = concat(at) and ${now} || '' = cast(${now} as string)", "true|true|NULL|true|true|true"},
        /* comparison, with numbers of all types */
        {"amount > 100", "false|true|NULL|false|true|false"},
        {"amount = 100.000", "false|false|NULL|false|false|true"},
        {"amount <> 50 and amount != 150", "false|false|NULL|true|true|true"},
        {"100 <= amount", "false|true|NULL|false|true|true"},
        {"ratio = 9007199254740993", "false|false|NULL|false|false|false"},
        {"ratio = 9007199254740992", "false|false|NULL|false|false|true"},
        {"amount > ratio", "true|true|NULL|false|true|false"},
        {"ratio / 5 = 0.1", "true|false|NULL|false|false|false"},
        {"ratio / 5 <= 0.1 and 0.1 >= ratio / 5 and -ratio / 5 = -(0.1)", "true|false|NULL|false|false|false"},
        {"ratio / 5 between 0.1 and 0.1 and ratio / 5 in (7, 0.1) and not ratio / 5 > 0.1", "true|false|NULL|false|false|false"},
        {"case ratio / 5 when 0.1 then 1 else 0 end", "1|0|0|0|0|0"},
        {"case 0.1 when ratio / 5 then 1 else 0 end", "1|0|0|0|0|0"},
        {"nullif(ratio / 5, 0.1) is null", "true|false|true|false|false|false"},
        {"ratio / 5 = cast('0.10' as decimal(10,2))", "false|false|NULL|false|false|false"}, /* as exact as other decimals */
        {"zero == 0", "true|false|false|true|false|NULL"},
        {"city < 'b'", "true|false|true|NULL|true|false"},
        {"city = '上海'", "false|true|false|NULL|false|false"},
        {"day > '2000-01-01'", "true|false|NULL|false|true|true"},
        {"'1970-01-01' = day", "false|true|NULL|false|false|false"},
        {"at >= '2024-01-31 01:00:00+08:00'", "false|true|NULL|true|true|true"},
        {"at between '2024-01-31 01:00:00' and '2024-01-31 03:00:00.000000003'", "false|true|NULL|true|false|false"},
        {"flag = true", "true|false|NULL|true|true|false"},
        {"doc = '{\"a\":1}'", "true|true|true|true|true|true"},
        {"raw = 'raw'", "true|false|true|true|true|true"},
        /* NULL and logic */
        {"flag", "true|false|NULL|true|true|false"},
        {"not flag", "false|true|NULL|false|false|true"},
        {"NOT flag = TRUE Or flag Is Null", "false|true|true|false|false|true"},
        {"flag and null", "NULL|false|NULL|NULL|NULL|false"},
        {"flag or null", "true|NULL|NULL|true|true|NULL"},
        {"flag or amount is null or id < 0", "true|false|true|true|true|true"},
        {"flag and amount > 0 and id > 0", "true|false|NULL|false|true|false"},
        {"flag is true", "true|false|false|true|true|false"},
        {"flag is not true", "false|true|true|false|false|true"},
        {"flag is false", "false|true|false|false|false|true"},
        {"flag is not false", "true|false|true|true|true|false"},
        {"flag is null", "false|false|true|false|false|false"},
        {"city is not null", "true|true|true|false|true|true"},
        {"amount > 0 is null", "false|false|true|false|false|false"},
        {"nothing is true or nothing is null and nothing = 3 is null", "true|true|true|true|true|true"},
        {"not not flag is null", "false|false|true|false|false|false"},
        /* in, between */
        {"id in (1, 3)", "true|false|true|NULL|false|false"},
        {"id not in (1, 3)", "false|true|false|NULL|true|true"},
        {"id in (1, null)", "true|NULL|NULL|NULL|NULL|NULL"},
        {"id not in (1, null)", "false|NULL|NULL|NULL|NULL|NULL"},
        {"city in ('上海', 'Shanghai', city)", "true|true|true|NULL|true|true"},
        {"day in ('2024-01-31', date '1970-01-01')", "true|true|NULL|false|false|true"},
        {"amount in (50, 150.0, 1e2)", "true|true|NULL|false|false|true"},
        {"id in (9, 3, 2, 9223372036854775807, -9223372036854775808, 2)", "false|true|true|NULL|true|true"},
        {"id not in (9, 3, null, 2, 5)", "NULL|false|false|NULL|NULL|NULL"},
        {"id in (9, 3, 2.0, 5)", "false|true|true|NULL|false|false"},
        {"city in ('', 'x', '上海', 'a%b', 'Shangha')", "false|true|true|NULL|true|false"},
        {"city not in ('', 'x', '上海', 'a%b', null)", "NULL|false|false|NULL|false|NULL"},
        {"id in (null, null, null, null)", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"zero between 0 and 1", "true|true|false|true|false|NULL"},
        {"zero not between 0 and 1", "false|false|true|false|true|NULL"},
        {"zero between null and 1", "NULL|NULL|false|NULL|NULL|NULL"},
        {"id between zero and 2 and flag", "true|false|false|NULL|false|false"},
        /* like */
        {"city like '%h%'", "true|false|false|NULL|false|false"},
        {"city like '__'", "false|true|false|NULL|false|false"},
        {"city like '_海'", "false|true|false|NULL|false|false"},
        {"city like '上_'", "false|true|false|NULL|false|false"},
        {"city like ''", "false|false|true|NULL|false|false"},
        {"city like '%'", "true|true|true|NULL|true|true"},
        {"city like 'a\\%b'", "false|false|false|NULL|true|false"},
        {"city like 'a!%_' escape '!'", "false|false|false|NULL|true|false"},
        {"city like 'x%y'", "false|false|false|NULL|false|true"},
        {"city like 'x_y'", "false|false|false|NULL|false|true"},
        {"city like '%n_hai'", "true|false|false|NULL|false|false"},
        {"city like 'S%n_hai'", "true|false|false|NULL|false|false"},
        {"city like 'S%an_h%'", "true|false|false|NULL|false|false"},
        {"city like '%a_'", "true|false|false|NULL|false|false"},
        {"city like '%i_'", "false|false|false|NULL|false|false"},
        {"city not like 'S%'", "false|true|true|NULL|true|true"},
        {"city like null", "NULL|NULL|NULL|NULL|NULL|NULL"},
        /* ~ */
        {"city ~ '^[A-Z]'", "true|false|false|NULL|false|false"},
        {"city !~ 'h'", "false|true|true|NULL|true|true"},
        {"city ~ '^.海$'", "false|true|false|NULL|false|false"},
        {"city ~ '(?i)SHANG'", "true|false|false|NULL|false|false"},
        {"city ~ ''", "true|true|true|NULL|true|true"},
        {"city ~ null", "NULL|NULL|NULL|NULL|NULL|NULL"},
        /* case, if, coalesce */
        {"case when zero = 0 then 'none' when zero < 0 then city else 'some' end", "none|some|some|none|a%b|some"},
        {"case zero when 0 then 'zero' when id then 'same' end", "zero|NULL|NULL|zero|NULL|NULL"},
        {"case when flag then 1 when not flag then 2.5 end", "1.0|2.5|NULL|1.0|1.0|2.5"},
        {"case when flag then at else '2000-01-01 00:00:00' end",
         "2024-01-31 00:00:00|2000-01-01 00:00:00|2000-01-01 00:00:00|2024-01-31 03:00:00.000000003|"
         "2024-01-31 04:00:00.000000004|2000-01-01 00:00:00"},
        {"if(flag, id, -1)", "1|-1|-1|NULL|9223372036854775807|-1"},
        {"if(null, 1, 2)", "2|2|2|2|2|2"},
        {"coalesce(id, zero, 7)", "1|2|3|0|9223372036854775807|-9223372036854775808"},
        {"coalesce(nothing, city, 'none')", "Shanghai|上海||none|a%b|x\ny"},
        {"coalesce(null, null)", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"coalesce(amount, zero)", "50.00|150.00|2.00|-0.01|99999999.99|100.00"},
        {"COALESCE(day, '2020-02-29') = '2020-02-29'", "false|false|true|false|false|false"},
        /* cast */
        {"cast(zero as decimal(5,2)) + 0.5", "0.50|1.50|2.50|0.50|-0.50|NULL"},
        {"cast(zero as string) || 'x'", "0x|1x|2x|0x|-1x|NULL"},
        {"cast('2024-01-31' as date) = day", "true|false|NULL|false|false|true"},
        {"cast(null as bigint) + 1", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"cast(${now} as string) || zero", "2024-01-31 00:00:00.4560|2024-01-31 00:00:00.4561|2024-01-31 00:00:00.4562|"
                                           "2024-01-31 00:00:00.4560|2024-01-31 00:00:00.456-1|NULL"},
        {"cast(false and 1 / zero > 0 as string)", "false|false|false|false|false|false"},
        /* functions */
        {"abs(amount)", "50.00|150.00|NULL|0.01|99999999.99|100.00"},
        {"round(amount)", "50|150|NULL|0|100000000|100"},
        {"round(amount, 1)", "50.0|150.0|NULL|0.0|100000000.0|100.0"},
        {"round(amount, -2)", "100|200|NULL|0|100000000|100"},
        {"round(amount, 5)", "50.00|150.00|NULL|-0.01|99999999.99|100.00"},
        {"floor(amount)", "50|150|NULL|-1|99999999|100"},
        {"ceil(amount)", "50|150|NULL|0|100000000|100"},
        {"floor(-1.5e0) + zero", "-2|-1|0|-2|-3|NULL"},
        {"round(zero, -1)", "0|0|0|0|0|NULL"},
        {"greatest(zero, 1)", "1|1|2|1|1|NULL"},
        {"least(amount, zero, 1)", "0.00|1.00|NULL|-0.01|-1.00|NULL"},
        {"greatest(city, 'b')", "b|上海|b|NULL|b|x\ny"},
        {"greatest(null, 1)", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"nullif(day, '2024-01-31') is null", "true|false|true|false|false|true"},
        {"nullif('2024-01-31', day) is null", "true|false|false|false|false|true"},
        {"greatest('2024-02-01', day, null) is null", "true|true|true|true|true|true"},
        {"greatest('2024-02-01', day) = date '2024-02-01'", "true|true|NULL|true|false|true"},
        {"least(at, '1970-01-01 00:00:00Z') = timestamp '1970-01-01 00:00:00Z'", "true|true|NULL|true|true|true"},
        {"nullif(zero, 0)", "NULL|1|2|NULL|-1|NULL"},
        {"nullif(zero, null)", "0|1|2|0|-1|NULL"},
        {"nullif(zero, 1.0)", "0|NULL|2|0|-1|NULL"},
    };

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);
}

/* What fails, fails only the rows that need it. */
static void test_rows_that_fail(void **state)
{
    static const struct row rows[] = {
        {"1 / zero > 0", "!|true|true|!|false|NULL 1 / zero: division by zero"},
        {"zero != 0 and 1 / zero > 0", "false|true|true|false|false|NULL"},
        {"zero = 0 or 1 / zero > 0", "true|true|true|true|false|NULL"},
        {"flag and 10 // zero = 5", "!|false|NULL|!|false|false 10 // zero: division by zero"},
        {"case when zero = 0 then null else 10 // zero end", "NULL|10|5|NULL|-10|NULL"},
        {"case zero when 0 then 0 when 1 then 10 // (zero - 2) else 10 // (zero - 1) end", "0|-10|10|0|-5|NULL"},
        {"if(zero <> 0, 1 // zero, -1)", "-1|1|0|-1|-1|-1"},
        {"coalesce(id, 1 // zero)", "1|2|3|!|9223372036854775807|-9223372036854775808 1 // zero: division by zero"},
        {"zero = 0 or not (zero <> 0 and (case when zero > 1 then 1 / (zero - 2) else 0 end) > 0)",
         "true|true|!|true|true|true 1 / (zero - 2): division by zero"},
        {"id + 1 > 0", "true|true|true|NULL|!|false id + 1: the result is beyond 64 bits"},
        {"-id", "-1|-2|-3|NULL|-9223372036854775807|! -: the result is beyond 64 bits"},
        {"abs(id)", "1|2|3|NULL|9223372036854775807|! abs: the result is beyond 64 bits"},
        {"cast(\"odd name\" as bigint)", "1|-7|!|NULL|!|! \"abc\" is not a bigint, for type bigint"},
        {"\"odd name\" ~ '^-?[0-9]{1,5}$' and cast(\"odd name\" as bigint) < 0", "false|true|false|NULL|false|false"},
        {"broken like 'o_'", "true|!|true|true|true|true broken like 'o_': the text is not valid UTF-8"},
        {"broken like 'o%'", "true|false|true|true|true|true"},
        {"doc like '%a%'", "true|true|true|true|true|true"},
        {"broken ~ 'o'", "true|!|true|true|true|true broken ~ 'o': the text is not valid UTF-8"},
        {"raw || ''", "raw|!|raw|raw|raw|raw ..: the binary value is not UTF-8 text"},
        {"(broken || 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab') !~ '^ok(a+)+$'",
         "!|!|!|!|!|! (broken || 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab') !~ '^ok(a+)+$': the pattern takes too many "
         "steps on this value (match limit)"},
        {"flag or coalesce(id, 1e0) > 0", "true|true|true|true|true|false"},
        {"not flag or coalesce(id, 1e0) > 0",
         "true|true|true|true|!|true 9223372036854775807 has more digits than a double can hold exactly, for type double"},
        {"round(id, -19)", "0|0|0|NULL|!|! round: the result is beyond 64 bits"},
        {"case when flag then 1 // zero else 5 end + 1", "!|6|6|!|0|6 1 // zero: division by zero"},
        {"zero in (1, 1 // zero)", "!|true|false|!|true|NULL 1 // zero: division by zero"},
    };
    static const struct row null_rows[] = {
        {"1 // zero", "NULL|1|0|NULL|-1|NULL"},
        {"1 // zero is null", "true|false|false|true|false|true"},
        {"zero != 0 and 1 / zero > 0", "false|true|true|false|false|NULL"},
        {"cast(\"odd name\" as bigint)", "1|-7|NULL|NULL|NULL|NULL"},
        {"broken ~ 'o'", "true|NULL|true|true|true|true"},
        {"coalesce(1 // zero, 9)", "9|1|0|9|-1|9"},
    };
    static const struct row drop_rows[] = {{"1 // zero", "!|1|0|!|-1|NULL"}};

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);
    CHECK(null_rows, WHEN_ERROR_NULL);
    CHECK(drop_rows, WHEN_ERROR_DROP);
}

/* The place, in bytes, and the sentence. */
static void test_mistakes(void **state)
{
    static const struct row rows[] = {
        {"", "0+1: the expression is empty"},
        {"  ", "0+1: the expression is empty"},
        {"amount >", "8+1: a value is wanted here, not the end"},
        {"amount > 100 nad flag", "13+3: an operator or the end is wanted here, not \"nad\"; did you mean \"and\"?"},
        {"amont > 100", "0+5: there is no field \"amont\" here; did you mean \"amount\"?"},
        {"amount > 'x'", "7+1: a decimal(10,2) and a string do not compare; cast the number to string, if that is meant"},
        {"amount > '12'", "7+1: a decimal(10,2) and a string do not compare; write the constant \"12\" without quotes, or cast "
                          "the number to string"},
        {"amount > city", "7+1: a decimal(10,2) and a string do not compare; cast the text: cast(city as decimal(10,2))"},
        {"(amount > 1", "11+1: a closing ) is wanted here, not the end; the ( is character 1"},
        {"(amount > 1 adn flag)", "12+3: a closing ) is wanted here, not \"adn\"; did you mean \"and\"?"},
        {"amount > 1)", "10+1: an operator or the end is wanted here, not \")\""},
        {"amount > 1 > 2", "11+1: a comparison is not compared again; join two with and, or use parentheses"},
        {"amount in 1", "10+1: ( is wanted here, not \"1\"; write in (a, b)"},
        {"amount in ()", "11+1: a value is wanted here, not \")\""},
        {"amount not 1", "11+1: in, like or between is wanted here, not \"1\""},
        {"amount is 1", "10+1: null, true or false is wanted here, not \"1\"; other values are compared with ="},
        {"amount is not", "13+1: null, true or false is wanted here, not the end; other values are compared with ="},
        {"and", "0+3: a value is wanted here, not \"and\"; a field of that name stands between double quotes"},
        {"flag && flag", "5+2: && is no operator here; write and"},
        {"!flag", "0+1: ! is no operator here; write not"},
        {"id > 1 || id < 0", "7+2: || joins texts; between two comparisons stands or"},
        {"id::string", "2+2: :: is no operator here; write cast(a as type)"},
        {"at > $now", "5+1: $ is no operator here; a variable is written as ${now}"},
        {"id = 1;", "6+1: ; is no operator here; nothing stands behind an expression"},
        {"NVL(id, 0) = 0", "0+3: there is no function \"NVL\"; use coalesce(a, b)"},
        {"len(city) > 1", "0+3: there is no function \"len\"; use length(text), or lengthb(text) for bytes"},
        {"at > getdate()", "5+7: there is no function \"getdate\"; write ${now}"},
        {"at > current_timestamp", "5+17: there is no field \"current_timestamp\" here; write ${now}"},
        {"city regexp 'a'", "5+6: an operator or the end is wanted here, not \"regexp\"; write text ~ 'pattern'"},
        {"(city ilike 'a')", "6+5: a closing ) is wanted here, not \"ilike\"; write lower(text) like 'a%'"},
        {"city = 'it's'", "11+1: an operator or the end is wanted here, not \"s\"; a quote inside of a text is doubled: 'it''s'"},
        {"city not null", "9+4: in, like or between is wanted here, not \"null\"; write is not null"},
        {"where id > 1", "6+2: an operator or the end is wanted here, not \"id\"; leave out \"where\""},
        {"id =< 1", "3+2: =< is no operator here; write <="},
        {"id=!1", "2+2: =! is no operator here; write !="},
        {"city=~'a'", "4+2: =~ is no operator here; write ~"},
        {"$.id > 1", "0+2: $. is no operator here; write json_get(text, '$.a')"},
        {"count(id) > 1", "0+5: there is no function \"count\"; there are no functions over rows"},
        {"city = null", "7+4: nothing equals NULL, so this is never true; write is null, or is not null"},
        {"null != city", "0+4: nothing equals NULL, so this is never true; write is null, or is not null"},
        {"concat()", "0+6: concat takes at least 1 argument, here are 0: concat(a, b, …)"},
        {"flag and amount", "9+6: and takes conditions, this is a decimal(10,2); compare it with something"},
        {"not amount", "4+6: not takes conditions, this is a decimal(10,2); compare it with something"},
        {"amount is true", "7+2: is true and is false take a boolean, this is a decimal(10,2); compare it with something"},
        {"city + 1",
         "5+1: + needs two numbers, these are a string and a bigint; || joins texts, cast(… as bigint) makes a number of one"},
        {"-city", "0+1: - needs a number, this is a string; cast it first"},
        {"day + 1", "4+1: + needs two numbers, these are a date and a bigint; cast them first"},
        {"day > 'x'", "6+3: \"x\" is not a date (YYYY-MM-DD), for type date"},
        {"day > 5", "4+1: a date and a bigint do not compare; a date or time is written as a text, '2024-01-31', and "
                    "epoch_ms(time) is a number"},
        {"at > '2024-01-31'", "5+12: \"2024-01-31\" is not a date-time (YYYY-MM-DD HH:MM:SS), for type timestamp"},
        {"at > local", "3+1: a timestamp and a timestamp_ntz do not compare; cast one of them first"},
        {"flag = 1", "5+1: a boolean and a bigint do not compare; a boolean stands alone, or with is true and is false"},
        {"city like 5", "10+1: like takes a string, this is a bigint; cast it first"},
        {"city like city", "10+4: the pattern of like must be a constant text"},
        {"city like 'a\\'", "13+1: character 3 of the pattern: behind the escape character only %, _ and itself can stand"},
        {"city like 'a' escape 'bc'", "21+4: the escape character must be one character"},
        {"id like 'a'", "0+2: like takes a string, this is a bigint; cast it first"},
        {"city ~ 'a('", "9+1: character 2 of the pattern: missing closing parenthesis"},
        {"city ~ 'a''('", "11+1: character 3 of the pattern: missing closing parenthesis"},
        {"city ~ '\u4e0a)b'", "11+1: character 2 of the pattern: unmatched closing parenthesis"},
        {"city ~ 'a' || ')'", "7+10: character 2 of the pattern: unmatched closing parenthesis"},
        {"city ~ city", "7+4: the regular expression must be a constant text"},
        {"cast(city as bigit)", "13+5: \"bigit\" is not a type; did you mean \"bigint\"?; the types are boolean, bigint, double, "
                                "decimal(p,s), string, binary, "
                                "date, datetime, timestamp, timestamp_ntz, json"},
        {"cast(city as)", "12+1: a type is wanted here, not \")\""},
        {"cast(city bigint)", "10+6: \"as\" is wanted here, not \"bigint\""},
        {"cast(raw as bigint)", "0+4: binary does not convert to bigint: binary converts to string only"},
        {"cast('x' as bigint)", "0+19: \"x\" is not a bigint, for type bigint"},
        {"id + 1 / 0", "5+5: this fails for every row: 1 / 0: division by zero"},
        {"date 'x' = day", "0+8: \"x\" is not a date (YYYY-MM-DD), for type date"},
        {"uper(city)", "0+4: there is no function \"uper\"; did you mean \"upper\"?"},
        {"xyzzy(city)", "0+5: there is no function \"xyzzy\"; `luaduct help functions` lists them"},
        {"frobnicate(city)", "0+10: there is no function \"frobnicate\"; `luaduct help functions` lists them"},
        {"abs()", "0+3: abs takes 1 argument, here are 0: abs(number)"},
        {"abs(1, 2)", "0+3: abs takes 1 argument, here are 2: abs(number)"},
        {"abs(city)", "4+4: argument 1 of abs must be a number, this is a string; cast it first"},
        {"round(amount, id)", "14+2: the number of digits of round must be a constant"},
        {"round(amount, 'x')", "14+3: argument 2 of round must be a bigint, this is a string; cast it first"},
        {"round(amount, 99)", "14+2: the number of digits of round must be from -38 to 38"},
        {"coalesce(id, city)", "13+4: all values of coalesce need one type, these are a bigint and a string; cast one of them"},
        {"greatest(day, '2024-13-01')", "14+12: \"2024-13-01\" is not a date (YYYY-MM-DD), for type date"},
        {"greatest(day, city)", "14+4: all arguments of greatest need one type, these are date and string; cast one of them"},
        {"greatest(id, city)", "13+4: all arguments of greatest need one type, these are bigint and string; cast one of them"},
        {"case when flag then 1 else 'a' end",
         "27+3: all values of case need one type, these are a bigint and a string; cast one of them"},
        {"case when id then 1 end", "10+2: when takes conditions, this is a bigint; compare it with something"},
        {"case flag when 1 then 1 end",
         "15+1: a boolean and a bigint do not compare; a boolean stands alone, or with is true and is false"},
        {"case when flag then 1", "21+1: \"when\", \"else\" or \"end\" is wanted here, not the end"},
        {"case end", "5+3: a value is wanted here, not \"end\"; a field of that name stands between double quotes"},
        {"case flag wen true then 1 end", "10+3: \"when\" is wanted here, not \"wen\"; did you mean \"when\"?"},
        {"'abc", "0+1: the text that begins here has no closing '"},
        {"\"abc", "0+1: the name that begins here has no closing quote"},
        {"\"\" = 1", "0+2: a field has a name; a text stands between single quotes"},
        {"1.", "0+2: digits are wanted after the point"},
        {"1e", "0+2: digits are wanted in the exponent"},
        {"12ab", "0+4: this is no number; a name that begins with a digit stands between double quotes"},
        {"1e999", "0+5: the number is beyond the range of a double"},
        {"123456789012345678901234567890123456789", "0+39: a number has at most 38 digits; 1e40 is a double"},
        {"${jb}", "0+5: there is no variable ${jb}; did you mean ${job}?"},
        {"${job", "0+2: \"${\" has no closing \"}\""},
        {"${jo\x04"
         "b}",
         "0+7: there is no variable ${jo?b}; did you mean ${job}?"},
        {"id # 1", "3+1: \"#\" is not part of the expression language"},
        {"id.x",
         "2+1: \".\" is not part of the expression language; a field whose name has a point stands between double quotes"},
        {"city = ‘a’", "7+7: there is no field \"‘a’\" here (texts stand between plain quotes: 'a'); the fields are: __key__, "
                       "__value__, __partition__, "
                       "__headers__, __offset__, __timestamp__, id, zero, amount, flag, city, odd name, ratio, day, at, "
                       "local, doc, raw, broken, nothing, 价格"},
        {"city = \"上海\"", "7+8: there is no field \"上海\" here (texts stand between single quotes); the fields are: __key__, "
                            "__value__, __partition__, "
                            "__headers__, __offset__, __timestamp__, id, zero, amount, flag, city, odd name, ratio, day, at, "
                            "local, doc, raw, broken, nothing, 价格"},
        {"'上海' = 价钱", "11+6: there is no field \"价钱\" here; the fields are: __key__, __value__, __partition__, "
                          "__headers__, __offset__, __timestamp__, "
                          "id, zero, amount, flag, city, odd name, ratio, day, at, local, doc, raw, broken, nothing, 价格"},
        {"abs(1,)", "6+1: a value is wanted here, not \")\" after the comma"},
    };
    struct buffer result, text;
    struct expression_mistakes mistakes;
    struct expression *expression;
    struct expression_environment environment = environment_of();

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);

    buffer_init(&text, 0);
    buffer_init(&result, 0);
    for (int i = 0; i < 5000; i++)
        buffer_append_char(&text, '(');
    evaluate(buffer_text(&text), WHEN_ERROR_DIRTY, &result);
    assert_string_equal(buffer_text(&result), "100+1: the expression is nested more than 100 deep; split it into several stages");
    buffer_clear(&text);
    for (int i = 0; i < 200; i++)
        buffer_print(&text, "id + ");
    buffer_print(&text, "1");
    evaluate(buffer_text(&text), WHEN_ERROR_DIRTY, &result);
    assert_non_null(strstr(buffer_text(&result), "nested more than 100 deep"));
    /* Long, but not deep. */
    buffer_clear(&text);
    buffer_print(&text, "id = 0");
    for (int i = 0; i < 800; i++)
        buffer_print(&text, " or id = %d", i);
    evaluate(buffer_text(&text), WHEN_ERROR_DIRTY, &result);
    assert_string_equal(buffer_text(&result), "true|true|true|NULL|false|false");
    assert_false(expression_parse(&expression, str_make(buffer_text(&text), 0x7FFF), &environment, &mistakes));
    buffer_release(&text);
    buffer_release(&result);
}

/* All that is wrong is told at once, and nothing that only follows from it. */
static void test_all_mistakes(void **state)
{
    static const struct row rows[] = {
        /* fields, each once, where it stands first */
        {"ctiy = 'x' and amuont > 1", "0+4: there is no field \"ctiy\" here; did you mean \"city\"? & "
                                      "15+6: there is no field \"amuont\" here; did you mean \"amount\"?"},
        {"ctiy = 'x' or ctiy = 'y' or upper(ctiy) = ''", "0+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        /* functions and variables, before and beside them */
        {"uper(ctiy) = lowr(city)", "0+4: there is no function \"uper\"; did you mean \"upper\"? & "
                                    "13+4: there is no function \"lowr\"; did you mean \"lower\"? & "
                                    "5+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        {"uper(city) = UPER('a')", "0+4: there is no function \"uper\"; did you mean \"upper\"?"},
        {"${tpoic} = ${jobb} or ${tpoic} = ''", "0+8: there is no variable ${tpoic}; did you mean ${topic}? & "
                                                "11+7: there is no variable ${jobb}; did you mean ${job}?"},
        /* another language's function may have anything in its brackets */
        {"extract(yaer from x) = amuont",
         "0+7: there is no function \"extract\"; use year(time), month(time), day(time), hour(time) \u2026 & "
         "23+6: there is no field \"amuont\" here; did you mean \"amount\"?"},
        {"datediff(dya, (at), 1) > 1", "0+8: there is no function \"datediff\"; use date_diff(a, b, unit)"},
        {"nvl(id, 0", "0+3: there is no function \"nvl\"; use coalesce(a, b) & 9+1: a closing ) is wanted here, not the end; "
                      "the ( is character 4"},
        /* counts of arguments, types, numbers */
        {"substr(city) = 'x' and upper(city, 1) = ctiy",
         "0+6: substr takes at least 2 arguments, here are 1: substr(text, start [, length]) & "
         "23+5: upper takes 1 argument, here are 2: upper(text) & "
         "40+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        {"cast(ctiy as strng) = cast(1 as decimal(99,2))",
         "13+5: \"strng\" is not a type; did you mean \"string\"?; the types are boolean, bigint, double, decimal(p,s), "
         "string, binary, date, datetime, timestamp, timestamp_ntz, json & "
         "32+13: \"decimal(99,2)\": the precision of a decimal is 1 to 38 and its scale 0 to 18, not above the precision & "
         "5+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        {"city + 1 > 2 and day = 5 and id = 'a'",
         "5+1: + needs two numbers, these are a string and a bigint; || joins texts, cast(\u2026 as bigint) makes a "
         "number of one"
         " & 21+1: a date and a bigint do not compare; a date or time is written as a text, '2024-01-31', and epoch_ms(time) is "
         "a number"
         " & 32+1: a bigint and a string do not compare; cast the number to string, if that is meant"},
        {"amount and city and flag and id", "0+6: and takes conditions, this is a decimal(10,2); compare it with something & "
                                            "11+4: and takes conditions, this is a string; compare it with something & "
                                            "29+2: and takes conditions, this is a bigint; compare it with something"},
        {"case when id then ctiy when city then 'b' end", "10+2: when takes conditions, this is a bigint; compare it with "
                                                          "something & "
                                                          "18+4: there is no field \"ctiy\" here; did you mean \"city\"? & "
                                                          "28+4: when takes conditions, this is a string; compare it with "
                                                          "something"},
        {"upper(id) = lower(amount)", "6+2: argument 1 of upper must be a text, this is a bigint; cast it first & "
                                      "18+6: argument 1 of lower must be a text, this is a decimal(10,2); cast it first"},
        {"city ~ '(' and city like 'a\\b' and regexp_like(ctiy, '[')",
         "8+1: character 1 of the pattern: missing closing parenthesis & "
         "28+1: character 3 of the pattern: behind the escape character only %, _ and itself can stand & "
         "47+4: there is no field \"ctiy\" here; did you mean \"city\"? & "
         "54+1: character 1 of the pattern: missing terminating ] for character class"},
        /* what only follows is not told */
        {"ctiy + 1 = 'a'", "0+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        {"-ctiy", "1+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        {"city || 1 + ctiy", "12+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        {"coalesce(ctiy, 1) = 'a'", "9+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        {"if(ctiy, 1, 2) = 'a'", "3+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        {"city like uper('a') or city ~ uper('b')", "10+4: there is no function \"uper\"; did you mean \"upper\"?"},
        {"substr(city, uper(1)) = 1", "13+4: there is no function \"uper\"; did you mean \"upper\"?"},
        {"id in (idd, 1) and id between idd and 3", "7+3: there is no field \"idd\" here; did you mean \"id\"?"},
        {"case ctiy when 1 then 2 when 'a' then 3 end = 'b'", "5+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        /* and what has one type whatever is wrong in it is a ground to stand on */
        {"cast(ctiy as bigint) = 'a'", "5+4: there is no field \"ctiy\" here; did you mean \"city\"? & "
                                       "21+1: a bigint and a string do not compare; cast the number to string, if that is meant"},
        {"not cast(ctiy as string)", "4+20: not takes conditions, this is a string; compare it with something & "
                                     "9+4: there is no field \"ctiy\" here; did you mean \"city\"?"},
        /* where the syntax does not hold, what stands before it */
        {"uper(city) = 'a' adn x", "0+4: there is no function \"uper\"; did you mean \"upper\"? & "
                                   "17+3: an operator or the end is wanted here, not \"adn\"; did you mean \"and\"?"},
    };

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);
}

/* No more than fit: those that were found first. */
static void test_many_mistakes(void **state)
{
    struct expression_environment environment = environment_of();
    struct expression_mistakes mistakes;
    struct expression *expression;
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    for (int i = 0; i < 2 * EXPRESSION_MISTAKES_MAX; i++)
        buffer_print(&text, "%sf%d(1)", i ? " and " : "", i);
    assert_false(expression_parse(&expression, buffer_str(&text), &environment, &mistakes));
    assert_int_equal(mistakes.count, EXPRESSION_MISTAKES_MAX);
    assert_string_equal(mistakes.list[0].text, "there is no function \"f0\"; `luaduct help functions` lists them");
    expression_free(expression);
    buffer_release(&text);
}

/* Bound again when a field's type changes, and not before. */
static void test_binding_follows_types(void **state)
{
    struct expression_environment environment = environment_of();
    struct batch *batch = batch_new(16 << 20);
    struct expression *expression;
    struct expression_mistakes mistakes;
    struct column *column;
    struct error error;

    (void)state;
    assert_true(expression_parse(&expression, STR("zero + 1"), &environment, &mistakes));
    for (int i = 0; i < 3; i++) {
        bed_fill(batch);
        if (i == 1) {
            assert_true(batch_remove(batch, STR("id")));
            column = bed_add(batch, "zero", type_decimal(5, 2));
            for (uint32_t row = 0; row < EXPRESSION_ROWS; row++)
                column->decimal[row] = 150;
        }
        assert_true(expression_run(expression, batch, 0, &column, &mistakes, &error));
        assert_int_equal(expression_type(expression).kind, i == 1 ? TYPE_DECIMAL : TYPE_BIGINT);
        assert_true(i == 1 ? column->decimal[0] == 250 : column->bigint[1] == 2);
    }
    bed_fill(batch);
    assert_true(batch_remove(batch, STR("zero")));
    assert_false(expression_run(expression, batch, 0, &column, &mistakes, &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
    expression_free(expression);
    batch_free(batch);
}

/* Every function's example is an expression of constants. */
static void test_examples(void **state)
{
    struct batch *batch = batch_new(16 << 20);
    struct expression_environment environment = environment_of();
    struct buffer text;
    unsigned wrong = 0;

    (void)state;
    buffer_init(&text, 0);
    for (size_t i = 0; expression_function_tables[i]; i++) {
        for (const struct expression_function *row = expression_function_tables[i]; row->name; row++) {
            struct expression *expression = NULL;
            struct column *column;

            assert_ptr_equal(function_find(str_of(row->name)), row);
            assert_true(row->sentence[strlen(row->sentence) - 1] == '.');
            assert_true(row->arguments_max <= FUNCTION_ARGUMENTS_MAX);
            buffer_clear(&text);
            bed_fill(batch);
            if (bed_run(&expression, row->example, &environment, batch, &column, &text))
                bed_print_value(&text, batch, column, zone, 0);
            if (!row->varies && strcmp(buffer_text(&text), row->result) != 0) {
                print_error("%s gives %s, not %s\n", row->example, buffer_text(&text), row->result);
                wrong++;
            }
            expression_free(expression);
        }
    }
    buffer_release(&text);
    batch_free(batch);
    assert_int_equal(wrong, 0);
}

/* config/functions.md is what `luaduct help functions markdown` prints. */
static void test_page(void **state)
{
    FILE *file = fopen("config/functions.md", "rb");
    char page[65536];
    struct buffer text;

    (void)state;
    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    fclose(file);
    buffer_init(&text, 0);
    functions_print(&text, true);
    if (strcmp(buffer_text(&text), page) != 0)
        fail_msg("config/functions.md is out of date: build/luaduct help functions markdown > config/functions.md");
    buffer_release(&text);
}

/* filter(x) and filter(not x) split the rows where x is not NULL. */
static void test_filter_splits(void **state)
{
    static const char *const conditions[] = {"amount > 100",
                                             "flag",
                                             "city like '%a%'",
                                             "id in (1, 2, null)",
                                             "zero <> 0 and 1 / zero > 0",
                                             "case when flag then amount > 0 else city is null end",
                                             "nothing > 1",
                                             "city ~ 'a'"};
    struct expression_environment environment = environment_of();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        uint8_t seen[EXPRESSION_ROWS] = {0};

        for (int pass = 0; pass < 3; pass++) {
            struct batch *batch = batch_new(16 << 20);
            struct expression *expression;
            struct expression_mistakes mistakes;
            struct column *column;
            struct error error;
            char text[200];

            snprintf(text, sizeof(text), pass == 0 ? "%s" : pass == 1 ? "not (%s)" : "(%s) is null", conditions[i]);
            bed_fill(batch);
            assert_true(expression_parse(&expression, str_of(text), &environment, &mistakes));
            assert_true(expression_run(expression, batch, 0, &column, &mistakes, &error));
            assert_true(batch_keep(batch, column, &error));
            assert_int_equal(batch->selected + batch->filtered_count, EXPRESSION_ROWS);
            for (uint32_t j = 0; j < batch->selected; j++)
                seen[batch->selection[j]]++;
            expression_free(expression);
            batch_free(batch);
        }
        for (int row = 0; row < EXPRESSION_ROWS; row++)
            assert_int_equal(seen[row], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_rows_that_fail), cmocka_unit_test(test_all_mistakes),
        cmocka_unit_test(test_many_mistakes), cmocka_unit_test(test_mistakes),       cmocka_unit_test(test_binding_follows_types),
        cmocka_unit_test(test_examples),      cmocka_unit_test(test_page),           cmocka_unit_test(test_filter_splits),
    };
    struct error error;
    int failed;

    if (!zone_open(&zone, STR("+08:00"), &error))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    zone_free(zone);
    return failed;
}
