/* pseudonym_test.c: over all texts of one shape a pseudonym is a bijection, it keeps the shape, and hangs on the key alone. */
#include "batch/kernels/pseudonym.h"

#include "batch/kernels/characters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pseudonym *pseudonym_of(const char *key)
{
    struct pseudonym *pseudonym = NULL;
    struct error error;

    if (!pseudonym_new(&pseudonym, str_of(key), &error))
        fail_msg("%s", error.text);
    return pseudonym;
}

static void hide(struct pseudonym *pseudonym, const char *text, char out[2000])
{
    enum pseudonym_status status = pseudonym_text(pseudonym, str_of(text), out);

    assert_int_equal(status, PSEUDONYM_OK);
    out[strlen(text)] = '\0';
}

/* What the results are for ever: other tables hold them, and joins go by them. */
static void results_never_change(void **state)
{
    static const struct {
        const char *key, *text, *result;
    } cases[] = {
        {"k", "5", "1"}, {"k", "1234", "8767"}, {"k", "ab", "zn"}, {"k", "张", "檱"},
        {"k", "123456", "243976"}, {"k", "13812345678", "28249840063"}, {"a long random key", "13812345678", "85061549520"},
        {"k", "张三丰", "咂溛蹎"}, {"k", "Alice.Liddell+42@example.com", "Ihmga.Fjcoayx+90@ninhcau.nxn"},
        {"k", "北京市朝阳区建国路88号院3号楼1201室, Tower B, 100022", "鯄霐蔊纔墴僷腘蝳闆51冮袧7汀鼕0382肓, Hapyg S, 268048"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pseudonym *pseudonym = pseudonym_of(cases[i].key);
        char out[2000];

        hide(pseudonym, cases[i].text, out);
        if (strcmp(out, cases[i].result) != 0)
            fail_msg("\"%s\" gives \"%s\", not \"%s\"", cases[i].text, out, cases[i].result);
        hide(pseudonym, cases[i].text, out); /* nothing stays behind from the time before */
        assert_string_equal(out, cases[i].result);
        pseudonym_free(pseudonym);
    }
}

/* How one position counts through its range. */
struct wheel {
    int32_t first;
    uint32_t count;
};

static size_t put(char *at, int32_t code)
{
    if (code < 0x80) {
        at[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        at[0] = (char)(0xC0 | code >> 6);
        at[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    at[0] = (char)(0xE0 | code >> 12);
    at[1] = (char)(0x80 | (code >> 6 & 0x3F));
    at[2] = (char)(0x80 | (code & 0x3F));
    return 3;
}

/* All texts of a shape, first wheel slowest: each comes out once, in the shape. Returns how many stayed themselves. */
static uint64_t check_bijection(const char *key, const struct wheel *wheels, size_t count)
{
    struct pseudonym *pseudonym = pseudonym_of(key);
    uint64_t values = 1, same = 0;
    uint8_t *seen;

    for (size_t i = 0; i < count; i++)
        values *= wheels[i].count;
    seen = xcalloc(values, 1);
    for (uint64_t value = 0; value < values; value++) {
        char text[64], out[64];
        uint64_t rest = value, left = values, result = 0;
        size_t size = 0, at = 0;

        for (size_t i = 0; i < count; i++) {
            left /= wheels[i].count;
            size += put(text + size, wheels[i].first + (int32_t)(rest / left));
            rest %= left;
        }
        assert_int_equal(pseudonym_text(pseudonym, str_make(text, size), out), PSEUDONYM_OK);
        for (size_t i = 0; i < count; i++) {
            size_t bytes;
            int32_t symbol = code_point(str_make(out + at, size - at), &bytes) - wheels[i].first;

            assert_true(symbol >= 0 && (uint32_t)symbol < wheels[i].count);
            result = result * wheels[i].count + (uint64_t)symbol;
            at += bytes;
        }
        assert_int_equal(at, size);
        assert_int_equal(seen[result], 0);
        seen[result] = 1;
        same += result == value;
    }
    free(seen);
    pseudonym_free(pseudonym);
    return same;
}

#define DIGIT {'0', 10}
#define LOWER {'a', 26}
#define UPPER {'A', 26}
#define CJK {0x4E00, 20992}
#define CHECK(key_, ...)                                                       \
    do {                                                                       \
        static const struct wheel wheels_[] = {__VA_ARGS__};                   \
        uint64_t same_ = check_bijection(key_, wheels_, COUNT_OF(wheels_));    \
                                                                               \
        assert_true(same_ < 12); /* a random permutation has one on average */ \
    } while (0)

static void every_shape_is_a_bijection(void **state)
{
    (void)state;
    for (char key[2] = "a"; key[0] <= 'z'; key[0]++) {
        CHECK(key, DIGIT);
        CHECK(key, LOWER);
        CHECK(key, {0xD8, 7});
    }
    CHECK("k", DIGIT, DIGIT);
    CHECK("k", DIGIT, DIGIT, DIGIT);
    CHECK("k", DIGIT, DIGIT, DIGIT, DIGIT);
    CHECK("other", DIGIT, DIGIT, DIGIT, DIGIT);
    CHECK("k", LOWER, LOWER);
    CHECK("k", UPPER, LOWER, DIGIT);
    CHECK("k", {0xC0, 23}, {0xDF, 24}, {0xF8, 8});
    CHECK("k", {0x410, 32}, {0x430, 32});
    CHECK("k", {0x3041, 86}, {0x30A1, 90});
    CHECK("k", {0x3400, 6592});
    CHECK("k", {0xAC00, 11172});
    CHECK("k", {0xFF10, 10}, {0xFF21, 26}, {0xFF41, 26});
    CHECK("k", CJK);
    CHECK("k", DIGIT, CJK);
    /* Through the Feistel network: the smallest that goes there. */
    CHECK("k", DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT);
}

/* Of one letter each place is taken about as often as the others, over many keys. */
static void small_shapes_are_mixed_by_the_key(void **state)
{
    unsigned taken[10][10] = {{0}};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char key[32], out[2000], text[2] = "0";
        struct pseudonym *pseudonym;

        snprintf(key, sizeof(key), "key %d", i);
        pseudonym = pseudonym_of(key);
        for (; text[0] <= '9'; text[0]++) {
            hide(pseudonym, text, out);
            taken[text[0] - '0'][out[0] - '0']++;
        }
        pseudonym_free(pseudonym);
    }
    for (int from = 0; from < 10; from++)
        for (int to = 0; to < 10; to++)
            assert_true(taken[from][to] > 50 && taken[from][to] < 160); /* 100, and five deviations of 9.5 */
}

static void texts_keep_their_shape(void **state)
{
    static const char *const texts[] = {"13812345678",       "138-1234-5678", "alice@example.com", "张三丰",       "欧阳 娜娜",
                                        "É. Zola <x@y.z>",   "A1b2C3d4",      "沪A·12345",         "１２３ＡＢｃ", "ひらカタ한글",
                                        "e\xCC\x81" "a🇨🇳9", "Иван 7",        "20240131T101500Z"};
    struct pseudonym *pseudonym = pseudonym_of("a long random key"), *other = pseudonym_of("a long random kez");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char out[2000], again[2000];
        size_t size, out_size;

        hide(pseudonym, texts[i], out);
        assert_string_not_equal(out, texts[i]);
        for (size_t at = 0; at < strlen(texts[i]); at += size) {
            int32_t a = code_point(str_of(texts[i] + at), &size), b = code_point(str_of(out + at), &out_size);

            assert_int_equal(size, out_size);
            assert_int_equal(a >= '0' && a <= '9', b >= '0' && b <= '9');
            assert_int_equal(a >= 'A' && a <= 'Z', b >= 'A' && b <= 'Z');
            assert_int_equal(a >= 'a' && a <= 'z', b >= 'a' && b <= 'z');
            assert_int_equal(a >= 0x4E00 && a <= 0x9FFF, b >= 0x4E00 && b <= 0x9FFF);
            if (strchr("-@. <>", (char)a) && a < 0x80)
                assert_int_equal(a, b);
        }
        assert_true(str_is_utf8(str_of(out)));
        hide(pseudonym, texts[i], again);
        assert_string_equal(out, again);
        hide(other, texts[i], again);
        assert_string_not_equal(out, again);
    }
    pseudonym_free(pseudonym);
    pseudonym_free(other);
}

/* One character more or less different at the beginning, in the middle or at the end changes the whole text, however long. */
static void every_character_counts_everywhere(void **state)
{
    static const size_t sizes[] = {6, 7, 11, 16, 18, 37, 100, 1000};
    struct pseudonym *pseudonym = pseudonym_of("k");

    (void)state;
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        size_t size = sizes[s], places[] = {0, size / 2, size - 1};
        char text[2000], out[2000], changed[2000];

        for (size_t i = 0; i < size; i++)
            text[i] = (char)('a' + i * i % 26);
        text[size] = '\0';
        hide(pseudonym, text, out);
        for (size_t p = 0; p < COUNT_OF(places); p++) {
            size_t equal = 0;

            text[places[p]] = (char)(text[places[p]] == 'z' ? 'a' : text[places[p]] + 1);
            hide(pseudonym, text, changed);
            for (size_t i = 0; i < size; i++)
                equal += out[i] == changed[i];
            assert_true(equal <= size / 26 + 3 + size / 40);
            memcpy(out, changed, size);
        }
    }
    pseudonym_free(pseudonym);
}

static void separators_have_no_part_in_it(void **state)
{
    struct pseudonym *pseudonym = pseudonym_of("k");
    char plain[2000], dashed[2000];
    size_t at = 0;

    (void)state;
    hide(pseudonym, "13812345678", plain);
    hide(pseudonym, "+138-1234 5678", dashed);
    assert_int_equal(dashed[0], '+');
    for (size_t i = 0; dashed[i]; i++)
        if (dashed[i] >= '0' && dashed[i] <= '9')
            assert_int_equal(dashed[i], plain[at++]);
    assert_int_equal(at, 11);
    pseudonym_free(pseudonym);
}

static void what_would_stay_clear_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum pseudonym_status status;
    } cases[] = {
        {"ελλάδα", PSEUDONYM_FOREIGN}, {"abcש", PSEUDONYM_FOREIGN}, {"١٢٣", PSEUDONYM_FOREIGN}, {"5½", PSEUDONYM_FOREIGN},
        {"①", PSEUDONYM_FOREIGN},      {"𠀀", PSEUDONYM_FOREIGN},   {"ไทย", PSEUDONYM_FOREIGN}, {"\xEE\x80\x80" "1", PSEUDONYM_FOREIGN},
        {"---", PSEUDONYM_NOTHING},    {"👍", PSEUDONYM_NOTHING},   {" ", PSEUDONYM_NOTHING},   {"×÷", PSEUDONYM_NOTHING},
        {"a×b", PSEUDONYM_OK},
    };
    struct pseudonym *pseudonym = pseudonym_of("k");
    struct error error;
    size_t size = PSEUDONYM_BYTES_MAX;
    char *text = xmalloc(size + 1), *out = xmalloc(size + 1);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (pseudonym_text(pseudonym, str_of(cases[i].text), out) != cases[i].status)
            fail_msg("%s", cases[i].text);
    memset(text, '7', size + 1);
    assert_int_equal(pseudonym_text(pseudonym, str_make(text, size + 1), out), PSEUDONYM_LONG);
    assert_int_equal(pseudonym_text(pseudonym, str_make(text, size), out), PSEUDONYM_OK);
    free(text);
    free(out);
    pseudonym_free(pseudonym);
    assert_false(pseudonym_new(&pseudonym, STR(""), &error));
    assert_int_equal(error.kind, ERROR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_never_change),
        cmocka_unit_test(every_shape_is_a_bijection),
        cmocka_unit_test(small_shapes_are_mixed_by_the_key),
        cmocka_unit_test(texts_keep_their_shape),
        cmocka_unit_test(every_character_counts_everywhere),
        cmocka_unit_test(separators_have_no_part_in_it),
        cmocka_unit_test(what_would_stay_clear_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
