/* guard.c: library functions whose work the count of VM instructions does not see: loops in C over as many elements as a script
 * says, and lua-cjson, whose memory is its own. What they are about to do is charged to the budget before they do it; what has no
 * bound is refused. What patterns do cannot be told in advance: find, match, gmatch and gsub are our own (pattern.c).
 * Cost: some 15 instructions a call. */
#include "script/pattern.h"

enum {
    BYTES_PER_INSTRUCTION = 64, /* that a text function looks at */
    CJSON_DEPTH_MAX = 1000,     /* cjson's own default */
    CJSON_NUMBER_BYTES = 32,
};

/* Upvalue of a guard: the library's function, which has no upvalues itself and is called in the guard's own frame. */
static int call_original(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static void charge_throws(lua_State *L, uint64_t instructions)
{
    /* Far below what would overflow, far beyond any budget. */
    script_budget_charge(script_of(L), (int64_t)(instructions < (uint64_t)1 << 50 ? instructions : (uint64_t)1 << 50));
    script_budget_check_throws(L);
}

/* string.rep: nothing, repeated, is nothing, which the library finds out one by one. */
static int guard_rep(lua_State *L)
{
    bool nothing = lua_type(L, 1) == LUA_TSTRING && lua_rawlen(L, 1) == 0;
    bool between = lua_type(L, 3) == LUA_TSTRING ? lua_rawlen(L, 3) > 0 : !lua_isnoneornil(L, 3);

    if (nothing && !between && lua_isinteger(L, 2)) {
        lua_pushliteral(L, "");
        return 1;
    }
    return call_original(L);
}

/* A table that computes its length could say another one each time it is asked. */
static void check_length_throws(lua_State *L)
{
    if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL)
        luaL_error(L, "this function takes no table with __len in stages");
}

/* table.insert, remove, sort */
static int guard_list(lua_State *L)
{
    check_length_throws(L);
    if (lua_istable(L, 1))
        charge_throws(L, lua_rawlen(L, 1) / BYTES_PER_INSTRUCTION);
    return call_original(L);
}

/* Elements from the integer at `first` to that at `last`. */
static void charge_range_throws(lua_State *L, int first, int last)
{
    lua_Integer from = luaL_optinteger(L, first, 1), to = luaL_optinteger(L, last, (lua_Integer)lua_rawlen(L, 1));

    if (to >= from)
        charge_throws(L, (uint64_t)to - (uint64_t)from);
}

static int guard_concat(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_isnoneornil(L, 4))
        check_length_throws(L);
    charge_range_throws(L, 3, 4);
    return call_original(L);
}

static int guard_move(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkinteger(L, 3);
    charge_range_throws(L, 2, 3);
    return call_original(L);
}

static void guard(lua_State *L, const char *name, lua_CFunction function)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

void guard_libraries_throws(lua_State *L, int libraries)
{
    static const char *const lists[] = {"insert", "remove", "sort"};

    lua_getfield(L, libraries, "string");
    pattern_install_throws(L);
    guard(L, "rep", guard_rep);
    lua_pop(L, 1);
    lua_getfield(L, libraries, "table");
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        guard(L, lists[i], guard_list);
    guard(L, "concat", guard_concat);
    guard(L, "move", guard_move);
    lua_pop(L, 1);
}

/* --- cjson --- */

/* Bytes of a text in JSON, as cjson writes it. */
static uint64_t text_bytes(const char *text, size_t size)
{
    uint64_t bytes = size + 2;

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        bytes += c < 0x20 || c == 0x7F ? 5 : c == '"' || c == '\\' || c == '/';
    }
    return bytes;
}

/* Adds what the value at the top will take, and stops where that is beyond the limit or cjson will refuse the depth. */
static void add_bytes(lua_State *L, unsigned depth, uint64_t limit, uint64_t *bytes)
{
    int value = lua_gettop(L);
    lua_Integer last = 0;

    if (lua_type(L, value) == LUA_TSTRING) {
        *bytes += text_bytes(lua_tostring(L, value), lua_rawlen(L, value));
        return;
    }
    *bytes += CJSON_NUMBER_BYTES;
    if (!lua_istable(L, value) || depth > CJSON_DEPTH_MAX)
        return;
    luaL_checkstack(L, 4, NULL);
    lua_pushnil(L);
    while (*bytes <= limit && lua_next(L, value)) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) > last)
            last = lua_tointeger(L, -2);
        else if (lua_type(L, -2) == LUA_TSTRING)
            *bytes += text_bytes(lua_tostring(L, -2), lua_rawlen(L, -2));
        add_bytes(L, depth + 1, limit, bytes);
        lua_settop(L, value + 1);
    }
    lua_settop(L, value);
    /* A list with holes is written with a null for each of them, where the script allows that. */
    *bytes += (uint64_t)last > limit ? limit + 1 : (uint64_t)last * sizeof("null");
}

/* cjson.encode: the text grows in memory that is not Lua's. Upvalue: the library's function, which has one of its own. */
static int guard_encode(lua_State *L)
{
    uint64_t limit = script_of(L)->limits.memory_max, bytes = 0;
    int count = lua_gettop(L);

    if (count == 1) {
        lua_pushvalue(L, 1);
        add_bytes(L, 0, limit, &bytes);
        lua_settop(L, 1);
        charge_throws(L, bytes / BYTES_PER_INSTRUCTION);
        if (bytes > limit)
            return luaL_error(L, "cjson: the text would take more than the memory limit of %d MiB", (int)(limit >> 20));
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, count, LUA_MULTRET);
    return lua_gettop(L);
}

/* cjson.decode: when Lua's memory ends while it runs, cjson loses its buffer, which is as long as the text. So that may happen a
 * few times only. Upvalue: as above. */
static int guard_decode(lua_State *L)
{
    struct script_state *state = script_of(L);
    size_t size = lua_type(L, 1) == LUA_TSTRING ? lua_rawlen(L, 1) : 0;
    int status;

    if (state->cjson_lost > state->limits.memory_max / 4)
        return luaL_error(L, "cjson: ran out of memory too often");
    charge_throws(L, size / BYTES_PER_INSTRUCTION);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    if (status == LUA_OK)
        return lua_gettop(L);
    if (status == LUA_ERRMEM)
        state->cjson_lost += size;
    return lua_error(L);
}

/* The library at the top becomes one for a module alone, with settings of its own. What would let it go deeper than the C stack,
 * or lose its buffers, is not there. */
void guard_cjson_throws(lua_State *L)
{
    static const char *const without[] = {"new", "encode_max_depth", "decode_max_depth", "encode_keep_buffer"};

    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    lua_remove(L, -2);
    for (size_t i = 0; i < COUNT_OF(without); i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, without[i]);
    }
    guard(L, "encode", guard_encode);
    guard(L, "decode", guard_decode);
}
