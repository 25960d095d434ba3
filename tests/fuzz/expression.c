/* expression.c: expressions against an evaluator that is written apart from them, a row at a time.
 * Input: bytes. The first one says how the rest is read: as an expression's text, of which nothing is claimed but that it ends
 * well and that mistakes have their place; or as choices, by which typed expressions and rows are made. The text of such an
 * expression is then parsed, bound and run over the rows, and each row must hold the value, NULL or failure that the tree of
 * choices gives. An expression is refused exactly when a part of it is constant and fails. */
#include "fuzz.h"

#include "../support/expression_reference.h"

#include "expression/expression.h"

enum { DEPTH = 5 };
/* --- both --- */

static void fill_batch(struct choices *choices, struct batch *batch)
{
    batch_clear(batch);
    for (int i = 0; i < ROWS; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = i}, NULL);
    if (!batch_begin(batch, 0))
        abort();
    batch->stage = "s";
    for (unsigned k = 0; k < COUNT_OF(fields); k++) {
        struct column *column = column_try_new(&batch->arena, fields[k].type, ROWS, true);
        struct str name = str_of(fields[k].name);

        if (name.data[0] == '"' || name.data[0] == '`')
            name = str_make(name.data + 1, name.size - 2);
        if (!column || !batch_set(batch, name, column))
            abort();
        for (uint32_t row = 0; row < ROWS; row++) {
            struct value *value = &rows[row][k];

            choose_value(choices, fields[k].type, value);
            value->state = choose(choices, 5) == 4 ? ABSENT : VALUE;
            column->null[row] = value->state == ABSENT;
            switch (fields[k].type.kind) {
            case TYPE_BOOLEAN:
                column->boolean[row] = (uint8_t)value->number;
                break;
            case TYPE_BIGINT:
                column->bigint[row] = (int64_t)value->number;
                break;
            case TYPE_DOUBLE:
                column->real[row] = value->real;
                break;
            case TYPE_DECIMAL:
                column->decimal[row] = value->number;
                break;
            case TYPE_DATE:
                column->date[row] = (int32_t)value->number;
                break;
            default:
                column->text[row] = str_of(value->text);
                break;
            }
        }
    }
}

static bool same(const struct column *column, uint32_t row, const struct value *value)
{
    switch (column->type.kind) {
    case TYPE_BOOLEAN:
        return column->boolean[row] == value->number;
    case TYPE_BIGINT:
        return column->bigint[row] == value->number;
    case TYPE_DOUBLE:
        return column->real[row] == value->real;
    case TYPE_DECIMAL:
        return column->decimal[row] == value->number;
    case TYPE_DATE:
        return column->date[row] == value->number;
    default:
        return str_equal(column->text[row], str_of(value->text));
    }
}

static void check_rows(const struct tree *tree, const struct batch *batch, const struct column *column, const char *text)
{
    static const char *const states[] = {"a value", "NULL", "a failure"};
    struct value value;
    uint32_t next = 0;

    FUZZ_CLAIM(column->type.kind == TYPE_NULL || type_equal(column->type, tree->type), "%s is of type %d(%d,%d), not %d(%d,%d)",
               text, column->type.kind, column->type.precision, column->type.scale, tree->type.kind, tree->type.precision,
               tree->type.scale);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct view view = {rows[row], batch->when_error == WHEN_ERROR_NULL};
        bool selected = next < batch->selected && batch->selection[next] == row;
        enum state state = !selected ? FAILED : column_is_null(column, row) ? ABSENT : VALUE;

        next += selected;
        evaluate(&view, tree, &value);
        FUZZ_CLAIM(state == value.state, "row %u of %s is %s, not %s; %.*s", row, text, states[state], states[value.state],
                   STR_ARG(batch->dirty ? batch->dirty->reason : STR("")));
        FUZZ_CLAIM(state != VALUE || same(column, row, &value), "row %u of %s differs", row, text);
    }
    FUZZ_CLAIM(batch->selected + batch->dirty_count + batch->filtered_count == ROWS, "rows are lost");
}

static const struct expression_environment environment = {.job = {"job", 3}, .topic = {"t", 1}, .execute_time_ms = 1700000000000};

/* Of an expression that is UTF-8: in order, each in it and in one line. */
static void check_mistakes(struct str text, const struct expression_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++) {
        struct expression_place place = mistakes->list[i].place;

        FUZZ_CLAIM(place.at <= text.size && place.width >= (text.size > 0) && place.at + place.width <= text.size + 1,
                   "place %zu+%zu of %zu: %s", place.at, place.width, text.size, mistakes->list[i].text);
        FUZZ_CLAIM(!i || place.at >= mistakes->list[i - 1].place.at, "the order of places");
        if (str_is_utf8(text))
            fuzz_claim_line("the mistake", mistakes->list[i].text);
    }
}

static void try_text(struct batch *batch, struct str text)
{
    struct str copy = fuzz_copy(text);
    struct expression *expression = NULL;
    struct expression_mistakes mistakes;
    struct column *column;
    struct error error;

    if (!expression_parse(&expression, copy, &environment, &mistakes)) {
        check_mistakes(text, &mistakes);
        FUZZ_CLAIM(mistakes.count, "nothing is told");
        FUZZ_CLAIM(!expression || !expression_run(expression, batch, 1700000000000, &column, &mistakes, &error), "it runs");
        check_mistakes(text, &mistakes);
    } else if (!expression_run(expression, batch, 1700000000000, &column, &mistakes, &error)) {
        FUZZ_CLAIM(mistakes.count || error.kind != ERROR_CONFIG, "nothing is told: %s", error.text);
        check_mistakes(text, &mistakes);
    } else {
        FUZZ_CLAIM(column->rows == ROWS && type_equal(column->type, expression_type(expression)), "type");
    }
    FUZZ_CLAIM(batch->selected + batch->dirty_count + batch->filtered_count == ROWS, "rows are lost");
    expression_free(expression);
    free((char *)copy.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum type_kind kinds[] = {TYPE_BOOLEAN, TYPE_BIGINT, TYPE_DECIMAL, TYPE_DOUBLE, TYPE_STRING};
    struct choices choices = {data, size}, row_choices;
    static struct batch *batch;
    unsigned way = choose(&choices, 4);
    struct expression *expression = NULL;
    struct expression_mistakes mistakes;
    struct column *column;
    struct error error = {0};
    struct buffer text;
    struct tree *tree;

    if (!batch)
        batch = batch_new(64 << 20);
    /* The rows come from the end, so that they do not change with the expression. */
    row_choices = (struct choices){data + size / 2, size - size / 2};
    fill_batch(&row_choices, batch);
    batch->when_error = way == 1 ? WHEN_ERROR_NULL : WHEN_ERROR_DIRTY;
    if (way == 3) {
        try_text(batch, str_make((const char *)choices.data, choices.size));
        batch_clear(batch);
        return 0;
    }
    tree = grow(&choices, kinds[choose(&choices, COUNT_OF(kinds))], DEPTH);
    buffer_init(&text, 0);
    print_tree(&text, tree);
    if (text.size <= EXPRESSION_BYTES_MAX) {
        bool ok = expression_parse(&expression, buffer_str(&text), &environment, &mistakes);

        FUZZ_CLAIM(ok, "%s: at %zu: %s", buffer_text(&text), mistakes.list[0].place.at, mistakes.list[0].text);
        ok = expression_run(expression, batch, 1700000000000, &column, &mistakes, &error);
        FUZZ_CLAIM(ok != refused(tree), "%s: %s", buffer_text(&text), ok ? "not refused" : error.text);
        if (ok)
            check_rows(tree, batch, column, buffer_text(&text));
    }
    expression_free(expression);
    buffer_release(&text);
    tree_free_all();
    batch_clear(batch);
    return 0;
}
