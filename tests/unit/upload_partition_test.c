/* upload_partition_test.c: table partitions that are missing: added once, several by one statement, and what becomes of failures. */
#include "support/upload_bed.h"

#include <stdio.h>

#define MISSING {.status = 404, .only = "uploads", .body = "{\"Code\":\"NoSuchPartition\",\"Message\":\"none\"}"}
#define STARTED {.status = 201, .only = "instances?", .headers = "Location: http://h/api/projects/p/instances/i1\r\n"}
#define DONE                                          \
    {.status = 200,                                   \
     .only = "instances/",                            \
     .body = "<Instance><Status>Terminated</Status><Tasks><Task><Status>Success</Status></Task></Tasks></Instance>"}
#define MADE {.status = 201, .only = "uploads", .body = SESSION_JSON("normal", "")}
#define TAKEN {.status = 200, .only = "blockid"}

/* Two sessions of one new partition: one statement, both wait for it. */
static void test_a_partition_is_added_once(void **state UNUSED)
{
    static const struct fake_answer answers[] = {TABLE, NO_PARTITION, INSTANCE, SUCCESS, CREATED, CREATED, OK, OK};
    struct sink_session *a, *b;
    struct sink_event first;
    struct fixture fixture = {0};
    unsigned statements = 0;

    START_READY();
    a = open_session(&fixture, NULL);
    put(&fixture, a, "a");
    while (fake_server_count(fixture.server) < 3) { /* until the statement is under way */
        fixture.sink->ops->step(fixture.sink, fixture.now_ms, 0);
        http_wait(fixture.http, NULL, 0, 5);
    }
    b = open_session(&fixture, NULL);
    put(&fixture, b, "b");
    first = run(&fixture); /* both go their way at once, so either may be answered first */
    assert_int_equal(first.kind, SINK_BLOCK_ACKED);
    assert_true(first.session == a || first.session == b);
    expect(&fixture, SINK_BLOCK_ACKED, first.session == a ? b : a);
    for (size_t i = 0; i < fake_server_count(fixture.server); i++)
        statements += strstr(fake_server_request(fixture.server, i)->body, "ADD IF NOT EXISTS PARTITION (dt='2024',") != NULL;
    assert_int_equal(statements, 1);
    fixture_stop(&fixture);
}

static void test_a_partition_that_cannot_be_added(void **state UNUSED)
{
    static const struct fake_answer answers[] = {
        TABLE, NO_PARTITION, INSTANCE,
        ENDED("Failed"),
        ANSWER(200, "<Instance><Tasks><Task><Result>ODPS-0130161: bad value</Result></Task></Tasks></Instance>")};
    struct fixture fixture = {0};

    START_READY();
    put(&fixture, open_session(&fixture, NULL), "a");
    expect_failure(&fixture, "partition dt=2024,hh=1 could not be added");
    assert_non_null(strstr(fixture.error.text, "bad value"));
    fixture_stop(&fixture);
}

/* A backfill wants many at a time: those that turn out to be missing while a statement is under way go into the next one together. What
 * was asked for in vain counts as well: that is how the service may see it. */
static void test_partitions_are_added_together(void **state UNUSED)
{
    enum { SESSIONS = 5 };
    /* What comes at the same time may come in any order. */
    static const struct fake_answer answers[] = {
        TABLE, MISSING, MISSING, MISSING, MISSING, MISSING, STARTED, DONE, STARTED, DONE, MADE, MADE, MADE, MADE, MADE, TAKEN, TAKEN, TAKEN, TAKEN, TAKEN};
    struct fixture fixture = {.quota_share = 100};
    unsigned statements = 0;

    START_READY();
    for (int i = 0; i < SESSIONS; i++) {
        char spec[32];
        struct sink_session *session;

        snprintf(spec, sizeof(spec), "dt=day-%d", i);
        session = fixture.sink->ops->session_open(fixture.sink, str_of(spec), NULL, fixture.now_ms);
        put(&fixture, session, "a");
    }
    while (fake_server_count(fixture.server) < 1 + SESSIONS + 1) { /* time stands, so the first statement is not asked about */
        fixture.sink->ops->step(fixture.sink, fixture.now_ms, 0);
        http_wait(fixture.http, NULL, 0, 5);
    }
    for (int i = 0; i < SESSIONS; i++)
        assert_int_equal(run(&fixture).kind, SINK_BLOCK_ACKED);
    for (int i = 0; i < SESSIONS; i++) {
        char text[48];
        unsigned named = 0;

        snprintf(text, sizeof(text), "PARTITION (dt='day-%d')", i);
        for (size_t k = 0; k < fake_server_count(fixture.server); k++)
            named += strstr(fake_server_request(fixture.server, k)->body, text) != NULL;
        assert_int_equal(named, 1);
    }
    for (size_t k = 0; k < fake_server_count(fixture.server); k++)
        statements += strstr(fake_server_request(fixture.server, k)->body, "ADD IF NOT EXISTS") != NULL;
    assert_true(statements <= 2);
    assert_int_equal(quota_left(fixture.sink->quota, QUOTA_SESSIONS, fixture.now_ms), 500 - 2 * SESSIONS);
    fixture_stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_partition_is_added_once),
        cmocka_unit_test(test_a_partition_that_cannot_be_added),
        cmocka_unit_test(test_partitions_are_added_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
