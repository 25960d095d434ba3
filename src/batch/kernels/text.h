/* text.h: whole-column operations on texts. Characters are Unicode code points, counted from 1.
 * Each takes columns of the batch or constants (struct operand), works on the selected rows and makes a new column in the batch's
 * arena. An operand marked optional is left out as TEXT_NONE. `what` names the operation for reasons, such as "upper(city)".
 * Types: texts are string or json, the numbers bigint; anything else fails the call with a sentence that names the type (kind
 * SCRIPT: a cast is missing). A column of nothing but NULL goes everywhere.
 * NULL: a row with NULL in any operand gives NULL, except where said.
 * Errors of a row go to batch_fail, or make NULL where batch->when_error says so: bytes that are not UTF-8 where the operation
 * looks at characters, and results beyond TEXT_RESULT_MAX. The others (marked "bytes") take any bytes as they are. An arena that
 * is full is kind DATA. The result is known to be UTF-8 (column->utf8) where its operands are, or where the operation has looked.
 * Ownership: operands are borrowed; new columns live in the batch's arena, and their texts there or where an operand's do.
 * Threads: the batch's owner.
 * Sources of facts: Unicode 15's simple case mappings and foldings, through utf8proc. */
#ifndef LUADUCT_BATCH_KERNELS_TEXT_H
#define LUADUCT_BATCH_KERNELS_TEXT_H

#include "batch/kernels/arithmetic.h"

enum { TEXT_RESULT_MAX = 8 << 20 }; /* bytes of one value that an operation makes, as the target limits it */

#define TEXT_NONE ((struct operand){NULL, false})

/* One character for one: no final sigma, and sz stays as it is. */
bool text_upper(struct batch *batch, struct operand a, struct str what, struct column **column_out, struct error *error) MUST_USE;
bool text_lower(struct batch *batch, struct operand a, struct str what, struct column **column_out, struct error *error) MUST_USE;

/* The first letter of each word upper case, the others lower. Words stand between blanks and the like (White_Space). */
bool text_initcap(struct batch *batch, struct operand a, struct str what, struct column **column_out,
                  struct error *error) MUST_USE;

enum text_sides { TEXT_LEFT = 1, TEXT_RIGHT = 2, TEXT_BOTH = 3 };

/* characters: those to take off, in any order; optional: blanks, line breaks and controls as Unicode's White_Space has them. */
bool text_trim(struct batch *batch, struct operand a, struct operand characters, enum text_sides sides, struct str what,
               struct column **column_out, struct error *error) MUST_USE;
/* Code points, as bigint. */
bool text_length(struct batch *batch, struct operand a, struct str what, struct column **column_out,
                 struct error *error) MUST_USE;
/* length characters from number start on. start: 0 is the same as 1, -1 is the last character, before the first one gives "".
 * length: optional (to the end); 0 and less give "". */
bool text_substr(struct batch *batch, struct operand a, struct operand start, struct operand length, struct str what,
                 struct column **column_out, struct error *error) MUST_USE;
/* The first (TEXT_LEFT) or last (TEXT_RIGHT) count characters; 0 and less give "". */
bool text_part(struct batch *batch, struct operand a, struct operand count, enum text_sides side, struct str what,
               struct column **column_out, struct error *error) MUST_USE;
/* Made length characters long: cut at its end, or filled up at the side with fill, again and again. An empty fill fills nothing.
 * A length of 0 and less gives "". */
bool text_pad(struct batch *batch, struct operand a, struct operand length, struct operand fill, enum text_sides side,
              struct str what, struct column **column_out, struct error *error) MUST_USE;
/* By code points: marks that combine change their letter. */
bool text_reverse(struct batch *batch, struct operand a, struct str what, struct column **column_out,
                  struct error *error) MUST_USE;
/* Bytes. 0 times and less give "". */
bool text_repeat(struct batch *batch, struct operand a, struct operand times, struct str what, struct column **column_out,
                 struct error *error) MUST_USE;

/* Where sought begins in a, as bigint; 0: nowhere. start: optional, the character to begin at, negative from the end (the search
 * still goes forward). nth: optional, the which match, 1 and more; matches may overlap. An empty text is found at once. */
bool text_position(struct batch *batch, struct operand a, struct operand sought, struct operand start, struct operand nth,
                   struct str what, struct column **column_out, struct error *error) MUST_USE;
enum text_test { TEXT_STARTS_WITH, TEXT_ENDS_WITH, TEXT_CONTAINS };
/* Bytes; as boolean. */
bool text_tests(struct batch *batch, enum text_test test, struct operand a, struct operand sought, struct str what,
                struct column **column_out, struct error *error) MUST_USE;
/* Bytes. All that do not overlap, from the left; case counts. An empty text to find changes nothing. */
bool text_replace(struct batch *batch, struct operand a, struct operand find, struct operand with, struct str what,
                  struct column **column_out, struct error *error) MUST_USE;
/* Bytes. The index-th of the parts between separators, from 1, or from the end when negative; "" where there is none; 0 fails the
 * row. An empty separator: all is one part. */
bool text_split_part(struct batch *batch, struct operand a, struct operand separator, struct operand index, struct str what,
                     struct column **column_out, struct error *error) MUST_USE;
/* Bytes. The parts that are not NULL, with the separator between them; NULL only where the separator is. */
bool text_concat_ws(struct batch *batch, struct operand separator, const struct operand *parts, size_t count, struct str what,
                    struct column **column_out, struct error *error) MUST_USE;

/* SQL's LIKE: % is any number of characters, _ one; case counts. A pattern belongs to who made it, and to one thread at a time.
 */
struct text_pattern;

/* escape: the character that takes the meaning from %, _ and itself; 0: none. The error (kind CONFIG) says at which character the
 * pattern breaks, wrong_at at which byte. */
bool text_pattern_new(struct text_pattern **pattern_out, struct str pattern, uint32_t escape, size_t *wrong_at,
                      struct error *error) MUST_USE;
void text_pattern_free(struct text_pattern *pattern);
/* Bytes when the pattern has no _; as boolean. */
bool text_like(struct batch *batch, const struct text_pattern *pattern, struct operand a, struct str what,
               struct column **column_out, struct error *error) MUST_USE;

/* Characters for characters: each of `from` becomes the one at its place in `to`, and goes where `to` is shorter. Belongs to who
 * made it; read-only. The error is kind CONFIG. */
struct text_translation;

bool text_translation_new(struct text_translation **translation_out, struct str from, struct str to,
                          struct error *error) MUST_USE;
void text_translation_free(struct text_translation *translation);
bool text_translate(struct batch *batch, const struct text_translation *translation, struct operand a, struct str what,
                    struct column **column_out, struct error *error) MUST_USE;

/* A text to find again and again, in the ways of text_replace or without regard to case: two characters are the same when
 * Unicode's simple case folding says so. Forms of a character (composed or not, full width) stay different. */
struct text_finder {
    struct str needle; /* borrowed, not empty */
    uint32_t *folded;  /* owned; NULL: byte by byte, for case counts or the needle's characters have none */
    size_t folded_count;
    uint8_t starts[256]; /* with folded: whether a match can begin with that byte */
};

/* needle: UTF-8, and it must live as long as the finder. */
void text_finder_init(struct text_finder *finder, struct str needle, bool case_sensitive);
void text_finder_release(struct text_finder *finder);
/* The first match at or behind from, or NULL; *end_out is where it ends. Without regard to case the text must be UTF-8. */
const char *text_finder_next(const struct text_finder *finder, const char *from, const char *end, const char **end_out);

/* The character that stands for all that differ in case only. */
uint32_t text_fold(uint32_t character);

#endif
