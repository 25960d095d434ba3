/* authority.c */
#include "local/authority.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "batch/time.h"
#include "maxcompute/credential.h"
#include "util/file.h"

enum { SKEW_MS_MAX = 15 * 60 * 1000, FILE_BYTES_MAX = 1 << 20 };

struct authority {
    char *region, *path; /* may be NULL */
    struct log *log;
    pthread_mutex_t lock; /* guards what follows */
    struct credential *list;
    size_t count;
    struct file_stamp stamp;
};

static void list_release(struct authority *authority)
{
    for (size_t i = 0; i < authority->count; i++)
        credential_release(&authority->list[i]);
    free(authority->list);
    authority->list = NULL;
    authority->count = 0;
}

/* What was known stays when the file is broken. */
static bool list_read(struct authority *authority, struct error *error)
{
    struct credential *list = NULL;
    struct buffer content;
    size_t count;
    bool ok;

    buffer_init(&content, 0);
    ok = file_read(&content, authority->path, FILE_BYTES_MAX, &authority->stamp, error);
    if (ok && !credential_list_parse(&list, &count, buffer_str(&content), error))
        ok = error_wrap(error, "the file %s", authority->path);
    buffer_release(&content);
    if (!ok) {
        error->kind = ERROR_CONFIG;
        return false;
    }
    list_release(authority);
    authority->list = list;
    authority->count = count;
    for (size_t i = 0; i < count; i++) {
        log_secret(list[i].access_key);
        log_secret(list[i].security_token);
    }
    return true;
}

/* The lock is held. */
static void list_renew(struct authority *authority)
{
    struct file_stamp stamp;
    struct error error;

    if (!authority->path)
        return;
    file_stamp_get(authority->path, &stamp);
    if (file_stamp_same(&stamp, &authority->stamp) || list_read(authority, &error))
        return;
    authority->stamp = stamp;
    if (authority->log)
        log_warn(authority->log, "the access keys could not be read again, those that are known stay: %s", error.text);
}

bool authority_open(struct authority **authority_out, const struct local_options *options, struct error *error)
{
    struct authority *authority = xcalloc(1, sizeof(*authority));
    bool ok = true;

    pthread_mutex_init(&authority->lock, NULL);
    authority->log = options->log;
    authority->region = options->region ? xstrdup(options->region) : NULL;
    if (options->credentials_path) {
        authority->path = xstrdup(options->credentials_path);
        ok = list_read(authority, error);
    } else if (!options->access_id || !options->access_key || !options->access_id[0] || !options->access_key[0]) {
        ok = error_set(error, ERROR_CONFIG, "the local endpoint needs an access id and an access key");
    } else {
        authority->list = xcalloc(1, sizeof(*authority->list));
        authority->count = 1;
        credential_set(authority->list, options->access_id, options->access_key, options->security_token);
    }
    if (ok)
        *authority_out = authority;
    else
        authority_free(authority);
    return ok;
}

void authority_free(struct authority *authority)
{
    if (!authority)
        return;
    list_release(authority);
    pthread_mutex_destroy(&authority->lock);
    free(authority->region);
    free(authority->path);
    free(authority);
}

static const char *header_find(const struct authority_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (str_equal_ignore_case(request->headers[i].name, str_of(name)))
            return request->headers[i].value.data;
    return NULL;
}

/* "Tue, 02 Jan 2024 03:04:05 GMT" */
static bool parse_date(const char *text, int64_t *ms_out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4];
    const char *at;
    unsigned day, hour, minute, second;
    int year, end = 0;

    if (strlen(text) != 29 ||
        sscanf(text, "%*3[A-Za-z], %2u %3[A-Za-z] %4d %2u:%2u:%2u GMT%n", &day, month, &year, &hour, &minute, &second, &end) !=
            6 ||
        end != 29)
        return false;
    at = strstr(months, month);
    if (!at || (at - months) % 3 != 0 || !time_date_valid(year, (unsigned)(at - months) / 3 + 1, day) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    *ms_out =
        ((int64_t)time_days(year, (unsigned)(at - months) / 3 + 1, day) * 86400 + hour * 3600 + minute * 60 + second) * 1000;
    return true;
}

static bool same_text(struct str a, struct str b)
{
    return a.size == b.size && CRYPTO_memcmp(a.data, b.data, b.size) == 0;
}

/* The one with this id and token. The lock is held. */
static const struct credential *credential_find(const struct authority *authority, struct str id, const char *token,
                                                int64_t now_ms, struct refusal *refusal)
{
    bool known = false;

    for (size_t i = 0; i < authority->count; i++) {
        const struct credential *credential = &authority->list[i];

        if (!str_is(id, credential->access_id))
            continue;
        known = true;
        if (!same_text(str_of(credential->security_token ? credential->security_token : ""), str_of(token ? token : "")))
            continue;
        if (credential->expires_ms > now_ms)
            return credential;
        refuse(refusal, 403, "AuthenticationRequestExpired", "the security token has expired");
        return NULL;
    }
    if (known)
        refuse(refusal, 401, "Unauthorized", "ODPS-0410051:Invalid credentials - the security token is not the one of this id");
    else
        refuse(refusal, 401, "InvalidAccessKeyId", "ODPS-0410051:Invalid credentials - accessKeyId not found");
    return NULL;
}

static bool day_is_near(struct str day, int64_t now_ms)
{
    for (int64_t shift = -1; shift <= 1; shift++) {
        time_t seconds = (time_t)(now_ms / 1000 + shift * 900);
        char text[16];
        struct tm tm;

        gmtime_r(&seconds, &tm);
        strftime(text, sizeof(text), "%Y%m%d", &tm);
        if (str_is(day, text))
            return true;
    }
    return false;
}

/* scope: yyyyMMdd/region/odps/aliyun_v4_request. */
static bool scope_check(const struct authority *authority, struct str scope, int64_t now_ms, struct str *day_out,
                        struct str *region_out, struct refusal *refusal)
{
    struct str rest, tail;

    if (!str_cut(scope, '/', day_out, &rest) || !str_cut(rest, '/', region_out, &tail) ||
        !str_is(tail, "odps/aliyun_v4_request") || day_out->size != 8)
        return refuse(refusal, 401, "SignatureNotMatch",
                      "the credential is not of the form id/yyyyMMdd/region/odps/aliyun_v4_request");
    if (authority->region && !str_is(*region_out, authority->region))
        return refuse(refusal, 401, "SignatureNotMatch", "the signature is for region \"%.*s\", this endpoint is in \"%s\"",
                      STR_ARG(*region_out), authority->region);
    if (!day_is_near(*day_out, now_ms))
        return refuse(refusal, 403, "RequestTimeTooSkewed", "the credential is for day %.*s, which is not today in UTC",
                      STR_ARG(*day_out));
    return true;
}

/* The credential is ID or ID/yyyyMMdd/region/odps/aliyun_v4_request. The lock is held. */
static bool signature_check(struct authority *authority, const struct authority_request *request, struct str canonical,
                            struct refusal *refusal)
{
    const char *header = header_find(request, "Authorization");
    struct str authorization = str_of(header ? header : ""), name, signature, id, scope, day, region;
    const struct credential *credential;
    struct buffer expected;
    bool v4, ok;

    if (!str_starts_with(authorization, STR("ODPS ")) ||
        !str_cut(str_make(authorization.data + 5, authorization.size - 5), ':', &name, &signature))
        return refuse(refusal, 401, "MissingAuthorization",
                      "ODPS-0410051:Invalid credentials - the Authorization header is missing or is not "
                      "of the form \"ODPS id:signature\"");
    v4 = str_cut(name, '/', &id, &scope);
    list_renew(authority);
    credential = credential_find(authority, id, header_find(request, "authorization-sts-token"), request->now_ms, refusal);
    if (!credential || (v4 && !scope_check(authority, scope, request->now_ms, &day, &region, refusal)))
        return false;
    buffer_init(&expected, 0);
    if (v4)
        sign_v4(&expected, id, str_of(credential->access_key), region, day, canonical);
    else
        sign_v1(&expected, id, str_of(credential->access_key), canonical);
    ok = same_text(buffer_str(&expected), authorization) ||
         refuse(refusal, 401, "SignatureNotMatch", "ODPS-0410042:Invalid signature value - User signature does not match");
    buffer_release(&expected);
    return ok;
}

bool authority_check(struct authority *authority, const struct authority_request *request, struct refusal *refusal)
{
    const char *date = header_find(request, "Date");
    struct buffer canonical;
    int64_t date_ms;
    bool ok;

    if (!date || !parse_date(date, &date_ms))
        return refuse(refusal, 400, "InvalidArgument",
                      "the Date header is missing or is not of the form "
                      "\"Tue, 02 Jan 2024 03:04:05 GMT\"");
    if (date_ms - request->now_ms > SKEW_MS_MAX || request->now_ms - date_ms > SKEW_MS_MAX)
        return refuse(refusal, 403, "RequestTimeTooSkewed",
                      "the Date header differs from this machine's clock by more than 15 "
                      "minutes; set the clock");
    buffer_init(&canonical, 0);
    sign_canonical(&canonical, str_of(request->method), str_of(request->uri), request->endpoint_path, request->headers,
                   request->header_count);
    pthread_mutex_lock(&authority->lock);
    ok = signature_check(authority, request, buffer_str(&canonical), refusal);
    pthread_mutex_unlock(&authority->lock);
    buffer_release(&canonical);
    return ok;
}
