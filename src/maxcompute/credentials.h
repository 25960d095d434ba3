/* credentials.h: what requests are signed with, and how it is renewed while a job runs: a fixed key, or one that is read from a
 * file or printed by a command (credential.h has the form).
 *
 * A file is read again when it changes (looked at every 2 s). A command runs again when five minutes are left, or half the time
 * where less than ten are; without a known end, after `interval`. Both are read again at once when the service refuses what they
 * gave, and a few times more within half a minute when that fails; for CREDENTIALS_GRACE_MS, a file every 2 s and a command every
 * 30 s, when the service took what they gave before. A renewal that fails is said and tried again; what was read before stays in
 * use until the service itself refuses it. Each different credential is a new generation; a request keeps the one it was signed
 * with.
 *
 * Ownership: credentials_free ends a running command and wipes all. Threads: one owner (the hub); nothing here waits: a command
 * is a child process that is looked at, a file is small. Secrets are told to log_secret, and are part of no text. Errors: see
 * credentials_failed. Times: now_ms is the monotonic clock, wall_ms the wall clock. */
#ifndef LUADUCT_MAXCOMPUTE_CREDENTIALS_H
#define LUADUCT_MAXCOMPUTE_CREDENTIALS_H

#include "maxcompute/credential.h"
#include "util/log.h"

struct credentials;

enum { CREDENTIALS_GRACE_MS = 10 * 60 * 1000 };

struct credentials_options { /* of file and command, one */
    const char *file;
    char *const *command;     /* ends with NULL */
    int64_t command_limit_ms; /* default 30 s */
    int64_t interval_ms;      /* default 10 min */
    struct log *log;          /* may be NULL */
};

struct credentials *credentials_fixed(const char *access_id, const char *access_key, const char *security_token) MUST_USE;
struct credentials *credentials_new(const struct credentials_options *options) MUST_USE;
void credentials_free(struct credentials *credentials);
/* Whether a file can be used as it is now; tells the log nothing but its secrets. */
bool credentials_file_check(const char *path, struct error *error) MUST_USE;

/* Looks at the file or the command when it is time; call it in every turn of the loop. */
void credentials_step(struct credentials *credentials, int64_t now_ms, int64_t wall_ms);
/* The next time it has something to do, or INT64_MAX. */
int64_t credentials_deadline(const struct credentials *credentials);

/* NULL: nothing was read yet. Borrowed until the next step. */
const struct credential *credentials_get(const struct credentials *credentials);
/* Of what credentials_get gives; 0: nothing yet. */
unsigned credentials_generation(const struct credentials *credentials);
/* Whether there is nothing, after as many tries as a start is worth. The error says what and where. */
bool credentials_failed(const struct credentials *credentials, struct error *error);

/* Whether there is nothing yet, failed or not; the error says what is waited for. */
bool credentials_awaited(const struct credentials *credentials, struct error *error);

/* The service took what was signed with this generation, or refused it for its credentials. */
void credentials_accepted(struct credentials *credentials, unsigned generation);
void credentials_refused(struct credentials *credentials, unsigned generation, int64_t now_ms);
enum credentials_hope {
    CREDENTIALS_RENEWED, /* another generation is there: sign anew */
    CREDENTIALS_ASKED,   /* they are being read again: wait */
    CREDENTIALS_HOPELESS,
};
/* What a request may do that was signed with this generation and refused. */
enum credentials_hope credentials_hope(const struct credentials *credentials, unsigned generation);
/* What a person has to look at when the service refuses them, as the end of a sentence. */
void credentials_advise(const struct credentials *credentials, char *text, size_t size);

#endif
