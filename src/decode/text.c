/* text.c: kind text: the value, and the key if asked for, as UTF-8 from another character set. */
#include "decode/internal.h"

#include <stdlib.h>

struct text {
    struct charset *charset;
    bool key;
};

static void text_close(void *state)
{
    struct text *text = state;

    if (!text)
        return;
    charset_free(text->charset);
    free(text);
}

static void *text_open(struct decode_source *source)
{
    struct text *text = xcalloc(1, sizeof(*text));

    text->key = source->options->key;
    decode_need_field(source, BUILTIN_VALUE);
    if (text->key)
        decode_need_field(source, BUILTIN_KEY);
    text->charset = charset_open(source, source->options->charset ? source->options->charset : "utf-8");
    return text;
}

static bool text_run(void *state, struct batch *batch, struct error *error)
{
    static const enum batch_builtin fields[] = {BUILTIN_VALUE, BUILTIN_KEY};
    struct text *text = state;

    for (size_t i = 0; i < (text->key ? 2 : 1); i++) {
        struct column *column = charset_run(text->charset, batch, fields[i]);

        if (!column)
            return decode_full(error);
        decode_replace(batch, fields[i], column);
        batch_sweep(batch);
    }
    return true;
}

const struct decode_kind decode_text = {"text", text_open, text_close, text_run};
