/* epoch_internal.h: what the parts of the epochs share; nobody else includes it.
 * epoch.c makes the transitions and sends the OffsetCommits: the single file in which offsets move. epoch_partition.c knows the
 * Kafka partitions that are held, epoch_record.c prints
 * records, epoch_work.c takes what workers bring back, in the order of offsets, and epoch_roll.c rolls the
 * epochs of earlier owners forward. epoch.c calls the others; they call back only the few functions of epoch.c below.
 * Ownership: struct epochs owns all of it. Threads: the hub's. */
#ifndef LUADUCT_PIPELINE_EPOCH_INTERNAL_H
#define LUADUCT_PIPELINE_EPOCH_INTERNAL_H

#include "pipeline/epoch.h"
#include "pipeline/steps.h"

enum {
    EPOCHS_MAX = 3, /* one that commits, one that is sealed or on its way there, one that fills */
    COMMIT_RETRY_MS = 500,
    RECORD_BYTES_SPARE = 64, /* the ledger and the counts grow by some digits between the check of a record and its request */
    LATE_SAY_MS = 60 * 1000, /* the line about late flushes comes so often at most */
};

/* The place of a batch that is out, in the order of its Kafka partition. */
struct ticket {
    struct ticket *next;
    int32_t partition;
    bool back;     /* segments are here */
    bool orphaned; /* the partition went away or was rewound: what comes back is thrown away */
    struct segment *segments;
    size_t bytes; /* of them */
};

enum held_state {
    HELD_ROLLING,   /* has a prepared record, which is being rolled forward */
    HELD_ANCHORING, /* its offset is not stored yet */
    HELD_ACTIVE,
    HELD_LEAVING, /* asked back */
};

/* A Kafka partition of this process. */
struct held {
    int32_t partition;
    uint64_t incarnation; /* counts assignments: the answer to a commit may be about an earlier one */
    enum held_state state;
    int64_t committed; /* what is stored (or is to be anchored) */
    int64_t taken;     /* what epochs cover; from here the next segment begins */
    struct counts ledger;
    struct ticket *tickets, **tickets_tail;

    /* ROLLING: what the record says of this partition */
    struct roll *roll;
    int64_t roll_next;
    struct counts roll_counts;
};

enum epoch_state {
    EPOCH_FILLING,
    EPOCH_SETTLING, /* what is gathered is packed and acknowledged */
    EPOCH_SEALING,  /* block lists are compared */
    EPOCH_SYNCING,  /* its dirty rows become durable */
    EPOCH_SEALED,
    EPOCH_PREPARING,  /* the OffsetCommit with its record is out, or its answer is not known */
    EPOCH_COMMITTING, /* prepared: it can only be rolled forward */
    EPOCH_FINISHING,  /* its sessions are closed; offsets are to move */
};

/* What an epoch covers of one Kafka partition. */
struct cover {
    int32_t partition;
    uint64_t incarnation;
    int64_t base, next;
    struct counts counts;
    int64_t timestamp_ms;
};

struct epoch {
    enum epoch_state state;
    uint64_t number;
    int64_t opened_ms, closed_ms;
    int64_t sealed_wall_ms; /* wall clock; 0 before */
    struct cover *covers;
    size_t cover_count, cover_capacity;
    struct gather gather;
    size_t packs_out, blocks_out;
    size_t sealed, committed;
    size_t bytes_packing;
    size_t record_bytes; /* an upper bound of its record */
    int64_t dirty_rows;
    struct dirty_reasons *dirty_reasons;
    bool early_said; /* the log line about its early flush */
    bool late_said;
    int64_t late_until_ms; /* not flushed before, for the service's limits; 0: when the interval is over */
    bool doomed;           /* PREPARING, and part of it is gone: dropped as soon as the answer allows */
    bool dropped;          /* given up; stays only until its packs are back */
};

/* One prepared record of an earlier owner, for all partitions of this process that carry it. */
struct roll {
    struct roll *next;
    char epoch[48];
    struct target *targets; /* one per session */
    size_t target_count, committed;
    struct position record;
    bool done; /* all closed: to be finished */
};

enum commit_kind { COMMIT_ANCHOR, COMMIT_ROLL, COMMIT_EPOCH };

/* What the outstanding OffsetCommit moves. */
struct commit_part {
    int32_t partition;
    uint64_t incarnation;
    int64_t offset;
    struct counts ledger;
};

/* A finish of which it is not known whether it is stored. */
struct unsure {
    int32_t partition;
    int64_t from, offset;
    struct counts ledger, counts;
};

struct epochs {
    struct epochs_options options;
    char by[80];  /* host and process, for records */
    char run[24]; /* makes the epochs' ids unique */
    size_t record_bytes_fixed;
    size_t id_bytes; /* of the longest session id seen */

    struct held *held;
    size_t held_count, held_capacity;
    uint64_t incarnations;
    struct rewind *rewinds;
    size_t rewind_count, rewind_capacity;

    struct epoch *list[EPOCHS_MAX]; /* oldest first; only the last one may be filling */
    size_t count;
    struct epoch **dropped; /* given up, with packs at workers */
    size_t dropped_count, dropped_capacity;
    struct roll *rolls;
    uint64_t number_next;
    bool flush_wanted;
    int64_t late_said_ms;
    int64_t leaving_until_ms; /* when revoked partitions are given back even if their epoch is not finished */
    bool rejoining;           /* nothing may be committed before partitions are offered again */

    struct ticket *orphans; /* of batches that are out and not wanted any more */
    size_t waiting_bytes;   /* of segments that came back and wait for their turn */
    bool blocked;           /* a segment waits for an epoch that can take it */

    bool commit_out;
    enum commit_kind commit_kind;
    struct epoch *commit_finish, *commit_prepare; /* COMMIT_EPOCH; NULL: none, or gone meanwhile */
    struct commit_part *commit_parts;
    size_t commit_count, commit_capacity;
    struct unsure *unsure;
    size_t unsure_count, unsure_capacity;
    int64_t commit_not_before_ms;
    bool commit_failed_said;

    struct counts counts;
    int64_t dirty_finished;
    int64_t dirty_max; /* -1: unlimited */
    struct dirty_reasons *dirty_reasons; /* of finished epochs */
    bool dirty_said;
    int64_t last_timestamp_ms;
    struct tally *tallies;
    size_t tally_count, tally_capacity;
};

static inline bool epochs_exactly_once(const struct epochs *epochs)
{
    return epochs->options.job->delivery == DELIVERY_EXACTLY_ONCE;
}

/* The epoch that fills, or NULL. */
static inline struct epoch *epochs_filling(const struct epochs *epochs)
{
    struct epoch *last = epochs->count ? epochs->list[epochs->count - 1] : NULL;

    return last && last->state == EPOCH_FILLING ? last : NULL;
}

/* epoch.c */
struct cover *epoch_cover(const struct epoch *epoch, int32_t partition);
void epoch_free(struct epoch *epoch);
/* Closes the filling epoch; what comes next goes to another one. */
void epochs_close_filling(struct epochs *epochs, int64_t now_ms);
/* The same, because table partitions are at their bound. */
void epochs_close_early(struct epochs *epochs, int64_t now_ms);
/* epoch_drop.c */
void epochs_list_remove(struct epochs *epochs, size_t index);
/* The epoch and those behind it are read again. */
void epochs_drop_from(struct epochs *epochs, size_t index);
/* Gives up what cannot be finished without the partition (rule 8): all epochs from the first one on that covers it and is not
 * prepared; what is kept of them is rewound. */
void epochs_drop_covering(struct epochs *epochs, int32_t partition);
/* Epochs that cover nothing of ours any more are left to their next owners. */
void epochs_abandon(struct epochs *epochs);
bool epochs_can_drop(const struct epochs *epochs, const struct epoch *epoch);
bool epochs_covered(const struct epochs *epochs, int32_t partition);
struct tally *epochs_tally(struct epochs *epochs, int32_t partition, int64_t from);

/* A partition was offered: was the finish of which nothing was heard stored after all? Then it counts for this run. */
void epochs_unsure_settle(struct epochs *epochs, const struct held *held);

/* epoch_record.c */
/* Prints the record of the epoch for one of its partitions. extra: chunks that may be added, or NULL. */
void epoch_record_print(const struct epochs *epochs, const struct epoch *epoch, const struct cover *cover,
                        const struct counts *ledger, const struct chunk *extra, struct buffer *text);
/* Of a sealed epoch, whose session ids are known: each of its records is small enough. Remembers how long ids are. */
bool epoch_record_fits(struct epochs *epochs, const struct epoch *epoch);

/* epoch_partition.c */
struct held *held_of(const struct epochs *epochs, int32_t partition);
struct held *held_of_cover(const struct epochs *epochs, const struct cover *cover); /* NULL when it is another assignment */
void held_forget(struct epochs *epochs, int32_t partition);
void held_rewind(struct epochs *epochs, struct held *held, int64_t offset);
bool held_release_leaving(struct epochs *epochs, int64_t now_ms);
bool held_leaving_covered(const struct epochs *epochs, const struct epoch *epoch);

/* epoch_work.c */
void tickets_orphan(struct epochs *epochs, struct held *held);
void tickets_free(struct epochs *epochs); /* those of batches that never come back */
/* Takes the segments whose turn it is, as far as epochs have room. */
bool epochs_intake(struct epochs *epochs, int64_t now_ms, int64_t wall_ms, struct error *error);
void epochs_dropped_sweep(struct epochs *epochs);

/* epoch_roll.c */
/* The record of a partition that was just assigned, among all that is stored for the topic. Takes what it holds. */
void roll_begin(struct epochs *epochs, struct held *held, struct position *position, const struct source_partition *stored,
                size_t stored_count, int64_t now_ms);
void roll_leave(struct epochs *epochs, struct held *held);
void roll_free(struct epochs *epochs, struct roll *roll);
void roll_session_committed(struct epochs *epochs, struct target *target);
void roll_session_open(struct epochs *epochs, struct target *target);
void roll_session_unknown(const struct epochs *epochs, const struct target *target, struct error *error);

#endif
