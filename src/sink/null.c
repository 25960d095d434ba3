/* null.c: every step is done at once; the events wait for the hub to ask, as with a real target. */
#include "sink/null.h"

#include <stdlib.h>

struct null_session {
    struct sink_session base;
    struct null_session *previous, *next;
};

struct null_sink {
    struct sink base;
    struct null_session *sessions;
    struct block *told_block;          /* of the event given last: freed with the next call */
    struct null_session *told_session; /* committed, as above */
};

static struct null_sink *null_of(struct sink *sink)
{
    return CONTAINER_OF(sink, struct null_sink, base);
}

static void null_start(struct sink *sink, int64_t now_ms UNUSED)
{
    sink_event_push(sink, SINK_READY, NULL, NULL, NULL);
}

static void session_free(struct null_sink *null, struct null_session *session)
{
    if (!session)
        return;
    if (session->previous)
        session->previous->next = session->next;
    else
        null->sessions = session->next;
    if (session->next)
        session->next->previous = session->previous;
    free(session);
}

static void told_free(struct null_sink *null)
{
    block_free(null->told_block);
    session_free(null, null->told_session);
    null->told_block = NULL;
    null->told_session = NULL;
}

static struct sink_session *null_session_open(struct sink *sink, struct str spec UNUSED, void *user, int64_t now_ms UNUSED)
{
    struct null_sink *null = null_of(sink);
    struct null_session *session = xcalloc(1, sizeof(*session));

    session->base.user = user;
    session->next = null->sessions;
    if (session->next)
        session->next->previous = session;
    null->sessions = session;
    return &session->base;
}

static void null_block_put(struct sink *sink, struct sink_session *session, struct block *block, int64_t now_ms UNUSED)
{
    sink_event_push(sink, SINK_BLOCK_ACKED, session, block, NULL);
}

static void null_session_seal(struct sink *sink, struct sink_session *session, int64_t now_ms UNUSED)
{
    sink_event_push(sink, SINK_SESSION_SEALED, session, NULL, NULL);
}

static void null_session_commit(struct sink *sink, struct sink_session *session, int64_t now_ms UNUSED)
{
    sink_event_push(sink, SINK_SESSION_COMMITTED, session, NULL, NULL);
}

static void null_session_drop(struct sink *sink, struct sink_session *session)
{
    struct null_sink *null = null_of(sink);
    struct null_session *own = CONTAINER_OF(session, struct null_session, base);

    sink_events_drop(sink, session);
    if (null->told_session == own)
        null->told_session = NULL;
    session_free(null, own);
}

/* What an earlier owner sealed here was forgotten at once, as everything is. */
static struct sink_session *null_session_adopt(struct sink *sink, struct str spec, struct str id UNUSED, unsigned blocks UNUSED,
                                               uint64_t rows UNUSED, void *user, int64_t now_ms)
{
    struct sink_session *session = null_session_open(sink, spec, user, now_ms);

    null_session_commit(sink, session, now_ms);
    return session;
}

static struct sink_session *null_session_ask(struct sink *sink, struct str spec, struct str id, unsigned blocks, uint64_t rows,
                                             void *user, int64_t now_ms)
{
    return null_session_adopt(sink, spec, id, blocks, rows, user, now_ms);
}

static const char *null_session_id(const struct sink_session *session UNUSED)
{
    return "null";
}

static void null_step(struct sink *sink UNUSED, int64_t now_ms UNUSED, int64_t wall_ms UNUSED)
{
}

static int64_t null_deadline(const struct sink *sink)
{
    return sink->events_first ? 0 : INT64_MAX;
}

static bool null_next(struct sink *sink, struct sink_event *event_out)
{
    struct null_sink *null = null_of(sink);

    told_free(null);
    if (!sink_event_pop(sink, event_out))
        return false;
    null->told_block = event_out->block;
    if (sink_event_ends(event_out))
        null->told_session = CONTAINER_OF(event_out->session, struct null_session, base);
    return true;
}

static void null_free(struct sink *sink)
{
    struct null_sink *null;

    if (!sink)
        return;
    null = null_of(sink);
    told_free(null);
    sink_events_drop(sink, NULL);
    while (null->sessions)
        session_free(null, null->sessions);
    mc_schema_release(&sink->schema);
    free(null);
}

static const struct sink_ops null_ops = {
    .name = "null",
    .start = null_start,
    .session_open = null_session_open,
    .block_put = null_block_put,
    .session_seal = null_session_seal,
    .session_commit = null_session_commit,
    .session_drop = null_session_drop,
    .session_adopt = null_session_adopt,
    .session_ask = null_session_ask,
    .session_id = null_session_id,
    .step = null_step,
    .deadline = null_deadline,
    .next = null_next,
    .free = null_free,
};

struct sink *null_sink_new(struct mc_schema *schema)
{
    struct null_sink *null = xcalloc(1, sizeof(*null));

    null->base.ops = &null_ops;
    null->base.schema = *schema;
    memset(schema, 0, sizeof(*schema));
    return &null->base;
}
