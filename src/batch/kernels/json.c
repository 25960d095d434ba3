/* json.c: columns out of JSON documents.
 * Method: plain documents go the short way of json_scan.c. For all others, and whatever it does not know, the document is copied
 * once into a buffer of the extractor's own, which stays in the first cache, and yyjson reads it there in situ; its values go
 * into a block that is kept from record to record, so that nothing is allocated per record. The paths of all columns are one
 * tree (json_tree.c), and one walk over a document finds them all. Texts without escapes become slices of the source: bytes equal
 * at the same place.
 * Duplicate names in an object: the last one counts.
 * Numbers are kept as their text where a decimal or JSON text is asked for, so that no digit is lost. A job whose decimals come
 * as strings does not pay for that: the text is kept from the first document on in which a decimal column meets a number.
 * Cost: measured by callgrind, an order of 283 bytes with 8 columns takes some 3,600 instructions through yyjson, which has 2,170
 * of them, and 1,890 the short way. */
#include "batch/kernels/json_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEEP_BYTES = 4 * 1024 * 1024, /* larger buffers do not outlive the batch that needed them */
    AHEAD_ROWS = 4,  /* whose documents are on their way into the caches */
    AHEAD_BYTES = 512,
    PADDING_BYTES = 16,           /* behind the copy of a document: yyjson needs 4, wide loads of names 8 */
};

/* ---- memory for yyjson ---- */

static void *block_realloc(void *context, void *data, size_t old_size, size_t size)
{
    struct json_block *block = context;
    char *larger;

    (void)old_size;
    assert(data == block->data);
    if (size <= block->capacity)
        return data;
    larger = realloc(block->data, size);
    if (!larger)
        return NULL;
    block->data = larger;
    block->capacity = size;
    return larger;
}

static void *block_malloc(void *context, size_t size)
{
    struct json_block *block = context;

    assert(!block->busy);
    if (size > block->capacity) {
        free(block->data);
        block->capacity = 0;
        block->data = malloc(size);
        if (!block->data)
            return NULL;
        block->capacity = size;
    }
    block->busy = true;
    return block->data;
}

static void block_free(void *context, void *data)
{
    struct json_block *block = context;

    assert(data == block->data);
    block->busy = false;
}

static void block_trim(struct json_block *block)
{
    if (block->capacity > KEEP_BYTES) {
        free(block->data);
        block->data = NULL;
        block->capacity = 0;
    }
}

/* ---- making ---- */

static void wrong(struct json_mistakes *mistakes, size_t column, const char *key, ptrdiff_t at, const char *format, ...)
    PRINTF_LIKE(5, 6);

static void wrong(struct json_mistakes *mistakes, size_t column, const char *key, ptrdiff_t at, const char *format, ...)
{
    struct json_mistake *mistake = &mistakes->list[mistakes->count];
    va_list arguments;

    if (mistakes->count == JSON_MISTAKES_MAX)
        return;
    mistakes->count++;
    mistake->column = column;
    mistake->key = key;
    mistake->at = at;
    va_start(arguments, format);
    vsnprintf(mistake->text, sizeof(mistake->text), format, arguments);
    va_end(arguments);
}

/* Puts the path into its tree, up to its end or its first [*]. */
static void add_path(struct json_extractor *x, struct json_spec *spec)
{
    struct json_tree *tree = spec->path->element ? &x->element : &x->record;

    x->element_specs += spec->path->element;
    if (!spec->path->element) {
        bool array = spec->path->step_count && spec->path->steps[0].kind != JSON_STEP_KEY;

        x->accept_array |= array;
        x->accept_object |= !array;
    }
    spec->node = tree->nodes[0];
    for (size_t i = 0; i < spec->path->step_count && !spec->collect; i++) {
        if (spec->path->steps[i].kind == JSON_STEP_EACH) {
            spec->collect = true;
            spec->tail = spec->path->steps + i + 1;
            spec->tail_count = spec->path->step_count - i - 1;
        } else {
            spec->node = json_tree_child(tree, spec->node, &spec->path->steps[i]);
        }
    }
    if (!spec->collect || spec->tail_count == 0)
        spec->node->taken = true;
}

static void set_path(struct json_extractor *x, struct json_spec *spec, const struct json_column *column, size_t index,
                     struct json_mistakes *mistakes)
{
    struct error error;
    size_t at;

    if (!json_path_parse(&spec->path, column->path, &at, &error))
        wrong(mistakes, index, "path", (ptrdiff_t)at, "%s", error.text);
    else if (spec->path->element && !x->expand.data)
        wrong(mistakes, index, "path", -1,
              "path \"%.*s\" starts with @, the element of an expanded array, but the stage has no expand",
              STR_ARG(column->path));
    else
        add_path(x, spec);
}

static void set_type(struct json_extractor *x, struct json_spec *spec, const struct json_column *column, size_t index,
                     struct json_mistakes *mistakes)
{
    char name[TYPE_NAME_MAX];
    const char *why;

    spec->type = column->type;
    if (column->type.kind <= TYPE_NULL || column->type.kind >= TYPE_KINDS) {
        wrong(mistakes, index, "type", -1, "column %.*s has no type", STR_ARG(column->name));
        return;
    }
    if (spec->collect && !type_is_text(column->type.kind))
        wrong(mistakes, index, "type", -1, "path \"%.*s\" collects values as JSON text: the column's type must be json or string",
              STR_ARG(column->path));
    if (!column->has_default)
        return;
    why = json_parse_default(x, spec, column->default_text);
    if (why)
        wrong(mistakes, index, "default", -1, "the default \"%.*s\" does not suit type %s: %s", STR_ARG(column->default_text),
              type_print(column->type, name), why);
    spec->has_default = true;
}

static void set_expand(struct json_extractor *x, size_t column_count, struct json_mistakes *mistakes)
{
    struct error error;
    size_t at;

    if (!json_path_parse(&x->expand_path, x->expand, &at, &error)) {
        wrong(mistakes, column_count, "expand", (ptrdiff_t)at, "%s", error.text);
        return;
    }
    if (x->expand_path->element) {
        wrong(mistakes, column_count, "expand", 0, "expand needs a path from the document, which starts with $");
        return;
    }
    x->expand_node = x->record.nodes[0];
    for (size_t i = 0; i < x->expand_path->step_count; i++) {
        const struct json_step *step = &x->expand_path->steps[i];

        if (step->kind == JSON_STEP_EACH) {
            wrong(mistakes, column_count, "expand", -1, "expand \"%.*s\": give the array's own path, without [*]",
                  STR_ARG(x->expand));
            return;
        }
        x->expand_node = json_tree_child(&x->record, x->expand_node, step);
    }
    x->expand_node->taken = true;
    if (x->expand_path->step_count && x->expand_path->steps[0].kind == JSON_STEP_KEY)
        x->accept_object = true;
    else
        x->accept_array = true;
}

static struct str copy_name(char **memory, struct str name)
{
    struct str copy = STR_NONE;

    if (name.data) {
        if (name.size)
            memcpy(*memory, name.data, name.size);
        copy = str_make(*memory, name.size);
        *memory += name.size + 1;
    }
    return copy;
}

static void set_exact(struct json_extractor *x, bool exact)
{
    x->exact = exact;
    x->flags = YYJSON_READ_INSITU | (exact ? YYJSON_READ_NUMBER_AS_RAW : YYJSON_READ_BIGNUM_AS_RAW);
}

static void set_column(struct json_extractor *x, const struct json_column *column, size_t index, char **memory,
                       struct json_mistakes *mistakes)
{
    struct json_spec *spec = &x->specs[x->spec_count++];
    bool twice = str_equal(column->name, x->rest);

    spec->name = copy_name(memory, column->name);
    spec->required = column->required;
    for (size_t i = 0; i < index; i++)
        twice |= str_equal(column->name, x->specs[i].name);
    if (!column->name.size)
        wrong(mistakes, index, "name", -1, "a column needs a name");
    else if (twice)
        wrong(mistakes, index, "name", -1, "there are two columns %.*s", STR_ARG(column->name));
    set_path(x, spec, column, index, mistakes);
    set_type(x, spec, column, index, mistakes);
}

bool json_extractor_new(struct json_extractor **extractor_out, const struct json_options *options, struct json_mistakes *mistakes)
{
    bool exact = options->rest.data != NULL;
    struct json_extractor *x = xcalloc(1, sizeof(*x));
    size_t names_size = options->from.size + options->expand.size + options->rest.size + 3;
    char *memory;

    mistakes->count = 0;
    buffer_init(&x->text, (size_t)1 << 30);
    x->values_alc = (yyjson_alc){block_malloc, block_realloc, block_free, &x->values};
    x->written_alc = (yyjson_alc){block_malloc, block_realloc, block_free, &x->written};
    x->zone = options->zone;
    for (size_t i = 0; i < options->column_count; i++)
        names_size += options->columns[i].name.size + 1;
    memory = x->names = xmalloc(names_size);
    x->from = copy_name(&memory, options->from);
    x->expand = copy_name(&memory, options->expand);
    x->rest = copy_name(&memory, options->rest);
    (void)json_tree_add(&x->record, NULL);
    (void)json_tree_add(&x->element, NULL);
    x->specs = xcalloc(options->column_count + 1, sizeof(*x->specs));
    x->decimals = xcalloc(options->column_count + 1, sizeof(*x->decimals));
    if (!x->from.size)
        wrong(mistakes, options->column_count, "from", -1, "the field to parse is missing; name it, such as from: __value__");
    if (x->expand.data)
        set_expand(x, options->column_count, mistakes);
    for (size_t i = 0; i < options->column_count; i++)
        set_column(x, &options->columns[i], i, &memory, mistakes);
    if (mistakes->count) {
        json_extractor_free(x);
        return false;
    }
    for (size_t i = 0; i < x->spec_count; i++) {
        struct json_spec *spec = &x->specs[i];

        exact |= spec->type.kind == TYPE_JSON || spec->collect || (spec->type.kind == TYPE_DECIMAL && spec->path->element);
        if (spec->type.kind == TYPE_DECIMAL && !spec->path->element)
            x->decimals[x->decimal_count++] = spec;
    }
    if (!x->accept_array)
        x->accept_object = true;
    json_tree_finish(&x->record);
    json_tree_finish(&x->element);
    set_exact(x, exact);
    x->scan = json_scan_new(x);
    *extractor_out = x;
    return true;
}

void json_extractor_free(struct json_extractor *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->spec_count; i++) {
        json_path_free(x->specs[i].path);
        free(x->specs[i].default_memory);
    }
    free(x->specs);
    free(x->decimals);
    json_path_free(x->expand_path);
    json_scan_free(x->scan);
    json_tree_release(&x->record);
    json_tree_release(&x->element);
    free(x->names);
    free(x->values.data);
    free(x->written.data);
    free(x->copy);
    buffer_release(&x->text);
    free(x);
}

/* ---- extraction ---- */

/* The document, or NULL with the row's fault told (or x->full). */
static yyjson_doc *parse_row(struct json_extractor *x)
{
    yyjson_read_err fault;
    yyjson_doc *doc;
    size_t needed;

    if (__builtin_add_overflow(x->source.size, (size_t)PADDING_BYTES, &needed)) {
        x->full = true;
        return NULL;
    }
    if (needed > x->copy_capacity) {
        free(x->copy);
        x->copy = malloc(needed);
        x->copy_capacity = x->copy ? needed : 0;
        if (!x->copy) {
            x->full = true;
            return NULL;
        }
    }
    if (x->source.size)
        memcpy(x->copy, x->source.data, x->source.size);
    memset(x->copy + x->source.size, 0, PADDING_BYTES);
    doc = yyjson_read_opts(x->copy, x->source.size, x->flags, &x->values_alc, &fault);
    if (doc) {
        yyjson_val *root = yyjson_doc_get_root(doc);

        if ((x->accept_object && unsafe_yyjson_is_obj(root)) || (x->accept_array && unsafe_yyjson_is_arr(root)))
            return doc;
        json_row_fail(x, x->from, "the document is %s, not %s", json_value_name(root),
                      !x->accept_array ? "an object" : x->accept_object ? "an object or an array" : "an array");
        block_free(&x->values, x->values.data);
        return NULL;
    }
    x->values.busy = false;
    if (fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        x->full = true;
    else if (!x->source.size)
        json_row_fail(x, x->from, "not JSON: the text is empty");
    else
        json_row_fail(x, x->from, "not JSON: %s at byte %zu of %zu", fault.msg,
                      size_min(fault.pos + 1, x->source.size), x->source.size);
    return NULL;
}

/* NULL in all columns of the record, where that is allowed. */
static void store_nulls(struct json_extractor *x, struct column *rest)
{
    for (size_t i = 0; i < x->spec_count && !x->row_failed; i++) {
        struct json_spec *spec = &x->specs[i];

        if (spec->path->element)
            continue;
        if (spec->required)
            json_row_fail(x, spec->name, "a required value is missing: there is no document");
        else
            json_cell_null(x, spec);
    }
    if (rest)
        rest->null[x->row] = 1;
}

/* Both ways of reading let no text pass that is not UTF-8; a default stands as the job wrote it. */
static struct column *own_column(struct arena *arena, const struct json_spec *spec, uint32_t rows, bool with_null)
{
    struct column *column = column_try_new(arena, spec->type, rows, with_null);

    if (column && type_is_text(spec->type.kind))
        column->utf8 = !spec->has_default || str_is_utf8(spec->default_value.text);
    return column;
}

/* Room for one more element's row. */
static bool element_reserve(struct json_extractor *x)
{
    struct arena *arena = &x->batch->arena;
    uint32_t capacity = x->element_capacity ? x->element_capacity * 2 : 1024;
    uint32_t *source;

    if (x->element_count < x->element_capacity)
        return true;
    source = arena_try_array(arena, capacity, sizeof(*source));
    if (!source)
        return false;
    if (x->element_count)
        memcpy(source, x->element_source, x->element_count * sizeof(*source));
    x->element_source = source;
    for (size_t i = 0; i < x->spec_count; i++) {
        struct json_spec *spec = &x->specs[i];
        struct column *old = spec->column;

        if (!spec->path->element)
            continue;
        spec->column = own_column(arena, spec, capacity, old && old->null);
        if (!spec->column)
            return false;
        if (old) {
            memcpy(spec->column->data, old->data, x->element_count * type_size(spec->type.kind));
            if (old->null)
                memcpy(spec->column->null, old->null, x->element_count);
        }
    }
    x->element_capacity = capacity;
    return true;
}

/* A row for each element of the array at expand; none where there is no array. */
static bool extract_elements(struct json_extractor *x, struct error *error)
{
    yyjson_val *array = x->expand_node->value;
    uint32_t row = x->row;
    yyjson_val *item;

    if (!array || unsafe_yyjson_is_null(array))
        return true;
    if (!unsafe_yyjson_is_arr(array)) {
        json_row_fail(x, x->from, "expand %.*s needs an array, there is %s", STR_ARG(x->expand), json_value_name(array));
        return true;
    }
    x->in_element = true;
    item = unsafe_yyjson_get_first(array);
    for (size_t i = unsafe_yyjson_get_len(array); i > 0 && !x->full; i--) {
        if (x->element_count == BATCH_EXPANDED_ROWS_MAX)
            return error_set(error, ERROR_DATA,
                             "expand %.*s makes more than %d rows out of one batch; lower runtime.batch_rows", STR_ARG(x->expand),
                             BATCH_EXPANDED_ROWS_MAX);
        if (!element_reserve(x)) {
            x->full = true;
            break;
        }
        x->row = x->element_count;
        x->element_source[x->element_count++] = row;
        x->row_failed = false;
        if (x->element_specs) {
            json_tree_forget(&x->element);
            json_node_walk(x->element.nodes[0], item);
        }
        for (size_t k = 0; k < x->spec_count && !x->row_failed; k++)
            if (x->specs[k].path->element)
                json_store(x, &x->specs[k]);
        item = unsafe_yyjson_get_next(item);
    }
    x->in_element = false;
    return true;
}

/* Whether a decimal column meets a number that was read as a double or an integer. */
static bool decimal_meets_number(const struct json_extractor *x)
{
    for (size_t i = 0; i < x->decimal_count; i++) {
        yyjson_val *value = x->decimals[i]->node->value;

        if (value && unsafe_yyjson_is_num(value))
            return true;
    }
    return false;
}

/* Reads the row's document and finds the values of all paths. NULL: the row's fault is told. */
static yyjson_doc *read_row(struct json_extractor *x)
{
    yyjson_doc *doc = parse_row(x);

    if (!doc)
        return NULL;
    json_tree_forget(&x->record);
    json_node_walk(x->record.nodes[0], yyjson_doc_get_root(doc));
    if (x->decimal_count && !x->exact && decimal_meets_number(x)) {
        block_free(&x->values, x->values.data);
        set_exact(x, true);
        return read_row(x);
    }
    return doc;
}

static bool extract_row(struct json_extractor *x, const struct column *source, struct column *rest, struct error *error)
{
    bool ok = true;
    yyjson_doc *doc;

    x->row_failed = false;
    if (column_is_null(source, x->row)) {
        store_nulls(x, rest);
        return true;
    }
    x->source = source->text[x->row];
    if (x->scan && json_scan_row(x))
        return true;
    /* Where errors become NULL, so does a document that cannot be read; an expanded one would have no number of rows, so it
     * fails. */
    x->quiet = x->batch->when_error == WHEN_ERROR_NULL && !x->expand.data;
    doc = read_row(x);
    if (!doc && x->quiet && !x->full) {
        x->quiet = x->row_failed = false;
        store_nulls(x, rest);
    }
    x->quiet = false;
    if (!doc)
        return true;
    for (size_t i = 0; i < x->spec_count && !x->row_failed; i++)
        if (!x->specs[i].path->element)
            json_store(x, &x->specs[i]);
    if (rest && !x->row_failed) {
        if (x->record.nodes[0]->taken) {
            buffer_append_str(&x->text, STR("{}"));
        } else {
            json_append_rest(x, x->record.nodes[0], yyjson_doc_get_root(doc));
        }
        rest->text[x->row] = json_take_text(x);
    }
    if (x->expand.data && !x->row_failed && !x->full)
        ok = extract_elements(x, error);
    block_free(&x->values, x->values.data);
    return ok;
}

static bool set_columns(struct json_extractor *x, bool element)
{
    for (size_t i = 0; i < x->spec_count; i++)
        if (x->specs[i].path->element == element && !batch_set(x->batch, x->specs[i].name, x->specs[i].column))
            return false;
    return true;
}

/* Turns the records into their elements' rows and tells what waited for them. */
static bool expand_batch(struct json_extractor *x)
{
    struct batch *batch = x->batch;

    if (!x->element_capacity && !element_reserve(x))
        return false;
    if (!batch_expand(batch, x->element_source, x->element_count))
        return false;
    for (size_t i = 0; i < x->spec_count; i++)
        if (x->specs[i].path->element)
            x->specs[i].column->rows = x->element_count;
    if (!set_columns(x, true))
        return false;
    for (struct json_pending *pending = x->pending; pending; pending = pending->next)
        batch_fail(batch, pending->row, pending->column, "%.*s", STR_ARG(pending->reason));
    return true;
}

/* Another thread wrote the documents, or it is long ago: the first lines of one are in no cache when its turn comes, and the
 * scanner would wait for each. */
static inline void fetch_ahead(struct str document)
{
    for (size_t at = 0, size = size_min(document.size, AHEAD_BYTES); at < size; at += 64)
        __builtin_prefetch(document.data + at);
}

static bool extract(struct json_extractor *x, const struct column *source, struct error *error)
{
    struct batch *batch = x->batch;
    struct column *rest = NULL;

    if (x->rest.data) {
        rest = column_try_new(&batch->arena, TYPE_OF(TYPE_JSON), batch->row_count, true);
        x->full |= !rest;
    }
    for (size_t i = 0; i < x->spec_count; i++) {
        struct json_spec *spec = &x->specs[i];

        spec->column = NULL;
        if (!spec->path->element) {
            spec->column = own_column(&batch->arena, spec, batch->row_count, false);
            x->full |= !spec->column;
        }
    }
    if (x->scan && !x->full)
        json_scan_begin(x);
    for (uint32_t i = 0; i < batch->selected && !x->full; i++) {
        x->row = batch->selection[i];
        if (LIKELY(i + AHEAD_ROWS < batch->selected) && source->type.kind != TYPE_NULL)
            fetch_ahead(source->text[batch->selection[i + AHEAD_ROWS]]);
        if (!batch_row_gone(batch, x->row) && !extract_row(x, source, rest, error))
            return false;
    }
    if (x->full || !set_columns(x, false) || (rest && !batch_set(batch, x->rest, rest)) || (x->expand.data && !expand_batch(x)))
        return error_set(error, ERROR_DATA,
                         "the documents of %u records need more memory than a batch may use, or more fields than %d; "
                         "lower runtime.batch_rows", batch->message_count, BATCH_FIELDS_MAX);
    batch_sweep(batch);
    return true;
}

static bool extract_batch(struct json_extractor *x, struct batch *batch, const struct column *source, struct error *error)
{
    bool ok;

    x->batch = batch;
    x->in_element = x->full = false;
    x->element_source = NULL;
    x->element_count = x->element_capacity = 0;
    x->pending = NULL;
    x->pending_tail = &x->pending;
    x->values.busy = x->written.busy = false;
    buffer_clear(&x->text);
    ok = extract(x, source, error);
    block_trim(&x->values);
    block_trim(&x->written);
    if (x->text.capacity > KEEP_BYTES) {
        size_t bytes_max = x->text.bytes_max;

        buffer_release(&x->text);
        buffer_init(&x->text, bytes_max);
    }
    if (x->copy_capacity > KEEP_BYTES) {
        free(x->copy);
        x->copy = NULL;
        x->copy_capacity = 0;
    }
    return ok;
}

bool json_extract(struct json_extractor *x, struct batch *batch, struct error *error)
{
    struct field *field = batch_field(batch, x->from);
    const struct column *source;

    if (!field) {
        char suggestion[FIELD_SUGGESTION_MAX];

        return error_set(error, ERROR_SCRIPT, "there is no field \"%.*s\" to parse%s", STR_ARG(x->from),
                         batch_field_suggest(batch, x->from, suggestion));
    }
    source = batch_column(batch, field);
    if (!source)
        return error_set(error, ERROR_DATA, "the documents of %u records need more memory than a batch may use",
                         batch->message_count);
    if (!type_is_text(source->type.kind) && source->type.kind != TYPE_BINARY && source->type.kind != TYPE_NULL) {
        char name[TYPE_NAME_MAX];

        return error_set(error, ERROR_SCRIPT, "field %.*s is %s; only string, json and binary fields hold JSON", STR_ARG(x->from),
                         type_print(source->type, name));
    }
    return extract_batch(x, batch, source, error);
}

bool json_extract_nothing(struct json_extractor *x, struct batch *batch, struct error *error)
{
    struct column nothing = {.type = TYPE_OF(TYPE_NULL)};

    assert(batch->row_count == 0);
    return extract_batch(x, batch, &nothing, error);
}
