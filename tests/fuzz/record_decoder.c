/* record_decoder.c: any bytes as the record stream of a table of any types.
 * Input: types with ";" between them, the separator, a body. The body is decoded as it is, and again with its checksums and
 * counts put right, for no mutation passes a CRC. What decodes is encoded again: that must decode to the same values, and encode
 * to the same bytes. */
#include "records.h"

#include "util/crc32c.h"

enum { COLUMNS_MAX = 40, RECORDS_MAX = 4096 };

static bool has_float; /* of the input in hand */

static bool read_schema(struct str types, struct mc_schema *schema)
{
    struct buffer printed;
    struct error error;
    struct str text;

    schema->columns = xcalloc(COLUMNS_MAX, sizeof(*schema->columns));
    while (types.size && schema->column_count < COLUMNS_MAX) {
        struct mc_type *type = &schema->columns[schema->column_count].type, again;

        str_cut(types, ';', &text, &types);
        text = fuzz_copy(text);
        if (!mc_type_parse(type, text, &error)) {
            free((char *)text.data);
            return false;
        }
        free((char *)text.data);
        schema->columns[schema->column_count].name = xasprintf("c%zu", schema->column_count + 1);
        schema->column_count++;
        buffer_init(&printed, 0);
        mc_type_print(type, &printed);
        has_float |= strstr(buffer_text(&printed), "FLOAT") != NULL;
        FUZZ_CLAIM(mc_type_parse(&again, buffer_str(&printed), &error), "%s: %s", buffer_text(&printed), error.text);
        FUZZ_CLAIM(mc_type_equal(type, &again), "%s reads as another type", buffer_text(&printed));
        mc_type_release(&again);
        buffer_release(&printed);
    }
    return true;
}

/* Decodes the body and writes its records again: 0 with the records and their CRCs, or -1. */
static int transcode(const struct mc_schema *schema, struct str body, struct buffer *records, struct buffer *crcs,
                     size_t *count_out, struct error *error)
{
    struct record_decoder *decoder = record_decoder_new(schema, body);
    const struct record_value *values;
    uint32_t crc;
    int status;

    *count_out = 0;
    while ((status = record_decoder_next(decoder, &values, error)) == 1) {
        if (++*count_out > RECORDS_MAX) {
            status = -1;
            break;
        }
        record_encode_values(schema, values, records, crcs);
        crc = record_decoder_crc(decoder);
        /* A signalling NaN becomes a quiet one when a FLOAT is widened. */
        FUZZ_CLAIM(has_float || memcmp(&crc, crcs->data + crcs->size - 4, 4) == 0, "record %zu has another CRC when written",
                   *count_out);
    }
    if (status == -1 && *count_out <= RECORDS_MAX) {
        struct error again;

        fuzz_claim_line("the error", error->text);
        FUZZ_CLAIM(record_decoder_next(decoder, &values, &again) == -1 && strcmp(again.text, error->text) == 0, "%s", again.text);
    }
    (void)record_decoder_metrics(decoder);
    record_decoder_free(decoder);
    return status;
}

/* One pass over the body; true when it was whole. */
static bool check_body(const struct mc_schema *schema, struct str body, struct error *error)
{
    struct buffer records[2], crcs[2];
    size_t counts[2];
    bool whole;

    for (int i = 0; i < 2; i++) {
        buffer_init(&records[i], 0);
        buffer_init(&crcs[i], 0);
    }
    whole = transcode(schema, body, &records[0], &crcs[0], &counts[0], error) == 0;
    if (whole) {
        record_trailer(&records[0], counts[0], buffer_str(&crcs[0]));
        FUZZ_CLAIM(transcode(schema, buffer_str(&records[0]), &records[1], &crcs[1], &counts[1], error) == 0, "%s", error->text);
        record_trailer(&records[1], counts[1], buffer_str(&crcs[1]));
        FUZZ_CLAIM(counts[0] == counts[1], "%zu records became %zu", counts[0], counts[1]);
        FUZZ_CLAIM(str_equal(buffer_str(&records[0]), buffer_str(&records[1])), "the same records are written in another way");
    }
    for (int i = 0; i < 2; i++) {
        buffer_release(&records[i]);
        buffer_release(&crcs[i]);
    }
    return whole;
}

/* --- the encoder of batches --- */

enum { ROWS_MAX = 64 };

/* As the machine has it, and by the table. */
static bool has_crc_instruction(void)
{
    static int has = -1;

    if (has < 0)
        has = crc32c_instruction;
    return has;
}

static union cell {
    int64_t integer;
    int32_t date;
    uint8_t boolean;
    double real;
    float narrow;
    struct str bytes;
    struct instant instant;
    struct wire_nested nested;
} cells[COLUMNS_MAX * ROWS_MAX];
static uint8_t nulls[COLUMNS_MAX][ROWS_MAX];

static enum wire_kind wire_kind_of(enum mc_kind kind, size_t *size_out)
{
    switch (kind) {
    case MC_TINYINT:
    case MC_SMALLINT:
    case MC_INT:
    case MC_BIGINT:
    case MC_DATETIME:
    case MC_INTERVAL_YEAR_MONTH:
        *size_out = sizeof(int64_t);
        return WIRE_INTEGER;
    case MC_DATE:
        *size_out = sizeof(int32_t);
        return WIRE_DATE;
    case MC_BOOLEAN:
        *size_out = 1;
        return WIRE_BOOLEAN;
    case MC_DOUBLE:
        *size_out = sizeof(double);
        return WIRE_DOUBLE;
    case MC_FLOAT:
        *size_out = sizeof(float);
        return WIRE_FLOAT;
    case MC_TIMESTAMP:
    case MC_TIMESTAMP_NTZ:
    case MC_INTERVAL_DAY_TIME:
        *size_out = sizeof(struct instant);
        return WIRE_INSTANT;
    case MC_ARRAY:
    case MC_MAP:
    case MC_STRUCT:
        *size_out = sizeof(struct wire_nested);
        return WIRE_NESTED;
    default:
        *size_out = sizeof(struct str);
        return WIRE_BYTES;
    }
}

static void cell_set(char *at, enum wire_kind kind, const struct mc_type *type, const struct record_value *value)
{
    union cell cell = {.integer = value->integer};
    struct buffer wire, summed;

    switch (kind) {
    case WIRE_INTEGER:
        memcpy(at, &cell.integer, sizeof(cell.integer));
        break;
    case WIRE_DATE:
        cell.date = (int32_t)value->integer;
        memcpy(at, &cell.date, sizeof(cell.date));
        break;
    case WIRE_BOOLEAN:
        *at = (char)value->integer;
        break;
    case WIRE_DOUBLE:
        memcpy(at, &value->real, sizeof(value->real));
        break;
    case WIRE_FLOAT:
        cell.narrow = (float)value->real;
        memcpy(at, &cell.narrow, sizeof(cell.narrow));
        break;
    case WIRE_BYTES:
        memcpy(at, &value->bytes, sizeof(value->bytes));
        break;
    case WIRE_INSTANT:
        cell.instant = (struct instant){value->integer, value->nanos};
        memcpy(at, &cell.instant, sizeof(cell.instant));
        break;
    case WIRE_NESTED:
        buffer_init(&wire, 0);
        buffer_init(&summed, 0);
        if (!value->null)
            record_append_value(&wire, &summed, type, value);
        cell.nested = (struct wire_nested){fuzz_copy(buffer_str(&wire)), fuzz_copy(buffer_str(&summed))};
        memcpy(at, &cell.nested, sizeof(cell.nested));
        buffer_release(&wire);
        buffer_release(&summed);
        break;
    }
}

/* Encodes the same records as a batch of columns: the same bytes as one by one; and where room is short, the first whole ones. */
static void check_batch(const struct mc_schema *schema, struct str body)
{
    struct record_decoder *decoder = record_decoder_new(schema, body);
    struct wire_column columns[COLUMNS_MAX];
    size_t sizes[COLUMNS_MAX], count = 0, column_count = schema->column_count;
    struct buffer records[3], crcs[3];
    const struct record_value *values;
    uint32_t rows[ROWS_MAX];
    struct error error;

    for (int i = 0; i < 3; i++) {
        buffer_init(&records[i], 0);
        buffer_init(&crcs[i], 0);
    }
    for (size_t k = 0; k < column_count; k++) {
        columns[k] = (struct wire_column){.number = (unsigned)k + 1, .null = nulls[k], .data = &cells[k * ROWS_MAX]};
        columns[k].kind = wire_kind_of(schema->columns[k].type.kind, &sizes[k]);
    }
    while (count < ROWS_MAX && record_decoder_next(decoder, &values, &error) == 1) {
        record_encode_values(schema, values, &records[0], &crcs[0]);
        for (size_t k = 0; k < column_count; k++) {
            nulls[k][count] = values[k].null;
            cell_set((char *)&cells[k * ROWS_MAX] + count * sizes[k], columns[k].kind, &schema->columns[k].type, &values[k]);
        }
        rows[count] = (uint32_t)count;
        count++;
    }
    record_encode(columns, column_count, rows, count, &records[1], &crcs[1]);
    FUZZ_CLAIM(str_equal(buffer_str(&records[0]), buffer_str(&records[1])), "the batch of %zu records has other bytes", count);
    FUZZ_CLAIM(str_equal(buffer_str(&crcs[0]), buffer_str(&crcs[1])), "the batch of %zu records has other CRCs", count);
    if (count) {
        records[2].bytes_max = records[0].size / 2 + 1;
        record_encode(columns, column_count, rows, count, &records[2], &crcs[2]);
        FUZZ_CLAIM(records[2].size <= records[2].bytes_max && records[2].failed && crcs[2].failed, "%zu bytes", records[2].size);
        FUZZ_CLAIM(memcmp(records[2].data ? records[2].data : "", records[0].data, records[2].size) == 0, "other first records");
        FUZZ_CLAIM(crcs[2].size / 4 < count, "%zu records", crcs[2].size / 4);
    }
    for (size_t k = 0; k < column_count; k++) {
        const struct wire_nested *nested = columns[k].data;

        for (size_t i = 0; i < count && columns[k].kind == WIRE_NESTED; i++) {
            free((char *)(uintptr_t)nested[i].wire.data);
            free((char *)(uintptr_t)nested[i].summed.data);
        }
    }
    for (int i = 0; i < 3; i++) {
        buffer_release(&records[i]);
        buffer_release(&crcs[i]);
    }
    record_decoder_free(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), types;
    struct mc_schema schema = {0};
    struct error error;

    has_float = false;
    crc32c_instruction = has_crc_instruction() && size % 2;
    if (fuzz_part(&rest, &types) && rest.data && read_schema(types, &schema)) {
        struct str copy = fuzz_copy(rest);
        struct buffer body;

        buffer_init(&body, 0);
        buffer_append_str(&body, rest);
        for (int i = 0; !check_body(&schema, copy, &error) && i < FUZZ_REPAIRS_MAX && fuzz_repair(&body, error.text); i++) {
            free((char *)copy.data);
            copy = fuzz_copy(buffer_str(&body));
        }
        check_batch(&schema, copy);
        free((char *)copy.data);
        buffer_release(&body);
    }
    mc_schema_release(&schema);
    return 0;
}
