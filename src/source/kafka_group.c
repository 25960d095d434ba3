/* kafka_group.c: rebalances, and what the hub says of its partitions.
 *
 * A rebalance that deals partitions to us is answered at once with nothing, and each partition joins librdkafka's assignment when
 * the hub calls assign, that is when its anchor is stored. So an anchor that takes long or fails never holds up the group. A
 * revoke is answered when the hub has released the last partition of it. Librdkafka's own assignment (`held`) is changed in steps
 * when the protocol is cooperative, and as a whole when it is eager. */
#include "source/kafka_internal.h"

#include <stdlib.h>

static bool cooperative(const struct kafka_source *kafka)
{
    const char *protocol = rd_kafka_rebalance_protocol(kafka->rk);

    return !protocol || strcmp(protocol, "EAGER") != 0;
}

static void rebalance_refused(struct kafka_source *kafka, const char *doing, rd_kafka_error_t *refused)
{
    struct error error;

    if (!refused)
        return;
    /* librdkafka has logged it too. Partitions that are neither read nor given up would stall silently: rather end. */
    if (rd_kafka_error_code(refused) != RD_KAFKA_RESP_ERR__DESTROY) {
        error_set(&error, ERROR_FATAL, "source: %s: %s; start the job again", doing, rd_kafka_error_string(refused));
        kafka_fail(kafka, &error);
    }
    rd_kafka_error_destroy(refused);
}

static rd_kafka_error_t *assign_all(struct kafka_source *kafka, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t code = rd_kafka_assign(kafka->rk, list);

    return code ? rd_kafka_error_new(code, "%s", rd_kafka_err2str(code)) : NULL;
}

/* Answers a deal: nothing is read yet. */
static void deal_answer(struct kafka_source *kafka)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

    rebalance_refused(kafka, "taking partitions",
                      cooperative(kafka) ? rd_kafka_incremental_assign(kafka->rk, none) : assign_all(kafka, none));
    rd_kafka_topic_partition_list_destroy(none);
}

static void list_pause(struct kafka_source *kafka, rd_kafka_topic_partition_list_t *list)
{
    if (kafka->paused && list->cnt > 0)
        rd_kafka_pause_partitions(kafka->rk, list);
}

/* Takes partitions into librdkafka's assignment, each at its `next`. */
static void hold(struct kafka_source *kafka, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *all = NULL;

    if (list->cnt == 0)
        return;
    for (int i = 0; i < list->cnt; i++)
        kafka->partitions[list->elems[i].partition].held = true;
    if (cooperative(kafka)) {
        rebalance_refused(kafka, "reading partitions", rd_kafka_incremental_assign(kafka->rk, list));
    } else {
        /* An eager assignment is replaced as a whole. */
        all = rd_kafka_topic_partition_list_new(kafka->partition_capacity);
        for (int32_t i = 0; i < kafka->partition_capacity; i++) {
            if (kafka->partitions[i].held)
                rd_kafka_topic_partition_list_add(all, kafka->job->source.topic, i)->offset = kafka->partitions[i].next;
        }
        rebalance_refused(kafka, "reading partitions", assign_all(kafka, all));
    }
    /* librdkafka remembers that a partition was paused from when it was ours before. */
    if (kafka->paused)
        list_pause(kafka, all ? all : list);
    else
        rd_kafka_resume_partitions(kafka->rk, list);
    if (all)
        rd_kafka_topic_partition_list_destroy(all);
}

/* Sets up fetching anew where it had stopped. Not while a revoke is open: librdkafka would take the unassign for its answer. */
static void restart_stopped(struct kafka_source *kafka)
{
    rd_kafka_topic_partition_list_t *list;

    if (kafka->revoke_waiting)
        return;
    list = rd_kafka_topic_partition_list_new(4);
    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        struct kafka_partition *partition = &kafka->partitions[i];

        if (partition->restart && partition->held && partition->state == KAFKA_PARTITION_ASSIGNED)
            rd_kafka_topic_partition_list_add(list, kafka->job->source.topic, i)->offset = partition->next;
        partition->restart = false;
    }
    if (list->cnt > 0) {
        if (cooperative(kafka))
            rebalance_refused(kafka, "reading a partition anew", rd_kafka_incremental_unassign(kafka->rk, list));
        hold(kafka, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

bool kafka_group_settles(const struct kafka_source *kafka)
{
    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        if (kafka->partitions[i].revoking)
            return true;
    }
    return false;
}

/* Answers a revoke once nothing of it is in the hub's hands. */
static void revoke_answer(struct kafka_source *kafka)
{
    rd_kafka_topic_partition_list_t *list;

    if (!kafka->revoke_waiting || kafka_group_settles(kafka))
        return;
    kafka->revoke_waiting = false;
    list = rd_kafka_topic_partition_list_new(4);
    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        if (kafka->partitions[i].held && kafka->partitions[i].state == KAFKA_PARTITION_NONE) {
            kafka->partitions[i].held = false;
            rd_kafka_topic_partition_list_add(list, kafka->job->source.topic, i);
        }
    }
    rebalance_refused(kafka, "giving partitions up",
                      cooperative(kafka) ? rd_kafka_incremental_unassign(kafka->rk, list) : assign_all(kafka, NULL));
    rd_kafka_topic_partition_list_destroy(list);
    restart_stopped(kafka);
}

static void partition_forget(struct kafka_partition *partition)
{
    partition->state = KAFKA_PARTITION_NONE;
    partition->done = false;
    partition->asked = partition->revoking = partition->lost = partition->restart = partition->gap = partition->gap_asked = false;
}

/* librdkafka's callback: it runs inside fetch and stop, on the hub's thread. */
void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_source *kafka = kafka_of(kafka_login_owner(opaque));
    struct source_partition *told = xcalloc((size_t)list->cnt + 1, sizeof(*told));
    bool lost = code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && rd_kafka_assignment_lost(rk);
    size_t count = 0;

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        /* Dealt to the member that we are about to be no more: it is asked back at once. */
        for (int i = 0; i < list->cnt && !kafka->stopping && !kafka->leaving; i++) {
            struct kafka_partition *partition = kafka_partition_at(kafka, list->elems[i].partition, true);

            if (!partition || strcmp(list->elems[i].topic, kafka->job->source.topic) != 0)
                continue;
            partition_forget(partition);
            partition->state =
                kafka_until_known(kafka, list->elems[i].partition) ? KAFKA_PARTITION_COMMITTED : KAFKA_PARTITION_BOUNDING;
            partition->next = 0;
            count++;
        }
        deal_answer(kafka);
        if (count) {
            kafka_call_want(kafka, KAFKA_CALL_COMMITTED);
            if (kafka_bounded(kafka))
                kafka_call_want(kafka, KAFKA_CALL_UNTIL);
            kafka_until_again(kafka);
        }
        free(told);
        return;
    }
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition = kafka_partition_at(kafka, list->elems[i].partition, false);

        if (!partition || strcmp(list->elems[i].topic, kafka->job->source.topic) != 0)
            continue;
        /* The hub has not heard of it: nobody to wait for. */
        if (kafka->stopping || partition->state < KAFKA_PARTITION_OFFERED) {
            partition_forget(partition);
            continue;
        }
        if (partition->revoking && !lost) /* the hub was asked already (kafka_group_ask_back) */
            continue;
        partition->revoking = true;
        partition->lost = lost;
        told[count++] = (struct source_partition){.partition = list->elems[i].partition, .offset = partition->next};
    }
    kafka->revoke_waiting = true;
    if (lost)
        kafka_until_again(kafka);
    if (count)
        kafka_event_push(kafka, lost ? SOURCE_LOST : SOURCE_REVOKE, told, count);
    else
        revoke_answer(kafka);
    free(told);
}

/* What was asked back in good order may be lost while the hub settles it. */
void kafka_group_lost(struct kafka_source *kafka)
{
    struct source_partition *lost;
    size_t count = 0;

    if (!kafka->revoke_waiting || !rd_kafka_assignment_lost(kafka->rk))
        return;
    lost = xcalloc((size_t)kafka->partition_capacity + 1, sizeof(*lost));
    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        if (kafka->partitions[i].revoking && !kafka->partitions[i].lost) {
            kafka->partitions[i].lost = true;
            lost[count++] = (struct source_partition){.partition = i, .offset = kafka->partitions[i].next};
        }
    }
    if (count) {
        kafka_until_again(kafka);
        kafka_event_push(kafka, SOURCE_LOST, lost, count);
    }
    free(lost);
}

void kafka_group_forget(struct kafka_source *kafka)
{
    for (int32_t i = 0; i < kafka->partition_capacity; i++)
        partition_forget(&kafka->partitions[i]);
    revoke_answer(kafka);
}

void kafka_group_ask_back(struct kafka_source *kafka)
{
    struct source_partition *told = xcalloc((size_t)kafka->partition_capacity + 1, sizeof(*told));
    size_t count = 0;

    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        struct kafka_partition *partition = &kafka->partitions[i];

        if (partition->state < KAFKA_PARTITION_OFFERED || partition->revoking)
            continue;
        partition->revoking = true;
        told[count++] = (struct source_partition){.partition = i, .offset = partition->next};
    }
    if (count)
        kafka_event_push(kafka, SOURCE_REVOKE, told, count);
    free(told);
}

void kafka_group_lose(struct kafka_source *kafka)
{
    struct source_partition *lost = xcalloc((size_t)kafka->partition_capacity + 1, sizeof(*lost));
    size_t count = 0;

    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        const struct kafka_partition *partition = &kafka->partitions[i];

        if (partition->state >= KAFKA_PARTITION_OFFERED && !partition->lost)
            lost[count++] = (struct source_partition){.partition = i, .offset = partition->next};
    }
    kafka_until_again(kafka);
    if (count)
        kafka_event_push(kafka, SOURCE_LOST, lost, count);
    free(lost);
    kafka_group_forget(kafka);
}

/* Leaving takes a while: librdkafka lets a rebalance and a commit that are under way end before, and it forgets about leaving
 * when it is told to subscribe too early. Its member id is empty once it has left; what it joins as then is another member. */
void kafka_rejoin(struct source *source)
{
    struct kafka_source *kafka = kafka_of(source);

    kafka_event_forget(kafka, SOURCE_COMMITTED, -1);
    if (kafka->committing) {
        /* While its stored offset is read back, librdkafka itself has answered. */
        kafka->commit_abandoned = !kafka->commit_answered;
        kafka_commit_forget(kafka);
    }
    kafka_group_lose(kafka);
    if (kafka->ready && !kafka->stopping && !kafka->failed) {
        log_info(kafka->log, "leaving the group and joining it again as another member group=%s", kafka->job->source.group);
        kafka->leaving = true;
        rd_kafka_unsubscribe(kafka->rk);
    }
}

void kafka_rejoin_step(struct kafka_source *kafka)
{
    char *member;
    bool left;

    /* While it settles, a client may be put out of the group. */
    if ((!kafka->leaving && kafka->replace != KAFKA_REPLACE_SETTLING) || kafka->commit_abandoned || kafka->stopping ||
        kafka->failed || kafka->now_ms < kafka->leave_look_ms)
        return;
    /* Answered by librdkafka's main thread from memory. */
    member = rd_kafka_memberid(kafka->rk);
    left = !member || !*member;
    if (member)
        rd_kafka_mem_free(kafka->rk, member);
    if (!left || (kafka->replace >= KAFKA_REPLACE_SETTLING && !kafka_client_left(kafka))) {
        kafka->leave_look_ms = kafka->now_ms + KAFKA_LEAVE_LOOK_MS;
        return;
    }
    kafka->leaving = false;
    kafka_subscribe(kafka);
}

/* The hub's answers. */

void kafka_assign(struct source *source, const struct source_partition *partitions, size_t count)
{
    struct kafka_source *kafka = kafka_of(source);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)size_min(count, KAFKA_PARTITIONS_MAX));

    for (size_t i = 0; i < count; i++) {
        struct kafka_partition *partition = kafka_partition_at(kafka, partitions[i].partition, false);

        /* Asked back meanwhile: the event is on its way. */
        if (!partition || partition->state != KAFKA_PARTITION_OFFERED || partition->revoking || kafka->stopping)
            continue;
        assert(partitions[i].offset >= 0);
        partition->state = KAFKA_PARTITION_ASSIGNED;
        partition->next = partitions[i].offset;
        if (partition->from < 0)
            partition->from = partition->next;
        if (partition->next >= partition->limit) { /* nothing to read */
            partition->done = true;
            kafka->end_check = true;
            continue;
        }
        rd_kafka_topic_partition_list_add(list, kafka->job->source.topic, partitions[i].partition)->offset = partitions[i].offset;
    }
    hold(kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_release(struct source *source, const int32_t *partitions, size_t count)
{
    struct kafka_source *kafka = kafka_of(source);

    for (size_t i = 0; i < count; i++) {
        struct kafka_partition *partition = kafka_partition_at(kafka, partitions[i], false);

        if (partition && partition->revoking)
            partition_forget(partition);
    }
    kafka->end_check = true;
    revoke_answer(kafka);
}

void kafka_fetching(struct kafka_source *kafka, int32_t number, bool on)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, kafka->job->source.topic, number);
    if (on)
        rd_kafka_resume_partitions(kafka->rk, list);
    else
        rd_kafka_pause_partitions(kafka->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static rd_kafka_topic_partition_list_t *held_list(const struct kafka_source *kafka)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

    for (int32_t i = 0; i < kafka->partition_capacity; i++) {
        if (kafka->partitions[i].held && !kafka->partitions[i].done)
            rd_kafka_topic_partition_list_add(list, kafka->job->source.topic, i);
    }
    return list;
}

void kafka_pause(struct source *source)
{
    struct kafka_source *kafka = kafka_of(source);
    rd_kafka_topic_partition_list_t *list;

    if (kafka->paused)
        return;
    kafka->paused = true;
    list = held_list(kafka);
    list_pause(kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_resume(struct source *source)
{
    struct kafka_source *kafka = kafka_of(source);
    rd_kafka_topic_partition_list_t *list;

    if (!kafka->paused)
        return;
    kafka->paused = false;
    list = held_list(kafka);
    if (list->cnt > 0)
        rd_kafka_resume_partitions(kafka->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_seek(struct source *source, int32_t number, int64_t offset)
{
    struct kafka_source *kafka = kafka_of(source);
    struct kafka_partition *partition = kafka_partition_at(kafka, number, false);
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_error_t *refused;
    rd_kafka_resp_err_t code;

    if (!partition || partition->state != KAFKA_PARTITION_ASSIGNED || kafka->stopping)
        return;
    assert(offset >= 0);
    partition->next = offset;
    partition->gap = partition->gap_asked = false;
    kafka_event_forget(kafka, SOURCE_GAP, number); /* a gap that was found and not told yet is no news any more */
    kafka_until_again(kafka);
    kafka_until_undo(kafka, number);
    if (partition->next >= partition->limit)
        kafka_until_reached(kafka, number);
    list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, kafka->job->source.topic, number)->offset = offset;
    /* The answer comes from librdkafka's main thread without asking a broker, so this does not wait in effect. A seek is refused
     * where fetching has not begun yet, or has stopped at a gap: there the partition is set up anew. */
    refused = rd_kafka_seek_partitions(kafka->rk, list, 1000);
    code = refused ? rd_kafka_error_code(refused) : list->elems[0].err;
    if (refused)
        rd_kafka_error_destroy(refused);
    rd_kafka_topic_partition_list_destroy(list);
    if (code) {
        partition->restart = true;
        restart_stopped(kafka);
    }
}
