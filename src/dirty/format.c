/* format.c: dirty rows as JSON lines. Key and value stand in them whole, so that the record can be run again, but in one line of
 * each record: of one that became many rows thousands may be dirty, and as many copies of it have no bound. */
#include "dirty/dirty.h"

#include "batch/time.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef LUADUCT_VERSION
#define LUADUCT_VERSION "unknown"
#endif

static void append_member(struct buffer *lines, const char *name, struct str text)
{
    buffer_print(lines, ",\"%s\":", name);
    if (text.data)
        buffer_append_json(lines, text);
    else
        buffer_append_str(lines, STR("null"));
}

static void append_time(struct buffer *lines, int64_t wall_ms)
{
    int64_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0);
    struct civil civil;

    time_civil_from_seconds(seconds, &civil);
    buffer_print(lines, "{\"time\":\"%04d-%02u-%02uT%02u:%02u:%02u.%03dZ\"", civil.year, civil.month, civil.day, civil.hour,
                 civil.minute, civil.second, (int)(wall_ms - seconds * 1000));
}

static void append_record(struct buffer *lines, const struct batch *batch, uint32_t number, struct buffer *headers)
{
    const struct message *message = &batch->messages[number];

    buffer_append_str(lines, STR(",\"key\":"));
    buffer_append_json_bytes(lines, message->key);
    buffer_append_str(lines, STR(",\"value\":"));
    buffer_append_json_bytes(lines, message->value);
    batch_headers(batch, number, headers);
    if (headers->size) {
        /* The source made it: it is JSON already. */
        buffer_append_str(lines, STR(",\"headers\":"));
        buffer_append_str(lines, buffer_str(headers));
    }
}

void dirty_format(const struct batch *batch, const struct dirty_origin *origin, int64_t wall_ms, struct buffer *lines)
{
    const struct dirty_row **first = xcalloc(batch->message_count + 1, sizeof(struct dirty_row *)); /* of each record */
    struct buffer headers;

    buffer_init(&headers, 0);
    for (const struct dirty_row *row = batch->dirty; row; row = row->next) {
        const struct message *message = &batch->messages[row->message];

        append_time(lines, wall_ms);
        append_member(lines, "job", str_of(origin->job));
        append_member(lines, "version", STR(LUADUCT_VERSION));
        append_member(lines, "code", origin->code ? str_of(origin->code) : STR_NONE);
        append_member(lines, "topic", str_of(origin->topic));
        append_member(lines, "topic_id", str_of(origin->topic_id));
        buffer_print(lines, ",\"partition\":%d,\"offset\":%lld,\"index\":%u,\"timestamp\":%lld", batch->partition,
                     (long long)message->offset, row->index, (long long)message->timestamp_ms);
        append_member(lines, "stage", str_of(row->stage));
        append_member(lines, "column", row->column);
        append_member(lines, "reason", row->reason);
        if (first[row->message]) {
            buffer_print(lines, ",\"record_at\":%u", first[row->message]->index);
        } else {
            first[row->message] = row;
            append_record(lines, batch, row->message, &headers);
        }
        buffer_append_str(lines, STR("}\n"));
    }
    buffer_release(&headers);
    free(first);
}
