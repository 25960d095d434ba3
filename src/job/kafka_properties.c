/* kafka_properties.c: the list of librdkafka properties that the agent sets itself, and how to tell numbers and secrets by
 * name. */
#include "job/kafka_properties.h"

static const struct {
    const char *name; /* one that ends in a point stands for all that begin so */
    const char *answer;
} refusals[] = {
    {"bootstrap.servers", "use the key \"brokers\" of the data source"},
    {"metadata.broker.list", "use the key \"brokers\" of the data source"},
    {"group.id", "use the key source.group of the job"},
    {"group.instance.id", "static membership is not supported: a stale owner could not be fenced"},
    {"group.protocol", "the agent uses the classic group protocol"},
    {"group.remote.assignor", "it belongs to a group protocol that the agent does not use"},
    {"partition.assignment.strategy", "the agent uses cooperative-sticky"},
    {"enable.auto.commit", "the agent commits offsets itself, when the target has the rows"},
    {"enable.auto.offset.store", "the agent keeps the positions itself"},
    {"auto.commit.interval.ms", "the agent commits offsets itself; runtime.flush_interval says how often"},
    {"auto.offset.reset", "use source.start for where to begin and source.on_gap for lost offsets"},
    {"offset.store.method", "offsets are stored at the broker"},
    {"isolation.level", "the agent reads committed records only"},
    {"check.crcs", "the agent checks every record batch"},
    {"fetch.queue.backoff.ms", "the agent sets it so that fetching does not stall"},
    {"queued.", "runtime.memory_max bounds what is fetched ahead"},
    {"auto.commit.enable", "the agent commits offsets itself, when the target has the rows"},
    {"enable.partition.eof", "the agent does not stop at the end of a partition"},
    {"allow.auto.create.topics", "a source topic is never created"},
    {"statistics.interval.ms", "the agent has its own metrics: see the key metrics of the job"},
    {"test.mock.", "it is for tests of the library"},
    {"enabled_events", "it is internal to the library"},
    {"log.queue", "it is internal to the library"},
    {"log_level", "use the key log.level of the job"},
    {"opaque", "it is internal to the library"},
    {"default_topic_conf", "it is internal to the library"},
    {"internal.termination.signal", "it is internal to the library"},
    {"enable.sasl.oauthbearer.unsecure.jwt", "unsigned tokens are for tests of the library"},
    {"plugin.library.paths", "a job file is data and loads no code"},
    {"interceptors", "a job file is data and loads no code"},
    {"ssl.engine.location", "a job file is data and loads no code"},
    {"ssl.truststore.", "it is a name of the Java client; ssl.ca.location names a file of trusted certificates (PEM)"},
    {"ssl.keystore.type", "it is a name of the Java client; ssl.keystore.location takes PKCS#12, ssl.certificate.location and "
     "ssl.key.location take PEM"},
    {"ssl.keystore.certificate.chain", "it is a name of the Java client; use ssl.certificate.pem"},
    {"ssl.keystore.key", "it is a name of the Java client; use ssl.key.pem"},
    {"sasl.jaas.config", "it is a name of the Java client; use sasl.username and sasl.password, or the sasl.kerberos properties"},
    {"sasl.login.", "it is a name of the Java client; for tokens use oauth_token of the cluster, or sasl.oauthbearer.method"},
    {"sasl.client.callback.handler.class", "it is a name of the Java client"},
};

const char *kafka_property_refusal(const char *name)
{
    struct str text = str_of(name);

    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct str refused = str_of(refusals[i].name);

        struct str start = str_make(text.data, size_min(text.size, refused.size));

        if (str_equal_ignore_case(refused.data[refused.size - 1] == '.' ? start : text, refused))
            return refusals[i].answer;
    }
    return NULL;
}

bool kafka_property_refusal_at(size_t index, const char **name_out, const char **answer_out)
{
    if (index >= COUNT_OF(refusals))
        return false;
    *name_out = refusals[index].name;
    *answer_out = refusals[index].answer;
    return true;
}

static bool ends_with(struct str text, const char *ending)
{
    size_t size = strlen(ending);

    return text.size >= size && memcmp(text.data + text.size - size, ending, size) == 0;
}

static bool is_one_of(struct str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

bool kafka_property_is_number(const char *name)
{
    static const char *const others[] = {
        "max.in.flight", "max.in.flight.requests.per.connection", "socket.max.fails", "broker.address.ttl", "log_level",
        "internal.termination.signal", "sasl.kerberos.min.time.before.relogin", "consume.callback.max.messages",
    };
    struct str text = str_of(name);

    return ends_with(text, ".ms") || ends_with(text, ".bytes") || ends_with(text, ".kbytes") ||
           is_one_of(text, others, COUNT_OF(others));
}

bool kafka_property_is_fetch_size(const char *name)
{
    static const char *const names[] = {
        "fetch.max.bytes", "fetch.message.max.bytes", "max.partition.fetch.bytes", "receive.message.max.bytes",
            "message.max.bytes",
    };

    return is_one_of(str_of(name), names, COUNT_OF(names));
}

bool kafka_property_is_path(const char *name)
{
    static const char *const others[] = {
        "sasl.kerberos.keytab", "sasl.oauthbearer.assertion.file", "sasl.oauthbearer.assertion.private.key.file",
        "sasl.oauthbearer.assertion.jwt.template.file",
    };
    struct str text = str_of(name);

    return ends_with(text, ".location") || is_one_of(text, others, COUNT_OF(others));
}

bool kafka_property_is_password(const char *name)
{
    static const char *const names[] = {"sasl.username", "sasl.password"};

    return is_one_of(str_of(name), names, COUNT_OF(names));
}

bool name_is_secret(struct str name)
{
    static const struct str words[] = {{"password", 8}, {"secret", 6}, {"key", 3}, {"token", 5}, {"jaas", 4},
                                       {"passphrase", 10}, {"oauthbearer.config", 18}};

    /* Where a secret is, is none. */
    if (ends_with(name, ".location") || ends_with(name, ".url") || ends_with(name, ".file") || ends_with(name, ".keytab"))
        return false;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        for (size_t at = 0; at + words[i].size <= name.size; at++)
            if (str_equal_ignore_case(str_make(name.data + at, words[i].size), words[i]))
                return true;
    return false;
}
