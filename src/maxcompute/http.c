/* http.c: requests as easy handles of one curl multi handle.
 * A request costs one easy handle and one upload buffer of 512 kB while it is under way; connections, names and TLS sessions are
 * kept by the multi handle, so that block after block goes over the same connections.
 * A POST always opens a connection of its own: when a kept connection turns out to be dead, curl silently sends the request
 * again, and a commit must never be sent twice without our knowing.
 * GET and PUT may be repeated, so they take kept connections. */
#include "maxcompute/http.h"
#include "maxcompute/failure.h"
#include "maxcompute/trust.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct transfer {
    struct http *http;
    struct http_request *request;
    CURL *easy;
    struct curl_slist *headers;
    size_t body_sent;
    bool too_large; /* the answer passed the limit */
    bool no_memory; /* there was none for the answer */
    int socket_error; /* why there is no socket; 0: there is one, or none was wanted */
    bool finished;  /* waits in the queue of finished ones */
    struct transfer *previous, *next;
    char error_text[CURL_ERROR_SIZE];
};

struct transfer_list {
    struct transfer *first, *last;
};

struct http {
    CURLM *multi;
    char *ca_file, *proxy;
    struct trust *trust; /* of ca_file */
    long connect_timeout_ms, stall_timeout_s;
    size_t response_bytes_max;
    struct transfer_list active, finished;
};

enum { UPLOAD_BUFFER_BYTES = 512 * 1024, KEPT_CONNECTIONS = 64, TEXT_BYTES_MAX = 1024, FAILED_WAIT_MS = 50 };

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        stop_out_of_memory("the HTTP client");
}

static void list_push(struct transfer_list *list, struct transfer *transfer)
{
    transfer->next = NULL;
    transfer->previous = list->last;
    if (list->last)
        list->last->next = transfer;
    else
        list->first = transfer;
    list->last = transfer;
}

static void list_remove(struct transfer_list *list, struct transfer *transfer)
{
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        list->first = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    else
        list->last = transfer->previous;
    transfer->next = transfer->previous = NULL;
}

struct http *http_new(const struct http_options *options)
{
    struct http *http = xcalloc(1, sizeof(*http));
    int stall_ms = options->stall_timeout_ms > 0 ? options->stall_timeout_ms : 60000;

    pthread_once(&curl_once, curl_start);
    http->multi = curl_multi_init();
    if (!http->multi)
        stop_out_of_memory("the HTTP client");
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    http->ca_file = options->ca_file ? xstrdup(options->ca_file) : NULL;
    http->trust = options->ca_file ? trust_new(options->ca_file, options->log) : NULL;
    http->proxy = options->proxy ? xstrdup(options->proxy) : NULL;
    failure_proxy_secret(http->proxy);
    http->connect_timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms : 10000;
    http->stall_timeout_s = stall_ms / 1000 + (stall_ms % 1000 != 0);
    http->response_bytes_max = options->response_bytes_max ? options->response_bytes_max : (size_t)64 << 20;
    return http;
}

static void transfer_free(struct transfer *transfer)
{
    if (!transfer)
        return;
    list_remove(transfer->finished ? &transfer->http->finished : &transfer->http->active, transfer);
    if (transfer->easy) {
        if (!transfer->finished)
            curl_multi_remove_handle(transfer->http->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    transfer->request->internal = NULL;
    free(transfer);
}

void http_free(struct http *http)
{
    if (!http)
        return;
    while (http->active.first)
        http_request_free(http->active.first->request);
    while (http->finished.first)
        http_request_free(http->finished.first->request);
    curl_multi_cleanup(http->multi);
    trust_free(http->trust);
    free(http->ca_file);
    free(http->proxy);
    free(http);
}

struct http_request *http_request_new(const char *method, char *url_owned)
{
    struct http_request *request = xcalloc(1, sizeof(*request));

    request->method = xstrdup(method);
    request->url = url_owned;
    request->retry_after_ms = request->date_ms = -1;
    return request;
}

static void request_answer_clear(struct http_request *request)
{
    request->answered = false;
    request->status = 0;
    buffer_release(&request->response);
    free(request->request_id);
    free(request->location);
    request->request_id = request->location = NULL;
    request->retry_after_ms = request->date_ms = -1;
    memset(&request->error, 0, sizeof(request->error));
}

void http_request_free(struct http_request *request)
{
    if (!request)
        return;
    transfer_free(request->internal);
    request_answer_clear(request);
    for (size_t i = 0; i < request->header_count; i++)
        free(request->headers[i]);
    free(request->headers);
    if (request->body_free)
        request->body_free(request->body_owner);
    free(request->method);
    free(request->url);
    free(request);
}

void http_request_header(struct http_request *request, const char *name, struct str value)
{
    XGROW(request->headers, request->header_count, request->header_capacity);
    request->headers[request->header_count++] = xasprintf("%s: %.*s", name, STR_ARG(value));
}

static size_t body_read(char *data, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct str body = transfer->request->body;
    size_t piece = size_min(size * count, body.size - transfer->body_sent);

    if (piece)
        memcpy(data, body.data + transfer->body_sent, piece);
    transfer->body_sent += piece;
    return piece;
}

/* curl rewinds when a kept connection turned out to be dead. */
static int body_seek(void *user, curl_off_t offset, int origin)
{
    struct transfer *transfer = user;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->request->body.size)
        return CURL_SEEKFUNC_FAIL;
    transfer->body_sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t response_write(char *data, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct buffer *response = &transfer->request->response;

    buffer_append(response, data, size * count);
    if (!response->failed)
        return size * count;
    transfer->too_large = size * count > response->bytes_max - response->size;
    transfer->no_memory = !transfer->too_large;
    return 0;
}

static void header_take(struct str line, struct str name, char **value_out)
{
    if (line.size > name.size && str_equal_ignore_case(str_make(line.data, name.size), name)) {
        struct str value = str_trim(str_make(line.data + name.size, line.size - name.size));

        free(*value_out);
        *value_out = xstrndup(value.data, size_min(value.size, TEXT_BYTES_MAX));
    }
}

static void date_take(struct str line, struct http_request *request)
{
    char *text = NULL;
    time_t date;

    header_take(line, STR("Date:"), &text);
    date = text ? curl_getdate(text, NULL) : -1;
    if (date >= 0)
        request->date_ms = (int64_t)date * 1000;
    free(text);
}

static size_t header_read(char *data, size_t size, size_t count, void *user)
{
    struct http_request *request = ((struct transfer *)user)->request;
    struct str line = str_make(data, size * count);

    if (str_starts_with(line, STR("HTTP/"))) { /* what came before was an interim answer */
        free(request->request_id);
        free(request->location);
        request->request_id = request->location = NULL;
        request->date_ms = -1;
    }
    date_take(line, request);
    header_take(line, STR("x-odps-request-id:"), &request->request_id);
    header_take(line, STR("Location:"), &request->location);
    return line.size;
}

/* As curl would make it; curl itself says of a failure only that it could not connect. */
static curl_socket_t socket_open(void *user, curlsocktype purpose UNUSED, struct curl_sockaddr *address)
{
    struct transfer *transfer = user;
    int descriptor = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    transfer->socket_error = descriptor < 0 ? errno : 0;
    return descriptor < 0 ? CURL_SOCKET_BAD : descriptor;
}

static bool request_has_header(const struct http_request *request, struct str start)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct str header = str_of(request->headers[i]);

        if (header.size >= start.size && str_equal_ignore_case(str_make(header.data, start.size), start))
            return true;
    }
    return false;
}

static void header_add(struct transfer *transfer, const char *line)
{
    struct curl_slist *headers = curl_slist_append(transfer->headers, line);

    if (!headers)
        stop_out_of_memory("a request");
    transfer->headers = headers;
}

static void transfer_headers(struct transfer *transfer)
{
    const struct http_request *request = transfer->request;

    for (size_t i = 0; i < request->header_count; i++)
        header_add(transfer, request->headers[i]);
    header_add(transfer, "Expect:");
    if (!request_has_header(request, STR("Content-Type:"))) /* curl's own would be part of what the service signs (section 1.1) */
        header_add(transfer, "Content-Type:");
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

/* Options that curl keeps a copy of. One that it could not keep would be one that is not there: no proxy, another method. */
static void option_text(CURL *easy, CURLoption option, const char *text)
{
    if (curl_easy_setopt(easy, option, text) == CURLE_OUT_OF_MEMORY)
        stop_out_of_memory("a request");
}

static void transfer_method(struct transfer *transfer)
{
    const struct http_request *request = transfer->request;
    CURL *easy = transfer->easy;

    if (strcmp(request->method, "GET") == 0 && request->body.size == 0) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(request->method, "PUT") == 0) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body.size);
    } else {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.size ? request->body.data : "");
        option_text(easy, CURLOPT_CUSTOMREQUEST, request->method);
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    }
}

/* Only the file's certificates: without the path, those of the system would be trusted beside them. */
static bool trust_set(struct trust *trust, CURL *easy, struct error *error)
{
    struct str bytes = trust_get(trust, error);
    struct curl_blob blob = {.data = (void *)(uintptr_t)bytes.data, .len = bytes.size, .flags = CURL_BLOB_COPY};

    if (!bytes.data)
        return false;
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob); /* a proxy that is reached by TLS itself */
    return true;
}

void http_send(struct http *http, struct http_request *request)
{
    struct transfer *transfer = xcalloc(1, sizeof(*transfer));
    CURL *easy = curl_easy_init();
    bool trusted;

    if (!easy)
        stop_out_of_memory("a request");
    assert(!request->internal);
    request_answer_clear(request);
    buffer_init(&request->response, http->response_bytes_max);
    request->internal = transfer;
    transfer->http = http;
    transfer->request = request;
    transfer->easy = easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
    option_text(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* the path was signed as it stands */
#if LIBCURL_VERSION_NUM >= 0x075500
    option_text(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* one connection a block, in parallel */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, http->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, http->stall_timeout_s);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, body_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, body_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, response_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_read);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's headers are not the service's */
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    trusted = http->trust ? trust_set(http->trust, easy, &request->error) : true;
    if (http->proxy)
        option_text(easy, CURLOPT_PROXY, http->proxy);
    transfer_method(transfer);
    transfer_headers(transfer);
    list_push(&http->active, transfer);
    if (trusted && curl_multi_add_handle(http->multi, easy) == CURLM_OK)
        return;
    list_remove(&http->active, transfer);
    transfer->finished = true;
    list_push(&http->finished, transfer);
    if (trusted)
        error_set(&request->error, ERROR_RETRY, "the request could not be started");
}

static void transfer_finish(struct transfer *transfer, CURLcode result)
{
    struct http_request *request = transfer->request;
    long status = 0;
    curl_off_t retry_after = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (result == CURLE_OK && status == 407) {
        failure_proxy_login(&request->error);
    } else if (result == CURLE_OK && status > 0) {
        request->answered = true;
        request->status = (int)status;
        if (retry_after > 0)
            request->retry_after_ms = retry_after < 86400 ? (int64_t)retry_after * 1000 : INT64_C(86400000);
    } else if (transfer->too_large) {
        error_set(&request->error, ERROR_FATAL, "the answer is larger than the limit of %zu bytes",
                  transfer->http->response_bytes_max);
    } else if (transfer->no_memory) {
        error_set(&request->error, ERROR_RETRY, "there is no memory for the answer");
    } else if (transfer->socket_error) {
        error_set(&request->error, ERROR_RETRY, "no socket for a connection: %s", system_reason(transfer->socket_error));
    } else {
        failure_describe(transfer->easy, result, transfer->error_text, transfer->http->ca_file, &request->error);
    }
    curl_multi_remove_handle(transfer->http->multi, transfer->easy);
    list_remove(&transfer->http->active, transfer);
    transfer->finished = true;
    list_push(&transfer->http->finished, transfer);
}

void http_step(struct http *http)
{
    CURLMsg *message;
    int running, left;

    (void)curl_multi_perform(http->multi, &running);
    while ((message = curl_multi_info_read(http->multi, &left))) {
        char *private_data = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data);
        transfer_finish((struct transfer *)(void *)private_data, message->data.result);
    }
}

struct http_request *http_next(struct http *http)
{
    struct transfer *transfer = http->finished.first;
    struct http_request *request;

    if (!transfer)
        return NULL;
    request = transfer->request;
    transfer_free(transfer);
    return request;
}

void http_wait(struct http *http, struct curl_waitfd *descriptors, unsigned count, int timeout_ms)
{
    if (http->finished.first)
        timeout_ms = 0;
    /* Without memory for its list of descriptors curl answers at once, and the loop around this would spin. */
    if (curl_multi_poll(http->multi, descriptors, count, timeout_ms, NULL) != CURLM_OK)
        (void)poll(NULL, 0, timeout_ms < FAILED_WAIT_MS ? timeout_ms : FAILED_WAIT_MS);
}

void http_wake(struct http *http)
{
    (void)curl_multi_wakeup(http->multi);
}
