/* page.c */
#include "cli/page.h"

#include <stdlib.h>
#include <strings.h>

/* Names stand at the margin, or below the title of a section. */
enum { NAME_INDENT_MAX = 2, BODY_INDENT = 4 };

static size_t indent_of(struct str line)
{
    size_t size = 0;

    while (size < line.size && line.data[size] == ' ')
        size++;
    return size;
}

static bool holds(struct str text, struct str word)
{
    for (size_t i = 0; i + word.size <= text.size; i++)
        if (strncasecmp(text.data + i, word.data, word.size) == 0)
            return true;
    return false;
}

/* Up to its type, its parameters, or what is said of it in the same line. */
static struct str name_of(struct str line)
{
    static const char *const ends[] = {"  (", ": "};

    line = str_trim(line);
    for (size_t i = 0; i < line.size; i++)
        for (size_t j = 0; j < COUNT_OF(ends); j++)
            if (str_starts_with(str_make(line.data + i, line.size - i), str_of(ends[j])))
                return str_make(line.data, i);
    return line;
}

/* The lines that are to be printed. */
struct choice {
    struct str *lines;
    bool *chosen;
    size_t count;
};

static void choice_init(struct choice *choice, struct str page)
{
    size_t count = 1;

    for (size_t i = 0; i < page.size; i++)
        count += page.data[i] == '\n';
    choice->lines = xcalloc(count, sizeof(*choice->lines));
    choice->chosen = xcalloc(count, sizeof(*choice->chosen));
    for (choice->count = 0; choice->count < count; choice->count++)
        (void)str_cut(page, '\n', &choice->lines[choice->count], &page);
}

static void choose(struct choice *choice, size_t at)
{
    size_t indent;

    while (at > 0 && indent_of(choice->lines[at]) > NAME_INDENT_MAX)
        at--;
    indent = indent_of(choice->lines[at]);
    choice->chosen[at] = true;
    while (++at < choice->count && indent_of(choice->lines[at]) > indent)
        choice->chosen[at] = true;
}

bool page_find(struct str page, struct str word, struct buffer *out)
{
    struct choice choice;
    bool found = false;

    choice_init(&choice, page);
    for (unsigned whole = 0; whole < 2 && !found; whole++) {
        for (size_t i = 0; i < choice.count; i++) {
            struct str line = choice.lines[i];

            if (!(whole ? holds(line, word) : indent_of(line) <= NAME_INDENT_MAX && holds(name_of(line), word)))
                continue;
            choose(&choice, i);
            found = true;
        }
    }
    for (size_t i = 0; i < choice.count; i++)
        if (choice.chosen[i])
            buffer_print(out, "%.*s\n", (int)choice.lines[i].size, choice.lines[i].data);
    free(choice.lines);
    free(choice.chosen);
    return found;
}

static size_t characters_of(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

static void line_wrap(struct str line, size_t columns, struct buffer *out)
{
    size_t indent = indent_of(line), column = indent;
    struct str rest = str_make(line.data + indent, line.size - indent), word;
    bool first = true;

    buffer_print(out, "%*s", (int)indent, "");
    while (rest.data) {
        size_t width;

        str_cut(rest, ' ', &word, &rest);
        width = characters_of(word);
        if (!first && column + 1 + width > columns) {
            column = indent <= NAME_INDENT_MAX ? indent + 2 * BODY_INDENT : indent;
            buffer_print(out, "\n%*s", (int)column, "");
        } else if (!first) {
            buffer_append_char(out, ' ');
            column++;
        }
        buffer_append_str(out, word);
        column += width;
        first = false;
    }
}

void page_wrap(struct str page, size_t columns, struct buffer *out)
{
    struct str rest = page, line;

    while (rest.data && rest.size) {
        str_cut(rest, '\n', &line, &rest);
        if (characters_of(line) > columns)
            line_wrap(line, columns, out);
        else
            buffer_append_str(out, line);
        buffer_append_char(out, '\n');
    }
}
