/* position.h: what is stored beside a committed offset (design.md, epochs, rule 3), one record per Kafka partition, one line of
 * text:
 *
 *     luaduct/2 job=J cluster=C topic=T table=N tableid=I ledger=READ,WRITTEN,FILTERED,DIRTY,EXPANDED crc=XXXXXXXX
 *
 * That is the idle record. A prepared one has between ledger and crc the epoch that is to be rolled forward:
 *
 *      epoch=ID by=HOST:PID at=MS counts=R,W,F,D,E offsets=P:BASE+N,P:BASE+N sessions=LIST
 *
 * counts are those of this Kafka partition in the epoch, to be added to the ledger when it is finished. offsets are all Kafka
 * partitions of the epoch, with the offset where it begins and the number of offsets that it covers. sessions are front-coded,
 * since neighbours share most of their text: ";" between two, "!" between the parts of one: partition value and session id, each
 * as the number of bytes shared with the one before, "~" and the rest; then blocks and rows. Names, values and ids are
 * percent-encoded; crc is the CRC-32C of all before " crc=". This release also reads luaduct/1, which has the idle record without
 * tableid. Ownership: position_release frees what a parsed one holds. Threads: any, no state.
 * Errors: FATAL for what another release stored, or is of another job, topic or table. */
#ifndef LUADUCT_PIPELINE_POSITION_H
#define LUADUCT_PIPELINE_POSITION_H

#include "pipeline/work.h"

struct position_owner {
    const char *job;
    const char *cluster;  /* "" when unknown */
    const char *topic;    /* topic id, or its name where the broker knows no ids */
    const char *table;    /* project.schema.table */
    const char *table_id; /* "" when unknown */
};

enum { POSITION_BYTES_MAX = 4096 }; /* the broker's default limit: offset.metadata.max.bytes */

struct position_cover {
    int32_t partition;
    int64_t base, next;
};

struct position_session {
    char *spec; /* "" for a table without partitions */
    char *id;
    unsigned blocks;
    uint64_t rows;
};

struct position {
    struct counts ledger; /* of all finished epochs of this Kafka partition */
    bool prepared;
    /* prepared only */
    char epoch[48]; /* unique */
    char by[80];    /* host and process */
    int64_t at_ms;  /* wall clock */
    struct counts counts;
    struct position_cover *covers;
    size_t cover_count;
    struct position_session *sessions;
    size_t session_count;
};

/* Appends the record. Sessions should be sorted by spec: they are smallest then. */
void position_print(const struct position_owner *owner, const struct position *position, struct buffer *text);

enum position_status {
    POSITION_NONE,    /* nothing stored, or text that is not ours */
    POSITION_OURS,    /* *position_out is set: release it */
    POSITION_FOREIGN, /* well-formed, of another job, cluster, topic or table; the error says which */
    POSITION_UNKNOWN, /* a version that this release does not read */
};
/* owner NULL: whoever's record it is, it is read (epoch show). */
enum position_status position_parse(struct str text, const struct position_owner *owner, struct position *position_out,
                                    struct error *error);
void position_release(struct position *position);

/* What owner and ledger take, at most, and what each Kafka partition and each table partition of an epoch adds, when values and
 * ids have these lengths: how an epoch is kept below POSITION_BYTES_MAX before the ids are known. */
size_t position_bytes_fixed(const struct position_owner *owner);
enum {
    POSITION_BYTES_COVER = 40,
    POSITION_ID_BYTES = 48, /* a session's id, until a longer one is seen */
};
/* What a table partition's value takes, encoded. */
size_t position_bytes_spec(struct str spec);
size_t position_bytes_session(size_t spec_bytes, size_t id_size);

#endif
