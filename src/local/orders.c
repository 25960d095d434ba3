/* orders.c: two generators (splitmix64: Steele, Lea, Flood 2014), one for the values and one for damage and order, so that the
 * values do not depend on the damage. Fields are put together by hand where they are numbers; about 0.3 microseconds a record. */
#include "local/orders.h"

#include <stdio.h>

enum { FIELD_COUNT = 10, FIELD_BYTES = 160, START_ID = 10000000 };

static const char *const cities[8] = {
    "上海市浦东新区", "北京市朝阳区", "广州市天河区", "深圳市南山区", "杭州市西湖区", "Zürich Altstadt", "São Paulo", "成都市武侯区",
};
static const char *const sources[5] = {"app_store", "google_play", "mini_program", "web_portal", "h5"};
static const char *const tags[8] = {"vip", "new", "returning", "promo-2024", "coupon", "ios", "android", "lottery"};
static const char *const domains[4] = {"example.com", "mail.example.org", "corp.example.cn", "shop.example"};

struct text_field {
    char text[FIELD_BYTES];
    size_t size;
};

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void orders_init(struct orders *orders, uint64_t seed, unsigned broken_permille, bool shuffle, int64_t hours, int64_t count,
                 int64_t start_ms)
{
    *orders = (struct orders){
        .values = seed,
        .odd = seed ^ 0x5EED,
        .broken_permille = broken_permille,
        .shuffle = shuffle,
        .hours = hours,
        .count = count,
        .start_ms = start_ms ? start_ms : INT64_C(1700000000000),
    };
    orders->ts = orders->start_ms;
}

static void put(struct text_field *field, const char *text)
{
    size_t size = strlen(text);

    assert(size <= sizeof(field->text) - field->size);
    memcpy(field->text + field->size, text, size);
    field->size += size;
}

/* At least `width` digits, with zeros in front. */
static void put_number(struct text_field *field, uint64_t value, unsigned width)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (sizeof(digits) - 1 - at < width)
        digits[--at] = '0';
    put(field, digits + at);
}

static void put_hex(struct text_field *field, uint32_t value)
{
    char digits[9] = {0};

    for (int i = 0; i < 8; i++)
        digits[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    put(field, digits);
}

/* All but ASCII as \uXXXX; the cities' characters have two or three bytes. */
static void put_escaped(struct text_field *field, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        char escape[8] = {(char)*p, '\0'};
        unsigned code;

        if (*p < 0x80) {
            p++;
        } else {
            code = *p < 0xE0 ? (*p & 0x1Fu) << 6 | (p[1] & 0x3Fu) : (*p & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
            p += *p < 0xE0 ? 2 : 3;
            snprintf(escape, sizeof(escape), "\\u%04x", code & 0xFFFF);
        }
        put(field, escape);
    }
}

static void damage(struct text_field *fields, uint64_t kind)
{
    static const struct {
        unsigned field;
        const char *text;
    } kinds[4] = {{6, "\"city\":\"cut"}, {0, "\"id\":\"not a number\""}, {5, "\"amount\":{}"}, {4,
                                                                                                "\"ts\":99999999999999999999"}};
    struct text_field *field = &fields[kinds[kind].field];

    field->size = 0;
    put(field, kinds[kind].text);
}

static void make_fields(struct text_field *fields, uint64_t r, uint64_t q, const struct orders *orders, const char *user)
{
    static const unsigned tag_shifts[4] = {17, 21, 25, 29};

    put(&fields[0], "\"id\":");
    put_number(&fields[0], (uint64_t)(START_ID + orders->index), 1);
    put(&fields[1], "\"user\":\"");
    put(&fields[1], user);
    put(&fields[1], "\"");
    put(&fields[2], "\"phone\":\"1");
    put_number(&fields[2], 30 + (r >> 12) % 60, 2);
    put_number(&fields[2], (r >> 20) % 100000000, 8);
    put(&fields[2], "\"");
    put(&fields[3], q & 1 ? "\"email\":\"zhang.san." : "\"email\":\"firstname.lastname.");
    put_hex(&fields[3], (uint32_t)(q >> 32));
    put(&fields[3], "@");
    put(&fields[3], domains[(q >> 3) & 3]);
    put(&fields[3], "\"");
    put(&fields[4], "\"ts\":");
    put_number(&fields[4], (uint64_t)orders->ts, 1);
    put(&fields[5], "\"amount\":\"");
    put_number(&fields[5], (q >> 6) % 1000, 1);
    put(&fields[5], ".");
    put_number(&fields[5], (q >> 20) % 100, 2);
    put(&fields[5], "\"");
    put(&fields[6], "\"city\":\"");
    if (((r >> 8) & 3) == 0)
        put_escaped(&fields[6], cities[r % 8]);
    else
        put(&fields[6], cities[r % 8]);
    put(&fields[6], "\"");
    put(&fields[7], "\"profile\":{\"level\":");
    put_number(&fields[7], (q >> 9) % 10, 1);
    put(&fields[7], ",\"source\":\"");
    put(&fields[7], sources[(q >> 14) % 5]);
    put(&fields[7], "\"}");
    put(&fields[8], "\"tags\":[");
    for (size_t i = 0; i < COUNT_OF(tag_shifts); i++) {
        put(&fields[8], i ? ",\"" : "\"");
        put(&fields[8], tags[(q >> tag_shifts[i]) & 7]);
        put(&fields[8], "\"");
    }
    put(&fields[8], "]");
    put(&fields[9], (q >> 40) % 10 < 8 ? "\"flag\":true" : "\"flag\":false");
}

void orders_next(struct orders *orders, struct buffer *record, char key[64])
{
    uint64_t r = next(&orders->values), q = next(&orders->values);
    struct text_field fields[FIELD_COUNT];
    uint8_t order[FIELD_COUNT];
    struct text_field user;

    for (int i = 0; i < FIELD_COUNT; i++) {
        fields[i].size = 0;
        order[i] = (uint8_t)i;
    }
    if (orders->hours > 0 && orders->count > 0)
        orders->ts =
            orders->start_ms + (int64_t)((double)orders->index * ((double)(orders->hours * 3600000) / (double)orders->count));
    else
        orders->ts += (int64_t)((r >> 10) % 173);
    user.size = 0;
    put(&user, "user_");
    put_hex(&user, (uint32_t)(r >> 32));
    put(&user, "_");
    put(&user, tags[(r >> 5) & 7]);
    memcpy(key, user.text, user.size);
    key[user.size] = '\0';
    make_fields(fields, r, q, orders, key);
    if (orders->broken_permille && next(&orders->odd) % 1000 < orders->broken_permille)
        damage(fields, next(&orders->odd) % 4);
    for (unsigned k = FIELD_COUNT - 1; orders->shuffle && k > 0; k--) {
        unsigned j = (unsigned)(next(&orders->odd) % (k + 1));
        uint8_t swapped = order[k];

        order[k] = order[j];
        order[j] = swapped;
    }
    for (int i = 0; i < FIELD_COUNT; i++) {
        buffer_append_char(record, i ? ',' : '{');
        buffer_append(record, fields[order[i]].text, fields[order[i]].size);
    }
    buffer_append_char(record, '}');
    orders->index++;
}
