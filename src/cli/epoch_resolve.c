/* epoch_resolve.c: `luaduct epoch resolve JOB` (design.md, epochs, rule 10): a prepared epoch with a session of which the service
 * does not know the outcome any more. The evidence is printed; a person decides whether its rows are in the table.
 * What is decided is stored in one request, after everything was read a second time, and only while the group is empty: the
 * broker refuses it otherwise, so that no process can go on from what was there before. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/epoch.h"
#include "cli/survey_command.h"
#include "util/clock.h"

enum decision { DECISION_NONE, DECISION_COMMITTED, DECISION_LOST };

struct resolve {
    struct survey_command command;
    const char *epoch_id;
    enum decision decision;
};

/* --- evidence --- */

/* The table's column that takes a source field as it is: by the job's mapping, its column list, or an equal name. */
static const char *column_of(const struct ends *ends, const char *field)
{
    const struct job *job = ends->engine->job;

    for (size_t i = 0; i < job->target.mapping_count; i++) {
        if (strcmp(job->target.mapping[i].field, field) == 0)
            return job->target.mapping[i].column;
    }
    for (size_t i = 0; i < job->target.column_count; i++) {
        const struct job_column *column = &job->target.columns[i];

        if (column->from && strcmp(column->from, field) == 0)
            return column->name;
    }
    if (ends->has_table) {
        int column = mc_schema_column(&ends->schema, str_of(field));

        if (column >= 0)
            return ends->schema.columns[column].name;
    }
    return NULL;
}

static void print_range(const struct position_cover *cover, const char *partition, const char *offset, struct buffer *sql)
{
    mc_ddl_identifier(sql, str_of(partition));
    buffer_print(sql, " = %" PRId32 " AND ", cover->partition);
    mc_ddl_identifier(sql, str_of(offset));
    buffer_print(sql, " BETWEEN %" PRId64 " AND %" PRId64, cover->base, cover->next - 1);
}

static void print_count(const struct ends *ends, struct buffer *sql)
{
    const struct job_maxcompute *maxcompute = &ends->engine->job->target.maxcompute;

    buffer_append_str(sql, STR("  SELECT COUNT(*) FROM "));
    mc_ddl_identifier(sql, str_of(maxcompute->project));
    if (maxcompute->schema) {
        buffer_append_char(sql, '.');
        mc_ddl_identifier(sql, str_of(maxcompute->schema));
    }
    buffer_append_char(sql, '.');
    mc_ddl_identifier(sql, str_of(ends->engine->job->target.table));
    buffer_append_str(sql, STR(" WHERE "));
}

/* Per session: its rows of all Kafka partitions, for a session is in the table as a whole or not at all. */
static void print_session_sql(const struct ends *ends, const struct survey_epoch *epoch, const struct survey_session *session,
                              const char *partition, const char *offset, struct buffer *text)
{
    const struct position *position = epoch->position;

    print_count(ends, text);
    if (session->recorded->spec[0]) {
        survey_spec_quote(session->recorded->spec, " AND ", true, text);
        buffer_append_str(text, STR(" AND "));
    }
    for (size_t i = 0; i < position->cover_count; i++) {
        buffer_append_str(text, i ? STR(" OR ") : position->cover_count > 1 ? STR("((") : STR("("));
        if (i)
            buffer_append_char(text, '(');
        print_range(&position->covers[i], partition, offset, text);
        buffer_append_char(text, ')');
    }
    buffer_print(text, "%s;\n    %" PRIu64 ": the rows of this session are in the table; 0: they are not\n",
                 position->cover_count > 1 ? ")" : "", session->recorded->rows);
}

/* Per Kafka partition: its rows of all sessions. */
static void print_cover_sql(const struct ends *ends, const struct survey *survey, const struct survey_epoch *epoch,
                            const struct position_cover *cover, const char *partition, const char *offset, struct buffer *text)
{
    const struct position *position = epoch->position, *carried = survey_carried(survey, epoch, cover->partition);

    if (!carried || cover->next == cover->base)
        return;
    print_count(ends, text);
    for (size_t i = 0; i < position->session_count && position->sessions[i].spec[0]; i++) {
        buffer_append_str(text, i ? STR(" OR (") : STR("(("));
        survey_spec_quote(position->sessions[i].spec, " AND ", true, text);
        buffer_append_str(text, i + 1 < position->session_count ? STR(")") : STR(")) AND "));
    }
    print_range(cover, partition, offset, text);
    buffer_print(text, ";\n    %" PRId64 ": all rows of Kafka partition %" PRId32 " in this epoch are in the table; 0: none\n",
                 carried->counts.written, cover->partition);
}

static void print_lineage(const struct ends *ends, const struct survey *survey, const struct survey_epoch *epoch,
                          struct buffer *text)
{
    const char *partition = column_of(ends, batch_builtin_names[BUILTIN_PARTITION]);
    const char *offset = column_of(ends, batch_builtin_names[BUILTIN_OFFSET]);

    if (!partition || !offset) {
        buffer_append_str(text, STR("lineage: the job maps no columns to __partition__ and __offset__, so rows cannot be\n"
                                    "counted by where they come from; compare the number of rows, or the rows themselves\n"));
        return;
    }
    buffer_append_str(text, STR("lineage: what to run, and what the count says\n"));
    for (size_t i = 0; i < epoch->position->session_count; i++) {
        if (epoch->sessions[i].state != SURVEY_CLOSED)
            print_session_sql(ends, epoch, &epoch->sessions[i], partition, offset, text);
    }
    for (size_t i = 0; i < epoch->position->cover_count; i++)
        print_cover_sql(ends, survey, epoch, &epoch->position->covers[i], partition, offset, text);
}

static void print_evidence(const struct ends *ends, const struct survey *survey, const struct survey_epoch *epoch,
                           struct buffer *text)
{
    epoch_print(ends, survey, epoch, clock_wall_ms(), text);
    buffer_append_str(text, STR("rows in the table now\n"));
    for (size_t i = 0; i < epoch->position->session_count; i++) {
        const struct survey_session *session = &epoch->sessions[i];

        buffer_print(text, "  %s: ", session->recorded->spec[0] ? session->recorded->spec : "the whole table");
        if (session->partition_rows < 0)
            buffer_append_str(text, STR("the service does not tell"));
        else
            buffer_print(text, "%" PRId64, session->partition_rows);
        buffer_print(text, ", of which %" PRIu64 " %s this session's\n", session->recorded->rows,
                     session->state == SURVEY_CLOSED ? "are" : "would be");
    }
    for (size_t i = 0; i < epoch->position->cover_count; i++) {
        if (survey_cover(survey, epoch, &epoch->position->covers[i]) == COVER_MOVED_ON)
            buffer_print(text, "Kafka partition %" PRId32 " has moved on: who finished the epoch there had seen all its sessions "
                         "closed (unless a person moved the position)\n", epoch->position->covers[i].partition);
    }
    print_lineage(ends, survey, epoch, text);
}

/* --- deciding --- */

struct tally {
    size_t open, closed, unknown; /* sessions */
    uint64_t rows_closed, rows_unknown;
    size_t moved_on; /* Kafka partitions */
};

static bool tally_make(const struct survey *survey, const struct survey_epoch *epoch, struct tally *tally, struct error *error)
{
    memset(tally, 0, sizeof(*tally));
    if (epoch->foreign)
        return error_set(error, ERROR_FATAL, "epoch %s is not this job's: %s", epoch->position->epoch,
                         survey->partitions[epoch->partition].error.text);
    if (epoch->differs)
        return error_set(error, ERROR_FATAL,
                         "the records of epoch %s do not agree with each other or with the committed offsets: somebody else "
                         "wrote to this group; `luaduct reset --to PARTITION:OFFSET,... --force` sets positions by hand",
                         epoch->position->epoch);
    for (size_t i = 0; i < epoch->position->session_count; i++) {
        const struct survey_session *session = &epoch->sessions[i];

        switch (session->state) {
        case SURVEY_NORMAL:
        case SURVEY_CLOSING:
            tally->open++;
            break;
        case SURVEY_CLOSED:
            tally->closed++;
            tally->rows_closed += session->recorded->rows;
            break;
        case SURVEY_DEAD:
        case SURVEY_NOT_FOUND:
        case SURVEY_STRANGE:
            tally->unknown++;
            tally->rows_unknown += session->recorded->rows;
            break;
        case SURVEY_NOT_ASKED:
        case SURVEY_NO_ANSWER:
            return error_set(error, ERROR_RETRY, "without the service's word nothing can be decided: session %s: %s",
                             session->recorded->id, session->error.text);
        }
    }
    for (size_t i = 0; i < epoch->position->cover_count; i++)
        tally->moved_on += survey_cover(survey, epoch, &epoch->position->covers[i]) == COVER_MOVED_ON;
    return true;
}

static bool decision_check(const struct resolve *resolve, const struct tally *tally, struct error *error)
{
    if (tally->open)
        return error_set(error, ERROR_FATAL,
                         "%zu session%s still open at the service: start the job, which rolls the epoch forward by itself; "
                         "only what it then stops at is to be decided here",
                         tally->open, tally->open == 1 ? " is" : "s are");
    if (resolve->decision != DECISION_LOST || resolve->command.force)
        return true;
    if (tally->closed)
        return error_set(error, ERROR_FATAL,
                         "%zu session%s closed, so %" PRIu64 " rows of the epoch are in the table and would be there twice when "
                         "the epoch is read again; --force does it all the same",
                         tally->closed, tally->closed == 1 ? " is" : "s are", tally->rows_closed);
    if (tally->moved_on)
        return error_set(error, ERROR_FATAL,
                         "%zu Kafka partition%s of the epoch moved on, which happens when all sessions were closed: its rows "
                         "would be there twice when the others are read again; --force does it all the same",
                         tally->moved_on, tally->moved_on == 1 ? " has" : "s have");
    return true;
}

static size_t moves_make(const struct resolve *resolve, const struct survey *survey, const struct survey_epoch *epoch,
                         struct survey_move *moves)
{
    size_t count = 0;

    for (size_t i = 0; i < epoch->position->cover_count; i++) {
        const struct position_cover *cover = &epoch->position->covers[i];
        const struct position *carried = survey_carried(survey, epoch, cover->partition);
        struct survey_move *move = &moves[count];

        if (!carried)
            continue;
        *move = (struct survey_move){cover->partition, cover->base, carried->ledger};
        if (resolve->decision == DECISION_COMMITTED) {
            move->offset = cover->next;
            counts_add(&move->ledger, &carried->counts);
        }
        count++;
    }
    return count;
}

static void print_decision(const struct resolve *resolve, const struct survey *survey, const struct tally *tally,
                           const struct survey_move *moves, size_t count, struct buffer *text)
{
    bool committed = resolve->decision == DECISION_COMMITTED;

    buffer_print(text, "\n%s: ", committed ? "committed" : "lost");
    if (committed)
        buffer_print(text, "the epoch's rows count as written. If the %" PRIu64 " rows whose outcome is not known are NOT in the "
                     "table, they are lost.\n", tally->rows_unknown);
    else
        buffer_print(text, "the epoch is read and written again. If the %" PRIu64 " rows whose outcome is not known ARE in the "
                     "table, they will be there twice.\n", tally->rows_unknown);
    if (!committed && (tally->rows_closed || tally->moved_on))
        buffer_print(text, "WARNING: %" PRIu64 " rows are in the table for certain and will be there twice.\n",
                     tally->rows_closed);
    for (size_t i = 0; i < count; i++)
        buffer_print(text, "  Kafka partition %" PRId32 ": %" PRId64 " -> %" PRId64 "\n", moves[i].partition,
                     survey->places[moves[i].partition].offset, moves[i].offset);
}

static const struct survey_epoch *epoch_choose(const struct resolve *resolve, const struct survey *survey, int *status_out)
{
    const char *names[64];
    size_t count = size_min(survey->epoch_count, COUNT_OF(names));
    const char *nearest;

    *status_out = EXIT_CONFIG;
    for (size_t i = 0; i < survey->epoch_count; i++) {
        if (i < count)
            names[i] = survey->epochs[i].position->epoch;
        if (resolve->epoch_id ? strcmp(resolve->epoch_id, survey->epochs[i].position->epoch) == 0 : survey->epoch_count == 1)
            return &survey->epochs[i];
    }
    if (resolve->epoch_id) {
        nearest = str_nearest(str_of(resolve->epoch_id), names, count);
        fprintf(stderr, "luaduct epoch resolve: no epoch \"%s\" is prepared%s%s%s\n", resolve->epoch_id,
                nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    } else {
        fprintf(stderr, "luaduct epoch resolve: %zu epochs are prepared; say with --epoch ID which one is meant\n",
                survey->epoch_count);
    }
    return NULL;
}

static int decide(struct resolve *resolve, const struct survey_epoch *epoch)
{
    const struct survey *survey = &resolve->command.survey;
    struct survey_move *moves = xcalloc(epoch->position->cover_count + 1, sizeof(*moves));
    struct error error = {0};
    struct tally tally;
    struct buffer text;
    size_t count;
    int status;

    buffer_init(&text, 0);
    if (!tally_make(survey, epoch, &tally, &error) || !decision_check(resolve, &tally, &error)) {
        status = survey_command_refuse(&resolve->command, &error);
        goto out;
    }
    if (resolve->decision == DECISION_NONE) {
        fflush(stdout);
        fprintf(stderr, "luaduct epoch resolve: nothing was changed; say --as committed when the epoch's rows are in the table, "
                "--as lost when they are not and are to be read again\n");
        status = EXIT_CONFIG;
        goto out;
    }
    count = moves_make(resolve, survey, epoch, moves);
    print_decision(resolve, survey, &tally, moves, count, &text);
    status = survey_command_move(&resolve->command, &text, moves, count, true);
out:
    buffer_release(&text);
    free(moves);
    return status;
}

static int resolve_survey(struct resolve *resolve)
{
    struct survey *survey = &resolve->command.survey;
    struct ends *ends = &resolve->command.ends;
    const struct survey_epoch *chosen;
    struct error error = {0};
    struct buffer text;
    int status;

    if (!survey_command_is_alone(&resolve->command, &error))
        return survey_command_refuse(&resolve->command, &error);
    for (int32_t i = 0; i < survey->count; i++) {
        if (survey->partitions[i].record == RECORD_UNKNOWN)
            return survey_command_refuse(&resolve->command, &survey->partitions[i].error);
    }
    if (!survey->epoch_count) {
        printf("nothing is prepared, so there is nothing to resolve\n");
        return EXIT_OK;
    }
    survey_ask(survey, ends, true);
    buffer_init(&text, 0);
    for (size_t i = 0; i < survey->epoch_count; i++) {
        if (i)
            buffer_append_char(&text, '\n');
        print_evidence(ends, survey, &survey->epochs[i], &text);
    }
    fwrite(text.data, 1, text.size, stdout);
    fflush(stdout);
    buffer_release(&text);
    chosen = epoch_choose(resolve, survey, &status);
    return chosen ? decide(resolve, chosen) : status;
}

static const char usage[] =
    "usage: luaduct epoch resolve JOB.yaml --as committed|lost [--epoch ID] [--force] [--yes] [--datasources FILE]\n"
    "  --as committed  the epoch's rows are in the table: the positions move on\n"
    "  --as lost       they are not: the epoch is read again\n"
    "  --force         lost, although some of its rows are known to be in the table\n"
    "  --yes           does not ask; without it a person has to type yes\n"
    "Without --as it shows the evidence only.\n";

static bool arguments_read(struct resolve *resolve, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--as") == 0 && i + 1 < argc) {
            const char *word = argv[++i];

            resolve->decision = strcmp(word, "committed") == 0 ? DECISION_COMMITTED
                                : strcmp(word, "lost") == 0    ? DECISION_LOST
                                                               : DECISION_NONE;
            if (resolve->decision == DECISION_NONE) {
                fprintf(stderr, "luaduct epoch resolve: --as takes committed or lost, not \"%s\"\n", word);
                return false;
            }
        } else if (strcmp(argv[i], "--epoch") == 0 && i + 1 < argc) {
            resolve->epoch_id = argv[++i];
        } else if (!survey_command_argument(&resolve->command, argc, argv, &i)) {
            return false;
        }
    }
    return survey_command_has_job(&resolve->command);
}

int epoch_resolve(int argc, char **argv)
{
    struct resolve resolve = {.command = {.name = "epoch resolve", .usage = usage, .moves = true}};
    int status;

    if (argc > 1 && survey_command_help(&resolve.command, argv[1]))
        return EXIT_OK;
    if (!arguments_read(&resolve, argc, argv))
        return EXIT_CONFIG;
    if (survey_command_open(&resolve.command, &status))
        status = resolve_survey(&resolve);
    survey_command_close(&resolve.command);
    return status;
}
