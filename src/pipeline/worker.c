/* worker.c: one batch: stages, route, then records per table partition are encoded into the worker's scratch buffers and copied
 * out at their exact size (one copy of some 150 bytes a row, against a buffer per open partition). One block: chunks are fed to
 * the compressor one after the other. */
#include "pipeline/worker.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "maxcompute/compress.h"
#include "route/route.h"
#include "stages/chain.h"
#include "util/crc32c.h"

struct worker {
    struct worker_options options;
    struct chain *chain;
    struct route *route;
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

bool worker_new(struct worker **worker_out, const struct worker_options *options, struct error *error)
{
    const struct job *job = options->job;
    struct worker *worker = xcalloc(1, sizeof(*worker));
    bool ok = false;

    worker->options = *options;
    worker->origin = (struct dirty_origin){job->name, job->source.topic, options->topic_id};
    buffer_init(&worker->records, (size_t)job->runtime.memory_max);
    buffer_init(&worker->crcs, (size_t)job->runtime.memory_max);
    if (!chain_open(&worker->chain, job, NULL, options->log, error))
        goto out;
    if (!route_open(&worker->route, job, options->schema, chain_state(worker->chain), options->log, error))
        goto out;
    worker->compressor =
        compressor_new(job->runtime.compression == JOB_COMPRESSION_DEFLATE ? COMPRESSION_DEFLATE : COMPRESSION_NONE);
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
    route_free(worker->route);
    chain_free(worker->chain);
    compressor_free(worker->compressor);
    buffer_release(&worker->records);
    buffer_release(&worker->crcs);
    free(worker);
}

static struct chunk *encode_group(struct worker *worker, const struct routed *routed, const struct routed_group *group)
{
    struct chunk *chunk;

    buffer_clear(&worker->records);
    buffer_clear(&worker->crcs);
    record_encode(routed->columns, routed->column_count, group->rows, group->count, &worker->records, &worker->crcs);
    if (worker->records.failed || worker->crcs.failed)
        return NULL;
    assert(worker->crcs.size == (size_t)group->count * 4);
    chunk = malloc(sizeof(*chunk) + group->spec.size + worker->records.size + worker->crcs.size);
    if (!chunk)
        return NULL;
    chunk->next = NULL;
    chunk->rows = group->count;
    chunk->spec_size = group->spec.size;
    chunk->records_size = worker->records.size;
    if (group->spec.size)
        memcpy(chunk->text, group->spec.data, group->spec.size);
    if (worker->records.size)
        memcpy(chunk->text + group->spec.size, worker->records.data, worker->records.size);
    memcpy(chunk->text + group->spec.size + worker->records.size, worker->crcs.data, worker->crcs.size);
    return chunk;
}

static bool run_batch(struct worker *worker, struct work *work)
{
    struct batch *batch = work->batch;
    struct chunk **tail = &work->chunks;
    struct routed routed;

    if (!batch_begin(batch, worker->options.job->source.fields))
        return error_set(&work->error, ERROR_FATAL,
                         "a batch of %u records (%lld bytes) does not fit into its memory; lower runtime.batch_rows",
                         batch->message_count, (long long)batch->bytes);
    if (!chain_process(worker->chain, batch, &work->error) || !route_batch(worker->route, batch, &routed, &work->error))
        return false;
    work->counts = (struct counts){
        .read = batch->message_count,
        .filtered = batch->filtered_count,
        .dirty = batch->dirty_count,
        .expanded = batch->expanded_count,
    };
    for (size_t i = 0; i < routed.group_count; i++) {
        if (!routed.groups[i].count)
            continue;
        *tail = encode_group(worker, &routed, &routed.groups[i]);
        if (!*tail)
            return error_set(&work->error, ERROR_FATAL,
                             "the encoded rows of one batch do not fit into runtime.memory_max; raise it or lower "
                             "runtime.batch_rows");
        work->counts.written += (*tail)->rows;
        tail = &(*tail)->next;
    }
    if (batch->dirty_count) {
        dirty_format(batch, &worker->origin, worker->options.wall_ms(), &work->dirty_lines);
        work->dirty_reasons = dirty_reasons_new();
        dirty_reasons_add(work->dirty_reasons, batch);
    }
    return true;
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

static bool run_pack(struct worker *worker, struct work *work)
{
    struct block *block = xcalloc(1, sizeof(*block));
    struct buffer body, trailer;
    uint32_t crc = 0;
    bool ok;

    buffer_init(&body, (size_t)worker->options.job->runtime.memory_max);
    buffer_init(&trailer, 0);
    if (worker->block_size_last)
        (void)buffer_reserve(&body, worker->block_size_last + worker->block_size_last / 16);
    buffer_clear(&worker->records);
    ok = compressor_begin(worker->compressor, &body, &work->error);
    for (struct chunk *chunk = work->chunks; ok && chunk; chunk = chunk->next) {
        crc = crc32c(crc, chunk_crcs(chunk).data, chunk_crcs(chunk).size);
        block->rows += chunk->rows;
        block->raw_size += chunk->records_size;
        ok = feed(worker, chunk_records(chunk), false, &body, &work->error);
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
        chunks_free(work->chunks);
        work->chunks = NULL;
    } else {
        free(block);
    }
    buffer_release(&trailer);
    buffer_release(&body);
    return ok;
}

void worker_run(struct worker *worker, struct work *work)
{
    if (work->kind == WORK_PACK) {
        work->ok = run_pack(worker, work);
        return;
    }
    work->ok = run_batch(worker, work);
    /* Messages are let go here, on the worker's thread, so that the hub does not pay for it. */
    batch_clear(work->batch);
    atomic_store_explicit(&worker->lua_memory, script_state_memory(chain_state(worker->chain)), memory_order_relaxed);
}

bool worker_keeps_state(const struct worker *worker)
{
    return chain_keeps_state(worker->chain);
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
        worker_run(worker, work);
        /* The way back has room for all that was let in, so this never fails. */
        if (!queue_try_push(&worker->out, work))
            abort();
        worker->wake(worker->wake_arg);
    }
    return NULL;
}

void worker_start(struct worker *worker, size_t depth, void (*wake)(void *arg), void *arg)
{
    queue_init(&worker->in, depth);
    queue_init(&worker->out, depth);
    worker->depth = depth;
    worker->wake = wake;
    worker->wake_arg = arg;
    worker->threaded = true;
    if (pthread_create(&worker->thread, NULL, thread_main, worker) != 0)
        abort();
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
