/* coverage_test.c: which lines of a script ran, and which could have. */
#include "support/script_support.h"

#include "script/coverage.h"

/* Each line of the script begins with what is expected of it: "+" hit, "-" not hit, " " cannot be hit. */
static void check(const char *marked, size_t batches)
{
    struct stage_bed bed;
    struct coverage *coverage = coverage_new();
    struct script_module *module;
    struct coverage_file file;
    struct buffer text, found;
    unsigned line = 1;

    bed_init(&bed, 16 << 20, 1000000);
    buffer_init(&text, 0);
    buffer_init(&found, 0);
    for (const char *at = marked; *at; at++)
        if (at > marked && at[-1] != '\n')
            buffer_append_char(&text, *at);
    script_state_cover(bed.state, coverage);
    module = bed_open(&bed, buffer_text(&text));
    for (size_t i = 0; i < batches; i++) {
        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
    }
    script_state_free(bed.state); /* calls close() */
    bed.state = NULL;
    assert_int_equal(coverage_count(coverage), 1);
    file = coverage_file(coverage, 0);
    assert_string_equal(file.path, bed.path);
    for (const char *at = marked; *at; line++) {
        const char *end = strchr(at, '\n');
        uint8_t mark = line <= file.line_count ? file.lines[line] : 0;

        buffer_append_char(&found, mark == 0 ? ' ' : mark & COVERAGE_HIT ? '+' : '-');
        buffer_append(&found, at + 1, (size_t)(end - at));
        at = end + 1;
    }
    assert_string_equal(buffer_text(&found), marked);
    buffer_release(&text);
    buffer_release(&found);
    script_state_free(bed.state);
    bed.state = NULL;
    batch_free(bed.batch);
    log_free(bed.log);
    unlink(bed.path);
    coverage_free(coverage);
}

static void test_lines(void **state)
{
    (void)state;
    check("+local stage = {}\n"
          " -- a comment\n"
          "+function stage.open(ctx)\n"
          "+  if ctx.options.x then\n"
          "-    ctx.complain('x', 'no')\n"
          "     local function never()\n"
          "-      return 1\n"
          "-    end\n"
          "   end\n"
          "+end\n"
          " \n"
          " local function helper(...)\n"
          "+  local a = ...\n"
          "+  return a and\n"
          "-    'yes' or\n"
          "+    'no'\n"
          "+end\n"
          " \n"
          " local function unused()\n"
          "-  for i = 1, 10 do\n"
          "-    print(i)\n"
          "   end\n"
          "+end\n"
          " \n"
          "+function stage.process(batch)\n"
          "+  helper(nil)\n"
          "+  batch:map({'id'}, {'x bigint'}, function(id)\n"
          "+    if id > 100 then return 1 end\n"
          "+    return 2\n"
          "+  end)\n"
          "+  local ok = pcall(function()\n"
          "+    error('x')\n"
          "+  end)\n"
          "+  local co = coroutine.wrap(function()\n"
          "+    coroutine.yield(1)\n"
          "-    return 2\n"
          "+  end)\n"
          "+  co()\n"
          "+end\n"
          " \n"
          "+function stage.close()\n"
          "+  print('closed')\n"
          "+end\n"
          "+return stage\n", 1);
}

/* Only what opening runs; and long files, whose lines are stored in another form. */
static void test_not_run(void **state)
{
    struct buffer text;

    (void)state;
    check("+local stage = {}\n"
          "+function stage.process(batch)\n"
          "-  batch:count()\n"
          "+end\n"
          "+return stage\n", 0);
    buffer_init(&text, 0);
    buffer_append_str(&text, STR("+local stage = {}\n"));
    for (int i = 0; i < 500; i++)
        buffer_append_str(&text, STR(" \n"));
    buffer_append_str(&text, STR("+function stage.process(batch)\n"));
    for (int i = 0; i < 400; i++)
        buffer_append_str(&text, STR("+  batch:count()\n \n"));
    buffer_append_str(&text, STR("+  if batch:count() > 100 then\n"));
    for (int i = 0; i < 400; i++)
        buffer_append_str(&text, STR("-    batch:count()\n"));
    buffer_append_str(&text, STR("   end\n+end\n+return stage\n"));
    check(buffer_text(&text), 2);
    buffer_release(&text);
}

/* Files that are required count as well; a text that a script compiles itself does not, nor does a file that fails to compile. */
static void test_required(void **state)
{
    struct stage_bed bed;
    struct coverage *coverage = coverage_new();
    struct coverage_file file;
    char folder[] = "/tmp/cover_XXXXXX", path[64], text[200];
    FILE *helper;

    (void)state;
    assert_non_null(mkdtemp(folder));
    bed_init(&bed, 16 << 20, 1000000);
    unlink(bed.path);
    snprintf(path, sizeof(path), "%s/helper.lua", folder);
    helper = fopen(path, "we");
    assert_non_null(helper);
    fputs("local h = {}\nfunction h.a() return 1 end\nfunction h.b()\n  return 2\nend\nreturn h\n", helper);
    fclose(helper);
    snprintf(bed.path, sizeof(bed.path), "%s/stage.lua", folder);
    script_state_cover(bed.state, coverage);
    snprintf(text, sizeof(text), "local h = require 'helper'\nh.a()\nload('return 1\\n', '@helper.lua')()\n"
                                 "return {process = function(b) end}\n");
    bed_open(&bed, text);
    assert_int_equal(coverage_count(coverage), 2);
    file = coverage_file(coverage, 1);
    assert_string_equal(file.path, path);
    assert_int_equal(file.active, 6);
    assert_int_equal(file.hit, 5);
    assert_int_equal(file.lines[4], COVERAGE_ACTIVE);
    assert_null(bed_try_open(&bed, "return ="));
    assert_int_equal(coverage_count(coverage), 2);
    bed_release(&bed);
    unlink(path);
    rmdir(folder);
    coverage_free(coverage);
}

/* The budget holds while lines are counted. */
static void test_endless(void **state)
{
    struct stage_bed bed;
    struct coverage *coverage = coverage_new();

    (void)state;
    bed_init(&bed, 16 << 20, 100000);
    script_state_cover(bed.state, coverage);
    assert_null(bed_try_open(&bed, "while true do pcall(function() while true do end end) end\n"));
    assert_non_null(strstr(bed.error.text, "endless loop"));
    bed_release(&bed);
    coverage_free(coverage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_not_run),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
