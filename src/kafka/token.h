/* token.h: a signed token (JWT, RFC 7519) for SASL/OAUTHBEARER, from a file or a command. Its signature is the broker's to
 * check; only what a client has to know is read: when it expires, and whose it is.
 * Ownership: kafka_token_release. Threads: any, no state. Errors: CONFIG when it is no such token, RETRY when there is none now.
 * Texts of errors never quote the token. */
#ifndef LUADUCT_KAFKA_TOKEN_H
#define LUADUCT_KAFKA_TOKEN_H

#include <stdatomic.h>

#include "job/job.h"

struct kafka_token {
    char *text;
    char *subject;      /* the claim "sub", or "" */
    int64_t expires_ms; /* the claim "exp", as time since 1970 */
};

bool kafka_token_parse(struct str text, struct kafka_token *token_out, struct error *error) MUST_USE;
/* Waits for the command, at most KAFKA_TOKEN_COMMAND_MS, so it is not for the hub; with a file it does not wait. *stop is
 * looked at meanwhile. */
enum { KAFKA_TOKEN_COMMAND_MS = 30000 };
bool kafka_token_read(const struct job_token *from, const atomic_bool *stop, struct kafka_token *token_out,
                      struct error *error) MUST_USE;
void kafka_token_release(struct kafka_token *token);

#endif
