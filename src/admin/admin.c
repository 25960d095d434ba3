/* admin.c: libmicrohttpd with one thread: pages are asked for every few seconds and made in microseconds. */
#include "admin/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>

#include "util/listener.h"

enum { CONNECTIONS_MAX = 16, IDLE_SECONDS_MAX = 30 };

struct admin {
    struct MHD_Daemon *daemon;
    struct listener *listener;
    struct metrics *metrics;
};

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status, const char *content_type,
                                 struct buffer *text)
{
    size_t size;
    char *body = buffer_take(text, &size);
    struct MHD_Response *response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result;

    if (!response) {
        free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", content_type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload_data, size_t *upload_data_size, void **state)
{
    struct admin *admin = user;
    struct buffer text;
    const char *content_type = "text/plain; charset=utf-8";
    unsigned status = MHD_HTTP_OK;

    (void)version;
    (void)upload_data;
    /* The first call has the headers only; a body, which nothing here wants, is read over. */
    if (!*state) {
        *state = admin;
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    buffer_init(&text, 0);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buffer_print(&text, "only GET is answered here\n");
    } else if (strcmp(url, "/metrics") == 0) {
        content_type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_print(admin->metrics, &text);
    } else if (strcmp(url, "/healthz") == 0) {
        buffer_print(&text, "ok\n");
    } else {
        status = MHD_HTTP_NOT_FOUND;
        buffer_print(&text, "there are /metrics and /healthz\n");
    }
    return send_text(connection, status, content_type, &text);
}

static bool parse_listen(const char *listen, struct sockaddr_in *address, struct error *error)
{
    struct str text = str_of(listen), host, port;
    char name[INET_ADDRSTRLEN + 1] = "";
    unsigned number = 0;

    *address = (struct sockaddr_in){.sin_family = AF_INET};
    if (!str_cut(text, ':', &host, &port) || port.size == 0 || port.size > 5 || host.size >= sizeof(name))
        return error_set(error, ERROR_CONFIG, "listen address \"%s\" is not of the form 127.0.0.1:PORT", listen);
    for (size_t i = 0; i < port.size; i++) {
        if (port.data[i] < '0' || port.data[i] > '9')
            return error_set(error, ERROR_CONFIG, "listen address \"%s\": the port is no number", listen);
        number = number * 10 + (unsigned)(port.data[i] - '0');
    }
    memcpy(name, str_is(host, "localhost") ? "127.0.0.1" : host.data, str_is(host, "localhost") ? 9 : host.size);
    if (number > 65535 || inet_pton(AF_INET, name, &address->sin_addr) != 1)
        return error_set(error, ERROR_CONFIG, "listen address \"%s\" is not of the form 127.0.0.1:PORT", listen);
    if (ntohl(address->sin_addr.s_addr) >> 24 != 127)
        return error_set(error, ERROR_CONFIG,
                         "listen address \"%s\" is not a loopback one; use 127.0.0.1:PORT and a proxy in front", listen);
    address->sin_port = htons((uint16_t)number);
    return true;
}

static void take_connection(void *arg, int connection, const struct sockaddr *address, socklen_t size)
{
    (void)MHD_add_connection(((struct admin *)arg)->daemon, connection, address, size); /* it closes what it does not take */
}

static unsigned count_connections(void *arg)
{
    return MHD_get_daemon_info(((struct admin *)arg)->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

bool admin_start(struct admin **admin_out, const char *listen, struct metrics *metrics, struct error *error)
{
    struct admin *admin = xcalloc(1, sizeof(*admin));
    struct sockaddr_in address;
    struct listener_options accepting = {.take = take_connection, .connections = count_connections,
                                         .connections_max = CONNECTIONS_MAX, .arg = admin};
    bool ok = false;

    admin->metrics = metrics;
    if (!parse_listen(listen, &address, error) || !listener_open(&admin->listener, &address, error))
        goto out;
    errno = 0;
    admin->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC, 0,
                                     NULL, NULL, handle, admin, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS_MAX, MHD_OPTION_END);
    if (!admin->daemon) {
        error_set(error, ERROR_FATAL, "the HTTP server cannot be started: %s", system_reason(errno));
        goto out;
    }
    listener_start(admin->listener, &accepting);
    *admin_out = admin;
    admin = NULL;
    ok = true;
out:
    admin_stop(admin);
    return ok;
}

unsigned admin_port(const struct admin *admin)
{
    return listener_port(admin->listener);
}

void admin_stop(struct admin *admin)
{
    if (!admin)
        return;
    listener_stop(admin->listener);
    if (admin->daemon)
        MHD_stop_daemon(admin->daemon);
    free(admin);
}
