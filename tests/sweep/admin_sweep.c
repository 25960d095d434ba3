/* admin_sweep.c: what stands around a job: the page of metrics with its listener, and the parent process. A page that is answered
 * is whole; a request that meets a failure is refused or gets no answer, and the next one is served. A job whose process cannot
 * be made is started again within its budget. */
#include "sweep/sweep.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "supervisor/supervisor.h"

enum { METRICS = 40, ANSWER_MS = 1000, ANSWER_MAX = 64 << 10 };

/* The test's own; "" without an answer. */
static void ask(unsigned port, const char *path, char answer[ANSWER_MAX])
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_usec = ANSWER_MS * 1000 % 1000000, .tv_sec = ANSWER_MS / 1000};
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    char request[100];
    size_t size = 0;
    ssize_t got;

    SWEEP_CHECK(connection >= 0);
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    if (connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(connection, request, strlen(request), MSG_NOSIGNAL) > 0)
        while ((got = recv(connection, answer + size, ANSWER_MAX - 1 - size, 0)) > 0)
            size += (size_t)got;
    answer[size] = '\0';
    close(connection);
}

static bool served(unsigned port, struct error *error)
{
    static char answer[ANSWER_MAX];
    const char *body;

    ask(port, "/metrics", answer);
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0)
        return error_set(error, ERROR_RETRY, "no page: \"%.60s\"", answer);
    body = strstr(answer, "\r\n\r\n");
    SWEEP_CHECK(body && strstr(body, "m0{") && strstr(body, "m39{"));
    ask(port, "/", answer);
    return strncmp(answer, "HTTP/1.1 404", 12) == 0 || error_set(error, ERROR_RETRY, "no refusal: \"%.60s\"", answer);
}

/* answers: failures are those of the server's threads while pages are asked for; else those of the owner's up to then. Stopping
 * is not swept with libmicrohttpd's own calls, for it ends the process when it cannot wake its thread. */
static bool page(bool answers, struct error *error)
{
    struct metrics *metrics;
    struct admin *admin = NULL;
    bool ok;

    if (!answers)
        fault_on();
    metrics = metrics_new("j");
    for (int i = 0; i < METRICS; i++) {
        char name[16];

        snprintf(name, sizeof(name), "m%d", i);
        metric_add(metrics_add(metrics, METRIC_COUNTER, name, "help", "l", "v", false), 1);
    }
    ok = admin_start(&admin, "127.0.0.1:0", metrics, error);
    if (answers) {
        SWEEP_CHECK(ok && served(admin_port(admin), error)); /* its threads run now */
        fault_on();
    } else {
        fault_off();
    }
    ok = ok && served(admin_port(admin), error);
    fault_off();
    /* Once the failure is over the page is there. */
    if (answers)
        SWEEP_CHECK(served(admin_port(admin), &(struct error){0}));
    admin_stop(admin);
    metrics_free(metrics);
    return ok;
}

static bool page_opens(struct error *error)
{
    return page(false, error);
}

static bool page_answers(struct error *error)
{
    return page(true, error);
}

/* --- the parent --- */

static int64_t later_ms(void)
{
    static int64_t now_ms;

    return now_ms += 100000; /* no pause is waited for */
}

/* The first attempt may heal, the second one is done. */
static int job(void *arg, unsigned attempt, char *reason)
{
    (void)arg;
    fault_off();
    snprintf(reason, SUPERVISOR_REASON_MAX, "attempt %u", attempt);
    fflush(NULL);
    _exit(attempt ? 0 : EXIT_RECOVERABLE);
}

static bool parent(struct error *error)
{
    struct supervisor_options options = {
        .failover_max = 3, .failover_window_ms = INT64_C(3600000), .monotonic_ms = later_ms, .log = log_new(NULL, "j")};
    int status;

    fault_on();
    status = supervisor_run(&options, job, NULL);
    fault_off();
    log_free(options.log);
    return status == 0 || error_set(error, ERROR_RETRY, "the job was given up with status %d", status);
}

static const struct sweep_case cases[] = {
    {.name = "page_opens", .run = page_opens, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "page_opens_io", .run = page_opens, .flags = SWEEP_IO | SWEEP_LIBRARIES},
    {.name = "page_answers", .run = page_answers, .flags = SWEEP_STOPS | SWEEP_LIBRARIES | SWEEP_OTHERS},
    {.name = "page_answers_io", .run = page_answers, .flags = SWEEP_IO | SWEEP_LIBRARIES | SWEEP_OTHERS},
    {.name = "parent", .run = parent, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "parent_io", .run = parent, .flags = SWEEP_IO},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
