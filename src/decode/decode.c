/* decode.c: the table of kinds, and what they share. */
#include "decode/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct decode_kind *const kinds[] = {&decode_text, &decode_json_lines, &decode_csv};

struct decoder {
    const struct decode_kind *kind;
    void *state;
    enum when_error when_error;
};

void decode_mistake(struct decode_source *source, const char *option, const char *format, ...)
{
    struct tree_node *node = NULL;
    char path[160], text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    snprintf(path, sizeof(path), "source.decode%s%s", *option ? "." : "", option);
    if (source->job->tree)
        node = tree_at(source->job->tree, path, true);
    if (source->report)
        report_mistake(source->report, node ? node->at : (struct location){0}, node ? node->width : 1, "%s: %s", path, text);
    if (source->mistakes++ == 0)
        error_set(source->error, ERROR_CONFIG, "%s: %s", path, text);
}

void decode_need_field(struct decode_source *source, enum batch_builtin builtin)
{
    if (!(source->job->source.fields & 1u << builtin))
        decode_mistake(source, "", "needs the field %s, which source.fields leaves out", batch_builtin_names[builtin]);
}

void decode_replace(struct batch *batch, enum batch_builtin builtin, struct column *column)
{
    for (uint32_t i = 0; i < batch->field_count; i++)
        if (batch->fields[i].builtin == (int)builtin)
            batch->fields[i].column = column;
}

bool decode_full(struct error *error)
{
    return error_set(error, ERROR_DATA, "the batch needs more memory than a batch may use; lower runtime.batch_rows");
}

bool decode_too_many(struct error *error)
{
    return error_set(error, ERROR_DATA, "the records of one batch make more than %d rows; lower runtime.batch_rows",
                     BATCH_EXPANDED_ROWS_MAX);
}

void *decode_grow(struct arena *arena, const void *old, size_t used, size_t capacity, size_t size)
{
    void *grown = arena_try_array(arena, capacity, size);

    if (grown && used)
        memcpy(grown, old, used * size);
    return grown;
}

bool decoder_open(struct decoder **decoder_out, const struct job *job, const struct zone *zone, struct report *report,
                  struct error *error)
{
    static const enum when_error rules[] = {
        [DECODE_DIRTY] = WHEN_ERROR_DIRTY,
        [DECODE_DROP] = WHEN_ERROR_DROP,
        [DECODE_STOP] = WHEN_ERROR_STOP,
    };
    const struct job_decode *options = &job->source.decode;
    struct decode_source source = {job, options, zone, report, error, 0};
    const struct decode_kind *kind = NULL;
    void *state;

    *decoder_out = NULL;
    if (!options->kind || strcmp(options->kind, "raw") == 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i]->name, options->kind) == 0)
            kind = kinds[i];
    assert(kind); /* the option table knows the same kinds */
    state = kind->open(&source);
    if (source.mistakes) {
        kind->close(state);
        return false;
    }
    *decoder_out = xcalloc(1, sizeof(**decoder_out));
    **decoder_out = (struct decoder){kind, state, rules[options->when_error]};
    return true;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    decoder->kind->close(decoder->state);
    free(decoder);
}

bool decoder_run(struct decoder *decoder, struct batch *batch, struct error *error)
{
    bool ok;

    batch->stage = "decode";
    batch->when_error = decoder->when_error;
    ok = decoder->kind->run(decoder->state, batch, error);
    batch_sweep(batch);
    if (ok && batch->stopped) {
        *error = batch->stop_error;
        ok = false;
    }
    return ok || error_wrap(error, "decode");
}
