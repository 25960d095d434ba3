/* metrics.h: named numbers that the progress display and /metrics both read.
 * Ownership: metrics are added at start or when a label value appears, belong to the registry and live as long as it;
 * metrics_free frees all.
 * Threads: adding and printing take the registry's lock; values are atomics, set and added without it.
 * Names and types as Prometheus has them: counters end in _total, base units (seconds, bytes). */
#ifndef LUADUCT_UTIL_METRICS_H
#define LUADUCT_UTIL_METRICS_H

#include "util/buffer.h"
#include <stdatomic.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
    _Atomic int64_t value; /* for gauges in thousandths when scale_milli */
};

struct metrics;
struct metrics *metrics_new(const char *job) MUST_USE; /* every metric gets the label job="..." */
void metrics_free(struct metrics *metrics);
/* label_name/label_value may be NULL. The same name and label give the same metric. milli: value is in thousandths of the
 * unit. */
struct metric *metrics_add(struct metrics *metrics, enum metric_kind kind, const char *name, const char *help,
                           const char *label_name, const char *label_value, bool milli) MUST_USE;
/* The same with several labels, of which the order counts. */
enum { METRIC_LABELS_MAX = 2 };
struct metric_label {
    const char *name, *value;
};
struct metric *metrics_add_labels(struct metrics *metrics, enum metric_kind kind, const char *name, const char *help,
                                  const struct metric_label *labels, size_t label_count, bool milli) MUST_USE;
/* Gives the metric's first label another value, for a text that changes: one line on the page however often it does. */
void metrics_relabel(struct metrics *metrics, struct metric *metric, const char *value);
static inline void metric_add(struct metric *metric, int64_t amount)
{
    atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}
static inline void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}
static inline int64_t metric_get(struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}
/* Prometheus text format 0.0.4. */
void metrics_print(struct metrics *metrics, struct buffer *text);

#endif
