/* survey.c */
#include "cli/survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "cli/cli.h"
#include "maxcompute/service_error.h"
#include "maxcompute/sign.h"
#include "util/xml.h"

enum { KAFKA_MS = 15 * 1000 };

/* --- both ends --- */

static int64_t json_number(struct str json, const char *name)
{
    yyjson_doc *document = yyjson_read(json.data ? json.data : "", json.size, 0);
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(document), name);
    int64_t number = yyjson_is_uint(value) ? (int64_t)yyjson_get_uint(value) : -1;

    yyjson_doc_free(document);
    return number;
}

static bool xml_take(struct str document, const char *path, struct buffer *text)
{
    struct str inner;

    return xml_find(document, path, &inner, NULL) == XML_FOUND && xml_text(inner, text);
}

static void table_ask(struct ends *ends)
{
    struct engine *engine = ends->engine;
    struct client_call *answer;
    struct buffer text;

    buffer_init(&text, 0);
    client_table_resource(engine->client, CLIENT_CONTROL, engine->job->target.table, &text);
    answer = engine_ask(engine, client_call_new(CLIENT_CONTROL, "GET", buffer_take(&text, NULL)));
    ends->table_rows = -1;
    if (!answer) {
        engine_no_answer(engine, &ends->service);
    } else if (answer->ok) {
        ends->has_table = mc_table_parse(&ends->schema, answer->response, &ends->service);
        mc_table_id(answer->response, ends->table_id, sizeof(ends->table_id));
        if (xml_take(answer->response, "Table/Schema", &text))
            ends->table_rows = json_number(buffer_str(&text), "recordNum");
    } else if (answer->status != 404 || strcmp(answer->code, "NoSuchProject") == 0) { /* else: the table is not there yet */
        ends->service = answer->error;
    }
    log_redact(ends->service.text);
    client_call_free(answer);
    buffer_release(&text);
}

bool ends_open(struct ends *ends, struct engine *engine, const char *command, const char *job_path, const char *datasources_path,
               int *status_out)
{
    struct error error = {0};

    memset(ends, 0, sizeof(*ends));
    ends->engine = engine;
    if (!engine_load_job(engine, job_path, datasources_path)) {
        *status_out = engine_report(engine);
        if (!*status_out)
            *status_out = EXIT_CONFIG;
        return false;
    }
    if (!kafka_admin_open(&ends->admin, engine->job, KAFKA_MS, &error)) {
        log_redact(error.text);
        fprintf(stderr, "luaduct %s: %s\n", command, error.text);
        *status_out = error.kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
        return false;
    }
    engine_connect(engine);
    table_ask(ends);
    ends->owner = (struct position_owner){
        .job = engine->job->name,
        .cluster = kafka_admin_cluster_id(ends->admin),
        .topic = kafka_admin_topic_id(ends->admin)[0] ? kafka_admin_topic_id(ends->admin) : engine->job->source.topic,
        .table = engine->table,
        .table_id = ends->table_id,
    };
    *status_out = EXIT_OK;
    return true;
}

void ends_close(struct ends *ends)
{
    kafka_admin_free(ends->admin);
    mc_schema_release(&ends->schema);
    memset(ends, 0, sizeof(*ends));
}

/* --- reading --- */

/* Whether a field of a well-formed record names another than `name`; an id that one side does not know is no difference. */
static bool field_differs(struct str text, const char *key, const char *name)
{
    struct str word, found, value;
    struct buffer decoded;
    bool differs = false;

    while (text.size) {
        str_cut(text, ' ', &word, &text);
        if (!str_cut(word, '=', &found, &value) || !str_is(found, key) || !value.size || !name[0])
            continue;
        buffer_init(&decoded, 0);
        sign_decode(&decoded, value);
        differs = !str_is(buffer_str(&decoded), name);
        buffer_release(&decoded);
    }
    return differs;
}

static void record_read(const struct kafka_place *place, const struct position_owner *owner, struct survey_partition *partition)
{
    struct str text = str_make(place->metadata, place->metadata_size);

    if (place->offset < 0 || !text.size)
        return;
    switch (position_parse(text, owner, &partition->position, &partition->error)) {
    case POSITION_OURS:
        partition->record = RECORD_OURS;
        return;
    case POSITION_NONE:
        partition->record = RECORD_STRANGE;
        return;
    case POSITION_UNKNOWN:
        partition->record = RECORD_UNKNOWN;
        return;
    case POSITION_FOREIGN:
        break;
    }
    partition->record = position_parse(text, NULL, &partition->position, NULL) == POSITION_OURS ? RECORD_FOREIGN : RECORD_STRANGE;
    partition->other_job = field_differs(text, "job", owner->job) || field_differs(text, "cluster", owner->cluster) ||
                           field_differs(text, "table", owner->table);
}

static bool epoch_same(const struct position *a, const struct position *b)
{
    if (a->cover_count != b->cover_count || a->session_count != b->session_count || a->at_ms != b->at_ms ||
        strcmp(a->by, b->by) != 0)
        return false;
    for (size_t i = 0; i < a->cover_count; i++) {
        if (a->covers[i].partition != b->covers[i].partition || a->covers[i].base != b->covers[i].base ||
            a->covers[i].next != b->covers[i].next)
            return false;
    }
    for (size_t i = 0; i < a->session_count; i++) {
        const struct position_session *x = &a->sessions[i], *y = &b->sessions[i];

        if (strcmp(x->spec, y->spec) != 0 || strcmp(x->id, y->id) != 0 || x->blocks != y->blocks || x->rows != y->rows)
            return false;
    }
    return true;
}

/* Whether the partition's record covers the partition itself and stands at its base. */
static bool epoch_stands(const struct position *position, int32_t partition, int64_t offset)
{
    for (size_t i = 0; i < position->cover_count; i++) {
        if (position->covers[i].partition == partition)
            return position->covers[i].base == offset;
    }
    return false;
}

static void epochs_group(struct survey *survey)
{
    size_t capacity = 0;

    for (int32_t i = 0; i < survey->count; i++) {
        const struct survey_partition *partition = &survey->partitions[i];
        struct survey_epoch *epoch = NULL;

        if (!partition->position.prepared)
            continue;
        for (size_t j = 0; j < survey->epoch_count && !epoch; j++) {
            if (strcmp(survey->epochs[j].position->epoch, partition->position.epoch) == 0)
                epoch = &survey->epochs[j];
        }
        if (!epoch) {
            XGROW(survey->epochs, survey->epoch_count, capacity);
            epoch = &survey->epochs[survey->epoch_count++];
            *epoch = (struct survey_epoch){.partition = i, .position = &partition->position};
            epoch->sessions = xcalloc(partition->position.session_count + 1, sizeof(*epoch->sessions));
            for (size_t j = 0; j < partition->position.session_count; j++) {
                epoch->sessions[j].recorded = &partition->position.sessions[j];
                epoch->sessions[j].partition_rows = -1;
            }
        }
        epoch->foreign |= partition->record == RECORD_FOREIGN;
        epoch->other_job |= partition->other_job;
        epoch->differs |= !epoch_same(epoch->position, &partition->position) ||
                          !epoch_stands(&partition->position, i, survey->places[i].offset);
    }
}

bool survey_read(struct survey *survey, struct ends *ends, struct error *error)
{
    memset(survey, 0, sizeof(*survey));
    if (!kafka_admin_group(ends->admin, &survey->group, error) || !kafka_admin_places(ends->admin, &survey->places, error)) {
        log_redact(error->text);
        survey_release(survey);
        return false;
    }
    survey->count = kafka_admin_partitions(ends->admin);
    survey->partitions = xcalloc((size_t)survey->count, sizeof(*survey->partitions));
    for (int32_t i = 0; i < survey->count; i++)
        record_read(&survey->places[i], &ends->owner, &survey->partitions[i]);
    epochs_group(survey);
    return true;
}

void survey_release(struct survey *survey)
{
    kafka_group_release(&survey->group);
    for (size_t i = 0; i < survey->epoch_count; i++)
        free(survey->epochs[i].sessions);
    free(survey->epochs);
    for (int32_t i = 0; i < survey->count; i++)
        position_release(&survey->partitions[i].position);
    free(survey->partitions);
    kafka_places_free(survey->places, survey->count);
    memset(survey, 0, sizeof(*survey));
}

/* --- sessions --- */

/* Section 3.3. */
static enum session_state state_of(const char *word)
{
    static const struct {
        const char *word;
        enum session_state state;
    } rows[] = {{"unknown", SURVEY_NORMAL},  {"normal", SURVEY_NORMAL}, {"committing", SURVEY_CLOSING},
                {"closing", SURVEY_CLOSING}, {"closed", SURVEY_CLOSED}, {"canceled", SURVEY_DEAD},
                {"cancelled", SURVEY_DEAD},  {"expired", SURVEY_DEAD},  {"critical", SURVEY_DEAD}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (str_equal_ignore_case(str_of(word), str_of(rows[i].word)))
            return rows[i].state;
    }
    return SURVEY_STRANGE;
}

static void session_read(struct survey_session *session, struct str json)
{
    yyjson_doc *document = yyjson_read(json.data ? json.data : "", json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(document), *status = yyjson_obj_get(root, "Status");

    if (yyjson_is_str(status)) {
        service_text_copy(session->word, sizeof(session->word), str_make(yyjson_get_str(status), yyjson_get_len(status)));
        session->state = state_of(session->word);
        session->blocks = (unsigned)yyjson_arr_size(yyjson_obj_get(root, "UploadedBlockList"));
    } else {
        session->state = SURVEY_NO_ANSWER;
        error_set(&session->error, ERROR_FATAL, "the service's answer about the session cannot be read (%zu bytes)", json.size);
    }
    for (char *c = session->word; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    yyjson_doc_free(document);
}

static void session_ask(struct survey_session *session, struct ends *ends)
{
    struct engine *engine = ends->engine;
    struct client_call *answer;
    struct buffer resource;

    if (ends->service.kind != ERROR_NONE) {
        session->state = SURVEY_NO_ANSWER;
        session->error = ends->service;
        return;
    }
    buffer_init(&resource, 0);
    client_table_resource(engine->client, CLIENT_TUNNEL, engine->job->target.table, &resource);
    client_resource_add(&resource, "uploadid", session->recorded->id);
    if (session->recorded->spec[0])
        client_resource_add(&resource, "partition", session->recorded->spec);
    client_resource_add(&resource, "getblockid", "true");
    answer = engine_ask(engine, client_call_new(CLIENT_TUNNEL, "GET", buffer_take(&resource, NULL)));
    if (!answer) {
        session->state = SURVEY_NO_ANSWER;
        engine_no_answer(engine, &session->error);
        ends->service = session->error; /* the others would wait as long */
    } else if (answer->ok) {
        session_read(session, answer->response);
    } else if (answer->status == 404 && strcmp(answer->code, "NoSuchProject") != 0) {
        session->state = SURVEY_NOT_FOUND;
        service_text_copy(session->word, sizeof(session->word), str_of(answer->code));
    } else {
        session->state = SURVEY_NO_ANSWER;
        session->error = answer->error;
        log_redact(session->error.text);
    }
    client_call_free(answer);
}

/* "dt=2024,hh=01" to "dt='2024'SEPARATORhh='01'". */
void survey_spec_quote(const char *spec, const char *separator, bool sql, struct buffer *text)
{
    struct str rest = str_of(spec), word, name, value;

    for (bool first = true; rest.size; first = false) {
        str_cut(rest, ',', &word, &rest);
        str_cut(word, '=', &name, &value);
        if (!first)
            buffer_append_str(text, str_of(separator));
        if (sql)
            mc_ddl_identifier(text, name);
        else
            buffer_append_str(text, name);
        buffer_append_char(text, '=');
        mc_ddl_string(text, value);
    }
}

static int64_t rows_ask(const char *spec, struct ends *ends)
{
    struct engine *engine = ends->engine;
    struct client_call *answer;
    struct buffer resource, quoted, json;
    int64_t rows = -1;

    if (ends->service.kind != ERROR_NONE || !spec[0])
        return spec[0] ? -1 : ends->table_rows;
    buffer_init(&resource, 0);
    buffer_init(&quoted, 0);
    buffer_init(&json, 0);
    client_table_resource(engine->client, CLIENT_CONTROL, engine->job->target.table, &resource);
    survey_spec_quote(spec, ",", false, &quoted);
    client_resource_add(&resource, "partition", buffer_text(&quoted));
    answer = engine_ask(engine, client_call_new(CLIENT_CONTROL, "GET", buffer_take(&resource, NULL)));
    if (answer && answer->ok && xml_take(answer->response, "Partition/Schema", &json))
        rows = json_number(buffer_str(&json), "partitionRecordNum");
    client_call_free(answer);
    buffer_release(&quoted);
    buffer_release(&json);
    return rows;
}

void survey_ask(struct survey *survey, struct ends *ends, bool with_rows)
{
    for (size_t i = 0; i < survey->epoch_count; i++) {
        struct survey_epoch *epoch = &survey->epochs[i];

        /* Sessions of another table cannot be asked for at ours. */
        for (size_t j = 0; !epoch->other_job && j < epoch->position->session_count; j++) {
            session_ask(&epoch->sessions[j], ends);
            if (with_rows)
                epoch->sessions[j].partition_rows = rows_ask(epoch->sessions[j].recorded->spec, ends);
        }
    }
}

bool session_is_open(const struct survey_session *session)
{
    return session->state == SURVEY_NORMAL || session->state == SURVEY_CLOSING;
}

void session_describe(const struct survey_session *session, struct buffer *text)
{
    switch (session->state) {
    case SURVEY_NOT_ASKED:
        buffer_print(text, "not asked: of another job");
        return;
    case SURVEY_NO_ANSWER:
        buffer_print(text, "the service does not answer: %s", session->error.text);
        return;
    case SURVEY_NOT_FOUND:
        buffer_print(text, "not found%s%s%s", session->word[0] ? " (" : "", session->word, session->word[0] ? ")" : "");
        return;
    case SURVEY_STRANGE:
        buffer_print(text, "a state that is not known: \"%s\"", session->word);
        return;
    case SURVEY_NORMAL:
    case SURVEY_CLOSING:
        buffer_print(text, "%s, %u of %u blocks listed", session->word, session->blocks, session->recorded->blocks);
        return;
    case SURVEY_CLOSED:
        buffer_print(text, "CLOSED: its rows are in the table");
        return;
    case SURVEY_DEAD:
        buffer_print(text, "%s: whether its rows are in the table is not known", session->word);
        return;
    }
}

/* --- comparing --- */

bool survey_same(const struct survey *before, const struct survey *now, struct error *error)
{
    if (now->group.member_count)
        return error_set(error, ERROR_FENCED, "a process has joined the group meanwhile; stop the job");
    for (int32_t i = 0; i < before->count; i++) {
        const struct kafka_place *a = &before->places[i], *b = &now->places[i];

        if (a->offset != b->offset ||
            !str_equal(str_make(a->metadata, a->metadata_size), str_make(b->metadata, b->metadata_size)))
            return error_set(error, ERROR_FENCED,
                             "what is stored for Kafka partition %" PRId32 " has changed meanwhile; look again", i);
    }
    for (size_t i = 0; i < before->epoch_count; i++) {
        for (size_t j = 0; j < before->epochs[i].position->session_count; j++) {
            const struct survey_session *a = &before->epochs[i].sessions[j], *b = &now->epochs[i].sessions[j];

            if (b->state != SURVEY_NOT_ASKED && a->state != b->state)
                return error_set(error, ERROR_FENCED, "the state of session %s has changed meanwhile; look again",
                                 a->recorded->id);
        }
    }
    return true;
}

const struct position *survey_carried(const struct survey *survey, const struct survey_epoch *epoch, int32_t partition)
{
    const struct position *position;

    if (partition < 0 || partition >= survey->count)
        return NULL;
    position = &survey->partitions[partition].position;
    return position->prepared && strcmp(position->epoch, epoch->position->epoch) == 0 ? position : NULL;
}

enum cover_state survey_cover(const struct survey *survey, const struct survey_epoch *epoch, const struct position_cover *cover)
{
    if (cover->partition >= survey->count)
        return COVER_ABSENT;
    if (survey_carried(survey, epoch, cover->partition))
        return COVER_CARRIES;
    return survey->places[cover->partition].offset >= cover->next ? COVER_MOVED_ON : COVER_BEHIND;
}

void survey_members(const struct survey *survey, struct buffer *text)
{
    for (size_t i = 0; i < survey->group.member_count; i++)
        buffer_print(text, "%s%s at %s", i ? ", " : "", survey->group.members[i].client_id, survey->group.members[i].host);
}

/* --- storing --- */

bool survey_store(struct ends *ends, const struct survey_move *moves, size_t count, struct error *error)
{
    struct kafka_position *positions = xcalloc(count, sizeof(*positions));
    struct buffer *texts = xcalloc(count, sizeof(*texts));
    struct kafka_place *places = NULL;
    struct error later = {0};
    size_t same = 0;
    bool ok;

    for (size_t i = 0; i < count; i++) {
        buffer_init(&texts[i], 0);
        position_print(&ends->owner, &(struct position){.ledger = moves[i].ledger}, &texts[i]);
        positions[i] = (struct kafka_position){moves[i].partition, moves[i].offset, buffer_str(&texts[i])};
    }
    ok = kafka_admin_store(ends->admin, positions, count, error);
    /* What the broker has decides, whatever became of the request; but one that was refused stored nothing, even where the same
     * was there before. */
    if (kafka_admin_places(ends->admin, &places, &later)) {
        for (size_t i = 0; i < count; i++) {
            const struct kafka_place *place = &places[moves[i].partition];

            same += place->offset == moves[i].offset &&
                    str_equal(str_make(place->metadata, place->metadata_size), positions[i].metadata);
        }
        if (same == count && error->kind != ERROR_FENCED)
            ok = true;
        else if (ok)
            ok = error_set(error, ERROR_FATAL,
                           "read back, %zu of %zu positions are what was stored; look with `luaduct epoch show`", same, count);
        else
            error_wrap(error, "%zu of %zu positions are stored", same, count);
    } else if (ok) {
        *error = later;
        ok = error_wrap(error, "the positions are stored, but could not be read back");
    } else {
        error_wrap(error, "whether the positions are stored is not known; look with `luaduct epoch show`");
    }
    for (size_t i = 0; i < count; i++)
        buffer_release(&texts[i]);
    kafka_places_free(places, kafka_admin_partitions(ends->admin));
    free(positions);
    free(texts);
    log_redact(error->text);
    return ok;
}

/* --- people --- */
