/* service_error.h: what the service says in an error body (protocol sections 2.6, 7.1), and the small reader for its XML answers.
 * Nothing here trusts its input: broken or half documents are told apart from absent elements.
 * Ownership: found parts borrow from the document. Threads: any, no state. */
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

enum xml_result { XML_FOUND, XML_ABSENT, XML_BROKEN };
/* The first element at a path from the root, such as "Table/Schema": what stands between its tags, undecoded, and its attributes
 * (attributes may be NULL). */
enum xml_result xml_find(struct str document, const char *path, struct str *inner, struct str *attributes);
/* The characters of an element: CDATA and references are decoded, tags inside are left out. False when it is malformed. */
bool xml_text(struct str inner, struct buffer *text) MUST_USE;
/* Appends text as element content. */
void xml_escape(struct buffer *xml, struct str text);

#endif
