/* faults.c: rules are kept in file order; each call walks all of them, since every rule counts for itself. Scripts are short. */
#include "local/faults.h"
#include "util/buffer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct rule {
    enum fault_call call;
    uint64_t first, last, every; /* every > 0: instead of first..last */
    bool after;
    struct fault fault;
    uint64_t seen;
};

struct faults {
    pthread_mutex_t lock;
    struct rule *rules;
    size_t count, capacity;
};

enum { RULES_MAX = 10000, FILE_BYTES_MAX = 1 << 20 };

static const char *const call_names[] = {
    [CALL_DISCOVERY] = "discovery", [CALL_PROJECT] = "project", [CALL_TABLE] = "table", [CALL_PARTITIONS] = "partitions",
    [CALL_CREATE_TABLE] = "create_table", [CALL_DROP_TABLE] = "drop_table", [CALL_ADD_PARTITION] = "add_partition",
    [CALL_DROP_PARTITION] = "drop_partition", [CALL_ADD_COLUMNS] = "add_columns", [CALL_INSTANCE] = "instance",
    [CALL_CREATE_UPLOAD] = "create_upload", [CALL_PUT_BLOCK] = "put_block", [CALL_LIST_BLOCKS] = "list_blocks",
    [CALL_COMMIT] = "commit", [CALL_CREATE_DOWNLOAD] = "create_download", [CALL_DOWNLOAD] = "download", [CALL_ANY] = "any",
};

static bool parse_count(struct str text, uint64_t max, uint64_t *value_out)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 18)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *value_out = value;
    return value <= max;
}

static bool parse_duration(struct str text, int64_t *ms_out)
{
    static const struct { const char *unit; int64_t ms; } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};

    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t size = strlen(units[i].unit);
        uint64_t value;

        if (text.size > size && memcmp(text.data + text.size - size, units[i].unit, size) == 0 &&
            parse_count(str_make(text.data, text.size - size), 86400000, &value)) {
            *ms_out = (int64_t)value * units[i].ms;
            return true;
        }
    }
    return false;
}

/* The next word of *line, absent at the end or before a comment. */
static struct str next_word(struct str *line)
{
    struct str text = str_trim(*line), word;
    size_t i = 0;

    while (i < text.size && text.data[i] != ' ' && text.data[i] != '\t')
        i++;
    word = str_make(text.data, i);
    *line = str_make(text.data + i, text.size - i);
    if (i == 0 || str_is(word, "#")) {
        *line = STR("");
        return STR_NONE;
    }
    return word;
}

static bool parse_answer(struct rule *rule, struct str word, struct str *line, struct error *error)
{
    struct fault *fault = &rule->fault;
    struct str name, value;
    uint64_t number;

    fault->retry_after_s = -1;
    if (!str_cut(word, '=', &name, &value))
        value = STR_NONE;
    if (str_is(name, "cut") && !value.data) {
        fault->answer = FAULT_CUT;
    } else if (str_is(name, "expire") && !value.data) {
        fault->answer = FAULT_EXPIRE;
    } else if (str_is(name, "hang") || str_is(name, "slow")) {
        fault->answer = str_is(name, "hang") ? FAULT_HANG : FAULT_SLOW;
        if (!value.data || !parse_duration(value, &fault->duration_ms))
            return error_set(error, ERROR_CONFIG, "\"%.*s\" needs a duration such as %.*s=500ms or %.*s=2s", STR_ARG(word),
                             STR_ARG(name), STR_ARG(name));
    } else if (str_is(name, "status")) {
        fault->answer = FAULT_STATUS;
        if (!value.data || !parse_count(value, 599, &number) || number < 300)
            return error_set(error, ERROR_CONFIG, "\"%.*s\" needs a status from 300 to 599", STR_ARG(word));
        fault->status = (int)number;
        while ((word = next_word(line)).data) {
            if (!str_cut(word, '=', &name, &value))
                value = STR_NONE;
            if (str_is(name, "code") && value.size > 0 && value.size < sizeof(fault->code)) {
                for (size_t i = 0; i < value.size; i++) {
                    char c = value.data[i];

                    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' ||
                          c == '.'))
                        return error_set(error, ERROR_CONFIG, "\"%.*s\": a code has letters, digits, - _ and . only",
                                         STR_ARG(word));
                }
                memcpy(fault->code, value.data, value.size);
            } else if (str_is(name, "retry_after") && value.data && parse_count(value, 86400, &number)) {
                fault->retry_after_s = (int)number;
            } else {
                return error_set(error, ERROR_CONFIG,
                                 "\"%.*s\" does not belong behind a status; code=NAME and retry_after=SECONDS do", STR_ARG(word));
            }
        }
    } else {
        static const char *const answers[] = {"status", "cut", "hang", "slow", "expire"};
        const char *nearest = str_nearest(name, answers, COUNT_OF(answers));

        return error_set(error, ERROR_CONFIG,
                         "unknown answer \"%.*s\"; did you mean \"%s\"? (status=NNN, cut, hang=TIME, slow=TIME, expire)",
                         STR_ARG(word), nearest ? nearest : "status");
    }
    word = next_word(line);
    return !word.data || error_set(error, ERROR_CONFIG, "\"%.*s\" is more than the rule needs", STR_ARG(word));
}

static bool parse_rule(struct rule *rule, struct str word, struct str line, struct error *error)
{
    size_t call = 0;

    while (call < COUNT_OF(call_names) && !str_is(word, call_names[call]))
        call++;
    if (call == COUNT_OF(call_names)) {
        const char *nearest = str_nearest(word, call_names, COUNT_OF(call_names));

        return error_set(error, ERROR_CONFIG, "unknown call \"%.*s\"%s%s%s", STR_ARG(word), nearest ? "; did you mean \"" : "",
                         nearest ? nearest : "", nearest ? "\"?" : "; faults.h and \"luaduct local --help\" list them");
    }
    rule->call = (enum fault_call)call;
    rule->first = 1;
    rule->last = UINT64_MAX;
    word = next_word(&line);
    if (word.size > 1 && word.data[0] == '#') {
        struct str first, last;
        bool range = str_cut(str_make(word.data + 1, word.size - 1), '-', &first, &last);

        if (!parse_count(first, UINT64_MAX, &rule->first) || (range && !parse_count(last, UINT64_MAX, &rule->last)) ||
            rule->first == 0)
            return error_set(error, ERROR_CONFIG, "\"%.*s\" is no count such as #3 or #1-20", STR_ARG(word));
        if (!range)
            rule->last = rule->first;
        if (rule->last < rule->first)
            return error_set(error, ERROR_CONFIG, "\"%.*s\" ends before it begins", STR_ARG(word));
        word = next_word(&line);
    } else if (str_is(word, "every")) {
        word = next_word(&line);
        if (!parse_count(word, UINT64_MAX, &rule->every) || rule->every == 0)
            return error_set(error, ERROR_CONFIG, "\"every\" needs a count from 1 behind it");
        word = next_word(&line);
    }
    if (!str_is(word, "before") && !str_is(word, "after"))
        return error_set(error, ERROR_CONFIG, "\"before\" or \"after\" expected, found \"%.*s\"", STR_ARG(word));
    rule->after = str_is(word, "after");
    word = next_word(&line);
    if (!word.data)
        return error_set(error, ERROR_CONFIG, "the answer is missing (status=NNN, cut, hang=TIME, slow=TIME, expire)");
    return parse_answer(rule, word, &line, error);
}

bool faults_parse(struct faults **faults_out, struct str text, const char *file, struct error *error)
{
    struct faults *faults = xcalloc(1, sizeof(*faults));
    unsigned number = 0;
    bool ok = false, more = text.size > 0;

    pthread_mutex_init(&faults->lock, NULL);
    while (more) {
        struct str line, rest, word;

        number++;
        more = str_cut(text, '\n', &line, &rest);
        text = rest;
        word = next_word(&line);
        if (!word.data || word.data[0] == '#')
            continue;
        if (faults->count >= RULES_MAX) {
            error_set(error, ERROR_CONFIG, "%s:%u: more than %d rules", file, number, RULES_MAX);
            goto out;
        }
        XGROW(faults->rules, faults->count, faults->capacity);
        faults->rules[faults->count] = (struct rule){0};
        if (!parse_rule(&faults->rules[faults->count], word, line, error)) {
            error_wrap(error, "%s:%u", file, number);
            goto out;
        }
        faults->count++;
    }
    *faults_out = faults;
    faults = NULL;
    ok = true;
out:
    faults_free(faults);
    return ok;
}

bool faults_read(struct faults **faults_out, const char *path, struct error *error)
{
    struct buffer text;
    FILE *file = fopen(path, "re");
    bool ok = false;
    size_t size;

    buffer_init(&text, FILE_BYTES_MAX);
    if (!file) {
        error_set(error, ERROR_CONFIG, "%s: cannot be read: %s", path, strerror(errno));
        goto out;
    }
    do {
        char piece[4096];

        size = fread(piece, 1, sizeof(piece), file);
        buffer_append(&text, piece, size);
    } while (size > 0);
    if (ferror(file) || text.failed)
        error_set(error, ERROR_CONFIG, "%s: cannot be read, or is larger than 1 MiB", path);
    else
        ok = faults_parse(faults_out, buffer_str(&text), path, error);
out:
    if (file)
        fclose(file);
    buffer_release(&text);
    return ok;
}

void faults_free(struct faults *faults)
{
    if (!faults)
        return;
    pthread_mutex_destroy(&faults->lock);
    free(faults->rules);
    free(faults);
}

void faults_next(struct faults *faults, enum fault_call call, struct fault *before, struct fault *after)
{
    *before = *after = (struct fault){.answer = FAULT_NONE, .retry_after_s = -1};
    if (!faults)
        return;
    pthread_mutex_lock(&faults->lock);
    for (size_t i = 0; i < faults->count; i++) {
        struct rule *rule = &faults->rules[i];
        struct fault *target = rule->after ? after : before;

        if (rule->call != CALL_ANY && rule->call != call)
            continue;
        rule->seen++;
        bool holds = rule->every ? rule->seen % rule->every == 0 : rule->seen >= rule->first && rule->seen <= rule->last;

        if (holds && target->answer == FAULT_NONE)
            *target = rule->fault;
    }
    pthread_mutex_unlock(&faults->lock);
}
