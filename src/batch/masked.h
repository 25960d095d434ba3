/* masked.h: the shape of a value for logs, which clear values must not reach: digits become 9, capitals A, small letters a,
 * letters without case U+4E2D (a Chinese one), pictures *, the rest stays. "Zhang 138-0013-8000" is "Aaaaa 999-9999-9999".
 * Ownership: results are in the caller's text. Threads: any, no state. */
#ifndef LUADUCT_BATCH_MASKED_H
#define LUADUCT_BATCH_MASKED_H

#include "batch/column.h"

enum { MASKED_CHARACTERS = 40, MASKED_MAX = MASKED_CHARACTERS * 4 + 16 }; /* room for quotes as well */

/* text: MASKED_MAX - 2 bytes. MASKED_CHARACTERS are shown; "..." behind says that there were more. Bytes that are not UTF-8
 * become ?. Returns the size. */
size_t masked_text(struct str value, char *text);
/* Texts in quotes, NULL, true and false as they are, binary as its size. */
struct str masked_value(const struct column *column, uint32_t row, char text[MASKED_MAX]);

#endif
