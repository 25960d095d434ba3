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
    const struct job_socket *listening = arg;
    struct pollfd polled[JOB_SOCKET_NAMES_MAX];
    char request[JOB_SOCKET_REQUEST_MAX], said[80];
    int connection = -1;

    for (size_t i = 0; i < JOB_SOCKET_NAMES_MAX; i++)
        polled[i] = (struct pollfd){.fd = listening->descriptors[i], .events = POLLIN};
    assert_int_equal(poll(polled, JOB_SOCKET_NAMES_MAX, 10000), 1);
    for (size_t i = 0; i < JOB_SOCKET_NAMES_MAX; i++)
        if (polled[i].revents)
            assert_true(job_socket_accept(polled[i].fd, request, &connection));
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
    struct job_socket listening, second;

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
    job_socket_close(&second);
    job_socket_close(&listening);
    assert_int_equal(job_socket_ask(path, "reload", 1000, heard, &said), 0);
    rmdir(folder);
}

/* Whose queue is full by those who gave up before. */
static void one_who_accepts_nobody_holds_nobody(void **state)
{
    char folder[] = "/tmp/luaduct-socket-XXXXXX", path[64];
    struct heard said = {0};
    struct error error;
    struct job_socket listening;
    int asked = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/job.yaml", folder);
    assert_true(job_socket_listen(path, &listening, &error));
    while (asked < 100 && job_socket_ask(path, "reload", 0, heard, &said) == 1)
        asked++;
    assert_in_range(asked, 1, 99);
    job_socket_close(&listening);
    rmdir(folder);
}

static void switch_link(const char *folder, const char *name, const char *to)
{
    char link[80], next[80];

    snprintf(link, sizeof(link), "%s/%s", folder, name);
    snprintf(next, sizeof(next), "%s/next", folder);
    assert_int_equal(symlink(to, next), 0);
    assert_int_equal(rename(next, link), 0);
}

/* The path that a job was started with finds it, whatever link in it points elsewhere by now. Where it really lies does as well,
 * and it is asked once. */
static void a_link_on_the_way_may_be_switched(void **state)
{
    static const char *const switched[][2] = {{"current", "13"}, {"12/conf", "new"}};
    char folder[] = "/tmp/luaduct-socket-XXXXXX", path[80], direct[80], command[300];
    struct heard said = {0};
    struct error error;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct job_socket listening;
        pthread_t thread;

        strcpy(folder + sizeof(folder) - 7, "XXXXXX");
        assert_non_null(mkdtemp(folder));
        snprintf(command, sizeof(command), "mkdir -p %s/12/old %s/12/new %s/13/conf", folder, folder, folder);
        assert_int_equal(system(command), 0);
        switch_link(folder, "current", "12");
        switch_link(folder, "12/conf", "old");
        snprintf(path, sizeof(path), "%s/current/conf/job.yaml", folder);
        snprintf(direct, sizeof(direct), "%s/12/old/job.yaml", folder);
        assert_true(job_socket_listen(path, &listening, &error));
        assert_int_equal(job_socket_ask(path, "reload", 0, heard, &said), 1);
        assert_int_equal(job_socket_ask(direct, "reload", 0, heard, &said), 1);
        job_socket_close(&listening); /* with what nobody answered */
        assert_true(job_socket_listen(path, &listening, &error));
        switch_link(folder, switched[i][0], switched[i][1]);
        assert_int_equal(pthread_create(&thread, NULL, answer_one, &listening), 0);
        assert_int_equal(job_socket_ask(path, "reload", 10000, heard, &said), 1);
        pthread_join(thread, NULL);
        assert_string_equal(said.text, "+you said reload");
        assert_int_equal(job_socket_ask(direct, "reload", 0, heard, &said), 1);
        job_socket_close(&listening);
        assert_int_equal(job_socket_ask(path, "reload", 1000, heard, &said), 0);
        snprintf(command, sizeof(command), "rm -r %s", folder);
        assert_int_equal(system(command), 0);
    }
}

/* More links than names, and names of jobs in other folders. */
static void each_job_has_its_names(void **state)
{
    char folder[] = "/tmp/luaduct-socket-XXXXXX", path[160], command[200];
    struct job_socket listening;
    struct heard said = {0};
    struct error error;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command), "mkdir %s/1 && ln -s . %s/1/l", folder, folder);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof(path), "%s/1/l/l/l/l/l/l/job.yaml", folder);
    assert_true(job_socket_listen(path, &listening, &error));
    assert_int_equal(job_socket_ask(path, "reload", 0, heard, &said), 1);
    snprintf(path, sizeof(path), "%s/1/job.yaml", folder);
    assert_int_equal(job_socket_ask(path, "reload", 0, heard, &said), 1);
    snprintf(path, sizeof(path), "%s/1/l/other.yaml", folder);
    assert_int_equal(job_socket_ask(path, "reload", 0, heard, &said), 0);
    snprintf(path, sizeof(path), "%s/job.yaml", folder);
    assert_int_equal(job_socket_ask(path, "reload", 0, heard, &said), 0);
    job_socket_close(&listening);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(one_who_accepts_nobody_holds_nobody),
        cmocka_unit_test(a_link_on_the_way_may_be_switched),
        cmocka_unit_test(each_job_has_its_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
