/* client.c: calls wait in one list, fly as HTTP requests, and end in the queue of finished ones.
 * Every attempt is a request of its own, signed when it leaves, for Date is part of the signature. Lists are short (uploads in
 * flight, a few control calls), so they are walked. The client takes all finished requests of its struct http: nothing else may
 * send through it. */
#include "maxcompute/client.h"
#include "maxcompute/denial.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifndef LUADUCT_VERSION
#define LUADUCT_VERSION "0"
#endif

enum { RETRIES_MAX = 7, DELAY_MS_MAX = 64000, HOST_SIZE_MAX = 255, DENIALS_MAX = 24 };

enum call_state { CALL_NEW, CALL_WAITING, CALL_FLYING, CALL_FINISHED };

/* What client_call.internal points to. */
struct call_internal {
    struct client *client;
    enum call_state state;
    struct http_request *request; /* of the last attempt; owns the response */
    int64_t due_ms;
    int64_t sent_ms;     /* wall clock */
    unsigned generation; /* of the credentials that the last attempt was signed with */
    bool denied;         /* that attempt was refused for them: waits for others */
    unsigned denials;    /* in a row */
};

struct call_list {
    struct client_call *first, *last;
};

/* One side of the service. */
struct end {
    char *base;   /* scheme://host[:port][/prefix], no slash at the end; NULL: to be discovered */
    char *prefix; /* "/api" or "" */
    char *host;   /* for messages: no user information */
    bool silent;  /* it was said that it does not answer */
    int64_t silent_since_ms;
};

struct client {
    struct http *http;
    struct log *log;
    char *project, *schema_name, *region, *quota;
    struct credentials *credentials;
    struct skew skew;
    char *scheme; /* of the control endpoint */
    struct end ends[2];
    bool discovers; /* no tunnel endpoint was configured */
    struct client_call *discovery;
    struct call_list waiting, flying, finished;
    uint64_t random;
    struct client_stats stats;
    int64_t throttle_said_ms; /* 0: never */
};

static const char *const end_names[] = {"control endpoint", "tunnel endpoint"};

static void list_push(struct call_list *list, struct client_call *call)
{
    call->next = NULL;
    if (list->last)
        list->last->next = call;
    else
        list->first = call;
    list->last = call;
}

static void list_remove(struct call_list *list, struct client_call *call)
{
    struct client_call *previous = NULL;

    for (struct client_call *at = list->first; at; previous = at, at = at->next) {
        if (at != call)
            continue;
        if (previous)
            previous->next = call->next;
        else
            list->first = call->next;
        if (list->last == call)
            list->last = previous;
        call->next = NULL;
        return;
    }
}

static struct call_internal *internal(const struct client_call *call)
{
    return call->internal;
}

static struct call_list *call_list_of(struct client *client, enum call_state state)
{
    return state == CALL_WAITING ? &client->waiting : state == CALL_FLYING ? &client->flying : &client->finished;
}

static void call_move(struct client_call *call, enum call_state state)
{
    struct client *client = internal(call)->client;

    if (internal(call)->state != CALL_NEW)
        list_remove(call_list_of(client, internal(call)->state), call);
    internal(call)->state = state;
    list_push(call_list_of(client, state), call);
}

static char *text_copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static void end_release(struct end *end)
{
    free(end->base);
    free(end->prefix);
    free(end->host);
    end->base = end->prefix = end->host = NULL;
}

/* default_scheme is used when the text names none. */
static void end_set(struct end *end, const char *text, const char *default_scheme)
{
    const char *separator = strstr(text, "://");
    struct str rest = str_of(separator ? separator + 3 : text), host, path;
    struct str scheme = separator ? str_make(text, (size_t)(separator - text)) : str_of(default_scheme);
    const char *at;

    end_release(end);
    while (rest.size && rest.data[rest.size - 1] == '/')
        rest.size--;
    str_cut(rest, '/', &host, &path);
    end->base = xasprintf("%.*s://%.*s", STR_ARG(scheme), STR_ARG(rest));
    end->prefix = path.size ? xasprintf("/%.*s", STR_ARG(path)) : xstrdup("");
    at = host.size ? memrchr(host.data, '@', host.size) : NULL;
    if (at)
        host = str_make(at + 1, host.size - (size_t)(at + 1 - host.data));
    end->host = str_dup(host);
}

struct client *client_new(struct http *http, const struct client_options *options)
{
    struct client *client = xcalloc(1, sizeof(*client));
    const char *separator = strstr(options->endpoint, "://");

    client->http = http;
    client->log = options->log;
    client->project = xstrdup(options->project);
    client->schema_name = text_copy(options->schema_name);
    client->credentials = options->credentials
                              ? options->credentials
                              : credentials_fixed(options->access_id, options->access_key, options->security_token);
    client->region = text_copy(options->region);
    client->quota = text_copy(options->quota);
    client->scheme = separator ? xstrndup(options->endpoint, (size_t)(separator - options->endpoint)) : xstrdup("http");
    client->random = options->jitter_seed;
    end_set(&client->ends[CLIENT_CONTROL], options->endpoint, "http");
    client->discovers = !options->tunnel_endpoint;
    if (options->tunnel_endpoint)
        end_set(&client->ends[CLIENT_TUNNEL], options->tunnel_endpoint, client->scheme);
    return client;
}

void client_free(struct client *client)
{
    struct call_list *lists[3];

    if (!client)
        return;
    lists[0] = &client->waiting;
    lists[1] = &client->flying;
    lists[2] = &client->finished;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        while (lists[i]->first)
            client_call_free(lists[i]->first);
    end_release(&client->ends[CLIENT_CONTROL]);
    end_release(&client->ends[CLIENT_TUNNEL]);
    free(client->scheme);
    free(client->project);
    free(client->schema_name);
    credentials_free(client->credentials);
    free(client->region);
    free(client->quota);
    free(client);
}

struct client_call *client_call_new(enum client_end end, const char *method, char *resource_owned)
{
    struct client_call *call = xcalloc(1, sizeof(*call));

    call->end = end;
    call->method = method;
    call->resource = resource_owned;
    call->internal = xcalloc(1, sizeof(struct call_internal));
    return call;
}

void client_call_free(struct client_call *call)
{
    if (!call)
        return;
    if (internal(call)->client) {
        if (internal(call)->client->discovery == call)
            internal(call)->client->discovery = NULL;
        list_remove(call_list_of(internal(call)->client, internal(call)->state), call);
    }
    http_request_free(internal(call)->request);
    free(call->internal);
    free(call->resource);
    free(call->location);
    free(call);
}

void client_resource_add(struct buffer *resource, const char *name, const char *value)
{
    bool first = resource->size == 0 || !memchr(resource->data, '?', resource->size);

    buffer_append_char(resource, first ? '?' : '&');
    buffer_append_str(resource, str_of(name));
    if (value) {
        buffer_append_char(resource, '=');
        sign_encode(resource, str_of(value));
    }
}

void client_table_resource(const struct client *client, enum client_end end, const char *table, struct buffer *resource)
{
    buffer_append_str(resource, STR("/projects/"));
    sign_encode(resource, str_of(client->project));
    if (end == CLIENT_TUNNEL && client->schema_name) {
        buffer_append_str(resource, STR("/schemas/"));
        sign_encode(resource, str_of(client->schema_name));
    }
    buffer_append_str(resource, STR("/tables/"));
    sign_encode(resource, str_of(table));
    if (end == CLIENT_CONTROL && client->schema_name)
        client_resource_add(resource, "curr_schema", client->schema_name);
}

const char *client_project(const struct client *client)
{
    return client->project;
}

const char *client_schema_name(const struct client *client)
{
    return client->schema_name;
}

bool client_is_unsigned(const struct client *client, struct error *error)
{
    if (!credentials_awaited(client->credentials, error))
        return false;
    error_wrap(error, "credentials of the data source");
    return true;
}

const struct skew *client_skew(const struct client *client)
{
    return &client->skew;
}

const struct client_stats *client_stats(const struct client *client)
{
    return &client->stats;
}

void client_send(struct client *client, struct client_call *call, int64_t now_ms)
{
    assert(internal(call)->state == CALL_NEW);
    internal(call)->client = client;
    internal(call)->due_ms = now_ms;
    call_move(call, CALL_WAITING);
}

struct client_call *client_next(struct client *client)
{
    struct client_call *call = client->finished.first;

    if (!call)
        return NULL;
    list_remove(&client->finished, call);
    internal(call)->client = NULL; /* the caller's from here */
    return call;
}

int64_t client_deadline(const struct client *client)
{
    int64_t deadline = client->finished.first ? 0 : credentials_deadline(client->credentials);

    for (const struct client_call *call = client->waiting.first; call; call = call->next)
        if (credentials_get(client->credentials) && !internal(call)->denied &&
            (client->ends[call->end].base || !client->discovery))
            deadline = int64_min(deadline, internal(call)->due_ms);
    return deadline;
}

/* --- sending --- */

/* splitmix64: enough for jitter. */
static uint64_t random_next(struct client *client)
{
    uint64_t z = client->random += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static void request_sign(struct client *client, struct client_call *call, struct http_request *request, int64_t wall_ms)
{
    const struct end *end = &client->ends[call->end];
    const struct credential *credential = credentials_get(client->credentials);
    struct str access_id = str_of(credential->access_id), access_key = str_of(credential->access_key);
    struct sign_header headers[5];
    struct buffer date, path, canonical, authorization;
    size_t count = 0;

    buffer_init(&date, 0);
    buffer_init(&path, 0);
    buffer_init(&canonical, 0);
    buffer_init(&authorization, 0);
    sign_date(&date, wall_ms);
    headers[count++] = (struct sign_header){STR("Date"), buffer_str(&date)};
    headers[count++] = (struct sign_header){STR("x-odps-user-agent"), STR("luaduct/" LUADUCT_VERSION)};
    if (call->end == CLIENT_TUNNEL)
        headers[count++] = (struct sign_header){STR("x-odps-tunnel-version"), STR("6")};
    if (call->content_type)
        headers[count++] = (struct sign_header){STR("Content-Type"), str_of(call->content_type)};
    buffer_append_str(&path, str_of(end->prefix));
    buffer_append_str(&path, str_of(call->resource));
    if (call->end == CLIENT_TUNNEL && client->quota)
        client_resource_add(&path, "quotaName", client->quota);
    sign_canonical(&canonical, str_of(call->method), buffer_str(&path), str_of(end->prefix), headers, count);
    if (client->region) {
        time_t seconds = (time_t)(wall_ms / 1000);
        struct tm tm;
        char day[16];

        gmtime_r(&seconds, &tm);
        strftime(day, sizeof(day), "%Y%m%d", &tm);
        sign_v4(&authorization, access_id, access_key, str_of(client->region), str_of(day), buffer_str(&canonical));
    } else {
        sign_v1(&authorization, access_id, access_key, buffer_str(&canonical));
    }
    for (size_t i = 0; i < count; i++)
        http_request_header(request, headers[i].name.data, headers[i].value);
    http_request_header(request, "Authorization", buffer_str(&authorization));
    if (credential->security_token) /* section 1.4: not signed */
        http_request_header(request, "authorization-sts-token", str_of(credential->security_token));
    buffer_release(&date);
    buffer_release(&path);
    buffer_release(&canonical);
    buffer_release(&authorization);
}

static void call_start(struct client *client, struct client_call *call, int64_t wall_ms)
{
    const struct end *end = &client->ends[call->end];
    struct http_request *request;
    struct buffer url;

    buffer_init(&url, 0);
    buffer_append_str(&url, str_of(end->base));
    buffer_append_str(&url, str_of(call->resource));
    if (call->end == CLIENT_TUNNEL && client->quota)
        client_resource_add(&url, "quotaName", client->quota);
    request = http_request_new(call->method, buffer_take(&url, NULL));
    http_request_header(request, "User-Agent", STR("luaduct/" LUADUCT_VERSION));
    request_sign(client, call, request, wall_ms);
    internal(call)->sent_ms = wall_ms;
    internal(call)->generation = credentials_generation(client->credentials);
    if (call->content_encoding)
        http_request_header(request, "Content-Encoding", str_of(call->content_encoding));
    request->body = call->body;
    request->user = call;
    http_request_free(internal(call)->request);
    internal(call)->request = request;
    call->response = STR_NONE;
    call->attempts++;
    client->stats.requests++;
    client->stats.bytes_sent += call->body.size;
    call_move(call, CALL_FLYING);
    http_send(client->http, request);
}

/* --- answers --- */

static const char *object_advice(const char *code)
{
    if (strcmp(code, "NoSuchProject") == 0)
        return "; check project and endpoint of the data source";
    if (strcmp(code, "NoSuchSchema") == 0)
        return "; check the schema's name";
    if (strstr(code, "Quota"))
        return "; check the tunnel quota's name";
    return "";
}

/* The answer as a sentence. advice may be NULL. */
static void error_describe(const struct client *client, struct client_call *call, const struct service_error *service,
                           const char *advice, enum error_kind kind)
{
    const struct http_request *request = internal(call)->request;
    char id[80];

    service_text_copy(id, sizeof(id), request->request_id ? str_of(request->request_id) : str_of(service->request_id));
    error_set(&call->error, kind, "%s %s: %s %.300s: HTTP %d%s%s%s%s%s%s%s%s%s", end_names[call->end],
              client->ends[call->end].host, call->method, call->resource, call->status, service->code[0] ? " " : "",
              service->code, service->message[0] ? ": " : "", service->message, id[0] ? " (request id " : "", id,
              id[0] ? ")" : "", advice ? "; " : object_advice(service->code), advice ? advice : "");
}

/* 1, 2, 4 … 64 s, the upper half of each at random, so that many clients do not come back together. */
static int64_t delay_ms(struct client *client, unsigned attempts, int64_t at_least_ms)
{
    int64_t full = attempts < 7 ? INT64_C(1000) << (attempts ? attempts - 1 : 0) : DELAY_MS_MAX;
    int64_t delay = full / 2 + (int64_t)(random_next(client) % (uint64_t)(full / 2 + 1));

    return int64_min(int64_max(delay, at_least_ms), DELAY_MS_MAX);
}

static void call_retry(struct client *client, struct client_call *call, int64_t at_least_ms, int64_t now_ms)
{
    internal(call)->due_ms = now_ms + delay_ms(client, call->attempts, at_least_ms);
    client->stats.retries++;
    call_move(call, CALL_WAITING);
}

/* A line a minute: what waits for the service looks like a job that stands still. */
static void throttle_say(struct client *client, const struct client_call *call, const struct service_error *service,
                         int64_t now_ms)
{
    enum { SAY_MS = 60 * 1000 };

    if (!client->log || (client->throttle_said_ms && now_ms - client->throttle_said_ms < SAY_MS))
        return;
    client->throttle_said_ms = now_ms ? now_ms : 1;
    log_warn(client->log, "the %s holds requests back (429 %s): %s; this one goes again in %lld s", end_names[call->end],
             service->code, service->message, (long long)((internal(call)->due_ms - now_ms + 999) / 1000));
}

static bool anyone_unlimited(const struct client *client)
{
    for (const struct client_call *call = client->waiting.first; call; call = call->next)
        if (call->end == CLIENT_TUNNEL && call->retry_unlimited)
            return true;
    return false;
}

static bool retries_left(const struct client *client, const struct client_call *call)
{
    if (call->retry_unlimited || call->attempts <= RETRIES_MAX)
        return true;
    return call == client->discovery && anyone_unlimited(client);
}

static void end_silent(struct client *client, struct client_call *call, int64_t now_ms)
{
    struct end *end = &client->ends[call->end];

    if (!end->silent) {
        end->silent = true;
        end->silent_since_ms = now_ms;
        if (client->log)
            log_warn(client->log, "the %s %s does not answer as it should; requests are repeated, nothing is lost: %s",
                     end_names[call->end], end->host, call->error.text);
    }
}

static void end_answers(struct client *client, enum client_end which, int64_t now_ms)
{
    struct end *end = &client->ends[which];

    if (end->silent && client->log)
        log_info(client->log, "the %s %s answers again after %lld s", end_names[which], end->host,
                 (long long)((now_ms - end->silent_since_ms) / 1000));
    end->silent = false;
}

static void discovery_finish(struct client *client, struct client_call *call, int64_t now_ms);

static void call_finish(struct client *client, struct client_call *call, int64_t now_ms)
{
    call_move(call, CALL_FINISHED);
    if (call == client->discovery)
        discovery_finish(client, call, now_ms);
}

/* The tunnel host may have moved: after some attempts without an answer it is asked for again. */
static void tunnel_forget(struct client *client, const struct client_call *call)
{
    struct end *end = &client->ends[CLIENT_TUNNEL];

    if (call->end == CLIENT_TUNNEL && client->discovers && call->attempts % 4 == 0) {
        free(end->base);
        end->base = NULL;
    }
}

static void call_unanswered(struct client *client, struct client_call *call, int64_t now_ms)
{
    struct http_request *request = internal(call)->request;

    call->status = 0;
    internal(call)->denials = 0;
    error_set(&call->error, request->error.kind, "%s %s: %s %.300s: no complete answer: %s", end_names[call->end],
              client->ends[call->end].host, call->method, call->resource, request->error.text);
    if (request->error.kind == ERROR_RETRY) {
        if (call->repeat_safe && retries_left(client, call)) {
            end_silent(client, call, now_ms);
            tunnel_forget(client, call);
            call_retry(client, call, -1, now_ms);
            return;
        }
    }
    call_finish(client, call, now_ms);
}

static void call_denied_finish(struct client *client, struct client_call *call, int64_t now_ms)
{
    char advice[DENIAL_TEXT_MAX];
    struct service_error service;

    service_error_parse(&service, call->response);
    denial_advise(denial_of(&service, call->status), client->credentials, &client->skew, advice);
    error_describe(client, call, &service, advice, ERROR_FATAL);
    call_finish(client, call, now_ms);
}

/* Refused for its credentials, so it was not carried out and may be sent again in any case. */
static void call_deny(struct client *client, struct client_call *call, enum denial denial, int64_t now_ms)
{
    struct call_internal *own = internal(call);

    if (denial_renews(denial) && call->status < 500 && ++own->denials < DENIALS_MAX) {
        credentials_refused(client->credentials, own->generation, now_ms);
        own->denied = credentials_hope(client->credentials, own->generation) != CREDENTIALS_HOPELESS;
    }
    if (own->denied)
        call_move(call, CALL_WAITING);
    else
        call_denied_finish(client, call, now_ms);
}

/* A call that waits for other credentials goes on with them, or ends with what the service said. False: it still waits. */
static bool call_undeny(struct client *client, struct client_call *call, int64_t now_ms)
{
    enum credentials_hope hope = credentials_hope(client->credentials, internal(call)->generation);

    if (hope == CREDENTIALS_ASKED)
        return false;
    internal(call)->denied = false;
    internal(call)->due_ms = now_ms;
    if (hope == CREDENTIALS_RENEWED)
        client->stats.retries++;
    else
        call_denied_finish(client, call, now_ms);
    return true;
}

/* Nothing can be sent without credentials: who waits hears why there are none. */
static void calls_unsigned(struct client *client, const struct error *error, int64_t now_ms)
{
    struct client_call *call;

    while ((call = client->waiting.first)) { /* the end of a discovery ends others as well */
        call->status = 0;
        call->code[0] = '\0';
        call->error = *error;
        error_wrap(&call->error, "credentials of the data source");
        call_finish(client, call, now_ms);
    }
}

static void credentials_look(struct client *client, int64_t now_ms, int64_t wall_ms)
{
    struct client_call *call, *next;
    struct error error;

    credentials_step(client->credentials, now_ms, wall_ms);
    if (credentials_failed(client->credentials, &error))
        calls_unsigned(client, &error, now_ms);
    for (call = client->waiting.first; call; call = next) {
        next = call->next;
        if (internal(call)->denied && call_undeny(client, call, now_ms))
            next = client->waiting.first;
    }
}

/* 502 and 504 are a gateway's, whose clock is not in question. */
static void clock_compare(struct client *client, const struct client_call *call, int64_t wall_ms)
{
    const struct http_request *request = internal(call)->request;
    char text[SKEW_TEXT_MAX];

    if (request->date_ms < 0 || request->status == 502 || request->status == 504)
        return;
    skew_note(&client->skew, internal(call)->sent_ms, wall_ms, request->date_ms);
    if (client->log && skew_is_large(&client->skew) && !client->skew.told)
        log_warn(client->log, "%s: requests are refused from %d minutes on (%s %s)", skew_text(&client->skew, text),
                 SKEW_REFUSED_MS / 60000, end_names[call->end], client->ends[call->end].host);
    client->skew.told = skew_is_large(&client->skew);
}

static void call_answered(struct client *client, struct client_call *call, int64_t now_ms, int64_t wall_ms)
{
    struct http_request *request = internal(call)->request;
    struct service_error service;
    enum denial denial;
    int status = request->status;
    int64_t wait_ms;

    clock_compare(client, call, wall_ms);
    call->status = status;
    call->code[0] = '\0';
    call->response = buffer_str(&request->response);
    if (status >= 200 && status < 300) {
        credentials_accepted(client->credentials, internal(call)->generation);
        end_answers(client, call->end, now_ms);
        call->ok = true;
        memset(&call->error, 0, sizeof(call->error));
        free(call->location);
        call->location = text_copy(request->location);
        call_finish(client, call, now_ms);
        return;
    }
    service_error_parse(&service, call->response);
    memcpy(call->code, service.code, sizeof(call->code));
    wait_ms = int64_max(request->retry_after_ms, service.hold_ms);
    denial = status == 404 || status == 429 || status == 308 ? DENIAL_NONE : denial_of(&service, status);
    if (denial != DENIAL_NONE) {
        call_deny(client, call, denial, now_ms);
        return;
    }
    internal(call)->denials = 0;
    if (status == 429 || status == 308) {
        end_answers(client, call->end, now_ms);
        client->stats.throttled += status == 429;
        call_retry(client, call, wait_ms, now_ms);
        if (status == 429)
            throttle_say(client, call, &service, now_ms);
        return;
    }
    if (status >= 500 || status == 408 || (status == 409 && call->end == CLIENT_CONTROL && request->retry_after_ms >= 0)) {
        error_describe(client, call, &service, NULL, ERROR_RETRY);
        if (call->repeat_safe && retries_left(client, call)) {
            end_silent(client, call, now_ms);
            call_retry(client, call, wait_ms, now_ms);
            return;
        }
    } else {
        end_answers(client, call->end, now_ms);
        error_describe(client, call, &service, NULL, ERROR_FATAL);
    }
    call_finish(client, call, now_ms);
}

/* --- discovery (section 2.1) --- */

static void discovery_start(struct client *client, int64_t now_ms)
{
    struct client_call *call;
    struct buffer resource;

    buffer_init(&resource, 0);
    buffer_append_str(&resource, STR("/projects/"));
    sign_encode(&resource, str_of(client->project));
    buffer_append_str(&resource, STR("/tunnel"));
    client_resource_add(&resource, "service", NULL);
    if (client->quota)
        client_resource_add(&resource, "quotaName", client->quota);
    call = client_call_new(CLIENT_CONTROL, "GET", buffer_take(&resource, NULL));
    call->repeat_safe = true;
    client->discovery = call;
    client_send(client, call, now_ms);
}

static bool host_is_valid(struct str host)
{
    if (host.size == 0 || host.size > HOST_SIZE_MAX)
        return false;
    for (size_t i = 0; i < host.size; i++) {
        unsigned char c = (unsigned char)host.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(".-_:[]", c)) || c == '\0')
            return false;
    }
    return true;
}

static void discovery_finish(struct client *client, struct client_call *call, int64_t now_ms)
{
    struct str host = str_trim(call->response);
    struct client_call *at, *next;

    if (call->ok && host_is_valid(host)) {
        struct end *end = &client->ends[CLIENT_TUNNEL];
        char *text = xasprintf("%s://%.*s", client->scheme, STR_ARG(host));

        if (!end->host || strcmp(end->host, text + strlen(client->scheme) + 3) != 0)
            end->silent = false;
        end_set(end, text, client->scheme);
        free(text);
    } else {
        if (call->ok) {
            char beginning[80];

            service_text_copy(beginning, sizeof(beginning), host);
            error_set(&call->error, ERROR_FATAL,
                      "%s %s: GET %s: the answer \"%s\" is no host name; check the endpoint of the data source, or set its "
                      "tunnel endpoint",
                      end_names[call->end], client->ends[call->end].host, call->resource, beginning);
        }
        for (at = client->waiting.first; at; at = next) {
            next = at->next;
            if (at->end != CLIENT_TUNNEL)
                continue;
            at->status = call->status;
            memcpy(at->code, call->code, sizeof(at->code));
            at->error = call->error;
            error_wrap(&at->error, "asking for the tunnel endpoint");
            call_finish(client, at, now_ms);
        }
    }
    client_call_free(call);
}

void client_step(struct client *client, int64_t now_ms, int64_t wall_ms)
{
    struct http_request *request;
    struct client_call *call, *next;

    http_step(client->http);
    while ((request = http_next(client->http))) {
        call = request->user;
        if (request->answered)
            call_answered(client, call, now_ms, wall_ms);
        else
            call_unanswered(client, call, now_ms);
    }
    credentials_look(client, now_ms, wall_ms);
    for (call = credentials_get(client->credentials) ? client->waiting.first : NULL; call; call = next) {
        next = call->next;
        if (internal(call)->denied || internal(call)->due_ms > now_ms)
            continue;
        if (client->ends[call->end].base)
            call_start(client, call, wall_ms);
        else if (!client->discovery)
            discovery_start(client, now_ms); /* goes to the end of this list */
        if (!next)
            next = call->next;
    }
    http_step(client->http);
}
