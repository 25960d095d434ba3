/* Types, schemas of both JSON forms, compatibility, and the SQL texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "maxcompute/schema.h"

static void expect_text(struct buffer *text, const char *wanted)
{
    assert_string_equal(buffer_text(text), wanted);
    buffer_clear(text);
}

static void test_types(void **state)
{
    /* What is read, and how it is printed. */
    static const char *const cases[][2] = {
        {"tinyint", "TINYINT"},
        {"SmallInt", "SMALLINT"},
        {" int ", "INT"},
        {"bigint", "BIGINT"},
        {"float", "FLOAT"},
        {"double", "DOUBLE"},
        {"decimal", "DECIMAL"},
        {"decimal(38, 18)", "DECIMAL(38,18)"},
        {"decimal(5)", "DECIMAL(5,0)"},
        {"string", "STRING"},
        {"varchar ( 20 )", "VARCHAR(20)"},
        {"char(255)", "CHAR(255)"},
        {"binary", "BINARY"},
        {"boolean", "BOOLEAN"},
        {"date", "DATE"},
        {"datetime", "DATETIME"},
        {"timestamp", "TIMESTAMP"},
        {"timestamp_ntz", "TIMESTAMP_NTZ"},
        {"json", "JSON"},
        {"interval_year_month", "INTERVAL_YEAR_MONTH"},
        {"interval_day_time", "INTERVAL_DAY_TIME"},
        {"array<string>", "ARRAY<STRING>"},
        {"map< string , array<bigint> >", "MAP<STRING,ARRAY<BIGINT>>"},
        {"struct<a:bigint,b : string>", "STRUCT<a:BIGINT,b:STRING>"},
        {"struct<`a b`:int,`x``y`:struct<z:decimal(3,1)>>", "STRUCT<`a b`:INT,`x``y`:STRUCT<z:DECIMAL(3,1)>>"},
    };
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mc_type type, again;
        struct error error;

        if (!mc_type_parse(&type, str_of(cases[i][0]), &error))
            fail_msg("%s", error.text);
        mc_type_print(&type, &text);
        assert_true(mc_type_parse(&again, buffer_str(&text), &error));
        assert_true(mc_type_equal(&type, &again));
        expect_text(&text, cases[i][1]);
        mc_type_release(&type);
        mc_type_release(&again);
    }
    buffer_release(&text);
}

static void test_bad_types(void **state)
{
    static const char *const cases[][2] = {
        {"", "a type name was expected at character 1"},
        {"strin", "unknown type \"strin\"; did you mean STRING?"},
        {"array<bigit>", "type \"array<bigit>\": unknown type \"bigit\" at character 7; did you mean BIGINT?"},
        {"array<integer>", "unknown type \"integer\" at character 7; did you mean INT?"},
        {"VARCHAR2(20)", "unknown type \"VARCHAR2(20)\"; did you mean VARCHAR?"},
        {"varchar", "length in parentheses"},
        {"varchar()", "whole number"},
        {"varchar(0)", "from 1 to 65535"},
        {"varchar(70000)", "from 1 to 65535"},
        {"varchar(99999999999999999999)", "whole number"},
        {"char(256)", "from 1 to 255"},
        {"decimal(39,1)", "from 1 to 38"},
        {"decimal(10,11)", "from 0 to 10"},
        {"decimal(30,19)", "from 0 to 18"},
        {"decimal(1x)", "whole number"},
        {"decimal(10,2", "\")\" was expected"},
        {"bigint bigint", "something behind the type at character 8"},
        {"bigint(3)", "something behind the type"},
        {"array", "\"<\""},
        {"array<>", "a type name was expected"},
        {"array<int,int>", "too many"},
        {"map<int>", "a key type and a value type"},
        {"map<int,int,int>", "too many"},
        {"array<int", "\">\" was expected"},
        {"struct<>", "a field name"},
        {"struct<a int>", "\":\" was expected"},
        {"struct<a:int,A:int>", "stands twice"},
        {"struct<`a:int>", "backquotes"},
        {"struct<``:int>", "backquotes"},
        {"array<array<array<array<array<array<array<array<array<array<array<array<array<array<array<array<array<array<array<"
         "array<array<array<array<array<array<array<array<array<array<array<array<array<array<int"
         ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>",
         "nested too deeply"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mc_type type;
        struct error error = {0};

        assert_false(mc_type_parse(&type, str_of(cases[i][0]), &error));
        assert_int_equal(error.kind, ERROR_CONFIG);
        if (!strstr(error.text, cases[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i][1]);
        assert_null(type.children);
    }
}

static void test_foreign_types(void **state)
{
    static const char *const cases[][2] = {
        {"INTEGER", "unknown type \"INTEGER\"; did you mean INT?"},
        {"Bool", "unknown type \"Bool\"; did you mean BOOLEAN?"},
        {"text", "unknown type \"text\"; did you mean STRING?"},
        {"LONG", "unknown type \"LONG\"; did you mean BIGINT?"},
        {"NUMBER", "unknown type \"NUMBER\"; did you mean DECIMAL?"},
        {"NUMERIC", "unknown type \"NUMERIC\"; did you mean DECIMAL?"},
        {"NVARCHAR", "unknown type \"NVARCHAR\"; did you mean STRING?"},
        {"zzzzzzzzz", "unknown type \"zzzzzzzzz\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mc_type type;
        struct error error = {0};

        assert_false(mc_type_parse(&type, str_of(cases[i][0]), &error));
        assert_string_equal(error.text, cases[i][1]);
    }
}

static void test_type_equality(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"decimal(10,2)", "DECIMAL(10,2)", true},   {"decimal(10,2)", "decimal(10,3)", false},
        {"decimal(10,2)", "decimal", false},        {"varchar(3)", "varchar(4)", false},
        {"int", "bigint", false},                   {"struct<a:int>", "struct<A:int>", true},
        {"struct<a:int>", "struct<b:int>", false},  {"struct<a:int>", "struct<a:int,b:int>", false},
        {"map<int,string>", "map<int,int>", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mc_type a, b;

        assert_true(mc_type_parse(&a, str_of(cases[i].a), NULL));
        assert_true(mc_type_parse(&b, str_of(cases[i].b), NULL));
        assert_int_equal(mc_type_equal(&a, &b), cases[i].equal);
        mc_type_release(&a);
        mc_type_release(&b);
    }
}

#define TUNNEL_JSON                                                                                                        \
    "{\"IsVirtualView\":false,\"columns\":["                                                                               \
    "{\"column_id\":\"0\",\"name\":\"k\",\"type\":\"bigint\",\"nullable\":false,\"comment\":\"\",\"default_value\":\"\"}," \
    "{\"column_id\":1,\"name\":\"V\",\"type\":\"decimal(10,2)\",\"nullable\":true,\"comment\":\"it's\","                   \
    "\"default_value\":\"1\"}],"                                                                                           \
    "\"partitionKeys\":[{\"column_id\":\"2\",\"name\":\"dt\",\"type\":\"string\",\"nullable\":true,\"comment\":\"\"}]}"

static void test_schema_of_the_tunnel(void **state)
{
    /* Alone, and inside a session's answer under either name. */
    static const char *const cases[] = {
        TUNNEL_JSON,
        "{\"UploadID\":\"1\",\"Schema\":" TUNNEL_JSON "}",
        "{\"schema\":" TUNNEL_JSON ",\"id\":\"x\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mc_schema schema;
        struct error error;

        if (!mc_schema_parse(&schema, str_of(cases[i]), &error))
            fail_msg("%s", error.text);
        assert_int_equal(schema.column_count, 2);
        assert_int_equal(schema.partition_count, 1);
        assert_string_equal(schema.columns[0].name, "k");
        assert_int_equal(schema.columns[0].type.kind, MC_BIGINT);
        assert_true(schema.columns[0].not_null);
        assert_false(schema.columns[0].has_default);
        assert_null(schema.columns[0].comment);
        assert_int_equal(schema.columns[1].type.precision, 10);
        assert_int_equal(schema.columns[1].type.scale, 2);
        assert_false(schema.columns[1].not_null);
        assert_true(schema.columns[1].has_default);
        assert_string_equal(schema.columns[1].comment, "it's");
        assert_string_equal(schema.partitions[0].name, "dt");
        assert_int_equal(mc_schema_column(&schema, STR("v")), 1);
        assert_int_equal(mc_schema_column(&schema, STR("K")), 0);
        assert_int_equal(mc_schema_column(&schema, STR("dt")), -1);
        mc_schema_release(&schema);
    }
}

static void test_mistakes_are_one_line(void **state)
{
    struct mc_schema schema;
    struct error error;

    (void)state;
    assert_false(mc_schema_parse(&schema, STR("{\"columns\":[{\"name\":\"a\\nb\",\"type\":\"struct<a:bigi\\t,b:string>\"}]}"), &error));
    for (const char *c = error.text; *c; c++)
        assert_true((unsigned char)*c >= 0x20);
    assert_non_null(strstr(error.text, "column a b: type"));
}

static void test_schema_of_the_control_plane(void **state)
{
    static const char json[] =
        "{\"columns\":[{\"name\":\"k\",\"type\":\"BIGINT\",\"comment\":null,\"label\":\"\",\"isNullable\":false,"
        "\"hasDefaultValue\":false,\"defaultValue\":\"\"},{\"name\":\"a\",\"type\":\"array<string>\",\"isNullable\":\"true\","
        "\"hasDefaultValue\":true,\"defaultValue\":\"\"}],\"comment\":\"\",\"owner\":\"o\","
        "\"lifecycle\":-1,\"size\":18446744073709551615}";
    struct mc_schema schema;
    struct error error;

    (void)state;
    assert_true(mc_schema_parse(&schema, STR(json), &error));
    assert_int_equal(schema.column_count, 2);
    assert_int_equal(schema.partition_count, 0);
    assert_true(schema.columns[0].not_null);
    assert_false(schema.columns[0].has_default);
    assert_false(schema.columns[1].not_null);
    assert_true(schema.columns[1].has_default);
    assert_int_equal(schema.columns[1].type.children[0].kind, MC_STRING);
    mc_schema_release(&schema);
}

static void test_bad_schemas(void **state)
{
    static const char *const cases[][2] = {
        {"", "not valid JSON"},
        {"{\"columns\":[", "not valid JSON"},
        {"[]", "\"columns\" is missing"},
        {"{\"columns\":{}}", "\"columns\" is missing or not"},
        {"{\"columns\":[]}", "no columns"},
        {"{\"columns\":[1]}", "\"columns\"[0]: a column is not a JSON object"},
        {"{\"columns\":[{\"type\":\"int\"}]}", "\"name\""},
        {"{\"columns\":[{\"name\":\"a\\u0000b\",\"type\":\"int\"}]}", "\"name\""},
        {"{\"columns\":[{\"name\":\"a\"}]}", "column a: \"type\""},
        {"{\"columns\":[{\"name\":\"a\",\"type\":\"integer\"}]}", "column a: unknown type \"integer\"; did you mean INT?"},
        {"{\"columns\":[{\"name\":\"a\",\"type\":\"int\",\"nullable\":1}]}", "\"nullable\""},
        {"{\"columns\":[{\"name\":\"a\",\"type\":\"int\",\"isNullable\":\"maybe\"}]}", "\"nullable\""},
        {"{\"columns\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"A\",\"type\":\"int\"}]}",
         "\"columns\"[1]: column A stands twice"},
        {"{\"columns\":[{\"name\":\"a\",\"type\":\"int\"}],\"partitionKeys\":3}", "\"partitionKeys\" is not"},
        {"{\"columns\":[{\"name\":\"a\",\"type\":\"int\"}],\"partitionKeys\":[{\"name\":\"A\",\"type\":\"string\"}]}",
         "both a column"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mc_schema schema;
        struct error error = {0};

        assert_false(mc_schema_parse(&schema, str_of(cases[i][0]), &error));
        assert_int_equal(error.kind, ERROR_FATAL);
        if (!strstr(error.text, cases[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i][1]);
        assert_null(schema.columns);
    }
}

/* "k bigint!, v string=" : ! is NOT NULL, = has a default; behind a bar stand partition columns. */
static struct mc_schema make_schema(const char *text)
{
    struct mc_schema schema = {0};
    struct str rest[2], part;

    schema.columns = xcalloc(8, sizeof(*schema.columns));
    schema.partitions = xcalloc(8, sizeof(*schema.partitions));
    str_cut(str_of(text), '|', &rest[0], &rest[1]);
    for (int list = 0; list < 2; list++)
        for (bool more = rest[list].size > 0; more;) {
            struct mc_column *column =
                list ? &schema.partitions[schema.partition_count++] : &schema.columns[schema.column_count++];
            struct str name, type;

            more = str_cut(rest[list], ';', &part, &rest[list]);
            str_cut(str_trim(part), ' ', &name, &type);
            for (; type.data[type.size - 1] == '!' || type.data[type.size - 1] == '='; type.size--)
                *(type.data[type.size - 1] == '!' ? &column->not_null : &column->has_default) = true;
            column->name = str_dup(name);
            assert_true(mc_type_parse(&column->type, type, NULL));
        }
    return schema;
}

static void test_compatibility(void **state)
{
    /* NULL: compatible. */
    static const struct {
        const char *old, *now, *text;
    } cases[] = {
        {"k bigint!;v string|dt string", "K bigint!;v string|dt string", NULL},
        {"k bigint", "k bigint;n string", NULL},
        {"k bigint", "k bigint;n string!=", NULL},
        {"k bigint!", "k bigint", NULL},
        {"k bigint", "k bigint;n string!", "new column n is NOT NULL"},
        {"k bigint;v string", "k bigint", "column 2 (v) is gone"},
        {"k bigint;v string", "v string;k bigint", "column 1 was k and is v now"},
        {"k bigint", "k decimal(10,2)", "column k was BIGINT and is DECIMAL(10,2) now"},
        {"k bigint", "k bigint!", "column k has become NOT NULL"},
        {"k bigint|dt string", "k bigint", "partition column 1 (dt) is gone"},
        {"k bigint", "k bigint|dt string", "partition column dt is new"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mc_schema old = make_schema(cases[i].old), now = make_schema(cases[i].now);
        struct error error = {0};

        assert_int_equal(mc_schema_compatible(&old, &now, &error), cases[i].text == NULL);
        if (cases[i].text && !strstr(error.text, cases[i].text))
            fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i].text);
        mc_schema_release(&old);
        mc_schema_release(&now);
    }
}

static void test_create_table(void **state)
{
    struct mc_schema schema = make_schema("k bigint!;v string;d decimal(10,2)|dt string;hh string");
    struct buffer sql;

    (void)state;
    buffer_init(&sql, 0);
    schema.columns[1].comment = xstrdup("it's");
    mc_ddl_create_table(&sql, STR("p"), STR_NONE, STR("t"), &schema, STR("c"), 7);
    expect_text(&sql, "CREATE TABLE IF NOT EXISTS p.`t` (\n"
                      "  `k` BIGINT NOT NULL,\n"
                      "  `v` STRING COMMENT 'it\\'s',\n"
                      "  `d` DECIMAL(10,2)\n"
                      ")\n"
                      "COMMENT 'c'\n"
                      "PARTITIONED BY (`dt` STRING, `hh` STRING)\n"
                      "LIFECYCLE 7");
    schema.partition_count = 0;
    schema.column_count = 1;
    mc_ddl_create_table(&sql, STR("my-p"), STR("s"), STR("t`1"), &schema, STR(""), 0);
    expect_text(&sql, "CREATE TABLE IF NOT EXISTS `my-p`.s.`t``1` (\n  `k` BIGINT NOT NULL\n)");
    schema.column_count = 3;
    schema.partition_count = 2;
    mc_schema_release(&schema);
    buffer_release(&sql);
}

static void test_add_partition(void **state)
{
    struct buffer sql;

    (void)state;
    buffer_init(&sql, 0);
    mc_ddl_add_partitions(&sql, STR("p"), STR_NONE, STR("t"));
    mc_ddl_partition(&sql, STR("dt=20240102"));
    expect_text(&sql, "ALTER TABLE p.`t` ADD IF NOT EXISTS PARTITION (dt='20240102')");
    mc_ddl_add_partitions(&sql, STR("p"), STR("s"), STR("t"));
    mc_ddl_partition(&sql, STR("dt=2024'01,a b=x=\\y"));
    mc_ddl_partition(&sql, STR("dt=2"));
    expect_text(&sql, "ALTER TABLE p.s.`t` ADD IF NOT EXISTS PARTITION (dt='2024\\'01',`a b`='x=\\\\y') PARTITION (dt='2')");
    buffer_release(&sql);
}

static void test_strings_and_identifiers(void **state)
{
    struct buffer sql;

    (void)state;
    buffer_init(&sql, 0);
    mc_ddl_string(&sql, str_make("a'b\\c\n\t\r\0\xe6\x9d\xad", 12));
    expect_text(&sql, "'a\\'b\\\\c\\n\\t\\r\\0\xe6\x9d\xad'");
    mc_ddl_identifier(&sql, STR("a`b"));
    expect_text(&sql, "`a``b`");
    buffer_release(&sql);
}

static void test_settings(void **state)
{
    static const struct {
        const char *schema, *schema_name, *json;
    } cases[] = {
        {"k bigint;v string;a array<map<string,double>>;b boolean;d datetime;e decimal|dt string", "", "{}"},
        {"k int", "", "{\"odps.sql.type.system.odps2\":\"true\"}"},
        {"k array<decimal(10,2)>", "", "{\"odps.sql.type.system.odps2\":\"true\",\"odps.sql.decimal.odps2\":\"true\"}"},
        {"k bigint|dt varchar(8)", "", "{\"odps.sql.type.system.odps2\":\"true\"}"},
        {"k json", "", "{\"odps.sql.type.system.odps2\":\"true\",\"odps.sql.type.json.enable\":\"true\"}"},
        {"k bigint", "s", "{\"odps.namespace.schema\":\"true\",\"odps.sql.allow.namespace.schema\":\"true\"}"},
    };
    struct buffer json;

    (void)state;
    buffer_init(&json, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mc_schema schema = make_schema(cases[i].schema);

        mc_ddl_settings(&json, &schema, str_of(cases[i].schema_name));
        expect_text(&json, cases[i].json);
        mc_schema_release(&schema);
    }
    mc_ddl_settings(&json, NULL, STR_NONE);
    expect_text(&json, "{}");
    buffer_release(&json);
}

static void test_table_ids(void **state)
{
    static const char *const cases[][2] = {
        {"<Table><Name>t</Name><TableId>7f3a</TableId></Table>", "7f3a"},
        {"<Table><TableId><![CDATA[ a&b ]]></TableId></Table>", "a&b"},
        {"<Table><TableId/></Table>", ""},
        {"<Table><Name>t</Name></Table>", ""},
        {"<Table><Schema><TableId>not this one</TableId></Schema></Table>", ""},
        {"<Table><TableId>7f3a</Tab", ""},
        {"", ""},
        {"<Table><TableId>0123456789012345</TableId></Table>", "012345678901234"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char id[16] = "before";

        mc_table_id(str_of(cases[i][0]), id, sizeof(id));
        assert_string_equal(id, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_bad_types),
        cmocka_unit_test(test_foreign_types),
        cmocka_unit_test(test_type_equality),
        cmocka_unit_test(test_schema_of_the_tunnel),
        cmocka_unit_test(test_schema_of_the_control_plane), cmocka_unit_test(test_mistakes_are_one_line),
        cmocka_unit_test(test_bad_schemas),
        cmocka_unit_test(test_compatibility),
        cmocka_unit_test(test_create_table),
        cmocka_unit_test(test_add_partition),
        cmocka_unit_test(test_strings_and_identifiers),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_table_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
