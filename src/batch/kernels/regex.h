/* regex.h: Perl-compatible regular expressions (PCRE2) over texts and columns.
 * \d, \w and \s are ASCII unless the pattern begins with (*UCP); case goes by Unicode; \uXXXX works beside \x{XXXX}.
 * Ownership: a regex, and a template made for it, belong to who made them; texts are borrowed.
 * Threads: one at a time, for a regex holds its own memory for matching.
 * Bounds: no text makes it hang: a match has a limit of steps and of memory, and one value of CPU time (a second, and two for
 * each megabyte); beyond it fails, with the reason. No allocation per match.
 * Errors: of patterns and templates, kind CONFIG, "character 5 of the pattern: missing closing parenthesis". */
#ifndef LUADUCT_BATCH_KERNELS_REGEX_H
#define LUADUCT_BATCH_KERNELS_REGEX_H

#include "batch/kernels/arithmetic.h"

struct regex;

/* wrong_at: the byte of the pattern at which a refused one is wrong. */
bool regex_new(struct regex **regex_out, struct str pattern, bool case_sensitive, size_t *wrong_at, struct error *error) MUST_USE;
void regex_free(struct regex *regex);
/* How many groups the pattern has, and the number of the one with that name; 0: none has it. */
unsigned regex_group_count(const struct regex *regex);
unsigned regex_group_number(const struct regex *regex, struct str name);

/* A text at a time. text: UTF-8, for the caller has checked; it must live as long as its groups are asked for. */
enum regex_answer { REGEX_NO, REGEX_YES, REGEX_FAILED /* why is said */ };
enum regex_answer regex_match(struct regex *regex, struct str text, const char **why_out) MUST_USE;
/* Of the last match that answered yes; 0 is all of it. Absent when the group took no part. */
struct str regex_group(const struct regex *regex, unsigned number);

/* What a match becomes: text with $1, ${1}, ${name}, $0 for all of the match, and $$ for a dollar sign. A group that took no part
 * is empty. escapes: \t \n \r \\ and \uXXXX count as well. wrong_at: the byte of a refused one at which it is wrong. */
struct regex_template;
bool regex_template_new(struct regex_template **out, const struct regex *regex, struct str text, bool escapes, size_t *wrong_at,
                        struct error *error) MUST_USE;
void regex_template_free(struct regex_template *plan);

/* A column at a time, with operands, NULL and errors as in text.h; texts that are not UTF-8 fail their row. */
bool regex_test(struct batch *batch, struct regex *regex, struct operand a, struct str what, struct column **column_out,
                struct error *error) MUST_USE;
/* The group of the first match; NULL without a match and where the group took no part. */
bool regex_extract(struct batch *batch, struct regex *regex, unsigned group, struct operand a, struct str what,
                   struct column **column_out, struct error *error) MUST_USE;
/* All matches, as Perl's s///g: behind an empty match, the next one at the same place must not be empty. */
bool regex_replace(struct batch *batch, struct regex *regex, const struct regex_template *plan, struct operand a, struct str what,
                   struct column **column_out, struct error *error) MUST_USE;

#endif
