/* batch_view.c: the batch as Lua sees it: batch.NAME reads a field's column, methods change the batch. */
#include "script/internal.h"

#include <stdio.h>

enum { FIELDS_SHOWN_MAX = 8, FIELD_LIST_SIZE = 300 };

struct batch_box {
    uint32_t tag;
    uint64_t generation;
};

void batch_view_push_throws(lua_State *L)
{
    struct batch_box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = (struct batch_box){BOX_BATCH, script_of(L)->run.generation};
    luaL_setmetatable(L, "luaduct.batch");
}

static struct batch *check_batch(lua_State *L)
{
    struct script_run *run = &script_of(L)->run;
    struct batch_box *box = box_get(L, 1, BOX_BATCH);

    if (!box)
        throw_self(L, "batch", "batch:keep(mask)");
    if (!run->batch || box->generation != run->generation)
        luaL_error(L, "this batch is over: a batch can be used only while process(batch) runs on it");
    run_charge_rows_throws(L);
    return run->batch;
}

static struct str check_name(lua_State *L, int index)
{
    struct str name;

    name.data = luaL_checklstring(L, index, &name.size);
    return name;
}

/* Some fields' names, those that stages made first; what else there is becomes "...". */
static void list_fields(const struct batch *batch, char text[FIELD_LIST_SIZE])
{
    size_t size = 0;
    unsigned shown = 0;

    text[0] = '\0';
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < batch->field_count; i++) {
            const struct field *field = &batch->fields[i];

            if ((pass == 1) != (field->builtin >= 0))
                continue;
            if (shown == FIELDS_SHOWN_MAX || field->name.size + sizeof(", , ...") > FIELD_LIST_SIZE - size) {
                snprintf(text + size, FIELD_LIST_SIZE - size, "%s...", shown ? ", " : "");
                return;
            }
            size += (size_t)snprintf(text + size, FIELD_LIST_SIZE - size, "%s%.*s", shown ? ", " : "", STR_ARG(field->name));
            shown++;
        }
    }
}

/* The method that a name may have been meant for: by the word that other libraries have for it, or by a slip of the pen behind
 * the first letter (without that letter, "amount" would be near to "count"). NULL: none. */
static const char *near_method(struct str name)
{
    static const char *const methods[] = {"keep", "drop", "map", "rows", "set", "add", "remove", "dirty", "count", "fields",
                                          "has", "column", "select", "rename"};
    static const char *const words[][2] = {
        {"filter", "keep"}, {"where", "keep"},   {"project", "select"}, {"reject", "drop"},    {"each", "rows"},
        {"foreach", "rows"}, {"iter", "rows"},   {"apply", "map"},    {"transform", "map"},  {"put", "set"},
        {"assign", "set"},  {"delete", "remove"}, {"fail", "dirty"},  {"size", "count"},     {"length", "count"},
        {"len", "count"},   {"columns", "fields"}, {"contains", "has"}, {"exists", "has"},   {"get", "column"},
    };
    const char *near;

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_equal_ignore_case(name, str_of(words[i][0])))
            return words[i][1];
    near = str_nearest(name, methods, COUNT_OF(methods));
    return near && name.size && (name.data[0] | 0x20) == near[0] ? near : NULL;
}

/* The names are copied with a zero at their end into memory of Lua's. */
const char *near_field_throws(lua_State *L, const struct batch *batch, struct str name)
{
    const char **names = lua_newuserdatauv(L, (batch->field_count + 1) * sizeof(*names), 0);

    luaL_checkstack(L, (int)batch->field_count + 8, NULL);
    for (uint32_t i = 0; i < batch->field_count; i++)
        names[i] = lua_pushlstring(L, batch->fields[i].name.data, batch->fields[i].name.size);
    return str_nearest(name, names, batch->field_count);
}

int throw_self(lua_State *L, const char *what, const char *example)
{
    return luaL_argerror(L, 1, lua_pushfstring(L, "%s expected, got %s; methods are called with a colon, %s", what,
                                               lua_isnone(L, 1) ? "no value" : value_kind_name(L, 1), example));
}

/* Throws, naming the nearest field, or those there are. or_method: a method was possible too. */
static int throw_unknown(lua_State *L, struct str name, bool or_method)
{
    struct batch *batch = run_batch_throws(L);
    const char *method = or_method ? near_method(name) : NULL;
    char list[FIELD_LIST_SIZE], suggestion[FIELD_SUGGESTION_MAX];

    lua_pushlstring(L, name.data, name.size);
    if (*batch_field_suggest(batch, name, suggestion))
        return luaL_error(L, "there is no field \"%s\"%s", lua_tostring(L, -1), suggestion);
    list_fields(batch, list);
    return luaL_error(L, "there is no field %s\"%s\"%s%s%s%s", or_method ? "or method " : "", lua_tostring(L, -1),
                      method ? "; did you mean the method batch:" : "", method ? method : "",
                      *list ? "; the fields are: " : "; the batch has no fields", list);
}

int throw_unknown_field(lua_State *L, struct str name)
{
    return throw_unknown(L, name, false);
}

struct field *field_check_throws(lua_State *L, struct batch *batch, struct str name)
{
    struct field *field = batch_field(batch, name);

    if (!field)
        throw_unknown_field(L, name);
    return field;
}

struct column *field_column_throws(lua_State *L, struct batch *batch, struct field *field)
{
    struct column *column = batch_column(batch, field);

    if (!column)
        throw_arena_full(L);
    return column;
}

void field_set_throws(lua_State *L, struct batch *batch, struct str name, struct column *column)
{
    if (!batch_field(batch, name) && batch->field_count == BATCH_FIELDS_MAX)
        luaL_error(L, "a batch has at most %d fields", BATCH_FIELDS_MAX);
    if (name.size == 0)
        luaL_error(L, "a field needs a name");
    if (!batch_set(batch, name, column))
        throw_arena_full(L);
    script_of(L)->run.layout++;
}

static int push_field(lua_State *L, struct batch *batch, struct str name)
{
    struct script_run *run = &script_of(L)->run;
    struct field *field = field_check_throws(L, batch, name);
    struct column *column = field_column_throws(L, batch, field);

    /* From here on Lua holds the column, so row writes must take a fresh copy. */
    for (struct own_column **own = &run->own; *own; own = &(*own)->next) {
        if ((*own)->column == column) {
            *own = (*own)->next;
            run->layout++;
            break;
        }
    }
    column_push_throws(L, column, field->name);
    return 1;
}

static int batch_index(lua_State *L)
{
    struct batch *batch;
    struct str name;

    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    batch = check_batch(L);
    name = check_name(L, 2);
    if (!batch_field(batch, name))
        return throw_unknown(L, name, true);
    return push_field(L, batch, name);
}

static int batch_newindex(lua_State *L)
{
    return luaL_error(L, "fields are not assigned: use batch:set(\"%s\", column or constant)", luaL_tolstring(L, 2, NULL));
}

static int batch_length(lua_State *L)
{
    return luaL_error(L, "# does not count a batch's rows: use batch:count()");
}

static int batch_call(lua_State *L)
{
    return luaL_error(L, "a batch is no function and no iterator: `for row in batch:rows() do` walks over its rows");
}

static int view_column(lua_State *L)
{
    struct batch *batch = check_batch(L);

    return push_field(L, batch, check_name(L, 2));
}

/* batch:set(name, column or constant) */
static int view_set(lua_State *L)
{
    struct batch *batch = check_batch(L);
    struct str name = check_name(L, 2);
    struct field *field = batch_field(batch, name);
    const struct type *existing = NULL;

    check_no_loop_throws(L, "batch:set");
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    if (field)
        existing = &field_column_throws(L, batch, field)->type;
    field_set_throws(L, batch, name, column_from_value_throws(L, 3, existing));
    return 0;
}

/* batch:add(name, type): a field of NULLs, to be filled row by row */
static int view_add(lua_State *L)
{
    struct batch *batch = check_batch(L);
    struct str name = check_name(L, 2), text = check_name(L, 3);
    struct column *column;
    struct error error;
    struct type type;

    if (!type_parse(text, &type, &error))
        return luaL_argerror(L, 3, lua_pushstring(L, error.text));
    if (batch_field(batch, name))
        return luaL_error(L, "batch:add: there is a field \"%s\" already; batch:set replaces it", lua_tostring(L, 2));
    column = column_try_new(&batch->arena, type, batch->row_count, true);
    if (!column)
        return throw_arena_full(L);
    memset(column->data, 0, batch->row_count * type_size(type.kind));
    memset(column->null, 1, batch->row_count);
    field_set_throws(L, batch, name, column);
    return 0;
}

static int view_remove(lua_State *L)
{
    struct batch *batch = check_batch(L);
    struct str name = check_name(L, 2);

    check_no_loop_throws(L, "batch:remove");
    field_check_throws(L, batch, name);
    if (batch_remove(batch, name))
        script_of(L)->run.layout++;
    return 0;
}

/* batch:select{names}: these fields only, in this order */
static int view_select(lua_State *L)
{
    struct batch *batch = check_batch(L);
    lua_Integer count;
    uint32_t *fields;

    check_no_loop_throws(L, "batch:select");
    luaL_checktype(L, 2, LUA_TTABLE);
    count = (lua_Integer)lua_rawlen(L, 2);
    luaL_argcheck(L, count > 0 && count <= (lua_Integer)batch->field_count, 2,
                  "a list of the fields' names is wanted, each once");
    fields = lua_newuserdatauv(L, (size_t)count * sizeof(*fields), 0);
    for (lua_Integer i = 0; i < count; i++) {
        struct str name;

        lua_rawgeti(L, 2, i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            return luaL_argerror(L, 2, "field names are strings");
        name.data = lua_tolstring(L, -1, &name.size);
        fields[i] = (uint32_t)(field_check_throws(L, batch, name) - batch->fields);
        for (lua_Integer k = 0; k < i; k++)
            if (fields[k] == fields[i])
                return luaL_error(L, "field \"%s\" is selected twice", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    if (!batch_select(batch, fields, (uint32_t)count))
        return throw_arena_full(L);
    script_of(L)->run.layout++;
    return 0;
}

/* Of the field at index: its new name in the table at 2, or absent. The name stays valid while the table holds it. */
static struct str new_name(lua_State *L, const struct batch *batch, uint32_t index)
{
    struct str name = STR_NONE;

    lua_pushlstring(L, batch->fields[index].name.data, batch->fields[index].name.size);
    if (lua_rawget(L, 2) == LUA_TSTRING)
        name.data = lua_tolstring(L, -1, &name.size);
    lua_pop(L, 1);
    return name;
}

/* batch:rename{old = new, …}: all at once, the fields keep their places */
static int view_rename(lua_State *L)
{
    struct batch *batch = check_batch(L);

    check_no_loop_throws(L, "batch:rename");
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING || !lua_rawlen(L, -1))
            return luaL_argerror(L, 2, "names and new names are strings: {old = \"new\"}");
        if (!batch_field(batch, check_name(L, -2)))
            return throw_unknown_field(L, check_name(L, -2));
        lua_pop(L, 1);
    }
    for (uint32_t i = 0; i < batch->field_count; i++) {
        struct str name = new_name(L, batch, i);

        for (uint32_t k = 0; name.data && k < batch->field_count; k++) {
            struct str other = new_name(L, batch, k);

            if (k != i && str_equal(name, other.data ? other : batch->fields[k].name)) {
                lua_pushlstring(L, name.data, name.size);
                return luaL_error(L, "there would be two fields \"%s\"; remove or rename the other one", lua_tostring(L, -1));
            }
        }
    }
    for (uint32_t i = 0; i < batch->field_count; i++) {
        struct str name = new_name(L, batch, i);

        if (name.data && !batch_rename(batch, &batch->fields[i], name))
            return throw_arena_full(L);
    }
    script_of(L)->run.layout++;
    return 0;
}

static int view_keep(lua_State *L)
{
    struct batch *batch = check_batch(L);
    struct column *mask = mask_check_throws(L, 2);
    struct error error;

    check_no_loop_throws(L, "batch:keep");
    if (!batch_keep(batch, mask, &error))
        return luaL_error(L, "%s", error.text);
    return 0;
}

static bool mask_true(const struct column *mask, uint32_t row)
{
    return !column_is_null(mask, row) && mask->boolean[row];
}

static int view_drop(lua_State *L)
{
    struct batch *batch = check_batch(L);
    struct column *mask = mask_check_throws(L, 2);

    check_no_loop_throws(L, "batch:drop");
    for (uint32_t i = 0; i < batch->selected; i++)
        if (mask_true(mask, batch->selection[i]))
            batch_drop(batch, batch->selection[i]);
    batch_sweep(batch);
    check_stopped_throws(L);
    return 0;
}

static int view_dirty(lua_State *L)
{
    struct batch *batch = check_batch(L);
    struct column *mask = mask_check_throws(L, 2);
    struct str reason = check_name(L, 3);

    check_no_loop_throws(L, "batch:dirty");
    for (uint32_t i = 0; i < batch->selected; i++)
        if (mask_true(mask, batch->selection[i]))
            batch_dirty(batch, batch->selection[i], STR_NONE, reason);
    batch_sweep(batch);
    check_stopped_throws(L);
    return 0;
}

static int view_count(lua_State *L)
{
    struct batch *batch = check_batch(L);
    uint32_t count = 0;

    for (uint32_t i = 0; i < batch->selected; i++)
        count += !batch_row_gone(batch, batch->selection[i]);
    lua_pushinteger(L, count);
    return 1;
}

/* batch:fields(): a list of {name = , type = } */
static int view_fields(lua_State *L)
{
    struct batch *batch = check_batch(L);
    char type[TYPE_NAME_MAX];

    lua_createtable(L, (int)batch->field_count, 0);
    for (uint32_t i = 0; i < batch->field_count; i++) {
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, batch->fields[i].name.data, batch->fields[i].name.size);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, type_print(field_column_throws(L, batch, &batch->fields[i])->type, type));
        lua_setfield(L, -2, "type");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int view_has(lua_State *L)
{
    struct batch *batch = check_batch(L);

    lua_pushboolean(L, batch_field(batch, check_name(L, 2)) != NULL);
    return 1;
}

static int view_map(lua_State *L)
{
    check_batch(L);
    return batch_map_throws(L);
}

static int view_rows(lua_State *L)
{
    check_batch(L);
    return batch_rows_throws(L);
}

void batch_view_install_throws(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"column", view_column}, {"set", view_set},     {"add", view_add},       {"remove", view_remove}, {"keep", view_keep},
        {"drop", view_drop},     {"dirty", view_dirty}, {"count", view_count},   {"fields", view_fields}, {"has", view_has},
        {"map", view_map},       {"rows", view_rows},   {"select", view_select}, {"rename", view_rename},
        {NULL, NULL},
    };

    luaL_newmetatable(L, "luaduct.batch");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushcclosure(L, batch_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, batch_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, batch_length);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, batch_call);
    lua_setfield(L, -2, "__call");
    lua_pushliteral(L, "luaduct.batch");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
