/* scripted.h: a source and a sink for tests of the hub, told beforehand what to do.
 * The source offers partitions, hands out numbered records, and answers commits as its script says; the sink decodes every block with the
 * record decoder and keeps the rows of committed sessions only, so that a test can ask which numbers arrived.
 * Everything is single-threaded but the workers. */
#ifndef TEST_SUPPORT_SCRIPTED_H
#define TEST_SUPPORT_SCRIPTED_H

#include <stdatomic.h>
#include <stdlib.h>

#include "maxcompute/compress.h"
#include "maxcompute/record.h"
#include "sink/sink.h"
#include "util/metrics.h"
#include "source/source.h"

enum { SCRIPT_PARTITIONS = 4, SCRIPT_NUMBERS_MAX = 100000 };

/* --- the source --- */

struct scripted_source {
    struct source base;
    int64_t records;             /* per partition */
    int64_t at[SCRIPT_PARTITIONS];
    bool assigned[SCRIPT_PARTITIONS];
    int64_t committed[SCRIPT_PARTITIONS]; /* -1: nothing */
    char metadata[SCRIPT_PARTITIONS][4200];
    unsigned commits;
    unsigned refuse_commits;     /* so many commits are refused before one passes */
    int64_t revoke_after;        /* ask partition 0 back once it has given so many records; -1: never */
    bool revoke_lost;
    bool revoked, released;
    int64_t lose_when_given;     /* partition 0 is lost when all have given so many together; 0: never */
    bool hold_start;             /* never gets ready */
    bool hold_commits;           /* commits are not answered, nor stored */
    unsigned spread; /* table partitions that the numbers go to: 3 */
    int32_t others; /* partitions that other members have */
    unsigned rejoins;
    bool fail_when_prepared;     /* the source fails some time after a record was stored */
    int64_t fail_in_fetches;
    unsigned sent; /* a bit per partition of the last commit, stored or not */
    int64_t sent_offset[SCRIPT_PARTITIONS];
    char sent_metadata[SCRIPT_PARTITIONS][4200];
    int64_t gap_at;              /* partition 0 stands there until a seek; -1: never */
    int64_t gap_end, gap_log_end;
    bool gap_told;
    int64_t last_records;        /* of the last partition, which has fewer; -1: as the others */
    int64_t first_at_last;       /* where partition 0 stood when the last partition's first record was committed; -1: never */
    unsigned idle_fetches;       /* the end is told after so many fetches that found nothing */
    int64_t hold_at;             /* no partition gives more than so many; -1: all */
    void (*on_fetch)(void *arg); /* before each fetch, in the hub's thread; NULL: nothing */
    void *on_fetch_arg;
    bool says_more;              /* deadline says "now" while there are records, as the replay source's does */
    bool paused;
    unsigned pauses;
    bool end_when_empty;
    const char *fixed_value;     /* instead of numbered JSON */
    char (*texts)[64];           /* one per number, kept for the life of the source */

    struct source_event events[16];
    struct source_partition event_partitions[16][SCRIPT_PARTITIONS];
    size_t event_first, event_count;
};

/* Handles given and not released yet, over all sources. */
static _Atomic int64_t scripted_outstanding;
static int64_t scripted_outstanding_most;

static inline struct scripted_source *scripted_of(const struct source *source)
{
    return (struct scripted_source *)source;
}

static inline struct source_event *scripted_push(struct scripted_source *script, enum source_event_kind kind)
{
    size_t slot = (script->event_first + script->event_count++) % 16;

    assert(script->event_count <= 16);
    script->events[slot] = (struct source_event){.kind = kind, .partitions = script->event_partitions[slot]};
    return &script->events[slot];
}

static inline bool scripted_start(struct source *source, struct error *error UNUSED)
{
    struct scripted_source *script = scripted_of(source);
    struct source_event *event;

    snprintf(source->cluster_id, sizeof(source->cluster_id), "cluster");
    snprintf(source->topic_id, sizeof(source->topic_id), "topic-id");
    source->partition_count = SCRIPT_PARTITIONS + script->others;
    if (script->hold_start)
        return true;
    scripted_push(script, SOURCE_READY);
    event = scripted_push(script, SOURCE_ASSIGN);
    for (int i = 0; i < SCRIPT_PARTITIONS; i++)
        ((struct source_partition *)event->partitions)[event->count++] = (struct source_partition){
            .partition = i,
            .offset = int64_max(0, script->committed[i]),
            .committed = script->committed[i] >= 0,
            .metadata = script->committed[i] >= 0 ? str_of(script->metadata[i]) : STR_NONE,
        };
    event->stored_count = event->count;
    return true;
}

static inline int scripted_descriptor(const struct source *source UNUSED)
{
    return -1;
}

static inline void scripted_assign(struct source *source, const struct source_partition *partitions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* Rule 1: a record may only be read after its partition's offset is stored. */
        assert(scripted_of(source)->committed[partitions[i].partition] >= 0);
        scripted_of(source)->assigned[partitions[i].partition] = true;
        scripted_of(source)->at[partitions[i].partition] = partitions[i].offset;
    }
}

static inline int64_t scripted_end(const struct scripted_source *script, int p)
{
    return p == SCRIPT_PARTITIONS - 1 && script->last_records >= 0 ? script->last_records : script->records;
}

static inline bool scripted_stands(const struct scripted_source *script, int p)
{
    return p == 0 && script->at[0] == script->gap_at;
}

static inline void scripted_tell_gap(struct scripted_source *script)
{
    struct source_event *event = scripted_push(script, SOURCE_GAP);

    script->gap_told = true;
    event->gap_first = script->gap_at;
    event->gap_end = script->gap_end;
    ((struct source_partition *)event->partitions)[event->count++] = (struct source_partition){.offset = script->gap_log_end};
}

/* Some records of one partition; asks partition 0 back when the script says so. */
static inline uint32_t scripted_give(struct scripted_source *script, int p, struct message *messages, int32_t *partitions, void **handles,
                                     uint32_t room)
{
    uint32_t count = 0;

    while (count < 50 && count < room && script->assigned[p] && script->at[p] < scripted_end(script, p) &&
           (script->hold_at < 0 || script->at[p] < script->hold_at) &&
           !scripted_stands(script, p)) {
        int64_t number = script->at[p] * SCRIPT_PARTITIONS + p;
        char *text = script->texts[number];

        /* A record that is given again may still be read by a worker, in a batch that will be thrown away. */
        if (!*text)
            snprintf(text, 64, "{\"n\":%lld,\"part\":\"p%lld\"}", (long long)number, (long long)(number % script->spread));
        messages[count] = (struct message){
            .value = script->fixed_value ? str_of(script->fixed_value) : str_of(text),
            .offset = script->at[p]++,
            .timestamp_ms = 1700000000000 + number,
        };
        partitions[count] = p;
        handles[count++] = NULL;
    }
    scripted_outstanding_most = int64_max(scripted_outstanding_most, atomic_fetch_add(&scripted_outstanding, count) + count);
    if (scripted_stands(script, p) && !script->gap_told)
        scripted_tell_gap(script);
    if (p == 0 && script->revoke_after >= 0 && script->at[0] >= script->revoke_after && !script->revoked) {
        struct source_event *event = scripted_push(script, script->revoke_lost ? SOURCE_LOST : SOURCE_REVOKE);

        script->revoked = true;
        script->assigned[0] = false;
        ((struct source_partition *)event->partitions)[event->count++] = (struct source_partition){.partition = 0};
    }
    return count;
}

/* Partitions take turns; less than room only when nothing is left. */
static inline uint32_t scripted_fetch(struct source *source, struct message *messages, int32_t *partitions, void **handles, uint32_t room)
{
    struct scripted_source *script = scripted_of(source);
    uint32_t count = 0, before;
    bool done = true;

    if (script->on_fetch)
        script->on_fetch(script->on_fetch_arg);
    if (script->fail_in_fetches && --script->fail_in_fetches == 0)
        error_set(&scripted_push(script, SOURCE_ERROR)->error, ERROR_FATAL, "failed by the script");
    do {
        before = count;
        for (int p = 0; p < SCRIPT_PARTITIONS && !script->paused; p++)
            count += scripted_give(script, p, messages + count, partitions + count, handles + count, room - count);
    } while (count > before && count < room);
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        done &= script->at[p] >= scripted_end(script, p) || (p == 0 && script->revoked);
    if (done && script->idle_fetches) {
        script->idle_fetches--;
    } else if (done && script->end_when_empty) {
        script->end_when_empty = false;
        scripted_push(script, SOURCE_END);
    }
    return count;
}

static inline void scripted_release_handles(void **handles UNUSED, uint32_t count)
{
    atomic_fetch_sub(&scripted_outstanding, count);
}

static inline bool scripted_next(struct source *source, struct source_event *event_out)
{
    struct scripted_source *script = scripted_of(source);

    if (!script->event_count)
        return false;
    *event_out = script->events[script->event_first];
    script->event_first = (script->event_first + 1) % 16;
    script->event_count--;
    return true;
}

static inline void scripted_release(struct source *source, const int32_t *partitions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        scripted_of(source)->released |= partitions[i] == 0;
}

static inline void scripted_pause(struct source *source)
{
    scripted_of(source)->paused = true;
    scripted_of(source)->pauses++;
}

static inline void scripted_resume(struct source *source)
{
    scripted_of(source)->paused = false;
}

static inline void scripted_seek(struct source *source, int32_t partition, int64_t offset)
{
    scripted_of(source)->at[partition] = offset;
}

static inline void scripted_commit(struct source *source, const struct source_partition *partitions, size_t count)
{
    struct scripted_source *script = scripted_of(source);
    struct source_event *event;

    script->commits++;
    script->sent = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t p = partitions[i].partition;

        assert(partitions[i].metadata.size <= 4096); /* a broker takes no more */
        script->sent |= 1u << p;
        script->sent_offset[p] = partitions[i].offset;
        snprintf(script->sent_metadata[p], sizeof(script->sent_metadata[p]), "%.*s", STR_ARG(partitions[i].metadata));
    }
    if (script->hold_commits)
        return;
    event = scripted_push(script, SOURCE_COMMITTED);
    if (script->refuse_commits) {
        script->refuse_commits--;
        event->result = COMMIT_REFUSED;
        error_set(&event->error, ERROR_RETRY, "refused by the script");
        return;
    }
    event->error.kind = ERROR_NONE;
    event->result = COMMIT_STORED;
    for (size_t i = 0; i < count; i++) {
        int32_t p = partitions[i].partition;

        assert(partitions[i].offset >= script->committed[p]); /* offsets never go back */
        script->committed[p] = partitions[i].offset;
        if (p == SCRIPT_PARTITIONS - 1 && partitions[i].offset > 0 && script->first_at_last < 0)
            script->first_at_last = script->at[0];
        snprintf(script->metadata[p], sizeof(script->metadata[p]), "%.*s", STR_ARG(partitions[i].metadata));
        if (script->fail_when_prepared && strstr(script->metadata[p], " epoch="))
            script->fail_in_fetches = 1;
    }
}

static inline void scripted_rejoin(struct source *source)
{
    scripted_of(source)->rejoins++;
}

static inline size_t scripted_lag(const struct source *source, struct source_lag *lags_out, size_t max UNUSED)
{
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        lags_out[p] = (struct source_lag){p, scripted_of(source)->records};
    return SCRIPT_PARTITIONS;
}

/* A loss right after the last record that the hub wanted: while it drains. */
static inline void scripted_step(struct source *source, int64_t now_ms UNUSED)
{
    struct scripted_source *script = scripted_of(source);
    struct source_event *event;
    int64_t given = 0;

    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        given += script->at[p];
    if (!script->lose_when_given || given < script->lose_when_given || script->revoked)
        return;
    script->revoked = true;
    script->assigned[0] = false;
    event = scripted_push(script, SOURCE_LOST);
    ((struct source_partition *)event->partitions)[event->count++] = (struct source_partition){.partition = 0};
}

static inline int64_t scripted_deadline(const struct source *source)
{
    const struct scripted_source *script = scripted_of(source);

    if (script->event_count)
        return 0;
    for (int p = 0; p < SCRIPT_PARTITIONS && script->says_more && !script->paused; p++)
        if (script->assigned[p] && script->at[p] < scripted_end(script, p))
            return 0;
    return INT64_MAX;
}

static inline void scripted_stop(struct source *source UNUSED, int64_t deadline_ms UNUSED)
{
}

static inline void scripted_free(struct source *source)
{
    free(scripted_of(source)->texts);
    free(source);
}

static const struct source_ops scripted_source_ops = {
    .name = "scripted",
    .start = scripted_start,
    .descriptor = scripted_descriptor,
    .fetch = scripted_fetch,
    .release_handles = scripted_release_handles,
    .next = scripted_next,
    .assign = scripted_assign,
    .release = scripted_release,
    .pause = scripted_pause,
    .resume = scripted_resume,
    .seek = scripted_seek,
    .commit = scripted_commit,
    .rejoin = scripted_rejoin,
    .lag = scripted_lag,
    .step = scripted_step,
    .deadline = scripted_deadline,
    .stop = scripted_stop,
    .free = scripted_free,
};

static inline struct scripted_source *scripted_source_new(int64_t records)
{
    struct scripted_source *script = xcalloc(1, sizeof(*script));

    script->base.ops = &scripted_source_ops;
    script->records = records;
    script->revoke_after = script->hold_at = script->gap_at = script->last_records = script->first_at_last = -1;
    script->end_when_empty = true;
    script->spread = 3;
    script->texts = xcalloc((size_t)records * SCRIPT_PARTITIONS, sizeof(*script->texts));
    for (int p = 0; p < SCRIPT_PARTITIONS; p++)
        script->committed[p] = -1;
    return script;
}

/* --- the sink --- */

/* The service's side, which outlives the sinks that use it: two sinks with one service are two processes. */
struct checked_record { /* a session that was sealed */
    struct checked_record *next;
    char id[24], spec[64];
    int64_t *numbers;
    size_t count;
    unsigned blocks;
    bool committed, expired;
};

struct checked_service {
    unsigned references;
    struct checked_record *records; /* the newest first */
    unsigned ids;
    uint16_t seen[SCRIPT_NUMBERS_MAX]; /* how often a number was committed */
    size_t rows;                       /* of sessions committed for the first time */
};

struct checked_session {
    struct sink_session base;
    struct checked_session *next;
    char spec[64];
    int64_t *numbers;
    size_t count, capacity;
    unsigned blocks;
    bool sealed, adopted;
    struct checked_record *record; /* once it is sealed, with at least one block */
};

/* What becomes of the commits of a sink. */
enum checked_commits {
    CHECKED_COMMITS_WORK,
    CHECKED_COMMITS_UNANSWERED, /* they take effect, and nobody is told */
    CHECKED_COMMITS_HELD,       /* they never arrive */
};

struct checked_sink {
    struct sink base;
    struct checked_session *sessions;
    struct block *told;
    struct checked_session *told_session;
    struct checked_service *service;
    enum checked_commits commits_mode;
    uint16_t *seen;              /* the service's */
    size_t rows, blocks, commits, sessions_opened, adopted; /* by this sink */
    size_t open_most;
    struct str encoding;         /* of the blocks */
    int64_t hold_until_ms;       /* until then blocks are taken and not acknowledged: a dead target */
    unsigned held_steps;         /* how often it was looked at meanwhile */
    bool never_ready;
    bool restless;               /* has always something to do at once: no wait takes time */
    struct { struct sink_session *session; struct block *block; } held[1024];
    size_t held_count;
    struct metric *watched;      /* a number of the hub, looked at when the target wakes up */
    int64_t watched_when_woken;
    bool wrong_partition;
    unsigned spread;             /* as the source's */
};

static inline struct checked_sink *checked_of(const struct sink *sink)
{
    return (struct checked_sink *)sink;
}

static inline void checked_start(struct sink *sink, int64_t now_ms UNUSED)
{
    if (!checked_of(sink)->never_ready)
        sink_event_push(sink, SINK_READY, NULL, NULL, NULL);
}

static inline struct sink_session *checked_open(struct sink *sink, struct str spec, void *user, int64_t now_ms UNUSED)
{
    struct checked_sink *checked = checked_of(sink);
    struct checked_session *session = xcalloc(1, sizeof(*session));
    size_t open = 0;

    session->base.user = user;
    session->next = checked->sessions;
    checked->sessions = session;
    checked->sessions_opened++;
    snprintf(session->spec, sizeof(session->spec), "%.*s", STR_ARG(spec));
    for (struct checked_session *s = checked->sessions; s; s = s->next)
        open++;
    checked->open_most = size_max(checked->open_most, open);
    return &session->base;
}

static inline void checked_put(struct sink *sink, struct sink_session *base, struct block *block, int64_t now_ms UNUSED)
{
    struct checked_sink *checked = checked_of(sink);
    struct checked_session *session = (struct checked_session *)base;
    struct record_decoder *decoder;
    const struct record_value *values;
    struct buffer body;
    struct error error;
    uint64_t rows = 0;
    int more;

    assert(!session->sealed);
    buffer_init(&body, 0);
    if (!decompress(checked->encoding, str_make(block->data, block->size), 1 << 30, &body, &error))
        abort();
    decoder = record_decoder_new(&sink->schema, buffer_str(&body));
    while ((more = record_decoder_next(decoder, &values, &error)) == 1) {
        char spec[64];

        XGROW(session->numbers, session->count, session->capacity);
        session->numbers[session->count++] = values[0].integer;
        snprintf(spec, sizeof(spec), "part=p%lld", (long long)(values[0].integer % checked->spread));
        checked->wrong_partition |= strcmp(spec, session->spec) != 0;
        rows++;
    }
    assert(more == 0 && rows == block->rows);
    record_decoder_free(decoder);
    buffer_release(&body);
    session->blocks++;
    checked->blocks++;
    sink->bytes_in_flight += block->size;
    assert(checked->held_count < COUNT_OF(checked->held));
    checked->held[checked->held_count].session = base;
    checked->held[checked->held_count++].block = block;
}

/* From here on the service remembers it, whatever becomes of the sink. */
static inline void checked_seal(struct sink *sink, struct sink_session *base, int64_t now_ms UNUSED)
{
    struct checked_session *session = (struct checked_session *)base;
    struct checked_service *service = checked_of(sink)->service;
    struct checked_record *record;

    assert(!session->sealed);
    session->sealed = true;
    if (session->blocks) {
        record = xcalloc(1, sizeof(*record));
        snprintf(record->id, sizeof(record->id), "session-%u", ++service->ids);
        memcpy(record->spec, session->spec, sizeof(record->spec));
        record->numbers = session->numbers;
        record->count = session->count;
        record->blocks = session->blocks;
        record->next = service->records;
        service->records = record;
        session->numbers = NULL;
        session->record = record;
    }
    sink_event_push(sink, SINK_SESSION_SEALED, base, NULL, NULL);
}

static inline void checked_unlink(struct checked_sink *checked, struct checked_session *session)
{
    struct checked_session **link = &checked->sessions;

    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
}

static inline void checked_session_free(struct checked_session *session)
{
    if (session)
        free(session->numbers);
    free(session);
}

/* Rows count at the first commit of an id only. */
static inline void checked_commit(struct sink *sink, struct sink_session *base, int64_t now_ms UNUSED)
{
    struct checked_sink *checked = checked_of(sink);
    struct checked_session *session = (struct checked_session *)base;
    struct checked_record *record = session->record;

    assert(session->sealed);
    if (checked->commits_mode == CHECKED_COMMITS_HELD)
        return;
    if (record && !record->committed) {
        record->committed = true;
        for (size_t i = 0; i < record->count; i++)
            checked->seen[record->numbers[i]]++;
        checked->rows += record->count;
        checked->service->rows += record->count;
    }
    checked->commits++;
    if (checked->commits_mode == CHECKED_COMMITS_WORK)
        sink_event_push(sink, SINK_SESSION_COMMITTED, base, NULL, NULL);
}

static inline struct checked_record *checked_record_find(const struct checked_service *service, struct str id)
{
    struct checked_record *record = service->records;

    while (record && !str_is(id, record->id))
        record = record->next;
    return record;
}

static inline struct sink_session *checked_adopt(struct sink *sink, struct str spec, struct str id, unsigned blocks, uint64_t rows,
                                                 void *user, int64_t now_ms)
{
    struct checked_sink *checked = checked_of(sink);
    struct checked_session *session = xcalloc(1, sizeof(*session));
    struct checked_record *record = checked_record_find(checked->service, id);
    struct error error = {0};

    session->base.user = user;
    session->next = checked->sessions;
    checked->sessions = session;
    checked->adopted++;
    snprintf(session->spec, sizeof(session->spec), "%.*s", STR_ARG(spec));
    session->sealed = session->adopted = true;
    session->record = record;
    if (!record || (record->expired && !record->committed)) {
        error_set(&error, ERROR_FATAL, "session %.*s is %s", STR_ARG(id), record ? "expired" : "not known");
        sink_event_push(sink, SINK_SESSION_UNKNOWN, &session->base, NULL, &error);
    } else if (!str_is(spec, record->spec) || record->blocks != blocks || record->count != rows) {
        error_set(&error, ERROR_FATAL, "session %.*s has %u blocks and %zu rows in %s, not %u and %llu in %.*s", STR_ARG(id), record->blocks,
                  record->count, record->spec, blocks, (unsigned long long)rows, STR_ARG(spec));
        sink_event_push(sink, SINK_FAILED, NULL, NULL, &error);
    } else {
        checked_commit(sink, &session->base, now_ms);
    }
    return &session->base;
}

/* Only looks. */
static inline struct sink_session *checked_ask(struct sink *sink, struct str spec, struct str id, unsigned blocks UNUSED,
                                               uint64_t rows UNUSED, void *user, int64_t now_ms)
{
    struct checked_session *session = (struct checked_session *)checked_open(sink, spec, user, now_ms);

    session->record = checked_record_find(checked_of(sink)->service, id);
    sink_event_push(sink, session->record && session->record->committed ? SINK_SESSION_COMMITTED : SINK_SESSION_OPEN, &session->base,
                    NULL, NULL);
    return &session->base;
}

static inline const char *checked_session_id(const struct sink_session *base)
{
    const struct checked_session *session = (const struct checked_session *)base;

    return session->record ? session->record->id : NULL;
}

static inline void checked_drop(struct sink *sink, struct sink_session *base)
{
    struct checked_sink *checked = checked_of(sink);
    size_t kept = 0;

    for (size_t i = 0; i < checked->held_count; i++) {
        if (checked->held[i].session == base) {
            sink->bytes_in_flight -= checked->held[i].block->size;
            block_free(checked->held[i].block);
        } else {
            checked->held[kept++] = checked->held[i];
        }
    }
    checked->held_count = kept;
    sink_events_drop(sink, base);
    if (checked->told_session == (struct checked_session *)base)
        checked->told_session = NULL;
    checked_unlink(checked_of(sink), (struct checked_session *)base);
    checked_session_free((struct checked_session *)base);
}

static inline void checked_step(struct sink *sink, int64_t now_ms, int64_t wall_ms UNUSED)
{
    struct checked_sink *checked = checked_of(sink);

    if (now_ms < checked->hold_until_ms) {
        checked->held_steps++;
        return;
    }
    if (checked->watched && !checked->watched_when_woken)
        checked->watched_when_woken = metric_get(checked->watched);
    for (size_t i = 0; i < checked->held_count; i++) {
        sink->bytes_in_flight -= checked->held[i].block->size;
        sink_event_push(sink, SINK_BLOCK_ACKED, checked->held[i].session, checked->held[i].block, NULL);
    }
    checked->held_count = 0;
}

static inline int64_t checked_deadline(const struct sink *sink)
{
    struct checked_sink *checked = checked_of(sink);

    return sink->events_first || checked->restless ? 0 : checked->held_count ? checked->hold_until_ms : INT64_MAX;
}

static inline void checked_told_free(struct checked_sink *checked)
{
    block_free(checked->told);
    checked->told = NULL;
    if (checked->told_session) {
        checked_unlink(checked, checked->told_session);
        checked_session_free(checked->told_session);
    }
    checked->told_session = NULL;
}

static inline bool checked_next(struct sink *sink, struct sink_event *event_out)
{
    struct checked_sink *checked = checked_of(sink);

    checked_told_free(checked);
    if (!sink_event_pop(sink, event_out))
        return false;
    if (event_out->kind == SINK_BLOCK_ACKED)
        checked->told = event_out->block;
    if (sink_event_ends(event_out))
        checked->told_session = (struct checked_session *)event_out->session;
    return true;
}

static inline struct checked_service *checked_service_new(void)
{
    struct checked_service *service = xcalloc(1, sizeof(*service));

    service->references = 1;
    return service;
}

/* Gives up one reference: the creator's or a sink's. */
static inline void checked_service_free(struct checked_service *service)
{
    if (--service->references)
        return;
    while (service->records) {
        struct checked_record *record = service->records;

        service->records = record->next;
        free(record->numbers);
        free(record);
    }
    free(service);
}

static inline void checked_free(struct sink *sink)
{
    struct checked_sink *checked = checked_of(sink);

    checked_told_free(checked);
    sink_events_drop(sink, NULL);
    for (size_t i = 0; i < checked->held_count; i++)
        block_free(checked->held[i].block);
    checked->held_count = 0;
    while (checked->sessions)
        checked_drop(sink, &checked->sessions->base);
    mc_schema_release(&sink->schema);
    checked_service_free(checked->service);
    free(checked);
}

static const struct sink_ops checked_sink_ops = {
    .name = "checked",
    .start = checked_start,
    .session_open = checked_open,
    .block_put = checked_put,
    .session_seal = checked_seal,
    .session_commit = checked_commit,
    .session_drop = checked_drop,
    .session_adopt = checked_adopt,
    .session_ask = checked_ask,
    .session_id = checked_session_id,
    .step = checked_step,
    .deadline = checked_deadline,
    .next = checked_next,
    .free = checked_free,
};

/* Takes the schema. The service stays the caller's as well. */
static inline struct checked_sink *checked_sink_new_on(struct mc_schema *schema, struct checked_service *service)
{
    struct checked_sink *checked = xcalloc(1, sizeof(*checked));

    checked->base.ops = &checked_sink_ops;
    checked->encoding = STR("deflate");
    checked->spread = 3;
    checked->base.schema = *schema;
    memset(schema, 0, sizeof(*schema));
    snprintf(checked->base.table_id, sizeof(checked->base.table_id), "table-id");
    checked->service = service;
    service->references++;
    checked->seen = service->seen;
    return checked;
}

/* With a service of its own. */
static inline struct checked_sink *checked_sink_new(struct mc_schema *schema)
{
    struct checked_service *service = checked_service_new();
    struct checked_sink *checked = checked_sink_new_on(schema, service);

    checked_service_free(service);
    return checked;
}

#endif
