/* resolve.c: walks the tree once; a value without "${" costs one search. What was resolved is not searched again, so that a
 * secret that happens to contain "${" stays what it is. */
#include "job/resolve.h"

#include <stdlib.h>

#include "expression/expression.h"
#include "util/file.h"

enum { FILE_BYTES_MAX = 64 << 10 };

/* What looks like a reference and stays as it is written. */
enum keep {
    KEEP_NOTHING,
    KEEP_STAGES, /* nothing, but below there may be what follows */
    KEEP_EXPRESSION,
    KEEP_VARIABLES, /* as in expressions: in the options of a Lua file, which may hold some */
    KEEP_TEMPLATE,  /* all but env and file: in what replaces a pattern's matches */
};

char *path_join(const char *directory, struct str path)
{
    if (strcmp(directory, ".") == 0 || (path.size && path.data[0] == '/'))
        return str_dup(path);
    return xasprintf("%s/%.*s", directory, STR_ARG(path));
}

static bool file_append(struct buffer *text, const char *path, struct error *error)
{
    struct buffer content;
    bool ok;

    buffer_init(&content, 0);
    ok = file_read(&content, path, FILE_BYTES_MAX, NULL, error);
    if (ok && content.size && (memchr(content.data, 0, content.size) || !str_is_utf8(buffer_str(&content))))
        ok = error_set(error, ERROR_CONFIG, "the file %s is no UTF-8 text", path);
    if (content.size && content.data[content.size - 1] == '\n')
        content.size--;
    if (content.size && content.data[content.size - 1] == '\r')
        content.size--;
    if (ok)
        buffer_append_str(text, buffer_str(&content));
    buffer_release(&content);
    return ok;
}

static bool reference_append(struct buffer *text, struct str reference, const char *directory, struct error *error)
{
    struct str kind, name;
    bool ok = false;
    char *copy;

    if (!str_cut(reference, ':', &kind, &name) || (!str_is(kind, "env") && !str_is(kind, "file")) || !name.size)
        return error_set(error, ERROR_CONFIG, "${%.*s} is not known; use ${env:NAME} or ${file:PATH}, and $${ for a plain ${",
                         STR_ARG(reference));
    if (str_is(kind, "env")) {
        const char *value;

        copy = str_dup(name);
        value = getenv(copy);
        if (!value)
            error_set(error, ERROR_CONFIG, "the environment variable %s is not set%s", copy,
                      strncmp(copy, "LUADUCT_DEMO_", 13) == 0 ? "; `luaduct demo JOB.yaml` sets it" : "");
        else if (!str_is_utf8(str_of(value)))
            error_set(error, ERROR_CONFIG, "the environment variable %s is no UTF-8 text", copy);
        else
            ok = true;
        if (ok)
            buffer_append_str(text, str_of(value));
    } else {
        copy = path_join(directory, name);
        ok = file_append(text, copy, error);
    }
    free(copy);
    return ok;
}

/* Cuts what comes next: *reference gets the inside of ${...}, or is absent, and *plain gets what stands for itself.
 * template: ${name} is a group of the rule's pattern and $$ a dollar sign, which the stage reads. */
static bool piece_cut(struct str *rest, bool template, struct str *plain, struct str *reference, struct error *error)
{
    size_t taken = 1;

    *reference = STR_NONE;
    *plain = str_make(rest->data, 1);
    if (template && str_starts_with(*rest, STR("$$"))) {
        *plain = str_make(rest->data, 2);
        taken = 2;
    } else if (template && !str_starts_with(*rest, STR("${env:")) && !str_starts_with(*rest, STR("${file:"))) {
        /* as it is */
    } else if (str_starts_with(*rest, STR("$${"))) {
        *plain = STR("${");
        taken = 3;
    } else if (str_starts_with(*rest, STR("${"))) {
        const char *end = memchr(rest->data, '}', rest->size);

        if (!end)
            return error_set(error, ERROR_CONFIG, "\"${\" has no closing \"}\"");
        taken = (size_t)(end - rest->data) + 1;
        *reference = str_make(rest->data + 2, taken - 3);
    }
    rest->data += taken;
    rest->size -= taken;
    return true;
}

/* The quote of an expression that stands open behind a character; a doubled one closes and opens it. */
static char quote_behind(char quote, char character)
{
    if (quote)
        return character == quote ? '\0' : quote;
    return character == '\'' || character == '"' || character == '`' ? character : '\0';
}

static bool text_resolve(struct str written, enum keep keep, const char *directory, struct buffer *text, struct error *error)
{
    bool variables = keep == KEEP_VARIABLES || keep == KEEP_EXPRESSION;
    struct str plain, reference;
    char quote = '\0';

    while (written.size) {
        if (!piece_cut(&written, keep == KEEP_TEMPLATE, &plain, &reference, error))
            return false;
        if (!reference.data) {
            buffer_append_str(text, plain);
            quote = quote_behind(quote, *plain.data);
            continue;
        }
        if (keep == KEEP_EXPRESSION && quote && expression_is_variable(reference))
            return error_set(error, ERROR_CONFIG,
                             "between quotes ${%.*s} is text and no variable; write it without them, as in 'a-' || ${%.*s}, or "
                             "$${ for a plain ${",
                             STR_ARG(reference), STR_ARG(reference));
        if (variables && expression_is_variable(reference))
            buffer_print(text, "${%.*s}", STR_ARG(reference));
        else if (variables && !memchr(reference.data, ':', reference.size))
            return error_set(error, ERROR_CONFIG,
                             "${%.*s} is not known; there are ${job}, ${topic}, ${execute_time} and ${now} in expressions, and "
                             "${env:NAME} and ${file:PATH}; write $${ for a plain ${",
                             STR_ARG(reference));
        else if (keep == KEEP_STAGES && expression_is_variable(reference))
            return error_set(error, ERROR_CONFIG,
                             "${%.*s} stands in expressions, and this is none; set a field by expression: ${%.*s} in a stage of "
                             "kind assign, or write $${ for a plain ${",
                             STR_ARG(reference), STR_ARG(reference));
        else if (!reference_append(text, reference, directory, error))
            return false;
    }
    return true;
}

bool resolve_text(struct str written, const char *directory, struct buffer *text, struct error *error)
{
    return text_resolve(written, KEEP_NOTHING, directory, text, error);
}

void resolve_files(struct str written, const char *directory, void (*found)(void *arg, const char *path), void *arg)
{
    struct str plain, reference;
    struct error error;

    while (written.size && piece_cut(&written, false, &plain, &reference, &error)) {
        char *path;

        if (!str_starts_with(reference, STR("file:")))
            continue;
        path = path_join(directory, str_make(reference.data + 5, reference.size - 5));
        found(arg, path);
        free(path);
    }
}

static void scalar_resolve(struct tree_node *node, enum keep keep, const char *directory, struct report *report)
{
    struct str rest = node->text;
    struct error error = {0};
    struct buffer text;

    if (!rest.size || !memmem(rest.data, rest.size, "${", 2))
        return;
    buffer_init(&text, 0);
    if (text_resolve(rest, keep, directory, &text, &error)) {
        if (str_equal(buffer_str(&text), node->text)) { /* nothing but what is kept */
            buffer_release(&text);
            return;
        }
        node->written = node->text;
        node->text.data = buffer_take(&text, &node->text.size);
    } else {
        report_mistake(report, node->at, node->width, "%s", error.text);
        node->written = str_make(xstrndup(node->text.data, node->text.size), node->text.size);
        buffer_release(&text);
    }
}

/* What a rule of kind replace puts in the place of a pattern's matches. */
static bool is_template(const struct tree_node *rule, struct str key)
{
    const struct tree_node *regex = str_is(key, "with") && tree_get(rule, "find") ? tree_get(rule, "regex") : NULL;

    return regex && regex->kind == TREE_SCALAR && str_is(regex->text, "true");
}

static enum keep keep_below(const struct tree_node *map, struct str key, enum keep keep)
{
    if (keep != KEEP_STAGES && keep != KEEP_VARIABLES)
        return keep;
    if (is_template(map, key))
        return KEEP_TEMPLATE;
    if (str_is(key, "options"))
        return KEEP_VARIABLES;
    return keep == KEEP_STAGES && (str_is(key, "condition") || str_is(key, "expression")) ? KEEP_EXPRESSION : keep;
}

static void node_resolve(struct tree_node *node, enum keep keep, const char *directory, struct report *report)
{
    if (node->kind == TREE_SCALAR)
        scalar_resolve(node, keep, directory, report);
    for (size_t i = 0; i < node->count; i++) {
        struct tree_node *child = node->kind == TREE_LIST ? node->items[i] : node->entries[i].value;
        enum keep below = node->kind == TREE_MAP ? keep_below(node, node->entries[i].key, keep) : keep;

        node_resolve(child, below, directory, report);
    }
}

void resolve_tree(struct tree_node *node, const char *directory, struct report *report)
{
    if (node->kind != TREE_MAP) {
        node_resolve(node, KEEP_NOTHING, directory, report);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        node_resolve(node->entries[i].value, str_is(node->entries[i].key, "stages") ? KEEP_STAGES : KEEP_NOTHING, directory,
                     report);
}
