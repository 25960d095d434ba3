/* supervisor.c: fork, wait, decide.
 * Method: SIGINT, SIGTERM and SIGCHLD are blocked and taken with sigwaitinfo, so that no code runs in a signal handler and no
 * signal is lost between looking and waiting. The reason of a failure comes through one shared page, which outlives the job's
 * process however it ended.
 * The job's process has a process group of its own: Ctrl-C on a terminal reaches the parent alone, which passes it on, so the
 * job sees one signal for one key. Relying on the terminal's group instead would leave the job without its signal when only the
 * parent is told, as `kill` does.
 * Cost: a process that sleeps. */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "job/options.h"

enum {
    PAUSE_FIRST_MS = 1000,
    PAUSE_MAX_MS = 30000,
    STATUS_FAILED = 1,
};

void failover_init(struct failover *failover, unsigned max, int64_t window_ms)
{
    assert(max <= FAILOVER_MAX);
    memset(failover, 0, sizeof(*failover));
    failover->max = max;
    failover->window_ms = window_ms;
}

bool failover_spend(struct failover *failover, int64_t now_ms, int64_t *pause_ms_out)
{
    unsigned expired = 0;
    int64_t pause_ms = PAUSE_FIRST_MS;

    while (expired < failover->count && now_ms - failover->at_ms[expired] >= failover->window_ms)
        expired++;
    failover->count -= expired;
    memmove(failover->at_ms, failover->at_ms + expired, failover->count * sizeof(failover->at_ms[0]));
    if (failover->count >= failover->max)
        return false;
    for (unsigned i = 0; i < failover->count && pause_ms < PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    *pause_ms_out = int64_min(pause_ms, PAUSE_MAX_MS);
    failover->at_ms[failover->count++] = now_ms;
    return true;
}

enum ending ending_of(int wait_status, bool stopping, int *status_out)
{
    bool exited = WIFEXITED(wait_status);

    *status_out = exited ? WEXITSTATUS(wait_status) : STATUS_FAILED;
    if (exited && *status_out != EXIT_RECOVERABLE)
        return ENDING_FINAL;
    *status_out = STATUS_FAILED;
    return stopping ? ENDING_FINAL : ENDING_RECOVERABLE;
}

/* The rest of the job's process after fork; does not return. */
static void job_main(pid_t parent, int (*job)(void *arg, unsigned attempt, char *reason), void *arg, unsigned attempt,
                     char *reason)
{
    sigset_t ended;

    /* Without its parent nobody would restart or stop the job, and a new run would find it in the consumer group. SIGKILL,
     * because draining could take as long as the target is away; what is not committed is read again, so nothing is lost. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXIT_RECOVERABLE);
    setpgid(0, 0);
    /* The new group is not the terminal's foreground group; with `stty tostop` its lines would stop the process. */
    signal(SIGTTOU, SIG_IGN);
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &ended, NULL);
    exit(job(arg, attempt, reason));
}

/* Waits for the end of the job's process and passes signals on to it. Until waitpid has answered the pid cannot be another's. */
static int job_wait(pid_t pid, const sigset_t *awaited, bool *stopping_out)
{
    int wait_status;

    *stopping_out = false;
    for (;;) {
        pid_t ended = waitpid(pid, &wait_status, WNOHANG);
        int number;

        assert(ended >= 0);
        if (ended == pid)
            return wait_status;
        number = sigwaitinfo(awaited, NULL);
        if (number == SIGINT || number == SIGTERM) {
            *stopping_out = true;
            kill(pid, number);
        } else if (number == SIGHUP) {
            kill(pid, number);
        }
    }
}

/* False: a signal asked to stop. */
static bool pause_for(const struct supervisor_options *options, const sigset_t *awaited, int64_t pause_ms)
{
    int64_t end_ms = options->monotonic_ms() + pause_ms;

    for (;;) {
        int64_t left_ms = end_ms - options->monotonic_ms();
        struct timespec left = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};
        int number;

        if (left_ms <= 0)
            return true;
        number = sigtimedwait(awaited, NULL, &left);
        if (number == SIGINT || number == SIGTERM)
            return false;
    }
}

static void reason_print(char *reason, int wait_status)
{
    reason[SUPERVISOR_REASON_MAX - 1] = '\0';
    if (WIFSIGNALED(wait_status)) {
        int number = WTERMSIG(wait_status);

        snprintf(reason, SUPERVISOR_REASON_MAX, "its process was killed by signal %d (%s)%s", number, strsignal(number),
                 number == SIGKILL   ? "; if no person did it, memory may have run out"
                 : number == SIGABRT ? "; its last line on standard error says why"
                                     : "");
    } else if (!reason[0]) {
        snprintf(reason, SUPERVISOR_REASON_MAX, "its process ended with exit status %d", WEXITSTATUS(wait_status));
    }
}

int supervisor_run(const struct supervisor_options *options, int (*job)(void *arg, unsigned attempt, char *reason), void *arg)
{
    struct failover failover;
    sigset_t awaited;
    pid_t parent = getpid();
    char window[OPTION_NUMBER_MAX];
    char *reason = mmap(NULL, SUPERVISOR_REASON_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = STATUS_FAILED;

    if (reason == MAP_FAILED) {
        log_error(options->log, "the job was not started: no memory for its supervisor: %s", strerror(errno));
        return STATUS_FAILED;
    }
    failover_init(&failover, options->failover_max, options->failover_window_ms);
    option_number_print(OPTION_DURATION, options->failover_window_ms, window);
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGCHLD);
    if (!isatty(STDERR_FILENO))
        sigaddset(&awaited, SIGHUP);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have had it ignored, and then nothing could be waited for */
    for (unsigned attempt = 0;; attempt++) {
        enum ending ending = ENDING_RECOVERABLE;
        bool stopping = false;
        int64_t pause_ms;
        pid_t pid;

        reason[0] = '\0';
        fflush(NULL); /* or both processes would write what stands in the buffers */
        pid = fork();
        if (pid == 0)
            job_main(parent, job, arg, attempt, reason);
        if (pid < 0) {
            snprintf(reason, SUPERVISOR_REASON_MAX, "its process could not be made: %s", strerror(errno));
        } else {
            int wait_status = job_wait(pid, &awaited, &stopping);

            ending = ending_of(wait_status, stopping, &status);
            if (stopping && WIFSIGNALED(wait_status)) {
                reason_print(reason, wait_status);
                log_error(options->log, "the job did not end in order: %s", reason);
            } else if (ending == ENDING_RECOVERABLE) {
                reason_print(reason, wait_status);
            }
        }
        if (ending == ENDING_FINAL)
            break;
        if (!failover_spend(&failover, options->monotonic_ms(), &pause_ms)) {
            log_error(options->log, "the job failed %u time%s within %s and is not restarted any more (failover.max is %u); "
                      "the last reason: %s", failover.count + 1, failover.count ? "s" : "", window, failover.max, reason);
            status = STATUS_FAILED;
            break;
        }
        log_warn(options->log, "the job failed and is restarted in %lld s, restart %u of at most %u within %s; the reason: %s",
                 (long long)(pause_ms / 1000), failover.count, failover.max, window, reason);
        if (!pause_for(options, &awaited, pause_ms)) {
            log_info(options->log, "stopped while waiting for the restart; what was not committed is read again at the next "
                     "start");
            status = 0;
            break;
        }
    }
    munmap(reason, SUPERVISOR_REASON_MAX);
    return status;
}
