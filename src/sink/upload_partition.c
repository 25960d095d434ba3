/* upload_partition.c: table partitions that the service says are missing are added by one statement at a time, for all that are
 * wanted by then: a statement takes seconds on the service, and a backfill wants hundreds of partitions. They are a list that is
 * walked in every step. It holds those that were missing and, for a while, those that were added: a session that still does not
 * find one asks for it again later and later, and not at once. */
#include "sink/upload_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    STATEMENT_PARTITIONS_MAX = 100,
    REMEMBERED_MS = 10 * 60 * 1000, /* how long one that was added is known to have been added, if nobody asks */
};

struct upload_partition *upload_partition_find(struct upload *upload, const char *spec)
{
    for (struct upload_partition *partition = upload->partitions; partition; partition = partition->next)
        if (strcmp(partition->spec, spec) == 0)
            return partition;
    return NULL;
}

struct upload_partition *upload_partition_want(struct upload *upload, const char *spec, unsigned tries, int64_t sent_ms,
                                               int64_t now_ms)
{
    struct upload_partition *partition = upload_partition_find(upload, spec);

    if (!partition) {
        partition = xcalloc(1, sizeof(*partition));
        partition->spec = xstrdup(spec);
        partition->next = upload->partitions;
        upload->partitions = partition;
        partition->due_ms = now_ms;
    } else if (partition->state == PARTITION_THERE && sent_ms > partition->there_ms) {
        /* Someone dropped it since, or the service is a moment behind. */
        partition->state = PARTITION_MISSING;
        partition->due_ms = now_ms + upload_backoff_ms(tries);
    }
    partition->asked_ms = now_ms; /* the session looks at it in its next step */
    return partition;
}

/* For all that are due, up to the bound. */
static void statement_start(struct upload *upload, int64_t now_ms)
{
    unsigned count = 0;
    struct buffer text;

    buffer_init(&text, 0);
    mc_ddl_add_partitions(&text, str_of(client_project(upload->client)), str_of(client_schema_name(upload->client)),
                          str_of(upload->table));
    for (struct upload_partition *partition = upload->partitions; partition && count < STATEMENT_PARTITIONS_MAX;
         partition = partition->next) {
        if (partition->state != PARTITION_MISSING || partition->due_ms > now_ms)
            continue;
        mc_ddl_partition(&text, str_of(partition->spec));
        partition->state = PARTITION_ADDING;
        count++;
    }
    if (count)
        upload->partitions_sql = upload_sql_start(upload, &text, &upload->base.schema, now_ms);
    buffer_release(&text);
}

static void statement_ended(struct upload *upload, bool ok, struct error *error, int64_t now_ms)
{
    const char *one = "";
    char others[40] = "";
    unsigned count = 0;

    for (struct upload_partition *partition = upload->partitions; partition; partition = partition->next) {
        if (partition->state != PARTITION_ADDING)
            continue;
        one = partition->spec;
        count++;
        partition->state = ok ? PARTITION_THERE : PARTITION_MISSING;
        partition->tries = ok ? 0 : partition->tries + 1;
        partition->there_ms = partition->asked_ms = now_ms;
        partition->due_ms = now_ms + (ok ? 0 : upload_backoff_ms(partition->tries));
    }
    client_sql_free(upload->partitions_sql);
    upload->partitions_sql = NULL;
    if (ok)
        return;
    if (count > 1)
        snprintf(others, sizeof(others), " (and %u more with it)", count - 1);
    if (error->kind == ERROR_RETRY) {
        if (upload->log)
            log_warn(upload->log, "table %s: partition %s%s could not be added yet; trying again: %s", upload->table, one, others,
                     error->text);
        return;
    }
    error_wrap(error, "partition %.200s%s could not be added", one, others);
    upload_table_fail(upload, error);
}

/* Nobody waits for one that is there: sessions go on in their next step. */
static void partitions_forget(struct upload *upload, int64_t now_ms)
{
    struct upload_partition **at = &upload->partitions;

    while (*at) {
        struct upload_partition *partition = *at;

        if (partition->state != PARTITION_THERE || now_ms - partition->asked_ms < REMEMBERED_MS) {
            at = &partition->next;
            continue;
        }
        *at = partition->next;
        free(partition->spec);
        free(partition);
    }
}

void upload_partitions_step(struct upload *upload, int64_t now_ms)
{
    struct error error = {0};
    int state;

    if (upload->failed)
        return;
    partitions_forget(upload, now_ms);
    if (!upload->partitions_sql)
        statement_start(upload, now_ms);
    if (!upload->partitions_sql)
        return;
    client_sql_step(upload->partitions_sql, now_ms);
    state = client_sql_state(upload->partitions_sql, &error);
    if (state != 0)
        statement_ended(upload, state > 0, &error, now_ms);
}

bool upload_partitions_take(struct upload *upload, struct client_call *call, int64_t now_ms)
{
    return upload->partitions_sql && client_sql_take(upload->partitions_sql, call, now_ms);
}

int64_t upload_partitions_deadline(const struct upload *upload)
{
    int64_t deadline = INT64_MAX;

    if (upload->partitions_sql)
        return client_sql_deadline(upload->partitions_sql);
    for (const struct upload_partition *partition = upload->partitions; partition; partition = partition->next)
        if (partition->state == PARTITION_MISSING)
            deadline = int64_min(deadline, partition->due_ms);
    return deadline;
}

void upload_partitions_release(struct upload *upload)
{
    while (upload->partitions) {
        struct upload_partition *partition = upload->partitions;

        upload->partitions = partition->next;
        free(partition->spec);
        free(partition);
    }
    client_sql_free(upload->partitions_sql);
}
