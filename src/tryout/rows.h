/* rows.h: rows typed by hand, for one stage alone: a line of JSON a row, an object of fields.
 *
 *     {"id": 1, "city": "Shanghai", "amount": "9.50", "flag": true}
 *     {"id": 2, "city": null, "amount": ""}
 *
 * The types are those of the fields that come into the stage (chain_probe_some). Text is parsed strictly for fields that are
 * none; an object or a list is its JSON text in a string field; binary takes a text or {"base64": "..."}. What a row does not
 * name is NULL; source fields that no row names are those of a record without key and value, whose offset is the row's number
 * from 0. Empty lines are passed over. Ownership: what is read lives in the batch's arena. Threads: one. Bounds: BATCH_ROWS_MAX
 * rows. Errors: all mistakes go to the report, with line and column. */
#ifndef LUADUCT_TRYOUT_ROWS_H
#define LUADUCT_TRYOUT_ROWS_H

#include "batch/batch.h"
#include "job/job.h"
#include "job/report.h"

/* A batch of these rows that has begun. probe: the fields. False: the report says why. */
bool rows_read(struct batch **batch_out, const char *path, const struct job *job, const struct batch *probe,
               struct report *report) MUST_USE;

#endif
