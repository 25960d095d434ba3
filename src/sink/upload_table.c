/* upload_table.c: one call reads the table's metadata; an SQL statement creates the table when it is missing. */
#include "sink/upload_internal.h"

#include <stdlib.h>

enum { TABLE_TRIES_MAX = 6 };

void upload_table_fail(struct upload *upload, struct error *error)
{
    error_wrap(error, "table %s", upload->table);
    upload_fail(upload, error);
}

static struct client_call *table_call(const struct upload *upload)
{
    struct buffer resource;

    buffer_init(&resource, 0);
    client_table_resource(upload->client, CLIENT_CONTROL, upload->table, &resource);
    client_resource_add(&resource, "curr_project", client_project(upload->client));
    return client_call_new(CLIENT_CONTROL, "GET", buffer_take(&resource, NULL));
}

static void table_read(struct upload *upload, int64_t now_ms)
{
    upload->table_state = TABLE_READING;
    upload->table_call = table_call(upload);
    upload_call_send(upload, upload->table_call, &upload->owner, true, now_ms);
}

void upload_table_start(struct upload *upload, int64_t now_ms)
{
    if (upload->table_state == TABLE_IDLE)
        table_read(upload, now_ms);
}

struct client_sql *upload_sql_start(struct upload *upload, struct buffer *statement, const struct mc_schema *schema,
                                    int64_t now_ms)
{
    struct client_sql *sql;
    struct buffer settings;

    buffer_init(&settings, 0);
    mc_ddl_settings(&settings, schema, str_of(client_schema_name(upload->client)));
    sql = client_sql_start(upload->client, buffer_text(statement), buffer_text(&settings), now_ms);
    buffer_release(&settings);
    return sql;
}

static void table_create(struct upload *upload, int64_t now_ms)
{
    struct buffer statement;

    buffer_init(&statement, 0);
    mc_ddl_create_table(&statement, str_of(client_project(upload->client)), str_of(client_schema_name(upload->client)),
                        str_of(upload->table), upload->create_schema, str_of(upload->create_comment), upload->lifecycle_days);
    upload->table_state = TABLE_CREATING;
    upload->table_sql = upload_sql_start(upload, &statement, upload->create_schema, now_ms);
    buffer_release(&statement);
}

static void table_later(struct upload *upload, int64_t now_ms)
{
    upload->table_tries++;
    upload->table_state = TABLE_WAITING;
    upload->table_due_ms = now_ms + upload_backoff_ms(upload->table_tries);
}

static void table_missing(struct upload *upload, struct client_call *call, int64_t now_ms)
{
    if (strcmp(call->code, "NoSuchProject") == 0 || strcmp(call->code, "NoSuchSchema") == 0) {
        upload_table_fail(upload, &call->error);
    } else if (upload->table_created) { /* the catalogue may be a moment behind */
        if (upload->table_tries < TABLE_TRIES_MAX)
            table_later(upload, now_ms);
        else
            upload_table_fail(upload, &call->error);
    } else if (upload->create_if_missing && upload->create_schema) {
        table_create(upload, now_ms);
    } else {
        error_set(&call->error, ERROR_FATAL,
                  "there is no such table in project %s; create it, or write `create: if_missing` under target",
                  client_project(upload->client));
        upload_table_fail(upload, &call->error);
    }
}

void upload_table_answered(struct upload *upload, struct client_call *call, int64_t now_ms)
{
    struct error error = {0};

    upload->table_call = NULL;
    if (call->ok) {
        if (mc_table_parse(&upload->base.schema, call->response, &error)) {
            mc_table_id(call->response, upload->base.table_id, sizeof(upload->base.table_id));
            upload->table_state = TABLE_READY;
            sink_event_push(&upload->base, SINK_READY, NULL, NULL, NULL);
        } else {
            upload_table_fail(upload, &error);
        }
    } else if (call->status == 404) {
        table_missing(upload, call, now_ms);
    } else {
        upload_table_fail(upload, &call->error);
    }
}

bool upload_table_verify(struct upload *upload, unsigned after, int64_t now_ms)
{
    if (!upload->base.table_id[0] || upload->verify_done > after) /* without an id there is nothing to compare */
        return true;
    if (!upload->verify_call) {
        upload->verify_sent++;
        upload->verify_call = table_call(upload);
        upload_call_send(upload, upload->verify_call, &upload->verify_owner, true, now_ms);
    }
    return false;
}

void upload_table_verified(struct upload *upload, struct client_call *call)
{
    struct error error = {0};
    char id[sizeof(upload->base.table_id)];

    upload->verify_call = NULL;
    if (!call->ok) {
        upload_table_advise(call);
        upload_table_fail(upload, &call->error);
        return;
    }
    mc_table_id(call->response, id, sizeof(id));
    if (strcmp(id, upload->base.table_id) == 0) {
        upload->verify_done = upload->verify_sent;
        return;
    }
    error_set(&error, ERROR_FATAL,
              "it was dropped and made again while the job ran (its id was %s and is \"%s\"); the rows under way were not "
              "committed; see that the new table is the one to write to, then start the job again",
              upload->base.table_id, id);
    upload_table_fail(upload, &error);
}

void upload_table_advise(struct client_call *call)
{
    if (strcmp(call->code, "TableModified") == 0)
        error_wrap(&call->error, "the table was altered, or dropped and made again, while the job ran; start the job again, so "
                                 "that it reads the table anew");
    else if (strcmp(call->code, "NoSuchTable") == 0 || (call->status == 404 && strcmp(call->code, "NoSuchObject") == 0))
        error_wrap(&call->error, "the table was dropped while the job ran; make it again and say with `luaduct reset` from where "
                                 "it is to be filled");
}

static void creation_step(struct upload *upload, int64_t now_ms)
{
    struct error error = {0};
    int state;

    if (upload->table_state == TABLE_WAITING && upload->table_due_ms <= now_ms) {
        if (upload->table_created)
            table_read(upload, now_ms);
        else
            table_create(upload, now_ms);
    }
    if (!upload->table_sql)
        return;
    client_sql_step(upload->table_sql, now_ms);
    state = client_sql_state(upload->table_sql, &error);
    if (state == 0)
        return;
    client_sql_free(upload->table_sql);
    upload->table_sql = NULL;
    if (state > 0) {
        if (upload->log)
            log_info(upload->log, "table %s was created", upload->table);
        upload->table_created = true;
        upload->table_tries = 0;
        table_read(upload, now_ms);
    } else if (error.kind == ERROR_RETRY) {
        if (upload->log)
            log_warn(upload->log, "table %s could not be created yet; trying again: %s", upload->table, error.text);
        table_later(upload, now_ms);
    } else {
        error_wrap(&error, "it could not be created");
        upload_table_fail(upload, &error);
    }
}

void upload_table_step(struct upload *upload, int64_t now_ms)
{
    creation_step(upload, now_ms);
    upload_partitions_step(upload, now_ms);
}

bool upload_table_take(struct upload *upload, struct client_call *call, int64_t now_ms)
{
    return (upload->table_sql && client_sql_take(upload->table_sql, call, now_ms)) ||
           upload_partitions_take(upload, call, now_ms);
}

int64_t upload_table_deadline(const struct upload *upload)
{
    int64_t deadline = upload->table_state == TABLE_WAITING ? upload->table_due_ms : INT64_MAX;

    if (upload->table_sql)
        deadline = int64_min(deadline, client_sql_deadline(upload->table_sql));
    return int64_min(deadline, upload_partitions_deadline(upload));
}

void upload_table_release(struct upload *upload)
{
    upload_partitions_release(upload);
    client_call_free(upload->table_call);
    client_call_free(upload->verify_call);
    client_sql_free(upload->table_sql);
}
