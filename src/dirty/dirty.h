/* dirty.h: rows that cannot be handled, kept as JSON lines in rotated files, never deleted by luaduct.
 * A worker formats lines (dirty_format) while the batch is alive; the hub appends them (dirty_append) and makes them durable
 * (dirty_sync, and dirty_durable until it says so) before offsets move.
 * Line:
 * {"time","job","version","topic","topic_id","partition","offset","index","timestamp","stage","column","reason","key","value"}
 * with key and value as text when UTF-8, else as {"base64": ...}; NULL is null; headers too when the source read them.
 * Files: DIR/dirty-YYYYMMDDTHHMMSSmmm-PID.ndjson, a new one when file_bytes_max is reached; the folder is made when missing.
 * Threads: dirty_format any; the store the hub's. Errors: disk full and the like are ERROR_FATAL with path and reason. */
#ifndef LUADUCT_DIRTY_DIRTY_H
#define LUADUCT_DIRTY_DIRTY_H

#include "batch/batch.h"
#include "util/buffer.h"

struct dirty_store;

struct dirty_options {
    const char *directory;
    int64_t file_bytes_max;
    int64_t bytes_max;      /* of all dirty files in the folder */
};

/* Opens nothing yet but makes the folder and counts what is there, so that a missing right is found at start. */
bool dirty_store_open(struct dirty_store **store_out, const struct dirty_options *options, struct error *error) MUST_USE;
void dirty_store_close(struct dirty_store *store);
bool dirty_append(struct dirty_store *store, struct str lines, int64_t wall_ms, struct error *error) MUST_USE;
/* Begins to make durable what was appended; done when dirty_durable says so. Files: fsync, done at once. */
bool dirty_sync(struct dirty_store *store, struct error *error) MUST_USE;
/* Whether all that was appended before the last dirty_sync is durable. Asked again in every turn of the loop; never blocks. */
bool dirty_durable(struct dirty_store *store, bool *durable_out, struct error *error) MUST_USE;
int64_t dirty_bytes(const struct dirty_store *store);

struct dirty_origin {
    const char *job;
    const char *topic;
    const char *topic_id;
};
/* One line per dirty row of the batch, appended; wall_ms is the time said in them. */
void dirty_format(const struct batch *batch, const struct dirty_origin *origin, int64_t wall_ms, struct buffer *lines);

/* The reasons most frequent first, for the message when the limit strikes. */
struct dirty_reasons;
struct dirty_reasons *dirty_reasons_new(void) MUST_USE;
void dirty_reasons_free(struct dirty_reasons *reasons);
/* key: stage, column and reason without its value part (up to the first ':' or quote); count adds up. Bounded: at most 256
 * kinds. */
void dirty_reasons_add(struct dirty_reasons *reasons, const struct batch *batch);
void dirty_reasons_merge(struct dirty_reasons *into, const struct dirty_reasons *from);
void dirty_reasons_clear(struct dirty_reasons *reasons);
void dirty_reasons_print(const struct dirty_reasons *reasons, unsigned most, struct buffer *text);

#endif
