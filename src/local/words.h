/* words.h: numbers and durations as the scripts and options of the local endpoint write them.
 * Ownership: plain values, nothing to release. Threads: any, no state. */
#ifndef LUADUCT_LOCAL_WORDS_H
#define LUADUCT_LOCAL_WORDS_H

#include "util/str.h"

/* Decimal digits only, up to max. */
bool word_count(struct str text, uint64_t max, uint64_t *value_out) MUST_USE;
/* 500ms, 2s, 5m, 24h; a day at most. */
bool word_duration(struct str text, int64_t *ms_out) MUST_USE;

#endif
