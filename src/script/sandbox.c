/* sandbox.c: what a stage's script can see. Every module gets its own environment with copies of the libraries' tables, so that
 * one stage cannot change another's functions. Libraries are opened once, into a table that scripts never reach. */
#include "script/kernel.h"
#include "script/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/clock.h"

enum { LOADED_BYTES_MAX = 64 << 10, COROUTINE_STEP = 1000 };

static const char libraries_key;     /* registry: table of the opened libraries */
static const char package_key;       /* registry: the package library's require */

static const char *const base_names[] = {
    "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen", "rawset", "select",
    "tonumber", "tostring", "type", "_VERSION", NULL,
};
static const char *const string_names[] = {
    "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack", "packsize", "rep", "reverse", "sub",
    "unpack", "upper", NULL,
};
static const char *const os_names[] = {"clock", "date", "difftime", "time", NULL};
static const char *const coroutine_names[] = {"close", "isyieldable", "running", "status", "yield", NULL};

/* Copies the named fields (all when names is NULL) of the table at the top into a new table, which takes its place. */
static void copy_table(lua_State *L, const char *const *names)
{
    lua_newtable(L); /* source copy */
    if (names) {
        for (; *names; names++) {
            lua_getfield(L, -2, *names);
            lua_setfield(L, -2, *names);
        }
    } else {
        lua_pushnil(L);
        while (lua_next(L, -3)) { /* source copy key value */
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, -4);
        }
    }
    lua_remove(L, -2);
}

/* Searches C libraries in the absolute folders of Lua's default path only, whatever the environment says. */
static void open_package(lua_State *L)
{
    const char *path;

    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 0);
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "path");
    lua_getfield(L, -1, "cpath");
    path = lua_tostring(L, -1);
    lua_pushliteral(L, "");
    while (path && *path) {
        size_t size = strcspn(path, ";");

        if (*path == '/') {
            lua_pushlstring(L, path, size);
            lua_pushliteral(L, ";");
            lua_concat(L, 3);
        }
        path += size + (path[size] == ';');
    }
    lua_setfield(L, -3, "cpath");
    lua_pop(L, 2);
    lua_getglobal(L, "require"); /* set by luaopen_package */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &package_key);
}

void sandbox_install_throws(lua_State *L)
{
    static const luaL_Reg libraries[] = {
        {LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8}, {LUA_OSLIBNAME, luaopen_os},      {LUA_COLIBNAME, luaopen_coroutine},
    };

    lua_newtable(L);
    luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
    lua_setfield(L, -2, LUA_GNAME);
    for (size_t i = 0; i < COUNT_OF(libraries); i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 0);
        lua_setfield(L, -2, libraries[i].name);
    }
    guard_libraries_throws(L, lua_gettop(L));
    lua_rawsetp(L, LUA_REGISTRYINDEX, &libraries_key);
    open_package(L);

    /* ("text"):upper() goes to a copy that no script can reach. */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getfield(L, -1, "__index");
    copy_table(L, string_names);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

static int safe_setmetatable(lua_State *L)
{
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "setmetatable: __gc is not allowed in stages");
        lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "setmetatable: this table's metatable is protected");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int count_garbage(lua_State *L)
{
    const char *option = luaL_optstring(L, 1, "collect");

    if (strcmp(option, "count") != 0)
        return luaL_error(L, "collectgarbage: only \"count\" is allowed in stages");
    lua_pushnumber(L, (lua_Number)script_of(L)->memory / 1024);
    return 1;
}

static int log_text(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct script_module *module = state->opening ? state->opening : state->run.module;
    luaL_Buffer buffer;
    int count = lua_gettop(L);

    luaL_buffinit(L, &buffer);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&buffer, ' ');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
    log_info(state->log, "stage %s: %s", module ? module->stage : "?", lua_tostring(L, -1));
    return 0;
}

/* A message handler that leaves the budget's error alone: a handler in Lua runs without hooks there. Upvalue: the script's
 * handler. */
static int guarded_handler(lua_State *L)
{
    if (script_of(L)->budget_hit)
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int finish_xpcall(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pushboolean(L, 0);
        lua_pushvalue(L, -2);
        return 2;
    }
    return lua_gettop(L) - 2; /* all but function and handler */
}

static int safe_xpcall(lua_State *L)
{
    int arguments = lua_gettop(L) - 2;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, guarded_handler, 1);
    lua_replace(L, 2); /* function handler args… */
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* function handler true function args… */
    return finish_xpcall(L, lua_pcallk(L, arguments, LUA_MULTRET, 2, 2, finish_xpcall), 2);
}

/* The text at index 1, or what the function there gives piece by piece, as one text on top. The compiler is not interrupted and
 * may take a time that grows with the square of the text's length: so it has a bound, and each byte counts as an instruction. */
static void push_text(lua_State *L)
{
    size_t size = 0;

    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_pushvalue(L, 1);
        size = lua_rawlen(L, 1);
    } else {
        luaL_Buffer buffer;

        luaL_checktype(L, 1, LUA_TFUNCTION);
        luaL_buffinit(L, &buffer);
        for (;;) {
            lua_pushvalue(L, 1);
            lua_call(L, 0, 1);
            if (lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) == 0))
                break;
            if (lua_type(L, -1) != LUA_TSTRING)
                luaL_error(L, "load: the function must return texts, not a %s", luaL_typename(L, -1));
            size += lua_rawlen(L, -1);
            if (size > LOADED_BYTES_MAX)
                break;
            luaL_addvalue(&buffer);
        }
        lua_pop(L, 1);
        luaL_pushresult(&buffer);
    }
    if (size > LOADED_BYTES_MAX)
        luaL_error(L, "load: a text has at most %d KiB in stages", LOADED_BYTES_MAX >> 10);
    script_budget_charge(script_of(L), (int64_t)size);
    script_budget_check_throws(L);
}

/* load(chunk, name, mode, env): text only. Upvalues: the library's load, the module's environment. */
static int safe_load(lua_State *L)
{
    bool own_environment = lua_gettop(L) >= 4;

    lua_settop(L, 4);
    lua_pushvalue(L, lua_upvalueindex(1));
    push_text(L);
    if (lua_isnil(L, 2))
        lua_pushliteral(L, "=(load)");
    else
        lua_pushvalue(L, 2);
    lua_pushliteral(L, "t");
    lua_pushvalue(L, own_environment ? 4 : lua_upvalueindex(2));
    lua_call(L, 4, LUA_MULTRET);
    return lua_gettop(L) - 4;
}

static int coroutine_new(lua_State *L)
{
    struct script_state *state = script_of(L);
    lua_State *thread;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    thread = lua_newthread(L);
    /* A coroutine counts by itself, so its making pays for what it may run before its hook comes the first time. */
    script_budget_charge(state, COROUTINE_STEP);
    script_budget_check_throws(L);
    script_budget_arm(state, thread, COROUTINE_STEP);
    lua_pushvalue(L, 1);
    lua_xmove(L, thread, 1);
    return 1;
}

/* Upvalue: the library's resume. */
static int coroutine_resume(lua_State *L)
{
    luaL_argexpected(L, lua_isthread(L, 1), 1, "coroutine");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    script_budget_check_throws(L);
    return lua_gettop(L);
}

/* Upvalues: the library's resume, the coroutine. */
static int coroutine_step(lua_State *L)
{
    lua_State *thread = lua_tothread(L, lua_upvalueindex(2));

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_rotate(L, 1, 2);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    script_budget_check_throws(L);
    if (lua_toboolean(L, 1))
        return lua_gettop(L) - 1;
    lua_settop(L, 2); /* false error */
    if (lua_status(thread) != LUA_OK && lua_status(thread) != LUA_YIELD) {
        /* The error goes back to where resume took it from: closing may replace it, and nothing must stay that looks like a
         * function to be resumed. */
        lua_xmove(L, thread, 1);
        lua_resetthread(thread);
        lua_xmove(thread, L, 1);
    }
    return lua_error(L);
}

static int coroutine_wrap(lua_State *L)
{
    coroutine_new(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, -2);
    lua_pushcclosure(L, coroutine_step, 2);
    return 1;
}

/* The file's text, read into memory of Lua's so that nothing is held when something throws; false with a message pushed. */
static bool push_file(lua_State *L, const struct script_module *module, const char *path)
{
    const char *full = lua_pushfstring(L, "%s/%s", module->folder, path);
    struct str kept = module->files ? file_set_find(module->files, full) : STR_NONE;
    FILE *file;
    char *text;
    size_t size;
    bool whole;

    if (kept.data) {
        lua_pushlstring(L, kept.data, kept.size);
        return true;
    }
    text = lua_newuserdatauv(L, REQUIRED_BYTES_MAX, 0);
    file = fopen(full, "rb");
    if (!file) {
        if (module->files) /* a name that files.c did not find */
            (void)file_set_put(module->files, full, STR_NONE);
        lua_pushfstring(L, "no file %s", full);
        return false;
    }
    size = fread(text, 1, REQUIRED_BYTES_MAX, file);
    whole = !ferror(file) && size < REQUIRED_BYTES_MAX;
    fclose(file);
    if (!whole) {
        lua_pushfstring(L, "%s cannot be read, or is larger than 1 MiB", full);
        return false;
    }
    kept = module->files ? file_set_put(module->files, full, str_make(text, size)) : str_make(text, size);
    lua_pushlstring(L, kept.data, kept.size);
    return true;
}

/* require(name). Upvalues: the module's loaded table, its environment, the module. */
static int safe_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct script_module *module = lua_touserdata(L, lua_upvalueindex(3));
    const char *chunk;
    char path[REQUIRED_PATH_MAX];

    lua_settop(L, 1);
    if (lua_getfield(L, lua_upvalueindex(1), name) != LUA_TNIL)
        return 1;
    lua_settop(L, 1);
    if (strcmp(name, "cjson") == 0) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &package_key);
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
        guard_cjson_throws(L);
    } else {
        if (!module->folder)
            return luaL_error(L, "require: no module \"%s\": only \"luaduct\" and \"cjson\" are there", name);
        if (!required_path(name, path))
            return luaL_error(L, "require: \"%s\" is no module name: use \"luaduct\", \"cjson\" or a file beside the stage's",
                              name);
        if (!push_file(L, module, path))
            return luaL_error(L, "require: no module \"%s\": %s", name, lua_tostring(L, -1));
        chunk = lua_pushfstring(L, "@%s", path);
        if (luaL_loadbufferx(L, lua_tostring(L, -2), lua_rawlen(L, -2), chunk, "t") != LUA_OK)
            return lua_error(L);
        coverage_chunk(L, module, chunk);
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_setupvalue(L, -2, 1);
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushboolean(L, 1);
        }
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, lua_upvalueindex(1), name);
    return 1;
}

/* os.time and os.date, which ask our clock what time it is: tests of scripts set it. Upvalue: the library's function. */
static int clock_time(lua_State *L)
{
    int count = lua_gettop(L);

    if (count == 0 || lua_isnil(L, 1)) {
        lua_pushinteger(L, clock_wall_ms() / 1000);
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, count, LUA_MULTRET);
    return lua_gettop(L);
}

static int clock_date(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 2);
        lua_pushliteral(L, "%c");
        lua_replace(L, 1);
    }
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushinteger(L, clock_wall_ms() / 1000);
        lua_replace(L, 2);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

/* Wraps a function of the table at the top. */
static void wrap_function(lua_State *L, const char *name, lua_CFunction function)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

static void set_function(lua_State *L, const char *name, lua_CFunction function)
{
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
}

void sandbox_push_throws(lua_State *L, struct script_module *module)
{
    static const char *const whole[] = {"table", "math", "utf8"};
    int libraries, env;

    luaL_checkstack(L, 16, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &libraries_key);
    libraries = lua_gettop(L);
    lua_getfield(L, libraries, LUA_GNAME);
    copy_table(L, base_names);
    env = lua_gettop(L);
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        lua_getfield(L, libraries, whole[i]);
        copy_table(L, NULL);
        lua_setfield(L, env, whole[i]);
    }
    lua_getfield(L, libraries, "string");
    copy_table(L, string_names);
    lua_setfield(L, env, "string");
    lua_getfield(L, libraries, "os");
    copy_table(L, os_names);
    wrap_function(L, "time", clock_time);
    wrap_function(L, "date", clock_date);
    lua_setfield(L, env, "os");

    lua_getfield(L, libraries, "coroutine");
    copy_table(L, coroutine_names);
    set_function(L, "create", coroutine_new);
    lua_getfield(L, libraries, "coroutine");
    lua_getfield(L, -1, "resume"); /* copy library resume */
    lua_remove(L, -2);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, coroutine_resume, 1);
    lua_setfield(L, -3, "resume");
    lua_pushcclosure(L, coroutine_wrap, 1);
    lua_setfield(L, -2, "wrap");
    lua_setfield(L, env, "coroutine");

    set_function(L, "setmetatable", safe_setmetatable);
    set_function(L, "collectgarbage", count_garbage);
    set_function(L, "print", log_text);
    set_function(L, "xpcall", safe_xpcall);
    lua_getfield(L, libraries, LUA_GNAME);
    lua_getfield(L, -1, "pcall");
    lua_setfield(L, env, "pcall");
    lua_getfield(L, -1, "load");
    lua_remove(L, -2);
    lua_pushvalue(L, env);
    lua_pushcclosure(L, safe_load, 2);
    lua_setfield(L, env, "load");

    lua_newtable(L); /* luaduct */
    set_function(L, "decimal", decimal_new_throws);
    set_function(L, "choose", column_choose_throws);
    set_function(L, "log", log_text);
    set_function(L, "json_columns", json_columns_throws);
    mask_kernels_push_throws(L);
    lua_setfield(L, -2, "mask");
    set_function(L, "at", kernel_at_throws);
    set_function(L, "at_name", kernel_at_name_throws);
    set_function(L, "check_constant", kernel_check_constant_throws);
    set_function(L, "expression", expression_new_throws);
    set_function(L, "replacer", replacer_new_throws);
    lua_pushlightuserdata(L, (void *)&script_null);
    lua_setfield(L, -2, "null");
    api_push_throws(L);
    lua_newtable(L); /* luaduct loaded */
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "luaduct");
    lua_pushvalue(L, env);
    lua_pushlightuserdata(L, module);
    lua_pushcclosure(L, safe_require, 3);
    lua_setfield(L, env, "require");
    lua_setfield(L, env, "luaduct");

    lua_pushvalue(L, env);
    lua_setfield(L, env, LUA_GNAME);
    lua_remove(L, libraries);
    assert(lua_gettop(L) == env - 1);
}
