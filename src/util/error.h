/* error.h: why something could not be done, in the user's words.
 * Ownership: the caller owns the struct; nothing is allocated, so that lack of memory can be told as well.
 * Use: a function that can fail returns bool, is MUST_USE and fills *error. On the way up error_wrap puts the place in front
 * ("sink: partition ds=20240101: ..."); it is logged once, where it is handled.
 * Threads: any, no locks. */
#ifndef LUADUCT_UTIL_ERROR_H
#define LUADUCT_UTIL_ERROR_H

#include "util/base.h"

/* What the one who gets the error asks himself. */
enum error_kind {
    ERROR_NONE,
    ERROR_CONFIG, /* a person edits a file; never retried; exit status 2 */
    ERROR_DATA,   /* this row */
    ERROR_SCRIPT, /* this stage */
    ERROR_RETRY,  /* again later: the other side is down, busy or slow */
    ERROR_FENCED, /* another owner has the work: stop */
    ERROR_FATAL,  /* cannot heal by itself: bad credentials, missing table, disk full; exit status 1 */
};

struct error {
    enum error_kind kind;
    char text[1200];
};

/* Both return false, so that `return error_set(...)` reads well. error may be NULL. Text that does not fit is cut. */
bool error_set(struct error *error, enum error_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
bool error_wrap(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* strerror(number), with what to do about a full disk and about limits of open files. */
const char *system_reason(int number);

#endif
