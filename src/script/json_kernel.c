/* json_kernel.c: luaduct.json_columns{…}: the JSON kernel as an object with :run(batch). Options are checked one by one, so that
 * a person gets all mistakes at once; the kernel has the last word. */
#include "script/internal.h"

#include "batch/kernels/json.h"

#include <stdio.h>

struct json_box {
    uint32_t tag;
    struct json_extractor *extractor; /* NULL until made, and after the end */
};

struct json_check {
    struct script_module *module;
    unsigned mistakes;
    char first[512];
};

static void complain(struct json_check *check, const char *path, const char *text)
{
    if (check->mistakes++ == 0)
        snprintf(check->first, sizeof(check->first), "%.100s: %.400s", path, text);
    if (check->module)
        run_complain(check->module, path, text);
}

/* Complains of keys of the table at the top that are not known. */
static void check_keys(lua_State *L, struct json_check *check, const char *path, const char *const *known, size_t count)
{
    char at[128], text[200];

    lua_pushnil(L);
    while (lua_next(L, -2)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        bool found = false;

        for (size_t i = 0; key && i < count; i++)
            found = found || strcmp(known[i], key) == 0;
        if (!found) {
            const char *near = key ? str_nearest(str_of(key), known, count) : NULL;

            snprintf(at, sizeof(at), "%s%s%.60s", path, *path ? "." : "", key ? key : "");
            snprintf(text, sizeof(text), "unknown key \"%.60s\"%s%s%s", key ? key : "?", near ? "; did you mean \"" : "",
                     near ? near : "", near ? "\"?" : "");
            complain(check, at, text);
        }
        lua_pop(L, 1);
    }
}

/* The string under a key of the table at index; the value stays on the stack, so that the text lives. Scalars count as text when
 * any_scalar. Absent gives STR_NONE. */
static struct str get_text(lua_State *L, struct json_check *check, int index, const char *path, const char *key, bool any_scalar)
{
    struct str text = STR_NONE;
    char at[128];

    lua_getfield(L, index, key);
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
        snprintf(at, sizeof(at), "%s%s%s", path, *path ? "." : "", key);
        complain(check, at, "a text is wanted");
    }
    return text;
}

static bool get_boolean(lua_State *L, struct json_check *check, int index, const char *path, const char *key)
{
    char at[128];
    bool value;

    lua_getfield(L, index, key);
    value = lua_toboolean(L, -1);
    if (!lua_isnil(L, -1) && !lua_isboolean(L, -1)) {
        snprintf(at, sizeof(at), "%s.%s", path, key);
        complain(check, at, "true or false is wanted");
    }
    lua_pop(L, 1);
    return value;
}

/* The column at the top of the stack. Its texts stay on the stack. */
static void read_column(lua_State *L, struct json_check *check, lua_Integer i, struct json_column *column)
{
    static const char *const known[] = {"name", "path", "type", "required", "default"};
    int table = lua_gettop(L);
    struct json_path *parsed = NULL;
    struct error error;
    struct str type;
    char path[32], at[64];

    snprintf(path, sizeof(path), "columns[%lld]", (long long)i);
    memset(column, 0, sizeof(*column));
    if (!lua_istable(L, table)) {
        complain(check, path, "a map with name, path and type is wanted");
        return;
    }
    check_keys(L, check, path, known, COUNT_OF(known));
    column->name = get_text(L, check, table, path, "name", false);
    column->path = get_text(L, check, table, path, "path", false);
    type = get_text(L, check, table, path, "type", false);
    column->default_text = get_text(L, check, table, path, "default", true);
    column->has_default = column->default_text.data != NULL;
    column->required = get_boolean(L, check, table, path, "required");
    if (!column->name.size)
        complain(check, path, "a column needs a name");
    if (!column->path.data)
        complain(check, path, "a column needs a path, such as $.amount");
    if (!type.data)
        complain(check, path, "a column needs a type, such as bigint, string or decimal(10,2)");
    if (type.data && !type_parse(type, &column->type, &error)) {
        snprintf(at, sizeof(at), "%s.type", path);
        complain(check, at, error.text);
    }
    if (column->path.data && !(column->path.size && column->path.data[0] == '@')) {
        if (!json_path_parse(&parsed, column->path, &error)) {
            snprintf(at, sizeof(at), "%s.path", path);
            complain(check, at, error.text);
        } else {
            json_path_free(parsed);
        }
    }
}

int json_columns_throws(lua_State *L)
{
    /* name, kind and when_error stand beside the options in a job's stage. */
    static const char *const known[] = {"from", "columns", "expand", "rest", "name", "kind", "when_error"};
    struct script_state *state = script_of(L);
    struct json_check check = {.module = state->opening};
    struct json_options options;
    struct json_column *columns = NULL;
    struct script_module *module = state->opening ? state->opening : state->run.module;
    struct json_box *box;
    struct error error;
    char option[64] = "";
    lua_Integer count = 0;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    box = lua_newuserdatauv(L, sizeof(*box), 0); /* at 2 */
    *box = (struct json_box){BOX_JSON, NULL};
    luaL_setmetatable(L, "luaduct.json");

    memset(&options, 0, sizeof(options));
    lua_pushvalue(L, 1);
    check_keys(L, &check, "", known, COUNT_OF(known));
    options.from = get_text(L, &check, 1, "", "from", false);
    options.expand = get_text(L, &check, 1, "", "expand", false);
    options.rest = get_text(L, &check, 1, "", "rest", false);
    if (!options.from.data)
        options.from = STR("__value__");
    lua_getfield(L, 1, "columns");
    if (lua_istable(L, -1))
        count = (lua_Integer)lua_rawlen(L, -1);
    if (count < 1 || count > BATCH_FIELDS_MAX) {
        complain(&check, "columns", count ? "too many columns" : "a list of columns is wanted, each with name, path and type");
    } else {
        int list = lua_gettop(L);

        columns = lua_newuserdatauv(L, (size_t)count * sizeof(*columns), 0);
        luaL_checkstack(L, (int)count * 6 + 16, "too many columns");
        for (lua_Integer i = 1; i <= count; i++) {
            lua_rawgeti(L, list, i);
            read_column(L, &check, i, &columns[i - 1]);
        }
    }
    options.columns = columns;
    options.column_count = (size_t)count;
    options.zone = module ? module->convert.zone : NULL;
    if (check.mistakes == 0 && !json_extractor_new(&box->extractor, &options, option, &error))
        complain(&check, option, error.text);
    if (check.mistakes)
        return luaL_error(L, "json: %s", check.first);
    lua_pushvalue(L, 2);
    return 1;
}

static int json_run(lua_State *L)
{
    struct json_box *box = box_get(L, 1, BOX_JSON);
    struct script_run *run = &script_of(L)->run;
    struct error error;

    if (!box || !box->extractor)
        return luaL_typeerror(L, 1, "json columns");
    if (!box_get(L, 2, BOX_BATCH))
        return luaL_typeerror(L, 2, "batch");
    check_no_loop_throws(L, "json:run");
    if (!json_extract(box->extractor, run_batch_throws(L), &error))
        return throw_kernel_error(L, &error);
    run->layout++;
    check_stopped_throws(L);
    return 0;
}

static int json_gc(lua_State *L)
{
    struct json_box *box = lua_touserdata(L, 1);

    json_extractor_free(box->extractor);
    box->extractor = NULL;
    return 0;
}

void json_kernel_install_throws(lua_State *L)
{
    luaL_newmetatable(L, "luaduct.json");
    lua_newtable(L);
    lua_pushcfunction(L, json_run);
    lua_setfield(L, -2, "run");
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, json_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "luaduct.json");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
