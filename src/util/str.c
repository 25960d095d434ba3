/* str.c: comparisons, UTF-8 validation, nearest word. */
#include "util/str.h"

static inline unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool str_equal_ignore_case(struct str a, struct str b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower((unsigned char)a.data[i]) != lower((unsigned char)b.data[i]))
            return false;
    return true;
}

bool str_starts_with(struct str text, struct str start)
{
    return text.size >= start.size && (start.size == 0 || memcmp(text.data, start.data, start.size) == 0);
}

struct str str_trim(struct str text)
{
    while (text.size && strchr(" \t\r\n", text.data[0]) && text.data[0])
        text.data++, text.size--;
    while (text.size && strchr(" \t\r\n", text.data[text.size - 1]) && text.data[text.size - 1])
        text.size--;
    return text;
}

char *str_dup(struct str text)
{
    return xstrndup(text.data, text.size);
}

bool str_cut(struct str text, char separator, struct str *head, struct str *rest)
{
    const char *at = text.size ? memchr(text.data, separator, text.size) : NULL;

    if (!at) {
        *head = text;
        *rest = STR_NONE;
        return false;
    }
    *head = str_make(text.data, (size_t)(at - text.data));
    *rest = str_make(at + 1, text.size - head->size - 1);
    return true;
}

struct str str_head(struct str text, size_t bytes_max)
{
    if (text.size > bytes_max) {
        text.size = bytes_max;
        while (text.size && ((unsigned char)text.data[text.size] & 0xC0) == 0x80)
            text.size--;
    }
    return text;
}

bool str_is_utf8(struct str text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    const unsigned char *end;

    if (!text.size)
        return true; /* also where there are no bytes to point at */
    end = p + text.size;
    while (p < end) {
        /* Eight ASCII bytes at a time: nearly all text is. */
        while (end - p >= 8) {
            uint64_t word;

            memcpy(&word, p, 8);
            if (word & UINT64_C(0x8080808080808080))
                break;
            p += 8;
        }
        if (p == end)
            break;
        if (*p < 0x80) {
            p++;
        } else if (*p < 0xC2) {
            return false;
        } else if (*p < 0xE0) {
            if (end - p < 2 || (p[1] & 0xC0) != 0x80)
                return false;
            p += 2;
        } else if (*p < 0xF0) {
            if (end - p < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
                return false;
            if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F))
                return false;
            p += 3;
        } else if (*p < 0xF5) {
            if (end - p < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
                return false;
            if ((*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F))
                return false;
            p += 4;
        } else {
            return false;
        }
    }
    return true;
}

size_t str_character_size(struct str text)
{
    unsigned char c = (unsigned char)text.data[0];
    size_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

    return size <= text.size && str_is_utf8(str_make(text.data, size)) ? size : 0;
}

/* Optimal string alignment distance (a swap of neighbours counts one), bounded to short words. */
static size_t distance(struct str a, struct str b)
{
    size_t row[3][65];

    for (size_t j = 0; j <= b.size; j++)
        row[1][j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t *now = row[(i + 1) % 3], *before = row[i % 3], *earlier = row[(i + 2) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            unsigned char x = lower((unsigned char)a.data[i - 1]), y = lower((unsigned char)b.data[j - 1]);
            size_t best = before[j - 1] + (x != y);

            best = size_min(best, before[j] + 1);
            best = size_min(best, now[j - 1] + 1);
            if (i > 1 && j > 1 && x == lower((unsigned char)b.data[j - 2]) && lower((unsigned char)a.data[i - 2]) == y)
                best = size_min(best, earlier[j - 2] + 1);
            now[j] = best;
        }
    }
    return row[(a.size + 1) % 3][b.size];
}

const char *str_nearest(struct str word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;

    if (word.size > 64)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct str candidate = str_of(candidates[i]);
        size_t d;

        if (candidate.size > 64)
            continue;
        d = distance(word, candidate);
        if (d < nearest_distance && d <= 1 + size_max(word.size, candidate.size) / 4) {
            nearest = candidates[i];
            nearest_distance = d;
        }
    }
    return nearest;
}

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool str_decode_base64(struct str text, char *bytes, size_t *size_out)
{
    size_t size = 0, padding = 0;

    if (text.size % 4)
        return false;
    if (text.size && text.data[text.size - 1] == '=')
        padding = text.data[text.size - 2] == '=' ? 2 : 1;
    for (size_t i = 0; i < text.size; i += 4) {
        size_t missing = i + 4 == text.size ? padding : 0;
        uint32_t group = 0;

        for (size_t k = 0; k < 4; k++) {
            int digit = k >= 4 - missing ? 0 : base64_digit((unsigned char)text.data[i + k]);

            if (digit < 0)
                return false;
            group = group << 6 | (uint32_t)digit;
        }
        if (missing && group & ((1u << 8 * missing) - 1))
            return false;
        for (size_t k = 0; k < 3 - missing; k++)
            bytes[size++] = (char)(group >> (16 - 8 * k));
    }
    *size_out = size;
    return true;
}
