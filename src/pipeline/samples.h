/* samples.h: copies of the newest records, for trying new code on what comes in just now (shadow.h). A batch is copied every
 * SAMPLES_EVERY_MS at most and cut at some hundred records, so that a busy job pays some ten microseconds a second.
 * Ownership: a sample is counted: the ring holds a reference, whoever took it another. Threads: offer is the hub's; take from any
 * thread, one lock. Bounds: SAMPLES_MAX samples of SAMPLE_ROWS_MAX records and SAMPLE_BYTES_MAX bytes. */
#ifndef LUADUCT_PIPELINE_SAMPLES_H
#define LUADUCT_PIPELINE_SAMPLES_H

#include "batch/batch.h"

enum {
    SAMPLES_MAX = 8,
    SAMPLE_ROWS_MAX = 256,
    SAMPLE_BYTES_MAX = 512 << 10,
    SAMPLES_EVERY_MS = 1000,
};

struct sample_batch; /* read only once it is made */
struct samples;

struct samples *samples_new(void) MUST_USE;
void samples_free(struct samples *samples);
/* The messages of a batch that is about to be run. */
void samples_offer(struct samples *samples, const struct batch *batch, int64_t now_ms);
/* What is there, oldest first; each is dropped by sample_drop. */
size_t samples_take(struct samples *samples, struct sample_batch *taken[SAMPLES_MAX]);
void sample_drop(struct sample_batch *sample);
/* Adds the messages to an empty batch, which borrows them. */
void sample_load(const struct sample_batch *sample, struct batch *batch);

#endif
