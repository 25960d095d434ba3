/* cases.h: runs the cases that stand beside a job, for `luaduct test` and before a reload.
 * A case goes through the job's own decoder, stages, mapping and conversion, record by record as they would be written, in a
 * fresh script state; nothing is read or written outside of the job's files. Without a schema of the table (create: never, and no
 * types of columns) what the last stage gives is compared. Ownership: cases_free frees the results; the coverage is the caller's.
 * Threads: one, any: no state is shared. Errors: mistakes in files go to the report, all at once, and then no case of that file
 * runs. */
#ifndef LUADUCT_TESTING_CASES_H
#define LUADUCT_TESTING_CASES_H

#include "job/job.h"
#include "script/coverage.h"
#include "testing/case_file.h"
#include "util/log.h"

struct cases_options {
    const char *datasources_path; /* NULL: as the file or the job says */
    const char *name;             /* only cases of this name; NULL: all */
    const struct job *job;        /* stands for its file, and the texts of its Lua files for those; NULL: they are read */
    struct coverage *coverage;    /* NULL: lines are not counted */
    struct log *log;              /* what scripts print */
};

struct case_difference {
    uint64_t row; /* of the rows that came out, from 1; 0: no row */
    char *column; /* NULL: the row, or the case, as a whole */
    char *expected, *got;
    struct location at; /* in the test file */
};

struct case_result {
    const char *file, *name; /* as long as the results */
    struct location at;
    struct case_difference *differences; /* none: passed */
    size_t count, capacity;
    size_t more; /* differences that are not listed */
    int64_t microseconds;
};

enum { CASE_DIFFERENCES_MAX = 50 };

struct cases {
    struct case_result *results;
    size_t count, capacity;
    size_t failed;
    size_t tried;             /* files, also those that could not be read */
    struct case_file **files; /* that were read */
    size_t file_count, file_capacity;
};

/* Adds what the cases of one file do. */
void cases_run_file(struct cases *cases, const char *path, const struct cases_options *options, struct report *report);
/* The test files of a job or of a Lua file: the one beside it, and for a job also those beside its Lua files. They need not
 * exist: cases->tried tells. */
void cases_run(struct cases *cases, const char *path, const struct cases_options *options, struct report *report);
void cases_free(struct cases *cases);
/* Before a reload: whether all cases of the job pass, with its Lua files as they are in its set, whatever is on the disk by now;
 * a job without cases passes. The error names the first one that does not, or the first mistake. */
bool cases_pass(const struct job *job, struct log *log, struct error *error) MUST_USE;

#endif
