/* convert.h: one value or column from one pipeline type to another, strictly: what would lose something fails, with a reason.
 * The table of behaviour.md section 5 for the types of type.h; used by cast in stages and by the mapping to the target.
 * Rules: text is parsed strictly and whole; empty text fails unless empty_as_null. bigint -> datetime/timestamp is epoch
 * milliseconds. Local date-times without an offset, and instants printed as text, need `zone`; without one they fail with a
 * reason that says so. double -> bigint only when whole and in range; bigint -> double only when exact; boolean text is
 * true/false/1/0 in any case; any type -> string prints it the way it would be parsed. binary <-> string passes the bytes (UTF-8
 * is checked toward string). json -> other types: only from a JSON scalar of the matching kind (binary from base64); any -> json
 * is not offered except string (validated).
 * Ownership: a struct convert is plain values, nothing to release; its zone is borrowed. Results live as the function says: in
 * the arena, the document or the text. Threads: one owner (the cache inside). */
#ifndef LUADUCT_BATCH_CONVERT_H
#define LUADUCT_BATCH_CONVERT_H

#include "batch/batch.h"
#include "batch/time.h"

struct convert {
    const struct zone *zone; /* may be NULL */
    struct zone_cache zone_cache;
    bool empty_as_null; /* "" -> NULL for targets that are not text or binary */
};

/* Whether there is a rule at all, so that `check` can refuse the rest. The error says why and what to do. */
bool convert_possible(struct type from, struct type to, struct error *error) MUST_USE;

/* Whether no value at all converts without a zone. */
bool convert_needs_zone(struct type from, struct type to);

/* The selected rows of `column` as a new column of type `to` (the same column when nothing changes). A row that fails is handed
 * to batch_fail with `name` and a reason holding the beginning of the value; when null_on_error, it becomes NULL instead.
 * The caller sweeps. NULL: the arena is full. */
struct column *convert_column(struct convert *convert, struct batch *batch, struct column *column, struct type to,
                              struct str name, bool null_on_error) MUST_USE;

/* One value at a time, for what stands inside of arrays, maps and structs: a part of a JSON document that was read with
 * YYJSON_READ_NUMBER_AS_RAW, or a text. The result goes to `cell` (type_size bytes); it may point into the document or the text,
 * else it is in the arena. On CONVERT_FAILED *reason_out is the end of a sentence that begins with the value. */
enum convert_status { CONVERT_OK, CONVERT_NULL, CONVERT_FAILED, CONVERT_FULL };
struct yyjson_val;
enum convert_status convert_json(struct convert *convert, struct arena *arena, struct yyjson_val *value, struct type to,
                                 void *cell, const char **reason_out) MUST_USE;
enum convert_status convert_text(struct convert *convert, struct arena *arena, struct str text, struct type to, void *cell,
                                 const char **reason_out) MUST_USE;

/* For reasons and previews: the value's beginning as text, quoted when it is text, at most some 60 bytes, valid UTF-8. */
struct str convert_excerpt(const struct column *column, uint32_t row, char text[128]);

#endif
