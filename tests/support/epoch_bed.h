/* epoch_bed.h: epochs alone, for tests: batches and blocks are given and taken by hand, and the sink forgets what it gets.
 * Include it behind cmocka.h. */
#ifndef TEST_SUPPORT_EPOCH_BED_H
#define TEST_SUPPORT_EPOCH_BED_H

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
static inline bool step(struct bed *bed, int64_t later_ms)
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

/* Another time whenever it is asked. */
static inline int64_t wall_ms(void)
{
    static int64_t now = 1700000000000;

    return now++;
}

/* All partitions are offered and anchored at 0. */
static inline struct bed *bed_open_as(enum delivery delivery)
{
    struct bed *bed = xcalloc(1, sizeof(*bed));
    struct dirty_options dirty = {.directory = bed->folder, .file_bytes_max = 1 << 20, .bytes_max = 1 << 20};
    struct source_partition offers[SCRIPT_PARTITIONS];
    struct mc_schema schema = {0};
    struct epochs_options options;

    strcpy(bed->folder, "/tmp/luaduct-epoch-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    bed->job.delivery = delivery;
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
    assert_true(epochs_offer(bed->epochs, offers, SCRIPT_PARTITIONS, SCRIPT_PARTITIONS, bed->now_ms, &bed->error));
    assert_true(step(bed, 0));
    assert_true(epochs_accepts(bed->epochs, 0));
    return bed;
}

static inline struct bed *bed_open(void)
{
    return bed_open_as(DELIVERY_AT_LEAST_ONCE);
}

static inline void bed_close(struct bed *bed)
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
static inline struct work *give(struct bed *bed, int32_t partition, int64_t first, int64_t next)
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

static inline bool take(struct bed *bed, struct work *work)
{
    bool ok = epochs_take(bed->epochs, work, bed->now_ms, 0, &bed->error);

    work_free(work);
    return ok;
}

/* It comes back with its rows in one chunk, for that table partition. */
static inline bool take_rows_for(struct bed *bed, struct work *work, const char *spec)
{
    struct chunk *chunk = xcalloc(1, sizeof(*chunk) + 8 + strlen(spec));

    chunk->rows = 1;
    chunk->spec_size = strlen(spec);
    chunk->records_size = 4;
    memcpy(chunk->text, spec, chunk->spec_size);
    work->segments->chunks = chunk;
    return take(bed, work);
}

static inline bool take_rows(struct bed *bed, struct work *work)
{
    return take_rows_for(bed, work, "");
}

/* What is due is packed; the number of blocks. */
static inline unsigned pack(struct bed *bed)
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
static inline void finish(struct bed *bed)
{
    epochs_flush(bed->epochs);
    assert_true(step(bed, 0));
    (void)pack(bed);
    assert_true(step(bed, 0));
}

#endif
