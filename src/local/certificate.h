/* certificate.h: the local endpoint's certificate and key, read and held against each other before it listens: the HTTP server
 * itself says no more than that it could not start. Ownership: certificate_release wipes. Threads: any, no state. Errors: CONFIG.
 */
#ifndef LUADUCT_LOCAL_CERTIFICATE_H
#define LUADUCT_LOCAL_CERTIFICATE_H

#include "util/buffer.h"
#include "util/error.h"

struct certificate { /* PEM, zero-terminated */
    struct buffer chain, key;
};

bool certificate_read(struct certificate *certificate, const char *chain_path, const char *key_path,
                      struct error *error) MUST_USE;
void certificate_release(struct certificate *certificate);

#endif
