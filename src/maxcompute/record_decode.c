/* record_decode.c: one pass over the body, one record a call. Flat values are borrowed from the body; only the items of
 * arrays, maps and structs need memory, from an arena that lasts until the next call. Every item takes at least the byte of
 * its null flag, so counts beyond the bytes that are left are refused before anything is allocated. Some 15 ns a value. */
#include "maxcompute/record.h"

#include "util/arena.h"
#include "util/crc32c.h"

#include <inttypes.h>
#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are read as they lie in the body");

enum {
    FIELD_END_RECORD = 33553408,
    FIELD_COUNT = 33554430,
    FIELD_CHECKSUM = 33554431,
    FIELD_END_METRICS = 33554176,
    FIELD_METRICS = 1, /* between count and checksum */
};

/* Nested values are some 72 bytes each, however small on the wire; the service's own limit for a record is 200 MB. */
static const size_t items_bytes_max = (size_t)1 << 30;

struct record_decoder {
    const struct mc_schema *schema;
    const uint8_t *start, *at, *end;
    struct record_value *values;
    struct arena items;
    uint64_t record_count;
    uint32_t stream_crc;
    uint32_t crc; /* of the record in hand */
    struct str metrics;
    bool ended, failed;
    struct error failure; /* answered again when asked again */
};

struct record_decoder *record_decoder_new(const struct mc_schema *schema, struct str body)
{
    struct record_decoder *decoder = xcalloc(1, sizeof(*decoder));

    decoder->schema = schema;
    decoder->start = decoder->at = (const uint8_t *)(body.data ? body.data : "");
    decoder->end = decoder->start + body.size;
    decoder->values = xcalloc(schema->column_count, sizeof(*decoder->values));
    arena_init(&decoder->items, items_bytes_max);
    return decoder;
}

void record_decoder_free(struct record_decoder *decoder)
{
    if (!decoder)
        return;
    arena_release(&decoder->items);
    free(decoder->values);
    free(decoder);
}

uint32_t record_decoder_crc(const struct record_decoder *decoder)
{
    return decoder->crc;
}

struct str record_decoder_metrics(const struct record_decoder *decoder)
{
    return decoder->metrics;
}

static size_t left(const struct record_decoder *decoder)
{
    return (size_t)(decoder->end - decoder->at);
}

#define FAIL(decoder, from, format, ...)                                                                         \
    error_set(&(decoder)->failure, ERROR_DATA, "record %" PRIu64 ", byte %zu: " format, (decoder)->record_count + 1, \
              (size_t)((from) - (decoder)->start), ##__VA_ARGS__)

static bool fail_short(struct record_decoder *decoder)
{
    return FAIL(decoder, decoder->end, "the body ends in the middle of a record or of the trailer");
}

static bool read_varint_slow(struct record_decoder *decoder, uint64_t *value_out)
{
    const uint8_t *from = decoder->at;
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte;

        if (decoder->at == decoder->end)
            return fail_short(decoder);
        byte = *decoder->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value_out = value;
            return true;
        }
    }
    return FAIL(decoder, from, "a varint is longer than ten bytes or beyond 64 bits");
}

static inline bool read_varint(struct record_decoder *decoder, uint64_t *value_out)
{
    if (LIKELY(decoder->at != decoder->end && *decoder->at < 0x80)) {
        *value_out = *decoder->at++;
        return true;
    }
    return read_varint_slow(decoder, value_out);
}

static inline bool read_signed(struct record_decoder *decoder, int64_t *value_out)
{
    uint64_t value;

    if (!read_varint(decoder, &value))
        return false;
    *value_out = (int64_t)(value >> 1 ^ (0 - (value & 1)));
    return true;
}

static bool read_fixed(struct record_decoder *decoder, void *value_out, size_t size)
{
    if (left(decoder) < size)
        return fail_short(decoder);
    memcpy(value_out, decoder->at, size);
    decoder->at += size;
    return true;
}

static bool read_integer(struct record_decoder *decoder, int bits, struct record_value *value)
{
    const uint8_t *from = decoder->at;
    int64_t limit = bits < 64 ? INT64_C(1) << (bits - 1) : 0;

    if (!read_signed(decoder, &value->integer))
        return false;
    if (limit && (value->integer < -limit || value->integer >= limit))
        return FAIL(decoder, from, "%" PRId64 " does not fit a %d-bit integer column", value->integer, bits);
    decoder->crc = crc32c(decoder->crc, &value->integer, sizeof(value->integer));
    return true;
}

static bool read_boolean(struct record_decoder *decoder, struct record_value *value)
{
    uint8_t byte;

    if (!read_fixed(decoder, &byte, 1))
        return false;
    if (byte > 1)
        return FAIL(decoder, decoder->at - 1, "a boolean is %u, neither 0 nor 1", byte);
    value->integer = byte;
    decoder->crc = crc32c(decoder->crc, &byte, 1);
    return true;
}

static bool read_bytes(struct record_decoder *decoder, struct str *bytes_out)
{
    const uint8_t *from = decoder->at;
    uint64_t size;

    if (!read_varint(decoder, &size))
        return false;
    if (size > left(decoder))
        return FAIL(decoder, from, "a value of %" PRIu64 " bytes where only %zu are left", size, left(decoder));
    *bytes_out = str_make((const char *)decoder->at, (size_t)size);
    decoder->at += size;
    decoder->crc = crc32c(decoder->crc, bytes_out->data, bytes_out->size);
    return true;
}

static bool read_instant(struct record_decoder *decoder, struct record_value *value)
{
    const uint8_t *from = decoder->at;
    int64_t nanos;

    if (!read_signed(decoder, &value->integer) || !read_signed(decoder, &nanos))
        return false;
    /* Negative day-time intervals may come with negative nanoseconds. */
    if (nanos <= -1000000000 || nanos >= 1000000000)
        return FAIL(decoder, from, "%" PRId64 " nanoseconds are not below one second", nanos);
    value->nanos = (int32_t)nanos;
    decoder->crc = crc32c(decoder->crc, &value->integer, sizeof(value->integer));
    decoder->crc = crc32c(decoder->crc, &value->nanos, sizeof(value->nanos));
    return true;
}

static bool read_value(struct record_decoder *decoder, const struct mc_type *type, struct record_value *value);

/* Items with their null flags; type_of gives the struct's types one after the other when step is 1, always the same when 0. */
static bool read_items(struct record_decoder *decoder, const struct mc_type *type, size_t step, struct record_value *items,
                       size_t count)
{
    for (size_t i = 0; i < count; i++, type += step) {
        uint8_t null = 0;

        memset(&items[i], 0, sizeof(items[i]));
        if (!read_fixed(decoder, &null, 1))
            return false;
        if (null > 1)
            return FAIL(decoder, decoder->at - 1, "a null flag is %u, neither 0 nor 1", null);
        items[i].null = null;
        if (!null && !read_value(decoder, type, &items[i]))
            return false;
    }
    return true;
}

static bool read_count(struct record_decoder *decoder, size_t *count_out)
{
    const uint8_t *from = decoder->at;
    uint64_t count;

    if (!read_varint(decoder, &count))
        return false;
    if (count > left(decoder))
        return FAIL(decoder, from, "%" PRIu64 " items where only %zu bytes are left", count, left(decoder));
    *count_out = (size_t)count;
    return true;
}

static struct record_value *allocate_items(struct record_decoder *decoder, size_t count)
{
    struct record_value *items = arena_try_array(&decoder->items, count, sizeof(*items));

    if (!items)
        FAIL(decoder, decoder->at, "its arrays, maps and structs need more memory than there is");
    return items;
}

static bool read_map(struct record_decoder *decoder, const struct mc_type *type, struct record_value *value)
{
    const uint8_t *from = decoder->at;
    struct record_value *items;
    size_t count, values_count;

    if (!read_count(decoder, &count))
        return false;
    items = allocate_items(decoder, count * 2);
    if (!items || !read_items(decoder, &type->children[0], 0, items, count) || !read_count(decoder, &values_count))
        return false;
    if (values_count != count)
        return FAIL(decoder, from, "a map has %zu keys and %zu values", count, values_count);
    if (!read_items(decoder, &type->children[1], 0, items + count, count))
        return false;
    value->count = count * 2;
    value->items = items;
    return true;
}

static bool read_value(struct record_decoder *decoder, const struct mc_type *type, struct record_value *value)
{
    float narrow;

    switch (type->kind) {
    case MC_TINYINT: return read_integer(decoder, 8, value);
    case MC_SMALLINT: return read_integer(decoder, 16, value);
    case MC_INT:
    case MC_DATE:
    case MC_INTERVAL_YEAR_MONTH: return read_integer(decoder, 32, value);
    case MC_BIGINT:
    case MC_DATETIME: return read_integer(decoder, 64, value);
    case MC_BOOLEAN: return read_boolean(decoder, value);
    case MC_FLOAT:
        if (!read_fixed(decoder, &narrow, sizeof(narrow)))
            return false;
        decoder->crc = crc32c(decoder->crc, &narrow, sizeof(narrow));
        value->real = (double)narrow;
        return true;
    case MC_DOUBLE:
        if (!read_fixed(decoder, &value->real, sizeof(value->real)))
            return false;
        decoder->crc = crc32c(decoder->crc, &value->real, sizeof(value->real));
        return true;
    case MC_DECIMAL:
    case MC_STRING:
    case MC_VARCHAR:
    case MC_CHAR:
    case MC_BINARY:
    case MC_JSON: return read_bytes(decoder, &value->bytes);
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
    case MC_INTERVAL_DAY_TIME: return read_instant(decoder, value);
    case MC_ARRAY:
        return read_count(decoder, &value->count) && (value->items = allocate_items(decoder, value->count)) != NULL &&
               read_items(decoder, type->children, 0, value->items, value->count);
    case MC_MAP: return read_map(decoder, type, value);
    case MC_STRUCT:
        value->count = type->child_count;
        return (value->items = allocate_items(decoder, value->count)) != NULL &&
               read_items(decoder, type->children, 1, value->items, value->count);
    }
    return FAIL(decoder, decoder->at, "the column's type is unknown");
}

/* What stands behind the count: perhaps metrics, then the checksum, then nothing. */
static bool read_trailer(struct record_decoder *decoder, const uint8_t *from)
{
    int64_t count;
    uint64_t tag, crc;

    if (!read_signed(decoder, &count))
        return false;
    if (count < 0 || (uint64_t)count != decoder->record_count)
        return FAIL(decoder, from, "the trailer counts %" PRId64 " records and there are %" PRIu64, count, decoder->record_count);
    from = decoder->at;
    if (!read_varint(decoder, &tag))
        return false;
    if (tag >> 3 == FIELD_METRICS) {
        uint32_t number = FIELD_METRICS;

        decoder->crc = crc32c(0, &number, sizeof(number));
        if (!read_bytes(decoder, &decoder->metrics))
            return false;
        from = decoder->at;
        if (!read_varint(decoder, &tag))
            return false;
        if (tag >> 3 != FIELD_END_METRICS)
            return FAIL(decoder, from, "field %" PRIu64 " where the metrics should end", tag >> 3);
        from = decoder->at;
        if (!read_varint(decoder, &crc))
            return false;
        if ((uint32_t)crc != decoder->crc)
            return FAIL(decoder, from, "the checksum of the metrics is wrong: %08x, computed %08x", (uint32_t)crc, decoder->crc);
        from = decoder->at;
        if (!read_varint(decoder, &tag))
            return false;
    }
    if (tag >> 3 != FIELD_CHECKSUM)
        return FAIL(decoder, from, "field %" PRIu64 " where the stream's checksum should be", tag >> 3);
    from = decoder->at;
    if (!read_varint(decoder, &crc))
        return false;
    if ((uint32_t)crc != decoder->stream_crc)
        return FAIL(decoder, from, "the stream's checksum is wrong: %08x, computed %08x", (uint32_t)crc, decoder->stream_crc);
    if (decoder->at != decoder->end)
        return FAIL(decoder, decoder->at, "%zu bytes behind the trailer", left(decoder));
    decoder->ended = true;
    return true;
}

static bool end_record(struct record_decoder *decoder)
{
    const uint8_t *from = decoder->at;
    uint64_t crc; /* some writers extend the sign: only the low half counts */

    if (!read_varint(decoder, &crc))
        return false;
    if ((uint32_t)crc != decoder->crc)
        return FAIL(decoder, from, "the record's checksum is wrong: %08x, computed %08x", (uint32_t)crc, decoder->crc);
    decoder->stream_crc = crc32c(decoder->stream_crc, &decoder->crc, sizeof(decoder->crc));
    decoder->record_count++;
    return true;
}

static bool read_record(struct record_decoder *decoder)
{
    const struct mc_schema *schema = decoder->schema;
    uint64_t last = 0;

    for (;;) {
        const uint8_t *from = decoder->at;
        uint64_t tag, number;
        uint32_t fed;

        if (from == decoder->end)
            return last ? fail_short(decoder) : FAIL(decoder, from, "the body ends without its trailer");
        if (!read_varint(decoder, &tag))
            return false;
        number = tag >> 3; /* the wire type is only a hint, the schema tells */
        if (number == FIELD_END_RECORD)
            return end_record(decoder);
        if (number == FIELD_COUNT && !last)
            return read_trailer(decoder, from);
        if (number < 1 || number > schema->column_count)
            return FAIL(decoder, from, "field %" PRIu64 " is beyond the %zu columns of the table", number, schema->column_count);
        if (number <= last)
            return FAIL(decoder, from, "field %" PRIu64 " comes after field %" PRIu64 "; fields ascend", number, last);
        last = number;
        fed = (uint32_t)number;
        decoder->crc = crc32c(decoder->crc, &fed, sizeof(fed));
        decoder->values[number - 1].null = false;
        if (!read_value(decoder, &schema->columns[number - 1].type, &decoder->values[number - 1]))
            return error_wrap(&decoder->failure, "column %s", schema->columns[number - 1].name);
    }
}

int record_decoder_next(struct record_decoder *decoder, const struct record_value **values_out, struct error *error)
{
    *values_out = NULL;
    if (decoder->ended)
        return 0;
    if (!decoder->failed) {
        arena_clear(&decoder->items);
        decoder->crc = 0;
        for (size_t i = 0; i < decoder->schema->column_count; i++)
            decoder->values[i] = (struct record_value){.null = true};
        decoder->failed = !read_record(decoder);
    }
    if (decoder->failed) {
        if (error)
            *error = decoder->failure;
        return -1;
    }
    if (decoder->ended)
        return 0;
    *values_out = decoder->values;
    return 1;
}
