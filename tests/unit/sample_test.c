/* sample_test.c: sample files, both ways: what is written comes back byte for byte, and what a person gets wrong is told with its
 * place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the first four. */
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample/sample.h"
#include "sample/writer.h"

static char directory[64], path[128];

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/sample_test.XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/a.sample", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory); /* nothing else may be left */
}

static void file_write(struct str text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
    fclose(file);
}

static struct str file_read(void)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "re");
    size_t size;

    assert_non_null(file);
    size = fread(text, 1, sizeof(text), file);
    fclose(file);
    return str_make(text, size);
}

static struct sample *sample_of(struct str text)
{
    struct report *report = report_new();
    struct sample *sample;
    struct buffer printed;

    file_write(text);
    if (!sample_read(&sample, path, report)) {
        buffer_init(&printed, 0);
        report_print(report, &printed);
        fail_msg("%s", buffer_text(&printed));
    }
    report_free(report);
    return sample;
}

static void assert_text(struct str found, struct str expected)
{
    assert_int_equal(found.data != NULL, expected.data != NULL);
    assert_int_equal(found.size, expected.size);
    if (expected.size)
        assert_memory_equal(found.data, expected.data, expected.size);
}

static const struct sample_header odd_headers[] = {
    {{"n", 1}, {"v", 1}}, {{"n", 1}, STR_NONE}, {{"", 0}, {"", 0}}, {{"bin", 3}, {"\xFF\x00", 2}}, {{"\xFE", 1}, {"//4=", 4}},
};

#define R(partition_, offset_, time_, key_, value_)                                                                       \
    {.partition = (partition_), .message = {.key = key_, .value = value_, .offset = (offset_), .timestamp_ms = (time_)}}

static const struct sample_record odd_records[] = {
    R(0, 12, 1700000000000, STR("k"), STR("{\"id\": 1}")),
    R(3, 0, -1, STR_NONE, STR_NONE),
    R(0, 13, 0, STR(""), STR("")),
    R(0, INT64_MAX - 1, INT64_MAX, STR("\x00\xFF"), STR("\x80")),
    R(1, 1, 1, STR("\"\\/\b\f\n\r\t\x7F\x1B"), STR("a\0b")),
    R(199999, 1, 1, STR("\xE4\xB8\xAD\xF0\x9F\x98\x80"), STR("\xED\xA0\x80")), /* an unpaired surrogate is not UTF-8 */
    {.partition = 1, .message = {.value = {"x", 1}, .offset = 2}, .headers = odd_headers, .header_count = COUNT_OF(odd_headers)},
};

static void test_round_trip(void **state)
{
    struct sample_origin origin = {.job = STR("j\"ob"), .topic = STR("t"), .cluster_id = STR(""), .taken = STR("2024-01-31T00:00:00Z")};
    struct buffer text, again;
    struct sample *sample;

    (void)state;
    buffer_init(&text, 0);
    buffer_init(&again, 0);
    sample_print_origin(&origin, &text);
    for (size_t i = 0; i < COUNT_OF(odd_records); i++)
        sample_print_record(&odd_records[i], &text);
    sample = sample_of(buffer_str(&text));
    assert_int_equal(sample->count, COUNT_OF(odd_records));
    assert_int_equal(sample->partitions, 200000);
    assert_text(sample->origin.job, origin.job);
    assert_text(sample->origin.cluster_id, origin.cluster_id);
    assert_text(sample->origin.topic_id, STR_NONE);
    sample_print_origin(&sample->origin, &again);
    for (size_t i = 0; i < sample->count; i++) {
        struct sample_record found = sample_record(sample, i);
        const struct sample_record *expected = &odd_records[i];

        assert_int_equal(found.partition, expected->partition);
        assert_int_equal(found.message.offset, expected->message.offset);
        assert_int_equal(found.message.timestamp_ms, expected->message.timestamp_ms);
        assert_text(found.message.key, expected->message.key);
        assert_text(found.message.value, expected->message.value);
        assert_int_equal(found.header_count, expected->header_count);
        for (size_t h = 0; h < found.header_count; h++) {
            assert_text(found.headers[h].name, expected->headers[h].name);
            assert_text(found.headers[h].value, expected->headers[h].value);
        }
        sample_print_record(&found, &again);
    }
    assert_text(buffer_str(&again), buffer_str(&text));
    /* As the Kafka source shows them. */
    assert_text(sample->messages[6].headers, STR("[[\"n\",\"v\"],[\"n\",null],[\"\",\"\"],[\"bin\",\"/wA=\"],[\"\\ufffd\",\"//4=\"]]"));
    assert_text(sample->messages[5].headers, STR_NONE);
    sample_free(sample);
    buffer_release(&text);
    buffer_release(&again);
}

/* A value of 8 MiB, and one of as many bytes that are no text. */
static void test_large_values(void **state)
{
    enum { SIZE = 8 << 20 };
    char *bytes = malloc(SIZE);
    struct buffer text;
    struct sample *sample;

    (void)state;
    buffer_init(&text, 0);
    memset(bytes, 'x', SIZE);
    sample_print_record(&(struct sample_record){.message.value = str_make(bytes, SIZE)}, &text);
    memset(bytes, 0xFF, SIZE);
    sample_print_record(&(struct sample_record){.message = {.offset = 1, .value = str_make(bytes, SIZE)}}, &text);
    sample = sample_of(buffer_str(&text));
    assert_int_equal(sample->count, 2);
    assert_text(sample->messages[1].value, str_make(bytes, SIZE));
    assert_int_equal(sample->messages[0].value.size, SIZE);
    sample_free(sample);
    buffer_release(&text);
    free(bytes);
}

/* What a person writes: everything but the value may be missing, in any order, with blanks and empty lines. */
static void test_by_hand(void **state)
{
    static const char text[] = "\xEF\xBB\xBF\n"
                               "  {\"value\": \"a\"}\r\n"
                               "{ \"value\" : null , \"key\" : \"k\" }\n"
                               "{\"offset\": 10, \"value\": {\"base64\": \"YQ==\"}}\n"
                               " \t \n"
                               "{\"value\": \"d\"}\n"
                               "{\"value\": \"e\", \"partition\": 2, \"headers\": [], \"timestamp\": 5}\n"
                               "{\"headers\": null, \"key\": null, \"value\": \"\\u0041\\ud83d\\ude00\"}"; /* no end of line */
    static const struct {
        int32_t partition;
        int64_t offset, timestamp_ms;
        struct str key, value;
    } expected[] = {
        {0, 0, 0, {NULL, 0}, {"a", 1}}, {0, 1, 0, {"k", 1}, {NULL, 0}}, {0, 10, 0, {NULL, 0}, {"a", 1}},
        {0, 11, 0, {NULL, 0}, {"d", 1}}, {2, 0, 5, {NULL, 0}, {"e", 1}}, {0, 12, 0, {NULL, 0}, {"A\xF0\x9F\x98\x80", 5}},
    };
    struct sample *sample = sample_of(STR(text));

    (void)state;
    assert_int_equal(sample->count, COUNT_OF(expected));
    assert_int_equal(sample->partitions, 3);
    assert_null(sample->origin.topic.data);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(sample->partition_of[i], expected[i].partition);
        assert_int_equal(sample->messages[i].offset, expected[i].offset);
        assert_int_equal(sample->messages[i].timestamp_ms, expected[i].timestamp_ms);
        assert_text(sample->messages[i].key, expected[i].key);
        assert_text(sample->messages[i].value, expected[i].value);
    }
    sample_free(sample);
}

static void test_mistakes(void **state)
{
    static const struct {
        struct str text;
        const char *said; /* with the place */
    } cases[] = {
        {STR(""), "there is no record in this sample"},
        {STR("\n\n"), "there is no record"},
        {STR("{\"luaduct_sample\":1}\n"), "there is no record"},
        {STR("{\"value\":\"a\"}\n{\"value\":\"b\",\"ofset\":1}\n"), ":2:14: unknown key \"ofset\"; did you mean \"offset\"?"},
        {STR("{\"val\xC3\xBC" "e\":\"a\"}\n"), ":1:2: unknown key \"val\xC3\xBC" "e\"; did you mean \"value\"?"},
        {STR("{\"key\":\"\xE4\xB8\xAD\xE4\xB8\xAD\",\"x\":1,\"value\":null}"), ":1:13: unknown key \"x\""},
        {STR("{\"key\":\"k\"}\n"), ":1:1: \"value\" is missing; a record without a value (a tombstone)"},
        {STR("{\"value\":\"a\",\"value\":\"b\"}\n"), ":1:14: \"value\" stands twice"},
        {STR("{\"value\":{\"id\":1}}\n"), ":1:2: \"value\" must be text, null, or {\"base64\": \"...\"}; a JSON document is put in as text"},
        {STR("{\"value\":5}\n"), ":1:2: \"value\" must be text, null"},
        {STR("{\"value\":{\"base64\":\"YQ\"}}\n"), ":1:20: \"base64\" is not base64"},
        {STR("{\"value\":{\"base64\":\"YR==\"}}\n"), "is not base64"},
        {STR("{\"value\":{\"base64\":5}}\n"), "\"value\" must be text"},
        {STR("{\"value\":{\"base64\":\"\",\"b\":1}}\n"), "\"value\" must be text"},
        {STR("{\"value\":\"\",\"partition\":-1}\n"), ":1:13: \"partition\" must be a whole number from 0 to 199999"},
        {STR("{\"value\":\"\",\"partition\":\"1\"}\n"), ":1:25: \"partition\" must be a whole number from 0 to 199999, without quotes"},
        {STR("{\"value\":\"\",\"offset\":1.5}\n"), "\"offset\" must be a whole number"},
        {STR("{\"value\":\"\",\"offset\":9223372036854775807}\n"), "\"offset\" must be a whole number"},
        {STR("{\"value\":\"\",\"offset\":99999999999999999999999}\n"), "\"offset\" must be a whole number"},
        {STR("{\"value\":\"\",\"timestamp\":-2}\n"), "\"timestamp\" must be a whole number from -1"},
        {STR("{\"value\":\"\",\"offset\":5}\n{\"value\":\"\",\"offset\":5}\n"), ":2:13: \"offset\": offsets of a partition count up, but 5 stands behind 5"},
        {STR("{\"value\":\"\",\"headers\":{\"a\":\"b\"}}\n"), ":1:13: \"headers\" must be a list of [name, value]"},
        {STR("{\"value\":\"\",\"headers\":[[\"a\"]]}\n"), ":1:25: \"headers\" must be a list of [name, value]"},
        {STR("{\"value\":\"\",\"headers\":[[null,\"a\"]]}\n"), "must be a list of [name, value]"},
        {STR("{\"value\":\"\",\"headers\":[[\"a\",1]]}\n"), "\"headers\" must be text, null"},
        {STR("[1]\n"), ":1:1: a line holds one record in braces"},
        {STR("{\"value\":\"a\"} {\"value\":\"b\"}\n"), ":1:15: this is no JSON"},
        {STR("{\"value\":\"a\",}\n"), ":1:13: this is no JSON"},
        {STR("{\n  \"value\": \"a\"\n}\n"), "a line holds one record, such as"},
        {STR("{\"value\":\"\xE4\xB8\xAD\xFF\"}\n"), ":1:12: this is not UTF-8 text; bytes that are no text are written as"},
        {STR("{\"value\":\"a\0\"}\n"), ":1:12: this is no JSON"},
        {STR("{\"value\":\"\\ud800\"}\n"), "this is no JSON"},
        {STR("{\"luaduct_sample\":2}\n{\"value\":null}\n"), ":1:2: \"luaduct_sample\" must be 1"},
        {STR("{\"luaduct_sample\":1,\"topik\":\"t\"}\n{\"value\":null}\n"), ":1:21: unknown key \"topik\"; did you mean \"topic\"?"},
        {STR("{\"luaduct_sample\":1,\"topic\":5}\n{\"value\":null}\n"), ":1:21: \"topic\" must be text"},
        {STR("{\"value\":null}\n{\"luaduct_sample\":1}\n"), ":2:2: \"luaduct_sample\" begins the first line of a file and no other"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct report *report = report_new();
        struct sample *sample;
        struct buffer printed;

        file_write(cases[i].text);
        buffer_init(&printed, 0);
        if (sample_read(&sample, path, report))
            fail_msg("%.*s: no mistake", STR_ARG(cases[i].text));
        assert_null(sample);
        report_print(report, &printed);
        if (!strstr(buffer_text(&printed), cases[i].said))
            fail_msg("%.*s: expected \"%s\" in:\n%s", STR_ARG(cases[i].text), cases[i].said, buffer_text(&printed));
        buffer_release(&printed);
        report_free(report);
    }
}

/* All at once, but not without end. */
static void test_many_mistakes(void **state)
{
    struct report *report = report_new();
    struct sample *sample;
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    for (int i = 0; i < 1000; i++)
        buffer_print(&text, "{}\n");
    file_write(buffer_str(&text));
    assert_false(sample_read(&sample, path, report));
    assert_int_equal(report_mistakes(report), 21);
    report_free(report);
    unlink(path);
    report = report_new();
    assert_false(sample_read(&sample, path, report));
    buffer_clear(&text);
    report_print(report, &text);
    assert_non_null(strstr(buffer_text(&text), "cannot be read: No such file"));
    report_free(report);
    buffer_release(&text);
}

static void test_another_topic(void **state)
{
    struct sample *sample = sample_of(STR("{\"luaduct_sample\":1,\"topic\":\"orders\"}\n{\"value\":null}\n"));
    struct error error;

    (void)state;
    assert_true(sample_is_of(sample, path, "orders", &error));
    assert_false(sample_is_of(sample, path, "order", &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
    assert_non_null(strstr(error.text, "is a sample of topic orders, and the job reads topic order"));
    sample_free(sample);
    sample = sample_of(STR("{\"value\":null}\n"));
    assert_true(sample_is_of(sample, path, "order", &error));
    sample_free(sample);
}

static struct sample_writer *writer_open(bool force)
{
    struct sample_origin origin = {.topic = STR("t")};
    struct sample_writer *writer;
    struct error error = {0};

    if (!sample_writer_open(&writer, path, force, &origin, &error))
        fail_msg("%s", error.text);
    assert_true(sample_writer_add(writer, &odd_records[0], &error));
    return writer;
}

static void test_writer(void **state)
{
    static const char lines[] = "{\"luaduct_sample\":1,\"topic\":\"t\"}\n{\"partition\":0,\"offset\":12,\"timestamp\":1700000000000,\"key\":\"k\","
                                "\"value\":\"{\\\"id\\\": 1}\"}\n";
    struct sample_origin origin = {0};
    struct sample_writer *writer;
    struct error error = {0};
    struct stat status;

    (void)state;
    umask(0);
    unlink(path);
    writer = writer_open(false);
    assert_int_not_equal(access(path, F_OK), 0); /* there when it is whole, not before */
    assert_true(sample_writer_close(writer, false, &error));
    assert_int_not_equal(access(path, F_OK), 0);

    assert_true(sample_writer_close(writer_open(false), true, &error));
    assert_text(file_read(), STR(lines));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);

    assert_false(sample_writer_open(&writer, path, false, &origin, &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
    assert_non_null(strstr(error.text, "--force"));
    file_write(STR("older"));
    assert_true(sample_writer_close(writer_open(true), true, &error));
    assert_text(file_read(), STR(lines));

    /* What another writer of this process id has begun, and a killed one leaves, is in nobody's way. */
    unlink(path);
    writer = writer_open(false);
    assert_true(sample_writer_close(writer_open(false), true, &error));
    assert_text(file_read(), STR(lines));
    assert_true(sample_writer_close(writer, false, &error));

    /* Somebody makes the file while the sample is taken. */
    unlink(path);
    writer = writer_open(false);
    file_write(STR("newer"));
    assert_false(sample_writer_close(writer, true, &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
    assert_text(file_read(), STR("newer"));

    assert_false(sample_writer_open(&writer, "/nowhere/a.sample", false, &origin, &error));
    assert_int_equal(error.kind, ERROR_FATAL);
    assert_null(writer);
}

/* A full disk: nothing is left, and it is told. */
static void test_writer_without_room(void **state)
{
    struct sample_origin origin = {0};
    struct sample_writer *writer;
    struct error error = {0};
    struct buffer text;
    int kept = dup(STDOUT_FILENO), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    bool ok;

    (void)state;
    fflush(stdout);
    buffer_init(&text, 0);
    assert_true(full >= 0);
    assert_true(dup2(full, STDOUT_FILENO) >= 0);
    ok = sample_writer_open(&writer, NULL, false, &origin, &error) && sample_writer_add(writer, &odd_records[0], &error);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    close(full);
    assert_false(ok);
    assert_int_equal(error.kind, ERROR_FATAL);
    assert_non_null(strstr(error.text, "No space left"));
    assert_true(sample_writer_close(writer, false, &error));
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_large_values),   cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_mistakes),      cmocka_unit_test(test_many_mistakes),  cmocka_unit_test(test_another_topic),
        cmocka_unit_test(test_writer),        cmocka_unit_test(test_writer_without_room),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
