/* preview.h: the two forms in which `luaduct preview` shows people the first rows that went through a stage.
 * Ownership: all is borrowed from the command, and previews are its to release. Threads: its main thread. */
#ifndef LUADUCT_CLI_PREVIEW_H
#define LUADUCT_CLI_PREVIEW_H

#include "cli/tryout.h"
#include "tryout/preview.h"

struct preview_show {
    const struct tryout *tryout;
    struct value_printer printer;
    struct preview *kept; /* of the first batches */
    size_t kept_count, kept_capacity;
    size_t limit;    /* rows that go in */
    bool all_fields; /* also what is of little interest: what a row keeps, and source fields that the stage does not read */
    bool hand;       /* the rows are not records, they were typed */
};

/* A block for each row that goes in: what became of it, then before and after side by side, a line for each field. */
void preview_show_blocks(struct preview_show *show, struct buffer *text);
/* A line for each row, the rows that come out below the one that went in, a column for each field. */
void preview_show_rows(struct preview_show *show, struct buffer *text);

/* Where the row came from, as a record is named: partition/offset, and behind it the index, if it is not 0, of one of the rows
 * that were made of the record; or the number of the row that was typed. */
void preview_print_origin(const struct preview_show *show, const struct preview *preview, const struct preview_in *in,
                          uint32_t index, struct buffer *text);

#endif
