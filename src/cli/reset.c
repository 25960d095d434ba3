/* reset.c: `luaduct reset JOB --to WHERE`: moves the position of a stopped job, or sets that of one that never ran. What it
 * stores are idle records of today's topic and table, with the ledger that was there; the broker refuses it while the group has
 * members. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/grid.h"
#include "cli/survey_command.h"
#include "util/clock.h"

struct reset {
    struct survey_command command;
    const char *to;
};

/* --- where to --- */

static bool offset_take(const struct start_offset *given, const struct survey *survey, int64_t *targets, struct error *error)
{
    const struct kafka_place *place;
    int64_t offset = given->offset;

    if (given->partition >= survey->count)
        return error_set(error, ERROR_CONFIG, "--to: the topic has no partition %" PRId32 "; it has %" PRId32 ", from 0",
                         given->partition, survey->count);
    place = &survey->places[given->partition];
    if (offset < 0)
        offset = offset == START_AT_EARLIEST ? place->begin : place->end;
    if (offset < place->begin || offset > place->end)
        return error_set(error, ERROR_CONFIG,
                         "--to: partition %" PRId32 " has no offset %" PRId64 "; its log begins at %" PRId64
                         " and ends at %" PRId64,
                         given->partition, offset, place->begin, place->end);
    targets[given->partition] = offset;
    return true;
}

/* The new offset of each partition; -1: it stays. */
static bool targets_read(const struct reset *reset, struct ends *ends, const struct survey *survey, int64_t *targets,
                         struct error *error)
{
    struct error wrong = {0};
    struct start start;
    bool ok = true;

    for (int32_t i = 0; i < survey->count; i++)
        targets[i] = -1;
    if (!start_read(str_of(reset->to), ends->engine->job->time_zone, clock_wall_ms(), &start, &wrong))
        return error_set(error, ERROR_CONFIG, "--to: \"%s\" %s", reset->to, wrong.text);
    for (size_t i = 0; i < start.count && ok; i++)
        ok = offset_take(&start.offsets[i], survey, targets, error);
    if (start.kind == START_TIME)
        ok = kafka_admin_offsets_at(ends->admin, start.ms, targets, error);
    for (int32_t i = 0; i < survey->count && start.kind != START_OFFSETS; i++) {
        if (start.kind == START_EARLIEST)
            targets[i] = survey->places[i].begin;
        else if (targets[i] < 0) /* latest, or no record is that new */
            targets[i] = survey->places[i].end;
    }
    start_release(&start);
    return ok;
}

/* --- what it means --- */

/* Whoever keeps a record commits its sessions, with the rows of all its Kafka partitions: it is dropped everywhere or
 * nowhere. */
static bool dropped_whole(const struct survey *survey, const int64_t *targets, struct error *error)
{
    for (size_t i = 0; i < survey->epoch_count; i++) {
        const struct survey_epoch *epoch = &survey->epochs[i];
        int32_t dropped = -1, kept = -1;

        for (int32_t j = 0; j < survey->count; j++) {
            if (survey_carried(survey, epoch, j))
                *(targets[j] >= 0 ? &dropped : &kept) = j;
        }
        if (dropped >= 0 && kept >= 0)
            return error_set(error, ERROR_FATAL,
                             "epoch %s is prepared on Kafka partition %" PRId32 " and on %" PRId32 ", which is not moved: who "
                             "reads that one commits the rows of both; move all partitions that carry the epoch",
                             epoch->position->epoch, dropped, kept);
    }
    return true;
}

/* What forbids it, whatever it would move. */
static bool survey_check(const struct reset *reset, const struct ends *ends, const struct survey *survey, const int64_t *targets,
                         struct error *error)
{
    for (int32_t i = 0; i < survey->count; i++) {
        const struct survey_partition *partition = &survey->partitions[i];

        if (targets[i] < 0)
            continue;
        if (partition->record == RECORD_UNKNOWN || partition->other_job) {
            *error = partition->error;
            return error_wrap(error, "Kafka partition %" PRId32, i);
        }
        if (partition->position.prepared && !reset->command.force)
            return error_set(error, ERROR_FATAL,
                             "Kafka partition %" PRId32 " carries the prepared epoch %s: look at it with `luaduct epoch show "
                             "%s`; a start of the job finishes it, or `luaduct epoch resolve` decides it; --force drops its "
                             "record, and then what its sessions hold may be there twice or not at all",
                             i, partition->position.epoch, reset->command.job_path);
    }
    if (!dropped_whole(survey, targets, error))
        return false;
    if (ends->service.kind != ERROR_NONE) {
        *error = ends->service;
        return error_wrap(error, "the table's id, which is stored with the position, cannot be asked for");
    }
    return true;
}

static void print_effect(const struct kafka_place *place, int64_t target, struct grid *grid)
{
    if (place->offset < 0)
        grid_add(grid, "%" PRId64 " records before it are not read", target - place->begin);
    else if (target < place->offset)
        grid_add(grid, "%" PRId64 " offsets are read and written AGAIN", place->offset - target);
    else if (target > place->offset)
        grid_add(grid, "%" PRId64 " offsets are NEVER READ", target - int64_max(place->offset, place->begin));
    else
        grid_add(grid, "stays");
}

static void print_moves(const struct survey *survey, const struct survey_move *moves, size_t count, struct buffer *text)
{
    struct grid grid;

    grid_init(&grid, 6);
    grid_add(&grid, "partition");
    grid_add(&grid, "from");
    grid_add(&grid, "to");
    grid_add(&grid, "log begin");
    grid_add(&grid, "log end");
    grid_add(&grid, "what that means");
    for (size_t i = 0; i < count; i++) {
        const struct kafka_place *place = &survey->places[moves[i].partition];

        grid_add(&grid, "%" PRId32, moves[i].partition);
        grid_add_number(&grid, place->offset);
        grid_add(&grid, "%" PRId64, moves[i].offset);
        grid_add(&grid, "%" PRId64, place->begin);
        grid_add(&grid, "%" PRId64, place->end);
        print_effect(place, moves[i].offset, &grid);
    }
    grid_print(&grid, 0, text);
    grid_release(&grid);
}

/* Records that are dropped with --force: what becomes of their rows. */
static void print_dropped(const struct survey *survey, const int64_t *targets, struct buffer *text)
{
    for (size_t i = 0; i < survey->epoch_count; i++) {
        const struct survey_epoch *epoch = &survey->epochs[i];
        uint64_t closed = 0, open = 0, unknown = 0;
        bool dropped = false;

        for (int32_t j = 0; j < survey->count; j++)
            dropped |= targets[j] >= 0 && survey_carried(survey, epoch, j);
        if (!dropped)
            continue;
        for (size_t j = 0; j < epoch->position->session_count; j++) {
            const struct survey_session *session = &epoch->sessions[j];
            uint64_t *sum = session->state == SURVEY_CLOSED ? &closed : session_is_open(session) ? &open : &unknown;

            *sum += session->recorded->rows;
        }
        buffer_print(text, "WARNING: the record of epoch %s is dropped. Of its rows, %" PRIu64 " are in the table and come twice "
                     "when they are read again; %" PRIu64 " are in sessions that nobody will commit and are lost when "
                     "they are not read again; of %" PRIu64 " it is not known.\n", epoch->position->epoch, closed, open, unknown);
    }
}

static void print_plan(const struct ends *ends, const struct survey *survey, const int64_t *targets,
                       const struct survey_move *moves, size_t count, struct buffer *text)
{
    struct counts total = {0};
    size_t silent = 0;

    buffer_print(text, "reset of job %s, group %s\n", ends->engine->job->name, ends->engine->job->source.group);
    print_moves(survey, moves, count, text);
    for (size_t i = 0; i < count; i++) {
        const struct survey_partition *partition = &survey->partitions[moves[i].partition];

        counts_add(&total, &moves[i].ledger);
        if (partition->record == RECORD_STRANGE)
            buffer_print(text, "Kafka partition %" PRId32 ": what stands beside its offset was not stored by luaduct, or is "
                         "damaged: it is replaced, and its ledger begins at 0\n", moves[i].partition);
        else if (partition->record == RECORD_FOREIGN)
            buffer_print(text, "Kafka partition %" PRId32 ": the position was stored for a topic or table that was made anew "
                         "since; it now belongs to today's\n", moves[i].partition);
    }
    for (int32_t i = 0; i < survey->count; i++)
        silent += targets[i] < 0 && survey->places[i].offset < 0;
    if (silent)
        buffer_print(text, "%zu other partition%s no position: a job that has one anywhere reads them from their earliest "
                     "offset.\n", silent, silent == 1 ? " has" : "s have");
    print_dropped(survey, targets, text);
    if (total.read)
        buffer_print(text, "The ledger goes on from what it is (read %" PRId64 ", written %" PRId64 "): what is read again "
                     "counts again.\n", total.read, total.written);
}

/* --- the command --- */

static int reset_survey(struct reset *reset)
{
    struct survey *survey = &reset->command.survey;
    struct ends *ends = &reset->command.ends;
    int64_t *targets = xcalloc((size_t)survey->count, sizeof(*targets));
    struct survey_move *moves = xcalloc((size_t)survey->count, sizeof(*moves));
    struct error error = {0};
    struct buffer text;
    size_t count = 0;
    int status;

    buffer_init(&text, 0);
    if (!survey_command_is_alone(&reset->command, &error) || !targets_read(reset, ends, survey, targets, &error) ||
        !survey_check(reset, ends, survey, targets, &error)) {
        status = survey_command_refuse(&reset->command, &error);
        goto out;
    }
    for (int32_t i = 0; i < survey->count; i++) {
        if (targets[i] >= 0)
            moves[count++] = (struct survey_move){i, targets[i], survey->partitions[i].position.ledger};
    }
    if (reset->command.force)
        survey_ask(survey, ends, false);
    print_plan(ends, survey, targets, moves, count, &text);
    /* The states of sessions are not compared: --force has given them up. */
    status = survey_command_move(&reset->command, &text, moves, count, false);
out:
    buffer_release(&text);
    free(targets);
    free(moves);
    return status;
}

static const char usage[] =
    "usage: luaduct reset JOB.yaml --to WHERE [--force] [--yes] [--datasources FILE]\n"
    "  --to earliest | latest | TIME | \"30m ago\" | PARTITION:OFFSET,...\n"
    "           TIME such as \"2024-01-31 00:00:00 Asia/Shanghai\"; OFFSET a number, earliest or latest\n"
    "  --force  also where an epoch is prepared: its record is dropped\n"
    "  --yes    does not ask; without it a person has to type yes\n"
    "Moves the position of a stopped job: back, records are written again; forward, records are never read.\n";

static bool arguments_read(struct reset *reset, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--to") == 0 && i + 1 < argc)
            reset->to = argv[++i];
        else if (!survey_command_argument(&reset->command, argc, argv, &i))
            return false;
    }
    if (!survey_command_has_job(&reset->command))
        return false;
    if (!reset->to)
        fprintf(stderr, "luaduct reset: --to is missing: where should the job go on?\n%s", usage);
    return reset->to;
}

int cli_reset(int argc, char **argv)
{
    struct reset reset = {.command = {.name = "reset", .usage = usage, .moves = true}};
    int status;

    if (argc > 1 && survey_command_help(&reset.command, argv[1]))
        return EXIT_OK;
    if (!arguments_read(&reset, argc, argv))
        return EXIT_CONFIG;
    if (survey_command_open(&reset.command, &status))
        status = reset_survey(&reset);
    survey_command_close(&reset.command);
    return status;
}
