/* epoch_test.c: epochs alone: what exactly-once and at-least-once delivery share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/epoch_bed.h"

/* An epoch covers what was taken, in the order of offsets: a batch that came early waits for the one before it, and the epoch does
 * not wait for either. */
static void batches_are_taken_in_the_order_of_offsets(void **state UNUSED)
{
    struct bed *bed = bed_open();
    struct work *first = give(bed, 0, 0, 10), *second = give(bed, 0, 10, 20), *third = give(bed, 1, 0, 5);

    assert_true(take_rows(bed, second));
    assert_true(take_rows(bed, third));
    assert_true(step(bed, FLUSH_MS));
    assert_int_equal(pack(bed), 1);
    assert_true(step(bed, 0));
    assert_int_equal(bed->source->committed[0], 0);
    assert_int_equal(bed->source->committed[1], 5);
    assert_true(epochs_bytes(bed->epochs) > 0);
    assert_true(take_rows(bed, first));
    assert_true(step(bed, FLUSH_MS));
    assert_int_equal(pack(bed), 1);
    assert_true(step(bed, 0));
    assert_int_equal(bed->source->committed[0], 20);
    assert_true(epochs_idle(bed->epochs));
    assert_int_equal(epochs_bytes(bed->epochs), 0);
    assert_int_equal(epochs_counts(bed->epochs)->written, 25);
    bed_close(bed);
}

static void a_count_that_does_not_add_up_stops_the_job(void **state UNUSED)
{
    static const struct counts wrong[] = {
        {.read = 10, .written = 9},
        {.read = 10, .written = 11},
        {.read = 10, .written = 5, .filtered = 4},
        {.read = 10, .written = 10, .dirty = 1},
        {.read = 10, .written = 10, .expanded = 1},
    };

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct bed *bed = bed_open();
        struct work *work = give(bed, 0, 0, 10);

        work->segments->counts = wrong[i];
        assert_false(take_rows(bed, work));
        assert_int_equal(bed->error.kind, ERROR_FATAL);
        assert_non_null(strstr(bed->error.text, "does not add up in partition 0 offsets 0..9"));
        assert_int_equal(bed->source->committed[0], 0);
        bed_close(bed);
    }
}

static void a_batch_or_block_that_fails_ends_the_job_and_no_offset_moves(void **state UNUSED)
{
    for (int block = 0; block < 2; block++) {
        struct bed *bed = bed_open();
        struct work *work = give(bed, 0, 0, 10);

        if (block) {
            assert_true(take_rows(bed, work));
            assert_true(step(bed, FLUSH_MS));
            work = epochs_next_pack(bed->epochs);
            assert_non_null(work);
        }
        work->ok = false;
        error_set(&work->error, ERROR_SCRIPT, "the work failed");
        assert_false(take(bed, work));
        assert_int_equal(bed->error.kind, ERROR_SCRIPT);
        assert_non_null(strstr(bed->error.text, block ? "table partition" : "partition 0 offsets 0..9: the work failed"));
        assert_int_equal(bed->source->commits, 1); /* the anchor */
        assert_int_equal(bed->source->committed[0], 0);
        bed_close(bed);
    }
}

static void a_position_may_go_back_in_a_log_that_was_made_anew(void **state UNUSED)
{
    struct bed *bed = bed_open();

    assert_true(take_rows(bed, give(bed, 0, 490, 500)));
    assert_true(take_rows(bed, give(bed, 0, 0, 10)));
    finish(bed);
    assert_int_equal(bed->source->committed[0], 10);
    bed_close(bed);
}

/* One commits, one waits sealed, one fills; what comes then waits, and the hub is told to hold back. */
static void three_epochs_overlap_and_offsets_move_in_order(void **state UNUSED)
{
    struct bed *bed = bed_open();

    for (int64_t n = 0; n < EPOCHS_MAX; n++) {
        assert_true(take_rows(bed, give(bed, 0, n * 10, n * 10 + 10)));
        assert_true(step(bed, FLUSH_MS)); /* closes it; its block is not packed yet */
        assert_false(epochs_full(bed->epochs));
    }
    assert_true(take_rows(bed, give(bed, 0, 30, 40))); /* still into the third, which cannot close */
    assert_int_equal(bed->source->committed[0], 0);
    assert_int_equal(pack(bed), 2);
    assert_true(step(bed, 0));
    assert_int_equal(bed->source->committed[0], 20);
    finish(bed);
    assert_int_equal(bed->source->committed[0], 40);
    bed_close(bed);
}

static void rows_of_a_lost_partition_that_come_late_are_not_written(void **state UNUSED)
{
    struct bed *bed = bed_open();
    struct work *late = give(bed, 0, 0, 10), *other = give(bed, 1, 0, 10);
    struct source_partition lost = {.partition = 0};

    epochs_lose(bed->epochs, &lost, 1);
    assert_true(take_rows(bed, late));
    assert_int_equal(epochs_targets(bed->epochs), 0);
    assert_true(take_rows(bed, other));
    finish(bed);
    assert_int_equal(bed->source->committed[0], 0);
    assert_int_equal(bed->source->committed[1], 10);
    assert_int_equal(epochs_counts(bed->epochs)->written, 10);
    bed_close(bed);
}

/* What is not prepared when the time is over is given up whole, and what is kept of it is read again. */
static void a_revoke_waits_for_its_epoch_up_to_its_bound(void **state UNUSED)
{
    struct bed *bed = bed_open();
    struct source_partition asked = {.partition = 0};
    struct rewind rewind;

    assert_true(take_rows(bed, give(bed, 0, 0, 10)));
    assert_true(take_rows(bed, give(bed, 1, 0, 10)));
    epochs_revoke(bed->epochs, &asked, 1, bed->now_ms);
    assert_false(epochs_accepts(bed->epochs, 0));
    assert_true(step(bed, REVOKE_MS - 1)); /* its block waits for a worker */
    assert_false(bed->source->released);
    assert_int_equal(epochs_deadline(bed->epochs), bed->now_ms + 1);
    assert_false(epochs_next_rewind(bed->epochs, &rewind));
    assert_true(step(bed, 1));
    assert_true(bed->source->released);
    assert_true(epochs_idle(bed->epochs));
    assert_true(epochs_next_rewind(bed->epochs, &rewind));
    assert_int_equal(rewind.partition, 1);
    assert_int_equal(rewind.offset, 0);
    assert_false(epochs_next_rewind(bed->epochs, &rewind));
    assert_int_equal(pack(bed), 0);
    assert_int_equal(bed->source->committed[0], 0);
    bed_close(bed);
}

static void a_revoke_is_not_answered_while_a_commit_is_and_nobody_spins(void **state UNUSED)
{
    struct bed *bed = bed_open();
    struct source_partition asked = {.partition = 0};
    struct error none = {0};

    bed->source->hold_commits = true;
    assert_true(take_rows(bed, give(bed, 0, 0, 10)));
    finish(bed);
    epochs_revoke(bed->epochs, &asked, 1, bed->now_ms);
    assert_true(step(bed, 2 * REVOKE_MS));
    assert_false(bed->source->released);
    assert_true(epochs_deadline(bed->epochs) > bed->now_ms);
    assert_true(epochs_source_committed(bed->epochs, COMMIT_STORED, &none, bed->now_ms, &bed->error));
    assert_true(step(bed, 0));
    assert_true(bed->source->released);
    bed_close(bed);
}

static void one_commit_is_under_way_at_a_time(void **state UNUSED)
{
    struct bed *bed = bed_open();
    struct source_partition late = {.partition = 3};
    struct error none = {0};

    epochs_lose(bed->epochs, &(struct source_partition){.partition = 0}, 1);
    bed->source->hold_commits = true;
    assert_true(take_rows(bed, give(bed, 1, 0, 10)));
    finish(bed);
    assert_int_equal(bed->source->commits, 2);
    assert_true(epochs_offer(bed->epochs, &late, 1, 1, bed->now_ms, &bed->error)); /* wants an anchor */
    assert_true(step(bed, 1000));
    assert_int_equal(bed->source->commits, 2);
    assert_false(epochs_accepts(bed->epochs, 3));
    bed->source->hold_commits = false;
    assert_true(epochs_source_committed(bed->epochs, COMMIT_STORED, &none, bed->now_ms, &bed->error));
    assert_true(step(bed, 0));
    assert_int_equal(bed->source->commits, 3);
    assert_true(epochs_accepts(bed->epochs, 3));
    bed_close(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_taken_in_the_order_of_offsets),
        cmocka_unit_test(a_count_that_does_not_add_up_stops_the_job),
        cmocka_unit_test(a_batch_or_block_that_fails_ends_the_job_and_no_offset_moves),
        cmocka_unit_test(a_position_may_go_back_in_a_log_that_was_made_anew),
        cmocka_unit_test(three_epochs_overlap_and_offsets_move_in_order),
        cmocka_unit_test(rows_of_a_lost_partition_that_come_late_are_not_written),
        cmocka_unit_test(a_revoke_waits_for_its_epoch_up_to_its_bound),
        cmocka_unit_test(a_revoke_is_not_answered_while_a_commit_is_and_nobody_spins),
        cmocka_unit_test(one_commit_is_under_way_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
