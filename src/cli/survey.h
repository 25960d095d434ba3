/* survey.h: where a job stands, for the commands that show and move its position: the group, what is stored for each Kafka
 * partition, the epochs that are prepared there, and what the service says of their sessions.
 * Ownership: ends_close and survey_release free. Threads: the command's main thread; every call blocks, at most some 15 s a
 * question. Nothing but survey_store changes anything.
 * Errors: FENCED when something changed meanwhile, else as the brokers and the service answer. */
#ifndef LUADUCT_CLI_SURVEY_H
#define LUADUCT_CLI_SURVEY_H

#include "cli/engine.h"
#include "pipeline/position.h"
#include "source/kafka_admin.h"

/* Both ends of a job, and the owner that its records name. */
struct ends {
    struct engine *engine; /* borrowed */
    struct kafka_admin *admin;
    struct position_owner owner;
    char table_id[80];
    bool has_table;           /* schema and table_rows are set */
    struct mc_schema schema;
    int64_t table_rows;       /* -1: not told */
    struct error service;     /* why the service could not be asked; kind ERROR_NONE: it answers */
};

/* Loads the job's files into engine, as much as these commands need (the stages are not opened), and asks both ends. False: what
 * is wrong has been printed, *status_out is the exit status. Close and free in any case. */
bool ends_open(struct ends *ends, struct engine *engine, const char *command, const char *job_path, const char *datasources_path,
               int *status_out) MUST_USE;
void ends_close(struct ends *ends);

enum survey_record {
    RECORD_NOTHING, /* no committed offset, or no text beside it */
    RECORD_STRANGE, /* text that luaduct did not store, or that is damaged */
    RECORD_OURS,
    RECORD_FOREIGN, /* of another job, cluster, table, or of a topic or table that was made anew: `error` says which */
    RECORD_UNKNOWN, /* of a release that this one does not read: `error` */
};

struct survey_partition {
    enum survey_record record;
    bool other_job;            /* RECORD_FOREIGN: another job, cluster or table name, and not only another id */
    struct position position;  /* RECORD_OURS and RECORD_FOREIGN */
    struct error error;
};

enum session_state {
    SURVEY_NOT_ASKED,
    SURVEY_NO_ANSWER, /* error */
    SURVEY_NORMAL,
    SURVEY_CLOSING,
    SURVEY_CLOSED,
    SURVEY_DEAD,      /* expired, cancelled, critical */
    SURVEY_NOT_FOUND,
    SURVEY_STRANGE,   /* a state that nobody knows */
};

struct survey_session {
    const struct position_session *recorded;
    enum session_state state;
    char word[64];            /* what the service calls it */
    unsigned blocks;          /* as listed by the service */
    int64_t partition_rows;   /* in the table partition now; -1: not asked or not told */
    struct error error;
};

/* What is prepared under one epoch id. */
struct survey_epoch {
    int32_t partition;        /* the first one that carries it */
    const struct position *position;
    bool foreign, other_job;
    bool differs;             /* its records are not the same on all partitions, or stand at another offset than its base */
    struct survey_session *sessions; /* position->session_count */
};

struct survey {
    struct kafka_group group;
    int32_t count;
    struct kafka_place *places;
    struct survey_partition *partitions;
    struct survey_epoch *epochs;
    size_t epoch_count;
};

/* Reads group, offsets and records. */
bool survey_read(struct survey *survey, struct ends *ends, struct error *error) MUST_USE;
/* Asks the service for every session; with_rows: also how many rows its table partition has now. What it does not answer stands
 * in the sessions. */
void survey_ask(struct survey *survey, struct ends *ends, bool with_rows);
void survey_release(struct survey *survey);
/* Whether nothing changed between two surveys, and the group is empty; the error says what did. Sessions that were not asked in
 * `now` are not compared. */
bool survey_same(const struct survey *before, const struct survey *now, struct error *error) MUST_USE;

enum cover_state { COVER_CARRIES, COVER_MOVED_ON, COVER_BEHIND, COVER_ABSENT };
/* How a Kafka partition of an epoch stands to it. */
enum cover_state survey_cover(const struct survey *survey, const struct survey_epoch *epoch,
                              const struct position_cover *cover);
/* The carrier's own counts in the epoch and its ledger; NULL when the partition does not carry it. */
const struct position *survey_carried(const struct survey *survey, const struct survey_epoch *epoch, int32_t partition);
bool session_is_open(const struct survey_session *session); /* normal or closing: a start of the job finishes it */
/* "NORMAL, 3 of 3 blocks listed" */
void session_describe(const struct survey_session *session, struct buffer *text);

/* "client luaduct-orders at 10.0.0.7, client ..." */
void survey_members(const struct survey *survey, struct buffer *text);

struct survey_move {
    int32_t partition;
    int64_t offset;
    struct counts ledger;
};
/* Stores idle records of today's owner in one request and reads them back. Refused by the broker while the group has members. */
bool survey_store(struct ends *ends, const struct survey_move *moves, size_t count, struct error *error) MUST_USE;

/* "dt=2024,hh=01" to "dt='2024'SEPARATORhh='01'"; sql: the names are quoted too. */
void survey_spec_quote(const char *spec, const char *separator, bool sql, struct buffer *text);

#endif
