/* lookup.c: luaduct.lookup: a small file beside the script as a table found by a key.
 * Made in open(), kept by the state, shared by modules that ask for the same. Between two batches, at most once a second, the
 * file's stamp is looked at; a file that changed is read when nobody has touched it for a second, by its times or because its
 * stamp has been the same twice, so that one which is just being written is not read by halves. The times alone settle it where
 * hours lie between two batches; they say nothing where the file's clock is another one. A new file that is wrong leaves the old
 * table, with one warning. */
#include "script/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "batch/lookup.h"
#include "util/clock.h"
#include "util/file.h"

enum { LOOKUPS_MAX = 64, CHECK_MS = 1000, FILE_BYTES_MAX = 64 << 20, VALUES_MAX = 32 };

struct script_lookup {
    struct script_lookup *next;
    char *spec; /* all that makes it: equal specs share one */
    char *path, *name, *key;
    bool json;
    char separator;
    const struct zone *zone;
    struct lookup_value values[VALUES_MAX]; /* their names are own */
    size_t value_count;
    struct lookup_table *table;
    size_t bytes;                  /* counted in the state's memory */
    struct file_stamp stamp, seen; /* of the table; of the last look */
};

struct lookup_box {
    uint32_t tag;
    struct script_lookup *lookup;
};

static void lookup_free(struct script_lookup *lookup)
{
    if (!lookup)
        return;
    for (size_t i = 0; i < lookup->value_count; i++)
        free((char *)(uintptr_t)lookup->values[i].name.data);
    free(lookup->spec);
    free(lookup->path);
    free(lookup->name);
    free(lookup->key);
    lookup_table_free(lookup->table);
    free(lookup);
}

void lookups_free(struct script_state *state)
{
    while (state->lookups) {
        struct script_lookup *lookup = state->lookups;

        state->lookups = lookup->next;
        lookup_free(lookup);
    }
}

/* Reads the file; the table in hand stays when that fails. */
static bool load(struct script_state *state, struct script_lookup *lookup, struct error *error)
{
    size_t room = state->limits.memory_max - size_min(state->memory, state->limits.memory_max);
    struct lookup_options options = {
        .name = lookup->name,
        .json = lookup->json,
        .separator = lookup->separator,
        .key = str_of(lookup->key),
        .values = lookup->values,
        .value_count = lookup->value_count,
        .zone = lookup->zone,
        .bytes_max = room,
    };
    struct lookup_table *table;
    struct file_stamp stamp;
    struct buffer content;
    bool ok;

    /* A byte more than may be read: the limit of the file is told before that of the buffer. */
    buffer_init(&content, size_min(room, FILE_BYTES_MAX) + 1);
    ok = file_read(&content, lookup->path, size_min(room, FILE_BYTES_MAX), &stamp, error) &&
         lookup_table_new(&table, &content, &options, error);
    buffer_release(&content);
    lookup->seen = stamp;
    if (!ok)
        return false;
    lookup_table_free(lookup->table);
    state->memory -= lookup->bytes;
    lookup->table = table;
    lookup->bytes = lookup_table_bytes(table);
    lookup->stamp = stamp;
    state->memory += lookup->bytes;
    return true;
}

static bool was_left_alone(const struct file_stamp *stamp)
{
    int64_t touched_ns = stamp->modified_ns > stamp->changed_ns ? stamp->modified_ns : stamp->changed_ns;

    return stamp->inode && clock_wall_ms() - touched_ns / 1000000 >= CHECK_MS;
}

void lookups_check(struct script_state *state, int64_t now_ms)
{
    if (!state->lookups || now_ms < state->lookups_due_ms)
        return;
    state->lookups_due_ms = now_ms + CHECK_MS;
    for (struct script_lookup *lookup = state->lookups; lookup; lookup = lookup->next) {
        struct file_stamp stamp;
        struct error error;

        file_stamp_get(lookup->path, &stamp);
        if (file_stamp_same(&stamp, &lookup->stamp)) {
            lookup->seen = stamp;
            continue;
        }
        if (!file_stamp_same(&stamp, &lookup->seen) && !was_left_alone(&stamp)) {
            lookup->seen = stamp; /* it may be half written: another look in a second */
            continue;
        }
        lookup->seen = stamp;
        if (load(state, lookup, &error))
            log_info(state->log, "lookup: read again file=%s keys=%u", lookup->path, (unsigned)lookup_table_count(lookup->table));
        else
            log_warn(state->log, "lookup: the table of before stays in use: %s", error.text);
        /* Not again before it changes. */
        lookup->stamp = lookup->seen;
    }
}

/* --- making --- */

/* A file of the script's folder or below: no way up, and none from the root. */
static void check_path_throws(lua_State *L, const char *path)
{
    const char *at = path;

    if (!*path || *path == '/' || strlen(path) > 200)
        luaL_error(L, "luaduct.lookup: file: \"%s\" is no path inside the script's folder", path);
    while (at) {
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            luaL_error(L, "luaduct.lookup: file: \"%s\" leads out of the script's folder", path);
        at = strchr(at, '/');
        at += at != NULL;
    }
}

/* "name" or "name type", the text at the top. */
static void add_value_throws(lua_State *L, struct lookup_value *values, size_t *count)
{
    struct str text, rest;
    struct error error;

    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "luaduct.lookup: values: texts are wanted, \"name\" or \"name type\", not a %s", value_kind_name(L, -1));
    if (*count == VALUES_MAX)
        luaL_error(L, "luaduct.lookup: at most %d values", VALUES_MAX);
    text.data = lua_tolstring(L, -1, &text.size);
    values[*count].type = TYPE_OF(TYPE_STRING);
    if (str_cut(text, ' ', &values[*count].name, &rest) && !type_parse(str_trim(rest), &values[*count].type, &error))
        luaL_error(L, "luaduct.lookup: value \"%s\": %s", text.data, error.text);
    if (values[*count].name.size == 0)
        luaL_error(L, "luaduct.lookup: value \"%s\" has no name", text.data);
    (*count)++;
}

/* The text of that option, which stays on the stack. */
static const char *option_throws(lua_State *L, const char *name, const char *fallback)
{
    if (lua_getfield(L, 1, name) == LUA_TNIL && fallback) {
        lua_pop(L, 1);
        return lua_pushstring(L, fallback);
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "luaduct.lookup: %s: a text is wanted, not %s", name, lua_isnil(L, -1) ? "nil" : value_kind_name(L, -1));
    return lua_tostring(L, -1);
}

static void check_options_throws(lua_State *L)
{
    static const char *const known[] = {"file", "key", "value", "values", "separator"};

    lua_pushnil(L);
    while (lua_next(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL, *near;
        bool found = false;

        for (size_t i = 0; name && i < COUNT_OF(known); i++)
            found = found || strcmp(name, known[i]) == 0;
        near = name ? str_nearest(str_of(name), known, COUNT_OF(known)) : NULL;
        if (!found)
            luaL_error(L, "luaduct.lookup has no option \"%s\"%s%s%s", name ? name : luaL_tolstring(L, -2, NULL),
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        lua_pop(L, 1);
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

/* luaduct.lookup{file = , key = , value = or values = [, separator = ]} */
static int lookup_new(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct script_module *module = state->opening;
    struct lookup_value values[VALUES_MAX];
    struct script_lookup *lookup;
    const char *file, *key, *separator, *spec;
    size_t count = 0, lookups = 0;
    struct lookup_box *box;
    struct error error;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (!module)
        return luaL_error(L, "luaduct.lookup is called in open(ctx) or at the top of the file");
    if (!module->folder)
        return luaL_error(L, "luaduct.lookup: a built-in stage has no folder");
    luaL_checkstack(L, 2 * VALUES_MAX + 16, NULL);
    check_options_throws(L);
    file = option_throws(L, "file", NULL);
    check_path_throws(L, file);
    if (!ends_with(file, ".csv") && !ends_with(file, ".tsv") && !ends_with(file, ".json"))
        return luaL_error(L, "luaduct.lookup: file: \"%s\" is none of .csv, .tsv and .json", file);
    key = option_throws(L, "key", NULL);
    separator = option_throws(L, "separator", ends_with(file, ".tsv") ? "\t" : ",");
    if (strlen(separator) != 1 || *separator == '"' || *separator == '\n' || *separator == '\r')
        return luaL_error(L, "luaduct.lookup: separator: one character is wanted, as \",\" or \"\\t\"");
    if (lua_getfield(L, 1, "value") != LUA_TNIL)
        add_value_throws(L, values, &count);
    if (lua_getfield(L, 1, "values") != LUA_TNIL) {
        int list = lua_gettop(L);

        if (!lua_istable(L, list) || count)
            return luaL_error(L, count ? "luaduct.lookup: either value or values" : "luaduct.lookup: values: a list is wanted");
        for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
            lua_rawgeti(L, list, i);
            add_value_throws(L, values, &count);
        }
    }
    if (count == 0)
        return luaL_error(L, "luaduct.lookup: value: the column to look up is wanted, \"name\" or \"name type\"");

    spec = lua_pushfstring(L, "%s/%s\n%s\n%s", module->folder, file, key, separator);
    for (size_t i = 0; i < count; i++) {
        char type[TYPE_NAME_MAX];

        lua_pushlstring(L, values[i].name.data, values[i].name.size);
        spec = lua_pushfstring(L, "%s\n%s %s", spec, lua_tostring(L, -1), type_print(values[i].type, type));
    }
    box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = (struct lookup_box){BOX_LOOKUP, NULL};
    luaL_setmetatable(L, "luaduct.lookup");
    for (lookup = state->lookups; lookup; lookup = lookup->next, lookups++) {
        if (strcmp(lookup->spec, spec) == 0) {
            box->lookup = lookup;
            return 1;
        }
    }
    if (lookups == LOOKUPS_MAX)
        return luaL_error(L, "luaduct.lookup: a worker has at most %d lookups", LOOKUPS_MAX);
    lookup = xcalloc(1, sizeof(*lookup));
    lookup->spec = xstrdup(spec);
    lookup->path = xasprintf("%s/%s", module->folder, file);
    lookup->name = xstrdup(file);
    lookup->key = xstrdup(key);
    lookup->json = ends_with(file, ".json");
    lookup->separator = *separator;
    lookup->zone = module->convert.zone;
    lookup->value_count = count;
    for (size_t i = 0; i < count; i++)
        lookup->values[i] = (struct lookup_value){{str_dup(values[i].name), values[i].name.size}, values[i].type};
    if (!load(state, lookup, &error)) {
        lookup_free(lookup);
        return luaL_error(L, "luaduct.lookup: %s", error.text);
    }
    lookup->next = state->lookups;
    state->lookups = lookup;
    box->lookup = lookup;
    return 1;
}

/* --- use --- */

static struct script_lookup *check_lookup_throws(lua_State *L)
{
    struct lookup_box *box = box_get(L, 1, BOX_LOOKUP);

    if (!box || !box->lookup)
        luaL_error(L, "bad self: a lookup is wanted, this is a %s; its methods are called with a colon", value_kind_name(L, 1));
    return box->lookup;
}

/* The value that is named at index; without a name the first one, which must be the only one where `only` says so. */
static size_t value_index_throws(lua_State *L, const struct script_lookup *lookup, int index, bool only)
{
    const char *names[VALUES_MAX], *near;
    struct str name;

    if (lua_isnoneornil(L, index)) {
        if (only && lookup->value_count > 1)
            luaL_argerror(L, index, "the lookup has several values: name one");
        return 0;
    }
    name.data = luaL_checklstring(L, index, &name.size);
    for (size_t i = 0; i < lookup->value_count; i++) {
        names[i] = lookup->values[i].name.data;
        if (str_equal(name, lookup->values[i].name))
            return i;
    }
    near = str_nearest(name, names, lookup->value_count);
    luaL_argerror(L, index,
                  lua_pushfstring(L, "the lookup has no value \"%s\"%s%s%s", name.data, near ? "; did you mean \"" : "",
                                  near ? near : "", near ? "\"?" : ""));
    return 0;
}

/* lookup:get(key [, value]) */
static int lookup_get(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct script_lookup *lookup = check_lookup_throws(L);
    bool one = !lua_isnoneornil(L, 3);
    size_t first = one ? value_index_throws(L, lookup, 3, false) : 0, count = one ? 1 : lookup->value_count;
    bool found = false;
    uint32_t row = 0;
    struct str key;

    if (lua_isnone(L, 2))
        return luaL_argerror(L, 2, "a key is wanted");
    if (!lua_isnil(L, 2)) {
        char number[24];

        if (lua_type(L, 2) == LUA_TSTRING)
            key.data = lua_tolstring(L, 2, &key.size);
        else if (lua_isinteger(L, 2))
            key = str_make(number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)lua_tointeger(L, 2)));
        else
            return luaL_typeerror(L, 2, "string or integer");
        found = lookup_table_find(lookup->table, key, &row);
    }
    luaL_checkstack(L, VALUES_MAX + 4, NULL);
    for (size_t i = first; i < first + count; i++) {
        if (found)
            value_push_throws(L, state, lookup_table_column(lookup->table, i), row);
        else
            lua_pushnil(L);
    }
    return (int)count;
}

/* lookup:column(keys [, value]) */
static int lookup_column(lua_State *L)
{
    struct script_lookup *lookup = check_lookup_throws(L);
    struct batch *batch = run_batch_throws(L);
    const struct column *keys = column_check_throws(L, 2)->column, *from;
    size_t value = value_index_throws(L, lookup, 3, true), size;
    bool text = type_is_text(keys->type.kind);
    struct column *column;
    char type[TYPE_NAME_MAX];

    if (!text && keys->type.kind != TYPE_BIGINT && keys->type.kind != TYPE_NULL)
        return luaL_argerror(
            L, 2, lua_pushfstring(L, "keys are texts or integers, this is %s; cast it to string", type_print(keys->type, type)));
    run_charge_rows_throws(L);
    from = lookup_table_column(lookup->table, value);
    column = column_try_new(&batch->arena, from->type, batch->row_count, true);
    if (!column)
        return throw_arena_full(L);
    size = type_size(from->type.kind);
    memset(column->null, 1, batch->row_count);
    memset(column->data, 0, size * batch->row_count);
    column->utf8 = from->utf8;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i], found;
        char number[24];
        struct str key;

        if (column_is_null(keys, row))
            continue;
        key = text ? keys->text[row]
                   : str_make(number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)keys->bigint[row]));
        if (!lookup_table_find(lookup->table, key, &found) || column_is_null(from, found))
            continue;
        column->null[row] = 0;
        memcpy((char *)column->data + row * size, (const char *)from->data + found * size, size);
        /* The table may be another one before the batch is done with. */
        if (type_is_text(from->type.kind) || from->type.kind == TYPE_BINARY) {
            column->text[row] = arena_try_copy(&batch->arena, from->text[found]);
            if (!column->text[row].data)
                return throw_arena_full(L);
        }
    }
    column_push_throws(L, column, lookup->values[value].name);
    return 1;
}

static int lookup_count(lua_State *L)
{
    lua_pushinteger(L, lookup_table_count(check_lookup_throws(L)->table));
    return 1;
}

void lookups_install_throws(lua_State *L)
{
    static const luaL_Reg methods[] = {{"get", lookup_get}, {"column", lookup_column}, {"count", lookup_count}, {NULL, NULL}};

    api_type_throws(L, "luaduct.lookup", "a lookup", NULL, methods);
    lua_pop(L, 1);
}

void lookups_push_throws(lua_State *L)
{
    lua_pushcfunction(L, lookup_new);
    lua_setfield(L, -2, "lookup");
}

static const struct manual_row rows[] = {
    {"luaduct.lookup{file = , key = , value = or values = [, separator = ]}",
     "A table of a file, found by a key; made in open(ctx) or at the top of the file. The file lies in the script's folder: .csv "
     "or .tsv with a head line, "
     "or .json with an array of objects. key is the column that is searched, value \"name\" or \"name type\" the one that is "
     "found, values a list of "
     "them. Keys that come twice and values that do not convert are errors. An empty CSV field is NULL unless its type is "
     "string. The file is looked at "
     "once a second and read again when it has changed; when the new one is wrong the old one stays, with a warning in the log.",
     NULL, NULL},
    {"lookup:get(key [, value])",
     "The values of a key, a text or an integer, all or the named one; nil when there is no such key.", NULL, NULL},
    {"lookup:column(keys [, value])", "A column of the values of a column of keys, all in C; NULL where there is no such key.",
     NULL, NULL},
    {"lookup:count()", "How many keys there are.", NULL, NULL},
    {0},
};

const struct manual_section lookups_manual = {"Lookups", NULL, rows};
