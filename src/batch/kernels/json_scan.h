/* json_scan.h: the short way from a plain document to its columns, in one pass over the message's own bytes; for json*.c only.
 * It decides a row only when all about it is plain; else it says that it does not know, has changed nothing that counts, and
 * yyjson reads the row. Values, NULLs and reasons therefore never depend on whether this module ran.
 * Ownership: a scan belongs to its extractor and borrows its columns. Threads: those of the extractor. */
#ifndef LUADUCT_BATCH_KERNELS_JSON_SCAN_H
#define LUADUCT_BATCH_KERNELS_JSON_SCAN_H

#include "batch/kernels/json_extractor.h"

struct json_scan {
    struct scan_object *root;
    struct scan_target **targets; /* by column */
    bool off;                     /* for tests that compare both ways */
    uint64_t rows;                /* that it decided */

    /* Of the row in hand. */
    uint64_t record; /* counts up: marks of earlier rows are void by themselves */
    size_t filled;   /* columns that have their value */
    bool marked;     /* there is a text in the arena since `mark` */
    struct arena_mark mark;

    unsigned failures; /* rows in a row that it did not know */
    unsigned pause;    /* rows that it still leaves alone, after too many of them */
    unsigned pause_rows;
};

/* After the last column. NULL where the options ask for more than plain values of members reached by name. */
struct json_scan *json_scan_new(const struct json_extractor *x);
void json_scan_free(struct json_scan *scan);
/* Before the rows of a batch: the columns are there. */
void json_scan_begin(struct json_extractor *x);
/* True: the row in hand (x->source, x->row) is done, or the arena is full (x->full). False: not known. */
bool json_scan_row(struct json_extractor *x) MUST_USE;

#endif
