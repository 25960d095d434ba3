/* client_sql.c: one SQL instance: submit, poll its task status, fetch the result's text when it failed (protocol section 7.6).
 * One call is under way at a time. The submit is repeated when its answer is lost: the statements of this project are DDL with
 * IF NOT EXISTS, which may run twice. Polls come after 100 ms, then twice as late each time, up to 1 s. */
#include "maxcompute/client.h"
#include "maxcompute/service_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "util/xml.h"

enum { POLL_MS_MIN = 100, POLL_MS_MAX = 1000, INSTANCE_ID_MAX = 200, RESULT_BYTES_MAX = 1 << 20 };

enum sql_step { SQL_SUBMIT, SQL_WAIT, SQL_POLL, SQL_RESULT, SQL_DONE, SQL_FAILED };

struct client_sql {
    struct client *client;
    enum sql_step step;
    struct client_call *call; /* under way, or NULL */
    struct buffer body;
    char *instance;
    char task_status[32];
    int64_t due_ms, poll_ms;
    struct error error;
};

static void uuid_append(struct buffer *text)
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        memset(bytes, 0, sizeof(bytes)); /* it only labels the instance */
    bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
    for (size_t i = 0; i < sizeof(bytes); i++)
        buffer_print(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
}

static void body_make(struct buffer *xml, struct str sql, struct str settings)
{
    sql = str_trim(sql);
    buffer_append_str(xml, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Instance><Job><Priority>9</Priority><Tasks><SQL>"
                               "<Name>AnonymousSQLTask</Name><Config>"));
    if (settings.size) {
        buffer_append_str(xml, STR("<Property><Name>settings</Name><Value>"));
        xml_escape(xml, settings);
        buffer_append_str(xml, STR("</Value></Property>"));
    }
    buffer_append_str(xml, STR("<Property><Name>uuid</Name><Value>"));
    uuid_append(xml);
    buffer_append_str(xml, STR("</Value></Property></Config><Query>"));
    if (sql.size && sql.data[sql.size - 1] == ';') {
        xml_append_cdata(xml, sql);
    } else {
        struct buffer ended;

        buffer_init(&ended, 0);
        buffer_append_str(&ended, sql);
        buffer_append_char(&ended, ';');
        xml_append_cdata(xml, buffer_str(&ended));
        buffer_release(&ended);
    }
    buffer_append_str(xml, STR("</Query></SQL></Tasks><DAG><RunMode>Sequence</RunMode></DAG></Job></Instance>"));
}

/* query: "taskstatus" or "result" of the instance, or NULL for the collection. */
static void call_start(struct client_sql *sql, const char *method, const char *query, int64_t now_ms)
{
    struct buffer resource;

    buffer_init(&resource, 0);
    buffer_append_str(&resource, STR("/projects/"));
    sign_encode(&resource, str_of(client_project(sql->client)));
    buffer_append_str(&resource, STR("/instances"));
    if (query) {
        buffer_append_char(&resource, '/');
        sign_encode(&resource, str_of(sql->instance));
        client_resource_add(&resource, query, NULL);
    }
    client_resource_add(&resource, "curr_project", client_project(sql->client));
    if (client_schema_name(sql->client))
        client_resource_add(&resource, "curr_schema", client_schema_name(sql->client));
    sql->call = client_call_new(CLIENT_CONTROL, method, buffer_take(&resource, NULL));
    sql->call->repeat_safe = true;
    sql->call->user = sql;
    if (!query) {
        sql->call->body = buffer_str(&sql->body);
        sql->call->content_type = "application/xml";
    }
    client_send(sql->client, sql->call, now_ms);
}

struct client_sql *client_sql_start(struct client *client, const char *sql_text, const char *settings_json, int64_t now_ms)
{
    struct client_sql *sql = xcalloc(1, sizeof(*sql));

    sql->client = client;
    sql->poll_ms = POLL_MS_MIN;
    buffer_init(&sql->body, 0);
    body_make(&sql->body, str_of(sql_text), str_of(settings_json));
    call_start(sql, "POST", NULL, now_ms);
    return sql;
}

void client_sql_free(struct client_sql *sql)
{
    if (!sql)
        return;
    client_call_free(sql->call);
    buffer_release(&sql->body);
    free(sql->instance);
    free(sql);
}

static void sql_fail(struct client_sql *sql, enum error_kind kind, const char *text)
{
    sql->step = SQL_FAILED;
    error_set(&sql->error, kind, "%s", text);
}

static void poll_later(struct client_sql *sql, int64_t now_ms)
{
    sql->step = SQL_WAIT;
    sql->due_ms = now_ms + sql->poll_ms;
    sql->poll_ms = int64_min(sql->poll_ms * 2, POLL_MS_MAX);
}

/* The id is the part after the last slash; it goes into later paths, so it must look like an id. */
static bool instance_read(struct client_sql *sql, const char *location)
{
    struct str id = str_of(location), query;
    const char *slash = id.size ? memrchr(id.data, '/', id.size) : NULL;

    if (slash)
        id = str_make(slash + 1, id.size - (size_t)(slash + 1 - id.data));
    str_cut(id, '?', &id, &query);
    if (id.size == 0 || id.size > INSTANCE_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    sql->instance = str_dup(id);
    return true;
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Blanks are passed over; false at anything else that is not base64. */
static bool base64_decode(struct str text, struct buffer *bytes)
{
    uint32_t group = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < text.size; i++) {
        int digit = base64_digit(text.data[i]);

        if (text.data[i] == '=')
            break;
        if (digit < 0 && memchr(" \t\r\n", text.data[i], 4))
            continue;
        if (digit < 0)
            return false;
        group = (group << 6 | (uint32_t)digit) & 0xFFFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buffer_append_char(bytes, (char)(group >> bits & 0xFF));
        }
    }
    return !bytes->failed;
}

/* The text of a result document; false when it has none or is malformed. */
static bool result_read(struct str document, struct buffer *text)
{
    struct str inner, attributes = STR_NONE;
    struct buffer raw;
    bool ok = false;

    buffer_init(&raw, RESULT_BYTES_MAX);
    if (xml_find(document, "Instance/Tasks/Task/Result", &inner, &attributes) != XML_FOUND || !xml_text(inner, &raw))
        goto out;
    if (attributes.size && memmem(attributes.data, attributes.size, "Base64", 6))
        ok = base64_decode(buffer_str(&raw), text);
    else
        buffer_append_str(text, buffer_str(&raw)), ok = !text->failed;
out:
    buffer_release(&raw);
    return ok;
}

/* Codes of the service's own troubles, which may be over in a minute. */
static enum error_kind result_kind(const char *text)
{
    static const char *const passing[] = {"ODPS-0010000", "ODPS-0420153", "ODPS-0110141", "ODPS-0430055"};

    for (size_t i = 0; i < COUNT_OF(passing); i++)
        if (strstr(text, passing[i]))
            return ERROR_RETRY;
    return ERROR_FATAL;
}

static void result_fail(struct client_sql *sql, struct str document)
{
    char message[800], text[1000];
    struct buffer result;

    buffer_init(&result, RESULT_BYTES_MAX);
    if (!result_read(document, &result) || str_trim(buffer_str(&result)).size == 0) {
        buffer_clear(&result);
        buffer_append_str(&result, STR("the service gives no reason"));
    }
    service_text_copy(message, sizeof(message), buffer_str(&result));
    snprintf(text, sizeof(text), "the SQL statement ended as %s (instance %.100s): %s", sql->task_status,
             sql->instance ? sql->instance : "without id", message);
    sql_fail(sql, result_kind(message), text);
    buffer_release(&result);
}

static bool status_read(struct str document, const char *path, char *status, size_t status_size)
{
    struct buffer text;
    struct str inner;
    bool ok = false;

    buffer_init(&text, RESULT_BYTES_MAX);
    if (xml_find(document, path, &inner, NULL) == XML_FOUND && xml_text(inner, &text)) {
        service_text_copy(status, status_size, buffer_str(&text));
        ok = true;
    }
    buffer_release(&text);
    return ok;
}

static bool word_is(const char *word, const char *other)
{
    return str_equal_ignore_case(str_of(word), str_of(other));
}

static void submitted(struct client_sql *sql, const struct client_call *call, int64_t now_ms)
{
    struct buffer text;

    if (call->location) {
        if (instance_read(sql, call->location))
            poll_later(sql, now_ms);
        else
            sql_fail(sql, ERROR_FATAL, "the service took the SQL statement, but its Location header holds no instance id");
        return;
    }
    if (call->status != 200 || call->response.size == 0) {
        sql_fail(sql, ERROR_FATAL, "the service took the SQL statement, but named no instance (no Location header)");
        return;
    }
    /* 200 with a body: the instance ended at once and this is its result. */
    if (!status_read(call->response, "Instance/Tasks/Task/Status", sql->task_status, sizeof(sql->task_status)))
        snprintf(sql->task_status, sizeof(sql->task_status), "Success");
    buffer_init(&text, RESULT_BYTES_MAX);
    if (!word_is(sql->task_status, "Success")) {
        result_fail(sql, call->response);
    } else if (!result_read(call->response, &text)) {
        sql_fail(sql, ERROR_FATAL, "the service's answer to the SQL statement is not a result document");
    } else if (str_starts_with(buffer_str(&text), STR("ODPS-")) || str_starts_with(buffer_str(&text), STR("FAILED:"))) {
        snprintf(sql->task_status, sizeof(sql->task_status), "Failed");
        result_fail(sql, call->response);
    } else {
        sql->step = SQL_DONE;
    }
    buffer_release(&text);
}

static void polled(struct client_sql *sql, const struct client_call *call, int64_t now_ms)
{
    static const char *const known[] = {"Waiting", "Running", "Suspended"};
    char instance_status[32] = "";
    bool has_instance = status_read(call->response, "Instance/Status", instance_status, sizeof(instance_status));
    bool has_task = status_read(call->response, "Instance/Tasks/Task/Status", sql->task_status, sizeof(sql->task_status));

    if (has_task && word_is(sql->task_status, "Success")) {
        sql->step = SQL_DONE;
        return;
    }
    if (has_task && (word_is(sql->task_status, "Failed") || word_is(sql->task_status, "Cancelled"))) {
        sql->step = SQL_RESULT;
        call_start(sql, "GET", "result", now_ms);
        return;
    }
    for (size_t i = 0; has_task && i < COUNT_OF(known); i++) {
        if (word_is(sql->task_status, known[i])) {
            poll_later(sql, now_ms);
            return;
        }
    }
    /* A young instance has no task yet. */
    if (!has_task && has_instance && !word_is(instance_status, "Terminated")) {
        poll_later(sql, now_ms);
        return;
    }
    sql_fail(sql, ERROR_FATAL, "the service's answer about the SQL statement's state cannot be read");
}

bool client_sql_take(struct client_sql *sql, struct client_call *call, int64_t now_ms)
{
    if (!call || sql->call != call)
        return false;
    sql->call = NULL;
    if (sql->step == SQL_RESULT) {
        if (call->ok)
            result_fail(sql, call->response);
        else
            result_fail(sql, STR(""));
    } else if (!call->ok) {
        sql->step = SQL_FAILED;
        sql->error = call->error;
    } else if (sql->step == SQL_SUBMIT) {
        submitted(sql, call, now_ms);
    } else {
        polled(sql, call, now_ms);
    }
    client_call_free(call);
    return true;
}

void client_sql_step(struct client_sql *sql, int64_t now_ms)
{
    if (sql->step != SQL_WAIT || sql->due_ms > now_ms)
        return;
    sql->step = SQL_POLL;
    call_start(sql, "GET", "taskstatus", now_ms);
}

int64_t client_sql_deadline(const struct client_sql *sql)
{
    return sql->step == SQL_WAIT ? sql->due_ms : INT64_MAX;
}

int client_sql_state(const struct client_sql *sql, struct error *error)
{
    if (sql->step == SQL_FAILED && error)
        *error = sql->error;
    return sql->step == SQL_DONE ? 1 : sql->step == SQL_FAILED ? -1 : 0;
}
