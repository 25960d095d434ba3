/* authority.h: who the local endpoint lets in: signatures V1 and V4, security tokens, the clock (protocol section 1).
 * It knows one access key, or those of a file that is read again when it changes: a credential or a list of them in the form of
 * maxcompute/credential.h; one whose Expiration has passed is answered AuthenticationRequestExpired.
 * Ownership: authority_free. Threads: any may check.
 * Errors: CONFIG for the file of keys. */
#ifndef LUADUCT_LOCAL_AUTHORITY_H
#define LUADUCT_LOCAL_AUTHORITY_H

#include "local/local.h"
#include "local/store.h"
#include "maxcompute/sign.h"

struct authority;

struct authority_request { /* borrowed */
    const char *method, *uri;
    struct str endpoint_path; /* "/api" or "" */
    const struct sign_header *headers;
    size_t header_count;
    int64_t now_ms;
};

bool authority_open(struct authority **authority_out, const struct local_options *options, struct error *error) MUST_USE;
void authority_free(struct authority *authority);
bool authority_check(struct authority *authority, const struct authority_request *request, struct refusal *refusal) MUST_USE;

#endif
