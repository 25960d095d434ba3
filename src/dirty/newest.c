/* newest.c: where the newest line of each identity is: a table with open addressing, at most two thirds full. Identities are kept
 * whole and not as a hash alone, for a row that is taken for another one would be missing from the list. Topics are few; their
 * names are kept once. */
#include "dirty/read.h"

#include "batch/time.h"

#include <stdlib.h>

struct entry {
    int64_t time_ms; /* INT64_MIN: a line without a time that can be read */
    int64_t offset;
    int64_t at;
    int32_t partition;
    uint32_t index;
    uint32_t topic; /* its number + 1; 0: a free place */
    uint32_t unit;
};

struct dirty_newest {
    struct entry *entries;
    size_t capacity; /* a power of two */
    size_t count;
    size_t max;
    char **topics;
    size_t topic_count, topic_capacity;
};

struct dirty_newest *dirty_newest_new(size_t max)
{
    struct dirty_newest *newest = xcalloc(1, sizeof(*newest));

    newest->max = max;
    newest->capacity = 1024;
    newest->entries = xcalloc(newest->capacity, sizeof(*newest->entries));
    return newest;
}

void dirty_newest_free(struct dirty_newest *newest)
{
    if (!newest)
        return;
    for (size_t i = 0; i < newest->topic_count; i++)
        free(newest->topics[i]);
    free(newest->topics);
    free(newest->entries);
    free(newest);
}

static struct str topic_name(const struct dirty_record *record)
{
    return record->topic_id.data ? record->topic_id : record->topic.data ? record->topic : STR("");
}

/* The number + 1; 0: not among them. */
static uint32_t topic_find(const struct dirty_newest *newest, const struct dirty_record *record)
{
    struct str name = topic_name(record);

    for (size_t i = 0; i < newest->topic_count; i++)
        if (str_is(name, newest->topics[i]))
            return (uint32_t)i + 1;
    return 0;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

/* The identity's entry, or the free place for it. */
static struct entry *entry_find(const struct dirty_newest *newest, const struct entry *wanted)
{
    uint64_t place = (uint64_t)(uint32_t)wanted->partition << 32 | wanted->index;
    uint64_t hash = mix((uint64_t)wanted->offset + mix(place) + wanted->topic);

    for (size_t i = hash & (newest->capacity - 1);; i = (i + 1) & (newest->capacity - 1)) {
        struct entry *entry = &newest->entries[i];

        if (!entry->topic || (entry->topic == wanted->topic && entry->offset == wanted->offset &&
                              entry->partition == wanted->partition && entry->index == wanted->index))
            return entry;
    }
}

static void grow(struct dirty_newest *newest)
{
    struct entry *before = newest->entries;
    size_t capacity = newest->capacity;

    newest->capacity = capacity * 2;
    newest->entries = xcalloc(newest->capacity, sizeof(*newest->entries));
    for (size_t i = 0; i < capacity; i++)
        if (before[i].topic)
            *entry_find(newest, &before[i]) = before[i];
    free(before);
}

static int64_t record_time(const struct dirty_record *record)
{
    struct instant instant;
    bool has_offset;
    int32_t offset;

    if (!record->time.data || !time_parse(record->time, &instant, &has_offset, &offset))
        return INT64_MIN;
    return (instant.seconds - (has_offset ? offset : 0)) * 1000 + instant.nanos / 1000000;
}

static struct entry entry_make(const struct dirty_record *record, struct dirty_position position, uint32_t topic)
{
    return (struct entry){
        .time_ms = record_time(record),
        .offset = record->offset,
        .at = position.at,
        .partition = record->partition,
        .index = record->index,
        .topic = topic,
        .unit = position.unit,
    };
}

bool dirty_newest_add(struct dirty_newest *newest, const struct dirty_record *record, struct dirty_position position)
{
    struct entry wanted = entry_make(record, position, topic_find(newest, record));
    struct entry *entry;

    if (!wanted.topic) {
        XGROW(newest->topics, newest->topic_count, newest->topic_capacity);
        newest->topics[newest->topic_count++] = str_dup(topic_name(record));
        wanted.topic = (uint32_t)newest->topic_count;
    }
    entry = entry_find(newest, &wanted);
    if (entry->topic) {
        if (wanted.time_ms >= entry->time_ms)
            *entry = wanted;
        return true;
    }
    if (newest->count == newest->max)
        return false;
    *entry = wanted;
    if (++newest->count > newest->capacity / 3 * 2)
        grow(newest);
    return true;
}

bool dirty_newest_is(const struct dirty_newest *newest, const struct dirty_record *record, struct dirty_position position)
{
    struct entry wanted = entry_make(record, position, topic_find(newest, record));
    const struct entry *entry = wanted.topic ? entry_find(newest, &wanted) : NULL;

    return entry && entry->topic && entry->unit == position.unit && entry->at == position.at;
}

size_t dirty_newest_count(const struct dirty_newest *newest)
{
    return newest->count;
}
