/* work.h: what goes between the hub and a worker, and back in the same struct.
 * Ownership: whoever holds the work owns all that hangs on it. Threads: one owner at a time. */
#ifndef LUADUCT_PIPELINE_WORK_H
#define LUADUCT_PIPELINE_WORK_H

#include "batch/batch.h"
#include "pipeline/code.h"
#include "dirty/dirty.h"
#include "sink/sink.h"

/* Encoded records of one batch for one table partition, without trailer: one allocation, texts behind the struct. */
struct chunk {
    struct chunk *next;
    uint32_t rows;
    size_t spec_size;    /* at text */
    size_t records_size; /* behind the spec */
    /* behind the records: rows CRCs of 4 bytes */
    char text[];
};

static inline struct str chunk_spec(const struct chunk *chunk)
{
    return str_make(chunk->text, chunk->spec_size);
}
static inline struct str chunk_records(const struct chunk *chunk)
{
    return str_make(chunk->text + chunk->spec_size, chunk->records_size);
}
static inline struct str chunk_crcs(const struct chunk *chunk)
{
    return str_make(chunk->text + chunk->spec_size + chunk->records_size, (size_t)chunk->rows * 4);
}
static inline size_t chunk_bytes(const struct chunk *chunk)
{
    return sizeof(*chunk) + chunk->spec_size + chunk->records_size + (size_t)chunk->rows * 4;
}
void chunks_free(struct chunk *chunk);

/* What became of records: the terms of the ledger. read + expanded = written + filtered + dirty. */
struct counts {
    int64_t read, written, filtered, dirty, expanded;
};

static inline void counts_add(struct counts *into, const struct counts *more)
{
    into->read += more->read;
    into->written += more->written;
    into->filtered += more->filtered;
    into->dirty += more->dirty;
    into->expanded += more->expanded;
}

static inline bool counts_balance(const struct counts *counts)
{
    return counts->read + counts->expanded == counts->written + counts->filtered + counts->dirty;
}

/* What came of the records of a batch, or of a run of them from its beginning: epochs take segments, in the order of offsets.
 * A batch is one segment, unless its rows go to more table partitions than one record beside an offset can name. */
struct segment {
    struct segment *next;
    int64_t offset_next;  /* one after its last record */
    int64_t timestamp_ms; /* of its last record */
    struct counts counts;
    struct chunk *chunks;
    struct buffer dirty_lines;           /* of a batch that was cut, all lines are in the first segment */
    struct dirty_reasons *dirty_reasons; /* NULL while there are none */
};
struct segment *segment_new(void) MUST_USE;
void segments_free(struct segment *segment);
size_t segment_bytes(const struct segment *segment); /* of its chunks and dirty lines */

enum work_kind {
    WORK_BATCH, /* hub -> worker: batch with messages; back: segments, the batch cleared */
    WORK_PACK,  /* hub -> worker: chunks of one table partition; back: block */
    /* Another version of the code; what runs no more comes back as `retired`. Each goes by the worker's queue, so that a batch is
     * processed by one version as a whole. */
    WORK_SWAP,   /* hub -> worker: code, which is opened with what the stages of the one before it save */
    WORK_REVERT, /* hub -> worker: code, which is not to run any more: the proven one runs again */
    WORK_PROVE,  /* hub -> worker: code, which stays: the one before it is not needed any more */
};

struct work {
    enum work_kind kind;
    struct work *next; /* in the hub's lists */
    void *epoch;       /* the epochs': PACK: which one it belongs to; BATCH: its place in the order of its partition */
    int64_t ready_ms, started_ms; /* BATCH: complete, and in hand */

    /* WORK_BATCH */
    struct batch *batch;
    int32_t partition;
    int64_t offset_first, offset_next;
    int64_t bytes;   /* of the messages */
    size_t id_bytes; /* how long the epochs take session ids to be: for the worker's cut */
    struct segment *segments;

    /* WORK_PACK */
    struct chunk *chunks;
    void *target; /* the epoch's: which table partition */
    struct block *block;

    /* WORK_SWAP, WORK_REVERT, WORK_PROVE */
    struct code *code; /* a reference */

    struct runner *retired; /* SWAP, REVERT, PROVE, BATCH: a list */
    bool reverted;          /* BATCH: the version on probation failed and the proven one did not; error says at what */
    int64_t took_ms;        /* SWAP: how long the worker stood still */
    bool ok;
    struct error error;
};

struct work *work_new(enum work_kind kind) MUST_USE;
void work_free(struct work *work); /* takes NULL; frees the batch too */

#endif
