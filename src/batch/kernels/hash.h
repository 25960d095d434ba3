/* hash.h: message digests of texts and bytes, as lower-case hex, one value or a whole column at a time.
 * With a salt the digest is that of the salt's bytes followed by the value's bytes, with nothing between them: so it can be made
 * again anywhere. An unsalted digest of something that can be guessed (a phone number) hides nothing.
 * The algorithm is fetched once and one context serves all values, for fetching costs more than a short value's digest
 * (EVP_Digest fetches each time).
 * Sources: RFC 1321 (MD5), FIPS 180-4 (SHA-256, SHA-512), GB/T 32905-2016 (SM3); the code is OpenSSL's.
 * Ownership: a hasher is freed by hasher_free; its salt is copied. Columns live in the batch's arena.
 * Threads: one owner at a time (the context inside).
 * Errors: CONFIG for an algorithm that is unknown or not in this OpenSSL, and for types that have no bytes; DATA when the arena
 * is full. NULL gives NULL; the empty text has a digest like any other. */
#ifndef LUADUCT_BATCH_KERNELS_HASH_H
#define LUADUCT_BATCH_KERNELS_HASH_H

#include "batch/batch.h"

enum { HASH_BYTES_MAX = 64, HASH_HEX_MAX = 2 * HASH_BYTES_MAX };

struct hasher;

/* algorithm: md5, sha256, sha512 or sm3; the error suggests the nearest. salt: may be absent. */
bool hasher_new(struct hasher **hasher_out, struct str algorithm, struct str salt, struct error *error) MUST_USE;
void hasher_free(struct hasher *hasher);
/* Bytes of a digest; its hex form has twice as many. */
size_t hasher_size(const struct hasher *hasher);
/* Never fails once the hasher is made, but for lack of memory, which ends the process. */
void hasher_bytes(struct hasher *hasher, struct str value, unsigned char digest[HASH_BYTES_MAX]);
/* hex: hasher_size * 2 characters, not zero-terminated. */
void hasher_hex(struct hasher *hasher, struct str value, char hex[HASH_HEX_MAX]);
/* The selected rows of a string, binary or json column as a new string column. */
bool kernel_hash(struct hasher *hasher, struct batch *batch, const struct column *column, struct column **column_out,
                 struct error *error) MUST_USE;

#endif
