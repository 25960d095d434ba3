/* clock.h: the two clocks. Only main loops read them; everything else gets the time passed in, so that tests do not sleep.
 * Units: milliseconds, but for the one that names others. Ownership: nothing to release. Threads: any. */
#ifndef LUADUCT_UTIL_CLOCK_H
#define LUADUCT_UTIL_CLOCK_H

#include <stdint.h>

int64_t clock_monotonic_ms(void); /* for intervals and deadlines */
int64_t clock_wall_ms(void);      /* since 1970, for people and for signatures */
uint64_t clock_nanoseconds(void); /* of the first one, for what is measured */
/* From now on that is the calling thread's wall clock, for the tests of a person's scripts; CLOCK_RUNS: the real one again. */
#define CLOCK_RUNS INT64_MIN
void clock_wall_fix(int64_t ms);

#endif
