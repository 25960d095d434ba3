/* state.c: a Lua state and its memory.
 * Small pieces (up to 512 bytes) come from free lists of 16-byte size classes over slabs of 32 kB, larger ones from realloc.
 * The limit counts what Lua holds; slabs are kept until the state goes and are bounded by the same limit, so the process
 * never holds more than twice the limit for one state. */
#include "script/api.h"
#include "script/kernel.h"
#include "script/pattern.h"

#include <stdlib.h>

enum { SLAB_BYTES = 32 * 1024, BYTES_PER_INSTRUCTION = 64 };

struct slab {
    struct slab *next;
    _Alignas(16) char bytes[];
};

static bool slab_add(struct script_state *state, size_t class, size_t piece_size)
{
    struct slab *slab;

    if (state->slab_bytes + SLAB_BYTES > size_max(state->limits.memory_max, SLAB_BYTES * 4))
        return false;
    slab = malloc(sizeof(*slab) + SLAB_BYTES);
    if (!slab) {
        state->machine_hit = true;
        return false;
    }
    slab->next = state->slabs;
    state->slabs = slab;
    state->slab_bytes += SLAB_BYTES;
    for (size_t at = SLAB_BYTES / piece_size; at-- > 0;) {
        void **piece = (void **)(slab->bytes + at * piece_size);

        *piece = state->free_pieces[class];
        state->free_pieces[class] = piece;
    }
    return true;
}

static inline size_t round_size(size_t size)
{
    return (size + SIZE_CLASS_BYTES - 1) & ~(size_t)(SIZE_CLASS_BYTES - 1);
}

static void *take_piece(struct script_state *state, size_t rounded)
{
    size_t class = rounded / SIZE_CLASS_BYTES - 1;
    void **piece;

    if (rounded > SIZE_CLASSES * SIZE_CLASS_BYTES)
        return malloc(rounded);
    if (!state->free_pieces[class] && !slab_add(state, class, rounded))
        return NULL;
    piece = state->free_pieces[class];
    state->free_pieces[class] = *piece;
    return piece;
}

static void give_piece(struct script_state *state, void *pointer, size_t rounded)
{
    if (rounded > SIZE_CLASSES * SIZE_CLASS_BYTES) {
        free(pointer);
    } else {
        size_t class = rounded / SIZE_CLASS_BYTES - 1;

        *(void **)pointer = state->free_pieces[class];
        state->free_pieces[class] = pointer;
    }
}

/* Lua answers NULL by one full collection and a second try, then by an error without a line, so the line is noted here. While
 * Lua 5.4.6 and later move the stack, the pointers into it are offsets: with them nothing is looked at while a piece grows, which
 * may be the stack. */
static void *refuse(struct script_state *state, const void *pointer)
{
    state->memory_hit = true;
    /* The collection is work as well: a script that catches the error and asks again must not do so for ever. */
    script_budget_charge(state, (int64_t)(state->memory / BYTES_PER_INSTRUCTION));
    if (state->lua && (!pointer || LUA_VERSION_RELEASE_NUM < 50406))
        script_place_note(state, state->lua);
    return NULL;
}

void *script_alloc(void *arg, void *pointer, size_t old_size, size_t new_size)
{
    struct script_state *state = arg;
    size_t old_rounded = pointer ? round_size(old_size) : 0;
    size_t new_rounded = round_size(new_size);
    size_t room;
    void *moved;

    /* Most calls by far: a small piece is wanted and lies ready. */
    if (LIKELY(!pointer && new_size - 1 < SIZE_CLASSES * SIZE_CLASS_BYTES)) {
        void **piece = state->free_pieces[new_rounded / SIZE_CLASS_BYTES - 1];

        if (LIKELY(piece && state->memory + new_rounded <= state->limits.memory_max)) {
            state->free_pieces[new_rounded / SIZE_CLASS_BYTES - 1] = *piece;
            state->memory += new_rounded;
            return piece;
        }
    }
    if (new_size == 0) {
        if (pointer)
            give_piece(state, pointer, old_rounded);
        state->memory -= old_rounded;
        return NULL;
    }
    if (new_rounded < new_size)
        return NULL;
    if (old_rounded == new_rounded)
        return pointer;
    room = state->limits.memory_max - size_min(state->memory, state->limits.memory_max);
    if (new_rounded > old_rounded && new_rounded - old_rounded > room)
        return refuse(state, pointer);
    /* Who asks for much is about to fill it: copying counts as work. */
    if (new_rounded > SIZE_CLASSES * SIZE_CLASS_BYTES)
        script_budget_charge(state, (int64_t)(new_rounded / BYTES_PER_INSTRUCTION));
    if (pointer && old_rounded > SIZE_CLASSES * SIZE_CLASS_BYTES && new_rounded > SIZE_CLASSES * SIZE_CLASS_BYTES) {
        moved = realloc(pointer, new_rounded);
        if (!moved && new_rounded < old_rounded)
            moved = pointer; /* Lua counts on shrinking */
    } else {
        moved = take_piece(state, new_rounded);
        if (!moved && new_rounded < old_rounded) {
            /* Shrinking must not fail: the piece goes to the list of its smaller size later. */
            moved = pointer;
        } else if (moved && pointer) {
            memcpy(moved, pointer, size_min(old_size, new_size));
            give_piece(state, pointer, old_rounded);
        }
    }
    if (!moved) {
        state->machine_hit |= new_rounded > SIZE_CLASSES * SIZE_CLASS_BYTES;
        return refuse(state, pointer);
    }
    state->memory += new_rounded - old_rounded;
    return moved;
}

static int install(lua_State *L)
{
    value_install_throws(L);
    column_install_throws(L);
    batch_view_install_throws(L);
    row_install_throws(L);
    json_kernel_install_throws(L);
    kernel_install_throws(L);
    api_install_throws(L);
    sandbox_install_throws(L);
    return 0;
}

/* Reached only by an error outside of script_enter, which would be a mistake in this folder. */
static int panic(lua_State *L)
{
    struct script_state *state = script_of(L);

    log_error(state->log, "Lua error outside of a protected call: %s", lua_tostring(L, -1) ? lua_tostring(L, -1) : "?");
    abort();
}

struct script_state *script_state_new(const struct script_limits *limits, struct log *log)
{
    struct script_state *state = xcalloc(1, sizeof(*state));
    struct error error;

    /* Set-up itself is not the script's doing: it gets what it needs before the limit holds. */
    state->limits = (struct script_limits){SIZE_MAX / 4, INT64_MAX / 4};
    state->log = log;
    state->lua = lua_newstate(script_alloc, state);
    if (!state->lua || (*(struct script_state **)lua_getextraspace(state->lua) = state,
                        lua_atpanic(state->lua, panic), !script_enter(state, install, NULL, &error)))
        stop_out_of_memory("a Lua state");
    /* Rows make short-lived values and little that lasts: marking what lasts is put off until there are three times as many,
     * which saves about a tenth of the time of a batch:map over texts. At the limit Lua collects anyway. */
    lua_gc(state->lua, LUA_GCINC, 400, 400, 0);
    state->limits = *limits;
    return state;
}

static int call_close(lua_State *L)
{
    struct script_module *module = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, module->table_ref);
    lua_getfield(L, -1, "close");
    if (lua_isfunction(L, -1))
        lua_call(L, 0, 0);
    return 0;
}

void script_state_free(struct script_state *state)
{
    struct error error;

    if (!state)
        return;
    for (struct script_module *module = state->modules; module; module = module->next) {
        state->run.module = module;
        if (script_module_has(module, "close") && !script_enter(state, call_close, module, &error))
            log_warn(state->log, "stage %s: close failed: %s", module->stage, error.text);
    }
    lua_close(state->lua);
    json_text_free(state);
    time_value_free(state);
    text_value_free(state);
    column_text_free(state);
    pattern_free(state);
    lookups_free(state);
    while (state->modules) {
        struct script_module *module = state->modules;

        state->modules = module->next;
        counters_free(module);
        free(module->stage);
        free(module->folder);
        free(module);
    }
    while (state->slabs) {
        struct slab *slab = state->slabs;

        state->slabs = slab->next;
        free(slab);
    }
    free(state);
}

size_t script_state_memory(const struct script_state *state)
{
    return state->memory;
}
