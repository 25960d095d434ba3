/* credentials_test.c: what a credential may look like, and the life of one source of them. Time is ours; the commands of these tests
 * are real, so their end is waited for in real time. */
#include "maxcompute/credentials.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/clock.h"
#include "util/command.h"

#define WORD(text) ((char *)(uintptr_t)(text)) /* an argument list is not const, by an old habit of C */

static const int64_t wall_ms = INT64_C(1704164645000); /* 2024-01-02T03:04:05Z */

static void test_forms(void **state UNUSED)
{
    static const struct {
        const char *what, *json, *id, *key, *token; /* id NULL: error */
        int64_t expires_ms;
        const char *text;
    } cases[] = {
        {"the metadata service's", "{\"Code\":\"Success\",\"AccessKeyId\":\"i\",\"AccessKeySecret\":\"k\",\"SecurityToken\":\"t\","
         "\"Expiration\":\"2024-01-02T03:04:05Z\",\"LastUpdated\":\"x\"}", "i", "k", "t", wall_ms, ""},
        {"AssumeRole's", "{\"RequestId\":\"r\",\"Credentials\":{\"AccessKeyId\":\"i\",\"AccessKeySecret\":\"k\","
         "\"SecurityToken\":\"t\",\"Expiration\":\"2024-01-02T11:04:05+08:00\"}}", "i", "k", "t", wall_ms, ""},
        {"the command line's", "{\"mode\":\"StsToken\",\"access_key_id\":\"i\",\"access_key_secret\":\"k\",\"sts_token\":\"t\","
         "\"expiration\":\"2024-01-02T03:04:05Z\"}", "i", "k", "t", wall_ms, ""},
        {"a key alone", "{\"AccessKeyId\":\"i\",\"AccessKeySecret\":\"k\"}\n", "i", "k", NULL, INT64_MAX, ""},
        {"null and empty are none", "{\"AccessKeyId\":\"i\",\"AccessKeySecret\":\"k\",\"SecurityToken\":\"\",\"Expiration\":null}",
         "i", "k", NULL, INT64_MAX, ""},
        {"an end in seconds", "{\"access_key_id\":\"i\",\"access_key_secret\":\"k\",\"expiration\":1704164645}", "i", "k", NULL,
         wall_ms, ""},
        {"nothing", " \n", NULL, NULL, NULL, 0, "is empty"},
        {"half", "{\"AccessKeyId\":\"i\",\n\"AccessKeySecret\":\"hush", NULL, NULL, NULL, 0, "is no JSON: line 2"},
        {"a list", "[]", NULL, NULL, NULL, 0, "is no JSON object"},
        {"no id", "{\"AccessKeySecret\":\"hush\"}", NULL, NULL, NULL, 0, "\"AccessKeyId\" is missing"},
        {"no secret", "{\"AccessKeyId\":\"i\"}", NULL, NULL, NULL, 0, "\"AccessKeySecret\" is missing"},
        {"a number", "{\"AccessKeyId\":\"i\",\"AccessKeySecret\":12345}", NULL, NULL, NULL, 0, "\"AccessKeySecret\" is not a text"},
        {"a header of its own", "{\"AccessKeyId\":\"i\",\"AccessKeySecret\":\"k\",\"SecurityToken\":\"hush\\r\\nX: y\"}", NULL, NULL,
         NULL, 0, "\"SecurityToken\" is not a text of one word"},
        {"a blank", "{\"AccessKeyId\":\"i i\",\"AccessKeySecret\":\"k\"}", NULL, NULL, NULL, 0, "\"AccessKeyId\" is not"},
        {"an end without zone", "{\"AccessKeyId\":\"i\",\"AccessKeySecret\":\"hush\",\"Expiration\":\"2024-01-02T03:04:05\"}", NULL,
         NULL, NULL, 0, "\"Expiration\" is no time"},
        {"an end in words", "{\"AccessKeyId\":\"i\",\"AccessKeySecret\":\"hush\",\"Expiration\":\"soon\"}", NULL, NULL, NULL, 0,
         "\"Expiration\" is no time"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct credential credential;
        struct error error = {0};
        bool ok = credential_parse(&credential, str_of(cases[i].json), &error);

        if (ok != (cases[i].id != NULL) || (!ok && (!strstr(error.text, cases[i].text) || strstr(error.text, "hush"))))
            fail_msg("%s: %s", cases[i].what, error.text);
        if (!ok)
            continue;
        assert_string_equal(credential.access_id, cases[i].id);
        assert_string_equal(credential.access_key, cases[i].key);
        assert_true(cases[i].token ? strcmp(credential.security_token, cases[i].token) == 0 : !credential.security_token);
        assert_int_equal(credential.expires_ms, cases[i].expires_ms);
        credential_release(&credential);
    }
}

/* --- one source --- */

struct source {
    char folder[64], path[96], script[96];
    struct credentials *credentials;
    int64_t now_ms, wall_ms;
};

static void file_write(const char *path, const char *text)
{
    char *temporary = xasprintf("%s.new", path);
    FILE *file = fopen(temporary, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0);
    free(temporary);
}

static void key_write(struct source *source, const char *key, const char *more)
{
    char *text = xasprintf("{\"AccessKeyId\":\"id\",\"AccessKeySecret\":\"%s\"%s}", key, more);

    file_write(source->path, text);
    free(text);
}

static void source_start(struct source *source, const char *script, int64_t interval_ms)
{
    char *command[] = {WORD("sh"), WORD("-c"), WORD(script), source->path, NULL};
    struct credentials_options options = {.interval_ms = interval_ms};

    memset(source, 0, sizeof(*source));
    snprintf(source->folder, sizeof(source->folder), "/tmp/credentials_test.XXXXXX");
    assert_non_null(mkdtemp(source->folder));
    snprintf(source->path, sizeof(source->path), "%s/key.json", source->folder);
    if (script)
        options.command = command;
    else
        options.file = source->path;
    source->wall_ms = wall_ms;
    source->credentials = credentials_new(&options);
}

static void source_stop(struct source *source)
{
    credentials_free(source->credentials);
    unlink(source->path);
    rmdir(source->folder);
}

static void advance(struct source *source, int64_t ms)
{
    source->now_ms += ms;
    source->wall_ms += ms;
    credentials_step(source->credentials, source->now_ms, source->wall_ms);
}

/* Steps until what runs has ended; our own time hardly moves meanwhile. */
static void settle(struct source *source)
{
    int64_t end_ms = clock_monotonic_ms() + 30000;

    credentials_step(source->credentials, source->now_ms, source->wall_ms);
    while (credentials_deadline(source->credentials) <= source->now_ms + COMMAND_LOOK_MS) {
        assert_true(clock_monotonic_ms() < end_ms);
        poll(NULL, 0, 2);
        source->now_ms = credentials_deadline(source->credentials);
        source->wall_ms += 1;
        credentials_step(source->credentials, source->now_ms, source->wall_ms);
    }
}

static const char *key_of(const struct source *source)
{
    const struct credential *credential = credentials_get(source->credentials);

    return credential ? credential->access_key : "";
}

static void test_a_file_is_read_again_when_it_changes(void **state UNUSED)
{
    struct source source;
    struct error error;

    source_start(&source, NULL, 0);
    key_write(&source, "first-key", "");
    assert_null(credentials_get(source.credentials));
    advance(&source, 0);
    assert_string_equal(key_of(&source), "first-key");
    assert_int_equal(credentials_generation(source.credentials), 1);
    advance(&source, 2000);
    assert_int_equal(credentials_generation(source.credentials), 1);
    key_write(&source, "second-key", "");
    advance(&source, 1999); /* not looked at before its time */
    assert_string_equal(key_of(&source), "first-key");
    advance(&source, 1);
    assert_string_equal(key_of(&source), "second-key");
    assert_int_equal(credentials_generation(source.credentials), 2);
    key_write(&source, "second-key", ",\"SecurityToken\":\"token\"");
    advance(&source, 2000);
    assert_int_equal(credentials_generation(source.credentials), 3);
    /* Broken or away: the old one stays, and the next good one is taken. */
    file_write(source.path, "{\"AccessKeyId\":");
    advance(&source, 2000);
    unlink(source.path);
    advance(&source, 2000);
    assert_int_equal(credentials_generation(source.credentials), 3);
    assert_false(credentials_failed(source.credentials, &error));
    key_write(&source, "third-key", "");
    advance(&source, 2000);
    assert_string_equal(key_of(&source), "third-key");
    source_stop(&source);
}

static void test_a_start_without_a_file_fails_after_three_tries(void **state UNUSED)
{
    struct source source;
    struct error error;

    source_start(&source, NULL, 0);
    advance(&source, 0);
    assert_false(credentials_failed(source.credentials, &error));
    advance(&source, 1000);
    assert_false(credentials_failed(source.credentials, &error));
    advance(&source, 1000);
    assert_true(credentials_failed(source.credentials, &error));
    assert_non_null(strstr(error.text, source.path));
    assert_non_null(strstr(error.text, "No such file"));
    assert_int_equal(error.kind, ERROR_FATAL);
    key_write(&source, "late-key", ""); /* somebody else writes it a moment later */
    advance(&source, 1000);
    assert_false(credentials_failed(source.credentials, &error));
    assert_string_equal(key_of(&source), "late-key");
    source_stop(&source);
}

#define COUNTING "n=$(cat \"$0\" 2>/dev/null || echo 0); n=$((n+1)); echo $n > \"$0\"; "
#define PRINT "printf '{\"mode\":\"StsToken\",\"access_key_id\":\"id\",\"access_key_secret\":\"key-%d\",\"sts_token\":\"t\"%s}' $n "

static void test_a_refusal_reads_once(void **state UNUSED)
{
    struct source source;
    char advice[400];

    source_start(&source, NULL, 0);
    key_write(&source, "first-key", "");
    advance(&source, 0);
    /* Changed meanwhile: another generation is there at once, not after two seconds. */
    key_write(&source, "second-key", "");
    credentials_refused(source.credentials, 1, source.now_ms);
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_ASKED);
    advance(&source, 0);
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_RENEWED);
    assert_string_equal(key_of(&source), "second-key");
    credentials_refused(source.credentials, 1, source.now_ms); /* the answer to an older request */
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_RENEWED);
    /* Refused before the service took any: nobody wrote a new one. */
    credentials_refused(source.credentials, 2, source.now_ms);
    assert_int_equal(credentials_hope(source.credentials, 2), CREDENTIALS_HOPELESS);
    credentials_advise(source.credentials, advice, sizeof(advice));
    assert_non_null(strstr(advice, "others, which the service refuses as well"));
    source_stop(&source);
}

static void test_the_same_ones_are_no_answer_to_a_refusal(void **state UNUSED)
{
    struct source source;
    char advice[400];

    source_start(&source, NULL, 0);
    key_write(&source, "first-key", "");
    advance(&source, 0);
    credentials_refused(source.credentials, 1, source.now_ms);
    advance(&source, 0);
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_HOPELESS);
    credentials_advise(source.credentials, advice, sizeof(advice));
    assert_non_null(strstr(advice, "read again and gave the same credentials"));
    credentials_refused(source.credentials, 1, source.now_ms); /* no endless asking */
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_HOPELESS);
    source_stop(&source);
}

/* What the service took before may have been changed there first: the file is read again for ten minutes. */
static void test_what_worked_before_is_asked_for_again(void **state UNUSED)
{
    struct source source;
    char advice[400];
    int64_t refused_ms;

    source_start(&source, NULL, 0);
    key_write(&source, "first-key", "");
    advance(&source, 0);
    credentials_accepted(source.credentials, 1);
    credentials_refused(source.credentials, 1, source.now_ms);
    credentials_accepted(source.credentials, 1); /* the answer to what was sent before */
    for (int i = 0; i < 100; i++) {
        advance(&source, i ? 2000 : 0);
        assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_ASKED);
        assert_int_equal(credentials_deadline(source.credentials) - source.now_ms, 2000);
    }
    key_write(&source, "second-key", "");
    advance(&source, 2000);
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_RENEWED);
    /* Another half of the change is missing, and comes. */
    credentials_refused(source.credentials, 2, source.now_ms);
    assert_int_equal(credentials_hope(source.credentials, 2), CREDENTIALS_ASKED);
    key_write(&source, "third-key", "");
    advance(&source, 2000);
    assert_int_equal(credentials_hope(source.credentials, 2), CREDENTIALS_RENEWED);
    credentials_accepted(source.credentials, 3);
    /* Nobody writes a new one this time. */
    credentials_refused(source.credentials, 3, source.now_ms);
    refused_ms = source.now_ms;
    while (credentials_hope(source.credentials, 3) == CREDENTIALS_ASKED)
        advance(&source, credentials_deadline(source.credentials) - source.now_ms);
    assert_int_equal(source.now_ms - refused_ms, CREDENTIALS_GRACE_MS);
    assert_int_equal(credentials_hope(source.credentials, 3), CREDENTIALS_HOPELESS);
    credentials_advise(source.credentials, advice, sizeof(advice));
    assert_non_null(strstr(advice, "read again and gave the same credentials"));
    source_stop(&source);
}

/* A command that gives a fresh one each time, none of which is taken, is asked every half minute. */
static void test_fresh_ones_that_are_refused_end_it_in_time(void **state UNUSED)
{
    struct source source;
    unsigned generation;

    source_start(&source, COUNTING PRINT "''", 60000);
    settle(&source);
    credentials_accepted(source.credentials, 1);
    for (generation = 1; generation < 100; generation++) {
        credentials_refused(source.credentials, generation, source.now_ms);
        if (credentials_hope(source.credentials, generation) == CREDENTIALS_HOPELESS)
            break;
        if (credentials_deadline(source.credentials) > source.now_ms)
            advance(&source, credentials_deadline(source.credentials) - source.now_ms);
        settle(&source);
        assert_int_equal(credentials_hope(source.credentials, generation), CREDENTIALS_RENEWED);
    }
    assert_in_range(generation, 10, 22);
    source_stop(&source);
}

static void test_a_half_written_file_is_no_answer_to_a_refusal(void **state UNUSED)
{
    struct source source;

    source_start(&source, NULL, 0);
    key_write(&source, "first-key", "");
    advance(&source, 0);
    credentials_accepted(source.credentials, 1);
    file_write(source.path, "{\"AccessKeyId\":");
    credentials_refused(source.credentials, 1, source.now_ms);
    advance(&source, 0);
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_ASKED);
    key_write(&source, "second-key", "");
    advance(&source, 1000);
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_RENEWED);
    assert_string_equal(key_of(&source), "second-key");
    source_stop(&source);
}

static void test_a_command_runs_again_before_the_end(void **state UNUSED)
{
    static const struct {
        int64_t left_ms, again_ms;
    } cases[] = {
        {60 * 60 * 1000, 55 * 60 * 1000}, /* five minutes before */
        {8 * 60 * 1000, 4 * 60 * 1000},   /* with half of the time left */
        {3000, 1500},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *script = xasprintf("%s',\"expiration\":%lld'", COUNTING PRINT, (long long)(wall_ms + cases[i].left_ms) / 1000);
        struct source source;

        source_start(&source, script, 0);
        settle(&source);
        assert_string_equal(key_of(&source), "key-1");
        assert_in_range(credentials_deadline(source.credentials) - source.now_ms, cases[i].again_ms - 1000, cases[i].again_ms);
        advance(&source, credentials_deadline(source.credentials) - source.now_ms);
        settle(&source);
        assert_string_equal(key_of(&source), "key-2");
        source_stop(&source);
        free(script);
    }
}

static void test_a_command_without_an_end_runs_at_an_interval_and_when_refused(void **state UNUSED)
{
    struct source source;

    source_start(&source, COUNTING PRINT "''", 60000);
    settle(&source);
    assert_string_equal(key_of(&source), "key-1");
    assert_int_equal(credentials_deadline(source.credentials) - source.now_ms, 60000);
    credentials_refused(source.credentials, 1, source.now_ms);
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_ASKED);
    settle(&source);
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_RENEWED);
    assert_string_equal(key_of(&source), "key-2");
    source_stop(&source);
}

/* The first run gives a key, the later ones fail: what is at hand stays in use until the service refuses it. */
static void test_a_failing_command_leaves_what_was_there(void **state UNUSED)
{
    struct source source;
    struct error error;
    char advice[400];

    source_start(&source, COUNTING "[ $n = 1 ] || { echo role is gone >&2; exit 4; }; " PRINT "''", 60000);
    settle(&source);
    advance(&source, 60000);
    settle(&source);
    assert_string_equal(key_of(&source), "key-1");
    assert_false(credentials_failed(source.credentials, &error));
    assert_int_equal(credentials_deadline(source.credentials) - source.now_ms, 30000); /* tried again sooner than it would be due */
    credentials_refused(source.credentials, 1, source.now_ms);
    settle(&source);
    for (int failures = 2; failures < 6; failures++) { /* it may be over in a moment */
        assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_ASKED);
        advance(&source, 1000 << (failures - 1));
        settle(&source);
    }
    assert_int_equal(credentials_hope(source.credentials, 1), CREDENTIALS_HOPELESS);
    credentials_advise(source.credentials, advice, sizeof(advice));
    assert_string_equal(advice, "and new credentials could not be read: the command sh ended with status 4: role is gone");
    source_stop(&source);
}

static void test_a_command_that_never_gives_any(void **state UNUSED)
{
    static const struct {
        const char *script, *text;
        enum error_kind kind;
    } cases[] = {
        {"echo down >&2; exit 1", "the command sh ended with status 1: down", ERROR_RETRY},
        {"echo AccessKeySecret=hush", "what the command sh printed: is no JSON: line 1", ERROR_FATAL},
        {"true", "what the command sh printed: is empty", ERROR_FATAL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct source source;
        struct error error = {0};

        source_start(&source, cases[i].script, 0);
        settle(&source);
        while (!credentials_failed(source.credentials, &error)) {
            advance(&source, credentials_deadline(source.credentials) - source.now_ms);
            settle(&source);
        }
        assert_in_range(source.now_ms, 1000 + 2000, 10000); /* three tries with pauses between them */
        if (!strstr(error.text, cases[i].text) || strstr(error.text, "hush") || error.kind != cases[i].kind)
            fail_msg("%s: kind %d: %s", cases[i].script, (int)error.kind, error.text);
        source_stop(&source);
    }
}

/* What is in use, and what was in use just before, never shows in a line; what is older is not searched for any more. */
static void test_secrets_are_told_to_the_log(void **state UNUSED)
{
    char text[] = "key-one-1 token-one key-two-2 key-three", later[] = "key-one-1 key-two-2 key-three";
    struct source source;

    source_start(&source, NULL, 0);
    key_write(&source, "key-one-1", ",\"SecurityToken\":\"token-one\"");
    advance(&source, 0);
    key_write(&source, "key-two-2", "");
    advance(&source, 2000);
    log_redact(text);
    assert_string_equal(text, "*** *** *** key-three");
    key_write(&source, "key-three", "");
    advance(&source, 2000);
    log_redact(later);
    assert_string_equal(later, "key-one-1 *** ***");
    source_stop(&source);
}

static void test_fixed_ones_cannot_be_renewed(void **state UNUSED)
{
    struct credentials *credentials = credentials_fixed("id", "key", "token");
    char advice[400];

    credentials_step(credentials, 0, 0);
    assert_int_equal(credentials_deadline(credentials), INT64_MAX);
    credentials_refused(credentials, 1, 0);
    assert_int_equal(credentials_hope(credentials, 1), CREDENTIALS_HOPELESS);
    credentials_advise(credentials, advice, sizeof(advice));
    assert_non_null(strstr(advice, "whether its security_token has ended"));
    credentials_free(credentials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_a_file_is_read_again_when_it_changes),
        cmocka_unit_test(test_a_start_without_a_file_fails_after_three_tries),
        cmocka_unit_test(test_a_refusal_reads_once),
        cmocka_unit_test(test_a_half_written_file_is_no_answer_to_a_refusal),
        cmocka_unit_test(test_the_same_ones_are_no_answer_to_a_refusal),
        cmocka_unit_test(test_what_worked_before_is_asked_for_again),
        cmocka_unit_test(test_fresh_ones_that_are_refused_end_it_in_time),
        cmocka_unit_test(test_a_command_runs_again_before_the_end),
        cmocka_unit_test(test_a_command_without_an_end_runs_at_an_interval_and_when_refused),
        cmocka_unit_test(test_a_failing_command_leaves_what_was_there),
        cmocka_unit_test(test_a_command_that_never_gives_any),
        cmocka_unit_test(test_secrets_are_told_to_the_log),
        cmocka_unit_test(test_fixed_ones_cannot_be_renewed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
