/* functions_calendar.c: parts of dates and times, and counting in the calendar.
 * Hours and what is shorter are counted on the clock of UTC, so that a day may have 23 or 25 of them; days and what is longer by
 * the local date, where a time that does not occur moves forward by the gap and one that occurs twice is the earlier one. */
#include "expression/times.h"

enum unit {
    UNIT_YEAR,
    UNIT_QUARTER,
    UNIT_MONTH,
    UNIT_WEEK,
    UNIT_DAY,
    UNIT_HOUR, /* from here on: of the clock */
    UNIT_MINUTE,
    UNIT_SECOND,
    UNIT_MILLISECOND,
    UNIT_WEEKDAY, /* from here on: parts only */
    UNIT_DAY_OF_YEAR,
    UNITS
};

/* As people write them; the short ones are MaxCompute's. */
static const char *const unit_names[] = {"year",   "quarter", "month",       "week",    "day",      "hour",
                                         "minute", "second",  "millisecond", "weekday", "dayofyear"};
static const char *const unit_short_names[] = {"yyyy", "q", "mm", "w", "dd", "hh", "mi", "ss", "ff3"};
static const int64_t unit_milliseconds[UNITS] = {
    [UNIT_HOUR] = 3600000, [UNIT_MINUTE] = 60000, [UNIT_SECOND] = 1000, [UNIT_MILLISECOND] = 1};

static bool is_clock(int unit)
{
    return unit >= UNIT_HOUR && unit <= UNIT_MILLISECOND;
}

static bool unit_take(struct function_call *call, size_t argument, struct times *times, struct error *error)
{
    const char *near;
    struct str name;

    times->unit = UNIT_DAY;
    if (!function_constant_text(call, argument, "the unit", &name, error))
        return false;
    if (!name.data)
        return true;
    for (size_t i = 0; i < COUNT_OF(unit_short_names); i++) {
        if (!str_equal_ignore_case(name, str_of(unit_names[i])) && !str_equal_ignore_case(name, str_of(unit_short_names[i])))
            continue;
        times->unit = (int)i;
        return true;
    }
    near = str_nearest(name, unit_names, COUNT_OF(unit_short_names));
    return error_set(error, ERROR_CONFIG,
                     "\"%.*s\" is no unit; it must be year, quarter, month, week, day, hour, minute, second "
                     "or millisecond%s%s%s",
                     STR_ARG(str_head(name, 40)), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static bool refuse_clock(struct function_call *call, size_t argument, int unit, struct error *error)
{
    if (!is_clock(unit) || times_kind(call, argument) != TYPE_DATE)
        return true;
    call->blamed = argument;
    return error_set(error, ERROR_CONFIG, "a date has no %ss; cast it to timestamp or timestamp_ntz first", unit_names[unit]);
}

/* ---- parts ---- */

/* By the function's own name. */
static bool part_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);

    for (size_t i = 0; i < COUNT_OF(unit_names); i++)
        if (strcmp(call->name, unit_names[i]) == 0)
            times->unit = (int)i;
    return refuse_clock(call, 0, times->unit, error) && times_zone_of(call, 1, times, error);
}

static int64_t weekday(int64_t days) /* 0: Monday; 1970-01-01 was a Thursday */
{
    return days + 3 - times_floor(days + 3, 7);
}

static const char *part_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                            const struct operand *arguments, struct column *column, uint32_t row)
{
    struct instant local;
    struct civil civil;
    int32_t offset;
    int64_t days;
    const char *why = times_read_local(times, arguments[0].column, times_at(arguments[0], row), &local, &offset);

    if (why)
        return why;
    days = times_floor(local.seconds, DAY_SECONDS) / DAY_SECONDS;
    time_civil_from_seconds(local.seconds, &civil);
    switch (times->unit) {
    case UNIT_YEAR:
        column->bigint[row] = civil.year;
        break;
    case UNIT_QUARTER:
        column->bigint[row] = (civil.month + 2) / 3;
        break;
    case UNIT_MONTH:
        column->bigint[row] = civil.month;
        break;
    case UNIT_DAY:
        column->bigint[row] = civil.day;
        break;
    case UNIT_HOUR:
        column->bigint[row] = civil.hour;
        break;
    case UNIT_MINUTE:
        column->bigint[row] = civil.minute;
        break;
    case UNIT_SECOND:
        column->bigint[row] = civil.second;
        break;
    case UNIT_WEEKDAY:
        column->bigint[row] = weekday(days);
        break;
    default:
        column->bigint[row] = days - time_days(civil.year, 1, 1) + 1;
        break;
    }
    return NULL;
}

TIMES_RUN(part)

/* ---- the calendar ---- */

/* The first moment of the unit that the local date-time lies in; no unit of the clock. */
static int64_t floor_local(int64_t local_seconds, int unit)
{
    int64_t days = times_floor(local_seconds, DAY_SECONDS) / DAY_SECONDS;
    struct civil civil;

    time_civil_from_days((int32_t)days, &civil);
    if (unit == UNIT_WEEK)
        days -= weekday(days);
    else if (unit != UNIT_DAY)
        days = time_days(civil.year,
                         unit == UNIT_YEAR      ? 1u
                         : unit == UNIT_QUARTER ? (civil.month - 1u) / 3 * 3 + 1
                                                : civil.month,
                         1);
    return days * DAY_SECONDS;
}

/* The same on the clock: the local time says where the units begin, for there are offsets of half an hour. */
static struct instant floor_clock(struct instant instant, int32_t offset, int unit)
{
    int64_t seconds = unit_milliseconds[unit] / 1000, local = instant.seconds + offset;

    if (unit == UNIT_MILLISECOND)
        return (struct instant){instant.seconds, instant.nanos - instant.nanos % 1000000};
    return (struct instant){instant.seconds - (local - times_floor(local, seconds)), 0};
}

static bool date_trunc_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);

    call->type = call->arguments[0].type;
    return unit_take(call, 1, times, error) && refuse_clock(call, 0, times->unit, error) && times_zone_of(call, 2, times, error);
}

static const char *date_trunc_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                                  const struct operand *arguments, struct column *column, uint32_t row)
{
    struct instant local;
    int32_t offset;
    const char *why = times_read_local(times, arguments[0].column, times_at(arguments[0], row), &local, &offset);

    if (why)
        return why;
    if (!is_clock(times->unit))
        return times_write_local(times, column, row, (struct instant){floor_local(local.seconds, times->unit), 0});
    local.seconds -= offset;
    return times_write_instant(column, row, floor_clock(local, offset, times->unit));
}

TIMES_RUN(date_trunc)

static bool date_add_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);

    call->type = call->arguments[0].type;
    if (!unit_take(call, 2, times, error) || !refuse_clock(call, 0, times->unit, error))
        return false;
    return (is_clock(times->unit) && call->count < 4) || times_zone_of(call, 3, times, error);
}

static const char *add_clock(struct column *column, uint32_t row, struct instant instant, int64_t count, int unit)
{
    int64_t ms, nanos, seconds;

    if (__builtin_mul_overflow(count, unit_milliseconds[unit], &ms))
        return times_out_of_years;
    seconds = times_floor(ms, 1000) / 1000;
    nanos = instant.nanos + (ms - seconds * 1000) * 1000000;
    if (nanos >= 1000000000) {
        nanos -= 1000000000;
        seconds++;
    }
    if (__builtin_add_overflow(instant.seconds, seconds, &seconds))
        return times_out_of_years;
    return times_write_instant(column, row, (struct instant){seconds, (int32_t)nanos});
}

/* false: beyond the years there are. */
static bool add_calendar(int64_t *local_seconds, int64_t count, int unit)
{
    int64_t days = times_floor(*local_seconds, DAY_SECONDS) / DAY_SECONDS, rest = *local_seconds - days * DAY_SECONDS, months;
    struct civil civil;
    unsigned day;

    if (unit == UNIT_DAY || unit == UNIT_WEEK) {
        if (__builtin_mul_overflow(count, unit == UNIT_WEEK ? 7 : 1, &count) || __builtin_add_overflow(days, count, &days) ||
            days < time_days_min || days > time_days_max)
            return false;
        *local_seconds = days * DAY_SECONDS + rest;
        return true;
    }
    time_civil_from_days((int32_t)days, &civil);
    if (__builtin_mul_overflow(count,
                               unit == UNIT_YEAR      ? 12
                               : unit == UNIT_QUARTER ? 3
                                                      : 1,
                               &count) ||
        __builtin_add_overflow(count, (int64_t)civil.year * 12 + civil.month - 1, &months) || months < 12 || months >= 10000 * 12)
        return false;
    for (day = civil.day; !time_date_valid((int32_t)(months / 12), (unsigned)(months % 12) + 1, day);)
        day--; /* the last day of a shorter month */
    *local_seconds = (int64_t)time_days((int32_t)(months / 12), (unsigned)(months % 12) + 1, day) * DAY_SECONDS + rest;
    return true;
}

static const char *add(struct times *times, const struct operand *arguments, int64_t count, struct column *column, uint32_t row)
{
    const struct column *from = arguments[0].column;
    uint32_t from_row = times_at(arguments[0], row);
    struct instant local;
    int32_t offset;
    int64_t before;
    const char *why;

    if (is_clock(times->unit))
        return add_clock(column, row, from->instant[from_row], count, times->unit);
    why = times_read_local(times, from, from_row, &local, &offset);
    if (why)
        return why;
    before = local.seconds;
    if (!add_calendar(&local.seconds, count, times->unit))
        return times_out_of_years;
    /* Nothing added: also where the time occurs twice, and this is the second one. */
    if (local.seconds == before && times_is_zoned(from->type.kind))
        return times_write_instant(column, row, from->instant[from_row]);
    return times_write_local(times, column, row, local);
}

static const char *date_add_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                                const struct operand *arguments, struct column *column, uint32_t row)
{
    return add(times, arguments, arguments[1].column->bigint[times_at(arguments[1], row)], column, row);
}

TIMES_RUN(date_add)

static const char *date_sub_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                                const struct operand *arguments, struct column *column, uint32_t row)
{
    int64_t count;

    if (__builtin_sub_overflow(0, arguments[1].column->bigint[times_at(arguments[1], row)], &count))
        return times_out_of_years;
    return add(times, arguments, count, column, row);
}

TIMES_RUN(date_sub)

static bool date_diff_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);
    bool zoned = times_is_zoned(times_kind(call, 0)) || times_is_zoned(times_kind(call, 1));

    if (!unit_take(call, 2, times, error) || !refuse_clock(call, 0, times->unit, error) ||
        !refuse_clock(call, 1, times->unit, error))
        return false;
    if (zoned)
        return times_need_zone(call, 3, times, error);
    call->blamed = 3;
    return call->count < 4 || error_set(error, ERROR_CONFIG, "both are local already, date_diff of them takes no time zone");
}

/* Which unit it is, counted from anywhere. */
static const char *count_units(struct times *times, struct operand operand, uint32_t row, int64_t *count_out)
{
    struct civil civil;
    struct instant local;
    int32_t offset;
    const char *why = times_read_local(times, operand.column, times_at(operand, row), &local, &offset);
    int64_t days = times_floor(local.seconds, DAY_SECONDS) / DAY_SECONDS;

    if (why)
        return why;
    switch (times->unit) {
    case UNIT_YEAR:
    case UNIT_QUARTER:
    case UNIT_MONTH:
        time_civil_from_days((int32_t)days, &civil);
        *count_out = (civil.year * 12 + civil.month - 1) / (times->unit == UNIT_YEAR ? 12 : times->unit == UNIT_QUARTER ? 3 : 1);
        break;
    case UNIT_WEEK:
        *count_out = (days - weekday(days) + 3) / 7;
        break;
    case UNIT_DAY:
        *count_out = days;
        break;
    default: {
        struct instant instant = times_instant(times, operand, row);

        offset = times->zone ? zone_offset(times->zone, &times->cache, instant.seconds) : 0;
        *count_out = times_milliseconds(floor_clock(instant, offset, times->unit));
    }
    }
    return NULL;
}

static const char *date_diff_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                                 const struct operand *arguments, struct column *column, uint32_t row)
{
    int64_t a, b, unit = is_clock(times->unit) ? unit_milliseconds[times->unit] : 1;
    const char *why = count_units(times, arguments[0], row, &a);

    if (!why)
        why = count_units(times, arguments[1], row, &b);
    if (!why)
        column->bigint[row] = times_floor(a - b, unit) / unit;
    return why;
}

TIMES_RUN(date_diff)

#define ARGUMENTS(minimum, maximum) .arguments_min = (minimum), .arguments_max = (maximum)
#define RUNS(prepare_, function) .fails = true, .prepare = (prepare_), .run = function##_run, .release = times_release

#define PART(name_, text, example_, result_)                                                                                     \
    {                                                                                                                            \
        .name = name_, .parameters = "time [, zone]", ARGUMENTS(1, 2), .takes = "dt", .gives = TYPE_BIGINT,                      \
        RUNS(part_prepare, part), .sentence = text, .example = name_ example_, .result = result_                                 \
    }

extern const struct expression_function functions_calendar[];
const struct expression_function functions_calendar[] = {
    PART("year", "The local year.", "(timestamp '2023-12-31 23:00:00Z', 'Asia/Shanghai')", "2024"),
    PART("quarter", "The quarter of the local year, 1 to 4.", "(date '2024-05-31')", "2"),
    PART("month", "The local month, 1 to 12.", "(date '2024-05-31')", "5"),
    PART("day", "The day of the local month, 1 to 31.", "(date '2024-05-31')", "31"),
    PART("dayofyear", "The day of the local year, 1 to 366.", "(date '2024-12-31')", "366"),
    PART("weekday", "The local weekday, 0 for Monday to 6 for Sunday.", "(date '2024-01-31')", "2"),
    PART("hour", "The local hour, 0 to 23.", "(timestamp '2024-01-31 20:15:00Z', '+05:30')", "1"),
    PART("minute", "The local minute, 0 to 59.", "(timestamp '2024-01-31 20:15:00Z', '+05:30')", "45"),
    PART("second", "The second, 0 to 59.", "(timestamp_ntz '2024-01-31 20:15:07')", "7"),
    {.name = "date_add",
     .parameters = "time, count [, unit [, zone]]",
     ARGUMENTS(2, 4),
     .takes = "ditt",
     RUNS(date_add_prepare, date_add),
     .sentence =
         "So many units later: day (the default), week, month, quarter, year by the local date, the last day where a month is "
         "shorter; hour, minute, second, millisecond on the clock.",
     .example = "date_add(date '2024-01-31', 1, 'month')",
     .result = "2024-02-29"},
    {.name = "date_sub",
     .parameters = "time, count [, unit [, zone]]",
     ARGUMENTS(2, 4),
     .takes = "ditt",
     RUNS(date_add_prepare, date_sub),
     .sentence = "So many units earlier; otherwise as date_add.",
     .example = "date_sub(date '2024-03-01', 1)",
     .result = "2024-02-29"},
    {.name = "date_trunc",
     .parameters = "time, unit [, zone]",
     ARGUMENTS(2, 3),
     .takes = "dt",
     RUNS(date_trunc_prepare, date_trunc),
     .sentence = "The first moment of the local unit (as for date_add) that it lies in; weeks begin on Monday.",
     .example = "date_trunc(date '2024-02-29', 'quarter')",
     .result = "2024-01-01"},
    {.name = "date_diff",
     .parameters = "a, b [, unit [, zone]]",
     ARGUMENTS(2, 4),
     .takes = "ddt",
     .gives = TYPE_BIGINT,
     RUNS(date_diff_prepare, date_diff),
     .sentence = "How many units (day) begin between b and a, below zero where b is later.",
     .example = "date_diff(date '2024-02-01', date '2024-01-31', 'month')",
     .result = "1"},
    {0},
};
