/* str.h: text as pointer and size, for messages hold zero bytes.
 * Ownership: a struct str borrows; who made the bytes says how long they live. data == NULL is "absent", which differs from
 * empty.
 * Threads: any, no locks. */
#ifndef LUADUCT_UTIL_STR_H
#define LUADUCT_UTIL_STR_H

#include "util/base.h"

struct str {
    const char *data;
    size_t size;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).size, (s).data ? (s).data : ""

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_make(const char *data, size_t size)
{
    return (struct str){data, size};
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
    return str_equal(a, str_of(text));
}

/* ASCII letters only; what the service compares without case (column and table names) is ASCII. */
bool str_equal_ignore_case(struct str a, struct str b);
bool str_starts_with(struct str text, struct str start);
struct str str_trim(struct str text);
/* A zero-terminated copy on the heap. */
char *str_dup(struct str text) MUST_USE;
/* Cuts at the first separator: *head gets what stands before it, *rest what follows; false (head = text, rest = NONE) without
 * one. */
bool str_cut(struct str text, char separator, struct str *head, struct str *rest);

/* Its first bytes, bytes_max at most and no half character, for messages. */
struct str str_head(struct str text, size_t bytes_max);

/* Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, nothing beyond U+10FFFF, shortest forms). */
bool str_is_utf8(struct str text);
/* The bytes of the well-formed UTF-8 character that begins the text, which is not empty; 0: there is none. */
size_t str_character_size(struct str text);

/* Strict base64: whole groups of four with padding, unused bits zero. bytes needs text.size / 4 * 3. */
bool str_decode_base64(struct str text, char *bytes, size_t *size_out) MUST_USE;

/* The candidate nearest to word by edit distance, without regard to case, or NULL when none is near enough to be worth
 * suggesting. */
const char *str_nearest(struct str word, const char *const *candidates, size_t count);

#endif
