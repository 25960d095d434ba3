/* worker.c: one batch: stages, route, then records per table partition are encoded into the worker's scratch buffers and copied
 * out at their exact size (one copy of some 150 bytes a row, against a buffer per open partition). One block: chunks are fed to
 * the compressor one after the other. */
#include "pipeline/worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "maxcompute/compress.h"
#include "pipeline/position.h"
#include "util/crc32c.h"

struct worker {
    struct worker_options options;
    _Atomic(struct runner *) now; /* the hub asks it for the stage that runs; runners are freed by the hub's side only */
    struct runner *proven;        /* the one to go back to while `now` is on probation; else NULL */
    struct compressor *compressor;
    struct dirty_origin origin;
    struct buffer records, crcs; /* scratch of the work in hand */
    size_t block_size_last;      /* the guess for the next one's buffer */
    _Atomic size_t lua_memory;

    bool threaded;
    pthread_t thread;
    struct queue in, out;
    size_t depth;
    size_t load; /* the hub's side of the queues */
    void (*wake)(void *arg);
    void *wake_arg;
};

enum compression worker_compression(const struct job *job)
{
    static const enum compression of_job[] = {
        [JOB_COMPRESSION_DEFLATE] = COMPRESSION_DEFLATE,
        [JOB_COMPRESSION_ZSTD] = COMPRESSION_ZSTD,
        [JOB_COMPRESSION_NONE] = COMPRESSION_NONE,
    };

    return of_job[job->runtime.compression];
}

bool worker_new(struct worker **worker_out, const struct worker_options *options, struct error *error)
{
    const struct job *job = options->job;
    struct worker *worker = xcalloc(1, sizeof(*worker));
    struct runner *first;
    bool ok = false;

    worker->options = *options;
    worker->origin = (struct dirty_origin){job->name, job->source.topic, options->topic_id, NULL};
    buffer_init(&worker->records, (size_t)job->runtime.memory_max);
    buffer_init(&worker->crcs, (size_t)job->runtime.memory_max);
    if (!runner_open(&first, options->code, options->schema, STR_NONE, options->log, error))
        goto out;
    script_state_count(chain_state(first->chain), options->metrics);
    worker->now = first;
    worker->compressor = compressor_new(worker_compression(job));
    *worker_out = worker;
    worker = NULL;
    ok = true;
out:
    worker_free(worker);
    return ok;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    if (worker->threaded) {
        struct work *work;

        queue_close(&worker->in);
        pthread_join(worker->thread, NULL);
        while ((work = queue_try_pop(&worker->in)) || (work = queue_try_pop(&worker->out)))
            work_free(work);
        queue_release(&worker->in);
        queue_release(&worker->out);
    }
    runner_free(worker->now);
    runner_free(worker->proven);
    compressor_free(worker->compressor);
    buffer_release(&worker->records);
    buffer_release(&worker->crcs);
    free(worker);
}

/* Rows first..first+count of the group. */
static struct chunk *encode_group(struct worker *worker, const struct routed *routed, const struct routed_group *group,
                                  uint32_t first, uint32_t count, struct error *error)
{
    struct chunk *chunk = NULL;

    buffer_clear(&worker->records);
    buffer_clear(&worker->crcs);
    record_encode(routed->columns, routed->column_count, group->rows + first, count, &worker->records, &worker->crcs);
    if (!worker->records.failed && !worker->crcs.failed)
        chunk = malloc(sizeof(*chunk) + group->spec.size + worker->records.size + worker->crcs.size);
    if (!chunk) {
        error_set(error, ERROR_FATAL,
                  "the encoded rows of one batch do not fit into runtime.memory_max; raise it or lower runtime.batch_rows");
        return NULL;
    }
    assert(worker->crcs.size == (size_t)count * 4);
    chunk->next = NULL;
    chunk->rows = count;
    chunk->spec_size = group->spec.size;
    chunk->records_size = worker->records.size;
    if (group->spec.size)
        memcpy(chunk->text, group->spec.data, group->spec.size);
    if (worker->records.size)
        memcpy(chunk->text + group->spec.size, worker->records.data, worker->records.size);
    memcpy(chunk->text + group->spec.size + worker->records.size, worker->crcs.data, worker->crcs.size);
    return chunk;
}

static uint32_t message_of(const struct batch *batch, uint32_t row)
{
    return batch->row_message ? batch->row_message[row] : row;
}

/* How many of the group's rows, from `first` on, belong to records before `message`. */
static uint32_t rows_before(const struct batch *batch, const struct routed_group *group, uint32_t first, uint32_t message)
{
    uint32_t count = 0;

    while (first + count < group->count && message_of(batch, group->rows[first + count]) < message)
        count++;
    return count;
}

/* The record at which the segment that begins with record `begin` has to end: its rows go to no more table partitions than one
 * record beside an offset can name. Marks belong to the caller: one per record, how many bytes it adds by being the first of its
 * segment to name a partition. Cost: a walk over the groups, and only for batches that are too wide. */
static uint32_t cut_find(const struct worker *worker, const struct batch *batch, const struct routed *routed, size_t id_bytes,
                         const uint32_t *taken, uint32_t *marks)
{
    size_t bytes = 0;

    memset(marks, 0, batch->message_count * sizeof(*marks));
    for (size_t i = 0; i < routed->group_count; i++) {
        const struct routed_group *group = &routed->groups[i];

        if (taken[i] < group->count)
            marks[message_of(batch, group->rows[taken[i]])] +=
                (uint32_t)position_bytes_session(position_bytes_spec(group->spec), id_bytes);
    }
    for (uint32_t message = 0; message < batch->message_count; message++) {
        bytes += marks[message];
        if (bytes > worker->options.record_bytes_max)
            return message;
    }
    return batch->message_count;
}

/* Encodes the rows of records before `end` that no segment has yet. */
static bool segment_fill(struct worker *worker, const struct batch *batch, const struct routed *routed, uint32_t *taken,
                         uint32_t end, struct segment *segment, struct error *error)
{
    struct chunk **tail = &segment->chunks;

    for (size_t i = 0; i < routed->group_count; i++) {
        const struct routed_group *group = &routed->groups[i];
        uint32_t first = taken ? taken[i] : 0;
        uint32_t count = taken ? rows_before(batch, group, first, end) : group->count;

        if (!count)
            continue;
        *tail = encode_group(worker, routed, group, first, count, error);
        if (!*tail)
            return false;
        segment->counts.written += count;
        tail = &(*tail)->next;
        if (taken)
            taken[i] += count;
    }
    return true;
}

/* What is known of a cut segment's records is how many went in, were written and became dirty. Left out and made by expansion
 * are known for the batch alone: a segment takes the difference of the two, and the last one what is left, so that each adds up
 * and so does the sum. */
static void segment_count(const struct batch *batch, uint32_t begin, uint32_t end, struct counts *left, struct counts *counts)
{
    int64_t more;

    counts->read = end - begin;
    for (const struct dirty_row *row = batch->dirty; row; row = row->next)
        counts->dirty += row->message >= begin && row->message < end;
    more = counts->written + counts->dirty - counts->read;
    counts->expanded = end < batch->message_count ? int64_max(more, 0) : left->expanded;
    counts->filtered = end < batch->message_count ? int64_max(-more, 0) : left->filtered;
    left->expanded -= counts->expanded;
    left->filtered -= counts->filtered;
}

/* A batch whose rows go to too many table partitions for one epoch is cut at records. */
static bool cut_segments(struct worker *worker, const struct batch *batch, const struct routed *routed, struct work *work)
{
    struct counts left = {.filtered = batch->filtered_count, .expanded = batch->expanded_count};
    uint32_t *taken = xcalloc(routed->group_count + 1, sizeof(*taken));
    uint32_t *marks = xcalloc(batch->message_count + 1, sizeof(*marks));
    struct segment **tail = &work->segments;
    bool ok = true;

    for (uint32_t begin = 0, end; ok && begin < batch->message_count; begin = end) {
        struct segment *segment = *tail = segment_new();

        tail = &segment->next;
        end = cut_find(worker, batch, routed, work->id_bytes, taken, marks);
        if (end <= begin) {
            ok = error_set(&work->error, ERROR_FATAL,
                           "the rows of one record (offset %lld) go to more table partitions than exactly-once delivery can "
                           "commit together; use delivery: at_least_once, or partition by something else",
                           (long long)batch->messages[begin].offset);
            break;
        }
        ok = segment_fill(worker, batch, routed, taken, end, segment, &work->error);
        segment_count(batch, begin, end, &left, &segment->counts);
        segment->offset_next = end < batch->message_count ? batch->messages[end].offset : batch->offset_next;
        segment->timestamp_ms = batch->messages[end - 1].timestamp_ms;
    }
    free(taken);
    free(marks);
    return ok;
}

static bool too_wide(const struct worker *worker, const struct routed *routed, size_t id_bytes)
{
    size_t bytes = 0;

    if (!worker->options.record_bytes_max)
        return false;
    for (size_t i = 0; i < routed->group_count; i++)
        bytes += routed->groups[i].count ? position_bytes_session(position_bytes_spec(routed->groups[i].spec), id_bytes) : 0;
    return bytes > worker->options.record_bytes_max;
}

static bool run_with(struct worker *worker, struct runner *runner, struct work *work)
{
    struct batch *batch = work->batch;
    struct segment *segment;
    struct routed routed;

    if (!runner_run(runner, batch, &routed, &work->error))
        return false;
    if (too_wide(worker, &routed, work->id_bytes)) {
        if (!cut_segments(worker, batch, &routed, work))
            return false;
        segment = work->segments;
    } else {
        segment = work->segments = segment_new();
        segment->offset_next = batch->offset_next;
        segment->timestamp_ms = batch->messages[batch->message_count - 1].timestamp_ms;
        segment->counts = (struct counts){
            .read = batch->message_count,
            .filtered = batch->filtered_count,
            .dirty = batch->dirty_count,
            .expanded = batch->expanded_count,
        };
        if (!segment_fill(worker, batch, &routed, NULL, 0, segment, &work->error))
            return false;
    }
    if (batch->dirty_count) {
        segment->dirty_lines.bytes_max = (size_t)worker->options.job->runtime.memory_max;
        worker->origin.code = runner->code->version;
        dirty_format(batch, &worker->origin, worker->options.wall_ms(), &segment->dirty_lines);
        if (segment->dirty_lines.failed)
            return error_set(&work->error, ERROR_FATAL,
                             "the dirty rows of one batch do not fit into runtime.memory_max; raise it or lower "
                             "runtime.batch_rows");
        segment->dirty_reasons = dirty_reasons_new();
        dirty_reasons_add(segment->dirty_reasons, batch);
    }
    return true;
}

static void retire(struct work *work, struct runner *runner)
{
    runner->next = work->retired;
    work->retired = runner;
}

static uint64_t failures_of(const struct runner *runner, const char **first_out)
{
    return script_state_failures(chain_state(runner->chain), first_out);
}

/* The proven version goes on with the state that it had when it was replaced; save() of the failed one is not asked. That state
 * has part of the batch in it which is now run again, its form may be one that the older code does not know, and who gives it has
 * just failed. And it could only be taken by opening the proven version anew, which may fail: the way back must not. */
static void revert(struct worker *worker, struct work *work)
{
    struct runner *failed = worker->now;

    script_state_set_aside(chain_state(failed->chain), true);
    script_state_set_aside(chain_state(worker->proven->chain), false);
    retire(work, failed);
    worker->now = worker->proven;
    worker->proven = NULL;
}

/* The version on probation did not get through the batch without errors. That is no fault of it when the proven one does no
 * better; what it makes of the batch is in segments already, apart from the batch's memory, and is taken then. */
static bool run_proven(struct worker *worker, struct work *work, bool ok, uint64_t failures, const char *failure)
{
    struct segment *segments = work->segments;
    struct error error = work->error;
    struct script_state *proven = chain_state(worker->proven->chain);
    const char *text;
    bool proven_ok, better;

    if (ok)
        error_set(&error, ERROR_SCRIPT, "%s", failure);
    work->segments = NULL;
    batch_restart(work->batch);
    script_state_failures_clear(proven);
    script_state_hold(proven);
    proven_ok = run_with(worker, worker->proven, work);
    better = proven_ok && (!ok || failures_of(worker->proven, &text) < failures);
    script_state_settle(chain_state(worker->now->chain), !better);
    script_state_settle(proven, better);
    if (better) {
        segments_free(segments);
        work->error = error;
        work->reverted = true;
        revert(worker, work);
        return true;
    }
    segments_free(work->segments);
    work->segments = segments;
    work->error = error;
    return ok;
}

static bool run_batch(struct worker *worker, struct work *work)
{
    struct runner *now = worker->now;
    const char *failure;
    uint64_t failures;
    bool ok;

    if (!worker->proven)
        return run_with(worker, now, work);
    script_state_failures_clear(chain_state(now->chain));
    script_state_hold(chain_state(now->chain));
    ok = run_with(worker, now, work);
    failures = failures_of(now, &failure);
    if (!ok || failures)
        return run_proven(worker, work, ok, failures, failure);
    script_state_settle(chain_state(now->chain), true);
    return true;
}

/* The proven one stays with a second version that comes while the first is on probation. */
static bool run_swap(struct worker *worker, struct work *work)
{
    int64_t started_ms = worker->options.monotonic_ms();
    struct runner *now = worker->now, *next = NULL;
    struct buffer saved;
    bool ok;

    buffer_init(&saved, 2 * SCRIPT_SAVED_BYTES_MAX);
    ok = runner_save(now, &saved, &work->error) &&
         runner_open(&next, work->code, worker->options.schema, buffer_str(&saved), worker->options.log, &work->error);
    buffer_release(&saved);
    if (ok) {
        script_state_count(chain_state(next->chain), worker->options.metrics);
        script_state_set_aside(chain_state(now->chain), true);
        if (worker->proven)
            retire(work, now);
        else
            worker->proven = now;
        worker->now = next;
    }
    work->took_ms = worker->options.monotonic_ms() - started_ms;
    return ok;
}

/* Small chunks are joined before they are compressed: isa-l looks for matches within what it is given at once, so pieces of some
 * hundred bytes (many table partitions) would come out several times larger. */
static bool feed(struct worker *worker, struct str piece, bool last, struct buffer *body, struct error *error)
{
    enum { PIECE_BYTES_MIN = 64 * 1024 };

    if (!worker->records.size && piece.size >= PIECE_BYTES_MIN)
        return compressor_feed(worker->compressor, piece, body, error);
    buffer_append_str(&worker->records, piece);
    if (worker->records.failed)
        return error_set(error, ERROR_FATAL, "the encoded rows of one batch do not fit into runtime.memory_max; raise it");
    if (worker->records.size < PIECE_BYTES_MIN && !last)
        return true;
    if (!compressor_feed(worker->compressor, buffer_str(&worker->records), body, error))
        return false;
    buffer_clear(&worker->records);
    return true;
}

/* How large the block will be: as its rows, where they stay as they are, else a little more than the last one. */
static size_t block_size_guess(const struct worker *worker, const struct work *work)
{
    enum { TRAILER_BYTES_MAX = 32 };
    size_t size = worker->block_size_last + worker->block_size_last / 16;

    if (worker->options.job->runtime.compression != JOB_COMPRESSION_NONE)
        return size;
    size = TRAILER_BYTES_MAX;
    for (const struct chunk *chunk = work->chunks; chunk; chunk = chunk->next)
        size += chunk->records_size;
    return size;
}

static bool run_pack(struct worker *worker, struct work *work)
{
    struct block *block = xcalloc(1, sizeof(*block));
    struct buffer body, trailer;
    uint32_t crc = 0;
    bool ok;

    buffer_init(&body, (size_t)worker->options.job->runtime.memory_max);
    buffer_init(&trailer, 0);
    (void)buffer_reserve(&body, block_size_guess(worker, work));
    buffer_clear(&worker->records);
    ok = compressor_begin(worker->compressor, &body, &work->error);
    while (ok && work->chunks) {
        struct chunk *chunk = work->chunks;

        crc = crc32c(crc, chunk_crcs(chunk).data, chunk_crcs(chunk).size);
        block->rows += chunk->rows;
        block->raw_size += chunk->records_size;
        ok = feed(worker, chunk_records(chunk), false, &body, &work->error);
        /* At once: the block grows while its rows go, instead of beside all of them. */
        work->chunks = chunk->next;
        free(chunk);
    }
    record_trailer_crc(&trailer, block->rows, crc);
    ok = ok && feed(worker, buffer_str(&trailer), true, &body, &work->error) &&
         compressor_end(worker->compressor, &body, &work->error);
    if (ok && body.failed)
        ok = error_set(&work->error, ERROR_FATAL,
                       "a block of %zu bytes does not fit into runtime.memory_max; lower runtime.flush_bytes", block->raw_size);
    if (ok) {
        worker->block_size_last = body.size;
        block->data = buffer_take(&body, &block->size);
        work->block = block;
    } else {
        free(block);
    }
    buffer_release(&trailer);
    buffer_release(&body);
    return ok;
}

void worker_run(struct worker *worker, struct work *work)
{
    struct runner *now = worker->now;

    work->ok = true;
    switch (work->kind) {
    case WORK_PACK:
        work->ok = run_pack(worker, work);
        return;
    case WORK_BATCH:
        work->ok = run_batch(worker, work);
        /* Messages are let go here, on the worker's thread, so that the hub does not pay for it. */
        batch_clear(work->batch);
        break;
    case WORK_SWAP:
        work->ok = run_swap(worker, work);
        break;
    case WORK_REVERT:
        if (worker->proven && now->code == work->code)
            revert(worker, work);
        break;
    case WORK_PROVE:
        if (worker->proven && now->code == work->code) {
            retire(work, worker->proven);
            worker->proven = NULL;
        }
        break;
    }
    now = worker->now;
    atomic_store_explicit(&worker->lua_memory,
                          script_state_memory(chain_state(now->chain)) +
                              (worker->proven ? script_state_memory(chain_state(worker->proven->chain)) : 0),
                          memory_order_relaxed);
}

bool worker_keeps_state(const struct worker *worker)
{
    struct runner *now = worker->now;

    return runner_keeps_state(now);
}

const char *worker_stage_now(const struct worker *worker)
{
    struct runner *now = worker->now;

    return chain_stage_now(now->chain);
}

const struct chain *worker_chain(const struct worker *worker)
{
    return worker->now->chain;
}

size_t worker_lua_memory(const struct worker *worker)
{
    return atomic_load_explicit(&worker->lua_memory, memory_order_relaxed);
}

static void *thread_main(void *arg)
{
    struct worker *worker = arg;
    struct work *work;

    while ((work = queue_pop(&worker->in))) {
        work->started_ms = worker->options.monotonic_ms();
        worker_run(worker, work);
        /* The way back has room for all that was let in, so this never fails. */
        if (!queue_try_push(&worker->out, work))
            abort();
        worker->wake(worker->wake_arg);
    }
    return NULL;
}

void worker_start(struct worker *worker, size_t number, size_t depth, void (*wake)(void *arg), void *arg)
{
    char name[16]; /* all that Linux takes */

    queue_init(&worker->in, depth);
    queue_init(&worker->out, depth);
    worker->depth = depth;
    worker->wake = wake;
    worker->wake_arg = arg;
    worker->threaded = true;
    xthread_create(&worker->thread, thread_main, worker, "a worker");
    snprintf(name, sizeof(name), "worker %zu", number);
    (void)pthread_setname_np(worker->thread, name);
}

bool worker_try_give(struct worker *worker, struct work *work)
{
    /* load also counts what waits on the way back, which is what bounds the second queue. */
    if (worker->load == worker->depth || !queue_try_push(&worker->in, work))
        return false;
    worker->load++;
    return true;
}

struct work *worker_try_take(struct worker *worker)
{
    struct work *work = queue_try_pop(&worker->out);

    worker->load -= work != NULL;
    return work;
}

size_t worker_load(const struct worker *worker)
{
    return worker->load;
}
