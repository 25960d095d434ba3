/* crc32c.h: CRC-32C (Castagnoli, reflected 0x82F63B78, start and final XOR 0xFFFFFFFF; protocol section 6.3).
 * By the CPU's instruction where there is one (chosen once), else by table.
 * Ownership: bytes are borrowed. Threads: any, no state that changes. */
#ifndef LUADUCT_UTIL_CRC32C_H
#define LUADUCT_UTIL_CRC32C_H

#include "util/str.h"

/* crc is the value so far (0 to start), without knowing about the XORs: crc32c(crc32c(0, a), b) is the CRC of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* For loops that feed a few bytes at a time (record_encode.c). The state between two steps holds the start XOR and not the
 * final one: begin with UINT32_MAX, end with ~state. The steps may be taken only where crc32c_instruction is true. */
extern bool crc32c_instruction; /* set before main */
uint32_t crc32c_update_table(uint32_t state, const void *data, size_t size);

#if defined(__x86_64__)
/* Assembler instead of the intrinsics: those only inline into functions that are compiled for SSE4.2, and a loop that exists in
 * both forms is one source this way. The state is 64 bits wide, for the instruction leaves the upper half zero by itself. */
static inline uint64_t crc32c_step64(uint64_t state, uint64_t value)
{
    __asm__("crc32q %1, %0" : "+r"(state) : "rm"(value));
    return state;
}

static inline uint64_t crc32c_step32(uint64_t state, uint32_t value)
{
    __asm__("crc32l %1, %k0" : "+r"(state) : "rm"(value));
    return state;
}

static inline uint64_t crc32c_step8(uint64_t state, uint8_t value)
{
    __asm__("crc32b %1, %k0" : "+r"(state) : "qm"(value));
    return state;
}
#else
static inline uint64_t crc32c_step64(uint64_t state, uint64_t value)
{
    return crc32c_update_table((uint32_t)state, &value, sizeof(value));
}

static inline uint64_t crc32c_step32(uint64_t state, uint32_t value)
{
    return crc32c_update_table((uint32_t)state, &value, sizeof(value));
}

static inline uint64_t crc32c_step8(uint64_t state, uint8_t value)
{
    return crc32c_update_table((uint32_t)state, &value, sizeof(value));
}
#endif

#endif
