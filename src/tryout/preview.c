/* preview.c: columns are never changed in place, so what was before the stage is a copy of the field list and the selection.
 * Dirty rows name message and index; the rows of a message stand together, which makes them quick to find. */
#include "tryout/preview.h"

#include <stdlib.h>

static uint32_t message_of(const uint32_t *row_message, uint32_t row)
{
    return row_message ? row_message[row] : row;
}

static uint32_t index_of(const uint32_t *row_index, uint32_t row)
{
    return row_index ? row_index[row] : 0;
}

struct mark {
    uint32_t *row_message, *row_index;
    uint32_t row_count;
    uint32_t *in_of_row; /* which in a row is; UINT32_MAX: it was not selected */
    struct dirty_row **dirty_tail;
};

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_FATAL, "a batch needs more memory than a batch may use; lower runtime.batch_rows");
}

static bool mark_take(struct mark *mark, struct preview *preview)
{
    struct batch *batch = preview->batch;
    struct arena *arena = &batch->arena;

    *mark = (struct mark){batch->row_message, batch->row_index, batch->row_count,
                          arena_try_array(arena, batch->row_count, sizeof(uint32_t)), batch->dirty_tail};
    batch->row_source = arena_try_array(arena, batch->row_count, sizeof(*batch->row_source));
    preview->fields = arena_try_array(arena, batch->field_count, sizeof(*preview->fields));
    preview->ins = arena_try_array(arena, batch->selected, sizeof(*preview->ins));
    if (!mark->in_of_row || !batch->row_source || !preview->fields || !preview->ins)
        return false;
    if (batch->field_count)
        memcpy(preview->fields, batch->fields, batch->field_count * sizeof(*preview->fields));
    preview->field_count = batch->field_count;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        batch->row_source[row] = row;
        mark->in_of_row[row] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        mark->in_of_row[row] = i;
        preview->ins[i] = (struct preview_in){
            .row = row, .message = message_of(batch->row_message, row), .index = index_of(batch->row_index, row)};
    }
    preview->in_count = batch->selected;
    return true;
}

/* The row of that message and index, among rows whose messages ascend. */
static bool row_find(const uint32_t *row_message, const uint32_t *row_index, uint32_t count, const struct dirty_row *dirty,
                     uint32_t *row_out)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (message_of(row_message, middle) < dirty->message)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && message_of(row_message, low) == dirty->message; low++) {
        if (index_of(row_index, low) == dirty->index) {
            *row_out = low;
            return true;
        }
    }
    return false;
}

static int by_in(const void *left, const void *right)
{
    const struct preview_out *a = left, *b = right;

    if (a->in != b->in)
        return a->in < b->in ? -1 : 1;
    if (!a->dirty != !b->dirty)
        return a->dirty ? 1 : -1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void out_add(struct preview *preview, const struct mark *mark, uint32_t source, struct preview_out out)
{
    out.in = mark->in_of_row[source];
    assert(out.in != UINT32_MAX);
    preview->outs[preview->out_count++] = out;
}

static bool outs_find(struct preview *preview, const struct mark *mark)
{
    const struct batch *batch = preview->batch;
    uint32_t row;

    preview->outs = arena_try_array(&preview->batch->arena, (size_t)batch->selected + preview->dirty, sizeof(*preview->outs));
    if (!preview->outs)
        return false;
    for (uint32_t i = 0; i < batch->selected; i++)
        out_add(preview, mark, batch->row_source[batch->selection[i]],
                (struct preview_out){.row = batch->selection[i], .index = index_of(batch->row_index, batch->selection[i])});
    for (const struct dirty_row *dirty = *mark->dirty_tail; dirty; dirty = dirty->next) {
        struct preview_out out = {.index = dirty->index, .dirty = dirty};

        if (row_find(batch->row_message, batch->row_index, batch->row_count, dirty, &row))
            out_add(preview, mark, batch->row_source[row], out);
        else if (row_find(mark->row_message, mark->row_index, mark->row_count, dirty, &row))
            out_add(preview, mark, row, out);
    }
    if (preview->out_count)
        qsort(preview->outs, preview->out_count, sizeof(*preview->outs), by_in);
    for (size_t i = 0; i < preview->out_count; i++) {
        struct preview_in *in = &preview->ins[preview->outs[i].in];

        if (!in->count++)
            in->first = i;
    }
    return true;
}

bool preview_run(struct preview *preview, struct chain *chain, struct batch *batch, size_t stage, bool alone, struct error *error)
{
    struct mark mark;

    memset(preview, 0, sizeof(*preview));
    preview->batch = batch;
    if (!alone && !chain_process_some(chain, batch, stage, error))
        return false;
    preview->earlier_filtered = batch->filtered_count;
    preview->earlier_dirty = batch->dirty_count;
    preview->expanded = batch->expanded_count;
    if (!mark_take(&mark, preview))
        return no_memory(error);
    if (!chain_process_one(chain, batch, stage, error))
        return false;
    preview->filtered = batch->filtered_count - preview->earlier_filtered;
    preview->dirty = batch->dirty_count - preview->earlier_dirty;
    preview->expanded = batch->expanded_count - preview->expanded;
    return outs_find(preview, &mark) || no_memory(error);
}

void preview_release(struct preview *preview)
{
    batch_free(preview->batch);
    memset(preview, 0, sizeof(*preview));
}

static void value_get(const struct preview *preview, const struct field *field, uint32_t row, uint32_t message,
                      struct buffer *headers, struct value *value_out)
{
    if (field->column)
        value_of_column(field->column, row, value_out);
    else
        value_of_builtin(preview->batch, (enum batch_builtin)field->builtin, message, headers, value_out);
}

void preview_value_in(const struct preview *preview, const struct field *field, const struct preview_in *in,
                      struct buffer *headers, struct value *value_out)
{
    value_get(preview, field, in->row, in->message, headers, value_out);
}

void preview_value_out(const struct preview *preview, const struct field *field, const struct preview_out *out,
                       struct buffer *headers, struct value *value_out)
{
    value_get(preview, field, out->row, preview->ins[out->in].message, headers, value_out);
}

bool preview_value_equal(const struct value *a, const struct value *b)
{
    struct buffer left, right;
    bool equal;

    if (a->type.kind != b->type.kind || a->value.null != b->value.null)
        return a->value.null && b->value.null;
    buffer_init(&left, 0);
    buffer_init(&right, 0);
    value_print_json(&a->type, &a->value, &left);
    value_print_json(&b->type, &b->value, &right);
    equal = str_equal(buffer_str(&left), buffer_str(&right));
    buffer_release(&left);
    buffer_release(&right);
    return equal;
}

const struct field *preview_field_in(const struct preview *preview, struct str name)
{
    for (uint32_t i = 0; i < preview->field_count; i++)
        if (str_equal(preview->fields[i].name, name))
            return &preview->fields[i];
    return NULL;
}

/* A column of a source field is made when somebody reads it. */
bool preview_field_is_idle(const struct preview *preview, struct str name)
{
    const struct field *before = preview_field_in(preview, name), *after = batch_field(preview->batch, name);

    return before && after && before->builtin >= 0 && after->builtin == before->builtin && (!after->column || before->column);
}
