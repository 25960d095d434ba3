/* simulate.c: `luaduct simulate JOB --sample FILE`: the whole job on a sample, which is written nowhere (tryout/simulate.h). */
#include "tryout/simulate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/target.h"
#include "cli/tryout.h"
#include "cli/word.h"
#include "dirty/dirty.h"
#include "route/route.h"
#include "tryout/value.h"

enum { ROWS_DEFAULT = 10, DIRTY_MAX = 50, REASONS_MIN = 5, PARTITIONS_MAX = 20 };

struct simulate {
    struct tryout tryout;
    const char *partition;
    size_t rows_max; /* of a table partition; SIZE_MAX: all */
    bool rows_given, allow_dirty;
    struct simulation *simulation;
    struct value_printer printer;
};

static const char usage[] =
    "usage: luaduct simulate JOB.yaml --sample FILE [--rows N] [--partition SPEC] [--connect] [--allow-dirty] [--any-topic]\n"
    "                        [--json] [--no-color]\n"
    "Runs the job on a sample as a real run would, and shows the rows as they would be written, by table partition. It writes\n"
    "nothing, to any end, and without --connect it asks nobody: the table is then the one that the job would make.\n"
    "  --sample FILE     from `luaduct sample`, or written by hand (`luaduct help sample`)\n"
    "  --rows N          rows shown of each partition (default 10; with --json all)\n"
    "  --partition SPEC  shows this one only, as in year=2024,month=01\n"
    "  --connect         reads the columns of the table at the service, and nothing else\n"
    "  --allow-dirty     dirty rows are fine: the exit status is 0\n"
    "  --any-topic       takes a sample of another topic too\n"
    "  --json            lines of JSON, each with a \"kind\": row (partition, values by column), dirty (partition, offset, "
    "index,\n"
    "                    stage, column, reason), stage (name, rows_in, rows_out, filtered, dirty, expanded, milliseconds),\n"
    "                    summary (read, expanded, written, filtered, dirty), error (text: the job would stop)\n"
    "  --no-color        no colours, as with NO_COLOR in the environment\n"
    "Times are shown in the job's zone, with --json in UTC. Exit status: 0 fine, 1 there were dirty rows, or the job would "
    "stop,\n"
    "2 a mistake in a file or on the command line.\n";

/* --- the table --- */

/* The schema into engine->create_schema, from the service or from the job. */
static int schema_find(struct tryout *tryout)
{
    struct engine *engine = &tryout->engine;
    const struct job *job = engine->job;
    struct error error = {0};
    struct mc_schema schema;
    bool there;

    if (tryout->connect) {
        engine_connect(engine);
        if (!target_ask(engine, &schema, &there, &error))
            return tryout_failed(tryout, &error);
        if (there) {
            engine->create_schema = schema;
            engine->has_create_schema = true;
            return route_check(job, &engine->create_schema, engine->probe, engine->report) ? EXIT_OK
                                                                                           : tryout_report(tryout, EXIT_CONFIG);
        }
    } else if (job->target.create == CREATE_NEVER && !tryout_has_columns(job)) {
        return tryout_refuse(tryout, false,
                             "the columns of table %s are not known: the job does not make it (create: never) and %s. With "
                             "--connect they are read at the service; `luaduct columns %s` prints a list for target.columns",
                             engine->table, job->target.column_count ? "target.columns has no types" : "lists no target.columns",
                             tryout->job_path);
    }
    return engine_create_schema(engine) ? EXIT_OK : tryout_report(tryout, EXIT_CONFIG);
}

/* --- rows --- */

struct rows_walk {
    struct simulate *simulate;
    const struct memory_partition *partition;
    struct grid *grid; /* NULL: JSON */
    size_t shown;
};

static void row_grid(struct rows_walk *walk, const struct record_value *values)
{
    const struct mc_schema *schema = simulation_schema(walk->simulate->simulation);
    struct buffer text;

    buffer_init(&text, 0);
    grid_add(walk->grid, "%zu", walk->shown);
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct mc_type *type = &schema->columns[i].type;

        buffer_clear(&text);
        if (!values[i].null)
            value_print(&walk->simulate->printer, type, &values[i], &text);
        grid_add_value(walk->grid, values[i].null ? STR_NONE : buffer_str(&text), value_is_text(type->kind), "", GRID_PLAIN);
    }
    buffer_release(&text);
}

static void row_json(struct rows_walk *walk, const struct record_value *values)
{
    const struct mc_schema *schema = simulation_schema(walk->simulate->simulation);
    struct buffer text;

    buffer_init(&text, 0);
    buffer_append_str(&text, STR("{\"kind\":\"row\",\"partition\":"));
    buffer_append_json(&text, str_of(walk->partition->spec));
    buffer_append_str(&text, STR(",\"values\":{"));
    for (size_t i = 0; i < schema->column_count; i++) {
        if (i)
            buffer_append_char(&text, ',');
        buffer_append_json(&text, str_of(schema->columns[i].name));
        buffer_append_char(&text, ':');
        value_print_json(&schema->columns[i].type, &values[i], &text);
    }
    buffer_append_str(&text, STR("}}\n"));
    tryout_print(&text);
    buffer_release(&text);
}

static bool row_take(void *arg, const struct record_value *values)
{
    struct rows_walk *walk = arg;

    if (walk->shown == walk->simulate->rows_max)
        return false;
    walk->shown++;
    if (walk->grid)
        row_grid(walk, values);
    else
        row_json(walk, values);
    return true;
}

static void heads_add(const struct simulate *simulate, struct grid *grid)
{
    const struct mc_schema *schema = simulation_schema(simulate->simulation);
    struct buffer text;

    buffer_init(&text, 0);
    grid->heads = 2;
    grid->keys = 1;
    grid_add(grid, "#");
    for (size_t i = 0; i < schema->column_count; i++)
        grid_add(grid, "%s", schema->columns[i].name);
    grid_add(grid, "%s", "");
    for (size_t i = 0; i < schema->column_count; i++) {
        buffer_clear(&text);
        mc_type_print(&schema->columns[i].type, &text);
        grid_add_text(grid, buffer_str(&text), GRID_DIM);
    }
    buffer_release(&text);
}

static bool partition_show(struct simulate *simulate, const struct memory_partition *partition, struct error *error)
{
    struct rows_walk walk = {.simulate = simulate, .partition = partition};
    struct buffer text;
    struct grid grid;
    bool ok;

    if (simulate->tryout.json)
        return simulation_walk(simulate->simulation, partition, row_take, &walk, error);
    buffer_init(&text, 0);
    tryout_grid(&simulate->tryout, &grid, simulation_schema(simulate->simulation)->column_count + 1);
    heads_add(simulate, &grid);
    walk.grid = &grid;
    ok = simulation_walk(simulate->simulation, partition, row_take, &walk, error);
    buffer_print(&text, "%s%s: %" PRIu64 " row%s\n", *partition->spec ? "partition " : "table ",
                 *partition->spec ? partition->spec : simulate->tryout.engine.table, partition->rows,
                 partition->rows == 1 ? "" : "s");
    if (simulate->rows_max)
        grid_print(&grid, 2, &text);
    if (partition->rows > walk.shown && simulate->rows_max)
        buffer_print(&text, "  ... and %" PRIu64 " more; --rows N shows more\n", partition->rows - walk.shown);
    buffer_append_char(&text, '\n');
    tryout_print(&text);
    grid_release(&grid);
    buffer_release(&text);
    return ok;
}

static int by_spec(const void *a, const void *b)
{
    const struct memory_partition *const *x = a, *const *y = b;

    return strcmp((*x)->spec, (*y)->spec);
}

static int partitions_show(struct simulate *simulate)
{
    size_t count, shown = 0, more = 0;
    const struct memory_partition *partitions = simulation_partitions(simulate->simulation, &count);
    const struct memory_partition **sorted = xcalloc(count + 1, sizeof(*sorted));
    struct error error = {0};
    bool ok = true, found = !simulate->partition;

    for (size_t i = 0; i < count; i++)
        sorted[i] = &partitions[i];
    if (count)
        qsort(sorted, count, sizeof(*sorted), by_spec);
    for (size_t i = 0; ok && i < count; i++) {
        if (!sorted[i]->rows || (simulate->partition && strcmp(sorted[i]->spec, simulate->partition) != 0))
            continue;
        found = true;
        if (shown == PARTITIONS_MAX && !simulate->tryout.json) {
            more++;
            continue;
        }
        ok = partition_show(simulate, sorted[i], &error);
        shown++;
    }
    if (more)
        printf("... and %zu more partitions; --partition SPEC shows one, --json all\n\n", more);
    if (ok && !found)
        (void)tryout_refuse(&simulate->tryout, false, "no row goes to partition %s; %s%s", simulate->partition,
                            count ? "there is for instance " : "no row is written at all", count ? sorted[0]->spec : "");
    free(sorted);
    return ok ? (found ? EXIT_OK : EXIT_CONFIG) : tryout_failed(&simulate->tryout, &error);
}

/* --- what was not written --- */

/* How often each reason, most frequent first, where there are more rows than a person counts. */
static void reasons_print(const struct simulation_dirty *dirty, struct buffer *text)
{
    struct dirty_reasons *reasons;

    if (dirty->count <= REASONS_MIN)
        return;
    reasons = dirty_reasons_new();
    for (size_t i = 0; i < dirty->count; i++)
        dirty_reasons_add_row(reasons, dirty->rows[i].stage, dirty->rows[i].column, dirty->rows[i].reason);
    buffer_append_char(text, '\n');
    dirty_reasons_print_lines(reasons, text);
    dirty_reasons_free(reasons);
}

static void dirty_show(struct simulate *simulate)
{
    struct simulation_dirty dirty = simulation_dirty(simulate->simulation);
    struct buffer text;
    struct grid grid;

    if (!dirty.count)
        return;
    buffer_init(&text, 0);
    tryout_grid(&simulate->tryout, &grid, 4);
    grid.width = grid.cell_max = 0; /* a reason is never cut, for it may end with file and line */
    grid_add(&grid, "place");
    grid_add(&grid, "stage");
    grid_add(&grid, "column");
    grid_add(&grid, "reason");
    for (size_t i = 0; i < dirty.count && i < DIRTY_MAX; i++) {
        const struct dirty_record *row = &dirty.rows[i];

        grid_add(&grid, row->index ? "%d/%" PRId64 "/%u" : "%d/%" PRId64, row->partition, row->offset, row->index);
        grid_add_text(&grid, row->stage, GRID_PLAIN);
        grid_add_text(&grid, row->column, GRID_PLAIN);
        grid_add_text(&grid, row->reason, GRID_GONE);
    }
    buffer_print(&text, "%zu dirty row%s (place: partition/offset, and /index where a record became several rows)\n", dirty.count,
                 dirty.count == 1 ? "" : "s");
    grid_print(&grid, 2, &text);
    if (dirty.count > DIRTY_MAX)
        buffer_print(&text, "  ... and %zu more; --json shows all\n", dirty.count - DIRTY_MAX);
    reasons_print(&dirty, &text);
    buffer_append_char(&text, '\n');
    tryout_print(&text);
    grid_release(&grid);
    buffer_release(&text);
}

static void json_member(const char *name, struct str value, struct buffer *text)
{
    buffer_print(text, ",\"%s\":", name);
    if (value.data)
        buffer_append_json(text, value);
    else
        buffer_append_str(text, STR("null"));
}

static void dirty_json(struct simulate *simulate)
{
    struct simulation_dirty dirty = simulation_dirty(simulate->simulation);
    struct buffer text;

    buffer_init(&text, 0);
    for (size_t i = 0; i < dirty.count; i++) {
        const struct dirty_record *row = &dirty.rows[i];

        buffer_print(&text, "{\"kind\":\"dirty\",\"partition\":%d,\"offset\":%" PRId64 ",\"index\":%u", row->partition,
                     row->offset, row->index);
        json_member("stage", row->stage, &text);
        json_member("column", row->column, &text);
        json_member("reason", row->reason, &text);
        buffer_append_str(&text, STR("}\n"));
    }
    tryout_print(&text);
    buffer_release(&text);
}

/* --- counts --- */

struct step {
    const char *name, *kind;
    struct chain_counts counts;
    bool timed;
};

/* Mapping and partition rules are no stages of the chain: what they put aside is known from the dirty rows. */
static size_t steps_list(const struct simulate *simulate, struct step *steps)
{
    const struct job *job = simulate->tryout.engine.job;
    static const char *const ends[] = {"mapping", "partition"};
    struct simulation_dirty dirty = simulation_dirty(simulate->simulation);
    struct chain_counts counts;
    uint64_t rows = (uint64_t)simulation_counts(simulate->simulation)->read;
    size_t count = 0;

    if (simulation_decoder_counts(simulate->simulation, &counts))
        steps[count++] = (struct step){"decode", job->source.decode.kind, counts, true};
    for (size_t i = 0; i < job->stage_count; i++)
        steps[count++] =
            (struct step){job->stages[i].name, job->stages[i].kind, simulation_stage_counts(simulate->simulation, i), true};
    if (count)
        rows = steps[count - 1].counts.rows_out;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct step *step = &steps[count];

        if (i == 1 && !job->target.partition_count)
            continue;
        *step = (struct step){.name = ends[i], .kind = "target", .counts.rows_in = rows};
        for (size_t j = 0; j < dirty.count; j++)
            step->counts.dirty += str_is(dirty.rows[j].stage, ends[i]);
        rows -= step->counts.dirty;
        step->counts.rows_out = rows;
        count++;
    }
    return count;
}

static void steps_show(const struct simulate *simulate, const struct step *steps, size_t count, struct buffer *text)
{
    static const char *const names[] = {"stage", "kind", "rows in", "rows out", "filtered", "dirty", "expanded", "ms"};
    struct grid grid;

    tryout_grid(&simulate->tryout, &grid, COUNT_OF(names));
    grid.fit = GRID_CUT;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        grid_add(&grid, "%s", names[i]);
    for (size_t i = 0; i < count; i++) {
        const struct chain_counts *counts = &steps[i].counts;

        grid_add(&grid, "%s", steps[i].name);
        grid_add(&grid, "%s", steps[i].kind);
        grid_add(&grid, "%" PRIu64, counts->rows_in);
        grid_add(&grid, "%" PRIu64, counts->rows_out);
        grid_add(&grid, "%" PRIu64, counts->filtered);
        grid_add(&grid, "%" PRIu64, counts->dirty);
        grid_add(&grid, "%" PRIu64, counts->expanded);
        if (steps[i].timed)
            grid_add(&grid, "%.1f", (double)counts->nanoseconds / 1e6);
        else
            grid_add(&grid, "-");
    }
    grid_print(&grid, 0, text);
    grid_release(&grid);
}

static void steps_json(const struct step *steps, size_t count, struct buffer *text)
{
    for (size_t i = 0; i < count; i++) {
        const struct chain_counts *counts = &steps[i].counts;

        buffer_append_str(text, STR("{\"kind\":\"stage\",\"name\":"));
        buffer_append_json(text, str_of(steps[i].name));
        buffer_print(text,
                     ",\"rows_in\":%" PRIu64 ",\"rows_out\":%" PRIu64 ",\"filtered\":%" PRIu64 ",\"dirty\":%" PRIu64
                     ",\"expanded\":%" PRIu64 ",\"milliseconds\":",
                     counts->rows_in, counts->rows_out, counts->filtered, counts->dirty, counts->expanded);
        if (steps[i].timed)
            buffer_print(text, "%.3f}\n", (double)counts->nanoseconds / 1e6);
        else
            buffer_append_str(text, STR("null}\n"));
    }
}

static void summary_show(const struct simulate *simulate)
{
    const struct job *job = simulate->tryout.engine.job;
    const struct counts *counts = simulation_counts(simulate->simulation);
    struct step *steps = xcalloc(job->stage_count + 3, sizeof(*steps));
    size_t count = steps_list(simulate, steps);
    struct buffer text;

    buffer_init(&text, 0);
    if (simulate->tryout.json) {
        steps_json(steps, count, &text);
        buffer_print(&text,
                     "{\"kind\":\"summary\",\"read\":%" PRId64 ",\"expanded\":%" PRId64 ",\"written\":%" PRId64
                     ",\"filtered\":%" PRId64 ",\"dirty\":%" PRId64 "}\n",
                     counts->read, counts->expanded, counts->written, counts->filtered, counts->dirty);
    } else {
        steps_show(simulate, steps, count, &text);
        buffer_print(&text,
                     "\nread %" PRId64 " + expanded %" PRId64 " = written %" PRId64 " + filtered %" PRId64 " + dirty %" PRId64
                     "; nothing was written to any end\n",
                     counts->read, counts->expanded, counts->written, counts->filtered, counts->dirty);
    }
    tryout_print(&text);
    buffer_release(&text);
    free(steps);
}

/* --- the command --- */

static int stop_show(const struct simulate *simulate, struct error *error)
{
    struct buffer text;

    log_redact(error->text);
    buffer_init(&text, 0);
    if (simulate->tryout.json) {
        buffer_append_str(&text, STR("{\"kind\":\"error\",\"text\":"));
        buffer_append_json(&text, str_of(error->text));
        buffer_append_str(&text, STR("}\n"));
        tryout_print(&text);
    }
    buffer_release(&text);
    (void)tryout_refuse(&simulate->tryout, false, "the job would stop here: %s", error->text);
    return EXIT_FAILED;
}

static int run(struct simulate *simulate)
{
    struct engine *engine = &simulate->tryout.engine;
    struct simulation_options options = {
        .job = engine->job,
        .probe = engine->probe,
        .schema = &engine->create_schema,
        .sample = simulate->tryout.sample,
        .table = engine->table,
        .script_log = engine->log,
    };
    int64_t dirty_max = engine->job->dirty.max;
    struct error error = {0};
    int status, of_rows;

    engine_parameters(engine, 0);
    simulate->simulation = simulation_new(&options);
    value_printer_init(&simulate->printer, engine->job->time_zone);
    if (!simulation_run(simulate->simulation, engine->report, &error)) {
        if (!simulate->tryout.json)
            dirty_show(simulate);
        else
            dirty_json(simulate);
        status = stop_show(simulate, &error);
        return report_mistakes(engine->report) ? tryout_report(&simulate->tryout, EXIT_CONFIG) : status;
    }
    of_rows = partitions_show(simulate);
    if (simulate->tryout.json)
        dirty_json(simulate);
    else
        dirty_show(simulate);
    summary_show(simulate);
    status = simulation_counts(simulate->simulation)->dirty && !simulate->allow_dirty ? EXIT_FAILED : EXIT_OK;
    if (dirty_max >= 0 && simulation_counts(simulate->simulation)->dirty > dirty_max) {
        (void)tryout_refuse(&simulate->tryout, false,
                            "the job would stop: it has more dirty rows than dirty.max, %" PRId64 ", allows", dirty_max);
        status = EXIT_FAILED; /* whatever is allowed here */
    }
    return tryout_report(&simulate->tryout, of_rows > status ? of_rows : status);
}

static bool arguments_read(struct simulate *simulate, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool value = i + 1 < argc;

        if (strcmp(argv[i], "--allow-dirty") == 0) {
            simulate->allow_dirty = true;
        } else if (value && strcmp(argv[i], "--partition") == 0) {
            simulate->partition = argv[++i];
        } else if (value && strcmp(argv[i], "--rows") == 0) {
            if (!tryout_number(&simulate->tryout, "--rows", argv[++i], 0, &simulate->rows_max))
                return false;
            simulate->rows_given = true;
        } else if (!tryout_argument(&simulate->tryout, argc, argv, &i)) {
            (void)word_refuse("simulate", argv + i, usage);
            return false;
        }
    }
    if (!simulate->rows_given)
        simulate->rows_max = simulate->tryout.json ? SIZE_MAX : ROWS_DEFAULT;
    if (simulate->tryout.job_path && !simulate->tryout.sample_path)
        (void)tryout_refuse(&simulate->tryout, false, "--sample FILE is wanted; `luaduct sample %s` takes one out of the topic",
                            simulate->tryout.job_path);
    return !simulate->tryout.job_path || simulate->tryout.sample_path;
}

int cli_simulate(int argc, char **argv)
{
    struct simulate simulate = {.tryout = {.name = "simulate", .usage = usage, .takes = TRYOUT_SAMPLE | TRYOUT_CONNECT}};
    int status;

    if (tryout_help(&simulate.tryout, argc, argv))
        return EXIT_OK;
    if (!arguments_read(&simulate, argc, argv))
        return EXIT_CONFIG;
    status = tryout_open(&simulate.tryout);
    if (status == EXIT_OK)
        status = schema_find(&simulate.tryout);
    if (status == EXIT_OK && !route_check_scripts(simulate.tryout.engine.job, chain_state(simulate.tryout.engine.chain),
                                                  simulate.tryout.engine.probe, simulate.tryout.engine.report))
        status = tryout_report(&simulate.tryout, EXIT_CONFIG);
    if (status == EXIT_OK)
        status = run(&simulate);
    simulation_free(simulate.simulation);
    value_printer_release(&simulate.printer);
    tryout_close(&simulate.tryout);
    return status;
}
