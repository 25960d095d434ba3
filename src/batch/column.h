/* column.h: one typed column of a batch.
 * Ownership: columns live in their batch's arena and die with it; strings point into the messages that the batch keeps alive, or
 * into the arena. Once a column is a field of a batch it is never changed in place by a kernel: a new one takes its place.
 * Threads: those of the batch, one owner at a time. */
#ifndef LUADUCT_BATCH_COLUMN_H
#define LUADUCT_BATCH_COLUMN_H

#include "batch/type.h"
#include "util/arena.h"

struct column {
    struct type type;
    uint32_t rows;
    uint8_t *null; /* a byte per row, 1 = NULL; the pointer is NULL when no row is */
    bool utf8;     /* its texts are known to be valid UTF-8: whoever made them has checked, and nobody needs to again */
    union {
        void *data;
        uint8_t *boolean;
        int64_t *bigint;
        double *real;
        int128 *decimal;
        struct str *text; /* string, binary, json */
        int32_t *date;
        struct instant *instant; /* datetime, timestamp, timestamp_ntz */
    };
};

static inline bool column_is_null(const struct column *column, uint32_t row)
{
    return column->type.kind == TYPE_NULL || (column->null && column->null[row]);
}

/* A column for `rows` rows with uninitialised values; null bytes cleared when with_null, else none. NULL when the arena is
 * full. */
struct column *column_try_new(struct arena *arena, struct type type, uint32_t rows, bool with_null) MUST_USE;
/* Makes sure there are null bytes (cleared if they were missing). False when the arena is full. */
bool column_try_nullable(struct arena *arena, struct column *column) MUST_USE;
/* A new column whose row i is row source[i] of the old one (after an expansion). */
struct column *column_try_gather(struct arena *arena, const struct column *column, const uint32_t *source,
                                 uint32_t rows) MUST_USE;
/* A copy whose values (not the texts) may be changed in place; nothing is known of its texts. */
struct column *column_try_copy(struct arena *arena, const struct column *column) MUST_USE;

#endif
