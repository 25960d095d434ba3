/* log.c: formats, redacts and writes one line at a time.
 * Method: the sentence is formatted on the heap without a limit, then redacted, then cleaned and cut: cutting first could leave
 * half of a secret standing at the end. One mutex guards the file, the told secrets and the table of repeats. Told secrets
 * outlive log_stop, for redaction must also hold for what is said after it.
 * Cost: one allocation and one write(2) a line, a search per told secret, and a walk over the 64 remembered repeats. */
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "util/buffer.h"
#include "util/clock.h"

enum {
    LINE_BYTES_MAX = 8192,
    REPEATS_MAX = 64,
    SECRET_BYTES_MIN = 4,
};

struct log {
    char *name; /* with those of its parents: "orders/sink" */
    enum log_level level;
};

struct repeat { /* lines of one format of one component within a window */
    char *name;
    const char *format; /* only compared, never read: it may belong to a caller that is gone */
    uint64_t text_hash; /* of the last line that was printed */
    enum log_level level;
    char *text;         /* of the last line that was kept back, redacted and cleaned */
    int64_t since_ms;
    unsigned printed;
    uint64_t kept_back;
};

static struct {
    pthread_mutex_t lock;
    _Atomic(enum log_level) level;
    int fd;               /* -1: standard error */
    char *path;           /* NULL: standard error */
    uint64_t lost;        /* lines that the file did not take since it took one */
    bool torn;            /* of the last of them a part stands in the file */
    char **secrets;       /* longest first, so that one that contains another goes as a whole */
    size_t secret_count, secret_capacity;
    struct repeat repeats[REPEATS_MAX];
    bool all; /* repeats are printed too */
    void (*hook)(bool before);
    int64_t (*wall_ms)(void);
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO, .fd = -1};

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};

static void repeats_say(int64_t now_ms, bool all);
static void file_end(void);

bool log_start(enum log_level level, const char *path, struct error *error)
{
    int fd = -1;

    if (path) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0)
            return error_set(error, ERROR_CONFIG, "the log file %s cannot be opened: %s; check log.file and the folder's "
                                                  "rights", path,
                             system_reason(errno));
    }
    pthread_mutex_lock(&state.lock);
    file_end();
    state.fd = fd;
    state.path = path ? xstrdup(path) : NULL;
    state.level = level;
    pthread_mutex_unlock(&state.lock);
    return true;
}

static int64_t now_wall_ms(void)
{
    return state.wall_ms ? state.wall_ms() : clock_wall_ms();
}

void log_stop(void)
{
    pthread_mutex_lock(&state.lock);
    repeats_say(now_wall_ms(), true);
    file_end();
    state.all = false;
    state.level = LOG_INFO;
    state.hook = NULL;
    pthread_mutex_unlock(&state.lock);
}

void log_secret(const char *text)
{
    size_t size = text ? strlen(text) : 0;
    size_t at = 0;

    if (size < SECRET_BYTES_MIN)
        return;
    pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < state.secret_count; i++)
        if (strcmp(state.secrets[i], text) == 0)
            goto out;
    XGROW(state.secrets, state.secret_count, state.secret_capacity);
    while (at < state.secret_count && strlen(state.secrets[at]) >= size)
        at++;
    memmove(state.secrets + at + 1, state.secrets + at, (state.secret_count - at) * sizeof(*state.secrets));
    state.secrets[at] = xstrdup(text);
    state.secret_count++;
out:
    pthread_mutex_unlock(&state.lock);
}

void log_secret_forget(const char *text)
{
    pthread_mutex_lock(&state.lock);
    for (size_t i = 0; text && i < state.secret_count; i++) {
        if (strcmp(state.secrets[i], text) != 0)
            continue;
        explicit_bzero(state.secrets[i], strlen(state.secrets[i]));
        free(state.secrets[i]);
        state.secret_count--;
        memmove(state.secrets + i, state.secrets + i + 1, (state.secret_count - i) * sizeof(*state.secrets));
        break;
    }
    pthread_mutex_unlock(&state.lock);
}

/* In place, for *** is shorter than any told secret. The lock is held. */
static void redact(char *text)
{
    for (size_t i = 0; i < state.secret_count; i++) {
        size_t size = strlen(state.secrets[i]);
        char *at = text;

        while ((at = strstr(at, state.secrets[i]))) {
            memcpy(at, "***", 3);
            memmove(at + 3, at + size, strlen(at + size) + 1);
            at += 3;
        }
    }
}

void log_redact(char *text)
{
    pthread_mutex_lock(&state.lock);
    redact(text);
    pthread_mutex_unlock(&state.lock);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&state.level, level, memory_order_relaxed);
}

void log_set_repeats(bool printed)
{
    pthread_mutex_lock(&state.lock);
    state.all = printed;
    pthread_mutex_unlock(&state.lock);
}

bool log_level_parse(struct str text, enum log_level *level_out)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (str_equal_ignore_case(text, str_of(level_names[i]))) {
            *level_out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_terminal_hook(void (*hook)(bool before))
{
    pthread_mutex_lock(&state.lock);
    state.hook = hook;
    pthread_mutex_unlock(&state.lock);
}

void log_set_clock(int64_t (*wall_ms)(void))
{
    pthread_mutex_lock(&state.lock);
    state.wall_ms = wall_ms;
    pthread_mutex_unlock(&state.lock);
}

struct log *log_new(struct log *parent, const char *name)
{
    struct log *log = xcalloc(1, sizeof(*log));

    log->name = parent ? xasprintf("%s/%s", parent->name, name) : xstrdup(name);
    log->level = parent ? parent->level : LOG_TRACE;
    return log;
}

void log_quiet(struct log *log, enum log_level level)
{
    log->level = level;
}

void log_free(struct log *log)
{
    if (!log)
        return;
    free(log->name);
    free(log);
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return level >= atomic_load_explicit(&state.level, memory_order_relaxed) && (!log || level >= log->level);
}

/* A whole line goes out in one write where the system lets it, so that lines of two processes do not mix. The bytes written;
 * fewer than all: errno says why. */
static size_t write_all(int fd, struct str text)
{
    size_t size = 0;

    while (size < text.size) {
        ssize_t written = write(fd, text.data + size, text.size - size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = ENOSPC;
        if (written <= 0)
            break;
        size += (size_t)written;
    }
    return size;
}

static PRINTF_LIKE(1, 2) void say(const char *format, ...)
{
    char text[640];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (state.hook)
        state.hook(true);
    (void)write_all(STDERR_FILENO, str_make(text, size_min((size_t)int64_max(size, 0), sizeof(text) - 1)));
    if (state.hook)
        state.hook(false);
}

static bool file_write(struct str text)
{
    size_t written = write_all(state.fd, text);

    state.torn = written ? written < text.size : state.torn;
    return written == text.size;
}

/* A log that cannot be written (full disk) must not stop the job. Each line tries again; the first that fails is told on
 * standard error, and when the file takes lines again, the first of them says how many are missing. The file is never cut back,
 * for other processes may have written behind a torn line. */
static void file_line(const char *when, struct str line)
{
    char note[160];

    if (state.torn && file_write(STR("\n")))
        state.torn = false;
    if (state.lost) {
        snprintf(note, sizeof(note), "%s WARN luaduct: %llu log lines are missing here, because the file could not be written\n",
                 when, (unsigned long long)state.lost);
        if (state.torn || !file_write(str_of(note))) {
            state.lost++;
            return;
        }
        state.lost = 0;
    }
    if (!state.torn && file_write(line))
        return;
    if (state.lost++ == 0)
        say("luaduct: the log file %s cannot be written: %s; the job goes on, its log lines are lost until there is room\n",
            state.path, system_reason(errno));
}

static void file_end(void)
{
    if (state.lost)
        say("luaduct: %llu lines of the log file %s were lost\n", (unsigned long long)state.lost, state.path);
    if (state.fd >= 0)
        close(state.fd);
    free(state.path);
    state.fd = -1;
    state.path = NULL;
    state.lost = 0;
    state.torn = false;
}

static void write_line(int64_t now_ms, enum log_level level, const char *name, const char *sentence, const char *ending)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct buffer line;
    struct tm utc;
    char when[40];
    size_t size;

    gmtime_r(&seconds, &utc);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    buffer_init(&line, 0);
    size = strlen(when);
    snprintf(when + size, sizeof(when) - size, ".%03dZ", (int)(now_ms % 1000));
    buffer_print(&line, "%s %s %s: %s%s\n", when, level_names[level], name, sentence, ending);
    if (state.fd >= 0) {
        file_line(when, buffer_str(&line));
    } else {
        if (state.hook)
            state.hook(true);
        (void)write_all(STDERR_FILENO, buffer_str(&line));
        if (state.hook)
            state.hook(false);
    }
    buffer_release(&line);
}

static void repeat_end(struct repeat *repeat)
{
    free(repeat->name);
    free(repeat->text);
    *repeat = (struct repeat){0};
}

static void repeat_say(struct repeat *repeat, int64_t now_ms)
{
    char ending[64];

    if (!repeat->kept_back)
        return;
    snprintf(ending, sizeof(ending), " (%llu like this within %d s)", (unsigned long long)repeat->kept_back,
             LOG_REPEAT_MS / 1000);
    write_line(now_ms, repeat->level, repeat->name, repeat->text, ending);
}

static bool repeat_over(const struct repeat *repeat, int64_t now_ms)
{
    return now_ms - repeat->since_ms >= LOG_REPEAT_MS || now_ms < repeat->since_ms;
}

/* Tells what was kept back in windows that are over. Runs before each line, so that the count comes soon after the window. */
static void repeats_say(int64_t now_ms, bool all)
{
    for (size_t i = 0; i < REPEATS_MAX; i++) {
        struct repeat *repeat = &state.repeats[i];

        if (repeat->name && (all || repeat_over(repeat, now_ms))) {
            repeat_say(repeat, now_ms);
            repeat_end(repeat);
        }
    }
}

static uint64_t text_hash(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

/* Whether the line shall be printed now. A bare "%s" says nothing about the line, so there only equal texts count as repeats. */
static bool repeat_admit(int64_t now_ms, enum log_level level, const char *name, const char *format, const char *text)
{
    uint64_t hash = text_hash(text);
    bool by_text = strcmp(format, "%s") == 0;
    struct repeat *repeat = NULL, *oldest = &state.repeats[0];

    for (size_t i = 0; i < REPEATS_MAX && !repeat; i++) {
        struct repeat *r = &state.repeats[i];

        if (!r->name || (oldest->name && r->since_ms < oldest->since_ms))
            oldest = r;
        if (r->name && r->format == format && r->level == level && strcmp(r->name, name) == 0 &&
            (!by_text || r->text_hash == hash))
            repeat = r;
    }
    if (!repeat) {
        repeat_say(oldest, now_ms);
        repeat_end(oldest);
        *oldest = (struct repeat){.name = xstrdup(name), .format = format, .level = level, .text_hash = hash, .since_ms = now_ms,
                                  .printed = 1};
        return true;
    }
    if (repeat->text_hash != hash && repeat->printed < LOG_REPEAT_LINES) {
        repeat->text_hash = hash;
        repeat->printed++;
        return true;
    }
    free(repeat->text);
    repeat->text = xstrdup(text);
    repeat->kept_back++;
    return false;
}

/* One line an event: what a text from outside could break the line or drive the terminal with is shown as escapes. */
static char *clean(const char *text)
{
    struct buffer out;

    buffer_init(&out, 0);
    for (const char *p = text; *p && out.size < LINE_BYTES_MAX; p++) {
        unsigned char c = (unsigned char)*p;

        if (c == '\n')
            buffer_append(&out, "\\n", 2);
        else if (c == '\t')
            buffer_append_char(&out, ' ');
        else if (c < 0x20 || c == 0x7F)
            buffer_print(&out, "\\x%02X", c);
        else
            buffer_append_char(&out, *p);
    }
    if (out.size >= LINE_BYTES_MAX) {
        while (out.size && ((unsigned char)out.data[out.size - 1] & 0xC0) == 0x80)
            out.size--;
        if (out.size && (unsigned char)out.data[out.size - 1] >= 0xC0)
            out.size--;
        buffer_append_str(&out, STR(" ..."));
    }
    return buffer_take(&out, NULL);
}

void log_print(struct log *log, enum log_level level, const char *format, ...)
{
    const char *name = log ? log->name : "luaduct";
    char *sentence = NULL, *text = NULL;
    va_list arguments;
    int64_t now_ms;
    int size;

    if (!log_enabled(log, level))
        return;
    va_start(arguments, format);
    size = vasprintf(&sentence, format, arguments);
    va_end(arguments);
    if (size < 0)
        sentence = xstrdup("a line that could not be formatted was left out");
    pthread_mutex_lock(&state.lock);
    redact(sentence);
    text = clean(sentence);
    now_ms = now_wall_ms();
    repeats_say(now_ms, false);
    if (level < LOG_INFO || state.all || repeat_admit(now_ms, level, name, format, text))
        write_line(now_ms, level, name, text, "");
    pthread_mutex_unlock(&state.lock);
    free(text);
    free(sentence);
}
