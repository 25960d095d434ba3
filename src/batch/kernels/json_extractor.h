/* json_extractor.h: what the parts of the extractor share; for json*.c and their tests only.
 * Ownership: all of it is the extractor's (json.h), columns and texts of a batch the arena's. Threads: the extractor's owner. */
#ifndef LUADUCT_BATCH_KERNELS_JSON_EXTRACTOR_H
#define LUADUCT_BATCH_KERNELS_JSON_EXTRACTOR_H

#include "batch/kernels/json_tree.h"
#include "util/buffer.h"

struct json_scan;

struct json_spec {
    struct str name;
    struct type type;
    bool required;
    bool has_default;
    union type_value default_value;
    char *default_memory;
    struct json_path *path;
    struct json_node *node;
    bool collect; /* the path has [*]: tail is what follows it */
    const struct json_step *tail;
    size_t tail_count;
    struct column *column; /* of the batch in hand */
};

/* The memory yyjson works in. It asks for one piece at a time (checked). */
struct json_block {
    char *data;
    size_t capacity;
    bool busy;
};

/* A failed element: its row does not exist before the expansion. */
struct json_pending {
    uint32_t row;
    struct str column, reason;
    struct json_pending *next;
};

struct json_extractor {
    struct str from, expand, rest;
    char *names; /* the memory of the three */
    const struct zone *zone;
    struct zone_cache zone_cache;
    struct json_spec *specs;
    size_t spec_count;
    size_t element_specs;
    struct json_path *expand_path;
    struct json_node *expand_node;
    struct json_tree record, element;
    struct json_scan *scan; /* the short way for plain documents; NULL where the paths or types do not allow it */
    bool accept_object, accept_array;
    yyjson_read_flag flags;
    bool exact; /* numbers are read as text */
    struct json_spec **decimals; /* the record's decimal columns */
    size_t decimal_count;

    struct json_block values;  /* of the document */
    struct json_block written; /* of yyjson's writer */
    yyjson_alc values_alc, written_alc;
    char *copy;
    size_t copy_capacity;
    struct buffer text;

    /* Of the batch, and the row, in hand. */
    struct batch *batch;
    struct str source;
    bool in_element;
    bool quiet; /* the row's fault is not told: the row goes on with NULLs */
    uint32_t row;
    bool row_failed;
    bool full; /* the arena or the machine has no more */
    uint32_t *element_source;
    uint32_t element_count, element_capacity;
    struct json_pending *pending, **pending_tail;
};

/* json_value.c */
const char *json_value_name(yyjson_val *value); /* "a string" */
/* The row cannot be handled. Rows of elements do not exist yet: what is said of them waits. */
void json_row_fail(struct json_extractor *x, struct str column, const char *format, ...) PRINTF_LIKE(3, 4);
void json_cell_null(struct json_extractor *x, struct json_spec *spec);
/* The value that the walk found for the column, or what stands for a missing one, into the row in hand. */
void json_store(struct json_extractor *x, struct json_spec *spec);
/* NULL, or why not. */
const char *json_parse_instant(struct json_extractor *x, struct str text, enum type_kind kind, struct instant *instant_out);
/* The default's text by the type's rules; NULL, or why not. */
const char *json_parse_default(struct json_extractor *x, struct json_spec *spec, struct str text);

/* json_text.c. Each appends JSON text, and is false when the machine has no memory. */
bool json_append_value(struct buffer *to, const yyjson_alc *memory, yyjson_val *value) MUST_USE;
/* What the steps reach from this value on, each with a comma in front unless it is the first behind one byte. */
bool json_append_reached(struct buffer *to, const yyjson_alc *memory, yyjson_val *value, const struct json_step *steps,
                         size_t count) MUST_USE;
/* One step to a member or an element, or NULL; of names that are there twice the last one counts. */
yyjson_val *json_step_into(yyjson_val *value, const struct json_step *step);
/* The same into the buffer `text` of the extractor. */
/* What no path took. */
void json_append_rest(struct json_extractor *x, const struct json_node *node, yyjson_val *value);
/* Moves the text that was gathered into the arena. */
struct str json_take_text(struct json_extractor *x);

#endif
