/* lookup_test.c: small CSV files, and tables of CSV and JSON files with their keys. */
#include "batch/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "util/csv.h"

/* Fields joined by |, records by ;, or the error. */
static void test_csv(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"a,b\n1,2\n", "a|b;1|2;"},
        {"a,b\r\n1,2\r\n", "a|b;1|2;"},
        {"a,b\n1,2", "a|b;1|2;"},
        {"\xEF\xBB\xBF""a\n\n\r\n1\n\n", "a;1;"},
        {"a,,\n,\n", "a||;|;"},
        {"\"a,b\",\"c\"\"d\"\n", "a,b|c\"d;"},
        {"\"a\nb\",c\nd,e", "a\nb|c;d|e;"},
        {"\"\",\"\"\"\"\n", "|\";"},
        {"a \"x\" b,c", "a \"x\" b|c;"},
        {"\"a\r\nb\"\r\n", "a\r\nb;"},
        {"a,b\n\"c", "a|b;line 2: the quote is not closed"},
        {"a\n\"b\" c\n", "a;line 2: behind a closing quote there must be a separator"},
        {"a,b,c,d,e", "line 1: more than 4 fields"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *bytes = xstrndup(cases[i].text, strlen(cases[i].text)), shown[200] = "";
        struct csv_reader reader;
        struct str fields[4];
        struct error error = {0};
        size_t count = 1, size = 0;

        csv_reader_init(&reader, bytes, strlen(bytes), ',');
        while (count && csv_reader_next(&reader, fields, COUNT_OF(fields), &count, &error))
            for (size_t k = 0; k < count; k++)
                size += (size_t)snprintf(shown + size, sizeof(shown) - size, "%.*s%s", STR_ARG(fields[k]), k + 1 < count ? "|" : ";");
        snprintf(shown + size, sizeof(shown) - size, "%s", error.text);
        free(bytes);
        if (strncmp(shown, cases[i].want, strlen(cases[i].want)) != 0 || (!error.text[0] && strcmp(shown, cases[i].want) != 0))
            fail_msg("%s gives %s", cases[i].text, shown);
    }
}

static const struct lookup_value values[] = {{{"name", 4}, {.kind = TYPE_STRING}}, {{"rate", 4}, {TYPE_DECIMAL, 10, 2}}};

static bool load(struct lookup_table **table_out, const char *text, bool json, size_t bytes_max, struct error *error)
{
    struct lookup_options options = {.name = "f", .json = json, .separator = ',', .key = STR("code"), .values = values, .value_count = 2,
                                     .bytes_max = bytes_max};
    struct buffer content;
    bool ok;

    buffer_init(&content, 0);
    buffer_append(&content, text, strlen(text));
    ok = lookup_table_new(table_out, &content, &options, error);
    buffer_release(&content);
    return ok;
}

static void test_tables(void **state)
{
    static const struct {
        const char *text;
        bool json;
    } cases[] = {
        {"rate,code,name,more\n1.50,sh,上海,x\n,bj,,\n\"2\",\"x,y\",\"q\"\"q\",\n", false},
        {"[{\"code\":\"sh\",\"name\":\"上海\",\"rate\":1.50,\"more\":[1]},{\"code\":\"bj\",\"name\":\"\",\"rate\":null},"
         "{\"code\":\"x,y\",\"name\":\"q\\\"q\",\"rate\":\"2\"}]", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct lookup_table *table;
        struct error error;
        uint32_t row;

        if (!load(&table, cases[i].text, cases[i].json, 1 << 20, &error))
            fail_msg("%s", error.text);
        assert_int_equal(lookup_table_count(table), 3);
        assert_true(lookup_table_find(table, STR("sh"), &row));
        assert_true(str_is(lookup_table_column(table, 0)->text[row], "上海"));
        assert_true(lookup_table_column(table, 1)->decimal[row] == 150);
        assert_true(lookup_table_find(table, STR("bj"), &row));
        assert_false(column_is_null(lookup_table_column(table, 0), row));
        assert_int_equal(lookup_table_column(table, 0)->text[row].size, 0);
        assert_true(column_is_null(lookup_table_column(table, 1), row));
        assert_true(lookup_table_find(table, STR("x,y"), &row));
        assert_true(str_is(lookup_table_column(table, 0)->text[row], "q\"q"));
        assert_false(lookup_table_find(table, STR("SH"), &row));
        assert_false(lookup_table_find(table, STR(""), &row));
        lookup_table_free(table);
    }
}

static void test_many_keys(void **state)
{
    struct lookup_table *table;
    struct buffer text;
    struct error error;

    (void)state;
    buffer_init(&text, 0);
    buffer_print(&text, "code,name,rate\n");
    for (int i = 0; i < 20000; i++)
        buffer_print(&text, "k%d,n%d,%d\n", i, i, i);
    assert_true(load(&table, buffer_text(&text), false, 16 << 20, &error));
    for (int i = 0; i < 20000; i++) {
        char key[16];
        uint32_t row;

        snprintf(key, sizeof(key), "k%d", i);
        assert_true(lookup_table_find(table, str_of(key), &row));
        assert_true(lookup_table_column(table, 1)->decimal[row] == i * 100);
    }
    assert_true(lookup_table_bytes(table) <= 16 << 20);
    lookup_table_free(table);
    assert_false(load(&table, buffer_text(&text), false, 1 << 20, &error));
    assert_string_equal(error.text, "f takes more than the 1024 KiB of memory that are left");
    buffer_release(&text);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text;
        bool json;
        const char *want;
    } cases[] = {
        {"", false, "f is empty: its first line names the columns"},
        {"cod,name,rate\n", false, "f has no column \"code\"; did you mean \"cod\"?"},
        {"code,nam,rate\n", false, "f has no column \"name\"; did you mean \"nam\"?"},
        {"code,name,rate\na,b,1\nc,d,2\n\na,x,3\n", false, "f: line 5: the key \"a\" is there already, in line 2"},
        {"code,name,rate\na,b\n", false, "f: line 2: 2 fields, where the first line has 3"},
        {"code,name,rate\na,b,1.555\n", false, "f: line 2: rate: \"1.555\" "},
        {"code,name,rate\na,\"b,1\n", false, "f: line 2: the quote is not closed"},
        {"code,name,rate\na,\xFF,1\n", false, "f is not UTF-8"},
        {"{}", true, "f must hold an array of objects"},
        {"[1]", true, "f: element 1 is no object"},
        {"[\n{\"code\": \"a\",}]", true, "f: line 2: "},
        {"[{\"cod\":\"a\"}]", true, "element 1: f has no column \"code\"; did you mean \"cod\"?"},
        {"[{\"code\":\"a\",\"nam\":\"x\",\"rate\":1}]", true, "element 1: f has no column \"name\"; did you mean \"nam\"?"},
        {"[{\"code\":null}]", true, "f: element 1 has no key"},
        {"[{\"code\":[]}]", true, "f: element 1: code is an object or an array"},
        {"[{\"code\":\"a\"},{\"code\":\"a\"}]", true, "f: element 2: the key \"a\" is there already, in element 1"},
        {"[{\"code\":\"a\",\"name\":1,\"rate\":1.555}]", true, "f: element 1: rate: \"1.555\" "},
        {"[{\"code\":\"a\",\"rate\":{}}]", true, "f: element 1: rate is an object or an array"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct lookup_table *table;
        struct error error;

        assert_false(load(&table, cases[i].text, cases[i].json, 1 << 20, &error));
        if (strncmp(error.text, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s: %s", cases[i].text, error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
