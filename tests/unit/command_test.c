/* command_test.c: child processes, in real time but without waiting for anything that may not come. */
#include "util/command.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/clock.h"

enum { REAL_MS_MAX = 30000, LEAKED = 77 };

#define WORD(text) ((char *)(uintptr_t)(text)) /* an argument list is not const, by an old habit of C */

static enum command_state run(const char *script, int64_t limit_ms, struct command **command_out, struct error *error)
{
    char *arguments[] = {WORD("sh"), WORD("-c"), WORD(script), WORD("secret-argument"), NULL};
    int64_t end_ms = clock_monotonic_ms() + REAL_MS_MAX;
    enum command_state state;

    assert_true(command_start(command_out, arguments, limit_ms, clock_monotonic_ms(), error));
    while ((state = command_step(*command_out, clock_monotonic_ms(), error)) == COMMAND_RUNS) {
        assert_true(clock_monotonic_ms() < end_ms);
        poll(NULL, 0, 2);
    }
    return state;
}

static void test_what_it_prints_is_there(void **state UNUSED)
{
    struct command *command = NULL;
    struct error error = {0};

    assert_int_equal(run("printf 'a\\nb'; printf noise >&2", 10000, &command, &error), COMMAND_DONE);
    assert_true(str_is(command_output(command), "a\nb"));
    command_free(command);
    /* More than a pipe holds needs somebody who reads meanwhile. */
    assert_int_equal(run("head -c 65000 /dev/zero | tr '\\0' x", 10000, &command, &error), COMMAND_DONE);
    assert_int_equal(command_output(command).size, 65000);
    command_free(command);
}

static void test_ends_of_children_that_are_ignored(void **state UNUSED)
{
    struct command *command = NULL;
    struct error error = {0};

    (void)signal(SIGCHLD, SIG_IGN); /* as some programs leave it to those that they start */
    if (run("echo yes", 10000, &command, &error) != COMMAND_DONE)
        fail_msg("%s", error.text);
    assert_true(str_is(command_output(command), "yes\n"));
    command_free(command);
}

static void test_failures(void **state UNUSED)
{
    static const struct {
        const char *script, *text, *not_text;
        enum error_kind kind;
    } cases[] = {
        {"echo first >&2; echo 'no such role' >&2; exit 3", "the command sh ended with status 3: no such role", "first", ERROR_RETRY},
        {"exit 1", "the command sh ended with status 1", "secret-argument", ERROR_RETRY},
        {"kill -9 $$", "was ended by signal 9", "secret-argument", ERROR_RETRY},
        {"printf 'bad \\033[31m key LTAI5tAbCdEf0123456789 at /opt/cloud/keys1234567' >&2; exit 1",
         "bad  [31m key ********************** at /opt/cloud/keys1234567", "LTAI5t", ERROR_RETRY},
        {"head -c 70000 /dev/zero; exit 1", "printed more than 64 KiB", "status", ERROR_FATAL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct command *command = NULL;
        struct error error = {0};

        assert_int_equal(run(cases[i].script, 10000, &command, &error), COMMAND_FAILED);
        if (!strstr(error.text, cases[i].text) || strstr(error.text, cases[i].not_text) || error.kind != cases[i].kind)
            fail_msg("%s: kind %d: %s", cases[i].script, (int)error.kind, error.text);
        command_free(command);
    }
}

static void test_one_that_is_not_there(void **state UNUSED)
{
    char *arguments[] = {WORD("/nowhere/credentials"), NULL};
    struct command *command = NULL;
    struct error error = {0};

    assert_false(command_start(&command, arguments, 1000, 0, &error));
    assert_null(command);
    assert_string_equal(error.text, "the command /nowhere/credentials cannot be started: No such file or directory");
    assert_int_equal(error.kind, ERROR_FATAL);
}

/* It ends with what it started: the sleeping grandchild holds the pipe of which we have the other end. */
static void test_a_time_limit_ends_the_whole_group(void **state UNUSED)
{
    struct command *command = NULL;
    struct error error = {0};
    int64_t began_ms = clock_monotonic_ms();
    pid_t child;

    assert_int_equal(run("sleep 600 & echo $!; wait", 1000, &command, &error), COMMAND_FAILED);
    assert_string_equal(error.text, "the command sh took longer than 1 s and was ended");
    child = (pid_t)strtol(command_output(command).data, NULL, 10);
    assert_true(child > 1);
    command_free(command);
    while (kill(child, 0) == 0) { /* whoever adopts it takes it away */
        char path[64], text[256] = "";
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
        fd = open(path, O_RDONLY);
        if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || strstr(text, ") Z")) {
            if (fd >= 0)
                close(fd);
            break;
        }
        close(fd);
        assert_true(clock_monotonic_ms() - began_ms < REAL_MS_MAX);
        poll(NULL, 0, 5);
    }
}

/* A grandchild that keeps the output open does not hold up a program that has ended. */
static void test_the_end_is_the_programs_own(void **state UNUSED)
{
    struct command *command = NULL;
    struct error error = {0};

    assert_int_equal(run("echo yes; sleep 600 & exit 0", 20000, &command, &error), COMMAND_DONE);
    assert_true(str_is(command_output(command), "yes\n"));
    command_free(command);
}

static void test_it_gets_none_of_our_descriptors(void **state UNUSED)
{
    struct command *command = NULL;
    struct error error = {0};

    assert_int_equal(dup2(STDERR_FILENO, LEAKED), LEAKED); /* without FD_CLOEXEC, as a library would open one */
    assert_int_equal(run("ls /proc/$$/fd; cat", 10000, &command, &error), COMMAND_DONE);
    assert_true(str_starts_with(command_output(command), STR("0\n1\n2\n")));
    assert_null(memmem(command_output(command).data, command_output(command).size, "77", 2));
    close(LEAKED);
    command_free(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_prints_is_there),
        cmocka_unit_test(test_ends_of_children_that_are_ignored),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_one_that_is_not_there),
        cmocka_unit_test(test_a_time_limit_ends_the_whole_group),
        cmocka_unit_test(test_the_end_is_the_programs_own),
        cmocka_unit_test(test_it_gets_none_of_our_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
