/* names.h: librdkafka's properties by name. Which there are, and which are for all clients, it tells in the table that it prints
 * for its documentation, and nowhere else; that table is read here, so that it is right for whichever version is linked.
 * Ownership: the table is the caller's, to free. Threads: any, no state. */
#ifndef LUADUCT_KAFKA_NAMES_H
#define LUADUCT_KAFKA_NAMES_H

#include "util/str.h"

/* The table, on the heap; NULL when there is no memory for it. */
char *kafka_names_table(size_t *size_out) MUST_USE;
/* Whether it has the property as one of every client, neither of consumers nor of producers alone. */
bool kafka_name_is_shared(struct str table, struct str name);
/* The nearest of all names, as the end of a sentence ("; did you mean ..."), or "". */
void kafka_name_hint(const char *name, char *text, size_t size);

#endif
