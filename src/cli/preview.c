/* preview.c: `luaduct preview JOB --stage NAME`: what one stage does with the rows of a sample, or with rows typed by hand.
 * A table has a line for each row that goes in, and below it one for each that comes out. All records of the sample go through
 * the stages, for stages may remember; only the first rows are kept to be shown. */
#include "tryout/preview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/tryout.h"
#include "tryout/rows.h"

enum { LIMIT_DEFAULT = 20 };

struct shown_field {
    struct str name; /* of a kept preview */
    bool before, after;
};

struct look {
    struct tryout tryout;
    const char *rows_path;
    size_t limit; /* rows that go in */
    bool limit_given, all_fields, hand;

    struct preview *kept;
    size_t kept_count, kept_capacity, kept_rows;
    struct shown_field *fields;
    size_t field_count, field_capacity;
    uint64_t rows_in, rows_out, filtered, dirty, expanded, earlier_filtered, earlier_dirty;
    struct value_printer printer;
};

static const char usage[] =
    "usage: luaduct preview JOB.yaml --stage NAME --sample FILE [--limit N] [--all-fields] [--any-topic] [--json] [--no-color]\n"
    "       luaduct preview JOB.yaml --stage NAME --rows FILE ...\n"
    "Shows the rows that go into a stage, and below each what becomes of it. The stages before it run too, those behind it do\n"
    "not, and nothing leaves the machine. A changed value is marked ~, a new field +, one that is gone -.\n"
    "  --stage NAME    the stage, as the job names it\n"
    "  --sample FILE   from `luaduct sample`, or written by hand (`luaduct help sample`)\n"
    "  --rows FILE     rows typed by hand, which go into this stage alone: a line of JSON a row, with the fields that come into\n"
    "                  it, as in {\"id\": 1, \"city\": null, \"note\": \"\"}; a field that is left out is NULL\n"
    "  --limit N       rows shown (default 20; with --json all)\n"
    "  --all-fields    source fields that the stage does not read as well\n"
    "  --any-topic     takes a sample of another topic too\n"
    "  --json          lines of JSON, each with a \"kind\": row (partition, offset, index, in: fields, out: a list of {index,\n"
    "                  fields, changed: names}, dirty: a list of {index, column, reason}, filtered), summary (rows_in, "
    "rows_out,\n"
    "                  filtered, dirty, expanded, earlier_filtered, earlier_dirty)\n"
    "  --no-color      no colours, as with NO_COLOR in the environment\n"
    "Exit status: 0 done, also with dirty rows, 1 the stage stopped, 2 a mistake in a file or on the command line.\n";

/* --- fields --- */

static struct shown_field *field_shown(struct look *look, struct str name)
{
    for (size_t i = 0; i < look->field_count; i++)
        if (str_equal(look->fields[i].name, name))
            return &look->fields[i];
    XGROW(look->fields, look->field_count, look->field_capacity);
    look->fields[look->field_count] = (struct shown_field){.name = name};
    return &look->fields[look->field_count++];
}

/* A field is worth a column when one batch has something to say of it. */
static void fields_gather(struct look *look, const struct preview *preview)
{
    for (uint32_t i = 0; i < preview->field_count; i++)
        if (look->all_fields || !preview_field_is_idle(preview, preview->fields[i].name))
            field_shown(look, preview->fields[i].name)->before = true;
    for (uint32_t i = 0; i < preview->batch->field_count; i++)
        if (look->all_fields || !preview_field_is_idle(preview, preview->batch->fields[i].name))
            field_shown(look, preview->batch->fields[i].name)->after = true;
}

/* --- the table --- */

static void value_add(struct look *look, struct grid *grid, const struct value *value, const char *mark, enum grid_style style)
{
    struct buffer text;

    buffer_init(&text, 0);
    if (!value->value.null)
        value_print(&look->printer, &value->type, &value->value, &text);
    grid_add_value(grid, value->value.null ? STR_NONE : buffer_str(&text), value_is_text(value->type.kind), mark, style);
    buffer_release(&text);
}

static void in_add(struct look *look, struct grid *grid, const struct preview *preview, const struct preview_in *in)
{
    struct buffer headers;

    buffer_init(&headers, 0);
    if (look->hand)
        grid_add(grid, "%u", in->message + 1);
    else
        grid_add(grid, in->index ? "%d/%" PRId64 "/%u" : "%d/%" PRId64, preview->batch->partition,
                 preview->batch->messages[in->message].offset, in->index);
    grid_add(grid, "in");
    for (size_t i = 0; i < look->field_count; i++) {
        const struct field *field = preview_field_in(preview, look->fields[i].name);
        struct value value;

        if (field) {
            preview_value_in(preview, field, in, &headers, &value);
            value_add(look, grid, &value, "", GRID_PLAIN);
        } else {
            grid_add(grid, "%s", "");
        }
    }
    buffer_release(&headers);
}

static void out_add(struct look *look, struct grid *grid, const struct preview *preview, const struct preview_out *out)
{
    const struct preview_in *in = &preview->ins[out->in];
    struct buffer headers, headers_before;

    buffer_init(&headers, 0);
    buffer_init(&headers_before, 0);
    grid_add(grid, "%s", "");
    if (in->count > 1)
        grid_add(grid, "out %zu", (size_t)(out - &preview->outs[in->first]) + 1);
    else
        grid_add(grid, "out");
    for (size_t i = 0; i < look->field_count; i++) {
        const struct field *before = preview_field_in(preview, look->fields[i].name);
        const struct field *after = batch_field(preview->batch, look->fields[i].name);
        struct value value, old;
        bool changed = false;

        if (!after) {
            grid_add(grid, "%s", "");
            continue;
        }
        preview_value_out(preview, after, out, &headers, &value);
        if (before) {
            preview_value_in(preview, before, in, &headers_before, &old);
            changed = !preview_value_equal(&old, &value);
        }
        value_add(look, grid, &value, changed ? "~" : "", changed ? GRID_CHANGED : before ? GRID_DIM : GRID_NEW);
    }
    buffer_release(&headers);
    buffer_release(&headers_before);
}

static void gone_add(const struct look *look, struct grid *grid, const char *word)
{
    grid_add(grid, "%s", "");
    grid_add_text(grid, str_of(word), GRID_GONE);
    for (size_t i = 0; i < look->field_count; i++)
        grid_add(grid, "%s", "");
}

static void rows_show(struct look *look, struct buffer *text)
{
    size_t left = look->limit;
    struct grid grid;

    tryout_grid(&look->tryout, &grid, look->field_count + 2);
    grid.keys = 2;
    grid_add(&grid, look->hand ? "row" : "record");
    grid_add(&grid, "%s", "");
    for (size_t i = 0; i < look->field_count; i++)
        grid_add(&grid, "%s%.*s",
                 !look->fields[i].before  ? "+"
                 : !look->fields[i].after ? "-"
                                          : "",
                 STR_ARG(look->fields[i].name));
    for (size_t k = 0; k < look->kept_count; k++) {
        const struct preview *preview = &look->kept[k];

        for (size_t i = 0; i < preview->in_count && left; i++, left--) {
            const struct preview_in *in = &preview->ins[i];

            in_add(look, &grid, preview, in);
            for (size_t j = in->first; j < in->first + in->count; j++) {
                if (preview->outs[j].dirty)
                    gone_add(look, &grid, "dirty");
                else
                    out_add(look, &grid, preview, &preview->outs[j]);
            }
            if (!in->count)
                gone_add(look, &grid, "filtered");
        }
    }
    if (grid.count > grid.columns)
        grid_print(&grid, 0, text);
    grid_release(&grid);
}

static void dirty_show(struct look *look, struct buffer *text)
{
    size_t left = look->limit;
    struct grid grid;

    tryout_grid(&look->tryout, &grid, 3);
    grid.width = grid.cell_max = 0; /* a reason is never cut, for it may end with file and line */
    grid_add(&grid, look->hand ? "row" : "record");
    grid_add(&grid, "column");
    grid_add(&grid, "why it is dirty");
    for (size_t k = 0; k < look->kept_count; k++) {
        const struct preview *preview = &look->kept[k];

        for (size_t i = 0; i < preview->in_count && left; i++, left--) {
            const struct preview_in *in = &preview->ins[i];

            for (size_t j = in->first; j < in->first + in->count; j++) {
                const struct preview_out *out = &preview->outs[j];

                if (!out->dirty)
                    continue;
                if (look->hand)
                    grid_add(&grid, "%u", in->message + 1);
                else
                    grid_add(&grid, out->index ? "%d/%" PRId64 "/%u" : "%d/%" PRId64, preview->batch->partition,
                             preview->batch->messages[in->message].offset, out->index);
                grid_add_text(&grid, out->dirty->column, GRID_PLAIN);
                grid_add_text(&grid, out->dirty->reason, GRID_GONE);
            }
        }
    }
    if (grid.count > grid.columns) {
        buffer_append_char(text, '\n');
        grid_print(&grid, 0, text);
    }
    grid_release(&grid);
}

static void table_show(struct look *look)
{
    struct buffer text;

    buffer_init(&text, 0);
    for (size_t k = 0; k < look->kept_count; k++)
        fields_gather(look, &look->kept[k]);
    rows_show(look, &text);
    dirty_show(look, &text);
    if (look->rows_in > look->limit)
        buffer_print(&text, "... and %" PRIu64 " more rows; --limit N shows more\n", look->rows_in - look->limit);
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
    for (size_t i = 0; i < preview->in_count && look->rows_in + i < look->limit; i++) {
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

    if (!preview_run(&preview, look->tryout.engine.chain, batch, look->tryout.stage, look->hand, error)) {
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
    if (look->tryout.json || look->kept_rows >= look->limit || !preview.in_count) {
        preview_release(&preview);
        return true;
    }
    look->kept_rows += preview.in_count;
    XGROW(look->kept, look->kept_count, look->kept_capacity);
    look->kept[look->kept_count++] = preview;
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
    value_printer_init(&look->printer, engine->job->time_zone);
    if (look->hand)
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
            look->all_fields = true;
        } else if (value && strcmp(argv[i], "--rows") == 0) {
            look->rows_path = argv[++i];
        } else if (value && strcmp(argv[i], "--limit") == 0) {
            if (!tryout_number(tryout, "--limit", argv[++i], 1, &look->limit))
                return false;
            look->limit_given = true;
        } else if (!tryout_argument(tryout, argc, argv, &i)) {
            (void)tryout_refuse(tryout, true, "\"%s\" is not understood", argv[i]);
            return false;
        }
    }
    look->hand = look->rows_path != NULL;
    if (!look->limit_given)
        look->limit = tryout->json ? SIZE_MAX : LIMIT_DEFAULT;
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
    struct look look = {.tryout = {.name = "preview", .usage = usage, .takes = TRYOUT_SAMPLE | TRYOUT_STAGE}};
    int status;

    if (tryout_help(&look.tryout, argc, argv))
        return EXIT_OK;
    if (!arguments_read(&look, argc, argv))
        return EXIT_CONFIG;
    status = tryout_open(&look.tryout);
    if (status == EXIT_OK)
        status = run(&look);
    for (size_t i = 0; i < look.kept_count; i++)
        preview_release(&look.kept[i]);
    free(look.kept);
    free(look.fields);
    value_printer_release(&look.printer);
    tryout_close(&look.tryout);
    return status;
}
