/* text_find.c: finding a text in texts, and what is made of that.
 * Method: by bytes, first and last of what is sought, sixteen places at a time where the machine can; short texts go byte by
 * byte, which no call of memmem beats. Long needles go to memmem, whose time is linear. Without regard to case: a table says
 * which bytes can begin a match, then characters are folded one by one. Needles without case (digits, CJK) go by bytes whatever
 * was asked. */
#include "batch/kernels/text_internal.h"

#include <stdlib.h>
#include <utf8proc.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { NEEDLE_MAX = 64 };

#ifdef __SSE2__
/* The needle at one of the places (a bit each) from `at` on, or NULL. */
static inline const char *check_places(const char *at, __m128i heads, __m128i tails, struct str needle)
{
    unsigned places = (unsigned)_mm_movemask_epi8(_mm_and_si128(heads, tails));

    for (; UNLIKELY(places); places &= places - 1) {
        const char *place = at + __builtin_ctz(places);

        if (memcmp(place + 1, needle.data + 1, needle.size - 1) == 0)
            return place;
    }
    return NULL;
}
#endif

static const char *find_bytes(const char *from, const char *end, struct str needle)
{
    const char *last;

    if ((size_t)(end - from) < needle.size)
        return NULL;
    if (needle.size == 1)
        return memchr(from, needle.data[0], (size_t)(end - from));
    if (needle.size > NEEDLE_MAX)
        return memmem(from, (size_t)(end - from), needle.data, needle.size);
    last = end - needle.size;
#ifdef __SSE2__
    if (last - from >= 7) {
        const __m128i head = _mm_set1_epi8(needle.data[0]), tail = _mm_set1_epi8(needle.data[needle.size - 1]);
        const size_t behind = needle.size - 1;
        const char *found;

        for (; last - from >= 15; from += 16) {
            found = check_places(from, _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)from), head),
                                 _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(from + behind)), tail), needle);
            if (found)
                return found;
        }
        /* Eight by eight; some of the last may have been looked at already. Only the low eight count: the others are no places.
         */
        while (from <= last) {
            const char *at = last - from >= 7 ? from : last - 7;
            __m128i heads = _mm_cmpeq_epi8(_mm_loadl_epi64((const __m128i *)at), head);
            __m128i tails = _mm_cmpeq_epi8(_mm_loadl_epi64((const __m128i *)(at + behind)), tail);

            found = check_places(at, _mm_move_epi64(heads), tails, needle);
            if (found)
                return found;
            from = at + 8;
        }
        return NULL;
    }
#endif
    for (; from <= last; from++)
        if (from[0] == needle.data[0] && from[needle.size - 1] == needle.data[needle.size - 1] &&
            memcmp(from + 1, needle.data + 1, needle.size - 1) == 0)
            return from;
    return NULL;
}

/* Characters that fold to another one which knows nothing of them: it is not their lower case's upper case. */
static const uint16_t odd_characters[] = {
    0xB5,   0x17F,  0x345,  0x3C2,  0x3D0,  0x3D1,  0x3D5,  0x3D6,  0x3F0,  0x3F1,  0x3F4,  0x3F5,  0x1C80, 0x1C81,
    0x1C82, 0x1C83, 0x1C84, 0x1C85, 0x1C86, 0x1C87, 0x1C88, 0x1E9B, 0x1E9E, 0x1FBE, 0x2126, 0x212A, 0x212B,
};

/* All characters that fold like this folded one, itself among them. */
enum { SAME_MAX = COUNT_OF(odd_characters) + 3 };
static size_t same_characters(uint32_t folded, uint32_t same[SAME_MAX])
{
    uint32_t others[2] = {
        (uint32_t)utf8proc_toupper((utf8proc_int32_t)folded),
        (uint32_t)utf8proc_totitle((utf8proc_int32_t)folded),
    };
    size_t count = 0;

    same[count++] = folded;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (others[i] != folded && text_fold(others[i]) == folded)
            same[count++] = others[i];
    for (size_t i = 0; i < COUNT_OF(odd_characters); i++)
        if (odd_characters[i] != folded && text_fold(odd_characters[i]) == folded)
            same[count++] = odd_characters[i];
    return count;
}

void text_finder_init(struct text_finder *finder, struct str needle, bool case_sensitive)
{
    uint32_t same[SAME_MAX];
    bool has_case = false;
    size_t width;

    assert(needle.size);
    *finder = (struct text_finder){.needle = needle};
    if (case_sensitive)
        return;
    finder->folded = xcalloc(needle.size, sizeof(*finder->folded));
    for (size_t at = 0; at < needle.size; at += width) {
        uint32_t c = text_decode(needle.data + at, &width), folded = text_fold(c);

        finder->folded[finder->folded_count++] = folded;
        has_case |= same_characters(folded, same) > 1;
    }
    if (!has_case) {
        text_finder_release(finder);
        return;
    }
    for (size_t i = same_characters(finder->folded[0], same); i-- > 0;) {
        char bytes[4];

        text_encode(same[i], bytes);
        finder->starts[(unsigned char)bytes[0]] = 1;
    }
}

void text_finder_release(struct text_finder *finder)
{
    free(finder->folded);
    finder->folded = NULL;
    finder->folded_count = 0;
}

/* Where the match that begins here ends, or NULL. */
static const char *match_folded(const struct text_finder *finder, const char *at, const char *end)
{
    for (size_t i = 0; i < finder->folded_count; i++) {
        size_t width;

        if (at == end || text_fold(text_decode(at, &width)) != finder->folded[i])
            return NULL;
        at += width;
    }
    return at;
}

const char *text_finder_next(const struct text_finder *finder, const char *from, const char *end, const char **end_out)
{
    if (!finder->folded) {
        const char *at = find_bytes(from, end, finder->needle);

        if (at)
            *end_out = at + finder->needle.size;
        return at;
    }
    for (; from < end; from++) {
        const char *behind;

        if (finder->starts[(unsigned char)*from] && (behind = match_folded(finder, from, end))) {
            *end_out = behind;
            return from;
        }
    }
    return NULL;
}

/* Twice over the text where something is found: once for the size. */
const char *text_replace_all(struct text_row *row, const struct text_finder *finder, struct str with)
{
    struct str text = row->text[0];
    const char *end = text.data + text.size, *from = text.data, *at, *why;
    size_t size = text.size;
    char *to;

    row->result = text;
    at = text_finder_next(finder, from, end, &from);
    if (LIKELY(!at))
        return NULL;
    for (; at; at = text_finder_next(finder, from, end, &from)) {
        size += with.size;
        size -= (size_t)(from - at);
        /* What stands behind may shrink the result again, but the operand is bounded, so that nothing overflows. */
        if (size > SIZE_MAX / 2)
            return text_too_long;
    }
    why = text_room(row, size, &to);
    if (why)
        return why;
    for (from = text.data;;) {
        const char *behind = end;
        size_t kept;

        at = text_finder_next(finder, from, end, &behind);
        kept = (size_t)((at ? at : end) - from);
        if (kept)
            memcpy(to, from, kept);
        to += kept;
        if (!at)
            return NULL;
        if (with.size)
            memcpy(to, with.data, with.size);
        to += with.size;
        from = behind;
    }
}

static const char *replace(struct text_row *row)
{
    struct text_finder finder;

    row->result = row->text[0];
    if (!row->text[1].size)
        return NULL;
    text_finder_init(&finder, row->text[1], true);
    return text_replace_all(row, &finder, row->text[2]);
}

bool text_replace(struct batch *batch, struct operand a, struct operand find, struct operand with, struct str what,
                  struct column **column_out, struct error *error)
{
    struct text_call call = {.operation = replace, .type = TYPE_STRING, .texts = {a, find, with}, .what = what};

    return text_run(batch, &call, column_out, error);
}

static const char *position(struct text_row *row)
{
    const char *start = row->text[0].data, *end = start + row->text[0].size, *from;
    struct str sought = row->text[1];
    int64_t first = row->number[0], nth = row->number[1];

    if (nth < 1)
        return "matches are counted from 1";
    if (first < 0)
        from = text_skip_back(start, end, -(uint64_t)first);
    else
        from = text_skip(start, end, first ? (uint64_t)first - 1 : 0);
    row->result_number = 0;
    for (;;) {
        const char *at = sought.size ? find_bytes(from, end, sought) : from;

        if (!at)
            return NULL;
        if (--nth == 0) {
            row->result_number = (int64_t)text_count(str_make(start, (size_t)(at - start))) + 1;
            return NULL;
        }
        if (at == end)
            return NULL;
        from = at + text_width((unsigned char)*at);
    }
}

bool text_position(struct batch *batch, struct operand a, struct operand sought, struct operand start, struct operand nth,
                   struct str what, struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = position,
        .type = TYPE_BIGINT,
        .characters = true,
        .texts = {a, sought},
        .numbers = {start, nth},
        .number_defaults = {1, 1},
        .what = what,
    };

    return text_run(batch, &call, column_out, error);
}

static const char *starts_with(struct text_row *row)
{
    row->result_truth = str_starts_with(row->text[0], row->text[1]);
    return NULL;
}

static const char *ends_with(struct text_row *row)
{
    struct str text = row->text[0], sought = row->text[1];

    row->result_truth = text.size >= sought.size && str_equal(str_make(text.data + text.size - sought.size, sought.size), sought);
    return NULL;
}

static const char *contains(struct text_row *row)
{
    struct str text = row->text[0], sought = row->text[1];

    row->result_truth = !sought.size || find_bytes(text.data, text.data + text.size, sought);
    return NULL;
}

bool text_tests(struct batch *batch, enum text_test test, struct operand a, struct operand sought, struct str what,
                struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = test == TEXT_STARTS_WITH ? starts_with
                     : test == TEXT_ENDS_WITH ? ends_with
                                              : contains,
        .type = TYPE_BOOLEAN,
        .texts = {a, sought},
        .what = what,
    };

    return text_run(batch, &call, column_out, error);
}
