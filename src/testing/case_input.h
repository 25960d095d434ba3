/* case_input.h: what goes into a case as batches: records as a topic would give them, or typed rows as a stage would.
 * Ownership: the input owns its bytes, and must outlive the batches; case_input_free. Threads: one.
 * Errors: mistakes go to the report with their places. */
#ifndef LUADUCT_TESTING_CASE_INPUT_H
#define LUADUCT_TESTING_CASE_INPUT_H

#include "batch/batch.h"
#include "batch/time.h"
#include "job/report.h"
#include "testing/case_file.h"

struct case_input;

/* probe: what goes into the stage that takes the rows, whose fields they have then; NULL for a stage alone, and for records.
 * zone_name may be NULL. False: the report says why. */
bool case_input_new(struct case_input **input_out, const struct case_file *file, const struct test_case *test,
                    const struct batch *probe, const char *zone_name, struct report *report) MUST_USE;
void case_input_free(struct case_input *input);
/* Fills a cleared batch with the next records (of one Kafka partition) or rows, and begins it with the builtin fields; the first
 * of them has the number *first_out in the case, from 1. False: there are no more, or error is set. empty: the fields of rows,
 * but none of them, for probing. */
bool case_input_next(struct case_input *input, struct batch *batch, unsigned builtins, size_t *first_out,
                     struct error *error) MUST_USE;
bool case_input_empty(struct case_input *input, struct batch *batch, unsigned builtins, struct error *error) MUST_USE;

#endif
