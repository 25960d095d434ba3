/* sign.h: request signatures V1 and V4 (protocol section 1), for clients and for the local endpoint that checks them.
 * Ownership: keys are borrowed for the call. Threads: any, no state. Secrets never enter an error text. */
#ifndef LUADUCT_MAXCOMPUTE_SIGN_H
#define LUADUCT_MAXCOMPUTE_SIGN_H

#include "util/buffer.h"
#include "util/str.h"

struct sign_header {
    struct str name;
    struct str value;
};

/* The text that is signed. path_and_query is what stands in the request line, percent-encoded; endpoint_path is the endpoint's
 * path prefix ("/api" or ""), which is cut off. Query parameters whose name starts with x-odps- join the headers. */
void sign_canonical(struct buffer *canonical, struct str method, struct str path_and_query, struct str endpoint_path,
                    const struct sign_header *headers, size_t header_count);
/* The value of the Authorization header. */
void sign_v1(struct buffer *authorization, struct str access_id, struct str access_key, struct str canonical);
/* day is yyyyMMdd in UTC. */
void sign_v4(struct buffer *authorization, struct str access_id, struct str access_key, struct str region, struct str day,
             struct str canonical);
/* RFC 1123, GMT: "Tue, 02 Jan 2024 03:04:05 GMT". */
void sign_date(struct buffer *date, int64_t wall_ms);
/* Percent-encoding of one path element or query value (RFC 3986 unreserved stay), and decoding ("+" stays). */
void sign_encode(struct buffer *text, struct str value);
void sign_decode(struct buffer *text, struct str value);

#endif
