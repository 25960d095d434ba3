/* failure.c: what the log says of a row whose code failed: the message, where the row comes from, and the shape of what was in
 * it. Clear values do not reach the log: reasons of dirty rows show their beginning, so that part of a message is masked here. */
#include "script/internal.h"

#include <stdio.h>

#include "batch/masked.h"
#include "util/clock.h"

enum { FIELDS_SHOWN_MAX = 8, NAME_BYTES_MAX = 40, LINES_MAX = 5, LINES_MS = 10 * 1000 };

/* The part of a message that is a value: what stands before one of these, back to the ": " before it. */
void failure_mask(struct buffer *text, const char *message)
{
    static const char *const behind_values[] = {" cannot become ", "\" is no time: "};
    const char *end = NULL, *begin = message;
    char shape[MASKED_MAX];

    for (size_t i = 0; i < COUNT_OF(behind_values) && !end; i++)
        end = strstr(message, behind_values[i]);
    if (!end) {
        buffer_append_str(text, str_of(message));
        return;
    }
    for (const char *at = message; at < end && *at != '"'; at++)
        if (at[0] == ':' && at[1] == ' ')
            begin = at + 2;
    /* A field's name stands in quotes before the value: field "amount": "12x" cannot become ... */
    if (strncmp(begin, "field \"", 7) == 0) {
        const char *colon = strstr(begin + 7, "\": ");

        if (colon && colon < end)
            begin = colon + 3;
    }
    buffer_append(text, message, (size_t)(begin - message));
    /* "a value of type table", "decimal 1.5": the words in front are ours. */
    if (strncmp(begin, "a value of type ", 16) == 0) {
        buffer_append_str(text, str_of(begin));
        return;
    }
    if (strncmp(begin, "decimal ", 8) == 0) {
        buffer_append_str(text, STR("decimal "));
        begin += 8;
    }
    buffer_append(text, shape, masked_text(str_make(begin, (size_t)(end - begin)), shape));
    buffer_append_str(text, str_of(end));
}

static void append_values(struct buffer *text, const struct batch *batch, uint32_t row)
{
    unsigned shown = 0;

    /* Source fields last: what stages made of them is easier to read. */
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < batch->field_count && shown < FIELDS_SHOWN_MAX; i++) {
            const struct field *field = &batch->fields[i];
            char shape[MASKED_MAX];

            if ((pass == 1) != (field->builtin >= 0) || !field->column || field->column->rows <= row ||
                field->builtin == BUILTIN_OFFSET || field->builtin == BUILTIN_PARTITION)
                continue;
            buffer_print(text, "%s%.*s=", shown++ ? " " : ", values: ", STR_ARG(str_head(field->name, NAME_BYTES_MAX)));
            buffer_append_str(text, masked_value(field->column, row, shape));
        }
    }
}

/* A stage may fail on every row: some lines in a while tell what is wrong, and the dirty rows tell it of each. */
static bool has_room(struct script_state *state)
{
    int64_t now_ms = clock_monotonic_ms();

    if (!state->failure_lines || now_ms - state->failure_lines_ms >= LINES_MS) {
        if (state->failures_unsaid)
            log_warn(state->log, "%u more rows failed in stages, of which the log says nothing", state->failures_unsaid);
        state->failure_lines_ms = now_ms;
        state->failure_lines = 0;
        state->failures_unsaid = 0;
    }
    if (state->failure_lines < LINES_MAX) {
        state->failure_lines++;
        return true;
    }
    state->failures_unsaid++;
    return false;
}

void failure_log(struct script_state *state, const struct batch *batch, uint32_t row, const char *message)
{
    bool loud = batch->when_error == WHEN_ERROR_DIRTY || batch->when_error == WHEN_ERROR_STOP;
    enum log_level level = loud && has_room(state) ? LOG_WARN : LOG_DEBUG;
    struct buffer text;

    if (!log_enabled(state->log, level))
        return;
    buffer_init(&text, 4096);
    failure_mask(&text, message);
    buffer_print(&text, " (record: partition %d, offset %lld", batch->partition, (long long)batch_message(batch, row)->offset);
    if (batch->row_index)
        buffer_print(&text, ", index %u", (unsigned)batch->row_index[row]);
    append_values(&text, batch, row);
    buffer_append_char(&text, ')');
    log_print(state->log, level, "stage %s: a row failed: %s", state->run.module ? state->run.module->stage : "?",
              buffer_text(&text));
    buffer_release(&text);
}
