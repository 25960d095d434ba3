/* hub.c: one turn of the loop: the sink's news, the source's news, what workers bring back, the epochs' transitions, new records,
 * work for idle workers, then one wait. Everything is counted and decided here; nothing blocks.
 *
 * Back-pressure: when batches, gathered chunks and blocks in flight hold more than half of runtime.memory_max, or enough batches
 * wait for a worker, nothing is fetched; after some seconds the source is paused, but polled again, for its group membership
 * lives from it. */
#include "pipeline/hub_internal.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/budget.h"
#include "pipeline/steps.h"
#include "route/route.h"

enum {
    BATCH_BYTES_MAX = BUDGET_BATCH_BYTES,
    WORKER_DEPTH = BUDGET_WORKER_DEPTH,
    PAUSE_AFTER_MS = 10 * 1000, /* resuming costs librdkafka a second, so short stalls are just not fetched for */
    POLL_MS = 1000,             /* paused or idle: fetch is called at least so often */
    TICK_MS = 500,
    STUCK_MS = 120 * 1000,
    SHARE_MS = 30 * 1000,
};

struct hub *hub_new(const struct hub_options *options)
{
    struct hub *hub = xcalloc(1, sizeof(*hub));

    hub->options = *options;
    hub->ready_tail = &hub->ready_first;
    hub->code = code_new(options->job, true);
    hub->log_level = options->job->log.level;
    pthread_mutex_init(&hub->reload_lock, NULL);
    return hub;
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    assert(!hub_stuck(hub));
    for (size_t i = 0; i < hub->worker_count; i++)
        worker_free(hub->workers[i]);
    free(hub->workers);
    free(hub->worker_progress_ms);
    free(hub->has);
    code_drop(hub->code);
    code_drop(hub->proven);
    samples_free(hub->samples);
    pthread_mutex_destroy(&hub->reload_lock);
    hub_lanes_free(hub);
    epochs_free(hub->epochs);
    free(hub);
}

void hub_stop(struct hub *hub)
{
    atomic_store(&hub->stop_wanted, true);
    http_wake(hub->options.http);
}

bool hub_finished(const struct hub *hub)
{
    return hub->source_ended;
}

bool hub_stuck(const struct hub *hub)
{
    return hub->worker_stuck || hub->trial_stuck;
}

bool hub_worker_stuck(const struct hub *hub)
{
    return hub->worker_stuck;
}

bool hub_undone(const struct hub *hub)
{
    return hub->undone;
}

const struct tally *hub_tallies(const struct hub *hub, size_t *count_out)
{
    *count_out = 0;
    return hub->epochs ? epochs_tallies(hub->epochs, count_out) : NULL;
}

const struct counts *hub_counts(const struct hub *hub)
{
    static const struct counts none;

    return hub->epochs ? epochs_counts(hub->epochs) : &none;
}

const struct dirty_reasons *hub_dirty_reasons(const struct hub *hub)
{
    return hub->epochs ? epochs_dirty_reasons(hub->epochs) : NULL;
}

static void counts_sum(struct chain_counts *into, const struct chain_counts *more)
{
    into->rows_in += more->rows_in;
    into->rows_out += more->rows_out;
    into->filtered += more->filtered;
    into->dirty += more->dirty;
    into->expanded += more->expanded;
    into->nanoseconds += more->nanoseconds;
}

struct chain_counts hub_stage_counts(const struct hub *hub, size_t stage)
{
    struct chain_counts sum = {0};

    for (size_t i = 0; i < hub->worker_count; i++)
        counts_sum(&sum, chain_counts(worker_chain(hub->workers[i]), stage));
    return sum;
}

bool hub_decoder_counts(const struct hub *hub, struct chain_counts *counts_out)
{
    struct chain_counts of_worker;
    bool any = false;

    *counts_out = (struct chain_counts){0};
    for (size_t i = 0; i < hub->worker_count; i++) {
        any |= chain_decoder_counts(worker_chain(hub->workers[i]), &of_worker);
        counts_sum(counts_out, &of_worker);
    }
    return any;
}

/* --- opening --- */

static void wake_hub(void *arg)
{
    struct hub *hub = arg;

    http_wake(hub->options.http);
}

static bool start_workers(struct hub *hub, struct error *error)
{
    const struct job *job = hub->options.job;
    struct worker_options options = {
        .job = job,
        .code = hub->code,
        .schema = &hub->options.sink->schema,
        .topic_id = hub->topic_id,
        .record_bytes_max = epochs_record_room(hub->epochs),
        .monotonic_ms = hub->options.monotonic_ms,
        .wall_ms = hub->options.wall_ms,
        .log = hub->options.worker_log ? hub->options.worker_log : hub->options.log,
        .metrics = hub->options.stats->registry,
    };

    size_t count = size_max(job->runtime.workers, 1);

    hub->inline_worker = job->runtime.workers == 0;
    hub->workers = xcalloc(count, sizeof(*hub->workers));
    hub->worker_progress_ms = xcalloc(count, sizeof(*hub->worker_progress_ms));
    hub->has = xcalloc(count, sizeof(*hub->has));
    while (hub->worker_count < count) {
        if (!worker_new(&hub->workers[hub->worker_count], &options, error))
            return false;
        hub->worker_count++;
    }
    for (size_t i = 0; i < count && !hub->inline_worker; i++)
        worker_start(hub->workers[i], i + 1, WORKER_DEPTH, wake_hub, hub);
    hub_reload_start(hub);
    return true;
}

static int64_t revoke_ms_max(const struct job *job)
{
    int64_t poll_ms = 300 * 1000; /* librdkafka's default */

    for (size_t i = 0; i < job->source.property_count; i++)
        if (strcmp(job->source.properties[i].name, "max.poll.interval.ms") == 0)
            poll_ms = strtoll(job->source.properties[i].value, NULL, 10);
    return poll_ms / 3;
}

/* Once both ends are known: the mapping is checked against the real table, workers start, records may come. */
static bool open_epochs(struct hub *hub, struct error *error)
{
    struct hub_options *options = &hub->options;
    struct source *source = options->source;
    struct epochs_options epochs = {
        .job = options->job,
        .source = source,
        .sink = options->sink,
        .dirty = options->dirty,
        .stats = options->stats,
        .owner = {options->job->name, source->cluster_id, source->topic_id[0] ? source->topic_id : options->job->source.topic,
                  options->table, options->sink->table_id},
        .wall_ms = options->wall_ms,
        .revoke_ms_max = revoke_ms_max(options->job),
        .log = options->log,
    };

    memcpy(hub->topic_id, source->topic_id, sizeof(hub->topic_id));
    hub->epochs = epochs_new(&epochs);
    if (!start_workers(hub, error))
        return false;
    hub->state = HUB_RUNNING;
    hub->fed_ms = hub->alone_ms = options->monotonic_ms();
    hub->pause_after_ms = int64_min(PAUSE_AFTER_MS, epochs.revoke_ms_max / 2); /* fetching is also what keeps the membership */
    log_info(options->log,
             "job runs topic=%s cluster=%s table=%s delivery=%s workers=%u flush_interval_ms=%" PRId64 " code version=%s",
             options->job->source.topic, source->cluster_id[0] ? source->cluster_id : "-", options->table,
             options->job->delivery == DELIVERY_EXACTLY_ONCE ? "exactly_once" : "at_least_once", options->job->runtime.workers,
             options->job->runtime.flush_interval_ms, hub->code->version);
    return true;
}

/* Something that was read is not in the target after all, while the job drains. A bounded run goes on, and its source tells the
 * end once more; one that was asked to stop leaves it to the next run. */
static void drain_undone(struct hub *hub)
{
    if (hub->state == HUB_DRAINING && atomic_load(&hub->stop_wanted)) {
        hub->undone = true;
        return;
    }
    /* Also when the end was heard a moment ago, and the drain has not begun. */
    hub->source_ended = false;
    if (hub->state == HUB_DRAINING)
        hub->state = HUB_RUNNING;
}

/* What has to be read again: nothing of it may stay here when the source is sent back. */
static bool take_rewinds(struct hub *hub)
{
    struct source *source = hub->options.source;
    struct rewind rewind;
    bool moved = false;

    while (epochs_next_rewind(hub->epochs, &rewind)) {
        hub_lanes_drop(hub, rewind.partition);
        source->ops->seek(source, rewind.partition, rewind.offset);
        hub->source_more = moved = true;
    }
    if (moved)
        drain_undone(hub);
    return moved;
}

/* --- the source --- */

static bool may_feed(const struct hub *hub)
{
    return hub->state == HUB_RUNNING && !hub->memory_short && hub->ready_count < 2 * hub->worker_count &&
           !epochs_full(hub->epochs);
}

/* One call of the source's fetch. Messages of partitions that are not ours today go back at once. */
static uint32_t fetch(struct hub *hub, int64_t now_ms)
{
    struct source *source = hub->options.source;
    const struct job *job = hub->options.job;
    struct lane *lane = NULL; /* of the record in hand, unless it is not ours */
    uint32_t room = HUB_FETCH_ROOM;
    uint32_t count;
    int64_t bytes = 0;

    /* While draining nothing is kept, but the group still wants its members to fetch. */
    if (hub->state == HUB_RUNNING && hub->options.records_max >= 0)
        room = (uint32_t)int64_min(room, hub->options.records_max - hub->fetched);
    count = room ? source->ops->fetch(source, hub->messages, hub->partitions, hub->handles, room) : 0;
    hub->source_more = room && count == room;
    for (uint32_t i = 0; i < count; i++) {
        int64_t before;

        /* Records of one partition mostly come in runs. */
        if (i == 0 || hub->partitions[i] != hub->partitions[i - 1])
            lane = hub->state == HUB_RUNNING && epochs_accepts(hub->epochs, hub->partitions[i])
                       ? hub_lane_of(hub, hub->partitions[i])
                       : NULL;
        if (!lane) {
            source->ops->release_handles(&hub->handles[i], 1);
            continue;
        }
        if (!lane->filling) {
            lane->filling = hub_batch_take(hub);
            lane->filling->release = source->ops->release_handles;
            lane->filling->print_headers = job->source.fields & 1u << BUILTIN_HEADERS ? source->ops->print_headers : NULL;
            lane->opened_ms = now_ms;
        }
        before = lane->filling->bytes;
        batch_add_message(lane->filling, &hub->messages[i], hub->handles[i]);
        bytes += lane->filling->bytes - before;
        hub->fetched++;
        if (lane->filling->message_count >= job->runtime.batch_rows || lane->filling->bytes >= BATCH_BYTES_MAX)
            hub_lane_close(hub, lane);
    }
    hub->batch_bytes += (size_t)bytes;
    metric_add(hub->options.stats->fetched, count);
    metric_add(hub->options.stats->fetched_bytes, bytes);
    return count;
}

static bool work_under_way(const struct hub *hub)
{
    return hub->batches_out || hub->ready_count;
}

static void watch_memory(struct hub *hub)
{
    size_t high = (size_t)budget_data_bytes(hub->options.job);
    size_t gathered = epochs_bytes(hub->epochs);
    size_t bytes = BUDGET_BATCH_COPIES * hub->batch_bytes + gathered + hub->options.sink->bytes_in_flight +
                   (size_t)dirty_backlog(hub->options.dirty);
    bool packed = gathered > high / 2 && epochs_pack_early(hub->epochs);

    if (!hub->memory_short && bytes > high) {
        hub->memory_short = true;
        if (!hub->memory_said)
            log_info(hub->options.log, "the source is held back: %zu MiB wait for the target; runtime.memory_max bounds it",
                     bytes >> 20);
        hub->memory_said = true;
    } else if (hub->memory_short && bytes < high - high / 4) {
        hub->memory_short = false;
    }
    /* Nothing is on its way that would free memory: what is gathered in small pieces has to go before the interval is over. */
    if (hub->memory_short && !packed && !hub->batches_out && !hub->ready_count && !hub->options.sink->bytes_in_flight)
        epochs_flush(hub->epochs);
    metric_set(hub->options.stats->memory, (int64_t)bytes);
    metric_set(hub->options.stats->uploads, hub->options.sink->uploads_in_flight);
    metric_set(hub->options.stats->blocks_waiting, hub->options.sink->blocks_held - hub->options.sink->uploads_in_flight);
}

/* Takes records while they are wanted. */
static bool feed(struct hub *hub, int64_t now_ms)
{
    struct source *source = hub->options.source;
    bool moved = false;

    /* An idle source is asked as well: a member that does not fetch is put out of its group. */
    if (now_ms - hub->polled_ms >= POLL_MS)
        hub->source_more = true;
    if (may_feed(hub)) {
        hub->fed_ms = now_ms;
        if (hub->paused) {
            source->ops->resume(source);
            hub->paused = false;
            hub->source_more = true;
        }
        while (hub->source_more && may_feed(hub)) {
            hub->polled_ms = now_ms;
            moved |= fetch(hub, now_ms) > 0;
            watch_memory(hub);
        }
    } else if (!hub->paused && now_ms - hub->fed_ms >= hub->pause_after_ms) {
        source->ops->pause(source);
        hub->paused = true;
    }
    if (hub->paused && now_ms - hub->polled_ms >= POLL_MS) {
        hub->polled_ms = now_ms;
        moved |= fetch(hub, now_ms) > 0;
    }
    moved |= hub_lanes_close(hub, now_ms);
    if (hub->state == HUB_RUNNING && hub->options.records_max >= 0 && hub->fetched >= hub->options.records_max)
        hub_stop(hub);
    metric_set(hub->options.stats->paused, hub->paused);
    return moved;
}

static bool take_gap(struct hub *hub, const struct source_event *event, struct error *error)
{
    struct source *source = hub->options.source;
    const struct job *job = hub->options.job;
    int32_t partition = event->partitions[0].partition;
    int64_t log_end = event->partitions[0].offset;
    int64_t next = job->source.on_gap == ON_GAP_LATEST ? int64_max(log_end, event->gap_end) : event->gap_end;

    if (job->source.on_gap == ON_GAP_FAIL && event->gap_end > event->gap_first)
        return error_set(
            error, ERROR_FATAL,
            "up to %" PRId64 " records are lost: partition %d of topic %s no longer has offsets %" PRId64 "..%" PRId64
            " (retention, or the topic was made anew); to go on without them set source.on_gap to earliest or latest",
            event->gap_end - event->gap_first, partition, job->source.topic, event->gap_first, event->gap_end - 1);
    if (job->source.on_gap == ON_GAP_FAIL)
        return error_set(
            error, ERROR_FATAL,
            "partition %d of topic %s ends at offset %" PRId64 ", before the position %" PRId64
            " (the topic was made anew, or its brokers lost records); to go on with what it has set source.on_gap to "
            "earliest or latest",
            partition, job->source.topic, log_end, event->gap_first);
    log_warn(hub->options.log, "the position does not exist any more and the job goes on as source.on_gap says partition=%d "
             "position=%" PRId64 " goes_on_at=%" PRId64 " lost_up_to=%" PRId64, partition, event->gap_first, next,
             int64_max(next - event->gap_first, 0));
    source->ops->seek(source, partition, next);
    hub->source_more = true;
    return true;
}

static bool take_source_events(struct hub *hub, bool *moved, int64_t now_ms, struct error *error)
{
    struct source *source = hub->options.source;
    struct source_event event;

    while (source->ops->next(source, &event)) {
        *moved = true;
        switch (event.kind) {
        case SOURCE_READY:
            hub->source_ready = true;
            if (!open_epochs(hub, error))
                return false;
            break;
        case SOURCE_ASSIGN:
            if (!epochs_offer(hub->epochs, event.partitions, event.count, event.stored_count, now_ms, error))
                return false;
            hub->source_more = true;
            /* A bounded source that has got more to give: partitions of a process that has ended, or its own after a rejoin. */
            if (hub->source_ended && hub->state == HUB_DRAINING && !atomic_load(&hub->stop_wanted))
                hub->state = HUB_RUNNING;
            hub->source_ended = false;
            break;
        case SOURCE_REVOKE:
        case SOURCE_LOST:
            for (size_t i = 0; i < event.count; i++)
                hub_lanes_drop(hub, event.partitions[i].partition);
            if (event.kind == SOURCE_REVOKE)
                epochs_revoke(hub->epochs, event.partitions, event.count, now_ms);
            else
                epochs_lose(hub->epochs, event.partitions, event.count);
            if (event.kind == SOURCE_LOST)
                drain_undone(hub);
            break;
        case SOURCE_COMMITTED:
            if (!epochs_source_committed(hub->epochs, event.result, &event.error, now_ms, error))
                return false;
            hub->source_more = true;
            break;
        case SOURCE_GAP:
            if (!take_gap(hub, &event, error))
                return false;
            break;
        case SOURCE_ERROR:
            if (event.error.kind != ERROR_RETRY) {
                *error = event.error;
                return false;
            }
            log_warn(hub->options.log, "%s", event.error.text);
            break;
        case SOURCE_END:
            hub->source_ended = true;
            break;
        }
    }
    return true;
}

/* --- the sink --- */

static bool take_sink_events(struct hub *hub, struct report *report, bool *moved, struct error *error)
{
    struct hub_options *options = &hub->options;
    struct sink_event event;

    while (options->sink->ops->next(options->sink, &event)) {
        *moved = true;
        if (event.kind == SINK_READY) {
            if (!route_check(options->job, &options->sink->schema, options->probe, report))
                return error_set(error, ERROR_CONFIG, "the job does not fit the table %s", options->table);
            hub->sink_ready = true;
            if (!options->source->ops->start(options->source, error))
                return false;
        } else if (hub->epochs) {
            if (!epochs_sink_event(hub->epochs, &event, error))
                return false;
        } else if (event.kind == SINK_FAILED) {
            *error = event.error;
            return false;
        }
    }
    return true;
}

/* --- workers --- */

static bool take_result(struct hub *hub, struct work *work, size_t index, int64_t now_ms, struct error *error)
{
    bool data = work->kind == WORK_BATCH || work->kind == WORK_PACK;
    bool ok = true;

    if (work->kind == WORK_BATCH) {
        hub->batches_out--;
        hub->wait_ms_max = int64_max(hub->wait_ms_max, work->started_ms - work->ready_ms);
    }
    if (work->kind != WORK_PACK)
        ok = hub_reload_took(hub, work, index, error);
    if (data)
        ok = epochs_take(hub->epochs, work, now_ms, hub->options.wall_ms(), error) && ok;
    hub_work_give_back(hub, work);
    return ok;
}

static bool take_results(struct hub *hub, bool *moved, int64_t now_ms, struct error *error)
{
    for (size_t i = 0; i < hub->worker_count && !hub->inline_worker; i++) {
        struct work *work;

        while ((work = worker_try_take(hub->workers[i]))) {
            *moved = true;
            hub->worker_progress_ms[i] = now_ms;
            if (!take_result(hub, work, i, now_ms, error))
                return false;
        }
        if (worker_load(hub->workers[i]) && now_ms - hub->worker_progress_ms[i] > steps_stuck_ms(STUCK_MS)) {
            const char *stage = worker_stage_now(hub->workers[i]);

            hub->worker_stuck = true;
            return error_set(error, ERROR_SCRIPT,
                             "stage %s has not come back for %d s and cannot be stopped from outside (a C function called from "
                             "Lua, for instance a bad pattern); the process ends, nothing of its epoch was committed",
                             stage ? stage : "?", (int)(steps_stuck_ms(STUCK_MS) / 1000));
        }
    }
    return true;
}

bool hub_has_room(const struct hub *hub, size_t index)
{
    return hub->inline_worker || worker_load(hub->workers[index]) < WORKER_DEPTH;
}

/* The least loaded worker that has room, or the one that a partition is bound to; NULL when there is none. */
static size_t worker_for(const struct hub *hub, const struct work *work)
{
    size_t best = SIZE_MAX;

    if (hub->keeps_state && work->kind == WORK_BATCH) {
        best = (size_t)work->partition % hub->worker_count;
        return worker_load(hub->workers[best]) < WORKER_DEPTH ? best : SIZE_MAX;
    }
    for (size_t i = 0; i < hub->worker_count; i++) {
        size_t load = worker_load(hub->workers[i]);

        if (load < WORKER_DEPTH && (best == SIZE_MAX || load < worker_load(hub->workers[best])))
            best = i;
    }
    return best;
}

bool hub_give(struct hub *hub, struct work *work, size_t index, int64_t now_ms, struct error *error)
{
    struct worker *worker = hub->workers[index];

    if (work->kind == WORK_BATCH) {
        if (hub->samples)
            samples_offer(hub->samples, work->batch, now_ms);
        epochs_give(hub->epochs, work);
        hub->batches_out++;
    }
    if (hub->inline_worker) {
        work->started_ms = now_ms;
        worker_run(worker, work);
        return take_result(hub, work, index, now_ms, error);
    }
    if (worker_load(worker) == 0)
        hub->worker_progress_ms[index] = now_ms;
    if (!worker_try_give(worker, work))
        abort(); /* worker_for said that there is room */
    return true;
}

/* Blocks first: they free memory. */
static bool dispatch(struct hub *hub, bool *moved, int64_t now_ms, struct error *error)
{
    static const struct work any_pack = {.kind = WORK_PACK};
    size_t index;

    while ((index = hub->inline_worker ? 0 : worker_for(hub, &any_pack)) != SIZE_MAX) {
        struct work *work = epochs_next_pack(hub->epochs);

        if (!work)
            break;
        *moved = true;
        if (!hub_give(hub, work, index, now_ms, error))
            return false;
    }
    while (hub->ready_first && (index = hub->inline_worker ? 0 : worker_for(hub, hub->ready_first)) != SIZE_MAX) {
        struct work *work = hub->ready_first;

        hub->ready_first = work->next;
        if (!hub->ready_first)
            hub->ready_tail = &hub->ready_first;
        hub->ready_count--;
        *moved = true;
        if (!hub_give(hub, work, index, now_ms, error))
            return false;
    }
    return true;
}

/* --- numbers --- */

static void watch_lag(struct hub *hub, int64_t now_ms)
{
    enum { LAGS_MAX = 1024 };
    struct source *source = hub->options.source;
    struct stats *stats = hub->options.stats;
    struct source_lag lags[LAGS_MAX];
    int64_t records = 0, last = epochs_last_timestamp(hub->epochs), lua = 0;
    size_t count;

    if (now_ms - hub->lag_ms < TICK_MS)
        return;
    hub->lag_ms = now_ms;
    count = source->ops->lag(source, lags, LAGS_MAX);
    for (size_t i = 0; i < count; i++) {
        int64_t committed = epochs_committed(hub->epochs, lags[i].partition);

        if (committed >= 0 && lags[i].end_offset > committed)
            records += lags[i].end_offset - committed;
    }
    for (size_t i = 0; i < hub->worker_count; i++)
        lua += (int64_t)worker_lua_memory(hub->workers[i]);
    metric_set(stats->lua_memory, lua);
    metric_set(stats->batch_wait_milli, hub->wait_ms_max);
    hub->wait_ms_max = 0;
    metric_set(stats->lag_records, records);
    metric_set(stats->lag_seconds_milli, records && last ? int64_max(0, hub->options.wall_ms() - last) : 0);
    for (size_t i = 0; i < QUOTA_KINDS; i++)
        metric_set(stats->quota_waits[i], (int64_t)hub->options.sink->quota_waits[i]);
    if (hub->options.client) {
        const struct client_stats *client = client_stats(hub->options.client);

        metric_set(stats->requests, (int64_t)client->requests);
        metric_set(stats->retries, (int64_t)client->retries);
        metric_set(stats->throttled, (int64_t)client->throttled);
    }
}

/* Dirty rows in a folder are on this machine alone. A part of the topic for so long is no rebalance: others have the rest. */
static bool check_dirty_shared(struct hub *hub, int64_t now_ms, struct error *error)
{
    const struct source *source = hub->options.source;
    int64_t assigned = metric_get(hub->options.stats->assigned);

    if (dirty_is_shared(hub->options.dirty) || assigned == 0 || assigned >= source->partition_count) {
        hub->alone_ms = now_ms;
        return true;
    }
    if (now_ms - hub->alone_ms < SHARE_MS || hub->share_said)
        return true;
    hub->share_said = true;
    if (hub->options.job->delivery == DELIVERY_EXACTLY_ONCE)
        return error_set(error, ERROR_CONFIG,
                         "other members of group %s read %" PRId64 " of the %d partitions of topic %s, but dirty rows are kept "
                         "in %s, which they do not share: several processes of one job need dirty: {kafka: {topic: ...}}",
                         hub->options.job->source.group, source->partition_count - assigned, source->partition_count,
                         hub->options.job->source.topic, dirty_place(hub->options.dirty));
    log_warn(hub->options.log,
             "other members of the group read a part of the topic, but dirty rows are kept in %s, so that those of each process "
             "stay on its machine; dirty: {kafka: {topic: ...}} keeps them together assigned=%" PRId64 " of=%d",
             dirty_place(hub->options.dirty), assigned, source->partition_count);
    return true;
}

/* --- the loop --- */

static void wait(struct hub *hub, bool moved, int64_t now_ms)
{
    struct hub_options *options = &hub->options;
    struct source *source = options->source;
    struct curl_waitfd descriptor = {.fd = -1, .events = CURL_WAIT_POLLIN};
    int64_t deadline = now_ms + TICK_MS;

    deadline = int64_min(deadline, options->sink->ops->deadline(options->sink));
    /* A source that has more at hand says "now", which is no news while nothing may be fetched. */
    if (hub->sink_ready && (!hub->epochs || may_feed(hub) || source->ops->deadline(source) > now_ms))
        deadline = int64_min(deadline, source->ops->deadline(source));
    if (hub->epochs)
        deadline = int64_min(deadline, epochs_deadline(hub->epochs));
    if (moved)
        deadline = now_ms;
    /* While nothing may be fetched there is nothing to be woken for, but the answer to a commit. */
    if (hub->sink_ready && (!hub->epochs || may_feed(hub) || epochs_commit_out(hub->epochs)))
        descriptor.fd = source->ops->descriptor(source);
    http_wait(options->http, &descriptor, descriptor.fd >= 0, (int)int64_max(0, deadline - now_ms));
    if (descriptor.fd >= 0 && descriptor.revents)
        hub->source_more = true;
}

static bool drained(struct hub *hub)
{
    for (size_t i = 0; i < hub->lane_count; i++)
        if (hub->lanes[i].filling)
            return false;
    if (work_under_way(hub))
        return false;
    epochs_flush(hub->epochs);
    return epochs_idle(hub->epochs);
}

static bool turn(struct hub *hub, struct report *report, struct error *error)
{
    struct hub_options *options = &hub->options;
    int64_t now_ms = options->monotonic_ms();
    bool moved = false;

    hub->turn_ms = now_ms;
    options->sink->ops->step(options->sink, now_ms, options->wall_ms());
    if (!take_sink_events(hub, report, &moved, error))
        return false;
    if (hub->sink_ready) {
        options->source->ops->step(options->source, now_ms);
        if (!take_source_events(hub, &moved, now_ms, error))
            return false;
        /* Before the source is ready it has no records, but news: brokers that do not answer, a topic that is not there. */
        if (options->source->ops->deadline(options->source) <= now_ms)
            hub->source_more = true;
        if (!hub->epochs && hub->source_more)
            (void)fetch(hub, now_ms);
    }
    if (hub->epochs) {
        if (!take_results(hub, &moved, now_ms, error))
            return false;
        moved |= take_rewinds(hub);
        moved |= feed(hub, now_ms);
        watch_memory(hub);
        /* Before batches, so that they go to the code that is to run. */
        if (!hub_reload_step(hub, now_ms, &moved, error) || !dispatch(hub, &moved, now_ms, error) ||
            !epochs_step(hub->epochs, now_ms, options->wall_ms(), error))
            return false;
        moved |= take_rewinds(hub);
        /* What the step made due goes out in this turn, not after a wait. */
        if (!dispatch(hub, &moved, now_ms, error))
            return false;
        watch_lag(hub, now_ms);
        if (!check_dirty_shared(hub, now_ms, error))
            return false;
    }
    if (hub->state == HUB_RUNNING && (atomic_load(&hub->stop_wanted) || hub->source_ended)) {
        log_info(options->log, "draining: what was read is flushed and committed");
        hub->state = HUB_DRAINING;
        moved = true;
    }
    if (hub->state == HUB_OPENING && atomic_load(&hub->stop_wanted))
        hub->state = HUB_DONE;
    if (hub->state == HUB_DRAINING && drained(hub))
        hub->state = HUB_DONE;
    if (hub->state != HUB_DONE)
        wait(hub, moved, now_ms);
    return true;
}

bool hub_run(struct hub *hub, struct report *report, struct error *error)
{
    struct hub_options *options = &hub->options;
    bool ok = true;

    options->sink->ops->start(options->sink, options->monotonic_ms());
    while (ok && hub->state != HUB_DONE)
        ok = turn(hub, report, error);
    hub_reload_end(hub);
    if (ok && hub->epochs)
        watch_lag(hub, hub->lag_ms + TICK_MS);
    return ok;
}
