/* starts.c */
#include "cli/starts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "source/kafka_admin.h"
#include "util/clock.h"

enum { SHOWN_MAX = 16 };

/* --- from the job --- */

static void print_kind(const struct engine *engine, enum start_kind kind, int64_t ms, struct buffer *text)
{
    switch (kind) {
    case START_LATEST:
        buffer_print(text, "with records that come after its start");
        break;
    case START_TIME:
        buffer_print(text, "at ");
        engine_print_time(engine, ms, text);
        break;
    case START_AGO:
        if (ms % (3600 * 1000) == 0)
            buffer_print(text, "%" PRId64 " h before its start (now that is ", ms / (3600 * 1000));
        else if (ms % (60 * 1000) == 0)
            buffer_print(text, "%" PRId64 " min before its start (now that is ", ms / (60 * 1000));
        else
            buffer_print(text, "%" PRId64 " s before its start (now that is ", ms / 1000);
        engine_print_time(engine, int64_max(clock_wall_ms() - ms, 0), text);
        buffer_print(text, ")");
        break;
    default:
        buffer_print(text, "with the earliest record");
    }
}

static void print_rule(const struct engine *engine, struct buffer *text)
{
    const struct job *job = engine->job;

    if (job->source.start != START_OFFSETS) {
        bool otherwise = job->source.start == START_COMMITTED;

        print_kind(engine, otherwise ? job->source.otherwise : job->source.start,
                   otherwise ? job->source.otherwise_ms : job->source.start_ms, text);
        return;
    }
    buffer_print(text, "at the given offsets of %zu partition%s", job->source.offset_count,
                 job->source.offset_count == 1 ? "" : "s");
    if (job->source.otherwise == START_COMMITTED)
        return;
    buffer_print(text, ", in the others ");
    print_kind(engine, job->source.otherwise, job->source.otherwise_ms, text);
}

void starts_print(const struct engine *engine, struct buffer *text)
{
    buffer_print(text, "start: where group %s stands; a job that never ran begins ", engine->job->source.group);
    print_rule(engine, text);
    buffer_append_char(text, '\n');
}

/* --- from the brokers --- */

/* Where a job that never ran would begin; the arrays go by partition number. */
static bool resolve(const struct job *job, struct kafka_admin *admin, const int64_t *begins, const int64_t *ends, int64_t *starts,
                    struct error *error)
{
    bool otherwise = job->source.start == START_COMMITTED || job->source.start == START_OFFSETS;
    enum start_kind kind = otherwise ? job->source.otherwise : job->source.start;
    int64_t ms = otherwise ? job->source.otherwise_ms : job->source.start_ms;
    int32_t count = kafka_admin_partitions(admin);

    if (job->source.start == START_OFFSETS && !kafka_start_check(job, count, begins, ends, error))
        return false;
    if (kind == START_AGO)
        ms = int64_max(clock_wall_ms() - ms, 0);
    if ((kind == START_TIME || kind == START_AGO) && !kafka_admin_offsets_at(admin, ms, starts, error))
        return false;
    for (int32_t i = 0; i < count; i++) {
        const struct start_offset *given = start_offset_find(job->source.offsets, job->source.offset_count, i);

        if (given && given->offset >= 0)
            starts[i] = given->offset;
        else if (given ? given->offset == START_AT_EARLIEST : kind != START_LATEST && kind != START_TIME && kind != START_AGO)
            starts[i] = begins[i];
        else if (given || kind == START_LATEST || starts[i] < 0) /* no record is that new */
            starts[i] = ends[i];
    }
    return true;
}

static void print_starts(const int64_t *starts, const int64_t *ends, int32_t count, struct buffer *text)
{
    int64_t before = 0;

    for (int32_t i = 0; i < count; i++) {
        before += int64_max(ends[i] - starts[i], 0);
        if (i < SHOWN_MAX)
            buffer_print(text, "%s%" PRId32 ":%" PRId64, i ? "," : "  at offsets ", i, starts[i]);
    }
    buffer_print(text, "%s; %" PRId64 " offset%s before the end of the topic\n", count > SHOWN_MAX ? ",..." : "", before,
                 before == 1 ? "" : "s");
}

static bool ask(const struct engine *engine, struct kafka_admin *admin, struct kafka_place *places, struct buffer *text,
                struct error *error)
{
    const struct job *job = engine->job;
    int32_t count = kafka_admin_partitions(admin), stored = 0;
    int64_t *begins = xcalloc((size_t)count, sizeof(*begins)), *ends = xcalloc((size_t)count, sizeof(*ends));
    int64_t *starts = xcalloc((size_t)count, sizeof(*starts));
    bool ok = true;

    for (int32_t i = 0; i < count; i++) {
        begins[i] = places[i].begin;
        ends[i] = places[i].end;
        stored += places[i].offset >= 0;
        starts[i] = places[i].offset >= 0 ? places[i].offset : places[i].begin;
    }
    if (!stored)
        ok = resolve(job, admin, begins, ends, starts, error);
    if (ok && stored) {
        buffer_print(text, "start: group %s has positions of %" PRId32 " of %" PRId32 " partition%s and goes on there",
                     job->source.group, stored, count, count == 1 ? "" : "s");
        if (stored < count)
            buffer_print(text, "; the other%s read from %s first record", count - stored == 1 ? " is" : "s are",
                         count - stored == 1 ? "its" : "their");
        buffer_append_char(text, '\n');
    } else if (ok) {
        buffer_print(text, "start: group %s has no position, so the job begins ", job->source.group);
        print_rule(engine, text);
        if (job->delivery == DELIVERY_EXACTLY_ONCE)
            buffer_print(text, "; being exactly_once it needs `luaduct run --first` for that");
        buffer_append_char(text, '\n');
    }
    if (ok)
        print_starts(starts, ends, count, text);
    free(begins);
    free(ends);
    free(starts);
    return ok;
}

bool starts_ask(const struct engine *engine, struct buffer *text, struct error *error)
{
    struct kafka_admin *admin = NULL;
    struct kafka_place *places = NULL;
    bool ok = kafka_admin_open(&admin, engine->job, ENGINE_ASK_MS, error) && kafka_admin_places(admin, &places, error) &&
              ask(engine, admin, places, text, error);

    if (admin)
        kafka_places_free(places, kafka_admin_partitions(admin));
    kafka_admin_free(admin);
    return ok;
}
