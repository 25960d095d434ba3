/* text_internal.h: what the text kernels share: the loop over rows, and steps through UTF-8.
 * An operation is a function of one row. The loop reads its operands, leaves out rows with NULL, fails those that are not UTF-8
 * where characters matter, and stores what the function gives. A call through a pointer a row costs some 2 ns; in return there is
 * one loop. */
#ifndef LUADUCT_BATCH_KERNELS_TEXT_INTERNAL_H
#define LUADUCT_BATCH_KERNELS_TEXT_INTERNAL_H

#include "batch/kernels/operand.h"
#include "batch/kernels/text.h"

enum { TEXT_TEXTS_MAX = 3, TEXT_NUMBERS_MAX = 2 };

/* One row: operands, then the result, in the member that the call's type says. */
struct text_row {
    struct arena *arena;
    const void *with; /* the call's */
    struct str text[TEXT_TEXTS_MAX];
    int64_t number[TEXT_NUMBERS_MAX];

    struct str result;
    int64_t result_number;
    bool result_truth;
    bool result_null; /* set by operations that can give NULL */
};

/* NULL, or why the row has no result. text_no_room: the arena is full. */
typedef const char *text_operation(struct text_row *row);
extern const char text_no_room[], text_too_long[], text_not_utf8[];

struct text_call {
    text_operation *operation;
    enum type_kind type;                  /* string, bigint or boolean */
    bool characters;                      /* texts must be UTF-8 */
    struct operand texts[TEXT_TEXTS_MAX]; /* those without a column: absent, which reads as STR_NONE */
    struct operand numbers[TEXT_NUMBERS_MAX];
    int64_t number_defaults[TEXT_NUMBERS_MAX]; /* for absent ones */
    const void *with;
    struct str what;
    struct str field; /* when given, dirty rows name it and their reasons leave out `what` */
};

bool text_run(struct batch *batch, const struct text_call *call, struct column **column_out, struct error *error) MUST_USE;

/* The call makes no sense: an operand of that type where `wanted` ("a text") should be. */
bool text_refuse(struct str what, struct operand operand, const char *wanted, struct error *error);
bool text_is_known_utf8(struct operand operand);

/* Room for a result, into row->result. */
const char *text_room(struct text_row *row, size_t size, char **room_out) MUST_USE;

/* Steps through valid UTF-8. */
static inline size_t text_width(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

static inline bool text_is_inner(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* Unicode's White_Space. */
static inline bool text_is_blank(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static inline uint32_t text_decode(const char *text, size_t *width_out)
{
    const unsigned char *p = (const unsigned char *)text;

    *width_out = text_width(p[0]);
    switch (*width_out) {
    case 1:
        return p[0];
    case 2:
        return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    case 3:
        return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    default:
        return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    }
}

/* All matches of the finder in text[0] become `with`. */
const char *text_replace_all(struct text_row *row, const struct text_finder *finder, struct str with) MUST_USE;
/* All matches of the pattern in text[0], by the template. */
struct regex;
struct regex_template;
const char *regex_replace_all(struct text_row *row, struct regex *regex, const struct regex_template *plan) MUST_USE;

size_t text_encode(uint32_t character, char bytes[4]);
/* Code points of it. */
size_t text_count(struct str text);
/* Where character number `count` (from 0) begins, or the end. */
const char *text_skip(const char *from, const char *end, uint64_t count);
/* The same from the end backwards: where the last `count` characters begin, or the start. */
const char *text_skip_back(const char *start, const char *end, uint64_t count);

#endif
