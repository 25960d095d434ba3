/* time.h: dates, points in time, zones. Proleptic Gregorian calendar, years 1..9999. Never localtime, never TZ.
 * Zones: IANA names through GLib's GTimeZone, and fixed offsets "+08:00", "Z", "UTC".
 * Ownership: zone_free frees a zone; all else is plain values. Units: as the names say (days, seconds, nanos), since 1970.
 * Threads: a struct zone is read-only after zone_open and may be shared; a struct zone_cache belongs to one thread.
 * Errors: CONFIG for a zone that there is none of, FATAL when its file cannot be read. */
#ifndef LUADUCT_BATCH_TIME_H
#define LUADUCT_BATCH_TIME_H

#include "batch/type.h"

struct civil {
    int32_t year; /* 1..9999 */
    uint8_t month, day, hour, minute, second;
    int32_t nanos;
};

int32_t time_days(int32_t year, unsigned month, unsigned day); /* since 1970-01-01; the caller checked the ranges */
void time_civil_from_days(int32_t days, struct civil *civil); /* sets year, month, day */
bool time_date_valid(int32_t year, unsigned month, unsigned day);
extern const int32_t time_days_min, time_days_max;          /* 0001-01-01, 9999-12-31 */
extern const int64_t time_seconds_min, time_seconds_max;    /* the same as points in time, UTC */

struct zone;
/* Names an unknown zone and the nearest known spelling of an offset. zone_free takes NULL. */
bool zone_open(struct zone **zone_out, struct str name, struct error *error) MUST_USE;
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);

/* The interval [from, until) of seconds in which one offset holds; starts empty (zero it). */
struct zone_cache {
    int64_t from, until;
    int32_t offset_seconds;
};
/* Seconds to add to UTC at that point in time. */
int32_t zone_offset(const struct zone *zone, struct zone_cache *cache, int64_t seconds);
/* The local date-time (counted as if UTC) to UTC: a time that occurs twice takes the earlier one, one that never occurs (spring
 * gap) moves forward by the gap. */
int64_t zone_from_local(const struct zone *zone, struct zone_cache *cache, int64_t local_seconds);
static inline int64_t zone_to_local(const struct zone *zone, struct zone_cache *cache, int64_t seconds)
{
    return seconds + zone_offset(zone, cache, seconds);
}
void time_civil_from_seconds(int64_t local_seconds, struct civil *civil); /* nanos = 0 */

/* Strict parsing. Dates: "2024-01-31". Date-times: date, then blank or T, "HH:MM:SS" with an optional fraction of 1..9 digits
 * (or "HH:MM"); after it nothing (local: *has_offset false), or Z, or +HH:MM, +HHMM, +HH. No blanks around, real days only. */
bool time_parse_date(struct str text, int32_t *days_out) MUST_USE;
bool time_parse(struct str text, struct instant *local_out, bool *has_offset, int32_t *offset_seconds) MUST_USE;

enum { TIME_TEXT_MAX = 40 };
/* "2024-01-31"; "2024-01-31 23:59:59" with as many of 3, 6, 9 fraction digits as are needed (none for whole seconds). Return
 * sizes. */
size_t time_print_date(int32_t days, char text[TIME_TEXT_MAX]);
size_t time_print(struct instant local, char text[TIME_TEXT_MAX]);

#endif
