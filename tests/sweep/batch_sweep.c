/* batch_sweep.c: what runs for every record: batches, columns, kernels, conversion, records, compression. None of it may stop the
 * process: memory that is not there is an error of the batch, and never a dirty row. */
#include "sweep/sweep.h"

#include <stdio.h>

#include "batch/batch.h"
#include "batch/convert.h"
#include "batch/kernels/arithmetic.h"
#include "batch/kernels/json.h"
#include "batch/time.h"
#include "maxcompute/compress.h"
#include "maxcompute/record.h"
#include "maxcompute/schema.h"

enum { ROWS = 1000, ARENA_MAX = 64 << 20 };

static struct batch *batch_of(const char *const *values, size_t value_count)
{
    struct batch *batch = batch_new(ARENA_MAX);

    for (size_t i = 0; i < ROWS; i++)
        batch_add_message(
            batch, &(struct message){.value = str_of(values[i % value_count]), .key = STR("k"), .offset = (int64_t)i}, NULL);
    return batch;
}

static bool begin(struct batch *batch, struct error *error)
{
    return batch_begin(batch, (1u << BUILTIN_COUNT) - 1) || error_set(error, ERROR_DATA, "no room for a batch");
}

/* --- json --- */

static const char *const plain[] = {
    "{\"n\":1,\"t\":\"plain\",\"d\":\"12.50\",\"o\":{\"a\":[1,2,3]},\"items\":[{\"x\":1},{\"x\":2}],\"when\":\"2024-01-02T03:04:"
    "05Z\"}",
};
/* What the scanner hands to yyjson: escapes, names twice, exponents, depth; the last is large enough that buffers grow. */
static char large[20000];
static const char *const odd[] = {
    "{\"n\":1,\"n\":2,\"t\":\"a\\u00e9\\n\",\"d\":1.25e1,\"o\":{\"a\":[[[1]]]},\"items\":[{\"x\":1}],\"q\":[],\"when\":\"2024-01-"
    "02 03:04:05\"}",
    "{\"t\":null,\"n\":9007199254740993,\"d\":0.1,\"items\":[],\"\\u0061\":true}",
    large,
};

static bool extract(const char *const *values, size_t count, bool expand, bool rest, struct error *error)
{
    const struct json_column columns[] = {
        {.name = STR("n"), .path = STR("$.n"), .type = {TYPE_BIGINT, 0, 0}},
        {.name = STR("t"), .path = STR("$.t"), .type = {TYPE_STRING, 0, 0}},
        {.name = STR("d"), .path = STR("$.d"), .type = {TYPE_DECIMAL, 20, 5}},
        {.name = STR("o"), .path = STR("$.o"), .type = {TYPE_JSON, 0, 0}},
        {.name = STR("w"), .path = STR("$.when"), .type = {TYPE_TIMESTAMP, 0, 0}},
        {.name = STR("all"), .path = STR("$.items[*].x"), .type = {TYPE_JSON, 0, 0}},
        {.name = STR("f"), .path = STR("$.f"), .type = {TYPE_BIGINT, 0, 0}, .has_default = true, .default_text = STR("7")},
        {.name = STR("x"), .path = STR("@.x"), .type = {TYPE_BIGINT, 0, 0}},
    };
    struct json_options options = {
        .from = STR("__value__"),
        .expand = expand ? STR("$.items") : STR_NONE,
        .rest = rest ? STR("rest") : STR_NONE,
        .columns = columns,
        .column_count = COUNT_OF(columns) - !expand,
    };
    struct json_extractor *extractor = NULL;
    struct batch *batch = NULL;
    struct zone *zone = NULL;
    struct json_mistakes mistakes;
    bool ok;

    if (!large[0])
        snprintf(large, sizeof(large), "{\"n\":3,\"d\":1,\"pad\":\"%*s\\t\",\"t\":\"%*s\\t\",\"items\":[{\"x\":5}]}", 9000, "",
                 9000, "");
    fault_on();
    ok = zone_open(&zone, STR("+08:00"), error);
    options.zone = zone;
    batch = batch_of(values, count);
    ok =
        ok && json_extractor_new(&extractor, &options, &mistakes) && begin(batch, error) && json_extract(extractor, batch, error);
    fault_off();
    if (ok) {
        struct field *n = batch_field(batch, STR("n"));

        SWEEP_CHECK(batch->dirty_count == 0 && n && n->column);
        SWEEP_CHECK(values == plain ? n->column->bigint[0] == 1 && batch->selected == (expand ? 2 * ROWS : ROWS)
                                    : batch->selected > 0);
    }
    json_extractor_free(extractor);
    batch_free(batch);
    zone_free(zone);
    return ok;
}

static bool json_plain(struct error *error)
{
    return extract(plain, 1, false, false, error);
}

static bool json_odd(struct error *error)
{
    return extract(odd, 3, false, true, error);
}

static bool json_expand(struct error *error)
{
    return extract(plain, 1, true, true, error);
}

static bool json_expand_odd(struct error *error)
{
    return extract(odd, 3, true, true, error);
}

/* --- whole columns --- */

static struct column *numbers(struct batch *batch, struct type type)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, true);

    for (uint32_t i = 0; column && i < batch->row_count; i++) {
        column->null[i] = i % 5 == 4;
        if (type.kind == TYPE_DECIMAL)
            column->decimal[i] = (int128)i * 12345;
        else if (type.kind == TYPE_DOUBLE)
            column->real[i] = i + 0.5;
        else
            column->bigint[i] = i;
    }
    return column;
}

static bool kernels(struct error *error)
{
    static const enum arithmetic operations[] = {ARITHMETIC_ADD, ARITHMETIC_MULTIPLY, ARITHMETIC_DIVIDE, ARITHMETIC_FLOOR_DIVIDE,
                                                 ARITHMETIC_MODULO};
    static const struct type types[] = {{TYPE_BIGINT, 0, 0}, {TYPE_DECIMAL, 20, 2}, {TYPE_DOUBLE, 0, 0}};
    struct column *a, *b, *c, *mask, *text;
    struct batch *batch;
    bool ok;

    fault_on();
    batch = batch_of(plain, 1);
    ok = begin(batch, error);
    for (size_t i = 0; ok && i < COUNT_OF(types); i++) {
        a = numbers(batch, types[i]);
        b = numbers(batch, types[(i + 1) % COUNT_OF(types)]);
        if (!a || !b || !batch_set(batch, STR("a"), a)) {
            ok = error_set(error, ERROR_DATA, "no room for a column");
            break;
        }
        batch->stage = "s";
        batch->when_error = WHEN_ERROR_NULL;
        for (size_t o = 0; ok && o < COUNT_OF(operations); o++)
            ok = kernel_arithmetic(batch, operations[o], (struct operand){a, false}, (struct operand){b, false}, STR("a ? b"), &c,
                                   error);
        ok = ok && kernel_negate(batch, (struct operand){a, false}, &c, error) &&
             kernel_concat(batch, (struct operand){a, false}, (struct operand){b, false}, &text, error) &&
             kernel_compare(batch, COMPARE_LT, (struct operand){a, false}, (struct operand){b, false}, &mask, error) &&
             kernel_is_null(batch, (struct operand){a, false}, true, &c, error) &&
             kernel_logic(batch, LOGIC_OR, (struct operand){mask, false}, (struct operand){c, false}, &c, error) &&
             kernel_not(batch, (struct operand){c, false}, &c, error) &&
             kernel_coalesce(batch, (struct operand){a, false}, (struct operand){a, false}, &c, error) &&
             kernel_select(batch, mask, (struct operand){a, false}, (struct operand){a, false}, &c, error);
    }
    if (ok) {
        SWEEP_CHECK(batch->dirty_count == 0 && batch->selected == ROWS);
        ok = batch_keep(batch, mask, error);
    }
    fault_off();
    batch_free(batch);
    return ok;
}

static bool conversions(struct error *error)
{
    static const struct type targets[] = {{TYPE_STRING, 0, 0},   {TYPE_DECIMAL, 10, 0}, {TYPE_DOUBLE, 0, 0},
                                          {TYPE_DATETIME, 0, 0}, {TYPE_STRING, 0, 0},   {TYPE_JSON, 0, 0}};
    struct convert convert = {0};
    struct zone *zone = NULL;
    struct batch *batch;
    bool ok;

    fault_on();
    ok = zone_open(&zone, STR("+08:00"), error);
    convert.zone = zone;
    batch = batch_of(plain, 1);
    ok = ok && begin(batch, error);
    for (size_t i = 0; ok && i < COUNT_OF(targets); i++) {
        struct column *column = numbers(batch, TYPE_OF(TYPE_BIGINT));

        if (column && i >= 4) /* from JSON text */
            column = convert_column(&convert, batch, batch_column(batch, batch_field(batch, STR("__value__"))), targets[i],
                                    STR("v"), false);
        else if (column)
            column = convert_column(&convert, batch, column, targets[i], STR("n"), false);
        if (!column || !batch_set(batch, STR("n"), column))
            ok = error_set(error, ERROR_DATA, "no room for a column");
    }
    fault_off();
    if (ok)
        SWEEP_CHECK(batch->dirty_count == 0);
    batch_free(batch);
    zone_free(zone);
    return ok;
}

/* More dirty rows than a page of the arena has room for, and a batch made larger. */
static bool rows(struct error *error)
{
    static char reason[40000];
    uint32_t source[ROWS * 3];
    struct batch *batch;
    bool ok;

    memset(reason, 'r', sizeof(reason));
    fault_on();
    batch = batch_of(plain, 1);
    batch->stage = "s";
    ok = begin(batch, error);
    for (uint32_t i = 0; i < COUNT_OF(source); i++)
        source[i] = i / 3;
    ok = ok && (batch_expand(batch, source, COUNT_OF(source)) || error_set(error, ERROR_DATA, "no room to expand"));
    for (uint32_t i = 0; ok && i < 4; i++)
        batch_dirty(batch, i, STR("c"), str_make(reason, sizeof(reason)));
    if (ok)
        batch_sweep(batch);
    fault_off();
    if (ok && batch->stopped) /* there was no room for the mark or the reason */
        ok = error_set(error, ERROR_DATA, "%s", batch->stop_error.text);
    if (ok)
        SWEEP_CHECK(batch->dirty_count == 4 && batch->selected == ROWS * 3 - 4 && batch->dirty && batch->dirty->next);
    batch_free(batch);
    return ok;
}

/* --- records and bodies --- */

static bool records_packed(enum compression compression, struct error *error)
{
    static const char schema_json[] = "{\"columns\":[{\"name\":\"n\",\"type\":\"bigint\"},{\"name\":\"t\",\"type\":\"string\"},"
                                      "{\"name\":\"l\",\"type\":\"array<struct<a:bigint,b:string>>\"}]}";
    struct record_decoder *decoder = NULL;
    struct compressor *compressor = NULL;
    struct buffer body, crcs, packed, unpacked;
    struct mc_schema schema = {0};
    int64_t ints[ROWS];
    struct str texts[ROWS];
    uint32_t selection[ROWS];
    const struct record_value *values;
    static char text[300];
    uint64_t count = 0;
    bool ok;

    for (uint32_t i = 0; i < ROWS; i++) {
        for (size_t at = 0; at < sizeof(text); at++)
            text[at] = (char)(at * at % 251 + 1);
        ints[i] = i;
        texts[i] = str_make(text, sizeof(text));
        selection[i] = i;
    }
    buffer_init(&body, 1 << 20);
    buffer_init(&crcs, 1 << 20);
    buffer_init(&packed, 1 << 20);
    buffer_init(&unpacked, 1 << 20);
    fault_on();
    ok = mc_schema_parse(&schema, STR(schema_json), error);
    if (ok) {
        struct wire_column columns[] = {{.kind = WIRE_INTEGER, .number = 1, .data = ints},
                                        {.kind = WIRE_BYTES, .number = 2, .data = texts}};

        compressor = compressor_new(compression);
        record_encode(columns, 2, selection, ROWS, &body, &crcs);
        record_trailer(&body, ROWS, buffer_str(&crcs));
        ok = !body.failed && !crcs.failed ? true : error_set(error, ERROR_DATA, "no room for records");
        ok = ok && compressor_begin(compressor, &packed, error) &&
             compressor_feed(compressor, buffer_str(&body), &packed, error) && compressor_end(compressor, &packed, error) &&
             decompress(str_of(compression_name(compression)), buffer_str(&packed), 1 << 20, &unpacked, error);
    }
    if (ok) {
        int more;

        decoder = record_decoder_new(&schema, buffer_str(&unpacked));
        while ((more = record_decoder_next(decoder, &values, error)) > 0)
            count++;
        ok = more == 0;
    }
    fault_off();
    if (ok)
        SWEEP_CHECK(count == ROWS);
    record_decoder_free(decoder);
    compressor_free(compressor);
    buffer_release(&body);
    buffer_release(&crcs);
    buffer_release(&packed);
    buffer_release(&unpacked);
    mc_schema_release(&schema);
    return ok;
}

static bool records(struct error *error)
{
    return records_packed(COMPRESSION_DEFLATE, error);
}

static bool records_zstd(struct error *error)
{
    return records_packed(COMPRESSION_ZSTD, error);
}

static const struct sweep_case cases[] = {
    {.name = "json_plain", .run = json_plain, .flags = SWEEP_STOPS},
    {.name = "json_odd", .run = json_odd, .flags = SWEEP_STOPS},
    {.name = "json_expand", .run = json_expand, .flags = SWEEP_STOPS},
    {.name = "json_expand_odd", .run = json_expand_odd, .flags = SWEEP_STOPS},
    {.name = "kernels", .run = kernels, .flags = SWEEP_STOPS},
    {.name = "conversions", .run = conversions, .flags = SWEEP_STOPS},
    {.name = "rows", .run = rows, .flags = SWEEP_STOPS},
    {.name = "records", .run = records, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "records_zstd", .run = records_zstd, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
