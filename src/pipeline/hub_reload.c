/* hub_reload.c: new code into the workers and, when it fails there, out of them.
 * The hub says what is to run: `code`, and while that is on probation `proven`, which workers keep beside it. What each worker
 * has is known from the work that it gave back, and one message at a time brings it nearer to what is to run. So whatever comes
 * in between (a worker that cannot open the code, one that fails on probation and has gone back by itself, newer code before the
 * older one is everywhere) needs no path of its own.
 *
 * Order and exactly once: messages go by the workers' queues, so a batch is run by one version as a whole, and its place among
 * the batches of its Kafka partition is what it was. What code on probation made of other batches stays: it was run without
 * errors. */
#include "pipeline/hub_internal.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PROBATION_BATCHES = 100, /* so many are run with new code before it is proven, however long that takes */
    TRIALS_STUCK_MAX = 3,
};

static struct shadow_options shadow_options_of(struct hub *hub)
{
    const struct hub_options *options = &hub->options;

    return (struct shadow_options){
        .job = options->job,
        .datasources_path = options->datasources_path,
        .schema = &options->sink->schema,
        .samples = hub->samples,
        .test = options->reload_test,
        .monotonic_ms = options->monotonic_ms,
    };
}

static void wake_hub(void *arg)
{
    http_wake(((struct hub *)arg)->options.http);
}

void hub_reload_start(struct hub *hub)
{
    struct reloader_options options;

    hub->code->keeps_state = hub->keeps_state = worker_keeps_state(hub->workers[0]);
    job_version(hub->options.job, hub->code->version);
    stats_set_version(hub->options.stats, hub->code->version);
    for (size_t i = 0; i < hub->worker_count; i++)
        hub->has[i] = (struct worker_has){.now = hub->code};
    if (!hub->options.reloads)
        return;
    hub->samples = samples_new();
    options = (struct reloader_options){
        .shadow = shadow_options_of(hub),
        .running = hub->code,
        .stats = hub->options.stats,
        .wake = wake_hub,
        .wake_arg = hub,
        .log = hub->options.log,
    };
    pthread_mutex_lock(&hub->reload_lock);
    hub->reloader = reloader_start(&options);
    pthread_mutex_unlock(&hub->reload_lock);
}

void hub_reload(struct hub *hub)
{
    pthread_mutex_lock(&hub->reload_lock);
    if (hub->reloader)
        reloader_poke(hub->reloader);
    pthread_mutex_unlock(&hub->reload_lock);
}

void hub_reload_end(struct hub *hub)
{
    struct reloader *reloader;

    pthread_mutex_lock(&hub->reload_lock);
    reloader = hub->reloader;
    hub->reloader = NULL;
    pthread_mutex_unlock(&hub->reload_lock);
    hub->trial_stuck |= !reloader_stop(reloader);
}

/* What is to run from now on, and the settings that come with it. */
static void run_code(struct hub *hub, struct code *code, struct code *proven)
{
    const struct job *job = code->job;

    hub->code = code;
    hub->proven = proven;
    /* With either of the two a stage may count on seeing its partition's batches in order. */
    hub->keeps_state = code->keeps_state || (proven && proven->keeps_state);
    if (job->log.level != hub->log_level) /* a command may have set another one before */
        log_set_level((enum log_level)job->log.level);
    hub->log_level = job->log.level;
    epochs_set_dirty_max(hub->epochs, job->dirty.max);
    dirty_set_limits(hub->options.dirty, job->dirty.file_bytes_max, job->dirty.bytes_max);
    stats_set_version(hub->options.stats, code->version);
    if (hub->reloader)
        reloader_running(hub->reloader, code);
}

static bool all_have_it(const struct hub *hub)
{
    for (size_t i = 0; i < hub->worker_count; i++)
        if (hub->has[i].busy || hub->has[i].now != hub->code)
            return false;
    return true;
}

static void answer(struct hub *hub, bool accepted, const char *text)
{
    hub->swapping = false;
    if (hub->reloader)
        reloader_answer(hub->reloader, accepted, text);
}

/* Code that some worker could not open, or that failed on probation. */
static void go_back(struct hub *hub, const char *reason)
{
    struct code *failed = hub->code;

    metric_add(hub->options.stats->reloads_reverted, 1);
    log_error(hub->options.log,
              "code version=%s is taken back, and version=%s runs again, until a restart takes the files as they are: %s",
              failed->version, hub->proven->version, reason);
    run_code(hub, hub->proven, NULL);
    if (hub->swapping)
        answer(hub, false, reason);
    code_drop(failed);
}

static void take_offer(struct hub *hub)
{
    struct buffer said;
    struct code *code;

    buffer_init(&said, 0);
    code = reloader_next(hub->reloader, &said);
    if (code && hub->state != HUB_RUNNING) {
        code_drop(code);
        answer(hub, false, "the job is stopping");
    } else if (code) {
        memcpy(hub->swap_before, hub->code->version, sizeof(hub->swap_before));
        /* Code that is still on probation has no one to fall back on itself: the proven one stays that. */
        if (hub->proven)
            code_drop(hub->code);
        run_code(hub, code, hub->proven ? hub->proven : hub->code);
        hub->swapping = true;
        hub->swap_ms_max = 0;
        snprintf(hub->swap_said, sizeof(hub->swap_said), "%s", buffer_text(&said));
    }
    buffer_release(&said);
}

static void swapped(struct hub *hub, int64_t now_ms)
{
    char text[400];

    hub->probation_until_ms = now_ms + hub->code->job->reload.probation_ms;
    hub->probation_batches = 0;
    metric_add(hub->options.stats->reloads_accepted, 1);
    metric_set(hub->options.stats->swap_seconds_milli, hub->swap_ms_max);
    log_info(hub->options.log, "code version=%s runs in all workers, before=%s proven=%s swap_ms=%" PRId64 "; %s",
             hub->code->version, hub->swap_before, hub->proven->version, hub->swap_ms_max, hub->swap_said);
    snprintf(text, sizeof(text),
             "version %s runs in all workers, before it did %s; %s; for %g s the job goes back to %s should it fail",
             hub->code->version, hub->swap_before, hub->swap_said, (double)hub->code->job->reload.probation_ms / 1000,
             hub->proven->version);
    answer(hub, true, text);
}

/* What a worker needs next to have what is to run, or NULL. */
static struct work *next_message(struct hub *hub, const struct worker_has *has)
{
    struct work *work;
    enum work_kind kind;

    if (has->proven && has->proven != hub->code && has->proven != hub->proven)
        kind = WORK_PROVE; /* what it keeps is older than what it would go back to */
    else if (has->now != hub->code)
        kind = has->proven == hub->code ? WORK_REVERT : WORK_SWAP;
    else
        return NULL;
    work = work_new(kind);
    work->code = code_keep(kind == WORK_SWAP ? hub->code : has->now);
    return work;
}

/* A trial that cannot be stopped costs a thread at low priority and its memory, so only so many are left to themselves. */
static void leave_trial(struct hub *hub)
{
    bool last = hub->trials_stuck == TRIALS_STUCK_MAX;
    char why[300];

    snprintf(why, sizeof(why),
             "new code does not come back from being tried, and cannot be stopped (a C function called from Lua, for instance a "
             "bad pattern); version %s goes on, and other code is %s",
             hub->code->version, last ? "not taken before the job is started again" : "taken as before");
    pthread_mutex_lock(&hub->reload_lock);
    if (last || reloader_replace(&hub->reloader, why)) {
        hub->trials_stuck++;
        log_error(hub->options.log, "%s", why);
    }
    pthread_mutex_unlock(&hub->reload_lock);
}

bool hub_reload_step(struct hub *hub, int64_t now_ms, bool *moved, struct error *error)
{
    if (hub->reloader && !hub->swapping)
        take_offer(hub);
    if (hub->proven && !hub->swapping && now_ms >= hub->probation_until_ms && hub->probation_batches >= PROBATION_BATCHES) {
        log_info(hub->options.log, "code version=%s has stood its probation", hub->code->version);
        code_drop(hub->proven);
        run_code(hub, hub->code, NULL);
    }
    for (size_t i = 0; i < hub->worker_count; i++) {
        struct worker_has *has = &hub->has[i];
        struct work *work;

        if (has->busy || !hub_has_room(hub, i) || !(work = next_message(hub, has)))
            continue;
        has->busy = true;
        *moved = true;
        if (!hub_give(hub, work, i, now_ms, error))
            return false;
    }
    if (hub->swapping && all_have_it(hub))
        swapped(hub, now_ms);
    if (hub->reloader && hub->trials_stuck <= TRIALS_STUCK_MAX && reloader_is_stuck(hub->reloader, now_ms))
        leave_trial(hub);
    return true;
}

static void retire(struct hub *hub, struct work *work)
{
    if (!hub->reloader)
        return; /* work_free frees them */
    reloader_retire(hub->reloader, work->retired);
    work->retired = NULL;
}

bool hub_reload_took(struct hub *hub, struct work *work, size_t index, struct error *error)
{
    struct worker_has *has = &hub->has[index];
    bool ok = true;

    if (work->kind == WORK_BATCH && !work->reverted) {
        hub->probation_batches++;
        return true;
    }
    switch (work->kind) {
    case WORK_BATCH:
        has->now = has->proven;
        has->proven = NULL;
        /* Else newer code is on its way already, or the code was proven a moment ago; then the worker gets it again. */
        if (work->retired->code == hub->code && hub->proven)
            go_back(hub, work->error.text);
        else
            log_warn(hub->options.log, "code version=%s failed in a batch, which was run again with the one before: %s",
                     work->retired->code->version, work->error.text);
        break;
    case WORK_SWAP:
        has->busy = false;
        hub->swap_ms_max = int64_max(hub->swap_ms_max, work->took_ms);
        if (work->ok) {
            if (!has->proven)
                has->proven = has->now;
            has->now = work->code;
        } else if (work->code == hub->code && hub->proven) {
            go_back(hub, work->error.text);
        } else if (work->code == hub->code) {
            *error = work->error;
            error->kind = ERROR_RETRY;
            ok = error_wrap(error, "a worker cannot open the code that runs in the others");
        }
        break;
    case WORK_REVERT:
        has->busy = false;
        if (has->proven && has->now == work->code) {
            has->now = has->proven;
            has->proven = NULL;
        }
        break;
    case WORK_PROVE:
        has->busy = false;
        if (has->now == work->code)
            has->proven = NULL;
        break;
    case WORK_PACK:
        break;
    }
    retire(hub, work);
    return ok;
}
