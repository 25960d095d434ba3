/* kafka_group_test.c: the Kafka source with exactly-once delivery: results of commits, leaving and joining again, first runs, bounded
 * runs, and a topic that is made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the first four. */
#include <cmocka.h>

#include <unistd.h>

#include "support/kafka_client.h"
#include "util/tree.h"

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Each code that a broker or librdkafka can give, for a request that left so many times. */
static void test_commit_results(void **state)
{
    static const struct {
        const char *sentence;
        rd_kafka_resp_err_t code;
        unsigned copies;
        enum commit_result result;
    } cases[] = {
        {"answered well", RD_KAFKA_RESP_ERR_NO_ERROR, 1, COMMIT_STORED},
        {"answered well at the second try: the first may land later", RD_KAFKA_RESP_ERR_NO_ERROR, 2, COMMIT_UNKNOWN},
        {"put out of the group", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 1, COMMIT_REFUSED},
        {"put out, but an earlier copy may be stored", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 2, COMMIT_UNKNOWN},
        {"an old generation", RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, 1, COMMIT_REFUSED},
        {"in a rebalance", RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, 1, COMMIT_REFUSED},
        {"the group is gone", RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, 1, COMMIT_REFUSED},
        {"a coordinator that loads", RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 1, COMMIT_REFUSED},
        {"a coordinator that loads, three times", RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, COMMIT_UNKNOWN},
        {"a coordinator that was one until now", RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 1, COMMIT_UNKNOWN},
        {"replicas are late", RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, 1, COMMIT_UNKNOWN},
        {"replicas are missing", RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, 1, COMMIT_UNKNOWN},
        {"one partition's error", RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, 1, COMMIT_UNKNOWN},
        {"a code that we have not heard of", (rd_kafka_resp_err_t)999, 1, COMMIT_UNKNOWN},
        {"no answer", RD_KAFKA_RESP_ERR__TIMED_OUT, 1, COMMIT_UNKNOWN},
        {"no answer, no connection", RD_KAFKA_RESP_ERR__TRANSPORT, 2, COMMIT_UNKNOWN},
        {"the coordinator stays away", RD_KAFKA_RESP_ERR__WAIT_COORD, 1, COMMIT_UNKNOWN},
        {"the coordinator was never there", RD_KAFKA_RESP_ERR__WAIT_COORD, 0, COMMIT_REFUSED},
        {"never sent", RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, 0, COMMIT_REFUSED},
        {"the client is dead", RD_KAFKA_RESP_ERR__FATAL, 0, COMMIT_REFUSED},
        {"an answer to what nobody saw leave", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 0, COMMIT_UNKNOWN},
        {"stored, what nobody saw leave", RD_KAFKA_RESP_ERR_NO_ERROR, 0, COMMIT_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum commit_result result = kafka_commit_result(cases[i].code, cases[i].copies);

        if (result != cases[i].result)
            fail_msg("%s: %d", cases[i].sentence, (int)result);
    }
}

/* With exactly-once delivery the answer is told as it is: nothing is read back, and a repeated request is not certain. */
static void test_commit_exact(void **state)
{
    struct cluster cluster;
    struct client *client = cluster_read(&cluster, DELIVERY_EXACTLY_ONCE, 40);

    (void)state;
    commit_all(client, "one");
    assert_int_equal(client->commit_result, COMMIT_STORED);
    assert_int_equal(client->commit_error.kind, ERROR_NONE);

    /* What is stored is the same, and yet it is told as refused. */
    commit_against(&cluster, client, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, "one");
    assert_int_equal(client->commit_result, COMMIT_REFUSED);
    assert_int_equal(client->commit_error.kind, ERROR_RETRY);

    /* Not in time, and then stored at librdkafka's second try. */
    commit_against(&cluster, client, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, "two");
    assert_int_equal(client->commit_result, COMMIT_UNKNOWN);
    assert_non_null(strstr(client->commit_error.text, "2 times"));

    /* The first copy gets no answer; the second is stored, or refused when the group was quicker. */
    commit_against(&cluster, client, RD_KAFKA_RESP_ERR__TRANSPORT, "three");
    assert_int_equal(client->commit_result, COMMIT_UNKNOWN);
    client->source->ops->rejoin(client->source);
    client_turn(client, 1);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    commit_all(client, "four");
    assert_int_equal(client->commit_result, COMMIT_STORED);

    commit_against(&cluster, client, RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, "five");
    assert_int_equal(client->commit_result, COMMIT_UNKNOWN);
    assert_int_equal(client->error.kind, ERROR_FATAL);
    cluster_leave(&cluster, client);
}

static void told_lost_once(const struct client *client, unsigned times)
{
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(client->lost_told[i], times);
}

/* Out of the group and back as another member; everything is lost and offered again with what is stored. */
static void test_rejoin(void **state)
{
    struct cluster cluster;
    struct client *client = cluster_read(&cluster, DELIVERY_EXACTLY_ONCE, 40);
    unsigned committed;

    (void)state;
    commit_all(client, "kept");
    produce(&cluster, 40, 40);
    WAIT_FOR(client, client->total >= 80);
    client->source->ops->rejoin(client->source);
    client_turn(client, 1);
    told_lost_once(client, 1);
    assert_int_equal(offered_count(client), 0);
    WAIT_FOR(client, offered_count(client) == PARTITIONS && client->total >= 120);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_true(client->offered[i].committed);
        assert_int_equal(client->offered[i].offset, 10);
        assert_string_equal(client->notes[i], "kept");
    }
    assert_int_equal(client->total, 120);
    told_lost_once(client, 1);
    assert_int_equal(client->revoked_count, 0);

    /* Paused in the old life, not in the new one. */
    client->source->ops->pause(client->source);
    client->source->ops->rejoin(client->source);
    client_turn(client, 1);
    client->source->ops->resume(client->source);
    WAIT_FOR(client, offered_count(client) == PARTITIONS && client->total >= 160);
    told_lost_once(client, 2);

    /* With a commit under way, whose answer does not come any more; twice, and before anything is offered again. */
    committed = client->committed;
    rd_kafka_mock_broker_set_rtt(cluster.mock, 1, 300);
    for (int i = 0; i < PARTITIONS; i++)
        client->offered[i].metadata = str_of("abandoned");
    assert_false(kafka_call_waits(kafka_of(client->source), KAFKA_CALL_COMMITTED));
    client->source->ops->commit(client->source, client->offered, PARTITIONS);
    assert_true(kafka_call_waits(kafka_of(client->source), KAFKA_CALL_COMMITTED));
    client->source->ops->rejoin(client->source);
    assert_true(kafka_call_waits(kafka_of(client->source), KAFKA_CALL_COMMITTED));
    client->source->ops->rejoin(client->source);
    client_turn(client, 1);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    rd_kafka_mock_broker_set_rtt(cluster.mock, 1, 0);
    assert_int_equal(client->committed, committed);
    told_lost_once(client, 3);
    for (int i = 0; i < PARTITIONS; i++)
        assert_string_equal(client->notes[i], "abandoned"); /* it was answered before the question was asked */
    commit_all(client, "again");
    assert_int_equal(client->commit_result, COMMIT_STORED);
    assert_int_equal(client->errors, 0);
    cluster_leave(&cluster, client);
}

/* The brokers go away in the middle: it goes on when they are back. */
static void test_rejoin_without_brokers(void **state)
{
    struct cluster cluster;
    struct client *client = cluster_read(&cluster, DELIVERY_EXACTLY_ONCE, 40);

    (void)state;
    commit_all(client, "kept");
    rd_kafka_mock_broker_set_down(cluster.mock, -1);
    WAIT_FOR(client, client->errors > 0);
    client->source->ops->rejoin(client->source);
    for (int i = 0; i < 20; i++)
        client_turn(client, 20);
    told_lost_once(client, 1);
    assert_int_equal(offered_count(client), 0);
    rd_kafka_mock_broker_set_up(cluster.mock, -1);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    assert_string_equal(client->notes[1], "kept");
    told_lost_once(client, 1);
    produce(&cluster, 40, 40);
    WAIT_FOR(client, client->total >= 80);
    all_seen_once(client, 0, 80);
    cluster_leave(&cluster, client);
}

/* Rule 2: who may start without a committed position, and who with one. */
static void test_first(void **state)
{
    static const struct {
        const char *sentence;
        enum delivery delivery;
        enum kafka_first first;
        bool positions;
        enum error_kind kind;
        const char *text;
    } cases[] = {
        {"a first run without saying so", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_NO, false, ERROR_FATAL, "run --first"},
        {"a first run", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_YES, false, ERROR_NONE, NULL},
        {"a restart of a first run", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_ALLOWED, false, ERROR_NONE, NULL},
        {"at least once does not ask", DELIVERY_AT_LEAST_ONCE, KAFKA_FIRST_NO, false, ERROR_NONE, NULL},
        {"a later run", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_NO, true, ERROR_NONE, NULL},
        {"a later run that claims to be the first", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_YES, true, ERROR_CONFIG, "leave --first"},
        {"a restart of a first run that stored positions", DELIVERY_EXACTLY_ONCE, KAFKA_FIRST_ALLOWED, true, ERROR_NONE, NULL},
        {"at least once only warns", DELIVERY_AT_LEAST_ONCE, KAFKA_FIRST_YES, true, ERROR_NONE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cluster cluster;
        struct client *client;

        cluster_start(&cluster);
        if (cases[i].positions) {
            client = client_open(&cluster, START_EARLIEST);
            WAIT_FOR(client, offered_count(client) == PARTITIONS);
            commit_all(client, "kept");
            client_close(client, true);
        }
        client = client_make(&cluster, START_EARLIEST);
        client->job.delivery = cases[i].delivery;
        client->run.first = cases[i].first;
        client_start(client);
        WAIT_FOR(client, client->errors || offered_count(client) == PARTITIONS);
        if (client->error.kind != cases[i].kind || (cases[i].text && !strstr(client->error.text, cases[i].text)))
            fail_msg("%s: %s", cases[i].sentence, client->error.text);
        if (cases[i].kind)
            assert_int_equal(offered_count(client), 0);
        cluster_leave(&cluster, client);
    }
}

static void test_until_parse(void **state)
{
    static const struct {
        const char *text;
        enum kafka_until_kind kind; /* NEVER: refused */
        const char *reason;
        size_t count;
        int64_t last; /* offset, or time */
    } cases[] = {
        {"end", KAFKA_UNTIL_END, NULL, 0, 0},
        {"0:10", KAFKA_UNTIL_OFFSETS, NULL, 1, 10},
        {"3:0,11:123456789012", KAFKA_UNTIL_OFFSETS, NULL, 2, 123456789012},
        {"2024-01-31 00:00:00 +08:00", KAFKA_UNTIL_TIME, NULL, 0, 1706630400000},
        {"1706630400000", KAFKA_UNTIL_TIME, NULL, 0, 1706630400000},
        {"2024-01-31 00:00:00", KAFKA_UNTIL_NEVER, "zone", 0, 0},
        {"2030-01-31 00:00:00 +08:00", KAFKA_UNTIL_NEVER, "future", 0, 0},
        {"0:", KAFKA_UNTIL_NEVER, "list", 0, 0},
        {"0:1,", KAFKA_UNTIL_NEVER, "list", 0, 0},
        {"0:1,0:2", KAFKA_UNTIL_NEVER, "twice", 0, 0},
        {"0:1:2", KAFKA_UNTIL_NEVER, "list", 0, 0},
        {"999999999:1", KAFKA_UNTIL_NEVER, "no topic has", 0, 0},
        {"0:1234567890123456789", KAFKA_UNTIL_OFFSETS, NULL, 1, 1234567890123456789},
        {"0:9223372036854775807", KAFKA_UNTIL_NEVER, "larger than any offset", 0, 0},
        {"0:-1", KAFKA_UNTIL_NEVER, "negative", 0, 0},
        {"0:7, 1:latest", KAFKA_UNTIL_OFFSETS, NULL, 2, START_AT_LATEST},
        {"0:7,1:earliest", KAFKA_UNTIL_NEVER, "would read nothing of partition 1", 0, 0},
        {"latest", KAFKA_UNTIL_END, NULL, 0, 0},
        {"earliest", KAFKA_UNTIL_NEVER, "would read nothing", 0, 0},
        {"90m ago", KAFKA_UNTIL_TIME, NULL, 0, 1800000000000 - 5400000},
        {"90 minutes ago", KAFKA_UNTIL_NEVER, "30m ago", 0, 0},
        {"", KAFKA_UNTIL_NEVER, "neither end", 0, 0},
        {"soon", KAFKA_UNTIL_NEVER, "neither end", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static struct kafka_until until;
        struct error error = {0};
        bool ok = kafka_until_parse(str_of(cases[i].text), NULL, 1800000000000, &until, &error);

        if (ok != (cases[i].kind != KAFKA_UNTIL_NEVER) || (ok && until.kind != cases[i].kind))
            fail_msg("%s: %s", cases[i].text, error.text);
        if (!ok && !strstr(error.text, cases[i].reason))
            fail_msg("%s: %s", cases[i].text, error.text);
        if (!ok)
            assert_int_equal(error.kind, ERROR_CONFIG);
        if (ok && until.kind == KAFKA_UNTIL_TIME)
            assert_int_equal(until.time_ms, cases[i].last);
        if (!ok || until.kind != KAFKA_UNTIL_OFFSETS)
            continue;
        assert_int_equal(until.count, cases[i].count);
        assert_int_equal(until.limits[until.count - 1].offset, cases[i].last);
    }
}

/* Ends at the end that was there at the start, once; a rewind takes the end back. */
static void test_until_end(void **state)
{
    struct cluster cluster;
    struct client *client;
    struct kafka_reached reached[PARTITIONS + 1];

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 403); /* the last partition has one less */
    client = client_make(&cluster, START_EARLIEST);
    client->run.until.kind = KAFKA_UNTIL_END;
    client->assign_at_once = false;
    client_start(client);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    produce(&cluster, 404, 400); /* after the question */
    for (int i = 0; i < PARTITIONS; i++) {
        assert_int_equal(client->ends, 0);
        client->source->ops->assign(client->source, &client->offered[i], 1);
    }
    WAIT_FOR(client, client->ends);
    assert_int_equal(client->total, 403);
    all_seen_once(client, 0, 403);
    for (int i = 0; i < 10; i++)
        client_turn(client, 20);
    assert_int_equal(client->total, 403);
    assert_int_equal(client->ends, 1);
    client->source->ops->seek(client->source, 2, 50);
    client_turn(client, 1);
    WAIT_FOR(client, client->ends == 2);
    assert_int_equal(client->total, 403 + 51);
    client->source->ops->seek(client->source, 2, 101); /* whoever seeks is told again, even if nothing is left */
    client_turn(client, 1);
    WAIT_FOR(client, client->ends == 3);
    assert_int_equal(client->total, 403 + 51);
    /* An end that nobody has heard yet is none after a seek. */
    client->source->ops->seek(client->source, 2, 101);
    client->source->ops->step(client->source, clock_monotonic_ms());
    client->source->ops->seek(client->source, 2, 91);
    client_turn(client, 0);
    assert_true(client->total > 403 + 51 || client->ends == 3);
    WAIT_FOR(client, client->ends == 4);
    assert_int_equal(client->total, 403 + 61);
    assert_int_equal(kafka_source_reached(client->source, reached, PARTITIONS + 1), PARTITIONS);
    assert_int_equal(reached[2].from, 0);
    assert_int_equal(reached[2].to, 101);
    assert_int_equal(reached[3].to, 100);
    commit_all(client, "done");
    client_close(client, true);

    /* Nothing is left to read: it ends without fetching. */
    client = client_make(&cluster, START_EARLIEST);
    assert_true(kafka_until_parse(STR("0:101,1:100"), NULL, 0, &client->run.until, NULL));
    client_start(client);
    WAIT_FOR(client, client->ends);
    assert_int_equal(client->total, 0);
    client_close(client, true);

    /* Given offsets, also some that are not there yet. */
    client = client_make(&cluster, START_EARLIEST);
    assert_true(kafka_until_parse(STR("0:150,3:210"), NULL, 0, &client->run.until, NULL));
    client_start(client);
    WAIT_FOR(client, client->total >= 49 + 100);
    assert_int_equal(client->ends, 0);
    produce(&cluster, 804, 100);
    WAIT_FOR(client, client->ends);
    assert_int_equal(client->total, 49 + 110);
    client_close(client, true);

    client = client_make(&cluster, START_EARLIEST);
    assert_true(kafka_until_parse(STR("7:150"), NULL, 0, &client->run.until, NULL));
    client_start(client);
    WAIT_FOR(client, client->errors);
    assert_int_equal(client->error.kind, ERROR_CONFIG);
    cluster_leave(&cluster, client);
}

static void test_topic_made_anew(void **state)
{
    struct cluster cluster;
    struct client *client = cluster_read(&cluster, DELIVERY_AT_LEAST_ONCE, 40);

    (void)state;
    client->ahead_ms = 20000; /* the question is asked again, and the answer is the same */
    for (int i = 0; i < 5; i++)
        client_turn(client, 20);
    assert_int_equal(client->errors, 0);
    assert_int_equal(rd_kafka_mock_topic_delete(cluster.mock, "orders"), 0);
    assert_int_equal(rd_kafka_mock_topic_create(cluster.mock, "orders", PARTITIONS, 1), 0);
    client->ahead_ms = 40000;
    WAIT_FOR(client, client->errors > 0);
    assert_int_equal(client->error.kind, ERROR_FATAL);
    assert_non_null(strstr(client->error.text, "made anew while the job ran"));
    cluster_leave(&cluster, client);
}

/* As a hub that has no room for records: it does not fetch, so it is not told of rebalances. */
static void client_step(struct client *client)
{
    struct source_event event;

    client->source->ops->step(client->source, clock_monotonic_ms() + client->ahead_ms);
    while (client->source->ops->next(client->source, &event))
        client_event(client, &event);
    poll(NULL, 0, 10);
}

#define STEP_UNTIL(client, condition)                              \
    do {                                                           \
        int64_t step_end = clock_monotonic_ms() + WAIT_MS;         \
        while (!(condition)) {                                     \
            if (clock_monotonic_ms() > step_end)                   \
                fail_msg("stepped too long until %s", #condition); \
            client_step(client);                                   \
        }                                                          \
    } while (0)

static void wait_until_put_out(struct kafka_source *kafka)
{
    int64_t end_ms = clock_monotonic_ms() + WAIT_MS;
    bool member = true;

    while (member) {
        char *id = rd_kafka_memberid(kafka->rk);

        member = id && *id;
        if (id)
            rd_kafka_mem_free(kafka->rk, id);
        assert_true(clock_monotonic_ms() < end_ms);
        poll(NULL, 0, 10);
    }
}

/* A client that has read all records and committed, and whose secret then changed: `client.id` stands for any that needs another
 * client. The second one is there, and has still to show that it is let in. */
struct replaced {
    struct cluster cluster;
    struct client *client;
    struct kafka_source *kafka;
    struct tree_node written;
    struct job_property properties[COUNT_OF(quick) + 1];
    char folder[40], *path;
};

static void replaced_open(struct replaced *replaced, enum delivery delivery)
{
    struct client *client;

    memset(replaced, 0, sizeof(*replaced));
    snprintf(replaced->folder, sizeof(replaced->folder), "/tmp/kafka_group_test.XXXXXX");
    assert_non_null(mkdtemp(replaced->folder));
    replaced->path = xasprintf("%s/id", replaced->folder);
    file_write(replaced->path, "one");
    replaced->written = (struct tree_node){.kind = TREE_SCALAR, .text = str_of("one"), .written = str_of("${file:id}")};
    memcpy(replaced->properties, quick, sizeof(quick));
    replaced->properties[COUNT_OF(quick)] = (struct job_property){
        .name = (char *)"client.id", .value = (char *)"one", .node = &replaced->written, .directory = replaced->folder};
    cluster_start(&replaced->cluster);
    produce(&replaced->cluster, 0, 40);
    client = replaced->client = client_make(&replaced->cluster, START_EARLIEST);
    client->job.delivery = delivery;
    client->job.source.properties = replaced->properties;
    client->job.source.property_count = COUNT_OF(replaced->properties);
    client->run.first = KAFKA_FIRST_ALLOWED;
    client_start(client);
    replaced->kafka = kafka_of(client->source);
    WAIT_FOR(client, client->total >= 40);
    commit_all(client, "kept");
    file_write(replaced->path, "two");
    STEP_UNTIL(client, replaced->kafka->replace == KAFKA_REPLACE_TRYING);
}

static void replaced_close(struct replaced *replaced)
{
    cluster_leave(&replaced->cluster, replaced->client);
    unlink(replaced->path);
    rmdir(replaced->folder);
    free(replaced->path);
}

/* The old client is put out of the group with partitions in the hub's hands and a commit that is answered late. */
static void put_out_while_replaced(enum delivery delivery)
{
    struct replaced replaced;
    struct client *client;
    struct kafka_source *kafka;
    unsigned before;

    replaced_open(&replaced, delivery);
    client = replaced.client;
    kafka = replaced.kafka;
    before = client->committed;
    rd_kafka_mock_broker_push_request_error_rtts(replaced.cluster.mock, 1, OFFSET_COMMIT_KEY, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 8000);
    client->source->ops->commit(client->source, client->offered, PARTITIONS);
    rd_kafka_mock_push_request_errors(replaced.cluster.mock, HEARTBEAT_KEY, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    wait_until_put_out(kafka);
    if (delivery == DELIVERY_AT_LEAST_ONCE) { /* the answer is waited for, longer than leaving may take, without spinning */
        STEP_UNTIL(client, kafka->replace == KAFKA_REPLACE_SETTLING);
        client->ahead_ms = 200000;
        client_step(client);
        assert_int_equal(kafka->replace, KAFKA_REPLACE_SETTLING);
        assert_true(kafka_client_deadline(kafka) > kafka->now_ms);
    }
    STEP_UNTIL(client, client->committed > before);
    if (delivery == DELIVERY_EXACTLY_ONCE) {
        assert_int_equal(client->commit_result, COMMIT_UNKNOWN);
        client->source->ops->rejoin(client->source);
    }
    STEP_UNTIL(client, kafka->replace == KAFKA_REPLACE_NO);
    told_lost_once(client, 1);
    assert_int_equal(offered_count(client), 0);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    told_lost_once(client, 1);
    commit_all(client, "new");
    assert_int_equal(client->commit_result, COMMIT_STORED);
    replaced_close(&replaced);
}

static void test_put_out_while_replaced(void **state)
{
    (void)state;
    put_out_while_replaced(DELIVERY_EXACTLY_ONCE);
    put_out_while_replaced(DELIVERY_AT_LEAST_ONCE);
}

/* Flushing may last longer than a session: the client stays a member until what was asked back is released. */
static void test_settling_outlasts_a_session(void **state)
{
    struct replaced replaced;
    struct client *client;
    int64_t until_ms;

    (void)state;
    replaced_open(&replaced, DELIVERY_EXACTLY_ONCE);
    client = replaced.client;
    WAIT_FOR(client, client->revoked_count == PARTITIONS);
    until_ms = clock_monotonic_ms() + 5000; /* session.timeout.ms is 2000 */
    while (clock_monotonic_ms() < until_ms)
        client_turn(client, 50);
    commit_all(client, "flushed");
    assert_int_equal(client->commit_result, COMMIT_STORED);
    client->source->ops->release(client->source, client->revoked, PARTITIONS);
    memset(client->is_offered, 0, sizeof(client->is_offered));
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    assert_int_equal(replaced.kafka->replace, KAFKA_REPLACE_NO);
    assert_int_equal(client->revoked_count, PARTITIONS);
    assert_string_equal(client->notes[0], "flushed");
    told_lost_once(client, 0);
    replaced_close(&replaced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_results), cmocka_unit_test(test_commit_exact), cmocka_unit_test(test_rejoin),
        cmocka_unit_test(test_rejoin_without_brokers), cmocka_unit_test(test_first), cmocka_unit_test(test_until_parse),
        cmocka_unit_test(test_until_end), cmocka_unit_test(test_topic_made_anew),
        cmocka_unit_test(test_put_out_while_replaced), cmocka_unit_test(test_settling_outlasts_a_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
