/* pattern_test.c: find, match, gmatch and gsub of stages: what the manual says of them, against Lua's library in many random calls,
 * and what a search that does not end is charged. */
#include "support/script_support.h"

#include "support/pattern_pair.h"
#include "util/buffer.h"

/* --- cases: what show() of pattern_pair.h makes of the call --- */

#define NONE INT64_MIN

static const struct {
    const char *about;
    char function;
    const char *text, *pattern, *replacement;
    lua_Integer number;
    const char *answer;
} cases[] = {
    {"a literal", 'f', "hello world", "wor", "", NONE, "(7 9)"},
    {"nothing found", 'f', "hello", "x", "", NONE, "(nil)"},
    {"captures follow", 'f', "key = value", "(%w+)%s*=%s*(%w+)", "", NONE, "(1 11 3:key 5:value)"},
    {"plain", 'p', "a.b.c", ".b", "", NONE, "(2 3)"},
    {"plain nothing", 'p', "abc", "", "", 4, "(4 3)"},
    {"from a place", 'f', "abcabc", "b", "", 3, "(5 5)"},
    {"from a place before the end", 'f', "abcabc", "b", "", -2, "(5 5)"},
    {"from far before the beginning", 'f', "abc", "b", "", -10, "(2 2)"},
    {"from zero", 'f', "abc", "a", "", 0, "(1 1)"},
    {"from the end", 'f', "abc", "", "", 4, "(4 3)"},
    {"from beyond the end", 'f', "abc", "", "", 5, "(nil)"},
    {"a bracket alone is plain for find", 'f', "a)", ")", "", NONE, "(2 2)"},
    {"and an error for match", 'm', "a)", ")", "", NONE, "error: invalid pattern capture"},
    {"the whole match", 'm', "x = 12", "%d+", "", NONE, "(2:12)"},
    {"the anchor", 'm', "abc", "^b", "", NONE, "(nil)"},
    {"the anchor at a place", 'm', "abc", "^b", "", 2, "(1:b)"},
    {"a second ^ is a character", 'm', "^x", "^^x", "", NONE, "(2:^x)"},
    {"the end", 'm', "aab", "a*b$", "", NONE, "(3:aab)"},
    {"a $ elsewhere is a character", 'm', "a$b", "a$b", "", NONE, "(3:a$b)"},
    {"as many as possible", 'm', "<a><b>", "<.*>", "", NONE, "(6:<a><b>)"},
    {"as few as possible", 'm', "<a><b>", "<.->", "", NONE, "(3:<a>)"},
    {"one or none", 'm', "-7", "%-?%d", "", NONE, "(2:-7)"},
    {"a way back through several", 'm', "aaab", "a*a+a?ab", "", NONE, "(4:aaab)"},
    {"a sign of repetition alone is a character", 'm', "*a", "*a", "", NONE, "(2:*a)"},
    {"a set", 'm', "x-1_2", "[%d_-]+", "", NONE, "(4:-1_2)"},
    {"a set of others", 'm', "ab,c", "[^,]*", "", NONE, "(2:ab)"},
    {"a bracket in a set", 'm', "a]b", "[]]", "", NONE, "(1:])"},
    {"a range", 'm', "xyzM", "[A-Z]", "", NONE, "(1:M)"},
    {"the other bytes of a class", 'm', "  a", "%S", "", NONE, "(1:a)"},
    {"bytes above 127", 'm', "a\xE4\xB8\x8A", "[\x80-\xFF]+", "", NONE, "(3:\xE4\xB8\x8A)"},
    {"balanced", 'm', "f(a(b)c)(d)", "%b()", "", NONE, "(7:(a(b)c))"},
    {"balanced by the same", 'm', "x'ab'", "%b''", "", NONE, "(4:'ab')"},
    {"a frontier", 't', "THE (quick) fox", "%f[%a]%a+", "w", NONE, "(7:w (w) w 3)"},
    {"a frontier at the end", 'f', "ab", "%f[%z]", "", NONE, "(3 2)"},
    {"a position", 'm', "hello", "()ll()", "", NONE, "(3 5)"},
    {"captures in captures", 'm', "ab", "((a)(b))", "", NONE, "(2:ab 1:a 1:b)"},
    {"the same again", 'm', "say \"it's\"", "([\"'])(.-)%1", "", NONE, "(1:\" 4:it's)"},
    {"the same as a position is nothing", 'm', "1", "()%1", "", NONE, "(nil)"},
    {"all words", 'g', "one two", "%a+", "", NONE, "(16:(3:one)(3:two)())"},
    {"all pairs", 'g', "a=1, b=2", "(%w)=(%w)", "", NONE, "(20:(1:a 1:1)(1:b 1:2)())"},
    {"empty matches", 'g', "hello", "l*", "", NONE, "(20:(0:)(0:)(2:ll)(0:)())"},
    {"from a place on", 'g', "abc", ".", "", -1, "(7:(1:c)())"},
    {"nothing beyond the end", 'g', "abc", "", "", 9, "(2:())"},
    {"a ^ is no anchor in gmatch", 'g', "^a^a", "^a", "", NONE, "(14:(2:^a)(2:^a)())"},
    {"replaced", 't', "hello world", "o", "0", NONE, "(11:hell0 w0rld 2)"},
    {"replaced at most once", 't', "aaa", "a", "b", 1, "(3:baa 1)"},
    {"replaced never", 't', "aaa", "a", "b", -1, "(3:aaa 0)"},
    {"the anchor of gsub", 't', "aaa", "^a", "b", NONE, "(3:baa 1)"},
    {"captures in the replacement", 't', "hello world", "(%w+) (%w+)", "%2 %1, %0 %%", NONE, "(26:world hello, hello world % 1)"},
    {"the whole match as capture 1", 't', "ab", "%w", "%1%1", NONE, "(4:aabb 2)"},
    {"a position in the replacement", 't', "ab", "()b", "%1", NONE, "(2:a2 1)"},
    {"empty matches are replaced once", 't', "abc", "%w*", "x", NONE, "(1:x 1)"},
    {"between all", 't', "abc", "", "-", NONE, "(7:-a-b-c- 4)"},
    {"by a table", 'l', "a b ab c d", "%w+", "", NONE, "(11:A b 7 c <d> 5)"},
    {"by a function", 'c', "x b y", "%w", "", NONE, "(15:1(1:x) b 1(1:y) 3)"},
    {"a function's error", 'c', "2", "%d", "", NONE, "error: f:24: two"},
    {"a table's wrong value", 'l', "1", "%d", "", NONE, "error: invalid replacement value (a table)"},
    {"a function's wrong value", 'c', "1", "%d", "", NONE, "error: invalid replacement value (a table)"},
    {"% at the end", 'm', "x", "x%", "", NONE, "error: malformed pattern (ends with '%')"},
    {"a set without end", 'm', "x", "[x", "", NONE, "error: malformed pattern (missing ']')"},
    {"a set that ends with %", 'm', "x", "[x%]", "", NONE, "error: malformed pattern (missing ']')"},
    {"%b alone", 'm', "x", "%b", "", NONE, "error: malformed pattern (missing arguments to '%b')"},
    {"%b with one", 'm', "x", "%bx", "", NONE, "error: malformed pattern (missing arguments to '%b')"},
    {"%f without a set", 'm', "x", "%fx", "", NONE, "error: missing '[' after '%f' in pattern"},
    {"a capture that is not closed", 'm', "x", "(x", "", NONE, "error: unfinished capture"},
    {"the same before it ends", 'm', "x", "(x%1)", "", NONE, "error: invalid capture index %1"},
    {"the same of none", 'm', "x", "x%1", "", NONE, "error: invalid capture index %1"},
    {"capture 0", 'm', "x", "%0", "", NONE, "error: invalid capture index %0"},
    {"no such capture in a replacement", 't', "x", "x", "%2", NONE, "error: invalid capture index %2"},
    {"a wrong % in a replacement", 't', "x", "x", "%x", NONE, "error: invalid use of '%' in replacement string"},
    {"what no match comes to is not looked at", 'm', "x", "a[", "", NONE, "(nil)"},
};

static void test_cases(void **state)
{
    struct pattern_pair pair;
    int failures = 0;

    (void)state;
    pattern_pair_init(&pair, 1000000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pattern_call call = {cases[i].function, str_of(cases[i].text), str_of(cases[i].pattern),
                                    str_of(cases[i].replacement), cases[i].number != NONE, cases[i].number};

        if (!pattern_pair_ask(&pair, &call) || !str_is(pair.ours, cases[i].answer) || !pattern_pair_agrees(&pair)) {
            print_error("%s: %.*s, and Lua's library says %.*s\n", cases[i].about, STR_ARG(pair.ours), STR_ARG(pair.theirs));
            failures++;
        }
    }
    pattern_pair_release(&pair);
    assert_int_equal(failures, 0);
}

/* Zero bytes in both. */
static void test_zero_bytes(void **state)
{
    static const struct {
        char function;
        struct str text, pattern, answer;
    } zeros[] = {
        {'f', {"a\0b", 3}, {"\0", 1}, {"(2 2)", 5}},       {'m', {"a\0\0b", 4}, {"%z+", 3}, {"(2:\0\0)", 6}},
        {'m', {"a\0b", 3}, {"[\0-\1]b", 6}, {"(2:\0b)", 6}}, {'p', {"\0\0x", 3}, {"\0x", 2}, {"(2 3)", 5}},
        {'m', {"\0a\0", 3}, {"%b\0\0", 4}, {"(3:\0a\0)", 7}},
    };
    struct pattern_pair pair;

    (void)state;
    pattern_pair_init(&pair, 1000000);
    for (size_t i = 0; i < COUNT_OF(zeros); i++) {
        struct pattern_call call = {.function = zeros[i].function, .text = zeros[i].text, .pattern = zeros[i].pattern};

        assert_true(pattern_pair_ask(&pair, &call));
        assert_true(str_equal(pair.ours, zeros[i].answer));
        assert_true(str_equal(pair.theirs, zeros[i].answer));
    }
    pattern_pair_release(&pair);
}

/* Each byte in each class and its opposite. */
static void test_classes(void **state)
{
    struct pattern_pair pair;

    (void)state;
    pattern_pair_init(&pair, 1000000);
    for (int byte = 0; byte < 256; byte++) {
        for (int letter = 1; letter < 256; letter++) {
            char text = (char)byte, pattern[] = {'[', '%', (char)letter, ']', '%', (char)letter};
            struct pattern_call in_set = {.function = 'm', .text = {&text, 1}, .pattern = {pattern, 4}};
            struct pattern_call alone = {.function = 'm', .text = {&text, 1}, .pattern = {pattern + 4, 2}};

            if (!pattern_pair_ask(&pair, &in_set) || !pattern_pair_agrees(&pair) || !pattern_pair_ask(&pair, &alone) ||
                !pattern_pair_agrees(&pair))
                fail_msg("%%%c for byte %d: %.*s, %.*s", letter, byte, STR_ARG(pair.ours), STR_ARG(pair.theirs));
        }
    }
    pattern_pair_release(&pair);
}

/* --- random calls --- */

enum { CALLS = 100000, PIECES_MAX = 9 };

static uint64_t random_state;

static unsigned random_below(unsigned count)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % count;
}

static const char *const pattern_pieces[] = {
    "a",     "b",      "c",     "1",       ".",      ".",     "%a",    "%d",   "%s",   "%w",     "%x",  "%p",  "%l",  "%u",  "%c",
    "%g",    "%z",     "%A",    "%D",      "%S",     "%W",    "%P",    "%.",   "%%",   "%]",     "%q",  " ",   "_",   "é",   "[ab]",
    "[^a]",  "[a-c1]", "[%w_]", "[]a]",    "[^]b]",  "[a-]",  "[%a-z]", "[-a]", "[^%s]", "[1-%%]", "[",   "]",   "[^",  "[%",  "(",
    "(",     "(",      ")",     ")",       ")",      "()",    "(a*)",  "(.-)", "%1",   "%2",     "%0",  "*",   "*",   "+",   "+",
    "-",     "-",      "?",     "?",       "^",      "$",     "%",     "%b()", "%bab", "%b",     "%f[%w]", "%f[^a]", "%f[%z]", "%f", "[\x80-\xff]",
};
static const char *const text_pieces[] = {"a", "a", "b", "c", "1", "2", " ", "(", ")", "_", "A", ".", "%", "]", "^", "$", "-", "é", "ab", "\n"};
static const char *const replacement_pieces[] = {"x", "%0", "%1", "%2", "%%", "%", "%a", ""};

/* A zero byte now and then. */
static struct str random_text(const char *const *pieces, unsigned count, unsigned length, char *text)
{
    size_t size = 0;

    for (unsigned i = random_below(length + 1); i > 0; i--) {
        const char *piece = pieces[random_below(count)];

        if (random_below(40) == 0)
            text[size++] = '\0';
        memcpy(text + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return str_make(text, size);
}

static void test_random_calls(void **state)
{
    char pattern[200], text[200], replacement[50];
    unsigned failures = 0, ended = 0, errors = 0, found = 0;
    struct pattern_pair pair;

    (void)state;
    random_state = 20240131;
    pattern_pair_init(&pair, 20000);
    for (unsigned i = 0; i < CALLS && failures < 10; i++) {
        struct pattern_call call = {.function = "fpmmgglct"[random_below(9)]};

        call.pattern = random_text(pattern_pieces, COUNT_OF(pattern_pieces), PIECES_MAX, pattern);
        call.text = random_text(text_pieces, COUNT_OF(text_pieces), random_below(3) ? 12 : 30, text);
        call.replacement = random_text(replacement_pieces, COUNT_OF(replacement_pieces), 3, replacement);
        call.has_number = random_below(3) == 0;
        call.number = (lua_Integer)random_below(20) - 8;
        if (!pattern_pair_ask(&pair, &call)) {
            ended++;
        } else if (!pattern_pair_agrees(&pair)) {
            print_error("call %u: %c \"%.*s\" \"%.*s\" \"%.*s\": %.*s, and Lua's library says %.*s\n", i, call.function, STR_ARG(call.text),
                        STR_ARG(call.pattern), STR_ARG(call.replacement), STR_ARG(pair.ours), STR_ARG(pair.theirs));
            failures++;
        } else {
            errors += str_starts_with(pair.ours, STR("error: "));
            found += !str_starts_with(pair.ours, STR("error: ")) && !str_is(pair.ours, "(nil)");
        }
    }
    pattern_pair_release(&pair);
    assert_int_equal(failures, 0);
    /* The calls are of all kinds, and nearly all are compared. */
    assert_true(ended < CALLS / 100);
    assert_true(errors > CALLS / 20);
    assert_true(found > CALLS / 5);
}

/* --- bounds --- */

/* Lua's library gives up at the same number of items under way. */
static void test_what_is_too_complex(void **state)
{
    static const struct {
        const char *item;
        unsigned count;
        bool complex;
    } patterns[] = {{"a", 5000, false}, {"b?", 5000, false}, {"(a)", 32, false}, {"a?", 199, false}, {"a?", 300, true}, {"a-", 300, true}};
    struct pattern_pair pair;
    char text[400], pattern[10001];

    (void)state;
    memset(text, 'a', sizeof(text));
    pattern_pair_init(&pair, 10000000);
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        struct pattern_call call = {.function = 'm', .text = {text, sizeof(text)}, .pattern = {pattern, 0}};

        for (unsigned k = 0; k < patterns[i].count; k++) {
            memcpy(pattern + call.pattern.size, patterns[i].item, strlen(patterns[i].item));
            call.pattern.size += strlen(patterns[i].item);
        }
        assert_true(pattern_pair_ask(&pair, &call));
        if (patterns[i].complex != pattern_pair_gave_up(pair.ours) || !pattern_pair_agrees(&pair))
            fail_msg("%s: %.*s", patterns[i].item, STR_ARG(pair.ours));
    }
    pattern_pair_release(&pair);
}

/* What does not end within a budget of 100000 instructions, although a call is one instruction. */
static const char *const endless[] = {
    "string.find(('a'):rep(1000), ('a-'):rep(30) .. 'b')",
    "string.match(('a'):rep(1000), ('.-'):rep(6) .. 'x')",
    "for _ in string.gmatch(('a'):rep(1000), ('a*'):rep(6) .. 'b') do end",
    "string.gsub(('a'):rep(1000), ('a?'):rep(60) .. ('a'):rep(60) .. 'b', '')",
    "string.gsub(('a'):rep(100000), '(a+)%1b', '')",
    "string.gsub(('a'):rep(100000), 'a*b', {})",
    "string.gsub(('a'):rep(100000), '.-b', function() end)",
    "string.find(('('):rep(10000), '%b()')",
    "string.find(('a'):rep(1 << 20), ('a'):rep(1 << 18) .. 'b', 1, true)",
    "string.find(('a'):rep(1 << 20), ('a'):rep(1 << 18) .. '[b]')",
    "string.find(('a'):rep(1 << 20), '%f[%d]', 1) string.find(('a'):rep(1 << 20), '%f[%d]', 1)",
    "local s, p = 'x', ('y'):rep(1 << 16) while true do s:gsub(p, '') end",
    "local s, p = 'x', ('()'):rep(1 << 10) while true do pcall(s.match, s, p) end",
    "local s = ('a'):rep(100) while true do pcall(s.match, s, '.-.-.-(') end",
    "local s = ('a'):rep(1 << 16) while true do s:gsub('', '') end",
    "string.gsub(('a'):rep(1 << 16), '()a', ('%1'):rep(1 << 16))",
    "string.gsub(('a'):rep(1 << 16), '(b?)a', ('%1'):rep(1 << 16))",
    "local p = ('a'):rep(1 << 20) while true do (''):find(p) end",
    "local s = (' '):rep(1 << 16) while true do s:gmatch('%S')() end",
};

static void test_the_budget(void **state)
{
    int failures = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(endless); i++) {
        struct stage_bed bed;
        char text[400];

        bed_init(&bed, 16 << 20, 100000);
        snprintf(text, sizeof(text), "local t = 1\npcall(function() %s end)\nreturn {process = function() end}", endless[i]);
        if (bed_try_open(&bed, text)) {
            print_error("%s: ends by itself\n", endless[i]);
            failures++;
        } else if (!strstr(bed.error.text, ":2: more than 100000 instructions for one batch; is there an endless loop?")) {
            print_error("%s: %s\n", endless[i], bed.error.text);
            failures++;
        }
        bed_release(&bed);
    }
    assert_int_equal(failures, 0);
}

/* Instructions that a call is charged, between bounds, with one for each 64 bytes of a text that is made for it: ordinary calls cost
 * little, and all that takes time costs something. */
static void test_what_is_charged(void **state)
{
    static const struct {
        const char *about;
        char function;
        const char *text;
        unsigned times; /* the text */
        const char *pattern, *replacement;
        int64_t least, most;
    } prices[] = {
        {"a word in a line", 'f', "2024-01-31 INFO request took 17 ms", 1, "took", "", 4, 10},
        {"fields of a line", 'm', "2024-01-31 INFO request took 17 ms", 1, "^(%S+) (%u+) (.-) took (%d+) ms$", "", 20, 80},
        {"another line", 'm', "2024-01-31 INFO request took 17 ms", 1, "^ERROR", "", 4, 10},
        {"a long text that is looked through for a byte", 'f', "a", 64000, "b", "", 1900, 2100},
        {"for bytes of a set", 'm', "a", 64000, "[bc]", "", 4900, 5100},
        {"run by run", 't', "ab", 1000, "a+", "", 4000, 10000},
        {"empty matches", 't', "a", 1000, "", "", 4000, 10000},
        {"what was captured, again and again", 'm', "a", 4000, "^(a+)%1b", "", 20000, 60000},
        {"a long literal, again and again", 'm', "a", 2000, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "", 2500, 10000},
        {"ways that end at an error", 'm', "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1c", 1, "a*1c[", "", 200, 1000},
        {"captures of a replacement", 't', "a", 100, "(b?)a", "%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1", 3000, 10000},
    };
    struct pattern_pair pair;
    int failures = 0;

    (void)state;
    pattern_pair_init(&pair, 1000000);
    for (size_t i = 0; i < COUNT_OF(prices); i++) {
        struct pattern_call call = {.function = prices[i].function, .pattern = str_of(prices[i].pattern), .replacement = str_of(prices[i].replacement)};
        struct buffer text;
        int64_t price;

        buffer_init(&text, 0);
        for (unsigned k = 0; k < prices[i].times; k++)
            buffer_append_str(&text, str_of(prices[i].text));
        call.text = buffer_str(&text);
        assert_true(pattern_pair_ask(&pair, &call)); /* reads the pattern */
        assert_true(pattern_pair_ask(&pair, &call));
        price = 1000000 - pair.state->instructions_left;
        if (price < prices[i].least || price > prices[i].most) {
            print_error("%s: %lld instructions\n", prices[i].about, (long long)price);
            failures++;
        }
        buffer_release(&text);
    }
    pattern_pair_release(&pair);
    assert_int_equal(failures, 0);
}

/* A cached pattern is known by its text, although another text lies at the place of the first one; and it stays while others are
 * read meanwhile. */
static void test_patterns_at_one_place(void **state)
{
    struct stage_bed bed;

    (void)state;
    bed_init(&bed, 16 << 20, 100000000);
    bed_open(&bed, "for i = 1, 20000 do\n"
                   "  local word = 'w' .. i % 7919\n"
                   "  assert(('w1w22' .. word):match('(' .. word .. ')$') == word)\n"
                   "  local twice, pattern, expected = (' ' .. word):rep(2), '%s' .. word, ('<' .. word:sub(2, 2)):rep(2)\n"
                   "  local function replace(m) return '<' .. m:match('%d') end\n"
                   "  assert(twice:gsub(pattern, replace) == expected)\n"
                   "  assert(twice:gsub(pattern, setmetatable({}, {__index = function(_, m) return replace(m) end})) == expected)\n"
                   "  assert(twice:gsub(pattern, {[' ' .. word] = '<'}) == '<<')\n"
                   "end\n"
                   "return {process = function() end}");
    bed_release(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_zero_bytes),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_random_calls),
        cmocka_unit_test(test_what_is_too_complex),
        cmocka_unit_test(test_the_budget),
        cmocka_unit_test(test_what_is_charged),
        cmocka_unit_test(test_patterns_at_one_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
