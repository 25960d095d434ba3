/* The local endpoint over its socket, with requests made by hand: signatures, session states, blocks, faults, the printed page.
 */
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

static void end_start(struct end *end, const char *faults_path, bool discard)
{
    struct error error;
    struct local_options options = {.address = "127.0.0.1", .project = "p", .access_id = "id", .access_key = "secret-key",
                                    .region = "cn-test", .discard = discard, .faults_path = faults_path};

    *end = (struct end){.id = "id", .key = "secret-key"};
    if (!local_start(&end->local, &options, &error))
        fail_msg("%s", error.text);
}

static void end_stop(struct end *end)
{
    local_stop(end->local);
    free(end->answer);
}

static void exchange_bytes(struct end *end, struct str request)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)local_port(end->local)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    struct buffer answer;
    char piece[4096];
    ssize_t size;

    buffer_init(&answer, 0);
    assert_int_equal(connect(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(descriptor, request.data, request.size), (ssize_t)request.size);
    while ((size = read(descriptor, piece, sizeof(piece))) > 0)
        buffer_append(&answer, piece, (size_t)size);
    close(descriptor);
    free(end->answer);
    end->answer = buffer_take(&answer, NULL);
}

/* A signed request; the status of the answer, 0 without one. */
static int ask(struct end *end, const char *method, const char *uri, struct str body)
{
    struct buffer date, canonical, authorization, request;
    struct sign_header headers[2];
    int64_t now = clock_wall_ms() + end->skew_ms;

    buffer_init(&date, 0);
    buffer_init(&canonical, 0);
    buffer_init(&authorization, 0);
    buffer_init(&request, 0);
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
    buffer_print(&request,
                 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nDate: %s\r\nx-odps-tunnel-version: 6\r\nAuthorization: %s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 method, uri, buffer_text(&date), buffer_text(&authorization), body.size);
    buffer_append_str(&request, body);
    exchange_bytes(end, buffer_str(&request));
    buffer_release(&date);
    buffer_release(&canonical);
    buffer_release(&authorization);
    buffer_release(&request);
    return strncmp(end->answer, "HTTP/1.1 ", 9) == 0 ? atoi(end->answer + 9) : 0;
}

static void want(struct end *end, const char *method, const char *uri, struct str body, int status, const char *part)
{
    int answered = ask(end, method, uri, body);

    if (answered != status || (part && !strstr(end->answer, part)))
        fail_msg("%s %s: %d \"%s\" expected, got: %s", method, uri, status, part ? part : "", end->answer);
    if (status)
        assert_non_null(strstr(end->answer, "x-odps-request-id: "));
}

static void run_sql(struct end *end, const char *sql, bool success)
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
static char *upload_uri(struct end *end, const char *table)
{
    char *uri = xasprintf("/projects/p/tables/%s?uploads", table);
    const char *id;

    want(end, "POST", uri, STR(""), 201, "\"Status\":\"normal\"");
    free(uri);
    id = strstr(end->answer, "\"UploadID\":\"") + 12;
    return xasprintf("/projects/p/tables/%s?uploadid=%.*s", table, (int)strcspn(id, "\""), id);
}

static char *block_uri(const char *upload, int block)
{
    return xasprintf("%s&blockid=%d", upload, block);
}

/* One row of a bigint and a string. */
static void make_block(struct buffer *block, int64_t number, struct str text)
{
    const uint32_t row = 0;
    const struct wire_column columns[] = {{WIRE_INTEGER, 1, NULL, &number}, {WIRE_BYTES, 2, NULL, &text}};
    struct buffer crcs;

    buffer_init(block, 0);
    buffer_init(&crcs, 0);
    record_encode(columns, 2, &row, 1, block, &crcs);
    record_trailer(block, 1, buffer_str(&crcs));
    buffer_release(&crcs);
}

static void signatures_are_checked(void **state)
{
    struct end end;

    (void)state;
    end_start(&end, NULL, false);
    want(&end, "GET", "/api/projects/p", STR(""), 200, "x-odps-owner: local");
    want(&end, "GET", "/api/projects/p/tables?name=a%2Bb+c&x-odps-y=1", STR(""), 200, "<Tables>");
    end.region = "cn-test";
    want(&end, "GET", "/api/projects/p/tunnel?service", STR(""), 200, "127.0.0.1:");
    end.region = "cn-other";
    want(&end, "GET", "/api/projects/p", STR(""), 401, "<Code>SignatureNotMatch");
    end.region = NULL;
    end.key = "other-key";
    want(&end, "GET", "/api/projects/p", STR(""), 401, "<Code>SignatureNotMatch");
    want(&end, "POST", "/projects/p/tables/t?uploads", STR(""), 401, "{\"Code\":\"SignatureNotMatch\"");
    assert_null(strstr(end.answer, "secret-key"));
    end.key = "secret-key";
    end.id = "other";
    want(&end, "GET", "/api/projects/p", STR(""), 401, "<Code>InvalidAccessKeyId");
    end.id = "id";
    end.skew_ms = 16 * 60 * 1000;
    want(&end, "GET", "/api/projects/p", STR(""), 403, "<Code>RequestTimeTooSkewed");
    end.skew_ms = -14 * 60 * 1000;
    want(&end, "GET", "/api/projects/p", STR(""), 200, NULL);
    end.skew_ms = 0;
    want(&end, "GET", "/api/projects/missing", STR(""), 404, "<Code>NoSuchProject");
    want(&end, "GET", "/api/a/b/c/d/e/f/g/h/i/j/%00/%zz", STR(""), 404, "<Code>InvalidURI");
    exchange_bytes(&end, STR("GET /api/projects/p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_non_null(strstr(end.answer, "400 Bad Request"));
    end_stop(&end);
}

static void a_session_goes_from_normal_to_closed_once(void **state)
{
    struct end end;
    struct buffer block;
    char *upload, *put;

    (void)state;
    end_start(&end, NULL, false);
    run_sql(&end, "CREATE TABLE t (a BIGINT, b STRING);", true);
    run_sql(&end, "CREATE TABLE t (a BIGINT);", false);
    upload = upload_uri(&end, "t");
    put = block_uri(upload, 0);
    make_block(&block, 1, STR("x"));
    want(&end, "PUT", put, buffer_str(&block), 200, NULL);
    want(&end, "PUT", put, buffer_str(&block), 200, NULL);
    want(&end, "GET", upload, STR(""), 200, "\"UploadedBlockList\":[{\"BlockID\":0,");
    assert_int_equal(local_row_count(end.local, "p", "t"), 0);
    want(&end, "POST", upload, STR(""), 200, "\"Status\":\"closed\"");
    want(&end, "POST", upload, STR(""), 200, "\"Status\":\"closed\"");
    assert_int_equal(local_row_count(end.local, "p", "t"), 1);
    want(&end, "PUT", put, buffer_str(&block), 409, "StatusConflict");
    want(&end, "POST", "/projects/p/tables/t?uploadid=unknown", STR(""), 404, "NoSuchUpload");
    want(&end, "POST", "/projects/p/tables/missing?uploads", STR(""), 404, "NoSuchTable");
    want(&end, "POST", "/projects/p/tables/t/streams?x", STR(""), 404, NULL);
    free(put);
    put = block_uri(upload, 20000);
    want(&end, "PUT", put, buffer_str(&block), 400, "InvalidBlockID");
    buffer_release(&block);
    free(put);
    free(upload);
    end_stop(&end);
}

static void damaged_blocks_are_refused_and_leave_nothing(void **state)
{
    struct end end;
    struct buffer block, wrong;
    char *upload, *put;

    (void)state;
    end_start(&end, NULL, false);
    run_sql(&end, "CREATE TABLE t (a TINYINT, b STRING)", true);
    upload = upload_uri(&end, "t");
    put = block_uri(upload, 3);
    make_block(&block, 127, STR("text"));
    for (size_t size = 0; size < block.size; size++)
        want(&end, "PUT", put, str_make(block.data, size), 400, "MalformedDataStream");
    for (size_t i = 0; i < block.size; i++) {
        block.data[i] ^= 8; /* not the wire type, which is only a hint */
        ask(&end, "PUT", put, buffer_str(&block));
        if (strstr(end.answer, "200 OK"))
            fail_msg("a block with a wrong bit in byte %zu was taken", i);
        block.data[i] ^= 8;
    }
    buffer_append_char(&block, 0);
    want(&end, "PUT", put, buffer_str(&block), 400, "MalformedDataStream");
    make_block(&wrong, 128, STR("text"));
    want(&end, "PUT", put, buffer_str(&wrong), 400, "column ");
    buffer_release(&wrong);
    make_block(&wrong, 1, STR("\xff"));
    want(&end, "PUT", put, buffer_str(&wrong), 400, "column ");
    buffer_release(&wrong);
    want(&end, "GET", upload, STR(""), 200, "\"UploadedBlockList\":[]");
    buffer_release(&block);
    free(put);
    free(upload);
    end_stop(&end);
}

static void faults_come_as_scripted(void **state)
{
    static const char script[] = "put_block #1 after cut\ncommit #1 before status=429 code=FlowExceeded retry_after=3\n"
                                 "commit #2 after status=500\nlist_blocks #2 after expire\nany #1 before slow=1ms\n";
    char path[] = "/tmp/luaduct_faults_XXXXXX";
    int file = mkstemp(path);
    struct end end;
    struct buffer block;
    char *upload, *put;

    (void)state;
    assert_int_equal(write(file, script, sizeof(script) - 1), (ssize_t)sizeof(script) - 1);
    close(file);
    end_start(&end, path, true);
    unlink(path);
    run_sql(&end, "CREATE TABLE t (a BIGINT, b STRING)", true);
    upload = upload_uri(&end, "t");
    put = block_uri(upload, 0);
    make_block(&block, 1, STR("x"));
    want(&end, "PUT", put, buffer_str(&block), 0, NULL);
    want(&end, "GET", upload, STR(""), 200, "\"BlockID\":0");
    want(&end, "POST", upload, STR(""), 429, "Retry-After: 3");
    assert_int_equal(local_row_count(end.local, "p", "t"), 0);
    want(&end, "POST", upload, STR(""), 500, "InternalServerError");
    assert_int_equal(local_row_count(end.local, "p", "t"), 1);
    want(&end, "POST", upload, STR(""), 200, "closed");
    assert_int_equal(local_row_count(end.local, "p", "t"), 1);
    free(put);
    free(upload);
    upload = upload_uri(&end, "t");
    put = block_uri(upload, 0);
    want(&end, "GET", upload, STR(""), 200, "\"Status\":\"normal\"");
    want(&end, "PUT", put, buffer_str(&block), 409, "expired");
    buffer_release(&block);
    free(put);
    free(upload);
    end_stop(&end);
}

static void sessions_expire_after_a_day(void **state)
{
    struct store *store = NULL;
    struct store_table table;
    struct store_session session, later;
    struct ddl_statement statement;
    struct refusal refusal;
    struct error error;
    size_t position = 0;
    const int64_t now = 1700000000000;

    (void)state;
    assert_true(store_open(&store, NULL, false, &error));
    assert_true(store_add_project(store, STR("p"), now, &error));
    assert_true(ddl_parse(&statement, STR("CREATE TABLE t (a BIGINT)"), &position, &error));
    assert_true(store_execute(store, &statement, STR("p"), STR(""), now, &refusal));
    ddl_statement_release(&statement);
    assert_true(store_table_load(store, STR("P"), STR(""), STR("T"), &table, &refusal));
    assert_true(store_session_create(store, SESSION_UPLOAD, &table, STR(""), false, false, now, &session, &refusal));
    assert_true(store_session_load(store, SESSION_UPLOAD, str_of(session.id), STR("p"), STR(""), STR("t"), now + SESSION_MS_MAX,
                                   &later, &refusal));
    assert_string_equal(later.status, "normal");
    store_session_release(&later);
    assert_true(store_session_load(store, SESSION_UPLOAD, str_of(session.id), STR("p"), STR(""), STR("t"),
                                   now + SESSION_MS_MAX + 1, &later, &refusal));
    assert_string_equal(later.status, "expired");
    assert_false(store_commit(store, &later, now + SESSION_MS_MAX + 1, &refusal));
    assert_string_equal(refusal.code, "StatusConflict");
    store_session_release(&later);
    store_session_release(&session);
    store_table_release(&table);
    store_close(store);
}

static void the_printed_page_lines_up_wide_characters(void **state)
{
    struct end end;
    struct buffer block, text;
    char *upload, *put;

    (void)state;
    end_start(&end, NULL, false);
    run_sql(&end, "CREATE TABLE t (a BIGINT, b STRING)", true);
    upload = upload_uri(&end, "t");
    for (int i = 0; i < 2; i++) {
        put = block_uri(upload, i);
        make_block(&block, i ? 10 : 1, i ? STR("\xE4\xB8\xAD\xE6\x96\x87") : STR("a\x1b"));
        want(&end, "PUT", put, buffer_str(&block), 200, NULL);
        buffer_release(&block);
        free(put);
    }
    want(&end, "POST", upload, STR(""), 200, NULL);
    buffer_init(&text, 0);
    local_print_table(end.local, "p", "t", 5, 5, &text);
    assert_string_equal(buffer_text(&text), "p.t: 2 rows\n    a   b\n    1   a.\n    10  \xE4\xB8\xAD\xE6\x96\x87\n");
    buffer_clear(&text);
    local_print_table(end.local, "p", "missing", 5, 5, &text);
    assert_non_null(strstr(buffer_text(&text), "missing"));
    buffer_release(&text);
    free(upload);
    end_stop(&end);
}

static void wrong_options_are_refused(void **state)
{
    static const struct { struct local_options options; const char *part; } cases[] = {
        {{.address = "0.0.0.0", .access_id = "i", .access_key = "k"}, "loopback"},
        {{.address = "127.0.0.1", .access_id = "i"}, "access key"},
        {{.address = "127.0.0.1", .access_id = "i", .access_key = "k", .project = "a b"}, "a b"},
        {{.address = "127.0.0.1", .access_id = "i", .access_key = "k", .database = "/nonexistent/x.db"}, "/nonexistent/x.db"},
        {{.address = "127.0.0.1", .access_id = "i", .access_key = "k", .faults_path = "/nonexistent/f"}, "/nonexistent/f"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct local *local = NULL;
        struct error error;

        assert_false(local_start(&local, &cases[i].options, &error));
        assert_int_equal(error.kind, ERROR_CONFIG);
        if (!strstr(error.text, cases[i].part))
            fail_msg("%s", error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_checked),
        cmocka_unit_test(a_session_goes_from_normal_to_closed_once),
        cmocka_unit_test(damaged_blocks_are_refused_and_leave_nothing),
        cmocka_unit_test(faults_come_as_scripted),
        cmocka_unit_test(sessions_expire_after_a_day),
        cmocka_unit_test(the_printed_page_lines_up_wide_characters),
        cmocka_unit_test(wrong_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
