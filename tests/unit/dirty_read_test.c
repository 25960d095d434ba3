/* dirty_read_test.c: files of dirty rows read back, and each row's newest line. */
#include "dirty/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

static void write_file(const char *folder, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void remove_file(const char *folder, const char *name)
{
    char *path = xasprintf("%s/%s", folder, name);

    assert_int_equal(unlink(path), 0);
    free(path);
}

static bool collect(void *arg, struct dirty_position position, struct str line, struct error *error)
{
    (void)error;
    buffer_print(arg, "%u/%lld:%.*s ", position.unit, (long long)position.at, STR_ARG(line));
    return true;
}

static void files_are_read_to_where_they_reached(void **state)
{
    char folder[] = "/tmp/luaduct-dirty-XXXXXX";
    struct dirty_options options = {.directory = folder};
    struct dirty_reader *reader = NULL;
    struct error error;
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    assert_non_null(mkdtemp(folder));
    write_file(folder, "dirty-2.ndjson", "c\nd\ntorn");
    write_file(folder, "dirty-1.ndjson", "a\n\nb\n");
    write_file(folder, "other.ndjson", "x\n");
    assert_true(dirty_reader_open(&reader, &options, &error));
    assert_true(dirty_reader_walk(reader, collect, &text, &error));
    assert_string_equal(buffer_text(&text), "0/0:a 0/1: 0/2:b 1/0:c 1/1:d ");
    /* The second walk sees the same, whatever has come. */
    write_file(folder, "dirty-1.ndjson", "a\n\nb\nlater\n");
    write_file(folder, "dirty-3.ndjson", "later\n");
    buffer_clear(&text);
    assert_true(dirty_reader_walk(reader, collect, &text, &error));
    assert_string_equal(buffer_text(&text), "0/0:a 0/1: 0/2:b 1/0:c 1/1:d ");
    dirty_reader_close(reader);
    remove_file(folder, "dirty-1.ndjson");
    remove_file(folder, "dirty-2.ndjson");
    remove_file(folder, "dirty-3.ndjson");
    remove_file(folder, "other.ndjson");
    assert_int_equal(rmdir(folder), 0);
    /* A folder that no run has made yet is empty. */
    assert_true(dirty_reader_open(&reader, &options, &error));
    buffer_clear(&text);
    assert_true(dirty_reader_walk(reader, collect, &text, &error));
    assert_int_equal(text.size, 0);
    dirty_reader_close(reader);
    buffer_release(&text);
}

static void a_line_is_taken_apart(void **state)
{
    static const struct str good =
        STR("{\"time\":\"2024-01-01T00:00:00.000Z\",\"job\":\"j\",\"topic\":\"t\",\"topic_id\":null,\"partition\":3,\"offset\":9007199254740993,"
            "\"index\":2,\"timestamp\":-1,\"stage\":\"s\",\"column\":null,\"reason\":\"r\\u0000x\",\"key\":{\"base64\":\"/w==\"},\"value\":\"v\"}");
    static const char *const bad[] = {"", "{}", "[]", "x", "{\"partition\":1,\"offset\":2}", "{\"partition\":-1,\"offset\":2,\"index\":0}",
                                      "{\"partition\":1.5,\"offset\":2,\"index\":0}", "{\"partition\":1,\"offset\":18446744073709551615,\"index\":0}"};
    struct dirty_record record;
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    assert_true(dirty_record_read(&record, good));
    dirty_record_identity(&record, &text);
    assert_string_equal(buffer_text(&text), "t/3/9007199254740993/2");
    assert_null(record.column.data);
    assert_int_equal(record.reason.size, 3);
    assert_true(record.key_base64);
    assert_true(str_is(record.key, "/w=="));
    assert_false(record.value_base64);
    assert_int_equal(record.timestamp_ms, -1);
    dirty_record_release(&record);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(dirty_record_read(&record, str_of(bad[i])));
    buffer_release(&text);
}

static struct dirty_record row(const char *time, const char *id, int32_t partition, int64_t offset, uint32_t index)
{
    return (struct dirty_record){.time = str_of(time), .topic = STR("t"), .topic_id = str_of(id), .partition = partition, .offset = offset,
                                 .index = index};
}

static void the_newest_of_each_identity_is_remembered(void **state)
{
    struct dirty_newest *newest = dirty_newest_new(100000);
    struct dirty_record early = row("2024-01-01T00:00:00.000Z", "a", 1, 5, 0), late = row("2024-01-01T00:00:00.001Z", "a", 1, 5, 0);
    struct dirty_record others[] = {row(NULL, "a", 1, 5, 1), row(NULL, "a", 1, 6, 0), row(NULL, "a", 2, 5, 0), row(NULL, "b", 1, 5, 0),
                                    row(NULL, NULL, 1, 5, 0)};

    (void)state;
    assert_false(dirty_newest_is(newest, &early, (struct dirty_position){0, 0}));
    assert_true(dirty_newest_add(newest, &late, (struct dirty_position){0, 0}));
    assert_true(dirty_newest_add(newest, &early, (struct dirty_position){0, 1}));
    assert_true(dirty_newest_is(newest, &late, (struct dirty_position){0, 0}));
    assert_false(dirty_newest_is(newest, &early, (struct dirty_position){0, 1}));
    assert_true(dirty_newest_add(newest, &late, (struct dirty_position){1, 0})); /* as late, and read later */
    assert_true(dirty_newest_is(newest, &late, (struct dirty_position){1, 0}));
    assert_false(dirty_newest_is(newest, &late, (struct dirty_position){0, 0}));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_true(dirty_newest_add(newest, &others[i], (struct dirty_position){2, (int64_t)i}));
    assert_int_equal(dirty_newest_count(newest), 6);
    for (int64_t i = 0; i < 50000; i++) {
        struct dirty_record more = row(NULL, "c", (int32_t)(i % 7), i, 0);

        assert_true(dirty_newest_add(newest, &more, (struct dirty_position){3, i}));
    }
    for (int64_t i = 0; i < 50000; i++) {
        struct dirty_record more = row(NULL, "c", (int32_t)(i % 7), i, 0);

        assert_true(dirty_newest_is(newest, &more, (struct dirty_position){3, i}));
    }
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_true(dirty_newest_is(newest, &others[i], (struct dirty_position){2, (int64_t)i}));
    dirty_newest_free(newest);
    newest = dirty_newest_new(1);
    assert_true(dirty_newest_add(newest, &early, (struct dirty_position){0, 0}));
    assert_true(dirty_newest_add(newest, &late, (struct dirty_position){0, 1}));
    assert_false(dirty_newest_add(newest, &others[0], (struct dirty_position){0, 2}));
    dirty_newest_free(newest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_to_where_they_reached),
        cmocka_unit_test(a_line_is_taken_apart),
        cmocka_unit_test(the_newest_of_each_identity_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
