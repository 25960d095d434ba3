/* position_test.c: what stands beside a committed offset: the idle record and the prepared one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "pipeline/position.h"
#include "util/crc32c.h"

static const struct position_owner owner = {"orders", "cluster-1", "topic+id/=", "p.orders", "table-7"};
static const struct position idle = {.ledger = {.read = 10, .written = 7, .filtered = 3, .dirty = 1, .expanded = 1}};

static void a_record_comes_back(void **state UNUSED)
{
    struct buffer text;
    struct position found;
    struct error error;

    buffer_init(&text, 0);
    position_print(&owner, &idle, &text);
    assert_true(text.size < POSITION_BYTES_MAX);
    assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_OURS);
    assert_memory_equal(&found.ledger, &idle.ledger, sizeof(idle.ledger));
    assert_false(found.prepared);
    buffer_release(&text);
}

static void another_owner_is_refused_by_name(void **state UNUSED)
{
    const struct {
        struct position_owner other;
        const char *said;
    } cases[] = {
        {{"invoices", "cluster-1", "topic+id/=", "p.orders", "table-7"}, "another job"},
        {{"orders", "cluster-2", "topic+id/=", "p.orders", "table-7"}, "another Kafka cluster"},
        {{"orders", "cluster-1", "topic2", "p.orders", "table-7"}, "the topic was deleted and made anew"},
        {{"orders", "cluster-1", "topic+id/=", "p.other", "table-7"}, "another table"},
        {{"orders", "cluster-1", "topic+id/=", "p.orders", "table-8"}, "dropped and made anew"},
    };
    struct buffer text;

    buffer_init(&text, 0);
    position_print(&owner, &idle, &text);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct position found;
        struct error error;

        assert_int_equal(position_parse(buffer_str(&text), &cases[i].other, &found, &error), POSITION_FOREIGN);
        assert_non_null(strstr(error.text, cases[i].said));
        assert_true(strstr(error.text, "source.group") || strstr(error.text, "luaduct reset"));
    }
    buffer_release(&text);
}

static void an_unknown_id_is_no_reason_to_refuse(void **state UNUSED)
{
    struct position_owner mock = owner;
    struct buffer text;
    struct position found;
    struct error error;

    mock.cluster = "";
    buffer_init(&text, 0);
    position_print(&mock, &idle, &text);
    assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_OURS);
    buffer_release(&text);
}

static void damage_and_other_texts_are_nothing(void **state UNUSED)
{
    static const char *const texts[] = {"", "written by another tool", "luaduct/1", "luaduct/1 crc=00000000", "luaduct/1 job=orders crc=zzzzzzzz"};
    static const char unprintable[] = {'\0', '\n', '\x1B', '\x7F', '\x80'};
    struct buffer text;
    struct position found;
    struct error error;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(position_parse(str_of(texts[i]), &owner, &found, &error), POSITION_NONE);
    buffer_init(&text, 0);
    position_print(&owner, &idle, &text);
    /* One changed byte anywhere breaks the checksum. */
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] ^= 1;
        assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_NONE);
        text.data[i] ^= 1;
    }
    for (size_t size = 0; size < text.size; size++)
        assert_int_equal(position_parse(str_make(text.data, size), &owner, &found, &error), POSITION_NONE);
    /* We print no such bytes, and would show them in a message. */
    for (size_t i = 0; i < COUNT_OF(unprintable); i++) {
        buffer_clear(&text);
        buffer_print(&text, "luaduct/2 job=a%cb ledger=0,0,0,0,0", unprintable[i]);
        buffer_print(&text, " crc=%08x", (unsigned)crc32c(0, text.data, text.size));
        assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_NONE);
    }
    buffer_release(&text);
}

/* A prepared record of `sessions` table partitions and `covers` Kafka partitions. */
static void prepare(struct position *position, size_t covers, size_t sessions)
{
    *position = (struct position){
        .ledger = idle.ledger,
        .prepared = true,
        .epoch = "12-00c0ffee",
        .by = "host one:4711",
        .at_ms = 1700000000000,
        .counts = {.read = 5, .written = 5},
        .covers = xcalloc(covers, sizeof(struct position_cover)),
        .cover_count = covers,
        .sessions = xcalloc(sessions + 1, sizeof(struct position_session)),
        .session_count = sessions,
    };
    for (size_t i = 0; i < covers; i++)
        position->covers[i] = (struct position_cover){(int32_t)i, 1000000000 + (int64_t)i, 1000000100 + (int64_t)i};
    for (size_t i = 0; i < sessions; i++)
        position->sessions[i] = (struct position_session){
            .spec = xasprintf("year=2024,month=01,day=%02zu", i),
            .id = xasprintf("20240131120000%03zu1a2b3c4d5e6f708192a3b4c5d6e7f809", i),
            .blocks = (unsigned)i + 1,
            .rows = i * 1000,
        };
}

static void a_prepared_record_comes_back(void **state UNUSED)
{
    const size_t counts[] = {0, 1, 2, 31, 32};

    for (size_t n = 0; n < COUNT_OF(counts); n++) {
        struct position position, found;
        struct buffer text;
        struct error error;

        prepare(&position, n + 1, counts[n]);
        buffer_init(&text, 0);
        position_print(&owner, &position, &text);
        assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_OURS);
        assert_true(found.prepared);
        assert_string_equal(found.epoch, position.epoch);
        assert_string_equal(found.by, position.by);
        assert_int_equal(found.at_ms, position.at_ms);
        assert_memory_equal(&found.counts, &position.counts, sizeof(found.counts));
        assert_memory_equal(&found.ledger, &position.ledger, sizeof(found.ledger));
        assert_int_equal(found.cover_count, position.cover_count);
        for (size_t i = 0; i < found.cover_count; i++) {
            assert_int_equal(found.covers[i].partition, position.covers[i].partition);
            assert_int_equal(found.covers[i].base, position.covers[i].base);
            assert_int_equal(found.covers[i].next, position.covers[i].next);
        }
        assert_int_equal(found.session_count, position.session_count);
        for (size_t i = 0; i < found.session_count; i++) {
            assert_string_equal(found.sessions[i].spec, position.sessions[i].spec);
            assert_string_equal(found.sessions[i].id, position.sessions[i].id);
            assert_int_equal(found.sessions[i].blocks, position.sessions[i].blocks);
            assert_int_equal(found.sessions[i].rows, position.sessions[i].rows);
        }
        /* The bound that epochs are kept below holds, and a cut or a changed byte breaks the checksum. */
        assert_true(text.size <= position_bytes_fixed(&owner) + found.cover_count * POSITION_BYTES_COVER +
                                     found.session_count * position_bytes_session(position_bytes_spec(STR("year=2024,month=01,day=01")), 51));
        position_release(&found);
        for (size_t i = 0; i < text.size; i += 7) {
            text.data[i] ^= 1;
            assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_NONE);
            text.data[i] ^= 1;
        }
        position_release(&position);
        buffer_release(&text);
    }
}

static void the_default_bound_of_table_partitions_fits(void **state UNUSED)
{
    struct position position;
    struct buffer text;

    prepare(&position, 16, 32);
    buffer_init(&text, 0);
    position_print(&owner, &position, &text);
    assert_true(text.size <= POSITION_BYTES_MAX);
    assert_true(position_bytes_fixed(&owner) + 16 * POSITION_BYTES_COVER +
                    32 * position_bytes_session(position_bytes_spec(STR("year=2024,month=01,day=01")), 51) <=
                POSITION_BYTES_MAX + 1024);
    position_release(&position);
    buffer_release(&text);
}

/* Version 1 had the idle record only; any other version is refused and not guessed at. */
static void the_version_before_is_read_and_others_are_refused(void **state UNUSED)
{
    struct str one = STR("luaduct/1 job=orders cluster=cluster-1 topic=topic%2Bid%2F%3D table=p.orders read=10 written=7 filtered=3 "
                         "dirty=1 expanded=1");
    struct buffer text;
    struct position found;
    struct error error;

    buffer_init(&text, 0);
    buffer_append_str(&text, one);
    buffer_print(&text, " crc=%08x", (unsigned)crc32c(0, one.data, one.size));
    assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_OURS);
    assert_memory_equal(&found.ledger, &idle.ledger, sizeof(idle.ledger));
    buffer_clear(&text);
    buffer_append_str(&text, STR("luaduct/3 job=orders"));
    buffer_print(&text, " crc=%08x", (unsigned)crc32c(0, "luaduct/3 job=orders", 20));
    assert_int_equal(position_parse(buffer_str(&text), &owner, &found, &error), POSITION_UNKNOWN);
    assert_non_null(strstr(error.text, "luaduct/3"));
    buffer_release(&text);
}

/* Whoever commits in the group can write a record with a good checksum: a key that comes twice must not do harm. */
static void a_key_that_comes_twice_is_no_record(void **state UNUSED)
{
    static const char *const keys[] = {" ledger=", " epoch=", " by=", " at=", " counts=", " offsets=", " sessions="};
    struct position position, found;
    struct buffer text, twice;
    struct error error;

    prepare(&position, 6, 6);
    buffer_init(&text, 0);
    buffer_init(&twice, 0);
    position_print(&owner, &position, &text);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const char *at = strstr(buffer_text(&text), keys[i]);
        size_t size = strcspn(at + 1, " ") + 1;

        buffer_clear(&twice);
        buffer_append(&twice, text.data, text.size - strlen(" crc=00000000"));
        buffer_append(&twice, at, size);
        buffer_print(&twice, " crc=%08x", (unsigned)crc32c(0, twice.data, twice.size));
        assert_int_equal(position_parse(buffer_str(&twice), &owner, &found, &error), POSITION_NONE);
    }
    buffer_release(&text);
    buffer_release(&twice);
    position_release(&position);
}

static void a_record_of_anybody_is_read_for_show(void **state UNUSED)
{
    struct buffer text;
    struct position found;
    struct error error;

    buffer_init(&text, 0);
    position_print(&owner, &idle, &text);
    assert_int_equal(position_parse(buffer_str(&text), NULL, &found, &error), POSITION_OURS);
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(another_owner_is_refused_by_name),
        cmocka_unit_test(an_unknown_id_is_no_reason_to_refuse),
        cmocka_unit_test(a_prepared_record_comes_back),
        cmocka_unit_test(the_default_bound_of_table_partitions_fits),
        cmocka_unit_test(the_version_before_is_read_and_others_are_refused),
        cmocka_unit_test(a_key_that_comes_twice_is_no_record),
        cmocka_unit_test(a_record_of_anybody_is_read_for_show),
        cmocka_unit_test(damage_and_other_texts_are_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
