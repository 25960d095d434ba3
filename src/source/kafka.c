/* kafka.c: one librdkafka consumer; messages, commits and the life of the source. Rebalances are in kafka_group.c.
 *
 * Two librdkafka queues feed one eventfd: the consumer queue (messages, rebalance and error callbacks, all run inside fetch) and
 * the queue of answers to calls and commits. fetch takes messages in batches straight into the caller's arrays and compacts them
 * there, so a message costs one loop turn here and no allocation; its headers are parsed when somebody asks for them.
 *
 * Messages that the caller has not released keep the client alive: release all handles before freeing the source. */
#include "source/kafka_internal.h"

#include "batch/headers.h"
#include "util/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PROBE_WAIT_MS = 2000, DESCRIBE_WAIT_MS = 10000 };

static const struct source_ops kafka_ops;

struct kafka_partition *kafka_partition_at(struct kafka_source *kafka, int32_t partition, bool grow)
{
    if (partition < 0 || partition >= KAFKA_PARTITIONS_MAX)
        return NULL;
    if (partition >= kafka->partition_capacity) {
        int32_t capacity = kafka->partition_capacity ? kafka->partition_capacity : 16;

        if (!grow)
            return NULL;
        while (capacity <= partition)
            capacity *= 2;
        kafka->partitions = xrealloc(kafka->partitions, (size_t)capacity * sizeof(*kafka->partitions));
        memset(kafka->partitions + kafka->partition_capacity, 0,
               (size_t)(capacity - kafka->partition_capacity) * sizeof(*kafka->partitions));
        for (int32_t i = kafka->partition_capacity; i < capacity; i++) {
            kafka->partitions[i].end = kafka->partitions[i].from = -1;
            kafka->partitions[i].limit = kafka_until_given(kafka, i);
        }
        kafka->partition_capacity = capacity;
    }
    return &kafka->partitions[partition];
}

/* Events. */

struct kafka_event *kafka_event_push(struct kafka_source *kafka, enum source_event_kind kind,
                                     const struct source_partition *partitions, size_t count)
{
    struct kafka_event *event = xcalloc(1, sizeof(*event));

    event->event.kind = kind;
    event->event.count = event->event.stored_count = count;
    if (count) {
        event->partitions = xcalloc(count, sizeof(*event->partitions));
        for (size_t i = 0; i < count; i++) {
            event->partitions[i] = partitions[i];
            if (partitions[i].metadata.data)
                event->partitions[i].metadata.data = str_dup(partitions[i].metadata);
        }
        event->event.partitions = event->partitions;
    }
    *kafka->events_tail = event;
    kafka->events_tail = &event->next;
    return event;
}

void kafka_event_free(struct kafka_event *event)
{
    if (!event)
        return;
    for (size_t i = 0; i < event->event.stored_count; i++)
        free((char *)event->partitions[i].metadata.data);
    free(event->partitions);
    free(event);
}

void kafka_event_forget(struct kafka_source *kafka, enum source_event_kind kind, int32_t partition)
{
    for (struct kafka_event **link = &kafka->events; *link;) {
        struct kafka_event *event = *link;

        if (event->event.kind == kind && (partition < 0 || event->partitions[0].partition == partition)) {
            *link = event->next;
            if (kafka->events_tail == &event->next)
                kafka->events_tail = link;
            kafka_event_free(event);
        } else {
            link = &event->next;
        }
    }
}

static bool kafka_next(struct source *source, struct source_event *event_out)
{
    struct kafka_source *kafka = kafka_of(source);

    kafka_event_free(kafka->told);
    kafka->told = kafka->events;
    if (!kafka->told)
        return false;
    kafka->events = kafka->told->next;
    if (!kafka->events)
        kafka->events_tail = &kafka->events;
    *event_out = kafka->told->event;
    return true;
}

void kafka_fail(struct kafka_source *kafka, const struct error *error)
{
    if (kafka->failed || kafka->stopping)
        return;
    kafka->failed = true;
    kafka_event_push(kafka, SOURCE_ERROR, NULL, 0)->event.error = *error;
}

void kafka_down(struct kafka_source *kafka, const char *reason)
{
    if (kafka->down || kafka->failed || kafka->stopping)
        return;
    kafka->down = true;
    error_set(&kafka_event_push(kafka, SOURCE_ERROR, NULL, 0)->event.error, ERROR_RETRY, "%s; trying again until it works%s",
              reason, kafka->ready ? "" : " (are `brokers` and security.protocol of the data source right?)");
}

void kafka_up(struct kafka_source *kafka)
{
    if (!kafka->down)
        return;
    kafka->down = false;
    error_set(&kafka_event_push(kafka, SOURCE_ERROR, NULL, 0)->event.error, ERROR_RETRY,
              "source: the Kafka brokers %s answer again", kafka->job->source.kafka.brokers);
}

void kafka_error_set(const struct kafka_source *kafka, struct error *error, rd_kafka_resp_err_t code, const char *text,
                     const char *doing)
{
    const struct job *job = kafka->job;

    if (!text)
        text = rd_kafka_err2str(code);
    if (kafka_login_error(kafka->login, code, text, kafka->now_ms, error)) {
        error_wrap(error, "source");
        return;
    }
    switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        error_set(error, ERROR_FATAL, "source: topic %s does not exist on cluster %s (%s); create it or correct source.topic",
                  job->source.topic, job->source.kafka.name ? job->source.kafka.name : "", job->source.kafka.brokers);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        error_set(error, ERROR_FATAL, "source: %s: no right to read topic %s; grant READ and DESCRIBE on it", doing,
                  job->source.topic);
        break;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        error_set(error, ERROR_FATAL, "source: %s: no right to use group %s; grant READ on it or correct source.group", doing,
                  job->source.group);
        break;
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        error_set(error, ERROR_FATAL, "source: %s: the brokers %s refuse: %s; grant the right", doing, job->source.kafka.brokers,
                  text);
        break;
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
        error_set(error, ERROR_FATAL, "source: the brokers refuse the group name \"%s\"; correct source.group",
                  job->source.group);
        break;
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
        error_set(error, ERROR_FATAL, "source: group %s is in use by consumers that are not luaduct or use another assignor; "
                  "choose another source.group", job->source.group);
        break;
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
        error_set(error, ERROR_FATAL, "source: the brokers refuse session.timeout.ms; choose a value within the brokers' limits");
        break;
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
        error_set(error, ERROR_FATAL, "source: %s: the brokers %s are too old: %s; luaduct needs Kafka 2.4 or newer", doing,
                  job->source.kafka.brokers, text);
        break;
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
        error_set(error, ERROR_FATAL, "source: %s: the brokers take less than 4,096 bytes beside an offset; raise their "
                  "offset.metadata.max.bytes to 4096", doing);
        break;
    case RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE:
        error_set(error, ERROR_FATAL, "source: %s: one commit is larger than a record that the brokers take; raise "
                  "max.message.bytes of the topic __consumer_offsets, or read fewer partitions in a process", doing);
        break;
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__FATAL:
        error_set(error, ERROR_FATAL, "source: %s: the Kafka client cannot go on: %s", doing, text);
        break;
    default:
        error_set(error, ERROR_RETRY, "source: %s: %s (brokers %s)", doing, text, job->source.kafka.brokers);
    }
}

/* Messages. */

static void messages_destroy(void **handles, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        rd_kafka_message_destroy(handles[i]);
}

static void print_headers(void *handle, struct buffer *text)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;

    if (rd_kafka_message_headers(handle, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        headers_append(text, str_of(name), str_make(value, value ? size : 0));
    headers_end(text);
}

static void message_error(struct kafka_source *kafka, const rd_kafka_message_t *message)
{
    struct kafka_partition *partition;
    struct error error;

    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        partition = kafka_partition_at(kafka, message->partition, false);
        if (!partition || partition->state != KAFKA_PARTITION_ASSIGNED)
            return;
        if (message->offset >= partition->limit) {
            kafka_until_reached(kafka, message->partition);
        } else if (!partition->wait_said) {
            partition->wait_said = true;
            log_info(kafka->log,
                     "the log ends before --until, so the run waits for more records partition=%d ends=%lld until=%lld",
                     (int)message->partition, (long long)message->offset, (long long)partition->limit);
        }
        return;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR__LOG_TRUNCATION:
        partition = message->rkt ? kafka_partition_at(kafka, message->partition, false) : NULL;
        if (partition && partition->state == KAFKA_PARTITION_ASSIGNED && !partition->lost && !partition->gap) {
            partition->gap = true;
            kafka_call_want(kafka, KAFKA_CALL_GAP_LOW);
            kafka->calls[KAFKA_CALL_DESCRIBE].at_ms = 0; /* the topic may have been made anew */
        }
        return;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
        /* The library would ask for the batch again and again. */
        partition = message->rkt ? kafka_partition_at(kafka, message->partition, false) : NULL;
        if (partition)
            partition->gap = true;
        error_set(&error, ERROR_FATAL,
                  "source: the record batch at offset %lld of partition %d of topic %s is damaged (%s); nothing behind it was "
                  "written. Start again, in case it was the network; if it stays, repair the broker's log, or move the position "
                  "with `luaduct reset`", (long long)message->offset, (int)message->partition, kafka->job->source.topic,
                  rd_kafka_message_errstr(message));
        kafka_fail(kafka, &error);
        return;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        log_warn(kafka->log, "the job did not ask for records within max.poll.interval.ms and left the group; it joins again");
        return;
    default:
        kafka_error_set(kafka, &error, message->err, rd_kafka_message_errstr(message), "consuming");
        if (error.kind != ERROR_RETRY)
            kafka_fail(kafka, &error);
        else
            log_warn(kafka->log, "%s", error.text);
    }
}

static void answers_serve(struct kafka_source *kafka)
{
    rd_kafka_event_t *event;

    while ((event = rd_kafka_queue_poll(kafka->answers, 0))) {
        switch (rd_kafka_event_type(event)) {
        case RD_KAFKA_EVENT_OFFSET_COMMIT:
            kafka_commit_answer(kafka, event);
            break;
        case RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT:
        case RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT:
        case RD_KAFKA_EVENT_LISTOFFSETS_RESULT:
        case RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT:
            kafka_call_answer(kafka, event);
            break;
        default:
            break;
        }
        rd_kafka_event_destroy(event);
    }
}

static void descriptor_drain(struct kafka_source *kafka)
{
    uint64_t count;

    /* Not readable is the common case: fetch is called on time-outs too. */
    while (read(kafka->descriptor, &count, sizeof(count)) == (ssize_t)sizeof(count))
        kafka->signalled = true;
}

static uint32_t kafka_fetch(struct source *source, struct message *messages, int32_t *partitions, void **handles, uint32_t room)
{
    struct kafka_source *kafka = kafka_of(source);
    uint32_t filled = 0;

    if (room == 0)
        return 0;
    descriptor_drain(kafka);
    kafka->signalled = false;
    answers_serve(kafka);
    while (filled < room) {
        uint32_t want = room - filled;
        rd_kafka_message_t **fresh = (rd_kafka_message_t **)(handles + filled);
        ssize_t got = rd_kafka_consume_batch_queue(kafka->consumer, 0, fresh, want);

        for (ssize_t i = 0; i < got; i++) {
            rd_kafka_message_t *from = fresh[i];
            struct message *message = &messages[filled];
            struct kafka_partition *partition;

            if (UNLIKELY(from->err)) {
                message_error(kafka, from);
                rd_kafka_message_destroy(from);
                continue;
            }
            partition = kafka_partition_at(kafka, from->partition, false);
            /* The rebalance callback may have run in the middle of this batch, and a seek has put older offsets out of date. */
            if (UNLIKELY(!partition || partition->state != KAFKA_PARTITION_ASSIGNED || partition->lost || partition->gap ||
                         partition->restart || from->offset < partition->next)) {
                rd_kafka_message_destroy(from);
                continue;
            }
            if (UNLIKELY(from->offset >= partition->limit - 1))
                kafka_until_reached(kafka, from->partition);
            if (UNLIKELY(from->offset >= partition->limit)) {
                rd_kafka_message_destroy(from);
                continue;
            }
            partition->next = from->offset + 1;
            message->key = str_make(from->key, from->key ? from->key_len : 0);
            message->value = str_make(from->payload, from->payload ? from->len : 0);
            message->headers = STR_NONE;
            message->offset = from->offset;
            message->timestamp_ms = rd_kafka_message_timestamp(from, NULL);
            partitions[filled] = from->partition;
            handles[filled] = from;
            filled++;
        }
        if (got < (ssize_t)want)
            break;
    }
    if (UNLIKELY(kafka->down) && filled)
        kafka_up(kafka);
    kafka_until_check(kafka);
    kafka_calls_send(kafka);
    return filled;
}

/* The rest of the life. */

static size_t kafka_lag(const struct source *source, struct source_lag *lags_out, size_t max)
{
    const struct kafka_source *kafka = kafka_of(source);
    size_t count = 0;

    for (int32_t i = 0; i < kafka->partition_capacity && count < max; i++) {
        int64_t low = -1, high = -1;

        if (kafka->partitions[i].state != KAFKA_PARTITION_ASSIGNED)
            continue;
        /* From the newest fetch; nothing is asked. */
        if (rd_kafka_get_watermark_offsets(kafka->rk, kafka->job->source.topic, i, &low, &high) || high < 0)
            high = kafka->partitions[i].end;
        lags_out[count++] = (struct source_lag){.partition = i, .end_offset = high};
    }
    return count;
}

static void kafka_step(struct source *source, int64_t now_ms)
{
    struct kafka_source *kafka = kafka_of(source);
    struct kafka_call_state *describe = &kafka->calls[KAFKA_CALL_DESCRIBE];

    kafka->now_ms = now_ms;
    /* Whoever does not fetch, since he has enough, must not be woken by the same news again and again. */
    descriptor_drain(kafka);
    answers_serve(kafka);
    /* Is it still the same topic? And idle partitions bring no messages by which to see that the brokers are back. */
    if (kafka->ready && !describe->in_flight) {
        int64_t at_ms = now_ms + (kafka->down ? PROBE_WAIT_MS : DESCRIBE_WAIT_MS);

        describe->at_ms = describe->wanted && describe->at_ms < at_ms ? describe->at_ms : at_ms;
        describe->wanted = true;
    }
    kafka_group_lost(kafka);
    kafka_rejoin_step(kafka);
    kafka_client_step(kafka);
    kafka_until_check(kafka);
    kafka_calls_send(kafka);
}

static int64_t kafka_deadline(const struct source *source)
{
    const struct kafka_source *kafka = kafka_of(source);
    int64_t deadline = INT64_MAX;

    if (kafka->events || kafka->signalled)
        return 0;
    if (kafka->failed || kafka->stopping || !kafka->login)
        return deadline;
    deadline = kafka_client_deadline(kafka);
    if (kafka->leaving && !kafka->commit_abandoned)
        deadline = int64_min(deadline, kafka->leave_look_ms);
    for (enum kafka_call call = 0; call < KAFKA_CALL_COUNT; call++) {
        const struct kafka_call_state *state = &kafka->calls[call];

        if (state->wanted && !state->in_flight && !kafka_call_waits(kafka, call))
            deadline = int64_min(deadline, int64_max(state->at_ms, 0));
    }
    return deadline;
}

static int kafka_descriptor(const struct source *source)
{
    return kafka_of(source)->descriptor;
}

void kafka_subscribe(struct kafka_source *kafka)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code;
    struct error error;

    rd_kafka_topic_partition_list_add(list, kafka->job->source.topic, RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(kafka->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code) {
        error_set(&error, ERROR_FATAL, "source: joining group %s: %s", kafka->job->source.group, rd_kafka_err2str(code));
        kafka_fail(kafka, &error);
    }
}

static bool kafka_start(struct source *source, struct error *error)
{
    struct kafka_source *kafka = kafka_of(source);

    assert(!kafka->rk);
    kafka->began_ms = clock_wall_ms();
    kafka->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (kafka->descriptor < 0)
        return error_set(error, ERROR_FATAL,
                         "source: no file descriptor left for the Kafka client; raise the limit of open files");
    kafka->login = kafka_login_new(&kafka->job->source.kafka, kafka->job->source.properties, kafka->job->source.property_count,
                                   &kafka->source, kafka->log);
    if (!kafka_client_start(kafka, error))
        return false;
    kafka_call_want(kafka, KAFKA_CALL_DESCRIBE);
    kafka_calls_send(kafka);
    return true;
}

static void kafka_stop(struct source *source, int64_t deadline_ms)
{
    struct kafka_source *kafka = kafka_of(source);
    rd_kafka_queue_t *closing;
    rd_kafka_error_t *refused;

    if (!kafka->rk || kafka->stopping)
        return;
    kafka->stopping = true;
    kafka_group_forget(kafka);
    closing = rd_kafka_queue_new(kafka->rk);
    refused = rd_kafka_consumer_close_queue(kafka->rk, closing);
    if (refused) {
        rd_kafka_error_destroy(refused);
    } else {
        while (!rd_kafka_consumer_closed(kafka->rk)) {
            int64_t left = deadline_ms - clock_monotonic_ms();
            rd_kafka_message_t *message[1];

            if (left <= 0) {
                log_warn(kafka->log,
                         "leaving the group took too long and was given up; the group notices after session.timeout.ms group=%s",
                         kafka->job->source.group);
                break;
            }
            if (rd_kafka_consume_batch_queue(closing, (int)int64_min(left, 100), message, 1) > 0)
                rd_kafka_message_destroy(message[0]);
        }
    }
    rd_kafka_queue_destroy(closing);
}

static void kafka_free(struct source *source)
{
    struct kafka_source *kafka;
    struct source_event event;

    if (!source)
        return;
    kafka = kafka_of(source);
    kafka->stopping = true;
    kafka_client_end(kafka); /* without leaving the group: that is stop's business */
    if (kafka->descriptor >= 0)
        close(kafka->descriptor);
    while (kafka_next(source, &event))
        ;
    kafka_commit_forget(kafka);
    free(kafka->partitions);
    log_free(kafka->log);
    free(kafka);
}

struct source *kafka_source_new(const struct job *job, const struct kafka_run *run, struct log *log)
{
    struct kafka_source *kafka = xcalloc(1, sizeof(*kafka));

    kafka->job = job;
    kafka->run = *run;
    kafka->log = log_new(log, "kafka");
    kafka->descriptor = -1;
    kafka->events_tail = &kafka->events;
    kafka->source.ops = &kafka_ops;
    return &kafka->source;
}

static const struct source_ops kafka_ops = {
    .name = "kafka",
    .start = kafka_start,
    .descriptor = kafka_descriptor,
    .fetch = kafka_fetch,
    .release_handles = messages_destroy,
    .print_headers = print_headers,
    .next = kafka_next,
    .assign = kafka_assign,
    .release = kafka_release,
    .pause = kafka_pause,
    .resume = kafka_resume,
    .seek = kafka_seek,
    .commit = kafka_commit,
    .rejoin = kafka_rejoin,
    .lag = kafka_lag,
    .step = kafka_step,
    .deadline = kafka_deadline,
    .stop = kafka_stop,
    .free = kafka_free,
};
