/* expression_reference.h: what an expression gives for a row, told from its tree, one value at a time. It shares no code with
 * src/expression and the kernels: numbers compare as whole numbers of any size, quotients come from division by hand. */
#ifndef LUADUCT_TESTS_EXPRESSION_REFERENCE_H
#define LUADUCT_TESTS_EXPRESSION_REFERENCE_H

#include "expression_tree.h"

/* --- evaluation, a row at a time --- */

struct view {
    const struct value *row;
    bool null_on_error;
};

static void evaluate(const struct view *view, const struct tree *tree, struct value *out);

static void set_state(struct value *value, enum state state)
{
    value->state = state;
}

static void fail_value(const struct view *view, struct value *value)
{
    value->state = view->null_on_error ? ABSENT : FAILED;
}

static void set_boolean(struct value *value, bool truth)
{
    value->state = VALUE;
    value->number = truth;
}

static bool is_true(const struct value *value)
{
    return value->state == VALUE && value->number;
}

static bool fits_bigint(wide value)
{
    return value >= INT64_MIN && value <= INT64_MAX;
}

/* value * 10^digits, when it has at most 38 digits. */
static bool shift(wide value, unsigned digits, wide *out)
{
    if (value != 0 && (digits > 38 || magnitude(value) > (power(38) - 1) / power(digits)))
        return false;
    *out = value == 0 ? 0 : value * power(digits);
    return true;
}

static bool text_number(const char *text, wide *out)
{
    const char *at = text + (*text == '-');

    if (!*at)
        return false;
    for (*out = 0; *at; at++) {
        if (*at < '0' || *at > '9' || *out > INT64_MAX)
            return false;
        *out = *out * 10 + (*at - '0');
    }
    *out = *text == '-' ? -*out : *out;
    return fits_bigint(*out);
}

/* Whether the shortest text that reads as this double is number / 10^scale. */
static bool is_shortest(double real, wide number, unsigned scale)
{
    char text[40];
    struct big a = big_of((unsigned __int128)magnitude(number)), b;
    wide digits = 0;
    int exponent, count = 0;

    for (int more = 0; more < 18; more++) {
        snprintf(text, sizeof(text), "%.*e", more, fabs(real));
        if (strtod(text, NULL) == fabs(real))
            break;
    }
    for (const char *at = text; *at != 'e'; at++) {
        if (*at != '.') {
            digits = digits * 10 + (*at - '0');
            count++;
        }
    }
    exponent = atoi(strchr(text, 'e') + 1) - (count - 1) + (int)scale;
    b = big_of((unsigned __int128)digits);
    for (; exponent > 0; exponent--)
        big_scale(&b, 10);
    for (; exponent < 0; exponent++)
        big_scale(&a, 10);
    return big_order(&a, &b) == 0 && (real < 0) == (number < 0);
}

/* In place, to another type. */
static bool cast_value(struct value *value, struct type type)
{
    struct type from = value->type;
    bool ok = true;
    char text[80];

    value->type = type;
    if (value->state != VALUE || (from.kind == type.kind && from.kind != TYPE_DECIMAL))
        return true;
    switch (type.kind) {
    case TYPE_STRING:
        if (from.kind == TYPE_BOOLEAN)
            snprintf(value->text, sizeof(value->text), value->number ? "true" : "false");
        else
            print_exact(value->number, scale_of(from), value->text);
        return true;
    case TYPE_BIGINT:
        if (from.kind == TYPE_STRING)
            return text_number(value->text, &value->number);
        if (from.kind == TYPE_DOUBLE) {
            ok = value->real >= -0x1p63 && value->real < 0x1p63 && trunc(value->real) == value->real;
            value->number = ok ? (int64_t)value->real : 0;
            return ok;
        }
        ok = value->number % power(from.scale) == 0;
        value->number /= power(from.scale);
        return ok && fits_bigint(value->number);
    case TYPE_DECIMAL:
        if (scale_of(from) > type.scale) {
            ok = value->number % power(scale_of(from) - type.scale) == 0;
            value->number /= power(scale_of(from) - type.scale);
        } else {
            ok = shift(value->number, type.scale - scale_of(from), &value->number);
        }
        return ok && magnitude(value->number) < power(type.precision);
    default:
        print_exact(value->number, scale_of(from), text);
        value->real = strtod(text, NULL);
        return from.kind == TYPE_BIGINT ? order_exact_double(value->number, 0, value->real) == 0
                                        : is_shortest(value->real, value->number, from.scale);
    }
}

/* a / b, b not 0, at `digits` more digits than a / b has, rounded half away from zero. */
static bool long_divide(wide a, wide b, int digits, wide *out)
{
    unsigned __int128 x = (unsigned __int128)magnitude(a), y = (unsigned __int128)magnitude(b), quotient, rest;

    for (; digits < 0; digits++) {
        if (y > (unsigned __int128)power(38)) /* all of it is less than a half */
            return *out = 0, true;
        y *= 10;
    }
    quotient = x / y;
    rest = x % y;
    for (; digits > 0; digits--) {
        unsigned digit = 0;
        unsigned __int128 next = 0;

        for (int i = 0; i < 10; i++) {
            next += rest;
            digit += next >= y;
            next -= next >= y ? y : 0;
        }
        rest = next;
        if (quotient >= (unsigned __int128)power(38))
            return false;
        quotient = quotient * 10 + digit;
    }
    quotient += rest >= y - rest;
    *out = (a < 0) != (b < 0) ? -(wide)quotient : (wide)quotient;
    return quotient < (unsigned __int128)power(38);
}

/* a * b without its last digits, rounded half away from zero. */
static bool multiply(wide a, wide b, unsigned digits, wide *out)
{
    struct big x = big_of((unsigned __int128)magnitude(a)), y = big_of((unsigned __int128)magnitude(b)), product = {0};
    unsigned __int128 whole_part = 0;
    uint32_t rest = 0;

    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;

        for (int j = 0; j < 5; j++) {
            carry += product.words[i + j] + (uint64_t)x.words[i] * y.words[j];
            product.words[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    for (; digits; digits--) {
        rest = 0;
        for (int i = 9; i >= 0; i--) {
            uint64_t part = (uint64_t)rest << 32 | product.words[i];

            product.words[i] = (uint32_t)(part / 10);
            rest = (uint32_t)(part % 10);
        }
    }
    for (int i = 9; i >= 0; i--) {
        if (i > 3 && product.words[i])
            return false;
        whole_part = whole_part << 32 | product.words[i];
    }
    whole_part += rest >= 5;
    *out = (a < 0) != (b < 0) ? -(wide)whole_part : (wide)whole_part;
    return whole_part < (unsigned __int128)power(38);
}

static bool floor_divide(wide a, wide b, wide *quotient, wide *rest)
{
    *quotient = a / b;
    *rest = a % b;
    if (*rest != 0 && (*rest < 0) != (b < 0)) {
        *rest += b;
        --*quotient;
    }
    return true;
}

static bool operate_exact(const struct tree *tree, const struct value *a, const struct value *b, wide *out)
{
    unsigned x = scale_of(a->type), y = scale_of(b->type), scale = x > y ? x : y;
    bool whole_numbers = tree->type.kind == TYPE_BIGINT;
    wide p, q, quotient, rest, limit = power(38);

    if (tree->operation == 2) {
        if (!multiply(a->number, b->number, x + y > 18 ? x + y - 18 : 0, out))
            return false;
        return whole_numbers ? fits_bigint(*out) : magnitude(*out) < limit;
    }
    if (tree->operation > 2 && b->number == 0)
        return false;
    if (tree->operation == 3)
        return long_divide(a->number, b->number, (int)tree->type.scale - (int)x + (int)y, out);
    if (tree->operation < 2) {
        /* What fits at the end may be larger in between. */
        if (__builtin_mul_overflow(a->number, power(scale - x), &p) || __builtin_mul_overflow(b->number, power(scale - y), &q))
            return false;
        if (tree->operation == 0 ? __builtin_add_overflow(p, q, out) : __builtin_sub_overflow(p, q, out))
            return false;
        return whole_numbers ? fits_bigint(*out) : magnitude(*out) < limit;
    }
    if (!shift(a->number, scale - x, &p) || !shift(b->number, scale - y, &q))
        return false;
    floor_divide(p, q, &quotient, &rest);
    *out = tree->operation == 4 ? quotient : rest;
    return !whole_numbers || fits_bigint(*out);
}

static bool operate_double(unsigned operation, double a, double b, double *out)
{
    if (operation > 2 && b == 0)
        return false;
    switch (operation) {
    case 0:
        *out = a + b;
        break;
    case 1:
        *out = a - b;
        break;
    case 2:
        *out = a * b;
        break;
    case 3:
        *out = a / b;
        break;
    case 4:
        *out = floor(a / b);
        break;
    default:
        *out = fmod(a, b);
        if (*out != 0 && (*out < 0) != (b < 0))
            *out += b;
        break;
    }
    return isfinite(*out);
}

static bool like(const char *text, const char *pattern)
{
    if (!*pattern)
        return !*text;
    if (*pattern == '%') {
        for (;; text++) {
            if (like(text, pattern + 1))
                return true;
            if (!*text)
                return false;
        }
    }
    if (!*text)
        return false;
    if (*pattern == '_') {
        for (text++; ((unsigned char)*text & 0xC0) == 0x80; text++)
            ;
        return like(text, pattern + 1);
    }
    pattern += *pattern == '\\';
    return *pattern == *text && like(text + 1, pattern + 1);
}

static bool is_written_decimal(const struct tree *tree)
{
    while (tree->kind == K_NEGATE)
        tree = tree->children[0];
    return tree->kind == K_LITERAL && tree->type.kind == TYPE_DECIMAL;
}

/* The values of two trees: a decimal that is written out stands beside a double for the nearest one. */
static int order_sides(const struct tree *a, const struct value *x, const struct tree *b, const struct value *y)
{
    double p, q;

    if (!(is_written_decimal(a) && y->type.kind == TYPE_DOUBLE) && !(is_written_decimal(b) && x->type.kind == TYPE_DOUBLE))
        return order_values(x, y);
    p = to_double(x);
    q = to_double(y);
    return (p > q) - (p < q);
}

static bool compares(unsigned operation, int order)
{
    const bool truth[] = {order == 0, order != 0, order<0, order <= 0, order> 0, order >= 0};

    return truth[operation];
}

/* Three values. */
static void logic(bool is_and, struct value *acc, const struct value *next)
{
    wide decides = !is_and;

    if (acc->state == VALUE && acc->number == decides)
        return;
    if (next->state == FAILED || (next->state == VALUE && next->number == decides) || acc->state == VALUE) {
        acc->state = next->state;
        acc->number = next->number;
    }
}

static void evaluate_logic(const struct view *view, const struct tree *tree, struct value *out)
{
    bool is_and = tree->kind == K_AND;
    struct value next;

    set_boolean(out, is_and);
    for (unsigned i = 0; i < tree->count; i++) {
        if (out->state == FAILED || (out->state == VALUE && out->number == !is_and))
            return;
        evaluate(view, tree->children[i], &next);
        logic(is_and, out, &next);
    }
}

static void take_branch(const struct view *view, const struct tree *tree, const struct tree *child, struct value *out)
{
    evaluate(view, child, out);
    if (!cast_value(out, tree->type))
        fail_value(view, out);
}

static void evaluate_choice(const struct view *view, const struct tree *tree, struct value *out)
{
    struct value subject, condition;

    if (tree->kind == K_COALESCE) {
        for (unsigned i = 0; i < tree->count; i++) {
            take_branch(view, tree, tree->children[i], out);
            if (out->state != ABSENT)
                return;
        }
        return;
    }
    if (tree->kind == K_CASE_OF) {
        evaluate(view, tree->children[0], &subject);
        if (subject.state == FAILED) {
            set_state(out, FAILED);
            return;
        }
    }
    for (unsigned i = tree->kind == K_CASE_OF; i + 1 < tree->count; i += 2) {
        evaluate(view, tree->children[i], &condition);
        if (condition.state == FAILED) {
            set_state(out, FAILED);
            return;
        }
        if (tree->kind == K_CASE_OF
                ? subject.state == VALUE && condition.state == VALUE &&
                      order_sides(tree->children[0], &subject, tree->children[i], &condition) == 0
                : is_true(&condition)) {
            take_branch(view, tree, tree->children[i + 1], out);
            return;
        }
    }
    take_branch(view, tree, tree->children[tree->count - 1], out);
}

static void evaluate_in(const struct tree *tree, const struct value *parts, struct value *out)
{
    struct value equal;

    set_boolean(out, false);
    for (unsigned i = 1; i < tree->count; i++) {
        set_boolean(&equal, parts[0].state == VALUE && parts[i].state == VALUE &&
                                order_sides(tree->children[0], &parts[0], tree->children[i], &parts[i]) == 0);
        if (parts[0].state == ABSENT || parts[i].state == ABSENT)
            equal.state = ABSENT;
        logic(false, out, &equal);
    }
}

static void evaluate_between(const struct tree *tree, const struct value *parts, struct value *out)
{
    struct value above, below;

    set_boolean(&above, parts[0].state == VALUE && parts[1].state == VALUE &&
                            order_sides(tree->children[0], &parts[0], tree->children[1], &parts[1]) >= 0);
    set_boolean(&below, parts[0].state == VALUE && parts[2].state == VALUE &&
                            order_sides(tree->children[0], &parts[0], tree->children[2], &parts[2]) <= 0);
    if (parts[0].state == ABSENT || parts[1].state == ABSENT)
        above.state = ABSENT;
    if (parts[0].state == ABSENT || parts[2].state == ABSENT)
        below.state = ABSENT;
    *out = above;
    logic(true, out, &below);
}

static bool round_value(const struct tree *tree, struct value *value)
{
    int cut = (int)scale_of(value->type) - ((int)tree->operation - 3);
    wide unit, quotient, rest;

    if (value->type.kind == TYPE_DOUBLE) {
        value->real = tree->kind == K_ROUND ? round(value->real) : tree->kind == K_FLOOR ? floor(value->real) : ceil(value->real);
        return true;
    }
    if (cut <= 0)
        return true;
    unit = power((unsigned)cut);
    floor_divide(value->number, unit, &quotient, &rest);
    if (tree->kind == K_CEIL)
        quotient += rest != 0;
    else if (tree->kind == K_ROUND)
        quotient += value->number < 0 ? rest > unit - rest : rest >= unit - rest;
    /* Back to the digits that the type has. */
    if (!shift(quotient, scale_of(tree->type) + (unsigned)cut - scale_of(value->type), &value->number))
        return false;
    value->type = tree->type;
    return value->type.kind != TYPE_BIGINT || fits_bigint(value->number);
}

/* All parts are there. False: the row cannot have the value. */
static bool evaluate_strict(const struct tree *tree, struct value *parts, struct value *out)
{
    char text[80];

    switch (tree->kind) {
    case K_NEGATE:
    case K_ABS:
        *out = parts[0];
        if (tree->kind == K_ABS && (out->type.kind == TYPE_DOUBLE ? !signbit(out->real) : out->number >= 0))
            return true;
        out->number = -out->number;
        out->real = -out->real;
        return out->type.kind != TYPE_BIGINT || fits_bigint(out->number);
    case K_ARITHMETIC:
        if (tree->type.kind == TYPE_DOUBLE)
            return operate_double(tree->operation, to_double(&parts[0]), to_double(&parts[1]), &out->real);
        return operate_exact(tree, &parts[0], &parts[1], &out->number);
    case K_CONCAT:
        for (unsigned i = 0; i < 2; i++) {
            if (parts[i].type.kind == TYPE_BOOLEAN)
                snprintf(parts[i].text, sizeof(parts[i].text), parts[i].number ? "true" : "false");
            else if (parts[i].type.kind != TYPE_STRING) {
                print_exact(parts[i].number, scale_of(parts[i].type), text);
                snprintf(parts[i].text, sizeof(parts[i].text), "%s", text);
            }
        }
        FUZZ_CLAIM(strlen(parts[0].text) + strlen(parts[1].text) < sizeof(out->text), "a text too long");
        strcpy(out->text, parts[0].text);
        strcat(out->text, parts[1].text);
        return true;
    case K_COMPARE:
        set_boolean(out, compares(tree->operation, order_sides(tree->children[0], &parts[0], tree->children[1], &parts[1])));
        return true;
    case K_NOT:
        set_boolean(out, !parts[0].number);
        return true;
    case K_LIKE:
        set_boolean(out, like(parts[0].text, patterns[tree->operation]) != tree->negated);
        return true;
    case K_MATCH:
        set_boolean(out, (tree->operation == 3 ? parts[0].text[0] != '\0'
                                               : strstr(parts[0].text, words[tree->operation]) != NULL) != tree->negated);
        return true;
    case K_CAST:
        *out = parts[0];
        return cast_value(out, tree->type);
    case K_GREATEST:
    case K_LEAST:
        *out = parts[0];
        for (unsigned i = 1; i < tree->count; i++)
            if (tree->kind == K_GREATEST ? order_values(&parts[i], out) > 0 : order_values(&parts[i], out) < 0)
                *out = parts[i];
        return true;
    default:
        *out = parts[0];
        return round_value(tree, out);
    }
}

static void evaluate_parts(const struct view *view, const struct tree *tree, struct value *out)
{
    struct value parts[CHILDREN];
    bool absent = false;

    for (unsigned i = 0; i < tree->count; i++) {
        evaluate(view, tree->children[i], &parts[i]);
        if ((tree->kind == K_GREATEST || tree->kind == K_LEAST) && parts[i].state != FAILED && !cast_value(&parts[i], tree->type))
            fail_value(view, &parts[i]);
        if (parts[i].state == FAILED) {
            set_state(out, FAILED);
            return;
        }
        absent |= parts[i].state == ABSENT;
    }
    switch (tree->kind) {
    case K_IS_NULL:
        set_boolean(out, absent != tree->negated);
        return;
    case K_IS_TRUTH:
        set_boolean(out, (!absent && parts[0].number == (wide)tree->operation) != tree->negated);
        return;
    case K_IN:
    case K_BETWEEN:
        if (tree->kind == K_IN)
            evaluate_in(tree, parts, out);
        else
            evaluate_between(tree, parts, out);
        if (out->state == VALUE)
            out->number ^= tree->negated;
        return;
    case K_NULLIF:
        *out = parts[0];
        if (!absent && (is_written_decimal(tree->children[0]) /* the result has its type, so it stays one */
                            ? order_values(&parts[0], &parts[1])
                            : order_sides(tree->children[0], &parts[0], tree->children[1], &parts[1])) == 0)
            out->state = ABSENT;
        return;
    default:
        break;
    }
    out->state = absent ? ABSENT : VALUE;
    if (!absent && !evaluate_strict(tree, parts, out))
        fail_value(view, out);
}

static void evaluate(const struct view *view, const struct tree *tree, struct value *out)
{
    *out = (struct value){.type = tree->type};
    switch (tree->kind) {
    case K_LITERAL:
        *out = *tree->literal;
        break;
    case K_FIELD:
        *out = view->row[tree->operation];
        break;
    case K_AND:
    case K_OR:
        evaluate_logic(view, tree, out);
        break;
    case K_CASE:
    case K_CASE_OF:
    case K_IF:
    case K_COALESCE:
        evaluate_choice(view, tree, out);
        break;
    default:
        evaluate_parts(view, tree, out);
        break;
    }
    out->type = tree->type;
}

/* Whether a part of it is constant and fails, which binding finds. */
static bool is_constant(const struct tree *tree)
{
    bool constant = tree->kind != K_FIELD;

    for (unsigned i = 0; i < tree->count; i++)
        constant &= is_constant(tree->children[i]);
    return constant;
}

static bool refused(const struct tree *tree)
{
    struct view view = {0};
    struct value value;

    for (unsigned i = 0; i < tree->count; i++)
        if (refused(tree->children[i]))
            return true;
    /* A constant that becomes another type beside others. */
    for (unsigned i = 0; i < tree->count; i++) {
        bool is_value = tree->kind == K_COALESCE || tree->kind == K_GREATEST || tree->kind == K_LEAST || i + 1 == tree->count ||
                        (tree->kind == K_CASE_OF ? i && i % 2 == 0 : i % 2 == 1);
        bool choice = tree->kind == K_COALESCE || tree->kind == K_GREATEST || tree->kind == K_LEAST || tree->kind == K_CASE ||
                      tree->kind == K_CASE_OF || tree->kind == K_IF;

        if (!choice || !is_value || !is_constant(tree->children[i]))
            continue;
        evaluate(&view, tree->children[i], &value);
        if (!cast_value(&value, tree->type))
            return true;
    }
    if (!is_constant(tree))
        return false;
    evaluate(&view, tree, &value);
    return value.state == FAILED;
}

#endif
