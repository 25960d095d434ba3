/* arithmetic.h: whole-column operations. Each takes columns of the batch (or constants: one-row columns), works on the selected
 * rows and makes a new column in the batch's arena.
 * NULL: an operand that is NULL gives NULL, except where said. Errors of a row (overflow, division by zero) go to batch_fail;
 * errors of the call (types that do not go together) fail with a sentence that names both types.
 * Types: bigint op bigint = bigint (`/` = double, `//` and `%` floor as in Lua); with a decimal = decimal (decimal.h's scales);
 * with a double = double; decimal with double = double. `..` takes any types and gives string. Arena full is an error as well.
 * Instants and dates: comparison, with text constants parsed strictly; no arithmetic yet.
 * Ownership: operands are borrowed; new columns live in the batch's arena. Threads: the batch's owner. */
#ifndef LUADUCT_BATCH_KERNELS_ARITHMETIC_H
#define LUADUCT_BATCH_KERNELS_ARITHMETIC_H

#include "batch/batch.h"

enum arithmetic {
    ARITHMETIC_ADD,
    ARITHMETIC_SUBTRACT,
    ARITHMETIC_MULTIPLY,
    ARITHMETIC_DIVIDE,
    ARITHMETIC_FLOOR_DIVIDE,
    ARITHMETIC_MODULO,
};
enum comparison { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
enum logic { LOGIC_AND, LOGIC_OR };

/* An operand: a column of the batch, or a constant that stands for every row (rows == 1 and constant set). */
struct operand {
    const struct column *column;
    bool constant;
};

/* `what` names the operation for reasons, such as "price * quantity". */
bool kernel_arithmetic(struct batch *batch, enum arithmetic operation, struct operand a, struct operand b, struct str what,
                       struct column **column_out, struct error *error) MUST_USE;
bool kernel_negate(struct batch *batch, struct operand a, struct column **column_out, struct error *error) MUST_USE;
bool kernel_concat(struct batch *batch, struct operand a, struct operand b, struct column **column_out,
                   struct error *error) MUST_USE;
/* Numbers compare as numbers (exactly, whatever their types), text and binary byte by byte, booleans false < true. NULL gives
 * NULL. */
bool kernel_compare(struct batch *batch, enum comparison comparison, struct operand a, struct operand b,
                    struct column **column_out, struct error *error) MUST_USE;
/* SQL's three values: false and NULL = false, true or NULL = true. */
bool kernel_logic(struct batch *batch, enum logic logic, struct operand a, struct operand b, struct column **column_out,
                  struct error *error) MUST_USE;
bool kernel_not(struct batch *batch, struct operand a, struct column **column_out, struct error *error) MUST_USE;
/* Never NULL. */
bool kernel_is_null(struct batch *batch, struct operand a, bool negated, struct column **column_out,
                    struct error *error) MUST_USE;
/* a where it is not NULL, else b; both of one type, or a constant of a type that converts. */
bool kernel_coalesce(struct batch *batch, struct operand a, struct operand b, struct column **column_out,
                     struct error *error) MUST_USE;
/* a where the mask is true, else b (also where the mask is NULL). mask: a boolean column; a and b as for coalesce. */
bool kernel_select(struct batch *batch, const struct column *mask, struct operand a, struct operand b, struct column **column_out,
                   struct error *error) MUST_USE;

#endif
