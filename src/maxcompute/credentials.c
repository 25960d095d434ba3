/* credentials.c: the state of one source of credentials.
 * "Refused" is told per generation: the first refusal of a generation asks for a renewal. When the service took what this
 * source gave before, the source is asked for CREDENTIALS_GRACE_MS, for the key may have been changed at the service first. Else,
 * and after that, there is no hope when the renewal brings nothing new or fails for half a minute, or when a generation that came
 * by a refusal is refused as well: a command that prints a fresh but useless token each time must not be asked for ever. */
#include "maxcompute/credentials.h"

#include <stdio.h>
#include <stdlib.h>

#include "batch/time.h"
#include "util/command.h"
#include "util/file.h"

enum {
    FILE_BYTES_MAX = 64 << 10,
    FILE_LOOK_MS = 2000,
    LEAD_MS = 5 * 60 * 1000, /* a command runs again that long before the end */
    PAUSE_MS_MIN = 1000,
    PAUSE_MS_REFUSED = 30 * 1000, /* a command that gave nothing that the service takes */
    PAUSE_MS_ENDED = 30 * 1000, /* once the end has passed by our clock, which the service need not share */
    START_TRIES = 3,
    RENEWAL_TRIES = 6, /* of a reading that the service's refusal waits for: with the pauses between them half a minute */
    COMMAND_LIMIT_MS = 30 * 1000,
    INTERVAL_MS = 10 * 60 * 1000,
};

struct credentials {
    char *file, **command; /* both NULL: fixed */
    int64_t command_limit_ms, interval_ms;
    struct log *log;
    struct credential current, previous; /* the log knows both: a line about an old request may come late */
    unsigned generation;
    int64_t due_ms;
    struct command *running;
    struct file_stamp stamp; /* of the file that was read last */
    struct error error;      /* of the last try; kind ERROR_NONE: it succeeded */
    unsigned failures;       /* in a row */
    bool end_said;           /* that the file's credentials end soon */
    bool asked;              /* a refusal waits for the next reading */
    bool proved;             /* the service took one once */
    bool grace_said;         /* since the service took one */
    int64_t refused_ms;      /* when the first was refused since the service took one */
    unsigned refused;        /* the last generation that was refused */
    unsigned barren;         /* the last generation for which a renewal brought nothing */
    unsigned refusals;       /* of different generations, since the service took one */
};

struct credentials *credentials_fixed(const char *access_id, const char *access_key, const char *security_token)
{
    struct credentials *credentials = xcalloc(1, sizeof(*credentials));

    credential_set(&credentials->current, access_id, access_key, security_token);
    credentials->generation = 1;
    return credentials;
}

struct credentials *credentials_new(const struct credentials_options *options)
{
    struct credentials *credentials = xcalloc(1, sizeof(*credentials));
    size_t count = 0;

    assert(!options->file != !options->command);
    credentials->log = options->log;
    credentials->file = options->file ? xstrdup(options->file) : NULL;
    while (options->command && options->command[count])
        count++;
    if (count) {
        credentials->command = xcalloc(count + 1, sizeof(*credentials->command));
        for (size_t i = 0; i < count; i++)
            credentials->command[i] = xstrdup(options->command[i]);
    }
    credentials->command_limit_ms = options->command_limit_ms > 0 ? options->command_limit_ms : COMMAND_LIMIT_MS;
    credentials->interval_ms = options->interval_ms > 0 ? options->interval_ms : INTERVAL_MS;
    return credentials;
}

void credentials_free(struct credentials *credentials)
{
    if (!credentials)
        return;
    command_free(credentials->running);
    credential_release(&credentials->current);
    credential_release(&credentials->previous);
    for (size_t i = 0; credentials->command && credentials->command[i]; i++)
        free(credentials->command[i]);
    free(credentials->command);
    free(credentials->file);
    free(credentials);
}

static bool is_fixed(const struct credentials *credentials)
{
    return !credentials->file && !credentials->command;
}

static const char *source_kind(const struct credentials *credentials)
{
    return credentials->file ? "file" : "command";
}

static const char *source_name(const struct credentials *credentials)
{
    return credentials->file ? credentials->file : credentials->command[0];
}

const struct credential *credentials_get(const struct credentials *credentials)
{
    return credentials->generation ? &credentials->current : NULL;
}

unsigned credentials_generation(const struct credentials *credentials)
{
    return credentials->generation;
}

bool credentials_failed(const struct credentials *credentials, struct error *error)
{
    if (credentials->generation || credentials->failures < START_TRIES)
        return false;
    *error = credentials->error;
    return true;
}

bool credentials_awaited(const struct credentials *credentials, struct error *error)
{
    if (credentials->generation)
        return false;
    if (credentials->error.kind != ERROR_NONE)
        *error = credentials->error;
    else
        error_set(error, ERROR_RETRY, "the %s %s has not given any yet", source_kind(credentials), source_name(credentials));
    return true;
}

int64_t credentials_deadline(const struct credentials *credentials)
{
    return is_fixed(credentials) ? INT64_MAX : credentials->due_ms;
}

/* --- renewal --- */

static void end_print(int64_t expires_ms, char text[TIME_TEXT_MAX + 8])
{
    struct instant end = {.seconds = expires_ms / 1000};
    size_t size = time_print(end, text);

    memcpy(text + size, " UTC", 5);
}

static bool is_used(const struct credential *credential, const char *secret)
{
    return (credential->access_key && strcmp(credential->access_key, secret) == 0) ||
           (credential->security_token && strcmp(credential->security_token, secret) == 0);
}

/* The log searches every line for every secret, so it is told to forget what nothing uses any more. */
static void secret_forget(const struct credentials *credentials, const char *secret)
{
    if (secret && !is_used(&credentials->current, secret) && !is_used(&credentials->previous, secret))
        log_secret_forget(secret);
}

static void secrets_tell(const struct credential *credential)
{
    log_secret(credential->access_key);
    log_secret(credential->security_token);
}

static void credential_install(struct credentials *credentials, struct credential *found)
{
    struct credential oldest = credentials->previous;
    char end[TIME_TEXT_MAX + 8] = "not told";

    credentials->previous = credentials->current;
    credentials->current = *found;
    *found = (struct credential){0};
    secret_forget(credentials, oldest.access_key);
    secret_forget(credentials, oldest.security_token);
    credential_release(&oldest);
    credentials->generation++;
    credentials->end_said = false;
    if (credentials->current.expires_ms != INT64_MAX)
        end_print(credentials->current.expires_ms, end);
    if (credentials->log)
        log_info(credentials->log, "the credentials were read from %s %s access_id=%s ends=\"%s\"", source_kind(credentials),
                 source_name(credentials), credentials->current.access_id, end);
}

/* Takes it over, or wipes it when it is nothing new. */
static void found_take(struct credentials *credentials, struct credential *found)
{
    if (!credentials->generation || !credential_same(found, &credentials->current))
        credential_install(credentials, found);
    else
        credentials->current.expires_ms = found->expires_ms;
    credential_release(found);
}

static bool file_parse(struct credential *found, const char *path, struct file_stamp *stamp, struct error *error)
{
    struct buffer content;
    bool ok;

    buffer_init(&content, 0);
    ok = file_read(&content, path, FILE_BYTES_MAX, stamp, error);
    if (ok && !credential_parse(found, buffer_str(&content), error))
        ok = error_wrap(error, "the file %s", path);
    if (content.data)
        explicit_bzero(content.data, content.capacity);
    buffer_release(&content);
    error->kind = ok ? ERROR_NONE : ERROR_FATAL;
    if (ok)
        secrets_tell(found);
    return ok;
}

bool credentials_file_check(const char *path, struct error *error)
{
    struct credential found;

    if (!file_parse(&found, path, NULL, error))
        return false;
    credential_release(&found);
    return true;
}

/* When a command runs again: with half of the time that is left, or LEAD_MS of it when that is less. */
static int64_t command_pause_ms(const struct credentials *credentials, int64_t wall_ms)
{
    int64_t left_ms;

    if (!credentials->generation)
        return (int64_t)PAUSE_MS_MIN << size_min(credentials->failures ? credentials->failures - 1 : 0, 5);
    if (credentials->current.expires_ms == INT64_MAX)
        return credentials->failures ? int64_min(credentials->interval_ms, PAUSE_MS_ENDED) : credentials->interval_ms;
    left_ms = credentials->current.expires_ms - wall_ms;
    if (left_ms <= 0)
        return PAUSE_MS_ENDED;
    return int64_max(PAUSE_MS_MIN, int64_max(left_ms - LEAD_MS, left_ms / 2));
}

static void failure_tell(struct credentials *credentials)
{
    char end[TIME_TEXT_MAX + 8];

    if (!credentials->log || credentials->failures != 1)
        return;
    if (!credentials->generation) {
        log_warn(credentials->log, "the credentials could not be read, which is tried again: %s", credentials->error.text);
    } else if (credentials->current.expires_ms == INT64_MAX) {
        log_warn(credentials->log, "the credentials could not be read again; those at hand stay in use: %s",
                 credentials->error.text);
    } else {
        end_print(credentials->current.expires_ms, end);
        log_warn(credentials->log, "the credentials could not be read again; those at hand stay in use, which end at %s: %s", end,
                 credentials->error.text);
    }
}

static bool in_grace(const struct credentials *credentials, int64_t now_ms)
{
    return credentials->proved && now_ms - credentials->refused_ms < CREDENTIALS_GRACE_MS;
}

static void grace_tell(struct credentials *credentials)
{
    if (credentials->log && !credentials->grace_said)
        log_warn(credentials->log,
                 "the service refuses the credentials of the %s %s, which worked before: it is read again and again for %d "
                 "minutes, and what is to be sent waits",
                 source_kind(credentials), source_name(credentials), CREDENTIALS_GRACE_MS / 60000);
    credentials->grace_said = true;
}

/* Before the next reading that a refusal waits for. */
static int64_t grace_pause_ms(const struct credentials *credentials)
{
    if (credentials->failures && credentials->failures < RENEWAL_TRIES)
        return (int64_t)PAUSE_MS_MIN << (credentials->failures - 1);
    return credentials->file ? FILE_LOOK_MS : PAUSE_MS_REFUSED;
}

/* A reading is over. */
static void reading_end(struct credentials *credentials, bool ok, int64_t now_ms, int64_t wall_ms)
{
    bool waits = credentials->asked && credentials->generation == credentials->refused, again;

    credentials->failures = ok ? 0 : credentials->failures + 1;
    if (ok)
        credentials->error = (struct error){0};
    else
        failure_tell(credentials);
    /* A file that is half written or a network that is away for a moment is no answer to a refusal. */
    again = waits && (in_grace(credentials, now_ms) || (!ok && credentials->failures < RENEWAL_TRIES));
    if (waits && !again)
        credentials->barren = credentials->generation;
    if (again && in_grace(credentials, now_ms))
        grace_tell(credentials);
    credentials->asked = again;
    if (again)
        credentials->due_ms = now_ms + grace_pause_ms(credentials);
    else if (credentials->file)
        credentials->due_ms = now_ms + (credentials->generation ? FILE_LOOK_MS : PAUSE_MS_MIN);
    else
        credentials->due_ms = now_ms + command_pause_ms(credentials, wall_ms);
}

static void file_end_tell(struct credentials *credentials, int64_t wall_ms)
{
    char end[TIME_TEXT_MAX + 8];

    if (credentials->end_said || !credentials->log || credentials->current.expires_ms == INT64_MAX ||
        credentials->current.expires_ms - wall_ms > LEAD_MS)
        return;
    credentials->end_said = true;
    end_print(credentials->current.expires_ms, end);
    log_warn(credentials->log, "the credentials in file %s end at %s, and nobody has put new ones there yet", credentials->file,
             end);
}

static void file_look(struct credentials *credentials, int64_t now_ms, int64_t wall_ms)
{
    struct file_stamp stamp;
    struct credential found;
    bool ok;

    file_stamp_get(credentials->file, &stamp);
    if (credentials->generation && !credentials->asked && file_stamp_same(&stamp, &credentials->stamp)) {
        credentials->due_ms = now_ms + FILE_LOOK_MS;
        file_end_tell(credentials, wall_ms);
        return;
    }
    ok = file_parse(&found, credentials->file, &credentials->stamp, &credentials->error);
    if (ok)
        found_take(credentials, &found);
    else
        credentials->stamp = (struct file_stamp){0}; /* looked into again: it may be this process that could not read it */
    reading_end(credentials, ok, now_ms, wall_ms);
}

static void command_look(struct credentials *credentials, int64_t now_ms, int64_t wall_ms)
{
    enum command_state state;
    struct credential found;
    bool ok;

    if (!credentials->running &&
        !command_start(&credentials->running, credentials->command, credentials->command_limit_ms, now_ms, &credentials->error)) {
        reading_end(credentials, false, now_ms, wall_ms);
        return;
    }
    state = command_step(credentials->running, now_ms, &credentials->error);
    if (state == COMMAND_RUNS) {
        credentials->due_ms = now_ms + COMMAND_LOOK_MS;
        return;
    }
    ok = state == COMMAND_DONE && credential_parse(&found, command_output(credentials->running), &credentials->error);
    if (ok) {
        secrets_tell(&found);
        found_take(credentials, &found);
    } else if (state == COMMAND_DONE) {
        error_wrap(&credentials->error, "what the command %s printed", credentials->command[0]);
    }
    command_free(credentials->running);
    credentials->running = NULL;
    reading_end(credentials, ok, now_ms, wall_ms);
}

void credentials_step(struct credentials *credentials, int64_t now_ms, int64_t wall_ms)
{
    if (is_fixed(credentials) || now_ms < credentials->due_ms)
        return;
    if (credentials->file)
        file_look(credentials, now_ms, wall_ms);
    else
        command_look(credentials, now_ms, wall_ms);
}

/* --- what the service says --- */

void credentials_accepted(struct credentials *credentials, unsigned generation)
{
    if (generation != credentials->generation || generation == credentials->refused) /* or the answer to what was sent before */
        return;
    credentials->refusals = 0;
    credentials->proved = true;
    credentials->grace_said = false;
}

void credentials_refused(struct credentials *credentials, unsigned generation, int64_t now_ms)
{
    if (is_fixed(credentials) || generation != credentials->generation || generation == credentials->refused)
        return;
    credentials->refused = generation;
    if (++credentials->refusals == 1)
        credentials->refused_ms = now_ms;
    if (credentials->refusals > 1 && !in_grace(credentials, now_ms)) {
        credentials->barren = generation;
        return;
    }
    credentials->asked = true;
    if (!credentials->running)
        credentials->due_ms = credentials->refusals == 1 ? now_ms : now_ms + grace_pause_ms(credentials);
}

enum credentials_hope credentials_hope(const struct credentials *credentials, unsigned generation)
{
    if (is_fixed(credentials) || generation == credentials->barren)
        return CREDENTIALS_HOPELESS;
    if (generation != credentials->generation)
        return CREDENTIALS_RENEWED;
    return credentials->asked ? CREDENTIALS_ASKED : CREDENTIALS_HOPELESS;
}

void credentials_advise(const struct credentials *credentials, char *text, size_t size)
{
    if (is_fixed(credentials))
        snprintf(text, size, "check access_id and access_key of the data source%s, and its region",
                 credentials->current.security_token ? ", and whether its security_token has ended" : "");
    else if (credentials->generation != credentials->barren)
        snprintf(text, size, "check the credentials that the %s %s gives, and the region of the data source",
                 source_kind(credentials), source_name(credentials));
    else if (credentials->error.kind != ERROR_NONE)
        snprintf(text, size, "and new credentials could not be read: %s", credentials->error.text);
    else
        snprintf(text, size, "the %s %s was read again and gave %s; check it, and the region of the data source",
                 source_kind(credentials), source_name(credentials),
                 credentials->refusals > 1 ? "others, which the service refuses as well" : "the same credentials");
}
