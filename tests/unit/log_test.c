/* log_test.c: lines of the log, with the time passed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/buffer.h"
#include "util/log.h"

static char path[64];
static int64_t now_ms;

static int64_t fake_clock(void)
{
    return now_ms;
}

static int set_up(void **state)
{
    struct error error;
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/log_test.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    now_ms = INT64_C(1795464901123); /* 2026-11-23T20:15:01.123Z */
    log_set_clock(fake_clock);
    assert_true(log_start(LOG_INFO, path, &error));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_stop();
    log_set_clock(NULL);
    unlink(path);
    return 0;
}

static void expect(const char *text)
{
    struct buffer read;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    buffer_init(&read, 0);
    assert_true(buffer_reserve(&read, 1 << 20));
    read.size = fread(read.data, 1, 1 << 20, file);
    fclose(file);
    assert_string_equal(buffer_text(&read), text);
    buffer_release(&read);
}

static void lines_have_a_form(void **state)
{
    struct log *job = log_new(NULL, "orders"), *sink = log_new(job, "sink");

    (void)state;
    log_info(sink, "session closed rows=%d", 7);
    log_debug(sink, "not shown");
    log_warn(job, "a\nb\tc\x1B[0m");
    log_error(NULL, "no component");
    assert_false(log_enabled(sink, LOG_DEBUG));
    assert_true(log_enabled(sink, LOG_INFO));
    expect("2026-11-23T20:15:01.123Z INFO orders/sink: session closed rows=7\n"
           "2026-11-23T20:15:01.123Z WARN orders: a\\nb c\\x1B[0m\n"
           "2026-11-23T20:15:01.123Z ERROR luaduct: no component\n");
    log_free(sink);
    log_free(job);
}

static void secrets_stay_out(void **state)
{
    char text[] = "a hunter2-long hunter2 hun b";
    struct log *log = log_new(NULL, "x");
    char *long_text = xmalloc(20001);

    (void)state;
    log_secret("hun");
    log_secret(NULL);
    log_secret("hunter2");
    log_secret("hunter2-long");
    log_redact(text);
    assert_string_equal(text, "a *** *** hun b");
    log_info(log, "key=%s", "hunter2-long");
    expect("2026-11-23T20:15:01.123Z INFO x: key=***\n");
    /* A secret across the place where a long line is cut. */
    memset(long_text, 'y', 20000);
    memcpy(long_text + 8192 - 4, "hunter2", 7);
    long_text[20000] = 0;
    log_info(log, "%s", long_text);
    log_stop();
    {
        FILE *file = fopen(path, "r");
        char read[20000];
        size_t size = fread(read, 1, sizeof(read) - 1, file);

        read[size] = 0;
        fclose(file);
        assert_true(size < 9000);
        assert_null(strstr(read, "hunt"));
        assert_non_null(strstr(read, "y ...\n"));
    }
    free(long_text);
    log_free(log);
}

static void repeats_are_counted(void **state)
{
    struct log *log = log_new(NULL, "x");

    (void)state;
    for (int i = 0; i < 5; i++)
        log_warn(log, "busy");
    now_ms += LOG_REPEAT_MS;
    log_info(log, "other");
    log_warn(log, "busy");
    expect("2026-11-23T20:15:01.123Z WARN x: busy\n"
           "2026-11-23T20:15:11.123Z WARN x: busy (4 like this within 10 s)\n"
           "2026-11-23T20:15:11.123Z INFO x: other\n"
           "2026-11-23T20:15:11.123Z WARN x: busy\n");
    log_free(log);
}

static void different_texts_of_one_format_are_shown_for_a_while(void **state)
{
    struct log *log = log_new(NULL, "x");
    struct buffer expected;

    (void)state;
    buffer_init(&expected, 0);
    for (int i = 0; i < 12; i++)
        log_info(log, "partition %d", i);
    for (int i = 0; i < LOG_REPEAT_LINES; i++)
        buffer_print(&expected, "2026-11-23T20:15:01.123Z INFO x: partition %d\n", i);
    expect(buffer_text(&expected));
    log_stop(); /* what was kept back is said at the latest now */
    buffer_print(&expected, "2026-11-23T20:15:01.123Z INFO x: partition 11 (4 like this within 10 s)\n");
    expect(buffer_text(&expected));
    buffer_release(&expected);
    log_free(log);
}

static void repeats_are_printed_when_asked_for(void **state)
{
    struct log *log = log_new(NULL, "x");
    struct buffer expected;

    (void)state;
    buffer_init(&expected, 0);
    log_set_repeats(true);
    for (int i = 0; i < LOG_REPEAT_LINES * 2; i++) {
        log_info(log, "partition %d", i / 2);
        buffer_print(&expected, "2026-11-23T20:15:01.123Z INFO x: partition %d\n", i / 2);
    }
    expect(buffer_text(&expected));
    log_set_repeats(false);
    log_info(log, "again %d", 1);
    log_info(log, "again %d", 1);
    buffer_print(&expected, "2026-11-23T20:15:01.123Z INFO x: again 1\n");
    expect(buffer_text(&expected));
    buffer_release(&expected);
    log_free(log);
}

static void texts_without_a_format_do_not_hide_each_other(void **state)
{
    struct log *log = log_new(NULL, "x");
    struct buffer expected;
    char text[32];

    (void)state;
    buffer_init(&expected, 0);
    for (int i = 0; i < 100; i++) { /* more than there are places to remember repeats */
        snprintf(text, sizeof(text), "text %d", i);
        log_info(log, "%s", text);
        buffer_print(&expected, "2026-11-23T20:15:01.123Z INFO x: %s\n", text);
    }
    expect(buffer_text(&expected));
    buffer_release(&expected);
    log_free(log);
}

static void levels_are_read(void **state)
{
    enum log_level level = LOG_INFO;

    (void)state;
    assert_true(log_level_parse(STR("Error"), &level));
    assert_int_equal(level, LOG_ERROR);
    assert_false(log_level_parse(STR("loud"), &level));
}

static void a_log_that_cannot_be_opened(void **state)
{
    struct error error = {0};

    (void)state;
    assert_false(log_start(LOG_INFO, "/nowhere/at/all.log", &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
    assert_non_null(strstr(error.text, "/nowhere/at/all.log"));
}

static int hook_calls[2];

static void hook(bool before)
{
    hook_calls[before]++;
}

static void the_terminal_hook_surrounds_lines(void **state)
{
    struct error error;
    int saved = dup(STDERR_FILENO);

    (void)state;
    log_set_terminal_hook(hook);
    log_info(NULL, "to the file");
    assert_int_equal(hook_calls[true], 0);
    assert_true(log_start(LOG_INFO, NULL, &error));
    assert_non_null(freopen(path, "a", stderr));
    log_info(NULL, "to the terminal");
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(hook_calls[true], 1);
    assert_int_equal(hook_calls[false], 1);
}

static void *write_lines(void *argument)
{
    struct log *log = log_new(NULL, argument);
    char text[32];

    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "line %d", i);
        log_info(log, "%s", text);
    }
    log_free(log);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    char line[256];
    pthread_t threads[4];
    size_t count = 0;
    FILE *file;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    file = fopen(path, "r");
    for (; fgets(line, sizeof(line), file); count++) {
        char name;
        int number;

        assert_int_equal(sscanf(line, "2026-11-23T20:15:01.123Z INFO %c: line %d\n", &name, &number), 2);
    }
    fclose(file);
    assert_int_equal(count, 400);
}

/* A limit of the file's size stands for the full disk: what does not fit is refused, and a line may fit in part. */
static void a_full_disk_costs_lines_and_not_the_job(void **state)
{
    struct rlimit before, limit;
    int saved = dup(STDERR_FILENO), pipe_ends[2];
    char said[1000], wanted[400];
    ssize_t size;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
    log_info(NULL, "first");
    limit = (struct rlimit){before.rlim_max < 60 ? before.rlim_max : 60, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info(NULL, "second, which is torn");
    log_info(NULL, "third");
    log_info(NULL, "fourth");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    log_info(NULL, "fifth");
    log_info(NULL, "sixth");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_ends[1]);
    size = read(pipe_ends[0], said, sizeof(said) - 1);
    close(pipe_ends[0]);
    assert_true(size > 0);
    said[size] = '\0';
    snprintf(wanted, sizeof(wanted), "luaduct: the log file %s cannot be written: File too large; the job goes on, its log lines are lost until "
             "there is room\n", path);
    assert_string_equal(said, wanted);
    expect("2026-11-23T20:15:01.123Z INFO luaduct: first\n"
           "2026-11-23T20:1\n"
           "2026-11-23T20:15:01.123Z WARN luaduct: 3 log lines are missing here, because the file could not be written\n"
           "2026-11-23T20:15:01.123Z INFO luaduct: fifth\n"
           "2026-11-23T20:15:01.123Z INFO luaduct: sixth\n");
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(lines_have_a_form),
        CASE(secrets_stay_out),
        CASE(repeats_are_counted),
        CASE(different_texts_of_one_format_are_shown_for_a_while),
        CASE(repeats_are_printed_when_asked_for),
        CASE(texts_without_a_format_do_not_hide_each_other),
        CASE(levels_are_read),
        CASE(a_log_that_cannot_be_opened),
        CASE(the_terminal_hook_surrounds_lines),
        CASE(a_full_disk_costs_lines_and_not_the_job),
        CASE(lines_of_threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
