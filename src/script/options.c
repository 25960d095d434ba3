/* options.c: a tree of options as a Lua table. Plain scalars get their type by YAML's core schema: null is absent (luaduct.null
 * inside lists), true and false, integers of 64 bits, floats; all else, and what is quoted, is a string. */
#include "script/internal.h"

#include <errno.h>
#include <stdlib.h>

static bool parse_integer(const char *text, lua_Integer *value_out)
{
    const char *digits = text + (*text == '-' || *text == '+');
    char *end;

    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    *value_out = strtoll(text, &end, digits[0] == '0' && digits[1] == 'x' ? 16 : 10);
    return *end == '\0' && errno == 0;
}

static bool parse_float(const char *text, double *value_out)
{
    const char *digits = text + (*text == '-' || *text == '+');
    char *end;

    if (digits[strspn(digits, "0123456789.eE+-")] != '\0' || !strpbrk(digits, "0123456789") || strchr("eE+-", *digits))
        return false;
    *value_out = strtod(text, &end);
    return *end == '\0';
}

static void push_scalar(lua_State *L, const struct tree_node *node)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"true", true}, {"True", true}, {"TRUE", true}, {"false", false}, {"False", false}, {"FALSE", false}};
    char number[64];
    lua_Integer integer;
    double real;

    if (tree_is_null(node)) {
        lua_pushlightuserdata(L, (void *)&script_null);
        return;
    }
    if (!node->quoted && node->text.size < sizeof(number)) {
        memcpy(number, node->text.data, node->text.size);
        number[node->text.size] = '\0';
        for (size_t i = 0; i < COUNT_OF(words); i++) {
            if (strcmp(number, words[i].text) == 0) {
                lua_pushboolean(L, words[i].value);
                return;
            }
        }
        if (parse_integer(number, &integer)) {
            lua_pushinteger(L, integer);
            return;
        }
        /* Whole numbers beyond 64 bits stay text: a float would lose digits. */
        if (strpbrk(number, ".eE") && parse_float(number, &real)) {
            lua_pushnumber(L, real);
            return;
        }
    }
    lua_pushlstring(L, node->text.data ? node->text.data : "", node->text.size);
}

void options_push_throws(lua_State *L, const struct tree_node *node)
{
    luaL_checkstack(L, 8, "options are nested too deeply");
    if (!node) {
        lua_newtable(L);
        return;
    }
    switch (node->kind) {
    case TREE_SCALAR: push_scalar(L, node); break;
    case TREE_LIST:
        lua_createtable(L, (int)size_min(node->count, 1 << 20), 0);
        for (size_t i = 0; i < node->count; i++) {
            options_push_throws(L, node->items[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case TREE_MAP:
        lua_createtable(L, 0, (int)size_min(node->count, 1 << 20));
        for (size_t i = 0; i < node->count; i++) {
            const struct tree_node *value = node->entries[i].value;

            if (value->kind == TREE_SCALAR && tree_is_null(value))
                continue;
            lua_pushlstring(L, node->entries[i].key.data, node->entries[i].key.size);
            options_push_throws(L, value);
            lua_rawset(L, -3);
        }
        break;
    }
}
