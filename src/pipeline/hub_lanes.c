/* hub_lanes.c: from messages to batches that wait for a worker: a lane per Kafka partition, in which one batch fills. */
#include "pipeline/hub_internal.h"

#include <stdlib.h>

enum { LANE_MS = 1000 }; /* a record waits so long for its batch to fill, then goes with what there is */

struct batch *hub_batch_take(struct hub *hub)
{
    if (hub->pool_count)
        return hub->pool[--hub->pool_count];
    return batch_new((size_t)hub->options.job->runtime.memory_max / 4);
}

static void batch_give_back(struct hub *hub, struct batch *batch)
{
    enum { POOL_MAX = 64 };

    batch_clear(batch);
    if (hub->pool_count == POOL_MAX) {
        batch_free(batch);
        return;
    }
    XGROW(hub->pool, hub->pool_count, hub->pool_capacity);
    hub->pool[hub->pool_count++] = batch;
}

static struct work *work_take(struct hub *hub)
{
    struct work *work = hub->work_pool;

    if (!work)
        return work_new(WORK_BATCH);
    hub->work_pool = work->next;
    return work;
}

/* Keeps the struct for the next batch. */
void hub_work_give_back(struct hub *hub, struct work *work)
{
    if (work->kind != WORK_BATCH) {
        work_free(work);
        return;
    }
    if (work->batch) {
        hub->batch_bytes -= (size_t)work->bytes;
        batch_give_back(hub, work->batch);
    }
    segments_free(work->segments);
    memset(work, 0, sizeof(*work));
    work->kind = WORK_BATCH;
    work->next = hub->work_pool;
    hub->work_pool = work;
}

struct lane *hub_lane_of(struct hub *hub, int32_t partition)
{
    for (size_t i = 0; i < hub->lane_count; i++)
        if (hub->lanes[i].partition == partition)
            return &hub->lanes[i];
    XGROW(hub->lanes, hub->lane_count, hub->lane_capacity);
    hub->lanes[hub->lane_count] = (struct lane){.partition = partition};
    return &hub->lanes[hub->lane_count++];
}

void hub_lane_close(struct hub *hub, struct lane *lane)
{
    struct batch *batch = lane->filling;
    struct work *work;

    if (!batch)
        return;
    lane->filling = NULL;
    work = work_take(hub);
    batch->partition = lane->partition;
    batch->sequence = hub->sequence++;
    work->batch = batch;
    work->partition = lane->partition;
    work->offset_first = batch->offset_first;
    work->offset_next = batch->offset_next;
    work->bytes = batch->bytes;
    work->ready_ms = hub->turn_ms;
    work->next = NULL;
    *hub->ready_tail = work;
    hub->ready_tail = &work->next;
    hub->ready_count++;
}

void hub_lanes_drop(struct hub *hub, int32_t partition)
{
    struct lane *lane = hub_lane_of(hub, partition);
    struct work **link = &hub->ready_first;

    if (lane->filling) {
        hub->batch_bytes -= (size_t)lane->filling->bytes;
        batch_give_back(hub, lane->filling);
        lane->filling = NULL;
    }
    while (*link) {
        struct work *work = *link;

        if (work->partition == partition) {
            *link = work->next;
            hub->ready_count--;
            hub_work_give_back(hub, work);
        } else {
            link = &work->next;
        }
    }
    hub->ready_tail = link;
}

void hub_lanes_free(struct hub *hub)
{
    for (size_t i = 0; i < hub->lane_count; i++)
        batch_free(hub->lanes[i].filling);
    while (hub->ready_first) {
        struct work *work = hub->ready_first;

        hub->ready_first = work->next;
        work_free(work);
    }
    for (size_t i = 0; i < hub->pool_count; i++)
        batch_free(hub->pool[i]);
    while (hub->work_pool) {
        struct work *work = hub->work_pool;

        hub->work_pool = work->next;
        work_free(work);
    }
    free(hub->lanes);
    free(hub->pool);
}

bool hub_lanes_close(struct hub *hub, int64_t now_ms)
{
    bool draining = hub->state == HUB_DRAINING;
    bool idle = !hub->source_more || hub->memory_short;
    bool moved = false;

    for (size_t i = 0; i < hub->lane_count; i++) {
        struct lane *lane = &hub->lanes[(hub->lane_turn + i) % hub->lane_count];
        bool worker_idle = hub->batches_out < hub->worker_count && hub->ready_count < hub->worker_count;

        if (!lane->filling || !(draining || (idle && worker_idle) || now_ms - lane->opened_ms >= LANE_MS))
            continue;
        hub_lane_close(hub, lane);
        hub->lane_turn = (size_t)(lane - hub->lanes) + 1;
        moved = true;
    }
    return moved;
}
