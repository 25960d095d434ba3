/* kafka_first.c: has this job run before? (design.md, epochs, rules 1 and 2), and will the group still know at the next start?
 * A group without any committed offset looks the same whether it never had one or has lost them. */
#include "source/kafka_internal.h"

#include <stdlib.h>

enum { RETENTION_MINUTES_MIN = 7 * 24 * 60 };

/* What the group had when we first looked. */
static bool first_look(struct kafka_source *kafka, bool any)
{
    const struct job *job = kafka->job;
    bool strict = job->delivery == DELIVERY_EXACTLY_ONCE;
    struct error error;

    if (any && kafka->run.first == KAFKA_FIRST_YES) {
        error_set(&error, ERROR_CONFIG, "source: group %s has committed positions of topic %s, so this is not the first run; "
                  "leave --first out", job->source.group, job->source.topic);
        if (strict) {
            kafka_fail(kafka, &error);
            return false;
        }
        log_warn(kafka->log, "%s", error.text);
    }
    if (any) {
        if (job->source.start != START_COMMITTED)
            log_warn(kafka->log, "source.start is not used, because the group has committed positions; `luaduct reset` moves "
                     "them group=%s topic=%s", job->source.group, job->source.topic);
        return true;
    }
    if (kafka->run.first == KAFKA_FIRST_NO && strict) {
        error_set(&error, ERROR_FATAL, "source: group %s has no committed position of topic %s: if the job never ran, start it "
                  "with `luaduct run --first`; if it ran before, its position is lost (offsets deleted, expired, another group "
                  "name): find it, see `luaduct reset`", job->source.group, job->source.topic);
        kafka_fail(kafka, &error);
        return false;
    }
    if (kafka->run.first == KAFKA_FIRST_NO)
        log_warn(kafka->log, "the group has no committed position: the job starts as one that never ran; if it ran before, its "
                 "position is lost, and records may be missed or written twice group=%s topic=%s", job->source.group,
                 job->source.topic);
    else
        log_info(kafka->log, "the group has no committed position: the job starts as one that never ran group=%s topic=%s",
                 job->source.group, job->source.topic);
    return true;
}

/* Positions that were there and are no more. */
static bool vanished_tell(struct kafka_source *kafka, size_t count, int32_t example)
{
    const struct job *job = kafka->job;
    struct error error;

    error_set(&error, ERROR_FATAL, "source: while the job ran, group %s lost its committed positions of %zu partitions of topic "
              "%s (partition %d, for instance): the group or its offsets were deleted; find them, see "
              "`luaduct reset`", job->source.group, count, job->source.topic, (int)example);
    if (job->delivery == DELIVERY_EXACTLY_ONCE) {
        kafka_fail(kafka, &error);
        return false;
    }
    log_warn(kafka->log, "the group has lost committed positions while the job ran: it or its offsets were deleted; the job "
             "reads these partitions from their first record group=%s topic=%s partitions=%zu example=%d", job->source.group,
             job->source.topic, count, (int)example);
    return true;
}

bool kafka_first_check(struct kafka_source *kafka, const rd_kafka_topic_partition_list_t *list)
{
    bool any = false;
    size_t vanished = 0;
    int32_t example = 0;

    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition = kafka_partition_at(kafka, list->elems[i].partition, false);
        bool stored = list->elems[i].offset >= 0;

        any = any || stored;
        if (!partition)
            continue;
        if (partition->positioned && !stored && !vanished++)
            example = list->elems[i].partition;
        partition->positioned = stored;
    }
    if (!kafka->start_told) {
        kafka->start_told = true;
        if (!first_look(kafka, any))
            return false;
    }
    kafka->job_known = kafka->job_known || any;
    return !vanished || vanished_tell(kafka, vanished, example);
}

/* Only to warn: brokers that do not let themselves be asked are left alone. */
void kafka_retention_answer(struct kafka_source *kafka, rd_kafka_event_t *event)
{
    size_t resources, entries;
    const rd_kafka_ConfigResource_t **list =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &resources);
    const rd_kafka_ConfigEntry_t **configs;

    if (resources != 1 || rd_kafka_ConfigResource_error(list[0]))
        return;
    configs = rd_kafka_ConfigResource_configs(list[0], &entries);
    for (size_t i = 0; i < entries; i++) {
        const char *value = rd_kafka_ConfigEntry_value(configs[i]);
        long minutes;

        if (strcmp(rd_kafka_ConfigEntry_name(configs[i]), "offsets.retention.minutes") != 0 || !value)
            continue;
        minutes = strtol(value, NULL, 10);
        if (minutes > 0 && minutes < RETENTION_MINUTES_MIN)
            log_warn(kafka->log, "the brokers forget the position of a job that is stopped for %ld minutes; raise their "
                     "offsets.retention.minutes to %d (seven days) or more group=%s", minutes, RETENTION_MINUTES_MIN,
                     kafka->job->source.group);
    }
}
