/* server.h: a request and its answer, between the server (local.c) and the two planes (control.c, tunnel.c).
 * Ownership: local.c makes and frees both; the planes fill the answer. Threads: a request is handled by one thread from its first
 * byte to its answer. */
#ifndef LUADUCT_LOCAL_SERVER_H
#define LUADUCT_LOCAL_SERVER_H

#include "local/faults.h"
#include "local/quota.h"
#include "local/store.h"
#include "util/buffer.h"

enum { PATH_SEGMENTS_MAX = 8, PARAMETERS_MAX = 64, ANSWER_HEADERS_MAX = 8 };

struct parameter {
    struct str name, value; /* decoded */
};

struct local;

struct request {
    struct local *local;
    struct store *store;
    struct quotas *quotas;   /* NULL: none */
    enum second_commit second_commit;
    int64_t closing_ms;      /* how long a commit lasts, by a script */
    char *method;
    char *uri;               /* as it stands in the request line */
    const char *scheme;      /* "http" or "https" */
    const char *host;        /* for discovery: address and port of this server */
    bool tunnel;             /* which plane: it decides the form of errors too */
    struct str segments[PATH_SEGMENTS_MAX]; /* of the path behind /api, decoded */
    size_t segment_count;
    struct parameter parameters[PARAMETERS_MAX];
    size_t parameter_count;
    struct buffer text;      /* decoded segments and parameters */
    struct buffer body;
    char *content_encoding;  /* "" = none */
    char *accept_encoding;
    enum fault_call call;
    int64_t now_ms;
    char id[SESSION_ID_MAX]; /* of the request */
    struct str session;      /* id that the call names or made, for faults */
    char session_made[SESSION_ID_MAX];
};

struct answer {
    int status;
    const char *content_type; /* NULL: none */
    struct buffer body;
    struct { char *name, *value; } headers[ANSWER_HEADERS_MAX];
    size_t header_count;
};

bool request_has(const struct request *request, const char *name);
struct str request_get(const struct request *request, const char *name); /* "" when it is not there */
bool request_is(const struct request *request, const char *method);
void answer_header(struct answer *answer, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
void answer_date_header(struct answer *answer, const char *name, int64_t ms);
/* In the form of the plane. */
void answer_refusal(const struct request *request, struct answer *answer, const struct refusal *refusal);

struct store *local_store(struct local *local);
/* Waits; not to the end when the server stops. */
void local_pause(struct local *local, int64_t ms);

/* What the call is called in a faults script. */
enum fault_call control_call(const struct request *request);
enum fault_call tunnel_call(const struct request *request);
void control_answer(struct request *request, struct answer *answer);
void tunnel_answer(struct request *request, struct answer *answer);

#endif
