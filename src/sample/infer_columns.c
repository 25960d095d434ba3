/* infer_columns.c: from counts to types, names and comments, and how they are written. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "job/checks.h"
#include "sample/infer.h"
#include "sample/infer_internal.h"

enum { NAME_BYTES_MAX = 100, COMMENT_COLUMN_MAX = 76, SCALE_MAX = 18, TYPE_TEXT_MAX = TYPE_NAME_MAX };

struct proposal {
    const struct infer_node *node;
    char *name, *path;
    struct type type;
    struct buffer comment;
};

struct proposals {
    struct infer *infer;
    const struct infer_options *options;
    size_t records; /* objects, or elements */
    struct proposal *list;
    size_t count, capacity;
    size_t left_out; /* beyond INFER_COLUMNS_MAX */
    size_t no_path;  /* keys that YAML cannot hold */
    bool keys_left;  /* of the document itself */
};

/* --- names and paths --- */

static bool is_word_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit((char)c) || c == '_';
}

static bool name_taken(const struct proposals *proposals, const char *name)
{
    for (size_t i = 0; i < proposals->count; i++)
        if (str_equal_ignore_case(str_of(proposals->list[i].name), str_of(name)))
            return true;
    return false;
}

/* Letters, digits and _, none of these two at the front; no name that is there already, whatever the case. */
static char *name_make(const struct proposals *proposals, const char *prefix, struct str key)
{
    struct buffer text;
    char *name;
    size_t begin = 0, size;

    buffer_init(&text, 0);
    buffer_print(&text, "%s%s", prefix, *prefix ? "_" : "");
    for (size_t i = 0; i < key.size; i++) {
        unsigned char c = (unsigned char)key.data[i];
        char last = text.size ? text.data[text.size - 1] : '_';

        if (is_word_char(c))
            buffer_append_char(&text, (char)c);
        else if (last != '_')
            buffer_append_char(&text, '_');
    }
    while (text.size && text.data[text.size - 1] == '_')
        text.size--;
    while (begin < text.size && text.data[begin] == '_')
        begin++;
    size = size_min(text.size - begin, NAME_BYTES_MAX);
    if (!size)
        name = xstrdup("column");
    else
        name = xasprintf("%s%.*s", is_digit(text.data[begin]) ? "c_" : "", (int)size, text.data + begin);
    for (unsigned number = 2; name_taken(proposals, name); number++) {
        free(name);
        if (!size)
            name = xasprintf("column_%u", number);
        else
            name = xasprintf("%s%.*s_%u", is_digit(text.data[begin]) ? "c_" : "", (int)size, text.data + begin, number);
    }
    buffer_release(&text);
    return name;
}

static char *path_make(const char *prefix, struct str key)
{
    struct buffer text;
    bool plain = key.size > 0;

    for (size_t i = 0; i < key.size; i++)
        plain &= is_word_char((unsigned char)key.data[i]) || key.data[i] == '-' || key.data[i] == '$';
    buffer_init(&text, 0);
    buffer_append_str(&text, str_of(prefix));
    buffer_append_str(&text, plain ? STR(".") : STR("['"));
    for (size_t i = 0; i < key.size; i++) {
        if (!plain && (key.data[i] == '\'' || key.data[i] == '\\'))
            buffer_append_char(&text, '\\');
        buffer_append_char(&text, key.data[i]);
    }
    buffer_append_str(&text, plain ? STR("") : STR("']"));
    return buffer_take(&text, NULL);
}

/* --- types --- */

static bool decimal_for(size_t digits, size_t scale, struct type *type_out)
{
    size_t roomy = scale == 0 ? 0 : scale <= 2 ? 2 : scale + (scale & 1);

    if (roomy > SCALE_MAX || digits + roomy > DECIMAL_DIGITS_MAX)
        roomy = scale;
    if (roomy > SCALE_MAX || digits + roomy > DECIMAL_DIGITS_MAX)
        return false;
    *type_out = type_decimal(digits + 2 + roomy <= 18 ? 18 : 38, (uint8_t)roomy);
    return true;
}

static void say(struct proposal *proposal, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct proposal *proposal, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    if (text)
        buffer_print(&proposal->comment, "%s%s", proposal->comment.size ? "; " : "", text);
    free(text);
}

static void say_conflict(struct proposal *proposal)
{
    const struct infer_node *node = proposal->node;
    const struct {
        size_t count;
        const char *one, *many;
    } kinds[] = {
        {node->texts, "a text", "texts"},
        {node->whole + node->huge + node->points + node->exponents, "a number", "numbers"},
        {node->booleans, "a boolean", "booleans"},
        {node->objects, "an object", "objects"},
        {node->arrays, "an array", "arrays"},
    };
    struct buffer text;

    buffer_init(&text, 0);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].count)
            buffer_print(&text, "%s%zu %s", text.size ? ", " : "", kinds[i].count,
                         kinds[i].count == 1 ? strchr(kinds[i].one, ' ') + 1 : kinds[i].many);
    say(proposal, "of different kinds: %s", buffer_text(&text));
    buffer_release(&text);
}

static void say_epoch(struct proposal *proposal)
{
    const struct infer_node *node = proposal->node;
    /* 2001 to 2128 in milliseconds, 2001 to 2065 in seconds. */
    bool milliseconds = node->least >= INT64_C(1000000000000) && node->most < INT64_C(5000000000000);
    bool seconds = node->least >= 1000000000 && node->most < 3000000000;
    char shown[TIME_TEXT_MAX];
    struct instant instant = {.seconds = milliseconds ? node->least / 1000 : node->least};

    if (!milliseconds && !seconds)
        return;
    say(proposal, "%s since 1970? %.*sZ", milliseconds ? "milliseconds" : "seconds", (int)time_print(instant, shown), shown);
}

/* One wrong text in ten, and the column is of texts; a person may want the type and have the others as dirty rows. */
static void say_nearly(struct proposal *proposal, size_t filled)
{
    const struct infer_node *node = proposal->node;
    const struct {
        size_t count;
        const char *name;
    } kinds[] = {
        {node->dates, "dates"},
        {node->instants, "times with an offset"},
        {node->locals, "times without an offset"},
        {node->number_texts, "numbers"},
    };

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].count < filled && kinds[i].count * 10 >= filled * 9)
            say(proposal, "%zu of %zu are %s; with such a type the others would be dirty", kinds[i].count, filled, kinds[i].name);
}

static struct type texts_type(struct proposal *proposal, bool has_zone)
{
    const struct infer_node *node = proposal->node;
    size_t filled = node->texts - node->empty;
    struct type type;

    if (!filled) {
        say(proposal, "always empty");
        return TYPE_OF(TYPE_STRING);
    }
    if (node->empty &&
        (node->dates == filled || node->instants == filled || node->locals == filled || node->number_texts == filled)) {
        say(proposal, "%s but for %zu empty text%s, which no other type takes", node->number_texts ? "numbers" : "times",
            node->empty, node->empty == 1 ? "" : "s");
        return TYPE_OF(TYPE_STRING);
    }
    if (node->dates == filled)
        return TYPE_OF(TYPE_DATE);
    if (node->instants == filled && !node->odd_time)
        return TYPE_OF(TYPE_TIMESTAMP);
    if (node->locals == filled && !node->odd_time && has_zone)
        return TYPE_OF(node->fine ? TYPE_TIMESTAMP : TYPE_DATETIME);
    if (node->locals == filled)
        say(proposal, "times without an offset: datetime or timestamp where the job has a time_zone, else timestamp_ntz");
    if (node->number_texts == filled && node->text_scale && !node->text_scale_differs &&
        decimal_for(node->text_digits, node->text_scale, &type)) {
        say(proposal, "decimals as texts");
        return type;
    }
    if (node->number_texts == filled)
        say(proposal, "numbers as texts: decimal(p,s) takes them, when they are amounts and no codes");
    say_nearly(proposal, filled);
    return TYPE_OF(TYPE_STRING);
}

static struct type numbers_type(struct proposal *proposal)
{
    const struct infer_node *node = proposal->node;
    size_t texts = node->texts;
    struct type type;

    if (!node->huge && !node->points && !node->exponents && !texts) {
        say_epoch(proposal);
        return TYPE_OF(TYPE_BIGINT);
    }
    if (!node->exponents &&
        decimal_for(size_max(node->digits, node->text_digits), size_max(node->scale, node->text_scale), &type)) {
        if (node->huge)
            say(proposal, "%zu beyond 64 bits", node->huge);
        if (texts)
            say(proposal, "%zu of %zu are texts, which a decimal takes as well", texts, node->present - node->nulls);
        return type;
    }
    if (!node->no_double && !texts) {
        if (!node->exponents)
            say(proposal, "more digits than a decimal has; json keeps them all");
        return TYPE_OF(TYPE_DOUBLE);
    }
    if (texts)
        say_conflict(proposal);
    else
        say(proposal, "numbers that neither a decimal nor a double can hold");
    return TYPE_OF(TYPE_JSON);
}

static struct type type_choose(struct proposal *proposal, bool has_zone)
{
    const struct infer_node *node = proposal->node;
    size_t numbers = node->whole + node->huge + node->points + node->exponents;
    unsigned kinds = (node->booleans > 0) + (numbers > 0) + (node->texts > 0) + (node->arrays > 0) + (node->objects > 0);

    if (kinds == 0) {
        say(proposal, "always null, so its type is not known");
        return TYPE_OF(TYPE_STRING);
    }
    if (kinds == 2 && numbers && node->texts && node->number_texts == node->texts)
        return numbers_type(proposal);
    if (kinds > 1) {
        say_conflict(proposal);
        return TYPE_OF(TYPE_JSON);
    }
    if (node->booleans)
        return TYPE_OF(TYPE_BOOLEAN);
    if (numbers)
        return numbers_type(proposal);
    if (node->texts)
        return texts_type(proposal, has_zone);
    if (node->objects && node->full)
        say(proposal, "an object of more than %d keys: they look like data", INFER_KEYS_MAX);
    else if (node->deep)
        say(proposal, "levels below this one are not looked into");
    else if (node->objects)
        say(proposal, "always an empty object");
    else if (node->elements_least == node->elements_most)
        say(proposal, "%zu element%s", node->elements_most, node->elements_most == 1 ? "" : "s");
    else
        say(proposal, "%zu to %zu elements", node->elements_least, node->elements_most);
    if (node->arrays && node->arrays_of_objects && proposal->path[0] == '$')
        say(proposal, "expand: %s would make each element a row", proposal->path);
    return TYPE_OF(TYPE_JSON);
}

/* --- the list --- */

static void say_presence(const struct proposals *proposals, struct proposal *proposal)
{
    const struct infer_node *node = proposal->node;

    if (node->present < proposals->records)
        say(proposal, "in %zu of %zu", node->present, proposals->records);
    else if (!node->nulls && proposals->records >= INFER_REQUIRED_RECORDS)
        say(proposal, "always there, required: true would hold");
    else if (!node->nulls)
        say(proposal, "always there");
    if (node->nulls && node->nulls < node->present)
        say(proposal, "%zu null", node->nulls);
}

static void column_add(struct proposals *proposals, const struct infer_node *node, char *name, char *path)
{
    struct proposal *proposal;

    if (proposals->count == INFER_COLUMNS_MAX || memchr(node->key.data, 0, node->key.size)) {
        proposals->left_out += proposals->count == INFER_COLUMNS_MAX;
        proposals->no_path += proposals->count < INFER_COLUMNS_MAX;
        free(name);
        free(path);
        return;
    }
    XGROW(proposals->list, proposals->count, proposals->capacity);
    proposal = &proposals->list[proposals->count++];
    *proposal = (struct proposal){.node = node, .name = name, .path = path};
    buffer_init(&proposal->comment, 0);
    proposal->type = type_choose(proposal, proposals->options->has_zone);
    say_presence(proposals, proposal);
    if (node->example) {
        say(proposal, "e.g. %s", node->example);
    }
}

static bool has_columns_inside(const struct infer_node *node)
{
    return node->objects && node->objects + node->nulls == node->present && node->child_count && !node->full && !node->deep;
}

static void columns_below(struct proposals *proposals, const struct infer_node *node, const char *prefix, const char *path)
{
    for (size_t i = 0; i < node->child_count; i++) {
        const struct infer_node *child = node->children[i];
        char *name = name_make(proposals, prefix, child->key), *own = path_make(path, child->key);

        if (has_columns_inside(child) && !memchr(child->key.data, 0, child->key.size)) {
            columns_below(proposals, child, name, own);
            free(name);
            free(own);
        } else {
            column_add(proposals, child, name, own);
        }
    }
}

static void proposals_make(struct proposals *proposals, struct infer *infer, const struct infer_options *options)
{
    *proposals = (struct proposals){.infer = infer, .options = options};
    if (infer->objects) {
        proposals->records = infer->objects;
        columns_below(proposals, &infer->record, "", "$");
        proposals->keys_left = infer->record.full;
        return;
    }
    proposals->records = infer->elements;
    if (infer->element.objects && infer->element.objects + infer->element.nulls == infer->element.present) {
        columns_below(proposals, &infer->element, "", "@");
        proposals->keys_left = infer->element.full;
    } else if (infer->element.present) {
        column_add(proposals, &infer->element, xstrdup("value"), xstrdup("@"));
    }
}

static void proposals_release(struct proposals *proposals)
{
    for (size_t i = 0; i < proposals->count; i++) {
        free(proposals->list[i].name);
        free(proposals->list[i].path);
        buffer_release(&proposals->list[i].comment);
    }
    free(proposals->list);
}

/* --- notes --- */

typedef void note_print(struct buffer *out, const char *text);

static void note(struct buffer *out, note_print *print, const char *format, ...) PRINTF_LIKE(3, 4);
static void note(struct buffer *out, note_print *print, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) >= 0)
        print(out, text);
    va_end(arguments);
    free(text);
}

static const char *are(size_t count)
{
    return count == 1 ? "is" : "are";
}

static void notes_print(const struct proposals *proposals, struct buffer *out, note_print *print)
{
    const struct infer *infer = proposals->infer;

    if (infer->objects && infer->arrays)
        note(out, print, "%zu of %zu records %s an array at the top and no object, and will be dirty", infer->arrays,
             infer->records, are(infer->arrays));
    if (!infer->objects && infer->arrays)
        note(out, print, "%zu records are arrays, with %zu elements together; each element becomes a row", infer->arrays,
             infer->elements);
    if (infer->scalars)
        note(out, print, "%zu of %zu records %s a single JSON value and no object, and will be dirty", infer->scalars,
             infer->records, are(infer->scalars));
    if (infer->broken)
        note(out, print, "%zu of %zu records %s no JSON, and will be dirty", infer->broken, infer->records, are(infer->broken));
    if (infer->tombstones && infer->objects)
        note(out, print, "%zu of %zu records %s null: NULL in all columns", infer->tombstones, infer->records,
             are(infer->tombstones));
    if (proposals->left_out)
        note(out, print, "%zu more paths are left out, for there are at most %d columns; rest: NAME keeps what no column takes",
             proposals->left_out, INFER_COLUMNS_MAX);
    if (proposals->keys_left)
        note(out, print, "there are still more keys, which are not listed; rest: NAME keeps what no column takes");
    if (proposals->no_path)
        note(out, print, "%zu keys hold a zero byte, which a job file cannot; rest: NAME keeps what no column takes",
             proposals->no_path);
}

/* --- YAML --- */

static bool is_yaml_word(struct str text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_equal_ignore_case(text, str_of(words[i])))
            return false;
    for (size_t i = 0; i < text.size; i++)
        if (!is_word_char((unsigned char)text.data[i]) && text.data[i] != '.' && text.data[i] != '-' && text.data[i] != '$')
            return false;
    return text.size && !is_digit(text.data[0]) && text.data[0] != '-' && text.data[0] != '.';
}

/* The code point of valid UTF-8, taken off the text. */
static uint32_t code_take(struct str *text)
{
    unsigned char first = (unsigned char)text->data[0];
    size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t code = size == 1 ? first : first & (0xFFu >> (size + 1));

    for (size_t i = 1; i < size; i++)
        code = code << 6 | ((unsigned char)text->data[i] & 0x3F);
    text->data += size;
    text->size -= size;
    return code;
}

/* Plain where that says the same, else in double quotes, with escapes for all that a YAML file may not hold as it is. */
static void yaml_text(struct buffer *yaml, struct str text)
{
    if (is_yaml_word(text)) {
        buffer_append_str(yaml, text);
        return;
    }
    buffer_append_char(yaml, '"');
    while (text.size) {
        const char *begin = text.data;
        uint32_t code = code_take(&text);

        if (code == '"' || code == '\\')
            buffer_print(yaml, "\\%c", (int)code);
        else if (code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 || code == 0xFEFF ||
                 (code >= 0xFFF0 && code <= 0xFFFF))
            buffer_print(yaml, code < 0x100 ? "\\x%02X" : "\\u%04X", code);
        else if (code > 0xFFFF && (code & 0xFFFE) == 0xFFFE)
            buffer_print(yaml, "\\U%08X", code);
        else
            buffer_append(yaml, begin, (size_t)(text.data - begin));
    }
    buffer_append_char(yaml, '"');
}

/* A comment ends with its line, whatever the text holds. */
static void comment_append(struct buffer *yaml, struct str text)
{
    while (text.size) {
        const char *begin = text.data;
        uint32_t code = code_take(&text);

        if (code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 || code == 0xFEFF ||
            (code & 0xFFFE) == 0xFFFE || (code >= 0xFFF0 && code <= 0xFFFF))
            buffer_append_char(yaml, '?');
        else
            buffer_append(yaml, begin, (size_t)(text.data - begin));
    }
}

static void yaml_note(struct buffer *yaml, const char *text)
{
    buffer_print(yaml, "    # %s\n", text);
}

/* Cells of what stands in the line, roughly: characters. */
static size_t characters(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

void infer_print(struct infer *infer, const struct infer_options *options, struct buffer *yaml)
{
    struct proposals proposals;
    struct buffer *lines;
    size_t width = 0;

    proposals_make(&proposals, infer, options);
    buffer_append_str(yaml, STR("    # Columns of "));
    comment_append(yaml, str_is_utf8(str_of(options->source)) ? str_of(options->source) : STR("a sample"));
    buffer_print(yaml, ": %zu record%s\n", infer->records, infer->records == 1 ? "" : "s");
    notes_print(&proposals, yaml, yaml_note);
    if (strcmp(options->field, "__value__") != 0) {
        buffer_append_str(yaml, STR("    from: "));
        yaml_text(yaml, str_of(options->field));
        buffer_append_char(yaml, '\n');
    }
    if (!infer->objects)
        buffer_append_str(yaml, STR("    expand: $\n"));
    buffer_append_str(yaml, proposals.count ? STR("    columns:\n") : STR("    columns: []\n"));
    lines = xcalloc(proposals.count + 1, sizeof(*lines));
    for (size_t i = 0; i < proposals.count; i++) {
        char type[TYPE_TEXT_MAX];

        buffer_init(&lines[i], 0);
        buffer_append_str(&lines[i], STR("      - {name: "));
        yaml_text(&lines[i], str_of(proposals.list[i].name));
        buffer_append_str(&lines[i], STR(", path: "));
        yaml_text(&lines[i], str_of(proposals.list[i].path));
        buffer_append_str(&lines[i], STR(", type: "));
        yaml_text(&lines[i], str_of(type_print(proposals.list[i].type, type)));
        buffer_append_char(&lines[i], '}');
        if (characters(buffer_str(&lines[i])) <= COMMENT_COLUMN_MAX)
            width = size_max(width, characters(buffer_str(&lines[i])));
    }
    for (size_t i = 0; i < proposals.count; i++) {
        size_t used = characters(buffer_str(&lines[i]));

        buffer_append_str(yaml, buffer_str(&lines[i]));
        buffer_print(yaml, "%*s  # ", (int)(width > used ? width - used : 0), "");
        comment_append(yaml, buffer_str(&proposals.list[i].comment));
        buffer_append_char(yaml, '\n');
        buffer_release(&lines[i]);
    }
    free(lines);
    proposals_release(&proposals);
}

/* --- JSON --- */

static void json_note(struct buffer *json, const char *text)
{
    if (json->data[json->size - 1] != '[')
        buffer_append_char(json, ',');
    buffer_append_json(json, str_of(text));
}

void infer_print_json(struct infer *infer, const struct infer_options *options, struct buffer *json)
{
    struct proposals proposals;

    proposals_make(&proposals, infer, options);
    buffer_print(json,
                 "{\"records\":%zu,\"objects\":%zu,\"arrays\":%zu,\"elements\":%zu,\"scalars\":%zu,\"not_json\":%zu,"
                 "\"null\":%zu,\"from\":",
                 infer->records, infer->objects, infer->arrays, infer->elements, infer->scalars, infer->broken,
                 infer->tombstones);
    buffer_append_json(json, str_of(options->field));
    buffer_append_str(json, infer->objects ? STR(",\"expand\":null,\"notes\":[") : STR(",\"expand\":\"$\",\"notes\":["));
    notes_print(&proposals, json, json_note);
    buffer_append_str(json, STR("],\"columns\":["));
    for (size_t i = 0; i < proposals.count; i++) {
        const struct proposal *proposal = &proposals.list[i];
        const struct infer_node *node = proposal->node;
        char type[TYPE_TEXT_MAX];

        buffer_append_str(json, i ? STR(",{\"name\":") : STR("{\"name\":"));
        buffer_append_json(json, str_of(proposal->name));
        buffer_append_str(json, STR(",\"path\":"));
        buffer_append_json(json, str_of(proposal->path));
        buffer_print(json,
                     ",\"type\":\"%s\",\"present\":%zu,\"null\":%zu,\"booleans\":%zu,\"integers\":%zu,\"numbers\":%zu,"
                     "\"texts\":%zu,\"arrays\":%zu,\"objects\":%zu,\"comment\":",
                     type_print(proposal->type, type), node->present, node->nulls, node->booleans, node->whole + node->huge,
                     node->points + node->exponents, node->texts, node->arrays, node->objects);
        buffer_append_json(json, buffer_str(&proposal->comment));
        buffer_append_char(json, '}');
    }
    buffer_append_str(json, STR("]}\n"));
    proposals_release(&proposals);
}
