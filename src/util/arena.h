/* arena.h: memory that is born piece by piece and dies at once.
 * A batch owns one; all that is made for a batch lives there, Lua errors included, and goes with arena_clear, which keeps the
 * pages for the next batch (up to `keep`).
 * Ownership: the arena owns what it hands out. Threads: one owner at a time, no locks.
 * Bounds: bytes_max is given at init; arena_try_alloc answers NULL beyond it (or when the machine has none), and the caller turns
 * that into an error about its input. Pieces are aligned to 16 bytes. */
#ifndef LUADUCT_UTIL_ARENA_H
#define LUADUCT_UTIL_ARENA_H

#include "util/str.h"

/* Builds with AddressSanitizer see a piece's bounds and its death as they see those of malloc. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_WATCHED 1
#endif
#endif
#ifdef ARENA_WATCHED
#include <sanitizer/asan_interface.h>
#define ARENA_OPEN(data, size) ASAN_UNPOISON_MEMORY_REGION(data, size)
#define ARENA_SHUT(data, size) ASAN_POISON_MEMORY_REGION(data, size)
#else
#define ARENA_OPEN(data, size) ((void)0)
#define ARENA_SHUT(data, size) ((void)0)
#endif

struct arena_page;

struct arena {
    struct arena_page *page;  /* the one that is being filled; earlier ones hang behind it */
    struct arena_page *spare; /* kept from before the last clear */
    char *next;
    char *end;
    size_t bytes; /* handed out since the last clear, page sizes counted */
    size_t bytes_max;
    size_t bytes_keep;
};

void arena_init(struct arena *arena, size_t bytes_max);
void arena_release(struct arena *arena);
void arena_clear(struct arena *arena);

/* A point to go back to: arena_rollback forgets all that was handed out since. */
struct arena_mark {
    struct arena_page *page, *older;
    char *next, *end;
    size_t bytes;
};

struct arena_mark arena_mark(const struct arena *arena) MUST_USE;
void arena_rollback(struct arena *arena, const struct arena_mark *mark);

void *arena_try_alloc_slow(struct arena *arena, size_t size) MUST_USE;

/* NULL when bytes_max is reached. size 0 gives a valid pointer. */
static inline MUST_USE void *arena_try_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t)15;

    /* One comparison: 0, for size 0 and for sizes that overflow, goes the slow way. */
    if (LIKELY(rounded - 1 < (size_t)(arena->end - arena->next))) {
        void *piece = arena->next;

        arena->next += rounded;
        ARENA_OPEN(piece, size);
        return piece;
    }
    return arena_try_alloc_slow(arena, size);
}

/* count elements of size bytes each, with an overflow check; not cleared. */
static inline MUST_USE void *arena_try_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_try_alloc(arena, bytes);
}

/* A copy of text, not zero-terminated; data is NULL when there is no room. An absent text stays absent. */
static inline struct str arena_try_copy(struct arena *arena, struct str text)
{
    char *copy;

    if (!text.data)
        return STR_NONE;
    copy = arena_try_alloc(arena, text.size);
    if (copy && text.size)
        memcpy(copy, text.data, text.size);
    return str_make(copy, copy ? text.size : 0);
}

#endif
