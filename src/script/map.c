/* map.c: batch:map({inputs}, {outputs}, function): the loop over the rows runs in C, inside one protected call.
 * A row whose function fails costs one more protected call; the loop goes on behind it. What a map takes apart from its rows is
 * charged when it begins: its first rows run uncounted (enter.c), and many short maps would fill the batch's memory before the
 * timer comes. */
#include "script/internal.h"

#include <stdio.h>

enum { MAP_FIELDS_MAX = 64, FIRST_RESULT = 3, MAKING_INSTRUCTIONS = 200 };

struct map_output {
    struct str name;
    struct column *column; /* NULL until the first result says its type */
    bool inferred;
    bool has_null;
};

struct map {
    struct script_state *state;
    struct batch *batch;
    struct convert *convert;
    const struct column *inputs[MAP_FIELDS_MAX];
    struct map_output outputs[MAP_FIELDS_MAX];
    int input_count, output_count;
    uint32_t *rows;
    uint32_t count, position;
};

static struct column *new_output(lua_State *L, struct batch *batch, struct type type)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, true);

    if (!column)
        throw_arena_full(L);
    memset(column->data, 0, batch->row_count * type_size(type.kind));
    memset(column->null, 1, batch->row_count);
    return column;
}

/* "level" or "level string". */
static void parse_output(lua_State *L, struct batch *batch, struct map_output *output)
{
    struct str text, rest, name;
    struct error error;
    struct field *field;
    struct type type;

    memset(output, 0, sizeof(*output));
    text.data = luaL_checklstring(L, -1, &text.size);
    if (str_cut(text, ' ', &name, &rest)) {
        if (!type_parse(str_trim(rest), &type, &error))
            luaL_error(L, "batch:map: output \"%s\": %s", text.data, error.text);
        output->column = new_output(L, batch, type);
    } else {
        name = text;
        field = batch_field(batch, name);
        type = field ? field_column_throws(L, batch, field)->type : TYPE_OF(TYPE_NULL);
        if (type.kind != TYPE_NULL)
            output->column = new_output(L, batch, type);
        else
            output->inferred = true;
    }
    if (name.size == 0)
        luaL_error(L, "batch:map: output \"%s\" has no name", text.data);
    output->name = arena_try_copy(&batch->arena, name);
    if (!output->name.data)
        throw_arena_full(L);
}

/* An inferred decimal column takes the largest scale that was seen. */
static bool widen(struct map *map, struct column *column, unsigned scale, struct error *error)
{
    uint8_t old = column->type.scale;

    if (scale <= old)
        return true;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < map->position; i++) {
            uint32_t row = map->rows[i];
            int128 value = 0;

            if (column->null[row])
                continue;
            if (decimal_rescale(column->decimal[row], old, scale, &value) != DECIMAL_OK)
                return error_set(error, ERROR_DATA, "decimals of so different scales do not fit one column: declare its type, "
                                                    "{\"name decimal(38,10)\"}");
            if (pass == 1)
                column->decimal[row] = value;
        }
    }
    column->type.scale = (uint8_t)scale;
    return true;
}

static bool is_number(struct type type)
{
    return type.kind == TYPE_BIGINT || type.kind == TYPE_DOUBLE || type.kind == TYPE_DECIMAL;
}

static bool infer(lua_State *L, struct map *map, struct map_output *output, int index, struct error *error)
{
    struct type type;

    if (!value_type(L, index, &type))
        return error_set(error, ERROR_DATA, "a value of type %s fits no column", value_kind_name(L, index));
    if (type.kind == TYPE_NULL)
        return true;
    if (!output->column) {
        output->column = new_output(L, map->batch, type);
        return true;
    }
    if (type.kind != output->column->type.kind) {
        char first[TYPE_NAME_MAX], now[TYPE_NAME_MAX];
        bool numbers = is_number(type) && is_number(output->column->type);

        if (!numbers)
            return error_set(error, ERROR_DATA, "the function gave %s before and gives %s now: let it give one type",
                             type_print(output->column->type, first), type_print(type, now));
        return error_set(error, ERROR_DATA, "the function gave %s before and gives %s now: declare the type, {\"%.*s %s\"}",
                         type_print(output->column->type, first), type_print(type, now), STR_ARG(output->name),
                         type.kind == TYPE_DOUBLE || output->column->type.kind == TYPE_DOUBLE ? "double" : "decimal(38,10)");
    }
    return type.kind != TYPE_DECIMAL || widen(map, output->column, type.scale, error);
}

/* Most results by far: a text or an integer for a column of that type. False: not taken, nothing done. */
static inline bool take_quick(lua_State *L, int index, struct batch *batch, struct column *column, uint32_t row)
{
    int kind = lua_type(L, index);
    struct str text;

    if (LIKELY(kind == LUA_TSTRING && column->type.kind == TYPE_STRING)) {
        text.data = lua_tolstring(L, index, &text.size);
        column->text[row] = arena_try_copy(&batch->arena, text);
        if (UNLIKELY(!column->text[row].data))
            return false;
    } else if (kind == LUA_TNUMBER && column->type.kind == TYPE_BIGINT && lua_isinteger(L, index)) {
        column->bigint[row] = lua_tointeger(L, index);
    } else {
        return false;
    }
    column->null[row] = 0;
    return true;
}

static bool take_results(lua_State *L, struct map *map, uint32_t row, struct str *column_out, struct error *error)
{
    for (int i = 0; i < map->output_count; i++) {
        struct map_output *output = &map->outputs[i];

        if (LIKELY(output->column && take_quick(L, FIRST_RESULT + i, map->batch, output->column, row)))
            continue;
        *column_out = output->name;
        if (output->inferred && !infer(L, map, output, FIRST_RESULT + i, error))
            return false;
        if (output->column && !value_take(L, FIRST_RESULT + i, map->batch, map->convert, output->column, row, error))
            return false;
        if (!output->column || output->column->null[row])
            output->has_null = true;
    }
    return true;
}

/* All outputs NULL for the row. */
static void clear_outputs(struct map *map, uint32_t row)
{
    for (int i = 0; i < map->output_count; i++) {
        map->outputs[i].has_null = true;
        if (map->outputs[i].column && map->outputs[i].column->null)
            map->outputs[i].column->null[row] = 1;
    }
}

static void fail_row(struct map *map, uint32_t row, struct str column, const char *text)
{
    clear_outputs(map, row);
    if (map->batch->when_error != WHEN_ERROR_NULL)
        batch_fail(map->batch, row, column, "%s", text);
}

/* Arguments: the map, the function. Runs from map->position on; throws what the function throws. */
static int map_loop(lua_State *L)
{
    struct map *map = lua_touserdata(L, 1);
    struct script_state *state = map->state;
    struct batch *batch = map->batch;

    luaL_checkstack(L, map->input_count + map->output_count + 8, NULL);
    while (map->position < map->count && !batch->stopped) {
        uint32_t row = map->rows[map->position];
        struct error error;
        struct str column = STR_NONE;

        state->run.row = row;
        lua_pushvalue(L, 2);
        for (int i = 0; i < map->input_count; i++)
            value_push_throws(L, state, map->inputs[i], row);
        lua_call(L, map->input_count, map->output_count);
        if (UNLIKELY(!take_results(L, map, row, &column, &error))) {
            if (state->run.arena_full)
                throw_arena_full(L);
            fail_row(map, row, column, error.text);
        }
        lua_settop(L, 2);
        map->position++;
    }
    return 0;
}

static int list_length(lua_State *L, int index, const char *what)
{
    lua_Integer count;

    luaL_checktype(L, index, LUA_TTABLE);
    count = (lua_Integer)lua_rawlen(L, index);
    if (count < 1 || count > MAP_FIELDS_MAX)
        luaL_argerror(L, index, lua_pushfstring(L, "a list of 1 to %d %s is wanted", MAP_FIELDS_MAX, what));
    return (int)count;
}

/* Of the error on top. A table has no text but its address, which is another one in each run. */
static const char *error_text_throws(lua_State *L)
{
    bool says = lua_isstring(L, -1);

    if (!says && luaL_getmetafield(L, -1, "__tostring") != LUA_TNIL) {
        lua_pop(L, 1);
        says = true;
    }
    return says ? luaL_tolstring(L, -1, NULL) : lua_pushfstring(L, "error without a text (a %s)", luaL_typename(L, -1));
}

/* Runs the loop to its end, however many rows fail. */
static void run_loop(lua_State *L, struct map *map)
{
    struct script_state *state = map->state;
    int top = lua_gettop(L);

    while (map->position < map->count && !map->batch->stopped) {
        const char *text;
        int status;

        lua_pushcfunction(L, map_loop);
        lua_pushlightuserdata(L, map);
        lua_pushvalue(L, 4);
        status = lua_pcall(L, 2, 0, 0);
        if (status == LUA_OK)
            break;
        /* Row in hand as it was: the run's restart deals with the ends of memory and budget. */
        script_budget_check_throws(L);
        if (status == LUA_ERRMEM || state->run.arena_full)
            lua_error(L);
        text = error_text_throws(L);
        failure_log(state, map->batch, map->rows[map->position], text);
        run_count_failure(state, text);
        fail_row(map, map->rows[map->position], STR_NONE, text);
        map->position++;
        lua_settop(L, top);
    }
}

int batch_map_throws(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct batch *batch = run_batch_throws(L);
    struct map *map;
    bool row_before = state->run.row_in_hand;
    uint32_t before = state->run.row;

    check_no_loop_throws(L, "batch:map");
    lua_settop(L, 4);
    luaL_checktype(L, 4, LUA_TFUNCTION);
    script_budget_charge(state, MAKING_INSTRUCTIONS);
    script_budget_check_throws(L);
    map = lua_newuserdatauv(L, sizeof(*map), 0);
    memset(map, 0, sizeof(*map));
    map->state = state;
    map->batch = batch;
    map->convert = &state->run.module->convert;
    map->input_count = list_length(L, 2, "field names");
    map->output_count = list_length(L, 3, "outputs");
    for (int i = 0; i < map->input_count; i++) {
        struct str name;

        lua_rawgeti(L, 2, i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            return luaL_argerror(L, 2, "field names are strings");
        name.data = lua_tolstring(L, -1, &name.size);
        map->inputs[i] = field_column_throws(L, batch, field_check_throws(L, batch, name));
        lua_pop(L, 1);
    }
    for (int i = 0; i < map->output_count; i++) {
        lua_rawgeti(L, 3, i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            return luaL_argerror(L, 3, "outputs are strings, \"name\" or \"name type\"");
        parse_output(L, batch, &map->outputs[i]);
        lua_pop(L, 1);
    }
    batch_sweep(batch);
    map->count = batch->selected;
    map->rows = arena_try_array(&batch->arena, batch->selected, sizeof(*map->rows));
    if (!map->rows)
        return throw_arena_full(L);
    memcpy(map->rows, batch->selection, batch->selected * sizeof(*map->rows));

    state->run.loops++;
    state->run.row_in_hand = true;
    script_budget_loose(state, L);
    run_loop(L, map);
    state->run.loops--;
    state->run.row_in_hand = row_before;
    state->run.row = before;

    for (int i = 0; i < map->output_count; i++) {
        struct map_output *output = &map->outputs[i];

        if (!output->column)
            output->column = new_output(L, batch, TYPE_OF(TYPE_NULL));
        else if (!output->has_null)
            output->column->null = NULL;
        field_set_throws(L, batch, output->name, output->column);
    }
    batch_sweep(batch);
    check_stopped_throws(L);
    return 0;
}
