/* texts.c: any text as each of the small texts that rows, jobs and services hold: decimals, dates and times, zones, types, UTF-8,
 * percent-encoding, compressed bodies, lines of dirty rows, SQL, and all conversions from text.
 * Input: a letter that picks the kind, and the text. What is read is printed, and reads as the same again; decimals are computed
 * a second time from their digits, UTF-8 is asked of GLib as well, and the client's SQL is read by the local endpoint's parser.
 */
#include "fuzz.h"

#include "batch/convert.h"
#include "batch/decimal.h"
#include "dirty/dirty.h"
#include "dirty/read.h"
#include "local/ddl_parse.h"
#include "maxcompute/compress.h"
#include "maxcompute/schema.h"
#include "maxcompute/sign.h"

#include <glib.h>
#include <yyjson.h>

/* --- decimals --- */

enum { DIGITS_MAX = 6000 };

/* The number's digits at 10^(scale), written out in full: '\0' when it is none, "scale" or "precision" when it does not fit. */
static const char *decimal_reference(struct str text, struct type type, char *digits_out)
{
    static char digits[2 * DIGITS_MAX];
    size_t count = 0, at = 0, point = 0, start = 0;
    bool has_point = false, any = false, negative = text.size && text.data[0] == '-';
    long exponent = 0;
    int64_t first, last;
    char *out = digits_out;

    if (text.size && (text.data[0] == '-' || text.data[0] == '+'))
        at++;
    for (; at < text.size && text.data[at] != 'e' && text.data[at] != 'E'; at++) {
        if (text.data[at] == '.' && !has_point && count) {
            has_point = true;
            point = count;
        } else if (text.data[at] >= '0' && text.data[at] <= '9') {
            digits[count++] = text.data[at];
        } else {
            return "syntax";
        }
    }
    if (!count || text.data[at - 1] == '.')
        return "syntax";
    if (!has_point)
        point = count;
    if (at < text.size) {
        bool minus = at + 1 < text.size && text.data[at + 1] == '-';

        at += 1 + (at + 1 < text.size && (minus || text.data[at + 1] == '+'));
        if (at == text.size)
            return "syntax";
        for (; at < text.size; at++) {
            if (text.data[at] < '0' || text.data[at] > '9')
                return "syntax";
            exponent = exponent > 1000000 ? exponent : exponent * 10 + (text.data[at] - '0');
        }
        exponent = minus ? -exponent : exponent;
    }
    while (start < count && digits[start] == '0')
        start++;
    any = start < count;
    while (count > start && digits[count - 1] == '0')
        count--;
    /* 10^first is above the number, 10^last divides it. */
    first = (int64_t)point - (int64_t)start + exponent;
    last = (int64_t)point - (int64_t)count + exponent;
    if (any && first > type.precision - type.scale)
        return "precision";
    if (any && last < -(int64_t)type.scale)
        return "scale";
    if (negative && any)
        *out++ = '-';
    for (int64_t power = int64_max(any ? first - 1 : 0, 0); power >= -(int64_t)type.scale; power--) {
        int64_t index = (int64_t)point + exponent - 1 - power;

        if (power == -1)
            *out++ = '.';
        *out++ = any && index >= (int64_t)start && index < (int64_t)count ? digits[index] : '0';
    }
    *out = '\0';
    return NULL;
}

static void check_decimal(struct str text)
{
    static const struct type types[] = {{TYPE_DECIMAL, 10, 2},  {TYPE_DECIMAL, 38, 18}, {TYPE_DECIMAL, 38, 0},
                                        {TYPE_DECIMAL, 38, 38}, {TYPE_DECIMAL, 1, 1},   {TYPE_DECIMAL, 18, 18},
                                        {TYPE_DECIMAL, 19, 1}};

    if (text.size > DIGITS_MAX)
        return;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        char expected[128], printed[DECIMAL_TEXT_MAX];
        int128 value, again;
        const char *fault = decimal_reference(text, types[i], expected);
        enum decimal_status status = decimal_parse(text, types[i], &value);
        size_t size;

        FUZZ_CLAIM((status == DECIMAL_OK) == !fault, "%.*s: %d, %s", STR_ARG(text), status, fault ? fault : expected);
        FUZZ_CLAIM((status == DECIMAL_SYNTAX) == (fault && *fault == 's' && fault[1] == 'y'), "%.*s: %s", STR_ARG(text), fault);
        if (status != DECIMAL_OK)
            continue;
        size = decimal_print(value, types[i].scale, printed);
        FUZZ_CLAIM(str_equal(str_make(printed, size), str_of(expected)), "%.*s is %s, not %.*s", STR_ARG(text), expected,
                   (int)size, printed);
        FUZZ_CLAIM(decimal_parse(str_make(printed, size), types[i], &again) == DECIMAL_OK && again == value, "%.*s", (int)size,
                   printed);
        FUZZ_CLAIM(decimal_fits(value, types[i].precision), "%s", expected);
        if (decimal_from_double(decimal_to_double(value, types[i].scale), types[i], &again) == DECIMAL_OK &&
            types[i].precision <= 10)
            FUZZ_CLAIM(again == value, "%s is lost on the way through a double", expected);
    }
}

/* --- times --- */

static void check_time(struct str text)
{
    char printed[TIME_TEXT_MAX];
    struct instant instant, again;
    bool has_offset;
    int32_t offset, days, days_again;

    if (time_parse_date(text, &days)) {
        FUZZ_CLAIM(days >= time_days_min && days <= time_days_max, "%.*s", STR_ARG(text));
        FUZZ_CLAIM(str_equal(str_make(printed, time_print_date(days, printed)), text), "%.*s", STR_ARG(text));
        FUZZ_CLAIM(time_parse_date(text, &days_again) && days_again == days, "%.*s", STR_ARG(text));
    }
    if (time_parse(text, &instant, &has_offset, &offset)) {
        FUZZ_CLAIM(instant.nanos >= 0 && instant.nanos < 1000000000, "%.*s", STR_ARG(text));
        FUZZ_CLAIM(instant.seconds >= time_seconds_min && instant.seconds <= time_seconds_max, "%.*s", STR_ARG(text));
        FUZZ_CLAIM(!has_offset || (offset > -86400 && offset < 86400), "%.*s", STR_ARG(text));
        FUZZ_CLAIM(time_parse(str_make(printed, time_print(instant, printed)), &again, &has_offset, &offset) && !has_offset &&
                       again.seconds == instant.seconds && again.nanos == instant.nanos,
                   "%.*s", STR_ARG(text));
    }
}

static void check_zone(struct str text)
{
    static const int64_t times[] = {
        INT64_C(-62135596800), INT64_C(-2208988800), 0, 1700000000, 1711846799, 1711846800, 1729990800, INT64_C(253402300799)};
    struct zone_cache cache = {0};
    struct zone *zone;
    struct error error;

    if (!zone_open(&zone, text, &error)) {
        FUZZ_CLAIM(str_is_utf8(str_of(error.text)) || !str_is_utf8(text), "%s", error.text);
        return;
    }
    FUZZ_CLAIM(str_is(text, zone_name(zone)), "%s", zone_name(zone));
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int32_t offset = zone_offset(zone, &cache, times[i]);
        int64_t local = times[i] + offset, back = zone_from_local(zone, &cache, local);

        FUZZ_CLAIM(offset > -90000 && offset < 90000, "%d", offset);
        /* A local time that occurs twice may be the other one. */
        FUZZ_CLAIM(zone_to_local(zone, &cache, back) == local, "%lld becomes %lld", (long long)times[i], (long long)back);
    }
    zone_free(zone);
}

/* --- conversions --- */

/* From text to the type and, as text, back to the type: the same value. */
static void check_convert(struct str text)
{
    static const struct type types[] = {{TYPE_BOOLEAN, 0, 0},       {TYPE_BIGINT, 0, 0},   {TYPE_DOUBLE, 0, 0},
                                        {TYPE_DECIMAL, 38, 18},     {TYPE_STRING, 0, 0},   {TYPE_BINARY, 0, 0},
                                        {TYPE_DATE, 0, 0},          {TYPE_DATETIME, 0, 0}, {TYPE_TIMESTAMP, 0, 0},
                                        {TYPE_TIMESTAMP_NTZ, 0, 0}, {TYPE_JSON, 0, 0}};
    static struct batch *batch;
    static struct zone *zone;
    struct convert convert = {.zone = NULL};
    struct error error;

    if (!batch)
        batch = batch_new(16 << 20);
    if (!zone && !zone_open(&zone, STR("Asia/Shanghai"), &error))
        abort();
    convert.zone = zone;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct column *first, *middle, *back, *second;
        char excerpt[128];

        batch_clear(batch);
        batch_add_message(batch, &(struct message){.value = text}, NULL);
        FUZZ_CLAIM(batch_begin(batch, 1u << BUILTIN_VALUE), "no room");
        batch->stage = "mapping";
        first = batch_column(batch, &batch->fields[0]);
        FUZZ_CLAIM(str_is_utf8(convert_excerpt(first, 0, excerpt)), "the excerpt is no UTF-8");
        if (!convert_possible(first->type, types[i], &error))
            continue;
        middle = convert_column(&convert, batch, first, types[i], STR("c"), false);
        FUZZ_CLAIM(middle, "no room");
        batch_sweep(batch);
        if (!batch->selected) {
            FUZZ_CLAIM(batch->dirty && batch->dirty->reason.size, "no reason");
            FUZZ_CLAIM(str_is_utf8(batch->dirty->reason), "%.*s", STR_ARG(batch->dirty->reason));
            continue;
        }
        if (!convert_possible(types[i], TYPE_OF(TYPE_STRING), &error))
            continue;
        back = convert_column(&convert, batch, middle, TYPE_OF(TYPE_STRING), STR("c"), false);
        batch_sweep(batch);
        if (!batch->selected) /* bytes that are no text */
            continue;
        second = convert_column(&convert, batch, back, types[i], STR("c"), false);
        batch_sweep(batch);
        FUZZ_CLAIM(batch->selected, "%zu: %.*s prints as %.*s: %.*s", i, STR_ARG(text), STR_ARG(back->text[0]),
                   STR_ARG(batch->dirty->reason));
        if (type_is_text(types[i].kind) || types[i].kind == TYPE_BINARY)
            FUZZ_CLAIM(str_equal(second->text[0], middle->text[0]), "%zu: %.*s", i, STR_ARG(text));
        else if (type_is_instant(types[i].kind))
            FUZZ_CLAIM(second->instant[0].nanos == middle->instant[0].nanos &&
                           llabs(second->instant[0].seconds - middle->instant[0].seconds) <= 3600,
                       "%zu: %.*s", i, STR_ARG(text));
        else
            FUZZ_CLAIM(memcmp(second->data, middle->data, type_size(types[i].kind)) == 0, "%zu: %.*s prints as %.*s", i,
                       STR_ARG(text), STR_ARG(back->text[0]));
    }
    batch_clear(batch);
}

/* --- encodings --- */

static void check_encodings(struct str text)
{
    struct buffer encoded, decoded;
    bool utf8 = g_utf8_validate_len(text.data, text.size, NULL) || (text.size && memchr(text.data, 0, text.size));

    /* GLib refuses zero bytes. */
    if (!text.size || !memchr(text.data, 0, text.size))
        FUZZ_CLAIM(str_is_utf8(text) == utf8, "%.*s", STR_ARG(text));
    buffer_init(&encoded, 0);
    buffer_init(&decoded, 0);
    sign_encode(&encoded, text);
    sign_decode(&decoded, buffer_str(&encoded));
    FUZZ_CLAIM(str_equal(buffer_str(&decoded), text), "%s", buffer_text(&encoded));
    buffer_clear(&decoded);
    sign_decode(&decoded, text);
    FUZZ_CLAIM(decoded.size <= text.size, "decoded text is longer");
    buffer_clear(&encoded);
    buffer_append_json(&encoded, text);
    {
        yyjson_doc *document = yyjson_read(encoded.data, encoded.size, 0);
        yyjson_val *root = yyjson_doc_get_root(document);

        FUZZ_CLAIM(root && yyjson_is_str(root), "%s", buffer_text(&encoded));
        FUZZ_CLAIM(!str_is_utf8(text) || str_equal(str_make(yyjson_get_str(root), yyjson_get_len(root)), text), "%s",
                   buffer_text(&encoded));
        yyjson_doc_free(document);
    }
    buffer_release(&encoded);
    buffer_release(&decoded);
}

/* A body is read as it is, and after it was compressed. */
static void check_compress_as(enum compression compression, struct str text)
{
    struct compressor *compressor = compressor_new(compression);
    struct str name = str_of(compression_name(compression));
    struct buffer packed, plain;
    struct error error;
    size_t half = text.size / 2;

    buffer_init(&packed, 0);
    buffer_init(&plain, 0);
    (void)!decompress(name, text, 1 << 20, &plain, &error);
    FUZZ_CLAIM(plain.size <= 1 << 20, "%zu bytes", plain.size);
    buffer_clear(&plain);
    FUZZ_CLAIM(compressor_begin(compressor, &packed, &error) &&
                   compressor_feed(compressor, str_make(text.data, half), &packed, &error) &&
                   compressor_feed(compressor, str_make(text.data + half, text.size - half), &packed, &error) &&
                   compressor_end(compressor, &packed, &error),
               "%s", error.text);
    FUZZ_CLAIM(decompress(name, buffer_str(&packed), 1 << 20, &plain, &error), "%s", error.text);
    FUZZ_CLAIM(str_equal(buffer_str(&plain), text), "other bytes");
    compressor_free(compressor);
    buffer_release(&packed);
    buffer_release(&plain);
}

static void check_compress(struct str text)
{
    check_compress_as(COMPRESSION_DEFLATE, text);
    check_compress_as(COMPRESSION_ZSTD, text);
}

static void check_type(struct str text)
{
    char name[TYPE_NAME_MAX];
    struct type type, again;
    struct error error;

    if (type_parse(text, &type, &error))
        FUZZ_CLAIM(type_parse(str_of(type_print(type, name)), &again, &error) && type_equal(type, again), "%s", name);
    else
        FUZZ_CLAIM(error.text[0], "no reason");
}

/* --- dirty rows --- */

static void claim_bytes(const char *what, struct str read, bool base64, struct str bytes)
{
    struct buffer encoded;

    buffer_init(&encoded, 0);
    buffer_append_base64(&encoded, bytes);
    FUZZ_CLAIM(base64 == !str_is_utf8(bytes), "%s", what);
    FUZZ_CLAIM(str_equal(read, base64 ? buffer_str(&encoded) : bytes), "%s comes back as %.*s", what, STR_ARG(read));
    buffer_release(&encoded);
}

/* Parts: key, value, column, reason. */
static void check_dirty(struct str text)
{
    static struct batch *batch;
    struct dirty_reasons *reasons = dirty_reasons_new();
    struct dirty_record record;
    struct str parts[4] = {STR(""), STR(""), STR(""), STR("")}, rest = text;
    struct buffer lines, printed;

    if (dirty_record_read(&record, text))
        dirty_record_release(&record);
    if (!batch)
        batch = batch_new(16 << 20);
    for (size_t i = 0; i < COUNT_OF(parts) && fuzz_part(&rest, &parts[i]); i++)
        ;
    batch_clear(batch);
    batch_add_message(batch, &(struct message){.key = parts[0], .value = parts[1], .offset = 7, .timestamp_ms = 1700000000000},
                      NULL);
    FUZZ_CLAIM(batch_begin(batch, 0), "no room");
    batch->stage = "parse";
    batch->partition = 3;
    batch_dirty(batch, 0, parts[2], parts[3]);
    batch_sweep(batch);
    buffer_init(&lines, 0);
    buffer_init(&printed, 0);
    dirty_format(batch, &(struct dirty_origin){"j", "t", NULL}, 1700000000001, &lines);
    FUZZ_CLAIM(memchr(lines.data, '\n', lines.size) == lines.data + lines.size - 1, "more than a line");
    FUZZ_CLAIM(str_is_utf8(buffer_str(&lines)), "no UTF-8");
    FUZZ_CLAIM(dirty_record_read(&record, buffer_str(&lines)), "%s", buffer_text(&lines));
    claim_bytes("the key", record.key, record.key_base64, parts[0]);
    claim_bytes("the value", record.value, record.value_base64, parts[1]);
    FUZZ_CLAIM(record.partition == 3 && record.offset == 7 && str_is(record.stage, "parse") && record.reason.data, "%s",
               buffer_text(&lines));
    dirty_record_release(&record);
    dirty_reasons_add(reasons, batch);
    dirty_reasons_print(reasons, 3, &printed);
    dirty_reasons_free(reasons);
    batch_clear(batch);
    buffer_release(&lines);
    buffer_release(&printed);
}

/* --- SQL --- */

static char *text_of(struct str text)
{
    return xstrndup(text.data, strnlen(text.data, text.size));
}

/* Parts: the comment of a column, that of the table, the value of a partition. No text ends its quotes. */
static void check_sql(struct str text)
{
    struct str parts[3] = {STR(""), STR(""), STR("")}, rest = text;
    struct mc_column column = {.name = (char[]){"a"}, .type = {.kind = MC_BIGINT}};
    struct mc_schema schema = {.columns = &column, .column_count = 1};
    struct ddl_statement statement;
    struct buffer sql;
    struct error error;
    size_t position = 0;
    char *value;

    buffer_init(&sql, 0);
    for (size_t i = 0; i < COUNT_OF(parts) && fuzz_part(&rest, &parts[i]); i++)
        ;
    if (ddl_parse(&statement, text, &position, &error))
        ddl_statement_release(&statement);
    FUZZ_CLAIM(position <= text.size, "behind the end");
    column.comment = text_of(parts[0]);
    mc_ddl_create_table(&sql, STR("p"), STR("s"), STR("t"), &schema, parts[1], 7);
    buffer_append_char(&sql, ';');
    position = 0;
    FUZZ_CLAIM(ddl_parse(&statement, buffer_str(&sql), &position, &error), "%s: %s", error.text, buffer_text(&sql));
    FUZZ_CLAIM(position == sql.size && statement.kind == DDL_CREATE_TABLE && statement.columns.count == 1, "%s",
               buffer_text(&sql));
    FUZZ_CLAIM(str_is(str_of(statement.columns.items[0].comment ? statement.columns.items[0].comment : ""), column.comment), "%s",
               buffer_text(&sql));
    FUZZ_CLAIM(memchr(parts[1].data, 0, parts[1].size) || str_is(parts[1], statement.comment ? statement.comment : ""), "%s",
               buffer_text(&sql));
    ddl_statement_release(&statement);
    free(column.comment);

    /* The spec of a partition has its values without quotes. */
    value = text_of(parts[2]);
    if (value[0] && !strpbrk(value, ",='\"/ ")) {
        char *spec = xasprintf("dt=%s", value);

        buffer_clear(&sql);
        mc_ddl_add_partitions(&sql, STR("p"), STR(""), STR("t"));
        mc_ddl_partition(&sql, str_of(spec));
        mc_ddl_partition(&sql, STR("dt=other"));
        buffer_append_char(&sql, ';');
        position = 0;
        FUZZ_CLAIM(ddl_parse(&statement, buffer_str(&sql), &position, &error), "%s: %s", error.text, buffer_text(&sql));
        FUZZ_CLAIM(position == sql.size && statement.kind == DDL_ADD_PARTITION && statement.spec_count == 2, "%s",
                   buffer_text(&sql));
        FUZZ_CLAIM(strcmp(statement.specs[0], spec) == 0, "%s, not %s", statement.specs[0], spec);
        ddl_statement_release(&statement);
        free(spec);
    }
    free(value);
    buffer_release(&sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text;

    if (!size)
        return 0;
    text = fuzz_copy(str_make((const char *)data + 1, size - 1));
    switch (data[0]) {
    case 'd':
        check_decimal(text);
        break;
    case 't':
        check_time(text);
        break;
    case 'z':
        check_zone(text);
        break;
    case 'c':
        check_convert(text);
        break;
    case 'e':
        check_encodings(text);
        break;
    case 'k':
        check_compress(text);
        break;
    case 'y':
        check_type(text);
        break;
    case 'r':
        check_dirty(text);
        break;
    case 'q':
        check_sql(text);
        break;
    default:
        check_decimal(text);
        check_time(text);
        check_convert(text);
        check_encodings(text);
        break;
    }
    free((char *)(uintptr_t)text.data);
    return 0;
}
