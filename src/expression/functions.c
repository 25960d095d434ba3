/* functions.c: the list of the functions, and what their prepare and run have in common. */
#include "expression/function.h"

#include <stdio.h>

#include "expression/internal.h"
#include "util/buffer.h"

extern const struct expression_function functions_basic[], functions_text[], functions_time[], functions_calendar[],
    functions_bytes[];

const struct expression_function *const expression_function_tables[] = {functions_basic,    functions_text,  functions_time,
                                                                        functions_calendar, functions_bytes, NULL};
const char *const expression_function_topics[] = {"Choosing and numbers", "Texts", "Dates and times", "The calendar",
                                                  "Digests, bytes and JSON"};

enum { NAMES_MAX = 256 };

static size_t function_names(const char *names[NAMES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; expression_function_tables[i]; i++)
        for (const struct expression_function *row = expression_function_tables[i]; row->name && count < NAMES_MAX; row++)
            names[count++] = row->name;
    return count;
}

const struct expression_function *function_find(struct str name)
{
    for (size_t i = 0; expression_function_tables[i]; i++)
        for (const struct expression_function *row = expression_function_tables[i]; row->name; row++)
            if (str_equal_ignore_case(name, str_of(row->name)))
                return row;
    return NULL;
}

bool function_unknown(struct str name, char text[FUNCTION_TEXT_MAX])
{
    const char *names[NAMES_MAX], *near = str_nearest(name, names, function_names(names));
    const char *foreign = dialect_hint(name, DIALECT_FUNCTION);
    struct str head = str_head(name, 60);

    if (foreign)
        snprintf(text, FUNCTION_TEXT_MAX, "there is no function \"%.*s\"; %s", STR_ARG(head), foreign);
    else if (near)
        snprintf(text, FUNCTION_TEXT_MAX, "there is no function \"%.*s\"; did you mean \"%s\"?", STR_ARG(head), near);
    else
        snprintf(text, FUNCTION_TEXT_MAX, "there is no function \"%.*s\"; `luaduct help functions` lists them", STR_ARG(head));
    return foreign;
}

bool function_takes_count(const struct expression_function *function, size_t count, char text[FUNCTION_TEXT_MAX])
{
    bool few = count < function->arguments_min, exactly = function->arguments_max == function->arguments_min;
    unsigned bound = few ? function->arguments_min : function->arguments_max;

    if (!few && count <= function->arguments_max)
        return true;
    snprintf(text, FUNCTION_TEXT_MAX, "%s takes %s%u argument%s, here are %zu: %s(%s)", function->name,
             exactly ? ""
             : few   ? "at least "
                     : "at most ",
             bound, bound == 1 ? "" : "s", count, function->name, function->parameters);
    return false;
}

/* The language in a page; no line wider than a terminal. */
static const char language[] =
    "  literals    12   1.50 (a decimal, exact)   1e3 (a double)   'it''s'   true   false   null\n"
    "              date '2024-01-31'   timestamp '2024-01-31 23:59:59+08:00'   also datetime, timestamp_ntz\n"
    "  fields      amount   \"odd name\" or `odd name`; case counts\n"
    "  variables   ${job}   ${topic}   ${execute_time} (when this run began)   ${now} (of the batch)\n"
    "  operators   from the weakest:  or   and   not\n"
    "              = == != <> < <= > >=   is [not] null   is [not] true   is [not] false   [not] in (a, b)\n"
    "              [not] like 'a%_' [escape '!']   ~ 'regex'   !~ 'regex'   [not] between a and b\n"
    "              || (joins texts)   + -   * / // %   the sign\n"
    "  choices     case when a then b else c end   case a when 1 then b end   if(a, b, c)   coalesce(a, b)\n"
    "  conversion  cast(a as bigint): the types and rules are those of `luaduct help types`\n"
    "\n"
    "  Keywords and functions in any case. Numbers compare as numbers, exactly, but a decimal that is written out\n"
    "  stands beside a double for the double nearest to it: rate = 0.1. Texts compare byte by byte; a number and a\n"
    "  text do not compare, one is cast first. A constant text beside a date or a point in time is parsed as one. What\n"
    "  meets in a case, coalesce, greatest or least becomes one type, which must hold each value exactly.\n"
    "  bigint / bigint is a double; // and % floor.\n"
    "  NULL gives NULL, except: false and NULL is false, true or NULL is true, is ... is never NULL. A filter keeps true.\n"
    "  A row whose value cannot be computed (division by zero, a cast that fails, beyond 64 bits) follows when_error;\n"
    "  with null the part that failed is NULL. What a row does not need does not fail it: zero != 0 and 1 / zero > 0.\n";

void functions_print(struct buffer *text, bool markdown)
{
    if (markdown)
        buffer_print(text,
                     "# Expressions\n\n"
                     "Made by `luaduct help functions markdown`; the examples are run as tests.\n\n"
                     "## The language\n\n```text\n%s```\n\n"
                     "Where an argument of a function is NULL, so is the result, unless the sentence says otherwise.\n",
                     language);
    else
        buffer_print(text, "The language:\n%s\nFunctions; NULL gives NULL, unless the sentence says otherwise:\n\n", language);
    for (size_t i = 0; expression_function_tables[i]; i++) {
        buffer_print(text, markdown ? "\n## %s\n\n| function | what it gives | example |\n|---|---|---|\n" : "%s:\n",
                     expression_function_topics[i]);
        for (const struct expression_function *row = expression_function_tables[i]; row->name; row++) {
            struct str example = str_of(row->example);

            if (!markdown) {
                buffer_print(text, "  %s(%s)\n      %s\n      %s = %s\n", row->name, row->parameters, row->sentence, row->example,
                             row->result);
                continue;
            }
            buffer_print(text, "| `%s(%s)` | %s | `", row->name, row->parameters, row->sentence);
            for (size_t j = 0; j < example.size; j++) /* a bar would end the cell, also between backquotes */
                buffer_print(text, "%s%c", example.data[j] == '|' ? "\\" : "", example.data[j]);
            buffer_print(text, "` = %s |\n", row->result);
        }
        if (!markdown)
            buffer_append_char(text, '\n');
    }
}

static const char a_time[] = "a date or a time";

static bool is_number(enum type_kind kind)
{
    return kind == TYPE_BIGINT || kind == TYPE_DOUBLE || kind == TYPE_DECIMAL || kind == TYPE_NULL;
}

static bool blame(struct function_call *call, size_t argument, const char *wanted, struct error *error)
{
    struct type type = call->arguments[argument].type;
    bool time = strcmp(wanted, a_time) == 0 && (type_is_text(type.kind) || type.kind == TYPE_BIGINT);
    char name[TYPE_NAME_MAX];

    call->blamed = argument;
    return error_set(error, ERROR_CONFIG, "argument %zu of %s must be %s, this is a %s; %s", argument + 1, call->name, wanted,
                     type_print(type, name), time ? "to_timestamp or to_date makes one of it" : "cast it first");
}

bool function_want(struct function_call *call, size_t argument, enum type_kind kind, struct error *error)
{
    char wanted[TYPE_NAME_MAX + 2], name[TYPE_NAME_MAX];

    if (call->arguments[argument].type.kind == kind || call->arguments[argument].type.kind == TYPE_NULL)
        return true;
    snprintf(wanted, sizeof(wanted), "a %s", kind == TYPE_DECIMAL ? "decimal" : type_print(TYPE_OF(kind), name));
    return blame(call, argument, wanted, error);
}

bool function_want_number(struct function_call *call, size_t argument, struct error *error)
{
    return is_number(call->arguments[argument].type.kind) || blame(call, argument, "a number", error);
}

static bool has_kind(enum type_kind kind, char letter)
{
    switch (letter) {
    case 't':
        return type_is_text(kind);
    case 'b':
        return type_is_text(kind) || kind == TYPE_BINARY;
    case 'i':
        return kind == TYPE_BIGINT;
    case 'n':
    case 'r':
        return is_number(kind);
    case 'd':
        return kind == TYPE_DATE || type_is_instant(kind);
    default:
        return true;
    }
}

bool function_take(struct function_call *call, const struct expression_function *function, struct error *error)
{
    static const char *const wanted[] = {['t'] = "a text",   ['b'] = "a text or a binary", ['i'] = "a bigint",
                                         ['n'] = "a number", ['r'] = "a number",           ['d'] = a_time};
    const char *letter = function->takes;

    for (size_t i = 0; i < call->count; i++, letter += letter[1] != '\0') {
        enum type_kind kind = call->arguments[i].type.kind;

        if (kind == TYPE_NULL)
            continue;
        if (!has_kind(kind, *letter))
            return blame(call, i, wanted[(unsigned char)*letter], error);
        if (*letter == 's' && !type_is_text(kind))
            call->arguments[i].as = TYPE_OF(TYPE_STRING);
        if (*letter == 'r')
            call->arguments[i].as = TYPE_OF(TYPE_DOUBLE);
    }
    call->type = TYPE_OF(function->gives);
    return true;
}

bool function_want_constant(struct function_call *call, size_t argument, const char *what, struct error *error)
{
    call->blamed = argument;
    if (!call->arguments[argument].constant)
        return error_set(error, ERROR_CONFIG, "%s of %s must be a constant", what, call->name);
    if (column_is_null(call->arguments[argument].constant, 0))
        return error_set(error, ERROR_CONFIG, "%s of %s must not be NULL", what, call->name);
    call->blamed = call->count;
    return true;
}

bool function_constant_text(struct function_call *call, size_t argument, const char *what, struct str *text_out,
                            struct error *error)
{
    *text_out = STR_NONE;
    if (argument >= call->count)
        return true;
    if (!function_want_constant(call, argument, what, error) || !function_want(call, argument, TYPE_STRING, error))
        return false;
    *text_out = call->arguments[argument].constant->text[0];
    call->blamed = argument; /* by what the caller finds wrong with it */
    return true;
}

bool function_constant_integer(struct function_call *call, size_t argument, const char *what, int64_t fallback, int64_t minimum,
                               int64_t maximum, int64_t *value_out, struct error *error)
{
    *value_out = fallback;
    if (argument >= call->count)
        return true;
    if (!function_want_constant(call, argument, what, error) || !function_want(call, argument, TYPE_BIGINT, error))
        return false;
    *value_out = call->arguments[argument].constant->bigint[0];
    if (*value_out >= minimum && *value_out <= maximum)
        return true;
    call->blamed = argument;
    return error_set(error, ERROR_CONFIG, "%s of %s must be from %lld to %lld", what, call->name, (long long)minimum,
                     (long long)maximum);
}

bool function_unify(struct function_call *call, size_t first, struct error *error)
{
    struct type type = TYPE_OF(TYPE_NULL);

    /* Constant texts bow to dates and times, so they come second. */
    for (int texts = 0; texts < 2; texts++) {
        for (size_t i = first; i < call->count; i++) {
            const struct function_argument *argument = &call->arguments[i];
            char name[TYPE_NAME_MAX], other[TYPE_NAME_MAX];

            if ((argument->constant && argument->type.kind == TYPE_STRING) != texts || (texts && kind_is_time(type.kind)) ||
                types_unify(type, argument->type, &type))
                continue;
            call->blamed = i;
            return error_set(error, ERROR_CONFIG, "all arguments of %s need one type, these are %s and %s; cast one of them",
                             call->name, type_print(type, name), type_print(argument->type, other));
        }
    }
    for (size_t i = first; i < call->count; i++)
        call->arguments[i].as = type;
    call->type = type;
    return true;
}

struct column *function_result(struct batch *batch, struct type type, const struct operand *arguments, size_t count)
{
    bool nullable = false;
    struct column *column;

    for (size_t i = 0; i < count; i++)
        nullable |= operand_may_be_null(arguments[i]);
    column = column_try_new(&batch->arena, type, batch->row_count, nullable);
    for (size_t i = 0; column && i < count; i++) {
        const uint32_t *selection = batch->selection, *end = selection + batch->selected;
        uint32_t mask;
        const uint8_t *null = operand_nulls(arguments[i], &mask);

        for (; operand_may_be_null(arguments[i]) && selection < end; selection++)
            column->null[*selection] |= null[*selection & mask];
    }
    return column;
}

bool function_fail(struct batch *batch, struct column *column, uint32_t row, const char *name, const char *why)
{
    return operand_fail(batch, column, row, str_of(name), why);
}
