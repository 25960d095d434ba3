/* json_text.c: values as JSON text, as it is collected by [*] and kept in the rest. Texts are put together in one buffer and
 * copied once into the arena. */
#include "batch/kernels/json_extractor.h"

bool json_append_value(struct buffer *to, const yyjson_alc *memory, yyjson_val *value)
{
    switch (unsafe_yyjson_get_type(value)) {
    case YYJSON_TYPE_RAW: buffer_append(to, unsafe_yyjson_get_raw(value), unsafe_yyjson_get_len(value)); break;
    case YYJSON_TYPE_STR:
        buffer_append_json(to, str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value)));
        break;
    case YYJSON_TYPE_NULL: buffer_append_str(to, STR("null")); break;
    case YYJSON_TYPE_BOOL: buffer_append_str(to, unsafe_yyjson_get_bool(value) ? STR("true") : STR("false")); break;
    default: {
        /* yyjson's writer does not recurse, so that a document of a million brackets is no danger. */
        size_t size = 0;
        char *text = yyjson_val_write_opts(value, YYJSON_WRITE_NOFLAG, memory, &size, NULL);

        if (!text)
            return false;
        buffer_append(to, text, size);
        memory->free(memory->ctx, text);
    }
    }
    return true;
}

struct str json_take_text(struct json_extractor *x)
{
    struct str text = arena_try_copy(&x->batch->arena, buffer_str(&x->text));

    if (!text.data || x->text.failed)
        x->full = true;
    buffer_clear(&x->text);
    return text;
}

static yyjson_val *member_of(yyjson_val *object, struct str key)
{
    yyjson_val *name, *found = NULL;

    if (!unsafe_yyjson_is_obj(object))
        return NULL;
    name = unsafe_yyjson_get_first(object);
    for (size_t i = unsafe_yyjson_get_len(object); i > 0; i--) {
        if (str_equal(str_make(unsafe_yyjson_get_str(name), unsafe_yyjson_get_len(name)), key))
            found = name + 1;
        name = unsafe_yyjson_get_next(name + 1);
    }
    return found;
}

yyjson_val *json_step_into(yyjson_val *value, const struct json_step *step)
{
    if (step->kind == JSON_STEP_KEY)
        return member_of(value, step->key);
    return unsafe_yyjson_is_arr(value) ? yyjson_arr_get(value, step->index) : NULL;
}

bool json_append_reached(struct buffer *to, const yyjson_alc *memory, yyjson_val *value, const struct json_step *steps,
                         size_t count)
{
    yyjson_val *item;

    if (count == 0) {
        if (to->size > 1)
            buffer_append_char(to, ',');
        return json_append_value(to, memory, value);
    }
    if (steps[0].kind != JSON_STEP_EACH) {
        item = json_step_into(value, &steps[0]);
        return !item || json_append_reached(to, memory, item, steps + 1, count - 1);
    }
    if (!unsafe_yyjson_is_arr(value))
        return true;
    item = unsafe_yyjson_get_first(value);
    for (size_t i = unsafe_yyjson_get_len(value); i > 0; i--) {
        if (!json_append_reached(to, memory, item, steps + 1, count - 1))
            return false;
        item = unsafe_yyjson_get_next(item);
    }
    return true;
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

static void append(struct json_extractor *x, yyjson_val *value)
{
    x->full |= !json_append_value(&x->text, &x->written_alc, value);
}

void json_append_rest(struct json_extractor *x, const struct json_node *node, yyjson_val *value)
{
    yyjson_val *name;
    bool first = true;

    if (node->taken || !node->name_count || !unsafe_yyjson_is_obj(value)) {
        append(x, value);
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
            append(x, name);
            buffer_append_char(&x->text, ':');
            if (child)
                json_append_rest(x, child, member);
            else
                append(x, member);
        }
        name = unsafe_yyjson_get_next(member);
    }
    buffer_append_char(&x->text, '}');
}
