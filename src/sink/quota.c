/* quota.c: one ring of send times per kind. A question walks at most the ring. */
#include "sink/quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MARGIN_MS = 1000, COMMITS_AT_ONCE = 32, SESSIONS_WINDOW_MS = 300 * 1000, COMMITS_WINDOW_MS = 15 * 1000 };

const char *const quota_names[QUOTA_KINDS] = {"sessions", "blocks", "commits"};

static const struct {
    unsigned count;
    int64_t window_ms;
    const char *window;
} limits[QUOTA_KINDS] = {
    {500, SESSIONS_WINDOW_MS, "5 minutes"},
    {500, SESSIONS_WINDOW_MS, "5 minutes"},
    {75, COMMITS_WINDOW_MS, "15 seconds"},
};

static unsigned share_of(unsigned count, unsigned share_percent)
{
    unsigned part = count * share_percent / QUOTA_PERCENT;

    return part ? part : 1;
}

unsigned quota_limit(enum quota_kind kind, unsigned share_percent)
{
    return share_of(limits[kind].count, share_percent);
}

void quota_init(struct quota *quota, unsigned share_percent)
{
    memset(quota, 0, sizeof(*quota));
    quota->share = share_percent;
    quota->commits_out_max = share_of(COMMITS_AT_ONCE, share_percent);
    for (int kind = 0; kind < QUOTA_KINDS; kind++) {
        quota->windows[kind].limit = quota_limit(kind, share_percent);
        quota->windows[kind].window_ms = limits[kind].window_ms + MARGIN_MS;
        assert(quota->windows[kind].limit <= QUOTA_COUNT_MAX);
    }
}

static int64_t time_at(const struct quota_window *window, unsigned index)
{
    return window->times[(window->first + index) % window->limit];
}

static unsigned used_at(const struct quota_window *window, int64_t at_ms)
{
    unsigned gone = 0;

    while (gone < window->used && at_ms - time_at(window, gone) >= window->window_ms)
        gone++;
    return window->used - gone;
}

/* The first time, from at_ms on, at which `count` calls may go. A count above the limit is taken for the limit. */
static int64_t room_at(const struct quota_window *window, unsigned count, int64_t at_ms)
{
    unsigned wanted = count < window->limit ? count : window->limit;
    unsigned may_stay = window->limit - wanted;

    if (!wanted || window->used <= may_stay)
        return at_ms;
    return int64_max(at_ms, time_at(window, window->used - may_stay - 1) + window->window_ms);
}

int64_t quota_next(const struct quota *quota, enum quota_kind kind, int64_t now_ms)
{
    if (kind == QUOTA_COMMITS && quota->commits_out >= quota->commits_out_max)
        return INT64_MAX;
    return room_at(&quota->windows[kind], 1, now_ms);
}

unsigned quota_left(const struct quota *quota, enum quota_kind kind, int64_t now_ms)
{
    const struct quota_window *window = &quota->windows[kind];
    unsigned left = window->limit - used_at(window, now_ms);

    if (kind == QUOTA_COMMITS && quota->commits_out + left > quota->commits_out_max)
        left = quota->commits_out < quota->commits_out_max ? quota->commits_out_max - quota->commits_out : 0;
    return left;
}

void quota_use(struct quota *quota, enum quota_kind kind, int64_t now_ms)
{
    struct quota_window *window = &quota->windows[kind];

    if (window->used == window->limit) {
        window->first = (window->first + 1) % window->limit;
        window->used--;
    }
    window->times[(window->first + window->used++) % window->limit] = now_ms;
    quota->commits_out += kind == QUOTA_COMMITS;
}

void quota_commit_end(struct quota *quota)
{
    assert(quota->commits_out);
    quota->commits_out--;
}

int64_t quota_sessions_asked(const struct quota_demand *demand)
{
    return demand->partitions_open * (int64_t)SESSIONS_WINDOW_MS / demand->flush_interval_ms;
}

int64_t quota_bytes_per_second(const struct quota_demand *demand, unsigned share_percent)
{
    return quota_limit(QUOTA_BLOCKS, share_percent) * demand->flush_bytes / (SESSIONS_WINDOW_MS / 1000);
}

void quota_describe(const struct quota *quota, enum quota_kind kind, const struct quota_demand *demand, char text[QUOTA_TEXT_MAX])
{
    const char *others = quota->share < QUOTA_PERCENT ? ", or raise target.quota_share where other processes leave room" : "";
    char interval[32], share[48] = "";
    int used;

    if (demand->flush_interval_ms % 1000)
        snprintf(interval, sizeof(interval), "%" PRId64 "ms", demand->flush_interval_ms);
    else
        snprintf(interval, sizeof(interval), "%" PRId64 "s", demand->flush_interval_ms / 1000);
    if (quota->share < QUOTA_PERCENT)
        snprintf(share, sizeof(share), ", target.quota_share is %u", quota->share);
    used = snprintf(text, QUOTA_TEXT_MAX, "%s: %u in %s are used (the service takes %u for a table%s); ", quota_names[kind],
                    quota->windows[kind].limit, limits[kind].window, limits[kind].count, share);
    if (demand->early && kind != QUOTA_BLOCKS) {
        snprintf(text + used, QUOTA_TEXT_MAX - (size_t)used,
                 "flushes come early, because more than %u table partitions are written at a time; raise "
                 "target.partitions_open_max%s",
                 demand->partitions_open, others);
        return;
    }
    switch (kind) {
    case QUOTA_SESSIONS:
        snprintf(text + used, QUOTA_TEXT_MAX - (size_t)used,
                 "runtime.flush_interval %s with %u open partitions asks for up to %" PRId64
                 "; raise runtime.flush_interval or lower target.partitions_open_max%s",
                 interval, demand->partitions_open, quota_sessions_asked(demand), others);
        break;
    case QUOTA_BLOCKS:
        snprintf(text + used, QUOTA_TEXT_MAX - (size_t)used,
                 "blocks of %" PRId64 " KiB (runtime.flush_bytes) let through %" PRId64
                 " KiB/s at most; raise runtime.flush_bytes (and runtime.flush_interval, where blocks are not full)%s",
                 demand->flush_bytes >> 10, quota_bytes_per_second(demand, quota->share) >> 10, others);
        break;
    default:
        snprintf(text + used, QUOTA_TEXT_MAX - (size_t)used,
                 "runtime.flush_interval %s with %u open partitions asks for too many at once; raise runtime.flush_interval or "
                 "lower target.partitions_open_max%s",
                 interval, demand->partitions_open, others);
        break;
    }
}

/* When calls for `needed` may go without leaving a hole behind them. */
static int64_t spread_at(const struct quota_window *window, unsigned needed, int64_t opened_ms, int64_t due_ms)
{
    unsigned used = used_at(window, due_ms), left = window->limit - used;

    if (!needed)
        return due_ms;
    if (left < needed)
        return room_at(window, needed, due_ms);
    if (!used || left - needed >= window->limit / 2)
        return due_ms;
    return int64_max(due_ms, opened_ms + needed * (time_at(window, window->used - used) + window->window_ms - due_ms) / left);
}

struct quota_plan quota_plan(const struct quota *quota, const struct quota_demand *demand, const struct quota_epoch *epoch,
                             int64_t now_ms)
{
    struct quota_plan plan = {.flush_ms = epoch->opened_ms + demand->flush_interval_ms};
    unsigned needed[QUOTA_KINDS] = {epoch->partitions - epoch->sessions_made, epoch->partitions};
    int64_t due_ms = int64_max(plan.flush_ms, now_ms);

    for (enum quota_kind kind = QUOTA_SESSIONS; quota && kind <= QUOTA_BLOCKS; kind++) {
        int64_t at_ms = spread_at(&quota->windows[kind], needed[kind], epoch->opened_ms, due_ms);

        if (at_ms <= due_ms || at_ms <= plan.flush_ms)
            continue;
        plan.flush_ms = at_ms;
        plan.kind = kind;
    }
    return plan;
}
