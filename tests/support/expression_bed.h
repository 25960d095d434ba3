/* expression_bed.h: a batch of six rows with a field of every type, and the printing of what an expression makes of it. */
#ifndef LUADUCT_TESTS_EXPRESSION_BED_H
#define LUADUCT_TESTS_EXPRESSION_BED_H

#include "batch/convert.h"
#include "expression/expression.h"
#include "util/buffer.h"

#include <math.h>

enum { EXPRESSION_ROWS = 6 };

static inline struct column *bed_add(struct batch *batch, const char *name, struct type type)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, true);

    if (!column || !batch_set(batch, str_of(name), column))
        abort();
    return column;
}

static inline void bed_fill(struct batch *batch)
{
    static const struct str cities[] = {{"Shanghai", 8}, {"上海", 6}, {"", 0}, {NULL, 0}, {"a%b", 3}, {"x\ny", 3}};
    static const struct str odd[] = {{"1", 1}, {"-7", 2}, {"abc", 3}, {NULL, 0}, {" 1", 2}, {"9223372036854775808", 19}};
    static const int64_t ids[] = {1, 2, 3, 0, INT64_MAX, INT64_MIN}, zeros[] = {0, 1, 2, 0, -1, 0};
    static const int64_t cents[] = {5000, 15000, 0, -1, 9999999999, 10000};
    static const int32_t days[] = {19753, 0, 0, -719162, 2932896, 19753};
    struct column *column;

    batch_clear(batch);
    for (int i = 0; i < EXPRESSION_ROWS; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = 10 + i, .timestamp_ms = 1700000000000}, NULL);
    if (!batch_begin(batch, (1u << BUILTIN_COUNT) - 1))
        abort();
    batch->stage = "s";
    for (uint32_t i = 0; i < EXPRESSION_ROWS; i++) {
        column = i ? batch_field(batch, STR("id"))->column : bed_add(batch, "id", TYPE_OF(TYPE_BIGINT));
        column->bigint[i] = ids[i];
        column->null[i] = i == 3;
        column = i ? batch_field(batch, STR("zero"))->column : bed_add(batch, "zero", TYPE_OF(TYPE_BIGINT));
        column->bigint[i] = zeros[i];
        column->null[i] = i == 5;
        column = i ? batch_field(batch, STR("amount"))->column : bed_add(batch, "amount", type_decimal(10, 2));
        column->decimal[i] = cents[i];
        column->null[i] = i == 2;
        column = i ? batch_field(batch, STR("flag"))->column : bed_add(batch, "flag", TYPE_OF(TYPE_BOOLEAN));
        column->boolean[i] = i != 1 && i != 5;
        column->null[i] = i == 2;
        column = i ? batch_field(batch, STR("city"))->column : bed_add(batch, "city", TYPE_OF(TYPE_STRING));
        column->text[i] = cities[i];
        column->null[i] = !cities[i].data;
        column = i ? batch_field(batch, STR("odd name"))->column : bed_add(batch, "odd name", TYPE_OF(TYPE_STRING));
        column->text[i] = odd[i];
        column->null[i] = !odd[i].data;
        column = i ? batch_field(batch, STR("ratio"))->column : bed_add(batch, "ratio", TYPE_OF(TYPE_DOUBLE));
        column->real[i] = (double[]){0.5, -1.5, 0, 1e300, -0.0, 9007199254740993.0}[i];
        column->null[i] = i == 2;
        column = i ? batch_field(batch, STR("day"))->column : bed_add(batch, "day", TYPE_OF(TYPE_DATE));
        column->date[i] = days[i];
        column->null[i] = i == 2;
        column = i ? batch_field(batch, STR("at"))->column : bed_add(batch, "at", TYPE_OF(TYPE_TIMESTAMP));
        column->instant[i] = (struct instant){1706630400 + i * 3600, (int32_t)i};
        column->null[i] = i == 2;
        column = i ? batch_field(batch, STR("local"))->column : bed_add(batch, "local", TYPE_OF(TYPE_TIMESTAMP_NTZ));
        column->instant[i] = (struct instant){1706630400 + i * 3600, 0};
        column = i ? batch_field(batch, STR("doc"))->column : bed_add(batch, "doc", TYPE_OF(TYPE_JSON));
        column->text[i] = STR("{\"a\":1}");
        column = i ? batch_field(batch, STR("raw"))->column : bed_add(batch, "raw", TYPE_OF(TYPE_BINARY));
        column->text[i] = i == 1 ? STR("\xFF") : STR("raw");
        column = i ? batch_field(batch, STR("broken"))->column : bed_add(batch, "broken", TYPE_OF(TYPE_STRING));
        column->text[i] = i == 1 ? STR("\xC3(") : STR("ok");
    }
    bed_add(batch, "nothing", TYPE_OF(TYPE_NULL));
    bed_add(batch, "价格", TYPE_OF(TYPE_BIGINT));
    for (uint32_t i = 0; i < EXPRESSION_ROWS; i++)
        batch_field(batch, STR("价格"))->column->bigint[i] = i;
}

/* The value as it would be cast to a string, at +08:00. */
static inline void bed_print_value(struct buffer *text, struct batch *batch, struct column *column, const struct zone *zone,
                                   uint32_t row)
{
    struct convert convert = {.zone = zone};
    uint32_t *selection = batch->selection, selected = batch->selected, one = row;
    struct column *shown;

    if (column_is_null(column, row)) {
        buffer_print(text, "NULL");
        return;
    }
    if (column->type.kind == TYPE_BINARY) {
        buffer_append_str(text, column->text[row]);
        return;
    }
    batch->selection = &one;
    batch->selected = 1;
    shown = convert_column(&convert, batch, column, TYPE_OF(TYPE_STRING), STR_NONE, false);
    if (!shown)
        abort();
    buffer_append_str(text, shown->text[row]);
    batch->selection = selection;
    batch->selected = selected;
}

/* "AT+WIDTH: text", of several with " & " between them. */
static inline void bed_print_mistakes(struct buffer *text, const struct expression_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++)
        buffer_print(text, "%s%zu+%zu: %s", text->size ? " & " : "", mistakes->list[i].place.at, mistakes->list[i].place.width,
                     mistakes->list[i].text);
}

/* Parses and runs; false: the buffer, which was empty, has what is wrong, of both steps. */
static inline bool bed_run(struct expression **expression, const char *text, const struct expression_environment *environment,
                           struct batch *batch, struct column **column, struct buffer *wrong)
{
    struct expression_mistakes mistakes;
    struct error error = {0};
    bool parsed = expression_parse(expression, str_of(text), environment, &mistakes);

    bed_print_mistakes(wrong, &mistakes);
    if (!*expression)
        return false;
    if (expression_run(*expression, batch, 1706630400456, column, &mistakes, &error)) {
        if (!parsed)
            abort();
        return true;
    }
    bed_print_mistakes(wrong, &mistakes);
    if (!wrong->size)
        buffer_append_str(wrong, str_of(error.text));
    return false;
}

#endif
