/* failure_test.c: what the log says when the code of a stage fails on a row: line, stage, record, and no clear values. */
#include "support/script_support.h"

#include "batch/masked.h"

static void test_masked(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"Zhang 138-0013-8000", "Aaaaa 999-9999-9999"},
        {"张三@example.COM", "中中@aaaaaaa.AAA"},
        {"é Ж ß ǅ ª", "a A a A 中"},
        {"½ Ⅳ ٣", "9 9 9"},
        {"a\tb\nc", "a.a.a"},
        {"\xFF\xE4\xB8", "???"},
        {"\U0001F600", "*"},
        {"1234567890123456789012345678901234567890", "9999999999999999999999999999999999999999"},
        {"12345678901234567890123456789012345678901", "9999999999999999999999999999999999999999..."},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[MASKED_MAX];
        struct str shown = str_make(text, masked_text(str_of(cases[i].text), text));

        if (!str_is(shown, cases[i].want))
            fail_msg("%s is shown as %.*s", cases[i].text, STR_ARG(shown));
    }
}

static void test_longest_fits(void **state)
{
    struct str value;
    struct column column = {.type = TYPE_OF(TYPE_STRING), .rows = 1, .text = &value};
    char wide[4 * 100], text[MASKED_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(wide); i += 4)
        memcpy(wide + i, "\U000E0100", 4); /* a mark of four bytes, which stays */
    value = str_make(wide, sizeof(wide));
    assert_true(masked_value(&column, 0, text).size <= sizeof(text));
}

static void test_values(void **state)
{
    struct str bytes = STR("secret");
    struct column binary = {.type = TYPE_OF(TYPE_BINARY), .rows = 1, .text = &bytes};
    struct instant instant = {1706745599, 500000000};
    struct column time = {.type = TYPE_OF(TYPE_TIMESTAMP), .rows = 1, .instant = &instant};
    int64_t number = -1234;
    struct column bigint = {.type = TYPE_OF(TYPE_BIGINT), .rows = 1, .bigint = &number};
    uint8_t flag = 1, null = 1;
    struct column boolean = {.type = TYPE_OF(TYPE_BOOLEAN), .rows = 1, .boolean = &flag};
    struct column nothing = {.type = TYPE_OF(TYPE_BIGINT), .rows = 1, .bigint = &number, .null = &null};
    char text[MASKED_MAX];

    (void)state;
    assert_true(str_is(masked_value(&binary, 0, text), "6 bytes"));
    assert_true(str_is(masked_value(&time, 0, text), "9999-99-99 99:99:99.999A"));
    assert_true(str_is(masked_value(&bigint, 0, text), "-9999"));
    assert_true(str_is(masked_value(&boolean, 0, text), "true"));
    assert_true(str_is(masked_value(&nothing, 0, text), "NULL"));
}

/* Each body fails on one row; the log must say `want`, and none of the rows' clear values. */
static void test_log(void **state)
{
    static const struct {
        const char *body, *want;
    } cases[] = {
        {"batch:map({'id'}, {'x'}, function(i)\nif i == 2 then error('two') end return i end)",
         ".lua:4: two (record: partition 7, offset 101, values: id=9 amount=999.99 flag=false city=\"Aaaaaaa\" ratio=9.9)"},
        {"for row in batch:rows() do if row.id == 1 then\nrow.id = row.city end end",
         ".lua:4: field \"id\": \"Aaaaaaaa\" cannot become bigint (record: partition 7, offset 100, values: id=9 amount=99.99 flag=true "
         "city=\"Aaaaaaaa\""},
        {"for row in batch:rows() do if row.id == 5 then luaduct.time.parse(row.city) end end",
         ".lua:3: luaduct.time.parse: \"Aaaaa\" is no time: it must look like 2024-01-31 23:59:59"},
        {"for row in batch:rows() do if row.id == 3 then row.amount = luaduct.decimal('1.2345') end end",
         "field \"amount\": decimal 9.9999 cannot become decimal(10,2): it has too many digits"},
        {"for row in batch:rows() do if row.id == 4 then row.amount = batch end end",
         "field \"amount\": a value of type batch cannot become decimal(10,2) (record: partition 7, offset 103, values: id=9 amount=999.99 flag=true "
         "city=NULL"},
        {"error('all')", ".lua:3: all; 5 rows fail (records: partition 7, offsets 100 to 104)"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[] = "/tmp/failure_log_XXXXXX", text[4000], script[1000];
        struct script_module *module;
        struct stage_bed bed;
        const char *first;
        int file = mkstemp(path);
        FILE *log;
        size_t size;

        assert_true(file >= 0);
        close(file);
        bed_init(&bed, 16 << 20, 1000000);
        assert_true(log_start(LOG_INFO, path, &bed.error));
        snprintf(script, sizeof(script), "return {process = function(batch)\n\n%s end}", cases[i].body);
        module = bed_open(&bed, script);
        bed_fill(&bed);
        bed.batch->partition = 7;
        assert_true(script_process(module, bed.batch, &bed.error));
        log_stop();
        /* What a reload says of it. */
        assert_true(script_state_failures(bed.state, &first) > 0);
        if (strncmp(first, "stage s: ", 9) != 0 || strstr(first, "1.2345") || strstr(first, "Shanghai"))
            fail_msg("%s: the first failure is %s", cases[i].body, first);
        log = fopen(path, "rb");
        assert_non_null(log);
        size = fread(text, 1, sizeof(text) - 1, log);
        text[size] = '\0';
        fclose(log);
        unlink(path);
        if (!strstr(text, "stage s: ") || !strstr(text, cases[i].want))
            fail_msg("%s: the log says %s", cases[i].body, text);
        assert_null(strstr(text, "Shanghai"));
        assert_null(strstr(text, "Beijing"));
        assert_null(strstr(text, "Wuhan"));
        bed_release(&bed);
    }
}

/* A stage that fails on every row does not fill the log. */
static void test_log_is_bounded(void **state)
{
    char path[] = "/tmp/luaduct-failure-XXXXXX", text[8192];
    int file = mkstemp(path);
    struct script_module *module;
    struct stage_bed bed;
    unsigned lines = 0;
    FILE *log;

    (void)state;
    assert_true(file >= 0);
    close(file);
    bed_init(&bed, 16 << 20, 1000000);
    assert_true(log_start(LOG_INFO, path, &bed.error));
    module = bed_open(&bed, "return {process = function(batch) batch:map({'id'}, {'x'}, function() error('no') end) end}");
    for (int i = 0; i < 3; i++) {
        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
        assert_int_equal(bed.batch->dirty_count, 5);
    }
    log_stop();
    log = fopen(path, "rb");
    assert_non_null(log);
    while (fgets(text, sizeof(text), log))
        lines += strstr(text, "a row failed") != NULL;
    fclose(log);
    unlink(path);
    assert_int_equal(lines, 5);
    bed_release(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_longest_fits),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
