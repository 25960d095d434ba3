/* buffer_test.c: growth, limits, JSON strings, base64. */
#include "util/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void a_buffer_grows_and_gives_its_bytes_away(void **state)
{
    struct buffer buffer;
    size_t size;
    char *data;

    (void)state;
    buffer_init(&buffer, 0);
    assert_true(str_is(buffer_str(&buffer), ""));
    for (int i = 0; i < 1000; i++)
        buffer_print(&buffer, "%03d,", i);
    assert_int_equal(buffer.size, 4000);
    assert_memory_equal(buffer.data + 3996, "999,", 4);
    assert_int_equal(strlen(buffer_text(&buffer)), 4000);
    data = buffer_take(&buffer, &size);
    assert_int_equal(size, 4000);
    assert_int_equal(data[4000], 0);
    assert_null(buffer.data);
    free(data);
    data = buffer_take(&buffer, &size);
    assert_string_equal(data, "");
    free(data);
    buffer_release(&buffer);
}

static void a_limit_drops_what_does_not_fit(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_append_str(&buffer, STR("12345678"));
    assert_false(buffer.failed);
    buffer_append_str(&buffer, STR("901"));
    assert_true(buffer.failed);
    assert_int_equal(buffer.size, 8);
    buffer_clear(&buffer);
    buffer_append_str(&buffer, STR("1234567890"));
    assert_false(buffer.failed);
    assert_false(buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer.failed);
    buffer_release(&buffer);
}

static void json_strings_are_escaped(void **state)
{
    static const struct {
        struct str text;
        const char *json;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{"a\"b\\c", 5}, "\"a\\\"b\\\\c\""},
        {{"\n\t\r\x01\0", 5}, "\"\\n\\t\\r\\u0001\\u0000\""},
        {{"\xE4\xB8\x8A", 3}, "\"\xE4\xB8\x8A\""},
        {{"a\xFFz", 3}, "\"a\\ufffdz\""},
        {{"\xE4\xB8", 2}, "\"\\ufffd\\ufffd\""},
    };
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_clear(&buffer);
        buffer_append_json(&buffer, cases[i].text);
        assert_string_equal(buffer_text(&buffer), cases[i].json);
    }
    buffer_release(&buffer);
}

static void base64_follows_rfc_4648(void **state)
{
    static const char *const cases[][2] = {{"", ""},         {"f", "Zg=="},       {"fo", "Zm8="},
                                           {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xFB\xFF", "+/8="}};
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_clear(&buffer);
        buffer_append_base64(&buffer, str_of(cases[i][0]));
        assert_string_equal(buffer_text(&buffer), cases[i][1]);
    }
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_and_gives_its_bytes_away),
        cmocka_unit_test(a_limit_drops_what_does_not_fit),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(base64_follows_rfc_4648),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
