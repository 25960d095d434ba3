/* record.c: a line of a dirty row taken apart. */
#include "dirty/read.h"

#include <stdlib.h>
#include <yyjson.h>

static struct str text_of(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    return yyjson_is_str(value) ? str_make(yyjson_get_str(value), yyjson_get_len(value)) : STR_NONE;
}

static struct str bytes_of(yyjson_val *object, const char *name, bool *base64_out)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    *base64_out = yyjson_is_obj(value);
    return *base64_out ? text_of(value, "base64") : text_of(object, name);
}

static bool number_of(yyjson_val *object, const char *name, int64_t minimum, int64_t maximum, int64_t *number_out)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    if (!yyjson_is_int(value) || (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX))
        return false;
    *number_out = yyjson_get_sint(value);
    return *number_out >= minimum && *number_out <= maximum;
}

bool dirty_record_read(struct dirty_record *record, struct str line)
{
    yyjson_read_err fault;
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)line.data, line.size, 0, NULL, &fault);
    yyjson_val *root = yyjson_doc_get_root(document);
    int64_t partition, offset, index;

    if (!document && fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        stop_out_of_memory("a dirty row from its line");
    if (!yyjson_is_obj(root) || !number_of(root, "partition", 0, INT32_MAX, &partition) ||
        !number_of(root, "offset", 0, INT64_MAX, &offset) || !number_of(root, "index", 0, UINT32_MAX, &index)) {
        yyjson_doc_free(document);
        return false;
    }
    *record = (struct dirty_record){
        .document = document,
        .time = text_of(root, "time"),
        .job = text_of(root, "job"),
        .topic = text_of(root, "topic"),
        .topic_id = text_of(root, "topic_id"),
        .stage = text_of(root, "stage"),
        .column = text_of(root, "column"),
        .reason = text_of(root, "reason"),
        .partition = (int32_t)partition,
        .offset = offset,
        .index = (uint32_t)index,
    };
    record->key = bytes_of(root, "key", &record->key_base64);
    record->value = bytes_of(root, "value", &record->value_base64);
    if (!number_of(root, "record_at", 0, UINT32_MAX, &record->record_at))
        record->record_at = -1;
    if (!number_of(root, "timestamp", INT64_MIN, INT64_MAX, &record->timestamp_ms))
        record->timestamp_ms = -1;
    return true;
}

static void print_value(yyjson_val *value, struct buffer *text)
{
    size_t size = 0;
    char *written = yyjson_val_write(value, YYJSON_WRITE_NOFLAG, &size);

    if (!written)
        stop_out_of_memory("a dirty row as a line of a sample");
    buffer_append(text, written, size);
    free(written);
}

void dirty_record_print_sample(const struct dirty_record *record, struct buffer *text)
{
    static const char *const members[] = {"key", "value", "headers"};
    yyjson_val *root = yyjson_doc_get_root(record->document);

    buffer_print(text, "{\"partition\":%d,\"offset\":%lld,\"timestamp\":%lld", record->partition, (long long)record->offset,
                 (long long)record->timestamp_ms);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        yyjson_val *value = yyjson_obj_get(root, members[i]);

        if (!value || (i == 2 && !yyjson_is_arr(value)))
            continue;
        buffer_print(text, ",\"%s\":", members[i]);
        print_value(value, text);
    }
    buffer_append_char(text, '}');
}

void dirty_record_release(struct dirty_record *record)
{
    yyjson_doc_free(record->document);
    record->document = NULL;
}

void dirty_record_identity(const struct dirty_record *record, struct buffer *text)
{
    buffer_append_str(text, record->topic_id.data ? record->topic_id : record->topic);
    buffer_print(text, "/%d/%lld/%u", record->partition, (long long)record->offset, record->index);
}
