/* sink_quota_test.c: sliding windows, shares, and when an epoch is flushed so that the windows last. */
#include "sink/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { WINDOW_MS = 301 * 1000, COMMIT_WINDOW_MS = 16 * 1000, MIB = 1 << 20 };

static void use(struct quota *quota, enum quota_kind kind, unsigned count, int64_t now_ms)
{
    for (unsigned i = 0; i < count; i++)
        quota_use(quota, kind, now_ms);
}

static void test_limits_and_shares(void **state UNUSED)
{
    static const struct {
        unsigned share, sessions, blocks, commits, at_once;
    } cases[] = {{100, 500, 500, 75, 32}, {33, 165, 165, 24, 10}, {1, 5, 5, 1, 1}, {50, 250, 250, 37, 16}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct quota quota;

        quota_init(&quota, cases[i].share);
        assert_int_equal(quota_left(&quota, QUOTA_SESSIONS, 0), cases[i].sessions);
        assert_int_equal(quota_left(&quota, QUOTA_BLOCKS, 0), cases[i].blocks);
        assert_int_equal(quota_left(&quota, QUOTA_COMMITS, 0), cases[i].at_once);
        assert_int_equal(quota_limit(QUOTA_COMMITS, cases[i].share), cases[i].commits);
    }
}

static void test_windows_slide(void **state UNUSED)
{
    /* After 300 sessions at 0 and 200 at 100 s. */
    static const struct {
        int64_t now_ms;
        unsigned left;
        int64_t next_ms;
    } cases[] = {
        {100000, 0, WINDOW_MS},
        {WINDOW_MS - 1, 0, WINDOW_MS},
        {WINDOW_MS, 300, WINDOW_MS},
        {WINDOW_MS + 99999, 300, WINDOW_MS + 99999},
        {WINDOW_MS + 100000, 500, WINDOW_MS + 100000},
    };
    struct quota quota;

    quota_init(&quota, 100);
    use(&quota, QUOTA_SESSIONS, 300, 0);
    use(&quota, QUOTA_SESSIONS, 200, 100000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(quota_left(&quota, QUOTA_SESSIONS, cases[i].now_ms), cases[i].left);
        assert_int_equal(quota_next(&quota, QUOTA_SESSIONS, cases[i].now_ms), cases[i].next_ms);
    }
    assert_int_equal(quota_left(&quota, QUOTA_BLOCKS, 100000), 500); /* each kind for itself */
    use(&quota, QUOTA_SESSIONS, 1000, 500000); /* more than the limit: the newest count */
    assert_int_equal(quota_next(&quota, QUOTA_SESSIONS, 500000), 500000 + WINDOW_MS);
}

static void test_commits_at_once(void **state UNUSED)
{
    struct quota quota;

    quota_init(&quota, 100);
    use(&quota, QUOTA_COMMITS, 32, 0);
    assert_int_equal(quota_left(&quota, QUOTA_COMMITS, 0), 0);
    assert_true(quota_next(&quota, QUOTA_COMMITS, 0) == INT64_MAX);
    for (unsigned i = 0; i < 32; i++)
        quota_commit_end(&quota);
    assert_int_equal(quota_left(&quota, QUOTA_COMMITS, 1), 32);
    use(&quota, QUOTA_COMMITS, 32, 1);
    for (unsigned i = 0; i < 32; i++)
        quota_commit_end(&quota);
    assert_int_equal(quota_left(&quota, QUOTA_COMMITS, 2), 11); /* 75 in 15 s */
    use(&quota, QUOTA_COMMITS, 11, 2);
    for (unsigned i = 0; i < 11; i++)
        quota_commit_end(&quota);
    assert_int_equal(quota_next(&quota, QUOTA_COMMITS, 2), COMMIT_WINDOW_MS);
}

/* Never more than the limit in any window, whatever is asked for. */
static void test_no_window_is_overrun(void **state UNUSED)
{
    static int64_t sent[4000];
    struct quota quota;
    size_t count = 0;
    int64_t now_ms = 0;

    quota_init(&quota, 20);
    while (count < COUNT_OF(sent)) {
        int64_t at_ms = quota_next(&quota, QUOTA_BLOCKS, now_ms);

        now_ms = int64_max(now_ms + (int64_t)(count * 7919 % 1000), at_ms);
        quota_use(&quota, QUOTA_BLOCKS, now_ms);
        sent[count++] = now_ms;
        if (count > 100)
            assert_true(now_ms - sent[count - 101] >= WINDOW_MS);
    }
}

static const struct quota_demand demand = {.flush_interval_ms = 5000, .partitions_open = 32, .flush_bytes = 16 * MIB};

static void test_sentences(void **state UNUSED)
{
    static const struct {
        unsigned share;
        enum quota_kind kind;
        const char *text;
        bool early;
    } cases[] = {
        {100, QUOTA_SESSIONS,
         "sessions: 500 in 5 minutes are used (the service takes 500 for a table); flushes come early, because more than 32 table partitions "
         "are written at a time; raise target.partitions_open_max",
         true},
        {100, QUOTA_SESSIONS,
         "sessions: 500 in 5 minutes are used (the service takes 500 for a table); runtime.flush_interval 5s with 32 open partitions asks "
         "for up to 1920; raise runtime.flush_interval or lower target.partitions_open_max", false},
        {50, QUOTA_BLOCKS,
         "blocks: 250 in 5 minutes are used (the service takes 500 for a table, target.quota_share is 50); blocks of 16384 KiB "
         "(runtime.flush_bytes) let through 13653 KiB/s at most; raise runtime.flush_bytes (and runtime.flush_interval, where blocks are "
         "not full), or raise target.quota_share where other processes leave room", false},
        {100, QUOTA_COMMITS,
         "commits: 75 in 15 seconds are used (the service takes 75 for a table); runtime.flush_interval 5s with 32 open partitions asks "
         "for too many at once; raise runtime.flush_interval or lower target.partitions_open_max", false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[QUOTA_TEXT_MAX];
        struct quota_demand asked = demand;
        struct quota quota;

        asked.early = cases[i].early;
        quota_init(&quota, cases[i].share);
        quota_describe(&quota, cases[i].kind, &asked, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_when_to_flush(void **state UNUSED)
{
    static const struct {
        const char *what;
        unsigned used;       /* sessions and blocks, at 0 */
        int64_t now_ms;
        struct quota_epoch epoch;
        int64_t flush_ms;
    } cases[] = {
        {"a fresh window", 0, 1000, {.opened_ms = 1000, .partitions = 32}, 6000},
        {"half is left", 200, 1000, {.opened_ms = 1000, .partitions = 32}, 6000},
        {"less than half is left: 200 for 294 s are 14 s for one epoch of 10", 300, 2000, {.opened_ms = 2000, .partitions = 10},
         2000 + 10 * (WINDOW_MS - 7000) / 200},
        {"the same again when that time has come", 300, 17000, {.opened_ms = 2000, .partitions = 10}, 7000},
        {"not enough is left for this epoch", 490, 1000, {.opened_ms = 1000, .partitions = 32}, WINDOW_MS},
        {"nothing is left", 500, 1000, {.opened_ms = 1000, .partitions = 1}, WINDOW_MS},
        {"its sessions are open already, but blocks are needed", 500, 1000, {.opened_ms = 1000, .partitions = 3, .sessions_made = 3},
         WINDOW_MS},
        {"no row yet", 500, 1000, {.opened_ms = 1000}, 6000},
        {"the old ones are gone", 500, WINDOW_MS, {.opened_ms = WINDOW_MS - 10000, .partitions = 32}, WINDOW_MS - 5000},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct quota_plan plan;
        struct quota quota;

        quota_init(&quota, 100);
        use(&quota, QUOTA_SESSIONS, cases[i].used, 0);
        use(&quota, QUOTA_BLOCKS, cases[i].used, 0);
        plan = quota_plan(&quota, &demand, &cases[i].epoch, cases[i].now_ms);
        if (plan.flush_ms != cases[i].flush_ms)
            fail_msg("%s: %lld", cases[i].what, (long long)plan.flush_ms);
    }
    assert_int_equal(quota_plan(NULL, &demand, &cases[0].epoch, 1000).flush_ms, 6000);
}

/* An hour of a job that asks for four times of what there is: no flush finds its window empty, and no pause is longer than a minute,
 * where flushing every 5 s until the window is used up makes one of nearly four. */
static void test_an_hour_of_too_much(void **state UNUSED)
{
    struct quota quota;
    int64_t now_ms = 0, longest_ms = 0, last_ms = 0;

    quota_init(&quota, 100);
    while (now_ms < 3600 * 1000) {
        struct quota_epoch epoch = {.opened_ms = now_ms, .partitions = 32};
        struct quota_plan plan = quota_plan(&quota, &demand, &epoch, now_ms);

        while (plan.flush_ms > now_ms) {
            now_ms = int64_min(now_ms + 500, plan.flush_ms);
            plan = quota_plan(&quota, &demand, &epoch, now_ms);
        }
        assert_true(quota_left(&quota, QUOTA_SESSIONS, now_ms) >= 32);
        use(&quota, QUOTA_SESSIONS, 32, now_ms);
        use(&quota, QUOTA_BLOCKS, 32, now_ms);
        longest_ms = int64_max(longest_ms, now_ms - last_ms);
        last_ms = now_ms;
    }
    if (longest_ms > 60000)
        fail_msg("a pause of %lld ms", (long long)longest_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_and_shares),
        cmocka_unit_test(test_windows_slide),
        cmocka_unit_test(test_commits_at_once),
        cmocka_unit_test(test_no_window_is_overrun),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_when_to_flush),
        cmocka_unit_test(test_an_hour_of_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
