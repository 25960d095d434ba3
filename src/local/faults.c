/* faults.c: rules are kept in file order; each call walks all of them, since every rule counts for itself. Scripts are short. */
#include "local/faults.h"
#include "local/words.h"
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
    enum second_commit second_commit;
    bool second_commit_given;
};

enum { RULES_MAX = 10000, FILE_BYTES_MAX = 1 << 20 };

static const char *const call_names[] = {
    [CALL_DISCOVERY] = "discovery", [CALL_PROJECT] = "project", [CALL_TABLE] = "table", [CALL_PARTITIONS] = "partitions",
    [CALL_CREATE_TABLE] = "create_table", [CALL_DROP_TABLE] = "drop_table", [CALL_ADD_PARTITION] = "add_partition",
    [CALL_DROP_PARTITION] = "drop_partition", [CALL_ADD_COLUMNS] = "add_columns", [CALL_INSTANCE] = "instance",
    [CALL_CREATE_UPLOAD] = "create_upload", [CALL_PUT_BLOCK] = "put_block", [CALL_LIST_BLOCKS] = "list_blocks",
    [CALL_COMMIT] = "commit", [CALL_CREATE_DOWNLOAD] = "create_download", [CALL_DOWNLOAD] = "download", [CALL_ANY] = "any",
};

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

/* What an answer is called, whether it needs a time behind "=", and on which side of the call it makes sense. */
static const struct {
    const char *name;
    enum fault_answer answer;
    enum { VALUE_NONE, VALUE_TIME, VALUE_TIME_OR_NONE, VALUE_OWN } value;
    enum { SIDE_ANY, SIDE_BEFORE, SIDE_AFTER } side;
} answers[] = {
    {"status", FAULT_STATUS, VALUE_OWN, SIDE_ANY},      {"cut", FAULT_CUT, VALUE_NONE, SIDE_ANY},
    {"hang", FAULT_HANG, VALUE_TIME, SIDE_ANY},         {"slow", FAULT_SLOW, VALUE_TIME, SIDE_ANY},
    {"state", FAULT_STATE, VALUE_OWN, SIDE_ANY},        {"expire", FAULT_STATE, VALUE_NONE, SIDE_ANY},
    {"forget", FAULT_FORGET, VALUE_NONE, SIDE_ANY},     {"closing", FAULT_CLOSING, VALUE_TIME, SIDE_BEFORE},
    {"delay", FAULT_DELAY, VALUE_TIME, SIDE_BEFORE},    {"twice", FAULT_TWICE, VALUE_TIME_OR_NONE, SIDE_AFTER},
};
#define ANSWERS_TEXT "status=NNN, cut, hang=TIME, slow=TIME, state=NAME, expire, forget, closing=TIME, delay=TIME, twice[=TIME]"

static bool parse_code(struct fault *fault, struct str value, struct error *error)
{
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.'))
            return error_set(error, ERROR_CONFIG, "\"%.*s\": a code has letters, digits, - _ and . only", STR_ARG(value));
    }
    memcpy(fault->code, value.data, value.size);
    return true;
}

static bool parse_status(struct fault *fault, struct str word, struct str value, struct str *line, struct error *error)
{
    struct str name;
    uint64_t number;

    if (!word_count(value, 599, &number) || number < 300)
        return error_set(error, ERROR_CONFIG, "\"%.*s\" needs a status from 300 to 599", STR_ARG(word));
    fault->status = (int)number;
    while ((word = next_word(line)).data) {
        if (!str_cut(word, '=', &name, &value))
            value = STR_NONE;
        if (str_is(name, "code") && value.size > 0 && value.size < sizeof(fault->code)) {
            if (!parse_code(fault, value, error))
                return false;
        } else if (str_is(name, "retry_after") && word_count(value, 86400, &number)) {
            fault->retry_after_s = (int)number;
        } else {
            return error_set(error, ERROR_CONFIG,
                             "\"%.*s\" does not belong behind a status; code=NAME and retry_after=SECONDS do", STR_ARG(word));
        }
    }
    return true;
}

static bool parse_state(struct fault *fault, struct str word, struct str value, struct error *error)
{
    static const char *const states[] = {"unknown", "normal", "committing", "closing", "canceled", "expired", "critical"};

    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (str_is(value, states[i])) {
            memcpy(fault->state, states[i], strlen(states[i]));
            return true;
        }
    }
    if (str_is(value, "closed"))
        return error_set(error, ERROR_CONFIG, "\"%.*s\": a session is closed by its commit alone", STR_ARG(word));
    return error_set(error, ERROR_CONFIG, "\"%.*s\" needs a state: unknown, normal, committing, closing, canceled, expired or "
                     "critical", STR_ARG(word));
}

static bool parse_answer(struct rule *rule, struct str word, struct str *line, struct error *error)
{
    const char *names[COUNT_OF(answers)], *nearest;
    struct fault *fault = &rule->fault;
    struct str name, value;
    size_t i = 0;

    fault->retry_after_s = -1;
    if (!str_cut(word, '=', &name, &value))
        value = STR_NONE;
    for (size_t j = 0; j < COUNT_OF(answers); j++)
        names[j] = answers[j].name;
    while (i < COUNT_OF(answers) && !str_is(name, answers[i].name))
        i++;
    if (i == COUNT_OF(answers) || (answers[i].value == VALUE_NONE && value.data)) {
        nearest = str_nearest(name, names, COUNT_OF(names));
        return error_set(error, ERROR_CONFIG, "unknown answer \"%.*s\"; did you mean \"%s\"? (" ANSWERS_TEXT ")", STR_ARG(word),
                         nearest ? nearest : "status");
    }
    if ((answers[i].side == SIDE_BEFORE && rule->after) || (answers[i].side == SIDE_AFTER && !rule->after))
        return error_set(error, ERROR_CONFIG, "\"%.*s\" goes with \"%s\" only", STR_ARG(word), rule->after ? "before" : "after");
    fault->answer = answers[i].answer;
    if (fault->answer == FAULT_CLOSING && rule->call != CALL_COMMIT)
        return error_set(error, ERROR_CONFIG, "\"%.*s\" goes with the call \"commit\" only", STR_ARG(word));
    if (answers[i].value == VALUE_TIME || (answers[i].value == VALUE_TIME_OR_NONE && value.data)) {
        if (!word_duration(value, &fault->duration_ms))
            return error_set(error, ERROR_CONFIG, "\"%.*s\" needs a duration such as %.*s=500ms or %.*s=2s", STR_ARG(word),
                             STR_ARG(name), STR_ARG(name));
    } else if (str_is(name, "expire")) {
        memcpy(fault->state, "expired", sizeof("expired"));
    } else if (fault->answer == FAULT_STATE && !parse_state(fault, word, value, error)) {
        return false;
    } else if (fault->answer == FAULT_STATUS && !parse_status(fault, word, value, line, error)) {
        return false;
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

        if (!word_count(first, UINT64_MAX, &rule->first) || (range && !word_count(last, UINT64_MAX, &rule->last)) ||
            rule->first == 0)
            return error_set(error, ERROR_CONFIG, "\"%.*s\" is no count such as #3 or #1-20", STR_ARG(word));
        if (!range)
            rule->last = rule->first;
        if (rule->last < rule->first)
            return error_set(error, ERROR_CONFIG, "\"%.*s\" ends before it begins", STR_ARG(word));
        word = next_word(&line);
    } else if (str_is(word, "every")) {
        word = next_word(&line);
        if (!word_count(word, UINT64_MAX, &rule->every) || rule->every == 0)
            return error_set(error, ERROR_CONFIG, "\"every\" needs a count from 1 behind it");
        word = next_word(&line);
    }
    if (!str_is(word, "before") && !str_is(word, "after"))
        return error_set(error, ERROR_CONFIG, "\"before\" or \"after\" expected, found \"%.*s\"", STR_ARG(word));
    rule->after = str_is(word, "after");
    word = next_word(&line);
    if (!word.data)
        return error_set(error, ERROR_CONFIG, "the answer is missing (" ANSWERS_TEXT ")");
    return parse_answer(rule, word, &line, error);
}

static bool parse_second_commit(struct faults *faults, struct str line, struct error *error)
{
    struct str word = next_word(&line);

    if (!second_commit_parse(word, &faults->second_commit))
        return error_set(error, ERROR_CONFIG, "\"second_commit\" needs ok, conflict or 5xx, found \"%.*s\"", STR_ARG(word));
    if (faults->second_commit_given)
        return error_set(error, ERROR_CONFIG, "\"second_commit\" is said twice");
    faults->second_commit_given = true;
    word = next_word(&line);
    return !word.data || error_set(error, ERROR_CONFIG, "\"%.*s\" is more than the line needs", STR_ARG(word));
}

static bool parse_line(struct faults *faults, struct str word, struct str line, struct error *error)
{
    if (str_is(word, "second_commit"))
        return parse_second_commit(faults, line, error);
    if (faults->count >= RULES_MAX)
        return error_set(error, ERROR_CONFIG, "more than %d rules", RULES_MAX);
    XGROW(faults->rules, faults->count, faults->capacity);
    faults->rules[faults->count] = (struct rule){0};
    return parse_rule(&faults->rules[faults->count++], word, line, error);
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
        if (!parse_line(faults, word, line, error)) {
            error_wrap(error, "%s:%u", file, number);
            goto out;
        }
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

enum second_commit faults_second_commit(const struct faults *faults, enum second_commit otherwise)
{
    return faults && faults->second_commit_given ? faults->second_commit : otherwise;
}

bool second_commit_parse(struct str text, enum second_commit *second_commit_out)
{
    static const char *const names[] = {
        [SECOND_COMMIT_OK] = "ok", [SECOND_COMMIT_CONFLICT] = "conflict", [SECOND_COMMIT_5XX] = "5xx"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_is(text, names[i])) {
            *second_commit_out = (enum second_commit)i;
            return true;
        }
    }
    return false;
}
