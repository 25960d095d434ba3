/* report_test.c: mistakes printed with line and caret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job/report.h"
#include "util/log.h"

static char path[64];

static int set_up(void **state)
{
    static const char text[] = "\xEF\xBB\xBFname: j\nruntime:\n  flush_interval: 90ms\nuser: \xE4\xB8\xAD\xE6\x96\x87 "
                               "x\naccess_key: clear-text\r\n\ta:\x01\xFF b\n"
                               "access_key: ${env:KEY}\nlast: told-before";
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/report_test.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    log_secret("told-before");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

struct excerpt_case {
    const char *what;
    unsigned line, column, width;
    const char *excerpt;
};

static const struct excerpt_case excerpts[] = {
    {"the caret stands under the value", 3, 19, 4, "  3 |   flush_interval: 90ms\n    |                   ^^^^\n"},
    {"a byte order mark takes no column", 1, 1, 4, "  1 | name: j\n    | ^^^^\n"},
    {"a wide character gets two carets", 4, 7, 2, "  4 | user: \xE4\xB8\xAD\xE6\x96\x87 x\n    |       ^^^^\n"},
    {"what follows wide characters", 4, 10, 1, "  4 | user: \xE4\xB8\xAD\xE6\x96\x87 x\n    |            ^\n"},
    {"a secret in clear is not shown", 5, 1, 10, "  5 | access_key: ***\n    | ^^^^^^^^^^\n"},
    {"bytes that a terminal must not get", 6, 6, 1, "  6 |  a:?? b\n    |      ^\n"},
    {"a reference is shown", 7, 13, 10, "  7 | access_key: ${env:KEY}\n    |             ^^^^^^^^^^\n"},
    {"a told secret is redacted", 8, 1, 1, "  8 | last: ***\n    | ^\n"},
    {"width stops at the end of the line", 3, 19, 1000, "  3 |   flush_interval: 90ms\n    |                   ^^^^\n"},
    {"beyond the end of the line", 1, 9, 3, "  1 | name: j\n    |        ^\n"},
    {"beyond the end of the file there is no line", 99, 1, 1, ":99:1: what\n1 mistake in "},
};

static void excerpts_are_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(excerpts); i++) {
        const struct excerpt_case *c = &excerpts[i];
        struct report *report = report_new();
        struct buffer text;

        buffer_init(&text, 0);
        report_mistake(report, (struct location){path, c->line, c->column}, c->width, "what");
        report_print(report, &text);
        if (!strstr(buffer_text(&text), c->excerpt))
            fail_msg("%s: expected\n%sin\n%s", c->what, c->excerpt, buffer_text(&text));
        report_free(report);
        buffer_release(&text);
    }
}

static void sorted_and_counted(void **state)
{
    struct report *report = report_new();
    char file[] = "/nowhere/b.yaml";
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    report_print(report, &text);
    assert_int_equal(text.size, 0);
    report_mistake(report, (struct location){file, 2, 1}, 1, "second %d", 2);
    report_warning(report, (struct location){file, 2, 5}, 0, "third");
    report_mistake(report, (struct location){file, 0, 0}, 1, "first, without a place");
    report_mistake(report, (struct location){"/nowhere/a.yaml", 9, 9}, 1, "of another file, with told-before");
    file[9] = 'c'; /* the report keeps its own copy of the name */
    assert_int_equal(report_mistakes(report), 3);
    assert_int_equal(report_warnings(report), 1);
    report_print(report, &text);
    assert_string_equal(buffer_text(&text), "/nowhere/a.yaml:9:9: of another file, with ***\n"
                                            "/nowhere/b.yaml: first, without a place\n"
                                            "/nowhere/b.yaml:2:1: second 2\n"
                                            "/nowhere/b.yaml:2:5: warning: third\n"
                                            "3 mistakes and 1 warning in /nowhere/a.yaml, /nowhere/b.yaml\n");
    report_free(report);
    buffer_release(&text);
}

static void long_lines_are_cut_around_the_caret(void **state)
{
    char name[] = "/tmp/report_test.XXXXXX";
    struct report *report = report_new();
    int fd = mkstemp(name);
    char line[1000];
    struct buffer text;

    (void)state;
    assert_true(fd >= 0);
    memset(line, 'x', sizeof(line));
    line[500] = 'Y';
    assert_int_equal(write(fd, line, sizeof(line)), sizeof(line));
    close(fd);
    buffer_init(&text, 0);
    report_mistake(report, (struct location){name, 1, 501}, 1, "what");
    report_print(report, &text);
    assert_true(text.size < 500);
    {
        const char *shown = strstr(buffer_text(&text), "  1 |"), *carets = strstr(shown, "\n") + 1;

        assert_int_equal(strchr(shown, 'Y') - shown, strchr(carets, '^') - carets);
    }
    unlink(name);
    report_free(report);
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excerpts_are_right),
        cmocka_unit_test(sorted_and_counted),
        cmocka_unit_test(long_lines_are_cut_around_the_caret),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
