/* pseudonym.c: see pseudonym.h.
 * The text is read once into symbols (place within its range) and ranges; the symbols are permuted; and written back in place,
 * for all characters of a range have the same number of bytes. */
#include "batch/kernels/pseudonym.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "batch/kernels/characters.h"
#include "batch/kernels/hash.h"

/* Part of every result: changing the numbers or the order of anything below changes the pseudonyms of all tables. */
enum {
    VERSION = 1,
    BLOCK = 16,
    FEISTEL_ROUNDS = 10,
    HALF_VALUES_MIN = 1000, /* of each half; two of them make the million of SP 800-38G */
    SHUFFLE_ROUNDS_PER_BIT = 8,
    SHUFFLE_ROUNDS_MIN = 64,
    SHUFFLE_BITS_MAX = 40,
    STREAM_BLOCKS = 32,
};

struct range {
    int32_t first;
    uint16_t count;
    uint16_t weight; /* 16 times the binary logarithm of count, for balancing halves */
};

static const struct range ranges[] = {
    {'0', 10, 53},        {'A', 26, 75},     {'a', 26, 75},                             /* ASCII */
    {0x4E00, 20992, 230},                                                               /* CJK unified ideographs */
    {0xC0, 23, 72},       {0xD8, 7, 45},     {0xDF, 24, 73},      {0xF8, 8, 48},        /* Latin-1 */
    {0x410, 32, 80},      {0x430, 32, 80},                                              /* Cyrillic */
    {0x3041, 86, 103},    {0x30A1, 90, 104}, {0x3400, 6592, 203}, {0xAC00, 11172, 215}, /* kana, extension A, Hangul */
    {0xFF10, 10, 53},     {0xFF21, 26, 75},  {0xFF41, 26, 75},                          /* full-width */
};

struct pseudonym {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *context;
    size_t capacity; /* of the arrays, one element a replaced character */
    uint32_t *place; /* byte offset in the text */
    uint16_t *symbol;
    uint8_t *range;
};

bool pseudonym_new(struct pseudonym **pseudonym_out, struct str key, struct error *error)
{
    bool ok = false;
    struct pseudonym *pseudonym = xcalloc(1, sizeof(*pseudonym));
    struct hasher *hasher = NULL;
    unsigned char secret[HASH_BYTES_MAX];

    if (!key.size) {
        error_set(error, ERROR_CONFIG, "the key is empty");
        goto out;
    }
    if (!hasher_new(&hasher, STR("sha256"), STR("luaduct pseudonym 1\n"), error))
        goto out;
    hasher_bytes(hasher, key, secret);
    pseudonym->cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    pseudonym->context = EVP_CIPHER_CTX_new();
    if (!pseudonym->context)
        stop_out_of_memory("a cipher");
    ok = pseudonym->cipher && EVP_EncryptInit_ex2(pseudonym->context, pseudonym->cipher, secret, NULL, NULL) &&
         EVP_CIPHER_CTX_set_padding(pseudonym->context, 0);
    OPENSSL_cleanse(secret, sizeof(secret));
    if (!ok) {
        error_set(error, ERROR_CONFIG, "the OpenSSL of this machine does not offer AES, or has no memory for it");
        goto out;
    }
    *pseudonym_out = pseudonym;
    pseudonym = NULL;
out:
    hasher_free(hasher);
    pseudonym_free(pseudonym);
    return ok;
}

void pseudonym_free(struct pseudonym *pseudonym)
{
    if (!pseudonym)
        return;
    EVP_CIPHER_CTX_free(pseudonym->context);
    EVP_CIPHER_free(pseudonym->cipher);
    free(pseudonym->place);
    free(pseudonym->symbol);
    free(pseudonym->range);
    free(pseudonym);
}

static void encrypt(struct pseudonym *pseudonym, const unsigned char *in, unsigned char *out, size_t blocks)
{
    int size = 0;

    if (!EVP_EncryptUpdate(pseudonym->context, out, &size, in, (int)(blocks * BLOCK)) || (size_t)size != blocks * BLOCK)
        stop_out_of_memory("a cipher");
}

/* One step of the CBC-MAC: chain = E(chain xor block). */
static void absorb(struct pseudonym *pseudonym, unsigned char chain[BLOCK], const unsigned char block[BLOCK])
{
    uint64_t a[2], b[2];

    memcpy(a, chain, BLOCK);
    memcpy(b, block, BLOCK);
    a[0] ^= b[0];
    a[1] ^= b[1];
    memcpy(chain, a, BLOCK);
    encrypt(pseudonym, chain, chain, 1);
}

static void put_number(unsigned char *at, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(number >> 8 * i);
}

static uint64_t get_number(const unsigned char *at)
{
    uint64_t number = 0;

    for (size_t i = 0; i < 8; i++)
        number |= (uint64_t)at[i] << 8 * i;
    return number;
}

/* The state from which all rounds over this shape go on: version, count, then a byte a range. The count comes first, so that no
 * shape's blocks begin those of another. */
static void shape_mac(struct pseudonym *pseudonym, size_t count, unsigned char chain[BLOCK])
{
    unsigned char block[BLOCK] = {VERSION};
    size_t filled = 5;

    put_number(block + 1, count, 4);
    memset(chain, 0, BLOCK);
    for (size_t i = 0; i < count; i++) {
        if (filled == BLOCK) {
            absorb(pseudonym, chain, block);
            memset(block, 0, BLOCK);
            filled = 0;
        }
        block[filled++] = pseudonym->range[i];
    }
    absorb(pseudonym, chain, block);
}

/* Pseudo-random symbols without an end: 64-bit words of E(seed), E(seed xor 1) …, each used for as many symbols as leave 40 of
 * its bits over, so that no symbol is likelier than another by more than 2^-40. */
struct stream {
    struct pseudonym *pseudonym;
    unsigned char seed[BLOCK];
    unsigned char bytes[STREAM_BLOCKS * BLOCK];
    size_t used, size, blocks;
    uint64_t counter, word, product;
};

static uint64_t stream_word(struct stream *stream)
{
    if (stream->used == stream->size) {
        for (size_t i = 0; i < stream->blocks; i++) {
            unsigned char *block = stream->bytes + i * BLOCK;
            uint64_t counter = ++stream->counter;

            memcpy(block, stream->seed, BLOCK);
            for (size_t k = 0; k < 8; k++)
                block[k] ^= (unsigned char)(counter >> 8 * k);
        }
        encrypt(stream->pseudonym, stream->bytes, stream->bytes, stream->blocks);
        stream->size = stream->blocks * BLOCK;
        stream->blocks = STREAM_BLOCKS;
        stream->used = 0;
    }
    stream->used += 8;
    return get_number(stream->bytes + stream->used - 8);
}

/* seed: the MAC itself is the first block. expected: symbols that will be asked for. */
static void stream_init(struct stream *stream, struct pseudonym *pseudonym, const unsigned char seed[BLOCK], size_t expected)
{
    stream->pseudonym = pseudonym;
    memcpy(stream->seed, seed, BLOCK);
    memcpy(stream->bytes, seed, BLOCK);
    stream->used = 0;
    stream->size = BLOCK;
    stream->blocks = size_min(expected / 4 + 1, STREAM_BLOCKS);
    stream->counter = stream->word = 0;
    stream->product = UINT64_C(1) << 24;
}

static uint32_t stream_symbol(struct stream *stream, uint32_t radix)
{
    uint32_t symbol;

    stream->product *= radix;
    if (stream->product > UINT64_C(1) << 24) {
        stream->word = stream_word(stream);
        stream->product = radix;
    }
    symbol = (uint32_t)(stream->word % radix);
    stream->word /= radix;
    return symbol;
}

/* target += F(round, source), symbol by symbol. */
static void feistel_round(struct pseudonym *pseudonym, const unsigned char shape[BLOCK], unsigned round, size_t source,
                          size_t source_count, size_t target, size_t target_count)
{
    unsigned char chain[BLOCK], block[BLOCK] = {(unsigned char)(0x10 + round)};
    struct stream stream;
    size_t filled = 2;

    memcpy(chain, shape, BLOCK);
    for (size_t i = source; i < source + source_count; i++) {
        if (filled == BLOCK) {
            absorb(pseudonym, chain, block);
            memset(block, 0, BLOCK);
            filled = 0;
        }
        put_number(block + filled, pseudonym->symbol[i], 2);
        filled += 2;
    }
    absorb(pseudonym, chain, block);
    stream_init(&stream, pseudonym, chain, target_count);
    for (size_t i = target; i < target + target_count; i++) {
        uint32_t radix = ranges[pseudonym->range[i]].count;
        uint32_t symbol = pseudonym->symbol[i] + stream_symbol(&stream, radix);

        pseudonym->symbol[i] = (uint16_t)(symbol < radix ? symbol : symbol - radix);
    }
}

static void feistel(struct pseudonym *pseudonym, const unsigned char shape[BLOCK], size_t count, size_t split)
{
    for (unsigned round = 0; round < FEISTEL_ROUNDS; round++) {
        if (round % 2 == 0)
            feistel_round(pseudonym, shape, round, split, count - split, 0, split);
        else
            feistel_round(pseudonym, shape, round, 0, split, split, count - split);
    }
}

/* Each round pairs x with key - x, and a bit that both of a pair share says whether they change places. */
static void shuffle(struct pseudonym *pseudonym, const unsigned char shape[BLOCK], size_t count)
{
    unsigned char keys[SHUFFLE_BITS_MAX * SHUFFLE_ROUNDS_PER_BIT * BLOCK];
    uint64_t values = 1, x = 0;
    size_t bits = 0, rounds;

    for (size_t i = 0; i < count; i++) {
        values *= ranges[pseudonym->range[i]].count;
        x = x * ranges[pseudonym->range[i]].count + pseudonym->symbol[i];
    }
    while (values >> bits)
        bits++;
    assert(bits <= SHUFFLE_BITS_MAX);
    rounds = size_max(SHUFFLE_ROUNDS_MIN, bits * SHUFFLE_ROUNDS_PER_BIT);
    for (size_t round = 0; round < rounds; round++) {
        unsigned char block[BLOCK] = {0x40};

        put_number(block + 1, round, 4);
        for (size_t i = 0; i < BLOCK; i++)
            keys[round * BLOCK + i] = block[i] ^ shape[i];
    }
    encrypt(pseudonym, keys, keys, rounds);
    for (size_t round = 0; round < rounds; round++) {
        uint64_t key = get_number(keys + round * BLOCK) % values;
        uint64_t partner = key >= x ? key - x : key + values - x;
        uint64_t pair = x > partner ? x : partner;
        unsigned char chain[BLOCK], block[BLOCK] = {0x41};

        put_number(block + 1, round, 4);
        put_number(block + 8, pair, 8);
        memcpy(chain, shape, BLOCK);
        absorb(pseudonym, chain, block);
        if (chain[0] & 1)
            x = partner;
    }
    for (size_t i = count; i-- > 0; x /= ranges[pseudonym->range[i]].count)
        pseudonym->symbol[i] = (uint16_t)(x % ranges[pseudonym->range[i]].count);
}

static bool has_values(const struct pseudonym *pseudonym, size_t from, size_t to)
{
    uint64_t values = 1;

    for (size_t i = from; i < to && values < HALF_VALUES_MIN; i++)
        values *= ranges[pseudonym->range[i]].count;
    return values >= HALF_VALUES_MIN;
}

static void permute(struct pseudonym *pseudonym, size_t count)
{
    unsigned char shape[BLOCK];
    uint64_t all = 0, left = 0;
    size_t split = 0;

    shape_mac(pseudonym, count, shape);
    for (size_t i = 0; i < count; i++)
        all += ranges[pseudonym->range[i]].weight;
    /* Where both sides are nearest to each other in values. */
    while (split < count && 2 * left + ranges[pseudonym->range[split]].weight <= all)
        left += ranges[pseudonym->range[split++]].weight;
    if (has_values(pseudonym, 0, split) && has_values(pseudonym, split, count))
        feistel(pseudonym, shape, count, split);
    else
        shuffle(pseudonym, shape, count);
}

static bool find_range(int32_t code, uint8_t *range_out)
{
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        if (code >= ranges[i].first && code < ranges[i].first + ranges[i].count) {
            *range_out = (uint8_t)i;
            return true;
        }
    }
    return false;
}

/* A letter or a number of some kind, which would tell something if it stayed. */
static bool tells(int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);

    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) || category == UTF8PROC_CATEGORY_CO ||
           category == UTF8PROC_CATEGORY_CN;
}

static void reserve(struct pseudonym *pseudonym, size_t count)
{
    if (count <= pseudonym->capacity)
        return;
    pseudonym->capacity = size_max(count, 256);
    pseudonym->place = xrealloc(pseudonym->place, pseudonym->capacity * sizeof(*pseudonym->place));
    pseudonym->symbol = xrealloc(pseudonym->symbol, pseudonym->capacity * sizeof(*pseudonym->symbol));
    pseudonym->range = xrealloc(pseudonym->range, pseudonym->capacity * sizeof(*pseudonym->range));
}

enum pseudonym_status pseudonym_text(struct pseudonym *pseudonym, struct str text, char *out)
{
    size_t count = 0, size;

    if (text.size > PSEUDONYM_BYTES_MAX)
        return PSEUDONYM_LONG;
    reserve(pseudonym, text.size);
    for (size_t at = 0; at < text.size; at += size) {
        int32_t code = code_point(str_make(text.data + at, text.size - at), &size);
        uint8_t range;

        if (find_range(code, &range)) {
            pseudonym->place[count] = (uint32_t)at;
            pseudonym->symbol[count] = (uint16_t)(code - ranges[range].first);
            pseudonym->range[count++] = range;
        } else if (tells(code)) {
            return PSEUDONYM_FOREIGN;
        }
    }
    if (!count)
        return PSEUDONYM_NOTHING;
    permute(pseudonym, count);
    memcpy(out, text.data, text.size);
    for (size_t i = 0; i < count; i++)
        text_encode((uint32_t)ranges[pseudonym->range[i]].first + pseudonym->symbol[i], out + pseudonym->place[i]);
    return PSEUDONYM_OK;
}
