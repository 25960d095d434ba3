/* functions_time.c: dates and times out of texts and numbers, and back. */
#include "batch/convert.h"
#include "expression/times.h"

#include <stdio.h>

/* ---- reading texts ---- */

static const char *no_fit(struct times *times, const struct column *column, uint32_t from)
{
    struct column pattern = {.type = TYPE_OF(TYPE_STRING), .rows = 1, .text = &times->pattern};
    char excerpt[128], pattern_excerpt[128];
    struct str text = convert_excerpt(column, from, excerpt);

    if (times->pattern.data)
        snprintf(times->reason, sizeof(times->reason), "%.*s does not fit the pattern %.*s, or is no such day or time",
                 STR_ARG(text), STR_ARG(convert_excerpt(&pattern, 0, pattern_excerpt)));
    else
        snprintf(times->reason, sizeof(times->reason), "%.*s is not a date-time (YYYY-MM-DD HH:MM:SS)", STR_ARG(text));
    return times->reason;
}

static bool pattern_take(struct function_call *call, size_t argument, bool to_read, struct time_format *format,
                         struct str *pattern_out, struct error *error)
{
    return function_constant_text(call, argument, "the pattern", pattern_out, error) &&
           (!pattern_out->data || time_format_compile(format, *pattern_out, to_read, error));
}

static bool refuse_more(struct function_call *call, size_t most, struct error *error)
{
    char name[TYPE_NAME_MAX];

    if (call->count <= most)
        return true;
    call->blamed = most;
    return error_set(error, ERROR_CONFIG, "%s of a %s takes %s", call->name, type_print(call->arguments[0].type, name),
                     most == 1 ? "nothing more" : "no third argument");
}

static bool refuse_type(struct function_call *call, const char *wanted, struct error *error)
{
    char name[TYPE_NAME_MAX];

    call->blamed = 0;
    return error_set(error, ERROR_CONFIG, "argument 1 of %s must be %s, this is a %s; cast it first", call->name, wanted,
                     type_print(call->arguments[0].type, name));
}

static bool to_timestamp_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);
    enum type_kind kind = times_kind(call, 0);

    if (kind == TYPE_NULL)
        return true;
    if (times_is_local(kind))
        return refuse_more(call, 2, error) && times_need_zone(call, 1, times, error);
    if (kind == TYPE_BIGINT || times_is_zoned(kind)) {
        call->arguments[0].as = call->type;
        return refuse_more(call, 1, error);
    }
    if (!type_is_text(kind))
        return refuse_type(call, "a text, a date or time, or a bigint with epoch milliseconds", error);
    if (!pattern_take(call, 1, true, &times->from, &times->pattern, error))
        return false;
    if (times->pattern.data && !times->from.has_offset)
        return times_need_zone(call, 2, times, error);
    return times_take_zone(call, 2, &times->opened, &times->zone, error);
}

static const char *to_timestamp_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                                    const struct operand *arguments, struct column *column, uint32_t row)
{
    const struct column *from = arguments[0].column;
    uint32_t from_row = times_at(arguments[0], row);
    struct instant local;
    int32_t offset;
    bool has_offset;

    if (from->type.kind == TYPE_TIMESTAMP) {
        column->instant[row] = from->instant[from_row];
        return NULL;
    }
    if (!type_is_text(from->type.kind)) {
        const char *why = times_read_local(times, from, from_row, &local, &offset);

        return why ? why : times_write_local(times, column, row, local);
    }
    if (times->pattern.data ? !time_format_read(&times->from, from->text[from_row], &local, &has_offset, &offset)
                            : !time_parse(from->text[from_row], &local, &has_offset, &offset))
        return no_fit(times, from, from_row);
    if (!has_offset && !times->zone)
        return "the text has no offset from UTC, and the job names no time zone (set time_zone)";
    if (!has_offset)
        return times_write_local(times, column, row, local);
    local.seconds -= offset;
    return times_write_instant(column, row, local);
}

TIMES_RUN(to_timestamp)

static bool to_date_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);
    enum type_kind kind = times_kind(call, 0);

    if (kind == TYPE_NULL)
        return true;
    if (times_is_zoned(kind) || times_is_local(kind))
        return times_zone_of(call, 1, times, error);
    if (!type_is_text(kind))
        return refuse_type(call, "a text or a time", error);
    return pattern_take(call, 1, true, &times->from, &times->pattern, error);
}

static const char *to_date_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                               const struct operand *arguments, struct column *column, uint32_t row)
{
    const struct column *from = arguments[0].column;
    uint32_t from_row = times_at(arguments[0], row);
    struct instant local;
    int32_t offset;
    bool has_offset;

    if (!type_is_text(from->type.kind)) {
        const char *why = times_read_local(times, from, from_row, &local, &offset);

        return why ? why : times_write_local(times, column, row, local);
    }
    if (times->pattern.data) {
        if (!time_format_read(&times->from, from->text[from_row], &local, &has_offset, &offset))
            return no_fit(times, from, from_row);
        return times_write_local(times, column, row, local);
    }
    return time_parse_date(from->text[from_row], &column->date[row]) ? NULL : "the text is not a date (YYYY-MM-DD)";
}

TIMES_RUN(to_date)

/* ---- printing ---- */

static const char *print(const struct time_format *format, struct instant local, int32_t offset, struct batch *batch,
                         struct column *column, uint32_t row)
{
    char text[TIME_FORMATTED_MAX];

    column->text[row] = arena_try_copy(&batch->arena, str_make(text, time_format_print(format, local, offset, text)));
    return column->text[row].data ? NULL : times_no_room;
}

static bool date_format_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);
    struct str pattern;
    char name[TYPE_NAME_MAX];

    if (!times_zone_of(call, 2, times, error) || !pattern_take(call, 1, false, &times->to, &pattern, error))
        return false;
    if (!times->to.has_offset || !times_is_local(times_kind(call, 0)))
        return true;
    return error_set(error, ERROR_CONFIG, "the pattern prints an offset from UTC, and a %s has none; cast it to timestamp first",
                     type_print(call->arguments[0].type, name));
}

static const char *date_format_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch,
                                   const struct operand *arguments, struct column *column, uint32_t row)
{
    struct instant local;
    int32_t offset;
    const char *why = times_read_local(times, arguments[0].column, times_at(arguments[0], row), &local, &offset);

    return why ? why : print(&times->to, local, offset, batch, column, row);
}

static bool date_format_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                            struct column **column_out, struct error *error)
{
    if (!times_rows(call, batch, arguments, date_format_row, column_out, error))
        return false;
    (*column_out)->utf8 = true; /* so is the pattern, being part of an expression */
    return true;
}

static bool date_convert_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);
    struct str pattern_to;

    if (!pattern_take(call, 1, true, &times->from, &times->pattern, error) ||
        !pattern_take(call, 2, false, &times->to, &pattern_to, error))
        return false;
    /* From one form of local time to another. */
    if (call->count == 3 && !times->from.has_offset && !times->to.has_offset)
        return true;
    if (!times_take_zone(call, 4, &times->opened_to, &times->zone_to, error))
        return false;
    if (call->count <= 4 && !times->zone_to) {
        call->blamed = call->count;
        return error_set(error, ERROR_CONFIG,
                         "date_convert needs a time zone to print in, and the job names none; set time_zone, "
                         "or name one as argument 5, such as 'Asia/Shanghai'");
    }
    return times->from.has_offset ? times_take_zone(call, 3, &times->opened, &times->zone, error)
                                  : times_need_zone(call, 3, times, error);
}

static const char *date_convert_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch,
                                    const struct operand *arguments, struct column *column, uint32_t row)
{
    const struct column *from = arguments[0].column;
    uint32_t from_row = times_at(arguments[0], row);
    struct instant local;
    int32_t offset;
    bool has_offset;

    if (!time_format_read(&times->from, from->text[from_row], &local, &has_offset, &offset))
        return no_fit(times, from, from_row);
    if (!times->zone_to)
        return print(&times->to, local, 0, batch, column, row);
    if (has_offset)
        local.seconds -= offset;
    else
        local.seconds = zone_from_local(times->zone, &times->cache, local.seconds);
    offset = zone_offset(times->zone_to, &times->cache_to, local.seconds);
    local.seconds += offset;
    if (local.seconds < time_seconds_min || local.seconds > time_seconds_max)
        return times_out_of_years;
    return print(&times->to, local, offset, batch, column, row);
}

static bool date_convert_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                             struct column **column_out, struct error *error)
{
    if (!times_rows(call, batch, arguments, date_convert_row, column_out, error))
        return false;
    (*column_out)->utf8 = true;
    return true;
}

/* ---- seconds since 1970 ---- */

static const char *from_unixtime_row(const struct function_call *call UNUSED, struct times *times UNUSED,
                                     struct batch *batch UNUSED, const struct operand *arguments, struct column *column,
                                     uint32_t row)
{
    return times_write_instant(column, row, (struct instant){arguments[0].column->bigint[times_at(arguments[0], row)], 0});
}

TIMES_RUN(from_unixtime)

/* Local times need the zone, others do not. */
static bool epoch_prepare(struct function_call *call, struct error *error)
{
    struct times *times = times_new(call);

    if (times_is_local(times_kind(call, 0)))
        return times_need_zone(call, 1, times, error);
    return times_kind(call, 0) == TYPE_NULL || refuse_more(call, 1, error);
}

static const char *unix_timestamp_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                                      const struct operand *arguments, struct column *column, uint32_t row)
{
    column->bigint[row] = times_instant(times, arguments[0], row).seconds;
    return NULL;
}

TIMES_RUN(unix_timestamp)

static const char *epoch_ms_row(const struct function_call *call UNUSED, struct times *times, struct batch *batch UNUSED,
                                const struct operand *arguments, struct column *column, uint32_t row)
{
    column->bigint[row] = times_milliseconds(times_instant(times, arguments[0], row));
    return NULL;
}

TIMES_RUN(epoch_ms)

#define ARGUMENTS(minimum, maximum) .arguments_min = (minimum), .arguments_max = (maximum)
#define RUNS(prepare_, function) .fails = true, .prepare = (prepare_), .run = function##_run, .release = times_release

extern const struct expression_function functions_time[];
const struct expression_function functions_time[] = {
    {.name = "to_timestamp",
     .parameters = "text [, pattern [, zone]]",
     ARGUMENTS(1, 3),
     .takes = "*t",
     .gives = TYPE_TIMESTAMP,
     RUNS(to_timestamp_prepare, to_timestamp),
     .sentence =
         "The point in time that a text tells, by default as 2024-01-31 23:59:59; also of a bigint with epoch milliseconds, "
         "and of a date or timestamp_ntz [, zone].",
     .example = "to_timestamp('31/Jan/2024:08:30:00', 'dd/MMM/yyyy:HH:mm:ss', 'Asia/Shanghai')",
     .result = "2024-01-31 08:30:00"},
    {.name = "to_date",
     .parameters = "text [, pattern]",
     ARGUMENTS(1, 2),
     .takes = "*t",
     .gives = TYPE_DATE,
     RUNS(to_date_prepare, to_date),
     .sentence = "The date that a text tells, by default as 2024-01-31; or the local date of a time [, zone].",
     .example = "to_date('20240131', 'yyyyMMdd')",
     .result = "2024-01-31"},
    {.name = "date_format",
     .parameters = "time, pattern [, zone]",
     ARGUMENTS(2, 3),
     .takes = "dt",
     .gives = TYPE_STRING,
     .fails = true,
     .prepare = date_format_prepare,
     .run = date_format_run,
     .release = times_release,
     .sentence = "The local time by a pattern: yyyy MM dd HH mm ss SSS, XXX for the offset, 'text' as it is.",
     .example = "date_format(timestamp '2024-01-31 08:30:00Z', 'yyyy-MM-dd''T''HH:mm:ssXXX', '+02:00')",
     .result = "2024-01-31T10:30:00+02:00"},
    {.name = "date_convert",
     .parameters = "text, from_pattern, to_pattern [, from_zone [, to_zone]]",
     ARGUMENTS(3, 5),
     .takes = "t",
     .gives = TYPE_STRING,
     .fails = true,
     .prepare = date_convert_prepare,
     .run = date_convert_run,
     .release = times_release,
     .sentence = "A time as text in another form, and in another zone where zones are named.",
     .example = "date_convert('31.01.2024 23:30', 'dd.MM.yyyy HH:mm', 'yyyyMMdd HHmm', 'Europe/Berlin', 'Asia/Shanghai')",
     .result = "20240201 0630"},
    {.name = "from_unixtime",
     .parameters = "seconds",
     ARGUMENTS(1, 1),
     .takes = "i",
     .gives = TYPE_DATETIME,
     .fails = true,
     .run = from_unixtime_run,
     .sentence = "The point in time so many seconds after 1970 began in UTC, as a datetime.",
     .example = "date_format(from_unixtime(1706660999), 'yyyy-MM-dd HH:mm:ss', 'UTC')",
     .result = "2024-01-31 00:29:59"},
    {.name = "unix_timestamp",
     .parameters = "time [, zone]",
     ARGUMENTS(1, 2),
     .takes = "dt",
     .gives = TYPE_BIGINT,
     RUNS(epoch_prepare, unix_timestamp),
     .sentence = "Whole seconds since 1970 began in UTC; the zone is for a date or timestamp_ntz.",
     .example = "unix_timestamp(timestamp '2024-01-31 00:29:59.9Z')",
     .result = "1706660999"},
    {.name = "epoch_ms",
     .parameters = "time [, zone]",
     ARGUMENTS(1, 2),
     .takes = "dt",
     .gives = TYPE_BIGINT,
     RUNS(epoch_prepare, epoch_ms),
     .sentence = "Whole milliseconds since 1970 began in UTC; the zone is for a date or timestamp_ntz.",
     .example = "epoch_ms(date '1970-01-02', 'UTC')",
     .result = "86400000"},
    {0},
};
