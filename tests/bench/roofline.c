/* roofline.c: what nobody who moves job `columns`, or `five`, from Kafka to Tunnel can leave out, written by hand for these records
 * alone, on the job's own bytes. It is no design: it knows the order of the keys, checks little and refuses everything else. The sum of its
 * parts is what luaduct's cost is held against.
 * usage: roofline RECORDS ROUNDS [hours=N] [job=five]
 *
 *   receive   read a fetched record batch from a loopback socket, CRC-32C, LZ4, walk the records (format 2)
 *   json      one pass over each document: eight values into columns
 *   encode    the rows that pass, as Tunnel records with their CRC-32C; the bytes are compared with record_encode's before the clock starts
 *   deflate   isa-l, level 1, zlib container
 *   put       HTTP PUT of the blocks to a sink on a loopback socket that reads and forgets
 *
 * Batch by batch, so that each part finds its input in the caches as a real program would. A part's cost is the main thread's CPU time; the
 * broker's and the endpoint's side are threads of their own and not counted, nor is what the stages of job `five` make of the values
 * (masks, hash, replacement), for that is the work itself and not its unavoidable surroundings. Prints a line for each part and one for their sum: the minimum,
 * median and maximum of the rounds. Instructions are counted from outside, by the parts' function names (bench.py). */
#include <arpa/inet.h>
#include <emmintrin.h>
#include <inttypes.h>
#include <isa-l.h>
#include <lz4frame.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "local/orders.h"
#include "maxcompute/record.h"
#include "util/crc32c.h"

enum {
    BATCH_ROWS = 1024, /* of a Kafka record batch; luaduct's own batches have as many */
    HEADER_BYTES = 61, /* of a record batch, before its records */
    SLACK = 64,        /* behind texts: loads of 16 bytes and copies may go beyond their end */
    BLOCK_BYTES = 8 << 20,
    COLUMNS = 8,
};

enum part { RECEIVE, JSON, ENCODE, DEFLATE, PUT, PARTS };
static const char *const part_names[PARTS] = {"receive", "json", "encode", "deflate", "put"};

#define PART __attribute__((noinline))

/* The values of a batch, a column each. */
static struct {
    int64_t id[BATCH_ROWS], ts[BATCH_ROWS], cents[BATCH_ROWS];
    struct str user[BATCH_ROWS], phone[BATCH_ROWS], email[BATCH_ROWS], amount[BATCH_ROWS], city[BATCH_ROWS];
    bool flag[BATCH_ROWS];
} values;

static bool five; /* the job: its rows are other rows */

static _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "roofline: %s\n", what);
    exit(1);
}

/* --- what the broker sends --- */

static void put_be(struct buffer *buffer, uint64_t value, unsigned bytes)
{
    while (bytes--)
        buffer_append_char(buffer, (char)(value >> 8 * bytes));
}

static void put_varint(struct buffer *buffer, int64_t value)
{
    uint64_t rest = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);

    for (; rest >= 0x80; rest >>= 7)
        buffer_append_char(buffer, (char)(rest | 0x80));
    buffer_append_char(buffer, (char)rest);
}

/* One record batch with a length of four bytes before it, as in a fetch's answer. */
static void make_batch(struct buffer *wire, struct orders *orders, int64_t base, uint32_t count)
{
    struct buffer records = {0}, value = {0};
    size_t start, bound, packed;
    char key[64];

    for (uint32_t i = 0; i < count; i++) {
        struct buffer record = {0};

        buffer_clear(&value);
        orders_next(orders, &value, key);
        buffer_append_char(&record, 0); /* attributes */
        put_varint(&record, 0);         /* timestamp */
        put_varint(&record, i);         /* offset */
        put_varint(&record, -1);        /* no key */
        put_varint(&record, (int64_t)value.size);
        buffer_append_str(&record, buffer_str(&value));
        put_varint(&record, 0); /* headers */
        put_varint(&records, (int64_t)record.size);
        buffer_append_str(&records, buffer_str(&record));
        buffer_release(&record);
    }
    bound = LZ4F_compressFrameBound(records.size, NULL);
    start = wire->size;
    if (!buffer_reserve(wire, 4 + HEADER_BYTES + bound))
        refuse("no memory");
    put_be(wire, 0, 4);
    put_be(wire, (uint64_t)base, 8);
    put_be(wire, 0, 4); /* length */
    put_be(wire, 0, 4); /* leader epoch */
    put_be(wire, 2, 1); /* format */
    put_be(wire, 0, 4); /* CRC */
    put_be(wire, 3, 2); /* LZ4 */
    put_be(wire, count - 1, 4);
    put_be(wire, UINT64_C(1700000000000), 8);
    put_be(wire, UINT64_C(1700000000000), 8);
    put_be(wire, UINT64_MAX, 8); /* no producer id, epoch, sequence */
    put_be(wire, UINT64_MAX, 2);
    put_be(wire, UINT64_MAX, 4);
    put_be(wire, count, 4);
    packed = LZ4F_compressFrame(wire->data + wire->size, bound, records.data, records.size, NULL);
    if (LZ4F_isError(packed))
        refuse("LZ4 does not pack");
    wire->size += packed;
    {
        size_t size = wire->size - start - 4;
        uint32_t length = htonl((uint32_t)size - 12), all = htonl((uint32_t)size);
        uint32_t crc = htonl(crc32c(0, wire->data + start + 4 + 21, size - 21));

        memcpy(wire->data + start, &all, 4);
        memcpy(wire->data + start + 4 + 8, &length, 4);
        memcpy(wire->data + start + 4 + 17, &crc, 4);
    }
    buffer_release(&records);
    buffer_release(&value);
}

static void write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t done = write(fd, data, size);

        if (done <= 0)
            refuse("a socket is closed");
        data += done;
        size -= (size_t)done;
    }
}

static void read_all(int fd, char *data, size_t size)
{
    while (size) {
        ssize_t done = recv(fd, data, size, MSG_WAITALL);

        if (done <= 0)
            refuse("a socket is closed");
        data += done;
        size -= (size_t)done;
    }
}

struct broker {
    int fd;
    const struct buffer *wire;
    unsigned rounds;
};

static void *broker_main(void *arg)
{
    const struct broker *broker = arg;

    for (unsigned i = 0; i < broker->rounds; i++)
        write_all(broker->fd, broker->wire->data, broker->wire->size);
    return NULL;
}

/* --- receive --- */

static uint32_t get_be32(const char *p)
{
    uint32_t value;

    memcpy(&value, p, 4);
    return ntohl(value);
}

static inline const char *get_varint(const char *p, int64_t *value)
{
    uint64_t rest = (uint8_t)*p++;

    if (UNLIKELY(rest & 0x80)) {
        unsigned shift = 7;

        rest &= 0x7F;
        do
            rest |= (uint64_t)(*p & 0x7F) << shift, shift += 7;
        while (*p++ & 0x80);
    }
    *value = (int64_t)(rest >> 1) ^ -(int64_t)(rest & 1);
    return p;
}

/* The next batch's documents, which lie in `raw` until the next call. */
static PART uint32_t receive(int fd, struct buffer *packed, struct buffer *raw, LZ4F_dctx *lz4, struct str *documents)
{
    char length[4];
    const char *p, *in;
    size_t size, left, status = 1;
    uint32_t count;

    read_all(fd, length, 4);
    size = get_be32(length);
    buffer_clear(packed);
    buffer_clear(raw);
    if (!buffer_reserve(packed, size) || size < HEADER_BYTES)
        refuse("the length of a batch is wrong");
    read_all(fd, packed->data, size);
    if (crc32c(0, packed->data + 21, size - 21) != get_be32(packed->data + 17))
        refuse("a batch has a wrong CRC");
    in = packed->data + HEADER_BYTES;
    left = size - HEADER_BYTES;
    while (status) {
        size_t taken = left, room;

        if (!buffer_reserve(raw, 64 * 1024 + SLACK))
            refuse("no memory");
        room = raw->capacity - raw->size - SLACK;
        status = LZ4F_decompress(lz4, raw->data + raw->size, &room, in, &taken, NULL);
        if (LZ4F_isError(status))
            refuse("a batch is no LZ4");
        raw->size += room;
        in += taken;
        left -= taken;
    }
    count = get_be32(packed->data + 57);
    p = raw->data;
    for (uint32_t i = 0; i < count; i++) {
        int64_t record, skipped, key, value;
        const char *next;

        p = get_varint(p, &record);
        next = p + record;
        p = get_varint(p + 1, &skipped); /* attributes, timestamp */
        p = get_varint(p, &skipped);     /* offset */
        p = get_varint(p, &key);
        p = get_varint(key > 0 ? p + key : p, &value);
        documents[i] = str_make(p, (size_t)value);
        p = next;
    }
    return count;
}

/* --- json --- */

static inline unsigned bytes_equal(__m128i bytes, char c)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}

static inline const char *get_number(const char *p, int64_t *value)
{
    uint64_t number = 0;

    while ((unsigned)*p - '0' <= 9)
        number = number * 10 + (uint64_t)(*p++ - '0');
    *value = (int64_t)number;
    return p;
}

static inline unsigned hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* A text with escapes: the records have those of two- and three-byte characters. */
static __attribute__((noinline)) const char *get_escaped(const char *p, char **room, struct str *text)
{
    char *out = *room;

    while (*p != '"') {
        unsigned code;

        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        if (p[1] != 'u')
            refuse("an escape that the records do not have");
        code = hex(p[2]) << 12 | hex(p[3]) << 8 | hex(p[4]) << 4 | hex(p[5]);
        p += 6;
        if (code < 0x800) {
            *out++ = (char)(0xC0 | code >> 6);
        } else {
            *out++ = (char)(0xE0 | code >> 12);
            *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        }
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    *text = str_make(*room, (size_t)(out - *room));
    *room = out;
    return p + 1;
}

/* From behind the opening quote to behind the closing one. */
static inline const char *get_text(const char *p, char **room, struct str *text)
{
    const char *start = p;

    for (;; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned mask = bytes_equal(bytes, '"') | bytes_equal(bytes, '\\');

        if (mask) {
            p += __builtin_ctz(mask);
            break;
        }
    }
    if (UNLIKELY(*p == '\\'))
        return get_escaped(start, room, text);
    *text = str_make(start, (size_t)(p - start));
    return p + 1;
}

/* From the opening bracket to behind the closing one. Quotes turn the text on and off; brackets in texts do not count. */
static inline const char *skip_nested(const char *p)
{
    unsigned inside = 0;
    int depth = 0;

    for (;; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20)); /* [ and ] become { and } */
        unsigned opens = bytes_equal(folded, '{'), closes = bytes_equal(folded, '}');
        unsigned text = bytes_equal(bytes, '"');

        if (UNLIKELY(bytes_equal(bytes, '\\')))
            refuse("an escape where the records have none");
        text ^= text << 1;
        text ^= text << 2;
        text ^= text << 4;
        text ^= text << 8;
        text = (text ^ inside) & 0xFFFF;
        inside = text & 0x8000 ? 0xFFFF : 0;
        opens &= ~text;
        for (unsigned mask = opens | (closes & ~text); mask; mask &= mask - 1) {
            depth += mask & -mask & opens ? 1 : -1;
            if (depth == 0)
                return p + __builtin_ctz(mask) + 1;
        }
    }
}

#define EXPECT(p, literal)                                    \
    do {                                                      \
        if (UNLIKELY(memcmp(p, literal, sizeof(literal) - 1))) \
            refuse("a document is not as expected");          \
        p += sizeof(literal) - 1;                             \
    } while (0)

static PART void json(const struct str *documents, uint32_t count, char *room)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *p = documents[i].data;
        int64_t cents;

        EXPECT(p, "{\"id\":");
        p = get_number(p, &values.id[i]);
        EXPECT(p, ",\"user\":\"");
        p = get_text(p, &room, &values.user[i]);
        EXPECT(p, ",\"phone\":\"");
        p = get_text(p, &room, &values.phone[i]);
        EXPECT(p, ",\"email\":\"");
        p = get_text(p, &room, &values.email[i]);
        EXPECT(p, ",\"ts\":");
        p = get_number(p, &values.ts[i]);
        EXPECT(p, ",\"amount\":\"");
        values.amount[i].data = p;
        p = get_number(p, &values.cents[i]);
        EXPECT(p, ".");
        p = get_number(p, &cents);
        values.amount[i].size = (size_t)(p - values.amount[i].data);
        values.cents[i] = values.cents[i] * 100 + cents;
        EXPECT(p, "\",\"city\":\"");
        p = get_text(p, &room, &values.city[i]);
        EXPECT(p, ",\"profile\":");
        p = skip_nested(p);
        EXPECT(p, ",\"tags\":");
        p = skip_nested(p);
        EXPECT(p, ",\"flag\":");
        values.flag[i] = *p == 't';
        p += values.flag[i] ? 4 : 5;
        if (UNLIKELY(*p != '}' || p + 1 != documents[i].data + documents[i].size))
            refuse("a document does not end as expected");
    }
}

/* --- encode --- */

static inline char *wire_varint(char *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (char)(value | 0x80);
    *p++ = (char)value;
    return p;
}

static inline char *wire_bigint(char *p, unsigned number, int64_t value, uint64_t *sum)
{
    *sum = crc32c_step64(crc32c_step32(*sum, number), (uint64_t)value);
    *p++ = (char)(number << 3);
    return wire_varint(p, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static inline char *wire_text(char *p, unsigned number, struct str text, uint64_t *sum_inout)
{
    uint64_t sum = crc32c_step32(*sum_inout, number), word;
    const char *from = text.data;
    size_t left = text.size;

    *p++ = (char)(number << 3 | 2);
    p = wire_varint(p, text.size);
    for (; left >= 8; left -= 8, from += 8, p += 8) {
        memcpy(&word, from, 8);
        memcpy(p, &word, 8);
        sum = crc32c_step64(sum, word);
    }
    memcpy(&word, from, 8);
    memcpy(p, &word, 8);
    p += left;
    if (left & 4) {
        sum = crc32c_step32(sum, (uint32_t)word);
        word >>= 32;
    }
    for (left &= 3; left; left--, word >>= 8)
        sum = crc32c_step8(sum, (uint8_t)word);
    *sum_inout = sum;
    return p;
}

/* Epoch milliseconds as a TIMESTAMP: seconds, and nanoseconds. */
static inline char *wire_time(char *p, unsigned number, int64_t ms, uint64_t *sum)
{
    uint64_t seconds = (uint64_t)ms / 1000, nanos = (uint64_t)ms % 1000 * 1000000;

    *sum = crc32c_step32(crc32c_step64(crc32c_step32(*sum, number), seconds), (uint32_t)nanos);
    *p++ = (char)(number << 3 | 2);
    return wire_varint(wire_varint(p, seconds << 1), nanos << 1);
}

static inline struct str level_of(int64_t cents)
{
    static const char gold[16] = "gold", silver[16] = "silver", bronze[16] = "bronze";

    return cents > 80000 ? str_make(gold, 4) : cents > 40000 ? str_make(silver, 6) : str_make(bronze, 6);
}

static inline bool passes(uint32_t row)
{
    return values.cents[row] > 10000 && values.flag[row];
}

/* What job `five` makes of the values: not counted. */
static void mask_and_replace(uint32_t count, char *room)
{
    static const char district[] = "District", digits[] = "0123456789abcdef";

    for (uint32_t i = 0; i < count; i++) {
        struct str city = values.city[i], phone = values.phone[i];
        uint8_t hash[32];
        char *out = room;

        memcpy(out, phone.data, phone.size);
        memset(out + 3, '*', phone.size - 7);
        values.phone[i].data = out;
        out += phone.size;
        SHA256((const uint8_t *)values.email[i].data, values.email[i].size, hash);
        values.email[i] = str_make(out, 2 * sizeof(hash));
        for (size_t k = 0; k < sizeof(hash); k++) {
            *out++ = digits[hash[k] >> 4];
            *out++ = digits[hash[k] & 15];
        }
        values.city[i].data = out;
        while (city.size) {
            bool found = city.size >= 3 && memcmp(city.data, "\xE5\x8C\xBA", 3) == 0;

            memcpy(out, found ? district : city.data, found ? sizeof(district) - 1 : 1);
            out += found ? sizeof(district) - 1 : 1;
            city = str_make(city.data + (found ? 3 : 1), city.size - (found ? 3 : 1));
        }
        values.city[i].size = (size_t)(out - values.city[i].data);
        room = out;
    }
}

/* Appends the rows that pass; their number. */
static PART uint32_t encode(uint32_t count, struct buffer *block, uint32_t *stream_sum)
{
    static const char bench[16] = "bench";
    const struct str source = {bench, 5};
    uint32_t rows = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t sum = UINT32_MAX;
        uint32_t crc;
        char *p;

        if (!passes(i))
            continue;
        if (!buffer_reserve(block, 1024))
            refuse("no memory");
        p = block->data + block->size;
        p = wire_bigint(p, 1, values.id[i], &sum);
        p = wire_text(p, 2, values.user[i], &sum);
        p = wire_text(p, 3, values.phone[i], &sum);
        p = wire_text(p, 4, values.email[i], &sum);
        p = wire_text(p, 5, values.amount[i], &sum);
        p = wire_text(p, 6, values.city[i], &sum);
        if (five) {
            p = wire_text(p, 7, source, &sum);
            p = wire_time(p, 8, values.ts[i], &sum);
        } else {
            p = wire_text(p, 7, level_of(values.cents[i]), &sum);
            p = wire_bigint(p, 8, values.ts[i], &sum);
        }
        crc = ~(uint32_t)sum;
        memcpy(p, "\x80\xC0\xFF\x7F", 4);
        p = wire_varint(p + 4, crc);
        *stream_sum = (uint32_t)crc32c_step32(*stream_sum, crc);
        block->size = (size_t)(p - block->data);
        rows++;
    }
    return rows;
}

/* The bytes are luaduct's own, or the comparison would be of two different things. */
static void compare_with_luaduct(uint32_t count, const struct buffer *block, uint32_t rows)
{
    static struct str word[BATCH_ROWS];
    static struct instant time[BATCH_ROWS];
    const struct wire_column columns[COLUMNS] = {
        {WIRE_INTEGER, 1, NULL, values.id},   {WIRE_BYTES, 2, NULL, values.user}, {WIRE_BYTES, 3, NULL, values.phone},
        {WIRE_BYTES, 4, NULL, values.email},  {WIRE_BYTES, 5, NULL, values.amount}, {WIRE_BYTES, 6, NULL, values.city},
        {WIRE_BYTES, 7, NULL, word},          {five ? WIRE_INSTANT : WIRE_INTEGER, 8, NULL, five ? (const void *)time : values.ts},
    };
    struct buffer records = {0}, sums = {0};
    uint32_t passing[BATCH_ROWS], found = 0;

    for (uint32_t i = 0; i < count; i++) {
        word[i] = five ? STR("bench") : level_of(values.cents[i]);
        time[i] = (struct instant){values.ts[i] / 1000, (int32_t)(values.ts[i] % 1000) * 1000000};
        if (passes(i))
            passing[found++] = i;
    }
    record_encode(columns, COLUMNS, passing, found, &records, &sums);
    if (found != rows || records.size != block->size || memcmp(records.data, block->data, block->size))
        refuse("the encoded rows are not luaduct's");
    buffer_release(&records);
    buffer_release(&sums);
}

/* --- deflate --- */

static PART void deflate_rows(struct isal_zstream *stream, const char *data, size_t size, bool last, struct buffer *body)
{
    stream->next_in = (uint8_t *)(uintptr_t)data;
    stream->avail_in = (uint32_t)size;
    stream->end_of_stream = last;
    do {
        size_t room = 64 * 1024;

        if (!buffer_reserve(body, room))
            refuse("no memory");
        stream->next_out = (uint8_t *)body->data + body->size;
        stream->avail_out = (uint32_t)room;
        if (isal_deflate(stream) != COMP_OK)
            refuse("isa-l does not pack");
        body->size += room - stream->avail_out;
    } while (last ? stream->internal_state.state != ZSTATE_END : stream->avail_in || !stream->avail_out);
}

/* --- put --- */

static PART void put(int fd, const struct buffer *body)
{
    static const char answer_wanted[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    char head[256], answer[sizeof(answer_wanted) - 1];
    int size = snprintf(head, sizeof(head), "PUT /block HTTP/1.1\r\nHost: sink\r\nContent-Encoding: deflate\r\nContent-Length: %zu\r\n\r\n",
                        body->size);

    write_all(fd, head, (size_t)size);
    write_all(fd, body->data, body->size);
    read_all(fd, answer, sizeof(answer));
    if (memcmp(answer, answer_wanted, sizeof(answer)))
        refuse("the sink did not answer 200");
}

static void *sink_main(void *arg)
{
    static char room[256 * 1024];
    int fd = *(const int *)arg;
    size_t filled = 0;

    for (;;) {
        ssize_t got = read(fd, room + filled, sizeof(room) - 1 - filled);
        const char *end, *length;
        size_t left, here;

        if (got <= 0)
            return NULL;
        filled += (size_t)got;
        room[filled] = '\0';
        end = strstr(room, "\r\n\r\n");
        if (!end)
            continue;
        length = strstr(room, "Content-Length: ");
        left = length ? strtoul(length + 16, NULL, 10) : 0;
        here = filled - (size_t)(end + 4 - room);
        left -= size_min(left, here);
        while (left) {
            got = read(fd, room, size_min(left, sizeof(room)));
            if (got <= 0)
                return NULL;
            left -= (size_t)got;
        }
        filled = 0;
        write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    }
}

/* --- all of it --- */

static void connect_pair(int *client, int *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    *client = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &size) || connect(*client, (struct sockaddr *)&address, size))
        refuse("no loopback socket");
    *server = accept(listener, NULL, NULL);
    setsockopt(*client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(*server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    close(listener);
}

static int64_t thread_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void report(const char *name, int64_t *ns, unsigned rounds, uint32_t records)
{
    qsort(ns, rounds, sizeof(*ns), by_size);
    printf("%s min_ns=%.1f median_ns=%.1f max_ns=%.1f\n", name, (double)ns[0] / records, (double)ns[rounds / 2] / records,
           (double)ns[rounds - 1] / records);
}

int main(int argc, char **argv)
{
    static uint8_t level_buffer[ISAL_DEF_LVL1_DEFAULT];
    static struct isal_zstream stream;
    static struct str documents[BATCH_ROWS];
    struct buffer wire = {0}, packed = {0}, raw = {0}, block = {0}, body = {0};
    struct broker broker = {.wire = &wire};
    uint32_t records = argc > 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    int64_t hours = 0;
    int64_t *ns[PARTS + 1], rows = 0, row_bytes = 0, body_bytes = 0;
    int broker_fd, sink_fd, sink_server;
    pthread_t broker_thread, sink_thread;
    char *room = xmalloc(BATCH_ROWS * 1024), *changed = xmalloc(BATCH_ROWS * 1024);
    struct orders orders;
    LZ4F_dctx *lz4;

    if (!records || !rounds) {
        fprintf(stderr, "usage: roofline RECORDS ROUNDS [hours=N] [job=five]\n");
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        if (strncmp(argv[i], "hours=", 6) == 0)
            hours = strtoll(argv[i] + 6, NULL, 10);
        five |= strcmp(argv[i], "job=five") == 0;
    }
    if (!crc32c_instruction)
        refuse("this CPU has no CRC-32C instruction");
    orders_init(&orders, 1, 0, false, hours, records, 0);
    for (uint32_t base = 0; base < records; base += BATCH_ROWS)
        make_batch(&wire, &orders, base, records - base < BATCH_ROWS ? records - base : BATCH_ROWS);
    for (int i = 0; i <= PARTS; i++)
        ns[i] = xcalloc(rounds, sizeof(**ns));
    if (LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)))
        refuse("no LZ4");
    connect_pair(&broker_fd, &broker.fd);
    connect_pair(&sink_fd, &sink_server);
    broker.rounds = rounds;
    if (pthread_create(&broker_thread, NULL, broker_main, &broker) || pthread_create(&sink_thread, NULL, sink_main, &sink_server))
        refuse("no thread");
    for (unsigned round = 0; round < rounds; round++) {
        uint32_t left = records, block_rows = 0, stream_sum = UINT32_MAX;
        size_t block_bytes = 0;

        while (left) {
            int64_t at[PARTS + 1], received;
            struct buffer trailer = {0};
            uint32_t count, fresh;
            bool last;

            if (!block_bytes) {
                isal_deflate_init(&stream);
                stream.level = 1;
                stream.level_buf = level_buffer;
                stream.level_buf_size = sizeof(level_buffer);
                stream.gzip_flag = IGZIP_ZLIB;
                buffer_clear(&body);
            }
            buffer_clear(&block);
            at[RECEIVE] = thread_ns();
            count = receive(broker_fd, &packed, &raw, lz4, documents);
            at[JSON] = received = thread_ns();
            json(documents, count, room);
            at[ENCODE] = thread_ns();
            if (five) {
                int64_t parsed = at[ENCODE] - at[JSON];

                mask_and_replace(count, changed);
                at[ENCODE] = thread_ns();
                at[JSON] = at[ENCODE] - parsed;
            }
            fresh = encode(count, &block, &stream_sum);
            at[DEFLATE] = thread_ns();
            if (round == 0 && left == records) {
                compare_with_luaduct(count, &block, fresh);
                at[DEFLATE] = thread_ns();
            }
            left -= count;
            block_rows += fresh;
            block_bytes += block.size;
            last = !left || block_bytes >= BLOCK_BYTES;
            rows += fresh;
            row_bytes += (int64_t)block.size;
            if (last) {
                record_trailer_crc(&trailer, block_rows, ~stream_sum);
                buffer_append_str(&block, buffer_str(&trailer));
                buffer_release(&trailer);
            }
            deflate_rows(&stream, block.data, block.size, last, &body);
            at[PUT] = thread_ns();
            if (last) {
                put(sink_fd, &body);
                body_bytes += (int64_t)body.size;
                block_rows = 0;
                block_bytes = 0;
                stream_sum = UINT32_MAX;
            }
            at[PARTS] = thread_ns();
            for (int i = 0; i < PARTS; i++)
                ns[i][round] += (i == RECEIVE ? received : at[i + 1]) - at[i];
        }
        for (int i = 0; i < PARTS; i++)
            ns[PARTS][round] += ns[i][round];
    }
    shutdown(sink_fd, SHUT_RDWR);
    pthread_join(broker_thread, NULL);
    pthread_join(sink_thread, NULL);
    printf("records=%u written=%" PRId64 " row_bytes=%" PRId64 " body_bytes=%" PRId64 "\n", records, rows / rounds, row_bytes / rounds,
           body_bytes / rounds);
    for (int i = 0; i < PARTS; i++)
        report(part_names[i], ns[i], rounds, records);
    report("sum", ns[PARTS], rounds, records);
    for (int i = 0; i <= PARTS; i++)
        free(ns[i]);
    LZ4F_freeDecompressionContext(lz4);
    buffer_release(&wire);
    buffer_release(&packed);
    buffer_release(&raw);
    buffer_release(&block);
    buffer_release(&body);
    free(room);
    free(changed);
    close(broker_fd);
    close(broker.fd);
    close(sink_fd);
    close(sink_server);
    return 0;
}
