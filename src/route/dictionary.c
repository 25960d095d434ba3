/* dictionary.c: open addressing with linear probing over slots that hold codes, so that keys stand in their order of appearance.
 * What growing leaves behind goes with the arena: a third of the whole at most, since it grows by four. */
#include "route/dictionary.h"

static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static uint64_t key_hash(struct key key)
{
    uint64_t hash = (uint64_t)key.number ^ key.text.size;
    size_t at = 0;

    for (; key.text.size - at >= 8; at += 8) {
        uint64_t word;

        memcpy(&word, key.text.data + at, 8);
        hash = mix(hash ^ word);
    }
    for (; at < key.text.size; at++)
        hash = (hash ^ (unsigned char)key.text.data[at]) * UINT64_C(0x100000001B3);
    return mix(hash);
}

static bool dictionary_grow(struct dictionary *dictionary)
{
    uint32_t capacity = dictionary->capacity ? dictionary->capacity * 4 : 16;
    struct key *keys = arena_try_array(dictionary->arena, capacity, sizeof(*keys));
    uint32_t *slots = arena_try_array(dictionary->arena, (size_t)capacity * 2, sizeof(*slots));

    if (!keys || !slots)
        return false;
    if (dictionary->count)
        memcpy(keys, dictionary->keys, dictionary->count * sizeof(*keys));
    memset(slots, 0, (size_t)capacity * 2 * sizeof(*slots));
    dictionary->keys = keys;
    dictionary->slots = slots;
    dictionary->capacity = capacity;
    dictionary->slot_count = capacity * 2;
    for (uint32_t code = 0; code < dictionary->count; code++) {
        uint32_t slot = (uint32_t)key_hash(keys[code]) & (dictionary->slot_count - 1);

        while (slots[slot])
            slot = (slot + 1) & (dictionary->slot_count - 1);
        slots[slot] = code + 1;
    }
    return true;
}

int64_t dictionary_code(struct dictionary *dictionary, struct key key)
{
    uint32_t slot;

    if (dictionary->count == dictionary->capacity && !dictionary_grow(dictionary))
        return -1;
    slot = (uint32_t)key_hash(key) & (dictionary->slot_count - 1);
    for (; dictionary->slots[slot]; slot = (slot + 1) & (dictionary->slot_count - 1)) {
        const struct key *other = &dictionary->keys[dictionary->slots[slot] - 1];

        if (other->number == key.number && str_equal(other->text, key.text))
            return dictionary->slots[slot] - 1;
    }
    dictionary->keys[dictionary->count] = key;
    dictionary->slots[slot] = ++dictionary->count;
    return dictionary->count - 1;
}
