/* json_text.c: luaduct.json: JSON texts to Lua values and back, with every number exact.
 * Reading is yyjson's, with numbers left as text; its memory is one block of the state, which grows with the longest text and
 * counts against the memory limit: so nothing has to be freed when something throws. Objects are written with their keys in
 * order. */
#include "script/api.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

enum { DEPTH_MAX = 100, BYTES_PER_INSTRUCTION = 16, KEPT_BYTES_MAX = 1 << 20 };

static const char array_name[] = "luaduct.json.array";

static void charge_throws(lua_State *L, size_t bytes)
{
    script_budget_charge(script_of(L), (int64_t)(bytes / BYTES_PER_INSTRUCTION));
    script_budget_check_throws(L);
}

/* --- decode --- */

struct decoding {
    struct str text;
    bool floats; /* numbers that are no integers become floats */
};

static int throw_number(lua_State *L, const struct decoding *decoding, struct str number, const char *why)
{
    size_t at = (size_t)(number.data - decoding->text.data) + 1;

    return luaL_error(L, "luaduct.json.decode: the number at byte %d %s; {numbers = \"float\"} reads such numbers as floats",
                      (int)at, why);
}

static void push_number(lua_State *L, const struct decoding *decoding, struct str number)
{
    bool whole = true;
    unsigned scale = 0;
    int128 value = 0;

    for (size_t i = 0; whole && i < number.size; i++)
        whole = number.data[i] != '.' && (number.data[i] | 0x20) != 'e';
    if (whole && number.size <= 20) {
        char digits[24];
        long long integer;

        memcpy(digits, number.data, number.size);
        digits[number.size] = '\0';
        errno = 0;
        integer = strtoll(digits, NULL, 10);
        if (errno == 0) {
            /* An integer has no -0; as a number it is the same. */
            lua_pushinteger(L, integer);
            return;
        }
    }
    if (decoding->floats) {
        double real = strtod(number.data, NULL);

        if (isinf(real))
            throw_number(L, decoding, number, "is beyond what floats can hold");
        lua_pushnumber(L, real);
        return;
    }
    if (!decimal_text_scale(number, &scale) ||
        decimal_parse(number, type_decimal(DECIMAL_DIGITS_MAX, (uint8_t)scale), &value) != DECIMAL_OK)
        throw_number(L, decoding, number, "has more digits than a decimal holds (38)");
    value_push_decimal_throws(L, script_of(L), value, scale);
}

static void push_value(lua_State *L, const struct decoding *decoding, yyjson_val *value, unsigned depth)
{
    size_t index, count;
    yyjson_val *key, *item;

    if (depth > DEPTH_MAX)
        luaL_error(L, "luaduct.json.decode: the text is nested deeper than %d levels", DEPTH_MAX);
    luaL_checkstack(L, 6, "JSON is nested too deeply");
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_BOOL:
        lua_pushboolean(L, yyjson_get_bool(value));
        break;
    case YYJSON_TYPE_RAW:
        push_number(L, decoding, str_make(yyjson_get_raw(value), yyjson_get_len(value)));
        break;
    case YYJSON_TYPE_STR:
        lua_pushlstring(L, yyjson_get_str(value), yyjson_get_len(value));
        break;
    case YYJSON_TYPE_ARR:
        lua_createtable(L, (int)size_min(yyjson_arr_size(value), 1 << 20), 0);
        luaL_setmetatable(L, array_name);
        yyjson_arr_foreach(value, index, count, item)
        {
            push_value(L, decoding, item, depth + 1);
            lua_rawseti(L, -2, (lua_Integer)index + 1);
        }
        break;
    case YYJSON_TYPE_OBJ:
        lua_createtable(L, 0, (int)size_min(yyjson_obj_size(value), 1 << 20));
        yyjson_obj_foreach(value, index, count, key, item)
        {
            lua_pushlstring(L, yyjson_get_str(key), yyjson_get_len(key));
            push_value(L, decoding, item, depth + 1);
            lua_rawset(L, -3);
        }
        break;
    default:
        lua_pushlightuserdata(L, (void *)&script_null);
        break;
    }
}

/* The state's block, large enough; NULL when the limit forbids it. */
static void *grow_block(struct script_state *state, size_t size)
{
    size_t more = size > state->json_block_size ? size - state->json_block_size : 0;
    void *block;

    if (more == 0)
        return state->json_block;
    if (more > state->limits.memory_max - size_min(state->memory, state->limits.memory_max))
        return NULL;
    block = malloc(size);
    if (!block)
        return NULL;
    free(state->json_block);
    state->json_block = block;
    state->json_block_size = size;
    state->memory += more;
    return block;
}

/* A block for an unusually long text does not stay. */
static void shrink_block(struct script_state *state)
{
    if (state->json_block_size <= KEPT_BYTES_MAX)
        return;
    state->memory -= state->json_block_size;
    free(state->json_block);
    state->json_block = NULL;
    state->json_block_size = 0;
}

void json_text_free(struct script_state *state)
{
    shrink_block(state);
    free(state->json_block);
    buffer_release(&state->json_text);
}

static bool floats_wanted_throws(lua_State *L, int index)
{
    bool floats;

    if (lua_isnoneornil(L, index))
        return false;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "numbers") != 0)
            luaL_argerror(L, index, "the only option is numbers = \"exact\" or \"float\"");
        lua_pop(L, 1);
    }
    lua_getfield(L, index, "numbers");
    floats = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "float") == 0;
    if (!floats && !lua_isnil(L, -1) && !(lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "exact") == 0))
        luaL_argerror(L, index, "numbers is \"exact\" or \"float\"");
    lua_pop(L, 1);
    return floats;
}

static int json_decode(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct decoding decoding;
    yyjson_read_err fault;
    yyjson_doc *document;
    yyjson_alc allocator;
    size_t size;
    void *block;

    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_typeerror(L, 1, "string");
    decoding.text.data = lua_tolstring(L, 1, &decoding.text.size);
    decoding.floats = floats_wanted_throws(L, 2);
    lua_settop(L, 1);
    charge_throws(L, decoding.text.size);
    size = yyjson_read_max_memory_usage(decoding.text.size, YYJSON_READ_NUMBER_AS_RAW) + 1024;
    shrink_block(state); /* one that an error left behind */
    block = grow_block(state, size);
    if (!block || !yyjson_alc_pool_init(&allocator, block, state->json_block_size))
        return luaL_error(L, "luaduct.json.decode: a text of %d bytes needs more memory than runtime.lua.memory_max leaves",
                          (int)size_min(decoding.text.size, INT32_MAX));
    document = yyjson_read_opts((char *)(uintptr_t)decoding.text.data, decoding.text.size, YYJSON_READ_NUMBER_AS_RAW, &allocator,
                                &fault);
    if (!document)
        return luaL_error(L, "luaduct.json.decode: byte %d: %s", (int)size_min(fault.pos, INT32_MAX) + 1, fault.msg);
    /* The document's copy of the text is what its numbers point into: bytes are counted from its beginning. */
    decoding.text.data = document->str_pool ? document->str_pool : decoding.text.data;
    push_value(L, &decoding, yyjson_doc_get_root(document), 1);
    shrink_block(state);
    return 1;
}

/* --- encode --- */

static void put_value(lua_State *L, struct buffer *text, int index, unsigned depth);

static int throw_value(lua_State *L, int index, const char *what)
{
    return luaL_error(L, "luaduct.json.encode: %s %s has no form in JSON", what, value_kind_name(L, index));
}

static void put_number(lua_State *L, struct buffer *text, int index)
{
    double value;
    char digits[40];
    int size;

    if (lua_isinteger(L, index)) {
        buffer_print(text, "%lld", (long long)lua_tointeger(L, index));
        return;
    }
    value = lua_tonumber(L, index);
    if (!isfinite(value))
        luaL_error(L, "luaduct.json.encode: a float that is %s has no form in JSON",
                   isnan(value) ? "no number (nan)" : "infinite");
    size = snprintf(digits, sizeof(digits), "%.15g", value);
    if (strtod(digits, NULL) != value)
        size = snprintf(digits, sizeof(digits), "%.17g", value);
    buffer_append(text, digits, (size_t)size);
    if (!strpbrk(digits, ".e"))
        buffer_append_str(text, STR(".0")); /* stays a float when it is read again */
}

static void put_text(lua_State *L, struct buffer *text, int index, const char *what)
{
    struct str value;

    value.data = lua_tolstring(L, index, &value.size);
    if (!str_is_utf8(value))
        luaL_error(L, "luaduct.json.encode: %s is not UTF-8", what);
    buffer_append_json(text, value);
}

/* Whether the table at index is written as an array, and how long it is. Throws when it is neither array nor object. */
static bool is_array_throws(lua_State *L, int index, size_t *count_out)
{
    size_t integers = 0, names = 0, length = lua_rawlen(L, index);
    bool marked = lua_getmetatable(L, index);

    if (marked) {
        luaL_getmetatable(L, array_name);
        marked = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            names++;
        else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && (lua_Unsigned)lua_tointeger(L, -2) <= length)
            integers++;
        else
            luaL_error(L, "luaduct.json.encode: a table's keys are names, or the numbers from 1 on without a gap (luaduct.null "
                          "fills one); this one has the key %s", luaL_tolstring(L, -2, NULL));
        lua_pop(L, 1);
    }
    if (integers && names)
        luaL_error(L, "luaduct.json.encode: a table has names or numbers as keys, not both");
    if (integers != length || (marked && names))
        luaL_error(L, marked && names ? "luaduct.json.encode: an array has numbers as keys, not names"
                                      : "luaduct.json.encode: a list has gaps; luaduct.null fills one");
    *count_out = integers + names;
    return marked || integers;
}

struct key {
    const char *data;
    size_t size;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = memcmp(x->data, y->data, size_min(x->size, y->size));

    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void put_object(lua_State *L, struct buffer *text, int index, size_t count, unsigned depth)
{
    struct key *keys = lua_newuserdatauv(L, (count + 1) * sizeof(*keys), 0);
    size_t at = 0;

    lua_pushnil(L);
    while (lua_next(L, index)) {
        keys[at].data = lua_tolstring(L, -2, &keys[at].size); /* held by the table */
        at++;
        lua_pop(L, 1);
    }
    qsort(keys, count, sizeof(*keys), compare_keys);
    buffer_append_char(text, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_char(text, ',');
        lua_pushlstring(L, keys[i].data, keys[i].size);
        put_text(L, text, lua_gettop(L), "a key");
        buffer_append_char(text, ':');
        lua_rawget(L, index);
        put_value(L, text, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
    }
    buffer_append_char(text, '}');
    lua_pop(L, 1);
}

static void put_array(lua_State *L, struct buffer *text, int index, size_t count, unsigned depth)
{
    buffer_append_char(text, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_char(text, ',');
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        put_value(L, text, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
    }
    buffer_append_char(text, ']');
}

static void put_value(lua_State *L, struct buffer *text, int index, unsigned depth)
{
    size_t before = text->size, count;

    if (depth > DEPTH_MAX)
        luaL_error(L, "luaduct.json.encode: tables are nested deeper than %d levels; does one contain itself?", DEPTH_MAX);
    luaL_checkstack(L, 8, "tables are nested too deeply");
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        buffer_append_str(text, lua_toboolean(L, index) ? STR("true") : STR("false"));
        break;
    case LUA_TNUMBER:
        put_number(L, text, index);
        break;
    case LUA_TSTRING:
        put_text(L, text, index, "a text");
        break;
    case LUA_TTABLE:
        if (is_array_throws(L, index, &count))
            put_array(L, text, index, count, depth);
        else
            put_object(L, text, index, count, depth);
        break;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) != &script_null)
            throw_value(L, index, "a");
        buffer_append_str(text, STR("null"));
        break;
    default:
        if (box_get(L, index, BOX_DECIMAL) || box_get(L, index, BOX_TIME)) {
            bool decimal = box_get(L, index, BOX_DECIMAL) != NULL;

            luaL_tolstring(L, index, NULL);
            if (decimal)
                buffer_append(text, lua_tostring(L, -1), lua_rawlen(L, -1));
            else
                put_text(L, text, lua_gettop(L), "a time");
            lua_pop(L, 1);
            break;
        }
        throw_value(L, index, "a");
    }
    if (UNLIKELY(text->failed))
        luaL_error(L, "luaduct.json.encode: the text would take more than a quarter of runtime.lua.memory_max");
    charge_throws(L, BYTES_PER_INSTRUCTION + text->size - before);
}

static int json_encode(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct buffer *text = &state->json_text;

    luaL_checkany(L, 1);
    if (lua_isnil(L, 1))
        return luaL_argerror(L, 1, "nil has no form in JSON; NULL is luaduct.null");
    luaL_argcheck(L, lua_gettop(L) == 1, 2, "encode takes one value");
    if (text->capacity > KEPT_BYTES_MAX)
        buffer_release(text);
    text->bytes_max = size_max(state->limits.memory_max / 4, 4096);
    buffer_clear(text);
    put_value(L, text, 1, 1);
    lua_pushlstring(L, text->data ? text->data : "", text->size);
    return 1;
}

static int json_array(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_getmetatable(L, 1)) {
        luaL_getmetatable(L, array_name);
        luaL_argcheck(L, lua_rawequal(L, -1, -2), 1, "the table has a metatable already");
        lua_settop(L, 1);
    }
    luaL_setmetatable(L, array_name);
    return 1;
}

void json_text_install_throws(lua_State *L)
{
    luaL_newmetatable(L, array_name);
    lua_pushliteral(L, "array of luaduct.json");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void json_text_push_throws(lua_State *L)
{
    static const luaL_Reg functions[] = {{"decode", json_decode}, {"encode", json_encode}, {"array", json_array}, {NULL, NULL}};

    api_table_throws(L, "json", "luaduct.json", functions);
}

static const struct manual_row rows[] = {
    {"luaduct.json.decode(text [, {numbers = \"float\"}])",
     "The value of a JSON text. Integers of 64 bits are Lua integers, all other numbers decimals with the digits that they are "
     "written with; "
     "with numbers = \"float\" they are floats instead. null is luaduct.null. Of a key that comes twice the last counts. A text "
     "that is not "
     "JSON, and a number that has more than 38 digits, is an error.",
     "luaduct.json.decode('{\"price\": 12.50}').price + 1", "13.50"},
    {"luaduct.json.encode(value)",
     "The JSON text of a value: of texts, numbers, booleans, decimals (with all their digits), times (as texts), luaduct.null, "
     "and tables of "
     "them. A table with the keys 1, 2, 3 … is an array, one with names an object, whose keys are written in the order of their "
     "bytes; an empty "
     "one is an object unless luaduct.json.array made it or it was decoded from an array.",
     "luaduct.json.encode({b = luaduct.decimal('1.50'), a = {1, 'x', luaduct.null}})", "{\"a\":[1,\"x\",null],\"b\":1.50}"},
    {"luaduct.json.array([table])", "The table, or a new one, as an array even when it is empty.",
     "luaduct.json.encode({items = luaduct.json.array()})", "{\"items\":[]}"},
    {0},
};

const struct manual_section json_text_manual = {
    "JSON",
    "cjson can be required too, but it makes a float of every number: 9007199254740993 comes out as 9.007e15. Use luaduct.json.",
    rows};
