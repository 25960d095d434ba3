/* skew.h: how far this machine's clock is from the service's, by the Date header of its answers.
 * It is only ever told, never corrected for: rows are put into table partitions and logs are read by this clock too, so a person
 * has to set it.
 * Ownership: plain values, nothing to release. Threads: one owner. Units: milliseconds of wall-clock time. */
#ifndef LUADUCT_MAXCOMPUTE_SKEW_H
#define LUADUCT_MAXCOMPUTE_SKEW_H

#include "util/base.h"

enum {
    SKEW_TOLD_MS = 5 * 60 * 1000,     /* from here on it is spoken of */
    SKEW_REFUSED_MS = 15 * 60 * 1000, /* from here on the service refuses requests (protocol section 1.5) */
};

struct skew {
    int64_t ahead_ms; /* below 0: behind; 0 as far as the duration of the request could explain it */
    bool told;        /* the owner's note that it said so */
};

/* An answer of date_ms (whole seconds) to a request that was sent and answered at these times of ours. */
void skew_note(struct skew *skew, int64_t sent_ms, int64_t answered_ms, int64_t date_ms);
bool skew_is_large(const struct skew *skew);
enum { SKEW_TEXT_MAX = 120 };
/* "the clock of this machine is 20 minutes ahead of the service's; set it" */
const char *skew_text(const struct skew *skew, char text[SKEW_TEXT_MAX]);

#endif
