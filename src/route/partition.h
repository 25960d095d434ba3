/* partition.h: from a row to the partition that it belongs to. Private to route/.
 * Ownership: partitions borrow job, schema and Lua state; what partitions_batch makes lives in the batch's arena.
 * Threads: the worker's. */
#ifndef LUADUCT_ROUTE_PARTITION_H
#define LUADUCT_ROUTE_PARTITION_H

#include "route/mapping.h"
#include "route/route.h"

struct partitions;

/* The job's rules against the table's partition columns: each exactly once. Without a mistake they are there. state NULL:
 * functions in Lua are not opened (for check), and such partitions must not be asked for batches. saved: what partitions_save
 * gave of the version before, or absent. zone: the job's, for local date-times in text. */
struct partitions *partitions_new(const struct job *job, const struct mc_schema *schema, struct script_state *state,
                                  struct str saved, const struct zone *zone, struct complaints *complaints) MUST_USE;
void partitions_free(struct partitions *partitions);
bool partitions_keep_state(const struct partitions *partitions);
bool partitions_save(struct partitions *partitions, struct buffer *saved, struct error *error) MUST_USE;
void partitions_check(struct partitions *partitions, const struct batch *probe, struct complaints *complaints);
/* The job's functions in Lua, without a table: opens them in the state, and calls each with the probe, which has no rows. */
void partitions_check_scripts(const struct job *job, struct script_state *state, const struct zone *zone, struct batch *probe,
                              struct complaints *complaints);
/* Groups the selected rows by partition. Rows without a proper value become dirty and are swept. */
bool partitions_batch(struct partitions *partitions, struct batch *batch, struct routed_group **groups_out, size_t *count_out,
                      struct error *error) MUST_USE;
void partitions_describe(const struct partitions *partitions, struct buffer *text);

/* NULL, or why the text cannot be a partition value, as the end of a sentence. */
const char *partition_value_reason(struct str value);

#endif
