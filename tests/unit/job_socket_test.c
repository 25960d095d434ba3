/* job_socket_test.c: a command and the process that it reaches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/job_socket.h"

struct heard {
    pid_t process;
    char text[64];
    bool silent;
};

static void heard(void *arg, pid_t process, struct str text)
{
    struct heard *heard = arg;

    heard->process = process;
    heard->silent = !text.data;
    snprintf(heard->text, sizeof(heard->text), "%.*s", STR_ARG(text));
}

static void *answer_one(void *arg)
{
    struct pollfd polled = {.fd = *(int *)arg, .events = POLLIN};
    char request[JOB_SOCKET_REQUEST_MAX], said[80];
    int connection;

    assert_int_equal(poll(&polled, 1, 10000), 1);
    assert_true(job_socket_accept(*(int *)arg, request, &connection));
    snprintf(said, sizeof(said), "+you said %s", request);
    job_socket_answer(connection, str_of(said));
    return NULL;
}

static void a_request_is_answered(void **state)
{
    char folder[] = "/tmp/luaduct-socket-XXXXXX", path[64], other[80];
    struct heard said = {0};
    struct error error;
    pthread_t thread;
    int listening, second;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/job.yaml", folder);
    snprintf(other, sizeof(other), "%s/../%s/job.yaml", folder, folder + 5);
    assert_int_equal(job_socket_ask(path, "reload", 1000, heard, &said), 0);
    assert_true(job_socket_listen(path, &listening, &error));
    assert_int_equal(pthread_create(&thread, NULL, answer_one, &listening), 0);
    /* The same file by another path. */
    assert_int_equal(job_socket_ask(other, "reload", 10000, heard, &said), 1);
    pthread_join(thread, NULL);
    assert_string_equal(said.text, "+you said reload");
    assert_int_equal(said.process, getpid());
    /* A second process of the job has a socket of its own. */
    assert_true(job_socket_listen(path, &second, &error));
    assert_int_equal(job_socket_ask(path, "reload", 0, heard, &said), 2);
    assert_true(said.silent);
    close(second);
    close(listening);
    assert_int_equal(job_socket_ask(path, "reload", 1000, heard, &said), 0);
    rmdir(folder);
}

/* Whose queue is full by those who gave up before. */
static void one_who_accepts_nobody_holds_nobody(void **state)
{
    char folder[] = "/tmp/luaduct-socket-XXXXXX", path[64];
    struct heard said = {0};
    struct error error;
    int listening, asked = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/job.yaml", folder);
    assert_true(job_socket_listen(path, &listening, &error));
    while (asked < 100 && job_socket_ask(path, "reload", 0, heard, &said) == 1)
        asked++;
    assert_in_range(asked, 1, 99);
    close(listening);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(one_who_accepts_nobody_holds_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
