/* times.h: what the functions over dates and times share: the zones of a call, and the loop over rows.
 * The calendar is that of a time zone: the one that the call names, else the job's; a call that needs one and has none is
 * refused, for a silent UTC would put rows on wrong days. Dates and timestamp_ntz are local already and take none.
 * Ownership: a call's state is a struct times, freed by times_release; columns live in the batch's arena.
 * Threads: those of the call (the caches inside). Errors: as function.h has them; a function of a row gives NULL, or why it has
 * no result, which may stand in times->reason. */
#ifndef LUADUCT_EXPRESSION_TIMES_H
#define LUADUCT_EXPRESSION_TIMES_H

#include "batch/time_format.h"
#include "expression/function.h"

enum { DAY_SECONDS = 86400 };

/* What a call's constants are made into. */
struct times {
    struct time_format from, to;
    struct str pattern;      /* of from; the binding's */
    const struct zone *zone; /* NULL: none is needed, or there is none */
    const struct zone *zone_to;
    struct zone *opened, *opened_to;
    struct zone_cache cache, cache_to;
    int unit;         /* functions_calendar.c's */
    char reason[320]; /* of the row in hand */
};

struct times *times_new(struct function_call *call) MUST_USE;
void times_release(void *state);

/* A point in time, which a local date-time is only together with a zone. */
bool times_is_zoned(enum type_kind kind);
bool times_is_local(enum type_kind kind);
enum type_kind times_kind(const struct function_call *call, size_t argument);

/* The zone that the argument names, or the job's, which may be none. */
bool times_take_zone(struct function_call *call, size_t argument, struct zone **opened, const struct zone **zone_out,
                     struct error *error) MUST_USE;
/* The same into times->zone, and there must be one. */
bool times_need_zone(struct function_call *call, size_t argument, struct times *times, struct error *error) MUST_USE;
/* Of a call over one time: a zone where that is a point in time, none where it is local. */
bool times_zone_of(struct function_call *call, size_t argument, struct times *times, struct error *error) MUST_USE;

extern const char times_no_room[]; /* the arena is full */
extern const char times_out_of_years[];

static inline uint32_t times_at(struct operand operand, uint32_t row)
{
    return row & operand_mask(operand);
}

/* A multiple of the unit, towards the past. */
int64_t times_floor(int64_t value, int64_t unit);
int64_t times_milliseconds(struct instant instant);
/* The value as local date-time, and what the zone has added. */
const char *times_read_local(struct times *times, const struct column *column, uint32_t from, struct instant *local_out,
                             int32_t *offset_out) MUST_USE;
/* A local date-time, or an instant, as a value of the column's type. */
const char *times_write_local(struct times *times, struct column *column, uint32_t row, struct instant local) MUST_USE;
const char *times_write_instant(struct column *column, uint32_t row, struct instant instant) MUST_USE;
/* The point in time; without a zone, local times are counted as if they were UTC. */
struct instant times_instant(struct times *times, struct operand operand, uint32_t row);

typedef const char *times_row(const struct function_call *call, struct times *times, struct batch *batch,
                              const struct operand *arguments, struct column *column, uint32_t row);

bool times_rows(const struct function_call *call, struct batch *batch, const struct operand *arguments, times_row *function,
                struct column **column_out, struct error *error) MUST_USE;

/* name_run over name_row. */
#define TIMES_RUN(name)                                                                                                          \
    static bool name##_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,               \
                           struct column **column_out, struct error *error)                                                      \
    {                                                                                                                            \
        return times_rows(call, batch, arguments, name##_row, column_out, error);                                                \
    }

#endif
