/* run.c: a bound expression over the selected rows of a batch, one kernel call a node.
 * Method: a node that not every row needs (the right side of `and`, a branch of `case`) runs over a narrower selection, when rows
 * could fail in it; its values are then put where they belong. Rows that failed are swept out of all selections around.
 * Cost: that of the kernels; a narrowed part pays some 10 instructions a row more and saves the rows that do not need it. */
#include "expression/internal.h"

#include <stdlib.h>

static bool out_of_memory(struct run *run)
{
    return operand_out_of_memory(run->batch, run->error);
}

/* ---- selections ---- */

struct selection {
    uint32_t *rows;
    uint32_t count;
};

static uint64_t rows_left(const struct batch *batch)
{
    return (uint64_t)batch->dirty_count + batch->filtered_count;
}

static struct selection selection_set(struct batch *batch, struct selection selection)
{
    struct selection before = {batch->selection, batch->selected};

    batch->selection = selection.rows;
    batch->selected = selection.count;
    return before;
}

/* Back to a wider selection; `left` is what rows_left said when that was the current one. */
static void selection_restore(struct batch *batch, struct selection before, uint64_t left)
{
    selection_set(batch, before);
    if (batch->gone && rows_left(batch) != left) {
        batch->gone_any = true;
        batch_sweep(batch);
    }
}

/* Splits the selected rows: `yes` gets those whose value is true (when `nulls`: NULL, whatever the type), `no` the others. */
static bool selection_split(struct run *run, struct operand value, bool nulls, struct selection *yes, struct selection *no)
{
    struct batch *batch = run->batch;
    uint32_t *rows = arena_try_array(&batch->arena, batch->selected, 2 * sizeof(uint32_t));
    uint32_t mask, truth_mask = operand_mask(value), yes_count = 0, no_count = 0;
    const uint8_t *null = operand_nulls(value, &mask), *truth = value.column->boolean;
    bool always_null = operand_kind(value) == TYPE_NULL;

    if (!rows)
        return out_of_memory(run);
    *yes = (struct selection){rows, 0};
    *no = (struct selection){rows + batch->selected, 0};
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        bool is_null = null[row & mask];
        bool take = nulls ? is_null : !always_null && !is_null && truth[row & truth_mask];

        yes->rows[yes_count] = row;
        no->rows[no_count] = row;
        yes_count += take;
        no_count += !take;
    }
    yes->count = yes_count;
    no->count = no_count;
    return true;
}

/* ---- putting parts together ---- */

static void move_rows(const struct batch *batch, struct operand from, char *out, size_t size)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    const char *in = from.column->data;
    uint32_t mask = operand_mask(from);

    for (; selection < end; selection++)
        memcpy(out + (size_t)*selection * size, in + (size_t)(*selection & mask) * size, size);
}

/* The selected rows of a column of the same type, or of NULLs. */
static void column_put(const struct batch *batch, struct column *column, struct operand from)
{
    const uint32_t *selection = batch->selection, *end = selection + batch->selected;
    size_t size = type_size(column->type.kind);
    const uint8_t *null;
    uint32_t mask;

    if (operand_kind(from) != TYPE_NULL) {
        assert(operand_kind(from) == column->type.kind);
        column->utf8 = column->utf8 && from.column->utf8;
        switch (size) { /* a size that is known becomes one or two moves */
        case 0:
            break;
        case 1:
            move_rows(batch, from, column->data, 1);
            break;
        case 8:
            move_rows(batch, from, column->data, 8);
            break;
        case 16:
            move_rows(batch, from, column->data, 16);
            break;
        default:
            move_rows(batch, from, column->data, size);
            break;
        }
    }
    null = operand_nulls(from, &mask);
    for (; selection < end; selection++)
        column->null[*selection] = null[*selection & mask];
}

static struct column *column_new(struct run *run, struct type type)
{
    struct column *column = column_try_new(&run->batch->arena, type, run->batch->row_count, true);

    if (column) {
        column->utf8 = true;
    } else {
        out_of_memory(run);
    }
    return column;
}

/* ---- and, or ---- */

/* and: the rows whose value so far is not false; or: not true. */
static bool undecided(struct run *run, enum node_kind kind, struct operand value, struct selection *rows)
{
    struct selection no;
    struct column *opposite;

    if (kind == NODE_OR) {
        struct selection yes;

        return selection_split(run, value, false, &yes, rows);
    }
    if (!kernel_not(run->batch, value, &opposite, run->error))
        return false;
    return selection_split(run, (struct operand){opposite, false}, false, &no, rows);
}

static bool run_guarded(struct run *run, struct node *node, struct node *child, struct operand *value)
{
    enum logic logic = node->kind == NODE_AND ? LOGIC_AND : LOGIC_OR;
    struct batch *batch = run->batch;
    uint64_t left = rows_left(batch);
    struct selection rows, before;
    struct operand part;
    struct column *joined, *column;
    bool ok;

    if (!undecided(run, node->kind, *value, &rows))
        return false;
    if (rows.count == 0)
        return true;
    column = column_new(run, TYPE_OF(TYPE_BOOLEAN));
    if (!column)
        return false;
    column_put(batch, column, *value);
    before = selection_set(batch, rows);
    ok = node_run(run, child, &part) && kernel_logic(batch, logic, *value, part, &joined, run->error);
    if (ok)
        column_put(batch, column, (struct operand){joined, false});
    selection_restore(batch, before, left);
    *value = (struct operand){column, false};
    return ok;
}

static bool run_logic(struct run *run, struct node *node, struct operand *out)
{
    enum logic logic = node->kind == NODE_AND ? LOGIC_AND : LOGIC_OR;
    struct operand part;
    struct column *column;

    if (!node_run(run, node->children[0], out))
        return false;
    for (size_t i = 1; i < node->count; i++) {
        struct node *child = node->children[i];

        if (child->fails && !run->probe) {
            if (!run_guarded(run, node, child, out))
                return false;
            continue;
        }
        if (!node_run(run, child, &part) || !kernel_logic(run->batch, logic, *out, part, &column, run->error))
            return false;
        *out = (struct operand){column, false};
    }
    return true;
}

/* ---- case, coalesce ---- */

/* The value of `child` for `rows`, into the column; `rows` loses those that fail. */
static bool run_branch(struct run *run, struct node *child, struct selection rows, struct column *column)
{
    struct operand value;
    struct selection before;
    uint64_t left = rows_left(run->batch);
    bool ok;

    if (rows.count == 0)
        return true;
    before = selection_set(run->batch, rows);
    ok = node_run(run, child, &value);
    if (ok)
        column_put(run->batch, column, value);
    selection_restore(run->batch, before, left);
    return ok;
}

static bool run_case(struct run *run, struct node *node, struct column *column)
{
    struct selection yes, no;
    struct operand condition;

    if (node->subject && !run->probe && !node_run(run, node->subject->children[0], &node->subject->value))
        return false;
    for (size_t i = 0; i + 1 < node->count; i += 2) {
        if (!node_run(run, node->children[i], &condition) || !selection_split(run, condition, false, &yes, &no) ||
            !run_branch(run, node->children[i + 1], yes, column))
            return false;
        selection_set(run->batch, no);
    }
    return run_branch(run, node->children[node->count - 1], (struct selection){run->batch->selection, run->batch->selected},
                      column);
}

static bool run_coalesce(struct run *run, struct node *node, struct column *column)
{
    struct batch *batch = run->batch;
    struct selection yes, no;
    struct operand value;

    for (size_t i = 0; i < node->count && (i == 0 || batch->selected); i++) {
        if (!node_run(run, node->children[i], &value))
            return false;
        column_put(batch, column, value);
        if (!selection_split(run, value, true, &yes, &no))
            return false;
        selection_set(batch, yes);
    }
    return true;
}

/* Each row takes one value of many: the selection shrinks from one to the next. */
static bool run_choice(struct run *run, struct node *node, struct operand *out)
{
    struct batch *batch = run->batch;
    struct selection before = {batch->selection, batch->selected}, rows;
    struct type type = node->children[node->count - 1]->type;
    uint64_t left = rows_left(batch);
    struct column *column;
    bool ok;

    for (size_t i = node->kind == NODE_CASE; i < node->count && type.kind == TYPE_NULL; i += node->kind == NODE_CASE ? 2 : 1)
        type = node->children[i]->type;
    column = column_new(run, type);
    rows.rows = arena_try_array(&batch->arena, batch->selected, sizeof(uint32_t));
    rows.count = batch->selected;
    if (!column)
        return false;
    if (!rows.rows)
        return out_of_memory(run);
    if (rows.count)
        memcpy(rows.rows, before.rows, rows.count * sizeof(uint32_t));
    selection_set(batch, rows);
    ok = node->kind == NODE_CASE ? run_case(run, node, column) : run_coalesce(run, node, column);
    selection_restore(batch, before, left);
    *out = (struct operand){column, false};
    return ok;
}

/* ---- the others ---- */

/* How reasons call it. */
static struct str node_text(const struct run *run, const struct node *node)
{
    return str_head(str_make(run->expression->text.data + node->from, node->to - node->from), 80);
}

static bool run_truth(struct run *run, const struct node *node, struct operand value, struct column **column_out)
{
    struct batch *batch = run->batch;
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_BOOLEAN), batch->row_count, false);
    uint32_t mask, value_mask = operand_mask(value);
    const uint8_t *null = operand_nulls(value, &mask);
    bool always_null = operand_kind(value) == TYPE_NULL;

    if (!column)
        return out_of_memory(run);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        bool is = !always_null && !null[row & mask] && value.column->boolean[row & value_mask] == node->operation;

        column->boolean[row] = is != node->negated;
    }
    *column_out = column;
    return true;
}

static bool negate(struct run *run, const struct node *node, struct column **column)
{
    return !node->negated || kernel_not(run->batch, (struct operand){*column, false}, column, run->error);
}

static bool run_in(struct run *run, const struct node *node, struct column **column_out)
{
    struct batch *batch = run->batch;
    struct operand value, item;
    struct column *equal, *any = NULL;

    if (!node_run(run, node->children[0], &value))
        return false;
    if (node->set)
        return set_run(node->set, batch, value, column_out, run->error) && negate(run, node, column_out);
    for (size_t i = 1; i < node->count; i++) {
        if (!node_run(run, node->children[i], &item) || !kernel_compare(batch, COMPARE_EQ, value, item, &equal, run->error))
            return false;
        if (any &&
            !kernel_logic(batch, LOGIC_OR, (struct operand){any, false}, (struct operand){equal, false}, &equal, run->error))
            return false;
        any = equal;
    }
    *column_out = any;
    return negate(run, node, column_out);
}

static bool run_between(struct run *run, const struct node *node, const struct operand *parts, struct column **column_out)
{
    struct batch *batch = run->batch;
    struct column *low, *high;

    return kernel_compare(batch, COMPARE_GE, parts[0], parts[1], &low, run->error) &&
           kernel_compare(batch, COMPARE_LE, parts[0], parts[2], &high, run->error) &&
           kernel_logic(batch, LOGIC_AND, (struct operand){low, false}, (struct operand){high, false}, column_out, run->error) &&
           negate(run, node, column_out);
}

static bool run_null(struct run *run, struct type type, struct column **column_out)
{
    struct column *column = column_new(run, type);

    if (!column)
        return false;
    if (run->batch->row_count) {
        memset(column->null, 1, run->batch->row_count);
        if (type_size(type.kind))
            memset(column->data, 0, run->batch->row_count * type_size(type.kind));
    }
    *column_out = column;
    return true;
}

/* A value that is the same everywhere, in every row. */
static bool spread(struct run *run, struct operand *value)
{
    struct column *column = column_new(run, value->column->type);

    if (!column)
        return false;
    column_put(run->batch, column, *value);
    *value = (struct operand){column, false};
    return true;
}

static bool run_cast(struct run *run, const struct node *node, struct operand value, struct column **column_out)
{
    struct batch *batch = run->batch;
    const struct node *from = node->children[0];
    struct str name = from->kind == NODE_FIELD ? run->expression->fields[from->operation].name : STR_NONE;

    if (operand_kind(value) == TYPE_NULL)
        return run_null(run, node->cast_to, column_out);
    if (value.constant && !spread(run, &value))
        return false;
    *column_out = convert_column(&run->expression->convert, batch, (struct column *)value.column, node->cast_to, name,
                                 node->tries || batch->when_error == WHEN_ERROR_NULL);
    if (!*column_out)
        return out_of_memory(run);
    batch_sweep(batch);
    return true;
}

static bool run_call(struct run *run, const struct node *node, const struct operand *arguments, struct column **column_out)
{
    const struct function_call *call = &node->call;

    for (size_t i = 0; i < node->count && !node->function->takes_null; i++)
        if (operand_kind(arguments[i]) == TYPE_NULL)
            return run_null(run, call->type, column_out);
    if (!node->function->run(call, run->batch, arguments, column_out, run->error))
        return false;
    batch_sweep(run->batch);
    return true;
}

static bool run_now(struct run *run, struct operand *out)
{
    if (!run->now) {
        run->now = constant_new(&run->batch->arena, TYPE_OF(TYPE_TIMESTAMP));
        if (!run->now)
            return out_of_memory(run);
        run->now->instant[0] = (struct instant){run->now_ms / 1000, (int32_t)(run->now_ms % 1000) * 1000000};
    }
    *out = (struct operand){run->now, true};
    return true;
}

/* Nodes that take all of their children's values. */
static bool run_strict(struct run *run, struct node *node, struct column **column_out)
{
    struct operand parts[FUNCTION_ARGUMENTS_MAX];
    struct batch *batch = run->batch;

    assert(node->count <= COUNT_OF(parts));
    for (size_t i = 0; i < node->count; i++)
        if (!node_run(run, node->children[i], &parts[i]))
            return false;
    switch (node->kind) {
    case NODE_NEGATE:
        return kernel_negate(batch, parts[0], column_out, run->error);
    case NODE_ARITHMETIC:
        return kernel_arithmetic(batch, (enum arithmetic)node->operation, parts[0], parts[1], node_text(run, node), column_out,
                                 run->error);
    case NODE_CONCAT:
        return kernel_concat(batch, parts[0], parts[1], column_out, run->error);
    case NODE_COMPARE:
        return kernel_compare(batch, (enum comparison)node->operation, parts[0], parts[1], column_out, run->error);
    case NODE_NOT:
        return kernel_not(batch, parts[0], column_out, run->error);
    case NODE_IS_NULL:
        return kernel_is_null(batch, parts[0], node->negated, column_out, run->error);
    case NODE_IS_TRUTH:
        return run_truth(run, node, parts[0], column_out);
    case NODE_BETWEEN:
        return run_between(run, node, parts, column_out);
    case NODE_LIKE:
        return node->like ? text_like(batch, node->like, parts[0], node_text(run, node), column_out, run->error) &&
                                negate(run, node, column_out)
                          : run_null(run, TYPE_OF(TYPE_BOOLEAN), column_out);
    case NODE_MATCH:
        return node->regex ? regex_test(batch, node->regex, parts[0], node_text(run, node), column_out, run->error) &&
                                 negate(run, node, column_out)
                           : run_null(run, TYPE_OF(TYPE_BOOLEAN), column_out);
    case NODE_CAST:
        return run_cast(run, node, parts[0], column_out);
    default:
        assert(node->kind == NODE_CALL);
        return run_call(run, node, parts, column_out);
    }
}

/* A constant text is copied, since columns that take it may be read longer than the expression lives. */
static bool run_constant(struct run *run, const struct column *constant, struct operand *out)
{
    enum type_kind kind = constant->type.kind;

    *out = (struct operand){constant, true};
    if (!run->probe && (kind == TYPE_STRING || kind == TYPE_BINARY || kind == TYPE_JSON) && !column_is_null(constant, 0)) {
        struct column *column = constant_new(&run->batch->arena, constant->type);

        if (!column)
            return out_of_memory(run);
        column->utf8 = constant->utf8;
        column->text[0] = arena_try_copy(&run->batch->arena, constant->text[0]);
        if (!column->text[0].data)
            return out_of_memory(run);
        out->column = column;
    }
    return true;
}

bool node_run(struct run *run, struct node *node, struct operand *out)
{
    struct column *column;

    if (node->constant)
        return run_constant(run, node->constant, out);
    if (run->probe && node != run->probe) {
        *out = (struct operand){&node->probe, false};
        return true;
    }
    switch (node->kind) {
    case NODE_FIELD:
        *out = (struct operand){run->expression->fields[node->operation].column, false};
        return true;
    case NODE_NOW:
        return run_now(run, out);
    case NODE_SUBJECT:
        *out = node->value;
        return true;
    case NODE_AND:
    case NODE_OR:
        return run_logic(run, node, out);
    case NODE_CASE:
    case NODE_COALESCE:
        return run_choice(run, node, out);
    case NODE_IN:
        if (!run_in(run, node, &column))
            return false;
        break;
    default:
        if (!run_strict(run, node, &column))
            return false;
        break;
    }
    *out = (struct operand){column, false};
    return true;
}

/* ---- the whole ---- */

/* The columns of the batch in hand. *changed: a field is gone or has another type than the binding knows. */
static bool take_fields(struct expression *expression, struct batch *batch, bool *changed, struct error *error)
{
    *changed = false;
    for (size_t i = 0; i < expression->field_count; i++) {
        struct field_reference *reference = &expression->fields[i];
        struct field *field = reference->index < batch->field_count ? &batch->fields[reference->index] : NULL;

        if (!field || !str_equal(field->name, reference->name))
            field = batch_field(batch, reference->name);
        if (!field) {
            *changed = true;
            return true;
        }
        reference->index = (uint32_t)(field - batch->fields);
        reference->column = batch_column(batch, field);
        if (!reference->column)
            return operand_out_of_memory(batch, error);
        *changed |= !type_equal(reference->column->type, reference->type);
    }
    return true;
}

bool expression_parse(struct expression **expression_out, struct str text, const struct expression_environment *environment,
                      struct expression_mistakes *mistakes)
{
    struct expression *expression;

    *expression_out = NULL;
    mistakes->count = 0;
    if (text.size > EXPRESSION_BYTES_MAX)
        mistakes_add(mistakes, 0, 1, "an expression has at most %d bytes", EXPRESSION_BYTES_MAX);
    else if (!str_is_utf8(text))
        mistakes_add(mistakes, 0, 1, "the expression is not UTF-8 text");
    if (mistakes->count)
        return false;
    expression = xcalloc(1, sizeof(*expression));
    arena_init(&expression->arena, 64 << 20);
    arena_init(&expression->bound, 64 << 20);
    expression->text = arena_try_copy(&expression->arena, text.data ? text : STR(""));
    expression->environment = *environment;
    expression->environment.job = arena_try_copy(&expression->arena, environment->job);
    expression->environment.topic = arena_try_copy(&expression->arena, environment->topic);
    expression->convert.zone = environment->zone;
    if (!expression->text.data)
        stop_out_of_memory("an expression");
    if (!parse_text(expression, mistakes)) {
        expression_free(expression);
        return false;
    }
    *expression_out = expression;
    return !expression->mistaken;
}

void expression_free(struct expression *expression)
{
    if (!expression)
        return;
    expression_unbind(expression);
    arena_release(&expression->arena);
    arena_release(&expression->bound);
    free(expression->nodes);
    free(expression->fields);
    free(expression);
}

bool expression_bind(struct expression *expression, struct batch *batch, struct expression_mistakes *mistakes,
                     struct error *error)
{
    return bind_expression(expression, batch, mistakes, error);
}

struct type expression_type(const struct expression *expression)
{
    assert(expression->is_bound);
    return expression->root->type;
}

bool expression_run(struct expression *expression, struct batch *batch, int64_t now_ms, struct column **column_out,
                    struct expression_mistakes *mistakes, struct error *error)
{
    struct run run = {.expression = expression, .batch = batch, .error = error, .now_ms = now_ms};
    struct operand value;
    bool changed = !expression->is_bound;

    mistakes->count = 0;
    if (expression->is_bound && !take_fields(expression, batch, &changed, error))
        return false;
    if (changed && !(bind_expression(expression, batch, mistakes, error) && take_fields(expression, batch, &changed, error)))
        return false;
    if (!node_run(&run, expression->root, &value) || (value.constant && !spread(&run, &value)))
        return false;
    *column_out = (struct column *)value.column;
    return true;
}
