/* kafka_login_test.c: what a log-in that is refused means, tokens, and secrets that are read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kafka/login.h"
#include "kafka/refusal.h"
#include "kafka/token.h"
#include "util/clock.h"
#include "util/tree.h"

static void refusals(void **state)
{
    static const struct {
        const char *what;
        rd_kafka_resp_err_t code;
        const char *text, *certificate;
        bool has_certificate;
        enum error_kind kind; /* ERROR_NONE: about something else */
        const char *expected;
    } cases[] = {
        {"a password", RD_KAFKA_RESP_ERR__AUTHENTICATION, "SASL authentication error: Authentication failed", "", false, ERROR_FATAL,
         "refuse the log-in"},
        {"a mechanism", RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, "Broker: Unsupported SASL mechanism", "", false, ERROR_FATAL,
         "correct the sasl properties"},
        {"a place of tokens that is away", RD_KAFKA_RESP_ERR__AUTHENTICATION,
         "Failed to acquire SASL OAUTHBEARER token: Failed to connect to 127.0.0.1 port 1", "", false, ERROR_RETRY,
         "there is no token for the log-in to the Kafka brokers: Failed to connect"},
        {"a place of tokens that refuses", RD_KAFKA_RESP_ERR__AUTHENTICATION,
         "Failed to acquire SASL OAUTHBEARER token: {\"error\": \"invalid_client\"}", "", false, ERROR_FATAL, "invalid_client"},
        {"a broker that nobody vouches for", RD_KAFKA_RESP_ERR__SSL, "SSL handshake failed: error:0A000086: certificate verify failed",
         "self-signed certificate (broker b)", false, ERROR_FATAL, "not accepted: self-signed certificate (broker b); correct ssl.ca.location"},
        {"one, told by the connection", RD_KAFKA_RESP_ERR__TRANSPORT,
         "ssl://localhost:1/bootstrap: error:0A000086:SSL routines::certificate verify failed (after 20ms in state SSL_HANDSHAKE)",
         "certificate has expired (broker b)", false, ERROR_FATAL, "not accepted: certificate has expired (broker b)"},
        {"no TLS, told by the connection", RD_KAFKA_RESP_ERR__TRANSPORT, "error:0A00010B:SSL routines::wrong version number", "", false,
         ERROR_FATAL, "do not speak TLS"},
        {"a broker of another name", RD_KAFKA_RESP_ERR__SSL, "SSL handshake failed: error:0A000086: certificate verify failed",
         "hostname mismatch (broker b)", false, ERROR_FATAL, "correct the name in brokers"},
        {"a broker, and no reason", RD_KAFKA_RESP_ERR__SSL, "Failed to verify broker certificate: unable", "", false, ERROR_FATAL,
         "is not accepted: Failed to verify"},
        {"our certificate, by TLS 1.3", RD_KAFKA_RESP_ERR__TRANSPORT, "Receive failed: sslv3 alert bad certificate: SSL alert number 42",
         "", true, ERROR_FATAL, "refuse the certificate that the job shows"},
        {"our certificate, expired", RD_KAFKA_RESP_ERR__SSL, "SSL handshake failed: sslv3 alert certificate expired", "", true,
         ERROR_FATAL, "refuse the certificate"},
        {"no certificate of ours", RD_KAFKA_RESP_ERR__TRANSPORT, "Receive failed: tlsv13 alert certificate required", "", false,
         ERROR_FATAL, "want a certificate of the client"},
        {"no TLS at all", RD_KAFKA_RESP_ERR__SSL, "SSL handshake failed: error:0A00010B: wrong version number", "", false, ERROR_FATAL,
         "do not speak TLS"},
        {"another TLS", RD_KAFKA_RESP_ERR__SSL, "SSL handshake failed: tlsv1 alert protocol version", "", false, ERROR_FATAL,
         "no version of TLS or cipher in common"},
        {"a handshake cut off", RD_KAFKA_RESP_ERR__TRANSPORT, "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker "
         "listener?", "", true, ERROR_NONE, ""},
        {"a handshake that failed otherwise", RD_KAFKA_RESP_ERR__SSL, "SSL handshake failed: unexpected eof while reading", "", true,
         ERROR_NONE, ""},
        {"a log-in cut off", RD_KAFKA_RESP_ERR__AUTHENTICATION, "SASL PLAIN mechanism handshake failed: Local: Broker transport failure",
         "", false, ERROR_NONE, ""},
        {"a broker that is down", RD_KAFKA_RESP_ERR__TRANSPORT, "Connect to ipv4#127.0.0.1:1 failed: Connection refused", "", true,
         ERROR_NONE, ""},
        {"a missing right", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "Broker: Topic authorization failed", "", false, ERROR_NONE,
         ""},
    };
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kafka_refusal_facts facts = {.brokers = "b:1", .certificate = cases[i].certificate,
                                            .has_certificate = cases[i].has_certificate, .certificate_ends = ""};
        struct error error = {0};
        bool about = kafka_refusal(cases[i].code, cases[i].text, &facts, &error);

        if (about == (cases[i].kind != ERROR_NONE) && error.kind == cases[i].kind && strstr(error.text, cases[i].expected))
            continue;
        print_error("%s: kind %d: %s\n", cases[i].what, error.kind, error.text);
        failed++;
    }
    assert_int_equal(failed, 0);
}

/* Base64url of {"sub":"me","exp":4102444800}, {"exp":"x"}, {"sub":"me"} and {"exp":1e300} */
static void tokens(void **state)
{
    static const struct {
        const char *what, *text;
        const char *expected; /* the error; NULL: none */
    } cases[] = {
        {"a token with a line's end", "h.eyJzdWIiOiJtZSIsImV4cCI6NDEwMjQ0NDgwMH0.s\n", NULL},
        {"nothing", " \n", "there is no token in it"},
        {"two parts", "h.eyJzdWIiOiJtZSIsImV4cCI6NDEwMjQ0NDgwMH0", "is no signed token"},
        {"letters of another alphabet", "h.ey*J.s", "is no signed token"},
        {"no JSON", "h.bm9uZQ.s", "no claim \"exp\""},
        {"exp is a text", "h.eyJleHAiOiJ4In0.s", "no claim \"exp\""},
        {"no exp", "h.eyJzdWIiOiJtZSJ9.s", "no claim \"exp\""},
        {"exp is out of all range", "h.eyJleHAiOjFlMzAwfQ.s", "no claim \"exp\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kafka_token token;
        struct error error = {0};
        bool ok = kafka_token_parse(str_of(cases[i].text), &token, &error);

        if (ok != !cases[i].expected || (cases[i].expected && !strstr(error.text, cases[i].expected)))
            fail_msg("%s: %s", cases[i].what, error.text);
        assert_null(strstr(error.text, "eyJ"));
        if (ok) {
            assert_string_equal(token.subject, "me");
            assert_true(token.expires_ms == 4102444800000);
            assert_string_equal(token.text, "h.eyJzdWIiOiJtZSIsImV4cCI6NDEwMjQ0NDgwMH0.s");
        }
        kafka_token_release(&token);
    }
}

static void a_token_from_a_command(void **state)
{
    char *good[] = {(char *)"printf", (char *)"h.eyJzdWIiOiJtZSIsImV4cCI6NDEwMjQ0NDgwMH0.s", NULL};
    char *expired[] = {(char *)"printf", (char *)"h.eyJzdWIiOiJtZSIsImV4cCI6MTAwMDAwMDAwMH0.s", NULL};
    char *fails[] = {(char *)"false", NULL};
    char *lasts[] = {(char *)"sleep", (char *)"60", NULL};
    struct job_token from = {.command = good};
    atomic_bool stop = false, stopped = true;
    struct kafka_token token;
    struct error error = {0};
    int64_t begin_ms = clock_monotonic_ms();

    (void)state;
    assert_true(kafka_token_read(&from, &stop, &token, &error));
    kafka_token_release(&token);
    from.command = expired;
    assert_false(kafka_token_read(&from, &stop, &token, &error));
    assert_int_equal(error.kind, ERROR_RETRY);
    assert_non_null(strstr(error.text, "has expired"));
    from.command = fails;
    assert_false(kafka_token_read(&from, &stop, &token, &error));
    assert_int_equal(error.kind, ERROR_RETRY);
    from.command = lasts;
    assert_false(kafka_token_read(&from, &stopped, &token, &error));
    assert_non_null(strstr(error.text, "the job stops"));
    assert_true(clock_monotonic_ms() - begin_ms < KAFKA_TOKEN_COMMAND_MS);
}

static void the_first_refusal_ends_a_job_that_was_never_let_in(void **state)
{
    struct job_kafka cluster = {.brokers = (char *)"b:1"};
    struct kafka_login *login = kafka_login_new(&cluster, NULL, 0, NULL, NULL);
    struct error error;

    (void)state;
    assert_true(kafka_login_error(login, RD_KAFKA_RESP_ERR__AUTHENTICATION, "no", 0, &error));
    assert_int_equal(error.kind, ERROR_FATAL);
    assert_false(kafka_login_error(login, RD_KAFKA_RESP_ERR__TRANSPORT, "gone", 0, &error));
    assert_int_equal(kafka_login_deadline(login), INT64_MAX);
    kafka_login_free(login);
}

/* When it is refused, in ms, and whether that ends the job. Once it was let in. */
static void later_ones_are_borne_for_a_while(void **state)
{
    static const struct {
        int64_t ms;
        bool fatal;
    } times[] = {
        {1000, false}, {60000, false}, {120000, false}, {180000, false}, {240000, false}, {300000, false}, {360000, false},
        {420000, false}, {480000, false}, {540000, false}, {600999, false}, {601000, true},
        /* After a quiet time it is another story. */
        {601000 + KAFKA_LOGIN_QUIET_MS + 1, false}, {700000, false},
    };
    struct job_kafka cluster = {.brokers = (char *)"b:1"};
    struct kafka_login *login = kafka_login_new(&cluster, NULL, 0, NULL, NULL);
    struct error error;

    (void)state;
    kafka_login_let_in(login);
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        assert_true(kafka_login_error(login, RD_KAFKA_RESP_ERR__AUTHENTICATION, "no", times[i].ms, &error));
        if ((error.kind == ERROR_FATAL) != times[i].fatal)
            fail_msg("at %lld ms: kind %d", (long long)times[i].ms, error.kind);
        assert_true(kafka_login_is_refused(login));
    }
    assert_false(kafka_login_error(login, RD_KAFKA_RESP_ERR__AUTHENTICATION, "Request not valid in current SASL state", 0, &error));
    assert_int_equal(kafka_login_step(login, 700000 + KAFKA_LOGIN_QUIET_MS), 0);
    assert_true(kafka_login_is_refused(login));
    assert_int_equal(kafka_login_step(login, 700000 + KAFKA_LOGIN_QUIET_MS + 1), 0);
    assert_false(kafka_login_is_refused(login));
    kafka_login_free(login);
}

/* --- files --- */

static char directory[64];

static void file_write(const char *name, const char *text)
{
    char path[128], new[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    snprintf(new, sizeof(new), "%s/new", directory);
    file = fopen(new, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(new, path), 0);
}

static void file_remove(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
}

static struct tree_node written(const char *text)
{
    return (struct tree_node){.kind = TREE_SCALAR, .text = str_of("x"), .written = str_of(text)};
}

static const char *value_of(const struct kafka_login *login, const char *name)
{
    size_t count;
    const struct job_property *properties = kafka_login_properties(login, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(properties[i].name, name) == 0)
            return properties[i].value;
    return "";
}

/* A change is seen with one look, and taken with the next that sees no other. */
static unsigned changed(struct kafka_login *login, int64_t *now_ms)
{
    unsigned first = kafka_login_step(login, *now_ms += KAFKA_LOGIN_LOOK_MS);

    assert_int_equal(first, 0);
    assert_int_equal(kafka_login_step(login, *now_ms + KAFKA_LOGIN_LOOK_MS - 1), 0); /* not before it is time */
    return kafka_login_step(login, *now_ms += KAFKA_LOGIN_LOOK_MS);
}

static void secrets_are_read_again(void **state)
{
    struct tree_node password = written("a${file:password}"), key = written("${file:key}");
    char *certificate, *token;
    int64_t now_ms = 5000;
    struct kafka_login *login;
    struct job_kafka cluster = {.name = (char *)"k", .brokers = (char *)"b:1"};

    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/kafka_login_test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    certificate = xasprintf("%s/certificate", directory);
    cluster.token.file = token = xasprintf("%s/token", directory);
    file_write("password", "one\n");
    file_write("key", "kone");
    file_write("certificate", "cone");
    file_write("token", "tone");
    {
        struct job_property properties[] = {
            {(char *)"sasl.username", (char *)"u", {0}, NULL, NULL},
            {(char *)"sasl.password", (char *)"azero", {0}, &password, directory}, /* when the job was read */
            {(char *)"ssl.key.password", (char *)"kone", {0}, &key, directory},
            {(char *)"ssl.certificate.location", certificate, {0}, NULL, NULL},
        };

        login = kafka_login_new(&cluster, properties, COUNT_OF(properties), NULL, NULL);
    }
    assert_string_equal(value_of(login, "sasl.password"), "aone");
    assert_int_equal(kafka_login_step(login, now_ms), 0);
    assert_true(kafka_login_deadline(login) == now_ms + KAFKA_LOGIN_LOOK_MS);
    assert_int_equal(changed(login, &now_ms), 0);

    file_write("password", "two\n");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_PASSWORD);
    assert_string_equal(value_of(login, "sasl.password"), "atwo");
    file_write("password", "two");
    assert_int_equal(changed(login, &now_ms), 0); /* the same secret */
    file_write("key", "ktwo");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_CLIENT);
    assert_string_equal(value_of(login, "ssl.key.password"), "ktwo");
    file_write("certificate", "cone");
    assert_int_equal(changed(login, &now_ms), 0); /* another file, the same content */
    file_write("certificate", "ctwo");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_CLIENT);
    file_write("token", "ttwo");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_TOKEN);

    /* Still moving: not yet taken. */
    file_write("password", "three");
    assert_int_equal(kafka_login_step(login, now_ms += KAFKA_LOGIN_LOOK_MS), 0);
    file_write("certificate", "cthree");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_PASSWORD | KAFKA_LOGIN_CLIENT);

    /* What is gone leaves all as it was, also what could be read. */
    file_write("key", "kthree");
    file_remove("password");
    assert_int_equal(changed(login, &now_ms), 0);
    assert_string_equal(value_of(login, "sasl.password"), "athree");
    assert_string_equal(value_of(login, "ssl.key.password"), "ktwo");
    file_write("password", "four");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_PASSWORD | KAFKA_LOGIN_CLIENT);
    kafka_login_free(login);

    file_remove("password");
    file_remove("key");
    file_remove("certificate");
    file_remove("token");
    rmdir(directory);
    free(certificate);
    free(token);
}

/* One secret in two places, of which one changes twice: the log still has to hide it. */
static void a_secret_that_is_still_in_use_is_not_forgotten(void **state)
{
    struct tree_node password = written("${file:password}");
    struct job_kafka cluster = {.name = (char *)"k", .brokers = (char *)"b:1"};
    char line[] = "it is shared-secret", gone[] = "it is second-secret";
    struct kafka_login *login;
    int64_t now_ms = 5000;

    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/kafka_login_test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    file_write("password", "shared-secret");
    log_secret("shared-secret"); /* by whoever read the job */
    {
        struct job_property properties[] = {
            {(char *)"sasl.password", (char *)"shared-secret", {0}, &password, directory},
            {(char *)"ssl.key.password", (char *)"shared-secret", {0}, NULL, NULL},
        };

        login = kafka_login_new(&cluster, properties, COUNT_OF(properties), NULL, NULL);
    }
    assert_int_equal(kafka_login_step(login, now_ms), 0);
    file_write("password", "second-secret");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_PASSWORD);
    file_write("password", "third-secret");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_PASSWORD);
    file_write("password", "fourth-secret");
    assert_int_equal(changed(login, &now_ms), KAFKA_LOGIN_PASSWORD);
    log_redact(line);
    assert_string_equal(line, "it is ***");
    log_redact(gone);
    assert_string_equal(gone, "it is second-secret");
    kafka_login_free(login);
    file_remove("password");
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(tokens),
        cmocka_unit_test(a_token_from_a_command),
        cmocka_unit_test(the_first_refusal_ends_a_job_that_was_never_let_in),
        cmocka_unit_test(later_ones_are_borne_for_a_while),
        cmocka_unit_test(secrets_are_read_again),
        cmocka_unit_test(a_secret_that_is_still_in_use_is_not_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
