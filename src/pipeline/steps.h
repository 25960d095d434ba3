/* steps.h: the steps of an epoch's life by name, once for the pipeline and for the model of the protocol in tests/model.
 *
 * A step is a boundary: what its sentence says has just happened. Test builds can stop the process there: step_reached(STEP_X)
 * looks at the environment variable LUADUCT_STEP, a list such as "prepare_stored:2:kill,sealed:1:stop"; at the second time that
 * prepare_stored is reached the process kills itself (SIGKILL), at the first `sealed` it stops itself (SIGSTOP), to be woken by a
 * test. Without LUADUCT_STEPS defined at compile time nothing of it exists.
 * Ownership: nothing to release. Threads: the hub's. */
#ifndef LUADUCT_PIPELINE_STEPS_H
#define LUADUCT_PIPELINE_STEPS_H

#include <stdint.h>

/* X(name, what has just happened) */
#define STEP_LIST(X)                                                                                                        \
    X(anchor_sent, "the OffsetCommit that anchors new partitions was handed to the client")                                 \
    X(anchor_stored, "it is stored; records may be read")                                                                   \
    X(block_acked, "a block of the epoch was acknowledged by the service")                                                  \
    X(sealed, "all blocks are acknowledged and the service's lists equal ours")                                             \
    X(dirty_durable, "the epoch's dirty rows are durable")                                                                  \
    X(prepare_sent, "the OffsetCommit with the epoch's record was handed to the client (alone, or with a finish)")          \
    X(prepare_stored, "it is stored; from here on the epoch is rolled forward, by whoever owns its partitions")             \
    X(commit_sent, "the commit of one of its sessions was handed to the client")                                            \
    X(committed_one, "one of its sessions is known to be closed")                                                           \
    X(committed_all, "all of them are")                                                                                     \
    X(finish_sent, "the OffsetCommit with the next offsets and the idle record was handed to the client")                   \
    X(finish_stored, "it is stored")                                                                                        \
    X(dropped, "an epoch that was not prepared was given up; what is kept of it is read again")                             \
    X(released, "partitions that were asked back were given to the group")                                                  \
    X(roll_begun, "a partition came with a prepared record; its sessions are asked for")                                    \
    X(roll_committed, "all sessions of that record are known to be closed")                                                 \
    X(roll_sent, "the OffsetCommit that finishes that record was handed to the client")                                     \
    X(roll_stored, "it is stored; records may be read")

enum step {
#define X(name, sentence) STEP_##name,
    STEP_LIST(X)
#undef X
    STEP_COUNT
};

extern const char *const step_names[STEP_COUNT];

#ifdef LUADUCT_STEPS
void step_reached(enum step step);
/* How long a worker may take: what the environment variable LUADUCT_STUCK_MS says, else what is usual. */
int64_t steps_stuck_ms(int64_t usual_ms);
#else
static inline int64_t steps_stuck_ms(int64_t usual_ms)
{
    return usual_ms;
}
static inline void step_reached(enum step step)
{
    (void)step;
}
#endif

#endif
