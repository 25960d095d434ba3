/* json_path.c: one pass from left to right over the path's text; keys are unescaped into one block no larger than the text. */
#include "batch/kernels/json_path.h"

#include <stdio.h>
#include <stdlib.h>

struct parser {
    struct str text;
    size_t at;
    char *keys; /* where the next key's bytes go */
    struct error *error;
};

static bool broken(const struct parser *parser, const char *why)
{
    size_t characters = 1; /* people count characters, not bytes */

    for (size_t i = 0; i < parser->at && i < parser->text.size; i++)
        characters += ((unsigned char)parser->text.data[i] & 0xC0) != 0x80;
    return error_set(parser->error, ERROR_CONFIG, "path \"%.*s\" breaks at character %zu: %s", STR_ARG(parser->text),
                     characters, why);
}

/* The byte at the parser's place, or 0 behind the end (a zero byte itself is never part of a valid path outside of quotes). */
static unsigned char peek(const struct parser *parser)
{
    return parser->at < parser->text.size ? (unsigned char)parser->text.data[parser->at] : 0;
}

static bool is_name(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '$' ||
           c == '@' || c >= 0x80;
}

static bool parse_name(struct parser *parser, struct json_step *step)
{
    char *start = parser->keys;

    while (is_name(peek(parser)))
        *parser->keys++ = parser->text.data[parser->at++];
    if (parser->keys == start && peek(parser) == '*')
        return broken(parser, "a * stands only in brackets and only for the elements of an array: [*]");
    if (parser->keys == start)
        return broken(parser, "a name must follow the point; write names with other characters as ['odd name']");
    *step = (struct json_step){.kind = JSON_STEP_KEY, .key = str_make(start, (size_t)(parser->keys - start))};
    return true;
}

static bool parse_quoted(struct parser *parser, struct json_step *step)
{
    char *start = parser->keys;
    unsigned char quote = peek(parser);

    parser->at++;
    while (parser->at < parser->text.size && peek(parser) != quote) {
        if (peek(parser) == '\\') {
            parser->at++;
            if (parser->at >= parser->text.size || !strchr("'\"\\", peek(parser)) || !peek(parser))
                return broken(parser, "after a backslash only ', \" or another backslash may stand");
        }
        *parser->keys++ = parser->text.data[parser->at++];
    }
    if (parser->at >= parser->text.size)
        return broken(parser, "the quoted name does not end");
    parser->at++;
    *step = (struct json_step){.kind = JSON_STEP_KEY, .key = str_make(start, (size_t)(parser->keys - start))};
    return true;
}

static bool parse_index(struct parser *parser, struct json_step *step)
{
    uint32_t index = 0;

    while (peek(parser) >= '0' && peek(parser) <= '9') {
        index = index * 10 + (peek(parser) - '0');
        if (index > 99999999)
            return broken(parser, "the index is too large");
        parser->at++;
    }
    *step = (struct json_step){.kind = JSON_STEP_INDEX, .index = index};
    return true;
}

static bool parse_bracket(struct parser *parser, struct json_step *step)
{
    unsigned char c = peek(parser);

    if (c == '\'' || c == '"') {
        if (!parse_quoted(parser, step))
            return false;
    } else if (c >= '0' && c <= '9') {
        if (!parse_index(parser, step))
            return false;
    } else if (c == '*') {
        *step = (struct json_step){.kind = JSON_STEP_EACH};
        parser->at++;
    } else if (c == '-') {
        return broken(parser, "an index counts from 0 at the front; there are no negative ones");
    } else {
        return broken(parser, "in brackets stands an index, a quoted name or *");
    }
    if (peek(parser) != ']')
        return broken(parser, "a closing bracket is missing");
    parser->at++;
    return true;
}

bool json_path_parse(struct json_path **path_out, struct str text, size_t *wrong_at, struct error *error)
{
    bool ok = false;
    struct json_path *path = xcalloc(1, sizeof(*path));
    struct parser parser = {.text = text, .error = error};

    path->steps = xcalloc(JSON_PATH_STEPS_MAX, sizeof(*path->steps));
    path->keys = parser.keys = xmalloc(text.size + 1);
    if (!str_is_utf8(text)) {
        error_set(error, ERROR_CONFIG, "a path is not UTF-8 text");
        goto out;
    }
    if (peek(&parser) != '$' && peek(&parser) != '@') {
        (void)broken(&parser, "a path starts with $, the document, or with @, the element of an expanded array");
        goto out;
    }
    path->element = peek(&parser) == '@';
    parser.at++;
    while (parser.at < text.size) {
        struct json_step *step = &path->steps[path->step_count];
        unsigned char c = peek(&parser);

        if (path->step_count == JSON_PATH_STEPS_MAX) {
            (void)broken(&parser, "a path has at most 64 steps");
            goto out;
        }
        if (c != '.' && c != '[') {
            (void)broken(&parser, "a step starts with a point or a bracket; write names with other characters as ['odd name']");
            goto out;
        }
        parser.at++;
        if (!(c == '.' ? parse_name(&parser, step) : parse_bracket(&parser, step)))
            goto out;
        path->step_count++;
    }
    *path_out = path;
    path = NULL;
    ok = true;
out:
    *wrong_at = parser.at;
    json_path_free(path);
    return ok;
}

void json_path_free(struct json_path *path)
{
    if (!path)
        return;
    free(path->steps);
    free(path->keys);
    free(path);
}
