/* job_socket.h: a socket by which a command reaches the process that runs a job on this machine: a line of request, a text back.
 * It is an abstract Unix socket whose name comes from the job file's place, so that it is found when the file is broken, leaves
 * nothing behind, and needs no folder to write to. A place that is reached through links to folders has a name, and a socket, by
 * each of them: the path that the job was started with finds it also after a link was switched to another folder. Both sides ask
 * the kernel who the other one is, and talk to the same user and to root only. Several processes of one job have a socket each,
 * JOB_SOCKET_PROCESSES_MAX of them. Ownership: job_socket_close closes; connections are the caller's. Threads: any. Errors: kind
 * FATAL. Facts: unix(7), "Abstract sockets", SO_PEERCRED. */
#ifndef LUADUCT_ADMIN_JOB_SOCKET_H
#define LUADUCT_ADMIN_JOB_SOCKET_H

#include <sys/types.h>

#include "util/buffer.h"
#include "util/error.h"

enum { JOB_SOCKET_PROCESSES_MAX = 16, JOB_SOCKET_REQUEST_MAX = 64, JOB_SOCKET_NAMES_MAX = 4 };

/* The descriptors to poll; -1: none. */
struct job_socket {
    int descriptors[JOB_SOCKET_NAMES_MAX];
};
#define JOB_SOCKET_NONE ((struct job_socket){{-1, -1, -1, -1}})

bool job_socket_listen(const char *job_path, struct job_socket *job_socket, struct error *error) MUST_USE;
void job_socket_close(struct job_socket *job_socket);
/* A request that has come, zero-terminated; the connection waits for job_socket_answer. False: there was none worth an answer.
 * Waits some seconds at most for one who connects and says nothing. */
bool job_socket_accept(int descriptor, char request[JOB_SOCKET_REQUEST_MAX], int *connection_out) MUST_USE;
void job_socket_answer(int connection, struct str text);

/* Asks all processes of the job one after another; `answered` is called for each (text absent: it did not answer in time).
 * Returns how many there are. */
unsigned job_socket_ask(const char *job_path, const char *request, int64_t wait_ms,
                        void (*answered)(void *arg, pid_t process, struct str text), void *arg);

#endif
