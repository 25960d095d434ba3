/* kafka_until.c: bounded runs: where each partition ends, and when all of it is read.
 *
 * The limits of all partitions are asked once per process, when the topic is known, so that a partition which comes over from a
 * process that has ended is not read any further. Only those that are added to the topic later are asked when they are dealt. A
 * restarted process asks again: `end` is then the end at that time; a time and given offsets mean the same as before.
 * Trailing offsets may hold no records (ends of transactions, compaction), so reaching the limit is known by a record at or
 * behind it, or by librdkafka's news that the partition's end is reached. */
#include "source/kafka_internal.h"

bool kafka_bounded(const struct kafka_source *kafka)
{
    return kafka->run.until.kind != KAFKA_UNTIL_NEVER;
}

/* Given offsets need no question. */
bool kafka_until_known(const struct kafka_source *kafka, int32_t number)
{
    return !kafka_bounded(kafka) || kafka->partitions[number].limit != KAFKA_LIMIT_NONE;
}

bool kafka_until_start(struct kafka_source *kafka)
{
    const struct kafka_until *until = &kafka->run.until;
    struct error error;

    if (!kafka_bounded(kafka))
        return true;
    if (until->kind != KAFKA_UNTIL_OFFSETS)
        kafka_call_want(kafka, KAFKA_CALL_UNTIL);
    for (size_t i = 0; i < until->count; i++) {
        if (until->limits[i].partition >= kafka->topic_partitions) {
            error_set(&error, ERROR_CONFIG, "--until names partition %d, but topic %s has %d partitions, numbered from 0",
                      (int)until->limits[i].partition, kafka->job->source.topic, (int)kafka->topic_partitions);
            kafka_fail(kafka, &error);
            return false;
        }
        if (until->limits[i].offset == START_AT_LATEST)
            kafka_call_want(kafka, KAFKA_CALL_UNTIL);
    }
    return true;
}

/* A partition that is not named has nothing to read. */
int64_t kafka_until_given(const struct kafka_source *kafka, int32_t number)
{
    const struct kafka_until *until = &kafka->run.until;
    const struct start_offset *given;

    if (until->kind != KAFKA_UNTIL_OFFSETS)
        return KAFKA_LIMIT_NONE;
    given = start_offset_find(until->limits, until->count, number);
    return !given ? 0 : given->offset == START_AT_LATEST ? KAFKA_LIMIT_NONE : given->offset;
}

int64_t kafka_until_query(const struct kafka_source *kafka, int32_t number)
{
    return kafka->run.until.kind == KAFKA_UNTIL_TIME && !kafka->partitions[number].limit_latest ? kafka->run.until.time_ms :
                                                                                                  RD_KAFKA_OFFSET_SPEC_LATEST;
}

void kafka_until_answer(struct kafka_source *kafka, const rd_kafka_ListOffsetsResultInfo_t **infos, size_t count)
{
    bool dealt = false;

    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *listed = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        struct kafka_partition *partition = kafka_partition_at(kafka, listed->partition, false);

        if (!partition || partition->limit != KAFKA_LIMIT_NONE)
            continue;
        if (listed->offset >= 0)
            partition->limit = listed->offset;
        else
            partition->limit_latest = true; /* no record is that new: the log's end */
    }
    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        struct kafka_partition *partition = &kafka->partitions[i];
        bool waits = partition->state == KAFKA_PARTITION_BOUNDING;

        if (waits && partition->limit != KAFKA_LIMIT_NONE) {
            partition->state = KAFKA_PARTITION_COMMITTED;
            dealt = true;
        } else if (waits || (i < kafka->topic_partitions && partition->limit_latest && partition->limit == KAFKA_LIMIT_NONE)) {
            kafka_call_want(kafka, KAFKA_CALL_UNTIL);
        }
    }
    if (dealt)
        kafka_call_want(kafka, KAFKA_CALL_COMMITTED);
}

void kafka_until_reached(struct kafka_source *kafka, int32_t number)
{
    struct kafka_partition *partition = &kafka->partitions[number];

    if (partition->done)
        return;
    partition->done = true;
    kafka->end_check = true;
    kafka_fetching(kafka, number, false);
}

void kafka_until_again(struct kafka_source *kafka)
{
    if (!kafka_bounded(kafka))
        return;
    kafka_event_forget(kafka, SOURCE_END, -1);
    kafka->end_told = false;
    kafka->end_check = true;
}

/* A rewind. */
void kafka_until_undo(struct kafka_source *kafka, int32_t number)
{
    struct kafka_partition *partition = &kafka->partitions[number];

    if (!partition->done || partition->next >= partition->limit)
        return;
    partition->done = false;
    if (!kafka->paused)
        kafka_fetching(kafka, number, true);
}

void kafka_until_check(struct kafka_source *kafka)
{
    unsigned done = 0;

    if (!kafka->end_check || kafka->end_told || kafka->leaving || kafka->failed || kafka->stopping)
        return;
    kafka->end_check = false;
    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        const struct kafka_partition *partition = &kafka->partitions[i];

        if (partition->state == KAFKA_PARTITION_NONE)
            continue;
        if (partition->state != KAFKA_PARTITION_ASSIGNED || !partition->done || partition->revoking)
            return;
        done++;
    }
    if (!done)
        return;
    kafka->end_told = true;
    kafka_event_push(kafka, SOURCE_END, NULL, 0);
}

size_t kafka_source_reached(const struct source *source, struct kafka_reached *list_out, size_t max)
{
    const struct kafka_source *kafka = kafka_of(source);
    size_t count = 0;

    for (int32_t i = 0; i < kafka->partition_capacity && count < max; i++) {
        const struct kafka_partition *partition = &kafka->partitions[i];

        if (partition->from >= 0)
            list_out[count++] = (struct kafka_reached){.partition = i, .from = partition->from, .to = partition->limit};
    }
    return count;
}

bool kafka_until_parse(struct str text, const char *zone, int64_t now_ms, struct kafka_until *until_out, struct error *error)
{
    enum start_kind kind;
    struct start start;

    memset(until_out, 0, sizeof(*until_out));
    if (str_is(text, "end") || str_is(text, "latest")) {
        until_out->kind = KAFKA_UNTIL_END;
        return true;
    }
    if (str_is(text, "earliest"))
        return error_set(error, ERROR_CONFIG, "would read nothing; it must be end, a time, \"30m ago\" or PARTITION:OFFSET,...");
    if (!start_parse(text, &kind) || kind == START_COMMITTED)
        return error_set(error, ERROR_CONFIG, "is neither end, a time such as \"2024-01-31 00:00:00 Asia/Shanghai\" or "
                         "\"30m ago\", nor PARTITION:OFFSET,...");
    if (!start_read(text, zone, now_ms, &start, error))
        return false;
    until_out->kind = start.kind == START_OFFSETS ? KAFKA_UNTIL_OFFSETS : KAFKA_UNTIL_TIME;
    until_out->time_ms = start.ms;
    until_out->count = start.count;
    for (size_t i = 0; i < start.count; i++) {
        until_out->limits[i] = start.offsets[i];
        if (start.offsets[i].offset == START_AT_EARLIEST) {
            error_set(error, ERROR_CONFIG, "would read nothing of partition %d; a partition that is to be left out is not named",
                      (int)start.offsets[i].partition);
            start_release(&start);
            return false;
        }
    }
    start_release(&start);
    if (until_out->time_ms > now_ms)
        return error_set(error, ERROR_CONFIG, "is in the future; a run until then would end too early or never: records may come "
                         "later than their time. Start it after that time");
    return true;
}
