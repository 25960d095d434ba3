/* hash.c: see hash.h.
 * SHA-256, the default and the one in hot paths, goes to libcrypto's own functions: of 105 ns for an e-mail address the way over
 * EVP is 47, more than the digest's own rounds. They are deprecated since 3.0, so where a libcrypto lacks them EVP does it all.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "batch/kernels/hash.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "batch/kernels/operand.h"

struct hasher {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
    size_t size;
    char *salt;
    size_t salt_size;
#ifndef OPENSSL_NO_DEPRECATED_3_0
    bool sha256;
    SHA256_CTX salted; /* with the salt in it */
#endif
};

static const char *const algorithm_names[] = {"md5", "sha256", "sha512", "sm3"};

bool hasher_new(struct hasher **hasher_out, struct str algorithm, struct str salt, struct error *error)
{
    bool ok = false;
    struct hasher *hasher = xcalloc(1, sizeof(*hasher));
    const char *name = NULL;

    for (size_t i = 0; i < COUNT_OF(algorithm_names); i++)
        if (str_is(algorithm, algorithm_names[i]))
            name = algorithm_names[i];
    if (!name) {
        const char *near = str_nearest(algorithm, algorithm_names, COUNT_OF(algorithm_names));
        struct str head = str_head(algorithm, 40);

        error_set(error, ERROR_CONFIG, "\"%.*s\" is not known; it must be md5, sha256, sha512 or sm3%s%s%s", STR_ARG(head),
                  near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        goto out;
    }
    hasher->algorithm = EVP_MD_fetch(NULL, name, NULL);
    hasher->context = EVP_MD_CTX_new();
    if (!hasher->context)
        stop_out_of_memory("a digest");
    if (!hasher->algorithm || !EVP_DigestInit_ex2(hasher->context, hasher->algorithm, NULL)) {
        error_set(error, ERROR_CONFIG, "the OpenSSL of this machine does not offer %s, or has no memory for it", name);
        goto out;
    }
    hasher->size = (size_t)EVP_MD_get_size(hasher->algorithm);
    assert(hasher->size <= HASH_BYTES_MAX && hasher->size % 16 == 0); /* as digits_put takes them */
    hasher->salt_size = salt.size;
    hasher->salt = salt.size ? xstrndup(salt.data, salt.size) : NULL;
#ifndef OPENSSL_NO_DEPRECATED_3_0
    hasher->sha256 = strcmp(name, "sha256") == 0;
    if (hasher->sha256 && (!SHA256_Init(&hasher->salted) || !SHA256_Update(&hasher->salted, salt.data, salt.size)))
        stop_out_of_memory("a digest");
#endif
    *hasher_out = hasher;
    hasher = NULL;
    ok = true;
out:
    hasher_free(hasher);
    return ok;
}

void hasher_free(struct hasher *hasher)
{
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->algorithm);
    free(hasher->salt);
    free(hasher);
}

size_t hasher_size(const struct hasher *hasher)
{
    return hasher->size;
}

void hasher_bytes(struct hasher *hasher, struct str value, unsigned char digest[HASH_BYTES_MAX])
{
    EVP_MD_CTX *context = hasher->context;
    bool ok;

#ifndef OPENSSL_NO_DEPRECATED_3_0
    if (hasher->sha256) {
        SHA256_CTX copy = hasher->salted;

        if (!SHA256_Update(&copy, value.data, value.size) || !SHA256_Final(digest, &copy))
            stop_out_of_memory("a digest");
        return;
    }
#endif
    ok = EVP_DigestInit_ex2(context, NULL, NULL); /* the algorithm stays */
    if (hasher->salt_size)
        ok = ok && EVP_DigestUpdate(context, hasher->salt, hasher->salt_size);
    ok = ok && EVP_DigestUpdate(context, value.data, value.size) && EVP_DigestFinal_ex(context, digest, NULL);
    if (!ok)
        stop_out_of_memory("a digest");
}

/* The hex digits of 16 bytes. */
static inline void digits_put(char *hex, const unsigned char *bytes)
{
#ifdef __SSE2__
    const __m128i low_half = _mm_set1_epi8(15), nine = _mm_set1_epi8(9);
    __m128i value = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    __m128i high = _mm_and_si128(_mm_srli_epi16(value, 4), low_half), low = _mm_and_si128(value, low_half);
    __m128i halves[2] = {_mm_unpacklo_epi8(high, low), _mm_unpackhi_epi8(high, low)};

    for (int i = 0; i < 2; i++) {
        __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(halves[i], nine), _mm_set1_epi8('a' - '0' - 10));

        _mm_storeu_si128((__m128i *)(void *)(hex + 16 * i), _mm_add_epi8(_mm_add_epi8(halves[i], _mm_set1_epi8('0')), letters));
    }
#else
    for (int i = 0; i < 16; i++) {
        *hex++ = "0123456789abcdef"[bytes[i] >> 4];
        *hex++ = "0123456789abcdef"[bytes[i] & 15];
    }
#endif
}

void hasher_hex(struct hasher *hasher, struct str value, char hex[HASH_HEX_MAX])
{
    unsigned char digest[HASH_BYTES_MAX];

    hasher_bytes(hasher, value, digest);
    for (size_t i = 0; i < hasher->size; i += 16)
        digits_put(hex + 2 * i, digest + i);
}

bool kernel_hash(struct hasher *hasher, struct batch *batch, const struct column *column, struct column **column_out,
                 struct error *error)
{
    struct arena *arena = &batch->arena;
    size_t size = hasher->size * 2;
    bool nothing = column->type.kind == TYPE_NULL;
    struct column *out;
    char *hex, name[TYPE_NAME_MAX];

    if (!nothing && !type_is_text(column->type.kind) && column->type.kind != TYPE_BINARY)
        return error_set(error, ERROR_CONFIG, "hash takes string, binary or json, this is %s; cast it to string first",
                         type_print(column->type, name));
    out = column_try_new(arena, TYPE_OF(TYPE_STRING), batch->row_count, nothing || column->null);
    hex = arena_try_array(arena, nothing ? 0 : batch->selected, size);
    if (!out || !hex)
        return operand_out_of_memory(batch, error);
    out->utf8 = true;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (column_is_null(column, row)) {
            out->null[row] = 1;
            out->text[row] = STR_NONE;
            continue;
        }
        hasher_hex(hasher, column->text[row], hex);
        out->text[row] = str_make(hex, size);
        hex += size;
    }
    *column_out = out;
    return true;
}
