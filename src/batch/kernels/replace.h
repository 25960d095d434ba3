/* replace.h: the kernel of the stage kind replace: one rule over one text column (behaviour.md section 3).
 * find and with as people write them. Literal: \t \n \r \\ and \uXXXX count on both sides. Regex: PCRE2 (regex.h), and in `with`
 * $1,
 * ${1}, ${name}, $0 and $$ beside those escapes. All matches are replaced.
 * Ownership: a replacer copies its options; columns live in the batch's arena. Threads: one at a time.
 * Errors: of options, CONFIG, one for each of find and with. Of a row: a text that is not UTF-8, a pattern that takes too long, a
 * result beyond TEXT_RESULT_MAX. NULL stays NULL. */
#ifndef LUADUCT_BATCH_KERNELS_REPLACE_H
#define LUADUCT_BATCH_KERNELS_REPLACE_H

#include "batch/batch.h"

struct replace_options {
    struct str find, with;
    bool regex;
    bool case_sensitive;
};

struct replace_mistakes {
    struct error find, with; /* kind NONE: right */
    ptrdiff_t find_at, with_at; /* the byte at which they are wrong; -1: all of the text is */
};

struct replacer;

bool replacer_new(struct replacer **replacer_out, const struct replace_options *options,
                  struct replace_mistakes *mistakes) MUST_USE;
void replacer_free(struct replacer *replacer);
/* field: how messages call the column. False: it is no text, or the arena is full. */
bool replacer_run(struct replacer *replacer, struct batch *batch, const struct column *column, struct str field,
                  struct column **column_out, struct error *error) MUST_USE;

#endif
