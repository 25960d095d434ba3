/* value.h: values for people and for programs: those of a target's records, and those of the pipeline's columns.
 *
 *     kind                                   as text                      as JSON
 *     integers, BOOLEAN                      -5, true                     a number, true
 *     FLOAT, DOUBLE                          shortest that reads back     a number; "NaN", "Infinity", "-Infinity"
 *     DECIMAL                                all its digits               a string
 *     STRING, VARCHAR, CHAR, JSON            as it is                     a string; {"base64": ...} when it is no UTF-8
 *     BINARY                                 0x and hexadecimal digits    {"base64": ...}
 *     DATE                                   2024-01-31                   a string
 *     DATETIME, TIMESTAMP                    in the zone, or UTC with Z   a string, in UTC with a Z
 *     TIMESTAMP_NTZ                          as it is                     a string without a Z
 *     ARRAY, MAP, STRUCT                     as the JSON                  an array; an object (keys as text)
 *     NULL                                   not printed: ask first       null
 *
 * Ownership: a value borrows its texts. Threads: any, no state but the printer's zone cache. */
#ifndef LUADUCT_TRYOUT_VALUE_H
#define LUADUCT_TRYOUT_VALUE_H

#include "batch/batch.h"
#include "batch/decimal.h"
#include "batch/time.h"
#include "maxcompute/record.h"

struct value_printer {
    struct zone *zone; /* of instants as text; NULL: UTC */
    struct zone_cache cache;
};

/* In the zone of that name; NULL, or one that is not known: UTC. */
void value_printer_init(struct value_printer *printer, const char *zone);
void value_printer_release(struct value_printer *printer);

/* The value is not NULL. */
void value_print(struct value_printer *printer, const struct mc_type *type, const struct record_value *value,
                 struct buffer *text);
void value_print_json(const struct mc_type *type, const struct record_value *value, struct buffer *text);
/* Whether it is text, so that "NULL" and "" have to be told from NULL. */
static inline bool value_is_text(enum mc_kind kind)
{
    return kind == MC_STRING || kind == MC_VARCHAR || kind == MC_CHAR || kind == MC_JSON;
}

/* A pipeline value in the same terms. The text of a decimal is kept in `digits`. */
struct value {
    struct mc_type type;
    struct record_value value;
    char digits[DECIMAL_TEXT_MAX];
};
/* row is one of the column's. */
void value_of_column(const struct column *column, uint32_t row, struct value *value_out);
/* A field that no column was made of: message is that of the row. headers is room for their text, which the value borrows. */
void value_of_builtin(const struct batch *batch, enum batch_builtin builtin, uint32_t message, struct buffer *headers,
                      struct value *value_out);

#endif
