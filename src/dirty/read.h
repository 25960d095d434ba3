/* read.h: reads a store of dirty rows back, of either kind, whole: for `luaduct dirty`. Never writes, joins no consumer group.
 * A reader remembers how far the store reached when it was opened, so that a second walk sees the same lines in the same places;
 * what is appended meanwhile is not seen. A row that was read twice stands twice in the store: dirty_newest remembers for each
 * identity where its newest line is, and a second walk takes those.
 * Memory: one line at a time, and 40 bytes an identity, of which DIRTY_IDENTITIES_MAX are remembered.
 * Ownership: close, free and release give back what was opened or made; a line lasts as long as the call that shows it.
 * Threads: the caller's. Blocks on disk and network. Errors: ERROR_RETRY when brokers do not answer, else ERROR_FATAL. */
#ifndef LUADUCT_DIRTY_READ_H
#define LUADUCT_DIRTY_READ_H

#include "dirty/dirty.h"

/* Its table has 16 Mi places then, 640 MiB, and half as much again while it grows; beyond it dirty_newest_add says no. */
enum { DIRTY_IDENTITIES_MAX = 10 * 1000 * 1000 };

/* A line taken apart; the texts live until release. */
struct dirty_record {
    void *document;
    struct str time, job, topic, topic_id, stage, column, reason; /* absent: null */
    int64_t record_at;     /* the index of the record's row that has key and value; -1: this one has */
    struct str key, value; /* text, or base64 when the flag says so */
    bool key_base64, value_base64;
    int32_t partition;
    int64_t offset;
    uint32_t index;
    int64_t timestamp_ms;
};

/* False: this is no line of a dirty row. */
bool dirty_record_read(struct dirty_record *record, struct str line) MUST_USE;
/* Its Kafka record as a line of a sample (sample/sample.h), without an end. Bytes in headers that are no text are base64, as they
 * are kept. */
void dirty_record_print_sample(const struct dirty_record *record, struct buffer *text);
void dirty_record_release(struct dirty_record *record);
/* "TOPIC_ID/PARTITION/OFFSET/INDEX"; without an id the topic's name stands for it. */
void dirty_record_identity(const struct dirty_record *record, struct buffer *text);

struct dirty_position { /* where in the store a line is */
    uint32_t unit;      /* the file or the topic's partition */
    int64_t at;         /* the line or the offset */
};

struct dirty_reader;

bool dirty_reader_open(struct dirty_reader **reader_out, const struct dirty_options *options, struct error *error) MUST_USE;
void dirty_reader_close(struct dirty_reader *reader);
/* Calls row for each line, without its newline; false from it ends the walk, with the error that it has set. */
typedef bool (*dirty_row)(void *arg, struct dirty_position position, struct str line, struct error *error);
bool dirty_reader_walk(struct dirty_reader *reader, dirty_row row, void *arg, struct error *error) MUST_USE;

struct dirty_newest;
struct dirty_newest *dirty_newest_new(size_t max) MUST_USE;
void dirty_newest_free(struct dirty_newest *newest);
/* The later time is newer; of equal ones the one added last. False: more than max. */
bool dirty_newest_add(struct dirty_newest *newest, const struct dirty_record *record, struct dirty_position position) MUST_USE;
/* Whether the line at this position is its identity's newest. */
bool dirty_newest_is(const struct dirty_newest *newest, const struct dirty_record *record, struct dirty_position position);
size_t dirty_newest_count(const struct dirty_newest *newest);

#endif
