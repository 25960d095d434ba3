/* login.h: what the job shows to the brokers of a Kafka cluster: the properties of its data source, read anew when the files
 * behind them change, and tokens for OAUTHBEARER; and what it means when the brokers do not let it in.
 * A login outlives the librdkafka clients that are made with it, and is the opaque of each of them (kafka_login_owner gives the
 * caller's own).
 * What replaces what: a changed user name or password (from ${file:PATH}) is told to the live client. Any other property, and
 * certificates and keys, are read by librdkafka when a client is made, so the caller has to make a new one. A token is read
 * again when its file changes and when librdkafka asks, at 80 % of its life, on a thread of librdkafka's.
 * Files are looked at every KAFKA_LOGIN_LOOK_MS, and taken when they have been still for one look, so that a certificate and its
 * key are not read between the writing of one and of the other. What cannot be read or used leaves everything as it was.
 * Refusals: before the brokers have ever let the job in, one ends it. After that it may be that the secret was changed there
 * first, so for KAFKA_LOGIN_GRACE_MS librdkafka tries on, then it is FATAL.
 * Ownership: kafka_login_free, after the clients. The job must live longer. Threads: the hub's, or a command's one thread.
 * Times are monotonic milliseconds. Errors: CONFIG for what a client cannot use, RETRY while it may heal, else FATAL. */
#ifndef LUADUCT_KAFKA_LOGIN_H
#define LUADUCT_KAFKA_LOGIN_H

#include <librdkafka/rdkafka.h>

#include "job/job.h"
#include "kafka/disposal.h"
#include "util/log.h"

enum {
    KAFKA_LOGIN_LOOK_MS = 2000,
    KAFKA_LOGIN_GRACE_MS = 10 * 60 * 1000,
    /* librdkafka tells an error that repeats itself twice a minute; without one for so long, the refusals are over. */
    KAFKA_LOGIN_QUIET_MS = 90 * 1000,
};

struct kafka_login;

/* cluster: for its token and brokers. log NULL: silent. */
struct kafka_login *kafka_login_new(const struct job_kafka *cluster, const struct job_property *properties, size_t count,
                                    void *owner, struct log *log) MUST_USE;
void kafka_login_free(struct kafka_login *login);
/* Ends a command that gets a token: before the clients are destroyed, which wait for it. */
void kafka_login_stop(struct kafka_login *login);
void *kafka_login_owner(void *opaque);
/* As of now; valid until the next kafka_login_step. */
const struct job_property *kafka_login_properties(const struct kafka_login *login, size_t *count_out);
/* Before a client is made: sets the opaque and callbacks. And after: */
void kafka_login_conf(struct kafka_login *login, rd_kafka_conf_t *conf);
void kafka_login_begin(struct kafka_login *login, rd_kafka_t *rk);

/* Whether librdkafka can use the certificates and keys as they are now: a client with interceptors that cannot be made loses
 * memory. */
bool kafka_login_usable(const struct kafka_login *login, struct kafka_disposal **disposals, struct error *error) MUST_USE;

/* What has changed: bits. */
enum {
    KAFKA_LOGIN_PASSWORD = 1,
    KAFKA_LOGIN_TOKEN = 2,
    KAFKA_LOGIN_CLIENT = 4,
};
unsigned kafka_login_step(struct kafka_login *login, int64_t now_ms) MUST_USE;
/* When to call it next; INT64_MAX when no file is behind anything. */
int64_t kafka_login_deadline(const struct kafka_login *login);
/* Tells a live client what can be told: password and token. */
void kafka_login_tell(struct kafka_login *login, rd_kafka_t *rk, unsigned changed);

/* The brokers have answered: the log-in works. */
void kafka_login_let_in(struct kafka_login *login);
/* Whether they refuse it now, and it is tried on. */
bool kafka_login_is_refused(const struct kafka_login *login);
/* What the error means, whatever was before. False: it is not about the log-in. */
bool kafka_login_refusal(struct kafka_login *login, rd_kafka_resp_err_t code, const char *text, struct error *error) MUST_USE;
/* The same for a client in use: RETRY while it may heal, which is logged once. */
bool kafka_login_error(struct kafka_login *login, rd_kafka_resp_err_t code, const char *text, int64_t now_ms,
                       struct error *error) MUST_USE;

/* For `check`, without a connection: whether certificates and keys can be used together, and whether the client's own is still
 * valid (a warning). Mistakes are told at the property. */
void kafka_login_check(const struct job_property *properties, size_t count, struct report *report);

#endif
