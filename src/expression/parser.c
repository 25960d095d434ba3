/* parser.c: the text as a tree: precedence climbing over tokens that are read as they are needed, one ahead.
 *
 * From the weakest: or; and; not; comparisons, is, in, like, between, ~; ||; + -; * / // %; the sign.
 * coalesce(), if() and typed literals (date '2024-01-31') become nodes of their own here.
 * Where the syntax does not hold, parsing ends. A word that means nothing (a function, a variable, a type) leaves a NODE_MISTAKE
 * with the values around it, so that what is wrong with those is found as well. */
#include "expression/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIST_MAX = 10000 };

struct parser {
    struct expression *expression;
    struct token token; /* the next one */
    size_t end;         /* of the one before */
    unsigned depth;
    bool failed; /* the syntax does not hold, which has been told */
    struct expression_mistakes *mistakes;
};

static const char *const keywords[] = {"and",     "or",   "not",  "in",   "like", "is",  "null", "true", "false",
                                       "between", "case", "when", "then", "else", "end", "cast", "as",   "escape"};

static struct node *parse_or(struct parser *parser);

/* ---- mistakes ---- */

/* The syntax does not hold; only the first time counts. Returns NULL for its callers' sake. */
static struct node *fail_at(struct parser *parser, size_t at, size_t width, const char *format, ...) PRINTF_LIKE(4, 5);

static struct node *fail_at(struct parser *parser, size_t at, size_t width, const char *format, ...)
{
    va_list arguments;

    if (parser->failed)
        return NULL;
    parser->failed = true;
    va_start(arguments, format);
    mistakes_add_list(parser->mistakes, at, width, format, arguments);
    va_end(arguments);
    return NULL;
}

/* Something means nothing, and parsing goes on. */
static void tell(struct parser *parser, struct token token, const char *format, ...) PRINTF_LIKE(3, 4);

static void tell(struct parser *parser, struct token token, const char *format, ...)
{
    va_list arguments;

    parser->expression->mistaken = true;
    va_start(arguments, format);
    mistakes_add_list(parser->mistakes, token.at, token.width, format, arguments);
    va_end(arguments);
}

/* Whether something is wrong with the same word to the left: a person wants to hear it once. */
static bool is_told(const struct parser *parser, struct token token)
{
    const char *text = parser->expression->text.data;

    for (size_t i = 0; i < parser->mistakes->count; i++) {
        struct expression_place place = parser->mistakes->list[i].place;

        if (str_equal_ignore_case(str_make(text + place.at, place.width), str_make(text + token.at, token.width)))
            return true;
    }
    return false;
}

enum { SHOWN_MAX = 48 };

static const char *token_shown(const struct token *token, char text[SHOWN_MAX + 8])
{
    struct str head = str_head(token->text, SHOWN_MAX - 8);

    if (token->kind == TOKEN_END)
        return "the end";
    if (token->kind == TOKEN_TEXT)
        snprintf(text, SHOWN_MAX + 8, "'%.*s'", STR_ARG(head));
    else if (token->kind == TOKEN_VARIABLE)
        snprintf(text, SHOWN_MAX + 8, "${%.*s}", STR_ARG(head));
    else
        snprintf(text, SHOWN_MAX + 8, "\"%.*s\"", STR_ARG(head));
    return text;
}

/* `wanted` is a sentence's beginning: "a value is wanted". */
static struct node *fail_token(struct parser *parser, const char *wanted, const char *hint)
{
    char text[SHOWN_MAX + 8];

    return fail_at(parser, parser->token.at, parser->token.width, "%s here, not %s%s", wanted, token_shown(&parser->token, text),
                   hint);
}

/* ---- tokens ---- */

static void advance(struct parser *parser)
{
    size_t end = parser->token.at + parser->token.width;

    parser->end = end;
    if (!parser->failed && !token_read(parser->expression->text, end, &parser->token, parser->mistakes))
        parser->failed = true;
    if (parser->failed) /* nothing matches this any more */
        parser->token = (struct token){.kind = TOKEN_END, .at = end};
}

static bool at_word(const struct parser *parser, const char *word)
{
    return parser->token.kind == TOKEN_NAME && str_equal_ignore_case(parser->token.text, str_of(word));
}

static bool at_operator(const struct parser *parser, const char *text)
{
    return parser->token.kind == TOKEN_OPERATOR && str_is(parser->token.text, text);
}

static bool take_word(struct parser *parser, const char *word)
{
    bool found = at_word(parser, word);

    if (found)
        advance(parser);
    return found;
}

static bool take_operator(struct parser *parser, const char *text)
{
    bool found = at_operator(parser, text);

    if (found)
        advance(parser);
    return found;
}

static const char *token_nearest(const struct parser *parser, const char *const *words, size_t count)
{
    const char *near = parser->token.kind == TOKEN_NAME ? str_nearest(parser->token.text, words, count) : NULL;

    return near && !str_equal_ignore_case(parser->token.text, str_of(near)) ? near : NULL;
}

static bool want_word(struct parser *parser, const char *word)
{
    char wanted[64], hint[64] = "";

    if (take_word(parser, word))
        return true;
    if (token_nearest(parser, &word, 1))
        snprintf(hint, sizeof(hint), "; did you mean \"%s\"?", word);
    snprintf(wanted, sizeof(wanted), "\"%s\" is wanted", word);
    fail_token(parser, wanted, hint);
    return false;
}

/* What was meant by the token in hand, which stands where an operator should, or nothing. */
static const char *between_hint(struct parser *parser, char hint[96])
{
    static const char *const between[] = {"and", "or", "in", "like", "is", "between", "not"};
    const struct token *token = &parser->token;
    const char *near = token_nearest(parser, between, COUNT_OF(between));
    const char *dialect = token->kind == TOKEN_NAME ? dialect_hint(token->text, DIALECT_BETWEEN) : NULL;

    hint[0] = '\0';
    if (token->kind == TOKEN_NAME && token->at == parser->end && parser->end &&
        parser->expression->text.data[parser->end - 1] == '\'')
        snprintf(hint, 96, "; a quote inside of a text is doubled: 'it''s'");
    else if (dialect)
        snprintf(hint, 96, "; %s", dialect);
    else if (near)
        snprintf(hint, 96, "; did you mean \"%s\"?", near);
    return hint;
}

/* opened: where the bracket that is to be closed stands. */
static bool want_closing(struct parser *parser, size_t opened)
{
    char hint[96];

    if (take_operator(parser, ")"))
        return true;
    if (!*between_hint(parser, hint))
        snprintf(hint, sizeof(hint), "; the ( is character %zu", opened + 1);
    fail_token(parser, "a closing ) is wanted", hint);
    return false;
}

static bool is_keyword(struct str word)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        if (str_equal_ignore_case(word, str_of(keywords[i])))
            return true;
    return false;
}

/* ---- nodes ---- */

static void *take_memory(struct parser *parser, size_t size)
{
    void *piece = arena_try_alloc(&parser->expression->arena, size);

    if (!piece)
        stop_out_of_memory("an expression");
    return piece;
}

static struct node *node_new(struct parser *parser, enum node_kind kind, struct token token)
{
    struct expression *expression = parser->expression;
    struct node *node = take_memory(parser, sizeof(*node));

    memset(node, 0, sizeof(*node));
    node->kind = kind;
    node->at = node->from = token.at;
    node->width = token.width;
    node->to = token.at + token.width;
    node->depth = 1;
    XGROW(expression->nodes, expression->node_count, expression->node_capacity);
    expression->nodes[expression->node_count++] = node;
    return node;
}

/* With children, which may be NULL after a mistake; then so is the result. */
static struct node *node_over(struct parser *parser, enum node_kind kind, int operation, struct token token,
                              struct node *const *children, size_t count)
{
    struct node *node;

    for (size_t i = 0; i < count; i++)
        if (!children[i])
            return NULL;
    node = node_new(parser, kind, token);
    node->operation = operation;
    node->children = take_memory(parser, count * sizeof(struct node *));
    node->count = count;
    if (count)
        memcpy(node->children, children, count * sizeof(struct node *));
    for (size_t i = 0; i < count; i++) {
        node->depth = (unsigned)size_max(node->depth, children[i]->depth + 1);
        node->from = size_min(node->from, children[i]->from);
        node->to = size_max(node->to, children[i]->to);
    }
    node->to = size_max(node->to, parser->end);
    if (node->depth > EXPRESSION_DEPTH_MAX)
        return fail_at(parser, node->at, node->width, "the expression is nested more than %d deep; split it into several stages",
                       EXPRESSION_DEPTH_MAX);
    return node;
}

/* A list of children while it grows. */
struct list {
    struct node **nodes;
    size_t count, capacity;
};

static bool list_add(struct parser *parser, struct list *list, struct node *node)
{
    if (!node)
        return false;
    if (list->count == LIST_MAX) {
        fail_at(parser, node->from, 1, "a list may have at most %d elements", LIST_MAX);
        return false;
    }
    XGROW(list->nodes, list->count, list->capacity);
    list->nodes[list->count++] = node;
    return true;
}

static struct node *node_of_list(struct parser *parser, enum node_kind kind, struct token token, struct list *list)
{
    struct node *node = node_over(parser, kind, 0, token, list->nodes, list->count);

    free(list->nodes);
    *list = (struct list){0};
    return node;
}

static struct node *node_constant(struct parser *parser, struct token token, struct column *constant)
{
    struct node *node = node_new(parser, NODE_CONSTANT, token);

    if (!constant)
        stop_out_of_memory("an expression");
    node->parsed = constant;
    return node;
}

/* What stands between the token's quotes. */
static struct str token_unquoted(struct parser *parser, const struct token *token)
{
    char *copy;
    size_t size = 0;

    if (!token->doubled)
        return token->text;
    copy = take_memory(parser, token->text.size);
    for (size_t i = 0; i < token->text.size; i++) {
        copy[size++] = token->text.data[i];
        if (token->text.data[i] == token->text.data[token->text.size] && i + 1 < token->text.size)
            i++; /* the second of two quotes; the closing one stands behind the text */
    }
    return str_make(copy, size);
}

/* ---- values ---- */

static struct node *parse_number(struct parser *parser, bool negative)
{
    struct token token = parser->token;
    struct column *constant;
    const char *why = constant_number(&parser->expression->arena, token.text, negative, &constant);

    advance(parser);
    if (!why)
        return node_constant(parser, token, constant);
    tell(parser, token, "%s", why);
    return node_new(parser, NODE_MISTAKE, token);
}

static struct node *parse_field(struct parser *parser)
{
    struct expression *expression = parser->expression;
    struct token token = parser->token;
    struct str name = token_unquoted(parser, &token);
    struct node *node;
    size_t i = 0;

    advance(parser);
    if (!name.size)
        return fail_at(parser, token.at, token.width, "a field has a name; a text stands between single quotes");
    while (i < expression->field_count && !str_equal(expression->fields[i].name, name))
        i++;
    if (i == expression->field_count) {
        XGROW(expression->fields, expression->field_count, expression->field_capacity);
        expression->fields[expression->field_count++] =
            (struct field_reference){.name = name, .at = token.at, .width = token.width};
    }
    node = node_new(parser, NODE_FIELD, token);
    node->operation = (int)i;
    return node;
}

static struct node *parse_variable(struct parser *parser)
{
    const struct expression *expression = parser->expression;
    struct token token = parser->token;
    const char *near;

    advance(parser);
    if (str_is(token.text, "now"))
        return node_new(parser, NODE_NOW, token);
    if (expression_is_variable(token.text))
        return node_constant(parser, token, variable_value(&parser->expression->arena, &expression->environment, token.text));
    near = variable_nearest(token.text);
    if (!is_told(parser, token))
        tell(parser, token, "there is no variable ${%.*s}; %s%s%s", STR_ARG(str_head(token.text, 40)),
             near ? "did you mean ${" : "there are ${job}, ${topic}, ${execute_time} and ${now}", near ? near : "",
             near ? "}?" : "");
    return node_new(parser, NODE_MISTAKE, token);
}

static struct node *node_cast(struct parser *parser, struct token token, struct node *value, struct type type)
{
    struct node *node = node_over(parser, NODE_CAST, 0, token, &value, 1);

    if (node) {
        node->cast_to = type;
        node->tries = str_equal_ignore_case(token.text, STR("try_cast"));
    }
    return node;
}

/* cast(x as decimal(10,2)), or try_cast; the word has been taken. */
static struct node *parse_cast(struct parser *parser, struct token token)
{
    struct node *value;
    struct type type;
    struct error error;
    struct token written;
    size_t opened = parser->token.at, from, brackets = 0;

    if (!take_operator(parser, "("))
        return fail_token(parser, "( is wanted", "; write cast(x as type)");
    value = parse_or(parser);
    if (!value || !want_word(parser, "as"))
        return NULL;
    from = parser->token.at;
    while (parser->token.kind != TOKEN_END && (brackets || !at_operator(parser, ")"))) {
        brackets += at_operator(parser, "(");
        brackets -= at_operator(parser, ")");
        advance(parser);
    }
    if (parser->token.at == from)
        return fail_token(parser, "a type is wanted", "");
    written = (struct token){.at = from, .width = parser->end - from};
    if (!want_closing(parser, opened))
        return NULL;
    if (type_parse(str_trim(str_make(parser->expression->text.data + from, written.width)), &type, &error))
        return node_cast(parser, token, value, type);
    if (!is_told(parser, written))
        tell(parser, written, "%s", error.text);
    return node_over(parser, NODE_MISTAKE, 0, token, &value, 1);
}

/* The word has been taken. */
static struct node *parse_case(struct parser *parser, struct token token)
{
    struct node *subject = NULL, *node;
    struct list list = {0};

    if (!at_word(parser, "when")) {
        node = parse_or(parser);
        subject = node_over(parser, NODE_SUBJECT, 0, token, &node, 1);
        if (!subject)
            return NULL;
        if (!at_word(parser, "when")) {
            want_word(parser, "when");
            return NULL;
        }
    }
    while (take_word(parser, "when")) {
        struct token when = parser->token;
        struct node *condition = parse_or(parser), *pair[2] = {subject, condition};

        if (condition && subject) {
            when.at = condition->from;
            when.width = condition->to - condition->from;
            condition = node_over(parser, NODE_COMPARE, COMPARE_EQ, when, pair, 2);
        }
        if (!list_add(parser, &list, condition) || !want_word(parser, "then") || !list_add(parser, &list, parse_or(parser)))
            goto failed;
    }
    if (!list_add(parser, &list,
                  take_word(parser, "else")
                      ? parse_or(parser)
                      : node_constant(parser, parser->token, constant_new(&parser->expression->arena, TYPE_OF(TYPE_NULL)))))
        goto failed;
    if (!take_word(parser, "end")) {
        fail_token(parser, list.count == 1 ? "\"when\" is wanted" : "\"when\", \"else\" or \"end\" is wanted", "");
        goto failed;
    }
    node = node_of_list(parser, NODE_CASE, token, &list);
    if (node)
        node->subject = subject;
    return node;
failed:
    free(list.nodes);
    return NULL;
}

/* A call of another language's function: what stands in its brackets may be that language's too, so it is not looked at. */
static struct node *parse_foreign_call(struct parser *parser, struct token token)
{
    size_t opened = parser->token.at, brackets = 0;
    struct node *node;

    advance(parser);
    while (parser->token.kind != TOKEN_END && (brackets || !at_operator(parser, ")"))) {
        brackets += at_operator(parser, "(");
        brackets -= at_operator(parser, ")");
        advance(parser);
    }
    if (!want_closing(parser, opened))
        return NULL;
    node = node_new(parser, NODE_MISTAKE, token);
    node->to = parser->end;
    return node;
}

/* The node that a call is, its arguments being known; without a function a NODE_MISTAKE. */
static struct node *call_node(struct parser *parser, struct token token, const struct expression_function *function,
                              struct list *list)
{
    struct node *node;
    char why[FUNCTION_TEXT_MAX];

    if (!function)
        return node_of_list(parser, NODE_MISTAKE, token, list);
    if (!function_takes_count(function, list->count, why)) {
        tell(parser, token, "%s", why);
        return node_of_list(parser, NODE_MISTAKE, token, list);
    }
    if (function->is_form && strcmp(function->name, "coalesce") == 0)
        return node_of_list(parser, NODE_COALESCE, token, list);
    if (function->is_form) { /* if(condition, yes [, no]) */
        if (list->count == 2 &&
            !list_add(parser, list, node_constant(parser, token, constant_new(&parser->expression->arena, TYPE_OF(TYPE_NULL)))))
            return NULL;
        return node_of_list(parser, NODE_CASE, token, list);
    }
    node = node_of_list(parser, NODE_CALL, token, list);
    if (node)
        node->function = function;
    return node;
}

/* A bare name before "(", which is the token in hand. */
static struct node *parse_call(struct parser *parser, struct token token)
{
    const struct expression_function *function = function_find(token.text);
    size_t opened = parser->token.at;
    struct list list = {0};
    struct node *node = NULL;

    if (!function) {
        char why[FUNCTION_TEXT_MAX];
        bool foreign = function_unknown(token.text, why);

        if (!is_told(parser, token))
            tell(parser, token, "%s", why);
        if (foreign)
            return parse_foreign_call(parser, token);
    }
    advance(parser);
    while (!at_operator(parser, ")")) {
        if (!list_add(parser, &list, parse_or(parser)))
            goto out;
        if (!take_operator(parser, ","))
            break;
        if (at_operator(parser, ")")) {
            fail_token(parser, "a value is wanted", " after the comma");
            goto out;
        }
    }
    if (want_closing(parser, opened))
        node = call_node(parser, token, function, &list);
out:
    free(list.nodes);
    return node;
}

static struct node *parse_name(struct parser *parser)
{
    static const char *const literal_types[] = {"date", "datetime", "timestamp", "timestamp_ntz"};
    struct arena *arena = &parser->expression->arena;
    struct error error;
    struct token token = parser->token, next;
    struct column *constant;

    if (take_word(parser, "null"))
        return node_constant(parser, token, constant_new(arena, TYPE_OF(TYPE_NULL)));
    if (at_word(parser, "true") || at_word(parser, "false")) {
        constant = constant_new(arena, TYPE_OF(TYPE_BOOLEAN));
        if (constant)
            constant->boolean[0] = at_word(parser, "true");
        advance(parser);
        return node_constant(parser, token, constant);
    }
    if (take_word(parser, "case"))
        return parse_case(parser, token);
    if (take_word(parser, "cast"))
        return parse_cast(parser, token);
    if (is_keyword(token.text))
        return fail_token(parser, "a value is wanted", "; a field of that name stands between double quotes");
    /* What follows decides; a mistake in it is told when it is its turn. */
    if (!token_read(parser->expression->text, token.at + token.width, &next, NULL))
        return parse_field(parser);
    if (next.kind == TOKEN_OPERATOR && str_is(next.text, "(")) {
        advance(parser);
        return str_equal_ignore_case(token.text, STR("try_cast")) ? parse_cast(parser, token) : parse_call(parser, token);
    }
    for (size_t i = 0; next.kind == TOKEN_TEXT && i < COUNT_OF(literal_types); i++) {
        if (str_equal_ignore_case(token.text, str_of(literal_types[i]))) {
            struct type type;

            advance(parser);
            constant = constant_text(arena, token_unquoted(parser, &next));
            advance(parser);
            if (!type_parse(str_of(literal_types[i]), &type, &error))
                return NULL; /* it is one */
            return node_cast(parser, token, node_constant(parser, next, constant), type);
        }
    }
    return parse_field(parser);
}

static struct node *parse_primary(struct parser *parser)
{
    struct token token = parser->token;
    struct node *node;

    switch (token.kind) {
    case TOKEN_NUMBER:
        return parse_number(parser, false);
    case TOKEN_TEXT:
        advance(parser);
        return node_constant(parser, token, constant_text(&parser->expression->arena, token_unquoted(parser, &token)));
    case TOKEN_NAME:
        return parse_name(parser);
    case TOKEN_QUOTED:
        return parse_field(parser);
    case TOKEN_VARIABLE:
        return parse_variable(parser);
    default:
        break;
    }
    if (!take_operator(parser, "("))
        return fail_token(parser, "a value is wanted", "");
    node = parse_or(parser);
    if (!node || !want_closing(parser, token.at))
        return NULL;
    node->from = token.at;
    node->to = parser->end;
    return node;
}

/* ---- operators ---- */

/* Each level of the grammar that can hold itself counts, for the machine's stack has an end. */
static bool enter(struct parser *parser)
{
    if (parser->failed)
        return false;
    if (++parser->depth <= 2 * EXPRESSION_DEPTH_MAX) /* a bracket counts twice */
        return true;
    fail_at(parser, parser->token.at, parser->token.width,
            "the expression is nested more than %d deep; split it into several stages", EXPRESSION_DEPTH_MAX);
    return false;
}

static struct node *parse_sign(struct parser *parser)
{
    struct token token = parser->token;
    struct node *node = NULL;

    if (!enter(parser))
        return NULL;
    if (take_operator(parser, "-")) {
        if (parser->token.kind == TOKEN_NUMBER) {
            node = parse_number(parser, true);
            if (node)
                node->from = token.at;
        } else {
            node = parse_sign(parser);
            node = node_over(parser, NODE_NEGATE, 0, token, &node, 1);
        }
    } else if (take_operator(parser, "+")) {
        node = parse_sign(parser);
    } else {
        node = parse_primary(parser);
    }
    parser->depth--;
    return node;
}

static int take_one_of(struct parser *parser, const char *const *symbols, const int *operations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (take_operator(parser, symbols[i]))
            return operations[i];
    return -1;
}

static struct node *parse_product(struct parser *parser)
{
    static const char *const symbols[] = {"*", "/", "//", "%"};
    static const int operations[] = {ARITHMETIC_MULTIPLY, ARITHMETIC_DIVIDE, ARITHMETIC_FLOOR_DIVIDE, ARITHMETIC_MODULO};
    struct node *node = parse_sign(parser);

    for (;;) {
        struct token token = parser->token;
        int operation = node ? take_one_of(parser, symbols, operations, COUNT_OF(symbols)) : -1;
        struct node *pair[2] = {node, NULL};

        if (operation < 0)
            return node;
        pair[1] = parse_sign(parser);
        node = node_over(parser, NODE_ARITHMETIC, operation, token, pair, 2);
    }
}

static struct node *parse_sum(struct parser *parser)
{
    static const char *const symbols[] = {"+", "-"};
    static const int operations[] = {ARITHMETIC_ADD, ARITHMETIC_SUBTRACT};
    struct node *node = parse_product(parser);

    for (;;) {
        struct token token = parser->token;
        int operation = node ? take_one_of(parser, symbols, operations, COUNT_OF(symbols)) : -1;
        struct node *pair[2] = {node, NULL};

        if (operation < 0)
            return node;
        pair[1] = parse_product(parser);
        node = node_over(parser, NODE_ARITHMETIC, operation, token, pair, 2);
    }
}

static struct node *parse_concat(struct parser *parser)
{
    struct node *node = parse_sum(parser);

    while (node && at_operator(parser, "||")) {
        struct token token = parser->token;
        struct node *pair[2] = {node, NULL};

        advance(parser);
        pair[1] = parse_sum(parser);
        node = node_over(parser, NODE_CONCAT, 0, token, pair, 2);
    }
    return node;
}

/* x in (a, b); the word has been taken. */
static struct node *parse_in(struct parser *parser, struct token token, struct node *value)
{
    size_t opened = parser->token.at;
    struct list list = {0};
    struct node *node = NULL;

    if (!take_operator(parser, "("))
        return fail_token(parser, "( is wanted", "; write in (a, b)");
    if (!list_add(parser, &list, value))
        return NULL;
    do {
        if (!list_add(parser, &list, parse_or(parser)))
            goto out;
    } while (take_operator(parser, ","));
    if (want_closing(parser, opened))
        node = node_of_list(parser, NODE_IN, token, &list);
out:
    free(list.nodes);
    return node;
}

/* What may stand after `not` as well; NULL without a mistake when nothing of it does. */
static struct node *parse_test(struct parser *parser, struct token token, struct node *value)
{
    struct node *parts[3] = {value, NULL, NULL};

    if (take_word(parser, "in"))
        return parse_in(parser, token, value);
    if (take_word(parser, "like")) {
        size_t count = 2;

        parts[1] = parse_concat(parser);
        if (parts[1] && take_word(parser, "escape")) {
            parts[2] = parse_concat(parser);
            count = 3;
        }
        return node_over(parser, NODE_LIKE, 0, token, parts, count);
    }
    if (take_word(parser, "between")) {
        parts[1] = parse_concat(parser);
        if (!parts[1] || !want_word(parser, "and"))
            return NULL;
        parts[2] = parse_concat(parser);
        return node_over(parser, NODE_BETWEEN, 0, token, parts, 3);
    }
    return NULL;
}

/* x is [not] null, true or false; the word has been taken. */
static struct node *parse_is(struct parser *parser, struct token token, struct node *value)
{
    bool negated = take_word(parser, "not"), truth = at_word(parser, "true");
    struct node *node;

    if (take_word(parser, "null"))
        node = node_over(parser, NODE_IS_NULL, 0, token, &value, 1);
    else if (take_word(parser, "true") || take_word(parser, "false"))
        node = node_over(parser, NODE_IS_TRUTH, truth, token, &value, 1);
    else
        return fail_token(parser, "null, true or false is wanted", "; other values are compared with =");
    if (node)
        node->negated = negated;
    return node;
}

static struct node *parse_comparison(struct parser *parser)
{
    static const char *const symbols[] = {"=", "==", "!=", "<>", "<", "<=", ">", ">="};
    static const int operations[] = {COMPARE_EQ, COMPARE_EQ, COMPARE_NE, COMPARE_NE,
                                     COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE};
    struct node *node = parse_concat(parser);
    bool compared = false;

    while (node) {
        struct token token = parser->token;
        struct node *pair[2] = {node, NULL};
        int operation = take_one_of(parser, symbols, operations, COUNT_OF(symbols));
        bool negated = at_operator(parser, "!~");

        if (operation >= 0 && compared && node->count == 2 && node->children[1]->kind == NODE_CONCAT)
            return fail_at(parser, node->children[1]->at, node->children[1]->width,
                           "|| joins texts; between two comparisons stands or");
        if (operation >= 0 && compared)
            return fail_at(parser, token.at, token.width,
                           "a comparison is not compared again; join two with and, or use parentheses");
        if (operation >= 0) {
            pair[1] = parse_concat(parser);
            node = node_over(parser, NODE_COMPARE, operation, token, pair, 2);
            compared = true;
        } else if (negated || at_operator(parser, "~")) {
            advance(parser);
            pair[1] = parse_concat(parser);
            node = node_over(parser, NODE_MATCH, 0, token, pair, 2);
            if (node)
                node->negated = negated;
        } else if (take_word(parser, "is")) {
            node = parse_is(parser, token, node);
        } else {
            negated = take_word(parser, "not");
            if (!negated && !at_word(parser, "in") && !at_word(parser, "like") && !at_word(parser, "between"))
                return node;
            token.width = parser->token.at + parser->token.width - token.at;
            node = parse_test(parser, token, node);
            if (!node)
                return negated ? fail_token(parser, "in, like or between is wanted",
                                            at_word(parser, "null") ? "; write is not null" : "")
                               : NULL;
            node->negated = negated;
        }
    }
    return NULL;
}

static struct node *parse_not(struct parser *parser)
{
    struct token token = parser->token;
    struct node *node;

    if (!enter(parser))
        return NULL;
    if (take_word(parser, "not")) {
        node = parse_not(parser);
        node = node_over(parser, NODE_NOT, 0, token, &node, 1);
    } else {
        node = parse_comparison(parser);
    }
    parser->depth--;
    return node;
}

/* One node for all that the word joins, so that a long list of conditions is not a deep tree. */
static struct node *parse_joined(struct parser *parser, const char *word, enum node_kind kind,
                                 struct node *(*operand)(struct parser *parser))
{
    struct node *node = operand(parser);
    struct token token = parser->token;
    struct list list = {0};

    if (!node || !at_word(parser, word))
        return node;
    if (!list_add(parser, &list, node))
        return NULL;
    while (take_word(parser, word)) {
        if (!list_add(parser, &list, operand(parser))) {
            free(list.nodes);
            return NULL;
        }
    }
    return node_of_list(parser, kind, token, &list);
}

static struct node *parse_and(struct parser *parser)
{
    return parse_joined(parser, "and", NODE_AND, parse_not);
}

static struct node *parse_or(struct parser *parser)
{
    return parse_joined(parser, "or", NODE_OR, parse_and);
}

static bool is_where(const struct expression *expression)
{
    const struct node *root = expression->root;

    return root && root->kind == NODE_FIELD && str_equal_ignore_case(expression->fields[root->operation].name, STR("where"));
}

bool parse_text(struct expression *expression, struct expression_mistakes *mistakes)
{
    struct parser parser = {.expression = expression, .mistakes = mistakes};
    char hint[96];

    advance(&parser);
    if (!parser.failed && parser.token.kind == TOKEN_END)
        fail_at(&parser, 0, 1, "the expression is empty");
    if (!parser.failed)
        expression->root = parse_or(&parser);
    if (!parser.failed && parser.token.kind != TOKEN_END)
        fail_token(&parser, "an operator or the end is wanted",
                   is_where(expression) ? "; leave out \"where\"" : between_hint(&parser, hint));
    assert(parser.failed || expression->root);
    return !parser.failed;
}
