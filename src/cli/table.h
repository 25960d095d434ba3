/* table.h: a table of texts that fits a terminal. Widths come from the contents; where they do not fit, the last columns are cut.
 * Ownership: rows' cells are borrowed until table_free. Threads: one. */
#ifndef LUADUCT_CLI_TABLE_H
#define LUADUCT_CLI_TABLE_H

#include "util/buffer.h"

enum { TABLE_COLUMNS = 6 };

struct table;

/* width: cells of the terminal; 0: no terminal, nothing is cut but very long texts. */
struct table *table_new(const char *const names[TABLE_COLUMNS], unsigned width) MUST_USE;
void table_free(struct table *table);
void table_add(struct table *table, const char *const cells[TABLE_COLUMNS]);
void table_print(const struct table *table, struct buffer *text);

/* Of standard output; 0 when it is no terminal. */
unsigned table_width(void);
/* The text as a terminal may have it: control characters and bytes that are no UTF-8 become "?", line ends and tabs a blank, or,
 * with lines true, stay. */
void table_clean(struct str text, bool lines, struct buffer *clean);

#endif
