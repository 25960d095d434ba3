/* automatic.c */
#include "pipeline/automatic.h"

#include <inttypes.h>

#include "job/options.h"
#include "pipeline/budget.h"

enum { WORKERS_MAX = 8, WORKERS_A_PARTITION = 2, UPLOADS_MAX = 16, MEMORY_SHARE = 4, STEP_MIB = 16, MEMORY_MIN_MIB = 64 };

static const int64_t MIB = 1 << 20;
static const int64_t MEMORY_DEFAULT = INT64_C(256) << 20;
static const int64_t BLOCK_MAX = INT64_C(64) << 20;
static const int64_t INTERVAL_DEFAULT_MS = 60 * 1000, INTERVAL_MAX_MS = 1000 * 1000;

static bool written(const struct job *job, const char *option)
{
    return tree_at(job->tree, option, false) != NULL;
}

/* The least ceiling, in steps, under which the sum of the budget fits with so many workers. */
static int64_t memory_needed(const struct job *job, unsigned workers)
{
    struct job trial = *job;
    struct budget sum;

    trial.runtime.workers = workers;
    trial.runtime.memory_max = MEMORY_DEFAULT;
    budget(&sum, &trial);
    while (sum.sum > trial.runtime.memory_max) {
        trial.runtime.memory_max += STEP_MIB * MIB;
        budget(&sum, &trial);
    }
    return trial.runtime.memory_max;
}

static unsigned workers_for(const struct job *job, const struct machine *machine, unsigned kafka_partitions, int64_t ceiling)
{
    unsigned workers = machine->cores > 1 ? machine->cores - 1 : 1;

    if (kafka_partitions)
        workers = (unsigned)size_min(workers, (size_t)kafka_partitions * WORKERS_A_PARTITION);
    workers = (unsigned)size_min(workers, WORKERS_MAX);
    while (workers > 1 && memory_needed(job, workers) > ceiling)
        workers--;
    return workers;
}

static int64_t block_bytes_for(const struct job *job)
{
    struct job trial = *job;
    struct budget now;
    int64_t room;

    trial.runtime.flush_bytes = MIB;
    budget(&now, &trial);
    room = (budget_data_bytes(&trial) - now.batches) / (job->runtime.uploads_in_flight + 2);
    room = int64_min(int64_max(room / MIB, 1), BLOCK_MAX / MIB) * MIB;
    return int64_min(room, job->runtime.memory_max / 4 / MIB * MIB); /* runtime_check of job/load.c */
}

static int64_t interval_for(const struct job *job)
{
    struct quota_demand demand = budget_demand(job);
    int64_t asked, limit;

    demand.flush_interval_ms = INTERVAL_DEFAULT_MS;
    if (job->target.quota_share <= 0)
        return INTERVAL_DEFAULT_MS;
    asked = quota_sessions_asked(&demand);
    limit = quota_limit(QUOTA_SESSIONS, (unsigned)job->target.quota_share);
    if (asked <= limit)
        return INTERVAL_DEFAULT_MS;
    return int64_min(INTERVAL_MAX_MS, (INTERVAL_DEFAULT_MS * asked / limit + 999) / 1000 * 1000);
}

void automatic_set(struct job *job, const struct machine *machine, unsigned kafka_partitions)
{
    int64_t ceiling = machine->memory_bytes ? machine->memory_bytes / MEMORY_SHARE : MEMORY_DEFAULT;

    if (!job->runtime.automatic)
        return;
    if (written(job, "runtime.memory_max"))
        ceiling = job->runtime.memory_max;
    ceiling = int64_max(ceiling / (STEP_MIB * MIB) * (STEP_MIB * MIB), MEMORY_MIN_MIB * MIB);
    if (!written(job, "runtime.workers"))
        job->runtime.workers = workers_for(job, machine, kafka_partitions, ceiling);
    if (!written(job, "runtime.memory_max"))
        job->runtime.memory_max = int64_min(ceiling, memory_needed(job, job->runtime.workers));
    if (!written(job, "runtime.uploads_in_flight"))
        job->runtime.uploads_in_flight = (unsigned)size_min(2 + 2 * size_max(job->runtime.workers, 1), UPLOADS_MAX);
    if (!written(job, "runtime.flush_bytes"))
        job->runtime.flush_bytes = block_bytes_for(job);
    if (!written(job, "runtime.flush_interval"))
        job->runtime.flush_interval_ms = interval_for(job);
}

void automatic_print(const struct job *job, const struct machine *machine, unsigned kafka_partitions, struct buffer *text)
{
    const struct {
        const char *name, *option;
        enum option_type type;
        int64_t value;
    } values[] = {
        {"workers", "runtime.workers", OPTION_INTEGER, job->runtime.workers},
        {"memory_max", "runtime.memory_max", OPTION_SIZE, job->runtime.memory_max},
        {"uploads_in_flight", "runtime.uploads_in_flight", OPTION_INTEGER, job->runtime.uploads_in_flight},
        {"flush_bytes", "runtime.flush_bytes", OPTION_SIZE, job->runtime.flush_bytes},
        {"flush_interval", "runtime.flush_interval", OPTION_DURATION, job->runtime.flush_interval_ms},
    };
    bool any = false;

    buffer_print(text, "runtime.auto: %u core%s", machine->cores, machine->cores == 1 ? "" : "s");
    if (machine->memory_bytes)
        buffer_print(text, ", %.1f GiB of memory", (double)machine->memory_bytes / (1 << 30));
    if (kafka_partitions)
        buffer_print(text, " and %u Kafka partition%s", kafka_partitions, kafka_partitions == 1 ? "" : "s");
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char number[OPTION_NUMBER_MAX];
        bool own = written(job, values[i].option);

        buffer_print(text, "%s %s %s%s", i ? "," : ":", values[i].name,
                     option_number_print(values[i].type, values[i].value, number), own ? "*" : "");
        any = any || own;
    }
    buffer_print(text, "%s", any ? " (* as the job says)" : "");
}
