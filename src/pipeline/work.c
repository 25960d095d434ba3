/* work.c */
#include "pipeline/work.h"

#include <stdlib.h>

struct work *work_new(enum work_kind kind)
{
    struct work *work = xcalloc(1, sizeof(*work));

    work->kind = kind;
    buffer_init(&work->dirty_lines, 0);
    return work;
}

void work_free(struct work *work)
{
    if (!work)
        return;
    batch_free(work->batch);
    buffer_release(&work->dirty_lines);
    dirty_reasons_free(work->dirty_reasons);
    chunks_free(work->chunks);
    block_free(work->block);
    free(work);
}

void chunks_free(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}
