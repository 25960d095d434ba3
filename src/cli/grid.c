/* grid.c: widths are found first, then columns are put into lines. Cost: each cell is measured once a grid. */
#include "cli/grid.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/terminal.h"

enum { GAP = 2, LEAST = 8, CUT_LEAST = 12, CUT_GROUPED = 40 };

struct shape {
    unsigned *widths;
    bool *numbers;
};

void grid_init(struct grid *grid, size_t columns)
{
    *grid = (struct grid){.columns = columns, .heads = 1};
}

void grid_release(struct grid *grid)
{
    for (size_t i = 0; i < grid->count; i++)
        free(grid->cells[i].text);
    free(grid->cells);
    *grid = (struct grid){0};
}

void grid_add_text(struct grid *grid, struct str text, enum grid_style style)
{
    struct buffer clean;

    buffer_init(&clean, 0);
    terminal_clean(text, false, &clean);
    XGROW(grid->cells, grid->count, grid->capacity);
    grid->cells[grid->count++] = (struct grid_cell){.text = buffer_take(&clean, NULL), .style = style};
    buffer_release(&clean);
}

void grid_add_reaching(struct grid *grid, struct str text, enum grid_style style, enum grid_reach reach)
{
    grid_add_text(grid, text, style);
    grid->cells[grid->count - 1].reach = reach;
    while (grid->count % grid->columns)
        grid_add_text(grid, STR(""), GRID_PLAIN);
}

void grid_add(struct grid *grid, const char *format, ...)
{
    char text[1500]; /* the longest are error texts */
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    grid_add_text(grid, str_of(text), grid->count < grid->columns * grid->heads ? GRID_HEAD : GRID_PLAIN);
}

void grid_add_number(struct grid *grid, int64_t number)
{
    if (number < 0)
        grid_add(grid, "-");
    else
        grid_add(grid, "%" PRId64, number);
}

static bool is_mistakable(struct str value)
{
    return !value.size || str_is(value, "NULL") || value.data[0] == ' ' || value.data[0] == '"' ||
           value.data[value.size - 1] == ' ';
}

void grid_value_print(struct str value, bool text, struct buffer *shown)
{
    if (!value.data)
        buffer_append_str(shown, STR("NULL"));
    else if (text && is_mistakable(value))
        buffer_append_json(shown, value);
    else
        buffer_append_str(shown, value);
}

void grid_add_value(struct grid *grid, struct str value, bool text, const char *mark, enum grid_style style)
{
    struct buffer shown;

    buffer_init(&shown, 0);
    buffer_append_str(&shown, str_of(mark));
    grid_value_print(value, text, &shown);
    grid_add_text(grid, buffer_str(&shown), !value.data && style == GRID_PLAIN ? GRID_DIM : style);
    grid->cells[grid->count - 1].is_text = value.data && text;
    buffer_release(&shown);
}

/* A column of numbers stands to the right with its heading; "", "-" and NULL are numbers that are not there. */
static bool column_is_numbers(const struct grid *grid, size_t column)
{
    bool numbers = false;

    if (grid->words)
        return false;
    for (size_t i = grid->columns * grid->heads + column; i < grid->count; i += grid->columns) {
        const char *cell = grid->cells[i].text + strspn(grid->cells[i].text, "~");
        const char *digits = cell + (cell[0] == '-');
        bool number = digits[0] && !digits[strspn(digits, "0123456789.")];

        if (grid->cells[i].is_text)
            return false;
        if (!number && cell[0] && strcmp(cell, "-") != 0 && strcmp(cell, "total") != 0 && strcmp(cell, "NULL") != 0)
            return false;
        numbers = numbers || number;
    }
    return numbers;
}

static unsigned sum_of(const unsigned *widths, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += widths[i] + (i ? GAP : 0);
    return sum;
}

static void cap(unsigned *widths, size_t count, unsigned most)
{
    for (size_t i = 0; i < count; i++)
        widths[i] = widths[i] > most ? most : widths[i];
}

/* The largest cap, of `least` and more, with which all columns fit into a line; 0: there is none. */
static unsigned cap_that_fits(const unsigned *widths, size_t count, unsigned room, unsigned least)
{
    for (unsigned most = room; most >= least; most--) {
        unsigned sum = 0;

        for (size_t i = 0; i < count; i++)
            sum += (widths[i] > most ? most : widths[i]) + (i ? GAP : 0);
        if (sum <= room)
            return most;
    }
    return 0;
}

/* From the right: the last columns give way first. */
static void cut_from_the_right(unsigned *widths, size_t count, unsigned room)
{
    unsigned used = sum_of(widths, count);

    for (size_t i = count; i > 0 && used > room; i--) {
        unsigned over = used - room;
        unsigned less = widths[i - 1] > LEAST ? widths[i - 1] - LEAST : 0;

        less = less > over ? over : less;
        widths[i - 1] -= less;
        used -= less;
    }
}

static const char *style_begin(enum grid_style style)
{
    static const char *const begins[] = {
        [GRID_PLAIN] = "",           [GRID_HEAD] = "\033[1m", [GRID_DIM] = "\033[2m",
        [GRID_CHANGED] = "\033[33m", [GRID_NEW] = "\033[32m", [GRID_GONE] = "\033[31m",
    };

    return begins[style];
}

static void styled_print(const struct grid *grid, enum grid_style style, struct str piece, struct buffer *text)
{
    const char *begin = grid->colours ? style_begin(style) : "";

    buffer_append_str(text, str_of(begin));
    buffer_append_str(text, piece);
    buffer_append_str(text, *begin ? STR("\033[0m") : STR(""));
}

/* at: the cells of the line before it. */
static void reaching_print(const struct grid *grid, const struct grid_cell *cell, unsigned at, unsigned blanks,
                           struct buffer *text)
{
    unsigned room = !grid->width ? UINT_MAX : grid->width > at + LEAST ? grid->width - at : LEAST;
    struct str rest = str_of(cell->text);
    struct buffer line;

    buffer_init(&line, 0);
    buffer_print(text, "%*s", (int)blanks, "");
    if (cell->reach == GRID_LINE) {
        (void)terminal_cut(rest, room, &line);
        styled_print(grid, cell->style, buffer_str(&line), text);
    } else {
        styled_print(grid, cell->style, terminal_wrap(&rest, room), text);
        while (rest.size) {
            buffer_print(text, "\n%*s", (int)at, "");
            styled_print(grid, cell->style, terminal_wrap(&rest, room), text);
        }
    }
    buffer_release(&line);
}

/* blanks: that are due since the cell before; those at the end of a line are never printed. */
static void cell_print(const struct grid *grid, const struct grid_cell *cell, unsigned width, bool number, unsigned *blanks,
                       struct buffer *text)
{
    struct buffer cut;
    unsigned used;

    buffer_init(&cut, 0);
    used = terminal_cut(str_of(cell->text), width, &cut);
    *blanks += number ? width - used : 0;
    if (cut.size) {
        buffer_print(text, "%*s", (int)*blanks, "");
        styled_print(grid, cell->style, buffer_str(&cut), text);
        *blanks = 0;
    }
    *blanks += (number ? 0 : width - used) + GAP;
    buffer_release(&cut);
}

/* The key columns and those from first to end. */
static void group_print(const struct grid *grid, const struct shape *shape, size_t first, size_t end, unsigned indent,
                        struct buffer *text)
{
    for (size_t row = 0; row < grid->count; row += grid->columns) {
        unsigned blanks = indent, at = indent;

        for (size_t column = 0; column < end && row + column < grid->count; column++) {
            const struct grid_cell *cell = &grid->cells[row + column];

            if (column >= grid->keys && column < first)
                continue;
            if (cell->reach != GRID_COLUMN) {
                reaching_print(grid, cell, at, blanks, text);
                break;
            }
            cell_print(grid, cell, shape->widths[column], shape->numbers[column], &blanks, text);
            at += shape->widths[column] + GAP;
        }
        buffer_append_char(text, '\n');
    }
}

static void groups_print(const struct grid *grid, const struct shape *shape, unsigned room, unsigned indent, struct buffer *text)
{
    size_t first = grid->keys, end;

    while (first < grid->columns) {
        unsigned used = sum_of(shape->widths, grid->keys);

        for (end = first; end < grid->columns; end++) {
            unsigned more = shape->widths[end] + (used ? GAP : 0);

            if (end > first && used + more > room)
                break;
            used += more;
        }
        if (first > grid->keys)
            buffer_append_char(text, '\n');
        group_print(grid, shape, first, end, indent, text);
        first = end;
    }
}

void grid_print(const struct grid *grid, unsigned indent, struct buffer *text)
{
    struct shape shape = {xcalloc(grid->columns, sizeof(*shape.widths)), xcalloc(grid->columns, sizeof(*shape.numbers))};
    unsigned room = grid->width > indent + LEAST ? grid->width - indent : LEAST, most;

    for (size_t i = 0; i < grid->count; i++) {
        unsigned cells = grid->cells[i].reach == GRID_COLUMN ? terminal_cells(str_of(grid->cells[i].text)) : 0;
        unsigned *width = &shape.widths[i % grid->columns];

        *width = cells > *width ? cells : *width;
    }
    for (size_t i = 0; i < grid->columns; i++) {
        shape.numbers[i] = column_is_numbers(grid, i);
        if (grid->most || grid->cell_max)
            cap(&shape.widths[i], 1, grid->most ? grid->most[i] : grid->cell_max);
    }
    if (!grid->width || sum_of(shape.widths, grid->columns) <= room) {
        group_print(grid, &shape, grid->keys, grid->columns, indent, text);
    } else if (grid->fit == GRID_CUT) {
        cut_from_the_right(shape.widths, grid->columns, room);
        group_print(grid, &shape, grid->keys, grid->columns, indent, text);
    } else if (grid->fit == GRID_EVEN) {
        most = cap_that_fits(shape.widths, grid->columns, room, LEAST);
        cap(shape.widths, grid->columns, most ? most : LEAST);
        group_print(grid, &shape, grid->keys, grid->columns, indent, text);
    } else {
        most = cap_that_fits(shape.widths, grid->columns, room, CUT_LEAST);
        cap(shape.widths, grid->columns, most ? most : CUT_GROUPED < room ? CUT_GROUPED : room);
        groups_print(grid, &shape, room, indent, text);
    }
    free(shape.widths);
    free(shape.numbers);
}
