/* command.c: posix_spawn, two pipes that are read without waiting, and waitpid with WNOHANG.
 * The end is the program's own: a grandchild that keeps the pipe open does not hold it up. */
#include "util/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_BYTES_MAX = 64 << 10, COMPLAINT_BYTES_MAX = 4 << 10, COMPLAINT_SHOWN = 200, SECRET_RUN = 16 };

struct command {
    char *program;
    pid_t pid;  /* 0: has ended and was waited for */
    int fds[2]; /* of its standard output and standard error; -1: closed */
    struct buffer texts[2];
    int64_t deadline_ms, time_limit_ms;
};

static void pipe_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn(pid_t *pid, char *const *arguments, const int outputs[2])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, ordinary;
    int failure;

    sigemptyset(&none);
    sigemptyset(&ordinary);
    sigaddset(&ordinary, SIGPIPE);
    sigaddset(&ordinary, SIGINT);
    sigaddset(&ordinary, SIGTERM);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    failure = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    failure |= posix_spawn_file_actions_adddup2(&actions, outputs[0], STDOUT_FILENO);
    failure |= posix_spawn_file_actions_adddup2(&actions, outputs[1], STDERR_FILENO);
    failure |= posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    failure |= posix_spawnattr_setsigmask(&attributes, &none);
    failure |= posix_spawnattr_setsigdefault(&attributes, &ordinary);
    failure |= posix_spawnattr_setpgroup(&attributes, 0);
    failure |= posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (!failure)
        failure = posix_spawnp(pid, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failure;
}

bool command_start(struct command **command_out, char *const *arguments, int64_t time_limit_ms, int64_t now_ms,
                   struct error *error)
{
    struct command *command = xcalloc(1, sizeof(*command));
    int pipes[2][2] = {{-1, -1}, {-1, -1}}, outputs[2], failure = 0;
    struct sigaction ended;
    bool ok = false;

    command->program = xstrdup(arguments[0]);
    command->fds[0] = command->fds[1] = -1;
    command->time_limit_ms = time_limit_ms;
    command->deadline_ms = now_ms + time_limit_ms;
    for (size_t i = 0; i < 2; i++) {
        buffer_init(&command->texts[i], i == 0 ? OUTPUT_BYTES_MAX : COMPLAINT_BYTES_MAX);
        if (pipe2(pipes[i], O_CLOEXEC) != 0) {
            error_set(error, ERROR_RETRY, "the command %s cannot be started: %s", command->program, strerror(errno));
            goto out;
        }
        (void)fcntl(pipes[i][0], F_SETFL, O_NONBLOCK); /* our end only */
        outputs[i] = pipes[i][1];
    }
    (void)buffer_reserve(&command->texts[0], OUTPUT_BYTES_MAX); /* a buffer that moved would leave a copy of a secret behind */
    /* Whoever started us may have had it ignored, and then the kernel keeps no end of a child for us. */
    if (sigaction(SIGCHLD, NULL, &ended) == 0 && ended.sa_handler == SIG_IGN)
        (void)signal(SIGCHLD, SIG_DFL);
    /* POSIX lets posix_spawn tell by an exit status of 127 only; a path can be looked at before. */
    if (strchr(arguments[0], '/') && access(arguments[0], X_OK) != 0)
        failure = errno;
    else
        failure = spawn(&command->pid, arguments, outputs);
    if (failure) {
        command->pid = 0;
        error_set(error, failure == EAGAIN || failure == ENOMEM ? ERROR_RETRY : ERROR_FATAL,
                  "the command %s cannot be started: %s", command->program, strerror(failure));
        goto out;
    }
    for (size_t i = 0; i < 2; i++) {
        command->fds[i] = pipes[i][0];
        pipes[i][0] = -1;
    }
    *command_out = command;
    command = NULL;
    ok = true;
out:
    for (size_t i = 0; i < 2; i++) {
        pipe_close(&pipes[i][0]);
        pipe_close(&pipes[i][1]);
    }
    command_free(command);
    return ok;
}

/* A word that may be part of a key or a token: long, and of letters and digits. */
static void secrets_hide(char *text)
{
    char *end;

    for (char *at = text; *at; at = *end ? end + 1 : end) {
        bool digit = false, letter = false;

        for (end = at; *end && !strchr(" \t\r\n/\"'.,:;<>()[]{}", *end); end++) {
            digit = digit || (*end >= '0' && *end <= '9');
            letter = letter || (*end | 32) >= 'a';
        }
        if (end - at >= SECRET_RUN && digit && letter)
            memset(at, '*', (size_t)(end - at));
    }
}

/* The last line of what it complained, as the end of a sentence. */
static char *complaint(struct buffer *text)
{
    struct str said = str_trim(buffer_str(text)), line = said, rest = said;
    char *shown;

    while (rest.size)
        str_cut(rest, '\n', &line, &rest);
    if (!said.size)
        return xstrdup("");
    shown = xasprintf(": %.*s", (int)size_min(line.size, COMPLAINT_SHOWN), line.data);
    secrets_hide(shown + 2);
    for (char *c = shown; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    return shown;
}

/* What is in the pipes now. False: it could not be read; half of an output must not pass for the whole. */
static bool output_take(struct command *command, struct error *error)
{
    for (size_t i = 0; i < 2; i++) {
        char piece[4096];

        while (command->fds[i] >= 0 && !command->texts[0].failed) {
            ssize_t size = read(command->fds[i], piece, sizeof(piece));

            if (size < 0 && errno == EINTR)
                continue;
            if (size < 0 && errno == EAGAIN)
                break;
            if (size < 0)
                return error_set(error, ERROR_RETRY, "what the command %s prints cannot be read: %s", command->program,
                                 strerror(errno));
            if (size == 0)
                pipe_close(&command->fds[i]);
            else
                buffer_append(&command->texts[i], piece, (size_t)size);
            explicit_bzero(piece, sizeof(piece));
        }
    }
    return true;
}

static bool status_check(struct command *command, int status, struct error *error)
{
    char *said;

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    said = complaint(&command->texts[1]);
    error_set(error, ERROR_RETRY, "the command %s %s %d%s", command->program,
              WIFSIGNALED(status) ? "was ended by signal" : "ended with status",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), said);
    free(said);
    return false;
}

enum command_state command_step(struct command *command, int64_t now_ms, struct error *error)
{
    int status = 0, reason;
    pid_t ended;

    assert(command->pid);
    ended = waitpid(command->pid, &status, WNOHANG);
    reason = errno;
    if (ended)
        command->pid = 0;
    /* After waitpid: all that it printed is in the pipe then. */
    if (!output_take(command, error))
        return COMMAND_FAILED;
    if (command->texts[0].failed) {
        error_set(error, ERROR_FATAL, "the command %s printed more than %d KiB", command->program, OUTPUT_BYTES_MAX >> 10);
        return COMMAND_FAILED;
    }
    if (ended > 0)
        return status_check(command, status, error) ? COMMAND_DONE : COMMAND_FAILED;
    if (ended < 0) {
        error_set(error, ERROR_RETRY, "how the command %s ended is not known: %s", command->program, strerror(reason));
        return COMMAND_FAILED;
    }
    if (now_ms < command->deadline_ms)
        return COMMAND_RUNS;
    error_set(error, ERROR_RETRY, "the command %s took longer than %lld s and was ended", command->program,
              (long long)((command->time_limit_ms + 999) / 1000));
    return COMMAND_FAILED;
}

struct str command_output(const struct command *command)
{
    return buffer_str(&command->texts[0]);
}

void command_free(struct command *command)
{
    if (!command)
        return;
    if (command->pid) {
        (void)kill(-command->pid, SIGKILL);
        (void)waitpid(command->pid, NULL, 0); /* a killed process does not keep anybody waiting */
    }
    for (size_t i = 0; i < 2; i++) {
        pipe_close(&command->fds[i]);
        if (command->texts[i].data)
            explicit_bzero(command->texts[i].data, command->texts[i].capacity);
        buffer_release(&command->texts[i]);
    }
    free(command->program);
    free(command);
}
