/* hub_internal.h: what the files of the hub share: its state, the batches that fill (hub_lanes.c), new code (hub_reload.c). */
#ifndef LUADUCT_PIPELINE_HUB_INTERNAL_H
#define LUADUCT_PIPELINE_HUB_INTERNAL_H

#include <stdatomic.h>

#include "pipeline/epoch.h"
#include "pipeline/hub.h"
#include "pipeline/reloader.h"
#include "pipeline/worker.h"

enum { HUB_FETCH_ROOM = 1024 };

enum hub_state { HUB_OPENING, HUB_RUNNING, HUB_DRAINING, HUB_DONE };

/* The batch that fills for one Kafka partition. */
struct lane {
    int32_t partition;
    struct batch *filling;
    int64_t opened_ms; /* when filling got its first message */
};

/* The code that a worker has, as far as its work came back; alive as long as the worker has it. */
struct worker_has {
    struct code *now, *proven;
    bool busy; /* a message about code is on its way */
};

struct hub {
    struct hub_options options;
    enum hub_state state;
    struct epochs *epochs;
    char topic_id[64];

    struct worker **workers;
    size_t worker_count; /* 1 inline worker when runtime.workers is 0 */
    bool inline_worker;
    bool keeps_state;
    int64_t *worker_progress_ms;
    struct worker_has *has; /* per worker */
    bool worker_stuck, trial_stuck; /* threads that cannot be joined */

    struct lane *lanes;
    size_t lane_count, lane_capacity;
    size_t lane_turn; /* where lanes_close begins, so that no partition is always the last */
    struct work *ready_first, **ready_tail; /* batches that wait for a worker */
    size_t ready_count;
    size_t batch_bytes; /* of messages in lanes, ready and out */
    size_t batches_out;
    struct batch **pool;
    size_t pool_count, pool_capacity;
    struct work *work_pool; /* spare structs */

    bool sink_ready, source_ready, source_ended;
    bool undone; /* while the job stopped, something that was read had to be given up */
    bool source_more; /* the last fetch was full, or the descriptor said so */
    bool memory_short, paused;
    bool memory_said;
    int64_t fed_ms; /* when fetching was last allowed */
    int64_t pause_after_ms;
    int64_t polled_ms;
    int64_t fetched;
    uint64_t sequence;
    int64_t lag_ms;
    int64_t turn_ms;     /* when this turn of the loop began */
    int64_t wait_ms_max; /* of batches for a worker, since lag_ms */
    int64_t alone_ms; /* when this process last had all partitions, or none */
    bool share_said;

    atomic_bool stop_wanted;

    struct code *code;       /* that is to run; a reference, as the next one */
    struct code *proven;     /* while `code` is on probation: the one before */
    int log_level;           /* that code set */
    bool swapping;           /* `code` is not in all workers yet, and the reloader waits for an answer */
    char swap_said[200];
    char swap_before[JOB_VERSION_MAX]; /* the version that ran until then */
    int64_t swap_ms_max;
    int64_t probation_until_ms;
    int64_t probation_batches;
    unsigned trials_stuck;   /* that did not come back */
    struct samples *samples; /* NULL: nothing is reloaded */
    pthread_mutex_t reload_lock;
    struct reloader *reloader; /* set and reset under the lock, by the hub's thread */

    struct message messages[HUB_FETCH_ROOM];
    int32_t partitions[HUB_FETCH_ROOM];
    void *handles[HUB_FETCH_ROOM];
};

/* A batch for a lane to fill; and what a worker has done with, back for the next lane. */
struct batch *hub_batch_take(struct hub *hub) MUST_USE;
void hub_work_give_back(struct hub *hub, struct work *work);
/* The partition's lane, made if there is none; valid until the next one is made. */
struct lane *hub_lane_of(struct hub *hub, int32_t partition);
/* The lane's batch is complete: it waits for a worker. */
void hub_lane_close(struct hub *hub, struct lane *lane);
/* Batches that are not full go out when a worker would be idle and no more records come to fill them, or when they are old. */
bool hub_lanes_close(struct hub *hub, int64_t now_ms);
/* Throws away what was read of the partition and is not at a worker yet. */
void hub_lanes_drop(struct hub *hub, int32_t partition);
void hub_lanes_free(struct hub *hub);

/* hub.c. Room: the worker takes one more piece of work. */
bool hub_has_room(const struct hub *hub, size_t index);
bool hub_give(struct hub *hub, struct work *work, size_t index, int64_t now_ms, struct error *error) MUST_USE;

/* hub_reload.c */
void hub_reload_start(struct hub *hub); /* once the workers are there */
void hub_reload_end(struct hub *hub);   /* before they go */
bool hub_reload_step(struct hub *hub, int64_t now_ms, bool *moved, struct error *error) MUST_USE;
/* A message came back, or a batch: what it says about the code of its worker. */
bool hub_reload_took(struct hub *hub, struct work *work, size_t index, struct error *error) MUST_USE;

#endif
