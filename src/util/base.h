/* base.h: the few words of C that every file of the project uses.
 * Ownership: what the x-functions give is freed by free(). Threads: any, no state. */
#ifndef LUADUCT_UTIL_BASE_H
#define LUADUCT_UTIL_BASE_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef NDEBUG
#error "asserts stay on in release builds: they are the programmer-mistake checks of this project"
#endif

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define UNUSED __attribute__((unused))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* Control-plane allocations: small, bounded by configuration. They stop the process with one clear message when memory is gone.
 * What outside data sizes goes through an arena or a buffer with a limit instead. */
void *xmalloc(size_t size) MUST_USE;
void *xcalloc(size_t count, size_t size) MUST_USE;
void *xrealloc(void *pointer, size_t size) MUST_USE;
char *xstrdup(const char *text) MUST_USE;
char *xstrndup(const char *text, size_t size) MUST_USE;
char *xasprintf(const char *format, ...) MUST_USE PRINTF_LIKE(1, 2);
/* The same end for what a library could not make: "memory for a request". */
_Noreturn void stop_out_of_memory(const char *what);
/* pthread_create, or the same end: threads are few and made when something opens. what: "a worker". */
void xthread_create(pthread_t *thread, void *(*start)(void *arg), void *arg, const char *what);

/* Makes room for one more element in a growing array: pointer, count and capacity are lvalues. */
#define XGROW(pointer, count, capacity)                                             \
    do {                                                                            \
        if ((count) == (capacity)) {                                                \
            (capacity) = (capacity) ? (capacity) * 2 : 8;                           \
            (pointer) = xrealloc((pointer), (size_t)(capacity) * sizeof(*(pointer))); \
        }                                                                           \
    } while (0)

static inline size_t size_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t size_max(size_t a, size_t b) { return a > b ? a : b; }
static inline int64_t int64_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t int64_max(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
