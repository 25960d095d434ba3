/* sign.c: the canonical text is put together from two sorted lists, headers and query parameters, whose decoded texts stand
 * one after the other in one buffer each. Some 3 µs a request, most of it HMAC. */
#include "maxcompute/sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <time.h>

/* Texts lie in a buffer that may move while it grows, hence offsets. */
struct pair {
    const char *base; /* the buffer's bytes, known once it is complete */
    size_t name_at, name_size;
    size_t value_at, value_size;
    size_t order; /* qsort is not stable */
};

struct pairs {
    struct buffer text;
    struct pair *items;
    size_t count, capacity;
};

static struct str pair_name(const struct pair *pair)
{
    return str_make(pair->base + pair->name_at, pair->name_size);
}

static struct str pair_value(const struct pair *pair)
{
    return str_make(pair->base + pair->value_at, pair->value_size);
}

typedef void append_function(struct buffer *text, struct str bytes);

/* Name and value are written into the text by functions, since headers and parameters differ in how. */
static void pairs_add(struct pairs *pairs, struct str name, append_function *name_append, struct str value,
                      append_function *value_append)
{
    struct pair *pair;

    XGROW(pairs->items, pairs->count, pairs->capacity);
    pair = &pairs->items[pairs->count];
    memset(pair, 0, sizeof(*pair));
    pair->order = pairs->count++;
    pair->name_at = pairs->text.size;
    name_append(&pairs->text, name);
    pair->name_size = pairs->text.size - pair->name_at;
    pair->value_at = pairs->text.size;
    value_append(&pairs->text, value);
    pair->value_size = pairs->text.size - pair->value_at;
}

static int compare_pairs(const void *a_pointer, const void *b_pointer)
{
    const struct pair *a = a_pointer, *b = b_pointer;
    size_t size = size_min(a->name_size, b->name_size);
    int order = size ? memcmp(pair_name(a).data, pair_name(b).data, size) : 0;

    if (order)
        return order;
    if (a->name_size != b->name_size)
        return a->name_size < b->name_size ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void pairs_sort(struct pairs *pairs)
{
    const char *base = buffer_str(&pairs->text).data;

    for (size_t i = 0; i < pairs->count; i++)
        pairs->items[i].base = base;
    if (pairs->count)
        qsort(pairs->items, pairs->count, sizeof(*pairs->items), compare_pairs);
}

static void pairs_release(struct pairs *pairs)
{
    buffer_release(&pairs->text);
    free(pairs->items);
}

static void append_lower(struct buffer *text, struct str name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];

        buffer_append_char(text, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
}

static bool is_service_header(struct str name)
{
    return name.size >= 7 && str_equal_ignore_case(str_make(name.data, 7), STR("x-odps-"));
}

static void add_parameters(struct pairs *pairs, struct str query)
{
    bool more = query.size > 0;

    while (more) {
        struct str piece, name, value;

        more = str_cut(query, '&', &piece, &query);
        if (!piece.size)
            continue;
        str_cut(piece, '=', &name, &value);
        pairs_add(pairs, name, sign_decode, value, sign_decode);
    }
}

/* The value of the first header of that name; false when there is none. */
static bool find_header(const struct sign_header *headers, size_t count, const char *name, struct str *value_out)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal_ignore_case(headers[i].name, str_of(name))) {
            *value_out = headers[i].value;
            return true;
        }
    *value_out = STR_NONE;
    return false;
}

static struct str cut_endpoint(struct str path, struct str endpoint_path)
{
    while (endpoint_path.size && endpoint_path.data[endpoint_path.size - 1] == '/')
        endpoint_path.size--;
    if (endpoint_path.size && str_starts_with(path, endpoint_path) &&
        (path.size == endpoint_path.size || path.data[endpoint_path.size] == '/'))
        return str_make(path.data + endpoint_path.size, path.size - endpoint_path.size);
    return path;
}

static void append_headers(struct buffer *canonical, const struct sign_header *headers, size_t header_count,
                           const struct pairs *parameters)
{
    struct pairs own = {0};
    struct str value;

    find_header(headers, header_count, "content-md5", &value);
    buffer_append_str(canonical, value);
    buffer_append_char(canonical, '\n');
    find_header(headers, header_count, "content-type", &value);
    buffer_append_str(canonical, value);
    buffer_append_char(canonical, '\n');
    /* Unlike the other two, a missing date leaves no empty line. */
    if (find_header(headers, header_count, "date", &value)) {
        buffer_append_str(canonical, value);
        buffer_append_char(canonical, '\n');
    }

    for (size_t i = 0; i < header_count; i++)
        if (is_service_header(headers[i].name))
            pairs_add(&own, headers[i].name, append_lower, headers[i].value, buffer_append_str);
    for (size_t i = 0; i < parameters->count; i++)
        if (is_service_header(pair_name(&parameters->items[i])))
            pairs_add(&own, pair_name(&parameters->items[i]), append_lower, pair_value(&parameters->items[i]), buffer_append_str);
    pairs_sort(&own);
    for (size_t i = 0; i < own.count; i++) {
        bool repeated = i && str_equal(pair_name(&own.items[i]), pair_name(&own.items[i - 1]));

        if (repeated) {
            buffer_append_char(canonical, ',');
        } else {
            if (i)
                buffer_append_char(canonical, '\n');
            buffer_append_str(canonical, pair_name(&own.items[i]));
            buffer_append_char(canonical, ':');
        }
        buffer_append_str(canonical, pair_value(&own.items[i]));
    }
    if (own.count)
        buffer_append_char(canonical, '\n');
    pairs_release(&own);
}

void sign_canonical(struct buffer *canonical, struct str method, struct str path_and_query, struct str endpoint_path,
                    const struct sign_header *headers, size_t header_count)
{
    struct pairs parameters = {0};
    struct str path, query;

    str_cut(path_and_query, '?', &path, &query);
    add_parameters(&parameters, query);
    pairs_sort(&parameters);

    buffer_append_str(canonical, method);
    buffer_append_char(canonical, '\n');
    append_headers(canonical, headers, header_count, &parameters);
    sign_decode(canonical, cut_endpoint(path, endpoint_path));
    for (size_t i = 0; i < parameters.count; i++) {
        const struct pair *pair = &parameters.items[i];

        buffer_append_char(canonical, i ? '&' : '?');
        buffer_append_str(canonical, pair_name(pair));
        if (pair->value_size) {
            buffer_append_char(canonical, '=');
            buffer_append_str(canonical, pair_value(pair));
        }
    }
    pairs_release(&parameters);
}

/* The digest's size; digest has room for EVP_MAX_MD_SIZE bytes. */
static unsigned hmac(const EVP_MD *algorithm, struct str key, struct str data, unsigned char *digest)
{
    const unsigned char *bytes = (const unsigned char *)(data.data ? data.data : "");
    unsigned size = 0;

    assert(key.size <= INT32_MAX);
    /* OpenSSL takes a NULL key as "the one before". */
    if (!HMAC(algorithm, key.data ? key.data : "", (int)key.size, bytes, data.size, digest, &size))
        stop_out_of_memory("a signature with libcrypto's HMAC");
    return size;
}

static void append_signature(struct buffer *authorization, struct str key, struct str canonical)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = hmac(EVP_sha1(), key, canonical, digest);

    buffer_append_base64(authorization, str_make((const char *)digest, size));
}

void sign_v1(struct buffer *authorization, struct str access_id, struct str access_key, struct str canonical)
{
    buffer_append_str(authorization, STR("ODPS "));
    buffer_append_str(authorization, access_id);
    buffer_append_char(authorization, ':');
    append_signature(authorization, access_key, canonical);
}

void sign_v4(struct buffer *authorization, struct str access_id, struct str access_key, struct str region, struct str day,
             struct str canonical)
{
    const struct str steps[] = {day, region, STR("odps"), STR("aliyun_v4_request")};
    unsigned char digests[2][EVP_MAX_MD_SIZE];
    struct buffer first;
    struct str key;

    buffer_init(&first, 0);
    /* One allocation: a buffer that moved would leave a copy of the secret behind. */
    (void)buffer_reserve(&first, 9 + access_key.size);
    buffer_append_str(&first, STR("aliyun_v4"));
    buffer_append_str(&first, access_key);
    key = buffer_str(&first);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        unsigned size = hmac(EVP_sha256(), key, steps[i], digests[i % 2]);

        key = str_make((const char *)digests[i % 2], size);
    }
    buffer_append_str(authorization, STR("ODPS "));
    buffer_append_str(authorization, access_id);
    buffer_append_char(authorization, '/');
    buffer_append_str(authorization, day);
    buffer_append_char(authorization, '/');
    buffer_append_str(authorization, region);
    buffer_append_str(authorization, STR("/odps/aliyun_v4_request:"));
    append_signature(authorization, key, canonical);
    OPENSSL_cleanse(digests, sizeof(digests));
    OPENSSL_cleanse(first.data, first.size);
    buffer_release(&first);
}

void sign_date(struct buffer *date, int64_t wall_ms)
{
    /* Not strftime: its names follow the locale. */
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
    struct tm tm;

    if (!gmtime_r(&seconds, &tm))
        assert(!"the wall clock is out of range");
    buffer_print(date, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

void sign_encode(struct buffer *text, struct str value)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (is_unreserved(c)) {
            buffer_append_char(text, (char)c);
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

            buffer_append(text, escape, 3);
        }
    }
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* An escape that is none stays as it is: the canonical text then differs from the client's and the signature tells. */
void sign_decode(struct buffer *text, struct str value)
{
    for (size_t i = 0; i < value.size; i++) {
        int high, low;

        if (value.data[i] == '%' && value.size - i > 2 && (high = digit_of(value.data[i + 1])) >= 0 &&
            (low = digit_of(value.data[i + 2])) >= 0) {
            buffer_append_char(text, (char)(high << 4 | low));
            i += 2;
        } else {
            buffer_append_char(text, value.data[i]);
        }
    }
}
