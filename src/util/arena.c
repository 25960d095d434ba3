/* arena.c: pages of 64 kB or the asked size, whichever is larger; the current page is filled from the front.
 * Clearing keeps pages up to bytes_keep, so that a recycled batch runs without malloc. */
#include "util/arena.h"

#include <stdlib.h>

struct arena_page {
    struct arena_page *older;
    size_t size; /* of the bytes behind this header */
    _Alignas(16) char bytes[];
};

enum { PAGE_BYTES = 64 * 1024 - (int)sizeof(struct arena_page) };

void arena_init(struct arena *arena, size_t bytes_max)
{
    memset(arena, 0, sizeof(*arena));
    arena->bytes_max = bytes_max;
    arena->bytes_keep = size_min(bytes_max, 4 * 1024 * 1024);
}

static void free_pages(struct arena_page *page)
{
    while (page) {
        struct arena_page *older = page->older;

        free(page);
        page = older;
    }
}

void arena_release(struct arena *arena)
{
    free_pages(arena->page);
    free_pages(arena->spare);
    memset(arena, 0, sizeof(*arena));
}

void arena_clear(struct arena *arena)
{
    size_t kept = 0;
    struct arena_page *page = arena->page;

    for (struct arena_page *spare = arena->spare; spare; spare = spare->older)
        kept += spare->size;
    while (page) {
        struct arena_page *older = page->older;

        if (page->size == PAGE_BYTES && kept + page->size <= arena->bytes_keep) {
            kept += page->size;
            ARENA_SHUT(page->bytes, page->size);
            page->older = arena->spare;
            arena->spare = page;
        } else {
            free(page);
        }
        page = older;
    }
    arena->page = NULL;
    arena->next = arena->end = NULL;
    arena->bytes = 0;
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){arena->page, arena->page ? arena->page->older : NULL, arena->next, arena->end, arena->bytes};
}

/* The pages from `page` up to `until` are kept as spares as arena_clear keeps them, or freed. */
static void drop_pages(struct arena *arena, struct arena_page *page, const struct arena_page *until)
{
    size_t kept = 0;

    for (struct arena_page *spare = arena->spare; spare; spare = spare->older)
        kept += spare->size;
    while (page != until) {
        struct arena_page *older = page->older;

        if (page->size == PAGE_BYTES && kept + page->size <= arena->bytes_keep) {
            kept += page->size;
            ARENA_SHUT(page->bytes, page->size);
            page->older = arena->spare;
            arena->spare = page;
        } else {
            free(page);
        }
        page = older;
    }
}

void arena_rollback(struct arena *arena, const struct arena_mark *mark)
{
    drop_pages(arena, arena->page, mark->page);
    if (mark->page) {
        /* Large pieces hang behind the page that was current when they were made. */
        drop_pages(arena, mark->page->older, mark->older);
        mark->page->older = mark->older;
    }
    arena->page = mark->page;
    arena->next = mark->next;
    arena->end = mark->end;
    arena->bytes = mark->bytes;
    if (mark->page)
        ARENA_SHUT(mark->next, (size_t)(mark->end - mark->next));
}

void *arena_try_alloc_slow(struct arena *arena, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t)15;
    size_t page_size = size_max(rounded, PAGE_BYTES);
    struct arena_page *page;

    if (!size)
        return arena_try_alloc(arena, 1);
    if (rounded < size || page_size > arena->bytes_max || arena->bytes > arena->bytes_max - page_size)
        return NULL;
    if (page_size == PAGE_BYTES && arena->spare) {
        page = arena->spare;
        arena->spare = page->older;
    } else {
        page = malloc(sizeof(*page) + page_size);
        if (!page)
            return NULL;
        page->size = page_size;
    }
    arena->bytes += page_size;
    ARENA_SHUT(page->bytes, page->size);
    ARENA_OPEN(page->bytes, size);
    if (arena->page && rounded > PAGE_BYTES / 4 && (size_t)(arena->end - arena->next) > page_size - rounded) {
        /* A large piece gets a page of its own behind the current one, whose rest stays in use. */
        page->older = arena->page->older;
        arena->page->older = page;
        return page->bytes;
    }
    page->older = arena->page;
    arena->page = page;
    arena->next = page->bytes + rounded;
    arena->end = page->bytes + page->size;
    return page->bytes;
}
