/* preview_blocks.c: a block for each row that goes in, before and after side by side. All blocks are rows of one grid, so that
 * both sides stand in the same columns all the way down; what has nothing beside it may be as long as the line. Blocks stay
 * short: what a row keeps takes one line, and a source field that the stage does not read none. */
#include "cli/preview.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/terminal.h"

/* Of values, in cells. */
enum { LISTED_VALUE_MAX = 24, SHORT_MAX = 24, VALUE_MAX = 160 };
/* Of the columns: names, and either side. */
enum { NAMES_USUAL = 20, SIDE_LEAST = 12, SIDE_MOST = 50 };

enum fate {
    FATE_HIDDEN,    /* a source field that the stage does not read */
    FATE_READ,      /* one that it reads */
    FATE_UNCHANGED, /* any other */
    FATE_CHANGED,
    FATE_ADDED,
    FATE_REMOVED,
    FATES
};

struct line {
    enum fate fate;
    const struct field *before, *after; /* NULL: there is none on that side */
    struct value old, new;
};

struct blocks {
    struct preview_show *show;
    const struct preview *preview;
    struct grid grid;
    bool tall;          /* the block before has several lines, so that an empty one is due */
    struct line *lines; /* of the row at hand */
    size_t line_count, counts[FATES];
    struct buffer headers_before, headers_after; /* room for texts of values */
    struct buffer text;                          /* of the cell at hand */
};

/* --- what became of the fields --- */

static enum fate fate_of(const struct blocks *blocks, const struct line *line, bool compared)
{
    if (line->before && preview_field_is_idle(blocks->preview, line->before->name))
        return blocks->show->all_fields ? FATE_READ : FATE_HIDDEN;
    if (line->before && line->before->builtin >= 0 && line->after && line->after->builtin == line->before->builtin)
        return FATE_READ;
    if (!compared)
        return FATE_UNCHANGED;
    if (!line->before)
        return FATE_ADDED;
    if (!line->after)
        return FATE_REMOVED;
    return preview_value_equal(&line->old, &line->new) ? FATE_UNCHANGED : FATE_CHANGED;
}

static void line_find(struct blocks *blocks, const struct preview_in *in, const struct preview_out *out,
                      const struct field *before, const struct field *after)
{
    struct line *line = &blocks->lines[blocks->line_count++];

    line->before = before;
    line->after = after;
    if (before)
        preview_value_in(blocks->preview, before, in, &blocks->headers_before, &line->old);
    if (after && out)
        preview_value_out(blocks->preview, after, out, &blocks->headers_after, &line->new);
    line->fate = fate_of(blocks, line, out != NULL);
    blocks->counts[line->fate]++;
}

/* out: a row that came out; NULL: only what went in is of interest. */
static void lines_find(struct blocks *blocks, const struct preview_in *in, const struct preview_out *out)
{
    const struct preview *preview = blocks->preview;

    blocks->line_count = 0;
    memset(blocks->counts, 0, sizeof(blocks->counts));
    for (uint32_t i = 0; i < preview->field_count; i++)
        line_find(blocks, in, out, &preview->fields[i], batch_field(preview->batch, preview->fields[i].name));
    for (uint32_t i = 0; out && i < preview->batch->field_count; i++)
        if (!preview_field_in(preview, preview->batch->fields[i].name))
            line_find(blocks, in, out, NULL, &preview->batch->fields[i]);
}

/* --- cells --- */

static void value_text(struct blocks *blocks, const struct value *value, struct buffer *text)
{
    struct buffer plain;

    buffer_init(&plain, 0);
    if (!value->value.null)
        value_print(&blocks->show->printer, &value->type, &value->value, &plain);
    grid_value_print(value->value.null ? STR_NONE : buffer_str(&plain), value_is_text(value->type.kind), text);
    buffer_release(&plain);
}

/* In `most` cells, and clean. */
static void value_text_cut(struct blocks *blocks, const struct value *value, unsigned most, struct buffer *text)
{
    struct buffer whole, clean;

    buffer_init(&whole, 0);
    buffer_init(&clean, 0);
    value_text(blocks, value, &whole);
    terminal_clean(buffer_str(&whole), false, &clean);
    (void)terminal_cut(buffer_str(&clean), most, text);
    buffer_release(&whole);
    buffer_release(&clean);
}

/* Values of two types that look alike are told apart by their types. */
static void type_text(const struct line *line, const struct field *field, struct buffer *text)
{
    char name[TYPE_NAME_MAX];

    if (line->fate == FATE_CHANGED && field->column && line->old.type.kind != line->new.type.kind && !line->old.value.null &&
        !line->new.value.null)
        buffer_print(text, " (%s)", type_print(field->column->type, name));
}

/* Where to begin with two texts in two cells of `room`: a little before what differs, if that would be cut away. */
static size_t beginning(struct str a, struct str b, unsigned room)
{
    size_t same = 0;

    if (terminal_cells(a) <= room && terminal_cells(b) <= room)
        return 0;
    while (same < a.size && same < b.size && a.data[same] == b.data[same])
        same++;
    if (terminal_cells(str_make(a.data, same)) < room / 2)
        return 0;
    same -= room / 4;
    while (same && ((unsigned char)a.data[same] & 0xC0) == 0x80)
        same--;
    return same;
}

static void cell_add(struct blocks *blocks, struct str text, size_t start, enum grid_style style)
{
    buffer_clear(&blocks->text);
    buffer_append_str(&blocks->text, start ? STR("\u2026") : STR(""));
    buffer_append(&blocks->text, text.data + start, text.size - start);
    grid_add_text(&blocks->grid, buffer_str(&blocks->text), style);
}

/* Both sides of a changed field. */
static void pair_add(struct blocks *blocks, const struct line *line)
{
    unsigned width = blocks->grid.width;
    unsigned room = !width ? SIDE_MOST : width > 2 * SIDE_LEAST + NAMES_USUAL ? (width - NAMES_USUAL) / 2 : SIDE_LEAST;
    struct buffer old, new;
    size_t start;

    buffer_init(&old, 0);
    buffer_init(&new, 0);
    value_text(blocks, &line->old, &old);
    value_text(blocks, &line->new, &new);
    type_text(line, line->before, &old);
    type_text(line, line->after, &new);
    start = beginning(buffer_str(&old), buffer_str(&new), room < SIDE_MOST ? room : SIDE_MOST);
    cell_add(blocks, buffer_str(&old), start, GRID_PLAIN);
    cell_add(blocks, buffer_str(&new), start, GRID_CHANGED);
    buffer_release(&old);
    buffer_release(&new);
}

/* A value with nothing beside it: a long one may have the room of both sides. */
static void value_add_alone(struct blocks *blocks, const struct value *value, enum grid_style style)
{
    struct str text;

    buffer_clear(&blocks->text);
    value_text_cut(blocks, value, VALUE_MAX, &blocks->text);
    text = buffer_str(&blocks->text);
    grid_add_reaching(&blocks->grid, text, style, terminal_cells(text) > SHORT_MAX ? GRID_LINE : GRID_COLUMN);
}

static void name_add(struct blocks *blocks, char mark, struct str name, enum grid_style style)
{
    buffer_clear(&blocks->text);
    buffer_print(&blocks->text, "  %c %.*s", mark, STR_ARG(name));
    grid_add_text(&blocks->grid, buffer_str(&blocks->text), style);
}

static void line_add(struct blocks *blocks, const struct line *line)
{
    struct str name = line->before ? line->before->name : line->after->name;

    switch (line->fate) {
    case FATE_CHANGED:
        name_add(blocks, '~', name, GRID_CHANGED);
        pair_add(blocks, line);
        break;
    case FATE_ADDED:
        name_add(blocks, '+', name, GRID_NEW);
        grid_add_text(&blocks->grid, STR(""), GRID_PLAIN);
        buffer_clear(&blocks->text);
        value_text(blocks, &line->new, &blocks->text);
        grid_add_text(&blocks->grid, buffer_str(&blocks->text), GRID_NEW);
        break;
    case FATE_REMOVED:
        name_add(blocks, '-', name, GRID_GONE);
        value_add_alone(blocks, &line->old, GRID_GONE);
        break;
    default:
        name_add(blocks, '=', name, GRID_PLAIN);
        value_add_alone(blocks, &line->old, GRID_PLAIN);
    }
}

/* read, rest: of which kinds. What is unchanged has lines only if all fields are wanted. */
static void lines_add(struct blocks *blocks, bool read, bool rest)
{
    for (size_t i = 0; i < blocks->line_count; i++) {
        enum fate fate = blocks->lines[i].fate;

        if (fate == FATE_READ ? read : fate >= FATE_CHANGED ? rest : fate == FATE_UNCHANGED && rest && blocks->show->all_fields)
            line_add(blocks, &blocks->lines[i]);
    }
}

/* What a row keeps, or had, in one go: name=value, ... */
static void list_print(struct blocks *blocks, struct buffer *text)
{
    const char *separator = "";

    for (size_t i = 0; i < blocks->line_count; i++) {
        const struct line *line = &blocks->lines[i];

        if (line->fate != FATE_UNCHANGED)
            continue;
        buffer_print(text, "%s%.*s=", separator, STR_ARG(line->before->name));
        value_text_cut(blocks, &line->old, LISTED_VALUE_MAX, text);
        separator = ", ";
    }
}

static void list_add(struct blocks *blocks, const char *label, enum grid_style style, enum grid_reach reach)
{
    if (!blocks->counts[FATE_UNCHANGED])
        return;
    name_add(blocks, ' ', str_of(label), style);
    buffer_clear(&blocks->text);
    list_print(blocks, &blocks->text);
    grid_add_reaching(&blocks->grid, buffer_str(&blocks->text), style, reach);
}

/* --- a block --- */

static void changes_print(const struct blocks *blocks, struct buffer *text)
{
    static const struct {
        enum fate fate;
        const char *word;
    } words[] = {{FATE_CHANGED, "changed"}, {FATE_ADDED, "added"}, {FATE_REMOVED, "removed"}, {FATE_UNCHANGED, "unchanged"}};
    size_t start = text->size;

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (blocks->counts[words[i].fate])
            buffer_print(text, "%s%zu %s", text->size > start ? ", " : "", blocks->counts[words[i].fate], words[i].word);
}

static void origin_add(struct blocks *blocks, const struct preview_in *in)
{
    buffer_clear(&blocks->text);
    if (blocks->show->hand)
        buffer_append_str(&blocks->text, STR("row "));
    preview_print_origin(blocks->show, blocks->preview, in, in->index, &blocks->text);
    grid_add_text(&blocks->grid, buffer_str(&blocks->text), GRID_HEAD);
}

static bool is_changed(const struct blocks *blocks)
{
    return blocks->counts[FATE_CHANGED] || blocks->counts[FATE_ADDED] || blocks->counts[FATE_REMOVED];
}

/* A row that came out, behind its name: how many fields are what, and their lines. */
static void out_add(struct blocks *blocks, const struct preview_in *in, const struct preview_out *out)
{
    bool all = blocks->show->all_fields, changed;

    lines_find(blocks, in, out);
    changed = is_changed(blocks);
    buffer_clear(&blocks->text);
    if (changed || all) {
        changes_print(blocks, &blocks->text);
    } else {
        buffer_append_str(&blocks->text, STR("unchanged: "));
        list_print(blocks, &blocks->text);
    }
    grid_add_reaching(&blocks->grid, buffer_str(&blocks->text), changed ? GRID_PLAIN : GRID_DIM, GRID_LINE);
    lines_add(blocks, in->count == 1, true);
    if (changed && !all)
        list_add(blocks, "unchanged", GRID_DIM, GRID_LINE);
}

static void dirty_add(struct blocks *blocks, const struct dirty_row *dirty)
{
    buffer_clear(&blocks->text);
    buffer_append_str(&blocks->text, STR("dirty: "));
    if (dirty->column.size)
        buffer_print(&blocks->text, "column %.*s: ", STR_ARG(dirty->column));
    buffer_append_str(&blocks->text, dirty->reason);
    grid_add_reaching(&blocks->grid, buffer_str(&blocks->text), GRID_GONE, GRID_WRAPPED);
}

/* The rows that came out of one, by the names that the next stage sees. */
static void outs_add(struct blocks *blocks, const struct preview_in *in)
{
    const struct batch *batch = blocks->preview->batch;

    for (size_t i = in->first; i < in->first + in->count; i++) {
        const struct preview_out *out = &blocks->preview->outs[i];

        buffer_clear(&blocks->text);
        if (blocks->show->hand)
            buffer_print(&blocks->text, "  row %u/%u", in->message + 1, out->index);
        else
            buffer_print(&blocks->text, "  %d/%" PRId64 "/%u", batch->partition, batch->messages[in->message].offset, out->index);
        grid_add_text(&blocks->grid, buffer_str(&blocks->text), GRID_HEAD);
        if (out->dirty)
            dirty_add(blocks, out->dirty);
        else
            out_add(blocks, in, out);
    }
}

/* What went in, below the heading of a row of which nothing came out, or several rows. */
static void in_add(struct blocks *blocks, const struct preview_in *in, bool rest)
{
    lines_find(blocks, in, NULL);
    lines_add(blocks, true, rest);
    if (rest && !blocks->show->all_fields)
        list_add(blocks, "before", GRID_PLAIN, GRID_WRAPPED);
}

static void block_add(struct blocks *blocks, const struct preview_in *in)
{
    const struct preview_out *out = in->count ? &blocks->preview->outs[in->first] : NULL;
    size_t cells;

    if (blocks->tall)
        grid_add_reaching(&blocks->grid, STR(""), GRID_PLAIN, GRID_COLUMN); /* an empty line */
    cells = blocks->grid.count;
    origin_add(blocks, in);
    if (in->count > 1) {
        buffer_clear(&blocks->text);
        buffer_print(&blocks->text, "became %zu rows", in->count);
        grid_add_reaching(&blocks->grid, buffer_str(&blocks->text), GRID_PLAIN, GRID_LINE);
        in_add(blocks, in, out->dirty != NULL); /* those that came out stand before those that are dirty */
        outs_add(blocks, in);
    } else if (out && !out->dirty) {
        out_add(blocks, in, out);
    } else {
        if (out)
            dirty_add(blocks, out->dirty);
        else
            grid_add_reaching(&blocks->grid, STR("filtered"), GRID_GONE, GRID_LINE);
        in_add(blocks, in, true);
    }
    blocks->tall = blocks->grid.count - cells > blocks->grid.columns;
}

void preview_show_blocks(struct preview_show *show, struct buffer *text)
{
    static const unsigned most[] = {SIDE_MOST, SIDE_MOST, SIDE_MOST};
    struct blocks blocks = {.show = show, .tall = true};
    size_t left = show->limit;

    buffer_init(&blocks.headers_before, 0);
    buffer_init(&blocks.headers_after, 0);
    buffer_init(&blocks.text, 0);
    tryout_grid(show->tryout, &blocks.grid, 3);
    blocks.grid.fit = GRID_EVEN;
    blocks.grid.words = true;
    blocks.grid.most = most;
    grid_add(&blocks.grid, "%s", show->hand ? "row" : "record");
    grid_add(&blocks.grid, "before");
    grid_add(&blocks.grid, "after");
    for (size_t k = 0; k < show->kept_count; k++) {
        const struct preview *preview = &show->kept[k];

        blocks.preview = preview;
        blocks.lines = xcalloc((size_t)preview->field_count + preview->batch->field_count + 1, sizeof(*blocks.lines));
        for (size_t i = 0; i < preview->in_count && left; i++, left--)
            block_add(&blocks, &preview->ins[i]);
        free(blocks.lines);
    }
    if (blocks.grid.count > blocks.grid.columns)
        grid_print(&blocks.grid, 0, text);
    grid_release(&blocks.grid);
    buffer_release(&blocks.headers_before);
    buffer_release(&blocks.headers_after);
    buffer_release(&blocks.text);
}
