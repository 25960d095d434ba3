/* ddl_parse.h: the SQL statements that an ingest agent and its tests send (protocol section 7.7), as a struct.
 * CREATE TABLE, DROP TABLE, ALTER TABLE ADD/DROP PARTITION, ALTER TABLE ADD COLUMNS, and SET key=value, which is read over.
 * Ownership: a statement owns its texts; ddl_statement_release frees. Threads: any, no state.
 * Errors: ERROR_DATA with the service's text, "ODPS-0130161:[line,column] Parse exception - ...". */
#ifndef LUADUCT_LOCAL_DDL_PARSE_H
#define LUADUCT_LOCAL_DDL_PARSE_H

#include "util/error.h"
#include "util/str.h"

enum ddl_kind {
    DDL_END, /* the text holds no further statement */
    DDL_SET,
    DDL_CREATE_TABLE,
    DDL_DROP_TABLE,
    DDL_ADD_PARTITION,
    DDL_DROP_PARTITION,
    DDL_ADD_COLUMNS,
};

struct ddl_column {
    char *name; /* lower case */
    char *type; /* as written; it parses as a type */
    bool not_null;
    char *default_value; /* NULL: none */
    char *comment;       /* NULL: none */
};

struct ddl_columns {
    struct ddl_column *items;
    size_t count, capacity;
};

struct ddl_statement {
    enum ddl_kind kind;
    bool if_exists;    /* IF EXISTS, or IF NOT EXISTS, whichever the statement has */
    char *project;     /* NULL: not said */
    char *schema_name; /* NULL: not said */
    char *table;
    struct ddl_columns columns;
    struct ddl_columns partitions;
    char *comment;
    int lifecycle_days; /* 0: none */
    char **specs;       /* "dt=20240101,hh=01" */
    size_t spec_count, spec_capacity;
};

/* Parses the statement at *position and moves it behind the statement's semicolon. */
bool ddl_parse(struct ddl_statement *statement_out, struct str sql, size_t *position, struct error *error) MUST_USE;
void ddl_statement_release(struct ddl_statement *statement);
void ddl_columns_release(struct ddl_columns *columns);

#endif
