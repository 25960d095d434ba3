/* operand.h: what the arithmetic and comparison kernels share: reading operands, and the new column's NULLs.
 * Ownership: operands are borrowed; new columns and constants live in the batch's arena. Threads: the batch's owner. */
#ifndef LUADUCT_BATCH_KERNELS_OPERAND_H
#define LUADUCT_BATCH_KERNELS_OPERAND_H

#include "batch/kernels/arithmetic.h"

/* value[row & operand_mask(operand)] is the row's value, for columns and constants alike, without a branch in the loop. */
static inline uint32_t operand_mask(struct operand operand)
{
    return operand.constant ? 0 : UINT32_MAX;
}

static inline enum type_kind operand_kind(struct operand operand)
{
    return operand.column->type.kind;
}

static inline bool operand_may_be_null(struct operand operand)
{
    return operand.column->null || operand_kind(operand) == TYPE_NULL;
}

static inline bool operand_is_number(struct operand operand)
{
    return operand_kind(operand) == TYPE_BIGINT || operand_kind(operand) == TYPE_DOUBLE || operand_kind(operand) == TYPE_DECIMAL;
}

static inline bool operand_out_of_memory(const struct batch *batch, struct error *error)
{
    return error_set(error, ERROR_DATA, "a batch of %u rows needs more memory than a batch may use; lower runtime.batch_rows",
                     batch->row_count);
}

/* The operand's null bytes, never absent: bytes[row & *mask_out] is 1 where the row is NULL. */
static inline const uint8_t *operand_nulls(struct operand operand, uint32_t *mask_out)
{
    static const uint8_t none = 0, all = 1;

    *mask_out = operand_mask(operand);
    if (operand_kind(operand) != TYPE_NULL && operand.column->null)
        return operand.column->null;
    *mask_out = 0;
    return operand_kind(operand) == TYPE_NULL ? &all : &none;
}

/* A new column with NULL where a selected row has one in a or b. NULL: the arena is full. */
static inline struct column *operand_result(struct batch *batch, struct type type, struct operand a, struct operand b)
{
    bool nullable = operand_may_be_null(a) || operand_may_be_null(b);
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, nullable);
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    uint32_t a_mask, b_mask;
    const uint8_t *a_null = operand_nulls(a, &a_mask), *b_null = operand_nulls(b, &b_mask);

    if (!column || !nullable)
        return column;
    for (uint8_t *null = column->null; selection < end; selection++)
        null[*selection] = a_null[*selection & a_mask] | b_null[*selection & b_mask];
    return column;
}

/* The row's value cannot be made: NULL where the stage says so, else the row fails. False: the arena is full. */
bool operand_fail(struct batch *batch, struct column *column, uint32_t row, struct str what, const char *why) MUST_USE;

/* A one-row constant as another type, exactly; parses text strictly. The error names the text and the type. */
bool operand_convert(struct batch *batch, struct operand *constant, struct type type, struct error *error) MUST_USE;

#endif
