/* expression.h: the expression language of the kinds filter and assign: parsed once per job, bound to the types of a batch's
 * fields, run over whole columns with the kernels of batch/kernels.
 *
 *     amount > 100 and city in ('x', 'y') and not (name like 'a%')
 *     case when amount is null then 'none' else upper(name) || '-' || cast(amount as string) end
 *
 * Values and NULL are SQL's, types and their arithmetic are arithmetic.h's. What SQL would not have evaluated for a row does not
 * make that row fail: the right side of `and` and `or`, the branches of `case` and `if` and the arguments of `coalesce` run on
 * the rows that need them, from left to right. The arguments of `in`, `between` and functions are always evaluated.
 * Ownership: an expression owns what it was parsed from and what it is bound to; columns live in the batch's arena. The
 * environment's zone is borrowed, its texts are copied. Threads: one owner at a time (regexes and zone caches inside).
 * Units: places are bytes of the text. Bounds: EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX.
 * Errors: of the text and its types, a list of mistakes, all that do not follow from one another; DATA when the arena is full; a
 * row's go to batch_fail, or make NULL of the failed part where batch->when_error says so. */
#ifndef LUADUCT_EXPRESSION_EXPRESSION_H
#define LUADUCT_EXPRESSION_EXPRESSION_H

#include "batch/batch.h"
#include "batch/time.h"

enum {
    EXPRESSION_BYTES_MAX = 16 << 10,
    EXPRESSION_DEPTH_MAX = 100,
    EXPRESSION_MISTAKES_MAX = 16, /* more are not told */
    EXPRESSION_MISTAKE_BYTES = 600,
};

/* What ${...} stands for. */
struct expression_environment {
    const struct zone *zone; /* of local date-times; may be NULL */
    struct str job, topic;
    int64_t execute_time_ms; /* when this run of the job began */
};

/* Where a mistake is: a byte offset into the expression, and how many bytes. */
struct expression_place {
    size_t at, width;
};

struct expression_mistake {
    struct expression_place place;
    char text[EXPRESSION_MISTAKE_BYTES];
};

/* In the order of their places. */
struct expression_mistakes {
    size_t count;
    struct expression_mistake list[EXPRESSION_MISTAKES_MAX];
};

struct expression;

/* Syntax, functions and variables: names of fields are looked up when the batch is known. False: there are mistakes; then
 * *expression_out is NULL where the syntax does not hold, else an expression whose binding fails and tells what else is wrong. */
bool expression_parse(struct expression **expression_out, struct str text, const struct expression_environment *environment,
                      struct expression_mistakes *mistakes) MUST_USE;
void expression_free(struct expression *expression);
/* Checks the types, looks up fields, computes what is constant. A batch without rows will do. An error of kind CONFIG is the
 * first of the mistakes; there are none for what parsing has told. */
bool expression_bind(struct expression *expression, struct batch *batch, struct expression_mistakes *mistakes,
                     struct error *error) MUST_USE;
/* Of the result, once bound. TYPE_NULL: it is always NULL. */
struct type expression_type(const struct expression *expression);
/* A column of the batch for its selected rows; binds first when that has not been done or the type of a field has changed. now_ms
 * is ${now}, the same for all expressions of a batch. A row that failed is out of the selection afterwards. Errors as for
 * binding. */
bool expression_run(struct expression *expression, struct batch *batch, int64_t now_ms, struct column **column_out,
                    struct expression_mistakes *mistakes, struct error *error) MUST_USE;

/* Whether ${name} is a variable of expressions. */
bool expression_is_variable(struct str name);

#endif
