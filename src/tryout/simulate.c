/* simulate.c: puts the parts together; the parts do the work. */
#include "tryout/simulate.h"

#include <stdlib.h>

#include "maxcompute/compress.h"
#include "maxcompute/http.h"
#include "pipeline/worker.h"
#include "source/replay.h"
#include "util/clock.h"

struct simulation {
    struct job *job;
    struct metrics *metrics;
    struct stats stats;
    struct log *log;   /* the hub's, whose news are of a run that is none */
    struct http *http; /* where the hub waits; no request is made */
    struct buffer dirty_lines;
    struct dirty_store *dirty;
    struct sink *sink;
    struct source *source;
    struct hub *hub;
    struct dirty_record *rows;
    size_t count;
};

/* One worker in the hub's own thread, and as many dirty rows as there are: the person wants to see them all. */
static void set_aside(struct job *job)
{
    job->runtime.workers = 0;
    job->dirty.max = -1;
    job->dirty.bytes_max = 0;
}

struct simulation *simulation_new(const struct simulation_options *options)
{
    struct simulation *simulation = xcalloc(1, sizeof(*simulation));
    const struct sample *sample = options->sample;
    struct replay_options replay = {
        .records = sample->messages,
        .count = sample->count,
        .partitions = (unsigned)sample->partitions,
        .partition_of = sample->partition_of,
    };
    struct http_options http = {0};
    struct hub_options hub;

    set_aside(options->job);
    simulation->job = options->job;
    simulation->metrics = metrics_new(options->job->name);
    stats_init(&simulation->stats, simulation->metrics);
    simulation->log = log_new(NULL, options->job->name);
    log_quiet(simulation->log, LOG_ERROR);
    http.log = simulation->log;
    simulation->http = http_new(&http);
    buffer_init(&simulation->dirty_lines, 0);
    simulation->dirty = dirty_memory_open(&simulation->dirty_lines);
    simulation->sink = memory_sink_new(options->schema);
    simulation->source = replay_source_new(&replay);
    hub = (struct hub_options){
        .job = options->job,
        .probe = options->probe,
        .http = simulation->http,
        .source = simulation->source,
        .sink = simulation->sink,
        .dirty = simulation->dirty,
        .stats = &simulation->stats,
        .table = options->table,
        .records_max = -1,
        .monotonic_ms = clock_monotonic_ms,
        .wall_ms = clock_wall_ms,
        .log = simulation->log,
        .worker_log = options->script_log,
    };
    simulation->hub = hub_new(&hub);
    return simulation;
}

void simulation_free(struct simulation *simulation)
{
    if (!simulation)
        return;
    hub_free(simulation->hub);
    dirty_store_close(simulation->dirty);
    simulation->source->ops->free(simulation->source);
    simulation->sink->ops->free(simulation->sink);
    http_free(simulation->http);
    metrics_free(simulation->metrics);
    log_free(simulation->log);
    for (size_t i = 0; i < simulation->count; i++)
        dirty_record_release(&simulation->rows[i]);
    free(simulation->rows);
    buffer_release(&simulation->dirty_lines);
    free(simulation);
}

static int by_place(const void *left, const void *right)
{
    const struct dirty_record *a = left, *b = right;

    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void read_dirty(struct simulation *simulation)
{
    struct str line, rest = buffer_str(&simulation->dirty_lines);
    size_t capacity = 0;

    while (rest.size) {
        str_cut(rest, '\n', &line, &rest);
        XGROW(simulation->rows, simulation->count, capacity);
        if (dirty_record_read(&simulation->rows[simulation->count], line))
            simulation->count++;
    }
    if (simulation->count)
        qsort(simulation->rows, simulation->count, sizeof(*simulation->rows), by_place);
}

bool simulation_run(struct simulation *simulation, struct report *report, struct error *error)
{
    bool ok = hub_run(simulation->hub, report, error);

    read_dirty(simulation);
    return ok;
}

const struct mc_schema *simulation_schema(const struct simulation *simulation)
{
    return &simulation->sink->schema;
}

const struct memory_partition *simulation_partitions(const struct simulation *simulation, size_t *count_out)
{
    return memory_sink_partitions(simulation->sink, count_out);
}

struct simulation_dirty simulation_dirty(const struct simulation *simulation)
{
    return (struct simulation_dirty){simulation->rows, simulation->count};
}

const struct counts *simulation_counts(const struct simulation *simulation)
{
    return hub_counts(simulation->hub);
}

struct chain_counts simulation_stage_counts(const struct simulation *simulation, size_t stage)
{
    return hub_stage_counts(simulation->hub, stage);
}

bool simulation_decoder_counts(const struct simulation *simulation, struct chain_counts *counts_out)
{
    return hub_decoder_counts(simulation->hub, counts_out);
}

/* 1: go on, 0: the caller has enough, -1: error. */
static int walk_block(const struct simulation *simulation, const struct block *block, simulation_row row, void *arg,
                      struct error *error)
{
    enum { TRAILER_BYTES_MAX = 64 };
    const char *encoding = compression_name(worker_compression(simulation->job));
    struct record_decoder *decoder;
    const struct record_value *values;
    struct buffer body;
    int more = -1;

    buffer_init(&body, 0);
    if (decompress(str_of(encoding ? encoding : ""), str_make(block->data, block->size), block->raw_size + TRAILER_BYTES_MAX,
                   &body, error)) {
        decoder = record_decoder_new(&simulation->sink->schema, buffer_str(&body));
        while ((more = record_decoder_next(decoder, &values, error)) == 1)
            if (!row(arg, values))
                break;
        record_decoder_free(decoder);
    }
    buffer_release(&body);
    return more < 0 ? -1 : more == 0;
}

bool simulation_walk(const struct simulation *simulation, const struct memory_partition *partition, simulation_row row, void *arg,
                     struct error *error)
{
    for (size_t i = 0; i < partition->count; i++) {
        int more = walk_block(simulation, partition->blocks[i], row, arg, error);

        if (more <= 0)
            return more == 0;
    }
    return true;
}
