/* position.c: printing appends field by field; parsing walks a table of fields, so that both name each one once. */
#include "pipeline/position.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "maxcompute/sign.h"
#include "util/crc32c.h"

#define PREFIX "luaduct/"
#define VERSION_NOW "luaduct/2"
#define VERSION_BEFORE "luaduct/1"

/* --- printing --- */

static void print_name(struct buffer *text, const char *key, const char *value)
{
    buffer_print(text, " %s=", key);
    sign_encode(text, str_of(value));
}

static void print_counts(struct buffer *text, const char *key, const struct counts *counts)
{
    buffer_print(text, " %s=%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, key, counts->read, counts->written,
                 counts->filtered, counts->dirty, counts->expanded);
}

/* "N~rest": as many bytes as are shared with the text before, and the others. */
static void print_front(struct buffer *text, const char *before, const char *value)
{
    size_t shared = 0;

    while (before[shared] && before[shared] == value[shared])
        shared++;
    buffer_print(text, "%zu~", shared);
    sign_encode(text, str_of(value + shared));
}

static void print_prepared(const struct position *position, struct buffer *text)
{
    const char *spec = "", *id = "";

    print_name(text, "epoch", position->epoch);
    print_name(text, "by", position->by);
    buffer_print(text, " at=%" PRId64, position->at_ms);
    print_counts(text, "counts", &position->counts);
    for (size_t i = 0; i < position->cover_count; i++) {
        const struct position_cover *cover = &position->covers[i];

        buffer_print(text, "%s%" PRId32 ":%" PRId64 "+%" PRId64, i ? "," : " offsets=", cover->partition, cover->base,
                     cover->next - cover->base);
    }
    buffer_append_str(text, STR(" sessions="));
    for (size_t i = 0; i < position->session_count; i++) {
        const struct position_session *session = &position->sessions[i];

        if (i)
            buffer_append_char(text, ';');
        print_front(text, spec, session->spec);
        buffer_append_char(text, '!');
        print_front(text, id, session->id);
        buffer_print(text, "!%u!%" PRIu64, session->blocks, session->rows);
        spec = session->spec;
        id = session->id;
    }
}

void position_print(const struct position_owner *owner, const struct position *position, struct buffer *text)
{
    size_t start = text->size;

    buffer_append_str(text, STR(VERSION_NOW));
    print_name(text, "job", owner->job);
    print_name(text, "cluster", owner->cluster);
    print_name(text, "topic", owner->topic);
    print_name(text, "table", owner->table);
    print_name(text, "tableid", owner->table_id);
    print_counts(text, "ledger", &position->ledger);
    if (position->prepared)
        print_prepared(position, text);
    buffer_print(text, " crc=%08" PRIx32, crc32c(0, text->data + start, text->size - start));
}

size_t position_bytes_fixed(const struct position_owner *owner)
{
    enum { COUNTS_BYTES = 5 * 20, EPOCH_BYTES = 48 + 80 + 20 };
    struct buffer text;
    size_t size;

    buffer_init(&text, 0);
    position_print(owner, &(struct position){0}, &text);
    size = text.size + 2 * COUNTS_BYTES + EPOCH_BYTES + sizeof(" epoch= by= at= counts= offsets= sessions=");
    buffer_release(&text);
    return size;
}

size_t position_bytes_spec(struct str spec)
{
    struct buffer text;
    size_t size;

    buffer_init(&text, 0);
    sign_encode(&text, spec);
    size = text.size;
    buffer_release(&text);
    return size;
}

size_t position_bytes_session(size_t spec_bytes, size_t id_size)
{
    /* Two numbers of shared bytes, blocks (20,000 at most) and rows, with what stands between them. Ids need no encoding.
     * Neighbours share text, but how much is not known before they are sorted, so nothing is taken off. */
    enum { NUMBERS_BYTES = 2 * 3 + 4 + 5 + 10 };

    return NUMBERS_BYTES + spec_bytes + id_size;
}

/* --- parsing --- */

static bool take_number(struct str value, int64_t *number_out)
{
    char digits[24];
    char *end;

    if (value.size == 0 || value.size >= sizeof(digits))
        return false;
    memcpy(digits, value.data, value.size);
    digits[value.size] = '\0';
    errno = 0;
    *number_out = strtoll(digits, &end, 10);
    return !*end && errno == 0 && *number_out >= 0 && digits[0] >= '0' && digits[0] <= '9';
}

/* A position goes back only where a log was made anew. */
static bool take_signed(struct str value, int64_t *number_out)
{
    bool negative = value.size && value.data[0] == '-';

    if (!take_number(negative ? str_make(value.data + 1, value.size - 1) : value, number_out))
        return false;
    if (negative)
        *number_out = -*number_out;
    return true;
}

static bool take_counts(struct str value, struct counts *counts)
{
    int64_t *numbers[] = {&counts->read, &counts->written, &counts->filtered, &counts->dirty, &counts->expanded};
    struct str word;

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        bool more = str_cut(value, ',', &word, &value);

        if (more != (i + 1 < COUNT_OF(numbers)) || !take_number(word, numbers[i]))
            return false;
    }
    return true;
}

static bool take_text(struct str value, char *text, size_t room)
{
    struct buffer decoded;
    bool ok;

    buffer_init(&decoded, 0);
    sign_decode(&decoded, value);
    ok = decoded.size < room;
    if (ok)
        snprintf(text, room, "%s", buffer_text(&decoded));
    buffer_release(&decoded);
    return ok;
}

static bool take_covers(struct str value, struct position *position)
{
    size_t capacity = 0;

    while (value.size) {
        struct position_cover cover;
        struct str word, name, range, base, size;
        int64_t partition, count;

        str_cut(value, ',', &word, &value);
        if (!str_cut(word, ':', &name, &range) || !str_cut(range, '+', &base, &size) || !take_number(name, &partition) ||
            partition > INT32_MAX || !take_number(base, &cover.base) || !take_signed(size, &count) ||
            __builtin_add_overflow(cover.base, count, &cover.next))
            return false;
        cover.partition = (int32_t)partition;
        XGROW(position->covers, position->cover_count, capacity);
        position->covers[position->cover_count++] = cover;
    }
    return position->cover_count > 0;
}

/* "N~rest" behind `before`; NULL when it is none. */
static char *take_front(struct str value, const char *before)
{
    struct str number, rest;
    struct buffer text;
    int64_t shared;

    if (!str_cut(value, '~', &number, &rest) || !take_number(number, &shared) || (size_t)shared > strlen(before))
        return NULL;
    buffer_init(&text, 0);
    buffer_append(&text, before, (size_t)shared);
    sign_decode(&text, rest);
    (void)buffer_text(&text);
    return buffer_take(&text, NULL);
}

static bool take_sessions(struct str value, struct position *position)
{
    const char *spec = "", *id = "";
    size_t capacity = 0;

    while (value.size) {
        struct position_session *session;
        struct str word, parts[4];
        int64_t blocks, rows;
        bool ok = true;

        str_cut(value, ';', &word, &value);
        for (size_t i = 0; i < COUNT_OF(parts); i++)
            ok &= str_cut(word, '!', &parts[i], &word) == (i + 1 < COUNT_OF(parts));
        if (!ok || !take_number(parts[2], &blocks) || blocks > UINT32_MAX || !take_number(parts[3], &rows))
            return false;
        XGROW(position->sessions, position->session_count, capacity);
        session = &position->sessions[position->session_count++];
        *session = (struct position_session){
            .spec = take_front(parts[0], spec),
            .id = take_front(parts[1], id),
            .blocks = (unsigned)blocks,
            .rows = (uint64_t)rows,
        };
        if (!session->spec || !session->id || !session->id[0])
            return false;
        spec = session->spec;
        id = session->id;
    }
    return true;
}

static bool same_name(struct str value, const char *name)
{
    struct buffer decoded;
    bool same;

    buffer_init(&decoded, 0);
    sign_decode(&decoded, value);
    same = str_is(buffer_str(&decoded), name);
    buffer_release(&decoded);
    return same;
}

/* Cuts " crc=XXXXXXXX" off and compares it. */
static bool check_crc(struct str *text)
{
    static const size_t tail = sizeof(" crc=00000000") - 1;
    char expected[16];

    if (text->size < tail)
        return false;
    snprintf(expected, sizeof(expected), " crc=%08" PRIx32, crc32c(0, text->data, text->size - tail));
    if (memcmp(text->data + text->size - tail, expected, tail) != 0)
        return false;
    text->size -= tail;
    return true;
}

/* Whatever else is below the right checksum was not printed by us, and parts of a record end in messages. */
static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    return true;
}

/* Who the record belongs to. A side that does not know an id (an old broker, a mock) is no reason to refuse. */
static bool owner_check(struct str key, struct str value, const struct position_owner *owner, struct error *error)
{
    const struct {
        const char *key, *name, *what;
    } rows[] = {
        {"job", owner->job, "job"},       {"cluster", owner->cluster, "Kafka cluster"}, {"topic", owner->topic, "topic"},
        {"table", owner->table, "table"}, {"tableid", owner->table_id, "table"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!str_is(key, rows[i].key) || !rows[i].name[0] || !value.size || same_name(value, rows[i].name))
            continue;
        if (str_is(key, "topic"))
            return error_set(
                error, ERROR_FATAL,
                "the topic was deleted and made anew since the position was stored (its id was %.*s and is %s): what "
                "was not read of the old one is lost; to begin with the new one use `luaduct reset JOB --to earliest`",
                STR_ARG(value), rows[i].name);
        if (str_is(key, "tableid"))
            return error_set(error, ERROR_FATAL,
                             "table %s was dropped and made anew since the position was stored (its id was %.*s and is %s): what "
                             "was written before is gone; to fill the new one use `luaduct reset JOB --to ...`",
                             owner->table, STR_ARG(value), rows[i].name);
        return error_set(error, ERROR_FATAL,
                         "the consumer group's position belongs to another %s (%.*s, this job has %s); give this job a group of "
                         "its own in source.group",
                         rows[i].what, STR_ARG(value), rows[i].name);
    }
    return true;
}

/* Version 1: the idle record with five fields for the ledger. */
static bool take_old(struct str key, struct str value, struct counts *ledger, unsigned *seen)
{
    const struct {
        const char *key;
        int64_t *number;
    } rows[] = {{"read", &ledger->read},
                {"written", &ledger->written},
                {"filtered", &ledger->filtered},
                {"dirty", &ledger->dirty},
                {"expanded", &ledger->expanded}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!str_is(key, rows[i].key))
            continue;
        *seen |= 1u << i;
        return take_number(value, rows[i].number);
    }
    return true;
}

enum { SEEN_LEDGER = 1, SEEN_EPOCH = 2, SEEN_BY = 4, SEEN_AT = 8, SEEN_COUNTS = 16, SEEN_OFFSETS = 32, SEEN_SESSIONS = 64 };
enum { SEEN_PREPARED = SEEN_EPOCH | SEEN_BY | SEEN_AT | SEEN_COUNTS | SEEN_OFFSETS | SEEN_SESSIONS, SEEN_OLD = 31 };

/* No key may come twice. */
static bool see(unsigned *seen, unsigned bit)
{
    bool first = !(*seen & bit);

    *seen |= bit;
    return first;
}

static bool take_field(struct str key, struct str value, struct position *position, unsigned *seen)
{
    if (str_is(key, "ledger")) {
        return see(seen, SEEN_LEDGER) && take_counts(value, &position->ledger);
    }
    if (str_is(key, "epoch")) {
        return see(seen, SEEN_EPOCH) && take_text(value, position->epoch, sizeof(position->epoch));
    }
    if (str_is(key, "by")) {
        return see(seen, SEEN_BY) && take_text(value, position->by, sizeof(position->by));
    }
    if (str_is(key, "at")) {
        return see(seen, SEEN_AT) && take_number(value, &position->at_ms);
    }
    if (str_is(key, "counts")) {
        return see(seen, SEEN_COUNTS) && take_counts(value, &position->counts);
    }
    if (str_is(key, "offsets")) {
        return see(seen, SEEN_OFFSETS) && take_covers(value, position);
    }
    if (str_is(key, "sessions")) {
        return see(seen, SEEN_SESSIONS) && take_sessions(value, position);
    }
    return true; /* owner_check's */
}

enum position_status position_parse(struct str text, const struct position_owner *owner, struct position *position_out,
                                    struct error *error)
{
    struct position position = {0};
    struct str version, rest, word, key, value;
    enum position_status status = POSITION_NONE;
    unsigned seen = 0;
    bool old;

    memset(position_out, 0, sizeof(*position_out));
    if (!text.size || !str_starts_with(text, STR(PREFIX)) || !check_crc(&text) || !is_printable(text))
        return POSITION_NONE;
    str_cut(text, ' ', &version, &rest);
    old = str_is(version, VERSION_BEFORE);
    if (!old && !str_is(version, VERSION_NOW)) {
        error_set(error, ERROR_FATAL,
                  "the position was stored by another release of luaduct (%.*s, this one reads %s and %s); run that release",
                  STR_ARG(version), VERSION_BEFORE, VERSION_NOW);
        return POSITION_UNKNOWN;
    }
    while (rest.size) {
        str_cut(rest, ' ', &word, &rest);
        if (!str_cut(word, '=', &key, &value))
            goto out;
        if (!(old ? take_old(key, value, &position.ledger, &seen) : take_field(key, value, &position, &seen)))
            goto out;
        if (owner && !owner_check(key, value, owner, error)) {
            status = POSITION_FOREIGN;
            goto out;
        }
    }
    if (seen != (old ? (unsigned)SEEN_OLD : SEEN_LEDGER) && seen != (SEEN_LEDGER | SEEN_PREPARED))
        goto out;
    position.prepared = !old && seen != SEEN_LEDGER;
    *position_out = position;
    memset(&position, 0, sizeof(position));
    status = POSITION_OURS;
out:
    position_release(&position);
    return status;
}

void position_release(struct position *position)
{
    for (size_t i = 0; i < position->session_count; i++) {
        free(position->sessions[i].spec);
        free(position->sessions[i].id);
    }
    free(position->sessions);
    free(position->covers);
    memset(position, 0, sizeof(*position));
}
