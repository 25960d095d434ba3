/* store.h: projects, tables, partitions, upload and download sessions and rows of the local endpoint, in SQLite.
 * Layout, for people who look with any SQLite tool: the table "project.table" (or "project.schema.table") holds the rows, with
 * `_id` in the order of arrival, `_partition` ("dt=20240101,hh=01", "" without partitions) and a column per column (values.h says
 * in which form);
 * `_projects`, `_tables`, `_columns`, `_partitions`, `_sessions`, `_blocks` and `_instances` are the books.
 * Blocks are kept as their record streams until the commit, which makes rows of all of them in one transaction.
 * Ownership: store_close frees; what a function hands out is the caller's. Threads: any; one lock for writing, one for reading.
 * Errors: struct refusal holds what the service would answer. Bounds: sessions expire after a time; it is passed in.
 * A process that dies leaves nothing by halves: a commit under way has closed its session with its rows, or the session is
 * normal again when the store is opened. */
#ifndef LUADUCT_LOCAL_STORE_H
#define LUADUCT_LOCAL_STORE_H

#include "local/ddl_parse.h"
#include "maxcompute/schema.h"

enum { SESSION_MS_MAX = 24 * 3600 * 1000, BLOCK_ID_MAX = 19999, SESSION_ID_MAX = 48 };

/* The service's answer to what cannot be done: HTTP status, Code, Message. */
struct refusal {
    int status;
    char code[64];
    char text[1200];
    int retry_after_s; /* 0: none */
};
/* Returns false, so that `return refuse(...)` reads well. */
bool refuse(struct refusal *refusal, int status, const char *code, const char *format, ...) PRINTF_LIKE(4, 5);

struct store;

struct store_options {
    const char *path;       /* NULL: in memory */
    bool discard;           /* keep no rows */
    int64_t session_ms_max; /* the life of a session; 0: SESSION_MS_MAX */
};

bool store_open(struct store **store_out, const struct store_options *options, struct error *error) MUST_USE;
void store_close(struct store *store);
bool store_add_project(struct store *store, struct str name, int64_t now_ms, struct error *error) MUST_USE;
bool store_has_project(struct store *store, struct str name, int64_t *created_ms_out);

/* --- tables --- */

struct store_table {
    int64_t id;
    char *project;
    char *schema_name; /* "" = no schema level */
    char *name;
    char *rows; /* name of the SQLite table */
    struct ddl_columns columns, partitions;
    char *schema_json; /* the "Schema" of tunnel sessions */
    struct mc_schema schema;
    char *comment;
    int lifecycle_days;
    int64_t created_ms, modified_ms, ddl_ms;
    int64_t record_count;
};
void store_table_release(struct store_table *table);
/* NoSuchTable when it is not there. */
bool store_table_load(struct store *store, struct str project, struct str schema_name, struct str name,
                      struct store_table *table_out, struct refusal *refusal) MUST_USE;
/* All of a project and schema, by name. Free each and the array. */
struct store_table *store_tables(struct store *store, struct str project, struct str schema_name, size_t *count_out) MUST_USE;

struct store_partition {
    char *spec;
    int64_t record_count, created_ms, modified_ms;
};
struct store_partition *store_partitions(struct store *store, int64_t table_id, size_t *count_out) MUST_USE;
void store_partitions_free(struct store_partition *partitions, size_t count);
/* The partition's canonical spec: columns in order, no quotes, no blanks ("" for a table without partitions). */
bool store_spec(const struct store_table *table, struct str text, struct buffer *spec, struct refusal *refusal) MUST_USE;
/* NoSuchPartition when it is not there. */
bool store_partition_load(struct store *store, int64_t table_id, const char *spec, struct store_partition *partition_out,
                          struct refusal *refusal) MUST_USE;

/* --- statements and their instances --- */

/* project and schema_name are those of the call, for names that do not say them. */
bool store_execute(struct store *store, const struct ddl_statement *statement, struct str project, struct str schema_name,
                   int64_t now_ms, struct refusal *refusal) MUST_USE;

struct store_instance {
    char id[SESSION_ID_MAX];
    char *project;
    char *task;
    bool failed;
    char *result;
    int64_t start_ms;
};
void store_instance_release(struct store_instance *instance);
bool store_instance_add(struct store *store, const struct store_instance *instance, struct refusal *refusal) MUST_USE;
bool store_instance_load(struct store *store, struct str project, struct str id, struct store_instance *instance_out,
                         struct refusal *refusal) MUST_USE;
struct store_instance *store_instances(struct store *store, struct str project, size_t *count_out) MUST_USE;

/* --- sessions --- */

enum session_kind { SESSION_UPLOAD, SESSION_DOWNLOAD };

struct store_session {
    char id[SESSION_ID_MAX];
    enum session_kind kind;
    int64_t table_id;
    char *rows; /* name of the SQLite table */
    char *partition;
    bool overwrite;
    char status[16]; /* of protocol 3.3, in lower case */
    char *schema_json;
    struct mc_schema schema;
    int64_t created_ms;
    int64_t record_count; /* download: at creation */
    int64_t version;      /* download: of the partition, at creation */
};
void store_session_release(struct store_session *session);
void store_session_id(char id[SESSION_ID_MAX], int64_t now_ms);
/* Checks the partition (and makes it when create_partition). */
bool store_session_create(struct store *store, enum session_kind kind, const struct store_table *table, struct str partition,
                          bool overwrite, bool create_partition, int64_t now_ms, struct store_session *session_out,
                          struct refusal *refusal) MUST_USE;
/* 404 NoSuchUpload or NoSuchDownload. The name of the table must be that of the session's. */
bool store_session_load(struct store *store, enum session_kind kind, struct str id, struct str project, struct str schema_name,
                        struct str table, int64_t now_ms, struct store_session *session_out, struct refusal *refusal) MUST_USE;
/* For faults: the session has this status from now on, unless it is closed. */
void store_session_set_status(struct store *store, struct str id, const char *status);
/* For faults: the session and its blocks are not known any more; rows that it made stay. */
void store_session_forget(struct store *store, struct str id);

struct store_block {
    int64_t id, record_count, created_ms, version;
};
/* Verifies the record stream (uncompressed) and keeps it; nothing is kept on failure, or when the table is another one by now. */
bool store_block_put(struct store *store, const struct store_session *session, int64_t block, int64_t version, struct str body,
                     int64_t now_ms, struct refusal *refusal) MUST_USE;
struct store_block *store_blocks(struct store *store, const char *session_id, size_t *count_out) MUST_USE;
/* A commit has two halves, between which the session is `closing`. The first one makes it so; *second_out is set, and nothing
 * done, when the session is closed already or another commit of it is under way. Both set session->status. */
bool store_commit_begin(struct store *store, struct store_session *session, int64_t now_ms, bool *second_out,
                        struct refusal *refusal) MUST_USE;
/* Then all blocks become rows and the session closed, in one transaction; or nothing happens and the session is normal again. */
bool store_commit_end(struct store *store, struct store_session *session, int64_t now_ms, struct refusal *refusal) MUST_USE;

/* The record stream of rows [start, start + count) of a download session; columns NULL: all of them. */
bool store_read(struct store *store, const struct store_session *session, int64_t start, int64_t count, const struct str *columns,
                size_t column_count, bool modified_check, struct buffer *body, struct refusal *refusal) MUST_USE;

/* Up to `count` rows of a partition as printable texts, each a row-major array of column_count texts (NULL for SQL NULL); free
 * them. */
char **store_preview(struct store *store, const struct store_table *table, const char *spec, size_t count,
                     size_t *rows_out) MUST_USE;

#endif
