/* fake_server.c: one thread, a poll loop over few connections; requests need a Content-Length when they have a body. */
#include "support/fake_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 32 };

struct connection {
    int fd;
    struct buffer input;
};

struct fake_server {
    const struct fake_answer *answers;
    size_t answer_count;
    bool *given;
    int listener, stop[2];
    unsigned port;
    pthread_t thread;
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    pthread_mutex_t lock; /* guards what follows */
    struct fake_request **requests;
    size_t request_count, request_capacity;
};

/* The value of a header as a number, 0 without it. */
static size_t content_length(const char *headers)
{
    for (const char *line = headers; line && *line; line = strstr(line, "\r\n")) {
        if (line[0] == '\r')
            line += 2;
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            return strtoul(line + 15, NULL, 10);
    }
    return 0;
}

static void request_record(struct fake_server *server, const char *head, struct str body)
{
    struct fake_request *request = xcalloc(1, sizeof(*request));
    const char *space = strchr(head, ' '), *end = strstr(head, "\r\n");
    const char *second = space ? strchr(space + 1, ' ') : NULL;

    assert(space && second && end && second < end);
    request->method = xstrndup(head, (size_t)(space - head));
    request->target = xstrndup(space + 1, (size_t)(second - space - 1));
    request->headers = xstrdup(end + 2);
    request->body = xstrndup(body.size ? body.data : "", body.size);
    request->body_size = body.size;
    pthread_mutex_lock(&server->lock);
    XGROW(server->requests, server->request_count, server->request_capacity);
    server->requests[server->request_count++] = request;
    pthread_mutex_unlock(&server->lock);
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        data += sent;
        size -= (size_t)sent;
    }
}

/* False when the connection has to be closed. */
static bool answer_give(int fd, const struct fake_answer *answer)
{
    const char *body = answer->body ? answer->body : "";
    size_t size = strlen(body);
    struct buffer text;

    if (answer->cut == FAKE_CUT_ANSWER || answer->cut == FAKE_CUT_REQUEST)
        return false;
    buffer_init(&text, 0);
    buffer_print(&text, "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n", answer->status, size,
                 answer->headers ? answer->headers : "");
    buffer_append(&text, body, answer->cut == FAKE_CUT_BODY ? size / 2 : size);
    send_all(fd, text.data, text.size);
    buffer_release(&text);
    return answer->cut == FAKE_WHOLE;
}

static size_t answer_find(const struct fake_server *server, const char *head)
{
    const char *line_end = strstr(head, "\r\n");
    size_t index = 0;

    for (; index < server->answer_count; index++) {
        const char *only = server->answers[index].only, *found = only ? strstr(head, only) : head;

        if (!server->given[index] && found && found < line_end)
            break;
    }
    return index;
}

/* Answers all requests that are complete; false when the connection has to be closed. */
static bool connection_serve(struct fake_server *server, struct connection *connection)
{
    static const struct fake_answer nothing = {.status = 418, .body = "nothing scripted"};

    for (;;) {
        const struct fake_answer *answer;
        const char *text = buffer_text(&connection->input), *end = strstr(text, "\r\n\r\n");
        size_t head, body, next;
        char *copy;

        if (!end)
            return true;
        head = (size_t)(end - text) + 4;
        copy = xstrndup(text, head - 2);
        next = answer_find(server, copy);
        answer = next < server->answer_count ? &server->answers[next] : &nothing;
        body = content_length(copy);
        if (answer->cut != FAKE_CUT_REQUEST && connection->input.size - head < body) {
            free(copy);
            return true;
        }
        body = size_min(body, connection->input.size - head);
        request_record(server, copy, str_make(text + head, body));
        free(copy);
        if (next < server->answer_count)
            server->given[next] = true;
        memmove(connection->input.data, connection->input.data + head + body, connection->input.size - head - body);
        connection->input.size -= head + body;
        if (!answer_give(connection->fd, answer))
            return false;
    }
}

static void connection_close(struct fake_server *server, size_t index)
{
    close(server->connections[index].fd);
    buffer_release(&server->connections[index].input);
    server->connections[index] = server->connections[--server->connection_count];
}

static void *serve(void *argument)
{
    struct fake_server *server = argument;

    for (;;) {
        struct pollfd descriptors[CONNECTIONS_MAX + 2] = {{.fd = server->stop[0], .events = POLLIN},
                                                          {.fd = server->listener, .events = POLLIN}};
        size_t count = server->connection_count;

        for (size_t i = 0; i < count; i++)
            descriptors[i + 2] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
        if (poll(descriptors, count + 2, -1) < 0)
            continue;
        if (descriptors[0].revents)
            break;
        for (size_t i = count; i-- > 0;) { /* from the end: closing moves the last one down */
            char piece[65536];
            ssize_t size;

            if (!descriptors[i + 2].revents)
                continue;
            size = recv(server->connections[i].fd, piece, sizeof(piece), 0);
            if (size > 0)
                buffer_append(&server->connections[i].input, piece, (size_t)size);
            if (size <= 0 || !connection_serve(server, &server->connections[i]))
                connection_close(server, i);
        }
        if (descriptors[1].revents && server->connection_count < CONNECTIONS_MAX) {
            int fd = accept(server->listener, NULL, NULL);

            if (fd >= 0) {
                server->connections[server->connection_count].fd = fd;
                buffer_init(&server->connections[server->connection_count++].input, 0);
            }
        }
    }
    while (server->connection_count)
        connection_close(server, server->connection_count - 1);
    return NULL;
}

struct fake_server *fake_server_new(const struct fake_answer *answers, size_t count)
{
    struct fake_server *server = xcalloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int failed = 0;

    server->answers = answers;
    server->answer_count = count;
    server->given = xcalloc(count + 1, sizeof(*server->given));
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    failed |= server->listener < 0;
    failed |= bind(server->listener, (struct sockaddr *)&address, sizeof(address));
    failed |= listen(server->listener, 16);
    failed |= getsockname(server->listener, (struct sockaddr *)&address, &size);
    failed |= pipe(server->stop);
    server->port = ntohs(address.sin_port);
    pthread_mutex_init(&server->lock, NULL);
    failed |= pthread_create(&server->thread, NULL, serve, server);
    assert(!failed);
    return server;
}

void fake_server_free(struct fake_server *server)
{
    if (!server)
        return;
    if (write(server->stop[1], "x", 1) == 1)
        pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->stop[1]);
    close(server->listener);
    for (size_t i = 0; i < server->request_count; i++) {
        free(server->requests[i]->method);
        free(server->requests[i]->target);
        free(server->requests[i]->headers);
        free(server->requests[i]->body);
        free(server->requests[i]);
    }
    free(server->requests);
    free(server->given);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

unsigned fake_server_port(const struct fake_server *server)
{
    return server->port;
}

size_t fake_server_count(struct fake_server *server)
{
    size_t count;

    pthread_mutex_lock(&server->lock);
    count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

const struct fake_request *fake_server_request(struct fake_server *server, size_t index)
{
    const struct fake_request *request;

    pthread_mutex_lock(&server->lock);
    request = index < server->request_count ? server->requests[index] : NULL;
    pthread_mutex_unlock(&server->lock);
    return request;
}
