/* work.c */
#include "pipeline/work.h"

#include <stdlib.h>

struct work *work_new(enum work_kind kind)
{
    struct work *work = xcalloc(1, sizeof(*work));

    work->kind = kind;
    return work;
}

void work_free(struct work *work)
{
    if (!work)
        return;
    batch_free(work->batch);
    segments_free(work->segments);
    chunks_free(work->chunks);
    block_free(work->block);
    code_drop(work->code);
    while (work->retired) {
        struct runner *runner = work->retired;

        work->retired = runner->next;
        runner_free(runner);
    }
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

struct segment *segment_new(void)
{
    struct segment *segment = xcalloc(1, sizeof(*segment));

    buffer_init(&segment->dirty_lines, 0);
    return segment;
}

void segments_free(struct segment *segment)
{
    while (segment) {
        struct segment *next = segment->next;

        chunks_free(segment->chunks);
        buffer_release(&segment->dirty_lines);
        dirty_reasons_free(segment->dirty_reasons);
        free(segment);
        segment = next;
    }
}

size_t segment_bytes(const struct segment *segment)
{
    size_t bytes = segment->dirty_lines.size;

    for (const struct chunk *chunk = segment->chunks; chunk; chunk = chunk->next)
        bytes += chunk_bytes(chunk);
    return bytes;
}
