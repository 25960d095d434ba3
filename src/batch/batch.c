/* batch.c: rows, fields and states of a batch.
 * Cost: a batch of n messages without expansion needs one selection array and one pointer per field; source fields are made when
 * they are first asked for. */
#include "batch/batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REASON_BYTES_MAX = 1000 };

const char *const batch_builtin_names[BUILTIN_COUNT] = {
    "__key__", "__value__", "__partition__", "__headers__", "__offset__", "__timestamp__",
};

struct batch *batch_new(size_t arena_bytes_max)
{
    struct batch *batch = xmalloc(sizeof(*batch));

    memset(batch, 0, offsetof(struct batch, messages));
    batch->message_count = 0;
    batch->release = NULL;
    batch->print_headers = NULL;
    arena_init(&batch->arena, arena_bytes_max);
    batch_clear(batch);
    return batch;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    batch_clear(batch);
    arena_release(&batch->arena);
    free(batch);
}

void batch_clear(struct batch *batch)
{
    if (batch->release && batch->message_count)
        batch->release(batch->handles, batch->message_count);
    batch->sequence = 0;
    batch->partition = -1;
    batch->offset_first = batch->offset_next = 0;
    batch->bytes = 0;
    batch->message_count = 0;
    batch_restart(batch);
}

void batch_restart(struct batch *batch)
{
    arena_clear(&batch->arena);
    batch->row_count = 0;
    batch->row_message = batch->row_index = batch->index_next = batch->row_source = NULL;
    batch->operation = NULL;
    batch->selection = NULL;
    batch->selected = 0;
    batch->fields = NULL;
    batch->field_count = 0;
    batch->dirty = NULL;
    batch->fields_gone = NULL;
    batch->dirty_tail = &batch->dirty;
    batch->dirty_count = batch->filtered_count = 0;
    batch->expanded_count = 0;
    batch->stage = NULL;
    batch->when_error = WHEN_ERROR_DIRTY;
    batch->gone = NULL;
    batch->gone_any = false;
    batch->stopped = false;
    batch->stop_error.kind = ERROR_NONE;
}

void batch_add_message(struct batch *batch, const struct message *message, void *handle)
{
    assert(batch->message_count < BATCH_ROWS_MAX);
    if (batch->message_count == 0)
        batch->offset_first = message->offset;
    batch->offset_next = message->offset + 1;
    batch->bytes += (int64_t)(message->key.size + message->value.size + message->headers.size);
    batch->messages[batch->message_count] = *message;
    batch->handles[batch->message_count] = handle;
    batch->message_count++;
}

bool batch_begin(struct batch *batch, unsigned builtins)
{
    batch->row_count = batch->selected = batch->message_count;
    batch->selection = arena_try_array(&batch->arena, batch->row_count, sizeof(*batch->selection));
    batch->fields = arena_try_array(&batch->arena, BATCH_FIELDS_MAX, sizeof(*batch->fields));
    if (!batch->selection || !batch->fields)
        return false;
    for (uint32_t row = 0; row < batch->row_count; row++)
        batch->selection[row] = row;
    for (int i = 0; i < BUILTIN_COUNT; i++) {
        if (builtins & 1u << i)
            batch->fields[batch->field_count++] = (struct field){str_of(batch_builtin_names[i]), NULL, i};
    }
    return true;
}

struct field *batch_field(const struct batch *batch, struct str name)
{
    for (uint32_t i = 0; i < batch->field_count; i++)
        if (str_equal(batch->fields[i].name, name))
            return &batch->fields[i];
    return NULL;
}

void batch_headers(const struct batch *batch, uint32_t message, struct buffer *text)
{
    buffer_clear(text);
    if (batch->messages[message].headers.data)
        buffer_append_str(text, batch->messages[message].headers);
    else if (batch->print_headers)
        batch->print_headers(batch->handles[message], text);
}

/* Of all messages, in the arena. They are the column's alone: a stage's restart gives the arena back, and messages outlive it. */
static struct str *read_headers(struct batch *batch)
{
    struct str *headers = arena_try_array(&batch->arena, batch->message_count, sizeof(*headers));
    struct buffer text;
    bool ok = headers != NULL;

    buffer_init(&text, 0);
    for (uint32_t i = 0; i < batch->message_count && ok; i++) {
        headers[i] = batch->messages[i].headers;
        if (headers[i].data)
            continue;
        batch_headers(batch, i, &text);
        if (!text.size)
            continue;
        headers[i] = arena_try_copy(&batch->arena, buffer_str(&text));
        ok = headers[i].data != NULL;
    }
    buffer_release(&text);
    return ok ? headers : NULL;
}

static struct column *make_builtin(struct batch *batch, int builtin)
{
    bool text = builtin == BUILTIN_KEY || builtin == BUILTIN_VALUE || builtin == BUILTIN_HEADERS;
    struct column *column = column_try_new(&batch->arena, TYPE_OF(text ? TYPE_STRING : TYPE_BIGINT), batch->row_count, text);

    struct str *headers = NULL;

    if (!column || (builtin == BUILTIN_HEADERS && !(headers = read_headers(batch))))
        return NULL;
    if (builtin == BUILTIN_VALUE) { /* nearly always: a loop of its own */
        for (uint32_t row = 0; row < batch->row_count; row++) {
            column->text[row] = batch_message(batch, row)->value;
            column->null[row] = column->text[row].data == NULL;
        }
        return column;
    }
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct message *message = batch_message(batch, row);

        switch (builtin) {
        case BUILTIN_KEY: column->text[row] = message->key; break;
        case BUILTIN_HEADERS: column->text[row] = headers[message - batch->messages]; break;
        case BUILTIN_PARTITION: column->bigint[row] = batch->partition; break;
        case BUILTIN_OFFSET: column->bigint[row] = message->offset; break;
        case BUILTIN_TIMESTAMP: column->bigint[row] = message->timestamp_ms; break;
        }
        if (text)
            column->null[row] = column->text[row].data == NULL;
    }
    return column;
}

struct column *batch_column(struct batch *batch, struct field *field)
{
    if (!field->column)
        field->column = make_builtin(batch, field->builtin);
    return field->column;
}

struct type batch_field_type(const struct field *field)
{
    if (field->column)
        return field->column->type;
    if (field->builtin == BUILTIN_PARTITION || field->builtin == BUILTIN_OFFSET || field->builtin == BUILTIN_TIMESTAMP)
        return TYPE_OF(TYPE_BIGINT);
    return TYPE_OF(TYPE_STRING);
}

/* A stage takes it away. What there is no memory for is not remembered. */
static void note_gone(struct batch *batch, struct str name, struct str now)
{
    struct field_gone *gone = batch->message_count ? NULL : arena_try_alloc(&batch->arena, sizeof(*gone));

    if (!gone)
        return;
    *gone = (struct field_gone){name, now, batch->stage, batch->fields_gone};
    batch->fields_gone = gone;
}

static const struct field_gone *find_gone(const struct field_gone *gone, struct str name)
{
    while (gone && !str_equal(gone->name, name))
        gone = gone->before;
    return gone;
}

/* What became of a field that was there once. */
static bool print_gone(const struct batch *batch, struct str name, char text[FIELD_SUGGESTION_MAX])
{
    enum { RENAMED_MAX = 16 };
    const struct field_gone *gone = find_gone(batch->fields_gone, name), *last = gone;
    bool here;
    int size;

    if (!gone || !gone->stage)
        return false;
    here = batch->stage && strcmp(batch->stage, gone->stage) == 0;
    for (int i = 0; i < RENAMED_MAX && last && last->now.data && !batch_field(batch, last->now); i++)
        last = find_gone(batch->fields_gone, last->now);
    size = snprintf(text, FIELD_SUGGESTION_MAX, "; %s%.64s has ", here ? "this stage" : "stage ", here ? "" : gone->stage);
    if (!last || !last->now.data || !batch_field(batch, last->now))
        snprintf(text + size, FIELD_SUGGESTION_MAX - (size_t)size, "taken it away");
    else if (last == gone)
        snprintf(text + size, FIELD_SUGGESTION_MAX - (size_t)size, "renamed it to \"%.*s\"", STR_ARG(str_head(gone->now, 128)));
    else
        snprintf(text + size, FIELD_SUGGESTION_MAX - (size_t)size, "renamed it to \"%.*s\", which is \"%.*s\" now",
                 STR_ARG(str_head(gone->now, 128)), STR_ARG(str_head(last->now, 128)));
    return true;
}

/* A field of the source that the job does not take. */
static bool print_left_out(const struct batch *batch, struct str name, char text[FIELD_SUGGESTION_MAX])
{
    for (int i = 0; i < BUILTIN_COUNT; i++) {
        if (!str_is(name, batch_builtin_names[i]) || batch_field(batch, name))
            continue;
        snprintf(text, FIELD_SUGGESTION_MAX, "; source.fields leaves it out");
        return true;
    }
    return false;
}

const char *batch_field_suggest(const struct batch *batch, struct str name, char text[FIELD_SUGGESTION_MAX])
{
    const char **names, *nearest;

    if (print_gone(batch, name, text) || print_left_out(batch, name, text))
        return text;
    names = xcalloc(batch->field_count + 1, sizeof(*names));
    for (uint32_t i = 0; i < batch->field_count; i++)
        names[i] = str_dup(batch->fields[i].name);
    nearest = str_nearest(name, names, batch->field_count);
    text[0] = '\0';
    if (nearest)
        snprintf(text, FIELD_SUGGESTION_MAX, "; did you mean \"%.128s\"?", nearest);
    for (uint32_t i = 0; i < batch->field_count; i++)
        free((char *)names[i]);
    free(names);
    return text;
}

bool batch_set(struct batch *batch, struct str name, struct column *column)
{
    struct field *field = batch_field(batch, name);

    assert(column->rows == batch->row_count);
    if (!field) {
        struct str copy = arena_try_copy(&batch->arena, name);

        if (!copy.data || batch->field_count == BATCH_FIELDS_MAX)
            return false;
        field = &batch->fields[batch->field_count++];
        field->name = copy;
    }
    field->column = column;
    field->builtin = -1;
    return true;
}

bool batch_remove(struct batch *batch, struct str name)
{
    struct field *field = batch_field(batch, name);
    size_t behind;

    if (!field)
        return false;
    note_gone(batch, field->name, STR_NONE);
    behind = (size_t)(batch->fields + batch->field_count - field - 1);
    memmove(field, field + 1, behind * sizeof(*field));
    batch->field_count--;
    return true;
}

static bool is_among(uint32_t field, const uint32_t *fields, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (fields[i] == field)
            return true;
    return false;
}

bool batch_select(struct batch *batch, const uint32_t *fields, uint32_t count)
{
    struct field *chosen = arena_try_array(&batch->arena, count, sizeof(*chosen));

    if (!chosen)
        return false;
    for (uint32_t i = 0; i < count; i++)
        chosen[i] = batch->fields[fields[i]];
    for (uint32_t i = 0; i < batch->field_count && !batch->message_count; i++)
        if (!is_among(i, fields, count))
            note_gone(batch, batch->fields[i].name, STR_NONE);
    memcpy(batch->fields, chosen, count * sizeof(*chosen));
    batch->field_count = count;
    return true;
}

bool batch_rename(struct batch *batch, struct field *field, struct str name)
{
    struct str copy = arena_try_copy(&batch->arena, name);

    if (!copy.data)
        return false;
    note_gone(batch, field->name, copy);
    field->name = copy;
    return true;
}

/* Whether the row was still in; marks it as gone. */
static bool mark_gone(struct batch *batch, uint32_t row)
{
    assert(row < batch->row_count);
    if (!batch->gone) {
        batch->gone = arena_try_alloc(&batch->arena, batch->row_count);
        if (!batch->gone) {
            /* Nothing can be remembered about this row any more: stop, rather than let it pass. */
            batch->stopped = true;
            error_set(&batch->stop_error, ERROR_DATA, "a batch of %u records needs more memory than a batch may use",
                      batch->row_count);
            return false;
        }
        memset(batch->gone, 0, batch->row_count);
    }
    if (batch->gone[row])
        return false;
    batch->gone[row] = 1;
    batch->gone_any = true;
    return true;
}

/* A script may say more than anybody reads. */
static struct str reason_cut(struct str reason)
{
    size_t size = size_min(reason.size, REASON_BYTES_MAX);

    while (size && size < reason.size && ((unsigned char)reason.data[size] & 0xC0) == 0x80)
        size--;
    return str_make(reason.data, size);
}

void batch_dirty(struct batch *batch, uint32_t row, struct str column, struct str reason)
{
    struct dirty_row *dirty;

    if (!mark_gone(batch, row))
        return;
    dirty = arena_try_alloc(&batch->arena, sizeof(*dirty));
    if (!dirty) {
        batch->stopped = true;
        error_set(&batch->stop_error, ERROR_DATA, "a batch of %u records needs more memory than a batch may use",
                  batch->row_count);
        return;
    }
    *dirty = (struct dirty_row){
        .message = batch->row_message ? batch->row_message[row] : row,
        .index = batch->row_index ? batch->row_index[row] : 0,
        .stage = batch->stage,
        .column = arena_try_copy(&batch->arena, column),
        .reason = arena_try_copy(&batch->arena, reason_cut(reason)),
    };
    if (!dirty->reason.data)
        dirty->reason = STR("there is no memory left for its reason");
    *batch->dirty_tail = dirty;
    batch->dirty_tail = &dirty->next;
    batch->dirty_count++;
}

void batch_drop(struct batch *batch, uint32_t row)
{
    if (mark_gone(batch, row))
        batch->filtered_count++;
}

void batch_fail(struct batch *batch, uint32_t row, struct str column, const char *format, ...)
{
    char reason[512];
    va_list arguments;
    int size;

    if (batch->when_error == WHEN_ERROR_DROP) {
        batch_drop(batch, row);
        return;
    }
    va_start(arguments, format);
    size = vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (batch->when_error == WHEN_ERROR_STOP && !batch->stopped) {
        batch->stopped = true;
        error_set(&batch->stop_error, ERROR_DATA, "partition %d offset %lld: %s%.*s%s%s", batch->partition,
                  (long long)batch_message(batch, row)->offset, column.size ? "column " : "", STR_ARG(column),
                  column.size ? ": " : "", reason);
    }
    batch_dirty(batch, row, column, str_make(reason, size < 0 ? 0 : size_min((size_t)size, sizeof(reason) - 1)));
}

void batch_sweep(struct batch *batch)
{
    uint32_t kept = 0;

    if (!batch->gone_any)
        return;
    for (uint32_t i = 0; i < batch->selected; i++)
        if (!batch->gone[batch->selection[i]])
            batch->selection[kept++] = batch->selection[i];
    batch->selected = kept;
    batch->gone_any = false;
}

bool batch_keep(struct batch *batch, const struct column *mask, struct error *error)
{
    static const uint8_t no_null = 0;
    const uint8_t *truth = mask->boolean, *null = mask->null ? mask->null : &no_null;
    uint32_t null_mask = mask->null ? UINT32_MAX : 0;
    uint32_t *selection, selected, kept = 0;

    if (mask->type.kind != TYPE_BOOLEAN && mask->type.kind != TYPE_NULL) {
        char name[TYPE_NAME_MAX];

        return error_set(error, ERROR_SCRIPT, "keep takes a boolean column, this one is %s", type_print(mask->type, name));
    }
    assert(mask->rows == batch->row_count);
    batch_sweep(batch);
    selection = batch->selection;
    selected = mask->type.kind == TYPE_NULL ? 0 : batch->selected;
    for (uint32_t i = 0; i < selected; i++) {
        uint32_t row = selection[i];

        /* Without a branch: which rows stay is what no predictor can know. */
        selection[kept] = row;
        kept += (truth[row] != 0) & (null[row & null_mask] == 0);
    }
    batch->filtered_count += batch->selected - kept;
    batch->selected = kept;
    return true;
}

bool batch_expand(struct batch *batch, const uint32_t *source, uint32_t rows)
{
    struct arena *arena = &batch->arena;
    uint32_t *messages = arena_try_array(arena, rows, sizeof(*messages));
    uint32_t *indexes = arena_try_array(arena, rows, sizeof(*indexes));
    uint32_t *selection = arena_try_array(arena, rows, sizeof(*selection));
    uint8_t *operation = batch->operation ? arena_try_alloc(arena, rows) : NULL;
    uint32_t *sources = batch->row_source ? arena_try_array(arena, rows, sizeof(*sources)) : NULL;
    struct column **columns = arena_try_array(arena, batch->field_count, sizeof(struct column *));
    uint32_t named = 0;

    if (!messages || !indexes || !selection || !columns || (batch->operation && !operation) ||
        (batch->row_source && !sources))
        return false;
    /* All fields or none: a script may look at the batch once more. */
    for (uint32_t i = 0; i < batch->field_count; i++) {
        const struct column *column = batch->fields[i].column;

        columns[i] = column ? column_try_gather(arena, column, source, rows) : NULL;
        if (column && !columns[i])
            return false;
    }
    if (!batch->index_next) {
        batch->index_next = arena_try_array(arena, batch->message_count, sizeof(*batch->index_next));
        if (!batch->index_next)
            return false;
        memset(batch->index_next, 0, batch->message_count * sizeof(*batch->index_next));
    }
    batch_sweep(batch);
    for (uint32_t i = 0; i < rows; i++) {
        named += i == 0 || source[i] != source[i - 1];
        messages[i] = batch->row_message ? batch->row_message[source[i]] : source[i];
        indexes[i] = batch->index_next[messages[i]]++;
        selection[i] = i;
        if (operation)
            operation[i] = batch->operation[source[i]];
        if (sources)
            sources[i] = batch->row_source[source[i]];
    }
    for (uint32_t i = 0; i < batch->field_count; i++)
        batch->fields[i].column = columns[i];
    assert(named <= batch->selected);
    batch->filtered_count += batch->selected - named;
    batch->expanded_count += rows - named;
    batch->row_count = batch->selected = rows;
    batch->row_message = messages;
    batch->row_index = indexes;
    batch->operation = operation;
    batch->row_source = sources;
    batch->selection = selection;
    batch->gone = NULL;
    batch->gone_any = false;
    return true;
}
