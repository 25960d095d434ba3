/* faults.h: scripted failures of the local endpoint, so that tests and people can see what a client does with them.
 *
 * A rule a line; blank lines, lines that begin with "#", and what follows "# " are read over:
 *
 *     CALL [#N | #N-M | every K] before|after ANSWER
 *     second_commit ok|conflict|5xx
 *
 *     put_block #3 after cut                        the block is stored, the connection closed without an answer
 *     commit #1 after status=500                    committed, but the client hears 500
 *     create_upload every 5 before status=429 retry_after=1
 *     put_block #1-20 before status=503
 *     commit #2 before hang=2s                      nothing for two seconds, then the connection is closed
 *     commit #1 before closing=2s                   two seconds in state closing, then closed and answered
 *     list_blocks #1 before state=critical          the session is critical from now on
 *     commit #1 before delay=3s                     the connection is closed at once, the commit happens three seconds later
 *     put_block #2 after twice=2s                   stored and answered, and stored once more two seconds later
 *     second_commit conflict
 *
 * CALL: discovery, project, table, partitions, create_table, drop_table, add_partition, drop_partition, add_columns, instance (a
 * poll), create_upload, put_block, list_blocks, commit, create_download, download, any. Calls are counted from 1, for each rule
 * by itself and only those that CALL names and that are signed rightly; without a count the rule holds for every call. before:
 * the call is not carried out (with slow, closing, expire, state and forget it is, behind them). after: it is carried out and the
 * answer replaced. Of several rules that hold the first in the file wins. ANSWER:
 *
 *     status=NNN [code=NAME] [retry_after=SECONDS]
 *     cut               the connection is closed without an answer
 *     hang=TIME         the same, after a time
 *     slow=TIME         the true answer, after a time
 *     state=NAME        the session that the call names (or makes: create_upload after) gets this state of protocol 3.3: unknown,
 *                       normal, committing, closing, canceled, expired or critical; closed is reached by a commit alone, and a
 *                       session that is closed stays so. unknown and normal take blocks and commits, in committing and closing a
 *                       commit is answered as a second one, all else is 409 StatusConflict
 *     expire            state=expired
 *     forget            the session, closed or not, is unknown from now on: 404 NoSuchUpload; rows that are committed stay
 *     closing=TIME      commit before: it lasts that long, the session being closing meanwhile
 *     delay=TIME        before: the connection is closed at once, without an answer; the call is carried out that much later
 *     twice[=TIME]      after: it is carried out once more, on the spot or that much later; nobody hears its second answer
 *
 * Calls that come late or twice are not counted and meet no rules; of those that wait nothing is left when the endpoint stops.
 * TIME: 500ms, 2s, 1m. second_commit: what a commit is answered that finds its session closed, or a commit of it under way: 200
 * and the session's state, 409 StatusConflict, or 500; nothing happens twice in any case.
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

enum fault_answer {
    FAULT_NONE, FAULT_STATUS, FAULT_CUT, FAULT_HANG, FAULT_SLOW, FAULT_STATE, FAULT_FORGET, FAULT_CLOSING, FAULT_DELAY,
    FAULT_TWICE,
};

enum second_commit { SECOND_COMMIT_OK, SECOND_COMMIT_CONFLICT, SECOND_COMMIT_5XX };

struct fault {
    enum fault_answer answer;
    int status;
    char code[64];       /* "" = one that suits the status */
    int retry_after_s;   /* -1: none */
    int64_t duration_ms; /* hang, slow, closing, delay, twice (0: on the spot) */
    char state[16];
};

struct faults;
/* file names the place in errors ("faults.txt:3: ..."); all of kind ERROR_CONFIG. */
bool faults_parse(struct faults **faults_out, struct str text, const char *file, struct error *error) MUST_USE;
bool faults_read(struct faults **faults_out, const char *path, struct error *error) MUST_USE;
void faults_free(struct faults *faults);
/* Counts the call and tells what is to happen. faults may be NULL. */
void faults_next(struct faults *faults, enum fault_call call, struct fault *before, struct fault *after);
/* As the script says, else `otherwise`. faults may be NULL. */
enum second_commit faults_second_commit(const struct faults *faults, enum second_commit otherwise);
bool second_commit_parse(struct str text, enum second_commit *second_commit_out) MUST_USE;

#endif
