/* upload_session.c: a small state machine with at most one control call under way. Repeating is the client's work wherever a
 * repeat is harmless; the commit alone is sent once and looked after here, since only the session's state tells whether a lost
 * answer was a yes. */
#include "maxcompute/service_error.h"
#include "sink/upload_internal.h"

#include <stdlib.h>
#include <yyjson.h>

enum {
    PARTITION_TRIES_MAX = 6, /* "no such partition" again and again, although it was added */
    BROKEN_TRIES_MAX = 6,    /* half an answer to the question for the state */
    SESSION_ID_MAX = 256,
};

static struct str json_str(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    return yyjson_is_str(value) ? str_make(yyjson_get_str(value), yyjson_get_len(value)) : STR_NONE;
}

/* The object of an answer; NULL with an error when it is not whole. */
static yyjson_doc *json_read(struct str body, const char *what, struct error *error)
{
    yyjson_read_err problem;
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)(body.data ? body.data : ""), body.size, 0, NULL, &problem);

    if (document && yyjson_is_obj(yyjson_doc_get_root(document)))
        return document;
    if (document)
        error_set(error, ERROR_FATAL, "the service's answer to %s is no JSON object (%zu bytes)", what, body.size);
    else
        error_set(error, ERROR_FATAL, "the service's answer to %s is broken JSON: %s at byte %zu of %zu", what,
                  problem.msg ? problem.msg : "unreadable", problem.pos, body.size);
    yyjson_doc_free(document);
    return NULL;
}

enum service_status { STATUS_UNKNOWN, STATUS_NORMAL, STATUS_CLOSING, STATUS_CLOSED, STATUS_DEAD, STATUS_ABSENT };

/* Section 3.3. */
static enum service_status status_of(struct str text)
{
    static const struct {
        const char *name;
        enum service_status status;
    } names[] = {{"unknown", STATUS_UNKNOWN}, {"normal", STATUS_NORMAL}, {"committing", STATUS_CLOSING},
                 {"closing", STATUS_CLOSING}, {"closed", STATUS_CLOSED}, {"canceled", STATUS_DEAD},
                 {"cancelled", STATUS_DEAD},  {"expired", STATUS_DEAD},  {"critical", STATUS_DEAD}};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_equal_ignore_case(text, str_of(names[i].name)))
            return names[i].status;
    return STATUS_ABSENT;
}

/* Compares the listed blocks with 0…count-1 as a set. */
static bool blocks_check(yyjson_val *list, unsigned count, struct error *error)
{
    bool *seen = xcalloc(count ? count : 1, sizeof(*seen));
    bool ok = false;
    unsigned found = 0;
    yyjson_val *item;
    size_t i, n;

    if (!yyjson_is_arr(list)) {
        error_set(error, ERROR_FATAL, "the service's answer has no UploadedBlockList");
        goto out;
    }
    yyjson_arr_foreach(list, i, n, item)
    {
        yyjson_val *id = yyjson_obj_get(item, "BlockID");

        if (!yyjson_is_uint(id)) {
            error_set(error, ERROR_FATAL, "the service lists a block without a BlockID");
            goto out;
        }
        if (yyjson_get_uint(id) >= count) {
            error_set(error, ERROR_FATAL, "the service lists block %llu, which was never sent; the session is not committed",
                      (unsigned long long)yyjson_get_uint(id));
            goto out;
        }
        found += !seen[yyjson_get_uint(id)];
        seen[yyjson_get_uint(id)] = true;
    }
    for (unsigned id = 0; id < count && found < count; id++) {
        if (seen[id])
            continue;
        error_set(error, ERROR_FATAL,
                  "the service lists %u of %u acknowledged blocks, and block %u is missing; the session is not committed", found,
                  count, id);
        goto out;
    }
    ok = true;
out:
    free(seen);
    return ok;
}

struct upload_session *upload_session_new(struct upload *upload, struct str spec, void *user)
{
    struct upload_session *session = xcalloc(1, sizeof(*session));

    session->base.user = user;
    session->owner = OWNER_SESSION;
    session->upload = upload;
    session->quota_ms = INT64_MAX;
    session->spec = xstrndup(spec.data ? spec.data : "", spec.size);
    session->previous = upload->sessions_last;
    if (session->previous)
        session->previous->next = session;
    else
        upload->sessions = session;
    upload->sessions_last = session;
    return session;
}

struct upload_session *upload_session_adopt_new(struct upload *upload, struct str spec, struct str id, unsigned blocks,
                                                uint64_t rows, bool ask_only, void *user, int64_t now_ms)
{
    struct upload_session *session = upload_session_new(upload, spec, user);

    session->adopted = true;
    session->ask_only = ask_only;
    session->id = str_dup(id);
    session->block_count = session->acked_count = blocks;
    session->rows = rows;
    session->seal_wanted = session->commit_wanted = true;
    session->state = SESSION_ASK_LATER;
    session->due_ms = now_ms;
    upload_session_step(session, now_ms);
    return session;
}

static void error_locate(const struct upload_session *session, struct error *error)
{
    const struct upload *upload = session->upload;

    if (session->id)
        error_wrap(error, "table %s%s%.200s: upload session %.100s (%u blocks, %llu rows)", upload->table,
                   session->spec[0] ? ", partition " : "", session->spec, session->id, session->block_count,
                   (unsigned long long)session->rows);
    else
        error_wrap(error, "table %s%s%.200s", upload->table, session->spec[0] ? ", partition " : "", session->spec);
}

void upload_session_fail(struct upload_session *session, struct error *error)
{
    error_locate(session, error);
    upload_fail(session->upload, error);
}

/* The service no longer tells whether the rows are in the table. */
static void session_lost(struct upload_session *session, struct error *error)
{
    error->kind = ERROR_FATAL;
    error_locate(session, error);
    session->state = SESSION_LOST;
    sink_event_push(&session->upload->base, SINK_SESSION_UNKNOWN, &session->base, NULL, error);
}

void upload_session_resource(const struct upload_session *session, struct buffer *resource, bool create)
{
    const struct upload *upload = session->upload;

    buffer_init(resource, 0);
    client_table_resource(upload->client, CLIENT_TUNNEL, upload->table, resource);
    if (create)
        client_resource_add(resource, "uploads", NULL);
    else
        client_resource_add(resource, "uploadid", session->id);
    if (session->spec[0])
        client_resource_add(resource, "partition", session->spec);
}

/* blocks: the value of getblockid, NULL without it. */
static void session_send(struct upload_session *session, const char *method, const char *blocks, enum upload_session_state state,
                         int64_t now_ms)
{
    struct buffer resource;

    upload_session_resource(session, &resource, state == SESSION_CREATING);
    if (blocks)
        client_resource_add(&resource, "getblockid", blocks);
    session->state = state;
    session->sent_ms = now_ms;
    session->call = client_call_new(CLIENT_TUNNEL, method, buffer_take(&resource, NULL));
    upload_call_send(session->upload, session->call, &session->owner, state != SESSION_COMMITTING, now_ms);
}

/* These two wait for the quotas in the state that they are in, and are asked for again in every step. */
static void session_create(struct upload_session *session, int64_t now_ms)
{
    if (upload_quota_take(session->upload, QUOTA_SESSIONS, &session->quota_waits, &session->quota_ms, now_ms))
        session_send(session, "POST", NULL, SESSION_CREATING, now_ms);
}

static void session_commit_send(struct upload_session *session, int64_t now_ms)
{
    if (upload_quota_take(session->upload, QUOTA_COMMITS, &session->quota_waits, &session->quota_ms, now_ms))
        session_send(session, "POST", NULL, SESSION_COMMITTING, now_ms);
}

static void session_commit_ended(struct upload_session *session)
{
    if (session->upload->base.quota)
        quota_commit_end(&session->upload->quota);
}

/* A commit that goes on and on is said once, so that a person who waits knows for what. */
static void session_say_slow(const struct upload_session *session, unsigned tries, const char *state)
{
    enum { SLOW_TRIES = 4 };

    if (tries == SLOW_TRIES && session->upload->log)
        log_warn(session->upload->log,
                 "table %s: partition %s: the session %s is still %s after its commit; asking again until it is closed",
                 session->upload->table, session->spec[0] ? session->spec : "(none)", session->id, state);
}

/* For the state; an adopted session's blocks are compared before its commit. */
static void session_ask(struct upload_session *session, int64_t now_ms)
{
    session_send(session, "GET", session->adopted && !session->counted ? "true" : "false", SESSION_ASKING, now_ms);
}

static void session_ask_later(struct upload_session *session, int64_t now_ms)
{
    session->state = SESSION_ASK_LATER;
    session->due_ms = now_ms + upload_backoff_ms(++session->ask_tries);
    session_say_slow(session, session->ask_tries, "being closed");
}

static void session_committed(struct upload_session *session)
{
    session->state = SESSION_COMMITTED;
    sink_event_push(&session->upload->base, SINK_SESSION_COMMITTED, &session->base, NULL, NULL);
}

void upload_session_step(struct upload_session *session, int64_t now_ms)
{
    struct upload *upload = session->upload;

    if (upload->failed)
        return;
    session->quota_ms = INT64_MAX;
    switch (session->state) {
    case SESSION_EMPTY:
        if (session->block_count == 0 && session->seal_wanted) {
            session->state = SESSION_SEALED;
            sink_event_push(&upload->base, SINK_SESSION_SEALED, &session->base, NULL, NULL);
        } else if (session->block_count && upload->table_state == TABLE_READY) {
            struct upload_partition *partition = session->spec[0] ? upload_partition_find(upload, session->spec) : NULL;

            if (partition && partition->state != PARTITION_THERE) {
                session->partition = partition; /* being added for another session */
                session->state = SESSION_PARTITION;
            } else {
                session_create(session, now_ms);
            }
        }
        break;
    case SESSION_PARTITION:
        if (session->partition->state != PARTITION_THERE)
            break;
        session->partition = NULL;
        session->state = SESSION_EMPTY;
        session_create(session, now_ms);
        break;
    case SESSION_OPEN:
        if (session->seal_wanted && session->acked_count == session->block_count) {
            (void)upload_table_verify(upload, session->verify_after, now_ms); /* both questions at the same time */
            session_send(session, "GET", "true", SESSION_LISTING, now_ms);
        }
        break;
    case SESSION_VERIFYING:
        if (upload_table_verify(upload, session->verify_after, now_ms)) {
            session->state = SESSION_SEALED;
            sink_event_push(&upload->base, SINK_SESSION_SEALED, &session->base, NULL, NULL);
        }
        break;
    case SESSION_ASK_LATER:
        if (session->due_ms <= now_ms)
            session_ask(session, now_ms);
        break;
    case SESSION_COMMIT_LATER:
        if (session->due_ms <= now_ms)
            session->state = SESSION_SEALED;
        break;
    case SESSION_CREATING:
    case SESSION_LISTING:
    case SESSION_SEALED:
    case SESSION_COMMITTING:
    case SESSION_ASKING:
    case SESSION_COMMITTED:
    case SESSION_LOST:
        break;
    }
    if (session->state == SESSION_SEALED && session->commit_wanted) {
        if (session->id)
            session_commit_send(session, now_ms);
        else
            session_committed(session); /* there was never anything to commit */
    }
}

int64_t upload_session_deadline(const struct upload_session *session)
{
    return session->state == SESSION_ASK_LATER || session->state == SESSION_COMMIT_LATER ? session->due_ms : session->quota_ms;
}

/* Field numbers follow the order of columns: a table that changed since SINK_READY must not get our records. */
static bool session_schema_check(const struct upload_session *session, yyjson_val *schema_json, struct error *error)
{
    struct mc_schema schema = {0};
    size_t size;
    char *text;
    bool ok = false;

    if (!yyjson_is_obj(schema_json))
        return error_set(error, ERROR_FATAL, "the service's answer has no Schema");
    text = yyjson_val_write(schema_json, 0, &size);
    if (!text)
        return error_set(error, ERROR_FATAL, "the service's answer has an unreadable Schema");
    if (mc_schema_parse(&schema, str_make(text, size), error)) {
        ok = mc_schema_compatible(&session->upload->base.schema, &schema, error);
        if (!ok)
            error_wrap(error, "the table changed while the job ran; start the job again");
        mc_schema_release(&schema);
    }
    if (!ok)
        error->kind = ERROR_FATAL;
    free(text);
    return ok;
}

static void session_partition_missing(struct upload_session *session, int64_t now_ms)
{
    session->partition = upload_partition_want(session->upload, session->spec, session->partition_tries, session->sent_ms,
                                               now_ms);
    session->state = SESSION_PARTITION;
}

static void session_created(struct upload_session *session, struct client_call *call, int64_t now_ms)
{
    struct error error = {0};
    yyjson_doc *document;
    yyjson_val *root;
    struct str id;

    if (!call->ok) {
        bool missing = session->spec[0] && strcmp(call->code, "NoSuchPartition") == 0;

        if (missing && session->partition_tries++ < PARTITION_TRIES_MAX) {
            session_partition_missing(session, now_ms);
            return;
        }
        upload_table_advise(call);
        upload_session_fail(session, &call->error);
        return;
    }
    document = json_read(call->response, "the creation of an upload session", &error);
    if (!document) {
        upload_session_fail(session, &error);
        return;
    }
    root = yyjson_doc_get_root(document);
    id = json_str(root, "UploadID");
    if (id.size == 0 || id.size > SESSION_ID_MAX || memchr(id.data, '\0', id.size)) {
        error_set(&error, ERROR_FATAL, "the service created an upload session, but its answer has no usable UploadID");
        upload_session_fail(session, &error);
    } else if (status_of(json_str(root, "Status")) != STATUS_NORMAL && status_of(json_str(root, "Status")) != STATUS_UNKNOWN) {
        char status[40];

        service_text_copy(status, sizeof(status), json_str(root, "Status"));
        error_set(&error, ERROR_FATAL, "the service created an upload session whose state is \"%s\" and not normal", status);
        upload_session_fail(session, &error);
    } else if (!session_schema_check(session, yyjson_obj_get(root, "Schema"), &error)) {
        upload_session_fail(session, &error);
    } else {
        session->id = str_dup(id);
        session->partition_tries = 0;
        session->verify_after = session->upload->verify_sent;
        session->state = SESSION_OPEN;
    }
    yyjson_doc_free(document);
}

static void session_listed(struct upload_session *session, struct client_call *call, int64_t now_ms)
{
    struct error error = {0};
    yyjson_doc *document;

    if (!call->ok) {
        upload_table_advise(call);
        upload_session_fail(session, &call->error);
        return;
    }
    document = json_read(call->response, "the question for the block list", &error);
    if (!document) {
        upload_session_fail(session, &error);
        return;
    }
    if (blocks_check(yyjson_obj_get(yyjson_doc_get_root(document), "UploadedBlockList"), session->block_count, &error)) {
        session->state = SESSION_VERIFYING;
        upload_session_step(session, now_ms);
    } else {
        upload_session_fail(session, &error);
    }
    yyjson_doc_free(document);
}

/* Refusals that the session's state or a later try explains: it may be closed already, or another commit was faster. */
static bool refusal_passes(const char *code)
{
    static const char *const codes[] = {"MetaTransactionFailed", "DataUnderReplication", "DataVersionConflict", "StatusConflict"};

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

/* 404 of the session itself, not of what it belongs to. */
static bool session_is_gone(const struct client_call *call)
{
    static const char *const others[] = {"NoSuchProject", "NoSuchSchema", "NoSuchTable", "NoSuchObject", "NoSuchPartition"};

    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strcmp(call->code, others[i]) == 0)
            return false;
    return call->status == 404 && call->code[0];
}

/* A failure after which the commit can neither be repeated nor looked at. */
static void session_commit_fail(struct upload_session *session, struct client_call *call)
{
    upload_table_advise(call);
    if (call->status == 0 || call->status == 404)
        error_wrap(&call->error, "whether its rows are in the table is unknown");
    upload_session_fail(session, &call->error);
}

/* The answer to the POST. Anything but a plain "closed" is followed by the question for the state: a session that is gone may be
 * what the service says to a second commit. */
static void session_commit_answered(struct upload_session *session, struct client_call *call, int64_t now_ms)
{
    session->refused = false;
    if (call->ok) {
        yyjson_doc *document = json_read(call->response, "the commit", NULL);
        enum service_status status = status_of(json_str(yyjson_doc_get_root(document), "Status"));

        yyjson_doc_free(document);
        if (status == STATUS_CLOSED) {
            session_committed(session);
            return;
        }
        if (status != STATUS_ABSENT) {
            session_ask_later(session, now_ms);
            return;
        }
    } else if (call->error.kind != ERROR_RETRY) {
        bool final = call->status == 0 || call->status == 401 || call->status == 403 || call->status == 404;

        if (final && !session_is_gone(call)) {
            session_commit_fail(session, call);
            return;
        }
        session->refused = !final && !refusal_passes(call->code);
        upload_table_advise(call);
        session->refusal = call->error;
    }
    session_ask(session, now_ms);
}

/* Open: to be committed, if the blocks are those of the record and nothing speaks against it. */
static void session_is_normal(struct upload_session *session, yyjson_val *list, int64_t now_ms)
{
    struct error error = {0};

    if (session->ask_only) {
        session->state = SESSION_LOST; /* nothing more is to be done here */
        sink_event_push(&session->upload->base, SINK_SESSION_OPEN, &session->base, NULL, NULL);
        return;
    }
    if (session->adopted && !session->counted) {
        if (yyjson_is_arr(list) && yyjson_arr_size(list) != session->block_count)
            error_set(&error, ERROR_FATAL,
                      "the service lists %zu blocks, but %u were there when the session was sealed; it is not committed",
                      yyjson_arr_size(list), session->block_count);
        else if (blocks_check(list, session->block_count, &error))
            session->counted = true;
        if (!session->counted) {
            upload_session_fail(session, &error);
            return;
        }
        session->state = SESSION_COMMIT_LATER;
        session->due_ms = now_ms;
        upload_session_step(session, now_ms);
        return;
    }
    if (session->refused) {
        error_wrap(&session->refusal,
                   "the commit was refused and the session is still open, so none of its rows are in the table");
        upload_session_fail(session, &session->refusal);
        return;
    }
    session->ask_tries = 0;
    session->state = SESSION_COMMIT_LATER;
    session->due_ms = now_ms + (session->commit_tries ? upload_backoff_ms(session->commit_tries) : 0);
    session->commit_tries++;
    session_say_slow(session, session->commit_tries, "open");
}

static void session_ask_refused(struct upload_session *session, struct client_call *call)
{
    if (!session_is_gone(call)) {
        upload_table_advise(call);
        error_wrap(&call->error, "whether its rows are in the table is unknown");
        upload_session_fail(session, &call->error);
        return;
    }
    error_wrap(&call->error, "the service does not know the session any more, whether its rows are in the table is unknown");
    session_lost(session, &call->error);
}

/* Half an answer may be whole the next time; one that never is ends the job. */
static void session_ask_broken(struct upload_session *session, struct error *error, int64_t now_ms)
{
    if (++session->broken_tries < BROKEN_TRIES_MAX) {
        session_ask_later(session, now_ms);
        return;
    }
    error_wrap(error, "whether its rows are in the table is unknown");
    upload_session_fail(session, error);
}

static void session_asked(struct upload_session *session, struct client_call *call, int64_t now_ms)
{
    struct error error = {0};
    yyjson_doc *document;
    yyjson_val *root;
    char status[40];

    if (!call->ok) {
        session_ask_refused(session, call);
        return;
    }
    document = json_read(call->response, "the question for the session's state", &error);
    if (!document) {
        session_ask_broken(session, &error, now_ms);
        return;
    }
    root = yyjson_doc_get_root(document);
    service_text_copy(status, sizeof(status), json_str(root, "Status"));
    session->broken_tries = 0;
    switch (status_of(str_of(status))) {
    case STATUS_CLOSED:
        session_committed(session);
        break;
    case STATUS_NORMAL:
        session_is_normal(session, yyjson_obj_get(root, "UploadedBlockList"), now_ms);
        break;
    case STATUS_CLOSING:
    case STATUS_UNKNOWN:
        session_ask_later(session, now_ms);
        break;
    case STATUS_DEAD:
        error_set(&error, ERROR_FATAL,
                  "%s, but the service now says that the session is %s (HTTP %d); look whether its rows are in the table before "
                  "the job goes on",
                  session->adopted ? "its commit was decided by an earlier owner" : "its commit was sent", status, call->status);
        session_lost(session, &error);
        break;
    case STATUS_ABSENT:
        error_set(&error, ERROR_FATAL,
                  "the service gives a state that is not known: \"%s\"; whether its rows are in the table is unknown", status);
        upload_session_fail(session, &error);
        break;
    }
    yyjson_doc_free(document);
}

void upload_session_answered(struct upload_session *session, struct client_call *call, int64_t now_ms)
{
    session->call = NULL;
    if (session->state == SESSION_COMMITTING)
        session_commit_ended(session);
    switch (session->state) {
    case SESSION_CREATING: session_created(session, call, now_ms); break;
    case SESSION_LISTING: session_listed(session, call, now_ms); break;
    case SESSION_COMMITTING: session_commit_answered(session, call, now_ms); break;
    case SESSION_ASKING: session_asked(session, call, now_ms); break;
    default: assert(!"a session in this state has no call under way");
    }
}

void upload_session_free(struct upload_session *session)
{
    if (!session)
        return;
    if (session->previous)
        session->previous->next = session->next;
    else
        session->upload->sessions = session->next;
    if (session->next)
        session->next->previous = session->previous;
    else
        session->upload->sessions_last = session->previous;
    if (session->call && session->state == SESSION_COMMITTING)
        session_commit_ended(session);
    client_call_free(session->call);
    free(session->spec);
    free(session->id);
    free(session);
}
