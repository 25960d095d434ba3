/* replay_test.c: the memory source keeps the same promises as Kafka: order, offsets, nothing twice, END once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#include "source/replay.h"

enum { ROOM = 100 };

static struct source *source_open(const struct message *records, size_t count, unsigned partitions, unsigned rounds)
{
    struct replay_options options = {.records = records, .count = count, .partitions = partitions, .rounds = rounds};
    struct source *source = replay_source_new(&options);
    struct source_event event;

    assert_true(source->ops->start(source, NULL));
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.kind, SOURCE_READY);
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.kind, SOURCE_ASSIGN);
    assert_int_equal(event.count, partitions);
    source->ops->assign(source, event.partitions, event.count);
    return source;
}

static void test_all_records(void **state)
{
    static const struct {
        const char *what;
        size_t count;
        unsigned partitions, rounds;
    } cases[] = {
        {"one partition, one round", 10, 1, 1},
        {"more partitions than records", 3, 5, 2},
        {"uneven partitions, several rounds", 1003, 4, 3},
        {"no record at all", 0, 2, 1},
    };

    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct message *records = calloc(cases[c].count + 1, sizeof(*records));
        int64_t next[8] = {0};
        struct message messages[ROOM];
        int32_t partitions[ROOM];
        void *handles[ROOM];
        struct source_event event;
        struct source *source;
        size_t total = 0;
        uint32_t got;

        for (size_t i = 0; i < cases[c].count; i++)
            records[i].timestamp_ms = (int64_t)i;
        source = source_open(records, cases[c].count, cases[c].partitions, cases[c].rounds);
        while ((got = source->ops->fetch(source, messages, partitions, handles, ROOM)) > 0) {
            for (uint32_t i = 0; i < got; i++) {
                int32_t p = partitions[i];
                int64_t per_round = (int64_t)(cases[c].count / cases[c].partitions + ((size_t)p < cases[c].count % cases[c].partitions));

                assert_int_equal(messages[i].offset, next[p]);
                assert_int_equal(messages[i].timestamp_ms, next[p] % per_round * cases[c].partitions + p);
                next[p]++;
            }
            source->ops->release_handles(handles, got);
            total += got;
        }
        if (total != cases[c].count * cases[c].rounds)
            fail_msg("%s: %zu records", cases[c].what, total);
        assert_true(source->ops->next(source, &event));
        assert_int_equal(event.kind, SOURCE_END);
        assert_false(source->ops->next(source, &event));
        assert_int_equal(source->ops->fetch(source, messages, partitions, handles, ROOM), 0);
        assert_false(source->ops->next(source, &event)); /* END is said once */
        assert_true(source->ops->deadline(source) == INT64_MAX);
        source->ops->stop(source, 0);
        source->ops->free(source);
        free(records);
    }
}

static void test_pause_seek_commit(void **state)
{
    struct message records[20] = {{.offset = 0}};
    struct source *source = source_open(records, COUNT_OF(records), 2, 1);
    struct source_partition commit = {.partition = 1, .offset = 7, .metadata = STR("note")};
    struct message messages[ROOM];
    int32_t partitions[ROOM];
    void *handles[ROOM];
    struct source_event event;
    struct source_lag lags[4];

    (void)state;
    assert_int_equal(source->ops->lag(source, lags, 4), 2);
    assert_int_equal(lags[1].end_offset, 10);
    source->ops->pause(source);
    assert_int_equal(source->ops->fetch(source, messages, partitions, handles, ROOM), 0);
    source->ops->resume(source);
    assert_int_equal(source->ops->fetch(source, messages, partitions, handles, ROOM), 20);
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.kind, SOURCE_END);

    /* A rewind gives the tail again, and another end. */
    source->ops->seek(source, 1, 8);
    assert_int_equal(source->ops->fetch(source, messages, partitions, handles, ROOM), 2);
    assert_int_equal(messages[0].offset, 8);
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.kind, SOURCE_END);

    assert_false(replay_committed(source, 1).committed);
    source->ops->commit(source, &commit, 1);
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.kind, SOURCE_COMMITTED);
    assert_int_equal(event.error.kind, ERROR_NONE);
    assert_int_equal(replay_committed(source, 1).offset, 7);
    assert_true(str_is(replay_committed(source, 1).metadata, "note"));
    source->ops->free(source);
}

/* Records of a sample: partitions and offsets of their own, with holes, an empty partition, and a rewind into a hole. */
static void test_own_places(void **state)
{
    static const struct message records[] = {{.offset = 12}, {.offset = 5}, {.offset = 13}, {.offset = 40}, {.offset = 7}};
    static const int32_t partition_of[] = {2, 0, 2, 2, 0};
    static const int64_t expected[3][3] = {{5, 7}, {0}, {12, 13, 40}};
    struct replay_options options = {.records = records, .count = COUNT_OF(records), .partitions = 3, .partition_of = partition_of};
    struct source *source = replay_source_new(&options);
    size_t counts[3] = {0};
    struct message messages[ROOM];
    int32_t partitions[ROOM];
    void *handles[ROOM];
    struct source_event event;

    (void)state;
    assert_true(source->ops->start(source, NULL));
    assert_true(source->ops->next(source, &event));
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.count, 3);
    assert_int_equal(event.partitions[0].offset, 5);
    assert_int_equal(event.partitions[1].offset, 0);
    assert_int_equal(event.partitions[2].offset, 12);
    source->ops->assign(source, event.partitions, event.count);
    assert_int_equal(source->ops->fetch(source, messages, partitions, handles, 3), 3); /* no room for all */
    assert_int_equal(source->ops->deadline(source), 0);
    assert_int_equal(source->ops->fetch(source, messages + 3, partitions + 3, handles, ROOM - 3), 2);
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        assert_int_equal(messages[i].offset, expected[partitions[i]][counts[partitions[i]]]);
        counts[partitions[i]]++;
    }
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.kind, SOURCE_END);
    assert_true(source->ops->deadline(source) == INT64_MAX);
    source->ops->seek(source, 2, 14);
    assert_int_equal(source->ops->fetch(source, messages, partitions, handles, ROOM), 1);
    assert_int_equal(messages[0].offset, 40);
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.kind, SOURCE_END);
    source->ops->free(source);
}

static void test_resume(void **state)
{
    struct message records[10] = {{.offset = 0}};
    struct source_partition committed = {.partition = 0, .offset = 9, .metadata = STR("before")};
    struct replay_options options = {.records = records, .count = 10, .committed = &committed, .committed_count = 1};
    struct source *source = replay_source_new(&options);
    struct message messages[ROOM];
    int32_t partitions[ROOM];
    void *handles[ROOM];
    struct source_event event;

    (void)state;
    assert_true(source->ops->start(source, NULL));
    assert_true(source->ops->next(source, &event));
    assert_true(source->ops->next(source, &event));
    assert_int_equal(event.partitions[0].offset, 9);
    assert_true(event.partitions[0].committed);
    assert_true(str_is(event.partitions[0].metadata, "before"));
    source->ops->assign(source, event.partitions, event.count);
    assert_int_equal(source->ops->fetch(source, messages, partitions, handles, ROOM), 1);
    source->ops->free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_records),
        cmocka_unit_test(test_pause_seek_commit),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_own_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
