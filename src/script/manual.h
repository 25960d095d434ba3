/* manual.h: what scripts can call, as a person reads it: `luaduct help lua` and config/lua.md are made of these rows, and
 * unit.manual runs every example. A row stands in the file of its function. Ownership: constant. Threads: any. */
#ifndef LUADUCT_SCRIPT_MANUAL_H
#define LUADUCT_SCRIPT_MANUAL_H

#include "util/buffer.h"

struct manual_row {
    const char *call; /* "luaduct.json.encode(value)" */
    const char *text; /* what it does: sentences */
    /* An expression, and its value by tostring; or, when it is statements, the body of process(batch) for the batch that the
     * manual shows, and "field: a|b|…" afterwards. NULL: none. */
    const char *example, *result;
};

struct manual_section {
    const char *title;
    const char *text;              /* may be NULL */
    const struct manual_row *rows; /* ends with a row without a call */
};

/* Ends with NULL. */
extern const struct manual_section *const manual_sections[];

/* As Markdown (the page) or for a terminal. */
void manual_print(struct buffer *text, bool markdown);

#endif
