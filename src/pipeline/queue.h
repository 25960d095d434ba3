/* queue.h: bounded hand-over of work between two threads.
 * Ownership: try_push takes the work on success and leaves it with the caller when the queue is full or closed; pop gives it.
 * Threads: one pusher, one popper; close may come from any thread and wakes the popper.
 * Bounds: capacity is fixed at init; try_push says no when full: the hub then pauses the source, and never waits. */
#ifndef LUADUCT_PIPELINE_QUEUE_H
#define LUADUCT_PIPELINE_QUEUE_H

#include <pthread.h>
#include "util/base.h"

struct work;

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    /* guarded by lock */
    struct work **slots;
    size_t capacity, first, count;
    bool closed;
};

void queue_init(struct queue *queue, size_t capacity);
void queue_release(struct queue *queue); /* must be empty */
bool queue_try_push(struct queue *queue, struct work *work) MUST_USE;
/* Waits; NULL once the queue is closed and empty. */
struct work *queue_pop(struct queue *queue) MUST_USE;
struct work *queue_try_pop(struct queue *queue) MUST_USE;
void queue_close(struct queue *queue);

#endif
