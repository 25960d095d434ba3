/* time_value.c: luaduct.time: points in time and dates of scripts, with zones.
 * Zones and patterns come with every call, often per row: a state keeps the last ones. Opening a zone takes a millisecond, so it
 * is charged to the budget. */
#include "script/api.h"

#include "batch/time_format.h"
#include "util/clock.h"

#include <stdlib.h>

enum { ZONES_MAX = 16, FORMATS_MAX = 8, ZONE_INSTRUCTIONS = 10000, DAY_SECONDS = 86400 };

struct zone_slot {
    struct zone *zone; /* own; NULL in the one that stands for the job's */
    struct zone_cache cache;
};

struct format_slot {
    char pattern[TIME_PATTERN_MAX];
    size_t size; /* 0: unused */
    bool to_read;
    struct time_format format;
};

struct time_cache {
    struct zone_slot zones[ZONES_MAX];
    struct format_slot formats[FORMATS_MAX];
    unsigned zone_next, format_next;
};

void time_value_free(struct script_state *state)
{
    if (!state->times)
        return;
    for (size_t i = 0; i < ZONES_MAX; i++)
        zone_free(state->times->zones[i].zone);
    free(state->times);
}

static struct time_cache *cache_of(struct script_state *state)
{
    if (!state->times)
        state->times = xcalloc(1, sizeof(*state->times));
    return state->times;
}

/* A zone to count in, and its cache. */
struct counting {
    const struct zone *zone;
    struct zone_cache *cache;
};

static struct counting open_zone_throws(lua_State *L, int index)
{
    struct script_state *state = script_of(L);
    struct time_cache *times = cache_of(state);
    struct zone_slot *slot;
    struct zone *zone;
    struct error error;
    struct str name;

    name.data = luaL_checklstring(L, index, &name.size);
    for (size_t i = 0; i < ZONES_MAX && times->zones[i].zone; i++)
        if (str_is(name, zone_name(times->zones[i].zone)))
            return (struct counting){times->zones[i].zone, &times->zones[i].cache};
    script_budget_charge(state, ZONE_INSTRUCTIONS);
    script_budget_check_throws(L);
    if (!zone_open(&zone, name, &error)) {
        luaL_argerror(L, index, lua_pushstring(L, error.text));
        return (struct counting){NULL, NULL};
    }
    slot = &times->zones[times->zone_next++ % ZONES_MAX];
    zone_free(slot->zone);
    *slot = (struct zone_slot){zone, {0}};
    return (struct counting){slot->zone, &slot->cache};
}

/* The zone at index, or the job's; none is a mistake, for a silent UTC would be one. */
static struct counting counting_throws(lua_State *L, int index)
{
    struct script_state *state = script_of(L);
    struct script_module *module = state->opening ? state->opening : state->run.module;

    if (!lua_isnoneornil(L, index))
        return open_zone_throws(L, index);
    if (!module || !module->convert.zone)
        luaL_argerror(L, index, "a zone is wanted, such as \"Asia/Shanghai\" or \"+08:00\": the job has no time_zone");
    return (struct counting){module->convert.zone, &module->convert.zone_cache};
}

static const struct time_format *format_throws(lua_State *L, int index, bool to_read)
{
    struct time_cache *times = cache_of(script_of(L));
    struct format_slot *slot;
    struct error error;
    struct str pattern;

    pattern.data = luaL_checklstring(L, index, &pattern.size);
    for (size_t i = 0; i < FORMATS_MAX; i++)
        if (times->formats[i].to_read == to_read &&
            str_equal(pattern, str_make(times->formats[i].pattern, times->formats[i].size)) && pattern.size)
            return &times->formats[i].format;
    slot = &times->formats[times->format_next++ % FORMATS_MAX];
    slot->size = 0;
    if (!time_format_compile(&slot->format, pattern, to_read, &error))
        luaL_argerror(L, index, lua_pushstring(L, error.text));
    memcpy(slot->pattern, pattern.data, pattern.size);
    slot->size = pattern.size;
    slot->to_read = to_read;
    return &slot->format;
}

static const struct time_box *check_time(lua_State *L, int index)
{
    const struct time_box *box = box_get(L, index, BOX_TIME);

    if (!box)
        luaL_typeerror(L, index, "time");
    return box;
}

static int push_instant(lua_State *L, enum type_kind kind, int64_t seconds, int32_t nanos)
{
    if (seconds < time_seconds_min || seconds > time_seconds_max)
        return luaL_error(L, "the time is not within the years 1 to 9999");
    value_push_time_throws(L, script_of(L), kind, (struct instant){seconds, nanos});
    return 1;
}

/* --- making --- */

/* Texts come from rows: the message shows their beginning, as others do. */
static int throw_text(lua_State *L, const char *function, struct str text, const char *wanted)
{
    lua_pushlstring(L, text.data, str_head(text, 40).size);
    return luaL_error(L, "%s: \"%s\" is no time: %s", function, lua_tostring(L, -1), wanted);
}

/* luaduct.time.parse(text [, pattern] [, zone]) */
static int time_value_parse(lua_State *L)
{
    const struct time_format *format = NULL;
    struct instant local;
    struct str text;
    bool has_offset, ok;
    int32_t offset;

    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_typeerror(L, 1, "string");
    text.data = lua_tolstring(L, 1, &text.size);
    lua_settop(L, 3);
    if (!lua_isnil(L, 2)) {
        format = format_throws(L, 2, true);
        ok = time_format_read(format, text, &local, &has_offset, &offset);
    } else {
        ok = time_parse(text, &local, &has_offset, &offset);
    }
    if (!ok) {
        lua_pushfstring(L, "it must look like %s",
                        format ? lua_tostring(L, 2) : "2024-01-31 23:59:59, with +08:00 behind or without");
        return throw_text(L, "luaduct.time.parse", text, lua_tostring(L, -1));
    }
    if (has_offset) {
        local.seconds -= offset;
    } else {
        struct counting counting = counting_throws(L, 3);

        local.seconds = zone_from_local(counting.zone, counting.cache, local.seconds);
    }
    return push_instant(L, TYPE_TIMESTAMP, local.seconds, local.nanos);
}

/* luaduct.time.date(text [, pattern]) */
static int time_value_date(lua_State *L)
{
    const struct time_format *format = NULL;
    struct instant local;
    struct str text;
    int32_t days = 0, offset;
    bool has_offset, ok;

    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_typeerror(L, 1, "string");
    text.data = lua_tolstring(L, 1, &text.size);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        ok = time_parse_date(text, &days);
    } else {
        format = format_throws(L, 2, true);
        luaL_argcheck(
            L, !format->has_clock && !format->has_offset, 2,
            "the pattern of a date has no hours and no offset; luaduct.time.parse(...):date(zone) makes a date of a time");
        ok = time_format_read(format, text, &local, &has_offset, &offset);
        if (ok)
            days = (int32_t)(local.seconds / DAY_SECONDS - (local.seconds % DAY_SECONDS < 0));
    }
    if (!ok) {
        lua_pushfstring(L, "it must look like %s", format ? lua_tostring(L, 2) : "2024-01-31");
        return throw_text(L, "luaduct.time.date", text, lua_tostring(L, -1));
    }
    value_push_time_throws(L, script_of(L), TYPE_DATE, (struct instant){days, 0});
    return 1;
}

static int time_value_now(lua_State *L)
{
    int64_t ms = clock_wall_ms();

    return push_instant(L, TYPE_TIMESTAMP, ms / 1000, (int32_t)(ms % 1000) * 1000000);
}

static int time_value_from_epoch_ms(lua_State *L)
{
    int64_t ms = luaL_checkinteger(L, 1);

    return push_instant(L, TYPE_TIMESTAMP, ms / 1000 - (ms % 1000 < 0), (int32_t)((ms % 1000 + 1000) % 1000) * 1000000);
}

/* --- reading --- */

/* The local date-time, counted as if it were UTC; what it is counted in stays unset for dates and local times, which have no
 * zone. */
static int64_t local_seconds_throws(lua_State *L, const struct time_box *box, int zone_index, struct counting *counting)
{
    *counting = (struct counting){NULL, NULL};
    if (box->kind == TYPE_DATE)
        return box->instant.seconds * DAY_SECONDS;
    if (box->kind == TYPE_TIMESTAMP_NTZ)
        return box->instant.seconds;
    *counting = counting_throws(L, zone_index);
    return zone_to_local(counting->zone, counting->cache, box->instant.seconds);
}

/* The same kind of time, from its local date-time. */
static int push_local(lua_State *L, enum type_kind kind, int64_t local_seconds, int32_t nanos, const struct counting *counting)
{
    if (local_seconds < time_seconds_min || local_seconds > time_seconds_max)
        return luaL_error(L, "the time is not within the years 1 to 9999");
    if (kind == TYPE_DATE) {
        value_push_time_throws(L, script_of(L), kind,
                               (struct instant){local_seconds / DAY_SECONDS - (local_seconds % DAY_SECONDS < 0), 0});
        return 1;
    }
    return push_instant(L, kind, counting->zone ? zone_from_local(counting->zone, counting->cache, local_seconds) : local_seconds,
                        nanos);
}

static int time_value_format(lua_State *L)
{
    const struct time_box *box = check_time(L, 1);
    const struct time_format *format = format_throws(L, 2, false);
    char text[TIME_FORMATTED_MAX];
    struct counting counting;
    int64_t local = local_seconds_throws(L, box, 3, &counting);

    if (format->has_offset && !counting.zone)
        return luaL_argerror(L, 2, "a date and a local time have no offset");
    lua_pushlstring(L, text,
                    time_format_print(format, (struct instant){local, box->kind == TYPE_DATE ? 0 : box->instant.nanos},
                                      counting.zone ? (int32_t)(local - box->instant.seconds) : 0, text));
    return 1;
}

static struct civil civil_throws(lua_State *L, int64_t *local_out)
{
    const struct time_box *box = check_time(L, 1);
    struct counting counting;
    struct civil civil;
    int64_t local = local_seconds_throws(L, box, 2, &counting);

    time_civil_from_seconds(local, &civil);
    civil.nanos = box->kind == TYPE_DATE ? 0 : box->instant.nanos;
    if (local_out)
        *local_out = local;
    return civil;
}

#define TIME_FIELD(name, expression)                                                                                             \
    static int name(lua_State *L)                                                                                                \
    {                                                                                                                            \
        struct civil civil = civil_throws(L, NULL);                                                                              \
                                                                                                                                 \
        lua_pushinteger(L, expression);                                                                                          \
        return 1;                                                                                                                \
    }

TIME_FIELD(time_value_year, civil.year)
TIME_FIELD(time_value_month, civil.month)
TIME_FIELD(time_value_day, civil.day)
TIME_FIELD(time_value_hour, civil.hour)
TIME_FIELD(time_value_minute, civil.minute)
TIME_FIELD(time_value_second, civil.second)
TIME_FIELD(time_value_millisecond, civil.nanos / 1000000)
TIME_FIELD(time_value_day_of_year, time_days(civil.year, civil.month, civil.day) - time_days(civil.year, 1, 1) + 1)
/* 1970-01-01 was a Thursday; Monday is 1. */
TIME_FIELD(time_value_weekday, ((time_days(civil.year, civil.month, civil.day) % 7 + 7 + 3) % 7) + 1)

static int time_value_to_date(lua_State *L)
{
    struct civil civil = civil_throws(L, NULL);

    value_push_time_throws(L, script_of(L), TYPE_DATE, (struct instant){time_days(civil.year, civil.month, civil.day), 0});
    return 1;
}

/* --- counting --- */

enum unit { UNIT_MILLISECOND, UNIT_SECOND, UNIT_MINUTE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK, UNIT_MONTH, UNIT_YEAR };

static const char *const unit_names[] = {"millisecond", "second", "minute", "hour", "day", "week", "month", "year"};
static const int64_t unit_seconds[] = {0, 1, 60, 3600, DAY_SECONDS, 7 * DAY_SECONDS, 0, 0};

static enum unit unit_throws(lua_State *L, int index, const struct time_box *box)
{
    struct str name, singular;
    const char *near;

    name.data = luaL_checklstring(L, index, &name.size);
    singular = name.size > 1 && name.data[name.size - 1] == 's' ? str_make(name.data, name.size - 1) : name;
    for (size_t i = 0; i < COUNT_OF(unit_names); i++) {
        if (!str_is(singular, unit_names[i]))
            continue;
        if (box->kind == TYPE_DATE && i < UNIT_DAY)
            luaL_argerror(L, index, "a date has no hours, minutes and seconds");
        return (enum unit)i;
    }
    near = str_nearest(singular, unit_names, COUNT_OF(unit_names));
    luaL_argerror(L, index,
                  lua_pushfstring(L, "\"%s\" is no unit of time%s%s%s", name.data,
                                  near ? "; did you mean \""
                                       : "; there are "
                                         "millisecond, second, minute, hour, day, week, month and year",
                                  near ? near : "", near ? "\"?" : ""));
    return UNIT_SECOND;
}

/* The largest multiple of size that is not above value. */
static int64_t floor_to(int64_t value, int64_t size)
{
    int64_t rest = value % size;

    return value - (rest < 0 ? rest + size : rest);
}

static unsigned month_days(int32_t year, unsigned month)
{
    unsigned day = 28;

    while (time_date_valid(year, month, day + 1))
        day++;
    return day;
}

/* Months later; a day that the month does not have becomes its last one. False: out of the years there are. */
static bool add_months(int64_t local, int64_t months, int64_t *local_out)
{
    struct civil civil;
    unsigned last;
    int64_t month;
    int32_t year;

    time_civil_from_seconds(local, &civil);
    if (months > 12 * 10000 || months < -12 * 10000)
        return false;
    month = civil.year * INT64_C(12) + civil.month - 1 + months;
    if (month < 12 || month >= 12 * 10000)
        return false;
    year = (int32_t)(month / 12);
    civil.month = (uint8_t)(month % 12 + 1);
    last = month_days(year, civil.month);
    *local_out = time_days(year, civil.month, civil.day < last ? civil.day : last) * (int64_t)DAY_SECONDS + local -
                 floor_to(local, DAY_SECONDS);
    return true;
}

/* time:add(n, unit [, zone]) */
static int time_value_add(lua_State *L)
{
    const struct time_box *box = check_time(L, 1);
    int64_t amount = luaL_checkinteger(L, 2), local;
    enum unit unit = unit_throws(L, 3, box);
    struct counting counting;

    luaL_argcheck(L, amount > -1000000000000000 && amount < 1000000000000000, 2, "the amount is beyond 15 digits");
    if (unit < UNIT_DAY) {
        int64_t seconds = box->instant.seconds;
        int64_t nanos = box->instant.nanos;

        if (unit == UNIT_MILLISECOND) {
            nanos += amount % 1000 * 1000000;
            seconds += amount / 1000 + nanos / 1000000000 - (nanos % 1000000000 < 0);
            nanos = (nanos % 1000000000 + 1000000000) % 1000000000;
        } else {
            seconds += amount * unit_seconds[unit];
        }
        return push_instant(L, box->kind, seconds, (int32_t)nanos);
    }
    local = local_seconds_throws(L, box, 4, &counting);
    if (unit >= UNIT_MONTH &&
        !add_months(local, unit == UNIT_YEAR ? (amount > 10000 || amount < -10000 ? 1000000 : amount * 12) : amount, &local))
        return luaL_error(L, "the time is not within the years 1 to 9999");
    if (unit < UNIT_MONTH) {
        luaL_argcheck(L, amount > -10000000 && amount < 10000000, 2, "so many days leave the years 1 to 9999");
        local += amount * unit_seconds[unit];
    }
    return push_local(L, box->kind, local, box->instant.nanos, &counting);
}

/* time:trunc(unit [, zone]): the begin of the unit in which it lies. Weeks begin on Monday. */
static int time_value_trunc(lua_State *L)
{
    const struct time_box *box = check_time(L, 1);
    enum unit unit = unit_throws(L, 2, box);
    struct counting counting;
    struct civil civil;
    int64_t local;

    if (unit <= UNIT_SECOND)
        return push_instant(L, box->kind, box->instant.seconds, unit == UNIT_SECOND ? 0 : box->instant.nanos / 1000000 * 1000000);
    local = local_seconds_throws(L, box, 3, &counting);
    time_civil_from_seconds(local, &civil);
    switch (unit) {
    case UNIT_WEEK:
        local = floor_to(local + 3 * DAY_SECONDS, 7 * DAY_SECONDS) - 3 * DAY_SECONDS;
        break;
    case UNIT_MONTH:
        local = time_days(civil.year, civil.month, 1) * (int64_t)DAY_SECONDS;
        break;
    case UNIT_YEAR:
        local = time_days(civil.year, 1, 1) * (int64_t)DAY_SECONDS;
        break;
    case UNIT_DAY:
        local = floor_to(local, DAY_SECONDS);
        break;
    default:
        /* Within the hour the offset stays, but for zones that change it in the middle of one: so it is done by the offset in
         * hand, and an hour that comes twice keeps being the second one. */
        if (counting.zone) {
            int64_t offset = local - box->instant.seconds;

            return push_instant(L, box->kind, floor_to(local, unit_seconds[unit]) - offset, 0);
        }
        local = floor_to(local, unit_seconds[unit]);
    }
    return push_local(L, box->kind, local, 0, &counting);
}

/* time:since(other, unit [, zone]): whole units from the other to this one, negative when the other is later. */
static int time_value_since(lua_State *L)
{
    const struct time_box *box = check_time(L, 1), *other = check_time(L, 2);
    bool point = box->kind != TYPE_DATE && box->kind != TYPE_TIMESTAMP_NTZ;
    enum unit unit = unit_throws(L, 3, box);
    struct counting counting;
    int64_t from, to, nanos, months;

    if ((box->kind == TYPE_DATE) != (other->kind == TYPE_DATE) ||
        (box->kind == TYPE_TIMESTAMP_NTZ) != (other->kind == TYPE_TIMESTAMP_NTZ))
        return luaL_argerror(
            L, 2, "the difference of different kinds of time: a date, a point in time and a local time do not compare");
    from = other->instant.seconds * (box->kind == TYPE_DATE ? DAY_SECONDS : 1);
    to = box->instant.seconds * (box->kind == TYPE_DATE ? DAY_SECONDS : 1);
    if (unit >= UNIT_DAY && point) {
        from = local_seconds_throws(L, other, 4, &counting);
        to = local_seconds_throws(L, box, 4, &counting);
    }
    nanos = box->instant.nanos - other->instant.nanos;
    if (unit == UNIT_MILLISECOND) {
        lua_pushinteger(L, (int64_t)(((int128)(to - from) * 1000000000 + nanos) / 1000000));
        return 1;
    }
    if (unit < UNIT_MONTH) {
        lua_pushinteger(L, (int64_t)(((int128)(to - from) * 1000000000 + nanos) / ((int128)unit_seconds[unit] * 1000000000)));
        return 1;
    }
    /* As many months as can be added to the earlier without passing the later. */
    {
        bool back = to < from || (to == from && nanos < 0);
        int64_t early = back ? to : from, late = back ? from : to, early_nanos = back ? box->instant.nanos : other->instant.nanos;
        int64_t late_nanos = back ? other->instant.nanos : box->instant.nanos, reached;
        struct civil a, b;

        time_civil_from_seconds(early, &a);
        time_civil_from_seconds(late, &b);
        months = (b.year - a.year) * INT64_C(12) + b.month - a.month;
        if (!add_months(early, months, &reached) || reached > late || (reached == late && early_nanos > late_nanos))
            months--;
        months = unit == UNIT_YEAR ? months / 12 : months;
        lua_pushinteger(L, back ? -months : months);
    }
    return 1;
}

void time_value_install_throws(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"format", time_value_format},
        {"year", time_value_year},
        {"month", time_value_month},
        {"day", time_value_day},
        {"hour", time_value_hour},
        {"minute", time_value_minute},
        {"second", time_value_second},
        {"millisecond", time_value_millisecond},
        {"weekday", time_value_weekday},
        {"day_of_year", time_value_day_of_year},
        {"date", time_value_to_date},
        {"add", time_value_add},
        {"trunc", time_value_trunc},
        {"since", time_value_since},
        {NULL, NULL},
    };

    api_methods_throws(L, "luaduct.time", "a time", methods);
}

void time_value_push_throws(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"parse", time_value_parse},
        {"date", time_value_date},
        {"now", time_value_now},
        {"from_epoch_ms", time_value_from_epoch_ms},
        {NULL, NULL},
    };

    api_table_throws(L, "time", "luaduct.time", functions);
}

static const struct manual_row rows[] = {
    {"luaduct.time.parse(text [, pattern] [, zone])",
     "A point in time. Without a pattern the text looks like 2024-01-31 23:59:59.123 or 2024-01-31T23:59:59+08:00. A text "
     "without an offset is "
     "local to the zone. Any other text is an error.",
     "luaduct.time.parse('31/Jan/2024:23:59:59 +0000', 'dd/MMM/yyyy:HH:mm:ss Z'):epoch_ms()", "1706745599000"},
    {"luaduct.time.date(text [, pattern])", "A date.", "luaduct.time.date('20240131', 'yyyyMMdd')", "2024-01-31"},
    {"luaduct.time.from_epoch_ms(n)", "The point in time so many milliseconds after 1970, as __timestamp__ has it.",
     "luaduct.time.from_epoch_ms(0):format('yyyy-MM-dd HH:mm', 'Asia/Shanghai')", "1970-01-01 08:00"},
    {"luaduct.time.now()", "The machine's time. A stage that uses it gives another result when records are read again.", NULL,
     NULL},
    {"time:epoch_ms()", "Milliseconds since 1970; of a date its midnight, of a local time as if it were UTC.",
     "luaduct.time.date('1970-01-02'):epoch_ms()", "86400000"},
    {"time:format(pattern [, zone])", "The time as text.",
     "luaduct.time.from_epoch_ms(1706745599000):format(\"yyyy-MM-dd'T'HH:mm:ss.SSSXXX\", '+08:00')",
     "2024-02-01T07:59:59.000+08:00"},
    {"time:year([zone]), :month, :day, :hour, :minute, :second, :millisecond, :weekday, :day_of_year",
     "One part of it, a number. The weekday is 1 on Mondays and 7 on Sundays.",
     "luaduct.time.from_epoch_ms(1706745599000):weekday('UTC')", "3"},
    {"time:date([zone])", "The date on which it is.", "luaduct.time.from_epoch_ms(1706745599000):date('Asia/Shanghai')",
     "2024-02-01"},
    {"time:add(n, unit [, zone])",
     "A time later, or earlier for a negative n. Units are millisecond, second, minute, hour, day, week, month and year, also in "
     "the plural. From "
     "days on the time of day stays as it is in the zone, and a day that the month does not have becomes its last one.",
     "luaduct.time.date('2024-01-31'):add(1, 'month')", "2024-02-29"},
    {"time:trunc(unit [, zone])", "The begin of the second, minute, hour, day, week (Monday), month or year.",
     "luaduct.time.date('2024-02-29'):trunc('week')", "2024-02-26"},
    {"time:since(other, unit [, zone])", "Whole units from the other to this one; negative when the other is later.",
     "luaduct.time.date('2024-03-01'):since(luaduct.time.date('2024-01-31'), 'day')", "30"},
    {0},
};

const struct manual_section time_value_manual = {"Time",
                                                 "A value of a datetime, timestamp, timestamp_ntz or date column, or made here. "
                                                 "Times compare with each other by ==, < and <=. Where a zone is "
                                                 "wanted it is a name such as Asia/Shanghai or an offset such as +08:00; left "
                                                 "out it is the job's time_zone, and an error when the job has none. "
                                                 "Dates and local times need none. Patterns: yyyy yy (2000 to 2099), MM M MMM "
                                                 "(Jan) MMMM, dd d, DDD (day of the year), EEE (Mon) EEEE, HH H, "
                                                 "hh h with a (AM), mm m, ss s, S to SSSSSSSSS, X (+08) XX (+0800) XXX (+08:00), "
                                                 "Z (+0800); text stands in quotes, as in yyyy-MM-dd'T'HH:mm.",
                                                 rows};
