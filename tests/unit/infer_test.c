/* infer_test.c: columns proposed from documents: the types and comments of small samples, and, for many samples made at random,
 * that a job with these columns takes every record of its sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the first four. */
#include <cmocka.h>
#include <unistd.h>

#include "job/job.h"
#include "job/yaml.h"
#include "route/route.h"
#include "sample/infer.h"
#include "stages/chain.h"

static char *proposed(const char *const *documents, size_t count, bool zone)
{
    struct infer_options options = {.field = "__value__", .source = "s", .has_zone = zone};
    struct infer *infer = infer_new();
    struct buffer yaml;

    buffer_init(&yaml, 0);
    for (size_t i = 0; i < count; i++)
        infer_add(infer, str_of(documents[i]));
    infer_print(infer, &options, &yaml);
    infer_free(infer);
    return buffer_take(&yaml, NULL);
}

/* Documents apart by "|"; expected: parts of the page, apart by "|" too. */
static void test_types(void **state)
{
    static const struct {
        const char *documents, *expected;
        bool zone;
    } cases[] = {
        {"{\"a\":1}|{\"a\":-9223372036854775807}", "type: bigint}  # always there; e.g. 1", false},
        {"{\"a\":-9223372036854775808}", "decimal(38,0)\"}|1 beyond 64 bits", false},
        {"{\"a\":1.5}|{\"a\":12}", "\"decimal(18,2)\"", false},
        {"{\"a\":1.125}", "\"decimal(18,4)\"", false},
        {"{\"a\":12345678901234567890.123}", "\"decimal(38,4)\"", false},
        {"{\"a\":1234567890123456789012345678901234567.12}", "type: double|more digits than a decimal has", false},
        {"{\"a\":0.1234567890123456789}", "type: double", false},
        {"{\"a\":1e3}|{\"a\":1.5}", "type: double", false},
        {"{\"a\":1e999}", "type: json|neither a decimal nor a double", false},
        {"{\"a\":true}|{\"a\":null}", "type: boolean}  # 1 null", false},
        {"{\"a\":null}", "type: string|always null", false},
        {"{\"a\":\"\"}", "type: string|always empty", false},
        {"{\"a\":\"9.50\"}|{\"a\":\"10.25\"}", "\"decimal(18,2)\"|decimals as texts", false},
        {"{\"a\":\"1.2\"}|{\"a\":\"1.10\"}", "type: string|numbers as texts", false},
        {"{\"a\":\"00123\"}", "type: string}", false},
        {"{\"a\":\"13800001111\"}", "type: string|numbers as texts", false},
        {"{\"a\":\"9.5\"}|{\"a\":9.25}", "\"decimal(18,2)\"|1 of 2 are texts, which a decimal takes as well", false},
        {"{\"a\":\"x\"}|{\"a\":9}|{\"a\":8}", "type: json|of different kinds: 1 text, 2 numbers", false},
        {"{\"a\":{\"b\":1}}|{\"a\":[1]}", "$.a, type: json|1 object, 1 array", false},
        {"{\"a\":\"2024-02-29\"}", "type: date", false},
        {"{\"a\":\"2024-02-30\"}", "type: string", false},
        {"{\"a\":\"2024-02-29\"}|{\"a\":\"\"}", "type: string|times but for 1 empty text", false},
        {"{\"a\":\"2024-02-29T08:00:00Z\"}|{\"a\":\"2024-02-29T08:00:00Z\"}|{\"a\":\"2024-02-29T08:00:00Z\"}|"
         "{\"a\":\"2024-02-29T08:00:00Z\"}|{\"a\":\"2024-02-29T08:00:00Z\"}|{\"a\":\"2024-02-29T08:00:00Z\"}|"
         "{\"a\":\"2024-02-29T08:00:00Z\"}|{\"a\":\"2024-02-29T08:00:00Z\"}|{\"a\":\"2024-02-29T08:00:00Z\"}|"
         "{\"a\":\"yesterday\"}", "type: string|9 of 10 are times with an offset; with such a type the others would be dirty", false},
        {"{\"a\":\"2024-02-29T00:00:00Z\"}", "type: timestamp}", false},
        {"{\"a\":\"2024-02-29 00:00:00\"}", "type: string|times without an offset", false},
        {"{\"a\":\"2024-02-29 00:00:00\"}", "type: datetime", true},
        {"{\"a\":\"2024-02-29 00:00:00.000001\"}", "type: timestamp}", true},
        {"{\"a\":\"0001-01-01 00:00:00\"}", "type: string", true},
        {"{\"a\":1700000000000}", "milliseconds since 1970? 2023-11-14 22:13:20Z", false},
        {"{\"a\":[]}|{\"a\":[{\"x\":1},2]}", "type: json|0 to 2 elements|expand: $.a would make each element a row", false},
        {"{\"a\":{}}", "$.a, type: json|always an empty object", false},
        {"{\"a\":{\"b\":{\"c\":1}},\"a_b_c\":2}", "{name: a_b_c, path: $.a.b.c|{name: a_b_c_2, path: $.a_b_c", false},
        {"{\"Id\":1,\"ID\":2,\"1x\":3,\"__key__\":4,\"\":5,\"-\":6,\"true\":7}",
         "name: Id,|name: ID_2,|name: c_1x,|name: key, path: $.__key__|name: column, path: \"$['']\"|name: column_2, path: $.-|name: \"true\"", false},
        {"{\"it's\":1,\"a\\\\b\":2,\"\\u0001\":3}", "\"$['it\\\\'s']\"|\"$['a\\\\\\\\b']\"|\"$['\\x01']\"", false},
        {"{\"a\\u0000\":1,\"b\":2}", "1 keys hold a zero byte|name: b", false},
        {"{\"a\":1}|{\"b\":1}", "# in 1 of 2; e.g. 1", false},
        {"{\"a\":1,\"a\":\"x\"}", "type: string", false},
        {"[{\"a\":1},{\"a\":2}]|[]", "expand: $|2 records are arrays, with 2 elements together|path: \"@.a\", type: bigint", false},
        {"[1,2]", "expand: $|name: value, path: \"@\", type: bigint", false},
        {"{\"a\":1}|[1]|5|{", "1 of 4 records is an array at the top|1 of 4 records is a single JSON value|1 of 4 records is no JSON", false},
        {"{\"a\":\"#\\n  b: {\"}", "e.g. \"#\\n  b: {\"", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str rest = str_of(cases[i].documents), part;
        char *documents[16], *page;
        size_t count = 0;

        while (rest.data) {
            str_cut(rest, '|', &part, &rest);
            documents[count++] = str_dup(part);
        }
        page = proposed((const char *const *)documents, count, cases[i].zone);
        for (rest = str_of(cases[i].expected); rest.data;) {
            char *wanted;

            str_cut(rest, '|', &part, &rest);
            wanted = str_dup(part);
            if (!strstr(page, wanted))
                fail_msg("%s: not found: %s\n%s", cases[i].documents, wanted, page);
            free(wanted);
        }
        free(page);
        while (count)
            free(documents[--count]);
    }
}

static void test_bounds(void **state)
{
    struct buffer text;
    const char *document;
    char *page;

    (void)state;
    buffer_init(&text, 0);
    buffer_append_char(&text, '{');
    for (int i = 0; i < 1100; i++)
        buffer_print(&text, "%s\"k%d\":1", i ? "," : "", i);
    buffer_append_char(&text, '}');
    document = buffer_text(&text);
    page = proposed(&document, 1, false);
    assert_non_null(strstr(page, "100 more paths are left out"));
    free(page);

    buffer_clear(&text);
    buffer_append_str(&text, STR("{\"m\":{"));
    for (int i = 0; i < 300; i++)
        buffer_print(&text, "%s\"%d\":1", i ? "," : "", i);
    buffer_append_str(&text, STR("}}"));
    document = buffer_text(&text);
    page = proposed(&document, 1, false);
    assert_non_null(strstr(page, "{name: m, path: $.m, type: json}"));
    assert_non_null(strstr(page, "an object of more than 256 keys"));
    free(page);

    buffer_clear(&text);
    for (int i = 0; i < 40; i++)
        buffer_append_str(&text, STR("{\"d\":"));
    buffer_append_char(&text, '1');
    for (int i = 0; i < 40; i++)
        buffer_append_char(&text, '}');
    document = buffer_text(&text);
    page = proposed(&document, 1, false);
    assert_non_null(strstr(page, "type: json}"));
    assert_non_null(strstr(page, "levels below this one"));
    free(page);
    buffer_release(&text);
}

/* --- samples at random --- */

static uint64_t seed;

static unsigned pick(unsigned count)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 20) % count);
}

static const char *const keys[] = {"id", "ID", "a", "a_b", "b", "true", "null", "", " ", "it's", "back\\\\slash", "q\\\"", "\\u0001", "\\u2028",
                                   "\xE4\xB8\xAD\xE6\x96\x87", "1x", "__value__", "__key__", "x-y", "$", "@", "a.b", "[0]", "#", "k: v", "\\u0000z"};
static const char *const values[][10] = {
    {"0", "1", "-1", "9223372036854775807", "-9223372036854775807", "1700000000000"},
    {"0", "-0", "9223372036854775808", "-9223372036854775808", "123456789012345678901234567890"},
    {"1.5", "0.25", "-100.125", "0.000001", "7", "12345678901234567.5", "-0.0", "0.10"},
    {"1e3", "1.5E-7", "2", "1e308", "0e0", "-1.0e+2"},
    {"1e400", "1", "-1e999"},
    {"0.1234567890123456789012", "1234567890123456789012345678901234567890123", "5"},
    {"true", "false"},
    {"\"\"", "\"x\"", "\"\\u0000\"", "\"\xE4\xB8\xAD\"", "\"a\\nb\"", "\"00123\""},
    {"\"2024-01-31\"", "\"0001-01-01\"", "\"9999-12-31\"", "\"2024-02-29\""},
    {"\"2024-01-31T00:00:00Z\"", "\"2024-01-31 00:00:00.123456789+08:00\"", "\"9999-12-31T23:59:59-08:00\"", "\"2024-01-31T00:00Z\""},
    {"\"2024-01-31T00:00:00Z\"", "\"2024-01-31 00:00:00.123456789+08:00\""},
    {"\"2024-01-31 00:00:00\"", "\"2024-01-31T00:00:00.5\"", "\"2024-03-10 02:30\""},
    {"\"2024-01-31 00:00:00\"", "\"0001-01-01 00:00:00\"", "\"2024-01-31\""},
    {"\"1.50\"", "\"-0.25\"", "\"1000000.00\""},
    {"\"1.5\"", "\"2.25\"", "\"3\"", "4.125", "\"-1e2\""},
    {"\"1.5\"", "2", "\"-7\"", "0.333"},
    {"[]", "[1]", "[{\"x\":[2]}]", "[null,\"a\"]"},
    {"{}", "{}"},
};

static void value_make(struct buffer *text, unsigned kind, unsigned depth);

static void object_make(struct buffer *text, uint64_t shape, unsigned depth)
{
    unsigned count = (unsigned)(shape % 7) + (depth == 0);

    buffer_append_char(text, '{');
    for (unsigned i = 0, written = 0; i < count; i++) {
        unsigned key = (unsigned)((shape >> (i * 5)) + i * 7 + depth) % COUNT_OF(keys);
        unsigned kind = (unsigned)((shape >> (i * 3)) + i * 5 + depth * 3) % (COUNT_OF(values) + 4);

        if (pick(8) == 0)
            continue;
        if (pick(40) == 0) /* now and then of another kind */
            kind = pick(COUNT_OF(values));
        buffer_print(text, "%s\"%s\":", written++ ? "," : "", keys[key]);
        value_make(text, kind, depth + 1);
    }
    buffer_append_char(text, '}');
}

static void value_make(struct buffer *text, unsigned kind, unsigned depth)
{
    unsigned count = 0;

    if (pick(12) == 0) {
        buffer_append_str(text, STR("null"));
    } else if (kind >= COUNT_OF(values)) {
        if (depth < 24)
            object_make(text, (uint64_t)kind * 0x9E3779B97F4A7C15u >> 8, depth);
        else
            buffer_append_str(text, STR("{}"));
    } else {
        while (count < 10 && values[kind][count])
            count++;
        buffer_append_str(text, str_of(values[kind][pick(count)]));
    }
}

static struct job *job_of_page(const char *path, const char *page, const char *zone, struct report *report)
{
    FILE *file = fopen(path, "we");
    struct tree_node *tree, *list, *empty;
    struct job *job;

    assert_non_null(file);
    fprintf(file, "stages:\n  - name: parse\n    kind: json\n%s", page);
    fclose(file);
    if (!yaml_read(&tree, path, report))
        return NULL;
    list = tree->entries[0].value;
    empty = calloc(1, sizeof(*empty));
    tree->entries[0].value = empty;
    if (!job_of_parts(&job, path, list, NULL, zone, report)) {
        job_free(job);
        job = NULL;
    }
    tree_free(tree);
    return job;
}

static void sample_check(const char *path, char **documents, size_t count, bool array, const char *zone)
{
    struct report *report = report_new();
    char *page = proposed((const char *const *)documents, count, zone != NULL);
    struct job *job = job_of_page(path, page, zone, report);
    struct batch *batch = batch_new(256 << 20);
    struct log *log = log_new(NULL, "test");
    struct error error = {0};
    struct mc_schema schema;
    struct chain *chain;
    struct route *route;
    struct routed routed;
    struct buffer text;

    buffer_init(&text, 0);
    if (!job) {
        report_print(report, &text);
        fail_msg("%s\n%s", buffer_text(&text), page);
    }
    if (!chain_open(&chain, job, NULL, log, &error) || !chain_probe(chain, job, batch, NULL, &error))
        fail_msg("%s\n%s", error.text, page);
    if (!route_create_schema(job, batch, &schema, report)) {
        report_print(report, &text);
        fail_msg("%s\n%s", buffer_text(&text), page);
    }
    assert_true(route_open(&route, job, &schema, NULL, log, &error));
    batch_clear(batch);
    for (size_t i = 0; i < count; i++)
        batch_add_message(batch, &(struct message){.value = str_of(documents[i]), .offset = (int64_t)i}, NULL);
    batch->partition = 0;
    assert_true(batch_begin(batch, job->source.fields));
    assert_true(chain_process(chain, batch, &error));
    assert_true(route_batch(route, batch, &routed, &error));
    if (batch->dirty)
        fail_msg("seed: %.*s %.*s: %s\n%s", STR_ARG(batch->dirty->column), STR_ARG(batch->dirty->reason),
                 documents[batch->dirty->message], page);
    if (!array)
        assert_int_equal(batch->selected, count);
    route_free(route);
    mc_schema_release(&schema);
    chain_free(chain);
    batch_free(batch);
    job_free(job);
    log_free(log);
    report_free(report);
    buffer_release(&text);
    free(page);
}

static void test_no_row_is_dirty(void **state)
{
    enum { SAMPLES = 300, RECORDS_MAX = 60 };
    char path[] = "/tmp/infer_test.XXXXXX";
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0);
    close(file);
    for (unsigned sample = 1; sample <= SAMPLES; sample++) {
        char *documents[RECORDS_MAX];
        unsigned count;
        bool array;
        uint64_t shape;

        seed = sample * 0x9E3779B97F4A7C15u;
        count = 1 + pick(RECORDS_MAX);
        array = pick(6) == 0;
        shape = seed;
        for (unsigned i = 0; i < count; i++) {
            struct buffer text;

            buffer_init(&text, 0);
            if (array) {
                buffer_append_char(&text, '[');
                for (unsigned j = 0, of = pick(4); j < of; j++) {
                    if (j)
                        buffer_append_char(&text, ',');
                    object_make(&text, shape, 0);
                }
                buffer_append_char(&text, ']');
            } else {
                object_make(&text, shape, 0);
            }
            documents[i] = buffer_take(&text, NULL);
        }
        sample_check(path, documents, count, array, sample % 2 ? "Asia/Shanghai" : NULL);
        while (count)
            free(documents[--count]);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_no_row_is_dirty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
