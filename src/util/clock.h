/* clock.h: the two clocks. Only main loops read them; everything else gets the time passed in, so that tests do not sleep.
 * Units: milliseconds, but for the one that names others. Ownership: nothing to release. Threads: any. */
#ifndef LUADUCT_UTIL_CLOCK_H
#define LUADUCT_UTIL_CLOCK_H

#include <stdint.h>

int64_t clock_monotonic_ms(void); /* for intervals and deadlines */
int64_t clock_wall_ms(void);      /* since 1970, for people and for signatures */
uint64_t clock_nanoseconds(void); /* of the first one, for what is measured */

#endif
