/* json_syntax.c: texts by 16 bytes (by 8 where there is no SSE2), the rest byte by byte; nothing recurses. A short text costs
 * some 20 instructions, a character of three bytes some 10. */
#include "batch/kernels/json_syntax.h"

enum { DEPTH_MAX = 64 }; /* of nested values: a bit for each level */

/* To the first byte that is a quote, a backslash, a control character or not ASCII. */
static inline const char *skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
    while (end - p >= JSON_WIDE_BYTES) {
        unsigned mask = json_special_bytes(p);

        if (mask)
            return p + __builtin_ctz(mask);
        p += JSON_WIDE_BYTES;
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101);

    while (end - p >= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        /* May find something where nothing is, but not the other way round. */
        if ((word | (word - ones * ' ') | ((word ^ ones * '"') - ones) | ((word ^ ones * '\\') - ones)) & ones * 0x80)
            break;
        p += 8;
    }
#endif
    while (p < end && (signed char)*p >= ' ' && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Characters of two to four bytes by the table of RFC 3629; the place behind the last of them, or NULL. */
static const char *skip_characters(const char *text, const char *end)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left = (size_t)(end - text);

    while (left && *p >= 0x80) {
        size_t size;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        /* Most are of three bytes: all in one word. The bits of 0x200F tell short forms (none is set) and surrogates. */
        uint32_t word;

        if (LIKELY(left >= 4)) {
            memcpy(&word, p, 4);
            if ((word & 0xC0C0F0) == 0x8080E0 && (word & 0x200F) != 0 && (word & 0x200F) != 0x200D) {
                p += 3;
                left -= 3;
                continue;
            }
        }
#endif
        if (*p >= 0xE0 && *p < 0xF0) {
            if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (*p == 0xE0 && p[1] < 0xA0) ||
                (*p == 0xED && p[1] > 0x9F))
                return NULL;
            size = 3;
        } else if (*p >= 0xC2 && *p < 0xE0) {
            if (left < 2 || (p[1] & 0xC0) != 0x80)
                return NULL;
            size = 2;
        } else if (*p >= 0xF0 && *p < 0xF5) {
            if (left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80 ||
                (*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F))
                return NULL;
            size = 4;
        } else {
            return NULL;
        }
        p += size;
        left -= size;
    }
    return (const char *)p;
}

/* The digit with 0x10 added; 0 for what is no digit. */
static const uint8_t hex_digits[256] = {
    ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15, ['6'] = 0x16, ['7'] = 0x17,
    ['8'] = 0x18, ['9'] = 0x19, ['a'] = 0x1A, ['b'] = 0x1B, ['c'] = 0x1C, ['d'] = 0x1D, ['e'] = 0x1E, ['f'] = 0x1F,
    ['A'] = 0x1A, ['B'] = 0x1B, ['C'] = 0x1C, ['D'] = 0x1D, ['E'] = 0x1E, ['F'] = 0x1F,
};

/* Beyond 0xFFFF when not all four are digits. */
static inline unsigned hex_code(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned a = hex_digits[p[0]], b = hex_digits[p[1]], c = hex_digits[p[2]], d = hex_digits[p[3]];

    if (UNLIKELY(!(a & b & c & d & 0x10)))
        return UINT32_MAX;
    return (a & 15) << 12 | (b & 15) << 8 | (c & 15) << 4 | (d & 15);
}

/* From the backslash on. saved grows by the bytes that the escape takes beyond those that it stands for: always some. */
static const char *skip_escape(const char *p, const char *end, size_t *saved)
{
    size_t left = (size_t)(end - p);
    unsigned code, low;

    if (left < 2)
        return NULL;
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': *saved += 1; return p + 2;
    case 'u': break;
    default: return NULL;
    }
    if (left < 6)
        return NULL;
    code = hex_code(p + 2);
    if (code > 0xFFFF)
        return NULL;
    if ((code & 0xF800) != 0xD800) {
        *saved += code < 0x80 ? 5 : code < 0x800 ? 4 : 3;
        return p + 6;
    }
    if (code > 0xDBFF || left < 12 || p[6] != '\\' || p[7] != 'u')
        return NULL;
    low = hex_code(p + 8);
    if (low < 0xDC00 || low > 0xDFFF)
        return NULL;
    *saved += 8;
    return p + 12;
}

const char *json_skip_any_text(const char *p, const char *end, size_t *saved)
{
    for (;;) {
        p = skip_plain(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p + 1;
        if (*p == '\\')
            p = skip_escape(p, end, saved);
        else if ((unsigned char)*p >= 0x80)
            p = skip_characters(p, end);
        else
            return NULL;
        if (!p)
            return NULL;
    }
}

const char *json_pass_any_text(const char *p, const char *end)
{
    size_t saved = 0;

    return json_skip_any_text(p, end, &saved);
}

void json_decode_text(const char *p, const char *end, char *out)
{
    while (p < end) {
        unsigned code;

        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        p += 2;
        switch (p[-1]) {
        case 'b': *out++ = '\b'; continue;
        case 'f': *out++ = '\f'; continue;
        case 'n': *out++ = '\n'; continue;
        case 'r': *out++ = '\r'; continue;
        case 't': *out++ = '\t'; continue;
        case 'u': break;
        default: *out++ = p[-1]; continue;
        }
        code = hex_code(p);
        p += 4;
        if (code < 0x80) {
            *out++ = (char)code;
        } else if (code < 0x800) {
            *out++ = (char)(0xC0 | code >> 6);
            *out++ = (char)(0x80 | (code & 0x3F));
        } else if ((code & 0xF800) != 0xD800) {
            *out++ = (char)(0xE0 | code >> 12);
            *out++ = (char)(0x80 | (code >> 6 & 0x3F));
            *out++ = (char)(0x80 | (code & 0x3F));
        } else {
            code = 0x10000 + ((code & 0x3FF) << 10) + (hex_code(p + 2) & 0x3FF);
            p += 6;
            *out++ = (char)(0xF0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 0x3F));
            *out++ = (char)(0x80 | (code >> 6 & 0x3F));
            *out++ = (char)(0x80 | (code & 0x3F));
        }
    }
}

const char *json_skip_number(const char *p)
{
    p += *p == '-';
    if (!json_is_digit(*p))
        return NULL;
    if (*p++ != '0')
        while (json_is_digit(*p))
            p++;
    if (*p == '.') {
        if (!json_is_digit(*++p))
            return NULL;
        while (json_is_digit(*p))
            p++;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!json_is_digit(*p))
            return NULL;
        while (json_is_digit(*p))
            p++;
    }
    return p;
}

const char *json_skip_scalar(const char *p, const char *end)
{
    switch (*p) {
    case 't': return JSON_SKIP_WORD(p, end, "true");
    case 'f': return JSON_SKIP_WORD(p, end, "false");
    case 'n': return JSON_SKIP_WORD(p, end, "null");
    default: return json_skip_number(p);
    }
}

/* objects has a bit for each level that is open, the innermost one last: 1 for an object. */
const char *json_skip_nested(const char *p, const char *end)
{
    uint64_t objects = 0;
    unsigned depth = 0;

    for (;;) {
        if (objects & 1) {
            if (*p != '"')
                return NULL;
            p = json_pass_text(p + 1, end);
            if (!p)
                return NULL;
            p = json_skip_blank(p);
            if (*p++ != ':')
                return NULL;
            p = json_skip_blank(p);
        }
        if (LIKELY(*p == '"')) {
            p = json_pass_text(p + 1, end);
            if (UNLIKELY(!p))
                return NULL;
        } else if (*p == '{' || *p == '[') {
            if (depth++ == DEPTH_MAX)
                return NULL;
            objects = objects << 1 | (*p == '{');
            p = json_skip_blank(p + 1);
            if (*p != (objects & 1 ? '}' : ']'))
                continue;
        } else {
            p = json_skip_scalar(p, end);
            if (UNLIKELY(!p))
                return NULL;
        }
        p = json_skip_blank(p);
        while (*p != ',') {
            if (*p != (objects & 1 ? '}' : ']'))
                return NULL;
            p++;
            objects >>= 1;
            if (--depth == 0)
                return p;
            if (p == end)
                return NULL;
            p = json_skip_blank(p);
        }
        p = json_skip_blank(p + 1);
    }
}
