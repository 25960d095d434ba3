/* column_text.c: methods of columns of texts. Each calls a kernel once for all rows; arguments are constants or columns. */
#include "script/api.h"

#include "batch/kernels/hash.h"
#include "batch/kernels/regex.h"
#include "batch/kernels/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { REGEXES_MAX = 16, REGEX_INSTRUCTIONS = 10000 };

/* Compiling takes far longer than matching a batch. */
struct regex_cache {
    struct regex_slot {
        char *pattern;
        size_t size;
        struct regex *regex;
    } slots[REGEXES_MAX];
    unsigned next;
};

void column_text_free(struct script_state *state)
{
    for (size_t i = 0; state->regexes && i < REGEXES_MAX; i++) {
        free(state->regexes->slots[i].pattern);
        regex_free(state->regexes->slots[i].regex);
    }
    free(state->regexes);
}

static struct regex *regex_throws(lua_State *L, int index)
{
    struct script_state *state = script_of(L);
    struct regex *regex;
    struct regex_slot *slot;
    struct str pattern;
    struct error error;
    size_t wrong_at;

    pattern.data = luaL_checklstring(L, index, &pattern.size);
    if (!state->regexes)
        state->regexes = xcalloc(1, sizeof(*state->regexes));
    for (size_t i = 0; i < REGEXES_MAX; i++) {
        slot = &state->regexes->slots[i];
        if (slot->regex && str_equal(pattern, str_make(slot->pattern, slot->size)))
            return slot->regex;
    }
    script_budget_charge(state, REGEX_INSTRUCTIONS);
    script_budget_check_throws(L);
    if (!regex_new(&regex, pattern, true, &wrong_at, &error)) {
        luaL_argerror(L, index, lua_pushstring(L, error.text));
        return NULL;
    }
    slot = &state->regexes->slots[state->regexes->next++ % REGEXES_MAX];
    free(slot->pattern);
    regex_free(slot->regex);
    *slot = (struct regex_slot){xmalloc(pattern.size + 1), pattern.size, regex};
    memcpy(slot->pattern, pattern.data, pattern.size);
    return regex;
}

/* "upper(city)" in the batch's arena, for reasons. */
static struct str what_throws(lua_State *L, struct batch *batch, const char *method, struct str name)
{
    char text[128];
    struct str copy;
    int size = snprintf(text, sizeof(text), "%s(%.*s)", method, STR_ARG(str_head(name, 80)));

    copy = arena_try_copy(&batch->arena, str_make(text, size_min((size_t)size, sizeof(text) - 1)));
    if (!copy.data)
        throw_arena_full(L);
    return copy;
}

struct call {
    struct batch *batch;
    struct column_box *box;
    struct operand a;
    struct str what;
};

static struct call begin_throws(lua_State *L, const char *method)
{
    struct call call = {.batch = run_batch_throws(L), .box = column_check_throws(L, 1)};

    run_charge_rows_throws(L);
    call.a = (struct operand){call.box->column, false};
    call.what = what_throws(L, call.batch, method, call.box->name);
    return call;
}

static int end_throws(lua_State *L, const struct call *call, bool ok, struct column *column, const struct error *error)
{
    batch_sweep(call->batch);
    return column_result_throws(L, ok, column, call->what, error);
}

/* The argument, left out as nil. */
static struct operand optional_throws(lua_State *L, int index, struct constant *constant)
{
    return lua_isnoneornil(L, index) ? TEXT_NONE : column_operand_throws(L, index, constant);
}

#define UNARY(name, word, kernel)                                                                                                \
    static int name(lua_State *L)                                                                                                \
    {                                                                                                                            \
        struct call call = begin_throws(L, word);                                                                                \
        struct column *column = NULL;                                                                                            \
        struct error error;                                                                                                      \
        bool ok = kernel(call.batch, call.a, call.what, &column, &error);                                                        \
                                                                                                                                 \
        return end_throws(L, &call, ok, column, &error);                                                                         \
    }

UNARY(column_upper, "upper", text_upper)
UNARY(column_lower, "lower", text_lower)
UNARY(column_length, "length", text_length)
UNARY(column_reverse, "reverse", text_reverse)

static int column_trim(lua_State *L)
{
    struct call call = begin_throws(L, "trim");
    struct constant constant;
    struct operand characters = optional_throws(L, 2, &constant);
    struct column *column = NULL;
    struct error error;
    bool ok = text_trim(call.batch, call.a, characters, TEXT_BOTH, call.what, &column, &error);

    return end_throws(L, &call, ok, column, &error);
}

/* column:sub(from [, to]): as string.sub, in characters, with constants. */
static int column_sub(lua_State *L)
{
    struct call call = begin_throws(L, "sub");
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_optinteger(L, 3, -1);
    struct constant start, length;
    struct operand length_operand = TEXT_NONE;
    struct column *column = NULL;
    struct error error;
    bool ok;

    luaL_argcheck(L, from != 0, 2, "characters are counted from 1, or from -1 at the end");
    luaL_argcheck(L, to == -1 || (from > 0) == (to > 0), 3, "it is counted from the same end as where it begins");
    lua_settop(L, 1);
    lua_pushinteger(L, from);
    if (to != -1) {
        lua_pushinteger(L, to < from ? 0 : to - from + 1);
        length_operand = column_operand_throws(L, 3, &length);
    }
    ok = text_substr(call.batch, call.a, column_operand_throws(L, 2, &start), length_operand, call.what, &column, &error);
    return end_throws(L, &call, ok, column, &error);
}

static int pad(lua_State *L, const char *word, enum text_sides side)
{
    struct call call = begin_throws(L, word);
    struct constant length, fill;
    struct column *column = NULL;
    struct error error;
    bool ok;

    lua_settop(L, 3);
    if (lua_isnil(L, 3)) {
        lua_pushliteral(L, " ");
        lua_replace(L, 3);
    }
    ok = text_pad(call.batch, call.a, column_operand_throws(L, 2, &length), column_operand_throws(L, 3, &fill), side, call.what,
                  &column, &error);
    return end_throws(L, &call, ok, column, &error);
}

static int column_pad_left(lua_State *L)
{
    return pad(L, "pad_left", TEXT_LEFT);
}
static int column_pad_right(lua_State *L)
{
    return pad(L, "pad_right", TEXT_RIGHT);
}

static int test(lua_State *L, const char *word, enum text_test kind)
{
    struct call call = begin_throws(L, word);
    struct constant constant;
    struct operand sought = column_operand_throws(L, 2, &constant);
    struct column *column = NULL;
    struct error error;
    bool ok = text_tests(call.batch, kind, call.a, sought, call.what, &column, &error);

    return end_throws(L, &call, ok, column, &error);
}

static int column_contains(lua_State *L)
{
    return test(L, "contains", TEXT_CONTAINS);
}
static int column_starts_with(lua_State *L)
{
    return test(L, "starts_with", TEXT_STARTS_WITH);
}
static int column_ends_with(lua_State *L)
{
    return test(L, "ends_with", TEXT_ENDS_WITH);
}

/* column:like(pattern) */
static int column_like(lua_State *L)
{
    struct call call = begin_throws(L, "like");
    struct text_pattern *pattern = NULL;
    struct column *column = NULL;
    struct error error;
    struct str text;
    size_t wrong_at;
    bool ok;

    text.data = luaL_checklstring(L, 2, &text.size);
    if (!text_pattern_new(&pattern, text, '\\', &wrong_at, &error))
        return luaL_argerror(L, 2, lua_pushstring(L, error.text));
    ok = text_like(call.batch, pattern, call.a, call.what, &column, &error);
    text_pattern_free(pattern);
    return end_throws(L, &call, ok, column, &error);
}

/* column:matches(regex) */
static int column_matches(lua_State *L)
{
    struct call call = begin_throws(L, "matches");
    struct regex *regex = regex_throws(L, 2);
    struct column *column = NULL;
    struct error error;
    bool ok = regex_test(call.batch, regex, call.a, call.what, &column, &error);

    return end_throws(L, &call, ok, column, &error);
}

/* column:extract(regex [, group]): the group, by number or name; without one the first, or all of the match when there is none.
 */
static int column_extract(lua_State *L)
{
    struct call call = begin_throws(L, "extract");
    struct regex *regex = regex_throws(L, 2);
    unsigned count = regex_group_count(regex), group = count ? 1 : 0;
    struct column *column = NULL;
    struct error error;
    struct str name;
    bool ok;

    if (lua_type(L, 3) == LUA_TSTRING) {
        name.data = lua_tolstring(L, 3, &name.size);
        group = regex_group_number(regex, name);
        luaL_argcheck(L, group > 0, 3, "the pattern has no group of that name");
    } else if (!lua_isnoneornil(L, 3)) {
        lua_Integer number = luaL_checkinteger(L, 3);

        if (number < 0 || number > (lua_Integer)count)
            return luaL_argerror(L, 3, lua_pushfstring(L, "the pattern has %d groups", (int)count));
        group = (unsigned)number;
    }
    ok = regex_extract(call.batch, regex, group, call.a, call.what, &column, &error);
    return end_throws(L, &call, ok, column, &error);
}

/* column:find(text): the character at which it is found first, 0 where it is not. */
static int column_find(lua_State *L)
{
    struct call call = begin_throws(L, "find");
    struct constant constant;
    struct operand sought = column_operand_throws(L, 2, &constant);
    struct column *column = NULL;
    struct error error;
    bool ok = text_position(call.batch, call.a, sought, TEXT_NONE, TEXT_NONE, call.what, &column, &error);

    return end_throws(L, &call, ok, column, &error);
}

/* column:replace(find, with) */
static int column_replace(lua_State *L)
{
    struct call call = begin_throws(L, "replace");
    struct constant find, with;
    struct operand find_operand = column_operand_throws(L, 2, &find), with_operand = column_operand_throws(L, 3, &with);
    struct column *column = NULL;
    struct error error;
    bool ok = text_replace(call.batch, call.a, find_operand, with_operand, call.what, &column, &error);

    return end_throws(L, &call, ok, column, &error);
}

/* column:split_part(separator, index) */
static int column_split_part(lua_State *L)
{
    struct call call = begin_throws(L, "split_part");
    struct constant separator, index;
    struct operand separator_operand = column_operand_throws(L, 2, &separator),
                   index_operand = column_operand_throws(L, 3, &index);
    struct column *column = NULL;
    struct error error;
    bool ok = text_split_part(call.batch, call.a, separator_operand, index_operand, call.what, &column, &error);

    return end_throws(L, &call, ok, column, &error);
}

/* column:hash(algorithm [, salt]) */
static int column_hash(lua_State *L)
{
    struct call call = begin_throws(L, "hash");
    struct hasher *hasher = text_value_hasher_throws(L, 2, 3);
    struct column *column = NULL;
    struct error error;
    bool ok = kernel_hash(hasher, call.batch, call.box->column, &column, &error);

    return end_throws(L, &call, ok, column, &error);
}

void column_text_methods_throws(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"upper", column_upper},
        {"lower", column_lower},
        {"length", column_length},
        {"reverse", column_reverse},
        {"trim", column_trim},
        {"sub", column_sub},
        {"pad_left", column_pad_left},
        {"pad_right", column_pad_right},
        {"contains", column_contains},
        {"starts_with", column_starts_with},
        {"ends_with", column_ends_with},
        {"like", column_like},
        {"find", column_find},
        {"replace", column_replace},
        {"split_part", column_split_part},
        {"matches", column_matches},
        {"extract", column_extract},
        {"hash", column_hash},
        {NULL, NULL},
    };

    luaL_setfuncs(L, methods, 0);
}

static const struct manual_row rows[] = {
    {"column:upper(), column:lower()", "In capitals, in small letters; one character for one.",
     "batch:set('x', batch.city:upper())", "x: SHANGHAI|BEIJING||NULL|WUHAN"},
    {"column:length()", "How many characters.", "batch:set('x', batch.city:length())", "x: 8|7|0|NULL|5"},
    {"column:sub(from [, to])", "From one character to another, both included, both counted from the same end.",
     "batch:set('x', batch.city:sub(1, 3))", "x: Sha|Bei||NULL|Wuh"},
    {"column:trim([characters])", "Without the blanks of any script, or the characters, at both ends.",
     "batch:set('x', batch.city:trim('gn'))", "x: Shanghai|Beiji||NULL|Wuha"},
    {"column:pad_left(length [, fill]), column:pad_right", "Exactly so many characters long: filled up, or cut at its end.",
     "batch:set('x', batch.city:pad_right(6, '.'))", "x: Shangh|Beijin|......|NULL|Wuhan."},
    {"column:reverse()", "Its characters from the last to the first.", "batch:set('x', batch.city:reverse())",
     "x: iahgnahS|gnijieB||NULL|nahuW"},
    {"column:contains(text), column:starts_with, column:ends_with", "A mask.", "batch:keep(batch.city:contains('an'))",
     "city: Shanghai|Wuhan"},
    {"column:like(pattern)", "A mask by SQL's LIKE: % is any number of characters, _ one, \\ takes their meaning away.",
     "batch:keep(batch.city:like('%h_n%'))", "city: Shanghai|Wuhan"},
    {"column:matches(regex)",
     "A mask: whether a regular expression (PCRE2) occurs in it. A text that takes too long to match is that row's error.",
     "batch:keep(batch.city:matches('^[A-Z]\\\\w+an'))", "city: Shanghai|Wuhan"},
    {"column:extract(regex [, group])",
     "What a group of the regular expression matched first, the group by number or name; the first group when none is named. "
     "NULL "
     "without a match.",
     "batch:set('x', batch.city:extract('([a-z])n'))", "x: a|i|NULL|NULL|a"},
    {"column:find(text)", "The character at which it is found first, or 0.", "batch:set('x', batch.city:find('an'))",
     "x: 3|0|0|NULL|4"},
    {"column:replace(find, with)", "All that is found replaced; case counts.", "batch:set('x', batch.city:replace('an', 'AN'))",
     "x: ShANghai|Beijing||NULL|WuhAN"},
    {"column:split_part(separator, index)", "The part between separators, from 1, or from the end when negative.",
     "batch:set('x', batch.city:split_part('i', 1))", "x: Shangha|Be||NULL|Wuhan"},
    {"column:hash(algorithm [, salt])", "The digest in hex: md5, sha256, sha512 or sm3, of the salt's bytes and then the text's.",
     "batch:set('x', batch.city:hash('md5'):sub(1, 4))", "x: 5466|78fb|d41d|NULL|4b54"},
    {0},
};

const struct manual_section column_text_manual = {"Columns of texts", "Arguments are constants or columns. NULL stays NULL.",
                                                  rows};
