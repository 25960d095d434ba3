/* reloader.c: one loop over poll: an eventfd for whatever the hub wants, the control socket, and a tick for the files. */
#include "pipeline/reloader.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "admin/job_socket.h"
#include "pipeline/steps.h"
#include "util/file.h"

enum {
    LOOK_MS = 1000,
    LOOKS_QUIET = 1,   /* looks that have to find the same as the one before */
    LOOKS_MISSING = 5, /* the same while a file is missing */
    STUCK_MS = 60 * 1000,
    STOP_MS = 15 * 1000,
    NICE = 10, /* trying new code may take its time; records may not */
};

struct watched {
    char *path;
    struct file_stamp tried; /* as it was when code was last tried */
    struct file_stamp seen;  /* at the last look */
};

struct reloader {
    struct reloader_options options;
    pthread_t thread;
    struct log *trial;         /* what code under trial says */
    int event;                 /* eventfd */
    struct job_socket control; /* none: no command can reach the job */

    /* The thread's own. */
    struct watched *files;
    size_t file_count, file_capacity;
    unsigned quiet;
    int64_t looked_ms;

    atomic_bool given_up;    /* the trial in hand */
    struct reloader *before; /* that this one took the place of, whose trial did not come back */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    /* guarded by lock */
    struct code *running;
    struct code *offered;
    struct buffer said; /* of the offer, then of the answer */
    bool waiting, accepted;
    struct runner *retired;
    bool poked, stopping;
    int64_t busy_ms; /* since when code is tried; 0: it is not */
    bool abandoned;  /* in the middle of it: what was the thread's own belongs to another one */
    int connection;  /* of whoever waits for that; -1: nobody */
};

/* --- the files --- */

/* A file that is not what was read of it counts as changed from the first look on: it may have changed a moment later. */
static void watch(struct reloader *reloader, const char *path, struct str text)
{
    struct watched file = {0};

    for (size_t i = 0; i < reloader->file_count; i++)
        if (strcmp(reloader->files[i].path, path) == 0)
            return;
    file.path = xstrdup(path);
    file_stamp_get(path, &file.seen);
    if (file_holds(path, text))
        file.tried = file.seen;
    XGROW(reloader->files, reloader->file_count, reloader->file_capacity);
    reloader->files[reloader->file_count++] = file;
}

static void watch_all(struct reloader *reloader, struct file_set *files)
{
    const char *path;
    struct str text;

    for (size_t i = 0; file_set_get(files, i, &path, &text); i++)
        watch(reloader, path, text);
}

static void watch_from_start(struct reloader *reloader)
{
    const struct job *job = reloader->options.shadow.job;

    watch(reloader, job->path, STR_NONE);
    reloader->files[0].tried = job->stamp;
    watch_all(reloader, job->files);
}

static void watch_forget(struct reloader *reloader)
{
    for (size_t i = 0; i < reloader->file_count; i++)
        free(reloader->files[i].path);
    reloader->file_count = 0;
}

/* Whether there is something new that has settled. */
static bool look(struct reloader *reloader)
{
    static const struct file_stamp none;
    bool changed = false, moving = false, missing = false;

    for (size_t i = 0; i < reloader->file_count; i++) {
        struct watched *file = &reloader->files[i];
        struct file_stamp now;

        file_stamp_get(file->path, &now);
        changed |= !file_stamp_same(&now, &file->tried);
        moving |= !file_stamp_same(&now, &file->seen);
        missing |= file_stamp_same(&now, &none) && !file_stamp_same(&file->tried, &none);
        file->seen = now;
    }
    reloader->quiet = changed && !moving ? reloader->quiet + 1 : 0;
    return reloader->quiet >= (missing ? LOOKS_MISSING : LOOKS_QUIET);
}

/* --- trying --- */

static struct code *running_keep(struct reloader *reloader)
{
    struct code *running;

    pthread_mutex_lock(&reloader->lock);
    running = code_keep(reloader->running);
    pthread_mutex_unlock(&reloader->lock);
    return running;
}

/* Gives the code to the hub and waits for what becomes of it. */
static bool offer(struct reloader *reloader, struct code *code, struct buffer *said)
{
    bool accepted;

    pthread_mutex_lock(&reloader->lock);
    reloader->offered = code;
    reloader->accepted = false;
    reloader->waiting = true;
    buffer_clear(&reloader->said);
    buffer_append_str(&reloader->said, buffer_str(said));
    pthread_mutex_unlock(&reloader->lock);
    reloader->options.wake(reloader->options.wake_arg);
    pthread_mutex_lock(&reloader->lock);
    while (reloader->waiting && !reloader->stopping)
        pthread_cond_wait(&reloader->answered, &reloader->lock);
    accepted = reloader->accepted;
    buffer_clear(said);
    if (reloader->waiting)
        buffer_print(said, "the job is stopping");
    else
        buffer_append_str(said, buffer_str(&reloader->said));
    reloader->waiting = false;
    pthread_mutex_unlock(&reloader->lock);
    return accepted;
}

static struct str first_line(const struct buffer *text)
{
    struct str line = buffer_str(text), rest;

    (void)str_cut(line, '\n', &line, &rest);
    return line;
}

static void trial_begins(struct reloader *reloader)
{
    pthread_mutex_lock(&reloader->lock);
    reloader->busy_ms = reloader->options.shadow.monotonic_ms();
    pthread_mutex_unlock(&reloader->lock);
}

/* False: it took so long that another thread has this one's place. */
static bool trial_ends(struct reloader *reloader)
{
    bool abandoned;

    pthread_mutex_lock(&reloader->lock);
    reloader->busy_ms = 0;
    abandoned = reloader->abandoned;
    pthread_mutex_unlock(&reloader->lock);
    return !abandoned;
}

/* What is said begins with '+' for new code that runs, '=' when there is none, '-' when it was refused. */
static void try_code(struct reloader *reloader, bool force, struct buffer *said)
{
    struct reloader_options *options = &reloader->options;
    struct code *running = running_keep(reloader), *code = NULL;
    struct file_set *seen = file_set_new();
    enum shadow_result result;
    struct buffer text;

    buffer_init(&text, 0);
    /* Before anything is read, so that a change meanwhile is a change. */
    for (size_t i = 0; i < reloader->file_count; i++) {
        file_stamp_get(reloader->files[i].path, &reloader->files[i].tried);
        reloader->files[i].seen = reloader->files[i].tried;
    }
    reloader->quiet = 0;
    trial_begins(reloader);
    result = shadow_run(&options->shadow, running, force, &code, seen, &text);
    if (!trial_ends(reloader)) {
        code_drop(code);
        goto out;
    }
    if (result == SHADOW_PASSED && !offer(reloader, code, &text))
        result = SHADOW_REFUSED;
    else if (result == SHADOW_UNCHANGED)
        buffer_print(&text, "nothing has changed; version %s runs", running->version);
    if (result == SHADOW_REFUSED) {
        metric_add(options->stats->reloads_refused, 1);
        log_warn(options->log, "new code is refused, and version=%s goes on, until a restart takes the files as they are: %.*s",
                 running->version, STR_ARG(first_line(&text)));
    }
    buffer_append_char(said, result == SHADOW_PASSED ? '+' : result == SHADOW_UNCHANGED ? '=' : '-');
    buffer_append_str(said, buffer_str(&text));

    watch_all(reloader, seen); /* also of code that was refused: it may be mended there */
out:
    file_set_free(seen);
    buffer_release(&text);
    code_drop(running);
}

/* --- the thread --- */

static int connection_swap(struct reloader *reloader, int connection)
{
    int before;

    pthread_mutex_lock(&reloader->lock);
    before = reloader->connection;
    reloader->connection = connection;
    pthread_mutex_unlock(&reloader->lock);
    return before;
}

static void serve(struct reloader *reloader, int descriptor)
{
    char request[JOB_SOCKET_REQUEST_MAX];
    struct buffer said;
    char *answer;
    int connection;

    if (!job_socket_accept(descriptor, request, &connection))
        return;
    buffer_init(&said, 0);
    (void)connection_swap(reloader, connection);
    if (strcmp(request, "reload") == 0 || strcmp(request, "reload --force") == 0)
        try_code(reloader, strcmp(request, "reload") != 0, &said);
    else
        buffer_print(&said, "-this process does not know the request \"%s\"; is it another version of luaduct?", request);
    connection = connection_swap(reloader, -1);
    answer = buffer_take(&said, NULL);
    log_redact(answer); /* an error of Lua may quote an option */
    if (connection >= 0)
        job_socket_answer(connection, str_of(answer));
    free(answer);
}

static void try_unasked(struct reloader *reloader)
{
    struct buffer said;

    buffer_init(&said, 0);
    try_code(reloader, false, &said);
    buffer_release(&said);
}

static void runners_free(struct runner *runner)
{
    while (runner) {
        struct runner *next = runner->next;

        runner_free(runner);
        runner = next;
    }
}

static bool watching(struct reloader *reloader)
{
    struct code *running = running_keep(reloader);
    bool watching = running->job->reload.watch;

    if (watching)
        watch_all(reloader, running->job->files); /* what was required meanwhile */
    code_drop(running);
    return watching;
}

static void *thread_main(void *arg)
{
    struct reloader *reloader = arg;
    int64_t (*monotonic_ms)(void) = reloader->options.shadow.monotonic_ms;

    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    for (;;) {
        struct pollfd polled[1 + JOB_SOCKET_NAMES_MAX] = {{.fd = reloader->event, .events = POLLIN}};
        int asked = -1;
        struct runner *retired;
        bool poked, stopping;
        uint64_t count;

        for (size_t i = 0; i < JOB_SOCKET_NAMES_MAX; i++)
            polled[1 + i] = (struct pollfd){.fd = reloader->control.descriptors[i], .events = POLLIN};
        (void)poll(polled, COUNT_OF(polled), LOOK_MS);
        for (size_t i = 1; i < COUNT_OF(polled); i++)
            if (polled[i].revents)
                asked = polled[i].fd;
        /* What is wanted stands under the lock; the event only cuts the wait short. One that cannot be read does not make this
         * spin. */
        if (polled[0].revents && read(reloader->event, &count, sizeof(count)) < 0 && errno != EAGAIN)
            (void)poll(NULL, 0, LOOK_MS);
        pthread_mutex_lock(&reloader->lock);
        retired = reloader->retired;
        reloader->retired = NULL;
        poked = reloader->poked;
        reloader->poked = false;
        stopping = reloader->stopping;
        pthread_mutex_unlock(&reloader->lock);
        runners_free(retired);
        if (stopping)
            return NULL;
        if (asked >= 0)
            serve(reloader, asked);
        else if (poked)
            try_unasked(reloader);
        else if (monotonic_ms() - reloader->looked_ms >= LOOK_MS && watching(reloader)) {
            reloader->looked_ms = monotonic_ms();
            if (look(reloader))
                try_unasked(reloader);
        }
    }
}

static void ring(struct reloader *reloader)
{
    uint64_t one = 1;
    ssize_t written = write(reloader->event, &one, sizeof(one));

    (void)written; /* without it the thread looks within LOOK_MS */
}

static struct reloader *reloader_new(const struct reloader_options *options)
{
    struct reloader *reloader = xcalloc(1, sizeof(*reloader));

    reloader->options = *options;
    reloader->options.shadow.given_up = &reloader->given_up;
    reloader->trial = reloader->options.shadow.log = log_new(options->log, "trial");
    reloader->running = code_keep(options->running);
    reloader->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (reloader->event < 0)
        stop_out_of_memory("an eventfd");
    reloader->control = JOB_SOCKET_NONE;
    reloader->connection = -1;
    pthread_mutex_init(&reloader->lock, NULL);
    pthread_cond_init(&reloader->answered, NULL);
    buffer_init(&reloader->said, 0);
    return reloader;
}

static void thread_start(struct reloader *reloader)
{
    xthread_create(&reloader->thread, thread_main, reloader, "the reloader");
    (void)pthread_setname_np(reloader->thread, "reloader");
}

struct reloader *reloader_start(const struct reloader_options *options)
{
    struct reloader *reloader = reloader_new(options);
    struct error error;

    if (!job_socket_listen(options->shadow.job->path, &reloader->control, &error))
        log_warn(options->log, "`luaduct reload` cannot reach this process: %s", error.text);
    watch_from_start(reloader);
    thread_start(reloader);
    return reloader;
}

bool reloader_replace(struct reloader **reloader, const char *why)
{
    struct reloader *stuck = *reloader, *next;
    struct reloader_options options = stuck->options;
    char *answer;
    int connection;

    pthread_mutex_lock(&stuck->lock);
    if (!stuck->busy_ms) { /* it has come back a moment ago */
        pthread_mutex_unlock(&stuck->lock);
        return false;
    }
    options.running = stuck->running;
    next = reloader_new(&options);
    next->before = stuck;
    next->control = stuck->control;
    next->files = stuck->files;
    next->file_count = stuck->file_count;
    next->file_capacity = stuck->file_capacity;
    next->retired = stuck->retired;
    next->poked = stuck->poked;
    connection = stuck->connection;
    stuck->control = JOB_SOCKET_NONE;
    stuck->connection = -1;
    stuck->files = NULL;
    stuck->file_count = stuck->file_capacity = 0;
    stuck->retired = NULL;
    stuck->abandoned = stuck->stopping = true;
    pthread_mutex_unlock(&stuck->lock);
    atomic_store(&stuck->given_up, true);
    metric_add(options.stats->reloads_refused, 1);
    if (connection >= 0) {
        answer = xasprintf("-%s", why);
        job_socket_answer(connection, str_of(answer));
        free(answer);
    }
    thread_start(next);
    *reloader = next;
    return true;
}

/* Its thread has ended. */
static void reloader_free(struct reloader *reloader)
{
    runners_free(reloader->retired);
    code_drop(reloader->offered);
    code_drop(reloader->running);
    buffer_release(&reloader->said);
    log_free(reloader->trial);
    watch_forget(reloader);
    free(reloader->files);
    job_socket_close(&reloader->control);
    close(reloader->event);
    pthread_cond_destroy(&reloader->answered);
    pthread_mutex_destroy(&reloader->lock);
    free(reloader);
}

bool reloader_stop(struct reloader *reloader)
{
    struct timespec until;

    if (!reloader)
        return true;
    pthread_mutex_lock(&reloader->lock);
    reloader->stopping = true;
    atomic_store(&reloader->given_up, true);
    pthread_cond_signal(&reloader->answered);
    pthread_mutex_unlock(&reloader->lock);
    ring(reloader);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_MS / 1000;
    if (pthread_timedjoin_np(reloader->thread, NULL, &until) != 0)
        return false;
    while (reloader) {
        struct reloader *before = reloader->before;

        reloader_free(reloader);
        if (before && pthread_tryjoin_np(before->thread, NULL) != 0)
            return false;
        reloader = before;
    }
    return true;
}

void reloader_poke(struct reloader *reloader)
{
    pthread_mutex_lock(&reloader->lock);
    reloader->poked = true;
    pthread_mutex_unlock(&reloader->lock);
    ring(reloader);
}

struct code *reloader_next(struct reloader *reloader, struct buffer *said)
{
    struct code *code;

    pthread_mutex_lock(&reloader->lock);
    code = reloader->offered;
    reloader->offered = NULL;
    if (code)
        buffer_append_str(said, buffer_str(&reloader->said));
    pthread_mutex_unlock(&reloader->lock);
    return code;
}

void reloader_answer(struct reloader *reloader, bool accepted, const char *text)
{
    pthread_mutex_lock(&reloader->lock);
    reloader->accepted = accepted;
    reloader->waiting = false;
    buffer_clear(&reloader->said);
    buffer_append_str(&reloader->said, str_of(text));
    pthread_cond_signal(&reloader->answered);
    pthread_mutex_unlock(&reloader->lock);
}

void reloader_running(struct reloader *reloader, struct code *code)
{
    struct code *before;

    pthread_mutex_lock(&reloader->lock);
    before = reloader->running;
    reloader->running = code_keep(code);
    pthread_mutex_unlock(&reloader->lock);
    code_drop(before);
}

void reloader_retire(struct reloader *reloader, struct runner *runners)
{
    struct runner *last = runners;

    if (!runners)
        return;
    while (last->next)
        last = last->next;
    pthread_mutex_lock(&reloader->lock);
    last->next = reloader->retired;
    reloader->retired = runners;
    pthread_mutex_unlock(&reloader->lock);
    ring(reloader);
}

bool reloader_is_stuck(struct reloader *reloader, int64_t now_ms)
{
    int64_t busy_ms;

    pthread_mutex_lock(&reloader->lock);
    busy_ms = reloader->busy_ms;
    pthread_mutex_unlock(&reloader->lock);
    return busy_ms && now_ms - busy_ms > steps_stuck_ms(STUCK_MS);
}
