/* internal.h: what the files of this folder share: the tree that an expression is, parsed, bound and run.
 * Ownership: nodes live in the expression's arena; constants and what else belongs to a binding in its second one, which each
 * binding starts anew. Threads: those of the expression. */
#ifndef LUADUCT_EXPRESSION_INTERNAL_H
#define LUADUCT_EXPRESSION_INTERNAL_H

#include <stdarg.h>

#include "batch/convert.h"
#include "batch/kernels/regex.h"
#include "batch/kernels/text.h"
#include "expression/function.h"

struct set;

enum node_kind {
    NODE_CONSTANT,
    NODE_FIELD, /* operation: index into the expression's fields */
    NODE_NOW,   /* ${now} */
    NODE_NEGATE,
    NODE_ARITHMETIC, /* operation: enum arithmetic */
    NODE_CONCAT,
    NODE_COMPARE, /* operation: enum comparison */
    NODE_AND,     /* two or more children */
    NODE_OR,
    NODE_NOT,
    NODE_IS_NULL,  /* negated: is not null */
    NODE_IS_TRUTH, /* operation: 1 for is true, 0 for is false; negated: is not */
    NODE_IN,       /* the value, then the list */
    NODE_BETWEEN,  /* value, low, high */
    NODE_LIKE,     /* text, pattern [, escape] */
    NODE_MATCH,    /* text, pattern */
    NODE_CASE,     /* condition and value by turns, then else */
    NODE_SUBJECT,  /* what stands between case and when: child 0, evaluated once by the case that it belongs to */
    NODE_COALESCE,
    NODE_CAST, /* cast_to */
    NODE_CALL,
    NODE_MISTAKE, /* what stands for a value that the parser could not make; what was meant to go into it */
};

struct node {
    enum node_kind kind;
    int operation;
    bool negated;
    bool implicit; /* a cast that nobody wrote */
    bool tries;    /* try_cast: NULL where the cast fails */
    bool mistaken; /* something in it is wrong; its type may be known all the same, TYPE_NULL if not (binding) */
    unsigned depth;
    size_t at, width; /* of its operator or name: what messages point at */
    size_t from, to;  /* of all of it */
    struct node **children;
    size_t count;
    struct node *subject; /* NODE_CASE: its NODE_SUBJECT, or NULL */
    struct type cast_to;
    const struct expression_function *function;
    const struct column *parsed; /* the constant that the text holds */

    /* The binding's. */
    struct type type;
    const struct column *constant; /* not NULL: the value for every row */
    struct column probe;           /* type only, for finding the types of what is above */
    bool fails;                    /* rows may fail in it or below it */
    struct function_call call;     /* NODE_CALL */
    bool prepared;                 /* call.state is to be released */
    struct regex *regex;
    struct text_pattern *like;
    struct set *set; /* NODE_IN: its list, where that can be looked up; in the binding's arena */

    /* The run's. */
    struct operand value; /* NODE_SUBJECT */
};

struct field_reference {
    struct str name;
    size_t at, width;            /* where it stands first */
    bool missing;                /* the batch has none of that name */
    struct type type;            /* bound to */
    uint32_t index;              /* where the batch had it last */
    const struct column *column; /* of the batch in hand */
};

struct expression {
    struct arena arena, bound;
    struct str text;
    struct expression_environment environment;
    struct node *root;
    struct node **nodes; /* all of them, children before parents */
    size_t node_count, node_capacity;
    struct field_reference *fields;
    size_t field_count, field_capacity;
    bool mistaken; /* parsing has told why */
    bool is_bound;
    struct convert convert;
};

struct run {
    struct expression *expression;
    struct batch *batch;
    struct error *error;
    const struct node *probe; /* not NULL: only this node is run, over its children's probes and constants */
    struct column *now;
    int64_t now_ms;
};

/* parser.c: false: the syntax does not hold. Other mistakes only make the expression mistaken. */
bool parse_text(struct expression *expression, struct expression_mistakes *mistakes) MUST_USE;

/* constant.c */
/* A one-row column; NULL: the arena is full. */
struct column *constant_new(struct arena *arena, struct type type) MUST_USE;
struct column *constant_text(struct arena *arena, struct str text) MUST_USE;
/* A number as it is written: bigint, decimal, or with an exponent double. Why it is none, or NULL; without a column the arena is
 * full. */
const char *constant_number(struct arena *arena, struct str digits, bool negative, struct column **column_out) MUST_USE;

/* variable.c: the value of job, topic or execute_time; NULL: the arena is full. */
struct column *variable_value(struct arena *arena, const struct expression_environment *environment, struct str name) MUST_USE;
/* NULL: no name is near. */
const char *variable_nearest(struct str name);

/* mistakes.c: puts one at its place in the list; NULL: nobody wants to know. */
void mistakes_add(struct expression_mistakes *mistakes, size_t at, size_t width, const char *format, ...) PRINTF_LIKE(4, 5);
void mistakes_add_list(struct expression_mistakes *mistakes, size_t at, size_t width, const char *format, va_list arguments)
    __attribute__((format(printf, 4, 0)));

/* lexer.c */
enum token_kind {
    TOKEN_END,
    TOKEN_NUMBER,
    TOKEN_TEXT,     /* between single quotes */
    TOKEN_NAME,     /* bare */
    TOKEN_QUOTED,   /* a name between double quotes or backquotes */
    TOKEN_VARIABLE, /* the name inside ${} */
    TOKEN_OPERATOR,
};

struct token {
    enum token_kind kind;
    size_t at, width;
    struct str text; /* as written; inside of the quotes for texts, quoted names and variables */
    bool doubled;    /* a quote stands for itself in it, doubled */
};

/* The token at `at` or after blanks. */
bool token_read(struct str text, size_t at, struct token *token, struct expression_mistakes *mistakes) MUST_USE;

/* dialect.c */
enum dialect_use { DIALECT_FUNCTION = 1, DIALECT_NAME = 2, DIALECT_BETWEEN = 4 };
/* What to write in place of a word of other languages that stands there, as a clause for messages; NULL: it is not known. */
const char *dialect_hint(struct str word, enum dialect_use use);

/* bind.c */
bool bind_expression(struct expression *expression, struct batch *batch, struct expression_mistakes *mistakes,
                     struct error *error) MUST_USE;
void expression_unbind(struct expression *expression);
/* The type that holds values of both; a constant text with a date or time gives that. False: there is none. */
bool types_unify(struct type a, struct type b, struct type *type_out) MUST_USE;

/* set.c: NULL when the list is better compared one by one, or when the arena is full. */
struct set *set_new(struct arena *arena, enum type_kind kind, struct node *const *items, size_t count) MUST_USE;
bool set_run(const struct set *set, struct batch *batch, struct operand value, struct column **column_out,
             struct error *error) MUST_USE;

/* run.c: the node's value for the selected rows. */
bool node_run(struct run *run, struct node *node, struct operand *out) MUST_USE;

#endif
