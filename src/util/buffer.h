/* buffer.h: bytes that grow at the end, on the heap.
 * Ownership: the struct owns its bytes until buffer_take gives them away (free() them).
 * Bounds: bytes_max 0 means "as much as xmalloc gives" (control plane); else appending beyond it, or beyond the machine's memory,
 * sets `failed` and drops what does not fit: check once at the end. Threads: one owner at a time. */
#ifndef LUADUCT_UTIL_BUFFER_H
#define LUADUCT_UTIL_BUFFER_H

#include "util/str.h"

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
    size_t bytes_max;
    bool failed;
};

void buffer_init(struct buffer *buffer, size_t bytes_max);
void buffer_release(struct buffer *buffer);
static inline void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

/* Room for `size` more bytes at data + size; false when the limit forbids it. */
bool buffer_reserve_slow(struct buffer *buffer, size_t size);
static inline bool buffer_reserve(struct buffer *buffer, size_t size)
{
    return LIKELY(buffer->capacity - buffer->size >= size) || buffer_reserve_slow(buffer, size);
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size && buffer_reserve(buffer, size)) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    }
}

static inline void buffer_append_str(struct buffer *buffer, struct str text)
{
    buffer_append(buffer, text.data, text.size);
}

static inline void buffer_append_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

void buffer_print(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* As a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD: check first where they matter. */
void buffer_append_json(struct buffer *buffer, struct str text);
void buffer_append_base64(struct buffer *buffer, struct str bytes);
/* A JSON string when it is UTF-8, else {"base64":"..."}; null when absent. */
void buffer_append_json_bytes(struct buffer *buffer, struct str bytes);

static inline struct str buffer_str(const struct buffer *buffer)
{
    return str_make(buffer->data ? buffer->data : "", buffer->size);
}

/* Zero-terminated; belongs to the buffer. */
const char *buffer_text(struct buffer *buffer);
/* Gives the bytes away, zero-terminated, and leaves the buffer empty. */
char *buffer_take(struct buffer *buffer, size_t *size_out) MUST_USE;

#endif
