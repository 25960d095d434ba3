/* log.h: one line an event: time, level, component, one sentence, key=value pairs, what next.
 * A handle per component, child of its parent ("orders/sink"). Repeats are counted and said once in LOG_REPEAT_MS: the same text
 * again, or the same format more than LOG_REPEAT_LINES times. Payloads and secrets stay out: log_secret tells texts that must
 * never be printed, and every line is searched for them.
 * Ownership: log_new gives a handle that the caller frees; the parent must live longer.
 * Threads: any; one lock around the write.
 * Errors: CONFIG when the file cannot be opened; later a line that cannot be written is counted. */
#ifndef LUADUCT_UTIL_LOG_H
#define LUADUCT_UTIL_LOG_H

#include "util/error.h"
#include "util/str.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum {
    LOG_REPEAT_MS = 10000,
    LOG_REPEAT_LINES = 8,
};

struct log;

/* Process-wide set-up; call before the first thread. path NULL: standard error. A file that takes no more lines (full disk) is
 * told once on standard error; the job goes on, and when the file takes lines again, one says how many are missing. */
bool log_start(enum log_level level, const char *path, struct error *error) MUST_USE;
void log_stop(void);
/* Changes the level while threads log. */
void log_set_level(enum log_level level);
/* Whether lines that repeat are all printed, for a person who looks at what a script prints; otherwise most are counted only. */
void log_set_repeats(bool printed);
/* A text (an access key) that is replaced by *** wherever a line would show it. Texts shorter than 4 bytes are ignored. */
void log_secret(const char *text);
/* Takes one back that nothing uses any more: each told secret costs a search of every line. NULL is taken. */
void log_secret_forget(const char *text);
/* Replaces all told secrets in a text of the caller's, in place; for error texts and pages that do not go through the log. */
void log_redact(char *text);
bool log_level_parse(struct str text, enum log_level *level_out) MUST_USE;
/* Something else owns the terminal's last line (progress): called before and after each line that goes to standard error. */
void log_set_terminal_hook(void (*hook)(bool before));
/* Another source of wall-clock milliseconds, so that tests do not sleep; NULL: clock_wall_ms. */
void log_set_clock(int64_t (*wall_ms)(void));

struct log *log_new(struct log *parent, const char *name) MUST_USE;
void log_free(struct log *log);
/* Lines of this handle below the level are left out, whatever the process-wide level says; before other threads use it. */
void log_quiet(struct log *log, enum log_level level);
bool log_enabled(const struct log *log, enum log_level level);
void log_print(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_debug(log, ...) log_print(log, LOG_DEBUG, __VA_ARGS__)
#define log_info(log, ...) log_print(log, LOG_INFO, __VA_ARGS__)
#define log_warn(log, ...) log_print(log, LOG_WARN, __VA_ARGS__)
#define log_error(log, ...) log_print(log, LOG_ERROR, __VA_ARGS__)

#endif
