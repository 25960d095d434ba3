/* source.h: where records come from: the interface that kafka.c and replay.c implement; a source may end and be followed by
 * another.
 *
 * Life of a partition: it is offered (SOURCE_ASSIGN, with the position where it should start and what was stored beside it); the
 * hub anchors it (epoch.c) and calls `assign`; messages come; it is asked back (SOURCE_REVOKE); the hub settles and calls
 * `release`.
 * A source never moves an offset by itself: `commit` is called by epoch.c alone, one at a time.
 * Ownership: messages belong to the batch that they are filled into. Events and their arrays are valid until the next call of
 * `next`.
 * Threads: the hub's. Nothing blocks, except `stop`, which may take until its deadline. */
#ifndef LUADUCT_SOURCE_SOURCE_H
#define LUADUCT_SOURCE_SOURCE_H

#include "batch/batch.h"

struct source;

struct source_partition {
    int32_t partition;
    int64_t offset;       /* ASSIGN: where to start. commit: the next offset */
    struct str metadata;  /* ASSIGN: what was stored beside the committed offset, absent when there is none. commit: to store */
    /* ASSIGN: offset is the group's committed one; else it was resolved from `start` and must be anchored */
    bool committed;
};

enum source_event_kind {
    SOURCE_READY,     /* cluster_id and topic_id are known */
    SOURCE_ASSIGN,    /* partitions[count] are offered */
    SOURCE_REVOKE,    /* partitions[count] are asked back: call release when settled */
    SOURCE_LOST,      /* partitions[count] are gone already: forget their work, call release at once */
    SOURCE_COMMITTED, /* the answer to commit: `result`; error when it is not COMMIT_STORED */
    SOURCE_GAP,   /* partitions[0] stands at gap_first, which does not exist; the log begins at gap_end (below gap_first when it
                   * was made anew) and ends at partitions[0].offset */
    SOURCE_ERROR, /* error: FATAL or CONFIG ends the job; RETRY is only news (broker down) and is told once */
    SOURCE_END,   /* a bounded source has given everything */
};

/* What became of a commit (design.md, epochs, rules 5 and 6). */
enum commit_result {
    COMMIT_STORED,
    COMMIT_REFUSED, /* nothing of it was stored, and nothing of it can be stored later */
    /* All, some or nothing of it is stored, or will be by a copy of the request that is still on its way. Only with exactly-once
     * delivery; otherwise the source has read back what is stored, and answers one of the two above. */
    COMMIT_UNKNOWN,
};

struct source_event {
    enum source_event_kind kind;
    enum commit_result result; /* COMMITTED */
    const struct source_partition *partitions;
    size_t count;
    /* ASSIGN: partitions[count..stored_count) are what else is stored for the topic at that moment, for partitions of others. */
    size_t stored_count;
    int64_t gap_first, gap_end;
    struct error error;
};

/* Lag of one partition: the log's end (or -1) as last heard. */
struct source_lag {
    int32_t partition;
    int64_t end_offset;
};

struct source_ops {
    const char *name;
    bool (*start)(struct source *source, struct error *error);
    /* The descriptor that becomes readable when there is something to fetch or an event, or -1. Edge-triggered: after it, call
     * fetch until it gives less than room. step may empty it: then `deadline` says "now" until the next fetch. */
    int (*descriptor)(const struct source *source);
    /* Up to `room` messages that are there now, with the partition and the handle of each; only of partitions that are assigned
     * today. The caller owns the handles and gives them to release_handles when the messages are done with (any thread). May be
     * called while paused, and must be, at least every third of max.poll.interval: group membership lives from it. */
    uint32_t (*fetch)(struct source *source, struct message *messages, int32_t *partitions, void **handles, uint32_t room);
    void (*release_handles)(void **handles, uint32_t count);
    /* As a batch's print_headers; whoever owns the handle calls it, on any thread. NULL: records have no headers. */
    void (*print_headers)(void *handle, struct buffer *text);
    bool (*next)(struct source *source, struct source_event *event_out);
    /* Start fetching these at .offset (after the anchor is stored). Only .partition and .offset are read. */
    void (*assign)(struct source *source, const struct source_partition *partitions, size_t count);
    /* Answers a revoke. */
    void (*release)(struct source *source, const int32_t *partitions, size_t count);
    void (*pause)(struct source *source);  /* all assigned partitions; fetch must still be called */
    void (*resume)(struct source *source);
    void (*seek)(struct source *source, int32_t partition, int64_t offset); /* rewind after a dropped epoch */
    void (*commit)(struct source *source, const struct source_partition *partitions, size_t count);
    /* Leaves the group and joins it anew as another member, so that whatever commit of ours is still on its way is refused by the
     * group. All partitions are told as SOURCE_LOST (not those that were lost before) and later offered again, with what is
     * stored then. Nothing may be committed until they are. */
    void (*rejoin)(struct source *source);
    size_t (*lag)(const struct source *source, struct source_lag *lags_out, size_t max); /* count of entries */
    void (*step)(struct source *source, int64_t now_ms);
    int64_t (*deadline)(const struct source *source);
    void (*stop)(struct source *source, int64_t deadline_ms); /* leaves the group */
    void (*free)(struct source *source);
};

struct source {
    const struct source_ops *ops;
    char cluster_id[64]; /* "" when unknown */
    char topic_id[64];
    int32_t partition_count; /* of the topic, as last heard; 0 when unknown */
};

#endif
