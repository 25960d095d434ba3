/* The registry's page, and the HTTP page over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "admin/admin.h"

static void metrics_of_one_name_stand_together_with_one_head(void **state)
{
    struct metrics *metrics = metrics_new("a\"b");
    struct metric *kafka = metrics_add(metrics, METRIC_COUNTER, "x_records_total", "Records.", "stage", "one", false);
    struct metric *lag = metrics_add(metrics, METRIC_GAUGE, "x_lag_seconds", "Lag\nof all.", NULL, NULL, true);
    struct metric *other = metrics_add(metrics, METRIC_COUNTER, "x_records_total", "Records.", "stage", "t\\w\no", false);
    const struct metric_label labels[] = {{"stage", "one"}, {"column", "a\"b"}};
    struct metric *both = metrics_add_labels(metrics, METRIC_COUNTER, "x_records_total", "Records.", labels, 2, false);
    struct buffer text;

    (void)state;
    assert_ptr_equal(both, metrics_add_labels(metrics, METRIC_COUNTER, "x_records_total", "Records.", labels, 2, false));
    assert_ptr_equal(kafka, metrics_add_labels(metrics, METRIC_COUNTER, "x_records_total", "Records.", labels, 1, false));
    metric_add(both, 9);
    assert_ptr_equal(kafka, metrics_add(metrics, METRIC_COUNTER, "x_records_total", "Records.", "stage", "one", false));
    metric_add(kafka, 5);
    metric_add(kafka, 2);
    metric_set(other, 1);
    metric_set(lag, -1500);
    buffer_init(&text, 0);
    metrics_print(metrics, &text);
    assert_string_equal(
        buffer_text(&text),
        "# HELP x_records_total Records.\n# TYPE x_records_total counter\n"
        "x_records_total{job=\"a\\\"b\",stage=\"one\"} 7\nx_records_total{job=\"a\\\"b\",stage=\"t\\\\w\\no\"} 1\n"
        "x_records_total{job=\"a\\\"b\",stage=\"one\",column=\"a\\\"b\"} 9\n"
        "# HELP x_lag_seconds Lag\\nof all.\n# TYPE x_lag_seconds gauge\nx_lag_seconds{job=\"a\\\"b\"} -1.500\n");
    buffer_release(&text);
    metrics_free(metrics);
}

static void ask(unsigned port, const char *request, char answer[4096])
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    size_t size = 0;
    ssize_t more;

    assert_int_equal(connect(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(descriptor, request, strlen(request)), (ssize_t)strlen(request));
    while (size < 4095 && (more = read(descriptor, answer + size, 4095 - size)) > 0)
        size += (size_t)more;
    answer[size] = '\0';
    close(descriptor);
}

static void the_page_answers_its_paths_and_nothing_else(void **state)
{
    static const struct { const char *request, *status, *part; } cases[] = {
        {"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK", "x_total{job=\"j\"} 3"},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK", "ok\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404", "/metrics"},
        {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxx", "HTTP/1.1 405", "only GET"},
    };
    struct metrics *metrics = metrics_new("j");
    struct admin *admin = NULL;
    struct error error;

    (void)state;
    metric_set(metrics_add(metrics, METRIC_COUNTER, "x_total", "X.", NULL, NULL, false), 3);
    assert_true(admin_start(&admin, "127.0.0.1:0", metrics, &error));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char answer[4096];

        ask(admin_port(admin), cases[i].request, answer);
        if (strncmp(answer, cases[i].status, strlen(cases[i].status)) != 0 || !strstr(answer, cases[i].part))
            fail_msg("%s: %s", cases[i].request, answer);
    }
    admin_stop(admin);
    metrics_free(metrics);
}

static void addresses_that_are_not_loopback_or_taken_are_refused(void **state)
{
    static const char *const cases[] = {
        "0.0.0.0:0", "10.0.0.1:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":80", "x:80"};
    struct metrics *metrics = metrics_new("j");
    struct admin *admin = NULL, *second = NULL;
    struct error error;
    char listen[32];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (admin_start(&admin, cases[i], metrics, &error))
            fail_msg("%s: was taken", cases[i]);
        assert_int_equal(error.kind, ERROR_CONFIG);
        assert_non_null(strstr(error.text, cases[i]));
    }
    assert_true(admin_start(&admin, "127.0.0.1:0", metrics, &error));
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", admin_port(admin));
    assert_false(admin_start(&second, listen, metrics, &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
    admin_stop(admin);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_of_one_name_stand_together_with_one_head),
        cmocka_unit_test(the_page_answers_its_paths_and_nothing_else),
        cmocka_unit_test(addresses_that_are_not_loopback_or_taken_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
