/* cell_text.h: a value of a column as text that differs when the value does, for holding two ways to make it against each other.
 */
#ifndef LUADUCT_TESTS_CELL_TEXT_H
#define LUADUCT_TESTS_CELL_TEXT_H

#include "batch/column.h"
#include "batch/decimal.h"
#include "util/buffer.h"

static inline void cell_print(struct buffer *text, const struct column *column, uint32_t row)
{
    char digits[DECIMAL_TEXT_MAX];

    if (column_is_null(column, row)) {
        buffer_append_str(text, STR("NULL"));
        return;
    }
    switch (column->type.kind) {
    case TYPE_BOOLEAN:
        buffer_print(text, "%u", column->boolean[row]);
        break;
    case TYPE_BIGINT:
        buffer_print(text, "%lld", (long long)column->bigint[row]);
        break;
    case TYPE_DOUBLE:
        buffer_print(text, "%a", column->real[row]);
        break;
    case TYPE_DECIMAL:
        buffer_append(text, digits, decimal_print(column->decimal[row], column->type.scale, digits));
        break;
    case TYPE_DATE:
        buffer_print(text, "day %d", column->date[row]);
        break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        buffer_print(text, "%lld+%d", (long long)column->instant[row].seconds, column->instant[row].nanos);
        break;
    default:
        buffer_print(text, "%zu:", column->text[row].size);
        buffer_append_str(text, column->text[row]);
        break;
    }
}

#endif
