/* trust_test.c: a file of certificates that is replaced, also badly. */
#include "maxcompute/trust.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/buffer.h"

static char path[64];

/* A certificate of its own, as PEM on the heap; with_key: the key behind it. */
static char *certificate(const char *name, bool with_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    BIO *out = BIO_new(BIO_s_mem());
    char *data, *text;
    long size;

    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), 0);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_set_pubkey(made, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(made));
    assert_true(X509_sign(made, key, EVP_sha256()) > 0);
    PEM_write_bio_X509(out, made);
    if (with_key)
        PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    size = BIO_get_mem_data(out, &data);
    text = xstrndup(data, (size_t)size);
    BIO_free(out);
    X509_free(made);
    EVP_PKEY_free(key);
    return text;
}

static void file_write(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void test_what_is_a_list_of_certificates(void **state UNUSED)
{
    char *one = certificate("one", false), *two = certificate("two", true);
    struct {
        const char *what;
        char *text;
        size_t size;
        bool right;
    } cases[] = {
        {"one", xstrdup(one), strlen(one), true},
        {"two, with text around and a key", xasprintf("# the first\n%s\n# the second\n%s", one, two), 0, true},
        {"nothing", xstrdup(""), 0, false},
        {"no PEM", xstrdup("hello\n"), 0, false},
        {"a key alone", xstrdup(strstr(two, "-----BEGIN PRIVATE KEY")), 0, false},
        {"half of one", xstrdup(one), strlen(one) / 2, false},
        {"one and a half", xasprintf("%s%s", one, one), strlen(one) * 3 / 2, false},
        {"without its last line", xstrdup(one), strlen(one) - 26, false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};

        file_write(cases[i].text, cases[i].size ? cases[i].size : strlen(cases[i].text));
        if (trust_check(path, &error) != cases[i].right)
            fail_msg("%s: %s", cases[i].what, error.text);
        assert_true(cases[i].right || strstr(error.text, path));
        free(cases[i].text);
    }
    free(one);
    free(two);
}

static void test_a_change_is_seen_and_a_broken_one_is_not_taken(void **state UNUSED)
{
    char *one = certificate("one", false), *two = certificate("two", false);
    struct trust *trust = trust_new(path, NULL);
    struct error error = {0};

    file_write("", 0);
    assert_null(trust_get(trust, &error).data); /* never right so far */
    assert_int_equal(error.kind, ERROR_FATAL);
    file_write(one, strlen(one));
    assert_true(str_is(trust_get(trust, &error), one));
    assert_true(str_is(trust_get(trust, &error), one));
    file_write(two, strlen(two) / 2); /* somebody is writing it */
    assert_true(str_is(trust_get(trust, &error), one));
    file_write(two, strlen(two));
    assert_true(str_is(trust_get(trust, &error), two));
    unlink(path);
    assert_true(str_is(trust_get(trust, &error), two));
    file_write(one, strlen(one));
    assert_true(str_is(trust_get(trust, &error), one));
    trust_free(trust);
    free(one);
    free(two);
}

static int set_up(void **state UNUSED)
{
    int fd;

    snprintf(path, sizeof(path), "/tmp/trust_test.XXXXXX");
    fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state UNUSED)
{
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_a_list_of_certificates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_change_is_seen_and_a_broken_one_is_not_taken, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
