/* grid.h: a table for the terminal: cells in rows, columns as wide as their widest cell, numbers to the right.
 * Ownership: the grid owns copies; grid_release frees. Threads: one owner. Width is counted in bytes, for nearly all that is
 * shown here is ASCII. */
#ifndef LUADUCT_CLI_GRID_H
#define LUADUCT_CLI_GRID_H

#include "util/buffer.h"

struct grid {
    size_t columns;
    char **cells;
    size_t count, capacity;
};

void grid_init(struct grid *grid, size_t columns);
void grid_release(struct grid *grid);
void grid_add(struct grid *grid, const char *format, ...) PRINTF_LIKE(2, 3);
/* A number that may not be there: below 0 it is "-". */
void grid_add_number(struct grid *grid, int64_t number);
/* One line a row, each behind `indent` blanks. A row that is not full at the end is printed as far as it goes. */
void grid_print(const struct grid *grid, unsigned indent, struct buffer *text);

#endif
