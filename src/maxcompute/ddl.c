/* ddl.c: the few SQL texts of an ingest agent (protocol section 7.7), without the final semicolon. */
#include "maxcompute/schema.h"

void mc_ddl_identifier(struct buffer *sql, struct str name)
{
    buffer_append_char(sql, '`');
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '`')
            buffer_append_char(sql, '`');
        buffer_append_char(sql, name.data[i]);
    }
    buffer_append_char(sql, '`');
}

void mc_ddl_string(struct buffer *sql, struct str text)
{
    buffer_append_char(sql, '\'');
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];

        switch (c) {
        case '\n': buffer_append_str(sql, STR("\\n")); break;
        case '\r': buffer_append_str(sql, STR("\\r")); break;
        case '\t': buffer_append_str(sql, STR("\\t")); break;
        case '\0': buffer_append_str(sql, STR("\\0")); break;
        case '\'':
        case '\\': buffer_append_char(sql, '\\'); /* fall through */
        default: buffer_append_char(sql, c);
        }
    }
    buffer_append_char(sql, '\'');
}

/* Projects, schemas and partition columns stand without quotes where they can, as the service's own clients write them. */
static void append_name(struct buffer *sql, struct str name)
{
    bool plain = name.size > 0;

    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        plain &= letter || (i && c >= '0' && c <= '9');
    }
    if (plain)
        buffer_append_str(sql, name);
    else
        mc_ddl_identifier(sql, name);
}

static void append_table(struct buffer *sql, struct str project, struct str schema_name, struct str table)
{
    append_name(sql, project);
    buffer_append_char(sql, '.');
    if (schema_name.size) {
        append_name(sql, schema_name);
        buffer_append_char(sql, '.');
    }
    mc_ddl_identifier(sql, table);
}

static void append_column(struct buffer *sql, const struct mc_column *column)
{
    mc_ddl_identifier(sql, str_of(column->name));
    buffer_append_char(sql, ' ');
    mc_type_print(&column->type, sql);
    if (column->not_null)
        buffer_append_str(sql, STR(" NOT NULL"));
    if (column->comment && *column->comment) {
        buffer_append_str(sql, STR(" COMMENT "));
        mc_ddl_string(sql, str_of(column->comment));
    }
}

void mc_ddl_create_table(struct buffer *sql, struct str project, struct str schema_name, struct str table,
                         const struct mc_schema *schema, struct str comment, int lifecycle_days)
{
    buffer_append_str(sql, STR("CREATE TABLE IF NOT EXISTS "));
    append_table(sql, project, schema_name, table);
    buffer_append_str(sql, STR(" (\n"));
    for (size_t i = 0; i < schema->column_count; i++) {
        buffer_append_str(sql, STR("  "));
        append_column(sql, &schema->columns[i]);
        buffer_append_str(sql, i + 1 < schema->column_count ? STR(",\n") : STR("\n"));
    }
    buffer_append_char(sql, ')');
    if (comment.size) {
        buffer_append_str(sql, STR("\nCOMMENT "));
        mc_ddl_string(sql, comment);
    }
    for (size_t i = 0; i < schema->partition_count; i++) {
        buffer_append_str(sql, i ? STR(", ") : STR("\nPARTITIONED BY ("));
        append_column(sql, &schema->partitions[i]);
    }
    if (schema->partition_count)
        buffer_append_char(sql, ')');
    if (lifecycle_days > 0)
        buffer_print(sql, "\nLIFECYCLE %d", lifecycle_days);
}

void mc_ddl_add_partitions(struct buffer *sql, struct str project, struct str schema_name, struct str table)
{
    buffer_append_str(sql, STR("ALTER TABLE "));
    append_table(sql, project, schema_name, table);
    buffer_append_str(sql, STR(" ADD IF NOT EXISTS"));
}

void mc_ddl_partition(struct buffer *sql, struct str spec)
{
    bool more = spec.size > 0;
    bool first = true;

    buffer_append_str(sql, STR(" PARTITION ("));
    while (more) {
        struct str part, name, value;

        more = str_cut(spec, ',', &part, &spec);
        str_cut(part, '=', &name, &value);
        if (!first)
            buffer_append_char(sql, ',');
        first = false;
        append_name(sql, str_trim(name));
        buffer_append_char(sql, '=');
        mc_ddl_string(sql, value);
    }
    buffer_append_char(sql, ')');
}

struct needs {
    bool new_types, new_decimal, json;
};

static void add_needs(const struct mc_type *type, struct needs *needs)
{
    switch (type->kind) {
    case MC_BIGINT:
    case MC_DOUBLE:
    case MC_STRING:
    case MC_BOOLEAN:
    case MC_DATETIME:
    case MC_ARRAY:
    case MC_MAP: break; /* the old set */
    case MC_DECIMAL:
        if (type->precision)
            needs->new_types = needs->new_decimal = true;
        break;
    case MC_JSON: needs->new_types = needs->json = true; break;
    default: needs->new_types = true;
    }
    for (size_t i = 0; i < type->child_count; i++)
        add_needs(&type->children[i], needs);
}

static void append_setting(struct buffer *json, bool wanted, const char *name, bool *first)
{
    if (!wanted)
        return;
    buffer_print(json, "%s\"%s\":\"true\"", *first ? "" : ",", name);
    *first = false;
}

void mc_ddl_settings(struct buffer *json, const struct mc_schema *schema, struct str schema_name)
{
    struct needs needs = {0};
    bool first = true;

    for (size_t i = 0; schema && i < schema->column_count; i++)
        add_needs(&schema->columns[i].type, &needs);
    for (size_t i = 0; schema && i < schema->partition_count; i++)
        add_needs(&schema->partitions[i].type, &needs);
    buffer_append_char(json, '{');
    append_setting(json, needs.new_types, "odps.sql.type.system.odps2", &first);
    append_setting(json, needs.new_decimal, "odps.sql.decimal.odps2", &first);
    append_setting(json, needs.json, "odps.sql.type.json.enable", &first);
    append_setting(json, schema_name.size, "odps.namespace.schema", &first);
    append_setting(json, schema_name.size, "odps.sql.allow.namespace.schema", &first);
    buffer_append_char(json, '}');
}
