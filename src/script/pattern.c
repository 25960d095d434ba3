/* pattern.c: a pattern is a row of items, and only one that repeats has a choice: how many bytes it takes. So a match remembers a
 * stack of such items with what is left to try, each of them once, and does not recurse. Captures need no undoing: the way to a
 * match passes all of them again.
 * Cost: some 10 instructions a byte of the pattern, some 8 a byte that is tested, some 20 a choice. */
#include "script/pattern.h"

#include <stdlib.h>

enum {
    CHOICES_MAX = 200, /* Lua's library goes as deep, and counts more things */
    STEPS_PAID = 4096, /* at once */
    STEPS_PER_INSTRUCTION = 4,
    STEPS_PER_RESULT = 16,          /* of a search: the match, and each capture */
    BYTES_READ_PER_INSTRUCTION = 2, /* of a pattern */
    BYTES_TESTED_PER_STEP = 4,
    BYTES_COMPARED_PER_STEP = 16,
    SLOTS = 64, /* of the cache; a larger pattern is read each time */
    SLOT_TEXT_MAX = 128,
    SLOT_ITEMS = 64,
    SLOT_SETS = 12,
};

enum item_kind {
    ITEM_TEXT,     /* `size` bytes as they are */
    ITEM_ONE,      /* a byte that fits */
    ITEM_MOST,     /* as many of them as there are, `least` at least */
    ITEM_MAYBE,    /* one of them if it is there */
    ITEM_LEAST,    /* as few of them as will do */
    ITEM_OPEN,     /* here begins capture `byte` */
    ITEM_CLOSE,    /* and here it ends */
    ITEM_POSITION, /* this place is capture `byte` */
    ITEM_SAME,     /* what capture `byte` is */
    ITEM_NEVER,    /* the same for a position, which is no text */
    ITEM_BALANCE,  /* from `byte` to the `other` that belongs to it */
    ITEM_FRONTIER, /* between a byte that does not fit and one that does; zero stands before and behind the text */
    ITEM_END,
    ITEM_WRONG, /* `byte` is a number in the message */
    ITEM_DONE,
};

enum item_what { ANY_BYTE, THIS_BYTE, BYTE_OF_SET };

struct choice {
    const struct pattern_item *item;
    const char *at;     /* where the item ends as it was tried last */
    const char *lowest; /* where it ends when it is tried for the last time; not with LEAST */
};

/* --- sets of bytes --- */

/* Classes in the C locale, whatever the process's is: the bytes below 64, and below 128. */
#define CLASS_LIST(X)                                                                                                            \
    X('a', 0x0000000000000000, 0x07FFFFFE07FFFFFE)                                                                               \
    X('c', 0x00000000FFFFFFFF, 0x8000000000000000)                                                                               \
    X('d', 0x03FF000000000000, 0x0000000000000000)                                                                               \
    X('g', 0xFFFFFFFE00000000, 0x7FFFFFFFFFFFFFFF)                                                                               \
    X('l', 0x0000000000000000, 0x07FFFFFE00000000)                                                                               \
    X('p', 0xFC00FFFE00000000, 0x78000001F8000001)                                                                               \
    X('s', 0x0000000100003E00, 0x0000000000000000)                                                                               \
    X('u', 0x0000000000000000, 0x0000000007FFFFFE)                                                                               \
    X('w', 0x03FF000000000000, 0x07FFFFFE07FFFFFE)                                                                               \
    X('x', 0x03FF000000000000, 0x0000007E0000007E)                                                                               \
    X('z', 0x0000000000000001, 0x0000000000000000)

#define CLASS(letter, low, high) [letter] = {low, high, 0, 0},
#define CLASS_OF_OTHERS(letter, low, high) [letter - 'a' + 'A'] = {~UINT64_C(low), ~UINT64_C(high), UINT64_MAX, UINT64_MAX},
static const byte_set classes[128] = {CLASS_LIST(CLASS) CLASS_LIST(CLASS_OF_OTHERS)};

/* NULL: that letter means itself. */
static const uint64_t *class_of(unsigned char letter)
{
    const uint64_t *set = letter < COUNT_OF(classes) ? classes[letter] : NULL;

    return set && (set[0] | set[1]) ? set : NULL;
}

static inline bool set_has(const uint64_t *set, unsigned char byte)
{
    return set[byte >> 6] >> (byte & 63) & 1;
}

static inline void set_add(uint64_t *set, unsigned char byte)
{
    set[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

static void set_add_range(uint64_t *set, unsigned char first, unsigned char last)
{
    for (unsigned word = first >> 6; word <= (unsigned)last >> 6; word++) {
        unsigned from = word == (unsigned)first >> 6 ? first & 63 : 0, to = word == (unsigned)last >> 6 ? last & 63 : 63;

        if (from <= to)
            set[word] |= UINT64_MAX >> (63 - (to - from)) << from;
    }
}

static void set_add_escaped(uint64_t *set, unsigned char letter)
{
    const uint64_t *class = class_of(letter);

    if (!class)
        set_add(set, letter);
    for (int i = 0; class && i < 4; i++)
        set[i] |= class[i];
}

/* What stands between the brackets; close is the closing one. The manual leaves ranges that end with a % open: Lua's library
 * takes the % for the range and for an escape. */
static void set_read(uint64_t *set, const char *at, const char *close, bool others)
{
    memset(set, 0, sizeof(byte_set));
    for (; at < close; at++) {
        if (*at == '%') {
            set_add_escaped(set, (unsigned char)*++at);
        } else if (at + 2 < close && at[1] == '-') {
            set_add_range(set, (unsigned char)at[0], (unsigned char)at[2]);
            at += 2;
        } else {
            set_add(set, (unsigned char)*at);
        }
    }
    for (int i = 0; others && i < 4; i++)
        set[i] = ~set[i];
}

/* --- reading --- */

struct reader {
    const char *at, *end;
    struct pattern *pattern;
    struct pattern_item *items, *last, spare_item; /* what finds no room is only counted */
    byte_set *sets;
    size_t items_room, sets_room, item_count, set_count;
};

static struct pattern_item *add_item(struct reader *reader, enum item_kind kind)
{
    struct pattern_item *item =
        reader->item_count < reader->items_room ? &reader->items[reader->item_count] : &reader->spare_item;

    *item = (struct pattern_item){.kind = (uint8_t)kind};
    reader->item_count++;
    reader->last = item;
    return item;
}

/* Nothing behind it matters. */
static void add_wrong(struct reader *reader, const char *message, unsigned number)
{
    struct pattern_item *item = add_item(reader, ITEM_WRONG);

    item->wrong = message;
    item->byte = (uint8_t)number;
    reader->at = reader->end;
}

/* A plain byte, which joins those before it. */
static void add_text(struct reader *reader, const char *byte)
{
    struct pattern_item *last = reader->last;

    if (!last || last->kind != ITEM_TEXT || last->text + last->size != byte || last->size == UINT32_MAX) {
        last = add_item(reader, ITEM_TEXT);
        last->text = byte;
    }
    last->size++;
}

/* The set at the bracket, or NULL without room for it; false: it does not end. */
static bool read_set(struct reader *reader, const uint64_t **set_out)
{
    uint64_t *set = reader->set_count < reader->sets_room ? reader->sets[reader->set_count] : NULL;
    bool others = reader->at + 1 < reader->end && reader->at[1] == '^';
    const char *first = reader->at + 1 + others, *close = first;

    /* A bracket at the beginning is one of the set. */
    while (close < reader->end && (close == first || *close != ']'))
        close += *close == '%' ? 2 : 1;
    if (close >= reader->end) {
        add_wrong(reader, "malformed pattern (missing ']')", 0);
        return false;
    }
    if (set)
        set_read(set, first, close, others);
    reader->set_count++;
    reader->at = close + 1;
    *set_out = set;
    return true;
}

static void read_capture(struct reader *reader)
{
    struct pattern *pattern = reader->pattern;
    bool position = ++reader->at < reader->end && *reader->at == ')';

    if (pattern->captures == PATTERN_CAPTURES_MAX) {
        add_wrong(reader, "too many captures", 0);
        return;
    }
    reader->at += position;
    *(position ? &pattern->positions : &pattern->open) |= UINT32_C(1) << pattern->captures;
    add_item(reader, position ? ITEM_POSITION : ITEM_OPEN)->byte = (uint8_t)pattern->captures++;
}

/* Closes the capture that was opened last. */
static void read_close(struct reader *reader)
{
    unsigned index = reader->pattern->captures;

    while (index-- > 0) {
        if (reader->pattern->open >> index & 1) {
            reader->pattern->open &= ~(UINT32_C(1) << index);
            reader->at++;
            add_item(reader, ITEM_CLOSE)->byte = (uint8_t)index;
            return;
        }
    }
    add_wrong(reader, "invalid pattern capture", 0);
}

static void read_same(struct reader *reader)
{
    unsigned number = (unsigned)(reader->at[1] - '0'), index = number - 1;

    if (number == 0 || number > reader->pattern->captures || reader->pattern->open >> index & 1) {
        add_wrong(reader, "invalid capture index %%%d", number);
        return;
    }
    reader->at += 2;
    add_item(reader, reader->pattern->positions >> index & 1 ? ITEM_NEVER : ITEM_SAME)->byte = (uint8_t)index;
}

static void read_balance(struct reader *reader)
{
    struct pattern_item *item;

    if (reader->end - reader->at < 4) {
        add_wrong(reader, "malformed pattern (missing arguments to '%%b')", 0);
        return;
    }
    item = add_item(reader, ITEM_BALANCE);
    item->what = THIS_BYTE;
    item->byte = (uint8_t)reader->at[2];
    item->other = (uint8_t)reader->at[3];
    reader->at += 4;
}

static void read_frontier(struct reader *reader)
{
    const uint64_t *set;

    reader->at += 2;
    if (reader->at == reader->end || *reader->at != '[')
        add_wrong(reader, "missing '[' after '%%f' in pattern", 0);
    else if (read_set(reader, &set))
        add_item(reader, ITEM_FRONTIER)->set = set;
}

/* What a % makes of the character behind it, unless that is a class or the character itself. */
static bool read_special(struct reader *reader)
{
    if (reader->at + 1 == reader->end)
        add_wrong(reader, "malformed pattern (ends with '%%')", 0);
    else if (reader->at[1] >= '0' && reader->at[1] <= '9')
        read_same(reader);
    else if (reader->at[1] == 'b')
        read_balance(reader);
    else if (reader->at[1] == 'f')
        read_frontier(reader);
    else
        return false;
    return true;
}

static enum item_kind repetition_of(char sign)
{
    return sign == '-' ? ITEM_LEAST : sign == '?' ? ITEM_MAYBE : ITEM_MOST;
}

static bool is_repetition(char sign)
{
    return sign == '*' || sign == '+' || sign == '-' || sign == '?';
}

/* A byte, a class or a set, and how often. */
static void read_bytes(struct reader *reader)
{
    enum item_what what = *reader->at == '.' ? ANY_BYTE : *reader->at == '[' ? BYTE_OF_SET : THIS_BYTE;
    const char *byte = reader->at;
    const uint64_t *set = NULL;
    struct pattern_item *item;
    bool repeats;

    if (what == BYTE_OF_SET) {
        if (!read_set(reader, &set))
            return;
    } else if (*byte == '%') {
        set = class_of((unsigned char)*++byte);
        what = set ? BYTE_OF_SET : THIS_BYTE;
        reader->at += 2;
    } else {
        reader->at++;
    }
    repeats = reader->at < reader->end && is_repetition(*reader->at);
    if (what == THIS_BYTE && !repeats) {
        add_text(reader, byte);
        return;
    }
    item = add_item(reader, repeats ? repetition_of(*reader->at) : ITEM_ONE);
    item->what = (uint8_t)what;
    item->byte = (uint8_t)*byte;
    item->set = set;
    item->least = repeats && *reader->at == '+';
    reader->at += repeats;
}

static void read_items(struct reader *reader, bool anchor)
{
    struct str text = reader->pattern->text;

    *reader->pattern = (struct pattern){.text = text, .items = reader->items};
    reader->at = text.data;
    reader->end = text.data + text.size;
    reader->item_count = reader->set_count = 0;
    reader->last = NULL;
    if (anchor && text.size && text.data[0] == '^') {
        reader->pattern->anchored = true;
        reader->at++;
    }
    while (reader->at < reader->end) {
        if (*reader->at == '(') {
            read_capture(reader);
        } else if (*reader->at == ')') {
            read_close(reader);
        } else if (*reader->at == '$' && reader->at + 1 == reader->end) {
            add_item(reader, ITEM_END);
            reader->at++;
        } else if (*reader->at != '%' || !read_special(reader)) {
            read_bytes(reader);
        }
    }
    add_item(reader, ITEM_DONE);
}

static const struct pattern_item *lead_of(const struct pattern_item *item)
{
    bool once;

    while (item->kind == ITEM_OPEN || item->kind == ITEM_CLOSE || item->kind == ITEM_POSITION)
        item++;
    once = item->kind == ITEM_ONE || item->kind == ITEM_BALANCE || (item->kind == ITEM_MOST && item->least);
    return item->kind == ITEM_TEXT || (once && item->what != ANY_BYTE) ? item : NULL;
}

static void reader_init(struct reader *reader, struct pattern *pattern, struct str text)
{
    reader->pattern = pattern;
    reader->items = NULL;
    reader->sets = NULL;
    reader->items_room = reader->sets_room = 0;
    pattern->text = text;
}

/* Reads it again, for now it is known how many items it has. */
static void read_into_lua(lua_State *L, struct reader *reader, bool anchor)
{
    size_t items_size = reader->item_count * sizeof(*reader->items);

    reader->items = lua_newuserdatauv(L, items_size + reader->set_count * sizeof(byte_set), 0);
    reader->sets = (byte_set *)((char *)reader->items + items_size);
    reader->items_room = reader->item_count;
    reader->sets_room = reader->set_count;
    read_items(reader, anchor);
}

static void pay_for_reading_throws(lua_State *L, size_t size)
{
    script_budget_charge(script_of(L), (int64_t)(size / BYTES_READ_PER_INSTRUCTION));
    script_budget_check_throws(L);
}

void pattern_read_throws(lua_State *L, struct pattern *pattern, struct str text, bool anchor)
{
    struct reader reader;

    pay_for_reading_throws(L, text.size);
    reader_init(&reader, pattern, text);
    read_items(&reader, anchor);
    read_into_lua(L, &reader, anchor);
    pattern->lead = lead_of(pattern->items);
}

/* --- patterns that were read --- */

/* Scripts have few patterns and use them for every row. Lua keeps a short text once, so its address says which it is, until
 * another one lies there. */
struct pattern_cache {
    struct pattern_slot {
        bool kept;
        struct pattern pattern; /* of the text below */
        char text[SLOT_TEXT_MAX];
        struct pattern_item items[SLOT_ITEMS];
        byte_set sets[SLOT_SETS];
    } slots[SLOTS];
};

void pattern_free(struct script_state *state)
{
    free(state->patterns);
}

static struct pattern_slot *slot_of(struct script_state *state, const char *text)
{
    if (UNLIKELY(!state->patterns))
        state->patterns = xcalloc(1, sizeof(*state->patterns));
    return &state->patterns->slots[((uintptr_t)text >> 4 ^ (uintptr_t)text >> 10) % SLOTS];
}

static void read_into_slot(lua_State *L, struct pattern_slot *slot, struct str text)
{
    struct reader reader;

    slot->kept = false;
    pay_for_reading_throws(L, text.size);
    reader_init(&reader, &slot->pattern, text);
    if (text.size <= SLOT_TEXT_MAX) {
        memcpy(slot->text, text.data, text.size);
        slot->pattern.text.data = slot->text;
        reader.items = slot->items;
        reader.sets = slot->sets;
        reader.items_room = SLOT_ITEMS;
        reader.sets_room = SLOT_SETS;
    }
    read_items(&reader, true);
    slot->kept = reader.item_count <= reader.items_room && reader.set_count <= reader.sets_room;
    if (!slot->kept)
        read_into_lua(L, &reader, true);
    slot->pattern.lead = lead_of(slot->pattern.items);
}

const struct pattern *pattern_get_throws(lua_State *L, struct str text)
{
    struct pattern_slot *slot = slot_of(script_of(L), text.data);

    if (UNLIKELY(!slot->kept || !str_equal(slot->pattern.text, text)))
        read_into_slot(L, slot, text);
    return &slot->pattern;
}

/* --- matching --- */

static inline void pay_throws(struct pattern_search *search)
{
    struct script_state *state = script_of(search->L);
    int64_t price = (STEPS_PAID + STEPS_PER_INSTRUCTION - 1 - search->steps) / STEPS_PER_INSTRUCTION;

    search->steps = STEPS_PAID;
    if (LIKELY(state->instructions_left > price)) {
        state->instructions_left -= price;
        return;
    }
    script_budget_charge(state, price);
    script_budget_check_throws(search->L);
}

/* For bytes that were looked at in a loop of their own. */
static inline void spend(struct pattern_search *search, const char *from, const char *to, size_t bytes_per_step)
{
    search->steps -= (int64_t)((size_t)(to - from) / bytes_per_step);
}

/* Also a search that fails is paid for: a script may catch the error and search again. */
static void fail_throws(struct pattern_search *search, const char *message, int number)
{
    pay_throws(search);
    luaL_error(search->L, message, number);
}

static inline bool takes(const struct pattern_item *item, char byte)
{
    if (item->what == BYTE_OF_SET)
        return set_has(item->set, (unsigned char)byte);
    return item->what == ANY_BYTE || (unsigned char)byte == item->byte;
}

/* Where the run of bytes that fit ends. */
static inline const char *run_end(const struct pattern_item *item, const char *at, const char *end)
{
    if (item->what == ANY_BYTE)
        return end;
    if (item->what == THIS_BYTE) {
        while (at < end && (unsigned char)*at == item->byte)
            at++;
        return at;
    }
    while (at < end && set_has(item->set, (unsigned char)*at))
        at++;
    return at;
}

static const char *pass_text(struct pattern_search *search, const char *at, const char *text, size_t size)
{
    if ((size_t)(search->end - at) < size)
        return NULL;
    spend(search, at, at + size, BYTES_COMPARED_PER_STEP);
    return memcmp(at, text, size) == 0 ? at + size : NULL;
}

static const char *pass_balanced(struct pattern_search *search, const struct pattern_item *item, const char *at)
{
    const char *start = at;
    size_t depth = 1;

    if (at == search->end || (unsigned char)*at != item->byte)
        return NULL;
    for (at++; at < search->end && depth > 0; at++) {
        if ((unsigned char)*at == item->other)
            depth--;
        else if ((unsigned char)*at == item->byte)
            depth++;
    }
    spend(search, start, at, BYTES_TESTED_PER_STEP);
    return depth == 0 ? at : NULL;
}

static bool is_frontier(const struct pattern_search *search, const struct pattern_item *item, const char *at)
{
    char before = at > search->text ? at[-1] : '\0', behind = at < search->end ? *at : '\0';

    return !set_has(item->set, (unsigned char)before) && set_has(item->set, (unsigned char)behind);
}

/* An item that has no choice: where it ends, or NULL. */
static inline const char *pass_throws(struct pattern_search *search, const struct pattern_item *item, const char *at)
{
    switch ((enum item_kind)item->kind) {
    case ITEM_TEXT:
        if (at == search->end || *at != *item->text)
            return NULL;
        return item->size == 1 ? at + 1 : pass_text(search, at, item->text, item->size);
    case ITEM_ONE:
        return at < search->end && takes(item, *at) ? at + 1 : NULL;
    case ITEM_OPEN:
    case ITEM_POSITION:
        search->captures[item->byte].start = at;
        return at;
    case ITEM_CLOSE:
        search->captures[item->byte].stop = at;
        return at;
    case ITEM_SAME:
        return pass_text(search, at, search->captures[item->byte].start,
                         (size_t)(search->captures[item->byte].stop - search->captures[item->byte].start));
    case ITEM_BALANCE:
        return pass_balanced(search, item, at);
    case ITEM_FRONTIER:
        return is_frontier(search, item, at) ? at : NULL;
    case ITEM_END:
        return at == search->end ? at : NULL;
    case ITEM_WRONG:
        fail_throws(search, item->wrong, item->byte);
        return NULL;
    default:
        return NULL;
    }
}

/* The first try of an item that repeats; whether there is another one is noted in *choice. */
static inline const char *try_first(struct pattern_search *search, const struct pattern_item *item, const char *at,
                                    struct choice *choice, bool *more)
{
    const char *start = at;

    choice->item = item;
    *more = item->kind == ITEM_LEAST;
    if (item->kind == ITEM_MAYBE) {
        *more = at < search->end && takes(item, *at);
        choice->lowest = at;
        at += *more;
    } else if (item->kind == ITEM_MOST) {
        at = run_end(item, at, search->end);
        spend(search, start, at, BYTES_TESTED_PER_STEP);
        if (at - start < item->least)
            return NULL;
        choice->lowest = start + item->least;
        *more = at > choice->lowest;
    }
    choice->at = at;
    return at;
}

/* The next try; NULL: there is none. */
static inline const char *try_next(const struct pattern_search *search, struct choice *choice, bool *more)
{
    if (choice->item->kind != ITEM_LEAST) {
        *more = --choice->at > choice->lowest;
        return choice->at;
    }
    *more = choice->at < search->end && takes(choice->item, *choice->at);
    return *more ? ++choice->at : NULL;
}

/* Where the match that begins there ends, or NULL. */
static const char *match_throws(struct pattern_search *search, const char *at)
{
    const struct pattern_item *item = search->pattern->items;
    struct choice choices[CHOICES_MAX];
    size_t count = 0;
    bool more;

    for (; item->kind != ITEM_DONE; item++) {
        if (UNLIKELY(--search->steps < 0))
            pay_throws(search);
        if (item->kind == ITEM_MOST || item->kind == ITEM_MAYBE || item->kind == ITEM_LEAST) {
            if (UNLIKELY(count == CHOICES_MAX))
                fail_throws(search, "pattern too complex", 0);
            at = try_first(search, item, at, &choices[count], &more);
            count += more;
        } else {
            at = pass_throws(search, item, at);
        }
        while (!at) {
            if (count == 0)
                return NULL;
            item = choices[count - 1].item;
            at = try_next(search, &choices[count - 1], &more);
            count -= !more;
        }
    }
    return at;
}

/* --- searching --- */

void pattern_search_init(struct pattern_search *search, lua_State *L, const struct pattern *pattern, struct str text)
{
    search->L = L;
    search->pattern = pattern;
    search->text = text.data;
    search->end = text.data + text.size;
    search->steps = STEPS_PAID;
}

/* Where a match may begin, or NULL. */
static inline const char *next_candidate(struct pattern_search *search, const char *from)
{
    const struct pattern_item *lead = search->pattern->lead;
    const char *at = from;

    if (!lead)
        return from;
    if (lead->kind == ITEM_TEXT || lead->what == THIS_BYTE) {
        char byte = lead->kind == ITEM_TEXT ? *lead->text : (char)lead->byte;

        at = from < search->end ? memchr(from, byte, (size_t)(search->end - from)) : NULL;
        spend(search, from, at ? at : search->end, BYTES_COMPARED_PER_STEP);
        return at;
    }
    while (at < search->end && !set_has(lead->set, (unsigned char)*at))
        at++;
    spend(search, from, at, BYTES_TESTED_PER_STEP);
    return at < search->end ? at : NULL;
}

bool pattern_search_throws(struct pattern_search *search, const char *from, const char *last)
{
    const char *stop = NULL;
    bool found = false;

    search->steps -= (int64_t)(search->pattern->captures + 1) * STEPS_PER_RESULT;
    for (const char *at = from; !found; at++) {
        if (!search->pattern->anchored)
            at = next_candidate(search, at);
        if (!at)
            break;
        stop = match_throws(search, at);
        found = stop && stop != last;
        search->start = at;
        search->stop = stop;
        if (at == search->end || search->pattern->anchored)
            break;
    }
    pay_throws(search);
    return found;
}

bool pattern_search_plain_throws(struct pattern_search *search, const char *from, struct str text)
{
    const char *at = from;
    bool found = text.size == 0;

    search->steps -= STEPS_PER_RESULT + (int64_t)(text.size / BYTES_COMPARED_PER_STEP);
    while (!found && (size_t)(search->end - at) >= text.size) {
        at = memchr(at, *text.data, (size_t)(search->end - at) - text.size + 1);
        if (!at)
            break;
        search->steps -= 1 + (int64_t)(text.size / BYTES_COMPARED_PER_STEP);
        if (UNLIKELY(search->steps < 0))
            pay_throws(search);
        found = text.size == 1 || memcmp(at, text.data, text.size) == 0;
        at += !found;
    }
    spend(search, from, found ? at : search->end, BYTES_COMPARED_PER_STEP);
    search->start = at;
    search->stop = found ? at + text.size : NULL;
    pay_throws(search);
    return found;
}

/* --- captures --- */

bool pattern_capture_text_throws(const struct pattern_search *search, unsigned index, struct str *text_out)
{
    const struct pattern *pattern = search->pattern;

    *text_out = str_make(search->start, (size_t)(search->stop - search->start));
    if (index >= pattern->captures) {
        if (index > 0)
            luaL_error(search->L, "invalid capture index %%%d", (int)index + 1);
        return true;
    }
    if (pattern->open >> index & 1)
        luaL_error(search->L, "unfinished capture");
    if (pattern->positions >> index & 1)
        return false;
    *text_out = str_make(search->captures[index].start, (size_t)(search->captures[index].stop - search->captures[index].start));
    return true;
}

void pattern_push_capture_throws(const struct pattern_search *search, unsigned index)
{
    struct str text;

    if (pattern_capture_text_throws(search, index, &text))
        lua_pushlstring(search->L, text.data, text.size);
    else
        lua_pushinteger(search->L, search->captures[index].start - search->text + 1);
}

int pattern_push_captures_throws(const struct pattern_search *search)
{
    unsigned count = search->pattern->captures ? search->pattern->captures : 1;

    luaL_checkstack(search->L, (int)count, "too many captures");
    for (unsigned i = 0; i < count; i++)
        pattern_push_capture_throws(search, i);
    return (int)count;
}
