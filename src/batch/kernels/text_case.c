/* text_case.c: upper and lower case, and case folding.
 * Method: eight ASCII letters at a time; from the first other byte on a character at a time, by utf8proc's tables. */
#include "batch/kernels/text_internal.h"

#include <utf8proc.h>

static uint32_t upper(uint32_t c)
{
    /* utf8proc makes it a capital sharp s, which Unicode's simple mapping does not, and few fonts have. */
    return c == 0xDF ? c : (uint32_t)utf8proc_toupper((utf8proc_int32_t)c);
}

static uint32_t lower(uint32_t c)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

uint32_t text_fold(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    /* The i's of Turkish are letters of their own: folded by language only. */
    if (c == 0x130 || c == 0x131)
        return c;
    return (uint32_t)utf8proc_tolower(utf8proc_toupper((utf8proc_int32_t)c));
}

/* Letters from first to first + 25 get their other case; *other_out: whether there was a byte beyond ASCII. */
static size_t change_ascii(struct str text, char *to, unsigned char first)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t i = 0;

    for (; i + 8 <= text.size; i += 8) {
        uint64_t word, from_first, behind_last;

        memcpy(&word, text.data + i, 8);
        if (word & high)
            break;
        from_first = word + ones * (uint64_t)(0x80 - first);       /* the high bit is set where a byte is first or more */
        behind_last = word + ones * (uint64_t)(0x80 - first - 26); /* and here where it is behind the last */
        word ^= ((from_first & ~behind_last) & high) >> 2;
        memcpy(to + i, &word, 8);
    }
    for (; i < text.size && (unsigned char)text.data[i] < 0x80; i++) {
        unsigned char c = (unsigned char)text.data[i];

        to[i] = (char)(c ^ ((unsigned char)(c - first) < 26 ? 0x20 : 0));
    }
    return i;
}

static const char *change(struct text_row *row, unsigned char first, uint32_t (*map)(uint32_t))
{
    struct str text = row->text[0];
    char *to = arena_try_alloc(row->arena, text.size);
    const char *from, *end = text.data + text.size;
    size_t ascii, rest;

    if (!to)
        return text_no_room;
    ascii = change_ascii(text, to, first);
    row->result = str_make(to, text.size);
    if (LIKELY(ascii == text.size))
        return NULL;
    /* Two bytes may become three; no other character grows. */
    rest = text.size - ascii;
    if (rest > TEXT_RESULT_MAX)
        return text_too_long;
    from = to;
    to = arena_try_alloc(row->arena, ascii + rest + rest / 2);
    if (!to)
        return text_no_room;
    memcpy(to, from, ascii);
    row->result = str_make(to, ascii);
    for (from = text.data + ascii; from < end;) {
        size_t width;
        uint32_t c = text_decode(from, &width);

        from += width;
        row->result.size += text_encode(map(c), to + row->result.size);
    }
    return row->result.size > TEXT_RESULT_MAX ? text_too_long : NULL;
}

static const char *upper_row(struct text_row *row)
{
    return change(row, 'a', upper);
}

static const char *lower_row(struct text_row *row)
{
    return change(row, 'A', lower);
}

bool text_upper(struct batch *batch, struct operand a, struct str what, struct column **column_out, struct error *error)
{
    struct text_call call = {.operation = upper_row, .type = TYPE_STRING, .characters = true, .texts = {a}, .what = what};

    return text_run(batch, &call, column_out, error);
}

bool text_lower(struct batch *batch, struct operand a, struct str what, struct column **column_out, struct error *error)
{
    struct text_call call = {.operation = lower_row, .type = TYPE_STRING, .characters = true, .texts = {a}, .what = what};

    return text_run(batch, &call, column_out, error);
}

static const char *initcap(struct text_row *row)
{
    const char *from = row->text[0].data, *end = from + row->text[0].size;
    size_t size = row->text[0].size;
    bool inside = false; /* of a word */
    char *to;

    if (size > TEXT_RESULT_MAX)
        return text_too_long;
    to = arena_try_alloc(row->arena, size + size / 2); /* as above */
    if (!to)
        return text_no_room;
    row->result = str_make(to, 0);
    while (from < end) {
        size_t width;
        uint32_t c = text_decode(from, &width);

        from += width;
        row->result.size += text_encode(inside ? lower(c) : upper(c), to + row->result.size);
        inside = !text_is_blank(c);
    }
    return row->result.size > TEXT_RESULT_MAX ? text_too_long : NULL;
}

bool text_initcap(struct batch *batch, struct operand a, struct str what, struct column **column_out, struct error *error)
{
    struct text_call call = {.operation = initcap, .type = TYPE_STRING, .characters = true, .texts = {a}, .what = what};

    return text_run(batch, &call, column_out, error);
}
