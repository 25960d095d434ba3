/* tree_place.c: from a place in a value's text back to its place in the file.
 * Method: the text and what the file has are walked side by side, character by character. Where the file has an escape or a
 * doubled quote, that is one character of the text. Where a line of the file ends, what is blank on both sides belongs together,
 * however YAML folds it. Anything else that differs means that the place is not known. */
#include "util/tree.h"

struct walk {
    struct str text, raw;
    size_t in_text, in_raw;
    struct location at; /* of in_raw */
    char quote;         /* or 0 */
};

static size_t character_size(struct str text, size_t at)
{
    size_t size = 1;

    while (at + size < text.size && ((unsigned char)text.data[at + size] & 0xC0) == 0x80)
        size++;
    return size;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* So many characters of the file. */
static void pass(struct walk *walk, size_t characters)
{
    for (; characters && walk->in_raw < walk->raw.size; characters--) {
        if (walk->raw.data[walk->in_raw] == '\n') {
            walk->at.line++;
            walk->at.column = 1;
        } else {
            walk->at.column++;
        }
        walk->in_raw += character_size(walk->raw, walk->in_raw);
    }
}

/* The size of the blanks at in_raw with an end of a line among them, or 0. */
static size_t line_break(const struct walk *walk)
{
    size_t end = walk->in_raw;
    bool broken = false;

    while (end < walk->raw.size && is_blank(walk->raw.data[end]))
        broken |= walk->raw.data[end++] == '\n';
    return broken ? end - walk->in_raw : 0;
}

/* The characters of an escape between double quotes, or 0; *none: it stands for no character at all. */
static size_t escape_size(const struct walk *walk, bool *none)
{
    const char *next;
    size_t size = 2;

    *none = false;
    if (walk->quote != '"' || walk->in_raw + 1 >= walk->raw.size || walk->raw.data[walk->in_raw] != '\\')
        return 0;
    next = walk->raw.data + walk->in_raw + 1;
    if (*next == 'x' || *next == 'u' || *next == 'U')
        return *next == 'x' ? 4 : *next == 'u' ? 6 : 10;
    if (*next != '\n' && *next != '\r')
        return size;
    *none = true; /* the line goes on in the next one */
    while (walk->in_raw + size < walk->raw.size && is_blank(next[size - 1]))
        size++;
    return size;
}

/* Over one character of the text, or several blanks at the end of a line. */
static bool step(struct walk *walk)
{
    size_t size = character_size(walk->text, walk->in_text), escape, lines;
    bool none;

    while ((escape = escape_size(walk, &none)) && none)
        pass(walk, escape);
    lines = line_break(walk);
    if (escape) {
        pass(walk, escape);
    } else if (lines && is_blank(walk->text.data[walk->in_text])) {
        pass(walk, lines);
        while (size < walk->text.size - walk->in_text && is_blank(walk->text.data[walk->in_text + size]))
            size++;
    } else if (walk->in_raw + size > walk->raw.size ||
               memcmp(walk->raw.data + walk->in_raw, walk->text.data + walk->in_text, size) != 0) {
        return false;
    } else {
        pass(walk, 1 + (walk->quote == '\'' && walk->raw.data[walk->in_raw] == '\''));
    }
    walk->in_text += size;
    return true;
}

/* Behind the quote, or behind the line with | or >. */
static void begin(struct walk *walk)
{
    char first = walk->raw.size ? walk->raw.data[0] : '\0';
    const char *end = walk->raw.size ? memchr(walk->raw.data, '\n', walk->raw.size) : NULL;

    if (first == '\'' || first == '"') {
        walk->quote = first;
        pass(walk, 1);
    } else if ((first == '|' || first == '>') && end) {
        while (walk->raw.data + walk->in_raw < end)
            pass(walk, 1);
        pass(walk, line_break(walk));
        while (walk->in_text < walk->text.size && is_blank(walk->text.data[walk->in_text]))
            walk->in_text++;
    }
}

bool tree_place(const struct tree_node *node, size_t from, size_t size, struct location *at, unsigned *width)
{
    struct walk walk = {.text = node->text, .raw = node->raw.data ? node->raw : node->text, .at = node->at};
    size_t escape;
    bool none;

    if (node->kind != TREE_SCALAR || node->written.data || from > node->text.size)
        return false;
    if (node->raw.data)
        begin(&walk);
    while (walk.in_text < from)
        if (!step(&walk))
            return false;
    while ((escape = escape_size(&walk, &none)) && none)
        pass(&walk, escape);
    *at = walk.at;
    *width = 0;
    while (walk.in_text < size_min(from + size, node->text.size) && walk.at.line == at->line && step(&walk))
        *width = walk.at.line == at->line ? walk.at.column - at->column : *width + 1;
    *width = *width ? *width : 1;
    return true;
}
