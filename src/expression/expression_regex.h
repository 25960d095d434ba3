/* expression_regex.h: the regular expressions of `~`: PCRE2 with JIT, UTF-8, and a limit on matching.
 * Ownership: expression_regex_free. Threads: one owner at a time (match data inside).
 * Errors: a wrong pattern is kind CONFIG and says where in the pattern; a text that is not UTF-8, or whose matching takes longer
 * than the limit, makes its row fail. */
#ifndef LUADUCT_EXPRESSION_EXPRESSION_REGEX_H
#define LUADUCT_EXPRESSION_EXPRESSION_REGEX_H

#include "batch/kernels/operand.h"

struct expression_regex;

/* *offset_out: the byte of the pattern at which it goes wrong. */
bool expression_regex_new(struct expression_regex **regex_out, struct str pattern, size_t *offset_out,
                          struct error *error) MUST_USE;
void expression_regex_free(struct expression_regex *regex);
/* Whether the pattern occurs in the text; NULL for NULL. what: for reasons. */
bool expression_regex_run(struct expression_regex *regex, struct batch *batch, struct operand text, struct str what,
                          struct column **column_out, struct error *error) MUST_USE;

#endif
