/* json_get.h: one value out of a JSON text, by a path, as a column. For many values of one text a json extractor (json.h) is
 * quicker: this reads the text for each.
 * Values: of type string any scalar is its text (a number with the digits that it came with), an object or array its JSON text;
 * other types take what convert.h takes from JSON. From a path's first [*] on, all that it reaches becomes one JSON array. A
 * missing path and a JSON null give NULL. Duplicate names: the last one counts.
 * Ownership: json_getter_free; columns live in the batch's arena. Threads: one owner at a time (its memory for reading).
 * Errors: of paths, CONFIG; of a row (no JSON, a value that is not of the type) as text.h has them. */
#ifndef LUADUCT_BATCH_KERNELS_JSON_GET_H
#define LUADUCT_BATCH_KERNELS_JSON_GET_H

#include "batch/kernels/arithmetic.h"
#include "batch/time.h"

struct json_getter;

/* zone: of date-times without an offset; may be NULL. wrong_at: the byte of a refused path at which it is wrong; -1: all of
 * it. */
bool json_getter_new(struct json_getter **getter_out, struct str path, struct type type, const struct zone *zone,
                     ptrdiff_t *wrong_at, struct error *error) MUST_USE;
void json_getter_free(struct json_getter *getter);
/* a: string or json. */
bool json_get(struct json_getter *getter, struct batch *batch, struct operand a, struct str what, struct column **column_out,
              struct error *error) MUST_USE;
/* Whether there is a value, be it null; as boolean. */
bool json_exists(struct json_getter *getter, struct batch *batch, struct operand a, struct str what, struct column **column_out,
                 struct error *error) MUST_USE;

#endif
