/* json.h: the json stage's kernel: from a text column, by paths, into typed columns (behaviour.md section 3).
 * Ownership: a spec is built once per worker and owned by whoever built it; json_extract writes into the batch's arena.
 * Threads: a struct json_extractor belongs to one thread (it owns yyjson's memory).
 * Errors of a row go to batch_fail with the column; the batch's when_error NULL writes NULL instead, but not into a required
 * column, and not for a row that cannot be expanded. Exactness: integers keep 64 bits (beyond: the row fails), decimals keep
 * their digits (numbers are read as raw text where a decimal is asked). A JSON string is accepted for decimal, date and time
 * columns and parsed strictly; for bigint, double, boolean it is the wrong type. double takes any JSON number; bigint takes
 * numbers without fraction or exponent. string takes strings only; json takes any value as text, and `*` and object paths collect
 * as JSON text. binary takes a string in base64. Invalid UTF-8 in a document fails the row. */
#ifndef LUADUCT_BATCH_KERNELS_JSON_H
#define LUADUCT_BATCH_KERNELS_JSON_H

#include "batch/batch.h"
#include "batch/time.h"

struct json_path; /* compiled: $.a.b  $.a[0]  $['odd name']  $.list[*].x */

/* The error says at which character a path breaks, wrong_at at which byte. */
bool json_path_parse(struct json_path **path_out, struct str text, size_t *wrong_at, struct error *error) MUST_USE;
void json_path_free(struct json_path *path);

struct json_column {
    struct str name;
    struct str path;
    struct type type;
    bool required;        /* a missing or null value is an error */
    bool has_default;     /* used for a missing path, not for a null value */
    struct str default_text; /* parsed by the type's rules at json_extractor_new */
};

struct json_options {
    struct str from;   /* the field to parse */
    struct str expand; /* a path whose array becomes rows, or absent; column paths may then start with @ for the element */
    struct str rest;   /* the field that keeps what no path took, or absent */
    const struct json_column *columns;
    size_t column_count;
    const struct zone *zone; /* for date-times without an offset; may be NULL: then they fail */
};

struct json_extractor;

enum { JSON_MISTAKES_MAX = 16 }; /* more are not told */

struct json_mistake {
    size_t column;   /* its index; column_count: the options' own */
    const char *key; /* of the option, "type" */
    ptrdiff_t at;    /* the byte of its text that is wrong; -1: all of it */
    char text[400];
};

struct json_mistakes {
    size_t count;
    struct json_mistake list[JSON_MISTAKES_MAX];
};

/* Copies all it needs. False: options are wrong. */
bool json_extractor_new(struct json_extractor **extractor_out, const struct json_options *options,
                        struct json_mistakes *mistakes) MUST_USE;
void json_extractor_free(struct json_extractor *extractor);

/* Adds the columns to the batch. A NULL source value gives NULL everywhere (required: the row fails); a source value that is no
 * JSON object (or array, where paths start with [) fails the row. False only for faults of the batch: kind SCRIPT, there is no
 * such field or it is no text; kind DATA, the arena is full. */
bool json_extract(struct json_extractor *extractor, struct batch *batch, struct error *error) MUST_USE;
/* Adds the columns to a batch without rows that has no such field, so that what comes behind can be checked. */
bool json_extract_nothing(struct json_extractor *extractor, struct batch *batch, struct error *error) MUST_USE;

#endif
