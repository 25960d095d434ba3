/* client_test.c: the HTTP client against scripted answers. Time is ours: it jumps to the next deadline, so backoffs take none. */
#include "maxcompute/client.h"
#include "support/fake_server.c" /* not part of the core library */
#include "util/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { REAL_MS_MAX = 20000 };

#define ANSWER(code, text) {.status = (code), .body = (text)}
#define REFUSAL(status_code, name) {.status = (status_code), .body = "{\"Code\":\"" name "\",\"Message\":\"m\"}"}

static const int64_t wall_ms = INT64_C(1704164645000); /* Tue, 02 Jan 2024 03:04:05 GMT */

struct fixture {
    struct fake_server *server;
    struct http *http;
    struct client *client;
    int64_t now_ms;
    char endpoint[64];
};

static void fixture_start(struct fixture *fixture, const struct fake_answer *answers, size_t count, const char *region,
                          bool discover, size_t response_bytes_max)
{
    struct http_options http_options = {.response_bytes_max = response_bytes_max};
    struct client_options options = {.project = "p", .access_id = "id", .access_key = "very-secret", .region = region,
                                     .jitter_seed = 7};

    memset(fixture, 0, sizeof(*fixture));
    fixture->server = fake_server_new(answers, count);
    fixture->http = http_new(&http_options);
    snprintf(fixture->endpoint, sizeof(fixture->endpoint), "http://127.0.0.1:%u/api", fake_server_port(fixture->server));
    options.endpoint = fixture->endpoint;
    options.tunnel_endpoint = discover ? NULL : fixture->endpoint;
    options.quota = discover ? "gold" : NULL;
    fixture->client = client_new(fixture->http, &options);
}

static void fixture_stop(struct fixture *fixture)
{
    client_free(fixture->client);
    http_free(fixture->http);
    fake_server_free(fixture->server);
}

/* One turn: work, and when nothing is due at once, time jumps. */
static void turn(struct fixture *fixture)
{
    int64_t deadline;

    client_step(fixture->client, fixture->now_ms, wall_ms);
    deadline = client_deadline(fixture->client);
    if (deadline != INT64_MAX && deadline > fixture->now_ms)
        fixture->now_ms = deadline;
    else if (deadline == INT64_MAX)
        http_wait(fixture->http, NULL, 0, 20);
}

static struct client_call *run(struct fixture *fixture, struct client_call *call)
{
    int64_t end_ms = clock_monotonic_ms() + REAL_MS_MAX;
    struct client_call *finished;

    client_send(fixture->client, call, fixture->now_ms);
    while (!(finished = client_next(fixture->client))) {
        assert_true(clock_monotonic_ms() < end_ms);
        turn(fixture);
    }
    assert_ptr_equal(finished, call);
    return call;
}

static struct client_call *get(struct fixture *fixture, enum client_end end)
{
    struct client_call *call = client_call_new(end, "GET", xstrdup("/projects/p/tables/t?uploadid=a%20b"));

    call->repeat_safe = true;
    return run(fixture, call);
}

#define START(answers, region, discover) fixture_start(&fixture, answers, COUNT_OF(answers), region, discover, 0)

static void test_get_is_signed(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = "yes"}, {.status = 200, .body = "v4"}};
    const struct fake_request *request;
    struct client_call *call;
    struct fixture fixture;

    START(answers, NULL, false);
    call = get(&fixture, CLIENT_TUNNEL);
    assert_true(call->ok);
    assert_true(str_is(call->response, "yes"));
    request = fake_server_request(fixture.server, 0);
    assert_string_equal(request->target, "/api/projects/p/tables/t?uploadid=a%20b");
    assert_non_null(strstr(request->headers, "Date: Tue, 02 Jan 2024 03:04:05 GMT\r\n"));
    assert_non_null(strstr(request->headers, "Authorization: ODPS id:"));
    assert_non_null(strstr(request->headers, "x-odps-tunnel-version: 6\r\n"));
    assert_non_null(strstr(request->headers, "User-Agent: luaduct/"));
    assert_null(strstr(request->headers, "Content-Type"));
    assert_null(strstr(request->headers, "Expect"));
    client_call_free(call);
    fixture_stop(&fixture);

    START(answers, "cn-hangzhou", false);
    call = get(&fixture, CLIENT_CONTROL);
    request = fake_server_request(fixture.server, 0);
    assert_non_null(strstr(request->headers, "Authorization: ODPS id/20240102/cn-hangzhou/odps/aliyun_v4_request:"));
    assert_null(strstr(request->headers, "x-odps-tunnel-version"));
    client_call_free(call);
    fixture_stop(&fixture);
}

static void test_discovery_is_cached(void **state UNUSED)
{
    struct fake_answer answers[] = {ANSWER(500, "oh"), {.status = 200}, ANSWER(200, "one"), ANSWER(200, "two")};
    struct client_call *call;
    struct fixture fixture;
    char host[64];

    START(answers, NULL, true);
    snprintf(host, sizeof(host), "127.0.0.1:%u\n", fake_server_port(fixture.server));
    answers[1].body = host;
    for (size_t i = 0; i < 2; i++) {
        call = get(&fixture, CLIENT_TUNNEL);
        assert_true(call->ok);
        client_call_free(call);
    }
    assert_string_equal(fake_server_request(fixture.server, 0)->target, "/api/projects/p/tunnel?service&quotaName=gold");
    assert_string_equal(fake_server_request(fixture.server, 2)->target, "/projects/p/tables/t?uploadid=a%20b&quotaName=gold");
    assert_int_equal(fake_server_count(fixture.server), 4);
    fixture_stop(&fixture);
}

static void test_discovery_refuses_no_host(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = "<html>log in</html>"}};
    struct client_call *call;
    struct fixture fixture;

    START(answers, NULL, true);
    call = get(&fixture, CLIENT_TUNNEL);
    assert_false(call->ok);
    assert_int_equal(call->error.kind, ERROR_FATAL);
    assert_non_null(strstr(call->error.text, "no host name"));
    client_call_free(call);
    fixture_stop(&fixture);
}

static void test_throttling_is_waited_out(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.status = 429}, {.status = 429}, {.status = 308}, {.status = 429},
                                                 {.status = 429}, {.status = 429}, {.status = 429}, {.status = 429},
                                                 {.status = 429}, {.status = 429}, {.status = 200}};
    struct client_call *call;
    struct fixture fixture;

    START(answers, NULL, false);
    call = client_call_new(CLIENT_TUNNEL, "POST", xstrdup("/projects/p/tables/t?uploadid=a"));
    run(&fixture, call);
    assert_true(call->ok);
    assert_int_equal(call->attempts, 11);
    /* 1, 2, 4, 8, 16, 32, 64, 64, 64, 64 s, or half of each. */
    assert_in_range(fixture.now_ms, 319000 / 2, 319000);
    assert_int_equal(client_stats(fixture.client)->throttled, 9);
    client_call_free(call);
    fixture_stop(&fixture);
}

static void test_the_service_says_how_long_to_wait(void **state UNUSED)
{
    static const struct {
        struct fake_answer answer;
        int64_t wait_ms;
    } cases[] = {
        {{.status = 429, .headers = "Retry-After: 30\r\n", .body = "{\"Code\":\"FlowExceeded\",\"Message\":\"slow\"}"}, 30000},
        {ANSWER(429, "{\"Code\":\"SlotExceeded\",\"Message\":\"m\",\"HoldClientMillis\":\"50000\"}"), 50000},
        {ANSWER(503, "{\"Code\":\"ServiceUnavailable\",\"Message\":\"m\",\"HoldClientMillis\":7000}"), 7000},
        {{.status = 429, .headers = "Retry-After: 3600\r\n"}, 64000}, /* never longer than our own longest */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_answer answers[] = {cases[i].answer, {.status = 200}};
        struct client_call *call;
        struct fixture fixture;

        START(answers, NULL, false);
        call = get(&fixture, CLIENT_TUNNEL);
        assert_true(call->ok);
        assert_int_equal(fixture.now_ms, cases[i].wait_ms);
        client_call_free(call);
        fixture_stop(&fixture);
    }
}

static void test_server_errors_end_after_seven_retries(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.status = 500}, {.status = 502}, {.status = 503}, {.status = 408},
                                                 {.status = 500}, {.status = 500}, {.status = 500},
                                                 {.status = 503, .headers = "x-odps-request-id: r8\r\n",
                                                  .body = "{\"Code\":\"ServiceUnavailable\",\"Message\":\"down\"}"},
                                                 {.status = 200}};
    struct client_call *call;
    struct fixture fixture;

    START(answers, NULL, false);
    call = get(&fixture, CLIENT_TUNNEL);
    assert_false(call->ok);
    assert_int_equal(call->error.kind, ERROR_RETRY);
    assert_int_equal(call->attempts, 8);
    assert_non_null(strstr(call->error.text, "HTTP 503 ServiceUnavailable: down (request id r8)"));
    client_call_free(call);
    fixture_stop(&fixture);

    START(answers, NULL, false); /* retry_unlimited gets to the ninth */
    call = client_call_new(CLIENT_TUNNEL, "GET", xstrdup("/projects/p/tables/t"));
    call->repeat_safe = call->retry_unlimited = true;
    run(&fixture, call);
    assert_true(call->ok);
    client_call_free(call);
    fixture_stop(&fixture);
}

static void test_lost_answers(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.cut = FAKE_CUT_ANSWER},
                                                 {.status = 200, .body = "half an answer", .cut = FAKE_CUT_BODY},
                                                 ANSWER(200, "whole"), {.status = 200, .body = "half", .cut = FAKE_CUT_BODY}};
    struct client_call *call;
    struct fixture fixture;

    START(answers, NULL, false);
    call = get(&fixture, CLIENT_TUNNEL);
    assert_true(call->ok);
    assert_true(str_is(call->response, "whole"));
    assert_int_equal(call->attempts, 3);
    client_call_free(call);
    /* What may not be repeated comes back at once. */
    call = client_call_new(CLIENT_TUNNEL, "POST", xstrdup("/projects/p/tables/t?uploadid=a"));
    call->retry_unlimited = true;
    run(&fixture, call);
    assert_false(call->ok);
    assert_int_equal(call->status, 0);
    assert_int_equal(call->attempts, 1);
    assert_int_equal(call->error.kind, ERROR_RETRY);
    client_call_free(call);
    assert_int_equal(fake_server_count(fixture.server), 4);
    fixture_stop(&fixture);
}

/* Nobody listens: a call that never gives up goes on, one with limits ends. */
static void test_an_end_that_is_down(void **state UNUSED)
{
    struct client_call *call;
    struct fixture fixture;

    fixture_start(&fixture, NULL, 0, NULL, false, 0);
    fake_server_free(fixture.server);
    fixture.server = NULL;
    call = get(&fixture, CLIENT_TUNNEL);
    assert_int_equal(call->error.kind, ERROR_RETRY);
    assert_int_equal(call->attempts, 8);
    assert_non_null(strstr(call->error.text, "tunnel endpoint 127.0.0.1"));
    client_call_free(call);
    call = client_call_new(CLIENT_TUNNEL, "GET", xstrdup("/projects/p"));
    call->repeat_safe = call->retry_unlimited = true;
    client_send(fixture.client, call, fixture.now_ms);
    while (call->attempts < 12)
        turn(&fixture);
    assert_null(client_next(fixture.client));
    fixture_stop(&fixture);
}

static void test_a_kept_connection_that_died_does_not_repeat_a_post(void **state UNUSED)
{
    static const struct fake_answer answers[] = {ANSWER(200, "kept"), {.cut = FAKE_CUT_ANSWER}, {.status = 200}};
    struct client_call *call;
    struct fixture fixture;

    START(answers, NULL, false);
    client_call_free(get(&fixture, CLIENT_TUNNEL));
    call = client_call_new(CLIENT_TUNNEL, "POST", xstrdup("/projects/p/tables/t?uploadid=a"));
    run(&fixture, call);
    assert_false(call->ok);
    assert_int_equal(fake_server_count(fixture.server), 2);
    client_call_free(call);
    fixture_stop(&fixture);
}

static void test_errors_say_what_to_check(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answer;
        const char *text;
    } cases[] = {
        {"an unknown key in JSON", REFUSAL(403, "InvalidAccessKeyId"), "check access_id and access_key"},
        {"a wrong signature in XML",
         ANSWER(401, "<?xml version=\"1.0\"?>"
                     "<Error><Code>SignatureNotMatch</Code><Message><![CDATA[a <b> c]]></Message></Error>"),
         "SignatureNotMatch: a <b> c; check access_id and access_key"},
        {"a code inside the message", ANSWER(400, "<Error><Code>X</Code><Message>ODPS-0410051: invalid</Message></Error>"),
         "access_key"},
        {"a wrong clock", ANSWER(403, "{\"Code\":\"RequestTimeTooSkewed\",\"Message\":\"late\"}"), "clock"},
        {"no permission", REFUSAL(403, "NoPermission"), "lacks a permission"},
        {"a bare 403", {.status = 403}, "HTTP 403; check access_id"},
        {"a missing project", REFUSAL(404, "NoSuchProject"), "check project"},
        {"half JSON", {.status = 400, .body = "{\"Code\":\"Inva"}, "HTTP 400: {\"Code\":\"Inva"},
        {"half XML", {.status = 400, .body = "<Error><Code>Inva"}, "HTTP 400: <Error><Code>Inva"},
        {"wrong types", {.status = 400, .body = "{\"Code\":7,\"Message\":[],\"HoldClientMillis\":{}}"}, "HTTP 400"},
        {"control characters", ANSWER(400, "{\"Code\":\"A\",\"Message\":\"a\\r\\nb\\u0000\xff\"}"), "HTTP 400"},
        {"an entity of its own", ANSWER(400, "<!DOCTYPE e [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>"),
         "HTTP 400: <!DOCTYPE"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client_call *call;
        struct fixture fixture;

        fixture_start(&fixture, &cases[i].answer, 1, NULL, false, 0);
        call = get(&fixture, CLIENT_CONTROL);
        assert_false(call->ok);
        assert_int_equal(call->error.kind, ERROR_FATAL);
        if (!strstr(call->error.text, cases[i].text))
            fail_msg("%s: %s", cases[i].what, call->error.text);
        assert_non_null(strstr(call->error.text, "control endpoint 127.0.0.1"));
        assert_null(strstr(call->error.text, "very-secret"));
        for (const char *c = call->error.text; *c; c++)
            assert_true((unsigned char)*c >= 0x20);
        client_call_free(call);
        fixture_stop(&fixture);
    }
}

/* --- credentials --- */

struct key_file {
    char path[64];
};

static void key_write(const struct key_file *file, const char *id)
{
    char *temporary = xasprintf("%s.new", file->path);
    FILE *out = fopen(temporary, "w");

    assert_non_null(out);
    fprintf(out, "{\"AccessKeyId\":\"%s\",\"AccessKeySecret\":\"secret-of-%s\",\"SecurityToken\":\"token-of-%s\"}", id, id, id);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(temporary, file->path), 0);
    free(temporary);
}

static void fixture_start_with_file(struct fixture *fixture, struct key_file *file, const struct fake_answer *answers, size_t count)
{
    struct credentials_options credentials = {.file = file->path};
    struct client_options options = {.project = "p"};
    struct http_options http_options = {0};
    int fd;

    memset(fixture, 0, sizeof(*fixture));
    snprintf(file->path, sizeof(file->path), "/tmp/client_test.XXXXXX");
    fd = mkstemp(file->path);
    assert_true(fd >= 0);
    close(fd);
    key_write(file, "first");
    fixture->server = fake_server_new(answers, count);
    fixture->http = http_new(&http_options);
    snprintf(fixture->endpoint, sizeof(fixture->endpoint), "http://127.0.0.1:%u/api", fake_server_port(fixture->server));
    options.endpoint = options.tunnel_endpoint = fixture->endpoint;
    options.credentials = credentials_new(&credentials);
    fixture->client = client_new(fixture->http, &options);
}

/* As run, but time stands still, so that a file is read for no other reason than a refusal. */
static void run_in_no_time(struct fixture *fixture, struct client_call **calls, size_t count)
{
    int64_t end_ms = clock_monotonic_ms() + REAL_MS_MAX;
    size_t finished = 0;

    for (size_t i = 0; i < count; i++)
        client_send(fixture->client, calls[i], fixture->now_ms);
    while (finished < count) {
        assert_true(clock_monotonic_ms() < end_ms);
        client_step(fixture->client, fixture->now_ms, wall_ms);
        while (client_next(fixture->client))
            finished++;
        http_wait(fixture->http, NULL, 0, finished < count ? 20 : 0);
    }
}

static bool request_is_of(struct fixture *fixture, size_t index, const char *id)
{
    const struct fake_request *request = fake_server_request(fixture->server, index);
    char *authorization = xasprintf("Authorization: ODPS %s:", id), *token = xasprintf("authorization-sts-token: token-of-%s\r\n", id);
    bool is = request && strstr(request->headers, authorization) && strstr(request->headers, token);

    free(authorization);
    free(token);
    return is;
}

#define EXPIRED REFUSAL(403, "AuthenticationRequestExpired")

static void test_a_token_goes_along(void **state UNUSED)
{
    static const char *const regions[] = {NULL, "cn-hangzhou"};
    static const struct fake_answer answers[] = {{.status = 200}, {.status = 200}};
    char *authorizations[2] = {NULL};

    for (size_t i = 0; i < COUNT_OF(regions); i++) {
        struct fixture fixture;

        START(answers, NULL, false);
        for (size_t with = 0; with < 2; with++) {
            struct client_options options = {.project = "p", .access_id = "id", .access_key = "very-secret", .region = regions[i],
                                             .endpoint = fixture.endpoint, .security_token = with ? "the-token" : NULL};
            const struct fake_request *request;
            const char *authorization;

            client_free(fixture.client);
            fixture.client = client_new(fixture.http, &options);
            client_call_free(get(&fixture, CLIENT_CONTROL));
            request = fake_server_request(fixture.server, with);
            assert_true(!strstr(request->headers, "authorization-sts-token: the-token\r\n") == !with);
            authorization = strstr(request->headers, "Authorization: ODPS id");
            assert_non_null(authorization);
            authorizations[with] = xstrndup(authorization, strcspn(authorization, "\r"));
        }
        assert_string_equal(authorizations[0], authorizations[1]); /* the token is not signed */
        free(authorizations[0]);
        free(authorizations[1]);
        fixture_stop(&fixture);
    }
}

/* What was refused for its credentials was not carried out, so that a POST that may not be repeated is sent again as well. Two calls
 * are under way with the old key; the file is read once, and both go on with the new one. */
static void test_refused_credentials_are_read_again(void **state UNUSED)
{
    static const struct fake_answer answers[] = {EXPIRED, REFUSAL(401, "InvalidAccessKeyId"), {.status = 200}, {.status = 200}};
    struct client_call *calls[2];
    struct key_file file;
    struct fixture fixture;

    fixture_start_with_file(&fixture, &file, answers, COUNT_OF(answers));
    client_step(fixture.client, 0, wall_ms); /* the first key is read */
    key_write(&file, "second");
    for (size_t i = 0; i < 2; i++)
        calls[i] = client_call_new(CLIENT_TUNNEL, "POST", xstrdup("/projects/p/tables/t?uploadid=a"));
    run_in_no_time(&fixture, calls, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(calls[i]->ok);
        assert_int_equal(calls[i]->attempts, 2);
        client_call_free(calls[i]);
    }
    assert_true(request_is_of(&fixture, 0, "first") && request_is_of(&fixture, 1, "first"));
    assert_true(request_is_of(&fixture, 2, "second") && request_is_of(&fixture, 3, "second"));
    assert_int_equal(fake_server_count(fixture.server), 4);
    fixture_stop(&fixture);
    unlink(file.path);
}

static void test_refused_twice_is_the_end(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answers[2];
        bool another;
        size_t requests;
        const char *text;
    } cases[] = {
        {"nobody wrote another key", {EXPIRED, EXPIRED}, false, 1,
         "HTTP 403 AuthenticationRequestExpired: m; the file /tmp/client_test"},
        {"another key is refused as well", {EXPIRED, REFUSAL(401, "SignatureNotMatch")}, true, 2,
         "HTTP 401 SignatureNotMatch: m; the file /tmp/client_test"},
        {"a missing permission does not come with another key", {REFUSAL(403, "NoPermission"), EXPIRED}, true, 1, "lacks a permission"},
        {"nor does a bare 403", {{.status = 403}, EXPIRED}, true, 1, "HTTP 403; check"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client_call *call = client_call_new(CLIENT_TUNNEL, "PUT", xstrdup("/projects/p/tables/t?blockid=1"));
        struct key_file file;
        struct fixture fixture;

        call->repeat_safe = call->retry_unlimited = true;
        fixture_start_with_file(&fixture, &file, cases[i].answers, COUNT_OF(cases[i].answers));
        client_step(fixture.client, 0, wall_ms);
        if (cases[i].another)
            key_write(&file, "second");
        run_in_no_time(&fixture, &call, 1);
        if (call->ok || call->error.kind != ERROR_FATAL || !strstr(call->error.text, cases[i].text) ||
            !strstr(call->error.text, "tunnel endpoint 127.0.0.1") || strstr(call->error.text, "secret-of") ||
            strstr(call->error.text, "token-of"))
            fail_msg("%s: %s", cases[i].what, call->error.text);
        assert_int_equal(fake_server_count(fixture.server), cases[i].requests);
        client_call_free(call);
        fixture_stop(&fixture);
        unlink(file.path);
    }
}

/* Without a key nothing is sent, and nobody waits for ever; calls for the tunnel, which is not known yet, end as well. */
static void test_no_credentials_at_all(void **state UNUSED)
{
    struct credentials_options credentials = {.file = "/nowhere/key.json"};
    struct client_options options = {.project = "p", .endpoint = "http://127.0.0.1:9/api"};
    struct client_call *calls[3];
    struct fixture fixture;
    size_t finished = 0;

    fixture_start(&fixture, NULL, 0, NULL, false, 0);
    client_free(fixture.client);
    options.credentials = credentials_new(&credentials);
    fixture.client = client_new(fixture.http, &options);
    for (size_t i = 0; i < 3; i++) {
        calls[i] = client_call_new(i == 1 ? CLIENT_CONTROL : CLIENT_TUNNEL, "GET", xstrdup("/projects/p"));
        client_send(fixture.client, calls[i], 0);
    }
    for (size_t step = 0; step < 3 && !finished; step++) {
        client_step(fixture.client, fixture.now_ms, wall_ms);
        while (client_next(fixture.client))
            finished++;
        assert_true(client_deadline(fixture.client) > fixture.now_ms); /* no spinning meanwhile */
        fixture.now_ms = client_deadline(fixture.client);
    }
    assert_int_equal(finished, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(calls[i]->error.kind, ERROR_FATAL);
        assert_non_null(strstr(calls[i]->error.text, "credentials of the data source: the file /nowhere/key.json cannot be read"));
        client_call_free(calls[i]);
    }
    assert_int_equal(fake_server_count(fixture.server), 0);
    fixture_stop(&fixture);
}

/* --- the clock --- */

static void test_the_clock_is_compared(void **state UNUSED)
{
    static const struct {
        int64_t sent_ms, answered_ms, date_ms, ahead_ms;
        const char *text;
    } cases[] = {
        {100000, 101000, 100000, 0, NULL},
        {100900, 101000, 100000, 0, NULL},  /* the header has whole seconds */
        {1000000, 100000, 100000, 0, NULL}, /* the clock was set meanwhile */
        {100000, 500000, 300000, 0, NULL},  /* a slow answer explains it */
        {1000000, 1001000, 760000, 240000, NULL},
        {10000000, 10001000, 9100000, 900000, "the clock of this machine is 15 minutes ahead of the service's; set it"},
        {10000000, 10001000, 11201000, -1200000, "the clock of this machine is 20 minutes behind the service's; set it"},
        {90000000, 90001000, 61200000, 28800000, "the clock of this machine is 8 hours ahead of the service's; set it"},
        {0, 1000, INT64_C(864000000), -863999000, "the clock of this machine is 10 days behind the service's; set it"},
    };
    char text[SKEW_TEXT_MAX];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct skew skew = {0};

        skew_note(&skew, cases[i].sent_ms, cases[i].answered_ms, cases[i].date_ms);
        assert_int_equal(skew.ahead_ms, cases[i].ahead_ms);
        assert_int_equal(skew_is_large(&skew), cases[i].text != NULL);
        if (cases[i].text)
            assert_string_equal(skew_text(&skew, text), cases[i].text);
    }
}

#define DATED(status_code, time, name) \
    {.status = (status_code), .headers = "Date: Tue, 02 Jan 2024 " time " GMT\r\n", .body = "{\"Code\":\"" name "\",\"Message\":\"m\"}"}

static void test_a_wrong_clock_is_named(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answer;
        const char *text, *not_text;
    } cases[] = {
        {"ahead", DATED(403, "02:44:05", "RequestTimeTooSkewed"), "RequestTimeTooSkewed: m; the clock of this machine is 20 minutes "
         "ahead of the service's; set it", "access_key"},
        {"behind", DATED(403, "03:34:05", "RequestTimeTooSkewed"), "30 minutes behind the service's", "access_key"},
        {"a signature that a wrong day broke", DATED(401, "02:44:05", "SignatureNotMatch"),
         "20 minutes ahead of the service's; set it first; if the error stays, check access_id", "check this"},
        {"a request that has run out", DATED(400, "03:34:05", "AuthenticationRequestExpired"), "30 minutes behind", "access_key"},
        {"no Date", {.status = 403, .body = "{\"Code\":\"RequestTimeTooSkewed\"}"}, "check this machine's clock", "access_key"},
        {"near enough", DATED(401, "03:02:05", "SignatureNotMatch"), "SignatureNotMatch: m; check access_id", "clock"},
        {"a permission has nothing to do with it", DATED(403, "02:44:05", "NoPermission"), "lacks a permission", "clock"},
        {"a Date that is none", {.status = 401, .headers = "Date: yesterday\r\n"}, "check access_id", "clock"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client_call *call;
        struct fixture fixture;

        fixture_start(&fixture, &cases[i].answer, 1, NULL, false, 0);
        call = get(&fixture, CLIENT_CONTROL);
        if (call->ok || call->error.kind != ERROR_FATAL || !strstr(call->error.text, cases[i].text) ||
            strstr(call->error.text, cases[i].not_text))
            fail_msg("%s: %s", cases[i].what, call->error.text);
        client_call_free(call);
        fixture_stop(&fixture);
    }
}

static void test_a_407_is_a_proxys(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.status = 407}};
    struct client_call *call;
    struct fixture fixture;

    START(answers, NULL, false);
    call = get(&fixture, CLIENT_CONTROL);
    assert_int_equal(call->error.kind, ERROR_FATAL);
    assert_non_null(strstr(call->error.text, "the proxy asks for a user and a password"));
    client_call_free(call);
    fixture_stop(&fixture);
}

static void test_an_oversized_answer_fails(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = "0123456789012345678901234567890123456789"}};
    struct client_call *call;
    struct fixture fixture;

    fixture_start(&fixture, answers, 1, NULL, false, 32);
    call = get(&fixture, CLIENT_TUNNEL);
    assert_false(call->ok);
    assert_int_equal(call->error.kind, ERROR_FATAL);
    assert_non_null(strstr(call->error.text, "larger than the limit of 32 bytes"));
    client_call_free(call);
    fixture_stop(&fixture);
}

static void test_calls_can_be_cancelled(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.status = 500}};
    struct client_call *call, *other;
    struct fixture fixture;

    START(answers, NULL, false);
    call = client_call_new(CLIENT_TUNNEL, "GET", xstrdup("/projects/p"));
    other = client_call_new(CLIENT_TUNNEL, "GET", xstrdup("/projects/q"));
    client_send(fixture.client, call, 0);
    client_step(fixture.client, 0, wall_ms);
    client_send(fixture.client, other, 0);
    client_call_free(call); /* flies */
    client_call_free(other); /* waits */
    assert_null(client_next(fixture.client));
    call = client_call_new(CLIENT_TUNNEL, "GET", xstrdup("/projects/p"));
    client_send(fixture.client, call, 0);
    client_step(fixture.client, 0, wall_ms);
    fixture_stop(&fixture); /* takes what still flies along */
}

static void test_resources(void **state UNUSED)
{
    static const struct fake_answer answers[] = {{.status = 200}};
    struct client_options options = {.endpoint = "http://h/api", .project = "p", .schema_name = "s", .access_id = "i",
                                     .access_key = "k"};
    struct client *client;
    struct buffer text;
    struct fixture fixture;

    START(answers, NULL, false);
    client = client_new(fixture.http, &options);
    buffer_init(&text, 0);
    client_table_resource(client, CLIENT_TUNNEL, "t", &text);
    client_resource_add(&text, "uploads", NULL);
    client_resource_add(&text, "partition", "ds=1,hh=a b");
    assert_string_equal(buffer_text(&text), "/projects/p/schemas/s/tables/t?uploads&partition=ds%3D1%2Chh%3Da%20b");
    buffer_clear(&text);
    client_table_resource(client, CLIENT_CONTROL, "t", &text);
    client_resource_add(&text, "extended", NULL);
    assert_string_equal(buffer_text(&text), "/projects/p/tables/t?curr_schema=s&extended");
    buffer_release(&text);
    client_free(client);
    fixture_stop(&fixture);
}

/* Follows a statement to its end; gives client_sql_state. */
static int run_sql(struct fixture *fixture, const char *text, struct error *error)
{
    struct client_sql *sql = client_sql_start(fixture->client, text, "{\"a\":\"<b>\"}", fixture->now_ms);
    int64_t end_ms = clock_monotonic_ms() + REAL_MS_MAX;
    int result;

    while ((result = client_sql_state(sql, error)) == 0) {
        struct client_call *call;

        assert_true(clock_monotonic_ms() < end_ms);
        client_step(fixture->client, fixture->now_ms, wall_ms);
        while ((call = client_next(fixture->client)))
            assert_true(client_sql_take(sql, call, fixture->now_ms));
        if (client_sql_deadline(sql) != INT64_MAX)
            fixture->now_ms = int64_max(fixture->now_ms, client_sql_deadline(sql));
        client_sql_step(sql, fixture->now_ms);
        turn(fixture);
    }
    client_sql_free(sql);
    return result;
}

#define STATUS(s) \
    "<Instance><Status>Running</Status><Tasks><Task Type=\"SQL\"><Name>n</Name><Status>" s "</Status></Task></Tasks></Instance>"
#define CREATED {.status = 201, .headers = "Location: http://other/api/projects/p/instances/2024abc\r\n"}

static void test_sql_is_followed(void **state UNUSED)
{
    static const struct fake_answer answers[] = {CREATED, ANSWER(200, "<Instance><Status>Running</Status></Instance>"),
                                                 ANSWER(200, STATUS("Running")), ANSWER(200, STATUS("Success"))};
    const struct fake_request *request;
    struct error error = {0};
    struct fixture fixture;

    START(answers, NULL, false);
    assert_int_equal(run_sql(&fixture, "SELECT ']]>'", &error), 1);
    request = fake_server_request(fixture.server, 0);
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->target, "/api/projects/p/instances?curr_project=p");
    assert_non_null(strstr(request->headers, "Content-Type: application/xml\r\n"));
    assert_non_null(strstr(request->body, "<Query><![CDATA[SELECT ']]]]><![CDATA[>';]]></Query>"));
    assert_non_null(strstr(request->body, "<Value>{&quot;a&quot;:&quot;&lt;b&gt;&quot;}</Value>"));
    request = fake_server_request(fixture.server, 3);
    assert_string_equal(request->target, "/api/projects/p/instances/2024abc?taskstatus&curr_project=p");
    assert_true(fixture.now_ms >= 100 + 200 + 400);
    fixture_stop(&fixture);
}

static void test_sql_failures(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answers[3];
        size_t count;
        enum error_kind kind;
        const char *text;
    } cases[] = {
        {"the result's text is decoded",
         {CREATED, {.status = 200, .body = STATUS("Failed")},
          {.status = 200, .body = "<Instance><Tasks><Task Type=\"SQL\"><Name>n</Name><Result Transform=\"Base64\" "
                                  "Format=\"text\"><![CDATA[T0RQUy0wMTMwMTYxOiBwYXJzZQ==]]></Result></Task></Tasks></Instance>"}},
         3, ERROR_FATAL, "Failed (instance 2024abc): ODPS-0130161: parse"},
        {"the service's own trouble may pass",
         {CREATED, {.status = 200, .body = STATUS("Failed")},
          ANSWER(200, "<Instance><Tasks><Task><Result>ODPS-0010000: internal</Result></Task></Tasks></Instance>")},
         3, ERROR_RETRY, "ODPS-0010000"},
        {"a broken result", {CREATED, ANSWER(200, STATUS("Cancelled")), ANSWER(200, "<Instance><Tas")}, 3, ERROR_FATAL,
         "Cancelled (instance 2024abc): the service gives no reason"},
        {"a broken state", {CREATED, ANSWER(200, "<Instance><Status>Run")}, 2, ERROR_FATAL, "cannot be read"},
        {"an id that is none", {{.status = 201, .headers = "Location: http://h/instances/..%2fx\r\n"}}, 1, ERROR_FATAL,
         "no instance id"},
        {"no Location", {{.status = 201}}, 1, ERROR_FATAL, "named no instance"},
        {"refused", {ANSWER(400, "<Error><Code>InvalidArgument</Code><Message>bad</Message></Error>")}, 1, ERROR_FATAL,
         "InvalidArgument"},
        {"200 with a failure",
         {ANSWER(200, "<Instance><Tasks><Task><Result>ODPS-0130161: parse</Result></Task></Tasks></Instance>")}, 1, ERROR_FATAL,
         "ODPS-0130161"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};
        struct fixture fixture;

        fixture_start(&fixture, cases[i].answers, cases[i].count, NULL, false, 0);
        assert_int_equal(run_sql(&fixture, "X;", &error), -1);
        if (!strstr(error.text, cases[i].text) || error.kind != cases[i].kind)
            fail_msg("%s: kind %d: %s", cases[i].what, (int)error.kind, error.text);
        fixture_stop(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_is_signed),
        cmocka_unit_test(test_discovery_is_cached),
        cmocka_unit_test(test_discovery_refuses_no_host),
        cmocka_unit_test(test_throttling_is_waited_out),
        cmocka_unit_test(test_the_service_says_how_long_to_wait),
        cmocka_unit_test(test_server_errors_end_after_seven_retries),
        cmocka_unit_test(test_lost_answers),
        cmocka_unit_test(test_an_end_that_is_down),
        cmocka_unit_test(test_a_kept_connection_that_died_does_not_repeat_a_post),
        cmocka_unit_test(test_errors_say_what_to_check),
        cmocka_unit_test(test_a_token_goes_along),
        cmocka_unit_test(test_refused_credentials_are_read_again),
        cmocka_unit_test(test_refused_twice_is_the_end),
        cmocka_unit_test(test_no_credentials_at_all),
        cmocka_unit_test(test_the_clock_is_compared),
        cmocka_unit_test(test_a_wrong_clock_is_named),
        cmocka_unit_test(test_a_407_is_a_proxys),
        cmocka_unit_test(test_an_oversized_answer_fails),
        cmocka_unit_test(test_calls_can_be_cancelled),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_sql_is_followed),
        cmocka_unit_test(test_sql_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
