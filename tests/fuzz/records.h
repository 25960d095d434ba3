/* records.h: a record stream whose checksums and counts are put right, for no mutation passes a CRC. */
#ifndef LUADUCT_TESTS_FUZZ_RECORDS_H
#define LUADUCT_TESTS_FUZZ_RECORDS_H

#include "fuzz.h"

#include "maxcompute/record.h"

enum { FUZZ_REPAIRS_MAX = 64 };

/* Puts a varint in the place of the one at `at`. */
static inline bool fuzz_replace_varint(struct buffer *body, size_t at, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = 0, end = at;

    while (end < body->size && (uint8_t)body->data[end] >= 0x80)
        end++;
    if (end >= body->size)
        return false;
    end++;
    for (; value >= 0x80; value >>= 7)
        bytes[size++] = (uint8_t)(value | 0x80);
    bytes[size++] = (uint8_t)value;
    (void)buffer_reserve(body, size);
    memmove(body->data + at + size, body->data + end, body->size - end);
    memcpy(body->data + at, bytes, size);
    body->size = body->size - (end - at) + size;
    return true;
}

/* Puts right what the decoder's error says is a wrong checksum or count. */
static inline bool fuzz_repair(struct buffer *body, const char *text)
{
    const char *byte = strstr(text, "byte "), *sum = strstr(text, "computed "), *count = strstr(text, " records and there are ");
    size_t at = byte ? strtoul(byte + 5, NULL, 10) : body->size;

    if (sum)
        return fuzz_replace_varint(body, at, strtoul(sum + 9, NULL, 16));
    /* The count's tag, of four bytes, stands before it. */
    return count && fuzz_replace_varint(body, at + 4, strtoull(count + 23, NULL, 10) * 2);
}

static inline void fuzz_repair_all(const struct mc_schema *schema, struct buffer *body)
{
    for (int i = 0; i < FUZZ_REPAIRS_MAX; i++) {
        struct record_decoder *decoder = record_decoder_new(schema, buffer_str(body));
        const struct record_value *values;
        struct error error;
        int status;

        while ((status = record_decoder_next(decoder, &values, &error)) == 1)
            ;
        record_decoder_free(decoder);
        if (status == 0 || !fuzz_repair(body, error.text))
            break;
    }
}

#endif
