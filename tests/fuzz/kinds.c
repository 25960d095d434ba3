/* kinds.c: the kernels of the stage kinds mask and replace, by any options over any values.
 * Input: words of options with ";" between them, then values, all with the separator between them; after a first word "replace"
 * two parts come before the values, what to find and what to put there. Other words: see read_mask and read_replacer.
 * A mask shows no more than its rule says, gives UTF-8, never tells the value in a reason, and gives the same again (but for
 * random digits). Of the rules whose result is known, that result is computed here once more. Literal replacing is done once more
 * byte by byte. */
#include "fuzz.h"

#include "batch/kernels/mask.h"
#include "batch/kernels/replace.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <utf8proc.h>

enum { VALUES_MAX = 8, PATTERN_VALUES_MAX = 2, SEGMENTS_MAX = 6, ARENA_BYTES_MAX = 64 << 20 };

struct spec {
    struct mask_options mask;
    struct mask_segment segments[SEGMENTS_MAX];
    struct mask_interval intervals[SEGMENTS_MAX];
    enum type_kind type; /* of the values */
    enum when_error when_error;
};

static struct str values[VALUES_MAX];
static uint32_t value_count;

static void read_values(struct str rest, uint32_t most)
{
    struct str part;

    for (value_count = 0; value_count < most && fuzz_part(&rest, &part); value_count++)
        values[value_count] = fuzz_copy(part);
}

static void free_values(void)
{
    for (uint32_t i = 0; i < value_count; i++)
        free((char *)(uintptr_t)values[i].data);
}

/* A row for each value; a value "~" is NULL. */
static struct column *fill_batch(struct batch *batch, enum type_kind kind, enum when_error when_error)
{
    struct type type = kind == TYPE_DECIMAL ? type_decimal(20, 3) : TYPE_OF(kind);
    struct column *column;

    batch_clear(batch);
    for (uint32_t i = 0; i < value_count; i++)
        batch_add_message(batch, &(struct message){.value = STR("v"), .offset = i}, NULL);
    if (!batch_begin(batch, 0))
        abort();
    batch->stage = "s";
    batch->when_error = when_error;
    column = column_try_new(&batch->arena, type, value_count, true);
    if (!column)
        abort();
    for (uint32_t i = 0; i < value_count; i++) {
        char number[32];

        snprintf(number, sizeof(number), "%.*s", (int)size_min(values[i].size, 30), values[i].data);
        column->null[i] = str_is(values[i], "~");
        switch (kind) {
        case TYPE_BIGINT:
            column->bigint[i] = strtoll(number, NULL, 10);
            break;
        case TYPE_DOUBLE:
            column->real[i] = strtod(number, NULL);
            break;
        case TYPE_DECIMAL:
            column->decimal[i] = strtoll(number, NULL, 10);
            break;
        case TYPE_DATE:
            column->date[i] = (int32_t)(strtoll(number, NULL, 10) % 700000);
            break;
        default:
            column->text[i] = values[i];
            break;
        }
    }
    return column;
}

/* The reason of the row, or NULL. */
static const struct dirty_row *dirty_of(const struct batch *batch, uint32_t row)
{
    for (const struct dirty_row *dirty = batch->dirty; dirty; dirty = dirty->next)
        if (dirty->message == row)
            return dirty;
    return NULL;
}

/* --- the options of a mask --- */

static bool read_type(char letter, enum type_kind *kind)
{
    static const char letters[] = "sifdDyj";
    static const enum type_kind kinds[] = {TYPE_STRING, TYPE_BIGINT, TYPE_DOUBLE, TYPE_DECIMAL,
                                           TYPE_DATE,   TYPE_BINARY, TYPE_JSON};
    const char *found = letter ? strchr(letters, letter) : NULL;

    if (found)
        *kind = kinds[found - letters];
    return found;
}

static bool read_mask(struct str words, struct spec *spec)
{
    struct mask_options *options = &spec->mask;
    struct str word, low, high;
    unsigned rule = 0;

    str_cut(words, ';', &word, &words);
    while (rule < MASK_RULES && !str_is(word, mask_rule_names[rule]))
        rule++;
    if (rule == MASK_RULES)
        return false;
    *options = (struct mask_options){.rule = rule, .seed = 7, .value_kind = TYPE_STRING, .algorithm = STR("sha256")};
    options->segments = spec->segments;
    options->intervals = spec->intervals;
    while (words.data) {
        struct str text;
        char number[16];
        size_t count;

        str_cut(words, ';', &word, &words);
        if (!word.size)
            continue;
        text = str_make(word.data + 1, word.size - 1);
        snprintf(number, sizeof(number), "%.*s", (int)size_min(text.size, 8), text.data);
        count = strtoul(number, NULL, 10) % 100000000;
        switch (word.data[0]) {
        case 'b':
            options->before = count;
            break;
        case 'a':
            options->after = count;
            break;
        case 'p':
            options->position = count;
            break;
        case 'l':
            options->length = count;
            break;
        case 'd':
            options->digits = (int)strtol(number, NULL, 10);
            break;
        case 'w':
            options->with = text;
            break;
        case 'R':
            options->random = true;
            break;
        case 'k':
            options->keep_empty = true;
            break;
        case 'o':
            options->algorithm = text;
            break;
        case 'S':
            options->salt = text;
            break;
        case 'K':
            options->key = text;
            break;
        case 'e':
            options->otherwise = text;
            break;
        case 'N':
            spec->when_error = WHEN_ERROR_NULL;
            break;
        case 's': /* so many stay; 0: the rest */
        case 'c':
            if (options->segment_count < SEGMENTS_MAX)
                spec->segments[options->segment_count++] = (struct mask_segment){word.data[0] == 's', count};
            break;
        case 'i': /* low,high,value */
            if (options->interval_count < SEGMENTS_MAX) {
                str_cut(text, ',', &low, &text);
                str_cut(text.data ? text : STR(""), ',', &high, &text);
                spec->intervals[options->interval_count++] =
                    (struct mask_interval){low.size ? low : STR_NONE, high.size ? high : STR_NONE, text.data ? text : STR("")};
            }
            break;
        case 'v':
            if (!read_type(text.size ? text.data[0] : '\0', &options->value_kind) || options->value_kind > TYPE_STRING)
                options->value_kind = TYPE_STRING;
            break;
        case 't':
            if (text.size)
                (void)read_type(text.data[0], &spec->type);
            break;
        default:
            break;
        }
    }
    if (options->value_kind != TYPE_BIGINT && options->value_kind != TYPE_DOUBLE)
        options->value_kind = TYPE_STRING;
    return true;
}

/* --- what a mask gives, once more --- */

/* The characters of a text, by the library itself: the bytes of each. */
static size_t split(struct str text, uint32_t *sizes)
{
    utf8proc_int32_t state = 0, before = 0, code;
    size_t count = 0;

    for (size_t at = 0; at < text.size;) {
        utf8proc_ssize_t size =
            utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, (utf8proc_ssize_t)(text.size - at), &code);

        /* An ASCII character stands by itself, CR LF too (characters.h). */
        if (!at || (before < 0x80 && code < 0x80) || utf8proc_grapheme_break_stateful(before, code, &state)) {
            if (before < 0x80 && code < 0x80)
                state = 0;
            sizes[count++] = 0;
        }
        sizes[count - 1] += (uint32_t)size;
        before = code;
        at += (size_t)size;
    }
    return count;
}

/* Of cover, segments and replace_chars: character by character into `text`. */
static void expect(const struct mask_options *options, struct str value, struct buffer *text)
{
    uint32_t *sizes = xcalloc(value.size + 1, sizeof(*sizes));
    size_t count = split(value, sizes), covered = 0;
    struct str with = options->with.data ? options->with : STR("*");
    bool all = false;

    if (options->rule == MASK_COVER)
        all = options->before + options->after >= count;
    for (int round = 0; round < 2; round++) {
        size_t at = 0, segment = 0, left = options->segment_count ? options->segments[0].count : 0;

        buffer_clear(text);
        covered = 0;
        for (size_t i = 0; i < count; i++) {
            bool show = false;

            if (options->rule == MASK_COVER) {
                show = i < options->before || i >= count - options->after;
            } else {
                while (segment < options->segment_count && !left && options->segments[segment].count)
                    left = ++segment < options->segment_count ? options->segments[segment].count : 0;
                show = segment < options->segment_count && options->segments[segment].show;
                left -= left > 0;
            }
            if (show && !all) {
                buffer_append(text, value.data + at, sizes[i]);
            } else {
                buffer_append_str(text, with);
                covered++;
            }
            at += sizes[i];
        }
        all = !covered; /* a rule that hides nothing hides all */
        if (!all)
            break;
    }
    free(sizes);
}

static void check_replaced(const struct mask_options *options, struct str value, struct str out)
{
    uint32_t *sizes = xcalloc(value.size + 1, sizeof(*sizes));
    size_t count = split(value, sizes), head = 0, size = 0, from = options->position - 1, to;
    struct str middle;

    if (from >= count)
        from = 0, to = count;
    else
        to = from + size_min(options->length, count - from);
    for (size_t i = 0; i < to; i++)
        *(i < from ? &head : &size) += sizes[i];
    FUZZ_CLAIM(str_starts_with(out, str_make(value.data, head)) && out.size >= value.size - size &&
                   memcmp(out.data + out.size - (value.size - head - size), value.data + head + size, value.size - head - size) ==
                       0,
               "what stands around it is another: %.*s", STR_ARG(out));
    middle = str_make(out.data + head, out.size - (value.size - size));
    if (options->random) {
        FUZZ_CLAIM(middle.size == to - from, "%zu digits for %zu characters", middle.size, to - from);
        for (size_t i = 0; i < middle.size; i++)
            FUZZ_CLAIM(isdigit((unsigned char)middle.data[i]), "no digits: %.*s", STR_ARG(middle));
        FUZZ_CLAIM(!str_equal(out, value), "it stayed what it was: %.*s", STR_ARG(out));
    } else {
        FUZZ_CLAIM(str_equal(middle, options->with), "%.*s", STR_ARG(middle));
    }
    free(sizes);
}

static void check_hash(const struct mask_options *options, struct str value, struct str out)
{
    char name[16], hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buffer text;
    unsigned size;

    snprintf(name, sizeof(name), "%.*s", STR_ARG(options->algorithm));
    buffer_init(&text, 0);
    buffer_append_str(&text, options->salt.data ? options->salt : STR(""));
    buffer_append_str(&text, value);
    if (!EVP_Digest(text.size ? text.data : "", text.size, digest, &size, EVP_get_digestbyname(name), NULL))
        abort();
    for (unsigned i = 0; i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    FUZZ_CLAIM(str_is(out, hex), "%.*s is not %s", STR_ARG(out), hex);
    buffer_release(&text);
}

/* ASCII keeps its shape; all else keeps its bytes' number. */
static void check_pseudonym(struct str value, struct str out)
{
    FUZZ_CLAIM(out.size == value.size, "%zu bytes for %zu", out.size, value.size);
    for (size_t i = 0; i < value.size; i++) {
        unsigned char a = (unsigned char)value.data[i], b = (unsigned char)out.data[i];

        if (a >= 0x80)
            FUZZ_CLAIM(b >= 0x80, "a letter became ASCII");
        else
            FUZZ_CLAIM(isdigit(a)   ? isdigit(b)
                       : islower(a) ? islower(b)
                       : isupper(a) ? isupper(b)
                                    : a == b,
                       "%.*s has another shape", STR_ARG(out));
    }
}

/* How many bytes of the result are digits, or letters. */
static size_t count_of(struct str text, int (*is)(int c))
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += (unsigned char)text.data[i] < 0x80 && is((unsigned char)text.data[i]);
    return count;
}

/* The most that a preset leaves to see (mask.h); "*" stands for what is covered, and the value has none. */
static void check_preset(enum mask_rule rule, struct str value, struct str out)
{
    size_t digits = count_of(out, isdigit), letters = count_of(out, isalpha);
    const char *at = out.size ? memrchr(out.data, '@', out.size) : NULL;

    if (rule != MASK_GPS)
        FUZZ_CLAIM(memchr(out.data, '*', out.size), "nothing is covered: %.*s", STR_ARG(out));
    switch (rule) {
    case MASK_PHONE:
        FUZZ_CLAIM(digits <= 11 && !letters && digits + 4 <= size_max(count_of(value, isdigit), 4), "%.*s", STR_ARG(out));
        break;
    case MASK_ID_CARD:
        FUZZ_CLAIM(digits + letters <= 10 && letters <= 1, "%.*s", STR_ARG(out));
        break;
    case MASK_BANK_CARD:
        FUZZ_CLAIM(digits <= 10 && !letters, "%.*s", STR_ARG(out));
        break;
    case MASK_MAC:
        FUZZ_CLAIM(digits + letters <= 6, "%.*s", STR_ARG(out));
        break;
    case MASK_IP:
        FUZZ_CLAIM(digits + letters <= 16, "%.*s", STR_ARG(out));
        break;
    case MASK_CAR_PLATE:
        FUZZ_CLAIM(digits + letters <= 2, "%.*s", STR_ARG(out));
        break;
    case MASK_ADDRESS:
        FUZZ_CLAIM(digits + letters == 0, "%.*s", STR_ARG(out));
        break;
    case MASK_EMAIL:
        if (at)
            FUZZ_CLAIM(count_of(str_make(out.data, (size_t)(at - out.data)), isalnum) <= 1, "%.*s", STR_ARG(out));
        else
            FUZZ_CLAIM(digits + letters == 0, "%.*s", STR_ARG(out));
        break;
    case MASK_NAME:
        for (size_t i = 1; i < out.size; i++)
            FUZZ_CLAIM(!isalpha((unsigned char)out.data[i - 1]) || !isalpha((unsigned char)out.data[i]), "%.*s", STR_ARG(out));
        break;
    case MASK_GPS:
        for (size_t i = 0; i + 3 < out.size; i++)
            FUZZ_CLAIM(out.data[i] != '.' || !isdigit((unsigned char)out.data[i + 3]), "%.*s", STR_ARG(out));
        break;
    default:
        break;
    }
}

static void check_text(const struct mask_options *options, struct str value, struct str out)
{
    struct str with = options->with.data ? options->with : STR("*");
    struct buffer text;

    FUZZ_CLAIM(str_is_utf8(out), "no UTF-8");
    if (!value.size && options->rule != MASK_HASH) {
        FUZZ_CLAIM(!out.size || options->rule == MASK_REPLACE_CHARS, "nothing became %.*s", STR_ARG(out));
        return;
    }
    switch (options->rule) {
    case MASK_COVER:
    case MASK_SEGMENTS:
        buffer_init(&text, 0);
        expect(options, value, &text);
        FUZZ_CLAIM(str_equal(out, buffer_str(&text)), "%.*s is not %s", STR_ARG(out), buffer_text(&text));
        buffer_release(&text);
        break;
    case MASK_REPLACE_CHARS:
        check_replaced(options, value, out);
        break;
    case MASK_HASH:
        if (value.size || !options->keep_empty)
            check_hash(options, value, out);
        break;
    case MASK_PSEUDONYM:
        check_pseudonym(value, out);
        break;
    default:
        if (options->rule >= MASK_PHONE && str_is(with, "*") && !memchr(value.data, '*', value.size))
            check_preset(options->rule, value, out);
    }
}

/* A whole number, half up in its size. */
static void check_round(int digits, int64_t value, int64_t out)
{
    __int128 unit = 1, size = value < 0 ? -(__int128)value : value;

    for (int i = digits; i < 0; i++)
        unit = unit > ((__int128)1 << 120) ? unit : unit * 10;
    size = (size + unit / 2) / unit * unit;
    FUZZ_CLAIM(out == (value < 0 ? -size : size), "%lld became %lld", (long long)value, (long long)out);
}

static bool is_telling(struct str value)
{
    return value.size >= 8 && count_of(value, isdigit) >= 4;
}

static void check_masked(const struct spec *spec, const struct batch *batch, const struct column *column,
                         const struct column *out)
{
    enum mask_rule rule = spec->mask.rule;
    uint32_t next = 0;

    FUZZ_CLAIM(batch->selected + batch->dirty_count == value_count, "rows are lost");
    for (uint32_t row = 0; row < value_count; row++) {
        const struct dirty_row *dirty = dirty_of(batch, row);
        bool null = column_is_null(column, row);

        if (dirty) {
            FUZZ_CLAIM(!null && !is_telling(values[row]) ||
                           !memmem(dirty->reason.data, dirty->reason.size, values[row].data, values[row].size),
                       "the value is told: %.*s", STR_ARG(dirty->reason));
            continue;
        }
        FUZZ_CLAIM(batch->selection[next++] == row, "another row");
        if (rule == MASK_EMPTY) {
            FUZZ_CLAIM(column_is_null(out, row) || (type_is_text(out->type.kind) && !out->text[row].size) ||
                           (out->type.kind == TYPE_BINARY && !out->text[row].size),
                       "not empty");
        } else if (null) {
            FUZZ_CLAIM(column_is_null(out, row), "NULL became a value");
        } else if (column_is_null(out, row)) {
            FUZZ_CLAIM(spec->when_error == WHEN_ERROR_NULL, "a value became NULL");
        } else if (out->type.kind == TYPE_STRING && rule != MASK_INTERVAL && type_is_text(spec->type)) {
            check_text(&spec->mask, values[row], out->text[row]);
        } else if (out->type.kind == TYPE_STRING) {
            FUZZ_CLAIM(rule == MASK_INTERVAL || str_is_utf8(out->text[row]), "no UTF-8");
        } else if (rule == MASK_ROUND && out->type.kind == TYPE_BIGINT) {
            check_round(spec->mask.digits, column->bigint[row], out->bigint[row]);
        }
    }
}

static bool same(const struct column *a, const struct column *b, uint32_t row)
{
    if (column_is_null(a, row) || column_is_null(b, row))
        return column_is_null(a, row) == column_is_null(b, row);
    if (type_is_text(a->type.kind) || a->type.kind == TYPE_BINARY)
        return str_equal(a->text[row], b->text[row]);
    return memcmp((char *)a->data + row * type_size(a->type.kind), (char *)b->data + row * type_size(a->type.kind),
                  type_size(a->type.kind)) == 0;
}

static void try_mask(struct batch *batch, struct str words, struct str rest)
{
    struct spec spec = {.type = TYPE_STRING};
    struct mask *mask;
    struct column *column, *out, *again;
    char option[MASK_OPTION_MAX];
    struct error error;
    bool ok;

    if (!read_mask(words, &spec))
        return;
    if (!mask_new(&mask, &spec.mask, option, &error)) {
        FUZZ_CLAIM(error.kind == ERROR_CONFIG, "%s", error.text);
        fuzz_claim_line("the option", option);
        return;
    }
    read_values(rest, VALUES_MAX);
    column = fill_batch(batch, spec.type, spec.when_error);
    ok = mask_run(mask, batch, column, STR("f"), &out, &error);
    FUZZ_CLAIM(ok || error.kind == ERROR_CONFIG, "%s", error.text);
    if (ok) {
        batch_sweep(batch);
        check_masked(&spec, batch, column, out);
        FUZZ_CLAIM(mask_run(mask, batch, column, STR("f"), &again, &error), "%s", error.text);
        batch_sweep(batch);
        for (uint32_t i = 0; !spec.mask.random && i < batch->selected; i++)
            FUZZ_CLAIM(same(out, again, batch->selection[i]), "another result the second time");
    }
    mask_free(mask);
    free_values();
}

/* --- replace --- */

/* Without escapes; false where there are some, which replace_test.c has all of. */
static bool is_plain(struct str text)
{
    return !memchr(text.size ? text.data : "", '\\', text.size);
}

static bool is_ascii(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

static bool matches(const char *at, struct str find, bool case_sensitive)
{
    for (size_t i = 0; i < find.size; i++)
        if (case_sensitive ? at[i] != find.data[i] : tolower((unsigned char)at[i]) != tolower((unsigned char)find.data[i]))
            return false;
    return true;
}

static void replace_naively(const struct replace_options *options, struct str value, struct buffer *text)
{
    for (size_t at = 0; at < value.size;) {
        if (value.size - at >= options->find.size && matches(value.data + at, options->find, options->case_sensitive)) {
            buffer_append_str(text, options->with);
            at += options->find.size;
        } else {
            buffer_append_char(text, value.data[at++]);
        }
    }
}

static void check_replacement(const struct replace_options *options, struct str value, const struct column *out, uint32_t row)
{
    struct buffer text;

    FUZZ_CLAIM(!column_is_null(out, row) && str_is_utf8(out->text[row]), "no UTF-8");
    if (options->regex || !is_plain(options->find) || !is_plain(options->with) ||
        (!options->case_sensitive && !(is_ascii(options->find) && is_ascii(value))))
        return;
    buffer_init(&text, 0);
    replace_naively(options, value, &text);
    FUZZ_CLAIM(str_equal(out->text[row], buffer_str(&text)), "%.*s is not %s", STR_ARG(out->text[row]), buffer_text(&text));
    buffer_release(&text);
}

/* words: x for a pattern, c where case matters. */
static void try_replacer(struct batch *batch, struct str words, struct str rest)
{
    struct replace_options options = {.regex = memchr(words.data, 'x', words.size) != NULL,
                                      .case_sensitive = memchr(words.data, 'C', words.size) != NULL};
    struct replace_mistakes mistakes;
    struct replacer *replacer;
    struct column *column, *out;
    struct error error;
    uint32_t next = 0;

    if (!fuzz_part(&rest, &options.find) || !fuzz_part(&rest, &options.with))
        return;
    if (!replacer_new(&replacer, &options, &mistakes)) {
        FUZZ_CLAIM(mistakes.find.kind == ERROR_CONFIG || mistakes.with.kind == ERROR_CONFIG, "no mistake");
        return;
    }
    read_values(rest, options.regex ? PATTERN_VALUES_MAX : VALUES_MAX);
    column = fill_batch(batch, TYPE_STRING, WHEN_ERROR_DIRTY);
    if (!replacer_run(replacer, batch, column, STR("f"), &out, &error))
        FUZZ_CLAIM(false, "%s", error.text);
    batch_sweep(batch);
    FUZZ_CLAIM(batch->selected + batch->dirty_count == value_count, "rows are lost");
    for (uint32_t row = 0; row < value_count; row++) {
        bool right = str_is_utf8(values[row]) || column_is_null(column, row);

        if (dirty_of(batch, row)) {
            FUZZ_CLAIM(!right || options.regex, "refused: %.*s", STR_ARG(dirty_of(batch, row)->reason));
            continue;
        }
        FUZZ_CLAIM(right && batch->selection[next++] == row, "another row, or one that is no UTF-8");
        if (column_is_null(column, row))
            FUZZ_CLAIM(column_is_null(out, row), "NULL became a value");
        else
            check_replacement(&options, values[row], out, row);
    }
    replacer_free(replacer);
    free_values();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct batch *batch;
    struct str rest = str_make((const char *)data, size), words;

    if (!batch)
        batch = batch_new(ARENA_BYTES_MAX);
    if (!fuzz_part(&rest, &words) || !rest.data)
        return 0;
    if (str_starts_with(words, STR("replace;")))
        try_replacer(batch, str_make(words.data + 7, words.size - 7), rest);
    else
        try_mask(batch, words, rest);
    batch_clear(batch);
    return 0;
}
