/* supervisor.h: the small parent that restarts a job which may heal.
 * The parent forks before any thread is made and holds no Lua, no Kafka and no HTTP state, so that what breaks the job cannot
 * break it. Restarts have a budget: at most `max` within a window, with growing pauses. A failure that cannot heal by itself is
 * never tried again.
 * Ownership: everything belongs to the caller. Threads: the main thread of a process that has no other one. */
#ifndef LUADUCT_SUPERVISOR_SUPERVISOR_H
#define LUADUCT_SUPERVISOR_SUPERVISOR_H

#include "util/log.h"

enum {
    EXIT_RECOVERABLE = 75, /* how a job's process says that another attempt may succeed (EX_TEMPFAIL of sysexits.h) */
    FAILOVER_MAX = 100,    /* the highest failover.max */
    SUPERVISOR_REASON_MAX = 1200,
};

/* The budget of restarts: a failure spends one, and gets it back when the window has passed. */
struct failover {
    unsigned max;
    int64_t window_ms;
    unsigned count; /* restarts within the window, oldest first */
    int64_t at_ms[FAILOVER_MAX];
};

void failover_init(struct failover *failover, unsigned max, int64_t window_ms);
/* May the job that failed now be started again, and after what pause? False leaves the budget as it is. */
bool failover_spend(struct failover *failover, int64_t now_ms, int64_t *pause_ms_out) MUST_USE;

/* What the end of the job's process means. */
enum ending {
    ENDING_FINAL,       /* done, failed for good, or stopped as asked: the parent ends with *status_out */
    ENDING_RECOVERABLE, /* worth another attempt */
};

/* wait_status is waitpid's; stopping: the parent has passed a request to stop on, so that nothing is started again. */
enum ending ending_of(int wait_status, bool stopping, int *status_out);

struct supervisor_options {
    unsigned failover_max;
    int64_t failover_window_ms;
    int64_t (*monotonic_ms)(void);
    struct log *log;
};

/* Runs `job` in a process of its own until it is done, has failed for good, or has failed too often; returns the exit status.
 * `attempt` counts its starts from 0. What `job` returns is that process's exit status, and what it leaves in `reason`
 * (SUPERVISOR_REASON_MAX bytes) is said by the parent. SIGINT and SIGTERM (and SIGHUP, where standard error is no terminal)
 * are blocked in both processes: the parent passes each
 * one on to the job, which waits for them. */
int supervisor_run(const struct supervisor_options *options, int (*job)(void *arg, unsigned attempt, char *reason), void *arg);

#endif
