/* tree.h: a value tree read from a YAML file, every node with its place, so that late checks point as well as early ones.
 * Ownership: the tree owns its nodes and texts; freed as a whole by tree_free on the root. Threads: any, read-only
 * after reading. */
#ifndef LUADUCT_UTIL_TREE_H
#define LUADUCT_UTIL_TREE_H

#include "util/location.h"
#include "util/str.h"

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_entry; /* key and value of a map, in file order */

struct tree_node {
    enum tree_kind kind;
    struct location at; /* of the value's first character */
    unsigned width;     /* characters that a caret line should underline, at least 1 */
    struct str text;    /* scalar: the text, with ${env:NAME} and ${file:PATH} resolved (job/resolve.h) */
    struct str written; /* scalar: what the file says where that differs from text; else absent. Messages quote this one. */
    struct str raw;     /* scalar: what stands in the file from `at` on, quotes and all, where that is not text itself */
    bool quoted;        /* scalar: quoted or block style, so it is text whatever it looks like */
    size_t count;
    struct tree_node **items;   /* list */
    struct tree_entry *entries; /* map */
};

struct tree_entry {
    struct str key;
    struct location at; /* of the key */
    struct tree_node *value;
};

void tree_free(struct tree_node *root);
/* The value of a key of a map, or NULL. */
struct tree_node *tree_get(const struct tree_node *map, const char *key);
/* A node by a path such as "columns[2].type" (indexes from 1, as Lua and people count); NULL when there is none. Stops at the
 * deepest node that exists when `nearest` is true. */
struct tree_node *tree_at(struct tree_node *root, const char *path, bool nearest);
/* Where `size` bytes of a scalar's text stand in its file, from byte `from` on: the width ends with the line. False: that is not
 * known, such as behind a reference. */
bool tree_place(const struct tree_node *node, size_t from, size_t size, struct location *at, unsigned *width) MUST_USE;
/* Whether a plain scalar means null in YAML's core schema ("", "~", "null"). */
bool tree_is_null(const struct tree_node *node);

#endif
