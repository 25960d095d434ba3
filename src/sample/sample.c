/* sample.c: lines of a sample file, both ways.
 * Reading: each line is copied once and read in place by yyjson, so that values are slices of that copy, and the place of a key
 * or of a text is known from its address. */
#include "sample/sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "batch/headers.h"

enum { MISTAKES_MAX = 20 };

/* --- writing --- */

static void print_member(const char *name, struct str value, struct buffer *text)
{
    if (!value.data)
        return;
    buffer_print(text, ",\"%s\":", name);
    buffer_append_json(text, value);
}

void sample_print_origin(const struct sample_origin *origin, struct buffer *text)
{
    buffer_print(text, "{\"luaduct_sample\":%d", SAMPLE_VERSION);
    print_member("job", origin->job, text);
    print_member("topic", origin->topic, text);
    print_member("cluster_id", origin->cluster_id, text);
    print_member("topic_id", origin->topic_id, text);
    print_member("taken", origin->taken, text);
    buffer_append_str(text, STR("}\n"));
}

void sample_print_record(const struct sample_record *record, struct buffer *text)
{
    buffer_print(text, "{\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"timestamp\":%" PRId64 ",\"key\":", record->partition,
                 record->message.offset, record->message.timestamp_ms);
    buffer_append_json_bytes(text, record->message.key);
    buffer_append_str(text, STR(",\"value\":"));
    buffer_append_json_bytes(text, record->message.value);
    for (size_t i = 0; i < record->header_count; i++) {
        buffer_append_str(text, i ? STR(",[") : STR(",\"headers\":[["));
        buffer_append_json_bytes(text, record->headers[i].name);
        buffer_append_char(text, ',');
        buffer_append_json_bytes(text, record->headers[i].value);
        buffer_append_char(text, ']');
    }
    buffer_append_str(text, record->header_count ? STR("]}\n") : STR("}\n"));
}

/* --- reading --- */

struct headers {
    const struct sample_header *list;
    size_t count;
};

struct sample_memory {
    struct sample sample;
    struct headers *headers; /* by record */
    size_t capacity;
    char **pieces;
    size_t piece_count, piece_capacity;
};

struct reader {
    struct sample_memory *memory;
    struct report *report;
    const char *path;
    unsigned mistakes_before;
    unsigned line;
    struct str written; /* the line as it stands in the file */
    char *copy;         /* which yyjson has changed */
    bool begun;         /* a line that is not empty has been read */
    int64_t *next;      /* by partition: the offset of a record that says none */
    int32_t partition_capacity;
};

static void *keep(struct sample_memory *memory, void *piece)
{
    XGROW(memory->pieces, memory->piece_count, memory->piece_capacity);
    memory->pieces[memory->piece_count++] = piece;
    return piece;
}

static unsigned characters(struct str text)
{
    unsigned count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

/* A mistake at a byte of the line. */
static void mistake_at(struct reader *reader, size_t at, unsigned width, const char *format, ...) PRINTF_LIKE(4, 5);
static void mistake_at(struct reader *reader, size_t at, unsigned width, const char *format, ...)
{
    struct str before = str_make(reader->written.data, size_min(at, reader->written.size));
    struct location place = {reader->path, reader->line, characters(before) + 1};
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = xstrdup("this line is wrong");
    va_end(arguments);
    report_mistake(reader->report, place, width, "%s", text);
    free(text);
}

/* Where a text stands, by its address: at its quote. Of other values the address is not known: 0, or the place of `key`. */
static size_t place_of(const struct reader *reader, yyjson_val *value, yyjson_val *key)
{
    const char *text = yyjson_get_str(value);

    if (text && text > reader->copy && text <= reader->copy + reader->written.size)
        return (size_t)(text - reader->copy) - 1;
    return key ? place_of(reader, key, NULL) : 0;
}

static unsigned width_of(yyjson_val *value, yyjson_val *key)
{
    yyjson_val *shown = yyjson_is_str(value) || !key ? value : key;

    return yyjson_is_str(shown) ? (unsigned)size_min(yyjson_get_len(shown), 40) + 2 : 1;
}

#define MISTAKE(reader, key, value, ...) mistake_at(reader, place_of(reader, value, key), width_of(value, key), __VA_ARGS__)

/* Text, null or {"base64": "..."}. */
static bool bytes_read(struct reader *reader, yyjson_val *key, yyjson_val *value, struct str *bytes_out)
{
    static const char need[] = "must be text, null, or {\"base64\": \"...\"}";
    yyjson_val *inner = yyjson_obj_get(value, "base64");
    char *text;
    size_t size;

    if (yyjson_is_null(value)) {
        *bytes_out = STR_NONE;
        return true;
    }
    if (yyjson_is_str(value)) {
        *bytes_out = str_make(yyjson_get_str(value), yyjson_get_len(value));
        return true;
    }
    if (yyjson_is_obj(value) && yyjson_obj_size(value) == 1 && yyjson_is_str(inner)) {
        text = (char *)(uintptr_t)yyjson_get_str(inner);
        size = yyjson_get_len(inner);
        if (!str_decode_base64(str_make(text, size), text, &size)) {
            MISTAKE(reader, key, inner, "\"base64\" is not base64: groups of four of A-Z a-z 0-9 + /, padded with =");
            return false;
        }
        *bytes_out = str_make(text, size);
        return true;
    }
    if (yyjson_is_ctn(value))
        MISTAKE(reader, key, value, "\"%s\" %s; a JSON document is put in as text: \"{\\\"id\\\": 1}\"", yyjson_get_str(key),
                need);
    else
        MISTAKE(reader, key, value, "\"%s\" %s", yyjson_get_str(key), need);
    return false;
}

static bool number_read(struct reader *reader, yyjson_val *key, yyjson_val *value, int64_t minimum, int64_t maximum,
                        int64_t *number_out)
{
    if (yyjson_is_int(value) && (!yyjson_is_uint(value) || yyjson_get_uint(value) <= INT64_MAX)) {
        *number_out = yyjson_get_sint(value);
        if (*number_out >= minimum && *number_out <= maximum)
            return true;
    }
    MISTAKE(reader, key, value, "\"%s\" must be a whole number from %" PRId64 " to %" PRId64 "%s", yyjson_get_str(key), minimum,
            maximum, yyjson_is_str(value) ? ", without quotes" : "");
    return false;
}

static bool headers_read(struct reader *reader, yyjson_val *key, yyjson_val *list, struct sample_record *record)
{
    static const char need[] = "\"headers\" must be a list of [name, value], such as [[\"trace\", \"abc\"]]";
    struct sample_header *headers;
    struct buffer text;
    size_t index, count;
    yyjson_val *pair;

    if (yyjson_is_null(list))
        return true;
    if (!yyjson_is_arr(list)) {
        MISTAKE(reader, key, list, "%s", need);
        return false;
    }
    headers = keep(reader->memory, xcalloc(yyjson_arr_size(list) + 1, sizeof(*headers)));
    record->headers = headers;
    buffer_init(&text, 0);
    yyjson_arr_foreach(list, index, count, pair)
    {
        struct sample_header *header = &headers[record->header_count];

        if (!yyjson_is_arr(pair) || yyjson_arr_size(pair) != 2 || yyjson_is_null(yyjson_arr_get(pair, 0))) {
            MISTAKE(reader, key, yyjson_arr_get_first(pair), "%s", need);
            buffer_release(&text);
            return false;
        }
        if (!bytes_read(reader, key, yyjson_arr_get(pair, 0), &header->name) ||
            !bytes_read(reader, key, yyjson_arr_get(pair, 1), &header->value)) {
            buffer_release(&text);
            return false;
        }
        record->header_count++;
        headers_append(&text, header->name, header->value);
    }
    headers_end(&text);
    if (text.size) {
        record->message.headers.size = text.size;
        record->message.headers.data = keep(reader->memory, buffer_take(&text, NULL));
    }
    buffer_release(&text);
    return true;
}

/* The index of a key among names, or COUNT with the mistake told. A key may stand once. */
static size_t key_find(struct reader *reader, yyjson_val *key, const char *const *names, size_t count, unsigned *seen)
{
    struct str word = str_make(yyjson_get_str(key), yyjson_get_len(key));
    const char *nearest;

    for (size_t i = 0; i < count; i++) {
        if (!str_is(word, names[i]))
            continue;
        if (*seen & 1u << i) {
            MISTAKE(reader, NULL, key, "\"%s\" stands twice in this line", names[i]);
            return count;
        }
        *seen |= 1u << i;
        return i;
    }
    nearest = str_nearest(word, names, count);
    if (nearest)
        MISTAKE(reader, NULL, key, "unknown key \"%.*s\"; did you mean \"%s\"?", STR_ARG(word), nearest);
    else if (str_is(word, "luaduct_sample"))
        MISTAKE(reader, NULL, key, "\"luaduct_sample\" begins the first line of a file and no other");
    else
        MISTAKE(reader, NULL, key, "unknown key \"%.*s\"", STR_ARG(word));
    return count;
}

static int64_t *next_of(struct reader *reader, int32_t partition)
{
    if (partition >= reader->partition_capacity) {
        int32_t capacity = reader->partition_capacity ? reader->partition_capacity : 16;

        while (capacity <= partition)
            capacity *= 2;
        reader->next = xrealloc(reader->next, (size_t)capacity * sizeof(*reader->next));
        memset(reader->next + reader->partition_capacity, 0,
               (size_t)(capacity - reader->partition_capacity) * sizeof(*reader->next));
        reader->partition_capacity = capacity;
    }
    return &reader->next[partition];
}

static void record_keep(struct sample_memory *memory, const struct sample_record *record)
{
    struct sample *sample = &memory->sample;

    if (sample->count == memory->capacity) {
        memory->capacity = memory->capacity ? memory->capacity * 2 : 64;
        sample->messages = xrealloc(sample->messages, memory->capacity * sizeof(*sample->messages));
        sample->partition_of = xrealloc(sample->partition_of, memory->capacity * sizeof(*sample->partition_of));
        memory->headers = xrealloc(memory->headers, memory->capacity * sizeof(*memory->headers));
    }
    sample->messages[sample->count] = record->message;
    sample->partition_of[sample->count] = record->partition;
    memory->headers[sample->count++] = (struct headers){record->headers, record->header_count};
}

static void record_read(struct reader *reader, yyjson_val *root)
{
    static const char *const names[] = {"partition", "offset", "timestamp", "key", "value", "headers"};
    struct sample_memory *memory = reader->memory;
    struct sample_record record = {.message.offset = -1};
    yyjson_val *key, *value, *offset_key = NULL;
    size_t index, count;
    int64_t number, *next;
    unsigned seen = 0;
    bool ok = true;

    yyjson_obj_foreach(root, index, count, key, value)
    {
        switch (key_find(reader, key, names, COUNT_OF(names), &seen)) {
        case 0:
            ok &= number_read(reader, key, value, 0, START_PARTITIONS_MAX - 1, &number);
            record.partition = ok ? (int32_t)number : 0;
            break;
        case 1:
            ok &= number_read(reader, key, value, 0, INT64_MAX - 1, &record.message.offset);
            offset_key = key;
            break;
        case 2:
            ok &= number_read(reader, key, value, -1, INT64_MAX, &record.message.timestamp_ms);
            break;
        case 3:
            ok &= bytes_read(reader, key, value, &record.message.key);
            break;
        case 4:
            ok &= bytes_read(reader, key, value, &record.message.value);
            break;
        case 5:
            ok &= headers_read(reader, key, value, &record);
            break;
        default:
            ok = false;
        }
    }
    if (!(seen & 1u << 4)) {
        mistake_at(reader, 0, 1, "\"value\" is missing; a record without a value (a tombstone) has \"value\": null");
        ok = false;
    }
    if (!ok)
        return;
    next = next_of(reader, record.partition);
    if (record.message.offset < 0)
        record.message.offset = *next;
    if (record.message.offset < *next) {
        MISTAKE(reader, NULL, offset_key,
                "\"offset\": offsets of a partition count up, but %" PRId64 " stands behind %" PRId64 " of partition %" PRId32,
                record.message.offset, *next - 1, record.partition);
        return;
    }
    *next = record.message.offset + 1;
    record_keep(memory, &record);
    if (record.partition >= memory->sample.partitions)
        memory->sample.partitions = record.partition + 1;
}

static void origin_read(struct reader *reader, yyjson_val *root)
{
    static const char *const names[] = {"luaduct_sample", "job", "topic", "cluster_id", "topic_id", "taken"};
    struct sample_origin *origin = &reader->memory->sample.origin;
    struct str *const texts[] = {NULL, &origin->job, &origin->topic, &origin->cluster_id, &origin->topic_id, &origin->taken};
    yyjson_val *key, *value;
    size_t index, count;
    unsigned seen = 0;

    yyjson_obj_foreach(root, index, count, key, value)
    {
        size_t name = key_find(reader, key, names, COUNT_OF(names), &seen);

        if (name == COUNT_OF(names))
            continue;
        if (name == 0 && (!yyjson_is_uint(value) || yyjson_get_uint(value) != SAMPLE_VERSION))
            MISTAKE(reader, key, value,
                    "\"luaduct_sample\" must be %d: this release knows no other form of the file; a newer one "
                    "may have written it",
                    SAMPLE_VERSION);
        else if (name && !yyjson_is_str(value))
            MISTAKE(reader, key, value, "\"%s\" must be text", names[name]);
        else if (name)
            *texts[name] = str_make(yyjson_get_str(value), yyjson_get_len(value));
    }
}

/* Up to the first byte that is not UTF-8. */
static size_t text_size(struct str text)
{
    size_t at = 0;

    while (at < text.size) {
        unsigned char c = (unsigned char)text.data[at];
        size_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

        if (size > text.size - at || !str_is_utf8(str_make(text.data + at, size)))
            break;
        at += size;
    }
    return at;
}

static void json_mistake(struct reader *reader, const yyjson_read_err *error)
{
    size_t at = size_min(error->pos, reader->written.size);

    if (!str_is_utf8(reader->written)) {
        at = text_size(reader->written);
        mistake_at(reader, at, 1, "this is not UTF-8 text; bytes that are no text are written as {\"base64\": \"...\"}");
        return;
    }
    mistake_at(reader, at, 1, "this is no JSON (%s); a line holds one record, such as {\"value\": \"{\\\"id\\\": 1}\"}",
               error->msg);
}

static void line_read(struct reader *reader)
{
    struct str line = reader->written;
    yyjson_read_err error;
    yyjson_doc *document;
    yyjson_val *root;

    reader->copy = keep(reader->memory, xcalloc(1, line.size + YYJSON_PADDING_SIZE));
    memcpy(reader->copy, line.data, line.size);
    document = yyjson_read_opts(reader->copy, line.size, YYJSON_READ_INSITU, NULL, &error);
    root = yyjson_doc_get_root(document);
    if (!document)
        json_mistake(reader, &error);
    else if (!yyjson_is_obj(root))
        mistake_at(reader, 0, 1, "a line holds one record in braces, such as {\"value\": \"{\\\"id\\\": 1}\"}");
    else if (!reader->begun && yyjson_obj_get(root, "luaduct_sample"))
        origin_read(reader, root);
    else
        record_read(reader, root);
    reader->begun = true;
    yyjson_doc_free(document);
}

static bool lines_read(struct reader *reader, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0, total = 0;
    ssize_t size;

    while ((size = getline(&line, &capacity, file)) >= 0) {
        reader->line++;
        total += (size_t)size;
        reader->written = str_make(line, (size_t)size);
        if (total > SAMPLE_BYTES_MAX) {
            mistake_at(reader, 0, 1, "the file is larger than %d MiB; take a smaller sample", SAMPLE_BYTES_MAX >> 20);
            break;
        }
        while (reader->written.size && strchr("\r\n", line[reader->written.size - 1]) && line[reader->written.size - 1])
            reader->written.size--;
        if (reader->line == 1 && str_starts_with(reader->written, STR("\xEF\xBB\xBF"))) /* a byte order mark takes no column */
            reader->written = str_make(line + 3, reader->written.size - 3);
        if (str_trim(reader->written).size == 0)
            continue;
        line_read(reader);
        if (report_mistakes(reader->report) - reader->mistakes_before >= MISTAKES_MAX) {
            report_mistake(reader->report, (struct location){reader->path, 0, 0}, 1, "there may be more mistakes further down");
            break;
        }
    }
    free(line);
    return !ferror(file);
}

bool sample_read(struct sample **sample_out, const char *path, struct report *report)
{
    struct sample_memory *memory = xcalloc(1, sizeof(*memory));
    struct reader reader = {
        .memory = memory,
        .report = report,
        .path = path,
        .mistakes_before = report_mistakes(report),
    };
    FILE *file = fopen(path, "re");

    *sample_out = NULL;
    memory->sample.partitions = 1;
    if (!file || !lines_read(&reader, file))
        report_mistake(report, (struct location){path, 0, 0}, 1, "the sample cannot be read: %s", strerror(errno));
    else if (!memory->sample.count && report_mistakes(report) == reader.mistakes_before)
        report_mistake(report, (struct location){path, 0, 0}, 1, "there is no record in this sample");
    if (file)
        fclose(file);
    free(reader.next);
    if (report_mistakes(report) != reader.mistakes_before) {
        sample_free(&memory->sample);
        return false;
    }
    *sample_out = &memory->sample;
    return true;
}

void sample_free(struct sample *sample)
{
    struct sample_memory *memory;

    if (!sample)
        return;
    memory = CONTAINER_OF(sample, struct sample_memory, sample);
    for (size_t i = 0; i < memory->piece_count; i++)
        free(memory->pieces[i]);
    free(memory->pieces);
    free(memory->sample.messages);
    free(memory->sample.partition_of);
    free(memory->headers);
    free(memory);
}

struct sample_record sample_record(const struct sample *sample, size_t index)
{
    const struct sample_memory *memory = CONTAINER_OF((struct sample *)sample, struct sample_memory, sample);

    assert(index < sample->count);
    return (struct sample_record){
        .partition = sample->partition_of[index],
        .message = sample->messages[index],
        .headers = memory->headers[index].list,
        .header_count = memory->headers[index].count,
    };
}

bool sample_is_of(const struct sample *sample, const char *path, const char *topic, struct error *error)
{
    if (!sample->origin.topic.data || str_is(sample->origin.topic, topic))
        return true;
    return error_set(error, ERROR_CONFIG,
                     "%s is a sample of topic %.*s, and the job reads topic %s; take one of that topic with "
                     "`luaduct sample`, or say --any-topic to use this one all the same",
                     path, STR_ARG(sample->origin.topic), topic);
}
