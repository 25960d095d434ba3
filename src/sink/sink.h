/* sink.h: where rows go: the interface that upload.c (MaxCompute append tables), null.c (counts and forgets), memory.c (keeps)
 * and later kinds implement.
 *
 * Life of a target session: session_open (one per table partition and epoch) -> block_put any number of times -> seal (all blocks
 * are there, the server's list equals ours) -> commit (atomic; repeated until it is known to be closed) or drop (never
 * committed). All of it is asynchronous: calls only start things; sink_next tells what happened. The hub polls; nothing calls up.
 * Ownership: block_put takes the block and gives it back (freed) when it is acknowledged; sessions belong to the sink and end
 * with SESSION_COMMITTED, SESSION_UNKNOWN, SESSION_OPEN or session_drop; a struct sink_session pointer must not be used after
 * either. Threads: the hub's. Retries, backoff and throttling are the sink's own business; an event FAILED ends the job. */
#ifndef LUADUCT_SINK_SINK_H
#define LUADUCT_SINK_SINK_H

#include "maxcompute/schema.h"
#include "sink/quota.h"
#include "util/error.h"
#include "util/str.h"

struct sink;

/* The common part of a target session; each kind's own struct begins with it. */
struct sink_session {
    void *user; /* the hub's, given at session_open */
};

/* One packed, compressed block. */
struct block {
    char *data; /* heap, owned */
    size_t size;
    uint64_t rows;
    size_t raw_size;
    void *user; /* the hub's */
};
void block_free(struct block *block);

enum sink_event_kind {
    SINK_READY,             /* the table is there (created if the job says so); schema is known */
    SINK_BLOCK_ACKED,       /* session, block (freed after the event: use only ->user, rows, sizes during it) */
    SINK_SESSION_SEALED,    /* session */
    SINK_SESSION_COMMITTED, /* session; it is gone after this event */
    /* An adopted session, or one whose commit was begun, is expired, cancelled or not known to the service: whether its rows are
     * in the table cannot be told from here (rule 10). error says what the service answered. It is gone after this event. */
    SINK_SESSION_UNKNOWN,
    SINK_SESSION_OPEN,      /* of a session that was only asked about: it is not committed. It is gone after this event. */
    SINK_FAILED,            /* error; the job cannot go on */
};

struct sink_event {
    enum sink_event_kind kind;
    struct sink_session *session;
    struct block *block;
    struct error error;
};

/* Whether the event's session is gone after it. */
static inline bool sink_event_ends(const struct sink_event *event)
{
    return event->kind == SINK_SESSION_COMMITTED || event->kind == SINK_SESSION_UNKNOWN || event->kind == SINK_SESSION_OPEN;
}

struct sink_ops {
    const char *name;
    void (*start)(struct sink *sink, int64_t now_ms);
    /* spec "year=2024,month=01", or empty for a table without partitions; a missing partition is created first. `user` is the
     * hub's. */
    struct sink_session *(*session_open)(struct sink *sink, struct str spec, void *user, int64_t now_ms);
    void (*block_put)(struct sink *sink, struct sink_session *session, struct block *block, int64_t now_ms);
    void (*session_seal)(struct sink *sink, struct sink_session *session, int64_t now_ms);
    void (*session_commit)(struct sink *sink, struct sink_session *session, int64_t now_ms);
    void (*session_drop)(struct sink *sink, struct sink_session *session);
    /* A session that an earlier owner sealed and recorded (rule 9): its state is asked, its blocks are counted, and it is
     * committed until it is known to be closed. Several owners may do so at once. Ends with SESSION_COMMITTED or SESSION_UNKNOWN;
     * a count of blocks that differs from `blocks` is SINK_FAILED. */
    struct sink_session *(*session_adopt)(struct sink *sink, struct str spec, struct str id, unsigned blocks, uint64_t rows,
                                          void *user, int64_t now_ms);
    /* The same without committing it: ends with SESSION_COMMITTED, SESSION_OPEN or SESSION_UNKNOWN. */
    struct sink_session *(*session_ask)(struct sink *sink, struct str spec, struct str id, unsigned blocks, uint64_t rows,
                                        void *user, int64_t now_ms);
    /* What the service calls a sealed session; NULL: it has no blocks and was never made there. Borrowed until the session
     * ends. */
    const char *(*session_id)(const struct sink_session *session);
    void (*step)(struct sink *sink, int64_t now_ms, int64_t wall_ms);
    int64_t (*deadline)(const struct sink *sink);
    bool (*next)(struct sink *sink, struct sink_event *event_out);
    void (*free)(struct sink *sink);
};

struct sink_event_item;

/* The common part; each kind's own struct begins with it. */
struct sink {
    const struct sink_ops *ops;
    struct sink_event_item *events_first, *events_last; /* what happened and was not told yet */
    struct mc_schema schema; /* valid after SINK_READY, constant until free */
    char table_id[80];       /* the service's id of the table, valid after SINK_READY; "" when it tells none */
    unsigned blocks_held;       /* not acknowledged yet: under way or waiting */
    unsigned uploads_in_flight; /* of them under way */
    uint64_t bytes_in_flight;
    bool flushed_early; /* said by the hub: an epoch was closed because too many table partitions were open */
    const struct quota *quota; /* what is used of the target's limits; NULL: it has none */
    uint64_t quota_waits[QUOTA_KINDS]; /* calls that had to wait for them */
};

/* For the kinds: the queue behind next(). push copies error when it is not NULL. */
void sink_event_push(struct sink *sink, enum sink_event_kind kind, struct sink_session *session, struct block *block,
                     const struct error *error);
bool sink_event_pop(struct sink *sink, struct sink_event *event_out);
/* Forgets the events of a session, or all of them (NULL), with their blocks. */
void sink_events_drop(struct sink *sink, const struct sink_session *session);

/* The hub's pointer given at session_open. */
void *sink_session_user(const struct sink_session *session);

#endif
