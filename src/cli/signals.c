/* signals.c */
#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/base.h"

static sigset_t awaited;
static pthread_t thread;
static bool thread_runs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* guarded by lock */
static void (*stop_call)(void *arg);
static void (*reload_call)(void *arg);
static void *call_arg;

void signals_block(void)
{
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGTERM);
    if (!isatty(STDERR_FILENO))
        sigaddset(&awaited, SIGHUP);
    sigaddset(&awaited, SIGUSR2); /* signals_end wakes the thread with it */
    pthread_sigmask(SIG_BLOCK, &awaited, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void *thread_main(void *arg UNUSED)
{
    unsigned count = 0;

    for (;;) {
        int number;

        if (sigwait(&awaited, &number) != 0)
            continue;
        pthread_mutex_lock(&lock);
        if (!stop_call) {
            pthread_mutex_unlock(&lock);
            return NULL;
        }
        if (number == SIGHUP && reload_call) {
            reload_call(call_arg);
        } else if (number != SIGUSR2) {
            if (++count == 2) {
                static const char text[] =
                    "luaduct: second signal: ending at once; what was not committed is read again at the next start\n";

                if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
                    _exit(1);
                _exit(1);
            }
            stop_call(call_arg);
        }
        pthread_mutex_unlock(&lock);
    }
}

void signals_start(void (*stop)(void *arg), void (*reload)(void *arg), void *arg)
{
    stop_call = stop;
    reload_call = reload;
    call_arg = arg;
    thread_runs = true;
    xthread_create(&thread, thread_main, NULL, "signals");
}

void signals_end(void)
{
    if (!thread_runs)
        return;
    pthread_mutex_lock(&lock);
    stop_call = NULL;
    pthread_mutex_unlock(&lock);
    pthread_kill(thread, SIGUSR2);
    pthread_join(thread, NULL);
    thread_runs = false;
}
