/* json_scan.c: a pass over the bytes of one document that checks all of its syntax and stores the wanted values on the way.
 * Method: each object that holds wanted members remembers what stood between its values last time, wanted or not: the bytes
 * from one value to the next, such as ,"name": with the blanks. A member that comes at its usual place costs one comparison of
 * 16 bytes, and its name needs no further check: those bytes were checked when they were learnt. Texts are passed 16 bytes at a
 * time.
 * The bounds: the last byte of the document is a closing brace (checked first). Whatever stops at a byte that it does not know
 * stops there at the latest, so that only what may pass a brace looks at the end: texts, and whoever has just closed an object.
 * What is not plain is left to yyjson: names with escapes among the wanted ones, wanted names that come twice, -0, doubles of
 * many digits or with an exponent, values that do not suit their column, and all that is not JSON.
 * Cost: measured by callgrind, an order of 283 bytes with 8 columns takes some 1,890 instructions. */
#include "batch/kernels/json_scan.h"

#include "batch/decimal.h"
#include "batch/kernels/json_syntax.h"

#include <float.h>
#include <stdlib.h>

enum {
    MEMBER_BYTES = 64,  /* longer names are looked up each time */
    MEMBERS_MAX = 256,  /* remembered for one object */
    MISSES_MAX = 16,    /* objects with members at unusual places, until their order is learnt anew */
    FAILURES_MAX = 8,   /* in a row; then the next rows go to yyjson without a try */
    PAUSE_ROWS = 256,
    SHORT_DIGITS = 18,  /* of decimals that are read by the way: exact in 64 bits whatever they are */
    DOUBLE_DIGITS = 15, /* an integer of so many digits is exact as a double, and so is a power of ten */
    NO_PLACE = UINT32_MAX,
};

struct scan_object;

/* A wanted member, or one with wanted members inside. */
struct scan_target {
    struct str key; /* borrowed from a path */
    struct json_spec *spec;
    enum type_kind kind; /* of the column; TYPE_NULL where there is only a way to others */
    void *cells;         /* the column's values, of the batch in hand */
    struct scan_object *object;
    struct scan_target *next; /* in the bucket */
    uint32_t place;           /* where it usually comes */
    uint64_t seen, null;      /* the last record that has the member, and that has null there */
};

/* A member that is expected at its place. */
struct scan_member {
    char text[MEMBER_BYTES]; /* ,"name": and the blanks between; of the first one without the comma */
    uint32_t size;
    unsigned mask; /* the bytes that count of the first 16 */
    struct scan_target *target; /* NULL: not wanted */
};

struct scan_object {
    struct scan_target *targets;
    uint32_t target_count;
    struct scan_target **buckets;
    uint32_t bucket_mask;
    struct scan_member *members; /* the first one only ever stands first in the object, and the others never */
    uint32_t count, capacity;
    unsigned misses;
};

/* ---- values ---- */

/* A text with escapes, between its quotes, into the arena. */
static bool copy_text(struct json_extractor *x, const char *start, const char *end, size_t saved, struct str *cell)
{
    struct json_scan *scan = x->scan;
    struct arena *arena = &x->batch->arena;
    size_t size = (size_t)(end - start) - saved;
    char *copy;

    if (!scan->marked)
        scan->mark = arena_mark(arena);
    scan->marked = true;
    copy = arena_try_alloc(arena, size);
    if (!copy)
        return false;
    json_decode_text(start, end, copy);
    *cell = str_make(copy, size);
    return true;
}

/* A text that is not all ASCII without escapes, from `p` on, before which it is. */
static __attribute__((noinline)) const char *scan_any_text(struct json_extractor *x, const char *start, const char *p,
                                                           const char *end, struct str *cell)
{
    size_t saved = 0;

    p = json_skip_any_text(p, end, &saved);
    if (UNLIKELY(!p))
        return NULL;
    if (saved)
        return copy_text(x, start, p - 1, saved, cell) ? p : NULL;
    *cell = str_make(start, (size_t)(p - 1 - start));
    return p;
}

static inline const char *scan_text(struct json_extractor *x, const char *p, const char *end, struct str *cell)
{
    const char *start = p + 1;

    if (UNLIKELY(*p != '"'))
        return NULL;
    p = json_skip_plain(start, end);
    if (UNLIKELY(*p != '"'))
        return scan_any_text(x, start, p, end, cell);
    *cell = str_make(start, (size_t)(p - start));
    return p + 1;
}

/* A text that a value is read from. */
static inline const char *scan_plain_text(const char *p, const char *end, struct str *text)
{
    size_t saved = 0;
    const char *start = p + 1;

    if (*p != '"')
        return NULL;
    p = json_skip_text(start, end, &saved);
    if (UNLIKELY(!p || saved))
        return NULL;
    *text = str_make(start, (size_t)(p - 1 - start));
    return p;
}

/* Eight digits at once, where there are as many. */
static inline bool eight_digits(const char *p, const char *end, uint64_t *value)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;

    if (end - p < 8)
        return false;
    memcpy(&word, p, 8);
    word ^= ones * '0';
    /* Digits are 0 to 9 now: no byte has an upper half, or gets one when 6 is added. */
    if ((word | (word + ones * 6)) & ones * 0xF0)
        return false;
    /* Neighbours join: digits to pairs, pairs to fours, fours to eight. */
    word = word * (10 * 256 + 1) >> 8;
    word = (word & UINT64_C(0x00FF00FF00FF00FF)) * (100 * 65536 + 1) >> 16;
    word = (word & UINT64_C(0x0000FFFF0000FFFF)) * ((UINT64_C(10000) << 32) + 1) >> 32;
    *value = *value * 100000000 + word;
    return true;
#else
    (void)p;
    (void)end;
    (void)value;
    return false;
#endif
}

static inline const char *scan_bigint(const char *p, const char *end, int64_t *cell)
{
    bool negative = *p == '-';
    const char *start = p += negative;
    uint64_t value = 0;
    size_t digits;

    while (eight_digits(p, end, &value))
        p += 8;
    for (; json_is_digit(*p); p++)
        value = value * 10 + (uint64_t)(*p - '0');
    digits = (size_t)(p - start);
    /* Nineteen digits fit 64 bits without a sign; of more of them the value is void. */
    if (digits == 0 || digits > 19 || value > (uint64_t)INT64_MAX + negative || (*start == '0' && (digits > 1 || negative)) ||
        *p == '.' || *p == 'e' || *p == 'E')
        return NULL;
    *cell = negative ? (int64_t)-value : (int64_t)value;
    return p;
}

/* Few digits: then the quotient of the digits and a power of ten, both exact, is the nearest double. */
static const char *scan_double(const char *p, double *cell)
{
    static const double powers[DOUBLE_DIGITS + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool negative = *p == '-';
    const char *start = p += negative;
    uint64_t value = 0;
    size_t digits, fraction = 0;

    for (; json_is_digit(*p); p++)
        value = value * 10 + (uint64_t)(*p - '0');
    digits = (size_t)(p - start);
    if (digits == 0 || (*start == '0' && digits > 1))
        return NULL;
    if (*p == '.' && FLT_EVAL_METHOD == 0) {
        start = ++p;
        for (; json_is_digit(*p); p++)
            value = value * 10 + (uint64_t)(*p - '0');
        fraction = (size_t)(p - start);
        if (fraction == 0)
            return NULL;
    }
    if (digits > DOUBLE_DIGITS || fraction > DOUBLE_DIGITS - digits || (negative && value == 0) || *p == '.' || *p == 'e' ||
        *p == 'E')
        return NULL;
    *cell = (double)value / powers[fraction];
    if (negative)
        *cell = -*cell;
    return p;
}

/* Up to 18 digits with or without a point, which nearly all decimals are: their end, or NULL. */
static inline const char *scan_short_decimal(struct type type, const char *p, int128 *cell)
{
    bool negative = *p == '-';
    const char *start = p += negative;
    uint64_t value = 0;
    size_t digits, fraction = 0;

    for (; json_is_digit(*p); p++)
        value = value * 10 + (uint64_t)(*p - '0');
    digits = (size_t)(p - start);
    if (*p == '.') {
        start = ++p;
        for (; json_is_digit(*p); p++)
            value = value * 10 + (uint64_t)(*p - '0');
        fraction = (size_t)(p - start);
        if (fraction == 0)
            return NULL;
    }
    if (digits == 0 || digits > SHORT_DIGITS || fraction > SHORT_DIGITS - digits || fraction > type.scale ||
        value >= (uint128)decimal_powers[type.precision - (type.scale - fraction)])
        return NULL;
    *cell = (int128)value * decimal_powers[type.scale - fraction];
    if (negative)
        *cell = -*cell;
    return p;
}

static const char *scan_decimal(const struct json_extractor *x, struct type type, const char *p, const char *end,
                                int128 *cell)
{
    const char *start = p;
    struct str text;

    if (*p == '"') {
        const char *behind = scan_short_decimal(type, p + 1, cell);

        if (LIKELY(behind && *behind == '"'))
            return behind + 1;
        p = scan_plain_text(p, end, &text);
        if (!p)
            return NULL;
    } else {
        /* The first number that a decimal meets changes how all are read, which is not for this module to say. */
        if (!x->exact)
            return NULL;
        p = json_skip_number(p);
        if (!p)
            return NULL;
        text = str_make(start, (size_t)(p - start));
    }
    return decimal_parse(text, type, cell) == DECIMAL_OK ? p : NULL;
}

/* Without a branch between the two words, for nobody knows which comes next. */
static inline const char *scan_boolean(const char *p, const char *end, uint8_t *cell)
{
    bool yes, no;

    if (UNLIKELY(end - p < 5))
        return NULL;
    yes = memcmp(p, "true", 4) == 0;
    no = (*p == 'f') & (memcmp(p + 1, "alse", 4) == 0);
    *cell = yes;
    return LIKELY(yes | no) ? p + 5 - yes : NULL;
}

/* ---- members ---- */

static inline uint64_t load64(const char *p)
{
    uint64_t word;

    memcpy(&word, p, 8);
    return word;
}

static inline bool member_is(const struct scan_member *member, const char *p, const char *end)
{
    size_t left = (size_t)(end - p);

#ifdef __SSE2__
    if (LIKELY(left >= JSON_WIDE_BYTES)) {
        __m128i there = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i wanted = _mm_loadu_si128((const __m128i *)(const void *)member->text);

        if (((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(there, wanted)) & member->mask) != member->mask)
            return false;
        return LIKELY(member->size <= JSON_WIDE_BYTES) ||
               (left >= member->size &&
                memcmp(p + JSON_WIDE_BYTES, member->text + JSON_WIDE_BYTES, member->size - JSON_WIDE_BYTES) == 0);
    }
#endif
    if (left < member->size)
        return false;
    if (LIKELY(member->size - 8 <= 8))
        return load64(p) == load64(member->text) && load64(p + member->size - 8) == load64(member->text + member->size - 8);
    return memcmp(p, member->text, member->size) == 0;
}

static struct scan_target *find_target(const struct scan_object *object, struct str name)
{
    struct scan_target *target = object->buckets[json_name_hash(name.data, name.size) & object->bucket_mask];

    while (target && !str_equal(target->key, name))
        target = target->next;
    return target;
}

static bool has_place(const struct scan_object *object, const struct scan_target *target)
{
    return target->place < object->count && object->members[target->place].target == target;
}

/* Which place the member takes, and which one is expected next. An unknown member among wanted ones is taken for an exception. */
static uint32_t learn(struct scan_object *object, uint32_t place, struct str text, struct scan_target *target)
{
    struct scan_member *member;

    if (target && has_place(object, target))
        return target->place + 1;
    if (!target && place + 1 < object->count && member_is(&object->members[place + 1], text.data, text.data + text.size))
        return place + 2;
    if ((!target && place < object->count && object->members[place].target) || text.size > MEMBER_BYTES ||
        place > object->count || place == MEMBERS_MAX)
        return place;
    if (place == object->count)
        XGROW(object->members, object->count, object->capacity);
    object->count += place == object->count;
    member = &object->members[place];
    memset(member, 0, sizeof(*member));
    memcpy(member->text, text.data, text.size);
    member->size = (uint32_t)text.size;
    member->mask = text.size < JSON_WIDE_BYTES ? (1u << text.size) - 1 : 0xFFFF;
    member->target = target;
    if (target)
        target->place = place;
    return place + 1;
}

/* A member that is not the expected one, from behind the value before it on: its target, or none, and the place behind the
 * colon. */
static __attribute__((noinline)) const char *find_member(struct scan_object *object, const char *p, const char *end,
                                                         bool first, uint32_t *place, struct scan_target **target_out)
{
    const char *start = p;
    struct str name;

    p = json_skip_blank(p);
    if (!first) {
        if (*p != ',')
            return NULL;
        p = json_skip_blank(p + 1);
    }
    p = scan_plain_text(p, end, &name);
    if (!p)
        return NULL;
    *target_out = find_target(object, name);
    p = json_skip_blank(p);
    if (*p != ':')
        return NULL;
    p = json_skip_blank(p + 1);
    *place = learn(object, *place, str_make(start, (size_t)(p - start)), *target_out);
    *place += *place == 0; /* what is not first needs its comma */
    return p;
}

static const char *scan_object(struct json_extractor *x, struct scan_object *object, const char *p, const char *end);

static inline const char *scan_target(struct json_extractor *x, struct scan_target *target, uint32_t row, const char *p,
                                      const char *end)
{
    struct json_scan *scan = x->scan;
    const char *behind = NULL;
    struct str text;

    if (UNLIKELY(target->seen == scan->record))
        return NULL;
    target->seen = scan->record;
    switch (target->kind) {
    case TYPE_STRING: behind = scan_text(x, p, end, (struct str *)target->cells + row); break;
    case TYPE_BIGINT: behind = scan_bigint(p, end, (int64_t *)target->cells + row); break;
    case TYPE_DECIMAL: behind = scan_decimal(x, target->spec->type, p, end, (int128 *)target->cells + row); break;
    case TYPE_BOOLEAN: behind = scan_boolean(p, end, (uint8_t *)target->cells + row); break;
    case TYPE_DOUBLE: behind = scan_double(p, (double *)target->cells + row); break;
    case TYPE_DATE:
        behind = scan_plain_text(p, end, &text);
        if (behind && !time_parse_date(text, (int32_t *)target->cells + row))
            behind = NULL;
        break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        behind = scan_plain_text(p, end, &text);
        if (behind && json_parse_instant(x, text, target->kind, (struct instant *)target->cells + row))
            behind = NULL;
        break;
    case TYPE_NULL: return *p == '{' ? scan_object(x, target->object, p + 1, end) : json_skip_value(p, end);
    default: break;
    }
    if (LIKELY(behind)) {
        scan->filled++;
        return behind;
    }
    target->null = scan->record;
    return JSON_SKIP_WORD(p, end, "null");
}

/* From behind the opening brace to behind the closing one. The depth is that of the paths, not of the document. */
static const char *scan_object(struct json_extractor *x, struct scan_object *object, const char *p, const char *end)
{
    const struct scan_member *member = object->members;
    const struct scan_member *last = member + object->count;
    const char *start = p;
    uint32_t row = x->row;
    bool missed = false;

    for (;;) {
        struct scan_target *target;

        if (LIKELY(member < last && member_is(member, p, end))) {
            p += member->size;
            target = member->target;
            member++;
        } else {
            uint32_t place = (uint32_t)(member - object->members);
            const char *behind = p < end ? json_skip_blank(p) : p;

            if (behind == end)
                return NULL;
            if (*behind == '}') {
                p = behind + 1;
                break;
            }
            p = find_member(object, p, end, p == start, &place, &target);
            if (!p)
                return NULL;
            missed = true;
            member = object->members + place;
            last = object->members + object->count;
        }
        p = json_skip_blank(p);
        p = target ? scan_target(x, target, row, p, end) : json_skip_value(p, end);
        if (UNLIKELY(!p))
            return NULL;
    }
    if (missed && ++object->misses == MISSES_MAX)
        object->misses = object->count = 0;
    return p;
}

/* ---- rows ---- */

/* What stands for the columns without a value. False: one of them must have one. */
static bool fill_rest(struct json_extractor *x)
{
    const struct json_scan *scan = x->scan;

    for (size_t i = 0; i < x->spec_count; i++) {
        const struct scan_target *target = scan->targets[i];
        bool missing = target->seen != scan->record;

        if (x->specs[i].required && (missing ? !x->specs[i].has_default : target->null == scan->record))
            return false;
    }
    for (size_t i = 0; i < x->spec_count; i++) {
        struct json_spec *spec = &x->specs[i];
        const struct scan_target *target = scan->targets[i];
        bool missing = target->seen != scan->record;
        size_t size = type_size(spec->type.kind);

        if (missing && spec->has_default)
            memcpy((char *)spec->column->data + x->row * size, &spec->default_value, size);
        else if (missing || target->null == scan->record)
            json_cell_null(x, spec);
    }
    return true;
}

void json_scan_begin(struct json_extractor *x)
{
    for (size_t i = 0; i < x->spec_count; i++)
        x->scan->targets[i]->cells = x->specs[i].column->data;
}

bool json_scan_row(struct json_extractor *x)
{
    struct json_scan *scan = x->scan;
    const char *p = x->source.data;
    const char *end = p + x->source.size;

    if (UNLIKELY(scan->off))
        return false;
    if (UNLIKELY(scan->pause)) {
        scan->pause--;
        return false;
    }
    scan->record++;
    scan->filled = 0;
    scan->marked = false;
    while (end > p && json_is_blank(end[-1]))
        end--;
    if (LIKELY(end > p && end[-1] == '}')) {
        p = json_skip_blank(p);
        if (*p == '{' && scan_object(x, scan->root, p + 1, end) == end && (scan->filled == x->spec_count || fill_rest(x))) {
            scan->rows++;
            scan->failures = 0;
            return true;
        }
    }
    if (scan->marked)
        arena_rollback(&x->batch->arena, &scan->mark);
    if (++scan->failures == FAILURES_MAX) {
        scan->failures = 0;
        scan->pause = scan->pause_rows;
    }
    return false;
}

/* ---- set-up ---- */

static bool is_plain(const struct json_extractor *x, size_t column)
{
    const struct json_spec *spec = &x->specs[column];

    if (spec->path->element || spec->collect || !spec->path->step_count)
        return false;
    for (size_t i = 0; i < spec->path->step_count; i++)
        if (spec->path->steps[i].kind != JSON_STEP_KEY)
            return false;
    for (size_t i = 0; i < column; i++)
        if (x->specs[i].node == spec->node)
            return false;
    switch (spec->type.kind) {
    case TYPE_STRING:
    case TYPE_BIGINT:
    case TYPE_DECIMAL:
    case TYPE_DOUBLE:
    case TYPE_BOOLEAN:
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return true;
    default: return false;
    }
}

static struct scan_object *object_new(struct json_scan *scan, const struct json_extractor *x, const struct json_node *node)
{
    struct scan_object *object = xcalloc(1, sizeof(*object));
    uint32_t buckets = 8;

    while (buckets < node->name_count * 4)
        buckets *= 2;
    object->buckets = xcalloc(buckets, sizeof(struct scan_target *));
    object->bucket_mask = buckets - 1;
    XGROW(object->members, object->count, object->capacity); /* scan_object computes with the pointer before there are any */
    object->target_count = node->name_count;
    object->targets = xcalloc(node->name_count, sizeof(*object->targets));
    for (uint32_t i = 0; i < node->name_count; i++) {
        const struct json_node *child = node->names[i];
        struct scan_target *target = &object->targets[i];
        struct scan_target **bucket = &object->buckets[json_name_hash(child->key.data, child->key.size) & object->bucket_mask];

        target->key = child->key;
        target->place = NO_PLACE;
        target->next = *bucket;
        *bucket = target;
        for (size_t k = 0; k < x->spec_count; k++) {
            if (x->specs[k].node == child) {
                target->spec = &x->specs[k];
                target->kind = x->specs[k].type.kind;
                scan->targets[k] = target;
            }
        }
        if (child->name_count)
            target->object = object_new(scan, x, child);
    }
    return object;
}

static void object_free(struct scan_object *object)
{
    if (!object)
        return;
    for (uint32_t i = 0; i < object->target_count; i++)
        object_free(object->targets[i].object);
    free(object->targets);
    free(object->buckets);
    free(object->members);
    free(object);
}

struct json_scan *json_scan_new(const struct json_extractor *x)
{
    struct json_scan *scan;

    if (x->expand.data || x->rest.data || !x->spec_count)
        return NULL;
    for (size_t i = 0; i < x->spec_count; i++)
        if (!is_plain(x, i))
            return NULL;
    scan = xcalloc(1, sizeof(*scan));
    scan->pause_rows = PAUSE_ROWS;
    scan->targets = xcalloc(x->spec_count, sizeof(*scan->targets));
    scan->root = object_new(scan, x, x->record.nodes[0]);
    return scan;
}

void json_scan_free(struct json_scan *scan)
{
    if (!scan)
        return;
    object_free(scan->root);
    free(scan->targets);
    free(scan);
}
