/* quota.c: a limit of n calls in a window is a ring of the last n times: the call is one too many when the oldest of them is
 * younger than the window. Tables are few: they are found by walking. */
#include "local/quota.h"
#include "local/words.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT_MAX = 100000 };

struct limit {
    uint64_t calls;    /* in the window; 0: no limit */
    int64_t window_ms;
    uint64_t at_once;  /* under way; 0: no limit */
};

struct usage {
    int64_t *times; /* the ring */
    size_t count, oldest;
    uint64_t under_way;
};

struct table_usage {
    char *table;
    struct usage usages[QUOTA_COUNT];
};

struct quotas {
    pthread_mutex_t lock;
    struct limit limits[QUOTA_COUNT];
    struct table_usage *tables;
    size_t count, capacity;
};

/* Which name the refusal has is not documented; these say the same as the names do. */
static const struct { const char *name, *text, *code; } rates[] = {
    [QUOTA_SESSIONS] = {"sessions", "new upload sessions", "RequestQuotaExceeded"},
    [QUOTA_DOWNLOADS] = {"downloads", "new download sessions", "RequestQuotaExceeded"},
    [QUOTA_BLOCKS] = {"blocks", "blocks written", "FlowExceeded"},
    [QUOTA_COMMITS] = {"commits", "commits", "RequestQuotaExceeded"},
};

/* Slots belong to a resource group and have no number of their own in the documentation. */
static const struct limit service[QUOTA_COUNT] = {
    [QUOTA_SESSIONS] = {500, 300000, 0},
    [QUOTA_DOWNLOADS] = {200, 300000, 0},
    [QUOTA_BLOCKS] = {500, 300000, 0},
    [QUOTA_COMMITS] = {75, 15000, 32},
};

static bool parse_rate(struct limit *limit, struct str value)
{
    struct str calls, window;

    return str_cut(value, '/', &calls, &window) && word_count(calls, LIMIT_MAX, &limit->calls) && limit->calls > 0 &&
           word_duration(window, &limit->window_ms) && limit->window_ms > 0;
}

static bool parse_part(struct quotas *quotas, struct str part, struct error *error)
{
    static const char *const names[] = {"service", "sessions", "downloads", "blocks", "commits", "commits_at_once", "slots"};
    struct str name, value;
    const char *nearest;

    if (str_is(part, "service")) {
        memcpy(quotas->limits, service, sizeof(service));
        return true;
    }
    if (!str_cut(part, '=', &name, &value))
        value = STR("");
    for (size_t i = 0; i < COUNT_OF(rates); i++)
        if (str_is(name, rates[i].name))
            return parse_rate(&quotas->limits[i], value) ||
                   error_set(error, ERROR_CONFIG, "\"%.*s\" is not of the form %s=CALLS/TIME, such as %s=5/10s", STR_ARG(part),
                             rates[i].name, rates[i].name);
    if (str_is(name, "commits_at_once") || str_is(name, "slots")) {
        struct limit *limit = &quotas->limits[str_is(name, "slots") ? QUOTA_SLOTS : QUOTA_COMMITS];

        return (word_count(value, LIMIT_MAX, &limit->at_once) && limit->at_once > 0) ||
               error_set(error, ERROR_CONFIG, "\"%.*s\" needs a number from 1 to %d", STR_ARG(part), LIMIT_MAX);
    }
    nearest = str_nearest(name, names, COUNT_OF(names));
    return error_set(error, ERROR_CONFIG, "unknown quota \"%.*s\"; did you mean \"%s\"? (service, sessions=N/TIME, "
                     "downloads=N/TIME, blocks=N/TIME, commits=N/TIME, commits_at_once=N, slots=N)", STR_ARG(name),
                     nearest ? nearest : "service");
}

bool quotas_parse(struct quotas **quotas_out, struct str text, struct error *error)
{
    struct quotas *quotas = xcalloc(1, sizeof(*quotas));
    bool ok = false;

    pthread_mutex_init(&quotas->lock, NULL);
    do {
        struct str part, rest;

        str_cut(text, ',', &part, &rest);
        text = rest;
        if (!parse_part(quotas, str_trim(part), error))
            goto out;
    } while (text.data);
    *quotas_out = quotas;
    quotas = NULL;
    ok = true;
out:
    quotas_free(quotas);
    return ok;
}

void quotas_free(struct quotas *quotas)
{
    if (!quotas)
        return;
    for (size_t i = 0; i < quotas->count; i++) {
        free(quotas->tables[i].table);
        for (size_t j = 0; j < QUOTA_COUNT; j++)
            free(quotas->tables[i].usages[j].times);
    }
    free(quotas->tables);
    pthread_mutex_destroy(&quotas->lock);
    free(quotas);
}

static struct usage *find_usage(struct quotas *quotas, enum quota quota, const char *table)
{
    size_t i = 0;

    while (i < quotas->count && strcmp(quotas->tables[i].table, table) != 0)
        i++;
    if (i == quotas->count) {
        XGROW(quotas->tables, quotas->count, quotas->capacity);
        quotas->tables[quotas->count++] = (struct table_usage){.table = xstrdup(table)};
    }
    return &quotas->tables[i].usages[quota];
}

static bool refuse_busy(struct refusal *refusal, int64_t wait_ms, const char *code, const char *text)
{
    refuse(refusal, 429, code, "%s", text);
    refusal->retry_after_s = (int)((wait_ms + 999) / 1000);
    return false;
}

static bool rate_begin(struct usage *usage, const struct limit *limit, enum quota quota, int64_t now_ms, struct refusal *refusal)
{
    if (!usage->times)
        usage->times = xcalloc(limit->calls, sizeof(*usage->times));
    if (usage->count == limit->calls) {
        int64_t free_ms = usage->times[usage->oldest] + limit->window_ms;

        if (now_ms < free_ms) {
            char text[160];

            snprintf(text, sizeof(text), "more than %llu %s within %lld ms on this table", (unsigned long long)limit->calls,
                     rates[quota].text, (long long)limit->window_ms);
            return refuse_busy(refusal, free_ms - now_ms, rates[quota].code, text);
        }
        usage->oldest = (usage->oldest + 1) % limit->calls;
        usage->count--;
    }
    usage->times[(usage->oldest + usage->count++) % limit->calls] = now_ms;
    return true;
}

bool quotas_begin(struct quotas *quotas, enum quota quota, const char *table, int64_t now_ms, struct refusal *refusal)
{
    bool ok = true;

    if (!quotas)
        return true;
    pthread_mutex_lock(&quotas->lock);
    const struct limit *limit = &quotas->limits[quota];
    struct usage *usage = find_usage(quotas, quota, table);

    if (limit->at_once > 0 && usage->under_way >= limit->at_once)
        ok = refuse_busy(refusal, 1000, "SlotExceeded",
                         quota == QUOTA_SLOTS ? "all slots for writing blocks are taken" : "too many commits at a time");
    if (ok && limit->calls > 0)
        ok = rate_begin(usage, limit, quota, now_ms, refusal);
    if (ok)
        usage->under_way++;
    pthread_mutex_unlock(&quotas->lock);
    return ok;
}

void quotas_end(struct quotas *quotas, enum quota quota, const char *table)
{
    if (!quotas)
        return;
    pthread_mutex_lock(&quotas->lock);
    struct usage *usage = find_usage(quotas, quota, table);

    assert(usage->under_way > 0);
    usage->under_way--;
    pthread_mutex_unlock(&quotas->lock);
}
