/* queue.c: a ring under one mutex. A hand-over carries a thousand records, so the lock costs well under a nanosecond a record. */
#include "pipeline/queue.h"

#include <stdlib.h>

void queue_init(struct queue *queue, size_t capacity)
{
    assert(capacity > 0);
    memset(queue, 0, sizeof(*queue));
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, NULL);
    queue->slots = xcalloc(capacity, sizeof(*queue->slots));
    queue->capacity = capacity;
}

void queue_release(struct queue *queue)
{
    if (!queue->slots)
        return;
    assert(queue->count == 0);
    free(queue->slots);
    queue->slots = NULL;
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
}

bool queue_try_push(struct queue *queue, struct work *work)
{
    bool pushed;

    pthread_mutex_lock(&queue->lock);
    pushed = !queue->closed && queue->count < queue->capacity;
    if (pushed) {
        queue->slots[(queue->first + queue->count) % queue->capacity] = work;
        queue->count++;
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return pushed;
}

static struct work *take_first(struct queue *queue)
{
    struct work *work = NULL;

    if (queue->count) {
        work = queue->slots[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
    }
    return work;
}

struct work *queue_pop(struct queue *queue)
{
    struct work *work;

    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed)
        pthread_cond_wait(&queue->filled, &queue->lock);
    work = take_first(queue);
    pthread_mutex_unlock(&queue->lock);
    return work;
}

struct work *queue_try_pop(struct queue *queue)
{
    struct work *work;

    pthread_mutex_lock(&queue->lock);
    work = take_first(queue);
    pthread_mutex_unlock(&queue->lock);
    return work;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}
