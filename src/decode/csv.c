/* csv.c: kind csv: RFC 4180 with another delimiter, quote, escape or text for NULL where a job says so, into typed columns.
 * Method: one pass over a value finds the fields as slices of it, into one array of texts a column; then the batch is expanded,
 * and whole columns are converted (batch/convert.h). Only a field with doubled quotes or escapes is copied, into the arena.
 * Cost: the few bytes that can end a field are searched 16 at a time (8 where there is no SSE2): some 140 instructions a field of
 * ten bytes; eight columns, four of them numbers, 2,140 a record. Arrays double when they are full, which they never are while a
 * record holds one row. */
#include "decode/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "batch/convert.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first of eight bytes is the lowest of a word");

enum { NONE = -1, STOPS = 3, COLUMNS_MAX = BATCH_FIELDS_MAX - BUILTIN_COUNT };

/* Bytes to look for, each eight times in its word. */
struct stops {
    uint64_t words[STOPS];
};

struct csv {
    struct charset *charset; /* NULL: none */
    struct convert convert;
    const struct job_decode *options; /* borrowed from the job */
    struct type *types;
    struct str delimiter, null; /* null.data NULL: no text stands for NULL */
    int quote, escape;          /* a byte, or NONE */
    struct stops plain, quoted;
};

/* A row that cannot be read; told once rows are expanded. */
struct fault {
    struct fault *next;
    uint32_t row;
    size_t column;      /* of the columns that were declared, or their number: the row as a whole */
    const char *reason; /* NULL: the number of fields */
    size_t fields;
};

struct scan {
    const struct csv *csv;
    struct arena *arena;
    size_t columns;
    struct str **texts; /* an array a column */
    uint8_t **nulls;
    uint8_t *any_null; /* a byte a column */
    uint32_t *source;
    uint32_t rows, capacity;
    struct fault *faults, **faults_tail;
    bool full;
};

/* A field as it was found. */
struct found {
    struct str text;
    bool quoted;
    bool rewrite;       /* doubled quotes or escapes are in it */
    const char *reason; /* why it cannot be one */
};

static const char not_closed[] = "begins with a quote that is not closed";
static const char behind_quote[] = "has something behind its closing quote";

/* --- opening --- */

static uint64_t eight_times(int byte)
{
    return UINT64_C(0x0101010101010101) * (unsigned char)byte;
}

static void csv_close(void *state)
{
    struct csv *csv = state;

    if (!csv)
        return;
    charset_free(csv->charset);
    free(csv->types);
    free(csv);
}

static bool has_byte(struct str text, int byte)
{
    return byte != NONE && memchr(text.data, byte, text.size);
}

static void check_columns(struct decode_source *source, struct csv *csv)
{
    const struct job_decode *options = source->options;
    struct error error;
    char path[64];

    if (!options->column_count || options->column_count > COLUMNS_MAX) {
        decode_mistake(source, "columns", options->column_count ? "more than %d columns" : "a list of 1 to %d columns is wanted",
                       COLUMNS_MAX);
        return;
    }
    for (size_t i = 0; i < options->column_count; i++) {
        const struct job_decode_column *column = &options->columns[i];

        for (size_t k = 0; k < BUILTIN_COUNT; k++) {
            if (strcmp(column->name, batch_builtin_names[k]) == 0) {
                snprintf(path, sizeof(path), "columns[%zu].name", i + 1);
                decode_mistake(source, path, "%s is a field of the record; take another name", column->name);
            }
        }
        if (!type_parse(str_of(column->type), &csv->types[i], &error)) {
            snprintf(path, sizeof(path), "columns[%zu].type", i + 1);
            decode_mistake(source, path, "%s", error.text);
        }
    }
}

static void *csv_open(struct decode_source *source)
{
    const struct job_decode *options = source->options;
    struct csv *csv = xcalloc(1, sizeof(*csv));
    int quote, escape;

    csv->options = options;
    csv->types = xcalloc(options->column_count + 1, sizeof(*csv->types));
    csv->convert.zone = source->zone;
    csv->delimiter = options->delimiter;
    csv->null = options->null;
    csv->quote = quote = options->quote.size ? (unsigned char)options->quote.data[0] : NONE;
    csv->escape = escape = options->escape.size ? (unsigned char)options->escape.data[0] : NONE;
    csv->charset = charset_open(source, source->options->charset);
    if (options->charset)
        decode_need_field(source, BUILTIN_VALUE);
    check_columns(source, csv);
    if (has_byte(csv->delimiter, '\n') || has_byte(csv->delimiter, '\r'))
        decode_mistake(source, "delimiter", "has a line break in it, which ends a row");
    if (has_byte(csv->delimiter, quote) || has_byte(csv->delimiter, escape))
        decode_mistake(source, "delimiter", "has the quote or the escape in it");
    if (quote == '\n' || quote == '\r' || escape == '\n' || escape == '\r')
        decode_mistake(source, quote == '\n' || quote == '\r' ? "quote" : "escape", "is a line break, which ends a row");
    if (escape != NONE && escape == quote)
        decode_mistake(source, "escape", "is the quote itself; leave it out, for a quote within quotes is doubled as it is");
    if (source->mistakes)
        return csv;
    csv->plain.words[0] = eight_times((unsigned char)csv->delimiter.data[0]);
    csv->plain.words[1] = eight_times('\n');
    csv->plain.words[2] = escape == NONE ? csv->plain.words[0] : eight_times(escape);
    csv->quoted.words[0] = csv->quoted.words[1] = eight_times(quote);
    csv->quoted.words[2] = escape == NONE ? csv->quoted.words[0] : eight_times(escape);
    return csv;
}

/* --- scanning --- */

/* The highest bit of bytes that are zero; right for the lowest of them, which is the one that counts. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

/* The first byte from p on that is one of the stops, or the end. */
static inline const char *find_stop(const struct stops *stops, const char *p, const char *end)
{
    uint64_t word, hits;

#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p), equal = _mm_setzero_si128();
        unsigned mask;

        for (size_t i = 0; i < STOPS; i++)
            equal = _mm_or_si128(equal, _mm_cmpeq_epi8(bytes, _mm_set1_epi64x((long long)stops->words[i])));
        mask = (unsigned)_mm_movemask_epi8(equal);
        if (mask)
            return p + __builtin_ctz(mask);
    }
#endif
    for (; end - p >= 8; p += 8) {
        memcpy(&word, p, sizeof(word));
        hits = zero_bytes(word ^ stops->words[0]) | zero_bytes(word ^ stops->words[1]) | zero_bytes(word ^ stops->words[2]);
        if (hits)
            return p + (__builtin_ctzll(hits) >> 3);
    }
    for (; p < end; p++)
        for (size_t i = 0; i < STOPS; i++)
            if ((unsigned char)*p == (unsigned char)stops->words[i])
                return p;
    return end;
}

static inline bool at_delimiter(const struct csv *csv, const char *p, const char *end)
{
    size_t size = csv->delimiter.size;

    return *p == csv->delimiter.data[0] &&
           (size == 1 || ((size_t)(end - p) >= size && memcmp(p, csv->delimiter.data, size) == 0));
}

/* A line break, or a carriage return before one or before the end. */
static inline bool at_line_end(const char *p, const char *end)
{
    return p == end || *p == '\n' || (*p == '\r' && (p + 1 == end || p[1] == '\n'));
}

static inline bool is_blank(const struct csv *csv, char c)
{
    return (c == ' ' || c == '\t') && c != csv->delimiter.data[0];
}

/* To the delimiter or line end that ends what begins at p. */
static const char *skip_plain(const struct csv *csv, const char *p, const char *end, struct found *found)
{
    for (;;) {
        p = find_stop(&csv->plain, p, end);
        if (p == end || *p == '\n' || at_delimiter(csv, p, end))
            return p;
        if (csv->escape != NONE && (unsigned char)*p == csv->escape) {
            found->rewrite = true;
            p += end - p > 1;
        }
        p++;
    }
}

static const char *scan_plain(const struct csv *csv, const char *p, const char *end, struct found *found)
{
    const char *stop = skip_plain(csv, p, end, found);
    struct str text = str_make(p, (size_t)(stop - p));

    if (text.size && stop[-1] == '\r' && at_line_end(stop, end))
        text.size--;
    if (csv->options->trim) {
        while (text.size && is_blank(csv, text.data[0]))
            text = str_make(text.data + 1, text.size - 1);
        while (text.size && is_blank(csv, text.data[text.size - 1]))
            text.size--;
    }
    found->text = text;
    return stop;
}

/* p is behind the opening quote. */
static const char *scan_quoted(const struct csv *csv, const char *p, const char *end, struct found *found)
{
    const char *start = p;

    found->quoted = true;
    for (;;) {
        p = find_stop(&csv->quoted, p, end);
        if (p == end) {
            found->text = str_make(start, (size_t)(p - start));
            found->reason = not_closed;
            return p;
        }
        if ((unsigned char)*p != csv->quote) { /* the escape */
            found->rewrite = true;
            p += end - p > 1 ? 2 : 1;
        } else if (end - p > 1 && (unsigned char)p[1] == csv->quote) {
            found->rewrite = true;
            p += 2;
        } else {
            break;
        }
    }
    found->text = str_make(start, (size_t)(p - start));
    p++;
    while (csv->options->trim && p < end && is_blank(csv, *p))
        p++;
    if (at_line_end(p, end) || at_delimiter(csv, p, end))
        return p;
    found->reason = behind_quote;
    return skip_plain(csv, p, end, found);
}

/* Without its escapes and with single quotes for doubled ones. */
static struct str rewrite(const struct csv *csv, struct arena *arena, const struct found *found)
{
    const char *p = found->text.data, *end = p + found->text.size;
    char *copy = arena_try_alloc(arena, found->text.size);
    size_t size = 0;

    if (!copy)
        return STR_NONE;
    while (p < end) {
        int byte = (unsigned char)*p;

        if (end - p > 1 && (byte == csv->escape || (found->quoted && byte == csv->quote)))
            p++;
        copy[size++] = *p++;
    }
    return str_make(copy, size);
}

static void fault_add(struct scan *scan, size_t column, const char *reason, size_t fields)
{
    struct fault *fault = arena_try_alloc(scan->arena, sizeof(*fault));

    if (!fault) {
        scan->full = true;
        return;
    }
    *fault = (struct fault){NULL, scan->rows, column, reason, fields};
    *scan->faults_tail = fault;
    scan->faults_tail = &fault->next;
}

/* NULL from that column on, in the row in hand. */
static void fill(struct scan *scan, size_t column)
{
    for (; column < scan->columns; column++) {
        scan->texts[column][scan->rows] = STR_NONE;
        scan->nulls[column][scan->rows] = 1;
        scan->any_null[column] = 1;
    }
}

/* The row that begins at p, into the arrays at scan->rows. Returns what is behind its line end. */
static const char *scan_row(struct scan *scan, const char *p, const char *end)
{
    const struct csv *csv = scan->csv;
    bool faulty = false;
    size_t field = 0;

    for (;; field++) {
        struct found found = {.quoted = false};
        const char *start = p;
        bool null;

        while (csv->options->trim && start < end && is_blank(csv, *start))
            start++;
        if (csv->quote != NONE && start < end && (unsigned char)*start == csv->quote)
            p = scan_quoted(csv, start + 1, end, &found);
        else
            p = scan_plain(csv, p, end, &found);
        if (UNLIKELY(found.reason && !faulty)) {
            fault_add(scan, size_min(field, scan->columns), found.reason, 0);
            faulty = true;
        }
        if (LIKELY(field < scan->columns)) {
            null = !found.quoted && csv->null.data && str_equal(found.text, csv->null);
            if (UNLIKELY(found.rewrite && !null)) {
                found.text = rewrite(csv, scan->arena, &found);
                scan->full |= !found.text.data;
            }
            scan->texts[field][scan->rows] = found.text;
            scan->nulls[field][scan->rows] = null;
            scan->any_null[field] |= null;
        }
        if (at_line_end(p, end))
            break;
        p += csv->delimiter.size;
    }
    field++;
    if (UNLIKELY(field != scan->columns && !faulty))
        fault_add(scan, scan->columns, NULL, field);
    fill(scan, field);
    p += p < end && *p == '\r';
    return p + (p < end);
}

/* Room for one more row. */
static bool reserve(struct scan *scan)
{
    uint32_t capacity = scan->capacity < 8 ? 16 : scan->capacity * 2, used = scan->rows;

    if (LIKELY(scan->rows < scan->capacity))
        return true;
    scan->source = decode_grow(scan->arena, scan->source, used, capacity, sizeof(*scan->source));
    scan->full |= !scan->source;
    for (size_t i = 0; i < scan->columns && !scan->full; i++) {
        scan->texts[i] = decode_grow(scan->arena, scan->texts[i], used, capacity, sizeof(*scan->texts[i]));
        scan->nulls[i] = decode_grow(scan->arena, scan->nulls[i], used, capacity, 1);
        scan->full |= !scan->texts[i] || !scan->nulls[i];
    }
    scan->capacity = capacity;
    return !scan->full;
}

/* The header, in the arrays as a row, has to name the columns as they are declared. */
static bool header_is_right(const struct scan *scan)
{
    for (size_t i = 0; i < scan->columns; i++)
        if (!str_equal_ignore_case(scan->texts[i][scan->rows], str_of(scan->csv->options->columns[i].name)))
            return false;
    return true;
}

/* The value becomes one row that is at fault. */
static void give_up(struct scan *scan, uint32_t first, struct fault **faults_tail, uint32_t row, const char *reason)
{
    scan->faults_tail = faults_tail;
    *faults_tail = NULL;
    scan->rows = first;
    fault_add(scan, scan->columns, reason, 0);
    fill(scan, 0);
    scan->source[scan->rows++] = row;
}

static void scan_value(struct scan *scan, uint32_t row, struct str value)
{
    const struct job_decode *options = scan->csv->options;
    const char *p = value.data, *end = p + value.size;
    struct fault **faults_tail = scan->faults_tail;
    bool header = options->header;
    uint32_t first = scan->rows;

    if (!value.data && reserve(scan)) {
        fill(scan, 0);
        scan->source[scan->rows++] = row;
    }
    while (p < end && !scan->full) {
        if (at_line_end(p, end)) { /* an empty line */
            p += *p == '\r';
            p += p < end;
            continue;
        }
        if (!reserve(scan))
            return;
        p = scan_row(scan, p, end);
        if (header) {
            header = false;
            if (*faults_tail || !header_is_right(scan)) {
                give_up(scan, first, faults_tail, row,
                        "has a header that does not name the columns in the order in which they are "
                        "declared");
                return;
            }
        } else if (scan->rows - first == options->rows_max) {
            give_up(scan, first, faults_tail, row, "has more rows than decode.rows_max allows");
            return;
        } else {
            scan->source[scan->rows++] = row;
        }
    }
}

/* --- columns --- */

static bool scan_init(struct scan *scan, const struct csv *csv, struct batch *batch)
{
    size_t columns = csv->options->column_count;

    *scan = (struct scan){.csv = csv, .arena = &batch->arena, .columns = columns, .capacity = batch->selected};
    scan->faults_tail = &scan->faults;
    scan->source = arena_try_array(scan->arena, scan->capacity, sizeof(*scan->source));
    scan->texts = arena_try_array(scan->arena, columns, sizeof(*scan->texts));
    scan->nulls = arena_try_array(scan->arena, columns, sizeof(*scan->nulls));
    scan->any_null = arena_try_alloc(scan->arena, columns);
    if (!scan->source || !scan->texts || !scan->nulls || !scan->any_null)
        return false;
    memset(scan->any_null, 0, columns);
    for (size_t i = 0; i < columns; i++) {
        scan->texts[i] = arena_try_array(scan->arena, scan->capacity, sizeof(*scan->texts[i]));
        scan->nulls[i] = arena_try_alloc(scan->arena, scan->capacity);
        if (!scan->texts[i] || !scan->nulls[i])
            return false;
    }
    return true;
}

static void tell_faults(const struct scan *scan, struct batch *batch)
{
    struct str value = str_of(batch_builtin_names[BUILTIN_VALUE]);

    for (const struct fault *fault = scan->faults; fault; fault = fault->next) {
        if (!fault->reason)
            batch_fail(batch, fault->row, value, "the number of fields is not that of the columns: %zu instead of %zu",
                       fault->fields, scan->columns);
        else
            batch_fail(batch, fault->row,
                       fault->column == scan->columns ? value : str_of(scan->csv->options->columns[fault->column].name), "%s",
                       fault->reason);
    }
}

/* Every column from its texts to its type, as a field of the batch. */
static bool set_columns(struct csv *csv, const struct scan *scan, struct batch *batch)
{
    for (size_t i = 0; i < scan->columns; i++) {
        struct str name = str_of(csv->options->columns[i].name);
        struct column *column = arena_try_alloc(&batch->arena, sizeof(*column));

        if (!column)
            return false;
        memset(column, 0, sizeof(*column));
        column->type = TYPE_OF(TYPE_STRING);
        column->rows = scan->rows;
        column->text = scan->texts[i];
        column->null = scan->any_null[i] ? scan->nulls[i] : NULL;
        column = convert_column(&csv->convert, batch, column, csv->types[i], name, false);
        if (!column || !batch_set(batch, name, column))
            return false;
    }
    return true;
}

static bool csv_run(void *state, struct batch *batch, struct error *error)
{
    struct csv *csv = state;
    struct column *value = NULL;
    struct scan scan;

    if (csv->charset) {
        value = charset_run(csv->charset, batch, BUILTIN_VALUE);
        if (!value)
            return decode_full(error);
        decode_replace(batch, BUILTIN_VALUE, value);
        batch_sweep(batch);
    }
    if (!scan_init(&scan, csv, batch))
        return decode_full(error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        scan_value(&scan, batch->selection[i], decode_value(batch, value, batch->selection[i]));
        if (scan.full)
            return decode_full(error);
        if (scan.rows > BATCH_EXPANDED_ROWS_MAX)
            return decode_too_many(error);
    }
    if (!batch_expand(batch, scan.source, scan.rows))
        return decode_full(error);
    tell_faults(&scan, batch);
    return set_columns(csv, &scan, batch) || decode_full(error);
}

const struct decode_kind decode_csv = {"csv", csv_open, csv_close, csv_run};
