/* local_sweep.c: the local endpoint: a table, an upload session and its rows, with SQLite's allocations failing as well; first in
 * its store, then over HTTP with the client that jobs use. What is refused leaves nothing behind by halves; what is said to be
 * committed is there. */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>

#include "local/local.h"
#include "local/store.h"
#include "maxcompute/client.h"
#include "maxcompute/record.h"
#include "sink/upload.h"
#include "sweep/sink_run.h"
#include "util/buffer.h"
#include "util/clock.h"

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

/* --- over HTTP --- */

static const char schema_json[] = "{\"columns\":[{\"name\":\"a\",\"type\":\"bigint\"}],"
                                  "\"partitionKeys\":[{\"name\":\"dt\",\"type\":\"string\"}]}";

/* Creates the table and writes the rows. */
static bool write_rows(unsigned port, struct error *error)
{
    struct http_options http_options = {0};
    struct client_options options = {.project = "p", .access_id = "id", .access_key = "very-secret", .jitter_seed = 7};
    struct upload_options upload_options = {.table = "t", .create_if_missing = true, .uploads_max = 1};
    struct mc_schema schema = {0};
    struct sink_session *session;
    struct block *block;
    struct client *client;
    struct buffer body;
    struct http *http;
    struct sink *sink;
    char endpoint[64];
    int64_t now_ms = 0, wall_ms = clock_wall_ms();
    bool ok;

    SWEEP_CHECK(mc_schema_parse(&schema, STR(schema_json), error));
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u/api", port);
    options.endpoint = endpoint;
    http = http_new(&http_options);
    client = client_new(http, &options);
    upload_options.client = client;
    upload_options.create_schema = &schema;
    sink = upload_new(&upload_options);
    sink->ops->start(sink, 0);
    ok = sink_run(http, sink, &now_ms, wall_ms, SINK_READY, error);
    if (ok) {
        session = sink->ops->session_open(sink, STR("dt=1"), NULL, now_ms);
        block_make(&body);
        block = xcalloc(1, sizeof(*block));
        block->data = buffer_take(&body, &block->size);
        block->rows = ROWS;
        sink->ops->block_put(sink, session, block, now_ms);
        ok = sink_run(http, sink, &now_ms, wall_ms, SINK_BLOCK_ACKED, error);
    }
    if (ok) {
        sink->ops->session_seal(sink, session, now_ms);
        ok = sink_run(http, sink, &now_ms, wall_ms, SINK_SESSION_SEALED, error);
    }
    if (ok) {
        sink->ops->session_commit(sink, session, now_ms);
        ok = sink_run(http, sink, &now_ms, wall_ms, SINK_SESSION_COMMITTED, error);
    }
    sink->ops->free(sink);
    client_free(client);
    http_free(http);
    mc_schema_release(&schema);
    return ok;
}

/* serves: failures are those of the endpoint's threads; else those of its owner, who opens and closes it. */
static bool endpoint(bool serves, struct error *error)
{
    static const char keys[] = "{\"AccessKeyId\":\"id\",\"AccessKeySecret\":\"very-secret\"}";
    static unsigned number;
    char path[128], credentials[128];
    struct local_options options = {.address = "127.0.0.1",
                                    .project = "p",
                                    .database = path,
                                    .credentials_path = credentials,
                                    .faults_path =
                                        sweep_file("faults", "put_block #1 after twice=5ms\nlist_blocks #1 before status=503\n"),
                                    .quotas = "service",
                                    .session_life = "1h",
                                    .second_commit = "conflict"};
    struct local *local = NULL;
    int64_t rows;
    bool ok;

    snprintf(credentials, sizeof(credentials), "%s", sweep_file("keys", keys));
    snprintf(path, sizeof(path), "%s/endpoint%u.db", sweep_folder(), number++);
    if (!serves)
        fault_on();
    ok = local_start(&local, &options, error);
    fault_off();
    if (ok) {
        if (serves)
            fault_on();
        ok = write_rows(local_port(local), error);
        fault_off();
        rows = local_row_count(local, "p", "t");
        SWEEP_CHECK(ok ? rows == ROWS : rows <= ROWS);
        if (!serves)
            fault_on();
    }
    local_stop(local);
    fault_off();
    SWEEP_CHECK(!strstr(error->text, "very-secret"));
    return ok;
}

static bool endpoint_opens(struct error *error)
{
    return endpoint(false, error);
}

static bool endpoint_serves(struct error *error)
{
    return endpoint(true, error);
}

static const struct sweep_case cases[] = {
    {.name = "store_own", .run = in_memory, .flags = SWEEP_STOPS, .points = 30},
    {.name = "store_all", .run = in_memory, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 40},
    {.name = "endpoint_opens", .run = endpoint_opens, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 15},
    {.name = "endpoint_opens_io", .run = endpoint_opens, .flags = SWEEP_IO, .points = 5},
    {.name = "endpoint_serves", .run = endpoint_serves, .flags = SWEEP_STOPS | SWEEP_OTHERS},
    {.name = "endpoint_serves_io", .run = endpoint_serves, .flags = SWEEP_IO | SWEEP_OTHERS | SWEEP_ONCE, .points = 5},
    {.name = "store_file", .run = in_a_file, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 30},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
