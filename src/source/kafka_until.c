/* kafka_until.c: bounded runs: where each partition ends, and when all of it is read.
 *
 * The limits of all partitions are asked once per process, when the topic is known, so that a partition which comes over from a
 * process that has ended is not read any further. Only those that are added to the topic later are asked when they are dealt. A
 * restarted process asks again: `end` is then the end at that time; a time and given offsets mean the same as before.
 * Trailing offsets may hold no records (ends of transactions, compaction), so reaching the limit is known by a record at or
 * behind it, or by librdkafka's news that the partition's end is reached. */
#include "source/kafka_internal.h"

#include "job/tables.h"

bool kafka_bounded(const struct kafka_source *kafka)
{
    return kafka->run.until.kind != KAFKA_UNTIL_NEVER;
}

/* OFFSETS need no question. */
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
    if (until->kind != KAFKA_UNTIL_OFFSETS) {
        kafka_call_want(kafka, KAFKA_CALL_UNTIL);
        return true;
    }
    for (size_t i = 0; i < until->count; i++) {
        if (until->limits[i].partition >= kafka->topic_partitions) {
            error_set(&error, ERROR_CONFIG, "--until names partition %d, but topic %s has %d partitions, numbered from 0",
                      (int)until->limits[i].partition, kafka->job->source.topic, (int)kafka->topic_partitions);
            kafka_fail(kafka, &error);
            return false;
        }
    }
    return true;
}

/* A partition that is not named has nothing to read. */
int64_t kafka_until_given(const struct kafka_source *kafka, int32_t number)
{
    const struct kafka_until *until = &kafka->run.until;

    if (until->kind != KAFKA_UNTIL_OFFSETS)
        return KAFKA_LIMIT_NONE;
    for (size_t i = 0; i < until->count; i++) {
        if (until->limits[i].partition == number)
            return until->limits[i].offset;
    }
    return 0;
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

/* "0:100,1:250" */
static bool offsets_parse(struct str text, struct kafka_until *until, struct error *error)
{
    size_t at = 0;

    while (at < text.size) {
        int64_t numbers[2] = {0};

        for (int i = 0; i < 2; i++) {
            size_t digits = 0;

            for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9' && digits < 18; at++, digits++)
                numbers[i] = numbers[i] * 10 + (text.data[at] - '0');
            if (!digits || (i == 0 && (at >= text.size || text.data[at++] != ':')))
                return error_set(error, ERROR_CONFIG, "is no list of PARTITION:OFFSET,PARTITION:OFFSET...");
        }
        if (at < text.size && (text.data[at++] != ',' || at == text.size))
            return error_set(error, ERROR_CONFIG, "is no list of PARTITION:OFFSET,PARTITION:OFFSET...");
        if (numbers[0] >= KAFKA_PARTITIONS_MAX || until->count == KAFKA_LIMITS_MAX)
            return error_set(error, ERROR_CONFIG, "names a partition that no topic has, or more than %d", KAFKA_LIMITS_MAX);
        for (size_t i = 0; i < until->count; i++) {
            if (until->limits[i].partition == numbers[0])
                return error_set(error, ERROR_CONFIG, "names partition %d twice", (int)numbers[0]);
        }
        until->limits[until->count++] = (struct kafka_limit){.partition = (int32_t)numbers[0], .offset = numbers[1]};
    }
    return true;
}

bool kafka_until_parse(struct str text, const char *zone, int64_t now_ms, struct kafka_until *until_out, struct error *error)
{
    bool offsets = text.size > 0;

    memset(until_out, 0, sizeof(*until_out));
    if (str_equal(text, STR("end"))) {
        until_out->kind = KAFKA_UNTIL_END;
        return true;
    }
    for (size_t i = 0; i < text.size; i++)
        offsets = offsets && strchr("0123456789:,", text.data[i]);
    if (offsets && memchr(text.data, ':', text.size)) {
        until_out->kind = KAFKA_UNTIL_OFFSETS;
        return offsets_parse(text, until_out, error);
    }
    until_out->kind = KAFKA_UNTIL_TIME;
    if (!start_time_parse(text, zone, &until_out->time_ms, error)) {
        error->kind = ERROR_CONFIG;
        return false;
    }
    if (until_out->time_ms > now_ms)
        return error_set(error, ERROR_CONFIG, "is in the future; a run until then would end too early or never: records may come "
                         "later than their time. Start it after that time");
    return true;
}
