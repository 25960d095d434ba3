/* batch.h: the one data structure: rows as columns over one arena, with their origins and states.
 *
 * A batch holds records of one Kafka partition, in offset order. It is filled by the source (messages), given to a worker, run
 * through the stages (fields change, the selection shrinks, rows become dirty), routed and encoded there, and handed back empty.
 * Ownership: the batch owns its arena and keeps its messages alive until batch_clear, which calls `release` for them.
 * What outlives the batch (dirty rows, samples) must be copied out.
 * Threads: one owner at a time; it changes hands through queues. batch_clear may run on any thread.
 * Bounds: BATCH_ROWS_MAX messages; expansion may make more rows, up to BATCH_EXPANDED_ROWS_MAX and the arena's limit.
 * Errors: a row's go to the dirty rows (batch_fail); stop_error says why the batch as a whole cannot go on. */
#ifndef LUADUCT_BATCH_BATCH_H
#define LUADUCT_BATCH_BATCH_H

#include "batch/column.h"
#include "util/buffer.h"

enum {
    BATCH_ROWS_MAX = 2048,
    BATCH_EXPANDED_ROWS_MAX = 1 << 20,
    BATCH_FIELDS_MAX = 1024,
};

/* One record of the source. key and value: data == NULL means NULL. */
struct message {
    struct str key;
    struct str value;
    struct str headers; /* a JSON array of [name, value] pairs; absent when there are none or nobody asked (batch_headers) */
    int64_t offset;
    int64_t timestamp_ms;
};

enum operation { OPERATION_INSERT, OPERATION_UPDATE, OPERATION_DELETE };

struct field {
    struct str name; /* borrowed from the job or the arena */
    struct column *column; /* NULL: a source field that nobody has read yet (see batch_column) */
    int builtin;           /* enum batch_builtin, or -1 */
};

/* A field that a stage took away. */
struct field_gone {
    struct str name;
    struct str now;    /* what it is called since; absent: it is no more */
    const char *stage; /* as batch->stage was */
    struct field_gone *before;
};

/* The six source fields of behaviour.md section 2, in that order. */
enum batch_builtin {
    BUILTIN_KEY,
    BUILTIN_VALUE,
    BUILTIN_PARTITION,
    BUILTIN_HEADERS,
    BUILTIN_OFFSET,
    BUILTIN_TIMESTAMP,
    BUILTIN_COUNT
};
extern const char *const batch_builtin_names[BUILTIN_COUNT];

/* What becomes of a row that a stage cannot handle. */
enum when_error { WHEN_ERROR_DIRTY, WHEN_ERROR_NULL, WHEN_ERROR_DROP, WHEN_ERROR_STOP };

struct dirty_row {
    uint32_t message; /* index into the batch's messages */
    uint32_t index;   /* after expansion */
    const char *stage;  /* borrowed: a stage's name, "mapping" or "partition"; lives as long as the job */
    struct str column;  /* may be absent; in the arena or borrowed from the job */
    struct str reason;  /* in the arena */
    struct dirty_row *next;
};

struct batch {
    struct arena arena;

    /* Where it comes from. */
    uint64_t sequence; /* counts up in the hub, over all partitions */
    int32_t partition;
    int64_t offset_first;
    int64_t offset_next; /* one after the last message */
    int64_t bytes;       /* of the messages, for the memory budget */

    struct message messages[BATCH_ROWS_MAX];
    void *handles[BATCH_ROWS_MAX]; /* the source's own; given to release */
    uint32_t message_count;
    void (*release)(void **handles, uint32_t count);
    /* Appends the headers of a handle's record to an empty buffer, nothing when there are none. They are read only for whoever
     * asks, since most jobs never do and reading costs more than the rest of a record's way from the source. NULL: the job has
     * none. */
    void (*print_headers)(void *handle, struct buffer *text);

    /* Rows. A row's message is row_message[row] (row itself while row_message is NULL). */
    uint32_t row_count;
    uint32_t *row_message;
    uint32_t *row_index;  /* index after expansion, NULL = all 0 */
    uint32_t *index_next; /* per message, the first index that no expansion has given yet; NULL before the first one */
    uint32_t *row_source; /* for a preview, which sets it: the row that each row was before; NULL: nobody asks */
    uint8_t *operation;  /* enum operation, NULL = all inserts */

    /* The rows that are still in the game, ascending. */
    uint32_t *selection;
    uint32_t selected;

    struct field *fields;
    uint32_t field_count;
    struct field_gone *fields_gone; /* the last one first; of a batch without messages, which is for finding mistakes */

    /* Rows that left. */
    struct dirty_row *dirty;
    struct dirty_row **dirty_tail;
    uint32_t dirty_count;
    uint32_t filtered_count;
    uint32_t expanded_count; /* rows that stages added; a record without elements is filtered instead */

    /* The stage in hand, for batch_fail. */
    const char *stage;
    enum when_error when_error;
    uint8_t *gone;     /* marks of the rows that left and are not yet swept out of the selection; NULL while there are none */
    bool gone_any;
    bool stopped;      /* WHEN_ERROR_STOP struck; stop_error says why */
    struct error stop_error;
};

struct batch *batch_new(size_t arena_bytes_max) MUST_USE;
void batch_free(struct batch *batch); /* clears first */
/* Releases the messages and forgets everything but the pages. */
void batch_clear(struct batch *batch);

/* Forgets all but the messages, which can then be run anew (batch_begin). */
void batch_restart(struct batch *batch);

/* The source adds messages one by one (room is the caller's check: message_count < BATCH_ROWS_MAX). */
void batch_add_message(struct batch *batch, const struct message *message, void *handle);
/* After the last message: rows, selection, and the source fields `builtins` (a bit per enum batch_builtin) that the job names.
 * False when the arena cannot hold it. */
bool batch_begin(struct batch *batch, unsigned builtins) MUST_USE;

static inline const struct message *batch_message(const struct batch *batch, uint32_t row)
{
    return &batch->messages[batch->row_message ? batch->row_message[row] : row];
}

/* The headers of a message as JSON text, in place of what the buffer holds; empty when there are none. */
void batch_headers(const struct batch *batch, uint32_t message, struct buffer *text);

/* The field of that name (case counts), or NULL. */
struct field *batch_field(const struct batch *batch, struct str name);
/* The type of a field's values; source fields that nobody read yet have the type that reading would give. */
struct type batch_field_type(const struct field *field);
/* What to say behind "there is no field of that name": what became of it (see fields_gone), or "; did you mean \"x\"?" with the
 * nearest field, or nothing. */
enum { FIELD_SUGGESTION_MAX = 400 };
const char *batch_field_suggest(const struct batch *batch, struct str name, char text[FIELD_SUGGESTION_MAX]);
/* The field's column, made from the messages first if it is a source field that nobody read yet. NULL: the arena is full. */
struct column *batch_column(struct batch *batch, struct field *field) MUST_USE;
/* Adds or replaces a field; a new name goes to the end. The name is copied into the arena. False: arena full or too many
 * fields. */
bool batch_set(struct batch *batch, struct str name, struct column *column) MUST_USE;
bool batch_remove(struct batch *batch, struct str name);
/* Keeps the fields at these indexes only, in this order, each once. False: arena full. */
bool batch_select(struct batch *batch, const uint32_t *fields, uint32_t count) MUST_USE;
/* Gives a field another name, copied into the arena; the caller sees to it that names stay different. False: arena full. */
bool batch_rename(struct batch *batch, struct field *field, struct str name) MUST_USE;

/* The row cannot be handled: it becomes dirty, is dropped, or stops the batch, as the stage in hand says (WHEN_ERROR_NULL is the
 * caller's business: it writes NULL and does not call this). The row counts once, whatever is said of it later. Rows stay in the
 * selection until batch_sweep. The format makes the reason; column may be absent. */
void batch_fail(struct batch *batch, uint32_t row, struct str column, const char *format, ...) PRINTF_LIKE(4, 5);
/* The same, dirty whatever the stage's rule (row:dirty(reason)). */
void batch_dirty(struct batch *batch, uint32_t row, struct str column, struct str reason);
/* The row is left out on purpose and counted as filtered. */
void batch_drop(struct batch *batch, uint32_t row);
/* Takes the rows out of the selection that failed or were dropped since the last call. Every kernel's end, and a stage's, calls
 * it. */
void batch_sweep(struct batch *batch);
static inline bool batch_row_gone(const struct batch *batch, uint32_t row)
{
    return batch->gone_any && batch->gone[row];
}
/* Keeps the selected rows whose mask value is true and not NULL; the others are filtered. */
bool batch_keep(struct batch *batch, const struct column *mask, struct error *error) MUST_USE;
/* Replaces the rows by source[0..rows): row i is a copy of old row source[i] (ascending; all of them selected). Rows get indexes
 * that no other row of their record ever had, the same whenever the record is read. Selected rows that no source names are
 * counted as filtered. False: arena full. */
bool batch_expand(struct batch *batch, const uint32_t *source, uint32_t rows) MUST_USE;

#endif
