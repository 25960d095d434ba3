/* options.c: reads values by their rows.
 * Method: each map is walked twice, once over its keys (unknown ones, those of other products) and once over the rows (values,
 * defaults, what is missing). All mistakes go to the report; a value with a mistake gets its default, so that reading goes on. A
 * default is read by the same code as a written value, so that it cannot be out of range.
 * Cost: keys times rows a map, both small. */
#include "job/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job/resolve.h"
#include "util/log.h"

enum { CHOICES_MAX = 128 };

void *owned_keep(struct owned *owned, void *piece)
{
    XGROW(owned->pieces, owned->count, owned->capacity);
    owned->pieces[owned->count++] = piece;
    return piece;
}

void owned_release(struct owned *owned)
{
    for (size_t i = 0; i < owned->count; i++)
        free(owned->pieces[i]);
    free(owned->pieces);
    *owned = (struct owned){0};
}

size_t options_path_enter(struct option_reader *reader, struct str name, size_t index)
{
    size_t mark = reader->path.size;

    if (index)
        buffer_print(&reader->path, "[%zu]", index);
    else
        buffer_print(&reader->path, "%s%.*s", mark ? "." : "", STR_ARG(name));
    return mark;
}

void options_path_leave(struct option_reader *reader, size_t mark)
{
    reader->path.size = mark;
}

void option_mistake(struct option_reader *reader, const struct tree_node *node, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = xstrdup("this value is wrong");
    va_end(arguments);
    report_mistake(reader->report, node->at, node->width, "%s%s%s", buffer_text(&reader->path), reader->path.size ? ": " : "",
                   text);
    free(text);
}

const char *option_excerpt(const struct tree_node *node, char text[OPTION_EXCERPT_MAX])
{
    struct str shown = node->written.data ? node->written : node->text;
    size_t size = size_min(shown.size, 60);

    while (size && size < shown.size && ((unsigned char)shown.data[size] & 0xC0) == 0x80)
        size--;
    snprintf(text, OPTION_EXCERPT_MAX, "%s\"%.*s%s\"", node->written.data ? "the value of " : "", (int)size,
             shown.data ? shown.data : "", size < shown.size ? "..." : "");
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    return text;
}

bool option_scalar(struct option_reader *reader, const struct tree_node *node, const char *what)
{
    if (node->kind != TREE_SCALAR) {
        option_mistake(reader, node, "must be %s, not a %s", what, node->kind == TREE_LIST ? "list" : "map");
        return false;
    }
    if (resolve_failed(node))
        return false;
    if (tree_is_null(node)) {
        option_mistake(reader, node, "has no value; it must be %s, or leave the key out", what);
        return false;
    }
    return true;
}

static size_t choices_split(const char *choices, struct str words[CHOICES_MAX])
{
    struct str rest = str_of(choices ? choices : NULL);
    size_t count = 0;

    while (rest.data && count < CHOICES_MAX)
        str_cut(rest, '|', &words[count++], &rest);
    return count;
}

int choice_index(const char *choices, struct str word)
{
    struct str words[CHOICES_MAX];
    size_t count = choices_split(choices, words);

    for (size_t i = 0; i < count; i++)
        if (str_equal(words[i], word))
            return (int)i;
    return -1;
}

const char *choice_hint(const char *choices, struct str word, char hint[OPTION_HINT_MAX])
{
    struct str words[CHOICES_MAX];
    const char *names[CHOICES_MAX], *nearest;
    size_t count = choices_split(choices, words);
    char *copies[CHOICES_MAX];

    for (size_t i = 0; i < count; i++)
        names[i] = copies[i] = str_dup(words[i]);
    nearest = str_nearest(word, names, count);
    hint[0] = 0;
    if (nearest)
        snprintf(hint, OPTION_HINT_MAX, "; did you mean \"%s\"?", nearest);
    for (size_t i = 0; i < count; i++)
        free(copies[i]);
    return hint;
}

/* "a, b or c" */
static void choices_print(const char *choices, struct buffer *text)
{
    struct str words[CHOICES_MAX];
    size_t count = choices_split(choices, words);

    for (size_t i = 0; i < count; i++)
        buffer_print(text, "%s%.*s", i == 0 ? "" : i + 1 == count ? " or " : ", ", STR_ARG(words[i]));
}

void option_secret(struct str text)
{
    struct str rest = text;
    char *copy = str_dup(text);

    log_secret(copy);
    free(copy);
    if (!text.size || !memchr(text.data, '\n', text.size))
        return;
    while (rest.data) { /* a key in PEM form could be printed a line at a time */
        struct str line;

        str_cut(rest, '\n', &line, &rest);
        if (line.size >= 16) {
            copy = str_dup(line);
            log_secret(copy);
            free(copy);
        }
    }
}

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct unit sizes[] = {
    {"B", 1}, {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
};

static const struct unit *units_of(enum option_type type, size_t *count)
{
    *count = type == OPTION_DURATION ? COUNT_OF(durations) : type == OPTION_SIZE ? COUNT_OF(sizes) : 0;
    return type == OPTION_DURATION ? durations : type == OPTION_SIZE ? sizes : NULL;
}

const char *option_number_print(enum option_type type, int64_t value, char text[OPTION_NUMBER_MAX])
{
    const struct unit *best = NULL;
    const struct unit *units;
    size_t count;

    units = units_of(type, &count);
    for (size_t i = 0; i < count; i++) {
        bool binary = type == OPTION_DURATION || i == 0 || strchr(units[i].name, 'i');

        if (binary && value % units[i].factor == 0 && (value || i == 0))
            best = &units[i];
    }
    if (best && type == OPTION_DURATION && best->factor > 1000 && value / best->factor < 2) /* 60s reads better than 1m */
        best = &units[1];
    snprintf(text, OPTION_NUMBER_MAX, "%lld%s", (long long)(best ? value / best->factor : value), best ? best->name : "");
    return text;
}

static bool number_parse(struct option_reader *reader, const struct option *row, const struct tree_node *node, int64_t *value_out)
{
    const char *what = row->type == OPTION_DURATION ? "a duration such as 500ms, 60s, 5m or 1h"
                       : row->type == OPTION_SIZE   ? "a size such as 64KiB, 16MiB or 1GiB"
                                                    : "a whole number";
    char excerpt[OPTION_EXCERPT_MAX], limit[OPTION_NUMBER_MAX];
    struct str text = node->text, unit;
    const struct unit *units;
    size_t digits = 0, count;
    bool negative, overflow = false;
    int64_t value = 0, factor = 1;

    if (!option_scalar(reader, node, what))
        return false;
    if ((row->flags & OPTION_UNLIMITED) && str_is(text, "unlimited")) {
        *value_out = -1;
        return true;
    }
    option_excerpt(node, excerpt);
    negative = text.data[0] == '-';
    if (negative)
        text = str_make(text.data + 1, text.size - 1);
    for (; digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9'; digits++)
        overflow |= __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text.data[digits] - '0', &value);
    unit = str_make(text.data + digits, text.size - digits);
    units = units_of(row->type, &count);
    if (units && digits && !unit.size) {
        option_mistake(reader, node, "%s has no unit; it must be %s", excerpt, what);
        return false;
    }
    if (units && digits) {
        size_t i = 0;

        while (i < count && !str_is(unit, units[i].name))
            i++;
        if (i == count) {
            option_mistake(reader, node, "%s has an unknown unit; the units are %s", excerpt,
                           row->type == OPTION_DURATION ? "ms, s, m and h" : "B, KiB, MiB, GiB, kB, MB and GB");
            return false;
        }
        factor = units[i].factor;
        unit.size = 0;
    }
    if (!digits || unit.size) {
        option_mistake(reader, node, "%s is not %s%s", excerpt, what, row->flags & OPTION_UNLIMITED ? " or unlimited" : "");
        return false;
    }
    overflow |= __builtin_mul_overflow(value, factor, &value);
    value = negative ? -value : value;
    if (overflow)
        value = negative ? INT64_MIN : INT64_MAX;
    if (value < row->minimum) {
        option_mistake(reader, node, "%.*s is below the minimum %s", STR_ARG(node->written.data ? node->written : node->text),
                       option_number_print(row->type, row->minimum, limit));
        return false;
    }
    if (overflow || value > row->maximum) {
        option_mistake(reader, node, "%.*s is above the maximum %s", STR_ARG(node->written.data ? node->written : node->text),
                       option_number_print(row->type, row->maximum, limit));
        return false;
    }
    *value_out = value;
    return true;
}

static void number_store(const struct option *row, void *base, int64_t value)
{
    char *at = (char *)base + row->offset;

    if (row->size == sizeof(int64_t)) {
        memcpy(at, &value, sizeof(value));
    } else if (row->size) {
        int32_t small = (int32_t)value; /* the table's range makes it fit, unsigned too */

        assert(row->size == sizeof(small));
        memcpy(at, &small, sizeof(small));
    }
}

static void text_store(struct option_reader *reader, const struct option *row, void *base, char *text)
{
    owned_keep(reader->owned, text);
    if (row->size) {
        assert(row->size == sizeof(text));
        memcpy((char *)base + row->offset, &text, sizeof(text));
    }
}

static bool text_read(struct option_reader *reader, const struct option *row, void *base, const struct tree_node *node)
{
    bool secret = row->flags & OPTION_SECRET;
    char excerpt[OPTION_EXCERPT_MAX];
    struct error error = {0};
    struct buffer choices;
    char *text;

    if (secret && node->kind == TREE_SCALAR && !resolve_failed(node))
        option_secret(node->text);
    if (!option_scalar(reader, node, row->type == OPTION_WORD ? "one word" : "a text"))
        return false;
    option_excerpt(node, excerpt);
    if (!node->text.size) {
        option_mistake(reader, node, "%s is empty", node->written.data ? excerpt : "the value");
        return false;
    }
    if (row->choices && choice_index(row->choices, node->text) < 0) {
        char hint[OPTION_HINT_MAX];

        if (choice_index(row->later, node->text) >= 0) {
            option_mistake(reader, node, "%s comes with a later release%s%s", excerpt, row->later_answer ? "; " : "",
                           row->later_answer ? row->later_answer : "");
            return false;
        }
        buffer_init(&choices, 0);
        choices_print(row->choices, &choices);
        option_mistake(reader, node, "%s is not known; it must be %s%s", excerpt, buffer_text(&choices),
                       choice_hint(row->choices, node->text, hint));
        buffer_release(&choices);
        return false;
    }
    if (row->check && !row->check(node->text, &error)) {
        if (secret || (node->written.data && error.kind == ERROR_CONFIG))
            option_mistake(reader, node, "%s is not usable here", secret ? "the value" : excerpt);
        else if (error.kind == ERROR_CONFIG)
            option_mistake(reader, node, "%s", error.text);
        else
            option_mistake(reader, node, "%s %s", excerpt, error.text);
        return false;
    }
    text = row->flags & OPTION_PATH ? path_join(reader->directory, node->text) : str_dup(node->text);
    if ((row->flags & OPTION_READABLE) && access(text, R_OK) != 0)
        option_mistake(reader, node, "the file %s cannot be read: %s", text, strerror(errno));
    text_store(reader, row, base, text);
    return true;
}

static bool choice_read(struct option_reader *reader, const struct option *row, void *base, const struct tree_node *node)
{
    struct option check = *row;
    int index = choice_index(row->choices, node->text);

    if (node->kind == TREE_SCALAR && index >= 0) {
        number_store(row, base, index);
        return true;
    }
    check.size = 0; /* for its message */
    return text_read(reader, &check, base, node);
}

static bool boolean_read(struct option_reader *reader, const struct option *row, void *base, const struct tree_node *node)
{
    char excerpt[OPTION_EXCERPT_MAX];
    bool value;

    if (!option_scalar(reader, node, "true or false"))
        return false;
    value = str_is(node->text, "true");
    if (!value && !str_is(node->text, "false")) {
        option_mistake(reader, node, "%s is neither true nor false", option_excerpt(node, excerpt));
        return false;
    }
    if (row->size) {
        assert(row->size == sizeof(bool));
        memcpy((char *)base + row->offset, &value, sizeof(value));
    }
    return true;
}

/* Two elements of a list with one name. */
static void unique_check(struct option_reader *reader, const struct option *row, const struct tree_node *list)
{
    for (const struct option *unique = row->rows; unique->type != OPTION_NONE; unique++) {
        if (!(unique->flags & OPTION_UNIQUE))
            continue;
        for (size_t i = 1; i < list->count; i++) {
            const struct tree_node *node = tree_get(list->items[i], unique->name);

            for (size_t j = 0; node && node->kind == TREE_SCALAR && node->text.size && j < i; j++) {
                const struct tree_node *other = tree_get(list->items[j], unique->name);

                if (other && other->kind == TREE_SCALAR && str_equal_ignore_case(node->text, other->text)) {
                    size_t mark = options_path_enter(reader, STR_NONE, i + 1), inner;

                    inner = options_path_enter(reader, str_of(unique->name), 0);
                    option_mistake(reader, node, "\"%.*s\" is taken already, on line %u", STR_ARG(node->text), other->at.line);
                    options_path_leave(reader, inner);
                    options_path_leave(reader, mark);
                    break;
                }
            }
        }
    }
}

enum { LIST_ITEMS_MAX = 1200 };

static bool list_read(struct option_reader *reader, const struct option *row, void *base, const struct tree_node *node)
{
    size_t count = node->kind == TREE_LIST ? node->count : 0, stored = 0;
    char *elements;

    if (node->kind != TREE_LIST) {
        option_mistake(reader, node, "must be a list: lines that begin with \"- \"");
        return false;
    }
    if (count > LIST_ITEMS_MAX) {
        option_mistake(reader, node, "has %zu entries; at most %d are possible", count, LIST_ITEMS_MAX);
        return false;
    }
    elements = owned_keep(reader->owned, xcalloc(count + 1, size_max(row->element_size, 1)));
    for (size_t i = 0; i < count; i++) {
        const struct tree_node *item = node->items[i];
        size_t mark = options_path_enter(reader, STR_NONE, i + 1);
        char *element = elements + stored * row->element_size;

        if (item->kind == TREE_MAP) {
            if (row->item_node_offset)
                memcpy(element + row->item_node_offset, &item, sizeof(item));
            if (row->item_at_offset)
                memcpy(element + row->item_at_offset, &item->at, sizeof(item->at));
            if (row->item_width_offset)
                memcpy(element + row->item_width_offset, &item->width, sizeof(item->width));
            options_read(reader, row->rows, element, item, item->at, item->width);
            stored++;
        } else {
            option_mistake(reader, item, "must be a map of \"key: value\" lines");
        }
        options_path_leave(reader, mark);
    }
    unique_check(reader, row, node);
    if (row->size) {
        memcpy((char *)base + row->offset, &elements, sizeof(elements));
        memcpy((char *)base + row->count_offset, &stored, sizeof(stored));
    }
    return true;
}

static bool value_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    int64_t number;

    switch (row->type) {
    case OPTION_TEXT:
    case OPTION_WORD:
        if (!text_read(reader, row, base, node))
            return false;
        node->quoted = true; /* a stage's module is to see a text as well: "007" and not 7 */
        return true;
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        if (!number_parse(reader, row, node, &number))
            return false;
        number_store(row, base, number);
        return true;
    case OPTION_BOOLEAN:
        return boolean_read(reader, row, base, node);
    case OPTION_CHOICE:
        return choice_read(reader, row, base, node);
    case OPTION_LIST:
        return list_read(reader, row, base, node);
    case OPTION_FREE:
        if (node->kind != TREE_MAP) {
            option_mistake(reader, node, "must be a map of \"key: value\" lines");
            return false;
        }
        if (row->size)
            memcpy((char *)base + row->offset, &node, sizeof(node));
        return true;
    default:
        return true;
    }
}

/* What stands where nothing usable was written. Required texts are empty then and never NULL. */
static void fallback_read(struct option_reader *reader, const struct option *row, void *base)
{
    struct tree_node node = {.kind = TREE_SCALAR, .width = 1};
    bool text = row->type == OPTION_TEXT || row->type == OPTION_WORD;

    if (row->type == OPTION_FREE && row->size) {
        memset((char *)base + row->offset, 0, row->size);
    } else if (row->fallback) {
        node.text = str_of(row->fallback);
        if (!value_read(reader, row, base, &node))
            assert(!"the default in an option table is not a value of its own option");
    } else if (text && (row->flags & OPTION_REQUIRED)) {
        text_store(reader, row, base, xstrdup(""));
    }
}

void option_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    bool group = row->type == OPTION_MAP || row->type == OPTION_LIST || row->type == OPTION_FREE;

    if (node && node->kind == TREE_SCALAR && tree_is_null(node) && group) { /* "metrics:" with all its lines commented out */
        if (row->flags & OPTION_REQUIRED)
            option_mistake(reader, node, "has nothing in it: %s", row->sentence);
        node = NULL;
    }
    if (row->type == OPTION_MAP) {
        bool quiet = reader->quiet;

        if (node && node->kind != TREE_MAP) {
            option_mistake(reader, node, "must be a map of \"key: value\" lines");
            node = NULL;
        }
        reader->quiet = quiet || !node;
        options_read(reader, row->rows, base, node, node ? node->at : (struct location){0}, node ? node->width : 1);
        reader->quiet = quiet;
    } else if (row->type == OPTION_CUSTOM) {
        row->read(reader, row, base, node);
    } else if (!node || !value_read(reader, row, base, node)) {
        fallback_read(reader, row, base);
    }
    if (row->at_offset && node)
        memcpy((char *)base + row->at_offset, &node->at, sizeof(node->at));
}

/* The table's row for a key; where several kinds have one of that name, the one of this kind, else any. */
static const struct option *row_find(const struct option *rows, struct str name, struct str kind)
{
    const struct option *found = NULL;

    for (; rows->type != OPTION_NONE; rows++) {
        if (!str_is(name, rows->name))
            continue;
        if (!rows->only || choice_index(rows->only, kind) >= 0)
            return rows;
        found = rows;
    }
    return found;
}

const struct option *options_selector(const struct option *rows)
{
    for (const struct option *row = rows; row->type != OPTION_NONE; row++)
        if ((row->flags & OPTION_SELECTS) || strcmp(row->name, "kind") == 0)
            return row;
    return NULL;
}

static const char *name_nearest(const struct option *rows, struct str key)
{
    const char *names[CHOICES_MAX];
    size_t count = 0;

    for (const struct option *row = rows; row->type != OPTION_NONE; row++)
        if (row->type != OPTION_FOREIGN && row->type != OPTION_LATER && count < CHOICES_MAX)
            names[count++] = row->name;
    return str_nearest(key, names, count);
}

/* Whether a key that is told to be wrong was meant for the row: then it is not told as missing besides. */
static bool is_misspelt(const struct option *rows, const struct option *row, const struct tree_node *map, struct str kind)
{
    char quoted[80];

    snprintf(quoted, sizeof(quoted), "\"%.70s\"", row->name);
    for (size_t i = 0; map && i < map->count; i++) {
        const struct option *found = row_find(rows, map->entries[i].key, kind);
        const char *nearest = found ? NULL : name_nearest(rows, map->entries[i].key);

        if ((nearest && strcmp(nearest, row->name) == 0) ||
            (found && found->type == OPTION_FOREIGN && strstr(found->sentence, quoted)))
            return true;
    }
    return false;
}

static void unknown_tell(struct option_reader *reader, const struct option *rows, const struct tree_entry *entry)
{
    const char *nearest = name_nearest(rows, entry->key);
    const struct option *row = rows;

    while (row->type != OPTION_NONE)
        row++;
    report_mistake(reader->report, entry->at, (unsigned)size_max(entry->key.size, 1), "unknown key \"%.*s\"%s%s%s%s%s%s%s",
                   STR_ARG(entry->key), reader->path.size ? " in " : "", reader->path.size ? buffer_text(&reader->path) : "",
                   nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "",
                   !nearest && row->sentence ? "; " : "", !nearest && row->sentence ? row->sentence : "");
}

void options_read(struct option_reader *reader, const struct option *rows, void *base, const struct tree_node *map,
                  struct location at, unsigned width)
{
    const struct option *kind_row = options_selector(rows);
    const struct tree_node *kind_node = kind_row ? tree_get(map, kind_row->name) : NULL;
    struct str kind = kind_node && kind_node->kind == TREE_SCALAR ? kind_node->text : STR_NONE;
    bool kind_known = !kind_row || choice_index(kind_row->choices, kind) >= 0;

    /* Keys are not judged where it is not known which there should be. */
    for (size_t i = 0; map && kind_known && i < map->count; i++) {
        const struct tree_entry *entry = &map->entries[i];
        const struct option *row = row_find(rows, entry->key, kind);
        unsigned key_width = (unsigned)size_max(entry->key.size, 1);

        if (!row)
            unknown_tell(reader, rows, entry);
        else if (row->type == OPTION_FOREIGN)
            report_mistake(reader->report, entry->at, key_width, "unknown key \"%s\"; %s", row->name, row->sentence);
        else if (row->type == OPTION_LATER)
            report_mistake(reader->report, entry->at, key_width, "\"%s\" comes with a later release; %s", row->name,
                           row->sentence);
        else if (row->only && choice_index(row->only, kind) < 0)
            report_mistake(reader->report, entry->at, key_width, "\"%s\" does not belong to %s %.*s", row->name, kind_row->name,
                           STR_ARG(kind));
    }
    for (const struct option *row = rows; row->type != OPTION_NONE; row++) {
        struct tree_node *node = tree_get(map, row->name);
        size_t mark;

        if (row->type == OPTION_FOREIGN || row->type == OPTION_LATER || (row->only && choice_index(row->only, kind) < 0))
            continue;
        if (!node && (row->flags & OPTION_REQUIRED) && !reader->quiet && !(kind_known && is_misspelt(rows, row, map, kind)))
            report_mistake(reader->report, at, width, "%s%s\"%s\" is missing: %s",
                           reader->path.size ? buffer_text(&reader->path) : "",
                           reader->path.size ? ": " : "", row->name, row->sentence);
        mark = options_path_enter(reader, str_of(row->name), 0);
        option_read(reader, row, base, node);
        options_path_leave(reader, mark);
    }
}
