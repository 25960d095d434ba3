/* enter.c: the one place where Lua is entered.
 * The message handler notes text, calls and the row in hand without allocating, so that it works when memory is short.
 * Budget: a count hook every BUDGET_STEP instructions; once the budget is gone it comes back at every single instruction, so that
 * a pcall which catches the error gets the next one in the function around it.
 * The hook slows each VM instruction by half, whether its turn has come or not. So the loops over rows of a run begin without
 * it (script_budget_loose), and a timer of the thread's own CPU time sets it after FREE_NS: what has not ended by then is counted
 * to its end. The signal comes to the thread that runs the script, which is what lua_sethook allows. */
#include "script/internal.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BUDGET_STEP = 10000, FREE_NS = 10 * 1000 * 1000, TIMER_SIGNAL = SIGVTALRM };

/* ThreadSanitizer keeps signals back until the program calls into it, which an endless loop of Lua never does. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define LOOSE_ALLOWED false
#else
#define LOOSE_ALLOWED true
#endif

static void budget_hook(lua_State *L, lua_Debug *ar);

static void hook_set(const struct script_state *state, lua_State *L, int count)
{
    lua_sethook(L, budget_hook, LUA_MASKCOUNT | (state->coverage ? LUA_MASKLINE : 0), count);
}

void script_place_note(struct script_state *state, lua_State *L)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            snprintf(state->place, sizeof(state->place), "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
}

/* The place is where the budget ended first: errors that come after a pcall repeat it. */
static int throw_budget(lua_State *L)
{
    struct script_state *state = script_of(L);

    if (!state->budget_hit)
        script_place_note(state, L);
    state->budget_hit = true;
    hook_set(state, L, 1);
    lua_pushfstring(L, "%smore than %I instructions for one batch; is there an endless loop?", state->place,
                    (LUAI_UACINT)state->limits.instructions_max);
    return lua_error(L);
}

static void budget_hook(lua_State *L, lua_Debug *ar)
{
    struct script_state *state = script_of(L);

    if (ar->event == LUA_HOOKLINE) {
        coverage_line(state, L, ar);
        return;
    }
    state->instructions_left -= lua_gethookcount(L);
    if (LIKELY(state->instructions_left > 0))
        return;
    throw_budget(L);
}

void script_budget_arm(struct script_state *state, lua_State *L, int count)
{
    hook_set(state, L, state->budget_hit ? 1 : count);
}

void script_budget_charge(struct script_state *state, int64_t instructions)
{
    lua_State *loose;

    state->instructions_left -= instructions;
    /* What was charged is far more than what the next instructions are: the hook comes at the next one. lua_sethook may be called
     * at any time, while memory is being had too. */
    if (LIKELY(state->instructions_left > 0))
        return;
    /* Read once: the timer's signal may come at any place here and take it away. */
    loose = state->loose;
    if (loose) {
        hook_set(state, loose, 1);
        state->loose = NULL;
    } else if (state->lua && lua_gethookcount(state->lua) > 1) {
        hook_set(state, state->lua, 1);
    }
}

/* In the middle of whatever the script does. */
static void time_is_over(int number, siginfo_t *info, void *context)
{
    struct script_state *state = info->si_value.sival_ptr;

    (void)number;
    (void)context;
    if (info->si_code == SI_TIMER && state->loose) {
        script_budget_arm(state, state->loose, state->instructions_left > 0 ? BUDGET_STEP : 1);
        state->loose = NULL;
    }
}

/* Once a process, and once a thread: whoever started the process may have blocked the signal. */
static void prepare_signal(void)
{
    static _Thread_local bool prepared;
    struct sigaction action = {.sa_sigaction = time_is_over, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigset_t signals;

    if (prepared)
        return;
    prepared = true;
    sigemptyset(&action.sa_mask);
    sigaction(TIMER_SIGNAL, &action, NULL);
    sigemptyset(&signals);
    sigaddset(&signals, TIMER_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

void script_budget_loose(struct script_state *state, lua_State *L)
{
    const struct itimerspec time = {.it_value = {.tv_nsec = FREE_NS}};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TIMER_SIGNAL, .sigev_value.sival_ptr = state};

    /* A coroutine counts by itself, and may be gone when the signal comes. Lines are counted by the hook that would be off. */
    if (L != state->lua || state->coverage)
        return;
    if (!LOOSE_ALLOWED || !state->loose_allowed || state->timer_made || state->budget_hit || state->instructions_left <= 0)
        return;
    prepare_signal();
    event._sigev_un._tid = gettid();
    /* Without a timer the hook stays. */
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &state->timer) != 0)
        return;
    state->timer_made = true;
    state->loose = L;
    lua_sethook(L, NULL, 0, 0);
    if (timer_settime(state->timer, 0, &time, NULL) != 0) {
        state->loose = NULL;
        script_budget_arm(state, L, BUDGET_STEP);
    }
}

static void end_loose(struct script_state *state)
{
    state->was_loose = state->timer_made;
    if (state->timer_made)
        timer_delete(state->timer);
    state->timer_made = false;
    state->loose = NULL;
}

void script_budget_check_throws(lua_State *L)
{
    struct script_state *state = script_of(L);

    if (LIKELY(!state->budget_hit && state->instructions_left > 0))
        return;
    throw_budget(L);
}

/* The Lua functions above the one that failed, on one line. */
static void note_calls(lua_State *L, struct script_state *state)
{
    size_t size = 0;
    int shown = 0;
    lua_Debug ar;

    state->trace[0] = '\0';
    for (int level = 1; shown < 6 && lua_getstack(L, level, &ar); level++) {
        int written;

        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline < 0)
            continue;
        if (shown++ == 0)
            continue; /* the message has it already */
        written = snprintf(state->trace + size, sizeof(state->trace) - size, "%s%s:%d", size ? ", " : "", ar.short_src,
                           ar.currentline);
        if (written < 0 || (size_t)written >= sizeof(state->trace) - size)
            break;
        size += (size_t)written;
    }
}

static int note_error(lua_State *L)
{
    struct script_state *state = script_of(L);
    const char *text;

    state->failed_row_in_hand = state->run.row_in_hand;
    state->failed_row = state->run.row;
    note_calls(L, state);
    if (lua_type(L, 1) != LUA_TSTRING && luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL) {
        luaL_tolstring(L, 1, NULL);
        lua_replace(L, 1);
    }
    text = lua_isstring(L, 1) ? lua_tostring(L, 1) : NULL; /* or a number */
    if (text)
        snprintf(state->text, sizeof(state->text), "%s", text);
    else
        snprintf(state->text, sizeof(state->text), "error without a text (a %s)", luaL_typename(L, 1));
    return 1;
}

bool script_enter(struct script_state *state, lua_CFunction function, void *argument, struct error *error)
{
    lua_State *L = state->lua;
    int top = lua_gettop(L);
    int status;

    if (!lua_checkstack(L, 16))
        return error_set(error, ERROR_SCRIPT, "out of memory for the Lua stack");
    state->instructions_left = state->limits.instructions_max;
    state->budget_hit = state->memory_hit = state->machine_hit = false;
    state->failed_row_in_hand = state->closed_row_set = false;
    state->text[0] = state->trace[0] = state->place[0] = '\0';
    script_budget_arm(state, L, BUDGET_STEP);
    lua_pushcfunction(L, note_error);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, argument);
    status = lua_pcall(L, 1, 0, top + 1);
    end_loose(state);
    lua_sethook(L, NULL, 0, 0);
    if (status == LUA_ERRMEM || (status != LUA_OK && state->memory_hit && strstr(state->text, "not enough memory"))) {
        state->memory_hit = true;
        if (status == LUA_ERRMEM) {
            state->failed_row_in_hand = state->closed_row_set;
            state->failed_row = state->closed_row;
        }
        if (state->machine_hit)
            snprintf(state->text, sizeof(state->text), "%sthe machine has no memory left", state->place);
        else
            snprintf(state->text, sizeof(state->text), "%sout of its memory limit of %zu MiB", state->place,
                     state->limits.memory_max >> 20);
    } else {
        state->memory_hit = state->machine_hit = false;
    }
    if (status != LUA_OK && !state->text[0])
        snprintf(state->text, sizeof(state->text), "error in an error handler");
    assert(lua_gettop(L) == top + (status == LUA_OK ? 1 : 2));
    lua_settop(L, top);
    if (status == LUA_OK)
        return true;
    return error_set(error, ERROR_SCRIPT, "%s%s%s%s", state->text, state->trace[0] ? " (called from " : "", state->trace,
                     state->trace[0] ? ")" : "");
}
