/* json_syntax.h: from one place of a JSON text to the next, checked; for json_scan.c.
 * The text ends at `end`, and the byte before it is a closing brace: what stops at a byte that it does not know stops there at
 * the latest and needs no end. Functions answer NULL for what is no JSON, and for nesting beyond 64.
 * Ownership: places in a borrowed text, nothing to release. Threads: any, no state. */
#ifndef LUADUCT_BATCH_KERNELS_JSON_SYNTAX_H
#define LUADUCT_BATCH_KERNELS_JSON_SYNTAX_H

#include "util/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { JSON_WIDE_BYTES = 16 }; /* of one comparison */

/* json_skip_text without its short way. */
const char *json_skip_any_text(const char *p, const char *end, size_t *saved);
const char *json_pass_any_text(const char *p, const char *end);
/* What json_skip_text has checked, without its quotes; out has room for the size without the saved bytes. */
void json_decode_text(const char *p, const char *end, char *out);
const char *json_skip_number(const char *p);
/* Anything but texts, arrays and objects. */
const char *json_skip_scalar(const char *p, const char *end);
/* An array or an object. */
const char *json_skip_nested(const char *p, const char *end);

static inline bool json_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *json_skip_blank(const char *p)
{
    if (LIKELY((unsigned char)*p > ' '))
        return p;
    while (json_is_blank(*p))
        p++;
    return p;
}

static inline bool json_is_digit(char c)
{
    return (unsigned)(unsigned char)c - '0' <= 9;
}

#ifdef __SSE2__
/* A bit for each of 16 bytes that is a quote, a backslash, a control character or not ASCII. */
static inline unsigned json_special_bytes(const char *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* As signed numbers the bytes from 0x80 on are below the blank too. */
    __m128i below = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
    __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i escapes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(below, _mm_or_si128(quotes, escapes)));
}
#endif

/* To a quote, or to a byte before which all is plain: bytes that stand for themselves. Never as far as the end. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
    for (; LIKELY(end - p > JSON_WIDE_BYTES); p += JSON_WIDE_BYTES) {
        unsigned mask = json_special_bytes(p);

        if (LIKELY(mask))
            return p + (unsigned)__builtin_ctz(mask);
    }
#endif
    return p;
}

/* From behind the opening quote to behind the closing one. saved grows by the bytes that escapes take beyond those that they
 * stand for: while it is 0 there are none. */
static inline const char *json_skip_text(const char *p, const char *end, size_t *saved)
{
    p = json_skip_plain(p, end);
    return LIKELY(*p == '"') ? p + 1 : json_skip_any_text(p, end, saved);
}

/* The same where nobody asks for saved. */
static inline const char *json_pass_text(const char *p, const char *end)
{
    p = json_skip_plain(p, end);
    return LIKELY(*p == '"') ? p + 1 : json_pass_any_text(p, end);
}

/* The word is a literal; something must follow it. */
#define JSON_SKIP_WORD(p, end, word) \
    ((size_t)((end) - (p)) >= sizeof(word) && memcmp(p, word, sizeof(word) - 1) == 0 ? (p) + sizeof(word) - 1 : NULL)

static inline const char *json_skip_value(const char *p, const char *end)
{
    if (*p == '"')
        return json_pass_text(p + 1, end);
    return *p == '{' || *p == '[' ? json_skip_nested(p, end) : json_skip_scalar(p, end);
}

#endif
