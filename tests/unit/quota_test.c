/* The limits of the local endpoint: windows that slide, calls at a time, the list of the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/quota.h"

enum { NOW = 1000000 };

static struct quotas *parse(const char *text)
{
    struct quotas *quotas = NULL;
    struct error error;

    if (!quotas_parse(&quotas, str_of(text), &error))
        fail_msg("%s", error.text);
    return quotas;
}

/* A call that is over at once; the code of its refusal, "" when it was let through. */
static const char *call(struct quotas *quotas, enum quota quota, const char *table, int64_t now_ms)
{
    static struct refusal refusal;

    if (!quotas_begin(quotas, quota, table, now_ms, &refusal)) {
        assert_int_equal(refusal.status, 429);
        assert_true(refusal.retry_after_s >= 1);
        return refusal.code;
    }
    quotas_end(quotas, quota, table);
    return "";
}

static void the_window_slides(void **state)
{
    static const struct { int64_t ms; int64_t retry_after_s; } calls[] = {
        {0, 0}, {900, 0}, {1800, 0}, {1800, 1}, {1999, 1}, /* the first leaves the window at 2000 */
        {2000, 0}, {2001, 1}, {2899, 1}, {2900, 0}, {3800, 0}, {3900, 1}, {9000, 0}, {9000, 0}, {9000, 0}, {9000, 2},
    };
    struct quotas *quotas = parse("commits=3/2s");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct refusal refusal = {0};
        bool ok = quotas_begin(quotas, QUOTA_COMMITS, "p.t", NOW + calls[i].ms, &refusal);

        if (ok)
            quotas_end(quotas, QUOTA_COMMITS, "p.t");
        if (ok != (calls[i].retry_after_s == 0) || refusal.retry_after_s != calls[i].retry_after_s)
            fail_msg("call %zu: %s, retry after %d s", i, ok ? "let through" : refusal.text, refusal.retry_after_s);
    }
    quotas_free(quotas);
}

static void each_table_and_kind_counts_for_itself(void **state)
{
    struct quotas *quotas = parse("sessions=1/10s, downloads=1/10s, blocks=2/10s, commits=1/10s");

    (void)state;
    assert_string_equal(call(quotas, QUOTA_SESSIONS, "p.a", NOW), "");
    assert_string_equal(call(quotas, QUOTA_SESSIONS, "p.a", NOW), "RequestQuotaExceeded");
    assert_string_equal(call(quotas, QUOTA_SESSIONS, "p.b", NOW), "");
    assert_string_equal(call(quotas, QUOTA_DOWNLOADS, "p.a", NOW), "");
    assert_string_equal(call(quotas, QUOTA_DOWNLOADS, "p.a", NOW), "RequestQuotaExceeded");
    assert_string_equal(call(quotas, QUOTA_BLOCKS, "p.a", NOW), "");
    assert_string_equal(call(quotas, QUOTA_BLOCKS, "p.a", NOW), "");
    assert_string_equal(call(quotas, QUOTA_BLOCKS, "p.a", NOW), "FlowExceeded");
    assert_string_equal(call(quotas, QUOTA_COMMITS, "p.a", NOW), "");
    assert_string_equal(call(quotas, QUOTA_COMMITS, "p.a", NOW), "RequestQuotaExceeded");
    assert_string_equal(call(quotas, QUOTA_SLOTS, "", NOW), "");
    quotas_free(quotas);
    assert_string_equal(call(NULL, QUOTA_COMMITS, "p.a", NOW), "");
}

static void calls_at_a_time_are_limited(void **state)
{
    static const struct { const char *list; enum quota quota; } cases[] = {
        {"commits_at_once=2", QUOTA_COMMITS}, {"slots=2", QUOTA_SLOTS}, {"commits_at_once=2,commits=100/1s", QUOTA_COMMITS}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct quotas *quotas = parse(cases[i].list);
        struct refusal refusal;

        assert_true(quotas_begin(quotas, cases[i].quota, "p.t", NOW, &refusal));
        assert_true(quotas_begin(quotas, cases[i].quota, "p.t", NOW, &refusal));
        assert_string_equal(call(quotas, cases[i].quota, "p.t", NOW), "SlotExceeded");
        assert_string_equal(call(quotas, cases[i].quota, "p.other", NOW), "");
        quotas_end(quotas, cases[i].quota, "p.t");
        assert_string_equal(call(quotas, cases[i].quota, "p.t", NOW), "");
        quotas_end(quotas, cases[i].quota, "p.t");
        quotas_free(quotas);
    }
}

static void the_services_limits_are_those_of_the_documentation(void **state)
{
    static const struct { enum quota quota; int calls; int64_t window_ms; } cases[] = {
        {QUOTA_SESSIONS, 500, 300000}, {QUOTA_DOWNLOADS, 200, 300000}, {QUOTA_BLOCKS, 500, 300000}, {QUOTA_COMMITS, 75, 15000}};
    struct quotas *quotas = parse("service");
    struct refusal refusal;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int j = 0; j < cases[i].calls; j++)
            assert_string_equal(call(quotas, cases[i].quota, "p.t", NOW), "");
        assert_string_not_equal(call(quotas, cases[i].quota, "p.t", NOW + cases[i].window_ms - 1), "");
        assert_string_equal(call(quotas, cases[i].quota, "p.t", NOW + cases[i].window_ms), "");
    }
    for (int i = 0; i < 32; i++)
        assert_true(quotas_begin(quotas, QUOTA_COMMITS, "p.other", NOW, &refusal));
    assert_string_equal(call(quotas, QUOTA_COMMITS, "p.other", NOW), "SlotExceeded");
    quotas_free(quotas);
    quotas = parse("service,commits=1/15s");
    assert_string_equal(call(quotas, QUOTA_COMMITS, "p.t", NOW), "");
    assert_string_equal(call(quotas, QUOTA_COMMITS, "p.t", NOW), "RequestQuotaExceeded");
    quotas_free(quotas);
}

static void mistakes_are_named(void **state)
{
    static const struct { const char *list, *part; } cases[] = {
        {"", "unknown quota"},           {"commit=3/2s", "\"commits\""},        {"commits", "commits=5/10s"},
        {"commits=3", "commits=5/10s"},  {"commits=0/2s", "commits=0/2s"},      {"commits=3/0s", "commits=3/0s"},
        {"commits=-3/2s", "commits"},    {"commits=3/2", "commits=3/2"},        {"commits=100001/2s", "commits=5/10s"},
        {"slots=0", "slots=0"},          {"commits_at_once=x", "from 1"},       {"service=1", "unknown quota"},
        {"service,,slots=1", "unknown"}, {"commits=3/2s,blocks=1/s", "blocks"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct quotas *quotas = NULL;
        struct error error = {.kind = ERROR_NONE};

        if (quotas_parse(&quotas, str_of(cases[i].list), &error))
            fail_msg("\"%s\" was taken", cases[i].list);
        assert_int_equal(error.kind, ERROR_CONFIG);
        if (!strstr(error.text, cases[i].part))
            fail_msg("\"%s\": %s", cases[i].list, error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_slides),
        cmocka_unit_test(each_table_and_kind_counts_for_itself),
        cmocka_unit_test(calls_at_a_time_are_limited),
        cmocka_unit_test(the_services_limits_are_those_of_the_documentation),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
