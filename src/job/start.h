/* start.h: positions in a topic, as people write them: in source.start of a job, and on the command line
 * (`reset --to`, `sample --from`, `run --until`):
 *
 *     committed | earliest | latest
 *     2024-01-31 00:00:00 Asia/Shanghai | 2024-01-31T00:00:00+08:00 | 2024-01-31 (with a zone at hand) | 1706630400000
 *     30m ago                      s, m, h or d before now
 *     0:1500,1:earliest,2:latest   per partition; in a job file it is a map, source.start.offsets
 *
 * What a time or a word means as an offset is asked from the brokers by whoever reads the partition.
 * Ownership: start_release frees what start_read made. Threads: any, no state. Errors of the parse functions are the end of a
 * sentence that begins with the text: "is no time; ...". */
#ifndef LUADUCT_JOB_START_H
#define LUADUCT_JOB_START_H

#include "util/error.h"
#include "util/location.h"
#include "util/str.h"

/* The first three in the order of the words. */
enum start_kind { START_COMMITTED, START_EARLIEST, START_LATEST, START_TIME, START_AGO, START_OFFSETS };

#define START_AT_EARLIEST INT64_C(-2)
#define START_AT_LATEST INT64_C(-1)
#define START_AGO_MS_MAX (INT64_C(36500) * 24 * 3600 * 1000)

enum {
    START_PARTITIONS_MAX = 200000, /* a broker allows about as many in a whole cluster */
    START_OFFSETS_MAX = 1024,      /* that are named one by one */
};

struct start_offset {
    int32_t partition;
    int64_t offset;     /* the first to read, or START_AT_EARLIEST or START_AT_LATEST */
    struct location at; /* of the offset in the job file; line 0: from the command line */
};

/* A position of a command line; "30m ago" has become a time. */
struct start {
    enum start_kind kind; /* START_EARLIEST, _LATEST, _TIME or _OFFSETS */
    int64_t ms;           /* START_TIME, since 1970 */
    struct start_offset *offsets;
    size_t count;
};

/* zone (a name) is for times that name none; NULL: such a time is an error. */
bool start_read(struct str text, const char *zone, int64_t now_ms, struct start *start_out, struct error *error) MUST_USE;
void start_release(struct start *start);
/* NULL: it is not among them. */
const struct start_offset *start_offset_find(const struct start_offset *offsets, size_t count, int32_t partition);

/* Which kind a text is, by its look; false: none. A time, a span and a list are still to be parsed. */
bool start_parse(struct str text, enum start_kind *kind_out) MUST_USE;
bool start_time_parse(struct str text, const char *zone, int64_t *ms_out, struct error *error) MUST_USE;
bool start_ago_parse(struct str text, int64_t *ms_out, struct error *error) MUST_USE;
/* NULL, or what is wrong with it. */
const char *start_partition_parse(struct str text, int32_t *partition_out) MUST_USE;
const char *start_offset_parse(struct str text, int64_t *offset_out) MUST_USE;

#endif
