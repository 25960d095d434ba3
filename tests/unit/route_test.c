/* route_test.c: mapping, partition values, groups and checks, over jobs and schemas made by hand.
 * Lua functions are stood in for by the weak functions below, so that the test needs no script state. */
#include "route/partition.h"
#include "route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { COLUMNS_MAX = 24, ROWS_MAX = 8 };

/* --- a stand-in for Lua --- */

static struct column *lua_columns[2];
static size_t lua_count;

bool __attribute__((weak)) script_module_open(struct script_state *state, const struct script_source *source,
                                              struct script_module **module_out, struct error *error)
{
    (void)state, (void)source, (void)error;
    *module_out = (struct script_module *)(void *)lua_columns;
    return true;
}

bool __attribute__((weak)) script_module_has(const struct script_module *module, const char *function)
{
    (void)module;
    return strcmp(function, "partition") == 0;
}

bool __attribute__((weak)) script_partition(struct script_module *module, struct batch *batch, struct column **columns_out,
                                            size_t max,
                                            size_t *count_out, struct error *error)
{
    (void)module, (void)batch, (void)error;
    for (size_t i = 0; i < lua_count && i < max; i++)
        columns_out[i] = lua_columns[i];
    *count_out = lua_count;
    return true;
}

bool __attribute__((weak)) script_module_keeps_state(const struct script_module *module)
{
    return module != NULL;
}

struct str __attribute__((weak)) script_saved_find(struct str saved, const char *name)
{
    (void)name;
    return saved;
}

bool __attribute__((weak)) script_module_save_as(struct script_module *module, const char *name, struct buffer *saved,
                                                 struct error *error)
{
    (void)module, (void)error;
    buffer_print(saved, "[%s]", name);
    return true;
}

/* --- one job, table and batch --- */

struct setup {
    struct job job;
    struct mc_schema schema;
    struct mc_column columns[COLUMNS_MAX];
    struct mc_column partitions[4];
    struct job_mapping mapping[4];
    struct job_partition rules[4];
    struct job_column listed[4];
    struct batch *batch;
    struct report *report;
    struct error error;
    struct route *route;
    struct routed routed;
};

static struct setup *setup_new(uint32_t rows)
{
    struct setup *setup = xcalloc(1, sizeof(*setup));

    setup->job.target.table = (char *)"orders";
    setup->job.target.mapping = setup->mapping;
    setup->job.target.partitions = setup->rules;
    setup->job.target.columns = setup->listed;
    setup->schema.columns = setup->columns;
    setup->schema.partitions = setup->partitions;
    setup->report = report_new();
    setup->batch = batch_new(1 << 22);
    setup->batch->partition = 3;
    for (uint32_t i = 0; i < rows; i++)
        batch_add_message(setup->batch, &(struct message){.offset = i, .timestamp_ms = INT64_C(1700000000000) + i}, NULL);
    assert_true(batch_begin(setup->batch, 1u << BUILTIN_VALUE));
    return setup;
}

static void setup_free(struct setup *setup)
{
    for (size_t i = 0; i < setup->schema.column_count; i++)
        mc_type_release(&setup->columns[i].type);
    route_free(setup->route);
    batch_free(setup->batch);
    report_free(setup->report);
    free(setup);
}

static struct mc_column *add_column(struct setup *setup, const char *name, const char *type)
{
    struct mc_column *column = &setup->columns[setup->schema.column_count++];

    assert_true(setup->schema.column_count <= COLUMNS_MAX);
    column->name = (char *)name;
    assert_true(mc_type_parse(&column->type, str_of(type), &setup->error));
    return column;
}

static void add_mapping(struct setup *setup, const char *column, const char *field)
{
    setup->mapping[setup->job.target.mapping_count++] = (struct job_mapping){.column = (char *)column, .field = (char *)field};
}

static struct job_partition *add_partition(struct setup *setup, const char *name, enum partition_kind kind, const char *from,
                                           const char *format)
{
    struct job_partition *rule = &setup->rules[setup->job.target.partition_count++];

    setup->partitions[setup->schema.partition_count++] = (struct mc_column){.name = (char *)name, .type = {.kind = MC_STRING}};
    *rule = (struct job_partition){.name = (char *)name, .kind = kind, .from = (char *)from, .format = (char *)format};
    if (kind == PARTITION_TIME)
        rule->zone = (char *)"Asia/Shanghai";
    return rule;
}

/* A field of which row i has texts[i]; NULL is NULL. */
static void add_texts(struct setup *setup, const char *name, const char *const *texts)
{
    struct column *column = column_try_new(&setup->batch->arena, TYPE_OF(TYPE_STRING), setup->batch->row_count, true);

    for (uint32_t i = 0; i < setup->batch->row_count; i++) {
        column->text[i] = str_of(texts[i]);
        column->null[i] = !texts[i];
    }
    assert_true(batch_set(setup->batch, str_of(name), column));
}

static void add_numbers(struct setup *setup, const char *name, const int64_t *numbers)
{
    struct column *column = column_try_new(&setup->batch->arena, TYPE_OF(TYPE_BIGINT), setup->batch->row_count, false);

    if (setup->batch->row_count)
        memcpy(column->bigint, numbers, setup->batch->row_count * sizeof(*numbers));
    assert_true(batch_set(setup->batch, str_of(name), column));
}

static void run(struct setup *setup)
{
    if (!setup->route && !route_open(&setup->route, &setup->job, &setup->schema, (struct script_state *)(void *)setup, NULL,
                                     &setup->error))
        fail_msg("open: %s", setup->error.text);
    if (!route_batch(setup->route, setup->batch, &setup->routed, &setup->error))
        fail_msg("batch: %s", setup->error.text);
}

static const char *last_reason(const struct setup *setup)
{
    static char text[600];
    const struct dirty_row *dirty = setup->batch->dirty;

    if (!dirty)
        return "";
    while (dirty->next)
        dirty = dirty->next;
    snprintf(text, sizeof(text), "%s: %.*s: %.*s", dirty->stage, STR_ARG(dirty->column), STR_ARG(dirty->reason));
    return text;
}

/* --- values --- */

static void test_wire_values(void **state)
{
    static const struct {
        const char *type;
        const char *value; /* a string field's */
        const char *wire;  /* NULL: dirty, with */
        const char *reason;
    } cases[] = {
        {"tinyint", "-128", "-128", NULL},
        {"tinyint", "128", NULL, "mapping: c: 128 is out of the range of TINYINT"},
        {"smallint", "32767", "32767", NULL},
        {"smallint", "-32769", NULL, "out of the range of SMALLINT"},
        {"int", "2147483647", "2147483647", NULL},
        {"int", "2147483648", NULL, "out of the range of INT"},
        {"bigint", "-9223372036854775807", "-9223372036854775807", NULL},
        {"bigint", "-9223372036854775808", NULL, "out of the range of BIGINT"},
        {"bigint", "x", NULL, "\"x\" is not a bigint"},
        {"float", "0.1", "0.1", NULL},
        {"float", "3.4028235e38", "3.40282347e+38", NULL},
        {"float", "3.5e38", NULL, "out of the range of FLOAT"},
        {"float", "1e-60", NULL, "out of the range of FLOAT"},
        {"float", "Infinity", "inf", NULL},
        {"double", "0.1", "0.1", NULL},
        {"decimal(10,2)", "-0.5", "-0.50", NULL},
        {"decimal(38,18)", "12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678", NULL},
        {"decimal(10,2)", "0.555", NULL, "more digits after the point"},
        {"string", "\xe5\x8c\xba", "\xe5\x8c\xba", NULL},
        {"string", "", "", NULL},
        {"string", "\xe5\x8c", NULL, "mapping: c: \"\\xe5\\x8c\" is not valid UTF-8"},
        {"binary", "\xe5\x8c", "\xe5\x8c", NULL},
        {"varchar(2)", "\xe5\x8c\xba\xe5\x8c\xba", "\xe5\x8c\xba\xe5\x8c\xba", NULL},
        {"varchar(2)", "abc", NULL, "more characters"},
        {"char(3)", "abc", "abc", NULL},
        {"boolean", "True", "1", NULL},
        {"date", "1969-12-31", "-1", NULL},
        {"datetime", "1969-12-31 23:59:59.999Z", "-1", NULL},
        {"datetime", "2024-01-01 08:00:00", "1704067200000", NULL},
        {"timestamp", "1969-12-31 23:59:59.5Z", "-1 500000000", NULL},
        {"timestamp_ntz", "1970-01-02 00:00:00", "86400 0", NULL},
        {"json", "{\"a\":1}", "{\"a\":1}", NULL},
        {"json", "{", NULL, "is not valid JSON"},
        {"bigint", NULL, "NULL", NULL},
        {"decimal(10,2)", NULL, "NULL", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct setup *setup = setup_new(1);
        const struct wire_column *column;
        char text[128] = "NULL";

        setup->job.time_zone = (char *)"Asia/Shanghai";
        add_column(setup, "c", cases[i].type);
        add_texts(setup, "c", &cases[i].value);
        run(setup);
        if (!cases[i].wire) {
            if (!strstr(last_reason(setup), cases[i].reason))
                fail_msg("%s from %s: \"%s\"", cases[i].type, cases[i].value, last_reason(setup));
            assert_int_equal(setup->batch->selected, 0);
            assert_int_equal(setup->routed.group_count, 0);
            setup_free(setup);
            continue;
        }
        if (setup->batch->dirty)
            fail_msg("%s from %s: %s", cases[i].type, cases[i].value, last_reason(setup));
        assert_int_equal(setup->routed.column_count, 1);
        column = &setup->routed.columns[0];
        assert_int_equal(column->number, 1);
        if (!(column->null && column->null[0])) {
            switch (column->kind) {
            case WIRE_INTEGER: snprintf(text, sizeof(text), "%lld", (long long)*(const int64_t *)column->data); break;
            case WIRE_DATE: snprintf(text, sizeof(text), "%d", *(const int32_t *)column->data); break;
            case WIRE_BOOLEAN: snprintf(text, sizeof(text), "%d", *(const uint8_t *)column->data); break;
            case WIRE_DOUBLE: snprintf(text, sizeof(text), "%.15g", *(const double *)column->data); break;
            case WIRE_FLOAT: snprintf(text, sizeof(text), "%.9g", (double)*(const float *)column->data); break;
            case WIRE_BYTES: snprintf(text, sizeof(text), "%.*s", STR_ARG(*(const struct str *)column->data)); break;
            case WIRE_INSTANT: {
                const struct instant *instant = column->data;

                snprintf(text, sizeof(text), "%lld %d", (long long)instant->seconds, instant->nanos);
                break;
            }
            case WIRE_NESTED: break; /* conversion_test.c */
            }
        }
        if (column->kind == WIRE_FLOAT && *cases[i].value == '0')
            assert_true(*(const float *)column->data == 0.1f);
        else
            assert_string_equal(text, cases[i].wire);
        assert_int_equal(setup->routed.group_count, 1);
        assert_int_equal(setup->routed.groups[0].spec.size, 0);
        setup_free(setup);
    }
}

static void test_large_text(void **state)
{
    struct setup *setup = setup_new(2);
    size_t size = 8 * 1024 * 1024;
    char *large = xmalloc(size + 1);
    struct column *column = column_try_new(&setup->batch->arena, TYPE_OF(TYPE_STRING), 2, false);

    (void)state;
    memset(large, 'a', size + 1);
    column->text[0] = str_make(large, size);
    column->text[1] = str_make(large, size + 1);
    add_column(setup, "c", "string");
    assert_true(batch_set(setup->batch, STR("c"), column));
    run(setup);
    assert_int_equal(setup->batch->selected, 1);
    assert_non_null(strstr(last_reason(setup), "8 MiB"));
    setup_free(setup);
    free(large);
}

/* Rows after rows, and two columns from one field: what one conversion did is not seen by the next one. */
static void test_nested(void **state)
{
    static const char *const texts[] = {"[\"a text of some length\"]", "[\"1\"]", "null", "[7]", NULL, "{\"a\":[1]}", "[]"};
    static const char *const reasons[] = {
        "\"[\"a text of some length\"]\" holds a value that is not a JSON value of the matching kind, for type BIGINT: "
        "\"a text of some length\" at $[0]",
        "\"[\"1\"]\" holds a value that is not a JSON value of the matching kind, for type BIGINT: \"1\" at $[0]",
        "\"{\"a\":[1]}\" has something else than an array where the type has an ARRAY: an object at $",
    };
    struct setup *setup = setup_new(COUNT_OF(texts));
    const struct wire_column *columns;
    size_t count = 0;

    (void)state;
    add_column(setup, "list", "array<bigint>");
    add_column(setup, "text", "string");
    add_texts(setup, "list", texts);
    add_mapping(setup, "text", "list");
    run(setup);
    for (const struct dirty_row *dirty = setup->batch->dirty; dirty; dirty = dirty->next) {
        assert_true(count < COUNT_OF(reasons));
        assert_true(str_is(dirty->column, "list"));
        if (!str_is(dirty->reason, reasons[count++]))
            fail_msg("%.*s", STR_ARG(dirty->reason));
    }
    assert_int_equal(count, COUNT_OF(reasons));
    assert_int_equal(setup->batch->selected, 4);
    columns = setup->routed.columns;
    assert_true(columns[0].null[2] && columns[0].null[4] && !columns[0].null[3] && !columns[0].null[6]);
    assert_true(!columns[1].null[2] && columns[1].null[4]);
    assert_int_equal(((const struct wire_nested *)columns[0].data)[3].wire.size, 3);
    assert_int_equal(((const struct wire_nested *)columns[0].data)[6].wire.size, 1);
    setup_free(setup);

    setup = setup_new(2);
    add_column(setup, "list", "array<bigint>")->not_null = true;
    add_texts(setup, "list", (const char *const[]){"[1]", "null"});
    run(setup);
    assert_string_equal(last_reason(setup), "mapping: list: is NULL, but the column is NOT NULL");
    setup_free(setup);
}

/* A reason is one line of UTF-8, whatever the names on the way to the value are. */
static void test_nested_names(void **state)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"{\"a b\":{\"上\":\"x\"}}", "\"x\" at $.a b.上"},
        {"{\"a\\nb\":{\"\\u0000\":\"x\"}}", "\"x\" at $[\"a\\x0ab\"][\"\\x00\"]"},
        {"{\"\\u007f\":{\"c\":\"x\"}}", "\"x\" at $[\"\\x7f\"].c"},
        /* The path has room for 159 bytes, and the third of 上's does not fit any more. */
        {"{\"0123456789012345678901234567890123456789\":{\"上上上上上上上上上上上上上\":"
         "{\"0123456789012345678901234567890123456789\":{\"xxxx上上上上上上上上上上上上\":1.5}}}}",
         "上"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct setup *setup = setup_new(1);
        const char *reason;

        add_column(setup, "map", i == 3 ? "map<string,map<string,map<string,map<string,bigint>>>>" : "map<string,map<string,bigint>>");
        add_texts(setup, "map", &cases[i].text);
        run(setup);
        reason = last_reason(setup);
        if (strlen(reason) < strlen(cases[i].place) || strcmp(reason + strlen(reason) - strlen(cases[i].place), cases[i].place) != 0)
            fail_msg("%s", reason);
        assert_true(str_is_utf8(str_of(reason)));
        setup_free(setup);
    }
}

static void test_mapping(void **state)
{
    struct setup *setup = setup_new(2);
    const char *const names[] = {"ann", NULL};

    (void)state;
    add_column(setup, "Id", "bigint");
    add_column(setup, "unmapped", "array<string>");
    add_column(setup, "name", "string")->not_null = true;
    add_column(setup, "copy", "string");
    add_mapping(setup, "COPY", "name");
    add_texts(setup, "name", names);
    add_numbers(setup, "ID", (const int64_t[]){1, 2});
    run(setup);
    assert_int_equal(setup->routed.column_count, 3);
    assert_int_equal(setup->routed.columns[0].number, 1);
    assert_int_equal(setup->routed.columns[1].number, 3);
    assert_int_equal(setup->routed.columns[2].number, 4);
    assert_string_equal(last_reason(setup), "mapping: name: is NULL, but the column is NOT NULL");
    assert_int_equal(setup->batch->selected, 1);
    /* A field that was there once must stay, wherever it moves to. */
    assert_true(batch_set(setup->batch, STR("zzz"), setup->batch->fields[2].column));
    assert_true(batch_remove(setup->batch, STR("name")));
    assert_false(route_batch(setup->route, setup->batch, &setup->routed, &setup->error));
    assert_int_equal(setup->error.kind, ERROR_SCRIPT);
    assert_non_null(strstr(setup->error.text, "field \"name\" for column \"name\" is missing"));
    setup_free(setup);
}

/* --- partitions --- */

static void assert_groups(const struct setup *setup, const char *expected)
{
    char text[1024] = "";
    size_t size = 0;

    for (size_t i = 0; i < setup->routed.group_count; i++) {
        const struct routed_group *group = &setup->routed.groups[i];

        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%.*s:", i ? " " : "", STR_ARG(group->spec));
        for (uint32_t j = 0; j < group->count; j++)
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%u", j ? "," : "", group->rows[j]);
    }
    assert_string_equal(text, expected);
}

static const int64_t times[] = {INT64_C(1700063999999), INT64_C(1700064000000), INT64_C(1700063999999), INT64_C(1700067661000),
                                -1};

static void test_time_levels(void **state)
{
    struct setup *setup = setup_new(5);

    (void)state;
    add_column(setup, "ts", "bigint");
    add_numbers(setup, "ts", times);
    add_partition(setup, "year", PARTITION_TIME, "ts", "yyyy");
    add_partition(setup, "month", PARTITION_TIME, "ts", "MM");
    add_partition(setup, "day", PARTITION_TIME, "ts", "dd");
    run(setup);
    assert_groups(setup, "year=2023,month=11,day=15:0,2 year=2023,month=11,day=16:1,3 year=1970,month=01,day=01:4");
    setup_free(setup);

    setup = setup_new(5);
    add_column(setup, "ts", "bigint");
    add_numbers(setup, "ts", times);
    add_partition(setup, "h", PARTITION_TIME, "ts", "yyyyMMdd-HHmm");
    run(setup);
    assert_groups(setup, "h=20231115-2359:0,2 h=20231116-0000:1 h=20231116-0101:3 h=19700101-0759:4");
    setup_free(setup);

    /* A pattern that shows less than its unit: one group a text. */
    setup = setup_new(5);
    add_column(setup, "ts", "bigint");
    add_numbers(setup, "ts", times);
    add_partition(setup, "m", PARTITION_TIME, "ts", "yyyyMM");
    run(setup);
    assert_groups(setup, "m=202311:0,1,2,3 m=197001:4");
    setup_free(setup);

    /* The record's own time, and a zone of its own for each level; integers in their shortest text. */
    setup = setup_new(1);
    add_column(setup, "v", "bigint");
    add_numbers(setup, "v", times);
    setup->batch->messages[0].timestamp_ms = INT64_C(1704067199000);
    add_partition(setup, "utc", PARTITION_TIME, NULL, "yyyyMMdd")->zone = (char *)"UTC";
    add_partition(setup, "local", PARTITION_TIME, "__timestamp__", "MM");
    setup->partitions[1].type.kind = MC_BIGINT;
    run(setup);
    assert_groups(setup, "utc=20231231,local=1:0");
    setup_free(setup);
}

/* A unit is remembered for the rows that follow, but not beyond a change of the zone's offset, nor for a record without a time. */
static void test_time_offsets(void **state)
{
    static const int64_t hours[] = {INT64_C(1711845000000), INT64_C(1711924200000), INT64_C(1711920599999),  /* 31 March, 00:30, 22:30, 21:29 UTC */
                                    INT64_C(1729987200000), INT64_C(1730068200000), INT64_C(1730070000000)}; /* 27 October, 00:00, 22:30, 23:00 */
    struct setup *setup = setup_new(6);

    (void)state;
    add_column(setup, "ts", "bigint");
    add_numbers(setup, "ts", hours);
    add_partition(setup, "d", PARTITION_TIME, "ts", "MMdd")->zone = (char *)"Europe/Berlin";
    run(setup);
    assert_groups(setup, "d=0331:0,2 d=0401:1 d=1027:3,4 d=1028:5");
    setup_free(setup);

    setup = setup_new(3);
    add_column(setup, "v", "bigint");
    add_numbers(setup, "v", hours);
    setup->batch->messages[0].timestamp_ms = setup->batch->messages[2].timestamp_ms = 0;
    setup->batch->messages[1].timestamp_ms = -1;
    add_partition(setup, "y", PARTITION_TIME, NULL, "yyyy");
    run(setup);
    assert_groups(setup, "y=1970:0,2");
    assert_int_equal(setup->batch->dirty_count, 1);
    setup_free(setup);
}

/* Every kind of field that a time may come from. */
static void test_time_sources(void **state)
{
    static const struct {
        enum type_kind kind;
        const char *text;
        const char *spec; /* NULL: dirty */
    } cases[] = {
        {TYPE_DATETIME, "2023-12-31 16:00:00", "d=20240101:0"},
        {TYPE_TIMESTAMP, "2023-12-31 15:59:59", "d=20231231:0"},
        {TYPE_TIMESTAMP_NTZ, "2023-12-31 23:59:59", "d=20231231:0"},
        {TYPE_STRING, "2023-12-31 16:00:00Z", "d=20240101:0"},
        {TYPE_STRING, "2023-12-31 16:00:00", "d=20231231:0"},
        {TYPE_STRING, "0001-02-03", "d=00010203:0"},
        {TYPE_STRING, "9999-12-31T23:00:00+08:00", "d=99991231:0"},
        {TYPE_STRING, "9999-12-31T23:00:00Z", NULL},
        {TYPE_STRING, "today", NULL},
        {TYPE_STRING, "", NULL},
        {TYPE_NULL, "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct setup *setup = setup_new(1);
        struct column *column = column_try_new(&setup->batch->arena, TYPE_OF(cases[i].kind), 1, false);
        bool has_offset;
        int32_t offset;

        if (cases[i].kind == TYPE_STRING)
            column->text[0] = str_of(cases[i].text);
        else if (cases[i].kind != TYPE_NULL)
            assert_true(time_parse(str_of(cases[i].text), &column->instant[0], &has_offset, &offset));
        add_column(setup, "v", "string");
        add_texts(setup, "v", (const char *const[]){"v"});
        assert_true(batch_set(setup->batch, STR("t"), column));
        add_partition(setup, "d", PARTITION_TIME, "t", "yyyyMMdd");
        run(setup);
        if (cases[i].spec)
            assert_groups(setup, cases[i].spec);
        else
            assert_true(setup->batch->dirty_count == 1 && strcmp(setup->batch->dirty->stage, "partition") == 0);
        setup_free(setup);
    }
}

static void test_field_values(void **state)
{
    static const char *const bad[] = {"", "a/b", "a'b", "a\"b", "a\\b", "a,b", "a=b", "a?b", "a#b", "a%b", "a&b", "a+b", "a:b",
                                      " a", "a ",
                                      "a\nb", "\x7f", "\xff"};
    struct setup *setup = setup_new(8);
    char large[257];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (!partition_value_reason(str_of(bad[i])))
            fail_msg("\"%s\" passed", bad[i]);
    memset(large, 'a', 256);
    assert_non_null(partition_value_reason(str_make(large, 256)));
    assert_null(partition_value_reason(str_make(large, 255)));
    assert_null(partition_value_reason(STR("\xe5\x8c\xba a-b_c.d")));

    /* Mixed levels in the job's order, not the table's. */
    add_column(setup, "ts", "bigint");
    add_numbers(setup, "ts", (const int64_t[]){0, 0, 86400000, 0, 86400000, 0, 0, 0});
    add_texts(setup, "city", (const char *const[]){"b", "a", "b", "b", "b", NULL, "", "x/y"});
    add_partition(setup, "city", PARTITION_FIELD, "city", NULL);
    add_partition(setup, "ds", PARTITION_TIME, "ts", "MMdd");
    setup->partitions[0].name = (char *)"DS";
    setup->partitions[1].name = (char *)"City";
    run(setup);
    assert_groups(setup, "DS=0101,City=b:0,3 DS=0101,City=a:1 DS=0102,City=b:2,4");
    assert_int_equal(setup->batch->dirty_count, 3);
    assert_string_equal(setup->batch->dirty->stage, "partition");
    assert_non_null(strstr(last_reason(setup), "partition: city: \"x/y\" has a character"));
    setup_free(setup);

    setup = setup_new(4);
    add_column(setup, "v", "string");
    add_texts(setup, "v", (const char *const[]){"007", "7", "x", "-7"});
    add_partition(setup, "n", PARTITION_FIELD, "V", NULL);
    setup->partitions[0].type.kind = MC_INT;
    run(setup);
    assert_groups(setup, "n=7:0,1 n=-7:3");
    setup_free(setup);
}

/* As many groups as rows, so that the tables grow. */
static void test_many_groups(void **state)
{
    struct setup *setup = setup_new(2000);
    int64_t *numbers = xcalloc(2000, sizeof(*numbers));

    (void)state;
    for (int i = 0; i < 2000; i++)
        numbers[i] = (int64_t)(i * 7919 % 1000) * 86400000;
    add_column(setup, "ts", "bigint");
    add_numbers(setup, "ts", numbers);
    add_partition(setup, "ds", PARTITION_TIME, "ts", "yyyyMMdd");
    add_partition(setup, "ts", PARTITION_FIELD, "ts", NULL);
    run(setup);
    assert_int_equal(setup->routed.group_count, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        const struct routed_group *group = &setup->routed.groups[i];

        assert_int_equal(group->count, 2);
        assert_int_equal(group->rows[0], i);
        assert_int_equal(group->rows[1], i + 1000);
    }
    setup_free(setup);
    free(numbers);
}

/* Specs of a single clock are kept from batch to batch, in fewer places than there are days here, and for days before 1970 too. */
static void test_kept_specs(void **state)
{
    enum { DAYS = 1500 };
    struct setup *setup = setup_new(DAYS);
    int64_t *numbers = xcalloc(DAYS, sizeof(*numbers));

    (void)state;
    for (int i = 0; i < DAYS; i++)
        numbers[i] = (int64_t)(i - DAYS / 2) * 86400000 + 3600000;
    add_column(setup, "ts", "bigint");
    add_numbers(setup, "ts", numbers);
    add_partition(setup, "y", PARTITION_TIME, "ts", "yyyy");
    add_partition(setup, "d", PARTITION_TIME, "ts", "MM-dd");
    for (int round = 0; round < 3; round++) {
        run(setup);
        assert_int_equal(setup->routed.group_count, DAYS);
        for (uint32_t i = 0; i < DAYS; i++) {
            char day[TIME_TEXT_MAX], spec[64];

            time_print_date((int32_t)i - DAYS / 2, day);
            snprintf(spec, sizeof(spec), "y=%.4s,d=%.5s", day, day + 5);
            if (!str_is(setup->routed.groups[i].spec, spec))
                fail_msg("round %d, day %u: %.*s instead of %s", round, i, STR_ARG(setup->routed.groups[i].spec), spec);
        }
    }
    setup_free(setup);
    free(numbers);
}

static void test_lua(void **state)
{
    struct setup *setup = setup_new(3);
    struct buffer saved;

    (void)state;
    add_column(setup, "v", "string");
    add_texts(setup, "v", (const char *const[]){"a", "b", "a"});
    add_texts(setup, "w", (const char *const[]){"1", "1", NULL});
    lua_columns[0] = setup->batch->fields[1].column;
    lua_columns[1] = setup->batch->fields[2].column;
    lua_count = 2;
    add_partition(setup, "x", PARTITION_LUA, NULL, NULL)->file = (char *)"part.lua";
    add_partition(setup, "y", PARTITION_LUA, NULL, NULL)->file = (char *)"part.lua";
    run(setup);
    assert_true(route_keeps_state(setup->route));
    buffer_init(&saved, 0);
    assert_true(route_save(setup->route, &saved, &setup->error)); /* one function, which gives both columns */
    assert_string_equal(buffer_text(&saved), "[partition x]");
    buffer_release(&saved);
    assert_groups(setup, "x=a,y=1:0 x=b,y=1:1");
    assert_int_equal(setup->batch->dirty_count, 1);
    lua_count = 1;
    assert_false(route_batch(setup->route, setup->batch, &setup->routed, &setup->error));
    assert_int_equal(setup->error.kind, ERROR_SCRIPT);
    setup_free(setup);
}

/* --- check --- */

static void assert_mistakes(struct setup *setup, const char *const *mistakes, size_t count)
{
    struct buffer text = {0};
    bool ok = route_check(&setup->job, &setup->schema, setup->batch, setup->report);

    report_print(setup->report, &text);
    for (size_t i = 0; i < count; i++)
        if (!strstr(buffer_text(&text), mistakes[i]))
            fail_msg("\"%s\" is not in:\n%s", mistakes[i], buffer_text(&text));
    if (report_mistakes(setup->report) != count || ok != (count == 0))
        fail_msg("%u mistakes:\n%s", report_mistakes(setup->report), buffer_text(&text));
    buffer_release(&text);
}

static void test_check(void **state)
{
    struct setup *setup = setup_new(0);

    (void)state;
    add_column(setup, "id", "bigint")->not_null = true;
    add_column(setup, "name", "string");
    add_column(setup, "tags", "array<string>");
    add_column(setup, "at", "timestamp_ntz");
    add_column(setup, "ok", "boolean");
    add_numbers(setup, "amount", NULL);
    add_numbers(setup, "at", NULL);
    add_numbers(setup, "ok", NULL);
    add_numbers(setup, "tags", NULL);
    add_mapping(setup, "name", "amuont");
    add_partition(setup, "ds", PARTITION_TIME, "ammount", "yyyyMMdd");
    assert_mistakes(setup, (const char *const[]){"column \"id\" is NOT NULL and no field feeds it",
                    "there is no field \"amuont\" for column \"name\" after the last stage; did you mean \"amount\"?",
                    "field \"tags\" (bigint) into column \"tags\" (ARRAY<STRING>): only json, and string with JSON in it",
                    "field \"at\" (bigint) into column \"at\" (TIMESTAMP_NTZ) needs a time zone",
                    "bigint does not convert to boolean", "partition \"ds\": there is no field \"ammount\""}, 6);
    setup_free(setup);

    setup = setup_new(0);
    add_column(setup, "id", "bigint");
    add_numbers(setup, "id", NULL);
    add_numbers(setup, "b", NULL);
    add_mapping(setup, "id", "id");
    add_mapping(setup, "ID", "b");
    add_mapping(setup, "idd", "b");
    add_mapping(setup, "ds", "b");
    add_partition(setup, "ds", PARTITION_TIME, NULL, "YYYYMMDD");
    add_partition(setup, "x", PARTITION_FIELD, NULL, NULL);
    add_partition(setup, "y", PARTITION_TIME, NULL, "yyyy/MM");
    add_partition(setup, "z", PARTITION_TIME, NULL, "yyyy")->zone = (char *)"UTC+8";
    assert_mistakes(setup, (const char *const[]){"column \"id\" already takes its values from field \"id\"",
                    "table orders has no column \"idd\"; did you mean \"id\"?", "\"ds\" is a partition column",
                    "has a letter 'Y' that stands for nothing", "partition \"x\" needs the field",
                    "format \"yyyy/MM\" gives values that no partition may have", "did you mean \"+08:00\"?"}, 7);
    setup_free(setup);

    setup = setup_new(0);
    add_column(setup, "id", "bigint");
    add_numbers(setup, "Id", NULL);
    add_numbers(setup, "iD", NULL);
    add_partition(setup, "ds", PARTITION_TIME, NULL, "yyyy");
    setup->schema.partition_count = 0;
    assert_mistakes(setup, (const char *const[]){"several fields are called \"id\" but for case",
                    "table orders has no partition column \"ds\"; it is not partitioned"}, 2);
    setup->schema.partition_count = 1;
    setup->job.target.partition_count = 0;
    assert_false(route_open(&setup->route, &setup->job, &setup->schema, NULL, NULL, &setup->error));
    assert_int_equal(setup->error.kind, ERROR_CONFIG);
    assert_string_equal(setup->error.text, "partition column \"ds\" of table orders has no rule; add one under target.partition");
    setup_free(setup);

    setup = setup_new(0);
    add_column(setup, "id", "bigint");
    add_numbers(setup, "id", NULL);
    add_partition(setup, "ds", PARTITION_TIME, NULL, "yyyyMMdd");
    assert_mistakes(setup, NULL, 0);
    setup_free(setup);
}

/* A type in the job that is not the table's is told and is no mistake. */
static void test_check_of_listed_types(void **state)
{
    struct setup *setup = setup_new(0);
    struct buffer text = {0};

    (void)state;
    add_column(setup, "id", "bigint");
    add_column(setup, "amount", "bigint");
    add_column(setup, "price", "decimal(38,18)");
    add_column(setup, "size", "bigint");
    add_numbers(setup, "id", NULL);
    add_numbers(setup, "amount", NULL);
    add_numbers(setup, "price", NULL);
    add_numbers(setup, "size", NULL);
    setup->listed[0] = (struct job_column){.name = (char *)"id", .type = (char *)"BIGINT"};
    setup->listed[1] = (struct job_column){.name = (char *)"Amount", .type = (char *)"decimal(10, 2)", .at = {"job.yaml", 7, 9}};
    setup->listed[2] = (struct job_column){.name = (char *)"price", .type = (char *)"DECIMAL"};
    setup->listed[3] = (struct job_column){.name = (char *)"size", .type = (char *)"LONG", .at = {"job.yaml", 9, 9}};
    setup->job.target.column_count = 4;
    assert_true(route_check(&setup->job, &setup->schema, setup->batch, setup->report));
    assert_int_equal(report_mistakes(setup->report), 0);
    report_print(setup->report, &text);
    if (report_warnings(setup->report) != 2 ||
        !strstr(buffer_text(&text), "target.columns: Amount is DECIMAL(10,2) in the job and BIGINT in the table; "
                                    "the table's type counts") ||
        !strstr(buffer_text(&text), "target.columns: size: unknown type \"LONG\"; did you mean BIGINT?; "
                                    "the table's type counts") ||
        !strstr(buffer_text(&text), "job.yaml:7:9"))
        fail_msg("%s", buffer_text(&text));
    buffer_release(&text);
    setup_free(setup);
}

static struct setup *listed_columns(void)
{
    struct setup *setup = setup_new(0);
    static const char *const names[] = {"id", "price", "nothing"};

    for (size_t i = 0; i < 3; i++) {
        add_column(setup, names[i], "bigint");
        setup->listed[i] = (struct job_column){.name = (char *)names[i], .type = (char *)"bigint"};
    }
    setup->job.target.column_count = 3;
    add_numbers(setup, "id", NULL);
    add_numbers(setup, "amount", NULL);
    add_mapping(setup, "nothing", NULL);
    return setup;
}

/* A column that is listed with its type alone takes the field of its name, or the one that target.mapping says; one that is listed
 * with a field takes no other. */
static void test_mapping_of_listed_columns(void **state)
{
    struct setup *setup = listed_columns();

    (void)state;
    add_mapping(setup, "price", "amount");
    assert_mistakes(setup, NULL, 0);
    setup_free(setup);

    setup = listed_columns();
    setup->listed[1].from = (char *)"id";
    add_mapping(setup, "price", "amount");
    assert_mistakes(setup, (const char *const[]){"column \"price\" already takes its values from field \"id\""}, 1);
    setup_free(setup);

    setup = listed_columns();
    add_mapping(setup, "price", "amount");
    add_mapping(setup, "PRICE", "id");
    assert_mistakes(setup, (const char *const[]){"column \"price\" already takes its values from field \"amount\""}, 1);
    setup_free(setup);
}

static void test_create(void **state)
{
    struct setup *setup = setup_new(0);
    struct mc_schema schema;
    struct buffer text = {0};

    (void)state;
    add_numbers(setup, "id", NULL);
    add_texts(setup, "city", NULL);
    assert_true(batch_set(setup->batch, STR("amount"), column_try_new(&setup->batch->arena, type_decimal(10, 2), 0, false)));
    add_partition(setup, "CITY", PARTITION_FIELD, "city", NULL);
    assert_true(route_create_schema(&setup->job, setup->batch, &schema, setup->report));
    assert_int_equal(schema.column_count, 2); /* neither __value__ nor the partition's field */
    assert_string_equal(schema.columns[0].name, "id");
    assert_string_equal(schema.columns[1].name, "amount");
    mc_type_print(&schema.columns[1].type, &text);
    assert_string_equal(buffer_text(&text), "DECIMAL(10,2)");
    assert_int_equal(schema.partition_count, 1);
    mc_schema_release(&schema);
    buffer_clear(&text);

    assert_true(batch_set(setup->batch, STR("what"), column_try_new(&setup->batch->arena, TYPE_OF(TYPE_NULL), 0, false)));
    assert_false(route_create_schema(&setup->job, setup->batch, &schema, setup->report));
    assert_int_equal(report_mistakes(setup->report), 1);

    setup->listed[0] = (struct job_column){.name = (char *)"a", .type = (char *)"map<string,bigint>", .from = (char *)"id"};
    setup->listed[1] = (struct job_column){.name = (char *)"b", .type = (char *)"bigint", .not_null = true,
                                           .comment = (char *)"c"};
    setup->job.target.column_count = 2;
    assert_true(route_create_schema(&setup->job, setup->batch, &schema, setup->report));
    assert_true(schema.column_count == 2 && schema.columns[1].not_null && strcmp(schema.columns[1].comment, "c") == 0);
    mc_schema_release(&schema);
    setup->listed[1].name = (char *)"A";
    assert_false(route_create_schema(&setup->job, setup->batch, &schema, setup->report));
    buffer_release(&text);
    setup_free(setup);
}

static void test_describe(void **state)
{
    struct setup *setup = setup_new(0);
    struct buffer text = {0};

    (void)state;
    add_column(setup, "id", "bigint");
    add_column(setup, "gone", "string");
    add_numbers(setup, "ID", NULL);
    add_partition(setup, "ds", PARTITION_TIME, NULL, "yyyyMMdd");
    route_describe(&setup->job, &setup->schema, setup->batch, &text);
    assert_string_equal(buffer_text(&text), "  id BIGINT <- ID (bigint)\n  gone STRING: no field, NULL\n"
                        "  ds <- __timestamp__ as yyyyMMdd in Asia/Shanghai\n");
    buffer_release(&text);
    setup_free(setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_values),  cmocka_unit_test(test_large_text),   cmocka_unit_test(test_mapping),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_nested_names),
        cmocka_unit_test(test_time_levels),  cmocka_unit_test(test_time_offsets), cmocka_unit_test(test_time_sources),
        cmocka_unit_test(test_field_values),
        cmocka_unit_test(test_many_groups),  cmocka_unit_test(test_kept_specs),  cmocka_unit_test(test_lua),          cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_of_listed_types), cmocka_unit_test(test_mapping_of_listed_columns), cmocka_unit_test(test_create),
        cmocka_unit_test(test_describe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
