/* quota.h: the limits of the service (protocol section 9.1), which answer 429 (2.7). Rates are kept by a window that slides: in
 * any stretch of the window's length no more calls than the limit are let through; what is refused does not count.
 * Ownership: quotas_free. Threads: any; one lock. Time is passed in (milliseconds). Memory: one ring of `limit` times for each
 * table and kind that was called. Nothing is kept over a restart. */
#ifndef LUADUCT_LOCAL_QUOTA_H
#define LUADUCT_LOCAL_QUOTA_H

#include "local/store.h"

/* A table each but the slots, which are the endpoint's. */
enum quota { QUOTA_SESSIONS, QUOTA_DOWNLOADS, QUOTA_BLOCKS, QUOTA_COMMITS, QUOTA_SLOTS, QUOTA_COUNT };

struct quotas;

/* "service", or a list such as "sessions=5/10s,blocks=20/10s,commits=3/2s,commits_at_once=1,slots=4"; a later part of the list
 * replaces an earlier one ("service,commits=3/2s"). What is not named has no limit. Errors are of kind ERROR_CONFIG. */
bool quotas_parse(struct quotas **quotas_out, struct str text, struct error *error) MUST_USE;
void quotas_free(struct quotas *quotas);
/* Lets a call of the table through and counts it, until quotas_end as one of those under way; or refuses it with 429. quotas may
 * be NULL: no limits. */
bool quotas_begin(struct quotas *quotas, enum quota quota, const char *table, int64_t now_ms, struct refusal *refusal) MUST_USE;
void quotas_end(struct quotas *quotas, enum quota quota, const char *table);

#endif
