/* exactly_once_test.c: epochs with exactly-once delivery: the record is stored before sessions are committed, and everything that
 * can happen to a request or a partition meanwhile. The numbers are those of the rules in the design. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "support/epoch_bed.h"

enum { RECORD_SIZE = 4200 }; /* the longest record that is stored, and more */

static struct epoch *epoch_at(const struct bed *bed, size_t index)
{
    assert_true(index < bed->epochs->count);
    return bed->epochs->list[index];
}

static bool answer(struct bed *bed, enum commit_result result)
{
    struct error why = {0};

    if (result != COMMIT_STORED)
        error_set(&why, ERROR_RETRY, "by the test");
    return epochs_source_committed(bed->epochs, result, &why, bed->now_ms, &bed->error) && step(bed, 0);
}

/* Rows of partition p in [first, next) are on their way and packed; their epoch is sealed and its prepare is sent, not answered. */
static void to_prepare(struct bed *bed, unsigned partitions, int64_t first, int64_t next)
{
    bed->source->hold_commits = true;
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        if (partitions & 1u << p)
            assert_true(take_rows_for(bed, give(bed, p, first, next), p % 2 ? "ds=1" : "ds=2"));
    finish(bed);
}

static const char *sent(const struct bed *bed, int p)
{
    assert_true(bed->source->sent & 1u << p);
    return bed->source->sent_metadata[p];
}

static void lose(struct bed *bed, int32_t partition)
{
    epochs_lose(bed->epochs, &(struct source_partition){.partition = partition}, 1);
}

/* An epoch with rows 0 to 9 of these partitions, whose prepare was refused after they had been lost; the records it would have
 * stored. */
static void to_refused(struct bed *bed, unsigned partitions, char records[SCRIPT_PARTITIONS][RECORD_SIZE])
{
    to_prepare(bed, partitions, 0, 10);
    for (int p = 0; p < SCRIPT_PARTITIONS; p++) {
        if (!(partitions & 1u << p))
            continue;
        strcpy(records[p], sent(bed, p));
        lose(bed, p);
    }
    assert_true(answer(bed, COMMIT_REFUSED));
}

/* What stands beside the offsets of all partitions, as the group has it. */
static void store(struct bed *bed, int32_t partition, int64_t offset, const char *metadata)
{
    bed->source->committed[partition] = offset;
    snprintf(bed->source->metadata[partition], sizeof(bed->source->metadata[partition]), "%s", metadata);
}

/* The partition is assigned with what was stored for it. */
static bool offer_stored(struct bed *bed, int32_t partition)
{
    struct source_partition stored[SCRIPT_PARTITIONS];
    size_t count = 0;

    for (int p = -1; p < SCRIPT_PARTITIONS; p++) {
        int32_t number = p < 0 ? partition : p;

        if (p != partition)
            stored[count++] = (struct source_partition){.partition = number,
                                                        .offset = bed->source->committed[number],
                                                        .committed = true,
                                                        .metadata = str_of(bed->source->metadata[number])};
    }
    return epochs_offer(bed->epochs, stored, 1, count, bed->now_ms, &bed->error);
}

static bool offer(struct bed *bed, int32_t partition, int64_t offset, const char *metadata)
{
    store(bed, partition, offset, metadata ? metadata : "");
    return offer_stored(bed, partition);
}

static void expect_rewind(struct bed *bed, int32_t partition, int64_t offset)
{
    struct rewind rewind;

    assert_true(epochs_next_rewind(bed->epochs, &rewind));
    assert_int_equal(rewind.partition, partition);
    assert_int_equal(rewind.offset, offset);
    assert_false(epochs_next_rewind(bed->epochs, &rewind));
}

static void the_record_is_stored_before_sessions_are_committed(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);

    to_prepare(bed, 3, 0, 10);
    assert_int_equal(epoch_at(bed, 0)->state, EPOCH_PREPARING);
    for (int p = 0; p < 2; p++) {
        assert_int_equal(bed->source->sent_offset[p], 0); /* offsets stay */
        assert_non_null(strstr(sent(bed, p), " epoch=1-"));
        assert_non_null(strstr(sent(bed, p), " offsets=0:0+10,1:0+10 sessions=0~ds%3D1!0~null!1!"));
        assert_non_null(strstr(sent(bed, p), " ledger=0,0,0,0,0 "));
        assert_non_null(strstr(sent(bed, p), " counts=10,10,0,0,0 "));
    }
    assert_string_equal(sent(bed, 0), sent(bed, 1)); /* the time too */
    assert_int_equal(epoch_at(bed, 0)->committed, 0);
    bed->source->hold_commits = false; /* the finish that follows is answered */
    assert_true(answer(bed, COMMIT_STORED));
    assert_true(epochs_idle(bed->epochs));
    assert_int_equal(bed->source->committed[0], 10);
    assert_non_null(strstr(bed->source->metadata[0], " ledger=10,10,0,0,0 crc="));
    assert_int_equal(metric_get(bed->stats.ledger_read), 20);
    bed_close(bed);
}

static void an_epoch_without_rows_needs_no_record(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    struct work *work = give(bed, 0, 0, 10);

    work->segments->counts = (struct counts){.read = 10, .filtered = 10};
    assert_true(take(bed, work));
    finish(bed);
    assert_int_equal(bed->source->commits, 2); /* the anchor and the finish */
    assert_int_equal(bed->source->committed[0], 10);
    bed_close(bed);
}

static void finish_and_the_next_prepare_share_a_request(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);

    to_prepare(bed, 3, 0, 10);
    assert_true(take_rows(bed, give(bed, 1, 10, 20)));
    assert_true(take_rows(bed, give(bed, 2, 0, 5)));
    finish(bed);
    assert_int_equal(epoch_at(bed, 1)->state, EPOCH_SEALED);
    assert_true(answer(bed, COMMIT_STORED));
    assert_int_equal(bed->source->commits, 3);
    assert_int_equal(bed->source->sent, 7);
    assert_int_equal(bed->source->sent_offset[0], 10);
    assert_null(strstr(sent(bed, 0), "epoch="));
    assert_int_equal(bed->source->sent_offset[1], 10);
    assert_non_null(strstr(sent(bed, 1), " ledger=10,10,0,0,0 epoch=2-"));
    assert_int_equal(bed->source->sent_offset[2], 0);
    assert_non_null(strstr(sent(bed, 2), " ledger=0,0,0,0,0 epoch=2-"));
    assert_non_null(strstr(sent(bed, 2), " offsets=1:10+10,2:0+5 "));
    bed->source->hold_commits = false;
    assert_true(answer(bed, COMMIT_STORED));
    assert_true(epochs_idle(bed->epochs));
    assert_int_equal(bed->source->committed[1], 20);
    assert_int_equal(epochs_counts(bed->epochs)->read, 35);
    bed_close(bed);
}

/* Rule 6. */
static void a_refused_prepare_is_sent_again_and_nothing_was_committed(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    char record[RECORD_SIZE];
    unsigned commits;

    to_prepare(bed, 1, 0, 10);
    strcpy(record, sent(bed, 0));
    assert_true(answer(bed, COMMIT_REFUSED));
    assert_int_equal(epoch_at(bed, 0)->state, EPOCH_SEALED);
    commits = bed->source->commits;
    assert_int_equal(epochs_deadline(bed->epochs), bed->now_ms + COMMIT_RETRY_MS);
    assert_true(step(bed, COMMIT_RETRY_MS));
    assert_int_equal(bed->source->commits, commits + 1);
    assert_string_equal(sent(bed, 0), record); /* some partitions may have stored the first one */
    bed->source->hold_commits = false;
    assert_true(answer(bed, COMMIT_STORED));
    assert_int_equal(bed->source->committed[0], 10);
    bed_close(bed);
}

/* Rule 5: what is stored is decided by the group as it is after it was joined anew. */
static void an_unknown_result_joins_the_group_anew(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    char record[RECORD_SIZE];
    unsigned commits;

    to_prepare(bed, 1, 0, 10);
    strcpy(record, sent(bed, 0));
    assert_true(answer(bed, COMMIT_UNKNOWN));
    assert_int_equal(bed->source->rejoins, 1);
    commits = bed->source->commits;
    assert_true(step(bed, 100 * FLUSH_MS));
    assert_int_equal(bed->source->commits, commits); /* nothing, before partitions are offered again */
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        lose(bed, p);
    assert_true(epochs_idle(bed->epochs));
    /* It had been stored after all. */
    bed->source->hold_commits = false;
    assert_true(offer(bed, 0, 0, record));
    assert_false(epochs_accepts(bed->epochs, 0));
    assert_true(step(bed, 0));
    assert_true(epochs_accepts(bed->epochs, 0));
    assert_int_equal(bed->source->committed[0], 10);
    assert_int_equal(bed->source->at[0], 10);
    assert_non_null(strstr(bed->source->metadata[0], " ledger=10,10,0,0,0 crc="));
    assert_int_equal(epochs_counts(bed->epochs)->written, 10);
    bed_close(bed);
}

/* Rule 8. */
static void what_is_not_prepared_is_dropped_whole_and_read_again(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    struct work *late = give(bed, 1, 10, 20), *own = give(bed, 2, 0, 5);

    assert_true(take_rows(bed, give(bed, 0, 0, 10)));
    assert_true(take_rows(bed, give(bed, 3, 0, 10)));
    lose(bed, 0);
    expect_rewind(bed, 3, 0);
    assert_int_equal(bed->epochs->count, 0);
    /* What was given before and belongs to no dropped epoch is still good. */
    assert_true(take_rows(bed, own));
    assert_true(take_rows(bed, late));
    finish(bed);
    assert_int_equal(bed->source->committed[0], 0);
    assert_int_equal(bed->source->committed[1], 20);
    assert_int_equal(bed->source->committed[2], 5);
    assert_int_equal(bed->source->committed[3], 0);
    assert_int_equal(epochs_counts(bed->epochs)->read, 15);
    assert_int_equal(metric_get(bed->stats.dropped), 1);
    bed_close(bed);
}

static void a_batch_that_was_out_when_its_partition_was_rewound_is_thrown_away(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    struct work *old;

    assert_true(take_rows(bed, give(bed, 0, 0, 10)));
    assert_true(take_rows(bed, give(bed, 1, 0, 10)));
    old = give(bed, 1, 10, 20);
    lose(bed, 0);
    expect_rewind(bed, 1, 0);
    assert_true(take_rows(bed, give(bed, 1, 0, 20)));
    assert_true(take_rows(bed, old));
    finish(bed);
    assert_int_equal(bed->source->committed[1], 20);
    assert_int_equal(epochs_counts(bed->epochs)->read, 20);
    bed_close(bed);
}

/* Rule 8: after a stored prepare the epoch goes on for what is kept, and its record is left to the next owner of what is not. */
static void a_prepared_epoch_goes_on_for_what_is_kept(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    struct rewind rewind;

    to_prepare(bed, 3, 0, 10);
    lose(bed, 0); /* the answer is still out */
    assert_int_equal(epoch_at(bed, 0)->state, EPOCH_PREPARING);
    bed->source->hold_commits = false;
    assert_true(answer(bed, COMMIT_STORED));
    assert_true(epochs_idle(bed->epochs));
    assert_false(epochs_next_rewind(bed->epochs, &rewind));
    assert_int_equal(bed->source->sent, 2);
    assert_int_equal(bed->source->committed[1], 10);
    assert_int_equal(epochs_counts(bed->epochs)->read, 10);
    bed_close(bed);
}

static void a_refused_prepare_of_a_lost_partition_drops_the_epoch(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);

    to_prepare(bed, 3, 0, 10);
    assert_true(take_rows(bed, give(bed, 1, 10, 20)));
    lose(bed, 0);
    assert_true(answer(bed, COMMIT_REFUSED));
    assert_true(epochs_idle(bed->epochs));
    expect_rewind(bed, 1, 0); /* and not 10, where the epoch behind it began */
    bed_close(bed);
}

static void an_epoch_of_which_nothing_is_kept_is_left_to_others(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);

    to_prepare(bed, 3, 0, 10);
    lose(bed, 0);
    lose(bed, 1);
    assert_int_equal(bed->epochs->count, 0);
    assert_true(answer(bed, COMMIT_STORED)); /* comes too late to matter */
    assert_int_equal(epochs_counts(bed->epochs)->read, 0);
    assert_true(epochs_idle(bed->epochs));
    bed_close(bed);
}

/* Rule 7. */
static void a_revoke_waits_for_a_prepared_epoch_and_leaves_its_record_in_the_end(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    struct source_partition asked = {.partition = 0};

    to_prepare(bed, 3, 0, 10);
    epochs_revoke(bed->epochs, &asked, 1, bed->now_ms);
    assert_true(answer(bed, COMMIT_STORED)); /* sessions are closed; the finish is out */
    assert_false(bed->source->released);
    assert_true(step(bed, 2 * REVOKE_MS));
    assert_false(bed->source->released); /* a commit is outstanding, however late it is */
    assert_true(answer(bed, COMMIT_REFUSED));
    assert_true(bed->source->released);
    assert_true(step(bed, COMMIT_RETRY_MS));
    assert_int_equal(bed->source->sent, 2); /* only what is still ours */
    bed_close(bed);
}

/* Rule 9, with two partitions of one record, one of which goes away meanwhile. */
static void a_record_is_rolled_forward_before_anything_is_read(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    char records[SCRIPT_PARTITIONS][RECORD_SIZE];

    to_refused(bed, 3, records);
    for (int p = 0; p < 2; p++)
        store(bed, p, 0, records[p]);
    for (int p = 0; p < 2; p++)
        assert_true(offer_stored(bed, p));
    assert_int_equal(metric_get(bed->stats.rolled), 1);
    assert_true(step(bed, COMMIT_RETRY_MS));
    assert_int_equal(bed->source->sent, 3);
    lose(bed, 1);
    bed->source->hold_commits = false;
    assert_true(answer(bed, COMMIT_STORED));
    assert_true(epochs_accepts(bed->epochs, 0));
    assert_int_equal(epochs_committed(bed->epochs, 0), 10);
    assert_int_equal(epochs_counts(bed->epochs)->read, 10);
    assert_true(take_rows(bed, give(bed, 0, 10, 15)));
    finish(bed);
    assert_int_equal(bed->source->committed[0], 15);
    assert_non_null(strstr(bed->source->metadata[0], " ledger=15,15,0,0,0 crc="));
    bed_close(bed);
}

/* Rule 6: the broker stored the record for one of the two. */
static void a_record_that_not_all_partitions_carry_was_never_prepared(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    char records[SCRIPT_PARTITIONS][RECORD_SIZE];

    to_refused(bed, 3, records);
    bed->source->hold_commits = false;
    assert_true(offer(bed, 0, 0, records[0])); /* partition 1 stands at 0 with its idle record */
    assert_int_equal(metric_get(bed->stats.rolled), 0);
    assert_true(step(bed, COMMIT_RETRY_MS));
    assert_true(epochs_accepts(bed->epochs, 0));
    assert_int_equal(bed->source->at[0], 0);
    assert_null(strstr(bed->source->metadata[0], "epoch="));
    assert_int_equal(epochs_counts(bed->epochs)->read, 0);
    bed_close(bed);
}

/* The other one stands behind the epoch: with it, when its sessions are closed, and else with a later one. */
static void a_record_that_was_passed_is_decided_by_its_sessions(void **state UNUSED)
{
    for (int closed = 0; closed < 2; closed++) {
        struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
        char records[SCRIPT_PARTITIONS][RECORD_SIZE];

        to_refused(bed, 3, records);
        store(bed, 1, 10, bed->source->metadata[1]);
        bed->source->hold_commits = false;
        assert_true(offer(bed, 0, 0, records[0]));
        if (!closed) {
            struct sink_session *open = bed->epochs->rolls->targets[1].session;

            sink_events_drop(bed->sink, NULL);
            sink_event_push(bed->sink, SINK_SESSION_OPEN, open, NULL, NULL);
        }
        assert_true(step(bed, COMMIT_RETRY_MS));
        assert_true(epochs_accepts(bed->epochs, 0));
        assert_int_equal(bed->source->committed[0], closed ? 10 : 0);
        assert_null(strstr(bed->source->metadata[0], "epoch="));
        bed_close(bed);
    }
}

/* Rule 10. */
static void a_session_of_unknown_outcome_stops_with_the_evidence(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    char records[SCRIPT_PARTITIONS][RECORD_SIZE];
    struct error gone = {0};

    to_refused(bed, 1, records);
    assert_true(offer(bed, 0, 0, records[0]));
    sink_events_drop(bed->sink, NULL);
    error_set(&gone, ERROR_FATAL, "session null is expired");
    sink_event_push(bed->sink, SINK_SESSION_UNKNOWN, bed->epochs->rolls->targets[0].session, NULL, &gone);
    assert_false(step(bed, 0));
    assert_int_equal(bed->error.kind, ERROR_FATAL);
    assert_non_null(strstr(bed->error.text, "0: 0..9"));
    assert_non_null(strstr(bed->error.text, "luaduct epoch resolve"));
    assert_non_null(strstr(bed->error.text, "session null is expired"));
    bed_close(bed);
}

static void a_position_that_someone_else_wrote_is_refused(void **state UNUSED)
{
    static const char *const texts[] = {NULL, "", "by hand", "luaduct/2 job=j"};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);

        lose(bed, 2);
        assert_false(offer(bed, 2, 7, texts[i]));
        assert_non_null(strstr(bed->error.text, "partition 2: the committed position (offset 7) was not stored by luaduct"));
        bed_close(bed);
    }
}

/* Rule 3: what would not fit goes to the next epoch, and no record is ever larger than the broker takes. */
static void an_epoch_closes_before_its_record_is_full(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    char spec[64];

    bed->job.target.partitions_open_max = 512;
    for (int i = 0; i < 200; i++) {
        snprintf(spec, sizeof(spec), "year=2024,month=%02d,day=%02d", i / 28, i % 28);
        assert_true(take_rows_for(bed, give(bed, 0, i, i + 1), spec));
        (void)pack(bed);
        assert_true(step(bed, 0));
        (void)pack(bed);
        assert_true(step(bed, 0));
        for (int p = 0; p < SCRIPT_PARTITIONS; p++)
            assert_true(strlen(bed->source->sent_metadata[p]) <= POSITION_BYTES_MAX);
    }
    finish(bed);
    assert_int_equal(bed->source->committed[0], 200);
    assert_true(metric_get(bed->stats.early_record) >= 2);
    assert_true(metric_get(bed->stats.early_record) <= 8);
    assert_int_equal(metric_get(bed->stats.dropped), 0);
    bed_close(bed);
}

/* The ids of sessions are not known while an epoch fills, and neighbours in the record are not neighbours in time. Whatever the values
 * are, the record that is printed in the end is no larger than what was foreseen. */
static void a_record_is_never_larger_than_foreseen(void **state UNUSED)
{
    static const char *const forms[] = {"region=cn,hour=%d", "region=us,hour=%d", "tenant=\xE5\x8C\x97\xE4\xBA\xAC\xE5\xB8\x82%d"};

    for (size_t form = 0; form < 3; form++) {
        struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
        struct epoch *epoch;
        struct cover *cover;
        struct buffer text;
        size_t foreseen, bound;
        char spec[64];

        bed->job.target.partitions_open_max = 512;
        for (int i = 0; i < 24; i++) {
            snprintf(spec, sizeof(spec), forms[form == 2 ? 2 : (form + (size_t)i) % 2], i / 2);
            assert_true(take_rows_for(bed, give(bed, 0, i, i + 1), spec));
        }
        epoch = epoch_at(bed, 0);
        cover = &epoch->covers[0];
        bound = epoch->record_bytes;
        buffer_init(&text, 0);
        epoch_record_print(bed->epochs, epoch, cover, &(struct counts){0}, NULL, &text);
        foreseen = text.size;
        assert_true(foreseen <= bound);
        /* The same as the service could make it: long ids that share nothing, many blocks and rows. */
        {
            struct position position = {.prepared = true, .counts = cover->counts};
            size_t i = 0;

            snprintf(position.epoch, sizeof(position.epoch), "1-%s", bed->epochs->run);
            memcpy(position.by, bed->epochs->by, sizeof(position.by));
            position.at_ms = wall_ms();
            position.covers = xcalloc(1, sizeof(*position.covers));
            position.covers[position.cover_count++] = (struct position_cover){0, cover->base, cover->next};
            position.sessions = xcalloc(epoch->gather.count, sizeof(*position.sessions));
            for (struct target *target = epoch->gather.first; target; target = target->next, i++)
                position.sessions[position.session_count++] = (struct position_session){
                    .spec = xstrndup(target->spec, target->spec_size),
                    .id = xasprintf("%c%0*zu", 'a' + (int)(i % 26), POSITION_ID_BYTES - 1, i),
                    .blocks = 19999,
                    .rows = 1999999999,
                };
            buffer_clear(&text);
            position_print(&bed->epochs->options.owner, &position, &text);
            assert_true(text.size <= bound);
            position_release(&position);
        }
        buffer_release(&text);
        bed_close(bed);
    }
}

/* Rule 5: a finish that was stored although its answer was lost counts for this run. */
static void a_finish_that_was_stored_unheard_counts(void **state UNUSED)
{
    for (int stored = 0; stored < 2; stored++) {
        struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
        size_t count;

        to_prepare(bed, 1, 0, 10);
        assert_true(answer(bed, COMMIT_STORED)); /* the finish is out */
        store(bed, 0, stored ? 10 : 0, stored ? sent(bed, 0) : "");
        if (!stored)
            strcpy(bed->source->metadata[0], bed->source->metadata[1]);
        assert_true(answer(bed, COMMIT_UNKNOWN));
        for (int p = 0; p < SCRIPT_PARTITIONS; p++)
            lose(bed, p);
        assert_int_equal(epochs_counts(bed->epochs)->read, 0);
        assert_true(offer_stored(bed, 0));
        assert_int_equal(epochs_counts(bed->epochs)->read, stored ? 10 : 0);
        assert_int_equal(epochs_tallies(bed->epochs, &count)[0].counts.written, stored ? 10 : 0);
        bed_close(bed);
    }
}

static void segments_of_one_batch_may_go_to_several_epochs(void **state UNUSED)
{
    struct bed *bed = bed_open_as(DELIVERY_EXACTLY_ONCE);
    struct work *work = give(bed, 0, 0, 2);
    struct segment *second = segment_new();
    struct chunk **tail;

    bed->job.target.partitions_open_max = 512;
    work->segments->offset_next = 1;
    work->segments->counts = (struct counts){.read = 1, .written = 1, .dirty = 1, .expanded = 1};
    work->segments->next = second;
    second->offset_next = 2;
    second->counts = (struct counts){.read = 1, .written = 40, .expanded = 39};
    for (struct segment *segment = work->segments; segment; segment = segment->next) {
        tail = &segment->chunks;
        for (int i = 0; i < 40; i++) {
            char spec[64];
            int size = snprintf(spec, sizeof(spec), "tenant=%c%d%030d", segment == second ? 'b' : 'a', i, i);
            struct chunk *chunk = xcalloc(1, sizeof(*chunk) + 8 + (size_t)size);

            chunk->rows = 1;
            chunk->records_size = 4;
            chunk->spec_size = (size_t)size;
            memcpy(chunk->text, spec, (size_t)size);
            *tail = chunk;
            tail = &chunk->next;
        }
    }
    assert_true(take(bed, work));
    assert_int_equal(bed->epochs->count, 2);
    finish(bed);
    (void)pack(bed);
    assert_true(step(bed, 0));
    assert_int_equal(bed->source->committed[0], 2);
    assert_int_equal(epochs_counts(bed->epochs)->read, 2);
    bed_close(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_record_is_stored_before_sessions_are_committed),
        cmocka_unit_test(an_epoch_without_rows_needs_no_record),
        cmocka_unit_test(finish_and_the_next_prepare_share_a_request),
        cmocka_unit_test(a_refused_prepare_is_sent_again_and_nothing_was_committed),
        cmocka_unit_test(an_unknown_result_joins_the_group_anew),
        cmocka_unit_test(what_is_not_prepared_is_dropped_whole_and_read_again),
        cmocka_unit_test(a_batch_that_was_out_when_its_partition_was_rewound_is_thrown_away),
        cmocka_unit_test(a_prepared_epoch_goes_on_for_what_is_kept),
        cmocka_unit_test(a_refused_prepare_of_a_lost_partition_drops_the_epoch),
        cmocka_unit_test(an_epoch_of_which_nothing_is_kept_is_left_to_others),
        cmocka_unit_test(a_revoke_waits_for_a_prepared_epoch_and_leaves_its_record_in_the_end),
        cmocka_unit_test(a_record_is_rolled_forward_before_anything_is_read),
        cmocka_unit_test(a_record_that_not_all_partitions_carry_was_never_prepared),
        cmocka_unit_test(a_record_that_was_passed_is_decided_by_its_sessions),
        cmocka_unit_test(a_session_of_unknown_outcome_stops_with_the_evidence),
        cmocka_unit_test(a_position_that_someone_else_wrote_is_refused),
        cmocka_unit_test(an_epoch_closes_before_its_record_is_full),
        cmocka_unit_test(a_record_is_never_larger_than_foreseen),
        cmocka_unit_test(a_finish_that_was_stored_unheard_counts),
        cmocka_unit_test(segments_of_one_batch_may_go_to_several_epochs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
