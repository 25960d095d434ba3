/* record.h: the record stream, both ways (protocol section 6).
 * Encoding is over columns in wire form, row by row, into chunks without trailer, so that a block can be put together from chunks
 * of many workers: record_encode appends records and their CRCs, record_trailer ends a block whose CRCs stand one after the
 * other. Decoding serves the local endpoint, downloads and tests; it never trusts its input.
 * Ownership: buffers, columns and bodies are the caller's; a decoder owns the values that it gives.
 * Threads: no state; a decoder belongs to one thread. Bounds: record_encode reserves as it goes in the given buffers. */
#ifndef LUADUCT_MAXCOMPUTE_RECORD_H
#define LUADUCT_MAXCOMPUTE_RECORD_H

#include "maxcompute/schema.h"
#include "batch/column.h"
#include "batch/decimal.h"

/* How a value goes over the wire. */
enum wire_kind {
    WIRE_INTEGER, /* int64_t: TINYINT..BIGINT, DATETIME (ms), INTERVAL_YEAR_MONTH */
    WIRE_DATE,    /* int32_t days */
    WIRE_BOOLEAN, /* uint8_t */
    WIRE_DOUBLE,  /* double */
    WIRE_FLOAT,   /* float */
    WIRE_BYTES,   /* struct str: STRING, BINARY, CHAR, VARCHAR, JSON, DECIMAL */
    WIRE_INSTANT, /* struct instant: TIMESTAMP, TIMESTAMP_NTZ */
    WIRE_NESTED,  /* struct wire_nested: ARRAY, MAP, STRUCT */
};

/* A nested value made by record_append_value: its bytes on the wire, and those that its record's CRC is over. */
struct wire_nested {
    struct str wire, summed;
};

/* One target column over all rows of a batch. */
struct wire_column {
    enum wire_kind kind;
    unsigned number;     /* field number, from 1 */
    const uint8_t *null; /* a byte per row, NULL = no row is NULL */
    const void *data;
};

/* Appends records for rows[0..count) with columns in ascending field number; their CRCs go to `crcs` as 4 bytes LE each. Size and
 * CRC buffers are set to failed when a limit struck, and end with the last whole record then; a limit is
 * felt up to 25 bytes a column early. */
void record_encode(const struct wire_column *columns, size_t column_count, const uint32_t *rows, size_t count,
                   struct buffer *records, struct buffer *crcs);
/* The trailer of a block of record_count records; crcs is the concatenation of their 4-byte CRCs. */
void record_trailer(struct buffer *block, uint64_t record_count, struct str crcs);

/* The stream CRC can also be built chunk by chunk: start with 0, feed each chunk's CRC bytes, end with record_trailer_crc. */
void record_trailer_crc(struct buffer *block, uint64_t record_count, uint32_t stream_crc);

/* --- decoding --- */

struct record_value {
    bool null;
    int64_t integer;        /* integers, date, datetime, boolean, interval months; seconds of instants */
    int32_t nanos;
    double real;            /* float (widened) and double */
    struct str bytes;       /* text, binary, decimal, json; borrowed from the body */
    size_t count;           /* array: items; map: 2 x pairs (keys, then values); struct: fields */
    struct record_value *items;
};

struct record_decoder;
/* body must live as long as the decoder. */
struct record_decoder *record_decoder_new(const struct mc_schema *schema, struct str body) MUST_USE;
void record_decoder_free(struct record_decoder *decoder);
/* 1: a record, values_out[column_count] valid until the next call; 0: the trailer was there and right; -1: error names what is
 * wrong and at which byte. CRC, count and trailer are verified; bytes after the trailer, a missing trailer, more columns than the
 * schema, and varints beyond ten bytes are errors. */
int record_decoder_next(struct record_decoder *decoder, const struct record_value **values_out, struct error *error) MUST_USE;
uint32_t record_decoder_crc(const struct record_decoder *decoder); /* of the record just read */
/* The metrics JSON of a download, or absent. */
struct str record_decoder_metrics(const struct record_decoder *decoder);

/* One value that is not NULL, of any type, appended without a tag: what stands on the wire, and what the record's CRC is over. */
void record_append_value(struct buffer *wire, struct buffer *summed, const struct mc_type *type,
                         const struct record_value *value);
/* Encodes decoded values again (downloads of the local endpoint, tests). */
void record_encode_values(const struct mc_schema *schema, const struct record_value *values, struct buffer *records,
                          struct buffer *crcs);

/* --- of the pipeline --- */

/* The kind of the target that a pipeline type prints and compares like, with the type's precision and scale. */
struct mc_type record_type_of(struct type type);
/* A value of a pipeline column as one of that kind: it borrows its text from the column, or from digits. */
void record_value_of_column(const struct column *column, uint32_t row, char digits[DECIMAL_TEXT_MAX],
                            struct record_value *value_out);
/* The point in time of a DATETIME, TIMESTAMP or TIMESTAMP_NTZ. */
struct instant record_instant(enum mc_kind kind, const struct record_value *value);

#endif
