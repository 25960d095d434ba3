/* samples.c: the texts of a sample lie in an arena of its own, which bounds it. */
#include "pipeline/samples.h"

#include <stdatomic.h>
#include <stdlib.h>

struct sample_batch {
    _Atomic unsigned references;
    int32_t partition;
    uint32_t count;
    struct arena texts;
    struct message messages[];
};

struct samples {
    int64_t offered_ms; /* the hub's */
    pthread_mutex_t lock;
    /* guarded by lock */
    struct sample_batch *ring[SAMPLES_MAX];
    size_t first, count;
};

struct samples *samples_new(void)
{
    struct samples *samples = xcalloc(1, sizeof(*samples));

    samples->offered_ms = INT64_MIN / 2;
    pthread_mutex_init(&samples->lock, NULL);
    return samples;
}

void samples_free(struct samples *samples)
{
    if (!samples)
        return;
    for (size_t i = 0; i < samples->count; i++)
        sample_drop(samples->ring[(samples->first + i) % SAMPLES_MAX]);
    pthread_mutex_destroy(&samples->lock);
    free(samples);
}

void sample_drop(struct sample_batch *sample)
{
    if (!sample || atomic_fetch_sub_explicit(&sample->references, 1, memory_order_acq_rel) > 1)
        return;
    arena_release(&sample->texts);
    free(sample);
}

/* False: there is no room. */
static bool text_keep(struct arena *texts, struct str *text)
{
    bool absent = !text->data;

    *text = arena_try_copy(texts, *text);
    return absent || text->data;
}

static struct sample_batch *sample_copy(const struct batch *batch)
{
    uint32_t room = (uint32_t)size_min(batch->message_count, SAMPLE_ROWS_MAX);
    struct sample_batch *sample = xcalloc(1, sizeof(*sample) + room * sizeof(*sample->messages));
    struct buffer headers;

    sample->references = 1;
    sample->partition = batch->partition;
    arena_init(&sample->texts, SAMPLE_BYTES_MAX);
    buffer_init(&headers, 0);
    while (sample->count < room) {
        struct message message = batch->messages[sample->count];

        if (!message.headers.data && batch->print_headers) {
            batch_headers(batch, sample->count, &headers);
            message.headers = headers.size ? buffer_str(&headers) : STR_NONE;
        }
        if (!text_keep(&sample->texts, &message.key) || !text_keep(&sample->texts, &message.value) ||
            !text_keep(&sample->texts, &message.headers))
            break;
        sample->messages[sample->count++] = message;
    }
    buffer_release(&headers);
    return sample;
}

void samples_offer(struct samples *samples, const struct batch *batch, int64_t now_ms)
{
    struct sample_batch *sample, *old = NULL;

    if (now_ms - samples->offered_ms < SAMPLES_EVERY_MS || batch->message_count == 0)
        return;
    samples->offered_ms = now_ms;
    sample = sample_copy(batch);
    if (!sample->count) { /* its first record alone is too large */
        sample_drop(sample);
        return;
    }
    pthread_mutex_lock(&samples->lock);
    if (samples->count == SAMPLES_MAX) {
        old = samples->ring[samples->first];
        samples->first = (samples->first + 1) % SAMPLES_MAX;
        samples->count--;
    }
    samples->ring[(samples->first + samples->count++) % SAMPLES_MAX] = sample;
    pthread_mutex_unlock(&samples->lock);
    sample_drop(old);
}

size_t samples_take(struct samples *samples, struct sample_batch *taken[SAMPLES_MAX])
{
    size_t count;

    pthread_mutex_lock(&samples->lock);
    count = samples->count;
    for (size_t i = 0; i < count; i++) {
        taken[i] = samples->ring[(samples->first + i) % SAMPLES_MAX];
        atomic_fetch_add_explicit(&taken[i]->references, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&samples->lock);
    return count;
}

void sample_load(const struct sample_batch *sample, struct batch *batch)
{
    batch->partition = sample->partition;
    for (uint32_t i = 0; i < sample->count; i++)
        batch_add_message(batch, &sample->messages[i], NULL);
}
