/* record_decoder.c: any bytes as the record stream of a table of any types.
 * Input: types with ";" between them, the separator, a body. The body is decoded as it is, and again with its checksums and counts put
 * right, for no mutation passes a CRC. What decodes is encoded again: that must decode to the same values, and encode to the same
 * bytes. */
#include "records.h"

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
static int transcode(const struct mc_schema *schema, struct str body, struct buffer *records, struct buffer *crcs, size_t *count_out,
                     struct error *error)
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
        FUZZ_CLAIM(has_float || memcmp(&crc, crcs->data + crcs->size - 4, 4) == 0, "record %zu has another CRC when written", *count_out);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), types;
    struct mc_schema schema = {0};
    struct error error;

    has_float = false;
    if (fuzz_part(&rest, &types) && rest.data && read_schema(types, &schema)) {
        struct str copy = fuzz_copy(rest);
        struct buffer body;

        buffer_init(&body, 0);
        buffer_append_str(&body, rest);
        for (int i = 0; !check_body(&schema, copy, &error) && i < FUZZ_REPAIRS_MAX && fuzz_repair(&body, error.text); i++) {
            free((char *)copy.data);
            copy = fuzz_copy(buffer_str(&body));
        }
        free((char *)copy.data);
        buffer_release(&body);
    }
    mc_schema_release(&schema);
    return 0;
}
