/* counters.c: luaduct.counter and luaduct.gauge: numbers of scripts on the metrics page, summed over the states that have them.
 * What a run adds is held back until the run is over, for a run that fails is done again on what is left of the batch, and where
 * two states run the same batch until it is known whose result is taken. Records
 * that are read again (a dropped epoch, a restart) are counted again. Without a registry (check, preview, shadow runs) nothing is
 * counted. */
#include "script/api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { METRICS_MAX = 32, NAME_MAX_BYTES = 48, VALUE_MAX_BYTES = 64, HELP_MAX_BYTES = 200 };

/* Thousandths, as struct metric has them. */
struct script_metric {
    struct script_metric *next;
    enum metric_kind kind;
    char name[NAME_MAX_BYTES + 32], help[HELP_MAX_BYTES + 1], label[NAME_MAX_BYTES + 1], value[VALUE_MAX_BYTES + 1];
    struct metric *metric; /* NULL: not counted anywhere */
    int64_t own;           /* this state's part of a gauge */
    int64_t pending;       /* of the run: to be added; of a gauge its new value */
    int64_t held;          /* changes since script_state_hold, not on the page yet */
    bool changed;
};

struct metric_box {
    uint32_t tag;
    struct script_metric *metric; /* of the module, which lives as long as the state */
};

static void attach(struct script_metric *metric, const struct script_module *module, struct metrics *registry)
{
    struct metric_label labels[METRIC_LABELS_MAX] = {{"stage", module->stage}, {metric->label, metric->value}};

    metric->metric =
        metrics_add_labels(registry, metric->kind, metric->name, metric->help, labels, metric->label[0] ? 2 : 1, true);
}

void script_state_count(struct script_state *state, struct metrics *registry)
{
    state->registry = registry;
    for (struct script_module *module = state->modules; registry && module; module = module->next)
        for (struct script_metric *metric = module->metrics; metric; metric = metric->next)
            attach(metric, module, registry);
    counters_end_run(state, true);
}

static void publish(const struct script_state *state, struct script_metric *metric, int64_t change)
{
    if (metric->metric && (metric->kind != METRIC_GAUGE || !state->aside))
        metric_add(metric->metric, change);
}

void script_state_hold(struct script_state *state)
{
    state->held = true;
}

void script_state_settle(struct script_state *state, bool counts)
{
    state->held = false;
    for (struct script_module *module = state->modules; module; module = module->next) {
        for (struct script_metric *metric = module->metrics; metric; metric = metric->next) {
            if (counts)
                publish(state, metric, metric->held);
            else if (metric->kind == METRIC_GAUGE)
                metric->pending = metric->own -= metric->held;
            metric->held = 0;
        }
    }
}

void counters_end_run(struct script_state *state, bool good)
{
    for (struct script_module *module = state->modules; module; module = module->next) {
        for (struct script_metric *metric = module->metrics; metric; metric = metric->next) {
            bool gauge = metric->kind == METRIC_GAUGE;
            int64_t change = gauge ? metric->pending - metric->own : metric->pending;

            if (!metric->changed || (good && !metric->metric))
                continue; /* what open() set waits for its registry */
            if (good) {
                if (state->held)
                    metric->held += change;
                else
                    publish(state, metric, change);
                metric->own = metric->pending;
            }
            metric->pending = gauge ? metric->own : 0;
            metric->changed = false;
        }
    }
}

void script_state_set_aside(struct script_state *state, bool aside)
{
    if (state->aside == aside)
        return;
    state->aside = aside;
    for (struct script_module *module = state->modules; module; module = module->next)
        for (struct script_metric *metric = module->metrics; metric; metric = metric->next)
            if (metric->kind == METRIC_GAUGE && metric->metric)
                metric_add(metric->metric, aside ? -metric->own : metric->own);
}

void counters_free(struct script_module *module)
{
    while (module->metrics) {
        struct script_metric *metric = module->metrics;

        module->metrics = metric->next;
        if (metric->kind == METRIC_GAUGE && metric->metric && !module->state->aside)
            metric_add(metric->metric, -metric->own);
        free(metric);
    }
}

/* Lower-case letters, digits and _, beginning with a letter: what the metrics page and its readers take. */
static const char *check_name_throws(lua_State *L, int index)
{
    size_t size;
    const char *name = luaL_checklstring(L, index, &size);

    if (size == 0 || size > NAME_MAX_BYTES || name[0] < 'a' || name[0] > 'z' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != size)
        luaL_argerror(
            L, index,
            lua_pushfstring(L, "a name has 1 to %d lower-case letters, digits and _, and begins with a letter", NAME_MAX_BYTES));
    return name;
}

/* The text at index, whole characters, no control characters. */
static void take_text_throws(lua_State *L, int index, char *text, size_t size_max, const char *what)
{
    struct str value;

    value.data = luaL_checklstring(L, index, &value.size);
    if (value.size > size_max || !str_is_utf8(value))
        luaL_error(L, "%s has at most %d bytes of UTF-8", what, (int)size_max);
    for (size_t i = 0; i < value.size; i++)
        if ((unsigned char)value.data[i] < 0x20)
            luaL_error(L, "%s has no control characters", what);
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
}

/* The pair in the table at index 2, if there is one. */
static void take_label_throws(lua_State *L, struct script_metric *metric, const char *function)
{
    lua_pushnil(L);
    if (!lua_next(L, 2))
        return;
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_argerror(L, 2, "a label is a name and its value, {city = \"Wuhan\"}");
    snprintf(metric->label, sizeof(metric->label), "%s", check_name_throws(L, lua_absindex(L, -2)));
    if (strcmp(metric->label, "stage") == 0 || strcmp(metric->label, "job") == 0)
        luaL_argerror(L, 2, lua_pushfstring(L, "the label \"%s\" is there already", metric->label));
    take_text_throws(L, lua_absindex(L, -1), metric->value, VALUE_MAX_BYTES, "a label's value");
    lua_pop(L, 1);
    if (lua_next(L, 2))
        luaL_error(L, "%s: a metric has one label at most", function);
}

static int make(lua_State *L, enum metric_kind kind, const char *function)
{
    struct script_state *state = script_of(L);
    struct script_module *module = state->opening;
    struct script_metric wanted = {.kind = kind}, *metric;
    struct metric_box *box;
    int help = lua_type(L, 2) == LUA_TSTRING ? 2 : 3;
    const char *name = check_name_throws(L, 1), *end = kind == METRIC_COUNTER ? "_total" : "";
    size_t size = strlen(name), count = 0;
    bool total = size > 6 && strcmp(name + size - 6, "_total") == 0;

    lua_settop(L, 3);
    if (!module)
        return luaL_error(L, "%s is called in open(ctx) or at the top of the file, so that all metrics are known from the start",
                          function);
    if (total && kind == METRIC_GAUGE)
        return luaL_argerror(L, 1, "_total is how counters end");
    snprintf(wanted.name, sizeof(wanted.name), "luaduct_script_%s%s", name, total ? "" : end);
    if (!lua_isnoneornil(L, 2) && help == 3) {
        luaL_checktype(L, 2, LUA_TTABLE);
        take_label_throws(L, &wanted, function);
        lua_settop(L, 3);
    }
    if (lua_isnil(L, help))
        snprintf(wanted.help, sizeof(wanted.help), "Of the script.");
    else
        take_text_throws(L, help, wanted.help, HELP_MAX_BYTES, "a metric's help");
    for (metric = module->metrics; metric; metric = metric->next, count++)
        if (strcmp(metric->name, wanted.name) == 0 && strcmp(metric->label, wanted.label) == 0 &&
            strcmp(metric->value, wanted.value) == 0)
            break;
    if (!metric && count == METRICS_MAX)
        return luaL_error(L, "%s: a stage has at most %d metrics", function, METRICS_MAX);
    box = lua_newuserdatauv(L, sizeof(*box), 0);
    box->tag = BOX_METRIC;
    if (!metric) {
        metric = xcalloc(1, sizeof(*metric));
        *metric = wanted;
        metric->next = module->metrics;
        module->metrics = metric;
        if (state->registry)
            attach(metric, module, state->registry);
    }
    box->metric = metric;
    luaL_setmetatable(L, kind == METRIC_COUNTER ? "luaduct.counter" : "luaduct.gauge");
    return 1;
}

static int counter_new(lua_State *L)
{
    return make(L, METRIC_COUNTER, "luaduct.counter");
}
static int gauge_new(lua_State *L)
{
    return make(L, METRIC_GAUGE, "luaduct.gauge");
}

static struct script_metric *check_metric_throws(lua_State *L, enum metric_kind kind)
{
    const char *what = kind == METRIC_COUNTER ? "counter" : "gauge";
    struct metric_box *box = box_get(L, 1, BOX_METRIC);

    if (!box || box->metric->kind != kind)
        luaL_error(L, "bad self: a %s is wanted, this is a %s; its methods are called with a colon", what, value_kind_name(L, 1));
    return box->metric;
}

/* A number in thousandths. */
static int64_t check_amount_throws(lua_State *L, int index)
{
    double value = luaL_checknumber(L, index);

    luaL_argcheck(L, value > -9e15 && value < 9e15, index, "the number is beyond 9e15, or no number");
    return lua_isinteger(L, index) ? lua_tointeger(L, index) * 1000 : (int64_t)llround(value * 1000);
}

static void add(struct script_metric *metric, int64_t amount)
{
    (void)__builtin_add_overflow(metric->pending, amount, &metric->pending);
    metric->changed = true;
}

static int counter_add(lua_State *L)
{
    struct script_metric *metric = check_metric_throws(L, METRIC_COUNTER);
    int64_t amount = lua_isnoneornil(L, 2) ? 1000 : check_amount_throws(L, 2);

    luaL_argcheck(L, amount >= 0, 2, "a counter only grows; luaduct.gauge goes both ways");
    add(metric, amount);
    return 0;
}

static int gauge_set(lua_State *L)
{
    struct script_metric *metric = check_metric_throws(L, METRIC_GAUGE);

    metric->pending = check_amount_throws(L, 2);
    metric->changed = true;
    return 0;
}

static int gauge_add(lua_State *L)
{
    struct script_metric *metric = check_metric_throws(L, METRIC_GAUGE);

    add(metric, check_amount_throws(L, 2));
    return 0;
}

void counters_install_throws(lua_State *L)
{
    static const luaL_Reg counter_methods[] = {{"add", counter_add}, {NULL, NULL}};
    static const luaL_Reg gauge_methods[] = {{"set", gauge_set}, {"add", gauge_add}, {NULL, NULL}};

    api_type_throws(L, "luaduct.counter", "a counter", NULL, counter_methods);
    api_type_throws(L, "luaduct.gauge", "a gauge", NULL, gauge_methods);
    lua_pop(L, 2);
}

void counters_push_throws(lua_State *L)
{
    static const luaL_Reg functions[] = {{"counter", counter_new}, {"gauge", gauge_new}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
}

static const struct manual_row rows[] = {
    {"luaduct.counter(name [, {label = value}] [, help])",
     "A number that only grows, made in open(ctx) or at the top of the file. On the metrics page it is luaduct_script_NAME_total "
     "with the stage "
     "and the label, if there is one; all workers together. Records that are read again count again.",
     NULL, NULL},
    {"counter:add([n])",
     "Adds n, or 1. What a run adds counts when the run is over: when a row fails and the stage runs again without it, nothing "
     "counts twice.",
     NULL, NULL},
    {"luaduct.gauge(name [, {label = value}] [, help])",
     "A number that goes up and down: luaduct_script_NAME, the sum of what the workers have set.", NULL, NULL},
    {"gauge:set(v)", "Sets this worker's part.", NULL, NULL},
    {"gauge:add(n)", "Changes it by n, which may be negative.", NULL, NULL},
    {0},
};

const struct manual_section counters_manual = {"Counters and gauges", NULL, rows};
