/* json_tree.h: the paths of all columns as one tree, in which one walk over a document finds them all; for the extractor only.
 * Ownership: a tree owns its nodes; their names are borrowed from the paths, the values from the document in hand.
 * Threads: those of the extractor. */
#ifndef LUADUCT_BATCH_KERNELS_JSON_TREE_H
#define LUADUCT_BATCH_KERNELS_JSON_TREE_H

#include "batch/kernels/json_path.h"

#include <yyjson.h>

/* One step of the paths' tree. The value is that of the document in hand. */
struct json_node {
    yyjson_val *value;
    struct str key; /* borrowed from a path; reached by name */
    uint64_t head;  /* the first eight bytes of the name, and which bits of them count */
    uint64_t head_mask;
    uint32_t index; /* reached by index */
    bool by_index;
    bool taken; /* a path ends here: nothing of the value goes into the rest */

    struct json_node *parent;
    struct json_node **names; /* children reached by name, in the order of the columns */
    uint32_t name_count;
    struct json_node **items; /* children reached by index, ascending */
    uint32_t item_count;
    struct json_node **buckets; /* of the names; chained by next_in_bucket */
    uint32_t bucket_mask;
    struct json_node *next_in_bucket;
    struct json_node *first;  /* the wanted name that came first in the last object */
    struct json_node *follow; /* the wanted name that followed this one then */
};

struct json_tree {
    struct json_node **nodes; /* all of them; [0] is the root */
    uint32_t count, capacity;
};

static inline uint32_t json_name_hash(const char *data, size_t size)
{
    if (!size)
        return 0;
    return (uint32_t)size * 7 + (unsigned char)data[0] * 5 + (unsigned char)data[size - 1];
}

static inline uint64_t json_load_head(const char *data)
{
    uint64_t head;

    memcpy(&head, data, sizeof(head));
    return head;
}

/* A name of the document: at least eight bytes may be read there (the copy is padded). */
static inline bool json_node_named(const struct json_node *node, const char *data, size_t size)
{
    return node->key.size == size && ((json_load_head(data) ^ node->head) & node->head_mask) == 0 &&
           (size <= 8 || memcmp(data + 8, node->key.data + 8, size - 8) == 0);
}

struct json_node *json_tree_add(struct json_tree *tree, struct json_node *parent);
/* The node that the step reaches from the parent; a new one where there is none yet. */
struct json_node *json_tree_child(struct json_tree *tree, struct json_node *parent, const struct json_step *step);
/* After the last child: the tables that walks look into. */
void json_tree_finish(struct json_tree *tree);
void json_tree_release(struct json_tree *tree);
/* Before each walk. */
void json_tree_forget(struct json_tree *tree);
/* Finds the values of all nodes below this one. The depth is that of the paths, not of the document. */
void json_node_walk(struct json_node *node, yyjson_val *value);

#endif
