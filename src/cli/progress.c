/* progress.c */
#include "cli/progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOG_EVERY_TICKS = 10 };

struct progress {
    struct stats *stats;
    struct log *log;
    bool terminal;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stop; /* guarded by lock */
};

static atomic_bool line_shown;

static void hide_line(bool before)
{
    if (before && atomic_exchange(&line_shown, false))
        fputs("\r\033[K", stderr);
}

static void print_count(char *text, size_t size, int64_t count)
{
    if (count < 10000)
        snprintf(text, size, "%" PRId64, count);
    else if (count < 10 * 1000 * 1000)
        snprintf(text, size, "%.1fk", (double)count / 1e3);
    else
        snprintf(text, size, "%.2fM", (double)count / 1e6);
}

static void show(struct progress *progress, int64_t rate, bool as_log)
{
    struct stats *stats = progress->stats;
    int64_t lag_ms = metric_get(stats->lag_seconds_milli);
    char read[32], written[32], speed[32], lag[32];

    print_count(read, sizeof(read), metric_get(stats->processed));
    print_count(written, sizeof(written), metric_get(stats->written));
    print_count(speed, sizeof(speed), rate);
    print_count(lag, sizeof(lag), metric_get(stats->lag_records));
    if (as_log && !metric_get(stats->processed) && !metric_get(stats->assigned)) {
        log_info(progress->log, "waiting: no Kafka partition is assigned yet");
        return;
    }
    if (as_log) {
        log_info(progress->log,
                 "running records=%" PRId64 " rate=%" PRId64 "/s written=%" PRId64 " filtered=%" PRId64 " dirty=%" PRId64
                 " lag_records=%" PRId64 " lag_s=%" PRId64 " open_partitions=%" PRId64,
                 metric_get(stats->processed), rate, metric_get(stats->written), metric_get(stats->filtered),
                 metric_get(stats->dirty), metric_get(stats->lag_records), lag_ms / 1000, metric_get(stats->partitions_open));
        return;
    }
    fprintf(stderr,
            "\r\033[K%s records  %s/s  committed: %s written, %" PRId64 " filtered, %" PRId64 " dirty  lag %s records %" PRId64
            ".%" PRId64 " s%s",
            read, speed, written, metric_get(stats->filtered), metric_get(stats->dirty), lag, lag_ms / 1000, lag_ms % 1000 / 100,
            metric_get(stats->paused) ? "  (waiting for the target)" : "");
    fflush(stderr);
    atomic_store(&line_shown, true);
}

static void *thread_main(void *arg)
{
    struct progress *progress = arg;
    int64_t before = metric_get(progress->stats->processed), log_before = before;
    unsigned tick = 0;

    pthread_mutex_lock(&progress->lock);
    while (!progress->stop) {
        struct timespec until;
        int64_t now;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&progress->stopped, &progress->lock, &until);
        if (progress->stop)
            break;
        now = metric_get(progress->stats->processed);
        if (progress->terminal)
            show(progress, now - before, false);
        before = now;
        if (++tick % LOG_EVERY_TICKS == 0 && !progress->terminal) {
            show(progress, (now - log_before) / LOG_EVERY_TICKS, true);
            log_before = now;
        }
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

struct progress *progress_start(struct stats *stats, struct log *log)
{
    struct progress *progress = xcalloc(1, sizeof(*progress));

    progress->stats = stats;
    progress->log = log;
    progress->terminal = isatty(STDERR_FILENO);
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->stopped, NULL);
    if (progress->terminal)
        log_set_terminal_hook(hide_line);
    xthread_create(&progress->thread, thread_main, progress, "the progress display");
    return progress;
}

void progress_stop(struct progress *progress)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->stop = true;
    pthread_cond_signal(&progress->stopped);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->thread, NULL);
    hide_line(true);
    log_set_terminal_hook(NULL);
    pthread_cond_destroy(&progress->stopped);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
