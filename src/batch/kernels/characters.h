/* characters.h: characters as people see them (Unicode's extended grapheme clusters, UAX #29) in valid UTF-8: an accent stays
 * with its letter, an emoji with its skin tone, a flag with its other half. The breaks are utf8proc's; an ASCII character
 * followed by another, or by nothing, is one by itself, CR LF too, so that ASCII texts need no tables. Ownership: texts are
 * borrowed. Threads: any, no state. Errors: none; callers have checked the UTF-8. */
#ifndef LUADUCT_BATCH_KERNELS_CHARACTERS_H
#define LUADUCT_BATCH_KERNELS_CHARACTERS_H

#include "batch/kernels/text_internal.h"

static inline bool text_is_ascii(struct str text)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t bits = 0, word;
    size_t i = 0;

    for (; i + 8 <= text.size; i += 8) {
        memcpy(&word, text.data + i, 8);
        bits |= word;
    }
    if (text.size >= 8) { /* the last eight bytes, some of them once more */
        memcpy(&word, text.data + text.size - 8, 8);
        return !((bits | word) & high);
    }
    for (; i < text.size; i++)
        bits |= (unsigned char)text.data[i];
    return !(bits & high);
}

/* The code point at the beginning of text, which is not empty, and how many bytes it has. */
static inline int32_t code_point(struct str text, size_t *size_out)
{
    return (int32_t)text_decode(text.data, size_out);
}

size_t character_size_slow(struct str text);

/* Bytes of the character at the beginning of text, which is not empty. */
static inline size_t character_size(struct str text)
{
    if ((unsigned char)text.data[0] < 0x80 && (text.size == 1 || (unsigned char)text.data[1] < 0x80))
        return 1;
    return character_size_slow(text);
}

size_t character_count(struct str text);
/* Bytes of the first `count` characters, or of all when there are fewer. */
size_t characters_size(struct str text, size_t count);

#endif
