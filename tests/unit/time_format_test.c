/* time_format_test.c: patterns, printing and strict reading by them. */
#include "batch/time_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void compile(struct time_format *format, const char *pattern, bool to_read)
{
    struct error error;

    if (!time_format_compile(format, str_of(pattern), to_read, &error))
        fail_msg("%s: %s", pattern, error.text);
}

/* 2024-03-05 09:07:03.012345678, a Tuesday. */
static const struct instant morning = {1709629623, 12345678};

static void test_printing(void **state)
{
    static const struct {
        const char *pattern;
        int64_t more_seconds;
        int32_t offset_seconds;
        const char *want;
    } cases[] = {
        {"yyyy-MM-dd HH:mm:ss", 0, 0, "2024-03-05 09:07:03"},
        {"yyyyMMddHHmmssSSS", 0, 0, "20240305090703012"},
        {"yy/M/d H:m:s", 0, 0, "24/3/5 9:7:3"},
        {"dd/MMM/yyyy:HH:mm:ss Z", 0, -25200, "05/Mar/2024:09:07:03 -0700"},
        {"EEE, dd MMM yyyy", 0, 0, "Tue, 05 Mar 2024"},
        {"EEEE d MMMM", 0, 0, "Tuesday 5 March"},
        {"EEE EEEE", 86400, 0, "Wed Wednesday"},
        {"hh:mm a", 0, 0, "09:07 AM"},
        {"h:mm a", 4 * 3600, 0, "1:07 PM"},
        {"h a", 3 * 3600, 0, "12 PM"},
        {"h a", -9 * 3600, 0, "12 AM"},
        {"yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX", 0, 28800, "2024-03-05T09:07:03.012345+08:00"},
        {"HHX HHXX HHXXX", 0, 0, "09Z 09Z 09Z"},
        {"X XX XXX Z", 0, 19800, "+0530 +0530 +05:30 +0530"},
        {"X", 0, -10800, "-03"},
        {"Z", 0, 0, "+0000"},
        {"XXX", 0, 29143, "+08:05"},
        {"S SS SSSSSSSSS", 0, 0, "0 01 012345678"},
        {"DDD", 0, 0, "065"},
        {"yyyy年M月d日", 0, 0, "2024年3月5日"},
        {"'o''clock' HH ''", 0, 0, "o'clock 09 '"},
        {"yyyy-MM-dd", -1709629623, 0, "1970-01-01"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct instant local = {morning.seconds + cases[i].more_seconds, morning.nanos};
        struct time_format format;
        char text[TIME_FORMATTED_MAX + 1];

        compile(&format, cases[i].pattern, false);
        text[time_format_print(&format, local, cases[i].offset_seconds, text)] = '\0';
        assert_string_equal(text, cases[i].want);
    }
}

static void test_longest_output_fits(void **state)
{
    static const char *const patterns[] = {"MMMM", "EEEE", "a", "d", "X", "H", "DDD", "yyyy"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        char pattern[TIME_PATTERN_MAX + 1] = "", text[TIME_FORMATTED_MAX];
        struct time_format format;

        /* A text between equal letters, else they are one item. */
        while (strlen(pattern) + strlen(patterns[i]) + 1 <= TIME_PATTERN_MAX)
            strcat(strcat(pattern, patterns[i]), "-");
        compile(&format, pattern, false);
        assert_true(time_format_print(&format, (struct instant){1727222399, 999999999}, -19800, text) <= sizeof(text));
    }
}

static void test_reading(void **state)
{
    static const struct {
        const char *pattern, *text, *want; /* NULL: refused */
    } cases[] = {
        {"yyyy-MM-dd HH:mm:ss", "2024-03-05 09:07:03", "2024-03-05 09:07:03"},
        {"yyyyMMddHHmmssSSS", "20240305090703012", "2024-03-05 09:07:03.012"},
        {"yyyyMMdd", "20240229", "2024-02-29 00:00:00"},
        {"yyyyMMdd", "20230229", NULL},
        {"yyyy-MM", "2024-03", "2024-03-01 00:00:00"},
        {"yyyy", "0000", NULL},
        {"yyyy", "0001", "0001-01-01 00:00:00"},
        {"yy/M/d H:m:s", "24/3/5 9:7:3", "2024-03-05 09:07:03"},
        {"yy/M/d H:m:s", "24/12/31 23:59:59", "2024-12-31 23:59:59"},
        {"yy/M/d H:m:s", "24/13/31 23:59:59", NULL},
        {"dd/MMM/yyyy:HH:mm:ss Z", "10/Oct/2000:13:55:36 -0700", "2000-10-10 13:55:36 -25200"},
        {"dd/MMM/yyyy:HH:mm:ss Z", "10/oct/2000:13:55:36 +0530", "2000-10-10 13:55:36 19800"},
        {"dd/MMM/yyyy:HH:mm:ss Z", "10/Okt/2000:13:55:36 -0700", NULL},
        {"EEE, dd MMM yyyy", "Tue, 05 Mar 2024", "2024-03-05 00:00:00"},
        {"EEE, dd MMM yyyy", "Mon, 05 Mar 2024", NULL},
        {"d MMMM yyyy", "5 September 2024", "2024-09-05 00:00:00"},
        {"d MMMM yyyy", "5 Sep 2024", NULL},
        {"yyyy-MM-dd hh:mm a", "2024-03-05 12:07 am", "2024-03-05 00:07:00"},
        {"yyyy-MM-dd hh:mm a", "2024-03-05 12:07 PM", "2024-03-05 12:07:00"},
        {"yyyy-MM-dd hh:mm a", "2024-03-05 01:07 PM", "2024-03-05 13:07:00"},
        {"yyyy-MM-dd hh:mm a", "2024-03-05 13:07 PM", NULL},
        {"yyyy-MM-dd hh:mm a", "2024-03-05 01:07 XM", NULL},
        {"yyyy-MM-dd'T'HH:mm:ssXXX", "2024-03-05T09:07:03+08:00", "2024-03-05 09:07:03 28800"},
        {"yyyy-MM-dd'T'HH:mm:ssXXX", "2024-03-05T09:07:03Z", "2024-03-05 09:07:03 0"},
        {"yyyy-MM-dd'T'HH:mm:ssXXX", "2024-03-05T09:07:03+0800", NULL},
        {"yyyy-MM-dd'T'HH:mm:ssXX", "2024-03-05T09:07:03+0800", "2024-03-05 09:07:03 28800"},
        {"yyyy-MM-dd'T'HH:mm:ssX", "2024-03-05T09:07:03-03", "2024-03-05 09:07:03 -10800"},
        {"yyyy-MM-dd'T'HH:mm:ssX", "2024-03-05T09:07:03+0530", "2024-03-05 09:07:03 19800"},
        {"yyyy-MM-dd'T'HH:mm:ssX", "2024-03-05T09:07:03+24", NULL},
        {"yyyy-MM-dd'T'HH:mm:ssZ", "2024-03-05T09:07:03Z", NULL},
        {"yyyy-DDD", "2024-366", "2024-12-31 00:00:00"},
        {"yyyy-DDD", "2023-366", NULL},
        {"yyyy-DDD", "2023-000", NULL},
        {"yyyy-MM-dd", "2024-03-05 ", NULL},
        {"yyyy-MM-dd", " 2024-03-05", NULL},
        {"yyyy-MM-dd", "2024-3-05", NULL},
        {"yyyy-MM-dd", "2024-03-5", NULL},
        {"yyyy-MM-dd", "", NULL},
        {"yyyy-MM-dd", "2024/03/05", NULL},
        {"yyyy-MM-dd HH:mm:ss", "2024-03-05 24:00:00", NULL},
        {"yyyy-MM-dd HH:mm:ss", "2024-03-05 23:60:00", NULL},
        {"yyyy-MM-dd HH:mm:ss", "2024-03-05 23:59:60", NULL},
        {"yyyy-MM-dd HH:mm:ss.SSS", "2024-03-05 09:07:03.5", NULL},
        {"yyyy-MM-dd HH:mm:ss.S", "2024-03-05 09:07:03.5", "2024-03-05 09:07:03.500"},
        {"yyyy年M月d日", "2024年3月15日", "2024-03-15 00:00:00"},
        {"'day' yyyyMMdd", "day 20240305", "2024-03-05 00:00:00"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct time_format format;
        struct instant local;
        bool has_offset, ok;
        int32_t offset;
        char text[TIME_TEXT_MAX + 16];
        size_t size;

        compile(&format, cases[i].pattern, true);
        ok = time_format_read(&format, str_of(cases[i].text), &local, &has_offset, &offset);
        if (ok != (cases[i].want != NULL))
            fail_msg("%s, \"%s\": %s", cases[i].pattern, cases[i].text, ok ? "was read" : "was refused");
        if (!ok)
            continue;
        size = time_print(local, text);
        sprintf(text + size, has_offset ? " %d" : "", offset);
        assert_string_equal(text, cases[i].want);
    }
}

/* What is printed by a whole pattern is read back. */
static void test_round_trip(void **state)
{
    static const char *const patterns[] = {"yyyy-MM-dd HH:mm:ss.SSSSSSSSSXXX", "yyyyMMddHHmmssSSSSSSSSSZ",
                                           "d MMM yyyy hh:mm:ss.SSSSSSSSS a X", "EEEE yyyy DDD H m s SSSSSSSSS XX"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        struct time_format format;

        compile(&format, patterns[i], true);
        for (int64_t seconds = time_seconds_min; seconds <= time_seconds_max; seconds += 9999999937) {
            struct instant local = {seconds, (int32_t)((seconds % 1000000007 + 1000000007) % 1000000000)}, back;
            char text[TIME_FORMATTED_MAX];
            bool has_offset;
            int32_t offset;

            assert_true(time_format_read(&format, str_make(text, time_format_print(&format, local, -34200, text)), &back,
                                         &has_offset, &offset));
            assert_true(back.seconds == local.seconds && back.nanos == local.nanos && has_offset && offset == -34200);
        }
    }
}

static void test_refused_patterns(void **state)
{
    static const struct {
        const char *pattern;
        bool to_read;
        const char *want;
    } cases[] = {
        {"", false, "1 to 96 characters"},
        {"YYYY-MM-dd", false, "character 1: \"YYYY\" means nothing here; the year is yyyy"},
        {"yyyy-MM-DD", false, "character 9: \"DD\" means nothing: the day of the year is DDD, the day of the month dd"},
        {"yyyyy", false, "the year is yyyy, or yy"},
        {"yyyy-MM-ddTHH", false, "text stands in quotes: 'T'"},
        {"HH:mm:sss", false, "the second is ss or s"},
        {"HH 'o", false, "character 4: the quote is not closed"},
        {"%Y-%m-%d", false, "no %"},
        {"SSSSSSSSSS", false, "S to SSSSSSSSS"},
        {"HH:mm z", false, "names of zones"},
        {"HH:mm", true, "needs a year (yyyy)"},
        {"yyyy dd", true, "needs a month"},
        {"yyyy-mm-dd", true, "needs a month"},
        {"yyyy-MM-dd mm", true, "needs an hour (HH)"},
        {"yyyy-MM-dd hh:mm", true, "AM or PM"},
        {"yyyy-MM-dd HH:ss", true, "a minute"},
        {"yyyy-MM-dd HH:mm:SSS", true, "a second"},
        {"yyyy yyyy", true, "y more than once"},
        {"yyyy-DDD MM", true, "either DDD or MM and dd"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct time_format format;
        struct error error;

        assert_false(time_format_compile(&format, str_of(cases[i].pattern), cases[i].to_read, &error));
        if (!strstr(error.text, cases[i].want))
            fail_msg("%s: %s", cases[i].pattern, error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printing),   cmocka_unit_test(test_longest_output_fits), cmocka_unit_test(test_reading),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused_patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
