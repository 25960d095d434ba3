/* kafka_reader.c */
#include "source/kafka_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "source/kafka_internal.h"

struct kafka_reader {
    struct kafka_source kafka; /* only .job, .login and .source are used: the log callback finds no log */
    struct job job;            /* the caller's without a group */
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *message; /* that was taken last */
    char reason[512];
};

/* Runs inside take. */
static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_reader *reader = (struct kafka_reader *)kafka_of(kafka_login_owner(opaque));

    (void)rk;
    /* "All brokers are down" says less than the reason before it. */
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !*reader->reason)
        snprintf(reader->reason, sizeof(reader->reason), "%s", text);
}

static bool client_make(struct kafka_reader *reader, struct error *error)
{
    /* A sample is small: what is fetched ahead of it is thrown away. */
    static const char *const settings[][2] = {
        {"enable.partition.eof", "true"},
        {"queued.min.messages", "1000"},
        {"queued.max.messages.kbytes", "4096"},
    };
    rd_kafka_conf_t *conf = kafka_conf_make(reader->kafka.login, &reader->job, NULL, error);
    char text[512] = "";
    bool ok = true;

    if (!conf)
        return false;
    rd_kafka_conf_set_error_cb(conf, on_error);
    for (size_t i = 0; ok && i < COUNT_OF(settings); i++)
        ok = rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof(text)) == RD_KAFKA_CONF_OK;
    if (ok)
        reader->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!reader->rk) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, ERROR_CONFIG, "source: the Kafka client does not start with these settings: %s", text);
    }
    kafka_login_begin(reader->kafka.login, reader->rk);
    reader->topic = rd_kafka_topic_new(reader->rk, reader->job.source.topic, NULL);
    if (!reader->topic)
        return error_set(error, ERROR_CONFIG, "source: \"%s\" cannot be a topic's name; correct source.topic",
                         reader->job.source.topic);
    reader->queue = rd_kafka_queue_new(reader->rk);
    return true;
}

bool kafka_reader_open(struct kafka_reader **reader_out, const struct job *job, struct error *error)
{
    struct kafka_reader *reader = xcalloc(1, sizeof(*reader));

    *reader_out = NULL;
    reader->job = *job;
    reader->job.source.group = (char *)""; /* which librdkafka takes for none */
    reader->kafka.job = &reader->job;
    reader->kafka.login = kafka_login_new(&job->source.kafka, job->source.properties, job->source.property_count,
                                          &reader->kafka.source, NULL);
    if (!client_make(reader, error)) {
        kafka_reader_free(reader);
        return false;
    }
    *reader_out = reader;
    return true;
}

static void message_drop(struct kafka_reader *reader)
{
    if (reader->message)
        rd_kafka_message_destroy(reader->message);
    reader->message = NULL;
}

void kafka_reader_free(struct kafka_reader *reader)
{
    if (!reader)
        return;
    message_drop(reader);
    if (reader->queue)
        rd_kafka_queue_destroy(reader->queue);
    if (reader->topic)
        rd_kafka_topic_destroy(reader->topic);
    kafka_login_stop(reader->kafka.login);
    if (reader->rk)
        rd_kafka_destroy(reader->rk);
    kafka_login_free(reader->kafka.login);
    free(reader);
}

bool kafka_reader_begin(struct kafka_reader *reader, int32_t partition, int64_t offset, struct error *error)
{
    if (rd_kafka_consume_start_queue(reader->topic, partition, offset, reader->queue) == 0)
        return true;
    kafka_error_set(&reader->kafka, error, rd_kafka_last_error(), NULL, "reading the topic");
    return false;
}

void kafka_reader_end(struct kafka_reader *reader, int32_t partition)
{
    rd_kafka_consume_stop(reader->topic, partition);
}

static enum kafka_reader_answer failed(struct kafka_reader *reader, struct error *error)
{
    const rd_kafka_message_t *message = reader->message;

    switch (message->err) {
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR__LOG_TRUNCATION:
        error_set(error, ERROR_RETRY,
                  "source: what was to be read of partition %d of topic %s was deleted meanwhile (retention, or "
                  "the topic was made anew); try again",
                  (int)message->partition, reader->job.source.topic);
        return KAFKA_READER_FAILED;
    default:
        kafka_error_set(&reader->kafka, error, message->err, rd_kafka_message_errstr(message), "reading the topic");
        if (error->kind != ERROR_RETRY)
            return KAFKA_READER_FAILED;
        snprintf(reader->reason, sizeof(reader->reason), "%s", rd_kafka_message_errstr(message));
        return KAFKA_READER_NOTHING;
    }
}

enum kafka_reader_answer kafka_reader_take(struct kafka_reader *reader, int wait_ms, struct kafka_reader_record *record_out,
                                           struct error *error)
{
    rd_kafka_message_t *message;

    message_drop(reader);
    rd_kafka_poll(reader->rk, 0);
    message = reader->message = rd_kafka_consume_queue(reader->queue, wait_ms);
    if (!message)
        return KAFKA_READER_NOTHING;
    memset(record_out, 0, sizeof(*record_out));
    record_out->partition = message->partition;
    record_out->message.offset = message->offset;
    if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return failed(reader, error);
    *reader->reason = '\0';
    if (message->err)
        return KAFKA_READER_AT_END;
    record_out->message.key = str_make(message->key, message->key ? message->key_len : 0);
    record_out->message.value = str_make(message->payload, message->payload ? message->len : 0);
    record_out->message.timestamp_ms = rd_kafka_message_timestamp(message, NULL);
    return KAFKA_READER_RECORD;
}

bool kafka_reader_header(const struct kafka_reader *reader, size_t index, struct str *name_out, struct str *value_out)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;

    if (!reader->message || rd_kafka_message_headers(reader->message, &headers) ||
        rd_kafka_header_get_all(headers, index, &name, &value, &size))
        return false;
    *name_out = str_of(name);
    *value_out = str_make(value, value ? size : 0);
    return true;
}

const char *kafka_reader_reason(const struct kafka_reader *reader)
{
    return reader->reason;
}
