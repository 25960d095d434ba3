/* kafka_internal.h: what kafka.c, kafka_group.c, kafka_start.c and kafka_config.c share; nobody else includes it.
 * kafka.c moves messages, kafka_commit.c commits, kafka_group.c answers the group, kafka_start.c asks the brokers about topic and
 * positions, kafka_client.c makes and replaces the client, kafka_config.c its configuration. Threads: the hub's, except the log
 * callback. */
#ifndef LUADUCT_SOURCE_KAFKA_INTERNAL_H
#define LUADUCT_SOURCE_KAFKA_INTERNAL_H

#include "kafka/disposal.h"
#include "kafka/login.h"
#include "kafka/trial.h"
#include "source/kafka.h"
#include "util/buffer.h"
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

enum {
    KAFKA_PARTITIONS_MAX = START_PARTITIONS_MAX,
    KAFKA_CALL_TIMEOUT_MS = 10000,
    KAFKA_CALL_WAIT_MS_FIRST = 100,
    KAFKA_TOPIC_NEW_MS = 3000,
    KAFKA_CALL_WAIT_MS_MAX = 5000,
    KAFKA_TOPIC_LOOK_MS = 2000, /* until a topic that a broker does not know is asked for again */
    KAFKA_LEAVE_LOOK_MS = 20, /* how often to look whether the group is left; nothing tells */
};

/* What we know of a partition. The group deals it to us long before messages are fetched. */
enum kafka_partition_state {
    KAFKA_PARTITION_NONE,      /* not ours */
    KAFKA_PARTITION_BOUNDING,  /* dealt to us; the limit of a bounded run is being asked */
    KAFKA_PARTITION_COMMITTED, /* dealt to us; its committed offset is being asked */
    KAFKA_PARTITION_BOUNDS,    /* it has none; the log's bounds are being asked, within which source.start.offsets must be */
    KAFKA_PARTITION_LISTING,   /* it has none; the offset of the start rule is being asked */
    KAFKA_PARTITION_OFFERED,   /* SOURCE_ASSIGN has been told */
    KAFKA_PARTITION_ASSIGNED,  /* messages are fetched */
};

struct kafka_partition {
    enum kafka_partition_state state;
    bool asked;    /* in the call that is under way for its state */
    bool revoking; /* asked back; the hub has not released it yet */
    bool lost;     /* asked back because it already belongs to someone else */
    bool held;     /* in librdkafka's own assignment */
    bool positioned; /* the group has, or has had, a committed offset of it */
    bool restart;  /* fetching has stopped and must be set up again at `next` as soon as the group allows it */
    bool gap;      /* stands at an offset that does not exist; its bounds are being asked */
    bool gap_asked;
    int64_t next;  /* the next offset to hand out */
    int64_t limit; /* of a bounded run; KAFKA_LIMIT_NONE: none, or not known yet */
    int64_t from;  /* where it was first offered; -1: it was not */
    bool limit_latest; /* no record is as new as the time of the limit */
    bool done;     /* the limit is reached */
    bool wait_said; /* that the limit lies beyond the log's end */
    int64_t query; /* KAFKA_PARTITION_LISTING: an rd_kafka_OffsetSpec_t or a time */
    int64_t low;
    int64_t end;   /* as last listed for a gap or for source.start.offsets; -1 unknown */
};

#define KAFKA_LIMIT_NONE INT64_MAX

struct kafka_event {
    struct source_event event;
    struct source_partition *partitions;
    struct kafka_event *next;
};

/* Questions to the brokers. One of each kind may be under way; a failed one is asked again with a growing wait. */
enum kafka_call {
    KAFKA_CALL_DESCRIBE,  /* does the topic exist, its id and partition count; later also: are the brokers back */
    KAFKA_CALL_UNTIL,     /* limits of a bounded run */
    KAFKA_CALL_COMMITTED, /* committed offsets of the whole topic */
    KAFKA_CALL_START_LOW, /* the bounds of all partitions, for source.start.offsets */
    KAFKA_CALL_START_HIGH,
    KAFKA_CALL_OFFSETS,   /* offsets of the start rule */
    KAFKA_CALL_READ_BACK, /* committed offsets after a commit whose result is in doubt */
    KAFKA_CALL_GAP_LOW,
    KAFKA_CALL_GAP_HIGH,
    KAFKA_CALL_RETENTION, /* how long the brokers keep committed offsets; asked once, and never again */
    KAFKA_CALL_COUNT
};

struct kafka_call_state {
    bool wanted;
    bool in_flight;
    int64_t at_ms;   /* not before */
    int64_t wait_ms; /* after the next failure; 0: has not failed */
};

/* Another client takes the place of the one in use (kafka_client.c). */
enum kafka_replace {
    KAFKA_REPLACE_NO,
    KAFKA_REPLACE_WAITING, /* it was not let in, and is tried again */
    KAFKA_REPLACE_TRYING,  /* it asks for the topic */
    KAFKA_REPLACE_SETTLING, /* it is let in; the partitions of the client in use are asked back */
    KAFKA_REPLACE_LEAVING, /* the client in use leaves the group */
};

struct kafka_source {
    struct source source;
    const struct job *job;
    struct kafka_run run;
    struct log *log;
    rd_kafka_t *rk;
    rd_kafka_queue_t *consumer; /* messages, rebalances and errors */
    rd_kafka_queue_t *answers;  /* of calls and commits */
    struct kafka_login *login;  /* the opaque of clients */
    enum kafka_replace replace;
    int64_t replace_ms;         /* WAITING: when it is tried again; SETTLING, LEAVING: how long */
    bool replace_again;         /* files have changed once more */
    struct kafka_trial trial;   /* of the second client */
    struct kafka_disposal *disposals;
    int descriptor;
    bool signalled; /* the descriptor was emptied by step: something may be there to fetch */

    struct kafka_partition *partitions; /* by partition number */
    int32_t partition_capacity;
    int32_t topic_partitions;           /* as described */

    struct kafka_event *events, **events_tail;
    struct kafka_event *told; /* the one that `next` gave last; its arrays live until the next call */

    struct kafka_call_state calls[KAFKA_CALL_COUNT];
    int64_t now_ms; /* as last told by step */

    bool ready;
    bool down;           /* told that the brokers do not answer */
    char reason[512];    /* the newest error of a connection */
    bool failed;         /* told a FATAL error; the following ones are echoes */
    bool start_told;
    bool paused;
    bool stopping;
    bool revoke_waiting; /* the group waits for the answer to a revoke */
    bool leaving;        /* a rejoin: we are on our way out of the group */
    int64_t leave_look_ms;
    uint64_t commits, commits_asked; /* sent; and when committed offsets were asked: an answer from before a commit is stale */
    bool topic_missing;  /* a broker said so once */
    int64_t missing_ms;  /* before the topic was ever seen: since when brokers say that it is not there; 0: they do not */
    bool end_check;      /* all may have got to their limits */
    bool end_told;
    int64_t began_ms;    /* by the wall clock: what "30m ago" counts from */
    bool job_known;      /* the group has, or has had, some committed offset: it is not the job's first run */

    bool committing;
    bool commit_answered;            /* by librdkafka; the stored offsets are being read back */
    bool commit_abandoned;           /* a rejoin has forgotten it, but librdkafka has not answered it yet */
    struct source_partition *commit; /* what was sent; texts are copies */
    size_t commit_count;
    struct error commit_error;       /* why the result is read back */
    atomic_uint commit_copies;       /* OffsetCommit requests written to a socket, ever; librdkafka's threads count */
    unsigned commit_copies_before;
};

static inline struct kafka_source *kafka_of(const struct source *source)
{
    return CONTAINER_OF((struct source *)source, struct kafka_source, source);
}

/* kafka.c */
struct kafka_partition *kafka_partition_at(struct kafka_source *kafka, int32_t partition, bool grow);
/* Copies partitions and their texts. */
struct kafka_event *kafka_event_push(struct kafka_source *kafka, enum source_event_kind kind,
                                     const struct source_partition *partitions, size_t count);
void kafka_event_free(struct kafka_event *event);
/* Forgets those that nobody has taken yet; partition -1: whatever they are about. */
void kafka_event_forget(struct kafka_source *kafka, enum source_event_kind kind, int32_t partition);
void kafka_fail(struct kafka_source *kafka, const struct error *error); /* FATAL and CONFIG: told once */
void kafka_down(struct kafka_source *kafka, const char *reason);
void kafka_up(struct kafka_source *kafka);
/* What an error of librdkafka or of a broker means. `doing` is for the sentence: "listing committed offsets". */
void kafka_error_set(const struct kafka_source *kafka, struct error *error, rd_kafka_resp_err_t code, const char *text,
                     const char *doing);
void kafka_subscribe(struct kafka_source *kafka);

/* kafka_commit.c */
bool kafka_commit_watch(struct kafka_source *kafka, rd_kafka_conf_t *conf) MUST_USE; /* before the client is made */
enum commit_result kafka_commit_result(rd_kafka_resp_err_t code, unsigned copies);
void kafka_commit(struct source *source, const struct source_partition *partitions, size_t count);
void kafka_commit_answer(struct kafka_source *kafka, rd_kafka_event_t *event);
/* Tells SOURCE_COMMITTED; error is for all but COMMIT_STORED. */
void kafka_commit_done(struct kafka_source *kafka, enum commit_result result, const struct error *error);
void kafka_commit_forget(struct kafka_source *kafka);

/* kafka_client.c */
bool kafka_client_start(struct kafka_source *kafka, struct error *error) MUST_USE;
void kafka_client_step(struct kafka_source *kafka);
int64_t kafka_client_deadline(const struct kafka_source *kafka);
/* The client in use is no member of the group any more: the second one takes its place. False: not yet, look again. */
bool kafka_client_left(struct kafka_source *kafka) MUST_USE;
void kafka_client_end(struct kafka_source *kafka);

/* kafka_group.c. The six that end in a verb of struct source_ops are that. */
void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque);
void kafka_group_lost(struct kafka_source *kafka);   /* tells SOURCE_LOST when a revoke that is open has become a loss */
void kafka_group_forget(struct kafka_source *kafka); /* gives all partitions up, without waiting for the hub */
bool kafka_group_settles(const struct kafka_source *kafka); /* partitions that were asked back are not released yet */
void kafka_group_ask_back(struct kafka_source *kafka); /* all partitions, though the group has not asked */
void kafka_group_lose(struct kafka_source *kafka);   /* the same, and tells them as lost */
void kafka_assign(struct source *source, const struct source_partition *partitions, size_t count);
void kafka_release(struct source *source, const int32_t *partitions, size_t count);
void kafka_pause(struct source *source);
void kafka_resume(struct source *source);
void kafka_seek(struct source *source, int32_t number, int64_t offset);
void kafka_rejoin(struct source *source);
void kafka_fetching(struct kafka_source *kafka, int32_t number, bool on); /* of one partition, inside of librdkafka */
void kafka_rejoin_step(struct kafka_source *kafka); /* joins again once the group is left */

/* kafka_start.c */
void kafka_call_want(struct kafka_source *kafka, enum kafka_call call);
bool kafka_call_waits(const struct kafka_source *kafka, enum kafka_call call); /* it must not be sent now */
void kafka_calls_send(struct kafka_source *kafka);
void kafka_call_answer(struct kafka_source *kafka, rd_kafka_event_t *event);

/* kafka_offsets.c */
bool kafka_offsets_needed(const struct kafka_source *kafka); /* the job never ran, and begins at given offsets */
/* ends: of KAFKA_CALL_START_HIGH. */
void kafka_offsets_answer(struct kafka_source *kafka, bool ends, const rd_kafka_ListOffsetsResultInfo_t **infos, size_t count);

/* kafka_first.c. Whether the committed offsets of the whole topic may be gone on with; false: told. */
bool kafka_first_check(struct kafka_source *kafka, const rd_kafka_topic_partition_list_t *list) MUST_USE;
void kafka_retention_answer(struct kafka_source *kafka, rd_kafka_event_t *event);

/* kafka_until.c */
bool kafka_bounded(const struct kafka_source *kafka);
bool kafka_until_start(struct kafka_source *kafka) MUST_USE; /* the topic is known; false: told */
bool kafka_until_known(const struct kafka_source *kafka, int32_t number);
int64_t kafka_until_given(const struct kafka_source *kafka, int32_t number);
int64_t kafka_until_query(const struct kafka_source *kafka, int32_t number);
void kafka_until_answer(struct kafka_source *kafka, const rd_kafka_ListOffsetsResultInfo_t **infos, size_t count);
void kafka_until_reached(struct kafka_source *kafka, int32_t number);
void kafka_until_again(struct kafka_source *kafka); /* the end that was told may be one no more, and is told again if it is */
void kafka_until_undo(struct kafka_source *kafka, int32_t number);
void kafka_until_check(struct kafka_source *kafka); /* tells SOURCE_END when it is time */

/* kafka_config.c. The configuration is librdkafka's after rd_kafka_new, else rd_kafka_conf_destroy it. */
rd_kafka_conf_t *kafka_conf_make(struct kafka_login *login, const struct job *job, struct log *log,
                                 struct error *error) MUST_USE;

#endif
