/* gather.c */
#include "pipeline/gather.h"

#include <stdlib.h>

void gather_init(struct gather *gather, void *epoch)
{
    memset(gather, 0, sizeof(*gather));
    gather->tail = &gather->first;
    gather->due_tail = &gather->due_first;
    gather->epoch = epoch;
}

void gather_release(struct gather *gather)
{
    struct target *target = gather->first;

    while (target) {
        struct target *next = target->next;

        chunks_free(target->chunks);
        free(target->spec);
        free(target);
        target = next;
    }
    gather_init(gather, gather->epoch);
}

/* FNV-1a: specs are short. */
static uint64_t hash_spec(struct str spec)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < spec.size; i++)
        hash = (hash ^ (unsigned char)spec.data[i]) * UINT64_C(1099511628211);
    return hash;
}

static struct target *target_find(const struct gather *gather, struct str spec, uint64_t hash)
{
    struct target *target;

    for (target = gather->buckets[hash % GATHER_BUCKETS]; target; target = target->next_bucket)
        if (target->hash == hash && str_equal(str_make(target->spec, target->spec_size), spec))
            return target;
    return NULL;
}

bool gather_has(const struct gather *gather, struct str spec)
{
    return target_find(gather, spec, hash_spec(spec)) != NULL;
}

static struct target *target_of(struct gather *gather, struct str spec)
{
    uint64_t hash = hash_spec(spec);
    struct target **bucket = &gather->buckets[hash % GATHER_BUCKETS];
    struct target *target = target_find(gather, spec, hash);

    if (target)
        return target;
    target = xcalloc(1, sizeof(*target));
    target->spec = str_dup(spec);
    target->spec_size = spec.size;
    target->hash = hash;
    target->tail = &target->chunks;
    target->epoch = gather->epoch;
    target->next_bucket = *bucket;
    *bucket = target;
    *gather->tail = target;
    gather->tail = &target->next;
    gather->count++;
    return target;
}

static void push_due(struct gather *gather, struct target *target)
{
    if (target->due)
        return;
    target->due = true;
    target->next_due = NULL;
    *gather->due_tail = target;
    gather->due_tail = &target->next_due;
}

void gather_add(struct gather *gather, struct chunk *chunks, size_t block_bytes)
{
    while (chunks) {
        struct chunk *chunk = chunks;
        struct target *target = target_of(gather, chunk_spec(chunk));

        chunks = chunk->next;
        chunk->next = NULL;
        *target->tail = chunk;
        target->tail = &chunk->next;
        target->bytes += chunk_bytes(chunk);
        gather->bytes += chunk_bytes(chunk);
        if (target->bytes >= block_bytes)
            push_due(gather, target);
    }
}

bool gather_push_largest(struct gather *gather, size_t bytes_min)
{
    struct target *largest = NULL;

    for (struct target *target = gather->first; target; target = target->next)
        if (!target->due && target->bytes >= bytes_min && (!largest || target->bytes > largest->bytes))
            largest = target;
    if (largest)
        push_due(gather, largest);
    return largest != NULL;
}

void gather_push_all(struct gather *gather)
{
    for (struct target *target = gather->first; target; target = target->next)
        if (target->chunks)
            push_due(gather, target);
}

void gather_forget(struct gather *gather)
{
    for (struct target *target = gather->first; target; target = target->next) {
        chunks_free(target->chunks);
        target->chunks = NULL;
        target->tail = &target->chunks;
        target->bytes = 0;
        target->due = false;
    }
    gather->due_first = NULL;
    gather->due_tail = &gather->due_first;
    gather->bytes = 0;
}

struct chunk *gather_take_due(struct gather *gather, struct target **target_out, size_t *bytes_out)
{
    struct target *target = gather->due_first;
    struct chunk *chunks;

    if (!target)
        return NULL;
    gather->due_first = target->next_due;
    if (!gather->due_first)
        gather->due_tail = &gather->due_first;
    target->due = false;
    chunks = target->chunks;
    *target_out = target;
    *bytes_out = target->bytes;
    gather->bytes -= target->bytes;
    target->chunks = NULL;
    target->tail = &target->chunks;
    target->bytes = 0;
    assert(chunks);
    return chunks;
}
