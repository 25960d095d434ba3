/* upload.h: the sink for append tables: batch upload sessions (protocol section 3). At start it reads the table's metadata,
 * creates the table when it is missing and the job allows it, and says SINK_READY. Each session is created when its first block
 * comes (never for nothing); its answer's schema is compared with the one of SINK_READY. Blocks go with fixed ids from 0, the
 * same id on every retry, at most uploads_max at a time over all sessions, oldest first. Seal asks for the block list and
 * compares it as a set. Commit: POST; when its answer is lost or 5xx, the state is asked with GET before anything else: closed =
 * done, normal = POST again, closing/committing = ask again later; expired, canceled, critical, not found = SESSION_UNKNOWN with
 * what is known. What the service answers to a second or a concurrent commit is not documented: ok, a conflict and a 5xx all
 * lead to the question for the state. An adopted session enters there: its state and block list are asked first.
 * New sessions, blocks and commits wait, oldest first, until the table's quotas let them (quota.h); once a minute a line says
 * which one, and what to change.
 * A table that is dropped and made again under the same name would take our records into another table than the one that the
 * position names. Tunnel answers carry no table id, so beside the question for the block lists the metadata are read again, one
 * request for all sessions that exist by then: the id of SINK_READY at that time, which is after the session was created, means
 * that it was this table all the time.
 * Ownership: `free` of its functions frees it; client, log and create_schema are borrowed until then. Threads: the hub's. Errors:
 * sink.h. */
#ifndef LUADUCT_SINK_UPLOAD_H
#define LUADUCT_SINK_UPLOAD_H

#include "maxcompute/client.h"
#include "sink/sink.h"

struct upload_options {
    struct client *client;          /* borrowed */
    const char *table;
    bool create_if_missing;
    const struct mc_schema *create_schema; /* for create; borrowed; may be NULL when create is off */
    const char *create_comment;
    int lifecycle_days;             /* 0: none */
    unsigned uploads_max;           /* blocks in flight, default 4 */
    const char *content_encoding;   /* of the blocks: a Content-Encoding, or NULL */
    unsigned quota_share;           /* percent of the table's quotas; 0: they are not looked at */
    struct quota_demand demand;     /* for the line about them */
    struct log *log;
};

struct sink *upload_new(const struct upload_options *options) MUST_USE;

#endif
