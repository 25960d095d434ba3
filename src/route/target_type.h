/* target_type.h: what a target column's type asks of a value beyond the pipeline's type that is nearest to it: ranges, lengths,
 * UTF-8. Used for whole columns (mapping.c) and for what stands inside of arrays, maps and structs (nested.c).
 * Each check returns NULL or, as the end of a sentence that begins with the value, why not.
 * Ownership: plain values and constant texts. Threads: any, no state. Private to route/. */
#ifndef LUADUCT_ROUTE_TARGET_TYPE_H
#define LUADUCT_ROUTE_TARGET_TYPE_H

#include "batch/type.h"
#include "maxcompute/record.h"

#include <math.h>

enum { TEXT_BYTES_MAX = 8 * 1024 * 1024 }; /* of one value, as the service limits it */

/* The pipeline's type and the wire form of a target type; false for those that this release does not write: intervals, decimals
 * of more than 38 digits, maps whose keys are nested or JSON. Nested types are TYPE_JSON and WIRE_NESTED. */
bool target_type(const struct mc_type *target, struct type *type_out, enum wire_kind *wire_out) MUST_USE;

static inline bool target_type_is_nested(enum mc_kind kind)
{
    return kind == MC_ARRAY || kind == MC_MAP || kind == MC_STRUCT;
}

/* The service has no -2^63. */
static inline const char *target_integer_range(enum mc_kind kind, int64_t *least_out, int64_t *most_out)
{
    switch (kind) {
    case MC_TINYINT: *least_out = INT8_MIN, *most_out = INT8_MAX; return "is out of the range of TINYINT";
    case MC_SMALLINT: *least_out = INT16_MIN, *most_out = INT16_MAX; return "is out of the range of SMALLINT";
    case MC_INT: *least_out = INT32_MIN, *most_out = INT32_MAX; return "is out of the range of INT";
    default: *least_out = -INT64_MAX, *most_out = INT64_MAX; return "is out of the range of BIGINT";
    }
}

/* The nearest float. Rounding is what a FLOAT column means; a finite value that would become infinite or 0 does not fit. NaN and
 * the infinities are floats as they are. Half a step above FLT_MAX rounds up to infinity. */
static inline const char *target_float(double value, float *float_out)
{
    if (isfinite(value) && (fabs(value) >= 0x1.ffffffp127 || (value != 0 && (float)value == 0)))
        return "is out of the range of FLOAT";
    *float_out = (float)value;
    return NULL;
}

static inline int64_t target_milliseconds(struct instant instant)
{
    return instant.seconds * 1000 + instant.nanos / 1000000;
}

/* Whether the text has at most that many characters; it is valid UTF-8. */
static inline bool target_characters_fit(struct str text, unsigned characters_max)
{
    size_t count = 0;

    if (text.size <= characters_max)
        return true;
    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count <= characters_max;
}

/* Whether the text is valid UTF-8. Most texts are short and ASCII: for those a word that overlaps the last one saves the bytes
 * one by one. */
static inline bool target_is_text(struct str text)
{
    uint64_t any = 0, word;

    if (text.size < 8) {
        for (size_t i = 0; i < text.size; i++)
            any |= (unsigned char)text.data[i];
    } else {
        for (size_t i = 0; i + 8 < text.size; i += 8) {
            memcpy(&word, text.data + i, 8);
            any |= word;
        }
        memcpy(&word, text.data + text.size - 8, 8);
        any |= word;
    }
    return LIKELY(!(any & UINT64_C(0x8080808080808080))) || str_is_utf8(text);
}

/* utf8: not for BINARY. characters_max: of VARCHAR and CHAR, else UINT32_MAX. */
static inline bool target_text_fits(struct str text, bool utf8, unsigned characters_max)
{
    return LIKELY(text.size <= TEXT_BYTES_MAX) && LIKELY(!utf8 || target_is_text(text)) &&
           target_characters_fit(text, characters_max);
}

static inline const char *target_text(struct str text, bool utf8, unsigned characters_max)
{
    if (target_text_fits(text, utf8, characters_max))
        return NULL;
    if (text.size > TEXT_BYTES_MAX)
        return "and what follows has more than 8 MiB, the most that one value may have";
    return utf8 && !target_is_text(text) ? "is not valid UTF-8" : "has more characters than the column's type allows";
}

static inline unsigned target_characters_max(const struct mc_type *type)
{
    return type->kind == MC_VARCHAR || type->kind == MC_CHAR ? type->precision : UINT32_MAX;
}

#endif
