/* json_kernel.c: luaduct.json_columns{…}: the JSON kernel as an object with :run(batch). Options are checked one by one, so that
 * a person gets all mistakes at once; the kernel has the last word. */
#include "script/kernel.h"

#include "batch/kernels/json.h"

#include <stdio.h>

struct json_box {
    uint32_t tag;
    struct json_extractor *extractor; /* NULL until made, and after the end */
};

/* The columns that can be read, and the number that each has in the list. */
struct columns {
    struct json_column *list;
    lua_Integer *numbers;
    size_t count;
};

/* The column at the top of the stack. Its texts stay on the stack. */
static void read_column(lua_State *L, struct kernel_options *stage, lua_Integer i, struct columns *columns)
{
    static const char *const known[] = {"name", "path", "type", "required", "default"};
    struct json_column *column = &columns->list[columns->count];
    struct kernel_options options = *stage;
    struct error error;
    struct str type;
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
    if (options.mistakes == stage->mistakes)
        columns->numbers[columns->count++] = i;
    memcpy(stage->first, options.first, sizeof(stage->first));
    stage->mistakes = options.mistakes;
}

static void tell_mistakes(struct kernel_options *check, const struct columns *columns, const struct json_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++) {
        const struct json_mistake *mistake = &mistakes->list[i];
        char key[64];

        if (mistake->column < columns->count)
            snprintf(key, sizeof(key), "columns[%lld].%s", (long long)columns->numbers[mistake->column], mistake->key);
        else
            snprintf(key, sizeof(key), "%s", mistake->key);
        kernel_complain_at(check, key, mistake->at, "%s", mistake->text);
    }
}

int json_columns_throws(lua_State *L)
{
    /* name, kind and when_error stand beside the options in a job's stage. */
    static const char *const known[] = {"from", "columns", "expand", "rest", "name", "kind", "when_error"};
    struct kernel_options check;
    struct json_options options;
    struct json_mistakes mistakes;
    struct columns columns = {0};
    struct json_box *box;
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

        columns.list = lua_newuserdatauv(L, (size_t)count * sizeof(*columns.list), 0);
        columns.numbers = lua_newuserdatauv(L, (size_t)count * sizeof(*columns.numbers), 0);
        luaL_checkstack(L, (int)count * 6 + 16, "too many columns");
        for (lua_Integer i = 1; i <= count; i++) {
            lua_rawgeti(L, list, i);
            read_column(L, &check, i, &columns);
        }
    }
    options.columns = columns.list;
    options.column_count = columns.count;
    options.zone = check.module ? check.module->convert.zone : NULL;
    if (!json_extractor_new(&box->extractor, &options, &mistakes))
        tell_mistakes(&check, &columns, &mistakes);
    if (check.mistakes)
        return luaL_error(L, "json: %s", check.first);
    lua_pushvalue(L, 2);
    return 1;
}

static int json_run(lua_State *L)
{
    struct json_box *box = box_get(L, 1, BOX_JSON);
    struct script_run *run = &script_of(L)->run;
    struct batch *batch;
    struct error error;
    bool ok;

    if (!box || !box->extractor)
        return luaL_typeerror(L, 1, "json columns");
    if (!box_get(L, 2, BOX_BATCH))
        return luaL_typeerror(L, 2, "batch");
    check_no_loop_throws(L, "json:run");
    batch = run_batch_throws(L);
    ok = json_extract(box->extractor, batch, &error);
    if (!ok && error.kind == ERROR_SCRIPT && run->module->complain && !batch->message_count) { /* while a job is checked */
        run_complain(run->module, "from", error.text);
        ok = json_extract_nothing(box->extractor, batch, &error);
    }
    if (!ok)
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
