/* epoch.c: `luaduct epoch show JOB`: where a job stands and what is prepared. It changes nothing. `epoch resolve` is in
 * epoch_resolve.c. */
#include "cli/epoch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/grid.h"
#include "cli/survey_command.h"
#include "util/clock.h"

static void print_duration(int64_t ms, struct buffer *text)
{
    int64_t seconds = int64_max(ms, 0) / 1000;

    if (seconds < 120)
        buffer_print(text, "%" PRId64 " s", seconds);
    else if (seconds < 120 * 60)
        buffer_print(text, "%" PRId64 " min", seconds / 60);
    else if (seconds < 48 * 3600)
        buffer_print(text, "%" PRId64 " h", seconds / 3600);
    else
        buffer_print(text, "%" PRId64 " days", seconds / 86400);
}

/* --- one epoch --- */

static void print_covers(const struct survey *survey, const struct survey_epoch *epoch, struct buffer *text)
{
    struct grid grid;

    grid_init(&grid, 5);
    grid_add(&grid, "Kafka partition");
    grid_add(&grid, "base");
    grid_add(&grid, "next");
    grid_add(&grid, "written");
    grid_add(&grid, "now");
    for (size_t i = 0; i < epoch->position->cover_count; i++) {
        const struct position_cover *cover = &epoch->position->covers[i];
        const struct position *carried = survey_carried(survey, epoch, cover->partition);
        int64_t offset = cover->partition < survey->count ? survey->places[cover->partition].offset : -1;

        grid_add(&grid, "%" PRId32, cover->partition);
        grid_add(&grid, "%" PRId64, cover->base);
        grid_add(&grid, "%" PRId64, cover->next);
        grid_add_number(&grid, carried ? carried->counts.written : -1);
        switch (survey_cover(survey, epoch, cover)) {
        case COVER_CARRIES:
            grid_add(&grid, "carries the record");
            break;
        case COVER_MOVED_ON:
            grid_add(&grid, "has moved on to %" PRId64, offset);
            break;
        case COVER_BEHIND:
            if (offset < 0)
                grid_add(&grid, "has nothing stored");
            else
                grid_add(&grid, "stands at %" PRId64 " without the record", offset);
            break;
        case COVER_ABSENT:
            grid_add(&grid, "is not there: the topic has %" PRId32 " partitions", survey->count);
            break;
        }
    }
    grid_print(&grid, 2, text);
    grid_release(&grid);
}

static void print_sessions(const struct survey_epoch *epoch, struct buffer *text)
{
    struct buffer state;
    struct grid grid;

    buffer_init(&state, 0);
    grid_init(&grid, 5);
    grid_add(&grid, "table partition");
    grid_add(&grid, "session");
    grid_add(&grid, "blocks");
    grid_add(&grid, "rows");
    grid_add(&grid, "at the service now");
    for (size_t i = 0; i < epoch->position->session_count; i++) {
        const struct survey_session *session = &epoch->sessions[i];

        buffer_clear(&state);
        session_describe(session, &state);
        grid_add(&grid, "%s", session->recorded->spec[0] ? session->recorded->spec : "(none)");
        grid_add(&grid, "%s", session->recorded->id);
        grid_add(&grid, "%u", session->recorded->blocks);
        grid_add(&grid, "%" PRIu64, session->recorded->rows);
        grid_add(&grid, "%s", buffer_text(&state));
    }
    grid_print(&grid, 2, text);
    grid_release(&grid);
    buffer_release(&state);
}

void epoch_print(const struct ends *ends, const struct survey *survey, const struct survey_epoch *epoch, int64_t now_ms,
                 struct buffer *text)
{
    const struct position *position = epoch->position;

    buffer_print(text, "epoch %s: prepared by %s at ", position->epoch, position->by);
    engine_print_time(ends->engine, position->at_ms, text);
    buffer_append_str(text, STR(", "));
    print_duration(now_ms - position->at_ms, text);
    buffer_append_str(text, STR(" ago\n"));
    if (epoch->foreign)
        buffer_print(text, "  not this job's: %s\n", survey->partitions[epoch->partition].error.text);
    if (epoch->differs)
        buffer_append_str(text, STR("  its records do not agree with each other or with the committed offsets: somebody else "
                                    "wrote to this group\n"));
    print_covers(survey, epoch, text);
    print_sessions(epoch, text);
}

/* --- the whole job, as text --- */

static void record_describe(const struct survey_partition *partition, struct buffer *text)
{
    switch (partition->record) {
    case RECORD_NOTHING:
        buffer_append_str(text, STR("nothing"));
        return;
    case RECORD_STRANGE:
        buffer_append_str(text, STR("not stored by luaduct, or damaged"));
        return;
    case RECORD_OURS:
        break;
    case RECORD_FOREIGN:
    case RECORD_UNKNOWN:
        buffer_print(text, "%s", partition->error.text);
        return;
    }
    if (partition->position.prepared)
        buffer_print(text, "prepared, epoch %s", partition->position.epoch);
    else
        buffer_append_str(text, STR("idle"));
}

static void add_counts(struct grid *grid, const struct counts *counts)
{
    const int64_t numbers[] = {counts->read, counts->written, counts->filtered, counts->dirty, counts->expanded};

    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        grid_add_number(grid, counts->read < 0 ? -1 : numbers[i]);
}

static int64_t lag_of(const struct kafka_place *place)
{
    return place->offset < 0 || place->end < 0 ? -1 : int64_max(0, place->end - place->offset);
}

static void total_of(const struct survey *survey, struct counts *total, int64_t *lag)
{
    *total = (struct counts){0};
    *lag = 0;
    for (int32_t i = 0; i < survey->count; i++) {
        if (survey->partitions[i].record == RECORD_OURS)
            counts_add(total, &survey->partitions[i].position.ledger);
        *lag += int64_max(0, lag_of(&survey->places[i]));
    }
}

static void print_partitions(const struct survey *survey, struct buffer *text)
{
    static const char *const names[] = {"partition", "committed", "log end", "lag", "read", "written",
                                        "filtered", "dirty", "expanded", "beside the offset"};
    static const struct counts none = {.read = -1};
    struct counts total;
    struct buffer record;
    struct grid grid;
    int64_t lag_total;

    buffer_init(&record, 0);
    grid_init(&grid, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        grid_add(&grid, "%s", names[i]);
    for (int32_t i = 0; i < survey->count; i++) {
        const struct kafka_place *place = &survey->places[i];
        const struct survey_partition *partition = &survey->partitions[i];
        bool read = partition->record == RECORD_OURS || partition->record == RECORD_FOREIGN;
        const int64_t numbers[] = {place->offset, place->end, lag_of(place)};

        grid_add(&grid, "%" PRId32, i);
        for (size_t j = 0; j < COUNT_OF(numbers); j++)
            grid_add_number(&grid, numbers[j]);
        add_counts(&grid, read ? &partition->position.ledger : &none);
        buffer_clear(&record);
        record_describe(partition, &record);
        grid_add(&grid, "%s", buffer_text(&record));
    }
    total_of(survey, &total, &lag_total);
    grid_add(&grid, "total");
    grid_add(&grid, "%s", "");
    grid_add(&grid, "%s", "");
    grid_add(&grid, "%" PRId64, lag_total);
    add_counts(&grid, &total);
    grid_add(&grid, "%s", "");
    grid_print(&grid, 0, text);
    grid_release(&grid);
    buffer_release(&record);
    if (counts_balance(&total))
        buffer_print(text, "ledger: read %" PRId64 " + expanded %" PRId64 " = written %" PRId64 " + filtered %" PRId64
                     " + dirty %" PRId64 "\n", total.read, total.expanded, total.written, total.filtered, total.dirty);
    else
        buffer_print(text, "ledger: IT DOES NOT BALANCE: read %" PRId64 " + expanded %" PRId64 " is not written %" PRId64
                     " + filtered %" PRId64 " + dirty %" PRId64 "\n", total.read, total.expanded, total.written, total.filtered,
                     total.dirty);
}

static void print_text(const struct ends *ends, const struct survey *survey, struct buffer *text)
{
    const struct job *job = ends->engine->job;

    buffer_print(text, "job %s: topic %s%s%s, table %s%s%s\n", job->name, job->source.topic,
                 kafka_admin_topic_id(ends->admin)[0] ? " id " : "", kafka_admin_topic_id(ends->admin), ends->engine->table,
                 ends->table_id[0] ? " id " : "", ends->table_id);
    buffer_print(text, "group %s: %s, %zu member%s", job->source.group, survey->group.state, survey->group.member_count,
                 survey->group.member_count == 1 ? "" : "s");
    if (survey->group.member_count)
        buffer_append_str(text, STR(": "));
    survey_members(survey, text);
    buffer_append_char(text, '\n');
    if (ends->service.kind != ERROR_NONE)
        buffer_print(text, "the service does not answer: %s\n", ends->service.text);
    buffer_append_char(text, '\n');
    print_partitions(survey, text);
    buffer_append_char(text, '\n');
    if (!survey->epoch_count)
        buffer_append_str(text, STR("nothing is prepared\n"));
    for (size_t i = 0; i < survey->epoch_count; i++) {
        if (i)
            buffer_append_char(text, '\n');
        epoch_print(ends, survey, &survey->epochs[i], clock_wall_ms(), text);
    }
}

/* --- the whole job, as JSON --- */

static void json_text(struct buffer *json, const char *name, const char *value)
{
    buffer_print(json, "\"%s\":", name);
    buffer_append_json(json, str_of(value));
}

/* Below 0: null. */
static void json_number(struct buffer *json, const char *name, int64_t number)
{
    buffer_print(json, "\"%s\":", name);
    if (number < 0)
        buffer_append_str(json, STR("null"));
    else
        buffer_print(json, "%" PRId64, number);
    buffer_append_char(json, ',');
}

static void json_counts(struct buffer *json, const char *name, const struct counts *counts)
{
    buffer_print(json, "\"%s\":{\"read\":%" PRId64 ",\"written\":%" PRId64 ",\"filtered\":%" PRId64 ",\"dirty\":%" PRId64
                 ",\"expanded\":%" PRId64 "}", name, counts->read, counts->written, counts->filtered, counts->dirty,
                 counts->expanded);
}

static const char *record_word(const struct survey_partition *partition)
{
    switch (partition->record) {
    case RECORD_NOTHING: return "nothing";
    case RECORD_STRANGE: return "strange";
    case RECORD_OURS: return partition->position.prepared ? "prepared" : "idle";
    case RECORD_FOREIGN: return "foreign";
    case RECORD_UNKNOWN: return "unknown version";
    }
    return "";
}

static void json_partition(const struct survey *survey, int32_t number, struct buffer *json)
{
    const struct kafka_place *place = &survey->places[number];
    const struct survey_partition *partition = &survey->partitions[number];

    buffer_append_str(json, number ? STR(",{") : STR("{"));
    json_number(json, "partition", number);
    json_number(json, "committed", place->offset);
    json_number(json, "log_begin", place->begin);
    json_number(json, "log_end", place->end);
    json_number(json, "lag", lag_of(place));
    json_text(json, "record", record_word(partition));
    if (partition->record == RECORD_OURS || partition->record == RECORD_FOREIGN) {
        buffer_append_char(json, ',');
        json_counts(json, "ledger", &partition->position.ledger);
    }
    if (partition->position.prepared) {
        buffer_append_char(json, ',');
        json_text(json, "epoch", partition->position.epoch);
        buffer_append_char(json, ',');
        json_counts(json, "counts", &partition->position.counts);
    }
    if (partition->error.kind != ERROR_NONE) {
        buffer_append_char(json, ',');
        json_text(json, "error", partition->error.text);
    }
    buffer_append_char(json, '}');
}

static const char *session_word(const struct survey_session *session)
{
    switch (session->state) {
    case SURVEY_NOT_ASKED: return "not asked";
    case SURVEY_NO_ANSWER: return "no answer";
    case SURVEY_NOT_FOUND: return "not found";
    default: return session->word;
    }
}

static void json_epoch(const struct survey *survey, const struct survey_epoch *epoch, struct buffer *json)
{
    static const char *const covers[] = {
        [COVER_CARRIES] = "carries", [COVER_MOVED_ON] = "moved on", [COVER_BEHIND] = "without", [COVER_ABSENT] = "absent"};

    buffer_append_char(json, '{');
    json_text(json, "epoch", epoch->position->epoch);
    buffer_append_char(json, ',');
    json_text(json, "by", epoch->position->by);
    buffer_print(json, ",\"at_ms\":%" PRId64 ",\"foreign\":%s,\"agrees\":%s,\"partitions\":[", epoch->position->at_ms,
                 epoch->foreign ? "true" : "false", epoch->differs ? "false" : "true");
    for (size_t i = 0; i < epoch->position->cover_count; i++) {
        const struct position_cover *cover = &epoch->position->covers[i];

        buffer_print(json, "%s{\"partition\":%" PRId32 ",\"base\":%" PRId64 ",\"next\":%" PRId64 ",", i ? "," : "",
                     cover->partition, cover->base, cover->next);
        json_text(json, "now", covers[survey_cover(survey, epoch, cover)]);
        buffer_append_char(json, '}');
    }
    buffer_append_str(json, STR("],\"sessions\":["));
    for (size_t i = 0; i < epoch->position->session_count; i++) {
        const struct survey_session *session = &epoch->sessions[i];

        buffer_append_str(json, i ? STR(",{") : STR("{"));
        json_text(json, "partition", session->recorded->spec);
        buffer_append_char(json, ',');
        json_text(json, "session", session->recorded->id);
        buffer_print(json, ",\"blocks\":%u,\"rows\":%" PRIu64 ",", session->recorded->blocks, session->recorded->rows);
        json_text(json, "state", session_word(session));
        buffer_print(json, ",\"blocks_listed\":%u}", session->blocks);
    }
    buffer_append_str(json, STR("]}"));
}

static void print_json(const struct ends *ends, const struct survey *survey, struct buffer *json)
{
    const struct job *job = ends->engine->job;
    const char *const texts[][2] = {
        {"job", job->name}, {"topic", job->source.topic}, {"topic_id", kafka_admin_topic_id(ends->admin)},
        {"cluster_id", kafka_admin_cluster_id(ends->admin)}, {"table", ends->engine->table}, {"table_id", ends->table_id},
        {"group", job->source.group}, {"state", survey->group.state}, {"service_error", ends->service.text},
    };
    struct counts total;
    int64_t lag;

    buffer_append_char(json, '{');
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_text(json, texts[i][0], texts[i][1]);
        buffer_append_char(json, ',');
    }
    buffer_append_str(json, STR("\"members\":["));
    for (size_t i = 0; i < survey->group.member_count; i++) {
        buffer_append_str(json, i ? STR(",{") : STR("{"));
        json_text(json, "client_id", survey->group.members[i].client_id);
        buffer_append_char(json, ',');
        json_text(json, "host", survey->group.members[i].host);
        buffer_append_char(json, '}');
    }
    buffer_append_str(json, STR("],\"partitions\":["));
    for (int32_t i = 0; i < survey->count; i++)
        json_partition(survey, i, json);
    buffer_append_str(json, STR("],\"epochs\":["));
    for (size_t i = 0; i < survey->epoch_count; i++) {
        if (i)
            buffer_append_char(json, ',');
        json_epoch(survey, &survey->epochs[i], json);
    }
    total_of(survey, &total, &lag);
    buffer_append_str(json, STR("],"));
    json_counts(json, "total", &total);
    buffer_print(json, ",\"lag\":%" PRId64 ",\"balances\":%s}\n", lag, counts_balance(&total) ? "true" : "false");
}

/* --- the command --- */

static const char usage[] =
    "usage: luaduct epoch show JOB.yaml [--json] [--datasources FILE]\n"
    "       luaduct epoch resolve JOB.yaml --as committed|lost [--epoch ID] [--force] [--yes] [--datasources FILE]\n"
    "show tells where the job stands and what is prepared; resolve ends a prepared epoch whose outcome the service does not\n"
    "know.\n";

static int show(int argc, char **argv)
{
    struct survey_command command = {.name = "epoch show", .usage = usage};
    struct buffer text;
    bool json = false;
    int status;

    for (int i = 1; i < argc; i++) {
        if (survey_command_help(&command, argv[i]))
            return EXIT_OK;
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (!survey_command_argument(&command, argc, argv, &i))
            return EXIT_CONFIG;
    }
    if (!survey_command_has_job(&command))
        return EXIT_CONFIG;
    buffer_init(&text, 0);
    if (survey_command_open(&command, &status)) {
        survey_ask(&command.survey, &command.ends, false);
        if (json)
            print_json(&command.ends, &command.survey, &text);
        else
            print_text(&command.ends, &command.survey, &text);
        fwrite(text.data, 1, text.size, stdout);
    }
    survey_command_close(&command);
    buffer_release(&text);
    return status;
}

int cli_epoch(int argc, char **argv)
{
    static const char *const names[] = {"show", "resolve"};
    const char *word = argc > 1 ? argv[1] : "", *nearest;

    if (strcmp(word, "show") == 0)
        return show(argc - 1, argv + 1);
    if (strcmp(word, "resolve") == 0)
        return epoch_resolve(argc - 1, argv + 1);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    nearest = word[0] ? str_nearest(str_of(word), names, COUNT_OF(names)) : NULL;
    if (word[0])
        fprintf(stderr, "luaduct epoch: \"%s\" is neither show nor resolve%s%s%s\n%s", word, nearest ? "; did you mean \"" : "",
                nearest ? nearest : "", nearest ? "\"?" : "", usage);
    else
        fprintf(stderr, "luaduct epoch: show or resolve?\n%s", usage);
    return EXIT_CONFIG;
}
