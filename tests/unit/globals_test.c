/* globals_test.c: names in a script that are nobody's are told with their place. */
#include "support/script_support.h"

static void note(void *arg, unsigned line, unsigned column, unsigned width, const char *text)
{
    buffer_print(arg, "%u:%u+%u %s\n", line, column, width, text);
}

/* What is told of the text, a line each. */
static void check(const char *text, const char *told)
{
    struct stage_bed bed;
    struct script_module *module;
    struct script_source source;
    struct buffer found;
    FILE *file;

    bed_init(&bed, 16 << 20, 1000000);
    buffer_init(&found, 0);
    file = fopen(bed.path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    source = (struct script_source){.stage = "s", .path = bed.path, .warn = note, .complain_arg = &found};
    if (!script_module_open(bed.state, &source, &module, &bed.error))
        fail_msg("%s", bed.error.text);
    assert_string_equal(buffer_text(&found), told);
    buffer_release(&found);
    script_state_free(bed.state);
    batch_free(bed.batch);
    log_free(bed.log);
    unlink(bed.path);
}

static void names_that_are_nobodys_are_told(void **state)
{
    (void)state;
    check("local stage = {}\n"
          "local limit\n"
          "function stage.open(ctx) limti = ctx.options.limit end\n"
          "function stage.process(batch)\n"
          "  batch:map({'id'}, {'x string'}, function(amount)\n"
          "    -- 上海 amont\n"
          "    if stage.amont or '上海' == amont then return tostrin(amount) end\n"
          "    return tostrin(limit)\n"
          "  end)\n"
          "end\n"
          "return stage\n",
          "3:26+5 a global is set and never read: \"limti\"; did you mean \"limit\"?\n"
          "7:31+5 there is nothing called \"amont\" here, so it is nil; did you mean \"amount\"?\n"
          "7:49+7 there is nothing called \"tostrin\" here, so it is nil; did you mean \"tostring\"?\n");
}

static void what_is_there_is_not_told(void **state)
{
    struct buffer text;

    (void)state;
    /* Libraries, globals that are set somewhere, also later and by name, fields and labels. */
    check("function helper(x) return math.floor(x) .. string.format('%s', later or '') end\n"
          "_ENV.made = 1\n"
          "local stage = {odd = luaduct.null}\n"
          "function stage.process(batch) later = helper(made) goto out ::out:: return later, stage.even, _VERSION, require end\n"
          "return stage\n",
          "");
    check("local stage = {}\nfunction stage.process(batch) print(print, pairs, #_G) end\nreturn stage\n", "");
    /* More constants than an instruction can name: of those behind nothing is known. */
    buffer_init(&text, 0);
    buffer_append_str(&text, STR("local stage = {texts = {"));
    for (unsigned i = 0; i < 300; i++)
        buffer_print(&text, "'c%u', ", i);
    buffer_append_str(&text, STR("beyond}}\nfunction stage.process(batch) end\nreturn stage\n"));
    check(buffer_text(&text), "");
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_nobodys_are_told),
        cmocka_unit_test(what_is_there_is_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
