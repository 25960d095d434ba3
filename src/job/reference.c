/* reference.c: the option tables as text. One walk for both forms, so that the terminal and config/reference.md say the same. */
#include "job/kafka_properties.h"
#include "job/tables.h"

#include <stdlib.h>

static const char *type_name(const struct option *row)
{
    switch (row->type) {
    case OPTION_INTEGER:
        return "whole number";
    case OPTION_DURATION:
        return "duration (ms, s, m, h)";
    case OPTION_SIZE:
        return "size (B, KiB, MiB, GiB, kB, MB, GB)";
    case OPTION_BOOLEAN:
        return "true or false";
    case OPTION_MAP:
    case OPTION_FREE:
        return "map";
    case OPTION_LIST:
        return "list of maps";
    default:
        return "text";
    }
}

/* "|" parts the cells of a Markdown table. */
static void cell_print(struct buffer *text, const char *cell, bool markdown)
{
    for (const char *p = cell; *p; p++) {
        if (markdown && *p == '|')
            buffer_append_char(text, '\\');
        buffer_append_char(text, *p);
    }
}

static void choices_print(struct buffer *text, const char *choices)
{
    for (const char *p = choices; *p; p++) {
        if (*p == '|')
            buffer_append_str(text, STR(", "));
        else
            buffer_append_char(text, *p);
    }
}

static void value_print(struct buffer *text, const struct option *row)
{
    char minimum[OPTION_NUMBER_MAX], maximum[OPTION_NUMBER_MAX];
    bool number = row->type == OPTION_INTEGER || row->type == OPTION_DURATION || row->type == OPTION_SIZE;

    if (row->form)
        buffer_print(text, "%s", row->form);
    else if (row->choices)
        choices_print(text, row->choices);
    else
        buffer_print(text, "%s", type_name(row));
    if (number && row->maximum < INT64_MAX)
        buffer_print(text, ", %s to %s", option_number_print(row->type, row->minimum, minimum),
                     option_number_print(row->type, row->maximum, maximum));
    else if (number)
        buffer_print(text, ", %s or more", option_number_print(row->type, row->minimum, minimum));
    if (row->flags & OPTION_UNLIMITED)
        buffer_append_str(text, STR(", or unlimited"));
    if (row->later) {
        buffer_append_str(text, STR(" (later: "));
        choices_print(text, row->later);
        buffer_append_char(text, ')');
    }
    if (row->flags & OPTION_SECRET)
        buffer_append_str(text, STR("; secret"));
}

/* "Kind json: " */
static void only_print(struct buffer *text, const struct option *row, const char *selector)
{
    if (!row->only)
        return;
    buffer_append_char(text, (char)(selector[0] - 'a' + 'A'));
    buffer_print(text, "%s ", selector + 1);
    choices_print(text, row->only);
    buffer_append_str(text, STR(": "));
}

static void row_print(struct buffer *text, const struct option *row, const char *selector, const char *path, bool markdown)
{
    struct buffer value;

    buffer_init(&value, 0);
    value_print(&value, row);
    if (markdown) {
        buffer_print(text, "| `%s` | ", path);
        cell_print(text, buffer_text(&value), true);
        buffer_print(text, " | %s%s%s | ", row->flags & OPTION_REQUIRED ? "required" : row->fallback ? "`" : "",
                     row->flags & OPTION_REQUIRED || !row->fallback ? "" : row->fallback,
                     row->flags & OPTION_REQUIRED || !row->fallback ? "" : "`");
        only_print(text, row, selector);
        cell_print(text, row->sentence, true);
        buffer_append_str(text, STR(" |\n"));
    } else {
        buffer_print(text, "%s  (%s%s%s)\n    ", path, buffer_text(&value),
                     row->flags & OPTION_REQUIRED ? "; required" : row->fallback ? "; default " : "",
                     row->flags & OPTION_REQUIRED || !row->fallback ? "" : row->fallback);
        only_print(text, row, selector);
        buffer_print(text, "%s\n", row->sentence);
    }
    buffer_release(&value);
}

/* answers false: the options; true: the names that only have an answer. */
static void rows_print(struct buffer *text, const struct option *rows, const char *prefix, bool answers, bool markdown)
{
    const struct option *selector = options_selector(rows);

    for (const struct option *row = rows; row->type != OPTION_NONE; row++) {
        bool answer = row->type == OPTION_FOREIGN || row->type == OPTION_LATER;
        char *path = xasprintf("%s%s", prefix, row->name);
        char *inner = xasprintf("%s%s", path, row->type == OPTION_LIST ? "[]." : row->type == OPTION_FREE ? ".NAME." : ".");

        if (!answer && !answers) {
            row_print(text, row, selector ? selector->name : NULL, path, markdown);
        } else if (answer && answers) {
            const char *later = row->type == OPTION_LATER ? "comes with a later release; " : "";

            if (markdown)
                buffer_print(text, "| `%s` | %s%s |\n", path, later, row->sentence);
            else
                buffer_print(text, "%s: %s%s\n", path, later, row->sentence);
        }
        if (row->rows)
            rows_print(text, row->rows, inner, answers, markdown);
        free(inner);
        free(path);
    }
}

static void section_print(struct buffer *text, const char *title, const char *left, const char *right, bool markdown)
{
    buffer_print(text, "\n%s%s\n\n", markdown ? "## " : "", title);
    if (markdown && right)
        buffer_print(text, "| %s | %s |\n|---|---|\n", left, right);
    else if (markdown)
        buffer_append_str(text, STR("| option | value | default | meaning |\n|---|---|---|---|\n"));
}

void job_print_reference(struct buffer *text, bool markdown)
{
    const char *name, *answer;

    buffer_print(text, "%sThe options of a job\n\n", markdown ? "# " : "");
    buffer_append_str(text, STR("A job is a YAML file; the Kafka clusters and MaxCompute projects that it names are in a file "
                                "of data sources beside it.\n"
                                "Any value may hold ${env:NAME} or ${file:PATH}, which stand for an environment variable and "
                                "for a file's text without\n"
                                "its last line break ($${ is a plain ${). Numbers are taken whole, with their unit and within "
                                "their range, or refused.\n"
                                "Paths are relative to the file that they are in. Lists are marked with [].\n"));
    if (markdown)
        buffer_append_str(text, STR("This page is what `luaduct help config` prints.\n"));
    section_print(text, "The job file", NULL, NULL, markdown);
    rows_print(text, job_options, "", false, markdown);
    section_print(text, "The file of data sources", NULL, NULL, markdown);
    rows_print(text, datasources_options, "", false, markdown);
    section_print(text, "Properties of librdkafka that cannot be set", "property", "reason, or what to use", markdown);
    for (size_t i = 0; kafka_property_refusal_at(i, &name, &answer); i++) {
        const char *all = name[strlen(name) - 1] == '.' ? "*" : "";

        if (markdown)
            buffer_print(text, "| `%s%s` | %s |\n", name, all, answer);
        else
            buffer_print(text, "%s%s: %s\n", name, all, answer);
    }
    section_print(text, "Names that people try, and what to use", "name", "answer", markdown);
    rows_print(text, job_options, "", true, markdown);
    rows_print(text, datasources_options, "", true, markdown);
}
