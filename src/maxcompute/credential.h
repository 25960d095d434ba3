/* credential.h: an access key, perhaps with a security token and an end, as JSON that people and tools have already:
 *   {"AccessKeyId": "..", "AccessKeySecret": "..", "SecurityToken": "..", "Expiration": "2024-01-31T08:00:00Z"}
 * as the metadata service of a cloud machine and AssumeRole (there under "Credentials") answer, and
 *   {"mode": "StsToken", "access_key_id": "..", "access_key_secret": "..", "sts_token": "..", "expiration": ".."}
 * as the programs print that the cloud's command line calls for its profiles of mode External. Other names are ignored.
 * Ownership: credential_release frees and wipes. Threads: any, no state. Errors: FATAL; no value is ever part of a text. */
#ifndef LUADUCT_MAXCOMPUTE_CREDENTIAL_H
#define LUADUCT_MAXCOMPUTE_CREDENTIAL_H

#include "util/error.h"
#include "util/str.h"

struct credential {
    char *access_id;
    char *access_key;
    char *security_token; /* NULL: none */
    int64_t expires_ms;   /* wall clock; INT64_MAX: not known */
};

void credential_set(struct credential *credential, const char *access_id, const char *access_key, const char *security_token);
void credential_release(struct credential *credential);
/* Key and token; not when they end. */
bool credential_same(const struct credential *a, const struct credential *b);
bool credential_parse(struct credential *credential, struct str json, struct error *error) MUST_USE;
/* One, or a list of them: *list_out belongs to the caller. */
bool credential_list_parse(struct credential **list_out, size_t *count_out, struct str json, struct error *error) MUST_USE;

#endif
