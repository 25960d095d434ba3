/* row.c: batch:rows(), one userdata that moves over the selected rows.
 * A field read is a probe in a small table keyed by the name's address (Lua keeps one copy of every short string), then one push.
 * The names in that table are held by the row, so that an address cannot come to mean another name.
 * A write goes to a copy of the column that is made at the first write of a run, so that the batch can be put back as it was. */
#include "script/internal.h"

enum { ROW_SLOTS = 32 };

struct row_slot {
    const void *key; /* the string's address in Lua; the row's user value keeps it alive */
    struct str name;
    struct column *column;
    bool own; /* the column may be changed in place */
};

struct row_box {
    uint32_t tag;
    uint64_t generation;
    uint64_t layout;
    bool live;   /* between the first step and the end of the loop */
    bool before; /* row_in_hand and row of the loop around this one */
    uint32_t before_row;
    uint32_t row;
    uint32_t position, count;
    uint32_t *rows; /* the selection when the loop began: column operations inside it may take rows out */
    struct row_slot slots[ROW_SLOTS];
};

static int row_dirty(lua_State *L);
static int row_drop(lua_State *L);
static int row_get(lua_State *L);
static int row_set(lua_State *L);

static const luaL_Reg row_methods[] = {
    {"dirty", row_dirty}, {"drop", row_drop}, {"get", row_get}, {"set", row_set}, {NULL, NULL},
};

static inline size_t slot_of(const void *key)
{
    return ((uintptr_t)key >> 4 ^ (uintptr_t)key >> 9) % ROW_SLOTS;
}

/* Generations are never 0 while a batch is in hand, and 0 while there is none. */
static inline struct row_box *check_row(lua_State *L)
{
    struct script_run *run = &script_of(L)->run;
    struct row_box *box = box_get(L, 1, BOX_ROW);

    if (UNLIKELY(!box))
        throw_self(L, "row", "row:dirty(reason)");
    if (UNLIKELY(!box->live || box->generation != run->generation))
        luaL_error(L, "this row's turn is over: a row can be used only inside its loop over batch:rows()");
    return box;
}

/* The slot of the name at index 2, if it is known and nothing has changed since. */
static inline struct row_slot *known_slot(lua_State *L, const struct script_run *run, struct row_box *box)
{
    const void *key = lua_topointer(L, 2);
    struct row_slot *slot = &box->slots[slot_of(key)];

    return LIKELY(slot->key == key && key && box->layout == run->layout) ? slot : NULL;
}

/* Fills the slot of the name at index 2, which is a string; the row is at index 1. */
static struct row_slot *find_slot(lua_State *L, struct row_box *box)
{
    struct script_run *run = &script_of(L)->run;
    const void *key = lua_topointer(L, 2);
    struct row_slot *slot = &box->slots[slot_of(key)];
    struct field *field;
    struct str name;

    if (box->layout != run->layout) {
        for (size_t i = 0; i < ROW_SLOTS; i++)
            box->slots[i].key = NULL;
        box->layout = run->layout;
    }
    name.data = lua_tolstring(L, 2, &name.size);
    field = field_check_throws(L, run->batch, name);
    slot->key = NULL;
    slot->column = field_column_throws(L, run->batch, field);
    slot->name = field->name;
    slot->own = false;
    for (struct own_column *own = run->own; own; own = own->next)
        slot->own = slot->own || own->column == slot->column;
    if (slot->column->rows <= box->row)
        luaL_error(L, "the batch was expanded inside a loop over its rows");
    /* A field with a method's name is reached by row:get and row:set only, so row_index must not find it here. */
    for (const luaL_Reg *method = row_methods; method->name; method++)
        if (str_is(name, method->name))
            return slot;
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (lua_Integer)slot_of(key) + 1);
    lua_pop(L, 1);
    slot->key = key;
    return slot;
}

static int push_value(lua_State *L, struct row_box *box)
{
    struct script_state *state = script_of(L);
    struct row_slot *slot = known_slot(L, &state->run, box);

    value_push_throws(L, state, (slot ? slot : find_slot(L, box))->column, box->row);
    return 1;
}

/* The name at index 2 may be a slip of the pen for a method, where no field is near. */
static void check_no_method(lua_State *L)
{
    struct batch *batch = script_of(L)->run.batch;
    const char *names[COUNT_OF(row_methods) - 1], *near;
    struct str name;

    name.data = lua_tolstring(L, 2, &name.size);
    if (batch_field(batch, name) || near_field_throws(L, batch, name))
        return;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        names[i] = row_methods[i].name;
    near = str_nearest(name, names, COUNT_OF(names));
    if (near && name.size && name.data[0] == near[0])
        luaL_error(L, "there is no field or method \"%s\"; did you mean the method row:%s?", name.data, near);
}

static int row_index(lua_State *L)
{
    struct row_box *box = check_row(L);
    struct script_state *state = script_of(L);
    struct row_slot *slot = known_slot(L, &state->run, box);

    if (LIKELY(slot)) {
        value_push_throws(L, state, slot->column, box->row);
        return 1;
    }
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "a row's fields are read by name, not by a %s", luaL_typename(L, 2));
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    check_no_method(L);
    return push_value(L, box);
}

/* Makes the slot's column one that may be written in place. */
static void make_own(lua_State *L, struct row_slot *slot)
{
    struct script_run *run = &script_of(L)->run;
    struct batch *batch = run->batch;
    struct own_column *own = arena_try_alloc(&batch->arena, sizeof(*own));
    struct column *copy = column_try_copy(&batch->arena, slot->column);

    if (!own || !copy || !column_try_nullable(&batch->arena, copy))
        throw_arena_full(L);
    field_set_throws(L, batch, slot->name, copy);
    *own = (struct own_column){copy, run->own};
    run->own = own;
    slot->column = copy;
    slot->own = true;
}

/* Writes the value at index 3 into the field named at index 2, a string. */
static int write_value(lua_State *L, struct row_box *box)
{
    struct script_run *run = &script_of(L)->run;
    struct row_slot *slot = known_slot(L, run, box);
    struct error error;

    if (UNLIKELY(!slot)) {
        struct str key;

        key.data = lua_tolstring(L, 2, &key.size);
        if (!batch_field(run->batch, key) && !lua_isnil(L, 3)) {
            struct type type;
            char name[TYPE_NAME_MAX];
            const char *near;

            if (!value_type(L, 3, &type) || type.kind == TYPE_NULL)
                type = TYPE_OF(TYPE_STRING);
            near = near_field_throws(L, run->batch, key);
            if (near)
                return luaL_error(L, "there is no field \"%s\" to write; did you mean \"%s\"?", key.data, near);
            return luaL_error(L, "there is no field \"%s\" to write: make it before the loop with batch:add(\"%s\", \"%s\")",
                              key.data, key.data, type_print(type, name));
        }
        slot = find_slot(L, box);
    }
    if (UNLIKELY(!slot->own)) {
        make_own(L, slot);
        slot = find_slot(L, box);
    }
    if (!value_take(L, 3, run->batch, &run->module->convert, slot->column, box->row, &error)) {
        if (run->arena_full)
            return throw_arena_full(L);
        return luaL_error(L, "field \"%s\": %s", lua_tostring(L, 2), error.text);
    }
    return 0;
}

static int row_newindex(lua_State *L)
{
    struct row_box *box = check_row(L);

    if (UNLIKELY(lua_type(L, 2) != LUA_TSTRING))
        return luaL_error(L, "a row's fields are written by name, not by a %s", luaL_typename(L, 2));
    return write_value(L, box);
}

/* A number as a name becomes text first, as everywhere in Lua. */
static int row_get(lua_State *L)
{
    struct row_box *box = check_row(L);

    luaL_checkstring(L, 2);
    return push_value(L, box);
}

static int row_set(lua_State *L)
{
    struct row_box *box = check_row(L);

    luaL_checkstring(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    return write_value(L, box);
}

static int row_dirty(lua_State *L)
{
    struct row_box *box = check_row(L);
    struct str reason;

    reason.data = luaL_checklstring(L, 2, &reason.size);
    batch_dirty(script_of(L)->run.batch, box->row, STR_NONE, reason);
    check_stopped_throws(L);
    return 0;
}

static int row_drop(lua_State *L)
{
    batch_drop(script_of(L)->run.batch, check_row(L)->row);
    check_stopped_throws(L);
    return 0;
}

static void end_loop(struct script_state *state, struct row_box *box)
{
    if (!box->live)
        return;
    box->live = false;
    if (box->generation == state->run.generation) {
        state->run.loops--;
        state->run.row_in_hand = box->before;
        state->run.row = box->before_row;
    }
}

/* The loop is left, by its end, break, return or an error (second argument). */
static int row_close(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct row_box *box = box_get(L, 1, BOX_ROW);

    if (!box)
        return 0;
    if (box->live && !lua_isnoneornil(L, 2)) {
        state->closed_row_set = true;
        state->closed_row = box->row;
    }
    end_loop(state, box);
    return 0;
}

static int row_next(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct script_run *run = &state->run;
    struct row_box *box = box_get(L, 1, BOX_ROW);

    if (!box || !run->batch || box->generation != run->generation)
        return luaL_error(L, "this loop over batch:rows() belongs to an earlier batch");
    while (box->position < box->count && run->batch->gone && run->batch->gone[box->rows[box->position]])
        box->position++;
    if (box->position == box->count) {
        end_loop(state, box);
        lua_pushnil(L);
        return 1;
    }
    if (!box->live) {
        box->live = true;
        box->before = run->row_in_hand;
        box->before_row = run->row;
        run->loops++;
    }
    box->row = box->rows[box->position++];
    run->row_in_hand = true;
    run->row = box->row;
    lua_settop(L, 1);
    return 1;
}

int batch_rows_throws(lua_State *L)
{
    struct script_run *run = &script_of(L)->run;
    struct batch *batch = run_batch_throws(L);
    struct row_box *box = lua_newuserdatauv(L, sizeof(*box), 1);

    memset(box, 0, sizeof(*box));
    box->tag = BOX_ROW;
    box->generation = run->generation;
    box->layout = run->layout;
    batch_sweep(batch);
    box->count = batch->selected;
    box->rows = arena_try_array(&batch->arena, batch->selected, sizeof(*box->rows));
    if (!box->rows)
        return throw_arena_full(L);
    memcpy(box->rows, batch->selection, batch->selected * sizeof(*box->rows));
    script_budget_loose(script_of(L), L);
    lua_createtable(L, ROW_SLOTS, 0);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, "luaduct.row"); /* row */
    lua_pushcfunction(L, row_next);      /* row next */
    lua_pushvalue(L, -2);                /* row next row */
    lua_pushnil(L);                      /* row next row nil */
    lua_pushvalue(L, -4);                /* row next row nil row: the last is closed when the loop is left */
    return 4;
}

void row_install_throws(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__newindex", row_newindex}, {"__close", row_close}, {NULL, NULL}};

    luaL_newmetatable(L, "luaduct.row");
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    luaL_setfuncs(L, row_methods, 0);
    lua_pushcclosure(L, row_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "luaduct.row");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
