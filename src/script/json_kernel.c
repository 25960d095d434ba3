/* json_kernel.c: luaduct.json_columns{…}: the JSON kernel as an object with :run(batch). Options are checked one by one, so that
 * a person gets all mistakes at once; the kernel has the last word. */
#include "script/kernel.h"

#include "batch/kernels/json.h"

#include <stdio.h>

struct json_box {
    uint32_t tag;
    struct json_extractor *extractor; /* NULL until made, and after the end */
};

/* The column at the top of the stack. Its texts stay on the stack. */
static void read_column(lua_State *L, struct kernel_options *stage, lua_Integer i, struct json_column *column)
{
    static const char *const known[] = {"name", "path", "type", "required", "default"};
    struct kernel_options options = *stage;
    struct json_path *parsed = NULL;
    struct error error;
    struct str type;
    size_t wrong_at;
    char prefix[32];

    snprintf(prefix, sizeof(prefix), "columns[%lld]", (long long)i);
    memset(column, 0, sizeof(*column));
    if (!lua_istable(L, -1)) {
        kernel_complain(stage, prefix, "a map with name, path and type is wanted");
        return;
    }
    options.table = lua_gettop(L);
    options.prefix = prefix;
    kernel_check_keys(&options, known, COUNT_OF(known));
    column->name = kernel_text(&options, "name", false);
    column->path = kernel_text(&options, "path", false);
    type = kernel_text(&options, "type", false);
    column->default_text = kernel_text(&options, "default", true);
    column->has_default = column->default_text.data != NULL;
    column->required = kernel_boolean(&options, "required", false);
    if (!column->name.size)
        kernel_complain(&options, "", "a column needs a name");
    if (!column->path.data)
        kernel_complain(&options, "", "a column needs a path, such as $.amount");
    if (!type.data)
        kernel_complain(&options, "", "a column needs a type, such as bigint, string or decimal(10,2)");
    if (type.data && !type_parse(type, &column->type, &error))
        kernel_complain(&options, "type", "%s", error.text);
    if (column->path.data && !(column->path.size && column->path.data[0] == '@')) {
        if (!json_path_parse(&parsed, column->path, &wrong_at, &error))
            kernel_complain_at(&options, "path", (ptrdiff_t)wrong_at, "%s", error.text);
        else
            json_path_free(parsed);
    }
    memcpy(stage->first, options.first, sizeof(stage->first));
    stage->mistakes = options.mistakes;
}

int json_columns_throws(lua_State *L)
{
    /* name, kind and when_error stand beside the options in a job's stage. */
    static const char *const known[] = {"from", "columns", "expand", "rest", "name", "kind", "when_error"};
    struct kernel_options check;
    struct json_options options;
    struct json_column *columns = NULL;
    struct json_box *box;
    struct error error;
    char option[64] = "";
    lua_Integer count = 0;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    box = lua_newuserdatauv(L, sizeof(*box), 0); /* at 2 */
    *box = (struct json_box){BOX_JSON, NULL};
    luaL_setmetatable(L, "luaduct.json");

    kernel_options_init_throws(&check, L, 1, 3);
    memset(&options, 0, sizeof(options));
    kernel_check_keys(&check, known, COUNT_OF(known));
    options.from = kernel_text(&check, "from", false);
    options.expand = kernel_text(&check, "expand", false);
    options.rest = kernel_text(&check, "rest", false);
    if (!options.from.data)
        options.from = STR("__value__");
    lua_getfield(L, 1, "columns");
    if (lua_istable(L, -1))
        count = (lua_Integer)lua_rawlen(L, -1);
    if (count < 1 || count > BATCH_FIELDS_MAX) {
        kernel_complain(&check, "columns", "%s",
                        count ? "too many columns"
                              : "a list of columns is wanted, each with name, path and type; `luaduct infer` proposes them "
                                "from a sample");
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
    options.zone = check.module ? check.module->convert.zone : NULL;
    if (check.mistakes == 0 && !json_extractor_new(&box->extractor, &options, option, &error))
        kernel_complain(&check, option, "%s", error.text);
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
