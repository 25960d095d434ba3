/* upload_bed.h: the sink for append tables against scripted answers, for its tests. Time is ours: it jumps to the next deadline. */
#ifndef LUADUCT_TESTS_UPLOAD_BED_H
#define LUADUCT_TESTS_UPLOAD_BED_H

#include "sink/upload.h"
#include "support/fake_server.c" /* not part of the core library */
#include "util/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { REAL_MS_MAX = 20000 };

#define ANSWER(code, text) {.status = (code), .body = (text)}
#define REFUSAL(status_code, name) {.status = (status_code), .body = "{\"Code\":\"" name "\",\"Message\":\"m\"}"}
#define COLUMNS "[{\"name\":\"k\",\"type\":\"bigint\"},{\"name\":\"v\",\"type\":\"string\"}]"
#define PARTITIONS "[{\"name\":\"dt\",\"type\":\"string\"}]"
#define SCHEMA "\"columns\":" COLUMNS ",\"partitionKeys\":" PARTITIONS
#define TABLE_XML                                                                      \
    "<?xml version=\"1.0\"?><Table><Name>t</Name><Project>p</Project><Schema format=\"Json\">" \
    "<![CDATA[{" SCHEMA "}]]></Schema><Comment/></Table>"
#define TABLE {.status = 200, .body = TABLE_XML}
#define TABLE_WITH_ID(id) \
    {.status = 200, .only = "curr_project", .body = "<Table><TableId>" id "</TableId><Schema><![CDATA[{" SCHEMA "}]]></Schema></Table>"}
#define SESSION_JSON(state_name, blocks) \
    "{\"UploadID\":\"u 1\",\"Status\":\"" state_name "\",\"Schema\":{" SCHEMA "},\"UploadedBlockList\":[" blocks "]}"
#define SESSION(state_name, blocks) {.status = 200, .body = SESSION_JSON(state_name, blocks)}
#define CREATED {.status = 201, .body = SESSION_JSON("normal", "")}
#define OK {.status = 200}
#define BLOCK(id) "{\"BlockID\":" #id ",\"CreateTime\":1}"
#define LISTED {.status = 200, .only = "getblockid", .body = SESSION_JSON("normal", BLOCK(0))}
#define ONE_BLOCK SESSION("normal", BLOCK(0))
#define TWO_BLOCKS SESSION("normal", BLOCK(1) "," BLOCK(0))
#define CLOSED SESSION("closed", BLOCK(0))
#define LOST {.cut = FAKE_CUT_ANSWER}
#define INSTANCE {.status = 201, .headers = "Location: http://h/api/projects/p/instances/i1\r\n"}
#define ENDED(state_name) \
    {.status = 200,                                                                        \
     .body = "<Instance><Status>Terminated</Status><Tasks><Task><Status>" state_name "</Status></Task></Tasks></Instance>"}
#define SUCCESS ENDED("Success")
#define NO_TABLE {.status = 404, .body = "<Error><Code>NoSuchTable</Code><Message>none</Message></Error>"}
#define NO_PARTITION {.status = 404, .body = "{\"Code\":\"NoSuchPartition\",\"Message\":\"none\"}"}

struct fixture {
    struct fake_server *server;
    struct http *http;
    struct client *client;
    struct sink *sink;
    struct mc_schema schema; /* for creation */
    int64_t now_ms;
    struct error error; /* of SINK_FAILED */
    unsigned quota_share; /* set before the start; 0: not looked at */
};

static UNUSED void fixture_start(struct fixture *fixture, const struct fake_answer *answers, size_t count, bool create)
{
    struct http_options http_options = {0};
    struct client_options options = {.project = "p", .access_id = "id", .access_key = "very-secret", .jitter_seed = 7};
    struct upload_options upload_options = {.table = "t", .create_if_missing = create, .uploads_max = 1,
                                            .content_encoding = "deflate", .create_comment = "made", .lifecycle_days = 7};
    struct error error;
    char endpoint[64];

    upload_options.quota_share = fixture->quota_share;
    upload_options.demand = (struct quota_demand){.flush_interval_ms = 60000, .partitions_open = 32, .flush_bytes = 1 << 24};
    memset(fixture, 0, sizeof(*fixture));
    fixture->server = fake_server_new(answers, count);
    fixture->http = http_new(&http_options);
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", fake_server_port(fixture->server));
    options.endpoint = options.tunnel_endpoint = endpoint;
    fixture->client = client_new(fixture->http, &options);
    assert_true(mc_schema_parse(&fixture->schema, STR("{\"columns\":" COLUMNS ",\"partitionKeys\":" PARTITIONS "}"), &error));
    upload_options.client = fixture->client;
    upload_options.create_schema = &fixture->schema;
    fixture->sink = upload_new(&upload_options);
    fixture->sink->ops->start(fixture->sink, 0);
}

static UNUSED void fixture_stop(struct fixture *fixture)
{
    fixture->sink->ops->free(fixture->sink);
    mc_schema_release(&fixture->schema);
    client_free(fixture->client);
    http_free(fixture->http);
    fake_server_free(fixture->server);
}

#define START(create) fixture_start(&fixture, answers, COUNT_OF(answers), create)
#define START_READY() (START(false), expect(&fixture, SINK_READY, NULL))

/* The next event; time jumps over all waiting. */
static UNUSED struct sink_event run(struct fixture *fixture)
{
    const struct sink_ops *ops = fixture->sink->ops;
    int64_t end_ms = clock_monotonic_ms() + REAL_MS_MAX;
    struct sink_event event;

    for (;;) {
        int64_t deadline;

        assert_true(clock_monotonic_ms() < end_ms);
        ops->step(fixture->sink, fixture->now_ms, INT64_C(1704164645000));
        if (ops->next(fixture->sink, &event))
            break;
        deadline = ops->deadline(fixture->sink);
        if (deadline == INT64_MAX)
            http_wait(fixture->http, NULL, 0, 20);
        else
            fixture->now_ms = int64_max(fixture->now_ms, deadline);
    }
    if (event.kind == SINK_FAILED)
        fixture->error = event.error;
    return event;
}

static UNUSED void expect(struct fixture *fixture, enum sink_event_kind kind, const struct sink_session *session)
{
    struct sink_event event = run(fixture);

    if (event.kind != kind)
        fail_msg("event %d instead of %d: %s", (int)event.kind, (int)kind, event.error.text);
    assert_ptr_equal(event.session, session);
}

static UNUSED void expect_failure(struct fixture *fixture, const char *text)
{
    struct sink_event event = run(fixture);

    assert_int_equal(event.kind, SINK_FAILED);
    assert_int_equal(event.error.kind, ERROR_FATAL);
    if (!strstr(event.error.text, text))
        fail_msg("\"%s\" is not in: %s", text, event.error.text);
    assert_null(strstr(event.error.text, "very-secret"));
}

static UNUSED struct block *block_of(const char *text, void *user)
{
    struct block *block = xcalloc(1, sizeof(*block));

    block->data = xstrdup(text);
    block->size = strlen(text);
    block->rows = 10;
    block->user = user;
    return block;
}

static UNUSED struct sink_session *open_session(struct fixture *fixture, void *user)
{
    return fixture->sink->ops->session_open(fixture->sink, STR("dt=2024,hh=1"), user, fixture->now_ms);
}

static UNUSED void put(struct fixture *fixture, struct sink_session *session, const char *text)
{
    fixture->sink->ops->block_put(fixture->sink, session, block_of(text, session), fixture->now_ms);
}

/* A session with one acknowledged block. */
static UNUSED struct sink_session *acked_session(struct fixture *fixture)
{
    struct sink_session *session = open_session(fixture, NULL);

    put(fixture, session, "block");
    expect(fixture, SINK_BLOCK_ACKED, session);
    return session;
}

static UNUSED void seal(struct fixture *fixture, struct sink_session *session)
{
    fixture->sink->ops->session_seal(fixture->sink, session, fixture->now_ms);
}

/* A session with one acknowledged block, sealed. */
static UNUSED struct sink_session *sealed_session(struct fixture *fixture)
{
    struct sink_session *session = acked_session(fixture);

    seal(fixture, session);
    expect(fixture, SINK_SESSION_SEALED, session);
    return session;
}

/* The first session with one acknowledged block, sealed and asked to commit. */
static UNUSED struct sink_session *commit_one(struct fixture *fixture)
{
    struct sink_session *session;

    expect(fixture, SINK_READY, NULL);
    session = sealed_session(fixture);
    fixture->sink->ops->session_commit(fixture->sink, session, fixture->now_ms);
    return session;
}

/* Whether request number index is this one. */
static UNUSED void request_is(struct fixture *fixture, size_t index, const char *method, const char *target)
{
    const struct fake_request *request = fake_server_request(fixture->server, index);

    assert_non_null(request);
    assert_string_equal(request->method, method);
    assert_string_equal(request->target, target);
}

#endif
