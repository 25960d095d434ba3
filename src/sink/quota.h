/* quota.h: the service's limits for one table (protocol section 9.1): how much of them this process has used, when its next call
 * may go, and when an epoch should be flushed so that they last.
 *
 *     sessions  500 new ones in 5 minutes
 *     blocks    500 in 5 minutes
 *     commits    75 in 15 seconds, and 32 at a time
 *
 * The service answers 429 beyond them, and the client waits then as it is told; planning keeps that from happening, and says
 * which parameter would help. The limits belong to the table: several processes (and other jobs that write to it) share them,
 * which target.quota_share is for; nothing is known of what the others use, nor of what this process used before it was started
 * again. Windows slide: a call counts from when it is sent for the length of the window and a second more, for the service
 * counts when it arrives. Ownership: plain values, nothing to release. Threads: the owner's. Time is passed in, monotonic
 * milliseconds. */
#ifndef LUADUCT_SINK_QUOTA_H
#define LUADUCT_SINK_QUOTA_H

#include "util/base.h"

enum quota_kind { QUOTA_SESSIONS, QUOTA_BLOCKS, QUOTA_COMMITS, QUOTA_KINDS };
extern const char *const quota_names[QUOTA_KINDS];

enum { QUOTA_COUNT_MAX = 500, QUOTA_PERCENT = 100 };

struct quota_window {
    unsigned limit;
    int64_t window_ms; /* with the second more */
    unsigned first, used; /* a ring: when each call that counts was sent, oldest first */
    int64_t times[QUOTA_COUNT_MAX];
};

struct quota {
    struct quota_window windows[QUOTA_KINDS];
    unsigned share; /* percent */
    unsigned commits_out, commits_out_max;
};

/* share_percent of each limit, at least 1 of each. */
void quota_init(struct quota *quota, unsigned share_percent);
/* The share's limit, without any history. */
unsigned quota_limit(enum quota_kind kind, unsigned share_percent);
/* When the next call of that kind may go: now or earlier, later, or INT64_MAX: when one of the commits under way ends. */
int64_t quota_next(const struct quota *quota, enum quota_kind kind, int64_t now_ms);
/* How many calls may go now without waiting. */
unsigned quota_left(const struct quota *quota, enum quota_kind kind, int64_t now_ms);
/* A call was sent (a commit is under way from then on). Beyond the limit the newest calls are kept. The client's repeats are not
 * counted: they are rare, and a 429 is waited out anyway. */
void quota_use(struct quota *quota, enum quota_kind kind, int64_t now_ms);
/* A commit was answered, or given up. */
void quota_commit_end(struct quota *quota);

/* What the job asks for. */
struct quota_demand {
    int64_t flush_interval_ms;
    unsigned partitions_open; /* target.partitions_open_max; 1 for a table without partitions */
    int64_t flush_bytes;
    bool early; /* more partitions than that were written at a time, so that flushes came before the interval was over */
};

/* Sessions that an even load may ask for in five minutes: every partition in every interval. */
int64_t quota_sessions_asked(const struct quota_demand *demand);
/* Bytes a second before compression that the limit of blocks lets through when all blocks are full. */
int64_t quota_bytes_per_second(const struct quota_demand *demand, unsigned share_percent);

enum { QUOTA_TEXT_MAX = 400 };
/* Which limit is used up, what asks for it, and which parameter to change; one sentence. */
void quota_describe(const struct quota *quota, enum quota_kind kind, const struct quota_demand *demand,
                    char text[QUOTA_TEXT_MAX]);

/* --- for the epochs: when to flush --- */

struct quota_epoch {
    int64_t opened_ms;
    unsigned partitions;    /* table partitions with rows */
    unsigned sessions_made; /* of them with a session already */
};

struct quota_plan {
    int64_t flush_ms;     /* not before; later than the interval: so that sessions and blocks last */
    enum quota_kind kind; /* the limit that asks for it then */
};

/* quota NULL: a target without limits. While half of a window is left, flushes come as they are due. Below that the rest is
 * spread until the oldest calls leave the window, and nothing is flushed before the sessions and blocks it needs may go: many
 * short intervals and then a hole of minutes would be worse than some longer ones. */
struct quota_plan quota_plan(const struct quota *quota, const struct quota_demand *demand, const struct quota_epoch *epoch,
                             int64_t now_ms);

#endif
