/* refusal.c: see refusal.h. */
#include "kafka/refusal.h"

#include <strings.h>

static bool has(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(text, words[i]))
            return true;
    return false;
}

/* A token that could not be had is no answer of the brokers, and the place that gives it out may be back in a moment; unless it
 * has refused. */
static bool token_refusal(const char *text, struct error *error)
{
    static const char *const refused[] = {"(400)",          "(401)",          "(403)",          "error code 400",
                                          "error code 401", "error code 403", "invalid_client", "invalid_grant",
                                          "invalid_scope",  "unauthorized",   "access_denied"};
    const char *reason = strstr(text, "token: ");

    if (!strcasestr(text, "OAUTHBEARER token") && !strcasestr(text, "OIDC token"))
        return false;
    error_set(error, has(text, refused, COUNT_OF(refused)) ? ERROR_FATAL : ERROR_RETRY,
              "there is no token for the log-in to the Kafka brokers: %s", reason ? reason + 7 : text);
    return true;
}

/* The broker has looked at our certificate and says no. */
static bool certificate_refusal(const char *text, const struct kafka_refusal_facts *facts, struct error *error)
{
    static const char *const alerts[] = {
        "alert certificate",   "alert bad certificate",   "alert unknown ca",    "alert unsupported certificate",
        "alert access denied", "alert handshake failure", "alert decrypt error", "certificate required",
    };

    if (!strcasestr(text, "alert") || !has(text, alerts, COUNT_OF(alerts)))
        return false;
    if (!facts->has_certificate)
        return !error_set(error, ERROR_FATAL,
                          "the Kafka brokers %s want a certificate of the client: %s; set "
                          "ssl.certificate.location and ssl.key.location of the data source",
                          facts->brokers, text);
    error_set(error, ERROR_FATAL,
              "the Kafka brokers %s refuse the certificate that the job shows: %s%s%s; correct "
              "ssl.certificate.location and ssl.key.location of the data source",
              facts->brokers, text, *facts->certificate_ends ? "; " : "", facts->certificate_ends);
    return true;
}

/* librdkafka calls it a failed log-in when the connection is lost in the middle of one. */
static bool is_cut_off(const char *text)
{
    static const char *const words[] = {"Local: Broker transport failure", "Local: Timed out", "Local: Broker handle destroyed"};

    return has(text, words, COUNT_OF(words));
}

bool kafka_refusal(rd_kafka_resp_err_t code, const char *text, const struct kafka_refusal_facts *facts, struct error *error)
{
    static const char *const no_tls[] = {"wrong version number", "http request", "packet length too long"};
    static const char *const unlike[] = {"unsupported protocol", "no shared cipher", "alert protocol version",
                                         "no protocols available", "alert insufficient security"};

    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
        if (is_cut_off(text))
            return false;
        if (token_refusal(text, error))
            return true;
        error_set(error, ERROR_FATAL,
                  "the Kafka brokers %s refuse the log-in: %s; correct the sasl properties of the data source", facts->brokers,
                  text);
        return true;
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
        break;
    default:
        return false;
    }
    if (certificate_refusal(text, facts, error))
        return true;
    /* A handshake that fails while librdkafka looks whether it may write comes as _TRANSPORT, with OpenSSL's words alone. */
    if (code != RD_KAFKA_RESP_ERR__SSL && !strstr(text, "SSL routines:"))
        return false;
    if (strstr(text, "certificate verify failed") || strstr(text, "verify broker certificate"))
        return !error_set(error, ERROR_FATAL,
                          "the certificate of the Kafka brokers %s is not accepted: %s; correct %s of the data "
                          "source, or the certificate of the broker",
                          facts->brokers, *facts->certificate ? facts->certificate : text,
                          strstr(facts->certificate, "mismatch") ? "the name in brokers" : "ssl.ca.location");
    if (has(text, no_tls, COUNT_OF(no_tls)))
        return !error_set(error, ERROR_FATAL,
                          "the Kafka brokers %s do not speak TLS at this port: %s; correct brokers or "
                          "security.protocol of the data source",
                          facts->brokers, text);
    if (has(text, unlike, COUNT_OF(unlike)))
        return !error_set(error, ERROR_FATAL,
                          "the Kafka brokers %s and this machine have no version of TLS or cipher in common: "
                          "%s",
                          facts->brokers, text);
    return false; /* a handshake that was cut off: the broker goes down or comes up */
}
