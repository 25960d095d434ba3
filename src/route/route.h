/* route.h: from the last stage's fields to target columns in wire form and partition values: the last part of a worker before
 * encoding. mapping.c: fields -> typed target columns. partition.c: row -> partition value.
 * Ownership: a route is built once per worker from the job and the table's schema; what it makes lives in the batch's arena.
 * Threads: the worker's.
 * Rules (behaviour.md section 4): mapping by equal name without case, then by the job's list; one field may feed several columns,
 * two fields into one column is an error; unmapped fields are not written; unmapped columns are NULL (an error when NOT NULL
 * without default). Values convert strictly (batch/convert.h) and then to the column's width: range of the small integers,
 * decimal precision and scale, UTF-8 and 8 MiB for text, NULL in NOT NULL columns: what does not fit is a dirty row with the
 * column and the value's beginning. ARRAY, MAP and STRUCT come from JSON (nested.h). Every case: config/conversion.md. */
#ifndef LUADUCT_ROUTE_ROUTE_H
#define LUADUCT_ROUTE_ROUTE_H

#include "job/job.h"
#include "job/report.h"
#include "maxcompute/record.h"
#include "script/script.h"

struct route;

/* state: for a Lua partition function; may be NULL when the job has none. schema is borrowed and must outlive the route. */
bool route_open(struct route **route_out, const struct job *job, const struct mc_schema *schema, struct script_state *state,
                struct log *log, struct error *error) MUST_USE;
/* The same, and each Lua partition function gets what the one of its column in `saved` has left (route_save). */
bool route_open_saved(struct route **route_out, const struct job *job, const struct mc_schema *schema, struct script_state *state,
                      struct str saved, struct log *log, struct error *error) MUST_USE;
/* What save() of all partition functions gives, appended, for the route of another version: pieces as chain_save's, which may be
 * in the same buffer. */
bool route_save(struct route *route, struct buffer *saved, struct error *error) MUST_USE;
/* As chain_keeps_state, of the partition functions. */
bool route_keeps_state(const struct route *route);
void route_free(struct route *route);

/* Checks the job's mapping and partition rules against the fields of a probed batch (chain_probe) and the schema, before any row:
 * unknown fields, impossible conversions, two fields into one column, NOT NULL without source. Every mistake goes to report; a
 * column whose type in the job is not the table's is a warning. */
bool route_check(const struct job *job, const struct mc_schema *schema, const struct batch *probe,
                 struct report *report) MUST_USE;

/* Opens the job's partition functions in Lua and calls each with the probed batch, which has no rows: what does not compile,
 * names an unknown field or gives another number of columns goes to report. The functions may make fields in the batch. */
bool route_check_scripts(const struct job *job, struct script_state *state, struct batch *probe, struct report *report) MUST_USE;

/* The table that `create: if_missing` makes: the job's column list, or the probed batch's fields with their types, and the
 * partition columns as STRING. A field of unknown type is an error that says to name its type. */
bool route_create_schema(const struct job *job, const struct batch *probe, struct mc_schema *schema_out,
                         struct report *report) MUST_USE;

struct routed_group {
    /* "year=2023,month=11,day=15" as the tunnel takes it; empty without partitions; in the batch's arena */
    struct str spec;
    const uint32_t *rows;
    uint32_t count;
};

struct routed {
    struct wire_column *columns; /* ascending field number; unmapped target columns are left out (NULL on the wire) */
    size_t column_count;
    struct routed_group *groups; /* each spec once, in order of first appearance */
    size_t group_count;
};

/* Rows that fail become dirty (stage "mapping" or "partition"). False: the batch cannot go on. */
bool route_batch(struct route *route, struct batch *batch, struct routed *routed_out, struct error *error) MUST_USE;

/* The column type in which a field's values are kept; false: the type of the field is not known. */
bool route_column_type(struct type type, struct mc_type *type_out) MUST_USE;
/* Which field of the probed batch feeds each column of the schema; NULL: none. fields_out has room for all of them. */
void route_fields(const struct job *job, const struct mc_schema *schema, const struct batch *probe,
                  const struct field **fields_out);
/* The partition rules as text lines; and with the mapping, for `check`. */
void route_describe_partitions(const struct job *job, const struct mc_schema *schema, struct buffer *text);
void route_describe(const struct job *job, const struct mc_schema *schema, const struct batch *probe, struct buffer *text);

#endif
