/* yaml.c: libyaml's events to a tree.
 * Method: events instead of libyaml's documents, for documents resolve aliases and forget where scalars end. Recursion follows
 * the nesting, which is bounded. libyaml counts columns in characters, as locations do.
 * Cost: one pass; duplicate keys are found by comparing with the keys before, which the bound on keys a map keeps cheap. */
#include "job/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

enum {
    FILE_BYTES_MAX = 4 << 20,
    DEPTH_MAX = 32,
    KEYS_MAX = 4096,
};

/* A place in the text, in lines and columns of ours and of libyaml, from 0. */
struct cursor {
    size_t at, yaml_line, yaml_column;
    unsigned line, column;
};

/* The bytes of the end of a line, as libyaml sees it, at the beginning of the text; 0: there is none. */
static size_t line_end(struct str text)
{
    static const struct str ends[] = {STR("\r\n"),     STR("\n"),           STR("\r"),
                                      STR("\xC2\x85"), STR("\xE2\x80\xA8"), STR("\xE2\x80\xA9")};

    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (str_starts_with(text, ends[i]))
            return ends[i].size;
    return 0;
}

struct reader {
    yaml_parser_t parser;
    struct report *report;
    const char *path;
    struct str text;
    struct cursor cursor; /* at the last mark that was asked for */
};

/* A line feed ends a line, as in editors and in the report. libyaml has more kinds of ends, and one behind a text without any:
 * the place of a mark is found by counting in both ways. Marks nearly always ascend, so that the text is walked once. */
static struct location mark_location(struct reader *reader, yaml_mark_t mark)
{
    struct cursor *cursor = &reader->cursor;

    if (mark.line < cursor->yaml_line || (mark.line == cursor->yaml_line && mark.column < cursor->yaml_column))
        *cursor = (struct cursor){.at = 0};
    while (cursor->at < reader->text.size && (cursor->yaml_line < mark.line || cursor->yaml_column < mark.column)) {
        struct str rest = str_make(reader->text.data + cursor->at, reader->text.size - cursor->at);
        size_t end = line_end(rest);

        if (end && cursor->yaml_line == mark.line)
            break; /* the mark is behind the end of its line */
        cursor->at += size_max(end, 1);
        while (cursor->at < reader->text.size && ((unsigned char)reader->text.data[cursor->at] & 0xC0) == 0x80)
            cursor->at++;
        cursor->yaml_line += end > 0;
        cursor->yaml_column = end ? 0 : cursor->yaml_column + 1;
        if (end && rest.data[end - 1] == '\n') {
            cursor->line++;
            cursor->column = 0;
        } else {
            cursor->column++;
        }
    }
    return (struct location){reader->path, cursor->line + 1, cursor->column + 1};
}

/* To the end of the first line for a value of several lines: the report cuts the width there. */
static unsigned mark_width(yaml_mark_t start, yaml_mark_t end)
{
    if (end.line != start.line)
        return 1000;
    return end.column > start.column ? (unsigned)(end.column - start.column) : 1;
}

static bool file_read(struct buffer *text, const char *path, struct report *report)
{
    struct location at = {path, 0, 0};
    struct stat status;
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &status) != 0) {
        report_mistake(report, at, 1, "the file cannot be read: %s", strerror(errno));
        goto out;
    }
    if (!S_ISREG(status.st_mode)) {
        report_mistake(report, at, 1, "this is no regular file");
        goto out;
    }
    for (;;) {
        ssize_t size;

        if (!buffer_reserve(text, 65536)) {
            report_mistake(report, at, 1, "the file is larger than %d MiB", FILE_BYTES_MAX >> 20);
            goto out;
        }
        size = read(fd, text->data + text->size, 65536);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            report_mistake(report, at, 1, "the file cannot be read: %s", strerror(errno));
            goto out;
        }
        if (size == 0)
            break;
        text->size += (size_t)size;
    }
    if (text->size > FILE_BYTES_MAX) {
        report_mistake(report, at, 1, "the file is larger than %d MiB", FILE_BYTES_MAX >> 20);
        goto out;
    }
    ok = true;
out:
    if (fd >= 0)
        close(fd);
    return ok;
}

/* libyaml names no place for bytes that are not UTF-8, so they are looked for first. */
static bool utf8_check(struct str text, const char *path, struct report *report)
{
    struct location at = {path, 1, 1};

    if (str_is_utf8(text))
        return true;
    for (struct str rest = text; rest.data; at.line++) {
        struct str line;

        str_cut(rest, '\n', &line, &rest);
        if (str_is_utf8(line))
            continue;
        while (line.size) {
            size_t size = 1;

            while (size < 4 && size <= line.size && !str_is_utf8(str_make(line.data, size)))
                size++;
            if (size > line.size || !str_is_utf8(str_make(line.data, size)))
                break;
            line.data += size;
            line.size -= size;
            at.column++;
        }
        break;
    }
    report_mistake(report, at, 1, "this is not UTF-8 text; save the file as UTF-8");
    return false;
}

static bool event_next(struct reader *reader, yaml_event_t *event)
{
    const yaml_parser_t *parser = &reader->parser;
    struct location at;
    const char *problem;

    if (yaml_parser_parse(&reader->parser, event))
        return true;
    memset(event, 0, sizeof(*event));
    problem = parser->problem ? parser->problem : "this is not YAML";
    at = mark_location(reader, parser->problem_mark);
    if (parser->error == YAML_READER_ERROR) {
        /* The mark is not set then, only the offset; the bytes are UTF-8, so it is a control character. */
        at = (struct location){reader->path, 1, 1};
        for (size_t i = 0; i < reader->text.size && i < parser->problem_offset; i++) {
            unsigned char c = (unsigned char)reader->text.data[i];

            if (c == '\n')
                at.line++, at.column = 1;
            else
                at.column += (c & 0xC0) != 0x80;
        }
        problem = "a control character is not allowed here";
    } else if (strstr(problem, "cannot start any token") && parser->problem_mark.index < reader->text.size) {
        problem = "this character cannot begin a value; put the value into quotes (and indent with blanks, never with tabs)";
    } else if (strstr(problem, "could not find expected ':'")) {
        problem = "a key needs a colon and a blank after it";
    } else if (strstr(problem, "mapping values are not allowed")) {
        problem = "a value with a colon and a blank in it needs quotes, or this line is indented too far";
    } else if (strstr(problem, "did not find expected key")) {
        problem = "this line is indented in a way that fits no map above it, or a quote before it is not closed";
    } else if (strstr(problem, "expected '-' indicator")) {
        problem = "this line is indented in a way that fits no list above it; put it in line with its neighbours";
    } else if (strstr(problem, "expected ',' or")) {
        problem = "a comma or the closing bracket is missing here; "
                  "inside { } and [ ] a value with one of {}[], in it needs quotes";
    } else if (strstr(problem, "found a tab character")) {
        problem = "this line is indented with a tab; use blanks";
    } else if (strstr(problem, "unexpected end of stream")) {
        problem = "the file ends inside a text in quotes; close the quote";
    }
    if (parser->context && parser->context_mark.line + 1 < at.line)
        report_mistake(reader->report, at, 1, "%s (what is being read begins on line %zu)", problem,
                       parser->context_mark.line + 1);
    else
        report_mistake(reader->report, at, 1, "%s", problem);
    return false;
}

/* What a job file may not use, whatever the kind of the value. */
static bool event_plain(struct reader *reader, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    struct location at = mark_location(reader, event->start_mark);
    unsigned width = mark_width(event->start_mark, event->end_mark);

    if (event->type == YAML_ALIAS_EVENT) {
        report_mistake(reader->report, at, width, "aliases (*name) are not supported; write the value out");
        return false;
    }
    if (event->type == YAML_SCALAR_EVENT)
        anchor = event->data.scalar.anchor, tag = event->data.scalar.tag;
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        anchor = event->data.sequence_start.anchor, tag = event->data.sequence_start.tag;
    else if (event->type == YAML_MAPPING_START_EVENT)
        anchor = event->data.mapping_start.anchor, tag = event->data.mapping_start.tag;
    if (anchor)
        report_mistake(reader->report, at, width, "anchors (&name) are not supported; write the value out where it is used");
    else if (tag)
        report_mistake(reader->report, at, width, "tags (!type) are not supported; the option says which type its value has");
    return !anchor && !tag;
}

static struct tree_node *node_read(struct reader *reader, yaml_event_t *event, unsigned depth);

static struct tree_node *node_new(enum tree_kind kind, struct location at, unsigned width)
{
    struct tree_node *node = xcalloc(1, sizeof(*node));

    node->kind = kind;
    node->at = at;
    node->width = width;
    return node;
}

/* A copy that is also zero-terminated, which none of the readers needs but a debugger likes. */
static bool text_take(struct reader *reader, const yaml_event_t *event, struct str *text_out)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;

    if (memchr(text, 0, size)) {
        report_mistake(reader->report, mark_location(reader, event->start_mark), mark_width(event->start_mark, event->end_mark),
                       "a zero byte is not allowed in a value");
        return false;
    }
    *text_out = str_make(xstrndup(text, size), size);
    return true;
}

/* What stands in the file for the text, if it is not the same; the mark of its beginning was the last one. */
static struct str raw_take(struct reader *reader, const yaml_event_t *event, struct str text)
{
    size_t from = reader->cursor.at, to;
    struct str raw;

    (void)mark_location(reader, event->end_mark);
    to = reader->cursor.at;
    raw = str_make(reader->text.data + from, to > from ? to - from : 0);
    return str_equal(raw, text) ? STR_NONE : str_make(xstrndup(raw.data, raw.size), raw.size);
}

static bool list_read(struct reader *reader, struct tree_node *list, unsigned depth)
{
    size_t capacity = 0;

    for (;;) {
        struct tree_node *item;
        yaml_event_t event;
        bool end;

        if (!event_next(reader, &event))
            return false;
        end = event.type == YAML_SEQUENCE_END_EVENT;
        item = end ? NULL : node_read(reader, &event, depth);
        yaml_event_delete(&event);
        if (end)
            return true;
        if (!item)
            return false;
        XGROW(list->items, list->count, capacity);
        list->items[list->count++] = item;
    }
}

/* False when reading cannot go on. A key that occurs twice is told and left out, and reading goes on. */
static bool entry_read(struct reader *reader, struct tree_node *map, size_t *capacity, yaml_event_t *key, unsigned depth)
{
    struct location at = mark_location(reader, key->start_mark);
    unsigned width = mark_width(key->start_mark, key->end_mark);
    const struct tree_entry *before = NULL;
    struct tree_node *value;
    yaml_event_t event;
    struct str name;

    if (!event_plain(reader, key))
        return false;
    if (key->type != YAML_SCALAR_EVENT) {
        report_mistake(reader->report, at, 1, "a key must be a text, not a list or a map (a text that begins with { or [ needs "
                                              "quotes)");
        return false;
    }
    if (!text_take(reader, key, &name))
        return false;
    value = NULL;
    if (event_next(reader, &event)) {
        value = node_read(reader, &event, depth);
        yaml_event_delete(&event);
    }
    if (!value) {
        free((char *)name.data);
        return false;
    }
    if (value->kind == TREE_SCALAR && !value->quoted && !value->text.size) { /* nothing to point at but the key */
        value->at = at;
        value->width = width;
    }
    for (size_t i = 0; i < map->count && !before; i++)
        if (str_equal(map->entries[i].key, name))
            before = &map->entries[i];
    if (before || map->count >= KEYS_MAX) {
        if (before)
            report_mistake(reader->report, at, width, "the key \"%.*s\" occurs twice in this map; the first one is on line %u",
                           STR_ARG(name), before->at.line);
        else
            report_mistake(reader->report, at, width, "a map may have at most %d keys", KEYS_MAX);
        free((char *)name.data);
        tree_free(value);
        return before != NULL;
    }
    XGROW(map->entries, map->count, *capacity);
    map->entries[map->count++] = (struct tree_entry){name, at, value};
    return true;
}

static bool map_read(struct reader *reader, struct tree_node *map, unsigned depth)
{
    size_t capacity = 0;

    for (;;) {
        yaml_event_t event;
        bool end, ok;

        if (!event_next(reader, &event))
            return false;
        if (map->count == 0)
            map->width = mark_width(event.start_mark, event.end_mark);
        end = event.type == YAML_MAPPING_END_EVENT;
        ok = end || entry_read(reader, map, &capacity, &event, depth);
        yaml_event_delete(&event);
        if (end || !ok)
            return ok;
    }
}

/* NULL when reading cannot go on. */
static struct tree_node *node_read(struct reader *reader, yaml_event_t *event, unsigned depth)
{
    struct location at = mark_location(reader, event->start_mark);
    struct tree_node *node = NULL;
    bool ok = false;

    if (!event_plain(reader, event))
        return NULL;
    if (depth >= DEPTH_MAX && event->type != YAML_SCALAR_EVENT) {
        report_mistake(reader->report, at, 1, "lists and maps may be nested %d levels deep at most", DEPTH_MAX);
        return NULL;
    }
    if (event->type == YAML_SCALAR_EVENT) {
        node = node_new(TREE_SCALAR, at, mark_width(event->start_mark, event->end_mark));
        node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        ok = text_take(reader, event, &node->text);
        if (ok)
            node->raw = raw_take(reader, event, node->text);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        node = node_new(TREE_LIST, at, 1);
        ok = list_read(reader, node, depth + 1);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        node = node_new(TREE_MAP, at, 1);
        ok = map_read(reader, node, depth + 1);
    }
    if (!ok) {
        tree_free(node);
        node = NULL;
    }
    return node;
}

/* The events of the stream around the one value that a file holds. */
static struct tree_node *document_read(struct reader *reader)
{
    struct tree_node *root = NULL;
    unsigned documents = 0;

    for (;;) {
        yaml_event_t event;
        enum yaml_event_type_e type;

        if (!event_next(reader, &event))
            break;
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && ++documents == 2) {
            report_mistake(reader->report, mark_location(reader, event.start_mark), 3,
                           "a file holds one document; remove what follows \"---\"");
            yaml_event_delete(&event);
            break;
        }
        if (type == YAML_STREAM_END_EVENT && !documents)
            report_mistake(reader->report, (struct location){reader->path, 0, 0}, 1, "the file is empty");
        if (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT ||
            type == YAML_ALIAS_EVENT) {
            root = node_read(reader, &event, 0);
            if (!root)
                type = YAML_STREAM_END_EVENT;
        }
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            break;
    }
    if (root && root->kind != TREE_MAP) {
        report_mistake(reader->report, root->at, root->width, "the file must be a map of \"key: value\" lines");
        tree_free(root);
        root = NULL;
    }
    return root;
}

bool yaml_read(struct tree_node **root_out, const char *path, struct report *report)
{
    struct reader reader = {.report = report, .path = path};
    unsigned mistakes = report_mistakes(report);
    struct buffer text;

    *root_out = NULL;
    buffer_init(&text, FILE_BYTES_MAX + 2 * 65536);
    if (!file_read(&text, path, report))
        goto out;
    reader.text = buffer_str(&text);
    if (str_starts_with(reader.text, STR("\xEF\xBB\xBF"))) /* libyaml would count the byte order mark as a column */
        reader.text = str_make(reader.text.data + 3, reader.text.size - 3);
    if (!utf8_check(reader.text, path, report))
        goto out;
    if (!yaml_parser_initialize(&reader.parser)) {
        report_mistake(report, (struct location){path, 0, 0}, 1, "there is no memory to read the file");
        goto out;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)reader.text.data, reader.text.size);
    *root_out = document_read(&reader);
    yaml_parser_delete(&reader.parser);
out:
    buffer_release(&text);
    return *root_out && report_mistakes(report) == mistakes;
}
