/* epoch_test.c: epochs alone: batches and blocks are given and taken by hand, and the sink forgets what it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "dirty/dirty.h"
#include "pipeline/epoch.h"
#include "pipeline/epoch_internal.h"
#include "sink/null.h"
#include "support/scripted.h"

enum { FLUSH_MS = 1000, REVOKE_MS = 5000 };

struct bed {
    struct job job;
    char folder[64];
    struct log *log;
    struct metrics *metrics;
    struct stats stats;
    struct dirty_store *dirty;
    struct scripted_source *source;
    struct sink *sink;
    struct epochs *epochs;
    int64_t now_ms;
    struct error error;
};

/* Makes every step that can be made, with the answers and events that come of it. */
static bool step(struct bed *bed, int64_t later_ms)
{
    struct source *source = &bed->source->base;
    struct source_event from_source;
    struct sink_event from_sink;
    bool more = true;

    bed->now_ms += later_ms;
    while (more) {
        if (!epochs_step(bed->epochs, bed->now_ms, 0, &bed->error))
            return false;
        for (more = false; source->ops->next(source, &from_source); more = true)
            if (from_source.kind == SOURCE_COMMITTED &&
                !epochs_source_committed(bed->epochs, from_source.result, &from_source.error, bed->now_ms, &bed->error))
                return false;
        for (; bed->sink->ops->next(bed->sink, &from_sink); more = true)
            if (!epochs_sink_event(bed->epochs, &from_sink, &bed->error))
                return false;
    }
    return true;
}

static int64_t wall_ms(void)
{
    return 1700000000000;
}

/* All partitions are offered and anchored at 0. */
static struct bed *bed_open(void)
{
    struct bed *bed = xcalloc(1, sizeof(*bed));
    struct dirty_options dirty = {.directory = bed->folder, .file_bytes_max = 1 << 20, .bytes_max = 1 << 20};
    struct source_partition offers[SCRIPT_PARTITIONS];
    struct mc_schema schema = {0};
    struct epochs_options options;

    strcpy(bed->folder, "/tmp/luaduct-epoch-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    bed->job.runtime.flush_interval_ms = FLUSH_MS;
    bed->job.runtime.flush_bytes = 1 << 20;
    bed->job.target.partitions_open_max = 32;
    bed->job.dirty.max = -1;
    bed->log = log_new(NULL, "j");
    bed->metrics = metrics_new("j");
    stats_init(&bed->stats, bed->metrics);
    assert_true(dirty_store_open(&bed->dirty, &dirty, &bed->error));
    bed->source = scripted_source_new(1);
    bed->sink = null_sink_new(&schema);
    options = (struct epochs_options){
        .job = &bed->job,
        .source = &bed->source->base,
        .sink = bed->sink,
        .dirty = bed->dirty,
        .stats = &bed->stats,
        .owner = {"j", "cluster", "topic-id", "p.t", ""},
        .wall_ms = wall_ms,
        .revoke_ms_max = REVOKE_MS,
        .log = bed->log,
    };
    bed->epochs = epochs_new(&options);
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        offers[p] = (struct source_partition){.partition = p};
    assert_true(epochs_offer(bed->epochs, offers, SCRIPT_PARTITIONS, bed->now_ms, &bed->error));
    assert_true(step(bed, 0));
    assert_true(epochs_accepts(bed->epochs, 0));
    return bed;
}

static void bed_close(struct bed *bed)
{
    epochs_free(bed->epochs);
    bed->sink->ops->free(bed->sink);
    bed->source->base.ops->free(&bed->source->base);
    dirty_store_close(bed->dirty);
    metrics_free(bed->metrics);
    log_free(bed->log);
    rmdir(bed->folder);
    free(bed);
}

/* A batch of these offsets goes out. */
static struct work *give(struct bed *bed, int32_t partition, int64_t first, int64_t next)
{
    struct work *work = work_new(WORK_BATCH);

    work->partition = partition;
    work->offset_first = first;
    work->offset_next = next;
    work->segments = segment_new();
    work->segments->offset_next = next;
    work->segments->counts = (struct counts){.read = next - first, .written = next - first};
    work->ok = true;
    epochs_give(bed->epochs, work);
    return work;
}

static bool take(struct bed *bed, struct work *work)
{
    bool ok = epochs_take(bed->epochs, work, bed->now_ms, 0, &bed->error);

    work_free(work);
    return ok;
}

/* It comes back with its rows in one chunk. */
static bool take_rows(struct bed *bed, struct work *work)
{
    struct chunk *chunk = xcalloc(1, sizeof(*chunk) + 8);

    chunk->rows = 1;
    chunk->records_size = 4;
    work->segments->chunks = chunk;
    return take(bed, work);
}

/* What is due is packed; the number of blocks. */
static unsigned pack(struct bed *bed)
{
    struct work *work;
    unsigned count = 0;

    while ((work = epochs_next_pack(bed->epochs))) {
        work->block = xcalloc(1, sizeof(*work->block));
        work->ok = true;
        assert_true(take(bed, work));
        count++;
    }
    return count;
}

/* Everything out is back: the epoch is closed and finished. */
static void finish(struct bed *bed)
{
    epochs_flush(bed->epochs);
    assert_true(step(bed, 0));
    (void)pack(bed);
    assert_true(step(bed, 0));
}

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
    assert_true(epochs_offer(bed->epochs, &late, 1, bed->now_ms, &bed->error)); /* wants an anchor */
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
