/* late.c: an unsorted array, searched for its earliest item: scripts delay a handful. Equal times keep their order. */
#include "local/late.h"
#include "util/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct entry {
    void *item;
    int64_t due_ms;
};

struct late {
    void (*run)(void *item);
    void (*drop)(void *item);
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic clock */
    /* by lock */
    struct entry entries[LATE_ITEMS_MAX];
    size_t count;
    bool stopping;
};

static size_t earliest(const struct late *late)
{
    size_t best = 0;

    for (size_t i = 1; i < late->count; i++)
        if (late->entries[i].due_ms < late->entries[best].due_ms)
            best = i;
    return best;
}

static void wait_until(struct late *late, int64_t ms)
{
    struct timespec until = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    pthread_cond_timedwait(&late->changed, &late->lock, &until);
}

static void *work(void *user)
{
    struct late *late = user;

    pthread_mutex_lock(&late->lock);
    while (!late->stopping) {
        size_t next = earliest(late);

        if (late->count == 0) {
            pthread_cond_wait(&late->changed, &late->lock);
        } else if (late->entries[next].due_ms > clock_monotonic_ms()) {
            wait_until(late, late->entries[next].due_ms);
        } else {
            void *item = late->entries[next].item;

            late->count--;
            memmove(&late->entries[next], &late->entries[next + 1], (late->count - next) * sizeof(late->entries[0]));
            pthread_mutex_unlock(&late->lock);
            late->run(item);
            late->drop(item);
            pthread_mutex_lock(&late->lock);
        }
    }
    pthread_mutex_unlock(&late->lock);
    return NULL;
}

struct late *late_new(void (*run)(void *item), void (*drop)(void *item))
{
    struct late *late = xcalloc(1, sizeof(*late));
    pthread_condattr_t monotonic;

    late->run = run;
    late->drop = drop;
    pthread_mutex_init(&late->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&late->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&late->thread, NULL, work, late) == 0)
        return late;
    pthread_cond_destroy(&late->changed);
    pthread_mutex_destroy(&late->lock);
    free(late);
    return NULL;
}

void late_push(struct late *late, void *item, int64_t delay_ms)
{
    bool taken;

    pthread_mutex_lock(&late->lock);
    taken = !late->stopping && late->count < LATE_ITEMS_MAX;
    if (taken)
        late->entries[late->count++] = (struct entry){item, clock_monotonic_ms() + delay_ms};
    pthread_cond_signal(&late->changed);
    pthread_mutex_unlock(&late->lock);
    if (!taken)
        late->drop(item);
}

void late_free(struct late *late)
{
    if (!late)
        return;
    pthread_mutex_lock(&late->lock);
    late->stopping = true;
    pthread_cond_signal(&late->changed);
    pthread_mutex_unlock(&late->lock);
    pthread_join(late->thread, NULL);
    for (size_t i = 0; i < late->count; i++)
        late->drop(late->entries[i].item);
    pthread_cond_destroy(&late->changed);
    pthread_mutex_destroy(&late->lock);
    free(late);
}
