/* nested.h: JSON text into an ARRAY, MAP or STRUCT of the target, in wire form. Private to route/. The rules, with every case:
 * config/conversion.md. In short: an array becomes an ARRAY, an object a MAP or a STRUCT, nothing else does; what stands inside
 * converts as a JSON value does for a column of that type, and a map's keys as text does; null is NULL. A struct's members are
 * found by name without case: one that is missing is NULL, one that the type does not have or that comes twice is refused, as is
 * a map's key that comes twice or is NULL.
 * Ownership: a struct nested owns the memory that it works in; results are copied into the batch's arena.
 * Threads: the worker's. Bounds: NESTED_VALUES_MAX values and 8 MiB on the wire in one value; beyond it the value is refused. */
#ifndef LUADUCT_ROUTE_NESTED_H
#define LUADUCT_ROUTE_NESTED_H

#include "batch/convert.h"
#include "maxcompute/record.h"

enum { NESTED_VALUES_MAX = 1 << 19, NESTED_REASON_MAX = 512 };

struct nested;
struct nested *nested_new(struct convert *convert) MUST_USE; /* borrowed */
void nested_free(struct nested *nested);

/* CONVERT_FULL: the arena, or the machine's memory. On CONVERT_FAILED reason holds the end of a sentence that begins with the
 * text; valid until the next call. */
enum convert_status nested_convert(struct nested *nested, struct arena *arena, const struct mc_type *type, struct str text,
                                   struct wire_nested *value_out, const char **reason_out) MUST_USE;

#endif
