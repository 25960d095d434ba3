/* Compression: round trips of many sizes and kinds, in pieces, judged by zlib's own inflate too; limits; damaged bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "maxcompute/compress.h"

static const size_t sizes[] = {0, 1, 2, 7, 100, 1000, 4096, 32767, 32768, 65535, 65536, 65537, 131072, 300000, 1100000};

enum kind { ZEROS, RECORDS, NOISE, KINDS };

static char *make_bytes(enum kind kind, size_t size)
{
    char *bytes = xmalloc(size);
    uint64_t random = 88172645463325252u;

    for (size_t i = 0; i < size; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        bytes[i] = 0;
        if (kind == NOISE)
            bytes[i] = (char)(random >> 24);
        else if (kind == RECORDS) /* a pattern with a little noise in it */
            bytes[i] = (char)(i % 61 < 50 ? 'a' + i % 61 % 23 : random & 15);
    }
    return bytes;
}

static void compress_all(struct compressor *compressor, struct str bytes, size_t piece_size, struct buffer *output)
{
    struct error error;

    assert_true(compressor_begin(compressor, output, &error));
    while (bytes.size) {
        size_t size = size_min(piece_size, bytes.size);

        assert_true(compressor_feed(compressor, str_make(bytes.data, size), output, &error));
        bytes = str_make(bytes.data + size, bytes.size - size);
    }
    assert_true(compressor_end(compressor, output, &error));
}

/* By the library's own function for whole bodies. */
static size_t judge_deflate(char *judged, size_t room, struct str packed)
{
    uLongf size = room;

    assert_int_equal(uncompress((Bytef *)judged, &size, (const Bytef *)packed.data, packed.size), Z_OK);
    return size;
}

static size_t judge_zstd(char *judged, size_t room, struct str packed)
{
    size_t size = ZSTD_decompress(judged, room, packed.data, packed.size);

    assert_false(ZSTD_isError(size));
    return size;
}

static const struct codec {
    enum compression compression;
    size_t (*judge)(char *judged, size_t room, struct str packed);
} codecs[] = {{COMPRESSION_DEFLATE, judge_deflate}, {COMPRESSION_ZSTD, judge_zstd}};

static void round_trips(const struct codec *codec)
{
    const char *const name = compression_name(codec->compression);
    static const size_t pieces[] = {SIZE_MAX, 65536, 4099, 77};
    const char *const magic = codec->compression == COMPRESSION_DEFLATE ? "\x78" : "\x28\xb5\x2f\xfd";
    struct compressor *compressor = compressor_new(codec->compression);

    for (enum kind kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (size_t k = 0; k < COUNT_OF(pieces); k++) {
                char *bytes = make_bytes(kind, sizes[i]), *judged = xmalloc(sizes[i] + 1);
                struct buffer packed, plain;
                struct error error;

                buffer_init(&packed, 0);
                buffer_init(&plain, 0);
                buffer_append_str(&packed, STR("before")); /* output is appended */
                compress_all(compressor, str_make(bytes, sizes[i]), pieces[k], &packed);
                assert_memory_equal(packed.data, "before", 6);
                assert_memory_equal(packed.data + 6, magic, strlen(magic));
                /* Very small pieces cost isa-l matches; the sink gives it 64 kB at a time. */
                if (kind != NOISE && sizes[i] > 4096 && pieces[k] > 4096)
                    assert_true(packed.size < sizes[i] / 2);
                assert_true(packed.size < sizes[i] + sizes[i] / 100 + 100);

                /* Just the limit is enough. */
                if (!decompress(str_of(name), str_make(packed.data + 6, packed.size - 6), sizes[i], &plain, &error))
                    fail_msg("%s, kind %d, %zu bytes, pieces of %zu: %s", name, kind, sizes[i], pieces[k], error.text);
                assert_int_equal(plain.size, sizes[i]);
                if (sizes[i])
                    assert_memory_equal(plain.data, bytes, sizes[i]);
                assert_int_equal(codec->judge(judged, sizes[i] + 1, str_make(packed.data + 6, packed.size - 6)), sizes[i]);
                assert_memory_equal(judged, bytes, sizes[i]);
                free(bytes);
                free(judged);
                buffer_release(&packed);
                buffer_release(&plain);
            }
    compressor_free(compressor);
}

static void test_round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(codecs); i++)
        round_trips(&codecs[i]);
}

static void test_none(void **state)
{
    struct compressor *compressor = compressor_new(COMPRESSION_NONE);
    struct buffer output, plain;
    struct error error;

    (void)state;
    buffer_init(&output, 0);
    buffer_init(&plain, 0);
    compress_all(compressor, STR("as it is"), 3, &output);
    assert_true(str_is(buffer_str(&output), "as it is"));
    assert_true(decompress(STR(""), buffer_str(&output), 8, &plain, &error));
    assert_true(decompress(STR(" Identity "), buffer_str(&output), 8, &plain, &error));
    assert_true(str_is(buffer_str(&plain), "as it isas it is"));
    assert_false(decompress(STR(""), buffer_str(&output), 7, &plain, &error));
    assert_null(compression_name(COMPRESSION_NONE));
    assert_string_equal(compression_name(COMPRESSION_DEFLATE), "deflate");
    compressor_free(compressor);
    compressor_free(NULL);
    buffer_release(&output);
    buffer_release(&plain);
}

/* An abandoned body leaves nothing behind in the next one, and a full output is told. */
static void output_limit(enum compression compression)
{
    struct compressor *compressor = compressor_new(compression);
    char *bytes = make_bytes(NOISE, 300000);

    for (size_t limit = 1; limit < 340000; limit += 30011) {
        struct buffer output, plain;
        struct error error = {0};
        bool ok;

        buffer_init(&output, limit);
        ok = compressor_begin(compressor, &output, &error) &&
             compressor_feed(compressor, str_make(bytes, 300000), &output, &error) && compressor_end(compressor, &output, &error);
        /* Noise grows a little, how much is the library's business. */
        assert_true(ok ? limit > 300000 : limit < 301000);
        assert_true(output.size <= limit);
        if (!ok)
            assert_non_null(strstr(error.text, "limit"));
        buffer_release(&output);

        buffer_init(&output, 0);
        buffer_init(&plain, 0);
        compress_all(compressor, str_make(bytes, 5000), 5000, &output);
        assert_true(decompress(str_of(compression_name(compression)), buffer_str(&output), 5000, &plain, &error));
        assert_int_equal(plain.size, 5000);
        assert_memory_equal(plain.data, bytes, 5000);
        buffer_release(&output);
        buffer_release(&plain);
    }
    free(bytes);
    compressor_free(compressor);
}

static void test_output_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(codecs); i++)
        output_limit(codecs[i].compression);
}

static void pack_zstd(struct str bytes, struct buffer *packed)
{
    size_t size;

    assert_true(buffer_reserve(packed, ZSTD_compressBound(bytes.size)));
    size = ZSTD_compress(packed->data + packed->size, ZSTD_compressBound(bytes.size), bytes.data, bytes.size, 3);
    assert_false(ZSTD_isError(size));
    packed->size += size;
}

static void test_zstd(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            char *bytes = make_bytes(kind, sizes[i]);
            struct buffer packed, plain;
            struct error error;

            buffer_init(&packed, 0);
            buffer_init(&plain, sizes[i] + 1); /* a limited buffer as well */
            pack_zstd(str_make(bytes, sizes[i]), &packed);
            if (!decompress(STR("ZSTD"), buffer_str(&packed), sizes[i], &plain, &error))
                fail_msg("kind %d, %zu bytes: %s", kind, sizes[i], error.text);
            assert_int_equal(plain.size, sizes[i]);
            if (sizes[i])
                assert_memory_equal(plain.data, bytes, sizes[i]);
            free(bytes);
            buffer_release(&packed);
            buffer_release(&plain);
        }
}

/* A small hostile body must not fill the memory. */
static void test_decompression_limit(void **state)
{
    struct compressor *compressor = compressor_new(COMPRESSION_DEFLATE);
    char *bytes = make_bytes(ZEROS, 8000000);
    struct buffer packed[2];

    (void)state;
    buffer_init(&packed[0], 0);
    buffer_init(&packed[1], 0);
    compress_all(compressor, str_make(bytes, 8000000), SIZE_MAX, &packed[0]);
    pack_zstd(str_make(bytes, 8000000), &packed[1]);
    for (int codec = 0; codec < 2; codec++)
        for (int limited = 0; limited < 2; limited++) {
            struct str name = codec ? STR("zstd") : STR("deflate");
            struct buffer plain;
            struct error error = {0};

            /* The limit is the caller's, or the buffer's own when that is lower. */
            buffer_init(&plain, limited ? 100000 : 0);
            assert_false(decompress(name, buffer_str(&packed[codec]), limited ? SIZE_MAX : 100000, &plain, &error));
            assert_non_null(strstr(error.text, "more than 100000 bytes"));
            assert_int_equal(error.kind, ERROR_DATA);
            assert_true(plain.size <= 100000);
            assert_true(plain.capacity < 1000000);
            buffer_release(&plain);
        }
    buffer_release(&packed[0]);
    buffer_release(&packed[1]);
    free(bytes);
    compressor_free(compressor);
}

static void test_damaged_bodies(void **state)
{
    struct compressor *compressor = compressor_new(COMPRESSION_DEFLATE);
    char *bytes = make_bytes(RECORDS, 300);
    struct buffer packed[2];

    (void)state;
    buffer_init(&packed[0], 0);
    buffer_init(&packed[1], 0);
    compress_all(compressor, str_make(bytes, 300), SIZE_MAX, &packed[0]);
    pack_zstd(str_make(bytes, 300), &packed[1]);
    for (int codec = 0; codec < 2; codec++) {
        struct str name = codec ? STR("zstd") : STR("deflate");
        struct buffer plain;
        struct error error = {0};

        buffer_init(&plain, 0);
        for (size_t size = 0; size < packed[codec].size; size++) {
            char *exact = xmalloc(size);

            memcpy(exact, packed[codec].data, size);
            assert_false(decompress(name, str_make(exact, size), 1000, &plain, &error));
            assert_non_null(strstr(error.text, "ends too early"));
            free(exact);
        }
        assert_false(decompress(name, STR("this was never packed"), 1000, &plain, &error));
        buffer_append_str(&packed[codec], STR("more"));
        assert_false(decompress(name, buffer_str(&packed[codec]), 1000, &plain, &error));
        buffer_release(&plain);
    }
    packed[0].data[packed[0].size - 6] ^= 1; /* inside the Adler sum */
    buffer_clear(&packed[1]);
    assert_false(decompress(STR("deflate"), str_make(packed[0].data, packed[0].size - 4), 1000, &packed[1], NULL));
    buffer_release(&packed[0]);
    buffer_release(&packed[1]);
    free(bytes);
    compressor_free(compressor);
}

static void test_unknown_encoding(void **state)
{
    struct buffer plain;
    struct error error = {0};

    (void)state;
    buffer_init(&plain, 0);
    assert_false(decompress(STR("x-lz4-frame"), STR("abc"), 1000, &plain, &error));
    assert_non_null(strstr(error.text, "\"x-lz4-frame\""));
    assert_int_equal(error.kind, ERROR_DATA);
    buffer_release(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),         cmocka_unit_test(test_none),           cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_zstd),                cmocka_unit_test(test_decompression_limit),
        cmocka_unit_test(test_damaged_bodies),      cmocka_unit_test(test_unknown_encoding),
    };

    print_message("deflate by %s\n", compression_library());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
