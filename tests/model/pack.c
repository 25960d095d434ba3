/* pack.c: a state as 32 bytes, alike for states that differ only in names. */
#include "model.h"

#include <assert.h>
#include <string.h>

struct bits {
    uint64_t word[4];
    unsigned at;
};

static inline __attribute__((always_inline)) void put(struct bits *bits, unsigned value, unsigned width)
{
    unsigned index = bits->at / 64, shift = bits->at % 64;

    assert(value < 1u << width);
    bits->word[index] |= (uint64_t)value << shift;
    if (shift + width > 64)
        bits->word[index + 1] |= (uint64_t)value >> (64 - shift);
    bits->at += width;
}

static inline __attribute__((always_inline)) unsigned get(struct bits *bits, unsigned width)
{
    unsigned index = bits->at / 64, shift = bits->at % 64;
    uint64_t value = bits->word[index] >> shift;

    if (shift + width > 64)
        value |= bits->word[index + 1] << (64 - shift);
    bits->at += width;
    return (unsigned)(value & ((1u << width) - 1));
}

/* One walk over the fields, for both directions. Half of the search's time is spent here: inlined and unrolled, every place is a
 * constant. */
static inline __attribute__((always_inline)) void walk(struct state *state, struct bits *bits, bool out)
{
#define FIELD(field, width)                                                                                                                \
    do {                                                                                                                                   \
        if (out)                                                                                                                           \
            put(bits, (field), (width));                                                                                                   \
        else                                                                                                                               \
            (field) = (uint8_t)get(bits, (width));                                                                                         \
    } while (0)
#pragma GCC unroll 8
    for (int i = 0; i < OWNERS; i++) {
        struct owner *owner = &state->owner[i];

        FIELD(owner->status, 2);
        FIELD(owner->fenced, 1);
#pragma GCC unroll 8
        for (int p = 0; p < PARTITIONS; p++) {
            FIELD(owner->phase[p], 2);
            FIELD(owner->at[p], 2);
            FIELD(owner->roll[p], 3);
            FIELD(owner->seen[p], 2);
            FIELD(owner->content.offset[p], 2);
            FIELD(owner->content.meta[p], 3);
        }
        FIELD(owner->fill, 3);
        FIELD(owner->commit, 3);
        FIELD(owner->held, 2);
        FIELD(owner->sent, 1);
        FIELD(owner->purpose, 2);
        FIELD(owner->with, 1);
    }
#pragma GCC unroll 8
    for (int slot = 1; slot <= SLOTS; slot++) {
#pragma GCC unroll 8
        for (int p = 0; p < PARTITIONS; p++)
            FIELD(state->slot[slot].cover[p], 2);
#pragma GCC unroll 8
        for (int t = 0; t < TARGETS; t++)
            FIELD(state->slot[slot].session[t], 3);
    }
#pragma GCC unroll 8
    for (int p = 0; p < PARTITIONS; p++) {
        FIELD(state->offset[p], 2);
        FIELD(state->meta[p], 3);
        FIELD(state->assigned[p], 2);
        FIELD(state->asked[p], 1);
        FIELD(state->end[p], 2);
        FIELD(state->due[p], 2);
        FIELD(state->late_content.offset[p], 2);
        FIELD(state->late_content.meta[p], 3);
    }
    FIELD(state->visible, 4);
    FIELD(state->late, 2);
    FIELD(state->late_owner, 1);
    FIELD(state->ran, 1);
    FIELD(state->crashes, 2);
    FIELD(state->time_outs, 2);
    FIELD(state->parts, 1);
    FIELD(state->fences, 2);
    FIELD(state->moves, 2);
    FIELD(state->expiries, 1);
    FIELD(state->deletions, 1);
#undef FIELD
    assert(bits->at <= 256);
}

/* Epochs are numbered in the order in which a fixed walk meets them; those that it does not meet are forgotten, unless a POST
 * for one of their sessions is still on its way. */
static void renumber(struct state *state)
{
    uint8_t to[SLOTS + 1] = {0}, count = 0;
    struct epoch_slot old[SLOTS + 1];
    uint8_t *references[32];
    int n = 0;

    for (int p = 0; p < PARTITIONS; p++) {
        references[n++] = &state->meta[p];
        references[n++] = &state->late_content.meta[p];
        for (int i = 0; i < OWNERS; i++) {
            references[n++] = &state->owner[i].roll[p];
            references[n++] = &state->owner[i].content.meta[p];
        }
    }
    for (int i = 0; i < OWNERS; i++) {
        references[n++] = &state->owner[i].commit;
        references[n++] = &state->owner[i].fill;
    }
    memcpy(old, state->slot, sizeof(old));
    memset(state->slot, 0, sizeof(state->slot));
    for (int k = 0; k < n; k++) {
        uint8_t slot = *references[k];

        if (slot == 0)
            continue;
        if (to[slot] == 0) {
            to[slot] = ++count;
            state->slot[count] = old[slot];
        }
        *references[k] = to[slot];
    }
    for (int slot = 1; slot <= SLOTS; slot++)
        if (to[slot] == 0 && (old[slot].session[0] == SESSION_POSTED || old[slot].session[1] == SESSION_POSTED))
            state->slot[++count] = old[slot];
}

#define SWAP(a, b)                                                                                                                         \
    do {                                                                                                                                   \
        uint8_t swapped = (a);                                                                                                             \
        (a) = (b);                                                                                                                         \
        (b) = swapped;                                                                                                                     \
    } while (0)

static void content_exchange(struct content *content)
{
    SWAP(content->offset[0], content->offset[1]);
    SWAP(content->meta[0], content->meta[1]);
}

/* Row (p, o) goes to table partition (p + o) % 2: exchanging the Kafka partitions exchanges the table partitions. */
static void exchange_partitions(struct state *state)
{
    for (int i = 0; i < OWNERS; i++) {
        struct owner *owner = &state->owner[i];

        SWAP(owner->phase[0], owner->phase[1]);
        SWAP(owner->at[0], owner->at[1]);
        SWAP(owner->roll[0], owner->roll[1]);
        SWAP(owner->seen[0], owner->seen[1]);
        content_exchange(&owner->content);
        owner->held = (uint8_t)((owner->held & 1) << 1 | owner->held >> 1);
    }
    for (int slot = 1; slot <= SLOTS; slot++) {
        SWAP(state->slot[slot].cover[0], state->slot[slot].cover[1]);
        SWAP(state->slot[slot].session[0], state->slot[slot].session[1]);
    }
    SWAP(state->offset[0], state->offset[1]);
    SWAP(state->meta[0], state->meta[1]);
    SWAP(state->assigned[0], state->assigned[1]);
    SWAP(state->asked[0], state->asked[1]);
    SWAP(state->end[0], state->end[1]);
    SWAP(state->due[0], state->due[1]);
    content_exchange(&state->late_content);
    state->visible = (uint8_t)((state->visible & 3) << 2 | state->visible >> 2);
}

static void exchange_owners(struct state *state)
{
    struct owner swapped = state->owner[0];

    state->owner[0] = state->owner[1];
    state->owner[1] = swapped;
    for (int p = 0; p < PARTITIONS; p++)
        if (state->assigned[p] != NOBODY)
            state->assigned[p] ^= 1;
    if (state->late)
        state->late_owner ^= 1;
}

static struct packed pack_as_is(const struct state *state)
{
    struct state copy = *state;
    struct bits bits = {{0}, 0};
    struct packed packed;

    renumber(&copy);
    walk(&copy, &bits, true);
    memcpy(packed.word, bits.word, sizeof(packed.word));
    return packed;
}

/* A number that does not depend on names of epochs: which exchange is taken where it decides alone. */
static unsigned owner_key(const struct owner *owner)
{
    unsigned key = owner->status;

    key = key << 1 | owner->fenced;
    key = key << 1 | owner->sent;
    key = key << 2 | owner->purpose;
    key = key << 1 | (owner->fill != 0);
    key = key << 1 | (owner->commit != 0);
    for (int p = 0; p < PARTITIONS; p++)
        key = key << 8 | (unsigned)(owner->phase[p] << 6 | owner->at[p] << 4 | owner->seen[p] << 2 | owner->content.offset[p]);
    return key;
}

static unsigned partition_key(const struct state *state, int p)
{
    unsigned key = state->offset[p], both = 0;

    key = key << 1 | (state->meta[p] != IDLE);
    key = key << 1 | (state->assigned[p] == NOBODY);
    key = key << 1 | state->asked[p];
    key = key << 2 | state->end[p];
    key = key << 2 | (unsigned)(state->visible >> p * RECORDS & 3);
    for (int i = 0; i < OWNERS; i++)
        both += (unsigned)(state->owner[i].phase[p] << 8 | state->owner[i].at[p] << 4 | state->owner[i].content.offset[p]);
    return key << 12 | both;
}

static struct packed pack_least_owner(struct state *state)
{
    unsigned first = owner_key(&state->owner[0]), second = owner_key(&state->owner[1]);
    struct packed one, other;

    if (first > second)
        exchange_owners(state);
    one = pack_as_is(state);
    if (first != second)
        return one;
    exchange_owners(state);
    other = pack_as_is(state);
    return memcmp(&one, &other, sizeof(one)) <= 0 ? one : other;
}

struct packed model_pack(const struct config *config, const struct state *state)
{
    unsigned first = partition_key(state, 0), second = partition_key(state, 1);
    struct state copy = *state;
    struct packed one, other;

    if (!config->keep_names && first > second)
        exchange_partitions(&copy);
    one = pack_least_owner(&copy);
    if (config->keep_names || first != second)
        return one;
    exchange_partitions(&copy);
    other = pack_least_owner(&copy);
    return memcmp(&one, &other, sizeof(one)) <= 0 ? one : other;
}

void model_unpack(const struct packed *packed, struct state *state)
{
    struct bits bits = {{0}, 0};

    memset(state, 0, sizeof(*state));
    memcpy(bits.word, packed->word, sizeof(bits.word));
    walk(state, &bits, false);
}
