/* tree.c: looking into a value tree. */
#include "util/tree.h"

#include <stdlib.h>

void tree_free(struct tree_node *root)
{
    if (!root)
        return;
    for (size_t i = 0; i < root->count; i++) {
        if (root->kind == TREE_LIST) {
            tree_free(root->items[i]);
        } else if (root->kind == TREE_MAP) {
            free((char *)root->entries[i].key.data);
            tree_free(root->entries[i].value);
        }
    }
    free((char *)root->text.data);
    free((char *)root->written.data);
    free((char *)root->raw.data);
    free(root->items);
    free(root->entries);
    free(root);
}

struct tree_node *tree_get(const struct tree_node *map, const char *key)
{
    if (!map || map->kind != TREE_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (str_is(map->entries[i].key, key))
            return map->entries[i].value;
    return NULL;
}

struct tree_node *tree_at(struct tree_node *root, const char *path, bool nearest)
{
    struct tree_node *node = root;

    while (node && *path) {
        struct tree_node *next = NULL;

        if (*path == '[') {
            char *end;
            unsigned long index = strtoul(path + 1, &end, 10);

            if (node->kind == TREE_LIST && index >= 1 && index <= node->count)
                next = node->items[index - 1];
            path = *end == ']' ? end + 1 : end + strlen(end);
        } else {
            size_t size;

            path += *path == '.';
            size = strcspn(path, ".[");
            for (size_t i = 0; node->kind == TREE_MAP && i < node->count; i++)
                if (str_equal(node->entries[i].key, str_make(path, size)))
                    next = node->entries[i].value;
            path += size;
        }
        if (!next)
            return nearest ? node : NULL;
        node = next;
    }
    return node;
}

bool tree_is_null(const struct tree_node *node)
{
    return node->kind == TREE_SCALAR && !node->quoted &&
           (node->text.size == 0 || str_is(node->text, "~") || str_is(node->text, "null"));
}
