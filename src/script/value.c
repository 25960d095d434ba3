/* value.c: values between columns and Lua. Bigint is a Lua integer and double a float; decimals, dates and times are boxes
 * (userdata) that keep their exact value; strings are copied on the way in and on the way out. */
#include "script/internal.h"

#include <math.h>
#include <stdio.h>
#include <yyjson.h>

const uint32_t script_null = 0;

static int128 decimal_get(const struct decimal_box *box)
{
    return (int128)((uint128)box->high << 64 | box->low);
}

void value_push_decimal_throws(lua_State *L, struct script_state *state, int128 value, unsigned scale)
{
    struct decimal_box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = (struct decimal_box){BOX_DECIMAL, scale, (uint64_t)((uint128)value >> 64), (uint64_t)(uint128)value};
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->decimal_ref);
    lua_setmetatable(L, -2);
}

void value_push_time_throws(lua_State *L, struct script_state *state, enum type_kind kind, struct instant instant)
{
    struct time_box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = (struct time_box){BOX_TIME, kind, instant};
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->time_ref);
    lua_setmetatable(L, -2);
}

void value_push_throws(lua_State *L, struct script_state *state, const struct column *column, uint32_t row)
{
    if (column_is_null(column, row)) {
        lua_pushnil(L);
        return;
    }
    switch (column->type.kind) {
    case TYPE_BOOLEAN: lua_pushboolean(L, column->boolean[row]); break;
    case TYPE_BIGINT: lua_pushinteger(L, column->bigint[row]); break;
    case TYPE_DOUBLE: lua_pushnumber(L, column->real[row]); break;
    case TYPE_DECIMAL: value_push_decimal_throws(L, state, column->decimal[row], column->type.scale); break;
    case TYPE_STRING:
    case TYPE_BINARY:
    case TYPE_JSON: lua_pushlstring(L, column->text[row].data ? column->text[row].data : "", column->text[row].size); break;
    case TYPE_DATE: value_push_time_throws(L, state, TYPE_DATE, (struct instant){column->date[row], 0}); break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: value_push_time_throws(L, state, column->type.kind, column->instant[row]); break;
    default: lua_pushnil(L); break;
    }
}

bool value_type(lua_State *L, int index, struct type *type_out)
{
    struct decimal_box *decimal;
    struct time_box *time;

    switch (lua_type(L, index)) {
    case LUA_TNIL: *type_out = TYPE_OF(TYPE_NULL); return true;
    case LUA_TLIGHTUSERDATA:
        *type_out = TYPE_OF(TYPE_NULL);
        return lua_touserdata(L, index) == &script_null;
    case LUA_TBOOLEAN: *type_out = TYPE_OF(TYPE_BOOLEAN); return true;
    case LUA_TNUMBER: *type_out = TYPE_OF(lua_isinteger(L, index) ? TYPE_BIGINT : TYPE_DOUBLE); return true;
    case LUA_TSTRING: *type_out = TYPE_OF(TYPE_STRING); return true;
    case LUA_TUSERDATA:
        if ((decimal = box_get(L, index, BOX_DECIMAL))) {
            *type_out = type_decimal(DECIMAL_DIGITS_MAX, (uint8_t)decimal->scale);
            return true;
        }
        if ((time = box_get(L, index, BOX_TIME))) {
            *type_out = TYPE_OF(time->kind);
            return true;
        }
        return false;
    default: return false;
    }
}

const char *value_kind_name(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TUSERDATA) {
        if (box_get(L, index, BOX_DECIMAL))
            return "decimal";
        if (box_get(L, index, BOX_TIME))
            return "time";
        if (box_get(L, index, BOX_COLUMN))
            return "column";
        if (box_get(L, index, BOX_BATCH))
            return "batch";
        if (box_get(L, index, BOX_ROW))
            return "row";
    }
    if (lua_type(L, index) == LUA_TNUMBER)
        return lua_isinteger(L, index) ? "integer" : "float";
    return luaL_typename(L, index);
}

/* What was wrong with the value: texts by their beginning, numbers and decimals whole, all others by their type. */
static bool refuse(lua_State *L, int index, struct type type, const char *why, struct error *error)
{
    const struct decimal_box *box = box_get(L, index, BOX_DECIMAL);
    char name[TYPE_NAME_MAX], digits[DECIMAL_TEXT_MAX];

    if (box)
        return error_set(error, ERROR_DATA, "decimal %.*s cannot become %s%s%s",
                         (int)decimal_print(decimal_get(box), box->scale, digits), digits, type_print(type, name),
                         *why ? ": " : "", why);
    if (lua_type(L, index) == LUA_TSTRING)
        return error_set(error, ERROR_DATA, "\"%.40s\" cannot become %s%s%s", lua_tostring(L, index), type_print(type, name),
                         *why ? ": " : "", why);
    if (lua_type(L, index) == LUA_TNUMBER && lua_isinteger(L, index))
        return error_set(error, ERROR_DATA, "%lld cannot become %s%s%s", (long long)lua_tointeger(L, index),
                         type_print(type, name), *why ? ": " : "", why);
    if (lua_type(L, index) == LUA_TNUMBER)
        return error_set(error, ERROR_DATA, "%.17g cannot become %s%s%s", lua_tonumber(L, index), type_print(type, name),
                         *why ? ": " : "", why);
    return error_set(error, ERROR_DATA, "a value of type %s cannot become %s%s%s", value_kind_name(L, index),
                     type_print(type, name), *why ? ": " : "", why);
}

static const char *decimal_reason(enum decimal_status status)
{
    switch (status) {
    case DECIMAL_OK: return "";
    case DECIMAL_SYNTAX: return "it is no number";
    case DECIMAL_SCALE: return "it has too many digits after the point";
    case DECIMAL_PRECISION: return "it has too many digits";
    }
    return "";
}

static bool take_decimal(lua_State *L, int index, struct type type, int128 *value_out, struct error *error)
{
    const struct decimal_box *box = box_get(L, index, BOX_DECIMAL);
    enum decimal_status status;
    struct str text;

    if (box)
        status = decimal_rescale(decimal_get(box), box->scale, type.scale, value_out);
    else if (lua_isinteger(L, index))
        status = decimal_rescale(lua_tointeger(L, index), 0, type.scale, value_out);
    else if (lua_type(L, index) == LUA_TNUMBER)
        status = decimal_from_double(lua_tonumber(L, index), type, value_out);
    else if (lua_type(L, index) == LUA_TSTRING) {
        text.data = lua_tolstring(L, index, &text.size);
        status = decimal_parse(text, type, value_out);
    } else {
        return refuse(L, index, type, "", error);
    }
    if (status == DECIMAL_OK && !decimal_fits(*value_out, type.precision))
        status = DECIMAL_PRECISION;
    if (status == DECIMAL_SCALE) {
        char why[128];

        snprintf(why, sizeof(why), "%s; %s:round(%u) rounds it", decimal_reason(status),
                 box ? "value" : "luaduct.decimal(value)", type.scale);
        return refuse(L, index, type, why, error);
    }
    return status == DECIMAL_OK || refuse(L, index, type, decimal_reason(status), error);
}

static const char not_whole[] = "it is not whole, or beyond 64 bits";

/* A float that is whole will do; text that looks like a number will not. */
static bool take_bigint(lua_State *L, int index, int64_t *value_out, struct error *error)
{
    const struct decimal_box *box;
    int128 whole;
    int exact;

    if (lua_type(L, index) == LUA_TNUMBER) {
        *value_out = lua_tointegerx(L, index, &exact);
        return exact || refuse(L, index, TYPE_OF(TYPE_BIGINT), not_whole, error);
    }
    box = box_get(L, index, BOX_DECIMAL);
    if (box) {
        if (decimal_rescale(decimal_get(box), box->scale, 0, &whole) != DECIMAL_OK || whole > INT64_MAX || whole < INT64_MIN)
            return refuse(L, index, TYPE_OF(TYPE_BIGINT), not_whole, error);
        *value_out = (int64_t)whole;
        return true;
    }
    return refuse(L, index, TYPE_OF(TYPE_BIGINT), "", error);
}

static bool take_double(lua_State *L, int index, double *value_out, struct error *error)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        return refuse(L, index, TYPE_OF(TYPE_DOUBLE), box_get(L, index, BOX_DECIMAL) ? "use its :tonumber()" : "", error);
    *value_out = lua_tonumber(L, index);
    if (lua_isinteger(L, index) && (lua_tointeger(L, index) > 1LL << 53 || lua_tointeger(L, index) < -(1LL << 53)))
        return refuse(L, index, TYPE_OF(TYPE_DOUBLE), "it is not exact beyond 2^53", error);
    return true;
}

static bool out_of_memory(lua_State *L, struct error *error)
{
    script_of(L)->run.arena_full = true;
    return error_set(error, ERROR_DATA, "the batch needs more memory than a batch may use");
}

static bool take_text(lua_State *L, int index, struct batch *batch, struct type type, struct str *value_out, struct error *error)
{
    struct str text;

    if (lua_type(L, index) != LUA_TSTRING) {
        bool number = lua_type(L, index) == LUA_TNUMBER || box_get(L, index, BOX_DECIMAL);

        return refuse(L, index, type, number ? "use tostring" : "", error);
    }
    text.data = lua_tolstring(L, index, &text.size);
    if (type.kind == TYPE_JSON) {
        yyjson_read_err fault;
        yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)text.data, text.size, 0, NULL, &fault);

        if (!document && fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
            return out_of_memory(L, error);
        if (!document)
            return refuse(L, index, type, "it is not valid JSON", error);
        yyjson_doc_free(document);
    }
    *value_out = arena_try_copy(&batch->arena, text);
    return value_out->data || out_of_memory(L, error);
}

static bool take_date(lua_State *L, int index, int32_t *value_out, struct error *error)
{
    const struct time_box *box = box_get(L, index, BOX_TIME);
    struct str text;

    if (box && box->kind == TYPE_DATE) {
        *value_out = (int32_t)box->instant.seconds;
        return true;
    }
    if (lua_type(L, index) != LUA_TSTRING)
        return refuse(L, index, TYPE_OF(TYPE_DATE), box ? "it is a point in time" : "", error);
    text.data = lua_tolstring(L, index, &text.size);
    return time_parse_date(text, value_out) || refuse(L, index, TYPE_OF(TYPE_DATE), "it must look like 2024-01-31", error);
}

static bool take_instant(lua_State *L, int index, struct convert *convert, struct type type, struct instant *value_out,
                         struct error *error)
{
    const struct time_box *box = box_get(L, index, BOX_TIME);
    bool local = type.kind == TYPE_TIMESTAMP_NTZ;
    int32_t offset;
    bool has_offset;
    struct str text;

    if (box) {
        if (box->kind == TYPE_DATE || local != (box->kind == TYPE_TIMESTAMP_NTZ))
            return refuse(L, index, type, "the value is a date, or of another kind of time", error);
        *value_out = box->instant;
    } else if (lua_type(L, index) == LUA_TNUMBER && !local) {
        int64_t ms;

        if (!take_bigint(L, index, &ms, error))
            return false;
        value_out->seconds = ms / 1000 - (ms % 1000 < 0);
        value_out->nanos = (int32_t)((ms % 1000 + 1000) % 1000) * 1000000;
    } else if (lua_type(L, index) == LUA_TSTRING) {
        text.data = lua_tolstring(L, index, &text.size);
        if (!time_parse(text, value_out, &has_offset, &offset))
            return refuse(L, index, type, "it must look like 2024-01-31 23:59:59", error);
        if (local && has_offset)
            return refuse(L, index, type, "a local time has no offset", error);
        if (has_offset)
            value_out->seconds -= offset;
        else if (!local && !convert->zone)
            return refuse(L, index, type, "it has no offset and the job names no time_zone", error);
        else if (!local)
            value_out->seconds = zone_from_local(convert->zone, &convert->zone_cache, value_out->seconds);
    } else {
        return refuse(L, index, type, "", error);
    }
    if (value_out->seconds < time_seconds_min || value_out->seconds > time_seconds_max)
        return refuse(L, index, type, "it is not within the years 1 to 9999", error);
    if (type.kind == TYPE_DATETIME && value_out->nanos % 1000000 != 0)
        return refuse(L, index, type, "it is finer than milliseconds", error);
    return true;
}

static __attribute__((noinline)) bool take_any(lua_State *L, int index, struct batch *batch, struct convert *convert,
                                               struct column *column, uint32_t row, struct error *error)
{
    int kind = lua_type(L, index);

    if (kind == LUA_TNIL || (kind == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &script_null)) {
        assert(column->null || column->type.kind == TYPE_NULL);
        if (column->null)
            column->null[row] = 1;
        return true;
    }
    switch (column->type.kind) {
    case TYPE_BOOLEAN:
        if (kind != LUA_TBOOLEAN)
            return refuse(L, index, column->type, "", error);
        column->boolean[row] = (uint8_t)lua_toboolean(L, index);
        break;
    case TYPE_BIGINT:
        if (!take_bigint(L, index, &column->bigint[row], error))
            return false;
        break;
    case TYPE_DOUBLE:
        if (!take_double(L, index, &column->real[row], error))
            return false;
        break;
    case TYPE_DECIMAL:
        if (!take_decimal(L, index, column->type, &column->decimal[row], error))
            return false;
        break;
    case TYPE_STRING:
    case TYPE_BINARY:
    case TYPE_JSON:
        if (!take_text(L, index, batch, column->type, &column->text[row], error))
            return false;
        break;
    case TYPE_DATE:
        if (!take_date(L, index, &column->date[row], error))
            return false;
        break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        if (!take_instant(L, index, convert, column->type, &column->instant[row], error))
            return false;
        break;
    default: return error_set(error, ERROR_SCRIPT, "the field has no type yet; make it with batch:add(name, type)");
    }
    if (column->null)
        column->null[row] = 0;
    return true;
}

/* The everyday cases, small enough to need few registers; take_any does the rest. */
bool value_take(lua_State *L, int index, struct batch *batch, struct convert *convert, struct column *column, uint32_t row,
                struct error *error)
{
    int kind = lua_type(L, index), exact;
    struct str text;

    if (kind == LUA_TSTRING && column->type.kind == TYPE_STRING) {
        text.data = lua_tolstring(L, index, &text.size);
        column->text[row] = arena_try_copy(&batch->arena, text);
        if (UNLIKELY(!column->text[row].data))
            return out_of_memory(L, error);
    } else if (kind == LUA_TNUMBER && column->type.kind == TYPE_BIGINT) {
        column->bigint[row] = lua_tointegerx(L, index, &exact);
        if (UNLIKELY(!exact))
            return refuse(L, index, column->type, not_whole, error);
    } else {
        return take_any(L, index, batch, convert, column, row, error);
    }
    if (column->null)
        column->null[row] = 0;
    return true;
}

/* An operand of decimal arithmetic: a decimal, or an integer. */
static inline bool exact_operand(lua_State *L, int index, int128 *value_out, unsigned *scale_out)
{
    const struct decimal_box *box;

    box = box_get(L, index, BOX_DECIMAL);
    if (LIKELY(box)) {
        *value_out = decimal_get(box);
        *scale_out = box->scale;
        return true;
    }
    *scale_out = 0;
    *value_out = 0;
    if (!lua_isinteger(L, index))
        return false;
    *value_out = lua_tointeger(L, index);
    return true;
}

static double float_operand(lua_State *L, int index)
{
    const struct decimal_box *box = box_get(L, index, BOX_DECIMAL);

    return box ? decimal_to_double(decimal_get(box), box->scale) : lua_tonumber(L, index);
}

static void check_operand(lua_State *L, int index, const char *operation)
{
    if (lua_type(L, index) != LUA_TNUMBER && !box_get(L, index, BOX_DECIMAL))
        luaL_error(L, "%s of a decimal and a value of type %s: give a number or luaduct.decimal(\"…\")", operation,
                   lua_isnil(L, index) ? "nil (NULL)" : value_kind_name(L, index));
}

static int push_result(lua_State *L, enum decimal_status status, int128 value, unsigned scale)
{
    if (status == DECIMAL_PRECISION)
        return luaL_error(L, "the decimal result has more than 38 digits");
    if (status != DECIMAL_OK)
        return luaL_error(L, "division of a decimal by zero");
    value_push_decimal_throws(L, script_of(L), value, scale);
    return 1;
}

#define DECIMAL_OPERATOR(name, word, call, scale_of, float_expression)          \
    static int name(lua_State *L)                                               \
    {                                                                           \
        int128 a, b, value = 0;                                                 \
        unsigned a_scale, b_scale;                                              \
        enum decimal_status status;                                             \
                                                                                \
        if (!exact_operand(L, 1, &a, &a_scale) || !exact_operand(L, 2, &b, &b_scale)) { \
            double x, y;                                                        \
                                                                                \
            check_operand(L, 1, word);                                          \
            check_operand(L, 2, word);                                          \
            x = float_operand(L, 1);                                            \
            y = float_operand(L, 2);                                            \
            lua_pushnumber(L, float_expression);                                \
            return 1;                                                           \
        }                                                                       \
        status = call(a, a_scale, b, b_scale, &value);                          \
        return push_result(L, status, value, scale_of(a_scale, b_scale));       \
    }

DECIMAL_OPERATOR(decimal_plus, "addition", decimal_add, decimal_add_scale, x + y)
DECIMAL_OPERATOR(decimal_minus, "subtraction", decimal_subtract, decimal_add_scale, x - y)
DECIMAL_OPERATOR(decimal_times, "multiplication", decimal_multiply, decimal_multiply_scale, x *y)
DECIMAL_OPERATOR(decimal_over, "division", decimal_divide, decimal_divide_scale, x / y)

static int decimal_negate(lua_State *L)
{
    const struct decimal_box *box = luaL_checkudata(L, 1, "luaduct.decimal");

    value_push_decimal_throws(L, script_of(L), -decimal_get(box), box->scale);
    return 1;
}

static int compare_any(lua_State *L);

/* -1, 0, 1, or 2 where there is no order. Exact numbers of one scale, or of no more than 18 digits, need no wide arithmetic. */
static inline int compare_operands(lua_State *L)
{
    int128 a, b;
    unsigned a_scale, b_scale;

    if (UNLIKELY(!exact_operand(L, 1, &a, &a_scale) || !exact_operand(L, 2, &b, &b_scale)))
        return compare_any(L);
    if (a_scale != b_scale) {
        if (a_scale > 18 || b_scale > 18 || a != (int64_t)a || b != (int64_t)b)
            return compare_any(L);
        if (a_scale < b_scale)
            a *= decimal_powers[b_scale - a_scale];
        else
            b *= decimal_powers[a_scale - b_scale];
    }
    return (a > b) - (a < b);
}

/* -1, 0, 1; a float counts as the number that its shortest text names, so that a literal 0.1 equals the decimal 0.1. NaN: 2. */
static int compare_any(lua_State *L)
{
    int128 values[2];
    unsigned scales[2];

    for (int i = 0; i < 2; i++) {
        check_operand(L, i + 1, "comparison");
        if (exact_operand(L, i + 1, &values[i], &scales[i]))
            continue;
        scales[i] = 18;
        if (decimal_from_double(lua_tonumber(L, i + 1), type_decimal(38, 18), &values[i]) != DECIMAL_OK) {
            double a = float_operand(L, 1), b = float_operand(L, 2);

            return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2;
        }
    }
    return decimal_compare(values[0], scales[0], values[1], scales[1]);
}

static int decimal_equal(lua_State *L)
{
    /* == never throws in Lua: a decimal and another userdata are just different. */
    lua_pushboolean(L, box_get(L, 1, BOX_DECIMAL) && box_get(L, 2, BOX_DECIMAL) && compare_operands(L) == 0);
    return 1;
}

static int decimal_less(lua_State *L)
{
    lua_pushboolean(L, compare_operands(L) == -1);
    return 1;
}

static int decimal_less_equal(lua_State *L)
{
    int order = compare_operands(L);

    lua_pushboolean(L, order == -1 || order == 0);
    return 1;
}

static int decimal_tostring(lua_State *L)
{
    const struct decimal_box *box = luaL_checkudata(L, 1, "luaduct.decimal");
    char text[DECIMAL_TEXT_MAX];

    lua_pushlstring(L, text, decimal_print(decimal_get(box), box->scale, text));
    return 1;
}

static int decimal_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

static int decimal_tonumber(lua_State *L)
{
    const struct decimal_box *box = luaL_checkudata(L, 1, "luaduct.decimal");

    lua_pushnumber(L, decimal_to_double(decimal_get(box), box->scale));
    return 1;
}

/* decimal:round(digits), half away from zero; before the point for digits below 0. */
static int decimal_round(lua_State *L)
{
    const struct decimal_box *box = luaL_checkudata(L, 1, "luaduct.decimal");
    lua_Integer digits = luaL_optinteger(L, 2, 0);
    enum decimal_status status;
    int128 value = 0;

    luaL_argcheck(L, digits >= -DECIMAL_DIGITS_MAX && digits <= DECIMAL_DIGITS_MAX, 2, "digits are -38 to 38");
    if (digits < 0) {
        unsigned cut = (unsigned)-digits;

        /* How many hundreds, say, and then as ones again. */
        status = decimal_rescale_rounded(decimal_get(box), box->scale + cut, 0, &value);
        if (status == DECIMAL_OK)
            status = decimal_rescale(value, 0, cut, &value);
        return push_result(L, status, value, 0);
    }
    status = decimal_rescale_rounded(decimal_get(box), box->scale, (unsigned)digits, &value);
    return push_result(L, status, value, (unsigned)digits);
}

bool decimal_text_scale(struct str number, unsigned *scale_out)
{
    long fraction = 0, exponent = 0;
    size_t i = 0;

    while (i < number.size && number.data[i] != '.' && (number.data[i] | 0x20) != 'e')
        i++;
    if (i < number.size && number.data[i] == '.')
        for (i++; i < number.size && (number.data[i] | 0x20) != 'e'; i++)
            fraction++;
    if (i < number.size)
        exponent = strtol(number.data + i + 1, NULL, 10); /* the text goes on behind it, or ends with a zero */
    if (exponent > 1000 || exponent < -1000 || fraction - exponent > DECIMAL_DIGITS_MAX)
        return false;
    *scale_out = fraction > exponent ? (unsigned)(fraction - exponent) : 0;
    return true;
}

/* The shortest text that reads back as the same float. */
static void push_float_text(lua_State *L, double value)
{
    char text[40];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    lua_pushstring(L, text);
}

/* luaduct.decimal("12.50"): from text, an integer, or a decimal; a float by its shortest text. */
int decimal_new_throws(lua_State *L)
{
    struct error error;
    struct type type = type_decimal(DECIMAL_DIGITS_MAX, 0);
    int128 value = 0;
    struct str text;

    luaL_checkany(L, 1);
    if (lua_type(L, 1) == LUA_TNUMBER && !lua_isinteger(L, 1)) {
        push_float_text(L, lua_tonumber(L, 1));
        lua_replace(L, 1);
    }
    if (lua_type(L, 1) == LUA_TSTRING) {
        unsigned scale;

        text.data = lua_tolstring(L, 1, &text.size);
        if (!decimal_text_scale(text, &scale)) /* decimal_parse says what is wrong */
            scale = DECIMAL_DIGITS_MAX;
        type.scale = (uint8_t)scale;
    } else if (box_get(L, 1, BOX_DECIMAL)) {
        lua_settop(L, 1);
        return 1;
    }
    if (!take_decimal(L, 1, type, &value, &error))
        return luaL_error(L, "luaduct.decimal: %s", error.text);
    value_push_decimal_throws(L, script_of(L), value, type.scale);
    return 1;
}

static int time_tostring(lua_State *L)
{
    const struct time_box *box = luaL_checkudata(L, 1, "luaduct.time");
    struct script_run *run = &script_of(L)->run;
    struct instant shown = box->instant;
    char text[TIME_TEXT_MAX];
    bool utc = false;

    if (box->kind == TYPE_DATE) {
        lua_pushlstring(L, text, time_print_date((int32_t)shown.seconds, text));
        return 1;
    }
    if (box->kind != TYPE_TIMESTAMP_NTZ) {
        if (run->module && run->module->convert.zone)
            shown.seconds = zone_to_local(run->module->convert.zone, &run->module->convert.zone_cache, shown.seconds);
        else
            utc = true;
    }
    lua_pushlstring(L, text, time_print(shown, text));
    if (utc) {
        lua_pushliteral(L, "Z");
        lua_concat(L, 2);
    }
    return 1;
}

static int time_order(lua_State *L)
{
    const struct time_box *a = box_get(L, 1, BOX_TIME), *b = box_get(L, 2, BOX_TIME);

    if (!a || !b)
        luaL_error(L, "comparison of %s and %s", value_kind_name(L, 1), value_kind_name(L, 2));
    if ((a->kind == TYPE_DATE) != (b->kind == TYPE_DATE) || (a->kind == TYPE_TIMESTAMP_NTZ) != (b->kind == TYPE_TIMESTAMP_NTZ))
        luaL_error(L, "comparison of different kinds of time: a date, a point in time and a local time do not compare");
    if (a->instant.seconds != b->instant.seconds)
        return a->instant.seconds < b->instant.seconds ? -1 : 1;
    return (a->instant.nanos > b->instant.nanos) - (a->instant.nanos < b->instant.nanos);
}

static int time_equal(lua_State *L)
{
    const struct time_box *a = box_get(L, 1, BOX_TIME), *b = box_get(L, 2, BOX_TIME);

    lua_pushboolean(L, a && b && (a->kind == TYPE_DATE) == (b->kind == TYPE_DATE) &&
                           (a->kind == TYPE_TIMESTAMP_NTZ) == (b->kind == TYPE_TIMESTAMP_NTZ) &&
                           a->instant.seconds == b->instant.seconds && a->instant.nanos == b->instant.nanos);
    return 1;
}

static int time_less(lua_State *L)
{
    lua_pushboolean(L, time_order(L) < 0);
    return 1;
}

static int time_less_equal(lua_State *L)
{
    lua_pushboolean(L, time_order(L) <= 0);
    return 1;
}

/* Milliseconds since 1970; of a date its midnight, of a local time as if it were UTC. */
static int time_epoch_ms(lua_State *L)
{
    const struct time_box *box = luaL_checkudata(L, 1, "luaduct.time");
    int64_t seconds = box->kind == TYPE_DATE ? box->instant.seconds * 86400 : box->instant.seconds;

    lua_pushinteger(L, seconds * 1000 + (box->kind == TYPE_DATE ? 0 : box->instant.nanos / 1000000));
    return 1;
}

static int install_metatable(lua_State *L, const char *name, const luaL_Reg *metamethods, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void value_install_throws(lua_State *L)
{
    static const luaL_Reg decimal_metamethods[] = {
        {"__add", decimal_plus}, {"__sub", decimal_minus},      {"__mul", decimal_times},       {"__div", decimal_over},
        {"__unm", decimal_negate}, {"__eq", decimal_equal},     {"__lt", decimal_less},         {"__le", decimal_less_equal},
        {"__concat", decimal_concat}, {"__tostring", decimal_tostring}, {NULL, NULL},
    };
    static const luaL_Reg decimal_methods[] = {{"tonumber", decimal_tonumber}, {"round", decimal_round}, {NULL, NULL}};
    static const luaL_Reg time_metamethods[] = {
        {"__eq", time_equal},           {"__lt", time_less},           {"__le", time_less_equal},
        {"__concat", decimal_concat}, {"__tostring", time_tostring}, {NULL, NULL},
    };
    static const luaL_Reg time_methods[] = {{"epoch_ms", time_epoch_ms}, {NULL, NULL}};
    struct script_state *state = script_of(L);

    state->decimal_ref = install_metatable(L, "luaduct.decimal", decimal_metamethods, decimal_methods);
    state->time_ref = install_metatable(L, "luaduct.time", time_metamethods, time_methods);
}
