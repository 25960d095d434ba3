/* type.h: the types of values inside the pipeline (the target's types are maxcompute/schema.h).
 * Names as people write them: boolean, bigint, double, decimal(p,s), string, binary, date, datetime, timestamp, timestamp_ntz,
 * json. Sizes are bytes.
 * Ownership: plain values, nothing to release. Threads: any, no state.
 * Errors: CONFIG, with the nearest type. */
#ifndef LUADUCT_BATCH_TYPE_H
#define LUADUCT_BATCH_TYPE_H

#include "util/error.h"
#include "util/str.h"

enum type_kind {
    TYPE_NULL,          /* nothing known: a column of NULLs only */
    TYPE_BOOLEAN,       /* uint8_t 0 or 1 */
    TYPE_BIGINT,        /* int64_t */
    TYPE_DOUBLE,        /* double */
    TYPE_DECIMAL,       /* int128, unscaled, at the type's scale */
    TYPE_STRING,        /* struct str, UTF-8 by convention; checked where it is written to a text column of the target */
    TYPE_BINARY,        /* struct str */
    TYPE_DATE,          /* int32_t days since 1970-01-01 */
    TYPE_DATETIME,      /* struct instant, whole milliseconds */
    TYPE_TIMESTAMP,     /* struct instant */
    TYPE_TIMESTAMP_NTZ, /* struct instant: the local date-time counted as if it were UTC */
    TYPE_JSON,          /* struct str: valid JSON text */
    TYPE_KINDS
};

struct type {
    enum type_kind kind;
    uint8_t precision; /* decimal: 1..38 */
    uint8_t scale;     /* decimal: 0..precision */
};

/* A point in time; nanos 0..999999999, so -0.5 s is (-1, 500000000). Years 1..9999. */
struct instant {
    int64_t seconds;
    int32_t nanos;
};

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

/* One value of any type but TYPE_NULL. */
union type_value {
    uint8_t boolean;
    int64_t bigint;
    double real;
    int128 decimal;
    struct str text;
    int32_t date;
    struct instant instant;
};

#define TYPE_OF(kind_) ((struct type){.kind = (kind_)})
static inline struct type type_decimal(uint8_t precision, uint8_t scale)
{
    return (struct type){TYPE_DECIMAL, precision, scale};
}

static inline bool type_equal(struct type a, struct type b)
{
    return a.kind == b.kind && (a.kind != TYPE_DECIMAL || (a.precision == b.precision && a.scale == b.scale));
}

/* Text held as struct str. */
static inline bool type_is_text(enum type_kind kind)
{
    return kind == TYPE_STRING || kind == TYPE_JSON;
}

static inline bool type_is_instant(enum type_kind kind)
{
    return kind == TYPE_DATETIME || kind == TYPE_TIMESTAMP || kind == TYPE_TIMESTAMP_NTZ;
}

/* Bytes of one element. */
size_t type_size(enum type_kind kind);
/* Writes the name into text ("decimal(10,2)") and returns it. */
enum { TYPE_NAME_MAX = 32 };
const char *type_print(struct type type, char text[TYPE_NAME_MAX]);
/* Any case; "decimal" alone is decimal(38,18). The error names the nearest type, and for tinyint, int, float … says which to
 * use. */
bool type_parse(struct str text, struct type *type_out, struct error *error) MUST_USE;

#endif
