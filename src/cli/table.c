/* table.c: widths are counted in cells: a CJK character takes two, a combining mark none. */
#include "cli/table.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Cells that the columns from the first on may take; the last one has the rest. Off a terminal. */
static const unsigned most[TABLE_COLUMNS] = {19, 30, 20, 24, 60, 60};
enum { GAP = 2, LEAST = 8 };

struct table {
    const char *const *names;
    unsigned width;
    const char *const **rows;
    size_t count, capacity;
};

struct table *table_new(const char *const names[TABLE_COLUMNS], unsigned width)
{
    struct table *table = xcalloc(1, sizeof(*table));

    table->names = names;
    table->width = width;
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    free(table->rows);
    free(table);
}

void table_add(struct table *table, const char *const cells[TABLE_COLUMNS])
{
    XGROW(table->rows, table->count, table->capacity);
    table->rows[table->count++] = cells;
}

unsigned table_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col ? size.ws_col : 80;
}

/* The character at the start of the text and its bytes; 0 bytes: none that may be printed. */
static uint32_t character(struct str text, size_t *size_out)
{
    unsigned char first = (unsigned char)text.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    uint32_t code = size == 1 ? first : first & (0x7Fu >> size);

    *size_out = 0;
    if (!size || size > text.size || !str_is_utf8(str_make(text.data, size)))
        return 0;
    for (size_t i = 1; i < size; i++)
        code = code << 6 | ((unsigned char)text.data[i] & 0x3F);
    /* Controls, and what turns the direction of a line around. */
    if (code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069))
        return 0;
    *size_out = size;
    return code;
}

static unsigned cells_of(uint32_t code)
{
    if ((code >= 0x300 && code < 0x370) || (code >= 0x200B && code <= 0x200F))
        return 0;
    return (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) || (code >= 0xAC00 && code <= 0xD7A3) ||
           (code >= 0xF900 && code <= 0xFAFF) || (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
           (code >= 0x1F300 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD) ? 2 : 1;
}

void table_clean(struct str text, bool lines, struct buffer *clean)
{
    while (text.size) {
        size_t size;

        (void)character(text, &size);
        if (size)
            buffer_append(clean, text.data, size);
        else
            buffer_append_char(clean, lines && (text.data[0] == '\n' || text.data[0] == '\t') ? text.data[0]
                                      : text.data[0] == '\n' || text.data[0] == '\t' ? ' ' : '?');
        text = str_make(text.data + size_max(size, 1), text.size - size_max(size, 1));
    }
}

static unsigned text_cells(struct str text)
{
    unsigned cells = 0;

    while (text.size) {
        size_t size;
        uint32_t code = character(text, &size);

        cells += size ? cells_of(code) : 1;
        text = str_make(text.data + size_max(size, 1), text.size - size_max(size, 1));
    }
    return cells;
}

/* Exactly `width` cells: cut with an ellipsis, or padded. */
static void cell_print(const char *cell, unsigned width, bool pad, struct buffer *text)
{
    struct str rest;
    struct buffer clean;
    unsigned used = 0;
    bool cut;

    buffer_init(&clean, 0);
    table_clean(str_of(cell), false, &clean);
    rest = buffer_str(&clean);
    cut = text_cells(rest) > width;
    while (rest.size) {
        size_t size;
        uint32_t code = character(rest, &size);

        if (used + cells_of(code) > width - cut)
            break;
        used += cells_of(code);
        buffer_append(text, rest.data, size);
        rest = str_make(rest.data + size, rest.size - size);
    }
    if (cut) {
        buffer_append_str(text, STR("\u2026"));
        used++;
    }
    for (; pad && used < width; used++)
        buffer_append_char(text, ' ');
    buffer_release(&clean);
}

static void row_print(const char *const *cells, const unsigned *widths, struct buffer *text)
{
    for (size_t i = 0; i < TABLE_COLUMNS; i++) {
        cell_print(cells[i], widths[i], i + 1 < TABLE_COLUMNS, text);
        buffer_append_str(text, i + 1 < TABLE_COLUMNS ? STR("  ") : STR("\n"));
    }
}

void table_print(const struct table *table, struct buffer *text)
{
    unsigned widths[TABLE_COLUMNS], used = GAP * (TABLE_COLUMNS - 1);

    for (size_t i = 0; i < TABLE_COLUMNS; i++) {
        widths[i] = text_cells(str_of(table->names[i]));
        for (size_t j = 0; j < table->count; j++) {
            unsigned cells = text_cells(str_of(table->rows[j][i]));

            widths[i] = cells > widths[i] ? cells : widths[i];
        }
        widths[i] = widths[i] > most[i] ? most[i] : widths[i];
        used += widths[i];
    }
    /* From the right: the value's beginning gives way first, then the reason. */
    for (size_t i = TABLE_COLUMNS; table->width && i > 0 && used > table->width; i--) {
        unsigned over = used - table->width;
        unsigned less = widths[i - 1] > LEAST ? widths[i - 1] - LEAST : 0;

        less = less > over ? over : less;
        widths[i - 1] -= less;
        used -= less;
    }
    row_print(table->names, widths, text);
    for (size_t j = 0; j < table->count; j++)
        row_print(table->rows[j], widths, text);
}
