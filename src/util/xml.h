/* xml.h: a small reader of XML documents, and what a text needs in order to stand in one.
 * The reader trusts no input: broken or half documents are told apart from absent elements.
 * Ownership: found parts borrow from the document. Threads: any, no state. */
#ifndef LUADUCT_UTIL_XML_H
#define LUADUCT_UTIL_XML_H

#include "util/buffer.h"

enum xml_result { XML_FOUND, XML_ABSENT, XML_BROKEN };
/* The first element at a path from the root, such as "Table/Schema": what stands between its tags, undecoded, and its attributes
 * (attributes may be NULL). */
enum xml_result xml_find(struct str document, const char *path, struct str *inner, struct str *attributes);
/* The characters of an element: CDATA and references are decoded, tags inside are left out. False when it is malformed. */
bool xml_text(struct str inner, struct buffer *text) MUST_USE;

/* Appends text as it may stand in an element or in an attribute between double quotes. What XML has no way to say (most control
 * characters) and what is no UTF-8 becomes U+FFFD. */
void xml_escape(struct buffer *xml, struct str text);
/* Appends a CDATA section with the bytes as they are; where the section would end early it is split over two. */
void xml_append_cdata(struct buffer *xml, struct str text);

#endif
