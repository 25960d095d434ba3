/* kafka_offsets.c: a job that begins at given offsets per partition (source.start.offsets): whether they are there, and what
 * each partition begins at. A wrong one is told and never replaced by another: it would skip records, or read others twice. */
#include "source/kafka_internal.h"

#include <stdio.h>
#include <stdlib.h>

static void place_print(struct buffer *text, const struct location *at)
{
    if (at->line)
        buffer_print(text, "%s:%u:%u: ", at->file, at->line, at->column);
}

/* One sentence, or nothing. */
static void mistake_print(const struct job *job, int32_t partitions, const int64_t *begins, const int64_t *ends,
                          const struct start_offset *offset, struct buffer *text)
{
    if (offset->partition >= partitions) {
        place_print(text, &offset->at);
        buffer_print(text, "source.start.offsets names partition %d, but topic %s has %d, numbered from 0",
                     (int)offset->partition, job->source.topic, (int)partitions);
    } else if (offset->offset >= 0 && (offset->offset < begins[offset->partition] || offset->offset > ends[offset->partition])) {
        place_print(text, &offset->at);
        buffer_print(text, "source.start.offsets: partition %d has no offset %lld; its log begins at %lld and ends at %lld",
                     (int)offset->partition, (long long)offset->offset, (long long)begins[offset->partition],
                     (long long)ends[offset->partition]);
    }
}

static void unnamed_print(const struct job *job, int32_t partitions, struct buffer *text)
{
    int32_t count = 0, example = 0;

    for (int32_t i = partitions - 1; i >= 0 && job->source.otherwise == START_COMMITTED; i--) {
        if (start_offset_find(job->source.offsets, job->source.offset_count, i))
            continue;
        example = i;
        count++;
    }
    if (count)
        buffer_print(text,
                     "source.start.offsets does not name %d of the %d partitions of topic %s (partition %d, for instance); "
                     "name them, or say where they begin with source.start.otherwise",
                     (int)count, (int)partitions, job->source.topic, (int)example);
}

bool kafka_start_check(const struct job *job, int32_t partitions, const int64_t *begins, const int64_t *ends, struct error *error)
{
    enum { TOLD_MAX = 3 };
    struct buffer text;
    unsigned told = 0, more = 0;
    bool ok;

    buffer_init(&text, 0);
    for (size_t i = 0; i <= job->source.offset_count; i++) {
        size_t mark = text.size;

        if (told)
            buffer_append_str(&text, STR("; "));
        if (i < job->source.offset_count)
            mistake_print(job, partitions, begins, ends, &job->source.offsets[i], &text);
        else
            unnamed_print(job, partitions, &text);
        if (text.size == mark + (told ? 2 : 0) || told == TOLD_MAX) {
            more += told == TOLD_MAX && text.size > mark + 2;
            text.size = mark;
            continue;
        }
        told++;
    }
    if (more)
        buffer_print(&text, "; and %u more", more);
    ok = !text.size || error_set(error, ERROR_CONFIG, "%s", buffer_text(&text));
    buffer_release(&text);
    return ok;
}

/* Of all the topic's partitions: one mistake stops every process, before any of them has anchored. */
static bool bounds_check(struct kafka_source *kafka)
{
    size_t count = (size_t)kafka->topic_partitions;
    int64_t *begins = xcalloc(count + 1, sizeof(*begins)), *ends = xcalloc(count + 1, sizeof(*ends));
    struct error error;
    bool ok;

    for (size_t i = 0; i < count; i++) {
        begins[i] = kafka->partitions[i].low;
        ends[i] = kafka->partitions[i].end;
    }
    ok = kafka_start_check(kafka->job, kafka->topic_partitions, begins, ends, &error);
    if (!ok)
        kafka_fail(kafka, &error);
    free(begins);
    free(ends);
    return ok;
}

bool kafka_offsets_needed(const struct kafka_source *kafka)
{
    return kafka->job->source.start == START_OFFSETS && !kafka->job_known;
}

void kafka_offsets_answer(struct kafka_source *kafka, bool ends, const rd_kafka_ListOffsetsResultInfo_t **infos, size_t count)
{
    const struct job *job = kafka->job;
    struct source_partition *offers;
    size_t offer_count = 0;
    bool listing = false, waiting = false;

    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *listed = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        struct kafka_partition *partition = kafka_partition_at(kafka, listed->partition, false);

        if (partition)
            *(ends ? &partition->end : &partition->low) = listed->offset;
    }
    if (!ends) {
        kafka_call_want(kafka, KAFKA_CALL_START_HIGH);
        return;
    }
    if (!bounds_check(kafka))
        return;
    offers = xcalloc((size_t)kafka->partition_capacity + 1, sizeof(*offers));
    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        struct kafka_partition *partition = &kafka->partitions[i];
        const struct start_offset *given = start_offset_find(job->source.offsets, job->source.offset_count, i);

        if (partition->state != KAFKA_PARTITION_BOUNDS || partition->revoking)
            continue;
        if (!partition->asked) { /* dealt to us after the question had left */
            waiting = true;
            continue;
        }
        partition->asked = false;
        if (!given) {
            partition->state = KAFKA_PARTITION_LISTING;
            listing = true;
            continue;
        }
        partition->state = KAFKA_PARTITION_OFFERED;
        offers[offer_count++] = (struct source_partition){
            .partition = i,
            .offset = given->offset == START_AT_EARLIEST ? partition->low
                      : given->offset == START_AT_LATEST ? partition->end
                                                         : given->offset,
        };
    }
    if (offer_count)
        kafka_event_push(kafka, SOURCE_ASSIGN, offers, offer_count);
    free(offers);
    if (listing)
        kafka_call_want(kafka, KAFKA_CALL_OFFSETS);
    if (waiting)
        kafka_call_want(kafka, KAFKA_CALL_START_LOW);
}
