/* sandbox_test.c: what a stage's script cannot do, and its limits of memory and instructions. */
#include "support/script_support.h"

#include <sys/stat.h>

/* Each body must be true. */
static const struct {
    const char *about, *body;
} truths[] = {
    {"no access to the machine", "return io == nil and os.execute == nil and os.getenv == nil and os.remove == nil and package == nil"},
    {"no reflection", "return debug == nil and string.dump == nil and dofile == nil and loadfile == nil"},
    {"time functions are there", "return type(os.time()) == 'number' and type(os.clock()) == 'number' and type(os.date()) == 'string'"},
    {"__gc is refused", "return not pcall(setmetatable, {}, {__gc = function() end})"},
    {"other metatables work", "return setmetatable({}, {__index = {x = 1}}).x == 1"},
    {"the metatable of strings is protected", "return getmetatable('').__index == nil and not pcall(setmetatable, '', {})"},
    {"metatables of rows and batches are protected", "return type(getmetatable(luaduct.decimal('1'))) == 'string'"},
    {"load takes text only", "local f, why = load('\\27Lua') return f == nil and why:find('binary') ~= nil"},
    {"load runs in the stage's environment", "x_in_load = 7 return load('return x_in_load + (io == nil and 1 or 0)')() == 8"},
    {"load with pieces and an environment", "local p = {'return ', 'y'} local i = 0 "
                                            "return load(function() i = i + 1 return p[i] end, 'c', 't', {y = 3})() == 3"},
    {"collectgarbage only counts", "return collectgarbage('count') > 0 and not pcall(collectgarbage) and not pcall(collectgarbage, 'stop')"},
    {"changed libraries stay in the stage", "string.upper = nil return ('a'):upper() == 'A'"},
    {"require of luaduct", "return require('luaduct') == luaduct"},
    {"require does not leave the folder", "return not pcall(require, '..x') and not pcall(require, '/etc/passwd') and not pcall(require, 'a..b')"},
    {"require of the system's modules is refused", "return not pcall(require, 'io') and not pcall(require, 'os')"},
    {"cjson or its absence", "local ok, c = pcall(require, 'cjson') return not ok or c.decode('{\"a\":1}').a == 1"},
    {"coroutines work", "local w = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end) return w(1) == 2 and w(4) == 8"},
    {"create, resume and status", "local c = coroutine.create(function(...) coroutine.yield(...) end) local ok, a, b = coroutine.resume(c, 1, 2) "
                                  "return ok and a == 1 and b == 2 and coroutine.status(c) == 'suspended' and coroutine.close(c)"},
    {"errors come out of wrapped coroutines", "local ok, e = pcall(coroutine.wrap(function() error('inside') end)) return not ok and e:find('inside') ~= nil"},
    {"xpcall calls its handler", "local ok, e = xpcall(function(a) error(a) end, function(m) return 'h:' .. m:sub(-1) end, 'x') return not ok and e == 'h:x'"},
    {"xpcall passes results", "local ok, a, b = xpcall(function(x) return x, x + 1 end, print, 4) return ok and a == 4 and b == 5"},
    {"decimals are exact", "return luaduct.decimal('0.1') + luaduct.decimal('0.2') == luaduct.decimal('0.3')"},
    {"decimals compare with numbers", "return luaduct.decimal('1.5') > 1 and luaduct.decimal('0.1') <= 0.1 and 2 > luaduct.decimal('1.99')"},
    {"decimals refuse text that is none", "return not pcall(luaduct.decimal, '12x') and not pcall(luaduct.decimal, '')"},
    {"division by zero is an error", "return not pcall(function() return luaduct.decimal('1') / 0 end)"},
    {"decimals overflow with an error", "local n = luaduct.decimal(('9'):rep(38)) return not pcall(function() return n + n end)"},
    {"decimals print plainly", "return tostring(luaduct.decimal('-12.50')) == '-12.50' and luaduct.decimal('2.345'):round(2) .. '' == '2.35'"},
    {"an error of memory can be caught", "local ok = pcall(string.rep, 'x', 1 << 40) return not ok"},
};

static void test_truths(void **test_state)
{
    int failures = 0;

    (void)test_state;
    for (size_t i = 0; i < COUNT_OF(truths); i++) {
        struct stage_bed bed;
        char text[1000];

        bed_init(&bed, 16 << 20, 10000000);
        snprintf(text, sizeof(text), "local function f() %s end\nassert(f(), 'not so')\nreturn {process = function() end}", truths[i].body);
        if (!bed_try_open(&bed, text))
            failures++, print_error("%s: %s\n", truths[i].about, bed.error.text);
        bed_release(&bed);
    }
    assert_int_equal(failures, 0);
}

/* Endless in different ways; each must end by the budget, and the state must work afterwards. */
static const char *const endless[] = {
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local function f() return f() end f()",
    "while true do pcall(pcall, pcall, error) end",
    "xpcall(function() while true do end end, function() while true do end end)",
    "while true do coroutine.wrap(function() for i = 1, 900 do end end)() end",
    "local c = coroutine.wrap(function() while true do pcall(function() while true do end end) end end) while true do pcall(c) end",
    "local t <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
    "string.gsub(('x'):rep(1000000), 'x', function() for i = 1, 100 do end end)",
    "error(setmetatable({}, {__tostring = function() while true do end end}))",
    "table.sort({3, 2, 1}, function() while true do end end)",
    "batch:map({'id'}, {'x bigint'}, function() while true do end end)",
};

static void test_budget(void **test_state)
{
    (void)test_state;
    for (size_t i = 0; i < COUNT_OF(endless); i++) {
        struct stage_bed bed;
        struct script_module *module, *plain;
        char text[1000], *reason;

        bed_init(&bed, 16 << 20, 1000000);
        snprintf(text, sizeof(text), "return {process = function(batch)\n%s end}", endless[i]);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
        assert_int_equal(bed.batch->dirty_count, 5);
        reason = str_dup(bed.batch->dirty->reason);
        if (!strstr(reason, "instructions") && !strstr(reason, "error handler"))
            fail_msg("%s: %s", endless[i], reason);
        free(reason);
        plain = bed_open(&bed, "return {process = function(batch) batch:set('x', batch.id) end}");
        bed_fill(&bed);
        assert_true(script_process(plain, bed.batch, &bed.error));
        assert_int_equal(bed.batch->selected, 5);
        bed_release(&bed);
    }
}

static void test_one_endless_row_costs_that_row(void **test_state)
{
    struct stage_bed bed;
    struct script_module *module;

    (void)test_state;
    bed_init(&bed, 16 << 20, 1000000);
    module = bed_open(&bed, "return {process = function(batch) for row in batch:rows() do while row.id == 3 do end end end}");
    bed_fill(&bed);
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_int_equal(bed.batch->dirty_count, 1);
    assert_int_equal(bed.batch->selected, 4);
    bed_release(&bed);
}

static void test_memory(void **test_state)
{
    static const char *const greedy[] = {
        "local t = {} for i = 1, 1e9 do t[i] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "return ('x'):rep(1 << 30)",
        "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end",
    };
    struct stage_bed bed;
    struct script_module *plain;

    (void)test_state;
    bed_init(&bed, 4 << 20, 1000000000);
    plain = bed_open(&bed, "return {process = function(batch) local t = {} for i = 1, 1000 do t[i] = {i} end end}");
    for (size_t i = 0; i < COUNT_OF(greedy); i++) {
        char text[400], *reason;
        struct script_module *module;

        snprintf(text, sizeof(text), "return {process = function(batch)\n%s end}", greedy[i]);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
        assert_int_equal(bed.batch->dirty_count, 5);
        reason = str_dup(bed.batch->dirty->reason);
        if (!strstr(reason, "out of its memory limit of 4 MiB"))
            fail_msg("%s: %s", greedy[i], reason);
        free(reason);
        assert_true(script_state_memory(bed.state) <= 4 << 20);
        bed_fill(&bed);
        assert_true(script_process(plain, bed.batch, &bed.error));
        assert_int_equal(bed.batch->dirty_count, 0);
    }
    bed_release(&bed);
}

static void test_modules_beside_the_stage(void **test_state)
{
    char folder[] = "/tmp/stages_XXXXXX", path[128], helper[128], sub[128];
    struct stage_bed bed;
    struct script_source source = {.stage = "s"};
    struct script_module *module;
    FILE *file;

    (void)test_state;
    bed_init(&bed, 16 << 20, 1000000);
    assert_non_null(mkdtemp(folder));
    snprintf(sub, sizeof(sub), "%s/lib", folder);
    assert_int_equal(mkdir(sub, 0700), 0);
    snprintf(helper, sizeof(helper), "%s/lib/helper.lua", folder);
    file = fopen(helper, "w");
    assert_non_null(file);
    fputs("local name = ...\nreturn {name = name, f = function() error('deep') end}", file);
    fclose(file);
    snprintf(path, sizeof(path), "%s/stage.lua", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("local h = require 'lib.helper'\nassert(h == require('lib.helper') and h.name == 'lib.helper')\n"
          "return {process = function() local x = h.f() return x end}", file);
    fclose(file);
    source.path = path;
    if (!script_module_open(bed.state, &source, &module, &bed.error))
        fail_msg("%s", bed.error.text);
    assert_true(batch_begin(bed.batch, 0));
    assert_false(script_process(module, bed.batch, &bed.error));
    assert_string_equal(bed.error.text, "lib/helper.lua:2: deep (called from stage.lua:3)");
    unlink(path);
    unlink(helper);
    rmdir(sub);
    rmdir(folder);
    bed_release(&bed);
}

/* With a set of files, what a stage requires is what stood there when its own file was read, wherever it requires it. */
static void test_what_is_required_is_read_with_the_stage(void **test_state)
{
    static const struct {
        const char *name, *text;
    } files[] = {
        {"stage.lua", "local function first() return require('one') end -- require 'absent'\n"
                      "local computed = 'com' .. 'puted'\n"
                      "return {process = function(batch) assert(first() .. require\t\"lib.two\" == 'old old three', 'later')\n"
                      "  assert(require(computed) == 'new') assert(not pcall(require, 'absent')) end}"},
        {"one.lua", "return 'old ' .. require 'three'"},
        {"lib/two.lua", "require('one') return ''"},
        {"three.lua", "if false then require 'one.three' require 'three' required 'four' end return 'old three'"},
        {"four.lua", "return 4"},
        {"computed.lua", "return 'old'"},
    };
    static const char *const known[] = {"absent.lua", "lib/two.lua", "one.lua", "one/three.lua", "stage.lua", "three.lua"};
    char folder[] = "/tmp/luaduct_modules_XXXXXX", path[COUNT_OF(files)][64], command[100];
    struct file_set *set = file_set_new();
    struct stage_bed bed;
    struct script_source source = {.stage = "s", .path = path[0], .files = set};
    struct script_module *module;
    const char *its;
    struct str text;

    (void)test_state;
    bed_init(&bed, 16 << 20, 1000000);
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command), "mkdir %s/lib", folder);
    assert_int_equal(system(command), 0);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(files); i++) {
            FILE *file;

            snprintf(path[i], sizeof(path[i]), "%s/%s", folder, files[i].name);
            file = fopen(path[i], "w");
            fputs(round ? "return 'new'" : files[i].text, file);
            fclose(file);
        }
        if (!round && !script_module_open(bed.state, &source, &module, &bed.error))
            fail_msg("%s", bed.error.text);
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        assert_true(file_set_get(set, i, &its, &text));
        assert_string_equal(its + strlen(folder) + 1, known[i]);
    }
    assert_false(file_set_get(set, COUNT_OF(known), &its, &text));
    assert_true(batch_begin(bed.batch, 0));
    if (!script_process(module, bed.batch, &bed.error))
        fail_msg("%s", bed.error.text);
    assert_true(file_set_get(set, COUNT_OF(known), &its, &text)); /* that whose name is computed */
    assert_false(file_set_get(set, COUNT_OF(known) + 1, &its, &text));
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    bed_release(&bed);
    file_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truths),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_one_endless_row_costs_that_row),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_modules_beside_the_stage),
        cmocka_unit_test(test_what_is_required_is_read_with_the_stage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
