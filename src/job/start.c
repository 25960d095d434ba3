/* start.c */
#include "job/start.h"

#include <inttypes.h>
#include <stdlib.h>

#include "batch/time.h"
#include "job/checks.h"
#include "job/options.h"

static const char *const words[] = {"committed", "earliest", "latest"};

static bool all_digits(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_digit(text.data[i]))
            return false;
    return text.size > 0;
}

/* "0:1500,..." begins with a number and a colon; a date before a time of day has dashes. */
static bool is_list(struct str text)
{
    struct str head, rest;

    return str_cut(text, ':', &head, &rest) && all_digits(str_trim(head));
}

bool start_parse(struct str text, enum start_kind *kind_out)
{
    static const struct str ago = {" ago", 4};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_is(text, words[i])) {
            *kind_out = (enum start_kind)i;
            return true;
        }
    }
    *kind_out = is_list(text) ? START_OFFSETS : START_TIME;
    if (text.size > ago.size && str_equal(str_make(text.data + text.size - ago.size, ago.size), ago))
        *kind_out = START_AGO;
    return text.size && is_digit(text.data[0]);
}

bool start_ago_parse(struct str text, int64_t *ms_out, struct error *error)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60 * 1000}, {'h', 3600 * 1000}, {'d', 24 * 3600 * 1000}};
    int64_t number = 0;
    size_t at = 0;

    for (; at < text.size && at < 9 && is_digit(text.data[at]); at++)
        number = number * 10 + (text.data[at] - '0');
    for (size_t i = 0; i < COUNT_OF(units) && at && at < text.size; i++) {
        if (text.data[at] != units[i].unit || !str_is(str_make(text.data + at + 1, text.size - at - 1), " ago"))
            continue;
        if (number < 1 || number > START_AGO_MS_MAX / units[i].ms)
            return error_set(error, ERROR_DATA, "is out of range: from 1s to 36500d");
        *ms_out = number * units[i].ms;
        return true;
    }
    return error_set(error, ERROR_DATA, "is no time span; write it as \"30m ago\", with s, m, h or d behind the number");
}

bool start_time_parse(struct str text, const char *zone, int64_t *ms_out, struct error *error)
{
    struct str when = text, zone_text = STR_NONE;
    struct instant instant = {0};
    struct zone_cache cache = {0};
    struct zone *opened = NULL;
    int32_t offset = 0, days;
    bool has_offset = false;
    size_t digits = 0;

    while (digits < text.size && is_digit(text.data[digits]))
        digits++;
    if (digits && digits == text.size) {
        if (digits != 13)
            return error_set(error, ERROR_DATA, "has %zu digits; a time as a number is epoch milliseconds, which have 13",
                             digits);
        *ms_out = 0;
        for (size_t i = 0; i < digits; i++)
            *ms_out = *ms_out * 10 + (text.data[i] - '0');
        return true;
    }
    for (size_t i = text.size; i > 0 && !zone_text.data; i--) { /* the last word, when it is a zone and no time of day */
        if (text.data[i - 1] == ' ' && i < text.size && !is_digit(text.data[i])) {
            zone_text = str_make(text.data + i, text.size - i);
            when = str_trim(str_make(text.data, i - 1));
        } else if (text.data[i - 1] == ' ') {
            break;
        }
    }
    if (!time_parse(when, &instant, &has_offset, &offset)) {
        if (!time_parse_date(when, &days))
            return error_set(error, ERROR_DATA,
                             "is no time; write it as \"2024-01-31 00:00:00 Asia/Shanghai\", with +08:00 for "
                             "the zone, as epoch milliseconds of 13 digits, or as \"30m ago\"");
        instant = (struct instant){.seconds = (int64_t)days * 86400};
        has_offset = false;
    }
    if (has_offset && zone_text.data)
        return error_set(error, ERROR_DATA, "names both an offset and a zone; leave one of them out");
    if (has_offset) {
        instant.seconds -= offset;
    } else {
        if (!zone_text.data && zone)
            zone_text = str_of(zone);
        if (!zone_text.data)
            return error_set(error, ERROR_DATA,
                             "names no time zone; add one, such as Asia/Shanghai or +08:00, or set time_zone for the job");
        if (!zone_open(&opened, zone_text, error))
            return error_set(error, ERROR_DATA,
                             "names an unknown time zone \"%.*s\"; use an IANA name such as Asia/Shanghai, or +08:00",
                             STR_ARG(zone_text));
        instant.seconds = zone_from_local(opened, &cache, instant.seconds);
        zone_free(opened);
    }
    *ms_out = instant.seconds * 1000 + instant.nanos / 1000000;
    return true;
}

const char *start_offset_parse(struct str text, int64_t *offset_out)
{
    int64_t number = 0;

    if (str_is(text, "earliest") || str_is(text, "latest")) {
        *offset_out = str_is(text, "earliest") ? START_AT_EARLIEST : START_AT_LATEST;
        return NULL;
    }
    if (text.size > 1 && text.data[0] == '-' && all_digits(str_make(text.data + 1, text.size - 1)))
        return "is negative; offsets count from 0";
    if (!all_digits(text))
        return "is no offset; it must be a number, earliest or latest";
    for (size_t i = 0; i < text.size; i++) {
        int digit = text.data[i] - '0';

        if (number > (INT64_MAX - 1 - digit) / 10)
            return "is larger than any offset";
        number = number * 10 + digit;
    }
    *offset_out = number;
    return NULL;
}

const char *start_partition_parse(struct str text, int32_t *partition_out)
{
    int64_t number;

    if (!all_digits(text) || start_offset_parse(text, &number))
        return "is no partition; partitions are numbers from 0";
    if (number >= START_PARTITIONS_MAX)
        return "is a partition that no topic has";
    *partition_out = (int32_t)number;
    return NULL;
}

const struct start_offset *start_offset_find(const struct start_offset *offsets, size_t count, int32_t partition)
{
    for (size_t i = 0; i < count; i++)
        if (offsets[i].partition == partition)
            return &offsets[i];
    return NULL;
}

static bool list_read(struct str text, struct start *start, struct error *error)
{
    struct str word, name, value, rest = text;

    while (rest.data) {
        struct start_offset offset = {0};
        const char *wrong;

        str_cut(rest, ',', &word, &rest);
        if (!str_cut(word, ':', &name, &value))
            return error_set(error, ERROR_CONFIG,
                             "is no list of PARTITION:OFFSET,...: \"%.*s\" is none, such as 0:1500 "
                             "or 0:earliest",
                             STR_ARG(word));
        name = str_trim(name);
        value = str_trim(value);
        wrong = start_partition_parse(name, &offset.partition);
        if (wrong)
            return error_set(error, ERROR_CONFIG, "is no list of PARTITION:OFFSET,...: \"%.*s\" %s", STR_ARG(name), wrong);
        wrong = start_offset_parse(value, &offset.offset);
        if (wrong)
            return error_set(error, ERROR_CONFIG, "is no list of PARTITION:OFFSET,...: \"%.*s\" %s", STR_ARG(value), wrong);
        if (start_offset_find(start->offsets, start->count, offset.partition))
            return error_set(error, ERROR_CONFIG, "names partition %d twice", (int)offset.partition);
        if (start->count == START_OFFSETS_MAX)
            return error_set(error, ERROR_CONFIG, "names more than %d partitions", START_OFFSETS_MAX);
        start->offsets = xrealloc(start->offsets, (start->count + 1) * sizeof(*start->offsets));
        start->offsets[start->count++] = offset;
    }
    return true;
}

static bool kind_read(struct str text, const char *zone, int64_t now_ms, struct start *start, struct error *error)
{
    char hint[OPTION_HINT_MAX];
    int64_t ago_ms;

    if (!start_parse(text, &start->kind) || start->kind == START_COMMITTED)
        return error_set(error, ERROR_CONFIG,
                         "is neither earliest, latest, a time such as \"2024-01-31 00:00:00 Asia/Shanghai\" "
                         "or \"30m ago\", nor PARTITION:OFFSET,...%s",
                         choice_hint("earliest|latest", text, hint));
    switch (start->kind) {
    case START_OFFSETS:
        return list_read(text, start, error);
    case START_TIME:
        return start_time_parse(text, zone, &start->ms, error);
    case START_AGO:
        if (!start_ago_parse(text, &ago_ms, error))
            return false;
        start->kind = START_TIME;
        start->ms = int64_max(now_ms - ago_ms, 0);
        return true;
    default:
        return true;
    }
}

bool start_read(struct str text, const char *zone, int64_t now_ms, struct start *start_out, struct error *error)
{
    memset(start_out, 0, sizeof(*start_out));
    if (kind_read(str_trim(text), zone, now_ms, start_out, error))
        return true;
    if (error)
        error->kind = ERROR_CONFIG;
    start_release(start_out);
    return false;
}

void start_release(struct start *start)
{
    free(start->offsets);
    memset(start, 0, sizeof(*start));
}
