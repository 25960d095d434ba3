/* budget.c: sums, and sentences about them. */
#include "pipeline/budget.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/position.h"
#include "pipeline/samples.h"
#include "pipeline/shadow.h"
#include "source/kafka.h"

enum {
    FIXED_BYTES = 24 << 20,        /* resident without data: binary, libraries, buffers of connections, stacks */
    BATCHES_WAITING = 2,           /* per worker, see may_feed of the hub */
    BLOCK_RATE = 10 * 1000 * 1000, /* bytes a second at which the service writes one block: protocol section 9.1 */
    SPEC_VALUE_BYTES = 16,         /* of a partition value that is not known before the rows come */
    BROKER_ID_BYTES = 22,          /* cluster and topic ids of Kafka */
};

int64_t budget_data_bytes(const struct job *job)
{
    return job->runtime.memory_max / 2;
}

unsigned budget_partitions_open(const struct job *job)
{
    return job->target.partition_count ? job->target.partitions_open_max : 1;
}

struct quota_demand budget_demand(const struct job *job)
{
    return (struct quota_demand){.flush_interval_ms = job->runtime.flush_interval_ms,
                                 .partitions_open = budget_partitions_open(job),
                                 .flush_bytes = job->runtime.flush_bytes};
}

static unsigned share_of(const struct job *job)
{
    return job->target.quota_share > 0 ? (unsigned)job->target.quota_share : 0;
}

static void budget_memory(struct budget *budget, const struct job *job)
{
    int64_t workers = job->runtime.workers ? job->runtime.workers : 1, data = budget_data_bytes(job);
    /* At workers, waiting for one, and one that fills. */
    int64_t batches = workers * (BUDGET_WORKER_DEPTH + BATCHES_WAITING + 1);

    budget->memory_max = job->runtime.memory_max;
    budget->prefetch = kafka_prefetch_bytes(job);
    budget->batches = batches * BUDGET_BATCH_COPIES * BUDGET_BATCH_BYTES;
    budget->blocks = job->runtime.uploads_in_flight * job->runtime.flush_bytes;
    budget->chunks = data - budget->batches - budget->blocks;
    budget->lua = workers * job->runtime.lua_memory_max;
    budget->fixed = FIXED_BYTES;
    budget->sum = budget->prefetch + data + budget->lua + budget->fixed;
    /* The states that workers keep of the code before, the trial's own with its batch, and the records that it is tried on. */
    budget->reload = (workers + 1) * job->runtime.lua_memory_max + (int64_t)shadow_batch_bytes(job) +
                     SAMPLES_MAX * SAMPLE_BYTES_MAX;
    budget->blocks_at_once = (unsigned)int64_max(1, int64_min(job->runtime.uploads_in_flight, data / job->runtime.flush_bytes));
}

static void budget_rates(struct budget *budget, const struct job *job)
{
    struct quota_demand demand = budget_demand(job);

    budget->wire_rate = (int64_t)budget->blocks_at_once * BLOCK_RATE;
    budget->sessions_asked = quota_sessions_asked(&demand);
    if (!share_of(job))
        return;
    budget->quota_rate = quota_bytes_per_second(&demand, share_of(job));
    budget->sessions_limit = quota_limit(QUOTA_SESSIONS, share_of(job));
}

/* "name=value,…", encoded as in a record; a value of kind time is as long as its pattern. */
static size_t spec_bytes(const struct job *job)
{
    size_t size = 0;

    for (size_t i = 0; i < job->target.partition_count; i++) {
        const struct job_partition *partition = &job->target.partitions[i];

        size += strlen(partition->name) + 3 + 3 * (i > 0);
        size += partition->kind == PARTITION_TIME && partition->format ? strlen(partition->format) : SPEC_VALUE_BYTES;
    }
    return size;
}

static void budget_record(struct budget *budget, const struct job *job)
{
    static const char id[] = "................................"; /* as many as a table's id may have */
    const struct job_maxcompute *maxcompute = &job->target.maxcompute;
    char *table = xasprintf("%s.%s.%s", maxcompute->project, maxcompute->schema ? maxcompute->schema : "", job->target.table);
    const char *broker_id = id + sizeof(id) - 1 - BROKER_ID_BYTES;
    struct position_owner owner = {job->name, broker_id, broker_id, table, id};
    size_t fixed = position_bytes_fixed(&owner), session = position_bytes_session(spec_bytes(job), POSITION_ID_BYTES);
    size_t room = POSITION_BYTES_MAX - size_min(POSITION_BYTES_MAX, fixed), named;

    if (room > POSITION_BYTES_COVER)
        budget->record_partitions = (unsigned)((room - POSITION_BYTES_COVER) / session);
    named = size_min(budget->record_partitions, budget_partitions_open(job));
    budget->record_covers = (unsigned)((room - named * session) / POSITION_BYTES_COVER);
    free(table);
}

void budget(struct budget *budget_out, const struct job *job)
{
    memset(budget_out, 0, sizeof(*budget_out));
    budget_memory(budget_out, job);
    budget_rates(budget_out, job);
    budget_record(budget_out, job);
}

static double mib(int64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void interval_print(int64_t ms, char text[32])
{
    if (ms % 1000)
        snprintf(text, 32, "%" PRId64 " ms", ms);
    else
        snprintf(text, 32, "%" PRId64 " s", ms / 1000);
}

void budget_print(const struct budget *budget, const struct job *job, unsigned kafka_partitions, struct buffer *text)
{
    const struct {
        const char *name;
        int64_t bytes;
    } items[] = {{"prefetch", budget->prefetch}, {"batches in work", budget->batches},
                 {"open chunks", int64_max(0, budget->chunks)}, {"blocks in flight", budget->blocks},
                 {"Lua", budget->lua}, {"fixed", budget->fixed}, {"sum", budget->sum}};
    char interval[32];

    buffer_print(text, "memory: at most, of runtime.memory_max (%.1f MiB); at %.1f MiB of batches, chunks and blocks together "
                 "the source is held back\n", mib(budget->memory_max), mib(budget_data_bytes(job)));
    for (size_t i = 0; i < COUNT_OF(items); i++)
        buffer_print(text, "  %-16s %8.1f MiB\n", items[i].name, mib(items[i].bytes));
    buffer_print(text, "  beside the sum, a reload may take %.1f MiB until the new code is proven\n", mib(budget->reload));
    buffer_print(text, "rate: ");
    if (budget->quota_rate)
        buffer_print(text, "%u blocks of %.1f MiB in 5 minutes are %.1f MiB/s before compression; ",
                     quota_limit(QUOTA_BLOCKS, share_of(job)), mib(job->runtime.flush_bytes), mib(budget->quota_rate));
    else
        buffer_print(text, "target.quota_share is unlimited; ");
    buffer_print(text, "%u block%s at once, each written at 10 MB/s, %s %" PRId64 " MB/s as they are sent\n",
                 budget->blocks_at_once, budget->blocks_at_once == 1 ? "" : "s", budget->blocks_at_once == 1 ? "is" : "are",
                 budget->wire_rate / 1000000);
    interval_print(job->runtime.flush_interval_ms, interval);
    buffer_print(text, "sessions: %u table partition%s every %s ask%s for up to %" PRId64 " in 5 minutes",
                 budget_partitions_open(job), budget_partitions_open(job) == 1 ? "" : "s", interval,
                 budget_partitions_open(job) == 1 ? "s" : "", budget->sessions_asked);
    if (budget->sessions_limit)
        buffer_print(text, "; the limit is %u", budget->sessions_limit);
    buffer_print(text, "\n");
    if (job->delivery != DELIVERY_EXACTLY_ONCE)
        return;
    buffer_print(text, "epochs: the record of one names at least %u table partitions, or %u Kafka partitions beside %u of them",
                 budget->record_partitions, budget->record_covers,
                 (unsigned)size_min(budget->record_partitions, budget_partitions_open(job)));
    if (kafka_partitions)
        buffer_print(text, " (the topic has %u%s)", kafka_partitions, kafka_partitions > budget->record_covers ?
                     "; a process that holds more flushes earlier" : "");
    buffer_print(text, "\n");
}

/* Where the value is written, else the map it would be in, else the file's beginning. */
static struct location written_at(const struct job *job, const char *map_name, const char *name, unsigned *width_out)
{
    const struct tree_node *map = job->tree ? tree_get(job->tree, map_name) : NULL;
    const struct tree_node *node = map ? tree_get(map, name) : NULL;

    if (!node)
        node = map;
    *width_out = node && node->kind == TREE_SCALAR ? (unsigned)size_max(node->width, 1) : 1;
    return node ? node->at : (struct location){job->path, 1, 1};
}

static void check_memory(const struct budget *budget, const struct job *job, struct report *report)
{
    unsigned width;
    struct location at = written_at(job, "runtime", "memory_max", &width);

    if (budget->sum > budget->memory_max)
        report_warning(report, at, width,
                       "runtime.memory_max: %.0f MiB are less than the %.0f MiB that the job may take; raise it, or lower "
                       "runtime.lua.memory_max (%.0f MiB for each of %u workers)",
                       mib(budget->memory_max), mib(budget->sum), mib(job->runtime.lua_memory_max),
                       job->runtime.workers ? job->runtime.workers : 1);
    if (budget->chunks < 0)
        report_warning(report, at, width,
                       "runtime.memory_max: half of it (%.0f MiB) is for data, but %u blocks in flight of %.1f MiB and the "
                       "batches in work take %.0f MiB, so blocks are sent before they are full; raise it, or lower "
                       "runtime.flush_bytes, runtime.uploads_in_flight or runtime.workers",
                       mib(budget_data_bytes(job)), job->runtime.uploads_in_flight, mib(job->runtime.flush_bytes),
                       mib(budget->blocks + budget->batches));
}

static void check_sessions(const struct budget *budget, const struct job *job, struct report *report)
{
    unsigned width;
    struct location at = written_at(job, "runtime", "flush_interval", &width);
    char interval[32];

    if (!budget->sessions_limit || budget->sessions_asked <= budget->sessions_limit)
        return;
    interval_print(job->runtime.flush_interval_ms, interval);
    report_warning(report, at, width,
                   "runtime.flush_interval: %u table partitions every %s ask for up to %" PRId64
                   " upload sessions in 5 minutes, and %u may be made; flushes come later then. Raise it to %" PRId64
                   "s%s",
                   budget_partitions_open(job), interval, budget->sessions_asked, budget->sessions_limit,
                   (budget_partitions_open(job) * INT64_C(300) + budget->sessions_limit - 1) / budget->sessions_limit,
                   job->target.partition_count ? ", or lower target.partitions_open_max to what is written at once" :
                                                 ", or raise target.quota_share");
}

/* A default that does not fit is no mistake of a person's: epochs are flushed earlier then, and check prints the number. */
static void check_record(const struct budget *budget, const struct job *job, struct report *report)
{
    unsigned width, wanted = budget_partitions_open(job);
    struct location at = written_at(job, "target", "partitions_open_max", &width);

    if (job->delivery != DELIVERY_EXACTLY_ONCE || budget->record_partitions >= wanted)
        return;
    if (job->target.partitions_open_max_at.line)
        at = job->target.partitions_open_max_at;
    if (job->target.partitions_open_max_at.line && budget->record_partitions)
        report_mistake(report, at, width,
                       "target.partitions_open_max: with delivery: exactly_once an epoch can name about %u table partitions of "
                       "this job in the %d bytes beside a Kafka offset; lower it from %u to %u",
                       budget->record_partitions, POSITION_BYTES_MAX, wanted, budget->record_partitions);
    else if (!budget->record_partitions)
        report_mistake(report, at, width,
                       "target: with delivery: exactly_once an epoch cannot name a single table partition of this job in the %d "
                       "bytes beside a Kafka offset; shorten the names of job, table and partition columns",
                       POSITION_BYTES_MAX);
}

void budget_check(const struct budget *budget, const struct job *job, struct report *report)
{
    check_memory(budget, job, report);
    check_sessions(budget, job, report);
    check_record(budget, job, report);
}
