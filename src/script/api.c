/* api.c: the luaduct table: its parts, and what it says to names that it has not. */
#include "script/api.h"

#include <stdlib.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The order of a table changes from state to state; that of the answer must not. The names go into an array of Lua's. */
const char *api_nearest_throws(lua_State *L, int table, struct str word)
{
    const char **names;
    size_t count = 0, at = 0;
    const char *near;

    lua_pushnil(L);
    while (lua_next(L, table)) {
        count++;
        lua_pop(L, 1);
    }
    names = lua_newuserdatauv(L, (count + 1) * sizeof(*names), 0);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (lua_type(L, -2) == LUA_TSTRING && at < count)
            names[at++] = lua_tostring(L, -2); /* held by the table */
        lua_pop(L, 1);
    }
    qsort(names, at, sizeof(*names), compare_names);
    near = str_nearest(word, names, at);
    return near;
}

/* Upvalues: the table of methods or functions, what it is. Arguments: the value, the key. */
static int unknown_name(lua_State *L)
{
    const char *what = lua_tostring(L, lua_upvalueindex(2)), *near;
    struct str word;

    lua_settop(L, 2);
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "%s has no elements, so %s cannot be read from it", what, luaL_tolstring(L, 2, NULL));
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    word.data = lua_tolstring(L, 2, &word.size);
    lua_pushvalue(L, lua_upvalueindex(1));
    near = api_nearest_throws(L, lua_gettop(L), word);
    return luaL_error(L, "%s has no function \"%s\"%s%s%s", what, word.data, near ? "; did you mean \"" : "", near ? near : "",
                      near ? "\"?" : "");
}

void api_type_throws(lua_State *L, const char *metatable, const char *what, const luaL_Reg *metamethods, const luaL_Reg *methods)
{
    luaL_newmetatable(L, metatable);
    if (metamethods)
        luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushstring(L, what);
    lua_pushcclosure(L, unknown_name, 2);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, metatable);
    lua_setfield(L, -2, "__metatable");
}

void api_methods_throws(lua_State *L, const char *metatable, const char *what, const luaL_Reg *methods)
{
    luaL_getmetatable(L, metatable);
    lua_getfield(L, -1, "__index");
    luaL_setfuncs(L, methods, 0);
    lua_pushstring(L, what);
    lua_pushcclosure(L, unknown_name, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void api_strict_throws(lua_State *L, const char *what)
{
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, -2);
    lua_pushstring(L, what);
    lua_pushcclosure(L, unknown_name, 2);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, what);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

void api_table_throws(lua_State *L, const char *name, const char *what, const luaL_Reg *functions)
{
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    api_strict_throws(L, what);
    lua_setfield(L, -2, name);
}

void api_install_throws(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};

    counters_install_throws(L);
    json_text_install_throws(L);
    time_value_install_throws(L);
    lookups_install_throws(L);
    api_methods_throws(L, "luaduct.decimal", "a decimal", none);
}

void api_push_throws(lua_State *L)
{
    counters_push_throws(L);
    json_text_push_throws(L);
    time_value_push_throws(L);
    text_value_push_throws(L);
    lookups_push_throws(L);
    api_strict_throws(L, "luaduct");
}
