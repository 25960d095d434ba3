/* pattern_functions.c: string.find, match, gmatch and gsub of stages, in the place of Lua's library. */
#include "script/pattern.h"

enum { STEPS_PER_FILL = 8 };

static struct str check_text(lua_State *L, int index)
{
    struct str text;

    text.data = luaL_checklstring(L, index, &text.size);
    return text;
}

/* How many bytes are before the place that the argument names: from 1 on, or from the end when it is negative. */
static size_t check_start(lua_State *L, int index, size_t size)
{
    lua_Integer start = luaL_optinteger(L, index, 1);

    if (start > 0)
        return (size_t)start - 1;
    return start == 0 || start < -(lua_Integer)size ? 0 : size - (size_t)-start;
}

/* Whether find takes the pattern as it is: without these signs, when even a ) means nothing. */
static bool is_plain(struct str pattern)
{
    static const bool signs[256] = {['^'] = true, ['$'] = true, ['*'] = true, ['+'] = true, ['?'] = true,
                                    ['.'] = true, ['('] = true, ['['] = true, ['%'] = true, ['-'] = true};

    for (size_t i = 0; i < pattern.size; i++)
        if (signs[(unsigned char)pattern.data[i]])
            return false;
    return true;
}

static int text_find(lua_State *L)
{
    struct str text = check_text(L, 1), sought = check_text(L, 2);
    size_t start = check_start(L, 3, text.size);
    const struct pattern *pattern = NULL;
    struct pattern_search search;
    bool found = false;

    if (start <= text.size) {
        if (!lua_toboolean(L, 4) && !is_plain(sought))
            pattern = pattern_get_throws(L, sought);
        pattern_search_init(&search, L, pattern, text);
        found = pattern ? pattern_search_throws(&search, text.data + start, NULL)
                        : pattern_search_plain_throws(&search, text.data + start, sought);
    }
    if (!found) {
        luaL_pushfail(L);
        return 1;
    }
    lua_pushinteger(L, search.start - text.data + 1);
    lua_pushinteger(L, search.stop - text.data);
    return 2 + (pattern && pattern->captures ? pattern_push_captures_throws(&search) : 0);
}

static int text_match(lua_State *L)
{
    struct str text = check_text(L, 1), sought = check_text(L, 2);
    size_t start = check_start(L, 3, text.size);
    struct pattern_search search;

    pattern_search_init(&search, L, pattern_get_throws(L, sought), text);
    if (start <= text.size && pattern_search_throws(&search, text.data + start, NULL))
        return pattern_push_captures_throws(&search);
    luaL_pushfail(L);
    return 1;
}

/* --- gmatch --- */

struct walk {
    struct pattern pattern;
    struct pattern_search search;
    const char *from, *last; /* NULL: it is over; no match yet */
};

/* Upvalues: the walk, the text, the pattern's text and what holds its items. */
static int walk_next(lua_State *L)
{
    struct walk *walk = lua_touserdata(L, lua_upvalueindex(1));

    walk->search.L = L;
    if (!walk->from || !pattern_search_throws(&walk->search, walk->from, walk->last)) {
        walk->from = NULL;
        return 0;
    }
    walk->from = walk->last = walk->search.stop;
    return pattern_push_captures_throws(&walk->search);
}

static int text_gmatch(lua_State *L)
{
    struct str text = check_text(L, 1), sought = check_text(L, 2);
    size_t start = check_start(L, 3, text.size);
    struct walk *walk;

    lua_settop(L, 2);
    walk = lua_newuserdatauv(L, sizeof(*walk), 0);
    lua_insert(L, 1);
    pattern_search_init(&walk->search, L, &walk->pattern, text);
    walk->from = start <= text.size ? text.data + start : NULL;
    walk->last = NULL;
    pattern_read_throws(L, &walk->pattern, sought, false);
    lua_pushcclosure(L, walk_next, 4);
    return 1;
}

/* --- gsub --- */

static inline void add(luaL_Buffer *buffer, const char *from, const char *to)
{
    if (from < to)
        luaL_addlstring(buffer, from, (size_t)(to - from));
}

/* The replacement with its captures. */
static void add_filled(struct pattern_search *search, luaL_Buffer *buffer, struct str text)
{
    const char *at = text.data, *end = text.data + text.size, *sign;
    struct str capture;

    for (; (sign = memchr(at, '%', (size_t)(end - at))) != NULL; at = sign + 2) {
        search->steps -= STEPS_PER_FILL;
        add(buffer, at, sign);
        if (sign + 1 < end && sign[1] == '%') {
            luaL_addchar(buffer, '%');
        } else if (sign + 1 < end && sign[1] == '0') {
            add(buffer, search->start, search->stop);
        } else if (sign + 1 == end || sign[1] < '0' || sign[1] > '9') {
            luaL_error(search->L, "invalid use of '%%' in replacement string");
        } else if (pattern_capture_text_throws(search, (unsigned)(sign[1] - '1'), &capture)) {
            luaL_addlstring(buffer, capture.data, capture.size);
        } else {
            pattern_push_capture_throws(search, (unsigned)(sign[1] - '1'));
            luaL_addvalue(buffer);
        }
    }
    add(buffer, at, end);
}

/* What the table or function at index 3 has for the match; false: the match stays. */
static bool add_looked_up(struct pattern_search *search, luaL_Buffer *buffer)
{
    lua_State *L = search->L;

    if (lua_type(L, 3) == LUA_TTABLE) {
        pattern_push_capture_throws(search, 0);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        lua_call(L, pattern_push_captures_throws(search), 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(buffer);
    return true;
}

/* Pushes the text with its matches replaced, by `filled` or else by what stands at index 3; how many there were. */
static lua_Integer replace_all(struct pattern_search *search, struct str filled, lua_Integer count_max)
{
    const char *copied = search->text, *from = search->text, *last = NULL; /* what is before `copied` is in the buffer */
    lua_Integer count = 0;
    bool changed = false;
    luaL_Buffer buffer;

    luaL_buffinit(search->L, &buffer);
    while (count < count_max && pattern_search_throws(search, from, last)) {
        count++;
        add(&buffer, copied, search->start);
        copied = search->start;
        if (filled.data)
            add_filled(search, &buffer, filled);
        if (filled.data || add_looked_up(search, &buffer)) {
            changed = true;
            copied = search->stop;
        }
        from = last = search->stop;
        if (search->pattern->anchored)
            break;
    }
    if (changed) {
        add(&buffer, copied, search->end);
        luaL_pushresult(&buffer);
    } else {
        lua_pushvalue(search->L, 1);
    }
    return count;
}

/* Whether it may search for other patterns meanwhile. */
static bool runs_lua(lua_State *L, int index)
{
    return lua_isfunction(L, index) || (lua_istable(L, index) && luaL_getmetafield(L, index, "__index") != LUA_TNIL);
}

static int text_gsub(lua_State *L)
{
    struct str text = check_text(L, 1), sought = check_text(L, 2), filled = STR_NONE;
    int type = lua_type(L, 3);
    lua_Integer count_max = luaL_optinteger(L, 4, (lua_Integer)text.size + 1);
    struct pattern own;
    const struct pattern *pattern = &own;
    struct pattern_search search;

    if (type == LUA_TSTRING || type == LUA_TNUMBER)
        filled = check_text(L, 3);
    else
        luaL_argexpected(L, type == LUA_TTABLE || type == LUA_TFUNCTION, 3, "string/function/table");
    if (runs_lua(L, 3))
        pattern_read_throws(L, &own, sought, true);
    else
        pattern = pattern_get_throws(L, sought);
    pattern_search_init(&search, L, pattern, text);
    lua_pushinteger(L, replace_all(&search, filled, count_max));
    return 2;
}

void pattern_install_throws(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find", text_find}, {"match", text_match}, {"gmatch", text_gmatch}, {"gsub", text_gsub}, {NULL, NULL},
    };

    luaL_setfuncs(L, functions, 0);
}
