/* local_sweep.c: the local endpoint's store: a table, an upload session and its rows, with SQLite's allocations failing as well.
 * What is refused leaves nothing behind by halves; what is said to be committed is there. */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>

#include "local/store.h"
#include "maxcompute/record.h"
#include "util/buffer.h"

enum { ROWS = 5 };
enum { NOW_MS = 1000 };

static void block_make(struct buffer *body)
{
    static const int64_t numbers[ROWS] = {1, 2, 3, 4, 5};
    static const uint32_t rows[ROWS] = {0, 1, 2, 3, 4};
    struct wire_column columns[] = {{.kind = WIRE_INTEGER, .number = 1, .data = numbers}};
    struct buffer crcs;

    buffer_init(body, 0);
    buffer_init(&crcs, 0);
    record_encode(columns, 1, rows, ROWS, body, &crcs);
    record_trailer(body, ROWS, buffer_str(&crcs));
    buffer_release(&crcs);
}

static bool work(struct store *store, struct str body, bool *committed_out, struct refusal *refusal)
{
    struct ddl_statement statement;
    struct store_session session = {0};
    struct store_table table = {0};
    struct error error = {0};
    size_t position = 0;
    bool second = false, ok;

    if (!ddl_parse(&statement, STR("CREATE TABLE IF NOT EXISTS t (a BIGINT) PARTITIONED BY (dt STRING);"), &position, &error))
        return refuse(refusal, 400, "x", "%s", error.text);
    ok = store_execute(store, &statement, STR("p"), STR(""), NOW_MS, refusal);
    ddl_statement_release(&statement);
    ok = ok && store_table_load(store, STR("p"), STR(""), STR("t"), &table, refusal) &&
         store_session_create(store, SESSION_UPLOAD, &table, STR("dt=1"), false, true, NOW_MS, &session, refusal) &&
         store_block_put(store, &session, 0, 1, body, NOW_MS, refusal) &&
         store_commit_begin(store, &session, NOW_MS, &second, refusal);
    *committed_out = ok && !second && store_commit_end(store, &session, NOW_MS, refusal);
    store_session_release(&session);
    store_table_release(&table);
    return *committed_out;
}

static int64_t count(struct store *store)
{
    struct store_partition partition = {0};
    struct store_table table = {0};
    struct refusal refusal;
    int64_t rows = 0;

    if (store_table_load(store, STR("p"), STR(""), STR("t"), &table, &refusal) &&
        store_partition_load(store, table.id, "dt=1", &partition, &refusal)) {
        rows = partition.record_count;
        free(partition.spec);
    }
    store_table_release(&table);
    return rows;
}

static bool session(bool file, struct error *error)
{
    static unsigned turn;
    char path[128];
    struct store_options options = {.path = file ? path : NULL};
    struct refusal refusal = {0};
    struct store *store = NULL;
    struct buffer body;
    bool committed = false, ok;

    snprintf(path, sizeof(path), "%s/rows%u.db", sweep_folder(), turn++);
    block_make(&body);
    fault_on();
    ok = store_open(&store, &options, error) && store_add_project(store, STR("p"), NOW_MS, error);
    if (ok && !work(store, buffer_str(&body), &committed, &refusal))
        ok = error_set(error, ERROR_FATAL, "%d %s: %s", refusal.status, refusal.code, refusal.text);
    fault_off();
    if (store)
        SWEEP_CHECK(count(store) == (committed ? ROWS : 0));
    store_close(store);
    buffer_release(&body);
    return ok;
}

static bool in_memory(struct error *error)
{
    return session(false, error);
}

static bool in_a_file(struct error *error)
{
    return session(true, error);
}

static const struct sweep_case cases[] = {
    {.name = "store_own", .run = in_memory, .flags = SWEEP_STOPS, .points = 30},
    {.name = "store_all", .run = in_memory, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 40},
    {.name = "store_file", .run = in_a_file, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 30},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
