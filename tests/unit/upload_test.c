/* upload_test.c: the sink for append tables, and the null sink, against scripted answers. */
#include "sink/null.h"
#include "support/upload_bed.h"

#define T "/projects/p/tables/t"
#define P "&partition=dt%3D2024%2Chh%3D1"

static void test_happy_path(void **state UNUSED)
{
    static const struct fake_answer answers[] = {TABLE, CREATED, OK, OK, TWO_BLOCKS, CLOSED};
    struct sink_session *session;
    struct sink_event event;
    struct fixture fixture = {0};
    int mine;

    START_READY();
    assert_int_equal(fixture.sink->schema.column_count, 2);
    session = open_session(&fixture, &mine);
    assert_ptr_equal(sink_session_user(session), &mine);
    put(&fixture, session, "first");
    put(&fixture, session, "second");
    assert_int_equal(fixture.sink->blocks_held, 2);
    assert_int_equal(fixture.sink->bytes_in_flight, 11);
    fixture.sink->ops->session_seal(fixture.sink, session, 0); /* waits for both */
    event = run(&fixture);
    assert_int_equal(event.kind, SINK_BLOCK_ACKED);
    assert_int_equal(event.block->rows, 10);
    assert_ptr_equal(event.block->user, session);
    expect(&fixture, SINK_BLOCK_ACKED, session);
    assert_int_equal(fixture.sink->blocks_held, 0);
    assert_int_equal(fixture.sink->bytes_in_flight, 0);
    expect(&fixture, SINK_SESSION_SEALED, session);
    assert_string_equal(fixture.sink->ops->session_id(session), "u 1");
    assert_string_equal(fixture.sink->table_id, "");
    fixture.sink->ops->session_commit(fixture.sink, session, 0);
    expect(&fixture, SINK_SESSION_COMMITTED, session);
    request_is(&fixture, 0, "GET", T "?curr_project=p");
    request_is(&fixture, 1, "POST", T "?uploads" P);
    request_is(&fixture, 2, "PUT", T "?uploadid=u%201" P "&blockid=0");
    request_is(&fixture, 3, "PUT", T "?uploadid=u%201" P "&blockid=1");
    request_is(&fixture, 4, "GET", T "?uploadid=u%201" P "&getblockid=true");
    request_is(&fixture, 5, "POST", T "?uploadid=u%201" P);
    assert_string_equal(fake_server_request(fixture.server, 3)->body, "second");
    assert_non_null(strstr(fake_server_request(fixture.server, 2)->headers, "Content-Encoding: deflate\r\n"));
    assert_non_null(strstr(fake_server_request(fixture.server, 2)->headers, "Content-Type: application/octet-stream\r\n"));
    assert_non_null(strstr(fake_server_request(fixture.server, 2)->headers, "Content-Length: 5\r\n"));
    fixture_stop(&fixture);
}

static void test_a_session_without_blocks_needs_no_request(void **state UNUSED)
{
    static const struct fake_answer answers[] = {TABLE};
    struct sink_session *session;
    struct fixture fixture = {0};

    START_READY();
    session = open_session(&fixture, NULL);
    fixture.sink->ops->session_seal(fixture.sink, session, 0);
    expect(&fixture, SINK_SESSION_SEALED, session);
    assert_null(fixture.sink->ops->session_id(session));
    fixture.sink->ops->session_commit(fixture.sink, session, 0);
    expect(&fixture, SINK_SESSION_COMMITTED, session);
    assert_int_equal(fake_server_count(fixture.server), 1);
    fixture_stop(&fixture);
}

/* A lost answer, a storm of 5xx beyond any limit, throttling, and a connection that breaks inside the body: the same id again. */
static void test_a_block_keeps_its_id(void **state UNUSED)
{
    static const struct fake_answer answers[] = {
        TABLE, CREATED, LOST, {.status = 500}, {.status = 500}, {.status = 500}, {.status = 500}, {.status = 503},
        {.status = 503}, {.status = 503}, {.status = 503}, {.status = 503}, {.status = 429, .headers = "Retry-After: 64\r\n"},
        {.cut = FAKE_CUT_REQUEST}, {.status = 200, .body = "half an answer", .cut = FAKE_CUT_BODY}, OK, ONE_BLOCK, CLOSED};
    struct sink_session *session;
    struct fixture fixture = {0};

    START(false);
    session = commit_one(&fixture);
    expect(&fixture, SINK_SESSION_COMMITTED, session);
    for (size_t i = 2; i <= 15; i++)
        request_is(&fixture, i, "PUT", T "?uploadid=u%201" P "&blockid=0");
    assert_string_equal(fake_server_request(fixture.server, 15)->body, "block");
    assert_true(fixture.now_ms >= 64000 * 2);
    fixture_stop(&fixture);
}

static void test_a_large_block_is_sent_again_whole(void **state UNUSED)
{
    static const struct fake_answer answers[] = {TABLE, CREATED, {.cut = FAKE_CUT_REQUEST}, OK};
    size_t size = 3 << 20;
    char *text = xmalloc(size + 1);
    struct sink_session *session;
    struct fixture fixture = {0};

    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + i % 23);
    text[size] = '\0';
    START_READY();
    session = open_session(&fixture, NULL);
    put(&fixture, session, text);
    expect(&fixture, SINK_BLOCK_ACKED, session);
    assert_int_equal(fake_server_request(fixture.server, 3)->body_size, size);
    assert_memory_equal(fake_server_request(fixture.server, 3)->body, text, size);
    assert_null(strstr(fake_server_request(fixture.server, 3)->headers, "Expect"));
    fixture_stop(&fixture);
    free(text);
}

#define UNKNOWN(text) "?" text /* SINK_SESSION_UNKNOWN instead of SINK_FAILED */

/* failure NULL: committed. */
static void end_is(const char *what, const struct sink_event *event, const struct sink_session *session, const char *failure)
{
    bool unknown = failure && failure[0] == '?';
    enum sink_event_kind kind = !failure ? SINK_SESSION_COMMITTED : unknown ? SINK_SESSION_UNKNOWN : SINK_FAILED;

    if (event->kind != kind || event->session != (kind == SINK_FAILED ? NULL : session) ||
        (failure && (!strstr(event->error.text, failure + unknown) || event->error.kind != ERROR_FATAL)))
        fail_msg("%s: event %d: %s", what, (int)event->kind, event->error.text);
}

#define HALF {.status = 200, .body = "{\"Status\":"}

/* After the answers of TABLE, CREATED, block and list: what follows the commit, and how many commits were sent. */
static void test_commit_in_doubt(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answers[9];
        size_t count;
        unsigned posts;
        const char *failure; /* NULL: committed */
    } cases[] = {
        {"a lost answer of a commit that worked", {LOST, CLOSED}, 2, 1, NULL},
        {"a body cut short", {{.status = 200, .body = SESSION_JSON("closed", ""), .cut = FAKE_CUT_BODY}, CLOSED}, 2, 1, NULL},
        {"a 5xx of a commit that worked", {{.status = 500}, CLOSED}, 2, 1, NULL},
        {"a lost answer of a commit that never arrived", {LOST, ONE_BLOCK, CLOSED}, 3, 2, NULL},
        {"the question is lost too", {LOST, LOST, {.status = 503}, CLOSED}, 4, 1, NULL},
        {"closing takes its time", {LOST, SESSION("CLOSING", ""), SESSION("committing", ""), CLOSED}, 4, 1, NULL},
        {"the commit itself says closing", {SESSION("closing", ""), CLOSED}, 2, 1, NULL},
        {"half JSON as the commit's answer", {{.status = 200, .body = "{\"Status\":\"clo"}, CLOSED}, 2, 1, NULL},
        {"throttled commits are sent again", {{.status = 429}, {.status = 429}, CLOSED}, 3, 3, NULL},
        {"another transaction was faster", {REFUSAL(400, "MetaTransactionFailed"), ONE_BLOCK, CLOSED}, 3, 2, NULL},
        {"a conflict because it is closed", {REFUSAL(409, "StatusConflict"), CLOSED}, 2, 1, NULL},
        {"a storm", {LOST, ONE_BLOCK, {.status = 500}, ONE_BLOCK, LOST, ONE_BLOCK, {.status = 500}, CLOSED}, 8, 4, NULL},
        {"half JSON as the state", {LOST, HALF, CLOSED}, 3, 1, NULL},
        {"a second commit is answered ok, with the state left out", {OK, CLOSED}, 2, 1, NULL},
        {"a second commit is answered ok, and is open for a moment", {SESSION("normal", ""), ONE_BLOCK, CLOSED}, 3, 2, NULL},
        {"a second commit is answered with a conflict, while the first goes on",
         {REFUSAL(409, "StatusConflict"), SESSION("committing", ""), CLOSED}, 3, 1, NULL},
        {"conflicts until it is this one's turn",
         {REFUSAL(409, "StatusConflict"), ONE_BLOCK, REFUSAL(409, "StatusConflict"), ONE_BLOCK, CLOSED}, 5, 3, NULL},
        {"a second commit finds no session, but its state is there", {REFUSAL(404, "NoSuchUpload"), CLOSED}, 2, 1, NULL},
        {"expired", {LOST, SESSION("expired", "")}, 2, 1, UNKNOWN("now says that the session is expired")},
        {"expired, and the commit says a conflict", {REFUSAL(409, "StatusConflict"), SESSION("expired", "")}, 2, 1, UNKNOWN("is expired")},
        {"canceled", {LOST, SESSION("CANCELED", "")}, 2, 1, UNKNOWN("session is CANCELED")},
        {"critical", {LOST, SESSION("critical", "")}, 2, 1, UNKNOWN("session is critical")},
        {"not found", {LOST, REFUSAL(404, "NoSuchUpload")}, 2, 1, UNKNOWN("does not know the session any more")},
        {"not found, twice", {REFUSAL(404, "NoSuchUpload"), REFUSAL(404, "NoSuchUpload")}, 2, 1, UNKNOWN("NoSuchUpload")},
        {"a state nobody knows", {LOST, SESSION("odd", "")}, 2, 1, "not known: \"odd\""},
        {"half JSON again and again", {LOST, HALF, HALF, HALF, HALF, HALF, HALF}, 7, 1, "broken JSON"},
        {"the table was altered", {REFUSAL(400, "TableModified"), ONE_BLOCK}, 2, 1,
         "none of its rows are in the table: the table was altered, or dropped and made again, while the job ran; start the job again"},
        {"the table was made again", {REFUSAL(409, "TableModified"), ONE_BLOCK}, 2, 1, "start the job again"},
        {"the table was dropped", {REFUSAL(404, "NoSuchTable")}, 1, 1, "make it again and say with `luaduct reset`"},
        {"the table was dropped meanwhile", {LOST, REFUSAL(404, "NoSuchTable")}, 2, 1, "make it again and say with `luaduct reset`"},
        {"the partition was dropped", {REFUSAL(404, "NoSuchPartition")}, 1, 1, "NoSuchPartition"},
        {"no word of the service", {LOST, {.status = 404, .body = "<html>"}}, 2, 1, "HTTP 404"},
        {"the key was revoked", {REFUSAL(403, "NoPermission")}, 1, 1, "lacks a permission"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_answer answers[4 + 9] = {TABLE, CREATED, OK, ONE_BLOCK};
        struct sink_session *session;
        struct sink_event event;
        struct fixture fixture = {0};
        unsigned posts = 0;

        memcpy(answers + 4, cases[i].answers, sizeof(cases[i].answers));
        fixture_start(&fixture, answers, 4 + cases[i].count, false);
        session = commit_one(&fixture);
        event = run(&fixture);
        end_is(cases[i].what, &event, session, cases[i].failure);
        if (cases[i].failure)
            assert_non_null(strstr(event.error.text, "table t, partition dt=2024,hh=1: upload session u 1 (1 blocks, 10 rows)"));
        for (size_t k = 4; k < fake_server_count(fixture.server); k++)
            posts += strcmp(fake_server_request(fixture.server, k)->method, "POST") == 0;
        if (posts != cases[i].posts || fake_server_count(fixture.server) != 4 + cases[i].count)
            fail_msg("%s: %u commits, %zu requests", cases[i].what, posts, fake_server_count(fixture.server) - 4);
        fixture_stop(&fixture);
    }
}

/* After the answer of TABLE: what an adopted session is told, with one block in its record. */
static void test_sessions_are_adopted(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answers[9];
        size_t count;
        unsigned posts;
        const char *failure;
    } cases[] = {
        {"it is closed: its owner came so far", {CLOSED}, 1, 0, NULL},
        {"it is open", {ONE_BLOCK, CLOSED}, 2, 1, NULL},
        {"the question is lost", {LOST, {.status = 500}, ONE_BLOCK, CLOSED}, 4, 1, NULL},
        {"half an answer", {HALF, ONE_BLOCK, CLOSED}, 3, 1, NULL},
        {"its commit goes on", {SESSION("committing", BLOCK(0)), SESSION("CLOSING", ""), CLOSED}, 3, 0, NULL},
        {"its state is unknown for a moment", {SESSION("unknown", ""), ONE_BLOCK, CLOSED}, 3, 1, NULL},
        {"another owner is faster: ok", {ONE_BLOCK, OK, CLOSED}, 3, 1, NULL},
        {"another owner is faster: conflict", {ONE_BLOCK, REFUSAL(409, "StatusConflict"), CLOSED}, 3, 1, NULL},
        {"another owner is faster: 5xx", {ONE_BLOCK, {.status = 500}, CLOSED}, 3, 1, NULL},
        {"another owner is faster: transaction", {ONE_BLOCK, REFUSAL(400, "MetaTransactionFailed"), SESSION("closing", ""), CLOSED}, 4, 1,
         NULL},
        {"the answer is lost, the commit was not", {ONE_BLOCK, LOST, CLOSED}, 3, 1, NULL},
        {"both are lost", {ONE_BLOCK, LOST, ONE_BLOCK, CLOSED}, 4, 2, NULL},
        {"a block is missing", {SESSION("normal", "")}, 1, 0, "lists 0 blocks, but 1 were there"},
        {"a block too many", {TWO_BLOCKS}, 1, 0, "lists 2 blocks, but 1 were there"},
        {"another block", {SESSION("normal", BLOCK(3))}, 1, 0, "lists block 3"},
        {"no list", {{.status = 200, .body = "{\"Status\":\"normal\"}"}}, 1, 0, "no UploadedBlockList"},
        {"expired", {SESSION("expired", BLOCK(0))}, 1, 0, UNKNOWN("decided by an earlier owner, but the service now says that the session is expired")},
        {"canceled", {SESSION("Canceled", BLOCK(0))}, 1, 0, UNKNOWN("session is Canceled")},
        {"critical", {ONE_BLOCK, LOST, SESSION("critical", "")}, 3, 1, UNKNOWN("session is critical")},
        {"not found", {REFUSAL(404, "NoSuchUpload")}, 1, 0, UNKNOWN("HTTP 404 NoSuchUpload")},
        {"not found after the commit", {ONE_BLOCK, LOST, REFUSAL(404, "NoSuchUpload")}, 3, 1, UNKNOWN("does not know the session")},
        {"the table is gone", {REFUSAL(404, "NoSuchTable")}, 1, 0, "the table was dropped"},
        {"the project is gone", {REFUSAL(404, "NoSuchProject")}, 1, 0, "check project and endpoint"},
        {"the partition is gone", {REFUSAL(404, "NoSuchPartition")}, 1, 0, "NoSuchPartition"},
        {"the table was made again", {ONE_BLOCK, REFUSAL(409, "TableModified"), ONE_BLOCK}, 3, 1, "none of its rows are in the table"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_answer answers[1 + 9] = {TABLE};
        struct sink_session *session;
        struct sink_event event;
        struct fixture fixture = {0};
        unsigned posts = 0;
        int mine;

        memcpy(answers + 1, cases[i].answers, sizeof(cases[i].answers));
        fixture_start(&fixture, answers, 1 + cases[i].count, false);
        expect(&fixture, SINK_READY, NULL);
        session = fixture.sink->ops->session_adopt(fixture.sink, STR("dt=2024,hh=1"), STR("u 1"), 1, 10, &mine, fixture.now_ms);
        assert_ptr_equal(sink_session_user(session), &mine);
        assert_string_equal(fixture.sink->ops->session_id(session), "u 1");
        event = run(&fixture);
        end_is(cases[i].what, &event, session, cases[i].failure);
        if (cases[i].failure && !strstr(event.error.text, "table t, partition dt=2024,hh=1: upload session u 1 (1 blocks, 10 rows)"))
            fail_msg("%s: %s", cases[i].what, event.error.text);
        for (size_t k = 1; k < fake_server_count(fixture.server); k++)
            posts += strcmp(fake_server_request(fixture.server, k)->method, "POST") == 0;
        if (posts != cases[i].posts || fake_server_count(fixture.server) != 1 + cases[i].count)
            fail_msg("%s: %u commits, %zu requests", cases[i].what, posts, fake_server_count(fixture.server) - 1);
        request_is(&fixture, 1, "GET", T "?uploadid=u%201" P "&getblockid=true");
        fixture_stop(&fixture);
    }
}

/* What is only asked about is never committed. */
static void test_sessions_are_asked_about(void **state UNUSED)
{
    static const struct {
        struct fake_answer answers[3];
        size_t count;
        enum sink_event_kind kind;
    } cases[] = {
        {{CLOSED}, 1, SINK_SESSION_COMMITTED},
        {{ONE_BLOCK}, 1, SINK_SESSION_OPEN},
        {{SESSION("closing", ""), CLOSED}, 2, SINK_SESSION_COMMITTED},
        {{SESSION("closing", ""), ONE_BLOCK}, 2, SINK_SESSION_OPEN},
        {{REFUSAL(404, "NoSuchUpload")}, 1, SINK_SESSION_UNKNOWN},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_answer answers[1 + 3] = {TABLE};
        struct sink_session *session;
        struct sink_event event;
        struct fixture fixture = {0};

        memcpy(answers + 1, cases[i].answers, sizeof(cases[i].answers));
        fixture_start(&fixture, answers, 1 + cases[i].count, false);
        expect(&fixture, SINK_READY, NULL);
        session = fixture.sink->ops->session_ask(fixture.sink, STR(""), STR("x"), 1, 10, NULL, fixture.now_ms);
        event = run(&fixture);
        assert_int_equal(event.kind, cases[i].kind);
        assert_ptr_equal(event.session, session);
        for (size_t k = 1; k < fake_server_count(fixture.server); k++)
            assert_string_equal(fake_server_request(fixture.server, k)->method, "GET");
        fixture_stop(&fixture);
    }
}

static void test_an_adopted_session_can_be_dropped(void **state UNUSED)
{
    static const struct fake_answer answers[] = {TABLE, ONE_BLOCK};
    struct sink_session *session;
    struct fixture fixture = {0};

    START_READY();
    session = fixture.sink->ops->session_adopt(fixture.sink, STR(""), STR("x"), 1, 10, NULL, fixture.now_ms);
    fixture.sink->ops->step(fixture.sink, fixture.now_ms, 0);
    fixture.sink->ops->session_drop(fixture.sink, session);
    fixture.sink->ops->session_adopt(fixture.sink, STR(""), STR("y"), 1, 10, NULL, fixture.now_ms); /* goes with the sink */
    fixture_stop(&fixture);
}

/* Three sessions are one epoch: one question for all of them, sent after the last one was made. */
static void test_the_table_must_stay_the_same(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answer;
        const char *failure;
    } cases[] = {
        {"the same", TABLE_WITH_ID("7"), NULL},
        {"made again", TABLE_WITH_ID("8"), "its id was 7 and is \"8\""},
        {"without an id", {.status = 200, .only = "curr_project", .body = TABLE_XML}, "its id was 7 and is \"\""},
        {"dropped", {.status = 404, .only = "curr_project", .body = "<Error><Code>NoSuchTable</Code><Message>none</Message></Error>"},
         "table t: the table was dropped while the job ran; make it again and say with `luaduct reset`"},
        {"no permission", {.status = 403, .only = "curr_project", .body = "<Error><Code>NoPermission</Code></Error>"}, "lacks a permission"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_answer answers[] = {TABLE_WITH_ID("7"), CREATED, OK, CREATED, OK, CREATED, OK, LISTED, LISTED, LISTED, cases[i].answer,
                                        CLOSED, CLOSED, CLOSED};
        struct sink_session *sessions[3];
        struct fixture fixture = {0};

        START_READY();
        assert_string_equal(fixture.sink->table_id, "7");
        for (size_t k = 0; k < COUNT_OF(sessions); k++) {
            sessions[k] = acked_session(&fixture);
        }
        for (size_t k = 0; k < COUNT_OF(sessions); k++)
            seal(&fixture, sessions[k]);
        if (cases[i].failure) {
            expect_failure(&fixture, cases[i].failure);
        } else {
            for (size_t k = 0; k < COUNT_OF(sessions); k++)
                assert_int_equal(run(&fixture).kind, SINK_SESSION_SEALED);
            assert_int_equal(fake_server_count(fixture.server), 11);
        }
        fixture_stop(&fixture);
    }
}

/* A check that began before a session was made says nothing about it. */
static void test_an_old_check_of_the_table_is_not_enough(void **state UNUSED)
{
    static const struct fake_answer answers[] = {TABLE_WITH_ID("7"), CREATED, OK, LISTED, TABLE_WITH_ID("7"),
                                                 CREATED, OK, LISTED, TABLE_WITH_ID("9")};
    struct sink_session *session;
    struct fixture fixture = {0};

    START_READY();
    for (size_t i = 0; i < 2; i++) {
        session = acked_session(&fixture);
        seal(&fixture, session);
        if (i == 0)
            expect(&fixture, SINK_SESSION_SEALED, session);
    }
    expect_failure(&fixture, "its id was 7 and is \"9\"");
    fixture_stop(&fixture);
}

/* 1 percent is 5 sessions and 5 blocks in 5 minutes, and one commit in 15 seconds. */
static void test_quotas_are_waited_for(void **state UNUSED)
{
    enum { COUNT = 6 };
    static const struct fake_answer created = {.status = 201, .only = "?uploads", .body = SESSION_JSON("normal", "")};
    struct fake_answer answers[] = {TABLE, CREATED, OK, CREATED, OK, CREATED, OK, CREATED, OK, CREATED, OK, created, OK, OK,
                                    LISTED, LISTED, CLOSED, LOST, CLOSED, ONE_BLOCK, CLOSED};
    struct fixture fixture = {.quota_share = 1};
    struct sink_session *sessions[COUNT], *adopted;

    START_READY();
    assert_non_null(fixture.sink->quota);
    for (size_t i = 0; i < COUNT; i++) {
        sessions[i] = open_session(&fixture, NULL);
        put(&fixture, sessions[i], "block");
        if (i < COUNT - 1)
            expect(&fixture, SINK_BLOCK_ACKED, sessions[i]);
    }
    put(&fixture, sessions[0], "the sixth");
    assert_int_equal(fixture.now_ms, 0);
    assert_int_equal(quota_left(fixture.sink->quota, QUOTA_SESSIONS, fixture.now_ms), 0);
    assert_int_equal(fixture.sink->quota_waits[QUOTA_SESSIONS], 1);
    assert_int_equal(fixture.sink->quota_waits[QUOTA_BLOCKS], 1);
    expect(&fixture, SINK_BLOCK_ACKED, sessions[0]);
    assert_int_equal(fixture.now_ms, 301000);
    expect(&fixture, SINK_BLOCK_ACKED, sessions[5]);
    for (size_t i = 1; i < 3; i++) {
        seal(&fixture, sessions[i]);
        expect(&fixture, SINK_SESSION_SEALED, sessions[i]);
    }
    assert_int_equal(fixture.sink->quota_waits[QUOTA_COMMITS], 0);
    for (size_t i = 1; i < 3; i++)
        fixture.sink->ops->session_commit(fixture.sink, sessions[i], fixture.now_ms);
    expect(&fixture, SINK_SESSION_COMMITTED, sessions[1]);
    assert_int_equal(fixture.now_ms, 301000);
    expect(&fixture, SINK_SESSION_COMMITTED, sessions[2]); /* its answer was lost: asking costs no commit */
    assert_int_equal(fixture.now_ms, 301000 + 16000);
    assert_int_equal(fixture.sink->quota_waits[QUOTA_COMMITS], 1);
    adopted = fixture.sink->ops->session_adopt(fixture.sink, STR(""), STR("a"), 1, 10, NULL, fixture.now_ms);
    expect(&fixture, SINK_SESSION_COMMITTED, adopted); /* the commits of earlier owners' sessions count as well */
    assert_int_equal(fixture.now_ms, 301000 + 32000);
    assert_int_equal(fixture.sink->quota_waits[QUOTA_COMMITS], 2);
    fixture_stop(&fixture);
}

/* Sessions that wait can be dropped, and a commit that was under way gives its place back. */
static void test_dropping_what_waits_for_a_quota(void **state UNUSED)
{
    static const struct fake_answer answers[] = {TABLE, CREATED, OK, LISTED, CREATED, OK, LISTED, {.status = 429}, CLOSED};
    struct fixture fixture = {.quota_share = 1};
    struct sink_session *sessions[2];

    START_READY();
    for (size_t i = 0; i < 2; i++) {
        sessions[i] = sealed_session(&fixture);
    }
    for (size_t i = 0; i < 2; i++)
        fixture.sink->ops->session_commit(fixture.sink, sessions[i], fixture.now_ms);
    assert_int_equal(fixture.sink->quota->commits_out, 1);
    fixture.sink->ops->session_drop(fixture.sink, sessions[0]);
    assert_int_equal(fixture.sink->quota->commits_out, 0);
    while (fake_server_count(fixture.server) < 8) { /* the second one's commit, once its time has come */
        fixture.sink->ops->step(fixture.sink, fixture.now_ms, 0);
        fixture.now_ms += 1000;
        http_wait(fixture.http, NULL, 0, 5);
    }
    assert_true(fixture.now_ms >= 16000);
    fixture.sink->ops->session_drop(fixture.sink, sessions[1]);
    fixture_stop(&fixture);
}

static void test_the_block_list_must_fit(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answer;
        const char *text;
    } cases[] = {
        {"a block is missing", SESSION("normal", ""), "block 0 is missing"},
        {"a block too many", SESSION("normal", BLOCK(0) "," BLOCK(7)), "lists block 7, which was never sent"},
        {"a negative id", SESSION("normal", BLOCK(-1)), "without a BlockID"},
        {"an id that is no number", SESSION("normal", "{\"BlockID\":\"0\"}"), "without a BlockID"},
        {"not even objects", SESSION("normal", "0"), "without a BlockID"},
        {"no list", {.status = 200, .body = "{\"Status\":\"normal\"}"}, "no UploadedBlockList"},
        {"half an answer", {.status = 200, .body = "{\"UploadedBlockList\":[{\"BlockID\":0}"}, "broken JSON"},
        {"the session is gone", REFUSAL(404, "NoSuchUpload"), "NoSuchUpload"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_answer answers[] = {TABLE, CREATED, OK, cases[i].answer};
        struct sink_session *session;
        struct fixture fixture = {0};

        START_READY();
        session = acked_session(&fixture);
        seal(&fixture, session);
        expect_failure(&fixture, cases[i].text);
        fixture_stop(&fixture);
    }
}

static void test_the_table_is_created(void **state UNUSED)
{
    static const struct fake_answer answers[] = {NO_TABLE, INSTANCE, SUCCESS, NO_TABLE, TABLE};
    struct fixture fixture = {0};

    START(true);
    expect(&fixture, SINK_READY, NULL);
    request_is(&fixture, 1, "POST", "/projects/p/instances?curr_project=p");
    assert_non_null(strstr(fake_server_request(fixture.server, 1)->body, "CREATE TABLE IF NOT EXISTS p.`t` ("));
    assert_non_null(strstr(fake_server_request(fixture.server, 1)->body, "LIFECYCLE 7;]]>"));
    fixture_stop(&fixture);
}

static void test_tables_that_cannot_be_used(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answer;
        const char *text;
    } cases[] = {
        {"missing", NO_TABLE, "there is no such table"},
        {"no project", ANSWER(404, "<Error><Code>NoSuchProject</Code><Message>m</Message></Error>"), "NoSuchProject"},
        {"wrong credentials", ANSWER(401, "<Error><Code>InvalidAccessKeyId</Code><Message>m</Message></Error>"),
         "control endpoint 127.0.0.1"},
        {"half XML", {.status = 200, .body = "<Table><Schema format=\"Json\"><![CDATA[{\"col"}, "broken XML"},
        {"half JSON", ANSWER(200, "<Table><Schema><![CDATA[{\"columns\":[]]></Schema></Table>"), "broken JSON"},
        {"no schema", {.status = 200, .body = "<Table><Name>t</Name></Table>"}, "no schema"},
        {"wrong types", ANSWER(200, "<Table><Schema>{\"columns\":{\"a\":1}}</Schema></Table>"), "table t"},
        {"a view", {.status = 200, .body = "<Table><Schema>{\"columns\":" COLUMNS ",\"isVirtualView\":true}</Schema></Table>"},
         "view"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture fixture = {0};

        fixture_start(&fixture, &cases[i].answer, 1, false);
        expect_failure(&fixture, cases[i].text);
        fixture_stop(&fixture);
    }
}

static void test_sessions_that_cannot_be_used(void **state UNUSED)
{
    static const struct {
        const char *what;
        struct fake_answer answer;
        const char *text;
    } cases[] = {
        {"no id", {.status = 200, .body = "{\"Status\":\"normal\"}"}, "no usable UploadID"},
        {"an id that is no text", ANSWER(200, "{\"UploadID\":7,\"Status\":\"normal\"}"), "no usable UploadID"},
        {"half JSON", {.status = 200, .body = "{\"UploadID\":\"a"}, "broken JSON"},
        {"not an object", {.status = 200, .body = "[]"}, "no JSON object"},
        {"empty", {.status = 200}, "broken JSON"},
        {"another state", {.status = 200, .body = "{\"UploadID\":\"a\",\"Status\":\"critical\"}"}, "\"critical\""},
        {"no schema", {.status = 200, .body = "{\"UploadID\":\"a\",\"Status\":\"normal\"}"}, "no Schema"},
        {"another schema",
         ANSWER(200, "{\"UploadID\":\"a\",\"Status\":\"normal\","
                     "\"Schema\":{\"columns\":[{\"name\":\"z\",\"type\":\"string\"}]}}"),
         "start the job again"},
        {"the table was dropped", REFUSAL(404, "NoSuchTable"), "make it again and say with `luaduct reset`"},
        {"the table was altered", REFUSAL(409, "TableModified"), "start the job again"},
        {"a wrong quota", {.status = 400, .body = "{\"Code\":\"NoSuchQuota\",\"Message\":\"gold\"}"}, "tunnel quota"},
        {"a wrong key", REFUSAL(403, "SignatureDoesNotMatch"), "tunnel endpoint 127.0.0.1"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_answer answers[] = {TABLE, cases[i].answer};
        struct fixture fixture = {0};

        START_READY();
        put(&fixture, open_session(&fixture, NULL), "a");
        expect_failure(&fixture, cases[i].text);
        fixture_stop(&fixture);
    }
}

static void test_a_refused_block_ends_the_job(void **state UNUSED)
{
    static const struct {
        struct fake_answer answer;
        const char *text;
    } cases[] = {
        {REFUSAL(400, "CorruptedDataStream"), "block 0 was not taken: "},
        {REFUSAL(404, "NoSuchTable"), "block 0 was not taken: the table was dropped while the job ran; make it again"},
        {REFUSAL(409, "TableModified"), "block 0 was not taken: the table was altered, or dropped and made again"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_answer answers[] = {TABLE, CREATED, cases[i].answer};
        struct fixture fixture = {0};

        START_READY();
        put(&fixture, open_session(&fixture, NULL), "a");
        expect_failure(&fixture, cases[i].text);
        fixture_stop(&fixture);
    }
}

/* Dropping takes queued blocks, blocks under way and untold events along. */
static void test_sessions_can_be_dropped(void **state UNUSED)
{
    static const struct fake_answer answers[] = {TABLE, CREATED, OK, {.status = 500}, {.status = 500}, {.status = 500}};
    struct sink_session *session, *other;
    struct fixture fixture = {0};

    START_READY();
    session = open_session(&fixture, NULL);
    for (size_t i = 0; i < 3; i++)
        put(&fixture, session, "block");
    expect(&fixture, SINK_BLOCK_ACKED, session);
    fixture.sink->ops->step(fixture.sink, fixture.now_ms, 0);
    other = open_session(&fixture, NULL);
    put(&fixture, other, "never sent");
    fixture.sink->ops->session_drop(fixture.sink, session);
    assert_int_equal(fixture.sink->blocks_held, 1);
    fixture.sink->ops->session_drop(fixture.sink, other);
    assert_int_equal(fixture.sink->bytes_in_flight, 0);
    other = open_session(&fixture, NULL);
    seal(&fixture, other);
    fixture.sink->ops->session_drop(fixture.sink, other); /* its event was not told */
    fixture.sink->ops->step(fixture.sink, fixture.now_ms, 0);
    assert_false(fixture.sink->ops->next(fixture.sink, &(struct sink_event){0}));
    open_session(&fixture, NULL); /* goes with the sink */
    fixture_stop(&fixture);
}

static void test_null_sink(void **state UNUSED)
{
    static const enum sink_event_kind kinds[] = {SINK_READY, SINK_BLOCK_ACKED, SINK_SESSION_SEALED, SINK_SESSION_COMMITTED};
    struct mc_schema schema = {0};
    struct sink_session *session;
    struct sink_event event;
    struct sink *sink;
    int mine;

    sink = null_sink_new(&schema);
    sink->ops->start(sink, 0);
    session = sink->ops->session_open(sink, STR("dt=1"), &mine, 0);
    assert_ptr_equal(sink_session_user(session), &mine);
    sink->ops->block_put(sink, session, block_of("x", NULL), 0);
    sink->ops->session_seal(sink, session, 0);
    sink->ops->session_commit(sink, session, 0);
    assert_int_equal(sink->ops->deadline(sink), 0);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        assert_true(sink->ops->next(sink, &event));
        assert_int_equal(event.kind, kinds[i]);
    }
    assert_false(sink->ops->next(sink, &event));
    assert_true(sink->ops->deadline(sink) == INT64_MAX);
    session = sink->ops->session_open(sink, STR(""), NULL, 0);
    sink->ops->block_put(sink, session, block_of("x", NULL), 0);
    sink->ops->session_drop(sink, session);
    assert_false(sink->ops->next(sink, &event));
    session = sink->ops->session_adopt(sink, STR("dt=1"), STR("id"), 1, 1, &mine, 0);
    assert_ptr_equal(sink_session_user(session), &mine);
    assert_true(sink->ops->next(sink, &event));
    assert_int_equal(event.kind, SINK_SESSION_COMMITTED);
    session = sink->ops->session_open(sink, STR(""), NULL, 0);
    sink->ops->block_put(sink, session, block_of("x", NULL), 0);
    sink->ops->free(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_happy_path),
        cmocka_unit_test(test_a_session_without_blocks_needs_no_request),
        cmocka_unit_test(test_a_block_keeps_its_id),
        cmocka_unit_test(test_a_large_block_is_sent_again_whole),
        cmocka_unit_test(test_commit_in_doubt),
        cmocka_unit_test(test_sessions_are_adopted),
        cmocka_unit_test(test_sessions_are_asked_about),
        cmocka_unit_test(test_an_adopted_session_can_be_dropped),
        cmocka_unit_test(test_the_table_must_stay_the_same),
        cmocka_unit_test(test_an_old_check_of_the_table_is_not_enough),
        cmocka_unit_test(test_quotas_are_waited_for),
        cmocka_unit_test(test_dropping_what_waits_for_a_quota),
        cmocka_unit_test(test_the_block_list_must_fit),
        cmocka_unit_test(test_the_table_is_created),
        cmocka_unit_test(test_tables_that_cannot_be_used),
        cmocka_unit_test(test_sessions_that_cannot_be_used),
        cmocka_unit_test(test_a_refused_block_ends_the_job),
        cmocka_unit_test(test_sessions_can_be_dropped),
        cmocka_unit_test(test_null_sink),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
