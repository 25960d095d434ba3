/* lookup.h: a small table of a file, found by a key: what luaduct.lookup is made of.
 * Files: CSV with a head line, or JSON: an array of objects. A key that comes twice, a row without one, a value that does not
 * convert, bytes that are not UTF-8 are errors. An empty CSV field and a JSON null are NULL, but for string columns of CSV, which
 * keep "".
 * Ownership: a table owns its memory, which lookup_table_free frees; options and the text are borrowed for the call, columns
 * from the table. Threads: read-only once made. Units: bytes.
 * Errors: kind CONFIG, with file and line (of JSON: the element). */
#ifndef LUADUCT_BATCH_LOOKUP_H
#define LUADUCT_BATCH_LOOKUP_H

#include "batch/convert.h"
#include "util/buffer.h"

enum { LOOKUP_FIELDS_MAX = 256 };

struct lookup_value {
    struct str name;
    struct type type;
};

struct lookup_options {
    const char *name; /* how errors call the file */
    bool json;
    char separator; /* of CSV */
    struct str key;
    const struct lookup_value *values;
    size_t value_count; /* 1..LOOKUP_FIELDS_MAX */
    const struct zone *zone;
    size_t bytes_max; /* of the table, its text included */
};

struct lookup_table;

/* The content is taken on success and emptied on failure. */
bool lookup_table_new(struct lookup_table **table_out, struct buffer *content, const struct lookup_options *options,
                      struct error *error) MUST_USE;
void lookup_table_free(struct lookup_table *table);
uint32_t lookup_table_count(const struct lookup_table *table);
size_t lookup_table_bytes(const struct lookup_table *table);
/* The row of the key, or false. */
bool lookup_table_find(const struct lookup_table *table, struct str key, uint32_t *row_out) MUST_USE;
const struct column *lookup_table_column(const struct lookup_table *table, size_t value);

#endif
