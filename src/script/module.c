/* module.c: modules, and running them over a batch.
 * A run that fails is undone: fields, selection, counters and the tail of the dirty list go back to a snapshot, the arena to a
 * mark; then the row in hand fails and the module runs again. The snapshot costs one copy of the selection and of the list of
 * fields; a batch in which n rows fail by row errors of batch:rows() runs n + 1 times (batch:map needs no second run). */
#include "script/api.h"
#include "script/globals.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/clock.h"

/* Restarts of a batch whose rows fail one by one may take as many times the budget of one run. */
enum { LIMIT_HITS_MAX = 2, RESTART_BUDGETS = 10 };

static const char *const function_names[] = {"process", "partition", "alert", "open", "save", "close", "check"};

struct batch *run_batch_throws(lua_State *L)
{
    struct batch *batch = script_of(L)->run.batch;

    if (!batch)
        luaL_error(L, "there is no batch in hand: columns can be used only while process(batch) runs");
    return batch;
}

/* A column is worked on by the thousand rows in the time of some instructions. */
void run_charge_rows_throws(lua_State *L)
{
    script_budget_charge(script_of(L), run_batch_throws(L)->selected / 16);
    script_budget_check_throws(L);
}

void run_count_failure(struct script_state *state, const char *text)
{
    struct buffer masked;

    if (state->failures++ > 0)
        return;
    buffer_init(&masked, 0);
    failure_mask(&masked, text); /* a reload says it in the log */
    snprintf(state->failure, sizeof(state->failure), "stage %.64s: %.560s", state->run.module->stage, buffer_text(&masked));
    buffer_release(&masked);
}

uint64_t script_state_failures(const struct script_state *state, const char **first_out)
{
    *first_out = state->failure;
    return state->failures;
}

void script_state_failures_clear(struct script_state *state)
{
    state->failures = 0;
    state->failure[0] = '\0';
}

int throw_arena_full(lua_State *L)
{
    struct script_state *state = script_of(L);

    state->run.arena_full = true;
    script_place_note(state, L); /* the Lua function may be far above */
    lua_pushfstring(L, "%sthe batch needs more memory than a batch may use", state->place);
    return lua_error(L);
}

int throw_kernel_error(lua_State *L, const struct error *error)
{
    script_of(L)->run.arena_full |= error->kind == ERROR_DATA;
    return luaL_error(L, "%s", error->text);
}

void check_no_loop_throws(lua_State *L, const char *what)
{
    if (script_of(L)->run.loops)
        luaL_error(L, "%s cannot be used inside batch:map or a loop over batch:rows(); use it before or after", what);
}

void check_stopped_throws(lua_State *L)
{
    if (script_of(L)->run.batch->stopped)
        luaL_error(L, "the stage stops at its first bad row");
}

void run_complain(struct script_module *module, const char *option_path, const char *text)
{
    run_complain_at(module, option_path, (struct script_place){-1, 0}, text);
}

void run_complain_at(struct script_module *module, const char *option_path, struct script_place place, const char *text)
{
    if (module->complaints++ == 0)
        snprintf(module->complaint, sizeof(module->complaint), "%s%s%s", option_path, *option_path ? ": " : "", text);
    if (module->complain)
        module->complain(module->complain_arg, option_path, place, text);
}

/* Opening. */

struct open_call {
    struct script_module *module;
    const struct script_source *source;
    const char *text;
    size_t size;
    char chunk[160]; /* how messages call the file */
    struct globals globals;
};

/* ctx.complain(path, text): a wrong option, told with its place in the job file. Upvalue: the module. */
static int ctx_complain(lua_State *L)
{
    struct script_module *module = lua_touserdata(L, lua_upvalueindex(1));
    const char *path = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);

    if (script_of(L)->opening != module)
        return luaL_error(L, "ctx.complain can be called only in open(ctx)");
    run_complain(module, path, text);
    return 0;
}

/* ctx.known{names}: complains of every option that is none of these. Upvalues: the module, ctx.options. */
static int ctx_known(lua_State *L)
{
    struct script_module *module = lua_touserdata(L, lua_upvalueindex(1));
    size_t count;
    const char **names;

    luaL_checktype(L, 1, LUA_TTABLE);
    if (script_of(L)->opening != module)
        return luaL_error(L, "ctx.known can be called only in open(ctx)");
    count = lua_rawlen(L, 1);
    names = lua_newuserdatauv(L, (count + 1) * sizeof(*names), 0);
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i + 1) != LUA_TSTRING)
            return luaL_argerror(L, 1, "a list of names is wanted");
        names[i] = lua_tostring(L, -1); /* the list keeps it */
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, lua_upvalueindex(2))) {
        const char *name, *near;
        bool known = false;

        lua_pushvalue(L, -2);
        name = lua_tostring(L, -1);
        for (size_t i = 0; i < count; i++)
            known |= strcmp(names[i], name) == 0;
        if (!known) {
            near = str_nearest(str_of(name), names, count);
            run_complain(module, name,
                         lua_pushfstring(L, "the stage has no such option%s%s%s", near ? "; did you mean \"" : "",
                                         near ? near : "", near ? "\"?" : ""));
            lua_pop(L, 1);
        }
        lua_pop(L, 2);
    }
    return 0;
}

static void check_table(lua_State *L, struct script_module *module, int table)
{
    lua_pushnil(L);
    while (lua_next(L, table)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

        if (lua_isfunction(L, -1)) {
            size_t i = 0;
            const char *near;

            while (i < COUNT_OF(function_names) && !(name && strcmp(name, function_names[i]) == 0))
                i++;
            near = name ? str_nearest(str_of(name), function_names, COUNT_OF(function_names)) : NULL;
            if (i == COUNT_OF(function_names))
                luaL_error(L, "the module has an unknown function \"%s\"%s%s%s; helper functions are local", name ? name : "?",
                           near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "");
            module->functions |= 1u << i;
        } else if (name && strcmp(name, "state") == 0) {
            if (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), "partition") != 0)
                luaL_error(L, "the module's field state can only be \"partition\"");
            module->keeps_state = true;
        } else if (name) {
            for (size_t i = 0; i < COUNT_OF(function_names); i++)
                if (strcmp(name, function_names[i]) == 0)
                    luaL_error(L, "the module's field \"%s\" must be a function, it is a %s", name, luaL_typename(L, -1));
        }
        lua_pop(L, 1);
    }
}

/* What check and open are called with. */
static void push_ctx(lua_State *L, struct script_module *module, const struct open_call *call)
{
    lua_createtable(L, 0, 5);
    options_push_throws(L, call->source->options);
    lua_pushlightuserdata(L, module);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, ctx_known, 2);
    lua_setfield(L, -3, "known");
    lua_setfield(L, -2, "options");
    lua_pushstring(L, module->stage);
    lua_setfield(L, -2, "stage");
    lua_pushlightuserdata(L, module);
    lua_pushcclosure(L, ctx_complain, 1);
    lua_setfield(L, -2, "complain");
    if (call->source->saved.data) {
        saved_push_throws(L, call->source->saved);
        lua_setfield(L, -2, "saved");
    }
}

static int call_open(lua_State *L)
{
    enum { ENVIRONMENT = 2 };
    struct open_call *call = lua_touserdata(L, 1);
    struct script_module *module = call->module;
    bool watched = call->source->warn && module->folder;

    if (luaL_loadbufferx(L, call->text, call->size, call->chunk, "t") != LUA_OK)
        return lua_error(L);
    coverage_chunk(L, module, call->chunk);
    if (watched)
        globals_note(&call->globals, L);
    sandbox_push_throws(L, module);
    lua_pushvalue(L, -1);
    lua_insert(L, ENVIRONMENT);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L, "%s: a stage's file must return its module, a table; this one returns %s", call->chunk + 1,
                          lua_isnil(L, -1) ? "nothing (is `return stage` missing?)" : luaL_typename(L, -1));
    check_table(L, module, lua_gettop(L));
    if (!module->functions)
        return luaL_error(L, "%s: the module has no function; a stage has process(batch)", call->chunk + 1);
    lua_pushvalue(L, -1);
    module->table_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    for (size_t i = 0; i < 2; i++) {
        if (lua_getfield(L, -1, i ? "open" : "check") == LUA_TFUNCTION) {
            push_ctx(L, module, call);
            lua_call(L, 1, 0);
        } else {
            lua_pop(L, 1);
        }
    }
    if (watched)
        globals_tell_throws(&call->globals, L, ENVIRONMENT, str_make(call->text, call->size), call->source->warn,
                            call->source->complain_arg);
    return 0;
}

static void module_free(struct script_module *module)
{
    if (!module)
        return;
    free(module->stage);
    free(module->folder);
    free(module);
}

static bool find_source(const struct script_source *source, struct open_call *call, char **file_text, struct error *error)
{
    if (source->path) {
        const char *base = strrchr(source->path, '/');
        struct str kept;

        call->module->folder = folder_of(source->path);
        snprintf(call->chunk, sizeof(call->chunk), "@%s", base ? base + 1 : source->path);
        if (source->files) {
            if (!script_file_read(source->files, source->path, &kept, error))
                return false;
            call->text = kept.data;
            call->size = kept.size;
            return true;
        }
        if (!file_read_whole(source->path, file_text, &call->size, error))
            return false;
        call->text = *file_text;
        return true;
    }
    for (const struct embedded_module *embedded = embedded_modules; embedded->name; embedded++) {
        if (strcmp(embedded->name, source->builtin) == 0) {
            snprintf(call->chunk, sizeof(call->chunk), "@%s.lua", embedded->name);
            call->text = embedded->text;
            call->size = embedded->size;
            return true;
        }
    }
    return error_set(error, ERROR_CONFIG, "there is no stage kind \"%s\" in this version", source->builtin);
}

bool script_module_open(struct script_state *state, const struct script_source *source, struct script_module **module_out,
                        struct error *error)
{
    bool ok = false;
    struct script_module *module = xcalloc(1, sizeof(*module));
    struct open_call call = {.module = module, .source = source};
    char *file_text = NULL;

    assert(source->path || source->builtin);
    module->state = state;
    module->stage = xstrdup(source->stage ? source->stage : "?");
    module->convert.zone = source->zone;
    module->files = source->files;
    module->complain = source->complain;
    module->complain_arg = source->complain_arg;
    module->job = source->job;
    module->topic = source->topic;
    module->execute_time_ms = source->execute_time_ms;
    module->table_ref = LUA_NOREF;
    if (!find_source(source, &call, &file_text, error))
        goto out;
    state->opening = module;
    ok = script_enter(state, call_open, &call, error);
    state->opening = NULL;
    globals_release(&call.globals);
    script_module_listen(module, NULL, NULL);
    if (module->complaints && !(ok && source->builtin && source->complain))
        ok = error_set(error, ERROR_CONFIG, "%s", module->complaint);
    /* Closures of the module may live on in Lua, so it goes with the state even when it could not be opened. */
    module->next = state->modules;
    state->modules = module;
    counters_end_run(state, true);
    if (ok)
        *module_out = module;
    else
        module->functions = 0;
    module = NULL;
out:
    module_free(module);
    free(file_text);
    return ok;
}

void script_module_listen(struct script_module *module, script_complain *complain, void *complain_arg)
{
    module->complain = complain;
    module->complain_arg = complain_arg;
}

bool script_module_has(const struct script_module *module, const char *function)
{
    for (size_t i = 0; i < COUNT_OF(function_names); i++)
        if (strcmp(function, function_names[i]) == 0)
            return module->functions & 1u << i;
    return false;
}

bool script_module_keeps_state(const struct script_module *module)
{
    return module->keeps_state;
}

struct save_call {
    struct script_module *module;
    struct buffer *saved;
};

static int call_save(lua_State *L)
{
    struct save_call *call = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, call->module->table_ref);
    lua_getfield(L, -1, "save");
    lua_call(L, 0, 1);
    if (!lua_isnil(L, -1))
        saved_write_throws(L, call->saved);
    return 0;
}

bool script_module_save(struct script_module *module, struct buffer *saved, struct error *error)
{
    struct save_call call = {module, saved};

    if (!script_module_has(module, "save"))
        return true;
    return script_enter(module->state, call_save, &call, error) || error_wrap(error, "save()");
}

/* Running. */

struct snapshot {
    struct field *fields;
    uint32_t field_count;
    uint32_t *selection, *selection_at;
    uint32_t selected;
    uint32_t row_count;
    uint32_t *row_message, *row_index, *row_source, *index_next, *index_next_copy;
    uint8_t *operation, *gone;
    struct dirty_row **dirty_tail;
    uint32_t dirty_count, filtered_count, expanded_count;
    struct arena_mark mark;
};

/* Room for copies; selections only shrink from here on. */
static bool snapshot_init(struct snapshot *snapshot, struct batch *batch)
{
    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->fields = arena_try_array(&batch->arena, batch->field_count, sizeof(*snapshot->fields));
    snapshot->selection = arena_try_array(&batch->arena, batch->selected, sizeof(*snapshot->selection));
    if (batch->index_next)
        snapshot->index_next_copy = arena_try_array(&batch->arena, batch->message_count, sizeof(*snapshot->index_next_copy));
    return snapshot->fields && snapshot->selection && (!batch->index_next || snapshot->index_next_copy);
}

static void snapshot_take(struct snapshot *snapshot, struct batch *batch)
{
    memcpy(snapshot->fields, batch->fields, batch->field_count * sizeof(*batch->fields));
    snapshot->field_count = batch->field_count;
    if (batch->selected)
        memcpy(snapshot->selection, batch->selection, batch->selected * sizeof(*batch->selection));
    snapshot->selection_at = batch->selection;
    snapshot->selected = batch->selected;
    snapshot->row_count = batch->row_count;
    snapshot->row_message = batch->row_message;
    snapshot->row_index = batch->row_index;
    snapshot->row_source = batch->row_source;
    snapshot->index_next = batch->index_next;
    if (batch->index_next && batch->message_count)
        memcpy(snapshot->index_next_copy, batch->index_next, batch->message_count * sizeof(*batch->index_next));
    snapshot->operation = batch->operation;
    snapshot->gone = batch->gone;
    snapshot->dirty_tail = batch->dirty_tail;
    snapshot->dirty_count = batch->dirty_count;
    snapshot->filtered_count = batch->filtered_count;
    snapshot->expanded_count = batch->expanded_count;
    snapshot->mark = arena_mark(&batch->arena);
}

static void snapshot_restore(const struct snapshot *snapshot, struct batch *batch)
{
    memcpy(batch->fields, snapshot->fields, snapshot->field_count * sizeof(*batch->fields));
    batch->field_count = snapshot->field_count;
    batch->selection = snapshot->selection_at;
    if (snapshot->selected)
        memcpy(batch->selection, snapshot->selection, snapshot->selected * sizeof(*batch->selection));
    batch->selected = snapshot->selected;
    batch->row_count = snapshot->row_count;
    batch->row_message = snapshot->row_message;
    batch->row_index = snapshot->row_index;
    batch->row_source = snapshot->row_source;
    batch->index_next = snapshot->index_next;
    if (batch->index_next && batch->message_count)
        memcpy(batch->index_next, snapshot->index_next_copy, batch->message_count * sizeof(*batch->index_next));
    batch->operation = snapshot->operation;
    batch->gone = snapshot->gone;
    batch->gone_any = false;
    for (uint32_t i = 0; batch->gone && i < batch->selected; i++)
        batch->gone[batch->selection[i]] = 0;
    batch->dirty_tail = snapshot->dirty_tail;
    *batch->dirty_tail = NULL;
    batch->dirty_count = snapshot->dirty_count;
    batch->filtered_count = snapshot->filtered_count;
    batch->expanded_count = snapshot->expanded_count;
    arena_rollback(&batch->arena, &snapshot->mark);
}

struct run_call {
    const char *function;
    struct column **columns; /* partition's results; NULL for process */
    size_t max, count;
};

static void take_partition(lua_State *L, struct run_call *call, int index)
{
    static const struct type text = {.kind = TYPE_STRING};
    struct script_run *run = &script_of(L)->run;
    struct column *column;
    struct error error;

    if (call->count == call->max)
        luaL_error(L, "partition(batch) gives more columns than there are partition levels for it (%d)", (int)call->max);
    if (lua_isnil(L, index))
        luaL_error(L, "partition(batch) must give a column for every partition level; value %d is nil", (int)call->count + 1);
    column = column_from_value_throws(L, index, NULL);
    if (!convert_possible(column->type, text, &error))
        luaL_error(L, "partition(batch), value %d: %s", (int)call->count + 1, error.text);
    column = convert_column(&run->module->convert, run->batch, column, text, STR_NONE, false);
    if (!column)
        throw_arena_full(L);
    call->columns[call->count++] = column;
}

static int call_run(lua_State *L)
{
    struct run_call *call = lua_touserdata(L, 1);
    struct script_run *run = &script_of(L)->run;

    lua_rawgeti(L, LUA_REGISTRYINDEX, run->module->table_ref);
    if (lua_getfield(L, -1, call->function) != LUA_TFUNCTION)
        return luaL_error(L, "the module has no function %s(batch)", call->function);
    batch_view_push_throws(L);
    lua_call(L, 1, call->columns ? 1 : 0);
    if (call->columns) {
        int result = lua_gettop(L);

        call->count = 0;
        if (lua_istable(L, result)) {
            lua_Integer count = (lua_Integer)lua_rawlen(L, result);

            luaL_checkstack(L, 8, NULL);
            for (lua_Integer i = 1; i <= count; i++) {
                lua_rawgeti(L, result, i);
                take_partition(L, call, result + 1);
                lua_settop(L, result);
            }
        } else {
            take_partition(L, call, result);
        }
        check_stopped_throws(L);
    }
    return 0;
}

static bool run_once(struct script_module *module, struct batch *batch, struct run_call *call, bool first, struct error *error)
{
    struct script_state *state = module->state;
    bool ok;

    memset(&state->run, 0, sizeof(state->run));
    state->run.module = module;
    state->run.batch = batch;
    state->run.generation = ++state->generation;
    state->loose_allowed = first;
    ok = script_enter(state, call_run, call, error);
    state->loose_allowed = false;
    state->run.batch = NULL;
    state->run.generation = 0;
    return ok;
}

/* The row in hand fails; after an expansion inside the run, all rows of its record do. */
static void fail_in_hand(struct batch *batch, uint32_t row, bool whole_record, uint32_t message, const char *text)
{
    if (!whole_record) {
        batch_fail(batch, row, STR_NONE, "%s", text);
    } else {
        for (uint32_t i = 0; i < batch->selected; i++) {
            uint32_t candidate = batch->selection[i];

            if ((batch->row_message ? batch->row_message[candidate] : candidate) == message)
                batch_fail(batch, candidate, STR_NONE, "%s", text);
        }
    }
    batch_sweep(batch);
}

static bool run(struct script_module *module, struct batch *batch, struct run_call *call, struct error *error)
{
    struct script_state *state = module->state;
    struct snapshot snapshot;
    struct error failure;
    unsigned limit_hits = 0;
    uint32_t limit_rows = 0; /* that failed alone, by memory or budget */
    int64_t instructions = 0; /* of all runs */
    bool first = true;

    if (module->complaints && batch->message_count) /* it was opened to find mistakes, and for nothing else */
        return error_set(error, ERROR_CONFIG, "%s", module->complaint);
    if (state->lookups)
        lookups_check(state, clock_monotonic_ms());
    batch_sweep(batch);
    if (!snapshot_init(&snapshot, batch))
        return error_set(error, ERROR_DATA, "the batch needs more memory than a batch may use");
    for (;;) {
        uint32_t row, message = 0, selected = batch->selected;
        bool ok, in_hand, whole_record, limit_hit;

        snapshot_take(&snapshot, batch);
        ok = run_once(module, batch, call, first, &failure);
        first = false;
        if (ok) {
            if (batch->stopped)
                break;
            /* A script that caught the error went on with a batch that is not what it asked for. */
            if (state->run.arena_full)
                return error_set(error, ERROR_DATA, "the batch needs more memory than a batch may use");
            batch_sweep(batch);
            counters_end_run(state, true);
            return true;
        }
        if (batch->stopped)
            break;
        if (state->run.arena_full)
            return error_set(error, ERROR_DATA, "%s", failure.text);
        /* No row is to blame: dirty rows would be good ones, and the job would go on into the next failure. */
        run_count_failure(state, failure.text);
        if (state->machine_hit)
            return error_set(error, ERROR_RETRY, "%s", failure.text);
        if (batch->message_count == 0) {
            *error = failure;
            return false;
        }
        row = state->failed_row;
        in_hand = state->failed_row_in_hand && row < batch->row_count;
        whole_record = batch->row_message != snapshot.row_message;
        if (in_hand)
            message = batch->row_message ? batch->row_message[row] : row;
        snapshot_restore(&snapshot, batch);
        counters_end_run(state, false);
        limit_hit = state->budget_hit || state->memory_hit;
        limit_hits += limit_hit;
        /* A run whose beginning was not counted is taken for a whole budget. */
        instructions += state->was_loose ? state->limits.instructions_max
                                         : state->limits.instructions_max - int64_max(state->instructions_left, 0);
        if (!limit_hit && instructions / RESTART_BUDGETS > state->limits.instructions_max) {
            limit_hit = true;
            limit_hits = LIMIT_HITS_MAX;
            snprintf(state->text, sizeof(state->text),
                     "the runs of the stage over this batch, one for each row that failed, took more than %d times "
                     "runtime.lua.instructions_max together", RESTART_BUDGETS);
            error_set(&failure, ERROR_SCRIPT, "%s", state->text);
        }
        if (in_hand && limit_hits < LIMIT_HITS_MAX) {
            failure_log(state, batch, row, failure.text);
            fail_in_hand(batch, row, whole_record, message, state->text);
        }
        if (batch->stopped)
            break;
        /* The second check is for a row that had left already: it must not make this loop endless. */
        if (in_hand && limit_hits < LIMIT_HITS_MAX && batch->selected < selected) {
            limit_rows += limit_hit ? selected - batch->selected : 0;
            continue;
        }
        if (selected)
            log_error(state->log, "stage %s: %s; %u rows fail (records: partition %d, offsets %lld to %lld)", module->stage,
                      failure.text, (unsigned)(batch->selected + (limit_hit ? limit_rows : 0)), batch->partition,
                      (long long)batch->messages[0].offset, (long long)batch->messages[batch->message_count - 1].offset);
        for (uint32_t i = 0; i < batch->selected && !batch->stopped; i++)
            batch_fail(batch, batch->selection[i], STR_NONE, "%s", state->text);
        batch_sweep(batch);
        if (batch->stopped)
            break;
        if (call->columns)
            call->count = 0;
        return true;
    }
    counters_end_run(state, false);
    *error = batch->stop_error;
    return false;
}

bool script_process(struct script_module *module, struct batch *batch, struct error *error)
{
    struct run_call call = {.function = "process"};

    return run(module, batch, &call, error);
}

bool script_partition(struct script_module *module, struct batch *batch, struct column **columns_out, size_t max,
                      size_t *count_out, struct error *error)
{
    struct run_call call = {"partition", columns_out, max, 0};
    bool ok = run(module, batch, &call, error);

    *count_out = call.count;
    return ok;
}
