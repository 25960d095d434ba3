/* orders_test.c: the generator's bytes are those of the bench definition. */
#include "local/orders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <openssl/evp.h>

static void hash_orders(int64_t count, struct orders orders, char hex[65])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buffer record;
    char key[64];

    buffer_init(&record, 0);
    assert_true(EVP_DigestInit_ex(context, EVP_sha256(), NULL));
    for (int64_t i = 0; i < count; i++) {
        buffer_clear(&record);
        orders_next(&orders, &record, key);
        buffer_append_char(&record, '\n');
        assert_true(EVP_DigestUpdate(context, record.data, record.size));
    }
    assert_true(EVP_DigestFinal_ex(context, digest, NULL));
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    EVP_MD_CTX_free(context);
    buffer_release(&record);
}

static void the_bytes_are_the_defined_ones(void **state)
{
    struct orders orders;
    char hex[65];

    (void)state;
    orders_init(&orders, 1, 0, false, 0, 100000, 0);
    hash_orders(100000, orders, hex);
    assert_string_equal(hex, "e9fa08402aeba6cc0ab10abfdea0ecd400eb4608d0f9d08ba1df30816948d2aa");
    /* --count 2000 --seed 7 --broken 50 --shuffle --hours 7 */
    orders_init(&orders, 7, 50, true, 7, 2000, 0);
    hash_orders(2000, orders, hex);
    assert_string_equal(hex, "472cc346c24dd9285e268cd1674d3355c79b2c45c54594dad52e28c99de6d61e");
}

static void the_key_is_the_user(void **state)
{
    struct orders orders;
    struct buffer record;
    char key[64], wanted[80];

    (void)state;
    buffer_init(&record, 0);
    orders_init(&orders, 1, 0, false, 0, 1, 0);
    orders_next(&orders, &record, key);
    snprintf(wanted, sizeof(wanted), "\"user\":\"%s\"", key);
    assert_non_null(strstr(buffer_text(&record), wanted));
    buffer_release(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_the_defined_ones),
        cmocka_unit_test(the_key_is_the_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
