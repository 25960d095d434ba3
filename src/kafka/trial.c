/* trial.c: see trial.h. */
#include "kafka/trial.h"

void kafka_trial_begin(struct kafka_trial *trial, rd_kafka_t *rk, const char *topic, int64_t now_ms)
{
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&topic, 1);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    char text[256];

    *trial = (struct kafka_trial){.rk = rk, .answers = rd_kafka_queue_new(rk), .until_ms = now_ms + KAFKA_TRIAL_MS};
    rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_TRIAL_MS, text, sizeof(text));
    rd_kafka_DescribeTopics(rk, topics, options, trial->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_TopicCollection_destroy(topics);
}

void kafka_trial_error(struct kafka_trial *trial, struct kafka_login *login, rd_kafka_resp_err_t code, const char *text)
{
    if (trial->error.kind == ERROR_FATAL || kafka_login_refusal(login, code, text, &trial->error))
        return;
    if (!trial->error.kind || code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        error_set(&trial->error, ERROR_RETRY, "%s", text);
}

/* The topic itself may be missing or forbidden: whoever is told so is let in, but must not lose what he may do now. */
static bool answered_well(struct kafka_trial *trial, struct kafka_login *login, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_TopicDescription_t **topics;
    const rd_kafka_error_t *refused;
    size_t count;

    if (code) {
        kafka_trial_error(trial, login, code, rd_kafka_event_error_string(event));
        return false;
    }
    topics = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    refused = count == 1 ? rd_kafka_TopicDescription_error(topics[0]) : NULL;
    if (!refused || !rd_kafka_error_code(refused))
        return true;
    return error_set(&trial->error, ERROR_FATAL, "asking for the topic: %s", rd_kafka_error_string(refused));
}

enum kafka_trial_state kafka_trial_step(struct kafka_trial *trial, struct kafka_login *login, int64_t now_ms)
{
    rd_kafka_queue_t *main_queue;
    rd_kafka_event_t *event;
    bool well;

    if (!trial->rk)
        return KAFKA_TRIAL_NONE;
    /* Errors come to the callback or as events, as the client was made. */
    main_queue = rd_kafka_queue_get_main(trial->rk);
    while ((event = rd_kafka_queue_poll(main_queue, 0))) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            kafka_trial_error(trial, login, rd_kafka_event_error(event), rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(main_queue);
    event = rd_kafka_queue_poll(trial->answers, 0);
    if (event) {
        well = answered_well(trial, login, event);
        rd_kafka_event_destroy(event);
        return well ? KAFKA_TRIAL_LET_IN : KAFKA_TRIAL_REFUSED;
    }
    if (trial->error.kind != ERROR_FATAL && now_ms < trial->until_ms)
        return KAFKA_TRIAL_RUNS;
    if (!trial->error.kind)
        error_set(&trial->error, ERROR_RETRY, "no answer in %d s", KAFKA_TRIAL_MS / 1000);
    return KAFKA_TRIAL_REFUSED;
}

rd_kafka_t *kafka_trial_take(struct kafka_trial *trial, rd_kafka_queue_t **answers_out)
{
    rd_kafka_t *rk = trial->rk;

    *answers_out = trial->answers;
    *trial = (struct kafka_trial){0};
    return rk;
}

void kafka_trial_end(struct kafka_trial *trial, struct kafka_disposal **disposals)
{
    if (!trial->rk)
        return;
    rd_kafka_queue_destroy(trial->answers);
    kafka_dispose(disposals, trial->rk);
    trial->rk = NULL;
    trial->answers = NULL;
}
