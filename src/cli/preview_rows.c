/* preview_rows.c: a line for each row that goes in, and below it one for each that comes out. Reasons stand in a table behind. */
#include "cli/preview.h"

#include <stdlib.h>

struct shown_field {
    struct str name; /* of a kept preview */
    bool before, after;
};

struct rows {
    struct preview_show *show;
    struct grid grid;
    struct shown_field *fields;
    size_t field_count, field_capacity;
};

static struct shown_field *field_shown(struct rows *rows, struct str name)
{
    for (size_t i = 0; i < rows->field_count; i++)
        if (str_equal(rows->fields[i].name, name))
            return &rows->fields[i];
    XGROW(rows->fields, rows->field_count, rows->field_capacity);
    rows->fields[rows->field_count] = (struct shown_field){.name = name};
    return &rows->fields[rows->field_count++];
}

/* A field is worth a column when one batch has something to say of it. */
static void fields_gather(struct rows *rows, const struct preview *preview)
{
    bool all = rows->show->all_fields;

    for (uint32_t i = 0; i < preview->field_count; i++)
        if (all || !preview_field_is_idle(preview, preview->fields[i].name))
            field_shown(rows, preview->fields[i].name)->before = true;
    for (uint32_t i = 0; i < preview->batch->field_count; i++)
        if (all || !preview_field_is_idle(preview, preview->batch->fields[i].name))
            field_shown(rows, preview->batch->fields[i].name)->after = true;
}

static void origin_add(struct rows *rows, const struct preview *preview, const struct preview_in *in, uint32_t index)
{
    struct buffer text;

    buffer_init(&text, 0);
    preview_print_origin(rows->show, preview, in, index, &text);
    grid_add_text(&rows->grid, buffer_str(&text), GRID_PLAIN);
    buffer_release(&text);
}

static void value_add(struct rows *rows, const struct value *value, const char *mark, enum grid_style style)
{
    struct buffer text;

    buffer_init(&text, 0);
    if (!value->value.null)
        value_print(&rows->show->printer, &value->type, &value->value, &text);
    grid_add_value(&rows->grid, value->value.null ? STR_NONE : buffer_str(&text), value_is_text(value->type.kind), mark, style);
    buffer_release(&text);
}

static void in_add(struct rows *rows, const struct preview *preview, const struct preview_in *in)
{
    struct buffer headers;

    buffer_init(&headers, 0);
    origin_add(rows, preview, in, in->index);
    grid_add(&rows->grid, "in");
    for (size_t i = 0; i < rows->field_count; i++) {
        const struct field *field = preview_field_in(preview, rows->fields[i].name);
        struct value value;

        if (field) {
            preview_value_in(preview, field, in, &headers, &value);
            value_add(rows, &value, "", GRID_PLAIN);
        } else {
            grid_add(&rows->grid, "%s", "");
        }
    }
    buffer_release(&headers);
}

static void out_add(struct rows *rows, const struct preview *preview, const struct preview_out *out)
{
    const struct preview_in *in = &preview->ins[out->in];
    struct buffer headers, headers_before;

    buffer_init(&headers, 0);
    buffer_init(&headers_before, 0);
    grid_add(&rows->grid, "%s", "");
    if (in->count > 1)
        grid_add(&rows->grid, "out %zu", (size_t)(out - &preview->outs[in->first]) + 1);
    else
        grid_add(&rows->grid, "out");
    for (size_t i = 0; i < rows->field_count; i++) {
        const struct field *before = preview_field_in(preview, rows->fields[i].name);
        const struct field *after = batch_field(preview->batch, rows->fields[i].name);
        struct value value, old;
        bool changed = false;

        if (!after) {
            grid_add(&rows->grid, "%s", "");
            continue;
        }
        preview_value_out(preview, after, out, &headers, &value);
        if (before) {
            preview_value_in(preview, before, in, &headers_before, &old);
            changed = !preview_value_equal(&old, &value);
        }
        value_add(rows, &value, changed ? "~" : "", changed ? GRID_CHANGED : before ? GRID_DIM : GRID_NEW);
    }
    buffer_release(&headers);
    buffer_release(&headers_before);
}

static void gone_add(struct rows *rows, const char *word)
{
    grid_add(&rows->grid, "%s", "");
    grid_add_reaching(&rows->grid, str_of(word), GRID_GONE, GRID_COLUMN);
}

static void rows_add(struct rows *rows, const struct preview *preview, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct preview_in *in = &preview->ins[i];

        in_add(rows, preview, in);
        for (size_t j = in->first; j < in->first + in->count; j++) {
            if (preview->outs[j].dirty)
                gone_add(rows, "dirty");
            else
                out_add(rows, preview, &preview->outs[j]);
        }
        if (!in->count)
            gone_add(rows, "filtered");
    }
}

static void reasons_add(struct rows *rows, const struct preview *preview, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct preview_in *in = &preview->ins[i];

        for (size_t j = in->first; j < in->first + in->count; j++) {
            const struct preview_out *out = &preview->outs[j];

            if (!out->dirty)
                continue;
            origin_add(rows, preview, in, out->index);
            grid_add_text(&rows->grid, out->dirty->column, GRID_PLAIN);
            grid_add_text(&rows->grid, out->dirty->reason, GRID_GONE);
        }
    }
}

static void kept_add(struct rows *rows, void (*add)(struct rows *, const struct preview *, size_t))
{
    size_t left = rows->show->limit;

    for (size_t i = 0; i < rows->show->kept_count; i++) {
        size_t count = size_min(rows->show->kept[i].in_count, left);

        add(rows, &rows->show->kept[i], count);
        left -= count;
    }
}

static void grid_end(struct grid *grid, bool apart, struct buffer *text)
{
    if (grid->count > grid->columns) {
        buffer_append_str(text, apart ? STR("\n") : STR(""));
        grid_print(grid, 0, text);
    }
    grid_release(grid);
}

void preview_show_rows(struct preview_show *show, struct buffer *text)
{
    struct rows rows = {.show = show};

    for (size_t i = 0; i < show->kept_count; i++)
        fields_gather(&rows, &show->kept[i]);

    tryout_grid(show->tryout, &rows.grid, rows.field_count + 2);
    rows.grid.keys = 2;
    grid_add(&rows.grid, show->hand ? "row" : "record");
    grid_add(&rows.grid, "%s", "");
    for (size_t i = 0; i < rows.field_count; i++) {
        const struct shown_field *field = &rows.fields[i];

        grid_add(&rows.grid, "%s%.*s", !field->before ? "+" : !field->after ? "-" : "", STR_ARG(field->name));
    }
    kept_add(&rows, rows_add);
    grid_end(&rows.grid, false, text);

    tryout_grid(show->tryout, &rows.grid, 3);
    rows.grid.width = rows.grid.cell_max = 0; /* a reason is never cut, for it may end with file and line */
    grid_add(&rows.grid, show->hand ? "row" : "record");
    grid_add(&rows.grid, "column");
    grid_add(&rows.grid, "why it is dirty");
    kept_add(&rows, reasons_add);
    grid_end(&rows.grid, true, text);
    free(rows.fields);
}
