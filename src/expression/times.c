/* times.c: zones of calls, and the way between points in time and local date-times. */
#include "expression/times.h"

#include <stdlib.h>

const char times_no_room[] = "no room";
const char times_out_of_years[] = "the result is outside of the years 1 to 9999";

void times_release(void *state)
{
    struct times *times = state;

    if (!times)
        return;
    zone_free(times->opened);
    zone_free(times->opened_to);
    free(times);
}

struct times *times_new(struct function_call *call)
{
    struct times *times = xcalloc(1, sizeof(*times));

    call->state = times;
    return times;
}

bool times_is_zoned(enum type_kind kind)
{
    return kind == TYPE_DATETIME || kind == TYPE_TIMESTAMP;
}

bool times_is_local(enum type_kind kind)
{
    return kind == TYPE_DATE || kind == TYPE_TIMESTAMP_NTZ;
}

enum type_kind times_kind(const struct function_call *call, size_t argument)
{
    return call->arguments[argument].type.kind;
}

/* ---- prepare ---- */

bool times_take_zone(struct function_call *call, size_t argument, struct zone **opened, const struct zone **zone_out,
                     struct error *error)
{
    struct str name;

    *zone_out = call->environment->zone;
    if (!function_constant_text(call, argument, "the time zone", &name, error))
        return false;
    if (!name.data)
        return true;
    if (!zone_open(opened, name, error))
        return false;
    *zone_out = *opened;
    return true;
}

bool times_need_zone(struct function_call *call, size_t argument, struct times *times, struct error *error)
{
    if (!times_take_zone(call, argument, &times->opened, &times->zone, error))
        return false;
    if (times->zone)
        return true;
    call->blamed = call->count;
    return error_set(error, ERROR_CONFIG,
                     "%s needs a time zone, and the job names none; set time_zone, or name one as argument "
                     "%zu, such as 'Asia/Shanghai'",
                     call->name, argument + 1);
}

bool times_zone_of(struct function_call *call, size_t argument, struct times *times, struct error *error)
{
    char name[TYPE_NAME_MAX];

    if (times_is_zoned(times_kind(call, 0)))
        return times_need_zone(call, argument, times, error);
    if (!times_is_local(times_kind(call, 0)) || argument >= call->count)
        return true;
    call->blamed = argument;
    return error_set(error, ERROR_CONFIG, "a %s is local already, %s of it takes no time zone",
                     type_print(call->arguments[0].type, name), call->name);
}

/* ---- rows ---- */

const char *times_read_local(struct times *times, const struct column *column, uint32_t from, struct instant *local_out,
                             int32_t *offset_out)
{
    *offset_out = 0;
    if (column->type.kind == TYPE_DATE) {
        *local_out = (struct instant){(int64_t)column->date[from] * DAY_SECONDS, 0};
        return NULL;
    }
    *local_out = column->instant[from];
    if (column->type.kind == TYPE_TIMESTAMP_NTZ)
        return NULL;
    *offset_out = zone_offset(times->zone, &times->cache, local_out->seconds);
    local_out->seconds += *offset_out;
    return local_out->seconds < time_seconds_min || local_out->seconds > time_seconds_max
               ? "the local time is outside of the years 1 to 9999"
               : NULL;
}

int64_t times_floor(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;

    return value - rest - (rest < 0 ? unit : 0);
}

const char *times_write_instant(struct column *column, uint32_t row, struct instant instant)
{
    if (instant.seconds < time_seconds_min || instant.seconds > time_seconds_max)
        return times_out_of_years;
    column->instant[row] = instant;
    return NULL;
}

const char *times_write_local(struct times *times, struct column *column, uint32_t row, struct instant local)
{
    if (local.seconds < time_seconds_min || local.seconds > time_seconds_max)
        return times_out_of_years;
    if (column->type.kind == TYPE_DATE) {
        column->date[row] = (int32_t)(times_floor(local.seconds, DAY_SECONDS) / DAY_SECONDS);
        return NULL;
    }
    if (column->type.kind != TYPE_TIMESTAMP_NTZ)
        local.seconds = zone_from_local(times->zone, &times->cache, local.seconds);
    return times_write_instant(column, row, local);
}

struct instant times_instant(struct times *times, struct operand operand, uint32_t row)
{
    const struct column *column = operand.column;
    uint32_t from = times_at(operand, row);
    struct instant instant;

    if (times_is_zoned(column->type.kind))
        return column->instant[from];
    if (column->type.kind == TYPE_DATE)
        instant = (struct instant){(int64_t)column->date[from] * DAY_SECONDS, 0};
    else
        instant = column->instant[from];
    if (times->zone)
        instant.seconds = zone_from_local(times->zone, &times->cache, instant.seconds);
    return instant;
}

int64_t times_milliseconds(struct instant instant)
{
    return instant.seconds * 1000 + instant.nanos / 1000000;
}

bool times_rows(const struct function_call *call, struct batch *batch, const struct operand *arguments, times_row *function,
                struct column **column_out, struct error *error)
{
    struct column *column = function_result(batch, call->type, arguments, call->count);

    if (!column)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *why;

        if (column_is_null(column, row))
            continue;
        why = function(call, call->state, batch, arguments, column, row);
        if (UNLIKELY(why) && (why == times_no_room || !function_fail(batch, column, row, call->name, why)))
            return operand_out_of_memory(batch, error);
    }
    *column_out = column;
    return true;
}
