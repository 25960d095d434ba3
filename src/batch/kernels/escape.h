/* escape.h: the escapes in texts that people write in a job: \t \n \r \\ and \uXXXX, a pair of surrogates for one character.
 * Ownership: borrows; the caller gives the room. Threads: any, no state.
 * Errors: CONFIG, a sentence without the place: it is for the caller to say which character of what. */
#ifndef LUADUCT_BATCH_KERNELS_ESCAPE_H
#define LUADUCT_BATCH_KERNELS_ESCAPE_H

#include "util/error.h"
#include "util/str.h"

/* The character of \uXXXX (or of two, for a pair) at text[at]; *size_out: how much of the text that was. False with size 0: it is
 * no such escape; false with a size: four digits that are half a character. */
bool escape_unicode(struct str text, size_t at, uint32_t *character_out, size_t *size_out) MUST_USE;
/* Reads the escape at text[*at], which is a backslash, and moves *at behind it. */
bool escape_read(struct str text, size_t *at, char bytes[4], size_t *size_out, struct error *error) MUST_USE;
/* All of a text into room of its own size at least. wrong_at: the byte of a refused one at which it is wrong; the error begins
 * "character N: ". */
bool escape_resolve(struct str text, char *room, size_t *size_out, size_t *wrong_at, struct error *error) MUST_USE;

#endif
