/* time.c: the calendar by days since 0000-03-01, zones as sorted tables of offset changes.
 * GTimeZone tells the number of the interval that a second lies in, but not where intervals begin: zone_open finds every change
 * once by bisection, so that conversions need no call into GLib, no lock, and one bisection of a small table when the cache
 * misses. Changes after the year 2500 are left out: from there on the last offset holds. */
#include "batch/time.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DAY_SECONDS = 86400, OFFSET_SPAN = 2 * DAY_SECONDS, TRANSITIONS_MAX = 100000 };

/* Bounds of the first and the last interval; far from overflow when offsets are added. */
#define SECONDS_FIRST (INT64_MIN / 2)
#define SECONDS_LAST (INT64_MAX / 2)

const int32_t time_days_min = -719162, time_days_max = 2932896;
const int64_t time_seconds_min = -719162 * INT64_C(86400), time_seconds_max = 2932896 * INT64_C(86400) + 86399;

/* --- calendar --- */

/* Years begin in March here, so that the leap day is the last of its year; 400 years are an era of 146097 days. */
int32_t time_days(int32_t year, unsigned month, unsigned day)
{
    int32_t y = year - (month <= 2);
    int32_t era = (y >= 0 ? y : y - 399) / 400;
    int32_t year_of_era = y - era * 400;
    int32_t day_of_year = (int32_t)((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day) - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void time_civil_from_days(int32_t days, struct civil *civil)
{
    int32_t shifted = days + 719468;
    int32_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int32_t day_of_era = shifted - era * 146097;
    int32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t month = (5 * day_of_year + 2) / 153;

    civil->day = (uint8_t)(day_of_year - (153 * month + 2) / 5 + 1);
    civil->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
    civil->year = year_of_era + era * 400 + (month >= 10);
}

bool time_date_valid(int32_t year, unsigned month, unsigned day)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
           day <= (unsigned)days[month - 1] + (month == 2 && leap);
}

void time_civil_from_seconds(int64_t local_seconds, struct civil *civil)
{
    int64_t days = local_seconds / DAY_SECONDS;
    int32_t second = (int32_t)(local_seconds % DAY_SECONDS);

    if (second < 0) {
        second += DAY_SECONDS;
        days--;
    }
    time_civil_from_days((int32_t)days, civil);
    civil->hour = (uint8_t)(second / 3600);
    civil->minute = (uint8_t)(second / 60 % 60);
    civil->second = (uint8_t)(second % 60);
    civil->nanos = 0;
}

/* --- zones --- */

/* One offset holds from `from` to the next one's. */
struct interval {
    int64_t from;
    int32_t offset_seconds;
};

struct zone {
    char *name;
    struct interval *intervals; /* at least one; the first is from SECONDS_FIRST */
    size_t count, capacity;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly two digits. */
static bool parse_two(const char *p, int *value_out)
{
    if (!is_digit(p[0]) || !is_digit(p[1]))
        return false;
    *value_out = (p[0] - '0') * 10 + p[1] - '0';
    return true;
}

/* "Z", "+HH:MM", "+HHMM", "+HH", all of the text. */
static bool parse_offset(const char *p, size_t size, int32_t *offset_seconds)
{
    int hours, minutes = 0;

    *offset_seconds = 0;
    if (size == 1 && *p == 'Z')
        return true;
    if (size < 3 || (*p != '+' && *p != '-') || !parse_two(p + 1, &hours))
        return false;
    if (size == 6 ? p[3] != ':' || !parse_two(p + 4, &minutes) : size == 5 ? !parse_two(p + 3, &minutes) : size != 3)
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *offset_seconds = (hours * 60 + minutes) * 60 * (*p == '-' ? -1 : 1);
    return true;
}

static void add_interval(struct zone *zone, int64_t from, int32_t offset_seconds)
{
    if (zone->count && zone->intervals[zone->count - 1].offset_seconds == offset_seconds)
        return; /* only the name or the daylight flag changed */
    XGROW(zone->intervals, zone->count, zone->capacity);
    zone->intervals[zone->count++] = (struct interval){from, offset_seconds};
}

/* Walks from change to change: a stride of some months brackets the next one, bisection finds its second. Several changes inside
 * one stride are found one after the other, for the interval numbers rise with time. */
static void find_intervals(struct zone *zone, GTimeZone *rules)
{
    const int64_t stride = 128 * DAY_SECONDS;
    int64_t at = time_days(1800, 1, 1) * (int64_t)DAY_SECONDS;
    const int64_t end = time_days(2500, 1, 1) * (int64_t)DAY_SECONDS;
    int now = g_time_zone_find_interval(rules, G_TIME_TYPE_UNIVERSAL, at);
    int last = g_time_zone_find_interval(rules, G_TIME_TYPE_UNIVERSAL, end);

    add_interval(zone, SECONDS_FIRST, g_time_zone_get_offset(rules, now));
    while (now < last && at < end && zone->count < TRANSITIONS_MAX) {
        int64_t low = at, high = int64_min(at + stride, end);

        at = high;
        if (g_time_zone_find_interval(rules, G_TIME_TYPE_UNIVERSAL, high) == now)
            continue;
        while (high - low > 1) {
            int64_t middle = low + (high - low) / 2;

            if (g_time_zone_find_interval(rules, G_TIME_TYPE_UNIVERSAL, middle) == now)
                low = middle;
            else
                high = middle;
        }
        now = g_time_zone_find_interval(rules, G_TIME_TYPE_UNIVERSAL, high);
        add_interval(zone, high, g_time_zone_get_offset(rules, now));
        at = high;
    }
}

/* GLib also takes rules such as "UTC+8" (which mean eight hours west) and file names: only what looks like an IANA name may
 * pass. */
static bool is_iana_name(struct str name)
{
    static const char *const with_digits[] = {"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "GMT0", "GMT+0", "GMT-0"};
    bool digits = false, slash = false;

    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!letter && (i == 0 || !(is_digit(c) || strchr("/_+-", c)) || c == '\0'))
            return false;
        digits |= is_digit(c);
        slash |= c == '/';
    }
    if (name.size == 0 || name.size > 64)
        return false;
    for (size_t i = 0; digits && !slash && i < COUNT_OF(with_digits); i++)
        if (str_is(name, with_digits[i]))
            return true;
    return !digits || slash;
}

/* What was probably meant by "UTC+8", "GMT+08:00", "+8" or "8": the offset's right spelling; empty when nothing comes to mind. */
static void suggest_offset(struct str name, char text[32])
{
    char sign = '+';
    int hours = 0, minutes = 0;
    size_t i = 0, digits = 0;

    text[0] = '\0';
    if (name.size >= 3 && (str_equal_ignore_case(str_make(name.data, 3), STR("UTC")) ||
                           str_equal_ignore_case(str_make(name.data, 3), STR("GMT"))))
        i = 3;
    if (i < name.size && (name.data[i] == '+' || name.data[i] == '-'))
        sign = name.data[i++];
    for (; i < name.size && is_digit(name.data[i]) && digits < 2; i++, digits++)
        hours = hours * 10 + name.data[i] - '0';
    if (digits && name.size - i >= 2) {
        i += name.data[i] == ':';
        if (name.size - i != 2 || !parse_two(name.data + i, &minutes))
            return;
        i += 2;
    }
    if (digits && i == name.size && hours <= 23 && minutes <= 59)
        snprintf(text, 32, "%c%02d:%02d", sign, hours, minutes);
}

bool zone_open(struct zone **zone_out, struct str name, struct error *error)
{
    struct zone *zone = xcalloc(1, sizeof(*zone));
    GTimeZone *rules = NULL;
    int32_t offset_seconds;
    bool ok = false;

    zone->name = str_dup(str_make(name.data ? name.data : "", name.size));
    if (parse_offset(name.data, name.size, &offset_seconds)) {
        add_interval(zone, SECONDS_FIRST, offset_seconds);
    } else if (str_equal_ignore_case(name, STR("UTC"))) {
        add_interval(zone, SECONDS_FIRST, 0);
    } else {
        if (is_iana_name(name))
            rules = g_time_zone_new_identifier(zone->name);
        if (!rules) {
            char offset[32];
            int probe = open("/", O_RDONLY | O_CLOEXEC);
            int reason = probe < 0 ? errno : 0;

            /* GLib does not tell a name that it does not find from a file that it cannot open. */
            if (probe >= 0)
                close(probe);
            if (reason == EMFILE || reason == ENFILE) {
                error_set(error, ERROR_FATAL, "time zone \"%s\" cannot be read: %s", zone->name, system_reason(reason));
                goto out;
            }
            suggest_offset(name, offset);
            error_set(error, ERROR_CONFIG, "time zone \"%.*s\" is not known; %s%s%swrite a name such as Asia/Shanghai (capitals "
                      "count), or an offset such as +08:00", STR_ARG(str_head(name, 64)),
                      offset[0] ? "did you mean \"" : "", offset, offset[0] ? "\"? Otherwise " : "");
            goto out;
        }
        find_intervals(zone, rules);
    }
    *zone_out = zone;
    zone = NULL;
    ok = true;
out:
    if (rules)
        g_time_zone_unref(rules);
    zone_free(zone);
    return ok;
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->name);
    free(zone->intervals);
    free(zone);
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

static int64_t interval_until(const struct zone *zone, size_t i)
{
    return i + 1 < zone->count ? zone->intervals[i + 1].from : SECONDS_LAST;
}

static void cache_interval(const struct zone *zone, struct zone_cache *cache, size_t i)
{
    *cache = (struct zone_cache){zone->intervals[i].from, interval_until(zone, i), zone->intervals[i].offset_seconds};
}

int32_t zone_offset(const struct zone *zone, struct zone_cache *cache, int64_t seconds)
{
    size_t low = 0, high = zone->count;

    if (LIKELY(seconds >= cache->from && seconds < cache->until))
        return cache->offset_seconds;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (zone->intervals[middle].from <= seconds)
            low = middle;
        else
            high = middle;
    }
    cache_interval(zone, cache, low);
    return cache->offset_seconds;
}

int64_t zone_from_local(const struct zone *zone, struct zone_cache *cache, int64_t local_seconds)
{
    int64_t seconds = local_seconds - cache->offset_seconds;
    size_t low = 0, high = zone->count - 1;

    /* So far behind the interval's begin, no earlier interval can show the same local time. */
    if (LIKELY(cache->from < cache->until && seconds >= cache->from + OFFSET_SPAN && seconds < cache->until))
        return seconds;
    /* The first interval whose local end is later. If the time lies before that one's local begin, it is in the gap between the
     * two, and the offset from before the gap moves it forward. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (local_seconds < interval_until(zone, middle) + zone->intervals[middle].offset_seconds)
            high = middle;
        else
            low = middle + 1;
    }
    cache_interval(zone, cache, low);
    if (low && local_seconds < zone->intervals[low].from + zone->intervals[low].offset_seconds)
        return local_seconds - zone->intervals[low - 1].offset_seconds;
    return local_seconds - zone->intervals[low].offset_seconds;
}

/* --- text --- */

/* "YYYY-MM-DD" at p, ten bytes. */
static bool parse_date(const char *p, int32_t *days_out)
{
    int century, year, month, day;

    if (!parse_two(p, &century) || !parse_two(p + 2, &year) || p[4] != '-' || !parse_two(p + 5, &month) || p[7] != '-' ||
        !parse_two(p + 8, &day))
        return false;
    year += century * 100;
    if (!time_date_valid(year, (unsigned)month, (unsigned)day))
        return false;
    *days_out = time_days(year, (unsigned)month, (unsigned)day);
    return true;
}

bool time_parse_date(struct str text, int32_t *days_out)
{
    return text.size == 10 && parse_date(text.data, days_out);
}

bool time_parse(struct str text, struct instant *local_out, bool *has_offset, int32_t *offset_seconds)
{
    const char *p = text.data;
    const char *end = p + text.size;
    int hour, minute, second = 0;
    int32_t days, nanos = 0;

    *has_offset = false;
    *offset_seconds = 0;
    if (text.size < 16 || !parse_date(p, &days) || (p[10] != ' ' && p[10] != 'T') || !parse_two(p + 11, &hour) || p[13] != ':' ||
        !parse_two(p + 14, &minute))
        return false;
    p += 16;
    if (p < end && *p == ':') {
        if (end - p < 3 || !parse_two(p + 1, &second))
            return false;
        p += 3;
        if (p < end && *p == '.') {
            int32_t unit = 100000000;

            for (p++; p < end && is_digit(*p); p++, unit /= 10) {
                if (unit == 0)
                    return false;
                nanos += (*p - '0') * unit;
            }
            if (!is_digit(p[-1]))
                return false;
        }
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    if (p < end) {
        if (!parse_offset(p, (size_t)(end - p), offset_seconds))
            return false;
        *has_offset = true;
    }
    *local_out = (struct instant){(int64_t)days * DAY_SECONDS + hour * 3600 + minute * 60 + second, nanos};
    return true;
}

static void print_two(char *text, unsigned value)
{
    text[0] = (char)('0' + value / 10 % 10);
    text[1] = (char)('0' + value % 10);
}

static size_t print_civil_date(const struct civil *civil, char *text)
{
    print_two(text, (unsigned)civil->year / 100);
    print_two(text + 2, (unsigned)civil->year % 100);
    text[4] = text[7] = '-';
    print_two(text + 5, civil->month);
    print_two(text + 8, civil->day);
    return 10;
}

size_t time_print_date(int32_t days, char text[TIME_TEXT_MAX])
{
    struct civil civil;

    time_civil_from_days(days, &civil);
    return print_civil_date(&civil, text);
}

size_t time_print(struct instant local, char text[TIME_TEXT_MAX])
{
    struct civil civil;
    size_t size;

    time_civil_from_seconds(local.seconds, &civil);
    size = print_civil_date(&civil, text);
    text[size++] = ' ';
    print_two(text + size, civil.hour);
    print_two(text + size + 3, civil.minute);
    print_two(text + size + 6, civil.second);
    text[size + 2] = text[size + 5] = ':';
    size += 8;
    if (local.nanos) {
        int32_t digits = local.nanos % 1000000 == 0 ? 3 : local.nanos % 1000 == 0 ? 6 : 9;
        int32_t value = local.nanos / (digits == 3 ? 1000000 : digits == 6 ? 1000 : 1);

        text[size] = '.';
        for (int32_t i = digits; i > 0; i--, value /= 10)
            text[size + (size_t)i] = (char)('0' + value % 10);
        size += (size_t)digits + 1;
    }
    return size;
}
