/* kafka_source_test.c: the Kafka source against librdkafka's mock cluster. Waits are for something to happen, with an end far away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the first four. */
#include <cmocka.h>

#include "support/kafka_client.h"

static void test_properties(void **state)
{
    static const struct {
        const char *name, *value;
        bool ok;
    } cases[] = {
        {"fetch.min.bytes", "1000", true},
        {"fetch.min.bytes", "1000xyz", false},
        {"fetch.min.bytes", "-1", false},
        {"no.such.property", "1", false},
        {"security.protocol", "ssl", true},
        {"security.protocol", "bogus", false},
        {"group.id", "mine", false},
        {"queued.max.messages.kbytes", "1", false},
        {"auto.offset.reset", "latest", false},
        {"auto.commit.interval.ms", "5", false},
        {"rebalance_cb", "x", false},
        {"session.timeout.ms", "6000", true},
        {"sasl.password", "anything", true},
    };
    struct error misspelt;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {.kind = ERROR_NONE};

        if (kafka_property_check(cases[i].name, cases[i].value, &error) != cases[i].ok)
            fail_msg("%s=%s: %s", cases[i].name, cases[i].value, error.text);
        assert_int_equal(error.kind, cases[i].ok ? ERROR_NONE : ERROR_CONFIG);
    }
    assert_false(kafka_property_check("sasl.pasword", "x", &misspelt));
    assert_non_null(strstr(misspelt.text, "did you mean \"sasl.password\"?"));
    assert_non_null(kafka_property_refusal("Isolation.Level"));
    assert_null(kafka_property_refusal("fetch.wait.max.ms"));
}

/* The whole life: offered at the beginning, anchored, read, committed with a note; the next life goes on behind it. */
static void test_life(void **state)
{
    struct cluster cluster;
    struct client *client;
    struct source_lag lags[PARTITIONS];
    char note[4001];

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 2000);
    client = client_open(&cluster, START_EARLIEST);
    client->assign_at_once = false;
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    assert_true(client->ready);
    assert_string_not_equal(client->source->cluster_id, "");
    assert_string_not_equal(client->source->topic_id, "");
    for (int i = 0; i < PARTITIONS; i++) {
        assert_int_equal(client->offered[i].offset, 0);
        assert_false(client->offered[i].committed);
    }
    /* Anchors before anything is read: nothing comes until assign. */
    commit_all(client, "anchor");
    assert_int_equal(client->commit_error.kind, ERROR_NONE);
    assert_int_equal(client->total, 0);
    /* One by one, as the hub does it. */
    for (int i = 0; i < PARTITIONS; i++)
        client->source->ops->assign(client->source, &client->offered[i], 1);
    WAIT_FOR(client, client->total >= 2000);
    all_seen_once(client, 0, 2000);
    assert_int_equal(client->source->ops->lag(client->source, lags, PARTITIONS), PARTITIONS);
    assert_int_equal(lags[0].end_offset, 500);
    memset(note, 'n', sizeof(note) - 1);
    note[sizeof(note) - 1] = '\0';
    commit_all(client, note);
    assert_int_equal(client->commit_error.kind, ERROR_NONE);
    commit_all(client, "second note");
    assert_int_equal(client->errors, 0);
    client_close(client, true);

    produce(&cluster, 2000, 400);
    client = client_open(&cluster, START_LATEST); /* which a job that ran before does not use */
    WAIT_FOR(client, client->total >= 400);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_true(client->offered[i].committed);
        assert_int_equal(client->offered[i].offset, 500);
        assert_string_equal(client->notes[i], "second note");
    }
    assert_int_equal(client->total, 400);
    all_seen_once(client, 2000, 400);
    cluster_leave(&cluster, client);
}

static void test_latest(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 100);
    client = client_open(&cluster, START_LATEST);
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(client->offered[i].offset, 25);
    produce(&cluster, 100, 8);
    WAIT_FOR(client, client->total >= 8);
    all_seen_once(client, 100, 8);
    assert_int_equal(client->total, 8);
    cluster_leave(&cluster, client);
}

/* source.start.offsets: what is offered, or the mistake. The log of partition 2 begins at 60, all end at 100. */
static void test_start_offsets(void **state)
{
    static const struct {
        struct start_offset offsets[PARTITIONS + 1];
        size_t count;
        enum start_kind otherwise;
        const char *mistake; /* NULL: none */
        int64_t expected[PARTITIONS];
    } cases[] = {
        {{{.partition = 0, .offset = 7}, {.partition = 1, .offset = START_AT_EARLIEST}, {.partition = 2, .offset = START_AT_EARLIEST},
          {.partition = 3, .offset = START_AT_LATEST}}, 4, START_COMMITTED, NULL, {7, 0, 60, 100}},
        {{{.partition = 2, .offset = 60}, {.partition = 3, .offset = 100}}, 2, START_EARLIEST, NULL, {0, 0, 60, 100}},
        {{{.partition = 0, .offset = 1}}, 1, START_LATEST, NULL, {1, 100, 100, 100}},
        {{{.partition = 0, .offset = 1}}, 1, START_COMMITTED, "does not name 3 of the 4 partitions of topic orders (partition 1,", {0}},
        {{{.partition = 0, .offset = 101}}, 1, START_LATEST, "partition 0 has no offset 101; its log begins at 0 and ends at 100", {0}},
        {{{.partition = 2, .offset = 59}}, 1, START_LATEST, "partition 2 has no offset 59; its log begins at 60", {0}},
        {{{.partition = 4, .offset = START_AT_LATEST}}, 1, START_LATEST, "names partition 4, but topic orders has 4", {0}},
        {{{.partition = 0, .offset = 101}, {.partition = 1, .offset = 102}, {.partition = 2, .offset = 1}, {.partition = 3, .offset = 103},
          {.partition = 9, .offset = 1}}, 5, START_LATEST, "; and 2 more", {0}},
    };
    struct cluster cluster;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 400);
    assert_int_equal(rd_kafka_mock_partition_delete_records(cluster.mock, "orders", 2, 60), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client *client = client_make(&cluster, cases[i].otherwise);
        char group[32];

        snprintf(group, sizeof(group), "offsets-%zu", i);
        client->job.source.group = group;
        client->job.source.start = START_OFFSETS;
        client->job.source.offsets = (struct start_offset *)cases[i].offsets;
        client->job.source.offset_count = cases[i].count;
        client->assign_at_once = false;
        client_start(client);
        if (cases[i].mistake) {
            WAIT_FOR(client, client->errors > 0);
            if (client->error.kind != ERROR_CONFIG || !strstr(client->error.text, cases[i].mistake))
                fail_msg("case %zu: %s", i, client->error.text);
            assert_int_equal(offered_count(client), 0);
        } else {
            WAIT_FOR(client, offered_count(client) == PARTITIONS);
            for (int p = 0; p < PARTITIONS; p++) {
                if (client->offered[p].offset != cases[i].expected[p] || client->offered[p].committed)
                    fail_msg("case %zu: partition %d is offered at %lld", i, p, (long long)client->offered[p].offset);
            }
        }
        client_close(client, true);
    }
    cluster_stop(&cluster);
}

/* Once the group has any position the offsets say nothing any more, even if they are no longer there: partitions without one are
 * read from their first record (rule 1). */
static void test_start_offsets_are_for_the_first_run(void **state)
{
    static struct start_offset offsets[] = {{.partition = 0, .offset = 10}};
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 400);
    for (int run = 0; run < 2; run++) {
        client = client_make(&cluster, START_EARLIEST);
        client->job.source.start = START_OFFSETS;
        client->job.source.offsets = offsets;
        client->job.source.offset_count = 1;
        client_start(client);
        WAIT_FOR(client, offered_count(client) == PARTITIONS);
        assert_int_equal(client->offered[0].offset, run ? 100 : 10);
        assert_int_equal(client->offered[0].committed, run);
        if (!run) {
            struct source_partition there = {.partition = 0, .offset = 100};

            client->source->ops->commit(client->source, &there, 1);
            WAIT_FOR(client, client->committed > 0);
            assert_int_equal(client->commit_error.kind, ERROR_NONE);
        }
        for (int p = 1; p < PARTITIONS; p++) {
            assert_int_equal(client->offered[p].offset, 0);
            assert_false(client->offered[p].committed);
        }
        client_close(client, true);
        offsets[0].offset = 1000;
    }
    cluster_stop(&cluster);
}

static void test_pause_and_seek(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, RECORDS_MAX);
    client = client_open(&cluster, START_EARLIEST);
    for (unsigned stop = 4000; stop <= RECORDS_MAX; stop += 4000) {
        WAIT_FOR(client, client->total >= stop);
        client->source->ops->pause(client->source);
        for (int i = 0; i < 3; i++)
            assert_int_equal(client_turn(client, 1), 0);
        client->source->ops->resume(client->source);
    }
    WAIT_FOR(client, client->total >= RECORDS_MAX);
    all_seen_once(client, 0, RECORDS_MAX);

    /* A rewind, also of a paused source, gives exactly the tail again. */
    client->source->ops->pause(client->source);
    client->source->ops->seek(client->source, 1, RECORDS_MAX / PARTITIONS - 10);
    assert_int_equal(client_turn(client, 1), 0);
    client->source->ops->resume(client->source);
    WAIT_FOR(client, client->total >= RECORDS_MAX + 10);
    client_turn(client, 20);
    assert_int_equal(client->total, RECORDS_MAX + 10);
    assert_int_equal(client->seen[RECORDS_MAX - PARTITIONS + 1], 2);
    cluster_leave(&cluster, client);
}

/* The mock takes all members for synced as soon as the leader has dealt. One whose SyncGroup comes later is refused and joins again;
 * then the mock refuses all commits and heartbeats until the leader has joined too, which it cannot while it settles what is asked
 * back: in the end it is thrown out. So the answer to the second JoinGroup from here on, the leader's, comes half a second late. */
static void leader_hears_later(struct cluster *cluster)
{
    rd_kafka_mock_broker_push_request_error_rtts(cluster->mock, 1, JOIN_GROUP_KEY, 2, RD_KAFKA_RESP_ERR_NO_ERROR, 0,
                                                 RD_KAFKA_RESP_ERR_NO_ERROR, 500);
}

/* The second member gets its share only after the first one has released it, and goes on where that committed. */
static void test_rebalance(void **state)
{
    struct cluster cluster;
    struct client *first, *second;
    int64_t end;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 400);
    first = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(first, first->total >= 400);
    leader_hears_later(&cluster);
    second = client_open(&cluster, START_EARLIEST);
    end = clock_monotonic_ms() + WAIT_MS;
    while (first->revoked_count == 0) {
        assert_true(clock_monotonic_ms() < end);
        client_turn(first, 20);
        client_turn(second, 20);
    }
    assert_false(first->lost);
    assert_int_equal(first->revoked_count, 2);
    for (int i = 0; i < 10; i++) {
        client_turn(first, 5);
        client_turn(second, 5);
        assert_int_equal(offered_count(second), 0);
    }
    /* A commit in the middle of a rebalance may be refused; then it is sent again, as the epochs do. */
    end = clock_monotonic_ms() + WAIT_MS;
    do {
        assert_true(clock_monotonic_ms() < end);
        commit_all(first, "settled");
        assert_true(first->commit_error.kind == ERROR_NONE || first->commit_error.kind == ERROR_RETRY);
    } while (first->commit_error.kind != ERROR_NONE);
    first->source->ops->release(first->source, first->revoked, 1);
    client_turn(first, 5);
    assert_int_equal(offered_count(second), 0);
    first->source->ops->release(first->source, first->revoked + 1, 1);
    end = clock_monotonic_ms() + WAIT_MS;
    while (offered_count(second) < 2) {
        assert_true(clock_monotonic_ms() < end);
        client_turn(first, 20);
        client_turn(second, 20);
    }
    for (int i = 0; i < PARTITIONS; i++) {
        if (second->is_offered[i]) {
            assert_true(second->offered[i].committed);
            assert_string_equal(second->notes[i], "settled");
        }
    }
    produce(&cluster, 400, 400);
    end = clock_monotonic_ms() + WAIT_MS;
    while (first->total + second->total < 800) {
        assert_true(clock_monotonic_ms() < end);
        client_turn(first, 20);
        client_turn(second, 20);
    }
    assert_int_equal(first->total, 600);
    assert_int_equal(second->total, 200);
    client_close(second, true);
    client_close(first, true);
    cluster_stop(&cluster);
}

static void test_missing_topic(void **state)
{
    struct cluster cluster;
    struct client *client;
    struct error error;
    unsigned partitions = 0;

    (void)state;
    cluster_start(&cluster);
    client = client_open(&cluster, START_EARLIEST);
    assert_true(kafka_source_probe(&client->job, WAIT_MS, &partitions, &error));
    assert_int_equal(partitions, PARTITIONS);
    client_close(client, false);

    assert_int_equal(rd_kafka_mock_topic_delete(cluster.mock, "orders"), 0);
    /* The mock creates what it is asked for, unless the topic has an error. */
    rd_kafka_mock_topic_set_error(cluster.mock, "orders", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->errors > 0);
    assert_int_equal(client->error.kind, ERROR_FATAL);
    assert_non_null(strstr(client->error.text, "orders"));
    assert_false(client->ready);
    assert_false(kafka_source_probe(&client->job, 2000, &partitions, &error));
    assert_int_equal(error.kind, ERROR_FATAL);
    cluster_leave(&cluster, client);
}

/* What librdkafka demands of the sizes of a fetch towards each other holds whichever of them a job sets. */
static void test_fetch_sizes(void **state)
{
    static const struct {
        const char *name, *value;
        int64_t prefetch;
    } cases[] = {
        {"message.max.bytes", "10000000", 0},      {"message.max.bytes", "10000000", 32 << 20},
        {"receive.message.max.bytes", "1100000", 0}, {"receive.message.max.bytes", "1100000", 32 << 20},
        {"fetch.max.bytes", "1500000", 0},         {"max.partition.fetch.bytes", "3000000", 0},
        {"fetch.max.bytes", "99000000", 4 << 20},
    };
    struct cluster cluster;

    (void)state;
    cluster_start(&cluster);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client *client = client_make(&cluster, START_EARLIEST);
        struct job_property property = {.name = (char *)cases[i].name, .value = (char *)cases[i].value};
        unsigned partitions = 0;
        struct error error;

        client->job.source.properties = &property;
        client->job.source.property_count = 1;
        client->job.source.prefetch = cases[i].prefetch;
        if (!kafka_source_probe(&client->job, WAIT_MS, &partitions, &error))
            fail_msg("%s=%s prefetch=%lld: %s", cases[i].name, cases[i].value, (long long)cases[i].prefetch, error.text);
        assert_int_equal(partitions, PARTITIONS);
        free(client);
    }
    cluster_stop(&cluster);
}

static void test_gap(void **state)
{
    struct cluster cluster;
    struct client *client;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 400);
    client = client_open(&cluster, START_EARLIEST);
    client->assign_at_once = false;
    WAIT_FOR(client, offered_count(client) == PARTITIONS);
    /* The log moves on after the offer. */
    assert_int_equal(rd_kafka_mock_partition_delete_records(cluster.mock, "orders", 2, 60), 0);
    client->source->ops->assign(client->source, client->offered, PARTITIONS);
    WAIT_FOR(client, client->gaps > 0 && client->total >= 300);
    assert_int_equal(client->gap_first, 0);
    assert_int_equal(client->gap_end, 60);
    assert_int_equal(client->total, 300);
    client->source->ops->seek(client->source, 2, client->gap_end);
    WAIT_FOR(client, client->total >= 340);
    assert_int_equal(client->total, 340);
    assert_int_equal(client->gaps, 1);
    cluster_leave(&cluster, client);
}

static void test_headers(void **state)
{
    struct cluster cluster;
    struct client *client;
    char value[] = "0";
    rd_kafka_resp_err_t code;

    (void)state;
    cluster_start(&cluster);
    code = rd_kafka_producev(cluster.rk, RD_KAFKA_V_TOPIC("orders"), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(value, 1),
                             RD_KAFKA_V_HEADER("a\"b", "x", 1), RD_KAFKA_V_HEADER("n", NULL, 0),
                             RD_KAFKA_V_HEADER("a\"b", "\xff\xfe", 2), RD_KAFKA_V_HEADER("e", "", 0), RD_KAFKA_V_END);
    assert_int_equal(code, 0);
    assert_int_equal(rd_kafka_flush(cluster.rk, WAIT_MS), 0);
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->total >= 1);
    assert_string_equal(client->headers, "[[\"a\\\"b\",\"x\"],[\"n\",null],[\"a\\\"b\",\"//4=\"],[\"e\",\"\"]]");
    cluster_leave(&cluster, client);
}

/* A refused commit is read back: the answer tells what the broker has, not what became of the request. */
static void test_commit_refused(void **state)
{
    struct cluster cluster;
    struct client *client = cluster_read(&cluster, DELIVERY_AT_LEAST_ONCE, 40);

    (void)state;
    commit_against(&cluster, client, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, "one");
    assert_int_equal(client->commit_error.kind, ERROR_RETRY);
    client_close(client, true);

    /* Refused, but what it would have stored is there: committed before, by the first try. The reading is disturbed as well. */
    client = client_open(&cluster, START_EARLIEST);
    WAIT_FOR(client, client->total >= 40);
    commit_all(client, "two");
    assert_int_equal(client->commit_error.kind, ERROR_NONE);
    rd_kafka_mock_push_request_errors(cluster.mock, OFFSET_FETCH_KEY, 1, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    commit_against(&cluster, client, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, "two");
    assert_int_equal(client->commit_error.kind, ERROR_NONE);

    WAIT_FOR(client, client->lost && offered_count(client) == PARTITIONS); /* the refusal had put it out of the group */
    commit_against(&cluster, client, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, "three");
    assert_int_equal(client->commit_error.kind, ERROR_RETRY);
    assert_int_equal(client->error.kind, ERROR_FATAL);
    cluster_leave(&cluster, client);
}

/* A hub that has enough for now does not fetch: its descriptor must not keep waking it, and the news must not be forgotten. */
static void test_step_empties_the_descriptor(void **state)
{
    struct cluster cluster;
    struct client *client = cluster_read(&cluster, DELIVERY_AT_LEAST_ONCE, 40);
    struct pollfd descriptor = {.events = POLLIN};

    (void)state;
    assert_true(client->source->ops->deadline(client->source) > 0);
    produce(&cluster, 40, 40);
    descriptor.fd = client->source->ops->descriptor(client->source);
    assert_int_equal(poll(&descriptor, 1, WAIT_MS), 1);
    client->source->ops->step(client->source, clock_monotonic_ms());
    assert_int_equal(poll(&descriptor, 1, 0), 0);
    assert_int_equal(client->source->ops->deadline(client->source), 0);
    WAIT_FOR(client, client->total >= 80);
    cluster_leave(&cluster, client);
}

/* Down at the start and later: told once, and once more when it is over; nothing is lost or repeated. */
/* The session outlives the outages, however slow the machine is: partitions that are lost are read again, which is another test. */
static void test_broker_down(void **state)
{
    static struct job_property patient[] = {{.name = (char *)"session.timeout.ms", .value = (char *)"60000"}};
    struct cluster cluster;
    struct client *client;
    unsigned errors;

    (void)state;
    cluster_start(&cluster);
    produce(&cluster, 0, 40);
    rd_kafka_mock_broker_set_down(cluster.mock, -1);
    client = client_make(&cluster, START_EARLIEST);
    client->job.source.properties = patient;
    client->job.source.property_count = COUNT_OF(patient);
    client_start(client);
    WAIT_FOR(client, client->errors > 0);
    assert_int_equal(client->error.kind, ERROR_RETRY);
    for (int i = 0; i < 20; i++)
        client_turn(client, 50);
    assert_int_equal(client->errors, 1);
    rd_kafka_mock_broker_set_up(cluster.mock, -1);
    WAIT_FOR(client, client->total >= 40);
    errors = client->errors;
    assert_int_equal(errors, 2);
    rd_kafka_mock_broker_set_down(cluster.mock, -1);
    WAIT_FOR(client, client->errors > errors);
    assert_int_equal(client->error.kind, ERROR_RETRY);
    rd_kafka_mock_broker_set_up(cluster.mock, -1);
    WAIT_FOR(client, client->errors > errors + 1); /* with nothing to read */
    produce(&cluster, 40, 40);
    WAIT_FOR(client, client->total >= 80);
    all_seen_once(client, 0, 80);
    cluster_leave(&cluster, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch_sizes),
        cmocka_unit_test(test_properties),     cmocka_unit_test(test_life),          cmocka_unit_test(test_latest),
        cmocka_unit_test(test_start_offsets),  cmocka_unit_test(test_start_offsets_are_for_the_first_run),
        cmocka_unit_test(test_pause_and_seek), cmocka_unit_test(test_rebalance),     cmocka_unit_test(test_missing_topic),
        cmocka_unit_test(test_gap),            cmocka_unit_test(test_headers),       cmocka_unit_test(test_commit_refused),
        cmocka_unit_test(test_broker_down),    cmocka_unit_test(test_step_empties_the_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
