/* main.c: which runs there are, and what each must come to.
 *
 *     model                 all of them; `model faults`, `model modes`, `model rules` a part
 *     model trace NAME      one of them, with the shortest trace to what it finds
 *
 * A trace names owners A and B, Kafka partitions k0 and k1, rows k0.0 to k1.1, epochs e1, e2 … (renumbered from line to line). */
#include "model.h"

#include <string.h>

enum expected { HOLDS, LOSS, TWICE, TRAP, TWICE_NEVER_LOSS };

struct run {
    const char *group;
    enum expected expected;
    struct config config;
};

#define ALL_BUT(off) .rules = RULES_ALL & ~(unsigned)(off)
#define USUAL .crashes = 1, .time_outs = 1, .parts = 1, .fences = 1, .moves = 1, .expiries = 1

static const struct run runs[] = {
    /* All faults together. */
    {"faults", HOLDS, {.name = "everything", .rules = RULES_ALL, .crashes = 2, .time_outs = 1, .parts = 1, .fences = 1, .moves = 1, .expiries = 1}},

    {"modes", HOLDS, {.name = "two_moves", .rules = RULES_ALL, .crashes = 1, .time_outs = 1, .moves = 2, .fences = 1}},
    {"modes", HOLDS, {.name = "two_time_outs", .rules = RULES_ALL, .crashes = 1, .time_outs = 2, .parts = 1, .moves = 1}},
    {"modes", HOLDS, {.name = "wide_epochs", .rules = RULES_ALL, .wide = true, .crashes = 1, .time_outs = 1, .parts = 1, .moves = 1, .expiries = 1}},
    {"modes", HOLDS, {.name = "part_sent_again", .rules = RULES_ALL, .part_known = true, .crashes = 1, .time_outs = 1, .parts = 1, .fences = 1, .moves = 1}},
    {"modes", HOLDS, {.name = "start_latest", .rules = RULES_ALL, .latest = true, .crashes = 2, .time_outs = 1, .parts = 1, .moves = 1}},
    {"modes", HOLDS, {.name = "group_deleted", .rules = RULES_ALL, .crashes = 2, .time_outs = 1, .deletions = 1}},
    {"modes", TWICE_NEVER_LOSS, {.name = "at_least_once", .rules = RULES_ALL, .at_least_once = true, .crashes = 1, .time_outs = 1, .moves = 1}},

    /* Each rule, or a part of it, switched off: there is a counterexample. */
    {"rules", LOSS, {.name = "r1_no_anchor", ALL_BUT(R1_ANCHOR), .latest = true, .crashes = 1}},
    {"rules", TWICE, {.name = "r2_lost_group_begins_anew", ALL_BUT(R2_LOST_GROUP), .crashes = 2, .deletions = 1}},
    {"rules", LOSS, {.name = "r3_record_names_one_session", ALL_BUT(R3_ALL_SESSIONS), .keep_names = true, USUAL}},
    {"rules", TWICE, {.name = "r4_two_commits_outstanding", ALL_BUT(R4_ONE_COMMIT), USUAL}},
    {"rules", TWICE, {.name = "r5_no_rejoin", ALL_BUT(R5_REJOIN), USUAL}},
    {"rules", TWICE, {.name = "r5_copies_not_counted", ALL_BUT(R5_COPIES), USUAL}},
    {"rules", TWICE, {.name = "r6_record_stored_in_part_counts", ALL_BUT(R6_ALL_STORED), USUAL}},
    {"rules", TWICE, {.name = "r7_commit_of_what_was_given_back", ALL_BUT(R7_TODAY), .crashes = 1, .fences = 1, .moves = 1}},
    {"rules", TWICE, {.name = "r7_release_during_commit", ALL_BUT(R7_RELEASE), USUAL}},
    {"rules", TWICE, {.name = "r7_lost_during_commit", ALL_BUT(R7_LOST), USUAL}},
    {"rules", TWICE, {.name = "r8_drop_after_prepare", ALL_BUT(R8_DROP), USUAL}},
    {"rules", TWICE, {.name = "r8_rewind_to_committed_offset", ALL_BUT(R8_REWIND), USUAL}},
    {"rules", TWICE, {.name = "r9_record_overlooked", ALL_BUT(R9_ROLL), USUAL}},
    {"rules", LOSS, {.name = "r10_gone_is_committed", ALL_BUT(R10_STOP), .gone_as = GONE_COMMITTED, USUAL}},
    {"rules", TWICE, {.name = "r10_gone_is_lost", ALL_BUT(R10_STOP), .gone_as = GONE_LOST, USUAL}},
    {"rules", TRAP, {.name = "r10_gone_is_waited_for", ALL_BUT(R10_STOP), .gone_as = GONE_WAITS, .crashes = 1, .expiries = 1}},
    {"rules", LOSS, {.name = "r10_own_expired_is_committed", ALL_BUT(R10_OWN), USUAL}},
};
enum { RUN_COUNT = sizeof(runs) / sizeof(runs[0]) };

/* Steps that are one transition with another, and those that are boundaries of our own inside one of them. */
static const struct {
    enum step step;
    unsigned with;
} merged[] = {
    {STEP_block_acked, STEP_sealed},
    {STEP_dirty_durable, STEP_prepare_sent}, /* of its own with at_least_once */
    {STEP_committed_one, EVENT_closed},
    {STEP_committed_all, STEP_finish_sent},
    {STEP_roll_committed, STEP_roll_sent},
};

static bool as_expected(const struct run *run, const struct result *result, bool twice_seen)
{
    static const char *const begins[] = {[LOSS] = "loss", [TWICE] = "twice", [TRAP] = "trap"};

    switch (run->expected) {
    case HOLDS:
        return result->violation == NULL;
    case TWICE_NEVER_LOSS:
        return result->violation == NULL && twice_seen;
    default:
        return result->violation != NULL && strncmp(result->violation, begins[run->expected], strlen(begins[run->expected])) == 0;
    }
}

static bool run_one(const struct run *run, FILE *trace, uint64_t *taken)
{
    bool twice_seen = false;
    struct result result = explore(&run->config, run->expected == TWICE_NEVER_LOSS ? "twice" : NULL, &twice_seen, trace);
    bool ok = as_expected(run, &result, twice_seen);

    printf("%s %-33s %8u states, depth %2u, %4.1f s: ", ok ? "ok  " : "FAIL", run->config.name, result.states, result.depth, result.seconds);
    if (result.violation != NULL)
        printf("%s, after %u steps\n", result.violation, result.trace_length);
    else
        printf("%s\n", twice_seen ? "rows twice, never lost" : "holds");
    fflush(stdout);
    *taken |= result.taken;
    return ok;
}

/* Every step of steps.h is a transition that was taken somewhere, and so is every event. */
static bool all_taken(uint64_t taken)
{
    bool ok = true;

    for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]); i++)
        if (taken & UINT64_C(1) << merged[i].with)
            taken |= UINT64_C(1) << merged[i].step;
    for (unsigned action = 0; action < ACTION_COUNT; action++) {
        if (!(taken & UINT64_C(1) << action)) {
            printf("FAIL %s is never taken\n", action_name(action));
            ok = false;
        }
    }
    return ok;
}

int main(int argc, char **argv)
{
    const char *group = argc == 2 ? argv[1] : NULL, *name = argc == 3 && strcmp(argv[1], "trace") == 0 ? argv[2] : NULL;
    uint64_t taken = 0;
    unsigned count = 0;
    bool ok = true;

    for (int i = 0; i < RUN_COUNT; i++) {
        if ((group != NULL && strcmp(group, runs[i].group) != 0) || (name != NULL && strcmp(name, runs[i].config.name) != 0))
            continue;
        ok = run_one(&runs[i], name != NULL ? stdout : NULL, &taken) && ok;
        count++;
    }
    if (count == 0) {
        fprintf(stderr, "usage: model [faults|modes|rules], model trace NAME\n");
        return 2;
    }
    if ((group == NULL || strcmp(group, "rules") == 0) && name == NULL)
        ok = all_taken(taken) && ok;
    return ok ? 0 : 1;
}
