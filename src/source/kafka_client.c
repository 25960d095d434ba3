/* kafka_client.c: the source's librdkafka client: how it is made, and how another one takes its place without a restart.
 *
 * librdkafka reads certificates and keys when a client is made, and takes few properties later. So when the files have changed
 * (kafka/login.h) a second client is made beside the one that works, and has to show that the brokers let it in
 * (kafka/trial.h); until then nothing is given up, and what cannot be used is only a warning. Then its partitions are asked back
 * as in a rebalance, the hub settles them (flushes, commits) while the first client is a member like any other, then that leaves
 * the group, and the second one joins it.
 *
 * When that does not come to an end (the old log-in is not let in any more, so nothing can be committed), the partitions are
 * told as lost and the old client is destroyed. What it may still have sent is a commit of an old member: the group refuses it
 * once the new one has been dealt partitions, for that is a later generation (kafka_commit.c). */
#include "source/kafka_internal.h"

#include <stdio.h>

enum {
    LEAVE_MS = 120000,       /* for leaving in good order, which includes flushing */
    LEAVE_REFUSED_MS = 5000, /* the same when the old log-in does not work any more */
};

/* Runs inside fetch and stop for the client in use, inside of step for the second one: on the hub's thread. */
static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_source *kafka = kafka_of(kafka_login_owner(opaque));
    struct error error;
    char fatal[512];

    if (rk != kafka->rk) {
        kafka_trial_error(&kafka->trial, kafka->login, (rd_kafka_resp_err_t)code, text);
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL && rd_kafka_fatal_error(rk, fatal, sizeof(fatal)))
        text = fatal;
    /* "All brokers are down" says less than the reason before it. */
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && *kafka->reason)
        text = kafka->reason;
    else
        snprintf(kafka->reason, sizeof(kafka->reason), "%s", text);
    kafka_error_set(kafka, &error, (rd_kafka_resp_err_t)code, text, "consuming");
    if (error.kind != ERROR_RETRY)
        kafka_fail(kafka, &error);
    else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        kafka_down(kafka, error.text);
    else
        log_debug(kafka->log, "%s", error.text);
}

static bool client_make(struct kafka_source *kafka, rd_kafka_t **rk_out, struct error *error)
{
    rd_kafka_conf_t *conf = kafka_conf_make(kafka->login, kafka->job, kafka->log, error);
    char text[512];

    if (!conf)
        return false;
    if (kafka_bounded(kafka) && rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, ERROR_FATAL, "source: %s", text);
    }
    rd_kafka_conf_set_rebalance_cb(conf, kafka_on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (!kafka_commit_watch(kafka, conf)) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, ERROR_FATAL, "source: the Kafka client does not let its commits be watched");
    }
    *rk_out = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!*rk_out) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, ERROR_CONFIG, "source: the Kafka client does not start with these settings: %s", text);
    }
    kafka_login_begin(kafka->login, *rk_out);
    return true;
}

static void queue_watch(struct kafka_source *kafka, rd_kafka_queue_t *queue)
{
    static const uint64_t one = 1;

    rd_kafka_queue_io_event_enable(queue, kafka->descriptor, &one, sizeof(one));
}

static void queue_leave(rd_kafka_queue_t *queue)
{
    rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
    rd_kafka_queue_destroy(queue);
}

static void client_use(struct kafka_source *kafka, rd_kafka_t *rk, rd_kafka_queue_t *answers)
{
    kafka->rk = rk;
    kafka->answers = answers;
    rd_kafka_poll_set_consumer(rk);
    kafka->consumer = rd_kafka_queue_get_consumer(rk);
    queue_watch(kafka, kafka->consumer);
    queue_watch(kafka, kafka->answers);
    /* Only what comes from here on is told by the descriptor; a log-in without a token may have failed already. */
    kafka->signalled = true;
}

static void client_dispose(struct kafka_source *kafka)
{
    queue_leave(kafka->consumer);
    queue_leave(kafka->answers);
    kafka_dispose(&kafka->disposals, kafka->rk);
    kafka->rk = NULL;
    kafka->consumer = kafka->answers = NULL;
}

bool kafka_client_start(struct kafka_source *kafka, struct error *error)
{
    rd_kafka_t *rk;

    if (!client_make(kafka, &rk, error))
        return false;
    client_use(kafka, rk, rd_kafka_queue_new(rk));
    return true;
}

/* The second client. */

static void trial_begin(struct kafka_source *kafka)
{
    struct error error = {0};
    rd_kafka_t *rk;

    kafka_trial_end(&kafka->trial, &kafka->disposals);
    kafka->replace = KAFKA_REPLACE_NO;
    if (!kafka_login_usable(kafka->login, &kafka->disposals, &error) || !client_make(kafka, &rk, &error)) {
        log_warn(kafka->log, "the changed certificates or secrets cannot be used, and the old ones stay in use: %s", error.text);
        return;
    }
    kafka_trial_begin(&kafka->trial, rk, kafka->job->source.topic, kafka->now_ms);
    kafka->replace = KAFKA_REPLACE_TRYING;
}

/* The group is left, or its time to be left is over. What waited for an answer of the old client is asked again; what was about
 * partitions comes anew with them. */
static void client_swap(struct kafka_source *kafka)
{
    rd_kafka_queue_t *answers;
    rd_kafka_t *rk = kafka_trial_take(&kafka->trial, &answers);

    client_dispose(kafka);
    client_use(kafka, rk, answers);
    kafka->replace = KAFKA_REPLACE_NO;
    kafka->leaving = kafka->commit_abandoned = kafka->revoke_waiting = false;
    for (int32_t i = 0; i < kafka->partition_capacity; i++)
        kafka->partitions[i].held = kafka->partitions[i].revoking = false;
    for (enum kafka_call call = 0; call < KAFKA_CALL_COUNT; call++) {
        struct kafka_call_state *state = &kafka->calls[call];
        bool again = call == KAFKA_CALL_DESCRIBE || call == KAFKA_CALL_UNTIL || call == KAFKA_CALL_READ_BACK;

        *state = (struct kafka_call_state){.wanted = again && (state->wanted || state->in_flight)};
    }
}

static void leave_begin(struct kafka_source *kafka)
{
    log_info(kafka->log,
             "certificates or secrets have changed: the Kafka client is replaced, and the group is joined anew group=%s",
             kafka->job->source.group);
    kafka->replace = KAFKA_REPLACE_SETTLING;
    kafka->leave_look_ms = 0;
    kafka->replace_ms = kafka->now_ms + (kafka_login_is_refused(kafka->login) ? LEAVE_REFUSED_MS : LEAVE_MS);
    if (!kafka->ready)
        client_swap(kafka);
    else
        kafka_group_ask_back(kafka);
}

/* Only when nothing is to be flushed and committed any more: librdkafka sends no heartbeats once it is told to leave. */
static void leave_step(struct kafka_source *kafka)
{
    if (kafka_group_settles(kafka))
        return;
    kafka->replace = KAFKA_REPLACE_LEAVING;
    if (kafka->leaving) /* a rejoin was quicker */
        return;
    kafka->leaving = true;
    rd_kafka_unsubscribe(kafka->rk);
}

static void trial_step(struct kafka_source *kafka)
{
    switch (kafka_trial_step(&kafka->trial, kafka->login, kafka->now_ms)) {
    case KAFKA_TRIAL_LET_IN:
        leave_begin(kafka);
        break;
    case KAFKA_TRIAL_REFUSED:
        log_warn(kafka->log,
                 "the Kafka brokers do not let the job in with the changed certificates or secrets; the old ones stay in "
                 "use, and the new ones are tried again: %s",
                 kafka->trial.error.text);
        kafka_trial_end(&kafka->trial, &kafka->disposals);
        kafka->replace = KAFKA_REPLACE_WAITING;
        kafka->replace_ms = kafka->now_ms + KAFKA_TRIAL_AGAIN_MS;
        break;
    default:
        break;
    }
}

/* The answer to a commit would be lost with the client, and the hub would wait for it for ever. True: there is none to come. */
static bool commit_settled(struct kafka_source *kafka)
{
    struct error error;

    if (!kafka->committing || kafka->commit_answered)
        return true;
    /* At least once: librdkafka gives it up in time, and what is stored is read back. */
    if (kafka->job->delivery == DELIVERY_EXACTLY_ONCE) {
        error_set(&error, ERROR_RETRY, "source: committing offsets: the Kafka client was replaced before the brokers answered");
        kafka_commit_done(kafka, COMMIT_UNKNOWN, &error); /* which makes the hub ask for a rejoin */
    }
    return false;
}

/* In good order nobody has partitions or waits for a commit any more; a client that was put out of the group meanwhile (it could
 * not log in for its heartbeats) may leave both behind. */
bool kafka_client_left(struct kafka_source *kafka)
{
    if (!commit_settled(kafka))
        return false;
    kafka_group_lose(kafka);
    client_swap(kafka);
    return true;
}

/* Leaving in good order did not come to an end. */
static void leave_by_force(struct kafka_source *kafka)
{
    if (!commit_settled(kafka)) {
        kafka->replace_ms = kafka->now_ms + KAFKA_TRIAL_LOOK_MS;
        return;
    }
    log_warn(kafka->log, "leaving the group took too long and was given up; the group notices after session.timeout.ms group=%s",
             kafka->job->source.group);
    kafka_group_lose(kafka);
    client_swap(kafka);
    kafka_subscribe(kafka);
}

void kafka_client_step(struct kafka_source *kafka)
{
    unsigned changed;

    if (kafka->failed || kafka->stopping)
        return;
    changed = kafka_login_step(kafka->login, kafka->now_ms);
    kafka_login_tell(kafka->login, kafka->rk, changed);
    if (kafka->trial.rk && !(changed & KAFKA_LOGIN_CLIENT))
        kafka_login_tell(kafka->login, kafka->trial.rk, changed);
    if (changed & KAFKA_LOGIN_CLIENT) {
        if (kafka->replace >= KAFKA_REPLACE_SETTLING)
            kafka->replace_again = true;
        else
            trial_begin(kafka);
    }
    switch (kafka->replace) {
    case KAFKA_REPLACE_NO:
        if (kafka->replace_again)
            trial_begin(kafka);
        kafka->replace_again = false;
        break;
    case KAFKA_REPLACE_WAITING:
        if (kafka->now_ms >= kafka->replace_ms)
            trial_begin(kafka);
        break;
    case KAFKA_REPLACE_TRYING:
        trial_step(kafka);
        break;
    case KAFKA_REPLACE_SETTLING:
    case KAFKA_REPLACE_LEAVING:
        if (kafka->now_ms >= kafka->replace_ms)
            leave_by_force(kafka);
        else if (kafka->replace == KAFKA_REPLACE_SETTLING)
            leave_step(kafka);
        break;
    }
}

int64_t kafka_client_deadline(const struct kafka_source *kafka)
{
    int64_t deadline = kafka_login_deadline(kafka->login);

    if (kafka->replace == KAFKA_REPLACE_TRYING)
        deadline = int64_min(deadline, kafka->now_ms + KAFKA_TRIAL_LOOK_MS);
    else if (kafka->replace != KAFKA_REPLACE_NO)
        deadline = int64_min(deadline, kafka->replace_ms);
    if (kafka->replace == KAFKA_REPLACE_SETTLING)
        deadline = kafka_group_settles(kafka) ? int64_min(deadline, kafka->now_ms + KAFKA_LEAVE_LOOK_MS) : 0;
    return deadline;
}

void kafka_client_end(struct kafka_source *kafka)
{
    if (kafka->login)
        kafka_login_stop(kafka->login);
    kafka_trial_end(&kafka->trial, &kafka->disposals);
    if (kafka->rk)
        client_dispose(kafka);
    kafka_disposals_join(&kafka->disposals);
    kafka_login_free(kafka->login);
    kafka->login = NULL;
}
