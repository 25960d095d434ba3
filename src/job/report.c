/* report.c: keeps what was found wrong, and prints it sorted, each with its line of the file and a caret under it.
 * Method: the lines are read from the files when printing, so that a mistake costs nothing but its text until then. Lines that
 * hold a secret in clear (a key named like one) are shown without the value; all text is redacted at the end.
 * Cost: printing reads each file once. */
#include "job/report.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/log.h"

enum {
    FILE_BYTES_MAX = 4 << 20,
    LINE_CELLS_MAX = 160, /* terminal cells of a shown line; what is longer is cut around the caret */
};

struct item {
    char *file; /* own copy: what it was read from may be gone when the report is printed */
    unsigned line, column, width;
    bool warning;
    size_t sequence;
    char *text;
};

struct report {
    struct item *items;
    size_t count, capacity;
    unsigned mistakes, warnings;
};

struct report *report_new(void)
{
    return xcalloc(1, sizeof(struct report));
}

void report_free(struct report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->count; i++) {
        free(report->items[i].file);
        free(report->items[i].text);
    }
    free(report->items);
    free(report);
}

static void report_add(struct report *report, bool warning, struct location at, unsigned width, const char *format,
                       va_list arguments)
{
    struct item *item;
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0)
        text = xstrdup("a mistake whose text could not be formatted");
    XGROW(report->items, report->count, report->capacity);
    item = &report->items[report->count];
    *item = (struct item){.file = at.file ? xstrdup(at.file) : NULL, .line = at.line, .column = at.column,
                          .width = width ? width : 1, .warning = warning, .sequence = report->count, .text = text};
    report->count++;
    if (warning)
        report->warnings++;
    else
        report->mistakes++;
}

void report_mistake(struct report *report, struct location at, unsigned width, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_add(report, false, at, width, format, arguments);
    va_end(arguments);
}

void report_warning(struct report *report, struct location at, unsigned width, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_add(report, true, at, width, format, arguments);
    va_end(arguments);
}

unsigned report_mistakes(const struct report *report)
{
    return report->mistakes;
}

unsigned report_mistakes_between(const struct report *report, const char *file, unsigned from, unsigned to)
{
    unsigned count = 0;

    for (size_t i = 0; i < report->count; i++) {
        const struct item *item = &report->items[i];

        count += !item->warning && item->file && strcmp(item->file, file) == 0 && item->line >= from && item->line < to;
    }
    return count;
}

unsigned report_warnings(const struct report *report)
{
    return report->warnings;
}

/* The text of a regular file, or an empty buffer: the report is printed without lines then. */
static void file_read(struct buffer *text, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    buffer_clear(text);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        while (text->size < FILE_BYTES_MAX && buffer_reserve(text, 65536)) {
            ssize_t size = read(fd, text->data + text->size, 65536);

            if (size < 0 && errno == EINTR)
                continue;
            if (size <= 0)
                break;
            text->size += (size_t)size;
        }
    }
    close(fd);
}

static bool line_get(const struct buffer *file, unsigned number, struct str *line_out)
{
    struct str rest = buffer_str(file), line = STR_NONE;

    if (!number || !file->size)
        return false;
    if (str_starts_with(rest, STR("\xEF\xBB\xBF"))) /* a byte order mark takes no column */
        rest = str_make(rest.data + 3, rest.size - 3);
    for (unsigned i = 0; i < number; i++) {
        if (!rest.data)
            return false;
        str_cut(rest, '\n', &line, &rest);
    }
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    *line_out = line;
    return true;
}

/* How much of the line may be shown: up to the value of a key whose name says that it is a secret. References such as
 * ${env:NAME} hold none and stay. */
static size_t line_clear_size(struct str line)
{
    static const char *const names[] = {"access_key", "accesskey", "password", "secret", ".key",
                                        "key.pem",    "token",     "jaas",     "salt",   "domain"};

    for (size_t at = 0; at < line.size; at++) {
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            size_t size = strlen(names[i]), end = at + size;

            if (end > line.size || !str_equal_ignore_case(str_make(line.data + at, size), str_of(names[i])))
                continue;
            while (end < line.size && line.data[end] != ':' && line.data[end] != ' ')
                end++;
            if (end == line.size || line.data[end] != ':')
                continue;
            for (end++; end < line.size && strchr(" \"'", line.data[end]); end++)
                ;
            if (end < line.size && !str_starts_with(str_make(line.data + end, line.size - end), STR("${")))
                return end;
        }
    }
    return line.size;
}

static unsigned cells_of(gunichar c)
{
    return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

/* The next character of a text that may be anything; control characters and broken bytes become '?', tabs a blank. */
static gunichar character_take(struct str *text)
{
    gunichar c = g_utf8_get_char_validated(text->data, (gssize)text->size);
    size_t size = 1;

    if (c == (gunichar)-1 || c == (gunichar)-2 || c == 0)
        c = '?';
    else
        size = (size_t)(g_utf8_next_char(text->data) - text->data);
    text->data += size;
    text->size -= size;
    return c == '\t' ? ' ' : c < 0x20 || (c >= 0x7F && c < 0xA0) ? '?' : c;
}

/* The line and, below, carets under `width` characters from `column`. Characters that take two cells get two carets. */
static void excerpt_print(struct buffer *text, struct str line, unsigned number, unsigned column, unsigned width)
{
    size_t clear = line_clear_size(line);
    struct str rest = str_make(line.data, clear);
    unsigned before = 0, under = 0, position = 1, skip = 1, shown = 0;
    bool cut = false;
    char gutter[32];
    int indent = snprintf(gutter, sizeof(gutter), "  %u |", number);

    for (struct str r = rest; r.size && position < column; position++)
        before += cells_of(character_take(&r));
    for (skip = 1; before > LINE_CELLS_MAX / 2 && rest.size; skip++) /* the caret must be within what is shown */
        before -= cells_of(character_take(&rest));
    buffer_print(text, "%s %s", gutter, skip > 1 ? "... " : "");
    if (skip > 1)
        before += 4;
    for (position = skip; rest.size; position++) {
        gunichar c;
        char bytes[6];

        if (shown > LINE_CELLS_MAX) {
            cut = true;
            break;
        }
        c = character_take(&rest);
        buffer_append(text, bytes, (size_t)g_unichar_to_utf8(c, bytes));
        shown += cells_of(c);
        if (position >= column && position - column < width)
            under += cells_of(c);
    }
    if (clear < line.size)
        buffer_append_str(text, STR("***"));
    buffer_print(text, "%s\n%*s| %*s", cut ? " ..." : "", indent - 1, "", (int)before, "");
    for (unsigned i = 0; i < (under ? under : 1); i++)
        buffer_append_char(text, '^');
    buffer_append_char(text, '\n');
}

static int file_compare(const struct item *a, const struct item *b)
{
    return strcmp(a->file ? a->file : "", b->file ? b->file : "");
}

static int item_compare(const void *x, const void *y)
{
    const struct item *a = *(const struct item *const *)x, *b = *(const struct item *const *)y;
    int files = file_compare(a, b);

    if (files)
        return files;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->sequence < b->sequence ? -1 : 1;
}

static void summary_print(struct buffer *text, const struct report *report, struct item *const *sorted)
{
    const char *join = " in ";

    if (report->mistakes)
        buffer_print(text, "%u mistake%s", report->mistakes, report->mistakes == 1 ? "" : "s");
    if (report->warnings)
        buffer_print(text, "%s%u warning%s", report->mistakes ? " and " : "", report->warnings, report->warnings == 1 ? "" : "s");
    for (size_t i = 0; i < report->count; i++) {
        if (sorted[i]->file && (i == 0 || file_compare(sorted[i - 1], sorted[i]))) {
            buffer_print(text, "%s%s", join, sorted[i]->file);
            join = ", ";
        }
    }
    buffer_append_char(text, '\n');
}

void report_print(const struct report *report, struct buffer *text)
{
    struct item **sorted;
    struct buffer out, file;
    char *redacted;

    if (!report->count)
        return;
    sorted = xcalloc(report->count, sizeof(struct item *));
    for (size_t i = 0; i < report->count; i++)
        sorted[i] = &report->items[i];
    qsort(sorted, report->count, sizeof(struct item *), item_compare);

    buffer_init(&out, 0);
    buffer_init(&file, 0);
    for (size_t i = 0; i < report->count; i++) {
        const struct item *item = sorted[i];
        struct str line;

        if (item->file && (i == 0 || file_compare(sorted[i - 1], item)))
            file_read(&file, item->file);
        if (item->file && item->line)
            buffer_print(&out, "%s:%u:%u: ", item->file, item->line, item->column);
        else if (item->file)
            buffer_print(&out, "%s: ", item->file);
        buffer_print(&out, "%s%s\n", item->warning ? "warning: " : "", item->text);
        if (item->file && line_get(&file, item->line, &line))
            excerpt_print(&out, line, item->line, item->column, item->width);
    }
    summary_print(&out, report, sorted);
    redacted = buffer_take(&out, NULL);
    log_redact(redacted);
    buffer_append_str(text, str_of(redacted));
    free(redacted);
    buffer_release(&file);
    free(sorted);
}
