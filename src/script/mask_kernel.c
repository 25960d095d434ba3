/* mask_kernel.c: luaduct.mask.RULE{…}: the masks of batch/kernels/mask.h as kernels that a column is given to. A table of options
 * may also hold what stands beside them in a job's rule: field, fields and rule. */
#include "script/kernel.h"

#include "batch/kernels/mask.h"

#include <stdio.h>
#include <stdlib.h>

/* A kernel with its contexts has some KiB outside of Lua, so making many is charged as work. */
enum { COUNT_MAX = 1 << 24, ENTRIES_MAX = 1200, MAKING_INSTRUCTIONS = 1000 };

static bool run_mask(void *kernel, struct batch *batch, const struct column *column, struct str name, struct column **column_out,
                     struct error *error)
{
    return mask_run(kernel, batch, column, name, column_out, error);
}

static void free_mask(void *kernel)
{
    mask_free(kernel);
}

#define MASK_OPS(name_)                                                                                                          \
    {                                                                                                                            \
        .name = "luaduct.mask." name_, .run = run_mask, .free = free_mask                                                        \
    }
static const struct {
    struct kernel_ops ops;
    const char *keys[4]; /* beside those of every rule */
} rules[MASK_RULES] = {
    [MASK_COVER] = {MASK_OPS("cover"), {"before", "after", "with"}},
    [MASK_SEGMENTS] = {MASK_OPS("segments"), {"segments", "with"}},
    [MASK_REPLACE_CHARS] = {MASK_OPS("replace_chars"), {"position", "length", "with", "seed"}},
    [MASK_HASH] = {MASK_OPS("hash"), {"algo", "salt"}},
    [MASK_PSEUDONYM] = {MASK_OPS("pseudonym"), {"domain"}},
    [MASK_INTERVAL] = {MASK_OPS("interval"), {"intervals", "otherwise"}},
    [MASK_ROUND] = {MASK_OPS("round"), {"digits"}},
    [MASK_EMPTY] = {MASK_OPS("empty"), {"with"}},
    [MASK_PHONE] = {MASK_OPS("phone"), {"with"}},
    [MASK_EMAIL] = {MASK_OPS("email"), {"with"}},
    [MASK_ID_CARD] = {MASK_OPS("id_card"), {"with"}},
    [MASK_BANK_CARD] = {MASK_OPS("bank_card"), {"with"}},
    [MASK_NAME] = {MASK_OPS("name"), {"with"}},
    [MASK_IP] = {MASK_OPS("ip"), {"with"}},
    [MASK_MAC] = {MASK_OPS("mac"), {"with"}},
    [MASK_CAR_PLATE] = {MASK_OPS("car_plate"), {"with"}},
    [MASK_ADDRESS] = {MASK_OPS("address"), {"with"}},
    [MASK_GPS] = {MASK_OPS("gps"), {"with"}},
};

static void check_keys(struct kernel_options *check, enum mask_rule rule)
{
    const char *known[COUNT_OF(rules[0].keys) + 4] = {"field", "fields", "rule", "keep_empty"};
    size_t count = 4;

    for (size_t i = 0; i < COUNT_OF(rules[rule].keys) && rules[rule].keys[i]; i++)
        known[count++] = rules[rule].keys[i];
    kernel_check_keys(check, known, count);
}

/* The list at `key`, pushed, and an array for its entries, pushed above it; NULL after a complaint. */
static void *read_list(struct kernel_options *check, const char *key, size_t size, size_t *count_out)
{
    lua_State *L = check->L;
    void *entries;

    lua_getfield(L, check->table, key);
    *count_out = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
    if (*count_out < 1 || *count_out > ENTRIES_MAX) {
        kernel_complain(check, key, *count_out ? "too many entries" : "a list is wanted");
        *count_out = 0;
        return NULL;
    }
    entries = lua_newuserdatauv(L, *count_out * size, 0);
    memset(entries, 0, *count_out * size);
    return entries;
}

/* Options of entry i of the list that read_list left below its array; false when it is no map. */
static bool enter_entry(struct kernel_options *check, struct kernel_options *entry, int list, size_t i, const char *key,
                        char path[96])
{
    lua_State *L = check->L;

    luaL_checkstack(L, 8, "too many options");
    snprintf(path, 96, "%.60s%s%.16s[%zu]", check->prefix, *check->prefix ? "." : "", key, i + 1);
    *entry = *check;
    entry->prefix = path;
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    entry->table = lua_gettop(L);
    if (lua_istable(L, -1))
        return true;
    kernel_complain(entry, "", "a map is wanted");
    return false;
}

static void leave_entry(struct kernel_options *check, const struct kernel_options *entry)
{
    memcpy(check->first, entry->first, sizeof(check->first));
    check->mistakes = entry->mistakes;
}

static size_t read_count(struct kernel_options *entry, const char *key)
{
    lua_State *L = entry->L;
    size_t count = 0;

    lua_getfield(L, entry->table, key);
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1 && lua_tointeger(L, -1) <= COUNT_MAX)
        count = (size_t)lua_tointeger(L, -1);
    else if (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), "rest") != 0)
        kernel_complain(entry, key, "a number of characters from 1 to %d is wanted, or the word rest", COUNT_MAX);
    lua_pop(L, 1);
    return count;
}

static void read_segments(struct kernel_options *check, struct mask_options *options)
{
    static const char *const known[] = {"show", "cover"};
    struct mask_segment *segments = read_list(check, "segments", sizeof(*segments), &options->segment_count);
    int list = lua_gettop(check->L) - 1;

    for (size_t i = 0; i < options->segment_count; i++) {
        struct kernel_options entry;
        char path[96];

        if (enter_entry(check, &entry, list, i, "segments", path)) {
            bool show, cover;

            kernel_check_keys(&entry, known, COUNT_OF(known));
            show = lua_getfield(check->L, entry.table, "show") != LUA_TNIL;
            cover = lua_getfield(check->L, entry.table, "cover") != LUA_TNIL;
            segments[i].show = show;
            if (show == cover)
                kernel_complain(&entry, "", "either show or cover is wanted, with a number of characters or the word rest");
            else
                segments[i].count = read_count(&entry, show ? "show" : "cover");
        }
        leave_entry(check, &entry);
        lua_settop(check->L, list + 1);
    }
    options->segments = segments;
}

static enum type_kind wider_kind(lua_State *L, int table, const char *key, enum type_kind kind)
{
    lua_getfield(L, table, key);
    if (lua_type(L, -1) == LUA_TNUMBER)
        kind = lua_isinteger(L, -1) || kind == TYPE_STRING ? kind : TYPE_DOUBLE;
    else if (!lua_isnil(L, -1))
        kind = TYPE_STRING;
    lua_pop(L, 1);
    return kind;
}

/* Texts stay on the stack. */
static void read_intervals(struct kernel_options *check, struct mask_options *options)
{
    static const char *const known[] = {"from", "to", "value"};
    struct mask_interval *intervals = read_list(check, "intervals", sizeof(*intervals), &options->interval_count);
    lua_State *L = check->L;
    int list = lua_gettop(L) - 1;

    options->value_kind = wider_kind(L, check->table, "otherwise", TYPE_BIGINT);
    for (size_t i = 0; i < options->interval_count; i++) {
        struct kernel_options entry;
        char path[96];

        if (enter_entry(check, &entry, list, i, "intervals", path)) {
            kernel_check_keys(&entry, known, COUNT_OF(known));
            intervals[i].low = kernel_text(&entry, "from", true);
            intervals[i].high = kernel_text(&entry, "to", true);
            intervals[i].value = kernel_text(&entry, "value", true);
            options->value_kind = wider_kind(L, entry.table, "value", options->value_kind);
            if (!intervals[i].low.data && !intervals[i].high.data)
                kernel_complain(&entry, "", "an interval needs \"from\", \"to\" or both");
            if (!intervals[i].value.data)
                kernel_complain(&entry, "", "an interval needs a value");
        }
        leave_entry(check, &entry);
    }
    options->intervals = intervals;
    options->otherwise = kernel_text(check, "otherwise", true);
}

static void read_with(struct kernel_options *check, struct mask_options *options)
{
    options->with = kernel_text(check, "with", true);
    if (options->rule == MASK_REPLACE_CHARS && str_is(options->with, "random")) {
        options->random = true;
        options->with = STR_NONE;
        options->seed = (uint64_t)kernel_integer(check, "seed", 0, INT64_MIN, INT64_MAX);
    }
}

static void read_options(struct kernel_options *check, struct mask_options *options)
{
    switch (options->rule) {
    case MASK_COVER:
        options->before = (size_t)kernel_integer(check, "before", 0, 0, COUNT_MAX);
        options->after = (size_t)kernel_integer(check, "after", 0, 0, COUNT_MAX);
        read_with(check, options);
        break;
    case MASK_SEGMENTS:
        read_segments(check, options);
        read_with(check, options);
        break;
    case MASK_REPLACE_CHARS:
        options->position = (size_t)kernel_integer(check, "position", 0, 1, COUNT_MAX);
        options->length = (size_t)kernel_integer(check, "length", 0, 1, COUNT_MAX);
        read_with(check, options);
        break;
    case MASK_HASH:
        options->algorithm = kernel_text(check, "algo", false);
        options->salt = kernel_text(check, "salt", true);
        if (!options->algorithm.data)
            options->algorithm = STR("sha256");
        break;
    case MASK_PSEUDONYM:
        options->key = kernel_text(check, "domain", true);
        if (!options->key.data)
            kernel_complain(check, "", "pseudonym needs \"domain\", the key: a long random text");
        break;
    case MASK_INTERVAL:
        read_intervals(check, options);
        break;
    case MASK_ROUND:
        options->digits = (int)kernel_integer(check, "digits", 0, -MASK_ROUND_DIGITS_MAX, MASK_ROUND_DIGITS_MAX);
        break;
    default:
        read_with(check, options);
        break;
    }
}

/* Upvalue: the rule. */
static int make_mask(lua_State *L)
{
    enum mask_rule rule = (enum mask_rule)lua_tointeger(L, lua_upvalueindex(1));
    struct mask_options options = {.rule = rule};
    struct kernel_options check;
    struct kernel_box *box;
    struct mask *mask;
    struct error error;
    char option[MASK_OPTION_MAX] = "";

    lua_settop(L, 2);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    script_budget_charge(script_of(L), MAKING_INSTRUCTIONS);
    script_budget_check_throws(L);
    kernel_options_init_throws(&check, L, 1, 2);
    box = kernel_push_throws(L, &rules[rule].ops);
    check_keys(&check, rule);
    options.keep_empty = kernel_boolean(&check, "keep_empty", false);
    options.zone = check.module ? check.module->convert.zone : NULL;
    read_options(&check, &options);
    if (!check.mistakes) {
        if (mask_new(&mask, &options, option, &error))
            kernel_fill(box, mask);
        else
            kernel_complain(&check, option, "%s", error.text);
    }
    kernel_options_end_throws(&check);
    lua_pushvalue(L, 3);
    return 1;
}

void mask_kernels_push_throws(lua_State *L)
{
    lua_createtable(L, 0, MASK_RULES);
    for (int rule = 0; rule < MASK_RULES; rule++) {
        lua_pushinteger(L, rule);
        lua_pushcclosure(L, make_mask, 1);
        lua_setfield(L, -2, mask_rule_names[rule]);
    }
}
