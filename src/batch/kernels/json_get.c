/* json_get.c: each text is read by yyjson, in memory that is kept from row to row, and the path followed in it. */
#include "batch/kernels/json_get.h"

#include "batch/convert.h"
#include "batch/kernels/json_extractor.h"
#include "batch/kernels/json_path.h"
#include "batch/kernels/operand.h"
#include "batch/kernels/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEEP_BYTES = 256 << 10 }; /* after a larger text the memory for reading is given back */

struct json_getter {
    struct json_path *path;
    size_t single; /* steps before the path's first [*] */
    struct type type;
    struct convert convert;
    yyjson_alc *memory;
    struct buffer text; /* JSON that is put together */
    char reason[320];   /* of the row in hand */
};

bool json_getter_new(struct json_getter **getter_out, struct str path, struct type type, const struct zone *zone,
                     ptrdiff_t *wrong_at, struct error *error)
{
    struct json_getter *getter = xcalloc(1, sizeof(*getter));
    bool ok = false;
    size_t at;

    getter->type = type;
    getter->convert.zone = zone;
    buffer_init(&getter->text, TEXT_RESULT_MAX);
    *wrong_at = -1;
    if (!json_path_parse(&getter->path, path, &at, error)) {
        *wrong_at = (ptrdiff_t)at;
        goto out;
    }
    if (getter->path->element) {
        error_set(error, ERROR_CONFIG, "the path begins with $, the document; @ is for the json stage's expand");
        goto out;
    }
    while (getter->single < getter->path->step_count && getter->path->steps[getter->single].kind != JSON_STEP_EACH)
        getter->single++;
    if (getter->single < getter->path->step_count && !type_is_text(type.kind)) {
        error_set(error, ERROR_CONFIG, "[*] gives a JSON array of what it reaches; its type is string or json");
        goto out;
    }
    *getter_out = getter;
    getter = NULL;
    ok = true;
out:
    json_getter_free(getter);
    return ok;
}

void json_getter_free(struct json_getter *getter)
{
    if (!getter)
        return;
    json_path_free(getter->path);
    yyjson_alc_dyn_free(getter->memory);
    buffer_release(&getter->text);
    free(getter);
}

/* ---- one value ---- */

/* "\"abc\" is not a bigint, for type bigint" */
static const char *reason(struct json_getter *getter, yyjson_val *value, const char *why)
{
    char excerpt[128], name[TYPE_NAME_MAX];
    struct str text;

    if (yyjson_is_ctn(value))
        text = yyjson_is_arr(value) ? STR("an array") : STR("an object");
    else if (yyjson_is_bool(value))
        text = yyjson_get_bool(value) ? STR("true") : STR("false");
    else
        text = str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value));
    if (yyjson_is_str(value))
        text = convert_excerpt(&(struct column){.type = TYPE_OF(TYPE_STRING), .rows = 1, .text = &text}, 0, excerpt);
    snprintf(getter->reason, sizeof(getter->reason), "%.*s %s, for type %s", STR_ARG(str_head(text, 120)), why,
             type_print(getter->type, name));
    return getter->reason;
}

/* The JSON that was put together, into the arena. */
static enum convert_status take_text(struct json_getter *getter, struct arena *arena, struct str *text_out, const char **why_out)
{
    *why_out = "the result would be larger than 8 MiB";
    if (getter->text.failed)
        return CONVERT_FAILED;
    *text_out = arena_try_copy(arena, buffer_str(&getter->text));
    return text_out->data ? CONVERT_OK : CONVERT_FULL;
}

/* Any value as a text. */
static enum convert_status get_text(struct json_getter *getter, struct arena *arena, yyjson_val *value, struct str *text_out,
                                    const char **why_out)
{
    if (yyjson_is_null(value))
        return CONVERT_NULL;
    if (yyjson_is_str(value)) {
        *text_out = arena_try_copy(arena, str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value)));
        return text_out->data ? CONVERT_OK : CONVERT_FULL;
    }
    buffer_clear(&getter->text);
    return json_append_value(&getter->text, getter->memory, value) ? take_text(getter, arena, text_out, why_out) : CONVERT_FULL;
}

/* What the steps from the first [*] on reach, as a JSON array. */
static enum convert_status get_each(struct json_getter *getter, struct arena *arena, yyjson_val *value, struct str *text_out,
                                    const char **why_out)
{
    size_t single = getter->single;

    *why_out = "there is no array where the path needs one";
    if (yyjson_is_null(value))
        return CONVERT_NULL;
    if (!yyjson_is_arr(value))
        return CONVERT_FAILED;
    buffer_clear(&getter->text);
    buffer_append_char(&getter->text, '[');
    if (!json_append_reached(&getter->text, getter->memory, value, getter->path->steps + single,
                             getter->path->step_count - single))
        return CONVERT_FULL;
    buffer_append_char(&getter->text, ']');
    return take_text(getter, arena, text_out, why_out);
}

typedef enum convert_status getter_function(struct json_getter *getter, struct arena *arena, yyjson_val *value, void *cell,
                                            const char **why_out);

/* value: what the steps before the first [*] lead to, or NULL. */
static enum convert_status get(struct json_getter *getter, struct arena *arena, yyjson_val *value, void *cell,
                               const char **why_out)
{
    enum convert_status status;

    if (!value)
        return CONVERT_NULL;
    if (getter->single < getter->path->step_count)
        return get_each(getter, arena, value, cell, why_out);
    if (getter->type.kind == TYPE_STRING)
        return get_text(getter, arena, value, cell, why_out);
    status = convert_json(&getter->convert, arena, value, getter->type, cell, why_out);
    if (status == CONVERT_FAILED)
        *why_out = reason(getter, value, *why_out);
    return status;
}

static enum convert_status exists(struct json_getter *getter, struct arena *arena UNUSED, yyjson_val *value, void *cell,
                                  const char **why_out UNUSED)
{
    size_t single = getter->single;

    buffer_clear(&getter->text);
    if (value && single < getter->path->step_count &&
        !json_append_reached(&getter->text, getter->memory, value, getter->path->steps + single,
                             getter->path->step_count - single))
        return CONVERT_FULL;
    *(uint8_t *)cell = value && (single == getter->path->step_count || getter->text.size);
    return CONVERT_OK;
}

/* ---- columns ---- */

/* One row, which is not NULL. */
static enum convert_status read_row(struct json_getter *getter, struct arena *arena, struct str text, getter_function *function,
                                    void *cell, const char **why_out)
{
    enum convert_status status;
    yyjson_read_err fault = {0};
    yyjson_doc *document;
    yyjson_val *value;

    *why_out = "the text is not valid JSON";
    if (!text.size)
        return CONVERT_FAILED;
    if (!getter->memory)
        getter->memory = yyjson_alc_dyn_new();
    if (!getter->memory)
        return CONVERT_FULL;
    /* Without the flag for reading in place yyjson copies the text. */
    document = yyjson_read_opts((char *)(uintptr_t)text.data, text.size, YYJSON_READ_NUMBER_AS_RAW, getter->memory, &fault);
    if (!document)
        return fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? CONVERT_FULL : CONVERT_FAILED;
    value = yyjson_doc_get_root(document);
    for (size_t i = 0; i < getter->single && value; i++)
        value = json_step_into(value, &getter->path->steps[i]);
    status = function(getter, arena, value, cell, why_out);
    yyjson_doc_free(document);
    if (text.size > KEEP_BYTES) {
        yyjson_alc_dyn_free(getter->memory);
        getter->memory = NULL;
    }
    return status;
}

static bool run(struct json_getter *getter, struct batch *batch, struct operand a, struct str what, struct type type,
                getter_function *function, struct column **column_out, struct error *error)
{
    struct column *column = operand_result(batch, type, a, a);
    uint32_t mask = operand_mask(a);
    size_t size = type_size(type.kind);

    if (!column)
        return operand_out_of_memory(batch, error);
    column->utf8 = type_is_text(type.kind); /* yyjson has looked */
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *why;
        bool room = true;

        if (column_is_null(column, row))
            continue;
        switch (read_row(getter, &batch->arena, a.column->text[row & mask], function, (char *)column->data + row * size, &why)) {
        case CONVERT_OK:
            break;
        case CONVERT_NULL:
            room = column_try_nullable(&batch->arena, column);
            if (room)
                column->null[row] = 1;
            break;
        case CONVERT_FAILED:
            room = operand_fail(batch, column, row, what, why);
            break;
        case CONVERT_FULL:
            room = false;
            break;
        }
        if (!room)
            return operand_out_of_memory(batch, error);
    }
    batch_sweep(batch);
    *column_out = column;
    return true;
}

bool json_get(struct json_getter *getter, struct batch *batch, struct operand a, struct str what, struct column **column_out,
              struct error *error)
{
    return run(getter, batch, a, what, getter->type, get, column_out, error);
}

bool json_exists(struct json_getter *getter, struct batch *batch, struct operand a, struct str what, struct column **column_out,
                 struct error *error)
{
    return run(getter, batch, a, what, TYPE_OF(TYPE_BOOLEAN), exists, column_out, error);
}
