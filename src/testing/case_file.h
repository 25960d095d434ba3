/* case_file.h: a file of test cases, NAME.test.yaml, as written beside the job or the Lua file that it tests. `luaduct help test`
 * tells the format to people.
 * Ownership: case_file_free frees all; the texts and nodes of cases are the file's. Threads: one.
 * Errors: all mistakes go to the report, with their places. */
#ifndef LUADUCT_TESTING_CASE_FILE_H
#define LUADUCT_TESTING_CASE_FILE_H

#include "job/report.h"
#include "util/tree.h"

struct case_record { /* of `input`: what a sample file says of a record; nodes may be NULL */
    struct tree_node *value, *key, *timestamp, *headers;
    int32_t partition;
    int64_t offset; /* -1: one more than the record before */
    struct location at;
    unsigned width;
};

struct case_dirty {                /* of `expect_dirty`; what is NULL may be anything */
    char *stage, *column, *reason; /* reason: is a part of it */
    int64_t input;                 /* the record or row that it comes from, from 1; 0: any */
    struct location at;
    unsigned width;
};

struct test_case {
    char *name;
    struct case_record *input; /* NULL without `input` */
    size_t input_count;
    char *sample;           /* a sample file instead; NULL without `sample` */
    struct location sample_at;
    struct tree_node *rows; /* a list of maps; NULL without `rows` */
    char *from, *until;     /* names of stages; NULL: from the first one, to the table */
    struct location from_at, until_at;
    char *now; /* a time; NULL: the file's */
    struct location now_at;
    struct tree_node *options; /* a map: instead of those of a stage or partition rule alone; NULL: those of the file */
    struct location options_at;
    struct tree_node *expect; /* a list of maps; NULL: rows are not compared */
    int64_t filtered;         /* -1: not compared */
    struct case_dirty *dirty;
    size_t dirty_count;
    char *stop; /* a part of the reason for which the batch cannot go on; NULL: it must go on */
    char *mistake; /* a part of what is said of wrong options; NULL: there must be none. Then nothing runs */
    struct location at;
    unsigned width;
};

struct case_file {
    char *path;
    char *directory;
    char *job; /* the job's file; NULL: a stage or partition rules alone */
    struct location job_at;
    char *datasources;           /* NULL: the job's own */
    struct tree_node *stage;     /* a map, complete; NULL: none. */
    struct tree_node *partition; /* a list; NULL: none */
    struct tree_node *fields;    /* a map of types; NULL: none */
    struct tree_node *table;     /* a map of types of the target's columns; NULL: none */
    char *time_zone;
    char *now; /* NULL: the real time */
    struct location now_at;
    struct test_case *cases;
    size_t count;
};

/* Reads and checks the file alone: what it says about the job's names is checked when it runs. False: the report says why; the
 * file is set even then when enough could be read. */
bool case_file_read(struct case_file **file_out, const char *path, struct report *report) MUST_USE;
void case_file_free(struct case_file *file);
/* "dir/orders.test.yaml" for "dir/orders.yaml" or ".lua"; on the heap. */
char *case_file_beside(const char *path) MUST_USE;
bool case_file_is(const char *path); /* by its name */

#endif
