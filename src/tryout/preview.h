/* preview.h: one stage over a batch, with the rows that went in and what became of each.
 * A row that a stage made of another one (expansion) is known to belong to it: batch->row_source carries that through the stage.
 * Ownership: a preview owns its batch; all else in it lives in the batch's arena. Threads: one. */
#ifndef LUADUCT_TRYOUT_PREVIEW_H
#define LUADUCT_TRYOUT_PREVIEW_H

#include "stages/chain.h"
#include "tryout/value.h"

/* A row that came out, or became dirty on the way. */
struct preview_out {
    uint32_t in;                   /* index into ins */
    uint32_t row;                  /* of the batch; not with dirty */
    uint32_t index;                /* after expansion */
    const struct dirty_row *dirty; /* NULL: it came out */
};

/* A row that went in. */
struct preview_in {
    uint32_t row; /* as it was then */
    uint32_t message, index;
    size_t first, count; /* of outs; count 0: the stage left the row out */
};

struct preview {
    struct batch *batch;  /* as it is behind the stage */
    struct field *fields; /* as they were before it */
    uint32_t field_count;
    struct preview_in *ins;
    size_t in_count;
    struct preview_out *outs; /* in the order of ins; those that became dirty behind those that came out */
    size_t out_count;
    uint32_t earlier_filtered, earlier_dirty; /* by the stages before */
    uint32_t filtered, dirty, expanded;       /* by this one */
};

/* Runs a batch that has just begun through the stage `stage`, and before it, unless `alone`, through the decoder and the stages
 * in front of it. Takes the batch, also when it fails: then a stage stopped it, as it would stop the job. */
bool preview_run(struct preview *preview, struct chain *chain, struct batch *batch, size_t stage, bool alone,
                 struct error *error) MUST_USE;
void preview_release(struct preview *preview);

/* The values of a field before (of the in-row) and behind the stage (of the out-row). headers: room for texts of the value. */
void preview_value_in(const struct preview *preview, const struct field *field, const struct preview_in *in,
                      struct buffer *headers, struct value *value_out);
void preview_value_out(const struct preview *preview, const struct field *field, const struct preview_out *out,
                       struct buffer *headers, struct value *value_out);
bool preview_value_equal(const struct value *a, const struct value *b);
/* The field of that name as it was before the stage; NULL: there was none. */
const struct field *preview_field_in(const struct preview *preview, struct str name);
/* Whether it is a source field that the stage did not touch: hardly worth a column. */
bool preview_field_is_idle(const struct preview *preview, struct str name);

#endif
