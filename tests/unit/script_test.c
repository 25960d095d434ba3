/* script_test.c: what stages can do with a batch, and what becomes of rows whose code fails. */
#include "support/script_support.h"

struct process_case {
    const char *about;
    const char *body;   /* of process(batch) */
    const char *field;  /* shown afterwards */
    const char *want;
    uint32_t filtered, dirty;
    const char *reason; /* part of the first dirty row's reason */
};

static const struct process_case cases[] = {
    {"a column is multiplied by a constant", "batch:set('x', batch.id * 10)", "x", "10|20|30|40|50", 0, 0, NULL},
    {"two columns are added", "batch:set('x', batch.id + batch.id)", "x", "2|4|6|8|10", 0, 0, NULL},
    {"bigint overflow fails the row only", "batch:set('x', batch.id + (math.maxinteger - 2))", "id", "1|2", 0, 3, "id + "},
    {"decimals stay exact", "batch:set('x', batch.amount * luaduct.decimal('0.1'))", "x", "5000|15000|45000|85000|NULL", 0, 0, NULL},
    {"a constant fills a field", "batch:set('x', 'bench')", "x", "bench|bench|bench|bench|bench", 0, 0, NULL},
    {"NULL can be set", "batch:set('city', luaduct.null)", "city", "NULL|NULL|NULL|NULL|NULL", 0, 0, NULL},
    {"keep filters by a mask", "batch:keep(batch.amount:gt(100) & batch.flag)", "id", "3|4", 3, 0, NULL},
    {"drop is the reverse", "batch:drop(batch.amount:gt(100))", "id", "1|5", 3, 0, NULL},
    {"dirty by a mask, with its reason", "batch:dirty(batch.city:is_null(), 'no city')", "id", "1|2|3|5", 0, 1, "no city"},
    {"not, or and is_in", "batch:keep(~batch.flag | batch.city:is_in{'Wuhan', 'x'})", "id", "2|5", 3, 0, NULL},
    {"coalesce with a constant", "batch:set('city', batch.city:coalesce('?'))", "city", "Shanghai|Beijing||?|Wuhan", 0, 0, NULL},
    {"choose takes one of two constants",
     "batch:set('x', luaduct.choose(batch.amount:gt(800), 'gold', luaduct.choose(batch.amount:gt(luaduct.decimal('449.995')), 'silver', 'bronze')))",
     "x", "bronze|bronze|silver|gold|bronze", 0, 0, NULL},
    {"choose takes columns, and b where the mask is NULL", "batch:set('x', luaduct.choose(batch.amount:le(150), batch.id, batch.id * 10))", "x",
     "1|2|30|40|50", 0, 0, NULL},
    {"choose gives NULL by luaduct.null", "batch:set('x', luaduct.choose(batch.flag, batch.city, luaduct.null))", "x", "Shanghai|NULL||NULL|Wuhan", 0,
     0, NULL},
    {"choose wants a mask", "batch:set('x', luaduct.choose(batch.id, 1, 2))", "id", "", 0, 5, "a mask is a boolean column"},
    {"choose wants two values", "batch:set('x', luaduct.choose(batch.flag, 1))", "id", "", 0, 5, "bad argument #3"},
    {"choose wants values of one type", "batch:set('x', luaduct.choose(batch.flag, batch.id, batch.city))", "id", "", 0, 5,
     "choose needs two values of one type"},
    {"cast", "batch:set('x', batch.id:cast('string') .. '!')", "x", "1!|2!|3!|4!|5!", 0, 0, NULL},
    {"an expression makes a mask", "batch:keep(luaduct.expression('amount > 100 and flag')(batch))", "id", "3|4", 3, 0, NULL},
    {"an expression makes a column of any type", "batch:set('x', luaduct.expression(\"id * 2 || coalesce(city, '?')\")(batch))", "x",
     "2Shanghai|4Beijing|6|8?|10Wuhan", 0, 0, NULL},
    {"an expression that cannot be computed fails its row", "batch:set('x', luaduct.expression('1 // (id - 2)')(batch))", "id", "1|3|4|5", 0, 1,
     "1 // (id - 2): division by zero"},
    {"a wrong expression says where", "luaduct.expression('id +* 2', 'rules[1]')", "id", "", 0, 5, "rules[1], character 5: a value is wanted here"},
    {"a field that is not there", "luaduct.expression('idd = 2')(batch)", "id", "", 0, 5,
     "expression, character 1: there is no field \"idd\" here; did you mean \"id\"?"},
    {"an expression of the wrong type", "luaduct.expression('id', 'c', 'boolean')(batch)", "id", "", 0, 5,
     "c: this must give a boolean and gives a bigint"},
    {"an expression for an unknown type", "luaduct.expression('id', 'c', 'strin')", "id", "", 0, 5, "did you mean \"string\"?"},
    {"an expression is a text", "luaduct.expression({})", "id", "", 0, 5, "string expected, got table"},
    {"an expression takes the batch", "luaduct.expression('id')(batch.id)", "id", "", 0, 5, "batch expected"},
    {"a field is removed", "batch:remove('city')", "city", "(no field)", 0, 0, NULL},
    {"source fields are there", "batch:set('x', batch.__offset__ - 100)", "x", "0|1|2|3|4", 0, 0, NULL},
    {"count, has and fields", "batch:set('x', batch:count() + (batch:has('city') and 10 or 0) + (batch:has('y') and 100 or 0) + #batch:fields())", "x",
     "26|26|26|26|26", 0, 0, NULL},
    {"map with a declared type", "batch:map({'amount'}, {'x string'}, function(a) return a and a > 400 and 'high' or 'low' end)", "x",
     "low|low|high|high|low", 0, 0, NULL},
    {"map finds the type by itself", "batch:map({'id'}, {'x', 'y'}, function(i) return i * 2, tostring(i) end)", "x", "2|4|6|8|10", 0, 0, NULL},
    {"map keeps decimals exact and takes the largest scale",
     "batch:map({'id'}, {'x'}, function(i) return luaduct.decimal(i == 3 and '1.125' or '2.5') end)", "x", "2500|2500|1125|2500|2500", 0, 0, NULL},
    {"a failing row of map fails alone", "batch:map({'id'}, {'x bigint'}, function(i) if i == 2 then error('two') end return i end)", "x",
     "1|3|4|5", 0, 1, ".lua:3: two"},
    {"map refuses to mix integers and floats", "batch:map({'id'}, {'x'}, function(i) if i == 2 then return 0.5 end return i end)", "x", "1|3|4|5",
     0, 1, "the function gave bigint before and gives double now: declare the type, {\"x double\"}"},
    {"map refuses to mix integers and decimals", "batch:map({'id'}, {'x'}, function(i) return i == 2 and luaduct.decimal('0.5') or i end)", "x",
     "1|3|4|5", 0, 1, "declare the type, {\"x decimal(38,10)\"}"},
    {"map refuses to mix numbers and texts", "batch:map({'id'}, {'x'}, function(i) return i == 2 and 'two' or i end)", "x", "1|3|4|5", 0, 1,
     "the function gave bigint before and gives string now: let it give one type"},
    {"map of NULLs only", "batch:map({'id'}, {'x'}, function() end)", "x", "NULL|NULL|NULL|NULL|NULL", 0, 0, NULL},
    {"map refuses what does not fit", "batch:map({'id'}, {'x bigint'}, function(i) return i == 4 and 'four' or i end)", "x", "1|2|3|5", 0, 1,
     "\"four\" cannot become bigint"},
    {"rows are read and written", "for row in batch:rows() do row.id = row.id + 1 end", "id", "2|3|4|5|6", 0, 0, NULL},
    {"nil is NULL", "for row in batch:rows() do if row.city == nil then row.city = 'none' elseif row.city == '' then row.city = nil end end",
     "city", "Shanghai|Beijing|NULL|none|Wuhan", 0, 0, NULL},
    {"row:dirty and row:drop", "for row in batch:rows() do if row.id == 1 then row:dirty('one') elseif row.id == 2 then row:drop() end end",
     "id", "3|4|5", 1, 1, "one"},
    {"decimals are written from decimals, integers and text",
     "for row in batch:rows() do row.amount = row.id == 1 and 7 or row.id == 2 and '8.25' or luaduct.decimal('9.5') end", "amount",
     "700|825|950|950|950", 0, 0, NULL},
    {"digits that would be lost fail the row", "for row in batch:rows() do if row.id == 3 then row.amount = '0.125' end end", "id", "1|2|4|5", 0,
     1, "field \"amount\": \"0.125\" cannot become decimal(10,2): it has too many digits after the point; "
     "luaduct.decimal(value):round(2) rounds it"},
    {"a decimal of map that is too fine is shown with the way out",
     "batch:map({'amount'}, {'x decimal(10,2)'}, function(a) return a and a > 800 and luaduct.decimal('1.125') or a end)", "id",
     "1|2|3|5", 0, 1,
     "decimal 1.125 cannot become decimal(10,2): it has too many digits after the point; value:round(2) rounds it"},
    {"an error in a row fails that row, and the others keep their results",
     "for row in batch:rows() do row.id = row.id * 2 if row.city == nil then error('no city') end row.ratio = 1 end", "id", "2|4|6|10", 0, 1,
     ".lua:3: no city"},
    {"two failing rows, and dirty rows are counted once",
     "for row in batch:rows() do if row.id == 1 then row:dirty('first') end if row.id > 3 then error('x' .. row.id) end end", "id", "2|3", 0, 3, "x4"},
    {"what was done before the loop is done once",
     "batch:keep(batch.id:gt(1)) batch:set('id', batch.id * 10) for row in batch:rows() do if row.id == 20 then error('x') end end", "id",
     "30|40|50", 1, 1, "x"},
    {"an error outside of rows fails all", "batch:set('id', batch.id * 2) error('all')", "id", "", 0, 5, ".lua:3: all"},
    {"an error after a loop that was left fails all", "for row in batch:rows() do break end error('all')", "id", "", 0, 5, "all"},
    {"an unknown field names the nearest", "batch:set('x', batch.amuont + 1)", "id", "", 0, 5, "there is no field \"amuont\"; did you mean \"amount\"?"},
    {"without a near one the fields are listed, those of stages first", "batch:set('x', batch.price)", "id", "", 0, 5,
     "there is no field or method \"price\"; the fields are: id, amount, flag, city, ratio, __"},
    {"not more than eight fields are listed", "batch:set('x', batch.price)", "id", "", 0, 5, ", ..."},
    {"a method by another library's word", "batch:filter(batch.flag)", "id", "", 0, 5,
     "there is no field or method \"filter\"; did you mean the method batch:keep; the fields are: id"},
    {"a method with a slip", "batch:dorp(batch.flag)", "id", "", 0, 5, "did you mean the method batch:drop"},
    {"a field is not taken for a method that ends like it", "batch:remove('amount') batch:set('x', batch.amount)", "id", "", 0, 5,
     "no field or method \"amount\"; the fields are: id, flag"},
    {"rows list the fields too", "for row in batch:rows() do local x = row.price end", "id", "", 0, 5,
     "there is no field \"price\"; the fields are: id"},
    {"writing an unknown field tells of batch:add", "for row in batch:rows() do row.level = 1 end", "id", "", 0, 5,
     "batch:add(\"level\", \"bigint\")"},
    {"a field is added and filled", "batch:add('x', 'string') for row in batch:rows() do if row.id > 3 then row.x = 'y' end end", "x",
     "NULL|NULL|NULL|y|y", 0, 0, NULL},
    {"a column read before keeps its values", "local before = batch.id for row in batch:rows() do row.id = 0 end batch:set('x', before)", "x",
     "1|2|3|4|5", 0, 0, NULL},
    {"a column read in the middle keeps them too",
     "local m for row in batch:rows() do row.id = 0 if not m then m = batch.id end end batch:set('x', m)", "x", "0|2|3|4|5", 0, 0, NULL},
    {"a shared column is not written through", "batch:set('x', batch.id) for row in batch:rows() do row.x = 0 end", "id", "1|2|3|4|5", 0, 0, NULL},
    {"a row kept beyond its loop says so", "local r for row in batch:rows() do r = row end local x = r.id", "id", "", 0, 5, "turn is over"},
    {"keep inside a loop is refused", "for row in batch:rows() do batch:keep(batch.flag) end", "id", "", 0, 5, "cannot be used inside"},
    {"columns do not compare by operators", "if batch.id < 3 then end", "id", "", 0, 5, "use :lt(x)"},
    {"an unknown method names the nearest", "batch:keep(batch.id:eg(1))", "id", "", 0, 5, "did you mean \"e"},
    {"a mask must be boolean", "batch:keep(batch.id)", "id", "", 0, 5, "this one is bigint"},
    {"nil is no operand", "batch:keep(batch.id:eq(nil))", "id", "", 0, 5, "is_null"},
    {"dates are written from strict text", "batch:add('d', 'date') for row in batch:rows() do row.d = '1970-01-0' .. (row.id + 1) end", "d",
     "1|2|3|4|5", 0, 0, NULL},
    {"times compare and tell their epoch",
     "batch:add('t', 'datetime') batch:add('u', 'datetime') for row in batch:rows() do row.t = row.id * 1000 row.u = 3000 "
     "row.id = row.t == row.u and 1 or row.t < row.u and row.t:epoch_ms() or 2 end", "id", "1000|2000|1|2|2", 0, 0, NULL},
    {"an impossible date fails its row", "batch:add('d', 'date') for row in batch:rows() do row.d = row.id == 2 and '2023-02-29' or nil end", "id",
     "1|3|4|5", 0, 1, "must look like 2024-01-31"},
    {"json is checked when written", "batch:add('j', 'json') for row in batch:rows() do row.j = row.id == 1 and '{' or '{}' end", "j",
     "{}|{}|{}|{}", 0, 1, "not valid JSON"},
    {"decimal arithmetic and text", "batch:map({'amount'}, {'x string'}, function(a) return a and tostring(a * 2 + 1) .. '/' .. (a / 3):round(2) end)",
     "x", "101.00/16.67|301.00/50.00|901.00/150.00|1701.00/283.33|NULL", 0, 0, NULL},
    {"an error that is caught is no error", "for row in batch:rows() do pcall(error, 'x') end", "id", "1|2|3|4|5", 0, 0, NULL},
    {"nested loops", "for a in batch:rows() do for b in batch:rows() do if a.id == 2 and b.id == 4 then error('inner') end end end", "id", "1|2|3|5", 0,
     1, "inner"},
    {"odd names have a way in", "batch:set('dirty', batch.id) for row in batch:rows() do row:set('id', row:get('dirty') * 3) end", "id",
     "3|6|9|12|15", 0, 0, NULL},
    {"a field with a method's name does not hide the method",
     "batch:set('drop', 1) for row in batch:rows() do row:set('id', row:get('drop') + row.id) if row.id == 3 then row:drop() end end", "id", "2|4|5|6",
     1, 0, NULL},
    {"names that are made in the loop are read right",
     "local n = {'id', 'ratio'} for row in batch:rows() do local s = 0 for i = 1, 50 do s = s + row[('%s'):format(n[i % 2 + 1])] end "
     "row.id = row['i' .. 'd'] + (s == 25 * (row.id + row.ratio) and 100 or 0) end", "id", "101|102|103|104|105", 0, 0, NULL},
    {"a number is no field name", "batch:set('1', 5) for row in batch:rows() do local x = row['1'] + row[1] end", "id", "", 0, 5,
     "read by name, not by a number"},
    {"a field's name may not be empty", "batch:set('', 1)", "id", "", 0, 5, "needs a name"},
};

static void test_process(void **test_state)
{
    int failures = 0;

    (void)test_state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct process_case *c = &cases[i];
        struct stage_bed bed;
        char text[2000], shown[400];
        struct script_module *module;

        bed_init(&bed, 16 << 20, 10000000);
        snprintf(text, sizeof(text), "local stage = {}\nfunction stage.process(batch)\n%s\nend\nreturn stage\n", c->body);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        if (!script_process(module, bed.batch, &bed.error))
            failures++, print_error("%s: %s\n", c->about, bed.error.text);
        if (c->dirty && !bed.batch->dirty)
            failures++, print_error("%s: no dirty row\n", c->about);
        if (strcmp(bed_show(&bed, c->field, shown), c->want) != 0)
            failures++, print_error("%s: got %s instead of %s (%.*s)\n", c->about, shown, c->want, bed.batch->dirty ? (int)bed.batch->dirty->reason.size : 0,
                     bed.batch->dirty ? bed.batch->dirty->reason.data : "");
        if (bed.batch->filtered_count != c->filtered || bed.batch->dirty_count != c->dirty)
            failures++, print_error("%s: filtered %u dirty %u\n", c->about, bed.batch->filtered_count, bed.batch->dirty_count);
        if (c->reason && bed.batch->dirty) {
            char *reason = str_dup(bed.batch->dirty->reason);

            if (!strstr(reason, c->reason))
                failures++, print_error("%s: the reason is: %s\n", c->about, reason);
            free(reason);
        }
        bed_check_counts(&bed);
        bed_release(&bed);
    }
    assert_int_equal(failures, 0);
}

static void test_when_error(void **test_state)
{
    struct stage_bed bed;
    struct script_module *module;
    char shown[400];

    (void)test_state;
    bed_init(&bed, 16 << 20, 10000000);
    module = bed_open(&bed, "return {process = function(batch)\n"
                            "batch:map({'id'}, {'x bigint'}, function(i) if i == 2 then error('two') end return i end) end}");
    bed_fill(&bed);
    bed.batch->when_error = WHEN_ERROR_NULL;
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_string_equal(bed_show(&bed, "x", shown), "1|NULL|3|4|5");

    bed_fill(&bed);
    bed.batch->when_error = WHEN_ERROR_DROP;
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_string_equal(bed_show(&bed, "x", shown), "1|3|4|5");
    assert_int_equal(bed.batch->filtered_count, 1);

    bed_fill(&bed);
    bed.batch->when_error = WHEN_ERROR_STOP;
    assert_false(script_process(module, bed.batch, &bed.error));
    assert_non_null(strstr(bed.error.text, "offset 101"));
    assert_non_null(strstr(bed.error.text, ".lua:2: two"));
    bed_release(&bed);
}

static void test_columns_die_with_their_batch(void **test_state)
{
    struct stage_bed bed;
    struct script_module *module;
    char *reason;

    (void)test_state;
    bed_init(&bed, 16 << 20, 10000000);
    module = bed_open(&bed, "local old, view\nreturn {process = function(batch)\n"
                            "if old then view = select(2, pcall(function() return view:count() end)) "
                            "error(tostring(pcall(old.eq, old, 1)) .. view .. tostring(old)) end old = batch.id view = batch end}");
    bed_fill(&bed);
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_int_equal(bed.batch->selected, 5);
    bed_fill(&bed);
    assert_true(script_process(module, bed.batch, &bed.error));
    reason = str_dup(bed.batch->dirty->reason);
    assert_non_null(strstr(reason, "false"));
    assert_non_null(strstr(reason, "this batch is over"));
    assert_non_null(strstr(reason, "column of an earlier batch"));
    free(reason);
    bed_release(&bed);
}

static void test_partition(void **test_state)
{
    struct stage_bed bed;
    struct script_module *module;
    struct column *columns[2];
    size_t count = 0;

    (void)test_state;
    bed_init(&bed, 16 << 20, 10000000);
    module = bed_open(&bed, "return {partition = function(batch) return {batch.id, batch.city:coalesce('none')} end}");
    bed_fill(&bed);
    assert_true(script_partition(module, bed.batch, columns, 2, &count, &bed.error));
    assert_int_equal(count, 2);
    assert_int_equal(columns[0]->type.kind, TYPE_STRING);
    assert_true(str_is(columns[0]->text[4], "5"));
    assert_true(str_is(columns[1]->text[3], "none"));

    bed_fill(&bed);
    assert_true(script_partition(module, bed.batch, columns, 1, &count, &bed.error));
    assert_int_equal(bed.batch->dirty_count, 5); /* two columns where one is wanted */
    assert_int_equal(count, 0);
    bed_release(&bed);
}

static void test_open_errors(void **test_state)
{
    static const struct {
        const char *about, *text, *want;
    } open_cases[] = {
        {"a syntax error has its line", "local x =\n= 1", ".lua:2:"},
        {"a file must return its table", "local stage = {}", "return stage"},
        {"an unknown function is refused with the nearest", "return {proces = function() end}", "did you mean \"process\"?"},
        {"a function must be one", "return {process = 1}", "must be a function"},
        {"state is partition or nothing", "return {process = print, state = 'x'}", "can only be \"partition\""},
        {"an error in open", "return {open = function()\nerror('no') end, process = print}", ".lua:2: no"},
        {"a complaint of open", "return {open = function(ctx) ctx.complain('a.b', 'is odd') end, process = print}", "a.b: is odd"},
        {"an error in check", "return {check = function(ctx)\nerror('no ' .. ctx.stage) end, process = print}", ".lua:2: no s"},
        {"a complaint of check, which is before open",
         "return {check = function(ctx) ctx.complain('a.b', 'is odd') end, open = function() error('late') end, process = print}", "a.b: is odd"},
        {"known wants names", "return {open = function(ctx) ctx.known{1} end, process = print}", "a list of names is wanted"},
        {"an error of what open calls for an option",
         "local luaduct = require 'luaduct' return {open = function() luaduct.at('a.b', luaduct.decimal, 'x') end, process = print}", "a.b: "},
        {"batches are for process", "return {open = function() luaduct.json_columns{columns = 1} end, process = print}", "columns: a list"},
        {"bytecode is refused", "\033Lua", "binary chunk"},
    };
    struct stage_bed bed;

    (void)test_state;
    bed_init(&bed, 16 << 20, 10000000);
    for (size_t i = 0; i < COUNT_OF(open_cases); i++) {
        if (bed_try_open(&bed, open_cases[i].text))
            fail_msg("%s: opened", open_cases[i].about);
        if (!strstr(bed.error.text, open_cases[i].want))
            fail_msg("%s: %s", open_cases[i].about, bed.error.text);
    }
    assert_true(script_module_keeps_state(bed_open(&bed, "return {process = print, state = 'partition'}")));
    bed_release(&bed);
}

static void test_probe(void **test_state)
{
    struct stage_bed bed;
    struct script_module *module;

    (void)test_state;
    bed_init(&bed, 16 << 20, 10000000);
    module = bed_open(&bed, "return {process = function(batch) batch:keep(batch.__valeu__:is_null()) end}");
    assert_true(batch_begin(bed.batch, (1u << BUILTIN_COUNT) - 1));
    assert_false(script_process(module, bed.batch, &bed.error));
    assert_non_null(strstr(bed.error.text, "did you mean \"__value__\"?"));
    bed_release(&bed);
}

/* A batch in which every row fails needs no more memory than one in which one does. */
static void test_restarts_give_memory_back(void **test_state)
{
    struct stage_bed bed;
    struct script_module *module;

    (void)test_state;
    bed_init(&bed, 16 << 20, 100000000);
    batch_free(bed.batch);
    bed.batch = batch_new(1 << 20);
    module = bed_open(&bed, "return {process = function(batch) batch:set('x', batch.__offset__ * 2)\n"
                            "for row in batch:rows() do row.x = 1 error('no') end end}");
    for (int i = 0; i < 300; i++) {
        struct message message = {.value = STR("{}"), .offset = i};

        batch_add_message(bed.batch, &message, NULL);
    }
    assert_true(batch_begin(bed.batch, (1u << BUILTIN_COUNT) - 1));
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_int_equal(bed.batch->dirty_count, 300);
    assert_int_equal(bed.batch->selected, 0);
    bed_release(&bed);
}

/* A script that catches the end of the batch's memory would pass on a batch that is not what it asked for. */
static void test_the_end_of_the_batch_is_not_caught(void **test_state)
{
    static const char *const bodies[] = {
        "pcall(function() while true do batch:set('x', batch.__offset__ * 2) end end)",
        "coroutine.wrap(function() pcall(function() while true do batch:set('x', batch.__offset__ * 2) end end) end)()",
        "batch:map({'__offset__'}, {'x'}, function(i) pcall(function() while true do local c = batch.__offset__ * 2 end end) return i end)",
        "xpcall(function() while true do batch:set('x', batch.__value__ .. '!') end end, function() end) batch:keep(batch.__offset__:ge(0))",
    };

    (void)test_state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct stage_bed bed;
        char script[300];

        snprintf(script, sizeof(script), "return {process = function(batch) %s end}", bodies[i]);
        bed_init(&bed, 16 << 20, 100000000);
        batch_free(bed.batch);
        bed.batch = batch_new(1 << 20);
        for (int k = 0; k < 300; k++)
            batch_add_message(bed.batch, &(struct message){.value = STR("{}"), .offset = k}, NULL);
        assert_true(batch_begin(bed.batch, (1u << BUILTIN_COUNT) - 1));
        if (script_process(bed_open(&bed, script), bed.batch, &bed.error))
            fail_msg("%s: %u rows go on", bodies[i], bed.batch->selected);
        assert_int_equal(bed.error.kind, ERROR_DATA);
        assert_non_null(strstr(bed.error.text, "needs more memory than a batch may use"));
        bed_release(&bed);
    }
}

static void print_handle(void *handle, struct buffer *text)
{
    buffer_append_str(text, str_of(handle));
}

/* Headers that a run read, and that it gave the memory back of, are read again. */
static void test_restarts_read_headers_again(void **test_state)
{
    static const char *const headers[] = {"[[\"a\",\"0\"]]", "[[\"b\",\"1\"]]", "[[\"c\",\"2\"]]"};
    struct stage_bed bed;
    struct script_module *module;
    struct column *column;
    struct buffer text = {0};

    (void)test_state;
    bed_init(&bed, 16 << 20, 10000000);
    bed.batch->print_headers = print_handle;
    module = bed_open(&bed, "return {process = function(batch) for row in batch:rows() do\n"
                            "if row.__headers__:find('a') then error('no') end row.__value__ = 'other text' end end}");
    for (int i = 0; i < 3; i++)
        batch_add_message(bed.batch, &(struct message){.value = STR("{}"), .offset = i}, (void *)(uintptr_t)headers[i]);
    assert_true(batch_begin(bed.batch, (1u << BUILTIN_COUNT) - 1));
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_int_equal(bed.batch->dirty_count, 1);
    assert_int_equal(bed.batch->selected, 2);
    column = batch_column(bed.batch, batch_field(bed.batch, STR("__headers__")));
    for (uint32_t i = 0; i < 3; i++) {
        batch_headers(bed.batch, i, &text); /* of dirty rows */
        assert_string_equal(buffer_text(&text), headers[i]);
        assert_true(i == 0 || str_is(column->text[i], headers[i]));
    }
    buffer_release(&text);
    bed_release(&bed);
}

/* Memory and budget end with the line at which the script was, wherever they are noticed. */
static void test_limits_name_the_line(void **test_state)
{
    static const struct {
        const char *about, *body, *want;
    } limit_cases[] = {
        {"a table grows", "local t = {}\nfor i = 1, 1e9 do\nt[i] = {i}\nend", ".lua:5: out of its memory limit of 4 MiB"},
        {"an array grows", "local t = {}\nfor i = 1, 1e9 do\nt[i] = i\nend", ".lua:5: out of its memory limit of 4 MiB"},
        {"a text grows", "local s = 'x'\nwhile true do\ns = s .. s end", ".lua:5: out of its memory limit of 4 MiB"},
        {"memory ends inside of a row's function",
         "batch:map({'id'}, {'x'}, function(i)\nlocal t = {}\nfor k = 1, 1e9 do\nt[k] = {} end end)",
         ".lua:6: out of its memory"},
        {"one large piece, in a tail call", "return ('x'):rep(1 << 30)", ".lua:3: out of its memory limit of 4 MiB"},
        {"an endless loop", "local i = 0\nwhile true do local k = i end", ".lua:4: more than 10000000 instructions"},
        {"an endless loop in map, which is a tail call", "return batch:map({'id'}, {'x'}, function(i)\nwhile true do end end)",
         ".lua:4: more than 10000000 instructions"},
        {"an endless loop around a pcall", "while true do\npcall(function()\nwhile true do end end) end",
         ".lua:5: more than 10000000 instructions"},
    };
    struct stage_bed bed;

    (void)test_state;
    bed_init(&bed, 4 << 20, 10000000);
    for (size_t i = 0; i < COUNT_OF(limit_cases); i++) {
        char text[400], *reason;
        struct script_module *module;

        snprintf(text, sizeof(text), "return {\nprocess = function(batch)\n%s\nend}", limit_cases[i].body);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
        assert_int_equal(bed.batch->dirty_count, 5);
        reason = str_dup(bed.batch->dirty->reason);
        if (!strstr(reason, limit_cases[i].want))
            fail_msg("%s: %s", limit_cases[i].about, reason);
        free(reason);
    }
    bed_release(&bed);
}

/* The log counts the row that cost the first limit as well. */
static void test_limits_count_all_rows(void **test_state)
{
    char log_path[] = "/tmp/stage_log_XXXXXX", text[4000];
    struct stage_bed bed;
    struct script_module *module;
    int file = mkstemp(log_path);
    FILE *log;
    size_t size;

    (void)test_state;
    assert_true(file >= 0);
    close(file);
    bed_init(&bed, 16 << 20, 1000000);
    assert_true(log_start(LOG_INFO, log_path, &bed.error));
    module = bed_open(&bed, "return {process = function(batch) for row in batch:rows() do while true do end end end}");
    bed_fill(&bed);
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_int_equal(bed.batch->dirty_count, 5);
    log_stop();
    log = fopen(log_path, "rb");
    assert_non_null(log);
    size = fread(text, 1, sizeof(text) - 1, log);
    text[size] = '\0';
    fclose(log);
    unlink(log_path);
    if (!strstr(text, "; 5 rows fail"))
        fail_msg("%s", text);
    bed_release(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process),         cmocka_unit_test(test_when_error),
        cmocka_unit_test(test_columns_die_with_their_batch), cmocka_unit_test(test_partition),
        cmocka_unit_test(test_open_errors),     cmocka_unit_test(test_probe),
        cmocka_unit_test(test_restarts_give_memory_back), cmocka_unit_test(test_restarts_read_headers_again),
        cmocka_unit_test(test_the_end_of_the_batch_is_not_caught),
        cmocka_unit_test(test_limits_name_the_line),
        cmocka_unit_test(test_limits_count_all_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
