/* client.c: a data source is written for consumers, so it may hold properties that a producer does not know: librdkafka takes
 * them and complains at each start. Which are for all clients it tells in the table that it prints for its documentation, and
 * nowhere else; that table is read here, so that it is right for whichever version is linked. */
#include "dirty/client.h"

#include "job/kafka_properties.h"

#include <stdio.h>
#include <stdlib.h>

/* One line a property: "name | C/P | range | default | ...", where C/P is C, P or * for both. */
static bool table_has_shared(struct str table, struct str name)
{
    struct str line, column, rest = table;

    while (rest.data) {
        str_cut(rest, '\n', &line, &rest);
        str_cut(line, '|', &column, &line);
        if (!str_equal(str_trim(column), name))
            continue;
        str_cut(line, '|', &column, &line);
        return str_is(str_trim(column), "*");
    }
    return false;
}

static char *property_table(size_t *size_out)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, size_out);

    if (!stream)
        return NULL;
    rd_kafka_conf_properties_show(stream);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

bool dirty_property_is_shared(const char *name)
{
    size_t size = 0;
    char *table = property_table(&size);
    bool shared = table && table_has_shared(str_make(table, size), str_of(name));

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

rd_kafka_conf_t *dirty_conf_make(const struct dirty_options *options, const struct dirty_setting *settings, size_t count,
                                 struct error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const struct job_kafka *cluster = options->cluster;
    size_t size = 0;
    char *table = property_table(&size);
    char *client = xasprintf("luaduct-%s-dirty", options->job ? options->job : "");
    bool ok = false;

    for (size_t i = 0; i < cluster->property_count; i++) {
        const struct job_property *property = &cluster->properties[i];

        if (table && !kafka_property_refusal(property->name) && table_has_shared(str_make(table, size), str_of(property->name)) &&
            !conf_set(conf, property->name, property->value, error))
            goto out;
    }
    for (size_t i = 0; i < count; i++)
        if (!conf_set(conf, settings[i].name, settings[i].value, error))
            goto out;
    if (!conf_set(conf, "client.id", client, error) || !conf_set(conf, "bootstrap.servers", cluster->brokers, error) ||
        !conf_set(conf, "allow.auto.create.topics", "false", error) || !conf_set(conf, "log.connection.close", "false", error))
        goto out;
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
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
        error_set(error, ERROR_FATAL, "the Kafka brokers %s refuse the log-in: %s; correct the sasl properties of the data "
                  "source %s", brokers, text, cluster);
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
