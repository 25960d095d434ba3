/* decode.h: the bytes of records to rows, before the first stage: source.decode of the job.
 * A kind (raw, text, json_lines, csv) is a file of this folder and a row of the table in decode.c; its options are rows in
 * job/tables_source.c. Kind raw is no decoder at all and costs nothing.
 * A record that cannot be decoded becomes a dirty row of stage "decode" (or is dropped, or stops the job: decode.when_error),
 * with its original bytes. A record without a value (NULL, a tombstone) stays one row whatever the kind, with NULL for what would
 * have been decoded. Where one record may make several rows, all batches are expanded, so that a row's index depends on its
 * record alone; a record that makes none counts as filtered. Ownership: the decoder owns what it opens; what it makes lives in
 * the batch's arena. Threads: one owner, the worker's. */
#ifndef LUADUCT_DECODE_DECODE_H
#define LUADUCT_DECODE_DECODE_H

#include "batch/time.h"
#include "job/job.h"

struct decoder;

/* By the job's source.decode; *decoder_out is NULL for kind raw. zone (of local date-times, may be NULL) must outlive the
 * decoder. Wrong options are told to the report with their places, all of them; then false. report NULL: the first one is the
 * error. */
bool decoder_open(struct decoder **decoder_out, const struct job *job, const struct zone *zone, struct report *report,
                  struct error *error) MUST_USE;
void decoder_free(struct decoder *decoder); /* takes NULL */
/* All rows of a batch that has just begun; of a batch of no rows too, which then has the fields and types that come out. False:
 * the batch cannot go on (stopped, arena full); the error says why. */
bool decoder_run(struct decoder *decoder, struct batch *batch, struct error *error) MUST_USE;

#endif
