/* client.c: a data source is written for consumers, so it may hold properties that a producer does not know: librdkafka takes
 * them and complains at each start, so those that are not for all clients are left out. */
#include "dirty/client.h"

#include "job/kafka_properties.h"
#include "kafka/names.h"

#include <stdlib.h>

bool dirty_property_is_shared(const char *name)
{
    size_t size = 0;
    char *table = kafka_names_table(&size);
    bool shared = table && kafka_name_is_shared(str_make(table, size), str_of(name));

    free(table);
    return shared;
}

static bool conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *error)
{
    char text[512];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return true;
    return error_set(error, ERROR_CONFIG, "librdkafka does not take %s: %s", name,
                     name_is_secret(str_of(name)) ? "the value is not shown, since it may be a secret" : text);
}

rd_kafka_conf_t *dirty_conf_make(const struct dirty_options *options, struct kafka_login *login,
                                 const struct dirty_setting *settings, size_t count, struct error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const struct job_kafka *cluster = options->cluster;
    size_t size = 0, property_count;
    const struct job_property *properties = kafka_login_properties(login, &property_count);
    char *table = kafka_names_table(&size);
    char *client = xasprintf("luaduct-%s-dirty", options->job ? options->job : "");
    bool ok = false;

    for (size_t i = 0; i < property_count; i++) {
        const struct job_property *property = &properties[i];

        if (table && !kafka_property_refusal(property->name) &&
            kafka_name_is_shared(str_make(table, size), str_of(property->name)) &&
            !conf_set(conf, property->name, property->value, error))
            goto out;
    }
    for (size_t i = 0; i < count; i++)
        if (!conf_set(conf, settings[i].name, settings[i].value, error))
            goto out;
    if (!conf_set(conf, "client.id", client, error) || !conf_set(conf, "bootstrap.servers", cluster->brokers, error) ||
        !conf_set(conf, "allow.auto.create.topics", "false", error) || !conf_set(conf, "log.connection.close", "false", error))
        goto out;
    kafka_login_conf(login, conf);
    ok = true;
out:
    free(client);
    free(table);
    if (!ok) {
        rd_kafka_conf_destroy(conf);
        conf = NULL;
    }
    return conf;
}

void dirty_kafka_error(const struct dirty_options *options, rd_kafka_resp_err_t code, const char *text, const char *right,
                       size_t size, struct error *error)
{
    const char *cluster = options->cluster->name ? options->cluster->name : "";
    const char *brokers = options->cluster->brokers;

    switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        error_set(error, ERROR_FATAL, "the topic %s of dirty rows does not exist on cluster %s (%s); create it or correct "
                  "dirty.kafka.topic", options->topic, cluster, brokers);
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        error_set(error, ERROR_FATAL, "no right to %s the topic %s of dirty rows; grant %s and DESCRIBE on it", right,
                  options->topic, right);
        return;
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        error_set(error, ERROR_FATAL, "the brokers %s refuse an idempotent producer: %s; grant IDEMPOTENT_WRITE on the cluster",
                  brokers, text);
        return;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        error_set(error, ERROR_FATAL, "a dirty row of %zu bytes is more than the topic %s takes in one message; raise "
                  "max.message.bytes of the topic, or let dirty rows go to files (dirty.directory)", size, options->topic);
        return;
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        error_set(error, ERROR_FATAL, "the topic %s refuses a dirty row: %s; look at the topic's rules, or name another one in "
                  "dirty.kafka.topic", options->topic, text);
        return;
    default:
        /* A new process is a new producer, and rows that it reads again have the same identity. */
        error_set(error, ERROR_RETRY, "the topic %s of dirty rows on %s: %s", options->topic, brokers, text);
        return;
    }
}
