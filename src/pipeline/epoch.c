/* epoch.c: method: a short list of epochs, oldest first. epochs_step makes every transition that is possible; events only change
 * counters. One OffsetCommit is outstanding at a time (rule 4), built from today's assignment at every try (rule 7). A refusal
 * stored nothing: it is tried again as long as the partitions are held (rule 6). When what became of a request is not known, the
 * process leaves its group and joins it anew, so that no late copy of the request can be stored any more, and goes on from what
 * is stored then (rule 5). */
#include "pipeline/budget.h"
#include "pipeline/epoch_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* Epochs of two processes must never have one id, wherever they run: containers share process numbers. */
static void random_bytes(void *bytes, size_t size)
{
    ssize_t got;

    do
        got = getrandom(bytes, size, 0); /* so few bytes come at once; only a signal interrupts */
    while (got < 0 && errno == EINTR);
    assert(got == (ssize_t)size);
}

struct epochs *epochs_new(const struct epochs_options *options)
{
    struct epochs *epochs = xcalloc(1, sizeof(*epochs));
    char host[64] = "";
    uint64_t run;

    epochs->options = *options;
    epochs->dirty_max = options->job->dirty.max;
    epochs->number_next = 1;
    epochs->dirty_reasons = dirty_reasons_new();
    epochs->record_bytes_fixed = position_bytes_fixed(&options->owner);
    epochs->id_bytes = POSITION_ID_BYTES;
    (void)gethostname(host, sizeof(host) - 1);
    snprintf(epochs->by, sizeof(epochs->by), "%s:%ld", host, (long)getpid());
    random_bytes(&run, sizeof(run));
    snprintf(epochs->run, sizeof(epochs->run), "%016" PRIx64, run);
    return epochs;
}

void epoch_free(struct epoch *epoch)
{
    if (!epoch)
        return;
    gather_release(&epoch->gather);
    dirty_reasons_free(epoch->dirty_reasons);
    free(epoch->covers);
    free(epoch);
}

void epochs_free(struct epochs *epochs)
{
    if (!epochs)
        return;
    while (epochs->held_count)
        held_forget(epochs, epochs->held[0].partition);
    tickets_free(epochs);
    for (size_t i = 0; i < epochs->count; i++)
        epoch_free(epochs->list[i]);
    for (size_t i = 0; i < epochs->dropped_count; i++)
        epoch_free(epochs->dropped[i]);
    free(epochs->dropped);
    free(epochs->held);
    free(epochs->rewinds);
    free(epochs->commit_parts);
    free(epochs->unsure);
    free(epochs->tallies);
    dirty_reasons_free(epochs->dirty_reasons);
    free(epochs);
}

struct cover *epoch_cover(const struct epoch *epoch, int32_t partition)
{
    for (size_t i = 0; i < epoch->cover_count; i++)
        if (epoch->covers[i].partition == partition)
            return &epoch->covers[i];
    return NULL;
}

bool epochs_covered(const struct epochs *epochs, int32_t partition)
{
    for (size_t i = 0; i < epochs->count; i++)
        if (epoch_cover(epochs->list[i], partition))
            return true;
    return false;
}

struct tally *epochs_tally(struct epochs *epochs, int32_t partition, int64_t from)
{
    for (size_t i = 0; i < epochs->tally_count; i++)
        if (epochs->tallies[i].partition == partition)
            return &epochs->tallies[i];
    XGROW(epochs->tallies, epochs->tally_count, epochs->tally_capacity);
    epochs->tallies[epochs->tally_count] = (struct tally){.partition = partition, .from = from, .to = from};
    return &epochs->tallies[epochs->tally_count++];
}

/* --- the OffsetCommit --- */

/* Partitions under construction, with their texts in one buffer: data is set when all are there, since the buffer moves. */
struct request {
    struct source_partition *partitions;
    size_t count;
    struct buffer texts;
};

static void request_begin(struct epochs *epochs, struct request *request, enum commit_kind kind)
{
    *request = (struct request){.partitions = xcalloc(epochs->held_count + 1, sizeof(*request->partitions))};
    buffer_init(&request->texts, 0);
    epochs->commit_kind = kind;
    epochs->commit_count = 0;
    epochs->commit_finish = epochs->commit_prepare = NULL;
}

/* Stores offset and ledger for the partition, with the record of `prepare` beside them, or the idle record. */
static void request_add(struct epochs *epochs, struct request *request, const struct held *held, int64_t offset,
                        const struct counts *ledger, const struct epoch *prepare)
{
    const struct cover *cover = prepare ? epoch_cover(prepare, held->partition) : NULL;
    size_t start = request->texts.size;

    if (cover)
        epoch_record_print(epochs, prepare, cover, ledger, NULL, &request->texts);
    else
        position_print(&epochs->options.owner, &(struct position){.ledger = *ledger}, &request->texts);
    request->partitions[request->count++] = (struct source_partition){
        .partition = held->partition, .offset = offset, .metadata = {NULL, request->texts.size - start}};
    XGROW(epochs->commit_parts, epochs->commit_count, epochs->commit_capacity);
    epochs->commit_parts[epochs->commit_count++] = (struct commit_part){held->partition, held->incarnation, offset, *ledger};
}

/* False when there was nothing to send. */
static bool request_send(struct epochs *epochs, struct request *request)
{
    struct source *source = epochs->options.source;
    const char *text = request->texts.data;
    bool sent = request->count > 0;

    for (size_t i = 0; i < request->count; i++) {
        request->partitions[i].metadata.data = text;
        text += request->partitions[i].metadata.size;
    }
    if (sent) {
        epochs->commit_out = true;
        source->ops->commit(source, request->partitions, request->count);
    }
    buffer_release(&request->texts);
    free(request->partitions);
    return sent;
}

/* Rule 1: the offset where reading begins is stored before the first record. */
static void send_anchors(struct epochs *epochs)
{
    struct request request;

    request_begin(epochs, &request, COMMIT_ANCHOR);
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_ANCHORING)
            request_add(epochs, &request, &epochs->held[i], epochs->held[i].committed, &epochs->held[i].ledger, NULL);
    if (request_send(epochs, &request))
        step_reached(STEP_anchor_sent);
}

/* Rule 9, its end: the offsets behind epochs that were rolled forward. */
static void send_rolls(struct epochs *epochs)
{
    struct request request;

    request_begin(epochs, &request, COMMIT_ROLL);
    for (size_t i = 0; i < epochs->held_count; i++) {
        struct held *held = &epochs->held[i];
        struct counts ledger = held->ledger;

        if (held->state != HELD_ROLLING || !held->roll->done)
            continue;
        counts_add(&ledger, &held->roll_counts);
        request_add(epochs, &request, held, held->roll_next, &ledger, NULL);
    }
    if (request_send(epochs, &request))
        step_reached(STEP_roll_sent);
}

/* finish, prepare or both in one request. False when none of the partitions is held any more. */
static bool send_epochs(struct epochs *epochs, struct epoch *finish, struct epoch *prepare)
{
    struct request request;
    bool sent;

    request_begin(epochs, &request, COMMIT_EPOCH);
    epochs->commit_finish = finish;
    epochs->commit_prepare = prepare;
    for (size_t i = 0; i < epochs->held_count; i++) {
        const struct held *held = &epochs->held[i];
        const struct cover *ends = finish ? epoch_cover(finish, held->partition) : NULL;
        const struct cover *begins = prepare ? epoch_cover(prepare, held->partition) : NULL;
        struct counts ledger = held->ledger;

        if (ends && ends->incarnation != held->incarnation)
            ends = NULL;
        if (!ends && !begins)
            continue;
        if (ends)
            counts_add(&ledger, &ends->counts);
        request_add(epochs, &request, held, ends ? ends->next : held->committed, &ledger, begins ? prepare : NULL);
    }
    sent = request_send(epochs, &request);
    if (sent && prepare) {
        prepare->state = EPOCH_PREPARING;
        step_reached(STEP_prepare_sent);
    }
    if (sent && finish)
        step_reached(STEP_finish_sent);
    return sent;
}

/* --- its answer --- */

static void held_start(struct epochs *epochs, struct held *held)
{
    struct source *source = epochs->options.source;
    struct source_partition start = {.partition = held->partition, .offset = held->committed};

    held->state = HELD_ACTIVE;
    held->taken = held->committed;
    source->ops->assign(source, &start, 1);
}

static void count_finished(struct epochs *epochs, int32_t partition, int64_t from, int64_t to, const struct counts *counts)
{
    struct stats *stats = epochs->options.stats;
    struct tally *tally = epochs_tally(epochs, partition, from);

    tally->to = to;
    counts_add(&tally->counts, counts);
    counts_add(&epochs->counts, counts);
    metric_add(stats->read, counts->read);
    metric_add(stats->written, counts->written);
    metric_add(stats->filtered, counts->filtered);
    metric_add(stats->dirty, counts->dirty);
    metric_add(stats->expanded, counts->expanded);
}

static void finish_epoch(struct epochs *epochs, struct epoch *epoch, int64_t now_ms)
{
    struct counts total = {0};

    assert(epoch == epochs->list[0]);
    for (size_t i = 0; i < epoch->cover_count; i++) {
        const struct cover *cover = &epoch->covers[i];

        if (!held_of_cover(epochs, cover))
            continue;
        count_finished(epochs, cover->partition, cover->base, cover->next, &cover->counts);
        counts_add(&total, &cover->counts);
        epochs->last_timestamp_ms = int64_max(epochs->last_timestamp_ms, cover->timestamp_ms);
    }
    epochs->dirty_finished += epoch->dirty_rows;
    if (epoch->dirty_reasons) {
        dirty_reasons_merge(epochs->dirty_reasons, epoch->dirty_reasons);
        stats_add_dirty(epochs->options.stats, epoch->dirty_reasons);
    }
    metric_add(epochs->options.stats->epochs, 1);
    metric_set(epochs->options.stats->flush_seconds_milli, now_ms - epoch->closed_ms);
    log_debug(epochs->options.log,
              "epoch finished number=%" PRIu64 " read=%" PRId64 " written=%" PRId64 " filtered=%" PRId64 " dirty=%" PRId64
              " partitions=%zu flush_ms=%" PRId64,
              epoch->number, total.read, total.written, total.filtered, total.dirty, epoch->gather.count,
              now_ms - epoch->closed_ms);
    epochs_list_remove(epochs, 0);
    epoch_free(epoch);
}

static void commit_sessions(struct epochs *epochs, struct epoch *epoch, int64_t now_ms)
{
    struct sink *sink = epochs->options.sink;

    epoch->state = EPOCH_COMMITTING;
    for (struct target *target = epoch->gather.first; target; target = target->next) {
        if (!target->session)
            continue;
        sink->ops->session_commit(sink, target->session, now_ms);
        step_reached(STEP_commit_sent);
    }
}

/* What is stored now, partition by partition. */
static bool stored_parts(struct epochs *epochs, struct error *error)
{
    for (size_t i = 0; i < epochs->commit_count; i++) {
        const struct commit_part *part = &epochs->commit_parts[i];
        struct held *held = held_of(epochs, part->partition);

        if (!held || held->incarnation != part->incarnation)
            continue;
        if (!counts_balance(&part->ledger))
            return error_set(error, ERROR_FATAL,
                             "the ledger of partition %d does not add up; the job stops rather than lose or double a row",
                             part->partition);
        if (epochs->commit_kind == COMMIT_ROLL)
            count_finished(epochs, held->partition, held->committed, part->offset, &held->roll_counts);
        held->committed = part->offset;
        held->ledger = part->ledger;
        if (held->state == HELD_ROLLING && epochs->commit_kind == COMMIT_ROLL)
            roll_leave(epochs, held);
        if ((held->state == HELD_ROLLING && epochs->commit_kind == COMMIT_ROLL) ||
            (held->state == HELD_ANCHORING && epochs->commit_kind == COMMIT_ANCHOR))
            held_start(epochs, held);
    }
    return true;
}

static bool commit_stored(struct epochs *epochs, int64_t now_ms, struct error *error)
{
    struct epoch *finish = epochs->commit_finish, *prepare = epochs->commit_prepare;

    epochs->commit_failed_said = false;
    epochs->commit_finish = epochs->commit_prepare = NULL;
    step_reached(epochs->commit_kind == COMMIT_ANCHOR ? STEP_anchor_stored
                 : epochs->commit_kind == COMMIT_ROLL ? STEP_roll_stored
                 : prepare                            ? STEP_prepare_stored
                                                      : STEP_finish_stored);
    if (finish && prepare)
        step_reached(STEP_finish_stored);
    if (!stored_parts(epochs, error))
        return false;
    if (epochs->commit_kind != COMMIT_EPOCH)
        return true;
    if (finish)
        finish_epoch(epochs, finish, now_ms);
    if (prepare) {
        prepare->doomed = false;
        commit_sessions(epochs, prepare, now_ms);
    }
    return true;
}

static void commit_refused(struct epochs *epochs, const struct error *why, int64_t now_ms)
{
    struct epoch *prepare = epochs->commit_prepare;

    epochs->commit_finish = epochs->commit_prepare = NULL;
    if (!epochs->commit_failed_said)
        log_warn(epochs->options.log, "offsets could not be committed, trying again: %s", why->text);
    epochs->commit_failed_said = true;
    epochs->commit_not_before_ms = now_ms + COMMIT_RETRY_MS;
    if (!prepare)
        return;
    prepare->state = EPOCH_SEALED;
    for (size_t i = 0; i < epochs->count; i++) {
        if (epochs->list[i] == prepare && prepare->doomed) {
            epochs_drop_from(epochs, i);
            return;
        }
    }
}

/* A finish that may be stored: what it would have counted, until its partitions are offered again. */
static void unsure_keep(struct epochs *epochs)
{
    for (size_t i = 0; i < epochs->commit_count; i++) {
        const struct commit_part *part = &epochs->commit_parts[i];
        const struct held *held = held_of(epochs, part->partition);
        const struct cover *cover = epochs->commit_finish ? epoch_cover(epochs->commit_finish, part->partition) : NULL;
        struct unsure unsure = {.partition = part->partition, .offset = part->offset, .ledger = part->ledger};

        if (!held || held->incarnation != part->incarnation)
            continue;
        unsure.from = held->committed;
        if (epochs->commit_kind == COMMIT_ROLL)
            unsure.counts = held->roll_counts;
        else if (cover && cover->incarnation == part->incarnation)
            unsure.counts = cover->counts;
        else
            continue;
        XGROW(epochs->unsure, epochs->unsure_count, epochs->unsure_capacity);
        epochs->unsure[epochs->unsure_count++] = unsure;
    }
}

void epochs_unsure_settle(struct epochs *epochs, const struct held *held)
{
    for (size_t i = 0; i < epochs->unsure_count; i++) {
        struct unsure unsure = epochs->unsure[i];

        if (unsure.partition != held->partition)
            continue;
        epochs->unsure[i--] = epochs->unsure[--epochs->unsure_count];
        if (unsure.offset == held->committed && memcmp(&unsure.ledger, &held->ledger, sizeof(held->ledger)) == 0)
            count_finished(epochs, held->partition, unsure.from, unsure.offset, &unsure.counts);
    }
}

bool epochs_source_committed(struct epochs *epochs, enum commit_result result, const struct error *why, int64_t now_ms,
                             struct error *error)
{
    struct source *source = epochs->options.source;

    assert(epochs->commit_out);
    epochs->commit_out = false;
    switch (result) {
    case COMMIT_STORED:
        return commit_stored(epochs, now_ms, error);
    case COMMIT_REFUSED:
        if (why->kind != ERROR_RETRY) {
            *error = *why;
            return error_wrap(error, "committing offsets");
        }
        commit_refused(epochs, why, now_ms);
        return true;
    case COMMIT_UNKNOWN:
        unsure_keep(epochs);
        log_warn(epochs->options.log,
                 "whether offsets were committed is not known; the group is joined anew, and what is stored then decides: %s",
                 why->text);
        metric_add(epochs->options.stats->rejoins, 1);
        epochs->rejoining = true;
        epochs->commit_failed_said = false;
        source->ops->rejoin(source); /* tells all partitions as lost */
        return true;
    }
    return false;
}

/* --- the sink's news --- */

bool epochs_sink_event(struct epochs *epochs, const struct sink_event *event, struct error *error)
{
    struct stats *stats = epochs->options.stats;
    struct target *target = event->session ? sink_session_user(event->session) : NULL;
    struct epoch *epoch = target ? target->epoch : NULL;

    switch (event->kind) {
    case SINK_BLOCK_ACKED:
        target->blocks_out--;
        epoch->blocks_out--;
        metric_add(stats->blocks, 1);
        metric_add(stats->sent_bytes, (int64_t)event->block->size);
        step_reached(STEP_block_acked);
        break;
    case SINK_SESSION_SEALED:
        target->sealed = true;
        epoch->sealed++;
        break;
    case SINK_SESSION_COMMITTED:
        if (target->roll) {
            roll_session_committed(epochs, target);
            break;
        }
        target->committed = true;
        target->session = NULL;
        epoch->committed++;
        step_reached(STEP_committed_one);
        break;
    case SINK_SESSION_OPEN:
        roll_session_open(epochs, target);
        break;
    case SINK_SESSION_UNKNOWN:
        *error = event->error;
        target->session = NULL;
        if (target->roll)
            roll_session_unknown(epochs, target, error);
        else if (epochs_exactly_once(epochs))
            error_wrap(error, "an epoch that is prepared cannot be finished by itself; `luaduct epoch show` has the evidence and "
                              "`luaduct epoch resolve` takes your decision");
        return false;
    case SINK_FAILED:
        *error = event->error;
        return false;
    case SINK_READY:
        break;
    }
    return true;
}

/* --- transitions --- */

void epochs_close_filling(struct epochs *epochs, int64_t now_ms)
{
    struct epoch *filling = epochs_filling(epochs);

    filling->state = EPOCH_SETTLING;
    filling->closed_ms = now_ms;
    epochs->flush_wanted = false;
}

static void early_say(struct epochs *epochs, struct epoch *epoch)
{
    if (epoch->early_said)
        return;
    epoch->early_said = true;
    epochs->options.sink->flushed_early = true;
    metric_add(epochs->options.stats->early_partitions, 1);
    log_info(epochs->options.log,
             "early flush: %zu table partitions are open; raise target.partitions_open_max (%u) for larger blocks",
             epoch->gather.count, epochs->options.job->target.partitions_open_max);
}

void epochs_close_early(struct epochs *epochs, int64_t now_ms)
{
    early_say(epochs, epochs_filling(epochs));
    epochs_close_filling(epochs, now_ms);
}

/* The service's limits ask for larger and rarer flushes than the job does. */
static void late_say(struct epochs *epochs, struct epoch *epoch, const struct quota_plan *plan, const struct quota_demand *demand,
                     int64_t now_ms)
{
    char text[QUOTA_TEXT_MAX];

    epoch->late_until_ms = plan->flush_ms;
    if (epoch->late_said)
        return;
    epoch->late_said = true;
    metric_add(epochs->options.stats->late_quota, 1);
    if (now_ms - epochs->late_said_ms < LATE_SAY_MS && epochs->late_said_ms)
        return;
    epochs->late_said_ms = now_ms;
    quota_describe(epochs->options.sink->quota, plan->kind, demand, text);
    log_info(epochs->options.log, "late flush: in %" PRId64 " s and not after runtime.flush_interval, for the table's limits: %s",
             (plan->flush_ms - now_ms + 999) / 1000, text);
}

/* Whether the filling epoch has to be closed now. */
static bool filling_due(struct epochs *epochs, struct epoch *epoch, int64_t now_ms)
{
    const struct job *job = epochs->options.job;
    struct quota_demand demand;
    struct quota_epoch asked = {.opened_ms = epoch->opened_ms, .partitions = (unsigned)epoch->gather.count};
    struct quota_plan plan;

    if (epochs->flush_wanted || held_leaving_covered(epochs, epoch))
        return true;
    if (epoch->gather.count > job->target.partitions_open_max) {
        early_say(epochs, epoch);
        return true;
    }
    if (now_ms - epoch->opened_ms < job->runtime.flush_interval_ms)
        return false;
    demand = budget_demand(job);
    demand.early = epochs->options.sink->flushed_early;
    for (const struct target *target = epoch->gather.first; target; target = target->next)
        asked.sessions_made += target->session != NULL;
    plan = quota_plan(epochs->options.sink->quota, &demand, &asked, now_ms);
    if (plan.flush_ms <= now_ms)
        return true;
    late_say(epochs, epoch, &plan, &demand, now_ms);
    return false;
}

static bool settled(const struct epoch *epoch)
{
    return !epoch->packs_out && !epoch->blocks_out && !epoch->gather.bytes && !epoch->gather.due_first;
}

/* The record must fit, now that the ids are known. One that does not is given up: its next try knows how long ids are. */
static bool record_check(struct epochs *epochs, size_t index, struct error *error)
{
    size_t id_bytes = epochs->id_bytes;

    if (epoch_record_fits(epochs, epochs->list[index]))
        return true;
    if (epochs->id_bytes == id_bytes) /* trying again would not end */
        return error_set(
            error, ERROR_FATAL,
            "the record of an epoch does not fit into the %d bytes beside an offset, with %zu table partitions and %zu "
            "Kafka partitions; use shorter names, or delivery: at_least_once",
            POSITION_BYTES_MAX, epochs->list[index]->gather.count, epochs->list[index]->cover_count);
    log_warn(
        epochs->options.log,
        "the epoch's record is larger than %d bytes, since session ids are %zu bytes long; it is read again in smaller parts",
        POSITION_BYTES_MAX, epochs->id_bytes);
    epochs_drop_from(epochs, index);
    return true;
}

static bool seal(struct epochs *epochs, struct epoch *epoch, int64_t now_ms)
{
    struct sink *sink = epochs->options.sink;

    epoch->state = EPOCH_SEALING;
    for (struct target *target = epoch->gather.first; target; target = target->next)
        sink->ops->session_seal(sink, target->session, now_ms);
    return true;
}

/* One transition of the oldest epoch from sealed on. */
static bool head_step(struct epochs *epochs, int64_t now_ms)
{
    struct epoch *epoch = epochs->list[0];
    struct epoch *next = epochs->count > 1 ? epochs->list[1] : NULL;
    bool may_commit = !epochs->commit_out && !epochs->rejoining && now_ms >= epochs->commit_not_before_ms;

    switch (epoch->state) {
    case EPOCH_SEALED:
        if (!epoch->gather.count) { /* nothing for the target: offsets may move */
            epoch->state = EPOCH_FINISHING;
            return true;
        }
        if (!epochs_exactly_once(epochs)) {
            commit_sessions(epochs, epoch, now_ms);
            return true;
        }
        if (may_commit)
            (void)send_epochs(epochs, NULL, epoch);
        return false;
    case EPOCH_COMMITTING:
        if (epoch->committed < epoch->gather.count)
            return false;
        epoch->state = EPOCH_FINISHING;
        step_reached(STEP_committed_all);
        return true;
    case EPOCH_FINISHING:
        if (may_commit)
            (void)send_epochs(epochs, epoch,
                              next && epochs_exactly_once(epochs) && next->state == EPOCH_SEALED && next->gather.count ? next
                                                                                                                       : NULL);
        return false;
    default:
        return false;
    }
}

/* One transition of an epoch up to sealed; false when there is none to make, or with an error. */
static bool epoch_step(struct epochs *epochs, size_t index, int64_t now_ms, struct error *error)
{
    struct epoch *epoch = epochs->list[index];
    bool durable = false;

    switch (epoch->state) {
    case EPOCH_SETTLING:
        if (epoch->gather.bytes && !epoch->gather.due_first)
            gather_push_all(&epoch->gather);
        return settled(epoch) && seal(epochs, epoch, now_ms);
    case EPOCH_SEALING:
        if (epoch->sealed < epoch->gather.count)
            return false;
        step_reached(STEP_sealed);
        if (!dirty_sync(epochs->options.dirty, error)) {
            error_wrap(error, "dirty store");
            return false;
        }
        epoch->state = EPOCH_SYNCING;
        return true;
    case EPOCH_SYNCING:
        if (!dirty_durable(epochs->options.dirty, &durable, error)) {
            error_wrap(error, "dirty store");
            return false;
        }
        if (!durable)
            return false;
        step_reached(STEP_dirty_durable);
        epoch->state = EPOCH_SEALED;
        epoch->sealed_wall_ms = epochs->options.wall_ms();
        return !epochs_exactly_once(epochs) || !epoch->gather.count || record_check(epochs, index, error);
    default:
        return index == 0 && head_step(epochs, now_ms);
    }
}

static bool anchors_wanted(const struct epochs *epochs)
{
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_ANCHORING)
            return true;
    return false;
}

static bool rolls_done(const struct epochs *epochs)
{
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_ROLLING && epochs->held[i].roll->done)
            return true;
    return false;
}

static bool commit_possible(const struct epochs *epochs, int64_t now_ms)
{
    return !epochs->commit_out && !epochs->rejoining && now_ms >= epochs->commit_not_before_ms;
}

static void ledger_show(const struct epochs *epochs)
{
    struct stats *stats = epochs->options.stats;
    struct counts ledger = {0};

    for (size_t i = 0; i < epochs->held_count; i++)
        counts_add(&ledger, &epochs->held[i].ledger);
    metric_set(stats->ledger_read, ledger.read);
    metric_set(stats->ledger_written, ledger.written);
    metric_set(stats->ledger_filtered, ledger.filtered);
    metric_set(stats->ledger_dirty, ledger.dirty);
    metric_set(stats->ledger_expanded, ledger.expanded);
}

bool epochs_step(struct epochs *epochs, int64_t now_ms, int64_t wall_ms, struct error *error)
{
    bool moved;

    error->kind = ERROR_NONE;
    do {
        struct epoch *filling;

        moved = false;
        if (anchors_wanted(epochs) && commit_possible(epochs, now_ms))
            send_anchors(epochs);
        if (rolls_done(epochs) && commit_possible(epochs, now_ms))
            send_rolls(epochs);
        if (epochs->blocked && !epochs_intake(epochs, now_ms, wall_ms, error))
            return false;
        filling = epochs_filling(epochs);
        if (filling && epochs->count < EPOCHS_MAX && filling_due(epochs, filling, now_ms)) {
            epochs_close_filling(epochs, now_ms);
            moved = true;
        }
        for (size_t i = 0; i < epochs->count; i++) {
            moved |= epoch_step(epochs, i, now_ms, error);
            if (error->kind != ERROR_NONE)
                return false;
        }
        moved |= held_release_leaving(epochs, now_ms);
    } while (moved);
    metric_set(epochs->options.stats->partitions_open, (int64_t)epochs_targets(epochs));
    ledger_show(epochs);
    return true;
}

/* --- what the hub asks --- */

int64_t epochs_deadline(const struct epochs *epochs)
{
    const struct epoch *filling = epochs_filling(epochs);
    const struct epoch *head = epochs->count ? epochs->list[0] : NULL;
    int64_t deadline = INT64_MAX;

    if (filling && epochs->count < EPOCHS_MAX)
        deadline = int64_max(filling->opened_ms + epochs->options.job->runtime.flush_interval_ms, filling->late_until_ms);
    if (epochs->commit_out || epochs->rejoining)
        return deadline;
    if (anchors_wanted(epochs) || rolls_done(epochs) || (head && (head->state == EPOCH_FINISHING || head->state == EPOCH_SEALED)))
        deadline = int64_min(deadline, epochs->commit_not_before_ms);
    /* With a commit under way nothing is given back, however late it is: its answer is what is waited for. */
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].state == HELD_LEAVING)
            deadline = int64_min(deadline, epochs->leaving_until_ms);
    return deadline;
}

void epochs_flush(struct epochs *epochs)
{
    epochs->flush_wanted = epochs_filling(epochs) != NULL;
}

bool epochs_idle(const struct epochs *epochs)
{
    for (size_t i = 0; i < epochs->held_count; i++)
        if (epochs->held[i].tickets)
            return false;
    return !epochs->count && !epochs->commit_out;
}

bool epochs_commit_out(const struct epochs *epochs)
{
    return epochs->commit_out;
}

bool epochs_full(const struct epochs *epochs)
{
    const struct epoch *filling = epochs_filling(epochs);

    return epochs->blocked ||
           (epochs->count == EPOCHS_MAX && filling && filling->gather.count >= epochs->options.job->target.partitions_open_max);
}

size_t epochs_bytes(const struct epochs *epochs)
{
    size_t bytes = epochs->waiting_bytes;

    for (size_t i = 0; i < epochs->count; i++)
        bytes += epochs->list[i]->gather.bytes + epochs->list[i]->bytes_packing;
    for (size_t i = 0; i < epochs->dropped_count; i++)
        bytes += epochs->dropped[i]->bytes_packing;
    return bytes;
}

size_t epochs_targets(const struct epochs *epochs)
{
    size_t count = 0;

    for (size_t i = 0; i < epochs->count; i++)
        count += epochs->list[i]->gather.count;
    return count;
}

const struct counts *epochs_counts(const struct epochs *epochs)
{
    return &epochs->counts;
}

const struct dirty_reasons *epochs_dirty_reasons(const struct epochs *epochs)
{
    return epochs->dirty_reasons;
}

const struct tally *epochs_tallies(const struct epochs *epochs, size_t *count_out)
{
    *count_out = epochs->tally_count;
    return epochs->tallies;
}

int64_t epochs_last_timestamp(const struct epochs *epochs)
{
    return epochs->last_timestamp_ms;
}
