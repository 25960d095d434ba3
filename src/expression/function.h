/* function.h: functions of the expression language: a row of a table each (functions_*.c, listed in functions.c).
 *
 * A call is prepared when the expression is bound, its argument types and constants being known, and run once per batch. A call
 * of constants alone is run then as well, over one row.
 * NULL: without takes_null, an argument that is always NULL makes the call NULL and run is not called; run gives NULL where an
 * argument of the row is (function_result makes such a column).
 * Ownership: state belongs to the call and goes by release; arguments are borrowed; result columns live in the batch's arena.
 * Threads: those of the expression. Errors: prepare's are CONFIG, and blamed says which argument to point at; a row's go through
 * function_fail; false from run means that the arena is full. */
#ifndef LUADUCT_EXPRESSION_FUNCTION_H
#define LUADUCT_EXPRESSION_FUNCTION_H

#include "batch/kernels/operand.h"
#include "expression/expression.h"

enum { FUNCTION_ARGUMENTS_MAX = 32 };

struct function_argument {
    struct type type;              /* TYPE_NULL: always NULL */
    const struct column *constant; /* its one value, or NULL when it differs by row */
    struct type as;                /* out: prepare may ask for another type; then it is converted before run, strictly */
};

struct function_call {
    const char *name; /* the function's */
    const struct expression_environment *environment;
    struct function_argument *arguments;
    size_t count;
    struct type type;    /* out: of the result; TYPE_NULL until prepare sets it */
    void *state;         /* out: what prepare made of the constants */
    size_t blamed;       /* out, with an error: the argument, or count for the call */
    ptrdiff_t blamed_at; /* out: the byte of that constant text that is wrong; -1: all of it */
};

struct expression_function {
    const char *name;       /* lower case */
    const char *parameters; /* for people: "text, start [, length]" */
    unsigned arguments_min, arguments_max;
    bool takes_null;
    bool fails;   /* run may make rows fail; guards `and b/0` style: such a call runs only on the rows that need it */
    bool varies;  /* the same arguments may give another result: never computed ahead */
    bool compares; /* its second argument with the first one: a decimal that is written out stands there for the nearest double */
    bool is_form; /* part of the grammar (evaluates arguments as needed): prepare and run are NULL */
    /* What the arguments must be, a letter each, the last one for all that follow; prepare, which may then be NULL, comes after.
     * t: string or json; b: those or binary; i: bigint; n: a number; r: a number, made a double; d: a date or a point in time;
     * s: anything, made a string; *: prepare looks. NULL: prepare looks at all of them. */
    const char *takes;
    enum type_kind gives; /* the call's type, with takes; prepare may set another one */
    bool (*prepare)(struct function_call *call, struct error *error);
    /* arguments[i] has the type arguments[i].as of the call. */
    bool (*run)(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                struct column **column_out, struct error *error);
    void (*release)(void *state);
    const char *sentence; /* for `luaduct help functions` */
    const char *example;  /* an expression of constants alone, run as a test */
    const char *result;   /* what it gives, printed as a text */
};

/* In order of the tables; ends with NULL. */
extern const struct expression_function *const expression_function_tables[];
extern const char *const expression_function_topics[]; /* a heading for each table */

/* Any case; NULL when there is none. */
const struct expression_function *function_find(struct str name);
enum { FUNCTION_TEXT_MAX = 400 };
/* Says that there is none of that name, and what may have been meant. True: it is another language's. */
bool function_unknown(struct str name, char text[FUNCTION_TEXT_MAX]);
/* Whether so many arguments are right; text says if not. */
bool function_takes_count(const struct expression_function *function, size_t count, char text[FUNCTION_TEXT_MAX]);
/* The page of all functions: Markdown, or for a terminal. */
struct buffer;
void functions_print(struct buffer *text, bool markdown);

/* The row's `takes`. The errors are function_want's. */
bool function_take(struct function_call *call, const struct expression_function *function, struct error *error) MUST_USE;

/* For prepare. The error names the argument's number, what it is and what is wanted. */
bool function_want(struct function_call *call, size_t argument, enum type_kind kind, struct error *error) MUST_USE;
/* bigint, double or decimal. */
bool function_want_number(struct function_call *call, size_t argument, struct error *error) MUST_USE;
/* Must be a constant (and not NULL); `what` is how the message calls it: "the pattern". */
bool function_want_constant(struct function_call *call, size_t argument, const char *what, struct error *error) MUST_USE;
/* The same for a text, which must not be NULL; absent arguments give STR_NONE. */
bool function_constant_text(struct function_call *call, size_t argument, const char *what, struct str *text_out,
                            struct error *error) MUST_USE;
/* A constant whole number in a range; absent arguments give fallback. */
bool function_constant_integer(struct function_call *call, size_t argument, const char *what, int64_t fallback, int64_t minimum,
                               int64_t maximum, int64_t *value_out, struct error *error) MUST_USE;
/* A date or a point in time: a constant text beside it is parsed as one. */
bool kind_is_time(enum type_kind kind);
/* Asks for one type of all arguments from `first` on, the one that holds them all; that is the call's type. */
bool function_unify(struct function_call *call, size_t first, struct error *error) MUST_USE;

/* For run. A column with NULL where an argument is; NULL when the arena is full. */
struct column *function_result(struct batch *batch, struct type type, const struct operand *arguments, size_t count) MUST_USE;
/* The row's value cannot be made: it fails, or is NULL where the stage says so. False: the arena is full. */
bool function_fail(struct batch *batch, struct column *column, uint32_t row, const char *name, const char *why) MUST_USE;

#endif
