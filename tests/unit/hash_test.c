/* hash_test.c: digests against the published vectors, salts, and whole columns. */
#include "batch/kernels/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct hasher *hasher_of(const char *algorithm, const char *salt)
{
    struct hasher *hasher = NULL;
    struct error error;

    if (!hasher_new(&hasher, str_of(algorithm), str_of(salt), &error))
        fail_msg("%s", error.text);
    return hasher;
}

/* RFC 1321 A.5; FIPS 180-4's example messages; GB/T 32905-2016 appendix A. */
static void digests_are_those_of_the_standards(void **state)
{
    static const char *const four = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char *const sixteen = "abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd";
    const struct {
        const char *algorithm, *salt, *text, *hex;
    } cases[] = {
        {"md5", "", "", "d41d8cd98f00b204e9800998ecf8427e"},
        {"md5", "", "abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"md5", "", "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"sha256", "", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"sha256", "", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"sha256", "", four, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"sha512", "", "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                              "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
        {"sm3", "", "abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
        {"sm3", "", sixteen, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"},
        /* The salt's bytes come first, with nothing between. */
        {"md5", "a", "bc", "900150983cd24fb0d6963f7d28e17f72"},
        {"sha256", "ab", "c", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"sm3", "abc", "", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hasher *hasher = hasher_of(cases[i].algorithm, cases[i].salt);

        for (int again = 0; again < 2; again++) { /* the context serves many values */
            char hex[HASH_HEX_MAX + 1] = "";

            hasher_hex(hasher, str_of(cases[i].text), hex);
            assert_string_equal(hex, cases[i].hex);
            assert_int_equal(strlen(hex), hasher_size(hasher) * 2);
        }
        hasher_free(hasher);
    }
}

static void unknown_algorithms_are_refused_with_the_nearest(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"sha265", "\"sha265\" is not known; it must be md5, sha256, sha512 or sm3; did you mean \"sha256\"?"},
        {"SHA256", "\"SHA256\" is not known; it must be md5, sha256, sha512 or sm3; did you mean \"sha256\"?"},
        {"crc", "\"crc\" is not known; it must be md5, sha256, sha512 or sm3"},
        {"", "\"\" is not known; it must be md5, sha256, sha512 or sm3"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hasher *hasher;
        struct error error;

        assert_false(hasher_new(&hasher, str_of(cases[i].name), STR_NONE, &error));
        assert_int_equal(error.kind, ERROR_CONFIG);
        assert_string_equal(error.text, cases[i].text);
    }
}

static struct batch *batch_of(uint32_t rows)
{
    struct batch *batch = batch_new(1 << 20);

    for (uint32_t row = 0; row < rows; row++)
        batch_add_message(batch, &(struct message){.offset = row}, NULL);
    assert_true(batch_begin(batch, 0));
    return batch;
}

static void a_column_gives_a_column(void **state)
{
    struct hasher *hasher = hasher_of("md5", NULL);
    struct batch *batch = batch_of(4);
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_BINARY), 4, true), *out = NULL;
    struct error error;

    (void)state;
    column->text[0] = STR("abc");
    column->text[1] = STR_NONE;
    column->null[1] = 1;
    column->text[2] = STR("not selected");
    column->text[3] = STR("");
    batch->selection[2] = 3;
    batch->selected = 3;
    assert_true(kernel_hash(hasher, batch, column, &out, &error));
    assert_int_equal(out->type.kind, TYPE_STRING);
    assert_true(out->utf8);
    assert_true(str_is(out->text[0], "900150983cd24fb0d6963f7d28e17f72"));
    assert_true(column_is_null(out, 1));
    assert_true(str_is(out->text[3], "d41d8cd98f00b204e9800998ecf8427e"));
    assert_true(str_is(column->text[0], "abc"));

    column = column_try_new(&batch->arena, TYPE_OF(TYPE_NULL), 4, false);
    assert_true(kernel_hash(hasher, batch, column, &out, &error));
    assert_true(column_is_null(out, 0));

    column = column_try_new(&batch->arena, TYPE_OF(TYPE_BIGINT), 4, false);
    assert_false(kernel_hash(hasher, batch, column, &out, &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
    assert_string_equal(error.text, "hash takes string, binary or json, this is bigint; cast it to string first");
    batch_free(batch);
    hasher_free(hasher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standards),
        cmocka_unit_test(unknown_algorithms_are_refused_with_the_nearest),
        cmocka_unit_test(a_column_gives_a_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
