/* json_scan_test.c: the short way through a document decides nothing: with and without it all columns, NULLs, dirty rows and
 * reasons are the same. Each document lies in a block of its own size, so that a sanitizer finds any byte read beyond it. */
#include "batch/kernels/json_scan.h"
#include "local/orders.h"
#include "support/cell_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { RANDOM_DOCUMENTS = 20000, BATCH_DOCUMENTS = 1000 };

static const struct json_column orders_columns[] = {
    {.name = STR("id"), .path = STR("$.id"), .type = {.kind = TYPE_BIGINT}, .required = true},
    {.name = STR("user"), .path = STR("$.user"), .type = {.kind = TYPE_STRING}, .required = true},
    {.name = STR("phone"), .path = STR("$.phone"), .type = {.kind = TYPE_STRING}, .required = true},
    {.name = STR("email"), .path = STR("$.email"), .type = {.kind = TYPE_STRING}, .required = true},
    {.name = STR("ts"), .path = STR("$.ts"), .type = {.kind = TYPE_BIGINT}, .required = true},
    {.name = STR("amount"), .path = STR("$.amount"), .type = {TYPE_DECIMAL, 10, 2}, .required = true},
    {.name = STR("city"), .path = STR("$.city"), .type = {.kind = TYPE_STRING}, .required = true},
    {.name = STR("flag"), .path = STR("$.flag"), .type = {.kind = TYPE_BOOLEAN}, .required = true},
};

static const struct json_column loose_columns[] = {
    {.name = STR("level"), .path = STR("$.profile.level"), .type = {.kind = TYPE_DOUBLE}},
    {.name = STR("source"), .path = STR("$.profile.source"), .type = {.kind = TYPE_STRING}, .has_default = true,
     .default_text = STR("none")},
    {.name = STR("ts"), .path = STR("$.ts"), .type = {TYPE_DECIMAL, 38, 4}},
    {.name = STR("id"), .path = STR("$.id"), .type = {.kind = TYPE_DOUBLE}, .has_default = true, .default_text = STR("7"),
     .required = true},
    {.name = STR("city"), .path = STR("$.city"), .type = {.kind = TYPE_STRING}},
    {.name = STR("none"), .path = STR("$.none.at.all"), .type = {.kind = TYPE_TIMESTAMP}},
};

/* One column of each type, and members inside of one of them. */
static const struct json_column all_columns[] = {
    {.name = STR("s"), .path = STR("$.s"), .type = {.kind = TYPE_STRING}},
    {.name = STR("i"), .path = STR("$.i"), .type = {.kind = TYPE_BIGINT}},
    {.name = STR("f"), .path = STR("$.f"), .type = {.kind = TYPE_DOUBLE}},
    {.name = STR("b"), .path = STR("$.b"), .type = {.kind = TYPE_BOOLEAN}},
    {.name = STR("d"), .path = STR("$.d"), .type = {TYPE_DECIMAL, 20, 3}},
    {.name = STR("day"), .path = STR("$.day"), .type = {.kind = TYPE_DATE}},
    {.name = STR("t"), .path = STR("$.t"), .type = {.kind = TYPE_DATETIME}},
    {.name = STR("z"), .path = STR("$.z"), .type = {.kind = TYPE_TIMESTAMP}},
    {.name = STR("n"), .path = STR("$.n"), .type = {.kind = TYPE_TIMESTAMP_NTZ}},
    {.name = STR("sx"), .path = STR("$.s.x"), .type = {.kind = TYPE_BIGINT}},
    {.name = STR("oa"), .path = STR("$.o.a"), .type = {.kind = TYPE_STRING}, .has_default = true, .default_text = STR("-")},
    {.name = STR("opq"), .path = STR("$.o.p.q"), .type = {.kind = TYPE_BIGINT}},
    {.name = STR("long"), .path = STR("$['a name that is longer than sixteen bytes']"), .type = {.kind = TYPE_BIGINT}},
    {.name = STR("empty"), .path = STR("$['']"), .type = {.kind = TYPE_BIGINT}},
};

static const struct json_column required_columns[] = {
    {.name = STR("i"), .path = STR("$.i"), .type = {.kind = TYPE_BIGINT}, .required = true},
    {.name = STR("oa"), .path = STR("$.o.a"), .type = {.kind = TYPE_STRING}, .required = true, .has_default = true,
     .default_text = STR("-")},
};

static const struct {
    const struct json_column *columns;
    size_t count;
} column_sets[] = {
    {orders_columns, COUNT_OF(orders_columns)},
    {loose_columns, COUNT_OF(loose_columns)},
    {all_columns, COUNT_OF(all_columns)},
    {required_columns, COUNT_OF(required_columns)},
};

/* A line for each row that is left and for each dirty one. */
static void run_batch(struct json_extractor *extractor, struct batch *batch, enum when_error when_error,
                      const struct str *documents, size_t count, struct buffer *text)
{
    struct error error;

    batch_clear(batch);
    buffer_clear(text);
    for (size_t i = 0; i < count; i++)
        batch_add_message(batch, &(struct message){.value = documents[i], .offset = (int64_t)i}, NULL);
    assert_true(batch_begin(batch, 1u << BUILTIN_VALUE));
    batch->stage = "parse";
    batch->when_error = when_error;
    if (!json_extract(extractor, batch, &error))
        fail_msg("%s", error.text);
    for (uint32_t i = 0; i < batch->selected; i++) {
        buffer_print(text, "%u", batch->selection[i]);
        for (uint32_t k = 1; k < batch->field_count; k++) {
            buffer_append_char(text, '|');
            cell_print(text, batch->fields[k].column, batch->selection[i]);
        }
        buffer_append_char(text, '\n');
    }
    for (const struct dirty_row *row = batch->dirty; row; row = row->next)
        buffer_print(text, "!%u:%.*s:%.*s\n", row->message, STR_ARG(row->column), STR_ARG(row->reason));
}

/* Both ways over the documents, set by set; returns how many rows the short way decided. */
static uint64_t compare(size_t set, const struct str *documents, size_t count)
{
    struct json_options options = {.from = STR("__value__"), .columns = column_sets[set].columns,
                                   .column_count = column_sets[set].count};
    struct batch *batch = batch_new(64 << 20);
    uint64_t rows = 0;

    for (int when_error = WHEN_ERROR_DIRTY; when_error <= WHEN_ERROR_NULL; when_error++) {
        struct json_extractor *extractors[2];
        struct buffer texts[2];

        for (int way = 0; way < 2; way++) {
            struct json_mistakes mistakes;

            buffer_init(&texts[way], 0);
            assert_true(json_extractor_new(&extractors[way], &options, &mistakes));
            assert_non_null(extractors[way]->scan);
            extractors[way]->scan->pause_rows = 0; /* each row gets its chance */
        }
        extractors[1]->scan->off = true;
        for (size_t at = 0; at < count; at += BATCH_DOCUMENTS) {
            for (int way = 0; way < 2; way++) {
                run_batch(extractors[way], batch, (enum when_error)when_error, documents + at,
                          size_min(count - at, BATCH_DOCUMENTS), &texts[way]);
            }
            /* The texts may hold zero bytes; up to the first one a difference is shown. */
            assert_string_equal(buffer_text(&texts[0]), buffer_text(&texts[1]));
            assert_int_equal(texts[0].size, texts[1].size);
            assert_memory_equal(texts[0].data, texts[1].data, texts[0].size);
        }
        assert_int_equal(extractors[1]->scan->rows, 0);
        rows += extractors[0]->scan->rows;
        for (int way = 0; way < 2; way++) {
            buffer_release(&texts[way]);
            json_extractor_free(extractors[way]);
        }
    }
    batch_free(batch);
    return rows;
}

static struct str document_copy(struct str text)
{
    char *copy = xmalloc(text.size ? text.size : 1);

    if (text.size)
        memcpy(copy, text.data, text.size);
    return str_make(copy, text.size);
}

static void odd_documents_give_the_same_both_ways(void **state)
{
    static const struct {
        const char *text;
        bool taken; /* by the short way, with all_columns */
    } cases[] = {
        {"{}", true},
        {" { } ", true},
        {"", false},
        {"}", false},
        {"{", false},
        {"{}}", false},
        {"{}{}", false},
        {"{} x", false},
        {"[]", false},
        {"[{}", false},
        {"{,}", false},
        {"{\"i\"}", false},
        {"{\"i\":}", false},
        {"{\"i\":1,}", false},
        {"{\"i\":1 \"b\":true}", false},
        {"{\"i\":1}", true},
        {"\n\t\r {\n\"i\"\t:\r1 ,\n\"b\" : true }\n", true},
        {"\v{\"i\":1}", false},
        {"{\"i\":1,\"i\":2}", false},
        {"{\"x\":1,\"x\":2}", true},
        {"{\"\\u0069\":5}", false},
        {"{\"i\":-0}", false},
        {"{\"i\":-}", false},
        {"{\"i\":00}", false},
        {"{\"i\":0}", true},
        {"{\"i\":-1}", true},
        {"{\"i\":12345678}", true},
        {"{\"i\":123456789012345678}", true},
        {"{\"i\":9223372036854775807}", true},
        {"{\"i\":-9223372036854775808}", true},
        {"{\"i\":9223372036854775808}", false},
        {"{\"i\":-9223372036854775809}", false},
        {"{\"i\":99999999999999999999}", false},
        {"{\"i\":18446744073709551617}", false},
        {"{\"i\":1.0}", false},
        {"{\"i\":1e2}", false},
        {"{\"i\":\"1\"}", false},
        {"{\"i\":nul}", false},
        {"{\"i\":null}", true},
        {"{\"i\":nulls}", false},
        {"{\"f\":1.5}", true},
        {"{\"f\":-0.1}", true},
        {"{\"f\":0.30000000000001}", true},
        {"{\"f\":-0.0}", false},
        {"{\"f\":123456789012345}", true},
        {"{\"f\":1234567890123456}", false},
        {"{\"f\":1e5}", false},
        {"{\"f\":1.}", false},
        {"{\"f\":.5}", false},
        {"{\"f\":1.5.5}", false},
        {"{\"f\":01.5}", false},
        {"{\"b\":true}", true},
        {"{\"b\":false}", true},
        {"{\"b\":truth}", false},
        {"{\"b\":trua}", false},
        {"{\"b\":falsy}", false},
        {"{\"b\":talse}", false},
        {"{\"b\":tru}", false},
        {"{\"x\":[1,\"]\",{\"y\":\"}\"}],\"s\":\"behind brackets in texts, and in a window of 64 bytes\"}", true},
        {"{\"x\":[1,\"]\",{\"y\":\"}\"],\"s\":\"behind brackets in texts, and in a window of 64 bytes\"}", false},
        {"{\"x\":{\"y\":[2]},\"s\":\"behind a bracket within another, and in a window of 64 bytes\"}", true},
        {"{\"x\":[\"longer than the window of 64 bytes, which has no bracket of its own\"],\"i\":1}", true},
        {"{\"b\":t}", false},
        {"{\"b\":1}", false},
        {"{\"d\":\"1.250\"}", true},
        {"{\"d\":\"1.2505\"}", false},
        {"{\"d\":\"1\\u0032\"}", false},
        {"{\"d\":\"\"}", false},
        {"{\"d\":\"-1.25\"}", true},
        {"{\"d\":\"+1\"}", true},
        {"{\"d\":\"0001.5\"}", true},
        {"{\"d\":\"1.5e1\"}", true},
        {"{\"d\":\"000000000000000001.5\"}", true},
        {"{\"d\":\"99999999999999999999\"}", false},
        {"{\"d\":\"1.\"}", false},
        {"{\"d\":\".5\"}", false},
        {"{\"d\":\"1.5.5\"}", false},
        {"{\"d\":\"-\"}", false},
        {"{\"d\":\"1}", false},
        {"{\"d\":1.25}", false},
        {"{\"d\":1.25,\"i\":1.0}", false},
        {"{\"d\":2.5}", true}, /* numbers are read as text from here on */
        {"{\"d\":2.5e1}", true},
        {"{\"d\":1e999999}", false},
        {"{\"i\":1.0}", false},
        {"{\"f\":2.50}", true},
        {"{\"day\":\"2024-02-29\"}", true},
        {"{\"day\":\"2023-02-29\"}", false},
        {"{\"t\":\"2024-01-31T23:59:59.123Z\"}", true},
        {"{\"t\":\"2024-01-31T23:59:59.1234Z\"}", false},
        {"{\"t\":\"2024-01-31 23:59:59\"}", false},
        {"{\"z\":\"2024-01-31 23:59:59.123456789+08:00\"}", true},
        {"{\"n\":\"2024-01-31 23:59:59\"}", true},
        {"{\"n\":\"2024-01-31 23:59:59Z\"}", false},
        {"{\"s\":\"\"}", true},
        {"{\"s\":\"sixteen bytes ..and more than that, which is passed in steps\"}", true},
        {"{\"s\":\"a\tb\"}", false},
        {"{\"s\":\"a\x7F b\"}", true},
        {"{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", true},
        {"{\"s\":\"\\u0000\\u0041\\u00e9\\u4E0a\\ud83d\\ude00 end\"}", true},
        {"{\"s\":\"\\ud83d\"}", false},
        {"{\"s\":\"\\ud83dx\\ude00\"}", false},
        {"{\"s\":\"\\ud83d\\u0041\"}", false},
        {"{\"s\":\"\\ud83d\\ue000\"}", false},
        {"{\"s\":\"\\ude00\\ud83d\"}", false},
        {"{\"s\":\"\\u12g4\"}", false},
        {"{\"s\":\"\\u12}", false},
        {"{\"s\":\"\\x41\"}", false},
        {"{\"s\":\"\\\"}", false},
        {"{\"s\":\"}", false},
        {"{\"s\":\"\xE4\xB8\x8A\xC3\xA9\xF0\x9F\x98\x80\"}", true},
        {"{\"s\":\"\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\xE0\xA0\x80\xF0\x90\x80\x80\xC2\x80\"}", true},
        {"{\"s\":\"\xC0\x80\"}", false},
        {"{\"s\":\"\xC1\xBF\"}", false},
        {"{\"s\":\"\xE0\x9F\xBF\"}", false},
        {"{\"s\":\"\xE0\x9F\xBF long enough for a word\"}", false},
        {"{\"s\":\"\xED\xA0\x80\"}", false},
        {"{\"s\":\"\xED\xA0\x80 long enough for a word\"}", false},
        {"{\"s\":\"\xF0\x8F\xBF\xBF\"}", false},
        {"{\"s\":\"\xF4\x90\x80\x80\"}", false},
        {"{\"s\":\"\xF5\x80\x80\x80\"}", false},
        {"{\"s\":\"\x80\"}", false},
        {"{\"s\":\"\xE4\xB8\"}", false},
        {"{\"s\":\"\xE4\xB8}", false},
        {"{\"s\":\"\xFF\"}", false},
        {"{\"s\":null}", true},
        {"{\"s\":{\"x\":1}}", false},
        {"{\"s\":\"t\",\"o\":{\"a\":\"u\",\"p\":{\"q\":5}}}", true},
        {"{\"o\":{\"p\":{\"q\":5},\"a\":\"u\"},\"s\":\"t\"}", true},
        {"{\"o\":null}", true},
        {"{\"o\":[{\"a\":1}]}", true},
        {"{\"o\":7}", true},
        {"{\"o\":{}}", true},
        {"{\"o\":{\"a\":null,\"p\":null}}", true},
        {"{\"o\":{\"a\":\"x\"},\"o\":{}}", false},
        {"{\"o\":{\"a\":\"x\",\"a\":\"y\"}}", false},
        {"{\"o\":{\"a\":\"x\"}", false},
        {"{\"o\":{\"a\":\"x\"", false},
        {"{\"x\":{}", false},
        {"{\"x\":[}", false},
        {"{\"x\":[]}", true},
        {"{\"x\":[[],{},[{\"a\":[1,-2.5e+10,true,false,null,\"\\n\"]}]]}", true},
        {"{\"x\":[1,]}", false},
        {"{\"x\":[,1]}", false},
        {"{\"x\":[1 2]}", false},
        {"{\"x\":[1}]}", false},
        {"{\"x\":{\"a\":1]}", false},
        {"{\"x\":{\"a\" 1}}", false},
        {"{\"x\":{\"a\":1,}}", false},
        {"{\"x\":{a:1}}", false},
        {"{\"x\":{\"\\u0061\\q\":1}}", false},
        {"{\"x\":{\"\\u0061\":1}}", true},
        {"{\"x\":[NaN]}", false},
        {"{\"x\":+1}", false},
        {"{\"x\":1e}", false},
        {"{\"x\":1e+}", false},
        {"{\"x\":1E-400}", true},
        {"{\"x\":1e999}", true},
        {"{\"x\":'a'}", false},
        {"{\"x\":1}//", false},
        {"\xEF\xBB\xBF{\"i\":1}", false},
        {"{\"a name that is longer than sixteen bytes\":3}", true},
        {"{\"a name that is longer than sixteen byteZ\":3}", true},
        {"{\"a name that is longer than sixteen bytes and than the space for what is remembered of it\":3}", true},
        {"{\"\":4}", true},
    };
    struct str documents[COUNT_OF(cases)];
    struct batch *batch = batch_new(1 << 20);
    struct json_options options = {.from = STR("__value__"), .columns = all_columns, .column_count = COUNT_OF(all_columns)};
    struct json_extractor *extractor;
    struct buffer text;
    struct json_mistakes mistakes;

    (void)state;
    buffer_init(&text, 0);
    assert_true(json_extractor_new(&extractor, &options, &mistakes));
    extractor->scan->pause_rows = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t rows = extractor->scan->rows;

        documents[i] = document_copy(str_of(cases[i].text));
        run_batch(extractor, batch, WHEN_ERROR_DIRTY, &documents[i], 1, &text);
        if ((extractor->scan->rows != rows) != cases[i].taken)
            fail_msg("%s: %s", cases[i].text, cases[i].taken ? "not known" : "taken");
    }
    json_extractor_free(extractor);
    /* Alone, and after each other. */
    for (size_t set = 0; set < COUNT_OF(column_sets); set++) {
        for (size_t i = 0; i < COUNT_OF(cases); i++)
            (void)compare(set, &documents[i], 1);
        (void)compare(set, documents, COUNT_OF(cases));
    }
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        free((char *)documents[i].data);
    buffer_release(&text);
    batch_free(batch);
}

/* The scanner remembers members with the comma before them: one that stood first has none, and must not be found elsewhere, nor one
 * that stood elsewhere at the beginning. */
static void commas_are_wanted_whatever_was_learnt(void **state)
{
    static const char *const texts[] = {
        "{\"i\":1,\"b\":true}", "{\"x\":\"a\"\"i\":2}",     "{\"x\":1\"i\":2}",   "{\"x\":\"a\",\"i\":2}", "{\"x\":1,\"f\":2}",
        "{,\"f\":3}",          "{\"f\":4}",               "{ ,\"f\":3}",       "{\"o\":{\"a\":\"1\"}}", "{\"o\":{\"z\":\"1\"\"a\":\"2\"}}",
        "{\"o\":{\"z\":1,\"p\":{}}}", "{\"o\":{,\"p\":{}}}",
    };
    struct str documents[COUNT_OF(texts)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        documents[i] = document_copy(str_of(texts[i]));
    for (size_t set = 0; set < COUNT_OF(column_sets); set++)
        compare(set, documents, COUNT_OF(documents));
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free((char *)(uintptr_t)documents[i].data);
}

static void depth_is_no_danger(void **state)
{
    (void)state;
    for (int depth = 60; depth < 70; depth++) {
        struct buffer text;
        struct str document;
        uint64_t rows;

        buffer_init(&text, 0);
        buffer_append_str(&text, STR("{\"x\":"));
        for (int i = 0; i < depth; i++)
            buffer_append_str(&text, i % 2 ? STR("{\"a\":") : STR("["));
        buffer_append_char(&text, '0');
        for (int i = depth; i-- > 0;)
            buffer_append_char(&text, i % 2 ? '}' : ']');
        buffer_append_str(&text, STR(",\"i\":1}"));
        document = document_copy(buffer_str(&text));
        rows = compare(2, &document, 1);
        assert_int_equal(rows, depth <= 64 ? 2 : 0);
        free((char *)document.data);
        buffer_release(&text);
    }
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static void insert(struct buffer *text, size_t at, struct str piece)
{
    buffer_append_str(text, piece);
    memmove(text->data + at + piece.size, text->data + at, text->size - piece.size - at);
    memcpy(text->data + at, piece.data, piece.size);
}

static void mutate(struct buffer *text, uint64_t *seed)
{
    static const struct str pieces[] = {
        STR("\""), STR("\\"), STR("{"), STR("}"), STR("["), STR("]"), STR(","), STR(":"), STR("0"), STR("-"), STR("."), STR("e5"),
        STR("null"), STR("true"), STR("\\u0041"), STR("\\ud83d\\ude00"), STR("\xE4\xB8\x8A"), STR("\xC3"), STR("\n"),
        STR("99999999"),
        STR("\"id\":12,"), STR("\"profile\":{\"level\":3.5},"), STR("\"city\":null,"), STR("{\"level\":[{}]}"),
    };
    static const struct str members[] = {
        STR(",\"id\":77"), STR(",\"ts\":1.5"), STR(",\"profile\":null"), STR(",\"x\":[1,{\"y\":\"z\"}]"),
        STR(",\"city\":\"\\u4e0a\""),
        STR(",\"none\":{\"at\":{\"all\":\"2024-01-31 00:00:00Z\"}}"),
    };
    uint64_t r = next_random(seed);
    size_t at = (r >> 32) % text->size;

    switch (r % 9) {
    case 0: text->size = at + 1; break;
    case 1: text->data[at] = (char)((unsigned char)text->data[at] ^ 1u << (r >> 8) % 8); break;
    case 2: text->data[at] = (char)(r >> 8); break;
    case 3:
    case 4: insert(text, at, pieces[(r >> 8) % COUNT_OF(pieces)]); break;
    case 5: {
        size_t size = size_min((r >> 8) % 12 + 1, text->size - at);

        memmove(text->data + at, text->data + at + size, text->size - at - size);
        text->size -= size;
        break;
    }
    case 6: insert(text, text->size - 1, members[(r >> 8) % COUNT_OF(members)]); break;
    default:
        /* Blanks where they may stand, for the most part. */
        for (size_t i = 0; i < text->size; i++)
            if (strchr("{}[],:", text->data[i]) && text->data[i] && next_random(seed) % 4 == 0)
                insert(text, ++i, (r >> 8) % 2 ? STR(" ") : STR("\r\n\t "));
        break;
    }
    if (!text->size)
        buffer_append_char(text, '{');
}

static void damaged_orders_give_the_same_both_ways(void **state)
{
    struct str *documents = xcalloc(RANDOM_DOCUMENTS, sizeof(*documents));
    uint64_t seed = 20240131;
    struct orders orders, shuffled;
    struct buffer text;
    char key[64];

    (void)state;
    buffer_init(&text, 0);
    orders_init(&orders, 1, 20, false, 0, RANDOM_DOCUMENTS, 0);
    orders_init(&shuffled, 2, 20, true, 0, RANDOM_DOCUMENTS, 0);
    for (size_t i = 0; i < RANDOM_DOCUMENTS; i++) {
        buffer_clear(&text);
        orders_next(i % 8 == 3 ? &shuffled : &orders, &text, key);
        for (uint64_t count = next_random(&seed) % 4; count > 0; count--)
            mutate(&text, &seed);
        documents[i] = document_copy(buffer_str(&text));
    }
    for (size_t set = 0; set < COUNT_OF(column_sets); set++) {
        uint64_t rows = compare(set, documents, RANDOM_DOCUMENTS);

        /* Of both runs a quarter is whole and others are still JSON, or else this compares nothing. */
        if (set == 0)
            assert_true(rows > RANDOM_DOCUMENTS / 5 * 4);
    }
    for (size_t i = 0; i < RANDOM_DOCUMENTS; i++)
        free((char *)documents[i].data);
    free(documents);
    buffer_release(&text);
}

static void whole_orders_take_the_short_way(void **state)
{
    struct str documents[BATCH_DOCUMENTS];
    struct buffer text;
    char key[64];

    (void)state;
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        struct orders orders;

        buffer_init(&text, 0);
        orders_init(&orders, 3, 0, shuffle, 0, BATCH_DOCUMENTS, 0);
        for (size_t i = 0; i < BATCH_DOCUMENTS; i++) {
            buffer_clear(&text);
            orders_next(&orders, &text, key);
            documents[i] = document_copy(buffer_str(&text));
        }
        assert_int_equal(compare(0, documents, BATCH_DOCUMENTS), 2 * BATCH_DOCUMENTS);
        for (size_t i = 0; i < BATCH_DOCUMENTS; i++)
            free((char *)documents[i].data);
        buffer_release(&text);
    }
}

/* Too many in a row that are not known: the rows after them go to yyjson alone, and later ones are tried again. */
static void a_run_of_odd_documents_is_left_alone(void **state)
{
    struct json_options options = {.from = STR("__value__"), .columns = required_columns, .column_count = 2};
    struct batch *batch = batch_new(1 << 20);
    struct json_extractor *extractor;
    struct str documents[400];
    struct buffer text;
    struct json_mistakes mistakes;

    (void)state;
    buffer_init(&text, 0);
    assert_true(json_extractor_new(&extractor, &options, &mistakes));
    for (size_t i = 0; i < COUNT_OF(documents); i++)
        documents[i] = i < 8 ? STR("{\"i\":1,\"i\":2}") : STR("{\"i\":1}");
    run_batch(extractor, batch, WHEN_ERROR_DIRTY, documents, COUNT_OF(documents), &text);
    assert_int_equal(batch->selected, COUNT_OF(documents));
    assert_int_equal(extractor->scan->rows, COUNT_OF(documents) - 8 - 256);
    json_extractor_free(extractor);
    batch_free(batch);
    buffer_release(&text);
}

/* Other paths and types are no matter for the short way. */
static void what_is_not_plain_has_no_short_way(void **state)
{
    static const struct {
        const char *path;
        enum type_kind kind;
        const char *rest, *expand;
        bool plain;
    } cases[] = {
        {"$.a", TYPE_STRING, NULL, NULL, true},      {"$.a.b", TYPE_BIGINT, NULL, NULL, true},
        {"$.a", TYPE_JSON, NULL, NULL, false},       {"$.a", TYPE_BINARY, NULL, NULL, false},
        {"$", TYPE_STRING, NULL, NULL, false},       {"$.a[0]", TYPE_STRING, NULL, NULL, false},
        {"$.a[*]", TYPE_STRING, NULL, NULL, false},  {"$.a", TYPE_STRING, "rest", NULL, false},
        {"@.a", TYPE_STRING, NULL, "$.l", false},    {"$.a", TYPE_STRING, NULL, "$.l", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_column column = {.name = STR("c"), .path = str_of(cases[i].path), .type = TYPE_OF(cases[i].kind)};
        struct json_options options = {.from = STR("__value__"), .rest = str_of(cases[i].rest), .expand = str_of(cases[i].expand),
                                       .columns = &column, .column_count = 1};
        struct json_extractor *extractor;
        struct json_mistakes mistakes;

        assert_true(json_extractor_new(&extractor, &options, &mistakes));
        assert_int_equal(extractor->scan != NULL, cases[i].plain);
        json_extractor_free(extractor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_documents_give_the_same_both_ways),
        cmocka_unit_test(commas_are_wanted_whatever_was_learnt),
        cmocka_unit_test(depth_is_no_danger),
        cmocka_unit_test(damaged_orders_give_the_same_both_ways),
        cmocka_unit_test(whole_orders_take_the_short_way),
        cmocka_unit_test(a_run_of_odd_documents_is_left_alone),
        cmocka_unit_test(what_is_not_plain_has_no_short_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
