/* record_value.c: all kinds of pipeline values have a kind of the target that prints alike, so that one printer serves both. */
#include "maxcompute/record.h"

struct mc_type record_type_of(struct type type)
{
    static const enum mc_kind kinds[TYPE_KINDS] = {
        [TYPE_NULL] = MC_STRING,
        [TYPE_BOOLEAN] = MC_BOOLEAN,
        [TYPE_BIGINT] = MC_BIGINT,
        [TYPE_DOUBLE] = MC_DOUBLE,
        [TYPE_DECIMAL] = MC_DECIMAL,
        [TYPE_STRING] = MC_STRING,
        [TYPE_BINARY] = MC_BINARY,
        [TYPE_DATE] = MC_DATE,
        [TYPE_DATETIME] = MC_TIMESTAMP,
        [TYPE_TIMESTAMP] = MC_TIMESTAMP,
        [TYPE_TIMESTAMP_NTZ] = MC_TIMESTAMP_NTZ,
        [TYPE_JSON] = MC_JSON,
    };

    return (struct mc_type){.kind = kinds[type.kind], .precision = type.precision, .scale = type.scale};
}

void record_value_of_column(const struct column *column, uint32_t row, char digits[DECIMAL_TEXT_MAX],
                            struct record_value *value_out)
{
    *value_out = (struct record_value){.null = column_is_null(column, row)};
    if (value_out->null)
        return;
    switch (column->type.kind) {
    case TYPE_BOOLEAN:
        value_out->integer = column->boolean[row];
        break;
    case TYPE_BIGINT:
        value_out->integer = column->bigint[row];
        break;
    case TYPE_DOUBLE:
        value_out->real = column->real[row];
        break;
    case TYPE_DECIMAL:
        value_out->bytes = str_make(digits, decimal_print(column->decimal[row], column->type.scale, digits));
        break;
    case TYPE_DATE:
        value_out->integer = column->date[row];
        break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        value_out->integer = column->instant[row].seconds;
        value_out->nanos = column->instant[row].nanos;
        break;
    default:
        value_out->bytes = column->text[row];
    }
}

struct instant record_instant(enum mc_kind kind, const struct record_value *value)
{
    int64_t rest = (value->integer % 1000 + 1000) % 1000;

    if (kind != MC_DATETIME)
        return (struct instant){value->integer, value->nanos};
    return (struct instant){(value->integer - rest) / 1000, (int32_t)rest * 1000000};
}
