/* expression_tree.h: typed expressions and rows made from bytes, and the text of an expression, for the harness that holds the
 * expression language against expression_reference.h. What is made here is right in its types; all else may happen to it. Trees
 * live until tree_free_all. */
#ifndef LUADUCT_TESTS_EXPRESSION_TREE_H
#define LUADUCT_TESTS_EXPRESSION_TREE_H

#include "../fuzz/fuzz.h"

#include "batch/time.h"
#include "batch/type.h"

#include <math.h>

enum { ROWS = 4, CHILDREN = 7, TEXT_BYTES = 4096 };

typedef __int128 wide;

/* --- choices --- */

struct choices {
    const uint8_t *data;
    size_t size;
};

static unsigned choose(struct choices *choices, unsigned count)
{
    unsigned value;

    if (!choices->size)
        return 0;
    value = choices->data[0] % count;
    choices->data++;
    choices->size--;
    return value;
}

/* --- values --- */

enum state { VALUE, ABSENT, FAILED };

struct value {
    enum state state;
    struct type type; /* of the expression, not of this value alone */
    wide number;      /* boolean, bigint, decimal, date */
    double real;
    char text[TEXT_BYTES];
};

static bool is_number(struct type type)
{
    return type.kind == TYPE_BIGINT || type.kind == TYPE_DECIMAL || type.kind == TYPE_DOUBLE;
}

static unsigned scale_of(struct type type)
{
    return type.kind == TYPE_DECIMAL ? type.scale : 0;
}

static wide power(unsigned digits)
{
    wide result = 1;

    while (digits--)
        result *= 10;
    return result;
}

static wide magnitude(wide value)
{
    return value < 0 ? -value : value;
}

/* Plain notation. */
static void print_exact(wide value, unsigned scale, char *out)
{
    char digits[64];
    size_t count = 0;
    wide rest = magnitude(value);

    while (rest || count <= scale) {
        digits[count++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (value < 0)
        *out++ = '-';
    while (count) {
        if (count == scale)
            *out++ = '.';
        *out++ = digits[--count];
    }
    *out = '\0';
}

static double to_double(const struct value *value)
{
    char text[80];

    if (value->type.kind == TYPE_DOUBLE)
        return value->real;
    print_exact(value->number, scale_of(value->type), text);
    return strtod(text, NULL);
}

/* Non-negative whole numbers of any size. */
struct big {
    uint32_t words[72];
};

static void big_scale(struct big *big, uint32_t factor)
{
    uint64_t carry = 0;

    for (size_t i = 0; i < COUNT_OF(big->words); i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static struct big big_of(unsigned __int128 value)
{
    struct big big = {0};

    for (int i = 0; i < 4; i++)
        big.words[i] = (uint32_t)(value >> 32 * i);
    return big;
}

static int big_order(const struct big *a, const struct big *b)
{
    for (size_t i = COUNT_OF(a->words); i--;)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* number / 10^scale against a finite double, exactly. */
static int order_exact_double(wide number, unsigned scale, double real)
{
    int exponent, sign = number < 0 || (number == 0 && real > 0) ? -1 : 1;
    double fraction = frexp(fabs(real), &exponent);
    struct big a = big_of((unsigned __int128)magnitude(number)), b = big_of((unsigned __int128)ldexp(fraction, 53));

    if ((number > 0 && real <= 0) || (number < 0 && real >= 0) || (number == 0))
        return number == 0 ? (real > 0 ? -1 : real < 0) : sign;
    for (unsigned i = 0; i < scale; i++)
        big_scale(&b, 10);
    for (exponent -= 53; exponent > 0; exponent--)
        big_scale(&b, 2);
    for (; exponent < 0; exponent++)
        big_scale(&a, 2);
    return sign * big_order(&a, &b);
}

static int order_exact(wide a, unsigned a_scale, wide b, unsigned b_scale)
{
    struct big x = big_of((unsigned __int128)magnitude(a)), y = big_of((unsigned __int128)magnitude(b));

    if ((a < 0) != (b < 0))
        return a < 0 ? -1 : 1;
    for (unsigned i = 0; i < b_scale; i++)
        big_scale(&x, 10);
    for (unsigned i = 0; i < a_scale; i++)
        big_scale(&y, 10);
    return a < 0 ? -big_order(&x, &y) : big_order(&x, &y);
}

static int order_values(const struct value *a, const struct value *b)
{
    if (a->type.kind == TYPE_STRING)
        return strcmp(a->text, b->text);
    if (a->type.kind == TYPE_DOUBLE && b->type.kind == TYPE_DOUBLE)
        return (a->real > b->real) - (a->real < b->real);
    if (b->type.kind == TYPE_DOUBLE)
        return order_exact_double(a->number, scale_of(a->type), b->real);
    if (a->type.kind == TYPE_DOUBLE)
        return -order_exact_double(b->number, scale_of(b->type), a->real);
    return order_exact(a->number, scale_of(a->type), b->number, scale_of(b->type));
}

/* --- trees --- */

enum kind {
    K_LITERAL,
    K_FIELD,
    K_NEGATE,
    K_ARITHMETIC,
    K_CONCAT,
    K_COMPARE,
    K_AND,
    K_OR,
    K_NOT,
    K_IS_NULL,
    K_IS_TRUTH,
    K_IN,
    K_BETWEEN,
    K_LIKE,
    K_MATCH,
    K_CASE,
    K_CASE_OF,
    K_IF,
    K_COALESCE,
    K_CAST,
    K_NULLIF,
    K_GREATEST,
    K_LEAST,
    K_ABS,
    K_ROUND,
    K_FLOOR,
    K_CEIL,
};

struct tree {
    enum kind kind;
    unsigned operation; /* of arithmetic and comparison; the field; the digits of round */
    bool negated;
    struct type type;
    struct value *literal;
    char spelling[64];
    struct tree *children[CHILDREN];
    unsigned count;
};

static struct tree *pieces[4096];
static size_t piece_count;

static void *take(size_t size)
{
    void *piece = xcalloc(1, size);

    FUZZ_CLAIM(piece_count < COUNT_OF(pieces), "a tree too large");
    pieces[piece_count++] = piece;
    return piece;
}

static const struct {
    const char *name;
    struct type type;
} fields[] = {
    {"i", {TYPE_BIGINT, 0, 0}},    {"j", {TYPE_BIGINT, 0, 0}},
    {"d", {TYPE_DECIMAL, 10, 2}},  {"\"big one\"", {TYPE_DECIMAL, 38, 6}},
    {"f", {TYPE_DOUBLE, 0, 0}},    {"b", {TYPE_BOOLEAN, 0, 0}},
    {"c", {TYPE_BOOLEAN, 0, 0}},   {"s", {TYPE_STRING, 0, 0}},
    {"`价`", {TYPE_STRING, 0, 0}}, {"day", {TYPE_DATE, 0, 0}},
};

static struct value rows[ROWS][COUNT_OF(fields)];

static const char *const texts[] = {"", "a", "b%", "上海", "Shanghai", "12", "-7", "it's", "9223372036854775808", "x_y", "aXbXa"};
static const int64_t whole[] = {0, 1, 2, -1, 7, 100, 1000000007, INT64_MAX, INT64_MIN, -3, 9007199254740993};
static const double reals[] = {0, 0.5, -1.5, 3, 1e300, 9007199254740992.0, -0.1, 1e-7, 100, 12345678.9};

static struct type decimal(unsigned precision, unsigned scale)
{
    return type_decimal((uint8_t)precision, (uint8_t)scale);
}

static void choose_value(struct choices *choices, struct type type, struct value *value)
{
    *value = (struct value){.type = type};
    switch (type.kind) {
    case TYPE_BOOLEAN:
        value->number = choose(choices, 2);
        break;
    case TYPE_BIGINT:
        value->number = whole[choose(choices, COUNT_OF(whole))];
        break;
    case TYPE_DOUBLE:
        value->real = reals[choose(choices, COUNT_OF(reals))];
        break;
    case TYPE_DECIMAL:
        value->number =
            choose(choices, 8) ? (wide)choose(choices, 256) * choose(choices, 256) - 20000 : power(type.precision) - 1;
        break;
    case TYPE_DATE:
        value->number = (wide)choose(choices, 256) * 100 - 500;
        break;
    default:
        snprintf(value->text, sizeof(value->text), "%s", texts[choose(choices, COUNT_OF(texts))]);
        break;
    }
}

static void tree_free_all(void)
{
    while (piece_count)
        free(pieces[--piece_count]);
}

static struct tree *tree_new(enum kind kind, struct type type)
{
    struct tree *tree = take(sizeof(*tree));

    tree->kind = kind;
    tree->type = type;
    return tree;
}

static struct tree *literal(struct choices *choices, struct type type)
{
    struct tree *tree = tree_new(K_LITERAL, type);
    struct value *value = tree->literal = take(sizeof(*value));
    char text[80];

    if (type.kind == TYPE_DECIMAL) { /* as it is written, so is its type */
        type.scale = (uint8_t)(1 + choose(choices, 4));
        type.precision = (uint8_t)(type.scale + 5);
        choose_value(choices, type, value);
        print_exact(value->number, type.scale, text);
        type.precision = 1;
        while (magnitude(value->number) >= power(type.precision))
            type.precision++;
        type.precision = type.precision < type.scale ? type.scale : type.precision;
        value->type = tree->type = type;
    } else {
        choose_value(choices, type, value);
        print_exact(value->number, 0, text);
    }
    if (type.kind == TYPE_DOUBLE)
        snprintf(tree->spelling, sizeof(tree->spelling), "%.17e", value->real);
    else if (type.kind == TYPE_BOOLEAN)
        snprintf(tree->spelling, sizeof(tree->spelling), value->number ? "TRUE" : "false");
    else if (type.kind == TYPE_DATE) {
        char day[TIME_TEXT_MAX];
        size_t size = time_print_date((int32_t)value->number, day);

        snprintf(tree->spelling, sizeof(tree->spelling), "date '%.*s'", (int)size, day);
    } else if (type.kind != TYPE_STRING) {
        snprintf(tree->spelling, sizeof(tree->spelling), "%s", text);
    }
    return tree;
}

static struct tree *null_literal(struct type type)
{
    struct tree *tree = tree_new(K_LITERAL, type);

    tree->literal = take(sizeof(*tree->literal));
    *tree->literal = (struct value){.state = ABSENT, .type = type};
    snprintf(tree->spelling, sizeof(tree->spelling), "NULL");
    return tree;
}

static struct tree *add(struct tree *tree, struct tree *child)
{
    FUZZ_CLAIM(tree->count < CHILDREN, "children");
    tree->children[tree->count++] = child;
    return tree;
}

static const enum type_kind number_kinds[] = {TYPE_BIGINT, TYPE_DECIMAL, TYPE_DOUBLE};

static struct tree *grow(struct choices *choices, enum type_kind kind, unsigned depth);

static struct tree *grow_number(struct choices *choices, unsigned depth)
{
    return grow(choices, number_kinds[choose(choices, 3)], depth);
}

/* A field, a literal, or NULL of that kind. */
static struct tree *grow_leaf(struct choices *choices, enum type_kind kind)
{
    unsigned first = choose(choices, COUNT_OF(fields));

    if (choose(choices, 4)) {
        for (unsigned i = 0; i < COUNT_OF(fields); i++) {
            unsigned field = (first + i) % COUNT_OF(fields);

            if (fields[field].type.kind == kind) {
                struct tree *tree = tree_new(K_FIELD, fields[field].type);

                tree->operation = field;
                return tree;
            }
        }
    }
    return literal(choices, TYPE_OF(kind));
}

static struct type unify(struct type a, struct type b)
{
    unsigned scale, digits;

    if (a.kind != b.kind && (a.kind == TYPE_DOUBLE || b.kind == TYPE_DOUBLE))
        return TYPE_OF(TYPE_DOUBLE);
    if (a.kind == b.kind && a.kind != TYPE_DECIMAL)
        return a;
    a = a.kind == TYPE_BIGINT ? decimal(19, 0) : a;
    b = b.kind == TYPE_BIGINT ? decimal(19, 0) : b;
    scale = a.scale > b.scale ? a.scale : b.scale;
    digits = (a.precision - a.scale > b.precision - b.scale ? a.precision - a.scale : b.precision - b.scale) + scale;
    return decimal(digits > 38 ? 38 : digits, scale);
}

static bool is_null_literal(const struct tree *tree)
{
    return tree->kind == K_LITERAL && tree->literal->state == ABSENT;
}

/* The type of the children from `first`, every step-th and the last. A bare NULL has none. */
static void settle(struct tree *tree, unsigned first, unsigned step)
{
    bool known = false;

    for (unsigned i = first; i < tree->count; i += step) {
        if (is_null_literal(tree->children[i]))
            continue;
        tree->type = known ? unify(tree->type, tree->children[i]->type) : tree->children[i]->type;
        known = true;
    }
    if (step == 2 && !is_null_literal(tree->children[tree->count - 1]))
        tree->type = known ? unify(tree->type, tree->children[tree->count - 1]->type) : tree->children[tree->count - 1]->type;
}

/* A number for a place where several kinds meet, or another value of the kind. */
static struct tree *grow_like(struct choices *choices, enum type_kind kind, unsigned depth)
{
    bool number = kind == TYPE_BIGINT || kind == TYPE_DECIMAL || kind == TYPE_DOUBLE;

    return number && !choose(choices, 3) ? grow_number(choices, depth) : grow(choices, kind, depth);
}

/* if, case, coalesce. The first value is of the kind; the type is what holds all of them, so the caller may get a wider number.
 */
static struct tree *grow_choice(struct choices *choices, enum type_kind kind, unsigned depth)
{
    struct tree *tree;
    unsigned form = choose(choices, 4);

    if (form == 0) {
        tree = tree_new(K_COALESCE, TYPE_OF(kind));
        add(tree, grow(choices, kind, depth));
        add(tree, grow_like(choices, kind, depth));
        if (choose(choices, 2))
            add(tree, grow_like(choices, kind, depth));
        settle(tree, 0, 1);
        return tree;
    }
    if (form == 1) {
        tree = tree_new(K_IF, TYPE_OF(kind));
        add(tree, grow(choices, TYPE_BOOLEAN, depth));
        add(tree, grow(choices, kind, depth));
        add(tree, choose(choices, 4) ? grow_like(choices, kind, depth) : null_literal(TYPE_OF(kind)));
        settle(tree, 1, 2);
        return tree;
    }
    if (form == 2) {
        enum type_kind subject = number_kinds[choose(choices, 3)];

        tree = tree_new(K_CASE_OF, TYPE_OF(kind));
        add(tree, grow(choices, subject, depth));
        for (unsigned i = 1 + choose(choices, 2); i; i--) {
            add(tree, grow_number(choices, depth));
            add(tree, grow_like(choices, kind, depth));
        }
        add(tree, grow(choices, kind, depth));
        settle(tree, 2, 2);
        return tree;
    }
    tree = tree_new(K_CASE, TYPE_OF(kind));
    for (unsigned i = 1 + choose(choices, 2); i; i--) {
        add(tree, grow(choices, TYPE_BOOLEAN, depth));
        add(tree, grow_like(choices, kind, depth));
    }
    add(tree, grow(choices, kind, depth));
    settle(tree, 1, 2);
    return tree;
}

static const char *const patterns[] = {"%", "", "a%", "%海", "_", "__", "%a%", "S%i", "_h%", "b\\%", "x\\_y", "%_a", "%X_X%"};

static struct tree *grow_condition(struct choices *choices, unsigned depth)
{
    static const enum type_kind compared[] = {TYPE_BIGINT, TYPE_DECIMAL, TYPE_DOUBLE, TYPE_STRING, TYPE_DATE, TYPE_BOOLEAN};
    struct tree *tree;
    enum type_kind kind = compared[choose(choices, 6)];
    unsigned form = choose(choices, 12);
    bool constants;

    switch (form) {
    case 0:
    case 1:
        tree = tree_new(form ? K_AND : K_OR, TYPE_OF(TYPE_BOOLEAN));
        for (unsigned i = 2 + choose(choices, 2); i; i--)
            add(tree, grow(choices, TYPE_BOOLEAN, depth));
        return tree;
    case 2:
        return add(tree_new(K_NOT, TYPE_OF(TYPE_BOOLEAN)), grow(choices, TYPE_BOOLEAN, depth));
    case 3:
        tree = add(tree_new(K_IS_NULL, TYPE_OF(TYPE_BOOLEAN)), grow(choices, kind, depth));
        tree->negated = choose(choices, 2);
        return tree;
    case 4:
        tree = add(tree_new(K_IS_TRUTH, TYPE_OF(TYPE_BOOLEAN)), grow(choices, TYPE_BOOLEAN, depth));
        tree->negated = choose(choices, 2);
        tree->operation = choose(choices, 2);
        return tree;
    case 5:
        tree = add(tree_new(K_IN, TYPE_OF(TYPE_BOOLEAN)), grow(choices, kind, depth));
        tree->negated = choose(choices, 2);
        constants = choose(choices, 2); /* which are looked up, when there are enough of them */
        for (unsigned i = 1 + choose(choices, 6); i; i--)
            add(tree, !choose(choices, 8) ? null_literal(TYPE_OF(kind))
                      : constants         ? literal(choices, TYPE_OF(kind))
                                          : grow_like(choices, kind, depth));
        return tree;
    case 6:
        tree = add(tree_new(K_BETWEEN, TYPE_OF(TYPE_BOOLEAN)), grow(choices, kind, depth));
        tree->negated = choose(choices, 2);
        add(tree, grow_like(choices, kind, depth));
        return add(tree, grow_like(choices, kind, depth));
    case 7:
    case 8:
        tree = add(tree_new(form == 7 ? K_LIKE : K_MATCH, TYPE_OF(TYPE_BOOLEAN)), grow(choices, TYPE_STRING, depth));
        tree->negated = choose(choices, 2);
        tree->operation = choose(choices, form == 7 ? COUNT_OF(patterns) : 4);
        return tree;
    case 9:
        return grow_choice(choices, TYPE_BOOLEAN, depth);
    default:
        tree = add(tree_new(K_COMPARE, TYPE_OF(TYPE_BOOLEAN)), grow(choices, kind, depth));
        tree->operation = choose(choices, 6);
        return add(tree, grow_like(choices, kind, depth));
    }
}

static struct tree *grow_arithmetic(struct choices *choices, enum type_kind kind, unsigned depth)
{
    struct tree *tree = tree_new(K_ARITHMETIC, TYPE_OF(kind)), *a = grow(choices, kind, depth),
                *b = grow_like(choices, kind, depth);
    unsigned operation = choose(choices, 6), x = scale_of(a->type), y = scale_of(b->type), larger = x > y ? x : y;

    if (choose(choices, 2)) {
        struct tree *other = a;

        a = b;
        b = other;
        x = scale_of(a->type);
        y = scale_of(b->type);
    }
    tree->operation = operation;
    add(add(tree, a), b);
    if (a->type.kind == TYPE_DOUBLE || b->type.kind == TYPE_DOUBLE)
        tree->type = TYPE_OF(TYPE_DOUBLE);
    else if (a->type.kind == TYPE_DECIMAL || b->type.kind == TYPE_DECIMAL)
        tree->type = decimal(38, operation == 2   ? (x + y > 18 ? 18 : x + y)
                                 : operation == 3 ? (x > 18  ? 18
                                                     : x > 6 ? x
                                                             : 6)
                                 : operation == 4 ? 0
                                                  : larger);
    else
        tree->type = TYPE_OF(operation == 3 ? TYPE_DOUBLE : TYPE_BIGINT);
    return tree;
}

static struct type rounded(struct type type, int digits)
{
    unsigned scale = digits < 0 ? 0 : (unsigned)digits, whole_digits = type.precision - type.scale + 1u;

    if (type.kind != TYPE_DECIMAL || digits >= type.scale)
        return type;
    return decimal(whole_digits + scale > 38 ? 38 : whole_digits + scale, scale);
}

static struct tree *grow_numeric_function(struct choices *choices, enum type_kind kind, unsigned depth)
{
    static const enum kind functions[] = {K_NULLIF, K_GREATEST, K_LEAST, K_ABS, K_ROUND, K_FLOOR, K_CEIL, K_NEGATE, K_CAST};
    enum kind function = functions[choose(choices, COUNT_OF(functions))];
    struct tree *tree = tree_new(function, TYPE_OF(kind));

    if (function == K_CAST) {
        static const enum type_kind from[] = {TYPE_BIGINT, TYPE_DECIMAL, TYPE_STRING, TYPE_DOUBLE};
        enum type_kind source = from[choose(choices, 4)];

        /* Of text to numbers only whole ones, of doubles to decimals none: their rules are others' business. */
        if ((source == TYPE_STRING && kind != TYPE_BIGINT) || (source == TYPE_DOUBLE && kind == TYPE_DECIMAL))
            source = TYPE_BIGINT;
        tree->type = kind == TYPE_DECIMAL ? decimal(10 + choose(choices, 10), 1 + choose(choices, 4)) : TYPE_OF(kind);
        add(tree, grow(choices, source, depth));
        if (tree->children[0]->type.kind == TYPE_DOUBLE && tree->type.kind == TYPE_DECIMAL)
            tree->type = TYPE_OF(TYPE_DOUBLE);
        return tree;
    }
    add(tree, grow(choices, kind, depth));
    tree->type = tree->children[0]->type;
    if (function == K_NULLIF) {
        add(tree, grow_like(choices, kind, depth));
    } else if (function == K_GREATEST || function == K_LEAST) {
        add(tree, grow_like(choices, kind, depth));
        settle(tree, 0, 1);
    } else if (function == K_ROUND && tree->type.kind != TYPE_DOUBLE) {
        tree->operation = choose(choices, 7);
        tree->type = rounded(tree->type, (int)tree->operation - 3);
    } else if (function == K_ROUND || function == K_FLOOR || function == K_CEIL) {
        tree->operation = 3;
        tree->type = rounded(tree->type, 0);
    }
    return tree;
}

/* How a double is printed is no matter of expressions. */
static struct tree *not_double(struct choices *choices, struct tree *tree)
{
    return tree->type.kind == TYPE_DOUBLE ? grow_leaf(choices, TYPE_STRING) : tree;
}

/* Of that kind; only where choices bring several kinds of numbers together, another kind of number may come out. */
static struct tree *grow(struct choices *choices, enum type_kind kind, unsigned depth)
{
    unsigned form = choose(choices, 6);
    struct tree *tree;

    if (depth == 0 || form == 0 || !choices->size || piece_count > COUNT_OF(pieces) / 2)
        return grow_leaf(choices, kind);
    depth--;
    if (kind == TYPE_BOOLEAN)
        return grow_condition(choices, depth);
    if (form == 1)
        return grow_choice(choices, kind, depth);
    if (kind == TYPE_DATE)
        return grow_leaf(choices, kind);
    if (kind == TYPE_STRING) {
        if (form < 4) {
            static const enum type_kind printed[] = {TYPE_STRING, TYPE_BIGINT, TYPE_DECIMAL, TYPE_BOOLEAN};

            tree = tree_new(K_CONCAT, TYPE_OF(TYPE_STRING));
            add(tree, grow(choices, TYPE_STRING, depth));
            return add(tree, not_double(choices, grow(choices, printed[choose(choices, 4)], depth)));
        }
        tree = tree_new(K_CAST, TYPE_OF(TYPE_STRING));
        return add(tree, not_double(choices, grow(choices, choose(choices, 2) ? TYPE_BIGINT : TYPE_BOOLEAN, depth)));
    }
    return form < 4 ? grow_arithmetic(choices, kind, depth) : grow_numeric_function(choices, kind, depth);
}

/* --- the text --- */

static const char *const words[] = {"a", "X", "海", "."};

static void print_text(struct buffer *text, const char *value)
{
    buffer_append_char(text, '\'');
    for (; *value; value++)
        buffer_print(text, *value == '\'' ? "''" : "%c", *value);
    buffer_append_char(text, '\'');
}

static unsigned strength(const struct tree *tree)
{
    switch (tree->kind) {
    case K_OR:
        return 1;
    case K_AND:
        return 2;
    case K_NOT:
        return 3;
    case K_COMPARE:
    case K_IS_NULL:
    case K_IS_TRUTH:
    case K_IN:
    case K_BETWEEN:
    case K_LIKE:
    case K_MATCH:
        return 4;
    case K_CONCAT:
        return 5;
    case K_ARITHMETIC:
        return tree->operation < 2 ? 6 : 7;
    case K_NEGATE:
        return 8;
    case K_LITERAL:
        return tree->spelling[0] == '-' ? 8 : 9;
    default:
        return 9;
    }
}

static void print_tree(struct buffer *text, const struct tree *tree);

/* In parentheses when it binds less than `wanted`. */
static void print_child(struct buffer *text, const struct tree *child, unsigned wanted)
{
    bool wrapped = strength(child) < wanted;

    buffer_print(text, wrapped ? "(" : "");
    print_tree(text, child);
    buffer_print(text, wrapped ? ")" : "");
}

static void print_list(struct buffer *text, const struct tree *tree, unsigned from, const char *between, unsigned wanted)
{
    for (unsigned i = from; i < tree->count; i++) {
        buffer_print(text, "%s", i > from ? between : "");
        print_child(text, tree->children[i], wanted);
    }
}

static void print_case(struct buffer *text, const struct tree *tree)
{
    unsigned first = tree->kind == K_CASE_OF;

    buffer_print(text, "case ");
    if (first)
        print_child(text, tree->children[0], 1);
    for (unsigned i = first; i + 1 < tree->count; i += 2) {
        buffer_print(text, " when ");
        print_child(text, tree->children[i], 1);
        buffer_print(text, " then ");
        print_child(text, tree->children[i + 1], 1);
    }
    buffer_print(text, " else ");
    print_child(text, tree->children[tree->count - 1], 1);
    buffer_print(text, " end");
}

static void print_cast(struct buffer *text, const struct tree *tree)
{
    char name[TYPE_NAME_MAX];

    buffer_print(text, "cast(");
    print_tree(text, tree->children[0]);
    buffer_print(text, " as %s)", type_print(tree->type, name));
}

static void print_tree(struct buffer *text, const struct tree *tree)
{
    static const char *const arithmetic[] = {" + ", " - ", " * ", " / ", " // ", " % "};
    static const char *const comparison[] = {" = ", " <> ", " < ", " <= ", " > ", " >= "};
    static const char *const functions[] = {
        [K_IF] = "if",   [K_COALESCE] = "coalesce", [K_NULLIF] = "NullIf", [K_GREATEST] = "greatest", [K_LEAST] = "least",
        [K_ABS] = "abs", [K_ROUND] = "round",       [K_FLOOR] = "floor",   [K_CEIL] = "ceil"};
    const char *not_word = tree->negated ? " not" : "";
    unsigned own = strength(tree);

    switch (tree->kind) {
    case K_LITERAL:
        if (tree->spelling[0])
            buffer_print(text, "%s", tree->spelling);
        else
            print_text(text, tree->literal->text);
        return;
    case K_FIELD:
        buffer_print(text, "%s", fields[tree->operation].name);
        return;
    case K_NEGATE:
        buffer_print(text, "-");
        print_child(text, tree->children[0], 9);
        return;
    case K_ARITHMETIC:
    case K_CONCAT:
    case K_COMPARE:
        print_child(text, tree->children[0], tree->kind == K_COMPARE ? 5 : own);
        buffer_print(text, "%s",
                     tree->kind == K_CONCAT    ? " || "
                     : tree->kind == K_COMPARE ? comparison[tree->operation]
                                               : arithmetic[tree->operation]);
        print_child(text, tree->children[1], own + 1);
        return;
    case K_AND:
        print_list(text, tree, 0, " AND ", 3);
        return;
    case K_OR:
        print_list(text, tree, 0, " or ", 2);
        return;
    case K_NOT:
        buffer_print(text, "not ");
        print_child(text, tree->children[0], 3);
        return;
    case K_IS_NULL:
        print_child(text, tree->children[0], 5);
        buffer_print(text, " is%s null", not_word);
        return;
    case K_IS_TRUTH:
        print_child(text, tree->children[0], 5);
        buffer_print(text, " is%s %s", not_word, tree->operation ? "true" : "false");
        return;
    case K_IN:
        print_child(text, tree->children[0], 5);
        buffer_print(text, "%s in (", not_word);
        print_list(text, tree, 1, ", ", 1);
        buffer_print(text, ")");
        return;
    case K_BETWEEN:
        print_child(text, tree->children[0], 5);
        buffer_print(text, "%s between ", not_word);
        print_child(text, tree->children[1], 5);
        buffer_print(text, " and ");
        print_child(text, tree->children[2], 5);
        return;
    case K_LIKE:
        print_child(text, tree->children[0], 5);
        buffer_print(text, "%s like ", not_word);
        print_text(text, patterns[tree->operation]);
        return;
    case K_MATCH:
        print_child(text, tree->children[0], 5);
        buffer_print(text, tree->negated ? " !~ " : " ~ ");
        print_text(text, words[tree->operation]);
        return;
    case K_CASE:
    case K_CASE_OF:
        print_case(text, tree);
        return;
    case K_CAST:
        print_cast(text, tree);
        return;
    default:
        buffer_print(text, "%s(", functions[tree->kind]);
        print_list(text, tree, 0, ", ", 1);
        if (tree->kind == K_ROUND)
            buffer_print(text, ", %d", (int)tree->operation - 3);
        buffer_print(text, ")");
        return;
    }
}

#endif
