/* dirty.c: `luaduct dirty`: what is in a job's store of dirty rows, and its records as a sample.
 * Two walks: the first finds the newest line of each row, the second takes those. The table holds the rows that it shows; export
 * and a list without a bound hold none. Rows of other jobs in the same folder or topic are passed over.
 * Values come from outside: control characters never reach the terminal. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/engine.h"
#include "cli/grid.h"
#include "cli/terminal.h"
#include "cli/word.h"
#include "dirty/read.h"
#include "sample/writer.h"

enum { CELLS = 6, LAST_DEFAULT = 100, SAMPLE_DEFAULT = 1000, LAST_MAX = 1000000, CELL_MAX = 400 };

enum verb { VERB_LIST, VERB_SHOW, VERB_EXPORT };

struct row { /* that is held until the end */
    char *cells[CELLS];
    char *line; /* JSON: instead of cells */
    char *time;
    int32_t partition;
    int64_t offset;
    uint64_t number; /* in the order of reading */
};

struct dirty {
    enum verb verb;
    const char *job_path, *datasources_path, *place, *reason;
    const char *sample; /* export: the file of a sample; "-": standard output */
    bool json, force;
    size_t last; /* 0: all */
    int64_t partition, offset, index; /* show; index -1: all */

    const char *job, *topic;
    struct dirty_newest *newest;
    struct dirty_reasons *reasons;
    uint64_t lines;     /* of this job */
    uint64_t matching;  /* rows */
    uint64_t unreadable;
    uint64_t foreign;   /* rows of another topic, which no sample of this one holds */
    struct row *rows;
    size_t count, capacity;
};

static const char usage[] =
    "usage: luaduct dirty list JOB.yaml [--last N] [--reason TEXT] [--json]\n"
    "       luaduct dirty show JOB.yaml PARTITION/OFFSET[/INDEX] [--json]\n"
    "       luaduct dirty export JOB.yaml [--sample FILE|- [--last N] [--force]] [--reason TEXT]\n"
    "  list    a table of the dirty rows, the newest at the end, and how many there are per reason\n"
    "  show    one record's rows with all that is known of them\n"
    "  export  all rows as lines of JSON\n"
    "  --sample FILE  instead, the records of the newest 1000 rows (--last N: of N) as a sample, to see whether a stage that\n"
    "                 was mended takes them: simulate JOB.yaml --sample FILE; --force replaces a file that is there\n"
    "  --last N       only the newest N; without it 100 in a table, all with --json\n"
    "  --reason TEXT  only rows with this text in their reason\n"
    "  --json         rows as they are kept, lines of JSON\n"
    "A row that was read twice is listed once, as it was kept last. Of a record that became several rows (decode, expand) the\n"
    "first dirty one has the key and the value; the others say which one that is (\"record_at\": its index). --datasources\n"
    "FILE as in run.\n";

static bool number_parse(const char **text, int64_t maximum, int64_t *number_out)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    *number_out = strtoll(*text, &end, 10);
    *text = end;
    return *number_out <= maximum && *number_out < INT64_MAX;
}

static bool place_parse(struct dirty *dirty, const char *text)
{
    dirty->index = -1;
    if (!number_parse(&text, INT32_MAX, &dirty->partition) || *text++ != '/' || !number_parse(&text, INT64_MAX, &dirty->offset))
        return false;
    if (*text == '/') {
        text++;
        if (!number_parse(&text, UINT32_MAX, &dirty->index))
            return false;
    }
    return *text == '\0';
}

/* Whether the line is one that the command is about; then record is to be released. */
static bool record_take(struct dirty *dirty, struct dirty_record *record, struct str line)
{
    if (!dirty_record_read(record, line)) {
        dirty->unreadable++;
        return false;
    }
    if (str_is(record->job, dirty->job) &&
        (dirty->verb != VERB_SHOW || (record->partition == dirty->partition && record->offset == dirty->offset &&
                                      (dirty->index < 0 || record->index == dirty->index))))
        return true;
    dirty_record_release(record);
    return false;
}

static bool line_remember(void *arg, struct dirty_position position, struct str line, struct error *error)
{
    struct dirty *dirty = arg;
    struct dirty_record record;
    bool ok;

    if (!record_take(dirty, &record, line))
        return true;
    dirty->lines++;
    ok = dirty_newest_add(dirty->newest, &record, position);
    dirty_record_release(&record);
    return ok || error_set(error, ERROR_FATAL, "%s holds more than %d dirty rows, which is more than can be told apart; move the "
                           "oldest away", dirty->place, DIRTY_IDENTITIES_MAX);
}

static int by_time(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = strcmp(x->time, y->time);

    return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

static void rows_free(struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < CELLS; j++)
            free(rows[i].cells[j]);
        free(rows[i].line);
        free(rows[i].time);
    }
}

/* Leaves the newest `last` of what is held, in order. */
static void rows_cut(struct dirty *dirty)
{
    size_t surplus = dirty->count > dirty->last ? dirty->count - dirty->last : 0;

    if (dirty->count)
        qsort(dirty->rows, dirty->count, sizeof(*dirty->rows), by_time);
    if (!surplus)
        return;
    rows_free(dirty->rows, surplus);
    memmove(dirty->rows, dirty->rows + surplus, dirty->last * sizeof(*dirty->rows));
    dirty->count = dirty->last;
}

static char *cell(struct str text)
{
    return str_dup(text.data ? str_make(text.data, size_min(text.size, CELL_MAX)) : STR(""));
}

/* Where key and value are that the line does not have itself. */
static char *value_elsewhere(const struct dirty_record *record)
{
    return xasprintf("with row %d/%" PRId64 "/%" PRId64, record->partition, record->offset, record->record_at);
}

static void row_hold(struct dirty *dirty, const struct dirty_record *record, struct str line)
{
    struct row *row;

    if (dirty->count >= 2 * dirty->last)
        rows_cut(dirty);
    XGROW(dirty->rows, dirty->count, dirty->capacity);
    row = &dirty->rows[dirty->count++];
    *row = (struct row){
        .time = cell(record->time), .number = dirty->matching, .partition = record->partition, .offset = record->offset};
    if (dirty->sample) {
        struct buffer text;

        buffer_init(&text, 0);
        dirty_record_print_sample(record, &text);
        row->line = buffer_take(&text, NULL);
        return;
    }
    if (dirty->json) {
        row->line = str_dup(line);
        return;
    }
    row->cells[0] = cell(str_make(record->time.data, size_min(record->time.size, 19)));
    if (row->cells[0][0] && strlen(row->cells[0]) > 10)
        row->cells[0][10] = ' '; /* the T between date and time */
    row->cells[1] = record->index ? xasprintf("%d/%" PRId64 "/%u", record->partition, record->offset, record->index)
                                  : xasprintf("%d/%" PRId64, record->partition, record->offset);
    row->cells[2] = cell(record->stage);
    row->cells[3] = cell(record->column);
    row->cells[4] = cell(record->reason);
    row->cells[5] = record->record_at < 0 ? cell(record->value.data ? record->value : STR("NULL")) : value_elsewhere(record);
}

static void show_text(const char *name, struct str text, bool base64)
{
    struct buffer clean;

    buffer_init(&clean, 0);
    terminal_clean(text, true, &clean);
    printf("  %-10s %s%s\n", name, base64 ? "(base64) " : "", text.data ? buffer_text(&clean) : "NULL");
    buffer_release(&clean);
}

static void record_show(const struct dirty_record *record)
{
    char sent[32];

    snprintf(sent, sizeof(sent), "%" PRId64, record->timestamp_ms);
    printf("partition %d, offset %" PRId64 ", row %u of topic %.*s\n", record->partition, record->offset, record->index,
           STR_ARG(record->topic));
    show_text("topic id", record->topic_id, false);
    show_text("kept", record->time, false);
    show_text("timestamp", str_of(sent), false);
    show_text("stage", record->stage, false);
    show_text("column", record->column, false);
    show_text("reason", record->reason, false);
    if (record->record_at >= 0) {
        char *where = value_elsewhere(record);

        show_text("key, value", str_of(where), false);
        free(where);
        return;
    }
    show_text("key", record->key, record->key_base64);
    show_text("value", record->value, record->value_base64);
}

static bool line_show(void *arg, struct dirty_position position, struct str line, struct error *error UNUSED)
{
    struct dirty *dirty = arg;
    struct dirty_record record;

    if (!record_take(dirty, &record, line))
        return true;
    if (dirty_newest_is(dirty->newest, &record, position) &&
        (!dirty->reason || (record.reason.data && strcasestr(record.reason.data, dirty->reason)))) {
        if (dirty->sample && !str_is(record.topic, dirty->topic)) {
            dirty->foreign++;
            dirty_record_release(&record);
            return true;
        }
        dirty->matching++;
        dirty_reasons_add_row(dirty->reasons, record.stage, record.column, record.reason);
        if (dirty->last)
            row_hold(dirty, &record, line);
        else if (dirty->json)
            printf("%.*s\n", STR_ARG(line));
        else
            record_show(&record);
    }
    dirty_record_release(&record);
    return true;
}

static void list_end(struct dirty *dirty)
{
    static const char *const names[CELLS] = {"kept (UTC)", "place", "stage", "column", "reason", "value"};
    static const unsigned most[CELLS] = {19, 30, 20, 24, 60, 60}; /* off a terminal too */
    struct buffer text;
    struct grid grid;

    buffer_init(&text, 0);
    grid_init(&grid, CELLS);
    grid.width = terminal_width();
    grid.most = most;
    grid.fit = GRID_CUT; /* the value's beginning gives way first, then the reason */
    grid.colours = terminal_colours(false);
    for (size_t i = 0; i < CELLS; i++)
        grid_add(&grid, "%s", names[i]);
    for (size_t i = 0; i < dirty->count * CELLS; i++)
        grid_add_text(&grid, str_of(dirty->rows[i / CELLS].cells[i % CELLS]), GRID_PLAIN);
    if (dirty->count)
        grid_print(&grid, 0, &text);
    grid_release(&grid);
    if (!dirty->matching) {
        buffer_print(&text, "no dirty rows of job %s%s in %s\n", dirty->job, dirty->reason ? " with such a reason" : "",
                     dirty->place);
    } else {
        buffer_print(&text, "\n%" PRIu64 " dirty row%s%s in %s", dirty->matching, dirty->matching == 1 ? "" : "s",
                     dirty->reason ? " with such a reason" : "", dirty->place);
        if (dirty->matching > dirty->count)
            buffer_print(&text, "; the newest %zu are shown, --last N shows more", dirty->count);
        if (dirty->lines > dirty_newest_count(dirty->newest))
            buffer_print(&text, "\n%" PRIu64 " more lines are of rows that were read again; each row counts once",
                         dirty->lines - dirty_newest_count(dirty->newest));
        buffer_append_str(&text, STR("\nby stage and column: "));
        dirty_reasons_print_columns(dirty->reasons, UINT_MAX, &text);
        buffer_append_str(&text, STR("\n\n"));
        dirty_reasons_print_lines(dirty->reasons, &text);
    }
    fputs(buffer_text(&text), stdout);
    buffer_release(&text);
}

static bool read_store(struct dirty *dirty, const struct dirty_options *options, struct error *error)
{
    struct dirty_reader *reader = NULL;
    bool ok = dirty_reader_open(&reader, options, error) && dirty_reader_walk(reader, line_remember, dirty, error);

    dirty->unreadable = 0;
    ok = ok && dirty_reader_walk(reader, line_show, dirty, error);
    dirty_reader_close(reader);
    return ok;
}

/* One row of a record is enough, and of a topic that was made anew the newest. */
static int by_record(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return by_time(b, a);
}

/* The records of the rows that are held. */
static bool sample_write(struct dirty *dirty, struct error *error)
{
    struct sample_origin origin = {.job = str_of(dirty->job), .topic = str_of(dirty->topic)};
    const char *path = strcmp(dirty->sample, "-") == 0 ? NULL : dirty->sample;
    struct sample_writer *writer;
    size_t records = 0;
    bool ok = true;

    if (!sample_writer_open(&writer, path, dirty->force, &origin, error))
        return false;
    if (dirty->count)
        qsort(dirty->rows, dirty->count, sizeof(*dirty->rows), by_record);
    for (size_t i = 0; ok && i < dirty->count; i++) {
        const struct row *row = &dirty->rows[i];

        if (i && row->partition == row[-1].partition && row->offset == row[-1].offset)
            continue;
        ok = sample_writer_add_line(writer, str_of(row->line), error);
        records++;
    }
    ok = sample_writer_close(writer, ok, error) && ok;
    if (ok && path)
        printf("%s: %zu record%s; `luaduct simulate %s --sample %s` shows what the job makes of them now\n", path, records,
               records == 1 ? "" : "s", dirty->job_path, path);
    if (ok && dirty->foreign)
        fprintf(stderr, "luaduct dirty: %" PRIu64 " rows are of another topic than %s and were left out\n", dirty->foreign,
                dirty->topic);
    return ok;
}

static int refuse(struct error *error)
{
    log_redact(error->text);
    fprintf(stderr, "luaduct dirty: %s\n", error->text);
    return error->kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

static int run(struct dirty *dirty, const struct job *job)
{
    struct dirty_options options = dirty_options_of(job);
    char *place = dirty_options_place(&options);
    struct error error = {0};
    int status = EXIT_OK;

    dirty->job = job->name;
    dirty->topic = job->source.topic;
    dirty->place = place;
    dirty->newest = dirty_newest_new(DIRTY_IDENTITIES_MAX);
    dirty->reasons = dirty_reasons_new();
    if (!read_store(dirty, &options, &error)) {
        status = refuse(&error);
        goto out;
    }
    if (dirty->last)
        rows_cut(dirty);
    for (size_t i = 0; dirty->json && !dirty->sample && i < dirty->count; i++)
        puts(dirty->rows[i].line);
    if (dirty->sample && !sample_write(dirty, &error))
        status = refuse(&error);
    if (dirty->verb == VERB_LIST && !dirty->json)
        list_end(dirty);
    fflush(stdout);
    if (dirty->unreadable)
        fprintf(stderr, "luaduct dirty: lines in %s that are no dirty rows and were passed over: %" PRIu64 "\n", place,
                dirty->unreadable);
    if (dirty->verb == VERB_SHOW && !dirty->matching) {
        fprintf(stderr, "luaduct dirty: no dirty row of that record in %s; `luaduct dirty list` tells those that are there\n",
                place);
        status = EXIT_FAILED;
    }
out:
    rows_free(dirty->rows, dirty->count);
    free(dirty->rows);
    dirty_reasons_free(dirty->reasons);
    dirty_newest_free(dirty->newest);
    free(place);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_OK) {
        fprintf(stderr, "luaduct dirty: the output cannot be written\n");
        status = EXIT_FAILED;
    }
    return status;
}

/* False: what is wrong has been told. */
static bool parse_arguments(struct dirty *dirty, int argc, char **argv)
{
    const char *last = NULL, *place = NULL;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && dirty->verb != VERB_EXPORT) {
            dirty->json = true;
        } else if (strcmp(argv[i], "--datasources") == 0 && i + 1 < argc) {
            dirty->datasources_path = argv[++i];
        } else if (strcmp(argv[i], "--last") == 0 && i + 1 < argc && dirty->verb != VERB_SHOW) {
            last = argv[++i];
        } else if (strcmp(argv[i], "--reason") == 0 && i + 1 < argc && dirty->verb != VERB_SHOW) {
            dirty->reason = argv[++i];
        } else if (strcmp(argv[i], "--sample") == 0 && i + 1 < argc && dirty->verb == VERB_EXPORT) {
            dirty->sample = argv[++i];
        } else if (strcmp(argv[i], "--force") == 0 && dirty->verb == VERB_EXPORT) {
            dirty->force = true;
        } else if (argv[i][0] != '-' && !dirty->job_path) {
            dirty->job_path = argv[i];
        } else if (argv[i][0] != '-' && !place && dirty->verb == VERB_SHOW) {
            place = argv[i];
        } else {
            (void)word_refuse("dirty", argv + i, usage);
            return false;
        }
    }
    if (!dirty->job_path) {
        fprintf(stderr, "luaduct dirty %s: which job?\n%s", argv[1], usage);
        return false;
    }
    if (dirty->verb == VERB_SHOW && (!place || !place_parse(dirty, place))) {
        fprintf(stderr, "luaduct dirty show: which record? as PARTITION/OFFSET or PARTITION/OFFSET/INDEX%s%s%s\n",
                place ? ", not \"" : "", place ? place : "", place ? "\"" : "");
        return false;
    }
    dirty->json = dirty->json || dirty->verb == VERB_EXPORT;
    dirty->last = dirty->sample ? SAMPLE_DEFAULT : dirty->verb == VERB_LIST && !dirty->json ? LAST_DEFAULT : 0;
    if (last) {
        int64_t number;

        if (!number_parse(&last, LAST_MAX, &number) || *last || !number) {
            fprintf(stderr, "luaduct dirty %s: --last takes a number of rows from 1 to %d\n", argv[1], LAST_MAX);
            return false;
        }
        dirty->last = (size_t)number;
    }
    return true;
}

/* A folder is read without the ends of the job and their secrets. */
static bool load(const struct dirty *dirty, struct engine *engine)
{
    engine->report = report_new();
    if (!job_load_offline(&engine->job, dirty->job_path, dirty->datasources_path, engine->report))
        return false;
    if (!engine->job->dirty.topic)
        return true;
    report_free(engine->report);
    engine->report = report_new();
    job_free(engine->job);
    return job_load(&engine->job, dirty->job_path, dirty->datasources_path, engine->report);
}

int cli_dirty(int argc, char **argv)
{
    static const char *const verbs[] = {"list", "show", "export"};
    struct dirty dirty = {0};
    struct engine engine = {0}; /* for its report */
    const char *word = argc > 1 ? argv[1] : "";
    size_t verb = 0;
    int status = EXIT_CONFIG;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_OK;
        }
    }
    if (strcmp(word, "retry") == 0) {
        fprintf(stderr, "luaduct dirty: retry comes with a later release; until then `luaduct dirty export` gives keys and "
                "values that can be produced to the topic again\n");
        return EXIT_CONFIG;
    }
    while (verb < COUNT_OF(verbs) && strcmp(word, verbs[verb]) != 0)
        verb++;
    if (verb == COUNT_OF(verbs)) {
        const char *nearest = str_nearest(str_of(word), verbs, COUNT_OF(verbs));

        fprintf(stderr, "luaduct dirty: ");
        if (word[0])
            fprintf(stderr, "\"%s\" is not understood%s%s%s ", word, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                    nearest ? "\"?" : ";");
        fprintf(stderr, "list, show or export? `luaduct dirty --help` tells what they do\n");
        return EXIT_CONFIG;
    }
    dirty.verb = (enum verb)verb;
    if (!parse_arguments(&dirty, argc, argv))
        return EXIT_CONFIG;
    if (load(&dirty, &engine))
        status = run(&dirty, engine.job);
    else
        (void)engine_report(&engine);
    engine_free(&engine);
    return status;
}
