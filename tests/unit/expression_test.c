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
    return (struct expression_environment){.zone = zone, .job = STR("orders"), .topic = STR("t1"),
                                           .execute_time_ms = 1706630400123};
}

/* "a|b|!|d": one value a row, ! where the row failed; then the first reason. A mistake gives "AT+WIDTH: text". */
static void evaluate(const char *text, enum when_error when_error, struct buffer *result)
{
    struct expression_environment environment = environment_of();
    struct batch *batch = batch_new(16 << 20);
    struct expression *expression = NULL;
    struct expression_place place;
    struct column *column;
    struct error error = {0};
    uint32_t before[EXPRESSION_ROWS];

    buffer_clear(result);
    bed_fill(batch);
    batch->when_error = when_error;
    memcpy(before, batch->selection, sizeof(before));
    if (!expression_parse(&expression, str_of(text), &environment, &place, &error) ||
        !expression_run(expression, batch, 1706630400456, &column, &place, &error)) {
        buffer_print(result, "%zu+%zu: %s", place.at, place.width, error.text);
    } else {
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

static void test_values(void **state)
{
    static const struct row rows[] = {
        {"amount > 100 and flag", "false|false|NULL|false|true|false"},
        {"id", "1|2|3|NULL|9223372036854775807|-9223372036854775808"},
    };

    (void)state;
    CHECK(rows, WHEN_ERROR_DIRTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};
    struct error error;
    int failed;

    if (!zone_open(&zone, STR("+08:00"), &error))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    zone_free(zone);
    return failed;
}
