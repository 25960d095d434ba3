/* characters.c: see characters.h. */
#include "batch/kernels/characters.h"

#include <utf8proc.h>

size_t character_size_slow(struct str text)
{
    size_t size, next;
    utf8proc_int32_t state = 0, left = code_point(text, &size), right;

    while (size < text.size) {
        right = code_point(str_make(text.data + size, text.size - size), &next);
        if (utf8proc_grapheme_break_stateful(left, right, &state))
            break;
        left = right;
        size += next;
    }
    return size;
}

size_t character_count(struct str text)
{
    size_t count = 0;

    for (size_t at = 0; at < text.size; count++)
        at += character_size(str_make(text.data + at, text.size - at));
    return count;
}

size_t characters_size(struct str text, size_t count)
{
    size_t at = 0;

    for (; at < text.size && count; count--)
        at += character_size(str_make(text.data + at, text.size - at));
    return at;
}
