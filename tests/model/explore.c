/* explore.c: breadth first over all states, so that a trace is a shortest one. States are kept packed in the order of their
 * discovery, found through a hash table of their numbers; edges without faults are kept for the search backwards from good ends. */
#include "model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATES_MAX = 24u << 20 };
#define TABLE_TAG UINT64_C(0xffffffff00000000)

struct search {
    const struct config *config;
    struct packed *states;
    uint32_t *parents;
    uint32_t count, room;
    uint64_t *table; /* upper half of the hash, and number + 1; 0 is free */
    uint32_t table_size;
    uint32_t *edges; /* to; without faults, in the order of the states that they come from */
    size_t edge_count, edge_room;
    uint32_t *edge_first;
    uint32_t current;
    const char *violation;
    struct packed violation_state;
    const char *tolerated;
    bool tolerated_seen;
    uint64_t taken;
};

static void *grown(void *memory, size_t count, size_t size)
{
    void *more = realloc(memory, count * size);

    if (more == NULL) {
        fprintf(stderr, "model: out of memory\n");
        exit(2);
    }
    return more;
}

static uint64_t hash(const struct packed *packed)
{
    uint64_t h = 0x9e3779b97f4a7c15u;

    for (int i = 0; i < 4; i++) {
        h ^= packed->word[i];
        h *= 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static void table_grow(struct search *search)
{
    uint32_t size = search->table_size ? search->table_size * 2 : 1u << 12;

    free(search->table);
    search->table = grown(NULL, size, sizeof(*search->table));
    memset(search->table, 0, size * sizeof(*search->table));
    search->table_size = size;
    for (uint32_t i = 0; i < search->count; i++) {
        uint64_t h = hash(&search->states[i]);
        uint32_t at = (uint32_t)h & (size - 1);
        while (search->table[at] != 0)
            at = (at + 1) & (size - 1);
        search->table[at] = (h & TABLE_TAG) | (i + 1);
    }
}

static uint32_t state_number(struct search *search, const struct packed *packed)
{
    uint64_t h = hash(packed);
    uint32_t at, number;

    if (search->count + search->count / 2 >= search->table_size)
        table_grow(search);
    at = (uint32_t)h & (search->table_size - 1);
    while (search->table[at] != 0) {
        number = (uint32_t)search->table[at] - 1;
        if (((search->table[at] ^ h) & TABLE_TAG) == 0 && memcmp(&search->states[number], packed, sizeof(*packed)) == 0)
            return number;
        at = (at + 1) & (search->table_size - 1);
    }
    if (search->count == search->room) {
        search->room = search->room ? search->room * 2 : 1u << 12;
        if (search->room > STATES_MAX) {
            fprintf(stderr, "model: %s has more than %u states\n", search->config->name, STATES_MAX);
            exit(2);
        }
        search->states = grown(search->states, search->room, sizeof(*search->states));
        search->parents = grown(search->parents, search->room, sizeof(*search->parents));
        search->edge_first = grown(search->edge_first, search->room + 1, sizeof(*search->edge_first));
    }
    search->states[search->count] = *packed;
    search->parents[search->count] = search->current;
    search->table[at] = (h & TABLE_TAG) | (search->count + 1);
    return search->count++;
}

static void found(void *user, const struct state *next, struct move move, const char *violation)
{
    struct search *search = user;
    struct packed packed;
    uint32_t number;

    if (search->violation != NULL)
        return;
    if (violation != NULL && search->tolerated != NULL && strncmp(violation, search->tolerated, strlen(search->tolerated)) == 0) {
        search->tolerated_seen = true;
        violation = NULL;
    }
    packed = model_pack(search->config, next);
    search->taken |= UINT64_C(1) << move.action;
    if (violation != NULL) {
        search->violation = violation;
        search->violation_state = packed;
        return;
    }
    number = state_number(search, &packed);
    if (action_fault(move.action))
        return;
    if (search->edge_count == search->edge_room) {
        search->edge_room = search->edge_room ? search->edge_room * 2 : 1u << 14;
        search->edges = grown(search->edges, search->edge_room, sizeof(*search->edges));
    }
    search->edges[search->edge_count++] = number;
}

/* The first state (by depth) from which no good end can be reached without faults; count when there is none. */
static uint32_t first_trapped(const struct search *search)
{
    unsigned char *good = grown(NULL, search->count, 1);
    bool changed = true;
    uint32_t first = search->count;

    for (uint32_t i = 0; i < search->count; i++) {
        struct state state;

        model_unpack(&search->states[i], &state);
        good[i] = model_good_end(search->config, &state);
    }
    while (changed) {
        changed = false;
        for (uint32_t i = search->count; i-- > 0;) {
            for (uint32_t e = search->edge_first[i]; !good[i] && e < search->edge_first[i + 1]; e++) {
                if (good[search->edges[e]]) {
                    good[i] = 1;
                    changed = true;
                }
            }
        }
    }
    for (uint32_t i = 0; i < search->count && first == search->count; i++)
        if (!good[i])
            first = i;
    free(good);
    return first;
}

/* Traces: states are kept alike under exchanges, so a trace is found again by walking from the beginning with names as they are,
 * each time taking a transition that leads to the next kept state. */
struct replay {
    const struct config *config;
    struct packed want;
    struct state next;
    struct move move;
    bool hit;
};

static void replay_found(void *user, const struct state *next, struct move move, const char *violation)
{
    struct replay *replay = user;
    struct packed packed = model_pack(replay->config, next);

    (void)violation;
    if (replay->hit || memcmp(&packed, &replay->want, sizeof(packed)) != 0)
        return;
    replay->hit = true;
    replay->next = *next;
    replay->move = move;
}

static unsigned trace_print(const struct search *search, uint32_t last, const struct packed *beyond, FILE *file)
{
    unsigned length = beyond != NULL ? 1 : 0, at = 0;
    uint32_t *chain;
    struct state state;

    for (uint32_t i = last; i != 0; i = search->parents[i])
        length++;
    if (file == NULL)
        return length;
    chain = grown(NULL, length + 1, sizeof(*chain));
    for (uint32_t i = last, n = length - (beyond != NULL); i != 0; i = search->parents[i])
        chain[--n] = i;
    model_begin(search->config, &state);
    while (at < length) {
        struct replay replay = {.config = search->config};

        replay.want = beyond != NULL && at == length - 1 ? *beyond : search->states[chain[at]];
        model_successors(search->config, &state, replay_found, &replay);
        assert(replay.hit);
        state = replay.next;
        fprintf(file, "  %2u ", ++at);
        model_print_move(file, replay.move, &state);
    }
    free(chain);
    return length;
}

struct result explore(const struct config *config, const char *tolerated, bool *tolerated_seen, FILE *trace)
{
    struct search search = {.config = config, .tolerated = tolerated};
    struct result result = {0};
    struct state state;
    struct packed packed;
    uint32_t level_end = 1;
    clock_t begun = clock();

    model_begin(config, &state);
    packed = model_pack(config, &state);
    (void)state_number(&search, &packed);
    while (search.current < search.count && search.violation == NULL) {
        if (search.current == level_end) {
            result.depth++;
            level_end = search.count;
        }
        search.edge_first[search.current] = (uint32_t)search.edge_count;
        packed = search.states[search.current];
        model_unpack(&packed, &state);
        model_successors(config, &state, found, &search);
        search.current++;
        search.edge_first[search.current] = (uint32_t)search.edge_count;
    }
    if (search.violation != NULL) {
        if (trace != NULL)
            fprintf(trace, "%s: %s\n", config->name, search.violation);
        result.violation = search.violation;
        result.trace_length = trace_print(&search, search.current - 1, &search.violation_state, trace);
    } else {
        uint32_t trapped = first_trapped(&search);
        if (trapped < search.count) {
            result.violation = "trap: no good end can be reached from here";
            if (trace != NULL)
                fprintf(trace, "%s: %s\n", config->name, result.violation);
            result.trace_length = trace_print(&search, trapped, NULL, trace);
        }
    }
    if (tolerated_seen != NULL)
        *tolerated_seen = search.tolerated_seen;
    result.states = search.count;
    result.edges = (uint32_t)search.edge_count;
    result.taken = search.taken;
    result.seconds = (double)(clock() - begun) / CLOCKS_PER_SEC;
    free(search.states);
    free(search.parents);
    free(search.table);
    free(search.edges);
    free(search.edge_first);
    return result;
}
