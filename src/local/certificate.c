/* certificate.c */
#include "local/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "util/file.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static int no_password(char *text, int size, int writing, void *user)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)user;
    return -1; /* nobody is asked */
}

static bool fits(struct certificate *certificate, const char *chain_path, const char *key_path, struct error *error)
{
    BIO *chain = BIO_new_mem_buf(certificate->chain.data, (int)certificate->chain.size);
    BIO *key = BIO_new_mem_buf(certificate->key.data, (int)certificate->key.size);
    X509 *first = PEM_read_bio_X509(chain, NULL, NULL, NULL);
    EVP_PKEY *own = PEM_read_bio_PrivateKey(key, NULL, no_password, NULL);
    bool ok = false;

    if (!first)
        error_set(error, ERROR_CONFIG, "the file %s has no certificate in PEM form", chain_path);
    else if (!own)
        error_set(error, ERROR_CONFIG, "the file %s has no private key in PEM form without a password", key_path);
    else if (X509_check_private_key(first, own) != 1)
        error_set(error, ERROR_CONFIG, "the key in %s does not belong to the certificate in %s", key_path, chain_path);
    else
        ok = true;
    EVP_PKEY_free(own);
    X509_free(first);
    BIO_free(key);
    BIO_free(chain);
    ERR_clear_error();
    return ok;
}

bool certificate_read(struct certificate *certificate, const char *chain_path, const char *key_path, struct error *error)
{
    buffer_init(&certificate->chain, 0);
    buffer_init(&certificate->key, 0);
    if (!chain_path || !key_path)
        return error_set(error, ERROR_CONFIG, "TLS needs a certificate and its key: one of the two files is missing");
    if (!file_read(&certificate->chain, chain_path, FILE_BYTES_MAX, NULL, error) ||
        !file_read(&certificate->key, key_path, FILE_BYTES_MAX, NULL, error))
        return false;
    (void)buffer_text(&certificate->chain);
    (void)buffer_text(&certificate->key);
    return fits(certificate, chain_path, key_path, error);
}

void certificate_release(struct certificate *certificate)
{
    if (certificate->key.data)
        explicit_bzero(certificate->key.data, certificate->key.capacity);
    buffer_release(&certificate->key);
    buffer_release(&certificate->chain);
}
