/* client.h: what writing to and reading from the topic of dirty rows share: librdkafka's configuration and its errors.
 * Ownership: options and settings are borrowed for the call, the login by the client as well; a configuration is the caller's.
 * Threads: any, no state. */
#ifndef LUADUCT_DIRTY_CLIENT_H
#define LUADUCT_DIRTY_CLIENT_H

#include "dirty/dirty.h"
#include "kafka/login.h"

struct dirty_setting {
    const char *name, *value;
};

/* Brokers and log-in of the cluster, then our own settings, which win. Its opaque is the login. NULL: the error says why. The
 * caller owns it. */
rd_kafka_conf_t *dirty_conf_make(const struct dirty_options *options, struct kafka_login *login,
                                 const struct dirty_setting *settings, size_t count, struct error *error) MUST_USE;
/* Whether librdkafka's own list of properties has it as one of every client, neither of consumers nor of producers alone. */
bool dirty_property_is_shared(const char *name);
/* A sentence for a librdkafka error, and whether it can heal (ERROR_RETRY) or not (ERROR_FATAL). `size` of the row, 0: not about
 * one. */
void dirty_kafka_error(const struct dirty_options *options, rd_kafka_resp_err_t code, const char *text, const char *right,
                       size_t size, struct error *error);

#endif
