/* ddl_parse.c: one pass of recursive descent with one token of lookahead; linear in the text. Types are cut out as text with
 * balanced brackets and given to mc_type_parse, so that there is one reader of types. */
#include "local/ddl_parse.h"
#include "maxcompute/schema.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_NUMBER, TOKEN_SIGN, TOKEN_BROKEN };

enum { COLUMNS_MAX = 1200, SPECS_MAX = 10000, NAME_BYTES_MAX = 128 };

struct parser {
    struct str sql;
    size_t next; /* behind the token in hand */
    enum token_kind kind;
    size_t start;
    struct buffer text; /* the token without quotes and escapes */
    struct error *error;
};

static bool fail(struct parser *parser, const char *what)
{
    unsigned line = 1, column = 1;
    struct str token = str_make(parser->sql.data + parser->start, size_min(parser->next - parser->start, 60));

    for (size_t i = 0; i < parser->start; i++) {
        if (parser->sql.data[i] == '\n') {
            line++;
            column = 1;
        } else {
            column++;
        }
    }
    if (parser->kind == TOKEN_END)
        return error_set(parser->error, ERROR_DATA, "ODPS-0130161:[%u,%u] Parse exception - %s, found the end of the text", line,
                         column, what);
    return error_set(parser->error, ERROR_DATA, "ODPS-0130161:[%u,%u] Parse exception - %s, found '%.*s'", line, column, what,
                     STR_ARG(token));
}

static void skip_blanks(struct parser *parser)
{
    const char *sql = parser->sql.data;
    size_t size = parser->sql.size;

    for (;;) {
        size_t i = parser->next;

        if (i < size && isspace((unsigned char)sql[i])) {
            parser->next++;
        } else if (i + 1 < size && sql[i] == '-' && sql[i + 1] == '-') {
            while (parser->next < size && sql[parser->next] != '\n')
                parser->next++;
        } else if (i + 1 < size && sql[i] == '/' && sql[i + 1] == '*') {
            for (i += 2; i + 1 < size && !(sql[i] == '*' && sql[i + 1] == '/'); i++)
                ;
            parser->next = size_min(i + 2, size);
        } else {
            return;
        }
    }
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

static void read_string(struct parser *parser, char quote)
{
    const char *sql = parser->sql.data;
    size_t i = parser->next + 1;

    parser->kind = TOKEN_BROKEN;
    while (i < parser->sql.size) {
        char c = sql[i++];

        if (c == quote) {
            parser->kind = TOKEN_STRING;
            break;
        }
        if (c == '\\' && i < parser->sql.size) {
            c = sql[i++];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c;
        }
        buffer_append_char(&parser->text, c);
    }
    parser->next = i;
}

static void read_backquoted(struct parser *parser)
{
    const char *sql = parser->sql.data;
    size_t i = parser->next + 1;

    parser->kind = TOKEN_BROKEN;
    while (i < parser->sql.size) {
        char c = sql[i++];

        if (c == '`') {
            if (i >= parser->sql.size || sql[i] != '`') {
                parser->kind = TOKEN_QUOTED;
                break;
            }
            i++;
        }
        buffer_append_char(&parser->text, c);
    }
    parser->next = i;
}

static void advance(struct parser *parser)
{
    const char *sql = parser->sql.data;
    size_t size = parser->sql.size;

    skip_blanks(parser);
    parser->start = parser->next;
    buffer_clear(&parser->text);
    if (parser->next >= size) {
        parser->kind = TOKEN_END;
        return;
    }
    char c = sql[parser->next];

    if (c == '\'' || c == '"') {
        read_string(parser, c);
    } else if (c == '`') {
        read_backquoted(parser);
    } else if (word_char(c)) {
        parser->kind = TOKEN_NUMBER;
        while (parser->next < size && word_char(sql[parser->next])) {
            if (!isdigit((unsigned char)sql[parser->next]))
                parser->kind = TOKEN_WORD;
            parser->next++;
        }
        buffer_append(&parser->text, sql + parser->start, parser->next - parser->start);
    } else {
        parser->kind = TOKEN_SIGN;
        parser->next++;
        buffer_append_char(&parser->text, c);
    }
}

static bool at_word(const struct parser *parser, const char *word)
{
    return parser->kind == TOKEN_WORD && str_equal_ignore_case(buffer_str(&parser->text), str_of(word));
}

static bool at_sign(const struct parser *parser, char sign)
{
    return parser->kind == TOKEN_SIGN && parser->text.data[0] == sign;
}

static bool take_word(struct parser *parser, const char *word)
{
    if (!at_word(parser, word))
        return false;
    advance(parser);
    return true;
}

static bool take_sign(struct parser *parser, char sign)
{
    if (!at_sign(parser, sign))
        return false;
    advance(parser);
    return true;
}

static bool want_word(struct parser *parser, const char *word)
{
    char what[64];

    if (take_word(parser, word))
        return true;
    snprintf(what, sizeof(what), "%s expected", word);
    return fail(parser, what);
}

static bool want_sign(struct parser *parser, char sign)
{
    char what[32];

    if (take_sign(parser, sign))
        return true;
    snprintf(what, sizeof(what), "'%c' expected", sign);
    return fail(parser, what);
}

/* Names are kept in lower case, as the service does. */
static bool want_name(struct parser *parser, char **name_out)
{
    if ((parser->kind != TOKEN_WORD && parser->kind != TOKEN_QUOTED) || parser->text.size == 0)
        return fail(parser, "a name expected");
    if (parser->text.size > NAME_BYTES_MAX)
        return fail(parser, "a name of at most 128 bytes expected");
    for (size_t i = 0; i < parser->text.size; i++)
        if (!word_char(parser->text.data[i]))
            return fail(parser, "a name of letters, digits and underscores expected");
    free(*name_out);
    *name_out = str_dup(buffer_str(&parser->text));
    for (char *c = *name_out; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    advance(parser);
    return true;
}

static bool want_string(struct parser *parser, char **text_out)
{
    if (parser->kind != TOKEN_STRING)
        return fail(parser, "a quoted text expected");
    free(*text_out);
    *text_out = str_dup(buffer_str(&parser->text));
    advance(parser);
    return true;
}

/* table, project.table, project.schema.table */
static bool table_name(struct parser *parser, struct ddl_statement *statement)
{
    if (!want_name(parser, &statement->table))
        return false;
    if (!take_sign(parser, '.'))
        return true;
    statement->project = statement->table;
    statement->table = NULL;
    if (!want_name(parser, &statement->table))
        return false;
    if (!take_sign(parser, '.'))
        return true;
    statement->schema_name = statement->table;
    statement->table = NULL;
    return want_name(parser, &statement->table);
}

static bool if_clause(struct parser *parser, bool negated, bool *found)
{
    *found = false;
    if (!take_word(parser, "IF"))
        return true;
    *found = true;
    return (!negated || want_word(parser, "NOT")) && want_word(parser, "EXISTS");
}

static bool column_type(struct parser *parser, struct ddl_column *column)
{
    size_t start = parser->start, end;
    int depth = 0;
    struct mc_type type;
    struct error reason;

    if (parser->kind != TOKEN_WORD && parser->kind != TOKEN_QUOTED)
        return fail(parser, "a column type expected");
    end = parser->next;
    advance(parser);
    while (parser->kind != TOKEN_END && (depth > 0 || at_sign(parser, '(') || at_sign(parser, '<'))) {
        if (at_sign(parser, '(') || at_sign(parser, '<'))
            depth++;
        else if (at_sign(parser, ')') || at_sign(parser, '>'))
            depth--;
        end = parser->next;
        advance(parser);
    }
    column->type = str_dup(str_make(parser->sql.data + start, end - start));
    if (!mc_type_parse(&type, str_of(column->type), &reason)) {
        parser->start = start;
        parser->next = end;
        parser->kind = TOKEN_WORD;
        return fail(parser, reason.text);
    }
    mc_type_release(&type);
    return true;
}

static bool default_value(struct parser *parser, struct ddl_column *column)
{
    bool negative = take_sign(parser, '-');
    size_t start = parser->start;

    if (parser->kind == TOKEN_STRING)
        return want_string(parser, &column->default_value);
    if (parser->kind != TOKEN_NUMBER && parser->kind != TOKEN_WORD)
        return fail(parser, "a constant after DEFAULT expected");
    size_t end = parser->next;

    advance(parser);
    if (at_sign(parser, '.')) {
        advance(parser);
        end = parser->next;
        advance(parser);
    }
    free(column->default_value);
    column->default_value = xasprintf("%s%.*s", negative ? "-" : "", (int)(end - start), parser->sql.data + start);
    return true;
}

static bool column_list(struct parser *parser, struct ddl_columns *columns)
{
    if (!want_sign(parser, '('))
        return false;
    do {
        if (at_word(parser, "PRIMARY"))
            return fail(parser,
                        "PRIMARY KEY is not supported by the local endpoint, which knows append-only tables; leave it out");
        if (columns->count >= COLUMNS_MAX)
            return fail(parser, "at most 1200 columns expected");
        XGROW(columns->items, columns->count, columns->capacity);
        struct ddl_column *column = &columns->items[columns->count++];

        *column = (struct ddl_column){0};
        if (!want_name(parser, &column->name))
            return false;
        for (size_t i = 0; i + 1 < columns->count; i++)
            if (strcmp(columns->items[i].name, column->name) == 0)
                return fail(parser, "a column name that is not there twice expected");
        if (!column_type(parser, column))
            return false;
        for (;;) {
            if (take_word(parser, "NOT")) {
                if (!want_word(parser, "NULL"))
                    return false;
                column->not_null = true;
            } else if (take_word(parser, "NULL")) {
                column->not_null = false;
            } else if (take_word(parser, "DEFAULT")) {
                if (!default_value(parser, column))
                    return false;
            } else if (take_word(parser, "COMMENT")) {
                if (!want_string(parser, &column->comment))
                    return false;
            } else {
                break;
            }
        }
    } while (take_sign(parser, ','));
    return want_sign(parser, ')');
}

static bool table_properties(struct parser *parser)
{
    if (!want_sign(parser, '('))
        return false;
    do {
        char *text = NULL;
        bool ok = want_string(parser, &text) && want_sign(parser, '=') && want_string(parser, &text);

        free(text);
        if (!ok)
            return false;
    } while (take_sign(parser, ','));
    return want_sign(parser, ')');
}

static bool create_table(struct parser *parser, struct ddl_statement *statement)
{
    statement->kind = DDL_CREATE_TABLE;
    if (!want_word(parser, "TABLE") || !if_clause(parser, true, &statement->if_exists) || !table_name(parser, statement) ||
        !column_list(parser, &statement->columns))
        return false;
    for (;;) {
        if (take_word(parser, "COMMENT")) {
            if (!want_string(parser, &statement->comment))
                return false;
        } else if (at_word(parser, "PARTITIONED") && statement->partitions.count == 0) {
            advance(parser);
            if (!want_word(parser, "BY") || !column_list(parser, &statement->partitions))
                return false;
            for (size_t i = 0; i < statement->partitions.count; i++)
                for (size_t j = 0; j < statement->columns.count; j++)
                    if (strcmp(statement->partitions.items[i].name, statement->columns.items[j].name) == 0)
                        return fail(parser, "a partition column that is no data column expected");
        } else if (take_word(parser, "TBLPROPERTIES")) {
            if (!table_properties(parser))
                return false;
        } else if (take_word(parser, "LIFECYCLE")) {
            if (parser->kind != TOKEN_NUMBER || parser->text.size > 6)
                return fail(parser, "a number of days expected");
            statement->lifecycle_days = atoi(buffer_text(&parser->text));
            advance(parser);
        } else {
            return true;
        }
    }
}

/* (dt='20240101', hh=1) becomes dt=20240101,hh=1. */
static bool partition_spec(struct parser *parser, struct ddl_statement *statement)
{
    struct buffer spec;
    char *name = NULL;
    bool ok = false;

    buffer_init(&spec, 0);
    if (statement->spec_count >= SPECS_MAX) {
        fail(parser, "at most 10000 partitions in a statement expected");
        goto out;
    }
    if (!want_sign(parser, '('))
        goto out;
    do {
        if (!want_name(parser, &name) || !want_sign(parser, '='))
            goto out;
        if (parser->kind != TOKEN_STRING && parser->kind != TOKEN_NUMBER && parser->kind != TOKEN_WORD) {
            fail(parser, "a partition value expected");
            goto out;
        }
        if (parser->text.size == 0) {
            fail(parser, "a partition value that is not empty expected");
            goto out;
        }
        for (size_t i = 0; i < parser->text.size; i++) {
            if (strchr(",/'\"", parser->text.data[i])) {
                fail(parser, "a partition value without ',', '/' and quotes expected");
                goto out;
            }
        }
        buffer_print(&spec, "%s%s=%.*s", spec.size ? "," : "", name, (int)parser->text.size, parser->text.data);
        advance(parser);
    } while (take_sign(parser, ',') || take_sign(parser, '/'));
    if (!want_sign(parser, ')'))
        goto out;
    XGROW(statement->specs, statement->spec_count, statement->spec_capacity);
    statement->specs[statement->spec_count++] = buffer_take(&spec, NULL);
    ok = true;
out:
    free(name);
    buffer_release(&spec);
    return ok;
}

static bool partition_list(struct parser *parser, struct ddl_statement *statement)
{
    if (!want_word(parser, "PARTITION"))
        return false;
    do {
        if (!partition_spec(parser, statement))
            return false;
        take_sign(parser, ',');
    } while (take_word(parser, "PARTITION"));
    return true;
}

static bool alter_table(struct parser *parser, struct ddl_statement *statement)
{
    if (!want_word(parser, "TABLE") || !table_name(parser, statement))
        return false;
    if (take_word(parser, "ADD")) {
        if (take_word(parser, "COLUMNS") || take_word(parser, "COLUMN")) {
            statement->kind = DDL_ADD_COLUMNS;
            return if_clause(parser, true, &statement->if_exists) && column_list(parser, &statement->columns);
        }
        statement->kind = DDL_ADD_PARTITION;
        return if_clause(parser, true, &statement->if_exists) && partition_list(parser, statement);
    }
    if (take_word(parser, "DROP")) {
        statement->kind = DDL_DROP_PARTITION;
        return if_clause(parser, false, &statement->if_exists) && partition_list(parser, statement);
    }
    return fail(parser, "ADD or DROP expected (the local endpoint knows ADD PARTITION, DROP PARTITION and ADD COLUMNS)");
}

static bool statement_parse(struct parser *parser, struct ddl_statement *statement)
{
    if (take_word(parser, "CREATE"))
        return create_table(parser, statement);
    if (take_word(parser, "ALTER"))
        return alter_table(parser, statement);
    if (take_word(parser, "DROP")) {
        statement->kind = DDL_DROP_TABLE;
        return want_word(parser, "TABLE") && if_clause(parser, false, &statement->if_exists) && table_name(parser, statement);
    }
    if (take_word(parser, "SET")) {
        statement->kind = DDL_SET;
        while (parser->kind != TOKEN_END && !at_sign(parser, ';'))
            advance(parser);
        return true;
    }
    return fail(parser, "CREATE TABLE, ALTER TABLE, DROP TABLE or SET expected (the local endpoint runs no other statements)");
}

bool ddl_parse(struct ddl_statement *statement_out, struct str sql, size_t *position, struct error *error)
{
    struct parser parser = {.sql = sql, .next = *position, .error = error};
    bool ok = false;

    *statement_out = (struct ddl_statement){0};
    buffer_init(&parser.text, 0);
    if (!parser.sql.data)
        parser.sql = STR("");
    advance(&parser);
    while (at_sign(&parser, ';'))
        advance(&parser);
    if (parser.kind == TOKEN_END) {
        *position = parser.next;
        ok = true;
        goto out;
    }
    if (!statement_parse(&parser, statement_out))
        goto out;
    if (parser.kind != TOKEN_END && !at_sign(&parser, ';')) {
        fail(&parser, "the end of the statement expected");
        goto out;
    }
    *position = parser.next;
    ok = true;
out:
    if (!ok)
        ddl_statement_release(statement_out);
    buffer_release(&parser.text);
    return ok;
}

void ddl_columns_release(struct ddl_columns *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        free(columns->items[i].name);
        free(columns->items[i].type);
        free(columns->items[i].default_value);
        free(columns->items[i].comment);
    }
    free(columns->items);
    *columns = (struct ddl_columns){0};
}

void ddl_statement_release(struct ddl_statement *statement)
{
    free(statement->project);
    free(statement->schema_name);
    free(statement->table);
    ddl_columns_release(&statement->columns);
    ddl_columns_release(&statement->partitions);
    free(statement->comment);
    for (size_t i = 0; i < statement->spec_count; i++)
        free(statement->specs[i]);
    free(statement->specs);
    *statement = (struct ddl_statement){0};
}
