/* crc32c.c: eight bytes a step, by the SSE4.2 instruction (some 3 cycles a step) or by eight tables of 256 entries (some 10
 * cycles). Tables and choice are made before main, so that no call has to ask whether they are there. */
#include "util/crc32c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the steps feed numbers as they lie in memory");

bool crc32c_instruction;
static uint32_t tables[8][256]; /* tables[k][b]: byte b followed by k zero bytes */

__attribute__((constructor)) static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82F63B78) : 0);
        tables[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 8; k++)
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xFF];
#if defined(__x86_64__)
    __builtin_cpu_init();
    crc32c_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

uint32_t crc32c_update_table(uint32_t state, const void *data, size_t size)
{
    const uint8_t *p = data;

    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        word ^= state;
        state = tables[7][word & 0xFF] ^ tables[6][word >> 8 & 0xFF] ^ tables[5][word >> 16 & 0xFF] ^
                tables[4][word >> 24 & 0xFF] ^ tables[3][word >> 32 & 0xFF] ^ tables[2][word >> 40 & 0xFF] ^
                tables[1][word >> 48 & 0xFF] ^ tables[0][word >> 56];
    }
    for (; size; p++, size--)
        state = state >> 8 ^ tables[0][(state ^ *p) & 0xFF];
    return state;
}

static uint32_t update_instruction(uint32_t start, const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t state = start;

    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        state = crc32c_step64(state, word);
    }
    for (; size; p++, size--)
        state = crc32c_step8(state, *p);
    return (uint32_t)state;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return ~(LIKELY(crc32c_instruction) ? update_instruction(~crc, data, size) : crc32c_update_table(~crc, data, size));
}
