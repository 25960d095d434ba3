/* local_requests.c: any requests to the local endpoint, one after the other, without a socket.
 * Input: a word of options, and requests, all with the separator between them. A request is "METHOD URI", header lines, an empty
 * line and the body; it is signed, unless the method begins with "!", and {id} stands for what the last answer made. A body that
 * begins with "#" is a record stream whose checksums are put right; one that begins with "~" is an SQL statement. The harness
 * stands in the place of libmicrohttpd. Answers are claimed to be JSON or XML, with headers of one line. */
#include "records.h"

#include "local/local.h"
#include "maxcompute/service_error.h"
#include "maxcompute/sign.h"
#include "util/clock.h"
#include "util/listener.h"
#include "util/xml.h"

#include <microhttpd.h>
#include <time.h>
#include <yyjson.h>

enum { HEADERS_MAX = 24, REQUESTS_MAX = 24 };

#define COLUMNS "k bigint, v string, d decimal(10,2), t timestamp, a array<int>, m map<string,bigint>, s struct<x:int,y:string>"

/* --- in the place of libmicrohttpd --- */

struct MHD_Connection {
    const char *names[HEADERS_MAX], *values[HEADERS_MAX];
    size_t count;
    struct MHD_Response *response;
    unsigned status;
};

struct MHD_Response {
    char *body;
    size_t size;
    unsigned references;
    bool has_id;
    char type[64];
    char *location;
};

struct MHD_Daemon {
    MHD_AccessHandlerCallback handle;
    void *user;
    void *(*open)(void *user, const char *uri, struct MHD_Connection *connection);
    MHD_RequestCompletedCallback close;
    union MHD_DaemonInfo info;
};

static struct MHD_Daemon daemon_only;

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept, void *accept_user,
                                    MHD_AccessHandlerCallback handle, void *user, ...)
{
    va_list options;
    int option;

    (void)flags;
    (void)port;
    (void)accept;
    (void)accept_user;
    daemon_only = (struct MHD_Daemon){.handle = handle, .user = user, .info.port = 8080};
    va_start(options, user);
    while ((option = va_arg(options, int)) != MHD_OPTION_END) {
        switch (option) {
        case MHD_OPTION_URI_LOG_CALLBACK:
            daemon_only.open = va_arg(options, void *(*)(void *, const char *, struct MHD_Connection *));
            (void)va_arg(options, void *);
            break;
        case MHD_OPTION_NOTIFY_COMPLETED:
            daemon_only.close = va_arg(options, MHD_RequestCompletedCallback);
            (void)va_arg(options, void *);
            break;
        case MHD_OPTION_CONNECTION_MEMORY_LIMIT:
            (void)va_arg(options, size_t);
            break;
        case MHD_OPTION_ARRAY:
            (void)va_arg(options, void *);
            break;
        case MHD_OPTION_CONNECTION_LIMIT:
        case MHD_OPTION_CONNECTION_TIMEOUT:
            (void)va_arg(options, unsigned);
            break;
        default:
            FUZZ_CLAIM(false, "option %d is not known here", option);
        }
    }
    va_end(options);
    return &daemon_only;
}

const union MHD_DaemonInfo *MHD_get_daemon_info(struct MHD_Daemon *daemon, enum MHD_DaemonInfoType type, ...)
{
    (void)type;
    return &daemon->info;
}

void MHD_stop_daemon(struct MHD_Daemon *daemon)
{
    (void)daemon;
}

const char *MHD_lookup_connection_value(struct MHD_Connection *connection, enum MHD_ValueKind kind, const char *name)
{
    (void)kind;
    for (size_t i = 0; i < connection->count; i++)
        if (str_equal_ignore_case(str_of(connection->names[i]), str_of(name)))
            return connection->values[i];
    return NULL;
}

int MHD_get_connection_values(struct MHD_Connection *connection, enum MHD_ValueKind kind, MHD_KeyValueIterator iterator,
                              void *user)
{
    for (size_t i = 0; i < connection->count; i++)
        if (iterator(user, kind, connection->names[i], connection->values[i]) != MHD_YES)
            break;
    return (int)connection->count;
}

struct MHD_Response *MHD_create_response_from_buffer(size_t size, void *body, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = xcalloc(1, sizeof(*response));

    FUZZ_CLAIM(mode == MHD_RESPMEM_MUST_FREE, "a body of another kind");
    response->body = body;
    response->size = size;
    response->references = 1;
    return response;
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *name, const char *value)
{
    FUZZ_CLAIM(!strpbrk(value, "\r\n") && !strpbrk(name, "\r\n: "), "header %s: %s", name, value);
    response->has_id |= strcmp(name, "x-odps-request-id") == 0;
    if (strcmp(name, "Content-Type") == 0)
        snprintf(response->type, sizeof(response->type), "%s", value);
    if (strcmp(name, "Location") == 0 && !response->location)
        response->location = xstrdup(value);
    return MHD_YES;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    FUZZ_CLAIM(!connection->response, "a second answer");
    connection->response = response;
    connection->status = status;
    response->references++;
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *response)
{
    if (--response->references)
        return;
    free(response->body);
    free(response->location);
    free(response);
}

/* --- in the place of util/listener.c: nobody connects --- */

bool listener_open(struct listener **listener_out, const struct sockaddr_in *address, struct error *error)
{
    (void)address;
    (void)error;
    *listener_out = NULL;
    return true;
}

unsigned listener_port(const struct listener *listener)
{
    (void)listener;
    return 8080;
}

void listener_start(struct listener *listener, const struct listener_options *options)
{
    (void)listener;
    (void)options;
}

void listener_stop(struct listener *listener)
{
    (void)listener;
}

/* --- requests --- */

struct run {
    struct mc_schema schema;
    char id[128]; /* of what the last answer made */
};

static void take_id(struct run *run, const struct MHD_Response *response)
{
    static const char *const names[] = {"\"UploadID\":\"", "\"DownloadID\":\""};
    const char *slash = response->location ? strrchr(response->location, '/') : NULL;

    if (slash)
        snprintf(run->id, sizeof(run->id), "%s", slash + 1);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *at = response->size ? memmem(response->body, response->size, names[i], strlen(names[i])) : NULL;
        const char *end =
            at ? memchr(at + strlen(names[i]), '"', response->size - (size_t)(at + strlen(names[i]) - response->body)) : NULL;

        if (end)
            snprintf(run->id, sizeof(run->id), "%.*s", (int)(end - at) - (int)strlen(names[i]), at + strlen(names[i]));
    }
}

static void check_answer(const struct MHD_Connection *connection)
{
    const struct MHD_Response *response = connection->response;
    struct str body = str_make(response->body, response->size), inner, attributes;

    FUZZ_CLAIM(connection->status >= 200 && connection->status < 600 && response->has_id, "status %u", connection->status);
    if (strcmp(response->type, "application/json") == 0) {
        yyjson_doc *document = yyjson_read(body.data, body.size, 0);

        FUZZ_CLAIM(document, "no JSON: %.*s", STR_ARG(body));
        yyjson_doc_free(document);
    } else if (strcmp(response->type, "application/xml") == 0) {
        FUZZ_CLAIM(xml_find(body, "Nothing", &inner, &attributes) != XML_BROKEN, "no XML: %.*s", STR_ARG(body));
    }
    if (connection->status >= 400) {
        struct service_error error;

        service_error_parse(&error, body);
        FUZZ_CLAIM(error.code[0] && error.message[0], "a refusal without code or message: %.*s", STR_ARG(body));
    }
}

/* Date and Authorization, as a client makes them. */
static void sign(struct MHD_Connection *connection, const char *method, const char *uri, bool v4, struct buffer *date,
                 struct buffer *authorization)
{
    struct sign_header headers[HEADERS_MAX];
    struct buffer canonical;
    int64_t now_ms = clock_wall_ms();

    sign_date(date, now_ms);
    connection->names[connection->count] = "Date";
    connection->values[connection->count++] = buffer_text(date);
    for (size_t i = 0; i < connection->count; i++)
        headers[i] = (struct sign_header){str_of(connection->names[i]), str_of(connection->values[i])};
    buffer_init(&canonical, 0);
    sign_canonical(&canonical, str_of(method), str_of(uri), strncmp(uri, "/api/", 5) == 0 ? STR("/api") : STR(""), headers,
                   connection->count);
    if (v4) {
        char day[16];
        time_t seconds = (time_t)(now_ms / 1000);
        struct tm tm;

        gmtime_r(&seconds, &tm);
        strftime(day, sizeof(day), "%Y%m%d", &tm);
        sign_v4(authorization, STR("id"), STR("secret-key"), STR("cn-test"), str_of(day), buffer_str(&canonical));
    } else {
        sign_v1(authorization, STR("id"), STR("secret-key"), buffer_str(&canonical));
    }
    connection->names[connection->count] = "Authorization";
    connection->values[connection->count++] = buffer_text(authorization);
    buffer_release(&canonical);
}

/* The request through the callbacks, in the order of libmicrohttpd. */
static void ask(struct run *run, struct MHD_Connection *connection, const char *method, const char *uri, struct str body)
{
    void *state = daemon_only.open(daemon_only.user, uri, connection);
    struct str copy = fuzz_copy(body);
    size_t size = 0, half = body.size / 2, pieces[] = {half, body.size - half};
    const char *data = copy.data;
    enum MHD_Result result = daemon_only.handle(daemon_only.user, connection, uri, method, "HTTP/1.1", NULL, &size, &state);

    FUZZ_CLAIM(result == MHD_YES && !connection->response, "the request is refused before its body came");
    for (size_t i = 0; i < COUNT_OF(pieces); data += pieces[i++]) {
        size = pieces[i];
        if (!size)
            continue;
        result = daemon_only.handle(daemon_only.user, connection, uri, method, "HTTP/1.1", data, &size, &state);
        FUZZ_CLAIM(result == MHD_YES && size == 0, "the body is not taken");
    }
    size = 0;
    result = daemon_only.handle(daemon_only.user, connection, uri, method, "HTTP/1.1", NULL, &size, &state);
    FUZZ_CLAIM(result == MHD_YES && connection->response, "no answer");
    check_answer(connection);
    take_id(run, connection->response);
    MHD_destroy_response(connection->response);
    daemon_only.close(daemon_only.user, connection, &state, MHD_REQUEST_TERMINATED_COMPLETED_OK);
    free((char *)copy.data);
}

static void put_id(struct buffer *text, struct str from, const char *id)
{
    const char *at;

    while (from.size && (at = memmem(from.data, from.size, "{id}", 4))) {
        buffer_append(text, from.data, (size_t)(at - from.data));
        buffer_append_str(text, str_of(id));
        from.size -= (size_t)(at + 4 - from.data);
        from.data = at + 4;
    }
    buffer_append_str(text, from);
}

/* The lines of the head as C strings in one buffer. */
static bool read_head(char *head, struct MHD_Connection *connection, char **method, char **uri)
{
    char *line = strsep(&head, "\n");

    *method = strsep(&line, " ");
    *uri = strsep(&line, " ");
    while (head && *head && connection->count < HEADERS_MAX - 2) {
        char *value = strsep(&head, "\n"), *name = strsep(&value, ":");

        if (!value || strpbrk(value, "\r"))
            return false;
        connection->names[connection->count] = name;
        connection->values[connection->count++] = value + strspn(value, " ");
    }
    return *method && *uri && (*uri)[0] == '/';
}

static void request(struct run *run, struct str part)
{
    struct MHD_Connection connection = {.count = 0};
    const char *end = part.size ? memmem(part.data, part.size, "\n\n", 2) : NULL;
    struct str head = end ? str_make(part.data, (size_t)(end - part.data)) : part;
    struct str body = end ? str_make(end + 2, part.size - head.size - 2) : STR("");
    struct buffer text, content, date, authorization;
    char *method, *uri;
    bool raw, v4;

    buffer_init(&text, 0);
    buffer_init(&content, 0);
    buffer_init(&date, 0);
    buffer_init(&authorization, 0);
    put_id(&text, head, run->id);
    if (read_head((char *)(uintptr_t)buffer_text(&text), &connection, &method, &uri)) {
        raw = method[0] == '!';
        v4 = method[0] == '4';
        method += raw || v4;
        if (!raw)
            sign(&connection, method, uri, v4, &date, &authorization);
        if (body.size && body.data[0] == '~') {
            buffer_print(&content, "<Instance><Job><Tasks><SQL><Name>T</Name><Query><![CDATA[");
            buffer_append(&content, body.data + 1, body.size - 1);
            buffer_print(&content, "]]></Query></SQL></Tasks></Job></Instance>");
        } else if (body.size && body.data[0] == '#') {
            buffer_append(&content, body.data + 1, body.size - 1);
            fuzz_repair_all(&run->schema, &content);
        } else {
            put_id(&content, body, run->id);
        }
        ask(run, &connection, method, uri, buffer_str(&content));
    }
    buffer_release(&text);
    buffer_release(&content);
    buffer_release(&date);
    buffer_release(&authorization);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), options, part;
    struct local_options local_options = {.project = "p", .access_id = "id", .access_key = "secret-key", .region = "cn-test"};
    struct run run = {.id = "none"};
    struct local *local;
    struct error error;
    bool ok;

    if (!fuzz_part(&rest, &options))
        return 0;
    local_options.discard = options.size && memchr(options.data, 'd', options.size);
    local_options.second_commit = options.size && memchr(options.data, 'c', options.size) ? "conflict" : "ok";
    local_options.quotas = options.size && memchr(options.data, 'q', options.size) ? "service" : NULL;
    ok = local_start(&local, &local_options, &error) &&
         mc_schema_parse(&run.schema,
                         STR("{\"columns\":[{\"name\":\"k\",\"type\":\"bigint\"},{\"name\":\"v\",\"type\":\"string\"},"
                             "{\"name\":\"d\",\"type\":\"decimal(10,2)\"},{\"name\":\"t\",\"type\":\"timestamp\"},"
                             "{\"name\":\"a\",\"type\":\"array<int>\"},{\"name\":\"m\",\"type\":\"map<string,bigint>\"},"
                             "{\"name\":\"s\",\"type\":\"struct<x:int,y:string>\"}]}"),
                         &error);
    assert(ok);
    request(&run, STR("POST /api/projects/p/instances\n\n~create table t (" COLUMNS "); create table q (" COLUMNS
                      ") partitioned by (dt string); alter table q add partition (dt='1');"));
    for (int i = 0; i < REQUESTS_MAX && fuzz_part(&rest, &part); i++)
        request(&run, part);
    local_stop(local);
    mc_schema_release(&run.schema);
    return 0;
}
