/* store_internal.h: what store.c and store_session.c share; nobody else includes it. */
#ifndef LUADUCT_LOCAL_STORE_INTERNAL_H
#define LUADUCT_LOCAL_STORE_INTERNAL_H

#include "local/store.h"

#include <pthread.h>
#include <sqlite3.h>

struct connection {
    sqlite3 *database;
    pthread_mutex_t lock; /* guards the database handle, and with the writer every change */
};

struct store {
    struct connection writer;
    struct connection reader_own; /* files only */
    struct connection *reader;    /* &reader_own, or &writer for a database in memory */
    bool discard;
    int64_t session_ms_max;
};

/* Prepares and binds: one letter a parameter, s = const char *, t = struct str *, b = the same as a blob, i = int64_t. */
sqlite3_stmt *sql_prepare(sqlite3 *database, const char *sql, const char *types, ...) MUST_USE;
/* The same, stepped to its end and finalized. */
bool sql_run(sqlite3 *database, struct refusal *refusal, const char *sql, const char *types, ...) MUST_USE;
bool sql_refuse(sqlite3 *database, struct refusal *refusal);
char *sql_text(sqlite3_stmt *statement, int column) MUST_USE; /* a copy; "" for NULL */
/* Ends the transaction: commits when ok, else (or when that fails) rolls back. */
bool sql_end(sqlite3 *database, bool ok, struct refusal *refusal) MUST_USE;

bool table_load(sqlite3 *database, struct str project, struct str schema_name, struct str name, struct store_table *table_out,
                struct refusal *refusal) MUST_USE;
bool partition_add(sqlite3 *database, int64_t table_id, const char *spec, bool if_not_exists, int64_t now_ms,
                   struct refusal *refusal) MUST_USE;

#endif
