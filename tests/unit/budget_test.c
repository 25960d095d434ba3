/* budget_test.c: what a job may take, and what does not go together. */
#include "pipeline/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MIB(n) ((int64_t)(n) << 20)

static char path_text[] = "job.yaml", name_text[] = "orders", project_text[] = "p", table_text[] = "t", day_text[] = "day", format_text[] = "yyyyMMdd";
static struct job_partition day = {.name = day_text, .kind = PARTITION_TIME, .format = format_text};

/* The defaults of the option tables, with one partition column. */
static struct job job_make(void)
{
    struct job job = {
        .path = path_text,
        .name = name_text,
        .target = {.maxcompute = {.project = project_text}, .table = table_text, .partitions = &day, .partition_count = 1, .partitions_open_max = 32,
                   .quota_share = 100},
        .runtime = {.workers = 1, .batch_rows = 1024, .flush_interval_ms = 60000, .flush_bytes = MIB(16), .memory_max = MIB(256),
                    .uploads_in_flight = 4, .lua_memory_max = MIB(64)},
    };

    return job;
}

static void test_the_defaults(void **state UNUSED)
{
    struct job job = job_make();
    struct buffer text;
    struct budget all;

    buffer_init(&text, 0);
    budget(&all, &job);
    assert_int_equal(all.prefetch, MIB(32));
    assert_int_equal(all.batches + all.chunks + all.blocks, MIB(128));
    assert_int_equal(all.sum, all.prefetch + all.batches + all.chunks + all.blocks + all.lua + all.fixed);
    assert_true(all.sum <= all.memory_max);
    assert_int_equal(all.quota_rate, 500 * MIB(16) / 300);
    assert_int_equal(all.wire_rate, 40000000);
    budget_print(&all, &job, 0, &text);
    assert_string_equal(
        buffer_text(&text),
        "memory: at most, of runtime.memory_max (256.0 MiB); at 128.0 MiB of batches, chunks and blocks together the source is held back\n"
        "  prefetch             32.0 MiB\n"
        "  batches in work       6.0 MiB\n"
        "  open chunks          58.0 MiB\n"
        "  blocks in flight     64.0 MiB\n"
        "  Lua                  64.0 MiB\n"
        "  fixed                24.0 MiB\n"
        "  sum                 248.0 MiB\n"
        "  beside the sum, a reload may take 196.0 MiB until the new code is proven\n"
        "rate: 500 blocks of 16.0 MiB in 5 minutes are 26.7 MiB/s before compression; 4 blocks at once, each written at 10 MB/s, are "
        "40 MB/s as they are sent\n"
        "sessions: 32 table partitions every 60 s ask for up to 160 in 5 minutes; the limit is 500\n");
    buffer_clear(&text);
    job.delivery = DELIVERY_EXACTLY_ONCE;
    job.target.quota_share = -1;
    job.target.partition_count = 0;
    job.runtime.flush_interval_ms = 500;
    budget(&all, &job);
    budget_print(&all, &job, 1000, &text);
    assert_non_null(strstr(buffer_text(&text), "rate: target.quota_share is unlimited; 4 blocks"));
    assert_non_null(strstr(buffer_text(&text), "sessions: 1 table partition every 500 ms asks for up to 600 in 5 minutes\n"));
    assert_non_null(strstr(buffer_text(&text), "(the topic has 1000; a process that holds more flushes earlier)\n"));
    buffer_release(&text);
}

/* What is said, and whether it is a mistake. */
static void test_what_does_not_go_together(void **state UNUSED)
{
    static char long_name[] = "a_partition_column_whose_name_takes_nearly_all_of_the_room_there_is_for_it_in_the_record_of_an_epoch_123456789";
    static struct job_partition many[] = {
        {.name = long_name, .kind = PARTITION_FIELD}, {.name = long_name, .kind = PARTITION_FIELD},
        {.name = long_name, .kind = PARTITION_FIELD}, {.name = long_name, .kind = PARTITION_FIELD}};
    static struct job_partition huge[32];
    struct job defaults = job_make(), cases[10];
    static const char *const said[] = {
        NULL,
        "runtime.memory_max: 256 MiB are less than the 632 MiB that the job may take; raise it, or lower runtime.lua.memory_max (64 MiB "
        "for each of 7 workers)",
        "but 64 blocks in flight of 16.0 MiB and the batches in work take 1030 MiB",
        "32 table partitions every 5 s ask for up to 1920 upload sessions in 5 minutes, and 500 may be made; flushes come later then. Raise "
        "it to 20s, or lower target.partitions_open_max",
        "ask for up to 160 upload sessions in 5 minutes, and 50 may be made; flushes come later then. Raise it to 192s",
        "1 table partitions every 100 ms ask for up to 3000 upload sessions in 5 minutes",
        NULL,
        "target.partitions_open_max: with delivery: exactly_once an epoch can name about 5 table partitions of this job in the 4096 bytes "
        "beside a Kafka offset; lower it from 32 to 5",
        NULL,
        "cannot name a single table partition",
    };
    static const bool mistake[] = {[7] = true, [9] = true};

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cases[i] = defaults;
    for (size_t i = 0; i < COUNT_OF(huge); i++)
        huge[i] = many[0];
    cases[1].runtime.workers = 7;
    cases[2].runtime.uploads_in_flight = 64;
    cases[3].runtime.flush_interval_ms = 5000;
    cases[4].target.quota_share = 10;
    cases[5].target.partition_count = 0;
    cases[5].runtime.flush_interval_ms = 100;
    cases[6].target.quota_share = -1;
    cases[6].runtime.flush_interval_ms = 100;
    for (size_t i = 7; i < 10; i++) {
        cases[i].delivery = DELIVERY_EXACTLY_ONCE;
        cases[i].target.partitions = i == 9 ? huge : many;
        cases[i].target.partition_count = i == 9 ? COUNT_OF(huge) : COUNT_OF(many);
    }
    cases[7].target.partitions_open_max_at = (struct location){"job.yaml", 7, 3};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct report *report = report_new();
        struct buffer text;
        struct budget all;

        buffer_init(&text, 0);
        budget(&all, &cases[i]);
        budget_check(&all, &cases[i], report);
        report_print(report, &text);
        if ((said[i] != NULL) != (text.size > 0) || (said[i] && !strstr(buffer_text(&text), said[i])) ||
            (report_mistakes(report) > 0) != (i < COUNT_OF(mistake) && mistake[i]))
            fail_msg("case %zu: %u mistakes: %s", i, report_mistakes(report), buffer_text(&text));
        buffer_release(&text);
        report_free(report);
    }
}

/* With one column of the calendar a record has room for the default of 32 partitions. */
static void test_records(void **state UNUSED)
{
    struct job job = job_make();
    struct budget all;

    budget(&all, &job);
    assert_true(all.record_partitions >= 32 && all.record_partitions <= 40);
    assert_true(all.record_covers >= 1);
    job.target.partitions_open_max = 1;
    budget(&all, &job);
    assert_true(all.record_covers >= 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults),
        cmocka_unit_test(test_what_does_not_go_together),
        cmocka_unit_test(test_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
