/* case_subject.h: what a file of cases tests, as a job: that of its own file, or a stage or partition rules alone.
 * Ownership: case_subject_free frees the job, which may borrow from a given one; a case's subject borrows from the job and the
 * file. Threads: one, any.
 * Errors: mistakes go to the report with their places. */
#ifndef LUADUCT_TESTING_CASE_SUBJECT_H
#define LUADUCT_TESTING_CASE_SUBJECT_H

#include "job/job.h"
#include "testing/case_file.h"

struct case_subject {
    struct job job;
    struct job_stage stage;
    struct job_partition partition;
};

/* Takes the stage and the rules out of the file. datasources_path: NULL as the file or the job says. given, which may be NULL: a
 * job that stands for its own file, and the texts of its Lua files for those, whatever is tested. */
bool case_subject_load(struct job **job_out, struct case_file *file, const char *datasources_path, const struct job *given,
                       struct report *report) MUST_USE;
void case_subject_free(struct job *job, const struct job *given);
/* The job, or one in *subject that has the case's own options instead of its stage's or rule's. */
struct job *case_subject_of(struct case_subject *subject, struct job *job, const struct test_case *test);

#endif
