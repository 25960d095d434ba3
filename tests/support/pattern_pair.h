/* pattern_pair.h: a call of find, match, gmatch or gsub, once to the functions of stages and once to those of Lua's library in a
 * state of its own. What both return, or the error that they throw, is told in one line of text. */
#ifndef LUADUCT_TESTS_PATTERN_PAIR_H
#define LUADUCT_TESTS_PATTERN_PAIR_H

#include "script/pattern.h"

#include <stdio.h>
#include <stdlib.h>

struct pattern_call {
    char function; /* f find, p find of a plain text, m match, g gmatch, and gsub with t a text, l a table, c a function */
    struct str text, pattern, replacement;
    bool has_number;
    lua_Integer number; /* where to begin, or how many at most */
};

struct pattern_pair {
    struct log *log;
    struct script_state *state;
    lua_State *library;
    struct str ours, theirs; /* the last answers */
};

static const char pattern_pair_text[] =
    "local loaded = ...\n"
    "local string, concat, base = loaded.string, loaded.table.concat, loaded._G\n"
    "local select, type, tostring, pcall = base.select, base.type, base.tostring, base.pcall\n"
    "local function show(ok, ...)\n"
    "  if not ok then return 'error: ' .. tostring((...)) end\n"
    "  local list = {}\n"
    "  for i = 1, select('#', ...) do\n"
    "    local value = select(i, ...)\n"
    "    list[i] = type(value) == 'string' and #value .. ':' .. value or tostring(value)\n"
    "  end\n"
    "  return '(' .. concat(list, ' ') .. ')'\n"
    "end\n"
    "local function all(...)\n"
    "  local step, list = string.gmatch(...), {}\n"
    "  repeat list[#list + 1] = show(true, step()) until list[#list] == '()' or #list == 1000\n"
    "  return concat(list)\n"
    "end\n"
    "local replacements = base.setmetatable({a = 'A', b = false, ab = 7, ['1'] = {}}, {__index = function(_, key)\n"
    "  if key ~= 'c' then return '<' .. tostring(key) .. '>' end\n"
    "end})\n"
    "local function replace(...)\n"
    "  local first, count = ..., select('#', ...)\n"
    "  if first == '' then return false elseif first == 'b' then return nil elseif first == '1' then return {} end\n"
    "  if first == '2' then base.error('two') end\n"
    "  return count .. show(true, ...)\n"
    "end\n"
    "return function(name, text, pattern, replacement, number)\n"
    "  if name == 'f' then return show(pcall(string.find, text, pattern, number)) end\n"
    "  if name == 'p' then return show(pcall(string.find, text, pattern, number, true)) end\n"
    "  if name == 'm' then return show(pcall(string.match, text, pattern, number)) end\n"
    "  if name == 'g' then return show(pcall(all, text, pattern, number)) end\n"
    "  if name == 'l' then replacement = replacements elseif name == 'c' then replacement = replace end\n"
    "  return show(pcall(string.gsub, text, pattern, replacement, number))\n"
    "end\n";

static inline void pattern_pair_load(lua_State *L)
{
    lua_settop(L, 0);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (luaL_loadbuffer(L, pattern_pair_text, strlen(pattern_pair_text), "=f") != LUA_OK)
        abort();
    lua_insert(L, 1);
    lua_call(L, 1, 1);
}

static inline void pattern_pair_init(struct pattern_pair *pair, int64_t instructions_max)
{
    struct script_limits limits = {64 << 20, instructions_max};

    pair->log = log_new(NULL, "test");
    pair->state = script_state_new(&limits, pair->log);
    pair->library = luaL_newstate();
    luaL_openlibs(pair->library);
    pair->state->instructions_left = instructions_max;
    pattern_pair_load(pair->state->lua);
    pattern_pair_load(pair->library);
}

static inline void pattern_pair_release(struct pattern_pair *pair)
{
    lua_close(pair->library);
    script_state_free(pair->state);
    log_free(pair->log);
}

static inline struct str pattern_pair_answer(lua_State *L, const struct pattern_call *call)
{
    struct str answer;

    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, &call->function, 1);
    lua_pushlstring(L, call->text.data, call->text.size);
    lua_pushlstring(L, call->pattern.data, call->pattern.size);
    lua_pushlstring(L, call->replacement.data, call->replacement.size);
    if (call->has_number)
        lua_pushinteger(L, call->number);
    else
        lua_pushnil(L);
    if (lua_pcall(L, 5, 1, 0) != LUA_OK && lua_type(L, -1) != LUA_TSTRING)
        abort();
    answer.data = lua_tolstring(L, -1, &answer.size);
    return answer;
}

/* False: the budget of the state ended it, and Lua's library was not asked. */
static inline bool pattern_pair_ask(struct pattern_pair *pair, const struct pattern_call *call)
{
    struct script_state *state = pair->state;

    state->instructions_left = state->limits.instructions_max;
    state->budget_hit = false;
    pair->ours = pattern_pair_answer(state->lua, call);
    lua_sethook(state->lua, NULL, 0, 0);
    if (state->budget_hit)
        return false;
    pair->theirs = pattern_pair_answer(pair->library, call);
    return true;
}

static inline bool pattern_pair_gave_up(struct str answer)
{
    return str_starts_with(answer, STR("error: ")) && memmem(answer.data, answer.size, "pattern too complex", 19);
}

/* Versions of Lua's library differ in what an error's text ends with, and it gives up on patterns that ours takes. */
static inline bool pattern_pair_agrees(const struct pattern_pair *pair)
{
    struct str ours = pair->ours, theirs = pair->theirs;
    bool errors = str_starts_with(ours, STR("error: ")) && str_starts_with(theirs, STR("error: "));

    if (pattern_pair_gave_up(theirs))
        return true;
    if (errors)
        return memcmp(ours.data, theirs.data, size_min(ours.size, theirs.size)) == 0;
    return str_equal(ours, theirs);
}

#endif
