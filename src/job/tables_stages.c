/* tables_stages.c: options of the stages, one table over all kinds. */
#include "job/tables_internal.h"

static void default_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED, struct tree_node *node)
{
    if (node && node->kind != TREE_SCALAR)
        option_mistake(reader, node, "must be a text, a number, true or false, not a %s",
                       node->kind == TREE_LIST ? "list" : "map");
}

static const struct option json_column_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, .check = column_check,
     .sentence = "The field that the value goes to."},
    {.name = "path", .type = OPTION_TEXT, .flags = OPTION_REQUIRED,
     .sentence = "Where the value is: $.a.b, $.a[0], $['odd name'], $.list[*].x; with expand, @ is the element."},
    {.name = "type", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, .check = pipeline_type_check, .form = "type",
     .sentence = "boolean, bigint, double, decimal(p,s), string, binary, date, datetime, timestamp, timestamp_ntz or json."},
    {.name = "default", .type = OPTION_CUSTOM, .read = default_read, .form = "scalar",
     .sentence = "The value where the path leads nowhere; NULL without one."},
    {.name = "required", .type = OPTION_BOOLEAN, .fallback = "false",
     .sentence = "Whether a missing or null value is an error of the row."},
    END,
};

/* A text that may be empty, in quotes. The stage is to see a text whatever it looks like: 007, and not the number 7. */
static void text_or_empty_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED,
                               struct tree_node *node)
{
    if (node && option_scalar(reader, node, "a text"))
        node->quoted = true;
}

static const struct option replace_rule_rows[] = {
    {.name = "field", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, .check = column_check,
     .sentence = "The text field that is changed; the same one may come again."},
    {.name = "find", .type = OPTION_CUSTOM, .flags = OPTION_REQUIRED, .read = text_or_empty_read, .form = "text",
     .sentence = "What to find: a text with \\t, \\n, \\r, \\\\ and \\uXXXX, or with regex: true a pattern of PCRE2 (\\d and "
                 "\\w are ASCII unless it begins with (*UCP))."},
    {.name = "with", .type = OPTION_CUSTOM, .flags = OPTION_REQUIRED, .read = text_or_empty_read, .form = "text",
     .sentence = "What is put in place of all that is found, with the same escapes; '' takes it out. With regex: true, $1 or "
                 "${1} is a group, ${name} one with a name, $0 all that matched, and $$ a dollar sign."},
    {.name = "regex", .type = OPTION_BOOLEAN, .fallback = "false", .sentence = "Whether find is a pattern."},
    {.name = "case_sensitive", .type = OPTION_BOOLEAN, .fallback = "false",
     .sentence = "Whether the case of letters matters. If not, characters are equal that Unicode's simple case folding makes "
                 "equal."},
    END,
};

const struct option stage_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, OPTION_FIELD(struct job_stage, name),
     .check = name_check, .sentence = "The stage's name, by which logs, counters and preview call it."},
    {.name = "kind", .type = OPTION_WORD, .flags = OPTION_REQUIRED, .choices = "json|mask|replace|filter|assign|lua",
     OPTION_FIELD(struct job_stage, kind), .sentence = "What the stage is: json, mask, replace, filter, assign or lua."},
    {.name = "when_error", .type = OPTION_CHOICE, .choices = "dirty|null|drop|stop", .fallback = "dirty",
     OPTION_FIELD(struct job_stage, when_error),
     .sentence = "What becomes of a row that the stage cannot handle: kept aside with its reason, the value set to NULL (not for "
                 "lua), left out, or the job stops."},
    {.name = "from", .type = OPTION_TEXT, JSON_ONLY, .fallback = "__value__", .sentence = "The text field that holds the JSON."},
    {.name = "columns", .type = OPTION_LIST, JSON_ONLY, .rows = json_column_rows,
     .sentence = "The values to take out, one column each."},
    {.name = "expand", .type = OPTION_TEXT, JSON_ONLY, .form = "path",
     .sentence = "An array that becomes one row per element, the other columns repeated. "
                 "An empty, missing or null one gives no row."},
    {.name = "rest", .type = OPTION_TEXT, JSON_ONLY, .check = column_check,
     .sentence = "A field that keeps what no path took, as JSON text."},
    {.name = "rules", .type = OPTION_LIST, .flags = OPTION_REQUIRED, MASK_ONLY, .rows = mask_rule_rows,
     .sentence = "What hides which fields. A field has one rule; what a rule cannot hide does not pass."},
    {.name = "condition", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, .only = "filter", .form = "expression",
     .sentence = "Rows for which it is true are kept, such as amount > 100 and city in ('x', 'y'); the others are counted. "
                 "${job}, ${topic}, ${execute_time} and ${now} may stand in it; `luaduct help functions` lists the functions."},
    {.name = "rename", .type = OPTION_CUSTOM, ASSIGN_ONLY, .read = renames_read, .form = "map of fields to new names",
     .sentence = "Fields that get other names, all at once. An assign stage renames, casts, sets, and drops or selects, in this "
                 "order."},
    {.name = "cast", .type = OPTION_CUSTOM, ASSIGN_ONLY, .read = casts_read, .form = "map of fields to types",
     .sentence = "Fields that get another type, strictly: a value that would lose something is an error of its row."},
    {.name = "set", .type = OPTION_LIST, ASSIGN_ONLY, .rows = assign_set_rows,
     .sentence = "Fields that get a value, new or not, one after the other; each sees those before it."},
    {.name = "drop", .type = OPTION_CUSTOM, ASSIGN_ONLY, .read = names_read, .form = "list of fields",
     .sentence = "Fields that go."},
    {.name = "select", .type = OPTION_CUSTOM, ASSIGN_ONLY, .read = names_read, .form = "list of fields",
     .sentence = "The fields that stay, in this order; all others go. Not together with drop."},
    {.name = "rules", .type = OPTION_LIST, .flags = OPTION_REQUIRED, REPLACE_ONLY, .rows = replace_rule_rows,
     .sentence = "What to find and what to put there, rule by rule: each works on what the one before has left."},
    {.name = "file", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_PATH | OPTION_READABLE, LUA_ONLY,
     OPTION_FIELD(struct job_stage, file), .form = "path",
     .sentence = "The Lua file, relative to the job file. It returns a table with process(batch)."},
    {.name = "options", .type = OPTION_FREE, LUA_ONLY, OPTION_FIELD(struct job_stage, options),
     .sentence = "Anything the Lua file wants; it is ctx.options there."},
    FOREIGN("type", "use \"kind\""),
    FOREIGN("script", "use \"file\""),
    FOREIGN("where", "use \"condition\" of a stage of kind filter"),
    FOREIGN("expression", "use \"condition\" of a stage of kind filter"),
    FOREIGN("keep", "use \"condition\" of a stage of kind filter"),
    FOREIGN("on_error", "use \"when_error\""),
    FOREIGN("onError", "use \"when_error\""),
    END,
};
