/* column.c */
#include "batch/column.h"

struct column *column_try_new(struct arena *arena, struct type type, uint32_t rows, bool with_null)
{
    struct column *column = arena_try_alloc(arena, sizeof(*column));

    if (!column)
        return NULL;
    memset(column, 0, sizeof(*column));
    column->type = type;
    column->rows = rows;
    column->data = arena_try_array(arena, rows, type_size(type.kind));
    if (!column->data || (with_null && !column_try_nullable(arena, column)))
        return NULL;
    return column;
}

bool column_try_nullable(struct arena *arena, struct column *column)
{
    if (column->null)
        return true;
    column->null = arena_try_alloc(arena, column->rows);
    if (!column->null)
        return false;
    memset(column->null, column->type.kind == TYPE_NULL, column->rows);
    return true;
}

struct column *column_try_gather(struct arena *arena, const struct column *column, const uint32_t *source, uint32_t rows)
{
    struct column *gathered = column_try_new(arena, column->type, rows, column->null != NULL);
    size_t size = type_size(column->type.kind);

    if (!gathered)
        return NULL;
    gathered->utf8 = column->utf8;
    for (uint32_t i = 0; i < rows; i++) {
        if (size)
            memcpy((char *)gathered->data + i * size, (const char *)column->data + source[i] * size, size);
        if (column->null)
            gathered->null[i] = column->null[source[i]];
    }
    return gathered;
}

struct column *column_try_copy(struct arena *arena, const struct column *column)
{
    struct column *copy = column_try_new(arena, column->type, column->rows, column->null != NULL);

    if (!copy)
        return NULL;
    memcpy(copy->data, column->data, column->rows * type_size(column->type.kind));
    if (column->null)
        memcpy(copy->null, column->null, column->rows);
    return copy;
}
