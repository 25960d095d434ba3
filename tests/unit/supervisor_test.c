/* supervisor_test.c: when a job is restarted, after what pause, and what the end of its process means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/supervisor.h"
#include "util/clock.h"

enum { MINUTE = 60000, NO = -1 };

static void budget_and_pauses(void **state UNUSED)
{
    static const struct {
        const char *sentence;
        unsigned max;
        int64_t window_ms;
        int64_t fail_ms[9];
        int64_t pause_ms[9]; /* NO: not restarted; 0: the end of the row */
    } cases[] = {
        {"the fourth failure within the window is the last", 3, 30 * MINUTE, {0, 2000, 5000, 10000}, {1000, 2000, 4000, NO}},
        {"0 never restarts", 0, 30 * MINUTE, {5}, {NO}},
        {"a refusal spends nothing, so the window still opens again", 1, MINUTE, {0, 10, 59999, 60000}, {1000, NO, NO, 1000}},
        {"a restart is counted until its window has passed, and no longer", 2, MINUTE, {0, 30000, 59999, 60000, 60001, 90000},
         {1000, 2000, NO, 2000, NO, 2000}},
        {"after a quiet window pauses begin anew", 3, MINUTE, {0, 1, 2, MINUTE + 2, MINUTE + 3}, {1000, 2000, 4000, 1000, 2000}},
        {"pauses end growing at half a minute", 100, 24 * 60 * MINUTE, {0, 1, 2, 3, 4, 5, 6, 7, 8},
         {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 30000}},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct failover failover;

        failover_init(&failover, cases[i].max, cases[i].window_ms);
        for (size_t k = 0; k < COUNT_OF(cases[i].fail_ms) && cases[i].pause_ms[k]; k++) {
            int64_t pause_ms = NO;
            bool restarted = failover_spend(&failover, cases[i].fail_ms[k], &pause_ms);

            if (pause_ms != cases[i].pause_ms[k] || restarted != (cases[i].pause_ms[k] != NO))
                fail_msg("%s: failure %zu: pause %lld", cases[i].sentence, k, (long long)pause_ms);
        }
    }
}

static void the_whole_budget_fits(void **state UNUSED)
{
    struct failover failover;
    int64_t pause_ms;

    failover_init(&failover, FAILOVER_MAX, MINUTE);
    for (int i = 0; i < FAILOVER_MAX; i++)
        assert_true(failover_spend(&failover, i, &pause_ms));
    assert_false(failover_spend(&failover, FAILOVER_MAX, &pause_ms));
    assert_true(failover_spend(&failover, MINUTE, &pause_ms));
    assert_int_equal(pause_ms, 30000);
}

static void endings(void **state UNUSED)
{
    static const struct {
        const char *sentence;
        int wait_status;
        bool stopping;
        enum ending ending;
        int status;
    } cases[] = {
        {"done", W_EXITCODE(0, 0), false, ENDING_FINAL, 0},
        {"drained", W_EXITCODE(0, 0), true, ENDING_FINAL, 0},
        {"failed for good", W_EXITCODE(1, 0), false, ENDING_FINAL, 1},
        {"a mistake in a file", W_EXITCODE(2, 0), false, ENDING_FINAL, 2},
        {"may heal", W_EXITCODE(EXIT_RECOVERABLE, 0), false, ENDING_RECOVERABLE, 1},
        {"may heal, but a stop was asked for", W_EXITCODE(EXIT_RECOVERABLE, 0), true, ENDING_FINAL, 1},
        {"killed", W_EXITCODE(0, SIGKILL), false, ENDING_RECOVERABLE, 1},
        {"crashed with a core", W_EXITCODE(0, SIGSEGV) | 0x80, false, ENDING_RECOVERABLE, 1},
        {"aborted", W_EXITCODE(0, SIGABRT), false, ENDING_RECOVERABLE, 1},
        {"killed while draining", W_EXITCODE(0, SIGKILL), true, ENDING_FINAL, 1},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = -1;
        enum ending ending = ending_of(cases[i].wait_status, cases[i].stopping, &status);

        if (ending != cases[i].ending || status != cases[i].status)
            fail_msg("%s: ending %d, status %d", cases[i].sentence, (int)ending, status);
    }
}

static int job_that_ends(void *arg, unsigned attempt UNUSED, char *reason UNUSED)
{
    _exit(*(int *)arg);
}

static int job_that_waits(void *arg UNUSED, unsigned attempt UNUSED, char *reason UNUSED)
{
    sigset_t awaited;
    int number = 0;

    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    kill(getppid(), SIGTERM); /* stands for the person who stops the parent */
    sigwait(&awaited, &number);
    _exit(getpgrp() == getpid() && number == SIGTERM ? 0 : 3);
}

/* With real processes, but without waiting: a budget of 0 needs no pause. */
static void processes(void **state UNUSED)
{
    static const struct {
        const char *sentence;
        int (*job)(void *arg, unsigned attempt, char *reason);
        int arg, status;
    } cases[] = {
        {"done", job_that_ends, 0, 0},
        {"the status of a final failure is the parent's", job_that_ends, 2, 2},
        {"a failure that may heal is final when no restart is left", job_that_ends, EXIT_RECOVERABLE, 1},
        {"a signal reaches the job, which has its own group", job_that_waits, 0, 0},
    };
    struct error error = {0};
    struct log *log;

    assert_true(log_start(LOG_ERROR, "/dev/null", &error));
    log = log_new(NULL, "test");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct supervisor_options options = {0, MINUTE, clock_monotonic_ms, log};
        int arg = cases[i].arg;
        int status = supervisor_run(&options, cases[i].job, &arg);

        if (status != cases[i].status)
            fail_msg("%s: status %d", cases[i].sentence, status);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
    }
    log_free(log);
    log_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_and_pauses),
        cmocka_unit_test(the_whole_budget_fits),
        cmocka_unit_test(endings),
        cmocka_unit_test(processes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
