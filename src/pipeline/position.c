/* position.c */
#include "pipeline/position.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "maxcompute/sign.h"
#include "util/crc32c.h"

#define PREFIX "luaduct/"
#define VERSION_NOW "luaduct/1"

static void print_name(struct buffer *text, const char *key, const char *value)
{
    buffer_print(text, " %s=", key);
    sign_encode(text, str_of(value));
}

void position_print(const struct position_owner *owner, const struct counts *ledger, struct buffer *text)
{
    size_t start = text->size;

    buffer_append_str(text, STR(VERSION_NOW));
    print_name(text, "job", owner->job);
    print_name(text, "cluster", owner->cluster);
    print_name(text, "topic", owner->topic);
    print_name(text, "table", owner->table);
    buffer_print(text, " read=%" PRId64 " written=%" PRId64 " filtered=%" PRId64 " dirty=%" PRId64 " expanded=%" PRId64,
                 ledger->read, ledger->written, ledger->filtered, ledger->dirty, ledger->expanded);
    buffer_print(text, " crc=%08" PRIx32, crc32c(0, text->data + start, text->size - start));
}

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
    return !*end && errno == 0 && *number_out >= 0;
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

enum position_status position_parse(struct str text, const struct position_owner *owner, struct counts *ledger_out,
                                    struct error *error)
{
    struct {
        const char *key;
        const char *name; /* must be the same */
        int64_t *number;
        bool seen;
    } rows[] = {
        {"job", owner->job, NULL, false},         {"cluster", owner->cluster, NULL, false},
        {"topic", owner->topic, NULL, false},     {"table", owner->table, NULL, false},
        {"read", NULL, &ledger_out->read, false}, {"written", NULL, &ledger_out->written, false},
        {"filtered", NULL, &ledger_out->filtered, false}, {"dirty", NULL, &ledger_out->dirty, false},
        {"expanded", NULL, &ledger_out->expanded, false},
    };
    struct str version, rest, word, key, value;

    memset(ledger_out, 0, sizeof(*ledger_out));
    if (!text.size || !str_starts_with(text, STR(PREFIX)))
        return POSITION_NONE;
    if (!check_crc(&text))
        return POSITION_NONE;
    str_cut(text, ' ', &version, &rest);
    if (!str_is(version, VERSION_NOW)) {
        error_set(error, ERROR_FATAL,
                  "the position was stored by another release of luaduct (%.*s, this one reads %s); run that release",
                  STR_ARG(version), VERSION_NOW);
        return POSITION_UNKNOWN;
    }
    while (rest.size) {
        str_cut(rest, ' ', &word, &rest);
        if (!str_cut(word, '=', &key, &value))
            return POSITION_NONE;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            if (!str_is(key, rows[i].key))
                continue;
            rows[i].seen = true;
            if (rows[i].number && !take_number(value, rows[i].number))
                return POSITION_NONE;
            /* A side that does not know an id (an old broker, a mock) is no reason to refuse. */
            if (rows[i].name && rows[i].name[0] && value.size && !same_name(value, rows[i].name)) {
                error_set(error, ERROR_FATAL,
                          "the consumer group's position belongs to another %s (%.*s, this job has %s); give this job a "
                          "group of its own in source.group",
                          rows[i].key, STR_ARG(value), rows[i].name);
                return POSITION_FOREIGN;
            }
        }
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (!rows[i].seen)
            return POSITION_NONE;
    return POSITION_OURS;
}
