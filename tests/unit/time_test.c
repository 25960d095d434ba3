/* time_test.c: calendar, zones and texts; zones against the rules as published. */
#include "batch/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_calendar(void **state)
{
    static const struct {
        int32_t year;
        unsigned month, day;
        int32_t days;
    } cases[] = {
        {1970, 1, 1, 0}, {1969, 12, 31, -1}, {1, 1, 1, -719162}, {9999, 12, 31, 2932896}, {2000, 2, 29, 11016},
        {2000, 3, 1, 11017}, {1900, 2, 28, -25509}, {1900, 3, 1, -25508}, {2024, 2, 29, 19782}, {4, 2, 29, -718008},
    };
    struct civil civil;
    int32_t days = time_days_min;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(time_days(cases[i].year, cases[i].month, cases[i].day), cases[i].days);
        time_civil_from_days(cases[i].days, &civil);
        assert_true(civil.year == cases[i].year && civil.month == cases[i].month && civil.day == cases[i].day);
    }
    assert_int_equal(time_days_min, time_days(1, 1, 1));
    assert_int_equal(time_days_max, time_days(9999, 12, 31));
    assert_int_equal(time_seconds_min, (int64_t)time_days_min * 86400);
    assert_int_equal(time_seconds_max, (int64_t)time_days_max * 86400 + 86399);
    /* Every month of all years: days follow each other without a gap, and the last valid day is the one before the next month. */
    for (int32_t year = 1; year <= 9999; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            unsigned day = 28;

            assert_int_equal(time_days(year, month, 1), days);
            while (time_date_valid(year, month, day + 1))
                day++;
            days += (int32_t)day;
            time_civil_from_days(days - 1, &civil);
            assert_true(civil.year == year && civil.month == month && civil.day == day);
        }
    }
    assert_int_equal(days, time_days_max + 1);
    assert_false(time_date_valid(0, 1, 1) || time_date_valid(10000, 1, 1) || time_date_valid(2024, 0, 1) ||
                 time_date_valid(2024, 13, 1) || time_date_valid(2024, 1, 0) || time_date_valid(2023, 2, 29) ||
                 time_date_valid(1900, 2, 29));
    time_civil_from_seconds(-1, &civil);
    assert_true(civil.year == 1969 && civil.hour == 23 && civil.minute == 59 && civil.second == 59);
}

static struct zone *open_zone(const char *name)
{
    struct zone *zone = NULL;
    struct error error;

    if (!zone_open(&zone, str_of(name), &error))
        fail_msg("%s: %s", name, error.text);
    assert_string_equal(zone_name(zone), name);
    return zone;
}

static void test_offsets(void **state)
{
    static const struct {
        const char *zone;
        int64_t seconds;
        int32_t offset_seconds;
    } cases[] = {
        {"Z", 0, 0},
        {"UTC", 1700000000, 0},
        {"utc", 1700000000, 0},
        {"+08:00", 0, 28800},
        {"-0530", 0, -19800},
        {"+09", 0, 32400},
        {"Etc/GMT+8", 0, -28800},
        {"EST5EDT", 1720000000, -14400},
    {"Europe/Berlin", INT64_C(1711846799), 3600},
    {"Europe/Berlin", INT64_C(1711846800), 7200},
    {"Europe/Berlin", INT64_C(1729990799), 7200},
    {"Europe/Berlin", INT64_C(1729990800), 3600},
    {"Europe/Berlin", INT64_C(-773280000), 10800},
    {"Europe/Berlin", INT64_C(-5364662400), 3208},
    {"Europe/Berlin", INT64_C(-2422051200), 3600},
    {"Europe/Berlin", INT64_C(2130019200), 7200},
    {"Europe/Berlin", INT64_C(-1), 3600},
    {"Asia/Shanghai", INT64_C(515527199), 28800},
    {"Asia/Shanghai", INT64_C(515527200), 32400},
    {"Asia/Shanghai", INT64_C(527014799), 32400},
    {"Asia/Shanghai", INT64_C(527014800), 28800},
    {"Asia/Shanghai", INT64_C(671565599), 28800},
    {"Asia/Shanghai", INT64_C(671565600), 32400},
    {"Asia/Shanghai", INT64_C(684867599), 32400},
    {"Asia/Shanghai", INT64_C(684867600), 28800},
    {"Asia/Shanghai", INT64_C(1719792000), 28800},
    {"Asia/Shanghai", INT64_C(-2208988800), 29143},
    {"America/New_York", INT64_C(1710053999), -18000},
    {"America/New_York", INT64_C(1710054000), -14400},
    {"America/New_York", INT64_C(1730613600), -18000},
    {"Asia/Kathmandu", INT64_C(1704067200), 20700},
    {"Australia/Lord_Howe", INT64_C(1704067200), 39600},
    {"Australia/Lord_Howe", INT64_C(1719792000), 37800},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct zone *zone = open_zone(cases[i].zone);
        struct zone_cache cache = {0};

        /* A cache that holds another interval must not matter. */
        for (int j = 0; j < 3; j++) {
            int32_t offset = zone_offset(zone, &cache, cases[i].seconds);

            if (offset != cases[i].offset_seconds)
                fail_msg("%s at %lld: %d", cases[i].zone, (long long)cases[i].seconds, offset);
            assert_true(cases[i].seconds >= cache.from && cases[i].seconds < cache.until);
            if (j)
                zone_offset(zone, &cache, j == 1 ? time_seconds_min : time_seconds_max);
        }
        zone_free(zone);
    }
    zone_free(NULL);
}

static void test_unknown_zones(void **state)
{
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"Europe/Berlni", "is not known"}, {"", "is not known"},         {"UTC+8", "did you mean \"+08:00\""},
        {"GMT-05:30", "\"-05:30\""},       {"8", "\"+08:00\""},          {"+8", "\"+08:00\""},
        {"+25:00", "is not known"},        {"+08:60", "is not known"},   {"../../etc/passwd", "is not known"},
        {"/etc/localtime", "is not known"}, {"CET-1CEST,M3.5.0,M10.5.0", "is not known"}, {"EST8", "is not known"},
        {" UTC", "is not known"},          {"Europe/Berlin ", "is not known"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct zone *zone = NULL;
        struct error error = {0};

        if (zone_open(&zone, str_of(cases[i].name), &error))
            fail_msg("\"%s\" opened", cases[i].name);
        assert_null(zone);
        assert_int_equal(error.kind, ERROR_CONFIG);
        if (!strstr(error.text, cases[i].says))
            fail_msg("\"%s\": %s", cases[i].name, error.text);
    }
}

static int64_t local_of(const char *text)
{
    struct instant instant;
    bool has_offset;
    int32_t offset;

    assert_true(time_parse(str_of(text), &instant, &has_offset, &offset));
    assert_false(has_offset);
    return instant.seconds;
}

static void test_from_local(void **state)
{
    static const struct {
        const char *why, *zone, *local, *utc;
    } cases[] = {
        {"winter", "Europe/Berlin", "2024-01-15 12:00:00", "2024-01-15 11:00:00"},
        {"summer", "Europe/Berlin", "2024-07-15 12:00:00", "2024-07-15 10:00:00"},
        {"before the gap", "Europe/Berlin", "2024-03-31 01:59:59", "2024-03-31 00:59:59"},
        {"in the gap: forward by it", "Europe/Berlin", "2024-03-31 02:30:00", "2024-03-31 01:30:00"},
        {"behind the gap", "Europe/Berlin", "2024-03-31 03:00:00", "2024-03-31 01:00:00"},
        {"in the fold: the earlier one", "Europe/Berlin", "2024-10-27 02:30:00", "2024-10-27 00:30:00"},
        {"last second of the fold", "Europe/Berlin", "2024-10-27 02:59:59", "2024-10-27 00:59:59"},
        {"behind the fold", "Europe/Berlin", "2024-10-27 03:00:00", "2024-10-27 02:00:00"},
        {"gap of 1986", "Asia/Shanghai", "1986-05-04 02:30:00", "1986-05-03 18:30:00"},
        {"summer of 1988", "Asia/Shanghai", "1988-07-01 00:00:00", "1988-06-30 15:00:00"},
        {"fold of 1991", "Asia/Shanghai", "1991-09-15 01:30:00", "1991-09-14 16:30:00"},
        {"after the last summer time", "Asia/Shanghai", "1992-07-01 00:00:00", "1992-06-30 16:00:00"},
        {"a day that a zone left out", "Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 22:00:00"},
        {"half an hour", "Australia/Lord_Howe", "2024-10-06 02:15:00", "2024-10-05 15:45:00"},
        {"year 1", "+08:00", "0001-01-01 08:00:00", "0001-01-01 00:00:00"},
        {"year 9999", "Asia/Shanghai", "9999-12-31 23:59:59", "9999-12-31 15:59:59"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct zone *zone = open_zone(cases[i].zone);
        struct zone_cache cache = {0};
        int64_t local = local_of(cases[i].local), utc = local_of(cases[i].utc);

        for (int j = 0; j < 3; j++) {
            int64_t seconds = zone_from_local(zone, &cache, local);

            if (seconds != utc)
                fail_msg("%s: off by %lld s with cache %d", cases[i].why, (long long)(seconds - utc), j);
            /* Then again with the interval before and the one after in the cache. */
            zone_offset(zone, &cache, utc + (j ? 1 : -1) * INT64_C(86400) * 3);
        }
        zone_free(zone);
    }
}

/* There and back over a century, hour by hour with a stride that meets all times of day. */
static void test_there_and_back(void **state)
{
    struct zone *zone = open_zone("Europe/Berlin");
    struct zone_cache cache = {0}, other = {0};

    (void)state;
    for (int64_t seconds = local_of("1940-01-01 00:00:00"); seconds < local_of("2040-01-01 00:00:00"); seconds += 3571 * 7) {
        int64_t local = zone_to_local(zone, &cache, seconds);
        int64_t back = zone_from_local(zone, &other, local);

        /* In a fold the earlier one comes back. */
        assert_true(back == seconds || (back < seconds && zone_to_local(zone, &other, back) == local));
    }
    zone_free(zone);
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        const char *printed; /* NULL: refused */
        bool has_offset;
        int32_t offset_seconds;
    } cases[] = {
        {"2024-01-31 23:59:59", "2024-01-31 23:59:59", false, 0},
        {"2024-01-31T23:59:59", "2024-01-31 23:59:59", false, 0},
        {"2024-01-31 23:59", "2024-01-31 23:59:00", false, 0},
        {"2024-01-31 23:59:59.5", "2024-01-31 23:59:59.500", false, 0},
        {"2024-01-31 23:59:59.000001", "2024-01-31 23:59:59.000001", false, 0},
        {"2024-01-31 23:59:59.123456789", "2024-01-31 23:59:59.123456789", false, 0},
        {"2024-01-31T23:59:59Z", "2024-01-31 23:59:59", true, 0},
        {"2024-01-31T23:59:59.25+08:00", "2024-01-31 23:59:59.250", true, 28800},
        {"2024-01-31T23:59:59-0530", "2024-01-31 23:59:59", true, -19800},
        {"2024-01-31T23:59+08", "2024-01-31 23:59:00", true, 28800},
        {"1969-12-31 23:59:59.999", "1969-12-31 23:59:59.999", false, 0},
        {"0001-01-01 00:00:00", "0001-01-01 00:00:00", false, 0},
        {"9999-12-31 23:59:59.999999999", "9999-12-31 23:59:59.999999999", false, 0},
        {"2024-02-29 00:00:00", "2024-02-29 00:00:00", false, 0},
        {"2023-02-29 00:00:00", NULL, false, 0},
        {"0000-01-01 00:00:00", NULL, false, 0},
        {"2024-01-31 24:00:00", NULL, false, 0},
        {"2024-01-31 23:60:00", NULL, false, 0},
        {"2024-01-31 23:59:60", NULL, false, 0},
        {"2024-01-31 23:59:59.", NULL, false, 0},
        {"2024-01-31 23:59:59.1234567890", NULL, false, 0},
        {"2024-01-31", NULL, false, 0},
        {"2024-01-31 ", NULL, false, 0},
        {"2024-1-31 23:59:59", NULL, false, 0},
        {"2024-01-31  23:59:59", NULL, false, 0},
        {"2024-01-31t23:59:59", NULL, false, 0},
        {"2024-01-31 23:59:59 ", NULL, false, 0},
        {" 2024-01-31 23:59:59", NULL, false, 0},
        {"2024-01-31 23:59:59z", NULL, false, 0},
        {"2024-01-31 23:59:59+8", NULL, false, 0},
        {"2024-01-31 23:59:59+08:0", NULL, false, 0},
        {"2024-01-31 23:59:59+24:00", NULL, false, 0},
        {"2024-01-31 23:59:5", NULL, false, 0},
        {"20240131 235959", NULL, false, 0},
        {"-024-01-31 23:59:59", NULL, false, 0},
        {"", NULL, false, 0},
    };
    char text[TIME_TEXT_MAX + 1];
    int32_t days;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        /* On the heap, exact in size, so that reading past the end is seen. */
        struct str copy = str_of(str_dup(str_of(cases[i].text)));
        struct instant instant;
        bool has_offset;
        int32_t offset;
        bool ok = time_parse(copy, &instant, &has_offset, &offset);

        if (ok != (cases[i].printed != NULL))
            fail_msg("\"%s\" was %s", cases[i].text, ok ? "taken" : "refused");
        free((char *)copy.data);
        if (!ok)
            continue;
        text[time_print(instant, text)] = '\0';
        assert_string_equal(text, cases[i].printed);
        assert_int_equal(has_offset, cases[i].has_offset);
        assert_int_equal(offset, cases[i].offset_seconds);
    }
    assert_true(time_parse_date(STR("1900-03-01"), &days));
    assert_int_equal(days, -25508);
    text[time_print_date(days, text)] = '\0';
    assert_string_equal(text, "1900-03-01");
    text[time_print_date(time_days_min, text)] = '\0';
    assert_string_equal(text, "0001-01-01");
    assert_false(time_parse_date(STR("2024-01-31 "), &days) || time_parse_date(STR("2024/01/31"), &days) ||
                 time_parse_date(STR("2024-13-01"), &days) || time_parse_date(STR(""), &days) ||
                 time_parse_date(STR("2023-02-29"), &days));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar),   cmocka_unit_test(test_offsets),        cmocka_unit_test(test_unknown_zones),
        cmocka_unit_test(test_from_local), cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
