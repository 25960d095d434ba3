/* dirty_test.c: lines, files and their limits, reasons. */
#include "dirty/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* 2023-11-14 22:13:20.123 */
static const int64_t now = 1700000000123;

static char *make_folder(void)
{
    char name[] = "/tmp/luaduct-dirty-XXXXXX";

    assert_non_null(mkdtemp(name));
    return xstrdup(name);
}

/* All files of the folder one after the other by name, each with a leading <; removes them. Returns their number. */
static unsigned read_folder(const char *folder, struct buffer *text)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    unsigned files = 0;

    assert_true(count >= 0);
    buffer_clear(text);
    for (int i = 0; i < count; i++) {
        char *path = xasprintf("%s/%s", folder, entries[i]->d_name);

        if (entries[i]->d_name[0] != '.') {
            FILE *file = fopen(path, "r");
            int c;

            assert_non_null(file);
            buffer_append_char(text, '<');
            while ((c = getc(file)) != EOF)
                buffer_append_char(text, (char)c);
            fclose(file);
            assert_int_equal(unlink(path), 0);
            files++;
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    return files;
}

static void print_handle(void *handle, struct buffer *text)
{
    buffer_append_str(text, str_of(handle));
}

static void lines_hold_all_that_is_needed_to_run_them_again(void **state)
{
    static const struct dirty_origin origin = {"job \"x\"", "orders", NULL, "abcdef012345"};
    struct batch *batch = batch_new(4 << 20);
    struct message messages[] = {
        {.key = STR("k"), .value = STR("{\"a\":\"\n\"}"), .offset = 40, .timestamp_ms = 5},
        {.key = STR_NONE, .value = {"\xFFz", 2}, .headers = STR("[[\"h\",\"1\"]]"), .offset = 41, .timestamp_ms = 6},
        {.key = STR(""), .value = STR_NONE, .offset = 42, .timestamp_ms = 7},
    };
    static const char *const wanted[] = {
        ",\"topic\":\"orders\",\"topic_id\":null,\"partition\":9,\"offset\":40,\"index\":0,\"timestamp\":5,\"stage\":\"parse\",\"column\":\"a\","
        "\"reason\":\"bad \\\"x\\\"\",\"key\":\"k\",\"value\":\"{\\\"a\\\":\\\"\\n\\\"}\"}\n",
        "\"offset\":41,\"index\":0,\"timestamp\":6,\"stage\":\"parse\",\"column\":null,\"reason\":\"r\",\"key\":null,"
        "\"value\":{\"base64\":\"/3o=\"},\"headers\":[[\"h\",\"1\"]]}\n",
        "\"offset\":42,\"index\":0,\"timestamp\":7,\"stage\":\"parse\",\"column\":null,\"reason\":\"r\",\"key\":\"\",\"value\":null,"
        "\"headers\":[[\"asked\",null]]}\n",
    };
    char none[] = "", asked[] = "[[\"asked\",null]]";
    struct buffer lines;

    (void)state;
    buffer_init(&lines, 0);
    batch->partition = 9;
    for (size_t i = 0; i < 3; i++)
        batch_add_message(batch, &messages[i], i == 2 ? asked : none);
    batch->print_headers = print_handle;
    assert_true(batch_begin(batch, 0));
    batch->stage = "parse";
    batch_fail(batch, 0, STR("a"), "bad \"x\"");
    batch_fail(batch, 1, STR_NONE, "r");
    batch_fail(batch, 2, STR_NONE, "r");
    dirty_format(batch, &origin, now, &lines);
    assert_memory_equal(lines.data, "{\"time\":\"2023-11-14T22:13:20.123Z\",\"job\":\"job \\\"x\\\"\",\"version\":\"", 62);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(strstr(buffer_text(&lines), wanted[i]));
    buffer_release(&lines);
    batch_free(batch);
}

/* A record that became several rows is given with the first dirty one of them, and no more than once. */
static void a_record_is_given_once(void **state)
{
    static const struct dirty_origin origin = {"j", "t", NULL, NULL};
    static const uint32_t source[] = {0, 0, 0, 0, 1, 1};
    static const struct {
        uint32_t row;
        int64_t offset;
        uint32_t index;
        int64_t record_at;
        const char *value;
    } rows[] = {
        {3, 40, 3, -1, "many"}, /* the order is that in which they failed */
        {1, 40, 1, 3, NULL}, {4, 41, 0, -1, NULL}, {0, 40, 0, 3, NULL}, {5, 41, 1, 0, NULL}, {2, 40, 2, 3, NULL},
    };
    struct batch *batch = batch_new(4 << 20);
    char headers[] = "[[\"h\",\"1\"]]";
    struct str line, rest;
    struct buffer lines;

    (void)state;
    buffer_init(&lines, 0);
    batch_add_message(batch, &(struct message){.key = STR("k"), .value = STR("many"), .offset = 40}, headers);
    batch_add_message(batch, &(struct message){.value = STR_NONE, .offset = 41}, headers);
    batch->print_headers = print_handle;
    batch->partition = 3;
    assert_true(batch_begin(batch, 0));
    assert_true(batch_expand(batch, source, COUNT_OF(source)));
    batch->stage = "s";
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        batch_fail(batch, rows[i].row, STR_NONE, "r");
    dirty_format(batch, &origin, now, &lines);
    rest = buffer_str(&lines);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct dirty_record record;

        str_cut(rest, '\n', &line, &rest);
        assert_true(dirty_record_read(&record, line));
        assert_int_equal(record.offset, rows[i].offset);
        assert_int_equal(record.index, rows[i].index);
        assert_int_equal(record.record_at, rows[i].record_at);
        assert_true(rows[i].value ? str_is(record.value, rows[i].value) : !record.value.data);
        for (size_t j = 0; j < 3; j++) {
            static const char *const members[] = {"\"key\":", "\"value\":", "\"headers\":[[\"h\""};

            assert_int_equal(memmem(line.data, line.size, members[j], strlen(members[j])) != NULL, rows[i].record_at < 0);
        }
        dirty_record_release(&record);
    }
    assert_int_equal(rest.size, 0);
    buffer_release(&lines);
    batch_free(batch);
}

static void files_are_rotated_and_counted(void **state)
{
    char *folder = make_folder(), *below = xasprintf("%s/a/b", folder);
    struct dirty_options options = {.directory = below, .file_bytes_max = 10, .bytes_max = 100};
    struct dirty_store *store;
    struct error error;
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    assert_true(dirty_store_open(&store, &options, &error));
    assert_true(dirty_sync(store, &error));
    assert_true(dirty_append(store, STR("1234\n"), now, &error));
    assert_true(dirty_append(store, STR("5678\n"), now, &error));
    assert_true(dirty_append(store, STR("9\n"), now, &error));
    assert_true(dirty_append(store, STR("a line longer than a file\n"), now, &error));
    assert_true(dirty_append(store, STR(""), now, &error));
    assert_true(dirty_sync(store, &error));
    assert_int_equal(dirty_bytes(store), 38);
    dirty_store_close(store);
    /* Opened again: what is there counts, and the same time and process find another name. */
    options.bytes_max = 40;
    assert_true(dirty_store_open(&store, &options, &error));
    assert_int_equal(dirty_bytes(store), 38);
    assert_true(dirty_append(store, STR("b\n"), now, &error));
    assert_false(dirty_append(store, STR("c\n"), now, &error));
    assert_int_equal(error.kind, ERROR_FATAL);
    assert_non_null(strstr(error.text, "dirty.bytes_max"));
    dirty_store_close(store);
    assert_int_equal(read_folder(below, &text), 4);
    assert_string_equal(buffer_text(&text), "<1234\n5678\n<9\n<a line longer than a file\n<b\n");
    buffer_release(&text);
    assert_int_equal(rmdir(below), 0);
    below[strlen(below) - 2] = '\0';
    assert_int_equal(rmdir(below), 0);
    assert_int_equal(rmdir(folder), 0);
    free(below);
    free(folder);
}

static void names_tell_time_and_process(void **state)
{
    char *folder = make_folder(), *path = xasprintf("%s/dirty-20231114T221320123-%ld.ndjson", folder, (long)getpid());
    struct dirty_options options = {.directory = folder, .file_bytes_max = 1 << 20};
    struct dirty_store *store;
    struct error error;
    struct stat status;

    (void)state;
    assert_true(dirty_store_open(&store, &options, &error));
    assert_true(dirty_append(store, STR("1\n"), now, &error));
    dirty_store_close(store);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07, 0); /* it holds records: not for everybody */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    free(path);
    free(folder);
}

static void a_full_disk_leaves_whole_lines(void **state)
{
    char *folder = make_folder();
    struct dirty_options options = {.directory = folder, .file_bytes_max = 1 << 20};
    struct rlimit before, limit;
    struct dirty_store *store;
    struct error error;
    struct buffer text;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    bool first, second, third;

    (void)state;
    buffer_init(&text, 0);
    assert_true(dirty_store_open(&store, &options, &error));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    first = dirty_append(store, STR("123456\n"), now, &error);
    second = dirty_append(store, STR("789012\n"), now, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(first);
    assert_false(second);
    assert_int_equal(error.kind, ERROR_FATAL);
    assert_non_null(strstr(error.text, folder));
    assert_non_null(strstr(error.text, "cannot be written"));
    assert_int_equal(dirty_bytes(store), 7);
    third = dirty_append(store, STR("x\n"), now, &error);
    assert_true(third);
    assert_true(dirty_sync(store, &error));
    dirty_store_close(store);
    assert_int_equal(read_folder(folder, &text), 1);
    assert_string_equal(buffer_text(&text), "<123456\nx\n");
    buffer_release(&text);
    assert_int_equal(rmdir(folder), 0);
    free(folder);
    signal(SIGXFSZ, handler);
}

/* People clean up while the job runs: what was not synced yet and what comes later is kept all the same. */
static void a_file_that_is_taken_away_is_begun_anew(void **state)
{
    char *folder = make_folder(), *below = xasprintf("%s/a/dirty", folder), *away = xasprintf("%s/away", folder);
    struct dirty_options options = {.directory = below, .file_bytes_max = 1 << 20};
    struct dirty_store *store;
    struct error error;
    struct buffer text, many;

    (void)state;
    buffer_init(&text, 0);
    buffer_init(&many, 0);
    assert_true(dirty_store_open(&store, &options, &error));
    /* The folder, before there is a file. */
    assert_int_equal(rmdir(below), 0);
    assert_true(dirty_append(store, STR("0\n"), now, &error));
    assert_true(dirty_sync(store, &error));
    assert_int_equal(read_folder(below, &text), 1);
    assert_string_equal(buffer_text(&text), "<0\n");
    /* Removed after a sync: what was durable is the remover's, the rest goes into a new file. */
    assert_true(dirty_append(store, STR("1\n"), now, &error));
    assert_true(dirty_sync(store, &error));
    assert_true(dirty_append(store, STR("2\n"), now, &error));
    assert_int_equal(read_folder(below, &text), 1);
    assert_true(dirty_append(store, STR("3\n"), now, &error));
    assert_true(dirty_sync(store, &error));
    assert_int_equal(dirty_bytes(store), 4);
    assert_int_equal(read_folder(below, &text), 1);
    assert_string_equal(buffer_text(&text), "<2\n3\n");
    /* Removed before a sync, with the folder; more than is copied at once. */
    for (unsigned i = 0; i < 30000; i++)
        buffer_print(&many, "%u\n", i);
    assert_true(dirty_append(store, buffer_str(&many), now, &error));
    assert_int_equal(read_folder(below, &text), 1);
    assert_int_equal(rmdir(below), 0);
    below[strlen(below) - 6] = '\0';
    assert_int_equal(rmdir(below), 0);
    below[strlen(below)] = '/';
    assert_true(dirty_sync(store, &error));
    assert_int_equal(read_folder(below, &text), 1);
    assert_memory_equal(text.data + 1, many.data, many.size);
    assert_int_equal(text.size, many.size + 1);
    /* Moved away, the folder too. */
    assert_true(dirty_append(store, STR("4\n"), now, &error));
    assert_true(dirty_sync(store, &error));
    assert_int_equal(rename(below, away), 0);
    assert_true(dirty_append(store, STR("5\n"), now, &error));
    assert_true(dirty_sync(store, &error));
    assert_int_equal(read_folder(away, &text), 1);
    assert_string_equal(buffer_text(&text), "<4\n");
    /* And where no new one can be made nothing is durable. */
    assert_true(dirty_append(store, STR("6\n"), now, &error));
    assert_int_equal(read_folder(below, &text), 1);
    assert_string_equal(buffer_text(&text), "<5\n6\n");
    assert_int_equal(rmdir(below), 0);
    assert_int_equal(rename(away, below), 0);
    assert_int_equal(rmdir(below), 0);
    assert_int_equal(close(creat(below, 0600)), 0);
    assert_false(dirty_sync(store, &error));
    assert_int_equal(error.kind, ERROR_FATAL);
    assert_non_null(strstr(error.text, below));
    assert_false(dirty_sync(store, &error));
    assert_false(dirty_append(store, STR("7\n"), now, &error));
    dirty_store_close(store);
    assert_int_equal(unlink(below), 0);
    below[strlen(below) - 6] = '\0';
    assert_int_equal(rmdir(below), 0);
    assert_int_equal(rmdir(folder), 0);
    buffer_release(&text);
    buffer_release(&many);
    free(below);
    free(away);
    free(folder);
}

static void a_folder_that_cannot_be_is_found_at_start(void **state)
{
    struct dirty_options options = {.directory = "/dev/null/dirty", .file_bytes_max = 10};
    struct dirty_store *store;
    struct error error;

    (void)state;
    assert_false(dirty_store_open(&store, &options, &error));
    assert_int_equal(error.kind, ERROR_FATAL);
    assert_non_null(strstr(error.text, "/dev/null"));
    dirty_store_close(NULL);
}

static void reasons_are_counted_without_their_values(void **state)
{
    struct dirty_reasons *reasons = dirty_reasons_new(), *other = dirty_reasons_new();
    struct batch *batch = batch_new(4 << 20);
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    for (int i = 0; i < 400; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = i}, NULL);
    assert_true(batch_begin(batch, 0));
    batch->stage = "parse";
    batch_fail(batch, 0, STR("b"), "missing");
    for (uint32_t i = 1; i < 4; i++)
        batch_fail(batch, i, STR("a"), "not a number: \"%u\"", i);
    batch_fail(batch, 4, STR_NONE, "\"quoted\" is odd");
    dirty_reasons_add(reasons, batch);
    dirty_reasons_print(reasons, 2, &text);
    assert_string_equal(buffer_text(&text), "3 times parse (a): not a number; 1 time parse (b): missing; 1 time other reasons");
    dirty_reasons_merge(other, reasons);
    dirty_reasons_merge(other, reasons);
    buffer_clear(&text);
    dirty_reasons_print(other, 9, &text);
    assert_string_equal(buffer_text(&text),
                        "6 times parse (a): not a number; 2 times parse (b): missing; 2 times parse: is odd");
    dirty_reasons_clear(other);
    for (uint32_t i = 5; i < 400; i++)
        batch_fail(batch, i, STR_NONE, "kind %u", i);
    dirty_reasons_add(other, batch);
    buffer_clear(&text);
    dirty_reasons_print(other, 1, &text);
    /* 3 kinds before, 253 of the 395 new ones; the rest are others as well. */
    assert_string_equal(buffer_text(&text), "3 times parse (a): not a number; 397 times other reasons");
    buffer_clear(&text);
    dirty_reasons_clear(other);
    dirty_reasons_print(other, 1, &text);
    assert_int_equal(text.size, 0);
    buffer_release(&text);
    batch_free(batch);
    dirty_reasons_free(reasons);
    dirty_reasons_free(other);
    dirty_reasons_free(NULL);
}

/* However many values there are: one kind for each thing that is wrong, and one count a column. */
static void values_make_no_kinds_of_their_own(void **state)
{
    static const struct {
        const char *reason, *kind;
    } cases[] = {
        {"128 is out of the range of TINYINT", "is out of the range of TINYINT"},
        {"-1.5 is not a whole number, for type bigint", "is not a whole number, for type bigint"},
        {"2024-01-01 10:00:00.5Z has a time of day", "has a time of day"},
        {"0x00ff... is not valid UTF-8", "is not valid UTF-8"},
        {"\"x\" is not a bigint, for type bigint", "is not a bigint, for type bigint"},
        {"\"a \"b\" c\"... and what follows has more than 8 MiB", "and what follows has more than 8 MiB"},
        {"\"{\"a\" : \"b\"}\" holds a value that is odd: \"b c\" at $.a", "holds a value that is odd"},
        {"\"1\" (epoch milliseconds) is outside", "(epoch milliseconds) is outside"},
        {"a string cannot be a bigint: \"7\"", "a string cannot be a bigint"},
        {"1000 // (id % 3): division by zero", "1000 // (id % 3): division by zero"},
        {"city ~ '(?:a+)+$': the pattern takes too many steps on this value (match limit)",
         "city ~ '(?:a+)+$': the pattern takes too many steps on this value (match limit)"},
        {"- 10: 7", "- 10"},
        {"a string cannot be a bigint: \"7: the text \"", "a string cannot be a bigint"},
        {"odd: the city", "odd"},
        {"not a date-time such as 2024-01-31 23:59:59: \"yesterday\"", "not a date-time such as 2024-01-31 23:59:59"},
        {"slow.lua:13: attempt to compare number with nil", "slow.lua:13: attempt to compare number with nil"},
        {"a/b.lua:7: no price: of tea", "a/b.lua:7: no price"},
        {"a.lua:7: ", "a.lua:7"},
        {"a.lua:x: y", "a.lua:x"},
        {"a.lua:7", "a.lua:7"},
        {"of a.lua:7: y", "of a.lua:7"},
        {"id * 2: the result is beyond 64 bits", "id * 2: the result is beyond 64 bits"},
        {"\"\"", "\"\""},
        {"12", "12"},
        {"-", "-"},
        {": x", ": x"},
    };
    struct dirty_reasons *reasons = dirty_reasons_new(), *sum = dirty_reasons_new();
    const struct dirty_column *columns;
    struct buffer text;
    uint64_t others;
    size_t count;
    char name[32];

    (void)state;
    buffer_init(&text, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char wanted[200];

        dirty_reasons_clear(reasons);
        buffer_clear(&text);
        dirty_reasons_add_row(reasons, STR("mapping"), STR("c"), str_of(cases[i].reason));
        dirty_reasons_print(reasons, 1, &text);
        snprintf(wanted, sizeof(wanted), "1 time mapping (c): %s", cases[i].kind);
        assert_string_equal(buffer_text(&text), wanted);
    }
    dirty_reasons_clear(reasons);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "%d%c is odd", i, 'a' + i % 3);
        dirty_reasons_add_row(reasons, STR("mapping"), i % 4 ? STR("a") : STR("b"), str_of(name));
    }
    dirty_reasons_add_row(reasons, STR("parse"), STR_NONE, STR("odd"));
    dirty_reasons_merge(sum, reasons);
    dirty_reasons_merge(sum, reasons);
    buffer_clear(&text);
    dirty_reasons_print_columns(sum, 9, &text);
    assert_string_equal(buffer_text(&text), "mapping (a) 1500, mapping (b) 500, parse 2");
    buffer_clear(&text);
    dirty_reasons_print_columns(sum, 1, &text);
    assert_string_equal(buffer_text(&text), "mapping (a) 1500, others 502");
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        dirty_reasons_add_row(sum, STR("mapping"), str_of(name), STR("odd"));
    }
    columns = dirty_reasons_columns(sum, &count, &others);
    assert_int_equal(count, 1024);
    assert_int_equal(others, 2000 - (1024 - 3));
    assert_string_equal(columns[0].column, "b");
    assert_int_equal(columns[0].count, 500);
    dirty_reasons_clear(sum);
    (void)dirty_reasons_columns(sum, &count, &others);
    assert_int_equal(count + others, 0);
    buffer_release(&text);
    dirty_reasons_free(reasons);
    dirty_reasons_free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_hold_all_that_is_needed_to_run_them_again),
        cmocka_unit_test(a_record_is_given_once),
        cmocka_unit_test(files_are_rotated_and_counted),
        cmocka_unit_test(names_tell_time_and_process),
        cmocka_unit_test(a_full_disk_leaves_whole_lines),
        cmocka_unit_test(a_file_that_is_taken_away_is_begun_anew),
        cmocka_unit_test(a_folder_that_cannot_be_is_found_at_start),
        cmocka_unit_test(reasons_are_counted_without_their_values),
        cmocka_unit_test(values_make_no_kinds_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
