/* sink_run.h: turns a sink by hand until it tells something. Time is ours, so that no pause is waited for.
 * Ownership: all is borrowed. Threads: the sweep's main one. */
#ifndef LUADUCT_TESTS_SWEEP_SINK_RUN_H
#define LUADUCT_TESTS_SWEEP_SINK_RUN_H

#include "maxcompute/http.h"
#include "sink/sink.h"
#include "sweep/sweep.h"

enum { SINK_RUN_MS_MAX = 24 * 3600 * 1000 };

/* Whether the event is of the kind; else it is a failure, with its error, or a day has passed in vain. */
static inline bool sink_run(struct http *http, struct sink *sink, int64_t *now_ms, int64_t wall_ms, enum sink_event_kind kind,
                            struct error *error)
{
    struct sink_event event;

    for (;;) {
        int64_t deadline;

        sink->ops->step(sink, *now_ms, wall_ms);
        if (sink->ops->next(sink, &event))
            break;
        deadline = sink->ops->deadline(sink);
        if (deadline == INT64_MAX)
            http_wait(http, NULL, 0, 20);
        else
            *now_ms = int64_max(*now_ms, deadline);
        if (*now_ms > SINK_RUN_MS_MAX)
            return error_set(error, ERROR_RETRY, "nothing came of it in a day");
    }
    if (event.kind == SINK_FAILED)
        *error = event.error;
    else
        SWEEP_CHECK(event.kind == kind);
    return event.kind == kind;
}

#endif
