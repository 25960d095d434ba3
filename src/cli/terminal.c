/* terminal.c */
#include "cli/terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

unsigned terminal_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col ? size.ws_col : 80;
}

bool terminal_colours(bool no_color)
{
    const char *refused = getenv("NO_COLOR"), *kind = getenv("TERM");

    return !no_color && !(refused && *refused) && isatty(STDOUT_FILENO) && !(kind && strcmp(kind, "dumb") == 0);
}

/* The character at the start of the text and its bytes; negative: none. */
static utf8proc_int32_t character(struct str text, size_t *size_out)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)size_min(text.size, 4), &code);

    *size_out = size > 0 ? (size_t)size : 1;
    return size > 0 ? code : -1;
}

/* What does something to a terminal instead of being shown: controls, separators of lines, directions. */
static bool is_control(utf8proc_int32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x200E || code == 0x200F || code == 0xFEFF;
}

void terminal_clean(struct str text, bool lines, struct buffer *clean)
{
    while (text.size) {
        size_t size;
        utf8proc_int32_t code = character(text, &size);

        if (code < 0)
            buffer_print(clean, "\\x%02x", (unsigned char)text.data[0]);
        else if (!is_control(code) || (lines && (code == '\n' || code == '\t')))
            buffer_append(clean, text.data, size);
        else if (code == '\n' || code == '\t' || code == '\r')
            buffer_print(clean, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
        else
            buffer_print(clean, code < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned)code);
        text = str_make(text.data + size, text.size - size);
    }
}

static unsigned cells_of(utf8proc_int32_t code)
{
    int width = code < 0 ? 1 : code < 0x7F ? 1 : utf8proc_charwidth(code);

    return width > 0 ? (unsigned)width : 0;
}

unsigned terminal_cells(struct str clean)
{
    unsigned cells = 0;

    while (clean.size) {
        size_t size;

        cells += cells_of(character(clean, &size));
        clean = str_make(clean.data + size, clean.size - size);
    }
    return cells;
}

unsigned terminal_cut(struct str clean, unsigned width, struct buffer *text)
{
    unsigned used = 0;

    if (terminal_cells(clean) <= width) {
        buffer_append_str(text, clean);
        return terminal_cells(clean);
    }
    while (clean.size) {
        size_t size;
        unsigned cells = cells_of(character(clean, &size));

        if (used + cells + 1 > width)
            break;
        used += cells;
        buffer_append(text, clean.data, size);
        clean = str_make(clean.data + size, clean.size - size);
    }
    buffer_append_str(text, STR("\u2026"));
    return used + 1;
}

struct str terminal_wrap(struct str *clean, unsigned width)
{
    unsigned used = 0, before = 0; /* before: the cells of the character before */
    struct str line = *clean;
    size_t place = 0, size; /* place: the last one where a line may end; 0: none yet */

    for (size_t i = 0; i < line.size; i += size) {
        unsigned cells = cells_of(character(str_make(line.data + i, line.size - i), &size));

        if (i && (line.data[i] == ' ' || (cells == 2 && before == 2)))
            place = i;
        if (used + cells > width && place) {
            *clean = str_make(line.data + place, line.size - place);
            while (clean->size && clean->data[0] == ' ')
                *clean = str_make(clean->data + 1, clean->size - 1);
            return str_make(line.data, place);
        }
        used += cells;
        before = cells;
    }
    *clean = STR("");
    return line;
}
