/* record_encode.c: the row loop exists twice, with the CPU's CRC instruction and with the table, chosen once a batch. It
 * writes through a bare pointer: room for everything of a row but its texts is made at its start, room for a text before it is
 * copied, and texts are copied and summed in one pass of eight bytes a step. The rest of a text and longer varints are done by
 * shifts and masks, for their sizes are what no branch predictor can know. Some 550 instructions (35 ns) for a row of eight
 * columns, six of them texts, and 130 bytes; by the table thrice that. */
#include "maxcompute/record.h"

#include "util/crc32c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written as they lie in memory");

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum {
    TAG_MAX = 5,
    VARINT_MAX = 10,
    /* Tag, then seconds and nanoseconds at worst; a text's own bytes are not in it. */
    VALUE_MAX = TAG_MAX + 2 * VARINT_MAX,
    /* END_RECORD and its CRC; varints may write 8 bytes where they need fewer. */
    RECORD_END_MAX = 4 + VARINT_MAX,

    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_SIZED = 2,
    WIRE_FIXED32 = 5,
};

/* The tags of the special fields, as the four bytes they are on the wire. */
static const uint32_t tag_end_record = 0x7FFFC080, tag_count = 0x7FFFFFF0, tag_checksum = 0x7FFFFFF8;

static ALWAYS_INLINE uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* A varint of up to 56 bits without a branch; writes eight bytes, whatever it returns. */
static ALWAYS_INLINE uint8_t *put_spread(uint8_t *p, uint64_t value)
{
    unsigned size = ((unsigned)(64 - __builtin_clzll(value | 1)) * 9 + 64) >> 6; /* bits / 7, rounded up, for 1..56 bits */

    value = (value & 0x0FFFFFFF) | (value & UINT64_C(0x00FFFFFFF0000000)) << 4;
    value = (value & UINT64_C(0x00003FFF00003FFF)) | (value & UINT64_C(0x0FFFC0000FFFC000)) << 2;
    value = (value & UINT64_C(0x007F007F007F007F)) | (value & UINT64_C(0x3F803F803F803F80)) << 1;
    value |= UINT64_C(0x0080808080808080) >> (64 - 8 * size);
    memcpy(p, &value, 8);
    return p + size;
}

/* May write up to ten bytes, whatever it returns. */
static ALWAYS_INLINE uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    if (value < 0x80) {
        *p = (uint8_t)value;
        return p + 1;
    }
    if (UNLIKELY(value >> 56)) {
        while (value >= 0x80) {
            *p++ = (uint8_t)(value | 0x80);
            value >>= 7;
        }
        *p = (uint8_t)value;
        return p + 1;
    }
    return put_spread(p, value);
}

static ALWAYS_INLINE uint8_t *put_tag(uint8_t *p, unsigned number, unsigned wire)
{
    *p = (uint8_t)(number << 3 | wire);
    if (LIKELY(number < 16))
        return p + 1;
    return put_varint(p, (uint64_t)number << 3 | wire);
}

static ALWAYS_INLINE uint64_t sum64(uint64_t state, uint64_t value, const bool instruction)
{
    return instruction ? crc32c_step64(state, value) : crc32c_update_table((uint32_t)state, &value, sizeof(value));
}

static ALWAYS_INLINE uint64_t sum32(uint64_t state, uint32_t value, const bool instruction)
{
    return instruction ? crc32c_step32(state, value) : crc32c_update_table((uint32_t)state, &value, sizeof(value));
}

static ALWAYS_INLINE uint64_t sum8(uint64_t state, uint8_t value, const bool instruction)
{
    return instruction ? crc32c_step8(state, value) : crc32c_update_table((uint32_t)state, &value, sizeof(value));
}

static ALWAYS_INLINE uint64_t load64(const char *from)
{
    uint64_t word;

    memcpy(&word, from, 8);
    return word;
}

static ALWAYS_INLINE uint32_t load32(const char *from)
{
    uint32_t word;

    memcpy(&word, from, 4);
    return word;
}

/* Feeds the upper 8 - skip bytes of a word, skip 0..7, without a branch on their number. A step over eight bytes reduces the
 * word with the state added to its first four; zero bytes in front of a zero state change nothing. So the state is added by
 * hand to the bytes that count, bytes that do not are zero, and what of the state lies beyond a short rest (below four bytes)
 * passes on unreduced. */
static ALWAYS_INLINE uint64_t sum_rest(uint64_t state, uint64_t word, unsigned skip)
{
    unsigned bits = skip * 8;

    return crc32c_step64(0, ((word >> bits) ^ state) << bits) ^ state >> 1 >> (63 ^ bits);
}

/* Copies the text and returns the new CRC state. May write up to eight bytes, however short the text is; never reads beyond
 * it. */
static ALWAYS_INLINE uint64_t copy_text(uint8_t *p, struct str text, uint64_t state, const bool instruction)
{
    size_t size = text.size;
    uint64_t word;

    if (!instruction) {
        if (size)
            memcpy(p, text.data, size);
        return crc32c_update_table((uint32_t)state, text.data, size);
    }
    if (LIKELY(size >= 8)) {
        const char *from = text.data + size - 8;
        ptrdiff_t at = 8 - (ptrdiff_t)size; /* counts up to the last word, which overlaps the one before it */

        p += size - 8;
        for (; at < 0; at += 8) {
            word = load64(from + at);
            memcpy(p + at, &word, 8);
            state = crc32c_step64(state, word);
            __asm__("" : "+r"(at)); /* else its last value is computed a second time, from the size */
        }
        word = load64(from);
        memcpy(p, &word, 8);
        return sum_rest(state, word, (unsigned)at);
    }
    if (size >= 4)
        word = load32(text.data) | (uint64_t)load32(text.data + size - 4) << (size * 8 - 32);
    else if (size)
        word = (uint64_t)(uint8_t)text.data[0] | (uint64_t)(uint8_t)text.data[size / 2] << size / 2 * 8 |
               (uint64_t)(uint8_t)text.data[size - 1] << (size * 8 - 8);
    else
        return state;
    memcpy(p, &word, 8);
    return sum_rest(state, word << (64 - size * 8), (unsigned)(8 - size));
}

/* Makes room for `size` bytes at p and `fixed` behind them: enough for the rest of the row but its texts. The buffer's size is
 * that of complete records until the row is done. */
static __attribute__((noinline)) uint8_t *grow(struct buffer *records, uint8_t *p, size_t size, size_t fixed, uint8_t **limit)
{
    size_t used = (size_t)((char *)p - records->data);
    size_t wanted;

    if (__builtin_add_overflow(used - records->size + fixed, size, &wanted) || !buffer_reserve(records, wanted)) {
        records->failed = true;
        return NULL;
    }
    *limit = (uint8_t *)records->data + records->capacity - fixed;
    return (uint8_t *)records->data + used;
}

/* Nested values are rare and large: out of line, so that the loop has its registers for the others. */
static __attribute__((noinline, cold)) uint64_t sum_nested(uint64_t state, const struct wire_nested *value)
{
    return (uint32_t)~crc32c(~(uint32_t)state, value->summed.data, value->summed.size);
}

static __attribute__((noinline, cold)) uint8_t *put_nested(uint8_t *p, unsigned number, const struct wire_nested *value,
                                                           struct buffer *records, size_t fixed, uint8_t **limit)
{
    p = put_tag(p, number, WIRE_SIZED);
    if ((ptrdiff_t)value->wire.size > *limit - p && !(p = grow(records, p, value->wire.size, fixed, limit)))
        return NULL;
    memcpy(p, value->wire.data, value->wire.size); /* never empty: a count or a flag stands in front */
    return p + value->wire.size;
}

static ALWAYS_INLINE void encode_rows(const struct wire_column *columns, size_t column_count, const uint32_t *rows, size_t count,
                                      struct buffer *records, struct buffer *crcs, const bool instruction)
{
    size_t fixed = column_count * VALUE_MAX + RECORD_END_MAX;
    uint8_t *p = (uint8_t *)records->data + records->size;
    uint8_t *limit = (uint8_t *)records->data + records->capacity - fixed;
    char *sums = crcs->data + crcs->size;

    for (size_t i = 0; i < count; i++) {
        uint32_t row = rows[i];
        uint64_t state = UINT32_MAX;
        uint32_t crc;

        if (UNLIKELY(p > limit) && !(p = grow(records, p, 0, fixed, &limit)))
            break;
        for (const struct wire_column *column = columns, *last = columns + column_count; column < last; column++) {
            if (column->null && column->null[row])
                continue;
            state = sum32(state, column->number, instruction);
            switch (column->kind) {
            case WIRE_INTEGER: {
                int64_t value = ((const int64_t *)column->data)[row];

                p = put_varint(put_tag(p, column->number, WIRE_VARINT), zigzag(value));
                state = sum64(state, (uint64_t)value, instruction);
                break;
            }
            case WIRE_DATE: {
                int64_t value = ((const int32_t *)column->data)[row];

                p = put_varint(put_tag(p, column->number, WIRE_VARINT), zigzag(value));
                state = sum64(state, (uint64_t)value, instruction);
                break;
            }
            case WIRE_BOOLEAN: {
                uint8_t value = ((const uint8_t *)column->data)[row] != 0;

                p = put_tag(p, column->number, WIRE_VARINT);
                *p++ = value;
                state = sum8(state, value, instruction);
                break;
            }
            case WIRE_DOUBLE: {
                uint64_t bits;

                memcpy(&bits, (const double *)column->data + row, 8);
                p = put_tag(p, column->number, WIRE_FIXED64);
                memcpy(p, &bits, 8);
                p += 8;
                state = sum64(state, bits, instruction);
                break;
            }
            case WIRE_FLOAT: {
                uint32_t bits;

                memcpy(&bits, (const float *)column->data + row, 4);
                p = put_tag(p, column->number, WIRE_FIXED32);
                memcpy(p, &bits, 4);
                p += 4;
                state = sum32(state, bits, instruction);
                break;
            }
            case WIRE_BYTES: {
                struct str text = ((const struct str *)column->data)[row];

                p = put_tag(p, column->number, WIRE_SIZED);
                if (LIKELY(text.size < 0x80))
                    *p++ = (uint8_t)text.size;
                else
                    p = put_varint(p, text.size);
                if (UNLIKELY((ptrdiff_t)text.size > limit - p) && !(p = grow(records, p, text.size, fixed, &limit)))
                    goto out;
                state = copy_text(p, text, state, instruction);
                p += text.size;
                break;
            }
            case WIRE_INSTANT: {
                struct instant value = ((const struct instant *)column->data)[row];

                p = put_varint(put_tag(p, column->number, WIRE_SIZED), zigzag(value.seconds));
                p = put_varint(p, zigzag(value.nanos));
                state = sum64(state, (uint64_t)value.seconds, instruction);
                state = sum32(state, (uint32_t)value.nanos, instruction);
                break;
            }
            case WIRE_NESTED: {
                const struct wire_nested *value = (const struct wire_nested *)column->data + row;

                state = sum_nested(state, value);
                p = put_nested(p, column->number, value, records, fixed, &limit);
                if (!p)
                    goto out;
                break;
            }
            default: __builtin_unreachable(); /* record_encode looked at the kinds */
            }
        }
        memcpy(p, &tag_end_record, 4);
        crc = ~(uint32_t)state;
        p = put_spread(p + 4, crc);
        records->size = (size_t)((char *)p - records->data);
        memcpy(sums, &crc, 4);
        sums += 4;
    }
out:
    crcs->size = (size_t)(sums - crcs->data);
}

/* Kept out of line, so that both stand in the profile under a name that tells which one ran. */
static __attribute__((noinline)) void encode_rows_instruction(const struct wire_column *columns, size_t column_count,
                                                              const uint32_t *rows, size_t count, struct buffer *records,
                                                              struct buffer *crcs)
{
    encode_rows(columns, column_count, rows, count, records, crcs, true);
}

static __attribute__((noinline)) void encode_rows_table(const struct wire_column *columns, size_t column_count,
                                                        const uint32_t *rows, size_t count, struct buffer *records,
                                                        struct buffer *crcs)
{
    encode_rows(columns, column_count, rows, count, records, crcs, false);
}

void record_encode(const struct wire_column *columns, size_t column_count, const uint32_t *rows, size_t count,
                   struct buffer *records, struct buffer *crcs)
{
    if (!count)
        return;
    /* A guess of the whole batch's size is not worth a pass over its texts: the buffers grow by halves and are used again. */
    if (count > SIZE_MAX / 4 || column_count > SIZE_MAX / VALUE_MAX / 2 || records->failed || crcs->failed ||
        !buffer_reserve(crcs, count * 4) || !buffer_reserve(records, column_count * VALUE_MAX + RECORD_END_MAX)) {
        records->failed = crcs->failed = true;
        return;
    }
    for (size_t i = 0; i < column_count; i++)
        assert(columns[i].kind <= WIRE_NESTED);
    if (crc32c_instruction)
        encode_rows_instruction(columns, column_count, rows, count, records, crcs);
    else
        encode_rows_table(columns, column_count, rows, count, records, crcs);
    if (records->failed)
        crcs->failed = true;
}

static void append_varint(struct buffer *buffer, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];

    buffer_append(buffer, bytes, (size_t)(put_varint(bytes, value) - bytes));
}

void record_trailer_crc(struct buffer *block, uint64_t record_count, uint32_t stream_crc)
{
    buffer_append(block, &tag_count, 4);
    append_varint(block, zigzag((int64_t)record_count));
    buffer_append(block, &tag_checksum, 4);
    append_varint(block, stream_crc);
}

void record_trailer(struct buffer *block, uint64_t record_count, struct str crcs)
{
    record_trailer_crc(block, record_count, crc32c(0, crcs.data, crcs.size));
}

/* --- values --- */

static unsigned wire_type(enum mc_kind kind)
{
    switch (kind) {
    case MC_TINYINT:
    case MC_SMALLINT:
    case MC_INT:
    case MC_BIGINT:
    case MC_BOOLEAN:
    case MC_DATE:
    case MC_DATETIME:
    case MC_INTERVAL_YEAR_MONTH: return WIRE_VARINT;
    case MC_DOUBLE: return WIRE_FIXED64;
    case MC_FLOAT: return WIRE_FIXED32;
    default: return WIRE_SIZED;
    }
}

/* Items with their null flags; step 1 takes a type each, step 0 always the same. Counts and flags are not summed. */
static void append_items(struct buffer *wire, struct buffer *summed, const struct mc_type *type, size_t step,
                         const struct record_value *items, size_t count)
{
    for (size_t i = 0; i < count; i++, type += step) {
        buffer_append_char(wire, items[i].null ? 1 : 0);
        if (!items[i].null)
            record_append_value(wire, summed, type, &items[i]);
    }
}

void record_append_value(struct buffer *wire, struct buffer *summed, const struct mc_type *type, const struct record_value *value)
{
    size_t half = value->count / 2;
    float narrow;
    uint8_t byte;

    switch (type->kind) {
    case MC_TINYINT:
    case MC_SMALLINT:
    case MC_INT:
    case MC_BIGINT:
    case MC_DATE:
    case MC_DATETIME:
    case MC_INTERVAL_YEAR_MONTH:
        append_varint(wire, zigzag(value->integer));
        buffer_append(summed, &value->integer, 8);
        return;
    case MC_BOOLEAN:
        byte = value->integer != 0;
        buffer_append(wire, &byte, 1);
        buffer_append(summed, &byte, 1);
        return;
    case MC_FLOAT:
        narrow = (float)value->real;
        buffer_append(wire, &narrow, 4);
        buffer_append(summed, &narrow, 4);
        return;
    case MC_DOUBLE:
        buffer_append(wire, &value->real, 8);
        buffer_append(summed, &value->real, 8);
        return;
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
    case MC_INTERVAL_DAY_TIME:
        append_varint(wire, zigzag(value->integer));
        append_varint(wire, zigzag(value->nanos));
        buffer_append(summed, &value->integer, 8);
        buffer_append(summed, &value->nanos, 4);
        return;
    case MC_ARRAY:
        append_varint(wire, value->count);
        append_items(wire, summed, type->children, 0, value->items, value->count);
        return;
    case MC_MAP:
        append_varint(wire, half);
        append_items(wire, summed, &type->children[0], 0, value->items, half);
        append_varint(wire, half);
        append_items(wire, summed, &type->children[1], 0, value->items + half, half);
        return;
    case MC_STRUCT:
        assert(value->count == type->child_count);
        append_items(wire, summed, type->children, 1, value->items, value->count);
        return;
    case MC_DECIMAL:
    case MC_STRING:
    case MC_VARCHAR:
    case MC_CHAR:
    case MC_BINARY:
    case MC_JSON: break;
    }
    append_varint(wire, value->bytes.size);
    buffer_append_str(wire, value->bytes);
    buffer_append_str(summed, value->bytes);
}

void record_encode_values(const struct mc_schema *schema, const struct record_value *values, struct buffer *records,
                          struct buffer *crcs)
{
    size_t size = records->size;
    struct buffer summed;
    uint32_t crc;

    buffer_init(&summed, 0);
    for (size_t i = 0; i < schema->column_count; i++) {
        uint32_t number = (uint32_t)(i + 1);

        if (values[i].null)
            continue;
        append_varint(records, (uint64_t)number << 3 | wire_type(schema->columns[i].type.kind));
        buffer_append(&summed, &number, 4);
        record_append_value(records, &summed, &schema->columns[i].type, &values[i]);
    }
    crc = crc32c(0, summed.data, summed.size);
    buffer_release(&summed);
    buffer_append(records, &tag_end_record, 4);
    append_varint(records, crc);
    buffer_append(crcs, &crc, 4);
    if (records->failed || crcs->failed) {
        /* Half a record is of no use to anybody. */
        records->size = size;
        records->failed = crcs->failed = true;
    }
}
