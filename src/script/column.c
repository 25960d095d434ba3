/* column.c: columns as Lua values. Operators and methods call the kernels, once for all rows; the results live in the batch's
 * arena. */
#include "script/api.h"

#include <stdio.h>

void column_push_throws(lua_State *L, struct column *column, struct str name)
{
    struct script_state *state = script_of(L);
    struct column_box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = (struct column_box){BOX_COLUMN, state->run.generation, column, name};
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->column_ref);
    lua_setmetatable(L, -2);
}

struct column_box *column_check_throws(lua_State *L, int index)
{
    struct script_state *state = script_of(L);
    struct column_box *box = box_get(L, index, BOX_COLUMN);

    if (!box)
        luaL_typeerror(L, index, "column");
    if (!state->run.batch || box->generation != state->run.generation)
        luaL_argerror(L, index, "this column belongs to an earlier batch; read it again from the batch in hand");
    if (box->column->rows != state->run.batch->row_count)
        luaL_argerror(L, index, "this column is from before the batch was expanded; read it again");
    return box;
}

struct column *mask_check_throws(lua_State *L, int index)
{
    struct column *column;
    char name[TYPE_NAME_MAX];

    if (!box_get(L, index, BOX_COLUMN))
        luaL_argerror(L, index, lua_pushfstring(L, "a mask is wanted, such as batch.amount:gt(100); this is %s",
                                                lua_isnone(L, index) ? "no value" : value_kind_name(L, index)));
    column = column_check_throws(L, index)->column;

    if (column->type.kind != TYPE_BOOLEAN && column->type.kind != TYPE_NULL)
        luaL_argerror(L, index, lua_pushfstring(L, "a mask is a boolean column, this one is %s", type_print(column->type, name)));
    return column;
}

/* A one-row column from a Lua constant. */
static void constant_make_throws(lua_State *L, int index, struct constant *constant)
{
    struct script_state *state = script_of(L);
    struct error error;

    memset(constant, 0, sizeof(*constant));
    constant->column.rows = 1;
    constant->column.data = &constant->value;
    if (!value_type(L, index, &constant->column.type) || lua_isnil(L, index))
        luaL_argerror(L, index,
                      lua_pushfstring(L, "a column or a constant is wanted, this is %s%s", value_kind_name(L, index),
                                      lua_isnil(L, index) ? "; for NULL use :is_null(), :coalesce() or luaduct.null" : ""));
    if (constant->column.type.kind == TYPE_NULL) {
        constant->column.null = &constant->null;
        constant->null = 1;
        return;
    }
    if (!value_take(L, index, state->run.batch, &state->run.module->convert, &constant->column, 0, &error))
        luaL_argerror(L, index, lua_pushstring(L, error.text));
    constant->column.utf8 = type_is_text(constant->column.type.kind) && str_is_utf8(*constant->column.text);
}

struct operand column_operand_throws(lua_State *L, int index, struct constant *constant)
{
    if (box_get(L, index, BOX_COLUMN))
        return (struct operand){column_check_throws(L, index)->column, false};
    constant_make_throws(L, index, constant);
    return (struct operand){&constant->column, true};
}

/* How an operand is called in reasons. */
static struct str operand_name(lua_State *L, int index, char text[48])
{
    struct column_box *box = box_get(L, index, BOX_COLUMN);
    struct decimal_box *decimal = box_get(L, index, BOX_DECIMAL);

    if (box)
        return box->name;
    if (lua_type(L, index) == LUA_TNUMBER && lua_isinteger(L, index))
        snprintf(text, 48, "%lld", (long long)lua_tointeger(L, index));
    else if (lua_type(L, index) == LUA_TNUMBER)
        snprintf(text, 48, "%.14g", lua_tonumber(L, index));
    else if (lua_type(L, index) == LUA_TSTRING)
        snprintf(text, 48, "\"%.40s\"", lua_tostring(L, index));
    else
        snprintf(text, 48, "%s", decimal ? "a decimal" : value_kind_name(L, index));
    return str_of(text);
}

static struct str describe(lua_State *L, const char *word)
{
    char a_text[48], b_text[48], text[128];
    struct str a = operand_name(L, 1, a_text), b = operand_name(L, 2, b_text), copy;
    int size = snprintf(text, sizeof(text), "%.*s %s %.*s", (int)size_min(a.size, 50), a.data ? a.data : "", word,
                        (int)size_min(b.size, 50), b.data ? b.data : "");

    copy = arena_try_copy(&script_of(L)->run.batch->arena,
                          str_make(text, size < 0 ? 0 : size_min((size_t)size, sizeof(text) - 1)));
    if (!copy.data)
        throw_arena_full(L);
    return copy;
}

int column_result_throws(lua_State *L, bool ok, struct column *column, struct str name, const struct error *error)
{
    if (!ok)
        return throw_kernel_error(L, error);
    check_stopped_throws(L);
    column_push_throws(L, column, name);
    return 1;
}

static int binary(lua_State *L, const char *word, int operation, bool logic)
{
    struct batch *batch = run_batch_throws(L);
    struct constant a_constant, b_constant;
    struct operand a = column_operand_throws(L, 1, &a_constant), b = column_operand_throws(L, 2, &b_constant);
    struct str what = describe(L, word);
    struct column *column = NULL;
    struct error error;
    bool ok = logic ? kernel_logic(batch, (enum logic)operation, a, b, &column, &error)
                    : kernel_arithmetic(batch, (enum arithmetic)operation, a, b, what, &column, &error);

    return column_result_throws(L, ok, column, what, &error);
}

static int column_add(lua_State *L) { return binary(L, "+", ARITHMETIC_ADD, false); }
static int column_subtract(lua_State *L) { return binary(L, "-", ARITHMETIC_SUBTRACT, false); }
static int column_multiply(lua_State *L) { return binary(L, "*", ARITHMETIC_MULTIPLY, false); }
static int column_divide(lua_State *L) { return binary(L, "/", ARITHMETIC_DIVIDE, false); }
static int column_floor_divide(lua_State *L) { return binary(L, "//", ARITHMETIC_FLOOR_DIVIDE, false); }
static int column_modulo(lua_State *L) { return binary(L, "%", ARITHMETIC_MODULO, false); }
static int column_and(lua_State *L) { return binary(L, "&", LOGIC_AND, true); }
static int column_or(lua_State *L) { return binary(L, "|", LOGIC_OR, true); }

/* What is joined: points in time in the job's zone, as tostring, cast and luaduct.json show them; the kernel knows no zone. */
static struct operand joined_operand_throws(lua_State *L, int index, struct constant *constant)
{
    struct script_run *run = &script_of(L)->run;
    struct operand operand;
    struct column *shown;

    if (box_get(L, index, BOX_TIME)) {
        luaL_tolstring(L, index, NULL);
        lua_replace(L, index);
    }
    operand = column_operand_throws(L, index, constant);
    if (!run->module->convert.zone || !convert_needs_zone(operand.column->type, TYPE_OF(TYPE_STRING)))
        return operand;
    shown = convert_column(&run->module->convert, run->batch, (struct column *)operand.column, TYPE_OF(TYPE_STRING), STR(".."),
                           run->batch->when_error == WHEN_ERROR_NULL);
    if (!shown)
        throw_arena_full(L);
    return (struct operand){shown, false};
}

static int column_concat(lua_State *L)
{
    struct batch *batch = run_batch_throws(L);
    struct constant a_constant, b_constant;
    struct operand a = joined_operand_throws(L, 1, &a_constant), b = joined_operand_throws(L, 2, &b_constant);
    struct column *column = NULL;
    struct error error;
    bool ok = kernel_concat(batch, a, b, &column, &error);

    return column_result_throws(L, ok, column, describe(L, ".."), &error);
}

static int column_negate(lua_State *L)
{
    struct column_box *box = column_check_throws(L, 1);
    struct column *column = NULL;
    struct error error;
    bool ok = kernel_negate(run_batch_throws(L), (struct operand){box->column, false}, &column, &error);

    return column_result_throws(L, ok, column, box->name, &error);
}

static int column_not(lua_State *L)
{
    struct column_box *box = column_check_throws(L, 1);
    struct column *column = NULL;
    struct error error;
    bool ok = kernel_not(run_batch_throws(L), (struct operand){box->column, false}, &column, &error);

    return column_result_throws(L, ok, column, box->name, &error);
}

static int compare(lua_State *L, enum comparison comparison, const char *word)
{
    struct batch *batch = run_batch_throws(L);
    struct constant constant;
    struct operand a = {column_check_throws(L, 1)->column, false}, b = column_operand_throws(L, 2, &constant);
    struct column *column = NULL;
    struct error error;
    bool ok = kernel_compare(batch, comparison, a, b, &column, &error);

    return column_result_throws(L, ok, column, describe(L, word), &error);
}

static int column_eq(lua_State *L) { return compare(L, COMPARE_EQ, "="); }
static int column_ne(lua_State *L) { return compare(L, COMPARE_NE, "!="); }
static int column_lt(lua_State *L) { return compare(L, COMPARE_LT, "<"); }
static int column_le(lua_State *L) { return compare(L, COMPARE_LE, "<="); }
static int column_gt(lua_State *L) { return compare(L, COMPARE_GT, ">"); }
static int column_ge(lua_State *L) { return compare(L, COMPARE_GE, ">="); }

/* Lua makes one boolean of < and <=, so they cannot work on whole columns. */
static int refuse_operator(lua_State *L)
{
    return luaL_error(L, "< and > do not compare columns: use :lt(x), :le(x), :gt(x), :ge(x), which give a mask");
}

static int refuse_equality(lua_State *L)
{
    return luaL_error(L, "== and ~= do not compare columns: use :eq(x), :ne(x), which give a mask");
}

static int refuse_length(lua_State *L)
{
    return luaL_error(L, "# is no operator of columns: column:length() counts the characters of its texts, batch:count() rows");
}

static int refuse_call(lua_State *L)
{
    return luaL_error(L, "a column is no function; methods are called with a colon, column:eq(x)");
}

static int test_null(lua_State *L, bool negated)
{
    struct column_box *box = column_check_throws(L, 1);
    struct column *column = NULL;
    struct error error;
    bool ok = kernel_is_null(run_batch_throws(L), (struct operand){box->column, false}, negated, &column, &error);

    return column_result_throws(L, ok, column, box->name, &error);
}

static int column_test_null(lua_State *L) { return test_null(L, false); }
static int column_test_not_null(lua_State *L) { return test_null(L, true); }

/* column:is_in{a, b, …}: true where it equals one of the constants. */
static int column_is_in(lua_State *L)
{
    struct batch *batch = run_batch_throws(L);
    struct column_box *box = column_check_throws(L, 1);
    struct operand result = {NULL, false}, a = {box->column, false};
    struct constant constant;
    struct error error;
    lua_Integer count;

    luaL_checktype(L, 2, LUA_TTABLE);
    count = luaL_len(L, 2);
    luaL_argcheck(L, count > 0 && count <= 1000, 2, "a list of 1 to 1000 constants is wanted");
    lua_settop(L, 2);
    for (lua_Integer i = 1; i <= count; i++) {
        struct column *equal, *both;

        lua_geti(L, 2, i);
        if (box_get(L, 3, BOX_COLUMN))
            return luaL_argerror(L, 2, "the list holds constants, not columns");
        constant_make_throws(L, 3, &constant);
        if (!kernel_compare(batch, COMPARE_EQ, a, (struct operand){&constant.column, true}, &equal, &error))
            return throw_kernel_error(L, &error);
        if (result.column) {
            if (!kernel_logic(batch, LOGIC_OR, result, (struct operand){equal, false}, &both, &error))
                return throw_kernel_error(L, &error);
            equal = both;
        }
        result.column = equal;
        lua_settop(L, 2);
    }
    return column_result_throws(L, true, (struct column *)result.column, box->name, &error);
}

/* luaduct.choose(mask, a, b): a where the mask is true, else b, also where it is NULL; a and b are columns or constants. */
int column_choose_throws(lua_State *L)
{
    struct batch *batch = run_batch_throws(L);
    struct constant a_constant, b_constant;
    struct column *mask = mask_check_throws(L, 1), *column = NULL;
    struct operand a, b;
    struct error error;
    bool ok;

    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    a = column_operand_throws(L, 2, &a_constant);
    b = column_operand_throws(L, 3, &b_constant);
    ok = kernel_select(batch, mask, a, b, &column, &error);
    return column_result_throws(L, ok, column, STR("choose"), &error);
}

static int column_coalesce(lua_State *L)
{
    struct batch *batch = run_batch_throws(L);
    struct column_box *box = column_check_throws(L, 1);
    struct constant constant;
    struct operand b = column_operand_throws(L, 2, &constant);
    struct column *column = NULL;
    struct error error;
    bool ok = kernel_coalesce(batch, (struct operand){box->column, false}, b, &column, &error);

    return column_result_throws(L, ok, column, box->name, &error);
}

static int column_cast(lua_State *L)
{
    struct batch *batch = run_batch_throws(L);
    struct script_run *run = &script_of(L)->run;
    struct column_box *box = column_check_throws(L, 1);
    size_t size;
    const char *text = luaL_checklstring(L, 2, &size);
    struct column *column;
    struct error error;
    struct type type;

    if (!type_parse(str_make(text, size), &type, &error) || !convert_possible(box->column->type, type, &error))
        return luaL_argerror(L, 2, lua_pushstring(L, error.text));
    if (!run->module->convert.zone && convert_needs_zone(box->column->type, type))
        return luaL_argerror(L, 2, "this takes a time zone, and the job names none; set time_zone");
    column = convert_column(&run->module->convert, batch, box->column, type, box->name, batch->when_error == WHEN_ERROR_NULL);
    if (!column)
        return throw_arena_full(L);
    batch_sweep(batch);
    return column_result_throws(L, true, column, box->name, &error);
}

static int column_type(lua_State *L)
{
    char name[TYPE_NAME_MAX];

    lua_pushstring(L, type_print(column_check_throws(L, 1)->column->type, name));
    return 1;
}

/* Also of a column that is over: who prints one looks for a mistake. Its name died with the batch. */
static int column_tostring(lua_State *L)
{
    const struct script_run *run = &script_of(L)->run;
    struct column_box *box = box_get(L, 1, BOX_COLUMN);

    if (!box)
        return luaL_typeerror(L, 1, "column");
    if (!run->batch || box->generation != run->generation) {
        lua_pushliteral(L, "column of an earlier batch");
        return 1;
    }
    lua_pushliteral(L, "column ");
    lua_pushlstring(L, box->name.data ? box->name.data : "", box->name.size);
    lua_concat(L, 2);
    return 1;
}

static int column_index(lua_State *L)
{
    const char *near;

    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "a column has no elements: use batch:map or batch:rows() to see single values");
    lua_pushvalue(L, lua_upvalueindex(1));
    near = api_nearest_throws(L, lua_gettop(L), str_of(lua_tostring(L, 2)));
    return luaL_error(L, "a column has no method \"%s\"%s%s%s", lua_tostring(L, 2), near ? "; did you mean \"" : "",
                      near ? near : "", near ? "\"?" : "");
}

struct column *column_from_value_throws(lua_State *L, int index, const struct type *existing)
{
    struct batch *batch = run_batch_throws(L);
    struct script_run *run = &script_of(L)->run;
    struct constant constant;
    struct column *column;
    struct type type;
    size_t size;
    bool null;

    if (box_get(L, index, BOX_COLUMN))
        return column_check_throws(L, index)->column;
    constant_make_throws(L, index, &constant);
    null = constant.column.type.kind == TYPE_NULL;
    type = null && existing ? *existing : constant.column.type;
    column = column_try_new(&batch->arena, type, batch->row_count, null);
    if (!column) {
        run->arena_full = true;
        throw_arena_full(L);
        return NULL;
    }
    size = type_size(type.kind);
    if (null)
        memset(column->null, 1, batch->row_count);
    memset(column->data, 0, null ? size * batch->row_count : 0);
    for (uint32_t row = 0; !null && row < batch->row_count; row++)
        memcpy((char *)column->data + row * size, constant.column.data, size);
    return column;
}

void column_install_throws(lua_State *L)
{
    static const luaL_Reg metamethods[] = {
        {"__add", column_add},       {"__sub", column_subtract}, {"__mul", column_multiply},     {"__div", column_divide},
        {"__idiv", column_floor_divide}, {"__mod", column_modulo}, {"__unm", column_negate},       {"__concat", column_concat},
        {"__band", column_and},      {"__bor", column_or},       {"__bnot", column_not},         {"__lt", refuse_operator},
        {"__le", refuse_operator}, {"__eq", refuse_equality},    {"__len", refuse_length},       {"__call", refuse_call},
        {"__tostring", column_tostring}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"eq", column_eq},         {"ne", column_ne},       {"lt", column_lt},
        {"le", column_le},         {"gt", column_gt},       {"ge", column_ge},
        {"is_null", column_test_null}, {"is_not_null", column_test_not_null}, {"is_in", column_is_in},
        {"coalesce", column_coalesce}, {"cast", column_cast},   {"type", column_type},
        {NULL, NULL},
    };
    struct script_state *state = script_of(L);

    luaL_newmetatable(L, "luaduct.column");
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    column_text_methods_throws(L);
    lua_pushcclosure(L, column_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "luaduct.column");
    lua_setfield(L, -2, "__metatable");
    state->column_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}
