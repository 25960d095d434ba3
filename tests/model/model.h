/* model.h: the protocol of epochs (design.md, rules 1 to 10) as a small explicit-state model, searched exhaustively.
 *
 * What there is
 *   - Two owners (processes of one job), two Kafka partitions of two records each, two table partitions. Row (p, o) goes to table
 *     partition (p + o) % 2: an epoch with one record of each Kafka partition has one session or two, and rows of both Kafka
 *     partitions can meet in one session.
 *   - The group's coordinator: per Kafka partition the committed offset, its metadata (idle, or the record of an epoch), and who
 *     owns it. It refuses a commit by member and generation, never by partition. A generation ends when a rebalance completes:
 *     then what is on its way is refused, or was still inside the client and goes out under the new generation. No rebalance
 *     completes before dead members are put out.
 *   - The service: per epoch and table partition a session: normal; posted (normal, and a POST of its commit is on its way, once or
 *     many times); closed; forgotten (closed, but "not found" is what it answers); expired (its life has passed, whatever it was
 *     before). A posted session closes at any later time or never: lost, delayed and repeated POSTs and lost answers are all in
 *     there, without a budget, and so is every answer to a second commit, for an owner goes by the state that it asks for. Since
 *     closed does not change back, "known to be closed" is "is closed".
 *   - An owner: per Kafka partition nothing, anchor, roll (came with a record) or read; an epoch that is sealed, and one that is
 *     prepared and commits, so that the next one fills meanwhile. Filling and sealing are one transition, since nobody else knows
 *     of an epoch before: a crash while it fills is a crash before it.
 *   - One OffsetCommit on its way per owner. The broker's storing and the owner's learning of it are one transition: an owner that
 *     learns later does nothing in between, which is among the runs of one that knows. A time-out, a crash and a process that
 *     leaves the group all leave its request on the way: it may still be stored until the coordinator has put the member out.
 *     Such a process comes back as another member with nothing in memory.
 *   - Owners read what is stored at an assignment, and later (roll_begun) what the other partitions of a record have; what became of
 *     those meanwhile they do not see.
 *
 * Faults, each with a budget: crash; an OffsetCommit without a clear answer (stored, or not, or later; or its request sent twice by
 * the client, so that the first copy comes whenever); half of an OffsetCommit for two partitions stored; a live owner put out of
 * the group (stopped past the session time-out) and not knowing it; a partition asked back; a session expired or forgotten; the
 * group's offsets deleted. Definite refusals have no budget.
 *
 * What is checked: in every state no row is visible twice, and no committed offset has passed a row that is not visible. From
 * every state a good end can be reached without any further fault: offsets at the end, idle, every row visible; or a job that has
 * stopped as rule 10 (or 2) says. So there is neither a dead end nor a trap.
 *
 * The names of transitions are those of src/pipeline/steps.h (main.c tells which are one with another); faults and what others do
 * have names of their own. States count as one that differ by an exchange of owners, or of Kafka partitions together with table
 * partitions.
 *
 * Size: the run "everything", with two crashes and one of each other fault but the deletion (which has a run of its own), has
 * 14,283,087 states, the farthest 52 steps away: 20 s and 1 GB on one slow core. All other runs together take as long. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pipeline/steps.h"

enum { OWNERS = 2, PARTITIONS = 2, TARGETS = 2, RECORDS = 2, SLOTS = 7, NO_OFFSET = 3, NOBODY = 2, IDLE = 0 };

/* Transitions that are no step of ours. */
#define EVENT_LIST(X)                                                                                                                      \
    X(assigned, false, "the group gives a partition to a member")                                                                          \
    X(closed, false, "the service carries a session's commit out")                                                                         \
    X(refused, true, "an OffsetCommit is refused for good (coordinator loading, generation), though its sender is a member")               \
    X(late_stored, false, "an OffsetCommit is stored whose owner no longer waits for it")                                                  \
    X(late_refused, false, "a copy of an OffsetCommit vanishes")                                                                           \
    X(put_out, false, "the group puts out a member that is gone; its process begins anew")                                                 \
    X(learnt, false, "an owner learns that it was put out, and joins anew")                                                                \
    X(stopped, false, "an owner stops for good: rule 10, or rule 2")                                                                       \
    X(arrived, false, "a record is produced")                                                                                              \
    X(crash, true, "a process dies")                                                                                                       \
    X(time_out, true, "an OffsetCommit has no answer in time")                                                                             \
    X(sent_twice, true, "the client sends an OffsetCommit twice; the second copy is stored and answered")                                  \
    X(stored_in_part, true, "one of two partitions of an OffsetCommit is stored")                                                          \
    X(fenced, true, "a live owner is put out without knowing it")                                                                          \
    X(asked_back, true, "the group asks a partition back")                                                                                 \
    X(expired, true, "a session's life has passed, whatever its state")                                                                    \
    X(forgotten, true, "the service knows nothing of a session that it closed")                                                            \
    X(deleted, true, "the group's offsets are deleted while nobody is in it")

enum event {
    EVENT_BEFORE = STEP_COUNT - 1,
#define X(name, fault, sentence) EVENT_##name,
    EVENT_LIST(X)
#undef X
    ACTION_COUNT
};
const char *action_name(unsigned action);
bool action_fault(unsigned action);

/* What may be switched off, or done another way, to see the model fail. */
enum rule {
    R1_ANCHOR = 1u << 0,
    R2_LOST_GROUP = 1u << 1,
    R3_ALL_SESSIONS = 1u << 2, /* off: the record names the first session only */
    R4_ONE_COMMIT = 1u << 3,   /* off: finish is not waited for */
    R5_REJOIN = 1u << 4,       /* off: a commit without an answer is judged by what is stored at that moment */
    R5_COPIES = 1u << 5,       /* off: an answer is taken as good although the client sent the request twice */
    R6_ALL_STORED = 1u << 6,   /* off: a record counts as prepared although not all its Kafka partitions carry it */
    R7_TODAY = 1u << 7,        /* off: a finish covers partitions that were given back meanwhile */
    R7_RELEASE = 1u << 8,      /* off: a revoke is answered although a commit is outstanding */
    R8_DROP = 1u << 9,         /* off: a prepared epoch is dropped at a revoke */
    R9_ROLL = 1u << 10,        /* off: a record is overlooked, reading starts at the committed offset */
    R10_STOP = 1u << 11,       /* off: see gone_as */
    R7_LOST = 1u << 12,        /* off: a commit still inside the client survives the loss of its membership, and goes out under the next */
    R8_REWIND = 1u << 13,      /* off: what is kept of a dropped epoch is read from the committed offset, not from where the epoch began */
    R10_OWN = 1u << 14,        /* off: "not found" means committed for one's own session however old it is */
    RULES_ALL = (1u << 15) - 1,
};

enum gone_as { GONE_COMMITTED, GONE_LOST, GONE_WAITS };

struct config {
    const char *name;
    unsigned rules;
    enum gone_as gone_as;     /* with R10_STOP off */
    bool at_least_once;
    bool latest;              /* start: latest; records arrive while it runs, and nothing is anchored yet */
    bool wide;                /* an epoch may take two records of a partition */
    bool part_known;          /* an owner whose OffsetCommit was stored in part goes on and sends it again; else it joins anew */
    bool keep_names;          /* no exchange of Kafka partitions: for rules that tell table partitions apart */
    uint8_t crashes, time_outs, parts, fences, moves, expiries, deletions;
};

/* An epoch's record, and its sessions at the service. */
struct epoch_slot {
    uint8_t cover[PARTITIONS]; /* 0 none, 1 record 0, 2 record 1, 3 both */
    uint8_t session[TARGETS];
};
/* GONE: closed, and forgotten early; OLD: its life has passed, whatever it was. Nobody can tell what became of either; but that a
 * session is younger than its life is known to the process that made it, and then it can only have been closed. */
enum session { SESSION_NONE, SESSION_NORMAL, SESSION_POSTED, SESSION_CLOSED, SESSION_GONE, SESSION_OLD };

/* What an OffsetCommit says. offset NO_OFFSET: not about this partition. */
struct content {
    uint8_t offset[PARTITIONS], meta[PARTITIONS];
};

enum { LATE_SENT = 1, LATE_KEPT = 2 };

enum owner_status { OWNER_UP, OWNER_DEAD, OWNER_STOPPED }; /* DEAD: not yet put out by the group */
enum phase { PHASE_NONE, PHASE_ANCHOR, PHASE_ROLL, PHASE_READ };
/* What an owner saw at the other Kafka partitions that its record names: see owner_begins. */
enum seen { SEEN_NOT_YET, SEEN_ALL, SEEN_PASSED, SEEN_NEVER };
enum purpose { PURPOSE_ANCHOR, PURPOSE_PREPARE, PURPOSE_FINISH, PURPOSE_ROLL };

struct owner {
    uint8_t status, fenced;
    uint8_t phase[PARTITIONS], at[PARTITIONS], roll[PARTITIONS], seen[PARTITIONS];
    uint8_t fill;   /* the epoch that is sealed and not prepared */
    uint8_t commit; /* the epoch that is prepared and commits */
    uint8_t held;   /* Kafka partitions of `commit` that were not given back, as bits */
    uint8_t sent, purpose, with; /* an OffsetCommit is on its way; a finish that prepares `fill` as well */
    struct content content;
};

struct state {
    struct owner owner[OWNERS];
    struct epoch_slot slot[SLOTS + 1]; /* [0] is not used */
    uint8_t offset[PARTITIONS], meta[PARTITIONS], assigned[PARTITIONS], asked[PARTITIONS];
    uint8_t end[PARTITIONS], due[PARTITIONS]; /* due: the first record ever to be read; NO_OFFSET before that */
    uint8_t visible; /* bit p * 2 + o */
    uint8_t late, late_owner; /* a copy that its owner does not wait for: LATE_SENT of this generation, LATE_KEPT by the client */
    struct content late_content;
    uint8_t ran; /* an offset was stored once */
    uint8_t crashes, time_outs, parts, fences, moves, expiries, deletions; /* left */
};

struct packed {
    uint64_t word[4];
};

/* A transition as it was taken: for traces. */
struct move {
    uint8_t action, owner, a, b;
};

/* Called for every successor. violation: NULL, or what went wrong in the transition or the state. */
typedef void successor_fn(void *user, const struct state *next, struct move move, const char *violation);

void model_begin(const struct config *config, struct state *state);
void model_successors(const struct config *config, const struct state *state, successor_fn *emit, void *user);
/* Renumbers epochs, forgets those that nobody refers to, picks one of the exchanges, packs. */
struct packed model_pack(const struct config *config, const struct state *state);
void model_unpack(const struct packed *packed, struct state *state);
bool model_good_end(const struct config *config, const struct state *state);
void model_print_move(FILE *file, struct move move, const struct state *after);

struct result {
    uint32_t states, edges;
    unsigned depth;
    const char *violation; /* NULL: none */
    unsigned trace_length; /* with a violation */
    uint64_t taken;        /* actions that were taken, as bits */
    double seconds;
};
/* trace NULL: none is printed. tolerated: NULL, or how violations begin that are not the end; whether there was one is told. */
struct result explore(const struct config *config, const char *tolerated, bool *tolerated_seen, FILE *trace);

#endif
