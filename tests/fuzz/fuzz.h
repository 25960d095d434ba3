/* fuzz.h: what the harnesses share: an input cut into parts, and claims about the code that end the process when they do not
 * hold. A harness is one file that defines LLVMFuzzerTestOneInput; it keeps nothing from one input to the next that could change
 * what the next one does. Parts of an input are separated by the byte 0x1E, which stands in the dictionaries. */
#ifndef LUADUCT_TESTS_FUZZ_FUZZ_H
#define LUADUCT_TESTS_FUZZ_FUZZ_H

#include "util/buffer.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_SEPARATOR '\x1E'

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is kept by libFuzzer as crash-HASH. */
#define FUZZ_CLAIM(condition, ...)                                                                                               \
    do {                                                                                                                         \
        if (UNLIKELY(!(condition))) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s: ", __FILE__, __LINE__, #condition);                                       \
            fprintf(stderr, __VA_ARGS__);                                                                                        \
            fputc('\n', stderr);                                                                                                 \
            abort();                                                                                                             \
        }                                                                                                                        \
    } while (0)

/* The next part of the input; false when there is none left. */
static inline bool fuzz_part(struct str *rest, struct str *part_out)
{
    if (!rest->data)
        return false;
    (void)str_cut(*rest, FUZZ_SEPARATOR, part_out, rest);
    return true;
}

/* A copy in a block of its own size, so that a byte read beyond it is found. free() its data. */
static inline struct str fuzz_copy(struct str text)
{
    char *copy = xmalloc(text.size ? text.size : 1);

    if (text.size)
        memcpy(copy, text.data, text.size);
    return str_make(copy, text.size);
}

/* What is printed for people: one line of UTF-8 without control characters. */
static inline void fuzz_claim_line(const char *what, const char *text)
{
    FUZZ_CLAIM(str_is_utf8(str_of(text)), "%s is no UTF-8: %s", what, text);
    for (const char *c = text; *c; c++)
        FUZZ_CLAIM((unsigned char)*c >= 0x20, "%s has a control character: %s", what, text);
}

#endif
