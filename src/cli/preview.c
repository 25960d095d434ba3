/* preview.c: `luaduct preview JOB --stage NAME`: what one stage does with the rows of a sample, or with rows typed by hand. All
 * records of the sample go through the stages, for stages may remember; only the first rows are kept to be shown. */
#include "cli/preview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/word.h"
#include "tryout/rows.h"

enum { LIMIT_DEFAULT = 20 };

struct look {
    struct tryout tryout;
    const char *rows_path, *layout;
    bool limit_given;

    struct preview_show show;
    size_t kept_rows;
    uint64_t rows_in, rows_out, filtered, dirty, expanded, earlier_filtered, earlier_dirty;
};

static const char usage[] =
    "usage: luaduct preview JOB.yaml --stage NAME --sample FILE [--limit N] [--all-fields] [--layout blocks|rows]\n"
    "                       [--any-topic] [--json] [--no-color]\n"
    "       luaduct preview JOB.yaml --stage NAME --rows FILE ...\n"
    "Shows the rows that go into a stage and what becomes of each, before and after side by side. The stages before it run\n"
    "too, those behind it do not, and nothing leaves the machine. A changed field is marked ~, a new one +, one that is gone -;\n"
    "= stands before one that the stage leaves as it is.\n"
    "  --stage NAME    the stage, as the job names it\n"
    "  --sample FILE   from `luaduct sample`, or written by hand (`luaduct help sample`)\n"
    "  --rows FILE     rows typed by hand, which go into this stage alone: a line of JSON a row, with the fields that come into\n"
    "                  it, as in {\"id\": 1, \"city\": null, \"note\": \"\"}; a field that is left out is NULL\n"
    "  --limit N       rows shown (default 20; with --json all)\n"
    "  --all-fields    a line, or a column, for every field: also what a row keeps, and source fields that nobody reads\n"
    "  --layout NAME   blocks (the default): a block for each row, a line for each field; rows: a table with a column for each\n"
    "                  field, where a row after the stage stands below what it was before\n"
    "  --any-topic     takes a sample of another topic too\n"
    "  --json          lines of JSON, each with a \"kind\": row (partition, offset, index, in: fields, out: a list of {index,\n"
    "                  fields, changed: names}, dirty: a list of {index, column, reason}, filtered), summary (rows_in, "
    "rows_out,\n"
    "                  filtered, dirty, expanded, earlier_filtered, earlier_dirty)\n"
    "  --no-color      no colours, as with NO_COLOR in the environment\n"
    "Exit status: 0 done, also with dirty rows, 1 the stage stopped, 2 a mistake in a file or on the command line.\n";

static void table_show(struct look *look)
{
    struct buffer text;

    buffer_init(&text, 0);
    if (strcmp(look->layout, "rows") == 0)
        preview_show_rows(&look->show, &text);
    else
        preview_show_blocks(&look->show, &text);
    if (look->rows_in > look->show.limit)
        buffer_print(&text, "\n... and %" PRIu64 " more row%s; --limit N shows more\n", look->rows_in - look->show.limit,
                     look->rows_in - look->show.limit == 1 ? "" : "s");
    buffer_print(&text, "\nstage %s: %" PRIu64 " row%s in, %" PRIu64 " out, %" PRIu64 " filtered, %" PRIu64 " dirty",
                 look->tryout.stage_name, look->rows_in, look->rows_in == 1 ? "" : "s", look->rows_out, look->filtered,
                 look->dirty);
    if (look->expanded)
        buffer_print(&text, ", %" PRIu64 " made by expansion", look->expanded);
    if (look->earlier_filtered || look->earlier_dirty)
        buffer_print(&text, "; before it %" PRIu64 " filtered and %" PRIu64 " dirty", look->earlier_filtered,
                     look->earlier_dirty);
    buffer_append_char(&text, '\n');
    tryout_print(&text);
    buffer_release(&text);
}

void preview_print_origin(const struct preview_show *show, const struct preview *preview, const struct preview_in *in,
                          uint32_t index, struct buffer *text)
{
    if (show->hand)
        buffer_print(text, "%u", in->message + 1);
    else
        buffer_print(text, index ? "%d/%" PRId64 "/%u" : "%d/%" PRId64, preview->batch->partition,
                     preview->batch->messages[in->message].offset, index);
}

/* --- JSON --- */

static void member_json(struct str name, const struct value *value, bool first, struct buffer *text)
{
    if (!first)
        buffer_append_char(text, ',');
    buffer_append_json(text, name);
    buffer_append_char(text, ':');
    value_print_json(&value->type, &value->value, text);
}

static void out_json(const struct preview *preview, const struct preview_out *out, struct buffer *text)
{
    struct buffer headers, headers_before, changed;
    struct value value, old;

    buffer_init(&headers, 0);
    buffer_init(&headers_before, 0);
    buffer_init(&changed, 0);
    buffer_print(text, "{\"index\":%u,\"fields\":{", out->index);
    for (uint32_t i = 0; i < preview->batch->field_count; i++) {
        const struct field *after = &preview->batch->fields[i], *before = preview_field_in(preview, after->name);

        preview_value_out(preview, after, out, &headers, &value);
        member_json(after->name, &value, i == 0, text);
        if (before)
            preview_value_in(preview, before, &preview->ins[out->in], &headers_before, &old);
        if (before && preview_value_equal(&old, &value))
            continue;
        buffer_append_str(&changed, changed.size ? STR(",") : STR(""));
        buffer_append_json(&changed, after->name);
    }
    buffer_append_str(text, STR("},\"changed\":["));
    buffer_append_str(text, buffer_str(&changed));
    buffer_append_str(text, STR("]}"));
    buffer_release(&headers);
    buffer_release(&headers_before);
    buffer_release(&changed);
}

static void dirty_json(const struct preview_out *out, struct buffer *text)
{
    buffer_print(text, "{\"index\":%u,\"column\":", out->index);
    if (out->dirty->column.data)
        buffer_append_json(text, out->dirty->column);
    else
        buffer_append_str(text, STR("null"));
    buffer_append_str(text, STR(",\"reason\":"));
    buffer_append_json(text, out->dirty->reason);
    buffer_append_char(text, '}');
}

static void in_json(const struct preview *preview, const struct preview_in *in, struct buffer *text)
{
    struct buffer headers;
    struct value value;

    buffer_init(&headers, 0);
    buffer_print(text, "{\"kind\":\"row\",\"partition\":%d,\"offset\":%" PRId64 ",\"index\":%u,\"in\":{",
                 preview->batch->partition, preview->batch->messages[in->message].offset, in->index);
    for (uint32_t i = 0; i < preview->field_count; i++) {
        preview_value_in(preview, &preview->fields[i], in, &headers, &value);
        member_json(preview->fields[i].name, &value, i == 0, text);
    }
    buffer_release(&headers);
    for (int dirty = 0; dirty < 2; dirty++) {
        bool first = true;

        buffer_append_str(text, dirty ? STR("],\"dirty\":[") : STR("},\"out\":["));
        for (size_t i = in->first; i < in->first + in->count; i++) {
            if (!preview->outs[i].dirty == (dirty == 1))
                continue;
            buffer_append_str(text, first ? STR("") : STR(","));
            first = false;
            if (dirty)
                dirty_json(&preview->outs[i], text);
            else
                out_json(preview, &preview->outs[i], text);
        }
    }
    buffer_print(text, "],\"filtered\":%s}\n", in->count ? "false" : "true");
}

static void preview_json(const struct look *look, const struct preview *preview)
{
    struct buffer text;

    buffer_init(&text, 0);
    for (size_t i = 0; i < preview->in_count && look->rows_in + i < look->show.limit; i++) {
        in_json(preview, &preview->ins[i], &text);
        tryout_print(&text);
    }
    buffer_release(&text);
}

static void summary_json(const struct look *look)
{
    printf("{\"kind\":\"summary\",\"rows_in\":%" PRIu64 ",\"rows_out\":%" PRIu64 ",\"filtered\":%" PRIu64 ",\"dirty\":%" PRIu64
           ",\"expanded\":%" PRIu64 ",\"earlier_filtered\":%" PRIu64 ",\"earlier_dirty\":%" PRIu64 "}\n",
           look->rows_in, look->rows_out, look->filtered, look->dirty, look->expanded, look->earlier_filtered,
           look->earlier_dirty);
}

/* --- running --- */

/* Takes the batch. */
static bool batch_look(struct look *look, struct batch *batch, struct error *error)
{
    struct preview preview;

    if (!preview_run(&preview, look->tryout.engine.chain, batch, look->tryout.stage, look->show.hand, error)) {
        preview_release(&preview);
        return false;
    }
    if (look->tryout.json)
        preview_json(look, &preview);
    look->rows_in += preview.in_count;
    look->rows_out += preview.batch->selected;
    look->filtered += preview.filtered;
    look->dirty += preview.dirty;
    look->expanded += preview.expanded;
    look->earlier_filtered += preview.earlier_filtered;
    look->earlier_dirty += preview.earlier_dirty;
    if (look->tryout.json || look->kept_rows >= look->show.limit || !preview.in_count) {
        preview_release(&preview);
        return true;
    }
    look->kept_rows += preview.in_count;
    XGROW(look->show.kept, look->show.kept_count, look->show.kept_capacity);
    look->show.kept[look->show.kept_count++] = preview;
    return true;
}

static bool batch_begin_look(struct look *look, struct batch *batch, struct error *error)
{
    if (batch_begin(batch, look->tryout.engine.job->source.fields))
        return batch_look(look, batch, error);
    batch_free(batch);
    return error_set(error, ERROR_FATAL, "a batch does not fit into its memory; lower runtime.batch_rows");
}

/* Batches of one Kafka partition, in the order of offsets, as the hub fills them. */
static bool sample_look(struct look *look, struct error *error)
{
    const struct sample *sample = look->tryout.sample;
    const struct job *job = look->tryout.engine.job;
    struct batch **filling = xcalloc((size_t)sample->partitions, sizeof(struct batch *));
    bool ok = true;

    for (size_t i = 0; ok && i < sample->count; i++) {
        struct batch **batch = &filling[sample->partition_of[i]], *full;

        if (!*batch) {
            *batch = batch_new((size_t)job->runtime.memory_max / 4);
            (*batch)->partition = sample->partition_of[i];
        }
        batch_add_message(*batch, &sample->messages[i], NULL);
        if ((*batch)->message_count < job->runtime.batch_rows && (*batch)->bytes < BUDGET_BATCH_BYTES)
            continue;
        full = *batch;
        *batch = NULL;
        ok = batch_begin_look(look, full, error);
    }
    for (int32_t i = 0; i < sample->partitions; i++) {
        if (ok && filling[i])
            ok = batch_begin_look(look, filling[i], error);
        else
            batch_free(filling[i]);
    }
    free(filling);
    return ok;
}

static int hand_look(struct look *look, struct error *error, bool *ok_out)
{
    struct engine *engine = &look->tryout.engine;
    struct batch *batch;

    *ok_out = chain_probe_some(engine->chain, engine->job, engine->probe, look->tryout.stage, engine->report, error);
    if (!*ok_out || !rows_read(&batch, look->rows_path, engine->job, engine->probe, engine->report))
        return tryout_report(&look->tryout, EXIT_CONFIG);
    *ok_out = batch_look(look, batch, error);
    return EXIT_OK;
}

static int run(struct look *look)
{
    struct engine *engine = &look->tryout.engine;
    struct error error = {0};
    int status = EXIT_OK;
    bool ok;

    engine_parameters(engine, 0);
    value_printer_init(&look->show.printer, engine->job->time_zone);
    if (look->show.hand)
        status = hand_look(look, &error, &ok);
    else
        ok = sample_look(look, &error);
    if (status == EXIT_OK && !look->tryout.json)
        table_show(look);
    else if (status == EXIT_OK)
        summary_json(look);
    if (status == EXIT_OK && !ok) {
        log_redact(error.text);
        (void)tryout_refuse(&look->tryout, false, "the job would stop here: %s", error.text);
        status = EXIT_FAILED;
    }
    return status == EXIT_CONFIG ? status : tryout_report(&look->tryout, status);
}

static bool arguments_read(struct look *look, int argc, char **argv)
{
    struct tryout *tryout = &look->tryout;

    for (int i = 1; i < argc; i++) {
        bool value = i + 1 < argc;

        if (strcmp(argv[i], "--all-fields") == 0) {
            look->show.all_fields = true;
        } else if (value && strcmp(argv[i], "--rows") == 0) {
            look->rows_path = argv[++i];
        } else if (value && strcmp(argv[i], "--layout") == 0) {
            look->layout = argv[++i];
            if (strcmp(look->layout, "blocks") == 0 || strcmp(look->layout, "rows") == 0)
                continue;
            (void)tryout_refuse(tryout, false, "--layout takes blocks or rows, not \"%s\"", look->layout);
            return false;
        } else if (value && strcmp(argv[i], "--limit") == 0) {
            if (!tryout_number(tryout, "--limit", argv[++i], 1, &look->show.limit))
                return false;
            look->limit_given = true;
        } else if (!tryout_argument(tryout, argc, argv, &i)) {
            (void)word_refuse("preview", argv + i, usage);
            return false;
        }
    }
    look->show.hand = look->rows_path != NULL;
    if (!look->limit_given)
        look->show.limit = tryout->json ? SIZE_MAX : LIMIT_DEFAULT;
    if (!tryout->job_path)
        return true; /* tryout_open says so */
    if (!tryout->stage_name && (look->rows_path || tryout->sample_path))
        tryout->stage_name = ""; /* tryout_open names those that there are */
    if (!tryout->stage_name)
        (void)tryout_refuse(tryout, false, "--stage NAME is wanted: the stage to look at");
    else if (!look->rows_path == !tryout->sample_path)
        (void)tryout_refuse(
            tryout, false,
            look->rows_path
                ? "--sample and --rows do not go together"
                : "--sample FILE is wanted (`luaduct sample %s` takes one out of the topic), or --rows FILE with rows "
                  "typed by hand",
            tryout->job_path);
    else
        return true;
    return false;
}

int cli_preview(int argc, char **argv)
{
    struct look look = {.tryout = {.name = "preview", .usage = usage, .takes = TRYOUT_SAMPLE | TRYOUT_STAGE}, .layout = "blocks"};
    int status;

    look.show.tryout = &look.tryout;
    if (tryout_help(&look.tryout, argc, argv))
        return EXIT_OK;
    if (!arguments_read(&look, argc, argv))
        return EXIT_CONFIG;
    status = tryout_open(&look.tryout);
    if (status == EXIT_OK)
        status = run(&look);
    for (size_t i = 0; i < look.show.kept_count; i++)
        preview_release(&look.show.kept[i]);
    free(look.show.kept);
    value_printer_release(&look.show.printer);
    tryout_close(&look.tryout);
    return status;
}
