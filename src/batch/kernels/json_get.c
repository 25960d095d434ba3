/* json_get.c: each text is read by yyjson, in memory that is kept from row to row, and the path followed in it. */
#include "batch/kernels/json_get.h"

#include "batch/convert.h"
#include "batch/kernels/json_path.h"
#include "batch/kernels/operand.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

enum { KEEP_BYTES = 256 << 10 }; /* after a larger text the memory for reading is given back */

struct json_getter {
    struct json_path *path;
    struct type type;
    struct convert convert;
    yyjson_alc *memory;
    char reason[320]; /* of the row in hand */
};

bool json_getter_new(struct json_getter **getter_out, struct str path, struct type type, const struct zone *zone,
                     struct error *error)
{
    struct json_getter *getter = xcalloc(1, sizeof(*getter));
    bool ok = false;

    getter->type = type;
    getter->convert.zone = zone;
    if (!json_path_parse(&getter->path, path, error))
        goto out;
    if (getter->path->element) {
        error_set(error, ERROR_CONFIG, "the path begins with $, the document; @ is for the json stage's expand");
        goto out;
    }
    for (size_t i = 0; i < getter->path->step_count; i++) {
        if (getter->path->steps[i].kind != JSON_STEP_EACH)
            continue;
        error_set(error, ERROR_CONFIG,
                  "[*] gives many values, this takes one; a json stage collects them, or expands them to rows");
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
    free(getter);
}

static yyjson_val *member(yyjson_val *object, struct str key)
{
    yyjson_val *name, *found = NULL;

    if (!yyjson_is_obj(object))
        return NULL;
    name = unsafe_yyjson_get_first(object);
    for (size_t i = unsafe_yyjson_get_len(object); i > 0; i--) {
        if (str_equal(str_make(unsafe_yyjson_get_str(name), unsafe_yyjson_get_len(name)), key))
            found = name + 1;
        name = unsafe_yyjson_get_next(name + 1);
    }
    return found;
}

static yyjson_val *follow(const struct json_path *path, yyjson_val *value)
{
    for (size_t i = 0; i < path->step_count && value; i++) {
        const struct json_step *step = &path->steps[i];

        if (step->kind == JSON_STEP_KEY)
            value = member(value, step->key);
        else
            value = yyjson_is_arr(value) ? yyjson_arr_get(value, step->index) : NULL;
    }
    return value;
}

/* Any value as text, into the arena. */
static enum convert_status value_text(struct json_getter *getter, struct arena *arena, yyjson_val *value, struct str *text_out)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return CONVERT_NULL;
    case YYJSON_TYPE_BOOL:
        *text_out = yyjson_get_bool(value) ? STR("true") : STR("false");
        return CONVERT_OK;
    case YYJSON_TYPE_RAW:
    case YYJSON_TYPE_STR:
        *text_out = arena_try_copy(arena, str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value)));
        break;
    default: {
        size_t size = 0;
        char *text = yyjson_val_write_opts(value, YYJSON_WRITE_NOFLAG, getter->memory, &size, NULL);

        *text_out = text ? arena_try_copy(arena, str_make(text, size)) : STR_NONE;
        if (text)
            getter->memory->free(getter->memory->ctx, text);
    }
    }
    return text_out->data ? CONVERT_OK : CONVERT_FULL;
}

/* "\"abc\" is not a bigint" */
static const char *reason(struct json_getter *getter, yyjson_val *value, const char *why)
{
    char excerpt[128], name[TYPE_NAME_MAX];
    struct str text = yyjson_is_arr(value)    ? STR("an array")
                      : yyjson_is_obj(value)  ? STR("an object")
                      : yyjson_is_bool(value) ? (yyjson_get_bool(value) ? STR("true") : STR("false"))
                                              : str_make(unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value));

    if (yyjson_is_str(value))
        text = convert_excerpt(&(struct column){.type = TYPE_OF(TYPE_STRING), .rows = 1, .text = &text}, 0, excerpt);
    snprintf(getter->reason, sizeof(getter->reason), "%.*s %s, for type %s", STR_ARG(str_head(text, 120)), why,
             type_print(getter->type, name));
    return getter->reason;
}

/* One row, which is not NULL. `only`: whether there is a value. */
static enum convert_status get(struct json_getter *getter, struct arena *arena, struct str text, bool only, void *cell,
                               const char **why_out)
{
    enum convert_status status = CONVERT_NULL;
    yyjson_read_err fault = {0};
    yyjson_doc *document = NULL;
    yyjson_val *value;

    *why_out = "the text is not valid JSON";
    if (!text.size)
        return CONVERT_FAILED;
    if (!getter->memory)
        getter->memory = yyjson_alc_dyn_new();
    if (!getter->memory)
        return CONVERT_FULL;
    /* Read only: without the flag for it yyjson copies the text. */
    document = yyjson_read_opts((char *)(uintptr_t)text.data, text.size, YYJSON_READ_NUMBER_AS_RAW, getter->memory, &fault);
    if (!document)
        return fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? CONVERT_FULL : CONVERT_FAILED;
    value = follow(getter->path, yyjson_doc_get_root(document));
    if (only) {
        *(uint8_t *)cell = value != NULL;
        status = CONVERT_OK;
    } else if (value && getter->type.kind == TYPE_STRING) {
        status = value_text(getter, arena, value, cell);
    } else if (value) {
        status = convert_json(&getter->convert, arena, value, getter->type, cell, why_out);
        if (status == CONVERT_FAILED)
            *why_out = reason(getter, value, *why_out);
    }
    yyjson_doc_free(document);
    if (text.size > KEEP_BYTES) {
        yyjson_alc_dyn_free(getter->memory);
        getter->memory = NULL;
    }
    return status;
}

static bool run(struct json_getter *getter, struct batch *batch, struct operand a, struct str what, struct type type, bool only,
                struct column **column_out, struct error *error)
{
    struct column *column = operand_result(batch, type, a, a);
    uint32_t mask = operand_mask(a);
    size_t size = type_size(type.kind);

    if (!column)
        return operand_out_of_memory(batch, error);
    column->utf8 = type.kind == TYPE_STRING || type.kind == TYPE_JSON; /* yyjson has looked */
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *why;
        bool room = true;

        if (column_is_null(column, row))
            continue;
        switch (get(getter, &batch->arena, a.column->text[row & mask], only, (char *)column->data + row * size, &why)) {
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
    return run(getter, batch, a, what, getter->type, false, column_out, error);
}

bool json_exists(struct json_getter *getter, struct batch *batch, struct operand a, struct str what, struct column **column_out,
                 struct error *error)
{
    return run(getter, batch, a, what, TYPE_OF(TYPE_BOOLEAN), true, column_out, error);
}
