/* kafka_commit.c: one OffsetCommit at a time, and what became of it.
 *
 * librdkafka repeats an OffsetCommit by itself (twice after a time-out or a lost connection, and once more when the
 * coordinator is back), and no property switches that off. A copy that was not answered may still be on its way when a later
 * copy is, and could then land on top of a newer commit. So an interceptor counts the copies that were written to a socket,
 * and only a request that left exactly once is certain: an answer to it is an answer to all there is of it. The errors of the
 * earlier copies are not to be had; one of them may have been answered with "timed out" and be stored.
 *
 * librdkafka makes the request anew when the coordinator comes back, with the generation of that moment. So committed offsets
 * of new partitions are not asked before the commit that is under way is answered (kafka_start.c): a copy could still land on
 * them.
 *
 * Why a rejoin ends all doubt: an OffsetCommit carries the member id and the generation, and the group refuses others than
 * today's. And a commit that is in the coordinator's log without being replicated is so before we are dealt partitions again:
 * what the new generation writes comes after it in the same log, and is answered when that is replicated. */
#include "source/kafka_internal.h"

#include <stdlib.h>

enum { OFFSET_COMMIT_KEY = 8 };

/* Codes that say: nothing of this request was stored. A broker checks them before it writes anything, for the request as a whole.
 * All others leave it open, among them
 *   NOT_COORDINATOR: also what a commit gets that was written when its coordinator lost the partition; the next one may have it;
 *   COORDINATOR_NOT_AVAILABLE, REQUEST_TIMED_OUT: written, but not replicated in time;
 *   UNKNOWN_TOPIC_OR_PART, TOPIC_AUTHORIZATION_FAILED, OFFSET_METADATA_TOO_LARGE: one partition's; others may be stored;
 *   _TRANSPORT, _TIMED_OUT, _DESTROY_BROKER: no answer; _BAD_MSG: one that could not be read;
 *   _WAIT_COORD, _TIMED_OUT_QUEUE, _NO_OFFSET, _FATAL: librdkafka gave up: earlier copies, if any, are what counts. */
static const rd_kafka_resp_err_t refusals[] = {
    RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,           /* put out of the group */
    RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,          /* the group has gone on without us */
    RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,       /* between two generations */
    RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,          /* another one has our name */
    RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH,          /* ILLEGAL_GENERATION of newer groups */
    RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND,          /* the group was deleted */
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, /* the coordinator still reads its log */
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
    RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE,  /* the record would be too large for the log */
};

/* `copies` were written to a socket. Nothing of a request is stored that never left; its code is then one of librdkafka's own. */
enum commit_result kafka_commit_result(rd_kafka_resp_err_t code, unsigned copies)
{
    if (copies == 0 && code < 0)
        return COMMIT_REFUSED;
    if (copies != 1)
        return COMMIT_UNKNOWN;
    if (!code)
        return COMMIT_STORED;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        if (code == refusals[i])
            return COMMIT_REFUSED;
    }
    return COMMIT_UNKNOWN;
}

/* On a thread of librdkafka, when a request is written as a whole; what is written in part no broker takes. */
static rd_kafka_resp_err_t on_request_sent(rd_kafka_t *rk UNUSED, int fd UNUSED, const char *broker UNUSED, int32_t id UNUSED,
                                           int16_t key, int16_t version UNUSED, int32_t correlation UNUSED, size_t size UNUSED,
                                           void *opaque)
{
    struct kafka_source *kafka = opaque;

    if (key == OFFSET_COMMIT_KEY)
        atomic_fetch_add(&kafka->commit_copies, 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf UNUSED, void *opaque, char *text UNUSED,
                                  size_t size UNUSED)
{
    return rd_kafka_interceptor_add_on_request_sent(rk, "luaduct", on_request_sent, opaque);
}

bool kafka_commit_watch(struct kafka_source *kafka, rd_kafka_conf_t *conf)
{
    return rd_kafka_conf_interceptor_add_on_new(conf, "luaduct", on_new, kafka) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void kafka_commit_forget(struct kafka_source *kafka)
{
    for (size_t i = 0; i < kafka->commit_count; i++)
        free((char *)kafka->commit[i].metadata.data);
    free(kafka->commit);
    kafka->commit = NULL;
    kafka->commit_count = 0;
    kafka->committing = false;
}

void kafka_commit_done(struct kafka_source *kafka, enum commit_result result, const struct error *error)
{
    struct kafka_event *event = kafka_event_push(kafka, SOURCE_COMMITTED, kafka->commit, kafka->commit_count);

    event->event.result = result;
    if (result == COMMIT_STORED) {
        for (size_t i = 0; i < kafka->commit_count; i++)
            kafka->partitions[kafka->commit[i].partition].positioned = true;
        kafka->job_known = kafka->job_known || kafka->commit_count > 0;
    } else {
        event->event.error = *error;
    }
    kafka_commit_forget(kafka);
}

/* The call's own result; when it is good, a partition's. librdkafka tells an error of some partitions as the error of all. */
static rd_kafka_resp_err_t answer_error(rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);

    for (int i = 0; !code && list && i < list->cnt; i++)
        code = list->elems[i].err;
    return code;
}

/* Its per-partition errors differ: some of it is stored, some not. */
static bool answer_differs(rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);

    for (int i = 1; list && i < list->cnt; i++) {
        if (list->elems[i].err != list->elems[0].err)
            return true;
    }
    return false;
}

void kafka_commit_answer(struct kafka_source *kafka, rd_kafka_event_t *event)
{
    unsigned copies = atomic_load(&kafka->commit_copies) - kafka->commit_copies_before;
    rd_kafka_resp_err_t code = answer_error(event);
    enum commit_result result = kafka_commit_result(code, copies);
    struct error error = {0};

    if (kafka->commit_abandoned) {
        kafka->commit_abandoned = false;
        return;
    }
    if (!kafka->committing)
        return;
    kafka->commit_answered = true;
    if (code)
        kafka_error_set(kafka, &error, code, NULL, "committing offsets");
    else
        error_set(&error, ERROR_RETRY,
                  "source: committing offsets: the request was sent %u times, and an earlier copy may still arrive", copies);
    if (error.kind != ERROR_RETRY)
        kafka_fail(kafka, &error);
    error.kind = ERROR_RETRY;
    if (kafka->job->delivery == DELIVERY_EXACTLY_ONCE) {
        kafka_commit_done(kafka, answer_differs(event) ? COMMIT_UNKNOWN : result, &error);
    } else if (!code) {
        kafka_commit_done(kafka, COMMIT_STORED, NULL);
    } else if (kafka->failed) {
        kafka_commit_done(kafka, COMMIT_REFUSED, &error); /* nothing is asked any more */
    } else {
        kafka->commit_error = error;
        kafka_call_want(kafka, KAFKA_CALL_READ_BACK);
    }
}

void kafka_commit(struct source *source, const struct source_partition *partitions, size_t count)
{
    struct kafka_source *kafka = kafka_of(source);
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;

    assert(!kafka->committing); /* rule 4 */
    assert(!kafka->commit_abandoned);
    kafka->committing = true;
    kafka->commits++;
    kafka->commit_answered = false;
    kafka->commit_copies_before = atomic_load(&kafka->commit_copies);
    kafka->commit = xcalloc(count + 1, sizeof(*kafka->commit));
    kafka->commit_count = count;
    list = rd_kafka_topic_partition_list_new((int)size_min(count, KAFKA_PARTITIONS_MAX));
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *entry =
            rd_kafka_topic_partition_list_add(list, kafka->job->source.topic, partitions[i].partition);

        kafka->commit[i] = partitions[i];
        entry->offset = partitions[i].offset;
        if (partitions[i].metadata.data) {
            kafka->commit[i].metadata.data = str_dup(partitions[i].metadata);
            entry->metadata = str_dup(partitions[i].metadata); /* the list frees it */
            entry->metadata_size = partitions[i].metadata.size;
        }
    }
    code = count ? rd_kafka_commit_queue(kafka->rk, list, kafka->answers, NULL, NULL) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(list);
    if (code) {
        struct error error;

        /* It never left, so nothing has changed. */
        kafka_error_set(kafka, &error, code, NULL, "committing offsets");
        error.kind = ERROR_RETRY;
        kafka_commit_done(kafka, COMMIT_REFUSED, &error);
    } else if (count == 0) {
        kafka_commit_done(kafka, COMMIT_STORED, NULL);
    }
}
