/* sample_take.c: rounds over what is there: in each one every partition that has not come to its end may give an equal share of
 * what is wanted; the next round shares out what short ones did not give. A partition whose share is used up is not read any
 * further, so nothing is fetched for nothing. What comes later is taken as it comes. */
#include "cli/sample_take.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/clock.h"

enum {
    SLICE_MS = 100, /* how often a Ctrl-C is looked for */
    PROGRESS_MS = 200,
    STALL_MS_MIN = 10 * 1000, /* until brokers that give nothing of what is there are told */
};

static void progress_show(struct take *take, bool waiting, bool force)
{
    static int64_t shown_ms;
    int64_t now_ms = clock_monotonic_ms();

    if (!take->progress || (!force && now_ms - shown_ms < PROGRESS_MS))
        return;
    shown_ms = now_ms;
    fprintf(stderr, "\r\033[K%" PRId64 " of %" PRId64 " records, %.1f kB%s", take->count, take->records_max,
            (double)sample_writer_bytes(take->writer) / 1000,
            !waiting      ? ""
            : take->count ? "; waiting for new ones (Ctrl-C ends with these)"
                          : "; waiting for the first one");
    fflush(stderr);
}

static struct take_partition *partition_of(struct take *take, int32_t number)
{
    for (size_t i = 0; i < take->partition_count; i++)
        if (take->partitions[i].partition == number)
            return &take->partitions[i];
    return NULL;
}

static bool begin(struct take *take, struct take_partition *partition, int64_t share, struct error *error)
{
    if (!kafka_reader_begin(take->reader, partition->partition, partition->next, error))
        return false;
    partition->reading = true;
    partition->share = share;
    return true;
}

static void end(struct take *take, struct take_partition *partition)
{
    if (partition->reading)
        kafka_reader_end(take->reader, partition->partition);
    partition->reading = false;
}

static bool add(struct take *take, struct take_partition *partition, const struct kafka_reader_record *from, struct error *error)
{
    struct sample_record record = {.partition = from->partition, .message = from->message};
    struct sample_header *headers = NULL;
    size_t capacity = 0;
    struct str name, value;
    bool ok;

    while (kafka_reader_header(take->reader, record.header_count, &name, &value)) {
        XGROW(headers, record.header_count, capacity);
        headers[record.header_count++] = (struct sample_header){name, value};
    }
    record.headers = headers;
    ok = sample_writer_add(take->writer, &record, error);
    free(headers);
    if (!partition->count++) {
        partition->first = from->message.offset;
        partition->time_first_ms = from->message.timestamp_ms;
    }
    partition->last = from->message.offset;
    partition->time_last_ms = from->message.timestamp_ms;
    partition->share--;
    take->count++;
    return ok;
}

/* One step of reading; *came when there was a record or an end. bounded: up to the ends that the logs had. */
static bool turn(struct take *take, bool bounded, bool *came, struct error *error)
{
    struct kafka_reader_record record;
    struct take_partition *partition = NULL;

    *came = false;
    switch (kafka_reader_take(take->reader, SLICE_MS, &record, error)) {
    case KAFKA_READER_FAILED:
        return false;
    case KAFKA_READER_NOTHING:
        return true;
    case KAFKA_READER_AT_END:
        partition = partition_of(take, record.partition);
        if (!partition || !partition->reading || !bounded)
            return true;
        partition->at_end = true;
        break;
    case KAFKA_READER_RECORD:
        partition = partition_of(take, record.partition);
        if (!partition || !partition->reading || record.message.offset < partition->next)
            return true;
        partition->at_end = bounded && record.message.offset >= partition->end;
        if (partition->at_end)
            break;
        partition->next = record.message.offset + 1;
        if (!add(take, partition, &record, error))
            return false;
        partition->at_end = bounded && partition->next >= partition->end;
        break;
    }
    *came = true;
    if (partition->at_end || partition->share == 0)
        end(take, partition);
    return true;
}

static size_t reading_count(const struct take *take)
{
    size_t count = 0;

    for (size_t i = 0; i < take->partition_count; i++)
        count += take->partitions[i].reading;
    return count;
}

static bool stalled(const struct take *take, struct error *error)
{
    const char *reason = kafka_reader_reason(take->reader);

    return error_set(error, ERROR_RETRY, "source: the brokers have given nothing more of what the topic holds%s%s",
                     *reason ? ": " : "", reason);
}

/* A share for each partition that is not at its end; false with ERROR_NONE when there is none. */
static bool round_begin(struct take *take, struct error *error)
{
    int64_t left = take->records_max - take->count;
    size_t open = 0, number = 0;

    for (size_t i = 0; i < take->partition_count; i++)
        open += !take->partitions[i].at_end;
    for (size_t i = 0; i < take->partition_count; i++) {
        struct take_partition *partition = &take->partitions[i];
        int64_t share;

        if (partition->at_end)
            continue;
        share = left / (int64_t)open + ((int64_t)number++ < left % (int64_t)open);
        if (share && !begin(take, partition, share, error))
            return false;
    }
    return open;
}

static bool take_what_is_there(struct take *take, struct error *error)
{
    int64_t came_ms;
    bool came;

    error->kind = ERROR_NONE;
    for (size_t i = 0; i < take->partition_count; i++)
        take->partitions[i].at_end = take->partitions[i].next >= take->partitions[i].end;
    while (take->count < take->records_max && !atomic_load(&take->stop)) {
        if (!round_begin(take, error))
            return error->kind == ERROR_NONE;
        came_ms = clock_monotonic_ms();
        while (reading_count(take) && !atomic_load(&take->stop)) {
            if (!turn(take, true, &came, error))
                return false;
            if (came)
                came_ms = clock_monotonic_ms();
            else if (clock_monotonic_ms() - came_ms > int64_max(take->timeout_ms, STALL_MS_MIN))
                return stalled(take, error);
            progress_show(take, false, false);
        }
    }
    return true;
}

static bool take_what_comes(struct take *take, struct error *error)
{
    int64_t came_ms = clock_monotonic_ms();
    const char *reason;
    bool came;

    for (size_t i = 0; i < take->partition_count; i++)
        if (!begin(take, &take->partitions[i], INT64_MAX, error))
            return false;
    progress_show(take, true, true);
    while (take->count < take->records_max && !atomic_load(&take->stop)) {
        if (!turn(take, false, &came, error))
            return false;
        if (came)
            came_ms = clock_monotonic_ms();
        else if (clock_monotonic_ms() - came_ms >= take->timeout_ms)
            break;
        progress_show(take, true, false);
    }
    reason = kafka_reader_reason(take->reader);
    return take->count == take->records_max || !*reason || atomic_load(&take->stop) ||
           error_set(error, ERROR_RETRY, "source: the brokers do not answer any more: %s", reason);
}

bool sample_take(struct take *take, struct error *error)
{
    bool ok = take_what_is_there(take, error);

    if (ok && take->count < take->records_max && take->timeout_ms && !atomic_load(&take->stop))
        ok = take_what_comes(take, error);
    for (size_t i = 0; i < take->partition_count; i++)
        end(take, &take->partitions[i]);
    if (take->progress)
        fputs("\r\033[K", stderr);
    take->end = !ok                                ? TAKE_FAILED
                : take->count == take->records_max ? TAKE_FULL
                : atomic_load(&take->stop)         ? TAKE_STOPPED
                                                   : TAKE_IDLE;
    return ok;
}
