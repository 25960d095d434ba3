/* select.c: one of two values a row: choose by a mask, coalesce by NULL.
 * Method: both operands get one type first, constants converted once; then one loop for each size of value moves it from the side
 * that the row's byte names, and a second one its NULL when there can be any. Cost: some 10 instructions a row and loop. */
#include "batch/kernels/operand.h"

/* Of two constants that are numbers, the type that holds both is taken. */
static bool constant_is_wider(const struct column *b, const struct column *a)
{
    if (b->type.kind == TYPE_DECIMAL)
        return a->type.kind == TYPE_BIGINT || (a->type.kind == TYPE_DECIMAL && a->type.scale < b->type.scale);
    return b->type.kind == TYPE_DOUBLE && a->type.kind == TYPE_BIGINT;
}

/* Brings both to one type: the column's where the other is a constant. */
static bool settle_types(struct batch *batch, const char *what, struct operand *a, struct operand *b, struct type *type_out,
                         struct error *error)
{
    bool a_null = operand_kind(*a) == TYPE_NULL, b_null = operand_kind(*b) == TYPE_NULL;
    bool as_b = a_null || (a->constant && !b_null && (!b->constant || constant_is_wider(b->column, a->column)));
    struct type type = as_b ? b->column->type : a->column->type;

    *type_out = type;
    if (a->constant && !a_null && !operand_convert(batch, a, type, error))
        return false;
    if (b->constant && !b_null && !operand_convert(batch, b, type, error))
        return false;
    if ((!a_null && !type_equal(a->column->type, type)) || (!b_null && !type_equal(b->column->type, type))) {
        char a_name[TYPE_NAME_MAX], b_name[TYPE_NAME_MAX];

        return error_set(error, ERROR_SCRIPT, "%s needs two values of one type, these are %s and %s; cast one of them first",
                         what, type_print(a->column->type, a_name), type_print(b->column->type, b_name));
    }
    return true;
}

/* The operand's values as bytes + (row & *mask_out) * size; a column of NULLs only has none, and gets zeros. */
static const char *operand_bytes(struct operand operand, uint32_t *mask_out)
{
    static const int128 zero = 0;

    *mask_out = operand_kind(operand) == TYPE_NULL ? 0 : operand_mask(operand);
    return operand_kind(operand) == TYPE_NULL ? (const char *)&zero : operand.column->data;
}

/* size is known wherever this is inlined, which makes the copy one or two moves. */
static inline __attribute__((always_inline)) void move_values(const struct batch *batch, const uint8_t *take_a, struct operand a,
                                                              struct operand b, char *out, size_t size)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    uint32_t masks[2];
    const char *bytes[2];

    bytes[0] = operand_bytes(b, &masks[0]);
    bytes[1] = operand_bytes(a, &masks[1]);
    for (; selection < end; selection++) {
        size_t row = *selection;
        bool side = take_a[row] != 0; /* an index and no branch, which would be guessed wrong often */

        memcpy(out + row * size, bytes[side] + (row & masks[side]) * size, size);
    }
}

static bool operand_is_utf8(struct operand operand)
{
    return operand_kind(operand) == TYPE_NULL || operand.column->utf8;
}

/* A new column: a's value where take_a is 1, b's where it is 0. */
static bool move_rows(struct batch *batch, const uint8_t *take_a, struct operand a, struct operand b, struct type type,
                      bool nullable, struct column **column_out, struct error *error)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, nullable);
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;

    if (!column)
        return operand_out_of_memory(batch, error);
    column->utf8 = operand_is_utf8(a) && operand_is_utf8(b);
    switch (type_size(type.kind)) {
    case 0: break;
    case 1: move_values(batch, take_a, a, b, column->data, 1); break;
    case 4: move_values(batch, take_a, a, b, column->data, 4); break;
    case 8: move_values(batch, take_a, a, b, column->data, 8); break;
    case 16: move_values(batch, take_a, a, b, column->data, 16); break;
    default: move_values(batch, take_a, a, b, column->data, type_size(type.kind)); break;
    }
    if (nullable) {
        uint32_t a_mask, b_mask;
        const uint8_t *a_null = operand_nulls(a, &a_mask), *b_null = operand_nulls(b, &b_mask);

        for (uint8_t *null = column->null; selection < end; selection++) {
            uint32_t row = *selection;

            null[row] = take_a[row] ? a_null[row & a_mask] : b_null[row & b_mask];
        }
    }
    batch_sweep(batch);
    *column_out = column;
    return true;
}

bool kernel_select(struct batch *batch, const struct column *mask, struct operand a, struct operand b, struct column **column_out,
                   struct error *error)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    const uint8_t *take_a = mask->boolean, *truth = mask->boolean, *null = mask->null;
    char name[TYPE_NAME_MAX];
    struct type type;

    if (mask->type.kind != TYPE_BOOLEAN && mask->type.kind != TYPE_NULL)
        return error_set(error, ERROR_SCRIPT,
                         "choose takes a boolean column for its mask, this one is %s; compare it with something",
                         type_print(mask->type, name));
    assert(mask->rows == batch->row_count);
    if (!settle_types(batch, "choose", &a, &b, &type, error))
        return false;
    if (mask->type.kind == TYPE_NULL || null) {
        uint8_t *known = arena_try_alloc(&batch->arena, batch->row_count);

        if (!known)
            return operand_out_of_memory(batch, error);
        if (mask->type.kind == TYPE_NULL)
            memset(known, 0, batch->row_count);
        else
            for (; selection < end; selection++)
                known[*selection] = truth[*selection] & (uint8_t)(null[*selection] - 1);
        take_a = known;
    }
    return move_rows(batch, take_a, a, b, type, operand_may_be_null(a) || operand_may_be_null(b), column_out, error);
}

bool kernel_coalesce(struct batch *batch, struct operand a, struct operand b, struct column **column_out, struct error *error)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    uint8_t *take_a = arena_try_alloc(&batch->arena, batch->row_count);
    const uint8_t *null;
    struct type type;
    uint32_t mask;

    if (!settle_types(batch, "coalesce", &a, &b, &type, error))
        return false;
    if (!take_a)
        return operand_out_of_memory(batch, error);
    null = operand_nulls(a, &mask);
    for (; selection < end; selection++)
        take_a[*selection] = null[*selection & mask] ^ 1;
    return move_rows(batch, take_a, a, b, type, operand_may_be_null(b), column_out, error);
}
