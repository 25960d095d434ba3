/* cell.h: what a case expects of one value, against the value, as its type says.
 *   Numbers and decimals are equal when the numbers are: 900 is 900.00. Times are equal when the points in time are, in the zone
 *   where a text names none. Texts and bytes are equal byte by byte; null differs from "". JSON, ARRAY, MAP and STRUCT are equal
 *   when the documents are, whatever the order of keys; a list or map, or a text in quotes that is JSON, is what is expected.
 * Values are those of the record stream (maxcompute/record.h), so that what is compared is what would be written.
 * Ownership: nothing is kept. Threads: one owner of a struct cells (the zone's cache, the arena). */
#ifndef LUADUCT_TESTING_CELL_H
#define LUADUCT_TESTING_CELL_H

#include "batch/convert.h"
#include "maxcompute/record.h"
#include "util/tree.h"

struct cells {
    struct convert convert; /* its zone is that of the job */
    struct arena arena;     /* scratch */
};

void cells_init(struct cells *cells, const struct zone *zone);
void cells_release(struct cells *cells);

/* Whether the value is what is expected. */
bool cell_matches(struct cells *cells, const struct tree_node *expected, const struct mc_type *type,
                  const struct record_value *value) MUST_USE;
/* For people: NULL, "text" in quotes, and everything else without. Of a value, and of what is expected for that type. */
void cell_print(struct cells *cells, const struct mc_type *type, const struct record_value *value, struct buffer *text);
void cell_print_expected(const struct mc_type *type, const struct tree_node *expected, struct buffer *text);

/* A YAML value as JSON text: what is in quotes is text; plain words are null, true, false, numbers (their digits kept) or text.
 */
void cell_tree_json(const struct tree_node *node, struct buffer *json);
/* Whether a plain scalar is a number of JSON. */
bool cell_is_number(const struct tree_node *node);

#endif
