/* orders.h: order records for demo, benches and tests: one JSON object, about 280 bytes, the same for the same arguments.
 * The same records, byte for byte, as the bench definition's generator: 100,000 of seed 1 have SHA-256 e9fa0840…48d2aa (joined by
 * \n).
 * Ownership: plain values, nothing to release. Threads: one owner of a struct orders. */
#ifndef LUADUCT_LOCAL_ORDERS_H
#define LUADUCT_LOCAL_ORDERS_H

#include "util/buffer.h"

struct orders {
    uint64_t values, odd; /* generator states */
    int64_t ts;
    int64_t index;
    unsigned broken_permille;
    bool shuffle;
    int64_t hours, count; /* spread over hours when hours > 0 */
    int64_t start_ms;
};

/* start_ms 0: 1,700,000,000,000. */
void orders_init(struct orders *orders, uint64_t seed, unsigned broken_permille, bool shuffle, int64_t hours, int64_t count,
                 int64_t start_ms);
/* Appends the next record (no newline); key gets the user, in a buffer of at least 64 bytes. */
void orders_next(struct orders *orders, struct buffer *record, char key[64]);

#endif
