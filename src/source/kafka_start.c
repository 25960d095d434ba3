/* kafka_start.c: what is asked of the brokers, always asynchronously: the topic, committed offsets, offsets of the start rule,
 * the bounds of a gap, and the stored offsets after a commit whose result is in doubt.
 * Each kind of question is one request for all partitions that need it; its answer comes to the `answers` queue with the kind as
 * opaque. A failed one is asked again with a wait that doubles up to KAFKA_CALL_WAIT_MS_MAX, until the job stops. */
#include "source/kafka_internal.h"
#include <stdio.h>
#include <stdlib.h>

void kafka_call_want(struct kafka_source *kafka, enum kafka_call call)
{
    struct kafka_call_state *state = &kafka->calls[call];

    if (!state->wanted && !state->in_flight)
        state->at_ms = 0;
    state->wanted = true;
}

/* A commit that is under way could still change what is stored. */
bool kafka_call_waits(const struct kafka_source *kafka, enum kafka_call call)
{
    return call == KAFKA_CALL_COMMITTED && (kafka->committing || kafka->commit_abandoned);
}

static bool resolving(const struct kafka_partition *partition, enum kafka_partition_state state)
{
    return partition->state == state && !partition->revoking;
}

static rd_kafka_AdminOptions_t *options_make(struct kafka_source *kafka, enum kafka_call call, rd_kafka_admin_op_t operation)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka->rk, operation);
    char text[256];

    /* The values are in range, so these cannot fail. */
    rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_CALL_TIMEOUT_MS, text, sizeof(text));
    rd_kafka_AdminOptions_set_opaque(options, (void *)(uintptr_t)(call + 1));
    if (operation == RD_KAFKA_ADMIN_OP_LISTOFFSETS) {
        /* "latest" is then the first record that read_committed has not given yet. */
        rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_isolation_level(options, RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED);

        if (refused)
            rd_kafka_error_destroy(refused);
    }
    return options;
}

static void describe_send(struct kafka_source *kafka)
{
    const char *name = kafka->job->source.topic;
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&name, 1);
    rd_kafka_AdminOptions_t *options = options_make(kafka, KAFKA_CALL_DESCRIBE, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);

    rd_kafka_DescribeTopics(kafka->rk, topics, options, kafka->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_TopicCollection_destroy(topics);
}

/* Any broker will do; the leader of a partition is one that we talk to anyway. */
static void retention_send(struct kafka_source *kafka, int32_t broker)
{
    rd_kafka_AdminOptions_t *options = options_make(kafka, KAFKA_CALL_RETENTION, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_ConfigResource_t *resource;
    char name[16];

    snprintf(name, sizeof(name), "%d", (int)broker);
    resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, name);
    rd_kafka_DescribeConfigs(kafka->rk, &resource, 1, options, kafka->answers);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_AdminOptions_destroy(options);
}

static void committed_send(struct kafka_source *kafka, enum kafka_call call, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_ListConsumerGroupOffsets_t *group = rd_kafka_ListConsumerGroupOffsets_new(kafka->job->source.group, list);
    rd_kafka_AdminOptions_t *options = options_make(kafka, call, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);

    rd_kafka_ListConsumerGroupOffsets(kafka->rk, &group, 1, options, kafka->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(group);
}

/* Puts the partitions that call is about into list and marks them as asked. */
static void list_make(struct kafka_source *kafka, enum kafka_call call, rd_kafka_topic_partition_list_t *list)
{
    const char *topic = kafka->job->source.topic;

    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        struct kafka_partition *partition = &kafka->partitions[i];

        switch (call) {
        case KAFKA_CALL_COMMITTED:
            /* The whole topic is asked: rule 1 needs to know whether the group has any committed offset. */
            if (resolving(partition, KAFKA_PARTITION_COMMITTED))
                partition->asked = true;
            else if (i >= kafka->topic_partitions)
                break;
            rd_kafka_topic_partition_list_add(list, topic, i);
            break;
        case KAFKA_CALL_UNTIL:
            if (!kafka_until_known(kafka, i) && (i < kafka->topic_partitions || partition->state == KAFKA_PARTITION_BOUNDING))
                rd_kafka_topic_partition_list_add(list, topic, i)->offset = kafka_until_query(kafka, i);
            break;
        case KAFKA_CALL_START_LOW:
        case KAFKA_CALL_START_HIGH:
            if (call == KAFKA_CALL_START_LOW && resolving(partition, KAFKA_PARTITION_BOUNDS))
                partition->asked = true;
            if (i < kafka->topic_partitions || partition->state == KAFKA_PARTITION_BOUNDS)
                rd_kafka_topic_partition_list_add(list, topic, i)->offset =
                    call == KAFKA_CALL_START_LOW ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST;
            break;
        case KAFKA_CALL_OFFSETS:
            if (resolving(partition, KAFKA_PARTITION_LISTING)) {
                partition->asked = true;
                rd_kafka_topic_partition_list_add(list, topic, i)->offset = partition->query;
            }
            break;
        case KAFKA_CALL_GAP_LOW:
        case KAFKA_CALL_GAP_HIGH:
            if (call == KAFKA_CALL_GAP_LOW)
                partition->gap_asked = partition->gap;
            if (partition->gap && partition->gap_asked)
                rd_kafka_topic_partition_list_add(list, topic, i)->offset =
                    call == KAFKA_CALL_GAP_LOW ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST;
            break;
        default:
            break;
        }
    }
    if (call == KAFKA_CALL_READ_BACK) {
        for (size_t i = 0; i < kafka->commit_count; i++)
            rd_kafka_topic_partition_list_add(list, topic, kafka->commit[i].partition);
    }
}

static void call_send(struct kafka_source *kafka, enum kafka_call call)
{
    struct kafka_call_state *state = &kafka->calls[call];
    rd_kafka_topic_partition_list_t *list;

    state->wanted = false;
    if (call == KAFKA_CALL_DESCRIBE) {
        describe_send(kafka);
        state->in_flight = true;
        return;
    }
    list = rd_kafka_topic_partition_list_new(16);
    list_make(kafka, call, list);
    if (list->cnt > 0) {
        state->in_flight = true;
        if (call == KAFKA_CALL_COMMITTED)
            kafka->commits_asked = kafka->commits;
        if (call == KAFKA_CALL_COMMITTED || call == KAFKA_CALL_READ_BACK) {
            committed_send(kafka, call, list);
        } else {
            rd_kafka_AdminOptions_t *options = options_make(kafka, call, RD_KAFKA_ADMIN_OP_LISTOFFSETS);

            rd_kafka_ListOffsets(kafka->rk, list, options, kafka->answers);
            rd_kafka_AdminOptions_destroy(options);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_calls_send(struct kafka_source *kafka)
{
    if (kafka->failed || kafka->stopping)
        return;
    for (enum kafka_call call = 0; call < KAFKA_CALL_COUNT; call++) {
        struct kafka_call_state *state = &kafka->calls[call];

        if (!state->wanted || state->in_flight || kafka_call_waits(kafka, call))
            continue;
        if (state->at_ms < 0) /* a wait that began when the time was not at hand */
            state->at_ms = kafka->now_ms + state->wait_ms;
        if (kafka->now_ms >= state->at_ms)
            call_send(kafka, call);
    }
}

/* Again later, or the end of the job. */
static void call_failed(struct kafka_source *kafka, enum kafka_call call, rd_kafka_resp_err_t code, const char *text)
{
    static const char *const doings[KAFKA_CALL_COUNT] = {
        "asking for the topic", "listing offsets to end at", "listing committed offsets",
        "listing the log's first offset", "listing the log's end", "listing offsets to start at",
        "reading committed offsets back", "listing the log's first offset", "listing the log's end",
        "asking a broker for its settings",
    };
    struct kafka_call_state *state = &kafka->calls[call];
    struct error error;

    kafka_error_set(kafka, &error, code, text, doings[call]);
    /* A topic that was created a moment ago is not known to all brokers yet. */
    if (call == KAFKA_CALL_DESCRIBE && !kafka->ready && code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        if (!kafka->missing_ms)
            kafka->missing_ms = kafka->now_ms;
        if (kafka->now_ms - kafka->missing_ms < KAFKA_TOPIC_NEW_MS) {
            state->wait_ms = KAFKA_CALL_WAIT_MS_FIRST;
            state->wanted = true;
            state->at_ms = -1;
            return;
        }
    }
    /* One broker alone may not have heard of all topics yet, after a start. */
    if (call == KAFKA_CALL_DESCRIBE && kafka->ready && !kafka->topic_missing && code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        kafka->topic_missing = true;
        state->wait_ms = KAFKA_TOPIC_LOOK_MS;
        state->wanted = true;
        state->at_ms = -1;
        log_debug(kafka->log, "%s", error.text);
        return;
    }
    if (error.kind != ERROR_RETRY) {
        kafka_fail(kafka, &error);
        return;
    }
    state->wait_ms = state->wait_ms ? int64_min(state->wait_ms * 2, KAFKA_CALL_WAIT_MS_MAX) : KAFKA_CALL_WAIT_MS_FIRST;
    state->wanted = true;
    state->at_ms = -1;
    /* Local errors (no connection, no answer) have negative codes. A broker's "not now" becomes news only when it lasts. */
    if (code < 0 || state->wait_ms > 1000)
        kafka_down(kafka, error.text);
    else
        log_debug(kafka->log, "%s", error.text);
}

/* Brokers before 2.8 know no topic ids and give zero: "". */
static void topic_id_print(const rd_kafka_TopicDescription_t *topic, char *text, size_t size)
{
    const rd_kafka_Uuid_t *id = rd_kafka_TopicDescription_topic_id(topic);

    text[0] = '\0';
    if (id && (rd_kafka_Uuid_most_significant_bits(id) || rd_kafka_Uuid_least_significant_bits(id)))
        snprintf(text, size, "%s", rd_kafka_Uuid_base64str(id));
}

static void topic_begin(struct kafka_source *kafka, const rd_kafka_TopicPartitionInfo_t **infos)
{
    const rd_kafka_Node_t *leader = kafka->topic_partitions > 0 ? rd_kafka_TopicPartitionInfo_leader(infos[0]) : NULL;
    char *cluster = rd_kafka_clusterid(kafka->rk, 0);

    if (cluster) {
        snprintf(kafka->source.cluster_id, sizeof(kafka->source.cluster_id), "%s", cluster);
        rd_kafka_mem_free(kafka->rk, cluster);
    }
    if (!kafka_until_start(kafka))
        return;
    kafka->ready = true;
    kafka_event_push(kafka, SOURCE_READY, NULL, 0);
    kafka_subscribe(kafka);
    if (leader && rd_kafka_Node_id(leader) >= 0)
        retention_send(kafka, rd_kafka_Node_id(leader));
}

static void describe_answer(struct kafka_source *kafka, rd_kafka_event_t *event)
{
    size_t count, partitions;
    const rd_kafka_TopicDescription_t **topics =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    const rd_kafka_TopicPartitionInfo_t **infos;
    const rd_kafka_error_t *refused;
    char id[sizeof(kafka->source.topic_id)];
    struct error error;

    if (count != 1) {
        call_failed(kafka, KAFKA_CALL_DESCRIBE, RD_KAFKA_RESP_ERR__BAD_MSG, "the answer does not describe the topic");
        return;
    }
    refused = rd_kafka_TopicDescription_error(topics[0]);
    if (refused && rd_kafka_error_code(refused)) {
        call_failed(kafka, KAFKA_CALL_DESCRIBE, rd_kafka_error_code(refused), rd_kafka_error_string(refused));
        return;
    }
    kafka->topic_missing = false;
    kafka_login_let_in(kafka->login);
    kafka->calls[KAFKA_CALL_DESCRIBE].wait_ms = 0;
    kafka_up(kafka);
    topic_id_print(topics[0], id, sizeof(id));
    if (kafka->ready && strcmp(id, kafka->source.topic_id) != 0 && *id && *kafka->source.topic_id) {
        error_set(&error, ERROR_FATAL, "source: topic %s was deleted and made anew while the job ran (its id was %s and is %s): "
                  "the job's positions are those of the old topic, and what the target has of the new one may have holes: "
                  "compare, then start with another source.group, or see `luaduct reset`", kafka->job->source.topic,
                  kafka->source.topic_id, id);
        kafka_fail(kafka, &error);
        return;
    }
    infos = rd_kafka_TopicDescription_partitions(topics[0], &partitions);
    kafka->topic_partitions = (int32_t)size_min(partitions, KAFKA_PARTITIONS_MAX);
    kafka->source.partition_count = kafka->topic_partitions;
    if (partitions > 0)
        (void)kafka_partition_at(kafka, kafka->topic_partitions - 1, true);
    snprintf(kafka->source.topic_id, sizeof(kafka->source.topic_id), "%s", id);
    if (!kafka->ready)
        topic_begin(kafka, infos);
}

/* Where a partition without a committed offset starts, as ListOffsets understands it. */
static int64_t start_query(const struct kafka_source *kafka)
{
    const struct job *job = kafka->job;
    bool otherwise = job->source.start == START_COMMITTED || job->source.start == START_OFFSETS;
    enum start_kind kind = otherwise ? job->source.otherwise : job->source.start;
    int64_t ms = otherwise ? job->source.otherwise_ms : job->source.start_ms;

    /* Rule 1: it appeared later in a job that runs already, so all of its records are new. */
    if (kafka->job_known)
        return RD_KAFKA_OFFSET_SPEC_EARLIEST;
    switch (kind) {
    case START_LATEST:
        return RD_KAFKA_OFFSET_SPEC_LATEST;
    case START_TIME:
        return int64_max(ms, 0);
    case START_AGO:
        return int64_max(kafka->began_ms - ms, 0);
    default:
        return RD_KAFKA_OFFSET_SPEC_EARLIEST;
    }
}

/* The committed offsets in an answer of either kind that asks for them; NULL when it failed, which is dealt with. */
static const rd_kafka_topic_partition_list_t *committed_list(struct kafka_source *kafka, enum kafka_call call,
                                                             rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_group_result_t **groups =
        rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *refused = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
    const rd_kafka_topic_partition_list_t *list = count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;

    if (refused) {
        call_failed(kafka, call, rd_kafka_error_code(refused), rd_kafka_error_string(refused));
        return NULL;
    }
    if (!list) {
        call_failed(kafka, call, RD_KAFKA_RESP_ERR__BAD_MSG, "the answer has no offsets");
        return NULL;
    }
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err) {
            call_failed(kafka, call, list->elems[i].err, NULL);
            return NULL;
        }
    }
    return list;
}

static struct source_partition offer_of(const rd_kafka_topic_partition_t *stored)
{
    return (struct source_partition){
        .partition = stored->partition,
        .offset = stored->offset,
        .metadata = stored->metadata_size ? str_make(stored->metadata, stored->metadata_size) : STR_NONE,
        .committed = true,
    };
}

static void committed_answer(struct kafka_source *kafka, rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *list = committed_list(kafka, KAFKA_CALL_COMMITTED, event);
    struct source_partition *offers;
    size_t offer_count = 0, other_count = 0, listing = 0;
    bool waiting = false;

    if (!list)
        return;
    kafka->calls[KAFKA_CALL_COMMITTED].wait_ms = 0;
    kafka_up(kafka);
    if (kafka->commits != kafka->commits_asked) { /* what we stored meanwhile may be missing in it */
        kafka_call_want(kafka, KAFKA_CALL_COMMITTED);
        return;
    }
    if (!kafka_first_check(kafka, list))
        return;

    /* Offers from the front, what else is stored from the back. */
    offers = xcalloc((size_t)list->cnt + 1, sizeof(*offers));
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *stored = &list->elems[i];
        struct kafka_partition *partition = kafka_partition_at(kafka, stored->partition, false);

        if (!partition || !resolving(partition, KAFKA_PARTITION_COMMITTED) || !partition->asked) {
            if (stored->offset >= 0)
                offers[list->cnt - (int)++other_count] = offer_of(stored);
            continue;
        }
        partition->asked = false;
        if (stored->offset < 0) {
            partition->state = kafka_offsets_needed(kafka) ? KAFKA_PARTITION_BOUNDS : KAFKA_PARTITION_LISTING;
            partition->query = start_query(kafka);
            listing++;
            continue;
        }
        partition->state = KAFKA_PARTITION_OFFERED;
        offers[offer_count++] = offer_of(stored);
    }
    if (offer_count) {
        memmove(offers + offer_count, offers + (size_t)list->cnt - other_count, other_count * sizeof(*offers));
        kafka_event_push(kafka, SOURCE_ASSIGN, offers, offer_count + other_count)->event.count = offer_count;
    }
    free(offers);
    if (listing)
        kafka_call_want(kafka, kafka_offsets_needed(kafka) ? KAFKA_CALL_START_LOW : KAFKA_CALL_OFFSETS);
    /* Some were dealt to us after the question had left. */
    for (int32_t i = 0; i < kafka->partition_capacity; i++)
        waiting = waiting || resolving(&kafka->partitions[i], KAFKA_PARTITION_COMMITTED);
    if (waiting)
        kafka_call_want(kafka, KAFKA_CALL_COMMITTED);
}

/* The first error among listed offsets; 0 without one. */
static rd_kafka_resp_err_t infos_error(const rd_kafka_ListOffsetsResultInfo_t **infos, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i])->err;

        if (code)
            return code;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void offsets_answer(struct kafka_source *kafka, const rd_kafka_ListOffsetsResultInfo_t **infos, size_t count)
{
    struct source_partition *offers = xcalloc(count + 1, sizeof(*offers));
    size_t offer_count = 0;
    bool waiting = false;

    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *listed = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        struct kafka_partition *partition = kafka_partition_at(kafka, listed->partition, false);

        if (!partition || !resolving(partition, KAFKA_PARTITION_LISTING) || !partition->asked)
            continue;
        partition->asked = false;
        if (listed->offset < 0) {
            /* No record is that new: the job starts at the end. */
            partition->query = RD_KAFKA_OFFSET_SPEC_LATEST;
            continue;
        }
        partition->state = KAFKA_PARTITION_OFFERED;
        offers[offer_count++] = (struct source_partition){.partition = listed->partition, .offset = listed->offset};
    }
    if (offer_count)
        kafka_event_push(kafka, SOURCE_ASSIGN, offers, offer_count);
    free(offers);
    for (int32_t i = 0; i < kafka->partition_capacity; i++)
        waiting = waiting || resolving(&kafka->partitions[i], KAFKA_PARTITION_LISTING);
    if (waiting)
        kafka_call_want(kafka, KAFKA_CALL_OFFSETS);
}

static void gap_answer(struct kafka_source *kafka, enum kafka_call call, const rd_kafka_ListOffsetsResultInfo_t **infos,
                       size_t count)
{
    bool waiting = false;

    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *listed = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        struct kafka_partition *partition = kafka_partition_at(kafka, listed->partition, false);
        struct source_partition place = {.partition = listed->partition};
        struct kafka_event *event;

        if (!partition || !partition->gap || !partition->gap_asked || partition->state != KAFKA_PARTITION_ASSIGNED)
            continue;
        if (call == KAFKA_CALL_GAP_LOW) {
            partition->low = listed->offset;
            continue;
        }
        partition->end = listed->offset;
        partition->gap = partition->gap_asked = false;
        place.offset = partition->end;
        if (partition->next >= partition->low && partition->next <= partition->end) {
            /* A leader that lagged behind said so; the offset is there. */
            log_warn(kafka->log,
                     "the broker had said that an offset was gone, but it is there: reading goes on partition=%d offset=%lld",
                     (int)listed->partition, (long long)partition->next);
            kafka->source.ops->seek(&kafka->source, listed->partition, partition->next);
            continue;
        }
        event = kafka_event_push(kafka, SOURCE_GAP, &place, 1);
        event->event.gap_first = partition->next;
        event->event.gap_end = partition->low;
    }
    if (call == KAFKA_CALL_GAP_LOW) {
        kafka_call_want(kafka, KAFKA_CALL_GAP_HIGH);
        return;
    }
    for (int32_t i = 0; i < kafka->partition_capacity; i++)
        waiting = waiting || kafka->partitions[i].gap;
    if (waiting)
        kafka_call_want(kafka, KAFKA_CALL_GAP_LOW);
}

/* Rules 5 and 6: what the broker has decides, whatever became of the request. */
static void read_back_answer(struct kafka_source *kafka, rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *list = committed_list(kafka, KAFKA_CALL_READ_BACK, event);
    struct error error;
    size_t same = 0;

    if (!list || !kafka->committing)
        return;
    kafka->calls[KAFKA_CALL_READ_BACK].wait_ms = 0;
    kafka_up(kafka);
    for (size_t i = 0; i < kafka->commit_count; i++) {
        const rd_kafka_topic_partition_t *stored =
            rd_kafka_topic_partition_list_find(list, kafka->job->source.topic, kafka->commit[i].partition);

        same += stored && stored->offset == kafka->commit[i].offset &&
                str_equal(str_make(stored->metadata, stored->metadata_size), kafka->commit[i].metadata);
    }
    if (same == kafka->commit_count) {
        log_info(kafka->log, "the failed commit had been stored after all; the job goes on: %s", kafka->commit_error.text);
        kafka_commit_done(kafka, COMMIT_STORED, NULL);
        return;
    }
    error = kafka->commit_error;
    kafka_commit_done(kafka, COMMIT_REFUSED, &error);
}

void kafka_call_answer(struct kafka_source *kafka, rd_kafka_event_t *event)
{
    uintptr_t opaque = (uintptr_t)rd_kafka_event_opaque(event);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_ListOffsetsResultInfo_t **infos;
    enum kafka_call call;
    size_t count;

    if (opaque == 0 || opaque > KAFKA_CALL_COUNT)
        return;
    call = (enum kafka_call)(opaque - 1);
    kafka->calls[call].in_flight = false;
    if (kafka->stopping || kafka->failed)
        return;
    if (call == KAFKA_CALL_RETENTION) {
        if (!code)
            kafka_retention_answer(kafka, event);
        return;
    }
    if (code) {
        call_failed(kafka, call, code, rd_kafka_event_error_string(event));
        return;
    }
    switch (call) {
    case KAFKA_CALL_DESCRIBE:
        describe_answer(kafka, event);
        return;
    case KAFKA_CALL_COMMITTED:
        committed_answer(kafka, event);
        return;
    case KAFKA_CALL_READ_BACK:
        read_back_answer(kafka, event);
        return;
    default:
        break;
    }
    infos = rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    code = infos_error(infos, count);
    if (code) {
        call_failed(kafka, call, code, NULL);
        return;
    }
    kafka->calls[call].wait_ms = 0;
    kafka_up(kafka);
    if (call == KAFKA_CALL_UNTIL)
        kafka_until_answer(kafka, infos, count);
    else if (call == KAFKA_CALL_START_LOW || call == KAFKA_CALL_START_HIGH)
        kafka_offsets_answer(kafka, call == KAFKA_CALL_START_HIGH, infos, count);
    else if (call == KAFKA_CALL_OFFSETS)
        offsets_answer(kafka, infos, count);
    else
        gap_answer(kafka, call, infos, count);
}
