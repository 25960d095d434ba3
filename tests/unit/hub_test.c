/* hub_test.c: the hub, workers, gather and epochs together, against a scripted source and a sink that decodes what it gets.
 * Also run under the thread sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pipeline/work.h"
#include "support/hub_bed.h"

static void every_number_arrives_once_with_any_number_of_workers(void **state UNUSED)
{
    static const int workers[] = {0, 1, 2, 5};

    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        struct run *run = open_run(&(struct setup){.workers = workers[i]}, 2000);
        const struct counts *counts = hub_counts(run->hub);

        go(run);
        expect_ok(run);
        counts = hub_counts(run->hub);
        expect_each_once(run, 2000 * SCRIPT_PARTITIONS);
        assert_int_equal(counts->read, 2000 * SCRIPT_PARTITIONS);
        assert_int_equal(counts->written, counts->read);
        for (int p = 0; p < SCRIPT_PARTITIONS; p++) {
            assert_int_equal(run->source->committed[p], 2000);
            assert_non_null(strstr(run->source->metadata[p], " ledger=2000,2000,0,0,0 "));
        }
        close_run(run);
    }
}

static void a_partition_that_was_read_goes_on_where_it_was_and_its_ledger_too(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 1}, 500);
    struct run *again = open_run(&(struct setup){.workers = 1}, 800);

    go(run);
    expect_ok(run);
    for (int p = 0; p < SCRIPT_PARTITIONS; p++) {
        again->source->committed[p] = run->source->committed[p];
        strcpy(again->source->metadata[p], run->source->metadata[p]);
    }
    go(again);
    expect_ok(again);
    assert_int_equal(again->sink->rows, 300 * SCRIPT_PARTITIONS);
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        assert_non_null(strstr(again->source->metadata[p], " ledger=800,800,0,0,0 "));
    close_run(run);
    close_run(again);
}

static void a_refused_commit_is_sent_again(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 1}, 200);

    run->source->refuse_commits = 2; /* the first one is an anchor */
    go(run);
    expect_ok(run);
    expect_each_once(run, 200 * SCRIPT_PARTITIONS);
    assert_int_equal(run->source->commits, 4);
    close_run(run);
}

static void exactly_once_gives_the_same_rows(void **state UNUSED)
{
    static const int workers[] = {0, 1, 3};

    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        struct run *run =
            open_run(&(struct setup){.workers = workers[i], .delivery = DELIVERY_EXACTLY_ONCE, .flush_ms = 100, .open_max = 2}, 2000);

        go(run);
        expect_ok(run);
        expect_each_once(run, 2000 * SCRIPT_PARTITIONS);
        for (int p = 0; p < SCRIPT_PARTITIONS; p++) {
            assert_int_equal(run->source->committed[p], 2000);
            assert_non_null(strstr(run->source->metadata[p], " ledger=2000,2000,0,0,0 crc="));
        }
        close_run(run);
    }
}

/* Every batch goes to more table partitions than one record can name: it is cut at records, and its stages run once. */
static void a_batch_that_is_too_wide_for_one_epoch_is_cut(void **state UNUSED)
{
    for (int workers = 0; workers < 3; workers += 2) {
        struct run *run =
            open_run(&(struct setup){.workers = workers, .delivery = DELIVERY_EXACTLY_ONCE, .batch_rows = 1000, .open_max = 512}, 1500);

        run->source->spread = run->sink->spread = 300;
        go(run);
        expect_ok(run);
        expect_each_once(run, 1500 * SCRIPT_PARTITIONS);
        assert_int_equal(metric_get(run->stats.processed), 1500 * SCRIPT_PARTITIONS);
        assert_true(metric_get(run->stats.epochs) >= 8);
        assert_int_equal(metric_get(run->stats.dropped), 0);
        for (int p = 0; p < SCRIPT_PARTITIONS; p++)
            assert_non_null(strstr(run->source->metadata[p], " ledger=1500,1500,0,0,0 crc="));
        close_run(run);
    }
}

/* The first process ends while its commits are not answered, with or without effect; the second one finds what is prepared, and
 * every number is there once. */
static void a_process_that_ends_between_prepare_and_finish_doubles_nothing(void **state UNUSED)
{
    static const enum checked_commits modes[] = {CHECKED_COMMITS_UNANSWERED, CHECKED_COMMITS_HELD};

    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct checked_service *service = checked_service_new();
        struct setup setup = {.workers = 1, .delivery = DELIVERY_EXACTLY_ONCE, .service = service, .flush_ms = 100};
        struct run *first = open_run(&setup, 500), *second = open_run(&setup, 800);

        first->sink->commits_mode = modes[i];
        first->source->fail_when_prepared = true;
        first->source->end_when_empty = false;
        go(first);
        assert_false(first->ok);
        for (int p = 0; p < SCRIPT_PARTITIONS; p++) {
            second->source->committed[p] = first->source->committed[p];
            strcpy(second->source->metadata[p], first->source->metadata[p]);
        }
        go(second);
        expect_ok(second);
        assert_true(second->sink->adopted > 0);
        for (int64_t n = 0; n < 800 * SCRIPT_PARTITIONS; n++)
            assert_int_equal(service->seen[n], 1);
        for (int p = 0; p < SCRIPT_PARTITIONS; p++)
            assert_non_null(strstr(second->source->metadata[p], " ledger=800,800,0,0,0 crc="));
        close_run(first);
        close_run(second);
        checked_service_free(service);
    }
}

/* A job that is asked to stop says whether everything that it had read is in the target. */
static void a_stop_that_had_to_give_rows_up_says_so(void **state UNUSED)
{
    for (int lost = 0; lost < 2; lost++) {
        struct run *run = open_run(&(struct setup){.delivery = DELIVERY_EXACTLY_ONCE, .records_max = 400}, 1000);

        run->source->lose_when_given = lost ? 400 : 0;
        run->sink->hold_until_ms = clock_monotonic_ms() + 200; /* so that nothing is committed before */
        go(run);
        expect_ok(run);
        assert_int_equal(hub_undone(run->hub), lost);
        assert_int_equal(hub_counts(run->hub)->read, lost ? 0 : 400);
        close_run(run);
    }
}

/* 10 s a look. */
static int64_t fast_clock_ms(void)
{
    static int64_t now_ms;

    return now_ms += 10 * 1000;
}

static void several_processes_need_a_store_of_dirty_rows_that_they_share(void **state UNUSED)
{
    for (int others = 0; others < 2; others++) {
        struct run *run = open_run(&(struct setup){.delivery = DELIVERY_EXACTLY_ONCE, .monotonic_ms = fast_clock_ms}, 100);

        run->source->others = others;
        run->source->idle_fetches = 6;
        go(run);
        assert_int_equal(run->ok, !others);
        if (others) {
            assert_int_equal(run->error.kind, ERROR_CONFIG);
            assert_non_null(strstr(run->error.text, "dirty: {kafka: {topic: ...}}"));
        }
        close_run(run);
    }
}

static void a_position_of_another_table_is_refused(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 1}, 200);
    struct run *foreign = open_run(&(struct setup){.workers = 1, .table = "p.other"}, 200);

    go(run);
    expect_ok(run);
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        foreign->source->committed[p] = 0;
    strcpy(foreign->source->metadata[1], run->source->metadata[1]);
    go(foreign);
    assert_false(foreign->ok);
    assert_non_null(strstr(foreign->error.text, "another table"));
    assert_int_equal(foreign->sink->rows, 0);
    close_run(run);
    close_run(foreign);
}

static void a_revoked_partition_is_flushed_before_it_is_given_back(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 2}, 1000);

    run->source->revoke_after = 400;
    go(run);
    expect_ok(run);
    assert_true(run->source->released);
    /* What was given out of it is written and committed; not a row more. */
    for (int64_t offset = 0; offset < 1000; offset++)
        assert_int_equal(run->sink->seen[offset * SCRIPT_PARTITIONS], offset < run->source->committed[0] ? 1 : 0);
    for (int p = 1; p < SCRIPT_PARTITIONS; p++)
        assert_int_equal(run->source->committed[p], 1000);
    close_run(run);
}

static void a_lost_partition_moves_no_offset(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 1}, 1000);

    run->source->revoke_after = 400;
    run->source->revoke_lost = true;
    go(run);
    expect_ok(run);
    assert_true(run->source->released);
    assert_int_equal(run->source->committed[0], 0);
    for (int p = 1; p < SCRIPT_PARTITIONS; p++)
        assert_int_equal(run->source->committed[p], 1000);
    close_run(run);
}

static void the_flush_interval_closes_epochs(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 1, .flush_ms = 100}, 20000);

    go(run);
    expect_ok(run);
    expect_each_once(run, 20000 * SCRIPT_PARTITIONS);
    close_run(run);
}

static void too_many_open_partitions_close_the_epoch_early(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 1, .open_max = 2}, 1000);

    go(run);
    expect_ok(run);
    expect_each_once(run, 1000 * SCRIPT_PARTITIONS);
    assert_true(metric_get(run->stats.early_partitions) > 0);
    assert_true(run->sink->commits > 6);
    close_run(run);
}

static void dirty_rows_are_kept_and_counted(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 1}, 100);
    struct buffer text;
    char wanted[100];

    run->source->fixed_value = "not json";
    go(run);
    expect_ok(run);
    assert_int_equal(hub_counts(run->hub)->dirty, 100 * SCRIPT_PARTITIONS);
    buffer_init(&text, 0);
    dirty_reasons_print_columns(hub_dirty_reasons(run->hub), 9, &text);
    metrics_print(run->metrics, &text);
    snprintf(wanted, sizeof(wanted), "parse (__value__) %d# HELP", 100 * SCRIPT_PARTITIONS);
    assert_non_null(strstr(buffer_text(&text), wanted));
    snprintf(wanted, sizeof(wanted), "stage=\"parse\",column=\"__value__\"} %d\n", 100 * SCRIPT_PARTITIONS);
    assert_non_null(strstr(buffer_text(&text), wanted));
    buffer_release(&text);
    assert_int_equal(run->sink->sessions_opened, 0);
    assert_int_equal(dirty_files(run), 1);
    assert_int_equal(run->source->committed[0], 100);
    close_run(run);
}

static void the_dirty_limit_stops_the_job_and_no_offset_moves(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 2, .dirty_max = "10"}, 500);

    run->source->fixed_value = "not json";
    go(run);
    assert_false(run->ok);
    assert_int_equal(run->error.kind, ERROR_FATAL);
    assert_non_null(strstr(run->error.text, "dirty.max (10)"));
    assert_int_equal(run->source->committed[0], 0);
    assert_int_equal(dirty_files(run), 1);
    close_run(run);
}

/* A clock on which every look is 5 s later, so that a dead minute takes a dozen turns. */
static int64_t fast_ms;

static int64_t fast_clock(void)
{
    return fast_ms += 5000;
}

static void a_dead_target_holds_the_source_back(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 0, .memory_max = 1 << 20, .flush_ms = 1000, .monotonic_ms = fast_clock}, 20000);

    run->job->runtime.compression = JOB_COMPRESSION_NONE; /* so that the little there is fills the memory */
    run->sink->encoding = STR("");
    run->sink->hold_until_ms = fast_ms + 60 * 1000;
    run->sink->watched = run->stats.fetched;
    go(run);
    expect_ok(run);
    assert_in_range(run->source->pauses, 1, 3);
    /* Some was taken in the dead minute, then no more: far from all. */
    assert_in_range(run->sink->watched_when_woken, 2000, 40000);
    expect_each_once(run, 20000 * SCRIPT_PARTITIONS);
    close_run(run);
}

static void a_gap_ends_the_job_or_is_stepped_over(void **state UNUSED)
{
    static const struct {
        int on_gap;
        const char *error;
        int64_t goes_on; /* at this offset */
    } cases[] = {
        {ON_GAP_FAIL, "no longer has offsets 100..149", 500},
        {ON_GAP_EARLIEST, NULL, 150},
        {ON_GAP_LATEST, NULL, 500},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct run *run = open_run(&(struct setup){.workers = 1}, 500);

        run->job->source.on_gap = cases[i].on_gap;
        run->source->gap_at = 100;
        run->source->gap_end = 150;
        run->source->gap_log_end = 500;
        go(run);
        assert_int_equal(run->ok, cases[i].error == NULL);
        if (cases[i].error) {
            assert_int_equal(run->error.kind, ERROR_FATAL);
            assert_non_null(strstr(run->error.text, cases[i].error));
            assert_in_range(run->source->committed[0], 0, 100);
        } else {
            for (int64_t offset = 0; offset < 500; offset++)
                assert_int_equal(run->sink->seen[offset * SCRIPT_PARTITIONS], offset < 100 || offset >= cases[i].goes_on);
            assert_int_equal(run->source->committed[1], 500);
        }
        close_run(run);
    }
}

static void a_log_that_was_made_anew_is_told_as_what_it_is(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 1}, 500);

    run->source->gap_at = 100;
    run->source->gap_log_end = 50;
    go(run);
    assert_false(run->ok);
    assert_non_null(strstr(run->error.text, "ends at offset 50, before the position 100"));
    close_run(run);
}

static void a_stop_while_opening_ends_at_once(void **state UNUSED)
{
    for (int sink_ready = 0; sink_ready < 2; sink_ready++) {
        struct run *run = open_run(&(struct setup){.workers = 1}, 100);

        run->sink->never_ready = !sink_ready;
        run->source->hold_start = true;
        hub_stop(run->hub);
        go(run);
        expect_ok(run);
        assert_int_equal(hub_counts(run->hub)->read, 0);
        assert_int_equal(run->source->commits, 0);
        close_run(run);
    }
}

static void a_stop_flushes_and_commits_what_was_read(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 2, .records_max = 1500}, 1000);
    int64_t committed = 0;

    go(run);
    expect_ok(run);
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        committed += run->source->committed[p];
    assert_int_equal(committed, 1500);
    assert_int_equal(run->sink->rows, 1500);
    assert_int_equal(hub_counts(run->hub)->written, 1500);
    close_run(run);
}

static void a_stage_with_state_sees_each_partition_in_order(void **state UNUSED)
{
    static const char lua[] = "local stage, last = {state = 'partition'}, {}\n"
                              "function stage.process(batch)\n"
                              "  for row in batch:rows() do\n"
                              "    local p, offset = row.__partition__, row.__offset__\n"
                              "    if offset ~= (last[p] or -1) + 1 then row:dirty('out of order') end\n"
                              "    last[p] = offset\n"
                              "  end\n"
                              "end\n"
                              "return stage\n";
    struct run *run = open_run(&(struct setup){.workers = 3, .lua = lua, .stages = "  - {name: order, kind: lua, file: stage.lua}\n"},
                               3000);

    go(run);
    expect_ok(run);
    assert_int_equal(hub_counts(run->hub)->dirty, 0);
    expect_each_once(run, 3000 * SCRIPT_PARTITIONS);
    close_run(run);
}

/* A clock on which every look is a tenth of a second later. */
static int64_t slow_ms;

static int64_t slow_clock(void)
{
    return slow_ms += 100;
}

static void a_lone_record_is_not_held_up_by_busy_partitions(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 0, .flush_ms = 100, .monotonic_ms = slow_clock}, 20000);

    run->source->last_records = 1;
    go(run);
    expect_ok(run);
    assert_int_equal(run->source->committed[SCRIPT_PARTITIONS - 1], 1);
    assert_in_range(run->source->first_at_last, 0, 15000);
    close_run(run);
}

static void batches_that_fill_do_not_pass_the_memory_ceiling(void **state UNUSED)
{
    enum { MEMORY = 4 << 20, VALUE = 1000, FETCH_ROOM = 1024, RECORDS = 2000 };
    struct run *run = open_run(&(struct setup){.workers = 0, .batch_rows = 2048, .memory_max = MEMORY, .monotonic_ms = slow_clock},
                               RECORDS);
    char value[VALUE + 1] = "";

    memset(value, 'x', VALUE); /* four batches that are not full yet are more than the hub may hold */
    run->sink->restless = true;
    run->source->fixed_value = value;
    scripted_outstanding_most = 0;
    go(run);
    expect_ok(run);
    assert_int_equal(hub_counts(run->hub)->dirty, RECORDS * SCRIPT_PARTITIONS);
    /* Messages may be a quarter of the memory, and what one fetch brings on top. */
    assert_in_range(scripted_outstanding_most, FETCH_ROOM, MEMORY / 4 / VALUE + 1 + FETCH_ROOM);
    assert_int_equal(run->source->pauses, 0); /* and they are worked on at once, not after a pause */
    close_run(run);
    assert_int_equal(atomic_load(&scripted_outstanding), 0);
}

static void small_pieces_that_fill_the_memory_are_flushed_early(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 0, .memory_max = 1 << 20, .monotonic_ms = slow_clock}, 20000);

    run->sink->restless = true;
    run->job->runtime.flush_bytes = 1 << 20; /* three table partitions pass the ceiling before one of them has a block's worth */
    go(run);
    expect_ok(run);
    expect_each_once(run, 20000 * SCRIPT_PARTITIONS);
    assert_int_equal(run->source->pauses, 0); /* the flush interval is a minute */
    close_run(run);
}

/* A clock on which every look is a minute later; an endless wait ends the test. */
static int64_t leaping_ms;

static int64_t leaping_clock(void)
{
    assert_in_range(leaping_ms, 0, 1000 * 60000);
    return leaping_ms += 60000;
}

static void an_idle_source_is_still_asked(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 0, .monotonic_ms = leaping_clock}, 100);

    run->source->idle_fetches = 10;
    run->sink->restless = true;
    go(run);
    expect_ok(run);
    assert_int_equal(run->source->idle_fetches, 0);
    close_run(run);
}

static void a_hub_that_is_held_back_sleeps(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 0, .memory_max = 1 << 20, .flush_ms = 100}, 20000);

    run->job->runtime.compression = JOB_COMPRESSION_NONE;
    run->sink->encoding = STR("");
    run->source->says_more = true;
    run->sink->hold_until_ms = clock_monotonic_ms() + 500;
    go(run);
    expect_ok(run);
    assert_in_range(run->sink->held_steps, 1, 1000);
    close_run(run);
}

static void rows_of_a_lost_partition_leave_no_handle_behind(void **state UNUSED)
{
    struct run *run = open_run(&(struct setup){.workers = 3}, 1000);

    run->source->revoke_after = 400;
    run->source->revoke_lost = true;
    go(run);
    expect_ok(run);
    close_run(run);
    assert_int_equal(atomic_load(&scripted_outstanding), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_arrives_once_with_any_number_of_workers),
        cmocka_unit_test(a_partition_that_was_read_goes_on_where_it_was_and_its_ledger_too),
        cmocka_unit_test(a_refused_commit_is_sent_again),
        cmocka_unit_test(exactly_once_gives_the_same_rows),
        cmocka_unit_test(a_batch_that_is_too_wide_for_one_epoch_is_cut),
        cmocka_unit_test(a_process_that_ends_between_prepare_and_finish_doubles_nothing),
        cmocka_unit_test(a_stop_that_had_to_give_rows_up_says_so),
        cmocka_unit_test(several_processes_need_a_store_of_dirty_rows_that_they_share),
        cmocka_unit_test(a_position_of_another_table_is_refused),
        cmocka_unit_test(a_revoked_partition_is_flushed_before_it_is_given_back),
        cmocka_unit_test(a_lost_partition_moves_no_offset),
        cmocka_unit_test(the_flush_interval_closes_epochs),
        cmocka_unit_test(too_many_open_partitions_close_the_epoch_early),
        cmocka_unit_test(dirty_rows_are_kept_and_counted),
        cmocka_unit_test(the_dirty_limit_stops_the_job_and_no_offset_moves),
        cmocka_unit_test(a_dead_target_holds_the_source_back),
        cmocka_unit_test(a_gap_ends_the_job_or_is_stepped_over),
        cmocka_unit_test(a_log_that_was_made_anew_is_told_as_what_it_is),
        cmocka_unit_test(a_stop_while_opening_ends_at_once),
        cmocka_unit_test(a_stop_flushes_and_commits_what_was_read),
        cmocka_unit_test(a_stage_with_state_sees_each_partition_in_order),
        cmocka_unit_test(a_lone_record_is_not_held_up_by_busy_partitions),
        cmocka_unit_test(batches_that_fill_do_not_pass_the_memory_ceiling),
        cmocka_unit_test(small_pieces_that_fill_the_memory_are_flushed_early),
        cmocka_unit_test(an_idle_source_is_still_asked),
        cmocka_unit_test(a_hub_that_is_held_back_sleeps),
        cmocka_unit_test(rows_of_a_lost_partition_leave_no_handle_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
