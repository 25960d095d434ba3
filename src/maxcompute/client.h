/* client.h: one MaxCompute project seen through its control and tunnel endpoints: signed requests, retries, discovery, DDL.
 * A call is asynchronous: it is sent, retried by the rules of protocol section 2.7 (backoff with jitter, time passed in), and
 * comes back through client_next with its answer or its error. The upper polls; nothing calls up. Ownership: the client owns
 * calls under way; client_next gives a finished one (client_call_free). Threads: one owner (the hub, or a command's main thread).
 * Secrets never enter an error text. A call that the service refuses for its credentials was not carried out: where there can
 * be other ones (credentials.h) it waits for them and is signed anew. Errors: kind RETRY = gave up after the retries that
 * section 2.7 grants, FATAL = credentials, permission, missing object or anything that cannot heal by itself; the text names the
 * end, HTTP status, Code, Message and request id. */
#ifndef LUADUCT_MAXCOMPUTE_CLIENT_H
#define LUADUCT_MAXCOMPUTE_CLIENT_H

#include "maxcompute/credentials.h"
#include "maxcompute/http.h"
#include "maxcompute/schema.h"
#include "maxcompute/skew.h"
#include "util/log.h"

struct client;

struct client_options {
    const char *endpoint;        /* control endpoint, such as http://service.cn-hangzhou.maxcompute.aliyun.com/api */
    const char *tunnel_endpoint; /* NULL: discovered */
    const char *project;
    const char *schema_name;     /* NULL: no schema level */
    const char *access_id;
    const char *access_key;
    const char *security_token;  /* NULL: none */
    struct credentials *credentials; /* instead of the three above, and the client's from here; NULL: those */
    const char *region;          /* set: V4 signatures; NULL: V1 */
    const char *quota;           /* NULL: the default */
    uint64_t jitter_seed;
    struct log *log;
};

enum client_end { CLIENT_CONTROL, CLIENT_TUNNEL };

struct client_call {
    /* the caller fills these before client_send */
    enum client_end end;
    const char *method;
    char *resource; /* path below the endpoint with its query, percent-encoded: "/projects/p/tables/t?uploads&partition=..." */
    struct str body;         /* borrowed until the call is freed */
    const char *content_type; /* NULL: none */
    const char *content_encoding; /* NULL: none */
    bool repeat_safe;        /* may be sent again when no answer or a 5xx came; GET and same-id PUT are */
    bool retry_unlimited;    /* 429 is waited out in any case; this also keeps on over 5xx and no answer */
    void *user;

    /* the answer */
    bool ok;                 /* 2xx */
    int status;              /* 0: no answer */
    struct str response;     /* borrowed from the call */
    char code[64];           /* the service's Code, or "" */
    char *location;
    struct error error;      /* when not ok */
    unsigned attempts;

    struct client_call *next;
    void *internal;
};

struct client *client_new(struct http *http, const struct client_options *options) MUST_USE;
void client_free(struct client *client);
const char *client_project(const struct client *client);
const char *client_schema_name(const struct client *client); /* NULL: none */
struct client_call *client_call_new(enum client_end end, const char *method, char *resource_owned) MUST_USE;
void client_call_free(struct client_call *call); /* cancels it when it is under way */
/* Appends "&name=value" or "?name=value" percent-encoded to a resource under construction; value NULL: name alone. */
void client_resource_add(struct buffer *resource, const char *name, const char *value);
/* "/projects/{p}[/schemas/{s}]/tables/{t}" for the tunnel end; for the control end the schema travels as "?curr_schema=s".
 * quotaName is added to every tunnel call when it is sent. */
void client_table_resource(const struct client *client, enum client_end end, const char *table, struct buffer *resource);

void client_send(struct client *client, struct client_call *call, int64_t now_ms);
/* Retries whose time has come, discovery; call it in every turn of the loop. */
void client_step(struct client *client, int64_t now_ms, int64_t wall_ms);
/* The next time client_step has something to do, or INT64_MAX. */
int64_t client_deadline(const struct client *client);
struct client_call *client_next(struct client *client);

/* Whether calls wait because there are no credentials yet; the error says for what. */
bool client_is_unsigned(const struct client *client, struct error *error);
/* This machine's clock against the service's, by its last answer. */
const struct skew *client_skew(const struct client *client);

/* Counters for metrics. */
struct client_stats {
    uint64_t requests, retries, throttled; /* throttled: 429 answers */
    uint64_t bytes_sent;
};
const struct client_stats *client_stats(const struct client *client);

/* --- DDL: submit an SQL instance and follow it to its end (protocol section 7.6), as one asynchronous object --- */
struct client_sql;
struct client_sql *client_sql_start(struct client *client, const char *sql, const char *settings_json, int64_t now_ms) MUST_USE;
void client_sql_free(struct client_sql *sql);
/* Feeds a finished call: true when the call belonged to this statement (and was taken). */
bool client_sql_take(struct client_sql *sql, struct client_call *call, int64_t now_ms);
void client_sql_step(struct client_sql *sql, int64_t now_ms);
int64_t client_sql_deadline(const struct client_sql *sql);
/* 0 under way, 1 done, -1 failed (error). */
int client_sql_state(const struct client_sql *sql, struct error *error);

#endif
