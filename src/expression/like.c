/* like.c: `like` patterns, as pieces between the % signs.
 * Method: the first piece is held to the start, the last one to the end, each other is looked for behind the one before, which is
 * right because the earliest place leaves most room. Pieces without _ are compared and searched as bytes. Cost: a compare for
 * 'a%' and '%a', memmem for '%a%'. */
#include "expression/internal.h"

#include <stdlib.h>

struct piece {
    struct str bytes; /* _ as byte 0xFF, which no UTF-8 text holds */
    bool plain;       /* no _ in it */
};

enum { ANY_BYTE = 0xFF };

struct like {
    char *bytes;
    struct piece *pieces;
    size_t count; /* one more than there are % signs */
};

static size_t character_size(struct str text, size_t at)
{
    size_t size = 1;

    while (at + size < text.size && size < 4 && ((unsigned char)text.data[at + size] & 0xC0) == 0x80)
        size++;
    return size;
}

bool like_new(struct like **like_out, struct str pattern, struct str escape, struct error *error)
{
    struct like *like;
    size_t size = 0, start = 0;

    if (!escape.size || character_size(escape, 0) != escape.size)
        return error_set(error, ERROR_CONFIG, "the escape character must be one character");
    if (memchr(pattern.data, ANY_BYTE, pattern.size))
        return error_set(error, ERROR_CONFIG, "the pattern is not UTF-8 text");
    like = xcalloc(1, sizeof(*like));
    like->bytes = xmalloc(pattern.size + 1);
    like->pieces = xcalloc(pattern.size + 1, sizeof(*like->pieces));
    like->pieces[0].plain = true;
    for (size_t i = 0; i < pattern.size;) {
        struct str rest = str_make(pattern.data + i, pattern.size - i);
        struct piece *piece = &like->pieces[like->count];

        if (str_starts_with(rest, escape)) {
            i += escape.size;
            if (i == pattern.size) {
                like_free(like);
                return error_set(error, ERROR_CONFIG, "the pattern ends with its escape character \"%.*s\"; write it twice",
                                 STR_ARG(escape));
            }
        } else if (rest.data[0] == '%') {
            piece->bytes = str_make(like->bytes + start, size - start);
            start = size;
            like->pieces[++like->count].plain = true;
            i++;
            continue;
        } else if (rest.data[0] == '_') {
            like->bytes[size++] = (char)ANY_BYTE;
            piece->plain = false;
            i++;
            continue;
        }
        for (size_t left = character_size(pattern, i); left; left--)
            like->bytes[size++] = pattern.data[i++];
    }
    like->pieces[like->count++].bytes = str_make(like->bytes + start, size - start);
    *like_out = like;
    return true;
}

void like_free(struct like *like)
{
    if (!like)
        return;
    free(like->bytes);
    free(like->pieces);
    free(like);
}

/* Whether the piece stands at `at`; *end_out is where it ends. */
static bool piece_at(const struct piece *piece, struct str text, size_t at, size_t *end_out)
{
    struct str bytes = piece->bytes;

    if (piece->plain) {
        *end_out = at + bytes.size;
        return text.size - at >= bytes.size && (bytes.size == 0 || memcmp(text.data + at, bytes.data, bytes.size) == 0);
    }
    for (size_t i = 0; i < bytes.size; i++) {
        if (at >= text.size)
            return false;
        if ((unsigned char)bytes.data[i] == ANY_BYTE)
            at += character_size(text, at);
        else if (text.data[at++] != bytes.data[i])
            return false;
    }
    *end_out = at;
    return true;
}

/* The first place from `at` on where the piece stands. */
static bool piece_find(const struct piece *piece, struct str text, size_t at, size_t *end_out)
{
    if (piece->plain) {
        const char *found;

        if (!piece->bytes.size) {
            *end_out = at;
            return true;
        }
        found = at < text.size ? memmem(text.data + at, text.size - at, piece->bytes.data, piece->bytes.size) : NULL;
        if (found)
            *end_out = (size_t)(found - text.data) + piece->bytes.size;
        return found;
    }
    while (at < text.size) {
        if (piece_at(piece, text, at, end_out))
            return true;
        at += character_size(text, at);
    }
    return false;
}

/* Whether the piece is the end of the text, beginning at `at` or later. */
static bool piece_ends(const struct piece *piece, struct str text, size_t at)
{
    size_t end;

    if (piece->plain)
        return text.size - at >= piece->bytes.size && piece_at(piece, text, text.size - piece->bytes.size, &end);
    for (; at < text.size; at += character_size(text, at))
        if (piece_at(piece, text, at, &end) && end == text.size)
            return true;
    return false;
}

static bool like_matches(const struct like *like, struct str text)
{
    size_t at;

    if (!piece_at(&like->pieces[0], text, 0, &at))
        return false;
    if (like->count == 1)
        return at == text.size;
    for (size_t i = 1; i + 1 < like->count; i++)
        if (!piece_find(&like->pieces[i], text, at, &at))
            return false;
    return piece_ends(&like->pieces[like->count - 1], text, at);
}

bool like_run(const struct like *like, struct batch *batch, struct operand text, bool negated, struct column **column_out,
              struct error *error)
{
    struct column *column = operand_result(batch, TYPE_OF(TYPE_BOOLEAN), text, text);
    uint32_t mask = operand_mask(text);

    if (!column)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (!column_is_null(column, row) && operand_kind(text) != TYPE_NULL)
            column->boolean[row] = like_matches(like, text.column->text[row & mask]) != negated;
    }
    *column_out = column;
    return true;
}
