/* type.c: names and sizes. */
#include "batch/type.h"

#include <stdio.h>

static const struct {
    const char *name;
    size_t size;
} kinds[TYPE_KINDS] = {
    [TYPE_NULL] = {"null", 0},
    [TYPE_BOOLEAN] = {"boolean", sizeof(uint8_t)},
    [TYPE_BIGINT] = {"bigint", sizeof(int64_t)},
    [TYPE_DOUBLE] = {"double", sizeof(double)},
    [TYPE_DECIMAL] = {"decimal", sizeof(int128)},
    [TYPE_STRING] = {"string", sizeof(struct str)},
    [TYPE_BINARY] = {"binary", sizeof(struct str)},
    [TYPE_DATE] = {"date", sizeof(int32_t)},
    [TYPE_DATETIME] = {"datetime", sizeof(struct instant)},
    [TYPE_TIMESTAMP] = {"timestamp", sizeof(struct instant)},
    [TYPE_TIMESTAMP_NTZ] = {"timestamp_ntz", sizeof(struct instant)},
    [TYPE_JSON] = {"json", sizeof(struct str)},
};

/* What people write who know the target's types or other tools, and what stands for it inside the pipeline. */
static const struct {
    const char *name;
    const char *use;
} foreign[] = {
    {"tinyint", "bigint"}, {"smallint", "bigint"}, {"int", "bigint"},   {"integer", "bigint"}, {"long", "bigint"},
    {"float", "double"},   {"number", "double"},   {"bool", "boolean"}, {"text", "string"},    {"varchar", "string"},
    {"char", "string"},    {"bytes", "binary"},    {"array", "json"},   {"map", "json"},       {"struct", "json"},
};

size_t type_size(enum type_kind kind)
{
    return kinds[kind].size;
}

const char *type_print(struct type type, char text[TYPE_NAME_MAX])
{
    if (type.kind == TYPE_DECIMAL)
        snprintf(text, TYPE_NAME_MAX, "decimal(%u,%u)", type.precision, type.scale);
    else
        snprintf(text, TYPE_NAME_MAX, "%s", kinds[type.kind].name);
    return text;
}

static bool parse_decimal(struct str text, struct str arguments, struct type *type_out, struct error *error)
{
    char copy[32];
    unsigned precision, scale = 0;
    int end = 0;

    snprintf(copy, sizeof(copy), "%.*s", STR_ARG(arguments));
    if (!(sscanf(copy, "(%2u , %2u ) %n", &precision, &scale, &end) == 2 && end && !copy[end])) {
        end = 0;
        scale = 0;
        if (!(sscanf(copy, "(%2u ) %n", &precision, &end) == 1 && end && !copy[end]))
            return error_set(error, ERROR_CONFIG,
                             "\"%.*s\" is not a decimal type; write decimal(precision,scale), such as decimal(10,2)",
                             STR_ARG(text));
    }
    if (precision < 1 || precision > 38 || scale > precision || scale > 18)
        return error_set(error, ERROR_CONFIG,
                         "\"%.*s\": the precision of a decimal is 1 to 38 and its scale 0 to 18, not above the precision",
                         STR_ARG(text));
    *type_out = type_decimal((uint8_t)precision, (uint8_t)scale);
    return true;
}

bool type_parse(struct str text, struct type *type_out, struct error *error)
{
    struct str name = str_trim(text);
    const char *names[TYPE_KINDS];
    const char *nearest;

    for (int kind = TYPE_NULL + 1; kind < TYPE_KINDS; kind++) {
        if (str_equal_ignore_case(name, str_of(kinds[kind].name))) {
            *type_out = kind == TYPE_DECIMAL ? type_decimal(38, 18) : TYPE_OF((enum type_kind)kind);
            return true;
        }
    }
    if (name.size > 7 && str_equal_ignore_case(str_make(name.data, 7), STR("decimal")))
        return parse_decimal(name, str_trim(str_make(name.data + 7, name.size - 7)), type_out, error);
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        struct str alias = str_of(foreign[i].name);

        if (name.size >= alias.size && str_equal_ignore_case(str_make(name.data, alias.size), alias) &&
            (name.size == alias.size || strchr("(<", name.data[alias.size])))
            return error_set(error, ERROR_CONFIG,
                             "\"%.*s\" is not a type inside the pipeline; use %s, and give the target column its own type",
                             STR_ARG(name), foreign[i].use);
    }
    for (int kind = 0; kind < TYPE_KINDS; kind++)
        names[kind] = kinds[kind].name;
    nearest = str_nearest(name, names + 1, TYPE_KINDS - 1);
    return error_set(error, ERROR_CONFIG, "\"%.*s\" is not a type%s%s%s; the types are boolean, bigint, double, decimal(p,s), "
                     "string, binary, date, datetime, timestamp, timestamp_ntz, json", STR_ARG(name),
                     nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}
