/* metrics.c: a list in the order of registration; printing groups what has one name, as the text format wants it. Some dozens of
 * metrics: the quadratic search at registration and printing is nothing. */
#include "util/metrics.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
    struct metric metric; /* first, so that handles stay valid while the list grows: entries are allocated one by one */
    enum metric_kind kind;
    bool milli;
    char *name, *help;
    struct label {
        char *name, *value;
    } labels[METRIC_LABELS_MAX];
};

struct metrics {
    pthread_mutex_t lock;
    char *job;
    struct entry **entries; /* by lock */
    size_t count, capacity; /* by lock */
};

struct metrics *metrics_new(const char *job)
{
    struct metrics *metrics = xcalloc(1, sizeof(*metrics));

    pthread_mutex_init(&metrics->lock, NULL);
    metrics->job = xstrdup(job ? job : "");
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < metrics->count; i++) {
        struct entry *entry = metrics->entries[i];

        free(entry->name);
        free(entry->help);
        for (size_t k = 0; k < METRIC_LABELS_MAX; k++) {
            free(entry->labels[k].name);
            free(entry->labels[k].value);
        }
        free(entry);
    }
    free(metrics->entries);
    free(metrics->job);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

struct metric *metrics_add(struct metrics *metrics, enum metric_kind kind, const char *name, const char *help,
                           const char *label_name, const char *label_value, bool milli)
{
    const struct metric_label label = {label_name, label_value};

    return metrics_add_labels(metrics, kind, name, help, &label, label_name && label_value, milli);
}

static bool same_labels(const struct entry *entry, const struct metric_label *labels, size_t label_count)
{
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
        if (!same(entry->labels[i].name, i < label_count ? labels[i].name : NULL) ||
            !same(entry->labels[i].value, i < label_count ? labels[i].value : NULL))
            return false;
    return true;
}

struct metric *metrics_add_labels(struct metrics *metrics, enum metric_kind kind, const char *name, const char *help,
                                  const struct metric_label *labels, size_t label_count, bool milli)
{
    struct entry *entry = NULL;

    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->count && !entry; i++) {
        struct entry *old = metrics->entries[i];

        if (same(old->name, name) && same_labels(old, labels, label_count))
            entry = old;
    }
    if (!entry) {
        entry = xcalloc(1, sizeof(*entry));
        entry->kind = kind;
        entry->milli = milli;
        entry->name = xstrdup(name);
        entry->help = xstrdup(help ? help : "");
        assert(label_count <= METRIC_LABELS_MAX);
        for (size_t k = 0; k < label_count; k++)
            entry->labels[k] = (struct label){xstrdup(labels[k].name), xstrdup(labels[k].value)};
        XGROW(metrics->entries, metrics->count, metrics->capacity);
        metrics->entries[metrics->count++] = entry;
    }
    pthread_mutex_unlock(&metrics->lock);
    return &entry->metric;
}

void metrics_relabel(struct metrics *metrics, struct metric *metric, const char *value)
{
    struct entry *entry = CONTAINER_OF(metric, struct entry, metric);

    pthread_mutex_lock(&metrics->lock);
    assert(entry->labels[0].name);
    free(entry->labels[0].value);
    entry->labels[0].value = xstrdup(value);
    pthread_mutex_unlock(&metrics->lock);
}

/* Quotes count in label values only. */
static void print_escaped(struct buffer *text, const char *value, bool quotes)
{
    for (; *value; value++) {
        if (*value == '\n')
            buffer_append_str(text, STR("\\n"));
        else if (*value == '\\' || (quotes && *value == '"'))
            buffer_print(text, "\\%c", *value);
        else
            buffer_append_char(text, *value);
    }
}

static void print_value(struct buffer *text, int64_t value, bool milli)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    unsigned rest = (unsigned)(size % 1000);

    if (!milli)
        buffer_print(text, " %lld\n", (long long)value);
    else if (rest == 0)
        buffer_print(text, " %s%llu\n", value < 0 ? "-" : "", (unsigned long long)(size / 1000));
    else
        buffer_print(text, " %s%llu.%03u\n", value < 0 ? "-" : "", (unsigned long long)(size / 1000), rest);
}

static void print_entry(const struct metrics *metrics, struct entry *entry, struct buffer *text)
{
    buffer_print(text, "%s{job=\"", entry->name);
    print_escaped(text, metrics->job, true);
    for (size_t i = 0; i < METRIC_LABELS_MAX && entry->labels[i].name; i++) {
        buffer_print(text, "\",%s=\"", entry->labels[i].name);
        print_escaped(text, entry->labels[i].value, true);
    }
    buffer_append_str(text, STR("\"}"));
    print_value(text, metric_get(&entry->metric), entry->milli);
}

void metrics_print(struct metrics *metrics, struct buffer *text)
{
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->count; i++) {
        struct entry *entry = metrics->entries[i];
        bool printed = false;

        for (size_t j = 0; j < i && !printed; j++)
            printed = same(metrics->entries[j]->name, entry->name);
        if (printed)
            continue;
        buffer_print(text, "# HELP %s ", entry->name);
        print_escaped(text, entry->help, false);
        buffer_print(text, "\n# TYPE %s %s\n", entry->name, entry->kind == METRIC_COUNTER ? "counter" : "gauge");
        for (size_t j = i; j < metrics->count; j++)
            if (same(metrics->entries[j]->name, entry->name))
                print_entry(metrics, metrics->entries[j], text);
    }
    pthread_mutex_unlock(&metrics->lock);
}
