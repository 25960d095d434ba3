/* service_answers.c: any answers of the service, seen by the client and the upload sink.
 * Input: a word of options, and answers, all with the separator between them. An answer is "STATUS[ LOCATION]", a line feed and
 * the body; status 0 stands for none at all. A letter before the status says which requests it is for (request_letter). The
 * harness stands in the place of maxcompute/http.c: each request gets the first answer for it that was not given yet, or else the
 * last one that was. Time is the harness's own and jumps to the next deadline. A session may only be called committed when the
 * service said "closed". Each answer also goes to every reader of answers by itself. */
#include "fuzz.h"

#include "maxcompute/client.h"
#include "maxcompute/service_error.h"
#include "sink/upload.h"
#include "util/xml.h"

#include <ctype.h>

enum { ANSWERS_MAX = 64, STEPS_MAX = 200, TURNS_MAX = 64 };

#define SECRET "very-secret"

struct scripted_answer {
    char letter; /* 0: for any request */
    bool given;
    int status;
    char *location;
    struct str body;
};

static struct {
    struct scripted_answer answers[ANSWERS_MAX];
    size_t count;
    bool closed;     /* some answer that was given has the word */
    bool has_secret; /* the answers themselves */
} script;

/* --- in the place of maxcompute/http.c --- */

struct http {
    struct http_request *first, *last; /* sent, and answered with the next step */
};

struct in_flight {
    struct http *http;
    struct http_request *next;
};

struct http *http_new(const struct http_options *options)
{
    (void)options;
    return xcalloc(1, sizeof(struct http));
}

static void http_forget(struct http *http, const struct http_request *request)
{
    struct http_request *previous = NULL;

    for (struct http_request *at = http->first; at; previous = at, at = ((struct in_flight *)at->internal)->next) {
        if (at != request)
            continue;
        if (previous)
            ((struct in_flight *)previous->internal)->next = ((struct in_flight *)at->internal)->next;
        else
            http->first = ((struct in_flight *)at->internal)->next;
        if (http->last == at)
            http->last = previous;
        return;
    }
}

void http_free(struct http *http)
{
    free(http);
}

struct http_request *http_request_new(const char *method, char *url_owned)
{
    struct http_request *request = xcalloc(1, sizeof(*request));

    request->method = xstrdup(method);
    request->url = url_owned;
    request->retry_after_ms = -1;
    buffer_init(&request->response, 0);
    request->internal = xcalloc(1, sizeof(struct in_flight));
    return request;
}

void http_request_free(struct http_request *request)
{
    struct in_flight *flight;

    if (!request)
        return;
    flight = request->internal;
    if (flight->http)
        http_forget(flight->http, request);
    free(flight);
    free(request->method);
    free(request->url);
    buffer_release(&request->response);
    free(request->request_id);
    free(request->location);
    free(request);
}

/* Nothing that came from the service may break a header or the request line. */
void http_request_header(struct http_request *request, const char *name, struct str value)
{
    (void)request;
    FUZZ_CLAIM(!value.size || (!memchr(value.data, '\n', value.size) && !memchr(value.data, '\r', value.size)), "header %s",
               name);
}

void http_send(struct http *http, struct http_request *request)
{
    struct in_flight *flight = request->internal;

    for (const char *c = request->url; *c; c++)
        FUZZ_CLAIM((unsigned char)*c > ' ' && (unsigned char)*c < 0x7F, "url %s", request->url);
    flight->http = http;
    flight->next = NULL;
    if (http->last)
        ((struct in_flight *)http->last->internal)->next = request;
    else
        http->first = request;
    http->last = request;
}

void http_step(struct http *http)
{
    (void)http;
}

static bool says_closed(struct str body)
{
    for (size_t i = 0; i + 6 <= body.size; i++)
        if (str_equal_ignore_case(str_make(body.data + i, 6), STR("closed")) || body.data[i] == '\\')
            return true;
    return false;
}

/* A table, an instance, the tunnel's host; the creation of a session, a block, the question for a session, a commit. */
static char request_letter(const struct http_request *request)
{
    bool post = strcmp(request->method, "POST") == 0;

    if (strstr(request->url, "/instances"))
        return 'I';
    if (strstr(request->url, "?service"))
        return 'D';
    if (strstr(request->url, "?uploads"))
        return 'U';
    if (strcmp(request->method, "PUT") == 0)
        return 'P';
    return strstr(request->url, "uploadid=") ? post ? 'C' : 'G' : 'T';
}

static const struct scripted_answer *answer_next(const struct http_request *request)
{
    static const struct scripted_answer none = {.body = {"", 0}};
    const struct scripted_answer *last = &none;
    char letter = request_letter(request);

    for (size_t i = 0; i < script.count; i++) {
        struct scripted_answer *answer = &script.answers[i];

        if (answer->letter && answer->letter != letter)
            continue;
        last = answer;
        if (!answer->given) {
            answer->given = true;
            break;
        }
    }
    return last;
}

struct http_request *http_next(struct http *http)
{
    struct http_request *request = http->first;
    const struct scripted_answer *answer;

    if (!request)
        return NULL;
    answer = answer_next(request);
    http_forget(http, request);
    ((struct in_flight *)request->internal)->http = NULL;
    request->answered = answer->status >= 100;
    if (!request->answered) {
        error_set(&request->error, ERROR_RETRY, "no answer");
        return request;
    }
    request->status = answer->status;
    buffer_append_str(&request->response, answer->body);
    if (answer->location)
        request->location = xstrdup(answer->location);
    script.closed |= says_closed(answer->body);
    return request;
}

void http_wait(struct http *http, struct curl_waitfd *descriptors, unsigned count, int timeout_ms)
{
    (void)http;
    (void)descriptors;
    (void)count;
    (void)timeout_ms;
}

void http_wake(struct http *http)
{
    (void)http;
}

/* --- the readers, one by one --- */

static void check_schema(struct mc_schema *schema)
{
    struct error error;

    for (size_t i = 0; i < schema->column_count; i++) {
        const struct mc_column *column = &schema->columns[i];
        struct mc_type again;
        struct buffer text;

        buffer_init(&text, 0);
        mc_type_print(&column->type, &text);
        FUZZ_CLAIM(mc_type_parse(&again, buffer_str(&text), &error) && mc_type_equal(&again, &column->type), "%s",
                   buffer_text(&text));
        FUZZ_CLAIM(column->name && column->name[0] && str_is_utf8(str_of(column->name)), "column %zu has no name", i);
        FUZZ_CLAIM(mc_schema_column(schema, str_of(column->name)) >= 0, "column %s is not found", column->name);
        mc_type_release(&again);
        buffer_release(&text);
    }
    FUZZ_CLAIM(mc_schema_compatible(schema, schema, &error), "%s", error.text);
    mc_schema_release(schema);
}

static void read_alone(struct str body)
{
    struct str copy = fuzz_copy(body), inner, attributes;
    struct service_error service;
    struct mc_schema schema;
    struct error error;
    struct buffer text;
    char id[80];

    if (mc_schema_parse(&schema, copy, &error))
        check_schema(&schema);
    else
        fuzz_claim_line("the error", error.text);
    if (mc_table_parse(&schema, copy, &error))
        check_schema(&schema);
    else
        fuzz_claim_line("the error", error.text);
    mc_table_id(copy, id, sizeof(id));
    fuzz_claim_line("the table's id", id);
    service_error_parse(&service, copy);
    fuzz_claim_line("the code", service.code);
    fuzz_claim_line("the message", service.message);
    fuzz_claim_line("the request's id", service.request_id);
    buffer_init(&text, 0);
    if (xml_find(copy, "Instance/Tasks/Task/Result", &inner, &attributes) == XML_FOUND) {
        FUZZ_CLAIM(inner.data >= copy.data && inner.data + inner.size <= copy.data + copy.size, "the part is not inside");
        (void)!xml_text(inner, &text);
    }
    buffer_release(&text);
    free((char *)copy.data);
}

/* --- the sink --- */

struct run {
    struct http *http;
    struct client *client;
    struct sink *sink;
    int64_t now_ms;
    bool adopt, ask, many, failed, asked_commit;
    unsigned sessions; /* that are not gone */
};

static struct block *block_new(void)
{
    struct block *block = xcalloc(1, sizeof(*block));

    block->data = xstrdup("block");
    block->size = 5;
    block->rows = 1;
    block->raw_size = 5;
    return block;
}

static void run_begin(struct run *run)
{
    struct sink *sink = run->sink;
    struct sink_session *session;

    for (unsigned i = 0; i < (run->many ? 3 : 1); i++) {
        struct str spec = i == 2 ? STR("dt=b") : STR("dt=a");

        run->sessions++;
        if (run->adopt) {
            (void)(run->ask ? sink->ops->session_ask : sink->ops->session_adopt)(sink, spec, STR("u 1"), 1, 1, run, run->now_ms);
            continue;
        }
        session = sink->ops->session_open(sink, spec, run, run->now_ms);
        sink->ops->block_put(sink, session, block_new(), run->now_ms);
        if (run->many)
            sink->ops->block_put(sink, session, block_new(), run->now_ms);
        sink->ops->session_seal(sink, session, run->now_ms);
    }
}

static void run_event(struct run *run, struct sink_event *event)
{
    switch (event->kind) {
    case SINK_READY:
        FUZZ_CLAIM(run->sink->schema.column_count > 0, "a table without columns");
        fuzz_claim_line("the table's id", run->sink->table_id);
        run_begin(run);
        break;
    case SINK_BLOCK_ACKED:
        break;
    case SINK_SESSION_SEALED:
        run->sink->ops->session_commit(run->sink, event->session, run->now_ms);
        break;
    case SINK_SESSION_COMMITTED:
        FUZZ_CLAIM(script.closed, "committed, and the service did not say so");
        break;
    case SINK_SESSION_UNKNOWN:
        FUZZ_CLAIM(event->error.kind != ERROR_NONE, "no reason");
        fuzz_claim_line("the error", event->error.text);
        break;
    case SINK_SESSION_OPEN:
        FUZZ_CLAIM(run->ask, "a session that was to be committed is only open");
        break;
    case SINK_FAILED:
        FUZZ_CLAIM(event->error.kind != ERROR_NONE, "no reason");
        fuzz_claim_line("the error", event->error.text);
        FUZZ_CLAIM(!strstr(event->error.text, SECRET) || script.has_secret, "the secret is in the error: %s", event->error.text);
        run->failed = true;
        break;
    }
    if (sink_event_ends(event))
        run->sessions--;
}

/* A turn of the hub's loop; false when there is nothing to wait for. */
static bool run_step(struct run *run)
{
    struct sink_event event;
    int64_t deadline;

    client_step(run->client, run->now_ms, 1700000000000 + run->now_ms);
    run->sink->ops->step(run->sink, run->now_ms, 1700000000000 + run->now_ms);
    while (!run->failed && run->sink->ops->next(run->sink, &event))
        run_event(run, &event);
    if (run->failed)
        return false;
    deadline = int64_min(run->sink->ops->deadline(run->sink), client_deadline(run->client));
    if (run->http->first)
        return true;
    if (deadline == INT64_MAX)
        return false;
    run->now_ms = int64_max(run->now_ms, deadline);
    return true;
}

static void run_all(struct str options)
{
    bool v4 = options.size && memchr(options.data, '4', options.size);
    struct client_options client_options = {
        .endpoint = "http://h/api",
        .project = "p",
        .access_id = "id",
        .access_key = SECRET,
        .jitter_seed = 7,
        .region = v4 ? "cn-test" : NULL,
        .schema_name = v4 ? "s" : NULL,
        .quota = v4 ? "q" : NULL,
    };
    struct upload_options upload_options = {.table = "t", .uploads_max = 2, .content_encoding = "deflate"};
    struct mc_schema schema;
    struct error error;
    struct run run = {.http = http_new(NULL)};
    int64_t told_ms = -1;
    unsigned steps = 0, turns = 0;
    bool ok = mc_schema_parse(&schema,
                              STR("{\"columns\":[{\"name\":\"k\",\"type\":\"bigint\"}],\"partitionKeys\":[{\"name\":\"dt\","
                                  "\"type\":\"string\"}]}"),
                              &error);

    assert(ok);
    if (!options.size || !memchr(options.data, 'd', options.size))
        client_options.tunnel_endpoint = "http://h";
    upload_options.create_if_missing = options.size && memchr(options.data, 'c', options.size);
    upload_options.create_schema = &schema;
    run.adopt = options.size && (memchr(options.data, 'a', options.size) || memchr(options.data, 'q', options.size));
    run.ask = options.size && memchr(options.data, 'q', options.size);
    run.many = options.size && memchr(options.data, 'm', options.size);
    if (run.many) {
        upload_options.quota_share = 1;
        upload_options.demand = (struct quota_demand){60000, 32, 1 << 24};
    }
    run.client = client_new(run.http, &client_options);
    upload_options.client = run.client;
    run.sink = upload_new(&upload_options);
    run.sink->ops->start(run.sink, 0);
    while (steps++ < STEPS_MAX && run_step(&run)) {
        /* The same millisecond over and over is a loop that burns a processor. */
        turns = run.now_ms == told_ms ? turns + 1 : 0;
        told_ms = run.now_ms;
        FUZZ_CLAIM(turns < TURNS_MAX, "time stands still at %lld ms", (long long)told_ms);
    }
    FUZZ_CLAIM(steps > STEPS_MAX || run.failed || run.sessions == 0, "%u sessions wait for nothing", run.sessions);
    run.sink->ops->free(run.sink);
    client_free(run.client);
    http_free(run.http);
    mc_schema_release(&schema);
}

static void read_answer(struct str part, struct scripted_answer *answer)
{
    struct str head, status, location;

    str_cut(part, '\n', &head, &answer->body);
    if (!answer->body.data)
        answer->body = STR("");
    answer->letter = head.size && isupper((unsigned char)head.data[0]) ? head.data[0] : '\0';
    if (answer->letter)
        head = str_make(head.data + 1, head.size - 1);
    str_cut(head, ' ', &status, &location);
    answer->status = 0;
    for (size_t i = 0; i < status.size && i < 3 && isdigit((unsigned char)status.data[i]); i++)
        answer->status = answer->status * 10 + (status.data[i] - '0');
    answer->location = location.data ? xstrndup(location.data, location.size) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), options, part;

    memset(&script, 0, sizeof(script));
    if (!fuzz_part(&rest, &options))
        return 0;
    script.has_secret = memmem(data, size, SECRET, strlen(SECRET));
    while (script.count < ANSWERS_MAX && fuzz_part(&rest, &part))
        read_answer(part, &script.answers[script.count++]);
    for (size_t i = 0; i < script.count; i++)
        read_alone(script.answers[i].body);
    run_all(options);
    for (size_t i = 0; i < script.count; i++)
        free(script.answers[i].location);
    return 0;
}
