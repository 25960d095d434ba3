/* api_test.c: the luaduct table: values that its functions give, and what wrong use says. */
#include "support/script_support.h"

#include "script/api.h"
#include "util/clock.h"

struct value_case {
    const char *expression, *want;
};

/* Of each expression its tostring; several values are joined by a comma. */
static void check_values(const struct value_case *cases, size_t count)
{
    int failures = 0;
    struct stage_bed bed;

    bed_init(&bed, 16 << 20, 10000000);
    for (size_t i = 0; i < count; i++) {
        char text[2000], shown[400];
        struct script_module *module;

        snprintf(text, sizeof(text),
                 "local function show(...) local t = table.pack(...) for i = 1, t.n do t[i] = tostring(t[i]) end return table.concat(t, ',') end\n"
                 "return {process = function(batch) batch:set('x', show(%s)) end}", cases[i].expression);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        bed.batch->selected = 1;
        assert_true(script_process(module, bed.batch, &bed.error));
        if (bed.batch->dirty)
            snprintf(shown, sizeof(shown), "%.*s", STR_ARG(bed.batch->dirty->reason));
        else
            bed_show(&bed, "x", shown);
        if (strcmp(shown, cases[i].want) != 0) {
            print_error("%s\n  gives %s\n  want  %s\n", cases[i].expression, shown, cases[i].want);
            failures++;
        }
    }
    bed_release(&bed);
    assert_int_equal(failures, 0);
}

/* Of each expression what its error says, behind "file:line: ". */
static void check_errors(const struct value_case *cases, size_t count)
{
    int failures = 0;
    struct stage_bed bed;

    bed_init(&bed, 16 << 20, 10000000);
    for (size_t i = 0; i < count; i++) {
        char text[2000], shown[1000] = "no error";
        struct script_module *module;

        snprintf(text, sizeof(text), "return {process = function(batch)\nlocal _ = %s\nend}", cases[i].expression);
        module = bed_open(&bed, text);
        bed_fill(&bed);
        assert_true(script_process(module, bed.batch, &bed.error));
        if (bed.batch->dirty)
            snprintf(shown, sizeof(shown), "%.*s", STR_ARG(bed.batch->dirty->reason));
        if (!strstr(shown, ".lua:2: ") || !strstr(shown, cases[i].want)) {
            print_error("%s\n  says %s\n  want %s\n", cases[i].expression, shown, cases[i].want);
            failures++;
        }
    }
    bed_release(&bed);
    assert_int_equal(failures, 0);
}

static void test_wrong_names(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.decimla('1')", "luaduct has no function \"decimla\"; did you mean \"decimal\"?"},
        {"luaduct.x()", "luaduct has no function \"x\""},
        {"luaduct[1]", "luaduct has no elements, so 1 cannot be read"},
        {"luaduct.counter('x')", "luaduct.counter is called in open(ctx) or at the top of the file"},
    };

    (void)state;
    check_errors(cases, COUNT_OF(cases));
}

/* --- json --- */

static void test_json(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.json.decode('9223372036854775807') == math.maxinteger", "true"},
        {"luaduct.json.decode('-9223372036854775808') == math.mininteger", "true"},
        {"math.type(luaduct.json.decode('0'))", "integer"},
        {"luaduct.json.decode('9223372036854775808')", "9223372036854775808"},
        {"luaduct.json.decode('9007199254740993')", "9007199254740993"},
        {"luaduct.json.decode('0.10')", "0.10"},
        {"luaduct.json.decode('1.5e3'), luaduct.json.decode('125e-1'), luaduct.json.decode('-1E2')", "1500,12.5,-100"},
        {"luaduct.json.decode('12345678901234567890123456789012345678')", "12345678901234567890123456789012345678"},
        {"luaduct.json.decode('0.00000000000000000000000000000000000001')", "0.00000000000000000000000000000000000001"},
        {"luaduct.json.decode('1e300', {numbers = 'float'})", "1e+300"},
        {"math.type(luaduct.json.decode('[1.5]', {numbers = 'float'})[1])", "float"},
        {"math.type(luaduct.json.decode('[15]', {numbers = 'float'})[1])", "integer"},
        {"luaduct.json.decode('null') == luaduct.null", "true"},
        {"luaduct.json.decode('{\"a\":null}').a == luaduct.null, luaduct.json.decode('{}').a", "true,nil"},
        {"luaduct.json.decode('\"\\\\u4e2d\\\\n\"')", "中\n"},
        {"#luaduct.json.decode('[1,2,3]')", "3"},
        {"luaduct.json.decode('{\"a\":1,\"a\":2}').a", "2"},
        {"luaduct.json.decode(' true '), luaduct.json.decode('false')", "true,false"},
        {"pcall(luaduct.json.decode, (('['):rep(101) .. (']'):rep(101)))", "false,luaduct.json.decode: the text is nested deeper than 100 levels"},
        {"#luaduct.json.decode(('['):rep(100) .. (']'):rep(100))", "1"},
        {"luaduct.json.encode({z = 1, a = 2, ['中'] = 3, [''] = 4, aa = 5})", "{\"\":4,\"a\":2,\"aa\":5,\"z\":1,\"中\":3}"},
        {"luaduct.json.encode({})", "{}"},
        {"luaduct.json.encode(luaduct.json.decode('[]'))", "[]"},
        {"luaduct.json.encode(luaduct.json.decode('{\"a\":[],\"b\":{}}'))", "{\"a\":[],\"b\":{}}"},
        {"luaduct.json.encode({1, {2, {3}}})", "[1,[2,[3]]]"},
        {"luaduct.json.encode({1.0, 0.1, 1e300, -0.5})", "[1.0,0.1,1e+300,-0.5]"},
        {"luaduct.json.encode(math.mininteger)", "-9223372036854775808"},
        {"luaduct.json.encode('\"\\\\\\n\\0\\1中')", "\"\\\"\\\\\\n\\u0000\\u0001中\""},
        {"luaduct.json.encode({luaduct.null, true})", "[null,true]"},
        {"luaduct.json.encode(luaduct.json.array({1}))", "[1]"},
        {"luaduct.json.encode(luaduct.json.array(luaduct.json.decode('[]')))", "[]"},
        {"luaduct.json.encode(luaduct.json.decode('{\"big\":12345678901234567890.123,\"x\":0.10}'))", "{\"big\":12345678901234567890.123,\"x\":0.10}"},
        {"#luaduct.json.encode(luaduct.json.decode('[' .. ('1.25,'):rep(99999) .. '1]'))", "499998"},
    };

    (void)state;
    check_values(cases, COUNT_OF(cases));
}

static void test_wrong_json(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.json.decod('1')", "luaduct.json has no function \"decod\"; did you mean \"decode\"?"},
        {"luaduct.jsn.decode('1')", "luaduct has no function \"jsn\"; did you mean \"json\"?"},
        {"luaduct.json.decode()", "bad argument #1 to 'decode' (string expected, got no value)"},
        {"luaduct.json.decode(nil)", "string expected, got nil"},
        {"luaduct.json.decode(5)", "string expected, got number"},
        {"luaduct.json.decode('')", "luaduct.json.decode: byte 1: "},
        {"luaduct.json.decode('{\"a\":1,}')", "luaduct.json.decode: byte 7: trailing comma"},
        {"luaduct.json.decode('[1] x')", "luaduct.json.decode: byte 5: "},
        {"luaduct.json.decode('NaN')", "luaduct.json.decode: byte 1: "},
        {"luaduct.json.decode('\"\xFF\"')", "UTF-8"},
        {"luaduct.json.decode('[1, 1e300]')", "the number at byte 5 has more digits than a decimal holds (38); {numbers = \"float\"}"},
        {"luaduct.json.decode('1e999999999999')", "more digits than a decimal holds"},
        {"luaduct.json.decode('1e999', {numbers = 'float'})", "beyond what floats can hold"},
        {"luaduct.json.decode('1', {number = 'float'})", "the only option is numbers"},
        {"luaduct.json.decode('1', {numbers = 'double'})", "numbers is \"exact\" or \"float\""},
        {"luaduct.json.encode()", "bad argument #1 to 'encode' (value expected)"},
        {"luaduct.json.encode(nil)", "NULL is luaduct.null"},
        {"luaduct.json.encode(1, 2)", "encode takes one value"},
        {"luaduct.json.encode({1, nil, 3})", "gap"},
        {"luaduct.json.encode({1, a = 2})", "names or numbers as keys, not both"},
        {"luaduct.json.encode({[0] = 1})", "has the key 0"},
        {"luaduct.json.encode({[1.5] = 1})", "has the key 1.5"},
        {"luaduct.json.encode({[true] = 1})", "has the key true"},
        {"luaduct.json.encode(print)", "a function has no form in JSON"},
        {"luaduct.json.encode({batch})", "a batch has no form in JSON"},
        {"luaduct.json.encode(batch.id)", "a column has no form in JSON"},
        {"luaduct.json.encode(0/0)", "no number (nan)"},
        {"luaduct.json.encode(1/0)", "infinite"},
        {"luaduct.json.encode('\xFF')", "a text is not UTF-8"},
        {"luaduct.json.encode({['\xFF'] = 1})", "a key is not UTF-8"},
        {"(function() local t = {} t[1] = t luaduct.json.encode(t) end)()", "does one contain itself?"},
        {"luaduct.json.array(5)", "table expected"},
        {"luaduct.json.array(setmetatable({}, {}))", "has a metatable already"},
        {"luaduct.json.encode(('x'):rep(5000000))", "more than a quarter of runtime.lua.memory_max"},
        {"luaduct.json.decode('[' .. ('1,'):rep(2000000) .. '1]')", "more memory than runtime.lua.memory_max leaves"},
    };

    (void)state;
    check_errors(cases, COUNT_OF(cases));
}

/* --- time --- */

static void test_time(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.time.parse('2024-01-31 23:59:59', nil, '+08:00'):epoch_ms()", "1706716799000"},
        {"luaduct.time.parse('2024-01-31T23:59:59.5Z'):epoch_ms()", "1706745599500"},
        {"luaduct.time.parse('2024-01-31T23:59:59+08:00')", "2024-01-31 15:59:59Z"},
        {"luaduct.time.parse('31/Jan/2024:23:59:59 +0000', 'dd/MMM/yyyy:HH:mm:ss Z'):epoch_ms()", "1706745599000"},
        {"luaduct.time.parse('2024年1月31日', 'yyyy年M月d日', 'Asia/Shanghai')", "2024-01-30 16:00:00Z"},
        {"luaduct.time.date('2024-01-31'), luaduct.time.date('20240229', 'yyyyMMdd')", "2024-01-31,2024-02-29"},
        {"luaduct.time.date('0001-01-01'), luaduct.time.date('9999-12-31')", "0001-01-01,9999-12-31"},
        {"luaduct.time.from_epoch_ms(-1)", "1969-12-31 23:59:59.999Z"},
        {"luaduct.time.now():epoch_ms() > 1700000000000", "true"},
        {"luaduct.time.from_epoch_ms(0):format(\"yyyy-MM-dd'T'HH:mm:ss.SSSXXX\", 'Asia/Shanghai')", "1970-01-01T08:00:00.000+08:00"},
        {"luaduct.time.from_epoch_ms(0):format('HH', 'UTC'), luaduct.time.from_epoch_ms(0):format('HH', '-05:00')", "00,19"},
        {"luaduct.time.date('2024-01-31'):format('EEE d MMM yyyy HH:mm')", "Wed 31 Jan 2024 00:00"},
        {"(function() local t = luaduct.time.from_epoch_ms(1706745599123) return t:year('UTC'), t:month('UTC'), t:day('UTC'), t:hour('UTC'), "
         "t:minute('UTC'), t:second('UTC'), t:millisecond('UTC'), t:weekday('UTC'), t:day_of_year('UTC') end)()", "2024,1,31,23,59,59,123,3,31"},
        {"luaduct.time.from_epoch_ms(1706745599123):month('Asia/Shanghai'), luaduct.time.from_epoch_ms(1706745599123):date('+08:00')", "2,2024-02-01"},
        {"luaduct.time.date('2024-01-07'):weekday(), luaduct.time.date('2024-01-08'):weekday(), luaduct.time.date('1969-12-28'):weekday()", "7,1,7"},
        {"luaduct.time.date('2024-01-31'):add(1, 'month'), luaduct.time.date('2024-02-29'):add(-1, 'years')", "2024-02-29,2023-02-28"},
        {"luaduct.time.date('2024-03-01'):add(-1, 'day'), luaduct.time.date('2024-03-01'):add(2, 'weeks')", "2024-02-29,2024-03-15"},
        {"luaduct.time.from_epoch_ms(500):add(-501, 'milliseconds')", "1969-12-31 23:59:59.999Z"},
        {"luaduct.time.from_epoch_ms(0):add(90, 'minutes'), luaduct.time.from_epoch_ms(0):add(-1, 'hour'), luaduct.time.from_epoch_ms(0):add(1, 'second')",
         "1970-01-01 01:30:00Z,1969-12-31 23:00:00Z,1970-01-01 00:00:01Z"},
        /* New York 2024-03-10: the clock goes from 02:00 to 03:00. */
        {"luaduct.time.parse('2024-03-09 12:00:00', nil, 'America/New_York'):add(1, 'day', 'America/New_York'):format('dd HH:mm XXX', 'America/New_York')",
         "10 12:00 -04:00"},
        {"luaduct.time.parse('2024-03-09 12:00:00', nil, 'America/New_York'):add(24, 'hours'):format('dd HH:mm', 'America/New_York')", "10 13:00"},
        {"luaduct.time.parse('2024-03-10 15:30:00', nil, 'America/New_York'):trunc('day', 'America/New_York'):format('dd HH:mm XXX', 'America/New_York')",
         "10 00:00 -05:00"},
        /* 2024-11-03 01:30 comes twice; the second one stays the second one. */
        {"luaduct.time.parse('2024-11-03T01:30:00-05:00'):trunc('hour', 'America/New_York'):format('HH:mm XXX', 'America/New_York')", "01:00 -05:00"},
        {"luaduct.time.parse('2024-05-15T10:45:30.123Z'):trunc('minute', '+05:30'), luaduct.time.parse('2024-05-15T10:45:30.123Z'):trunc('hour', '+05:30')",
         "2024-05-15 10:45:00Z,2024-05-15 10:30:00Z"},
        {"luaduct.time.parse('2024-05-15T10:45:30.123456Z'):trunc('second'), luaduct.time.parse('2024-05-15T10:45:30.123456Z'):trunc('millisecond')",
         "2024-05-15 10:45:30Z,2024-05-15 10:45:30.123Z"},
        {"luaduct.time.date('2024-05-15'):trunc('week'), luaduct.time.date('2024-05-15'):trunc('month'), luaduct.time.date('2024-05-15'):trunc('year')",
         "2024-05-13,2024-05-01,2024-01-01"},
        {"luaduct.time.date('1969-12-31'):trunc('week')", "1969-12-29"},
        {"luaduct.time.date('2024-03-31'):since(luaduct.time.date('2024-02-29'), 'month'), "
         "luaduct.time.date('2024-03-28'):since(luaduct.time.date('2024-02-29'), 'months')",
         "1,0"},
        {"luaduct.time.date('2023-02-28'):since(luaduct.time.date('2024-02-29'), 'year'), "
         "luaduct.time.date('2024-02-28'):since(luaduct.time.date('2023-03-01'), 'year')",
         "-1,0"},
        {"luaduct.time.from_epoch_ms(1999):since(luaduct.time.from_epoch_ms(0), 'second'), "
         "luaduct.time.from_epoch_ms(0):since(luaduct.time.from_epoch_ms(1999), 'second')",
         "1,-1"},
        {"luaduct.time.from_epoch_ms(86400000):since(luaduct.time.from_epoch_ms(1), 'day', 'UTC'), "
         "luaduct.time.from_epoch_ms(7):since(luaduct.time.from_epoch_ms(2), 'millisecond')",
         "0,5"},
        {"luaduct.time.parse('2024-03-11 00:00:00', nil, 'America/New_York'):since(luaduct.time.parse('2024-03-10 00:00:00', nil, 'America/New_York'), 'day', "
         "'America/New_York')", "1"},
        {"luaduct.time.from_epoch_ms(5) < luaduct.time.from_epoch_ms(6), luaduct.time.date('2024-01-01') == luaduct.time.date('2024-01-01')", "true,true"},
        {"luaduct.decimal('1.25'):round(1)", "1.3"},
        {"luaduct.decimal(123456789012345.67), luaduct.decimal(2^53 + 1), luaduct.decimal(0.1), luaduct.decimal(-1e-20)",
         "123456789012345.67,9007199254740992,0.1,-0.00000000000000000001"},
        {"luaduct.decimal(1e37), luaduct.decimal('1.5e3'), luaduct.decimal('12E+2'), luaduct.decimal('100e-2'), luaduct.decimal('-1.5e-3')",
         "10000000000000000000000000000000000000,1500,1200,1.00,-0.0015"},
        {"luaduct.decimal('1250.99'):round(-2), luaduct.decimal('-15'):round(-1), luaduct.decimal('49.99'):round(-2)", "1300,-20,0"},
        {"luaduct.decimal('4' .. ('9'):rep(37)):round(-38), luaduct.decimal('0.' .. ('9'):rep(38)):round(-38)", "0,0"},
        {"(function() for i = 1, 20 do luaduct.time.from_epoch_ms(0):format(('y'):rep(4) .. i, ('+%02d:00'):format(i)) end return "
         "luaduct.time.from_epoch_ms(0):format('HH', '+01:00') end)()", "01"},
    };

    (void)state;
    check_values(cases, COUNT_OF(cases));
}

static void test_wrong_time(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.time.parse()", "bad argument #1 to 'parse' (string expected, got no value)"},
        {"luaduct.time.parse('yesterday')", "luaduct.time.parse: \"yesterday\" is no time: it must look like 2024-01-31 23:59:59"},
        {"luaduct.time.parse('2024', 'yyyy-MM-dd')", "\"2024\" is no time: it must look like yyyy-MM-dd"},
        {"luaduct.time.parse('2024-01-31 23:59:59')", "bad argument #3 to 'parse' (a zone is wanted, such as"},
        {"luaduct.time.parse('2024-01-31 23:59:59', nil, 'Asia/Shangai')", "bad argument #3 to 'parse' (time zone \"Asia/Shangai\" is not known"},
        {"luaduct.time.parse('x', 'YYYY')", "bad argument #2 to 'parse' (pattern \"YYYY\", character 1: "},
        {"luaduct.time.parse('x', 'HH:mm')", "reads no whole date"},
        {"luaduct.time.date('2024-02-30')", "luaduct.time.date: \"2024-02-30\" is no time: it must look like 2024-01-31"},
        {"luaduct.time.date('x', 'yyyy-MM-dd HH')", "the pattern of a date has no hours"},
        {"luaduct.time.from_epoch_ms(1.5)", "number has no integer representation"},
        {"luaduct.time.from_epoch_ms(math.maxinteger)", "not within the years 1 to 9999"},
        {"luaduct.time.from_epoch_ms(0):year()", "a zone is wanted"},
        {"luaduct.time.from_epoch_ms(0):format('HH')", "a zone is wanted"},
        {"luaduct.time.date('2024-01-01'):format('HH XXX')", "have no offset"},
        {"luaduct.time.from_epoch_ms(0):add(1, 'fortnight')", "bad argument #2 to 'add' (\"fortnight\" is no unit of time"},
        {"luaduct.time.from_epoch_ms(0):add(1, 'minuts')", "did you mean \"minute\"?"},
        {"luaduct.time.from_epoch_ms(0):add('x', 'day')", "bad argument #1 to 'add' (number expected, got string)"},
        {"luaduct.time.date('2024-01-01'):add(1, 'hour')", "a date has no hours"},
        {"luaduct.time.date('9999-12-31'):add(1, 'day')", "not within the years 1 to 9999"},
        {"luaduct.time.date('9999-12-31'):add(1, 'month')", "not within the years 1 to 9999"},
        {"luaduct.time.date('0001-01-01'):add(-9223372036854775807, 'year')", "15 digits"},
        {"luaduct.time.date('0001-01-01'):add(-99999999999, 'year')", "not within the years"},
        {"luaduct.time.date('0001-01-01'):add(-99999999999, 'day')", "leave the years"},
        {"luaduct.time.from_epoch_ms(0):add(99999999999999, 'hour')", "not within the years"},
        {"luaduct.time.from_epoch_ms(0):since(luaduct.time.date('2024-01-01'), 'day')", "different kinds of time"},
        {"luaduct.time.from_epoch_ms(0):since(5, 'day')", "time expected, got number"},
        {"luaduct.time.from_epoch_ms(0):yaer()", "a time has no function \"yaer\"; did you mean \"year\"?"},
        {"luaduct.time.pars('x')", "luaduct.time has no function \"pars\"; did you mean \"parse\"?"},
        {"luaduct.decimal('1'):ruond(1)", "a decimal has no function \"ruond\"; did you mean \"round\"?"},
    };

    (void)state;
    check_errors(cases, COUNT_OF(cases));
}

/* --- text --- */

static void test_text(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.text.upper('straße é ж 上'), luaduct.text.lower('ÀB Ж')", "STRAßE É Ж 上,àb ж"},
        {"luaduct.text.length(''), luaduct.text.length('上海a'), luaduct.text.length('e\\u{301}')", "0,3,2"},
        {"luaduct.text.sub('上海市浦东', 2, 3), luaduct.text.sub('上海市浦东', -2), luaduct.text.sub('上海市浦东', 4, -1)", "海市,浦东,浦东"},
        {"luaduct.text.sub('上海', 0), luaduct.text.sub('上海', 5), luaduct.text.sub('上海', 2, 1), luaduct.text.sub('上海', -9, 1)", "上海,,,上"},
        {"luaduct.text.sub('abc', math.mininteger, math.maxinteger), luaduct.text.sub('abc', 1, -9)", "abc,"},
        {"'[' .. luaduct.text.trim('\\u{3000}\\u{A0}\\t上 海\\n\\u{2028}') .. ']', luaduct.text.trim('xxayx', 'xy'), luaduct.text.trim('xyx', 'xy')",
         "[上 海],a,"},
        {"luaduct.text.trim('abc', ''), luaduct.text.trim('   ')", "abc,"},
        {"luaduct.text.pad_left('7', 3, '0'), luaduct.text.pad_right('上', 4, '海x'), luaduct.text.pad_left('abcd', 2), luaduct.text.pad_left('a', 3)",
         "007,上海x海,abcd,  a"},
        {"luaduct.text.reverse('a上b'), luaduct.text.reverse('')", "b上a,"},
        {"luaduct.text.width('上a'), luaduct.text.width('e\\u{301}'), luaduct.text.width('')", "3,1,0"},
        {"#luaduct.text.normalize('e\\u{301}'), #luaduct.text.normalize('\\u{e9}', 'NFD'), luaduct.text.normalize('１ﬁ', 'NFKC'), luaduct.text.normalize('１')",
         "2,3,1fi,１"},
        {"luaduct.text.is_valid('上'), luaduct.text.is_valid('\\xE4\\xB8'), luaduct.text.is_valid('')", "true,false,true"},
        {"luaduct.text.find('上海市浦东', '浦东')", "4,5"},
        {"luaduct.text.find('上海', 'x'), luaduct.text.find('a.b', '.')", "nil,2,2"},
        {"luaduct.text.find('abcabc', 'c', 4), luaduct.text.find('abc', 'a', 2)", "6,nil"},
        {"luaduct.hash('md5', ''), luaduct.hash('md5', 'abc')", "d41d8cd98f00b204e9800998ecf8427e,900150983cd24fb0d6963f7d28e17f72"},
        {"luaduct.hash('sha256', 'c', 'ab') == luaduct.hash('sha256', 'abc'), luaduct.hash('md5', '\\0\\xFF') ~= luaduct.hash('md5', '')", "true,true"},
        {"luaduct.hash('sm3', 'abc')", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
        {"(function() for i = 1, 20 do luaduct.hash('md5', 'x', 'salt' .. i) end return luaduct.hash('md5', 'abc') end)()",
         "900150983cd24fb0d6963f7d28e17f72"},
    };

    (void)state;
    check_values(cases, COUNT_OF(cases));
}

static void test_wrong_text(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.text.uper('x')", "luaduct.text has no function \"uper\"; did you mean \"upper\"?"},
        {"luaduct.text.upper()", "bad argument #1 to 'upper' (string expected, got no value)"},
        {"luaduct.text.upper(5)", "string expected, got number"},
        {"luaduct.text.upper('\\xFF')", "the text is not UTF-8"},
        {"luaduct.text.find('x', '\\xFF')", "bad argument #2 to 'find' (the text is not UTF-8"},
        {"luaduct.text.find('x', 'x', 0)", "characters are counted from 1"},
        {"luaduct.text.sub('x')", "bad argument #2 to 'sub' (number expected"},
        {"luaduct.text.pad_left('x', 2000000)", "at most 1048576"},
        {"luaduct.text.pad_left('x', 2, '')", "nothing fills nothing"},
        {"luaduct.text.normalize('x', 'NFX')", "bad argument #2 to 'normalize' (invalid option 'NFX')"},
        {"luaduct.hash('sha1', 'x')", "bad argument #1 to 'hash'"},
        {"luaduct.hash('sha265', 'x')", "did you mean \"sha256\"?"},
        {"luaduct.hash('md5')", "bad argument #2 to 'hash' (string expected"},
        {"luaduct.hash('md5', 'x', 5)", "string expected, got number"},
        {"batch.city:uper()", "a column has no method \"uper\"; did you mean \"upper\"?"},
        {"batch.city:sub(0)", "counted from 1, or from -1"},
        {"batch.city:sub(2, -2)", "counted from the same end"},
        {"batch.city:sub('x')", "number expected"},
        {"batch.city:contains()", "a column or a constant is wanted"},
        {"batch.city:contains(nil)", "a column or a constant is wanted, this is nil"},
        {"batch.city:contains(5)", "bigint"},
        {"batch.id:upper()", "bigint"},
        {"batch.city:like('a\\\\')", "bad argument #1 to 'like'"},
        {"batch.city:hash('md6')", "did you mean \"md5\"?"},
        {"batch.id:hash('md5')", "bigint"},
        {"batch.city:matches('(')", "bad argument #1 to 'matches' ("},
        {"batch.city:extract('(')", "bad argument #1 to 'extract' ("},
        {"batch.city:extract('(a)', 2)", "bad argument #2 to 'extract' (the pattern has 1 groups)"},
        {"batch.city:extract('(?<x>a)', 'y')", "the pattern has no group of that name"},
        {"batch.id:matches('x')", "bigint"},
        {"batch.city.upper('x')", "column expected, got string"},
    };

    (void)state;
    check_errors(cases, COUNT_OF(cases));
}

/* --- lookups --- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *const sites[] = {"sites.csv", "sites.json"};
static const char sites_csv[] = "city,region,rate\nShanghai,East,1.50\nWuhan,Central,\n2,Two,2\n";
static const char sites_json[] = "[{\"city\":\"Shanghai\",\"region\":\"East\",\"rate\":1.50},{\"city\":\"Wuhan\",\"region\":\"Central\"},"
                                 "{\"city\":2,\"region\":\"Two\",\"rate\":\"2\"}]";

struct folder_bed {
    struct stage_bed bed;
    char folder[40];
};

static void folder_init(struct folder_bed *f)
{
    bed_init(&f->bed, 4 << 20, 10000000);
    unlink(f->bed.path);
    snprintf(f->folder, sizeof(f->folder), "/tmp/lookup_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->bed.path, sizeof(f->bed.path), "%s/stage.lua", f->folder);
}

static const char *folder_path(const struct folder_bed *f, const char *name, char path[200])
{
    snprintf(path, 200, "%s/%.100s", f->folder, name);
    return path;
}

static void folder_release(struct folder_bed *f)
{
    char path[200];

    unlink(folder_path(f, "sites.csv", path));
    unlink(folder_path(f, "sites.json", path));
    bed_release(&f->bed);
    rmdir(f->folder);
}

static const char *folder_run(struct folder_bed *f, struct script_module *module, char shown[400])
{
    bed_fill(&f->bed);
    assert_true(script_process(module, f->bed.batch, &f->bed.error));
    if (f->bed.batch->dirty)
        fail_msg("%.*s", STR_ARG(f->bed.batch->dirty->reason));
    return bed_show(&f->bed, "x", shown);
}

static void test_lookups(void **state)
{
    static const struct {
        const char *values, *body, *want;
    } cases[] = {
        {"value = 'region'", "batch:set('x', t:column(batch.city))", "East|NULL|NULL|NULL|Central"},
        {"value = 'rate decimal(10,2)'", "batch:set('x', t:column(batch.city))", "150|NULL|NULL|NULL|NULL"},
        {"values = {'region', 'rate decimal(10,2)'}", "batch:set('x', t:column(batch.city, 'rate') + 1)", "250|NULL|NULL|NULL|NULL"},
        {"value = 'region'", "batch:set('x', t:column(batch.id))", "NULL|Two|NULL|NULL|NULL"},
        {"values = {'region', 'rate decimal(10,2)'}",
         "batch:map({'city'}, {'x string'}, function(c) local a, b = t:get(c) return tostring(a) .. tostring(b) end)",
         "East1.50|nilnil|nilnil|nilnil|Centralnil"},
        {"values = {'region', 'rate'}", "batch:map({'id'}, {'x string'}, function(i) return t:get(i, 'rate') end)", "NULL|2|NULL|NULL|NULL"},
        {"value = 'region'", "batch:set('x', t:count())", "3|3|3|3|3"},
    };
    struct folder_bed f;
    char path[200], text[1000], shown[400];

    (void)state;
    folder_init(&f);
    write_file(folder_path(&f, "sites.csv", path), sites_csv);
    write_file(folder_path(&f, "sites.json", path), sites_json);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t k = 0; k < COUNT_OF(sites); k++) {
            snprintf(text, sizeof(text), "local t = luaduct.lookup{file = '%s', key = 'city', %s}\nreturn {process = function(batch) %s end}", sites[k],
                     cases[i].values, cases[i].body);
            assert_string_equal(folder_run(&f, bed_open(&f.bed, text), shown), cases[i].want);
        }
    }
    folder_release(&f);
}

/* Time is passed in: a look a second, and a stamp that is seen twice. */
static void test_lookups_are_read_again(void **state)
{
    struct folder_bed f;
    struct script_module *module;
    char path[200], shown[400];
    int64_t now = INT64_MAX / 2;

    (void)state;
    folder_init(&f);
    write_file(folder_path(&f, "sites.csv", path), "city,region\nWuhan,Central\n");
    module = bed_open(&f.bed, "local t = luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region'}\n"
                              "return {process = function(batch) batch:set('x', t:column(batch.city)) end}");
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|Central");
    write_file(path, "city,region\nWuhan,Middle of China\n");
    lookups_check(f.bed.state, now);
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|Central");
    lookups_check(f.bed.state, now + 999); /* within the second: no look */
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|Central");
    lookups_check(f.bed.state, now + 1000);
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|Middle of China");
    /* A broken one, and none: the table stays. */
    write_file(path, "city,region\nWuhan,a\nWuhan,b\n");
    for (int i = 2; i < 6; i++)
        lookups_check(f.bed.state, now + i * 1000);
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|Middle of China");
    unlink(path);
    for (int i = 6; i < 10; i++)
        lookups_check(f.bed.state, now + i * 1000);
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|Middle of China");
    write_file(path, "city,region\nWuhan,back\n");
    for (int i = 10; i < 14; i++)
        lookups_check(f.bed.state, now + i * 1000);
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|back");
    folder_release(&f);
}

/* Whatever lies between two batches, the first one after it has a table that was left alone for a second. */
static void test_lookups_of_a_quiet_topic(void **state)
{
    struct folder_bed f;
    struct script_module *module;
    char path[200], shown[400];

    (void)state;
    folder_init(&f);
    write_file(folder_path(&f, "sites.csv", path), "city,region\nWuhan,Central\n");
    module = bed_open(&f.bed, "local t = luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region'}\n"
                              "return {process = function(batch) batch:set('x', t:column(batch.city)) end}");
    write_file(path, "city,region\nWuhan,Middle of China\n");
    lookups_check(f.bed.state, INT64_MAX / 2);
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|Central"); /* just written: not yet */
    write_file(path, "city,region\nWuhan,Heart of China\n");
    clock_wall_fix(clock_wall_ms() + 1500);
    lookups_check(f.bed.state, INT64_MAX / 2 + 3600000);
    assert_string_equal(folder_run(&f, module, shown), "NULL|NULL|NULL|NULL|Heart of China");
    clock_wall_fix(CLOCK_RUNS);
    folder_release(&f);
}

static void test_wrong_lookups(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.lookup()", "bad argument #1 to 'lookup' (table expected"},
        {"luaduct.lookup{}", "luaduct.lookup: file: a text is wanted, not nil"},
        {"luaduct.lookup{file = '/etc/passwd.csv', key = 'a', value = 'b'}", "no path inside the script's folder"},
        {"luaduct.lookup{file = '../x.csv', key = 'a', value = 'b'}", "leads out of the script's folder"},
        {"luaduct.lookup{file = 'a/../../x.csv', key = 'a', value = 'b'}", "leads out of the script's folder"},
        {"luaduct.lookup{file = 'x.txt', key = 'a', value = 'b'}", "none of .csv, .tsv and .json"},
        {"luaduct.lookup{file = 'x.csv', key = 'a', value = 'b'}", "x.csv cannot be read: No such file"},
        {"luaduct.lookup{file = 'sites.csv', value = 'b'}", "luaduct.lookup: key: a text is wanted, not nil"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city'}", "value: the column to look up is wanted"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', vale = 'b'}", "no option \"vale\"; did you mean \"value\"?"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'reigon'}", "sites.csv has no column \"reigon\"; did you mean \"region\"?"},
        {"luaduct.lookup{file = 'sites.csv', key = 'citty', value = 'region'}", "did you mean \"city\"?"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'rate bigint'}", "sites.csv: line 2: rate: \"1.50\""},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'rate decimla'}", "did you mean \"decimal\"?"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region', values = {'rate'}}", "either value or values"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', values = 'region'}", "values: a list is wanted"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region', separator = ';;'}", "one character is wanted"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region'}:get()", "a key is wanted"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region'}:get({})", "string or integer expected, got table"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region'}:get('x', 'reigon')", "has no value \"reigon\"; did you mean \"region\"?"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region'}.get('x')", "called with a colon"},
        {"luaduct.lookup{file = 'sites.csv', key = 'city', value = 'region'}:gte('x')", "a lookup has no function \"gte\"; did you mean \"get\"?"},
    };
    struct folder_bed f;
    char path[200];

    (void)state;
    folder_init(&f);
    write_file(folder_path(&f, "sites.csv", path), sites_csv);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1000];

        snprintf(text, sizeof(text), "local stage = {}\nlocal _ = %s\nfunction stage.process() end return stage", cases[i].expression);
        if (bed_try_open(&f.bed, text) || !strstr(f.bed.error.text, "stage.lua:2: ") || !strstr(f.bed.error.text, cases[i].want))
            fail_msg("%s: %s", cases[i].expression, f.bed.error.text);
    }
    folder_release(&f);
}

/* --- batches, columns, rows --- */

static void test_wrong_use(void **state)
{
    static const struct value_case cases[] = {
        {"batch:set()", "bad argument #1 to 'set' (string expected"},
        {"batch:set('x')", "bad argument #2 to 'set' (value expected)"},
        {"batch:set('x', nil)", "for NULL use :is_null(), :coalesce() or luaduct.null"},
        {"batch.set('x', 1)", "batch expected, got string; methods are called with a colon, batch:keep(mask)"},
        {"batch.count()", "batch expected, got no value; methods are called with a colon"},
        {"batch:add('x', 'strng')", "bad argument #2 to 'add' (\"strng\" is not a type; did you mean \"string\"?"},
        {"batch:keep(5)", "bad argument #1 to 'keep' (a mask is wanted, such as batch.amount:gt(100); this is integer)"},
        {"batch:drop()", "bad argument #1 to 'drop' (a mask is wanted, such as batch.amount:gt(100); this is no value)"},
        {"batch:keep(batch.id)", "a mask is a boolean column, this one is bigint"},
        {"luaduct.choose(1, 2, 3)", "bad argument #1 to 'choose' (a mask is wanted"},
        {"batch:map({'id'}, {'x'})", "bad argument #3 to 'map' (function expected"},
        {"batch:map({5}, {'x'}, print)", "bad argument #1 to 'map' (field names are strings)"},
        {"batch:map({'idd'}, {'x'}, print)", "there is no field \"idd\"; did you mean \"id\"?"},
        {"batch:map({'id'}, {'x strin'}, print)", "did you mean \"string\"?"},
        {"#batch", "use batch:count()"},
        {"(function() for row in batch do end end)()", "`for row in batch:rows() do` walks over its rows"},
        {"#batch.id", "batch:count() rows"},
        {"batch.id()", "a column is no function"},
        {"batch.id[1]", "a column has no elements"},
        {"batch.id == batch.city", "use :eq(x), :ne(x)"},
        {"batch.id ~= batch.city", "use :eq(x), :ne(x)"},
        {"batch.id.eq(1, 2)", "column expected, got number"},
        {"(function() for row in batch:rows() do row:drp() end end)()", "there is no field or method \"drp\"; did you mean the method row:drop?"},
        {"(function() for row in batch:rows() do local x = row.cty end end)()", "there is no field \"cty\"; did you mean \"city\"?"},
        {"(function() for row in batch:rows() do row.cty = 1 end end)()", "there is no field \"cty\" to write; did you mean \"city\"?"},
        {"(function() for row in batch:rows() do row.level = 1 end end)()", "make it before the loop with batch:add(\"level\", \"bigint\")"},
        {"(function() for row in batch:rows() do row.dirty('x') end end)()", "row expected, got string; methods are called with a colon"},
        {"(function() for row in batch:rows() do row:set('id') end end)()", "bad argument #2 to 'set' (value expected)"},
        {"luaduct.decimal('1').round(2)", "luaduct.decimal expected, got number"},
        {"luaduct.decimal('x')", "luaduct.decimal: \"x\" cannot become decimal"},
        {"luaduct.decimal('1e')", "it is no number"},
        {"luaduct.decimal('one')", "it is no number"},
        {"luaduct.decimal(1e38)", "it has too many digits"},
        {"luaduct.decimal('1e-39')", "it has too many digits"},
        {"luaduct.decimal(0/0)", "it is no number"},
        {"luaduct.decimal(1/0)", "it is no number"},
    };

    (void)state;
    check_errors(cases, COUNT_OF(cases));
}

/* --- counters --- */

static void check_page(struct metrics *metrics, const char *const *lines, size_t count)
{
    struct buffer page;

    buffer_init(&page, 0);
    metrics_print(metrics, &page);
    for (size_t i = 0; i < count; i++)
        if (!strstr(buffer_text(&page), lines[i]))
            fail_msg("no %s in\n%s", lines[i], buffer_text(&page));
    buffer_release(&page);
}

static void test_counters(void **state)
{
    static const char text[] =
        "local luaduct = require 'luaduct'\n"
        "local rows, big, last = luaduct.counter('rows', 'Rows seen.'), luaduct.counter('big_total', {city = 'Wuhan'})\n"
        "local stage = {}\n"
        "function stage.open() last = luaduct.gauge('last') last:set(2) end\n"
        "function stage.process(batch)\n"
        "  rows:add(batch:count())\n"
        "  for row in batch:rows() do big:add(0.5) last:add(0.5) if row.id == 3 then error('three') end end\n"
        "  big:add()\n"
        "  last:add(-2)\n"
        "end\n"
        "return stage";
    struct metrics *metrics = metrics_new("j");
    struct stage_bed beds[2];

    (void)state;
    /* Two states; in each the run over five rows fails, and the one over four is what counts. */
    for (int i = 0; i < 2; i++) {
        struct script_module *module;

        bed_init(&beds[i], 16 << 20, 10000000);
        if (i == 0)
            script_state_count(beds[i].state, metrics);
        module = bed_open(&beds[i], text);
        if (i == 1)
            script_state_count(beds[i].state, metrics);
        bed_fill(&beds[i]);
        assert_true(script_process(module, beds[i].batch, &beds[i].error));
        assert_int_equal(beds[i].batch->dirty_count, 1);
    }
    {
        static const char *const both[] = {
            "# HELP luaduct_script_rows_total Rows seen.\n# TYPE luaduct_script_rows_total counter\n"
            "luaduct_script_rows_total{job=\"j\",stage=\"s\"} 8\n", "luaduct_script_big_total{job=\"j\",stage=\"s\",city=\"Wuhan\"} 6\n",
            "# TYPE luaduct_script_last gauge\nluaduct_script_last{job=\"j\",stage=\"s\"} 4\n"};

        check_page(metrics, both, COUNT_OF(both));
    }
    bed_release(&beds[1]);
    {
        static const char *const one[] = {"rows_total{job=\"j\",stage=\"s\"} 8\n", "last{job=\"j\",stage=\"s\"} 2\n"};

        check_page(metrics, one, COUNT_OF(one));
    }
    bed_release(&beds[0]);
    metrics_free(metrics);
}

static void test_counters_without_a_page(void **state)
{
    struct stage_bed bed;
    struct script_module *module;
    char shown[400];

    (void)state;
    bed_init(&bed, 16 << 20, 10000000);
    module = bed_open(&bed, "local c = luaduct.counter('c') return {process = function(batch) c:add(3) batch:set('x', 1) end}");
    bed_fill(&bed);
    assert_true(script_process(module, bed.batch, &bed.error));
    assert_string_equal(bed_show(&bed, "x", shown), "1|1|1|1|1");
    bed_release(&bed);
}

static void test_wrong_counters(void **state)
{
    static const struct value_case cases[] = {
        {"luaduct.counter('Rows')", "bad argument #1 to 'counter' (a name has 1 to 48 lower-case letters"},
        {"luaduct.counter('')", "a name has 1 to 48"},
        {"luaduct.counter(('x'):rep(49))", "a name has 1 to 48"},
        {"luaduct.counter()", "bad argument #1 to 'counter' (string expected"},
        {"luaduct.gauge('x_total')", "_total is how counters end"},
        {"luaduct.counter('x', {'a'})", "a label is a name and its value"},
        {"luaduct.counter('x', {a = 'b', c = 'd'})", "one label at most"},
        {"luaduct.counter('x', {stage = 'b'})", "the label \"stage\" is there already"},
        {"luaduct.counter('x', {a = 'b\\n'})", "no control characters"},
        {"luaduct.counter('x', {a = '\\xFF'})", "UTF-8"},
        {"luaduct.counter('x', 5)", "table expected"},
        {"luaduct.counter('x'):ad(1)", "a counter has no function \"ad\"; did you mean \"add\"?"},
        {"luaduct.counter('x'):add(-1)", "a counter only grows"},
        {"luaduct.counter('x'):add('a')", "number expected"},
        {"luaduct.counter('x'):add(0/0)", "beyond 9e15"},
        {"luaduct.counter('x').add(5)", "called with a colon"},
        {"luaduct.gauge('x'):set()", "bad argument #1 to 'set' (number expected, got no value)"},
        {"(function() for i = 1, 33 do luaduct.counter('x' .. i) end end)()", "at most 32 metrics"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stage_bed bed;
        char text[1000];

        bed_init(&bed, 16 << 20, 10000000);
        snprintf(text, sizeof(text), "local stage = {}\nlocal _ = %s\nfunction stage.process() end return stage", cases[i].expression);
        assert_null(bed_try_open(&bed, text));
        if (!strstr(bed.error.text, ".lua:2: ") || !strstr(bed.error.text, cases[i].want))
            fail_msg("%s: %s", cases[i].expression, bed.error.text);
        bed_release(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_wrong_json),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_wrong_time),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_wrong_text),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_lookups_are_read_again),
        cmocka_unit_test(test_lookups_of_a_quiet_topic),
        cmocka_unit_test(test_wrong_lookups),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_counters_without_a_page),
        cmocka_unit_test(test_wrong_counters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
