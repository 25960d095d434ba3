/* schema.h: the target's types and table schemas, as the service writes them (protocol sections 3.2, 7.3).
 * Ownership: a schema owns its columns and texts; mc_schema_release frees. Threads: any, read-only after reading.
 * Errors: CONFIG for a person's type, FATAL for an answer that cannot be read. */
#ifndef LUADUCT_MAXCOMPUTE_SCHEMA_H
#define LUADUCT_MAXCOMPUTE_SCHEMA_H

#include "util/buffer.h"
#include "util/error.h"
#include "util/str.h"

enum mc_kind {
    MC_TINYINT, MC_SMALLINT, MC_INT, MC_BIGINT, MC_FLOAT, MC_DOUBLE, MC_DECIMAL, MC_STRING, MC_VARCHAR, MC_CHAR, MC_BINARY,
    MC_BOOLEAN, MC_DATE, MC_DATETIME, MC_TIMESTAMP, MC_TIMESTAMP_NTZ, MC_JSON, MC_INTERVAL_YEAR_MONTH, MC_INTERVAL_DAY_TIME,
    MC_ARRAY, MC_MAP, MC_STRUCT,
};

struct mc_type {
    enum mc_kind kind;
    unsigned precision; /* decimal (0 = legacy decimal without parameters); length of varchar and char */
    unsigned scale;
    size_t child_count; /* array 1, map 2, struct n */
    struct mc_type *children;
    char **child_names; /* struct */
};

/* Any case, blanks allowed: "decimal(10,2)", "map<string,array<bigint>>", "struct<a:bigint,b:string>". Release what it made. */
bool mc_type_parse(struct mc_type *type_out, struct str text, struct error *error) MUST_USE;
void mc_type_release(struct mc_type *type);
/* Upper case, as in DDL: DECIMAL(10,2). */
void mc_type_print(const struct mc_type *type, struct buffer *text);
bool mc_type_equal(const struct mc_type *a, const struct mc_type *b);

struct mc_column {
    char *name;
    struct mc_type type;
    bool not_null;
    bool has_default;
    char *comment; /* may be NULL */
};

struct mc_schema {
    struct mc_column *columns; /* their order is the field numbers (from 1) of records */
    size_t column_count;
    struct mc_column *partitions;
    size_t partition_count;
};

void mc_schema_release(struct mc_schema *schema);
/* The JSON of tunnel sessions ("columns"/"partitionKeys" with "nullable") and of the control plane ("isNullable"): both are
 * understood. Unknown members are ignored, anything that does not fit is an error naming it. */
bool mc_schema_parse(struct mc_schema *schema_out, struct str json, struct error *error) MUST_USE;
/* The answer of GET table (protocol section 7.3): JSON inside XML. schema_out is only set on success; views are refused. */
bool mc_table_parse(struct mc_schema *schema_out, struct str xml, struct error *error) MUST_USE;
/* <TableId> of the same answer as text of one line, cut to the room; "" when there is none. Two tables never have the same one,
 * also when the second takes the name of the first. */
void mc_table_id(struct str xml, char *id, size_t id_size);
/* -1 when there is none; names compare without case. */
int mc_schema_column(const struct mc_schema *schema, struct str name);
/* Whether records packed for `old` can be written to `now`: the same columns in the same places (now may have more at the end,
 * nullable). The error says what differs. */
bool mc_schema_compatible(const struct mc_schema *old, const struct mc_schema *now, struct error *error) MUST_USE;

/* DDL (protocol section 7.7): CREATE TABLE IF NOT EXISTS with columns, PARTITIONED BY, LIFECYCLE (0 = none). */
void mc_ddl_create_table(struct buffer *sql, struct str project, struct str schema_name, struct str table,
                         const struct mc_schema *schema, struct str comment, int lifecycle_days);
/* ALTER TABLE … ADD IF NOT EXISTS, which one partition or more follow; spec as in the tunnel's parameter: "ds=20240101,hh=01". */
void mc_ddl_add_partitions(struct buffer *sql, struct str project, struct str schema_name, struct str table);
void mc_ddl_partition(struct buffer *sql, struct str spec);
/* The settings that a statement with these types needs, as the JSON text of the instance's "settings" property. */
void mc_ddl_settings(struct buffer *json, const struct mc_schema *schema, struct str schema_name);
/* Backquoted, backquotes doubled; single-quoted with \' and \\. */
void mc_ddl_identifier(struct buffer *sql, struct str name);
void mc_ddl_string(struct buffer *sql, struct str text);

#endif
