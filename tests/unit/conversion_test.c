/* conversion_test.c: config/conversion.md is the test's table: every row of it goes through the mapping, the encoder and the decoder,
 * and what comes out is what the page says. A pair of types that the page does not have fails the test, and so does one whose NULL is
 * not NULL. How a page is written:
 *   ## `TYPE`                        what follows is about a column of that type; " with empty_as_null: true" and
 *                                    " without time_zone" may stand behind it
 *   | from | value | becomes |       `from` is one type of the pipeline, or several, parted by ", "
 * A value is a row of `pieces`, each perhaps repeated by "× N", or the word empty; \xNN in a piece is a byte. `becomes` is a value,
 * NULL, "dirty: " and a part of the reason, or "refused by check". In front of all stands an overview, "yes" or "-" for each pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch/decimal.h"
#include "batch/time.h"
#include "route/route.h"

#define PAGE TEST_SOURCE_DIR "/config/conversion.md"

static const struct {
    enum mc_kind kind;
    const char *name;
} targets[] = {
    {MC_TINYINT, "TINYINT"}, {MC_SMALLINT, "SMALLINT"},   {MC_INT, "INT"},         {MC_BIGINT, "BIGINT"},
    {MC_FLOAT, "FLOAT"},     {MC_DOUBLE, "DOUBLE"},       {MC_DECIMAL, "DECIMAL"}, {MC_STRING, "STRING"},
    {MC_VARCHAR, "VARCHAR"}, {MC_CHAR, "CHAR"},           {MC_BINARY, "BINARY"},   {MC_BOOLEAN, "BOOLEAN"},
    {MC_DATE, "DATE"},       {MC_DATETIME, "DATETIME"},   {MC_TIMESTAMP, "TIMESTAMP"}, {MC_TIMESTAMP_NTZ, "TIMESTAMP_NTZ"},
    {MC_JSON, "JSON"},       {MC_ARRAY, "ARRAY"},         {MC_MAP, "MAP"},         {MC_STRUCT, "STRUCT"},
};

struct section {
    char type_text[256];
    struct mc_type type;
    bool empty_as_null, no_zone;
};

/* --- the page's notation --- */

static struct str unescape(struct str piece, struct buffer *bytes)
{
    size_t start = bytes->size;

    for (size_t i = 0; i < piece.size; i++) {
        if (i + 3 < piece.size && piece.data[i] == '\\' && piece.data[i + 1] == 'x') {
            char digits[3] = {piece.data[i + 2], piece.data[i + 3], '\0'};

            buffer_append_char(bytes, (char)strtoul(digits, NULL, 16));
            i += 3;
        } else {
            buffer_append_char(bytes, piece.data[i]);
        }
    }
    return str_make(bytes->data + start, bytes->size - start);
}

/* The pieces of a cell joined; false when it is none of a value's forms. */
static bool read_value(struct str cell, struct buffer *bytes)
{
    const struct str times = STR("\xc3\x97 ");

    if (str_is(cell, "empty"))
        return true;
    if (!cell.size)
        return false;
    while (cell.size) {
        struct str piece, rest;
        struct buffer once;
        long count = 1;

        if (cell.data[0] != '`')
            return false;
        cell = str_make(cell.data + 1, cell.size - 1);
        if (!str_cut(cell, '`', &piece, &rest))
            return false;
        cell = str_trim(rest);
        if (str_starts_with(cell, times)) {
            char *end;

            count = strtol(cell.data + times.size, &end, 10);
            cell = str_trim(str_make(end, (size_t)(cell.data + cell.size - end)));
        }
        buffer_init(&once, 0);
        piece = unescape(piece, &once);
        while (count--)
            buffer_append_str(bytes, piece);
        buffer_release(&once);
    }
    return true;
}

/* One value of the pipeline from its text on the page. */
static bool read_cell(struct column *column, struct str text)
{
    char copy[64];
    char *end;
    bool has_offset;
    int32_t offset;

    snprintf(copy, sizeof(copy), "%.*s", (int)size_min(text.size, sizeof(copy) - 1), text.data ? text.data : "");
    switch (column->type.kind) {
    case TYPE_BOOLEAN: column->boolean[0] = str_is(text, "true"); return column->boolean[0] || str_is(text, "false");
    case TYPE_BIGINT: column->bigint[0] = strtoll(copy, &end, 10); return text.size && !*end;
    case TYPE_DOUBLE: column->real[0] = strtod(copy, &end); return text.size && !*end;
    case TYPE_DECIMAL: return decimal_parse(text, column->type, &column->decimal[0]) == DECIMAL_OK;
    case TYPE_DATE: return time_parse_date(text, &column->date[0]);
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        return time_parse(text, &column->instant[0], &has_offset, &offset) && offset == 0 &&
               has_offset == (column->type.kind != TYPE_TIMESTAMP_NTZ);
    default: column->text[0] = text.data ? text : STR(""); return true;
    }
}

static void print_double(double value, int digits_min, int digits_max, struct buffer *text)
{
    char number[32];

    if (isnan(value) || isinf(value)) {
        buffer_print(text, "%s", isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
        return;
    }
    for (int digits = digits_min; digits <= digits_max; digits++) {
        snprintf(number, sizeof(number), "%.*g", digits, value);
        if (digits_max == 9 ? strtof(number, NULL) == (float)value : strtod(number, NULL) == value)
            break;
    }
    buffer_print(text, "%s", number);
}

/* As it is read back. Inside of arrays, maps and structs it looks like JSON. */
static void print_value(const struct mc_type *type, const struct record_value *value, bool inside, struct buffer *text)
{
    char time[TIME_TEXT_MAX];
    size_t size = 0, keys = value->count / 2;
    struct instant instant = {value->integer, value->nanos};

    if (value->null) {
        buffer_append_str(text, inside ? STR("null") : STR("NULL"));
        return;
    }
    switch (type->kind) {
    case MC_BOOLEAN: buffer_append_str(text, value->integer ? STR("true") : STR("false")); return;
    case MC_FLOAT: print_double(value->real, 6, 9, text); return;
    case MC_DOUBLE: print_double(value->real, 15, 17, text); return;
    case MC_DATE: size = time_print_date((int32_t)value->integer, time); break;
    case MC_DATETIME:
        instant.seconds = (value->integer - (value->integer % 1000 + 1000) % 1000) / 1000;
        instant.nanos = (int32_t)((value->integer % 1000 + 1000) % 1000) * 1000000;
        size = time_print(instant, time);
        time[size++] = 'Z';
        break;
    case MC_TIMESTAMP:
        size = time_print(instant, time);
        time[size++] = 'Z';
        break;
    case MC_TIMESTAMP_NTZ: size = time_print(instant, time); break;
    case MC_BINARY:
        if (inside)
            buffer_append_char(text, '"');
        if (inside)
            buffer_append_base64(text, value->bytes);
        else
            buffer_append_str(text, value->bytes);
        if (inside)
            buffer_append_char(text, '"');
        return;
    case MC_STRING:
    case MC_VARCHAR:
    case MC_CHAR:
        if (inside)
            buffer_append_json(text, value->bytes);
        else
            buffer_append_str(text, value->bytes);
        return;
    case MC_DECIMAL:
    case MC_JSON: buffer_append_str(text, value->bytes); return;
    case MC_ARRAY:
        for (size_t i = 0; i < value->count; i++) {
            buffer_append_char(text, i ? ',' : '[');
            print_value(type->children, &value->items[i], true, text);
        }
        buffer_append_str(text, value->count ? STR("]") : STR("[]"));
        return;
    case MC_MAP:
        for (size_t i = 0; i < keys; i++) {
            buffer_append_char(text, i ? ',' : '{');
            print_value(&type->children[0], &value->items[i], true, text);
            buffer_append_char(text, ':');
            print_value(&type->children[1], &value->items[keys + i], true, text);
        }
        buffer_append_str(text, keys ? STR("}") : STR("{}"));
        return;
    case MC_STRUCT:
        for (size_t i = 0; i < value->count; i++) {
            buffer_append_char(text, i ? ',' : '{');
            buffer_append_json(text, str_of(type->child_names[i]));
            buffer_append_char(text, ':');
            print_value(&type->children[i], &value->items[i], true, text);
        }
        buffer_append_char(text, '}');
        return;
    default: buffer_print(text, "%" PRId64, value->integer); return;
    }
    if (inside)
        buffer_append_json(text, str_make(time, size));
    else
        buffer_append(text, time, size);
}

/* --- one conversion --- */

enum outcome { VALUE, DIRTY, REFUSED };

/* The value of type `from` (NULL without one) into the section's column; what comes out is left in text. */
static enum outcome run(const struct section *section, struct type from, const struct str *value, struct buffer *text)
{
    struct mc_column column = {.name = (char *)(uintptr_t)"c", .type = section->type};
    struct mc_schema schema = {.columns = &column, .column_count = 1};
    struct job job = {.time_zone = section->no_zone ? NULL : (char *)(uintptr_t)"Asia/Shanghai"};
    struct batch *batch = batch_new((size_t)1 << 28);
    struct report *report = report_new();
    struct column *cell;
    struct route *route = NULL;
    struct routed routed;
    struct buffer records, crcs;
    struct record_decoder *decoder;
    const struct record_value *decoded;
    struct error error;
    enum outcome outcome = VALUE;

    job.target.table = (char *)(uintptr_t)"t";
    job.target.empty_as_null = section->empty_as_null;
    batch_add_message(batch, &(struct message){.value = STR("v")}, NULL);
    assert_true(batch_begin(batch, 0));
    cell = column_try_new(&batch->arena, from, 1, value == NULL);
    assert_non_null(cell);
    if (!value) {
        cell->null[0] = 1;
        memset(cell->data, 0, type_size(from.kind));
    } else if (!read_cell(cell, *value)) {
        fail_msg("%s: \"%.60s\" is no value of the type that it comes from", section->type_text, value->data);
    }
    assert_true(batch_set(batch, STR("c"), cell));
    if (!route_check(&job, &schema, batch, report)) {
        outcome = REFUSED;
        report_print(report, text);
        goto out;
    }
    if (!route_open(&route, &job, &schema, NULL, NULL, &error) || !route_batch(route, batch, &routed, &error))
        fail_msg("%s: %s", section->type_text, error.text);
    if (batch->dirty) {
        outcome = DIRTY;
        assert_int_equal(batch->selected, 0);
        assert_true(str_is(batch->dirty->column, "c"));
        assert_string_equal(batch->dirty->stage, "mapping");
        assert_true(str_is_utf8(batch->dirty->reason));
        buffer_append_str(text, batch->dirty->reason);
        goto out;
    }
    buffer_init(&records, 0);
    buffer_init(&crcs, 0);
    record_encode(routed.columns, routed.column_count, batch->selection, batch->selected, &records, &crcs);
    record_trailer(&records, 1, buffer_str(&crcs));
    decoder = record_decoder_new(&schema, buffer_str(&records));
    if (record_decoder_next(decoder, &decoded, &error) != 1)
        fail_msg("%s: %s", section->type_text, error.text);
    print_value(&section->type, decoded, false, text);
    assert_int_equal(record_decoder_next(decoder, &decoded, &error), 0);
    record_decoder_free(decoder);
    buffer_release(&records);
    buffer_release(&crcs);
out:
    route_free(route);
    batch_free(batch);
    report_free(report);
    return outcome;
}

static unsigned failures;

static void PRINTF_LIKE(2, 3) wrong(unsigned line, const char *format, ...)
{
    char text[1000];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_error("config/conversion.md:%u: %s\n", line, text);
    failures++;
}

static void run_row(const struct section *section, unsigned line, struct type from, struct str input, struct str becomes)
{
    static const char *const outcomes[] = {"a value", "dirty", "refused by check"};
    struct buffer value, wanted, text;
    struct str given;
    enum outcome outcome;

    buffer_init(&value, 0);
    buffer_init(&wanted, 0);
    buffer_init(&text, 0);
    if (str_is(becomes, "refused by check")) {
        outcome = run(section, from, NULL, &text);
        if (outcome != REFUSED)
            wrong(line, "is not refused by check, it is %s: %s", outcomes[outcome], buffer_text(&text));
        goto out;
    }
    if (!read_value(input, &value))
        fail_msg("config/conversion.md:%u: \"%.*s\" is no value", line, STR_ARG(input));
    given = buffer_str(&value);
    outcome = run(section, from, &given, &text);
    if (str_starts_with(becomes, STR("dirty: "))) {
        struct str reason = str_make(becomes.data + 7, becomes.size - 7);

        if (outcome != DIRTY || !memmem(text.data, text.size, reason.data, reason.size))
            wrong(line, "is %s: %.300s", outcomes[outcome], buffer_text(&text));
        goto out;
    }
    if (str_is(becomes, "NULL"))
        buffer_append_str(&wanted, becomes);
    else if (!read_value(becomes, &wanted))
        fail_msg("config/conversion.md:%u: \"%.*s\" is no result", line, STR_ARG(becomes));
    if (outcome != VALUE || !str_equal(buffer_str(&text), buffer_str(&wanted)))
        wrong(line, "is %s: %.300s", outcomes[outcome], buffer_text(&text));
out:
    buffer_release(&value);
    buffer_release(&wanted);
    buffer_release(&text);
}

/* --- the page --- */

static void read_section(struct section *section, struct str heading, unsigned line)
{
    static const char empty[] = " with empty_as_null: true", zone[] = " without time_zone";
    struct str type, settings;
    struct error error;

    mc_type_release(&section->type);
    assert_true(str_starts_with(heading, STR("`")));
    assert_true(str_cut(str_make(heading.data + 1, heading.size - 1), '`', &type, &settings));
    snprintf(section->type_text, sizeof(section->type_text), "%.*s", STR_ARG(type));
    section->empty_as_null = str_is(settings, empty);
    section->no_zone = str_is(settings, zone);
    assert_true(!settings.size || section->empty_as_null || section->no_zone);
    if (!mc_type_parse(&section->type, str_of(section->type_text), &error))
        fail_msg("config/conversion.md:%u: %s", line, error.text);
}

/* A line of the overview: a type of column, then a word for each type of the pipeline, in the order of type.h. Returns the place in
 * targets, or -1 for a line that is something else. */
static int read_overview(struct str line, bool yes[TYPE_KINDS])
{
    struct str cells[TYPE_KINDS], rest = str_make(line.data + 1, line.size - 1);
    char name[TYPE_NAME_MAX];

    for (int i = 0; i < TYPE_KINDS; i++) {
        if (!str_cut(rest, '|', &cells[i], &rest))
            return -1;
        cells[i] = str_trim(cells[i]);
        yes[i] = str_is(cells[i], "yes");
    }
    for (int i = TYPE_NULL + 1; i < TYPE_KINDS && str_is(cells[0], "into"); i++)
        assert_true(i == TYPE_DECIMAL || str_is(cells[i], type_print(TYPE_OF((enum type_kind)i), name)));
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        if (str_is(cells[0], targets[i].name))
            return (int)i;
    return -1;
}

static bool read_cells(struct str line, struct str cells[3])
{
    struct str rest;

    if (!str_starts_with(line, STR("|")))
        return false;
    rest = str_make(line.data + 1, line.size - 1);
    for (int i = 0; i < 3; i++) {
        assert_true(str_cut(rest, '|', &cells[i], &rest));
        cells[i] = str_trim(cells[i]);
    }
    assert_int_equal(rest.size, 0);
    return !str_is(cells[0], "from") && !str_starts_with(cells[0], STR("-"));
}

static struct str read_page(void)
{
    FILE *file = fopen(PAGE, "r");
    struct str page;
    char *text;

    assert_non_null(file);
    text = xmalloc(1 << 20);
    page = str_make(text, fread(text, 1, 1 << 20, file));
    fclose(file);
    assert_in_range(page.size, 1000, (1 << 20) - 1);
    return page;
}

/* "decimal(10,2), string": the comma inside of the brackets has no blank behind it. */
static bool next_type(struct str *list, struct type *type_out, unsigned line)
{
    struct str name = *list;
    struct error error;

    if (!name.size)
        return false;
    *list = STR_NONE;
    for (size_t i = 0; i + 1 < name.size; i++) {
        if (name.data[i] == ',' && name.data[i + 1] == ' ') {
            *list = str_make(name.data + i + 2, name.size - i - 2);
            name.size = i;
            break;
        }
    }
    if (!type_parse(name, type_out, &error))
        fail_msg("config/conversion.md:%u: %s", line, error.text);
    return true;
}

static void every_row_of_the_page_is_true(void **state)
{
    bool seen[TYPE_KINDS][MC_STRUCT + 1] = {{false}}, offered[TYPE_KINDS][MC_STRUCT + 1] = {{false}};
    bool overview[COUNT_OF(targets)][TYPE_KINDS] = {{false}}, yes[TYPE_KINDS];
    struct section section = {.type_text = ""};
    struct str page = read_page(), rest = page, line;
    unsigned number = 0, rows = 0, overview_rows = 0;
    char name[TYPE_NAME_MAX];

    (void)state;
    while (str_cut(rest, '\n', &line, &rest)) {
        struct str cells[3], list;
        struct type from;
        int target;

        number++;
        if (str_starts_with(line, STR("## ")))
            read_section(&section, str_make(line.data + 3, line.size - 3), number);
        if (!section.type_text[0]) {
            target = str_starts_with(line, STR("|")) ? read_overview(line, yes) : -1;
            if (target >= 0)
                memcpy(overview[target], yes, sizeof(yes));
            overview_rows += target >= 0;
            continue;
        }
        if (!read_cells(line, cells))
            continue;
        for (list = cells[0]; next_type(&list, &from, number); rows++) {
            struct buffer text;

            run_row(&section, number, from, cells[1], cells[2]);
            seen[from.kind][section.type.kind] = true;
            if (str_is(cells[2], "refused by check"))
                continue;
            offered[from.kind][section.type.kind] = true;
            buffer_init(&text, 0);
            if (run(&section, from, NULL, &text) != VALUE || !str_is(buffer_str(&text), "NULL"))
                wrong(number, "NULL does not stay NULL: %s", buffer_text(&text));
            buffer_release(&text);
        }
    }
    assert_int_equal(overview_rows, COUNT_OF(targets));
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        for (int kind = TYPE_NULL + 1; kind < TYPE_KINDS; kind++) {
            if (!seen[kind][targets[i].kind])
                wrong(number, "no row for %s into %s", type_print(TYPE_OF((enum type_kind)kind), name), targets[i].name);
            if (overview[i][kind] != offered[kind][targets[i].kind])
                wrong(number, "the overview is wrong about %s into %s", type_print(TYPE_OF((enum type_kind)kind), name),
                      targets[i].name);
        }
    }
    print_message("%u rows\n", rows);
    mc_type_release(&section.type);
    free((char *)(uintptr_t)page.data);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_of_the_page_is_true)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
