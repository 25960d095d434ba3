/* memory.c: the store of a job that is tried out: a buffer of the caller's. It says that it is shared, for there is no other
 * process whose rows it would not see. */
#include "dirty/store.h"

#include <stdlib.h>

struct memory {
    struct dirty_store store;
    struct buffer *lines;
};

static bool memory_append(struct dirty_store *store, struct str lines, int64_t wall_ms UNUSED, struct error *error)
{
    struct memory *memory = CONTAINER_OF(store, struct memory, store);

    buffer_append_str(memory->lines, lines);
    store->bytes += (int64_t)lines.size;
    return !memory->lines->failed || error_set(error, ERROR_FATAL, "there is no memory for more dirty rows");
}

static bool memory_sync(struct dirty_store *store UNUSED, struct error *error UNUSED)
{
    return true;
}

static bool memory_durable(struct dirty_store *store UNUSED, bool *durable_out, struct error *error UNUSED)
{
    *durable_out = true;
    return true;
}

static int64_t memory_backlog(struct dirty_store *store UNUSED)
{
    return 0;
}

static void memory_close(struct dirty_store *store)
{
    free(store->place);
    free(CONTAINER_OF(store, struct memory, store));
}

static const struct dirty_ops memory_ops = {
    .name = "memory",
    .shared = true,
    .append = memory_append,
    .sync = memory_sync,
    .durable = memory_durable,
    .backlog = memory_backlog,
    .close = memory_close,
};

struct dirty_store *dirty_memory_open(struct buffer *lines)
{
    struct memory *memory = xcalloc(1, sizeof(*memory));

    memory->store = (struct dirty_store){.ops = &memory_ops, .place = xstrdup("memory")};
    memory->lines = lines;
    return &memory->store;
}
