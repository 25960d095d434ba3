/* store_session.c: blocks are decoded twice: when they come, outside of any lock, in order to verify and check them; and at the
 * commit, when they become rows in one transaction. So nothing half-made is ever in the table, at the price of a second pass of
 * some 0.2 us a row. */
#include "local/store.h"
#include "local/store_internal.h"
#include "local/values.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_BYTES_MAX = 1 << 30 };

void store_session_release(struct store_session *session)
{
    free(session->rows);
    free(session->partition);
    free(session->schema_json);
    mc_schema_release(&session->schema);
    *session = (struct store_session){0};
}

#define SESSION_COLUMNS                                                                                                     \
    "SELECT id, kind, table_id, rows, partition, overwrite, status, schema, created_ms, record_count, version FROM _sessions"

static bool is_open(const char *status)
{
    return strcmp(status, "normal") == 0 || strcmp(status, "unknown") == 0;
}

static bool session_of_row(const struct store *store, sqlite3_stmt *statement, int64_t now_ms, struct store_session *session,
                           struct refusal *refusal)
{
    struct error error;

    *session = (struct store_session){
        .kind = sqlite3_column_int(statement, 1) ? SESSION_DOWNLOAD : SESSION_UPLOAD,
        .table_id = sqlite3_column_int64(statement, 2),
        .rows = sql_text(statement, 3),
        .partition = sql_text(statement, 4),
        .overwrite = sqlite3_column_int(statement, 5),
        .schema_json = sql_text(statement, 7),
        .created_ms = sqlite3_column_int64(statement, 8),
        .record_count = sqlite3_column_int64(statement, 9),
        .version = sqlite3_column_int64(statement, 10),
    };
    snprintf(session->id, sizeof(session->id), "%s", (const char *)sqlite3_column_text(statement, 0));
    snprintf(session->status, sizeof(session->status), "%s", (const char *)sqlite3_column_text(statement, 6));
    if (is_open(session->status) && now_ms - session->created_ms > store->session_ms_max)
        snprintf(session->status, sizeof(session->status), "expired");
    if (!mc_schema_parse(&session->schema, str_of(session->schema_json), &error)) {
        store_session_release(session);
        return refuse(refusal, 500, "InternalServerError", "the session's schema cannot be read: %s", error.text);
    }
    return true;
}

/* With the writer's lock. */
static bool session_load(const struct store *store, const char *id, int64_t now_ms, struct store_session *session_out,
                         struct refusal *refusal)
{
    sqlite3 *database = store->writer.database;
    sqlite3_stmt *statement = sql_prepare(database, SESSION_COLUMNS " WHERE id = ?", "s", id);
    bool ok = false;

    if (!statement)
        return sql_refuse(database, refusal);
    if (sqlite3_step(statement) == SQLITE_ROW)
        ok = session_of_row(store, statement, now_ms, session_out, refusal);
    else
        refuse(refusal, 404, "NoSuchUpload", "there is no session %s", id);
    sqlite3_finalize(statement);
    return ok;
}

static bool session_insert(struct store *store, const struct store_session *session, const struct store_table *table,
                           bool create_partition, int64_t now_ms, struct refusal *refusal)
{
    sqlite3 *database = store->writer.database;
    sqlite3_stmt *statement;
    int64_t count = 0, version = 0;
    bool found;

    /* Sessions that nobody committed in time give their blocks back. */
    if (!sql_run(database, refusal, "DELETE FROM _blocks WHERE session IN (SELECT id FROM _sessions WHERE status = 'normal' AND"
                 " created_ms < ?)", "i", now_ms - store->session_ms_max) ||
        !sql_run(database, refusal, "UPDATE _sessions SET status = 'expired' WHERE status = 'normal' AND created_ms < ?", "i",
                 now_ms - store->session_ms_max))
        return false;
    if (create_partition && !partition_add(database, table->id, session->partition, true, now_ms, refusal))
        return false;
    statement = sql_prepare(database, "SELECT record_count, version FROM _partitions WHERE table_id = ? AND spec = ?", "is",
                            table->id, session->partition);
    found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found) {
        count = sqlite3_column_int64(statement, 0);
        version = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    if (!found)
        return refuse(refusal, 404, "NoSuchPartition", "The specified partition does not exist: %s", session->partition);
    return sql_run(database, refusal, "INSERT INTO _sessions VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   "siisssss"
                   "issiii",
                   session->id, (int64_t)session->kind, table->id, table->project, table->schema_name, table->name, table->rows,
                   session->partition, (int64_t)session->overwrite, session->status, table->schema_json, now_ms, count, version);
}

bool store_session_create(struct store *store, enum session_kind kind, const struct store_table *table, struct str partition,
                          bool overwrite, bool create_partition, int64_t now_ms, struct store_session *session_out,
                          struct refusal *refusal)
{
    struct store_session session = {.kind = kind, .overwrite = overwrite, .status = "normal"};
    struct buffer spec;
    bool ok;

    *session_out = (struct store_session){0};
    buffer_init(&spec, 0);
    ok = store_spec(table, partition, &spec, refusal);
    session.partition = buffer_take(&spec, NULL);
    store_session_id(session.id, now_ms);
    if (ok) {
        pthread_mutex_lock(&store->writer.lock);
        ok = sql_run(store->writer.database, refusal, "BEGIN IMMEDIATE", "") &&
             sql_end(store->writer.database,
                     session_insert(store, &session, table, create_partition && table->partitions.count > 0, now_ms, refusal),
                     refusal) &&
             session_load(store, session.id, now_ms, session_out, refusal);
        pthread_mutex_unlock(&store->writer.lock);
    }
    free(session.partition);
    return ok;
}

bool store_session_load(struct store *store, enum session_kind kind, struct str id, struct str project, struct str schema_name,
                        struct str table, int64_t now_ms, struct store_session *session_out, struct refusal *refusal)
{
    sqlite3_stmt *statement;
    bool found, ok = false;

    *session_out = (struct store_session){0};
    pthread_mutex_lock(&store->reader->lock);
    statement = sql_prepare(store->reader->database,
                            SESSION_COLUMNS " WHERE id = ? AND kind = ? AND project = lower(?) AND"
                                            " schema_name = lower(?) AND table_name = lower(?)",
                            "tittt", &id, (int64_t)kind, &project, &schema_name, &table);
    found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        ok = session_of_row(store, statement, now_ms, session_out, refusal);
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    if (!found)
        return refuse(refusal, 404, kind == SESSION_UPLOAD ? "NoSuchUpload" : "NoSuchDownload",
                      "table %.*s has no %s session %.*s", STR_ARG(table), kind == SESSION_UPLOAD ? "upload" : "download",
                      STR_ARG(id));
    return ok;
}

/* A store that fails here fails the next call on the session as well, which tells it. */
void store_session_set_status(struct store *store, struct str id, const char *status)
{
    struct refusal refusal;

    pthread_mutex_lock(&store->writer.lock);
    if (!sql_run(store->writer.database, &refusal, "UPDATE _sessions SET status = ? WHERE id = ? AND status <> 'closed'", "st",
                 status, &id))
        assert(refusal.status == 500);
    pthread_mutex_unlock(&store->writer.lock);
}

void store_session_forget(struct store *store, struct str id)
{
    struct refusal refusal;
    sqlite3 *database = store->writer.database;

    pthread_mutex_lock(&store->writer.lock);
    if (!sql_run(database, &refusal, "DELETE FROM _sessions WHERE id = ?", "t", &id) ||
        !sql_run(database, &refusal, "DELETE FROM _blocks WHERE session = ?", "t", &id))
        assert(refusal.status == 500);
    pthread_mutex_unlock(&store->writer.lock);
}

static bool status_check(const struct store_session *session, struct refusal *refusal)
{
    if (is_open(session->status))
        return true;
    return refuse(refusal, 409, "StatusConflict", "session %s is %s; only a session that is normal takes this call", session->id,
                  session->status);
}

/* The table and partition must be those that the session was made for. */
static bool target_check(sqlite3 *database, const struct store_session *session, struct refusal *refusal)
{
    sqlite3_stmt *statement =
        sql_prepare(database,
                    "SELECT EXISTS(SELECT 1 FROM _tables WHERE id = ?1), EXISTS(SELECT 1 FROM _tables"
                    " WHERE rows = ?2), EXISTS(SELECT 1 FROM _partitions WHERE table_id = ?1 AND spec = ?3)",
                    "iss", session->table_id, session->rows, session->partition);
    bool same = false, named = false, partition = false;

    if (statement && sqlite3_step(statement) == SQLITE_ROW) {
        same = sqlite3_column_int(statement, 0);
        named = sqlite3_column_int(statement, 1);
        partition = sqlite3_column_int(statement, 2);
    }
    sqlite3_finalize(statement);
    if (!same && named)
        return refuse(refusal, 409, "TableModified", "table %s was dropped and created again after session %s began",
                      session->rows, session->id);
    if (!same)
        return refuse(refusal, 404, "NoSuchTable", "table %s was dropped after session %s began", session->rows, session->id);
    return partition || refuse(refusal, 404, "NoSuchPartition", "The specified partition does not exist: %s", session->partition);
}

/* --- blocks --- */

static bool block_verify(const struct store_session *session, struct str body, int64_t *count_out, struct refusal *refusal)
{
    struct record_decoder *decoder = record_decoder_new(&session->schema, body);
    const struct record_value *values;
    struct error error;
    int64_t count = 0;
    int result;

    while ((result = record_decoder_next(decoder, &values, &error)) == 1) {
        for (size_t i = 0; i < session->schema.column_count; i++) {
            if (!value_check(&session->schema.columns[i], &values[i], &error)) {
                refuse(refusal, 400, "DataStoreError", "record %lld: %s", (long long)count + 1, error.text);
                goto out;
            }
        }
        count++;
    }
    if (result < 0)
        refuse(refusal, 400, "MalformedDataStream", "%s", error.text);
out:
    record_decoder_free(decoder);
    *count_out = count;
    return result == 0;
}

static bool block_insert(struct store *store, const struct store_session *session, int64_t block, int64_t version,
                         struct str body, int64_t count, int64_t now_ms, struct refusal *refusal)
{
    sqlite3 *database = store->writer.database;
    struct store_session now;
    sqlite3_stmt *statement;
    int64_t stored = 0;
    bool ok;

    if (store->discard)
        body = STR_NONE;
    if (!session_load(store, session->id, now_ms, &now, refusal))
        return false;
    ok = status_check(&now, refusal) && target_check(database, &now, refusal);
    store_session_release(&now);
    if (!ok)
        return false;
    statement = sql_prepare(database, "SELECT version FROM _blocks WHERE session = ? AND block = ?", "si", session->id, block);
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        stored = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (version > 0 && version <= stored)
        return refuse(refusal, 409, "DataVersionConflict", "block %lld is stored with version %lld, which %lld does not replace",
                      (long long)block, (long long)stored, (long long)version);
    return sql_run(database, refusal, "INSERT OR REPLACE INTO _blocks VALUES(?, ?, ?, ?, ?, ?)", "siiiib", session->id, block,
                   version > 0 ? version : stored, count, now_ms, &body);
}

bool store_block_put(struct store *store, const struct store_session *session, int64_t block, int64_t version, struct str body,
                     int64_t now_ms, struct refusal *refusal)
{
    int64_t count;
    bool ok;

    if (block < 0 || block > BLOCK_ID_MAX)
        return refuse(refusal, 400, "InvalidBlockID", "block %lld is outside of 0..%d", (long long)block, BLOCK_ID_MAX);
    if (!status_check(session, refusal) || !block_verify(session, body, &count, refusal))
        return false;
    pthread_mutex_lock(&store->writer.lock);
    ok = sql_run(store->writer.database, refusal, "BEGIN IMMEDIATE", "") &&
         sql_end(store->writer.database, block_insert(store, session, block, version, body, count, now_ms, refusal), refusal);
    pthread_mutex_unlock(&store->writer.lock);
    return ok;
}

struct store_block *store_blocks(struct store *store, const char *session_id, size_t *count_out)
{
    struct store_block *blocks = NULL;
    size_t count = 0, capacity = 0;
    sqlite3_stmt *statement;

    pthread_mutex_lock(&store->reader->lock);
    statement = sql_prepare(store->reader->database,
                            "SELECT block, record_count, created_ms, version FROM _blocks WHERE session = ?"
                            " ORDER BY block",
                            "s", session_id);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        XGROW(blocks, count, capacity);
        blocks[count++] = (struct store_block){sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
                                               sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3)};
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    *count_out = count;
    return blocks;
}

/* --- commit --- */

static sqlite3_stmt *prepare_insert(sqlite3 *database, const struct store_session *session)
{
    sqlite3_str *sql = sqlite3_str_new(database);
    sqlite3_stmt *statement = NULL;
    char *text;

    sqlite3_str_appendf(sql, "INSERT INTO \"%w\"(_partition", session->rows);
    for (size_t i = 0; i < session->schema.column_count; i++)
        sqlite3_str_appendf(sql, ", \"%w\"", session->schema.columns[i].name);
    sqlite3_str_appendf(sql, ") VALUES(?");
    for (size_t i = 0; i < session->schema.column_count; i++)
        sqlite3_str_appendf(sql, ",?");
    sqlite3_str_appendf(sql, ")");
    text = sqlite3_str_finish(sql);
    if (text)
        sqlite3_prepare_v2(database, text, -1, &statement, NULL);
    sqlite3_free(text);
    return statement;
}

static bool insert_block(sqlite3 *database, sqlite3_stmt *insert, const struct store_session *session, struct str body,
                         struct refusal *refusal)
{
    struct record_decoder *decoder = record_decoder_new(&session->schema, body);
    const struct record_value *values;
    struct error error;
    int result;

    while ((result = record_decoder_next(decoder, &values, &error)) == 1) {
        for (size_t i = 0; i < session->schema.column_count; i++)
            value_bind(insert, (int)i + 2, &session->schema.columns[i], &values[i]);
        if (sqlite3_step(insert) != SQLITE_DONE) {
            sql_refuse(database, refusal);
            sqlite3_reset(insert);
            break;
        }
        sqlite3_reset(insert);
    }
    if (result < 0)
        refuse(refusal, 500, "InternalServerError", "a stored block cannot be read: %s", error.text);
    record_decoder_free(decoder);
    return result == 0;
}

static bool insert_blocks(struct store *store, const struct store_session *session, int64_t *count_out, struct refusal *refusal)
{
    sqlite3 *database = store->writer.database;
    sqlite3_stmt *insert = prepare_insert(database, session);
    sqlite3_stmt *blocks =
        sql_prepare(database, "SELECT record_count, body FROM _blocks WHERE session = ? ORDER BY block", "s", session->id);
    bool ok = insert && blocks;
    int result = SQLITE_DONE;

    if (!ok)
        sql_refuse(database, refusal);
    else
        sqlite3_bind_text(insert, 1, session->partition, -1, SQLITE_STATIC);
    while (ok && (result = sqlite3_step(blocks)) == SQLITE_ROW) {
        const char *data = sqlite3_column_blob(blocks, 1);

        *count_out += sqlite3_column_int64(blocks, 0);
        if (data)
            ok = insert_block(database, insert, session, str_make(data, (size_t)sqlite3_column_bytes(blocks, 1)), refusal);
    }
    if (ok && result != SQLITE_DONE)
        ok = sql_refuse(database, refusal);
    sqlite3_finalize(insert);
    sqlite3_finalize(blocks);
    return ok;
}

static bool commit_rows(struct store *store, const struct store_session *session, int64_t now_ms, struct refusal *refusal)
{
    sqlite3 *database = store->writer.database;
    int64_t count = 0;
    bool ok = true;

    if (session->overwrite) {
        char *sql = sqlite3_mprintf("DELETE FROM \"%w\" WHERE _partition = ?", session->rows);

        ok = sql && sql_run(database, refusal, sql, "s", session->partition) &&
             sql_run(database, refusal, "UPDATE _partitions SET record_count = 0 WHERE table_id = ? AND spec = ?", "is",
                     session->table_id, session->partition);
        sqlite3_free(sql);
    }
    return ok && insert_blocks(store, session, &count, refusal) &&
           sql_run(database, refusal,
                   "UPDATE _partitions SET record_count = record_count + ?, version = version + 1, modified_ms = ?"
                   " WHERE table_id = ? AND spec = ?",
                   "iiis", count, now_ms, session->table_id, session->partition) &&
           sql_run(database, refusal, "UPDATE _tables SET modified_ms = ? WHERE id = ?", "ii", now_ms, session->table_id) &&
           sql_run(database, refusal, "UPDATE _blocks SET body = NULL WHERE session = ?", "s", session->id) &&
           sql_run(database, refusal, "UPDATE _sessions SET status = 'closed' WHERE id = ?", "s", session->id);
}

static bool status_load(struct store *store, struct store_session *session, int64_t now_ms, struct refusal *refusal)
{
    struct store_session now;

    if (!session_load(store, session->id, now_ms, &now, refusal))
        return false;
    memcpy(session->status, now.status, sizeof(session->status));
    store_session_release(&now);
    return true;
}

static bool commit_begin(struct store *store, struct store_session *session, int64_t now_ms, bool *second_out,
                         struct refusal *refusal)
{
    sqlite3 *database = store->writer.database;

    if (!status_load(store, session, now_ms, refusal))
        return false;
    *second_out = strcmp(session->status, "closed") == 0 || strcmp(session->status, "closing") == 0 ||
                  strcmp(session->status, "committing") == 0;
    if (*second_out)
        return true;
    if (!status_check(session, refusal) || !target_check(database, session, refusal) ||
        !sql_run(database, refusal, "UPDATE _sessions SET status = 'closing' WHERE id = ?", "s", session->id))
        return false;
    snprintf(session->status, sizeof(session->status), "closing");
    return true;
}

bool store_commit_begin(struct store *store, struct store_session *session, int64_t now_ms, bool *second_out,
                        struct refusal *refusal)
{
    bool ok;

    *second_out = false;
    pthread_mutex_lock(&store->writer.lock);
    ok = commit_begin(store, session, now_ms, second_out, refusal);
    pthread_mutex_unlock(&store->writer.lock);
    return ok;
}

/* A script may have given the session another state in the meantime: then what that state says happens. */
static bool commit_end(struct store *store, struct store_session *session, int64_t now_ms, struct refusal *refusal)
{
    sqlite3 *database = store->writer.database;
    struct refusal ignored;
    bool ok;

    if (!status_load(store, session, now_ms, refusal))
        return false;
    if (strcmp(session->status, "closed") == 0)
        return true;
    if (strcmp(session->status, "closing") != 0)
        return refuse(refusal, 409, "StatusConflict", "session %s is %s; its commit did not come to its end", session->id,
                      session->status);
    ok = target_check(database, session, refusal) && sql_run(database, refusal, "BEGIN IMMEDIATE", "") &&
         sql_end(database, commit_rows(store, session, now_ms, refusal), refusal);
    if (ok)
        snprintf(session->status, sizeof(session->status), "closed");
    else if (sql_run(database, &ignored, "UPDATE _sessions SET status = 'normal' WHERE id = ?", "s", session->id))
        snprintf(session->status, sizeof(session->status), "normal");
    return ok;
}

bool store_commit_end(struct store *store, struct store_session *session, int64_t now_ms, struct refusal *refusal)
{
    bool ok;

    pthread_mutex_lock(&store->writer.lock);
    ok = commit_end(store, session, now_ms, refusal);
    pthread_mutex_unlock(&store->writer.lock);
    return ok;
}

/* --- reading --- */

static sqlite3_stmt *prepare_read(sqlite3 *database, const char *rows, const struct mc_schema *schema)
{
    sqlite3_str *sql = sqlite3_str_new(database);
    sqlite3_stmt *statement = NULL;
    char *text;

    sqlite3_str_appendf(sql, "SELECT _id");
    for (size_t i = 0; i < schema->column_count; i++)
        sqlite3_str_appendf(sql, ", \"%w\"", schema->columns[i].name);
    sqlite3_str_appendf(sql, " FROM \"%w\" WHERE _partition = ? ORDER BY _id LIMIT ? OFFSET ?", rows);
    text = sqlite3_str_finish(sql);
    if (text)
        sqlite3_prepare_v2(database, text, -1, &statement, NULL);
    sqlite3_free(text);
    return statement;
}

static bool read_rows(sqlite3_stmt *statement, const struct mc_schema *schema, struct buffer *body, int64_t *count_out,
                      struct refusal *refusal)
{
    struct record_value *values = xcalloc(schema->column_count + 1, sizeof(*values));
    struct record_decoder **nested = xcalloc(schema->column_count + 1, sizeof(*nested));
    struct buffer crcs;
    struct error error;
    bool ok = true;
    int result = SQLITE_DONE;

    buffer_init(&crcs, READ_BYTES_MAX);
    *count_out = 0;
    while (ok && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        size_t i = 0;

        while (i < schema->column_count && ok) {
            ok = value_read(statement, (int)i + 1, &schema->columns[i], &values[i], &nested[i], &error);
            i++;
        }
        if (ok)
            record_encode_values(schema, values, body, &crcs);
        else
            refuse(refusal, 500, "InternalServerError", "%s", error.text);
        while (i-- > 0)
            record_decoder_free(nested[i]);
        (*count_out)++;
        if (ok && (body->failed || crcs.failed))
            ok = refuse(refusal, 400, "InvalidRowRange", "the rows are larger than 1 GiB together; ask for fewer");
    }
    if (ok && result != SQLITE_DONE)
        ok = refuse(refusal, 500, "InternalServerError", "the store failed while it read rows");
    if (ok)
        record_trailer(body, (uint64_t)*count_out, buffer_str(&crcs));
    buffer_release(&crcs);
    free(values);
    free(nested);
    return ok;
}

static bool read_locked(struct store *store, const struct store_session *session, const struct mc_schema *schema, int64_t start,
                        int64_t count, bool modified_check, struct buffer *body, struct refusal *refusal)
{
    sqlite3 *database = store->reader->database;
    sqlite3_stmt *statement;
    int64_t version = -1, found = 0;
    bool ok;

    if (!target_check(database, session, refusal))
        return false;
    statement = sql_prepare(database, "SELECT version FROM _partitions WHERE table_id = ? AND spec = ?", "is", session->table_id,
                            session->partition);
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (modified_check && version != session->version)
        return refuse(refusal, 409, "TableModified", "The specified table has been modified since the download initiated.");
    statement = prepare_read(database, session->rows, schema);
    if (!statement)
        return sql_refuse(database, refusal);
    sqlite3_bind_text(statement, 1, session->partition, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, count);
    sqlite3_bind_int64(statement, 3, start);
    ok = read_rows(statement, schema, body, &found, refusal);
    sqlite3_finalize(statement);
    if (ok && found != count && modified_check)
        return refuse(refusal, 500, "InternalServerError",
                      "%lld of %lld rows are there; was the endpoint started with --discard, which keeps "
                      "counts only?",
                      (long long)found, (long long)count);
    return ok;
}

bool store_read(struct store *store, const struct store_session *session, int64_t start, int64_t count, const struct str *columns,
                size_t column_count, bool modified_check, struct buffer *body, struct refusal *refusal)
{
    struct mc_schema schema = {.column_count = columns ? column_count : session->schema.column_count};
    bool ok = true;

    if (start < 0 || count < 0 || start > session->record_count || count > session->record_count - start)
        return refuse(refusal, 400, "InvalidRowRange", "rows (%lld,%lld) are outside of the session's %lld records",
                      (long long)start, (long long)count, (long long)session->record_count);
    /* Columns are borrowed from the session's schema in the order in which they are asked for. */
    schema.columns = xcalloc(schema.column_count + 1, sizeof(*schema.columns));
    for (size_t i = 0; i < schema.column_count && ok; i++) {
        int at = columns ? mc_schema_column(&session->schema, columns[i]) : (int)i;

        if (at < 0)
            ok = refuse(refusal, 400, "InvalidColumnSpec", "the table has no column \"%.*s\"", STR_ARG(columns[i]));
        else
            schema.columns[i] = session->schema.columns[at];
    }
    body->bytes_max = READ_BYTES_MAX;
    if (ok) {
        pthread_mutex_lock(&store->reader->lock);
        ok = read_locked(store, session, &schema, start, count, modified_check, body, refusal);
        pthread_mutex_unlock(&store->reader->lock);
    }
    free(schema.columns);
    return ok;
}

char **store_preview(struct store *store, const struct store_table *table, const char *spec, size_t count, size_t *rows_out)
{
    size_t columns = table->schema.column_count, rows = 0;
    char **texts = xcalloc(size_max(1, count * columns), sizeof(*texts));
    sqlite3_stmt *statement;

    pthread_mutex_lock(&store->reader->lock);
    statement = prepare_read(store->reader->database, table->rows, &table->schema);
    if (statement) {
        sqlite3_bind_text(statement, 1, spec, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (int64_t)count);
        sqlite3_bind_int64(statement, 3, 0);
        while (rows < count && sqlite3_step(statement) == SQLITE_ROW) {
            for (size_t i = 0; i < columns; i++) {
                int column = (int)i + 1;

                if (sqlite3_column_type(statement, column) == SQLITE_BLOB)
                    texts[rows * columns + i] = xasprintf("(%d bytes)", sqlite3_column_bytes(statement, column));
                else if (sqlite3_column_type(statement, column) != SQLITE_NULL)
                    texts[rows * columns + i] = sql_text(statement, column);
            }
            rows++;
        }
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    *rows_out = rows;
    return texts;
}
