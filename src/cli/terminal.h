/* terminal.h: what a terminal may have, how many cells it takes, and what the terminal can.
 * Widths are cells: a CJK character takes two, a combining mark none (utf8proc).
 * Ownership: buffers are the caller's. Threads: any, no state. */
#ifndef LUADUCT_CLI_TERMINAL_H
#define LUADUCT_CLI_TERMINAL_H

#include "util/buffer.h"

/* Cells of a line of standard output; 0 when it is no terminal. */
unsigned terminal_width(void);
/* Whether standard output may have colours: it is a terminal, nobody said --no-color, and the environment neither says NO_COLOR
 * nor TERM=dumb. */
bool terminal_colours(bool no_color) MUST_USE;

/* The text as a terminal may have it: \n, \t and \r by their letters, other control characters, what turns the direction of a
 * line around, and bytes that are no UTF-8 as \xNN or \uNNNN. With lines true line ends and tabs stay. */
void terminal_clean(struct str text, bool lines, struct buffer *clean);
/* Of clean text. */
unsigned terminal_cells(struct str clean);
/* Clean text that takes `width` cells at most: as it is, or its beginning and an ellipsis. Returns the cells it takes. */
unsigned terminal_cut(struct str clean, unsigned width, struct buffer *text);
/* Takes a line of `width` cells at most off the beginning of clean text: up to a blank, which is left out, or between two wide
 * characters. A word that is longer stays in one piece, so that a path can be copied. */
struct str terminal_wrap(struct str *clean, unsigned width);

#endif
