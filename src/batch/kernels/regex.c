/* regex.c: PCRE2 behind a small interface.
 * Method: compiled once, matched by PCRE2's JIT (some 20 to 60 ns a short text) where that cannot hang, else by its interpreter
 * (some ten times that). Only the interpreter counts every step: JIT code does not count the characters of a repeat, and four of
 * those next to one another can take a time that grows with the fourth power of the text. So the JIT gets short texts, and long
 * ones when the pattern has one repeat at most.
 * Limits: steps are counted anew at each place where a match could begin, so a pattern whose every attempt is affordable can
 * still take a time that grows with the square of the text. So large texts are searched some places at a time, more and more as
 * long as that goes quickly, and the clock is looked at in between. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "batch/kernels/regex.h"

#include "batch/kernels/escape.h"
#include "batch/kernels/text_internal.h"
#include "util/buffer.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    STEPS_MAX = 200000,
    HEAP_KIB_MAX = 16384,
    JIT_STACK_START = 32 << 10,
    JIT_STACK_MAX = 1 << 20,
    JIT_TEXT_MAX = 256,   /* four repeats: some tenths of a second */
    JIT_REPEATS_MAX = 20, /* and that many a? in a row, each taken or not */
    LARGE_TEXT = 1024,
    PLACES_AT_FIRST = 1,
    PLACES_GROWTH = 8,
    FINDS_PER_LOOK = 64,
};
/* A step may look at all of the text behind it (a repeat that gives nothing back), so the larger the text the fewer there are. */
static const size_t steps_times_bytes = 4000000000;
static const int64_t cpu_max_ns = 1000000000, cpu_max_ns_per_byte = 2000, quick_ns = 2000000;

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    size_t *offsets; /* of the last match, pairs; match's own */
    unsigned group_count;
    bool in_one_go;      /* the pattern knows where a search began, so it cannot be cut */
    size_t jit_text_max; /* longer texts go to the interpreter */
    struct str text;
    int64_t cpu_end; /* of this value; 0: the clock has not been looked at yet */
    unsigned finds;
    struct buffer result;
};

static int64_t cpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The pattern with \uXXXX in PCRE2's way, until `stop` bytes are written; returns how many of the pattern's were read. */
static size_t translate(struct str pattern, struct buffer *to, size_t stop)
{
    bool quoted = false;
    size_t at = 0;

    while (at < pattern.size && to->size < stop) {
        uint32_t character;
        size_t size = 1;

        if (pattern.data[at] == '\\' && at + 1 < pattern.size) {
            char letter = pattern.data[at + 1];

            if (!quoted && escape_unicode(pattern, at, &character, &size)) {
                buffer_print(to, "\\x{%x}", character);
                at += size;
                continue;
            }
            /* An escape as a whole, so that \\u is no \u; half a character is left for PCRE2 to refuse. */
            size = quoted ? 1 : 2;
            if (letter == 'Q' || letter == 'E') {
                quoted = letter == 'Q';
                size = 2;
            }
        }
        buffer_append(to, pattern.data + at, size);
        at += size;
    }
    return at;
}

/* Returns where in the pattern the character is that is told; what is missing at the end is told of the last one. */
static size_t refuse_pattern(struct str pattern, size_t translated, int code, struct error *error)
{
    char text[256] = "";
    struct buffer again;
    size_t at;

    buffer_init(&again, 0);
    at = translate(pattern, &again, translated);
    buffer_release(&again);
    pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text));
    at -= at && at == pattern.size;
    while (at && text_is_inner(pattern.data[at]))
        at--;
    error_set(error, ERROR_CONFIG, "character %zu of the pattern: %s", text_count(str_make(pattern.data, at)) + 1, text);
    return at;
}

/* How long the texts may be that are safe with the JIT; careful rather than exact. */
static size_t jit_text_max(struct str pattern)
{
    unsigned repeats = 0, optional = 0;
    bool plain = true; /* nothing that matches a length of text by one step: references back, recursion */

    for (size_t i = 0; i < pattern.size; i++) {
        char next = i + 1 < pattern.size ? pattern.data[i + 1] : '\0';

        switch (pattern.data[i]) {
        case '*':
        case '+':
        case '{':
            repeats++;
            break;
        case '?':
            optional++;
            break;
        case '(':
            plain &= next != '?' || (i + 2 < pattern.size && strchr(":=!<i", pattern.data[i + 2]));
            break;
        case '\\':
            plain &= !strchr("123456789gkX", next);
            break;
        default:
            break;
        }
    }
    if (repeats + optional > JIT_REPEATS_MAX)
        return 0;
    return plain && repeats <= 1 ? SIZE_MAX : JIT_TEXT_MAX;
}

bool regex_new(struct regex **regex_out, struct str pattern, bool case_sensitive, size_t *wrong_at, struct error *error)
{
    bool ok = false;
    struct regex *regex = xcalloc(1, sizeof(*regex));
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT | (case_sensitive ? 0 : PCRE2_CASELESS);
    struct buffer translated;
    uint32_t groups = 0;
    size_t offset;
    int code;

    *wrong_at = 0;
    buffer_init(&regex->result, TEXT_RESULT_MAX);
    buffer_init(&translated, 0);
    if (!str_is_utf8(pattern)) {
        error_set(error, ERROR_CONFIG, "the pattern is not valid UTF-8");
        goto out;
    }
    translate(pattern, &translated, SIZE_MAX);
    regex->code = pcre2_compile((PCRE2_SPTR)buffer_text(&translated), translated.size, options, &code, &offset, NULL);
    if (!regex->code) {
        *wrong_at = refuse_pattern(pattern, offset, code, error);
        goto out;
    }
    pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it the interpreter does the same */
    regex->jit_text_max = jit_text_max(pattern);
    regex->match = pcre2_match_data_create_from_pattern(regex->code, NULL);
    regex->context = pcre2_match_context_create(NULL);
    regex->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
    if (!regex->match || !regex->context)
        stop_out_of_memory("memory for a regular expression");
    if (regex->stack)
        pcre2_jit_stack_assign(regex->context, NULL, regex->stack);
    pcre2_set_heap_limit(regex->context, HEAP_KIB_MAX);
    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    regex->group_count = groups;
    regex->offsets = pcre2_get_ovector_pointer(regex->match);
    regex->in_one_go = memmem(pattern.data, pattern.size, "\\G", 2) || memmem(pattern.data, pattern.size, "(*", 2);
    *regex_out = regex;
    regex = NULL;
    ok = true;
out:
    regex_free(regex);
    buffer_release(&translated);
    return ok;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_match_data_free(regex->match);
    pcre2_match_context_free(regex->context);
    pcre2_jit_stack_free(regex->stack);
    pcre2_code_free(regex->code);
    buffer_release(&regex->result);
    free(regex);
}

unsigned regex_group_count(const struct regex *regex)
{
    return regex->group_count;
}

unsigned regex_group_number(const struct regex *regex, struct str name)
{
    char *copy = str_dup(name);
    int number = pcre2_substring_number_from_name(regex->code, (PCRE2_SPTR)copy);

    free(copy);
    return number > 0 ? (unsigned)number : 0;
}

static void begin(struct regex *regex, struct str text)
{
    size_t steps = size_min(STEPS_MAX, steps_times_bytes / size_max(text.size, 1));

    regex->text = text;
    regex->finds = 0;
    pcre2_set_match_limit(regex->context, (uint32_t)steps);
    pcre2_set_offset_limit(regex->context, PCRE2_UNSET);
    regex->cpu_end = 0;
}

static enum regex_answer answer(int code, const char **why_out)
{
    if (code >= 0)
        return REGEX_YES;
    if (code == PCRE2_ERROR_NOMATCH)
        return REGEX_NO;
    *why_out = code == PCRE2_ERROR_MATCHLIMIT ? "the pattern takes too many steps on this value (match limit)"
               : code == PCRE2_ERROR_JIT_STACKLIMIT || code == PCRE2_ERROR_HEAPLIMIT || code == PCRE2_ERROR_NOMEMORY
                   ? "the pattern takes too much memory on this value"
                   : "the pattern cannot be matched against this value";
    return REGEX_FAILED;
}

static int match(struct regex *regex, size_t from, uint32_t options)
{
    if (regex->text.size > regex->jit_text_max)
        options |= PCRE2_NO_JIT;
    return pcre2_match(regex->code, (PCRE2_SPTR)regex->text.data, regex->text.size, from, PCRE2_NO_UTF_CHECK | options,
                       regex->match, regex->context);
}

/* The CPU time now, or 0 when this value has had its share. */
static int64_t look_at_clock(struct regex *regex, const char **why_out)
{
    int64_t now = cpu_now();

    if (!regex->cpu_end)
        regex->cpu_end = now + cpu_max_ns + (int64_t)regex->text.size * cpu_max_ns_per_byte;
    if (now <= regex->cpu_end)
        return now;
    *why_out = "the pattern takes too long on this value";
    return 0;
}

static enum regex_answer find_in_large(struct regex *regex, size_t from, uint32_t options, const char **why_out)
{
    struct str text = regex->text;
    size_t places = PLACES_AT_FIRST;
    int64_t before = 0;

    if (++regex->finds % FINDS_PER_LOOK == 0 && !look_at_clock(regex, why_out))
        return REGEX_FAILED;
    for (;;) {
        size_t last = text.size - from > places ? from + places : PCRE2_UNSET;
        int64_t now;
        int code;

        while (last != PCRE2_UNSET && text_is_inner(text.data[last]))
            last--;
        pcre2_set_offset_limit(regex->context, last);
        code = match(regex, from, options);
        if (code != PCRE2_ERROR_NOMATCH || last == PCRE2_UNSET)
            return answer(code, why_out);
        now = look_at_clock(regex, why_out);
        if (!now)
            return REGEX_FAILED;
        if (before && now - before < quick_ns)
            places *= PLACES_GROWTH;
        before = now;
        from = last + text_width((unsigned char)text.data[last]);
        options = 0; /* of where the search began */
    }
}

/* The first match that begins at `from` or behind. */
static enum regex_answer find(struct regex *regex, size_t from, uint32_t options, const char **why_out)
{
    enum regex_answer found;

    if (UNLIKELY(regex->text.size > LARGE_TEXT) && !regex->in_one_go)
        found = find_in_large(regex, from, options, why_out);
    else
        found = answer(match(regex, from, options), why_out);
    if (found == REGEX_YES && UNLIKELY(regex->offsets[0] > regex->offsets[1] || regex->offsets[0] < from)) {
        *why_out = "the pattern sets the start of a match (\\K) where it cannot be";
        return REGEX_FAILED;
    }
    return found;
}

enum regex_answer regex_match(struct regex *regex, struct str text, const char **why_out)
{
    begin(regex, text);
    return find(regex, 0, 0, why_out);
}

struct str regex_group(const struct regex *regex, unsigned number)
{
    const size_t *pair = regex->offsets + 2 * number;

    if (number > regex->group_count || pair[0] == PCRE2_UNSET || pair[0] > pair[1])
        return STR_NONE;
    return str_make(regex->text.data + pair[0], pair[1] - pair[0]);
}

/* Templates. */

struct piece {
    struct str literal; /* data NULL: a group */
    unsigned group;
};

struct regex_template {
    char *bytes; /* of the literals */
    struct piece *pieces;
    size_t count;
};

static bool known_group(const struct regex *regex, struct str name, struct piece *piece, struct error *error)
{
    bool digits = name.size > 0;
    unsigned number = 0;

    for (size_t i = 0; i < name.size && digits; i++) {
        digits = name.data[i] >= '0' && name.data[i] <= '9';
        number = digits && number < 100000 ? number * 10 + (unsigned)(name.data[i] - '0') : number;
    }
    if (!digits)
        number = regex_group_number(regex, name);
    *piece = (struct piece){STR_NONE, number};
    if (digits && number <= regex->group_count)
        return true;
    if (!digits && number)
        return true;
    if (digits && regex->group_count)
        return error_set(error, ERROR_CONFIG, "there is no group %.*s; the pattern has %u", STR_ARG(name), regex->group_count);
    if (digits)
        return error_set(error, ERROR_CONFIG, "there is no group %.*s; the pattern has no groups (in parentheses)",
                         STR_ARG(name));
    name = str_head(name, 60);
    return error_set(error, ERROR_CONFIG, "the pattern has no group, or more than one, with the name \"%.*s\"", STR_ARG(name));
}

/* The reference at text[*at], which is a dollar sign. */
static bool read_reference(const struct regex *regex, struct str text, size_t *at, struct piece *piece, struct error *error)
{
    size_t from = *at + 1, end = from;

    if (from < text.size && text.data[from] == '$') {
        *piece = (struct piece){STR("$"), 0};
        *at = from + 1;
        return true;
    }
    if (from < text.size && text.data[from] == '{') {
        const char *close = memchr(text.data + from, '}', text.size - from);

        if (!close)
            return error_set(error, ERROR_CONFIG, "\"${\" has no \"}\" behind it");
        *at = (size_t)(close - text.data) + 1;
        return known_group(regex, str_make(text.data + from + 1, *at - from - 2), piece, error);
    }
    while (end < text.size && text.data[end] >= '0' && text.data[end] <= '9')
        end++;
    if (end == from)
        return error_set(error, ERROR_CONFIG,
                         "behind a dollar sign there must be a group, $1 or ${name}; write $$ for a dollar sign");
    *at = end;
    return known_group(regex, str_make(text.data + from, end - from), piece, error);
}

bool regex_template_new(struct regex_template **out, const struct regex *regex, struct str text, bool escapes, size_t *wrong_at,
                        struct error *error)
{
    struct regex_template *plan = xcalloc(1, sizeof(*plan));
    size_t at = 0, used = 0;

    plan->bytes = xmalloc(text.size + 1);
    plan->pieces = xcalloc(text.size + 1, sizeof(*plan->pieces));
    while (at < text.size) {
        struct piece *last = plan->count ? &plan->pieces[plan->count - 1] : NULL, piece;
        size_t start = at, width = 1;
        bool ok = true;

        plan->bytes[used] = text.data[at];
        if (text.data[at] == '$')
            ok = read_reference(regex, text, &at, &piece, error);
        else if (text.data[at] == '\\' && escapes)
            ok = escape_read(text, &at, plan->bytes + used, &width, error);
        else
            at++;
        if (!ok) {
            regex_template_free(plan);
            *wrong_at = start;
            return error_wrap(error, "character %zu", text_count(str_make(text.data, start)) + 1);
        }
        if (text.data[start] == '$' && !piece.literal.data) {
            plan->pieces[plan->count++] = piece;
            continue;
        }
        if (!last || !last->literal.data) {
            last = &plan->pieces[plan->count++];
            last->literal = str_make(plan->bytes + used, 0);
        }
        last->literal.size += width;
        used += width;
    }
    *out = plan;
    return true;
}

void regex_template_free(struct regex_template *plan)
{
    if (!plan)
        return;
    free(plan->bytes);
    free(plan->pieces);
    free(plan);
}

/* Columns. */

struct replacement {
    struct regex *regex;
    const struct regex_template *plan;
    unsigned group;
};

static const char *test(struct text_row *row)
{
    const struct replacement *replacement = row->with;
    const char *why = NULL;

    row->result_truth = regex_match(replacement->regex, row->text[0], &why) == REGEX_YES;
    return why;
}

bool regex_test(struct batch *batch, struct regex *regex, struct operand a, struct str what, struct column **column_out,
                struct error *error)
{
    struct replacement replacement = {.regex = regex};
    struct text_call call = {
        .operation = test, .type = TYPE_BOOLEAN, .characters = true, .texts = {a}, .with = &replacement, .what = what};

    return text_run(batch, &call, column_out, error);
}

static const char *extract(struct text_row *row)
{
    const struct replacement *replacement = row->with;
    const char *why = NULL;

    row->result = STR_NONE;
    if (regex_match(replacement->regex, row->text[0], &why) == REGEX_YES)
        row->result = regex_group(replacement->regex, replacement->group);
    row->result_null = !row->result.data;
    return why;
}

bool regex_extract(struct batch *batch, struct regex *regex, unsigned group, struct operand a, struct str what,
                   struct column **column_out, struct error *error)
{
    struct replacement replacement = {.regex = regex, .group = group};
    struct text_call call = {
        .operation = extract, .type = TYPE_STRING, .characters = true, .texts = {a}, .with = &replacement, .what = what};

    return text_run(batch, &call, column_out, error);
}

static void append_piece(struct regex *regex, const struct regex_template *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        buffer_append_str(&regex->result,
                          plan->pieces[i].literal.data ? plan->pieces[i].literal : regex_group(regex, plan->pieces[i].group));
}

const char *regex_replace_all(struct text_row *row, struct regex *regex, const struct regex_template *plan)
{
    struct str text = row->text[0];
    size_t kept = 0;
    uint32_t options = 0;
    const char *why = NULL;
    char *room;

    row->result = text;
    buffer_clear(&regex->result);
    begin(regex, text);
    for (;;) {
        enum regex_answer found = find(regex, kept, options, &why);

        if (found == REGEX_FAILED)
            return why;
        if (found == REGEX_NO)
            break;
        buffer_append(&regex->result, text.data + kept, regex->offsets[0] - kept);
        append_piece(regex, plan);
        if (regex->result.failed)
            return text_too_long;
        options = regex->offsets[0] == regex->offsets[1] ? PCRE2_NOTEMPTY_ATSTART : 0;
        kept = regex->offsets[1];
        row->result = STR_NONE; /* something has been found */
    }
    if (row->result.data)
        return NULL;
    buffer_append(&regex->result, text.data + kept, text.size - kept);
    if (regex->result.failed)
        return text_too_long;
    why = text_room(row, regex->result.size, &room);
    if (!why && regex->result.size)
        memcpy(room, regex->result.data, regex->result.size);
    return why;
}

static const char *replace(struct text_row *row)
{
    const struct replacement *replacement = row->with;

    return regex_replace_all(row, replacement->regex, replacement->plan);
}

bool regex_replace(struct batch *batch, struct regex *regex, const struct regex_template *plan, struct operand a, struct str what,
                   struct column **column_out, struct error *error)
{
    struct replacement replacement = {.regex = regex, .plan = plan};
    struct text_call call = {
        .operation = replace, .type = TYPE_STRING, .characters = true, .texts = {a}, .with = &replacement, .what = what};

    return text_run(batch, &call, column_out, error);
}
