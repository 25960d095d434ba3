/* grid.c */
#include "cli/grid.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void grid_init(struct grid *grid, size_t columns)
{
    *grid = (struct grid){.columns = columns};
}

void grid_release(struct grid *grid)
{
    for (size_t i = 0; i < grid->count; i++)
        free(grid->cells[i]);
    free(grid->cells);
    *grid = (struct grid){0};
}

void grid_add(struct grid *grid, const char *format, ...)
{
    char text[1500]; /* the longest are error texts */
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    XGROW(grid->cells, grid->count, grid->capacity);
    grid->cells[grid->count++] = xstrdup(text);
}

void grid_add_number(struct grid *grid, int64_t number)
{
    if (number < 0)
        grid_add(grid, "-");
    else
        grid_add(grid, "%" PRId64, number);
}

/* A column of numbers stands to the right with its heading; "" and "-" are numbers that are not there. */
static bool column_is_numbers(const struct grid *grid, size_t column)
{
    bool numbers = false;

    for (size_t i = grid->columns + column; i < grid->count; i += grid->columns) {
        const char *cell = grid->cells[i];
        bool number = cell[0] && !cell[strspn(cell, "0123456789")];

        if (!number && cell[0] && strcmp(cell, "-") != 0 && strcmp(cell, "total") != 0)
            return false;
        numbers = numbers || number;
    }
    return numbers;
}

void grid_print(const struct grid *grid, unsigned indent, struct buffer *text)
{
    size_t *widths = xcalloc(grid->columns, sizeof(*widths));
    bool *numbers = xcalloc(grid->columns, sizeof(*numbers));

    for (size_t i = 0; i < grid->count; i++)
        widths[i % grid->columns] = size_max(widths[i % grid->columns], strlen(grid->cells[i]));
    for (size_t i = 0; i < grid->columns; i++)
        numbers[i] = column_is_numbers(grid, i);
    for (size_t i = 0; i < grid->count; i++) {
        size_t column = i % grid->columns;
        int width = (int)size_min(widths[column], 1500);
        bool last = column + 1 == grid->columns || i + 1 == grid->count;

        if (column == 0)
            buffer_print(text, "%*s", (int)indent, "");
        if (numbers[column])
            buffer_print(text, "%*s", width, grid->cells[i]);
        else
            buffer_print(text, "%-*s", width, grid->cells[i]);
        if (!last) {
            buffer_append_str(text, STR("  "));
            continue;
        }
        while (text->size && text->data[text->size - 1] == ' ')
            text->size--;
        buffer_append_char(text, '\n');
    }
    free(widths);
    free(numbers);
}
