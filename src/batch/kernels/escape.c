/* escape.c */
#include "batch/kernels/escape.h"

#include "batch/kernels/text_internal.h"

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \uXXXX at text[at]. */
static bool read_unit(struct str text, size_t at, uint32_t *unit_out)
{
    uint32_t unit = 0;

    if (at > text.size || text.size - at < 6 || text.data[at] != '\\' || text.data[at + 1] != 'u')
        return false;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = digit_of(text.data[i]);

        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
    }
    *unit_out = unit;
    return true;
}

bool escape_unicode(struct str text, size_t at, uint32_t *character_out, size_t *size_out)
{
    uint32_t low;

    *size_out = 0;
    if (!read_unit(text, at, character_out))
        return false;
    *size_out = 6;
    if (*character_out < 0xD800 || *character_out > 0xDFFF)
        return true;
    if (*character_out > 0xDBFF || !read_unit(text, at + 6, &low) || low < 0xDC00 || low > 0xDFFF)
        return false;
    *size_out = 12;
    *character_out = 0x10000 + ((*character_out - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

bool escape_read(struct str text, size_t *at, char bytes[4], size_t *size_out, struct error *error)
{
    static const char letters[] = "tnr\\", meanings[] = "\t\n\r\\";
    char letter = *at + 1 < text.size ? text.data[*at + 1] : '\0';
    const char *known = letter ? strchr(letters, letter) : NULL;
    uint32_t character;
    size_t size;

    if (known) {
        bytes[0] = meanings[known - letters];
        *size_out = 1;
        *at += 2;
        return true;
    }
    if (letter == 'u' && escape_unicode(text, *at, &character, &size)) {
        *size_out = text_encode(character, bytes);
        *at += size;
        return true;
    }
    if (letter == 'u' && size)
        return error_set(error, ERROR_CONFIG, "%.*s is half of a pair; both halves are wanted, such as \\ud83d\\ude00", 6,
                         text.data + *at);
    if (letter == 'u')
        return error_set(error, ERROR_CONFIG, "\\u wants four hexadecimal digits behind it, such as \\u533a");
    if (*at + 1 >= text.size)
        return error_set(error, ERROR_CONFIG, "a backslash stands at the end; write \\\\ for a backslash");
    return error_set(error, ERROR_CONFIG, "\\%.*s is no escape; there are \\t, \\n, \\r, \\uXXXX, and \\\\ for a backslash",
                     (int)size_min(text_width((unsigned char)letter), text.size - *at - 1), text.data + *at + 1);
}

bool escape_resolve(struct str text, char *room, size_t *size_out, size_t *wrong_at, struct error *error)
{
    size_t size = 0, at = 0;

    while (at < text.size) {
        size_t start = at, width;

        if (text.data[at] != '\\') {
            room[size++] = text.data[at++];
            continue;
        }
        *wrong_at = start;
        if (!escape_read(text, &at, room + size, &width, error))
            return error_wrap(error, "character %zu", text_count(str_make(text.data, start)) + 1);
        size += width;
    }
    *size_out = size;
    return true;
}
