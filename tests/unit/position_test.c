/* position_test.c: the idle record beside a committed offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pipeline/position.h"

static const struct position_owner owner = {"orders", "cluster-1", "topic+id/=", "p.orders"};
static const struct counts ledger = {.read = 10, .written = 7, .filtered = 3, .dirty = 1, .expanded = 1};

static void a_record_comes_back(void **state UNUSED)
{
    struct buffer text;
    struct counts found;
    struct error error;

    buffer_init(&text, 0);
    position_print(&owner, &ledger, &text);
    assert_true(text.size < POSITION_BYTES_MAX);
    assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_OURS);
    assert_memory_equal(&found, &ledger, sizeof(ledger));
    buffer_release(&text);
}

static void another_owner_is_refused_by_name(void **state UNUSED)
{
    const struct {
        struct position_owner other;
        const char *said;
    } cases[] = {
        {{"invoices", "cluster-1", "topic+id/=", "p.orders"}, "another job"},
        {{"orders", "cluster-2", "topic+id/=", "p.orders"}, "another cluster"},
        {{"orders", "cluster-1", "topic2", "p.orders"}, "another topic"},
        {{"orders", "cluster-1", "topic+id/=", "p.other"}, "another table"},
    };
    struct buffer text;

    buffer_init(&text, 0);
    position_print(&owner, &ledger, &text);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct counts found;
        struct error error;

        assert_int_equal(position_parse(buffer_str(&text), &cases[i].other, &found, &error), POSITION_FOREIGN);
        assert_non_null(strstr(error.text, cases[i].said));
        assert_non_null(strstr(error.text, "source.group"));
    }
    buffer_release(&text);
}

static void an_unknown_id_is_no_reason_to_refuse(void **state UNUSED)
{
    struct position_owner mock = owner;
    struct buffer text;
    struct counts found;
    struct error error;

    mock.cluster = "";
    buffer_init(&text, 0);
    position_print(&mock, &ledger, &text);
    assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_OURS);
    buffer_release(&text);
}

static void damage_and_other_texts_are_nothing(void **state UNUSED)
{
    static const char *const texts[] = {"", "written by another tool", "luaduct/1", "luaduct/1 crc=00000000", "luaduct/1 job=orders crc=zzzzzzzz"};
    struct buffer text;
    struct counts found;
    struct error error;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(position_parse(str_of(texts[i]), &owner, &found, &error), POSITION_NONE);
    buffer_init(&text, 0);
    position_print(&owner, &ledger, &text);
    /* One changed byte anywhere breaks the checksum. */
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] ^= 1;
        assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_NONE);
        text.data[i] ^= 1;
    }
    for (size_t size = 0; size < text.size; size++)
        assert_int_equal(position_parse(str_make(text.data, size), &owner, &found, &error), POSITION_NONE);
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(another_owner_is_refused_by_name),
        cmocka_unit_test(an_unknown_id_is_no_reason_to_refuse),
        cmocka_unit_test(damage_and_other_texts_are_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
