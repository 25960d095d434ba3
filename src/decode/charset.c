/* charset.c: one descriptor of the C library's iconv, used again for every record.
 * Cost: what is plain ASCII passes without a copy where the character set agrees with ASCII; the rest is converted into scratch
 * memory and copied into the arena at its exact size. UTF-8 is only looked at. */
#include "decode/internal.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "util/buffer.h"

/* shift_jis is what Windows calls so, as everywhere on the web: by the book its byte 0x5C would be a yen sign, which breaks every
 * JSON text with a backslash in it. */
static const struct known {
    const char *name, *library; /* library NULL: no conversion */
    bool ascii;                 /* bytes below 0x80 always stand for ASCII where no others are around */
} known[] = {
    {"utf-8", NULL, true},
    {"gbk", "GBK", true},
    {"gb18030", "GB18030", true},
    {"gb2312", "GB2312", true},
    {"big5", "BIG5", true},
    {"big5-hkscs", "BIG5-HKSCS", true},
    {"shift_jis", "CP932", true},
    {"cp932", "CP932", true},
    {"euc-jp", "EUC-JP", true},
    {"euc-kr", "EUC-KR", true},
    {"cp949", "CP949", true},
    {"utf-16le", "UTF-16LE", false},
    {"utf-16be", "UTF-16BE", false},
    {"utf-32le", "UTF-32LE", false},
    {"utf-32be", "UTF-32BE", false},
    {"ascii", "ASCII", true},
    {"latin1", "ISO-8859-1", true},
    {"iso-8859-1", "ISO-8859-1", true},
    {"iso-8859-15", "ISO-8859-15", true},
    {"windows-1251", "CP1251", true},
    {"windows-1252", "CP1252", true},
    {"koi8-r", "KOI8-R", true},
};

struct charset {
    const struct known *known;
    iconv_t handle; /* (iconv_t)-1: none */
    struct buffer text;
};

struct charset *charset_open(struct decode_source *source, const char *wanted)
{
    const char *names[COUNT_OF(known)], *near;
    struct charset *charset;
    size_t found = 0;

    if (!wanted)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        names[i] = known[i].name;
    while (found < COUNT_OF(known) && strcasecmp(wanted, known[found].name) != 0)
        found++;
    if (found == COUNT_OF(known)) {
        near = str_nearest(str_of(wanted), names, COUNT_OF(names));
        decode_mistake(source, "charset", "\"%.40s\" is not known; %s%s%s", wanted,
                       near ? "did you mean \""
                            : "those that are: utf-8, gbk, gb18030, big5, shift_jis, euc-kr, utf-16le, latin1 "
                              "and others that `luaduct help config` names",
                       near ? near : "", near ? "\"?" : "");
        return NULL;
    }
    charset = xcalloc(1, sizeof(*charset));
    buffer_init(&charset->text, (size_t)1 << 30);
    charset->known = &known[found];
    charset->handle = known[found].library ? iconv_open("UTF-8", known[found].library) : (iconv_t)-1;
    if (known[found].library && charset->handle == (iconv_t)-1) {
        decode_mistake(source, "charset", "this system's C library cannot convert %s: %s; are its gconv modules installed?",
                       known[found].name, strerror(errno));
        charset_free(charset);
        return NULL;
    }
    return charset;
}

void charset_free(struct charset *charset)
{
    if (!charset)
        return;
    if (charset->handle != (iconv_t)-1)
        iconv_close(charset->handle);
    buffer_release(&charset->text);
    free(charset);
}

static bool is_ascii(struct str text)
{
    const char *p = text.data, *end = p + text.size;
    uint64_t high = 0;

    for (; end - p >= 8; p += 8) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        high |= word;
    }
    for (; p < end; p++)
        high |= (uint64_t)(unsigned char)*p;
    return !(high & UINT64_C(0x8080808080808080));
}

/* The first byte that does not belong to well-formed UTF-8. */
static size_t utf8_fault(struct str text)
{
    size_t at = 0;

    while (at < text.size) {
        unsigned char c = (unsigned char)text.data[at];
        size_t width = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

        if (at + width > text.size || !str_is_utf8(str_make(text.data + at, width)))
            break;
        at += width;
    }
    return at;
}

enum outcome { CONVERTED, INVALID, NO_ROOM };

/* Into charset->text. fault_out: the byte at which it is invalid. */
static enum outcome convert_text(struct charset *charset, struct str text, size_t *fault_out)
{
    char *from = (char *)(uintptr_t)text.data; /* iconv does not write there */
    struct buffer *out = &charset->text;
    size_t left = text.size;
    bool ended = false;

    buffer_clear(out);
    iconv(charset->handle, NULL, NULL, NULL, NULL);
    for (;;) {
        size_t room, result;
        char *to;

        /* At least one character and what a stateful set has in hand at the end. */
        if (!buffer_reserve(out, left + left / 2 + 32))
            return NO_ROOM;
        to = out->data + out->size;
        room = out->capacity - out->size;
        result = ended ? iconv(charset->handle, NULL, NULL, &to, &room) : iconv(charset->handle, &from, &left, &to, &room);
        out->size = (size_t)(to - out->data);
        if (result == (size_t)-1 && errno != E2BIG) { /* EILSEQ, or EINVAL: cut in the middle of a character */
            *fault_out = (size_t)(from - text.data);
            return INVALID;
        }
        if (result != (size_t)-1 && ended)
            return CONVERTED;
        ended = result != (size_t)-1;
    }
}

static void fail(struct charset *charset, struct batch *batch, uint32_t row, enum batch_builtin builtin, struct str text,
                 size_t at)
{
    char bytes[32] = "";
    size_t size = 0;

    for (size_t i = at; i < text.size && i < at + 4; i++)
        size += (size_t)snprintf(bytes + size, sizeof(bytes) - size, "%s%02x", i > at ? " " : "", (unsigned char)text.data[i]);
    batch_fail(batch, row, str_of(batch_builtin_names[builtin]), "is no %s text: byte %zu of %zu (%s)", charset->known->name,
               at + 1, text.size, bytes);
}

struct column *charset_run(struct charset *charset, struct batch *batch, enum batch_builtin builtin)
{
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), batch->row_count, true);

    if (!column)
        return NULL;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const struct message *message = batch_message(batch, row);
        struct str text = builtin == BUILTIN_KEY ? message->key : message->value;
        size_t fault = 0;

        column->text[row] = text;
        column->null[row] = !text.data;
        if (!text.size)
            continue;
        if (charset->known->library && !(charset->known->ascii && is_ascii(text))) {
            enum outcome outcome = convert_text(charset, text, &fault);

            if (outcome == NO_ROOM)
                return NULL;
            if (outcome == INVALID) {
                fail(charset, batch, row, builtin, text, fault);
                continue;
            }
            column->text[row] = arena_try_copy(&batch->arena, buffer_str(&charset->text));
            if (!column->text[row].data)
                return NULL;
        } else if (!charset->known->library && !str_is_utf8(text)) {
            fail(charset, batch, row, builtin, text, utf8_fault(text));
            continue;
        }
        column->text[row] = decode_value(batch, column, row);
    }
    return column;
}
