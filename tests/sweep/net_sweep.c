/* net_sweep.c: the HTTP client and all above it against a scripted service: the life of one upload session, and DDL. What fails
 * inside of curl or OpenSSL is a request that failed, and is tried again. */
#include "sweep/sweep.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "maxcompute/sign.h"
#include "sink/upload.h"
#include "support/fake_server.c" /* not part of the core library */
#include "sweep/sink_run.h"
#include "util/clock.h"

#define WALL_MS INT64_C(1704164645000)
#define COLUMNS "[{\"name\":\"k\",\"type\":\"bigint\"},{\"name\":\"v\",\"type\":\"string\"}]"
#define SCHEMA "\"columns\":" COLUMNS ",\"partitionKeys\":[{\"name\":\"dt\",\"type\":\"string\"}]"
#define SESSION(state, blocks)                                                                                                   \
    "{\"UploadID\":\"u1\",\"Status\":\"" state "\",\"Schema\":{" SCHEMA "},\"UploadedBlockList\":[" blocks "]}"
#define BLOCK "{\"BlockID\":0,\"CreateTime\":1}"
/* What a request gets is found by its target, so that it may come several times. */
#define TABLE                                                                                                                    \
    {                                                                                                                            \
        .status = 200, .only = "curr_project",                                                                                   \
        .body = "<Table><TableId>id</TableId><Schema><![CDATA[{" SCHEMA "}]]></Schema></Table>"                                  \
    }
#define TUNNEL                                                                                                                   \
    {                                                                                                                            \
        .status = 200, .only = "/tunnel?service", .body = service                                                                \
    }
#define CREATED                                                                                                                  \
    {                                                                                                                            \
        .status = 201, .only = "?uploads", .body = SESSION("normal", "")                                                         \
    }
#define PUT_ANSWER                                                                                                               \
    {                                                                                                                            \
        .status = 200, .only = "blockid=0"                                                                                       \
    }
#define LISTED                                                                                                                   \
    {                                                                                                                            \
        .status = 200, .only = "getblockid", .body = SESSION("normal", BLOCK)                                                    \
    }
#define CLOSED                                                                                                                   \
    {                                                                                                                            \
        .status = 200, .only = "uploadid=", .body = SESSION("closed", BLOCK)                                                     \
    }
#define FIVE(answer) answer, answer, answer, answer, answer

/* OpenSSL's own set-up comes to grief without memory (3.0: a NULL lock), which is not ours to mend. */
static void openssl_start(void)
{
    struct buffer text;

    buffer_init(&text, 0);
    sign_v1(&text, STR("id"), STR("key"), STR("text"));
    sign_v4(&text, STR("id"), STR("key"), STR("r"), STR("20240101"), STR("text"));
    buffer_release(&text);
}

static bool upload(bool warm, struct error *error)
{
    static char service[64];
    struct fake_answer answers[] = {FIVE(TUNNEL), FIVE(TABLE), FIVE(CREATED), FIVE(PUT_ANSWER), FIVE(LISTED), FIVE(CLOSED)};
    struct http_options http_options = {0};
    struct client_options options = {
        .project = "p", .access_id = "id", .access_key = "very-secret", .region = "r", .jitter_seed = 7};
    struct upload_options upload_options = {.table = "t", .uploads_max = 1, .content_encoding = "deflate"};
    struct fake_server *server = fake_server_new(answers, COUNT_OF(answers));
    struct sink_session *session;
    struct block *block;
    struct client *client;
    struct http *http;
    struct sink *sink;
    char endpoint[64];
    int64_t now_ms = 0;
    bool ok;

    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", fake_server_port(server));
    snprintf(service, sizeof(service), "127.0.0.1:%u", fake_server_port(server));
    options.endpoint = endpoint;
    openssl_start();
    if (warm)
        http_free(http_new(&http_options));
    fault_on();
    http = http_new(&http_options);
    client = client_new(http, &options);
    upload_options.client = client;
    sink = upload_new(&upload_options);
    sink->ops->start(sink, 0);
    ok = sink_run(http, sink, &now_ms, WALL_MS, SINK_READY, error);
    if (ok) {
        SWEEP_CHECK(sink->schema.column_count == 2 && strcmp(sink->table_id, "id") == 0);
        session = sink->ops->session_open(sink, STR("dt=2024"), NULL, now_ms);
        block = xcalloc(1, sizeof(*block));
        block->data = xstrdup("block");
        block->size = 5;
        block->rows = 10;
        sink->ops->block_put(sink, session, block, now_ms);
        ok = sink_run(http, sink, &now_ms, WALL_MS, SINK_BLOCK_ACKED, error);
    }
    if (ok) {
        sink->ops->session_seal(sink, session, now_ms);
        ok = sink_run(http, sink, &now_ms, WALL_MS, SINK_SESSION_SEALED, error);
    }
    if (ok) {
        SWEEP_CHECK(strcmp(sink->ops->session_id(session), "u1") == 0);
        sink->ops->session_commit(sink, session, now_ms);
        ok = sink_run(http, sink, &now_ms, WALL_MS, SINK_SESSION_COMMITTED, error);
    }
    fault_off();
    for (size_t i = 0; i < fake_server_count(server); i++) {
        const struct fake_request *request = fake_server_request(server, i);

        if (strstr(request->target, "blockid=0"))
            SWEEP_CHECK(strcmp(request->method, "PUT") == 0 && strcmp(request->body, "block") == 0 &&
                        strstr(request->headers, "Content-Encoding: deflate\r\n"));
    }
    SWEEP_CHECK(!strstr(error->text, "very-secret") && !strstr(error->text, "larger than"));
    sink->ops->free(sink);
    client_free(client);
    http_free(http);
    fake_server_free(server);
    return ok;
}

static bool upload_own(struct error *error)
{
    return upload(true, error);
}

static bool upload_all(struct error *error)
{
    return upload(true, error);
}

static bool upload_first(struct error *error)
{
    return upload(false, error);
}

static bool sql(struct error *error)
{
    static const struct fake_answer answers[] = {
        {.status = 201, .headers = "Location: http://h/api/projects/p/instances/i1\r\n"},
        {.status = 200, .body = "<Instance><Status>Running</Status></Instance>"},
        {.status = 200,
         .body = "<Instance><Status>Terminated</Status><Tasks><Task><Status>Success</Status></Task></Tasks></Instance>"},
    };
    struct http_options http_options = {0};
    struct client_options options = {.project = "p", .access_id = "id", .access_key = "very-secret", .jitter_seed = 7};
    struct fake_server *server = fake_server_new(answers, COUNT_OF(answers));
    struct client_sql *statement;
    struct client_call *call;
    struct client *client;
    struct http *http;
    char endpoint[64];
    int64_t now_ms = 0;
    int state;

    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", fake_server_port(server));
    options.endpoint = options.tunnel_endpoint = endpoint;
    openssl_start();
    http_free(http_new(&http_options));
    fault_on();
    http = http_new(&http_options);
    client = client_new(http, &options);
    statement = client_sql_start(client, "CREATE TABLE t (a BIGINT);", "{}", now_ms);
    while ((state = client_sql_state(statement, error)) == 0) {
        int64_t deadline = int64_min(client_deadline(client), client_sql_deadline(statement));

        client_step(client, now_ms, INT64_C(1704164645000));
        client_sql_step(statement, now_ms);
        call = client_next(client);
        if (call)
            SWEEP_CHECK(client_sql_take(statement, call, now_ms));
        else if (deadline == INT64_MAX)
            http_wait(http, NULL, 0, 20);
        else
            now_ms = int64_max(now_ms, deadline);
    }
    fault_off();
    client_sql_free(statement);
    client_free(client);
    http_free(http);
    fake_server_free(server);
    return state > 0;
}

static const struct sweep_case cases[] = {
    {.name = "upload_own", .run = upload_own, .flags = SWEEP_STOPS, .points = 40},
    {.name = "upload_all", .run = upload_all, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 40},
    {.name = "http_first", .run = upload_first, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 20},
    {.name = "sql", .run = sql, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 30},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
