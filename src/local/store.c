/* store.c: SQLite in WAL mode with one writer and one reader; a database in memory has a single connection. Metadata statements
 * are prepared for each call: they are few, and rows do not come this way. */
#include "local/store.h"
#include "local/store_internal.h"
#include "local/values.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static const char schema_sql[] =
    "CREATE TABLE IF NOT EXISTS _projects(name TEXT PRIMARY KEY, created_ms INTEGER);"
    "CREATE TABLE IF NOT EXISTS _tables(id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT, schema_name TEXT, name TEXT, rows "
    "TEXT,"
    " comment TEXT, lifecycle_days INTEGER, created_ms INTEGER, modified_ms INTEGER, ddl_ms INTEGER,"
    " UNIQUE(project, schema_name, name));"
    "CREATE TABLE IF NOT EXISTS _columns(table_id INTEGER, position INTEGER, is_partition INTEGER, name TEXT, type TEXT,"
    " not_null INTEGER, default_value TEXT, comment TEXT, PRIMARY KEY(table_id, position));"
    "CREATE TABLE IF NOT EXISTS _partitions(table_id INTEGER, spec TEXT, created_ms INTEGER, modified_ms INTEGER,"
    " record_count INTEGER, version INTEGER, PRIMARY KEY(table_id, spec));"
    "CREATE TABLE IF NOT EXISTS _sessions(id TEXT PRIMARY KEY, kind INTEGER, table_id INTEGER, project TEXT, schema_name TEXT,"
    " table_name TEXT, rows TEXT, partition TEXT, overwrite INTEGER, status TEXT, schema TEXT, created_ms INTEGER,"
    " record_count INTEGER, version INTEGER);"
    "CREATE INDEX IF NOT EXISTS _sessions_status ON _sessions(status, created_ms);"
    "CREATE TABLE IF NOT EXISTS _blocks(session TEXT, block INTEGER, version INTEGER, record_count INTEGER, created_ms INTEGER,"
    " body BLOB, PRIMARY KEY(session, block));"
    "CREATE TABLE IF NOT EXISTS _instances(id TEXT PRIMARY KEY, project TEXT, task TEXT, failed INTEGER, result TEXT,"
    " start_ms INTEGER);"
    /* A commit that the process did not survive has left no rows: the client may repeat it. */
    "UPDATE _sessions SET status = 'normal' WHERE status IN ('closing', 'committing');";

bool refuse(struct refusal *refusal, int status, const char *code, const char *format, ...)
{
    va_list arguments;

    refusal->status = status;
    refusal->retry_after_s = 0;
    snprintf(refusal->code, sizeof(refusal->code), "%s", code);
    va_start(arguments, format);
    vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
    va_end(arguments);
    return false;
}

bool sql_refuse(sqlite3 *database, struct refusal *refusal)
{
    return refuse(refusal, 500, "InternalServerError", "the store failed: %s; see whether its disk is full",
                  sqlite3_errmsg(database));
}

static sqlite3_stmt *prepare_list(sqlite3 *database, const char *sql, const char *types, va_list arguments)
{
    sqlite3_stmt *statement = NULL;
    struct str *text;
    int result = SQLITE_OK;

    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    for (int i = 1; *types && result == SQLITE_OK; types++, i++) {
        switch (*types) {
        case 's':
            result = sqlite3_bind_text(statement, i, va_arg(arguments, const char *), -1, SQLITE_TRANSIENT);
            break;
        case 't':
            text = va_arg(arguments, struct str *);
            result = sqlite3_bind_text64(statement, i, text->data ? text->data : "", text->size, SQLITE_TRANSIENT, SQLITE_UTF8);
            break;
        case 'b':
            text = va_arg(arguments, struct str *);
            if (text->data)
                result = sqlite3_bind_blob64(statement, i, text->data, text->size, SQLITE_STATIC);
            break;
        case 'i':
            result = sqlite3_bind_int64(statement, i, va_arg(arguments, int64_t));
            break;
        default:
            assert(!"unknown letter");
        }
    }
    if (result != SQLITE_OK) { /* it would run with NULL in that place */
        sqlite3_finalize(statement);
        statement = NULL;
    }
    return statement;
}

sqlite3_stmt *sql_prepare(sqlite3 *database, const char *sql, const char *types, ...)
{
    va_list arguments;
    sqlite3_stmt *statement;

    va_start(arguments, types);
    statement = prepare_list(database, sql, types, arguments);
    va_end(arguments);
    return statement;
}

bool sql_run(sqlite3 *database, struct refusal *refusal, const char *sql, const char *types, ...)
{
    va_list arguments;
    sqlite3_stmt *statement;
    int result = SQLITE_ROW;

    va_start(arguments, types);
    statement = prepare_list(database, sql, types, arguments);
    va_end(arguments);
    if (!statement)
        return sql_refuse(database, refusal);
    while (result == SQLITE_ROW)
        result = sqlite3_step(statement);
    if (result != SQLITE_DONE)
        sql_refuse(database, refusal);
    sqlite3_finalize(statement);
    return result == SQLITE_DONE;
}

bool sql_end(sqlite3 *database, bool ok, struct refusal *refusal)
{
    if (ok && sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return true;
    if (ok)
        sql_refuse(database, refusal);
    /* A transaction that cannot be ended would take in all that follows; one that a process leaves behind is undone by SQLite. */
    if (sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK && !sqlite3_get_autocommit(database))
        stop_out_of_memory("a rollback of the store");
    return false;
}

char *sql_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    if (!text && sqlite3_column_type(statement, column) != SQLITE_NULL)
        stop_out_of_memory("a text of the store");
    return xstrdup(text ? text : "");
}

static bool connection_open(struct connection *connection, const char *path, struct error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    if (sqlite3_open_v2(path, &connection->database, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(connection->database, 60000) != SQLITE_OK ||
        sqlite3_exec(connection->database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536", NULL,
                     NULL, NULL) != SQLITE_OK)
        return error_set(error, ERROR_CONFIG, "%s: cannot be opened as a SQLite database: %s", path,
                         connection->database ? sqlite3_errmsg(connection->database) : "no memory");
    return true;
}

bool store_open(struct store **store_out, const struct store_options *options, struct error *error)
{
    const char *path = options->path;
    struct store *store = xcalloc(1, sizeof(*store));
    bool ok = false;

    pthread_mutex_init(&store->writer.lock, NULL);
    pthread_mutex_init(&store->reader_own.lock, NULL);
    store->discard = options->discard;
    store->session_ms_max = options->session_ms_max ? options->session_ms_max : SESSION_MS_MAX;
    store->reader = path ? &store->reader_own : &store->writer;
    if (!connection_open(&store->writer, path ? path : ":memory:", error))
        goto out;
    if (sqlite3_exec(store->writer.database, schema_sql, NULL, NULL, NULL) != SQLITE_OK) {
        error_set(error, ERROR_CONFIG, "%s: cannot be used as a store: %s", path ? path : "memory",
                  sqlite3_errmsg(store->writer.database));
        goto out;
    }
    if (path && !connection_open(&store->reader_own, path, error))
        goto out;
    *store_out = store;
    store = NULL;
    ok = true;
out:
    store_close(store);
    return ok;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    sqlite3_close(store->reader_own.database);
    sqlite3_close(store->writer.database);
    pthread_mutex_destroy(&store->reader_own.lock);
    pthread_mutex_destroy(&store->writer.lock);
    free(store);
}

bool store_add_project(struct store *store, struct str name, int64_t now_ms, struct error *error)
{
    struct refusal refusal;
    bool ok;

    if (name.size == 0 || name.size > 128)
        return error_set(error, ERROR_CONFIG, "project name \"%.*s\" is empty or longer than 128 bytes", STR_ARG(name));
    for (size_t i = 0; i < name.size; i++)
        if (!((name.data[i] | 32) >= 'a' && (name.data[i] | 32) <= 'z') && !(name.data[i] >= '0' && name.data[i] <= '9') &&
            name.data[i] != '_')
            return error_set(error, ERROR_CONFIG, "project name \"%.*s\": letters, digits and underscores are allowed",
                             STR_ARG(name));
    pthread_mutex_lock(&store->writer.lock);
    ok = sql_run(store->writer.database, &refusal, "INSERT OR IGNORE INTO _projects VALUES(lower(?), ?)", "ti", &name, now_ms);
    pthread_mutex_unlock(&store->writer.lock);
    return ok || error_set(error, ERROR_FATAL, "%s", refusal.text);
}

bool store_has_project(struct store *store, struct str name, int64_t *created_ms_out)
{
    sqlite3_stmt *statement;
    bool found;

    pthread_mutex_lock(&store->reader->lock);
    statement = sql_prepare(store->reader->database, "SELECT created_ms FROM _projects WHERE name = lower(?)", "t", &name);
    found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        *created_ms_out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    return found;
}

void store_table_release(struct store_table *table)
{
    free(table->project);
    free(table->schema_name);
    free(table->name);
    free(table->rows);
    ddl_columns_release(&table->columns);
    ddl_columns_release(&table->partitions);
    free(table->schema_json);
    mc_schema_release(&table->schema);
    free(table->comment);
    *table = (struct store_table){0};
}

/* The service writes types in lower case. */
static void type_print_json(struct buffer *json, const char *text)
{
    struct mc_type type;
    struct error error;
    struct buffer name;

    buffer_init(&name, 0);
    if (mc_type_parse(&type, str_of(text), &error)) {
        mc_type_print(&type, &name);
        mc_type_release(&type);
    }
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] >= 'A' && name.data[i] <= 'Z')
            name.data[i] = (char)(name.data[i] + 'a' - 'A');
    buffer_append_json(json, buffer_str(&name));
    buffer_release(&name);
}

static void columns_print(struct buffer *json, const struct ddl_columns *columns, size_t first_id)
{
    for (size_t i = 0; i < columns->count; i++) {
        const struct ddl_column *column = &columns->items[i];

        buffer_print(json, "%s{\"column_id\":\"%zu\",\"name\":", i ? "," : "", first_id + i);
        buffer_append_json(json, str_of(column->name));
        buffer_print(json, ",\"type\":");
        type_print_json(json, column->type);
        buffer_print(json, ",\"nullable\":%s,\"comment\":", column->not_null ? "false" : "true");
        buffer_append_json(json, str_of(column->comment ? column->comment : ""));
        buffer_print(json, ",\"default_value\":");
        buffer_append_json(json, str_of(column->default_value ? column->default_value : ""));
        buffer_print(json, "}");
    }
}

static bool columns_load(sqlite3 *database, struct store_table *table, struct refusal *refusal)
{
    struct buffer json;
    struct error error;
    bool ok;
    sqlite3_stmt *statement = sql_prepare(database,
                                          "SELECT is_partition, name, type, not_null, default_value, comment FROM _columns"
                                          " WHERE table_id = ? ORDER BY position",
                                          "i", table->id);

    if (!statement)
        return sql_refuse(database, refusal);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        struct ddl_columns *columns = sqlite3_column_int(statement, 0) ? &table->partitions : &table->columns;

        XGROW(columns->items, columns->count, columns->capacity);
        columns->items[columns->count++] = (struct ddl_column){
            .name = sql_text(statement, 1),
            .type = sql_text(statement, 2),
            .not_null = sqlite3_column_int(statement, 3),
            .default_value = sqlite3_column_type(statement, 4) == SQLITE_NULL ? NULL : sql_text(statement, 4),
            .comment = sqlite3_column_type(statement, 5) == SQLITE_NULL ? NULL : sql_text(statement, 5),
        };
    }
    sqlite3_finalize(statement);
    buffer_init(&json, 0);
    buffer_print(&json, "{\"IsVirtualView\":false,\"columns\":[");
    columns_print(&json, &table->columns, 0);
    buffer_print(&json, "],\"partitionKeys\":[");
    columns_print(&json, &table->partitions, table->columns.count);
    buffer_print(&json, "]}");
    ok = mc_schema_parse(&table->schema, buffer_str(&json), &error);
    if (!ok)
        refuse(refusal, 500, "InternalServerError", "the schema of table %s cannot be read: %s", table->name, error.text);
    table->schema_json = buffer_take(&json, NULL);
    return ok;
}

#define TABLE_COLUMNS                                                                                                  \
    "SELECT id, project, schema_name, name, rows, comment, lifecycle_days, created_ms, modified_ms, ddl_ms,"           \
    " (SELECT total(record_count) FROM _partitions WHERE table_id = id) FROM _tables"

static bool table_of_row(sqlite3 *database, sqlite3_stmt *statement, struct store_table *table, struct refusal *refusal)
{
    table->id = sqlite3_column_int64(statement, 0);
    table->project = sql_text(statement, 1);
    table->schema_name = sql_text(statement, 2);
    table->name = sql_text(statement, 3);
    table->rows = sql_text(statement, 4);
    table->comment = sql_text(statement, 5);
    table->lifecycle_days = sqlite3_column_int(statement, 6);
    table->created_ms = sqlite3_column_int64(statement, 7);
    table->modified_ms = sqlite3_column_int64(statement, 8);
    table->ddl_ms = sqlite3_column_int64(statement, 9);
    table->record_count = sqlite3_column_int64(statement, 10);
    return columns_load(database, table, refusal);
}

bool table_load(sqlite3 *database, struct str project, struct str schema_name, struct str name, struct store_table *table_out,
                struct refusal *refusal)
{
    bool ok = false;
    sqlite3_stmt *statement = sql_prepare(database, TABLE_COLUMNS " WHERE project = lower(?) AND schema_name = lower(?) AND"
                                          " name = lower(?)", "ttt", &project, &schema_name, &name);

    *table_out = (struct store_table){0};
    if (!statement)
        return sql_refuse(database, refusal);
    if (sqlite3_step(statement) == SQLITE_ROW)
        ok = table_of_row(database, statement, table_out, refusal);
    else
        refuse(refusal, 404, "NoSuchTable", "ODPS-0130131:Table not found - table %.*s.%.*s cannot be resolved", STR_ARG(project),
               STR_ARG(name));
    sqlite3_finalize(statement);
    if (!ok)
        store_table_release(table_out);
    return ok;
}

bool store_table_load(struct store *store, struct str project, struct str schema_name, struct str name,
                      struct store_table *table_out, struct refusal *refusal)
{
    bool ok;

    pthread_mutex_lock(&store->reader->lock);
    ok = table_load(store->reader->database, project, schema_name, name, table_out, refusal);
    pthread_mutex_unlock(&store->reader->lock);
    return ok;
}

struct store_table *store_tables(struct store *store, struct str project, struct str schema_name, size_t *count_out)
{
    struct store_table *tables = NULL;
    size_t count = 0, capacity = 0;
    sqlite3_stmt *statement;

    pthread_mutex_lock(&store->reader->lock);
    statement =
        sql_prepare(store->reader->database, TABLE_COLUMNS " WHERE project = lower(?) AND schema_name = lower(?) ORDER BY name",
                    "tt", &project, &schema_name);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        struct refusal refusal;

        XGROW(tables, count, capacity);
        tables[count] = (struct store_table){0};
        if (table_of_row(store->reader->database, statement, &tables[count], &refusal))
            count++;
        else
            store_table_release(&tables[count]);
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    *count_out = count;
    return tables;
}

struct store_partition *store_partitions(struct store *store, int64_t table_id, size_t *count_out)
{
    struct store_partition *partitions = NULL;
    size_t count = 0, capacity = 0;
    sqlite3_stmt *statement;

    pthread_mutex_lock(&store->reader->lock);
    statement = sql_prepare(store->reader->database, "SELECT spec, record_count, created_ms, modified_ms FROM _partitions"
                            " WHERE table_id = ? ORDER BY spec", "i", table_id);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        XGROW(partitions, count, capacity);
        partitions[count++] = (struct store_partition){sql_text(statement, 0), sqlite3_column_int64(statement, 1),
                                                       sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3)};
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    *count_out = count;
    return partitions;
}

void store_partitions_free(struct store_partition *partitions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(partitions[i].spec);
    free(partitions);
}

static struct str unquote(struct str text)
{
    text = str_trim(text);
    if (text.size >= 2 && (text.data[0] == '\'' || text.data[0] == '"') && text.data[text.size - 1] == text.data[0])
        return str_make(text.data + 1, text.size - 2);
    return text;
}

bool store_spec(const struct store_table *table, struct str text, struct buffer *spec, struct refusal *refusal)
{
    size_t given = 0;
    struct str rest = text;

    /* Every part must name a partition column; every column must then be found. */
    while (rest.size > 0) {
        const char *end = rest.data;
        struct str part, name, value;
        bool known = false;

        while (end < rest.data + rest.size && *end != ',' && *end != '/')
            end++;
        part = str_make(rest.data, (size_t)(end - rest.data));
        rest = str_make(end, rest.size - part.size);
        if (rest.size > 0)
            rest = str_make(rest.data + 1, rest.size - 1);
        if (!str_cut(part, '=', &name, &value) || unquote(value).size == 0)
            return refuse(refusal, 400, "InvalidPartitionSpec", "partition \"%.*s\" is not of the form column=value,...",
                          STR_ARG(text));
        for (size_t i = 0; i < table->partitions.count; i++)
            known = known || str_equal_ignore_case(unquote(name), str_of(table->partitions.items[i].name));
        if (!known)
            return refuse(refusal, 400, "InvalidPartitionSpec", "partition \"%.*s\": table %s has no partition column \"%.*s\"",
                          STR_ARG(text), table->name, STR_ARG(name));
        given++;
    }
    if (given != table->partitions.count)
        return refuse(refusal, 400, "InvalidPartitionSpec",
                      "table %s has %zu partition columns, the partition \"%.*s\" names %zu", table->name,
                      table->partitions.count, STR_ARG(text), given);
    for (size_t i = 0; i < table->partitions.count; i++) {
        bool found = false;

        for (rest = text; rest.size > 0 && !found;) {
            const char *end = rest.data;
            struct str name, value;

            while (end < rest.data + rest.size && *end != ',' && *end != '/')
                end++;
            str_cut(str_make(rest.data, (size_t)(end - rest.data)), '=', &name, &value);
            rest = end < rest.data + rest.size ? str_make(end + 1, rest.size - (size_t)(end - rest.data) - 1) : STR_NONE;
            if (str_equal_ignore_case(unquote(name), str_of(table->partitions.items[i].name))) {
                buffer_print(spec, "%s%s=%.*s", i ? "," : "", table->partitions.items[i].name, STR_ARG(unquote(value)));
                found = true;
            }
        }
        if (!found)
            return refuse(refusal, 400, "InvalidPartitionSpec", "partition \"%.*s\" does not name column %s", STR_ARG(text),
                          table->partitions.items[i].name);
    }
    return true;
}

bool store_partition_load(struct store *store, int64_t table_id, const char *spec, struct store_partition *partition_out,
                          struct refusal *refusal)
{
    bool found;
    sqlite3_stmt *statement;

    pthread_mutex_lock(&store->reader->lock);
    statement = sql_prepare(store->reader->database, "SELECT spec, record_count, created_ms, modified_ms FROM _partitions"
                            " WHERE table_id = ? AND spec = ?", "is", table_id, spec);
    found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        *partition_out = (struct store_partition){sql_text(statement, 0), sqlite3_column_int64(statement, 1),
                                                  sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3)};
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    return found || refuse(refusal, 404, "NoSuchPartition", "The specified partition does not exist: %s", spec);
}

/* --- statements --- */

bool partition_add(sqlite3 *database, int64_t table_id, const char *spec, bool if_not_exists, int64_t now_ms,
                   struct refusal *refusal)
{
    if (!sql_run(database, refusal, "INSERT OR IGNORE INTO _partitions VALUES(?, ?, ?, ?, 0, 0)", "isii", table_id, spec, now_ms,
                 now_ms))
        return false;
    if (sqlite3_changes(database) == 0 && !if_not_exists)
        return refuse(refusal, 400, "PartitionAlreadyExists", "ODPS-0110061: Partition already exists: %s", spec);
    return true;
}

static bool column_add(sqlite3 *database, int64_t table_id, size_t position, bool partition, const struct ddl_column *column,
                       struct refusal *refusal)
{
    return sql_run(database, refusal, "INSERT INTO _columns VALUES(?, ?, ?, ?, ?, ?, ?, ?)", "iiississ", table_id,
                   (int64_t)position, (int64_t)partition, column->name, column->type, (int64_t)column->not_null,
                   column->default_value, column->comment);
}

static bool column_allowed(const struct ddl_column *column, struct refusal *refusal)
{
    if (strcmp(column->name, "_id") == 0 || strcmp(column->name, "_partition") == 0)
        return refuse(refusal, 400, "InvalidColumnSpec", "ODPS-0130071: column name %s is used by the local endpoint itself",
                      column->name);
    return true;
}

static const char *column_affinity(const struct ddl_column *column)
{
    struct mc_type type;
    struct error error;
    const char *affinity;

    if (!mc_type_parse(&type, str_of(column->type), &error))
        return "BLOB";
    affinity = value_affinity(type.kind);
    mc_type_release(&type);
    return affinity;
}

static bool create_rows(sqlite3 *database, const char *rows, const struct ddl_statement *statement, struct refusal *refusal)
{
    sqlite3_str *sql = sqlite3_str_new(database);
    char *text;
    bool ok;

    sqlite3_str_appendf(sql, "CREATE TABLE \"%w\"(_id INTEGER PRIMARY KEY, _partition TEXT NOT NULL", rows);
    for (size_t i = 0; i < statement->columns.count; i++)
        sqlite3_str_appendf(sql, ", \"%w\" %s", statement->columns.items[i].name, column_affinity(&statement->columns.items[i]));
    sqlite3_str_appendf(sql, ");");
    if (statement->partitions.count > 0)
        sqlite3_str_appendf(sql, "CREATE INDEX \"%w._partition\" ON \"%w\"(_partition);", rows, rows);
    text = sqlite3_str_finish(sql);
    ok = text && sqlite3_exec(database, text, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_free(text);
    return ok || sql_refuse(database, refusal);
}

static bool create_table(sqlite3 *database, const struct ddl_statement *statement, struct str project, struct str schema_name,
                         int64_t now_ms, struct refusal *refusal)
{
    int64_t id;
    bool ok = false;
    char *rows =
        xasprintf("%.*s.%.*s%s%s", STR_ARG(project), STR_ARG(schema_name), schema_name.size ? "." : "", statement->table);
    struct str name = str_of(statement->table);

    for (char *c = rows; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    for (size_t i = 0; i < statement->columns.count; i++)
        if (!column_allowed(&statement->columns.items[i], refusal))
            goto out;
    if (!sql_run(database, refusal, "INSERT INTO _tables VALUES(NULL, lower(?), lower(?), lower(?), ?, ?, ?, ?, ?, ?)",
                 "tttssiiii", &project, &schema_name, &name, rows, statement->comment ? statement->comment : "",
                 (int64_t)statement->lifecycle_days, now_ms, now_ms, now_ms))
        goto out;
    id = sqlite3_last_insert_rowid(database);
    for (size_t i = 0; i < statement->columns.count; i++)
        if (!column_add(database, id, i, false, &statement->columns.items[i], refusal))
            goto out;
    /* Partition columns come after any column that may be added later. */
    for (size_t i = 0; i < statement->partitions.count; i++)
        if (!column_add(database, id, 1000000 + i, true, &statement->partitions.items[i], refusal))
            goto out;
    if (statement->partitions.count == 0 && !partition_add(database, id, "", false, now_ms, refusal))
        goto out;
    ok = create_rows(database, rows, statement, refusal);
out:
    free(rows);
    return ok;
}

static bool drop_table(sqlite3 *database, const struct store_table *table, struct refusal *refusal)
{
    char *sql = sqlite3_mprintf("DROP TABLE \"%w\"", table->rows);
    bool ok = sql && sql_run(database, refusal, sql, "") &&
              sql_run(database, refusal, "DELETE FROM _columns WHERE table_id = ?", "i", table->id) &&
              sql_run(database, refusal, "DELETE FROM _partitions WHERE table_id = ?", "i", table->id) &&
              sql_run(database, refusal, "DELETE FROM _tables WHERE id = ?", "i", table->id);

    sqlite3_free(sql);
    return ok;
}

static bool add_columns(sqlite3 *database, const struct ddl_statement *statement, const struct store_table *table,
                        struct refusal *refusal)
{
    size_t position = table->columns.count;

    for (size_t i = 0; i < statement->columns.count; i++) {
        const struct ddl_column *column = &statement->columns.items[i];
        bool there = false, ok;
        char *sql;

        for (size_t j = 0; j < table->columns.count; j++)
            there = there || strcmp(table->columns.items[j].name, column->name) == 0;
        for (size_t j = 0; j < table->partitions.count; j++)
            there = there || strcmp(table->partitions.items[j].name, column->name) == 0;
        if (there && statement->if_exists)
            continue;
        if (there)
            return refuse(refusal, 400, "InvalidColumnSpec", "ODPS-0110061: Column already exists: %s", column->name);
        if (column->not_null)
            return refuse(refusal, 400, "InvalidColumnSpec", "ODPS-0130071: a column that is added cannot be NOT NULL: %s",
                          column->name);
        if (!column_allowed(column, refusal))
            return false;
        sql = sqlite3_mprintf("ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s", table->rows, column->name, column_affinity(column));
        ok = sql && sql_run(database, refusal, sql, "") && column_add(database, table->id, position++, false, column, refusal);
        sqlite3_free(sql);
        if (!ok)
            return false;
    }
    return true;
}

static bool change_partitions(sqlite3 *database, const struct ddl_statement *statement, const struct store_table *table,
                              int64_t now_ms, struct refusal *refusal)
{
    struct buffer spec;
    bool ok = true;
    char *sql = sqlite3_mprintf("DELETE FROM \"%w\" WHERE _partition = ?", table->rows);

    buffer_init(&spec, 0);
    for (size_t i = 0; i < statement->spec_count && ok; i++) {
        buffer_clear(&spec);
        ok = store_spec(table, str_of(statement->specs[i]), &spec, refusal);
        if (!ok)
            break;
        if (table->partitions.count == 0) {
            ok = refuse(refusal, 400, "InvalidPartitionSpec", "ODPS-0130071: table %s is not partitioned", table->name);
        } else if (statement->kind == DDL_ADD_PARTITION) {
            ok = partition_add(database, table->id, buffer_text(&spec), statement->if_exists, now_ms, refusal);
        } else {
            ok = sql_run(database, refusal, "DELETE FROM _partitions WHERE table_id = ? AND spec = ?", "is", table->id,
                         buffer_text(&spec));
            if (ok && sqlite3_changes(database) == 0 && !statement->if_exists)
                ok = refuse(refusal, 404, "NoSuchPartition", "ODPS-0110111: Partition not found: %s", buffer_text(&spec));
            ok = ok && sql && sql_run(database, refusal, sql, "s", buffer_text(&spec));
        }
    }
    sqlite3_free(sql);
    buffer_release(&spec);
    return ok;
}

static bool execute(sqlite3 *database, const struct ddl_statement *statement, struct str project, struct str schema_name,
                    int64_t now_ms, struct refusal *refusal)
{
    struct store_table table;
    bool there = table_load(database, project, schema_name, str_of(statement->table), &table, refusal), ok = false;

    if (!there && refusal->status != 404)
        return false;
    if (statement->kind == DDL_CREATE_TABLE) {
        if (!there)
            ok = create_table(database, statement, project, schema_name, now_ms, refusal);
        else if (statement->if_exists)
            ok = true;
        else
            refuse(refusal, 400, "TableAlreadyExists", "ODPS-0110061: Table already exists: %.*s.%s", STR_ARG(project),
                   statement->table);
    } else if (!there) {
        ok = statement->kind == DDL_DROP_TABLE && statement->if_exists;
    } else if (statement->kind == DDL_DROP_TABLE) {
        ok = drop_table(database, &table, refusal);
    } else {
        ok = statement->kind == DDL_ADD_COLUMNS ? add_columns(database, statement, &table, refusal)
                                                : change_partitions(database, statement, &table, now_ms, refusal);
        ok = ok && sql_run(database, refusal, "UPDATE _tables SET ddl_ms = ?, modified_ms = ? WHERE id = ?", "iii", now_ms,
                           now_ms, table.id);
    }
    if (there)
        store_table_release(&table);
    return ok;
}

bool store_execute(struct store *store, const struct ddl_statement *statement, struct str project, struct str schema_name,
                   int64_t now_ms, struct refusal *refusal)
{
    bool ok;
    int64_t created_ms;

    if (statement->kind == DDL_SET || statement->kind == DDL_END)
        return true;
    if (statement->project)
        project = str_of(statement->project);
    if (statement->schema_name)
        schema_name = str_of(statement->schema_name);
    if (str_equal_ignore_case(schema_name, STR("default")))
        schema_name = STR("");
    if (!store_has_project(store, project, &created_ms))
        return refuse(refusal, 404, "NoSuchProject", "ODPS-0420111: Project not found - '%.*s'", STR_ARG(project));
    pthread_mutex_lock(&store->writer.lock);
    ok = sql_run(store->writer.database, refusal, "BEGIN IMMEDIATE", "");
    if (ok)
        ok = sql_end(store->writer.database, execute(store->writer.database, statement, project, schema_name, now_ms, refusal),
                     refusal);
    pthread_mutex_unlock(&store->writer.lock);
    return ok;
}

void store_instance_release(struct store_instance *instance)
{
    free(instance->project);
    free(instance->task);
    free(instance->result);
    *instance = (struct store_instance){0};
}

bool store_instance_add(struct store *store, const struct store_instance *instance, struct refusal *refusal)
{
    bool ok;

    pthread_mutex_lock(&store->writer.lock);
    ok =
        sql_run(store->writer.database, refusal, "INSERT INTO _instances VALUES(?, lower(?), ?, ?, ?, ?)", "sssisi", instance->id,
                instance->project, instance->task, (int64_t)instance->failed, instance->result, instance->start_ms);
    pthread_mutex_unlock(&store->writer.lock);
    return ok;
}

static void instance_of_row(sqlite3_stmt *statement, struct store_instance *instance)
{
    *instance = (struct store_instance){
        .project = sql_text(statement, 1),
        .task = sql_text(statement, 2),
        .failed = sqlite3_column_int(statement, 3),
        .result = sql_text(statement, 4),
        .start_ms = sqlite3_column_int64(statement, 5),
    };
    snprintf(instance->id, sizeof(instance->id), "%s", (const char *)sqlite3_column_text(statement, 0));
}

bool store_instance_load(struct store *store, struct str project, struct str id, struct store_instance *instance_out,
                         struct refusal *refusal)
{
    sqlite3_stmt *statement;
    bool found;

    *instance_out = (struct store_instance){0};
    pthread_mutex_lock(&store->reader->lock);
    statement =
        sql_prepare(store->reader->database, "SELECT * FROM _instances WHERE project = lower(?) AND id = ?", "tt", &project, &id);
    found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        instance_of_row(statement, instance_out);
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    return found || refuse(refusal, 404, "NoSuchInstance", "there is no instance %.*s", STR_ARG(id));
}

struct store_instance *store_instances(struct store *store, struct str project, size_t *count_out)
{
    struct store_instance *instances = NULL;
    size_t count = 0, capacity = 0;
    sqlite3_stmt *statement;

    pthread_mutex_lock(&store->reader->lock);
    statement = sql_prepare(store->reader->database,
                            "SELECT * FROM _instances WHERE project = lower(?) ORDER BY start_ms DESC LIMIT 1000", "t", &project);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        XGROW(instances, count, capacity);
        instance_of_row(statement, &instances[count++]);
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->reader->lock);
    *count_out = count;
    return instances;
}

/* The day and time, and 64 random bits, so that ids sort by age and cannot be guessed by mistake. */
void store_session_id(char id[SESSION_ID_MAX], int64_t now_ms)
{
    uint64_t random = 0;
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    char text[24];

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        random ^= (uint64_t)now_ms;
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm);
    snprintf(id, SESSION_ID_MAX, "%s%03d%016llx", text, (int)(now_ms % 1000), (unsigned long long)random);
}
