/* credential.c */
#include "maxcompute/credential.h"

#include <stdlib.h>
#include <yyjson.h>

#include "batch/time.h"

static void secret_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void credential_set(struct credential *credential, const char *access_id, const char *access_key, const char *security_token)
{
    credential->access_id = xstrdup(access_id);
    credential->access_key = xstrdup(access_key);
    credential->security_token = security_token ? xstrdup(security_token) : NULL;
    credential->expires_ms = INT64_MAX;
}

void credential_release(struct credential *credential)
{
    free(credential->access_id);
    secret_free(credential->access_key);
    secret_free(credential->security_token);
    *credential = (struct credential){0};
}

static bool text_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool credential_same(const struct credential *a, const struct credential *b)
{
    return text_same(a->access_id, b->access_id) && text_same(a->access_key, b->access_key) &&
           text_same(a->security_token, b->security_token);
}

/* The first of two names that is there; JSON's null is as if it were not. */
static yyjson_val *member(yyjson_val *object, const char *name, const char *other, const char *third)
{
    const char *const names[] = {name, other, third};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        yyjson_val *value = names[i] ? yyjson_obj_get(object, names[i]) : NULL;

        if (value && !yyjson_is_null(value))
            return value;
    }
    return NULL;
}

/* The texts become parts of header lines. */
static bool is_one_word(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7F)
            return false;
    return size > 0;
}

static bool text_take(char **text_out, yyjson_val *value, const char *name, bool required, struct error *error)
{
    if (!value && required)
        return error_set(error, ERROR_FATAL, "\"%s\" is missing", name);
    if (!value || (!required && yyjson_is_str(value) && yyjson_get_len(value) == 0))
        return true;
    if (!yyjson_is_str(value) || !is_one_word(yyjson_get_str(value), yyjson_get_len(value)))
        return error_set(error, ERROR_FATAL, "\"%s\" is not a text of one word", name);
    *text_out = xstrndup(yyjson_get_str(value), yyjson_get_len(value));
    return true;
}

/* A time as text, or seconds since 1970. */
static bool end_take(int64_t *ms_out, yyjson_val *value, struct error *error)
{
    struct instant local;
    bool has_offset;
    int32_t offset;

    *ms_out = INT64_MAX;
    if (!value)
        return true;
    if (yyjson_is_uint(value) && yyjson_get_uint(value) < UINT64_C(100000000000)) {
        if (yyjson_get_uint(value) > 0) /* 0: some tools say so when there is no end */
            *ms_out = (int64_t)yyjson_get_uint(value) * 1000;
        return true;
    }
    if (!yyjson_is_str(value) ||
        !time_parse(str_make(yyjson_get_str(value), yyjson_get_len(value)), &local, &has_offset, &offset) || !has_offset)
        return error_set(error, ERROR_FATAL, "\"Expiration\" is no time such as 2024-01-31T08:00:00Z");
    *ms_out = (local.seconds - offset) * 1000;
    return true;
}

static bool object_take(struct credential *credential, yyjson_val *object, struct error *error)
{
    yyjson_val *inner = yyjson_obj_get(object, "Credentials");
    bool ok;

    *credential = (struct credential){0};
    if (yyjson_is_obj(inner))
        object = inner;
    if (!yyjson_is_obj(object))
        return error_set(error, ERROR_FATAL, "is no JSON object with \"AccessKeyId\" and \"AccessKeySecret\"");
    ok = text_take(&credential->access_id, member(object, "AccessKeyId", "access_key_id", NULL), "AccessKeyId", true, error) &&
         text_take(&credential->access_key, member(object, "AccessKeySecret", "access_key_secret", NULL), "AccessKeySecret", true,
                   error) &&
         text_take(&credential->security_token, member(object, "SecurityToken", "sts_token", "security_token"), "SecurityToken",
                   false, error) &&
         end_take(&credential->expires_ms, member(object, "Expiration", "expiration", NULL), error);
    if (!ok)
        credential_release(credential);
    return ok;
}

static yyjson_doc *document_read(struct str json, struct error *error)
{
    yyjson_read_err failure = {0};
    yyjson_doc *document = NULL;
    size_t line = 1;

    if (str_trim(json).size == 0) {
        error_set(error, ERROR_FATAL, "is empty");
        return NULL;
    }
    document = yyjson_read_opts((char *)(uintptr_t)json.data, json.size, 0, NULL, &failure); /* not in situ: only read */
    for (size_t i = 0; i < failure.pos && i < json.size; i++)
        line += json.data[i] == '\n';
    if (!document)
        error_set(error, ERROR_FATAL, "is no JSON: line %zu: %s", line, failure.msg ? failure.msg : "malformed");
    return document;
}

bool credential_parse(struct credential *credential, struct str json, struct error *error)
{
    yyjson_doc *document = document_read(json, error);
    bool ok = document && object_take(credential, yyjson_doc_get_root(document), error);

    yyjson_doc_free(document);
    return ok;
}

bool credential_list_parse(struct credential **list_out, size_t *count_out, struct str json, struct error *error)
{
    yyjson_doc *document = document_read(json, error);
    yyjson_val *root = document ? yyjson_doc_get_root(document) : NULL;
    size_t count = yyjson_is_arr(root) ? yyjson_arr_size(root) : 1, taken = 0;
    struct credential *list = xcalloc(count + 1, sizeof(*list));

    while (document && taken < count &&
           object_take(&list[taken], yyjson_is_arr(root) ? yyjson_arr_get(root, taken) : root, error))
        taken++;
    yyjson_doc_free(document);
    *list_out = list;
    *count_out = taken;
    if (document && taken == count)
        return true;
    while (taken)
        credential_release(&list[--taken]);
    free(list);
    *list_out = NULL;
    *count_out = 0;
    return false;
}
