/* clock.c */
#include "util/clock.h"

#include <time.h>

static _Thread_local int64_t fixed_ms = CLOCK_RUNS;

static int64_t read_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return fixed_ms == CLOCK_RUNS ? read_ms(CLOCK_REALTIME) : fixed_ms;
}

void clock_wall_fix(int64_t ms)
{
    fixed_ms = ms;
}

uint64_t clock_nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
