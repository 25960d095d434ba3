/* What a session goes through at the local endpoint: states, second commits, late and doubled calls, expiry, limits, tables that
 * change below it, an endpoint that dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/local_end.h"

struct session {
    struct end *end;
    char *upload, *put; /* uris, of the session and of its block 0 */
    struct buffer block; /* one row */
};

static const char closed[] = "\"Status\":\"closed\"";

static void session_open(struct session *session, struct end *end)
{
    session->end = end;
    session->upload = upload_uri(end, "t");
    session->put = block_uri(session->upload, 0);
    make_block(&session->block, 1, STR("x"));
}

static void session_release(struct session *session)
{
    free(session->upload);
    free(session->put);
    buffer_release(&session->block);
}

/* What a session's call is answered with: status, and a part of the answer or NULL. */
static void want_put(const struct session *session, int status, const char *part)
{
    want(session->end, "PUT", session->put, buffer_str(&session->block), status, part);
}

static void want_commit(const struct session *session, int status, const char *part)
{
    want(session->end, "POST", session->upload, STR(""), status, part);
}

static void want_state(const struct session *session, int status, const char *part)
{
    want(session->end, "GET", session->upload, STR(""), status, part);
}

static void start_with_table(struct end *end, struct local_options options, const char *script)
{
    end_start(end, options, script);
    run_sql(end, "CREATE TABLE IF NOT EXISTS t (a BIGINT, b STRING)", true);
}

/* An endpoint with a table and a session that has no block yet. */
static void begin(struct session *session, struct end *end, struct local_options options, const char *script)
{
    start_with_table(end, options, script);
    session_open(session, end);
}

static void want_rows(struct end *end, int64_t count)
{
    assert_int_equal(local_row_count(end->local, "p", "t"), count);
}

/* The table has so many rows in the end. */
static void finish(struct session *session, int64_t rows)
{
    want_rows(session->end, rows);
    session_release(session);
    end_stop(session->end);
}

static void make_path(char path[64])
{
    int file;

    snprintf(path, 64, "/tmp/luaduct_local_XXXXXX");
    file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
}

static void remove_database(const char *path)
{
    char name[80];

    unlink(path);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "%s-%s", path, i ? "wal" : "shm");
        unlink(name);
    }
}

static const struct { const char *name; int status; const char *part; } second_commits[] = {
    {"ok", 200, "\"Status\":\"%s\""},
    {"conflict", 409, "StatusConflict"},
    {"5xx", 500, "InternalServerError"},
};

/* What the i-th way answers to a commit of a session in the state. */
static void want_second(struct end *end, const char *uri, size_t i, const char *status)
{
    char part[64];

    snprintf(part, sizeof(part), second_commits[i].part, status);
    want(end, "POST", uri, STR(""), second_commits[i].status, part);
}

static void a_second_commit_is_answered_as_chosen_and_doubles_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(second_commits); i++) {
        const char *name = second_commits[i / 2].name;
        char *script = xasprintf("second_commit %s\n", name);
        struct session session;
        struct end end;

        /* By the option; by the script, which goes before. */
        if (i % 2)
            begin(&session, &end, (struct local_options){.second_commit = i / 2 ? "ok" : "conflict"}, script);
        else
            begin(&session, &end, (struct local_options){.second_commit = name}, NULL);
        want_put(&session, 200, NULL);
        want_commit(&session, 200, closed);
        want_second(&end, session.upload, i / 2, "closed");
        want_second(&end, session.upload, i / 2, "closed");
        want_state(&session, 200, closed);
        finish(&session, 1);
        free(script);
    }
}

struct commit_thread {
    struct end end; /* for its own requests to the same endpoint */
    const char *uri;
    pthread_t thread;
};

static void *commit_and_wait(void *user)
{
    struct commit_thread *commit = user;

    ask(&commit->end, "POST", commit->uri, STR(""));
    return NULL;
}

static void a_commit_that_lasts_is_closing_and_then_closed(void **state)
{
    char path[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(second_commits); i++) {
        struct local_options options = {.second_commit = second_commits[i].name, .database = path};
        struct commit_thread commit;
        struct session session;
        struct end end;

        make_path(path);
        begin(&session, &end, options, "commit #1 before closing=24h\n");
        want_put(&session, 200, NULL);
        commit = (struct commit_thread){.end = end, .uri = session.upload};
        commit.end.answer = NULL;
        assert_int_equal(pthread_create(&commit.thread, NULL, commit_and_wait, &commit), 0);
        wait_for(&end, session.upload, "\"Status\":\"closing\"");
        want_second(&end, session.upload, i, "closing");
        want_put(&session, 409, "closing");
        want_rows(&end, 0);
        end_stop(&end); /* which ends what waits */
        pthread_join(commit.thread, NULL);
        free(commit.end.answer);
        start_with_table(&end, options, NULL);
        want_state(&session, 200, closed);
        finish(&session, 1);
        remove_database(path);
    }
}

static void each_state_takes_what_it_should(void **state)
{
    static const struct { const char *name; int put, commit; const char *answer; int rows; } cases[] = {
        {"unknown", 200, 200, "\"Status\":\"closed\"", 1},
        {"normal", 200, 200, "\"Status\":\"closed\"", 1},
        {"committing", 409, 200, "\"Status\":\"committing\"", 0},
        {"closing", 409, 200, "\"Status\":\"closing\"", 0},
        {"canceled", 409, 409, "StatusConflict", 0},
        {"expired", 409, 409, "StatusConflict", 0},
        {"critical", 409, 409, "StatusConflict", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *script = xasprintf("list_blocks #1 before state=%s\ncommit #2 after state=%s\n", cases[i].name, cases[i].name);
        char *status = xasprintf("\"Status\":\"%s\"", cases[i].name);
        struct session session;
        struct end end;

        begin(&session, &end, (struct local_options){0}, script);
        want_state(&session, 200, status);
        want_put(&session, cases[i].put, cases[i].put == 409 ? "StatusConflict" : NULL);
        want_commit(&session, cases[i].commit, cases[i].answer);
        want_rows(&end, cases[i].rows);
        session_release(&session);
        /* A session that is closed stays so. */
        session_open(&session, &end);
        want_commit(&session, 200, closed);
        want_state(&session, 200, closed);
        finish(&session, cases[i].rows);
        free(script);
        free(status);
    }
}

static void a_script_names_the_session_that_a_call_made(void **state)
{
    struct session session;
    struct end end;

    (void)state;
    begin(&session, &end, (struct local_options){0}, "create_upload #1 after state=unknown\ncreate_upload #2 after expire\n");
    want_state(&session, 200, "\"Status\":\"unknown\"");
    session_release(&session);
    session_open(&session, &end);
    want_state(&session, 200, "\"Status\":\"expired\"");
    finish(&session, 0);
}

/* One session's calls, one after the other. */
static void a_session_answers_as_the_script_and_the_options_say(void **state)
{
    static const char normal[] = "\"Status\":\"normal\"", expired[] = "\"Status\":\"expired\"", listed[] = "\"BlockID\":0";
    static const struct {
        const char *sentence;
        struct local_options options;
        const char *script;
        struct { const char *method; int status; const char *part; } calls[6]; /* WAIT: GET until the part is there */
        int64_t rows; /* in the end */
    } cases[] = {
        {"a commit that lasts answers at its end", {0}, "commit #1 before closing=10ms\n",
         {{"PUT", 200, NULL}, {"POST", 200, closed}}, 1},
        {"a session that is forgotten is not known", {0}, "list_blocks #1 after forget\n",
         {{"PUT", 200, NULL}, {"GET", 200, listed}, {"GET", 404, "NoSuchUpload"}, {"PUT", 404, "NoSuchUpload"},
          {"POST", 404, "NoSuchUpload"}}, 0},
        {"what a forgotten one has committed is there", {0}, "list_blocks #1 before forget\n",
         {{"PUT", 200, NULL}, {"POST", 200, closed}, {"GET", 404, "NoSuchUpload"}, {"POST", 404, "NoSuchUpload"}}, 1},
        {"a session lives as long as the option says", {.session_life = "1ms"}, NULL,
         {{"WAIT", 200, expired}, {"PUT", 409, "expired"}, {"POST", 409, "expired"}}, 0},
        {"delayed calls happen later", {0}, "put_block #1 before delay=30ms\ncommit #1 before delay=30ms\n",
         {{"PUT", 0, NULL}, {"WAIT", 200, listed}, {"POST", 0, NULL}, {"WAIT", 200, closed}}, 1},
        {"delayed calls that are not due end with the endpoint", {0}, "put_block #1 after twice=24h\ncommit before delay=24h\n",
         {{"PUT", 200, NULL}, {"POST", 0, NULL}, {"POST", 0, NULL}, {"POST", 0, NULL}, {"GET", 200, normal}}, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct session session;
        struct end end;

        print_message("  %s\n", cases[i].sentence);
        begin(&session, &end, cases[i].options, cases[i].script);
        for (size_t k = 0; k < COUNT_OF(cases[i].calls) && cases[i].calls[k].method; k++) {
            const char *method = cases[i].calls[k].method, *part = cases[i].calls[k].part;
            bool put = strcmp(method, "PUT") == 0;

            if (strcmp(method, "WAIT") == 0)
                wait_for(&end, session.upload, part);
            else
                want(&end, method, put ? session.put : session.upload, put ? buffer_str(&session.block) : STR(""),
                     cases[i].calls[k].status, part);
        }
        finish(&session, cases[i].rows);
    }
}

/* The late copy comes before, while or after the commit that the client sends once more. */
static void a_delayed_commit_beside_its_repetition_doubles_nothing(void **state)
{
    enum { SESSIONS = 30 };
    struct end end;

    (void)state;
    start_with_table(&end, (struct local_options){0}, "commit every 2 before delay=1ms\n");
    for (int i = 0; i < SESSIONS; i++) {
        struct session session;

        session_open(&session, &end);
        want_put(&session, 200, NULL);
        if (i > 0)
            want_commit(&session, 0, NULL);
        want_commit(&session, 200, NULL);
        wait_for(&end, session.upload, closed);
        session_release(&session);
    }
    want_rows(&end, SESSIONS);
    end_stop(&end);
}

/* The limits count the calls that nobody hears of. */
static void doubled_calls_are_carried_out_twice_on_the_spot(void **state)
{
    struct session session;
    struct end end;

    (void)state;
    begin(&session, &end, (struct local_options){.quotas = "sessions=2/24h,blocks=2/24h,commits=2/24h"},
          "create_upload #1 after twice\nput_block #1 after twice\ncommit #1 after twice\n");
    want(&end, "POST", "/projects/p/tables/t?uploads", STR(""), 429, "RequestQuotaExceeded");
    want_put(&session, 200, NULL);
    want_put(&session, 429, "FlowExceeded");
    want_commit(&session, 200, closed);
    want_commit(&session, 429, "RequestQuotaExceeded");
    finish(&session, 1);
}

/* A late copy of a block replaces what was written to the same id in the meantime, as the protocol has it (3.4). On a slow
 * machine the copy may come too early to show that: then once more. */
static void a_doubled_block_replaces_a_later_one(void **state)
{
    struct session session;
    struct buffer two;
    struct end end;
    bool replaced = false;

    (void)state;
    begin(&session, &end, (struct local_options){0}, "put_block every 2 after twice=300ms\n");
    make_rows(&two, 2, STR("y"), 2);
    want(&end, "PUT", session.put, buffer_str(&two), 200, NULL);
    for (int attempt = 0; attempt < 10 && !replaced; attempt++) {
        const int64_t until_ms = clock_monotonic_ms() + 2000;

        want_put(&session, 200, NULL);
        want(&end, "PUT", session.put, buffer_str(&two), 200, NULL);
        while (!replaced && clock_monotonic_ms() < until_ms) {
            want_state(&session, 200, "\"BlockID\":0");
            replaced = strstr(end.answer, "\"RecordCount\":1,") != NULL;
        }
    }
    assert_true(replaced);
    buffer_release(&two);
    finish(&session, 0);
}

static void above_the_limits_the_answer_is_429(void **state)
{
    struct session session;
    struct end end;

    (void)state;
    start_with_table(&end, (struct local_options){.quotas = "sessions=2/24h,downloads=1/24h,blocks=2/24h,commits=1/24h"}, NULL);
    run_sql(&end, "CREATE TABLE other (a BIGINT, b STRING)", true);
    session_open(&session, &end);
    free(upload_uri(&end, "t"));
    want(&end, "POST", "/projects/p/tables/t?uploads", STR(""), 429, "\"Code\":\"RequestQuotaExceeded\"");
    assert_non_null(strstr(end.answer, "Retry-After: 8"));
    free(upload_uri(&end, "other"));
    for (int i = 0; i < 2; i++)
        want_put(&session, 200, NULL);
    want_put(&session, 429, "\"Code\":\"FlowExceeded\"");
    want_commit(&session, 200, closed);
    want_commit(&session, 429, "\"Code\":\"RequestQuotaExceeded\"");
    want_state(&session, 200, closed);
    want(&end, "POST", "/projects/p/tables/t?downloads", STR(""), 200, "\"RecordCount\":1");
    want(&end, "POST", "/projects/p/tables/t?downloads", STR(""), 429, "\"Code\":\"RequestQuotaExceeded\"");
    finish(&session, 1);
}

static void a_block_holds_its_slot_while_its_bytes_come(void **state)
{
    const int64_t deadline_ms = clock_monotonic_ms() + 20000;
    struct session session;
    struct buffer head;
    struct end end;
    char leave[13];
    int descriptor;

    (void)state;
    begin(&session, &end, (struct local_options){.quotas = "slots=1"}, NULL);
    for (int i = 0; i < 50; i++)
        want_put(&session, 200, NULL);
    /* A head that asks for leave to send the rest: with "100 Continue" the slot is taken. */
    make_head(&end, "PUT", session.put, session.block.size, &head);
    head.size -= 2;
    buffer_append_str(&head, STR("Expect: 100-continue\r\n\r\n"));
    descriptor = end_connect(&end);
    assert_int_equal(write(descriptor, head.data, head.size), (ssize_t)head.size);
    assert_int_equal(read(descriptor, leave, sizeof(leave)), sizeof(leave));
    assert_memory_equal(leave, "HTTP/1.1 100 ", sizeof(leave));
    want_put(&session, 429, NULL);
    assert_non_null(strstr(end.answer, "\"Code\":\"SlotExceeded\""));
    assert_non_null(strstr(end.answer, "Retry-After: 1\r"));
    want_state(&session, 200, "\"BlockID\":0");
    close(descriptor);
    while (ask(&end, "PUT", session.put, buffer_str(&session.block)) == 429)
        assert_true(clock_monotonic_ms() < deadline_ms);
    assert_non_null(strstr(end.answer, "200 OK"));
    buffer_release(&head);
    finish(&session, 0);
}

/* The number in <TableId>. */
static long table_id(struct end *end)
{
    want(end, "GET", "/api/projects/p/tables/t", STR(""), 200, "<TableId>");
    return strtol(strstr(end->answer, "<TableId>") + 9, NULL, 10);
}

static void a_table_that_is_dropped_or_made_anew_refuses_its_sessions(void **state)
{
    struct session session;
    struct end end;
    long id;

    (void)state;
    start_with_table(&end, (struct local_options){0}, NULL);
    id = table_id(&end);
    session_open(&session, &end);
    want_put(&session, 200, NULL);
    run_sql(&end, "DROP TABLE t", true);
    want_put(&session, 404, "NoSuchTable");
    want_commit(&session, 404, "NoSuchTable");
    want(&end, "POST", "/projects/p/tables/t?uploads", STR(""), 404, "NoSuchTable");
    want(&end, "GET", "/api/projects/p/tables/t", STR(""), 404, "NoSuchTable");
    run_sql(&end, "CREATE TABLE t (a BIGINT, b STRING)", true);
    assert_true(table_id(&end) > id);
    want_put(&session, 409, "TableModified");
    want_commit(&session, 409, "TableModified");
    finish(&session, 0);
}

/* A session of a partition of the table parts; its uri with "uploadid". */
static char *part_upload_uri(struct end *end)
{
    const char *id;

    want(end, "POST", "/projects/p/tables/parts?uploads&partition=dt%3D20240101%2Chh%3D01", STR(""), 201, "\"UploadID\":\"");
    id = strstr(end->answer, "\"UploadID\":\"") + 12;
    return xasprintf("/projects/p/tables/parts?uploadid=%.*s", (int)strcspn(id, "\""), id);
}

static void a_partition_says_how_many_records_it_has(void **state)
{
    static const char partition[] = "/api/projects/p/tables/parts?partition=dt%3D%2720240101%27%2Chh%3D%2701%27";
    struct end end;
    struct buffer block;

    (void)state;
    end_start(&end, (struct local_options){0}, NULL);
    run_sql(&end, "CREATE TABLE parts (a BIGINT, b STRING) PARTITIONED BY (dt STRING, hh STRING)", true);
    want(&end, "GET", partition, STR(""), 404, "NoSuchPartition");
    run_sql(&end, "ALTER TABLE parts ADD PARTITION (dt='20240101', hh='01')", true);
    want(&end, "GET", partition, STR(""), 200, "\"partitionRecordNum\":0}");
    make_rows(&block, 1, STR("x"), 3);
    for (int i = 1; i <= 3; i++) {
        char *upload = part_upload_uri(&end), *put = block_uri(upload, 0), *part = xasprintf("\"partitionRecordNum\":%d}", 3 * i);

        /* The third one's partition goes. */
        if (i == 3)
            run_sql(&end, "ALTER TABLE parts DROP PARTITION (dt='20240101', hh='01')", true);
        want(&end, "PUT", put, buffer_str(&block), i < 3 ? 200 : 404, i < 3 ? NULL : "NoSuchPartition");
        want(&end, "POST", upload, STR(""), i < 3 ? 200 : 404, i < 3 ? "closed" : "NoSuchPartition");
        want(&end, "GET", partition, STR(""), i < 3 ? 200 : 404, i < 3 ? part : "NoSuchPartition");
        free(upload);
        free(put);
        free(part);
    }
    buffer_release(&block);
    end_stop(&end);
}

static void reopen(struct store **store, const char *path)
{
    struct error error;

    store_close(*store);
    if (!store_open(store, &(struct store_options){.path = path}, &error))
        fail_msg("%s", error.text);
}

static void want_status(struct store *store, const char *id, const char *status, struct store_session *session)
{
    struct refusal refusal;

    store_session_release(session);
    if (!store_session_load(store, SESSION_UPLOAD, str_of(id), STR("p"), STR(""), STR("t"), 1000, session, &refusal))
        fail_msg("%s", refusal.text);
    assert_string_equal(session->status, status);
}

static int64_t row_count(struct store *store)
{
    struct store_table table;
    struct refusal refusal;
    int64_t count;

    assert_true(store_table_load(store, STR("p"), STR(""), STR("t"), &table, &refusal));
    count = table.record_count;
    store_table_release(&table);
    return count;
}

/* Executes one statement. */
static void execute(struct store *store, const char *sql)
{
    struct ddl_statement statement;
    struct refusal refusal;
    struct error error;
    size_t position = 0;

    assert_true(ddl_parse(&statement, str_of(sql), &position, &error));
    assert_true(store_execute(store, &statement, STR("p"), STR(""), 1, &refusal));
    ddl_statement_release(&statement);
}

/* A project, a table and a session of it. */
static void store_begin(struct store *store, struct store_session *session)
{
    struct store_table table;
    struct refusal refusal;
    struct error error;

    assert_true(store_add_project(store, STR("p"), 1, &error));
    execute(store, "CREATE TABLE t (a BIGINT, b STRING)");
    assert_true(store_table_load(store, STR("p"), STR(""), STR("t"), &table, &refusal));
    assert_true(store_session_create(store, SESSION_UPLOAD, &table, STR(""), false, false, 1, session, &refusal));
    store_table_release(&table);
}

/* Begins a commit; whether one had begun before. */
static void want_commit_begin(struct store *store, struct store_session *session, int64_t now_ms, bool second_wanted)
{
    struct refusal refusal;
    bool second;

    assert_true(store_commit_begin(store, session, now_ms, &second, &refusal));
    assert_int_equal(second, second_wanted);
}

static void an_endpoint_that_dies_leaves_no_half_of_a_commit(void **state)
{
    struct store *store = NULL;
    struct store_session session = {0};
    struct refusal refusal;
    struct buffer block;
    char path[64], id[SESSION_ID_MAX];
    size_t count;

    (void)state;
    make_path(path);
    reopen(&store, path);
    store_begin(store, &session);
    memcpy(id, session.id, sizeof(id));
    make_rows(&block, 7, STR("x"), 5);
    assert_true(store_block_put(store, &session, 3, 0, buffer_str(&block), 2, &refusal));
    /* Before the commit; between its halves; behind it. */
    reopen(&store, path);
    want_status(store, id, "normal", &session);
    want_commit_begin(store, &session, 3, false);
    want_status(store, id, "closing", &session);
    want_commit_begin(store, &session, 3, true);
    reopen(&store, path);
    want_status(store, id, "normal", &session);
    free(store_blocks(store, id, &count));
    assert_int_equal(count, 1);
    assert_int_equal(row_count(store), 0);
    want_commit_begin(store, &session, 4, false);
    assert_true(store_commit_end(store, &session, 4, &refusal));
    reopen(&store, path);
    want_status(store, id, "closed", &session);
    assert_int_equal(row_count(store), 5);
    want_commit_begin(store, &session, 5, true);
    assert_true(store_commit_end(store, &session, 5, &refusal));
    assert_int_equal(row_count(store), 5);
    buffer_release(&block);
    store_session_release(&session);
    store_close(store);
    remove_database(path);
}

static void a_commit_whose_table_goes_between_its_halves_is_refused(void **state)
{
    static const struct { const char *state; bool dropped; const char *code, *after; } cases[] = {
        {"expired", false, "StatusConflict", "expired"}, {"closing", true, "NoSuchTable", "normal"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store *store = NULL;
        struct store_session session = {0};
        struct refusal refusal;

        reopen(&store, NULL);
        store_begin(store, &session);
        want_commit_begin(store, &session, 2, false);
        store_session_set_status(store, str_of(session.id), cases[i].state);
        if (cases[i].dropped)
            execute(store, "DROP TABLE t");
        assert_false(store_commit_end(store, &session, 3, &refusal));
        assert_string_equal(refusal.code, cases[i].code);
        assert_string_equal(session.status, cases[i].after);
        store_session_release(&session);
        store_close(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_commit_is_answered_as_chosen_and_doubles_nothing),
        cmocka_unit_test(a_commit_that_lasts_is_closing_and_then_closed),
        cmocka_unit_test(each_state_takes_what_it_should),
        cmocka_unit_test(a_script_names_the_session_that_a_call_made),
        cmocka_unit_test(a_session_answers_as_the_script_and_the_options_say),
        cmocka_unit_test(a_delayed_commit_beside_its_repetition_doubles_nothing),
        cmocka_unit_test(doubled_calls_are_carried_out_twice_on_the_spot),
        cmocka_unit_test(a_doubled_block_replaces_a_later_one),
        cmocka_unit_test(above_the_limits_the_answer_is_429),
        cmocka_unit_test(a_block_holds_its_slot_while_its_bytes_come),
        cmocka_unit_test(a_table_that_is_dropped_or_made_anew_refuses_its_sessions),
        cmocka_unit_test(a_partition_says_how_many_records_it_has),
        cmocka_unit_test(an_endpoint_that_dies_leaves_no_half_of_a_commit),
        cmocka_unit_test(a_commit_whose_table_goes_between_its_halves_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
