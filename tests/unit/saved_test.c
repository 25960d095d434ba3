/* saved_test.c: what save() gives, in the state of another version; what cannot be kept; and the count of Lua errors. */
#include "support/script_support.h"

enum { MEMORY = 64 << 20, INSTRUCTIONS = 10000000 };

static bool save(struct stage_bed *bed, const char *top, const char *value, struct buffer *saved)
{
    char text[1000];

    snprintf(text, sizeof(text), "%s\nreturn {process = function() end, save = function() return %s end}", top, value);
    return script_module_save(bed_open(bed, text), saved, &bed->error);
}

static void plain_values_are_kept(void **state UNUSED)
{
    static const struct {
        const char *value, *check; /* of s, which is ctx.saved */
    } cases[] = {
        {"true", "s == true"},
        {"false", "s == false"},
        {"math.mininteger", "s == math.mininteger and math.type(s) == 'integer'"},
        {"1.0", "s == 1 and math.type(s) == 'float'"},
        {"0/0", "s ~= s"},
        {"''", "s == ''"},
        {"'a\\0b\\xff'", "s == 'a\\0b\\xff' and #s == 4"},
        {"luaduct.null", "s == luaduct.null"},
        {"luaduct.decimal('-12345678901234567890.12345')", "tostring(s) == '-12345678901234567890.12345'"},
        {"{}", "type(s) == 'table' and next(s) == nil"},
        {"{1, 2, {3, x = {y = 'z'}}}", "#s == 3 and s[2] == 2 and s[3][1] == 3 and s[3].x.y == 'z'"},
        {"{[true] = 1, [2.5] = 2, ['k'] = 3, [-1] = 4}", "s[true] == 1 and s[2.5] == 2 and s.k == 3 and s[-1] == 4"},
        {"{f = false, d = luaduct.decimal('0.10')}", "s.f == false and tostring(s.d) == '0.10' and s.d + 1 == luaduct.decimal('1.10')"},
        {"('x'):rep(100000)", "#s == 100000"},
        {"nil", "s == nil"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stage_bed old, new;
        struct script_source source = {.stage = "s", .path = new.path};
        struct script_module *module;
        struct buffer saved;
        char text[600];
        FILE *file;

        bed_init(&old, MEMORY, INSTRUCTIONS);
        bed_init(&new, MEMORY, INSTRUCTIONS);
        buffer_init(&saved, 0);
        if (!save(&old, "", cases[i].value, &saved))
            fail_msg("%s: %s", cases[i].value, old.error.text);
        snprintf(text, sizeof(text), "return {process = function() end, open = function(ctx) local s = ctx.saved assert(%s, tostring(s)) end}",
                 cases[i].check);
        file = fopen(new.path, "wb");
        fputs(text, file);
        fclose(file);
        source.saved = saved.size ? buffer_str(&saved) : STR_NONE;
        if (!script_module_open(new.state, &source, &module, &new.error))
            fail_msg("%s: %s", cases[i].value, new.error.text);
        buffer_release(&saved);
        bed_release(&old);
        bed_release(&new);
    }
}

static void what_is_not_plain_is_refused_with_its_place(void **state UNUSED)
{
    static const struct {
        const char *top, *value, *want;
    } cases[] = {
        {"", "print", "its value is a function"},
        {"", "{a = {b = {1, print}}}", "its value.a.b[2] is a function"},
        {"", "{[print] = 1}", "its value[a function] is a function"},
        {"", "coroutine.create(print)", "its value is a thread"},
        {"local t = {} t.t = t", "t", "nested more than 32 deep, or a table holds itself"},
        {"local t = {} for i = 1, 20 do t[i] = ('x'):rep(1 << 20) end", "t", "larger than 16 MiB"},
        {"local t = setmetatable({}, {__index = function() error('no') end})", "t", NULL}, /* read raw */
        {"", "(function() while true do end end)()", "is there an endless loop"},
        {"", "nothing.x", "attempt to index a nil value"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stage_bed bed;
        struct buffer saved;
        bool ok;

        bed_init(&bed, MEMORY, INSTRUCTIONS);
        buffer_init(&saved, 0);
        ok = save(&bed, cases[i].top, cases[i].value, &saved);
        assert_int_equal(ok, !cases[i].want);
        if (cases[i].want && !strstr(bed.error.text, cases[i].want))
            fail_msg("%s: %s", cases[i].value, bed.error.text);
        buffer_release(&saved);
        bed_release(&bed);
    }
}

static void times_are_kept(void **state UNUSED)
{
    static const char text[] = "local kept\n"
                               "return {process = function(batch) for row in batch:rows() do kept = row.at end end,\n"
                               "        save = function() return {at = kept} end,\n"
                               "        open = function(ctx) if ctx.saved then kept = ctx.saved.at assert(kept:epoch_ms() == 1700000000123) end end}";
    struct script_source source = {.stage = "s"};
    struct stage_bed bed;
    struct script_module *module;
    struct buffer saved;
    struct column *at;

    bed_init(&bed, MEMORY, INSTRUCTIONS);
    buffer_init(&saved, 0);
    module = bed_open(&bed, text);
    bed_fill(&bed);
    at = bed_column(&bed, "at", TYPE_OF(TYPE_TIMESTAMP));
    for (uint32_t row = 0; row < bed.batch->row_count; row++) {
        at->instant[row] = (struct instant){1700000000, 123000000};
        at->null[row] = 0;
    }
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_int_equal(bed.batch->dirty_count, 0);
    assert_true(script_module_save(module, &saved, &bed.error));
    source.path = bed.path;
    source.saved = buffer_str(&saved);
    if (!script_module_open(bed.state, &source, &module, &bed.error))
        fail_msg("%s", bed.error.text);
    buffer_release(&saved);
    bed_release(&bed);
}

static void lua_errors_are_counted_apart_from_dirty_rows(void **state UNUSED)
{
    static const struct {
        const char *body;
        uint64_t failures;
        const char *first; /* part of */
    } cases[] = {
        {"batch:keep(batch.flag)", 0, ""},
        {"batch:dirty(batch.flag, 'no')", 0, ""},
        {"for row in batch:rows() do row:dirty('no') end", 0, ""},
        {"batch:map({'id'}, {'x bigint'}, function(i) return 'text' end)", 0, ""},
        {"for row in batch:rows() do if row.id > 3 then error('high ' .. row.id) end end", 2, "stage s: "},
        {"batch:map({'id'}, {'x bigint'}, function(i) if i < 4 then error('low ' .. i) end return i end)", 3, "low 1"},
        {"error('all')", 1, "all"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stage_bed bed;
        struct script_module *module;
        const char *first;
        char text[600];

        bed_init(&bed, MEMORY, INSTRUCTIONS);
        snprintf(text, sizeof(text), "return {process = function(batch) %s end}", cases[i].body);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
        assert_int_equal(script_state_failures(bed.state, &first), cases[i].failures);
        assert_non_null(strstr(first, cases[i].first));
        script_state_failures_clear(bed.state);
        assert_int_equal(script_state_failures(bed.state, &first), 0);
        assert_string_equal(first, "");
        bed_release(&bed);
    }
}

/* All that open it run the text that the first one read. */
static void a_file_is_read_once(void **state UNUSED)
{
    struct file_set *files = file_set_new();
    struct stage_bed bed;
    struct script_source source = {.stage = "s", .path = bed.path, .files = files};
    struct script_module *module;
    const char *path;
    struct str text;

    bed_init(&bed, MEMORY, INSTRUCTIONS);
    (void)bed_open(&bed, "return {process = function() end} -- first");
    assert_true(script_module_open(bed.state, &source, &module, &bed.error));
    (void)bed_try_open(&bed, "this is no Lua"); /* writes the file, and reads it past the set */
    assert_true(script_module_open(bed.state, &source, &module, &bed.error));
    assert_true(file_set_get(files, 0, &path, &text));
    assert_string_equal(path, bed.path);
    assert_true(str_is(text, "return {process = function() end} -- first"));
    assert_false(file_set_get(files, 1, &path, &text));
    source.path = "/nowhere/x.lua";
    assert_false(script_module_open(bed.state, &source, &module, &bed.error));
    assert_true(file_set_get(files, 0, &path, &text)); /* sorted */
    assert_string_equal(path, "/nowhere/x.lua");
    assert_null(text.data);
    bed_release(&bed);
    file_set_free(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_are_kept),
        cmocka_unit_test(what_is_not_plain_is_refused_with_its_place),
        cmocka_unit_test(times_are_kept),
        cmocka_unit_test(lua_errors_are_counted_apart_from_dirty_rows),
        cmocka_unit_test(a_file_is_read_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
