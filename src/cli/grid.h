/* grid.h: a table for the terminal: cells in rows, columns as wide as their widest cell, numbers to the right.
 * What is put into cells is made fit for a terminal (terminal.h). Where lines would be longer than `width`, the grid first cuts
 * its widest columns; if that is not enough, `fit` says what becomes of it.
 * Ownership: the grid owns copies; grid_release frees. Threads: one owner. Units: cells of the terminal. */
#ifndef LUADUCT_CLI_GRID_H
#define LUADUCT_CLI_GRID_H

#include "util/buffer.h"

enum grid_style { GRID_PLAIN, GRID_HEAD, GRID_DIM, GRID_CHANGED, GRID_NEW, GRID_GONE };
enum grid_fit {
    GRID_GROUPS, /* the columns are printed in groups, one below the other, each with the first `keys` columns */
    GRID_CUT,    /* columns are cut further, the last one first */
};

struct grid_cell {
    char *text;
    enum grid_style style;
    bool is_text; /* whatever it looks like, it is no number */
};

struct grid {
    size_t columns;
    struct grid_cell *cells;
    size_t count, capacity;
    /* Set after grid_init where the defaults do not do. */
    size_t heads;         /* rows of headings, 1 */
    size_t keys;          /* 0 */
    unsigned width;       /* of the terminal; 0: lines may be as long as they like */
    unsigned cell_max;    /* longer cells are cut in any case; 0: none is */
    const unsigned *most; /* the same by column; NULL: cell_max */
    bool colours;
    enum grid_fit fit;
};

void grid_init(struct grid *grid, size_t columns);
void grid_release(struct grid *grid);
void grid_add(struct grid *grid, const char *format, ...) PRINTF_LIKE(2, 3);
void grid_add_text(struct grid *grid, struct str text, enum grid_style style);
/* A number that may not be there: below 0 it is "-". */
void grid_add_number(struct grid *grid, int64_t number);
/* A value of a row: NULL (absent) differs from "NULL" and from "". text: it is a text, not a number, so it may be mistaken. Cells
 * that begin or end with a blank are quoted. `mark` stands before it, "" for none. */
void grid_add_value(struct grid *grid, struct str value, bool text, const char *mark, enum grid_style style);
/* One line a row, each behind `indent` blanks. A row that is not full at the end is printed as far as it goes. */
void grid_print(const struct grid *grid, unsigned indent, struct buffer *text);

#endif
