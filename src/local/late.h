/* late.h: calls that are carried out some time after they came, one after the other, by a thread of their own.
 * Ownership: late_push takes the item; late_free ends the thread, gives what is not due yet to `drop` unseen, and frees.
 * Threads: push from any; `run` and the `drop` behind it come on the queue's thread, one at a time. Units: milliseconds.
 * Bounds: LATE_ITEMS_MAX; what comes beyond is dropped, as requests are that a network loses. */
#ifndef LUADUCT_LOCAL_LATE_H
#define LUADUCT_LOCAL_LATE_H

#include "util/error.h"

enum { LATE_ITEMS_MAX = 1000 };

struct late;

/* NULL when there is no thread to be had. */
struct late *late_new(void (*run)(void *item), void (*drop)(void *item)) MUST_USE;
void late_push(struct late *late, void *item, int64_t delay_ms);
void late_free(struct late *late);

#endif
