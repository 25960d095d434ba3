/* report.h: the mistakes in a person's files, collected and printed in one go with line and caret.
 *
 *     job.yaml:14:13: runtime.flush_interval: 90ms is below the minimum 100ms
 *       14 |   flush_interval: 90ms
 *          |                   ^^^^
 *
 * Ownership: the report owns its texts; locations borrow their file names. Threads: one owner. */
#ifndef LUADUCT_JOB_REPORT_H
#define LUADUCT_JOB_REPORT_H

#include "util/buffer.h"
#include "util/error.h"
#include "util/location.h"

struct report;
struct report *report_new(void) MUST_USE;
void report_free(struct report *report);
/* width: characters to underline, at least 1. */
void report_mistake(struct report *report, struct location at, unsigned width, const char *format, ...) PRINTF_LIKE(4, 5);
/* Goes on, but a person should know. */
void report_warning(struct report *report, struct location at, unsigned width, const char *format, ...) PRINTF_LIKE(4, 5);
unsigned report_mistakes(const struct report *report);
/* Of those on the lines from `from` on, before `to`, of that file. */
unsigned report_mistakes_between(const struct report *report, const char *file, unsigned from, unsigned to);
unsigned report_warnings(const struct report *report);
/* Sorted by file, line, column; ends with "2 mistakes in job.yaml" (nothing when there is nothing). Told secrets are redacted. */
void report_print(const struct report *report, struct buffer *text);

#endif
