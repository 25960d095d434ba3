/* globals.c */
#include "script/globals.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/chunk.h"

enum { NAMES_MAX = 500 };

static void use_note(void *arg, struct str name, long line, bool set)
{
    struct globals *globals = arg;

    XGROW(globals->uses, globals->count, globals->capacity);
    globals->uses[globals->count++] = (struct global_use){.name = str_dup(name), .line = line, .set = set};
}

static void local_note(void *arg, struct str name)
{
    struct globals *globals = arg;

    XGROW(globals->locals, globals->local_count, globals->local_capacity);
    globals->locals[globals->local_count++] = str_dup(name);
}

void globals_note(struct globals *globals, lua_State *L)
{
    chunk_visit(L, &(struct chunk_visitor){.arg = globals, .global = use_note, .local = local_note});
}

void globals_release(struct globals *globals)
{
    for (size_t i = 0; i < globals->count; i++)
        free(globals->uses[i].name);
    for (size_t i = 0; i < globals->local_count; i++)
        free(globals->locals[i]);
    free(globals->uses);
    free(globals->locals);
}

static bool is_used(const struct globals *globals, const char *name, bool set, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (globals->uses[i].set == set && strcmp(globals->uses[i].name, name) == 0)
            return true;
    return false;
}

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Where the name stands in the line, from 1; 1 when it is not found. */
static unsigned column_of(struct str text, long line, const char *name)
{
    struct str rest = text, here = STR(""), whole = str_of(name);

    for (long i = 0; i < line && rest.data; i++)
        str_cut(rest, '\n', &here, &rest);
    for (size_t i = 0, column = 1; i + whole.size <= here.size; i++) {
        if (memcmp(here.data + i, name, whole.size) == 0 && !(i && (is_letter(here.data[i - 1]) || here.data[i - 1] == '.')) &&
            !(i + whole.size < here.size && is_letter(here.data[i + whole.size])))
            return (unsigned)column;
        column += ((unsigned char)here.data[i] & 0xC0) != 0x80;
    }
    return 1;
}

/* Among local variables and what the environment has. The text is on the stack. */
static const char *nearest_throws(const struct globals *globals, lua_State *L, int environment, const char *name)
{
    const char *names[NAMES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < globals->local_count && count < NAMES_MAX; i++)
        names[count++] = globals->locals[i];
    for (lua_pushnil(L); lua_next(L, environment); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING && count < NAMES_MAX)
            names[count++] = lua_tostring(L, -2);
    return str_nearest(str_of(name), names, count);
}

void globals_tell_throws(const struct globals *globals, lua_State *L, int environment, struct str text, script_warn *warn,
                         void *arg)
{
    for (size_t i = 0; i < globals->count; i++) {
        const struct global_use *use = &globals->uses[i];
        const char *nearest;
        char said[256];
        bool known;

        if (is_used(globals, use->name, use->set, i) || is_used(globals, use->name, !use->set, globals->count))
            continue;
        lua_pushstring(L, use->name);
        known = lua_rawget(L, environment) != LUA_TNIL;
        lua_pop(L, 1);
        if (!use->set && known)
            continue;
        nearest = nearest_throws(globals, L, environment, use->name);
        if (nearest && strcmp(nearest, use->name) == 0)
            nearest = NULL;
        if (use->set)
            snprintf(said, sizeof(said), "a global is set and never read: \"%s\"%s%s%s", use->name,
                     nearest ? "; did you mean \"" : "; write local", nearest ? nearest : "", nearest ? "\"?" : "");
        else
            snprintf(said, sizeof(said), "there is nothing called \"%s\" here, so it is nil%s%s%s", use->name,
                     nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
        warn(arg, (unsigned)use->line, column_of(text, use->line, use->name), (unsigned)strlen(use->name), said);
    }
}
