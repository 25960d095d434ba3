/* progress.h: one line about a running job, once a second: on a terminal it is rewritten in place, else it is a log line every
 * ten. It reads the metrics and nothing else.
 * Ownership: progress_stop joins its thread and frees; stats and log are borrowed until then. Threads: start and stop the
 * owner's; lines are written on one of its own. */
#ifndef LUADUCT_CLI_PROGRESS_H
#define LUADUCT_CLI_PROGRESS_H

#include "pipeline/stats.h"
#include "util/log.h"

struct progress;
struct progress *progress_start(struct stats *stats, struct log *log) MUST_USE;
/* Ends the line and stops. */
void progress_stop(struct progress *progress);

#endif
