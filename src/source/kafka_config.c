/* kafka_config.c: from the job to librdkafka's configuration, which properties a job may set, and the connection check.
 * A property is tried on a scratch configuration, so that librdkafka itself is the judge; only numbers are looked at once more,
 * since it reads "1000xyz" as 1000. */
#include "kafka/names.h"
#include "source/kafka_internal.h"
#include "util/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool text_is_number(const char *text)
{
    char *end;

    errno = 0;
    strtod(text, &end);
    return end != text && *end == '\0' && errno == 0;
}

static bool property_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *error)
{
    char before[64], text[512], hint[128];
    size_t size = sizeof(before);
    bool number = rd_kafka_conf_get(conf, name, before, &size) == RD_KAFKA_CONF_OK && text_is_number(before);

    switch (rd_kafka_conf_set(conf, name, value, text, sizeof(text))) {
    case RD_KAFKA_CONF_OK:
        if (number && !text_is_number(value))
            return error_set(error, ERROR_CONFIG, "%s: \"%s\" is not a number; write it without a unit", name,
                             name_is_secret(str_of(name)) ? "***" : value);
        return true;
    case RD_KAFKA_CONF_UNKNOWN:
        kafka_name_hint(name, hint, sizeof(hint));
        return error_set(error, ERROR_CONFIG, "%s: librdkafka %s knows no such property%s", name, rd_kafka_version_str(), hint);
    default:
        return error_set(error, ERROR_CONFIG, "%s: %s", name, name_is_secret(str_of(name)) ?
                         "librdkafka does not take this value (it is not shown, since it may be a secret)" : text);
    }
}

bool kafka_property_check(const char *name, const char *value, struct error *error)
{
    const char *reason = kafka_property_refusal(name);
    rd_kafka_conf_t *conf;
    bool ok;

    if (reason)
        return error_set(error, ERROR_CONFIG, "%s cannot be set: %s", name, reason);
    conf = rd_kafka_conf_new();
    ok = property_set(conf, name, value, error);
    rd_kafka_conf_destroy(conf);
    return ok;
}

/* What these say of connections that were lost or not let in comes as an error event too, and is told once there. */
static bool told_as_event(const char *facility)
{
    static const char *const facilities[] = {"FAIL", "ERROR", "SSL", "SSLCERTVRFY", "OIDC"};

    for (size_t i = 0; i < COUNT_OF(facilities); i++)
        if (strcmp(facility, facilities[i]) == 0)
            return true;
    return false;
}

/* Runs on librdkafka's threads. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct kafka_source *kafka;

    if (!rk || !rd_kafka_opaque(rk))
        return;
    kafka = kafka_of(kafka_login_owner(rd_kafka_opaque(rk)));
    if (!kafka->log)
        return;
    if (level > 4 || told_as_event(facility))
        log_debug(kafka->log, "librdkafka: %s: %s", facility, text);
    else
        log_warn(kafka->log, "librdkafka: %s: %s", facility, text);
}

static bool own_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *error)
{
    char text[512];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return true;
    return error_set(error, ERROR_CONFIG, "source: librdkafka does not take %s: %s", name, text);
}

/* Sizes of one fetch, which count against the job's memory: a larger wish is cut. */
static const char *const sizes_bounded[] = {"fetch.max.bytes", "fetch.message.max.bytes", "max.partition.fetch.bytes"};

static int64_t number_of(const rd_kafka_conf_t *conf, const char *name)
{
    char text[64];
    size_t size = sizeof(text);

    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? strtoll(text, NULL, 10) : 0;
}

static bool number_set(rd_kafka_conf_t *conf, const char *name, int64_t value, struct error *error)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    return own_set(conf, name, text, error);
}

static bool size_bound(rd_kafka_conf_t *conf, const char *name, int64_t bytes_max, struct log *log, struct error *error)
{
    int64_t value = number_of(conf, name);

    if (value <= bytes_max)
        return true;
    if (log)
        log_info(log, "%s is cut to what may be fetched ahead (source.prefetch) wanted=%lld used=%lld", name, (long long)value,
                 (long long)bytes_max);
    return number_set(conf, name, bytes_max, error);
}

/* What one answer holds comes on top of what is queued, a multiple once it is decompressed and has librdkafka's own beside each
 * record; of librdkafka's defaults, 1 MiB of each partition, most of it has left the caches before its turn. A job that writes
 * source.prefetch has its brokers far away, and gets as much at once. A job's own properties come after this. */
static bool fetch_near_set(rd_kafka_conf_t *conf, const struct job *job, struct error *error)
{
    return job->source.prefetch || number_set(conf, "max.partition.fetch.bytes", 256 * 1024, error);
}

/* After the job's own: librdkafka wants its largest record to fit in, and all of it into the largest answer. */
static bool fetch_size_set(rd_kafka_conf_t *conf, const struct job *job, struct error *error)
{
    enum { NEAR_BYTES = 1024 * 1024, FRAME_BYTES = 512 };
    int64_t record = number_of(conf, "message.max.bytes"), answer = number_of(conf, "receive.message.max.bytes") - FRAME_BYTES;
    int64_t wanted = job->source.prefetch ? job->source.prefetch : NEAR_BYTES;

    return number_set(conf, "fetch.max.bytes", int64_min(int64_max(wanted, record), answer), error);
}

static bool wishes(const struct job_property *properties, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(properties[i].name, name) == 0)
            return true;
    return false;
}

int64_t kafka_prefetch_bytes(const struct job *job)
{
    if (job->source.prefetch)
        return job->source.prefetch;
    return int64_max(4 << 20, int64_min(job->runtime.memory_max / 8, 64 << 20));
}

rd_kafka_conf_t *kafka_conf_make(struct kafka_login *login, const struct job *job, struct log *log, struct error *error)
{
    static const struct {
        const char *name, *value;
    } fixed[] = {
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"group.protocol", "classic"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "false"},
        {"isolation.level", "read_committed"},
        {"check.crcs", "true"}, /* 10 ns a record; the library's default passes damaged batches on */
        {"auto.offset.reset", "error"}, /* an offset that is gone is an event, never a silent jump */
        {"allow.auto.create.topics", "false"},
        {"fetch.queue.backoff.ms", "2"}, /* the default of 1,000 stalls a consumer that empties the queue faster */
        {"queued.min.messages", "10000"}, /* some ms of work; more would have left the caches before its turn */
        {"log.connection.close", "false"},
    };
    /* A job may set these; librdkafka's own would notice added partitions after five minutes. */
    static const char *const refresh[] = {"topic.metadata.refresh.interval.ms", "30000"};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int64_t queued = kafka_prefetch_bytes(job);
    size_t count;
    const struct job_property *properties = kafka_login_properties(login, &count);
    char text[512];
    bool ok = false;

    if (!own_set(conf, refresh[0], refresh[1], error) || !fetch_near_set(conf, job, error))
        goto out;
    /* The job's own come first, so that what we must control wins whatever is written there. */
    for (size_t i = 0; i < count; i++) {
        const struct job_property *property = &properties[i];
        const char *reason = kafka_property_refusal(property->name);

        if (reason) {
            error_set(error, ERROR_CONFIG, "source: property %s cannot be set: %s", property->name, reason);
            goto out;
        }
        if (!property_set(conf, property->name, property->value, error)) {
            error_wrap(error, "source: property");
            goto out;
        }
    }
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        if (!own_set(conf, fixed[i].name, fixed[i].value, error))
            goto out;
    }
    if (!number_set(conf, "queued.max.messages.kbytes", queued / 1024, error))
        goto out;
    if (!wishes(properties, count, "fetch.max.bytes") && !fetch_size_set(conf, job, error))
        goto out;
    for (size_t i = 0; i < COUNT_OF(sizes_bounded); i++) {
        /* Without a wish of the job's, cutting the default is nothing to talk about. */
        struct log *told = wishes(properties, count, sizes_bounded[i]) ? log : NULL;

        if (!size_bound(conf, sizes_bounded[i], queued, told, error))
            goto out;
    }
    snprintf(text, sizeof(text), "luaduct-%s", job->name);
    if (!own_set(conf, "client.id", text, error) || !own_set(conf, "group.id", job->source.group, error) ||
        !own_set(conf, "bootstrap.servers", job->source.kafka.brokers, error))
        goto out;
    rd_kafka_conf_set_log_cb(conf, on_log);
    kafka_login_conf(login, conf);
    ok = true;
out:
    if (!ok) {
        rd_kafka_conf_destroy(conf);
        conf = NULL;
    }
    return conf;
}

/* The newest reason why the brokers could not be reached; the metadata call itself only says "timed out". */
struct probe {
    struct kafka_source kafka; /* only .job, .login and .source are used: the log callback finds no log */
    rd_kafka_resp_err_t code;
    bool refused;
    char text[512];
};

static void on_probe_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct probe *probe = (struct probe *)kafka_of(kafka_login_owner(opaque));
    struct error error;

    (void)rk;
    /* "All brokers are down" says less than the reason before it. */
    if (probe->refused || (probe->code && code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN))
        return;
    probe->code = code;
    probe->refused = kafka_login_refusal(probe->kafka.login, probe->code, text, &error) && error.kind == ERROR_FATAL;
    snprintf(probe->text, sizeof(probe->text), "%s", text);
}

bool kafka_source_probe(const struct job *job, int timeout_ms, unsigned *partitions_out, struct error *error)
{
    bool ok = false;
    int64_t end = clock_monotonic_ms() + timeout_ms;
    struct probe probe = {.kafka.job = job};
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = NULL;
    rd_kafka_t *rk = NULL;
    rd_kafka_conf_t *conf;
    rd_kafka_resp_err_t code;
    char text[512];

    probe.kafka.login = kafka_login_new(&job->source.kafka, job->source.properties, job->source.property_count,
                                        &probe.kafka.source, NULL);
    conf = kafka_conf_make(probe.kafka.login, job, NULL, error);
    if (!conf)
        goto out;
    rd_kafka_conf_set_error_cb(conf, on_probe_error);
    rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        error_set(error, ERROR_CONFIG, "source: the Kafka client does not start with these settings: %s", text);
        goto out;
    }
    kafka_login_begin(probe.kafka.login, rk);
    topic = rd_kafka_topic_new(rk, job->source.topic, NULL);
    if (!topic) {
        error_set(error, ERROR_CONFIG, "source: \"%s\" cannot be a topic's name; correct source.topic", job->source.topic);
        goto out;
    }
    /* In slices, for a refused log-in shows in the error callback at once, while the call would wait to its end. */
    do {
        int64_t left = end - clock_monotonic_ms();

        code = rd_kafka_metadata(rk, 0, topic, &metadata, (int)int64_max(1, int64_min(left, 500)));
        rd_kafka_poll(rk, 0);
    } while (code == RD_KAFKA_RESP_ERR__TIMED_OUT && !probe.refused && clock_monotonic_ms() < end);
    if (!code && metadata->topic_cnt == 1)
        code = metadata->topics[0].err;
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT)
        kafka_error_set(&probe.kafka, error, probe.code ? probe.code : code, probe.code ? probe.text : NULL,
                        "the brokers do not answer (check `brokers` of the data source and the network)");
    else if (code)
        kafka_error_set(&probe.kafka, error, code, NULL, "asking for the topic");
    if (code)
        goto out;
    if (metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt <= 0) {
        error_set(error, ERROR_RETRY, "source: the brokers %s tell no partition of topic %s; try again",
                  job->source.kafka.brokers, job->source.topic);
        goto out;
    }
    *partitions_out = (unsigned)metadata->topics[0].partition_cnt;
    ok = true;
out:
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (topic)
        rd_kafka_topic_destroy(topic);
    kafka_login_stop(probe.kafka.login);
    if (rk)
        rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    kafka_login_free(probe.kafka.login);
    return ok;
}
