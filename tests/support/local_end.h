/* local_end.h: a local endpoint in the test's process and requests to it made by hand, signed. For cmocka tests: what goes wrong
 * fails the test. */
#ifndef LUADUCT_TESTS_SUPPORT_LOCAL_END_H
#define LUADUCT_TESTS_SUPPORT_LOCAL_END_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "local/local.h"
#include "local/store.h"
#include "maxcompute/record.h"
#include "maxcompute/sign.h"
#include "util/clock.h"

struct end {
    struct local *local;
    char *answer; /* of the last request; "" when the connection was closed without one */
    const char *id, *key, *region;
    int64_t skew_ms;
};

/* The options but for those that all tests have in common, and the text of a faults script or NULL. */
static inline void end_start(struct end *end, struct local_options options, const char *script)
{
    char path[] = "/tmp/luaduct_faults_XXXXXX";
    struct error error;

    options.address = "127.0.0.1";
    options.project = "p";
    options.access_id = "id";
    options.access_key = "secret-key";
    options.region = "cn-test";
    if (script) {
        int file = mkstemp(path);

        assert_int_equal(write(file, script, strlen(script)), (ssize_t)strlen(script));
        close(file);
        options.faults_path = path;
    }
    *end = (struct end){.id = "id", .key = "secret-key"};
    if (!local_start(&end->local, &options, &error))
        fail_msg("%s", error.text);
    if (script)
        unlink(path);
}

static inline void end_stop(struct end *end)
{
    local_stop(end->local);
    free(end->answer);
}

static inline int end_connect(const struct end *end)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)local_port(end->local)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    return descriptor;
}

static inline void exchange_bytes(struct end *end, struct str request)
{
    int descriptor = end_connect(end);
    struct buffer answer;
    char piece[4096];
    ssize_t size;

    buffer_init(&answer, 0);
    assert_int_equal(write(descriptor, request.data, request.size), (ssize_t)request.size);
    while ((size = read(descriptor, piece, sizeof(piece))) > 0)
        buffer_append(&answer, piece, (size_t)size);
    close(descriptor);
    free(end->answer);
    end->answer = buffer_take(&answer, NULL);
}

/* The signed head of a request. */
static inline void make_head(const struct end *end, const char *method, const char *uri, size_t body_size, struct buffer *request)
{
    struct buffer date, canonical, authorization;
    struct sign_header headers[2];
    int64_t now = clock_wall_ms() + end->skew_ms;

    buffer_init(&date, 0);
    buffer_init(&canonical, 0);
    buffer_init(&authorization, 0);
    buffer_init(request, 0);
    sign_date(&date, now);
    headers[0] = (struct sign_header){STR("Date"), buffer_str(&date)};
    headers[1] = (struct sign_header){STR("x-odps-tunnel-version"), STR("6")};
    sign_canonical(&canonical, str_of(method), str_of(uri), strncmp(uri, "/api/", 5) == 0 ? STR("/api") : STR(""), headers, 2);
    if (end->region) {
        char day[16];
        time_t seconds = (time_t)(now / 1000);
        struct tm tm;

        gmtime_r(&seconds, &tm);
        strftime(day, sizeof(day), "%Y%m%d", &tm);
        sign_v4(&authorization, str_of(end->id), str_of(end->key), str_of(end->region), str_of(day), buffer_str(&canonical));
    } else {
        sign_v1(&authorization, str_of(end->id), str_of(end->key), buffer_str(&canonical));
    }
    buffer_print(request,
                 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nDate: %s\r\nx-odps-tunnel-version: 6\r\nAuthorization: %s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 method, uri, buffer_text(&date), buffer_text(&authorization), body_size);
    buffer_release(&date);
    buffer_release(&canonical);
    buffer_release(&authorization);
}

/* A signed request; the status of the answer, 0 without one. */
static inline int ask(struct end *end, const char *method, const char *uri, struct str body)
{
    struct buffer request;

    make_head(end, method, uri, body.size, &request);
    buffer_append_str(&request, body);
    exchange_bytes(end, buffer_str(&request));
    buffer_release(&request);
    return strncmp(end->answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(end->answer + 9, NULL, 10) : 0;
}

static inline void want(struct end *end, const char *method, const char *uri, struct str body, int status, const char *part)
{
    int answered = ask(end, method, uri, body);

    if (answered != status || (part && !strstr(end->answer, part)))
        fail_msg("%s %s: %d \"%s\" expected, got: %s", method, uri, status, part ? part : "", end->answer);
    if (status)
        assert_non_null(strstr(end->answer, "x-odps-request-id: "));
}

static inline void run_sql(struct end *end, const char *sql, bool success)
{
    char *body =
        xasprintf("<Instance><Job><Tasks><SQL><Name>T</Name><Query><![CDATA[%s]]></Query></SQL></Tasks></Job></Instance>", sql);
    char uri[256];
    const char *location;

    want(end, "POST", "/api/projects/p/instances", str_of(body), 201, "Location: ");
    location = strstr(end->answer, "/instances/") + 11;
    snprintf(uri, sizeof(uri), "/api/projects/p/instances/%.*s?taskstatus", (int)strcspn(location, "\r"), location);
    want(end, "GET", uri, STR(""), 200, success ? "<Status>Success" : "<Status>Failed");
    free(body);
}

/* Makes an upload session; its uri with "uploadid". */
static inline char *upload_uri(struct end *end, const char *table)
{
    char *uri = xasprintf("/projects/p/tables/%s?uploads", table);
    const char *id;

    want(end, "POST", uri, STR(""), 201, "\"Status\":\"normal\"");
    free(uri);
    id = strstr(end->answer, "\"UploadID\":\"") + 12;
    return xasprintf("/projects/p/tables/%s?uploadid=%.*s", table, (int)strcspn(id, "\""), id);
}

static inline char *block_uri(const char *upload, int block)
{
    return xasprintf("%s&blockid=%d", upload, block);
}

/* Rows of a bigint and a string, all the same. */
static inline void make_rows(struct buffer *block, int64_t number, struct str text, size_t count)
{
    const uint32_t row = 0;
    const struct wire_column columns[] = {{WIRE_INTEGER, 1, NULL, &number}, {WIRE_BYTES, 2, NULL, &text}};
    struct buffer crcs;

    buffer_init(block, 0);
    buffer_init(&crcs, 0);
    for (size_t i = 0; i < count; i++)
        record_encode(columns, 2, &row, 1, block, &crcs);
    record_trailer(block, count, buffer_str(&crcs));
    buffer_release(&crcs);
}

static inline void make_block(struct buffer *block, int64_t number, struct str text)
{
    make_rows(block, number, text, 1);
}

/* Asks with GET until the answer has the part; fails after twenty seconds. */
static inline void wait_for(struct end *end, const char *uri, const char *part)
{
    const int64_t deadline_ms = clock_monotonic_ms() + 20000;

    while (ask(end, "GET", uri, STR("")) == 0 || !strstr(end->answer, part)) {
        if (clock_monotonic_ms() > deadline_ms)
            fail_msg("%s: \"%s\" did not come: %s", uri, part, end->answer);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

#endif
