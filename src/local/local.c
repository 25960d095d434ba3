/* local.c: the server itself. It is libmicrohttpd with a thread a connection (clients keep few and use them long), request
 * parsing, signatures, scripted faults, answers. The request line is taken as it came: libmicrohttpd's own parameters have lost
 * the difference of + and blank, which signatures need. */
#include "local/authority.h"
#include "local/certificate.h"
#include "local/late.h"
#include "local/local.h"
#include "local/server.h"
#include "local/words.h"
#include "maxcompute/sign.h"
#include "util/clock.h"
#include "util/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    BODY_BYTES_MAX = 900 << 20,
    CONNECTION_BYTES = 1 << 20, /* also the size of the pieces in which bodies come */
    CONNECTIONS_MAX = 1024,
    IDLE_SECONDS_MAX = 120,
    SIGNED_HEADERS_MAX = 128,
};

struct local {
    struct MHD_Daemon *daemon;
    struct listener *listener;
    struct store *store;
    struct faults *faults;
    struct quotas *quotas;
    struct late *late; /* with faults only: calls that a script delays or doubles */
    enum second_commit second_commit;
    struct log *log;
    struct authority *authority;
    struct certificate certificate;
    bool tls;
    int64_t clock_ms; /* how far its clock is ahead of the machine's */
    char *host; /* 127.0.0.1:PORT */
    unsigned port;
    pthread_mutex_t lock;
    pthread_cond_t stopping_changed;
    bool stopping; /* by lock */
};

/* One request on its way, with what only this file knows of it. */
struct exchange {
    struct local *local;
    struct request request;
    struct str endpoint_path; /* "/api" or "" */
    bool begun, refused;
    bool slot, no_slot; /* for writing a block: taken, or none to be had */
    struct refusal refusal;
};

bool request_has(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (str_is(request->parameters[i].name, name))
            return true;
    return false;
}

struct str request_get(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (str_is(request->parameters[i].name, name))
            return request->parameters[i].value;
    return STR("");
}

bool request_is(const struct request *request, const char *method)
{
    return strcmp(request->method, method) == 0;
}

void answer_header(struct answer *answer, const char *name, const char *format, ...)
{
    va_list arguments;
    char *value = NULL;

    assert(answer->header_count < ANSWER_HEADERS_MAX);
    va_start(arguments, format);
    if (vasprintf(&value, format, arguments) < 0)
        value = xstrdup("");
    va_end(arguments);
    /* Names that came in parts of the path must not end the header. */
    for (char *c = value; *c; c++)
        if (*c == '\r' || *c == '\n')
            *c = ' ';
    answer->headers[answer->header_count].name = xstrdup(name);
    answer->headers[answer->header_count++].value = value;
}

void answer_date_header(struct answer *answer, const char *name, int64_t ms)
{
    struct buffer date;

    buffer_init(&date, 0);
    sign_date(&date, ms);
    answer_header(answer, name, "%s", buffer_text(&date));
    buffer_release(&date);
}

static void xml_safe(struct buffer *xml, const char *text)
{
    for (; *text; text++) {
        if (strchr("<>&", *text))
            buffer_print(xml, "&#%d;", *text);
        else
            buffer_append_char(xml, *text);
    }
}

void answer_refusal(const struct request *request, struct answer *answer, const struct refusal *refusal)
{
    struct buffer *body = &answer->body;

    buffer_release(body);
    buffer_init(body, 0);
    answer->status = refusal->status;
    if (refusal->retry_after_s > 0)
        answer_header(answer, "Retry-After", "%d", refusal->retry_after_s);
    if (request->tunnel) {
        answer->content_type = "application/json";
        buffer_print(body, "{\"Code\":");
        buffer_append_json(body, str_of(refusal->code));
        buffer_print(body, ",\"Message\":");
        buffer_append_json(body, str_of(refusal->text));
        buffer_print(body, ",\"RequestId\":\"%s\",\"HostId\":\"%s\"}", request->id, request->host);
        return;
    }
    answer->content_type = "application/xml";
    buffer_print(body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>", refusal->code);
    xml_safe(body, refusal->text);
    buffer_print(body, "</Message><RequestId>%s</RequestId><HostId>%s</HostId></Error>", request->id, request->host);
}

/* --- requests --- */

static struct str decode(struct request *request, struct str text)
{
    size_t start = request->text.size;

    sign_decode(&request->text, text);
    return str_make(request->text.data + start, request->text.size - start);
}

static bool parse_uri(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct str path, query, rest, part;

    /* Decoded text is never longer than the text, so that the buffer does not move under the slices. */
    buffer_reserve(&request->text, strlen(request->uri) + 1);
    str_cut(str_of(request->uri), '?', &path, &query);
    exchange->endpoint_path = STR("");
    if (str_starts_with(path, STR("/api/"))) {
        exchange->endpoint_path = STR("/api");
        path = str_make(path.data + 4, path.size - 4);
    }
    rest = str_make(path.data + (path.size > 0), path.size - (path.size > 0));
    while (rest.data && rest.size > 0) {
        if (request->segment_count == PATH_SEGMENTS_MAX)
            return refuse(&exchange->refusal, 404, "InvalidURI", "the path has more than %d parts", PATH_SEGMENTS_MAX);
        str_cut(rest, '/', &part, &rest);
        request->segments[request->segment_count++] = decode(request, part);
    }
    while (query.data && query.size > 0) {
        struct str name, value;

        if (request->parameter_count == PARAMETERS_MAX)
            return refuse(&exchange->refusal, 400, "InvalidURI", "more than %d parameters", PARAMETERS_MAX);
        str_cut(query, '&', &part, &query);
        if (!str_cut(part, '=', &name, &value))
            value = STR("");
        request->parameters[request->parameter_count].name = decode(request, name);
        request->parameters[request->parameter_count++].value = decode(request, value);
    }
    return true;
}

/* Both planes are served at one port. The tunnel's paths come without /api and with a session's parameters. */
static bool is_tunnel(const struct exchange *exchange)
{
    static const char *const names[] = {"uploads", "uploadid", "downloads", "downloadid", "upsertid", "slotnum"};
    const struct request *request = &exchange->request;

    if (exchange->endpoint_path.size > 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (request_has(request, names[i]))
            return true;
    return request->segment_count > 4 && (str_is(request->segments[request->segment_count - 1], "streams") ||
                                          str_is(request->segments[request->segment_count - 1], "upserts"));
}

struct header_list {
    struct sign_header items[SIGNED_HEADERS_MAX];
    size_t count;
};

static enum MHD_Result collect_header(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct header_list *list = user;

    (void)kind;
    if (list->count < SIGNED_HEADERS_MAX)
        list->items[list->count++] = (struct sign_header){str_of(name), str_of(value ? value : "")};
    return MHD_YES;
}

static bool authenticate(struct exchange *exchange, struct MHD_Connection *connection)
{
    struct header_list headers = {.count = 0};
    struct authority_request request = {
        .method = exchange->request.method,
        .uri = exchange->request.uri,
        .endpoint_path = exchange->endpoint_path,
        .now_ms = exchange->request.now_ms,
    };

    MHD_get_connection_values(connection, MHD_HEADER_KIND, collect_header, &headers);
    request.headers = headers.items;
    request.header_count = headers.count;
    return authority_check(exchange->local->authority, &request, &exchange->refusal);
}

static char *copy_header(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

    return xstrdup(value ? value : "");
}

static struct exchange *exchange_new(struct local *local, const char *uri)
{
    struct exchange *exchange = xcalloc(1, sizeof(*exchange));
    struct request *request = &exchange->request;

    exchange->local = local;
    request->local = local;
    request->uri = xstrdup(uri);
    request->store = local->store;
    request->quotas = local->quotas;
    request->second_commit = local->second_commit;
    pthread_mutex_lock(&local->lock);
    request->scheme = local->tls ? "https" : "http";
    request->host = local->host ? local->host : "";
    pthread_mutex_unlock(&local->lock);
    buffer_init(&request->text, 0);
    buffer_init(&request->body, BODY_BYTES_MAX);
    return exchange;
}

static void give_slot(struct exchange *exchange)
{
    if (exchange->slot)
        quotas_end(exchange->local->quotas, QUOTA_SLOTS, "");
    exchange->slot = false;
}

static void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    give_slot(exchange);
    free(exchange->request.method);
    free(exchange->request.uri);
    free(exchange->request.content_encoding);
    free(exchange->request.accept_encoding);
    buffer_release(&exchange->request.text);
    buffer_release(&exchange->request.body);
    free(exchange);
}

static void *exchange_open(void *user, const char *uri, struct MHD_Connection *connection)
{
    (void)connection;
    return exchange_new(user, uri);
}

static void exchange_close(void *user, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
    (void)user;
    (void)connection;
    (void)why;
    exchange_free(*state);
    *state = NULL;
}

/* Who is not let in, is known before the body comes; the body is then read and thrown away, so that the client sees
 * the answer. */
static void exchange_begin(struct exchange *exchange, struct MHD_Connection *connection, const char *method)
{
    struct request *request = &exchange->request;
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

    exchange->begun = true;
    request->method = xstrdup(method);
    request->now_ms = clock_wall_ms() + exchange->local->clock_ms;
    request->content_encoding = copy_header(connection, "Content-Encoding");
    request->accept_encoding = copy_header(connection, "Accept-Encoding");
    store_session_id(request->id, request->now_ms);
    exchange->refused = !parse_uri(exchange);
    request->tunnel = is_tunnel(exchange);
    if (!exchange->refused)
        exchange->refused = !authenticate(exchange, connection);
    if (!exchange->refused && length) {
        long long size = strtoll(length, NULL, 10);

        if (size > 0 && size <= BODY_BYTES_MAX)
            buffer_reserve(&request->body, (size_t)size);
    }
    /* A block has its slot while its bytes come. */
    if (!exchange->refused && request->tunnel && tunnel_call(request) == CALL_PUT_BLOCK) {
        exchange->slot = quotas_begin(request->quotas, QUOTA_SLOTS, "", request->now_ms, &exchange->refusal);
        exchange->no_slot = !exchange->slot;
    }
}

/* --- faults --- */

void local_pause(struct local *local, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&local->lock);
    while (!local->stopping && pthread_cond_timedwait(&local->stopping_changed, &local->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&local->lock);
}

static const char *default_code(int status)
{
    switch (status) {
    case 401:
        return "Unauthorized";
    case 403:
        return "NoPermission";
    case 404:
        return "NoSuchObject";
    case 429:
        return "FlowExceeded";
    case 503:
        return "ServiceUnavailable";
    default:
        return status >= 500 ? "InternalServerError" : "InvalidArgument";
    }
}

static void answer_release(struct answer *answer)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        free(answer->headers[i].name);
        free(answer->headers[i].value);
    }
    answer->header_count = 0;
    buffer_release(&answer->body);
}

static void carry_out(struct request *request, struct answer *answer)
{
    if (request->tunnel)
        tunnel_answer(request, answer);
    else
        control_answer(request, answer);
}

static void carry_out_unheard(void *item)
{
    struct exchange *exchange = item;
    struct answer answer = {.status = 500};

    buffer_init(&answer.body, 0);
    exchange->request.now_ms = clock_wall_ms() + exchange->local->clock_ms;
    carry_out(&exchange->request, &answer);
    if (exchange->local->log)
        log_debug(exchange->local->log, "a late %s carried out, answered to nobody status=%d request_id=%s",
                  exchange->request.method, answer.status, exchange->request.id);
    answer_release(&answer);
}

static void drop_late(void *item)
{
    exchange_free(item);
}

/* The call once more, without its connection: a request that was let in is parsed again, from its own copies. */
static struct exchange *exchange_copy(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    struct exchange *copy = exchange_new(exchange->local, request->uri);

    copy->begun = true;
    copy->request.method = xstrdup(request->method);
    copy->request.content_encoding = xstrdup(request->content_encoding);
    copy->request.accept_encoding = xstrdup(request->accept_encoding);
    copy->request.tunnel = request->tunnel;
    copy->request.call = request->call;
    store_session_id(copy->request.id, request->now_ms);
    copy->refused = !parse_uri(copy);
    assert(!copy->refused);
    buffer_append_str(&copy->request.body, buffer_str(&request->body));
    return copy;
}

/* Without a slot the body is gone, and nothing can be carried out. */
static void carry_out_later(struct exchange *exchange, int64_t delay_ms)
{
    if (exchange->no_slot)
        return;
    if (delay_ms > 0)
        late_push(exchange->local->late, exchange_copy(exchange), delay_ms);
    else
        carry_out_unheard(exchange);
}

/* False: the connection is to be closed without an answer. *answered is set when the fault made the answer. */
static bool apply_fault(struct exchange *exchange, const struct fault *fault, struct answer *answer, bool *answered)
{
    struct refusal refusal;

    switch (fault->answer) {
    case FAULT_NONE:
        return true;
    case FAULT_CUT:
        return false;
    case FAULT_HANG:
        local_pause(exchange->local, fault->duration_ms);
        return false;
    case FAULT_SLOW:
        local_pause(exchange->local, fault->duration_ms);
        return true;
    case FAULT_STATE:
        store_session_set_status(exchange->local->store, exchange->request.session, fault->state);
        return true;
    case FAULT_FORGET:
        store_session_forget(exchange->local->store, exchange->request.session);
        return true;
    case FAULT_CLOSING:
        exchange->request.closing_ms = fault->duration_ms;
        return true;
    case FAULT_DELAY:
        carry_out_later(exchange, fault->duration_ms);
        return false;
    case FAULT_TWICE:
        carry_out_later(exchange, fault->duration_ms);
        return true;
    case FAULT_STATUS:
        answer_release(answer);
        refuse(&refusal, fault->status, fault->code[0] ? fault->code : default_code(fault->status),
               "an answer from the faults script");
        answer_refusal(&exchange->request, answer, &refusal);
        if (fault->retry_after_s >= 0)
            answer_header(answer, "Retry-After", "%d", fault->retry_after_s);
        *answered = true;
        return true;
    }
    return true;
}

static bool make_answer(struct exchange *exchange, struct answer *answer)
{
    struct request *request = &exchange->request;
    struct fault before, after;
    bool answered = false;

    if (exchange->refused) {
        answer_refusal(request, answer, &exchange->refusal);
        return true;
    }
    if (request->body.failed) {
        refuse(&exchange->refusal, 413, "EntityTooLarge", "the body is larger than %d MiB", BODY_BYTES_MAX >> 20);
        answer_refusal(request, answer, &exchange->refusal);
        return true;
    }
    request->call = request->tunnel ? tunnel_call(request) : control_call(request);
    request->session = request_get(request, request_has(request, "uploadid") ? "uploadid" : "downloadid");
    faults_next(exchange->local->faults, request->call, &before, &after);
    if (!apply_fault(exchange, &before, answer, &answered))
        return false;
    if (answered)
        return true;
    if (exchange->no_slot)
        answer_refusal(request, answer, &exchange->refusal);
    else
        carry_out(request, answer);
    return apply_fault(exchange, &after, answer, &answered);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct request *request, struct answer *answer)
{
    struct buffer date;
    size_t size;
    char *body = buffer_take(&answer->body, &size);
    struct MHD_Response *response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result;

    if (!response) {
        free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, "x-odps-request-id", request->id);
    MHD_add_response_header(response, "Server", "luaduct-local");
    buffer_init(&date, 0);
    sign_date(&date, request->now_ms);
    MHD_add_response_header(response, "Date", buffer_text(&date));
    buffer_release(&date);
    if (answer->content_type)
        MHD_add_response_header(response, "Content-Type", answer->content_type);
    for (size_t i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    result = MHD_queue_response(connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload_data, size_t *upload_data_size, void **state)
{
    struct exchange *exchange = *state;
    struct answer answer = {.status = 500};
    enum MHD_Result result = MHD_NO;
    bool answered;

    (void)user;
    (void)url;
    (void)version;
    if (!exchange)
        return MHD_NO;
    if (!exchange->begun) {
        exchange_begin(exchange, connection, method);
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        if (!exchange->refused && !exchange->no_slot && !exchange->request.body.failed)
            buffer_append(&exchange->request.body, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return MHD_YES;
    }
    buffer_init(&answer.body, 0);
    answered = make_answer(exchange, &answer);
    give_slot(exchange); /* before the answer: who has it may go on */
    if (answered) {
        if (exchange->local->log)
            log_debug(exchange->local->log, "%s answered status=%d request_id=%s", method, answer.status, exchange->request.id);
        result = send_answer(connection, &exchange->request, &answer);
    }
    answer_release(&answer);
    return result;
}

/* --- start and stop --- */

static bool add_projects(struct local *local, const char *names, struct error *error)
{
    struct str name, rest = str_of(names);

    do {
        str_cut(rest, ',', &name, &rest);
        if (!store_add_project(local->store, str_trim(name), clock_wall_ms(), error))
            return false;
    } while (rest.data);
    return true;
}

static void take_connection(void *arg, int connection, const struct sockaddr *address, socklen_t size)
{
    (void)MHD_add_connection(((struct local *)arg)->daemon, connection, address, size); /* it closes what it does not take */
}

static unsigned count_connections(void *arg)
{
    return MHD_get_daemon_info(((struct local *)arg)->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

static bool listen_on(struct local *local, const struct local_options *options, struct error *error)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
    const char *text = options->address && strcmp(options->address, "localhost") != 0 ? options->address : "127.0.0.1";
    struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, local->certificate.chain.data},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, local->certificate.key.data},
                                   {MHD_OPTION_END, 0, NULL}};
    struct listener_options accepting = {.take = take_connection, .connections = count_connections,
                                         .connections_max = CONNECTIONS_MAX, .arg = local, .log = local->log};

    if (inet_pton(AF_INET, text, &address.sin_addr) != 1 || ntohl(address.sin_addr.s_addr) >> 24 != 127)
        return error_set(error, ERROR_CONFIG, "address %s is not a loopback one; the local endpoint listens on 127.0.0.1 only",
                         text);
    if (options->port > 65535)
        return error_set(error, ERROR_CONFIG, "port %u is above 65535", options->port);
    if (!listener_open(&local->listener, &address, error))
        return false;
    local->port = listener_port(local->listener);
    local->host = xasprintf("%s:%u", text, local->port);
    errno = 0;
    local->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
                                         MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
                                         (local->tls ? MHD_USE_TLS : 0),
                                     0, NULL, NULL, handle, local, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                                     MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                     (unsigned)IDLE_SECONDS_MAX, MHD_OPTION_URI_LOG_CALLBACK, exchange_open, local,
                                     MHD_OPTION_NOTIFY_COMPLETED, exchange_close, NULL, MHD_OPTION_ARRAY,
                                     local->tls ? tls : plain, MHD_OPTION_END);
    if (!local->daemon)
        return error_set(error, ERROR_FATAL, "the HTTP server cannot be started: %s", system_reason(errno));
    listener_start(local->listener, &accepting);
    return true;
}

/* What decides how calls are answered; before the first of them can come. */
static bool read_rules(struct local *local, const struct local_options *options, struct error *error)
{
    if (options->second_commit && !second_commit_parse(str_of(options->second_commit), &local->second_commit))
        return error_set(error, ERROR_CONFIG, "a second commit is answered \"ok\", \"conflict\" or \"5xx\", not \"%s\"",
                         options->second_commit);
    if (options->quotas && !quotas_parse(&local->quotas, str_of(options->quotas), error)) {
        error_wrap(error, "quotas");
        return false;
    }
    if (!options->faults_path)
        return true;
    if (!faults_read(&local->faults, options->faults_path, error))
        return false;
    local->second_commit = faults_second_commit(local->faults, local->second_commit);
    local->late = late_new(carry_out_unheard, drop_late);
    return local->late || error_set(error, ERROR_FATAL, "no thread can be started for calls that a script delays");
}

static bool read_certificate(struct local *local, const struct local_options *options, struct error *error)
{
    if (!options->tls_certificate && !options->tls_key)
        return true;
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return error_set(error, ERROR_CONFIG, "this machine's libmicrohttpd was built without TLS");
    local->tls = true;
    return certificate_read(&local->certificate, options->tls_certificate, options->tls_key, error);
}

static bool open_store(struct local *local, const struct local_options *options, struct error *error)
{
    struct store_options store = {.path = options->database, .discard = options->discard};

    if (options->session_life &&
        (!word_duration(str_of(options->session_life), &store.session_ms_max) || store.session_ms_max == 0))
        return error_set(error, ERROR_CONFIG, "the life of a session is a time such as 3s, 5m or 24h (at most), not \"%s\"",
                         options->session_life);
    return store_open(&local->store, &store, error);
}

bool local_start(struct local **local_out, const struct local_options *options, struct error *error)
{
    struct local *local = xcalloc(1, sizeof(*local));
    pthread_condattr_t monotonic;
    bool ok = false;

    pthread_mutex_init(&local->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&local->stopping_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    local->log = options->log;
    local->clock_ms = options->clock_ms;
    if (!authority_open(&local->authority, options, error) || !read_certificate(local, options, error))
        goto out;
    if (!read_rules(local, options, error) || !open_store(local, options, error))
        goto out;
    if (options->project && !add_projects(local, options->project, error))
        goto out;
    if (!listen_on(local, options, error))
        goto out;
    *local_out = local;
    local = NULL;
    ok = true;
out:
    local_stop(local);
    return ok;
}

unsigned local_port(const struct local *local)
{
    return local->port;
}

struct store *local_store(struct local *local)
{
    return local->store;
}

void local_stop(struct local *local)
{
    if (!local)
        return;
    pthread_mutex_lock(&local->lock);
    local->stopping = true;
    pthread_cond_broadcast(&local->stopping_changed);
    pthread_mutex_unlock(&local->lock);
    listener_stop(local->listener);
    if (local->daemon)
        MHD_stop_daemon(local->daemon);
    late_free(local->late);
    faults_free(local->faults);
    quotas_free(local->quotas);
    store_close(local->store);
    pthread_cond_destroy(&local->stopping_changed);
    pthread_mutex_destroy(&local->lock);
    authority_free(local->authority);
    certificate_release(&local->certificate);
    free(local->host);
    free(local);
}
