/* page.h: a page of help on a terminal: a part of it, and lines that are not too long.
 * A page is of entries: a line at the margin or two blanks beside it, and the lines behind it that are indented deeper.
 * Ownership: the caller's buffers. Threads: any. */
#ifndef LUADUCT_CLI_PAGE_H
#define LUADUCT_CLI_PAGE_H

#include "util/buffer.h"

/* Appends the entries of the page that have the word (without regard to the case of ASCII letters) in the name that they begin
 * with or, where there are none, in what they say. False: it is in none. */
bool page_find(struct str page, struct str word, struct buffer *out) MUST_USE;
/* Appends the page with lines of at most so many characters, broken at blanks and indented as they were, the first line of an
 * entry deeper. A word that is longer stays whole. */
void page_wrap(struct str page, size_t columns, struct buffer *out);

#endif
