/* bind.c: types, constants, conversions: what can be settled before the rows come.
 * Method: nodes are bound children first. A node's type is what its own kernel makes of columns without rows that have its
 * children's types, so that the rules stand in one place, the kernels; with constants alone below it, it runs over one row, and
 * the value takes its place. Where two sides need one type, a cast is put on top of one of them, and disappears the same way when
 * that is a constant. Cost: some microseconds a node, once per job.
 * A mistake does not end it: the node is mistaken, and so is what is above. Where that has one type whatever is in it (a
 * comparison is a boolean), binding goes on with that type; else with TYPE_NULL, which fits everywhere, so that nothing is said
 * of what depends on it. */
#include "expression/internal.h"

#include <stdio.h>
#include <utf8proc.h>

#include "batch/decimal.h"

enum { SCRATCH_BYTES_MAX = 8 << 20 };

struct binder {
    struct expression *expression;
    struct batch *scratch; /* of one row, without fields */
    uint32_t row;          /* its selection */
    struct expression_mistakes *mistakes;
    struct error *error; /* of the batch: it has no more memory */
};

static bool fail_at(struct binder *binder, size_t at, size_t width, const char *format, ...) PRINTF_LIKE(4, 5);

static bool fail_at(struct binder *binder, size_t at, size_t width, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    mistakes_add_list(binder->mistakes, at, width, format, arguments);
    va_end(arguments);
    return false;
}

#define FAIL_NODE(binder, node, ...) fail_at(binder, (node)->at, (node)->width, __VA_ARGS__)
#define FAIL_WHOLE(binder, node, ...) fail_at(binder, (node)->from, (node)->to - (node)->from, __VA_ARGS__)

/* "a bigint", "an always NULL value". */
static const char *type_called(struct type type, char text[48])
{
    char name[TYPE_NAME_MAX];

    if (type.kind == TYPE_NULL)
        return "NULL";
    snprintf(text, 48, "a %s", type_print(type, name));
    return text;
}

static struct str node_text(const struct expression *expression, const struct node *node)
{
    return str_make(expression->text.data + node->from, node->to - node->from);
}

static bool is_number(enum type_kind kind)
{
    return kind == TYPE_BIGINT || kind == TYPE_DOUBLE || kind == TYPE_DECIMAL;
}

/* ---- types ---- */

static struct type decimal_of(struct type type)
{
    return type.kind == TYPE_BIGINT ? type_decimal(19, 0) : type;
}

static struct type unify_numbers(struct type a, struct type b)
{
    unsigned scale, whole;

    if (a.kind == TYPE_DOUBLE || b.kind == TYPE_DOUBLE)
        return TYPE_OF(TYPE_DOUBLE);
    a = decimal_of(a);
    b = decimal_of(b);
    scale = a.scale > b.scale ? a.scale : b.scale;
    whole = (unsigned)size_max(a.precision - a.scale, b.precision - b.scale);
    return type_decimal((uint8_t)size_min(whole + scale, 38), (uint8_t)scale);
}

bool types_unify(struct type a, struct type b, struct type *type_out)
{
    if (a.kind == TYPE_NULL || b.kind == TYPE_NULL || type_equal(a, b))
        *type_out = a.kind == TYPE_NULL ? b : a;
    else if (is_number(a.kind) && is_number(b.kind))
        *type_out = unify_numbers(a, b);
    else if ((a.kind == TYPE_DATETIME && b.kind == TYPE_TIMESTAMP) || (a.kind == TYPE_TIMESTAMP && b.kind == TYPE_DATETIME))
        *type_out = TYPE_OF(TYPE_TIMESTAMP);
    else
        return false;
    return true;
}

bool kind_is_time(enum type_kind kind)
{
    return kind == TYPE_DATE || type_is_instant(kind);
}

/* ---- constants ---- */

static struct column *column_keep(struct binder *binder, const struct column *column)
{
    struct arena *arena = &binder->expression->bound;
    struct column *copy = column_try_new(arena, column->type, 1, column->null != NULL);
    size_t size = type_size(column->type.kind);

    if (!copy)
        return NULL;
    copy->utf8 = column->utf8;
    if (column->null)
        copy->null[0] = column->null[0];
    if (size)
        memset(copy->data, 0, size);
    if (!size || column_is_null(column, 0))
        return copy;
    memcpy(copy->data, column->data, size);
    if (column->type.kind == TYPE_STRING || column->type.kind == TYPE_BINARY || column->type.kind == TYPE_JSON) {
        copy->text[0] = arena_try_copy(arena, column->text[0]);
        copy->utf8 = copy->utf8 || (column->type.kind == TYPE_STRING && str_is_utf8(column->text[0]));
        if (column->text[0].data && !copy->text[0].data)
            return NULL;
    }
    return copy;
}

static void scratch_begin(struct binder *binder, uint32_t rows)
{
    struct batch *batch = binder->scratch;

    batch_clear(batch);
    batch->stage = "";
    batch->row_count = batch->selected = rows;
    binder->row = 0;
    batch->selection = &binder->row;
}

/* Whether its value is the same for every row once its children's are. */
static bool is_pure(const struct node *node)
{
    if (node->kind == NODE_FIELD || node->kind == NODE_NOW || (node->kind == NODE_CALL && node->function->varies))
        return false;
    for (size_t i = 0; i < node->count; i++)
        if (!node->children[i]->constant)
            return false;
    return true;
}

/* Runs the node alone: its type, or its value when it is constant. */
static bool probe(struct binder *binder, struct node *node)
{
    bool constant = is_pure(node);
    struct run run = {.expression = binder->expression, .batch = binder->scratch, .error = binder->error, .probe = node};
    struct operand value;

    scratch_begin(binder, constant);
    if (!node_run(&run, node, &value))
        return FAIL_NODE(binder, node, "%s", binder->error->text);
    node->type = value.column->type;
    if (!constant)
        return true;
    if (binder->scratch->dirty) {
        struct str reason = binder->scratch->dirty->reason;

        return FAIL_WHOLE(binder, node, "%s%.*s", node->kind == NODE_CAST ? "" : "this fails for every row: ", STR_ARG(reason));
    }
    node->constant = column_keep(binder, value.column);
    if (!node->constant)
        return FAIL_WHOLE(binder, node, "this constant is too large");
    return true;
}

static void bind_node(struct binder *binder, struct node *node);

/* NULL: the arena is full. */
static struct node *implicit_cast(struct binder *binder, struct node *from, struct type type)
{
    struct node *cast = arena_try_alloc(&binder->expression->bound, sizeof(*cast) + sizeof(struct node *));

    if (!cast)
        return NULL;
    *cast = (struct node){.kind = NODE_CAST,
                          .implicit = true,
                          .at = from->from,
                          .width = from->to - from->from,
                          .from = from->from,
                          .to = from->to,
                          .cast_to = type,
                          .children = (struct node **)(cast + 1),
                          .count = 1};
    cast->children[0] = from;
    return cast;
}

/* Puts a cast on top of the child, when it has another type. */
static bool cast_child(struct binder *binder, struct node *node, size_t child, struct type type)
{
    struct node *from = node->children[child], *cast;
    struct error error;

    if (type_equal(from->type, type) || type.kind == TYPE_NULL || from->mistaken)
        return true;
    if (!convert_possible(from->type, type, &error))
        return FAIL_WHOLE(binder, from, "%s", error.text);
    cast = implicit_cast(binder, from, type);
    if (!cast)
        return FAIL_WHOLE(binder, from, "the expression is too large");
    bind_node(binder, cast);
    if (cast->mistaken)
        return false;
    node->children[child] = cast;
    node->fails |= cast->fails;
    return true;
}

/* ---- nodes ---- */

static bool check_boolean(struct binder *binder, const struct node *node, const char *what)
{
    char name[48];

    if (node->type.kind == TYPE_BOOLEAN || node->type.kind == TYPE_NULL)
        return true;
    return FAIL_WHOLE(binder, node, "%s takes conditions, this is %s; compare it with something", what,
                      type_called(node->type, name));
}

static bool check_booleans(struct binder *binder, const struct node *node, const char *what)
{
    bool ok = true;

    for (size_t i = 0; i < node->count; i++)
        ok &= check_boolean(binder, node->children[i], what);
    return ok;
}

static bool bind_arithmetic(struct binder *binder, struct node *node)
{
    static const char *const symbols[] = {"+", "-", "*", "/", "//", "%"};
    const char *symbol = node->kind == NODE_NEGATE ? "-" : symbols[node->operation];
    char name[48], other[48];

    if (node->mistaken) /* the sentence below would call the type that is not known NULL */
        return false;
    for (size_t i = 0; i < node->count; i++) {
        struct type type = node->children[i]->type;
        bool text = type_is_text(type.kind);

        if (is_number(type.kind) || type.kind == TYPE_NULL)
            continue;
        if (node->count == 1)
            return FAIL_NODE(binder, node, "- needs a number, this is %s%s", type_called(type, name),
                             text ? "; cast it first" : "");
        return FAIL_NODE(binder, node, "%s needs two numbers, these are %s and %s; %s", symbol,
                         type_called(node->children[0]->type, name), type_called(node->children[1]->type, other),
                         text && node->operation == ARITHMETIC_ADD ? "|| joins texts, cast(… as bigint) makes a number of one"
                         : text ? "cast(… as bigint) or (… as decimal(p,s)) makes a number of a text"
                                : "cast them first");
    }
    node->fails = true;
    return true;
}

/* Whether values of these types have an order between them, as kernel_compare sees it. */
static bool comparable(enum type_kind a, enum type_kind b)
{
    bool a_text = type_is_text(a) || a == TYPE_BINARY, b_text = type_is_text(b) || b == TYPE_BINARY;

    return a == TYPE_NULL || b == TYPE_NULL || a == b || (is_number(a) && is_number(b)) || (a_text && b_text) ||
           (type_is_instant(a) && type_is_instant(b) && a != TYPE_TIMESTAMP_NTZ && b != TYPE_TIMESTAMP_NTZ);
}

static bool is_number_text(struct str text)
{
    int128 value;
    enum decimal_status status = decimal_parse(text, type_decimal(38, 18), &value);

    return status != DECIMAL_SYNTAX;
}

/* A constant text against a date or a point in time becomes one. A datetime's is a timestamp: more digits than it holds are no
 * reason to refuse a comparison. */
static bool settle_time(struct binder *binder, struct node *node, size_t constant, size_t other)
{
    enum type_kind kind = node->children[other]->type.kind;

    if (!node->children[constant]->constant || node->children[constant]->type.kind != TYPE_STRING || !kind_is_time(kind))
        return true;
    return cast_child(binder, node, constant, TYPE_OF(kind == TYPE_DATETIME ? TYPE_TIMESTAMP : kind));
}

static bool is_literal(const struct node *node)
{
    while (node->kind == NODE_NEGATE || node->kind == NODE_SUBJECT)
        node = node->children[0];
    return node->kind == NODE_CONSTANT;
}

/* A constant number against a double becomes a double where that is the same number, for then one loop compares them. A decimal
 * that is written out becomes one in any case: no double is 0.1, and whoever writes rate <= 0.1 means the nearest one. */
static bool settle_double(struct binder *binder, struct node *node, size_t constant, size_t other)
{
    const struct column *from = node->children[constant]->constant;
    struct column *equal, *to;
    struct node *cast;

    if (!from || node->children[other]->type.kind != TYPE_DOUBLE || column_is_null(from, 0) ||
        (from->type.kind != TYPE_BIGINT && from->type.kind != TYPE_DECIMAL))
        return true;
    to = constant_new(&binder->expression->bound, TYPE_OF(TYPE_DOUBLE));
    cast = implicit_cast(binder, node->children[constant], TYPE_OF(TYPE_DOUBLE));
    if (!to || !cast)
        return FAIL_NODE(binder, node, "the expression is too large");
    to->real[0] =
        from->type.kind == TYPE_BIGINT ? (double)from->bigint[0] : decimal_to_double(from->decimal[0], from->type.scale);
    if (from->type.kind != TYPE_DECIMAL || !is_literal(node->children[constant])) {
        scratch_begin(binder, 1);
        if (!kernel_compare(binder->scratch, COMPARE_EQ, (struct operand){from, true}, (struct operand){to, true}, &equal,
                            binder->error))
            return FAIL_NODE(binder, node, "%s", binder->error->text);
        if (!equal->boolean[0])
            return true;
    }
    cast->constant = to;
    cast->type = to->type;
    node->children[constant] = cast;
    return true;
}

static bool check_comparison(struct binder *binder, struct node *node, size_t a, size_t b, size_t at, size_t width)
{
    struct type x, y;
    char x_name[48], y_name[48], number[TYPE_NAME_MAX];
    const char *hint = "cast one of them first";

    if (!settle_time(binder, node, a, b) || !settle_time(binder, node, b, a) || !settle_double(binder, node, a, b) ||
        !settle_double(binder, node, b, a))
        return false;
    x = node->children[a]->type;
    y = node->children[b]->type;
    if (comparable(x.kind, y.kind))
        return true;
    if ((is_number(x.kind) && type_is_text(y.kind)) || (is_number(y.kind) && type_is_text(x.kind))) {
        const struct node *text = type_is_text(y.kind) ? node->children[b] : node->children[a];
        char excerpt[128];

        if (text->constant && !is_number_text(text->constant->text[0]))
            return fail_at(binder, at, width, "%s and %s do not compare; cast the number to string, if that is meant",
                           type_called(x, x_name), type_called(y, y_name));
        if (text->constant)
            return fail_at(binder, at, width,
                           "%s and %s do not compare; write the constant %.*s without quotes, or cast the number "
                           "to string",
                           type_called(x, x_name), type_called(y, y_name), STR_ARG(convert_excerpt(text->constant, 0, excerpt)));
        return fail_at(binder, at, width, "%s and %s do not compare; cast the text: cast(%.*s as %s)", type_called(x, x_name),
                       type_called(y, y_name), STR_ARG(str_head(node_text(binder->expression, text), 60)),
                       type_print(is_number(x.kind) ? x : y, number));
    }
    if (x.kind == TYPE_BOOLEAN || y.kind == TYPE_BOOLEAN)
        hint = "a boolean stands alone, or with is true and is false";
    else if ((kind_is_time(x.kind) && is_number(y.kind)) || (kind_is_time(y.kind) && is_number(x.kind)))
        hint = "a date or time is written as a text, '2024-01-31', and epoch_ms(time) is a number";
    return fail_at(binder, at, width, "%s and %s do not compare; %s", type_called(x, x_name), type_called(y, y_name), hint);
}

static bool check_text(struct binder *binder, const struct node *node, const char *what)
{
    char name[48];

    if (type_is_text(node->type.kind) || node->type.kind == TYPE_NULL)
        return true;
    return FAIL_WHOLE(binder, node, "%s takes a string, this is %s; cast it first", what, type_called(node->type, name));
}

static bool constant_string(struct binder *binder, const struct node *node, const char *what, struct str *text_out)
{
    if (node->mistaken) /* it may be meant to be one */
        return false;
    if (!node->constant)
        return FAIL_WHOLE(binder, node, "%s must be a constant text", what);
    *text_out = column_is_null(node->constant, 0) ? STR_NONE : node->constant->text[0];
    return true;
}

/* The one character of a text, or 0. */
static uint32_t only_character(struct str text)
{
    int32_t character;
    utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.size, &character);

    return size > 0 && (size_t)size == text.size ? (uint32_t)character : 0;
}

/* Points at byte `at` of the node's text, where that stands between quotes and was not made of several; at -1 at all of it. */
static bool fail_within(struct binder *binder, const struct node *node, ptrdiff_t at, const char *text)
{
    const char *whole = binder->expression->text.data;
    size_t place = node->at + 1;

    if (at < 0 || node->kind != NODE_CONSTANT || whole[node->at] != '\'')
        return FAIL_WHOLE(binder, node, "%s", text);
    for (; at; at--)
        place += whole[place] == '\'' ? 2 : 1; /* a quote stands doubled */
    return fail_at(binder, place, 1, "%s", text);
}

static bool bind_like(struct binder *binder, struct node *node)
{
    struct str pattern, escape = STR("\\");
    struct error error;
    uint32_t character;
    size_t wrong_at;

    if (!check_text(binder, node->children[0], "like") || !check_text(binder, node->children[1], "like") ||
        !constant_string(binder, node->children[1], "the pattern of like", &pattern))
        return false;
    if (node->count == 3 && (!check_text(binder, node->children[2], "escape") ||
                             !constant_string(binder, node->children[2], "the escape character", &escape)))
        return false;
    character = only_character(escape);
    if (!character)
        return FAIL_WHOLE(binder, node->children[2], "the escape character must be one character");
    node->fails = true;
    if (!pattern.data) /* NULL, and so is the result */
        return true;
    return text_pattern_new(&node->like, pattern, character, &wrong_at, &error) ||
           fail_within(binder, node->children[1], (ptrdiff_t)wrong_at, error.text);
}

static bool bind_match(struct binder *binder, struct node *node)
{
    const struct node *text = node->children[1];
    struct str pattern;
    struct error error;
    size_t wrong_at;

    if (!check_text(binder, node->children[0], "~") || !check_text(binder, text, "~") ||
        !constant_string(binder, text, "the regular expression", &pattern))
        return false;
    node->fails = true;
    if (!pattern.data) /* NULL, and so is the result */
        return true;
    return regex_new(&node->regex, pattern, true, &wrong_at, &error) ||
           fail_within(binder, text, (ptrdiff_t)wrong_at, error.text);
}

/* The values of a case (each second child, and what stands behind else) or of coalesce (all). */
static size_t branch_count(const struct node *node)
{
    return node->kind == NODE_CASE ? node->count / 2 + 1 : node->count;
}

static size_t branch_child(const struct node *node, size_t branch)
{
    return node->kind == NODE_CASE ? size_min(2 * branch + 1, node->count - 1) : branch;
}

/* One type for all values. */
static bool bind_branches(struct binder *binder, struct node *node)
{
    struct type type = TYPE_OF(TYPE_NULL);

    /* Constant texts bow to dates and times, so they come second. */
    for (int texts = 0; texts < 2; texts++) {
        for (size_t i = 0; i < branch_count(node); i++) {
            const struct node *child = node->children[branch_child(node, i)];
            char name[48], other[48];

            if ((child->constant && child->type.kind == TYPE_STRING) != texts || (texts && kind_is_time(type.kind)))
                continue;
            if (!types_unify(type, child->type, &type))
                return FAIL_WHOLE(binder, child, "all values of %s need one type, these are %s and %s; cast one of them",
                                  node->kind == NODE_COALESCE ? "coalesce" : "case", type_called(type, name),
                                  type_called(child->type, other));
        }
    }
    for (size_t i = 0; i < branch_count(node); i++)
        if (!cast_child(binder, node, branch_child(node, i), type))
            return false;
    return true;
}

static bool bind_case(struct binder *binder, struct node *node)
{
    bool ok = true;

    for (size_t i = 0; i + 1 < node->count; i += 2)
        ok &= check_boolean(binder, node->children[i], "when");
    return bind_branches(binder, node) && ok;
}

static bool bind_call(struct binder *binder, struct node *node)
{
    const struct expression_function *function = node->function;
    struct function_call *call = &node->call;
    struct error error;

    *call = (struct function_call){.name = function->name,
                                   .environment = &binder->expression->environment,
                                   .count = node->count,
                                   .type = TYPE_OF(TYPE_NULL)};
    call->arguments = arena_try_array(&binder->expression->bound, node->count ? node->count : 1, sizeof(*call->arguments));
    if (!call->arguments)
        return FAIL_NODE(binder, node, "the expression is too large");
    node->fails |= function->fails;
    if (function->compares && !settle_double(binder, node, 1, 0))
        return false;
    for (size_t i = 0; i < node->count; i++) {
        const struct node *child = node->children[i];

        call->arguments[i] = (struct function_argument){child->type, child->constant, child->type};
    }
    call->blamed = node->count;
    call->blamed_at = -1;
    node->prepared = true;
    if ((function->takes && !function_take(call, function, &error)) || (function->prepare && !function->prepare(call, &error))) {
        const struct node *blamed = call->blamed < node->count ? node->children[call->blamed] : NULL;

        if (blamed ? blamed->mistaken : node->mistaken)
            return false;
        if (blamed)
            return fail_within(binder, blamed, call->blamed_at, error.text);
        return FAIL_NODE(binder, node, "%s", error.text);
    }
    for (size_t i = 0; i < node->count; i++) {
        if (!cast_child(binder, node, i, call->arguments[i].as))
            return false;
        call->arguments[i].constant = node->children[i]->constant;
    }
    return true;
}

static bool bind_in(struct binder *binder, struct node *node)
{
    for (size_t i = 1; i < node->count; i++) {
        const struct node *item = node->children[i];

        if (!check_comparison(binder, node, 0, i, item->from, item->to - item->from))
            return false;
    }
    node->set = set_new(&binder->expression->bound, node->children[0]->type.kind, node->children + 1, node->count - 1);
    return true;
}

/* The word null itself. */
static bool is_null_literal(const struct node *node)
{
    return node->kind == NODE_CONSTANT && node->parsed->type.kind == TYPE_NULL;
}

static bool bind_kind(struct binder *binder, struct node *node)
{
    char name[48];

    switch (node->kind) {
    case NODE_NEGATE:
    case NODE_ARITHMETIC:
        return bind_arithmetic(binder, node);
    case NODE_CONCAT:
        for (size_t i = 0; i < node->count; i++) {
            enum type_kind kind = node->children[i]->type.kind;

            node->fails |= kind == TYPE_BINARY;
            /* As concat and cast print it: in the job's zone, which the kernel does not know. */
            if ((kind == TYPE_DATETIME || kind == TYPE_TIMESTAMP) && !cast_child(binder, node, i, TYPE_OF(TYPE_STRING)))
                return false;
        }
        return true;
    case NODE_COMPARE:
        for (size_t i = 0; i < 2; i++)
            if (is_null_literal(node->children[i]))
                return FAIL_WHOLE(binder, node->children[i],
                                  "nothing equals NULL, so this is never true; write is null, or is not null");
        return check_comparison(binder, node, 0, 1, node->at, node->width);
    case NODE_BETWEEN:
        return check_comparison(binder, node, 0, 1, node->at, node->width) &&
               check_comparison(binder, node, 0, 2, node->at, node->width);
    case NODE_AND:
        return check_booleans(binder, node, "and");
    case NODE_OR:
        return check_booleans(binder, node, "or");
    case NODE_NOT:
        return check_booleans(binder, node, "not");
    case NODE_IS_TRUTH:
        return node->children[0]->type.kind == TYPE_BOOLEAN || node->children[0]->type.kind == TYPE_NULL ||
               FAIL_NODE(binder, node, "is true and is false take a boolean, this is %s; compare it with something",
                         type_called(node->children[0]->type, name));
    case NODE_IN:
        return bind_in(binder, node);
    case NODE_LIKE:
        return bind_like(binder, node);
    case NODE_MATCH:
        return bind_match(binder, node);
    case NODE_CASE:
        return bind_case(binder, node);
    case NODE_COALESCE:
        return bind_branches(binder, node);
    case NODE_CAST: {
        struct error error;
        char from[48], to[TYPE_NAME_MAX];

        node->fails = true;
        if (!binder->expression->convert.zone && convert_needs_zone(node->children[0]->type, node->cast_to))
            return FAIL_NODE(binder, node, "%s becomes %s in a time zone, and the job names none; set time_zone",
                             type_called(node->children[0]->type, from), type_print(node->cast_to, to));
        return convert_possible(node->children[0]->type, node->cast_to, &error) || FAIL_NODE(binder, node, "%s", error.text);
    }
    case NODE_CALL:
        return bind_call(binder, node);
    default:
        return true;
    }
}

/* Of a mistaken node: TYPE_NULL where it depends on what is wrong. */
static struct type type_despite(const struct node *node)
{
    switch (node->kind) {
    case NODE_COMPARE:
    case NODE_AND:
    case NODE_OR:
    case NODE_NOT:
    case NODE_IS_NULL:
    case NODE_IS_TRUTH:
    case NODE_IN:
    case NODE_BETWEEN:
    case NODE_LIKE:
    case NODE_MATCH:
        return TYPE_OF(TYPE_BOOLEAN);
    case NODE_CAST:
        return node->cast_to;
    case NODE_SUBJECT:
        return node->children[0]->type;
    default:
        return TYPE_OF(TYPE_NULL);
    }
}

static void bind_node(struct binder *binder, struct node *node)
{
    node->constant = NULL;
    node->fails = false;
    node->mistaken = false;
    for (size_t i = 0; i < node->count; i++) {
        node->fails |= node->children[i]->fails;
        node->mistaken |= node->children[i]->mistaken;
    }
    switch (node->kind) {
    case NODE_CONSTANT:
        node->constant = node->parsed;
        node->type = node->parsed->type;
        break;
    case NODE_FIELD:
        node->type = binder->expression->fields[node->operation].type;
        node->mistaken = binder->expression->fields[node->operation].missing;
        break;
    case NODE_NOW:
        node->type = TYPE_OF(TYPE_TIMESTAMP);
        break;
    case NODE_SUBJECT:
        node->type = node->children[0]->type;
        node->constant = node->children[0]->constant;
        break;
    case NODE_MISTAKE:
        node->mistaken = true;
        break;
    default:
        if (!bind_kind(binder, node) || (!node->mistaken && !probe(binder, node)))
            node->mistaken = true;
        break;
    }
    if (node->mistaken) {
        node->type = type_despite(node);
        node->constant = NULL;
    }
    node->probe = (struct column){.type = node->type};
}

/* Quotes as word processors make them (U+2018 to U+201F) are letters here. */
static bool is_typeset_quote(struct str name)
{
    return name.size > 2 && (unsigned char)name.data[0] == 0xE2 && (unsigned char)name.data[1] == 0x80 &&
           (unsigned char)name.data[2] >= 0x98 && (unsigned char)name.data[2] <= 0x9F;
}

/* The names of some fields. */
static void list_fields(const struct batch *batch, char list[300])
{
    size_t size = 0;

    list[0] = '\0';
    for (uint32_t i = 0; i < batch->field_count; i++) {
        struct str name = batch->fields[i].name;

        if (size + name.size + 8 >= 300) {
            snprintf(list + size, 300 - size, " ...");
            return;
        }
        size += (size_t)snprintf(list + size, 300 - size, "%s%.*s", i ? ", " : "", STR_ARG(name));
    }
}

/* Says what became of the field, or names the nearest, or some. */
static void unknown_field(struct binder *binder, const struct batch *batch, const struct field_reference *reference)
{
    bool quoted = binder->expression->text.data[reference->at] == '"';
    const char *dialect = dialect_hint(reference->name, DIALECT_NAME);
    char suggestion[FIELD_SUGGESTION_MAX], list[300];

    if (dialect) {
        fail_at(binder, reference->at, reference->width, "there is no field \"%.*s\" here; %s", STR_ARG(reference->name),
                dialect);
        return;
    }
    batch_field_suggest(batch, reference->name, suggestion);
    list_fields(batch, list);
    fail_at(binder, reference->at, reference->width, "there is no field \"%.*s\" here%s%s%s",
            STR_ARG(str_head(reference->name, 60)),
            quoted                              ? " (texts stand between single quotes)"
            : is_typeset_quote(reference->name) ? " (texts stand between plain quotes: 'a')"
                                                : "",
            *suggestion ? suggestion : "; the fields are: ", *suggestion ? "" : list);
}

static bool find_fields(struct binder *binder, struct batch *batch)
{
    struct expression *expression = binder->expression;

    for (size_t i = 0; i < expression->field_count; i++) {
        struct field_reference *reference = &expression->fields[i];
        struct field *field = batch_field(batch, reference->name);

        reference->missing = !field;
        if (!field) {
            unknown_field(binder, batch, reference);
            continue;
        }
        if (!batch_column(batch, field))
            return error_set(binder->error, ERROR_DATA, "a batch of %u rows needs more memory than a batch may use",
                             batch->row_count);
        reference->type = field->column->type;
        reference->index = (uint32_t)(field - batch->fields);
    }
    return true;
}

void expression_unbind(struct expression *expression)
{
    for (size_t i = 0; i < expression->node_count; i++) {
        struct node *node = expression->nodes[i];

        regex_free(node->regex);
        node->regex = NULL;
        text_pattern_free(node->like);
        node->like = NULL;
        node->set = NULL;
        if (node->prepared && node->function->release)
            node->function->release(node->call.state);
        node->prepared = false;
        /* Casts that a binding put in between go with it. */
        for (size_t j = 0; j < node->count; j++)
            while (node->children[j]->kind == NODE_CAST && node->children[j]->implicit)
                node->children[j] = node->children[j]->children[0];
    }
    arena_clear(&expression->bound);
    expression->is_bound = false;
}

bool bind_expression(struct expression *expression, struct batch *batch, struct expression_mistakes *mistakes,
                     struct error *error)
{
    struct binder binder = {.expression = expression, .mistakes = mistakes, .error = error};

    mistakes->count = 0;
    expression_unbind(expression);
    if (!find_fields(&binder, batch))
        return false;
    binder.scratch = batch_new(SCRATCH_BYTES_MAX);
    for (size_t i = 0; i < expression->node_count; i++)
        bind_node(&binder, expression->nodes[i]);
    binder.scratch->selection = NULL;
    batch_free(binder.scratch);
    expression->is_bound = !expression->root->mistaken;
    if (expression->is_bound)
        return true;
    assert(mistakes->count || expression->mistaken);
    expression_unbind(expression);
    return error_set(error, ERROR_CONFIG, "%s",
                     mistakes->count ? mistakes->list[0].text : "there are mistakes in the expression");
}
