/* mapping.h: fields of the last stage to target columns: who feeds whom, and values in wire form. Private to route/.
 * Ownership: a mapping borrows the job and the schema; what mapping_batch makes lives in the batch's arena.
 * Threads: the worker's (the conversion's caches are inside). */
#ifndef LUADUCT_ROUTE_MAPPING_H
#define LUADUCT_ROUTE_MAPPING_H

#include "batch/convert.h"
#include "job/job.h"
#include "job/report.h"
#include "maxcompute/record.h"

/* Where mistakes go: all to the report, or the first one to the error. */
struct complaints {
    struct report *report; /* NULL: */
    struct error *error;
    unsigned count;
};
void complain(struct complaints *complaints, struct location at, unsigned width, const char *format, ...) PRINTF_LIKE(4, 5);

/* The field of a name: exact, else the only one that equals without case. -1: none; -2: several. *guess is tried first and
 * updated. */
int field_find(const struct batch *batch, struct str name, uint32_t *guess);

struct mapping;

/* The job's mapping against the schema. Without a mistake the mapping is there. zone may be NULL. */
struct mapping *mapping_new(const struct job *job, const struct mc_schema *schema, const struct zone *zone,
                            struct complaints *complaints) MUST_USE;
void mapping_free(struct mapping *mapping);
/* The mapping against the fields of a probed batch. */
void mapping_check(struct mapping *mapping, const struct batch *probe, struct complaints *complaints);
/* Converts the selected rows; rows that do not fit become dirty and are swept. columns_out has room for all of the schema's
 * columns. */
bool mapping_batch(struct mapping *mapping, struct batch *batch, struct wire_column *columns_out, size_t *count_out,
                   struct error *error) MUST_USE;
/* The field that feeds column `index` of the schema; NULL: none does. */
const struct field *mapping_field(struct mapping *mapping, size_t index, const struct batch *probe);
/* A line a column, as `check` prints it. */
void mapping_describe(struct mapping *mapping, const struct batch *probe, struct buffer *text);

#endif
