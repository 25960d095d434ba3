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
    GRID_CUT,    /* the widest are left as they are: the last column is cut first, then the one before it */
    GRID_EVEN,   /* the widest columns are cut further still, so that what stands side by side has the same room */
};
/* How far a cell reaches. One that leaves its column makes the column no wider, and is the last of its row. */
enum grid_reach {
    GRID_COLUMN,  /* it is cut to its column */
    GRID_LINE,    /* it is cut at the end of the line */
    GRID_WRAPPED, /* it goes on in the lines below, under its beginning: nothing is cut */
};

struct grid_cell {
    char *text;
    enum grid_style style;
    enum grid_reach reach;
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
    bool words; /* no column is one of numbers, whatever its cells look like */
    enum grid_fit fit;
};

void grid_init(struct grid *grid, size_t columns);
void grid_release(struct grid *grid);
void grid_add(struct grid *grid, const char *format, ...) PRINTF_LIKE(2, 3);
void grid_add_text(struct grid *grid, struct str text, enum grid_style style);
/* Fills the row that has been begun. */
void grid_add_reaching(struct grid *grid, struct str text, enum grid_style style, enum grid_reach reach);
/* A number that may not be there: below 0 it is "-". */
void grid_add_number(struct grid *grid, int64_t number);
/* A value of a row as a cell shows it: NULL (absent) differs from "NULL" and from "". text: it is a text, not a number, so it may
 * be mistaken. What begins or ends with a blank is quoted. */
void grid_value_print(struct str value, bool text, struct buffer *shown);
/* Such a value, with `mark` before it, "" for none. */
void grid_add_value(struct grid *grid, struct str value, bool text, const char *mark, enum grid_style style);
/* One line a row, each behind `indent` blanks. A row that is not full at the end is printed as far as it goes. */
void grid_print(const struct grid *grid, unsigned indent, struct buffer *text);

#endif
