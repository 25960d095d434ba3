/* login.c: see login.h.
 * Method: for each property the text that is written stands in the job's tree, so it can be resolved again; the result is
 * compared, and files that librdkafka reads itself (ssl.*.location) are compared by a digest of what is in them: where secrets
 * are mounted, all files of a folder are new when one has changed. */
#include "kafka/login.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "job/kafka_properties.h"
#include "job/resolve.h"
#include "kafka/refusal.h"
#include "kafka/token.h"
#include "util/file.h"

enum { CERTIFICATES_BYTES_MAX = 4 << 20, DIGEST_BYTES = 32 };

struct watched {
    char *path;
    struct file_stamp stamp;
    bool moved;          /* since it was taken last */
    bool read_by_client; /* its content counts; else it is behind a ${file:PATH} or a token */
    uint8_t digest[DIGEST_BYTES];
};

struct kafka_login {
    const struct job_kafka *cluster;
    void *owner;
    struct log *log;
    struct job_property *properties; /* the values are copies */
    char **before;                   /* the value before, for as long as a client may still have it */
    size_t count;
    struct watched *files;
    size_t file_count, file_capacity;
    int64_t look_ms;
    bool moving; /* something has changed, and may change more */
    bool unread; /* it could not be read, which was told */
    atomic_bool stop;

    bool let_in;
    int64_t refused_ms, refused_last_ms; /* of the refusals in a row; -1: none */

    pthread_mutex_t lock; /* of what follows: written on threads of librdkafka */
    char certificate[512];
    char *tokens[2]; /* the newest two that the log was told of */
};

/* Files. */

static void digest_take(struct watched *file)
{
    struct buffer content;
    struct error error;

    memset(file->digest, 0, sizeof(file->digest));
    buffer_init(&content, CERTIFICATES_BYTES_MAX);
    /* A folder, or what is too large: its stamp has to do. */
    if (file_read(&content, file->path, CERTIFICATES_BYTES_MAX, NULL, &error))
        EVP_Digest(content.data ? content.data : "", content.size, file->digest, NULL, EVP_sha256(), NULL);
    else
        memcpy(file->digest, &file->stamp.modified_ns, sizeof(file->stamp.modified_ns));
    buffer_release(&content);
}

static void watch(struct kafka_login *login, const char *path, bool read_by_client)
{
    struct watched *file;

    for (size_t i = 0; i < login->file_count; i++)
        if (strcmp(login->files[i].path, path) == 0 && login->files[i].read_by_client == read_by_client)
            return;
    XGROW(login->files, login->file_count, login->file_capacity);
    file = &login->files[login->file_count++];
    *file = (struct watched){.path = xstrdup(path), .read_by_client = read_by_client};
    file_stamp_get(path, &file->stamp);
    if (read_by_client)
        digest_take(file);
}

static void reference_found(void *arg, const char *path)
{
    watch(arg, path, false);
}

static void property_watch(struct kafka_login *login, const struct job_property *property)
{
    struct str written = property->node ? property->node->written : STR_NONE;

    if (written.data)
        resolve_files(written, property->directory, reference_found, login);
    /* A key table is read whenever a ticket is renewed. */
    if (kafka_property_is_path(property->name) && strncmp(property->name, "ssl.", 4) == 0)
        watch(login, property->value, true);
}

void kafka_login_stop(struct kafka_login *login)
{
    atomic_store(&login->stop, true);
}

void kafka_login_free(struct kafka_login *login)
{
    if (!login)
        return;
    for (size_t i = 0; i < login->count; i++) {
        free(login->properties[i].value);
        free(login->before[i]);
    }
    for (size_t i = 0; i < login->file_count; i++)
        free(login->files[i].path);
    free(login->properties);
    free(login->before);
    free(login->files);
    free(login->tokens[0]);
    free(login->tokens[1]);
    pthread_mutex_destroy(&login->lock);
    free(login);
}

void *kafka_login_owner(void *opaque)
{
    return ((struct kafka_login *)opaque)->owner;
}

const struct job_property *kafka_login_properties(const struct kafka_login *login, size_t *count_out)
{
    *count_out = login->count;
    return login->properties;
}

/* The value that is written, as of now. */
static bool property_reread(const struct job_property *property, char **value_out, struct error *error)
{
    struct str written = property->node && property->node->written.data ? property->node->written : STR_NONE;
    struct buffer text;
    bool ok;

    *value_out = NULL;
    if (!written.data) {
        *value_out = xstrdup(property->value);
        return true;
    }
    buffer_init(&text, 0);
    ok = resolve_text(written, property->directory, &text, error);
    if (ok && kafka_property_is_path(property->name))
        *value_out = path_join(property->directory, buffer_str(&text));
    else if (ok)
        *value_out = xstrdup(buffer_text(&text));
    buffer_release(&text);
    return ok;
}

/* The log searches every line for every secret, so it is told to forget what no property has any more. */
static void secret_forget(const struct kafka_login *login, const char *secret)
{
    for (size_t i = 0; secret && i < login->count; i++)
        if (strcmp(login->properties[i].value, secret) == 0)
            return;
    log_secret_forget(secret);
}

/* All or nothing, for a user name and its password belong together. What cannot be read is tried again with every look: it may be
 * the descriptors of this process that were missing. */
static unsigned properties_reread(struct kafka_login *login)
{
    char **values = xcalloc(login->count + 1, sizeof(*values));
    struct error error = {0};
    unsigned changed = 0;
    bool ok = true;

    for (size_t i = 0; i < login->count && ok; i++)
        ok = property_reread(&login->properties[i], &values[i], &error);
    if (!ok && login->log && !login->unread)
        log_warn(login->log, "a secret of the Kafka cluster %s cannot be read again, and the old one stays in use: %s",
                 login->cluster->name ? login->cluster->name : "", error.text);
    login->unread = login->moving = !ok;
    for (size_t i = 0; i < login->count; i++) {
        struct job_property *property = &login->properties[i];
        char *oldest;

        if (!ok || strcmp(values[i], property->value) == 0) {
            free(values[i]);
            continue;
        }
        changed |= kafka_property_is_password(property->name) ? KAFKA_LOGIN_PASSWORD : KAFKA_LOGIN_CLIENT;
        oldest = login->before[i];
        login->before[i] = property->value;
        property->value = values[i];
        if (name_is_secret(str_of(property->name))) {
            secret_forget(login, oldest);
            log_secret(login->before[i]);
            log_secret(property->value);
        }
        free(oldest);
    }
    free(values);
    return changed;
}

struct kafka_login *kafka_login_new(const struct job_kafka *cluster, const struct job_property *properties, size_t count,
                                    void *owner, struct log *log)
{
    struct kafka_login *login = xcalloc(1, sizeof(*login));

    login->cluster = cluster;
    login->owner = owner;
    login->log = log;
    login->refused_ms = -1;
    pthread_mutex_init(&login->lock, NULL);
    login->properties = xcalloc(count + 1, sizeof(*login->properties));
    login->before = xcalloc(count + 1, sizeof(*login->before));
    login->count = count;
    for (size_t i = 0; i < count; i++) {
        login->properties[i] = properties[i];
        login->properties[i].value = xstrdup(properties[i].value);
        property_watch(login, &login->properties[i]);
    }
    if (cluster->token.file)
        watch(login, cluster->token.file, false);
    (void)properties_reread(login); /* the job may have been read a while ago: the target is waited for first */
    return login;
}

static unsigned files_take(struct kafka_login *login)
{
    unsigned changed = properties_reread(login);

    for (size_t i = 0; i < login->file_count; i++) {
        struct watched *file = &login->files[i];
        uint8_t before[DIGEST_BYTES];

        if (!file->moved)
            continue;
        file->moved = false;
        if (login->cluster->token.file && strcmp(file->path, login->cluster->token.file) == 0)
            changed |= KAFKA_LOGIN_TOKEN;
        if (!file->read_by_client || !file->stamp.inode) /* gone for now */
            continue;
        memcpy(before, file->digest, sizeof(before));
        digest_take(file);
        if (memcmp(before, file->digest, sizeof(before)) != 0)
            changed |= KAFKA_LOGIN_CLIENT;
    }
    return changed;
}

unsigned kafka_login_step(struct kafka_login *login, int64_t now_ms)
{
    bool moved = false;

    if (login->refused_ms >= 0 && now_ms - login->refused_last_ms > KAFKA_LOGIN_QUIET_MS) {
        login->refused_ms = -1;
        if (login->log)
            log_info(login->log, "the Kafka brokers %s let the job in again", login->cluster->brokers);
    }
    if (!login->file_count || now_ms < login->look_ms)
        return 0;
    login->look_ms = now_ms + KAFKA_LOGIN_LOOK_MS;
    for (size_t i = 0; i < login->file_count; i++) {
        struct file_stamp stamp;

        file_stamp_get(login->files[i].path, &stamp);
        if (file_stamp_same(&stamp, &login->files[i].stamp))
            continue;
        login->files[i].stamp = stamp;
        login->files[i].moved = moved = true;
    }
    if (moved || !login->moving) {
        login->moving = moved;
        return 0;
    }
    return files_take(login);
}

int64_t kafka_login_deadline(const struct kafka_login *login)
{
    return login->file_count ? login->look_ms : INT64_MAX;
}

/* The client. */

static void token_tell_log(struct kafka_login *login, const char *token)
{
    pthread_mutex_lock(&login->lock);
    if (!login->tokens[0] || strcmp(login->tokens[0], token) != 0) {
        log_secret_forget(login->tokens[1]);
        free(login->tokens[1]);
        login->tokens[1] = login->tokens[0];
        login->tokens[0] = xstrdup(token);
    }
    log_secret(token);
    pthread_mutex_unlock(&login->lock);
}

/* On a thread of librdkafka, or the hub's. */
static void token_give(struct kafka_login *login, rd_kafka_t *rk)
{
    struct kafka_token token;
    struct error error = {0};
    char text[512];

    if (!kafka_token_read(&login->cluster->token, &login->stop, &token, &error)) {
        rd_kafka_oauthbearer_set_token_failure(rk, error.text);
        return;
    }
    token_tell_log(login, token.text);
    if (rd_kafka_oauthbearer_set_token(rk, token.text, token.expires_ms, token.subject, NULL, 0, text, sizeof(text)))
        rd_kafka_oauthbearer_set_token_failure(rk, text);
    kafka_token_release(&token);
}

static void on_token_wanted(rd_kafka_t *rk, const char *config, void *opaque)
{
    (void)config;
    token_give(opaque, rk);
}

/* On a thread of librdkafka. Its own text of a certificate that was not accepted gives no reason. */
static int on_certificate(rd_kafka_t *rk, const char *broker, int32_t broker_id, int *x509_error, int depth, const char *bytes,
                          size_t size, char *text, size_t text_size, void *opaque)
{
    struct kafka_login *login = opaque;
    const unsigned char *at = (const unsigned char *)bytes;
    char subject[200] = "";
    X509 *certificate;

    (void)rk;
    (void)broker_id;
    (void)depth;
    if (!*x509_error)
        return 1;
    certificate = d2i_X509(NULL, &at, (long)size);
    if (certificate)
        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
    X509_free(certificate);
    snprintf(text, text_size, "%s", X509_verify_cert_error_string(*x509_error));
    pthread_mutex_lock(&login->lock);
    snprintf(login->certificate, sizeof(login->certificate), "%s (broker %s, certificate of %s)",
             X509_verify_cert_error_string(*x509_error), broker, subject);
    pthread_mutex_unlock(&login->lock);
    return 0;
}

void kafka_login_conf(struct kafka_login *login, rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_opaque(conf, login);
    rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
    if (login->cluster->token.file || login->cluster->token.command) {
        rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, on_token_wanted);
        rd_kafka_conf_enable_sasl_queue(conf, 1);
    }
}

void kafka_login_begin(struct kafka_login *login, rd_kafka_t *rk)
{
    rd_kafka_error_t *refused;

    if (!login->cluster->token.file && !login->cluster->token.command)
        return;
    refused = rd_kafka_sasl_background_callbacks_enable(rk);
    if (!refused)
        return;
    rd_kafka_oauthbearer_set_token_failure(rk, rd_kafka_error_string(refused));
    rd_kafka_error_destroy(refused);
}

void kafka_login_tell(struct kafka_login *login, rd_kafka_t *rk, unsigned changed)
{
    const char *user = "", *password = "";
    rd_kafka_error_t *refused;

    if (changed & KAFKA_LOGIN_TOKEN)
        token_give(login, rk);
    if (!(changed & KAFKA_LOGIN_PASSWORD))
        return;
    for (size_t i = 0; i < login->count; i++) {
        if (strcmp(login->properties[i].name, "sasl.username") == 0)
            user = login->properties[i].value;
        if (strcmp(login->properties[i].name, "sasl.password") == 0)
            password = login->properties[i].value;
    }
    refused = rd_kafka_sasl_set_credentials(rk, user, password);
    if (refused)
        rd_kafka_error_destroy(refused); /* only for texts that are missing */
    if (login->log)
        log_info(login->log, "the password for the Kafka brokers was read again, and is used from the next log-in on");
}

/* Refusals. */

/* That the certificate of the client has expired, or "". */
static void certificate_end(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    struct tm end;
    char date[64];

    text[0] = '\0';
    if (file)
        fclose(file);
    if (certificate && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 &&
        ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) && strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &end))
        snprintf(text, size, "the certificate in %s expired at %s", path, date);
    X509_free(certificate);
}

void kafka_login_let_in(struct kafka_login *login)
{
    login->let_in = true;
}

bool kafka_login_is_refused(const struct kafka_login *login)
{
    return login->refused_ms >= 0;
}

bool kafka_login_refusal(struct kafka_login *login, rd_kafka_resp_err_t code, const char *text, struct error *error)
{
    char certificate[sizeof(login->certificate)], ends[256] = "";
    struct kafka_refusal_facts facts = {.brokers = login->cluster->brokers, .certificate = certificate, .certificate_ends = ends};

    for (size_t i = 0; i < login->count; i++) {
        const struct job_property *property = &login->properties[i];

        if (strcmp(property->name, "ssl.certificate.location") == 0)
            certificate_end(property->value, ends, sizeof(ends));
        facts.has_certificate |= strcmp(property->name, "ssl.certificate.location") == 0 ||
                                 strcmp(property->name, "ssl.certificate.pem") == 0 ||
                                 strcmp(property->name, "ssl.keystore.location") == 0;
    }
    pthread_mutex_lock(&login->lock);
    memcpy(certificate, login->certificate, sizeof(certificate));
    pthread_mutex_unlock(&login->lock);
    return kafka_refusal(code, text, &facts, error);
}

bool kafka_login_error(struct kafka_login *login, rd_kafka_resp_err_t code, const char *text, int64_t now_ms, struct error *error)
{
    /* A new log-in on a connection that the broker ends at the same moment; at the start it means a listener without SASL. */
    if (login->let_in && strstr(text, "current SASL state"))
        return false;
    if (!kafka_login_refusal(login, code, text, error))
        return false;
    if (error->kind == ERROR_RETRY && login->log)
        log_warn(login->log, "%s; it is tried again", error->text);
    if (error->kind != ERROR_FATAL || !login->let_in)
        return true;
    if (login->refused_ms < 0 || now_ms - login->refused_last_ms > KAFKA_LOGIN_QUIET_MS) {
        login->refused_ms = now_ms;
        if (login->log)
            log_warn(login->log, "%s; since it worked before, it is tried for %d more minutes, and changed files are read again",
                     error->text, KAFKA_LOGIN_GRACE_MS / 60000);
    }
    login->refused_last_ms = now_ms;
    if (now_ms - login->refused_ms < KAFKA_LOGIN_GRACE_MS)
        error->kind = ERROR_RETRY;
    return true;
}

/* Before the run. */

static void on_log_silent(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

static const struct job_property *property_named_in(const struct job_property *properties, size_t count, const char *text)
{
    const struct job_property *first = NULL;

    for (size_t i = 0; i < count; i++) {
        if (strncmp(properties[i].name, "ssl.", 4) != 0)
            continue;
        if (strstr(text, properties[i].name))
            return &properties[i];
        if (!first || (strstr(text, "rivate key") && strstr(properties[i].name, "ssl.key.")))
            first = &properties[i];
    }
    return first;
}

/* A client with these certificates and keys and nothing else; without brokers it connects to nothing. NULL with "": there are
 * none. */
static rd_kafka_t *tls_client_make(const struct job_property *properties, size_t count, char *text, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk = NULL;
    unsigned used = 0;

    text[0] = '\0';
    rd_kafka_conf_set_log_cb(conf, on_log_silent);
    for (size_t i = 0; i < count; i++)
        used += strncmp(properties[i].name, "ssl.", 4) == 0 &&
                rd_kafka_conf_set(conf, properties[i].name, properties[i].value, text, size) == RD_KAFKA_CONF_OK;
    if (used && rd_kafka_conf_set(conf, "security.protocol", "ssl", text, size) == RD_KAFKA_CONF_OK)
        rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, size);
    if (!rk)
        rd_kafka_conf_destroy(conf);
    return rk;
}

bool kafka_login_usable(const struct kafka_login *login, struct kafka_disposal **disposals, struct error *error)
{
    char text[512];
    rd_kafka_t *rk = tls_client_make(login->properties, login->count, text, sizeof(text));

    if (rk)
        kafka_dispose(disposals, rk);
    return rk || !*text || error_set(error, ERROR_CONFIG, "%s", text);
}

void kafka_login_check(const struct job_property *properties, size_t count, struct report *report)
{
    const struct job_property *at;
    char text[512];
    rd_kafka_t *rk;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(properties[i].name, "ssl.certificate.location") != 0)
            continue;
        certificate_end(properties[i].value, text, sizeof(text));
        if (*text)
            report_warning(report, properties[i].at, (unsigned)strlen(properties[i].value), "ssl.certificate.location: %s", text);
    }
    rk = tls_client_make(properties, count, text, sizeof(text));
    if (rk) {
        rd_kafka_destroy(rk);
        return;
    }
    at = *text ? property_named_in(properties, count, text) : NULL;
    if (at)
        report_mistake(report, at->at, (unsigned)size_max(strlen(at->value), 1), "%s: the Kafka client cannot use this: %s",
                       at->name, text);
}
