/* json_tree.c: each object on the way is passed once; a member's name is compared first with the wanted one that followed last
 * time, then looked up by hash, so that a member of a known order costs some ten instructions. */
#include "batch/kernels/json_tree.h"

#include <stdlib.h>

struct json_node *json_tree_add(struct json_tree *tree, struct json_node *parent)
{
    struct json_node *node = xcalloc(1, sizeof(*node));

    XGROW(tree->nodes, tree->count, tree->capacity);
    tree->nodes[tree->count++] = node;
    node->parent = parent;
    return node;
}

struct json_node *json_tree_child(struct json_tree *tree, struct json_node *parent, const struct json_step *step)
{
    struct json_node *node;
    uint32_t at = 0;

    if (step->kind == JSON_STEP_KEY) {
        char head[8] = {0};

        for (uint32_t i = 0; i < parent->name_count; i++)
            if (str_equal(parent->names[i]->key, step->key))
                return parent->names[i];
        node = json_tree_add(tree, parent);
        node->key = step->key;
        memcpy(head, step->key.data, size_min(step->key.size, 8));
        node->head = json_load_head(head);
        memset(head, 0, sizeof(head));
        memset(head, 0xFF, size_min(step->key.size, 8));
        node->head_mask = json_load_head(head);
        parent->names = xrealloc(parent->names, (parent->name_count + 1) * sizeof(struct json_node *));
        parent->names[parent->name_count++] = node;
        return node;
    }
    while (at < parent->item_count && parent->items[at]->index < step->index)
        at++;
    if (at < parent->item_count && parent->items[at]->index == step->index)
        return parent->items[at];
    node = json_tree_add(tree, parent);
    node->index = step->index;
    node->by_index = true;
    parent->items = xrealloc(parent->items, (parent->item_count + 1) * sizeof(struct json_node *));
    memmove(parent->items + at + 1, parent->items + at, (parent->item_count - at) * sizeof(struct json_node *));
    parent->items[at] = node;
    parent->item_count++;
    return node;
}

void json_tree_finish(struct json_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        struct json_node *node = tree->nodes[i];
        uint32_t buckets = 8;

        if (!node->name_count)
            continue;
        while (buckets < node->name_count * 4)
            buckets *= 2;
        node->buckets = xcalloc(buckets, sizeof(struct json_node *));
        node->bucket_mask = buckets - 1;
        for (uint32_t k = 0; k < node->name_count; k++) {
            struct json_node *child = node->names[k];
            struct json_node **bucket = &node->buckets[json_name_hash(child->key.data, child->key.size) & node->bucket_mask];

            child->next_in_bucket = *bucket;
            *bucket = child;
            child->follow = node->names[k + 1 < node->name_count ? k + 1 : 0];
        }
        node->first = node->names[0];
    }
}

void json_tree_release(struct json_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        free(tree->nodes[i]->names);
        free(tree->nodes[i]->items);
        free(tree->nodes[i]->buckets);
        free(tree->nodes[i]);
    }
    free(tree->nodes);
}

void json_tree_forget(struct json_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++)
        tree->nodes[i]->value = NULL;
}

void json_node_walk(struct json_node *node, yyjson_val *value)
{
    node->value = value;
    if (node->name_count && unsafe_yyjson_is_obj(value)) {
        size_t count = unsafe_yyjson_get_len(value);
        yyjson_val *name = unsafe_yyjson_get_first(value);
        struct json_node **guess = &node->first;
        bool below = false;

        for (size_t i = 0; i < count; i++) {
            yyjson_val *member = name + 1;
            const char *data = unsafe_yyjson_get_str(name);
            size_t size = unsafe_yyjson_get_len(name);
            struct json_node *child = *guess;

            if (UNLIKELY(!json_node_named(child, data, size))) {
                child = node->buckets[json_name_hash(data, size) & node->bucket_mask];
                while (child && !json_node_named(child, data, size))
                    child = child->next_in_bucket;
                if (child)
                    *guess = child;
            }
            if (child) {
                child->value = member; /* a later member of the same name replaces it */
                below |= child->name_count || child->item_count;
                guess = &child->follow;
            }
            name = unsafe_yyjson_get_next(member);
        }
        for (uint32_t i = 0; below && i < node->name_count; i++) {
            struct json_node *child = node->names[i];

            if (child->value && (child->name_count || child->item_count))
                json_node_walk(child, child->value);
        }
    } else if (node->item_count && unsafe_yyjson_is_arr(value)) {
        size_t count = unsafe_yyjson_get_len(value);
        yyjson_val *item = unsafe_yyjson_get_first(value);
        uint32_t next = 0;

        for (size_t i = 0; i < count && next < node->item_count; i++) {
            if (node->items[next]->index == i)
                json_node_walk(node->items[next++], item);
            item = unsafe_yyjson_get_next(item);
        }
    }
}
