/* kafka.c: dirty rows to a Kafka topic: an idempotent producer that never gives up.
 * Method: librdkafka holds what is not acknowledged; its own bounds on that are lifted, since the hub bounds it by dirty_backlog.
 * Delivery reports are served on the hub's thread, in every call, from the client's main queue; when that stops being empty a
 * thread of librdkafka wakes the hub. Each message carries the generation in which it was appended, which dirty_sync ends: so
 * rows of the next epoch that are on their way do not hold up this one.
 * When certificates or secrets have changed (kafka/login.h) another client takes over; what the old one has not got
 * acknowledged is purged from it, comes back in delivery reports with an error, and goes to the new one: the worst is a row that
 * is there twice.
 * Small batches: a broker measures the whole batch against max.message.bytes, and an error would name rows that are small enough.
 * Cost: each line is parsed once more, for its identity. */
#include "dirty/client.h"
#include "dirty/read.h"
#include "dirty/store.h"
#include "kafka/trial.h"
#include "util/clock.h"

#include <stdlib.h>

enum {
    MESSAGE_OVERHEAD = 256, /* of librdkafka's own, a message; its struct and the entry in its queue */
    DESCRIBE_TIMEOUT_MS = 30000,
};

struct kafka {
    struct dirty_store store; /* bytes: appended */
    struct dirty_options options;
    struct log *log;
    struct kafka_login *login;
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    rd_kafka_t *old;              /* has given its place up; until all of its messages have come back */
    rd_kafka_queue_t *old_events;
    struct kafka_trial trial;     /* of the one that is to take the place */
    bool replace;                 /* files have changed */
    int64_t replace_ms;           /* not before */
    struct kafka_disposal *disposals;
    rd_kafka_queue_t *events; /* the client's main queue: delivery reports, errors and the answer about the topic */
    int64_t backlog;
    uintptr_t generation;     /* from 1; of what is appended now */
    int64_t waiting;          /* messages of this generation without acknowledgement */
    int64_t waiting_before;   /* the same of those before: what a sync waits for */
    bool down;
    struct error error;       /* ERROR_NONE: none; stays */
    struct buffer key;
};

static const struct dirty_ops kafka_ops;

static struct kafka *kafka_of(struct dirty_store *store)
{
    return CONTAINER_OF(store, struct kafka, store);
}

static void fail(struct kafka *kafka, rd_kafka_resp_err_t code, const char *text, size_t size)
{
    if (kafka->error.kind == ERROR_NONE)
        dirty_kafka_error(&kafka->options, code, text, "WRITE", size, &kafka->error);
}

/* Runs on librdkafka's threads. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct kafka *kafka = rk && rd_kafka_opaque(rk) ? kafka_login_owner(rd_kafka_opaque(rk)) : NULL;

    (void)level;
    if (kafka && kafka->log)
        log_debug(kafka->log, "librdkafka: %s: %s", facility, text);
}

/* On a thread of librdkafka. */
static void on_event(rd_kafka_t *rk, void *opaque)
{
    const struct kafka *kafka = opaque;

    (void)rk;
    kafka->options.wake(kafka->options.wake_arg);
}

/* What the old client did not get acknowledged. */
static void produce_again(struct kafka *kafka, const rd_kafka_message_t *message)
{
    rd_kafka_resp_err_t code;

    if (rd_kafka_produce(kafka->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, message->payload, message->len, message->key,
                         message->key_len, message->_private) == 0)
        return;
    code = rd_kafka_last_error();
    fail(kafka, code, rd_kafka_err2str(code), message->len);
}

static void on_delivery(struct kafka *kafka, const rd_kafka_message_t *message)
{
    if (kafka->old && (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)) {
        produce_again(kafka, message);
        return;
    }
    if ((uintptr_t)message->_private == kafka->generation)
        kafka->waiting--;
    else
        kafka->waiting_before--;
    kafka->backlog -= (int64_t)(message->len + message->key_len) + MESSAGE_OVERHEAD;
    if (message->err) {
        fail(kafka, message->err, rd_kafka_message_errstr(message), message->len);
        return;
    }
    kafka_login_let_in(kafka->login);
    if (kafka->down) {
        kafka->down = false;
        if (kafka->log)
            log_info(kafka->log, "%s takes rows again", kafka->store.place);
    }
}

static void on_error(struct kafka *kafka, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    struct error error;
    char text[512];

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        code = rd_kafka_fatal_error(kafka->rk, text, sizeof(text));
        fail(kafka, code, text, 0);
    } else if (kafka_login_error(kafka->login, code, rd_kafka_event_error_string(event), clock_monotonic_ms(), &error)) {
        if (error.kind == ERROR_FATAL && kafka->error.kind == ERROR_NONE)
            kafka->error = error;
    } else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        if (kafka->log && !kafka->down)
            log_warn(kafka->log, "%s cannot be reached; dirty rows wait for it, and with them the epochs: %s", kafka->store.place,
                     rd_kafka_event_error_string(event));
        kafka->down = true;
    } else if (kafka->log) {
        log_debug(kafka->log, "%s: %s", kafka->store.place, rd_kafka_event_error_string(event));
    }
}

static void describe(struct kafka *kafka)
{
    const char *name = kafka->options.topic;
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&name, 1);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka->rk, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    char text[256];

    rd_kafka_AdminOptions_set_request_timeout(options, DESCRIBE_TIMEOUT_MS, text, sizeof(text));
    rd_kafka_DescribeTopics(kafka->rk, topics, options, kafka->events);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_TopicCollection_destroy(topics);
}

/* A missing topic would else be told only after the first dirty row and librdkafka's own patience with it. */
static void on_described(struct kafka *kafka, rd_kafka_event_t *event)
{
    const rd_kafka_TopicDescription_t **topics;
    const rd_kafka_error_t *refused = NULL;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    struct error error;
    size_t count = 0;

    if (!code) {
        topics = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
        refused = count == 1 ? rd_kafka_TopicDescription_error(topics[0]) : NULL;
        code = refused ? rd_kafka_error_code(refused) : RD_KAFKA_RESP_ERR_NO_ERROR;
        text = refused ? rd_kafka_error_string(refused) : text;
    }
    if (!code) {
        kafka_login_let_in(kafka->login);
        return;
    }
    if (kafka_login_refusal(kafka->login, code, text, &error))
        return; /* told as an error of the client */
    dirty_kafka_error(&kafka->options, code, text, "WRITE", 0, &error);
    if (error.kind != ERROR_RETRY)
        fail(kafka, code, text, 0);
    else if (code == RD_KAFKA_RESP_ERR__TIMED_OUT)
        describe(kafka); /* other answers come at once, and asking again at once would ask for ever; the first row will tell */
}

static void serve_event(struct kafka *kafka, rd_kafka_event_t *event, bool of_old)
{
    const rd_kafka_message_t *message;

    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        while ((message = rd_kafka_event_message_next(event)))
            on_delivery(kafka, message);
        break;
    case RD_KAFKA_EVENT_ERROR:
        if (!of_old)
            on_error(kafka, event);
        break;
    case RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT:
        on_described(kafka, event);
        break;
    default:
        break;
    }
    rd_kafka_event_destroy(event);
}

static bool client_make(struct kafka *kafka, rd_kafka_t **rk_out, struct error *error)
{
    static const struct dirty_setting settings[] = {
        {"acks", "all"},
        {"enable.idempotence", "true"},
        {"max.in.flight", "5"},             /* what idempotence allows at most */
        {"message.timeout.ms", "0"},        /* never given up */
        {"compression.codec", "lz4"},
        {"linger.ms", "5"},
        {"batch.size", "65536"},
        {"message.max.bytes", "1000000000"}, /* the topic decides what is too large */
        {"queue.buffering.max.messages", "0"},
        {"queue.buffering.max.kbytes", "2147483647"},
        {"partitioner", "murmur2_random"},  /* by key, as Java's */
    };
    rd_kafka_conf_t *conf = dirty_conf_make(&kafka->options, kafka->login, settings, COUNT_OF(settings), error);
    char text[512];

    if (!conf)
        return false;
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    *rk_out = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!*rk_out) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, ERROR_CONFIG, "the Kafka producer does not start with these settings: %s", text);
    }
    kafka_login_begin(kafka->login, *rk_out);
    return true;
}

static bool client_use(struct kafka *kafka, rd_kafka_t *rk, struct error *error)
{
    kafka->rk = rk;
    kafka->topic = rd_kafka_topic_new(rk, kafka->options.topic, NULL);
    kafka->events = rd_kafka_queue_get_main(rk);
    if (!kafka->topic)
        return error_set(error, ERROR_CONFIG, "\"%s\" cannot be a topic's name; correct dirty.kafka.topic", kafka->options.topic);
    if (kafka->options.wake) {
        rd_kafka_queue_cb_event_enable(kafka->events, on_event, kafka);
        on_event(rk, kafka); /* it is not called for what is there already */
    }
    describe(kafka);
    return true;
}

static void old_dispose(struct kafka *kafka)
{
    rd_kafka_queue_cb_event_enable(kafka->old_events, NULL, NULL);
    rd_kafka_queue_destroy(kafka->old_events);
    kafka_dispose(&kafka->disposals, kafka->old);
    kafka->old = NULL;
    kafka->old_events = NULL;
}

static void client_replace(struct kafka *kafka)
{
    rd_kafka_queue_t *answers;
    rd_kafka_t *rk = kafka_trial_take(&kafka->trial, &answers);

    rd_kafka_queue_destroy(answers);
    rd_kafka_topic_destroy(kafka->topic);
    kafka->old = kafka->rk;
    kafka->old_events = kafka->events;
    if (!client_use(kafka, rk, &kafka->error)) /* the name was good enough for the first one */
        return;
    rd_kafka_purge(kafka->old, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    if (kafka->log)
        log_info(kafka->log, "certificates or secrets have changed: the producer for %s is replaced", kafka->store.place);
}

static void trial_begin(struct kafka *kafka, int64_t now_ms)
{
    struct error error = {0};
    rd_kafka_t *rk;

    kafka->replace = false;
    if (kafka_login_usable(kafka->login, &kafka->disposals, &error) && client_make(kafka, &rk, &error))
        kafka_trial_begin(&kafka->trial, rk, kafka->options.topic, now_ms);
    else if (kafka->log)
        log_warn(kafka->log, "the changed certificates or secrets cannot be used, and the old ones stay in use: %s", error.text);
}

static void replace_step(struct kafka *kafka, int64_t now_ms)
{
    unsigned changed = kafka_login_step(kafka->login, now_ms);

    kafka_login_tell(kafka->login, kafka->rk, changed);
    if (changed & KAFKA_LOGIN_CLIENT) {
        kafka_trial_end(&kafka->trial, &kafka->disposals);
        kafka->replace = true;
        kafka->replace_ms = 0;
    }
    switch (kafka_trial_step(&kafka->trial, kafka->login, now_ms)) {
    case KAFKA_TRIAL_LET_IN:
        client_replace(kafka);
        break;
    case KAFKA_TRIAL_REFUSED:
        if (kafka->log)
            log_warn(kafka->log, "the Kafka brokers do not let the job in with the changed certificates or secrets; the old ones "
                     "stay in use, and the new ones are tried again: %s", kafka->trial.error.text);
        kafka_trial_end(&kafka->trial, &kafka->disposals);
        kafka->replace = true;
        kafka->replace_ms = now_ms + KAFKA_TRIAL_AGAIN_MS;
        break;
    case KAFKA_TRIAL_NONE:
        if (kafka->replace && !kafka->old && now_ms >= kafka->replace_ms)
            trial_begin(kafka, now_ms);
        break;
    case KAFKA_TRIAL_RUNS:
        break;
    }
}

static void serve(struct kafka *kafka, int wait_ms)
{
    rd_kafka_event_t *event;

    replace_step(kafka, clock_monotonic_ms());
    while (kafka->old && (event = rd_kafka_queue_poll(kafka->old_events, 0)))
        serve_event(kafka, event, true);
    if (kafka->old && rd_kafka_outq_len(kafka->old) == 0)
        old_dispose(kafka);
    while ((event = rd_kafka_queue_poll(kafka->events, wait_ms))) {
        serve_event(kafka, event, false);
        wait_ms = 0;
    }
}

static bool failed(struct kafka *kafka, struct error *error)
{
    serve(kafka, 0);
    if (kafka->error.kind == ERROR_NONE)
        return false;
    *error = kafka->error;
    return true;
}

static bool row_produce(struct kafka *kafka, struct str line, struct error *error)
{
    struct dirty_record record;
    rd_kafka_resp_err_t code;

    if (!dirty_record_read(&record, line))
        return error_set(error, ERROR_FATAL, "a dirty row is no line of JSON; this is a mistake in luaduct: %.*s",
                         (int)size_min(line.size, 200), line.data);
    buffer_clear(&kafka->key);
    dirty_record_identity(&record, &kafka->key);
    dirty_record_release(&record);
    if (rd_kafka_produce(kafka->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)line.data, line.size,
                         kafka->key.data, kafka->key.size, (void *)kafka->generation) != 0) {
        code = rd_kafka_last_error();
        fail(kafka, code, rd_kafka_err2str(code), line.size);
        *error = kafka->error;
        return false;
    }
    kafka->waiting++;
    kafka->backlog += (int64_t)(line.size + kafka->key.size) + MESSAGE_OVERHEAD;
    kafka->store.bytes += (int64_t)line.size;
    return true;
}

static bool kafka_append(struct dirty_store *store, struct str lines, int64_t wall_ms UNUSED, struct error *error)
{
    struct kafka *kafka = kafka_of(store);
    struct str line;

    if (failed(kafka, error))
        return false;
    while (lines.data && lines.size) {
        str_cut(lines, '\n', &line, &lines);
        if (line.size && !row_produce(kafka, line, error))
            return false;
    }
    return true;
}

static bool kafka_sync(struct dirty_store *store, struct error *error)
{
    struct kafka *kafka = kafka_of(store);

    if (failed(kafka, error))
        return false;
    kafka->waiting_before += kafka->waiting;
    kafka->waiting = 0;
    kafka->generation++;
    return true;
}

static bool kafka_durable(struct dirty_store *store, bool *durable_out, struct error *error)
{
    struct kafka *kafka = kafka_of(store);

    if (failed(kafka, error))
        return false;
    *durable_out = kafka->waiting_before == 0;
    return true;
}

static int64_t kafka_backlog(struct dirty_store *store)
{
    serve(kafka_of(store), 0);
    return kafka_of(store)->backlog;
}

static void kafka_close(struct dirty_store *store)
{
    struct kafka *kafka = kafka_of(store);
    int64_t end_ms = clock_monotonic_ms() + DIRTY_CLOSE_MS;
    int64_t left_ms;

    if (kafka->events)
        rd_kafka_queue_cb_event_enable(kafka->events, NULL, NULL);
    if (kafka->old_events)
        rd_kafka_queue_cb_event_enable(kafka->old_events, NULL, NULL);
    while (kafka->backlog && kafka->error.kind == ERROR_NONE && (left_ms = end_ms - clock_monotonic_ms()) > 0)
        serve(kafka, (int)left_ms);
    if (kafka->backlog && kafka->log)
        log_warn(kafka->log, "%lld dirty rows were not acknowledged by %s; their offsets are not committed, and the next run "
                 "brings them again", (long long)(kafka->waiting + kafka->waiting_before), store->place);
    if (kafka->rk)
        rd_kafka_purge(kafka->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    if (kafka->topic)
        rd_kafka_topic_destroy(kafka->topic);
    if (kafka->events)
        rd_kafka_queue_destroy(kafka->events);
    kafka_login_stop(kafka->login);
    kafka_trial_end(&kafka->trial, &kafka->disposals);
    if (kafka->old)
        old_dispose(kafka);
    if (kafka->rk)
        rd_kafka_destroy(kafka->rk);
    kafka_disposals_join(&kafka->disposals);
    kafka_login_free(kafka->login);
    buffer_release(&kafka->key);
    log_free(kafka->log);
    free(store->place);
    free(kafka);
}

bool dirty_kafka_open(struct dirty_store **store_out, const struct dirty_options *options, struct error *error)
{
    bool ok = false;
    struct kafka *kafka = xcalloc(1, sizeof(*kafka));
    rd_kafka_t *rk;

    kafka->store.ops = &kafka_ops;
    kafka->store.place = dirty_options_place(options);
    kafka->options = *options;
    kafka->log = options->log ? log_new(options->log, "dirty") : NULL;
    kafka->generation = 1;
    buffer_init(&kafka->key, 0);
    kafka->login = kafka_login_new(options->cluster, options->cluster->properties, options->cluster->property_count, kafka,
                                   kafka->log);
    if (!client_make(kafka, &rk, error) || !client_use(kafka, rk, error))
        goto out;
    *store_out = &kafka->store;
    kafka = NULL; /* the caller owns it from here */
    ok = true;
out:
    dirty_store_close(kafka ? &kafka->store : NULL);
    return ok;
}

static const struct dirty_ops kafka_ops = {
    .name = "kafka",
    .shared = true,
    .append = kafka_append,
    .sync = kafka_sync,
    .durable = kafka_durable,
    .backlog = kafka_backlog,
    .close = kafka_close,
};
