/* infer.c: one tree of all paths that were seen, with counts of what stood there. The last one of two keys of a name counts, as
 * in the json stage. Objects inside of arrays are not looked into: an array is one value. */
#include "sample/infer.h"

#include <stdlib.h>

#include "job/checks.h"
#include "sample/infer_internal.h"

enum { DAY_SECONDS = 24 * 60 * 60 };

struct infer *infer_new(void)
{
    struct infer *infer = xcalloc(1, sizeof(*infer));

    infer->record.key = infer->element.key = STR("");
    return infer;
}

static void node_release(struct infer_node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        node_release(node->children[i]);
        free((char *)node->children[i]->key.data);
        free(node->children[i]);
    }
    free(node->children);
    free(node->example);
}

void infer_free(struct infer *infer)
{
    if (!infer)
        return;
    node_release(&infer->record);
    node_release(&infer->element);
    free(infer);
}

size_t infer_documents(const struct infer *infer)
{
    return infer->record.child_count || infer->element.present ? infer->objects + infer->arrays : 0;
}

/* --- one value --- */

static size_t count_digits(struct str text, size_t *at)
{
    size_t count = 0;

    while (*at < text.size && is_digit(text.data[*at]))
        count++, (*at)++;
    return count;
}

/* Whether the text is a plain number: sign, digits, point and digits; no leading zeros, no exponent. */
static bool plain_number(struct str text, size_t *digits_out, size_t *scale_out)
{
    size_t at = text.size && text.data[0] == '-', first = at;

    *digits_out = count_digits(text, &at);
    *scale_out = 0;
    if (!*digits_out || (*digits_out > 1 && text.data[first] == '0'))
        return false;
    if (text.data[first] == '0')
        *digits_out = 0;
    if (at == text.size)
        return true;
    if (text.data[at++] != '.')
        return false;
    *scale_out = count_digits(text, &at);
    return *scale_out && at == text.size;
}

static void number_add(struct infer_node *node, struct str text)
{
    size_t digits, scale;
    char copy[512];
    double real;

    snprintf(copy, sizeof(copy), "%.*s", STR_ARG(str_make(text.data, size_min(text.size, sizeof(copy) - 1))));
    real = strtod(copy, NULL);
    node->no_double |= !isfinite(real) || text.size >= sizeof(copy);
    if (!plain_number(text, &digits, &scale)) {
        node->exponents++;
        return;
    }
    node->digits = size_max(node->digits, digits);
    node->scale = size_max(node->scale, scale);
    if (scale) {
        node->points++;
    } else {
        int128 value;

        /* The target's BIGINT has no -2^63. */
        if (decimal_parse(text, type_decimal(38, 0), &value) == DECIMAL_OK && value > INT64_MIN && value <= INT64_MAX) {
            int64_t whole = (int64_t)value;

            node->whole++;
            node->least = node->whole == 1 ? whole : int64_min(node->least, whole);
            node->most = node->whole == 1 ? whole : int64_max(node->most, whole);
        } else {
            node->huge++;
        }
    }
}

static void text_add(struct infer_node *node, struct str text)
{
    size_t digits, scale;
    struct instant instant;
    bool has_offset;
    int32_t days, offset = 0;

    node->texts++;
    node->empty += text.size == 0;
    if (plain_number(text, &digits, &scale)) {
        node->number_texts++;
        node->text_scale_differs |= node->number_texts > 1 && node->text_scale != scale;
        node->text_scale = size_max(node->text_scale, scale);
        node->text_digits = size_max(node->text_digits, digits);
    } else if (time_parse_date(text, &days)) {
        node->dates++;
    } else if (time_parse(text, &instant, &has_offset, &offset)) {
        if (has_offset)
            node->instants++;
        else
            node->locals++;
        node->fine |= instant.nanos % 1000000 != 0;
        /* An offset, or the job's zone, may lead out of the years that there are. */
        offset = has_offset ? offset : 0;
        node->odd_time |= instant.seconds - offset < time_seconds_min + (has_offset ? 0 : DAY_SECONDS) ||
                          instant.seconds - offset > time_seconds_max - (has_offset ? 0 : DAY_SECONDS);
    }
}

static void example_keep(struct infer_node *node, yyjson_val *value)
{
    size_t size = 0;
    char *written;
    struct str head;

    if (node->example)
        return;
    written = yyjson_val_write(value, YYJSON_WRITE_NOFLAG, &size);
    if (!written)
        return;
    head = str_head(str_make(written, size), INFER_EXAMPLE_BYTES);
    node->example = xasprintf("%.*s%s", STR_ARG(head), head.size < size ? " ..." : "");
    free(written);
}

static struct infer_node *child_of(struct infer *infer, struct infer_node *node, struct str key)
{
    struct infer_node *child;

    /* Keys mostly come in the order in which they came before. */
    for (size_t i = 0; i < node->child_count; i++) {
        size_t at = node->guess + i < node->child_count ? node->guess + i : node->guess + i - node->child_count;

        if (str_equal(node->children[at]->key, key)) {
            node->guess = at + 1 < node->child_count ? at + 1 : 0;
            return node->children[at];
        }
    }
    if (node->child_count == (node->depth ? INFER_KEYS_MAX : INFER_ROOT_KEYS_MAX) || infer->nodes == INFER_NODES_MAX) {
        node->full = true;
        return NULL;
    }
    child = xcalloc(1, sizeof(*child));
    child->key = str_make(str_dup(key), key.size);
    child->depth = node->depth + 1;
    infer->nodes++;
    XGROW(node->children, node->child_count, node->child_capacity);
    node->children[node->child_count++] = child;
    node->guess = 0;
    return child;
}

static void value_add(struct infer *infer, struct infer_node *node, yyjson_val *value);

static void object_add(struct infer *infer, struct infer_node *node, yyjson_val *object)
{
    size_t index, count;
    yyjson_val *key, *value;

    node->objects++;
    if (node->depth >= INFER_DEPTH_MAX) {
        node->deep |= yyjson_obj_size(object) > 0;
        return;
    }
    yyjson_obj_foreach(object, index, count, key, value)
    {
        struct infer_node *child = child_of(infer, node, str_make(yyjson_get_str(key), yyjson_get_len(key)));

        if (child)
            child->value = value;
    }
    for (size_t i = 0; i < node->child_count; i++) {
        struct infer_node *child = node->children[i];

        if (child->value) {
            value = child->value;
            child->value = NULL;
            value_add(infer, child, value);
        }
    }
}

static void value_add(struct infer *infer, struct infer_node *node, yyjson_val *value)
{
    size_t size;

    node->present++;
    if (yyjson_is_null(value)) {
        node->nulls++;
        return;
    }
    example_keep(node, value);
    if (yyjson_is_bool(value)) {
        node->booleans++;
    } else if (yyjson_is_raw(value)) {
        number_add(node, str_make(yyjson_get_raw(value), yyjson_get_len(value)));
    } else if (yyjson_is_str(value)) {
        text_add(node, str_make(yyjson_get_str(value), yyjson_get_len(value)));
    } else if (yyjson_is_arr(value)) {
        size = yyjson_arr_size(value);
        node->elements_least = node->arrays ? size_min(node->elements_least, size) : size;
        node->elements_most = size_max(node->elements_most, size);
        node->arrays++;
        node->arrays_of_objects += yyjson_is_obj(yyjson_arr_get_first(value));
    } else {
        object_add(infer, node, value);
    }
}

void infer_add(struct infer *infer, struct str document)
{
    yyjson_doc *doc;
    yyjson_val *root, *element;
    size_t index, count;

    infer->records++;
    if (!document.data) {
        infer->tombstones++;
        return;
    }
    doc = yyjson_read(document.data, document.size, YYJSON_READ_NUMBER_AS_RAW);
    root = yyjson_doc_get_root(doc);
    if (yyjson_is_obj(root)) {
        infer->objects++;
        object_add(infer, &infer->record, root);
    } else if (yyjson_is_arr(root)) {
        infer->arrays++;
        yyjson_arr_foreach(root, index, count, element)
        {
            infer->elements++;
            value_add(infer, &infer->element, element);
        }
    } else if (doc) {
        infer->scalars++;
    } else {
        infer->broken++;
    }
    yyjson_doc_free(doc);
}
