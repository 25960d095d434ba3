/* CRC-32C: the protocol's values, both implementations against each other, sums in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/vectors.h"
#include "util/crc32c.h"

static void test_vectors(void **state)
{
    struct vectors vectors;
    size_t i, max;
    yyjson_val *vector;

    (void)state;
    vectors_init(&vectors);
    yyjson_arr_foreach(vectors_list(&vectors, "crc32c"), i, max, vector) {
        struct str bytes = vectors_bytes(&vectors, vector, "hex");
        uint32_t wanted = (uint32_t)strtoul(vectors_text(vector, "crc32c").data, NULL, 16);

        assert_int_equal(crc32c(0, bytes.data, bytes.size), wanted);
        assert_int_equal(~crc32c_update_table(~UINT32_C(0), bytes.data, bytes.size), wanted);
    }
    vectors_release(&vectors);
}

static void test_pieces_and_table(void **state)
{
    uint8_t bytes[300];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    /* Every start and size around the eight-byte steps; the table is the judge of the instruction. */
    for (size_t start = 0; start < 9; start++)
        for (size_t size = 0; size + start < 100; size++) {
            uint32_t whole = crc32c(0, bytes + start, size);

            assert_int_equal(whole, ~crc32c_update_table(~UINT32_C(0), bytes + start, size));
            for (size_t cut = 0; cut <= size; cut += 7)
                assert_int_equal(crc32c(crc32c(0, bytes + start, cut), bytes + start + cut, size - cut), whole);
        }
}

static void test_steps(void **state)
{
    uint8_t bytes[13] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    uint64_t eight, sum = UINT32_MAX;
    uint32_t four;

    (void)state;
    if (!crc32c_instruction)
        skip();
    memcpy(&eight, bytes, 8);
    memcpy(&four, bytes + 8, 4);
    sum = crc32c_step8(crc32c_step32(crc32c_step64(sum, eight), four), bytes[12]);
    assert_int_equal(sum >> 32, 0);
    assert_int_equal((uint32_t)~sum, crc32c(0, bytes, sizeof(bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_pieces_and_table),
        cmocka_unit_test(test_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
