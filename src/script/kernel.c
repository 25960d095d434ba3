/* kernel.c: the box around a C kernel, and the reading of options out of Lua tables. */
#include "script/kernel.h"

#include <stdarg.h>
#include <stdio.h>

enum { CONSTANT_BYTES_MAX = 1 << 20 };

struct kernel_box {
    uint32_t tag;
    const struct kernel_ops *ops;
    void *kernel; /* NULL until filled, and after the end */
};

struct kernel_box *kernel_push_throws(lua_State *L, const struct kernel_ops *ops)
{
    struct kernel_box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = (struct kernel_box){BOX_KERNEL, ops, NULL};
    luaL_setmetatable(L, "luaduct.kernel");
    return box;
}

void kernel_fill(struct kernel_box *box, void *kernel)
{
    box->kernel = kernel;
}

static int kernel_call(lua_State *L)
{
    struct kernel_box *box = box_get(L, 1, BOX_KERNEL);
    struct batch *batch = run_batch_throws(L);
    struct column_box *in = NULL;
    struct column *out = NULL;
    struct error error;

    if (!box || !box->kernel)
        return luaL_typeerror(L, 1, "kernel");
    if (lua_gettop(L) != 2)
        return luaL_error(L, "%s: it is called with one %s", box->ops->name, box->ops->of_batch ? "batch" : "column");
    if (!box->ops->of_batch)
        in = column_check_throws(L, 2);
    else if (!box_get(L, 2, BOX_BATCH))
        return luaL_typeerror(L, 2, "batch");
    check_no_loop_throws(L, box->ops->name);
    run_charge_rows_throws(L);
    if (!box->ops->run(box->kernel, batch, in ? in->column : NULL, in ? in->name : STR_NONE, &out, &error))
        return throw_kernel_error(L, &error);
    batch_sweep(batch);
    check_stopped_throws(L);
    column_push_throws(L, out, in ? in->name : STR(""));
    return 1;
}

static int kernel_gc(lua_State *L)
{
    struct kernel_box *box = lua_touserdata(L, 1);

    if (box->kernel)
        box->ops->free(box->kernel);
    box->kernel = NULL;
    return 0;
}

static int kernel_tostring(lua_State *L)
{
    struct kernel_box *box = box_get(L, 1, BOX_KERNEL);

    lua_pushstring(L, box ? box->ops->name : "kernel");
    return 1;
}

void kernel_install_throws(lua_State *L)
{
    static const luaL_Reg metamethods[] = {
        {"__call", kernel_call}, {"__gc", kernel_gc}, {"__tostring", kernel_tostring}, {NULL, NULL}};

    luaL_newmetatable(L, "luaduct.kernel");
    luaL_setfuncs(L, metamethods, 0);
    lua_pushliteral(L, "luaduct.kernel");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

static int call_at(lua_State *L, struct script_place place)
{
    struct script_state *state = script_of(L);
    struct script_module *module = state->opening ? state->opening : state->run.module;
    const char *path = luaL_checkstring(L, 1);
    const char *text;
    struct str why;
    unsigned told = module ? module->complaints : 0;
    int status;
    bool checking = state->opening || (module && module->complain && state->run.batch && !state->run.batch->message_count);

    if (checking && !state->opening && lua_isnoneornil(L, 2))
        return 0; /* it was to be made of options that are wrong, which was told */
    if (!box_get(L, 2, BOX_KERNEL))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    if (!checking) {
        lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
        return lua_gettop(L) - 1;
    }
    status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
    if (status == LUA_OK)
        return lua_gettop(L) - 1;
    script_budget_check_throws(L);
    if (status != LUA_ERRRUN || state->run.arena_full || lua_type(L, -1) != LUA_TSTRING)
        return lua_error(L);
    if (module->complaints > told) /* the function has said it of its options, one by one */
        return 0;
    text = lua_tostring(L, -1);
    /* "bad argument #2 to '?' (why)" speaks of the module's Lua, not of the person's options. */
    if (strncmp(text, "bad argument #", 14) == 0 && strchr(text, '(')) {
        why = str_of(strchr(text, '(') + 1);
        why.size -= why.size > 0 && why.data[why.size - 1] == ')';
        text = lua_pushlstring(L, why.data, why.size);
    }
    run_complain_at(module, path, place, text);
    return 0;
}

int kernel_at_throws(lua_State *L)
{
    return call_at(L, (struct script_place){-1, 0});
}

int kernel_at_name_throws(lua_State *L)
{
    return call_at(L, (struct script_place){SCRIPT_PLACE_NAME, 0});
}

int kernel_check_constant_throws(lua_State *L)
{
    struct script_module *module = script_of(L)->opening;
    const char *path = luaL_checkstring(L, 3);
    struct column column = {.rows = 1};
    union type_value value;
    uint8_t null = 0;
    struct batch *batch;
    struct error error;

    luaL_argcheck(L, module, 1, "constants are checked in open(ctx)");
    if (!type_parse(str_of(luaL_checkstring(L, 2)), &column.type, &error))
        return luaL_argerror(L, 2, lua_pushstring(L, error.text));
    column.null = &null;
    column.data = &value;
    batch = batch_new(CONSTANT_BYTES_MAX); /* for texts that are copied; nothing throws from here on */
    if (!value_take(L, 1, batch, &module->convert, &column, 0, &error))
        run_complain(module, path, error.text);
    batch_free(batch);
    return 0;
}

void kernel_options_init_throws(struct kernel_options *options, lua_State *L, int table, int path)
{
    struct script_state *state = script_of(L);

    memset(options, 0, sizeof(*options));
    luaL_checktype(L, table, LUA_TTABLE);
    options->L = L;
    options->table = lua_absindex(L, table);
    options->prefix = luaL_optstring(L, path, "");
    options->module = state->opening ? state->opening : state->run.module;
}

void kernel_complain_at(struct kernel_options *options, const char *key, ptrdiff_t at, const char *format, ...)
{
    char path[160], text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    snprintf(path, sizeof(path), "%.90s%s%.60s", options->prefix, *options->prefix && *key && *key != '[' ? "." : "", key);
    if (options->mistakes++ == 0)
        snprintf(options->first, sizeof(options->first), "%s%s%.400s", path, *path ? ": " : "", text);
    if (script_of(options->L)->opening)
        run_complain_at(options->module, path, (struct script_place){at, 1}, text);
}

void kernel_check_keys(struct kernel_options *options, const char *const *known, size_t count)
{
    lua_State *L = options->L;

    lua_pushnil(L);
    while (lua_next(L, options->table)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        bool found = false;

        for (size_t i = 0; key && i < count; i++)
            found = found || strcmp(known[i], key) == 0;
        if (!found) {
            const char *near = key ? str_nearest(str_of(key), known, count) : NULL;

            kernel_complain(options, key ? key : "", "unknown key \"%.60s\"%s%s%s", key ? key : "?",
                            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
        lua_pop(L, 1);
    }
}

struct str kernel_text(struct kernel_options *options, const char *key, bool any_scalar)
{
    lua_State *L = options->L;
    struct str text = STR_NONE;

    luaL_checkstack(L, 4, "too many options");
    lua_getfield(L, options->table, key);
    if (lua_type(L, -1) == LUA_TSTRING || (any_scalar && lua_isinteger(L, -1))) {
        text.data = lua_tolstring(L, -1, &text.size);
    } else if (any_scalar && lua_type(L, -1) == LUA_TBOOLEAN) {
        text = lua_toboolean(L, -1) ? STR("true") : STR("false");
    } else if (any_scalar && lua_type(L, -1) == LUA_TNUMBER) {
        char number[40];
        double value = lua_tonumber(L, -1), back = 0;

        snprintf(number, sizeof(number), "%.15g", value);
        if (sscanf(number, "%lf", &back) != 1 || back != value)
            snprintf(number, sizeof(number), "%.17g", value);
        lua_pushstring(L, number);
        lua_replace(L, -2);
        text.data = lua_tolstring(L, -1, &text.size);
    } else if (!lua_isnil(L, -1)) {
        kernel_complain(options, key, "a text is wanted");
    }
    return text;
}

bool kernel_boolean(struct kernel_options *options, const char *key, bool fallback)
{
    lua_State *L = options->L;
    bool value = fallback;

    lua_getfield(L, options->table, key);
    if (lua_isboolean(L, -1))
        value = lua_toboolean(L, -1);
    else if (!lua_isnil(L, -1))
        kernel_complain(options, key, "true or false is wanted");
    lua_pop(L, 1);
    return value;
}

int64_t kernel_integer(struct kernel_options *options, const char *key, int64_t fallback, int64_t minimum, int64_t maximum)
{
    lua_State *L = options->L;
    int64_t value = fallback;

    lua_getfield(L, options->table, key);
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= minimum && lua_tointeger(L, -1) <= maximum)
        value = lua_tointeger(L, -1);
    else if (!lua_isnil(L, -1))
        kernel_complain(options, key, "a whole number from %lld to %lld is wanted", (long long)minimum, (long long)maximum);
    lua_pop(L, 1);
    return value;
}

void kernel_options_end_throws(struct kernel_options *options)
{
    if (options->mistakes)
        luaL_error(options->L, "%s", options->first);
}
