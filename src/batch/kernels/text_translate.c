/* text_translate.c: characters for characters.
 * Method: a table for ASCII; the others stand in a list that is searched from its front, for people write a few of them. */
#include "batch/kernels/text_internal.h"

#include <stdlib.h>

#define GONE UINT32_MAX

struct text_translation {
    uint32_t ascii[128]; /* GONE: the character is taken out */
    size_t count;        /* of the characters beyond ASCII */
    uint32_t *from, *to;
    bool grows; /* a character may become one of more bytes */
};

/* The next character of *text, or GONE at its end. */
static uint32_t next(struct str *text)
{
    size_t width;
    uint32_t character;

    if (!text->size)
        return GONE;
    character = text_decode(text->data, &width);
    *text = str_make(text->data + width, text->size - width);
    return character;
}

static uint32_t translated(const struct text_translation *translation, uint32_t character)
{
    if (character < 128)
        return translation->ascii[character];
    for (size_t i = 0; i < translation->count; i++)
        if (translation->from[i] == character)
            return translation->to[i];
    return character;
}

bool text_translation_new(struct text_translation **translation_out, struct str from, struct str to, struct error *error)
{
    struct text_translation *translation;
    bool known[128] = {false};

    if (!str_is_utf8(from) || !str_is_utf8(to))
        return error_set(error, ERROR_CONFIG, "the characters are not valid UTF-8");
    translation = xcalloc(1, sizeof(*translation));
    translation->from = xcalloc(from.size + 1, sizeof(*translation->from));
    translation->to = xcalloc(from.size + 1, sizeof(*translation->to));
    for (uint32_t i = 0; i < 128; i++)
        translation->ascii[i] = i;
    while (from.size) {
        uint32_t character = next(&from), other = next(&to);
        char bytes[4];
        bool first = character < 128 ? !known[character] : translated(translation, character) == character;

        if (!first) /* said twice: the first one counts */
            continue;
        if (character < 128) {
            known[character] = true;
            translation->ascii[character] = other;
        } else {
            translation->from[translation->count] = character;
            translation->to[translation->count++] = other;
        }
        translation->grows |= other != GONE && text_encode(other, bytes) > text_encode(character, bytes);
    }
    *translation_out = translation;
    return true;
}

void text_translation_free(struct text_translation *translation)
{
    if (!translation)
        return;
    free(translation->from);
    free(translation->to);
    free(translation);
}

static const char *translate(struct text_row *row)
{
    const struct text_translation *translation = row->with;
    struct str text = row->text[0];
    size_t room = text.size;
    char *to;

    if (translation->grows) { /* at most one byte to four */
        if (text.size > TEXT_RESULT_MAX)
            return text_too_long;
        room = text.size * 4;
    }
    to = arena_try_alloc(row->arena, room);
    if (!to)
        return text_no_room;
    row->result = str_make(to, 0);
    while (text.size) {
        uint32_t character = translated(translation, next(&text));

        if (character != GONE)
            row->result.size += text_encode(character, to + row->result.size);
    }
    return row->result.size > TEXT_RESULT_MAX ? text_too_long : NULL;
}

bool text_translate(struct batch *batch, const struct text_translation *translation, struct operand a, struct str what,
                    struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = translate, .type = TYPE_STRING, .characters = true, .texts = {a}, .with = translation, .what = what};

    return text_run(batch, &call, column_out, error);
}
