/* internal.h: what the kinds of decoders share, and the table that each of them is a row of. Threads: as decode.h says. */
#ifndef LUADUCT_DECODE_INTERNAL_H
#define LUADUCT_DECODE_INTERNAL_H

#include "decode/decode.h"

/* What a kind is opened from; mistakes are counted, and the first one becomes the error. */
struct decode_source {
    const struct job *job;
    const struct job_decode *options;
    const struct zone *zone;
    struct report *report;
    struct error *error;
    unsigned mistakes;
};

struct decode_kind {
    const char *name;
    /* The kind's own state; NULL when there was a mistake. */
    void *(*open)(struct decode_source *source);
    void (*close)(void *state); /* takes NULL */
    /* As decoder_run; the caller has set the batch's stage and rule and looks for a stop afterwards. */
    bool (*run)(void *state, struct batch *batch, struct error *error);
};

extern const struct decode_kind decode_text, decode_json_lines, decode_csv;

/* A mistake at an option of source.decode ("delimiter", "columns[2].type"). */
void decode_mistake(struct decode_source *source, const char *option, const char *format, ...) PRINTF_LIKE(3, 4);
/* Refuses a job whose source.fields leaves out what is decoded. */
void decode_need_field(struct decode_source *source, enum batch_builtin builtin);
/* Puts a column in place of a source field, which stays one. */
void decode_replace(struct batch *batch, enum batch_builtin builtin, struct column *column);
bool decode_full(struct error *error);
bool decode_too_many(struct error *error);
/* A larger array with the old one's first `used` elements; NULL when the arena is full. */
void *decode_grow(struct arena *arena, const void *old, size_t used, size_t capacity, size_t size) MUST_USE;

/* A row's value, as the source or charset_run left it, without a byte order mark. */
static inline struct str decode_value(const struct batch *batch, const struct column *column, uint32_t row)
{
    struct str value = column ? column->text[row] : batch_message(batch, row)->value;

    if (UNLIKELY(value.size >= 3 && memcmp(value.data, "\xEF\xBB\xBF", 3) == 0))
        value = str_make(value.data + 3, value.size - 3);
    return value;
}

/* charset.c: a character set to UTF-8, by the C library's iconv. */
struct charset;
/* name NULL: none, which gives NULL as a mistake does. */
struct charset *charset_open(struct decode_source *source, const char *name) MUST_USE;
void charset_free(struct charset *charset);
/* A source field of the selected rows becomes a column of valid UTF-8 without a byte order mark; rows for which that cannot be
 * are handed to batch_fail. The caller sweeps. NULL: the arena is full. */
struct column *charset_run(struct charset *charset, struct batch *batch, enum batch_builtin builtin) MUST_USE;

#endif
