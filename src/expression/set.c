/* set.c: `in` with a list of constants: whole numbers or texts, sorted when the expression is bound.
 * Cost: a binary search a row, where one comparison after another costs two passes over the rows for each constant. */
#include "expression/internal.h"

#include <stdlib.h>

enum { SET_MIN = 4 }; /* fewer are compared one by one in less time */

struct set {
    enum type_kind kind;
    size_t count;
    bool has_null;
    int64_t *numbers;
    struct str *texts;
};

static int order_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* By size first: the order does not matter, and most differ in it. */
static int order_texts(const void *a, const void *b)
{
    const struct str *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return x->size ? memcmp(x->data, y->data, x->size) : 0;
}

struct set *set_new(struct arena *arena, enum type_kind kind, struct node *const *items, size_t count)
{
    struct set *set;

    if (count < SET_MIN || (kind != TYPE_BIGINT && kind != TYPE_STRING))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!items[i]->constant || (items[i]->type.kind != kind && items[i]->type.kind != TYPE_NULL))
            return NULL;
    set = arena_try_alloc(arena, sizeof(*set));
    if (!set)
        return NULL;
    *set = (struct set){.kind = kind};
    set->numbers = arena_try_array(arena, count, sizeof(*set->numbers));
    set->texts = arena_try_array(arena, count, sizeof(*set->texts));
    if (!set->numbers || !set->texts)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (column_is_null(items[i]->constant, 0))
            set->has_null = true;
        else if (kind == TYPE_BIGINT)
            set->numbers[set->count++] = items[i]->constant->bigint[0];
        else
            set->texts[set->count++] = items[i]->constant->text[0];
    }
    if (kind == TYPE_BIGINT)
        qsort(set->numbers, set->count, sizeof(*set->numbers), order_numbers);
    else
        qsort(set->texts, set->count, sizeof(*set->texts), order_texts);
    return set;
}

static bool has_number(const struct set *set, int64_t number)
{
    const int64_t *low = set->numbers;

    for (size_t left = set->count; left > 1; left -= left / 2)
        low += low[left / 2] <= number ? left / 2 : 0;
    return set->count && *low == number;
}

static bool has_text(const struct set *set, struct str text)
{
    return bsearch(&text, set->texts, set->count, sizeof(text), order_texts) != NULL;
}

bool set_run(const struct set *set, struct batch *batch, struct operand value, struct column **column_out, struct error *error)
{
    struct column *column = operand_result(batch, TYPE_OF(TYPE_BOOLEAN), value, value);
    uint32_t mask = operand_mask(value);

    if (!column || (set->has_null && !column_try_nullable(&batch->arena, column)))
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        bool found;

        if (column->null && column->null[row])
            continue;
        found = set->kind == TYPE_BIGINT ? has_number(set, value.column->bigint[row & mask])
                                         : has_text(set, value.column->text[row & mask]);
        column->boolean[row] = found;
        if (set->has_null)
            column->null[row] = !found;
    }
    *column_out = column;
    return true;
}
