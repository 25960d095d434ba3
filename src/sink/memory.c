/* memory.c: as in null.c, every step is done at once and told when the hub asks. The hub's block goes back to it without its
 * bytes, which are the session's until it is committed, and its partition's then. */
#include "sink/memory.h"

#include <stdlib.h>

struct memory_session {
    struct sink_session base;
    struct memory_session *previous, *next;
    size_t partition;
    struct block **blocks;
    size_t count, capacity;
};

struct memory_sink {
    struct sink base;
    struct memory_session *sessions;
    struct block *told_block;            /* of the event given last: freed with the next call */
    struct memory_session *told_session; /* committed, as above */
    struct memory_partition *partitions;
    size_t count, capacity;
};

static struct memory_sink *memory_of(struct sink *sink)
{
    return CONTAINER_OF(sink, struct memory_sink, base);
}

static struct memory_session *session_of(struct sink_session *session)
{
    return CONTAINER_OF(session, struct memory_session, base);
}

static void memory_start(struct sink *sink, int64_t now_ms UNUSED)
{
    sink_event_push(sink, SINK_READY, NULL, NULL, NULL);
}

static void session_free(struct memory_sink *memory, struct memory_session *session)
{
    if (!session)
        return;
    if (session->previous)
        session->previous->next = session->next;
    else
        memory->sessions = session->next;
    if (session->next)
        session->next->previous = session->previous;
    for (size_t i = 0; i < session->count; i++)
        block_free(session->blocks[i]);
    free(session->blocks);
    free(session);
}

static void told_free(struct memory_sink *memory)
{
    block_free(memory->told_block);
    session_free(memory, memory->told_session);
    memory->told_block = NULL;
    memory->told_session = NULL;
}

static size_t partition_of(struct memory_sink *memory, struct str spec)
{
    for (size_t i = 0; i < memory->count; i++)
        if (str_is(spec, memory->partitions[i].spec))
            return i;
    XGROW(memory->partitions, memory->count, memory->capacity);
    memory->partitions[memory->count] = (struct memory_partition){.spec = spec.size ? str_dup(spec) : xstrdup("")};
    return memory->count++;
}

static struct sink_session *memory_session_open(struct sink *sink, struct str spec, void *user, int64_t now_ms UNUSED)
{
    struct memory_sink *memory = memory_of(sink);
    struct memory_session *session = xcalloc(1, sizeof(*session));

    session->base.user = user;
    session->partition = partition_of(memory, spec);
    session->next = memory->sessions;
    if (session->next)
        session->next->previous = session;
    memory->sessions = session;
    return &session->base;
}

static void memory_block_put(struct sink *sink, struct sink_session *session, struct block *block, int64_t now_ms UNUSED)
{
    struct memory_session *own = session_of(session);
    struct block *kept = xcalloc(1, sizeof(*kept));

    *kept = *block;
    block->data = NULL;
    XGROW(own->blocks, own->count, own->capacity);
    own->blocks[own->count++] = kept;
    sink_event_push(sink, SINK_BLOCK_ACKED, session, block, NULL);
}

static void memory_session_seal(struct sink *sink, struct sink_session *session, int64_t now_ms UNUSED)
{
    sink_event_push(sink, SINK_SESSION_SEALED, session, NULL, NULL);
}

static void memory_session_commit(struct sink *sink, struct sink_session *session, int64_t now_ms UNUSED)
{
    struct memory_session *own = session_of(session);
    struct memory_partition *partition = &memory_of(sink)->partitions[own->partition];

    for (size_t i = 0; i < own->count; i++) {
        XGROW(partition->blocks, partition->count, partition->capacity);
        partition->blocks[partition->count++] = own->blocks[i];
        partition->rows += own->blocks[i]->rows;
    }
    own->count = 0;
    sink_event_push(sink, SINK_SESSION_COMMITTED, session, NULL, NULL);
}

static void memory_session_drop(struct sink *sink, struct sink_session *session)
{
    struct memory_sink *memory = memory_of(sink);
    struct memory_session *own = session_of(session);

    sink_events_drop(sink, session);
    if (memory->told_session == own)
        memory->told_session = NULL;
    session_free(memory, own);
}

/* What an earlier owner sealed is not here: the positions of a sample name none. */
static struct sink_session *memory_session_adopt(struct sink *sink, struct str spec, struct str id UNUSED, unsigned blocks UNUSED,
                                                 uint64_t rows UNUSED, void *user, int64_t now_ms)
{
    struct sink_session *session = memory_session_open(sink, spec, user, now_ms);

    memory_session_commit(sink, session, now_ms);
    return session;
}

static struct sink_session *memory_session_ask(struct sink *sink, struct str spec, struct str id, unsigned blocks, uint64_t rows,
                                               void *user, int64_t now_ms)
{
    return memory_session_adopt(sink, spec, id, blocks, rows, user, now_ms);
}

static const char *memory_session_id(const struct sink_session *session UNUSED)
{
    return "memory";
}

static void memory_step(struct sink *sink UNUSED, int64_t now_ms UNUSED, int64_t wall_ms UNUSED) {}

static int64_t memory_deadline(const struct sink *sink)
{
    return sink->events_first ? 0 : INT64_MAX;
}

static bool memory_next(struct sink *sink, struct sink_event *event_out)
{
    struct memory_sink *memory = memory_of(sink);

    told_free(memory);
    if (!sink_event_pop(sink, event_out))
        return false;
    memory->told_block = event_out->block;
    if (sink_event_ends(event_out))
        memory->told_session = session_of(event_out->session);
    return true;
}

static void memory_free(struct sink *sink)
{
    struct memory_sink *memory;

    if (!sink)
        return;
    memory = memory_of(sink);
    told_free(memory);
    sink_events_drop(sink, NULL);
    while (memory->sessions)
        session_free(memory, memory->sessions);
    for (size_t i = 0; i < memory->count; i++) {
        for (size_t j = 0; j < memory->partitions[i].count; j++)
            block_free(memory->partitions[i].blocks[j]);
        free(memory->partitions[i].blocks);
        free(memory->partitions[i].spec);
    }
    free(memory->partitions);
    mc_schema_release(&sink->schema);
    free(memory);
}

static const struct sink_ops memory_ops = {
    .name = "memory",
    .start = memory_start,
    .session_open = memory_session_open,
    .block_put = memory_block_put,
    .session_seal = memory_session_seal,
    .session_commit = memory_session_commit,
    .session_drop = memory_session_drop,
    .session_adopt = memory_session_adopt,
    .session_ask = memory_session_ask,
    .session_id = memory_session_id,
    .step = memory_step,
    .deadline = memory_deadline,
    .next = memory_next,
    .free = memory_free,
};

struct sink *memory_sink_new(struct mc_schema *schema)
{
    struct memory_sink *memory = xcalloc(1, sizeof(*memory));

    memory->base.ops = &memory_ops;
    memory->base.schema = *schema;
    memset(schema, 0, sizeof(*schema));
    return &memory->base;
}

const struct memory_partition *memory_sink_partitions(const struct sink *sink, size_t *count_out)
{
    const struct memory_sink *memory = CONTAINER_OF((struct sink *)(uintptr_t)sink, struct memory_sink, base);

    *count_out = memory->count;
    return memory->partitions;
}
