/* service_error.h: what the service says in an error body (protocol sections 2.6, 7.1). Nothing here trusts its input.
 * Ownership: plain values. Threads: any, no state. */
#ifndef LUADUCT_MAXCOMPUTE_SERVICE_ERROR_H
#define LUADUCT_MAXCOMPUTE_SERVICE_ERROR_H

#include "util/buffer.h"

struct service_error {
    char code[64];     /* "" when the body names none */
    char message[512]; /* one line: control characters became blanks; cut when it is longer */
    char request_id[80];
    int64_t hold_ms;   /* HoldClientMillis, or -1 */
};

/* Takes JSON and XML; from any other body the beginning becomes the message. */
void service_error_parse(struct service_error *error_out, struct str body);
/* Copies text into a fixed field: one line, cut between characters, control characters and bytes that are not UTF-8 replaced. */
void service_text_copy(char *field, size_t field_size, struct str text);

#endif
