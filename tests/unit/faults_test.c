/* The scripts of the local endpoint's failures: counting, places of mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/faults.h"

static struct faults *parse(const char *text)
{
    struct faults *faults = NULL;
    struct error error;

    if (!faults_parse(&faults, str_of(text), "f", &error))
        fail_msg("%s", error.text);
    return faults;
}

static void rules_hold_for_the_calls_that_they_count(void **state)
{
    static const struct { const char *rule, *hits; } cases[] = {
        {"put_block #3 after cut", "..x......."},
        {"put_block #2-4 after cut", ".xxx......"},
        {"put_block every 3 after cut", "..x..x..x."},
        {"put_block after cut", "xxxxxxxxxx"},
        {"any #1 after cut", "x........."},
        {"commit after cut", ".........."},
        {"# put_block after cut\n\n  put_block  #1   after\tcut # the first", "x........."},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct faults *faults = parse(cases[i].rule);
        char hits[11] = "";

        for (size_t call = 0; call < 10; call++) {
            struct fault before, after;

            faults_next(faults, CALL_PUT_BLOCK, &before, &after);
            assert_int_equal(before.answer, FAULT_NONE);
            hits[call] = after.answer == FAULT_CUT ? 'x' : '.';
        }
        assert_string_equal(hits, cases[i].hits);
        faults_free(faults);
    }
}

static void answers_are_read_with_their_details(void **state)
{
    struct faults *faults = parse("commit #1 before status=429 code=SlotExceeded retry_after=7\ncommit #1 before cut\n"
                                  "commit #1 after expire\ncommit #2 before hang=2s\ncommit #3 before slow=150ms\n");
    struct fault before, after;

    (void)state;
    faults_next(faults, CALL_COMMIT, &before, &after);
    assert_int_equal(before.answer, FAULT_STATUS); /* the first rule wins */
    assert_int_equal(before.status, 429);
    assert_string_equal(before.code, "SlotExceeded");
    assert_int_equal(before.retry_after_s, 7);
    assert_int_equal(after.answer, FAULT_STATE);
    assert_string_equal(after.state, "expired");
    faults_next(faults, CALL_COMMIT, &before, &after);
    assert_int_equal(before.answer, FAULT_HANG);
    assert_int_equal(before.duration_ms, 2000);
    faults_next(faults, CALL_COMMIT, &before, &after);
    assert_int_equal(before.answer, FAULT_SLOW);
    assert_int_equal(before.duration_ms, 150);
    faults_free(faults);
    faults_next(NULL, CALL_COMMIT, &before, &after);
    assert_int_equal(before.answer, FAULT_NONE);
}

static void every_answer_is_known_on_its_side(void **state)
{
    static const struct {
        const char *rule;
        bool after;
        enum fault_answer answer;
        int64_t duration_ms;
        const char *state;
    } cases[] = {
        {"commit before cut", false, FAULT_CUT, 0, ""},
        {"commit after slow=24h", true, FAULT_SLOW, 86400000, ""},
        {"commit before state=unknown", false, FAULT_STATE, 0, "unknown"},
        {"commit before state=normal", false, FAULT_STATE, 0, "normal"},
        {"commit after state=committing", true, FAULT_STATE, 0, "committing"},
        {"commit before state=closing", false, FAULT_STATE, 0, "closing"},
        {"commit before state=canceled", false, FAULT_STATE, 0, "canceled"},
        {"commit before state=expired", false, FAULT_STATE, 0, "expired"},
        {"commit before state=critical", false, FAULT_STATE, 0, "critical"},
        {"commit after forget", true, FAULT_FORGET, 0, ""},
        {"commit before closing=2s", false, FAULT_CLOSING, 2000, ""},
        {"commit before delay=3s", false, FAULT_DELAY, 3000, ""},
        {"commit after twice", true, FAULT_TWICE, 0, ""},
        {"commit after twice=2m", true, FAULT_TWICE, 120000, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct faults *faults = parse(cases[i].rule);
        struct fault before, after;
        const struct fault *fault = cases[i].after ? &after : &before;

        faults_next(faults, CALL_COMMIT, &before, &after);
        if (fault->answer != cases[i].answer || fault->duration_ms != cases[i].duration_ms ||
            strcmp(fault->state, cases[i].state) != 0 || (cases[i].after ? before : after).answer != FAULT_NONE)
            fail_msg("%s: answer %d, %lld ms, \"%s\"", cases[i].rule, fault->answer, (long long)fault->duration_ms, fault->state);
        faults_free(faults);
    }
}

static void a_script_says_what_a_second_commit_is_answered(void **state)
{
    static const struct { const char *text; enum second_commit answer; } cases[] = {
        {"commit #1 after cut", SECOND_COMMIT_CONFLICT}, /* not said: as it was */
        {"second_commit ok # as the clients expect it", SECOND_COMMIT_OK},
        {"second_commit conflict", SECOND_COMMIT_CONFLICT},
        {"commit #1 after cut\nsecond_commit 5xx", SECOND_COMMIT_5XX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct faults *faults = parse(cases[i].text);

        assert_int_equal(faults_second_commit(faults, SECOND_COMMIT_CONFLICT), cases[i].answer);
        faults_free(faults);
    }
    assert_int_equal(faults_second_commit(NULL, SECOND_COMMIT_5XX), SECOND_COMMIT_5XX);
}

static void mistakes_are_named_with_file_and_line(void **state)
{
    static const struct { const char *text, *start, *part; } cases[] = {
        {"\nput_blok #3 after cut", "f:2: ", "put_block"},
        {"commit #0 after cut", "f:1: ", "#0"},
        {"commit #5-2 after cut", "f:1: ", "ends before"},
        {"commit #x after cut", "f:1: ", "#x"},
        {"commit every 0 after cut", "f:1: ", "every"},
        {"commit cut", "f:1: ", "before"},
        {"commit after", "f:1: ", "missing"},
        {"commit", "f:1: ", "before"},
        {"commit after statu=500", "f:1: ", "\"status\""},
        {"commit after status=200", "f:1: ", "300"},
        {"commit after status=500 code=<x>", "f:1: ", "letters"},
        {"commit after status=500 nonsense", "f:1: ", "nonsense"},
        {"commit after hang", "f:1: ", "duration"},
        {"commit after hang=2d", "f:1: ", "duration"},
        {"commit after hang=25h", "f:1: ", "duration"},
        {"commit before state", "f:1: ", "needs a state"},
        {"commit before state=Normal", "f:1: ", "needs a state"},
        {"commit before state=closed", "f:1: ", "by its commit alone"},
        {"commit before forget=1s", "f:1: ", "forget"},
        {"commit before closing", "f:1: ", "duration"},
        {"commit after closing=2s", "f:1: ", "\"before\" only"},
        {"put_block before closing=2s", "f:1: ", "\"commit\" only"},
        {"commit after delay=2s", "f:1: ", "\"before\" only"},
        {"commit before twice", "f:1: ", "\"after\" only"},
        {"commit after twice=", "f:1: ", "duration"},
        {"second_commit", "f:1: ", "ok, conflict or 5xx"},
        {"second_commit 500", "f:1: ", "ok, conflict or 5xx"},
        {"second_commit ok now", "f:1: ", "now"},
        {"second_commit ok\nsecond_commit ok", "f:2: ", "twice"},
        {"commit after cut now", "f:1: ", "now"},
        {"commit #1 after cut\ncommit #1 after slow=1s\nnothing", "f:3: ", "nothing"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct faults *faults = NULL;
        struct error error = {.kind = ERROR_NONE};

        if (faults_parse(&faults, str_of(cases[i].text), "f", &error))
            fail_msg("%s: was taken", cases[i].text);
        assert_int_equal(error.kind, ERROR_CONFIG);
        if (strncmp(error.text, cases[i].start, strlen(cases[i].start)) != 0 || !strstr(error.text, cases[i].part))
            fail_msg("%s: %s", cases[i].text, error.text);
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct faults *faults = NULL;
    struct error error;

    (void)state;
    assert_false(faults_read(&faults, "/nonexistent/faults.txt", &error));
    assert_non_null(strstr(error.text, "/nonexistent/faults.txt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_hold_for_the_calls_that_they_count),
        cmocka_unit_test(answers_are_read_with_their_details),
        cmocka_unit_test(every_answer_is_known_on_its_side),
        cmocka_unit_test(a_script_says_what_a_second_commit_is_answered),
        cmocka_unit_test(mistakes_are_named_with_file_and_line),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
