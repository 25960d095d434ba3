/* listener.c: accept in a loop. The thread sleeps in accept, which shutdown ends, so that it needs no descriptor to be woken. */
#include "util/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 200, FULL_MS = 20, BACKLOG = 511 };

struct listener {
    struct listener_options options;
    int socket;
    unsigned port;
    pthread_t thread;
    bool started;
    bool failing; /* the listener's thread alone */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping; /* by lock */
};

bool listener_open(struct listener **listener_out, const struct sockaddr_in *address, struct error *error)
{
    struct listener *listener = xcalloc(1, sizeof(*listener));
    struct sockaddr_in bound = *address;
    socklen_t size = sizeof(bound);
    pthread_condattr_t monotonic;
    char host[INET_ADDRSTRLEN];
    int reason, on = 1;

    pthread_mutex_init(&listener->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&listener->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    listener->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener->socket >= 0 && setsockopt(listener->socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(listener->socket, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
        listen(listener->socket, BACKLOG) == 0 && getsockname(listener->socket, (struct sockaddr *)&bound, &size) == 0) {
        listener->port = ntohs(bound.sin_port);
        *listener_out = listener;
        return true;
    }
    reason = errno;
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof(host));
    error_set(error, reason == EADDRINUSE || reason == EACCES || reason == EADDRNOTAVAIL ? ERROR_CONFIG : ERROR_FATAL,
              "cannot listen on %s:%u: %s%s", host, ntohs(address->sin_port), system_reason(reason),
              reason == EADDRINUSE ? "; another process listens there" : "");
    listener_stop(listener);
    return false;
}

unsigned listener_port(const struct listener *listener)
{
    return listener->port;
}

static bool is_stopping(struct listener *listener)
{
    bool stopping;

    pthread_mutex_lock(&listener->lock);
    stopping = listener->stopping;
    pthread_mutex_unlock(&listener->lock);
    return stopping;
}

static void wait_ms(struct listener *listener, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&listener->lock);
    while (!listener->stopping && pthread_cond_timedwait(&listener->changed, &listener->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&listener->lock);
}

static void accept_one(struct listener *listener)
{
    const struct listener_options *options = &listener->options;
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    int connection, reason;

    if (options->connections(options->arg) >= options->connections_max) {
        wait_ms(listener, FULL_MS);
        return;
    }
    connection = accept4(listener->socket, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection >= 0) {
        if (listener->failing)
            log_info(options->log, "connections are accepted again port=%u", listener->port);
        listener->failing = false;
        options->take(options->arg, connection, (const struct sockaddr *)&address, size);
        return;
    }
    reason = errno;
    /* One that went away before it was accepted is no news. */
    if (reason == ECONNABORTED || reason == EINTR || is_stopping(listener))
        return;
    if (!listener->failing)
        log_warn(options->log, "connections cannot be accepted and wait port=%u: %s", listener->port, system_reason(reason));
    listener->failing = true;
    wait_ms(listener, WAIT_MS);
}

static void *thread_main(void *arg)
{
    struct listener *listener = arg;

    while (!is_stopping(listener))
        accept_one(listener);
    return NULL;
}

void listener_start(struct listener *listener, const struct listener_options *options)
{
    listener->options = *options;
    listener->started = true;
    xthread_create(&listener->thread, thread_main, listener, "accepting connections");
}

void listener_stop(struct listener *listener)
{
    if (!listener)
        return;
    pthread_mutex_lock(&listener->lock);
    listener->stopping = true;
    pthread_cond_signal(&listener->changed);
    pthread_mutex_unlock(&listener->lock);
    if (listener->started) {
        shutdown(listener->socket, SHUT_RDWR);
        pthread_join(listener->thread, NULL);
    }
    if (listener->socket >= 0)
        close(listener->socket);
    pthread_cond_destroy(&listener->changed);
    pthread_mutex_destroy(&listener->lock);
    free(listener);
}
