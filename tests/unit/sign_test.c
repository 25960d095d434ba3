/* Signatures: every vector's canonical text and header, both versions; the application signature on top; dates;
 * percent-encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/vectors_fixture.h"
#include "maxcompute/sign.h"

/* What stands behind scheme and host: "/api/projects/p?x" or "". */
static struct str path_of(struct str url)
{
    const char *scheme = strstr(url.data, "://");
    const char *path = scheme ? strchr(scheme + 3, '/') : NULL;

    return path ? str_make(path, (size_t)(url.data + url.size - path)) : STR("");
}

static size_t read_headers(yyjson_val *object, struct sign_header *headers, size_t room)
{
    size_t i, max;
    yyjson_val *name, *value;

    assert_true(yyjson_obj_size(object) <= room);
    yyjson_obj_foreach(object, i, max, name, value) {
        headers[i].name = str_make(yyjson_get_str(name), yyjson_get_len(name));
        headers[i].value = str_make(yyjson_get_str(value), yyjson_get_len(value));
    }
    return yyjson_obj_size(object);
}

static void expect_text(struct buffer *text, struct str wanted)
{
    if (!str_equal(buffer_str(text), wanted))
        fail_msg("got \"%s\", wanted \"%.*s\"", buffer_text(text), STR_ARG(wanted));
    buffer_clear(text);
}

static void test_vectors(void **state)
{
    size_t i, max, versions[2] = {0};
    yyjson_val *vector;

    (void)state;
    yyjson_arr_foreach(vectors_list(&vectors, "signing"), i, max, vector) {
        struct sign_header headers[8];
        size_t count = read_headers(yyjson_obj_get(vector, "headers"), headers, COUNT_OF(headers));
        struct str id = vectors_text(vector, "access_id"), secret = vectors_text(vector, "access_secret");
        struct str canonical = vectors_text(vector, "canonical"), authorization = vectors_text(vector, "authorization");
        struct buffer text;

        print_message("%.*s\n", STR_ARG(vectors_text(vector, "name")));
        buffer_init(&text, 0);
        sign_canonical(&text, vectors_text(vector, "method"), path_of(vectors_text(vector, "url")),
                       path_of(vectors_text(vector, "endpoint")), headers, count);
        expect_text(&text, canonical);
        if (str_is(vectors_text(vector, "version"), "v1")) {
            versions[0]++;
            sign_v1(&text, id, secret, canonical);
        } else {
            versions[1]++;
            sign_v4(&text, id, secret, vectors_text(vector, "region"), vectors_text(vector, "date"), canonical);
        }
        expect_text(&text, authorization);

        /* An application signs the user's header in the same way; only the frame around it is another. */
        if (yyjson_obj_get(vector, "app_access_id")) {
            struct str header = vectors_text(yyjson_obj_get(vector, "extra_headers"), "application-authentication");
            const char *signature = strstr(header.data, "signature:") + strlen("signature:");
            struct buffer wanted;

            buffer_init(&wanted, 0);
            buffer_print(&wanted, "ODPS x:%s", signature);
            sign_v1(&text, STR("x"), vectors_text(vector, "app_access_secret"), authorization);
            expect_text(&text, buffer_str(&wanted));
            buffer_release(&wanted);
        }
        buffer_release(&text);
    }
    assert_true(versions[0] >= 10 && versions[1] >= 2);
}

static void test_published_value(void **state)
{
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    sign_v1(&text, STR("my-access-id"), STR("my-secret-key"), STR("testdata"));
    expect_text(&text, STR("ODPS my-access-id:iAcVTeAghMtN74BeKwFTj/pgFEA="));
    /* An empty key and an empty text. */
    sign_v1(&text, STR("i"), STR_NONE, STR_NONE);
    expect_text(&text, STR("ODPS i:+9sdGxiqbAgyS31ktx+3Y3BpDh0="));
    buffer_release(&text);
}

static void test_canonical_details(void **state)
{
    static const struct sign_header headers[] = {
        {STR("X-ODPS-B"), STR("2")}, {STR("Host"), STR("h")},      {STR("x-odps-a"), STR("1")}, {STR("content-TYPE"), STR("t/p")},
        {STR("x-odps-B"), STR("3")}, {STR("DATE"), STR("the day")},
    };
    static const struct {
        const char *path, *endpoint, *resource;
    } cases[] = {
        {"/api/projects/p?b=&a=1&&c", "/api", "/projects/p?a=1&b&c"},
        {"/api/projects/p", "/api/", "/projects/p"},
        {"/apiprojects/p", "/api", "/apiprojects/p"},
        {"/projects/p?", "", "/projects/p"},
        {"/api", "/api", ""},
        {"/projects/%E6%9D%AD?k=a%3Db%26c+d%zz%4", "", "/projects/\xe6\x9d\xad?k=a=b&c+d%zz%4"},
        {"/p?ab=1&a=2&a=1&B=3", "", "/p?B=3&a=2&a=1&ab=1"},
        {"/p?k=a=b", "", "/p?k=a=b"},
    };
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer wanted;

        buffer_init(&wanted, 0);
        buffer_print(&wanted, "PUT\n\nt/p\nthe day\nx-odps-a:1\nx-odps-b:2,3\n%s", cases[i].resource);
        sign_canonical(&text, STR("PUT"), str_of(cases[i].path), str_of(cases[i].endpoint), headers, COUNT_OF(headers));
        expect_text(&text, buffer_str(&wanted));
        buffer_release(&wanted);
    }
    sign_canonical(&text, STR("GET"), STR("/p"), STR(""), NULL, 0);
    expect_text(&text, STR("GET\n\n\n/p"));
    buffer_release(&text);
}

static void test_date(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {1704164645000, "Tue, 02 Jan 2024 03:04:05 GMT"},
        {1704164645999, "Tue, 02 Jan 2024 03:04:05 GMT"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {951782400000, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {253402300799000, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    struct buffer text;

    (void)state;
    buffer_init(&text, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        sign_date(&text, cases[i].ms);
        expect_text(&text, str_of(cases[i].text));
    }
    buffer_release(&text);
}

static void test_percent_encoding(void **state)
{
    char all[256];
    struct buffer encoded, decoded;

    (void)state;
    buffer_init(&encoded, 0);
    buffer_init(&decoded, 0);
    sign_encode(&encoded, STR("dt=20240101,hh=01 a-b_c.d~/\xe6\x9d\xad"));
    expect_text(&encoded, STR("dt%3D20240101%2Chh%3D01%20a-b_c.d~%2F%E6%9D%AD"));
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    sign_encode(&encoded, str_make(all, sizeof(all)));
    sign_decode(&decoded, buffer_str(&encoded));
    assert_int_equal(decoded.size, sizeof(all));
    assert_memory_equal(decoded.data, all, sizeof(all));
    buffer_clear(&decoded);
    sign_decode(&decoded, STR("%2f%2F+%"));
    expect_text(&decoded, STR("//+%"));
    buffer_release(&encoded);
    buffer_release(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_published_value),
        cmocka_unit_test(test_canonical_details),
        cmocka_unit_test(test_date),
        cmocka_unit_test(test_percent_encoding),
    };

    return cmocka_run_group_tests(tests, vectors_setup, vectors_teardown);
}
