/* headers.h: the text of a message's headers, as __headers__ holds it: [["name","value"],...] in order. A value is text when it
 * is UTF-8, else its base64; null when the header has none. Ownership: the caller's buffer, empty before the first header.
 * Threads: any, no state. */
#ifndef LUADUCT_BATCH_HEADERS_H
#define LUADUCT_BATCH_HEADERS_H

#include "util/buffer.h"

void headers_append(struct buffer *text, struct str name, struct str value);
void headers_end(struct buffer *text); /* leaves it empty when there was none */

#endif
