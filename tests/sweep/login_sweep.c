/* login_sweep.c: what a job shows to both services: tokens, passwords, certificates and credentials, from files and from
 * commands, read once and read again. A secret is taken whole or not at all, what is in use stays in use, and a change that could
 * not be read is read once it can be. No text of an error has a secret in it. librdkafka itself asserts that it has memory. */
#include "sweep/sweep.h"

#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kafka/login.h"
#include "kafka/names.h"
#include "kafka/refusal.h"
#include "kafka/token.h"
#include "kafka/trial.h"
#include "local/mock_kafka.h"
#include "maxcompute/credentials.h"
#include "maxcompute/trust.h"
#include "source/kafka.h"
#include "util/clock.h"
#include "util/command.h"

#define WORD(text) ((char *)(uintptr_t)(text)) /* an argument list is not const, by an old habit of C */
/* {"sub":"me","exp":4102444800} */
#define TOKEN "h.eyJzdWIiOiJtZSIsImV4cCI6NDEwMjQ0NDgwMH0.secret"

enum { WAIT_MS = 20000, LOOKS = 12 };

static const char one[] = "{\"AccessKeyId\":\"i1\",\"AccessKeySecret\":\"secret-one\"}";
static const char two[] = "{\"AccessKeyId\":\"i2\",\"AccessKeySecret\":\"secret-two\",\"Expiration\":\"2100-01-01T00:00:00Z\"}";

/* Puts another file in the place of one, as those do who rotate secrets. */
static void replace(const char *name, const char *text)
{
    char path[128], from[128];

    snprintf(path, sizeof(path), "%s/%s", sweep_folder(), name);
    snprintf(from, sizeof(from), "%s", sweep_file("new", text));
    SWEEP_CHECK(rename(from, path) == 0);
}

/* --- commands and tokens --- */

static bool command(struct error *error)
{
    char *arguments[] = {WORD("sh"), WORD("-c"), WORD("printf 'some words'; printf noise >&2"), NULL};
    int64_t end_ms = clock_monotonic_ms() + WAIT_MS;
    enum command_state state = COMMAND_FAILED;
    struct command *child = NULL;

    fault_on();
    if (command_start(&child, arguments, WAIT_MS, clock_monotonic_ms(), error)) {
        while ((state = command_step(child, clock_monotonic_ms(), error)) == COMMAND_RUNS && clock_monotonic_ms() < end_ms)
            poll(NULL, 0, 2);
        if (state == COMMAND_DONE)
            SWEEP_CHECK(str_is(command_output(child), "some words"));
        else
            SWEEP_CHECK(state == COMMAND_FAILED);
    }
    command_free(child);
    fault_off();
    return state == COMMAND_DONE;
}

static bool token(const struct job_token *from, struct error *error)
{
    struct kafka_token token = {0};
    atomic_bool stop = false;
    bool ok;

    fault_on();
    ok = kafka_token_read(from, &stop, &token, error);
    fault_off();
    SWEEP_CHECK(!ok || (strcmp(token.text, TOKEN) == 0 && strcmp(token.subject, "me") == 0));
    SWEEP_CHECK(ok || !strstr(error->text, "secret"));
    kafka_token_release(&token);
    return ok;
}

static bool token_file(struct error *error)
{
    return token(&(struct job_token){.file = WORD(sweep_file("token", TOKEN "\n"))}, error);
}

static bool token_command(struct error *error)
{
    char *arguments[] = {WORD("echo"), WORD(TOKEN), NULL};

    return token(&(struct job_token){.command = arguments}, error);
}

/* --- the log-in to Kafka --- */

static const char *value_of(const struct kafka_login *login, size_t index)
{
    size_t count;

    return kafka_login_properties(login, &count)[index].value;
}

/* A password that changes while the job runs; it is looked at for a while, as a hub does. */
static bool login(struct error *error)
{
    struct tree_node password = {.kind = TREE_SCALAR, .text = STR("x"), .written = STR("${file:password}")};
    struct job_kafka cluster = {.name = WORD("k"), .brokers = WORD("b:1")};
    struct kafka_login *login;
    char certificate[128];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned changed = 0;
    int64_t now_ms = 5000;

    (void)EVP_Digest("", 0, digest, NULL, EVP_sha256(), NULL); /* what OpenSSL sets up once is not ours */
    (void)sweep_file("password", "secret-one");
    snprintf(certificate, sizeof(certificate), "%s", sweep_file("certificate", "one"));
    cluster.token.file = WORD(sweep_file("token", TOKEN));
    {
        struct job_property properties[] = {
            {WORD("sasl.username"), WORD("u"), {0}, NULL, NULL},
            {WORD("sasl.password"), WORD("secret-one"), {0}, &password, sweep_folder()},
            {WORD("ssl.certificate.location"), certificate, {0}, NULL, NULL},
        };

        fault_on();
        login = kafka_login_new(&cluster, properties, COUNT_OF(properties), NULL, NULL);
        fault_off();
    }
    replace("password", "secret-two");
    replace("certificate", "two");
    fault_on();
    for (int i = 0; i < LOOKS; i++)
        changed |= kafka_login_step(login, now_ms += KAFKA_LOGIN_LOOK_MS);
    fault_off();
    SWEEP_CHECK(strcmp(value_of(login, 1), changed & KAFKA_LOGIN_PASSWORD ? "secret-two" : "secret-one") == 0);
    for (int i = 0; i < LOOKS; i++)
        changed |= kafka_login_step(login, now_ms += KAFKA_LOGIN_LOOK_MS);
    SWEEP_CHECK(strcmp(value_of(login, 1), "secret-two") == 0);
    kafka_login_free(login);
    return changed == (KAFKA_LOGIN_PASSWORD | KAFKA_LOGIN_CLIENT) ||
           error_set(error, ERROR_RETRY, "what changed was told as bits %u", changed);
}

static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    (void)rk, (void)code, (void)text, (void)opaque;
}

static rd_kafka_t *client_make(struct kafka_login *login, const char *brokers, struct error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk = NULL;
    char text[512];

    rd_kafka_conf_set_error_cb(conf, on_error);
    kafka_login_conf(login, conf);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (rk) {
        kafka_login_begin(login, rk);
        return rk;
    }
    rd_kafka_conf_destroy(conf);
    error_set(error, ERROR_CONFIG, "%s", text);
    return NULL;
}

/* A second client is tried beside the first, and takes its place. */
static bool trial(struct error *error)
{
    struct mock_kafka_options options = {.topic = "orders", .partitions = 1, .group = "g", .records = 1, .seed = 1};
    struct job_kafka cluster = {.name = WORD("k")};
    struct kafka_disposal *disposals = NULL;
    struct kafka_trial trial = {0};
    struct kafka_login *login;
    struct mock_kafka *kafka;
    rd_kafka_queue_t *answers;
    rd_kafka_t *first, *second;
    int64_t end_ms = clock_monotonic_ms() + WAIT_MS;
    enum kafka_trial_state state = KAFKA_TRIAL_NONE;

    SWEEP_CHECK(mock_kafka_start(&kafka, &options, error));
    cluster.brokers = WORD(mock_kafka_brokers(kafka));
    fault_on();
    login = kafka_login_new(&cluster, NULL, 0, NULL, NULL);
    first = client_make(login, cluster.brokers, error);
    second = first ? client_make(login, cluster.brokers, error) : NULL;
    if (second) {
        kafka_trial_begin(&trial, second, "orders", clock_monotonic_ms());
        while ((state = kafka_trial_step(&trial, login, clock_monotonic_ms())) == KAFKA_TRIAL_RUNS &&
               clock_monotonic_ms() < end_ms)
            poll(NULL, 0, 2);
        if (state == KAFKA_TRIAL_LET_IN) {
            kafka_dispose(&disposals, first);
            first = kafka_trial_take(&trial, &answers);
            rd_kafka_queue_destroy(answers);
        } else {
            SWEEP_CHECK(state == KAFKA_TRIAL_REFUSED);
            *error = trial.error;
        }
        kafka_trial_end(&trial, &disposals);
    }
    kafka_login_stop(login);
    if (first)
        kafka_dispose(&disposals, first);
    kafka_disposals_join(&disposals);
    kafka_login_free(login);
    fault_off();
    mock_kafka_stop(kafka);
    return state == KAFKA_TRIAL_LET_IN;
}

/* What needs no broker: names, values and refusals. */
static bool words(struct error *error)
{
    struct kafka_refusal_facts facts = {
        .brokers = "b:1", .certificate = "self-signed certificate (broker b)", .certificate_ends = ""};
    struct error refused = {0}, checked = {0};
    char hint[200] = "";
    bool right, wrong;

    fault_on();
    right = kafka_property_check("socket.timeout.ms", "60000", error);
    wrong = !kafka_property_check("sokcet.timeout.ms", "60000", &checked);
    kafka_name_hint("sokcet.timeout.ms", hint, sizeof(hint));
    SWEEP_CHECK(kafka_refusal(RD_KAFKA_RESP_ERR__SSL, "certificate verify failed", &facts, &refused));
    fault_off();
    SWEEP_CHECK(wrong && checked.text[0] && strstr(refused.text, "self-signed"));
    return right && (strstr(hint, "socket.timeout.ms") || error_set(error, ERROR_RETRY, "no name is proposed"));
}

/* --- credentials and certificates for MaxCompute --- */

static bool has(const struct credentials *credentials, const char *id)
{
    const struct credential *credential = credentials_get(credentials);

    return credential && strcmp(credential->access_id, id) == 0;
}

/* Steps until the id is there, for so many looks, or (a command) so long. */
static void look(struct credentials *credentials, const char *id, bool command, int64_t *now_ms)
{
    int64_t end_ms = clock_monotonic_ms() + 2000;

    for (int i = 0; !has(credentials, id) && (command ? clock_monotonic_ms() < end_ms : i < LOOKS); i++) {
        credentials_step(credentials, *now_ms, INT64_C(1704164645000));
        *now_ms = int64_max(*now_ms + 1, credentials_deadline(credentials));
        if (command)
            poll(NULL, 0, 2);
    }
}

static bool renewed(bool from_command, struct error *error)
{
    char path[128];
    char *arguments[] = {WORD("cat"), path, NULL};
    struct credentials_options options = {0};
    struct credentials *credentials;
    int64_t now_ms = 0;
    bool ok;

    snprintf(path, sizeof(path), "%s", sweep_file("key.json", one));
    if (from_command)
        options.command = arguments;
    else
        options.file = path;
    fault_on();
    credentials = credentials_new(&options);
    look(credentials, "i1", from_command, &now_ms);
    ok = has(credentials, "i1");
    if (ok) {
        fault_off();
        replace("key.json", two);
        fault_on();
        look(credentials, "i2", from_command, &now_ms);
        fault_off();
        ok = has(credentials, "i2") || error_set(error, ERROR_RETRY, "the new credentials were not taken");
        SWEEP_CHECK(ok || has(credentials, "i1"));
        look(credentials, "i2", from_command, &now_ms);
        SWEEP_CHECK(has(credentials, "i2"));
    } else {
        SWEEP_CHECK(credentials_awaited(credentials, error));
    }
    fault_off();
    SWEEP_CHECK(!strstr(error->text, "secret"));
    credentials_free(credentials);
    return ok;
}

static bool credentials_file(struct error *error)
{
    return renewed(false, error);
}

static bool credentials_command(struct error *error)
{
    return renewed(true, error);
}

/* Certificates of nobody, but well-formed. */
static const char certificate_one[] = "-----BEGIN CERTIFICATE-----\n"
                                      "MIIBdDCCARmgAwIBAgIUOYHti025lcNqrqvTiSUxMofLbMUwCgYIKoZIzj0EAwIw\n"
                                      "DjEMMAoGA1UEAwwDb25lMCAXDTI2MTEyNzE5NTUxOVoYDzIxMjYxMTAzMTk1NTE5\n"
                                      "WjAOMQwwCgYDVQQDDANvbmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR83oaI\n"
                                      "bLLEnfRr7Eh1jtHUTbqpgOrSK6Cto487gaK4qHsDyGnKTuTqtVf5PkSEjPWPBiZd\n"
                                      "a8t6ijpmoehKjC/no1MwUTAdBgNVHQ4EFgQUoY+I/ld3KMAK5h0YFLImgxt2KTgw\n"
                                      "HwYDVR0jBBgwFoAUoY+I/ld3KMAK5h0YFLImgxt2KTgwDwYDVR0TAQH/BAUwAwEB\n"
                                      "/zAKBggqhkjOPQQDAgNJADBGAiEA6xfKylcmXAeN6/aRIkDkv283cDtwHubv6EIe\n"
                                      "OVGu2AkCIQDx2O076fuMdvz3iSjRcEGmqp/13hP2CnL0u+KwRaE1Xw==\n"
                                      "-----END CERTIFICATE-----\n";
static const char certificate_two[] = "-----BEGIN CERTIFICATE-----\n"
                                      "MIIBczCCARmgAwIBAgIUbrqMyowCBhtjVSF24hSren5iEzMwCgYIKoZIzj0EAwIw\n"
                                      "DjEMMAoGA1UEAwwDdHdvMCAXDTI2MTEyNzE5NTUxOVoYDzIxMjYxMTAzMTk1NTE5\n"
                                      "WjAOMQwwCgYDVQQDDAN0d28wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQYCSf5\n"
                                      "SJgg9YqMxlmHrseVc8gkHHLCTNspFQnkAVfVtdYEhH1k7rktbA8iGmILDlm2Y9QL\n"
                                      "lL69iUY5spSEIAlCo1MwUTAdBgNVHQ4EFgQUokkOaB6qH2ILpEvZnwiFDf+24HEw\n"
                                      "HwYDVR0jBBgwFoAUokkOaB6qH2ILpEvZnwiFDf+24HEwDwYDVR0TAQH/BAUwAwEB\n"
                                      "/zAKBggqhkjOPQQDAgNIADBFAiBfFx9o9CpFngMaqF+gVwo71vPMUgQb0Ufj4/ir\n"
                                      "hQX/YQIhAMH4nRP6jDepohNy8R638ymGGevwhK1xSe4IU8tOvDUG\n"
                                      "-----END CERTIFICATE-----\n";

static bool certificates(struct error *error)
{
    const char *path = sweep_file("ca.pem", certificate_one);
    struct trust *trust;
    struct str bytes;
    bool ok = trust_check(path, error); /* as check does; and what OpenSSL sets up once is not ours */

    SWEEP_CHECK(ok);
    fault_on();
    trust = trust_new(path, NULL);
    bytes = trust_get(trust, error);
    ok = bytes.size > 0;
    SWEEP_CHECK(!ok || str_is(bytes, certificate_one));
    if (ok) {
        fault_off();
        replace("ca.pem", certificate_two);
        fault_on();
        /* The one at hand stays in use until the new one could be read. */
        for (int i = 0; i < LOOKS && !str_is(bytes, certificate_two); i++) {
            bytes = trust_get(trust, error);
            SWEEP_CHECK(str_is(bytes, certificate_one) || str_is(bytes, certificate_two));
        }
        fault_off();
        ok = str_is(bytes, certificate_two) || error_set(error, ERROR_RETRY, "the new certificates were not taken");
        SWEEP_CHECK(str_is(trust_get(trust, error), certificate_two));
    }
    fault_off();
    trust_free(trust);
    return ok;
}

static const struct sweep_case cases[] = {
    {.name = "command", .run = command, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "command_io", .run = command, .flags = SWEEP_IO},
    {.name = "token_file", .run = token_file, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "token_file_io", .run = token_file, .flags = SWEEP_IO},
    {.name = "token_command", .run = token_command, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "token_command_io", .run = token_command, .flags = SWEEP_IO},
    {.name = "login", .run = login, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "login_io", .run = login, .flags = SWEEP_IO},
    {.name = "trial", .run = trial, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 15},
    {.name = "trial_io", .run = trial, .flags = SWEEP_IO | SWEEP_ASSERTS, .points = 5},
    {.name = "words", .run = words, .flags = SWEEP_STOPS | SWEEP_ASSERTS, .points = 15},
    {.name = "credentials_file", .run = credentials_file, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "credentials_file_io", .run = credentials_file, .flags = SWEEP_IO},
    {.name = "credentials_command", .run = credentials_command, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "credentials_command_io", .run = credentials_command, .flags = SWEEP_IO},
    {.name = "certificates", .run = certificates, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "certificates_io", .run = certificates, .flags = SWEEP_IO},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
