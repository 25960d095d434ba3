/* partition_internal.h: what partition.c, which reads the rules, and partition_group.c, which applies them to batches, share;
 * nobody else includes it. Ownership and threads: partition.h. */
#ifndef LUADUCT_ROUTE_PARTITION_INTERNAL_H
#define LUADUCT_ROUTE_PARTITION_INTERNAL_H

#include "route/partition.h"

enum { PARTITION_LEVELS_MAX = 64, PARTITION_VALUE_BYTES_MAX = 255 };

enum source_kind { SOURCE_CLOCK, SOURCE_FIELD, SOURCE_LUA };

struct source {
    enum source_kind kind;
    const struct job_partition *rule; /* of the first level that looks at it */
    struct str field;                 /* clock: absent = the record's time */
    uint32_t guess;
    struct zone *zone;
    struct zone_cache zone_cache;
    int64_t unit_seconds;             /* clock: what one code spans */
    struct script_module *module;
    size_t columns;                   /* lua: how many levels take one */
};

/* Formats are cut into these; `text` is one literal character. */
struct token {
    enum { TOKEN_TEXT, TOKEN_YEAR, TOKEN_MONTH, TOKEN_DAY, TOKEN_HOUR, TOKEN_MINUTE } kind;
    char text;
};

struct level {
    const struct mc_column *column;
    const struct job_partition *rule;
    size_t source;
    size_t index; /* lua: which of the function's columns */
    bool integer; /* the partition column's type: values are whole numbers, in their shortest text */
    struct token *tokens;
    size_t token_count;
};

/* Specs of the times that came last, where a single clock decides: batches mostly go to the same table partitions as the one
 * before. A place holds one; a spec that is longer than its room is made anew each time. */
enum { SPECS_KEPT = 512, SPEC_KEPT_BYTES = 56 };

struct spec_kept {
    int64_t unit; /* the first local second of the clock's unit */
    uint32_t size; /* 0: empty */
    char text[SPEC_KEPT_BYTES];
};

struct partitions {
    const struct job *job;
    const struct zone *zone; /* of local date-times in text; may be NULL */
    struct level *levels;    /* in the table's order */
    size_t level_count;
    struct source *sources;
    size_t source_count;
    struct spec_kept *specs; /* SPECS_KEPT; NULL unless a single clock decides */
};

#endif
