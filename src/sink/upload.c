/* upload.c: one queue of blocks over all sessions, in order of arrival. A finished call finds its owner by what its user pointer
 * points to. Sessions and partitions are walked in every step: there are some hundreds at most, for the service grants 500
 * sessions in five minutes. */
#include "sink/upload_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    UPLOADS_DEFAULT = 4,
    BLOCKS_MAX = 20000, /* ids 0…19999, section 3.4 */
    DELAY_MS_MAX = 16000,
    QUOTA_SAY_MS = 60 * 1000,
};

struct upload_block {
    enum upload_owner owner;
    struct upload_session *session;
    struct block *block;
    unsigned id;
    bool quota_waits;
    struct client_call *call; /* NULL: waits */
    struct upload_block *previous, *next;
};

static struct upload *upload_of(struct sink *sink)
{
    return CONTAINER_OF(sink, struct upload, base);
}

int64_t upload_backoff_ms(unsigned tries)
{
    return tries < 5 ? INT64_C(1000) << (tries ? tries - 1 : 0) : DELAY_MS_MAX;
}

void upload_fail(struct upload *upload, const struct error *error)
{
    if (upload->failed)
        return;
    upload->failed = true;
    sink_event_push(&upload->base, SINK_FAILED, NULL, NULL, error);
}

void upload_call_send(struct upload *upload, struct client_call *call, enum upload_owner *owner, bool repeat_safe,
                      int64_t now_ms)
{
    call->repeat_safe = repeat_safe;
    call->retry_unlimited = true; /* an end that is down makes the hub pause; nothing is lost */
    call->user = owner;
    client_send(upload->client, call, now_ms);
}

bool upload_quota_take(struct upload *upload, enum quota_kind kind, bool *waits, int64_t *due_ms, int64_t now_ms)
{
    char text[QUOTA_TEXT_MAX];
    int64_t at_ms;

    if (!upload->base.quota)
        return true;
    at_ms = quota_next(&upload->quota, kind, now_ms);
    if (at_ms <= now_ms) {
        quota_use(&upload->quota, kind, now_ms);
        *waits = false;
        return true;
    }
    *due_ms = at_ms;
    if (!*waits)
        upload->base.quota_waits[kind]++;
    *waits = true;
    /* Waiting for one of 32 commits under way is the usual end of a large epoch, and over in a moment. */
    if (at_ms == INT64_MAX || !upload->log)
        return false;
    if (!upload->quota_said[kind] || now_ms - upload->quota_said_ms[kind] >= QUOTA_SAY_MS) {
        upload->quota_said[kind] = true;
        upload->quota_said_ms[kind] = now_ms;
        upload->demand.early = upload->base.flushed_early;
        quota_describe(&upload->quota, kind, &upload->demand, text);
        log_warn(upload->log, "table %s: the service's limit of %s is reached, and what is next waits %lld s: %s", upload->table,
                 quota_names[kind], (long long)((at_ms - now_ms + 999) / 1000), text);
    }
    return false;
}

/* Takes the block out of the queue; what it holds is left to the caller. */
static struct block *block_remove(struct upload *upload, struct upload_block *item)
{
    struct block *block = item->block;

    if (item->previous)
        item->previous->next = item->next;
    else
        upload->blocks_first = item->next;
    if (item->next)
        item->next->previous = item->previous;
    else
        upload->blocks_last = item->previous;
    if (item->call) {
        upload->base.uploads_in_flight--;
        client_call_free(item->call);
    }
    upload->base.blocks_held--;
    upload->base.bytes_in_flight -= block->size;
    free(item);
    return block;
}

static void block_send(struct upload *upload, struct upload_block *item, int64_t now_ms)
{
    struct buffer resource;
    char id[16];

    snprintf(id, sizeof(id), "%u", item->id);
    upload_session_resource(item->session, &resource, false);
    client_resource_add(&resource, "blockid", id);
    item->call = client_call_new(CLIENT_TUNNEL, "PUT", buffer_take(&resource, NULL));
    item->call->body = str_make(item->block->data, item->block->size);
    item->call->content_type = "application/octet-stream";
    item->call->content_encoding = upload->content_encoding;
    upload->base.uploads_in_flight++;
    upload_call_send(upload, item->call, &item->owner, true, now_ms);
}

/* Oldest first, over all sessions that exist at the service. */
static void blocks_step(struct upload *upload, int64_t now_ms)
{
    struct upload_block *item;

    upload->blocks_quota_ms = INT64_MAX;
    for (item = upload->blocks_first; item && upload->base.uploads_in_flight < upload->uploads_max; item = item->next) {
        if (item->call || !item->session->id)
            continue;
        if (!upload_quota_take(upload, QUOTA_BLOCKS, &item->quota_waits, &upload->blocks_quota_ms, now_ms))
            break;
        block_send(upload, item, now_ms);
    }
}

static void block_answered(struct upload *upload, struct upload_block *item, struct client_call *call)
{
    struct upload_session *session = item->session;

    if (call->ok) {
        struct block *block;

        item->call = NULL;
        upload->base.uploads_in_flight--;
        session->acked_count++;
        block = block_remove(upload, item);
        sink_event_push(&upload->base, SINK_BLOCK_ACKED, &session->base, block, NULL);
    } else {
        item->call = NULL;
        upload->base.uploads_in_flight--;
        upload_table_advise(call);
        error_wrap(&call->error, "block %u was not taken", item->id);
        upload_session_fail(session, &call->error);
    }
}

static void told_free(struct upload *upload)
{
    block_free(upload->told_block);
    upload_session_free(upload->told_session);
    upload->told_block = NULL;
    upload->told_session = NULL;
}

static void upload_start(struct sink *sink, int64_t now_ms)
{
    upload_table_start(upload_of(sink), now_ms);
}

static struct sink_session *upload_session_open(struct sink *sink, struct str spec, void *user, int64_t now_ms UNUSED)
{
    return &upload_session_new(upload_of(sink), spec, user)->base;
}

static struct upload_session *session_of(struct sink_session *session)
{
    return CONTAINER_OF(session, struct upload_session, base);
}

static void upload_block_put(struct sink *sink, struct sink_session *base, struct block *block, int64_t now_ms)
{
    struct upload *upload = upload_of(sink);
    struct upload_session *session = session_of(base);
    struct upload_block *item = xcalloc(1, sizeof(*item));

    assert(!session->seal_wanted);
    item->owner = OWNER_BLOCK;
    item->session = session;
    item->block = block;
    item->id = session->block_count++;
    item->previous = upload->blocks_last;
    if (item->previous)
        item->previous->next = item;
    else
        upload->blocks_first = item;
    upload->blocks_last = item;
    session->rows += block->rows;
    upload->base.blocks_held++;
    upload->base.bytes_in_flight += block->size;
    if (item->id >= BLOCKS_MAX) {
        struct error error;

        error_set(&error, ERROR_FATAL, "a session takes at most %d blocks; make blocks larger or the flush interval shorter",
                  BLOCKS_MAX);
        upload_session_fail(session, &error);
        return;
    }
    upload_session_step(session, now_ms);
    if (!upload->failed)
        blocks_step(upload, now_ms);
}

static void upload_session_seal(struct sink *sink UNUSED, struct sink_session *base, int64_t now_ms)
{
    session_of(base)->seal_wanted = true;
    upload_session_step(session_of(base), now_ms);
}

static void upload_session_commit(struct sink *sink UNUSED, struct sink_session *base, int64_t now_ms)
{
    session_of(base)->commit_wanted = true;
    upload_session_step(session_of(base), now_ms);
}

static struct sink_session *upload_session_adopt(struct sink *sink, struct str spec, struct str id, unsigned blocks,
                                                 uint64_t rows, void *user, int64_t now_ms)
{
    return &upload_session_adopt_new(upload_of(sink), spec, id, blocks, rows, false, user, now_ms)->base;
}

static struct sink_session *upload_session_ask(struct sink *sink, struct str spec, struct str id, unsigned blocks, uint64_t rows,
                                               void *user, int64_t now_ms)
{
    return &upload_session_adopt_new(upload_of(sink), spec, id, blocks, rows, true, user, now_ms)->base;
}

static const char *upload_session_id(const struct sink_session *session)
{
    return CONTAINER_OF(session, const struct upload_session, base)->id;
}

/* There is no abort call for batch uploads: the service lets the session expire (section 3.3). */
static void upload_session_drop(struct sink *sink, struct sink_session *base)
{
    struct upload *upload = upload_of(sink);
    struct upload_session *session = session_of(base);
    struct upload_block *next;

    for (struct upload_block *item = upload->blocks_first; item; item = next) {
        next = item->next;
        if (item->session == session)
            block_free(block_remove(upload, item));
    }
    sink_events_drop(sink, base);
    if (upload->told_session == session)
        upload->told_session = NULL;
    upload_session_free(session);
}

/* Gives a finished call to the one who waits for it. */
static void call_take(struct upload *upload, struct client_call *call, int64_t now_ms)
{
    enum upload_owner *owner = call->user;

    if (upload_table_take(upload, call, now_ms))
        return;
    switch (*owner) {
    case OWNER_TABLE:
        upload_table_answered(upload, call, now_ms);
        break;
    case OWNER_VERIFY:
        upload_table_verified(upload, call);
        break;
    case OWNER_SESSION:
        upload_session_answered(CONTAINER_OF(owner, struct upload_session, owner), call, now_ms);
        break;
    case OWNER_BLOCK:
        block_answered(upload, CONTAINER_OF(owner, struct upload_block, owner), call);
        break;
    }
    client_call_free(call);
}

static void upload_step(struct sink *sink, int64_t now_ms, int64_t wall_ms)
{
    struct upload *upload = upload_of(sink);
    struct client_call *call;

    told_free(upload);
    client_step(upload->client, now_ms, wall_ms);
    while ((call = client_next(upload->client)))
        call_take(upload, call, now_ms);
    if (upload->failed)
        return;
    upload_table_step(upload, now_ms);
    for (struct upload_session *session = upload->sessions; session; session = session->next)
        upload_session_step(session, now_ms);
    if (!upload->failed)
        blocks_step(upload, now_ms);
    client_step(upload->client, now_ms, wall_ms); /* what was just asked for leaves at once */
}

static int64_t upload_deadline(const struct sink *sink)
{
    const struct upload *upload = CONTAINER_OF(sink, const struct upload, base);
    int64_t deadline = client_deadline(upload->client);

    if (sink->events_first)
        return 0;
    if (upload->failed)
        return deadline;
    deadline = int64_min(deadline, upload_table_deadline(upload));
    deadline = int64_min(deadline, upload->blocks_quota_ms);
    for (const struct upload_session *session = upload->sessions; session; session = session->next)
        deadline = int64_min(deadline, upload_session_deadline(session));
    return deadline;
}

static bool upload_next(struct sink *sink, struct sink_event *event_out)
{
    struct upload *upload = upload_of(sink);

    told_free(upload);
    if (!sink_event_pop(sink, event_out))
        return false;
    upload->told_block = event_out->block;
    if (sink_event_ends(event_out))
        upload->told_session = session_of(event_out->session);
    return true;
}

static void upload_free(struct sink *sink)
{
    struct upload *upload;

    if (!sink)
        return;
    upload = upload_of(sink);
    told_free(upload);
    sink_events_drop(sink, NULL);
    while (upload->blocks_first)
        block_free(block_remove(upload, upload->blocks_first));
    while (upload->sessions)
        upload_session_free(upload->sessions);
    upload_table_release(upload);
    mc_schema_release(&sink->schema);
    free(upload->table);
    free(upload->create_comment);
    free(upload->content_encoding);
    free(upload);
}

static const struct sink_ops upload_ops = {
    .name = "upload",
    .start = upload_start,
    .session_open = upload_session_open,
    .block_put = upload_block_put,
    .session_seal = upload_session_seal,
    .session_commit = upload_session_commit,
    .session_drop = upload_session_drop,
    .session_adopt = upload_session_adopt,
    .session_ask = upload_session_ask,
    .session_id = upload_session_id,
    .step = upload_step,
    .deadline = upload_deadline,
    .next = upload_next,
    .free = upload_free,
};

struct sink *upload_new(const struct upload_options *options)
{
    struct upload *upload = xcalloc(1, sizeof(*upload));

    upload->base.ops = &upload_ops;
    upload->owner = OWNER_TABLE;
    upload->verify_owner = OWNER_VERIFY;
    upload->client = options->client;
    upload->log = options->log;
    upload->table = xstrdup(options->table);
    upload->create_comment = options->create_comment ? xstrdup(options->create_comment) : NULL;
    upload->content_encoding = options->content_encoding ? xstrdup(options->content_encoding) : NULL;
    upload->create_if_missing = options->create_if_missing;
    upload->create_schema = options->create_schema;
    upload->lifecycle_days = options->lifecycle_days;
    upload->blocks_quota_ms = INT64_MAX;
    if (options->quota_share) {
        quota_init(&upload->quota, options->quota_share);
        upload->demand = options->demand;
        upload->base.quota = &upload->quota;
    }
    upload->uploads_max = options->uploads_max ? options->uploads_max : UPLOADS_DEFAULT;
    return &upload->base;
}
