/* functions_test.c: the functions of expressions over columns: NULL, characters of all kinds, bytes that are none, extremes, the
 * clock's changes, and what is refused. Their examples are run by expression_test.c. */
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

static struct zone *shanghai, *berlin;
static const struct zone *job_zone; /* of the environment */

enum { ROWS = 6 };

/*   t   Straße 上海 · a e with a combining acute, and x · "" · NULL · bytes that are no UTF-8 · " a,b,,c "
 *   n   0 1 -2 NULL and the extremes · d  decimals · r  doubles
 *   w   in Europe/Berlin: 00:30Z when clocks went forward at 01:00Z, an hour later, the two 02:30 of the autumn · NULL · leap day
 *   day, local and the JSON text j; x: texts with dates; all the same when selected */
/* False: the arena is full. */
static bool fill_rows(struct batch *batch, int rows)
{
    static const char *const texts[ROWS] = {"Straße 上海", "e\xCC\x81x", "", NULL, "\xC3(", " a,b,,c "};
    static const char *const json[ROWS] = {
        "{\"a\":{\"b\":[1.50,\"x\",null]},\"a.b\":true}", "{\"a\":{\"b\":[\"\\u4e0a\"]}}", "[1,2]", NULL, "{\"a\":",
        "{\"a\":1,\"a\":{\"b\":[9223372036854775808]}}"};
    static const char *const dates[ROWS] = {"31.01.2024 23:30", "30.02.2024 00:00", "", NULL,
                                            "31.03.2024 02:30", "01.01.0001 00:00"};
    static const int64_t numbers[ROWS] = {0, 1, -2, 0, INT64_MAX, INT64_MIN};
    static const int64_t seconds[ROWS] = {1711845000, 1711848600, 1729989000, 1729992600, 0, 1709164800};
    static const struct {
        const char *name;
        struct type type;
    } fields[] = {{"t", {TYPE_STRING, 0, 0}},    {"n", {TYPE_BIGINT, 0, 0}},    {"d", {TYPE_DECIMAL, 10, 2}},
                  {"r", {TYPE_DOUBLE, 0, 0}},    {"w", {TYPE_TIMESTAMP, 0, 0}}, {"day", {TYPE_DATE, 0, 0}},
                  {"j", {TYPE_STRING, 0, 0}},    {"x", {TYPE_STRING, 0, 0}},    {"local", {TYPE_TIMESTAMP_NTZ, 0, 0}},
                  {"nothing", {TYPE_NULL, 0, 0}}};
    struct column *columns[COUNT_OF(fields)];

    batch_clear(batch);
    for (int i = 0; i < rows; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = i}, NULL);
    if (!batch_begin(batch, 0))
        return false;
    batch->stage = "s";
    for (size_t k = 0; k < COUNT_OF(fields); k++) {
        columns[k] = column_try_new(&batch->arena, fields[k].type, batch->row_count, true);
        if (!columns[k] || !batch_set(batch, str_of(fields[k].name), columns[k]))
            return false;
    }
    for (uint32_t row = 0; row < batch->row_count; row++) {
        uint32_t i = row % ROWS;

        columns[0]->text[row] = str_of(texts[i]);
        columns[1]->bigint[row] = numbers[i];
        columns[2]->decimal[row] = (int128[]){-155, 0, 250, 0, 9999999999, -1}[i];
        columns[3]->real[row] = (double[]){2.25, -1, 1e308, 0, (double)INFINITY, (double)NAN}[i];
        columns[4]->instant[row] = (struct instant){seconds[i], i == 5 ? 123456789 : 0};
        columns[5]->date[row] = (int32_t[]){19753, 19782, time_days_min, 0, time_days_max, 0}[i];
        columns[6]->text[row] = str_of(json[i]);
        columns[7]->text[row] = str_of(dates[i]);
        columns[8]->instant[row] = (struct instant){(int64_t[]){1711848600, 0, time_seconds_min, 0, time_seconds_max, -1}[i], 0};
        for (size_t k = 0; k < COUNT_OF(fields); k++)
            columns[k]->null[row] = i == (k == 4 ? 4 : 3);
    }
    return true;
}

static void fill(struct batch *batch)
{
    assert_true(fill_rows(batch, ROWS));
}

/* As in expression_test.c: "a|b|!|d" and the first reason, or "AT+WIDTH: text". */
static void evaluate(struct batch *batch, const char *text, struct buffer *result)
{
    struct expression_environment environment = {.zone = job_zone, .job = STR("orders"), .topic = STR("t")};
    struct expression *expression = NULL;
    struct column *column;
    uint32_t next = 0;

    buffer_clear(result);
    if (!bed_run(&expression, text, &environment, batch, &column, result)) {
        expression_free(expression);
        return;
    }
    assert_true(type_equal(column->type, expression_type(expression)));
    for (uint32_t i = 0; i < ROWS; i++) {
        bool selected = next < batch->selected && batch->selection[next] == i;

        buffer_print(result, "%s", i ? "|" : "");
        if (selected)
            bed_print_value(result, batch, column, job_zone ? job_zone : shanghai, i);
        else
            buffer_append_char(result, '!');
        /* What is known of texts must be so. */
        if (selected && column->utf8 && !column_is_null(column, i))
            assert_true(str_is_utf8(column->text[i]));
        next += selected;
    }
    assert_int_equal(batch->selected + batch->dirty_count + batch->filtered_count, ROWS);
    if (batch->dirty)
        buffer_print(result, " %.*s", STR_ARG(batch->dirty->reason));
    expression_free(expression);
}

struct row {
    const char *text, *result;
};

static void check(const struct row *rows, size_t count, enum when_error when_error)
{
    struct batch *batch = batch_new(64 << 20);
    struct buffer result;
    unsigned wrong = 0;

    buffer_init(&result, 0);
    for (size_t i = 0; i < count; i++) {
        fill(batch);
        batch->when_error = when_error;
        evaluate(batch, rows[i].text, &result);
        if (strcmp(buffer_text(&result), rows[i].result) == 0)
            continue;
        print_error("%s\n  gives  %s\n  wanted %s\n", rows[i].text, buffer_text(&result), rows[i].result);
        wrong++;
    }
    buffer_release(&result);
    batch_free(batch);
    assert_int_equal(wrong, 0);
}

#define CHECK(rows, when_error) check(rows, COUNT_OF(rows), when_error)

static void test_texts(void **state)
{
    static const struct row rows[] = {
        {"concat(t, n)", "Straße 上海0|éx1|-2|NULL|\xC3"
                         "(9223372036854775807| a,b,,c -9223372036854775808"},
        {"concat('<', t, '>', null)", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"concat_ws('-', nothing, t, n)", "Straße 上海-0|éx-1|--2||\xC3"
                                          "(-9223372036854775807| a,b,,c --9223372036854775808"},
        {"concat_ws(t, 'a', 'b')", "aStraße 上海b|aéxb|ab|NULL|a\xC3"
                                   "(b|a a,b,,c b"},
        {"concat_ws(nothing, t)", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"upper(t)", "STRAßE 上海|ÉX||NULL|!| A,B,,C  upper: the text is not valid UTF-8"},
        {"lower(t)", "straße 上海|éx||NULL|!| a,b,,c  lower: the text is not valid UTF-8"},
        {"initcap(t)", "Straße 上海|Éx||NULL|!| A,b,,c  initcap: the text is not valid UTF-8"},
        {"initcap('über ALLES')", "Über Alles|Über Alles|Über Alles|Über Alles|Über Alles|Über Alles"},
        {"trim(t)", "Straße 上海|éx||NULL|!|a,b,,c trim: the text is not valid UTF-8"},
        {"trim(t, ' e')", "Straße 上海|́x||NULL|!|a,b,,c trim: the text is not valid UTF-8"},
        {"ltrim(t) || '.'", "Straße 上海.|éx.|.|NULL|!|a,b,,c . ltrim: the text is not valid UTF-8"},
        {"rtrim(t) || '.'", "Straße 上海.|éx.|.|NULL|!| a,b,,c. rtrim: the text is not valid UTF-8"},
        {"length(t)", "9|3|0|NULL|!|8 length: the text is not valid UTF-8"},
        {"lengthb(t)", "14|4|0|NULL|2|8"},
        {"lengthb(cast(t as binary))", "14|4|0|NULL|2|8"},
        {"substr(t, 2)", "traße 上海|́x||NULL|!|a,b,,c  substr: the text is not valid UTF-8"},
        {"substr(t, n, 2)", "St|é||NULL|!| substr: the text is not valid UTF-8"},
        {"substring(t, -2, n)", "|́||NULL|!| substring: the text is not valid UTF-8"},
        {"left(t, 7)", "Straße |éx||NULL|!| a,b,,c left: the text is not valid UTF-8"},
        {"right(t, n)", "|x||NULL|!| right: the text is not valid UTF-8"},
        {"lpad(t, 6, '海')", "Straße|海海海éx|海海海海海海|NULL|!| a,b,, lpad: the text is not valid UTF-8"},
        {"rpad(t, 3, '')", "Str|éx||NULL|!| a, rpad: the text is not valid UTF-8"},
        {"rpad('a', n, 'b')", "|a||NULL|!| rpad: the result would be larger than 8 MiB"},
        {"reverse(t)", "海上 eßartS|x́e||NULL|!| c,,b,a  reverse: the text is not valid UTF-8"},
        {"repeat(t, 2)", "Straße 上海Straße 上海|éxéx||NULL|\xC3"
                         "(\xC3"
                         "(| a,b,,c  a,b,,c "},
        {"repeat('a', n)", "|a||NULL|!| repeat: the result would be larger than 8 MiB"},
        {"replace(t, 'a', '上')", "Str上ße 上海|éx||NULL|\xC3"
                                  "(| 上,b,,c "},
        {"translate(t, 'a上, ', '海A')", "Str海ßeA海|éx||NULL|!|海bc translate: the text is not valid UTF-8"},
        {"translate(t, '', 'x')", "Straße 上海|éx||NULL|!| a,b,,c  translate: the text is not valid UTF-8"},
        {"translate('aab', 'aa', 'xy')", "xxb|xxb|xxb|xxb|xxb|xxb"},
        {"split_part(t, ',', 2)", "|||NULL||b"},
        {"split_part(t, ',', n)",
         "!|éx||NULL|| split_part: parts are counted from 1, or from the end by negative numbers; there is no part 0"},
        {"instr(t, 'a')", "4|0|0|NULL|!|2 instr: the text is not valid UTF-8"},
        {"instr(t, '海', -1)", "9|0|0|NULL|!|0 instr: the text is not valid UTF-8"},
        {"instr(t, ',', 1, 2)", "0|0|0|NULL|!|5 instr: the text is not valid UTF-8"},
        {"starts_with(t, 'S')", "true|false|false|NULL|false|false"},
        {"ends_with(t, '')", "true|true|true|NULL|true|true"},
        {"contains(t, t)", "true|true|true|NULL|true|true"},
        {"regexp_like(t, '^\\W')", "false|false|false|NULL|!|true regexp_like: the text is not valid UTF-8"},
        {"regexp_extract(t, '([a-z])(,)?', 2)", "NULL|NULL|NULL|NULL|!|, regexp_extract: the text is not valid UTF-8"},
        {"regexp_extract(t, '[^ ,]')", "S|e|NULL|NULL|!|a regexp_extract: the text is not valid UTF-8"},
        {"regexp_extract(t, '(?<first>.)(.)', 0)", "St|é|NULL|NULL|!| a regexp_extract: the text is not valid UTF-8"},
        {"regexp_replace(t, '([a-c])', '<$1>')",
         "Str<a>ße 上海|éx||NULL|!| <a>,<b>,,<c>  regexp_replace: the text is not valid UTF-8"},
        {"regexp_replace(t, '', '-')",
         "-S-t-r-a-ß-e- -上-海-|-e-́-x-|-|NULL|!|- -a-,-b-,-,-c- - regexp_replace: the text is not valid UTF-8"},
    };
    static const struct row null_rows[] = {
        {"upper(t)", "STRAßE 上海|ÉX||NULL|NULL| A,B,,C "},
        {"concat(t, upper(t))", "Straße 上海STRAßE 上海|éxÉX||NULL|NULL| a,b,,c  A,B,,C "},
        {"regexp_replace(t, 'a', 'b')", "Strbße 上海|éx||NULL|NULL| b,b,,c "},
        {"repeat('a', n)", "|a||NULL|NULL|"},
    };

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);
    CHECK(null_rows, WHEN_ERROR_NULL);
}

static void test_numbers(void **state)
{
    static const struct row rows[] = {
        {"trunc(d)", "-1|0|2|NULL|99999999|0"},
        {"trunc(d, 1)", "-1.5|0.0|2.5|NULL|99999999.9|0.0"},
        {"trunc(n, -1)", "0|0|0|NULL|9223372036854775800|-9223372036854775800"},
        {"trunc(r)", "2|-1|1e+308|NULL|Infinity|NaN"},
        {"sign(n)", "0|1|-1|NULL|1|-1"},
        {"sign(d)", "-1|0|1|NULL|1|-1"},
        {"sign(r)", "1|-1|1|NULL|1|! sign: NaN has no sign"},
        {"mod(n, 3)", "0|1|-2|NULL|1|-2"},
        {"mod(n, -1)", "0|0|0|NULL|0|0"},
        {"mod(-7, n)", "!|0|-1|NULL|-7|-7 mod: division by zero"},
        {"mod(d, 0.7)", "-0.15|0.00|0.40|NULL|0.59|-0.01"},
        {"mod(n, 1.5)", "0.0|1.0|-0.5|NULL|1.0|-0.5"},
        {"mod(r, 2)", "0.25|-1|0|NULL|NaN|NaN"},
        {"power(r, 2)", "5.0625|1|!|NULL|Infinity|NaN power: the result is beyond the range of a double"},
        {"sqrt(r)", "1.5|!|1e+154|NULL|Infinity|NaN sqrt: the result is no number"},
        {"sqrt(d)", "!|0|1.5811388300841898|NULL|9999.9999995|! sqrt: the result is no number"},
        {"try_cast(t as bigint)", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"try_cast(n as double)", "0|1|-2|NULL|NULL|-9.223372036854776e+18"},
        {"coalesce(try_cast(x as date), date '2000-01-01')", "2000-01-01|2000-01-01|2000-01-01|2000-01-01|2000-01-01|2000-01-01"},
        {"is_number(t)", "false|false|false|NULL|false|false"},
        {"if(is_number(cast(n as string)), 1, 0)", "1|1|1|0|1|1"},
        {"is_number(' 1') or is_number('1e') or is_number('') or is_number('0x10') or is_number('NaN')",
         "false|false|false|false|false|false"},
    };

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);
}

static void test_times(void **state)
{
    static const struct row rows[] = {
        {"to_timestamp(x, 'dd.MM.yyyy HH:mm')",
         "2024-01-31 23:30:00|!|!|NULL|2024-03-31 03:30:00|! to_timestamp: \"30.02.2024 00:00\" does not fit the pattern "
         "\"dd.MM.yyyy HH:mm\", or is no such day or time"},
        {"to_timestamp(x, 'dd.MM.yyyy HH:mm', 'Asia/Shanghai')",
         "2024-01-31 16:30:00|!|!|NULL|2024-03-30 19:30:00|! to_timestamp: \"30.02.2024 00:00\" does not fit the pattern "
         "\"dd.MM.yyyy HH:mm\", or is no such day or time"},
        {"to_timestamp('2024-01-31 12:00:00+02:00') || n",
         "2024-01-31 11:00:000|2024-01-31 11:00:001|2024-01-31 11:00:00-2|NULL|2024-01-31 "
         "11:00:009223372036854775807|2024-01-31 11:00:00-9223372036854775808"},
        {"to_timestamp(x)", "!|!|!|NULL|!|! to_timestamp: \"31.01.2024 23:30\" is not a date-time (YYYY-MM-DD HH:MM:SS)"},
        {"to_timestamp(n)", "1970-01-01 01:00:00|1970-01-01 01:00:00.001|1970-01-01 00:59:59.998|NULL|!|! 9223372036854775807 "
                            "(epoch milliseconds) is outside of the years 1 to 9999, for type timestamp"},
        {"to_timestamp(day)", "2024-01-31 00:00:00|2024-02-29 00:00:00|!|NULL|9999-12-31 00:00:00|1970-01-01 00:00:00 "
                              "to_timestamp: the result is outside of the years 1 to 9999"},
        {"to_timestamp(local)", "2024-03-31 01:30:00|1970-01-01 00:00:00|!|NULL|9999-12-31 23:59:59|1969-12-31 23:59:59 "
                                "to_timestamp: the result is outside of the years 1 to 9999"},
        {"to_timestamp(local, '+08:00')", "2024-03-30 18:30:00|1969-12-31 17:00:00|!|NULL|9999-12-31 16:59:59|1969-12-31 "
                                          "16:59:59 to_timestamp: the result is outside of the years 1 to 9999"},
        {"to_timestamp(w) = w", "true|true|true|true|NULL|true"},
        {"to_date(x, 'dd.MM.yyyy HH:mm')", "2024-01-31|!|!|NULL|2024-03-31|0001-01-01 to_date: \"30.02.2024 00:00\" does not fit "
                                           "the pattern \"dd.MM.yyyy HH:mm\", or is no such day or time"},
        {"to_date(x)", "!|!|!|NULL|!|! to_date: the text is not a date (YYYY-MM-DD)"},
        {"to_date(w)", "2024-03-31|2024-03-31|2024-10-27|2024-10-27|NULL|2024-02-29"},
        {"to_date(w, 'Pacific/Kiritimati')", "2024-03-31|2024-03-31|2024-10-27|2024-10-27|NULL|2024-02-29"},
        {"to_date(local)", "2024-03-31|1970-01-01|0001-01-01|NULL|9999-12-31|1969-12-31"},
        {"date_format(w, 'yyyy-MM-dd HH:mm:ss XXX')", "2024-03-31 01:30:00 +01:00|2024-03-31 03:30:00 +02:00|2024-10-27 02:30:00 "
                                                      "+02:00|2024-10-27 02:30:00 +01:00|NULL|2024-02-29 01:00:00 +01:00"},
        {"date_format(w, 'EEE H:mm:ss.SSS', 'America/New_York')",
         "Sat 20:30:00.000|Sat 21:30:00.000|Sat 20:30:00.000|Sat 21:30:00.000|NULL|Wed 19:00:00.123"},
        {"date_format(day, 'yyMMdd''上''')", "240131上|240229上|010101上|NULL|991231上|700101上"},
        {"date_format(local, 'yyyy-MM-dd')", "2024-03-31|1970-01-01|0001-01-01|NULL|9999-12-31|1969-12-31"},
        {"date_convert(x, 'dd.MM.yyyy HH:mm', 'yyyyMMddHHmm')",
         "202401312330|!|!|NULL|202403310230|000101010000 date_convert: \"30.02.2024 00:00\" does not fit the pattern "
         "\"dd.MM.yyyy HH:mm\", or is no such day or time"},
        {"date_convert(x, 'dd.MM.yyyy HH:mm', 'yyyy-MM-dd HH:mm XXX')",
         "2024-01-31 23:30 +01:00|!|!|NULL|2024-03-31 03:30 +02:00|0001-01-01 00:00 +00:53 date_convert: \"30.02.2024 00:00\" "
         "does not fit the pattern \"dd.MM.yyyy HH:mm\", or is no such day or time"},
        {"date_convert(x, 'dd.MM.yyyy HH:mm', 'yyyy-MM-dd HH:mm', 'Europe/Berlin', 'UTC')",
         "2024-01-31 22:30|!|!|NULL|2024-03-31 01:30|! date_convert: \"30.02.2024 00:00\" does not fit the pattern \"dd.MM.yyyy "
         "HH:mm\", or is no such day or time"},
        {"date_convert('2024-07-01T00:00:00+08:00', 'yyyy-MM-dd''T''HH:mm:ssXXX', 'yyyy-MM-dd HH:mm', 'UTC', 'UTC')",
         "2024-06-30 16:00|2024-06-30 16:00|2024-06-30 16:00|2024-06-30 16:00|2024-06-30 16:00|2024-06-30 16:00"},
        {"date_convert('2024-07-01T00:00:00+08:00', 'yyyy-MM-dd''T''HH:mm:ssXXX', 'yyyy-MM-dd HH:mm')",
         "2024-06-30 18:00|2024-06-30 18:00|2024-06-30 18:00|2024-06-30 18:00|2024-06-30 18:00|2024-06-30 18:00"},
        {"from_unixtime(n)", "1970-01-01 01:00:00|1970-01-01 01:00:01|1970-01-01 00:59:58|NULL|!|! from_unixtime: the result is "
                             "outside of the years 1 to 9999"},
        {"unix_timestamp(w)", "1711845000|1711848600|1729989000|1729992600|NULL|1709164800"},
        {"unix_timestamp(local)", "1711845000|-3600|-62135600008|NULL|253402297199|-3601"},
        {"unix_timestamp(day, 'UTC')", "1706659200|1709164800|-62135596800|NULL|253402214400|0"},
        {"epoch_ms(w)", "1711845000000|1711848600000|1729989000000|1729992600000|NULL|1709164800123"},
        {"epoch_ms(to_timestamp(-1))", "-1|-1|-1|-1|-1|-1"},
        {"hour(w)", "1|3|2|2|NULL|1"},
        {"hour(w, '+05:30')", "6|7|6|7|NULL|5"},
        {"weekday(day)", "2|3|0|NULL|4|3"},
        {"dayofyear(w)", "91|91|301|301|NULL|60"},
        {"year(local) * 100 + month(local)", "202403|197001|101|NULL|999912|196912"},
        {"quarter(day)", "1|1|1|NULL|4|1"},
        {"date_format(date_add(w, 1), 'yyyy-MM-dd HH:mm XXX')",
         "2024-04-01 01:30 +02:00|2024-04-01 03:30 +02:00|2024-10-28 02:30 +01:00|2024-10-28 02:30 +01:00|NULL|2024-03-01 01:00 "
         "+01:00"},
        {"date_format(date_add(w, 24, 'hour'), 'yyyy-MM-dd HH:mm XXX')",
         "2024-04-01 02:30 +02:00|2024-04-01 03:30 +02:00|2024-10-28 01:30 +01:00|2024-10-28 02:30 +01:00|NULL|2024-03-01 01:00 "
         "+01:00"},
        {"date_add(w, 0) = w", "true|true|true|true|NULL|true"},
        {"date_add(day, n)", "2024-01-31|2024-03-01|!|NULL|!|! date_add: the result is outside of the years 1 to 9999"},
        {"date_add(day, n, 'month')", "2024-01-31|2024-03-29|!|NULL|!|! date_add: the result is outside of the years 1 to 9999"},
        {"date_add(day, 1, 'month')",
         "2024-02-29|2024-03-29|0001-02-01|NULL|!|1970-02-01 date_add: the result is outside of the years 1 to 9999"},
        {"date_sub(day, 1, 'quarter')",
         "2023-10-31|2023-11-29|!|NULL|9999-09-30|1969-10-01 date_sub: the result is outside of the years 1 to 9999"},
        {"date_add(timestamp_ntz '2024-02-29 23:59:59.999999999', 1, 'millisecond') || n",
         "2024-03-01 00:00:00.0009999990|2024-03-01 00:00:00.0009999991|2024-03-01 00:00:00.000999999-2|NULL|2024-03-01 "
         "00:00:00.0009999999223372036854775807|2024-03-01 00:00:00.000999999-9223372036854775808"},
        {"date_sub(timestamp_ntz '2024-03-01 00:00:00.000000001', 1, 'ff3') || n",
         "2024-02-29 23:59:59.9990000010|2024-02-29 23:59:59.9990000011|2024-02-29 23:59:59.999000001-2|NULL|2024-02-29 "
         "23:59:59.9990000019223372036854775807|2024-02-29 23:59:59.999000001-9223372036854775808"},
        {"date_add(day, n, 'year')", "2024-01-31|2025-02-28|!|NULL|!|! date_add: the result is outside of the years 1 to 9999"},
        {"date_sub(local, n, 'hour')", "2024-03-31 01:30:00|1969-12-31 23:00:00|0001-01-01 02:00:00|NULL|!|! date_sub: the "
                                       "result is outside of the years 1 to 9999"},
        {"date_sub(day, n, 'week')",
         "2024-01-31|2024-02-22|0001-01-15|NULL|!|! date_sub: the result is outside of the years 1 to 9999"},
        {"date_sub(w, 1, 'millisecond')", "2024-03-31 01:29:59.999|2024-03-31 03:29:59.999|2024-10-27 02:29:59.999|2024-10-27 "
                                          "02:29:59.999|NULL|2024-02-29 01:00:00.122456789"},
        {"date_add(date '2024-02-29', n, 'YEAR')",
         "2024-02-29|2025-02-28|2022-02-28|NULL|!|! date_add: the result is outside of the years 1 to 9999"},
        {"date_format(date_trunc(w, 'hour'), 'HH:mm XXX')",
         "01:00 +01:00|03:00 +02:00|02:00 +02:00|02:00 +01:00|NULL|01:00 +01:00"},
        {"date_format(date_trunc(w, 'day'), 'dd HH:mm XXX')",
         "31 00:00 +01:00|31 00:00 +01:00|27 00:00 +02:00|27 00:00 +02:00|NULL|29 00:00 +01:00"},
        {"date_trunc(w, 'hour', '+05:30') = w", "true|true|true|true|NULL|false"},
        {"date_trunc(w, 'millisecond')",
         "2024-03-31 01:30:00|2024-03-31 03:30:00|2024-10-27 02:30:00|2024-10-27 02:30:00|NULL|2024-02-29 01:00:00.123"},
        {"date_trunc(day, 'week')", "2024-01-29|2024-02-26|0001-01-01|NULL|9999-12-27|1969-12-29"},
        {"date_trunc(local, 'year')",
         "2024-01-01 00:00:00|1970-01-01 00:00:00|0001-01-01 00:00:00|NULL|9999-01-01 00:00:00|1969-01-01 00:00:00"},
        {"date_trunc(local, 'mi')",
         "2024-03-31 01:30:00|1970-01-01 00:00:00|0001-01-01 00:00:00|NULL|9999-12-31 23:59:00|1969-12-31 23:59:00"},
        {"date_diff(w, timestamp '2024-01-01 00:00:00Z')", "90|90|300|300|NULL|59"},
        {"date_diff(w, date '2024-01-01', 'hour')", "13+17: a date has no hours; cast it to timestamp or timestamp_ntz first"},
        {"date_diff(day, date '2024-01-31', 'month')", "0|1|-24276|NULL|95711|-648"},
        {"date_diff(day, date '2024-01-31', 'week')", "0|4|-105559|NULL|416163|-2822"},
        {"date_diff(local, timestamp_ntz '1970-01-01 00:00:00', 'second')", "1711848600|0|-62135596800|NULL|253402300799|-1"},
        {"date_diff(timestamp '2024-10-27 01:30:00Z', timestamp '2024-10-27 00:30:00Z', 'hour')", "1|1|1|1|1|1"},
        {"date_diff(date '2023-12-31', date '2024-01-01', 'year')", "-1|-1|-1|-1|-1|-1"},
    };

    (void)state;
    job_zone = berlin;
    CHECK(rows, WHEN_ERROR_DIRTY);
    job_zone = shanghai;
}

static void test_bytes(void **state)
{
    static const struct row rows[] = {
        {"left(md5(t), 6)", "6e85ad|85811e|d41d8c|NULL|0999cc|e5f7db"},
        {"sha256(t) = hash('sha256', t)", "true|true|true|NULL|true|true"},
        {"hash('sha256', t, 'salt') = hash('sha256', 'salt' || t)", "true|true|true|NULL|true|true"},
        {"length(sm3(t)) + length(sha512(t))", "192|192|192|NULL|192|192"},
        {"left(md5(cast(t as binary)), 6)", "6e85ad|85811e|d41d8c|NULL|0999cc|e5f7db"},
        {"base64(t)", "U3RyYcOfZSDkuIrmtbc=|ZcyBeA==||NULL|wyg=|IGEsYiwsYyA="},
        {"cast(unbase64(base64(t)) as string)", "Straße 上海|éx||NULL|!| a,b,,c  0xc328 is not valid UTF-8, for type string"},
        {"unbase64(t)", "!|!||NULL|!|! unbase64: the text is not base64"},
        {"hex(t)", "53747261C39F6520E4B88AE6B5B7|65CC8178||NULL|C328|20612C622C2C6320"},
        {"unhex(hex(t)) = cast(t as binary)", "true|true|true|NULL|true|true"},
        {"unhex(t)", "!|!||NULL|!|! unhex: the text has other characters than hexadecimal digits"},
        {"json_get(j, '$.a.b')",
         "[1.50,\"x\",null]|[\"上\"]|NULL|NULL|!|[9223372036854775808] json_get(\"$.a.b\"): the text is not valid JSON"},
        {"json_get(j, '$.a.b[0]')", "1.50|上|NULL|NULL|!|9223372036854775808 json_get(\"$.a.b[0]\"): the text is not valid JSON"},
        {"json_get(j, '$.a.b[0]', 'decimal(10,2)')",
         "1.50|!|NULL|NULL|!|! json_get(\"$.a.b[0]\"): \"上\" is not a decimal, for type decimal(10,2)"},
        {"json_get(j, '$.a.b[0]', 'bigint')", "!|!|NULL|NULL|!|! json_get(\"$.a.b[0]\"): 1.50 is not a bigint, for type bigint"},
        {"json_get(j, '$[''a.b'']', 'boolean')", "true|NULL|NULL|NULL|!|NULL json_get(\"$['a.b']\"): the text is not valid JSON"},
        {"json_get(j, '$.a', 'json')", "{\"b\":[1.50,\"x\",null]}|{\"b\":[\"上\"]}|NULL|NULL|!|{\"b\":[9223372036854775808]} "
                                       "json_get(\"$.a\"): the text is not valid JSON"},
        {"json_get(j, '$.a.b[2]')", "NULL|NULL|NULL|NULL|!|NULL json_get(\"$.a.b[2]\"): the text is not valid JSON"},
        {"json_get(j, '$.a.b[*]')",
         "[1.50,\"x\",null]|[\"上\"]|NULL|NULL|!|[9223372036854775808] json_get(\"$.a.b[*]\"): the text is not valid JSON"},
        {"json_get(j, '$[*]', 'json')", "!|!|[1,2]|NULL|!|! json_get(\"$[*]\"): there is no array where the path needs one"},
        {"json_get('{\"l\":[{\"x\":1.0},{},{\"x\":\"é\"}]}', '$.l[*].x')",
         "[1.0,\"é\"]|[1.0,\"é\"]|[1.0,\"é\"]|[1.0,\"é\"]|[1.0,\"é\"]|[1.0,\"é\"]"},
        {"json_exists('{\"l\":[{\"x\":1},{}]}', '$.l[*].x') and not json_exists('{\"l\":[{}]}', '$.l[*].x')",
         "true|true|true|true|true|true"},
        {"json_get(j, '$.a.b', 'bigint')",
         "!|!|NULL|NULL|!|! json_get(\"$.a.b\"): an array is not a JSON value of the matching kind, for type bigint"},
        {"json_exists(j, '$.a.b[2]')", "true|false|false|NULL|!|false json_exists: the text is not valid JSON"},
        {"json_get('{\"t\":\"2024-01-31 10:00:00\"}', '$.t', 'timestamp')",
         "2024-01-31 10:00:00|2024-01-31 10:00:00|2024-01-31 10:00:00|2024-01-31 10:00:00|2024-01-31 10:00:00|2024-01-31 "
         "10:00:00"},
    };
    static const struct row null_rows[] = {
        {"json_get(j, '$.a.b[0]', 'bigint')", "NULL|NULL|NULL|NULL|NULL|NULL"},
        {"unhex(t)", "NULL|NULL||NULL|NULL|NULL"},
    };

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);
    CHECK(null_rows, WHEN_ERROR_NULL);
}

static void test_mistakes(void **state)
{
    static const struct row rows[] = {
        {"upper(n)", "6+1: argument 1 of upper must be a text, this is a bigint; cast it first"},
        {"substr(t, 1.5)", "10+3: argument 2 of substr must be a bigint, this is a decimal(2,1); cast it first"},
        {"substr(t)", "0+6: substr takes at least 2 arguments, here are 1: substr(text, start [, length])"},
        {"lengthb(n)", "8+1: argument 1 of lengthb must be a text or a binary, this is a bigint; cast it first"},
        {"sqrt(t)", "5+1: argument 1 of sqrt must be a number, this is a string; cast it first"},
        {"mod(n, t)", "7+1: argument 2 of mod must be a number, this is a string; cast it first"},
        {"md5(n)", "4+1: argument 1 of md5 must be a text or a binary, this is a bigint; cast it first"},
        {"hash('sha1', t)", "5+6: \"sha1\" is not known; it must be md5, sha256, sha512 or sm3; did you mean \"sha512\"?"},
        {"hash(t, t)", "5+1: the algorithm of hash must be a constant"},
        {"hash('md5', t, nothing)", "15+7: the salt of hash must be a constant"},
        {"translate(t, t, 'a')", "13+1: the characters to replace of translate must be a constant"},
        {"regexp_like(t, '上(')", "19+1: character 2 of the pattern: missing closing parenthesis"},
        {"regexp_like(t, t)", "15+1: the pattern of regexp_like must be a constant"},
        {"regexp_extract(t, '(a)', 2)", "25+1: there is no group 2; the pattern has 1 in parentheses (0 is all of a match)"},
        {"regexp_replace(t, '(a)', '$2')", "26+1: the replacement: character 1: there is no group 2; the pattern has 1"},
        {"json_get(j, 'a')", "13+1: path \"a\" breaks at character 1: a path starts with $, the document, or with @, the element "
                             "of an expanded array"},
        {"json_get(j, '$.a[*]', 'bigint')", "12+8: [*] gives a JSON array of what it reaches; its type is string or json"},
        {"json_get(j, '@.a')", "12+5: the path begins with $, the document; @ is for the json stage's expand"},
        {"json_get(j, '$.a', 'bigitn')",
         "19+8: \"bigitn\" is not a type; did you mean \"bigint\"?; the types are boolean, bigint, double, decimal(p,s), string, "
         "binary, date, datetime, timestamp, timestamp_ntz, json"},
        {"json_get(j, '$.a', t)", "19+1: the type of json_get must be a constant"},
        {"year(x)",
         "5+1: argument 1 of year must be a date or a time, this is a string; to_timestamp or to_date makes one of it"},
        {"year(n)",
         "5+1: argument 1 of year must be a date or a time, this is a bigint; to_timestamp or to_date makes one of it"},
        {"hour(day)", "5+3: a date has no hours; cast it to timestamp or timestamp_ntz first"},
        {"year(day, 'UTC')", "10+5: a date is local already, year of it takes no time zone"},
        {"hour(w, 'Asia/Shangai')", "8+14: time zone \"Asia/Shangai\" is not known; write a name such as Asia/Shanghai (capitals "
                                    "count), or an offset such as +08:00"},
        {"hour(w, t)", "8+1: the time zone of hour must be a constant"},
        {"date_format(w, 'YYYY-MM-dd')",
         "15+12: pattern \"YYYY-MM-dd\", character 1: \"YYYY\" means nothing here; the year is yyyy (Y is the year of the week)"},
        {"date_format(day, 'yyyy XXX')",
         "17+10: the pattern prints an offset from UTC, and a date has none; cast it to timestamp first"},
        {"to_timestamp(x, 'HH:mm')", "16+7: pattern \"HH:mm\" reads no whole date: it needs a year (yyyy)"},
        {"to_timestamp(w, 'yyyy')", "16+6: to_timestamp of a timestamp takes nothing more"},
        {"to_timestamp(r)", "13+1: argument 1 of to_timestamp must be a text, a date or time, or a bigint with epoch "
                            "milliseconds, this is a double; cast it first"},
        {"to_date(n)", "8+1: argument 1 of to_date must be a text or a time, this is a bigint; cast it first"},
        {"date_add(day, 1, 'days')", "17+6: \"days\" is no unit; it must be year, quarter, month, week, day, hour, minute, "
                                     "second or millisecond; did you mean \"day\"?"},
        {"date_add(day, 1, 'hour')", "9+3: a date has no hours; cast it to timestamp or timestamp_ntz first"},
        {"date_add(day, t)", "14+1: argument 2 of date_add must be a bigint, this is a string; cast it first"},
        {"date_trunc(day, 'weekday')",
         "16+9: \"weekday\" is no unit; it must be year, quarter, month, week, day, hour, minute, second or millisecond"},
        {"date_diff(day, day, 'day', 'UTC')", "27+5: both are local already, date_diff of them takes no time zone"},
        {"try_cast(t bigint)", "11+6: \"as\" is wanted here, not \"bigint\""},
        {"try_cast(day as bigint)", "0+8: date does not convert to bigint: epoch_ms and unix_timestamp give its milliseconds and "
                                   "seconds since 1970, in a stage before it"},
        {"1 + upper('a')",
         "2+1: + needs two numbers, these are a bigint and a string; || joins texts, cast(… as bigint) makes a number of one"},
        {"repeat('a', 9000000)", "0+20: this fails for every row: repeat: the result would be larger than 8 MiB"},
    };
    static const struct row no_zone[] = {
        {"cast(w as string)", "0+4: a timestamp becomes string in a time zone, and the job names none; set time_zone"},
        {"x || w", "5+1: a timestamp becomes string in a time zone, and the job names none; set time_zone"},
        {"concat(x, w)", "10+1: a timestamp becomes string in a time zone, and the job names none; set time_zone"},
        {"cast(day as datetime)", "0+4: a date becomes datetime in a time zone, and the job names none; set time_zone"},
        {"year(w)", "0+4: year needs a time zone, and the job names none; set time_zone, or name one as argument 2, such as "
                    "'Asia/Shanghai'"},
        {"year(w, 'UTC')", "2024|2024|2024|2024|NULL|2024"},
        {"year(day)", "2024|2024|1|NULL|9999|1970"},
        {"date_format(w, 'yyyy')", "0+11: date_format needs a time zone, and the job names none; set time_zone, or name one as "
                                   "argument 3, such as 'Asia/Shanghai'"},
        {"to_timestamp(x, 'dd.MM.yyyy HH:mm')", "0+12: to_timestamp needs a time zone, and the job names none; set time_zone, or "
                                                "name one as argument 3, such as 'Asia/Shanghai'"},
        {"to_timestamp('2024-01-31 00:00 +01:00', 'yyyy-MM-dd HH:mm XXX') = w", "false|false|false|false|NULL|false"},
        {"to_timestamp(x)", "!|!|!|NULL|!|! to_timestamp: \"31.01.2024 23:30\" is not a date-time (YYYY-MM-DD HH:MM:SS)"},
        {"to_timestamp(day)", "0+12: to_timestamp needs a time zone, and the job names none; set time_zone, or name one as "
                              "argument 2, such as 'Asia/Shanghai'"},
        {"to_date(w)", "0+7: to_date needs a time zone, and the job names none; set time_zone, or name one as argument 2, such "
                       "as 'Asia/Shanghai'"},
        {"date_convert(x, 'dd.MM.yyyy HH:mm', 'yyyy')", "2024|!|!|NULL|2024|0001 date_convert: \"30.02.2024 00:00\" does not fit "
                                                        "the pattern \"dd.MM.yyyy HH:mm\", or is no such day or time"},
        {"date_convert(x, 'dd.MM.yyyy HH:mm', 'yyyy', 'UTC')",
         "0+12: date_convert needs a time zone to print in, and the job names none; set time_zone, or name one as argument 5, "
         "such as 'Asia/Shanghai'"},
        {"date_convert(x, 'dd.MM.yyyy HH:mm', 'yyyy XXX')",
         "0+12: date_convert needs a time zone to print in, and the job names none; set time_zone, or name one as argument 5, "
         "such as 'Asia/Shanghai'"},
        {"date_add(w, 1)", "0+8: date_add needs a time zone, and the job names none; set time_zone, or name one as argument 4, "
                           "such as 'Asia/Shanghai'"},
        {"date_add(w, 1, 'hour') = w", "false|false|false|false|NULL|false"},
        {"date_trunc(w, 'day')", "0+10: date_trunc needs a time zone, and the job names none; set time_zone, or name one as "
                                 "argument 3, such as 'Asia/Shanghai'"},
        {"date_diff(w, day)", "0+9: date_diff needs a time zone, and the job names none; set time_zone, or name one as argument "
                              "4, such as 'Asia/Shanghai'"},
        {"date_diff(day, local)", "-60|19782|0|NULL|0|1"},
        {"unix_timestamp(w)", "1711845000|1711848600|1729989000|1729992600|NULL|1709164800"},
        {"unix_timestamp(day)", "0+14: unix_timestamp needs a time zone, and the job names none; set time_zone, or name one as "
                                "argument 2, such as 'Asia/Shanghai'"},
    };

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);
    job_zone = NULL;
    CHECK(no_zone, WHEN_ERROR_DIRTY);
    job_zone = shanghai;
}

/* Every function with arguments of every type, constants and columns: it is refused, with a place, or runs, and no row is lost.
 * NULL for an argument gives NULL, where the function does not say otherwise. */
static void test_all_types(void **state)
{
    static const char *const values[] = {"t",
                                         "n",
                                         "d",
                                         "r",
                                         "w",
                                         "day",
                                         "local",
                                         "j",
                                         "x",
                                         "nothing",
                                         "null",
                                         "'a'",
                                         "1",
                                         "-9223372036854775808",
                                         "'day'",
                                         "'UTC'",
                                         "'yyyy-MM-dd'",
                                         "'$.a'",
                                         "'md5'",
                                         "n = 1",
                                         "cast(j as json)",
                                         "cast(t as binary)",
                                         "${now}"};
    struct batch *batch = batch_new(64 << 20);
    struct buffer text, result;
    uint64_t random = 1;
    unsigned ran = 0;

    (void)state;
    buffer_init(&text, 0);
    buffer_init(&result, 0);
    for (size_t i = 0; expression_function_tables[i]; i++) {
        for (const struct expression_function *function = expression_function_tables[i]; function->name; function++) {
            unsigned of_it = 0;

            if (strcmp(function->name, "try_cast") == 0)
                continue;
            for (unsigned pass = 0; pass < 400; pass++) {
                unsigned span = (unsigned)size_min(function->arguments_max, 5) - function->arguments_min + 1;
                unsigned count = function->arguments_min + pass % span;
                bool null = false, failed;

                buffer_clear(&text);
                buffer_print(&text, "%s(", function->name);
                for (unsigned k = 0; k < count; k++) {
                    const char *value;

                    random = random * 6364136223846793005u + 1442695040888963407u;
                    value = values[(random >> 33) % COUNT_OF(values)];
                    null |= strcmp(value, "nothing") == 0 || strcmp(value, "null") == 0;
                    buffer_print(&text, "%s%s", k ? ", " : "", value);
                }
                buffer_append_char(&text, ')');
                fill(batch);
                batch->when_error = pass % 2 ? WHEN_ERROR_NULL : WHEN_ERROR_DIRTY;
                evaluate(batch, buffer_text(&text), &result);
                failed = buffer_text(&result)[0] >= '0' && buffer_text(&result)[0] <= '9' && strstr(buffer_text(&result), ": ");
                of_it += !failed;
                for (const char *p = buffer_text(&result); null && !failed && !function->takes_null && *p; p += strcspn(p, "|")) {
                    p += *p == '|';
                    if (strncmp(p, "NULL", 4) != 0 && *p != '!')
                        fail_msg("%s gives %s", buffer_text(&text), buffer_text(&result));
                }
            }

            ran += of_it > 0;
        }
    }
    assert_true(ran > 60);
    buffer_release(&text);
    buffer_release(&result);
    batch_free(batch);
}

/* Whatever does not fit into the batch's memory is an error of the batch, and never one of a row. */
static void test_memory(void **state)
{
    static const char *const expressions[] = {"concat(t, n)",
                                              "concat_ws('-', t, t)",
                                              "initcap(t) || translate(t, 'a', '上')",
                                              "regexp_replace(t, '', '-')",
                                              "repeat(t, 500)",
                                              "date_format(w, 'EEEE yyyy-MM-dd HH:mm:ss.SSS XXX')",
                                              "date_convert(x, 'dd.MM.yyyy HH:mm', 'yyyyMMdd')",
                                              "to_timestamp(x, 'dd.MM.yyyy HH:mm')",
                                              "date_trunc(date_add(w, 1, 'month'), 'week')",
                                              "date_diff(w, date_sub(day, 1))",
                                              "hash('sha512', t, 'salt')",
                                              "base64(t) || hex(t)",
                                              "unhex(t)",
                                              "json_get(j, '$.a')",
                                              "json_get(j, '$.a.b[0]', 'bigint')",
                                              "mod(n, 7) + sign(r)",
                                              "try_cast(t as decimal(10,2))"};
    unsigned refused = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expressions); i++) {
        for (int rule = WHEN_ERROR_DIRTY; rule <= WHEN_ERROR_NULL; rule++) {
            struct expression_environment environment = {.zone = berlin, .job = STR("orders"), .topic = STR("t")};
            struct expression *expression;
            struct expression_mistakes mistakes;
            struct column *column;
            struct error error = {0};
            bool ok = false;

            assert_true(expression_parse(&expression, str_of(expressions[i]), &environment, &mistakes));
            for (size_t bytes = 65536; !ok; bytes += 16384) {
                struct batch *batch = batch_new(bytes);

                if (fill_rows(batch, BATCH_ROWS_MAX)) {
                    batch->when_error = (enum when_error)rule;
                    ok = expression_run(expression, batch, 0, &column, &mistakes, &error);
                    if (!ok)
                        assert_int_equal(error.kind, ERROR_DATA);
                    refused += !ok;
                }
                batch_free(batch);
            }
            expression_free(expression);
        }
    }
    assert_true(refused > 50);
}

/* The end of the argument that begins at `text`. */
static const char *argument_end(const char *text)
{
    bool quoted = false;
    int depth = 0;

    for (; *text && (quoted || depth || (*text != ',' && *text != ')')); text++) {
        quoted ^= *text == '\'';
        depth += !quoted && *text == '(';
        depth -= !quoted && *text == ')';
    }
    return text;
}

/* Of every example, each argument by turns is a function that does not exist: that is told, and nothing else. */
static void test_one_mistake(void **state)
{
    struct batch *batch = batch_new(64 << 20);
    struct buffer text, result;
    unsigned wrong = 0, tried = 0;

    (void)state;
    buffer_init(&text, 0);
    buffer_init(&result, 0);
    fill(batch);
    for (size_t i = 0; expression_function_tables[i]; i++) {
        for (const struct expression_function *row = expression_function_tables[i]; row->name; row++) {
            const char *from = strchr(row->example, '('), *to;

            if (strstr(row->example, " as ")) /* no list of arguments */
                continue;
            for (; from && (*from == '(' || *from == ','); from = to) {
                to = argument_end(from + 1);
                if (to == from + 1)
                    break;
                buffer_clear(&text);
                buffer_print(&text, "%.*s xyzzy(1)%s", (int)(from + 1 - row->example), row->example, to);
                evaluate(batch, buffer_text(&text), &result);
                tried++;
                if (strstr(buffer_text(&result), " & ") || !strstr(buffer_text(&result), "there is no function \"xyzzy\"")) {
                    print_error("%s\n  gives %s\n", buffer_text(&text), buffer_text(&result));
                    wrong++;
                }
            }
        }
    }
    assert_int_equal(wrong, 0);
    assert_true(tried > 100);
    buffer_release(&text);
    buffer_release(&result);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),       cmocka_unit_test(test_numbers),  cmocka_unit_test(test_times),
        cmocka_unit_test(test_bytes),       cmocka_unit_test(test_mistakes), cmocka_unit_test(test_all_types),
        cmocka_unit_test(test_one_mistake), cmocka_unit_test(test_memory),
    };
    struct error error;
    int failed;

    if (!zone_open(&shanghai, STR("+08:00"), &error) || !zone_open(&berlin, STR("Europe/Berlin"), &error))
        return 1;
    job_zone = shanghai;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    zone_free(shanghai);
    zone_free(berlin);
    return failed;
}
