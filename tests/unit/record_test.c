/* The record stream: every vector encoded and decoded, what must be refused, limits of buffers, rows of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/vectors_fixture.h"
#include "maxcompute/compress.h"
#include "util/crc32c.h"

static uint32_t hex_number(struct str hex)
{
    return (uint32_t)strtoul(hex.data, NULL, 16);
}

/* Decodes the body and compares it with the vector's rows; crcs_of is where row CRCs stand, or NULL. */
static void expect_rows(struct str body, const struct mc_schema *schema, yyjson_val *rows, yyjson_val *row_crcs)
{
    struct record_decoder *decoder = record_decoder_new(schema, body);
    const struct record_value *values;
    struct error error;
    size_t i, max;
    yyjson_val *row;

    yyjson_arr_foreach(rows, i, max, row) {
        const struct record_value *wanted = vectors_row(&vectors, schema, row);
        int status = record_decoder_next(decoder, &values, &error);

        if (status != 1)
            fail_msg("row %zu: %d %s", i, status, status < 0 ? error.text : "");
        for (size_t k = 0; k < schema->column_count; k++)
            if (!vectors_equal(&schema->columns[k].type, &values[k], &wanted[k]))
                fail_msg("row %zu, column %zu differs", i, k);
        if (row_crcs) {
            yyjson_val *crc = yyjson_arr_get(row_crcs, i);

            assert_int_equal(record_decoder_crc(decoder), hex_number(str_make(yyjson_get_str(crc), yyjson_get_len(crc))));
        }
    }
    assert_int_equal(record_decoder_next(decoder, &values, &error), 0);
    assert_null(values);
    assert_int_equal(record_decoder_next(decoder, &values, &error), 0);
    record_decoder_free(decoder);
}

static bool wire_kind_of(enum mc_kind kind, enum wire_kind *wire, size_t *size)
{
    switch (kind) {
    case MC_INTERVAL_DAY_TIME: return false;
    case MC_ARRAY:
    case MC_MAP:
    case MC_STRUCT: *wire = WIRE_NESTED; *size = sizeof(struct wire_nested); return true;
    case MC_DATE: *wire = WIRE_DATE; *size = sizeof(int32_t); return true;
    case MC_BOOLEAN: *wire = WIRE_BOOLEAN; *size = 1; return true;
    case MC_DOUBLE: *wire = WIRE_DOUBLE; *size = sizeof(double); return true;
    case MC_FLOAT: *wire = WIRE_FLOAT; *size = sizeof(float); return true;
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ: *wire = WIRE_INSTANT; *size = sizeof(struct instant); return true;
    case MC_STRING:
    case MC_VARCHAR:
    case MC_CHAR:
    case MC_BINARY:
    case MC_JSON:
    case MC_DECIMAL: *wire = WIRE_BYTES; *size = sizeof(struct str); return true;
    default: *wire = WIRE_INTEGER; *size = sizeof(int64_t); return true;
    }
}

static void store_nested(struct wire_nested *nested, const struct mc_type *type, const struct record_value *value)
{
    struct buffer wire, summed;

    if (value->null)
        return;
    buffer_init(&wire, 0);
    buffer_init(&summed, 0);
    record_append_value(&wire, &summed, type, value);
    nested->wire = arena_try_copy(&vectors.arena, buffer_str(&wire));
    nested->summed = arena_try_copy(&vectors.arena, buffer_str(&summed));
    buffer_release(&wire);
    buffer_release(&summed);
}

static void store(enum wire_kind wire, void *data, size_t row, const struct mc_type *type, const struct record_value *value)
{
    switch (wire) {
    case WIRE_NESTED: store_nested((struct wire_nested *)data + row, type, value); break;
    case WIRE_INTEGER: ((int64_t *)data)[row] = value->integer; break;
    case WIRE_DATE: ((int32_t *)data)[row] = (int32_t)value->integer; break;
    case WIRE_BOOLEAN: ((uint8_t *)data)[row] = (uint8_t)value->integer; break;
    case WIRE_DOUBLE: ((double *)data)[row] = value->real; break;
    case WIRE_FLOAT: ((float *)data)[row] = (float)value->real; break;
    case WIRE_BYTES: ((struct str *)data)[row] = value->bytes; break;
    case WIRE_INSTANT: ((struct instant *)data)[row] = (struct instant){value->integer, value->nanos}; break;
    }
}

/* The rows as columns of the batch; false when a type is one that batches do not have. */
static bool make_columns(const struct mc_schema *schema, yyjson_val *rows, struct wire_column *columns)
{
    size_t row_count = yyjson_arr_size(rows);

    for (size_t k = 0; k < schema->column_count; k++) {
        size_t size;
        uint8_t *null = vectors_alloc(&vectors, row_count);
        void *data;

        if (!wire_kind_of(schema->columns[k].type.kind, &columns[k].kind, &size))
            return false;
        data = vectors_alloc(&vectors, size * row_count);
        for (size_t i = 0; i < row_count; i++) {
            const struct record_value *values = vectors_row(&vectors, schema, yyjson_arr_get(rows, i));

            null[i] = values[k].null;
            store(columns[k].kind, data, i, &schema->columns[k].type, &values[k]);
        }
        columns[k].number = (unsigned)(k + 1);
        columns[k].data = data;
        columns[k].null = null;
        if (row_count && !memchr(null, 1, row_count))
            columns[k].null = NULL;
    }
    return true;
}

static void expect_body(const char *how, struct str wanted, yyjson_val *vector, struct buffer *records, struct buffer *crcs)
{
    struct str row_crcs = buffer_str(crcs);
    size_t i, max;
    yyjson_val *crc;

    assert_int_equal(row_crcs.size, 4 * yyjson_arr_size(yyjson_obj_get(vector, "rows")));
    yyjson_arr_foreach(yyjson_obj_get(vector, "row_crcs"), i, max, crc) {
        uint32_t value;

        memcpy(&value, row_crcs.data + 4 * i, 4);
        assert_int_equal(value, hex_number(str_make(yyjson_get_str(crc), yyjson_get_len(crc))));
    }
    assert_int_equal(crc32c(0, row_crcs.data, row_crcs.size), hex_number(vectors_text(vector, "stream_crc")));
    record_trailer(records, row_crcs.size / 4, row_crcs);
    assert_false(records->failed);
    if (!str_equal(buffer_str(records), wanted))
        fail_msg("%s: the body differs", how);
}

static void test_records(void **state)
{
    size_t i, max, flat = 0;
    yyjson_val *vector;

    (void)state;
    yyjson_arr_foreach(vectors_list(&vectors, "records"), i, max, vector) {
        struct str body = vectors_bytes(&vectors, vector, "hex");
        yyjson_val *rows = yyjson_obj_get(vector, "rows");
        uint32_t count = (uint32_t)yyjson_arr_size(rows);
        struct wire_column columns[32];
        struct mc_schema schema;
        struct buffer records, crcs;

        print_message("%s\n", vectors_text(vector, "name").data);
        vectors_schema(vector, &schema);
        assert_true(schema.column_count <= COUNT_OF(columns));
        expect_rows(body, &schema, rows, yyjson_obj_get(vector, "row_crcs"));

        buffer_init(&records, 0);
        buffer_init(&crcs, 0);
        for (uint32_t row = 0; row < count; row++)
            record_encode_values(&schema, vectors_row(&vectors, &schema, yyjson_arr_get(rows, row)), &records, &crcs);
        expect_body("values", body, vector, &records, &crcs);

        /* By columns: all rows at once, by the CPU's instruction and by the table, and row after row in chunks. */
        if (make_columns(&schema, rows, columns)) {
            uint32_t selection[16];

            flat++;
            assert_true(count <= COUNT_OF(selection));
            for (uint32_t row = 0; row < count; row++)
                selection[row] = row;
            for (int table = 0; table < 2; table++) {
                bool instruction = crc32c_instruction;

                if (table)
                    crc32c_instruction = false;
                buffer_clear(&records);
                buffer_clear(&crcs);
                record_encode(columns, schema.column_count, selection, count, &records, &crcs);
                expect_body(table ? "columns, table" : "columns", body, vector, &records, &crcs);
                crc32c_instruction = instruction;
            }
            buffer_clear(&records);
            buffer_clear(&crcs);
            for (uint32_t row = 0; row < count; row++)
                record_encode(columns, schema.column_count, selection + row, 1, &records, &crcs);
            expect_body("chunks", body, vector, &records, &crcs);
        }
        buffer_release(&records);
        buffer_release(&crcs);
        mc_schema_release(&schema);
    }
    assert_true(flat > 40); /* all but the interval */
}

static yyjson_val *record_vector(struct str name)
{
    size_t i, max;
    yyjson_val *vector;

    yyjson_arr_foreach(vectors_list(&vectors, "records"), i, max, vector) {
        if (str_equal(vectors_text(vector, "name"), name))
            return vector;
    }
    fail_msg("no vector of that name");
    return NULL;
}

static void test_alternative_encodings(void **state)
{
    size_t i, max;
    yyjson_val *vector;

    (void)state;
    yyjson_arr_foreach(vectors_list(&vectors, "alternative_encodings"), i, max, vector) {
        yyjson_val *same = record_vector(vectors_text(vector, "same_rows_as"));
        struct mc_schema schema;

        vectors_schema(same, &schema);
        expect_rows(vectors_bytes(&vectors, vector, "hex"), &schema, yyjson_obj_get(same, "rows"),
                    yyjson_obj_get(same, "row_crcs"));
        mc_schema_release(&schema);
    }
}

static void test_downloads(void **state)
{
    size_t i, max;
    yyjson_val *vector;

    (void)state;
    yyjson_arr_foreach(vectors_list(&vectors, "downloads"), i, max, vector) {
        struct str body = vectors_bytes(&vectors, vector, "hex");
        struct record_decoder *decoder;
        const struct record_value *values;
        struct mc_schema schema;
        struct error error;
        int status;

        vectors_schema(vector, &schema);
        expect_rows(body, &schema, yyjson_obj_get(vector, "rows"), NULL);
        decoder = record_decoder_new(&schema, body);
        assert_null(record_decoder_metrics(decoder).data);
        while ((status = record_decoder_next(decoder, &values, &error)) > 0)
            ;
        assert_int_equal(status, 0);
        assert_true(str_equal(record_decoder_metrics(decoder), vectors_text(vector, "metrics")));
        record_decoder_free(decoder);
        mc_schema_release(&schema);
    }
}

/* The decoder's last answer; the error is left in *error. */
static int decode_all(const struct mc_schema *schema, struct str body, struct error *error)
{
    struct record_decoder *decoder = record_decoder_new(schema, body);
    const struct record_value *values;
    int status;

    while ((status = record_decoder_next(decoder, &values, error)) > 0)
        ;
    if (status < 0) {
        struct error again;

        assert_int_equal(record_decoder_next(decoder, &values, &again), -1);
        assert_string_equal(again.text, error->text);
    }
    record_decoder_free(decoder);
    return status;
}

static void test_invalid_streams(void **state)
{
    size_t i, max;
    yyjson_val *vector;

    (void)state;
    yyjson_arr_foreach(vectors_list(&vectors, "invalid_streams"), i, max, vector) {
        struct mc_schema schema;
        struct error error = {0};

        vectors_schema(vector, &schema);
        assert_int_equal(decode_all(&schema, vectors_bytes(&vectors, vector, "hex"), &error), -1);
        print_message("%s: %s\n", vectors_text(vector, "name").data, error.text);
        assert_int_equal(error.kind, ERROR_DATA);
        mc_schema_release(&schema);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *type, *hex, *text;
    } cases[] = {
        {"bigint", "", "ends without its trailer"},
        {"bigint", "f0ffff7f00f8ffff7f0000", "1 bytes behind the trailer"},
        {"bigint", "f0ffff7f00", "ends in the middle"},
        {"bigint", "f0ffff7f0010", "where the stream's checksum should be"},
        {"bigint", "f0ffff7f01f8ffff7f00", "counts -1 records"},
        {"bigint", "1002", "field 2 is beyond the 1 columns"},
        {"bigint", "0002", "field 0 is beyond"},
        {"bigint", "08020804", "comes after field 1"},
        {"bigint", "08ffffffffffffffffffff01", "longer than ten bytes"},
        {"bigint", "08ffffffffffffffffff02", "longer than ten bytes"},
        {"bigint", "0802f0ffff7f00f8ffff7f00", "is beyond the 1 columns"},
        {"tinyint", "088002", "128 does not fit a 8-bit"},
        {"int", "088080808010", "does not fit a 32-bit"},
        {"boolean", "0802", "neither 0 nor 1"},
        {"string", "0a056162", "5 bytes where only 2 are left"},
        {"string", "0affffffffffffffffff01", "where only 0 are left"},
        {"timestamp", "0a0080a8d6b907", "not below one second"},
        {"double", "09000000", "ends in the middle"},
        {"array<bigint>", "0affffffffffffffff7f00", "items where only 1 bytes"},
        {"array<bigint>", "0a0102", "a null flag is 2"},
        {"map<bigint,bigint>", "0a0100020100", "ends in the middle"},
        {"map<bigint,bigint>", "0a01000202000200020001", "1 keys and 2 values"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str body = vectors_unhex(&vectors, str_of(cases[i].hex));
        /* On the heap at its exact size, so that a read behind it is seen. */
        char *exact = xmalloc(body.size);
        struct mc_column column = {.name = (char *)(uintptr_t)"c"};
        struct mc_schema schema = {.columns = &column, .column_count = 1};
        struct error error = {0};

        memcpy(exact, body.data, body.size);
        assert_true(mc_type_parse(&column.type, str_of(cases[i].type), &error));
        assert_int_equal(decode_all(&schema, str_make(exact, body.size), &error), -1);
        if (!strstr(error.text, cases[i].text))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error.text, cases[i].text);
        mc_type_release(&column.type);
        free(exact);
    }
}

/* No prefix of a stream and no stream with one changed bit is taken, and none of them reads outside the body. */
static void test_damage(void **state)
{
    size_t i, max;
    yyjson_val *vector;

    (void)state;
    yyjson_arr_foreach(vectors_list(&vectors, "records"), i, max, vector) {
        struct str body = vectors_bytes(&vectors, vector, "hex");
        struct mc_schema schema;
        struct error error;

        vectors_schema(vector, &schema);
        for (size_t size = 0; size < body.size; size++) {
            char *exact = xmalloc(size);

            memcpy(exact, body.data, size);
            assert_int_equal(decode_all(&schema, str_make(exact, size), &error), -1);
            free(exact);
        }
        for (size_t bit = 0; bit < body.size * 8; bit++) {
            char *exact = xmalloc(body.size);

            memcpy(exact, body.data, body.size);
            exact[bit / 8] = (char)(exact[bit / 8] ^ 1 << bit % 8);
            /* Some changes are no damage: a tag's wire type is a hint, a CRC's upper half is dropped, a count may hide in a
             * longer varint. Here only the reads are judged, by the sanitizer. */
            (void)!decode_all(&schema, str_make(exact, body.size), &error);
            free(exact);
        }
        mc_schema_release(&schema);
    }
}

/* Varints of every length, integers of every bit, field numbers of one and two tag bytes: decoded again. */
static void test_integers_round_trip(void **state)
{
    enum { ROWS = 64 * 4, COLUMNS = 40 };
    static int64_t values[ROWS];
    static uint32_t rows[ROWS];
    struct wire_column columns[2] = {{.kind = WIRE_INTEGER, .number = 3, .data = values},
                                     {.kind = WIRE_INTEGER, .number = COLUMNS, .data = values}};
    struct mc_column list[COLUMNS];
    struct mc_schema schema = {.columns = list, .column_count = COLUMNS};
    struct record_decoder *decoder;
    const struct record_value *decoded;
    struct buffer records, crcs;
    struct error error;

    (void)state;
    memset(list, 0, sizeof(list));
    for (size_t k = 0; k < COLUMNS; k++) {
        list[k].name = (char *)(uintptr_t)"c";
        list[k].type.kind = MC_BIGINT;
    }
    for (unsigned i = 0; i < ROWS; i++) {
        uint64_t power = UINT64_C(1) << i / 4;

        values[i] = (int64_t)(i % 4 == 0 ? power : i % 4 == 1 ? power - 1 : i % 4 == 2 ? 0 - power : 0 - power - 1);
        rows[i] = ROWS - 1 - i; /* the selection's order counts, not the rows' */
    }
    buffer_init(&records, 0);
    buffer_init(&crcs, 0);
    record_encode(columns, 2, rows, ROWS, &records, &crcs);
    record_trailer(&records, ROWS, buffer_str(&crcs));
    decoder = record_decoder_new(&schema, buffer_str(&records));
    for (unsigned i = 0; i < ROWS; i++) {
        if (record_decoder_next(decoder, &decoded, &error) != 1)
            fail_msg("row %u: %s", i, error.text);
        assert_true(decoded[2].integer == values[ROWS - 1 - i] && decoded[COLUMNS - 1].integer == values[ROWS - 1 - i]);
        assert_true(decoded[0].null);
    }
    assert_int_equal(record_decoder_next(decoder, &decoded, &error), 0);
    record_decoder_free(decoder);
    buffer_release(&records);
    buffer_release(&crcs);
}

/* Texts of all small sizes and of some large ones, in exact heap blocks, so that a read behind them is seen; appended chunk by
 * chunk. */
static void test_texts_round_trip(void **state)
{
    enum { ROWS = 120 };
    struct str texts[ROWS];
    uint32_t rows[ROWS];
    struct wire_column column = {.kind = WIRE_BYTES, .number = 1, .data = texts};
    struct mc_column text = {.name = (char *)(uintptr_t)"t", .type = {.kind = MC_STRING}};
    struct mc_schema schema = {.columns = &text, .column_count = 1};
    struct record_decoder *decoder;
    const struct record_value *decoded;
    struct buffer records, crcs;
    uint32_t stream_crc = 0;
    struct error error;

    (void)state;
    for (uint32_t i = 0; i < ROWS; i++) {
        size_t size = i < 100 ? i : (size_t)i * i * (i - 99) * 7;
        char *bytes = size ? xmalloc(size) : NULL; /* empty, without bytes to point to */

        for (size_t k = 0; k < size; k++)
            bytes[k] = (char)(k * 31 + i);
        texts[i] = str_make(bytes, size);
        rows[i] = i;
    }
    buffer_init(&records, (size_t)64 << 20);
    buffer_init(&crcs, 4096);
    for (uint32_t i = 0; i < ROWS; i += 30) {
        size_t before = crcs.size;

        record_encode(&column, 1, rows + i, 30, &records, &crcs);
        stream_crc = crc32c(stream_crc, crcs.data + before, crcs.size - before);
    }
    record_trailer_crc(&records, ROWS, stream_crc);
    assert_false(records.failed);
    assert_false(crcs.failed);
    decoder = record_decoder_new(&schema, buffer_str(&records));
    for (uint32_t i = 0; i < ROWS; i++) {
        assert_int_equal(record_decoder_next(decoder, &decoded, &error), 1);
        assert_true(str_equal(decoded[0].bytes, texts[i]));
        free((char *)(uintptr_t)texts[i].data);
    }
    assert_int_equal(record_decoder_next(decoder, &decoded, &error), 0);
    record_decoder_free(decoder);
    buffer_release(&records);
    buffer_release(&crcs);
}

/* A limit leaves whole records and says so in both buffers. */
static void test_buffer_limits(void **state)
{
    struct str texts[] = {STR("abc"), STR("a longer text, which needs a good deal of room on its own account")};
    uint32_t rows[] = {0, 1, 1, 1, 1, 1, 1, 1};
    struct wire_column column = {.kind = WIRE_BYTES, .number = 1, .data = texts};

    (void)state;
    for (size_t limit = 1; limit < 700; limit += 3)
        for (int where = 0; where < 2; where++) {
            struct buffer records, crcs;

            buffer_init(&records, where == 0 ? limit : 100000);
            buffer_init(&crcs, where == 1 ? limit / 10 + 1 : 100000);
            record_encode(&column, 1, rows, COUNT_OF(rows), &records, &crcs);
            assert_int_equal(records.failed, crcs.failed);
            assert_true(records.bytes_max >= records.capacity);
            if (records.failed)
                assert_int_equal(records.size == 0, crcs.size == 0);
            else
                assert_int_equal(crcs.size, 32);
            if (limit == 1)
                assert_true(records.failed);
            buffer_release(&records);
            buffer_release(&crcs);
        }
}

static void test_nothing_to_encode(void **state)
{
    struct buffer records, crcs;

    (void)state;
    buffer_init(&records, 100);
    buffer_init(&crcs, 100);
    record_encode(NULL, 0, NULL, 0, &records, &crcs);
    record_trailer(&records, 0, buffer_str(&crcs));
    assert_int_equal(records.size, 10);
    assert_memory_equal(records.data, "\xf0\xff\xff\x7f\x00\xf8\xff\xff\x7f\x00", 10);
    buffer_release(&records);
    buffer_release(&crcs);
}

static void test_compressed_vectors(void **state)
{
    size_t i, max;
    yyjson_val *vector;

    (void)state;
    yyjson_arr_foreach(vectors_list(&vectors, "compressed"), i, max, vector) {
        struct str encoding = vectors_text(vector, "content_encoding");
        struct buffer plain;
        struct error error = {0};
        bool known = str_is(encoding, "deflate") || str_is(encoding, "zstd");

        buffer_init(&plain, 0);
        assert_int_equal(decompress(encoding, vectors_bytes(&vectors, vector, "hex"), 1000, &plain, &error), known);
        if (known)
            assert_true(str_equal(buffer_str(&plain), vectors_bytes(&vectors, vector, "plain_hex")));
        else
            assert_non_null(strstr(error.text, vectors_text(vector, "content_encoding").data));
        buffer_release(&plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_alternative_encodings),
        cmocka_unit_test(test_downloads),
        cmocka_unit_test(test_invalid_streams),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_integers_round_trip),
        cmocka_unit_test(test_texts_round_trip),
        cmocka_unit_test(test_buffer_limits),
        cmocka_unit_test(test_nothing_to_encode),
        cmocka_unit_test(test_compressed_vectors),
    };

    return cmocka_run_group_tests(tests, vectors_setup, vectors_teardown);
}
