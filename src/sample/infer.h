/* infer.h: what the documents of a sample look like, and the columns of a json stage that takes them without a dirty row.
 * Types: bigint for whole numbers of 64 bits; decimal for numbers with a point, with room for more digits; double where there are
 * exponents; boolean; date and timestamp for texts that are all such, strictly; decimal for texts that are all decimals with as
 * many digits behind the point; json for arrays, and for values that are now of one kind and now of another; else string.
 * Nested objects become columns of their own (a_b for $.a.b), unless there are too many keys, or the levels are too deep.
 * Ownership: infer_free frees all; documents are not kept. Threads: one.
 * Bounds: the enum below; what is beyond is told in the notes, never left out silently. */
#ifndef LUADUCT_SAMPLE_INFER_H
#define LUADUCT_SAMPLE_INFER_H

#include "util/buffer.h"

enum {
    INFER_COLUMNS_MAX = 1000,    /* a batch has 1,024 fields, six of them the source's */
    INFER_KEYS_MAX = 256,        /* of one nested object: more look like a map, whose keys are data */
    INFER_DEPTH_MAX = 16,        /* levels of objects */
    INFER_REQUIRED_RECORDS = 20, /* before this many nothing is said about required: true */
};

struct infer;

struct infer_options {
    const char *field;  /* that holds the documents; "__value__" need not be said in the stage */
    const char *source; /* the sample's path, for the comment */
    bool has_zone;      /* the job has a time zone: date-times without an offset are points in time */
};

struct infer *infer_new(void) MUST_USE;
void infer_free(struct infer *infer);
/* One record's document; data NULL: there is none. */
void infer_add(struct infer *infer, struct str document);
/* Records that were objects, or arrays; 0: there is nothing to propose, for there were none or they are all empty. */
size_t infer_documents(const struct infer *infer);
/* The keys of the stage as they are pasted into a job below its kind, each column with a comment. */
void infer_print(struct infer *infer, const struct infer_options *options, struct buffer *yaml);
void infer_print_json(struct infer *infer, const struct infer_options *options, struct buffer *json);

#endif
