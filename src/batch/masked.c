/* masked.c */
#include "batch/masked.h"

#include <stdio.h>
#include <utf8proc.h>

#include "batch/convert.h"

static utf8proc_int32_t mask_character(utf8proc_int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
        return 'A';
    case UTF8PROC_CATEGORY_LL:
        return 'a';
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return 0x4E2D;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return '9';
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return '.';
    case UTF8PROC_CATEGORY_SO:
        return '*'; /* pictures tell as much as letters */
    default:
        return c;
    }
}

size_t masked_text(struct str value, char *text)
{
    size_t size = 0, at = 0;

    for (int shown = 0; at < value.size && shown < MASKED_CHARACTERS; shown++) {
        utf8proc_int32_t c;
        utf8proc_ssize_t width =
            utf8proc_iterate((const utf8proc_uint8_t *)value.data + at, (utf8proc_ssize_t)(value.size - at), &c);

        at += width > 0 ? (size_t)width : 1;
        size += (size_t)utf8proc_encode_char(width > 0 ? mask_character(c) : '?', (utf8proc_uint8_t *)text + size);
    }
    if (at < value.size) {
        memcpy(text + size, "...", 3);
        size += 3;
    }
    return size;
}

struct str masked_value(const struct column *column, uint32_t row, char text[MASKED_MAX])
{
    char clear[128];
    size_t size;

    if (column_is_null(column, row) || column->type.kind == TYPE_BOOLEAN)
        return convert_excerpt(column, row, clear); /* a constant */
    if (column->type.kind == TYPE_BINARY) {
        size = (size_t)snprintf(text, MASKED_MAX, "%zu bytes", column->text[row].size);
    } else if (type_is_text(column->type.kind)) {
        text[0] = '"';
        size = 1 + masked_text(column->text[row], text + 1);
        text[size++] = '"';
    } else {
        size = masked_text(convert_excerpt(column, row, clear), text);
    }
    return str_make(text, size);
}
