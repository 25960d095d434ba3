/* json_text.c: values as JSON text, as it is collected by [*] and kept in the rest. Texts are put together in one buffer and
 * copied once into the arena. */
#include "batch/kernels/json_extractor.h"

void json_append_value(struct json_extractor *x, yyjson_val *value)
{
    switch (unsafe_yyjson_get_type(value)) {
    case YYJSON_TYPE_RAW: buffer_append(&x->text, unsafe_yyjson_get_raw(value), unsafe_yyjson_get_len(value)); break;
    case YYJSON_TYPE_STR:
        buffer_append_json(&x->text, str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value)));
        break;
    case YYJSON_TYPE_NULL: buffer_append_str(&x->text, STR("null")); break;
    case YYJSON_TYPE_BOOL: buffer_append_str(&x->text, unsafe_yyjson_get_bool(value) ? STR("true") : STR("false")); break;
    default: {
        /* yyjson's writer does not recurse, so that a document of a million brackets is no danger. */
        size_t size = 0;
        char *text = yyjson_val_write_opts(value, YYJSON_WRITE_NOFLAG, &x->written_alc, &size, NULL);

        if (!text) {
            x->full = true;
            return;
        }
        buffer_append(&x->text, text, size);
        x->written_alc.free(x->written_alc.ctx, text);
    }
    }
}

struct str json_take_text(struct json_extractor *x)
{
    struct str text = arena_try_copy(&x->batch->arena, buffer_str(&x->text));

    if (!text.data || x->text.failed)
        x->full = true;
    buffer_clear(&x->text);
    return text;
}

void json_append_reached(struct json_extractor *x, yyjson_val *value, const struct json_step *steps, size_t count)
{
    if (count == 0) {
        if (x->text.size > 1)
            buffer_append_char(&x->text, ',');
        json_append_value(x, value);
        return;
    }
    switch (steps[0].kind) {
    case JSON_STEP_KEY: {
        yyjson_val *found = NULL;

        if (unsafe_yyjson_is_obj(value)) {
            yyjson_val *name = unsafe_yyjson_get_first(value);

            for (size_t i = unsafe_yyjson_get_len(value); i > 0; i--) {
                if (str_equal(str_make(unsafe_yyjson_get_str(name), unsafe_yyjson_get_len(name)), steps[0].key))
                    found = name + 1;
                name = unsafe_yyjson_get_next(name + 1);
            }
        }
        if (found)
            json_append_reached(x, found, steps + 1, count - 1);
        break;
    }
    case JSON_STEP_INDEX: {
        yyjson_val *found = unsafe_yyjson_is_arr(value) ? yyjson_arr_get(value, steps[0].index) : NULL;

        if (found)
            json_append_reached(x, found, steps + 1, count - 1);
        break;
    }
    case JSON_STEP_EACH:
        if (unsafe_yyjson_is_arr(value)) {
            yyjson_val *item = unsafe_yyjson_get_first(value);

            for (size_t i = unsafe_yyjson_get_len(value); i > 0; i--) {
                json_append_reached(x, item, steps + 1, count - 1);
                item = unsafe_yyjson_get_next(item);
            }
        }
        break;
    }
}

static const struct json_node *rest_child(const struct json_node *node, yyjson_val *name)
{
    const char *data = unsafe_yyjson_get_str(name);
    size_t size = unsafe_yyjson_get_len(name);
    const struct json_node *child = node->name_count ? node->buckets[json_name_hash(data, size) & node->bucket_mask] : NULL;

    while (child && !json_node_named(child, data, size))
        child = child->next_in_bucket;
    return child;
}

/* Whether something of this node's value belongs into the rest: no path ends here, and not all was taken further down. An array
 * of which single elements were taken stays whole, for without them the places of the others would be wrong. */
static bool rest_has(const struct json_node *node, yyjson_val *value)
{
    yyjson_val *name;

    if (node->taken)
        return false;
    if (!node->name_count || !unsafe_yyjson_is_obj(value))
        return true;
    name = unsafe_yyjson_get_first(value);
    for (size_t i = unsafe_yyjson_get_len(value); i > 0; i--) {
        const struct json_node *child = rest_child(node, name);

        /* Of a wanted name that is there twice only the last one counts. */
        if (!child || (child->value == name + 1 && rest_has(child, name + 1)))
            return true;
        name = unsafe_yyjson_get_next(name + 1);
    }
    return unsafe_yyjson_get_len(value) == 0; /* an empty object that nobody looked into */
}

void json_append_rest(struct json_extractor *x, const struct json_node *node, yyjson_val *value)
{
    yyjson_val *name;
    bool first = true;

    if (node->taken || !node->name_count || !unsafe_yyjson_is_obj(value)) {
        json_append_value(x, value);
        return;
    }
    buffer_append_char(&x->text, '{');
    name = unsafe_yyjson_get_first(value);
    for (size_t i = unsafe_yyjson_get_len(value); i > 0; i--) {
        const struct json_node *child = rest_child(node, name);
        yyjson_val *member = name + 1;

        if (!child || (child->value == member && rest_has(child, member))) {
            if (!first)
                buffer_append_char(&x->text, ',');
            first = false;
            json_append_value(x, name);
            buffer_append_char(&x->text, ':');
            if (child)
                json_append_rest(x, child, member);
            else
                json_append_value(x, member);
        }
        name = unsafe_yyjson_get_next(member);
    }
    buffer_append_char(&x->text, '}');
}
