/* listener.h: a listening TCP socket on loopback, and the thread that accepts its connections for an HTTP server.
 * libmicrohttpd could do both, but spins when it has no descriptor left for a first connection. Here a connection that cannot be
 * accepted waits in the queue of the socket; it is tried again a few times a second, and one line tells which limit to raise.
 * Ownership: the caller's; what `take` gets belongs to it. Threads: open, start and stop the caller's; the callbacks run on the
 * listener's own. Errors: ERROR_CONFIG when something else has the port, else ERROR_FATAL. */
#ifndef LUADUCT_UTIL_LISTENER_H
#define LUADUCT_UTIL_LISTENER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "util/error.h"
#include "util/log.h"

struct listener;

struct listener_options {
    void (*take)(void *arg, int connection, const struct sockaddr *address, socklen_t size);
    unsigned (*connections)(void *arg); /* open now */
    unsigned connections_max;           /* more wait until one is closed */
    void *arg;
    struct log *log;
};

/* Listens; connections wait until listener_start. */
bool listener_open(struct listener **listener_out, const struct sockaddr_in *address, struct error *error) MUST_USE;
unsigned listener_port(const struct listener *listener);
void listener_start(struct listener *listener, const struct listener_options *options);
/* Takes NULL and one that was not started. Afterwards no callback runs. */
void listener_stop(struct listener *listener);

#endif
