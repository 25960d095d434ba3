/* kafka_properties.h: which librdkafka properties a person may set, and what is known of them.
 * Ownership: constant texts. Threads: any, no state. Source: librdkafka's CONFIGURATION.md. */
#ifndef LUADUCT_JOB_KAFKA_PROPERTIES_H
#define LUADUCT_JOB_KAFKA_PROPERTIES_H

#include "util/str.h"

/* Names of librdkafka properties that the job may not set, with the reason or the key to use instead; NULL when it may. */
const char *kafka_property_refusal(const char *name);
/* The list itself, for the reference; a name that ends in a point stands for all that begin so. False beyond the end. */
bool kafka_property_refusal_at(size_t index, const char **name_out, const char **answer_out);
/* Whether librdkafka takes a whole number for it. It would read "1000xyz" as 1000, so the caller checks first. */
bool kafka_property_is_number(const char *name);
/* Whether the property bounds the bytes of one fetch, which must fit the memory ceiling. */
bool kafka_property_is_fetch_size(const char *name);
/* Whether its value is a path of a file or folder that the client reads. */
bool kafka_property_is_path(const char *name);
/* Whether the client takes a new value while it runs (rd_kafka_sasl_set_credentials). */
bool kafka_property_is_password(const char *name);
/* Whether a value under that name (a property or any other key) has to be kept out of messages. */
bool name_is_secret(struct str name);

#endif
