/* manual_test.c: every example of the manual gives what it says, every function of the API is in it, and config/lua.md is that manual. */
#include "support/script_support.h"

#include "script/manual.h"

/* "field: values" of a batch that the example works on, or the value of an expression. */
static bool example_is_right(struct stage_bed *bed, const struct manual_row *row)
{
    bool statements = strstr(row->example, "batch") != NULL;
    char text[2000], shown[400], field[40] = "x";
    const char *want = row->result;
    struct script_module *module;

    if (statements) {
        size_t size = strcspn(want, ":");

        snprintf(field, sizeof(field), "%.*s", (int)size, want);
        want += size + (want[size] == ':') + 1;
        snprintf(text, sizeof(text), "return {process = function(batch) %s end}", row->example);
    } else {
        snprintf(text, sizeof(text), "return {process = function(batch) batch:set('x', tostring(%s)) end}", row->example);
    }
    module = bed_open(bed, text);
    bed_fill(bed);
    if (!statements)
        bed->batch->selected = 1;
    assert_true(script_process(module, bed->batch, &bed->error));
    bed_show(bed, field, shown);
    if (strcmp(shown, want) == 0)
        return true;
    print_error("%s\n  %s\n  gives %s\n  want  %s\n", row->call, row->example, shown, want);
    if (bed->batch->dirty)
        print_error("  %.*s\n", STR_ARG(bed->batch->dirty->reason));
    return false;
}

static void test_examples(void **state)
{
    struct stage_bed bed;
    int failures = 0;

    (void)state;
    bed_init(&bed, 64 << 20, 10000000);
    for (const struct manual_section *const *section = manual_sections; *section; section++)
        for (const struct manual_row *row = (*section)->rows; row->call; row++)
            failures += row->example && !example_is_right(&bed, row);
    bed_release(&bed);
    assert_int_equal(failures, 0);
}

static bool is_told(const char *name)
{
    for (const struct manual_section *const *section = manual_sections; *section; section++)
        for (const struct manual_row *row = (*section)->rows; row->call; row++)
            if (strstr(row->call, name))
                return true;
    return false;
}

/* The names come from the table itself, so that a new function cannot be forgotten. */
static void test_every_function_is_told(void **state)
{
    static const char text[] =
        "local names = {}\n"
        "for name, value in pairs(luaduct) do\n"
        "  if type(value) == 'table' then for inner in pairs(value) do names[#names + 1] = name .. '.' .. inner end\n"
        "  else names[#names + 1] = name end\n"
        "end\n"
        "return {process = function(batch) batch:map({'id'}, {'x string'}, function(i) return table.concat(names, ' ') end) end}";
    struct stage_bed bed;
    struct str rest, name;

    (void)state;
    bed_init(&bed, 64 << 20, 10000000);
    {
        struct script_module *module = bed_open(&bed, text);

        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
    }
    rest = batch_field(bed.batch, STR("x"))->column->text[0];
    while (rest.data) {
        char full[100];

        str_cut(rest, ' ', &name, &rest);
        snprintf(full, sizeof(full), "%.*s", STR_ARG(name));
        if (!is_told(full) && !(strchr(full, '.') && is_told(strchr(full, '.') + 1)))
            fail_msg("the manual does not tell of luaduct.%s", full);
    }
    bed_release(&bed);
}

static void test_page(void **state)
{
    struct buffer text;
    char *page = xmalloc(1 << 20);
    FILE *file = fopen(TEST_SOURCE_DIR "/config/lua.md", "r");
    size_t size;

    (void)state;
    assert_non_null(file);
    size = fread(page, 1, (1 << 20) - 1, file);
    page[size] = '\0';
    fclose(file);
    buffer_init(&text, 0);
    manual_print(&text, true);
    if (strcmp(page, buffer_text(&text)) != 0)
        fail_msg("config/lua.md is not what `luaduct help lua markdown` prints");
    buffer_clear(&text);
    manual_print(&text, false);
    assert_true(strstr(buffer_text(&text), "\n  batch:keep(mask), batch:drop(mask)\n") != NULL);
    buffer_release(&text);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_every_function_is_told),
        cmocka_unit_test(test_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
