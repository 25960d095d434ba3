/* upload_internal.h: what the parts of the upload sink share; nobody else includes it.
 * upload.c is the sink itself: its functions, the queue of blocks, and who gets which answer. upload_session.c holds the
 * states of one session and reads the service's answers about it. upload_table.c reads or creates the table and adds
 * partitions; it knows nothing of sessions. Calls go down in this order; only the three helpers of all parts stand in
 * upload.c.
 * Ownership: the sink owns all of it. A call belongs to the client while it is under way; call_take in upload.c frees it.
 * Failing: any part may end the job with upload_fail. It sets `failed`, after which nothing new is started.
 * Threads: the hub's. */
#ifndef LUADUCT_SINK_UPLOAD_INTERNAL_H
#define LUADUCT_SINK_UPLOAD_INTERNAL_H

#include "sink/upload.h"

/* Who waits for a call: what client_call.user points to. */
enum upload_owner { OWNER_TABLE, OWNER_VERIFY, OWNER_SESSION, OWNER_BLOCK };

enum upload_table_state { TABLE_IDLE, TABLE_READING, TABLE_WAITING, TABLE_CREATING, TABLE_READY };

enum upload_partition_state { PARTITION_MISSING, PARTITION_ADDING, PARTITION_THERE };

/* One that was missing; others never get here. It is forgotten a while after it was added. */
struct upload_partition {
    char *spec;
    enum upload_partition_state state;
    unsigned tries;
    int64_t due_ms;   /* of the next try */
    int64_t there_ms; /* since when we know it to be there */
    int64_t asked_ms; /* when a session was last told of it, or it was last added */
    struct upload_partition *next;
};

enum upload_session_state {
    SESSION_EMPTY,     /* not created at the service */
    SESSION_CREATING,
    SESSION_PARTITION, /* waits for its partition */
    SESSION_OPEN,
    SESSION_LISTING,
    SESSION_VERIFYING, /* listed; waits for the word that the table is still the same */
    SESSION_SEALED,
    SESSION_COMMITTING,
    SESSION_ASKING,    /* GET of its state, the commit being in doubt or another owner's */
    SESSION_ASK_LATER,
    SESSION_COMMIT_LATER,
    SESSION_COMMITTED,
    SESSION_LOST, /* SESSION_UNKNOWN was said */
};

struct upload_session {
    struct sink_session base;
    enum upload_owner owner; /* OWNER_SESSION: its calls point here */
    struct upload *upload;
    char *spec;
    char *id; /* the service's, NULL before */
    enum upload_session_state state;
    bool seal_wanted, commit_wanted;
    bool adopted; /* block_count and rows are those of its record */
    bool counted; /* adopted: the service's list was compared */
    bool ask_only; /* adopted, but not to be committed */
    unsigned verify_after; /* the check of the table must have a higher number */
    unsigned block_count, acked_count;
    uint64_t rows;
    struct client_call *call;
    struct upload_partition *partition;
    unsigned partition_tries, commit_tries, ask_tries, broken_tries;
    int64_t sent_ms; /* of the last call */
    int64_t due_ms;
    bool quota_waits;  /* what it does next waits for a quota, which was counted */
    int64_t quota_ms;  /* and is asked for again then; INT64_MAX: not before an answer */
    struct error refusal; /* why a commit was refused with 4xx */
    bool refused;
    struct upload_session *previous, *next;
};

struct upload {
    struct sink base;
    struct client *client;
    struct log *log;
    char *table, *create_comment, *content_encoding;
    bool create_if_missing;
    const struct mc_schema *create_schema;
    int lifecycle_days;
    unsigned uploads_max;

    enum upload_owner owner; /* OWNER_TABLE: the table's calls point here */
    enum upload_table_state table_state;
    struct client_call *table_call;
    struct client_sql *table_sql;
    bool table_created;
    unsigned table_tries;
    int64_t table_due_ms;

    enum upload_owner verify_owner; /* OWNER_VERIFY: the call that reads the table's id again */
    struct client_call *verify_call;
    unsigned verify_sent, verify_done; /* numbers of checks, from 1 */

    struct upload_partition *partitions;
    struct client_sql *partitions_sql; /* the statement that adds those that are ADDING; NULL: none is under way */
    struct upload_session *sessions, *sessions_last; /* in the order they were opened: quotas go to the oldest first */
    struct upload_block *blocks_first, *blocks_last; /* in order of arrival, those under way too */
    int64_t blocks_quota_ms; /* when the next block may go; INT64_MAX: none waits for that */
    bool failed;

    struct quota quota;
    struct quota_demand demand;
    bool quota_said[QUOTA_KINDS];
    int64_t quota_said_ms[QUOTA_KINDS];

    struct block *told_block; /* of the event given last: freed with the next call */
    struct upload_session *told_session;
};

/* Of upload.c. fail ends the job: the first error is told as SINK_FAILED, later ones are dropped. */
void upload_fail(struct upload *upload, const struct error *error);
/* Sends a call and remembers that *owner waits for the answer; the owner must stay until then or free the call. */
void upload_call_send(struct upload *upload, struct client_call *call, enum upload_owner *owner, bool repeat_safe,
                      int64_t now_ms);
/* Asks for a call's place in the quota and takes it: true when it may be sent now. Else *waits is set, and *due_ms when to ask
 * again (INT64_MAX: after an answer). */
bool upload_quota_take(struct upload *upload, enum quota_kind kind, bool *waits, int64_t *due_ms, int64_t now_ms);
/* How long to wait after the try with this number, 1 being the first: 1 s, doubling up to 16 s. */
int64_t upload_backoff_ms(unsigned tries);

/* Of upload_table.c. start reads the metadata once; SINK_READY follows when the table is there. */
void upload_table_start(struct upload *upload, int64_t now_ms);
/* The answer to table_call; the caller frees the call. */
void upload_table_answered(struct upload *upload, struct client_call *call, int64_t now_ms);
/* Makes sure that a check with a number above `after` is done or under way: whether the table still has the id of SINK_READY.
 * True when it is done. A table that changed ends the job. */
bool upload_table_verify(struct upload *upload, unsigned after, int64_t now_ms);
void upload_table_verified(struct upload *upload, struct client_call *call);
/* Puts what a person can do in front, when the error says that the table was altered or is gone. */
void upload_table_advise(struct client_call *call);
/* Offers a finished call to the statements under way: true when it was one of theirs, and taken. */
bool upload_table_take(struct upload *upload, struct client_call *call, int64_t now_ms);
/* Ends the job with an error of the table's. */
void upload_table_fail(struct upload *upload, struct error *error);
/* A statement with the settings that the schema's types need. */
struct client_sql *upload_sql_start(struct upload *upload, struct buffer *statement, const struct mc_schema *schema,
                                    int64_t now_ms);
/* Goes on with the creation of the table and with adding partitions. */
void upload_table_step(struct upload *upload, int64_t now_ms);
/* When upload_table_step has something to do next; INT64_MAX: not before an answer. */
int64_t upload_table_deadline(const struct upload *upload);
/* Frees the calls, statements and partitions; not what came with the options. */
void upload_table_release(struct upload *upload);

/* Of upload_partition.c: the same four for the partitions. */
void upload_partitions_step(struct upload *upload, int64_t now_ms);
bool upload_partitions_take(struct upload *upload, struct client_call *call, int64_t now_ms);
int64_t upload_partitions_deadline(const struct upload *upload);
void upload_partitions_release(struct upload *upload);
/* NULL for a partition that was not missing of late. Borrowed, and valid while it is not there yet. */
struct upload_partition *upload_partition_find(struct upload *upload, const char *spec);
/* The service answered a request of sent_ms, the try with this number, that the partition is not there: it will be added, unless
 * that has been done since the request. Its state tells when it is there. */
struct upload_partition *upload_partition_want(struct upload *upload, const char *spec, unsigned tries, int64_t sent_ms,
                                               int64_t now_ms);

/* Of upload_session.c. A new session is empty: the service hears of it with its first block. */
struct upload_session *upload_session_new(struct upload *upload, struct str spec, void *user);
/* Asks for its state at once; see sink.h. */
struct upload_session *upload_session_adopt_new(struct upload *upload, struct str spec, struct str id, unsigned blocks,
                                                uint64_t rows, bool ask_only, void *user, int64_t now_ms);
/* Takes NULL. Its blocks must be gone from the queue. */
void upload_session_free(struct upload_session *session);
/* Does what the state and the hub's wishes allow. */
void upload_session_step(struct upload_session *session, int64_t now_ms);
/* When upload_session_step has something to do next; INT64_MAX: not before an answer or a wish. */
int64_t upload_session_deadline(const struct upload_session *session);
/* The answer to the session's call; the caller frees the call. */
void upload_session_answered(struct upload_session *session, struct client_call *call, int64_t now_ms);
/* Starts the buffer and puts the session's resource in, or the one that creates it. */
void upload_session_resource(const struct upload_session *session, struct buffer *resource, bool create);
/* upload_fail with the table, the partition and what is known of the session put in front of the error. */
void upload_session_fail(struct upload_session *session, struct error *error);

#endif
