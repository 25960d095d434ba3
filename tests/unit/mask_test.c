/* mask_test.c: the rules of masks, each as a table of values and what becomes of them; and what holds for all of them: clear text
 * does not pass. A value goes through a batch of one row and comes back as text, NULL, "!reason" or "call: mistake". */
#include "batch/decimal.h"
#include "batch/kernels/characters.h"
#include "batch/kernels/mask.h"
#include "util/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct batch *batch_of(uint32_t rows)
{
    struct batch *batch = batch_new(64 << 20);

    for (uint32_t row = 0; row < rows; row++)
        batch_add_message(batch, &(struct message){.offset = row}, NULL);
    assert_true(batch_begin(batch, 0));
    batch->stage = "hide";
    return batch;
}

static struct mask *mask_of(const struct mask_options *options)
{
    struct mask *mask = NULL;
    struct error error;
    char option[MASK_OPTION_MAX];

    if (!mask_new(&mask, options, option, &error))
        fail_msg("%s: %s", option, error.text);
    return mask;
}

static void print_value(struct buffer *text, const struct column *column, uint32_t row)
{
    char digits[DECIMAL_TEXT_MAX];

    if (column_is_null(column, row))
        buffer_append_str(text, STR("NULL"));
    else if (column->type.kind == TYPE_BIGINT)
        buffer_print(text, "%lld", (long long)column->bigint[row]);
    else if (column->type.kind == TYPE_DOUBLE)
        buffer_print(text, "%.17g", column->real[row]);
    else if (column->type.kind == TYPE_DECIMAL)
        buffer_append(text, digits, decimal_print(column->decimal[row], column->type.scale, digits));
    else
        buffer_append_str(text, column->text[row]);
}

/* The value of the one row after the mask. */
static char *hide_column(struct mask *mask, struct batch *batch, struct column *column)
{
    struct column *out = NULL;
    struct buffer text;
    struct error error;

    buffer_init(&text, 0);
    if (!mask_run(mask, batch, column, STR("f"), &out, &error)) {
        buffer_print(&text, "call: %s", error.text);
        return buffer_take(&text, NULL);
    }
    batch_sweep(batch);
    assert_int_equal(batch->selected + batch->dirty_count + batch->filtered_count, batch->message_count);
    if (batch->dirty)
        buffer_print(&text, "!%.*s", STR_ARG(batch->dirty->reason));
    else if (!batch->selected)
        buffer_append_str(&text, STR("dropped"));
    else
        print_value(&text, out, batch->selection[0]);
    if (out->type.kind == TYPE_STRING && out->utf8 && batch->selected && !column_is_null(out, 0))
        assert_true(str_is_utf8(out->text[0]));
    return buffer_take(&text, NULL);
}

static char *hide_text(struct mask *mask, struct str value, enum when_error when_error)
{
    struct batch *batch = batch_of(1);
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), 1, true);
    char *result;

    batch->when_error = when_error;
    /* A copy of its own bytes, so that reading beyond them is seen. */
    column->text[0] = arena_try_copy(&batch->arena, value);
    column->null[0] = !value.data;
    result = hide_column(mask, batch, column);
    batch_free(batch);
    return result;
}

struct text_case {
    const char *value; /* NULL: NULL */
    const char *result;
};

static void check_texts(struct mask_options options, const struct text_case *cases, size_t count)
{
    struct mask *mask = mask_of(&options);

    for (size_t i = 0; i < count; i++) {
        char *result = hide_text(mask, str_of(cases[i].value), WHEN_ERROR_DIRTY);

        if (strcmp(result, cases[i].result) != 0)
            fail_msg("%s of \"%s\" is \"%s\", not \"%s\"", mask_rule_names[options.rule], cases[i].value ? cases[i].value : "NULL",
                     result, cases[i].result);
        free(result);
    }
    mask_free(mask);
}

#define CHECK_TEXTS(options_, ...)                                       \
    do {                                                                 \
        static const struct text_case cases_[] = {__VA_ARGS__};          \
        check_texts((struct mask_options)options_, cases_, COUNT_OF(cases_)); \
    } while (0)
#define OPTIONS(...) {__VA_ARGS__}

#define NOT_UTF8 "!the text is not UTF-8, so it cannot be masked"
/* One character each: e and acute; family of three; flag; thumb with a skin tone; Hangul of three jamo. */
#define E_ACUTE "e\xCC\x81"
#define FAMILY "👨‍👩‍👧"
#define FLAG "🇨🇳"
#define THUMB "👍🏽"
#define JAMO "각"

static void cover_keeps_both_ends(void **state)
{
    (void)state;
    CHECK_TEXTS(OPTIONS(.rule = MASK_COVER, .before = 3, .after = 4),
                {"13812345678", "138****5678"},
                {"12345678", "123*5678"},
                {"1234567", "*******"}, /* all of it would show */
                {"123", "***"},
                {"1", "*"},
                {"", ""},
                {NULL, "NULL"},
                {"123456789012345678901234567890", "123***********************7890"},
                {"中文字符一二三四五", "中文字**二三四五"},
                {"中文字符一二三", "*******"},
                {"ab" E_ACUTE "defgh", "ab" E_ACUTE "*efgh"},
                {FAMILY FLAG THUMB "xyz" JAMO "12", FAMILY FLAG THUMB "**" "z" JAMO "12"},
                {FAMILY FLAG THUMB "123" JAMO, "*******"},
                {"ab\r\ncd\r\n", "ab\r*cd\r\n"},
                {"abc\xFFzzzzzzz", NOT_UTF8},
                {"1234567890\xE4\xB8", NOT_UTF8},
                {"\xED\xA0\x80" "1234567890", NOT_UTF8});
    CHECK_TEXTS(OPTIONS(.rule = MASK_COVER), {"secret", "******"}, {"é", "*"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_COVER, .before = 1, .with = STR("＊")), {"abc", "a＊＊"}, {"中国", "中＊"}, {"中", "＊"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_COVER, .after = 1, .with = STR("[x]")), {"abc", "[x][x]c"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_COVER, .before = 1 << 24, .after = 1 << 24), {"abc", "***"});
}

/* Texts of one kind of character go a way of their own: it is held against the obvious one, and against that of other texts. */
static void cover_is_exact_for_every_length(void **state)
{
    (void)state;
    for (size_t before = 0; before < 11; before++) {
        for (size_t after = 0; after < 11; after++) {
            struct mask *mask = mask_of(&(struct mask_options){.rule = MASK_COVER, .before = before, .after = after, .with = STR("#")});

            for (size_t size = 1; size <= 40; size++) {
                char text[64] = "", wanted[80] = "", accented[80], *result;

                for (size_t i = 0; i < size; i++) {
                    bool shown = before + after < size && (i < before || i >= size - after);

                    text[i] = (char)('a' + i % 26);
                    wanted[i] = shown ? text[i] : '#';
                }
                result = hide_text(mask, str_of(text), WHEN_ERROR_DIRTY);
                assert_string_equal(result, wanted);
                free(result);
                snprintf(accented, sizeof(accented), "%s\xCC\x81", text);
                if (wanted[size - 1] != '#')
                    strcat(wanted, "\xCC\x81");
                result = hide_text(mask, str_of(accented), WHEN_ERROR_DIRTY);
                assert_string_equal(result, wanted);
                free(result);
            }
            mask_free(mask);
        }
    }
}

static void segments_go_from_left_to_right(void **state)
{
    static const struct mask_segment card[] = {{true, 6}, {false, 0}}, middle[] = {{false, 2}, {true, 3}, {false, 1}, {true, 0}},
                                     end[] = {{false, 3}, {true, 0}}, only[] = {{true, 2}};

    (void)state;
    CHECK_TEXTS(OPTIONS(.rule = MASK_SEGMENTS, .segments = card, .segment_count = 2),
                {"6222021234567890", "622202**********"}, {"622202", "******"}, {"62", "**"}, {"6222021", "622202*"},
                {"", ""}, {NULL, "NULL"}, {"一二三四五六七八", "一二三四五六**"}, {E_ACUTE "2345" FLAG "7", E_ACUTE "2345" FLAG "*"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_SEGMENTS, .segments = middle, .segment_count = 4),
                {"abcdefgh", "**cde*gh"}, {"abc", "**c"}, {"a", "*"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_SEGMENTS, .segments = end, .segment_count = 2), {"abcd", "***d"}, {"ab", "**"}, {"a\xFF", NOT_UTF8});
    /* What no segment reaches is covered. */
    CHECK_TEXTS(OPTIONS(.rule = MASK_SEGMENTS, .segments = only, .segment_count = 1), {"abcd", "ab**"}, {"ab", "**"});
}

static void replace_chars_writes_a_text_or_digits(void **state)
{
    struct mask_options options = {.rule = MASK_REPLACE_CHARS, .position = 2, .length = 3, .random = true, .seed = 7};
    struct mask *mask = mask_of(&options);
    char *first, *second;

    (void)state;
    CHECK_TEXTS(OPTIONS(.rule = MASK_REPLACE_CHARS, .position = 4, .length = 4, .with = STR("####")),
                {"13812345678", "138####5678"}, {"12345", "123####"}, {"123", "####"}, {"1", "####"}, {"", "####"}, {NULL, "NULL"},
                {"中文字符一二三四五", "中文字####四五"}, {"ab" E_ACUTE FLAG "xyz!", "ab" E_ACUTE "####!"}, {"abcd\x80", NOT_UTF8});
    CHECK_TEXTS(OPTIONS(.rule = MASK_REPLACE_CHARS, .position = 1, .length = 1, .with = {"", 0}), {"abc", "bc"}, {"a", ""});
    CHECK_TEXTS(OPTIONS(.rule = MASK_REPLACE_CHARS, .position = 4, .length = 1, .with = STR("x"), .keep_empty = true), {"", ""});

    first = hide_text(mask, STR("a中b国cd"), WHEN_ERROR_DIRTY);
    second = hide_text(mask, STR("a中b国cd"), WHEN_ERROR_DIRTY);
    assert_int_equal(strlen(first), 6);
    assert_int_equal(strspn(first + 1, "0123456789"), 3);
    assert_string_equal(first + 4, "cd");
    assert_string_not_equal(first, second); /* 1 in 1,000, decided by the seed */
    free(second);
    mask_free(mask);
    mask = mask_of(&options);
    second = hide_text(mask, STR("a中b国cd"), WHEN_ERROR_DIRTY);
    assert_string_equal(first, second); /* the seed's doing */
    free(first);
    free(second);
    mask_free(mask);

    /* A digit never stays by chance, and each other one comes up. */
    options.length = 1;
    mask = mask_of(&options);
    for (unsigned i = 0, seen = 0; i < 500 || seen != 0x3FF - (1 << 5); i++) {
        char *result = hide_text(mask, STR("05"), WHEN_ERROR_DIRTY);

        assert_true(i < 5000);
        assert_int_equal(strlen(result), 2);
        assert_int_equal(result[0], '0');
        assert_int_not_equal(result[1], '5');
        seen |= 1u << (result[1] - '0');
        free(result);
    }
    mask_free(mask);
    options.position = 9;
    mask = mask_of(&options);
    first = hide_text(mask, STR("too short"), WHEN_ERROR_DIRTY);
    assert_int_equal(strspn(first, "too shr"), 8); /* only the ninth */
    free(first);
    first = hide_text(mask, STR("shorter"), WHEN_ERROR_DIRTY);
    assert_int_equal(strspn(first, "0123456789"), 7);
    free(first);
    first = hide_text(mask, STR(""), WHEN_ERROR_DIRTY);
    assert_string_equal(first, "");
    free(first);
    mask_free(mask);
}

static void hash_and_empty(void **state)
{
    (void)state;
    CHECK_TEXTS(OPTIONS(.rule = MASK_HASH, .algorithm = STR("md5")), {"abc", "900150983cd24fb0d6963f7d28e17f72"},
                {"", "d41d8cd98f00b204e9800998ecf8427e"}, {NULL, "NULL"}, {"\xFF", "00594fd4f42ba43fc1ca0427a0576295"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_HASH, .algorithm = STR("md5"), .salt = STR("ab"), .keep_empty = true),
                {"c", "900150983cd24fb0d6963f7d28e17f72"}, {"", ""}, {NULL, "NULL"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_EMPTY), {"abc", "NULL"}, {"", "NULL"}, {NULL, "NULL"}, {"\xFF", "NULL"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_EMPTY, .keep_empty = true), {"abc", "NULL"}, {"", ""}, {NULL, "NULL"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_EMPTY, .with = {"", 0}), {"abc", ""}, {"", ""}, {NULL, ""});
    CHECK_TEXTS(OPTIONS(.rule = MASK_EMPTY, .with = {"", 0}, .keep_empty = true), {"abc", ""}, {"", ""}, {NULL, "NULL"});
}

static void presets_know_their_forms(void **state)
{
    (void)state;
    CHECK_TEXTS(OPTIONS(.rule = MASK_PHONE), {"13812345678", "138****5678"}, {"+8613812345678", "+86138****5678"},
                {"+86 138-1234-5678", "+86 138-****-5678"}, {"8613812345678", "86138****5678"}, {"008613812345678", "0086138****5678"},
                {"010-12345678", "010-****5678"}, {"+1 (415) 555-2671", "+1 (41*) ***-2671"}, {"1381234567", "**********"},
                {"1234567", "*******"}, {"110", "***"}, {"call 13812345678", "****************"}, {"1381234567八", "***********"},
                {"１３８１２３４５６７８", "***********"}, {"1381234567890123", "****************"}, {"", ""}, {NULL, "NULL"},
                {"138123456\xFF", NOT_UTF8});
    CHECK_TEXTS(OPTIONS(.rule = MASK_EMAIL), {"alice@example.com", "a****@example.com"}, {"a@b.com", "*@b.com"},
                {"ab@b.com", "a*@b.com"}, {"a.b+c@mail.example.com", "a****@mail.example.com"}, {"张三@例子.中国", "张*@例子.中国"},
                {"\"a@b\"@c.com", "***********"}, {"alice", "*****"}, {"@b.com", "******"}, {"alice@", "******"},
                {"alice@b com", "***********"}, {"alice@.com", "**********"}, {"alice@b.com, bob@c.com", "**********************"},
                {E_ACUTE "b@c.d", E_ACUTE "*@c.d"}, {"", ""});
    CHECK_TEXTS(OPTIONS(.rule = MASK_ID_CARD), {"110101199003071234", "110101********1234"}, {"11010119900307123X", "110101********123X"},
                {"110101900307123", "110101******123"}, {"11010119900307123", "*****************"},
                {"1101011990030712345", "*******************"}, {"11010119900307123Y", "******************"},
                {"11010119900307X234", "******************"}, {"E12345678", "*********"}, {"一二三四五六七八九十一二三四五", "***************"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_BANK_CARD), {"6222021234567890123", "622202*********0123"}, {"4111111111111", "411111***1111"},
                {"4111 1111 1111 1111", "4111 11** **** 1111"}, {"411111111111", "************"}, {"41111111111111111111", "********************"},
                {"4111x11111111111", "****************"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_NAME), {"张三", "张*"}, {"欧阳修", "欧**"}, {"李", "*"}, {"阿卜杜拉·买买提", "阿*******"},
                {"John Smith", "J*** S****"}, {"John F. Kennedy", "J*** F. K******"}, {"Anne-Marie O'Neil", "A***-M**** O'N***"},
                {"J", "*"}, {"J S", "***"}, {E_ACUTE "mile Zola", E_ACUTE "**** Z***"}, {"김철수", "김**"}, {"Иван", "И***"},
                {"张三13812345678", "*************"}, {"agent 007", "*********"}, {"a@b", "***"}, {"", ""},
                {"Aaaaaaaaaa Bbbbbbbbbb Cccccccccc Dddddddddd", "*******************************************"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_IP), {"192.168.10.7", "192.168.*.*"}, {"1.2.3.4", "1.2.*.*"}, {"1.2.3", "*****"},
                {"1.2.3.256", "*********"}, {"1.2.3.4:80", "**********"}, {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:*:*:*:*"},
                {"2001:db8::1", "2001:db8:0:0:*:*:*:*"}, {"::", "0:0:0:0:*:*:*:*"}, {"fe80::1%eth0", "************"}, {"host", "****"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_IP, .with = STR("0123456789ABCDEF0123456789ABCDEF")),
                {"::", "0:0:0:0:0123456789ABCDEF0123456789ABCDEF:0123456789ABCDEF0123456789ABCDEF:"
                       "0123456789ABCDEF0123456789ABCDEF:0123456789ABCDEF0123456789ABCDEF"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_MAC), {"00:1a:2b:3c:4d:5e", "00:1a:2b:**:**:**"}, {"00-1A-2B-3C-4D-5E", "00-1A-2B-**-**-**"},
                {"001a.2b3c.4d5e", "001a.2b**.****"}, {"001a2b3c4d5e", "001a2b******"}, {"00:1a:2b:3c:4d", "**************"},
                {"00:1a-2b:3c:4d:5e", "*****************"}, {"00:1a:2b:3c:4d:5g", "*****************"}, {"x", "*"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_CAR_PLATE), {"京A12345", "京A****5"}, {"京A·12345", "京A·****5"}, {"粤BD12345", "粤B*****5"},
                {"京A1234警", "京A****警"}, {"京A1234", "******"}, {"A12345", "******"}, {"京A12345678", "**********"}, {"京", "*"},
                {"京A1警345", "*******"});
    CHECK_TEXTS(OPTIONS(.rule = MASK_ADDRESS), {"北京市朝阳区建国路88号院3号楼1201室", "北京市朝阳区建国路************"},
                {"浙江省杭州市西湖区文三路90号东部小区", "浙江省杭州市西湖区文三路*******"}, {"上海市浦东新区张江镇", "上海市浦东新区***"},
                {"朝阳区望京街道12号", "朝阳区望京街道***"}, {"深圳市", "***"}, {"北京市3区5号", "北京市*区**"},
                {"5 Main Street", "*************"}, {"张三,住中山路5号", "*********"}, {"没有", "**"}, {"", ""});
    CHECK_TEXTS(OPTIONS(.rule = MASK_GPS), {"39.9042,116.4074", "39.90,116.41"}, {"39.9042, 116.4074", "39.90, 116.41"},
                {"-33.8688 151.2093", "-33.87 151.21"}, {"39.9", "39.90"}, {"39.905", "39.91"}, {"-0.005", "-0.01"},
                {"1000,20", "*******"}, {"39.9042,116.4074,55", "*******************"}, {"north", "*****"}, {"39.9,", "*****"},
                {"1e1,2", "*****"}, {"39.90420000000000000000001,1", "****************************"}, {"", ""});
}

static void check_number(struct mask *mask, struct type type, const char *value, const char *wanted)
{
    struct batch *batch = batch_of(1);
    struct column *column = column_try_new(&batch->arena, type, 1, true);
    char *result;

    column->null[0] = !value;
    if (value && type.kind == TYPE_BIGINT)
        column->bigint[0] = strtoll(value, NULL, 10);
    else if (value && type.kind == TYPE_DOUBLE)
        column->real[0] = strtod(value, NULL);
    else if (value && type.kind == TYPE_DECIMAL)
        assert_int_equal(decimal_parse(str_of(value), type, &column->decimal[0]), DECIMAL_OK);
    else if (value && type.kind == TYPE_BOOLEAN)
        column->boolean[0] = *value == 't';
    else if (value && type_is_instant(type.kind))
        column->instant[0] = (struct instant){0, 0};
    else if (value && type.kind == TYPE_DATE)
        column->date[0] = atoi(value);
    else if (value)
        column->text[0] = str_of(value);
    result = hide_column(mask, batch, column);
    if (strcmp(result, wanted) != 0)
        fail_msg("%s gives %s, not %s", value ? value : "NULL", result, wanted);
    free(result);
    batch_free(batch);
}

static const struct type bigint = {.kind = TYPE_BIGINT}, real = {.kind = TYPE_DOUBLE}, money = {TYPE_DECIMAL, 10, 2},
                         wide = {TYPE_DECIMAL, 38, 2};

static void intervals_are_half_open(void **state)
{
    static const struct mask_interval ages[] = {{STR_NONE, {"18", 2}, {"minor", 5}}, {{"18", 2}, {"65.5", 4}, {"adult", 5}},
                                                {{"65.5", 4}, {"100", 3}, {"old", 3}}};
    static const struct mask_interval all[] = {{{"-0.5", 4}, STR_NONE, {"1", 1}}, {STR_NONE, {"-0.5", 4}, {"-1", 2}}};
    static const struct {
        struct type type;
        const char *value, *wanted;
    } cases[] = {
        {{.kind = TYPE_BIGINT}, "17", "minor"}, {{.kind = TYPE_BIGINT}, "18", "adult"}, {{.kind = TYPE_BIGINT}, "65", "adult"},
        {{.kind = TYPE_BIGINT}, "66", "old"}, {{.kind = TYPE_BIGINT}, "99", "old"}, {{.kind = TYPE_BIGINT}, NULL, "NULL"},
        {{.kind = TYPE_BIGINT}, "-9223372036854775808", "minor"},
        {{.kind = TYPE_BIGINT}, "100", "!the number is in no interval; add one for it, or set \"otherwise\""},
        {{.kind = TYPE_BIGINT}, "9223372036854775807", "!the number is in no interval; add one for it, or set \"otherwise\""},
        {{.kind = TYPE_DOUBLE}, "17.999999999999996", "minor"}, {{.kind = TYPE_DOUBLE}, "18", "adult"},
        {{.kind = TYPE_DOUBLE}, "65.499999999999986", "adult"}, {{.kind = TYPE_DOUBLE}, "65.5", "old"},
        {{.kind = TYPE_DOUBLE}, "-inf", "minor"}, {{.kind = TYPE_DOUBLE}, "nan", "!the number is in no interval; add one for it, or set \"otherwise\""},
        {{TYPE_DECIMAL, 10, 2}, "17.99", "minor"}, {{TYPE_DECIMAL, 10, 2}, "18.00", "adult"}, {{TYPE_DECIMAL, 10, 2}, "65.49", "adult"},
        {{TYPE_DECIMAL, 10, 2}, "65.50", "old"}, {{TYPE_DECIMAL, 10, 0}, "65", "adult"}, {{TYPE_DECIMAL, 10, 0}, "66", "old"},
        {{TYPE_DECIMAL, 38, 0}, "-99999999999999999999999999999999999999", "minor"},
        {{TYPE_DECIMAL, 38, 38}, "0.5", "minor"}, {{.kind = TYPE_NULL}, NULL, "NULL"},
        {{.kind = TYPE_STRING}, "17", "call: interval takes bigint, double or decimal, and field f is string; cast it first"},
        {{.kind = TYPE_BOOLEAN}, "t", "call: interval takes bigint, double or decimal, and field f is boolean; cast it first"},
    };
    struct mask *mask = mask_of(&(struct mask_options){.rule = MASK_INTERVAL, .intervals = ages, .interval_count = 3,
                                                       .value_kind = TYPE_STRING});

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_number(mask, cases[i].type, cases[i].value, cases[i].wanted);
    mask_free(mask);
    mask = mask_of(&(struct mask_options){.rule = MASK_INTERVAL, .intervals = ages, .interval_count = 1, .value_kind = TYPE_STRING,
                                          .otherwise = STR("other")});
    check_number(mask, bigint, "18", "other");
    check_number(mask, real, "nan", "other");
    check_number(mask, real, NULL, "NULL");
    mask_free(mask);
    mask = mask_of(&(struct mask_options){.rule = MASK_INTERVAL, .intervals = all, .interval_count = 2, .value_kind = TYPE_BIGINT});
    check_number(mask, bigint, "0", "1");
    check_number(mask, bigint, "-1", "-1");
    check_number(mask, bigint, "9223372036854775807", "1");
    check_number(mask, money, "-0.50", "1");
    check_number(mask, money, "-0.51", "-1");
    check_number(mask, real, "inf", "1");
    check_number(mask, wide, "999999999999999999999999999999999999.99", "1");
    mask_free(mask);
    mask = mask_of(&(struct mask_options){.rule = MASK_INTERVAL, .intervals = all, .interval_count = 2, .value_kind = TYPE_DOUBLE});
    check_number(mask, bigint, "0", "1");
    mask_free(mask);
}

static void rounding_is_half_away_from_zero(void **state)
{
    static const struct {
        struct type type;
        int digits;
        const char *value, *wanted;
    } cases[] = {
        {{.kind = TYPE_BIGINT}, -3, "1499", "1000"}, {{.kind = TYPE_BIGINT}, -3, "1500", "2000"},
        {{.kind = TYPE_BIGINT}, -3, "-1500", "-2000"}, {{.kind = TYPE_BIGINT}, -3, "-1499", "-1000"},
        {{.kind = TYPE_BIGINT}, -1, "0", "0"}, {{.kind = TYPE_BIGINT}, -1, "5", "10"}, {{.kind = TYPE_BIGINT}, -1, NULL, "NULL"},
        {{.kind = TYPE_BIGINT}, -18, "9223372036854775807", "9000000000000000000"},
        {{.kind = TYPE_BIGINT}, -2, "9223372036854775807", "9223372036854775800"},
        {{.kind = TYPE_BIGINT}, -1, "9223372036854775807", "!the rounded number is beyond the range of its type"},
        {{.kind = TYPE_BIGINT}, -1, "-9223372036854775808", "!the rounded number is beyond the range of its type"},
        {{.kind = TYPE_BIGINT}, -19, "9223372036854775807", "!the rounded number is beyond the range of its type"},
        {{.kind = TYPE_BIGINT}, -19, "4999999999999999999", "0"}, {{.kind = TYPE_BIGINT}, -38, "9223372036854775807", "0"},
        {{.kind = TYPE_BIGINT}, 0, "5",
         "call: round: field f is bigint, so rounding it to 0 digits hides nothing; digits must be below 0"},
        {{TYPE_DECIMAL, 10, 2}, 1, "12.35", "12.40"}, {{TYPE_DECIMAL, 10, 2}, 1, "-12.35", "-12.40"},
        {{TYPE_DECIMAL, 10, 2}, 0, "12.49", "12.00"}, {{TYPE_DECIMAL, 10, 2}, -2, "150.00", "200.00"},
        {{TYPE_DECIMAL, 10, 2}, -2, "49.99", "0.00"}, {{TYPE_DECIMAL, 4, 2}, 0, "99.50", "100.00"},
        {{TYPE_DECIMAL, 4, 2}, -38, "99.99", "0.00"}, {{TYPE_DECIMAL, 38, 38}, -38, "0.99", "0.00000000000000000000000000000000000000"},
        {{TYPE_DECIMAL, 38, 2}, 0, "999999999999999999999999999999999999.50", "!the rounded number is beyond the range of its type"},
        {{TYPE_DECIMAL, 10, 2}, 2, "1.23",
         "call: round: field f is decimal(10,2), so rounding it to 2 digits hides nothing; digits must be below 2"},
        {{.kind = TYPE_DOUBLE}, 2, "2.675", "2.6800000000000002"}, {{.kind = TYPE_DOUBLE}, 2, "-2.675", "-2.6800000000000002"},
        {{.kind = TYPE_DOUBLE}, 0, "0.5", "1"}, {{.kind = TYPE_DOUBLE}, 0, "0.49999999999999994", "0"},
        {{.kind = TYPE_DOUBLE}, 0, "2.5", "3"}, {{.kind = TYPE_DOUBLE}, 1, "0.25", "0.29999999999999999"},
        {{.kind = TYPE_DOUBLE}, 2, "0.001", "0"}, {{.kind = TYPE_DOUBLE}, 2, "-0.001", "0"}, {{.kind = TYPE_DOUBLE}, 2, "1.5", "1.5"},
        {{.kind = TYPE_DOUBLE}, -3, "123456", "123000"}, {{.kind = TYPE_DOUBLE}, -3, "499.9", "0"}, {{.kind = TYPE_DOUBLE}, -3, "500", "1000"},
        {{.kind = TYPE_DOUBLE}, -38, "1e300", "1.0000000000000001e+300"}, {{.kind = TYPE_DOUBLE}, 2, "1e-300", "0"},
        {{.kind = TYPE_DOUBLE}, 0, "0", "0"}, {{.kind = TYPE_DOUBLE}, 0, "999.5", "1000"},
        {{.kind = TYPE_DOUBLE}, 2, "nan", "!the rounded number is beyond the range of its type"},
        {{.kind = TYPE_DOUBLE}, 2, "inf", "!the rounded number is beyond the range of its type"},
        {{.kind = TYPE_NULL}, 2, NULL, "NULL"},
        {{.kind = TYPE_STRING}, 2, "1.234", "call: round takes bigint, double or decimal, and field f is string; cast it first"},
    };
    struct mask *mask;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        mask = mask_of(&(struct mask_options){.rule = MASK_ROUND, .digits = cases[i].digits});
        check_number(mask, cases[i].type, cases[i].value, cases[i].wanted);
        mask_free(mask);
    }
    mask = mask_of(&(struct mask_options){.rule = MASK_GPS});
    check_number(mask, real, "39.9042", "39.899999999999999");
    check_number(mask, type_decimal(9, 6), "116.407400", "116.410000");
    check_number(mask, money, "1.00",
                 "call: gps: field f is decimal(10,2), so rounding it to 2 digits hides nothing; use rule round, whose digits must be below 2");
    check_number(mask, bigint, "39",
                 "call: gps: field f is bigint, so rounding it to 2 digits hides nothing; use rule round, whose digits must be below 0");
    mask_free(mask);
}

static void other_types_are_masked_as_their_text(void **state)
{
    struct mask *mask = mask_of(&(struct mask_options){.rule = MASK_COVER, .before = 3, .after = 4});

    (void)state;
    check_number(mask, bigint, "13812345678", "138****5678");
    check_number(mask, bigint, "-5", "**");
    check_number(mask, money, "12345678.90", "123****8.90");
    check_number(mask, TYPE_OF(TYPE_BOOLEAN), "t", "****");
    check_number(mask, TYPE_OF(TYPE_DATE), "0", "197***1-01");
    check_number(mask, TYPE_OF(TYPE_BINARY), "13812345678", "138****5678");
    check_number(mask, TYPE_OF(TYPE_BINARY), "138\xFF", "!the value has no text, so it cannot be masked");
    check_number(mask, TYPE_OF(TYPE_JSON), "\"13812345678\"", "\"13******678\"");
    check_number(mask, TYPE_OF(TYPE_NULL), NULL, "NULL");
    check_number(mask, TYPE_OF(TYPE_TIMESTAMP), "0", "!a time has no text without a time zone; set the job's time_zone");
    mask_free(mask);
    mask = mask_of(&(struct mask_options){.rule = MASK_HASH, .algorithm = STR("md5")});
    check_number(mask, bigint, "123", "202cb962ac59075b964b07152d234b70");
    check_number(mask, TYPE_OF(TYPE_BINARY), "\xFF", "00594fd4f42ba43fc1ca0427a0576295");
    mask_free(mask);
    mask = mask_of(&(struct mask_options){.rule = MASK_EMPTY});
    check_number(mask, bigint, "123", "NULL");
    check_number(mask, money, "1.00", "NULL");
    check_number(mask, TYPE_OF(TYPE_NULL), NULL, "NULL");
    mask_free(mask);
    mask = mask_of(&(struct mask_options){.rule = MASK_EMPTY, .with = {"", 0}});
    check_number(mask, bigint, "123", "");
    mask_free(mask);
}

static void what_cannot_be_masked_goes_by_when_error(void **state)
{
    static const struct {
        enum when_error when_error;
        const char *wanted;
    } cases[] = {{WHEN_ERROR_DIRTY, NOT_UTF8}, {WHEN_ERROR_STOP, NOT_UTF8}, {WHEN_ERROR_DROP, "dropped"}, {WHEN_ERROR_NULL, "NULL"}};

    (void)state;
    for (int rule = 0; rule < MASK_RULES; rule++) {
        static const struct mask_segment segments[] = {{true, 2}, {false, 0}};
        struct mask_options options = {.rule = (enum mask_rule)rule, .segments = segments, .segment_count = 2, .position = 1,
                                       .length = 1, .with = STR("#"), .key = STR("k"), .algorithm = STR("md5")};
        struct mask *mask;

        if (rule == MASK_HASH || rule == MASK_INTERVAL || rule == MASK_ROUND || rule == MASK_EMPTY)
            continue;
        mask = mask_of(&options);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            char *result = hide_text(mask, STR("13812345678\xC0\x80"), cases[i].when_error);

            assert_string_equal(result, cases[i].wanted);
            free(result);
        }
        mask_free(mask);
    }
}

/* Whatever the text is, a covering rule covers something, and shows no more characters than it says; no rule gives the text. */
static void no_rule_lets_a_text_pass(void **state)
{
    static const char *const pieces[] = {"1", "2", "7", "0", "A", "z", "x", " ", "-", ".", ":", "@", "+", ",", "·", "中", "京", "市", "路", "é",
                                         E_ACUTE, FLAG, FAMILY, "8", "6", "3"};
    static const struct mask_segment segments[] = {{true, 1}, {false, 2}, {true, 0}};
    uint64_t random = 1;

    (void)state;
    for (int rule = 0; rule < MASK_RULES; rule++) {
        struct mask_options options = {.rule = (enum mask_rule)rule, .before = 2, .after = 2, .segments = segments,
                                       .segment_count = 3, .position = 3, .length = 2, .random = rule == MASK_REPLACE_CHARS,
                                       .algorithm = STR("sm3"), .key = STR("k")};
        struct mask *mask;

        if (rule == MASK_INTERVAL || rule == MASK_ROUND || rule == MASK_PSEUDONYM)
            continue;
        mask = mask_of(&options);
        for (int i = 0; i < 3000; i++) {
            char text[400] = "", *result;
            size_t size = 1 + (random >> 60), shown = 0;

            for (size_t k = 0; k < size; k++) {
                random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
                strcat(text, pieces[(random >> 33) % (i % 2 ? COUNT_OF(pieces) : 4)]);
            }
            result = hide_text(mask, str_of(text), WHEN_ERROR_DIRTY);
            if (strcmp(result, text) == 0 && rule != MASK_GPS)
                fail_msg("%s lets \"%s\" pass", mask_rule_names[rule], text);
            if (rule == MASK_COVER || (rule >= MASK_PHONE && rule != MASK_GPS)) {
                for (char *c = result; *c; c++)
                    shown += *c == '*';
                assert_true(shown > 0);
            }
            if (rule == MASK_COVER)
                assert_true(character_count(str_of(text)) <= 4 ? shown == character_count(str_of(text))
                                                                : shown + 4 == character_count(str_of(text)));
            free(result);
        }
        mask_free(mask);
    }
}

/* Bytes at random, mostly no UTF-8, and some that are: masked or failed, and nothing is read or written where it should not be. */
static void random_bytes_do_not_pass(void **state)
{
    static const char bytes[] = "19aZ@.:-+ \n\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x91\x8D\xFF\x80\xED\xA0\xC0\x7F\xE8\xB7\xAF";
    static const struct mask_segment segments[] = {{true, 1}, {false, 2}, {true, 0}};
    uint64_t random = 2;

    (void)state;
    for (int rule = 0; rule < MASK_RULES; rule++) {
        struct mask_options options = {.rule = (enum mask_rule)rule, .before = 2, .after = 2, .segments = segments,
                                       .segment_count = 3, .position = 3, .length = 2, .random = rule == MASK_REPLACE_CHARS,
                                       .algorithm = STR("sha512"), .key = STR("k")};
        struct mask *mask;

        if (rule == MASK_INTERVAL || rule == MASK_ROUND || rule == MASK_GPS)
            continue;
        options.with = rule == MASK_COVER || rule >= MASK_PHONE ? STR("\u2022\u2022\u2022") : STR_NONE;
        mask = mask_of(&options);
        for (int i = 0; i < 2000; i++) {
            char text[32], *result;
            size_t size = 1 + (random >> 59);

            for (size_t k = 0; k < size; k++) {
                random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
                text[k] = bytes[(random >> 33) % (i % 2 ? sizeof(bytes) : 14)];
            }
            result = hide_text(mask, str_make(text, size), WHEN_ERROR_DIRTY);
            if (rule != MASK_PSEUDONYM || size > 12) /* a short one may stay itself once in a while */
                assert_false(strlen(result) == size && memcmp(result, text, size) == 0);
            free(result);
        }
        mask_free(mask);
    }
}

static void options_are_checked(void **state)
{
    static const struct mask_segment none[] = {{true, 2}, {true, 0}}, early[] = {{false, 0}, {true, 1}};
    static const struct mask_interval word[] = {{{"x", 1}, STR_NONE, {"1", 1}}}, empty[] = {{{"5", 1}, {"5.0", 3}, {"1", 1}}},
                                      twice[] = {{{"1", 1}, {"9", 1}, {"1", 1}}, {{"8.99", 4}, STR_NONE, {"2", 1}}};
    static const struct {
        struct mask_options options;
        const char *wanted;
    } cases[] = {
        {{.rule = MASK_COVER, .with = {"", 0}}, "with: one or some characters are wanted, at most 32 bytes"},
        {{.rule = MASK_COVER, .with = {"\xFF", 1}}, "with: the text is not UTF-8"},
        {{.rule = MASK_SEGMENTS, .segments = none, .segment_count = 2}, "segments: these segments hide nothing"},
        {{.rule = MASK_SEGMENTS, .segments = early, .segment_count = 2}, "segments[1]: only the last segment can be the rest"},
        {{.rule = MASK_REPLACE_CHARS, .length = 1, .random = true}, "position: a number from 1 on is wanted"},
        {{.rule = MASK_REPLACE_CHARS, .position = 1, .length = 1}, "with: a text is wanted, or the word random for digits"},
        {{.rule = MASK_HASH, .algorithm = {"sha1", 4}}, "algo: \"sha1\" is not known; it must be md5, sha256, sha512 or sm3"},
        {{.rule = MASK_PSEUDONYM}, "domain: the key is empty"},
        {{.rule = MASK_EMPTY, .with = {"x", 1}}, "with: only \"\" is possible here, for empty texts"},
        {{.rule = MASK_ROUND, .digits = 39}, "digits: a number from -38 to 38 is wanted"},
        {{.rule = MASK_INTERVAL, .intervals = word, .interval_count = 1},
         "intervals[1].from: a bound is a number with at most 18 decimal places"},
        {{.rule = MASK_INTERVAL, .intervals = empty, .interval_count = 1},
         "intervals[1]: no number is in it: \"from\" belongs to the interval, \"to\" does not"},
        {{.rule = MASK_INTERVAL, .intervals = twice, .interval_count = 2}, "intervals[2]: overlaps intervals[1]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mask *mask = NULL;
        struct error error;
        char option[MASK_OPTION_MAX], text[400];

        if (mask_new(&mask, &cases[i].options, option, &error))
            fail_msg("no mistake: %s", cases[i].wanted);
        assert_int_equal(error.kind, ERROR_CONFIG);
        snprintf(text, sizeof(text), "%s: %.300s", option, error.text);
        assert_int_equal(strncmp(text, cases[i].wanted, strlen(cases[i].wanted)), 0);
    }
}

static void a_full_arena_is_an_error_of_the_batch(void **state)
{
    struct mask *mask = mask_of(&(struct mask_options){.rule = MASK_COVER, .with = STR("[covered]")});
    struct batch *batch = batch_new(1 << 20);
    struct column *column, *out = NULL;
    struct error error;
    char *text = xmalloc(200000);

    (void)state;
    memset(text, 'x', 200000);
    batch_add_message(batch, &(struct message){.offset = 1}, NULL);
    assert_true(batch_begin(batch, 0));
    column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), 1, false);
    column->text[0] = str_make(text, 200000);
    assert_false(mask_run(mask, batch, column, STR("f"), &out, &error));
    assert_int_equal(error.kind, ERROR_DATA);
    assert_null(out);
    batch_free(batch);
    mask_free(mask);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cover_keeps_both_ends),
        cmocka_unit_test(cover_is_exact_for_every_length),
        cmocka_unit_test(segments_go_from_left_to_right),
        cmocka_unit_test(replace_chars_writes_a_text_or_digits),
        cmocka_unit_test(hash_and_empty),
        cmocka_unit_test(presets_know_their_forms),
        cmocka_unit_test(intervals_are_half_open),
        cmocka_unit_test(rounding_is_half_away_from_zero),
        cmocka_unit_test(other_types_are_masked_as_their_text),
        cmocka_unit_test(what_cannot_be_masked_goes_by_when_error),
        cmocka_unit_test(no_rule_lets_a_text_pass),
        cmocka_unit_test(random_bytes_do_not_pass),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_full_arena_is_an_error_of_the_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
