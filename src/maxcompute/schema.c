/* schema.c: type texts by recursive descent, schemas by yyjson. Both come from outside: nesting is limited, names are checked.
 * A schema is read once per session; nothing here is on the path of rows. */
#include "maxcompute/schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "maxcompute/service_error.h"
#include <yyjson.h>

enum { TYPE_DEPTH_MAX = 32, TYPE_CHILDREN_MAX = 4096, COLUMNS_MAX = 8192 };

static const char *const kind_names[] = {
    [MC_TINYINT] = "TINYINT", [MC_SMALLINT] = "SMALLINT", [MC_INT] = "INT", [MC_BIGINT] = "BIGINT", [MC_FLOAT] = "FLOAT",
    [MC_DOUBLE] = "DOUBLE", [MC_DECIMAL] = "DECIMAL", [MC_STRING] = "STRING", [MC_VARCHAR] = "VARCHAR", [MC_CHAR] = "CHAR",
    [MC_BINARY] = "BINARY", [MC_BOOLEAN] = "BOOLEAN", [MC_DATE] = "DATE", [MC_DATETIME] = "DATETIME",
    [MC_TIMESTAMP] = "TIMESTAMP", [MC_TIMESTAMP_NTZ] = "TIMESTAMP_NTZ", [MC_JSON] = "JSON",
    [MC_INTERVAL_YEAR_MONTH] = "INTERVAL_YEAR_MONTH", [MC_INTERVAL_DAY_TIME] = "INTERVAL_DAY_TIME",
    [MC_ARRAY] = "ARRAY", [MC_MAP] = "MAP", [MC_STRUCT] = "STRUCT",
};

/* --- types --- */

struct type_reader {
    struct str text;
    size_t at;
    int depth;
    struct error *error;
};

static bool read_type(struct type_reader *reader, struct mc_type *type);

void mc_type_release(struct mc_type *type)
{
    for (size_t i = 0; i < type->child_count; i++) {
        mc_type_release(&type->children[i]);
        if (type->child_names)
            free(type->child_names[i]);
    }
    free(type->children);
    free(type->child_names);
    memset(type, 0, sizeof(*type));
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool type_error(const struct type_reader *reader, const char *what)
{
    struct str text = str_head(reader->text, 200);

    return error_set(reader->error, ERROR_CONFIG, "type \"%.*s\": %s at character %zu", STR_ARG(text), what, reader->at + 1);
}

static void skip_blanks(struct type_reader *reader)
{
    while (reader->at < reader->text.size) {
        char c = reader->text.data[reader->at];

        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
        reader->at++;
    }
}

static bool accept(struct type_reader *reader, char c)
{
    skip_blanks(reader);
    if (reader->at == reader->text.size || reader->text.data[reader->at] != c)
        return false;
    reader->at++;
    return true;
}

static struct str read_word(struct type_reader *reader)
{
    size_t start;

    skip_blanks(reader);
    start = reader->at;
    while (reader->at < reader->text.size && is_word(reader->text.data[reader->at]))
        reader->at++;
    return str_make(reader->text.data + start, reader->at - start);
}

/* A number within min..max. */
static bool read_number(struct type_reader *reader, unsigned min, unsigned max, unsigned *number_out)
{
    struct str digits = read_word(reader);
    unsigned number = 0;

    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || digits.size > 6) {
            reader->at -= digits.size;
            return type_error(reader, "a whole number was expected");
        }
        number = number * 10 + (unsigned)(digits.data[i] - '0');
    }
    if (!digits.size)
        return type_error(reader, "a whole number was expected");
    if (number < min || number > max) {
        char what[80];

        reader->at -= digits.size;
        snprintf(what, sizeof(what), "the number must be from %u to %u", min, max);
        return type_error(reader, what);
    }
    *number_out = number;
    return true;
}

static bool read_parameters(struct type_reader *reader, struct mc_type *type)
{
    if (type->kind == MC_DECIMAL) {
        if (!accept(reader, '('))
            return true; /* legacy decimal */
        if (!read_number(reader, 1, 38, &type->precision))
            return false;
        if (accept(reader, ',') && !read_number(reader, 0, type->precision < 18 ? type->precision : 18, &type->scale))
            return false;
    } else {
        if (!accept(reader, '('))
            return type_error(reader, "the length in parentheses is missing");
        if (!read_number(reader, 1, type->kind == MC_CHAR ? 255 : 65535, &type->precision))
            return false;
    }
    return accept(reader, ')') || type_error(reader, "\")\" was expected");
}

/* A struct's field name: plain, or in backquotes (doubled ones stand for one). */
static bool read_field_name(struct type_reader *reader, char **name_out)
{
    struct buffer name;
    bool closed = false;

    if (!accept(reader, '`')) {
        struct str word = read_word(reader);

        if (!word.size)
            return type_error(reader, "a field name was expected");
        *name_out = str_dup(word);
        return true;
    }
    buffer_init(&name, 0);
    while (!closed && reader->at < reader->text.size) {
        char c = reader->text.data[reader->at++];

        if (c == '`') {
            closed = reader->at == reader->text.size || reader->text.data[reader->at] != '`';
            if (closed)
                break;
            reader->at++;
        }
        if (!c)
            break;
        buffer_append_char(&name, c);
    }
    if (!closed || !name.size) {
        buffer_release(&name);
        return type_error(reader, "the field name in backquotes is empty or does not end");
    }
    *name_out = buffer_take(&name, NULL);
    return true;
}

static bool read_children(struct type_reader *reader, struct mc_type *type)
{
    size_t capacity = 0, name_capacity = 0, wanted = type->kind == MC_ARRAY ? 1 : type->kind == MC_MAP ? 2 : TYPE_CHILDREN_MAX;

    if (!accept(reader, '<'))
        return type_error(reader, "\"<\" with the inner types was expected");
    do {
        char *name = NULL;

        if (type->child_count == wanted)
            return type_error(reader, "there are too many inner types");
        if (type->kind == MC_STRUCT) {
            if (!read_field_name(reader, &name))
                return false;
            for (size_t i = 0; i < type->child_count; i++)
                if (str_equal_ignore_case(str_of(type->child_names[i]), str_of(name))) {
                    free(name);
                    return type_error(reader, "the same field name stands twice");
                }
            XGROW(type->child_names, type->child_count, name_capacity);
            type->child_names[type->child_count] = name;
        }
        XGROW(type->children, type->child_count, capacity);
        memset(&type->children[type->child_count], 0, sizeof(*type->children));
        type->child_count++; /* from here on a release sees it */
        if (type->kind == MC_STRUCT && !accept(reader, ':'))
            return type_error(reader, "\":\" was expected after the field name");
        if (!read_type(reader, &type->children[type->child_count - 1]))
            return false;
    } while (accept(reader, ','));
    if (type->kind == MC_MAP && type->child_count != 2)
        return type_error(reader, "a map needs a key type and a value type");
    return accept(reader, '>') || type_error(reader, "\">\" was expected");
}

/* A word that begins the text needs no place; one within the text is shown with the text around it. */
static bool unknown_type(const struct type_reader *reader, struct str word)
{
    /* Names of other databases, some of which the edit distance would send to a wrong type or to none. */
    static const char *const foreign[][2] = {
        {"INTEGER", "INT"},      {"BOOL", "BOOLEAN"},  {"TEXT", "STRING"},     {"LONG", "BIGINT"},
        {"NUMBER", "DECIMAL"},   {"NUMERIC", "DECIMAL"}, {"VARCHAR2", "VARCHAR"}, {"NVARCHAR", "STRING"},
    };
    const char *nearest = NULL;
    struct str text = str_head(reader->text, 200);
    struct str shown = str_head(word, 60);

    for (size_t i = 0; i < COUNT_OF(foreign) && !nearest; i++)
        if (str_equal_ignore_case(word, str_of(foreign[i][0])))
            nearest = foreign[i][1];
    if (!nearest)
        nearest = str_nearest(word, kind_names, COUNT_OF(kind_names));
    if (reader->at == 0)
        return error_set(reader->error, ERROR_CONFIG, "unknown type \"%.*s\"%s%s%s", STR_ARG(text),
                         nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return error_set(reader->error, ERROR_CONFIG, "type \"%.*s\": unknown type \"%.*s\" at character %zu%s%s%s", STR_ARG(text),
                     STR_ARG(shown), reader->at + 1, nearest ? "; did you mean " : "", nearest ? nearest : "",
                     nearest ? "?" : "");
}

static bool read_type(struct type_reader *reader, struct mc_type *type)
{
    struct str word = read_word(reader);
    size_t kind = 0;
    bool ok = true;

    while (kind < COUNT_OF(kind_names) && !str_equal_ignore_case(word, str_of(kind_names[kind])))
        kind++;
    if (kind == COUNT_OF(kind_names)) {
        reader->at -= word.size;
        return word.size ? unknown_type(reader, word) : type_error(reader, "a type name was expected");
    }
    type->kind = (enum mc_kind)kind;
    switch (type->kind) {
    case MC_DECIMAL:
    case MC_VARCHAR:
    case MC_CHAR: return read_parameters(reader, type);
    case MC_ARRAY:
    case MC_MAP:
    case MC_STRUCT:
        if (reader->depth == TYPE_DEPTH_MAX)
            return type_error(reader, "types are nested too deeply");
        reader->depth++;
        ok = read_children(reader, type);
        reader->depth--;
        return ok;
    default: return true;
    }
}

bool mc_type_parse(struct mc_type *type_out, struct str text, struct error *error)
{
    struct type_reader reader = {.text = text, .error = error};
    bool ok;

    memset(type_out, 0, sizeof(*type_out));
    ok = read_type(&reader, type_out);
    if (ok) {
        skip_blanks(&reader);
        if (reader.at != text.size)
            ok = type_error(&reader, "there is something behind the type");
    }
    if (!ok)
        mc_type_release(type_out);
    return ok;
}

void mc_type_print(const struct mc_type *type, struct buffer *text)
{
    buffer_append_str(text, str_of(kind_names[type->kind]));
    if (type->kind == MC_DECIMAL && type->precision)
        buffer_print(text, "(%u,%u)", type->precision, type->scale);
    else if (type->kind == MC_VARCHAR || type->kind == MC_CHAR)
        buffer_print(text, "(%u)", type->precision);
    if (!type->child_count)
        return;
    for (size_t i = 0; i < type->child_count; i++) {
        buffer_append_char(text, i ? ',' : '<');
        if (type->child_names) {
            struct str name = str_of(type->child_names[i]);
            bool plain = true;

            for (size_t k = 0; k < name.size; k++)
                plain &= is_word(name.data[k]);
            if (plain)
                buffer_append_str(text, name);
            else
                mc_ddl_identifier(text, name);
            buffer_append_char(text, ':');
        }
        mc_type_print(&type->children[i], text);
    }
    buffer_append_char(text, '>');
}

bool mc_type_equal(const struct mc_type *a, const struct mc_type *b)
{
    if (a->kind != b->kind || a->precision != b->precision || a->scale != b->scale || a->child_count != b->child_count)
        return false;
    for (size_t i = 0; i < a->child_count; i++) {
        if (a->child_names && !str_equal_ignore_case(str_of(a->child_names[i]), str_of(b->child_names[i])))
            return false;
        if (!mc_type_equal(&a->children[i], &b->children[i]))
            return false;
    }
    return true;
}

/* --- schemas --- */

static void columns_release(struct mc_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(columns[i].name);
        free(columns[i].comment);
        mc_type_release(&columns[i].type);
    }
    free(columns);
}

void mc_schema_release(struct mc_schema *schema)
{
    columns_release(schema->columns, schema->column_count);
    columns_release(schema->partitions, schema->partition_count);
    memset(schema, 0, sizeof(*schema));
}

static int find_column(const struct mc_column *columns, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal_ignore_case(str_of(columns[i].name), name))
            return (int)i;
    return -1;
}

/* A boolean, or its text, as the service's versions have it; absent and null leave *value alone. */
static bool read_flag(yyjson_val *object, const char *name, bool *value)
{
    yyjson_val *member = yyjson_obj_get(object, name);

    if (!member || yyjson_is_null(member))
        return true;
    if (yyjson_is_bool(member)) {
        *value = yyjson_get_bool(member);
        return true;
    }
    if (yyjson_is_str(member)) {
        struct str text = str_make(yyjson_get_str(member), yyjson_get_len(member));

        *value = str_equal_ignore_case(text, STR("true"));
        return *value || str_equal_ignore_case(text, STR("false"));
    }
    return false;
}

/* Text without zero bytes, for the names become C strings. */
static bool read_text(yyjson_val *object, const char *name, struct str *text)
{
    yyjson_val *member = yyjson_obj_get(object, name);

    *text = STR_NONE;
    if (!member || yyjson_is_null(member))
        return true;
    if (!yyjson_is_str(member))
        return false;
    *text = str_make(yyjson_get_str(member), yyjson_get_len(member));
    return !text->size || !memchr(text->data, 0, text->size);
}

static bool read_column(yyjson_val *object, struct mc_column *column, struct error *error)
{
    struct str name, type, comment;
    bool nullable = true;

    if (!yyjson_is_obj(object))
        return error_set(error, ERROR_FATAL, "a column is not a JSON object");
    if (!read_text(object, "name", &name) || !name.size)
        return error_set(error, ERROR_FATAL, "a column's \"name\" is missing or no text");
    column->name = str_dup(name);
    if (!read_text(object, "type", &type) || !type.size)
        return error_set(error, ERROR_FATAL, "column %s: \"type\" is missing or no text", column->name);
    if (!mc_type_parse(&column->type, type, error)) {
        if (error)
            error->kind = ERROR_FATAL; /* the service wrote it, there is no file to edit */
        return error_wrap(error, "column %s", column->name);
    }
    if (!read_flag(object, "nullable", &nullable) || !read_flag(object, "isNullable", &nullable))
        return error_set(error, ERROR_FATAL, "column %s: \"nullable\" is neither true nor false", column->name);
    column->not_null = !nullable;
    if (!read_flag(object, "hasDefaultValue", &column->has_default))
        return error_set(error, ERROR_FATAL, "column %s: \"hasDefaultValue\" is neither true nor false", column->name);
    /* The tunnel has no such flag and writes "" where there is none. */
    if (yyjson_get_len(yyjson_obj_get(object, "default_value")) || yyjson_get_len(yyjson_obj_get(object, "defaultValue")))
        column->has_default = true;
    if (!read_text(object, "comment", &comment))
        return error_set(error, ERROR_FATAL, "column %s: \"comment\" is no text", column->name);
    if (comment.size)
        column->comment = str_dup(comment);
    return true;
}

static bool read_columns(yyjson_val *array, const char *what, struct mc_column **columns_out, size_t *count_out,
                         struct error *error)
{
    size_t count = yyjson_arr_size(array), i, max;
    yyjson_val *item;

    if (!array || yyjson_is_null(array))
        return true;
    if (!yyjson_is_arr(array))
        return error_set(error, ERROR_FATAL, "\"%s\" is not a JSON array", what);
    if (count > COLUMNS_MAX)
        return error_set(error, ERROR_FATAL, "\"%s\" has %zu columns, more than %d", what, count, COLUMNS_MAX);
    *columns_out = xcalloc(count, sizeof(**columns_out));
    yyjson_arr_foreach(array, i, max, item) {
        struct mc_column *column = &(*columns_out)[i];

        *count_out = i + 1; /* a release sees the half-made one too */
        if (!read_column(item, column, error))
            return error_wrap(error, "\"%s\"[%zu]", what, i);
        if (find_column(*columns_out, i, str_of(column->name)) >= 0)
            return error_set(error, ERROR_FATAL, "\"%s\"[%zu]: column %s stands twice", what, i, column->name);
    }
    return true;
}

bool mc_schema_parse(struct mc_schema *schema_out, struct str json, struct error *error)
{
    struct mc_schema schema = {0};
    yyjson_read_err problem;
    yyjson_doc *document;
    yyjson_val *root;
    bool ok = false;

    memset(schema_out, 0, sizeof(*schema_out));
    /* yyjson takes the text as const unless told to work in place. */
    document = yyjson_read_opts((char *)(uintptr_t)(json.data ? json.data : ""), json.size, 0, NULL, &problem);
    if (!document)
        return error_set(error, ERROR_FATAL, "schema: not valid JSON: %s at byte %zu", problem.msg, problem.pos);
    root = yyjson_doc_get_root(document);
    /* A session's whole answer is understood as well. */
    if (!yyjson_obj_get(root, "columns")) {
        yyjson_val *inner = yyjson_obj_get(root, "Schema");

        if (!inner)
            inner = yyjson_obj_get(root, "schema");
        if (inner)
            root = inner;
    }
    if (!yyjson_is_arr(yyjson_obj_get(root, "columns"))) {
        error_set(error, ERROR_FATAL, "schema: \"columns\" is missing or not a JSON array");
        goto out;
    }
    if (!read_columns(yyjson_obj_get(root, "columns"), "columns", &schema.columns, &schema.column_count, error) ||
        !read_columns(yyjson_obj_get(root, "partitionKeys"), "partitionKeys", &schema.partitions, &schema.partition_count,
                      error)) {
        char text[sizeof(error->text)];

        /* Names and types are quoted as they came: it becomes one line. */
        error_wrap(error, "schema");
        memcpy(text, error->text, sizeof(text));
        service_text_copy(error->text, sizeof(error->text), str_of(text));
        goto out;
    }
    if (!schema.column_count) {
        error_set(error, ERROR_FATAL, "schema: the table has no columns");
        goto out;
    }
    for (size_t i = 0; i < schema.partition_count; i++)
        if (find_column(schema.columns, schema.column_count, str_of(schema.partitions[i].name)) >= 0) {
            error_set(error, ERROR_FATAL, "schema: %s is both a column and a partition column", schema.partitions[i].name);
            goto out;
        }
    *schema_out = schema;
    memset(&schema, 0, sizeof(schema));
    ok = true;
out:
    mc_schema_release(&schema);
    yyjson_doc_free(document);
    return ok;
}

int mc_schema_column(const struct mc_schema *schema, struct str name)
{
    return find_column(schema->columns, schema->column_count, name);
}

static bool columns_compatible(const char *what, const struct mc_column *old, size_t old_count, const struct mc_column *now,
                               size_t now_count, struct error *error)
{
    for (size_t i = 0; i < old_count; i++) {
        if (i >= now_count)
            return error_set(error, ERROR_FATAL, "%s %zu (%s) is gone", what, i + 1, old[i].name);
        if (!str_equal_ignore_case(str_of(old[i].name), str_of(now[i].name)))
            return error_set(error, ERROR_FATAL, "%s %zu was %s and is %s now", what, i + 1, old[i].name, now[i].name);
        if (!mc_type_equal(&old[i].type, &now[i].type)) {
            struct buffer texts[2];

            buffer_init(&texts[0], 0);
            buffer_init(&texts[1], 0);
            mc_type_print(&old[i].type, &texts[0]);
            mc_type_print(&now[i].type, &texts[1]);
            error_set(error, ERROR_FATAL, "%s %s was %s and is %s now", what, old[i].name, buffer_text(&texts[0]),
                      buffer_text(&texts[1]));
            buffer_release(&texts[0]);
            buffer_release(&texts[1]);
            return false;
        }
        if (now[i].not_null && !old[i].not_null)
            return error_set(error, ERROR_FATAL, "%s %s has become NOT NULL", what, old[i].name);
    }
    return true;
}

bool mc_schema_compatible(const struct mc_schema *old, const struct mc_schema *now, struct error *error)
{
    if (!columns_compatible("column", old->columns, old->column_count, now->columns, now->column_count, error) ||
        !columns_compatible("partition column", old->partitions, old->partition_count, now->partitions, now->partition_count,
                            error))
        return false;
    if (now->partition_count > old->partition_count)
        return error_set(error, ERROR_FATAL, "partition column %s is new", now->partitions[old->partition_count].name);
    for (size_t i = old->column_count; i < now->column_count; i++)
        if (now->columns[i].not_null && !now->columns[i].has_default)
            return error_set(error, ERROR_FATAL, "new column %s is NOT NULL and has no default", now->columns[i].name);
    return true;
}
