/* http.h: many HTTP requests at once over libcurl's multi interface, in the hub's one place of waiting.
 * Ownership: http_send takes the request; http_next gives finished ones back (http_request_free). A request keeps its body until
 * it is freed, so that it can be sent again. Threads: one owner (the hub). Nothing here blocks but http_wait. Bounds: an answer
 * beyond response_bytes_max fails the request. No redirects are followed (308 is not one here), no Expect header, no Content-Type
 * of curl's own; connections are reused. */
#ifndef LUADUCT_MAXCOMPUTE_HTTP_H
#define LUADUCT_MAXCOMPUTE_HTTP_H

#include "maxcompute/sign.h"
#include "util/error.h"
#include "util/log.h"

struct http;
struct curl_waitfd;

struct http_options {
    const char *ca_file;        /* trusted instead of the system's, read again when it changes; NULL: the system's */
    const char *proxy;          /* NULL: what the environment says */
    int connect_timeout_ms;     /* default 10,000 */
    int stall_timeout_ms;       /* less than 1 byte/s for so long fails the request; default 60,000 */
    size_t response_bytes_max;  /* default 64 MiB */
    struct log *log;            /* may be NULL */
};

struct http_request {
    char *method;
    char *url;                  /* complete, percent-encoded */
    char **headers;             /* "Name: value" */
    size_t header_count, header_capacity;
    struct str body;            /* borrowed from body_owner */
    void *body_owner;
    void (*body_free)(void *body_owner); /* may be NULL */
    void *user;                 /* the caller's */

    /* the answer */
    bool answered;              /* an HTTP status came back; else `error` says why not */
    int status;
    struct buffer response;
    char *request_id;           /* x-odps-request-id, or NULL */
    char *location;             /* Location, or NULL */
    int64_t retry_after_ms;     /* Retry-After, or -1 */
    int64_t date_ms;            /* Date, or -1 */
    struct error error;         /* transport: kind ERROR_RETRY, or ERROR_FATAL for what cannot heal (bad URL, certificate) */

    void *internal;
};

struct http *http_new(const struct http_options *options) MUST_USE;
void http_free(struct http *http); /* cancels what is under way */

struct http_request *http_request_new(const char *method, char *url_owned) MUST_USE;
void http_request_free(struct http_request *request); /* cancels it when it is under way */
void http_request_header(struct http_request *request, const char *name, struct str value);

void http_send(struct http *http, struct http_request *request);
/* Lets curl work; no waiting. */
void http_step(struct http *http);
/* A finished request, or NULL. */
struct http_request *http_next(struct http *http);
/* Waits for curl's descriptors and these, at most timeout_ms; sets revents. */
void http_wait(struct http *http, struct curl_waitfd *descriptors, unsigned count, int timeout_ms);
/* From any thread: ends a wait. */
void http_wake(struct http *http);

#endif
