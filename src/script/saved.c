/* saved.c: what save() of one version leaves for open(ctx) of the next, which has another Lua state: plain values as bytes.
 * A value is a tag and what it says, in the machine's own form, for it never leaves the process. Tables are the count of their
 * pairs and the pairs, so that a key may be any plain value, as in Lua. */
#include "script/internal.h"

#include <stdio.h>

enum {
    DEPTH_MAX = 32,
    SAVED_FALSE = 'f',
    SAVED_TRUE = 't',
    SAVED_INTEGER = 'i',
    SAVED_FLOAT = 'd',
    SAVED_TEXT = 's',
    SAVED_TABLE = '{',
    SAVED_DECIMAL = 'm',
    SAVED_TIME = 'T',
    SAVED_NULL = 'n',
};

struct writer {
    struct buffer *saved;
    char path[160]; /* of the value in hand, for messages */
};

static void append(lua_State *L, struct writer *writer, const void *data, size_t size)
{
    if (size > SCRIPT_SAVED_BYTES_MAX || writer->saved->size + size > SCRIPT_SAVED_BYTES_MAX)
        luaL_error(L, "what it gives is larger than %d MiB", SCRIPT_SAVED_BYTES_MAX >> 20);
    buffer_append(writer->saved, data, size);
    if (writer->saved->failed)
        luaL_error(L, "there is no memory for what it gives");
}

static void append_tagged(lua_State *L, struct writer *writer, char tag, const void *data, size_t size)
{
    append(L, writer, &tag, 1);
    append(L, writer, data, size);
}

static void write_value(lua_State *L, struct writer *writer, int depth);

static void write_table(lua_State *L, struct writer *writer, int depth)
{
    size_t used = strlen(writer->path);
    size_t at;
    uint32_t count = 0;

    if (depth == DEPTH_MAX)
        luaL_error(L, "%s: tables are nested more than %d deep, or a table holds itself", writer->path, DEPTH_MAX);
    luaL_checkstack(L, 4, NULL);
    append_tagged(L, writer, SAVED_TABLE, &count, sizeof(count));
    at = writer->saved->size - sizeof(count);
    lua_pushnil(L);
    while (lua_next(L, -2)) { /* table key value */
        if (lua_type(L, -2) == LUA_TSTRING)
            snprintf(writer->path + used, sizeof(writer->path) - used, ".%s", lua_tostring(L, -2));
        else if (lua_isinteger(L, -2))
            snprintf(writer->path + used, sizeof(writer->path) - used, "[%lld]", (long long)lua_tointeger(L, -2));
        else
            snprintf(writer->path + used, sizeof(writer->path) - used, "[a %s]", value_kind_name(L, -2));
        lua_pushvalue(L, -2);
        write_value(L, writer, depth + 1);
        lua_pop(L, 1);
        write_value(L, writer, depth + 1);
        lua_pop(L, 1);
        count++;
        writer->path[used] = '\0';
    }
    memcpy(writer->saved->data + at, &count, sizeof(count));
}

/* The one at the top. */
static void write_value(lua_State *L, struct writer *writer, int depth)
{
    const struct decimal_box *decimal = box_get(L, -1, BOX_DECIMAL);
    const struct time_box *time = box_get(L, -1, BOX_TIME);
    int type = lua_type(L, -1);

    script_budget_charge(script_of(L), 1);
    script_budget_check_throws(L);
    if (decimal) {
        append_tagged(L, writer, SAVED_DECIMAL, decimal, sizeof(*decimal));
    } else if (time) {
        append_tagged(L, writer, SAVED_TIME, time, sizeof(*time));
    } else if (type == LUA_TBOOLEAN) {
        append_tagged(L, writer, lua_toboolean(L, -1) ? SAVED_TRUE : SAVED_FALSE, NULL, 0);
    } else if (type == LUA_TNUMBER && lua_isinteger(L, -1)) {
        lua_Integer value = lua_tointeger(L, -1);

        append_tagged(L, writer, SAVED_INTEGER, &value, sizeof(value));
    } else if (type == LUA_TNUMBER) {
        lua_Number value = lua_tonumber(L, -1);

        append_tagged(L, writer, SAVED_FLOAT, &value, sizeof(value));
    } else if (type == LUA_TSTRING) {
        size_t size;
        const char *text = lua_tolstring(L, -1, &size);

        append_tagged(L, writer, SAVED_TEXT, &size, sizeof(size));
        append(L, writer, text, size);
    } else if (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == (void *)&script_null) {
        append_tagged(L, writer, SAVED_NULL, NULL, 0);
    } else if (type == LUA_TTABLE) {
        write_table(L, writer, depth);
    } else {
        luaL_error(L, "%s is a %s, which cannot be kept; booleans, numbers, strings, decimals, times and tables of these can",
                   writer->path, value_kind_name(L, -1));
    }
}

void saved_write_throws(lua_State *L, struct buffer *saved)
{
    struct writer writer = {.saved = saved, .path = "its value"};

    luaL_checkstack(L, 8, NULL);
    write_value(L, &writer, 0);
}

static void take(struct str *saved, void *data, size_t size)
{
    assert(saved->size >= size);
    memcpy(data, saved->data, size);
    saved->data += size;
    saved->size -= size;
}

static void push_value(lua_State *L, struct str *saved)
{
    struct script_state *state = script_of(L);
    char tag;

    luaL_checkstack(L, 4, NULL);
    take(saved, &tag, 1);
    switch (tag) {
    case SAVED_FALSE:
    case SAVED_TRUE:
        lua_pushboolean(L, tag == SAVED_TRUE);
        break;
    case SAVED_NULL:
        lua_pushlightuserdata(L, (void *)&script_null);
        break;
    case SAVED_INTEGER: {
        lua_Integer value;

        take(saved, &value, sizeof(value));
        lua_pushinteger(L, value);
        break;
    }
    case SAVED_FLOAT: {
        lua_Number value;

        take(saved, &value, sizeof(value));
        lua_pushnumber(L, value);
        break;
    }
    case SAVED_TEXT: {
        size_t size;

        take(saved, &size, sizeof(size));
        assert(saved->size >= size);
        lua_pushlstring(L, saved->data, size);
        saved->data += size;
        saved->size -= size;
        break;
    }
    case SAVED_DECIMAL: {
        struct decimal_box box;

        take(saved, &box, sizeof(box));
        value_push_decimal_throws(L, state, (int128)((uint128)box.high << 64 | box.low), box.scale);
        break;
    }
    case SAVED_TIME: {
        struct time_box box;

        take(saved, &box, sizeof(box));
        value_push_time_throws(L, state, box.kind, box.instant);
        break;
    }
    default: {
        uint32_t count;

        assert(tag == SAVED_TABLE);
        take(saved, &count, sizeof(count));
        lua_newtable(L);
        for (uint32_t i = 0; i < count; i++) {
            push_value(L, saved);
            push_value(L, saved);
            lua_rawset(L, -3);
        }
    }
    }
}

void saved_push_throws(lua_State *L, struct str saved)
{
    push_value(L, &saved);
    assert(saved.size == 0);
}

/* Pieces: name and value, each behind its size. */
static struct str piece_take(struct str *saved)
{
    struct str piece;
    size_t size;

    take(saved, &size, sizeof(size));
    assert(saved->size >= size);
    piece = str_make(saved->data, size);
    saved->data += size;
    saved->size -= size;
    return piece;
}

static void piece_put(struct buffer *saved, struct str piece)
{
    buffer_append(saved, &piece.size, sizeof(piece.size));
    buffer_append_str(saved, piece);
}

struct str script_saved_find(struct str saved, const char *name)
{
    while (saved.size) {
        struct str its = piece_take(&saved), value = piece_take(&saved);

        if (str_is(its, name))
            return value;
    }
    return STR_NONE;
}

bool script_module_save_as(struct script_module *module, const char *name, struct buffer *saved, struct error *error)
{
    struct buffer value;
    bool ok;

    buffer_init(&value, SCRIPT_SAVED_BYTES_MAX);
    ok = script_module_save(module, &value, error);
    if (ok && value.size) {
        piece_put(saved, str_of(name));
        piece_put(saved, buffer_str(&value));
    }
    buffer_release(&value);
    if (ok && saved->failed)
        ok = error_set(error, ERROR_SCRIPT, "there is no memory for what save() of all stages gives, or it is more than %d MiB",
                       2 * SCRIPT_SAVED_BYTES_MAX >> 20);
    return ok;
}
