/* faults.h: scripted failures of the local endpoint, so that tests and people can see what a client does with them.
 *
 * A rule a line; blank lines, lines that begin with "#", and what follows "# " are read over:
 *
 *     CALL [#N | #N-M | every K] before|after ANSWER
 *
 *     put_block #3 after cut                        the block is stored, the connection closed without an answer
 *     commit #1 after status=500                    committed, but the client hears 500
 *     create_upload every 5 before status=429 retry_after=1
 *     put_block #1-20 before status=503
 *     commit #2 before hang=2s                      nothing for two seconds, then the connection is closed
 *
 * CALL: discovery, project, table, partitions, create_table, drop_table, add_partition, drop_partition, add_columns, instance (a
 * poll), create_upload, put_block, list_blocks, commit, create_download, download, any. Calls are counted from 1, for each rule
 * by itself and only those that CALL names and that are signed rightly; without a count the rule holds for every call. before:
 * the call is not carried out (with slow and expire it is, later). after: it is carried out and the answer replaced. ANSWER:
 * status=NNN [code=NAME] [retry_after=SECONDS]; cut; hang=DURATION; slow=DURATION (then the true answer); expire (the session
 * that the call names becomes EXPIRED). Durations: 500ms, 2s, 1m. Of several rules that hold the first in the file wins.
 *
 * Ownership: faults_free. Threads: any; a lock around the counters. */
#ifndef LUADUCT_LOCAL_FAULTS_H
#define LUADUCT_LOCAL_FAULTS_H

#include "util/error.h"
#include "util/str.h"

enum fault_call {
    CALL_DISCOVERY, CALL_PROJECT, CALL_TABLE, CALL_PARTITIONS, CALL_CREATE_TABLE, CALL_DROP_TABLE, CALL_ADD_PARTITION,
    CALL_DROP_PARTITION, CALL_ADD_COLUMNS, CALL_INSTANCE, CALL_CREATE_UPLOAD, CALL_PUT_BLOCK, CALL_LIST_BLOCKS, CALL_COMMIT,
    CALL_CREATE_DOWNLOAD, CALL_DOWNLOAD, CALL_ANY, /* any: a call without a name of its own, or in a rule every call */
};

enum fault_answer { FAULT_NONE, FAULT_STATUS, FAULT_CUT, FAULT_HANG, FAULT_SLOW, FAULT_EXPIRE };

struct fault {
    enum fault_answer answer;
    int status;
    char code[64];       /* "" = one that suits the status */
    int retry_after_s;   /* -1: none */
    int64_t duration_ms; /* hang, slow */
};

struct faults;
/* file names the place in errors ("faults.txt:3: ..."); all of kind ERROR_CONFIG. */
bool faults_parse(struct faults **faults_out, struct str text, const char *file, struct error *error) MUST_USE;
bool faults_read(struct faults **faults_out, const char *path, struct error *error) MUST_USE;
void faults_free(struct faults *faults);
/* Counts the call and tells what is to happen. faults may be NULL. */
void faults_next(struct faults *faults, enum fault_call call, struct fault *before, struct fault *after);

#endif
