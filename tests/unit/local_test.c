/* The local endpoint over its socket, with requests made by hand: signatures, session states, blocks, faults, the printed page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/local_end.h"

static void signatures_are_checked(void **state)
{
    struct end end;

    (void)state;
    end_start(&end, (struct local_options){0}, NULL);
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
    end_start(&end, (struct local_options){0}, NULL);
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
    end_start(&end, (struct local_options){0}, NULL);
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
    struct end end;
    struct buffer block;
    char *upload, *put;

    (void)state;
    end_start(&end, (struct local_options){.discard = true}, script);
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

static void sessions_expire_after_their_life(void **state)
{
    static const int64_t lives_ms[] = {0, 3000}; /* 0: a day */
    const int64_t now = 1700000000000;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lives_ms); i++) {
        const int64_t life_ms = lives_ms[i] ? lives_ms[i] : 24 * 3600 * 1000;
        struct store *store = NULL;
        struct store_table table;
        struct store_session session, later, other;
        struct ddl_statement statement;
        struct refusal refusal;
        struct error error;
        struct buffer block;
        size_t position = 0, count;
        bool second;

        assert_true(store_open(&store, &(struct store_options){.session_ms_max = lives_ms[i]}, &error));
        assert_true(store_add_project(store, STR("p"), now, &error));
        assert_true(ddl_parse(&statement, STR("CREATE TABLE t (a BIGINT, b STRING)"), &position, &error));
        assert_true(store_execute(store, &statement, STR("p"), STR(""), now, &refusal));
        ddl_statement_release(&statement);
        assert_true(store_table_load(store, STR("P"), STR(""), STR("T"), &table, &refusal));
        assert_true(store_session_create(store, SESSION_UPLOAD, &table, STR(""), false, false, now, &session, &refusal));
        make_block(&block, 1, STR("x"));
        assert_true(store_block_put(store, &session, 0, 0, buffer_str(&block), now, &refusal));
        buffer_release(&block);
        assert_true(store_session_load(store, SESSION_UPLOAD, str_of(session.id), STR("p"), STR(""), STR("t"), now + life_ms,
                                       &later, &refusal));
        assert_string_equal(later.status, "normal");
        store_session_release(&later);
        assert_true(store_session_load(store, SESSION_UPLOAD, str_of(session.id), STR("p"), STR(""), STR("t"), now + life_ms + 1,
                                       &later, &refusal));
        assert_string_equal(later.status, "expired");
        assert_false(store_commit_begin(store, &later, now + life_ms + 1, &second, &refusal));
        assert_string_equal(refusal.code, "StatusConflict");
        /* The next one throws its blocks away. */
        assert_true(store_session_create(store, SESSION_UPLOAD, &table, STR(""), false, false, now + life_ms + 1, &other,
                                         &refusal));
        free(store_blocks(store, session.id, &count));
        assert_int_equal(count, 0);
        store_session_release(&other);
        store_session_release(&later);
        store_session_release(&session);
        store_table_release(&table);
        store_close(store);
    }
}

static void the_printed_page_lines_up_wide_characters(void **state)
{
    struct end end;
    struct buffer block, text;
    char *upload, *put;

    (void)state;
    end_start(&end, (struct local_options){0}, NULL);
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
        {{.address = "127.0.0.1", .access_id = "i", .access_key = "k", .second_commit = "maybe"}, "\"maybe\""},
        {{.address = "127.0.0.1", .access_id = "i", .access_key = "k", .session_life = "0s"}, "\"0s\""},
        {{.address = "127.0.0.1", .access_id = "i", .access_key = "k", .session_life = "25h"}, "\"25h\""},
        {{.address = "127.0.0.1", .access_id = "i", .access_key = "k", .quotas = "blocks=7"}, "quotas: \"blocks=7\""},
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
        cmocka_unit_test(sessions_expire_after_their_life),
        cmocka_unit_test(the_printed_page_lines_up_wide_characters),
        cmocka_unit_test(wrong_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
