/* tunnel.c: batch upload and download sessions (protocol sections 3 and 8). Calls are told apart by the presence of
 * parameters. */
#include "local/server.h"
#include "maxcompute/compress.h"
#include "maxcompute/sign.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES_MAX = 900 << 20 }; /* below SQLite's limit for one value */

enum fault_call tunnel_call(const struct request *request)
{
    bool post = request_is(request, "POST");

    if (post && request_has(request, "uploads"))
        return CALL_CREATE_UPLOAD;
    if (post && request_has(request, "downloads"))
        return CALL_CREATE_DOWNLOAD;
    if (request_has(request, "uploadid"))
        return request_is(request, "PUT") ? CALL_PUT_BLOCK : post ? CALL_COMMIT : CALL_LIST_BLOCKS;
    return request_has(request, "downloadid") ? CALL_DOWNLOAD : CALL_ANY;
}

struct target {
    struct str project, schema_name, table;
};

static bool target_of(const struct request *request, struct target *target, struct refusal *refusal)
{
    const struct str *segments = request->segments;
    int64_t created_ms;
    size_t tables = 2;

    *target = (struct target){.schema_name = STR("")};
    if (request->segment_count == 6 && str_is(segments[2], "schemas")) {
        target->schema_name = str_equal_ignore_case(segments[3], STR("default")) ? STR("") : segments[3];
        tables = 4;
    }
    if (request->segment_count != tables + 2 || !str_is(segments[0], "projects") || !str_is(segments[tables], "tables"))
        return refuse(refusal, 404, "InvalidURI",
                      "the local endpoint does not offer this path; it knows batch uploads and downloads of "
                      "/projects/P[/schemas/S]/tables/T");
    target->project = segments[1];
    target->table = segments[tables + 1];
    if (!store_has_project(request->store, target->project, &created_ms))
        return refuse(refusal, 404, "NoSuchProject", "The specified project %.*s could not be found.", STR_ARG(target->project));
    return true;
}

static void print_time(struct buffer *json, int64_t ms)
{
    struct buffer date;

    buffer_init(&date, 0);
    sign_date(&date, ms);
    buffer_append_json(json, buffer_str(&date));
    buffer_release(&date);
}

static void print_upload(struct request *request, struct answer *answer, const struct store_session *session, bool with_blocks)
{
    struct buffer *json = &answer->body;
    struct store_block *blocks = NULL;
    size_t count = 0;

    if (with_blocks)
        blocks = store_blocks(request->store, session->id, &count);
    buffer_print(json, "{\"UploadID\":\"%s\",\"Status\":\"%s\",\"Owner\":\"local\",\"Initiated\":", session->id, session->status);
    print_time(json, session->created_ms);
    buffer_print(json,
                 ",\"IsOverwrite\":%s,\"MaxFieldSize\":8388608,\"QuotaName\":\"default\",\"Schema\":%s,\"UploadedBlockList\":[",
                 session->overwrite ? "true" : "false", session->schema_json);
    for (size_t i = 0; i < count; i++) {
        buffer_print(json, "%s{\"BlockID\":%lld,\"CreateTime\":%lld,\"Date\":", i ? "," : "", (long long)blocks[i].id,
                     (long long)(blocks[i].created_ms / 1000));
        print_time(json, blocks[i].created_ms);
        buffer_print(json, ",\"FileName\":\"%lld\",\"RecordCount\":%lld,\"Version\":%lld}", (long long)blocks[i].id,
                     (long long)blocks[i].record_count, (long long)blocks[i].version);
    }
    buffer_print(json, "]}");
    answer->content_type = "application/json";
    free(blocks);
}

static void print_download(struct answer *answer, const struct store_session *session)
{
    struct buffer *json = &answer->body;

    buffer_print(json,
                 "{\"DownloadID\":\"%s\",\"Status\":\"%s\",\"RecordCount\":%lld,\"Owner\":\"local\",\"Initiated\":", session->id,
                 session->status, (long long)session->record_count);
    print_time(json, session->created_ms);
    buffer_print(json, ",\"QuotaName\":\"default\",\"Schema\":%s}", session->schema_json);
    answer->content_type = "application/json";
}

static bool parse_number(struct str text, int64_t *value_out)
{
    int64_t value = 0;

    if (text.size == 0 || text.size > 18)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    *value_out = value;
    return true;
}

static bool create(struct request *request, struct answer *answer, const struct target *target, enum session_kind kind,
                   struct refusal *refusal)
{
    const enum quota quota = kind == SESSION_UPLOAD ? QUOTA_SESSIONS : QUOTA_DOWNLOADS;
    struct store_table table;
    struct store_session session;
    bool ok;

    if (!store_table_load(request->store, target->project, target->schema_name, target->table, &table, refusal))
        return false;
    if (!quotas_begin(request->quotas, quota, table.rows, request->now_ms, refusal)) {
        store_table_release(&table);
        return false;
    }
    ok = store_session_create(request->store, kind, &table, request_get(request, "partition"),
                              kind == SESSION_UPLOAD && str_equal_ignore_case(request_get(request, "overwrite"), STR("true")),
                              kind == SESSION_UPLOAD && request_has(request, "create_partition") &&
                                  !str_equal_ignore_case(request_get(request, "create_partition"), STR("false")),
                              request->now_ms, &session, refusal);
    quotas_end(request->quotas, quota, table.rows);
    store_table_release(&table);
    if (!ok)
        return false;
    snprintf(request->session_made, sizeof(request->session_made), "%s", session.id);
    request->session = str_of(request->session_made);
    answer->status = kind == SESSION_UPLOAD ? 201 : 200;
    if (kind == SESSION_UPLOAD)
        print_upload(request, answer, &session, false);
    else
        print_download(answer, &session);
    store_session_release(&session);
    return true;
}

static bool put_block(struct request *request, struct answer *answer, const struct store_session *session,
                      struct refusal *refusal)
{
    struct buffer plain;
    struct str body = buffer_str(&request->body);
    struct str encoding = str_trim(str_of(request->content_encoding));
    int64_t block, version = 0;
    struct error error;
    bool ok = false;

    if (request_has(request, "arrow"))
        return refuse(refusal, 400, "InvalidArgument", "the local endpoint takes record streams only, no Arrow bodies");
    if (!parse_number(request_get(request, "blockid"), &block))
        return refuse(refusal, 400, "InvalidBlockID", "blockid=\"%.*s\" is no number", STR_ARG(request_get(request, "blockid")));
    if (request_has(request, "block_version") && (!parse_number(request_get(request, "block_version"), &version) || version < 1))
        return refuse(refusal, 400, "InvalidArgument", "block_version must be a number from 1");
    buffer_init(&plain, BLOCK_BYTES_MAX);
    if (encoding.size > 0 && !str_equal_ignore_case(encoding, STR("identity"))) {
        if (!decompress(encoding, body, BLOCK_BYTES_MAX, &plain, &error)) {
            refuse(refusal, 400, "MalformedDataStream", "%s", error.text);
            goto out;
        }
        body = buffer_str(&plain);
    }
    ok = store_block_put(request->store, session, block, version, body, request->now_ms, refusal);
    answer->status = 200;
out:
    buffer_release(&plain);
    return ok;
}

/* The partition is named again on every call; another one than the session's is a client's mistake. */
static bool partition_check(struct request *request, const struct target *target, const struct store_session *session,
                            struct refusal *refusal)
{
    struct store_table table;
    struct refusal gone;
    struct buffer spec;
    bool ok;

    if (!request_has(request, "partition") || request_get(request, "partition").size == 0)
        return true;
    if (!store_table_load(request->store, target->project, target->schema_name, target->table, &table, &gone))
        return true; /* the commit says that the table is gone */
    buffer_init(&spec, 0);
    ok = store_spec(&table, request_get(request, "partition"), &spec, refusal);
    if (ok && strcmp(buffer_text(&spec), session->partition) != 0)
        ok = refuse(refusal, 400, "InvalidPartitionSpec", "session %s was created for partition \"%s\", not for \"%s\"",
                    session->id, session->partition, buffer_text(&spec));
    buffer_release(&spec);
    store_table_release(&table);
    return ok;
}

/* What the real service answers to a second commit is not documented: tests see what a client does with each answer. */
static bool second_commit(const struct request *request, const struct store_session *session, struct refusal *refusal)
{
    switch (request->second_commit) {
    case SECOND_COMMIT_OK:
        return true;
    case SECOND_COMMIT_CONFLICT:
        return refuse(refusal, 409, "StatusConflict", "session %s is %s already", session->id, session->status);
    case SECOND_COMMIT_5XX:
        return refuse(refusal, 500, "InternalServerError", "session %s is %s, and this commit is answered so by choice",
                      session->id, session->status);
    }
    return true;
}

static bool commit(struct request *request, struct store_session *session, struct refusal *refusal)
{
    bool second, ok = store_commit_begin(request->store, session, request->now_ms, &second, refusal);

    if (ok && second)
        return second_commit(request, session, refusal);
    if (ok && request->closing_ms > 0)
        local_pause(request->local, request->closing_ms);
    return ok && store_commit_end(request->store, session, request->now_ms, refusal);
}

/* A call that the limits let through, carried out. */
static bool limited(struct request *request, struct answer *answer, struct store_session *session, struct refusal *refusal)
{
    const enum quota quota = request->call == CALL_COMMIT ? QUOTA_COMMITS : QUOTA_BLOCKS;
    bool ok;

    if (!quotas_begin(request->quotas, quota, session->rows, request->now_ms, refusal))
        return false;
    if (quota == QUOTA_COMMITS)
        ok = commit(request, session, refusal);
    else
        ok = put_block(request, answer, session, refusal);
    quotas_end(request->quotas, quota, session->rows);
    return ok;
}

static bool upload(struct request *request, struct answer *answer, const struct target *target, struct refusal *refusal)
{
    struct store_session session;
    bool ok;

    if (!store_session_load(request->store, SESSION_UPLOAD, request_get(request, "uploadid"), target->project,
                            target->schema_name, target->table, request->now_ms, &session, refusal))
        return false;
    ok = partition_check(request, target, &session, refusal);
    answer->status = 200;
    if (ok && request->call != CALL_LIST_BLOCKS) {
        ok = limited(request, answer, &session, refusal);
        if (ok && request->call == CALL_COMMIT)
            print_upload(request, answer, &session, true);
    } else if (ok) {
        print_upload(request, answer, &session, !str_equal_ignore_case(request_get(request, "getblockid"), STR("false")));
    }
    store_session_release(&session);
    return ok;
}

/* "(0,100)" */
static bool parse_range(struct str text, int64_t *start_out, int64_t *count_out)
{
    struct str first, second;

    return text.size >= 5 && text.data[0] == '(' && text.data[text.size - 1] == ')' &&
           str_cut(str_make(text.data + 1, text.size - 2), ',', &first, &second) && parse_number(str_trim(first), start_out) &&
           parse_number(str_trim(second), count_out);
}

static bool accepts_deflate(const char *accept)
{
    struct str head, rest = str_of(accept);

    while (rest.data && rest.size > 0) {
        str_cut(rest, ',', &head, &rest);
        str_cut(head, ';', &head, &(struct str){0});
        if (str_equal_ignore_case(str_trim(head), STR("deflate")))
            return true;
    }
    return false;
}

static bool compress_body(struct answer *answer, struct buffer *plain, struct refusal *refusal)
{
    struct compressor *compressor = compressor_new(COMPRESSION_DEFLATE);
    struct error error;
    bool ok = compressor_begin(compressor, &answer->body, &error) &&
              compressor_feed(compressor, buffer_str(plain), &answer->body, &error) &&
              compressor_end(compressor, &answer->body, &error);

    compressor_free(compressor);
    if (!ok)
        return refuse(refusal, 500, "InternalServerError", "%s", error.text);
    answer_header(answer, "Content-Encoding", "deflate");
    return true;
}

static bool read_data(struct request *request, struct answer *answer, const struct store_session *session,
                      struct refusal *refusal)
{
    struct str columns[1200], rest = request_get(request, "columns");
    size_t column_count = 0;
    int64_t start, count;
    struct buffer plain;
    bool ok;

    if (request_has(request, "arrow"))
        return refuse(refusal, 400, "InvalidArgument", "the local endpoint gives record streams only, no Arrow bodies");
    if (strcmp(session->status, "normal") != 0)
        return refuse(refusal, 409, "StatusConflict", "download session %s is %s", session->id, session->status);
    if (!parse_range(request_get(request, "rowrange"), &start, &count))
        return refuse(refusal, 400, "InvalidRowRange", "rowrange=\"%.*s\" is not of the form (start,count)",
                      STR_ARG(request_get(request, "rowrange")));
    while (rest.data && rest.size > 0) {
        if (column_count == COUNT_OF(columns))
            return refuse(refusal, 400, "InvalidColumnSpec", "more than %zu columns are asked for", COUNT_OF(columns));
        str_cut(rest, ',', &columns[column_count++], &rest);
    }
    buffer_init(&plain, 0);
    ok = store_read(request->store, session, start, count, column_count ? columns : NULL, column_count,
                    !str_equal_ignore_case(request_get(request, "disable_modified_check"), STR("true")), &plain, refusal);
    answer->status = 200;
    answer->content_type = "application/octet-stream";
    if (ok && accepts_deflate(request->accept_encoding)) {
        ok = compress_body(answer, &plain, refusal);
    } else if (ok) {
        buffer_release(&answer->body);
        answer->body = plain;
        buffer_init(&plain, 0);
    }
    buffer_release(&plain);
    return ok;
}

static bool download(struct request *request, struct answer *answer, const struct target *target, struct refusal *refusal)
{
    struct store_session session;
    bool ok = true;

    if (!store_session_load(request->store, SESSION_DOWNLOAD, request_get(request, "downloadid"), target->project,
                            target->schema_name, target->table, request->now_ms, &session, refusal))
        return false;
    answer->status = 200;
    if (request_is(request, "GET") && request_has(request, "data"))
        ok = read_data(request, answer, &session, refusal);
    else
        print_download(answer, &session);
    store_session_release(&session);
    return ok;
}

void tunnel_answer(struct request *request, struct answer *answer)
{
    struct target target;
    struct refusal refusal;
    bool ok = target_of(request, &target, &refusal);

    if (ok) {
        switch (request->call) {
        case CALL_CREATE_UPLOAD:
            ok = create(request, answer, &target, SESSION_UPLOAD, &refusal);
            break;
        case CALL_CREATE_DOWNLOAD:
            ok = create(request, answer, &target, SESSION_DOWNLOAD, &refusal);
            break;
        case CALL_PUT_BLOCK:
        case CALL_LIST_BLOCKS:
        case CALL_COMMIT:
            ok = upload(request, answer, &target, &refusal);
            break;
        case CALL_DOWNLOAD:
            ok = download(request, answer, &target, &refusal);
            break;
        default:
            ok = refuse(&refusal, 400, "InvalidURI",
                        "none of uploads, uploadid, downloads and downloadid is among the parameters");
        }
    }
    if (!ok)
        answer_refusal(request, answer, &refusal);
}
