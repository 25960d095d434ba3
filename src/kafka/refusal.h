/* refusal.h: what librdkafka's and OpenSSL's texts say about a connection that was not let in: which end, and what to correct.
 * Sources: error codes of the Kafka protocol; TLS alerts, RFC 5246 7.2 and RFC 8446 6.2, as OpenSSL 3 words them ("sslv3 alert
 * certificate expired").
 * Ownership: facts and texts are borrowed. Threads: any, no state. */
#ifndef LUADUCT_KAFKA_REFUSAL_H
#define LUADUCT_KAFKA_REFUSAL_H

#include <librdkafka/rdkafka.h>

#include "util/error.h"

/* What is known beside the text. */
struct kafka_refusal_facts {
    const char *brokers;
    const char *certificate;      /* why the newest certificate of a broker was not accepted, or "" */
    bool has_certificate;         /* the job shows one */
    const char *certificate_ends; /* that it has expired, and when; or "" */
};

/* False: the error is about something else, such as a broker that is not there. FATAL: it stays until a person corrects it,
 * RETRY: it may heal. */
bool kafka_refusal(rd_kafka_resp_err_t code, const char *text, const struct kafka_refusal_facts *facts,
                   struct error *error) MUST_USE;

#endif
