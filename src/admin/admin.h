/* admin.h: the job's HTTP page on loopback: GET /metrics (Prometheus text), GET /healthz. Reads the registry; changes nothing.
 * Ownership: admin_stop frees; the registry is borrowed until then. Threads: start and stop the owner's; answers are made on
 * libmicrohttpd's own. Errors: an address that is not loopback, or in use, is ERROR_CONFIG. */
#ifndef LUADUCT_ADMIN_ADMIN_H
#define LUADUCT_ADMIN_ADMIN_H

#include "util/error.h"
#include "util/metrics.h"

struct admin;
bool admin_start(struct admin **admin_out, const char *listen, struct metrics *metrics, struct error *error) MUST_USE;
unsigned admin_port(const struct admin *admin);
void admin_stop(struct admin *admin);

#endif
