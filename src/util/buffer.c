/* buffer.c: doubling growth. */
#include "util/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buffer_init(struct buffer *buffer, size_t bytes_max)
{
    memset(buffer, 0, sizeof(*buffer));
    buffer->bytes_max = bytes_max;
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof(*buffer));
}

bool buffer_reserve_slow(struct buffer *buffer, size_t size)
{
    size_t needed, capacity;
    char *data;

    if (buffer->failed)
        return false;
    if (__builtin_add_overflow(buffer->size, size, &needed) || (buffer->bytes_max && needed > buffer->bytes_max)) {
        buffer->failed = true;
        return false;
    }
    capacity = size_max(needed, size_max(256, buffer->capacity + buffer->capacity / 2));
    if (buffer->bytes_max)
        capacity = size_min(capacity, buffer->bytes_max);
    data = buffer->bytes_max ? realloc(buffer->data, capacity) : xrealloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    int size;

    va_start(arguments, format);
    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, arguments);
    if (size >= 0 && buffer_reserve(buffer, (size_t)size + 1)) {
        vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
    va_end(arguments);
}

void buffer_append_json(struct buffer *buffer, struct str text)
{
    size_t plain = 0; /* start of the run that needs no escape */
    size_t i = 0;

    buffer_append_char(buffer, '"');
    while (i < text.size) {
        unsigned char c = (unsigned char)text.data[i];

        if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7F) {
            i++;
            continue;
        }
        if (c >= 0x80) {
            size_t size = str_character_size(str_make(text.data + i, text.size - i));

            if (size) {
                i += size;
                continue;
            }
        }
        buffer_append(buffer, text.data + plain, i - plain);
        switch (c) {
        case '"': buffer_append_str(buffer, STR("\\\"")); break;
        case '\\': buffer_append_str(buffer, STR("\\\\")); break;
        case '\n': buffer_append_str(buffer, STR("\\n")); break;
        case '\t': buffer_append_str(buffer, STR("\\t")); break;
        case '\r': buffer_append_str(buffer, STR("\\r")); break;
        default:
            if (c >= 0x80)
                buffer_append_str(buffer, STR("\\ufffd"));
            else
                buffer_print(buffer, "\\u%04x", c);
        }
        plain = ++i;
    }
    buffer_append(buffer, text.data + plain, i - plain);
    buffer_append_char(buffer, '"');
}

void buffer_append_base64(struct buffer *buffer, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.data;

    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t rest = bytes.size - i;
        uint32_t group = (uint32_t)p[i] << 16 | (rest > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (rest > 2 ? p[i + 2] : 0);
        char text[4] = {digits[group >> 18], digits[group >> 12 & 63], rest > 1 ? digits[group >> 6 & 63] : '=',
                        rest > 2 ? digits[group & 63] : '='};

        buffer_append(buffer, text, 4);
    }
}

void buffer_append_json_bytes(struct buffer *buffer, struct str bytes)
{
    if (!bytes.data) {
        buffer_append_str(buffer, STR("null"));
    } else if (str_is_utf8(bytes)) {
        buffer_append_json(buffer, bytes);
    } else {
        buffer_append_str(buffer, STR("{\"base64\":\""));
        buffer_append_base64(buffer, bytes);
        buffer_append_str(buffer, STR("\"}"));
    }
}

const char *buffer_text(struct buffer *buffer)
{
    if (!buffer_reserve(buffer, 1))
        return "";
    buffer->data[buffer->size] = '\0';
    return buffer->data;
}

char *buffer_take(struct buffer *buffer, size_t *size_out)
{
    char *data;

    if (size_out)
        *size_out = buffer->size;
    (void)buffer_text(buffer);
    data = buffer->data;
    buffer->data = NULL;
    buffer->size = buffer->capacity = 0;
    return data;
}
