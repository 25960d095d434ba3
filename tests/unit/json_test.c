/* json_test.c: paths and the json stage's kernel. Results are compared as text: what a column holds, or why its row is dirty. */
#include "batch/decimal.h"
#include "batch/kernels/json_path.h"
#include "util/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void paths_are_parsed_or_point_at_the_fault(void **state)
{
    static const struct {
        const char *text;
        const char *result; /* the steps, or the error's beginning behind the path */
    } cases[] = {
        {"$", ""},
        {"$.a.b", "<a><b>"},
        {"$.a[0][12]", "<a>[0][12]"},
        {"$['odd name'].x", "<odd name><x>"},
        {"$[\"it's\"]['it\\'s']['b\\\\s']", "<it's><it's><b\\s>"},
        {"$.list[*].x", "<list>[*]<x>"},
        {"$.城市", "<城市>"},
        {"@.sku", "@<sku>"},
        {"$['']", "<>"},
        {"", "!1:"},
        {"a.b", "!1:"},
        {"$a", "!2:"},
        {"$.", "!3:"},
        {"$..a", "!3:"},
        {"$.*", "!3:"},
        {"$.a b", "!4:"},
        {"$[-1]", "!3:"},
        {"$[1", "!4:"},
        {"$[99999999999]", "!11:"},
        {"$['a", "!5:"},
        {"$['a\\x']", "!6:"},
        {"$.城[x]", "!5:"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_path *path;
        struct error error;
        char text[200] = "";
        size_t size = 0, wrong_at;

        if (!json_path_parse(&path, str_of(cases[i].text), &wrong_at, &error)) {
            const char *at = strstr(error.text, "at character ");

            assert_non_null(at);
            snprintf(text, sizeof(text), "!%s", at + strlen("at character "));
            assert_int_equal(cases[i].result[0], '!');
            assert_true(wrong_at + 1 >= (size_t)atoi(at + strlen("at character ")) && wrong_at <= strlen(cases[i].text));
            text[strlen(cases[i].result)] = '\0';
        } else {
            size += (size_t)snprintf(text, sizeof(text), "%s", path->element ? "@" : "");
            for (size_t k = 0; k < path->step_count; k++) {
                const struct json_step *step = &path->steps[k];

                if (step->kind == JSON_STEP_KEY)
                    size += (size_t)snprintf(text + size, sizeof(text) - size, "<%.*s>", STR_ARG(step->key));
                else if (step->kind == JSON_STEP_INDEX)
                    size += (size_t)snprintf(text + size, sizeof(text) - size, "[%u]", step->index);
                else
                    size += (size_t)snprintf(text + size, sizeof(text) - size, "[*]");
            }
            json_path_free(path);
        }
        assert_string_equal(text, cases[i].result);
    }
}

static void print_cell(struct buffer *text, const struct column *column, uint32_t row)
{
    char digits[DECIMAL_TEXT_MAX];

    if (column_is_null(column, row)) {
        buffer_append_str(text, STR("NULL"));
        return;
    }
    switch (column->type.kind) {
    case TYPE_BOOLEAN: buffer_append_str(text, column->boolean[row] ? STR("true") : STR("false")); break;
    case TYPE_BIGINT: buffer_print(text, "%lld", (long long)column->bigint[row]); break;
    case TYPE_DOUBLE: buffer_print(text, "%.17g", column->real[row]); break;
    case TYPE_DECIMAL: buffer_append(text, digits, decimal_print(column->decimal[row], column->type.scale, digits)); break;
    case TYPE_DATE: buffer_print(text, "day %d", column->date[row]); break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        buffer_print(text, "%lld+%d", (long long)column->instant[row].seconds, column->instant[row].nanos);
        break;
    default: buffer_append_str(text, column->text[row]); break;
    }
}

/* The documents (NULL-terminated list; an entry of "NULL" is a NULL value) through the extractor, each row as [cell|cell], dirty
 * rows at the end as !index:column:reason, and the counts when rows were filtered or added. */
static char *extract(const struct json_options *options, enum when_error when_error, const char *const *documents)
{
    struct json_extractor *extractor;
    struct batch *batch = batch_new(16 << 20);
    struct buffer text;
    struct error error = {0};
    struct json_mistakes mistakes;

    buffer_init(&text, 0);
    if (!json_extractor_new(&extractor, options, &mistakes)) {
        batch_free(batch);
        for (size_t i = 0; i < mistakes.count; i++) {
            const struct json_mistake *mistake = &mistakes.list[i];

            buffer_print(&text, "%s", i ? " & " : "error ");
            if (mistake->column < options->column_count)
                buffer_print(&text, "columns[%zu].", mistake->column + 1);
            buffer_print(&text, "%s: %s", mistake->key, mistake->text);
        }
        return buffer_take(&text, NULL);
    }
    /* Twice: what one batch leaves behind must not show in the next one. */
    for (int round = 0; round < 2; round++) {
        batch_clear(batch);
        buffer_clear(&text);
        for (int64_t i = 0; documents[i]; i++) {
            struct str value = strcmp(documents[i], "NULL") == 0 ? STR_NONE : str_of(documents[i]);

            batch_add_message(batch, &(struct message){.value = value, .offset = i}, NULL);
        }
        assert_true(batch_begin(batch, 1u << BUILTIN_VALUE));
        batch->stage = "parse";
        batch->when_error = when_error;
        if (!json_extract(extractor, batch, &error))
            fail_msg("%s", error.text);
        for (uint32_t i = 0; i < batch->selected; i++) {
            buffer_append_char(&text, '[');
            for (uint32_t k = 1; k < batch->field_count; k++) {
                if (k > 1)
                    buffer_append_char(&text, '|');
                print_cell(&text, batch->fields[k].column, batch->selection[i]);
            }
            buffer_append_char(&text, ']');
        }
        for (const struct dirty_row *row = batch->dirty; row; row = row->next)
            buffer_print(&text, "!%u.%u:%.*s:%.*s", row->message, row->index, STR_ARG(row->column), STR_ARG(row->reason));
        if (batch->filtered_count || batch->expanded_count)
            buffer_print(&text, " filtered %u expanded %u", batch->filtered_count, batch->expanded_count);
        assert_int_equal(batch->message_count + batch->expanded_count,
                         batch->selected + batch->filtered_count + batch->dirty_count);
    }
    json_extractor_free(extractor);
    batch_free(batch);
    return buffer_take(&text, NULL);
}

static void check(const struct json_options *options, enum when_error when_error, const char *const *documents,
                  const char *wanted)
{
    char *result = extract(options, when_error, documents);

    assert_string_equal(result, wanted);
    free(result);
}

#define DOCUMENTS(...) (const char *const[]){__VA_ARGS__, NULL}

static void one_value_of_each_type(void **state)
{
    static const struct {
        const char *document, *path;
        struct type type;
        const char *wanted;
    } cases[] = {
        {"{\"a\":\"x\"}", "$.a", {.kind = TYPE_STRING}, "[x]"},
        {"{\"a\":\"x\\u4e0a\\n\"}", "$.a", {.kind = TYPE_STRING}, "[x上\n]"},
        {"{\"a\":\"\"}", "$.a", {.kind = TYPE_STRING}, "[]"},
        {"{\"a\":1}", "$.a", {.kind = TYPE_STRING}, "!0.0:c:a number cannot be a string: 1"},
        {"{\"a\":null}", "$.a", {.kind = TYPE_STRING}, "[NULL]"},
        {"{}", "$.a", {.kind = TYPE_STRING}, "[NULL]"},
        {"{\"a\":1,\"a\":2}", "$.a", {.kind = TYPE_BIGINT}, "[2]"},
        {"{\"a\":{\"b\":1},\"a\":{}}", "$.a.b", {.kind = TYPE_BIGINT}, "[NULL]"},
        {"{\"a\":{\"b\":1},\"a\":7}", "$.a.b", {.kind = TYPE_BIGINT}, "[NULL]"},
        {"{\"a\":9223372036854775807}", "$.a", {.kind = TYPE_BIGINT}, "[9223372036854775807]"},
        {"{\"a\":-9223372036854775808}", "$.a", {.kind = TYPE_BIGINT}, "[-9223372036854775808]"},
        {"{\"a\":9007199254740993}", "$.a", {.kind = TYPE_BIGINT}, "[9007199254740993]"},
        {"{\"a\":-0}", "$.a", {.kind = TYPE_BIGINT}, "[0]"},
        {"{\"a\":9223372036854775808}", "$.a", {.kind = TYPE_BIGINT}, "!0.0:c:an integer beyond 64 bits: 9223372036854775808"},
        {"{\"a\":-9223372036854775809}", "$.a", {.kind = TYPE_BIGINT}, "!0.0:c:an integer beyond 64 bits: -9223372036854775809"},
        {"{\"a\":99999999999999999999}", "$.a", {.kind = TYPE_BIGINT}, "!0.0:c:an integer beyond 64 bits: 99999999999999999999"},
        {"{\"a\":1.0}", "$.a", {.kind = TYPE_BIGINT}, "!0.0:c:a number with a fraction or an exponent cannot be a bigint: 1"},
        {"{\"a\":\"1\"}", "$.a", {.kind = TYPE_BIGINT}, "!0.0:c:a string cannot be a bigint: \"1\""},
        {"{\"a\":1.5}", "$.a", {.kind = TYPE_DOUBLE}, "[1.5]"},
        {"{\"a\":123456789012345678901234567890}", "$.a", {.kind = TYPE_DOUBLE}, "[1.2345678901234568e+29]"},
        {"{\"a\":1e999}", "$.a", {.kind = TYPE_DOUBLE}, "!0.0:c:a number beyond the range of a double: 1e999"},
        {"{\"a\":1e999,\"b\":1}", "$.b", {.kind = TYPE_DOUBLE}, "[1]"},
        {"{\"a\":\"1.5\"}", "$.a", {.kind = TYPE_DOUBLE}, "!0.0:c:a string cannot be a double: \"1.5\""},
        {"{\"a\":true}", "$.a", {.kind = TYPE_BOOLEAN}, "[true]"},
        {"{\"a\":1}", "$.a", {.kind = TYPE_BOOLEAN}, "!0.0:c:a number cannot be a boolean: 1"},
        {"{\"a\":12.50}", "$.a", {TYPE_DECIMAL, 10, 2}, "[12.50]"},
        {"{\"a\":\"12.5\"}", "$.a", {TYPE_DECIMAL, 10, 2}, "[12.50]"},
        {"{\"a\":12345678901234567890.123456789012345678}", "$.a", {TYPE_DECIMAL, 38, 18},
         "[12345678901234567890.123456789012345678]"},
        {"{\"a\":12.345}", "$.a", {TYPE_DECIMAL, 10, 2}, "!0.0:c:more decimal places than the column has: 12.345"},
        {"{\"a\":123456789.5}", "$.a", {TYPE_DECIMAL, 10, 2}, "!0.0:c:more digits than the column has: 123456789.5"},
        {"{\"a\":\"12,5\"}", "$.a", {TYPE_DECIMAL, 10, 2}, "!0.0:c:not a number: \"12,5\""},
        {"{\"a\":{}}", "$.a", {TYPE_DECIMAL, 10, 2}, "!0.0:c:an object cannot be a decimal(10,2)"},
        {"{\"a\":\"1970-01-11\"}", "$.a", {.kind = TYPE_DATE}, "[day 10]"},
        {"{\"a\":\"1970-02-30\"}", "$.a", {.kind = TYPE_DATE}, "!0.0:c:not a date such as 2024-01-31: \"1970-02-30\""},
        {"{\"a\":\"1970-01-01T01:00:00.5+01:00\"}", "$.a", {.kind = TYPE_TIMESTAMP}, "[0+500000000]"},
        {"{\"a\":\"1970-01-01 00:00:01\"}", "$.a", {.kind = TYPE_TIMESTAMP_NTZ}, "[1+0]"},
        {"{\"a\":\"1970-01-01 00:00:01\"}", "$.a", {.kind = TYPE_DATETIME},
         "!0.0:c:a date-time without an offset needs a time zone; name one in the job: \"1970-01-01 00:00:01\""},
        {"{\"a\":\"1970-01-01 00:00:01.0001Z\"}", "$.a", {.kind = TYPE_DATETIME},
         "!0.0:c:a datetime holds milliseconds; use timestamp: \"1970-01-01 00:00:01.0001Z\""},
        {"{\"a\":\"Zm9v\"}", "$.a", {.kind = TYPE_BINARY}, "[foo]"},
        {"{\"a\":\"Zg==\"}", "$.a", {.kind = TYPE_BINARY}, "[f]"},
        {"{\"a\":\"Zh==\"}", "$.a", {.kind = TYPE_BINARY}, "!0.0:c:not base64: \"Zh==\""},
        {"{\"a\":\"Z=9v\"}", "$.a", {.kind = TYPE_BINARY}, "!0.0:c:not base64: \"Z=9v\""},
        {"{\"a\":{ \"b\" : [1.10, \"\\u0041\" , null]}}", "$.a", {.kind = TYPE_JSON}, "[{\"b\":[1.10,\"A\",null]}]"},
        {"{\"a\":99999999999999999999.10}", "$.a", {.kind = TYPE_JSON}, "[99999999999999999999.10]"},
        {"{\"a\":\"x\\\"y\"}", "$.a", {.kind = TYPE_JSON}, "[\"x\\\"y\"]"},
        {"{\"a\": 1}", "$", {.kind = TYPE_JSON}, "[{\"a\":1}]"},
        {"{\"a\":[10,20,30]}", "$.a[2]", {.kind = TYPE_BIGINT}, "[30]"},
        {"{\"a\":[10,20,30]}", "$.a[3]", {.kind = TYPE_BIGINT}, "[NULL]"},
        {"{\"odd name\":{\"x\":1}}", "$['odd name'].x", {.kind = TYPE_BIGINT}, "[1]"},
        {"{\"l\":[{\"x\":1.50},{},{\"x\":\"b\"},7]}", "$.l[*].x", {.kind = TYPE_JSON}, "[[1.50,\"b\"]]"},
        {"{\"l\":[[1,2],[3]]}", "$.l[*][*]", {.kind = TYPE_STRING}, "[[1,2,3]]"},
        {"{\"l\":[]}", "$.l[*].x", {.kind = TYPE_JSON}, "[[]]"},
        {"{\"l\":{}}", "$.l[*].x", {.kind = TYPE_JSON}, "!0.0:c:an object stands where the path needs an array"},
        {"[5,6]", "$[1]", {.kind = TYPE_BIGINT}, "[6]"},
        {"[5,6]", "$.a", {.kind = TYPE_BIGINT}, "!0.0:__value__:the document is an array, not an object"},
        {"7", "$.a", {.kind = TYPE_BIGINT}, "!0.0:__value__:the document is a number, not an object"},
        {"", "$.a", {.kind = TYPE_BIGINT}, "!0.0:__value__:not JSON: the text is empty"},
        {"{\"a\":", "$.a", {.kind = TYPE_BIGINT}, "!0.0:__value__:not JSON: unexpected end of data at byte 5 of 5"},
        {"NULL", "$.a", {.kind = TYPE_BIGINT}, "[NULL]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_column column = {.name = STR("c"), .path = str_of(cases[i].path), .type = cases[i].type};
        struct json_options options = {.from = STR("__value__"), .columns = &column, .column_count = 1};

        check(&options, WHEN_ERROR_DIRTY, DOCUMENTS(cases[i].document), cases[i].wanted);
    }
}

static void broken_documents_fail_alone(void **state)
{
    static const char *const documents[] = {"{\"a\":1}", "{\"a\":1", "{\"a\":\"\xFF\"}", "{\"a\":1}x", "{\"a\":01}", "{\"a\":2}"};
    struct json_column column = {.name = STR("c"), .path = STR("$.a"), .type = TYPE_OF(TYPE_BIGINT)};
    struct json_options options = {.from = STR("__value__"), .columns = &column, .column_count = 1};
    char *result = extract(&options, WHEN_ERROR_DIRTY, DOCUMENTS(documents[0], documents[1], documents[2], documents[3],
                                                                 documents[4],
                                                                  documents[5]));

    (void)state;
    assert_memory_equal(result, "[1][2]!1.0:__value__:not JSON: ", 30);
    assert_non_null(strstr(result, "!2.0:__value__:not JSON: "));
    assert_non_null(strstr(result, "!3.0:"));
    assert_non_null(strstr(result, "!4.0:"));
    free(result);
    check(&options, WHEN_ERROR_NULL, DOCUMENTS("{\"a\":1}", "{\"a\":", "[]", "{\"a\":\"x\"}"), "[1][NULL][NULL][NULL]");
    check(&options, WHEN_ERROR_DROP, DOCUMENTS("{\"a\":1}", "{\"a\":", "{\"a\":\"x\"}"), "[1] filtered 2 expanded 0");
    column.required = true;
    check(&options, WHEN_ERROR_NULL, DOCUMENTS("{\"a\":1}", "{", "{}", "{\"a\":\"x\"}", "NULL"),
          "[1]!1.0:c:a required value is missing: there is no document!2.0:c:a required value is missing"
          "!3.0:c:a string cannot be a bigint: \"x\"!4.0:c:a required value is missing: there is no document");
    check(&options, WHEN_ERROR_DIRTY, DOCUMENTS("{\"a\":null}"), "!0.0:c:a required value is null");
}

static void defaults_stand_for_missing_paths_only(void **state)
{
    struct json_column columns[] = {
        {.name = STR("n"), .path = STR("$.n"), .type = TYPE_OF(TYPE_BIGINT), .has_default = true, .default_text = STR("-7")},
        {.name = STR("d"), .path = STR("$.d"), .type = type_decimal(5, 2), .has_default = true, .default_text = STR("1.5")},
        {.name = STR("s"), .path = STR("$.s"), .type = TYPE_OF(TYPE_STRING), .has_default = true, .default_text = STR("")},
        {.name = STR("j"), .path = STR("$.j"), .type = TYPE_OF(TYPE_JSON), .has_default = true, .default_text = STR("[]")},
        {.name = STR("f"), .path = STR("$.f"), .type = TYPE_OF(TYPE_DOUBLE), .has_default = true, .default_text = STR("2.5e1")},
    };
    struct json_options options = {.from = STR("__value__"), .columns = columns, .column_count = 5};
    char *result;

    (void)state;
    check(&options, WHEN_ERROR_DIRTY, DOCUMENTS("{}", "{\"n\":null,\"d\":2,\"s\":\"x\"}"), "[-7|1.50||[]|25][NULL|2.00|x|[]|25]");
    columns[1].default_text = STR("1.555");
    result = extract(&options, WHEN_ERROR_DIRTY, DOCUMENTS("{}"));
    assert_string_equal(result,
                        "error columns[2].default: the default \"1.555\" does not suit type decimal(5,2): more decimal places than "
                                "the column has");
    free(result);
}

static void options_that_do_not_go_together_are_refused(void **state)
{
    static const struct {
        const char *from, *expand, *path, *name;
        enum type_kind kind;
        const char *option;
    } cases[] = {
        {"", NULL, "$.a", "c", TYPE_STRING, "error from:"},
        {"__value__", "@.a", "$.a", "c", TYPE_STRING, "error expand:"},
        {"__value__", "$.a[*]", "$.a", "c", TYPE_STRING, "error expand:"},
        {"__value__", NULL, "@.a", "c", TYPE_STRING, "error columns[1].path:"},
        {"__value__", NULL, "$.a[", "c", TYPE_STRING, "error columns[1].path:"},
        {"__value__", NULL, "$.a[*]", "c", TYPE_BIGINT, "error columns[1].type:"},
        {"__value__", NULL, "$.a", "c", TYPE_NULL, "error columns[1].type:"},
        {"__value__", NULL, "$.a", "", TYPE_STRING, "error columns[1].name:"},
        {"__value__", NULL, "$.a", "rest", TYPE_STRING, "error columns[1].name:"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_column column = {.name = str_of(cases[i].name), .path = str_of(cases[i].path),
                                     .type = TYPE_OF(cases[i].kind)};
        struct json_options options = {.from = str_of(cases[i].from), .expand = str_of(cases[i].expand), .rest = STR("rest"),
                                       .columns = &column, .column_count = 1};
        char *result = extract(&options, WHEN_ERROR_DIRTY, DOCUMENTS("{}"));

        result[size_min(strlen(result), strlen(cases[i].option))] = '\0';
        assert_string_equal(result, cases[i].option);
        free(result);
    }
}

static void the_order_of_members_does_not_matter(void **state)
{
    static const char *const names[] = {"a", "bb", "long name of a member", "long name of another"};
    struct json_column columns[4];
    struct json_options options = {.from = STR("__value__"), .columns = columns, .column_count = 4};
    char path[4][40];

    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(path[i], sizeof(path[i]), "$['%s']", names[i]);
        columns[i] = (struct json_column){.name = str_of(names[i]), .path = str_of(path[i]), .type = TYPE_OF(TYPE_BIGINT)};
    }
    check(&options, WHEN_ERROR_DIRTY,
          DOCUMENTS("{\"a\":1,\"bb\":2,\"long name of a member\":3,\"long name of another\":4}",
                    "{\"long name of another\":4,\"x\":0,\"bb\":2,\"long name of a membre\":0,\"a\":1,\"long name of a member\":3}",
                    "{\"\":9,\"b\":9,\"bbb\":9,\"a\":5,\"bb\\u0000\":8,\"\\u0062b\":6}"),
          "[1|2|3|4][1|2|3|4][5|6|NULL|NULL]");
}

static void the_rest_is_what_no_path_took(void **state)
{
    struct json_column columns[] = {
        {.name = STR("a"), .path = STR("$.a"), .type = TYPE_OF(TYPE_BIGINT)},
        {.name = STR("x"), .path = STR("$.o.x"), .type = TYPE_OF(TYPE_BIGINT)},
        {.name = STR("i"), .path = STR("$.l[0]"), .type = TYPE_OF(TYPE_BIGINT)},
    };
    struct json_options options = {.from = STR("__value__"), .rest = STR("rest"), .columns = columns, .column_count = 3};

    (void)state;
    check(&options, WHEN_ERROR_DIRTY,
          DOCUMENTS("{\"a\":1,\"o\":{\"x\":2},\"l\":[3]}", "{\"z\":1.10,\"o\":{\"y\":{\"k\\n\":[]},\"x\":2},\"q\":\"\\u4e0a\"}",
                    "{\"o\":\"text\"}", "{\"a\":5,\"a\":6,\"o\":{}}",
                    "{\"o\":{\"x\":1,\"y\":2},\"o\":{\"x\":3,\"z\":4}}"),
          "[1|2|3|{\"l\":[3]}][NULL|2|NULL|{\"z\":1.10,\"o\":{\"y\":{\"k\\n\":[]}},\"q\":\"上\"}][NULL|NULL|NULL|{\"o\":\"text\"}]"
          "[6|NULL|NULL|{\"o\":{}}][NULL|3|NULL|{\"o\":{\"z\":4}}]");
    /* What an earlier member of a wanted name holds is nowhere. */
    columns[0].path = STR("$.o.p.q");
    options.column_count = 1;
    check(&options, WHEN_ERROR_DIRTY, DOCUMENTS("{\"o\":{\"p\":{},\"p\":{\"q\":1}},\"z\":2}", "{\"o\":{\"p\":{\"r\":3},\"p\":{\"q\":1}}}"),
          "[1|{\"z\":2}][1|{}]");
}

static void an_array_becomes_rows(void **state)
{
    struct json_column columns[] = {
        {.name = STR("id"), .path = STR("$.id"), .type = TYPE_OF(TYPE_BIGINT), .required = true},
        {.name = STR("sku"), .path = STR("@.sku"), .type = TYPE_OF(TYPE_STRING)},
        {.name = STR("n"), .path = STR("@.n"), .type = type_decimal(6, 2), .required = true},
    };
    struct json_options options = {.from = STR("__value__"), .expand = STR("$.items"), .rest = STR("rest"), .columns = columns,
                                   .column_count = 3};
    struct json_column whole = {.name = STR("e"), .path = STR("@"), .type = TYPE_OF(TYPE_BIGINT)};
    struct json_options root = {.from = STR("__value__"), .expand = STR("$"), .columns = &whole, .column_count = 1};

    (void)state;
    check(&options, WHEN_ERROR_DIRTY,
          DOCUMENTS("{\"id\":1,\"items\":[{\"sku\":\"a\",\"n\":1.5},{\"n\":2}],\"k\":0}", "{\"id\":2}", "{\"id\":3,\"items\":[]}",
                    "{\"id\":4,\"items\":null}", "{\"id\":5,\"items\":{}}", "{\"items\":[{\"n\":1}]}",
                    "{\"id\":6,\"items\":[{\"n\":\"x\"},{\"n\":3}]}"),
          "[1|{\"k\":0}|a|1.50][1|{\"k\":0}|NULL|2.00][6|{}|NULL|3.00]"
          "!4.0:__value__:expand $.items needs an array, there is an object!5.0:id:a required value is missing"
          "!6.0:n:not a number: \"x\" filtered 3 expanded 2");
    check(&root, WHEN_ERROR_DIRTY, DOCUMENTS("[1,2,null]", "[]", "{}"),
          "[1][2][NULL]!2.0:__value__:the document is an object, not an array filtered 1 expanded 2");
    check(&root, WHEN_ERROR_DIRTY, DOCUMENTS("[]"), " filtered 1 expanded 0");
}

static void many_elements_and_deep_documents_are_no_danger(void **state)
{
    enum { DEPTH = 100000, ELEMENTS = 5000 };
    struct json_column columns[] = {
        {.name = STR("a"), .path = STR("$.a"), .type = TYPE_OF(TYPE_JSON)},
        {.name = STR("e"), .path = STR("@"), .type = TYPE_OF(TYPE_BIGINT)},
    };
    struct json_options options = {.from = STR("__value__"), .expand = STR("$.l"), .columns = columns, .column_count = 2};
    struct json_extractor *extractor;
    struct batch *batch = batch_new(32 << 20);
    struct buffer document;
    struct error error;
    struct json_mistakes mistakes;

    (void)state;
    buffer_init(&document, 0);
    buffer_append_str(&document, STR("{\"a\":"));
    for (int i = 0; i < DEPTH; i++)
        buffer_append_char(&document, '[');
    for (int i = 0; i < DEPTH; i++)
        buffer_append_char(&document, ']');
    buffer_append_str(&document, STR(",\"l\":[null"));
    for (int i = 1; i < ELEMENTS; i++)
        buffer_print(&document, ",%d", i);
    buffer_append_str(&document, STR("]}"));
    assert_true(json_extractor_new(&extractor, &options, &mistakes));
    batch_add_message(batch, &(struct message){.value = buffer_str(&document)}, NULL);
    assert_true(batch_begin(batch, 1u << BUILTIN_VALUE));
    assert_true(json_extract(extractor, batch, &error));
    assert_int_equal(batch->selected, ELEMENTS);
    assert_int_equal(batch_field(batch, STR("a"))->column->text[ELEMENTS - 1].size, 2 * DEPTH);
    assert_true(column_is_null(batch_field(batch, STR("e"))->column, 0));
    assert_int_equal(batch_field(batch, STR("e"))->column->bigint[ELEMENTS - 1], ELEMENTS - 1);
    batch_free(batch);
    /* With too little memory the call fails, and nothing else happens. */
    batch = batch_new(300000);
    batch_add_message(batch, &(struct message){.value = buffer_str(&document)}, NULL);
    assert_true(batch_begin(batch, 1u << BUILTIN_VALUE));
    assert_false(json_extract(extractor, batch, &error));
    assert_int_equal(error.kind, ERROR_DATA);
    batch_free(batch);
    json_extractor_free(extractor);
    buffer_release(&document);
}

static void texts_without_escapes_are_slices(void **state)
{
    struct json_column column = {.name = STR("c"), .path = STR("$.a"), .type = TYPE_OF(TYPE_STRING)};
    struct json_options options = {.from = STR("__value__"), .columns = &column, .column_count = 1};
    static const char document[] = "{\"a\":\"text\"}";
    struct json_extractor *extractor;
    struct batch *batch = batch_new(1 << 20);
    struct error error;
    struct json_mistakes mistakes;

    (void)state;
    assert_true(json_extractor_new(&extractor, &options, &mistakes));
    batch_add_message(batch, &(struct message){.value = str_of(document)}, NULL);
    assert_true(batch_begin(batch, 1u << BUILTIN_VALUE));
    assert_true(json_extract(extractor, batch, &error));
    assert_ptr_equal(batch->fields[1].column->text[0].data, document + 6);
    batch_free(batch);
    json_extractor_free(extractor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_parsed_or_point_at_the_fault),
        cmocka_unit_test(one_value_of_each_type),
        cmocka_unit_test(broken_documents_fail_alone),
        cmocka_unit_test(defaults_stand_for_missing_paths_only),
        cmocka_unit_test(options_that_do_not_go_together_are_refused),
        cmocka_unit_test(the_order_of_members_does_not_matter),
        cmocka_unit_test(the_rest_is_what_no_path_took),
        cmocka_unit_test(an_array_becomes_rows),
        cmocka_unit_test(many_elements_and_deep_documents_are_no_danger),
        cmocka_unit_test(texts_without_escapes_are_slices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
