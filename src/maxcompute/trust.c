/* trust.c: a stat for each request; reading and checking only when that shows a change. */
#include "maxcompute/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "util/file.h"

enum { FILE_BYTES_MAX = 4 << 20 };

struct trust {
    char *path;
    struct log *log;
    struct buffer bytes; /* the last that were right */
    struct file_stamp stamp;
    bool broken; /* the file as it is now is not right, which was told */
};

/* Certificates and nothing half: text between them is allowed, as in every bundle. */
static unsigned certificates_count(struct str text)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
    unsigned count = 0;
    unsigned long failure;
    X509 *certificate;

    if (!bio)
        stop_out_of_memory("a reader of certificates with libcrypto");
    ERR_clear_error();
    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        X509_free(certificate);
        count++;
    }
    failure = ERR_peek_last_error();
    if (ERR_GET_LIB(failure) != ERR_LIB_PEM || ERR_GET_REASON(failure) != PEM_R_NO_START_LINE)
        count = 0;
    ERR_clear_error();
    BIO_free(bio);
    return count;
}

static bool bytes_read(struct buffer *bytes, const char *path, struct file_stamp *stamp, struct error *error)
{
    if (!file_read(bytes, path, FILE_BYTES_MAX, stamp, error)) {
        error->kind = ERROR_FATAL;
        return false;
    }
    if (!bytes->size || !certificates_count(buffer_str(bytes)))
        return error_set(error, ERROR_FATAL, "the file %s is no list of certificates in PEM form", path);
    return true;
}

bool trust_check(const char *path, struct error *error)
{
    struct buffer bytes;
    bool ok;

    buffer_init(&bytes, 0);
    ok = bytes_read(&bytes, path, NULL, error);
    buffer_release(&bytes);
    return ok;
}

struct trust *trust_new(const char *path, struct log *log)
{
    struct trust *trust = xcalloc(1, sizeof(*trust));

    trust->path = xstrdup(path);
    trust->log = log;
    return trust;
}

void trust_free(struct trust *trust)
{
    if (!trust)
        return;
    buffer_release(&trust->bytes);
    free(trust->path);
    free(trust);
}

struct str trust_get(struct trust *trust, struct error *error)
{
    struct file_stamp stamp;
    struct buffer bytes;
    struct error failure;
    bool known = trust->bytes.size > 0;

    file_stamp_get(trust->path, &stamp);
    if (known && file_stamp_same(&stamp, &trust->stamp))
        return buffer_str(&trust->bytes);
    buffer_init(&bytes, 0);
    if (bytes_read(&bytes, trust->path, &stamp, &failure)) {
        buffer_release(&trust->bytes);
        trust->bytes = bytes;
        trust->stamp = stamp;
        trust->broken = false;
        if (known && trust->log)
            log_info(trust->log, "the trusted certificates were read again from %s", trust->path);
        return buffer_str(&trust->bytes);
    }
    buffer_release(&bytes);
    if (known) {
        /* Said once, and tried again: it may be this process that could not read it. */
        if (trust->log && !trust->broken)
            log_warn(trust->log, "the trusted certificates could not be read again; those at hand stay in use: %s",
                     failure.text);
        trust->broken = true;
        return buffer_str(&trust->bytes);
    }
    *error = failure;
    return STR_NONE;
}
