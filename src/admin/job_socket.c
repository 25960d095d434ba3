/* job_socket.c */
#include "admin/job_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_WAIT_MS = 2000, ANSWER_BYTES_MAX = 1 << 20 };

/* --- names --- */

/* What is sure of a path, and the rest as it is typed: a folder, by which the path goes on at `rest`. The folder's device is part
 * of the name: containers on one network may have a job at the same path each. */
static char *name_make(const char *path, size_t rest)
{
    char *folder = rest ? xstrndup(path, rest > 1 ? rest - 1 : 1) : xstrdup(".");
    char *whole = realpath(folder, NULL);
    struct stat status = {0};
    char *name;

    (void)stat(folder, &status);
    name = xasprintf("%llu %s/%s", (unsigned long long)status.st_dev, whole ? whole : folder, path + rest);
    free(whole);
    free(folder);
    return name;
}

/* The job has a name by the folder in which its file lies, and one by each link that leads there: such a link may point to
 * another folder by the time that a person types the same path again. The file itself may be a link as well, or be replaced by
 * an editor: it is in the name as it is typed. */
static size_t names_make(const char *path, char *names[JOB_SOCKET_NAMES_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t file = slash ? (size_t)(slash - path) + 1 : 0, count = 0;

    names[count++] = name_make(path, file);
    for (size_t at = 0, end; at < file && count < JOB_SOCKET_NAMES_MAX; at = end + 1) {
        struct stat status;
        char *prefix;

        end = at + strcspn(path + at, "/");
        prefix = xstrndup(path, end);
        if (end > at && lstat(prefix, &status) == 0 && S_ISLNK(status.st_mode))
            names[count++] = name_make(path, at);
        free(prefix);
    }
    return count;
}

static void names_free(char *names[JOB_SOCKET_NAMES_MAX], size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
}

static socklen_t address_make(const char *name, unsigned number, struct sockaddr_un *address)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    int size;

    if (EVP_Digest(name, strlen(name), digest, NULL, EVP_sha256(), NULL) != 1)
        stop_out_of_memory("the name of a socket");
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "luaduct/%u/", number);
    for (size_t i = 0; i < 16; i++)
        size += snprintf(address->sun_path + 1 + size, sizeof(address->sun_path) - 1 - (size_t)size, "%02x", digest[i]);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

/* --- the process that runs a job --- */

/* Of the same user, or root's. */
static bool peer_allowed(int connection, pid_t *process_out)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    *process_out = peer.pid;
    return peer.uid == geteuid() || peer.uid == 0;
}

static int listen_as(const char *name, struct error *error)
{
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int reason = errno;

    for (unsigned i = 0; descriptor >= 0 && i < JOB_SOCKET_PROCESSES_MAX; i++) {
        struct sockaddr_un address;
        socklen_t size = address_make(name, i, &address);

        if (bind(descriptor, (struct sockaddr *)&address, size) == 0 && listen(descriptor, 8) == 0)
            return descriptor;
        reason = errno;
        if (reason != EADDRINUSE)
            break;
    }
    if (descriptor >= 0)
        close(descriptor);
    error_set(error, ERROR_FATAL, "the socket for commands cannot be made: %s", system_reason(reason));
    return -1;
}

bool job_socket_listen(const char *job_path, struct job_socket *job_socket, struct error *error)
{
    char *names[JOB_SOCKET_NAMES_MAX];
    size_t count = names_make(job_path, names);
    bool ok = true;

    *job_socket = JOB_SOCKET_NONE;
    for (size_t i = 0; ok && i < count; i++)
        ok = (job_socket->descriptors[i] = listen_as(names[i], error)) >= 0;
    if (!ok)
        job_socket_close(job_socket);
    names_free(names, count);
    return ok;
}

void job_socket_close(struct job_socket *job_socket)
{
    for (size_t i = 0; i < JOB_SOCKET_NAMES_MAX; i++)
        if (job_socket->descriptors[i] >= 0)
            close(job_socket->descriptors[i]);
    *job_socket = JOB_SOCKET_NONE;
}

static bool wait_for(int descriptor, short events, int64_t wait_ms)
{
    struct pollfd polled = {.fd = descriptor, .events = events};
    int count;

    do
        count = poll(&polled, 1, (int)int64_min(wait_ms, INT32_MAX));
    while (count < 0 && errno == EINTR);
    return count > 0;
}

bool job_socket_accept(int descriptor, char request[JOB_SOCKET_REQUEST_MAX], int *connection_out)
{
    int connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC);
    size_t size = 0;
    pid_t process;
    ssize_t got;

    if (connection < 0)
        return false;
    if (!peer_allowed(connection, &process))
        goto refused;
    do {
        if (!wait_for(connection, POLLIN, REQUEST_WAIT_MS))
            goto refused;
        got = read(connection, request + size, JOB_SOCKET_REQUEST_MAX - 1 - size);
        if (got <= 0)
            goto refused;
        size += (size_t)got;
    } while (!memchr(request, '\n', size) && size < JOB_SOCKET_REQUEST_MAX - 1);
    request[size] = '\0';
    request[strcspn(request, "\n")] = '\0';
    *connection_out = connection;
    return true;
refused:
    close(connection);
    return false;
}

void job_socket_answer(int connection, struct str text)
{
    while (text.size && wait_for(connection, POLLOUT, REQUEST_WAIT_MS)) {
        ssize_t sent = send(connection, text.data, text.size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            break; /* whoever asked is gone */
        if (sent > 0)
            text = str_make(text.data + sent, text.size - (size_t)sent);
    }
    close(connection);
}

/* --- the command --- */

static bool answer_read(int connection, int64_t wait_ms, struct buffer *answer)
{
    ssize_t got;

    do {
        if (!wait_for(connection, POLLIN, wait_ms) || !buffer_reserve(answer, 4096))
            return false;
        got = read(connection, answer->data + answer->size, 4096);
        if (got > 0)
            answer->size += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    return got == 0 && answer->size > 0;
}

/* One process hears several names. One of another container has no number here, and is asked by each of its names. */
static bool was_heard(const pid_t *heard, unsigned count, pid_t process)
{
    for (unsigned i = 0; i < count; i++)
        if (process > 0 && heard[i] == process)
            return true;
    return false;
}

unsigned job_socket_ask(const char *job_path, const char *request, int64_t wait_ms,
                        void (*answered)(void *arg, pid_t process, struct str text), void *arg)
{
    char *names[JOB_SOCKET_NAMES_MAX];
    size_t name_count = names_make(job_path, names);
    pid_t heard[JOB_SOCKET_NAMES_MAX * JOB_SOCKET_PROCESSES_MAX];
    unsigned count = 0, before = 0; /* by the names before */

    for (unsigned i = 0; i < name_count * JOB_SOCKET_PROCESSES_MAX; i++) {
        int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const struct timeval patience = {.tv_sec = REQUEST_WAIT_MS / 1000};
        struct sockaddr_un address;
        socklen_t size = address_make(names[i / JOB_SOCKET_PROCESSES_MAX], i % JOB_SOCKET_PROCESSES_MAX, &address);
        struct buffer answer;
        pid_t process;

        if (connection < 0)
            break;
        if (i % JOB_SOCKET_PROCESSES_MAX == 0)
            before = count;
        /* Else one who accepts nobody, whoever it is, would hold the caller for ever once its queue is full. */
        (void)setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (connect(connection, (struct sockaddr *)&address, size) == 0 && peer_allowed(connection, &process) &&
            !was_heard(heard, before, process)) {
            bool sent = send(connection, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request) &&
                        send(connection, "\n", 1, MSG_NOSIGNAL) == 1;

            buffer_init(&answer, ANSWER_BYTES_MAX);
            answered(arg, process, sent && answer_read(connection, wait_ms, &answer) ? buffer_str(&answer) : STR_NONE);
            buffer_release(&answer);
            heard[count++] = process;
        }
        close(connection);
    }
    names_free(names, name_count);
    return count;
}
