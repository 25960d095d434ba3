/* The statements of protocol section 7.7 in their spellings, and what is said about those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "local/ddl_parse.h"

static void create_table_is_read_with_all_its_clauses(void **state)
{
    struct ddl_statement statement;
    struct error error;
    size_t position = 0;
    struct str sql = STR(
        "CREATE TABLE IF NOT EXISTS p.s.`T` (\n  `k` BIGINT NOT NULL COMMENT 'it\\'s',\n  v map<string,array<decimal(10, 2)>>,\n"
        "  d decimal(10,2) DEFAULT -1.5 -- a remark\n)\nCOMMENT \"c\"\nPARTITIONED BY (`dt` STRING, hh INT)\n"
        "TBLPROPERTIES ('a' = 'b', 'c'='d')\nLIFECYCLE 7;");

    (void)state;
    assert_true(ddl_parse(&statement, sql, &position, &error));
    assert_int_equal(statement.kind, DDL_CREATE_TABLE);
    assert_true(statement.if_exists);
    assert_string_equal(statement.project, "p");
    assert_string_equal(statement.schema_name, "s");
    assert_string_equal(statement.table, "t");
    assert_int_equal(statement.columns.count, 3);
    assert_string_equal(statement.columns.items[0].name, "k");
    assert_true(statement.columns.items[0].not_null);
    assert_string_equal(statement.columns.items[0].comment, "it's");
    assert_string_equal(statement.columns.items[1].type, "map<string,array<decimal(10, 2)>>");
    assert_string_equal(statement.columns.items[2].default_value, "-1.5");
    assert_int_equal(statement.partitions.count, 2);
    assert_string_equal(statement.partitions.items[1].type, "INT");
    assert_string_equal(statement.comment, "c");
    assert_int_equal(statement.lifecycle_days, 7);
    ddl_statement_release(&statement);
    assert_true(ddl_parse(&statement, sql, &position, &error));
    assert_int_equal(statement.kind, DDL_END);
    ddl_statement_release(&statement);
}

static void other_statements_are_read_in_their_spellings(void **state)
{
    static const struct {
        const char *sql;
        enum ddl_kind kind;
        bool if_exists;
        const char *table, *spec;
    } cases[] = {
        {"DROP TABLE t", DDL_DROP_TABLE, false, "t", NULL},
        {"drop table if exists `p`.`t`;", DDL_DROP_TABLE, true, "t", NULL},
        {"ALTER TABLE t ADD PARTITION (dt='20240101')", DDL_ADD_PARTITION, false, "t", "dt=20240101"},
        {"alter table p.t add if not exists partition (DT=\"a\", `hh`=01) partition(dt='b',hh='2')", DDL_ADD_PARTITION, true, "t",
         "dt=a,hh=01|dt=b,hh=2"},
        {"ALTER TABLE p.`t` DROP IF EXISTS PARTITION (dt='x'), PARTITION (dt='y');", DDL_DROP_PARTITION, true, "t", "dt=x|dt=y"},
        {"ALTER TABLE p.`t` ADD COLUMNS (`x` STRING COMMENT 'cc', y bigint)", DDL_ADD_COLUMNS, false, "t", NULL},
        {"ALTER TABLE t ADD COLUMNS IF NOT EXISTS (x STRING)", DDL_ADD_COLUMNS, true, "t", NULL},
        {"SET odps.sql.type.system.odps2=true;", DDL_SET, false, NULL, NULL},
        {"/* nothing */ ; -- here", DDL_END, false, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ddl_statement statement;
        struct error error;
        size_t position = 0;
        char specs[256] = "";

        if (!ddl_parse(&statement, str_of(cases[i].sql), &position, &error))
            fail_msg("%s: %s", cases[i].sql, error.text);
        assert_int_equal(statement.kind, cases[i].kind);
        assert_int_equal(statement.if_exists, cases[i].if_exists);
        if (cases[i].table)
            assert_string_equal(statement.table, cases[i].table);
        for (size_t j = 0; j < statement.spec_count; j++) {
            strcat(specs, j ? "|" : "");
            strcat(specs, statement.specs[j]);
        }
        assert_string_equal(specs, cases[i].spec ? cases[i].spec : "");
        ddl_statement_release(&statement);
    }
}

static void mistakes_are_named_with_their_place(void **state)
{
    static const struct { const char *sql, *start, *part; } cases[] = {
        {"SELECT 1", "ODPS-0130161:[1,1] Parse exception - ", "SELECT"},
        {"CREATE TABLE t (a BIGINT,\n  PRIMARY KEY (a))", "ODPS-0130161:[2,3] ", "PRIMARY KEY is not supported"},
        {"CREATE TABLE t (a BIGNIT)", "ODPS-0130161:[1,19] ", "BIGNIT"},
        {"CREATE TABLE t (a BIGINT", "ODPS-0130161:[1,25] ", "the end of the text"},
        {"CREATE TABLE t (a BIGINT, A STRING)", "ODPS-0130161:", "not there twice"},
        {"CREATE TABLE t (a BIGINT) PARTITIONED BY (a STRING)", "ODPS-0130161:", "no data column"},
        {"CREATE TABLE t (a array<bigint)", "ODPS-0130161:", ""},
        {"ALTER TABLE t ADD PARTITION (dt='a/b')", "ODPS-0130161:", "without ','"},
        {"ALTER TABLE t ADD PARTITION (dt='')", "ODPS-0130161:", "not empty"},
        {"ALTER TABLE t ADD PARTITION (dt=", "ODPS-0130161:", "a partition value"},
        {"ALTER TABLE t RENAME TO u", "ODPS-0130161:[1,15] ", "RENAME"},
        {"DROP TABLE t u", "ODPS-0130161:[1,14] ", "the end of the statement"},
        {"DROP TABLE `t", "ODPS-0130161:", "a name expected"},
        {"DROP TABLE ``", "ODPS-0130161:", "a name expected"},
        {"DROP TABLE `a\"b`", "ODPS-0130161:", "letters"},
        {"CREATE TABLE t (a STRING COMMENT 'x", "ODPS-0130161:", "a quoted text"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ddl_statement statement;
        struct error error;
        size_t position = 0;

        if (ddl_parse(&statement, str_of(cases[i].sql), &position, &error))
            fail_msg("%s: was taken", cases[i].sql);
        if (strncmp(error.text, cases[i].start, strlen(cases[i].start)) != 0 || !strstr(error.text, cases[i].part))
            fail_msg("%s: %s", cases[i].sql, error.text);
    }
}

static void a_text_cut_anywhere_is_refused_or_read_but_never_overrun(void **state)
{
    static const char sql[] =
        "CREATE TABLE IF NOT EXISTS p.`t` (`k` decimal(10,2) NOT NULL DEFAULT 1.5 COMMENT 'x\\'') PARTITIONED BY (d STRING)";

    (void)state;
    for (size_t size = 0; size < sizeof(sql); size++) {
        char *copy = xmalloc(size); /* without the zero byte, so that a read beyond the end is seen */
        struct ddl_statement statement;
        struct error error;
        size_t position = 0;

        memcpy(copy, sql, size);
        if (ddl_parse(&statement, str_make(copy, size), &position, &error))
            ddl_statement_release(&statement);
        assert_true(position <= size);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_table_is_read_with_all_its_clauses),
        cmocka_unit_test(other_statements_are_read_in_their_spellings),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(a_text_cut_anywhere_is_refused_or_read_but_never_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
